"""What is a fitted model? Draws, scaling and provenance: data, frozen, saved as NetCDF, loaded without PyMC.

The file holds no customer's row: draws of parameters, names of levels, tier counts, means, and hashes.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from winprob.arrays import Array
from winprob.data.tables import replacing
from winprob.errors import PosteriorError
from winprob.i18n import gettext
from winprob.model.amounts import Revisions
from winprob.model.arrivals import Arrivals
from winprob.model.features import InteractionBasis, Scaling
from winprob.model.hazards import HAZARD_DIMS, Hazards
from winprob.model.win.blocks import DIMS, coords
from winprob.settings import Settings, settings_from

if TYPE_CHECKING:
    import xarray as xr

#: Raised when a file of the former shape could no longer be read right.
FORMAT = 3

_MARK = "\nwinprob-model "

#: Beside the parameters a fitted model keeps where ``explain`` starts from, and how plausible each draw was beforehand.
REFERENCE_DIMS: dict[str, tuple[str, ...]] = {"base_rate_logit": (), "term_mean": ("term",), "log_prior": ()}

PAIR_DIMS: dict[str, tuple[str, ...]] = {
    "level": ("column",),
    "field": ("column",),
    "mean": ("column",),
    "loading": ("column", "other_column", "component"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a fitted model comes from.

    Attributes
    ----------
    deals, rows : how many deals and rows it learned from (0 = all prior)
    available : how many closed deals there were; more than ``deals`` where some, drawn at random, were learned from
    counted, won : how many deals that counts for, exact copies counting once, and how many of these were won
    first_day, last_day : ISO dates of the first and last reading, None without dates
    data_hash : SHA-256 of the arrays it learned from
    seed : the seed of the sampler and of all later draws
    versions : of Python and the libraries that made it
    gates : measured convergence diagnostics, empty for a prior
    """

    deals: int
    rows: int
    available: int
    counted: float
    won: float
    first_day: str | None
    last_day: str | None
    data_hash: str
    seed: int
    versions: Mapping[str, str]
    gates: Mapping[str, float]

    @property
    def prior_only(self) -> bool:
        """Whether no deal was seen."""
        return self.deals == 0


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """A fitted win model.

    Attributes
    ----------
    draws : parameters by name, each float32 (chain, draw, *dims); dims as in ``parameters.DIMS``
    prior : the same parameters before any deal was seen, each (draw, *dims)
    terms : names of the terms of ``term_mean``, the average of each over the training deals
    hazards : the time to close, None where the training table had no dates to learn it from
    arrivals : deals won in past quarters by when they were opened, None where the training table does not tell
    revisions : what won deals closed at beside what was written, None where the training table does not tell
    """

    draws: Mapping[str, Array]
    prior: Mapping[str, Array]
    terms: tuple[str, ...]
    scaling: Scaling
    settings: Settings
    provenance: Provenance
    hazards: Hazards | None = None
    arrivals: Arrivals | None = None
    revisions: Revisions | None = None

    @cached_property
    def flat(self) -> dict[str, Array]:
        """The draws with chains end to end, each (draw, *dims)."""
        return flatten_chains(self.draws)

    def sel(self, name: str, **labels: str) -> Array:
        """Draws of one parameter, picked by labels, such as ``sel("role_weight", role="approver")``.

        Returns
        -------
        (draw, *the dims not named)

        Raises
        ------
        KeyError
            No such parameter, dim or label.
        """
        values, coords, dims = self.flat[name], self.coords, list(_dims(name))
        for dim, wanted in labels.items():
            axis = dims.index(dim) + 1 if dim in dims else _absent(dim, dims)
            at = list(coords[dim]).index(wanted) if wanted in coords[dim] else _absent(wanted, coords[dim])
            values = np.take(values, at, axis=axis)
            dims.remove(dim)
        return values

    @property
    def coords(self) -> dict[str, tuple[str, ...]]:
        """Labels of every dim. A level is ``field=value``, a blank ``field=``."""
        return {**coords(self.scaling), "term": self.terms}

    def save(self, path: Path | str) -> None:
        """Write the model to a NetCDF file, whole or not at all.

        Raises
        ------
        OutputError
            The file cannot be written there.
        """
        with replacing(path) as scratch:
            _write(self, scratch)

    @staticmethod
    def load(path: Path | str) -> Posterior:
        """Read a model file.

        Raises
        ------
        PosteriorError
            The file is missing, is not a model, is damaged, or is of another format.
        """
        return _read(Path(path))

    def to_datatree(self) -> xr.DataTree:
        """Posterior and prior for ArviZ: groups ``posterior`` and ``prior``, dims ``chain, draw, ...``."""
        import xarray as xr

        def dataset(draws: Mapping[str, Array]) -> xr.Dataset:
            variables = {name: (("chain", "draw", *_dims(name)), values) for name, values in draws.items()}
            used = {dim for dims, _ in variables.values() for dim in dims}
            labels = {dim: list(values) for dim, values in self.coords.items() if dim in used}
            return xr.Dataset(variables, coords=labels)

        prior = {name: values[None] for name, values in self.prior.items()}
        return xr.DataTree.from_dict({"posterior": dataset(self.draws), "prior": dataset(prior)})


def flatten_chains(draws: Mapping[str, Array]) -> dict[str, Array]:
    """Each (chain, draw, *dims) as (draw, *dims), chains end to end."""
    return {name: v.reshape(v.shape[0] * v.shape[1], *v.shape[2:]) for name, v in draws.items()}


def _dims(name: str) -> tuple[str, ...]:
    return DIMS[name] if name in DIMS else REFERENCE_DIMS[name]


def _absent(wanted: str, known: object) -> int:
    raise KeyError(f"{wanted!r} is not among {known}")


def _write(posterior: Posterior, path: Path) -> None:
    import h5netcdf

    prior = {name: values[None] for name, values in posterior.prior.items()}
    with h5netcdf.File(path, "w") as file:
        file.attrs["manifest"] = json.dumps(_manifest(posterior), ensure_ascii=False, sort_keys=True)
        for group, draws in (("posterior", posterior.draws), ("prior", prior)):
            _write_group(file.create_group(group), draws)
        if posterior.scaling.pairs:
            _write_pairs(file.create_group("pairs"), posterior.scaling.pairs)
        if posterior.hazards:
            _write_hazards(file.create_group("hazards"), posterior.hazards)
    content = path.read_bytes()
    path.write_bytes(content + _seal(FORMAT, content))


def _seal(number: int, content: bytes) -> bytes:
    """The last bytes of a model file, which NetCDF readers pass over: format number and SHA-256 of all before.

    A cut or changed file is known before the HDF5 library, which may crash on one, ever opens it.
    """
    return f"{_MARK}{number:06d} {hashlib.sha256(content).hexdigest()}\n".encode()


def _write_group(group: Any, draws: Mapping[str, Array]) -> None:
    for name, values in draws.items():
        dims = ("chain", "draw", *_dims(name))
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


def _write_hazards(group: Any, hazards: Hazards) -> None:
    for name, values in hazards.draws.items():
        dims = ("draw", *HAZARD_DIMS[name])
        for dim, length in zip(dims, values.shape, strict=True):
            if dim not in group.dimensions:
                group.dimensions[dim] = length
        group.create_variable(name, dims, data=values, compression="gzip", shuffle=True)


def _manifest(posterior: Posterior) -> dict[str, Any]:
    return {
        "terms": list(posterior.terms),
        "scaling": posterior.scaling.to_dict(),
        "settings": asdict(posterior.settings),
        "provenance": asdict(posterior.provenance),
        "hazards": posterior.hazards.to_dict() if posterior.hazards else None,
        "arrivals": posterior.arrivals.to_dict() if posterior.arrivals else None,
        "revisions": posterior.revisions.to_dict() if posterior.revisions else None,
        "shapes": {
            group: {name: list(values.shape) for name, values in draws.items()}
            for group, draws in (("posterior", posterior.draws), ("prior", posterior.prior))
        },
    }


def _read(path: Path) -> Posterior:
    content = _sealed_content(path)
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return _from_file(file)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path) from error


def _sealed_content(path: Path) -> bytes:
    """The NetCDF part of a model file that is whole and of this format."""
    if path.is_dir():
        raise PosteriorError(gettext("model {path} is a folder, not a model file. Name the file.", path=path))
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise PosteriorError(
            gettext("model {path} is not there. Make one with: winprob train DEALS --model {path}", path=path)
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


def _from_file(file: Any) -> Posterior:
    manifest = json.loads(str(file.attrs["manifest"]))
    pairs = (
        InteractionBasis(**{name: np.asarray(file["pairs"][name]) for name in PAIR_DIMS}) if "pairs" in file else None
    )
    return Posterior(
        draws=_read_group(file, "posterior", manifest),
        prior=_read_group(file, "prior", manifest),
        terms=tuple(manifest["terms"]),
        scaling=Scaling.from_dict(manifest["scaling"], pairs),
        settings=settings_from(manifest["settings"]),
        provenance=Provenance(**manifest["provenance"]),
        hazards=_read_hazards(file, manifest["hazards"]),
        arrivals=Arrivals.from_dict(entry) if (entry := manifest.get("arrivals")) else None,
        revisions=Revisions.from_dict(entry) if (entry := manifest.get("revisions")) else None,
    )


#: Parameters that older files hold under another name.
_RENAMED = {"strength": "effect_scale"}


def _read_group(file: Any, group: str, manifest: Mapping[str, Any]) -> dict[str, Array]:
    # An empty array (a model without covariates) is not stored: its shape says all there is to know.
    shapes = manifest["shapes"][group]
    return {
        _RENAMED.get(name, name): np.asarray(file[group][name]).reshape(shape)
        if 0 not in shape
        else np.zeros(shape, dtype=np.float32)
        for name, shape in shapes.items()
    }


def _read_hazards(file: Any, entry: Mapping[str, Any] | None) -> Hazards | None:
    if entry is None:
        return None
    return Hazards.from_dict(entry, {name: np.asarray(file["hazards"][name]) for name in HAZARD_DIMS})


def _damaged(path: Path) -> PosteriorError:
    return PosteriorError(
        gettext("model {path} is damaged or is not a model file. Train it again, or take a whole copy.", path=path)
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
