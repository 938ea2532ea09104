"""Detect the text encoding of an export: byte order mark, strict UTF-8, then gb18030, big5 and cp1252 by plausibility.

The legacy encodings are scored by the known headers and the common letters that they give. General detectors fail on
exports in GBK that are mostly ASCII.
"""

import codecs
import re
from collections.abc import Callable

from winprob.data.tables.sheets.frequent_letters import FREQUENT
from winprob.errors import InputError
from winprob.i18n import gettext

LEGACY = ("gb18030", "big5", "cp1252")

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: The score is computed on this number of characters outside ASCII.
_SAMPLE = 20_000
#: Lead bytes of the common characters and of punctuation, in GB 2312 and in Big5.
_COMMON_GB = (*range(0xA1, 0xA4), *range(0xB0, 0xD8))
_COMMON_BIG5 = range(0xA1, 0xC7)
#: Two readings whose scores differ by less are both possible.
_MARGIN = 0.1
_WESTERN = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿŒœŠšŽž€£¥§©®°·–—‘’“”…«»\xa0")


def has_mark(data: bytes) -> bool:
    """Whether ``data`` begins with a byte order mark."""
    return any(data.startswith(mark) for mark, _ in _MARKS)


def utf16_without_mark(data: bytes) -> str | None:
    """The encoding of UTF-16 without a byte order mark, by the zero byte of its plain letters; None where it is not."""
    even, odd = data[0:_SAMPLE:2], data[1:_SAMPLE:2]
    zeros = (even.count(0), odd.count(0))
    if len(data) % 2 or max(zeros) < 0.1 * len(even) or min(zeros) > 0.3 * max(zeros):
        return None
    encoding = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    controls = sum(letter < " " and letter not in "\t\r\n" for letter in text[:_SAMPLE])
    return encoding if controls < 0.1 * len(text[:_SAMPLE]) and {"\n", "\r"} & set(text) else None


def decode(data: bytes, name: str, *, encoding: str | None, known: Callable[[str], bool]) -> tuple[str, str]:
    """The text in ``data`` and the encoding it was read in.

    Parameters
    ----------
    data : bytes
        A whole text file.
    name : str
        The file's name, for messages.
    encoding : str or None
        The user's choice; ``None`` for detection.
    known : callable
        Whether a header is one that is looked for.

    Raises
    ------
    InputError
        No encoding fits, or the one given does not.
    """
    if encoding is not None:
        return _decode_as(data, name, encoding), encoding
    for mark, marked in _MARKS:
        if data.startswith(mark):
            return _decode_as(data, name, marked), marked
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as fault:
        _refuse_damaged_utf8(data, name, fault)
    return _best_legacy(data, name, known)


def _decode_as(data: bytes, name: str, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except LookupError:
        raise InputError(
            gettext(
                "{name}: there is no text encoding {encoding}. Use utf-8, gb18030, big5 or cp1252.",
                name=name,
                encoding=repr(encoding),
            )
        ) from None
    except UnicodeError as fault:
        raise InputError(
            gettext(
                "{name} does not read as {encoding}: byte {start} does not fit. Omit the encoding, or give another.",
                name=name,
                encoding=encoding,
                start=getattr(fault, "start", 0),
            )
        ) from None


def _refuse_damaged_utf8(data: bytes, name: str, fault: UnicodeDecodeError) -> None:
    """Refuse text that is nearly all UTF-8: a damaged file rather than one in GBK."""
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    whole = sum(1 for letter in text if ord(letter) > 127) - broken
    if whole > 10 * broken:
        line = data.count(b"\n", 0, fault.start) + 1
        raise InputError(
            gettext(
                "{name} is UTF-8 but damaged: line {line} holds invalid bytes (cut short, or two encodings "
                "in one file). Export it again.",
                name=name,
                line=line,
            )
        )


def _best_legacy(data: bytes, name: str, known: Callable[[str], bool]) -> tuple[str, str]:
    scored: list[tuple[int, float, str, str]] = []
    for encoding in LEGACY:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        scored.append((_known_headers(text, known), _plausible(text, encoding), encoding, text))
    scored.sort(key=lambda item: item[:2], reverse=True)
    best = scored[0] if scored else None
    if best is None or (best[0] == 0 and best[1] < 0.25):
        raise InputError(
            gettext(
                "{name}: its text encoding is not recognised (tried UTF-8, GB 18030, Big5, Windows-1252). "
                "Save it as CSV UTF-8, or give the encoding with --encoding.",
                name=name,
            )
        )
    for second in scored[1:]:
        if second[0] == best[0] and second[1] > best[1] - _MARGIN:
            _refuse_ambiguous(name, best, second)
    return best[3], best[2]


def _refuse_ambiguous(name: str, one: tuple[int, float, str, str], other: tuple[int, float, str, str]) -> None:
    """Refuse a file of so few letters that two encodings give text that could be meant."""
    (_, _, first, text), (_, _, second, same) = one, other
    raise InputError(
        gettext(
            "{name}: its text encoding is ambiguous: {first} gives {text}, {second} gives {same}. "
            "Save it as CSV UTF-8, or give the encoding with --encoding.",
            name=name,
            first=first,
            text=repr(_letters(text)),
            second=second,
            same=repr(_letters(same)),
        )
    )


def _letters(text: str) -> str:
    """The first word with letters outside ASCII."""
    return next(word for word in re.split(r"[\s,;|\"]+", text) if not word.isascii())[:20]


def _known_headers(text: str, known: Callable[[str], bool]) -> int:
    header = text.split("\n", 1)[0]
    for delimiter in ";\t|":
        header = header.replace(delimiter, ",")
    words = (word.strip().strip('"') for word in header.split(",")[:2000])
    return sum(1 for word in words if not word.isascii() and known(word))


def _plausible(text: str, encoding: str) -> float:
    """Share of the letters outside ASCII that are common in this encoding, averaged with the share of frequent ones."""
    spots = [index for index, letter in enumerate(text) if ord(letter) > 127][:_SAMPLE]
    good = sum(_is_common(text, index, encoding) for index in spots)
    frequent = good if encoding == "cp1252" else sum(text[index] in FREQUENT for index in spots)
    return (good + frequent) / (2 * len(spots)) if spots else 1.0


def _is_common(text: str, index: int, encoding: str) -> bool:
    letter = text[index]
    if encoding == "cp1252":
        # Western accents occur singly among plain letters; Chinese decoded as Western comes in runs.
        neighbours = text[max(index - 1, 0) : index] + text[index + 1 : index + 2]
        return letter in _WESTERN and neighbours.isascii()
    charset, common = ("gb2312", _COMMON_GB) if encoding == "gb18030" else ("big5", _COMMON_BIG5)
    try:
        return letter.encode(charset)[0] in common
    except UnicodeEncodeError:
        return False
