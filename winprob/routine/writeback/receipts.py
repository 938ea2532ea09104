"""Receipts of write-backs: which values each deal was given, when, by which model; one folder each, appended whole."""

import datetime as dt
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from winprob.data.tables import translate_os_errors
from winprob.data.tables.shared_folder import clear_scratch, locked, scratch, sync_folder, write_synced
from winprob.errors import InputError
from winprob.i18n import gettext
from winprob.routine.writeback.rows import Changes, Rows, changed_rows, import_files
from winprob.routine.writeback.targets import Target, require_ids

RECEIPT, FORMAT = "receipt.json", 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """The statements on the open deals, and the model they come from.

    Attributes
    ----------
    table : as ``deal_statements`` returns it, with ``model`` and ``as_of``
    model, model_hash : name and SHA-256 of the model file
    as_of : the day of the deals, ISO 8601
    """

    table: Any
    model: str
    model_hash: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the CRM answered: the deals that it took, and why it did not take others.

    Attributes
    ----------
    taken : ids
    refused : the CRM's message, by id
    """

    taken: frozenset[str]
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A write-back that was done; ``folder`` is None where there was nothing to write, or nothing was taken."""

    folder: Path | None
    files: tuple[str, ...]
    changes: Changes
    delivery: Delivery | None


Send = Callable[[Target, list[tuple[str, bytes]]], Delivery]


def signed(table: Any, *, day: str, model: Path, name: str | None) -> Statements:
    """Statements with the model and the day; a model without a name is called by the first digits of its hash."""
    content = sha256(model.read_bytes()).hexdigest()
    own = name or content[:12]
    return Statements(table=table.assign(model=own, as_of=day), model=own, model_hash=content, as_of=day)


def last_written(folder: Path, target: Target, *, sent: bool) -> Rows:
    """The values that each deal was last given in a CRM, by the receipts of a folder.

    Parameters
    ----------
    sent : count only what was sent and taken, not what was written as files

    Raises
    ------
    InputError
        A receipt is damaged.
    """
    values: Rows = {}
    for _, receipt in _receipts(folder, target.name):
        if receipt["sent"] or not sent:
            for deal, row in receipt["values"].items():
                values[deal] = {**values.get(deal, {}), **row}
    return values


def write_back(folder: Path, target: Target, statements: Statements, *, send: Send | None = None) -> Written:
    """Write the files of the changed rows and their receipt, in a new folder that appears whole or not at all.

    With ``send`` the files go to the CRM first, and the receipt holds the rows that it took: a row that it refused, or
    of which a killed run has no answer, is sent again by the next run.

    Raises
    ------
    DealTableError
        A deal has no id of the CRM.
    InputError, OutputError
        A receipt is damaged, or the folder cannot be written.
    """
    require_ids(target, statements.table["deal_id"])
    with _writer(folder):
        changes = changed_rows(target, statements.table, last_written(folder, target, sent=send is not None))
        if not changes.rows:
            return Written(folder=None, files=(), changes=changes, delivery=None)
        files = list(import_files(target, changes))
        delivery = send(target, files) if send else None
        taken = {deal: row for deal, row in changes.rows.items() if delivery is None or deal in delivery.taken}
        place = None
        if taken:
            receipt = _receipt(target, statements, files, taken, sent=delivery is not None)
            place = _append(folder, target.name, files, receipt)
        return Written(folder=place, files=tuple(name for name, _ in files), changes=changes, delivery=delivery)


def written_sentences(written: Written) -> Iterator[str]:
    """Where the files are, and how many rows the CRM took."""
    if not written.changes.rows:
        yield gettext("Nothing has changed: nothing is written.")
    if written.folder is not None:
        yield gettext("Written to {folder}: {files}", folder=written.folder, files=", ".join(written.files))
    if written.delivery is not None:
        yield gettext("Salesforce took {taken} rows.", taken=len(written.delivery.taken))


@contextmanager
def _writer(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; what killed writers left is removed first."""
    with translate_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder) as alone:
            if alone:
                clear_scratch(folder)
            yield


def _receipt(
    target: Target, statements: Statements, files: list[tuple[str, bytes]], taken: Rows, *, sent: bool
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "target": target.name,
        "key": target.key,
        "when": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "as_of": statements.as_of,
        "model": statements.model,
        "model_hash": statements.model_hash,
        "rows": len(taken),
        "files": {name: sha256(data).hexdigest() for name, data in files},
        "sent": sent,
        "values": taken,
    }


def _append(folder: Path, name: str, files: list[tuple[str, bytes]], receipt: Mapping[str, Any]) -> Path:
    """A folder with the files and the receipt, by one rename."""
    numbers = [number for number, _ in _numbered(folder, name)]
    place = folder / f"{name}-{max(numbers, default=0) + 1:04d}"
    with scratch(folder) as aside:
        new = aside / place.name
        new.mkdir()
        for file, data in files:
            write_synced(new / file, data)
        write_synced(new / RECEIPT, (json.dumps(receipt, ensure_ascii=False, indent=1) + "\n").encode())
        sync_folder(new)
        os.rename(new, place)
        sync_folder(folder)
    return place


def _numbered(folder: Path, name: str) -> list[tuple[int, Path]]:
    """The folders of a CRM's write-backs by number, in order."""
    places = ((place.name.removeprefix(f"{name}-"), place) for place in folder.glob(f"{name}-*") if place.is_dir())
    return sorted((int(number), place) for number, place in places if number.isdecimal())


def _receipts(folder: Path, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, place in _numbered(folder, name):
        yield number, _read(place / RECEIPT)


def _read(path: Path) -> dict[str, Any]:
    reason = gettext("it is not a receipt of this version")
    try:
        receipt = json.loads(path.read_bytes())
        if isinstance(receipt, dict) and receipt.get("format") == FORMAT and _whole(receipt):
            return receipt
    except OSError as fault:
        reason = str(fault.strerror or fault)
    except (ValueError, RecursionError) as fault:
        reason = str(fault)
    raise InputError(
        gettext(
            "receipt {path} cannot be read: {reason}. Restore it, or name another folder, into which everything is "
            "written anew.",
            path=path,
            reason=reason,
        )
    )


def _whole(receipt: Mapping[str, Any]) -> bool:
    rows = receipt.get("values")
    return isinstance(receipt.get("sent"), bool) and isinstance(rows, dict) and all(map(_is_row, rows.values()))


def _is_row(values: object) -> bool:
    return isinstance(values, dict) and all(isinstance(value, int | str | None) for value in values.values())
