"""The whole story on a simulated team, each step announced, the page at the end."""

from pathlib import Path

from winprob.cli.show import progress, show, tell
from winprob.errors import OutputError
from winprob.i18n import gettext, language

CLOSED, OPEN, EXPLAINED = 300, 60, 3
EXECUTIVES = ({"name": "E1", "slots": 2}, {"name": "E2", "slots": 3})


def run_demo(folder: Path, seed: int) -> None:
    """Simulate, check, train, predict, forecast, and write the page, the model and the deals to ``folder``.

    Raises
    ------
    OutputError
        The folder cannot be made or written to.
    """
    _make(folder)
    import pandas as pd

    from winprob.actions.visits import plan_visits
    from winprob.data.tables import check_file, read_deals, replacing
    from winprob.model.inference import fit
    from winprob.model.prediction import predict
    from winprob.model.summary import posterior_sentences
    from winprob.quarter import coming_quarter, forecast_quarter
    from winprob.report.quarterly import render_review
    from winprob.simulation import write_simulation

    tell(gettext("1/5 Simulating a team: {closed} closed deals, {open} open ones.", closed=CLOSED, open=OPEN))
    write_simulation(folder, CLOSED, OPEN, seed=seed)
    closed, people = folder / "closed.csv", folder / "people.csv"

    tell(gettext("2/5 Checking the export."))
    findings = check_file(closed, people=people)

    tell(gettext("3/5 Learning from the closed deals."))
    with progress() as follow:
        posterior = fit(read_deals(closed, people=people), seed=seed, progress=follow)
    posterior.save(folder / "demo.nc")
    tell(*(f"    {line}" for line in posterior_sentences(posterior)))

    tell(gettext("4/5 Predicting the open deals."))
    known = [read_deals(folder / name, people=people) for name in ("closed.csv", "open.csv")]
    deals = pd.concat(known, ignore_index=True)
    chances = predict(posterior, known[1])
    unsure = chances.assign(width=chances["upper"] - chances["lower"]).nlargest(EXPLAINED, "width")
    show(unsure.drop(columns="width"), form="table", out=None, percent=("mean", "lower", "upper", "prior_share"))

    tell(gettext("5/5 Forecasting the quarter, planning visits, and writing the page."))
    forecast = forecast_quarter(posterior, deals, coming_quarter(deals, posterior.settings.calendar), seed=seed)
    plan = plan_visits(posterior, known[1], {"executives": list(EXECUTIVES)}, seed=seed)
    page = render_review(posterior, deals, forecast, plan=plan, findings=findings, simulated=True)
    target = folder / f"demo_{language()}.html"
    with replacing(target) as scratch:
        scratch.write_text(page, encoding="utf-8")
    tell(gettext("The page is in {path}. Open it in a browser.", path=target))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            gettext("folder {path} cannot be made: {reason}.", path=folder, reason=error.strerror or error)
        ) from error
