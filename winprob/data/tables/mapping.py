"""Mapping file: how an export becomes a deal table; TOML, read into one frozen record.

Reading a mapping does not stop at the first fault: wrong entries are left out, so that the faults of the mapping and
those of the export are reported together.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from winprob.data.schema import CHOICES, COLUMNS, ID, NAMES, NUMBERS, READINGS, SUPPORTS, TEXTS
from winprob.data.tables.sheets.files import DELIMITERS, read_bytes
from winprob.data.tables.values.dates import is_date_format
from winprob.data.tables.values.instants import is_zone
from winprob.errors import MappingError
from winprob.i18n import gettext
from winprob.toml import Name, Wanted, beyond_limits, near_match, parse_toml, record, salvage, suggestion, unknown_key

#: What a mapping may be given as: the path of a TOML file, or its content.
GivenMapping = str | Path | Mapping[str, Any]
Transform = Literal["log1p"]
UNKNOWN = "unknown"

_TARGETS = (*COLUMNS, *READINGS, *NAMES)
#: Entries that the record holds as the file does.
_AS_GIVEN = ("encoding", "delimiter", "day_first", "decimal_comma", "sheet", "null", "rows", "preset")
#: A change log's own columns, whose headers ``[changes]`` may name.
LOG_COLUMNS = (ID, "changed_on", "field", "old", "new", "until", "deleted", "order")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The source of one canonical column. ``lookup`` leads from a cell's text to the canonical value."""

    target: str
    column: str = ""
    lookup: Mapping[str, str] = field(default_factory=dict)
    other: str | None = None
    row_number: bool = False
    percent: bool = False


@record
class Numeric:
    """A covariate that is a number; the effect of a ``monotone`` one never turns."""

    column: Name
    transform: Transform | None = None
    monotone: Literal["no", "increasing", "decreasing"] = "no"

    @property
    def plain(self) -> dict[str, str | None]:
        """The entry of ``frame.attrs``, with ``monotone`` where it is asked for."""
        entry = {"column": self.column, "transform": self.transform}
        return entry if self.monotone == "no" else {**entry, "monotone": self.monotone}


#: What an export may have several rows of a deal for.
ROW_KINDS = ("product line", "split", "contact")


@record
class RowsPer:
    """What a row of the export is, and whether the amounts of a deal's rows are added or taken once."""

    per: Literal["product line", "split", "contact"]
    amounts: Literal["add", "once"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DealMapping:
    """A mapping file, read."""

    name: str
    sources: tuple[Source, ...] = ()
    varying: tuple[str, ...] = ()
    numeric: tuple[Numeric, ...] = ()
    seller_forecast: bool = False
    encoding: str | None = None
    delimiter: str | None = None
    day_first: bool | None = None
    decimal_comma: bool | None = None
    date_format: str | None = None
    zone: str | None = None
    #: The zone of clocks without an offset, where the preset knows it.
    clock_zone: str | None = None
    #: The worksheet to read, by name.
    sheet: str | None = None
    #: Further words that mean a missing value.
    null: tuple[str, ...] = ()
    #: Headers of a change log, by the log's own column names.
    changes: Mapping[str, str] = field(default_factory=dict)
    #: Where a deal has several rows; None where it has one.
    rows: RowsPer | None = None
    preset: str | None = None
    #: The file's content, which takes precedence over a preset.
    own: Mapping[str, Any] = field(default_factory=dict)

    @property
    def covariates(self) -> dict[str, Any]:
        """The covariates in the form of ``frame.attrs``: plain lists, and ``seller_forecast`` where it is on."""
        return {
            "varying": list(self.varying),
            "numeric": [item.plain for item in self.numeric],
            **({"seller_forecast": True} if self.seller_forecast else {}),
        }

    @property
    def columns(self) -> set[str]:
        """Every source column that is named."""
        named = {source.column for source in self.sources if source.column}
        return named | set(self.varying) | {item.column for item in self.numeric}


def _column_wanted() -> str:
    return gettext("the name of a source column, or a table")


def _names_wanted() -> str:
    return gettext("a list with names of source columns")


def _delimiter_wanted() -> str:
    return gettext("one character such as {accepted}", accepted=" ".join(map(repr, DELIMITERS)))


@record
class _Column:
    column: Name | None = None
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    other: str | None = None
    row_number: bool = False
    percent: bool = False


@record
class _Covariates:
    varying: Annotated[tuple[Name, ...], Wanted(_names_wanted)] = ()
    numeric: Annotated[tuple[Numeric, ...], Wanted(_names_wanted)] = ()
    seller_forecast: bool = False


@record
class _File:
    columns: Mapping[str, Annotated[_Column, Wanted(_column_wanted)]] = field(default_factory=dict)
    covariates: _Covariates = field(default_factory=_Covariates)
    preset: str | None = None
    encoding: str | None = None
    delimiter: Annotated[str, Field(pattern=r'^[^"\r\n\x00\x80-\x{10ffff}]$'), Wanted(_delimiter_wanted)] | None = None
    day_first: bool | None = None
    decimal_comma: bool | None = None
    date_format: Name | None = None
    zone: str | None = None
    sheet: Name | None = None
    null: tuple[str, ...] = ()
    changes: Mapping[str, Name] = field(default_factory=dict)
    rows: RowsPer | None = None


def read_mapping(mapping: GivenMapping | None) -> tuple[DealMapping, list[str]]:
    """The mapping, and its faults.

    Parameters
    ----------
    mapping : path, dict or None
        A TOML file, its content, or ``None``: columns are then recognised by their headers.

    Raises
    ------
    MappingError
        When the file is not TOML.
    InputError
        When the file cannot be read.
    """
    if mapping is None:
        return DealMapping(name=""), []
    if isinstance(mapping, Mapping):
        limit = beyond_limits(mapping)
        return (DealMapping(name="mapping"), [limit]) if limit else _interpret(mapping, "mapping")
    read, faults = _interpret(mapping_table(mapping), str(mapping))
    return read, [gettext("{what}: {fault}", what=mapping, fault=fault) for fault in faults]


def mapping_table(mapping: str | Path) -> dict[str, Any]:
    """The content of a mapping file, not yet checked.

    Raises
    ------
    MappingError
        When the file is not TOML.
    InputError
        When the file cannot be read.
    """
    return parse_toml(read_bytes(mapping), str(mapping), MappingError)


def _interpret(table: Mapping[str, Any], name: str) -> tuple[DealMapping, list[str]]:
    given = _spelled_out(table)
    columns = columns if isinstance(columns := given.get("columns"), Mapping) else {}
    unknown = [target for target in columns if target not in _TARGETS]
    faults = [unknown_key(repr(f"columns.{target}"), target, _TARGETS) for target in unknown]
    if unknown:
        given["columns"] = {target: column for target, column in columns.items() if target in _TARGETS}
    file, wrong = salvage(_File, given)
    faults += wrong
    faults += [
        unknown_key(repr(f"changes.{name}"), name, LOG_COLUMNS) for name in file.changes if name not in LOG_COLUMNS
    ]
    if columns and ID not in columns and "preset" not in table:
        faults.append(gettext("[columns] has no deal_id: name its column, or set its row_number = true"))
    if file.zone is not None and not is_zone(file.zone):
        faults.append(no_zone(file.zone))
    form = file.date_format
    if form is not None and not is_date_format(form):
        faults.append(
            gettext("date_format is {form}, not a format of a whole day; accepted: such as %d.%m.%y", form=repr(form))
        )
        form = None
    mapping = DealMapping(
        name=name,
        sources=tuple(source for target, column in file.columns.items() if (source := _source(target, column, faults))),
        varying=file.covariates.varying,
        numeric=file.covariates.numeric,
        seller_forecast=file.covariates.seller_forecast,
        date_format=form,
        changes={name: header for name, header in file.changes.items() if name in LOG_COLUMNS},
        zone=file.zone if file.zone is not None and is_zone(file.zone) else None,
        own=table,
        **{name: getattr(file, name) for name in _AS_GIVEN},
    )
    return mapping, faults + list(_clashes(mapping))


def _spelled_out(table: Mapping[str, Any]) -> dict[str, Any]:
    """``table`` in its long form: a table for every column and numeric covariate, a list for every value."""
    given = dict(table)
    if isinstance(columns := given.get("columns"), Mapping):
        given["columns"] = {target: _long_column(column) for target, column in columns.items()}
    covariates = given.get("covariates")
    if isinstance(covariates, Mapping) and isinstance(numeric := covariates.get("numeric"), list):
        long = [{"column": item} if isinstance(item, str) else item for item in numeric]
        given["covariates"] = {**covariates, "numeric": long}
    if given.get("delimiter") == "tab":
        given["delimiter"] = "\t"
    return given


def _long_column(given: Any) -> Any:
    if not isinstance(given, Mapping):
        return {"column": given} if isinstance(given, str) else given
    long = {**given, **({"other": str(given["other"])} if "other" in given else {})}
    if isinstance(values := given.get("values"), Mapping):
        long["values"] = {
            value: [str(word).strip() for word in (words if isinstance(words, list) else [words])]
            for value, words in values.items()
        }
    return long


def _source(target: str, given: _Column, faults: list[str]) -> Source | None:
    if given.row_number:
        if target != ID or given.column is not None:
            faults.append(gettext("columns.{key}: row_number is for deal_id only, without a column", key=target))
            return None
        return Source(target=target, row_number=True)
    if given.column is None:
        faults.append(gettext('columns.{key} names no source column (column = "...")', key=target))
        return None
    if given.percent and target != "rep_probability":
        faults.append(gettext("columns.{key}: percent is for rep_probability only", key=target))
    takes_values = target in (*TEXTS, *NAMES) or bool(accepted_values(target))
    if (given.values or given.other is not None) and not takes_values:
        faults.append(gettext("columns.{key} takes no 'values' or 'other': it holds days, numbers or ids", key=target))
    return Source(
        target=target,
        column=given.column,
        lookup=_lookup(target, given.values, faults) if takes_values else {},
        other=_checked(target, given.other, faults) if takes_values and given.other is not None else None,
        percent=given.percent and target == "rep_probability",
    )


def accepted_values(target: str) -> tuple[str, ...]:
    """The canonical values of a column of choices or of support; empty for a column of any text."""
    return ("1", "2", "3", "4") if target in SUPPORTS else CHOICES.get(target, ())


def _lookup(target: str, values: Mapping[str, tuple[str, ...]], faults: list[str]) -> dict[str, str]:
    """From source text to canonical value, the inverse of the file's ``values``."""
    lookup: dict[str, str] = {}
    for value, words in values.items():
        _checked(target, value, faults)
        for word in words:
            if lookup.setdefault(word, value) != value:
                faults.append(
                    gettext(
                        "columns.{key}.values: {word} is listed under both '{first}' and '{second}'",
                        key=target,
                        word=repr(word),
                        first=lookup[word],
                        second=value,
                    )
                )
    return lookup


def _checked(target: str, value: str, faults: list[str]) -> str:
    accepted = accepted_values(target)
    if accepted and value not in (*accepted, UNKNOWN):
        hint = suggestion(value, (*accepted, UNKNOWN) if UNKNOWN not in accepted else accepted)
        faults.append(
            gettext("columns.{key}: '{value}' is not a canonical value; {hint}", key=target, value=value, hint=hint)
        )
    return value


def nearest(word: str, accepted: Iterable[str]) -> str:
    """A hint at the accepted word that ``word`` may have meant, or nothing."""
    near = near_match(word, list(accepted))
    return gettext(" (did you mean {name}?)", name=repr(near)) if near else ""


def no_zone(name: str) -> str:
    return gettext("there is no time zone {zone}; accepted: names such as UTC, Asia/Shanghai", zone=repr(name))


def _clashes(mapping: DealMapping) -> Iterator[str]:
    """Covariates listed twice, or with the name of a canonical column of another meaning."""
    numeric = tuple(item.column for item in mapping.numeric)
    names = (*mapping.varying, *numeric)
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield gettext("covariate '{name}' is listed more than once", name=name)
    source_of = {source.target: source.column for source in mapping.sources}
    for name in dict.fromkeys(names):
        if name not in _TARGETS:
            continue
        alike = name in TEXTS if name in mapping.varying else name in NUMBERS
        if not alike or source_of.get(name, name) != name:
            yield gettext(
                "covariate '{name}' has the name of a canonical column of another meaning; rename it in the export",
                name=name,
            )
