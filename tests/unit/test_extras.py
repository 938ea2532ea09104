"""Extras: one message that names the extra where a package is missing, and the same packages as pyproject.toml."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from winprob import Posterior
from winprob.errors import MissingExtraError, WinprobError
from winprob.extras import EXTRAS, require
from winprob.i18n import use_language

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("extra", "module"), [(extra, module) for extra, names in EXTRAS.items() for module in names])
def test_a_missing_package_is_one_message_that_names_its_extra(
    extra: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(WinprobError, match=rf"pip install 'winprob\[{extra}\]'") as refused:
        require(module, extra)
    assert isinstance(refused.value, MissingExtraError)
    assert module in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_message_has_its_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with use_language("zh"), pytest.raises(MissingExtraError, match=r"附加组件 sql.*winprob\[sql\]"):
        require("sqlalchemy", "sql")


def test_an_installed_package_is_returned() -> None:
    assert require("keyring", "sql") is sys.modules["keyring"]


def test_a_module_of_another_extra_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="not of the extra 'sql'"):
        require("pyspark.sql", "sql")


def test_the_extras_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {
        extra: tuple(re.split(r"[^\w-]", requirement)[0].replace("-", "_") for requirement in requirements)
        for extra, requirements in project["optional-dependencies"].items()
    }
    assert declared == EXTRAS


#: Refuses every package of an extra, and those that tests and notebooks use, before it is looked for.
REFUSES = """
import sys
from winprob.cli import main


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {refused}:
            raise ImportError(f"{{name}} was imported")


sys.meta_path.insert(0, Refuse())
for arguments in {commands}:
    try:
        main(arguments)
    except SystemExit as end:
        assert not end.code, arguments
"""


def test_the_base_installation_imports_no_extra(tmp_path: Path, believed: Posterior) -> None:
    believed.save(tmp_path / "prior.nc")
    deals = str(ROOT / "data" / "open.csv")
    commands = [["--help"], ["check", deals], ["predict", deals, "--model", str(tmp_path / "prior.nc")]]
    refused = {module for modules in EXTRAS.values() for module in modules} | {"polars", "dask", "matplotlib"}
    code = REFUSES.format(refused=refused, commands=commands)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "D00301" in done.stdout
