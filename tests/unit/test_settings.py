"""Settings are read from TOML; a typo, a wrong type or a value out of range is an error that names the place."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path

import pytest

from winprob.errors import SettingsError
from winprob.i18n import use_language
from winprob.settings import (
    CovariateSettings,
    NumericCovariate,
    PriorSettings,
    SamplerSettings,
    Settings,
    read_settings,
    settings_from,
)


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
        ("[sampler]\ndrawz = 3", r"'sampler.drawz' is not known; did you mean 'draws'\?"),
        ("[smapler]\ndraws = 3", r"'smapler' is not known; did you mean 'sampler'\?"),
        (
            "[covariates]\nnumeric = [{ colum = 'Age' }]",
            r"'covariates.numeric.1.colum' is not known; did you mean 'column'\?",
        ),
        ("[calendar]\nzzz = 3", r"'calendar.zzz' is not known; accepted: fiscal_year_start_month, "),
    ],
)
def test_a_typo_is_an_error_with_a_suggestion(tmp_path, text, words):
    with pytest.raises(SettingsError, match=words):
        read_settings(write(tmp_path, text))


def test_all_offences_of_a_file_are_named_at_once(tmp_path):
    path = write(tmp_path, "[sampler]\ndrawz = 3\nchains = 1\n[priors]\nintercept = [1]\n[timings]\nnear = 1\n")
    with pytest.raises(SettingsError) as caught:
        read_settings(path)
    assert str(caught.value).splitlines() == [
        f"settings file {path}: 4 faults to fix",
        "  - 'sampler.chains' is 1, wanted >= 2",
        "  - 'sampler.drawz' is not known; did you mean 'draws'?",
        "  - 'priors.intercept' is [1], wanted a list of 2 numbers",
        "  - 'timings' is not known; did you mean 'timing'?",
    ]


def test_all_typos_of_a_table_are_named_at_once():
    with pytest.raises(SettingsError, match=r"(?s)2 faults to fix.*sampler\.drawz.*sampler\.tunes"):
        settings_from({"sampler": {"drawz": 3, "tunes": 4}})


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"sampler": 3}, "'sampler' is 3, wanted a table"),
        ({"sampler": {"draws": 700.0}}, "'sampler.draws' is 700.0, wanted a whole number"),
        ({"sampler": {"draws": True}}, "wanted a whole number"),
        ({"sampler": {"target_accept": "high"}}, "'sampler.target_accept' is 'high', wanted a number"),
        ({"sampler": {"target_accept": True}}, "wanted a number"),
        ({"priors": {"intercept": [0.1]}}, r"'priors.intercept' is \[0.1\], wanted a list of 2 numbers"),
        ({"priors": {"intercept": 0.1}}, "wanted a list"),
        ({"priors": {"intercept": ["a", 1]}}, "wanted a number"),
        ({"covariates": {"varying": "seller"}}, "wanted a list"),
        ({"covariates": {"varying": [3]}}, "wanted a text"),
        (
            {"covariates": {"numeric": [3]}},
            "'covariates.numeric' is .3., wanted columns, or tables with column and transform",
        ),
        ({"covariates": {"numeric": [{"column": 3}]}}, "wanted a text"),
        ({"covariates": {"numeric": [{"transform": "log1p"}]}}, "'covariates.numeric.1.column' is missing"),
        ({"covariates": {"copies_count_once": 1}}, "'covariates.copies_count_once' is 1, wanted true or false"),
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
        ({"sampler": {"draws": 5000}}, "sampler.retry_draws"),
        ({"sampler": {"target_accept": 1}}, "'sampler.target_accept' is 1, wanted > 0, < 1"),
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


def test_a_record_built_in_code_is_checked_as_well():
    with pytest.raises(SettingsError, match="'stage_step' is -1, wanted > 0"):
        PriorSettings(stage_step=-1)
    with pytest.raises(SettingsError, match="'drawz' is not known; did you mean 'draws'"):
        SamplerSettings(drawz=3)
    with pytest.raises(SettingsError, match=r"'retry_draws' is 4000, wanted >= sampler\.draws"):
        replace(Settings().sampler, draws=5000)
    assert CovariateSettings(varying=["seller"]) == CovariateSettings(varying=("seller",))
    assert Settings(priors=PriorSettings(stage_step=1)).priors.stage_step == 1.0


def test_parts_of_refit_keep_their_own_defaults():
    refit = settings_from({"refit": {"gates": {"bulk_ess": 40.5}, "sampler": {"draws": 300}}}).refit
    assert (refit.gates.bulk_ess, refit.gates.r_hat) == (40.5, 1.05)
    assert (refit.sampler.draws, refit.sampler.chains) == (300, 2)


def test_a_whole_number_and_a_float_are_accepted_where_a_float_is_wanted():
    one, other = (settings_from({"refit": {"gates": {"bulk_ess": value}}}) for value in (40, 40.0))
    assert one == other


# --- settings under their old names ---------------------------------------------------------------------------------


OLD = "[priors]\nstrength = [-0.5, 0.5]\n[visits]\nstrength = 10\n"


def test_an_old_name_is_accepted_with_a_note(tmp_path, caplog):
    got = read_settings(write(tmp_path, OLD))
    assert got == settings_from({"priors": {"effect_scale": [-0.5, 0.5]}, "visits": {"prior_sample_size": 10}})
    assert [(record.name, record.levelname) for record in caplog.records] == [("winprob", "WARNING")] * 2
    assert caplog.messages[0] == (
        "setting 'priors.strength' is now 'priors.effect_scale'; the old name is accepted in version 0.2 only"
    )
    caplog.clear()
    with use_language("zh"):
        read_settings(write(tmp_path, OLD))
    assert "已改名" in caplog.messages[0]


def test_an_old_name_in_a_model_file_gets_no_note(caplog):
    assert settings_from({"visits": {"strength": 10}}).visits.prior_sample_size == 10
    assert caplog.records == []


def test_a_setting_under_both_names_is_an_error(tmp_path):
    with pytest.raises(SettingsError, match=r"'visits.strength' is the old name of 'visits.prior_sample_size'"):
        read_settings(write(tmp_path, OLD + "prior_sample_size = 9\n"))


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("priors = " + "[" * 250 + "]" * 250, "nested too deeply"),
        ("x = " + "9" * 9000, "is not TOML"),
    ],
    ids=["nested beyond the parser", "nested beyond the validation", "a number of 9000 digits"],
)
def test_a_monstrous_file_is_one_short_message(tmp_path, text, reason):
    with pytest.raises(SettingsError, match=reason) as caught:
        read_settings(write(tmp_path, text))
    assert len(str(caught.value)) < 500


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "winprob.toml"
    path.write_text("[sampler]\ndraws = 700\n", encoding="utf-8-sig")
    assert read_settings(path).sampler.draws == 700


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
