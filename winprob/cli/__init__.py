"""What did the user ask? The command line: parse, one call, print. Nothing heavy is imported before it is needed."""

from __future__ import annotations

from winprob.cli.commands import main

# Each of these adds its command to ``main``.
from winprob.cli import allocate, brief, forecast, intel, levers  # noqa: F401  isort: skip
from winprob.cli import postmortem, report, snapshot, track, whatif  # noqa: F401  isort: skip

__all__ = ["main"]
