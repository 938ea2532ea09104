"""What did the user ask? The command line: parse, one call, print. Nothing heavy is imported before it is needed."""

from winprob.cli.commands import main

# Each of these adds its command to ``main``.
from winprob.cli import (  # noqa: F401  isort: skip
    allocate,
    brief,
    forecast,
    intel,
    levers,
    postmortem,
    preset,
    report,
    snapshot,
    track,
    whatif,
)

__all__ = ["main"]
