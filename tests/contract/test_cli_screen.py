"""Every command that prints a table, at 80 and 120 columns in both languages: nothing is cut, no line is too wide.

Each command runs once a language, on the stored model of ``tests/golden``; its table is then drawn at every width. The
commands that refit are stand-ins: their tables have the columns and the longest values of real ones.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import click
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

import winprob
from winprob import Registry
from winprob.cli import main, retrain, show, text_table
from winprob.cli.text_table import TextColumn
from winprob.evaluation import diagnosis, learning_curve, sentences
from winprob.evaluation.backtesting import TABLE
from winprob.i18n import use_language
from winprob.model.posterior import Posterior
from winprob.report import retraining as retraining_page
from winprob.retrain import candidate, replay
from winprob.retrain.replay.replaying import REPLAY_COLUMNS
from winprob.scale import teams

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
WIDTHS, LANGUAGES = (80, 120), ("en", "zh")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
#: Canonical names with an underscore: in Chinese none is left but in these columns.
CANONICAL = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
IDENTIFIERS = ("parameter", "setting", "key", "subject", "message", "source", "value", "first", "second", "fault")
#: Headings that are the same in both languages.
ALIKE = {"P10", "P50", "P90", "PIT", "AUC"}
MODELS = ("winprob", "winprob + seller", "previous model", "CRM stage default", "rep_probability")

FLAGS = ("--model", "model.nc")
ANSWERS = """deal_id,question,value,day
D00161,signs.exploration.says.must_solve,yes,2026-06-20
D00161,signs.exploration.does.collects_data,yes,2026-06-20
D00161,coach.selection.access,no,2026-06-20
"""
#: A call for every command with a table. Those of the model registry are below.
CALLS = {
    "config": ["config"],
    "check": ["check", "deals.csv", "--mapping", "mapping.toml", "--people", "people.csv"],
    "snapshot": ["snapshot", "deals.csv", "--mapping", "mapping.toml", "--as-of", "2026-07-01", "--history", "new"],
    "train": ["train", "--prior-only", "--model", "prior.nc", "--parameters"],
    "priors": ["priors"],
    "predict": ["predict", "history", *FLAGS, "--by", "2026-09-30", "--flags", "--sort", "value"],
    "explain": ["explain", "history", *FLAGS, "--deal", "D00161"],
    "backtest": ["backtest", "history"],
    "diagnose": ["diagnose", "history", *FLAGS],
    "learning-curve": ["learning-curve", "history"],
    "effects": ["effects", "model.nc"],
    "flags": ["flags", "history"],
    "worksheets": ["worksheets", "history", "--answers", "answers.csv"],
    "levers": ["levers", "history", *FLAGS, "--evidence"],
    "levers --by": ["levers", "history", *FLAGS, "--by", "segment"],
    "postmortem": [
        *("postmortem", "deals.csv", "--mapping", "mapping.toml", "--people", "people.csv", *FLAGS),
        *("--deal", "D00162"),
    ],
    "whatif": [
        "whatif",
        "history",
        *FLAGS,
        "--deal",
        "D00161",
        "--set",
        "approver_support=3",
        "--set",
        "stage=decision",
    ],
    "intel": ["intel", "history", *FLAGS, "--top", "5", "--more"],
    "allocate": ["allocate", "history", *FLAGS, "--executives", "executives.toml", "--goal", "wins"],
    "forecast": ["forecast", "history", *FLAGS, "--quarter", "P26-3", "--target", "2e7", "--rates", "rates.csv"],
    "forecast --by": ["forecast", "history", *FLAGS, "--quarter", "P26-3", "--rates", "rates.csv", "--by", "segment"],
    "track": ["track", "forecasts", "history", "--rates", "rates.csv"],
    "replay": ["replay", "history", "--quarters", "4"],
    "writeback": [
        *("writeback", "history", *FLAGS, "--target", "salesforce", "--external-id", "Deal_Number__c"),
        *("--out", "writeback", "--dry-run"),
    ],
    "retrain": ["retrain", "history", "--registry", "fresh"],
    "train-teams": ["train-teams", "history", "--by", "segment", "--registry", "teams", "--workers", "1"],
    "models list": ["models", "list", "--registry", "registry"],
    "models show": ["models", "show", "2", "--registry", "registry"],
    "models compare": ["models", "compare", "1", "2", "--registry", "registry"],
    "models verify": ["models", "verify", "--registry", "registry"],
    "monitor": ["monitor", "history", *FLAGS],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A table as its command gave it to the screen, and what was drawn of it."""

    columns: Sequence[TextColumn]
    least: Sequence[str]
    text: str
    width: int


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, believed: Posterior) -> Path:
    """The stored model with its files, and a registry of two models."""
    place = Path(shutil.copytree(GOLDEN, tmp_path_factory.mktemp("screen") / "v1"))
    believed.save(place / "believed.nc")
    (place / "answers.csv").write_text(ANSWERS, encoding="utf-8")
    registry = Registry(place / "registry")
    for name, settings in (("model.nc", b"[sampler]\ndraws = 500\n"), ("believed.nc", b"[sampler]\nchains = 2\n")):
        files = {"model.nc": (place / name).read_bytes(), "settings.toml": settings, "definitions.json": b"{}"}
        registry.add(files, by="wang", reason="the second quarter, with the new mapping of the stages")
    registry.promote(1, by="wang", reason="first")
    return place


def scores() -> pd.DataFrame:
    """A table of scores in which a number that is cut would be another number."""
    numbers = {name: [0.1 + 0.01 * at for at in range(len(MODELS))] for name in TABLE[1:-1]}
    return pd.DataFrame({"model": MODELS, **numbers, "n": [190, 190, 190, 188, 190]})


def checks() -> pd.DataFrame:
    subjects = ["win rate", "win rate, approver_coverage=identified", "spread of win rates, seller", "log loss"]
    kinds, verdicts = ["predictive", "predictive", "predictive", "left out"], ["agrees", diagnosis.OUTSIDE]
    ends = {"value": [0.44, 0.08, 0.1, 0.612], "lower": [0.4, 0.15, 0.02, 0.5], "upper": [0.5, 0.62, 0.2, 0.7]}
    return pd.DataFrame(
        {
            "check": kinds,
            "subject": subjects,
            **ends,
            "verdict": [*verdicts, diagnosis.WITH, "3 deals not to be trusted"],
        }
    )


def replayed() -> pd.DataFrame:
    rows = [
        (f"2026Q{at}", week, dt, *[1.2345e7 * at] * 4, True, 0.5, *[-2.2e6] * 4, *[1.5e7] * 3)
        for at, week, dt in ((1, 1, "2026-01-01"), (2, 10, "2026-06-08"))
    ]
    return pd.DataFrame(rows, columns=list(REPLAY_COLUMNS))


def fitted(task: teams.TeamFit) -> dict[str, object]:
    note = "0001-3fa9c1" if len(task.team) % 2 else "already there"
    verdict = teams.PROMOTED if len(task.team) % 2 else teams.SKIPPED
    return {"team": task.team, "deals": 120, "won": 48, "verdict": verdict, "note": note, "registry": task.registry}


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the commands that refit: their tables."""
    result = SimpleNamespace(table=scores)
    monkeypatch.setattr(winprob, "run_backtest", lambda *_, **__: result)
    monkeypatch.setattr(diagnosis, "diagnose", lambda *_, **__: SimpleNamespace(table=checks))
    curve = scores().assign(deals=[0, 10, 30, 80, 200], interval_width=0.21, prior_share=0.4)
    monkeypatch.setattr(learning_curve, "learning_curve", lambda *_, **__: curve)
    monkeypatch.setattr(learning_curve, "deals_to_halve", lambda *_: None)
    for name in ("backtest_sentences", "diagnosis_sentences"):
        monkeypatch.setattr(sentences, name, lambda *_: [])
    past = SimpleNamespace(table=replayed(), correction=None)
    monkeypatch.setattr(winprob, "replay_forecasts", lambda *_, **__: past)
    monkeypatch.setattr(replay, "replay_sentences", lambda *_: [])
    done = SimpleNamespace(gate=SimpleNamespace(difference=True), candidate=None)
    monkeypatch.setattr(candidate, "run_retraining", lambda *_, **__: done)
    for name in ("gate_sentences", "decision_sentences"):
        monkeypatch.setattr(candidate, name, lambda *_: [])
    monkeypatch.setattr(teams, "fit_team", fitted)
    monkeypatch.setattr(retraining_page, "render_retraining", lambda *_: "")
    monkeypatch.setattr(retrain, "scores_table", lambda _: scores())


@pytest.fixture
def drawn(place: Path, monkeypatch: pytest.MonkeyPatch, stand_ins: None) -> Callable[[Sequence[str], str], list[Drawn]]:
    """The tables that a command prints, drawn at every width."""
    monkeypatch.chdir(place)
    draw, tables = text_table.draw_table, []

    def at_every_width(columns: Sequence[TextColumn], width: int, *, least: Sequence[str], fixed: bool) -> str:
        for narrow in WIDTHS:
            text = draw(columns, narrow, least=least)
            tables.append(Drawn(columns=columns, least=least, text=text, width=narrow))
        return draw(columns, width, least=least, fixed=fixed)

    monkeypatch.setattr(text_table, "draw_table", at_every_width)

    def call(words: Sequence[str], language: str) -> list[Drawn]:
        tables.clear()
        result = run(*words, "--lang", language)
        assert result.exit_code in (0, 3), result.output
        return list(tables)

    return call


def commands(group: click.Group = main, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def test_every_command_with_a_table_is_drawn() -> None:
    """A command is found by its option ``--format`` with the choice ``table``."""
    tables = {
        name
        for name, command in commands()
        for option in command.params
        if isinstance(option.type, click.Choice) and "--format" in option.opts and "table" in option.type.choices
    }
    assert tables == {name.partition(" --")[0] for name in CALLS}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", CALLS)
def test_no_cell_is_cut(
    name: str, language: str, drawn: Callable[[Sequence[str], str], list[Drawn]], place: Path
) -> None:
    shutil.rmtree(place / "new", ignore_errors=True)
    tables = drawn(CALLS[name], language)
    assert [table.width for table in tables] == list(WIDTHS)
    with use_language(language):
        for table in tables:
            assert_whole(table)
            if language == "zh":
                assert_chinese(table)


def assert_whole(table: Drawn) -> None:
    """Every character of every cell is drawn, no line is too wide, and a column that is left out is named."""
    lines = table.text.split("\n")
    assert max(map(cell_len, lines)) <= table.width, table.text
    in_rows = any(line.strip() and set(line.strip()) == {"─"} for line in lines)
    text, note = table.text, ""
    if in_rows:
        text, _, note = table.text.partition("\n\n")
    # "Left out for lack of width: a, b. A wider window ..."
    named = re.split(r"[,、]", re.split(r"[.。]", squeezed(note).replace("：", ":").partition(":")[2])[0])
    left_out = [column for column in table.columns if squeezed(column.heading) in named]
    assert {column.name for column in left_out} <= set(table.least)
    assert len(left_out) == len([name for name in named if name])
    shown = [column for column in table.columns if column not in left_out]
    assert table.columns[0] in shown
    assert "n" not in [column.name for column in left_out]
    rows = len(table.columns[0].cells)
    headings = "".join(column.heading for column in shown) * (1 if in_rows else rows)
    cells = "".join(cell for column in shown for cell in column.cells)
    assert Counter(squeezed(text)) == Counter(squeezed(headings + cells)), table.text
    words = set(text.split())
    for column in shown:
        if column.number:
            assert set(column.cells) <= words, column.heading


def squeezed(text: str) -> str:
    return re.sub(r"[\s\u200b]", "", text).replace("─", "")


def assert_chinese(table: Drawn) -> None:
    for column in table.columns:
        assert CHINESE.search(column.heading) or column.heading in ALIKE, column.heading
        if column.name not in IDENTIFIERS:
            assert not [cell for cell in column.cells if CANONICAL.search(cell)], column.name


def test_the_screen_sets_the_width_of_tables_and_notes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wide = run("train", "--prior-only", "--model", tmp_path / "m.nc", "--parameters")
    assert max(map(len, wide.stderr.splitlines())) > 80
    monkeypatch.setattr(show, "_is_screen", lambda _: True)
    monkeypatch.setenv("COLUMNS", "80")
    for language in LANGUAGES:
        result = run("train", "--prior-only", "--model", tmp_path / "m.nc", "--parameters", "--lang", language)
        assert max(map(cell_len, result.stdout.splitlines() + result.stderr.splitlines())) <= 80


def test_a_pipe_gets_every_column_whatever_columns_says(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "40")
    header = run(*CALLS["levers"]).stdout.splitlines()[0].split()
    assert header == list(pd.read_csv(Path(out(place, "levers.csv"))).columns)


def out(place: Path, name: str) -> str:
    result = run(*CALLS["levers"], "--out", place / name)
    assert result.exit_code == 0, result.output
    return str(place / name)
