"""The PyMC graph: its gradient, its agreement with NumPy, and that it is compiled once. Python linker: seconds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from scipy.stats import beta, halfnorm, norm

from winprob import inference
from winprob.errors import NotConvergedError
from winprob.features import describe, learn_scaling
from winprob.inference import _kept, _measure, fit
from winprob.model import STANDARD, build_model, model_data
from winprob.parameters import derive_parameters, prior_data
from winprob.schema import validate_deals
from winprob.settings import GateSettings, SamplerSettings, Settings
from winprob.terms import coefficients, logits

PYTHON = Mode(linker="py", optimizer=None)
SETTINGS = Settings()


@pytest.fixture(scope="module")
def deals(team) -> pd.DataFrame:
    """Some closed deals with all that can be odd: blanks, several people, a second reading, covariates of a mapping."""
    frame = team.closed.head(120).copy()
    frame["approver_readings"] = np.where(np.arange(120) % 3 == 0, "4*2 1*1", None)
    frame.loc[3:6, ["stage", "coach", "decision_method", "seller", "amount", "as_of", "opened_on"]] = None
    frame.attrs["covariates"] = {"varying": ["seller", "product"], "numeric": []}
    return validate_deals(frame)


@pytest.fixture(scope="module")
def graph(deals):
    scaling = learn_scaling(deals, SETTINGS)
    layout, features = scaling.layout.padded(), describe(deals, scaling)
    won = (deals["outcome"] == "won").to_numpy(dtype=float)
    data = model_data(features, layout, SETTINGS.priors, won=won, weight=np.linspace(0.2, 1, len(won)))
    return scaling, features, layout, data, build_model(layout, data)


def random_point(data, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "unit": rng.standard_normal(len(data["unit_mean"])),
        "positive": np.abs(rng.standard_normal(len(data["positive_sd"]))),
        "ratio": rng.beta(data["ratio_a"], data["ratio_b"]),
    }


def from_numpy(graph, point) -> np.ndarray:
    """(deal,) log-odds by the route that ``predict`` takes."""
    scaling, features, layout, data, _ = graph
    many = {name: values[None] for name, values in point.items()}
    parameters = _kept(derive_parameters(np, many, data, layout), scaling.layout, axis=1)
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


# --- the density --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def density(graph):
    """Log density and gradient over the unconstrained point, and the initial point."""
    model = graph[-1]
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
        "unit": point["unit"],
        "positive_log__": np.log(point["positive"]),
        "ratio_logodds__": np.log(point["ratio"] / (1 - point["ratio"])),
    }
    got = function(*(values[variable.name] for variable in model.value_vars))[0]
    jacobian = np.log(point["positive"]).sum() + np.log(point["ratio"] * (1 - point["ratio"])).sum()
    prior = norm.logpdf(point["unit"]).sum() + halfnorm.logpdf(point["positive"]).sum()
    prior += beta.logpdf(point["ratio"], data["ratio_a"], data["ratio_b"]).sum()
    logit = from_numpy(graph, point).astype(float)
    won = data["won_weight"] / data["weight"]
    likelihood = data["weight"] @ (won * -np.logaddexp(0, -logit) + (1 - won) * -np.logaddexp(0, logit))
    assert got == pytest.approx(prior + jacobian + likelihood, rel=1e-5)


def test_reading_each_deal_twice_leaves_the_likelihood_as_it_is(team):
    """Same facts on two days of one quarter: half the weight each, the same weighted counts and indices."""
    once = team.closed.head(60).copy()
    once["as_of"] = once["as_of"].dt.to_period("Q").dt.start_time
    twice = pd.concat([once, once.assign(as_of=once["as_of"] + pd.Timedelta(days=3))])
    single, double = (data_of(validate_deals(frame)) for frame in (once, twice))
    assert double["weight"].sum() == pytest.approx(single["weight"].sum())
    assert double["won_weight"].sum() == pytest.approx(single["won_weight"].sum())
    for name in ("effect_index", "reading", "columns", "readers"):
        np.testing.assert_allclose(double[name][:60], single[name], rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(double[name][60:], single[name], rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(double["walk"], single["walk"])


def data_of(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    from winprob.weights import deal_weights

    scaling = learn_scaling(frame, SETTINGS)
    won = (frame["outcome"] == "won").to_numpy(dtype=float)
    features, layout = describe(frame, scaling), scaling.layout.padded()
    return model_data(features, layout, SETTINGS.priors, won=won, weight=deal_weights(frame))


# --- compiled once ------------------------------------------------------------------------------------------------


class Compiled:
    """Stands in for a compiled graph: remembers the data it was given."""

    def with_data(self, **data: np.ndarray) -> dict[str, np.ndarray]:
        return data


@pytest.fixture
def compilations(monkeypatch) -> list[int]:
    """One entry for each compilation, in a process that has compiled nothing yet."""
    import nutpie

    calls: list[int] = []

    def compile_model(model, **_):
        calls.append(len(calls))
        return Compiled()

    monkeypatch.setattr(nutpie, "compile_pymc_model", compile_model)
    monkeypatch.setattr(inference, "_compiled", {})
    return calls


def compile_for(frame: pd.DataFrame, settings: Settings = SETTINGS) -> dict[str, np.ndarray]:
    valid = validate_deals(frame)
    scaling = learn_scaling(valid, settings)
    layout, ones = scaling.layout.padded(), np.ones(len(valid))
    data = model_data(describe(valid, scaling), layout, settings.priors, won=ones, weight=ones)
    return inference._compile(layout, data, lambda *_: None)


def test_other_rows_other_sellers_and_other_priors_do_not_compile_again(team, compilations):
    compile_for(team.closed)
    fewer = compile_for(team.closed.head(100))
    compile_for(team.closed.assign(seller="only one"))
    priors = compile_for(team.closed, Settings(priors=type(SETTINGS.priors)(role_weight=0.1)))
    assert len(compilations) == 1
    assert len(fewer["weight"]) == 100
    assert not np.array_equal(priors["positive_sd"], fewer["positive_sd"])


def test_a_team_of_another_size_class_compiles_its_own(team, compilations):
    compile_for(team.closed)
    compile_for(team.closed.assign(seller=[f"S{at % 90}" for at in range(600)]))
    assert len(compilations) == 2


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
        "unit": rng.standard_normal((*shape, len(data["unit_mean"]))),
        "positive": np.abs(rng.standard_normal((*shape, len(data["positive_sd"])))),
        "ratio": rng.beta(data["ratio_a"], data["ratio_b"], (*shape, 4)),
    }
    stats = Stats(diverging=np.zeros(shape, dtype=bool), energy=rng.standard_normal(shape))
    spoil(standard, stats)
    return _measure(standard, stats, layout, SETTINGS)


def test_independent_draws_pass_every_gate(graph):
    assert measured(graph).failures(SETTINGS.gates) == []


def test_a_chain_elsewhere_fails_and_the_parameter_is_named(graph):
    def spoil(standard, stats):
        standard["unit"][2, :, graph[2].unit_blocks["intercept"]] += 2

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
        at = graph[2].unit_blocks["unknown_support"].start
        standard["unit"][:, :, at] = walk / walk.std(axis=1, keepdims=True)

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
    for words in ("1.200, wanted < 1.01", "33, wanted > 400", "44, wanted > 400", "50.0%", "0.10, wanted > 0.3"):
        assert words in said


def test_a_gate_that_is_no_number_fails():
    nan = float("nan")
    gates = inference.Gates(r_hat=nan, bulk_ess=nan, tail_ess=nan, divergent_share=nan, bfmi=nan, worst="x")
    assert len(gates.failures(SETTINGS.gates)) == 5


@pytest.mark.slow
def test_draws_that_fail_twice_are_refused_and_say_where(team):
    sampler = SamplerSettings(draws=50, tune=100, chains=2, retry_draws=50)
    settings = Settings(sampler=sampler, gates=GateSettings(bulk_ess=1e9))
    said: list[str] = []
    with pytest.raises(NotConvergedError, match=r"twice \(worst at \w+\[\d+\]\): .*Nothing was saved"):
        fit(team.closed, seed=1, settings=settings, progress=lambda what, share: said.append(what))
    assert "sampling" in said
