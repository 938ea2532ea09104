"""How does an export become a deal table? The mapping file: TOML, read into one frozen record.

Reading a mapping never stops at its first fault: what can be understood is kept, so that its faults and those of the
export are told together.
"""

import difflib
import tomllib
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from winprob.data.schema import CHOICES, COLUMNS, ID, NUMBERS, READINGS, SUPPORTS, TEXTS
from winprob.data.tables.files import DELIMITERS, read_bytes
from winprob.data.tables.instants import is_zone
from winprob.errors import MappingError
from winprob.i18n import gettext

Transform = Literal["log1p"]
TRANSFORMS: tuple[Transform, ...] = ("log1p",)
UNKNOWN = "unknown"

_TARGETS = (*COLUMNS, *READINGS)
_TOP_KEYS = ("columns", "covariates", "preset", "encoding", "delimiter", "day_first", "zone")
_COLUMN_KEYS = ("column", "values", "other", "row_number", "percent")
_COVARIATE_KEYS = ("varying", "numeric")
_NUMERIC_KEYS = ("column", "transform")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where one canonical column comes from. ``lookup`` leads from a cell's text to the canonical value."""

    target: str
    column: str = ""
    lookup: Table[str, str] = field(default_factory=dict)
    other: str | None = None
    row_number: bool = False
    percent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    """A covariate that is a number."""

    column: str
    transform: Transform | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DealMapping:
    """A mapping file, understood."""

    name: str
    sources: tuple[Source, ...] = ()
    varying: tuple[str, ...] = ()
    numeric: tuple[Numeric, ...] = ()
    encoding: str | None = None
    delimiter: str | None = None
    day_first: bool | None = None
    zone: str | None = None
    preset: str | None = None
    #: The file's content: what goes before the preset.
    own: Table[str, Any] = field(default_factory=dict)

    @property
    def covariates(self) -> dict[str, list[Any]]:
        """The covariates as they are kept in ``frame.attrs``: plain lists, fit for JSON."""
        return {
            "varying": list(self.varying),
            "numeric": [{"column": item.column, "transform": item.transform} for item in self.numeric],
        }

    @property
    def columns(self) -> set[str]:
        """Every source column that is named."""
        named = {source.column for source in self.sources if source.column}
        return named | set(self.varying) | {item.column for item in self.numeric}


def read_mapping(mapping: str | Path | Table[str, Any] | None) -> tuple[DealMapping, list[str]]:
    """The mapping, and what is wrong with it.

    Parameters
    ----------
    mapping : path, dict or None
        A TOML file, its content, or ``None``: columns are then told by their headers.

    Raises
    ------
    MappingError
        When the file is no TOML.
    InputError
        When the file cannot be read.
    """
    if mapping is None:
        return DealMapping(name=""), []
    if isinstance(mapping, Table):
        return _understand(mapping, "mapping")
    return _understand(mapping_table(mapping), str(mapping))


def mapping_table(mapping: str | Path) -> dict[str, Any]:
    """A mapping file's content, not yet understood.

    Raises
    ------
    MappingError
        When the file is no TOML.
    InputError
        When the file cannot be read.
    """
    data = read_bytes(mapping)
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise MappingError(gettext("{name} is no valid TOML in UTF-8: {fault}.", name=mapping, fault=fault)) from None


def _understand(table: Table[str, Any], name: str) -> tuple[DealMapping, list[str]]:
    faults = list(_strange_keys(table, _TOP_KEYS, ""))
    columns = _sub_table(table, "columns", faults)
    covariates = _sub_table(table, "covariates", faults)
    faults += _strange_keys(covariates, _COVARIATE_KEYS, "covariates.")
    sources = tuple(source for target, given in columns.items() if (source := _source(target, given, faults)))
    if columns and ID not in columns and "preset" not in table:
        faults.append(
            gettext("[columns] has no deal_id: name its column, or write deal_id = {{ row_number = true }}", name=name)
        )
    understood = DealMapping(
        name=name,
        sources=sources,
        varying=tuple(_varying(covariates.get("varying", []), faults)),
        numeric=tuple(_numeric(covariates.get("numeric", []), faults)),
        encoding=_text_key(table, "encoding", faults),
        delimiter=_delimiter(table, faults),
        day_first=_truth_key(table, "day_first", faults),
        zone=_zone(table, faults),
        preset=_text_key(table, "preset", faults),
        own=table,
    )
    return understood, faults + list(_clashes(understood))


def _sub_table(table: Table[str, Any], key: str, faults: list[str]) -> Table[str, Any]:
    given = table.get(key, {})
    if isinstance(given, Table):
        return given
    faults.append(gettext("'{key}' must be a table ([{key}]), got {got}", key=key, got=repr(given)))
    return {}


def _strange_keys(table: Iterable[str], accepted: Iterable[str], prefix: str) -> Iterator[str]:
    for key in table:
        if key not in accepted:
            yield gettext(
                "unknown key '{key}'{hint}; accepted: {accepted}",
                key=f"{prefix}{key}",
                hint=nearest(key, accepted),
                accepted=", ".join(accepted),
            )


def nearest(word: str, accepted: Iterable[str]) -> str:
    """A hint at the accepted word that ``word`` may have meant, or nothing."""
    by_case = {name.casefold(): name for name in accepted}
    close = difflib.get_close_matches(word.casefold(), by_case, n=1, cutoff=0.6)
    return gettext(" (did you mean {name}?)", name=repr(by_case[close[0]])) if close else ""


def _source(target: str, given: object, faults: list[str]) -> Source | None:
    if target not in _TARGETS:
        faults.append(
            gettext("[columns] knows no column '{key}'{hint}", key=target, hint=nearest(target, _TARGETS))
            + ("" if nearest(target, _TARGETS) else gettext("; accepted: {accepted}", accepted=", ".join(COLUMNS)))
        )
        return None
    if isinstance(given, str):
        return Source(target=target, column=given.strip())
    if not isinstance(given, Table):
        faults.append(
            gettext("columns.{key} must be a source column's name or a table, got {got}", key=target, got=repr(given))
        )
        return None
    faults += _strange_keys(given, _COLUMN_KEYS, f"columns.{target}.")
    if given.get("row_number") is True:
        return _row_number(target, given, faults)
    column = given.get("column")
    if not isinstance(column, str) or not column.strip():
        faults.append(gettext('columns.{key} names no source column (column = "...")', key=target))
        return None
    return Source(
        target=target,
        column=column.strip(),
        lookup=_lookup(target, given.get("values", {}), faults),
        other=_other(target, given.get("other"), faults),
        percent=_percent(target, given, faults),
    )


def _row_number(target: str, given: Table[str, Any], faults: list[str]) -> Source | None:
    if target != ID or "column" in given:
        faults.append(gettext("columns.{key}: row_number stands alone, and only for deal_id", key=target))
        return None
    return Source(target=target, row_number=True)


def _percent(target: str, given: Table[str, Any], faults: list[str]) -> bool:
    percent = _truth_key(given, "percent", faults)
    if percent and target != "rep_probability":
        faults.append(gettext("columns.{key}: percent is for rep_probability only", key=target))
    return bool(percent)


def accepted_values(target: str) -> tuple[str, ...]:
    """The canonical values of a column of choices or of support; empty for a column of any text."""
    return ("1", "2", "3", "4") if target in SUPPORTS else CHOICES.get(target, ())


def _takes_values(target: str, faults: list[str]) -> bool:
    if target in TEXTS or accepted_values(target):
        return True
    faults.append(gettext("columns.{key} takes no 'values' or 'other': it holds days, numbers or ids", key=target))
    return False


def _lookup(target: str, given: object, faults: list[str]) -> dict[str, str]:
    """From source text to canonical value; the file says it the other way round."""
    if not isinstance(given, Table):
        faults.append(gettext("columns.{key}.values must be a table of canonical = [source, ...]", key=target))
        return {}
    if not given or not _takes_values(target, faults):
        return {}
    lookup: dict[str, str] = {}
    for value, words in given.items():
        _refuse_value(target, value, faults)
        for word in words if isinstance(words, list) else [words]:
            text = str(word).strip()
            if lookup.setdefault(text, value) != value:
                faults.append(
                    gettext(
                        "columns.{key}.values: {word} stands under both '{first}' and '{second}'",
                        key=target,
                        word=repr(text),
                        first=lookup[text],
                        second=value,
                    )
                )
    return lookup


def _other(target: str, given: object, faults: list[str]) -> str | None:
    if given is None or not _takes_values(target, faults):
        return None
    value = str(given)
    _refuse_value(target, value, faults)
    return value


def _refuse_value(target: str, value: str, faults: list[str]) -> None:
    accepted = accepted_values(target)
    if accepted and value not in accepted and value != UNKNOWN:
        choices = (*accepted, UNKNOWN) if UNKNOWN not in accepted else accepted
        faults.append(
            gettext(
                "columns.{key}: '{value}' is no canonical value{hint}; accepted: {accepted}",
                key=target,
                value=value,
                hint=nearest(value, choices),
                accepted=", ".join(choices),
            )
        )


def _varying(given: object, faults: list[str]) -> Iterator[str]:
    if not isinstance(given, list):
        faults.append(gettext("covariates.{key} must be a list", key="varying"))
        return
    for item in given:
        if isinstance(item, str) and item.strip():
            yield item.strip()
        else:
            faults.append(
                gettext("covariates.{key} lists source columns' names, got {got}", key="varying", got=repr(item))
            )


def _numeric(given: object, faults: list[str]) -> Iterator[Numeric]:
    if not isinstance(given, list):
        faults.append(gettext("covariates.{key} must be a list", key="numeric"))
        return
    for item in given:
        if isinstance(item, str) and item.strip():
            yield Numeric(column=item.strip())
        elif isinstance(item, Table) and isinstance(item.get("column"), str):
            faults += _strange_keys(item, _NUMERIC_KEYS, "covariates.numeric.")
            transform = item.get("transform")
            if transform is not None and transform not in TRANSFORMS:
                faults.append(
                    gettext(
                        "covariates.numeric: unknown transform {got}; accepted: {accepted}",
                        got=repr(transform),
                        accepted=", ".join(TRANSFORMS),
                    )
                )
                transform = None
            yield Numeric(column=item["column"].strip(), transform=transform)
        else:
            faults.append(
                gettext("covariates.{key} lists source columns' names, got {got}", key="numeric", got=repr(item))
            )


def _text_key(table: Table[str, Any], key: str, faults: list[str]) -> str | None:
    given = table.get(key)
    if given is None or isinstance(given, str):
        return given
    faults.append(gettext("'{key}' must be text, got {got}", key=key, got=repr(given)))
    return None


def _zone(table: Table[str, Any], faults: list[str]) -> str | None:
    given = _text_key(table, "zone", faults)
    if given is None or is_zone(given):
        return given
    faults.append(no_zone(given))
    return None


def no_zone(name: str) -> str:
    return gettext("there is no time zone {zone}; accepted: names such as UTC, Asia/Shanghai", zone=repr(name))


def _truth_key(table: Table[str, Any], key: str, faults: list[str]) -> bool | None:
    given = table.get(key)
    if given is None or isinstance(given, bool):
        return given
    faults.append(gettext("'{key}' must be true or false, got {got}", key=key, got=repr(given)))
    return None


def _delimiter(table: Table[str, Any], faults: list[str]) -> str | None:
    given = {"tab": "\t"}.get(str(table.get("delimiter")), table.get("delimiter"))
    if given is None or (isinstance(given, str) and len(given) == 1 and given.isascii() and given not in '"\r\n\0'):
        return given
    faults.append(
        gettext(
            "'delimiter' must be one character such as {accepted}, got {got}",
            accepted=" ".join(map(repr, DELIMITERS)),
            got=repr(given),
        )
    )
    return None


def _clashes(mapping: DealMapping) -> Iterator[str]:
    """A covariate keeps its source name, which must not be taken for a canonical column of another meaning."""
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
                "covariate '{name}' bears the name of a canonical column of another meaning; rename it in the export",
                name=name,
            )
