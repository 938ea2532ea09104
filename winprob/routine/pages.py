"""The files of a week: review page, visit sheets, actions for the CRM, and a message; written whole or not at all."""

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

import winprob
from winprob.data.schema import is_open
from winprob.data.tables import scratch_folder, translate_os_errors
from winprob.errors import OutputError
from winprob.i18n import gettext
from winprob.report.numbers import span
from winprob.report.quarterly.inputs import join_facts
from winprob.report.statements import next_steps
from winprob.routine.message import message_text
from winprob.routine.week import Week

PAGE, ACTIONS, MESSAGE, SHEETS = "review.html", "actions.csv", "message.md", "visits"
ACTION_COLUMNS = ("deal_id", "chance", "won_by", "band", "flag", "next_step", "owner", "due_date")
#: An action is due before the next weekly meeting.
_DUE = pd.Timedelta(days=7)
#: ``renameat2`` with this flag swaps two paths at once.
_EXCHANGE, _FROM_HERE = 2, -100


def deals_that_count(week: Week, most: int) -> pd.DataFrame:
    """The open deals with the largest expected value times doubt, the width of the interval of the win probability."""
    deals = week.forecast.deals
    doubt = deals["amount"].fillna(0.0) * deals["win_prob"] * (deals["win_upper"] - deals["win_lower"])
    order = pd.DataFrame({"doubt": -doubt, "deal_id": deals["deal_id"]}).sort_values(["doubt", "deal_id"]).index
    return deals.loc[order[: min(most, int((doubt > 0).sum()))]]


def actions_table(week: Week, chosen: pd.DataFrame) -> pd.DataFrame:
    """One row for each open deal, for the CRM; due are those of ``chosen`` deals and of deals past their close date."""
    facts = join_facts(week.forecast, week.deals, None)
    if facts.empty:
        return pd.DataFrame(columns=list(ACTION_COLUMNS))
    steps = next_steps(week.inputs.posterior, facts, week.plan)
    day, urgent = week.inputs.day, set(chosen["deal_id"])
    found = winprob.find_flags(week.deals, as_of=day, settings=week.inputs.settings.flags)
    flags = found.groupby("deal_id", sort=False)["flag"].agg("; ".join).to_dict()
    rows = []
    for deal, step in zip(facts.to_dict("records"), steps, strict=True):
        overdue = pd.notna(deal["expected_close_on"]) and pd.Timestamp(deal["expected_close_on"]).date() < day
        rows.append(
            {
                "deal_id": deal["deal_id"],
                "chance": round(float(deal["win_prob"]), 4),
                "won_by": round(float(deal["by_end"]), 4),
                "band": span(float(deal["win_lower"]), float(deal["win_upper"])),
                "flag": flags.get(deal["deal_id"]),
                "next_step": step,
                "owner": deal.get("seller"),
                "due_date": (pd.Timestamp(day) + _DUE).date().isoformat()
                if overdue or deal["deal_id"] in urgent
                else None,
            }
        )
    return pd.DataFrame(rows, columns=list(ACTION_COLUMNS))


def write_week(week: Week, out: Path, *, sheets: int, company: str, people: Path | None, encoding: str | None) -> bool:
    """Write the files of a week into the folder ``out``, replaced at once; False where it was the same already.

    Raises
    ------
    OutputError
        The folder cannot be written, or holds other files.
    """
    require_replaceable(out)
    chosen = deals_that_count(week, sheets)
    actions = actions_table(week, chosen)
    with translate_os_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(out.parent) as scratch:
            new = scratch / "new"
            (new / SHEETS).mkdir(parents=True)
            (new / PAGE).write_text(_page(week), encoding="utf-8")
            for name, text in _sheets(week, chosen, people, encoding):
                (new / SHEETS / name).write_text(text, encoding="utf-8")
            winprob.write_table(actions, new / ACTIONS)
            (new / MESSAGE).write_text(
                message_text(week, actions, chosen, (out / PAGE).as_posix(), company), encoding="utf-8"
            )
            if _content(out) == _content(new):
                return False
            _swap(new, out)
    return True


def require_replaceable(out: Path) -> None:
    """Check before the work that the folder holds nothing but the files of a week.

    Raises
    ------
    OutputError
        It is a file, or holds other files.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(gettext("{path} is a file; the files of a week are a folder. Name a folder.", path=out))
    others = [name for name in _content(out) if not _ours(name)]
    if others:
        raise OutputError(
            gettext(
                "cannot write {path}: it holds other files than those of a week ({files}), which would be lost. Name "
                "another folder.",
                path=out,
                files=", ".join(others[:5]),
            )
        )


def _ours(name: str) -> bool:
    return name in (PAGE, ACTIONS, MESSAGE, SHEETS) or (name.startswith(f"{SHEETS}/") and name.endswith(".md"))


def _content(folder: Path) -> dict[str, bytes]:
    """Names of all files and folders inside, and the content of the files."""
    places = sorted(folder.rglob("*")) if folder.is_dir() else []
    return {p.relative_to(folder).as_posix(): b"" if p.is_dir() else p.read_bytes() for p in places}


def _swap(new: Path, out: Path) -> None:
    """Put ``new`` in the place of ``out``: in one step where the system can, else by two renames."""
    if not out.exists():
        os.rename(new, out)
    elif not _exchanged(new, out):
        os.rename(out, new.parent / "old")
        os.rename(new, out)


def _exchanged(one: Path, other: Path) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    return bool(swap(_FROM_HERE, os.fsencode(one), _FROM_HERE, os.fsencode(other), _EXCHANGE) == 0)


def _page(week: Week) -> str:
    return winprob.render_review(
        week.inputs.posterior,
        week.deals,
        week.forecast,
        bridge=week.bridge,
        before=week.chances_before,
        plan=week.plan,
        findings=week.inputs.findings,
        scores=week.scores,
        monitoring=week.monitoring,
        trend=week.trend,
        decisions=week.inputs.decisions,
        rates=week.inputs.rates,
        settings=week.inputs.settings.review,
    )


def _sheets(week: Week, chosen: pd.DataFrame, people: Path | None, encoding: str | None) -> Iterator[tuple[str, str]]:
    deals = week.deals[is_open(week.deals)]
    known = set() if week.before is None else set(week.before["deal_id"])
    for at, deal in enumerate(chosen["deal_id"], 1):
        safe = "".join(mark if mark.isalnum() or mark in "-_" else "-" for mark in str(deal))[:80]
        before = week.before if deal in known else None
        text = winprob.render_brief(
            week.inputs.posterior, deals, str(deal), people=people, before=before, encoding=encoding
        )
        yield f"{at:02d}_{safe}.md", text
