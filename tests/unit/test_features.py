"""What a deal table becomes: codes, readings, weights, scaling."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winprob.data.schema import validate_deals
from winprob.methodology.vocabulary import ROLES
from winprob.model.features import NO_DATE, Scaling, describe, empty_scaling, learn_scaling
from winprob.model.features.columns import transformed
from winprob.model.features.learning import deal_weights
from winprob.model.features.readings import bin_moments
from winprob.settings import CalendarSettings, CovariateSettings, NumericCovariate, Settings

SETTINGS = Settings()
EVEN = bin_moments(np.ones(4))


def of(frame: pd.DataFrame, scaling: Scaling | None = None):
    return describe(validate_deals(frame), scaling or empty_scaling(SETTINGS))


def read(table, readings: str) -> tuple[float, float, float]:
    """Readers, reading and hidden variance of the approver."""
    features = of(table(approver_readings=[readings]))
    return features.readers[0, 0], features.reading[0, 0], features.reading_variance[0, 0]


# --- words --------------------------------------------------------------------------------------------------------


def test_a_blank_an_unknown_and_an_absent_word_are_all_the_unknown_state(table):
    blank = of(table(stage=[None], coach=[None], decision_method=[None], approver_coverage=["unknown"]))
    absent = of(pd.DataFrame({"deal_id": ["D0"]}))
    for name, unknown in {"stage": 5, "coach": 3, "method": 3, "coverage": 3}.items():
        assert getattr(blank, name)[0] == getattr(absent, name)[0] == unknown


def test_unknown_is_not_neutral(table):
    features = of(table(approver_support=[None, 2.0]))
    assert features.readers[:, 0].tolist() == [0, 1]
    assert features.reading[0, 0] == features.reading_variance[0, 0] == 0
    assert features.reading[1, 0] == EVEN[0][1]


def test_unknowns_are_counted_over_the_nine_facts(table):
    frame = table(stage=["decision", None], approver_coverage=["engaged", "unknown"], evaluator_support=[1.0, None])
    assert of(frame).unknowns.tolist() == [0, 3]
    assert of(pd.DataFrame({"deal_id": ["D0"]})).unknowns.tolist() == [9]


def test_taking_rows_is_describing_rows(team, scaling):
    rows = np.array([5, 2, 400])
    some = of(team.closed, scaling).take(rows)
    again = of(team.closed.iloc[rows], scaling)
    for name in ("stage", "readers", "reading", "reading_variance", "level", "numeric", "quarter"):
        np.testing.assert_array_equal(getattr(some, name), getattr(again, name))


# --- several people in one role -----------------------------------------------------------------------------------


@pytest.mark.parametrize("influence", [1, 2, 3, 4])
@pytest.mark.parametrize("tier", [1, 2, 3, 4])
def test_one_person_counts_as_the_plain_tier_whatever_the_influence(table, tier, influence):
    plain = of(table(approver_support=[float(tier)]))
    assert read(table, f"{tier}*{influence}") == (1, plain.reading[0, 0], plain.reading_variance[0, 0])


def test_the_readings_speak_for_the_role_not_the_tier_beside_them(table):
    assert read(table, "4*2")[1] == of(table(approver_support=[4.0])).reading[0, 0]


def test_influence_weighs_within_the_role(table):
    towards = [read(table, f"1*{5 - weight} 4*{weight}")[1] for weight in (1, 2, 3, 4)]
    assert towards == sorted(towards)
    assert towards[3] == pytest.approx(0.8 * EVEN[0][3] + 0.2 * EVEN[0][0])


def test_influence_adds_no_support(table):
    assert read(table, "3*1 3*1") == pytest.approx(read(table, "3*4 3*4"))


def test_uneven_influence_is_worth_less_than_two_people_and_more_than_one(table):
    assert read(table, "3*1 3*1")[0] == pytest.approx(2)
    assert 1 < read(table, "3*4 3*1")[0] < read(table, "3*2 3*1")[0] < 2


@given(people=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=6), seed=st.integers(0, 9))
def test_the_order_of_persons_changes_nothing(table, people, seed):
    shuffled = np.random.default_rng(seed).permutation(people)
    one, other = (" ".join(f"{t}*{i}" for t, i in those) for those in (people, shuffled))
    assert read(table, one) == pytest.approx(read(table, other), abs=1e-12)


# --- weights ------------------------------------------------------------------------------------------------------


def test_readings_weigh_alike_and_together_as_much_as_there_are_deals():
    deals = pd.DataFrame({"deal_id": ["A", "B", "A", "A"], "amount": [1.0, 2.0, 3.0, 4.0]})
    np.testing.assert_allclose(deal_weights(deals), [1 / 2] * 4)


def test_reading_the_won_deals_more_often_moves_no_chance_of_a_reading():
    """Won deals stay open thrice as long here: of the readings three in four are of a deal that will be won."""
    ids = np.repeat([f"D{number}" for number in range(40)], [3] * 20 + [1] * 20)
    deals = pd.DataFrame({"deal_id": ids, "amount": np.arange(80.0)})
    won = np.arange(80) < 60
    weight = deal_weights(deals)
    assert weight @ won / weight.sum() == pytest.approx(won.mean())
    assert weight.sum() == pytest.approx(40)


def test_reading_every_deal_twice_changes_no_scaling(team):
    again = team.closed.assign(as_of=team.closed["as_of"].dt.to_period("Q").dt.start_time)
    once = validate_deals(again)
    twice = validate_deals(pd.concat([again, again.assign(as_of=again["as_of"] + pd.Timedelta(days=1))]))
    assert deal_weights(twice).sum() == pytest.approx(deal_weights(once).sum())
    one, other = learn_scaling(once, SETTINGS), learn_scaling(twice, SETTINGS)
    np.testing.assert_allclose(one.tier_counts, other.tier_counts)
    np.testing.assert_allclose(one.quarter_share, other.quarter_share)
    assert one.fields == other.fields
    assert one.numeric[0].mean == pytest.approx(other.numeric[0].mean)
    assert one.numeric[0].sd == pytest.approx(other.numeric[0].sd)


def test_a_record_exported_twice_under_two_ids_counts_once(team):
    copied = validate_deals(pd.concat([team.closed, team.closed.iloc[:7].assign(deal_id=[f"X{i}" for i in range(7)])]))
    weight = deal_weights(copied)
    assert weight.sum() == pytest.approx(600)
    np.testing.assert_allclose(weight[[0, 6, 7, -1]], [0.5, 0.5, 1, 0.5])
    assert deal_weights(copied, copies_count_once=False).sum() == 607


def test_an_unrelated_column_changes_no_weight(team):
    copied = validate_deals(pd.concat([team.closed, team.closed.iloc[:7].assign(deal_id=[f"X{i}" for i in range(7)])]))
    np.testing.assert_array_equal(deal_weights(copied.assign(row=range(607))), deal_weights(copied))


def test_likeness_that_chance_would_bring_is_no_copy():
    few_facts = pd.DataFrame({"deal_id": [f"D{i}" for i in range(60)], "stage": ["decision", "approval"] * 30})
    np.testing.assert_array_equal(deal_weights(few_facts), np.ones(60))


# --- scaling ------------------------------------------------------------------------------------------------------


def test_tiers_are_counted_with_one_more_each(table):
    frame = validate_deals(table(approver_support=[1.0, 4.0, 4.0, None]).assign(amount=[1.0, 2, 3, 4]))
    assert learn_scaling(frame, SETTINGS).tier_counts[0] == pytest.approx((2, 1, 1, 3))


def test_a_blank_seller_is_a_level_of_its_own(table):
    frame = validate_deals(table(seller=["S1", None, "", "S2"], amount=[1.0, 2, 3, 4]))
    scaling = learn_scaling(frame, SETTINGS)
    sellers = next(field for field in scaling.fields if field.name == "seller")
    assert sellers.levels == ("", "S1", "S2")
    at = scaling.fields.index(sellers)
    codes = describe(frame, scaling).level[:, at]
    assert codes[1] == codes[2]
    assert len(set(codes.tolist())) == 3


def test_a_level_is_the_same_however_pandas_types_its_column(table):
    """One blank turns a column of whole numbers into floats; the levels stay 1 and 2."""
    frame = table(Team=[1, 2])
    frame.attrs["covariates"] = {"varying": ["Team"], "numeric": []}
    scaling = learn_scaling(validate_deals(frame), SETTINGS)
    assert scaling.fields[0].levels == ("1", "2")
    for typed in ([1.0, 2.0, None], ["1", "2", " "], pd.Categorical(["1", "2", None])):
        assert of(table(Team=typed), scaling).level[:2, 0].tolist() == [0, 1]
        assert (0, "") in of(table(Team=typed), scaling).unseen


def test_a_level_never_seen_is_named_once_and_lies_after_the_known(scaling, table):
    features = of(table(seller=["new", "S02", "new", "newer"]), scaling)
    at = [field.name for field in scaling.fields].index("seller")
    known = sum(len(field.levels) for field in scaling.fields)
    codes = features.level[:, at]
    assert codes[0] == codes[2] >= known > codes[1]
    assert codes[3] >= known
    assert codes[3] != codes[0]
    assert {(at, "new"), (at, "newer")} <= set(features.unseen)


def test_a_number_has_the_bin_of_its_value_and_a_blank_the_last(team, scaling, table):
    column = scaling.numeric[0]
    features = of(table(amount=[3e6, None, 0.0, 1e15]), scaling)
    edges = column.bins.edges
    assert features.bin[:, 0].tolist() == [int(np.searchsorted(edges, np.log1p(3e6))), len(edges) + 1, 0, len(edges)]
    known = of(team.closed, scaling).bin[:, 0]
    assert np.bincount(known, minlength=len(edges) + 1).min() >= 10


def test_a_model_of_a_former_version_has_standardised_numbers_and_a_flag_of_blanks(team, scaling, table):
    log = np.log1p(team.closed["amount"])
    column = scaling.numeric[0]
    older = replace(scaling, numeric=(replace(column, bins=None),))
    features = of(table(amount=[3e6, None]), older)
    assert features.numeric[0] == pytest.approx([(np.log1p(3e6) - log.mean()) / log.std(ddof=0), 0], rel=1e-5)
    assert features.numeric[1].tolist() == [0, 1]


def test_a_constant_number_is_harmless(table):
    frame = validate_deals(table(amount=[5.0] * 6, seller=["A", "B"] * 3))
    scaling = learn_scaling(frame, SETTINGS)
    assert len(set(describe(frame, scaling).bin[:, 0].tolist())) == 1
    assert np.isfinite(scaling.layout.curves.basis).all()


def test_a_column_that_is_absent_or_blank_is_not_learned_from(table):
    frame = validate_deals(table(region=[None, None], amount=[None, None]).drop(columns="segment"))
    scaling = learn_scaling(frame, SETTINGS)
    assert [field.name for field in scaling.fields] == ["seller"]
    assert scaling.numeric == ()


def test_covariates_of_a_mapping_come_first_and_none_twice(table):
    frame = table(Age=[1.0, 2.0] * 3, Team=["x", "y"] * 3)
    frame.attrs["covariates"] = {
        "varying": ["Team", "seller"],
        "numeric": [{"column": "Age", "transform": "identity"}, {"column": "amount", "transform": "identity"}],
    }
    scaling = learn_scaling(validate_deals(frame), SETTINGS)
    assert [field.name for field in scaling.fields] == ["Team", "seller", "segment"]
    assert [(column.name, column.transform) for column in scaling.numeric] == [
        ("Age", "identity"),
        ("amount", "identity"),
    ]


@pytest.mark.parametrize(("start", "wanted"), [(1, [0, 0, 1, 3]), (2, [0, 1, 1, 4]), (4, [0, 0, 1, 3])])
def test_quarters_follow_the_fiscal_calendar(table, start, wanted):
    days = ["2025-01-31", "2025-02-01", "2025-04-30", "2025-12-31"]
    settings = Settings(calendar=CalendarSettings(fiscal_year_start_month=start))
    frame = validate_deals(table(as_of=days))
    assert describe(frame, learn_scaling(frame, settings)).quarter.tolist() == wanted


def test_without_a_date_there_is_no_quarter_and_the_opening_stands_in_for_the_reading(table):
    frame = validate_deals(table(as_of=["2025-01-01", None, None], opened_on=[None, "2025-07-01", None]))
    assert describe(frame, learn_scaling(frame, SETTINGS)).quarter.tolist() == [0, 2, NO_DATE]


def test_a_reading_older_than_training_is_taken_at_the_start(scaling, table):
    assert of(table(as_of=["1999-01-01"]), scaling).quarter[0] == 0


def test_scaling_survives_json(scaling):
    plain = json.loads(json.dumps(scaling.to_dict()))
    assert replace(Scaling.from_dict(plain), pairs=scaling.pairs) == scaling


def test_scaling_holds_no_deal(team, scaling):
    text = json.dumps(scaling.to_dict())
    assert not any(deal in text for deal in team.closed["deal_id"])
    assert not any(account in text for account in team.closed["account"])


@pytest.mark.parametrize("role", ROLES)
def test_every_role_reads_its_own_columns(table, role):
    before, after = of(table()), of(table(**{f"{role}_readings": ["1*1 1*2"]}))
    changed = (before.readers != after.readers)[0]
    assert changed.tolist() == [name == role for name in ROLES]


# --- combinations -------------------------------------------------------------------------------------------------


def test_combinations_reproduce_the_kernel_of_all_products_of_two_levels():
    """Oracle: with every direction kept, inner products are those of all products of centred indicators."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"deal_id": [f"D{i}" for i in range(80)]} | {c: rng.choice([*"abc"], 80) for c in "XYZ"})
    frame.attrs["covariates"] = {"varying": [*"XYZ"], "numeric": []}
    settings = Settings(covariates=CovariateSettings(pair_components=500))
    scaling = learn_scaling(validate_deals(frame), settings)
    pairs = describe(validate_deals(frame), scaling).pairs.astype(float)
    shown = {c: np.stack([frame[c] == v for v in "abc"], axis=1).astype(float) for c in "XYZ"}
    centred = {c: values - values.mean(axis=0) for c, values in shown.items()}
    products = [centred[a][:, i] * centred[b][:, j] for a, b in ("XY", "XZ", "YZ") for i in range(3) for j in range(3)]
    wanted = np.stack(products, axis=1)
    np.testing.assert_allclose(pairs @ pairs.T, wanted @ wanted.T, atol=1e-4)


def test_a_level_never_seen_takes_part_in_no_combination():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"deal_id": [f"D{i}" for i in range(80)]} | {c: rng.choice([*"abc"], 80) for c in "XY"})
    frame.attrs["covariates"] = {"varying": ["X", "Y"], "numeric": []}
    scaling = learn_scaling(validate_deals(frame), Settings())
    assert (of(frame.head(1).assign(X="new"), scaling).pairs == 0).all()
    assert (of(frame.head(1), scaling).pairs != 0).any()


def test_a_number_of_fewer_than_five_deals_is_not_learned_from(table):
    frame = validate_deals(table(amount=[1.0, 2.0, 3.0, 4.0, None]))
    assert learn_scaling(frame, SETTINGS).numeric == ()


def test_a_pseudonymous_scaling_holds_no_name_and_describes_deals_alike(table):
    frame = validate_deals(table(seller=["Ann", "王伟", None] * 4, account=["Acme"] * 12))
    settings = Settings(covariates=CovariateSettings(varying=("seller", "account")))
    plain, hidden = learn_scaling(frame, settings), learn_scaling(frame, settings, salt="00ff")
    assert not any(name in str(hidden) for name in ("Ann", "王伟", "Acme"))
    assert "Ann" in str(plain)
    same, other = (describe(frame, scaling) for scaling in (plain, hidden))
    assert same.unseen == other.unseen == ()
    assert len(set(zip(same.level[:, 0], other.level[:, 0], strict=True))) == 3
    assert learn_scaling(frame, settings, salt="00ff").fields == hidden.fields
    assert learn_scaling(frame, settings, salt="00fe").fields != hidden.fields


@pytest.mark.parametrize("transform", ["identity", "log1p"])
def test_the_transform_is_the_one_asked_for(table, transform):
    covariates = CovariateSettings(numeric=(NumericCovariate(column="amount", transform=transform),))
    frame = validate_deals(table(amount=[1.0, 10.0, 100.0, 20.0, 200.0]))
    values = {"identity": frame["amount"], "log1p": np.log1p(frame["amount"])}[transform]
    (column,) = learn_scaling(frame, Settings(covariates=covariates)).numeric
    assert (column.mean, column.sd) == pytest.approx((values.mean(), values.std(ddof=0)))
    assert all(values.min() <= edge < values.max() for edge in column.bins.edges)


# --- elapsed days -------------------------------------------------------------------------------------------------


def test_elapsed_days_are_told_by_dates_where_a_table_has_no_such_column():
    deals = pd.DataFrame(
        {
            "deal_id": ["A", "B", "C"],
            "as_of": pd.to_datetime(["2026-03-01", "2026-03-01", None]),
            "opened_on": pd.to_datetime(["2026-01-30", "2010-01-01", "2026-01-01"]),
            "expected_close_on": pd.to_datetime(["2026-02-20", "2999-01-01", "2026-05-01"]),
        }
    )
    np.testing.assert_array_equal(transformed(deals, "age", "identity"), [30, 1095, np.nan])
    np.testing.assert_array_equal(transformed(deals, "days_to_expected_close", "identity"), [-9, 730, np.nan])
    np.testing.assert_array_equal(transformed(deals.assign(age=[1.0, 2.0, 3.0]), "age", "identity"), [1, 2, 3])
    assert np.isnan(transformed(deals[["deal_id"]], "age", "identity")).all()
