"""The command ``writeback``: what is said of each open deal, into fields of ours in the CRM."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from winprob.cli import app, options
from winprob.cli.options import Source, load_model
from winprob.cli.show import echo_notes, progress, show
from winprob.i18n import gettext

if TYPE_CHECKING:
    from winprob.routine.writeback import Changes, Statements, Target

TARGETS = click.Choice(["salesforce", "hubspot", "dynamics"])


@app.main.command()
@options.source(waiting=True)
@options.model
@click.option("--target", "crm", type=TARGETS, required=True, help="The CRM.")
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
    seed: int | None,
) -> None:
    """Write chance, interval, band, red flag and next step of the open deals into fields of ours in a CRM.

    Files for the CRM's import; never its stage, probability, forecast category, amount or close date. Only rows that
    differ from the last write-back are written.
    """
    from winprob.routine import writeback as room

    if send and crm != "salesforce":
        raise click.UsageError(gettext("--send is for Salesforce; for other CRMs import the files."))
    if output_format and not dry_run:
        raise click.UsageError(gettext("--format goes with --dry-run."))
    target = room.read_target(crm, fields, external_id)
    statements = _statements(source, model, quarter, seed)
    if dry_run:
        room.require_ids(target, statements.table["deal_id"])
        said = room.last_said(out, target, sent=send)
        changes = room.changed_rows(target, statements.table, said)
        show(changes.table, options.table_output(output_format, None))
        echo_notes(*_change_sentences(target, changes))
        return
    with progress() as follow:
        done = room.write_back(out, target, statements, send=_sender(follow) if send else None)
    echo_notes(*_change_sentences(target, done.changes), *_written_sentences(done, crm))
    if done.delivery is not None and done.delivery.refused:
        from winprob.routine.writeback.salesforce import delivery_error

        raise delivery_error(done.delivery)


def _statements(source: Source, model: Path, quarter: str | None, seed: int | None) -> "Statements":
    from winprob.data.fiscal import find_quarter
    from winprob.report.statements import deal_statements
    from winprob.routine.export import export_day
    from winprob.routine.writeback import Statements

    posterior = load_model(model, seed)
    by = find_quarter(quarter, posterior.settings.calendar).end if quarter else None
    deals = source.read_known()
    day = source.open_until or export_day(source.path, deals)[0]
    name, content = _model_name(model)
    table = deal_statements(posterior, deals, day, by=by).assign(model=name, as_of=day.isoformat())
    if posterior.provenance.prior_only:
        echo_notes(gettext("This model has seen no deal: every figure here is prior."))
    return Statements(table=table, model=name, model_hash=content, as_of=day)


def _model_name(model: Path) -> tuple[str, str]:
    """Name and SHA-256 of a model: in a registry its name there, else the first digits of the hash."""
    current = options.existing_registry(model).current() if model.is_dir() else None
    content = sha256((current.path / "model.nc" if current else model).read_bytes()).hexdigest()
    return (current.name if current else content[:12]), content


def _sender(follow: Any) -> Any:
    from winprob.routine.writeback import salesforce

    return salesforce.sender(salesforce.connect(), follow)


def _change_sentences(target: "Target", changes: "Changes") -> Iterator[str]:
    from winprob.routine.writeback.rows import not_cleared

    yield gettext(
        "{crm}: {changed} deals to write, {same} as last written.",
        crm=target.label,
        changed=len(changes.rows),
        same=changes.unchanged,
    )
    if deals := not_cleared(target, changes):
        yield gettext(
            "Blank cells are left as they are by the import of {crm}: clear these deals by hand: {deals}",
            crm=target.label,
            deals=", ".join(deals),
        )


def _written_sentences(done: Any, crm: str) -> Iterator[str]:
    if done.folder is None:
        if not done.changes.rows:
            yield gettext("Nothing has changed: nothing is written.")
        return
    yield gettext("Written to {folder}: {files}", folder=done.folder, files=", ".join(done.files))
    if done.delivery is not None:
        yield gettext("Salesforce took {taken} rows.", taken=len(done.delivery.taken))
