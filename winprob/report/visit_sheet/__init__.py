"""What does one take along to one visit? A page of Markdown: where the deal stands, whom to see, what to ask for."""

from pathlib import Path

import pandas as pd

from winprob.data.tables import read_people_table
from winprob.i18n import gettext
from winprob.model.posterior import Posterior
from winprob.report.sheet import Sheet, to_markdown
from winprob.report.visit_sheet.present import lead, what_changed, where_it_stands
from winprob.report.visit_sheet.purpose import evidence, purpose
from winprob.report.visit_sheet.talk import commitment, next_step_with, preparation, questions
from winprob.report.visit_sheet.visit import Visit, plan_visit
from winprob.report.visit_sheet.what_would_change import what_would_change

__all__ = ["render_brief"]


def render_brief(
    posterior: Posterior,
    deals: pd.DataFrame,
    deal_id: str,
    *,
    role: str | None = None,
    people: str | Path | pd.DataFrame | None = None,
    before: pd.DataFrame | None = None,
    encoding: str | None = None,
) -> str:
    """The sheet for one visit, in the language now spoken.

    Parameters
    ----------
    deals : frame in canonical columns that holds the deal; of several readings the last in time counts
    role : whom to visit; by default the role whose support has the largest lift
    people : the people table, for names and the rubric item that is weakest; ``deals`` should have been read with it
    before : deals as they were read before the last visit, for the comparison; by default, where ``deals`` holds
        several readings of this deal, the one before the last
    encoding : text encoding of the people table, where it is read wrong

    Raises
    ------
    DealTableError
        A table is not valid, or the deal is not in it.
    SettingsError
        ``role`` is not a role.
    """
    known = None if people is None else read_people_table(people, encoding=encoding)
    return to_markdown(_sheet(plan_visit(posterior, deals, deal_id, role=role, people=known, before=before), deal_id))


def _sheet(visit: Visit, deal_id: str) -> Sheet:
    return Sheet(
        title=gettext("Visit sheet: {deal}", deal=deal_id),
        lead=(lead(visit.facts),),
        sections=(
            where_it_stands(visit),
            *what_changed(visit),
            purpose(visit),
            preparation(visit),
            next_step_with(visit),
            questions(visit),
            commitment(visit),
            what_would_change(visit),
            evidence(visit),
        ),
    )
