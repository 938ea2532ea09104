"""The CRMs to which winprob writes: our fields in each, their names, and the fields that are never written."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from winprob.data.tables.write import escape_formula
from winprob.errors import DealTableError, SettingsError
from winprob.i18n import gettext
from winprob.toml import read_toml, refusal, unknown_key, validate

TARGETS = ("salesforce", "hubspot", "dynamics")
#: The statements, in the order of the columns.
FIELDS = ("chance", "lower", "upper", "won_by", "band", "flag", "next_step", "model", "as_of")
#: Ids that a message names.
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A CRM and the fields of it that are written.

    Attributes
    ----------
    name, label : ``salesforce`` and ``Salesforce``
    key : the field that holds the deal's id: the CRM's own, or the external id field
    external : whether ``key`` is an external id field
    fields : the CRM's name of each statement that is written, in the order of ``FIELDS``
    clears, clear : whether the import can clear a value, and the cell of a CSV file that does
    bytes, rows : the most in one file
    id_form : of the CRM's own ids, a regular expression
    """

    name: str
    label: str
    key: str
    external: bool
    fields: Mapping[str, str]
    clears: bool
    clear: str
    bytes: int
    rows: int
    id_form: str


def read_target(name: str, names: Path | None = None, external_id: str | None = None) -> Target:
    """A CRM with the names of its fields.

    Parameters
    ----------
    name : one of ``TARGETS``
    names : a TOML file with a table for a CRM, such as ``[salesforce]``, that renames fields; an empty name leaves the
        field out
    external_id : the field by which the CRM finds the deals, in place of its own id

    Raises
    ------
    SettingsError
        A name is a protected field of the CRM, has another form than a field of ours, is used twice, or is not known:
        all offences at once.
    """
    what = gettext("fields of {name}", name=name) if names is None else gettext("fields file {path}", path=names)
    given, faults = _given(names, what)
    tables = {each: {**_known()[each]["fields"], **given.get(each, {})} for each in TARGETS if each in {name, *given}}
    faults += [fault for each, table in tables.items() for fault in _table_faults(each, table)]
    faults += _external_faults(name, external_id, tables[name])
    if faults:
        raise refusal(faults, what, SettingsError)
    known = _known()[name]
    return Target(
        name=name,
        label=known["label"],
        key=external_id or known["id"],
        external=external_id is not None,
        fields={key: tables[name][key] for key in FIELDS if tables[name][key]},
        **{key: known[key] for key in ("clears", "clear", "bytes", "rows", "id_form")},
    )


@cache
def _known() -> dict[str, Any]:
    return read_toml(files("winprob").joinpath("routine/writeback/targets.toml"), "targets.toml", SettingsError)


def _given(names: Path | None, what: str) -> tuple[dict[str, dict[str, str]], list[str]]:
    """The tables of a file, and what is wrong with it."""
    if names is None:
        return {}, []
    table = read_toml(names, what, SettingsError)
    given, faults = validate(dict[str, dict[str, str]], table)
    faults += [unknown_key(each, each, TARGETS) for each in table if each not in TARGETS]
    return given or {}, faults


def _table_faults(name: str, fields: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the fields of a CRM: keys, names, two statements in one field, no chance."""
    first: dict[str, str] = {}
    for key, field in fields.items():
        path = f"{name}.{key}"
        if key not in FIELDS:
            yield unknown_key(path, key, FIELDS)
        elif field:
            yield from _name_faults(name, path, field)
            if (other := first.setdefault(field.casefold(), path)) != path:
                yield gettext("{path} and {other} are both {field!r}", path=path, other=other, field=field)
    if not fields["chance"]:
        yield gettext("{path} is empty: the chance is always written", path=f"{name}.chance")


def _name_faults(name: str, path: str, field: str) -> Iterator[str]:
    known = _known()[name]
    if is_protected(name, field):
        yield gettext(
            "{path} is {field!r}, a field of {crm} itself, which winprob never writes; wanted {wanted}",
            path=path,
            field=field,
            crm=known["label"],
            wanted=_field_like(name),
        )
    elif not re.fullmatch(known["field_form"], field):
        yield gettext("{path} is {field!r}; wanted {wanted}", path=path, field=field, wanted=_field_like(name))


def _field_like(name: str) -> str:
    """What a name of a field of ours looks like."""
    return {
        "salesforce": gettext("a custom field, which ends in __c"),
        "hubspot": gettext("the internal name of a property of yours: a-z, digits and _, not hs_"),
        "dynamics": gettext("a column with your publisher's prefix, such as new_"),
    }[name]


def _id_like(name: str) -> str:
    """What an id of the CRM looks like."""
    return {
        "salesforce": gettext("15 or 18 letters and digits"),
        "hubspot": gettext("digits"),
        "dynamics": gettext("a GUID"),
    }[name]


def is_protected(name: str, field: str) -> bool:
    """Whether a field belongs to the CRM itself, in whatever case, with or without blanks and underscores."""
    return _normal(field) in map(_normal, _known()[name]["protected"])


def _normal(field: str) -> str:
    return re.sub(r"[\s_]", "", field).casefold()


def _external_faults(name: str, field: str | None, fields: Mapping[str, str]) -> Iterator[str]:
    if field is None:
        return
    if name == "dynamics":
        yield gettext("--external-id: the rows of {crm} need its own id, a GUID", crm=_known()[name]["label"])
        return
    yield from _name_faults(name, "--external-id", field)
    if field.casefold() in {other.casefold() for other in fields.values()}:
        yield gettext("--external-id is {field!r}, a field that is written", field=field)


def require_ids(target: Target, ids: Collection[object]) -> None:
    """Check that the ids of the deals are those of the CRM.

    Raises
    ------
    DealTableError
        Some do not look like its ids; the message names them.
    """
    wrong = [repr(str(deal)) for deal in ids if not _is_id(target, str(deal))]
    if not wrong:
        return
    hint = (
        gettext("Values of an external id have at most 255 characters and do not begin like a formula.")
        if target.external
        else gettext(
            "Read the deals with the id of {crm} as deal_id (--preset {name}, or a mapping), or name the field that "
            "holds these ids: --external-id FIELD.",
            crm=target.label,
            name=target.name,
        )
    )
    raise DealTableError(
        gettext(
            "{count} of {all} open deals have no id of {crm} ({wanted}): {ids}. {hint}",
            count=len(wrong),
            all=len(ids),
            crm=target.label,
            wanted=target.key if target.external else _id_like(target.name),
            ids=listed(wrong, _NAMED),
            hint=hint,
        )
    )


def _is_id(target: Target, deal: str) -> bool:
    if target.external:
        return len(deal) <= 255 and deal.isprintable() and escape_formula(deal) == deal
    return bool(re.fullmatch(target.id_form, deal))


def listed(names: Collection[str], most: int) -> str:
    """The first names, and the number of the others."""
    shown = ", ".join(list(names)[:most])
    more = len(names) - most
    return shown if more <= 0 else gettext("{names} and {count} more", names=shown, count=more)
