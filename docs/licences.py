"""The licence of every package in requirements.lock, as a page: what the package itself declares, and who needs it.

Run as a program (``./dev licences``) it writes ``docs/licences.md``. It reads the installed packages; those of another
platform are not installed here and are named as such.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
_LOCKED = re.compile(r"^([\w.-]+)==([^\s;]+)(?: *;[^\\\n]*)? *\\?$", re.MULTILINE)
_COPYLEFT = re.compile(r"\b[AL]?GPL|GNU")
_DEVELOPMENT = "development"
_HEAD = """# Licences

winprob is under the Apache License 2.0. It contains no code of the packages below; `pip` installs them next to it.
This page is written by `./dev licences` from `requirements.lock` and from what each installed package declares. It is
no legal advice. Several licences of one package are separated by a slash; whether one may choose among them is in the
package's own files.

*Needed by* is `base` for what `pip install winprob` installs, else the extras, else `development` for what only tests
and documentation need, and what no user of winprob installs.
"""


def locked() -> dict[str, str]:
    """Version of every package in requirements.lock."""
    return dict(_LOCKED.findall((ROOT / "requirements.lock").read_text(encoding="utf-8")))


def found(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def licence(package: Distribution) -> str:
    """What a package declares: a licence expression, else classifiers, else a text."""
    meta = package.metadata
    if expression := meta.get("License-Expression"):
        return str(expression)
    classes = [line.split(" :: ")[-1] for line in meta.get_all("Classifier") or [] if line.startswith("License")]
    if classes := [name for name in classes if name != "OSI Approved"]:
        return " / ".join(classes)
    text = (meta.get("License") or "").strip().splitlines()
    return str(text[0]) if text else "not declared"


def closure(requirements: list[str]) -> set[str]:
    """Every package that these need on this platform, themselves included."""
    seen: set[tuple[str, str]] = set()
    todo = [(Requirement(text), "") for text in requirements]
    while todo:
        wanted, extra = todo.pop()
        if wanted.marker and not wanted.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(wanted.name)
        package = found(name)
        for asked in ("", *wanted.extras):
            if (name, asked) not in seen:
                seen.add((name, asked))
                todo += [(Requirement(text), asked) for text in (package.requires if package else None) or ()]
    return {name for name, _ in seen}


def needed_by() -> dict[str, str]:
    """By package: ``base``, the extras that need it, or ``development``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = closure(project["dependencies"])
    extras = {extra: closure(wanted) for extra, wanted in project["optional-dependencies"].items()}

    def who(name: str) -> str:
        users = [extra for extra, names in extras.items() if name in names]
        if found(name) is None:
            return "another platform"
        return "base" if name in base else ", ".join(users) or _DEVELOPMENT

    return {name: who(name) for name in locked()}


def page() -> str:
    """The page in Markdown."""
    users, packages = needed_by(), {name: found(name) for name in locked()}
    rows = [
        (
            name,
            version,
            licence(package) if (package := packages[name]) else "not installed on this platform",
            users[name],
        )
        for name, version in sorted(locked().items())
    ]
    table = ["| package | version | licence | needed by |", "|---|---|---|---|"]
    table += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([_HEAD, *_copyleft(rows), "## All packages", "", *table, ""])


def _copyleft(rows: list[tuple[str, str, str, str]]) -> Iterator[str]:
    """The packages under a licence of the GNU family, first those that a user may install."""
    gnu = [(name, terms, who) for name, _, terms, who in rows if _COPYLEFT.search(terms)]
    yield "## GPL, LGPL and AGPL"
    yield ""
    for group, of_group in (
        ("In the base installation: {names}.", "base"),
        ("In extras: {names}.", None),
        ("Only in development, installed by no user: {names}.", _DEVELOPMENT),
    ):
        names = [
            f"{name} ({terms}{'' if of_group else '; ' + who})"
            for name, terms, who in gnu
            if who == of_group or (of_group is None and who not in ("base", _DEVELOPMENT))
        ]
        yield group.format(names="; ".join(names) or "none")
        yield ""


if __name__ == "__main__":
    scratch = PAGE.with_suffix(".scratch")
    scratch.write_text(page(), encoding="utf-8")
    os.replace(scratch, PAGE)
