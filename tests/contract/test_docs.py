"""The documentation site: complete, in step with the program, and without any request to the network."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import winprob
from winprob.cli import main

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
METHODOLOGY = ROOT / "winprob" / "methodology"

sys.path.insert(0, str(DOCS / "_ext"))
tables: dict[str, str] = import_module("page_tables").tables()


def pages() -> dict[str, str]:
    return {path.relative_to(DOCS).as_posix(): path.read_text("utf-8") for path in sorted(DOCS.rglob("*.md"))}


def test_the_api_reference_lists_and_documents_every_public_name() -> None:
    text = pages()["reference/api.md"]
    documented = re.findall(r"^\.\. auto(?:function|class|exception):: (\w+)$", text, re.MULTILINE)
    summaries = re.findall(r"^   (\w+)$", text, re.MULTILINE)
    assert sorted(documented) == sorted(winprob.__all__)
    assert sorted(summaries) == sorted(winprob.__all__)


def test_every_dotted_name_of_the_api_reference_exists() -> None:
    # The documentation build fails on a name that moved, long after the tests; here it fails at once.
    dotted = re.findall(r"^\.\. auto\w+:: ([\w.]+)\.(\w+)$", pages()["reference/api.md"], re.MULTILINE)
    assert dotted, "the API reference names at least the class of a monitoring"
    assert [f"{module}.{name}" for module, name in dotted if not hasattr(import_module(module), name)] == []


def test_the_command_reference_is_generated_from_the_program() -> None:
    text = pages()["reference/commands.md"]
    assert ".. click:: winprob.cli:main" in text
    assert ":nested: full" in text


def test_the_guide_lists_every_command_and_its_page() -> None:
    rows = re.findall(
        r"^\| `winprob ([a-z-]+)` \|.*\| (?:\[.*\]\((.*)\))? ?\|$", pages()["guide/README.md"], re.MULTILINE
    )
    assert sorted(command for command, _ in rows) == sorted(main.commands)
    assert [command for command, page in rows if page and f"winprob {command}" not in pages()[f"guide/{page}"]] == []


def test_every_table_is_on_a_page_and_every_insertion_has_a_table() -> None:
    inserted = re.findall(r"^\{\{ (\w+) \}\}$", "\n".join(pages().values()), re.MULTILINE)
    assert sorted(inserted) == sorted(tables)


@pytest.mark.parametrize(
    "group", ["stage", "role", "decision_method", "coach", "support", "coverage", "outcome", "rep_category", "column"]
)
def test_the_glossary_has_every_word_in_both_languages(group: str) -> None:
    words = tomllib.loads((METHODOLOGY / "vocabulary.toml").read_text("utf-8"))[group]
    rows = [f"| `{value}` | {word['en']} | {word['zh']} |" for value, word in words.items()]
    assert tables[f"words_{group}"].splitlines()[2:] == rows


@pytest.mark.parametrize(
    ("table", "subject", "parts"),
    [
        ("items_stages", "stages", {"state", "cares", "do"}),
        ("items_chain", "chain", {"decides"}),
        ("items_rubric", "support", None),
        ("items_coach", "coach", None),
    ],
)
def test_the_glossary_has_every_item_of_a_subject(table: str, subject: str, parts: set[str] | None) -> None:
    items = tomllib.loads((METHODOLOGY / "subjects" / f"{subject}.toml").read_text("utf-8"))["items"]
    wanted = [f"{item['en']} | {item['zh']} |" for item in items if parts is None or item["part"] in parts]
    assert [row.split(" | ", 1)[1] for row in tables[table].splitlines()[2:]] == wanted


def test_the_priors_of_the_model_page_are_the_defaults() -> None:
    for row in winprob.prior_sheet().itertuples():
        assert f"| {row.belief} | {row.lower:.2f} | {row.middle:.2f} | {row.upper:.2f} |" in tables["prior_sheet"]
    for name in winprob.Settings().priors.__slots__:
        assert f"| `{name}` |" in tables["prior_settings"]


def test_every_relative_link_leads_to_a_file() -> None:
    broken = {
        (page, link)
        for page, text in pages().items()
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
        if not link.startswith("http") and not (DOCS / page).parent.joinpath(link).exists()
    }
    assert broken == set()


def test_every_benchmark_that_a_page_names_exists() -> None:
    named = {name for text in pages().values() for name in re.findall(r"benchmarks/\w+\.(?:py|toml)", text)}
    assert {name for name in named if not (ROOT / name).exists()} == set()


@pytest.mark.slow
def test_the_site_builds_and_asks_the_network_for_nothing(tmp_path: Path) -> None:
    """Warnings are errors in ``./dev docs``; here the pages themselves are looked at."""
    build = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-d", str(tmp_path / "trees"), str(DOCS)]
    subprocess.run([*build, str(tmp_path / "html")], check=True, cwd=ROOT)
    built = {path.relative_to(tmp_path / "html").as_posix(): path for path in (tmp_path / "html").rglob("*.html")}
    assert {page.removesuffix(".md") + ".html" for page in pages()} <= built.keys()
    loads = re.compile(r'<(?:script|link|img|iframe)\b[^>]*(?:src|href)="(?:https?:)?//', re.IGNORECASE)
    assert [page for page, path in built.items() if loads.search(path.read_text("utf-8"))] == []
    model = built["reference/model.html"].read_text("utf-8")
    assert model.count('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block"') >= 14
    assert "winprob-train" in built["reference/commands.html"].read_text("utf-8")
    assert all(f'id="winprob.{name}"' in built["reference/api.html"].read_text("utf-8") for name in winprob.__all__)
