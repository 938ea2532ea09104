"""TOML files read into frozen records; every offence in one message, with path, value found and values accepted.

pydantic validates; this module is the one place where its `ValidationError` becomes sentences in the user's language.
"""

import json
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from functools import cache, wraps
from importlib.resources.abc import Traversable
from pathlib import Path
from reprlib import Repr
from types import NoneType, UnionType
from typing import Annotated, Any, Union, cast, dataclass_transform, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as validated_dataclass

from winprob.errors import SettingsError, WinprobError
from winprob.i18n import gettext

#: Texts without the white space around them, not empty; and numbers by their range. A normal is ``(mean, sd)``.
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Scale = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Chance = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Normal = tuple[Finite, Scale]

Place = Sequence[str | int]
_TABLES = (Mapping, list, tuple)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Annotation of a field: what a message asks for in place of a wrong value."""

    sentence: Callable[[], str]


class RuleError(ValueError):
    """Raised in ``__post_init__`` of a record for a rule over several of its fields; reported under ``key``."""

    def __init__(self, key: str, got: object, wanted: str) -> None:
        super().__init__(f"{key} is {got!r}, wanted {wanted}")
        self.key, self.got, self.wanted = key, got, wanted


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
def record[T](kind: type[T]) -> type[T]:
    """Decorate a class as a frozen dataclass whose values are checked, strictly, whenever one is built.

    An unknown key or a wrong type is an error; a whole number is accepted where a float is wanted, nothing else is
    converted. Built in code, a wrong value raises `SettingsError`; from a file, what `build` returns.
    """
    config = ConfigDict(strict=True, extra="forbid")
    made: Any = validated_dataclass(frozen=True, slots=True, kw_only=True, config=config)(kind)
    init = made.__init__

    @wraps(init)
    def checked(self: object, **values: object) -> None:
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        try:
            init(self, **values)
        except ValidationError as error:
            raise SettingsError("; ".join(sentence for _, sentence in _offences(kind, values, error))) from None

    made.__init__ = checked
    return made  # type: ignore[no-any-return]


def parse_toml(data: bytes, what: str, error: type[WinprobError]) -> dict[str, Any]:
    """The tables of a TOML file in UTF-8, with or without a byte-order mark.

    Parameters
    ----------
    what : the file as a message names it
    error : raised where ``data`` is not TOML
    """
    try:
        table = tomllib.loads(data.decode("utf-8-sig"))
        reason = beyond_limits(table)
    except RecursionError:
        reason = gettext("it is nested too deeply")
    except ValueError as fault:  # also another encoding, and a number of thousands of digits
        large = "int_max_str_digits" in str(fault)
        reason = gettext("it holds a whole number beyond 64 bits") if large else str(fault)
    if reason:
        raise error(gettext("{what} is not TOML: {reason}", what=what, reason=reason))
    return table


def beyond_limits(value: object) -> str:
    """Why no file may hold ``value``: nested too deeply, or a whole number beyond 64 bits; empty where it may."""
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        inner = [each for each in level if isinstance(each, Mapping | list)]
        level = [part for each in inner for part in (each.values() if isinstance(each, Mapping) else each)]
        if any(isinstance(part, int) and not -(2**63) <= part < 2**63 for part in level):
            return gettext("it holds a whole number beyond 64 bits")
    return gettext("it is nested too deeply") if level else ""


def read_toml(path: Path | str | Traversable, what: str, error: type[WinprobError]) -> dict[str, Any]:
    """The tables of the file at ``path``; parameters and errors as of `parse_toml`."""
    try:
        data = (Path(path) if isinstance(path, str) else path).read_bytes()
    except OSError as fault:
        raise error(gettext("{what} cannot be read: {reason}", what=what, reason=fault.strerror)) from fault
    return parse_toml(data, what, error)


def build[T](
    kind: type[T], table: Mapping[str, Any], what: str, error: type[WinprobError], *, also: Collection[str] = ()
) -> T:
    """The record of class ``kind`` in ``table``, or ``error`` with every offence and with the faults in ``also``."""
    value, faults = validate(kind, table)
    if value is None or also:
        raise refusal([*also, *faults], what, error)
    return value


def validate[T](kind: type[T], table: Mapping[str, Any]) -> tuple[T | None, list[str]]:
    """The record of class ``kind`` (or another type that pydantic knows) in ``table``, or every offence in words."""
    value, offences = _validate(kind, table)
    return value, [sentence for _, sentence in offences]


def salvage[T](kind: type[T], table: Mapping[str, Any]) -> tuple[T, list[str]]:
    """Like `validate`, but wrong entries are left out, so that other offences can be found in the same run.

    ``kind`` must have a default for every field.
    """
    value, offences = _validate(kind, table)
    faults = [sentence for _, sentence in offences]
    while value is None:
        rest = _without(table, [place for place, _ in offences])
        table = rest if rest != table else {}
        value, offences = _validate(kind, table)
    return value, faults


def refusal(faults: Collection[str], what: str, error: type[WinprobError]) -> WinprobError:
    """The error to raise for ``faults``: one message with all of them, headed by the file ``what``."""
    if len(faults) == 1:
        return error(gettext("{what}: {fault}", what=what, fault=next(iter(faults))))
    listed = "\n".join(f"  - {fault}" for fault in faults)
    return error(gettext("{what}: {count} faults to fix\n{faults}", what=what, count=len(faults), faults=listed))


def unknown_key(path: str, name: str, accepted: Collection[str]) -> str:
    """The sentence about a key that does not exist."""
    return gettext("{path} is not known; {hint}", path=path, hint=suggestion(name, accepted))


def suggestion(name: object, accepted: Collection[str], *, most: int = 40) -> str:
    """The accepted name that was most likely meant, else the accepted names, at most ``most`` of them."""
    if near := near_match(str(name), accepted):
        return gettext("did you mean {near!r}?", near=near)
    names = list(map(str, accepted))
    shown = ", ".join(names[:most]) + (", ..." if len(names) > most else "")
    return gettext("accepted: {accepted}", accepted=shown or "-")


def near_match(name: str, accepted: Collection[str]) -> str | None:
    """The accepted name closest to ``name``, whatever its case, or None."""
    by_case = {str(other).casefold(): str(other) for other in accepted}
    close = get_close_matches(name.casefold(), by_case, n=1)
    return by_case[close[0]] if close else None


def show_value(value: object) -> str:
    """``value`` as a message quotes it: at most some 80 characters."""
    return _REPR.repr(value)


_REPR = Repr(maxstring=80, maxother=80, maxlong=80)
#: Levels of tables and lists; no file of ours has more than ten.
_DEEPEST = 60


def _validate(kind: Any, table: Mapping[str, Any]) -> tuple[Any, list[tuple[Place, str]]]:
    # As JSON: there, strict means that a list is accepted for a tuple and a table for a record, and nothing else.
    try:
        return _adapter(kind).validate_json(json.dumps(table, default=_no_json)), []
    except RecursionError:
        return None, [((), gettext("it is nested too deeply"))]
    except TypeError:
        return None, [((), gettext("it has a key that is not a text"))]
    except ValidationError as error:
        return None, [*_offences(kind, table, error)]


def _no_json(value: object) -> dict[str, str]:
    """A date, or whatever else JSON lacks, in a form that no field accepts."""
    return {type(value).__name__: str(value)}


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _offences(kind: Any, table: Mapping[str, Any], error: ValidationError) -> Iterator[tuple[Place, str]]:
    """For each offence the entry to leave out, and the sentence about it.

    A list is reported as a whole if it lacks items or its field is `Wanted`.
    """
    reported = set()
    found = error.errors(include_url=False)
    for fault in found:
        place, type_ = list(fault["loc"]), fault["type"]
        cause = fault.get("ctx", {}).get("error")
        if isinstance(cause, RuleError):
            yield place, _is_wrong(table, [*place, cause.key], cause.got, cause.wanted)
            continue
        while len(place) > 1 and not isinstance(_value_at(table, place[:-1]), _TABLES):
            place, type_ = place[:-1], "dataclass_type"  # within a date, which JSON lacks
        item = bool(place) and isinstance(place[-1], int) and type_ != "literal_error"
        if item and (type_ == "missing" or _described(_hint(kind, place[:-1]))):
            place, type_ = place[:-1], "tuple_type"
        if type_ == "too_short" and any(len(other["loc"]) > len(place) for other in found if _within(other, place)):
            continue  # only because its wrong items do not count; they are reported
        if tuple(place) not in reported:
            reported.add(tuple(place))
            yield place[:-1] if type_ == "missing" else place, _sentence(kind, table, place, type_)


def _within(fault: Any, place: Place) -> bool:
    return list(fault["loc"][: len(place)]) == list(place)


def _sentence(kind: Any, table: Mapping[str, Any], place: Place, type_: str) -> str:
    path, hint = path_of(table, place), _hint(kind, place)
    if type_ == "json_invalid":
        return gettext("it is nested too deeply")
    if type_ == "unexpected_keyword_argument":
        return unknown_key(path, str(place[-1]), [each.name for each in fields(_bare(_hint(kind, place[:-1])))])
    if type_ == "missing":
        wanted = _described(hint)
        return gettext("{path} is missing", path=path) + (gettext(", wanted {wanted}", wanted=wanted) if wanted else "")
    got = _value_at(table, place)
    if type_ == "literal_error":
        choices = [str(choice) for choice in get_args(_bare(hint)) if choice != ""]
        return gettext("{path} is {got}; {hint}", path=path, got=show_value(got), hint=suggestion(got, choices))
    out_of_range = type_.startswith(("greater_than", "less_than"))
    wanted = _described(hint) or (_range(hint) if out_of_range else _noun(hint, type_))
    return _is_wrong(table, place, got, wanted)


def _is_wrong(table: Mapping[str, Any], place: Place, got: object, wanted: str) -> str:
    return gettext("{path} is {got}, wanted {wanted}", path=path_of(table, place), got=show_value(got), wanted=wanted)


def path_of(table: Mapping[str, Any], place: Place) -> str:
    """A place as a reader finds it: ``'priors.intercept.2'``, ``[[executives]] 'Li' 'slots'``; lists count from 1."""
    entry = _value_at(table, place[:2])
    head = ""
    if len(place) > 2 and isinstance(place[1], int) and isinstance(entry, Mapping):
        names = [entry.get(key) for key in ("id", "name")]
        name = next((repr(name) for name in names if isinstance(name, str) and name.strip()), str(place[1] + 1))
        head, place = f"[[{place[0]}]] {name} ", place[2:]
    return head + repr(".".join(str(part + 1) if isinstance(part, int) else part for part in place))


def _value_at(table: Any, place: Place) -> Any:
    for part in place:
        try:
            table = table[part]
        except (KeyError, IndexError, TypeError):
            return None
    return table


def _without(table: Any, places: Sequence[Place]) -> Any:
    """``table`` without the entries at ``places``."""
    if not all(places):
        return {}
    inner: dict[str | int, list[Place]] = {}
    for first, *rest in places:
        inner.setdefault(first, []).append(rest)
    dropped = {key for key, rest in inner.items() if not all(rest) or not isinstance(_value_at(table, [key]), _TABLES)}
    kept = {key: _without(table[key], rest) for key, rest in inner.items() if key not in dropped}
    if isinstance(table, Mapping):
        return {key: kept.get(key, value) for key, value in table.items() if key not in dropped}
    return [kept.get(at, value) for at, value in enumerate(table) if at not in dropped]


def _hint(kind: Any, place: Place) -> Any:
    """The annotation at ``place``: fields of records, items of tuples, values of mappings."""
    for part in place:
        bare: Any = _bare(kind)
        arguments = get_args(bare)
        if is_dataclass(bare):
            kind = _hints(cast(Any, bare)).get(str(part))
        elif get_origin(bare) is tuple and arguments[-1] is not ... and isinstance(part, int):
            kind = arguments[part]
        else:
            kind = next((each for each in reversed(arguments) if each is not ...), None)
    return kind


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _layers(hint: Any) -> Iterator[Any]:
    """An annotation without ``Annotated`` and ``| None``, layer by layer."""
    yield hint
    if get_origin(hint) is Annotated:
        yield from _layers(get_args(hint)[0])
    elif get_origin(hint) in (Union, UnionType):
        yield from _layers(next(each for each in get_args(hint) if each is not NoneType))


def _bare(hint: Any) -> Any:
    return [*_layers(hint)][-1]


def _metadata(hint: Any) -> list[Any]:
    return [each for layer in _layers(hint) for each in getattr(layer, "__metadata__", ())]


def _described(hint: Any) -> str:
    return next((each.sentence() for each in _metadata(hint) if isinstance(each, Wanted)), "")


def _range(hint: Any) -> str:
    rules = [rule for each in _metadata(hint) for rule in getattr(each, "metadata", ())]
    bounds = {key: getattr(rule, key) for rule in rules for key in ("gt", "ge", "lt", "le") if hasattr(rule, key)}
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    if bounds.keys() == {"ge", "le"}:
        return f"{bounds['ge']}..{bounds['le']}"
    return ", ".join(f"{signs[key]} {bound}" for key, bound in bounds.items())


def _noun(hint: Any, type_: str) -> str:
    bare = _bare(hint)
    if type_ == "finite_number":
        return gettext("a finite number")
    if get_origin(bare) is tuple:
        sizes = get_args(bare)
        return gettext("a list") if ... in sizes else gettext("a list of {count} numbers", count=len(sizes))
    nouns = {int: gettext("a whole number"), float: gettext("a number"), bool: gettext("true or false")}
    nouns[str] = gettext("a text")
    return nouns.get(bare, gettext("a table"))
