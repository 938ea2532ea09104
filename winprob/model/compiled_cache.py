"""Numba's cache on disk, made safe: entries carry a checksum, a damaged one is compiled anew, and none is needed.

Numba raises whatever its unpickler raises on a damaged entry, may run damaged machine code, and refuses to compile at
all where no folder can be written to. Here a damaged entry is a miss, and a cache that cannot be written is a note.
"""

import hashlib
import logging
import pickle
from collections.abc import Callable
from functools import cache
from typing import Any

from numba import njit
from numba.core import ccallback, sigutils
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache

from winprob.i18n import gettext

_SEAL = 32


class DamagedEntryError(Exception):
    """An entry of the cache differs from its checksum."""


class SealedCacheFile(IndexDataCacheFile):
    """Numba's index and data files, each with a checksum at its end, verified before anything is unpickled."""

    def _dump(self, obj: Any) -> bytes:
        content: bytes = super()._dump(obj)
        return content + hashlib.sha256(content).digest()

    def _load_index(self) -> dict[Any, str]:
        version = pickle.dumps(self._version, protocol=-1)
        try:
            with open(self._index_path, "rb") as file:
                data = file.read()
            if not data.startswith(version):
                raise DamagedEntryError
            stamp, entries = _unsealed(data[len(version) :])
        except FileNotFoundError:
            return {}
        except (DamagedEntryError, OSError):
            _note_rebuilt(self._cache_path)
            return {}
        return dict(entries) if stamp == self._source_stamp else {}

    def _load_data(self, name: str) -> Any:
        with open(self._data_path(name), "rb") as file:
            return _unsealed(file.read())


def _unsealed(data: bytes) -> Any:
    content, seal = data[:-_SEAL], data[-_SEAL:]
    if hashlib.sha256(content).digest() != seal:
        raise DamagedEntryError
    return pickle.loads(content)  # noqa: S301 - Numba's own entry, unchanged since it was written here


class SafeCache(FunctionCache):
    """A cache of one compiled function that no state of the disk makes fail."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file = SealedCacheFile(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=self._impl.locator.get_source_stamp(),
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function; None where it has to be compiled."""
        try:
            return super().load_overload(sig, target_context)
        except (DamagedEntryError, OSError):
            _note_rebuilt(self._cache_path)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function, where the disk takes it."""
        try:
            super().save_overload(sig, data)
        except OSError as fault:
            _note_without(fault.strerror or str(fault))


def cached_njit[Function](**options: Any) -> Callable[[Function], Function]:
    """``numba.njit(cache=True)`` with a safe cache."""

    def decorate(function: Function) -> Function:
        dispatcher = njit(**options)(function)
        dispatcher._cache = _cache_of(function)
        return dispatcher

    return decorate


def cached_cfunc(signature: Any, **options: Any) -> Callable[[Any], Any]:
    """``numba.cfunc(cache=True)`` with a safe cache."""

    def decorate(function: Any) -> Any:
        callback = ccallback.CFunc(function, sigutils.normalize_signature(signature), locals={}, options=options)
        callback._cache = _cache_of(function)  # type: ignore[attr-defined]
        callback.compile()
        return callback

    return decorate


def _cache_of(function: Any) -> Any:
    try:
        return SafeCache(function)
    except (RuntimeError, OSError):
        # Numba found no folder to write to.
        _note_without(gettext("no folder can be written to"))
        return NullCache()


@cache
def _note_rebuilt(folder: str) -> None:
    logging.getLogger("winprob").warning(
        gettext("the compiler's cache in {folder} is damaged or old: compiling again, once.", folder=folder)
    )


@cache
def _note_without(reason: str) -> None:
    logging.getLogger("winprob").warning(
        gettext(
            "the compiled model cannot be kept on disk ({reason}): every training compiles it again. "
            "Set NUMBA_CACHE_DIR to a folder that can be written to.",
            reason=reason,
        )
    )
