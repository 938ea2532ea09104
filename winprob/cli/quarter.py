"""Commands of the quarter wing: ``forecast``, ``track`` and the quarterly review, ``report``."""

import datetime as dt
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

import winprob
from winprob.cli import app, options
from winprob.cli.options import Output, Source, load_model, load_settings
from winprob.cli.show import echo_notes, progress, require_writable, show, stdout_for_tables, write_page
from winprob.i18n import gettext

if TYPE_CHECKING:
    from winprob.actions.visits import Plan
    from winprob.data.fiscal import Quarter
    from winprob.quarter import Bridge, Forecast

_MONEY = ("p10", "p50", "p90", "mean")
#: Columns that a narrow screen leaves out, least important first.
_TRACK_LEAST = (
    "inside_80_corrected",
    "p10_corrected",
    "p90_corrected",
    "reached",
    "stage_weighted_error",
    "corrected_error",
    "p50_corrected",
    "inside_80",
    "as_of",
    "commit_error",
    "prob_target",
)


@app.main.command()
@options.source()
@options.quarter(required=True)
@click.option("--by", help="The same lines for every level of this column: seller, segment, region, product.")
@click.option(
    "--deals-out", type=options.TARGET, help="Write the deals, their chances and shares of the risk to this file."
)
@click.option(
    "--log", type=options.KEPT_FOLDER, help="Keep the forecast in this folder, to be scored once the quarter is over."
)
@options.earlier()
@options.target("--bridge-out", help="Write the bridge from that review to this file.")
@options.model
@options.settings
@options.seed
@options.output
def forecast(
    source: Source,
    request: options.QuarterRequest,
    by: str | None,
    deals_out: Path | None,
    log: Path | None,
    before: options.EarlierReview | None,
    bridge_out: Path | None,
    model: Path,
    settings: Path | None,
    seed: int,
    output: Output,
) -> None:
    """Forecast the bookings of a quarter: closed so far, open deals, and deals not yet created."""
    from winprob.data.tables import resolve_format
    from winprob.quarter import bridge_sentences, forecast_sentences

    if bridge_out and before is None:
        raise click.UsageError(gettext("--before-model, --before-as-of and --bridge-out need --before."))
    for path in filter(None, (deals_out, bridge_out)):
        resolve_format(path)
    require_writable(deals_out, bridge_out)
    chosen = load_settings(settings) if settings else None
    posterior, rates = load_model(model), request.read_rates()
    table = source.read_review(request.as_of)
    result = winprob.forecast_quarter(
        posterior,
        table,
        request.quarter,
        as_of=request.as_of,
        target=request.target_in(request.quarter),
        currency=request.currency,
        rates=rates,
        by=by,
        calendar=chosen.calendar if chosen else None,
        settings=chosen.quarter if chosen else None,
        seed=seed,
    )
    bridge = before and winprob.bridge_forecasts(
        posterior,
        table,
        _read_earlier(replace(source, path=before.path), before.as_of),
        result.quarter,
        posterior_before=load_model(before.model) if before.model else None,
        as_of=result.as_of,
        as_of_before=before.as_of,
        currency=result.currency or None,
        rates=rates,
        seed=seed,
    )
    lines = result.lines if result.groups is None else result.groups
    show(lines, output, percent=("prob_target",), money=_MONEY)
    echo_notes(*forecast_sentences(result))
    if bridge:
        echo_notes(*bridge_sentences(bridge))
        if bridge_out:
            winprob.write_table(bridge.steps, bridge_out)
    if deals_out:
        winprob.write_table(result.deals, deals_out)
    if log:
        echo_notes(gettext("Kept as {path}.", path=winprob.append_forecast(log, result)))


@app.main.command()
@click.argument("log", type=options.FILE)
@options.source()
@options.file("--rates", help="A dated table of exchange rates: currency, rate, from, to.")
@options.idle_seed
@options.output
def track(log: Path, source: Source, rates: Path | None, output: Output) -> None:
    """Score past forecasts: a folder of forecasts (forecast --log) against the outcomes in DEALS."""
    from winprob.quarter import track_record_sentences

    deals = source.read_review()
    scores = winprob.score_forecasts(log, deals, rates=winprob.read_rates(rates) if rates else None)
    plain = ("quarter", "as_of", "week", "currency", "prob_target", "reached", "inside_80", "inside_80_corrected")
    money = [name for name in scores.columns if name not in plain]
    show(scores, output, percent=("prob_target",), money=money, least=_TRACK_LEAST)
    echo_notes(*track_record_sentences(scores))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewInputs:
    """What the quarterly review is made from, read from the files."""

    posterior: "winprob.Posterior"
    deals: options.Frame
    request: options.QuarterRequest
    rates: options.Frame | None
    before: options.Frame | None
    model_before: "winprob.Posterior | None"
    settings: "winprob.Settings"
    seed: int


@app.main.command()
@options.source()
@options.model
@click.option(
    "--out", type=options.TARGET, default=Path("reports/review.html"), show_default=True, help="A .html or .pdf file."
)
@options.target("--pdf", help="Write the page as a PDF too.")
@options.quarter(required=False)
@options.earlier(people=True)
@click.option(
    "--executives", type=options.FILE, help="A TOML file with the executives and their slots: adds a visit plan."
)
@options.file("--log", help="Folder of past forecasts: adds their track record.")
@options.file("--record", help="The file that winprob backtest --record wrote.")
@options.file("--decisions", help="Decisions of earlier reviews (decisions.csv): adds what became of them.")
@options.file("--monitor", help="A history: adds to the track record whether the model is still calibrated.")
@options.settings
@options.seed
def report(
    source: Source,
    model: Path,
    out: Path,
    pdf: Path | None,
    request: options.QuarterRequest,
    before: options.EarlierReview | None,
    executives: Path | None,
    log: Path | None,
    record: Path | None,
    decisions: Path | None,
    monitor: Path | None,
    settings: Path | None,
    seed: int,
) -> None:
    """The quarterly review: what the quarter will bring, what changed, what would break it, what to do.

    DEALS holds open deals and those closed so far; closed deals of earlier quarters show how many are still to come.
    """
    from winprob.data.tables import read_decisions
    from winprob.report.card import read_record

    _require_outputs(out, pdf)
    posterior = load_model(model, seed)
    known = read_record(record, posterior.provenance) if record else None
    with progress() as follow:
        follow(gettext("reading the deals"), 0.0)
        inputs = _read_inputs(posterior, source, request, before, settings, seed)
        findings = source.check()
        follow(gettext("forecasting the quarter"), 0.2)
        result = _forecast(inputs)
        if before:
            follow(gettext("comparing with the last review"), 0.4)
        bridge, chances = _compare(inputs, result)
        if executives:
            follow(gettext("planning the visits"), 0.6)
        plan = _plan(inputs, executives)
        follow(gettext("writing the page"), 0.8)
        page = winprob.render_review(
            posterior,
            inputs.deals,
            result,
            bridge=bridge,
            before=chances,
            plan=plan,
            findings=findings,
            scores=winprob.score_forecasts(log, inputs.deals, rates=inputs.rates) if log else None,
            record=known,
            monitoring=winprob.monitor_model(posterior, monitor) if monitor else None,
            trend=_trend(result, source, inputs, log),
            decisions=read_decisions(decisions, encoding=source.encoding) if decisions else None,
            rates=inputs.rates,
            settings=inputs.settings.review,
        )
    _write_review(page, out, pdf)


def _read_earlier(source: Source, as_of: dt.date | None) -> options.Frame:
    """The deals of an earlier review; those of a query as of its day."""
    from winprob.data.tables.databases.queries import on_day

    with on_day(as_of):
        return source.read_review(as_of)


def _read_inputs(
    posterior: "winprob.Posterior",
    source: Source,
    request: options.QuarterRequest,
    before: options.EarlierReview | None,
    settings: Path | None,
    seed: int,
) -> ReviewInputs:
    deals = source.read_review(request.as_of)
    then = replace(source, path=before.path, people=before.people) if before else None
    return ReviewInputs(
        posterior=posterior,
        deals=deals,
        request=request,
        rates=request.read_rates(source.encoding),
        before=_read_earlier(then, before.as_of) if then and before else None,
        model_before=load_model(before.model, seed) if before and before.model else None,
        settings=load_settings(settings) if settings else posterior.settings,
        seed=seed,
    )


def _require_outputs(out: Path, pdf: Path | None) -> None:
    from winprob.report.pdf import require_pdf

    if pdf or _is_pdf(out):
        require_pdf()
    require_writable(out, pdf)


def _is_pdf(path: Path) -> bool:
    return path.suffix.lower() == ".pdf"


def _requested_quarter(inputs: ReviewInputs) -> "Quarter | str":
    """The quarter asked for, or the quarter of the day after the newest reading."""
    from winprob.data.fiscal import quarter_of
    from winprob.quarter import coming_quarter

    calendar, day = inputs.settings.calendar, inputs.request.as_of
    if inputs.request.quarter:
        return inputs.request.quarter
    return quarter_of(day + dt.timedelta(days=1), calendar) if day else coming_quarter(inputs.deals, calendar)


def _forecast(inputs: ReviewInputs) -> "Forecast":
    quarter = _requested_quarter(inputs)
    return winprob.forecast_quarter(
        inputs.posterior,
        inputs.deals,
        quarter,
        as_of=inputs.request.as_of,
        target=inputs.request.target_in(quarter),
        currency=inputs.request.currency,
        rates=inputs.rates,
        calendar=inputs.settings.calendar,
        settings=inputs.settings.quarter,
        seed=inputs.seed,
    )


def _compare(inputs: ReviewInputs, result: "Forecast") -> "tuple[Bridge | None, options.Frame | None]":
    """The bridge from the last review, and each deal's win probability in that review."""
    if inputs.before is None:
        return None, None
    bridge = winprob.bridge_forecasts(
        inputs.posterior,
        inputs.deals,
        inputs.before,
        result.quarter,
        posterior_before=inputs.model_before,
        as_of=result.as_of,
        currency=result.currency,
        rates=inputs.rates,
        calendar=inputs.settings.calendar,
        seed=inputs.seed,
    )
    from winprob.model.waiting import known_open_until

    # As that review knew them: a later model knows of later days.
    return bridge, winprob.predict(inputs.model_before or inputs.posterior, known_open_until(inputs.before))


def _trend(result: "Forecast", source: Source, inputs: ReviewInputs, log: Path | None) -> options.Frame:
    """The quarter so far: P50 of the log's forecasts, closed and commit of a history."""
    from winprob.quarter import quarter_trend

    snapshots = winprob.read_history(source.path, until=result.as_of) if source.path.is_dir() else None
    return quarter_trend(result, log=log, snapshots=snapshots, rates=inputs.rates)


def _plan(inputs: ReviewInputs, executives: Path | None) -> "Plan | None":
    if executives is None:
        return None
    roster = winprob.read_executives(executives)
    with stdout_for_tables():
        return winprob.plan_visits(
            inputs.posterior, inputs.deals, roster, settings=inputs.settings.visits, seed=inputs.seed
        )


def _write_review(page: str, out: Path, pdf: Path | None) -> None:
    from winprob.report.pdf import write_pdf

    pdfs = [path for path in (pdf, out if _is_pdf(out) else None) if path]
    if out not in pdfs:
        write_page(page, out, gettext("The page is in {path}. Open it in a browser.", path=out))
    for path in pdfs:
        write_pdf(page, path)
        echo_notes(gettext("The PDF is in {path}.", path=path))
