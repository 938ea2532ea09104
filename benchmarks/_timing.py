"""Shared by the benchmarks: paths, timing, results as tables and files."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
#: Fewer draws and looser gates, for fits of which only the mean of a prediction counts.
FOLDS_SETTINGS = ROOT / "benchmarks" / "crossvalidation.toml"
LIBRARIES = ("numpy", "scipy", "pandas", "pymc", "pytensor", "numba", "nutpie", "scikit-learn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured quantity. ``aim`` is its upper limit, None without a target."""

    quantity: str
    got: float
    aim: float | None = None
    unit: str = ""

    @property
    def verdict(self) -> str:
        if self.aim is None:
            return "-"
        return "met" if self.got <= self.aim else "missed"


def out_dir() -> Path:
    """Folder of results and cached work: ``.benchmarks/`` in the project, or ``WINPROB_BENCH_OUT``."""
    folder = Path(os.environ.get("WINPROB_BENCH_OUT", ROOT / ".benchmarks"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def real_data(*parts: str) -> Path | None:
    """A file of the real data sets; None, with a printed note, where they are absent."""
    folder = Path(os.environ.get("WINPROB_REAL_DATA", ROOT.parent / "shared" / "data"))
    path = folder.joinpath(*parts)
    if path.is_file():
        return path
    print(
        f"skipped: {path} does not exist. The data are not part of the project; WINPROB_REAL_DATA names their folder."
    )
    return None


def progress(text: str) -> None:
    """Print progress to stderr."""
    print(text, file=sys.stderr, flush=True)


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def cpu_seconds() -> float:
    """CPU time so far of this process, all its threads, and its children that have ended."""
    return sum(os.times()[:4])


def kept(folder: str, label: str, work: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays that ``work`` returns, from the cache of an earlier run where they are there.

    Everything that they depend on is part of ``folder`` or ``label``. A file is complete or absent.
    """
    path = out_dir() / "".join(c if c.isalnum() or c == "/" else "-" for c in folder) / f"{label}.npz"
    if not path.exists():
        arrays = work()
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(scratch := path.with_suffix(".part.npz"), **arrays)
        scratch.replace(path)
    with np.load(path) as file:
        return dict(file)


def run_seconds(command: Sequence[str], env: Mapping[str, str] | None = None) -> float:
    """Wall time of a command, which must succeed."""
    return seconds(
        lambda: subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    )


def worker(script: str, *arguments: str, env: Mapping[str, str] | None = None) -> Any:
    """Run ``script arguments`` in a new process; its last line of output as JSON, its progress on stderr."""
    command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments]
    done = subprocess.run(command, check=True, env=env, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def medians(works: Mapping[str, Callable[[], float]], times: int) -> dict[str, float]:
    """Medians of repeated measurements, interleaved so that a busy minute affects all equally."""
    takes: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(times):
        for name, work in works.items():
            takes[name].append(work())
    return {name: statistics.median(values) for name, values in takes.items()}


def code_hash() -> str:
    """Hash of all sources of the package: a result belongs to the code that produced it."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "winprob").rglob("*")):
        if path.suffix in {".py", ".toml"}:
            digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def machine() -> dict[str, Any]:
    """Versions, cores and load of the machine."""
    versions = {name: version(name) for name in LIBRARIES}
    load = [round(value, 2) for value in os.getloadavg()]
    return {"cores": os.cpu_count(), "load": load, "python": platform.python_version(), **versions}


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers are formatted by the caller."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def number(value: float, digits: int = 3) -> str:
    """Three significant digits, no exponent; a dash for NaN."""
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def figures_table(figures: Iterable[Figure]) -> str:
    rows = [
        (f.quantity, f"{number(f.got)} {f.unit}".strip(), "-" if f.aim is None else f"<= {number(f.aim)}", f.verdict)
        for f in figures
    ]
    return markdown(("quantity", "got", "aim", "verdict"), rows)


def save(name: str, figures: Sequence[Figure], **more: Any) -> None:
    """Write ``<name>.json`` for ``run.py`` and for later comparisons."""
    records = [{**asdict(figure), "verdict": figure.verdict} for figure in figures]
    result = {"name": name, "code": code_hash(), "machine": machine(), "figures": records, **more}
    (out_dir() / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
