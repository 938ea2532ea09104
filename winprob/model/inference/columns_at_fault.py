"""Message of a run that did not converge: which columns of the deals are at fault, and what to do about each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

import numpy as np

from winprob.data.schema import ELAPSED
from winprob.i18n import gettext
from winprob.methodology import ROLES
from winprob.model.features import Scaling
from winprob.model.inference.gates import Diagnostic, Gates
from winprob.model.win.blocks import DIMS
from winprob.settings import NumericCovariate, Settings

#: Columns that the message names.
_NAMED = 5
#: What the method's parameters belong to where no dim of theirs does; others belong to all columns together.
_COLUMN_OF = {
    "stage_effect": "stage",
    "coverage_effect": "approver_coverage",
    "coach_effect": "coach",
    "reliability": "coach",
    "method_effect": "decision_method",
    "method_spread": "decision_method",
    "method_lean": "decision_method",
    "drift": "as_of",
    "drift_scale": "as_of",
}
#: Parameters of what covariates say together, which the key stands for.
_TOGETHER = ("pair_weight", "pair_scale", "companion_weight")
_PATTERN = "*"


def not_converged(gates: Gates, settings: Settings, scaling: Scaling) -> str:
    """The whole message: which gates were missed by how much, in which columns, and what to do."""
    columns = _worst_by_column(gates.missed(settings.gates), scaling)
    return " ".join(
        [
            gettext(
                "sampling did not converge: {failures}. Nothing was saved.",
                failures="; ".join(gates.failures(settings.gates)),
            ),
            *_named(columns),
            *_remedies([name for name, _ in columns[:_NAMED]], settings, scaling),
        ]
    )


def column_of(parameter: str, at: int, scaling: Scaling) -> str | None:
    """The column of the deals that element ``at`` of a parameter belongs to, None for one of the whole model."""
    dims = DIMS[parameter]
    if parameter in _TOGETHER:
        return _PATTERN
    if "team" in dims or "team_column" in dims:
        return scaling.team
    if "role" in dims:
        roles = at if len(dims) == 1 else at // scaling.layout.sizes["decision_method"]
        return f"{ROLES[roles]}_support"
    if dims == ("level",):
        return scaling.fields[int(scaling.layout.field_of_level[at])].name
    if dims == ("field",):
        return scaling.fields[at].name
    if dims == ("bin",):
        return scaling.curves[int(scaling.layout.curves.column_of_bin[at])].name
    if dims == ("column",):
        return scaling.curves[at].name
    if dims == ("feature",):
        return scaling.lines[at // 2].name
    return _COLUMN_OF.get(parameter)


def _worst_by_column(missed: Iterable[Diagnostic], scaling: Scaling) -> list[tuple[str, tuple[float, float]]]:
    """Largest R-hat and smallest ESS of each column, in the order of the worst number in it."""
    worst: dict[str, tuple[float, float]] = {}
    for one in missed:
        column = column_of(one.name, one.at, scaling)
        if column is not None:
            r_hat, ess = worst.get(column, (one.r_hat, one.ess))
            worst[column] = (float(np.fmax(r_hat, one.r_hat)), float(np.fmin(ess, one.ess)))
    return list(worst.items())


def _named(columns: Sequence[tuple[str, tuple[float, float]]]) -> Iterator[str]:
    shown = [
        gettext("{column} (R-hat {r_hat:.3f}, ESS {ess:.0f})", column=_shown(name), r_hat=r_hat, ess=ess)
        for name, (r_hat, ess) in columns[:_NAMED]
    ]
    if not shown:
        return
    if len(columns) > _NAMED:
        shown.append(gettext("{more} more", more=len(columns) - _NAMED))
    yield gettext("Columns at fault, the worst first: {columns}.", columns="; ".join(shown))


def _shown(column: str) -> str:
    return gettext("the pattern of the other columns") if column == _PATTERN else column


def _remedies(columns: Sequence[str], settings: Settings, scaling: Scaling) -> Iterator[str]:
    """What to do about these columns: covariates can be left out, facts of the method can be looked at."""
    covariates = [name for name in columns if name in scaling.columns]
    own = {*settings.covariates.varying, *(column.column for column in settings.covariates.numeric)}
    own |= {settings.covariates.team}
    if forecast := [name for name in covariates if name in ("rep_category", "rep_probability") and name not in own]:
        yield gettext(
            "To leave out {columns}, set seller_forecast = false under [covariates].", columns=_quoted(forecast)
        )
    if days := [name for name in covariates if name in ELAPSED and name not in own]:
        yield gettext("To leave out {columns}, set days_elapsed = false under [covariates].", columns=_quoted(days))
    if mapped := [name for name in covariates if name not in (*own, *forecast, *days)]:
        yield gettext("To leave out {columns}, take it out of [covariates] in the mapping.", columns=_quoted(mapped))
    if standing := [name for name in covariates if name in own]:
        yield gettext(
            "To leave out {columns}, write under [covariates] in the file of --settings: {entries}.",
            columns=_quoted(standing),
            entries="; ".join(_without(standing, settings)),
        )
    if _PATTERN in columns:
        yield gettext(
            "To leave out the pattern of the other columns, write under [covariates] in the file of --settings: "
            "companion = false; pair_components = 0."
        )
    if "as_of" in columns:
        yield gettext(
            "To let quarters differ less, set priors.drift_scale below {scale}.", scale=settings.priors.drift_scale
        )
    if facts := [name for name in columns if name not in (*covariates, _PATTERN, "as_of")]:
        yield gettext(
            "To leave out {columns}, take it out of the file, or out of [columns] in the mapping.",
            columns=_quoted(facts),
        )
    yield gettext(
        "winprob check shows whether a column gives the outcome away; sampler.retry_draws sets how many draws a chain "
        "may take."
    )


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _without(columns: Sequence[str], settings: Settings) -> Iterator[str]:
    """The entries of ``[covariates]`` without these columns, as TOML."""
    covariates = settings.covariates
    varying = [name for name in covariates.varying if name not in columns]
    if len(varying) < len(covariates.varying):
        yield f"varying = [{', '.join(map(_text, varying))}]"
    if covariates.team in columns:
        yield 'team = ""'
    numeric = [column for column in covariates.numeric if column.column not in columns]
    if len(numeric) < len(covariates.numeric):
        yield f"numeric = [{', '.join(map(_inline, numeric))}]"


def _inline(column: NumericCovariate) -> str:
    entries = ", ".join(f"{name} = {_text(value)}" for name, value in asdict(column).items())
    return f"{{{entries}}}"


def _text(value: str) -> str:
    """A TOML basic string."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
