"""Cells of a deal table's columns into canonical values, by the conventions of their file."""

import re
from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from winprob.data.schema import CHOICES, COVERAGE_COLUMNS, DATES, NUMBERS, SUPPORTS, TEXTS, Mask, as_text, mask_of
from winprob.data.tables.currencies import certain_currencies, currency_word
from winprob.data.tables.mapping import UNKNOWN, DealMapping, Source
from winprob.data.tables.values.columns import parse_days, parse_numbers
from winprob.data.tables.values.conventions import Convention, Evidence, gather, settle
from winprob.data.tables.values.nulls import is_null_word, without_nulls
from winprob.data.tables.values.parsed import Parsed, by_value
from winprob.methodology import canonical, is_unknown


def evidence_of(cells: pd.DataFrame, sources: Collection[Source], mapping: DealMapping) -> Evidence:
    """What the columns of a file, or of a block of it, give away about its conventions."""
    days = [source.column for source in sources if source.target in DATES]
    numbers = [source.column for source in sources if _is_number(source.target)]
    numbers += [item.column for item in mapping.numeric if item.column not in mapping.varying]
    found = gather(
        days=[cells[name] for name in dict.fromkeys(days)],
        numbers={name: cells[name] for name in dict.fromkeys(numbers) if name in cells},
    )
    return replace(found, currencies=certain_currencies(cells, sources))


def settle_by(mapping: DealMapping, evidence: Evidence) -> Convention:
    """The conventions of a file by its evidence and the mapping's settings."""
    return settle(
        evidence,
        day_first=mapping.day_first,
        decimal_comma=mapping.decimal_comma,
        date_format=mapping.date_format,
        zone=mapping.zone,
        clock_zone=mapping.clock_zone,
    )


def read_cells(cells: pd.Series, source: Source, mapping: DealMapping, convention: Convention | None = None) -> Parsed:
    """The canonical values in ``cells``, of a column of the export or of a log of its changes.

    Parameters
    ----------
    convention : Convention or None
        That of the file; ``None`` infers it from the column.
    """
    if source.target in DATES:
        known = convention or settle_by(mapping, gather(days=[cells]))
        return parse_days(cells, convention=known)
    if _is_number(source.target):
        known = convention or settle_by(mapping, gather(numbers={str(cells.name): cells}))
        return _parse_share(cells, source, known) if source.target == "rep_probability" else parse_amounts(cells, known)
    if source.target in TEXTS and source.target != "currency" and not source.lookup and source.other is None:
        free = as_text(without_nulls(cells, mapping.null))
        return Parsed(read=free, refused=np.zeros(len(cells), dtype=bool))
    values, refused = by_value(cells, _reader(source, mapping))
    return Parsed(read=values.astype("float64") if source.target in SUPPORTS else values, refused=refused)


def has_meaning(source: Source) -> Callable[[str], bool]:
    """Whether a text is one of a column's own words, before it may mean a missing value."""
    folded = {text.casefold() for text in source.lookup}
    kind = (
        "support" if source.target in SUPPORTS else "coverage" if source.target in COVERAGE_COLUMNS else source.target
    )
    known = kind if source.target in (*CHOICES, *SUPPORTS) else None
    return lambda text: text.casefold() in folded or (known is not None and canonical(known, text) is not None)


def parse_amounts(cells: pd.Series, convention: Convention) -> Parsed:
    """Amounts of money, without percentages and infinities."""
    return _finite(parse_numbers(cells, kind="money", convention=convention))


def parse_covariate(cells: pd.Series, convention: Convention) -> Parsed:
    """Numbers of any kind, without infinities."""
    return _finite(parse_numbers(cells, convention=convention))


def without_percent_sign(cells: pd.Series, parsed: Parsed) -> Mask:
    """(cell,) numbers other than 0 without a percent sign, in a column where some have one: 40 beside 62%."""
    signed = percent_signed(cells)
    if not signed.any():
        return signed
    mixed: Mask = ~signed & parsed.read.notna().to_numpy() & (parsed.read != 0).to_numpy()
    return mixed


def _parse_share(cells: pd.Series, source: Source, convention: Convention) -> Parsed:
    """Shares; under ``percent`` 62 is 0.62, as is 62%, and a column of fractions up to 1 is in doubt."""
    parsed = _finite(parse_numbers(cells, kind="share", convention=convention))
    if not source.percent:
        return parsed
    signed = percent_signed(cells)
    bare = parsed.read.to_numpy()[~signed]
    bare = bare[~np.isnan(bare)]
    if len(bare) and bare.max() <= 1 and ((bare > 0) & (bare < 1)).any():
        doubtful = ~signed & parsed.read.notna().to_numpy()
        return replace(parsed, read=parsed.read.mask(doubtful), refused=parsed.refused | doubtful, doubtful=doubtful)
    return replace(parsed, read=parsed.read.where(signed, parsed.read / 100))


def _finite(parsed: Parsed) -> Parsed:
    infinite = np.isinf(parsed.read.to_numpy())
    if not infinite.any():
        return parsed
    return replace(parsed, read=parsed.read.mask(infinite), refused=parsed.refused | infinite)


def percent_signed(cells: pd.Series) -> Mask:
    """(cell,) whether a cell has a percent sign."""
    signed: Mask
    if pd.api.types.is_numeric_dtype(cells.dtype):
        signed = np.zeros(len(cells), dtype=bool)
    else:
        signed = mask_of(as_text(cells).str.endswith(("%", "\uff05")))
    return signed


def _is_number(target: str) -> bool:
    return target in NUMBERS and target not in SUPPORTS


def _reader(source: Source, mapping: DealMapping) -> Callable[[str], str | None]:
    """From a cell's text to the canonical value, "" for unknown, ``None`` for a value that is not recognised."""
    folded = {text.casefold(): value for text, value in source.lookup.items()}
    nulls = {word.strip().casefold() for word in mapping.null}

    def read(text: str) -> str | None:
        value = source.lookup.get(text, folded.get(text.casefold()))
        if value is None:
            value = _own_word(source.target, text)
        if value is None and is_null_word(text, nulls):
            return ""
        if value is None:
            value = _canonical(source, text)
        if value is None:
            value = source.other
        if value == UNKNOWN and source.target not in COVERAGE_COLUMNS:
            return ""
        return value

    return read


def _own_word(target: str, text: str) -> str | None:
    if target in SUPPORTS:
        return canonical("support", text)
    if target in COVERAGE_COLUMNS:
        return canonical("coverage", text)
    return canonical(target, text) if target in CHOICES else None


def _canonical(source: Source, text: str) -> str | None:
    target = source.target
    if target in SUPPORTS:
        return "" if is_unknown(text) else _number_text(text)
    if target in CHOICES:
        return "" if is_unknown(text) else None
    if target == "currency":
        return "" if is_unknown(text) else currency_word(text, source.lookup)
    # Free text is not interpreted: NA may be North America.
    return text


def _number_text(text: str) -> str | None:
    """A support that is a number but not a tier is kept for the check of its range."""
    return text if re.fullmatch(r"[+-]?[0-9]+(?:\.[0-9]+)?", text) else None
