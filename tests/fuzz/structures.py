"""Damage that keeps a file's form: columns of any Arrow type, mappings of any value, changed models sealed again."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.corpus.truth import OPTIONAL
from winprob.model import posterior_file

Columns = Mapping[str, Any]

# ---- Parquet of any types --------------------------------------------------------------------------------------------

_CELLS: Mapping[str, st.SearchStrategy[Any]] = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint8": st.integers(0, 255),
    "float64": st.floats(),
    "float16": st.floats(width=16).map(np.float16),
    "bool": st.booleans(),
    "string": st.text(max_size=12),
    "binary": st.binary(max_size=6),
    "date32": st.dates(),
    "timestamp[ns]": st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)),
    "timestamp[s]": st.datetimes(),
    "timestamp[us, tz]": st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1)),
    "time64": st.times(),
    "duration": st.timedeltas(dt.timedelta(-999), dt.timedelta(999)),
    "decimal": st.decimals(-(10**9), 10**9, places=2).map(lambda d: Decimal(d).quantize(Decimal("0.01"))),
    "list": st.lists(st.integers(0, 9), max_size=2),
    "struct": st.fixed_dictionaries({"a": st.integers(0, 9)}),
    "dictionary": st.sampled_from(("won", "lost", "", "x")),
    "null": st.none(),
}


@st.composite
def typed_tables(draw: st.DrawFn) -> Columns:
    """Up to five columns of the deal table, of any type, with ids that are sound."""
    rows = draw(st.integers(1, 5))
    names = draw(st.lists(st.sampled_from((*OPTIONAL, "outcome", "as_of", "own")), max_size=5, unique=True))
    columns: dict[str, Any] = {"deal_id": ("string", [f"D{at}" for at in range(rows)])}
    for name in names:
        kind = draw(st.sampled_from(tuple(_CELLS)))
        cell = st.none() | _CELLS[kind]
        columns[name] = (kind, draw(st.lists(cell, min_size=rows, max_size=rows)))
    return {**columns, "\0index": draw(st.sampled_from((None, None, "deal_id", "own")))}


def parquet_bytes(columns: Columns) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        "int64": pa.int64(), "uint8": pa.uint8(), "float64": pa.float64(), "float16": pa.float16(), "bool": pa.bool_(),
        "string": pa.string(), "binary": pa.binary(), "date32": pa.date32(), "timestamp[ns]": pa.timestamp("ns"),
        "timestamp[s]": pa.timestamp("s"), "timestamp[us, tz]": pa.timestamp("us", "Asia/Shanghai"),
        "time64": pa.time64("us"), "duration": pa.duration("us"), "decimal": pa.decimal128(20, 2),
        "list": pa.list_(pa.int64()), "struct": pa.struct([("a", pa.int64())]),
        "dictionary": pa.dictionary(pa.int8(), pa.string()), "null": pa.null(),
    }  # fmt: skip
    index = columns["\0index"]
    table = pa.table(
        {name: pa.array(given[1], types[given[0]]) for name, given in columns.items() if name != "\0index"}
    )
    out = io.BytesIO()
    if index in table.column_names and index is not None:
        # A frame whose index has the name of a column, as pandas users write it.
        metadata = {"index_columns": [index], "columns": [], "column_indexes": [], "pandas_version": "3.0.0"}
        table = table.replace_schema_metadata({b"pandas": json.dumps(metadata).encode()})
    parquet.write_table(table, out)
    return out.getvalue()


# ---- mappings of any value -------------------------------------------------------------------------------------------

_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8), st.dates(),
    st.sampled_from(("deal_id", "amount", "won", "UTC", "log1p", ",", "utf-8", "salesforce", "%Y", "Sheet1", "")),
)  # fmt: skip
_anything = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_entry = st.one_of(
    _scalars,
    st.fixed_dictionaries(
        {},
        optional={
            "column": st.sampled_from(("amount", "stage", "outcome", "nowhere")) | _anything,
            "values": st.dictionaries(st.sampled_from(("won", "lost", "decision", "1", "x")), _anything, max_size=2)
            | _anything,
            "other": st.sampled_from(("unknown", "open", "x")) | _anything,
            "percent": _anything,
            "row_number": _anything,
        },
    ),
)


@st.composite
def mapping_tables(draw: st.DrawFn) -> dict[str, Any]:
    """A mapping of known keys with values of any kind, and some keys that do not exist."""
    columns = draw(st.dictionaries(st.sampled_from((*OPTIONAL, "outcome", "nonsense")), _entry, max_size=3))
    covariate = st.sampled_from(("region", "amount", "nowhere")) | _anything
    optional = {
        "columns": st.just({"deal_id": "deal_id", **columns}) | _anything,
        "covariates": st.fixed_dictionaries(
            {},
            optional={
                "varying": st.lists(covariate, max_size=2) | _anything,
                "numeric": st.lists(covariate, max_size=2),
            },
        ),
        **dict.fromkeys(("day_first", "decimal_comma"), st.booleans() | _anything),
        **dict.fromkeys(("encoding", "delimiter", "date_format", "zone", "sheet"), _anything),
        "null": st.lists(st.text(max_size=4), max_size=3) | _anything,
        "changes": _anything,
        "rows": _anything,
        "preset": st.sampled_from(("salesforce", "hubspot", "dynamics")) | st.text(max_size=4),
        "unheard_of": _anything,
    }
    keys = draw(st.sets(st.sampled_from(tuple(optional)), max_size=4))
    return {key: draw(optional[key]) for key in sorted(keys)}


# ---- models sealed again ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChange:
    """A change inside a model: to a dataset (``act`` on its numbers or shape) or to a value of its manifest."""

    where: int
    act: str
    value: Any


_DATA_ACTS = ("nan", "inf", "huge", "fewer", "more", "transposed", "text", "whole numbers", "absent", "external")


def model_changes() -> st.SearchStrategy[ModelChange]:
    of_data = st.builds(ModelChange, where=st.integers(0, 40), act=st.sampled_from(_DATA_ACTS), value=st.none())
    values = st.one_of(_scalars.filter(lambda v: not isinstance(v, dt.date)), st.just([]), st.just({}), st.just([[1]]))
    of_manifest = st.builds(ModelChange, where=st.integers(0, 400), act=st.just("manifest"), value=values)
    return of_data | of_manifest


def resealed(data: bytes, change: ModelChange) -> bytes:
    """The model with the change in it, and a seal that fits."""
    import h5py

    length = len(posterior_file._seal(posterior_file.FORMAT, b""))
    inner = io.BytesIO(data[:-length])
    with h5py.File(inner, "r+") as file:
        if change.act == "manifest":
            manifest = json.loads(str(file.attrs["manifest"]))
            _replace(manifest, change.where, change.value)
            del file.attrs["manifest"]
            file.attrs["manifest"] = json.dumps(manifest)
        else:
            _change_dataset(file, change)
    content = inner.getvalue()
    return content + posterior_file._seal(posterior_file.FORMAT, content)


def _replace(manifest: Any, where: int, value: Any) -> None:
    """Put ``value`` in the place of one of the manifest's entries, at any depth."""
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(manifest)
    node, key = places[where % len(places)]
    node[key] = value


def _change_dataset(file: Any, change: ModelChange) -> None:
    import h5py

    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) and item.ndim > 1 else None)
    name = sorted(names)[change.where % len(names)]
    old = file[name][()]
    del file[name]
    if change.act == "absent":
        return
    if change.act == "external":
        # A dataset whose bytes are in another file of this machine.
        file.create_dataset(name, shape=old.shape, dtype="u1", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])
        return
    file[name] = _changed(old, change.act)


def _changed(old: Any, act: str) -> Any:
    if act == "fewer":
        return old[:1, :3]
    if act == "more":
        return np.concatenate([old, old], axis=-1)
    if act == "transposed":
        return old.T
    if act == "text":
        return old.astype("S8")
    if act == "whole numbers":
        return old.astype("int8")
    filled = {"nan": np.nan, "inf": np.inf, "huge": 3e38}[act]
    new = old.copy()
    new.flat[:: max(new.size // 7, 1)] = filled
    return new
