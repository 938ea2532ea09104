"""A registry whose writers are killed at any moment, or write at once: whole models, an unbroken log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from winprob import Registry
from winprob.errors import RegistryError

ROOT = Path(__file__).parents[2]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def run(program: str, *arguments: object) -> str:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300).stdout


def is_usable(registry: Registry) -> None:
    """Before any other writer has run: what is current is a whole model, and every model can be read."""
    entry = registry.current()
    if entry is not None:
        assert entry.read("model.nc")
    for each in registry.entries():
        assert each.read("model.nc")


def is_whole_after_the_next_writer(registry: Registry) -> None:
    """The next add, promotion and reversion work, and leave nothing that is wrong or temporary."""
    before = [entry.name for entry in registry.entries()]
    current = registry.current()
    entry = registry.add({"model.nc": b"next"})
    assert [each.name for each in registry.entries()] == [*before, entry.name]
    assert registry.verify() == []
    assert not list(registry.path.glob(".winprob*"))
    # What was logged is so by now.
    logged = [line.target for line in registry.log() if line.verb in ("promote", "revert")]
    assert (registry.current() is None) == (not logged)
    if logged:
        assert (registry.path / "current").read_text() == f"{logged[-1]}\n"
        assert current is None or current.name in logged
    registry.promote(entry.number)
    if logged:
        assert registry.revert().name == logged[-1]
    assert registry.verify() == []


#: Kills a writer with SIGKILL just before its n-th call to the disk, for every n; each in a folder of its own.
AT_EVERY_CALL = """
import os, shutil, signal, sys
from winprob.retrain import Registry
def deadly(name, left):
    real = getattr(os, name)
    def call(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    setattr(os, name, call)
def work(registry):
    for content in (b"one", b"two"):
        registry.promote(registry.add({"model.nc": content, "gate.json": b"{}"}).number)
    registry.revert()
for number in range(1, 300):
    registry = Registry(os.path.join(sys.argv[1], str(number)))
    child = os.fork()
    if child == 0:
        left = [number]
        for name in ("mkdir", "fsync", "rename", "replace", "open", "rmdir", "unlink"):
            deadly(name, left)
        work(registry)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(number)
"""


@needs_fork
def test_a_writer_killed_before_any_call_to_the_disk_leaves_a_usable_registry(tmp_path: Path) -> None:
    moments = int(run(AT_EVERY_CALL, tmp_path))
    assert moments > 60
    unfinished = 0
    for number in range(1, moments + 1):
        registry = Registry(tmp_path / str(number))
        unfinished += bool(registry.path.exists() and list(registry.path.glob(".winprob*")))
        is_usable(registry)
        is_whole_after_the_next_writer(registry)
    assert unfinished > 10


#: A writer adds, promotes and reverts until it is killed; after each kill the state is checked by the next writer.
AT_RANDOM = """
import json, os, random, signal, sys, time
from winprob.retrain import Registry
random.seed(20260701)
states = {"behind": 0, "staged": 0, "torn": 0, "lines": 0}
for kill in range(50):
    # Five registries, each killed ten times.
    folder = os.path.join(sys.argv[1], str(kill // 10))
    child = os.fork()
    if child == 0:
        registry, turn = Registry(folder), 0
        while True:
            content = os.urandom(20_000)
            entry = registry.add({"model.nc": content, "settings.toml": b"[priors]"}, by="w", reason="r" * 5000)
            registry.promote(entry.number, by="w")
            if turn % 2:
                registry.revert(by="w")
            turn += 1
    time.sleep(random.uniform(0.0, 0.2))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    registry = Registry(folder)
    current = registry.current()
    if current is not None:
        assert current.read("model.nc") is not None
    faults = registry.verify() if registry.path.exists() and os.listdir(folder) else []
    assert all("left unfinished by a killed run" in fault for fault in faults), faults
    states["behind"] += any("current was left" in fault for fault in faults)
    states["staged"] += any("-" in fault.split(" ")[0] for fault in faults)
    states["torn"] += any("log.jsonl was left" in fault for fault in faults)
    after = registry.add({"model.nc": b"next"}, by="w")
    assert registry.verify() == [], registry.verify()
    assert not [name for name in os.listdir(folder) if name.startswith(".winprob")]
    assert registry.promote(after.number, by="w") == registry.current()
    if kill % 2:
        registry.revert(by="w")
    if kill % 10 == 9:
        states["lines"] += len(registry.log())
print(json.dumps(states))
"""


@needs_fork
def test_fifty_kills_at_random_moments_leave_the_log_unbroken_and_the_next_run_working(tmp_path: Path) -> None:
    states = json.loads(run(AT_RANDOM, tmp_path))
    # The checks themselves write 125 lines: the writers were at work when they were killed, some between two steps.
    assert states["lines"] > 150
    assert states["behind"] + states["staged"] + states["torn"] > 0
    assert [Registry(tmp_path / str(at)).verify() for at in range(5)] == [[]] * 5


def text_of_log(registry: Registry) -> bytes:
    return (registry.path / "log.jsonl").read_bytes()


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path / "r")
    for content in (b"one", b"two"):
        registry.promote(registry.add({"model.nc": content}).number)
    return registry


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_line_that_was_only_begun_is_passed_over_and_cut_off_by_the_next_writer(
    registry: Registry, share: float
) -> None:
    whole = text_of_log(registry)
    line = whole.splitlines()[-1]
    (registry.path / "log.jsonl").write_bytes(whole + line[: int(share * len(line))])
    assert len(registry.log()) == 4
    assert registry.current() == registry.entry(2)
    assert ["log.jsonl was left unfinished" in fault for fault in registry.verify()] == [True]
    registry.promote(1)
    assert text_of_log(registry).startswith(whole)
    assert len(registry.log()) == 5
    assert registry.verify() == []


def test_a_last_line_that_lacks_only_its_end_is_kept(registry: Registry) -> None:
    whole = text_of_log(registry)
    (registry.path / "log.jsonl").write_bytes(whole.removesuffix(b"\n"))
    assert registry.current() == registry.entry(2)
    registry.add({"model.nc": b"three"})
    assert text_of_log(registry).startswith(whole)
    assert registry.verify() == []


@pytest.mark.parametrize("before", ["0001", None])
def test_a_promotion_that_is_only_in_the_log_is_finished_by_the_next_writer(tmp_path: Path, before: str | None) -> None:
    registry = Registry(tmp_path / "r")
    first, second = (registry.add({"model.nc": content}) for content in (b"one", b"two"))
    if before:
        registry.promote(1)
    registry.promote(2)
    place = registry.path / "current"
    place.write_text(f"{first.name}\n") if before else place.unlink()
    assert registry.current() == (first if before else None)
    assert ["current was left unfinished" in fault for fault in registry.verify()] == [True]
    registry.add({"model.nc": b"three"})
    assert registry.current() == second
    assert registry.verify() == []


def test_an_added_model_that_lacks_only_its_name_can_be_read_and_is_renamed(registry: Registry) -> None:
    entry = registry.add({"model.nc": b"three"})
    entry.path.rename(registry.path / f".winprob-{entry.name}")
    assert registry.entry(3).read("model.nc") == b"three"
    assert [entry.name in fault for fault in registry.verify()] == [True]
    registry.promote(1)
    assert registry.entry(3).path == entry.path
    assert registry.verify() == []


def test_a_former_model_put_into_current_by_hand_is_not_taken_for_a_kill(registry: Registry) -> None:
    registry.add({"model.nc": b"three"})
    (registry.path / "current").write_text(f"{registry.entries()[0].name}\n")
    with pytest.raises(RegistryError, match=r"by the log 0002-.* is current"):
        registry.add({"model.nc": b"four"})


# ---- several at once ------------------------------------------------------------------------------------------------

WRITER = """
import sys
from winprob.retrain import Registry
registry, who = Registry(sys.argv[1]), sys.argv[2]
sys.stdin.readline()
for step in range(8):
    entry = registry.add({"model.nc": f"{who} {step}".encode()}, by=who)
    registry.promote(entry.number, by=who)
    print(entry.name)
"""


def test_two_writers_at_once_wait_for_each_other_and_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    command = [sys.executable, "-c", WRITER, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    writers = [subprocess.Popen([*command, who], **pipes) for who in ("wang", "li")]  # type: ignore[call-overload]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    printed = [writer.communicate(timeout=120)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    registry = Registry(folder)
    assert registry.verify() == []
    assert sorted(printed[0] + printed[1]) == [entry.name for entry in registry.entries()]
    assert [entry.number for entry in registry.entries()] == list(range(1, 17))
    assert [line.who for line in registry.log()].count("li") == 16


def test_readers_during_writing_see_whole_models_only(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    Registry(folder).promote(Registry(folder).add({"model.nc": b"first"}).number)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), "li"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert writer.stdin is not None
    writer.stdin.write(b"go\n")
    writer.stdin.flush()
    looks = 0
    while writer.poll() is None:
        entry = Registry(folder).current()
        assert entry is not None
        assert entry.read("model.nc")
        looks += 1
    writer.communicate(timeout=60)
    assert looks > 3
    assert Registry(folder).verify() == []


def test_without_locks_a_single_writer_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def refuses(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuses)
    registry = Registry(tmp_path / "r")
    registry.promote(registry.add({"model.nc": b"one"}).number)
    assert registry.verify() == []
    assert registry.current() == registry.entry(1)


@pytest.mark.parametrize("change", [lambda r: r.add({"model.nc": b"x"}), lambda r: r.promote(1), lambda r: r.revert()])
def test_a_writer_waits_for_the_lock_of_another(registry: Registry, change: Callable[[Registry], object]) -> None:
    import fcntl
    import threading

    handle = os.open(registry.path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    done = threading.Thread(target=change, args=(registry,))
    done.start()
    done.join(0.2)
    waiting = done.is_alive()
    os.close(handle)
    done.join(30)
    assert (waiting, done.is_alive()) == (True, False)
    assert registry.verify() == []
