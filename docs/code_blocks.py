"""Code blocks of README and guide: the commands they show, the output they show, and whether the program prints it.

The tests read the pages through this file. Run as a program it trains the models of the guide (about five minutes),
runs every command whose output a page shows, and replaces the shown lines by what is printed now::

    python docs/code_blocks.py
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from click.testing import CliRunner, Result

ROOT = Path(__file__).resolve().parents[1]
#: In reading order. A page may use what commands of an earlier page have made.
PAGES = (
    "README.md",
    "docs/guide/first_model.md",
    "docs/guide/your_crm.md",
    "docs/guide/crm_exports.md",
    "docs/guide/databases.md",
    "docs/guide/weekly_routine.md",
    "docs/guide/write_back.md",
    "docs/guide/quarter.md",
    "docs/guide/decisions.md",
    "docs/guide/worksheets.md",
    "docs/guide/retraining.md",
    "README.zh.md",
)
#: Files that the reader supplies; every other file that a page names must exist.
READERS_OWN = {
    "salvirt.csv",
    "salvirt/salvirt.csv",
    "ours.toml",
    "OpportunityContactRole.csv",
    "OpportunityFieldHistory.csv",
}
#: Folders whose files are made by the commands of the pages.
MADE = ("models/", "reports/")
#: Marks what a page leaves out: whole lines, or the rest of a line.
OMITTED = "…"

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED_BLOCK = re.compile(
    r"`([^`\s]+\.(?:csv|toml|sql))`[^`\n]*[:：]\n\n```(?:csv|toml|sql)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
#: A printed number; a letter before it makes it part of a name (D00302), but for the factor sign of x1.43.
NUMBER = re.compile(r"(?:(?<![\w.,])|(?<=(?<!\w)x))[-+]?\d[\d,]*(?:\.\d+)?%?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A block of commands, and the block of output below it (empty where the page shows none)."""

    page: str
    commands: tuple[str, ...]
    printed: str

    @property
    def runs(self) -> tuple[str, ...]:
        return tuple(command for command in self.commands if command.startswith(("winprob ", "./dev demo")))


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return [body for kind, body in BLOCK.findall(text_of(page)) if kind == language]


def shown_on(page: str) -> Iterator[Shown]:
    text = text_of(page)
    found = list(BLOCK.finditer(text))
    for at, block in enumerate(found):
        if block[1] == "sh":
            after = found[at + 1] if at + 1 < len(found) else None
            # A block below the next heading belongs to that heading's own text.
            below = after and after[1] == "text" and "\n#" not in text[block.end() : after.start()]
            printed = after[2] if after and below else ""
            yield Shown(page=page, commands=tuple(line for line in block[2].splitlines() if line), printed=printed)


SHOWN = tuple(shown for page in PAGES for shown in shown_on(page))
COMMANDS = [line for shown in SHOWN for line in shown.commands if line.startswith("winprob ")]
FILES = {name: body for page in PAGES for name, body in NAMED_BLOCK.findall(text_of(page))}


def words(command: str) -> list[str]:
    """Arguments of a command, without the program's name."""
    return shlex.split(command)[1:]


def samples(command: str) -> bool:
    """Whether a command runs the sampler."""
    refits = any(
        f"winprob {name} " in command for name in ("backtest", "diagnose", "learning-curve", "replay", "retrain")
    )
    learns = "winprob train" in command and "--prior-only" not in command
    return refits or learns or command.startswith(("./dev demo", "winprob demo"))


def leaves_a_model(command: str) -> bool:
    """Whether a command runs the sampler and keeps what it learned."""
    return samples(command) and not command.startswith(("winprob diagnose", "winprob learning-curve"))


def needs_readers_file(command: str) -> bool:
    return bool(READERS_OWN & set(words(command)))


def makers(command: str) -> list[str]:
    """Commands earlier in the pages that make a file or folder which this one names."""
    made = {word for word in words(command) if word.startswith(MADE)}
    earlier = COMMANDS[: COMMANDS.index(command)] if command in COMMANDS else []
    return [
        other
        for other in dict.fromkeys(earlier)
        if other != command and made & set(words(other)) and (leaves_a_model(other) or made & _folders(other))
    ]


def _folders(command: str) -> set[str]:
    return {word for word in words(command) if word.startswith("reports/")}


def furnish(folder: Path) -> None:
    """Give a folder what a reader has: the sample, the files written out in the pages, room for models and reports."""
    (folder / "data").symlink_to(ROOT / "data")
    for name in MADE:
        (folder / name).mkdir()
    for name, content in FILES.items():
        (folder / name).write_text(content, encoding="utf-8")
    # The database of the page on databases, as its first block makes it.
    with contextlib.chdir(folder):
        exec(compile(blocks("docs/guide/databases.md", "python")[0], "databases.md", "exec"), {})  # noqa: S102


def runner(folder: Path, *, trains: bool, instead: Mapping[str, str] | None = None) -> Callable[[str], Result]:
    """Run a command in ``folder``, each once, after the commands that make its files.

    Parameters
    ----------
    trains : run the commands that sample as well; else their models must be in the folder
    instead : parts of a command that are replaced before it runs, such as the size of a simulated history
    """
    from winprob.cli import main

    @cache
    def run(command: str) -> Result:
        for maker in makers(command):
            if trains or not samples(maker):
                run(maker)
        for part, other in (instead or {}).items():
            command = command.replace(part, other)
        with contextlib.chdir(folder):
            return CliRunner().invoke(main, words(command))

    return run


def plain(line: str) -> str:
    return re.sub(r"\s+", " ", line).strip()


def missing_lines(promised: str, output: str, *, exact: bool) -> list[str]:
    """Lines that a page shows and the output does not have.

    A line that ends in ``…`` is the beginning of a line of the output. With ``exact=False`` numbers may differ as
    those of two seeds do, see ``close``.
    """
    lines = [plain(line) for line in output.splitlines()]
    wanted = [line for line in map(plain, promised.splitlines()) if line not in ("", OMITTED)]
    scale = max((_value(number) for number in NUMBER.findall(promised) if _is_amount(number)), default=0.0)
    return [line for line in wanted if not any(_same(line, other, exact, scale) for other in lines)]


def _same(shown: str, line: str, exact: bool, scale: float) -> bool:
    if shown.endswith(OMITTED):
        shown = shown.removesuffix(OMITTED).strip()
        if exact:
            return line.startswith(shown)
        line = " ".join(line.split(" ")[: len(shown.split(" "))])
    return shown == line if exact else close(shown, line, scale=scale)


def close(shown: str, line: str, *, scale: float) -> bool:
    """Whether two lines have the same words and numbers of the same posterior.

    The sampler is deterministic on one machine; on another processor its draws differ, and with them the numbers, by
    their Monte Carlo error. Allowed: 4 points of a percentage, 2 % of the block's largest amount, ten units in the
    last digit or 5 % of a decimal. Whole numbers below 10,000 are counts and must be equal. Another seed stays within
    this as well, but for ``prior_share``: its prior draws depend on the seed alone.
    """
    if NUMBER.sub("#", shown) != NUMBER.sub("#", line):
        return False
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(line), strict=True)
    return all(abs(_value(one) - _value(other)) <= _tolerance(one, scale) + 1e-9 for one, other in pairs)


def _tolerance(number: str, scale: float) -> float:
    if number.endswith("%"):
        return 4.0
    if "." in number:
        return max(float(10 * 10.0 ** -len(number.split(".")[1])), 0.05 * abs(_value(number)))
    return 0.02 * scale if _is_amount(number) else 0.0


def _is_amount(number: str) -> bool:
    return number[-1] != "%" and "." not in number and abs(_value(number)) >= 10_000


def _value(number: str) -> float:
    return float(number.rstrip("%").replace(",", ""))


def repasted(printed: str, output: str) -> str:
    """The shown lines with the numbers and words that the output has now; left-out parts stay left out."""
    lines = [line for line in output.splitlines() if line.strip() and not set(line.strip()) <= set("─-")]
    return "".join(f"{_repaste(line, lines)}\n" for line in printed.splitlines())


def _repaste(shown: str, lines: list[str]) -> str:
    if plain(shown) == OMITTED or not shown.strip() or any(plain(shown) == plain(line) for line in lines):
        return next((line for line in lines if shown.strip() and plain(line) == plain(shown)), shown)
    kept = plain(shown).removesuffix(OMITTED).strip()
    count = len(kept.split(" "))
    cut = shown.rstrip().endswith(OMITTED)
    starts = [plain(line) if not cut else " ".join(plain(line).split(" ")[:count]) for line in lines]
    ratios = [difflib.SequenceMatcher(None, NUMBER.sub("#", kept), NUMBER.sub("#", start)).ratio() for start in starts]
    exact = [difflib.SequenceMatcher(None, kept, start).ratio() for start in starts]
    best = max(range(len(lines)), key=lambda at: (round(ratios[at], 2), exact[at]), default=None)
    if best is None or ratios[best] < 0.5:
        sys.stderr.write(f"not printed any more: {shown}\n")
        return shown
    if not cut:
        return lines[best].rstrip()
    pattern = r"\s*" + r"\s+".join(map(re.escape, starts[best].split(" ")))
    match = re.match(pattern, lines[best])
    return f"{match[0] if match else starts[best]} {OMITTED}"


def real_data() -> Path:
    """Folder with deals made by others, as the benchmarks find it."""
    return Path(os.environ.get("WINPROB_REAL_DATA", ROOT.parent / "shared" / "data"))


def main() -> None:
    """Replace the shown output in all pages by what the program prints now."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        furnish(folder)
        if (salvirt := real_data() / "salvirt" / "salvirt.csv").exists():
            shutil.copy(salvirt, folder / "salvirt.csv")
        run = runner(folder, trains=True)
        for page in PAGES:
            text = text_of(page)
            for shown in shown_on(page):
                if not shown.printed or any(not (folder / own).exists() for own in _own(shown)):
                    continue
                sys.stderr.write(f"{page}: {shown.runs[-1] if shown.runs else shown.commands[-1]}\n")
                output = "".join(run(command).output for command in shown.runs)
                new = repasted(shown.printed, output)
                text = text.replace(f"```text\n{shown.printed}```", f"```text\n{new}```", 1)
            (ROOT / page).write_text(text, encoding="utf-8")


def _own(shown: Shown) -> set[str]:
    return READERS_OWN & {word for command in shown.commands for word in words(command)}


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
