"""Real B2B deals (Salvirt, 448 rows): repeated cross-validation of winprob and plain baselines.

Protocol A: all rows, identical feature rows kept in one fold. Protocol B: distinct rows only. Predictions are pooled
out of fold within a repeat, scored, and the scores averaged over repeats. Completed folds are cached under
``.benchmarks/``, so that an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _timing as timing
import numpy as np
import pandas as pd
import sklearn
from _scores import EDGE, SCORES, baselines, log_losses, paired_difference, scores
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

FOLDS = 10
OURS = "winprob"
OUTCOME = "Status"
MAPPING = timing.ROOT / "data" / "mappings" / "salvirt.toml"
#: Log loss to stay below, by protocol: the best plain model of the figures to beat.
AIMS = {"A": 0.514, "B": 0.524}

Fold = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows of one protocol: for winprob, for the baselines, outcomes, and groups of identical facts."""

    deals: pd.DataFrame
    facts: pd.DataFrame
    won: np.ndarray
    groups: np.ndarray


def main() -> None:
    asked = _parse()
    source = timing.real_data("salvirt", "salvirt.csv")
    if source is None:
        return
    figures, results = [], {}
    for protocol in asked.protocol:
        table = read_table(source, protocol)
        predictions = cross_validate(table, protocol, asked)
        result = compare(table, predictions, seed=asked.seed)
        print(
            f"\nProtocol {protocol}: {len(table.won)} rows, {asked.repeats} x {FOLDS} folds\n\n{results_table(result)}"
        )
        results[protocol] = result.to_dict("records")
        ours = result.set_index("model")["log_loss"].get(OURS)
        if ours is not None:
            quantity = f"log loss, protocol {protocol} ({asked.repeats} repeats)"
            figures.append(timing.Figure(quantity=quantity, got=ours, aim=AIMS[protocol]))
    timing.save("salvirt", figures, results=results, repeats=asked.repeats)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--protocol", choices=("A", "B", "AB"), default="AB")
    parser.add_argument("--seed", type=int, default=1, help="of the sampler and of the bootstrap")
    parser.add_argument("--settings", type=Path, default=timing.FOLDS_SETTINGS, help="winprob settings, TOML")
    parser.add_argument("--models", nargs="+", choices=(OURS, *baselines()), default=[OURS, *baselines()])
    parser.add_argument("--quick", action="store_true", help="one repeat of protocol A, to try it out")
    asked = parser.parse_args()
    if asked.quick:
        asked.repeats, asked.protocol = 1, "A"
    return asked


def read_table(source: Path, protocol: str) -> Table:
    """The rows of a protocol: ``A`` all, ``B`` without exact copies."""
    import winprob

    deals = winprob.read_deals(source, MAPPING)
    raw = pd.read_csv(source, dtype=str, keep_default_na=False)
    if protocol == "B":
        distinct = ~raw.duplicated().to_numpy()
        raw, deals = raw[distinct].reset_index(drop=True), deals[distinct].reset_index(drop=True)
    facts = raw.drop(columns=OUTCOME)
    groups = facts.groupby(list(facts.columns), sort=False).ngroup().to_numpy()
    return Table(deals=deals, facts=facts, won=(raw[OUTCOME] == "Won").to_numpy(), groups=groups)


def folds(table: Table, protocol: str, repeat: int) -> list[Fold]:
    """(train, test) rows of each fold."""
    if protocol == "A":
        splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=repeat)
        return list(splitter.split(table.facts, table.won, table.groups))
    return list(StratifiedKFold(FOLDS, shuffle=True, random_state=repeat).split(table.facts, table.won))


def cross_validate(table: Table, protocol: str, asked: argparse.Namespace) -> dict[str, np.ndarray]:
    """(repeat, deal) out-of-fold probabilities of each model."""
    result = {}
    for name, learn in _learners(table, asked).items():
        mark = _mark(name, asked)
        result[name] = np.full((asked.repeats, len(table.won)), np.nan)
        for repeat, number, (train, test) in _all_folds(table, protocol, asked.repeats):
            label = f"{protocol}-{repeat}-{number}"
            result[name][repeat, test] = _cached(mark, label, table, test, lambda: learn(train, test, repeat))  # noqa: B023
            timing.progress(f"{name}: {label}")
    return result


def _all_folds(table: Table, protocol: str, repeats: int) -> Iterator[tuple[int, int, Fold]]:
    for repeat in range(repeats):
        for number, fold in enumerate(folds(table, protocol, repeat)):
            yield repeat, number, fold


def _learners(table: Table, asked: argparse.Namespace) -> dict[str, Callable[..., np.ndarray]]:
    """Each model as a function of (train, test, repeat) that returns the test rows' probabilities."""

    def plain(learn: Any) -> Callable[..., np.ndarray]:
        return lambda train, test, repeat: learn(
            table.facts.iloc[train], table.won[train], table.groups[train], table.facts.iloc[test], repeat
        )

    known = {OURS: _ours(table, asked), **{name: plain(learn) for name, learn in baselines().items()}}
    return {name: known[name] for name in asked.models}


def _ours(table: Table, asked: argparse.Namespace) -> Callable[..., np.ndarray]:
    def learn(train: np.ndarray, test: np.ndarray, _: int) -> np.ndarray:
        import winprob

        settings = winprob.read_settings(asked.settings) if asked.settings else None
        posterior = winprob.fit(table.deals.iloc[train], seed=asked.seed, settings=settings)
        return winprob.predict(posterior, table.deals.iloc[test])["mean"].to_numpy()

    return learn


def _mark(model: str, asked: argparse.Namespace) -> str:
    """Cache key of a fold: model, settings, and the code that computes it."""
    if model != OURS:
        return f"{model}-{sklearn.__version__}-{_hash((timing.ROOT / 'benchmarks' / '_scores.py').read_bytes())}"
    settings = asked.settings.read_bytes() if asked.settings else b""
    return f"{model}-{timing.code_hash()}-{_hash(settings + MAPPING.read_bytes())}-{asked.seed}"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _cached(mark: str, label: str, table: Table, test: np.ndarray, work: Callable[[], np.ndarray]) -> np.ndarray:
    """The predictions of one fold, from the cache of an earlier run if there."""
    rows = _hash(test.tobytes() + pd.util.hash_pandas_object(table.facts).to_numpy().tobytes())
    return timing.kept(f"salvirt/{mark}", f"{label}-{rows}", lambda: {"win_prob": work()})["win_prob"]


def compare(table: Table, predictions: Mapping[str, np.ndarray], *, seed: int) -> pd.DataFrame:
    """One row per model: mean and spread (sd over repeats) of each score, and winprob's log loss minus this model's.

    The difference is paired by row and averaged over repeats; its 90 % interval resamples groups of identical rows.
    """
    losses = {name: log_losses(table.won, pooled).mean(axis=0) for name, pooled in predictions.items()}
    records = []
    for name, pooled in predictions.items():
        repeats = pd.DataFrame([scores(table.won, row) for row in pooled])
        record: dict[str, Any] = {"model": name, **repeats.mean()}
        record |= {f"{score}_sd": float(repeats[score].std(ddof=0)) for score in SCORES}
        if OURS in losses and name != OURS:
            difference = paired_difference(losses[OURS], losses[name], table.groups, seed=seed)
            record |= dict(zip(("difference", "lower", "upper"), difference, strict=True))
        records.append(record)
    return pd.DataFrame(records).reindex(columns=COLUMNS)


COLUMNS = ("model", *SCORES, *(f"{score}_sd" for score in SCORES), "difference", "lower", "upper")


def results_table(result: pd.DataFrame) -> str:
    """The comparison as a Markdown table."""
    header = ("model", *(f"{score} (sd)" for score in SCORES), "winprob's log loss minus this, 90 %")
    rows = [(r["model"], *(f"{r[s]:.3f} ({r[f'{s}_sd']:.3f})" for s in SCORES), _gap(r)) for _, r in result.iterrows()]
    note = f"\n\nProbabilities clipped to [{EDGE}, {1 - EDGE}]."
    return timing.markdown(header, rows) + note


def _gap(row: pd.Series) -> str:
    if np.isnan(row["difference"]):
        return "-"
    return f"{row['difference']:+.4f} ({row['lower']:+.4f}, {row['upper']:+.4f})"


if __name__ == "__main__":
    main()
