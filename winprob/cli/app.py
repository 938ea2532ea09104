"""The ``winprob`` command: the group, what every command shares, and the demo."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

import winprob
from winprob.cli import options
from winprob.cli.click_messages import requested_language, translate_click
from winprob.cli.databases import database_of
from winprob.cli.defaults import Defaults, defaults_of, settle_defaults
from winprob.cli.show import discard_stdout, echo_notes, log_as_notes, progress, show, write_page
from winprob.errors import OutputError, WinprobError
from winprob.i18n import LANGUAGES, gettext, language, use_language

CLOSED, OPEN, EXPLAINED = 300, 60, 3
EXECUTIVES = ({"name": "E1", "slots": 2}, {"name": "E2", "slots": 3})


class WinprobCommand(click.Command):
    """A command with the option ``--lang``, run in that language, with the defaults of the project folder.

    ``standalone`` commands take no defaults, and run where the project file is wrong.
    """

    def __init__(self, *args: Any, standalone: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.standalone = standalone
        languages = click.Choice(LANGUAGES)
        self.params.append(
            click.Option(["--lang"], type=languages, default="en", show_default=True, help="Language of the text.")
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        defaults = None if self.standalone else defaults_of(ctx)
        if defaults and defaults.fault and not {"-h", "--help"} & set(args):
            raise defaults.fault
        ctx.default_map = defaults.of(self.name, self.params) if defaults else None
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        settle_defaults(ctx)
        defaults = None if self.standalone else defaults_of(ctx)
        project = defaults.project if defaults else None
        url, timeout = (project.database, project.config.query_timeout) if project else (None, None)
        with use_language(ctx.params.pop("lang")), database_of(ctx, url, timeout):
            options.require_separate(self.params, ctx.params)
            return super().invoke(ctx)


class CommandGroup(click.Group):
    """Commands in the order of use."""

    command_class = WinprobCommand

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


class WinprobGroup(CommandGroup):
    """All commands. A `WinprobError` becomes one message on stderr and exit code 1."""

    group_class = CommandGroup

    def main(self, args: Sequence[str] | None = None, *further: Any, **named: Any) -> Any:
        arguments = sys.argv[1:] if args is None else list(args)
        with use_language(requested_language(arguments)):
            defaults = Defaults()
        with use_language(requested_language(arguments, defaults.language)):
            return super().main(arguments, *further, obj=defaults, **named)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with log_as_notes():
                return super().invoke(ctx)
        except WinprobError as error:
            echo_notes(f"winprob: {error}")
            ctx.exit(1)
        except BrokenPipeError:
            # The reader of stdout (head, less) has closed it.
            discard_stdout()
            ctx.exit(0)
        except OSError as error:
            # A path that cannot even be looked at: a name that is too long, a folder that may not be entered.
            reason = error.strerror or error
            echo_notes("winprob: " + gettext("{path} cannot be used: {reason}.", path=error.filename, reason=reason))
            ctx.exit(1)


translate_click()


@click.group(cls=WinprobGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="winprob")
def main() -> None:
    """Calibrated win probabilities for large B2B deals, from the support of the people who decide."""


@main.command()
@options.target("--out", default=Path("reports"), show_default=True, help="Folder for the page and the data.")
@click.option("--seed", type=options.SEED, default=2026, show_default=True, help="2026 is the embedded sample.")
def demo(out: Path, seed: int) -> None:
    """Run the whole workflow on a simulated team: simulate, check, train, predict, forecast, write a page."""
    _make_folder(out)
    from winprob.simulation import write_simulation

    echo_notes(gettext("1/5 Simulating a team: {closed} closed deals, {open} open ones.", closed=CLOSED, open=OPEN))
    write_simulation(out, CLOSED, OPEN, seed=seed)
    closed, opened, people = (out / name for name in ("closed.csv", "open.csv", "people.csv"))

    echo_notes(gettext("2/5 Checking the export."))
    findings = winprob.check_file(closed, people=people)

    echo_notes(gettext("3/5 Learning from the closed deals."))
    with progress() as follow:
        posterior = winprob.fit(winprob.read_deals(closed, people=people), seed=seed, progress=follow)
    posterior.save(out / "demo.nc")
    from winprob.model.summary import posterior_sentences

    echo_notes(*(f"    {line}" for line in posterior_sentences(posterior)))

    echo_notes(gettext("4/5 Predicting the open deals."))
    open_deals = winprob.read_deals(opened, people=people)
    chances = winprob.predict(posterior, open_deals)
    unsure = chances.assign(width=chances["upper"] - chances["lower"]).nlargest(EXPLAINED, "width")
    show(unsure.drop(columns="width"), options.Output(), percent=("mean", "lower", "upper", "prior_share"))

    echo_notes(gettext("5/5 Forecasting the quarter, planning visits, and writing the page."))
    page = _review_page(posterior, winprob.read_deals(closed, people=people), open_deals, findings, seed)
    target = out / f"demo_{language()}.html"
    write_page(page, target, gettext("The page is in {path}. Open it in a browser.", path=target))


def _review_page(posterior: Any, closed: Any, open_deals: Any, findings: Any, seed: int) -> str:
    import pandas as pd

    from winprob.quarter import coming_quarter

    deals = pd.concat([closed, open_deals], ignore_index=True)
    quarter = coming_quarter(deals, posterior.settings.calendar)
    forecast = winprob.forecast_quarter(posterior, deals, quarter, seed=seed)
    plan = winprob.plan_visits(posterior, open_deals, {"executives": list(EXECUTIVES)}, seed=seed)
    return winprob.render_review(posterior, deals, forecast, plan=plan, findings=findings, simulated=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            gettext("folder {path} cannot be made: {reason}.", path=folder, reason=error.strerror or error)
        ) from error
