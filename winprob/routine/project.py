"""A project folder: ``winprob.toml``, from which every command run in or below it takes its defaults."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from winprob.data.fiscal import Quarter, find_quarter
from winprob.data.tables import PRESETS
from winprob.errors import SettingsError
from winprob.i18n import gettext
from winprob.settings import CalendarSettings, Settings, read_settings
from winprob.toml import Scale, read_toml, record, refusal, suggestion, validate

PROJECT_FILE = "winprob.toml"
#: A password in a URL: after the user, or as an option.
_PASSWORD = re.compile(r"://[^@/]*:[^@]*@|[?&][^=&]*(?:pass|pwd|secret|token|odbc)[^=&]*=", re.IGNORECASE)
#: Keys that name files, which must be there; the folders are made when they are first needed.
_FILES = ("mapping", "people", "rates", "executives", "settings", "model")


@record
class WritebackSettings:
    """The keys of ``[writeback]``, the defaults of ``winprob writeback``; an empty text is a key that is not set.

    Attributes
    ----------
    target : the CRM
    external_id : the CRM's field that holds ``deal_id``, where it is not its own id
    fields : a file that renames our fields
    out : folder of the files and receipts
    """

    target: Literal["", "salesforce", "hubspot", "dynamics"] = ""
    external_id: str = ""
    fields: str = ""
    out: str = ""


@record
class ProjectSettings:
    """The keys of ``winprob.toml``; an empty text is a key that is not set.

    Attributes
    ----------
    export : the weekly export: a file, or a pattern of which the newest file counts
    database, query_timeout : where query files (.sql) are run, and the seconds that one may take (60)
    preset, mapping, people, encoding : how it is read
    rates, currency : exchange rates, and the currency of reports
    executives : whose visits are planned
    settings : priors, sampler, fiscal calendar
    model, registry : a model file, or the registry whose current model is used
    history, log : folders of the snapshots and of the forecasts
    outputs : folder of the weekly pages
    language, company : of the pages and messages
    targets : bookings to reach, by quarter
    writeback : where statements on the open deals are written to
    """

    export: str = ""
    database: str = ""
    query_timeout: Scale | None = None
    preset: str = ""
    mapping: str = ""
    people: str = ""
    encoding: str = ""
    rates: str = ""
    currency: str = ""
    executives: str = ""
    settings: str = ""
    model: str = ""
    registry: str = "models"
    history: str = "history"
    log: str = "forecasts"
    outputs: str = "reports"
    language: Literal["en", "zh"] = "en"
    company: str = ""
    targets: Mapping[str, Scale] = field(default_factory=dict)
    writeback: WritebackSettings = field(default_factory=WritebackSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project file, read; ``given`` are the keys that it names, such as ``rates`` and ``writeback.out``."""

    path: Path
    config: ProjectSettings
    given: frozenset[str]

    @property
    def folder(self) -> Path:
        return self.path.parent

    def place(self, key: str) -> Path | None:
        """The path that a key names, relative to the working directory; None where the key is not set."""
        table, _, name = key.rpartition(".")
        value = str(getattr(getattr(self.config, table) if table else self.config, name))
        return from_here(self.folder, value) if value else None

    @property
    def database(self) -> str | None:
        """The URL of the database; a file of SQLite relative to the working directory."""
        return with_file(self.config.database, lambda file: from_here(self.folder, file).as_posix()) or None

    @property
    def preset(self) -> str | None:
        """A preset's name, or the path of an edited copy."""
        value = self.config.preset
        return (str(from_here(self.folder, value)) if value.endswith(".toml") else value) or None

    def calendar(self) -> CalendarSettings:
        """The fiscal calendar of the settings file."""
        path = self.place("settings")
        return (read_settings(path) if path else Settings()).calendar

    def target_in(self, quarter: Quarter | str) -> float | None:
        """Bookings to reach in a quarter, however its name is written; None where no target is set.

        Raises
        ------
        SettingsError
            A quarter of ``[targets]`` does not exist in the calendar.
        """
        calendar = self.calendar()
        wanted = quarter if isinstance(quarter, Quarter) else find_quarter(quarter, calendar)
        named = {find_quarter(name, calendar).start: value for name, value in self.config.targets.items()}
        return named.get(wanted.start)


def with_file(url: str, place: Callable[[str], str]) -> str:
    """The URL of a database, the file of SQLite's through ``place``."""
    scheme, _, file = url.partition(":///")
    return f"{scheme}:///{place(file)}" if scheme.startswith("sqlite") and file else url


def password_faults(url: str) -> Iterator[str]:
    """The fault of a URL that holds a password, which a project file must not."""
    if _PASSWORD.search(url):
        yield gettext(
            "database holds a password, and winprob.toml is shared. Remove it from the URL; it is read from "
            "WINPROB_DATABASE_PASSWORD, .pgpass or the keyring"
        )


def from_here(folder: Path, value: str) -> Path:
    """A path given relative to ``folder``, relative to the working directory where it was relative."""
    place = folder / value
    return place if Path(value).is_absolute() else Path(os.path.relpath(place))


def read_project(path: Path) -> Project:
    """The project file at ``path``.

    Raises
    ------
    SettingsError
        It cannot be read, is not TOML, names an unknown key, has a value of the wrong type, or names a file that does
        not exist: every offence at once.
    """
    what = gettext("project file {path}", path=path)
    table = read_toml(path, what, SettingsError)
    config, faults = validate(ProjectSettings, table)
    faults += _missing(path.parent, table)
    if config is None or faults:
        raise refusal(faults, what, SettingsError)
    return Project(path=path, config=config, given=frozenset(table) | _written(table))


def _written(table: Mapping[str, Any]) -> frozenset[str]:
    """The keys of ``[writeback]`` that a file names."""
    return frozenset(f"writeback.{key}" for key in table.get("writeback", ()))


def _missing(folder: Path, table: Mapping[str, Any]) -> Iterator[str]:
    """Files, a preset and quarters that do not exist."""
    writeback = table.get("writeback")
    files = {key: table.get(key) for key in _FILES}
    files["writeback.fields"] = writeback.get("fields") if isinstance(writeback, Mapping) else None
    for key, value in files.items():
        if isinstance(value, str) and value and not (folder / value).is_file():
            yield gettext("{key} is {value!r}, which does not exist. Correct or remove the line", key=key, value=value)
    yield from password_faults(str(table.get("database", "")))
    preset = table.get("preset")
    if isinstance(preset, str) and preset and preset not in PRESETS and not (folder / preset).is_file():
        yield gettext("preset is {value!r}; {hint}", value=preset, hint=suggestion(preset, PRESETS))
    targets = table.get("targets")
    # With settings the quarters may have the names of a calendar table.
    if isinstance(targets, Mapping) and not table.get("settings"):
        for name in targets:
            try:
                find_quarter(str(name), CalendarSettings())
            except SettingsError as fault:
                yield f"[targets] {fault}"
