"""Deal tables whose every value is known: an export's content before a CRM, a country and a person write it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import strategies as st

TEXTS = ("account", "segment", "region", "seller", "product", "competitor")
SUPPORTS = ("approver_support", "decision_maker_support", "evaluator_support")
COVERAGES = ("approver_coverage", "influencer_coverage")
DATES = ("as_of", "opened_on", "expected_close_on", "closed_on")
MONEY = "amount"
SHARE = "rep_probability"
CHOICES: Mapping[str, tuple[str, ...]] = {
    "outcome": ("won", "lost", "no_decision", "open"),
    "rep_category": ("omitted", "pipeline", "best_case", "most_likely", "commit"),
    "stage": ("difficulty", "exploration", "approval", "evaluation", "decision"),
    "decision_method": ("scoring", "recommendation", "executive"),
    "coach": ("none", "unvalidated", "validated"),
    **dict.fromkeys(COVERAGES, ("unknown", "identified", "contacted", "engaged")),
}
OPTIONAL = (
    "opened_on", "expected_close_on", "closed_on", MONEY, "currency", *TEXTS, SHARE,
    "rep_category", "stage", "decision_method", "coach", *SUPPORTS, *COVERAGES,
)  # fmt: skip

#: Texts by the letters that they need. None of them is a word for a missing value or for a total.
SCRIPTS: Mapping[str, tuple[str, ...]] = {
    "plain": ("North", "S01", "O'Brien, Inc.", "Acme; Partners", "a|b", "Smith & Sons", 'The "Big" One', "007", "3.10"),
    "western": ("Müller AG", "Société Générale", "Peña, Hijos", "Größe", "Île-de-France", "Zürich"),
    "simplified": ("华东", "中国移动", "李雷", "国家电网，华北", "张伟", "制造业"),
    "traditional": ("台積電", "陳小姐", "華碩電腦", "北區業務", "製造業"),
}
CURRENCIES = ("CNY", "EUR", "USD", "GBP", "JPY", "HKD", "BRL", "INR", "CHF", "MXN")
MOST_ROWS = 10

Cell = str | dt.date | Decimal | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A deal table by canonical column; a deal a row, ``None`` where it is unknown."""

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Cell], ...]
    script: str

    def column(self, name: str) -> list[Cell]:
        return [row[name] for row in self.rows]


@st.composite
def truths(draw: st.DrawFn, script: str, id_style: str, *, whole_amounts: bool, currencies: int) -> Truth:
    """A table of one to ten deals, with some of the columns."""
    wanted = draw(st.sets(st.sampled_from(OPTIONAL), min_size=2, max_size=len(OPTIONAL)))
    has_as_of = draw(st.integers(0, 5)) == 0
    columns = ("deal_id", *(["as_of"] if has_as_of else []), "outcome", *[name for name in OPTIONAL if name in wanted])
    numbers = draw(st.lists(st.integers(1, 99_999), min_size=1, max_size=MOST_ROWS, unique=True))
    pool = draw(st.lists(st.sampled_from(CURRENCIES), min_size=1, max_size=currencies, unique=True))
    texts = draw(st.lists(st.sampled_from((*SCRIPTS[script], *SCRIPTS["plain"])), min_size=1, max_size=4, unique=True))
    as_of = draw(st.dates(dt.date(2024, 1, 1), dt.date(2027, 12, 31)))
    rows = [draw(_rows(columns, deal_id(number, id_style), as_of, pool, texts, whole_amounts)) for number in numbers]
    return Truth(columns=columns, rows=tuple(rows), script=script)


@st.composite
def _rows(
    draw: st.DrawFn,
    columns: tuple[str, ...],
    name: str,
    as_of: dt.date,
    currencies: list[str],
    texts: list[str],
    whole_amounts: bool,
) -> dict[str, Cell]:
    outcome = draw(st.sampled_from((*CHOICES["outcome"], None)))
    opened = dt.date(2015, 1, 1) + dt.timedelta(days=draw(st.integers(0, 3300)))
    drawn: dict[str, Cell] = {"deal_id": name, "as_of": as_of, "outcome": outcome, "opened_on": opened}
    drawn["expected_close_on"] = opened + dt.timedelta(days=draw(st.integers(0, 700)))
    closed = outcome in ("won", "lost", "no_decision")
    drawn["closed_on"] = opened + dt.timedelta(days=draw(st.integers(0, 700))) if closed else None
    drawn[MONEY] = draw(_amounts(whole_amounts))
    drawn["currency"] = draw(st.sampled_from(currencies))
    drawn[SHARE] = Decimal(draw(st.integers(0, 100))) / 100
    drawn |= {column: draw(st.sampled_from((1, 2, 3, 4))) for column in SUPPORTS if column in columns}
    drawn |= {column: draw(st.sampled_from(texts)) for column in TEXTS if column in columns}
    drawn |= {c: draw(st.sampled_from(values)) for c, values in CHOICES.items() if c != "outcome" and c in columns}
    unknown = draw(st.sets(st.sampled_from(OPTIONAL), max_size=4))
    # The currency is always known here: a file without its column may write it with the amount.
    return {column: None if column in unknown else drawn[column] for column in (*columns, "currency")}


def _amounts(whole: bool) -> st.SearchStrategy[Decimal]:
    """Amounts of all sizes, many of them round."""
    units = st.one_of(
        st.integers(0, 999).map(lambda n: 1000 * n),
        st.integers(0, 9_999_999),
        st.integers(0, 90).map(lambda n: n * 10**6),
    )
    if whole:
        return units.map(Decimal)
    return st.one_of(units.map(Decimal), st.integers(0, 10**10).map(lambda cents: Decimal(cents) / 100))


def deal_id(number: int, style: str) -> str:
    """An id in the style of a CRM, or one that a spreadsheet would spoil."""
    if style == "salesforce":
        short = f"006Qx00000{number:05d}"
        return short + _check_letters(short)
    if style == "guid":
        return f"{number:08x}-7c1e-4b0a-9f3d-{number * 7919:012x}"
    styles = {
        "plain": "D{:05d}", "zeros": "{:08d}", "digits": "{:d}", "long": "900719925474{:07d}", "exponent": "1E{:05d}",
        "dashed": "OPP-2026-{:05d}", "decimal": "{:d}.10", "chinese": "商机{:05d}", "slashed": "Q/{:d}",
    }  # fmt: skip
    return styles[style].format(number)


def _check_letters(short: str) -> str:
    """The last three of an 18-character Salesforce id: which of the first 15 are capitals."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    fives = (short[at : at + 5] for at in (0, 5, 10))
    return "".join(alphabet[sum(1 << at for at, c in enumerate(five) if c.isupper())] for five in fives)
