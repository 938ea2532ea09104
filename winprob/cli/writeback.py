"""The command ``writeback``: statements on the open deals, into fields of ours in the CRM."""

from pathlib import Path
from typing import Any

import click

from winprob.cli import app, options
from winprob.cli.options import Source, load_model, load_settings
from winprob.cli.show import echo_notes, progress, show
from winprob.i18n import gettext

CRMS = click.Choice(["salesforce", "hubspot", "dynamics"])


@app.main.command()
@options.source(waiting=True)
@options.model
@click.option("--target", "crm", type=CRMS, required=True, help="The CRM.")
@options.target(
    "--out",
    type=options.KEPT_FOLDER,
    required=True,
    help="Folder of the write-backs: each run adds a folder with its files and their receipt.",
)
@click.option("--quarter", help="Add the chance to be won by the end of this quarter, such as 2026Q4.")
@options.file("--fields", help="A TOML file that renames our fields in the CRM; an empty name leaves one out.")
@click.option("--external-id", metavar="FIELD", help="The CRM's field that holds deal_id, where it is not its own id.")
@click.option("--dry-run", is_flag=True, help="Show what would change since the last write-back; write nothing.")
@click.option("--send", is_flag=True, help="Salesforce: send the rows too, with the credentials of the environment.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "csv", "json"]),
    help="Format of the table that --dry-run shows.",
)
@options.settings
@options.unseen_seed
def writeback(
    source: Source,
    model: Path,
    crm: str,
    out: Path,
    quarter: str | None,
    fields: Path | None,
    external_id: str | None,
    dry_run: bool,
    send: bool,
    output_format: str | None,
    settings: Path | None,
    seed: int | None,
) -> None:
    """Write chance, interval, band, red flag and next step of the open deals into fields of ours in a CRM.

    Files for the CRM's import; never its stage, probability, forecast category, amount or close date. Only rows that
    differ from the last write-back are written.
    """
    from winprob.routine.writeback import receipts, rows, salesforce, targets

    if send and crm != "salesforce":
        raise click.UsageError(gettext("--send is for Salesforce; for other CRMs import the files."))
    if output_format and not dry_run:
        raise click.UsageError(gettext("--format goes with --dry-run."))
    target = targets.read_target(crm, fields, external_id)
    client = salesforce.connect() if send and not dry_run else None
    statements = _statements(source, model, quarter, settings, seed)
    if dry_run:
        targets.require_ids(target, statements.table["deal_id"])
        changes = rows.changed_rows(target, statements.table, receipts.last_written(out, target, sent=send))
        show(changes.table, options.table_output(output_format, None))
        echo_notes(*rows.change_sentences(target, changes))
        return
    with progress() as follow:
        done = receipts.write_back(out, target, statements, send=client and salesforce.sender(client, follow))
    echo_notes(*rows.change_sentences(target, done.changes), *receipts.written_sentences(done))
    if done.delivery is not None and done.delivery.refused:
        raise salesforce.delivery_error(done.delivery)


def _statements(source: Source, model: Path, quarter: str | None, settings: Path | None, seed: int | None) -> Any:
    from winprob.data.fiscal import find_quarter
    from winprob.report.statements import deal_statements
    from winprob.routine import export, writeback

    posterior = load_model(model, seed)
    chosen = load_settings(settings) if settings else posterior.settings
    by = find_quarter(quarter, chosen.calendar).end if quarter else None
    deals = source.read_known()
    # A day in the name of a history's folder is not that of its last snapshot.
    day = source.open_until or export.export_day(source.path if source.path.is_file() else Path(), deals)[0]
    if posterior.provenance.prior_only:
        echo_notes(gettext("This model has seen no deal: every figure here is prior."))
    current = options.existing_registry(model).current() if model.is_dir() else None
    return writeback.receipts.signed(
        deal_statements(posterior, deals, day, by=by, settings=chosen),
        day=day.isoformat(),
        model=current.path / "model.nc" if current else model,
        name=current.name if current else None,
    )
