"""The real data sets with their protocols: deals for winprob, facts for its peers, and the folds that are scored."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import _timing as timing
import maven
import numpy as np
import pandas as pd
import salvirt
from sklearn.model_selection import StratifiedKFold, train_test_split

Fold = tuple[np.ndarray, np.ndarray]
#: The grants are scored from this day on, and learned from before it.
GRANTS_SCORED_FROM = pd.Timestamp(2008, 1, 1)
QUICK_ROWS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """One data set under one protocol.

    Attributes
    ----------
    deals : (row,) canonical columns and covariates
    facts : (row,) the same columns as numbers and categories
    groups : (row,) codes of identical rows where they stay in one fold, else of rows
    repeats : folds of each repeat, as (train, test) rows
    settings : winprob settings, None for the defaults
    null_aim : log loss to stay below where no column predicts; None where the peers are the aim
    """

    deals: pd.DataFrame
    facts: pd.DataFrame
    won: np.ndarray
    groups: np.ndarray
    repeats: list[list[Fold]]
    settings: Path | None = None
    null_aim: float | None = None

    @property
    def groupings(self) -> list[str]:
        """Columns whose levels are the groups of the coverage: the categories."""
        return list(dict.fromkeys(self.deals.attrs["covariates"]["varying"]))


def load(name: str, *, repeats: int, quick: bool) -> DataSet | None:
    """The data set; None, with a printed note, where its file is absent."""
    file, read = READERS[name]
    source = timing.real_data(*file)
    if source is None:
        return None
    data = read(source, repeats)
    return shortened(data) if quick else data


def shortened(data: DataSet) -> DataSet:
    """The first two folds, with few rows to learn from and to score, and looser settings."""
    folds = [(train[-QUICK_ROWS:], test[:QUICK_ROWS]) for train, test in data.repeats[0][:2]]
    return replace(data, repeats=[folds], settings=timing.FOLDS_SETTINGS)


def _salvirt(protocol: str) -> Callable[[Path, int], DataSet]:
    def read(source: Path, repeats: int) -> DataSet:
        table = salvirt.read_table(source, protocol)
        return DataSet(
            deals=table.deals,
            facts=table.facts,
            won=table.won,
            groups=table.groups,
            repeats=[salvirt.folds(table, protocol, repeat) for repeat in range(repeats)],
            settings=timing.FOLDS_SETTINGS,
        )

    return read


def _maven(source: Path, _: int) -> DataSet:
    train, test = maven.read_split(source, team=False)
    deals = pd.concat([train, test], ignore_index=True)
    rows = np.arange(len(deals))
    return DataSet(
        deals=deals,
        facts=deals[maven.FACTS].astype("str").fillna(""),
        won=(deals["outcome"] == "won").to_numpy(),
        groups=rows,
        repeats=[[(rows[: len(train)], rows[len(train) :])]],
        settings=timing.FOLDS_SETTINGS,
        null_aim=maven.LOG_LOSS_AIM,
    )


def _grants(source: Path, _: int) -> DataSet:
    data = _mapped(source, "grants")
    later = (data.deals["as_of"] >= GRANTS_SCORED_FROM).to_numpy()
    return replace(data, repeats=[[(np.flatnonzero(~later), np.flatnonzero(later))]])


def _leads(source: Path, _: int) -> DataSet:
    data = _mapped(source, "leads")
    folds = StratifiedKFold(5, shuffle=True, random_state=0).split(data.facts, data.won)
    return replace(data, repeats=[list(folds)])


def _leads_split(source: Path, _: int) -> DataSet:
    data = _mapped(source, "leads")
    train, test = train_test_split(np.arange(len(data.won)), test_size=0.3, random_state=0)
    return replace(data, repeats=[[(np.sort(train), np.sort(test))]])


def _mapped(source: Path, mapping: str) -> DataSet:
    """A compressed file, read through ``data/mappings/<mapping>.toml``; without folds."""
    import winprob

    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / f"{mapping}.csv"
        plain.write_bytes(gzip.decompress(source.read_bytes()))
        deals = winprob.read_deals(plain, timing.ROOT / "data" / "mappings" / f"{mapping}.toml")
    covariates = deals.attrs["covariates"]
    categories = deals[covariates["varying"]].astype("str").where(deals[covariates["varying"]].notna(), "")
    numbers = {item["column"]: _number(deals, item) for item in covariates["numeric"]}
    return DataSet(
        deals=deals,
        facts=categories.assign(**numbers),
        won=(deals["outcome"] == "won").to_numpy(),
        groups=np.arange(len(deals)),
        repeats=[],
    )


def _number(deals: pd.DataFrame, item: dict[str, str | None]) -> pd.Series:
    values = deals[item["column"]].astype(float)
    return np.log1p(values) if item["transform"] == "log1p" else values


#: By name: the file in the folder of real data, and its reader.
READERS: dict[str, tuple[tuple[str, str], Callable[[Path, int], DataSet]]] = {
    "salvirt-A": (("salvirt", "salvirt.csv"), _salvirt("A")),
    "salvirt-B": (("salvirt", "salvirt.csv"), _salvirt("B")),
    "grants": (("grants", "grants.csv.gz"), _grants),
    "leads": (("leads", "leads.csv.gz"), _leads),
    "leads-70-30": (("leads", "leads.csv.gz"), _leads_split),
    "maven": (("maven", "sales_pipeline.csv"), _maven),
}
