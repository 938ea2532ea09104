"""A backtest as a command gives it: table, verdict, page, record."""

import json
from datetime import date
from pathlib import Path

import pandas as pd

from winprob.cli.show import progress, show, tell
from winprob.i18n import gettext
from winprob.settings import Settings


def run(
    deals: pd.DataFrame,
    *,
    settings: Settings,
    seed: int,
    protocol: str,
    previous: Path | None,
    keep: Path,
    page: Path | None,
    record: Path | None,
    form: str,
    out: Path | None,
) -> None:
    """Backtest, show the table, say the verdict, write what was asked for."""
    from winprob.data.tables import replacing, require_writable
    from winprob.evaluation import run_backtest
    from winprob.evaluation.sentences import backtest_sentences
    from winprob.model.inference import versions
    from winprob.model.posterior import Posterior
    from winprob.report.backtest import backtest_sheet
    from winprob.report.sheet import to_html

    for place in filter(None, (page, record, out)):
        require_writable(place)
    model = Posterior.load(previous) if previous else None
    with progress() as follow:
        result = run_backtest(
            deals, seed=seed, settings=settings, previous=model, protocol=protocol, keep=keep, progress=follow
        )
    show(result.table(), form=form, out=out, digits=3)
    verdict = backtest_sentences(result)
    tell(*verdict)
    if record is None and page is None:
        return
    plain = result.record(versions=versions(), made_on=date.today().isoformat())
    if record:
        with replacing(record) as scratch:
            scratch.write_text(json.dumps(plain, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        tell(gettext("The record is in {path}; winprob card takes it with --record.", path=record))
    if page:
        with replacing(page) as scratch:
            scratch.write_text(to_html(backtest_sheet(plain, verdict)), encoding="utf-8")
        tell(gettext("The page is in {path}. Open it in a browser.", path=page))
