"""ARCHITECTURE.md, the folders and the import contract say the same, and the front door is light."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "winprob"
MAP_ROW = re.compile(r"^\| (`\w+`(?:, `\w+`)*) \| (.+?) \|(.*?)\|", re.MULTILINE)
PATH = re.compile(r"`((?:winprob|model|data|quarter|report)/[\w./-]+)`")

SAMPLER = {"arviz", "nutpie", "pymc", "pytensor", "numba"}
HEAVY = SAMPLER | {"altair", "h5py", "jinja2", "numpy", "pandas", "pyarrow", "pydantic", "scipy"}
SAYS_WHAT_IS_LOADED = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def rooms_in(folder: Path) -> set[str]:
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    return files | packages


def the_map() -> list[tuple[list[str], list[set[str]]]]:
    """Wings of each row, and the floors inside, top to bottom."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = MAP_ROW.findall(page.partition("## The map")[2].partition("\n## ")[0])
    return [
        (re.findall(r"\w+", names), [set(re.findall(r"\w+", floor)) for floor in inside.split(",") if floor.strip()])
        for names, _, inside in rows
    ]


def floors(container: str) -> list[set[str]]:
    """The layers of the import contract of a package, top to bottom; planned ones, in brackets, are left out."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    (contract,) = (c for c in contracts if c.get("containers") == [container])
    layers = [set(re.findall(r"\w+", re.sub(r"\(\w+\)", "", layer))) for layer in contract["layers"]]
    return [layer for layer in layers if layer]


def loaded_after(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after ``statement``, which may exit."""
    code = f"try:\n    {statement}\nexcept SystemExit as end:\n    assert not end.code\n{SAYS_WHAT_IS_LOADED}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_the_map_names_every_wing_once() -> None:
    wings = [wing for row, _ in the_map() for wing in row]
    assert sorted(wings) == sorted(rooms_in(HOUSE))


def test_the_map_has_the_wings_in_the_order_of_the_contract() -> None:
    height = {wing: at for at, floor in enumerate(floors("winprob")) for wing in floor}
    heights = [height[wing] for row, _ in the_map() for wing in row]
    assert heights == sorted(heights)
    assert height.keys() == rooms_in(HOUSE)


def test_the_map_has_the_floors_inside_the_wings() -> None:
    inside = {row[0]: inner for row, inner in the_map() if inner}
    assert inside == {wing: floors(f"winprob.{wing}") for wing in ("model", "data")}
    assert {wing: set().union(*inner) for wing, inner in inside.items()} == {
        wing: rooms_in(HOUSE / wing) for wing in inside
    }


def test_every_path_on_the_page_exists() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    paths = [path if path.startswith("winprob/") else f"winprob/{path}" for path in PATH.findall(page)]
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent for path in HOUSE.rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize(
    "statement", ["import winprob", "import winprob.cli", "from winprob.cli import main; main(['--help'])"]
)
def test_the_front_door_is_light(statement: str) -> None:
    assert loaded_after(statement) & HEAVY == set()


@pytest.mark.parametrize(
    "room",
    [
        "model.effects",
        "model.explanation",
        "model.features",
        "model.posterior",
        "model.prediction",
        "report",
        "simulation",
        "data.tables",
    ],
)
def test_only_training_loads_the_sampler(room: str) -> None:
    assert loaded_after(f"import winprob.{room}") & SAMPLER == set()
