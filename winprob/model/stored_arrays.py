"""Read arrays of an HDF5 file only where the file itself stores them: no links, external files or virtual datasets.

HDF5 lets a dataset refer to bytes of any other file on the machine. A model file that uses this, or a filter that loads
a plug-in, was made with intent; it is refused before anything of it is read.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from winprob.arrays import Array

#: Filters of the HDF5 library that a model file uses: deflate and shuffle.
_FILTERS = frozenset((1, 2))
#: Deflate compresses by at most this factor: a dataset that claims more was not written by it.
_MOST_COMPRESSION, _ALLOWANCE = 1100, 65_536
_MOST_OBJECTS = 10_000


def require_own_content(file: Any) -> None:
    """Check that every link of an open HDF5 file is a plain one, and that every dataset is stored in the file.

    Raises
    ------
    ValueError
        It holds a soft or external link, a dataset of another file, or too many objects.
    """
    import h5py

    groups, seen = [file], 0
    while groups:
        group = groups.pop()
        for name in group:
            seen += 1
            # A loop of hard links ends here too.
            if seen > _MOST_OBJECTS:
                raise ValueError("too many objects")
            if type(group.get(name, getlink=True)) is not h5py.HardLink:
                raise ValueError(f"{name!r} is a link")
            item = group[name]
            if isinstance(item, h5py.Group):
                groups.append(item)
            elif not isinstance(item, h5py.Dataset):
                raise ValueError(f"{name!r} is not a dataset")
            else:
                _require_own_bytes(item)


def _require_own_bytes(dataset: Any) -> None:
    import h5py

    plan = dataset.id.get_create_plist()
    layouts = (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED)
    if plan.get_layout() not in layouts or plan.get_external_count():
        raise ValueError(f"{dataset.name!r} is stored in another file")
    filters = {plan.get_filter(at)[0] for at in range(plan.get_nfilters())}
    if not filters <= _FILTERS:
        raise ValueError(f"{dataset.name!r} uses an unknown filter")


def read_array(group: Any, name: str, shape: Sequence[int | None], kind: str = "f") -> Array:
    """One dataset of a checked file, all finite.

    Parameters
    ----------
    shape : the lengths it must have; None for any
    kind : ``f`` for floating point numbers, ``i`` for integers

    Raises
    ------
    KeyError
        The dataset is missing.
    ValueError
        It has another shape or type, is larger than its stored bytes can be, or holds a value that is not finite.
    """
    dataset = group[name]
    fits = len(dataset.shape) == len(shape) and all(
        wanted in (None, length) for wanted, length in zip(shape, dataset.shape, strict=True)
    )
    if not fits or dataset.dtype.kind != kind or dataset.dtype.itemsize > 8:
        raise ValueError(f"{name!r} is {dataset.dtype} {dataset.shape}, wanted {kind} {tuple(shape)}")
    stored = dataset.id.get_storage_size()
    if dataset.size * dataset.dtype.itemsize > _MOST_COMPRESSION * stored + _ALLOWANCE or not stored:
        raise ValueError(f"{name!r} claims more values than it stores")
    values = np.asarray(dataset)
    if not np.isfinite(values).all():
        raise ValueError(f"{name!r} holds values that are not finite")
    return values
