"""Command ``retrain``: fit a candidate, judge it by the gate, and leave it in the registry or make it current."""

import datetime as dt
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

import winprob
from winprob.cli import app, options
from winprob.cli.evaluation import SCORES_LEAST
from winprob.cli.model import page_option, training_table
from winprob.cli.options import Frame, Output, Source, load_settings
from winprob.cli.show import echo_notes, progress, require_writable, show, write_page
from winprob.errors import DealTableError, RegistryError
from winprob.i18n import gettext

if TYPE_CHECKING:
    from winprob.retrain import Entry, Registry
    from winprob.retrain.candidate import Gate, Retraining

#: Exit code where the candidate is left: for a scheduler, neither success nor fault.
HELD = 3
COLUMNS = ("model", "log_loss", "calibration_slope", "calibration_intercept", "coverage_90", "n")


@app.main.command()
@options.source()
@options.target("--registry", type=options.KEPT_FOLDER, required=True, help="The registry; made if it does not exist.")
@click.option(
    "--promote",
    type=click.Choice(["ask", "auto"]),
    default="ask",
    show_default=True,
    help="auto: a candidate that passes the gate becomes the current model. ask: it is left for you to promote.",
)
@click.option("--reason", default="", help="Why, for the log.")
@options.day("--as-of", help="Use only what was known on this day.")
@click.option("--pseudonymous", is_flag=True, help="Store pseudonyms of sellers and accounts.")
@click.option("--resume", is_flag=True, help="Go on from the draws of fits that did not converge in the last run.")
@page_option
@options.settings
@options.seed
@options.output
def retrain(
    source: Source,
    registry: Path,
    promote: str,
    reason: str,
    as_of: dt.date | None,
    pseudonymous: bool,
    resume: bool,
    page: Path | None,
    settings: Path | None,
    seed: int,
    output: Output,
) -> None:
    """Fit a candidate, compare it with the registry's current model on deals that neither has seen, and judge it.

    Exit code 0: promoted. 3: held, or left as a candidate. 1: a fault.
    """
    from winprob.report.retraining import render_retraining
    from winprob.retrain import Registry, candidate

    chosen = load_settings(settings)
    require_writable(page)
    models = Registry(registry)
    # Before the work, not after it: raises where the folder is neither a registry nor empty.
    current = models.current()
    deals, remarks = _checked(source, chosen, as_of)
    unfinished = candidate.unfinished_fits(registry.parent / f"{registry.name}.unfinished", resume=resume)
    with progress() as follow:
        retraining = candidate.run_retraining(
            deals,
            candidate.CurrentModel.from_entry(current) if current else None,
            seed=seed,
            settings=chosen,
            mapping=source.entries(),
            seen_by_current=_by_own_mapping(source, current),
            as_of=as_of,
            pseudonymous=pseudonymous,
            unfinished=unfinished,
            progress=follow,
        )
    gate = retraining.gate
    if gate.difference or output.out or output.output_format != "table":
        show(scores_table(gate), output, digits=3, least=SCORES_LEAST)
    html = render_retraining(retraining)
    if page:
        write_page(html, page, gettext("The page is in {path}. Open it in a browser.", path=page))
    echo_notes(*candidate.gate_sentences(gate), *remarks)
    if unfinished.names():
        where = gettext(
            "The draws of fits that did not converge are in {path}: the same command with --resume goes on from them.",
            path=unfinished.folder,
        )
        echo_notes(where)
    if not _settled(models, retraining, html, source, current, promote == "auto", reason):
        echo_notes(*candidate.decision_sentences(gate))
        raise SystemExit(HELD)


def scores_table(gate: "Gate") -> Frame:
    """Scores of candidate and current model on the new deals; empty where nothing was scored."""
    import pandas as pd

    scored = gate.difference
    if scored is None:
        return pd.DataFrame(columns=list(COLUMNS))
    records = [
        (name, loss, one.slope, one.intercept, gate.coverage[name].share, scored.deals)
        for name, loss in (("candidate", scored.candidate), ("current", scored.current))
        for one in (gate.calibration[name],)
    ]
    return pd.DataFrame(records, columns=list(COLUMNS))


def _checked(source: Source, settings: "winprob.Settings", as_of: dt.date | None) -> tuple[Frame | Path, list[str]]:
    """The deals, once ``winprob check`` finds no error in them, and remarks for after the work.

    Raises
    ------
    DealTableError
        The check found errors.
    """
    findings = source.check()
    errors = findings[findings["severity"] == "error"]
    if len(errors):
        listed = "; ".join(f"{row.column}: {row.message}" for row in errors.itertuples())
        raise DealTableError(gettext("winprob check finds errors to fix first: {errors}", errors=listed))
    table, remarks = training_table(source, settings, as_of if os.path.isdir(source.path) else None)
    warnings = int((findings["severity"] == "warning").sum())
    if warnings:
        remarks.append(gettext("{warnings} warnings: winprob check lists them.", warnings=warnings))
    return (source.path if os.path.isdir(source.path) else table), remarks


def _by_own_mapping(source: Source, entry: "Entry | None") -> Callable[[], Frame] | None:
    """Reads the export by the current model's mapping; None where that is the mapping of today."""
    from winprob.toml import parse_toml

    text = None if entry is None or os.path.isdir(source.path) else entry.read("mapping.toml")
    if text is None:
        return None
    own = parse_toml(text, "mapping.toml", RegistryError)
    if json.dumps(own, sort_keys=True, default=str) == json.dumps(source.entries(), sort_keys=True, default=str):
        return None
    return replace(source, mapping=own or None).read_past


def _settled(
    models: "Registry",
    retraining: "Retraining",
    html: str,
    source: Source,
    current: "Entry | None",
    auto: bool,
    reason: str,
) -> bool:
    """Add the candidate, and promote it where the gate and the user allow: whether it is the current model now."""
    gate, candidate = retraining.gate, retraining.candidate
    if candidate is None:
        echo_notes(gettext("Nothing was added to {path}: there is no candidate.", path=models.path))
        return False
    from winprob.report.retraining import candidate_files

    files = candidate_files(retraining, candidate, html, source.entries())
    entry = models.add(files, verb="add" if gate.allows else "hold", reason=reason)
    if not (gate.allows and auto):
        echo_notes(gettext("{name} is left as a candidate in {path}.", name=entry.name, path=models.path))
        return False
    models.promote(entry.number, reason, compared_with=current.name if current else None)
    echo_notes(gettext("{name} is the current model of {path}.", name=entry.name, path=models.path))
    return True
