"""The log of a registry, ``log.jsonl``: one JSON object a line, chained by the hash of the line before.

::

    {"when": "2026-07-01T08:00:00+00:00", "who": "wang", "verb": "promote", "from": "0006-1b22d0", "to": "0007-3fa9c1",
     "reason": "", "files": {}, "previous": "9f86...", "hash": "60b7..."}

``previous`` is the SHA-256 of the line before; ``hash`` that of the line itself without ``hash``, because no line
follows the last. ``add`` and ``hold`` name in ``to`` the model that they add, with the SHA-256 of each of its files;
``promote`` and ``revert`` name the current model before and after. A line is appended and never changed.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from winprob.i18n import gettext

LOG, MODEL = "log.jsonl", "model.nc"
#: A model's name: its number, and the first digits of the hash of its content.
NAME = re.compile(r"([0-9]{4,9})-[0-9a-f]{6}")
#: A file of a model: a plain name, in no other folder.
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
#: Verbs that add a model, and verbs that change which one is current.
ADDING, MOVING = ("add", "hold"), ("promote", "revert")
MOST_BYTES = 1_000_000
_SEAL = re.compile(rb', "hash": "[0-9a-f]{64}"}$')
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TEXTS, _MAYBE_NAMES = ("when", "who", "verb", "reason"), ("from", "to")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line: who did what when; ``source`` and ``target`` are the fields ``from`` and ``to``."""

    when: str
    who: str
    verb: str
    source: str | None
    target: str | None
    reason: str
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The content of a log.

    Attributes
    ----------
    lines : the lines that can be read, oldest first
    faults : what is wrong with the others, and with the chain, in words
    last : SHA-256 of the last line, None in an empty log
    whole : number of bytes up to the end of the last whole line; what follows was torn off by a kill
    unended : whether the last line is whole but for its line end
    """

    lines: tuple[LogLine, ...]
    faults: tuple[str, ...]
    last: str | None
    whole: int
    unended: bool

    @property
    def added(self) -> dict[str, LogLine]:
        """The line that added each model, by name."""
        return {str(line.target): line for line in self.lines if line.verb in ADDING}

    @property
    def move(self) -> LogLine | None:
        """The last promotion or reversion."""
        return next((line for line in reversed(self.lines) if line.verb in MOVING), None)

    @property
    def current(self) -> str | None:
        """The name of the current model."""
        return self.move.target if self.move else None

    @property
    def before(self) -> str | None:
        """What was current before the last promotion that was not reverted; None where nothing was."""
        past: list[str | None] = []
        for line in self.lines:
            if line.verb == "promote":
                past.append(line.source)
            elif line.verb == "revert" and past:
                past.pop()
        return past[-1] if past else None


def line_bytes(line: LogLine, previous: str | None) -> bytes:
    """A line as it is appended, with its line end."""
    content = {
        "when": line.when,
        "who": line.who,
        "verb": line.verb,
        "from": line.source,
        "to": line.target,
        "reason": line.reason,
        "files": dict(line.files),
        "previous": previous,
    }
    return sealed(json.dumps(content, ensure_ascii=False).encode(errors="replace")) + b"\n"


def sealed(text: bytes) -> bytes:
    """The text of a JSON object with its own SHA-256 as the last field."""
    return text[:-1] + f', "hash": "{sha256(text).hexdigest()}"}}'.encode()


def is_sealed(text: bytes) -> bool:
    """Whether the last field of a JSON object is the SHA-256 of the rest of its text."""
    return bool(_SEAL.search(text)) and sealed(_SEAL.sub(b"}", text)) == text


def parse_log(data: bytes) -> Log:
    """Read a log; lines that cannot be read, and breaks of the chain, are among its faults."""
    *parts, tail = data.split(b"\n")
    unended = bool(tail) and isinstance(_parse(tail), tuple)
    texts = [*parts, tail] if unended else parts
    lines: list[LogLine] = []
    faults: list[str] = []
    previous = None
    for at, text in enumerate(texts, 1):
        parsed = _parse(text)
        if isinstance(parsed, str):
            faults.append(
                gettext("{file}, line {at}: not a line of a registry: {reason}", file=LOG, at=at, reason=parsed)
            )
        else:
            line, chained = parsed
            lines.append(line)
            if chained != previous:
                faults.append(_broken(at))
        previous = sha256(text).hexdigest()
    faults += [] if faults else _contradictions(lines)
    whole = len(data) - (0 if unended else len(tail))
    return Log(lines=tuple(lines), faults=tuple(faults), last=previous, whole=whole, unended=unended)


def _broken(at: int) -> str:
    if at == 1:
        return gettext("{file}, line 1: the lines before it were removed", file=LOG)
    return gettext(
        "{file}, line {before}: altered, or lines between it and line {at} were removed, added or moved",
        file=LOG,
        before=at - 1,
        at=at,
    )


def _contradictions(lines: Sequence[LogLine]) -> Iterator[str]:
    """What no writer appends: a model added twice, or one that becomes current and was never added."""
    added: set[str | None] = set()
    current = None
    for at, line in enumerate(lines, 1):
        if line.verb in ADDING:
            if line.target in added:
                yield gettext("{file}, line {at}: {name} is added a second time", file=LOG, at=at, name=line.target)
            added.add(line.target)
            continue
        if line.target not in added or line.source != current:
            yield gettext("{file}, line {at}: it does not follow from the lines before it", file=LOG, at=at)
        current = line.target


def _parse(text: bytes) -> tuple[LogLine, str | None] | str:
    """A line and the hash it has of the line before; or what is wrong with it."""
    if len(text) > MOST_BYTES:
        return gettext("longer than {most:,} bytes", most=MOST_BYTES)
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return gettext("not JSON")
    if not is_sealed(text):
        return gettext("altered: it differs from its own hash")
    fault = _fault(content)
    if fault:
        return gettext("field {name!r} is missing or wrong", name=fault)
    line = LogLine(
        when=content["when"],
        who=content["who"],
        verb=content["verb"],
        source=content["from"],
        target=content["to"],
        reason=content["reason"],
        files=content["files"],
    )
    return line, content["previous"]


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _fault(content: Any) -> str | None:
    """The first field that is missing or of another form."""
    if not isinstance(content, dict):
        return "when"
    for name in _TEXTS:
        if not _is_text(content.get(name)):
            return name
    if content["verb"] not in (*ADDING, *MOVING):
        return "verb"
    for name in _MAYBE_NAMES:
        value = content.get(name, 0)
        if not (value is None and name == "from") and not (isinstance(value, str) and NAME.fullmatch(value)):
            return name
    files: Any = content.get("files")
    if not _is_files(files) or (content["verb"] in ADDING) != (MODEL in files):
        return "files"
    previous = content.get("previous", 0)
    return None if previous is None or _is_digest(previous) else "previous"


def _is_text(value: Any) -> bool:
    """Whether it is a text that can be written as UTF-8."""
    return isinstance(value, str) and value.encode(errors="ignore").decode() == value


def _is_files(files: Any) -> bool:
    return isinstance(files, dict) and all(FILE_NAME.fullmatch(name) and _is_digest(own) for name, own in files.items())


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and bool(_DIGEST.fullmatch(value))
