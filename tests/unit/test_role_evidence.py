"""A role's weight counts as learned only where the training deals have readings of the role."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from winprob import Posterior, rank_roles
from winprob.actions.levers import deal_sentences, table_sentences
from winprob.methodology import ROLES
from winprob.model.inference.fitting import _provenance
from winprob.model.inference.gates import Gates
from winprob.model.inference.training_data import read_training
from winprob.model.role_evidence import population_grades, role_readings, weight_grades, weight_prior_share
from winprob.model.summary import posterior_sentences
from winprob.report.card import render_card
from winprob.report.charts import draw_role_weights
from winprob.settings import Settings

WEIGHTS = ("role_weight", "role_weight_population")
GATES = {"r_hat": 1.0, "bulk_ess": 400.0, "tail_ess": 400.0, "divergent_share": 0.0, "bfmi": 1.0}


def narrowed(posterior: Posterior, **readings: int) -> Posterior:
    """Every weight far narrower than its prior, with so many readings of each role."""
    draws = {name: posterior.draws[name] ** np.float32(0.1) for name in WEIGHTS}
    counted = {f"{role}_support": readings.get(role, 200) for role in ROLES}
    source = replace(posterior.provenance, readings=counted, gates=GATES)
    return replace(posterior, draws={**posterior.draws, **draws}, provenance=source)


def with_draws(posterior: Posterior, *, prior: dict[str, np.ndarray], learned: dict[str, np.ndarray]) -> Posterior:
    """Draws of the population's weights and the effect scale by hand, with enough readings of each role."""
    chained = {name: values[None] for name, values in learned.items()}
    return replace(narrowed(posterior), draws={**posterior.draws, **chained}, prior={**posterior.prior, **prior})


def log_normal(sds: list[float], seed: int, draws: int = 40_000) -> np.ndarray:
    """(draw, role) weights whose logs are normal with these sds."""
    return np.exp(np.random.default_rng(seed).normal(0, 1, (draws, len(sds))) * sds - 1)


SDS = [0.1, 0.4, 0.6, 0.9, 1.2]


def test_what_remains_is_the_ratio_of_variances_of_normal_log_weights(posterior):
    """Oracle: widths of a normal's intervals are proportional to its sd."""
    one = np.ones(40_000)
    model = with_draws(
        posterior,
        prior={"role_weight_population": log_normal([1.0] * 5, 1), "effect_scale": one},
        learned={"role_weight_population": log_normal(SDS, 2), "effect_scale": one},
    )
    got = weight_prior_share(model, "role_weight_population")
    assert got == pytest.approx(np.minimum(np.square(SDS), 1), abs=0.03)
    assert population_grades(model).tolist() == ["learned"] * 3 + ["mostly_prior"] * 2


def test_a_learned_effect_scale_alone_teaches_no_weight(posterior):
    """Every weight is narrower than its prior by the effect scale only: by variance a tenth of the prior remained."""
    prior_scale, scale = (log_normal([sd], seed)[:, 0] for sd, seed in ((1.5, 3), (0.1, 4)))
    prior, own = log_normal([1.0] * 5, 5), log_normal([1.0] * 5, 6)
    model = with_draws(
        posterior,
        prior={"role_weight_population": prior * prior_scale[:, None], "effect_scale": prior_scale},
        learned={"role_weight_population": own * scale[:, None], "effect_scale": scale},
    )
    variances = [draws["role_weight_population"].var(axis=0) for draws in (model.flat, model.prior)]
    assert (variances[0] < 0.1 * variances[1]).all()
    assert weight_prior_share(model, "role_weight_population") == pytest.approx(np.ones(5), abs=0.03)
    assert set(population_grades(model)) == {"mostly_prior"}


def test_weights_of_exactly_zero_are_not_learned(posterior):
    weight = log_normal([0.1] * 5, 7)
    weight[::3, 0] = 0
    model = with_draws(
        posterior,
        prior={"role_weight_population": log_normal([1.0] * 5, 8), "effect_scale": np.ones(40_000)},
        learned={"role_weight_population": weight, "effect_scale": np.ones(40_000)},
    )
    assert weight_prior_share(model, "role_weight_population")[0] == 1
    assert population_grades(model).tolist() == ["mostly_prior"] + ["learned"] * 4


def test_without_deals_all_of_the_prior_remains(believed):
    for name in WEIGHTS:
        assert (weight_prior_share(believed, name) == 1).all()


def test_the_chart_fills_the_dots_of_learned_weights_only(posterior):
    """One threshold and one measure: ten readings and half of the prior's doubt, as in the verdict."""
    few = draw_role_weights(narrowed(posterior, **dict.fromkeys(ROLES, 3))).svg
    learned = draw_role_weights(narrowed(posterior)).svg
    assert few != learned
    assert learned == draw_role_weights(narrowed(posterior, **dict.fromkeys(ROLES, 10))).svg


def test_a_narrow_weight_without_a_reading_was_not_learned(posterior):
    model = narrowed(posterior, approver=0, coach=0, procurement=3)
    assert population_grades(model).tolist() == ["not_in_deals", "learned", "learned", "learned", "mostly_prior"]
    assert set(weight_grades(model)[0]) == {"not_in_deals"}
    assert set(weight_grades(model)[1]) == {"learned"}


def test_the_verdict_names_the_roles_that_are_not_in_the_deals(posterior):
    verdict = posterior_sentences(narrowed(posterior, approver=0, procurement=0))
    assert "Not in your deals, all prior: the weight of Approver, Procurement executor." in verdict
    assert not any("Every role's weight" in line for line in verdict)


def test_without_any_reading_nothing_of_roles_is_called_learned(posterior, team):
    model = narrowed(posterior, **dict.fromkeys(ROLES, 0))
    expected = "The training deals hold no reading of any role's support: the roles' weights are all prior."
    assert expected in posterior_sentences(model)
    levers = rank_roles(model, team.open.head(3), evidence=True)
    assert set(levers["evidence"].dropna()) == {"not_in_deals"}
    said = " ".join([*table_sentences(levers), *deal_sentences(levers.head(5))])
    assert "all prior" in said
    assert "learned from your deals" not in said
    assert "not in your deals" in render_card(model)


def test_with_readings_of_every_role_all_is_learned(posterior):
    assert "Every role's weight was learned from the deals, none is mostly prior." in posterior_sentences(
        narrowed(posterior)
    )


def test_an_older_file_counts_by_its_tiers(posterior):
    silent = replace(posterior.scaling, tier_counts=((1.0, 1.0, 1.0, 1.0), *posterior.scaling.tier_counts[1:]))
    model = replace(narrowed(posterior), scaling=silent)
    older = replace(model, provenance=replace(model.provenance, readings=None, closed=None))
    assert role_readings(older)[0] == 0
    assert (role_readings(older)[1:] > 100).all()
    assert population_grades(older)[0] == "not_in_deals"


def test_readings_are_counted_by_column_and_kept_in_the_file(team, posterior, tmp_path):
    deals = team.closed.head(60).assign(approver_support=np.nan)
    training = read_training(deals, Settings())
    gates = Gates(**GATES, worst="intercept")
    source = _provenance(training, deals, 1, gates)
    assert source.readings is not None
    assert source.readings["approver_support"] == 0
    assert source.readings["evaluator_support"] == deals["evaluator_support"].notna().sum()
    assert source.readings["stage"] == deals["stage"].notna().sum()
    replace(posterior, provenance=source).save(tmp_path / "m.nc")
    assert Posterior.load(tmp_path / "m.nc").provenance == source


def test_training_reports_the_deals_it_used_of_those_closed(team, posterior):
    deals = team.closed.head(60)
    used = read_training(deals.head(40), Settings())
    source = replace(posterior.provenance, closed=60, deals=40, counted=used.counted, won=18.0, gates=GATES)
    assert posterior_sentences(replace(posterior, provenance=source))[0].startswith("Learned from 40 of 60 closed")
    whole = replace(source, closed=40)
    assert posterior_sentences(replace(posterior, provenance=whole))[0].startswith("Learned from all 40 closed")


def test_open_deals_do_not_change_the_number_of_closed_ones(team):
    """The weights of closed and open rows add up to all deals; the number of closed deals is counted by id."""
    closed, still_open = team.closed.head(60), team.open.head(20)
    import pandas as pd

    twice = closed.head(30).assign(as_of=closed.head(30)["as_of"] - pd.Timedelta(days=40))
    deals = pd.concat([closed, twice, still_open], ignore_index=True)
    training = read_training(deals, Settings(), waiting_odds=np.where(deals["outcome"] == "open", 0.5, 1.0))
    assert training.waiting is not None
    assert training.weight.sum() != pytest.approx(60, abs=0.5)
    assert training.counted == pytest.approx(60)
