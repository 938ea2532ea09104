"""Every real data set in one table: winprob next to logistic regressions, trees, boosting, and their stack.

Protocols and data are those of the folder of real data. Predictions are pooled out of fold within a repeat, scored, and
the scores averaged over repeats. All finished predictions are cached under ``.benchmarks/``: the peers' by their code
and versions, winprob's by the code of the package, so that a rerun fits only what has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import _timing as timing
import numpy as np
import pandas as pd
from _peers import BASE_RATE, STACK, peers, peers_mark
from _real_sets import READERS, DataSet, load
from _scores import Baseline, log_losses, paired_difference, scores

from winprob.errors import NotConvergedError
from winprob.evaluation import coverage_90, group_calibration
from winprob.settings import EvaluationSettings

OURS = "winprob"
DEFAULT = ("salvirt-A", "salvirt-B", "grants", "leads", "maven")
SHOWN = ("auc", "log_loss", "brier", "slope")
COLUMNS = ("data", "model", *SHOWN, "coverage_90", "cpu", "difference", "lower", "upper", "reason")
#: Upper limits: winprob's log loss minus the best single model's, minus the stack's; distances of slope and coverage.
ABOVE_SINGLE, ABOVE_STACK, SLOPE_OFF, COVERAGE_OFF = 0.0, 0.005, 0.1, 0.03

#: The kept arrays of one fold: ``win_prob`` and, for winprob, ``draws``; ``cpu`` seconds; ``reason`` where it failed.
Kept = Mapping[str, np.ndarray]


def main() -> None:
    asked = _parse()
    tables, figures = [], []
    for name in asked.data:
        data = load(name, repeats=asked.repeats, quick=asked.quick)
        if data is None:
            continue
        table = compare(name, data, predictions(name, data, asked), seed=asked.seed)
        tables.append(table)
        figures += goals(name, data, table)
    if not tables:
        return
    result = pd.concat(tables, ignore_index=True)
    print(f"\n{results_table(result)}")
    if figures:
        print(f"\n{timing.figures_table(figures)}")
    records = result.astype(object).where(result.notna(), None).to_dict("records")
    timing.save("real", figures, table=records, repeats=asked.repeats, quick=asked.quick)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=tuple(READERS), default=list(DEFAULT))
    parser.add_argument("--repeats", type=int, default=2, help="of the ten folds of Salvirt")
    parser.add_argument("--seed", type=int, default=1, help="of the sampler and of the bootstrap")
    parser.add_argument("--settings", type=Path, help="winprob settings, TOML, for all data sets")
    parser.add_argument("--no-peers", action="store_true", help="winprob alone")
    parser.add_argument("--no-winprob", action="store_true", help="the peers alone, to fill the cache")
    parser.add_argument("--without", nargs="+", default=[], metavar="PEER", help="leave out peers, such as the stack")
    parser.add_argument("--quick", action="store_true", help="300 rows and two folds of each, to try it out")
    return parser.parse_args()


def predictions(name: str, data: DataSet, asked: argparse.Namespace) -> dict[str, list[list[Kept]]]:
    """By model: the kept arrays of each fold of each repeat."""
    learners: dict[str, tuple[str, Callable[..., Kept]]] = {}
    if not asked.no_peers:
        chosen = {peer: learn for peer, learn in peers(data.facts).items() if peer not in asked.without}
        learners |= {peer: (peers_mark(peer), _peer(data, learn)) for peer, learn in chosen.items()}
    if not asked.no_winprob:
        settings = asked.settings or data.settings
        learners[OURS] = (_our_mark(data, settings, asked.seed), _ours(data, settings, asked.seed))
    return {
        model: [
            [_fold(name, model, mark, data, learn, repeat, at) for at in range(len(folds))]
            for repeat, folds in enumerate(data.repeats)
        ]
        for model, (mark, learn) in learners.items()
    }


def _fold(
    name: str, model: str, mark: str, data: DataSet, learn: Callable[..., Kept], repeat: int, at: int
) -> dict[str, np.ndarray]:
    train, test = data.repeats[repeat][at]
    facts = pd.util.hash_pandas_object(data.facts).to_numpy().tobytes()
    rows = _hash(train.tobytes() + test.tobytes() + facts + data.won.tobytes())
    start = time.perf_counter()
    kept = timing.kept(f"real/{name}/{model}/{mark}", f"{repeat}-{at}-{rows}", lambda: learn(train, test, repeat))
    done = f"{name}, {model}: fold {at + 1} of {len(data.repeats[repeat])}, repeat {repeat + 1} of {len(data.repeats)}"
    timing.progress(f"{done}, {time.perf_counter() - start:.0f} s")
    return kept


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _our_mark(data: DataSet, settings: Path | None, seed: int) -> str:
    """Cache key of winprob's predictions; ``deals`` and the named covariates change with the mapping."""
    deals = pd.util.hash_pandas_object(data.deals).to_numpy().tobytes()
    text = settings.read_bytes() if settings else b""
    return f"{timing.code_hash()}-{_hash(deals + repr(data.deals.attrs).encode() + text)}-{seed}"


def _peer(data: DataSet, learn: Baseline) -> Callable[..., Kept]:
    def predict(train: np.ndarray, test: np.ndarray, repeat: int) -> Kept:
        start = timing.cpu_seconds()
        known = data.facts.iloc[train], data.won[train], data.groups[train]
        win_prob = learn(*known, data.facts.iloc[test], repeat)
        return {"win_prob": win_prob, "cpu": np.array(timing.cpu_seconds() - start)}

    return predict


def _ours(data: DataSet, settings: Path | None, seed: int) -> Callable[..., Kept]:
    """winprob; a fit that does not converge leaves its reason in place of predictions."""
    warmed = False

    def predict(train: np.ndarray, test: np.ndarray, _: int) -> Kept:
        nonlocal warmed
        import winprob
        from winprob.model.prediction import draw_win_prob

        if not warmed:  # what a first fit compiles is not counted
            winprob.fit(winprob.simulate(40, 10, seed=1).closed, seed=1)
            warmed = True
        chosen = winprob.read_settings(settings) if settings else None
        start = timing.cpu_seconds()
        try:
            posterior = winprob.fit(data.deals.iloc[train], seed=seed, settings=chosen)
        except NotConvergedError as error:
            return {"reason": np.array(str(error)), "cpu": np.array(timing.cpu_seconds() - start)}
        win_prob = winprob.predict(posterior, data.deals.iloc[test])["mean"].to_numpy()
        cpu = timing.cpu_seconds() - start
        draws = draw_win_prob(posterior, data.deals.iloc[test])
        count = min(EvaluationSettings().kept_draws, draws.shape[1])
        thinned = draws[:, np.linspace(0, draws.shape[1] - 1, count).astype(int)].astype(np.float32)
        return {"win_prob": win_prob, "draws": thinned, "cpu": np.array(cpu)}

    return predict


def compare(name: str, data: DataSet, by_model: Mapping[str, list[list[Kept]]], *, seed: int) -> pd.DataFrame:
    """One row per model: scores averaged over repeats, CPU seconds per fit, and winprob's log loss minus this model's.

    The difference is paired by row; its 90 % interval resamples groups of identical rows. A model of which a fit did
    not converge has a ``reason`` and no scores.
    """
    records, losses, groups = [], {}, np.concatenate([data.groups[test] for _, test in data.repeats[0]])
    for model, repeats in by_model.items():
        kept = [fold for repeat in repeats for fold in repeat]
        failed = [str(fold["reason"]) for fold in kept if "reason" in fold]
        record: dict[str, Any] = {"data": name, "model": model, "cpu": float(np.mean([fold["cpu"] for fold in kept]))}
        if failed:
            record["reason"] = f"{len(failed)} of {len(kept)} fits failed. {failed[0]}"
        else:
            scored = [_score(data, folds, kept) for folds, kept in zip(data.repeats, repeats, strict=True)]
            record |= pd.DataFrame([values for values, _ in scored]).mean().to_dict()
            losses[model] = np.mean([loss for _, loss in scored], axis=0)
        records.append(record)
    for record in records:
        if OURS in losses and record["model"] in losses and record["model"] != OURS:
            difference = paired_difference(losses[OURS], losses[record["model"]], groups, seed=seed)
            record |= dict(zip(("difference", "lower", "upper"), difference, strict=True))
    return pd.DataFrame(records).reindex(columns=COLUMNS)


def _score(data: DataSet, folds: list[tuple[np.ndarray, np.ndarray]], kept: list[Kept]) -> tuple[dict, np.ndarray]:
    """Scores of one repeat, and its log losses in the order of the rows' first repeat."""
    rows = np.concatenate([test for _, test in folds])
    win_prob = np.concatenate([fold["win_prob"] for fold in kept])
    coverage = coverage_90(pd.concat([_groups(data, test, fold) for (_, test), fold in zip(folds, kept, strict=True)]))
    values = {**scores(data.won[rows], win_prob), "coverage_90": coverage}
    order, first = np.argsort(rows), np.concatenate([test for _, test in data.repeats[0]])
    losses = log_losses(data.won[rows], win_prob)[order]
    return values, losses[np.searchsorted(rows[order], first)]


def _groups(data: DataSet, test: np.ndarray, fold: Kept) -> pd.DataFrame:
    """Expected and observed wins by group within one fold.

    Over all folds together a group's wins are those that the fits have learned from, so that nearly any model covers
    nearly all groups.
    """
    draws = fold["draws"] if "draws" in fold else fold["win_prob"][:, None]
    return group_calibration(data.won[test], draws, data.deals.iloc[test], by=data.groupings)


def goals(name: str, data: DataSet, table: pd.DataFrame) -> list[timing.Figure]:
    """winprob's log loss minus the best single model's and the stack's, its slope and its coverage, with their aims."""
    by_model = table.set_index("model")
    if OURS not in by_model.index:
        return []
    ours, single = by_model.loc[OURS], by_model.drop([OURS, STACK, BASE_RATE], errors="ignore")["log_loss"]
    null = data.null_aim is not None
    figures = []
    if null:
        figures.append(timing.Figure(quantity=f"{name}: log loss", got=ours["log_loss"], aim=data.null_aim))
    if single.notna().any():
        quantity = f"{name}: log loss minus the best single model's ({single.idxmin()})"
        above = ours["log_loss"] - single.min()
        figures.append(timing.Figure(quantity=quantity, got=above, aim=None if null else ABOVE_SINGLE))
    if STACK in by_model.index:
        above = ours["log_loss"] - by_model.loc[STACK, "log_loss"]
        quantity = f"{name}: log loss minus the stack's"
        figures.append(timing.Figure(quantity=quantity, got=above, aim=None if null else ABOVE_STACK))
    if not null:  # without predictive value the slope has no meaning
        off = abs(ours["slope"] - 1)
        figures.append(timing.Figure(quantity=f"{name}: calibration slope, distance from 1", got=off, aim=SLOPE_OFF))
    off = abs(ours["coverage_90"] - 0.9)
    quantity = f"{name}: 90 % group coverage, distance from 0.90"
    return [*figures, timing.Figure(quantity=quantity, got=off, aim=COVERAGE_OFF)]


def results_table(result: pd.DataFrame) -> str:
    """The comparison as a Markdown table, with the reasons of failed fits below."""
    header = ("data", "model", "AUC", "log loss", "Brier", "slope", "group coverage (aim .90)", "CPU seconds a fit")
    rows = [
        (
            *(r["data"], r["model"], *(_cell(r[score], "{:.3f}") for score in (*SHOWN, "coverage_90"))),
            *(f"{r['cpu']:.1f}", _cell(r["difference"], f"{{:+.4f}} ({r['lower']:+.4f}, {r['upper']:+.4f})")),
        )
        for _, r in result.iterrows()
    ]
    reasons = [f"{r['data']}, {r['model']}: {r['reason']}" for _, r in result[result["reason"].notna()].iterrows()]
    return "\n\n".join([timing.markdown((*header, "winprob's log loss minus this, 90 %"), rows), *reasons])


def _cell(value: float, form: str) -> str:
    return "-" if np.isnan(value) else form.format(value)


if __name__ == "__main__":
    main()
