"""What stands behind the page? Every deal, every word, every rate, and the card of the model."""

import pandas as pd

from winprob.i18n import gettext
from winprob.report.glossary import chance_definitions, factor_definitions
from winprob.report.grids import Column, Grid
from winprob.report.numbers import BLANK, full_money, percent, span, text_of, whole, word_of
from winprob.report.quarterly.deals import sort_keys
from winprob.report.quarterly.headline import line_name
from winprob.report.quarterly.inputs import Case

_KEYED = ("amount", "closes", "win_prob", "by_end", "expected_bookings")


def all_deals(case: Case) -> Grid:
    """Every open deal in play, most expected bookings first."""
    titles = [gettext("Deal"), gettext("Account"), gettext("Owner"), gettext("Stage"), gettext("Line")]
    numbers = [
        gettext("Amount, {currency}", currency=case.currency),
        gettext("Closes"),
        gettext("Win probability"),
        gettext("90% interval"),
        gettext("Won by quarter end"),
        gettext("Expected, {currency}", currency=case.currency),
    ]
    keys: list[list[float | str | None]] = []
    for _, deal in case.deals.iterrows():
        number = sort_keys(deal)
        amount, closes, chance, by_end, expected = (number[name] for name in _KEYED)
        keys.append([None, None, None, None, None, amount, closes, chance, None, by_end, expected])
    return Grid(
        columns=[*(Column(title=text) for text in titles), *(Column(title=text, number=True) for text in numbers)],
        rows=[_row(deal) for _, deal in case.deals.iterrows()],
        keys=keys,
    )


def _row(deal: pd.Series) -> list[str]:
    closes = deal["expected_close_on"]
    return [
        *(text_of(deal[name]) for name in ("deal_id", "account", "seller")),
        word_of("stage", deal["stage"]),
        line_name(str(deal["line"])),
        BLANK if pd.isna(deal["amount"]) else whole(deal["amount"]),
        BLANK if pd.isna(closes) else pd.Timestamp(closes).date().isoformat(),
        percent(deal["win_prob"]),
        span(deal["win_lower"], deal["win_upper"]),
        percent(deal["by_end"]),
        whole(deal["expected_bookings"]),
    ]


def reconciliation(case: Case) -> Grid | None:
    """What was converted, at which rate of which day; None where there is one currency only."""
    if not case.forecast.rates:
        return None
    rows = []
    for row in case.forecast.reconciliation.to_dict("records"):
        rows.append(
            [
                text_of(row["currency"]),
                whole(row["deals"]),
                BLANK if pd.isna(row["amount"]) else whole(row["amount"]),
                BLANK if pd.isna(row["rate"]) else f"{row['rate']:.6g}",
                BLANK if pd.isna(row["day"]) else str(row["day"]),
                full_money(row["converted"], case.currency),
            ]
        )
    numbers = [
        gettext("Deals"),
        gettext("Amount"),
        gettext("Rate"),
        gettext("Rate of"),
        gettext("In {currency}", currency=case.currency),
    ]
    return Grid(
        columns=[Column(title=gettext("Currency")), *(Column(title=text, number=True) for text in numbers)], rows=rows
    )


def definitions(case: Case) -> list[tuple[str, str]]:
    """Every number on the page, in plain words."""
    return [*_about_the_quarter(case), *chance_definitions(), *factor_definitions(), *_about_decisions()]


def _about_the_quarter(case: Case) -> list[tuple[str, str]]:
    return [
        (
            gettext("P10, P50, P90"),
            gettext(
                "Of 100 simulated quarters 10 end below P10, 50 below P50, 90 below P90. They do not add up; means do."
            ),
        ),
        (
            gettext("Bookings"),
            gettext(
                "Deals won in the quarter so far, open deals won by its end, and deals that are not created yet and "
                "close in it, simulated together: they share the doubt about the chances, so they tend to be right or "
                "wrong together."
            ),
        ),
        (
            gettext("Sellers' figure"),
            gettext(
                "What the sellers file: the whole amount of every deal expected to close in the quarter, by their own "
                "category. The model does not change it."
            ),
        ),
        (
            gettext("Won by quarter end"),
            gettext(
                "The probability that the deal is won within this quarter. It is at most the win probability: a good "
                "deal may close later. The seller's close date is evidence of when, not a fact."
            ),
        ),
        (
            gettext("Expected bookings"),
            gettext("The mean over the simulated quarters of what the deal brings in this one."),
        ),
        (
            gettext("Steps since the last review"),
            gettext(
                "The same simulation, one thing changed at a time: what closed; time that passed and dates moved out; "
                "new deals; other facts, dates pulled in among them; the retrained model. What is left is noise."
            ),
        ),
    ]


def _about_decisions() -> list[tuple[str, str]]:
    return [
        (
            gettext("Reasons"),
            gettext(
                "What sets the deal apart from the average closed one, with the factor on the odds: ×2 doubles them, "
                "×0.5 halves them. An association in past deals, not a cause."
            ),
        ),
        (
            gettext("Not in contact"),
            gettext("Roles of the decision chain with whom nobody is known to have talked."),
        ),
        (
            gettext("Lever"),
            gettext(
                "The role whose support, one tier up, goes with the largest gain in win probability, all else as it "
                "is; with its 90% interval. Whether a visit brings it, only a test tells."
            ),
        ),
    ]
