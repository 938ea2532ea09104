"""Words of a private dialect in the prose of a checkout: uses per 10,000 words.

Prose is docstrings, comments, texts of the command line and of messages (string literals of four words and more), and
Markdown without its code. A statistician who searches a library for "censored" or "log density" should find it; words
that other libraries hardly use hide it.
"""

import argparse
import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Uses per 10,000 words that are no dialect: six statistics libraries stay below.
MOST = 3.0
DIALECT = {
    "tell, told": r"tell|tells|telling|told",
    "say, said": r"say|says|saying|said",
    "stand": r"stand|stands|standing|stood",
    "lie": r"lie|lies|lying|lay",
    "beside": r"beside",
    "nobody": r"nobody",
    "is no X": r"is no",
}
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LONG = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, nargs="?", default=ROOT, help="a checkout; this one by default")
    parser.add_argument("--lines", action="store_true", help="print each use with its file and line")
    asked = parser.parse_args()
    texts = list(prose_of(asked.root))
    total, uses = count(texts)
    print(f"{total:,} words of prose\n")
    for word, number in uses.items():
        print(f"{word:12} {number:5}  {10_000 * number / total:6.1f} per 10,000 words")
    if asked.lines:
        print(*lines_with_dialect(texts), sep="\n")


def count(texts: list[tuple[str, str]]) -> tuple[int, dict[str, int]]:
    """How many words there are, and how often each of ``DIALECT`` is among them."""
    total = sum(len(_WORD.findall(text)) for _, text in texts)
    return total, {word: sum(len(_pattern(word).findall(text)) for _, text in texts) for word in DIALECT}


def lines_with_dialect(texts: list[tuple[str, str]]) -> Iterator[str]:
    """``place: word: text`` of each text that uses a word of ``DIALECT``."""
    for place, text in texts:
        for word in DIALECT:
            for match in _pattern(word).finditer(text):
                around = text[max(0, match.start() - 40) : match.end() + 40]
                yield f"{place}: {word}: {' '.join(around.split())}"


def _pattern(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w'-])(?:{DIALECT[word]})(?![\w'-])", re.IGNORECASE)


def prose_of(root: Path) -> Iterator[tuple[str, str]]:
    """Place (``file`` or ``file:line``) and text of all prose in a checkout."""
    for path in _files(root, "winprob", "benchmarks", "tests", suffix="*.py"):
        yield from _of_source(path, str(path.relative_to(root)))
    for path in (*sorted(root.glob("*.md")), *_files(root, "docs", "benchmarks", "data", suffix="*.md")):
        yield str(path.relative_to(root)), _CODE.sub(" ", path.read_text(encoding="utf-8"))


def _files(root: Path, *folders: str, suffix: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((root / folder).rglob(suffix))


def _of_source(path: Path, name: str) -> Iterator[tuple[str, str]]:
    """Docstrings, comments and long string literals; an f-string's literal parts count one by one."""
    source = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield f"{name}:{token.start[0]}", _CODE.sub(" ", token.string)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value.split()) >= _LONG:
            yield f"{name}:{node.lineno}", re.sub(r"``[^`]+``", " ", node.value)


if __name__ == "__main__":
    main()
