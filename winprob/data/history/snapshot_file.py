"""The file of one snapshot and its checksum: written together, verified whenever the snapshot is read.

The checksum file has the format of ``sha256sum``, which can verify it too. A snapshot of a former version has none
until the history is next written to.
"""

import json
from collections.abc import Hashable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from winprob.errors import InputError
from winprob.i18n import gettext

SNAPSHOT = "snapshot.parquet"
CHECKSUM = "_snapshot.sha256"
#: Key of the Parquet metadata that lists the covariates.
_KEY = b"winprob"
#: What reading a damaged Parquet file without a checksum may raise.
_DAMAGE = (pa.ArrowException, OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError)


def snapshot_bytes(content: pd.DataFrame, covariates: object, definitions: object = None) -> bytes:
    """A snapshot as Parquet, with the covariates, and hashes of what its facts mean, in its metadata."""
    plain = content.copy()
    plain.attrs = {}
    table = pa.Table.from_pandas(plain, preserve_index=False)
    listed = {"covariates": covariates or {}, **({"definitions": definitions} if definitions else {})}
    metadata = {**(table.schema.metadata or {}), _KEY: json.dumps(listed).encode()}
    buffer = pa.BufferOutputStream()
    parquet.write_table(table.replace_schema_metadata(metadata), buffer)
    return bytes(buffer.getvalue())


def checksum_bytes(data: bytes) -> bytes:
    """The content of the checksum file of a snapshot."""
    return f"{sha256(data).hexdigest()}  {SNAPSHOT}\n".encode()


def has_checksum(place: Path) -> bool:
    """Whether the snapshot in the folder ``place`` has a checksum."""
    return (place / CHECKSUM).is_file()


def read_content(place: Path) -> pd.DataFrame:
    """One snapshot as it was written, without its day.

    Raises
    ------
    InputError
        The file is missing or damaged, or differs from its checksum.
    """
    file = place / SNAPSHOT
    try:
        data = file.read_bytes()
        expected = (place / CHECKSUM).read_bytes() if has_checksum(place) else None
    except OSError as fault:
        raise _unreadable(file, fault.strerror or fault) from None
    if expected is not None and expected != checksum_bytes(data):
        raise InputError(
            gettext(
                "{path} is damaged: it differs from its checksum in {checksum}. Restore both from a copy, or move the "
                "folder {folder} away to go on without that day.",
                path=file,
                checksum=CHECKSUM,
                folder=place.name,
            )
        )
    try:
        table = parquet.ParquetFile(pa.BufferReader(data)).read()
        table.validate(full=True)
        content: pd.DataFrame = table.to_pandas()
        listed = json.loads((table.schema.metadata or {}).get(_KEY, b"{}"))
        content.attrs = {"covariates": _covariates(listed), **_definitions(listed)}
    except _DAMAGE as fault:
        raise _unreadable(file, fault) from None
    return content


def _covariates(settings: Any) -> dict[str, Any]:
    """The covariates that a snapshot's metadata list.

    Raises
    ------
    ValueError
        They have another form.
    """
    covariates = settings.get("covariates", {}) if isinstance(settings, Mapping) else None
    if isinstance(covariates, Mapping):
        varying, numeric = covariates.get("varying", []), covariates.get("numeric", [])
        names = [*varying, *(item.get("column") for item in numeric)]
        if all(isinstance(name, str) for name in names) and type(covariates.get("seller_forecast", False)) is bool:
            return dict(covariates)
    raise ValueError("metadata")


def _definitions(settings: Mapping[str, Any]) -> dict[Hashable, Any]:
    """The hashes of definitions by concept, where the metadata list them.

    Raises
    ------
    ValueError
        They have another form.
    """
    definitions = settings.get("definitions", {})
    if not isinstance(definitions, Mapping) or not all(isinstance(text, str) for text in definitions.values()):
        raise ValueError("metadata")
    return {"definitions": dict(definitions)} if definitions else {}


def _unreadable(file: Path, fault: object) -> InputError:
    return InputError(
        gettext("{path} cannot be read: missing or damaged ({fault}). Restore it from a copy.", path=file, fault=fault)
    )
