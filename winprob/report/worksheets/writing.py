"""Write the worksheets of deals as a workbook or as a form, by the suffix of the file."""

from pathlib import Path

import pandas as pd

from winprob.data.tables import read_people_table, replacing
from winprob.errors import OutputError
from winprob.i18n import gettext
from winprob.methodology import worksheet_version
from winprob.report.templates import render
from winprob.report.worksheets.forms import Form, worksheet_forms
from winprob.report.worksheets.workbook import instructions, worksheet_workbook

#: Deals in one form; with more, a browser takes many seconds to open it.
MOST_IN_A_FORM = 100


def write_worksheets(
    deals: pd.DataFrame,
    path: str | Path,
    *,
    deal_id: str | None = None,
    people: str | Path | pd.DataFrame | None = None,
    encoding: str | None = None,
) -> int:
    """Write the worksheets of the open deals, in the current language: ``.xlsx`` a workbook, ``.html`` a form.

    The questions are those of the methodology (subject ``worksheets``); what the record knows is shown with each.
    `read_answers` reads either file once it is filled in.

    Parameters
    ----------
    deals : frame in canonical columns; of several readings of a deal the last one counts
    path : the file to write, replaced by one rename when all is written
    deal_id : this deal only, whatever its outcome
    people : the people table, for a block for each person; ``deals`` should have been read with it
    encoding : text encoding of the people table, where detection fails

    Returns
    -------
    int
        The number of deals.

    Raises
    ------
    DealTableError
        A table is not valid, or the deal is not in it.
    OutputError
        Another suffix, too many deals for a form, or the file cannot be written.
    """
    kind = Path(path).suffix.lower()
    if kind not in (".xlsx", ".html"):
        raise OutputError(gettext("cannot write {path}: a worksheet is an .xlsx or an .html file.", path=path))
    known = None if people is None else read_people_table(people, encoding=encoding)
    forms = worksheet_forms(deals, known, deal_id)
    if kind == ".html" and len(forms) > MOST_IN_A_FORM:
        raise OutputError(
            gettext(
                "{count} deals are too many for one form, which holds {most}. Write .xlsx, or one deal with --deal.",
                count=len(forms),
                most=MOST_IN_A_FORM,
            )
        )
    with replacing(path) as temporary:
        if kind == ".xlsx":
            temporary.write_bytes(worksheet_workbook(forms))
        else:
            temporary.write_text(_form_page(forms), encoding="utf-8")
    return len(forms)


def _form_page(forms: list[Form]) -> str:
    """The worksheets as one page without external resources; its script saves the answers as a file."""
    title = forms[0].title if len(forms) == 1 else gettext("Worksheets of {count} deals", count=len(forms))
    return render(
        "worksheets/form.html.j2",
        styles=("style.css", "worksheets/form.css"),
        script="worksheets/form.js",
        forms=forms,
        version=worksheet_version(),
        lines=instructions(),
        words={
            "title": title,
            "heading": gettext("How to fill in the worksheets"),
            "yes": gettext("yes"),
            "no": gettext("no"),
            "unknown": gettext("not known"),
            "note": gettext("Notes"),
            "on_record": gettext("On record:"),
            "day": gettext("Day of the answers"),
            "save": gettext("Save the answers as a file"),
            "open": gettext("Go on from a saved file"),
            "answered": gettext("{done} of {all} answered", done="{done}", all="{all}"),
            "saved": gettext("Saved: the file is where your browser puts downloads."),
            "days": gettext("Give the day of the answers first."),
            "stale": gettext("This is not a file saved by this worksheet."),
            "noscript": gettext("Saving the answers needs JavaScript. The workbook (.xlsx) works without it."),
        },
    )
