"""A plan of visits, from deals, executives and a model: what it promises, what it refuses, and in which words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import winprob
from winprob.actions.visits import allocate, plan_visits
from winprob.actions.visits.executives import roster_from
from winprob.actions.visits.sentences import plan_sentences
from winprob.actions.visits.success import instrument_of
from winprob.data.schema import validate_deals
from winprob.errors import PlanError
from winprob.i18n import use_language
from winprob.methodology.vocabulary import ROLES
from winprob.model.features import describe
from winprob.model.win.lifts import lifts, steps_up
from winprob.model.win.terms import coefficients
from winprob.settings import VisitSettings

ROOT = Path(__file__).parents[2]
COLUMNS = ["executive", "deal_id", "role", "expected_gain", "lower", "upper", "prob_in_best"]
FAST = {"settings": VisitSettings(scenarios=30), "time_limit": 300.0}


def people(*entries, **rules):
    return {"executives": [{"slots": 2, "roles": list(ROLES), **entry} for entry in entries], **rules}


LI, WANG = {"name": "Li"}, {"name": "Wang", "roles": ["approver"], "slots": 1}


# --- the frame ----------------------------------------------------------------------------------------------------


def test_the_columns_are_the_published_ones_and_the_index_is_the_deals(posterior, team):
    deals = team.open.set_index(pd.Index([f"row {i}" for i in range(len(team.open))], name="key"))
    before = deals.copy(deep=True)
    got = winprob.allocate(posterior, deals, people(LI, WANG), **FAST)
    assert got.columns.tolist() == COLUMNS
    assert (deals.loc[got.index, "deal_id"] == got["deal_id"]).all()
    assert got["executive"].tolist() == ["Li", "Li", "Wang"]
    assert (got["lower"] <= got["expected_gain"]).all()
    assert (got["expected_gain"] <= got["upper"]).all()
    assert got["prob_in_best"].between(0, 1).all()
    pd.testing.assert_frame_equal(deals, before)


def test_a_seed_decides_the_plan(posterior, team):
    one, again = (allocate(posterior, team.open, people(LI), seed=4, **FAST) for _ in range(2))
    pd.testing.assert_frame_equal(one, again)


def test_the_order_of_the_deals_changes_nothing(posterior, team):
    one = allocate(posterior, team.open, people(LI), **FAST)
    other = allocate(posterior, team.open.iloc[::-1], people(LI), **FAST)
    pd.testing.assert_frame_equal(one.reset_index(drop=True), other.reset_index(drop=True), rtol=1e-4)


# --- what a plan is worth -----------------------------------------------------------------------------------------


def test_two_deals_in_closed_form(posterior, table):
    """One slot: the visit goes where chance x lift x amount is largest; the gain is that product's mean."""
    deals = table(amount=[1e6, 3e6], currency=["CNY", "CNY"])
    strong = VisitSettings(prior_sample_size=1e9, scenarios=20)
    plan = plan_visits(posterior, deals, people({"name": "Li", "slots": 1}), settings=strong)
    valid = validate_deals(deals)
    features = describe(valid, posterior.scaling)
    by = coefficients(posterior.flat, features, seed=posterior.provenance.seed)
    steps = steps_up(features, posterior.scaling, posterior.flat["unknown_support"].mean(axis=0))
    found = lifts(by, features, steps)
    before, after = (1 / (1 + np.exp(-x)) for x in (found.log_odds, found.log_odds + found.log_odds_lift))
    # Coverage is known of the approver only; of the others it is blank.
    chance = np.array([strong.approver[2], *(getattr(strong, role)[4] for role in ROLES[1:])])
    worth = (after - before).mean(axis=2) * chance[:, None] * np.array([1e6, 3e6])
    role, deal = np.unravel_index(worth.argmax(), worth.shape)
    row = plan.visits.iloc[0]
    assert (row["deal_id"], row["role"]) == (f"D{deal}", ROLES[role])
    assert row["expected_gain"] == pytest.approx(worth.max(), rel=1e-3)
    assert plan.gain.mean == pytest.approx(worth.max(), rel=1e-3)
    assert plan.unit == "CNY"


def test_the_rows_gains_add_up_to_the_plans(posterior, team):
    plan = plan_visits(posterior, team.open, people({"name": "Li", "slots": 12}), **FAST)
    assert plan.visits["deal_id"].duplicated().any(), "no joint visits: the test shows nothing"
    assert plan.visits["expected_gain"].sum() == pytest.approx(plan.gain.mean, rel=1e-6)


def test_what_is_known_of_a_plan_hangs_together(posterior, team):
    plan = plan_visits(posterior, team.open, people(LI, WANG, {"name": "Zhao", "regions": ["north"]}), **FAST)
    assert plan.regret >= 0
    assert plan.gap == 0
    assert plan.draws == 30
    assert (plan.common_sense["difference"] >= -1e-6 * plan.gain.mean).all()
    total = plan.common_sense["expected_gain"] + plan.common_sense["difference"]
    np.testing.assert_allclose(total, plan.gain.mean)
    assert (plan.one_more_slot["expected_gain"] >= 0).all()
    more = people(LI, {**WANG, "slots": 2}, {"name": "Zhao", "regions": ["north"]})
    gained = plan_visits(posterior, team.open, more, **FAST).gain.mean - plan.gain.mean
    assert plan.one_more_slot["expected_gain"][1] == pytest.approx(gained, rel=1e-3, abs=1.0)


def test_a_choice_that_is_best_in_every_draw_is_sure(posterior, table):
    deals = table(amount=[1e4, 9e9, 1e4], seller=["S02"] * 3)
    got = allocate(posterior, deals, people({"name": "Li", "slots": 1, "roles": ["approver"]}), **FAST)
    assert got["deal_id"].tolist() == ["D1"]
    assert got["prob_in_best"].tolist() == [1.0]


def test_a_careful_plan_gives_up_some_mean_for_the_worst_draws(posterior, team):
    careful = plan_visits(posterior, team.open, people(LI), risk=0.9, **FAST)
    bold = plan_visits(posterior, team.open, people(LI), **FAST)
    assert careful.gain.mean <= bold.gain.mean * (1 + 1e-9)
    assert bold.tail_gain is None
    assert careful.tail_gain < careful.gain.mean
    assert "in the worst draws" in " ".join(plan_sentences(careful))


def test_past_visits_move_the_plan(posterior, table):
    """Where visits to approvers never helped, the executive goes to the decision maker."""
    deals = table(decision_maker_support=[3.0], approver_support=[3.0])
    failed = pd.DataFrame(
        {
            "deal_id": "X",
            "role": "approver",
            "executive": "Li",
            "date": "2026-01-01",
            "tier_before": 2,
            "tier_after": 2,
        },
        index=range(500),
    )
    who = people({"name": "Li", "slots": 1, "roles": ["approver", "decision_maker"]})
    assert allocate(posterior, deals, who, visits=failed, **FAST)["role"].tolist() == ["decision_maker"]
    helped = failed.assign(tier_after=3)
    assert allocate(posterior, deals, who, visits=helped, **FAST)["role"].tolist() == ["approver"]


def test_blank_coverage_is_a_state_of_its_own(posterior, table):
    settings = VisitSettings(evaluator=(0.01, 0.01, 0.01, 0.01, 0.99), scenarios=20)
    deals = table(evaluator_coverage=["engaged", None], amount=[2e6, 2e6])
    who = people({"name": "Li", "slots": 1, "roles": ["evaluator"]})
    assert allocate(posterior, deals, who, settings=settings)["deal_id"].tolist() == ["D1"]


# --- which deals --------------------------------------------------------------------------------------------------


def test_closed_deals_and_deals_without_amount_are_left_out_and_named(posterior, table):
    deals = table(amount=[1e6, None, 2e6], outcome=["open", None, "lost"])
    plan = plan_visits(posterior, deals, people(LI), **FAST)
    assert set(plan.visits["deal_id"]) == {"D0"}
    assert plan.notes == (
        "Left out, closed already: 1 deals (D2).",
        "Left out, without an amount: 1 deals (D1).",
    )
    by_wins = plan_visits(posterior, deals, people(LI), goal="wins", **FAST)
    assert set(by_wins.visits["deal_id"]) <= {"D0", "D1"}
    assert by_wins.unit is None
    assert "wins more in expectation" in plan_sentences(by_wins)[0]


def test_the_last_reading_of_a_deal_counts(posterior, table):
    deals = table(approver_support=[1.0, 4.0], as_of=["2026-05-04", "2026-06-04"]).assign(deal_id="D")
    who = people({"name": "Li", "roles": ["approver"]})
    plan = plan_visits(posterior, deals, who, **FAST)
    assert plan.visits.empty
    assert any("Li has no deal to go to: in the deals within reach, the roles" in note for note in plan.notes)


def test_several_currencies_are_refused(posterior, table):
    with pytest.raises(PlanError, match=r"several currencies \(deals: CNY: 2, USD: 1\)"):
        allocate(posterior, table(currency=["CNY", "USD", "CNY"]), people(LI))
    assert len(allocate(posterior, table(currency=["CNY", "USD", "CNY"]), people(LI), goal="wins", **FAST)) == 2


def test_a_missing_currency_beside_others_is_left_out(posterior, table):
    plan = plan_visits(posterior, table(currency=["CNY", None]), people(LI), **FAST)
    assert plan.notes == ("Left out, with an amount and no currency: 1 deals (D1).",)


def test_no_deal_to_plan_for_is_said(posterior, table):
    with pytest.raises(PlanError, match=r"no deal to plan for: none of 2 rows is left\. Left out, closed already: 2"):
        allocate(posterior, table(outcome=["won", "lost"]), people(LI))


# --- rules --------------------------------------------------------------------------------------------------------


def test_limits_hold(posterior, team):
    who = people(
        {"name": "N", "slots": 9, "regions": ["north"], "segments": ["finance", "energy"]},
        {"name": "L", "slots": 9, "level": 1},
        {"name": "X", "slots": 30, "exclude": {"deals": team.open["deal_id"][:20].tolist()}},
    )
    got = allocate(posterior, team.open, who, **FAST).merge(team.open, on="deal_id")
    assert set(got[got["executive"] == "N"]["region"]) == {"north"}
    assert set(got[got["executive"] == "N"]["segment"]) <= {"finance", "energy"}
    assert set(got[got["executive"] == "L"]["role"]) <= {"evaluator", "influencer", "procurement"}
    assert not set(got[got["executive"] == "X"]["deal_id"]) & set(team.open["deal_id"][:20])
    assert (got.groupby("deal_id").size() <= 2).all()


@pytest.mark.parametrize("slots", [1, 3])
def test_one_executive_an_account(posterior, team, slots):
    deals = team.open.assign(account=[f"A{at % 7}" for at in range(len(team.open))])
    who = people(*({"name": f"E{at}", "slots": slots} for at in range(5)), one_executive_per_account=True)
    # Five alike executives: proving the best plan best would take the search a minute.
    got = allocate(posterior, deals, who, **{**FAST, "time_limit": 2.0}).merge(deals, on="deal_id")
    assert not got.drop_duplicates(["account", "executive"])["account"].duplicated().any()
    assert (got.groupby("executive").size() <= slots).all()
    assert len(got) >= 5


def test_fixed_visits_are_in_the_plan(posterior, team):
    deal = team.open["deal_id"].iloc[7]
    who = people({"name": "Li", "fixed": [{"deal_id": deal, "role": "procurement"}]}, {"name": "Wang"})
    got = allocate(posterior, team.open, who, **FAST)
    assert ((got["executive"] == "Li") & (got["deal_id"] == deal) & (got["role"] == "procurement")).sum() == 1
    assert len(got) == 4


def test_all_conflicts_are_told_at_once_with_what_to_relax(posterior, table):
    deals = table(account=["A", "A"], region=["north", "south"], outcome=["open", "open"])
    fixed = [{"deal_id": "D0", "role": "approver"}, {"deal_id": "D1", "role": "evaluator"}]
    who = people(
        {"name": "Li", "slots": 1, "fixed": fixed, "regions": ["south"], "roles": ["approver"]},
        {"name": "Wang", "fixed": [fixed[0], {"deal_id": "D9", "role": "approver"}]},
        one_executive_per_account=True,
    )
    with pytest.raises(PlanError) as raised:
        allocate(posterior, deals, who)
    for part in (
        "'Li' has 1 slots and 2 fixed visits: raise slots to 2, or drop fixed visits",
        "regions leaves 'north' out; add it there, or drop the visit",
        "roles (or level) let this executive meet approver only",
        "2 executives are fixed to visit Approver of 'D0': keep one of them",
        "account 'A' has fixed visits by Li, Wang, and one_executive_per_account is true: turn the rule off",
        "deal_id 'D9' is not in the deal table; accepted: D0, D1",
    ):
        assert part in str(raised.value)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"accounts": ["Acmee"]}, "account 'Acmee' is not in the deal table; did you mean 'Acme'"),
        ({"exclude": {"deals": ["X"]}}, "exclude.deals: deal_id 'X' is not in the deal table"),
        ({"slots": 3, "fixed": [{"deal_id": "D0", "role": r} for r in ROLES[:3]]}, "3 visits are fixed in 'D0'"),
        ({"fixed": [{"deal_id": "D1", "role": "approver"}]}, "the deal is closed or left out of the plan"),
        (
            {"fixed": [{"deal_id": "D0", "role": "approver"}], "exclude": {"accounts": ["Acme"]}},
            "is under exclude; take it out there",
        ),
    ],
)
def test_a_name_that_is_not_there_and_a_rule_that_cannot_hold_are_said(posterior, table, entry, words):
    deals = table(account=["Acme", "Acme"], outcome=["open", "won"])
    with pytest.raises(PlanError, match=words):
        allocate(posterior, deals, people({"name": "Li", **entry}))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"regions": ["Nroth"]}, ["region 'Nroth' is not in the deal table", "within the limits (regions"]),
        ({"roles": ["approver"], "level": 1}, ["roles and level leave no role to meet"]),
    ],
)
def test_an_executive_without_a_deal_is_said(posterior, table, entry, words):
    plan = plan_visits(posterior, table(region=["north"]), people({"name": "Li", **entry}, {"name": "Wang"}), **FAST)
    notes = " ".join(plan.notes)
    assert all(part in notes for part in [*words, "Li has no deal to go to"])
    assert set(plan.visits["executive"]) == {"Wang"}


@pytest.mark.parametrize("wrong", [{"risk": 0.0}, {"risk": 1.0}, {"time_limit": 0.0}, {"goal": "fame"}])
def test_a_wrong_wish_is_refused(posterior, table, wrong):
    with pytest.raises(PlanError, match=r"risk is|time limit is|'fame' is not one of"):
        allocate(posterior, table(), people(LI), **wrong)


def test_a_roster_and_a_file_are_accepted_alike(posterior, table, tmp_path):
    path = tmp_path / "e.toml"
    path.write_text('[[executives]]\nname = "Li"\nslots = 1\n')
    by_file = allocate(posterior, table(), path, **FAST)
    by_record = allocate(posterior, table(), roster_from({"executives": [{"name": "Li", "slots": 1}]}), **FAST)
    pd.testing.assert_frame_equal(by_file, by_record)


# --- words --------------------------------------------------------------------------------------------------------


def test_the_words_say_what_the_record_holds(posterior, team):
    plan = plan_visits(posterior, team.open, people(LI, {"name": "Idle", "slots": 300, "regions": ["north"]}), **FAST)
    sentences = plan_sentences(plan)
    assert f"{plan.gain.mean:,.0f} CNY more in expectation" in sentences[0]
    assert any(line.startswith("Largest amounts first: ") for line in sentences)
    assert any("slots stay free" in line for line in sentences)
    assert any("no past visit was counted" in line for line in sentences)
    assert not any("effect" in line for line in sentences)
    with use_language("zh"):
        assert "预期增加" in plan_sentences(plan)[0]


def test_effort_that_runs_out_is_reported(posterior, team, monkeypatch):
    for room in ("assessment", "planning"):
        monkeypatch.setattr(f"winprob.actions.visits.{room}.FURTHER", 0.0)
    plan = plan_visits(posterior, team.open, people(LI, WANG), **FAST)
    assert plan.draws == 0
    assert np.isnan(plan.regret)
    assert plan.visits["prob_in_best"].isna().all()
    sentences = " ".join(plan_sentences(plan))
    assert "The effort was spent before any draw's own best plan" in sentences
    assert "The effort was spent before the gain of one slot more" in sentences


def test_the_sample_is_planned(posterior):
    deals = winprob.read_deals(ROOT / "data/open.csv", people=ROOT / "data/people.csv")
    visits = winprob.read_visits(ROOT / "data/visits.csv")
    plan = plan_visits(posterior, deals, ROOT / "data/executives.toml", visits=visits, **FAST)
    assert plan.visits_learned_from == 29
    assert len(plan.visits) == 10
    assert ((plan.visits["deal_id"] == "D00303") & (plan.visits["role"] == "approver")).any()


def test_a_null_log_is_said_and_lowers_every_gain(posterior, team):
    """Readings rise by themselves where visits go to low tiers: counted as successes they were a chance of .4."""
    rng, instrument, visits = np.random.default_rng(8), instrument_of(posterior), 800
    role, support, reliability = np.arange(4000) % len(ROLES), rng.normal(size=4000), instrument.reliability[-1]

    def read():
        noise = np.sqrt(1 - reliability**2) * rng.normal(size=4000)
        return 1 + ((reliability * support + noise)[:, None] > instrument.cuts[role]).sum(axis=1)

    before, after = read(), read()
    chosen = np.argsort(before * rng.random(4000), kind="stable")[:visits]
    past = pd.DataFrame(
        {
            "deal_id": [f"X{at}" for at in range(visits)],
            "role": np.array(ROLES)[role[chosen]],
            "executive": "Li",
            "date": "2026-01-01",
            "tier_before": before[chosen],
            "tier_after": after[chosen],
        }
    )
    assert (past["tier_after"] > past["tier_before"]).mean() > 0.3
    plan = plan_visits(posterior, team.open, people(LI), visits=past, **FAST)
    assert plan.effect.mean <= 0.10
    assert plan.gain.mean < 0.6 * plan_visits(posterior, team.open, people(LI), **FAST).gain.mean
    sentences = " ".join(plan_sentences(plan))
    assert "Over 800 past visits, visits have shown no effect so far" in sentences
    assert "No readings of roles that were not visited" in sentences
    with use_language("zh"):
        assert "拜访迄今没有显示出效果" in " ".join(plan_sentences(plan))
    raised = plan_visits(posterior, team.open, people(LI), visits=past.assign(tier_after=4), **FAST)
    assert "visits have raised true support by +" in " ".join(plan_sentences(raised))
    few = plan_visits(posterior, team.open, people(LI), visits=past[:3], **FAST)
    assert "have shown no effect so far, and they are too few to show one" in " ".join(plan_sentences(few))


def test_roles_that_were_not_visited_are_compared_with(posterior, team):
    again = team.open.assign(as_of=team.open["as_of"] + pd.Timedelta(days=30))
    history = pd.concat([team.open, again])
    day = history["as_of"].min()
    past = pd.DataFrame(
        {"deal_id": "X", "role": "approver", "executive": "Li", "date": day, "tier_before": 2, "tier_after": [2, 3]}
    )
    later = past.assign(date=history["as_of"].max())
    past = pd.concat([past, later])
    plan = plan_visits(posterior, team.open, people(LI), visits=past, readings=history, **FAST)
    assert plan.compared_roles > 20
    assert any(f"compared with {plan.compared_roles} roles" in line for line in plan_sentences(plan))
