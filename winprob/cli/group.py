"""One way in for all commands: an error the user can mend is one message and exit 1, never a traceback."""

from typing import Any

import click

from winprob.cli.show import hush_stdout, tell
from winprob.errors import WinprobError


class House(click.Group):
    """The commands in the order in which they are used, and their errors in words."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except WinprobError as error:
            tell(f"winprob: {error}")
            ctx.exit(1)
        except BrokenPipeError:
            # The reader (head, less) has seen enough.
            hush_stdout()
            ctx.exit(0)
