"""The PyMC graph: its gradient, and its agreement with NumPy and with what is sampled. Python linker: seconds."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from scipy.special import expit
from scipy.stats import beta, halfnorm, kstest, norm

from winprob.data.schema import ELAPSED, validate_deals
from winprob.errors import NotConvergedError
from winprob.model import inference
from winprob.model.features import Features, Layout, describe, learn_scaling
from winprob.model.inference import fit
from winprob.model.inference.gates import measure_gates
from winprob.model.inference.native import slopes_of
from winprob.model.win.blocks import DIMS, TERMS, UNCONSTRAINED, Kind, Term, block_slices
from winprob.model.win.density_data import build_density, log_prior, standard_unknowns
from winprob.model.win.graph import STANDARD, build_graph, model_data
from winprob.model.win.parameters import derive_parameters, prior_data
from winprob.model.win.terms import coefficients, logits
from winprob.settings import CovariateSettings, GateSettings, NumericCovariate, SamplerSettings, Settings

PYTHON = Mode(linker="py", optimizer=None)
#: With a number whose effect never falls.
NUMERIC = (
    NumericCovariate(column="amount", transform="log1p"),
    NumericCovariate(column="rivals", monotone="increasing"),
)
#: And role weights that differ between regions.
SETTINGS = Settings(covariates=CovariateSettings(numeric=NUMERIC, team="region"))


@pytest.fixture(scope="module")
def deals(team) -> pd.DataFrame:
    """Some closed deals with all that can be odd: blanks, several people, a second reading, covariates of a mapping."""
    frame = team.closed.head(120).copy()
    frame["approver_readings"] = np.where(np.arange(120) % 3 == 0, "4*2 1*1", None)
    frame.loc[3:6, ["stage", "coach", "decision_method", "seller", "amount", "as_of", "opened_on"]] = None
    frame["rivals"] = np.arange(120) % 11
    frame.attrs["covariates"] = {"varying": ["seller", "product"], "numeric": []}
    return validate_deals(frame)


def observed(deals) -> dict[str, np.ndarray]:
    """Outcome, weight and wait of each deal: every fifth is still open, some waits for winning, some against it."""
    count = len(deals)
    won = (deals["outcome"] == "won").to_numpy(dtype=float)
    won[::5] = np.nan
    return {"won": won, "weight": np.linspace(0.2, 1, count), "waiting_odds": np.linspace(0.1, 4, count)}


@pytest.fixture(scope="module")
def graph(deals):
    scaling = learn_scaling(deals, SETTINGS)
    layout, features = with_companion(scaling.layout, describe(deals, scaling))
    data = model_data(features, layout, SETTINGS.priors, **observed(deals))
    return scaling, features, layout, data, build_graph(layout, data)


def with_companion(layout: Layout, features: Features) -> tuple[Layout, Features]:
    """What two boosters would add, the same for both as on deals that one of them has not seen."""
    log_odds = np.random.default_rng(2).normal(size=len(features)).astype(np.float32)
    return (
        replace(layout, companions=1, companion_weight=(0.8, 0.03)),
        replace(features, companion=np.repeat(log_odds[:, None], 2, axis=1)),
    )


def random_point(data, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "normal": rng.standard_normal(len(data["normal_mean"])),
        "half_normal": np.abs(rng.standard_normal(len(data["half_normal_sd"]))),
        "ratio": rng.beta(data["ratio_a"], data["ratio_b"]),
    }


def from_numpy(graph, point) -> np.ndarray:
    """(deal,) log-odds by the route that ``predict`` takes."""
    _, features, layout, data, _ = graph
    many = {name: values[None] for name, values in point.items()}
    parameters = derive_parameters(np, many, data, layout)
    return logits(coefficients(parameters, features, seed=1), features)[:, 0]


@pytest.fixture(scope="module")
def graph_log_odds(graph):
    model = graph[-1]
    return pytensor.function([model[name] for name in STANDARD], model["logit_win_prob"], mode=PYTHON)


# --- the graph and prediction -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_prediction_is_the_graphs_own_log_odds(graph, graph_log_odds, seed):
    point = random_point(graph[3], seed)
    wanted = graph_log_odds(*(point[name] for name in STANDARD))
    np.testing.assert_allclose(from_numpy(graph, point), wanted, rtol=1e-4, atol=1e-4)


def test_the_graph_and_numpy_derive_the_same_parameters(graph):
    layout, data = graph[2], graph[3]
    symbols = {name: pt.vector(name) for name in STANDARD}
    symbolic = derive_parameters(pt, symbols, {name: pt.as_tensor(value) for name, value in data.items()}, layout)
    evaluate = pytensor.function(list(symbols.values()), list(symbolic.values()), mode=PYTHON)
    point = random_point(data, 9)
    for name, got in zip(symbolic, evaluate(*point.values()), strict=True):
        wanted = derive_parameters(np, point, prior_data(layout, SETTINGS.priors), layout)[name]
        np.testing.assert_allclose(got, wanted, atol=1e-12, err_msg=name)


def test_the_graph_names_every_parameter_and_its_dims(graph):
    model = graph[-1]
    assert {name: model.named_vars_to_dims.get(name, ()) for name in DIMS} == DIMS
    assert [variable.name for variable in model.observed_RVs] == ["won"]
    assert [variable.name for variable in model.free_RVs] == list(STANDARD)


# --- the density --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def density(graph):
    """Log density and gradient over the unconstrained point, and the initial point."""
    return gradient_of(graph[-1])


def gradient_of(model):
    variables = model.value_vars
    log_density = model.logp()
    gradient = pytensor.grad(log_density, variables)
    function = pytensor.function(variables, [log_density, *gradient], mode=PYTHON)
    start = model.initial_point()
    return function, [start[variable.name] for variable in variables]


def test_density_and_gradient_are_finite_at_the_initial_point(density):
    function, start = density
    for values in function(*start):
        assert np.isfinite(values).all()


def test_the_gradient_is_the_slope_of_the_density(density):
    """Oracle: central differences along random directions."""
    function, start = density
    rng = np.random.default_rng(3)
    at = [values + 0.3 * rng.standard_normal(values.shape) for values in start]
    gradient = function(*at)[1:]
    for _ in range(3):
        direction = [rng.standard_normal(values.shape) for values in start]
        ahead, behind = (
            function(*(a + step * d for a, d in zip(at, direction, strict=True)))[0] for step in (1e-5, -1e-5)
        )
        slope = sum((g * d).sum() for g, d in zip(gradient, direction, strict=True))
        assert (ahead - behind) / 2e-5 == pytest.approx(slope, rel=1e-5)


def test_the_density_is_prior_times_weighted_likelihood(graph, density):
    """Oracle: scipy's densities, and a Bernoulli likelihood in which each row counts by its weight."""
    data, model, function = graph[3], graph[-1], density[0]
    point = random_point(data, 4)
    values = {
        "normal": point["normal"],
        "half_normal_log__": np.log(point["half_normal"]),
        "ratio_logodds__": np.log(point["ratio"] / (1 - point["ratio"])),
    }
    got = function(*(values[variable.name] for variable in model.value_vars))[0]
    jacobian = np.log(point["half_normal"]).sum() + np.log(point["ratio"] * (1 - point["ratio"])).sum()
    prior = norm.logpdf(point["normal"]).sum() + halfnorm.logpdf(point["half_normal"]).sum()
    prior += beta.logpdf(point["ratio"], data["ratio_a"], data["ratio_b"]).sum()
    logit = from_numpy(graph, point).astype(float)
    won_weight = data["won_share"] * data["weight"]
    likelihood = won_weight @ -np.logaddexp(0, -logit) + (data["weight"] - won_weight) @ -np.logaddexp(0, logit)
    chance = expit(logit)
    likelihood += data["waiting_weight"] @ np.log(data["waiting_odds"] * chance + 1 - chance)
    assert got == pytest.approx(prior + jacobian + likelihood, rel=1e-5)


def test_reading_each_deal_twice_leaves_the_likelihood_as_it_is(team):
    """Same facts on two days of one quarter: half the weight each, the same weighted counts and indices."""
    # Without dates from which days elapse: these differ between the two days.
    once = team.closed.head(60).drop(columns=["opened_on", "expected_close_on"])
    once["as_of"] = once["as_of"].dt.to_period("Q").dt.start_time
    twice = pd.concat([once, once.assign(as_of=once["as_of"] + pd.Timedelta(days=3))])
    single, double = (data_of(validate_deals(frame)) for frame in (once, twice))
    assert double["weight"].sum() == pytest.approx(single["weight"].sum())
    won = [(data["won_share"] * data["weight"]).sum() for data in (single, double)]
    assert won[1] == pytest.approx(won[0])
    for name in ("effect_index", "reading", "columns", "readers"):
        np.testing.assert_allclose(double[name][:60], single[name], rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(double[name][60:], single[name], rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(double["walk"], single["walk"])


def data_of(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    from winprob.model.features.learning import deal_weights

    scaling = learn_scaling(frame, SETTINGS)
    won = (frame["outcome"] == "won").to_numpy(dtype=float)
    features, layout = describe(frame, scaling), scaling.layout
    return model_data(features, layout, SETTINGS.priors, won=won, weight=deal_weights(frame))


# --- what is sampled ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fused(graph, deals):
    _, features, layout, _, _ = graph
    return build_density(features, layout, SETTINGS.priors, **observed(deals))


def random_place(density, seed: int) -> np.ndarray:
    return 0.7 * np.random.default_rng(seed).standard_normal(density.unknowns)


def of_graph(graph, density, function, place: np.ndarray) -> tuple[float, np.ndarray]:
    normals, halves = len(density.normal_sd), len(density.half_normal_sd)
    blocks = np.split(place, [normals, normals + halves])
    values = dict(zip(("normal", "half_normal_log__", "ratio_logodds__"), blocks, strict=True))
    names = [variable.name for variable in graph[-1].value_vars]
    value, *slopes = function(*(values[name] for name in names))
    by_name = dict(zip(names, slopes, strict=True))
    return float(value), np.concatenate([by_name[name] for name in values])


def test_what_is_sampled_is_the_graph(graph, density, fused):
    """Value up to one constant, slope in full, at points all over the prior."""
    constants = []
    for seed in range(8):
        place = random_place(fused, seed)
        wanted, wanted_slope = of_graph(graph, fused, density[0], place)
        value, slope = slopes_of(fused)(place)
        np.testing.assert_allclose(slope, wanted_slope, rtol=1e-7, atol=1e-7)
        constants.append(value - wanted)
    assert np.ptp(constants) < 1e-7


@pytest.fixture(scope="module")
def unconstrained(graph, deals):
    _, features, layout, _, _ = graph
    return build_density(features, layout, SETTINGS.priors, **observed(deals), terms=UNCONSTRAINED)


def test_with_unconstrained_weights_the_density_is_prior_times_likelihood(graph, unconstrained):
    """Oracle: the NumPy predictor on weights of either sign; two points' difference, since a constant is left open."""
    _, features, layout, data, _ = graph
    prior_numbers = prior_data(layout, SETTINGS.priors, UNCONSTRAINED)

    def wanted(place: np.ndarray) -> tuple[float, float]:
        standard = standard_unknowns(place[None], unconstrained)
        parameters = derive_parameters(np, standard, prior_numbers, layout, UNCONSTRAINED)
        logit = logits(coefficients(parameters, features, seed=1), features)[:, 0].astype(float)
        likelihood = (data["weight"] * (data["won_share"] * logit - np.logaddexp(0, logit))).sum()
        likelihood += (data["waiting_weight"] * np.log1p((data["waiting_odds"] - 1) * expit(logit))).sum()
        jacobian = np.log(standard["half_normal"][0]).sum()
        ratio = standard["ratio"][0]
        prior = norm.logpdf(standard["normal"]).sum() + norm.logpdf(standard["half_normal"]).sum()
        prior += beta.logpdf(ratio, data["ratio_a"], data["ratio_b"]).sum() + np.log(ratio * (1 - ratio)).sum()
        return prior + jacobian + likelihood, parameters["role_weight"].min()

    one, other = random_place(unconstrained, 5), random_place(unconstrained, 6)
    (first, lowest), (second, _) = wanted(one), wanted(other)
    assert lowest < 0
    difference = slopes_of(unconstrained)(one)[0] - slopes_of(unconstrained)(other)[0]
    assert difference == pytest.approx(first - second, abs=2e-3)


def test_unconstrained_weights_have_the_scale_of_the_prior(graph):
    """Population weights are normal where the model's are half-normal, times the effect scale; methods add to them."""
    layout, rng = graph[2], np.random.default_rng(8)
    prior = prior_data(layout, SETTINGS.priors, UNCONSTRAINED)
    standard = {
        "normal": rng.standard_normal((20_000, len(prior["normal_sd"]))),
        "half_normal": np.abs(rng.standard_normal((20_000, len(prior["half_normal_sd"])))),
        "ratio": rng.beta(prior["ratio_a"], prior["ratio_b"], (20_000, 4)),
    }
    drawn = derive_parameters(np, standard, prior, layout, UNCONSTRAINED)
    population = drawn["role_weight_population"] / drawn["effect_scale"][:, None]
    assert kstest(population[:2000, 0], norm(0, SETTINGS.priors.role_weight).cdf).pvalue > 1e-3
    apart = drawn["role_weight"] - drawn["role_weight_population"][:, :, None]
    scale = SETTINGS.priors.role_weight * drawn["effect_scale"] * drawn["method_spread"]
    assert kstest((apart[:, 0, 0] / scale)[:2000], norm.cdf).pvalue > 1e-3


# --- the table of terms ---------------------------------------------------------------------------------------------


def again(kind: Kind) -> Term:
    """One more row of a kind, which reads facts that the model reads already."""
    term = next(term for term in TERMS if term.kind is kind and term.part in ("effect", "column"))
    return replace(
        term,
        name=f"{term.name} again",
        parameters={f"{name}_again": dims for name, dims in term.parameters.items()},
        blocks=tuple(replace(block, name=f"{block.name}_again") for block in term.blocks),
    )


MORE = (Kind.COPIED, Kind.ORDERED, Kind.POOLED, Kind.WALK, Kind.LINEAR, Kind.CURVE)
#: The model from bottom to top, and one more row of each kind that a table may hold twice.
EXTENDED = (*TERMS[::-1], *map(again, MORE))


@pytest.fixture(scope="module", params=[EXTENDED, UNCONSTRAINED], ids=["extended", "unconstrained"])
def other_table(request, graph, deals):
    """Another table of terms, its density, and for three points the gradient by hand and by the graph, and values."""
    _, features, layout, _, _ = graph
    terms = request.param
    built = build_density(features, layout, SETTINGS.priors, **observed(deals), terms=terms)
    data = model_data(features, layout, SETTINGS.priors, **observed(deals), terms=terms)
    other = (*graph[:3], data, build_graph(layout, data, terms=terms))
    function = gradient_of(other[-1])[0]
    points = [random_place(built, seed) for seed in range(3)]
    by_hand = [slopes_of(built)(place) for place in points]
    by_graph = [of_graph(other, built, function, place) for place in points]
    return terms, layout, built, by_hand, by_graph


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_the_graphs(other_table, kind):
    """Gradient with respect to all unknowns of the kind's terms; a table without the kind has nothing to compare."""
    terms, layout, built, by_hand, by_graph = other_table
    starts = {"normal": 0, "half_normal": len(built.normal_sd)}
    starts["beta"] = starts["half_normal"] + len(built.half_normal_sd)
    names = {block.name for term in terms for block in term.blocks if term.kind is kind}
    places = np.zeros(built.unknowns, dtype=bool)
    for family, start in starts.items():
        for name, own in block_slices(family, layout, terms).items():
            if name in names:
                places[start + own.start : start + own.stop] = True
    assert places.any() == (kind in {term.kind for term in terms})
    for (_, gradient), (_, wanted) in zip(by_hand, by_graph, strict=True):
        np.testing.assert_allclose(gradient[places], wanted[places], rtol=1e-7, atol=1e-7)


def test_the_density_of_another_table_is_its_graph(other_table):
    by_hand, by_graph = other_table[3:]
    assert np.ptp([mine[0] - wanted[0] for mine, wanted in zip(by_hand, by_graph, strict=True)]) < 1e-7
    for (_, gradient), (_, wanted) in zip(by_hand, by_graph, strict=True):
        np.testing.assert_allclose(gradient, wanted, rtol=1e-7, atol=1e-7)


def test_the_gradient_of_another_table_is_the_slope_of_its_density(other_table):
    """Oracle: central differences along random directions."""
    built = other_table[2]
    place, rng = random_place(built, 3), np.random.default_rng(4)
    slope = slopes_of(built)(place)[1]
    for _ in range(5):
        step = 1e-5 * rng.standard_normal(len(place))
        ahead, behind = slopes_of(built)(place + step)[0], slopes_of(built)(place - step)[0]
        assert ahead - behind == pytest.approx(2 * slope @ step, rel=1e-4, abs=1e-9)


def test_rows_alike_are_counted_once_and_change_nothing(graph, deals):
    _, features, layout, _, _ = graph
    won, weight = (deals["outcome"] == "won").to_numpy(dtype=float), np.linspace(0.2, 1, len(deals))
    twice = np.r_[0 : len(deals), 0 : len(deals)]
    doubled = build_density(
        features.take(twice), layout, SETTINGS.priors, won=np.r_[won, 1 - won], weight=np.r_[weight, weight / 2]
    )
    single = build_density(features, layout, SETTINGS.priors, won=won, weight=weight)
    assert len(doubled.weight) == len(single.weight) <= len(deals)
    place = random_place(single, 1)
    # A row and its half-weight opposite: the same as one row of 1.5 weights, of which won + (1 - won) / 2 was won.
    both = build_density(features, layout, SETTINGS.priors, won=(won + (1 - won) / 2) / 1.5, weight=1.5 * weight)
    assert slopes_of(doubled)(place)[0] == pytest.approx(slopes_of(both)(place)[0], rel=1e-12)


def test_the_wait_of_an_open_deal_lies_between_lost_and_won(graph, deals):
    """Odds of nothing are a loss; odds beyond all bounds a win, up to a constant; even odds tell nothing."""
    _, features, layout, _, _ = graph
    count = len(deals)
    won, weight = (deals["outcome"] == "won").to_numpy(dtype=float), np.ones(count)

    def change(outcome: np.ndarray, odds: float) -> float:
        facts = build_density(
            features, layout, SETTINGS.priors, won=outcome, weight=weight, waiting_odds=np.full(count, odds)
        )
        one, other = random_place(facts, 1), random_place(facts, 2)
        return slopes_of(facts)(one)[0] - slopes_of(facts)(other)[0]

    half = np.arange(count) % 2 == 0
    still_open = np.where(half, np.nan, won)
    assert change(still_open, 0.0) == pytest.approx(change(np.where(half, 0.0, won), 1.0), rel=1e-9)
    assert change(still_open, 1e12) == pytest.approx(change(np.where(half, 1.0, won), 1.0), rel=1e-6)
    known = features.take(~half)
    facts = build_density(known, layout, SETTINGS.priors, won=won[~half], weight=weight[~half])
    one, other = random_place(facts, 1), random_place(facts, 2)
    assert change(still_open, 1.0) == pytest.approx(slopes_of(facts)(one)[0] - slopes_of(facts)(other)[0], rel=1e-9)


def test_the_prior_that_people_set_leaves_out_what_is_pooled(graph, fused):
    place = random_place(fused, 2)[None]
    moved = place.copy()
    moved[0, block_slices("normal", graph[2])["offset"].start] += 1
    assert log_prior(moved, fused) == pytest.approx(log_prior(place, fused))
    moved[0, block_slices("normal", graph[2])["intercept"].start] += 1
    assert log_prior(moved, fused) != pytest.approx(log_prior(place, fused))


def test_a_fit_needs_no_pymc(team, monkeypatch):
    import sys

    for name in ("pymc", "pytensor"):
        monkeypatch.setitem(sys.modules, name, None)
    quick = SamplerSettings(draws=50, tune=100, chains=2, thin=1, retry_draws=50)
    loose = GateSettings(r_hat=9.0, bulk_ess=1, tail_ess=1, divergent_share=0.9, bfmi=0.01)
    posterior = fit(team.closed.head(60), seed=1, settings=Settings(sampler=quick, gates=loose))
    assert posterior.provenance.deals == 60


# --- gates --------------------------------------------------------------------------------------------------------


class Stats(dict):
    def to_dataset(self):
        import xarray as xr

        return xr.Dataset({"energy": (("chain", "draw"), self["energy"])})


def measured(graph, spoil=lambda standard, stats: None, draws: int = 1000) -> inference.Gates:
    """Gates of independent draws from the prior, by four chains, after ``spoil`` had its way with them."""
    layout, data, rng = graph[2], graph[3], np.random.default_rng(6)
    shape = (4, draws)
    standard = {
        "normal": rng.standard_normal((*shape, len(data["normal_mean"]))),
        "half_normal": np.abs(rng.standard_normal((*shape, len(data["half_normal_sd"])))),
        "ratio": rng.beta(data["ratio_a"], data["ratio_b"], (*shape, 4)),
    }
    stats = Stats(diverging=np.zeros(shape, dtype=bool), energy=rng.standard_normal(shape))
    spoil(standard, stats)
    return measure_gates(derive_parameters(np, standard, data, layout), stats)


def test_independent_draws_pass_every_gate(graph):
    assert measured(graph).failures(SETTINGS.gates) == []


def test_a_chain_elsewhere_fails_and_the_parameter_is_named(graph):
    def spoil(standard, stats):
        standard["normal"][2, :, block_slices("normal", graph[2])["intercept"]] += 2

    gates = measured(graph, spoil)
    assert gates.worst == "intercept[0]"
    assert gates.r_hat > 1.1
    assert any("R-hat" in words for words in gates.failures(SETTINGS.gates))


def test_a_chain_that_stands_still_fails(graph):
    def spoil(standard, stats):
        standard["ratio"][1, :, 0] = 0.9

    gates = measured(graph, spoil)
    assert gates.worst.startswith("reliability")
    assert gates.failures(SETTINGS.gates)


def test_sticky_chains_fail_on_effective_draws(graph):
    def spoil(standard, stats):
        walk = np.cumsum(np.random.default_rng(1).standard_normal((4, 1000)), axis=1)
        at = block_slices("normal", graph[2])["unknown_support"].start
        standard["normal"][:, :, at] = walk / walk.std(axis=1, keepdims=True)

    gates = measured(graph, spoil)
    assert gates.worst.startswith("unknown_support")
    assert any("bulk ESS" in words for words in gates.failures(SETTINGS.gates))


def test_divergences_and_stuck_energy_fail(graph):
    def diverge(standard, stats):
        stats["diverging"][0, :50] = True

    def stick(standard, stats):
        stats["energy"] = np.cumsum(stats["energy"], axis=1)

    assert any("diverged" in words for words in measured(graph, diverge).failures(SETTINGS.gates))
    assert any("BFMI" in words for words in measured(graph, stick).failures(SETTINGS.gates))


def test_each_gate_is_told_with_what_was_got_and_wanted():
    gates = inference.Gates(
        r_hat=1.2, bulk_ess=33.0, tail_ess=44.0, divergent_share=0.5, bfmi=0.1, worst="intercept[0]"
    )
    said = " ".join(gates.failures(SETTINGS.gates))
    for words in (
        "1.200, wanted at most 1.010",
        "33, wanted at least 400",
        "44, wanted at least 400",
        "50.00%",
        "0.10, wanted at least 0.20",
    ):
        assert words in said


def test_a_gate_that_is_no_number_fails():
    nan = float("nan")
    gates = inference.Gates(r_hat=nan, bulk_ess=nan, tail_ess=nan, divergent_share=nan, bfmi=nan, worst="x")
    assert len(gates.failures(SETTINGS.gates)) == 5


@pytest.mark.slow
def test_draws_that_fail_are_refused_and_the_columns_are_named(team):
    sampler = SamplerSettings(draws=50, tune=100, chains=2, retry_draws=50)
    settings = Settings(sampler=sampler, gates=GateSettings(bulk_ess=1e9))
    said: list[str] = []
    with pytest.raises(NotConvergedError, match=r"Nothing was saved\. Columns at fault, the worst first: ") as refused:
        fit(team.closed, seed=1, settings=settings, progress=lambda what, share: said.append(what))
    # Which columns is chance in fifty draws; that each is one of the table, with its own figures, is not.
    named = re.findall(r"(\w+) \(R-hat ([\d.]+), ESS (\d+)\)", str(refused.value))
    assert len(named) >= 2
    assert {name for name, *_ in named} <= {*team.closed.columns, *ELAPSED}
    assert all(float(r_hat) > settings.gates.r_hat or float(ess) < settings.gates.tail_ess for _, r_hat, ess in named)
    assert "sampling" in said
