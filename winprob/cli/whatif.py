"""``winprob whatif``: the chance of a deal, had some of its facts been others."""

from pathlib import Path

import click

from winprob.cli.commands import main
from winprob.cli.options import deals_argument, model_option, reading, showing, spoken, unseen_seed_option
from winprob.cli.show import show, tell
from winprob.i18n import gettext


@main.command()
@deals_argument
@click.option("--deal", required=True, help="The deal's id.")
@click.option("--set", "sets", multiple=True, required=True, metavar="COLUMN=VALUE", help="As often as needed.")
@reading
@model_option
@unseen_seed_option
@showing
@spoken
def whatif(
    deals: Path,
    deal: str,
    sets: tuple[str, ...],
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    model: Path,
    seed: int | None,
    form: str,
    out: Path | None,
) -> None:
    """What if: a deal's chance as it stands and with some facts changed, alone and together."""
    from winprob.actions.levers import what_if, what_if_sentences
    from winprob.cli.models import load_model
    from winprob.data.history import read_known

    changes = _changes(sets)
    posterior, table = load_model(model, seed), read_known(deals, mapping, people, encoding=encoding)
    compared = what_if(posterior, table, deal, changes)
    show(compared, form=form, out=out, percent=tuple(compared.columns[1:]))
    tell(*what_if_sentences(compared, changes, posterior))


def _changes(sets: tuple[str, ...]) -> dict[str, str]:
    parts = [one.partition("=") for one in sets]
    wrong = [one for one, (name, sign, _) in zip(sets, parts, strict=True) if not (sign and name.strip())]
    names = [name.strip() for name, _, _ in parts]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if wrong:
        raise click.UsageError(
            gettext("--set wants COLUMN=VALUE, such as approver_support=3; got {got}", got=", ".join(wrong))
        )
    if doubled:
        raise click.UsageError(gettext("--set names {columns} twice", columns=", ".join(doubled)))
    return {name: value.strip() for name, (_, _, value) in zip(names, parts, strict=True)}
