"""docs/licences.md: every locked package with its licence, and the GPL ones only where no user installs them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def licences() -> object:
    sys.path.insert(0, str(ROOT / "docs"))
    import licences

    sys.path.remove(str(ROOT / "docs"))
    return licences


def rows() -> list[list[str]]:
    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    return [line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| [a-z0-9]", line)][1:]


def test_the_page_lists_what_is_locked() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE)
    assert len(locked) > 100
    assert [tuple(row[:2]) for row in rows()] == sorted(locked), "run ./dev licences"


def test_the_page_says_what_the_packages_declare(licences) -> None:
    """Of those that are installed here; on another platform others are."""
    page = {row[0]: row[2] for row in rows()}
    here = {name: licences.licence(package) for name in page if (package := licences.found(name))}
    assert len(here) > 100
    assert {
        name: terms for name, terms in here.items() if page[name] not in (terms, "not installed on this platform")
    } == {}


def test_no_user_installs_a_package_that_is_under_the_gpl_alone() -> None:
    """The LGPL lets a program import a library; several licences of one package may be a choice."""
    gpl = {row[0]: row[3] for row in rows() if re.search(r"\bA?GPL", row[2]) and " / " not in row[2]}
    assert "trytond" in gpl
    assert set(gpl.values()) == {"development"}
    gnu = {row[0]: row[3] for row in rows() if re.search(r"GPL|GNU", row[2])}
    assert "base" not in gnu.values()
    assert {name for name, who in gnu.items() if who != "development"} == {"psycopg", "psycopg-binary", "pyphen"}
