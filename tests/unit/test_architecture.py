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
MAP_ROW = re.compile(r"^\| (\d) \| `(\w+)` \| (.+?) \|", re.MULTILINE)

SAMPLER = {"arviz", "nutpie", "pymc", "pytensor", "numba"}
HEAVY = SAMPLER | {"altair", "h5py", "jinja2", "numpy", "pandas", "pyarrow", "pydantic", "scipy"}
SAYS_WHAT_IS_LOADED = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def rooms_in_folder() -> set[str]:
    files = {path.stem for path in HOUSE.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in HOUSE.glob("*/__init__.py")}
    return files | packages


def rooms_on_map() -> dict[str, int]:
    rows = MAP_ROW.findall((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    floors = {name: int(floor) for floor, name, _ in rows}
    assert len(floors) == len(rows), "a room stands twice on the map"
    return floors


def rooms_in_contract() -> dict[str, int]:
    """Floor by room; the three lowest layers are one floor with steps in it."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (c for c in config["tool"]["importlinter"]["contracts"] if c.get("containers") == ["winprob"])
    return {
        name: max(0, height - 2)
        for height, layer in enumerate(reversed(contract["layers"]))
        for name in re.findall(r"\w+", layer)
    }


def loaded_after(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after ``statement``, which may exit."""
    code = f"try:\n    {statement}\nexcept SystemExit as end:\n    assert not end.code\n{SAYS_WHAT_IS_LOADED}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_every_room_is_on_the_map() -> None:
    assert rooms_in_folder() - rooms_on_map().keys() == set()


def test_every_room_on_the_map_exists() -> None:
    assert rooms_on_map().keys() - rooms_in_folder() == set()


def test_map_and_contract_agree_on_the_floors() -> None:
    contract = rooms_in_contract()
    on_map = rooms_on_map()
    assert on_map == {name: contract.get(name) for name in on_map}


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
