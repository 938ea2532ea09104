"""Commands ``predict`` and ``explain``: the win probability of each deal, and of one deal its reasons."""

import datetime as dt
from functools import partial
from pathlib import Path

import click

import winprob
from winprob.cli import app, options
from winprob.cli.options import Output, Source, load_model
from winprob.cli.show import echo_notes, show
from winprob.errors import DealTableError, OutputError, WinprobError
from winprob.i18n import gettext

#: The orders of ``--sort``, with the column of the result where it is one.
ORDERS = {
    "probability": "mean",
    "amount": "",
    "value": "",
    "id": "deal_id",
    "width": "",
    "unknowns": "unknowns",
}
#: Columns that a narrow screen leaves out, least important first.
LEAST = ("prior_share", "unknowns", "won_by_lower", "won_by_upper", "slip_prob", "account")
CHANCE = ("mean", "lower", "upper", "prior_share")


@app.main.command()
@options.source(waiting=True)
@options.model
@options.day("--by", help="Add the probability that the deal is won by this day.")
@click.option(
    "--sort",
    type=click.Choice(list(ORDERS)),
    help="Order of the deals, largest first: probability, amount, value (probability x amount), width of the interval, "
    "unknowns; id is ascending. By default the order of DEALS.",
)
@click.option("--flags", is_flag=True, help="Add the red flags of each open deal; they do not change a number.")
@options.unseen_seed
@options.output
def predict(
    source: Source,
    model: Path,
    by: dt.date | None,
    sort: str | None,
    flags: bool,
    seed: int | None,
    output: Output,
) -> None:
    """The win probability of every deal, with its interval.

    The table on the screen shows account and amount too, where DEALS has them; CSV, JSON and Excel have the same
    columns for every export.
    """
    posterior = load_model(model, seed)
    if flags or sort or not _predict_in_blocks(posterior, source, by, output):
        table = source.read_known()
        chances = _chances(posterior, table, by)
        if flags:
            from winprob.actions.flags import with_flags

            chances = with_flags(chances, table, posterior.settings.flags)
        known = _known_of(table, chances)
        if sort:
            chances = _sorted(chances, known, sort)
        if output.output_format == "table":
            chances = _with_known(chances, known, value=sort == "value")
        percent = (*CHANCE, "won_by", "won_by_lower", "won_by_upper", "slip_prob")
        show(chances, output, percent=percent, money=("amount", "expected_value"), least=LEAST)
    if posterior.provenance.prior_only:
        echo_notes(gettext("This model has seen no deal: every figure here is prior."))
    if posterior.hazards is not None and not posterior.hazards.still_open:
        echo_notes(gettext("Learned from closed deals alone: if wins are quick, long-open deals are rated too high."))


def _known_of(table: options.Frame, chances: options.Frame) -> options.Frame:
    """Account, amount and currency of the deals of ``chances``, where the table has them."""
    from winprob.data.schema import validate_deals

    known = validate_deals(table)
    shown = known[[name for name in ("account", "amount", "currency") if name in known and known[name].notna().any()]]
    return shown.set_axis(chances.index)


def _currencies(known: options.Frame) -> int:
    return int(known["currency"].nunique()) if "currency" in known else 0


def _with_known(chances: options.Frame, known: options.Frame, *, value: bool) -> options.Frame:
    """The chances with account and amount after the id; the currency where there are several."""
    known = known.loc[chances.index]
    if "currency" in known and _currencies(known) < 2:
        known = known.drop(columns="currency")
    if value and "amount" in known:
        known = known.assign(expected_value=known["amount"] * chances["mean"])
    first, rest = chances[["deal_id"]], chances.drop(columns="deal_id")
    return first.join(known).join(rest)


def _sorted(chances: options.Frame, known: options.Frame, order: str) -> options.Frame:
    """The deals in an order; those without its quantity last, ties in the order of the table.

    Raises
    ------
    DealTableError
        The deals have no amount.
    """
    import pandas as pd

    if order in ("amount", "value") and "amount" not in known:
        raise DealTableError(gettext("--sort {order} needs the column 'amount', and no deal has one.", order=order))
    if order in ("amount", "value") and _currencies(known) > 1:
        echo_notes(gettext("Amounts of several currencies are ordered as they are, not converted."))
    keys: dict[str, pd.Series] = {name: chances[column] for name, column in ORDERS.items() if column}
    if order == "width":
        keys["width"] = chances["upper"] - chances["lower"]
    elif order == "amount":
        keys["amount"] = known["amount"]
    elif order == "value":
        keys["value"] = known["amount"] * chances["mean"]
    rank = keys[order].sort_values(ascending=order == "id", kind="stable", na_position="last")
    return chances.loc[rank.index]


def _chances(
    posterior: "winprob.Posterior", table: options.Frame, by: dt.date | None, threads: int | None = None
) -> options.Frame:
    from winprob.data.schema import validate_deals
    from winprob.model.prediction import predict_valid
    from winprob.model.timing import add_timing

    chances = predict_valid(posterior, validate_deals(table), threads=threads)
    return add_timing(chances, posterior, table, by) if by else chances


def _predict_in_blocks(posterior: "winprob.Posterior", source: Source, by: dt.date | None, output: Output) -> bool:
    """Predict a large file in bounded memory; false where it must be read at once, as for a message with all errors."""
    from winprob.data.tables import BLOCK_FORMATS, NotInBlocksError, deal_blocks, is_large, write_blocks
    from winprob.model.waiting import known_open_until, newest_day

    if output.out is None or output.output_format not in BLOCK_FORMATS or source.people or not is_large(source.path):
        return False
    read = partial(deal_blocks, source.path, source.mapping, encoding=source.encoding)
    try:
        day = source.open_until
        if day is None and posterior.hazards is not None:
            # The newest day of the whole file is known after a pass over it.
            day = newest_day(read(quiet=True))
        # Each thread holds the draws of a thousand deals.
        known = (known_open_until(block, day) if day else block for block in read())
        frames = (_chances(posterior, block, by, threads=2) for block in known)
        write_blocks(frames, output.out, output.output_format)
    except OutputError:
        raise
    except (NotInBlocksError, WinprobError):
        return False
    return True


@app.main.command()
@options.source(waiting=True)
@options.deal
@options.model
@options.unseen_seed
@options.output
def explain(source: Source, deal: str, model: Path, seed: int | None, output: Output) -> None:
    """Explain a deal's win probability: its log-odds term by term, from the base rate."""
    from winprob.data.schema import last_reading

    posterior, table = load_model(model, seed), source.read_known()
    terms = winprob.explain(posterior, table, deal)
    show(terms, output)
    chance = winprob.predict(posterior, last_reading(table, deal)).iloc[0]
    echo_notes(
        gettext(
            "Together {log_odds:+.2f} log-odds: {mean:.0%} to win ({lower:.0%} to {upper:.0%}).",
            log_odds=terms["log_odds"].sum(),
            mean=chance["mean"],
            lower=chance["lower"],
            upper=chance["upper"],
        )
    )
