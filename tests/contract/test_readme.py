"""The README is true: its commands run, its files exist, what it says they print is printed."""

from __future__ import annotations

import contextlib
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import winprob
from winprob.cli import main
from winprob.data.tables.mapping import read_mapping
from winprob.model.hazards import learn_hazards
from winprob.model.posterior import Posterior
from winprob.settings import settings_from

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

#: What a reader brings or makes; everything else that is named must be there.
READERS_OWN = {
    "salvirt.csv",
    "salvirt/salvirt.csv",
    "ours.toml",
    "OpportunityContactRole.csv",
    "OpportunityFieldHistory.csv",
}
#: Looks like a path, and is the name of a time zone.
ZONES = {"Asia/Shanghai"}
MADE = ("models/", "reports/")
#: Models that have learned when the README says what they print.
TRAINED = {"models/team.nc", "models/quarter.nc"}

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED_BLOCK = re.compile(
    r"`([^`\s]+\.(?:csv|toml))`[^`\n]*[:：]\n\n```(?:csv|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\]\(([^)#]+)\)")
PATH = re.compile(r"(?<![\w./])(?:\./)?[A-Za-z_.][\w.-]*(?:/[\w.-]*)+|(?<![\w./])[\w-]+\.(?:md|csv|toml|nc|html)\b")
OMITTED = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A block of commands, and what the README says the block prints."""

    commands: tuple[str, ...]
    printed: str


def blocks(language: str) -> list[str]:
    return [body for kind, body in BLOCK.findall(README) if kind == language]


def _shown() -> Iterator[Shown]:
    found = list(BLOCK.finditer(README))
    for at, block in enumerate(found):
        if block[1] == "sh":
            after = found[at + 1] if at + 1 < len(found) else None
            printed = after[2] if after and after[1] == "text" else ""
            yield Shown(commands=tuple(line for line in block[2].splitlines() if line), printed=printed)


SHOWN = tuple(_shown())
COMMANDS = [line for shown in SHOWN for line in shown.commands if line.startswith("winprob ")]
FILES = dict(NAMED_BLOCK.findall(README))


def words(command: str) -> list[str]:
    return shlex.split(command)[1:]


def samples(command: str) -> bool:
    """Whether a command runs the sampler, or needs a file that the reader has to fetch."""
    refits = any(f"winprob {name} " in command for name in ("backtest", "diagnose", "learning-curve"))
    learns = refits or "winprob demo" in command or ("winprob train" in command and "--prior-only" not in command)
    return learns or any(name in command for name in READERS_OWN)


def cheap(shown: Shown) -> bool:
    """Whether what a block prints can be had without a model that has learned."""
    commands = [command for command in shown.commands if command.startswith("winprob ")]
    return bool(commands) and not any(samples(command) or TRAINED & set(words(command)) for command in commands)


def makers(command: str) -> list[str]:
    """Commands before this one in the README that name a file or folder of `reports/` which it names too."""
    named = {word for word in words(command) if word.startswith("reports/")}
    return [
        earlier
        for earlier in COMMANDS[: COMMANDS.index(command)]
        if not samples(earlier) and earlier != command and named & set(words(earlier))
    ]


def plain(line: str) -> str:
    return re.sub(r"\s+", " ", line).strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, believed: Posterior) -> Path:
    """What the reader has: the sample, the README's own files, and a model (which has seen no deal)."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "data").symlink_to(ROOT / "data")
    for name in MADE:
        (folder / name).mkdir()
    for name, content in FILES.items():
        (folder / name).write_text(content, encoding="utf-8")
    for name in ("team", "prior"):
        believed.save(folder / "models" / f"{name}.nc")
    closed = winprob.read_deals(ROOT / "data" / "closed.csv")
    hazards = learn_hazards(closed, believed.settings, draws=len(believed.flat["intercept"]), seed=1)
    replace(believed, hazards=hazards).save(folder / "models" / "quarter.nc")
    return folder


@pytest.fixture(scope="module")
def runs(folder: Path) -> Callable[[str], Result]:
    """Runs a command in the reader's folder, each but once, and before it what makes the files that it names."""

    @cache
    def run(command: str) -> Result:
        for maker in makers(command):
            run(maker)
        with contextlib.chdir(folder):
            return CliRunner().invoke(main, words(command))

    return run


def test_the_readme_has_what_these_tests_look_for() -> None:
    assert len(COMMANDS) > 10
    assert {"crm.csv", "crm.toml", "people.csv", "team.toml", "商机.csv"} <= FILES.keys()
    assert sum(bool(shown.printed) and cheap(shown) for shown in SHOWN) >= 4


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_command_parses(command: str) -> None:
    name, *rest = words(command)
    main.commands[name].make_context(name, rest)


@pytest.mark.parametrize("command", sorted({command for command in COMMANDS if not samples(command)}))
def test_every_command_that_does_not_sample_runs(command: str, runs: Callable[[str], Result]) -> None:
    result = runs(command)
    assert (result.exit_code, result.exception) == (0, None), result.output


@pytest.mark.parametrize(
    "shown",
    [shown for shown in SHOWN if shown.printed and cheap(shown)],
    ids=lambda shown: shown.commands[-1],
)
def test_what_it_says_is_printed_is_printed(shown: Shown, runs: Callable[[str], Result]) -> None:
    output = "".join(runs(command).output for command in shown.commands)
    lines = [plain(line) for line in output.splitlines()]
    for promised in map(plain, shown.printed.splitlines()):
        if promised.endswith(OMITTED):
            start = promised.removesuffix(OMITTED).strip()
            assert any(line.startswith(start) for line in lines), start
        else:
            assert promised in lines


def test_every_command_there_is_stands_in_the_readme() -> None:
    told = set(re.findall(r"`winprob ([a-z-]+)", README)) | {words(command)[0] for command in COMMANDS}
    assert told - set(main.commands) == set()
    assert set(main.commands) - told == set()


def test_every_option_it_names_exists() -> None:
    options = {
        option
        for command in main.commands.values()
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }
    of_others = {"--help"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)) - options - of_others == set()


def test_every_file_it_names_exists() -> None:
    prose = BLOCK.sub("", README)
    named = set(LINK.findall(prose))
    for span in re.findall(r"`([^`]+)`", prose) + [line for shown in SHOWN for line in shown.commands]:
        named |= set(PATH.findall(span))
    made = {name for name in named if name.startswith(MADE)} | set(FILES) | READERS_OWN
    by_simulate = {"closed.csv", "open.csv", "people.csv", "truth.nc"}
    missing = {name for name in named - made - by_simulate - ZONES if not (ROOT / name).exists()}
    # `.venv` is made by ./dev setup.
    assert {name for name in missing if not name.startswith(".venv/")} == set()
    assert all((ROOT / "data" / name).exists() for name in by_simulate)


def test_its_settings_and_mappings_are_understood() -> None:
    for body in blocks("toml"):
        table = tomllib.loads(body)
        if "columns" in table:
            assert read_mapping(table)[1] == []
        else:
            settings_from(table)


def test_its_python_runs(folder: Path, believed: Posterior, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(winprob, "fit", lambda deals, *, seed: believed, raising=False)
    (body,) = blocks("python")
    room: dict[str, object] = {}
    exec(compile(body, "README.md", "exec"), room)
    told = re.findall(r"^(\w+) = .*# (.+)$", body, re.MULTILINE)
    assert told
    for name, columns in told:
        assert list(room[name].columns) == columns.split(", ")  # type: ignore[attr-defined]
