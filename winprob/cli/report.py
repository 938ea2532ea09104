"""The quarterly review as a command: one page of HTML that opens from a mail, and a PDF where one is wanted."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from winprob.cli.commands import main
from winprob.cli.options import FILE, deals_argument, model_option, reading, seed_option, settings_option, spoken
from winprob.cli.show import progress, stdout_for_tables, tell
from winprob.i18n import gettext

if TYPE_CHECKING:
    import pandas as pd

    from winprob.actions.visits import Plan
    from winprob.data.fiscal import Quarter
    from winprob.model.posterior import Posterior
    from winprob.quarter import Bridge, Forecast
    from winprob.settings import Settings

DAY = click.DateTime(["%Y-%m-%d"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the page is made from, read."""

    posterior: Posterior
    deals: pd.DataFrame
    before: pd.DataFrame | None
    model_before: Posterior | None
    settings: Settings
    rates: pd.DataFrame | None
    currency: str | None
    seed: int


@main.command()
@deals_argument
@model_option
@click.option("--out", type=FILE, default=Path("reports/review.html"), show_default=True, help="A .html or .pdf file.")
@click.option("--pdf", type=FILE, help="The page as a PDF too, beside the HTML.")
@click.option("--quarter", help="Such as 2026Q4; by default the quarter that the day after the newest reading is in.")
@click.option("--as-of", type=DAY, help="The day knowledge ends; by default the newest reading.")
@click.option("--target", type=float, help="Bookings to reach.")
@click.option("--before", type=FILE, help="The export of the last review: tell what changed since.")
@click.option("--people-before", type=FILE, help="The people table of that time.")
@click.option("--before-model", type=FILE, help="The model of that time, if it was another.")
@click.option("--before-as-of", type=DAY, help="The day of the last review; by default the newest reading of --before.")
@click.option("--executives", type=FILE, help="A TOML file: who has how many slots. The page then asks for visits.")
@click.option("--log", type=click.Path(path_type=Path), help="Folder of past forecasts: how good they have been.")
@click.option("--record", type=FILE, help="What winprob backtest --record wrote.")
@click.option("--currency", help="Of the page; by default the one most deals are in.")
@click.option("--rates", type=FILE, help="A table of exchange rates: currency, rate, from.")
@reading
@settings_option
@seed_option
@spoken
def report(
    deals: Path,
    model: Path,
    out: Path,
    pdf: Path | None,
    quarter: str | None,
    as_of: dt.datetime | None,
    target: float | None,
    before: Path | None,
    people_before: Path | None,
    before_model: Path | None,
    before_as_of: dt.datetime | None,
    executives: Path | None,
    log: Path | None,
    record: Path | None,
    currency: str | None,
    rates: Path | None,
    mapping: Path | None,
    people: Path | None,
    encoding: str | None,
    settings: Path | None,
    seed: int,
) -> None:
    """The quarterly review: what the quarter will bring, what changed, what would break it, what to do.

    DEALS holds open deals and those closed so far; closed deals of earlier quarters tell how many are still to come.
    """
    from winprob.cli.models import load_model
    from winprob.data.history import check_history, is_history, read_review
    from winprob.data.tables import check_file, read_rates
    from winprob.report.card import read_record
    from winprob.report.quarterly import render_review
    from winprob.settings import read_settings

    _require_sound(before, people_before, before_model, out, pdf)
    posterior = load_model(model, seed)
    with progress() as follow:
        follow(gettext("reading the deals"), 0.0)
        asked = Asked(
            posterior=posterior,
            deals=read_review(deals, mapping, people, encoding=encoding, as_of=_day(as_of)),
            before=_before(before, mapping, people_before, encoding, _day(before_as_of)),
            model_before=load_model(before_model, seed) if before_model else None,
            settings=read_settings(settings) if settings else posterior.settings,
            rates=read_rates(rates, encoding=encoding) if rates else None,
            currency=currency,
            seed=seed,
        )
        findings = check_history(deals) if is_history(deals) else check_file(deals, mapping, people, encoding=encoding)
        follow(gettext("forecasting the quarter"), 0.2)
        forecast = _forecast(asked, quarter, _day(as_of), target)
        if before:
            follow(gettext("comparing with the last review"), 0.4)
        bridge, chances = _compare(asked, forecast)
        if executives:
            follow(gettext("planning the visits"), 0.6)
        plan = _plan(asked, executives)
        follow(gettext("writing the page"), 0.8)
        page = render_review(
            asked.posterior,
            asked.deals,
            forecast,
            bridge=bridge,
            before=chances,
            plan=plan,
            findings=findings,
            scores=_scores(asked, log),
            record=read_record(record) if record else None,
            settings=asked.settings.review,
        )
    _write(page, out, pdf)


def _before(
    path: Path | None, mapping: Path | None, people: Path | None, encoding: str | None, day: dt.date | None
) -> pd.DataFrame | None:
    from winprob.data.history import read_review

    return read_review(path, mapping, people, encoding=encoding, as_of=day) if path else None


def _day(given: dt.datetime | None) -> dt.date | None:
    return given.date() if given else None


def _require_sound(
    before: Path | None, people_before: Path | None, before_model: Path | None, out: Path, pdf: Path | None
) -> None:
    from winprob.data.tables import require_writable
    from winprob.report.pdf import require_pdf

    if (people_before or before_model) and not before:
        raise click.UsageError(gettext("--people-before and --before-model go with --before."))
    if pdf or _is_pdf(out):
        require_pdf()
    for path in (out, pdf):
        if path:
            require_writable(path)


def _is_pdf(path: Path) -> bool:
    return path.suffix.lower() == ".pdf"


def _quarter(asked: Asked, name: str | None, day: dt.date | None) -> Quarter:
    """The quarter asked for, or the one that the newest reading lies in."""
    from winprob.data.fiscal import find_quarter, quarter_of
    from winprob.quarter import coming_quarter

    calendar = asked.settings.calendar
    if name:
        return find_quarter(name, calendar)
    return quarter_of(day + dt.timedelta(days=1), calendar) if day else coming_quarter(asked.deals, calendar)


def _forecast(asked: Asked, name: str | None, day: dt.date | None, target: float | None) -> Forecast:
    from winprob.quarter import forecast_quarter

    return forecast_quarter(
        asked.posterior,
        asked.deals,
        _quarter(asked, name, day),
        as_of=day,
        target=target,
        currency=asked.currency,
        rates=asked.rates,
        calendar=asked.settings.calendar,
        settings=asked.settings.quarter,
        seed=asked.seed,
    )


def _compare(asked: Asked, forecast: Forecast) -> tuple[Bridge | None, pd.DataFrame | None]:
    """The bridge from the last review, and each deal's win probability then."""
    from winprob.model.prediction import predict
    from winprob.quarter import bridge_forecasts

    if asked.before is None:
        return None, None
    bridge = bridge_forecasts(
        asked.posterior,
        asked.deals,
        asked.before,
        forecast.quarter,
        posterior_before=asked.model_before,
        as_of=forecast.as_of,
        currency=forecast.currency,
        rates=asked.rates,
        calendar=asked.settings.calendar,
        seed=asked.seed,
    )
    return bridge, predict(asked.model_before or asked.posterior, asked.before)


def _plan(asked: Asked, executives: Path | None) -> Plan | None:
    from winprob.actions.visits import plan_visits, read_executives

    if executives is None:
        return None
    roster = read_executives(executives)
    with stdout_for_tables():
        return plan_visits(asked.posterior, asked.deals, roster, settings=asked.settings.visits, seed=asked.seed)


def _scores(asked: Asked, log: Path | None) -> pd.DataFrame | None:
    from winprob.quarter import score_forecasts

    return score_forecasts(log, asked.deals, rates=asked.rates) if log else None


def _write(page: str, out: Path, pdf: Path | None) -> None:
    from winprob.data.tables import replacing
    from winprob.report.pdf import write_pdf

    wanted = [pdf] if pdf else []
    if _is_pdf(out):
        wanted.append(out)
    else:
        with replacing(out) as scratch:
            scratch.write_text(page, encoding="utf-8")
        tell(gettext("The page is in {path}. Open it in a browser.", path=out))
    for path in wanted:
        write_pdf(page, path)
        tell(gettext("The PDF is in {path}.", path=path))
