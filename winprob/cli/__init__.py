"""What did the user ask? The command line: parse, one call, print. Nothing heavy is imported before it is needed."""

from __future__ import annotations

from winprob.cli import allocate
from winprob.cli.commands import main

__all__ = ["allocate", "main"]
