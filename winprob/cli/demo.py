"""The whole story on a simulated team, each step announced, the page at the end."""

from __future__ import annotations

from pathlib import Path

from winprob.catalog import language, say
from winprob.cli.show import progress, show, tell
from winprob.errors import OutputError

CLOSED, OPEN, EXPLAINED = 300, 60, 3


def run_demo(folder: Path, seed: int) -> None:
    """Simulate, check, train, predict, explain, and write the page, the model and the deals to ``folder``.

    Raises
    ------
    OutputError
        The folder cannot be made or written to.
    """
    _make(folder)
    from winprob.explanation import explain
    from winprob.inference import fit
    from winprob.prediction import predict
    from winprob.report import render_page
    from winprob.simulation import write_simulation
    from winprob.summary import summarise_posterior, verdict
    from winprob.tables import check_file, read_deals, replacing

    tell(say("1/5 Simulating a team: {closed} closed deals, {open} open ones.", closed=CLOSED, open=OPEN))
    write_simulation(folder, CLOSED, OPEN, seed=seed)
    closed, people = folder / "closed.csv", folder / "people.csv"

    tell(say("2/5 Checking the export."))
    findings = check_file(closed, people=people)

    tell(say("3/5 Learning from the closed deals."))
    with progress() as follow:
        posterior = fit(read_deals(closed, people=people), seed=seed, progress=follow)
    posterior.save(folder / "demo.nc")
    tell(*(f"    {line}" for line in verdict(posterior)))

    tell(say("4/5 Predicting the open deals."))
    deals = read_deals(folder / "open.csv", people=people)
    chances = predict(posterior, deals)
    unsure = chances.assign(width=chances["upper"] - chances["lower"]).nlargest(EXPLAINED, "width")
    show(unsure.drop(columns="width"), form="table", out=None, percent=("mean", "lower", "upper", "prior_share"))

    tell(say("5/5 Explaining the {count} most uncertain deals, and writing the page.", count=EXPLAINED))
    page = render_page(
        posterior,
        deals,
        chances,
        {deal: explain(posterior, deals, deal) for deal in unsure["deal_id"]},
        parameters=summarise_posterior(posterior),
        findings=findings,
        simulated=True,
    )
    target = folder / f"demo_{language()}.html"
    with replacing(target) as scratch:
        scratch.write_text(page, encoding="utf-8")
    tell(say("The page is in {path}. Open it in a browser.", path=target))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            say("folder {path} cannot be made: {reason}.", path=folder, reason=error.strerror or error)
        ) from error
