"""Write ``winprob.toml``: every key with a comment, and what a new file would change in an old one."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from winprob.data.tables import replacing
from winprob.errors import OutputError, SettingsError
from winprob.i18n import gettext
from winprob.routine.project import PROJECT_FILE, ProjectSettings
from winprob.settings import read_settings
from winprob.toml import read_toml

SETTINGS_FILE = "settings.toml"


def project_text(values: ProjectSettings) -> str:
    """The file's text, in the current language; a key that is not set is a comment."""
    lines = [
        gettext(
            "# winprob: every command run in this folder or below it takes its defaults from here; options take "
            "precedence."
        ),
        gettext("# Paths are relative to this file. winprob config shows what is in force."),
    ]
    table = asdict(values)
    for key, comment in _comments().items():
        entry = f"{key} = {_toml(table[key])}"
        lines += ["", f"# {comment}", entry if table[key] else f"# {entry}"]
    lines += ["", f"# {gettext('Bookings to reach, by quarter, in the currency of the reports.')}", "[targets]"]
    lines += [f"{_toml(quarter)} = {_toml(amount)}" for quarter, amount in sorted(values.targets.items())]
    lines += ["", f"# {gettext('Statements on the open deals, written into the CRM by winprob writeback.')}"]
    # A table of comments alone would be one that former versions do not know.
    lines += ["[writeback]" if any(table["writeback"].values()) else "# [writeback]"]
    for key, comment in _writeback_comments().items():
        entry = f"{key} = {_toml(table['writeback'][key])}"
        lines += [f"# {comment}", entry if table["writeback"][key] else f"# {entry}"]
    return "\n".join(lines) + "\n"


def _comments() -> dict[str, str]:
    return {
        "export": gettext(
            'The weekly export: a file, or a pattern such as "exports/*.csv", of which the newest counts.'
        ),
        "database": gettext(
            'The database in which query files (.sql) are run, such as "postgresql+psycopg://reader@host/crm"; without '
            "a password."
        ),
        "query_timeout": gettext("Seconds that a query may take, 60 where nothing else is said."),
        "preset": gettext("The CRM that it comes from, or an edited copy of a preset (winprob preset)."),
        "mapping": gettext("A TOML file that names the columns of the export."),
        "people": gettext("A people table: who holds which role."),
        "encoding": gettext("Text encoding of the export, where the automatic choice is wrong."),
        "rates": gettext("A dated table of exchange rates."),
        "currency": gettext("The currency of the reports; by default that of most deals."),
        "executives": gettext("The executives and their slots, whose visits are planned."),
        "settings": gettext("Settings: priors, sampler, and the fiscal calendar under [calendar]."),
        "model": gettext("A model file, where the registry is not used."),
        "registry": gettext("The registry of models: its current model is used."),
        "history": gettext("The history: a snapshot of each week's export."),
        "log": gettext("The forecasts of each week, to be scored later."),
        "outputs": gettext("Where the weekly pages are written, one folder for each week."),
        "language": gettext('Language of pages and messages: "en" or "zh".'),
        "company": gettext("The name of the company, for the message."),
    }


def _writeback_comments() -> dict[str, str]:
    return {
        "target": gettext('The CRM: "salesforce", "hubspot" or "dynamics".'),
        "external_id": gettext("Its field that holds deal_id, where that is not its own id."),
        "fields": gettext("A TOML file that renames our fields in the CRM."),
        "out": gettext("Where the files of the import and their receipts are written."),
    }


def _toml(value: Any) -> str:
    """A text or a number as TOML: JSON's texts are TOML's, but for one control character."""
    if value is None:
        # The only number that need not be set.
        return "60"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def relative_to(folder: Path, given: Path | str) -> str:
    """A path from the working directory as the project file names it: relative to ``folder``, with forward slashes."""
    try:
        return Path(os.path.relpath(given, folder)).as_posix()
    except ValueError:
        # Another drive.
        return Path(os.path.abspath(given)).as_posix()


def changes(path: Path, values: ProjectSettings) -> list[str]:
    """What writing the file would change, key by key; empty without a file.

    Raises
    ------
    SettingsError
        The present file is not TOML.
    """
    if not path.exists():
        return []
    old = read_toml(path, gettext("project file {path}", path=path), SettingsError)
    before = _flat(old)
    after = {key: value for key, value in _flat(asdict(values)).items() if value or key in before}
    return [
        f"{key}: {before.get(key, '-')!s} -> {after.get(key, '-')!s}"
        for key in dict.fromkeys((*before, *after))
        if before.get(key) != after.get(key)
    ]


def _flat(table: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= {f"{key}.{name}": each for name, each in value.items()} if isinstance(value, dict) else {key: value}
    return flat


def write_project(folder: Path, values: ProjectSettings, *, force: bool) -> Path:
    """Write the project file of a folder, which is made where it does not exist.

    Raises
    ------
    OutputError
        There is another file and ``force`` is not given; the message lists what would change. Or it cannot be written.
    """
    path = folder / PROJECT_FILE
    try:
        changed = [] if force else changes(path, values)
    except SettingsError as fault:
        changed = [str(fault)]
    if changed:
        listed = "\n".join(f"  - {line}" for line in changed)
        raise OutputError(
            gettext("{path} exists; nothing was written. --force would change:\n{changes}", path=path, changes=listed)
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise OutputError(
            gettext("folder {path} cannot be made: {reason}.", path=folder, reason=fault.strerror or fault)
        ) from fault
    with replacing(path) as temporary:
        temporary.write_text(project_text(values), encoding="utf-8")
    return path


def calendar_settings(folder: Path, month: int, settings: Path | None) -> str | None:
    """The text of a new settings file for a fiscal year that begins in ``month``; None where nothing is to be written.

    Raises
    ------
    SettingsError
        A settings file has another month.
    """
    existing = settings or (folder / SETTINGS_FILE if (folder / SETTINGS_FILE).is_file() else None)
    if existing is None:
        return f"[calendar]\nfiscal_year_start_month = {month}\n"
    there = read_settings(existing).calendar.fiscal_year_start_month
    if there != month:
        raise SettingsError(
            gettext(
                "settings file {path} has fiscal_year_start_month = {there}, and --fiscal-year-start-month is {month}: "
                "change one of them",
                path=existing,
                there=there,
                month=month,
            )
        )
    return None


def setting_rows(values: ProjectSettings) -> list[tuple[str, Any]]:
    """Name and value of every key, a row for each target and each key of ``[writeback]``."""
    table = asdict(values)
    targets = table.pop("targets")
    return [*_flat(table).items(), *((f"target {quarter}", amount) for quarter, amount in sorted(targets.items()))]
