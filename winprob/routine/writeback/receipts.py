"""Receipts of write-backs: which values each deal was given, when, by which model; one folder each, appended whole.

The next write-back rests on them, so each ends with the hash of its own content (``hash``) and has that of the receipt
before it (``previous``), as the lines of a registry's log.
"""

import datetime as dt
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from winprob.data.tables import translate_os_errors
from winprob.data.tables.shared_folder import clear_scratch, locked, scratch, sync_folder, write_synced
from winprob.errors import InputError
from winprob.i18n import gettext
from winprob.retrain.registry_log import is_sealed, sealed
from winprob.routine.writeback.rows import Changes, Rows, changed_rows, import_files
from winprob.routine.writeback.targets import Target, require_ids

RECEIPT, FORMAT = "receipt.json", 2


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
        Receipts are damaged, altered or gone: all of them at once.
    """
    return _values(_receipts(folder, target.name)[0], sent=sent)


def _values(receipts: Iterable[Mapping[str, Any]], *, sent: bool) -> Rows:
    values: Rows = {}
    for receipt in receipts:
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
        Receipts are damaged, altered or gone, or the folder cannot be written.
    """
    require_ids(target, statements.table["deal_id"])
    with _writer(folder):
        receipts, last = _receipts(folder, target.name)
        changes = changed_rows(target, statements.table, _values(receipts, sent=send is not None))
        if not changes.rows:
            return Written(folder=None, files=(), changes=changes, delivery=None)
        files = list(import_files(target, changes))
        delivery = send(target, files) if send else None
        taken = {deal: row for deal, row in changes.rows.items() if delivery is None or deal in delivery.taken}
        place = None
        if taken:
            receipt = _receipt(target, statements, files, taken, sent=delivery is not None)
            receipt["previous"] = last
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
        text = json.dumps(receipt, ensure_ascii=False, indent=1).removesuffix("\n}") + "}"
        write_synced(new / RECEIPT, sealed(text.encode()) + b"\n")
        sync_folder(new)
        os.rename(new, place)
        sync_folder(folder)
    return place


def _numbered(folder: Path, name: str) -> list[tuple[int, Path]]:
    """The folders of a CRM's write-backs by number, in order."""
    places = ((place.name.removeprefix(f"{name}-"), place) for place in folder.glob(f"{name}-*") if place.is_dir())
    return sorted((int(number), place) for number, place in places if number.isdecimal())


def _receipts(folder: Path, name: str) -> tuple[list[dict[str, Any]], str | None]:
    """The receipts of a CRM in order, and the SHA-256 of the last one.

    Raises
    ------
    InputError
        Some cannot be read or were altered, or one before them is gone or another: all of them at once.
    """
    receipts: list[dict[str, Any]] = []
    faults: list[str] = []
    previous: str | None = None
    known = True
    for _, place in _numbered(folder, name):
        receipt, digest = _read(place / RECEIPT)
        if isinstance(receipt, str):
            faults.append(f"  - {place / RECEIPT}: {receipt}")
        elif known and receipt["previous"] != previous:
            faults.append(f"  - {place / RECEIPT}: {gettext('the receipt before it is gone, or is another')}")
        else:
            receipts.append(receipt)
        # One fault a receipt: what follows a damaged one cannot be compared with it.
        known, previous = not isinstance(receipt, str), digest
    if faults:
        raise InputError(
            gettext(
                "the receipts of earlier write-backs are not as they were written:\n{faults}\nRestore them, or name "
                "another folder, into which everything is written anew.",
                faults="\n".join(faults),
            )
        )
    return receipts, previous


def _read(path: Path) -> tuple[dict[str, Any] | str, str]:
    """A receipt, or what is wrong with it, and the SHA-256 of the file."""
    try:
        data = path.read_bytes()
    except OSError as fault:
        return gettext("it cannot be read: {reason}", reason=fault.strerror or fault), ""
    return _parsed(data), sha256(data).hexdigest()


def _parsed(data: bytes) -> dict[str, Any] | str:
    try:
        receipt = json.loads(data)
    except (ValueError, RecursionError) as fault:
        return gettext("it is not JSON: {reason}", reason=fault)
    if not isinstance(receipt, dict) or receipt.get("format") != FORMAT:
        return gettext("it is not a receipt of this version")
    if not is_sealed(data.removesuffix(b"\n")) or not _whole(receipt):
        return gettext("it was altered: it differs from its own hash")
    return receipt


def _whole(receipt: Mapping[str, Any]) -> bool:
    rows, before = receipt.get("values"), receipt.get("previous", 0)
    if not (before is None or isinstance(before, str)):
        return False
    return isinstance(receipt.get("sent"), bool) and isinstance(rows, dict) and all(map(_is_row, rows.values()))


def _is_row(values: object) -> bool:
    return isinstance(values, dict) and all(isinstance(value, int | str | None) for value in values.values())
