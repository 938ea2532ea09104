"""Tables of polars and Arrow: the answers are those to pandas, in the kind of the table; an input is never changed."""

from __future__ import annotations

import datetime as dt
import pickle
from collections.abc import Callable
from inspect import isfunction, signature
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import winprob
from winprob.data.schema import DATES, SUPPORTS, validate_deals
from winprob.errors import DealTableError, WinprobError
from winprob.frames import as_pandas
from winprob.i18n import use_language

Kind = Callable[[pd.DataFrame], Any]
EXECUTIVES = {"executives": [{"name": "Li", "slots": 1}]}


def to_polars(deals: pd.DataFrame) -> pl.DataFrame:
    """With types of its own: days, small whole numbers with nulls, categories."""
    table = pl.from_pandas(deals.reset_index(drop=True))
    days = [pl.col(name).cast(pl.Date) for name in DATES if name in table.columns]
    tiers = [pl.col(name).cast(pl.Int8) for name in SUPPORTS if name in table.columns]
    words = [pl.col(name).cast(pl.Categorical) for name in ("stage", "seller") if name in table.columns]
    return table.with_columns(*days, *tiers, *words)


def to_arrow(deals: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(deals, preserve_index=False).replace_schema_metadata(None)


def same(got: Any, wanted: Any, kind: Kind) -> None:
    """Equal in every cell, and of the kind of the table given, where it is a table at all."""
    if isinstance(wanted, tuple):
        for part, of in zip(got, wanted, strict=True):
            same(part, of, kind)
    elif isinstance(wanted, pd.DataFrame):
        assert isinstance(got, pl.DataFrame if kind is to_polars else pa.Table)
        plain = wanted.reset_index() if wanted.index.names != [None] else wanted.reset_index(drop=True)
        pd.testing.assert_frame_equal(as_pandas(got), plain, check_dtype=False, check_exact=True)
    elif isinstance(wanted, pd.Series):
        assert isinstance(got, pl.Series if kind is to_polars else pa.ChunkedArray)
        np.testing.assert_array_equal(got.to_numpy(), wanted.to_numpy())
    elif isinstance(wanted, np.ndarray):
        np.testing.assert_array_equal(got, wanted)
    else:
        assert got == wanted


CASES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "predict": lambda model, deals, _: winprob.predict(model, deals),
    "draw_win_prob": lambda model, deals, _: winprob.draw_win_prob(model, deals=deals),
    "explain": lambda model, deals, name: winprob.explain(model, deals, name),
    "rank_roles": lambda model, deals, _: winprob.rank_roles(model, deals, by="stage"),
    "rank_levers": lambda model, deals, _: winprob.rank_levers(model, deals),
    "what_if": lambda model, deals, name: winprob.what_if(model, deals, name, {"approver_support": 4}),
    "rank_unknowns": lambda model, deals, _: winprob.rank_unknowns(model, deals),
    "plan_questions": lambda model, deals, _: winprob.plan_questions(model, deals, 2),
    "find_flags": lambda _, deals, __: winprob.find_flags(deals),
    "allocate": lambda model, deals, _: winprob.allocate(model, deals, EXECUTIVES, seed=1),
    "deal_ends": lambda _, deals, __: winprob.deal_ends(deals),
    "review_table": lambda _, deals, __: winprob.review_table(deals),
    "check_history": lambda _, deals, __: winprob.check_history(deals),
    "render_brief": lambda model, deals, name: winprob.render_brief(model, deals, name),
}


@pytest.fixture(scope="module")
def deals(team: winprob.simulation.Simulation) -> pd.DataFrame:
    """Ten open deals, with Chinese text and blanks."""
    some = team.open.head(10).copy()
    some["account"] = [f"客户“{at}”" for at in range(10)]
    some.loc[some.index[0], ["approver_support", "stage", "expected_close_on"]] = None
    return some


@pytest.mark.parametrize("kind", [to_polars, to_arrow])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_answer_is_the_one_to_pandas(
    case: Callable[[Any, Any, Any], Any], kind: Kind, posterior: winprob.Posterior, deals: pd.DataFrame
) -> None:
    name = str(deals["deal_id"].iloc[1])
    table, before = kind(deals), kind(deals)
    same(case(posterior, table, name), case(posterior, deals, name), kind)
    assert table.equals(before)


@pytest.mark.parametrize("kind", [to_polars, to_arrow])
def test_what_depends_on_a_clock_is_the_one_to_pandas(
    kind: Kind, posterior: winprob.Posterior, team: winprob.simulation.Simulation
) -> None:
    deals = pd.concat([team.closed.head(30), team.open], ignore_index=True)
    made, plain = (winprob.forecast_quarter(posterior, table, "2026Q4") for table in (kind(deals), deals))
    pd.testing.assert_frame_equal(made.lines, plain.lines)
    assert isinstance(made.lines, pd.DataFrame)


@pytest.mark.parametrize("kind", [to_polars, to_arrow])
def test_a_fit_sees_the_same_deals(kind: Kind, team: winprob.simulation.Simulation) -> None:
    """In canonical types a table is the same whatever it was, so that all that follows from it is."""
    plain = validate_deals(team.closed, training=True).reset_index(drop=True)
    pd.testing.assert_frame_equal(validate_deals(as_pandas(kind(team.closed)), training=True), plain)


def test_every_public_function_takes_any_table() -> None:
    functions = {name: getattr(winprob, name) for name in winprob.__all__ if isfunction(getattr(winprob, name))}
    assert len(functions) > 40
    assert {name for name, function in functions.items() if not hasattr(function, "__wrapped__")} == set()
    assert pickle.loads(pickle.dumps(winprob.predict)) is winprob.predict
    assert list(signature(winprob.predict).parameters) == ["posterior", "deals"]


def test_several_tables_are_taken_at_once_and_the_first_decides(
    posterior: winprob.Posterior, deals: pd.DataFrame
) -> None:
    log = pd.DataFrame(
        {"deal_id": ["D1"], "role": ["approver"], "executive": ["Li"], "date": ["2026-01-05"]}
        | {"tier_before": [2], "tier_after": [3]}
    )
    wanted = winprob.allocate(posterior, deals, EXECUTIVES, visits=log, seed=1)
    made = winprob.allocate(posterior, to_polars(deals), EXECUTIVES, visits=to_arrow(log), seed=1)
    same(made, wanted, to_polars)


def test_nulls_stay_unknown_and_large_numbers_whole() -> None:
    table = pl.DataFrame({"id": [12345678901234567, None], "day": [dt.date(2026, 1, 2), None], "word": ["甲", None]})
    plain = as_pandas(table)
    assert plain["id"].iloc[0] == 12345678901234567
    assert plain.isna().to_numpy().tolist() == [[False] * 3, [True] * 3]
    assert plain["word"].iloc[0] == "甲"
    assert plain["day"].iloc[0] == pd.Timestamp("2026-01-02")


def test_covariates_that_a_mapping_named_survive_an_arrow_table(deals: pd.DataFrame) -> None:
    named = deals.copy()
    named.attrs["covariates"] = {"varying": ["region"], "numeric": []}
    assert as_pandas(pa.Table.from_pandas(named)).attrs == named.attrs


def test_a_lazy_table_is_refused_with_its_remedy(posterior: winprob.Posterior, deals: pd.DataFrame) -> None:
    with pytest.raises(DealTableError, match=r"polars\.LazyFrame is a query .* \.collect\(\)"):
        winprob.predict(posterior, to_polars(deals).lazy())
    with use_language("zh"), pytest.raises(WinprobError, match=r"请先.*\.collect\(\)"):
        winprob.find_flags(to_polars(deals).lazy())


def test_what_is_no_table_is_refused(posterior: winprob.Posterior) -> None:
    with pytest.raises(DealTableError, match="a table of pandas, polars or pyarrow, got list"):
        winprob.predict(posterior, [{"deal_id": 1}])  # type: ignore[arg-type]


def test_tables_in_a_tuple_or_an_iterator_come_back_in_their_kind(team: winprob.simulation.Simulation) -> None:
    current = team.open.head(3)
    first = {"deal_id": current["deal_id"].iloc[0], "field": "stage", "old": "approval", "new": "evaluation"}
    changes = pd.DataFrame([{**first, "changed_at": "2026-09-20T08:00:00"}])
    days = ["2026-09-15", "2026-09-25"]
    (plain, found), (made, seen) = (
        winprob.replay_changes(kind(current), kind(changes), days) for kind in (pd.DataFrame, to_polars)
    )
    same(seen, found, to_polars)
    for (day, table), (of, wanted), wished in zip(made, plain, days, strict=True):
        assert day == of == pd.Timestamp(wished)
        same(table, wanted, to_polars)
