"""No state of the compiler's cache on disk ends a training: damaged entries are compiled anew, none is needed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from numba import config, types

from winprob.model import compiled_cache
from winprob.model.compiled_cache import cached_cfunc, cached_njit


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    compiled_cache._note_rebuilt.cache_clear()
    compiled_cache._note_without.cache_clear()
    yield tmp_path
    compiled_cache._note_rebuilt.cache_clear()
    compiled_cache._note_without.cache_clear()


def double(x):
    return 2 * x


def hits() -> int:
    return cached_cfunc(types.float64(types.float64))(double)._cache_hits


def entries(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.rglob(f"*.{kind}"))


def test_a_compiled_function_is_found_again(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert [hits(), hits()] == [0, 1]
    function = cached_njit()(double)
    assert function(4.0) == 8.0
    again = cached_njit()(double)
    assert again(4.0) == 8.0
    assert sum(again.stats.cache_hits.values()) == 1
    assert caplog.records == []


@pytest.mark.parametrize("kind", ["nbc", "nbi"])
@pytest.mark.parametrize("content", [b"", b"\x80\x04N.", bytes(4000), None], ids=["empty", "old", "zeros", "flipped"])
def test_a_damaged_entry_is_compiled_anew_once_with_a_note(
    folder: Path, kind: str, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    hits()
    for entry in entries(folder, kind):
        data = bytearray(entry.read_bytes())
        data[len(data) // 2] ^= 1
        entry.write_bytes(bytes(data) if content is None else content)
    assert [hits(), hits()] == [0, 1]
    assert ["damaged or old" in record.message for record in caplog.records] == [True]


def test_an_entry_that_is_a_folder_or_gone_is_a_miss(folder: Path) -> None:
    hits()
    for entry in entries(folder, "nbc"):
        entry.unlink()
    assert [hits(), hits()] == [0, 1]
    for entry in entries(folder, "nbi"):
        entry.unlink()
        entry.mkdir()
    assert [hits(), hits()] == [0, 0]


def test_without_any_folder_to_write_to_it_compiles_without_a_cache(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As without HOME, with a package that may not be written to."""
    from numba.core.caching import CacheImpl

    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    assert [hits(), hits()] == [0, 0]
    assert cached_njit()(double)(3.0) == 6.0
    assert entries(folder, "nbc") == []
    assert ["NUMBA_CACHE_DIR" in record.message for record in caplog.records] == [True]


def test_a_full_disk_costs_the_cache_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compiled_cache.SealedCacheFile, "_save_data", full)
    assert hits() == 0
    assert caplog.records[0].levelno == logging.WARNING
    assert "No space left" in caplog.records[0].message
