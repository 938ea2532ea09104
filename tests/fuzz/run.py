"""Fuzz the readers for some minutes, each batch in a process of its own, and count: ``./dev fuzz [minutes]``.

Counts go to ``build/fuzz.json``, each failing case and its traceback to ``build/fuzz/``. A batch that dies (a crash of
a C library, memory, a loop without an end) is a failure too.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import secrets
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, given, seed, settings

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
#: Cases and seconds of one batch, and the memory that it may map.
BATCH, SECONDS, MEMORY = 200, 300, 6 * 1024**3
KINDS = ("cases", "read", "refused", "failures")


def fuzz(minutes: float) -> int:
    """Run batches of every target in turn until the time is up; 1 where one failed."""
    from tests.fuzz.targets import TARGETS

    counts: dict[str, Counter[str]] = {name: Counter() for name in TARGETS}
    reasons: Counter[str] = Counter()
    end = time.monotonic() + 60 * minutes
    with ThreadPoolExecutor(max(os.cpu_count() or 1, 1)) as pool:
        while time.monotonic() < end:
            seeds = {name: secrets.randbelow(2**32) for name in TARGETS}
            for name, (number, reason) in zip(seeds, pool.map(_batch, seeds, seeds.values()), strict=True):
                counts[name] += number
                reasons += reason
            _report(counts, reasons, minutes)
    print(_table(counts))
    for reason, count in reasons.most_common():
        print(f"{count:6d}  {reason}")
    return int(any(number["failures"] for number in counts.values()))


def _batch(name: str, number: int) -> tuple[Counter[str], Counter[str]]:
    """One batch in a process of its own: its counts, and its failures by kind."""
    command = [sys.executable, "-m", "tests.fuzz.run", "--batch", name, str(number)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=SECONDS, check=False)
        died = "" if done.returncode == 0 else f"{name}: the process ended with {done.returncode}"
        lines = done.stdout.decode(errors="replace").splitlines()
    except subprocess.TimeoutExpired:
        died, lines = f"{name}: no end after {SECONDS} s", []
    if died:
        (BUILD / "fuzz").mkdir(parents=True, exist_ok=True)
        (BUILD / "fuzz" / f"died-{name}-{number}.txt".replace(" ", "_")).write_text(f"{died}\nseed {number}\n")
        return Counter({"cases": 1, "failures": 1}), Counter({died: 1})
    result = json.loads(lines[-1])
    return Counter(result["counts"]), Counter(result["reasons"])


def run_batch(name: str, number: int) -> None:
    """Try ``BATCH`` cases of a target, and print the counts as JSON."""
    from tests.fuzz.targets import TARGETS, attack

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("error")
    logging.getLogger("winprob").setLevel(logging.ERROR)
    target, counts, reasons = TARGETS[name], Counter[str](), Counter[str]()

    @seed(number)
    @settings(
        max_examples=BATCH,
        deadline=None,
        database=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(target.cases)
    def count(case: object) -> None:
        counts["cases"] += 1
        try:
            counts[attack(target, case, folder / "case")] += 1
        except Exception as fault:  # noqa: BLE001 (any exception is what the fuzzer looks for)
            counts["failures"] += 1
            place = traceback.extract_tb(fault.__traceback__)[-1]
            kind = f"{name}: {type(fault).__name__}: {str(fault)[:100]} ({Path(place.filename).name}:{place.lineno})"
            if reasons[kind] == 0:
                _keep(name, number, counts["cases"], case, fault)
            reasons[kind] += 1

    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        count()
    print(json.dumps({"counts": counts, "reasons": reasons}))


def _keep(name: str, number: int, at: int, case: object, fault: Exception) -> None:
    (BUILD / "fuzz").mkdir(parents=True, exist_ok=True)
    text = "".join(traceback.format_exception(fault))
    file = BUILD / "fuzz" / f"{name}-{number}-{at}.txt".replace(" ", "_").replace(",", "")
    file.write_text(f"{case!r}\n\n{text}", encoding="utf-8", errors="backslashreplace")


def _report(counts: dict[str, Counter[str]], reasons: Counter[str], minutes: float) -> None:
    BUILD.mkdir(exist_ok=True)
    record = {
        "minutes": minutes,
        "targets": {name: {kind: number[kind] for kind in KINDS} for name, number in counts.items()},
        "failures": dict(reasons.most_common()),
    }
    (BUILD / "fuzz.json").write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _table(counts: dict[str, Counter[str]]) -> str:
    total: Counter[str] = sum(counts.values(), Counter())
    rows = [("target", *KINDS), *((name, *(number[kind] for kind in KINDS)) for name, number in counts.items())]
    rows.append(("all", *(total[kind] for kind in KINDS)))
    return "\n".join(f"{row[0]:20s}" + "".join(f"{cell:>10}" for cell in row[1:]) for row in rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--batch"]:
        run_batch(sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(fuzz(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
