"""Run the benchmarks, one after the other, and put their figures into one table.

``python benchmarks/run.py [name ...] [--quick]``; a missed aim is told, only a benchmark that breaks is an error.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

import _timing as timing

NAMES = (
    *("startup", "prediction", "levers", "what_if", "forecast", "reading", "speed"),
    *("sbc", "teams", "quarters", "timing", "salvirt", "maven", "real"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; all without any")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    asked = parser.parse_args()
    strangers = set(asked.names) - set(NAMES)
    if strangers:
        parser.error(f"no benchmark {', '.join(sorted(strangers))}; there are {', '.join(NAMES)}")
    results = [run(name, quick=asked.quick) for name in NAMES if name in (asked.names or NAMES)]
    print("\n" + summary(results))
    told = json.dumps({"machine": timing.machine(), "results": results}, indent=1, ensure_ascii=False)
    (timing.out_dir() / "summary.json").write_text(told + "\n", encoding="utf-8")
    return int(any(result["state"] == "broken" for result in results))


def run(name: str, *, quick: bool) -> dict[str, Any]:
    """One benchmark in a process of its own: ``state`` is done, skipped or broken."""
    timing.progress(f"== {name}")
    path = timing.out_dir() / f"{name}.json"
    path.unlink(missing_ok=True)
    command = [sys.executable, str(timing.ROOT / "benchmarks" / f"{name}.py"), *(["--quick"] if quick else [])]
    code = subprocess.run(command, check=False).returncode
    if code:
        return {"name": name, "state": "broken", "figures": []}
    if not path.exists():
        return {"name": name, "state": "skipped", "figures": []}
    return {"name": name, "state": "done", "figures": json.loads(path.read_text(encoding="utf-8"))["figures"]}


def summary(results: list[dict[str, Any]]) -> str:
    """One row a figure."""
    rows = []
    for result in results:
        for figure in result["figures"]:
            aim = "-" if figure["aim"] is None else f"<= {timing.number(figure['aim'])}"
            got = f"{timing.number(figure['got'])} {figure['unit']}".strip()
            rows.append((result["name"], figure["quantity"], got, aim, figure["verdict"]))
        if not result["figures"]:
            rows.append((result["name"], "-", "-", "-", result["state"]))
    return timing.markdown(("benchmark", "quantity", "got", "aim", "verdict"), rows)


if __name__ == "__main__":
    sys.exit(main())
