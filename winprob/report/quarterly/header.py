"""Of when and of what is this page? Dates, money, model, and what must be known before any number is read."""

from winprob.i18n import gettext
from winprob.model.posterior import Provenance
from winprob.report.glossary import banners, learned
from winprob.report.quarterly.inputs import Case


def title(case: Case) -> str:
    return gettext("Quarterly review {quarter}", quarter=case.forecast.quarter.name)


def facts(case: Case) -> list[tuple[str, str]]:
    """Name and value of what stands at the head of the page."""
    forecast = case.forecast
    return [
        (gettext("As of"), forecast.as_of.isoformat()),
        (gettext("Quarter"), quarter_days(case)),
        (gettext("Week"), week(case)),
        (gettext("Currency"), _money(case)),
        (gettext("Model"), learned(case.posterior.provenance)),
        (gettext("Made with"), _versions(case.posterior.provenance)),
    ]


def quarter_days(case: Case) -> str:
    quarter = case.forecast.quarter
    return gettext("{quarter}, {start} to {end}", quarter=quarter.name, start=quarter.start, end=quarter.end)


def week(case: Case) -> str:
    quarter, day = case.forecast.quarter, case.forecast.as_of
    if day < quarter.start:
        return gettext("not begun: {count} days to go", count=(quarter.start - day).days)
    if day > quarter.end:
        return gettext("over since {day}", day=quarter.end)
    return gettext("{week} of {weeks}", week=quarter.week_of(day), weeks=quarter.weeks)


def _money(case: Case) -> str:
    if not case.forecast.rates:
        return gettext("{currency}, no other currency among the deals", currency=case.currency)
    rates = gettext("; ").join(
        gettext(
            "1 {currency} = {rate} {own} ({day})",
            currency=rate.currency,
            rate=f"{rate.rate:.6g}",
            own=case.currency,
            day=rate.day,
        )
        for rate in case.forecast.rates
    )
    return gettext("{currency}; rates: {rates}", currency=case.currency, rates=rates)


def _versions(source: Provenance) -> str:
    versions = f"winprob {source.versions.get('winprob', '?')}"
    if not source.data_hash:
        return gettext("{versions}, seed {seed}", versions=versions, seed=source.seed)
    return gettext(
        "{versions}, seed {seed}, training data {hash}", versions=versions, seed=source.seed, hash=source.data_hash[:12]
    )


def warnings(case: Case) -> list[str]:
    """What must be known before any number is read."""
    said = banners(case.posterior.provenance, simulated=case.simulated)
    if not case.forecast.dated:
        said.append(
            gettext(
                "No time to close: the model has learned no dates, so every deal counts as if it ended in this "
                "quarter. Read “won by quarter end” as “won eventually”."
            )
        )
    return said
