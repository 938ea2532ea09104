"""Many teams: a fit for each, in parallel and resumable, every model in a registry of its own; and one fit of all.

A team's fit is a candidate as ``retrain`` makes it: the first one becomes current, a later one is judged by the gate.
A worker writes the registry itself, so that a team that is done stays done when everything else is killed.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from winprob.data.schema import as_text, is_closed, validate_deals
from winprob.errors import DealTableError, WinprobError
from winprob.i18n import gettext, language, use_language
from winprob.retrain import Registry
from winprob.retrain.candidate import CurrentModel, gate_sentences, run_retraining
from winprob.settings import Settings, settings_from

COLUMNS = ("team", "deals", "won", "verdict", "note", "registry")
#: What became of a team: its model is current now, or held by the gate; there was one already; or there is none.
PROMOTED, HELD, SKIPPED, FAILED = "promote", "hold", "skipped", "failed"
#: What identifies the data and settings of a fit, next to the model in its registry.
RECORD = "team.json"
#: The folder of the fit of all teams together; no team's folder begins like it.
POOLED = "_pooled"
#: Names that a file system may not take as they are are those with other marks, and the devices of Windows.
_PLAIN = re.compile(r"(?!(?:con|prn|aux|nul|com\d|lpt\d)$)[^\W_](?:[\w.-]*[^\W_])?", re.IGNORECASE)
_LONGEST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamFit:
    """A fit to make: its deals, settings, and the registry into which the model goes.

    Attributes
    ----------
    settings, mapping : as plain tables
    key : of data, settings and seed; the same key is the same fit
    language : of the messages
    """

    team: str
    deals: pd.DataFrame
    settings: Mapping[str, Any]
    mapping: Mapping[str, Any]
    seed: int
    registry: str
    key: str
    language: str


def team_fits(deals: pd.DataFrame, by: str, folder: Path, **how: Any) -> list[TeamFit]:
    """A fit for each team, in the order of their names; rows without a team are in none.

    Parameters
    ----------
    deals : training rows in canonical columns, with the column ``by``
    how : ``settings``, ``seed`` and ``mapping``, see ``fit_of``

    Raises
    ------
    DealTableError
        The column is missing, or no row has a team.
    """
    if by not in deals:
        named = {"by": by, "columns": ", ".join(map(repr, deals.columns[:20]))}
        raise DealTableError(gettext("--by {by}: the deals have no such column; they have {columns}.", **named))
    teams = as_text(deals[by])
    names = sorted(teams.dropna().unique())
    if not names:
        raise DealTableError(gettext("--by {by}: the column is blank in every row.", by=by))
    places = folder_names(names)
    own = _without(deals, by)
    return [fit_of(name, own[(teams == name).to_numpy()], folder / places[name], **how) for name in names]


def pooled_fit(deals: pd.DataFrame, by: str, folder: Path, *, settings: Settings, **how: Any) -> TeamFit:
    """One hierarchical fit: each team has an intercept and role weights of its own, shrunk to what teams share."""
    covariates = dict(deals.attrs.get("covariates", {}))
    varying = [*dict.fromkeys((*covariates.get("varying", ()), by))]
    pooled = deals.copy(deep=False)
    pooled.attrs = {**deals.attrs, "covariates": {**covariates, "varying": varying}}
    by_team = replace(settings, covariates=replace(settings.covariates, team=by))
    return fit_of("", pooled, folder / POOLED, settings=by_team, **how)


def fit_of(
    team: str,
    deals: pd.DataFrame,
    place: Path,
    *,
    settings: Settings,
    seed: int,
    mapping: Mapping[str, Any] | None = None,
) -> TeamFit:
    """The fit of some deals; ``mapping`` is the content of the one by which they were read."""
    plain = asdict(settings)
    rows = pd.util.hash_pandas_object(deals, index=False).to_numpy().tobytes()
    rest = json.dumps([list(map(str, deals.columns)), deals.attrs.get("covariates"), plain, seed], default=str)
    return TeamFit(
        team=team,
        deals=deals.reset_index(drop=True),
        settings=plain,
        mapping=mapping or {},
        seed=seed,
        registry=str(place.absolute()),
        key=hashlib.sha256(rows + rest.encode()).hexdigest(),
        language=language(),
    )


def fit_team(task: TeamFit) -> dict[str, Any]:
    """Fit, judge and keep a team's model: a record of ``COLUMNS``. What a user can fix is a note, not an error."""
    closed = validate_deals(task.deals)[is_closed(task.deals)].drop_duplicates("deal_id")
    counts = {"deals": len(closed), "won": int((closed["outcome"] == "won").sum()) if len(closed) else 0}
    with use_language(task.language):
        try:
            verdict, note = _settled(task)
        except WinprobError as fault:
            verdict, note = FAILED, str(fault)
        except Exception as fault:  # noqa: BLE001 - whatever one team raises, the others go on
            verdict, note = FAILED, f"{type(fault).__name__}: {fault}"
    return {"team": task.team, **counts, "verdict": verdict, "note": note, "registry": task.registry}


def _settled(task: TeamFit) -> tuple[str, str]:
    registry = Registry(task.registry)
    for entry in registry.entries():
        if (record := entry.read(RECORD)) and json.loads(record).get("key") == task.key:
            return SKIPPED, gettext("{name} has the same data and settings", name=entry.name)
    current = registry.current()
    known = CurrentModel.from_entry(current) if current else None
    settings = settings_from(dict(task.settings))
    retraining = run_retraining(task.deals, known, seed=task.seed, settings=settings, mapping=task.mapping or None)
    gate = retraining.gate
    if retraining.candidate is None:
        return FAILED, "; ".join(gate.reasons)
    record = json.dumps({"team": task.team, "key": task.key}, ensure_ascii=False).encode()
    reason = gettext("learned by winprob train-teams")
    entry = registry.add({**retraining.files(), RECORD: record}, verb="add" if gate.allows else "hold", reason=reason)
    if not gate.allows:
        return HELD, f"{entry.name}: {gate_sentences(gate)[0]}"
    registry.promote(entry.number, reason, compared_with=current.name if current else None)
    return PROMOTED, entry.name


def results_table(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A row a team, in the order of their names; the fit of all teams last."""
    ordered = sorted(records, key=lambda record: (record["registry"].endswith(POOLED), record["team"]))
    return pd.DataFrame(ordered, columns=list(COLUMNS)).astype({"deals": "Int64", "won": "Int64"})


def folder_names(teams: Sequence[str]) -> dict[str, str]:
    """A folder for each team: its name where that is plain and no other differs by case alone, else with a hash."""
    plain = {team for team in teams if _PLAIN.fullmatch(team) and len(team.encode()) <= _LONGEST}
    often = pd.Series([team.casefold() for team in plain], dtype=object).value_counts()
    return {team: team if team in plain and often[team.casefold()] == 1 else _marked(team) for team in teams}


def _marked(team: str) -> str:
    letters = "".join(mark if mark.isalnum() or mark in "-." else "-" for mark in team)
    short = letters.encode()[: _LONGEST - 8].decode(errors="ignore").strip(".-")
    return f"{short or 'team'}-{hashlib.sha256(team.encode()).hexdigest()[:7]}"


def _without(deals: pd.DataFrame, by: str) -> pd.DataFrame:
    """The deals without the column of teams, which is the same in all rows of a team."""
    covariates = dict(deals.attrs.get("covariates", {}))
    own = deals.drop(columns=by)
    covariates["varying"] = [name for name in covariates.get("varying", ()) if name != by]
    own.attrs = {**deals.attrs, "covariates": covariates}
    return own
