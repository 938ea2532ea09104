"""README, its Chinese version and the guide are true: commands run, files exist, and the output they show is printed.

The fast lane runs every command that does not sample, with models that have seen no deal and a short history; shown
output that depends on neither is compared exactly. The slow lane trains the models with the pages' own commands and
compares the rest, numbers within the Monte Carlo error of another seed (``code_blocks.close``).
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result

import winprob
from winprob import Posterior, Settings
from winprob.cli import main
from winprob.data.tables.mapping import read_mapping
from winprob.model.hazards import learn_hazards
from winprob.routine.project import ProjectSettings
from winprob.routine.writeback.targets import TARGETS, read_target
from winprob.settings import SamplerSettings, settings_from
from winprob.toml import validate

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))
pages = import_module("code_blocks")

#: Looks like a path, and is the name of a time zone.
ZONES = {"Asia/Shanghai"}
#: Data that a user brings: the practice CRM of a benchmark.
OTHERS_DATA = {"sales_pipeline.csv"}
#: Models that have learned when a page shows what they print.
TRAINED = {"models/team.nc", "models/quarter.nc"}
#: The fast lane's history is shorter than the one of the pages, so that it takes seconds.
LONG, SHORT = "--quarters 10", "--quarters 2"

LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
PATH = re.compile(r"(?<![\w./])(?:\./)?[A-Za-z_.][\w.-]*(?:/[\w.-]*)+|(?<![\w./])[\w-]+\.(?:md|csv|toml|nc|html)\b")

on_every_page = pytest.mark.parametrize("page", pages.PAGES)


def runs_fast(command: str) -> bool:
    return not (pages.samples(command) or pages.needs_readers_file(command))


def exact(shown: Any) -> bool:
    """Whether the output of a block needs neither a trained model nor the long history."""
    whole = [*shown.runs, *(maker for command in shown.runs for maker in pages.makers(command))]
    return bool(shown.runs) and all(
        runs_fast(command) and not TRAINED & set(pages.words(command)) and LONG not in command for command in whole
    )


@pytest.fixture(scope="module")
def unlearned() -> Posterior:
    """A model that has seen no deal, with the few draws that a command needs to run."""
    return winprob.fit_prior(seed=1, settings=Settings(sampler=SamplerSettings(draws=50, thin=1, prior_draws=100)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, unlearned: Posterior) -> Path:
    """What the reader has: the sample, the pages' own files, and models (which have seen no deal)."""
    folder = tmp_path_factory.mktemp("reader")
    pages.furnish(folder)
    for name in ("team", "prior"):
        unlearned.save(folder / "models" / f"{name}.nc")
    closed = winprob.read_deals(ROOT / "data" / "closed.csv")
    hazards = learn_hazards(closed, unlearned.settings, draws=len(unlearned.flat["intercept"]), seed=1)
    replace(unlearned, hazards=hazards).save(folder / "models" / "quarter.nc")
    return folder


@pytest.fixture(scope="module")
def runs(folder: Path) -> Callable[[str], Result]:
    """Runs a command in the reader's folder, each once, after the commands that make the files it names."""
    run: Callable[[str], Result] = pages.runner(folder, trains=False, instead={LONG: SHORT})
    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Callable[[str], Result]]:
    """The same folder without models: the pages' own commands train them."""
    folder = tmp_path_factory.mktemp("trained")
    pages.furnish(folder)
    if (salvirt := pages.real_data() / "salvirt" / "salvirt.csv").exists():
        shutil.copy(salvirt, folder / "salvirt.csv")
    return folder, pages.runner(folder, trains=True)


def test_the_pages_have_what_these_tests_look_for() -> None:
    assert len(pages.COMMANDS) > 10
    assert {"deals.csv", "crm.csv", "crm.toml", "people.csv", "team.toml", "商机.csv"} <= pages.FILES.keys()
    assert sum(bool(shown.printed) and exact(shown) for shown in pages.SHOWN) >= 4
    assert sum(bool(shown.printed) and not exact(shown) for shown in pages.SHOWN) >= 10
    assert {page for page in pages.PAGES if not any(shown.page == page for shown in pages.SHOWN)} == set()
    listed = {f"docs/guide/{path.name}" for path in (ROOT / "docs" / "guide").glob("*.md")} - {"docs/guide/README.md"}
    # Their code is run by tests/graph/test_build_model.py, tests/contract/test_python_guide.py and test_scale.py.
    listed -= {f"docs/guide/{name}.md" for name in ("extending-the-model", "python", "scale")}
    assert listed == {page for page in pages.PAGES if page.startswith("docs/")}


def test_a_file_that_two_pages_write_out_is_the_same_in_both() -> None:
    written = [named for page in pages.PAGES for named in pages.NAMED_BLOCK.findall(pages.text_of(page))]
    assert len(set(written)) == len(pages.FILES)


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_a_readme_is_short(page: str) -> None:
    assert len(pages.text_of(page).splitlines()) <= 150


def test_both_readmes_have_the_same_parts() -> None:
    """Headings, blocks of code and lists correspond, and the commands differ by the language only."""
    english, chinese = (pages.text_of(page) for page in ("README.md", "README.zh.md"))
    heads = [re.findall(r"^(#+) |^```(\w+)$|^(\|?-+\|)", text, re.MULTILINE) for text in (english, chinese)]
    assert heads[0] == heads[1]
    assert len(re.findall(r"^[|-] ?", english, re.MULTILINE)) == len(re.findall(r"^[|-] ?", chinese, re.MULTILINE))
    commands = [
        [line.replace(" --lang zh", "") for shown in pages.shown_on(page) for line in shown.commands]
        for page in ("README.md", "README.zh.md")
    ]
    assert [line.replace("商机.csv", "deals.csv") for line in commands[1]] == commands[0]
    numbers = [re.findall(r"`benchmarks/[^`]*`|`\./dev [^`]*`", text) for text in (english, chinese)]
    assert numbers[0] == numbers[1]


@on_every_page
def test_every_command_parses(page: str) -> None:
    for shown in pages.shown_on(page):
        for command in shown.runs:
            name, *rest = pages.words(command)
            main.commands[name].make_context(name, rest)


@on_every_page
def test_every_command_that_does_not_sample_runs(page: str, runs: Callable[[str], Result]) -> None:
    commands = dict.fromkeys(command for shown in pages.shown_on(page) for command in shown.runs if runs_fast(command))
    results = {command: runs(command) for command in commands}
    assert {command: result.output for command, result in results.items() if result.exit_code or result.exception} == {}


@on_every_page
def test_what_it_says_is_printed_is_printed(page: str, runs: Callable[[str], Result]) -> None:
    blocks = [shown for shown in pages.shown_on(page) if shown.printed and exact(shown)]
    outputs = ["".join(runs(command).output for command in shown.runs) for shown in blocks]
    missing = [
        pages.missing_lines(shown.printed, output, exact=True) for shown, output in zip(blocks, outputs, strict=True)
    ]
    assert [lines for lines in missing if lines] == []


@pytest.mark.slow
@pytest.mark.timeout(3000)
@on_every_page
def test_what_trained_models_print_is_printed(page: str, trained: tuple[Path, Callable[[str], Result]]) -> None:
    folder, run = trained
    missing = {}
    for shown in pages.shown_on(page):
        own = pages.READERS_OWN & {word for command in shown.runs for word in pages.words(command)}
        if not shown.printed or exact(shown) or any(not (folder / name).exists() for name in own):
            continue
        output = "".join(run(command).output for command in shown.runs)
        lines = pages.missing_lines(shown.printed, output, exact=False)
        if lines:
            missing[shown.runs[-1]] = lines
    assert missing == {}, "paste the present output with: python docs/code_blocks.py"


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("total 83,370,373 94,189,736 20%", "total 83,327,565 94,094,208 19%", True),
        ("total 87,246,858 100,039,535 38%", "total 83,370,373 94,189,736 20%", False),
        ("P50 87,246,858 CNY", "P50 83,370,373 CNY", False),
        ("10 visits by 4 executives", "11 visits by 4 executives", False),
        ("odds x1.43 (1.09 to 1.96)", "odds x1.44 (1.08 to 2.03)", True),
        ("odds x1.43 (1.09 to 1.96)", "odds x1.90 (1.08 to 2.03)", False),
        ("D00302 20%", "D00303 20%", False),
        ("D00302 20%", "D00302 25%", False),
    ],
)
def test_numbers_may_differ_as_those_of_two_seeds_do(shown: str, printed: str, same: bool) -> None:
    assert (pages.missing_lines(shown, printed, exact=False) == []) is same
    assert pages.missing_lines(shown, printed, exact=True) == [shown]


def test_new_output_is_pasted_over_the_old() -> None:
    old = " deal_id   mean\n D1         20%\n …\n P50 is 80,000 CNY; …\n"
    now = "\n deal_id   mean\n ───────\n D2         50%\n D1         19%\nP50 is 81,500 CNY; 8 in 10 below 90,000.\n"
    assert pages.repasted(old, now) == " deal_id   mean\n D1         19%\n …\nP50 is 81,500 CNY; …\n"
    assert pages.repasted(now.replace("\n ───────", ""), now).strip() == now.replace(" ───────\n", "").strip()


def test_every_command_of_the_program_is_on_a_page() -> None:
    text = "\n".join(map(pages.text_of, pages.PAGES))
    named = set(re.findall(r"`winprob ([a-z-]+)", text)) | {pages.words(command)[0] for command in pages.COMMANDS}
    named |= {shlex.split(line)[1] for shown in pages.SHOWN for line in shown.commands if line == "./dev demo"}
    assert named - set(main.commands) == set()
    assert set(main.commands) - named == set()


@on_every_page
def test_every_option_it_names_exists(page: str) -> None:
    groups = [command for command in main.commands.values() if isinstance(command, click.Group)]
    options = {
        option
        for command in (*main.commands.values(), *(inner for group in groups for inner in group.commands.values()))
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    }
    of_others = {"--help"} | set(re.findall(r"--[a-z][a-z-]+", " ".join(_of_benchmarks(page))))
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", pages.text_of(page))) - options - of_others == set()


@on_every_page
def test_every_benchmark_it_names_takes_its_options(page: str) -> None:
    for command in _of_benchmarks(page):
        name, *options = command.split()
        program = (ROOT / name).read_text(encoding="utf-8")
        assert [option for option in options if option.startswith("--") and f'"{option}"' not in program] == []


def _of_benchmarks(page: str) -> list[str]:
    return re.findall(r"`(benchmarks/\w+\.py[^`]*)`", pages.text_of(page))


@on_every_page
def test_every_file_it_names_exists(page: str) -> None:
    text = pages.text_of(page)
    prose = pages.BLOCK.sub("", text)
    linked = {name for name in LINK.findall(prose) if not name.startswith("http")}
    assert {name for name in linked if not ((ROOT / page).parent / name).exists()} == set()
    named = set()
    for span in re.findall(r"`([^`]+)`", prose) + [line for shown in pages.shown_on(page) for line in shown.commands]:
        named |= set(PATH.findall(span))
    made = {name for name in named if name.startswith((*pages.MADE, "build/"))} | set(pages.FILES)
    by_simulate = {"closed.csv", "open.csv", "people.csv", "truth.nc"}
    of_a_project = {"winprob.toml", "actions.csv", "review.html", "visits/", "message.md", "decisions.csv"}
    known = made | pages.READERS_OWN | OTHERS_DATA | by_simulate | of_a_project | ZONES
    # `.venv` is made by ./dev setup.
    missing = {name for name in named - known if not (ROOT / name).exists() and not name.startswith(".venv/")}
    assert missing == set()
    assert all((ROOT / "data" / name).exists() for name in by_simulate)


@on_every_page
def test_its_settings_and_mappings_are_understood(page: str, tmp_path: Path) -> None:
    for body in pages.blocks(page, "toml"):
        table = tomllib.loads(body)
        if "columns" in table:
            assert read_mapping(table)[1] == []
        elif table.keys() <= set(TARGETS):
            (tmp_path / "fields.toml").write_text(body, encoding="utf-8")
            assert [read_target(name, tmp_path / "fields.toml").name for name in table] == list(table)
        elif table.keys() & {"database", "writeback"}:
            assert validate(ProjectSettings, table)[1] == []
        else:
            settings_from(table)


def test_its_python_runs(folder: Path, unlearned: Posterior, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(winprob, "fit", lambda deals, *, seed: unlearned, raising=False)
    promised = 0
    for page in pages.PAGES:
        for body in pages.blocks(page, "python"):
            room: dict[str, object] = {}
            exec(compile(body, page, "exec"), room)
            for name, columns in re.findall(
                r"^(\w+) = .*?# (.+?)$", body.replace("(\n", "(").replace("\n)", ")"), re.M
            ):
                assert list(room[name].columns) == columns.split(", ")  # type: ignore[attr-defined]
                promised += 1
    assert promised >= 4
