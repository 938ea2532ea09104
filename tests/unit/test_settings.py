"""Settings are read from TOML; a typo, a wrong type or a value out of range is an error that names the place."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, asdict
from pathlib import Path

import pytest

from winprob.errors import SettingsError
from winprob.settings import NumericCovariate, Settings, read_settings, settings_from


def write(folder: Path, text: str) -> Path:
    path = folder / "winprob.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_not_named_keeps_its_default(tmp_path):
    got = read_settings(write(tmp_path, "[sampler]\ndraws = 700\n"))
    assert got.sampler.draws == 700
    assert got.sampler.tune == Settings().sampler.tune
    assert got.priors == Settings().priors


def test_an_empty_file_is_all_defaults(tmp_path):
    assert read_settings(write(tmp_path, "")) == Settings()


def test_everything_can_be_set(tmp_path):
    text = """
    [priors]
    intercept = [-1, 0.5]
    role_weight = 1
    [covariates]
    varying = ["seller", "Team"]
    numeric = ["Age", { column = "amount", transform = "log1p" }]
    copies_count_once = false
    [gates]
    bulk_ess = 200
    [calendar]
    fiscal_year_start_month = 4
    """
    got = read_settings(write(tmp_path, text))
    assert got.priors.intercept == (-1.0, 0.5)
    assert got.priors.role_weight == 1.0
    assert got.covariates.varying == ("seller", "Team")
    assert got.covariates.numeric == (
        NumericCovariate(column="Age"),
        NumericCovariate(column="amount", transform="log1p"),
    )
    assert got.covariates.copies_count_once is False
    assert got.gates.bulk_ess == 200.0
    assert got.calendar.fiscal_year_start_month == 4


def test_settings_survive_plain_tables_and_json():
    changed = settings_from({"sampler": {"chains": 3}, "priors": {"unknown_support": [0.1, 0.2]}})
    assert settings_from(asdict(changed)) == changed
    assert settings_from(json.loads(json.dumps(asdict(changed)))) == changed


def test_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Settings().sampler.draws = 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[sampler]\ndrawz = 3", r"'sampler.drawz' is not known; did you mean draws\?"),
        ("[smapler]\ndraws = 3", r"'smapler' is not known; did you mean sampler\?"),
        ("[covariates]\nnumeric = [{ colum = 'Age' }]", r"'covariates.numeric.colum' is not known.* column"),
        ("[calendar]\nzzz = 3", r"did you mean fiscal_year_start_month, "),
    ],
)
def test_a_typo_is_an_error_with_a_suggestion(tmp_path, text, words):
    with pytest.raises(SettingsError, match=words):
        read_settings(write(tmp_path, text))


def test_all_typos_of_a_table_are_named_at_once():
    with pytest.raises(SettingsError, match=r"sampler\.drawz.*sampler\.tunes"):
        settings_from({"sampler": {"drawz": 3, "tunes": 4}})


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"sampler": 3}, "'sampler' is 3, wanted a table"),
        ({"sampler": {"draws": 700.0}}, "'sampler.draws' is 700.0, wanted a whole number"),
        ({"sampler": {"draws": True}}, "wanted a whole number"),
        ({"sampler": {"target_accept": "high"}}, "'sampler.target_accept' is 'high', wanted a number"),
        ({"sampler": {"target_accept": True}}, "wanted a number"),
        ({"priors": {"intercept": [0.1]}}, r"'priors.intercept' is \[0.1\], wanted 2 numbers"),
        ({"priors": {"intercept": 0.1}}, "wanted a list"),
        ({"priors": {"intercept": ["a", 1]}}, "wanted a number"),
        ({"covariates": {"varying": "seller"}}, "wanted a list"),
        ({"covariates": {"varying": [3]}}, "wanted a text"),
        ({"covariates": {"numeric": [3]}}, "wanted a column or a table"),
        ({"covariates": {"numeric": [{"column": 3}]}}, "wanted a text"),
        ({"covariates": {"numeric": [{"transform": "log1p"}]}}, "column"),
        ({"covariates": {"copies_count_once": 1}}, "copies_count_once"),
    ],
)
def test_a_wrong_type_is_an_error(table, words):
    with pytest.raises(SettingsError, match=words):
        settings_from(table)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"sampler": {"chains": 1}}, "'sampler.chains' is 1, wanted >= 2"),
        ({"sampler": {"tune": 99}}, "sampler.tune"),
        ({"sampler": {"draws": 49}}, "sampler.draws"),
        ({"sampler": {"thin": 0}}, "sampler.thin"),
        ({"sampler": {"thin": 1501}}, "sampler.thin"),
        ({"sampler": {"prior_draws": 9}}, "sampler.prior_draws"),
        ({"sampler": {"draws": 4000}}, "sampler.retry_draws"),
        ({"sampler": {"target_accept": 1}}, "'sampler.target_accept' is 1.0, wanted 0..1"),
        ({"sampler": {"retry_target_accept": 0}}, "sampler.retry_target_accept"),
        ({"gates": {"r_hat": 1}}, "gates.r_hat"),
        ({"gates": {"divergent_share": 1}}, "gates.divergent_share"),
        ({"priors": {"role_weight": 0}}, "priors.role_weight"),
        ({"priors": {"intercept": [0, -1]}}, "priors.intercept"),
        ({"priors": {"reliability_validated": [0, 3]}}, "priors.reliability_validated"),
        ({"priors": {"role_weight": float("nan")}}, "priors.role_weight"),
        ({"priors": {"role_weight": float("inf")}}, "priors.role_weight"),
        ({"priors": {"intercept": [float("nan"), 1]}}, "priors.intercept"),
        ({"covariates": {"pair_components": -1}}, "covariates.pair_components"),
        ({"covariates": {"numeric": [{"column": "A", "transform": "sqrt"}]}}, "identity, log1p"),
        ({"calendar": {"fiscal_year_start_month": 0}}, "wanted 1..12"),
        ({"calendar": {"fiscal_year_start_month": 13}}, "wanted 1..12"),
    ],
)
def test_a_value_out_of_range_is_an_error(table, words):
    with pytest.raises(SettingsError, match=words):
        settings_from(table)


def test_a_file_that_is_not_toml_says_where(tmp_path):
    with pytest.raises(SettingsError, match=r"is not TOML: .*line 1"):
        read_settings(write(tmp_path, "draws == 3"))


def test_a_file_in_another_encoding_is_not_toml(tmp_path):
    (tmp_path / "winprob.toml").write_bytes("说明 = '中文'".encode("gbk"))
    with pytest.raises(SettingsError, match="is not TOML"):
        read_settings(tmp_path / "winprob.toml")


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_a_file_that_cannot_be_read_says_why(tmp_path, name):
    with pytest.raises(SettingsError, match="cannot be read: "):
        read_settings(tmp_path / name)
