"""``winprob preset``: what a CRM's columns are taken for, as a file to edit."""

from pathlib import Path

import click

from winprob.cli.commands import main
from winprob.cli.options import FILE, spoken
from winprob.cli.show import show_text


@main.command()
@click.argument("name")
@click.option("--out", type=FILE, help="Write the file here instead of to the screen.")
@spoken
def preset(name: str, out: Path | None) -> None:
    """Print the preset of a CRM (salesforce, dynamics, hubspot), to edit: --preset takes the edited file."""
    from winprob.data.tables import preset_text, replacing

    text = preset_text(name)
    if out is None:
        show_text(text)
        return
    with replacing(out) as scratch:
        scratch.write_text(text, encoding="utf-8")
