"""Damage to a file: bytes flipped, cut, copied and put in, or the same to the parts of a zip archive."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

from hypothesis import strategies as st

#: What people, programs and attackers have put into tables.
TOKENS = (
    b'"', b'""', b'",', b"\n", b"\r", b"\r\n", b"\x00", b"\x1b[2J", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1a", b",",
    b";", b"\t", b"|", b"=1+1", b"@SUM(A1)", b"-", b"--", b"NaN", b"inf", b"-1e308", b"1e999", b"0x1F", b"1_000",
    b"TRUE", b"null", b"NULL", b"#REF!", b"%", b"99999999999999999999", b"0000-00-00", b"9999-12-31", b"31/31/2026",
    b"1.234", b"1,234", b"1.234,5", b"'", b"Total", b"2026-02-30", "٣".encode(), "１２".encode(), "\u202e".encode(),
    "½".encode(), "¥".encode(), "𝟜".encode(), "合计".encode(), b"\x80", b"deal_id",
)  # fmt: skip
#: What the same have put into TOML, JSON and XML.
MARKUP = (
    b"[", b"]", b"{", b"}", b"=", b"[[a]]", b"true", b"-1", b"1e400", b"nan", b"1979-05-27T07:32:00Z", b"'''",
    b'"""', b"\\u0000", b"<", b"/>", b"&lt;", b"&#0;", b"<!--", b"null", b"[[[[[[[[", b'{"a":', b"\x7f",
    b"XFD1048576", b"A1", b'r="B', b't="e"', b't="s"', b'"99999"', b"9" * 30, b"2026-13-01", b"0.1", b"columns",
    b"preset",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One act of damage, its places given as shares of the length."""

    act: str
    at: int
    span: int
    token: bytes


_ACTS = ("flip", "cut", "copy", "insert", "insert", "replace", "truncate", "swap lines")


def edits(tokens: tuple[bytes, ...] = TOKENS, *, most: int = 4) -> st.SearchStrategy[tuple[Edit, ...]]:
    """One act of damage or several. In a binary file one suffices: more only make it unreadable."""
    token = st.one_of(st.sampled_from(tokens), st.binary(min_size=1, max_size=4))
    edit = st.builds(Edit, act=st.sampled_from(_ACTS), at=st.integers(0, 9999), span=st.integers(1, 60), token=token)
    return st.lists(edit, min_size=1, max_size=most).map(tuple)


def damage(data: bytes, acts: tuple[Edit, ...]) -> bytes:
    for act in acts:
        data = _damage(data, act)
    return data


def _damage(data: bytes, edit: Edit) -> bytes:
    at = edit.at * len(data) // 10_000
    before, span, after = data[:at], data[at : at + edit.span], data[at + edit.span :]
    if edit.act == "flip":
        return before + bytes([data[at] ^ (1 << edit.span % 8)]) + data[at + 1 :] if data else data
    if edit.act == "cut":
        return before + after
    if edit.act == "copy":
        return before + span * 2 + after
    if edit.act == "insert":
        return before + edit.token + data[at:]
    if edit.act == "replace":
        return before + edit.token + after
    if edit.act == "truncate":
        return data[: max(at, len(data) - 50 * edit.span)]
    lines = data.split(b"\n")
    first, second = edit.at % len(lines), edit.span % len(lines)
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def damage_part(data: bytes, part: int, acts: tuple[Edit, ...]) -> bytes:
    """Damage one file of a zip archive, so that its checksums are right again."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        items = list(old.infolist())
        # Worksheets and shared strings hold the table; hit them twice as often.
        items += [item for item in items if "sheet" in item.filename.lower() or "shared" in item.filename.lower()]
        hit = items[part % len(items)].filename
        for item in old.infolist():
            content = old.read(item)
            new.writestr(item.filename, damage(content, acts) if item.filename == hit else content)
    return packed.getvalue()
