"""A fitted model as data: posterior and prior draws, scaling, settings and provenance, frozen; selected by label.

Loading, predicting and explaining need no PyMC. For the file format see ``posterior_file``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from winprob.arrays import Array
from winprob.i18n import Described, gettext
from winprob.model.amounts import ClosingAmounts
from winprob.model.arrivals import Arrivals
from winprob.model.correction import Correction
from winprob.model.draws import summarise
from winprob.model.features import Scaling
from winprob.model.hazards import Hazards
from winprob.model.posterior_file import parameter_dims, read_posterior, write_posterior
from winprob.model.role_evidence import LEARNED, MOSTLY_PRIOR, NOT_IN_DEALS, roles_by_grade
from winprob.model.win.blocks import coords
from winprob.settings import Settings

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The data, seed and software versions that a fitted model comes from.

    Attributes
    ----------
    deals, rows : number of deals and rows in the training data (0 = prior only)
    available : number of closed deals in the table; more than ``deals`` where training used a random sample
    counted, won : the deals with exact copies counted once, and how many of these were won
    first_day, last_day : ISO dates of the first and last reading, None without dates
    data_hash : SHA-256 of the training arrays
    seed : the seed of the sampler and of all later draws
    versions : of Python and the libraries used
    gates : measured convergence diagnostics (R-hat, ESS, divergences), empty for a prior
    readings : number of known cells of each fact column among the training rows; None in a file without this count
    closed : number of closed deals on record, those without a training row included; None in a file without it
    """

    deals: int
    rows: int
    available: int
    counted: float
    won: float
    first_day: str | None
    last_day: str | None
    data_hash: str
    seed: int
    versions: Mapping[str, str]
    gates: Mapping[str, float]
    readings: Mapping[str, int] | None = None
    closed: int | None = None

    @property
    def prior_only(self) -> bool:
        """Whether the model has not been trained on any deal."""
        return self.deals == 0


@dataclass(frozen=True, kw_only=True, repr=False)
class Posterior(Described):
    """A fitted win model. Its ``repr`` reports in words what it was learned from.

    Attributes
    ----------
    draws : posterior draws by parameter, each float32 ``(chain, draw, *dims)``; dims as in ``blocks.DIMS``
    prior : prior draws of the same parameters, each ``(draw, *dims)``
    terms : names of the terms of ``term_mean``, the average of each over the training deals
    hazards : the time-to-close model, None where the training table has no dates to learn it from
    arrivals : deals won in past quarters by opening date, None where the training table has no such dates
    amounts : closing amounts of won deals relative to the amounts read, None where the training table lacks either
    correction : of a quarter's forecast, learned by ``winprob replay``; None without one
    """

    draws: Mapping[str, Array]
    prior: Mapping[str, Array]
    terms: tuple[str, ...]
    scaling: Scaling
    settings: Settings
    provenance: Provenance
    hazards: Hazards | None = None
    arrivals: Arrivals | None = None
    amounts: ClosingAmounts | None = None
    correction: Correction | None = None

    def described_as(self) -> str:
        source = self.provenance
        if source.prior_only:
            return gettext("Win model, prior only: it has not seen a deal")
        return gettext("Win model, learned from {deals:,} closed deals", deals=source.deals)

    def facts(self) -> Iterator[tuple[str, str]]:
        source, hazards = self.provenance, self.hazards
        if not source.prior_only:
            won = gettext("{won:.0%} of the deals", won=source.won / source.counted)
            yield gettext("won"), won
        if source.first_day:
            yield gettext("read"), gettext("{first} to {last}", first=source.first_day, last=source.last_day)
        mean, lower, upper = summarise(expit(self.flat["base_rate_logit"].astype(float)))
        rate = gettext("{mean:.0%} (90%: {lower:.0%} to {upper:.0%})", mean=mean, lower=lower, upper=upper)
        yield gettext("base rate"), rate
        yield gettext("convergence"), _convergence(source.gates)
        yield from _weights(roles_by_grade(self))
        columns = [*(field.name for field in self.scaling.fields), *(one.name for one in self.scaling.numeric)]
        if self.scaling.team is not None:
            yield gettext("role weights by team"), self._team_spread()
        yield gettext("covariates"), ", ".join(columns) or gettext("none")
        timing = gettext("not learned")
        if hazards:
            closed, still_open = hazards.closed, hazards.still_open
            timing = gettext("from {closed:,} closed and {open:,} open deals", closed=closed, open=still_open)
        yield gettext("time to close"), timing
        chains, draws = self.draws["intercept"].shape
        yield gettext("draws"), gettext("{chains} chains of {draws}", chains=chains, draws=draws)
        yield gettext("made with"), f"winprob {source.versions.get('winprob', '?')}, seed {source.seed}"

    def _team_spread(self) -> str:
        """How far the teams' role weights are apart."""
        mean, lower, upper = summarise(np.exp(self.flat["team_spread"][:, 0].astype(float)))
        return gettext(
            "{teams} levels of {column!r}, one standard deviation is a factor of {mean:.2f} "
            "({lower:.2f} to {upper:.2f})",
            teams=self.scaling.layout.teams,
            column=self.scaling.team,
            mean=mean,
            lower=lower,
            upper=upper,
        )

    @cached_property
    def flat(self) -> dict[str, Array]:
        """The draws with all chains concatenated, each ``(draw, *dims)``."""
        return flatten_chains(self.draws)

    def sel(self, name: str, **labels: str) -> Array:
        """Draws of one parameter, selected by label, such as ``sel("role_weight", role="approver")``.

        Returns
        -------
        draws by the remaining dims

        Raises
        ------
        KeyError
            The parameter, dim or label does not exist.
        """
        values, coords, dims = self.flat[name], self.coords, list(parameter_dims(name))
        for dim, wanted in labels.items():
            axis = dims.index(dim) + 1 if dim in dims else _absent(dim, dims)
            at = list(coords[dim]).index(wanted) if wanted in coords[dim] else _absent(wanted, coords[dim])
            values = np.take(values, at, axis=axis)
            dims.remove(dim)
        return values

    @property
    def coords(self) -> dict[str, tuple[str, ...]]:
        """Labels of every dim. A level is ``field=value``, a blank ``field=``."""
        return {**coords(self.scaling), "term": self.terms}

    def save(self, path: Path | str) -> None:
        """Write the model to a NetCDF file, completely or not at all.

        Raises
        ------
        OutputError
            The file cannot be written there.
        """
        write_posterior(self, path)

    @staticmethod
    def load(path: Path | str) -> Posterior:
        """Read a model file.

        Raises
        ------
        PosteriorError
            The file is missing, is not a model, is damaged, or is of another format.
        """
        return read_posterior(Path(path), _build)

    def to_datatree(self) -> xr.DataTree:
        """Posterior and prior for ArviZ: groups ``posterior`` and ``prior``, dims ``chain, draw, ...``."""
        import xarray as xr

        def dataset(draws: Mapping[str, Array]) -> xr.Dataset:
            variables = {name: (("chain", "draw", *parameter_dims(name)), values) for name, values in draws.items()}
            used = {dim for dims, _ in variables.values() for dim in dims}
            labels = {dim: list(values) for dim, values in self.coords.items() if dim in used}
            return xr.Dataset(variables, coords=labels)

        prior = {name: values[None] for name, values in self.prior.items()}
        return xr.DataTree.from_dict({"posterior": dataset(self.draws), "prior": dataset(prior)})


def _convergence(gates: Mapping[str, float]) -> str:
    if not gates:
        return gettext("drawn directly from the prior")
    return gettext(
        "gates passed: R-hat {r_hat:.3f}, effective draws at least {ess:.0f}, {divergent:.1%} divergent",
        r_hat=gates["r_hat"],
        ess=min(gates["bulk_ess"], gates["tail_ess"]),
        divergent=gates["divergent_share"],
    )


def _weights(roles: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Which roles' weights the deals have told, by grade."""
    names = {
        LEARNED: gettext("role weights learned"),
        MOSTLY_PRIOR: gettext("role weights mostly prior"),
        NOT_IN_DEALS: gettext("roles without a reading"),
    }
    return ((names[grade], listed) for grade, listed in roles.items())


def _build(*, provenance: Mapping[str, Any], **fields: Any) -> Posterior:
    return Posterior(provenance=Provenance(**provenance), **fields)


def flatten_chains(draws: Mapping[str, Array]) -> dict[str, Array]:
    """Concatenate chains: each ``(chain, draw, *dims)`` becomes ``(draw, *dims)``."""
    return {name: v.reshape(v.shape[0] * v.shape[1], *v.shape[2:]) for name, v in draws.items()}


def _absent(wanted: str, known: object) -> int:
    raise KeyError(f"{wanted!r} is not one of {known}")
