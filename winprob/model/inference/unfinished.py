"""Chains of a run that did not converge, kept in a file of plain arrays, from which a later run goes on.

NUTS has no state but its point: chains that start at points of these chains and adapt anew draw from the same
posterior, so that draws of both runs count together. What has to be the same is the density, not the number of draws or
the gates.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from winprob.arrays import Array
from winprob.data.tables import replacing
from winprob.errors import InputError
from winprob.i18n import gettext
from winprob.model.inference.sampling import Draws
from winprob.model.win.density import Density, source_hash

#: The arrays of a file, with their dims.
_DIMS = {
    "points": ("chain", "draw", "unknown"),
    "starts": ("start", "unknown"),
    "diverging": ("chain", "draw"),
    "energy": ("chain", "draw"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """Draws that missed their gates, the step size that was aimed at, and the checksum of the density they are from."""

    draws: Draws
    target_accept: float
    density: str

    def save(self, path: Path | str) -> None:
        """Write an NPZ file, completely or not at all.

        Raises
        ------
        OutputError
            The file cannot be written there.
        """
        statistics = {name: self.draws.statistics[name].to_numpy() for name in ("diverging", "energy")}
        arrays = {"points": self.draws.points, "starts": self.draws.starts, **statistics}
        small: Any = {name: np.asarray(values, dtype=np.float32) for name, values in arrays.items()}
        with replacing(path) as scratch, scratch.open("wb") as file:
            np.savez(file, density=self.density, target_accept=self.target_accept, **small)

    @classmethod
    def load(cls, path: Path | str) -> Unfinished:
        """Read what ``save`` wrote.

        Raises
        ------
        InputError
            The file is missing, damaged, or of another kind.
        """
        try:
            arrays = _read(Path(path))
            return cls(
                draws=Draws(
                    points=arrays["points"].astype(float),
                    starts=arrays["starts"].astype(float),
                    statistics=_dataset({name: arrays[name] for name in ("diverging", "energy")}),
                ),
                target_accept=float(arrays["target_accept"]),
                density=str(arrays["density"]),
            )
        except FileNotFoundError:
            raise InputError(gettext("there is no unfinished run {path}: train without --resume.", path=path)) from None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            raise InputError(
                gettext("{path} is damaged, or not an unfinished run of winprob: train without --resume.", path=path)
            ) from None

    def require(self, density: Density, chains: int) -> None:
        """Check that a run over this density goes on from here.

        Raises
        ------
        InputError
            The deals, settings of the model, seed, chains or version of winprob are others than those of the run.
        """
        if self.density != checksum(density) or self.draws.points.shape[::2] != (chains, density.unknowns):
            raise InputError(
                gettext(
                    "the unfinished run was of other deals, settings or options, another mapping, seed or version of "
                    "winprob. Give the same ones (sampler.retry_draws and gates may differ), or train without --resume."
                )
            )

    def joined(self, later: Draws) -> Draws:
        """These draws and later ones, chain by chain."""
        both = {
            name: np.concatenate([self.draws.statistics[name], later.statistics[name]], axis=1)
            for name in ("diverging", "energy")
        }
        points = np.concatenate([self.draws.points, later.points], axis=1)
        return Draws(points=points, starts=later.starts, statistics=_dataset(both))


def checksum(density: Density) -> str:
    """SHA-256 of all arrays of a density, and of the source that evaluates it."""
    digest = sha256(str(source_hash()).encode())
    for name, values in density._asdict().items():
        digest.update(f"{name} {values.dtype} {values.shape}".encode() + np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _read(path: Path) -> Mapping[str, Array]:
    """Arrays of an NPZ file that fit together.

    Raises
    ------
    ValueError
        A shape, a number or the way that an array is stored is not as ``Unfinished.save`` writes it.
    """
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("compressed")
        file.seek(0)
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in (*_DIMS, "target_accept", "density")}
    lengths: dict[str, int] = {}
    for name, dims in _DIMS.items():
        for dim, length in zip(dims, arrays[name].shape, strict=True):
            if lengths.setdefault(dim, length) != length or not length:
                raise ValueError(f"{dim} of {name}")
        if arrays[name].dtype != np.float32 or not np.isfinite(arrays[name]).all():
            raise ValueError(f"numbers of {name}")
    if not 0 < float(arrays["target_accept"]) < 1:
        raise ValueError("target_accept")
    return arrays


def _dataset(statistics: Mapping[str, Any]) -> Any:
    import xarray as xr

    return xr.Dataset({name: (("chain", "draw"), np.asarray(values)) for name, values in statistics.items()})
