"""The message of a run that did not converge: columns of the deals, how far each missed, and what to do."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from math import prod

import pandas as pd
import pytest

from winprob.data.schema import validate_deals
from winprob.model.features import Scaling, learn_scaling
from winprob.model.inference.columns_at_fault import column_of, not_converged
from winprob.model.inference.gates import Diagnostic, Gates
from winprob.model.win.blocks import DIMS
from winprob.settings import CovariateSettings, GateSettings, NumericCovariate, Settings, settings_from

SETTINGS = Settings()


@pytest.fixture(scope="module")
def wide(team) -> Scaling:
    """A scaling with a mapping's covariates next to those of the settings."""
    closed = team.closed.head(120)
    frame = closed.assign(
        channel=["web" if at % 3 else "a=b" for at in range(120)],
        visits=[float(at % 7) for at in range(120)],
        rep_category=["commit" if at % 2 else "pipeline" for at in range(120)],
        rep_probability=[0.1 + at % 8 / 10 for at in range(120)],
    )
    named = {"varying": ["channel"], "numeric": [{"column": "visits", "transform": None}], "seller_forecast": True}
    deals = validate_deals(frame.assign(closed_on=pd.to_datetime(frame["as_of"]) + pd.Timedelta(days=20)))
    deals.attrs["covariates"] = named
    return learn_scaling(deals, SETTINGS)


def diagnostic(name: str, at: int = 0, *, r_hat: float = 1.0, bulk: float = 900.0, tail: float = 900.0) -> Diagnostic:
    return Diagnostic(name=name, at=at, r_hat=r_hat, bulk_ess=bulk, tail_ess=tail)


def gates_of(*each: Diagnostic, divergent_share: float = 0.0) -> Gates:
    return Gates(
        r_hat=max(one.r_hat for one in each),
        bulk_ess=min(one.bulk_ess for one in each),
        tail_ess=min(one.tail_ess for one in each),
        divergent_share=divergent_share,
        bfmi=0.9,
        worst=f"{each[0].name}[{each[0].at}]",
        each=each,
    )


def level_of(scaling: Scaling, field: str) -> int:
    place = [one.name for one in scaling.fields].index(field)
    return scaling.layout.field_of_level.tolist().index(place)


def bin_of(scaling: Scaling, column: str) -> int:
    place = [one.name for one in scaling.curves].index(column)
    return scaling.layout.curves.column_of_bin.tolist().index(place)


def test_a_level_and_a_bin_belong_to_their_columns(wide):
    assert column_of("offset", level_of(wide, "channel"), wide) == "channel"
    assert column_of("offset", level_of(wide, "seller"), wide) == "seller"
    assert column_of("curve", bin_of(wide, "amount"), wide) == "amount"
    assert column_of("curve_scale", [one.name for one in wide.curves].index("visits"), wide) == "visits"
    assert column_of("offset_scale", [one.name for one in wide.fields].index("region"), wide) == "region"


def test_the_facts_of_the_method_belong_to_their_columns(wide):
    methods = wide.layout.sizes["decision_method"]
    assert column_of("role_weight", 0, wide) == "approver_support"
    assert column_of("role_weight", 2 * methods + 1, wide) == column_of("unknown_support", 2, wide)
    assert column_of("reliability", 3, wide) == "coach"
    assert column_of("stage_effect", 1, wide) == "stage"
    assert column_of("coverage_effect", 0, wide) == "approver_coverage"
    assert column_of("method_lean", 0, wide) == "decision_method"
    assert column_of("drift", 2, wide) == "as_of"
    assert column_of("intercept", 0, wide) is None
    assert column_of("effect_scale", 0, wide) is None


def test_every_element_of_every_parameter_has_a_column_or_is_of_the_whole_model(wide):
    accepted = {*wide.columns, "stage", "approver_coverage", "coach", "decision_method", "as_of", "*", None}
    sizes = wide.layout.sizes
    for name, dims in DIMS.items():
        found = {column_of(name, at, wide) for at in range(prod(sizes[dim] for dim in dims))}
        assert all(column in accepted or str(column).endswith("_support") for column in found), name


def test_the_message_names_the_columns_the_worst_first_with_what_they_missed(wide):
    gates = gates_of(
        diagnostic("intercept", r_hat=1.02),
        diagnostic("offset", level_of(wide, "channel"), r_hat=1.034, bulk=350.0),
        diagnostic("offset", level_of(wide, "channel"), bulk=90.0, tail=88.6),
        diagnostic("curve", bin_of(wide, "amount"), r_hat=1.011),
        diagnostic("unknown_support", 0),
    )
    message = not_converged(gates, SETTINGS, wide)
    assert "R-hat 1.034, wanted at most 1.010; bulk ESS 90, wanted at least 400" in message
    assert "worst first: channel (R-hat 1.034, ESS 89); amount (R-hat 1.011, ESS 900)." in message
    assert "intercept" not in message
    assert "approver_support" not in message
    assert "Nothing was saved" in message


def test_at_most_five_columns_are_named(wide):
    names = ("stage_effect", "coverage_effect", "coach_effect", "method_effect", "drift", "companion_weight")
    each = [diagnostic(name, r_hat=1.2 - at / 100) for at, name in enumerate(names)]
    message = not_converged(gates_of(*each), SETTINGS, wide)
    assert "as_of (R-hat 1.160, ESS 900); 1 more." in message
    assert "pattern" not in message


def test_each_kind_of_column_has_a_remedy_of_its_own(wide):
    def remedy(name: str, at: int = 0) -> str:
        return not_converged(gates_of(diagnostic(name, at, r_hat=1.2)), SETTINGS, wide).split("the worst first")[1]

    assert "take it out of [covariates] in the mapping" in remedy("offset", level_of(wide, "channel"))
    assert "take it out of [covariates] in the mapping" in remedy("curve", bin_of(wide, "visits"))
    assert "numeric = []" in remedy("curve", bin_of(wide, "amount"))
    assert "seller_forecast = false" in remedy("offset", level_of(wide, "rep_category"))
    assert "companion = false; pair_components = 0" in remedy("companion_weight")
    assert "priors.drift_scale below 0.15" in remedy("drift", 1)
    assert "'coach', take it out of the file" in remedy("coach_effect")


def test_what_the_message_says_to_write_leaves_the_columns_out(wide):
    each = [
        diagnostic("offset", level_of(wide, "seller"), r_hat=1.3),
        diagnostic("curve", bin_of(wide, "amount"), r_hat=1.2),
    ]
    extra = NumericCovariate(column='size "x"', transform="log1p", monotone="increasing")
    numeric = (*SETTINGS.covariates.numeric, extra)
    settings = replace(SETTINGS, covariates=CovariateSettings(numeric=numeric))
    message = not_converged(gates_of(*each), settings, wide)
    entries = message.split("--settings: ")[1].split(". winprob check")[0]
    read = settings_from(tomllib.loads("[covariates]\n" + entries.replace("; ", "\n")))
    assert read.covariates.numeric == (extra,)
    assert read.covariates.varying == ("segment", "region", "product", "competitor")


def test_without_a_column_at_fault_the_message_is_of_the_run(wide):
    message = not_converged(gates_of(diagnostic("intercept"), divergent_share=0.0024), SETTINGS, wide)
    assert "0.24% of draws diverged, wanted at most 0.20%" in message
    assert "Columns at fault" not in message
    assert "winprob check" in message


@pytest.mark.parametrize(("r_hat", "shown"), [(1.0096, None), (1.0104, None), (1.0106, "1.011"), (1.02, "1.020")])
def test_r_hat_is_compared_as_it_is_shown(r_hat, shown):
    gates = gates_of(diagnostic("intercept", r_hat=r_hat))
    assert gates.failures(SETTINGS.gates) == ([f"R-hat {shown}, wanted at most 1.010"] if shown else [])
    assert bool(gates.missed(SETTINGS.gates)) == bool(shown)


@pytest.mark.parametrize(
    "wanted", [GateSettings(), GateSettings(r_hat=1.0025, bulk_ess=399.5, tail_ess=1.4, bfmi=0.345)]
)
def test_no_figure_fails_that_is_shown_as_its_limit(wanted):
    for step in range(-300, 300):
        gates = Gates(
            r_hat=wanted.r_hat + step / 1e5,
            bulk_ess=wanted.bulk_ess + step / 100,
            tail_ess=wanted.tail_ess + step / 100,
            divergent_share=max(wanted.divergent_share + step / 1e6, 0.0),
            bfmi=wanted.bfmi + step / 1e4,
            worst="x",
        )
        for words in gates.failures(wanted):
            got, limit = (part.strip("%").split()[-1] for part in words.replace(" of draws diverged", "").split(","))
            assert got.strip("%") != limit, words


def test_days_elapsed_can_be_left_out(team):
    """What they came from are dates, so that no mapping names them."""
    deals = dated(team)
    scaling = learn_scaling(deals, SETTINGS)
    text = not_converged(gates_of(diagnostic("curve", bin_of(scaling, "age"), r_hat=1.05)), SETTINGS, scaling)
    assert "To leave out 'age', set days_elapsed = false under [covariates]." in str(text)
    without = settings_from({"covariates": {"days_elapsed": False}})
    assert "age" not in [column.name for column in learn_scaling(deals, without).numeric]


def test_a_date_rewritten_at_the_close_is_no_covariate(team):
    """Where the expected day is the day of closing, it holds what was known only later."""
    deals = dated(team)
    later = deals.assign(expected_close_on=deals["closed_on"])
    names = [[column.name for column in learn_scaling(table, SETTINGS).numeric] for table in (deals, later)]
    assert names == [["amount", "age", "days_to_expected_close"], ["amount", "age"]]


def test_a_reading_after_the_close_has_no_days_elapsed(team):
    deals = dated(team)
    late = deals.assign(as_of=deals["closed_on"])
    assert [column.name for column in learn_scaling(late, SETTINGS).numeric] == ["amount"]


def dated(team) -> pd.DataFrame:
    """Closed deals of which it is known when they were created, read, expected to close, and closed."""
    closed = team.closed.head(120)
    read = pd.to_datetime(closed["as_of"])
    days = {"opened_on": -40, "expected_close_on": 25, "closed_on": 20}
    return validate_deals(closed.assign(**{name: read + pd.Timedelta(days=count) for name, count in days.items()}))
