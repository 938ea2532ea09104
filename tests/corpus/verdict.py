"""Read an export of the corpus back, and compare: equal, refused, different, or another exception."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import strategies as st

import winprob
from tests.corpus.dialects import IDS, Dialect, dialects
from tests.corpus.truth import Cell, Truth, truths
from tests.corpus.writing import Export, write_export


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One file of the corpus before it is written."""

    dialect: Dialect
    truth: Truth


@st.composite
def cases(draw: st.DrawFn) -> Case:
    dialect = draw(dialects())
    styles = {"salesforce": "salesforce", "hubspot": "digits", "dynamics": "guid"}
    ids = styles[dialect.preset] if dialect.preset else draw(st.sampled_from(IDS))
    truth = draw(truths(dialect.script, ids, whole_amounts=draw(st.booleans()), currencies=draw(st.integers(1, 3))))
    return Case(dialect=dialect, truth=truth)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What reading made of a file: ``equal``, ``refused``, ``different`` or ``crash``; and the reason or the place."""

    kind: str
    reason: str = ""
    doubts: tuple[str, ...] = ()


def judge(case: Case, folder: Path) -> Verdict:
    """Write a case, read it, and compare."""
    export = write_export(case.truth, case.dialect, folder)
    try:
        deals = winprob.read_deals(export.path, export.mapping, encoding=export.encoding)
    except winprob.WinprobError as refusal:
        return Verdict(kind="refused", reason=_reason(refusal), doubts=export.doubts)
    except Exception as fault:  # noqa: BLE001 (any other exception is the finding)
        return Verdict(kind="crash", reason=f"{type(fault).__name__}: {fault}"[:160], doubts=export.doubts)
    difference = differs(deals, export)
    return Verdict(kind="different" if difference else "equal", reason=difference, doubts=export.doubts)


def _reason(refusal: Exception) -> str:
    """A refusal without the names and numbers of its file."""
    lines = [line.removeprefix("  - ") for line in str(refusal).splitlines()]
    fault = lines[1] if len(lines) > 1 else lines[0].split(": ", 1)[-1]
    plain = re.sub(r"\d+", "#", re.sub(r"'[^']*'|\"[^\"]*\"", "…", fault))
    return f"{type(refusal).__name__}: {plain[:90]}"


def differs(deals: pd.DataFrame, export: Export) -> str:
    """Where the deals read differ from the truth; empty where they do not."""
    ids = [str(name) for name in deals["deal_id"]]
    wanted = [str(name) for name in export.expected["deal_id"]]
    if ids != wanted:
        return f"ids: {len(wanted)} deals became {len(ids)}" if len(ids) != len(wanted) else "ids"
    for column, values in export.expected.items():
        read = list(deals[column]) if column in deals else [None] * len(values)
        if column == "currency" and export.unnamed and all(map(pd.isna, read)):
            continue
        for value, got in zip(values, read, strict=True):
            if not _same(value, got, column):
                return f"{column}: {value!s} became {got!s}"
    return ""


def _same(value: Cell, got: Any, column: str) -> bool:
    if column.endswith("_coverage"):
        value, got = (None if each == "unknown" else each for each in (value, got))
    if value is None or pd.isna(got):
        return value is None and bool(pd.isna(got))
    if isinstance(value, dt.date):
        return pd.Timestamp(value) == got
    if isinstance(value, Decimal | int):
        return math.isclose(float(value), float(got), rel_tol=1e-12)
    return str(value) == str(got)


@dataclass(slots=True)
class Tally:
    """Counts of verdicts: of all files, and of those whose writing leaves no doubt."""

    all: Counter[str] = field(default_factory=Counter)
    sure: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    doubts: Counter[str] = field(default_factory=Counter)

    def add(self, verdict: Verdict) -> None:
        self.all[verdict.kind] += 1
        if not verdict.doubts:
            self.sure[verdict.kind] += 1
        for doubt in verdict.doubts:
            self.doubts[doubt] += 1
        if verdict.reason:
            where = verdict.reason if verdict.kind != "different" else verdict.reason.split(":")[0]
            self.reasons[f"{verdict.kind}{'' if verdict.doubts else ', without a doubt'}: {where}"] += 1

    @property
    def share_read(self) -> float:
        """The share of the files without a doubt that were read equal."""
        return self.sure["equal"] / max(self.sure.total(), 1)

    def record(self) -> dict[str, Any]:
        return {
            "files": dict(self.all),
            "files without a doubt": dict(self.sure),
            "share of these read equal": round(self.share_read, 4),
            "doubts": dict(self.doubts),
            "reasons": dict(self.reasons.most_common()),
        }

    def __str__(self) -> str:
        lines = [
            f"{self.all.total()} files: {_counts(self.all)}",
            f"{self.sure.total()} without a doubt: {_counts(self.sure)}; {self.share_read:.1%} of these read equal",
            f"doubts: {_counts(self.doubts)}",
            *(f"{count:6d}  {reason}" for reason, count in self.reasons.most_common(40)),
        ]
        return "\n".join(lines)


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common()) or "none"
