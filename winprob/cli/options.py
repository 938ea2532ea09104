"""Options that several commands share, and the frozen records that they become: `Source`, `Output` and others."""

import datetime as dt
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

import winprob
from winprob.cli.databases import DealsPath, FilePath, query_options
from winprob.i18n import gettext

if TYPE_CHECKING:
    import pandas as pd

#: Evaluated only by a type checker, so that ``--help`` loads no pandas.
type Frame = pd.DataFrame
type Command = Callable[..., Any]
type Decorator = Callable[[Command], Command]

FILE = FilePath()


class TargetPath(FilePath):
    """A path that the command writes; ``kept`` if it is a folder of winprob's own to which the command adds."""

    def __init__(self, *, kept: bool = False) -> None:
        super().__init__()
        self.kept = kept


class PresetName(click.types.StringParamType):
    """A preset by name, or its file, which is an input like others."""


TARGET, KEPT_FOLDER, PRESET = TargetPath(), TargetPath(kept=True), PresetName()
SEED = click.IntRange(0, 2**32 - 1)


def file(*names: str, **attributes: Any) -> Decorator:
    """An option that takes a path to read."""
    return click.option(*names, type=FILE, **attributes)


def target(*names: str, **attributes: Any) -> Decorator:
    """An option that takes a path to write."""
    return click.option(*names, **{"type": TARGET, **attributes})


def require_separate(parameters: Sequence[click.Parameter], values: Mapping[str, Any]) -> None:
    """Refuse a command line that would overwrite an input, a kept folder or another output.

    Raises
    ------
    OutputError
        All conflicts at once.
    """
    if not any(isinstance(one.type, TargetPath) and values.get(str(one.name)) for one in parameters):
        return
    from winprob.data.tables import Place
    from winprob.data.tables import require_separate as require

    outputs: list[Place] = []
    inputs: list[Place] = []
    for one in parameters:
        given = values.get(str(one.name)) if isinstance(one.type, click.Path | PresetName) else None
        shown = one.opts[0] if isinstance(one, click.Option) else one.human_readable_name
        for path in given if isinstance(given, tuple) else filter(None, (given,)):
            kept = isinstance(one.type, TargetPath) and one.type.kept
            place = Place(option=shown, path=Path(path), kept=kept)
            (outputs if isinstance(one.type, TargetPath) else inputs).append(place)
    require(outputs, inputs)


model_argument = click.argument("model", type=FILE)
model = file("--model", required=True, help="The fitted model: a NetCDF file, or a registry for its current model.")
seed = click.option("--seed", type=SEED, default=1, show_default=True, help="Seed of every random draw.")
unseen_seed = click.option(
    "--seed", type=SEED, help="Seed of the draws for sellers, regions and quarters that the model never saw."
)
#: Every command takes a seed, so that scripts need not know which of them draw.
idle_seed = click.option(
    "--seed", type=SEED, expose_value=False, help="Accepted by every command; this one draws nothing."
)
settings = file("--settings", help="A TOML file with settings: priors, sampler, gates.")
deal = click.option("--deal", required=True, help="The deal's id.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where deals are read from: an export or the folder of a history; and how an export is read.

    ``mapping`` is a file, or its content where an option adds to it; ``open_until`` a day until which open deals are
    known to be open.
    """

    path: Path
    mapping: Path | dict[str, Any] | None = None
    people: Path | None = None
    encoding: str | None = None
    open_until: dt.date | None = None

    def read_known(self) -> Frame:
        """The deals of an export; of a history, the open deals of its last snapshot."""
        from winprob.model.waiting import known_open_until

        return known_open_until(self._read("known"), self.open_until)

    def read_past(
        self, as_of: dt.date | None = None, settings: "winprob.Settings | None" = None, *, monthly: bool = False
    ) -> Frame:
        """All deals of an export; of a history, its training rows as of a day, of quarters or of months."""
        more = {"reviews": "month" if monthly else "quarter", "calendar": settings.calendar if settings else None}
        return self._read("past", as_of=as_of, **more)

    def read_review(self, as_of: dt.date | None = None) -> Frame:
        """All deals, open and closed; of a history, as they were known on that day."""
        return self._read("review", as_of=as_of)

    def _read(self, what: Literal["known", "past", "review"], **limits: Any) -> Frame:
        from winprob.data.history import read_known, read_past, read_review

        read: Callable[..., Frame] = {"known": read_known, "past": read_past, "review": read_review}[what]
        return read(self.path, self.mapping, self.people, encoding=self.encoding, **limits)

    def entries(self) -> dict[str, Any]:
        """The content of the mapping."""
        from winprob.data.tables import mapping_table

        return mapping_table(self.mapping) if isinstance(self.mapping, Path) else (self.mapping or {})

    def with_entries(self, **entries: str) -> "Source":
        """The same source with these entries in its mapping."""
        return replace(self, mapping={**self.entries(), **entries})

    def check(self) -> Frame:
        """The findings: every error and warning of an export or a history."""
        if not os.path.isdir(self.path):
            return winprob.check_file(self.path, self.mapping, self.people, encoding=self.encoding)
        from winprob.data.history import require_plain

        return winprob.check_history(require_plain(self.path, self.mapping, self.people, self.encoding))


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where a table goes, and as what: ``table`` for people, the other formats for programs.

    ``out`` is a file, or None for the screen, where only ``table``, ``csv`` and ``json`` can be shown; ``chosen``
    whether the user gave a file or a format.
    """

    output_format: str = "table"
    out: Path | None = None
    chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierReview:
    """The review to compare with: its deals, its model where it was another, and its day."""

    path: Path
    people: Path | None
    model: Path | None
    as_of: dt.date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarterRequest:
    """Which quarter to forecast (empty: the coming one), as of which day, against which target, in which currency."""

    quarter: str
    as_of: dt.date | None
    target: float | None
    currency: str | None
    rates: Path | None

    def target_in(self, quarter: Any) -> float | None:
        """The target given; else that of the project folder for a quarter, by its name or as a record."""
        found = click.get_current_context().find_root().obj
        project = found.project if self.target is None and found else None
        return project.target_in(quarter) if project else self.target

    def read_rates(self, encoding: str | None = None) -> Frame | None:
        """The dated exchange rates; None where no file is given."""
        return winprob.read_rates(self.rates, encoding=encoding) if self.rates else None


def day(*names: str, help: str) -> Decorator:
    """An option that takes a date, YYYY-MM-DD."""
    day = click.DateTime(["%Y-%m-%d"])
    return click.option(*names, type=day, callback=lambda _, __, given: given and given.date(), help=help)


def source(*, required: bool = True, waiting: bool = False) -> Decorator:
    """The argument DEALS and the options for reading it, as the parameter ``source``; ``waiting`` adds ``--as-of``."""
    until = "The day until which open deals are known to be open; by default the newest reading or closing."
    return _record(
        "source",
        _source,
        click.argument("deals", type=DealsPath(), required=required),
        *query_options(),
        click.option(
            "--preset",
            type=PRESET,
            help="The CRM: salesforce, hubspot, ... (winprob preset), or an edited copy.",
        ),
        file("--mapping", help="A TOML file that names the export's columns."),
        file("--people", help="A people table: who holds which role."),
        click.option("--encoding", help="Text encoding of the export, where the automatic choice is wrong."),
        *([day("--as-of", help=until)] if waiting else []),
    )


def output(command: Command) -> Command:
    """``--format`` and ``--out``, as the parameter ``output``."""
    formats = click.Choice(["table", "csv", "json"])
    shown = "by the suffix of --out, else table"
    suffixes = "The suffix sets the format: .csv, .json, .xlsx, .parquet, or .txt for the table."
    return _record(
        "output",
        table_output,
        click.option("--format", "output_format", type=formats, show_default=shown, help="Format of the table."),
        target("--out", help=f"Write the table to this file instead of the screen. {suffixes}"),
    )(command)


def quarter(*, required: bool) -> Decorator:
    """The quarter, its day of knowledge, target and currency, as the parameter ``request``."""
    otherwise = "" if required else "; by default the quarter of the day after the newest reading"
    names = f"Such as 2026Q4, FY27 Q2, or a name of the calendar table{otherwise}"
    return _record(
        "request",
        QuarterRequest,
        click.option(
            "--quarter",
            required=required,
            default=None if required else "",
            help=f"{names}{'' if required else otherwise}.",
        ),
        click.option("--target", type=float, help="Bookings to reach, in the report's currency."),
        day("--as-of", help="The last day of what is known; by default the newest reading."),
        click.option(
            "--currency", help="Of the report; by default the corporate one of --rates, else that of most deals."
        ),
        file("--rates", help="A dated table of exchange rates: currency, rate, from, to."),
    )


def earlier(*, people: bool = False) -> Decorator:
    """``--before`` and its companions, as the parameter ``before``: an `EarlierReview`, or None."""
    roles = [file("--people-before", help="The people table of that review.")]
    return _record(
        "before",
        _earlier,
        file("--before", help="The deals of an earlier review: what changed since, and why."),
        *(roles if people else []),
        file("--before-model", help="The model of that review, where it was another."),
        day("--before-as-of", help="The day of that review; by default the newest reading of --before."),
    )


def load_settings(path: Path | None) -> "winprob.Settings":
    """The settings of a file; the defaults where none is given."""
    return winprob.read_settings(path) if path else winprob.Settings()


def load_model(path: Path, seed: int | None = None) -> "winprob.Posterior":
    """The model in a file, or the current one of a registry.

    ``seed`` replaces its seed for the draws of levels that it never saw.

    Raises
    ------
    PosteriorError
        It is missing, is not a model, is damaged, or is of another format.
    RegistryError
        The registry has no current model, or was altered.
    """
    posterior = existing_registry(path).load() if os.path.isdir(path) else winprob.Posterior.load(path)
    return posterior if seed is None else replace(posterior, provenance=replace(posterior.provenance, seed=seed))


def existing_registry(path: Path) -> "winprob.Registry":
    """The registry in a folder.

    Raises
    ------
    RegistryError
        The folder is missing, or is not a registry.
    """
    from winprob.retrain import require_registry

    require_registry(path)
    return winprob.Registry(path)


def _record(name: str, build: Callable[..., Any], *options: Decorator) -> Decorator:
    """A decorator that adds ``options`` to a command and passes it ``name=build(**their values)`` in their place."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            values = {key: kwargs.pop(key) for key in keys}
            return command(*args, **{name: build(**values)}, **kwargs)

        known = len(getattr(wrapped, "__click_params__", []))
        decorated: Command = wrapped
        for option in reversed(options):
            decorated = option(decorated)
        keys = [parameter.name for parameter in getattr(decorated, "__click_params__", [])[known:]]
        return decorated

    return decorate


def _source(deals: Path | None, preset: str | None, as_of: dt.date | None = None, **how: Any) -> Source | None:
    del how["query"], how["query_timeout"]
    if deals is None:
        return None
    source = Source(path=deals, open_until=as_of, **how)
    return source if preset is None else source.with_entries(preset=preset)


def table_output(output_format: str | None, out: Path | None) -> Output:
    """Where a table goes; a bad format or an unwritable place is refused before the work begins, not after it."""
    if out is None:
        return Output(output_format=output_format or "table", chosen=output_format is not None)
    from winprob.data.tables import require_writable, resolve_format

    chosen = resolve_format(out, output_format, default="table")
    require_writable(out)
    return Output(output_format=chosen, out=out, chosen=True)


def _earlier(
    before: Path | None,
    before_model: Path | None,
    before_as_of: dt.date | None,
    people_before: Path | None = None,
) -> EarlierReview | None:
    if before:
        return EarlierReview(path=before, people=people_before, model=before_model, as_of=before_as_of)
    if before_model or before_as_of or people_before:
        raise click.UsageError(gettext("--people-before, --before-model and --before-as-of need --before."))
    return None
