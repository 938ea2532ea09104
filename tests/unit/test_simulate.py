"""Simulated deals follow the design's process with the parameters that they come with."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import expit, ndtr
from scipy.stats import norm

from winprob.data.schema import CHOICES, COLUMNS
from winprob.errors import InputError, OutputError, SettingsError
from winprob.methodology.vocabulary import COACH_STATES, COVERAGES, DECISION_METHODS, ROLES, STAGES
from winprob.simulation import Simulation, Truth, read_truth, simulate, write_simulation
from winprob.simulation.deals import draw_block, fixed_logit, tier_cuts
from winprob.simulation.files import coordinates
from winprob.simulation.frames import PEOPLE_COLUMNS
from winprob.simulation.team import SimulationRequest, build_team

SAMPLE = Path(__file__).parents[2] / "data"
MANY = 200_000
DATES = ["as_of", "opened_on", "expected_close_on", "closed_on"]


@pytest.fixture(scope="module")
def many() -> Simulation:
    return simulate(MANY, 2_000, seed=7)


@pytest.fixture(scope="module")
def few() -> Simulation:
    return simulate(seed=2026)


def read_back(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    return frame.assign(**{name: pd.to_datetime(frame[name]) for name in DATES if name in frame})


# --- the record ---------------------------------------------------------------------------------------------------


def test_a_seed_decides_everything(few):
    again, other = simulate(seed=2026), simulate(seed=2027)
    for table in ("closed", "open", "people"):
        pd.testing.assert_frame_equal(getattr(few, table), getattr(again, table))
    assert few.truth == again.truth
    np.testing.assert_array_equal(few.latent_open.support, again.latent_open.support)
    assert not few.closed["amount"].equals(other.closed["amount"])
    assert few.truth.seller_offset != other.truth.seller_offset


def test_the_columns_are_canonical_and_every_word_is_known(few):
    for deals, count in ((few.closed, 300), (few.open, 60)):
        assert tuple(deals.columns) == COLUMNS
        assert len(deals) == count
        for name, words in CHOICES.items():
            assert set(deals[name].dropna()) <= set(words)
        for role in ROLES:
            assert set(deals[f"{role}_support"].dropna()) <= {1, 2, 3, 4}
        assert deals["rep_probability"].between(0, 1).all()
        assert (deals["amount"] > 0).all()
    assert tuple(few.people.columns) == PEOPLE_COLUMNS
    assert pd.concat([few.closed, few.open])["deal_id"].is_unique
    assert few.people["person"].is_unique


def test_dates_are_in_order_and_open_deals_are_read_on_the_given_day(many):
    closed, still_open, day = many.closed, many.open, pd.Timestamp(2026, 9, 30)
    assert (closed["opened_on"] < closed["as_of"]).all()
    assert (closed["as_of"] < closed["closed_on"]).all()
    assert (closed["as_of"] < closed["expected_close_on"]).all()
    assert closed["closed_on"].max() <= day
    assert closed["as_of"].dt.to_period("Q").nunique() == 8
    assert closed["as_of"].max() < pd.Timestamp(2026, 7, 1)
    assert (still_open["as_of"] == day).all()
    assert (still_open["expected_close_on"] > day).all()
    assert still_open["closed_on"].isna().all()
    assert set(still_open["outcome"]) == {"open"}
    np.testing.assert_array_equal(many.latent_closed.closed_on, closed["closed_on"].to_numpy("datetime64[D]"))


@pytest.mark.parametrize("as_of", [dt.date(2026, 10, 1), dt.date(2024, 2, 29), dt.date(2025, 12, 31)])
def test_the_history_ends_before_any_day(as_of):
    made = simulate(2_000, 5, seed=1, quarters=3, as_of=as_of)
    assert made.closed["closed_on"].max() <= pd.Timestamp(as_of)
    assert made.closed["as_of"].dt.to_period("Q").nunique() == 3
    assert made.closed["as_of"].max().to_period("Q") == pd.Timestamp(as_of).to_period("Q") - 1


def test_coverage_fits_what_is_reported(many):
    for role in ROLES:
        reported = many.closed[f"{role}_support"].notna()
        coverage = many.closed[f"{role}_coverage"]
        assert set(coverage[reported]) == {"identified", "contacted", "engaged"}
        assert set(coverage[~reported]) == {"unknown", "identified", "contacted"}
        assert coverage[reported].isin(["contacted", "engaged"]).mean() == pytest.approx(0.9, abs=0.01)


def test_blanks_come_at_their_rates(many):
    deals, truth = many.closed, many.truth
    rates = {"stage": truth.stage_blank, "decision_method": truth.method_blank, "coach": truth.coach_blank}
    for name, rate in rates.items():
        assert deals[name].isna().mean() == pytest.approx(rate, abs=0.003)
        recorded = deals[name].dropna()
        assert (recorded == many.latent_closed.facts[name][recorded.index]).all()
    for role, share in zip(ROLES, truth.unreported_share, strict=True):
        assert deals[f"{role}_support"].isna().mean() == pytest.approx(share, abs=0.005)


def test_no_text_starts_like_a_formula(few):
    for frame in (few.closed, few.open, few.people):
        for name in frame.select_dtypes("str"):
            assert not frame[name].dropna().str.match(r"[=+\-@\t\r]").any()


def test_people_agree_with_the_wide_columns(few):
    deals = pd.concat([few.closed, few.open]).set_index("deal_id")
    main = few.people.drop_duplicates(["deal_id", "role"])
    for role in ROLES:
        people = main[main["role"] == role].set_index("deal_id").reindex(deals.index)
        np.testing.assert_array_equal(people["support"], deals[f"{role}_support"])
        pd.testing.assert_series_equal(
            people["coverage"].fillna("unknown"), deals[f"{role}_coverage"], check_names=False
        )


def test_some_roles_have_a_second_person(many):
    reported = many.people[many.people["support"].notna()]
    persons = reported.groupby(["deal_id", "role"]).size()
    assert (persons == 2).mean() == pytest.approx(0.15, abs=0.003)
    assert persons.max() == 2
    assert set(many.people["influence"]) == {1, 2, 3, 4}


# --- the process --------------------------------------------------------------------------------------------------


def test_tiers_come_at_their_frequencies(many):
    for at, role in enumerate(ROLES):
        found = many.closed[f"{role}_support"].value_counts(normalize=True).sort_index()
        np.testing.assert_allclose(found, many.truth.tier_frequency[at], atol=0.004)


def test_the_expected_support_given_a_tier_is_that_of_the_design(many):
    """E[s | tier, coach] = rho g[tier], with g the mean of a standard normal within the tier's bin."""
    facts, truth = many.latent_closed.facts, many.truth
    for at, role in enumerate(ROLES):
        edges = np.concatenate([[-np.inf], tier_cuts(truth)[at], [np.inf]])
        bin_means = -np.diff(norm.pdf(edges)) / np.diff(norm.cdf(edges))
        for coach, rho in zip(COACH_STATES, truth.reliability, strict=True):
            for tier in (1, 2, 3, 4):
                rows = (facts["coach"] == coach) & (many.closed[f"{role}_support"] == tier)
                found = many.latent_closed.support[rows, at]
                assert found.mean() == pytest.approx(rho * bin_means[tier - 1], abs=4 / np.sqrt(len(found)))


def test_two_readings_share_only_the_true_support():
    """Correlation of two readings of one person's support is the reliability squared."""
    truth = Truth(second_person_share=1.0, tier_frequency=[[0.25] * 4] * 5)
    people = simulate(40_000, 0, seed=3, truth=truth).people
    coach = simulate(40_000, 0, seed=3, truth=truth).latent_closed.facts["coach"]
    evaluators = people[(people["role"] == "evaluator") & people["support"].notna()]
    pairs = evaluators.assign(nth=evaluators.groupby("deal_id").cumcount()).pivot_table(
        index="deal_id", columns="nth", values="support"
    )
    validated = pairs[(coach.set_axis([f"D{n:05d}" for n in range(1, 40_001)]) == "validated")[pairs.index]]
    agree = (validated[0] == validated[1]).mean()
    # By quadrature over the true support: two independent readings fall in one quarter of the scale.
    s = norm.ppf((np.arange(2_000) + 0.5) / 2_000)
    rho = truth.reliability[2]
    edges = np.concatenate([[-np.inf], norm.ppf([0.25, 0.5, 0.75]), [np.inf]])
    chances = np.diff(ndtr((edges - rho * s[:, None]) / np.sqrt(1 - rho**2)), axis=1)
    assert agree == pytest.approx((chances**2).sum(axis=1).mean(), abs=4 * 0.5 / np.sqrt(len(validated)))


def test_true_support_is_standard_normal_where_reported_and_lower_where_not(many):
    for at, role in enumerate(ROLES):
        reported = many.closed[f"{role}_support"].notna().to_numpy()
        support = many.latent_closed.support[:, at]
        assert support[reported].mean() == pytest.approx(0.0, abs=0.02)
        assert support[~reported].mean() == pytest.approx(many.truth.unknown_mean[at], abs=0.03)
        assert support[reported].std() == pytest.approx(1.0, abs=0.02)
        assert support[~reported].std() == pytest.approx(1.0, abs=0.03)


def test_win_rates_are_plausible_for_any_team():
    rates = [(simulate(2_000, 0, seed=seed).closed["outcome"] == "won").mean() for seed in range(12)]
    assert 0.3 < min(rates) < max(rates) < 0.6


@pytest.mark.parametrize("by", ["stage", "decision_method", "coach", "seller", "approver_coverage", "competitor"])
def test_win_rates_are_the_mean_true_chance_in_every_cell(many, by):
    cells = many.closed.assign(won=many.closed["outcome"] == "won", chance=many.latent_closed.win_prob)
    found = cells.groupby(by, dropna=False).agg(won=("won", "mean"), chance=("chance", "mean"), n=("won", "size"))
    error = (found["won"] - found["chance"]) / np.sqrt(found["chance"] * (1 - found["chance"]) / found["n"])
    assert error.abs().max() < 4


def test_the_chance_adds_up_from_the_record_and_the_truth():
    """An independent route: log-odds rebuilt by label from the frame, for deals without blanks."""
    made = simulate(500, 40, seed=5, truth=Truth(stage_blank=0, method_blank=0, coach_blank=0))
    truth = made.truth
    labels = coordinates(build_team(SimulationRequest(deals=500, open_deals=40, seed=5), truth))
    for deals, latent in ((made.closed, made.latent_closed), (made.open, made.latent_open)):
        log_amount = np.log(deals["amount"])
        mean = np.mean(truth.amount_log_mean)
        sd = np.sqrt(truth.amount_log_sd**2 + np.var(truth.amount_log_mean))
        logit = truth.intercept + truth.amount_effect * (log_amount - mean) / sd
        logit += deals["stage"].map(dict(zip(STAGES, truth.stage_effect, strict=True)))
        logit += deals["coach"].map(dict(zip(COACH_STATES, truth.coach_effect, strict=True)))
        logit += deals["decision_method"].map(dict(zip(DECISION_METHODS, truth.method_effect, strict=True)))
        logit += deals["approver_coverage"].map(dict(zip(COVERAGES, truth.coverage_effect, strict=True)))
        for name in ("seller", "segment", "region", "product", "competitor"):
            offsets = dict(zip(labels[name], getattr(truth, f"{name}_offset"), strict=True))
            logit += deals[name].fillna("(blank)").map(offsets)
        quarter = deals["as_of"].dt.year.astype(str) + "Q" + deals["as_of"].dt.quarter.astype(str)
        logit += quarter.map(dict(zip(labels["quarter"], truth.drift, strict=True)))
        weights = pd.DataFrame(truth.role_weight, index=ROLES, columns=DECISION_METHODS)
        logit += (weights[deals["decision_method"]].T.to_numpy() * latent.support).sum(axis=1)
        np.testing.assert_allclose(latent.logit_win_prob, logit, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(latent.win_prob, expit(logit), rtol=1e-10)


def test_logistic_regression_on_the_true_support_recovers_the_weights():
    truth = Truth()
    team = build_team(SimulationRequest(deals=MANY, open_deals=0, seed=11), truth)
    block = draw_block(team, np.random.default_rng(11), MANY, closed=True)
    offset = fixed_logit(team.truth, block.facts)
    design = np.zeros((MANY, len(DECISION_METHODS), len(ROLES)))
    design[np.arange(MANY), block.facts.method] = block.support
    design = design.reshape(MANY, -1)
    weights = np.zeros(design.shape[1])
    for _ in range(8):  # Newton's method on the concave log-likelihood
        chance = expit(offset + design @ weights)
        information = design.T @ (design * (chance * (1 - chance))[:, None])
        weights = weights + np.linalg.solve(information, design.T @ (block.won - chance))
    error = np.sqrt(np.diag(np.linalg.inv(information)))
    assert np.max(np.abs(weights - truth.array("role_weight").T.ravel()) / error) < 3


def test_a_given_truth_is_kept_and_makes_more_deals_of_the_same_team(few):
    more = simulate(50, 0, seed=99, truth=few.truth)
    assert more.truth == few.truth
    assert not more.closed["amount"].equals(few.closed["amount"][:50])


def test_the_drift_is_a_walk_from_zero_over_history_and_now():
    drift = np.array(simulate(1, 0, seed=1, quarters=200).truth.drift)
    assert len(drift) == 201
    assert drift[0] == 0
    assert np.diff(drift).std() == pytest.approx(0.15, rel=0.2)


def test_default_truth_follows_the_method():
    truth = Truth()
    for increasing in (truth.stage_effect, truth.coverage_effect, truth.reliability):
        assert all(low < high for low, high in pairwise(increasing))
    best = {method: ROLES[np.argmax(truth.array("role_weight")[:, at])] for at, method in enumerate(DECISION_METHODS)}
    assert best == {"scoring": "evaluator", "recommendation": "evaluator", "executive": "approver"}


# --- scenarios that break the model's assumptions -----------------------------------------------------------------


def test_support_can_be_correlated_across_roles():
    support = simulate(50_000, 0, seed=4, truth=Truth(support_correlation=0.4)).latent_closed.support
    correlation = np.corrcoef(support.T)
    # Roles that are not reported are shifted independently, which adds variance but no covariance.
    assert correlation[np.triu_indices(5, 1)] == pytest.approx(0.39, abs=0.03)
    assert abs(np.corrcoef(simulate(50_000, 0, seed=4).latent_closed.support.T)[0, 1]) < 0.02


def test_a_biased_seller_reports_more_support():
    made = simulate(60_000, 0, seed=4, truth=Truth(seller_bias_sd=0.5))
    bias = dict(zip(sorted(made.closed["seller"].unique()), made.truth.seller_bias, strict=True))
    means = made.closed.groupby("seller")["evaluator_support"].mean()
    assert np.corrcoef(means, means.index.map(bias))[0, 1] > 0.95
    assert set(simulate(10, 0, seed=4).truth.seller_bias) == {0.0}


def test_a_veto_lowers_the_odds_of_opposed_approvers_only():
    plain, vetoed = simulate(2_000, 0, seed=4), simulate(2_000, 0, seed=4, truth=Truth(veto=1.5))
    opposed = plain.latent_closed.support[:, 0] <= norm.ppf(0.13)
    change = vetoed.latent_closed.logit_win_prob - plain.latent_closed.logit_win_prob
    np.testing.assert_allclose(change, np.where(opposed, -1.5, 0.0), atol=1e-12)


def test_the_probit_link_is_the_normal_curve():
    latent = simulate(2_000, 0, seed=4, truth=Truth(link="probit")).latent_closed
    np.testing.assert_allclose(latent.win_prob, ndtr(latent.logit_win_prob * np.sqrt(np.pi / 8)), rtol=1e-12)


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"deals": -1, "open_deals": -2}, "'deals' is -1.*'open_deals' is -2"),
        ({"deals": 1.5}, "'deals' is 1.5"),
        ({"deals": True}, "'deals' is True"),
        ({"seed": -1}, "'seed'"),
        ({"quarters": 0}, "'quarters'"),
        ({"quarters": 201}, "at most 200"),
        ({"as_of": "2026-09-30"}, "'as_of'"),
        ({"as_of": dt.date(1, 1, 1)}, "'as_of'"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong, message):
    with pytest.raises(SettingsError, match=message):
        simulate(**({"seed": 1} | wrong))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"stage_effect": [1, 2]}, "'stage_effect' has shape"),
        ({"intercept": float("nan")}, "'intercept' has a number that is not finite"),
        ({"intercept": "high"}, "'intercept' does not consist of numbers"),
        ({"role_weight": np.zeros((5, 3))}, "'role_weight' must be above 0"),
        ({"reliability": (0.4, 0.6, 1.2)}, "'reliability' has a number outside"),
        ({"stage_share": (0.2, 0.2, 0.2, 0.2, 0.3)}, "'stage_share' do not sum"),
        ({"drift_sd": -1, "veto": -1}, "'drift_sd'.*'veto'"),
        ({"support_correlation": 1.0}, "'support_correlation'"),
        ({"seller_offset": [[1.0]]}, "'seller_offset' must be a list"),
        ({"seller_bias": [1.0]}, "same number of sellers"),
        ({"link": "cauchit"}, "cauchit"),
    ],
)
def test_an_impossible_truth_is_refused(wrong, message):
    with pytest.raises(SettingsError, match=message):
        Truth(**wrong)


def test_a_drift_of_another_length_is_refused(few):
    with pytest.raises(SettingsError, match="'drift' has 9 numbers, wanted 5"):
        simulate(seed=1, quarters=4, truth=few.truth)


def test_no_deals_make_empty_tables():
    made = simulate(0, 0, seed=1)
    assert made.closed.empty
    assert made.people.empty
    assert tuple(made.open.columns) == COLUMNS


# --- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_files_hold_what_memory_holds(tmp_path, few, format):
    write_simulation(tmp_path / "new" / "folder", seed=2026, format=format)
    for table in ("closed", "open", "people"):
        found = read_back(tmp_path / "new" / "folder" / f"{table}.{format}")
        pd.testing.assert_frame_equal(found, getattr(few, table), check_dtype=False)


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_chunks_make_one_table(tmp_path, format):
    seen: list[tuple[int, int]] = []
    write_simulation(
        tmp_path, 250, 30, seed=1, format=format, chunk=100, progress=lambda done, total: seen.append((done, total))
    )
    closed, people = (read_back(tmp_path / f"{table}.{format}") for table in ("closed", "people"))
    assert seen == [(100, 280), (200, 280), (250, 280), (280, 280)]
    assert list(closed["deal_id"]) == [f"D{number:05d}" for number in range(1, 251)]
    assert tuple(closed.columns) == COLUMNS
    assert people["person"].is_unique
    assert people["deal_id"].nunique() == 280
    assert {path.name for path in tmp_path.iterdir()} == {
        "truth.nc",
        *(f"{table}.{format}" for table in ("closed", "open", "people")),
    }


def test_empty_tables_keep_their_header(tmp_path):
    write_simulation(tmp_path, 5, 0, seed=1)
    assert (tmp_path / "open.csv").read_text("utf-8").strip() == ",".join(COLUMNS)


def test_the_truth_comes_back_from_its_file(tmp_path):
    truth = write_simulation(tmp_path, 40, 10, seed=3, truth=Truth(link="probit", veto=0.5))
    assert read_truth(tmp_path / "truth.nc") == truth
    with xr.open_dataset(tmp_path / "truth.nc", engine="h5netcdf") as read:
        assert read["role_weight"].dims == ("role", "decision_method")
        assert float(read["role_weight"].sel(role="approver", decision_method="executive")) == 1.0
        assert list(read["quarter"].to_numpy()[[0, -1]]) == ["2024Q3", "2026Q3"]
        assert read.attrs["seed"] == 3
        assert list(read["competitor"].to_numpy())[-1] == "(blank)"


def test_a_file_that_is_no_truth_is_refused(tmp_path):
    other = tmp_path / "other.nc"
    other.write_text("deals")
    for path in (other, tmp_path / "missing.nc"):
        with pytest.raises(InputError, match=path.name):
            read_truth(path)


def test_a_directory_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("here")
    with pytest.raises(OutputError, match="file"):
        write_simulation(tmp_path / "file", 5, 5, seed=1)
    with pytest.raises(SettingsError, match="xlsx"):
        write_simulation(tmp_path, 5, 5, seed=1, format="xlsx")


def test_a_failure_leaves_old_files_alone(tmp_path):
    write_simulation(tmp_path, 5, 5, seed=1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_simulation(tmp_path, 9, 9, seed=2, progress=fail)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_embedded_sample_is_what_the_code_makes(tmp_path):
    write_simulation(tmp_path, 300, 60, seed=2026)
    for table in ("closed.csv", "open.csv", "people.csv"):
        assert (SAMPLE / table).read_bytes() == (tmp_path / table).read_bytes()
    with (
        xr.open_dataset(SAMPLE / "truth.nc", engine="h5netcdf") as kept,
        xr.open_dataset(tmp_path / "truth.nc", engine="h5netcdf") as made,
    ):
        xr.testing.assert_identical(kept, made)


def test_the_data_dictionary_names_every_column():
    text = (SAMPLE / "README.md").read_text("utf-8")
    for name in (*COLUMNS, *PEOPLE_COLUMNS):
        role = next((role for role in ROLES if name.startswith(f"{role}_")), None)
        assert f"`{name}`" in text or (role and f"`{name.replace(role, '<role>')}`" in text), name
