"""The wheel in a clean environment: it holds every file, runs without any extra, and names an extra that is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from winprob.extras import EXTRAS

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the pinned back end, without network."""
    folder = tmp_path_factory.mktemp("wheel")
    code = f"import uv_build; print(uv_build.build_wheel({str(folder)!r}))"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a new environment with the wheel, and of the locked packages only those of the base installation."""
    import licences

    folder = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True, timeout=120)
    python = folder / "venv" / "bin" / "python"
    install = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", wheel]
    subprocess.run([python, *install], check=True, timeout=120)
    shown = subprocess.run(
        [python, "-c", "import site; print(site.getsitepackages()[0])"], capture_output=True, text=True, check=True
    )
    base = folder / "base"
    base.mkdir()
    for name in (name for name, who in licences.needed_by().items() if who == "base"):
        package = licences.found(name)
        for top in {file.parts[0] for file in package.files if file.parts[0] not in ("..", "__pycache__")}:
            link = base / top
            if not link.exists():
                link.symlink_to(Path(package.locate_file(top)))
    (Path(shown.stdout.strip()) / "base.pth").write_text(str(base), encoding="utf-8")
    return python


def run(python: Path, folder: Path, *arguments: str, wanted: int = 0) -> str:
    """Output of the installed program in an empty folder; nothing of this checkout is on its path."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"}
    done = subprocess.run(
        [python, "-I", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == wanted, done.stderr[-3000:]
    return done.stdout + done.stderr


PROGRAM = ("-c", "import sys; from winprob.cli import main; sys.argv[0] = 'winprob'; main()")


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "winprob"], cwd=ROOT, capture_output=True, text=True, check=True)
    with zipfile.ZipFile(wheel) as file:
        inside = {name for name in file.namelist() if name.startswith("winprob/") and not name.endswith("/")}
    assert inside == set(listed.stdout.split())
    kinds = {Path(name).suffix for name in inside}
    assert {".po", ".toml", ".j2", ".css", ".js", ".typed"} <= kinds


def test_it_runs_without_any_extra(python: Path, tmp_path: Path) -> None:
    """A whole story: simulated deals are checked, predicted and forecast, by a model that has seen no deal."""
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version
    assert version[1] in run(python, tmp_path, *PROGRAM, "--version")
    where = run(python, tmp_path, "-c", "import winprob; print(winprob.__file__)")
    assert str(python.parents[1]) in where
    assert "forecast" in run(python, tmp_path, *PROGRAM, "--help")
    run(python, tmp_path, "-c", "import arviz, nutpie, pymc, sklearn, winprob; winprob.WinProbClassifier")
    run(python, tmp_path, *PROGRAM, "simulate", "--deals", "60", "--open", "8", "--out", "deals", "--seed", "1")
    run(python, tmp_path, *PROGRAM, "check", "deals/closed.csv")
    run(python, tmp_path, *PROGRAM, "train", "--prior-only", "--model", "model.nc", "--seed", "1")
    table = run(python, tmp_path, *PROGRAM, "predict", "deals/open.csv", "--model", "model.nc", "--format", "csv")
    assert table.count("\nD0") == 8
    run(python, tmp_path, *PROGRAM, "card", "model.nc", "--out", "card.html", "--lang", "zh")
    assert "模型" in (tmp_path / "card.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("extra", EXTRAS)
def test_each_extra_that_is_missing_is_one_message(python: Path, tmp_path: Path, extra: str) -> None:
    for module in EXTRAS[extra]:
        code = f"""
from winprob.errors import WinprobError
from winprob.extras import require
try:
    require({module!r}, {extra!r})
except WinprobError as error:
    print(error)
"""
        said = run(python, tmp_path, "-c", code).strip()
        assert said.endswith(f"pip install 'winprob[{extra}]'")
        assert "\n" not in said
