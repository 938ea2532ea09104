"""Model card: details, intended use, factors, calibration, training data, limits, and what is proven.

Headings follow Mitchell et al. (2019), doi 10.1145/3287560.3287596, as the large CRM vendors use them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from winprob.errors import InputError
from winprob.i18n import gettext
from winprob.methodology import ROLES, SUPPORT_TIERS, column_label, label
from winprob.model.features import WORDS, split_words
from winprob.model.posterior import Posterior, Provenance
from winprob.model.posterior_file import FORMAT
from winprob.model.role_evidence import role_readings, weight_prior_share
from winprob.model.win.terms import ROLE_TERMS
from winprob.report.backtest import calibration_section, difference_section, require_same_data
from winprob.report.diagnosis import gates_section
from winprob.report.effects import effects_section
from winprob.report.monitoring import monitoring_sections
from winprob.report.numbers import percent
from winprob.report.sheet import Section, Sheet, grid_of, pairs_grid, to_html, to_markdown
from winprob.retrain.monitoring import Monitoring

#: Required parts of a backtest record.
_NEEDED = ("protocol", "table", "differences", "groups", "reliability", "seed", "versions", "made_on")


def read_record(path: Path, source: Provenance) -> dict[str, Any]:
    """Read a record written by ``winprob backtest --record``, of the data of the model of this provenance.

    Raises
    ------
    InputError
        The file cannot be read, is not JSON, lacks a part, or is of other data.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(gettext("record {path} cannot be read: {reason}.", path=path, reason=error)) from error
    except (ValueError, RecursionError) as error:
        raise InputError(_not_a_record(path, str(error))) from error
    missing = [name for name in _NEEDED if not isinstance(record, dict) or name not in record]
    if missing:
        raise InputError(_not_a_record(path, gettext("it lacks {names}", names=", ".join(missing))))
    require_same_data(record, source)
    return dict(record)


def _not_a_record(path: Path, reason: str) -> str:
    return gettext(
        "record {path} is not one of winprob backtest: {reason}. Make one with: winprob backtest DEALS --record {path}",
        path=path,
        reason=reason,
    )


def render_card(
    posterior: Posterior,
    record: Mapping[str, Any] | None = None,
    *,
    form: Literal["md", "html"] | str = "md",
    monitoring: Monitoring | None = None,
) -> str:
    """Render the card of a fitted model in the current language.

    Parameters
    ----------
    record : as ``evaluation.Backtest.record`` returns it; without one the card states that none is on record
    form : ``md`` or ``html``
    monitoring : as ``monitor_model`` returns it: adds the evidence since training, with a chart

    Raises
    ------
    InputError
        The record is not one of a backtest.
    """
    try:
        sheet = _card(posterior, card_sections(posterior, record, monitoring))
        return to_html(sheet) if form == "html" else to_markdown(sheet)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if record is None:
            raise
        raise InputError(
            gettext("the record is not in the format of winprob backtest: {reason}.", reason=error)
        ) from error


def _card(posterior: Posterior, sections: list[Section]) -> Sheet:
    return Sheet(title=gettext("Model card"), lead=(_in_one_line(posterior),), sections=tuple(sections))


def card_sections(
    posterior: Posterior, record: Mapping[str, Any] | None, monitoring: Monitoring | None = None
) -> list[Section]:
    """The sections of the card, in order."""
    return [
        _details(posterior),
        _use(),
        _factors(posterior),
        effects_section(posterior),
        *_calibration(record),
        *monitoring_sections(monitoring),
        _data(posterior),
        _prior(posterior),
        gates_section(posterior),
        _ethics(),
        _limits(),
        _proof(),
    ]


def _in_one_line(posterior: Posterior) -> str:
    source = posterior.provenance
    if source.prior_only:
        return gettext("This model was not trained on any deal: it is the prior, what the method expects.")
    return gettext(
        "A Bayesian model of whether a large B2B deal will be won, learned from {deals} closed deals.",
        deals=source.deals,
    )


def _details(posterior: Posterior) -> Section:
    source = posterior.provenance
    rows = [
        (gettext("versions"), ", ".join(f"{name} {number}" for name, number in source.versions.items())),
        (gettext("file format"), FORMAT),
        (gettext("seed"), source.seed),
        (gettext("hash of the training data"), source.data_hash or "–"),
        (gettext("draws"), f"{posterior.draws['intercept'].size}"),
    ]
    if posterior.correction:
        quarters = gettext(", ").join(posterior.correction.quarters)
        rows.append((gettext("correction of the quarter, learned from"), quarters))
    return Section(title=gettext("Details"), grid=pairs_grid(rows))


def _use() -> Section:
    return Section(
        title=gettext("Intended use"),
        words=(
            gettext(
                "For: the probability that an open deal will be won, with its uncertainty, in deal reviews, "
                "forecasts and the choice of where to spend time."
            ),
            gettext(
                "Not for: judging, ranking or paying people, on either side; deals of a kind that is absent from the "
                "training data; proof that an action causes a win. People who are judged by the readings will distort "
                "them."
            ),
        ),
    )


def _factors(posterior: Posterior) -> Section:
    scaling = posterior.scaling
    fields = [(field.name, gettext("{count} levels", count=len(field.levels))) for field in scaling.fields]
    numbers = [(column.name, column.transform) for column in scaling.numeric]
    pairs = [(gettext("combinations of two facts"), scaling.layout.components)] if scaling.pairs else []
    method = [
        (column_label(column), gettext("of the method")) for column in (*(word.column for word in WORDS), *ROLE_TERMS)
    ]
    return Section(
        title=gettext("Factors"),
        words=(
            gettext(
                "Blank means unknown, which is always a state of its own. For columns that hold names (sellers, "
                "customers) this card gives only the number of levels."
            ),
            _names(posterior),
        ),
        grid=pairs_grid([*method, *fields, *numbers, *pairs]),
    )


def _names(posterior: Posterior) -> str:
    """What the model file has on persons."""
    if posterior.scaling.salt:
        return gettext(
            "The model file holds pseudonyms of sellers and accounts. They are hashes with a key in the same file: "
            "whoever has the file and a list of names can find out whose they are."
        )
    return gettext(
        "The model file holds the names of all levels and, by seller, an offset and the bias of the seller's readings. "
        "Handle it like data on persons, or train with --pseudonymous."
    )


def _calibration(record: Mapping[str, Any] | None) -> list[Section]:
    title = gettext("Metrics and calibration record")
    if record is None:
        return [
            Section(
                title=title,
                words=(
                    gettext(
                        "NOT ON RECORD. This card has no evidence of how well the model is calibrated. Make a record "
                        "with winprob backtest DEALS --record backtest.json and add it with --record backtest.json."
                    ),
                ),
            )
        ]
    protocol = record["protocol"]
    sentences = [
        gettext(
            "Made on {day} by {kind}: {scored} deals scored out of sample, {open} not closed yet. The record evaluates "
            "the same procedure on the deals given then; the files do not show whether it belongs to this model file.",
            day=record["made_on"],
            kind=gettext("rolling by quarter") if protocol["kind"] == "rolling" else gettext("k-fold"),
            scored=protocol["scored"],
            open=protocol["not_scored"],
        )
    ]
    return [
        Section(title=title, words=tuple(sentences), grid=grid_of(pd.DataFrame(record["table"]))),
        difference_section(record),
        calibration_section(record),
    ]


def _data(posterior: Posterior) -> Section:
    source = posterior.provenance
    if source.prior_only:
        return Section(title=gettext("Training data"), words=(gettext("None."),))
    rows = [
        (gettext("closed deals"), source.deals),
        *([(gettext("closed deals on record"), source.closed)] if source.closed is not None else []),
        (gettext("rows"), source.rows),
        (gettext("deals, duplicates counted once"), f"{source.counted:.0f}"),
        (gettext("share won"), percent(source.won / source.counted)),
        (gettext("first reading"), source.first_day or "–"),
        (gettext("last reading"), source.last_day or "–"),
        *_unknown_shares(posterior),
        *_tiers(posterior),
    ]
    return Section(title=gettext("Training data"), grid=pairs_grid(rows))


def _unknown_shares(posterior: Posterior) -> list[tuple[str, str]]:
    words = split_words(np.array(posterior.scaling.state_share))
    shares = {column: float(share[-1]) for column, share in words.items()}
    shares |= dict(zip(ROLE_TERMS, map(sum, posterior.scaling.unreported_share), strict=True))
    return [
        (gettext("{column}: unknown", column=column_label(column)), percent(share)) for column, share in shares.items()
    ]


def _tiers(posterior: Posterior) -> list[tuple[str, str]]:
    rows = []
    for role, counts in zip(ROLES, posterior.scaling.tier_counts, strict=True):
        # Each tier's count is smoothed by one in the model.
        counted = (
            f"{label('support', tier)} {count - 1:.0f}" for tier, count in zip(SUPPORT_TIERS, counts, strict=True)
        )
        rows.append((column_label(f"{role}_support"), ", ".join(counted)))
    return rows


def _prior(posterior: Posterior) -> Section:
    share, readings = weight_prior_share(posterior, "role_weight_population"), role_readings(posterior)
    rows = [
        (label("role", role), percent(float(part)) if count else gettext("100%: not in your deals, all prior"))
        for role, part, count in zip(ROLES, share, readings, strict=True)
    ]
    return Section(
        title=gettext("How much of it is prior"),
        words=(
            gettext(
                "Share of the prior uncertainty that remains in each role's weight: 100% is the prior alone. It "
                "is the squared width of the log weight's 90% interval over that of the prior given the effect scale. "
                "winprob diagnose shows which parameters depend on the prior."
            ),
        ),
        grid=pairs_grid(rows),
    )


def _ethics() -> Section:
    return Section(
        title=gettext("Ethical considerations"),
        words=(
            gettext(
                "What the customer's people think of us is personal data. Collect it only for this deal, keep it no "
                "longer than needed, restrict access, use pseudonyms instead of names, and be ready to show or delete "
                "it on request."
            ),
            gettext(
                "Every reading is a salesperson's opinion of a person, not a fact about the person. The model "
                "treats it as noisy; people who read its output should too."
            ),
            gettext(
                "A low win probability can fulfil itself because the team gives up. Use it to decide what to find out, "
                "not only what to drop."
            ),
            gettext("The model file holds names of levels (sellers, regions, competitors), but no row of a deal."),
        ),
    )


def _limits() -> Section:
    return Section(
        title=gettext("Known limits"),
        words=(
            gettext("Lift is an association that the model learned. It is not the effect of a visit."),
            gettext(
                "Open deals enter as censored observations only if the training table has dates; without dates only "
                "closed deals are used, and deals that close quickly differ from the others. No decision counts as not "
                "won."
            ),
            gettext(
                "Drift continues from the last training quarter; a jump in the market appears only after the next "
                "training. Effects of sellers or regions absent from the training data are drawn from the population."
            ),
            gettext(
                "True support is integrated out with two approximations (moments of truncated normals, a probit for "
                "the logistic); with several people in one role the uncertainty is slightly understated."
            ),
            gettext(
                "No check finds every fact that was recorded after the outcome. Such facts make any model look good."
            ),
        ),
    )


def _proof() -> Section:
    return Section(
        title=gettext("What is proven on real deals, and what is not"),
        words=(
            gettext(
                "On real deals: predictions from plain columns and their combinations are as good as or better than "
                "those of standard methods (one public data set of 448 B2B deals), and the model reports no "
                "differences where nothing can be predicted (a practice CRM)."
            ),
            gettext(
                "On simulated data only: the five roles, the decision method and the validation of coaches. No public "
                "data set contains them. Only your own backtest is evidence for your team."
            ),
        ),
    )
