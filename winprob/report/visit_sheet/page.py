"""Render the visit sheet: one page for one visit to one person, as Markdown or HTML."""

from pathlib import Path

import pandas as pd

from winprob.data.tables import read_people_table
from winprob.i18n import gettext
from winprob.model.posterior import Posterior
from winprob.report.numbers import named_with_id
from winprob.report.sheet import Sheet, to_html, to_markdown
from winprob.report.visit_sheet.changes import what_changed
from winprob.report.visit_sheet.first import commitment
from winprob.report.visit_sheet.people import people as people_section
from winprob.report.visit_sheet.plan import evidence, preparation, purpose, questions
from winprob.report.visit_sheet.present import deal_status, lead, red_flags, what_would_change
from winprob.report.visit_sheet.visit import Visit, plan_visit


def render_brief(
    posterior: Posterior,
    deals: pd.DataFrame,
    deal_id: str,
    *,
    role: str | None = None,
    people: str | Path | pd.DataFrame | None = None,
    before: pd.DataFrame | None = None,
    encoding: str | None = None,
    answers: pd.DataFrame | None = None,
    output_format: str = "md",
) -> str:
    """Render the sheet for one visit in the current language.

    Parameters
    ----------
    deals : frame in canonical columns that contains the deal; of several readings the last one counts
    role : the role to visit; by default the one with the largest lift
    people : the people table, for names and the weakest rubric item; ``deals`` should have been read with it
    before : deals as read before the last visit, for the comparison; by default the reading of this deal before the
        last one, if ``deals`` has several
    encoding : text encoding of the people table, where detection fails
    answers : answers of worksheets, as `read_answers` returns them: where they differ from the record is a red flag
    output_format : ``md``, Markdown, or ``html``, a complete document that prints on one A4 page

    Raises
    ------
    DealTableError
        A table is not valid, or the deal is not in it.
    SettingsError
        ``role`` is not a role.
    """
    known = None if people is None else read_people_table(people, encoding=encoding)
    sheet = _sheet(plan_visit(posterior, deals, deal_id, role=role, people=known, before=before, answers=answers))
    return to_html(sheet) if output_format == "html" else to_markdown(sheet)


def _sheet(visit: Visit) -> Sheet:
    return Sheet(
        title=gettext("Visit sheet: {deal}", deal=named_with_id(visit.facts)),
        lead=(lead(visit.facts),),
        sections=(
            *red_flags(visit),
            deal_status(visit),
            *what_changed(visit),
            purpose(visit),
            commitment(visit),
            people_section(visit),
            questions(visit),
            preparation(visit),
            what_would_change(visit),
            evidence(visit),
        ),
        dense=True,
    )
