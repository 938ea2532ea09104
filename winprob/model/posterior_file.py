"""Model files: NetCDF (HDF5) with a JSON manifest, sealed by format number and SHA-256, read without PyMC.

The file contains no customer row: parameter draws, level names, tier counts, means, and hashes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from winprob.arrays import Array
from winprob.data.tables import replacing
from winprob.errors import PosteriorError, SettingsError
from winprob.i18n import gettext
from winprob.model import posterior_checks as checks
from winprob.model.amounts import ClosingAmounts
from winprob.model.arrivals import Arrivals
from winprob.model.correction import Correction
from winprob.model.features import TREE_DIMS, Companion, InteractionBasis, Scaling, require_trees
from winprob.model.hazards import Hazards, stored_dims
from winprob.model.stored_arrays import read_array, require_own_content
from winprob.model.win.blocks import DIMS
from winprob.settings import Settings, settings_from

if TYPE_CHECKING:
    from winprob.model.posterior import Posterior

#: Raised when a file of the former structure can no longer be read correctly.
FORMAT = 3

_MARK = "\nwinprob-model "
#: What a reader of damaged content may raise.
_UNUSABLE = (SettingsError, OSError, LookupError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError)

#: Stored next to the parameters: the reference point of ``explain``, and the log prior density of each draw.
REFERENCE_DIMS: dict[str, tuple[str, ...]] = {"base_rate_logit": (), "term_mean": ("term",), "log_prior": ()}

PAIR_DIMS: dict[str, tuple[str, ...]] = {
    "level": ("column",),
    "field": ("column",),
    "mean": ("column",),
    "loading": ("column", "other_column", "component"),
}


def parameter_dims(name: str) -> tuple[str, ...]:
    """Dims of a stored variable after ``chain, draw``."""
    return DIMS[name] if name in DIMS else REFERENCE_DIMS[name]


def write_posterior(posterior: Posterior, path: Path | str) -> None:
    """Write a fitted model to a NetCDF file, completely or not at all.

    Raises
    ------
    OutputError
        The file cannot be written there.
    """
    import h5netcdf

    prior = {name: values[None] for name, values in posterior.prior.items()}
    # In memory first: the HDF5 library ends the process where the disk is full.
    buffer = io.BytesIO()
    with h5netcdf.File(buffer, "w") as file:
        file.attrs["manifest"] = json.dumps(_manifest(posterior), ensure_ascii=False, sort_keys=True)
        for group, draws in (("posterior", posterior.draws), ("prior", prior)):
            _write_group(file.create_group(group), draws)
        if posterior.scaling.pairs:
            _write_pairs(file.create_group("pairs"), posterior.scaling.pairs)
        if posterior.scaling.companion:
            _write_companion(file.create_group("companion"), posterior.scaling.companion)
        if posterior.hazards:
            _write_hazards(file.create_group("hazards"), posterior.hazards)
    content = buffer.getvalue()
    with replacing(path) as scratch:
        scratch.write_bytes(content + _seal(FORMAT, content))


def _seal(number: int, content: bytes) -> bytes:
    """The last bytes of a model file, which NetCDF readers ignore: format number, and SHA-256 of everything before.

    A truncated or changed file is detected before the HDF5 library, which may crash on one, opens it.
    """
    return f"{_MARK}{number:06d} {hashlib.sha256(content).hexdigest()}\n".encode()


def _write_group(group: Any, draws: Mapping[str, Array]) -> None:
    for name, values in draws.items():
        dims = ("chain", "draw", *parameter_dims(name))
        for dim, length in zip(dims, values.shape, strict=True):
            if dim not in group.dimensions:
                group.dimensions[dim] = length
        if values.size:
            group.create_variable(name, dims, data=values.astype(np.float32), compression="gzip", shuffle=True)


def _write_pairs(group: Any, pairs: InteractionBasis) -> None:
    columns, _, components = pairs.loading.shape
    group.dimensions.update({"column": columns, "other_column": columns, "component": components})
    for name, dims in PAIR_DIMS.items():
        group.create_variable(name, dims, data=getattr(pairs, name), compression="gzip", shuffle=True)


def _write_companion(group: Any, companion: Companion) -> None:
    for name, dims in TREE_DIMS.items():
        values = getattr(companion, name)
        for dim, length in zip(dims, values.shape, strict=True):
            if dim not in group.dimensions:
                group.dimensions[dim] = length
        if values.size:
            group.create_variable(name, dims, data=values, compression="gzip", shuffle=True)


def _write_hazards(group: Any, hazards: Hazards) -> None:
    for name, values in hazards.draws.items():
        dims = ("draw", *stored_dims(hazards)[name])
        for dim, length in zip(dims, values.shape, strict=True):
            if dim not in group.dimensions:
                group.dimensions[dim] = length
        group.create_variable(name, dims, data=values, compression="gzip", shuffle=True)


def _manifest(posterior: Posterior) -> dict[str, Any]:
    return {
        "terms": list(posterior.terms),
        "scaling": posterior.scaling.to_dict(),
        "companion": _companion_entry(posterior.scaling.companion),
        "settings": asdict(posterior.settings),
        "provenance": asdict(posterior.provenance),
        "hazards": posterior.hazards.to_dict() if posterior.hazards else None,
        "arrivals": posterior.arrivals.to_dict() if posterior.arrivals else None,
        # The key is that of the first files of this format.
        "revisions": posterior.amounts.to_dict() if posterior.amounts else None,
        "correction": posterior.correction.to_dict() if posterior.correction else None,
        "shapes": {
            group: {name: list(values.shape) for name, values in draws.items()}
            for group, draws in (("posterior", posterior.draws), ("prior", posterior.prior))
        },
    }


def _companion_entry(companion: Companion | None) -> dict[str, Any] | None:
    """What of a companion is not an array; and how large its arrays are, because an empty one is not stored."""
    if companion is None:
        return None
    shapes = {name: list(getattr(companion, name).shape) for name in TREE_DIMS}
    plain = {name: getattr(companion, name) for name in ("columns", "fields", "middle", "weight")}
    return {**plain, "shapes": shapes}


def read_posterior[Model](path: Path, build: Callable[..., Model]) -> Model:
    """Read a model file.

    Parameters
    ----------
    build : makes the model of the fields of ``Posterior``, ``provenance`` as a plain table; what it cannot accept is a
        damaged file

    Raises
    ------
    PosteriorError
        The file is missing, is not a model, is damaged, or is of another format.
    """
    content = _sealed_content(path)
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return build(**_fields(file))
    except _UNUSABLE as error:
        raise _damaged(path) from error


def _sealed_content(path: Path) -> bytes:
    """The NetCDF part of a model file, after its format number and checksum have been verified."""
    if os.path.isdir(path):
        raise PosteriorError(gettext("model {path} is a folder, not a model file. Name the file.", path=path))
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise PosteriorError(
            gettext("model {path} does not exist. Create one with: winprob train DEALS --model {path}", path=path)
        ) from error
    except OSError as error:
        raise PosteriorError(
            gettext("model {path} cannot be read: {reason}.", path=path, reason=error.strerror)
        ) from error
    length = len(_seal(FORMAT, b""))
    content, seal = data[:-length], data[-length:]
    number = seal[len(_MARK) : len(_MARK) + 6]
    if not (seal.startswith(_MARK.encode()) and number.isdigit()):
        raise _damaged(path)
    if int(number) != FORMAT:
        raise _other_format(path, int(number))
    if seal != _seal(FORMAT, content):
        raise PosteriorError(gettext("model {path} was changed after it was written; its checksum differs.", path=path))
    return content


def _fields(file: Any) -> dict[str, Any]:
    """Fields of ``Posterior`` by name, all checked."""
    require_own_content(file)
    manifest = json.loads(str(file.attrs["manifest"]))
    scaling = Scaling.from_dict(manifest["scaling"])
    checks.require_scaling(scaling)
    if "pairs" in file:
        pairs = _read_pairs(file["pairs"])
        checks.require_basis(pairs, scaling)
        scaling = replace(scaling, pairs=pairs)
    if entry := manifest.get("companion"):
        scaling = replace(scaling, companion=_read_companion(file, entry, scaling))
    checks.require_provenance(manifest["provenance"])
    settings = settings_from(manifest["settings"])
    terms = tuple(manifest["terms"])
    checks.require_terms(terms)
    sizes = {**scaling.layout.sizes, "term": len(terms)}
    fields = {
        "draws": _read_draws(file, "posterior", manifest, sizes, (*DIMS, *REFERENCE_DIMS), settings),
        "prior": _read_draws(file, "prior", manifest, sizes, DIMS, settings),
        "terms": terms,
        "scaling": scaling,
        "settings": settings,
        "provenance": manifest["provenance"],
        "hazards": _read_hazards(file, entry) if (entry := manifest["hazards"]) else None,
        "arrivals": Arrivals.from_dict(entry) if (entry := manifest.get("arrivals")) else None,
        "amounts": ClosingAmounts.from_dict(entry) if (entry := manifest.get("revisions")) else None,
        "correction": Correction.from_dict(entry) if (entry := manifest.get("correction")) else None,
    }
    checks.require_optional(fields)
    return fields


#: Parameters that have another name in older files.
_RENAMED = {"strength": "effect_scale"}
#: Parameters that older files lack, and what their draws would be there: no bins, no companion, no column of teams.
_YOUNGER: Mapping[str, Callable[[Settings], float]] = {
    "method_lean": lambda settings: float(np.ravel(settings.priors.method_lean)[0]),
    **dict.fromkeys(("curve", "curve_scale", "companion_weight", "team_factor", "team_spread"), lambda settings: 0.0),
}


def _read_draws(
    file: Any,
    group: str,
    manifest: Mapping[str, Any],
    sizes: Mapping[str, int],
    names: Iterable[str],
    settings: Settings,
) -> dict[str, Array]:
    """All parameters of a group; those of the prior have no chains."""
    stored = {_RENAMED.get(name, name): name for name in manifest["shapes"][group]}
    younger = set(_YOUNGER) - set(stored)
    # Only fitted draws have a prior density.
    if {*stored, *younger, "log_prior"} != {*names, "log_prior"}:
        raise ValueError(f"group {group!r} holds other parameters")
    counts = manifest["shapes"][group][stored["intercept"]]
    if len(counts) != (2 if group == "posterior" else 1) or min(counts) < 1:
        raise ValueError(f"group {group!r} holds no draws")
    draws = {}
    for name, key in stored.items():
        shape = [*counts, *(sizes[dim] for dim in parameter_dims(name))]
        if manifest["shapes"][group][key] != shape:
            raise ValueError(f"{name!r} has another shape")
        # An empty array (a model without covariates) is not stored, only its shape.
        if 0 in shape:
            draws[name] = np.zeros(shape, dtype=np.float32)
        else:
            draws[name] = read_array(file[group], key, shape if len(counts) == 2 else [1, *shape]).reshape(shape)
        checks.require_range(name, draws[name])
    for name in younger:
        draws[name] = np.full([*counts, *(sizes[dim] for dim in DIMS[name])], _YOUNGER[name](settings), np.float32)
    return draws


def _read_pairs(group: Any) -> InteractionBasis:
    columns, components = group["loading"].shape[0], group["loading"].shape[-1]
    lengths = {"column": columns, "other_column": columns, "component": components}
    return InteractionBasis(
        **{
            name: read_array(group, name, [lengths[dim] for dim in dims], "i" if name in ("level", "field") else "f")
            for name, dims in PAIR_DIMS.items()
        }
    )


def _read_companion(file: Any, entry: Mapping[str, Any], scaling: Scaling) -> Companion:
    arrays = {}
    for name, dims in TREE_DIMS.items():
        shape, kind = entry["shapes"][name], "f" if name in ("threshold", "value", "start", "additive") else "i"
        checks.require_shape(name, shape, len(dims))
        empty = np.zeros(shape, dtype=np.int64 if kind == "i" else float)
        arrays[name] = empty if 0 in shape else read_array(file["companion"], name, shape, kind)
    if list(entry["columns"]) != scaling.columns:
        raise ValueError("the companion has other columns")
    companion = Companion(
        columns=tuple(scaling.columns),
        fields=len(scaling.fields),
        middle=checks.number("middle", entry["middle"]),
        weight=(checks.number("weight", entry["weight"][0]), checks.number("weight", entry["weight"][1])),
        **arrays,
    )
    layout = scaling.layout
    require_trees(companion, len(layout.field_of_level), layout.sizes["bin"], len(scaling.columns))
    return companion


def _read_hazards(file: Any, entry: Mapping[str, Any]) -> Hazards:
    empty = Hazards.from_dict(entry, {})
    sizes = {dim: len(labels) for dim, labels in empty.coords.items()}
    draws = {
        name: read_array(file["hazards"], name, [None, *(sizes[dim] for dim in dims)])
        for name, dims in stored_dims(empty).items()
    }
    if len({len(values) for values in draws.values()}) != 1:
        raise ValueError("the draws of the time-to-close model have different lengths")
    hazards = replace(empty, draws=draws)
    checks.require_hazards(hazards)
    return hazards


def _damaged(path: Path) -> PosteriorError:
    return PosteriorError(
        gettext("model {path} is damaged or is not a model file. Train it again, or use an intact copy.", path=path)
    )


def _other_format(path: Path, found: int) -> PosteriorError:
    words = {"path": path, "found": found, "known": FORMAT}
    if found > FORMAT:
        return PosteriorError(
            gettext(
                "model {path} has format {found}, this winprob reads format {known}. Update winprob, or train again.",
                **words,
            )
        )
    return PosteriorError(gettext("model {path} has the old format {found}, now {known}. Train it again.", **words))
