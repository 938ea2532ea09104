"""The size of the house: files one can read in a sitting, imports that do not crowd out code, plain English."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "winprob"
#: The aim for imports is 8 % of code lines; this is where the house is (decision 017).
MOST_LINES, FEWEST_CODE_LINES, MOST_IMPORTS = 350, 30, 0.10
#: Short files, each with its reason.
SHORT = {
    "arrays.py": "at the lowest floor: every wing imports it",
    "errors.py": "the exception tree, mostly docstrings",
    "extras.py": "optional packages, at a low floor: every wing that has one asks here",
    "data/exchange_rates.py": "a concept of its own, with a row on the map",
    "data/schema/access.py": "the one meaning of an open and a closed deal",
    "data/tables/sheets/parquet_reader.py": "one reader per kind of file",
    "methodology/vocabulary.py": "the canonical words, mostly one table",
    "model/draws.py": "at the lowest floor of the model: all of it summarises draws",
    "model/inference/pymc_model.py": "the public PyMC model, mostly docstrings",
    "model/win/lifts.py": "shared by levers, questions and visits",
}
_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def sources() -> dict[str, str]:
    return {str(path.relative_to(HOUSE)): path.read_text(encoding="utf-8") for path in sorted(HOUSE.rglob("*.py"))}


def code_lines(source: str) -> set[int]:
    """Lines that hold code: no blank line, comment or docstring."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {line for token in tokens if token.type not in _NO_CODE for line in range(token.start[0], token.end[0] + 1)}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            lines -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return lines


def import_lines(source: str) -> set[int]:
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {line for node in nodes for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


def test_no_file_is_too_long() -> None:
    lengths = {name: source.count("\n") for name, source in sources().items()}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_file_is_a_fragment() -> None:
    lengths = {name: len(code_lines(source)) for name, source in sources().items() if not name.endswith("__init__.py")}
    short = {name: lines for name, lines in lengths.items() if lines < FEWEST_CODE_LINES}
    assert {name: lines for name, lines in short.items() if name not in SHORT} == {}


def test_imports_are_a_small_share_of_the_code() -> None:
    texts = sources().values()
    share = sum(len(import_lines(text)) for text in texts) / sum(len(code_lines(text)) for text in texts)
    assert share <= MOST_IMPORTS


def test_a_package_front_defines_nothing() -> None:
    kinds = (ast.Import, ast.ImportFrom, ast.Assign, ast.Expr)
    fronts = {
        name: source for name, source in sources().items() if name.endswith("__init__.py") and name != "__init__.py"
    }
    defined = {
        name: [type(node).__name__ for node in ast.parse(source).body if not isinstance(node, kinds)]
        for name, source in fronts.items()
    }
    assert {name: nodes for name, nodes in defined.items() if nodes} == {}


def test_the_prose_is_plain_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import prose

    total, uses = prose.count(list(prose.prose_of(ROOT)))
    sys.modules.pop("prose")
    assert total > 50_000
    assert {word: number for word, number in uses.items() if 10_000 * number / total > prose.MOST} == {}
