"""What starting costs: ``--help`` next to ``import numpy``, ``predict`` of ten deals next to ``import pandas``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import _timing as timing
from prediction import make_model

HELP_AIM, PREDICT_AIM = 0.2, 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=9, help="takes of each, in turn")
    parser.add_argument("--quick", action="store_true", help="three takes, to try it out")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        got = measure(Path(folder), 3 if asked.quick else asked.times)
    figures = told(got)
    print(timing.figures_table(figures))
    timing.save("startup", figures, **got)


def measure(folder: Path, times: int) -> dict[str, float]:
    """Median seconds of each command, bytecode compiled and files in the system's cache."""
    import winprob

    model, deals = folder / "model.nc", folder / "ten.csv"
    make_model(model)
    winprob.write_table(winprob.simulate(1, 10, seed=3).open, deals, "csv")
    program = str(Path(sys.executable).parent / "winprob")
    commands = {
        "import numpy": [sys.executable, "-c", "import numpy"],
        "--help": [program, "--help"],
        "import pandas": [sys.executable, "-c", "import pandas"],
        "predict": [program, "predict", str(deals), "--model", str(model), "--format", "csv"],
    }
    # A program is started many times and compiled once: compiling does not count as starting.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for command in commands.values():
        timing.run_seconds(command, env)
    takes = {name: (lambda command=command: timing.run_seconds(command, env)) for name, command in commands.items()}
    return timing.medians(takes, times)


def told(got: dict[str, float]) -> list[timing.Figure]:
    extra_help = got["--help"] - got["import numpy"]
    extra_predict = got["predict"] - got["import pandas"]
    return [
        timing.Figure(quantity="--help minus import numpy", got=extra_help, aim=HELP_AIM, unit="s"),
        timing.Figure(
            quantity="predict of ten deals minus import pandas", got=extra_predict, aim=PREDICT_AIM, unit="s"
        ),
        *(timing.Figure(quantity=name, got=value, unit="s") for name, value in got.items()),
    ]


if __name__ == "__main__":
    main()
