"""Files written by older versions: they still load, and give the answers that their version gave.

``v1/`` was written by version 0.1.0, see ``make_v1.py``. Only public names and commands are used here, so that modules
may move. Sentences may be reworded: columns of prose are not compared. One answer is of version 0.2.0, ``priors``: with
older settings it shows the priors of the model that would be fitted now, and that model has changed.
"""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

import winprob
from winprob.cli import main
from winprob.methodology import ROLES

V1 = Path(__file__).parent / "v1"
COMMANDS: dict[str, list[str]] = json.loads((V1 / "commands.json").read_text(encoding="utf-8"))
PUBLIC: dict[str, Any] = json.loads((V1 / "public_names.json").read_text(encoding="utf-8"))
PROSE = {"text", "message", "question", "channel", "belief", "label", "sentence"}
#: Draws are stored as 32-bit floats; sums of them differ in the last digits between processors.
RTOL, ATOL = 1e-5, 1e-6
#: Absolute tolerances by column, where that is too tight.
LOOSER = {
    # The share of 20 draws in which a visit is in that draw's best plan, to two draws: of plans nearly as good, the
    # solver may prefer another one on another processor.
    "prob_in_best": 0.11,
    # Steps of the bridge are differences of amounts of some ten million CNY, and may be zero: to the yuan.
    "amount of a step": 1.0,
}
#: Parameters and settings that have another name since.
RENAMED = {"effect_scale": "strength"}
#: Cells that a later version may have in place of one: fewer weights count as learned, none more.
STRICTER = {"evidence": {"learned": "mostly_prior"}}


@pytest.fixture(autouse=True)
def in_v1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(V1)


@pytest.fixture(scope="module")
def posterior() -> winprob.Posterior:
    return winprob.Posterior.load(V1 / "model.nc")


@pytest.fixture(scope="module")
def still_open() -> pd.DataFrame:
    """The history's open deals as last known."""
    now = winprob.review_table(V1 / "history")
    return now[now["outcome"] == "open"]


def run(*words: str) -> Result:
    done = CliRunner().invoke(main, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done


def assert_answer(name: str, answer: pd.DataFrame | str) -> None:
    """The table is the one of version 0.1.0, row by row; it may have further columns.

    But for ``allocate`` and ``allocate_bookings``: their figures are of 2026-11-28, since a log is read otherwise
    (decision 028).
    """
    text = answer if isinstance(answer, str) else answer.to_csv(index=False)
    now, then = pd.read_csv(io.StringIO(text)), pd.read_csv(V1 / "answers" / f"{name}.csv")
    assert set(then) <= set(now), name
    if name.startswith("check_"):
        now = _found_then(now, then)
    assert len(now) == len(then), name
    for column in (column for column in then if column not in PROSE):
        if pd.api.types.is_float_dtype(then[column]):
            atol = LOOSER.get("amount of a step" if name == "bridge" else str(column), ATOL)
            np.testing.assert_allclose(now[column], then[column], rtol=RTOL, atol=atol, err_msg=f"{name}, {column}")
        else:
            stricter, cells = STRICTER.get(column, {}), _cells(now[column])
            wanted = [
                stricter.get(old, old) if new != old else old
                for new, old in zip(cells, _cells(then[column]), strict=True)
            ]
            assert cells == wanted, f"{name}, {column}"


def _found_then(now: pd.DataFrame, then: pd.DataFrame) -> pd.DataFrame:
    """The findings of a check without those that only a later version makes; none may be lost."""
    spots = [column for column in then if column not in PROSE]
    wanted = Counter(then[spots].astype("str").itertuples(index=False, name=None))
    kept = []
    for spot in now[spots].astype("str").itertuples(index=False, name=None):
        kept.append(wanted[spot] > 0)
        wanted[spot] -= kept[-1]
    return now[kept].reset_index(drop=True)


def _cells(values: pd.Series) -> list[str]:
    cells = values.astype("str").fillna("").tolist()
    for new, old in RENAMED.items():
        cells = [cell.replace(new, old) for cell in cells]
    return cells


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_answer_as_before(name: str) -> None:
    answer = run(*COMMANDS[name], "--format", "csv").stdout
    if name == "levers":
        answer = _of_roles(pd.read_csv(io.StringIO(answer)))
    assert_answer(name, answer)


def _of_roles(levers: pd.DataFrame) -> pd.DataFrame:
    """Only the roles among the levers, with rank and probability of being best among them as version 0.1.0 had them.

    Coach, coverage and decision method are levers too since, and are ranked together with the roles.
    """
    roles = levers[levers["role"].isin(ROLES)].reset_index(drop=True)
    then = pd.read_csv(V1 / "answers" / "levers.csv")
    assert (roles.groupby("deal_id", sort=False)["rank"].diff().dropna() > 0).all()
    return roles.assign(rank=then["rank"], prob_best=then["prob_best"])


def test_roles_by_themselves_rank_as_before(posterior: winprob.Posterior, still_open: pd.DataFrame) -> None:
    assert_answer("levers", winprob.rank_roles(posterior, still_open, evidence=True))


def test_a_model_file(posterior: winprob.Posterior, still_open: pd.DataFrame) -> None:
    assert_answer("summary", winprob.summarise_posterior(posterior))
    in_yuan = still_open[still_open["currency"] == "CNY"]
    assert_answer("slip_prob", winprob.slip_prob(posterior, in_yuan).to_frame("slip_prob"))
    visits = winprob.read_visits("visits.csv")
    assert_answer("allocate_bookings", winprob.allocate(posterior, in_yuan, "executives.toml", visits=visits))


def test_a_model_file_saved_again(posterior: winprob.Posterior, still_open: pd.DataFrame, tmp_path: Path) -> None:
    posterior.save(tmp_path / "again.nc")
    again = winprob.Posterior.load(tmp_path / "again.nc")
    assert_answer("summary", winprob.summarise_posterior(again))
    assert_answer("predict", winprob.predict(again, still_open))


def test_a_history() -> None:
    rows = winprob.training_rows(winprob.read_history("history"))
    # Pushes were moves of a month or more; models of then still read these.
    assert_answer("training_rows", rows.assign(pushes=rows["month_pushes"]))
    assert_answer("read_deals", winprob.deal_ends("history"))


def test_an_export_is_found_in_the_history_it_was_added_to(tmp_path: Path) -> None:
    shutil.copytree("history", tmp_path / "history")
    export = ("deals.csv", "--mapping", "mapping.toml", "--people", "people.csv", "--as-of", "2026-07-01")
    done = run("snapshot", *export, "--history", str(tmp_path / "history"), "--format", "json")
    assert json.loads(done.stdout)[0]["added"] is False


def test_exports_with_mapping_people_and_preset() -> None:
    assert_answer("read_deals", winprob.read_deals("deals.csv", "mapping.toml", "people.csv"))
    assert_answer("read_preset", winprob.read_deals("salesforce.csv", "preset_mapping.toml"))


def test_a_log_of_forecasts(posterior: winprob.Posterior) -> None:
    rates = winprob.read_rates("rates.csv")
    now, then = winprob.review_table("history"), winprob.review_table("history", as_of="2026-05-04")
    assert_answer("read_forecasts", winprob.read_forecasts("forecasts"))
    assert_answer("bridge", winprob.bridge_forecasts(posterior, now, then, "P26-3", rates=rates).steps)


def test_a_log_is_continued(tmp_path: Path) -> None:
    shutil.copytree("forecasts", tmp_path / "forecasts")
    run(*COMMANDS["forecast_by_segment"], "--log", str(tmp_path / "forecasts"))
    assert len(winprob.read_forecasts(tmp_path / "forecasts")) == 3


def test_a_settings_file_with_every_key() -> None:
    """Every value is read into its section. Keys are not compared: a renamed one is accepted under its old name."""
    then = json.loads(Path("settings.json").read_text(encoding="utf-8"))
    settings = winprob.read_settings("settings.toml")
    now = json.loads(json.dumps(asdict(settings)))
    assert set(then) <= set(now)
    missing = {section: Counter(_leaves(then[section])) - Counter(_leaves(now[section])) for section in then}
    assert not {section: values for section, values in missing.items() if values}
    assert_answer("priors", winprob.prior_sheet(settings))


def _leaves(table: Any) -> Iterator[str]:
    """Numbers and texts of nested tables, each as text; 40 and 40.0 are one number."""
    if isinstance(table, dict):
        for value in table.values():
            yield from _leaves(value)
    elif isinstance(table, list) and any(isinstance(value, dict) for value in table):
        for value in table:
            yield from _leaves(value)
    else:
        yield json.dumps(float(table) if type(table) is int else table)


def test_public_names_are_still_there() -> None:
    assert not set(PUBLIC["names"]) - set(winprob.__all__)
    assert not [name for name in PUBLIC["names"] if not hasattr(winprob, name)]


def test_commands_and_their_options_are_still_there() -> None:
    lost = [name for name in PUBLIC["commands"] if name not in main.commands]
    for name, then in PUBLIC["commands"].items():
        params = main.commands[name].params if name in main.commands else []
        options = {opt for param in params if isinstance(param, click.Option) for opt in param.opts}
        lost += [f"{name} {option}" for option in then["options"] if option not in options]
        arguments = [param.name for param in params if isinstance(param, click.Argument)]
        lost += [f"{name} {argument}" for argument in then["arguments"] if argument not in arguments]
    assert not lost


def test_help_of_every_command_opens() -> None:
    assert all(run(name, "--help").stdout for name in PUBLIC["commands"])
