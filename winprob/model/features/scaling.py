"""Scaling: what turns facts into numbers, learned from training deals, part of a fitted model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from winprob.arrays import Array
from winprob.methodology import ROLES, SUPPORT_TIERS
from winprob.model.features.companion import Companion
from winprob.model.features.curves import TRANSFORMS, Bins, end_to_end
from winprob.model.features.interactions import InteractionBasis
from winprob.model.features.levels import METHOD_LEVELS, WORDS, Layout
from winprob.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A varying covariate and the levels seen in training; a blank is the level ``""``.

    One that is a former definition of ``column`` holds what was read from ``since`` (empty: ever) and before ``until``.
    The levels of one that is the ``team`` have role weights of their own.
    """

    name: str
    levels: tuple[str, ...]
    column: str = ""
    since: str = ""
    until: str = ""
    team: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    """A numeric covariate: its transform, its mean and sd on the training rows, and its bins.

    A model of a former version has no bins: its numbers act along a straight line.
    """

    name: str
    transform: str
    mean: float
    sd: float
    bins: Bins | None = None

    @property
    def levels(self) -> tuple[str, ...]:
        """Labels of the levels of the bins, in the column's own units; that of the blank is empty."""
        if self.bins is None:
            return ()
        back = TRANSFORMS[self.transform].back
        ends = [f"{back(edge):.6g}" for edge in self.bins.edges]
        ranges = [f"({low}, {high}]" for low, high in pairwise(["-inf", *ends, "inf"])]
        return (*ranges, *(f"{back(heap):.6g}" for heap in self.bins.heaps), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """What turns words into numbers, learned from training deals; part of a fitted model.

    Attributes
    ----------
    tier_counts : (role, tier) weighted reports in training, each smoothed by one
    report_bias : (seller, how far the seller reads above others) of the sellers of training, none where they agree
    first_quarter : fiscal quarter (``4 * year + quarter``) of the first training reading, None without dates
    quarter_share : share of the training weight in each quarter from the first to the last
    companion : boosted trees of the covariates, None where there are too few deals or columns
    salt : key of the pseudonyms of sellers and accounts; empty where they have their names
    state_share, level_share, unreported_share : what the training deals have in common, see ``Layout``
    """

    tier_counts: tuple[tuple[float, ...], ...]
    report_bias: tuple[tuple[str, float], ...]
    fields: tuple[Field, ...]
    numeric: tuple[Numeric, ...]
    pairs: InteractionBasis | None
    first_quarter: int | None
    quarter_share: tuple[float, ...]
    state_share: tuple[float, ...]
    level_share: tuple[float, ...]
    unreported_share: tuple[tuple[float, ...], ...]
    fiscal_year_start_month: int
    salt: str = ""
    companion: Companion | None = None

    @property
    def lines(self) -> tuple[Numeric, ...]:
        """The numeric columns that act along a straight line."""
        return tuple(column for column in self.numeric if column.bins is None)

    @property
    def curves(self) -> tuple[Numeric, ...]:
        """The numeric columns that act through bins."""
        return tuple(column for column in self.numeric if column.bins is not None)

    @property
    def team(self) -> str | None:
        """The column of teams, None where role weights are common."""
        return next((field.name for field in self.fields if field.team), None)

    @property
    def columns(self) -> list[str]:
        """Names of all covariates, those with levels first."""
        return [field.name for field in self.fields] + [column.name for column in self.numeric]

    @property
    def layout(self) -> Layout:
        """The unknowns a model on this scaling has. Each numeric column has a slope and a shift for blanks."""
        return Layout(
            field_of_level=field_of_level(self.fields),
            quarter_share=np.array(self.quarter_share),
            state_share=np.array(self.state_share),
            level_share=np.array(self.level_share),
            unreported_share=np.array(self.unreported_share),
            curves=end_to_end([column.bins for column in self.numeric if column.bins]),
            fields=len(self.fields),
            features=2 * len(self.lines),
            components=self.pairs.loading.shape[2] if self.pairs else 0,
            companions=int(self.companion is not None),
            companion_weight=self.companion.weight if self.companion else (1.0, 1.0),
            teams=sum(len(field.levels) for field in self.fields if field.team),
            team_columns=sum(field.team for field in self.fields),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON; all but the arrays of ``pairs`` and ``companion``."""
        return asdict(replace(self, pairs=None, companion=None))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Scaling:
        """The scaling that ``to_dict`` wrote, without the arrays."""
        return cls(
            tier_counts=tuple(tuple(row) for row in plain["tier_counts"]),
            report_bias=tuple((seller, bias) for seller, bias in plain["report_bias"]),
            fields=tuple(Field(**{**field, "levels": tuple(field["levels"])}) for field in plain["fields"]),
            numeric=tuple(_numeric(column) for column in plain["numeric"]),
            pairs=None,
            first_quarter=plain["first_quarter"],
            quarter_share=tuple(plain["quarter_share"]),
            state_share=tuple(plain["state_share"]),
            level_share=tuple(plain["level_share"]),
            unreported_share=tuple(tuple(row) for row in plain["unreported_share"]),
            fiscal_year_start_month=plain["fiscal_year_start_month"],
            salt=plain.get("salt", ""),
        )


def _numeric(plain: Mapping[str, Any]) -> Numeric:
    bins = plain.get("bins")
    lists = ("edges", "heaps", "middle", "share")
    stored = bins and Bins(**{**bins, **{name: tuple(bins[name]) for name in lists}})
    return Numeric(**{**plain, "bins": stored})


def empty_scaling(settings: Settings) -> Scaling:
    """The scaling of a model that has seen no deal: every tier as frequent, amounts of a typical large deal."""
    team = settings.covariates.team
    varying = dict.fromkeys((*settings.covariates.varying, *([team] if team else [])))
    return Scaling(
        tier_counts=((1.0,) * len(SUPPORT_TIERS),) * len(ROLES),
        report_bias=(),
        fields=tuple(Field(name=name, levels=(), team=name == team) for name in varying),
        numeric=(),
        pairs=None,
        first_quarter=None,
        quarter_share=(),
        state_share=(0.0,) * sum(len(word.levels) for word in WORDS),
        level_share=(),
        unreported_share=((0.0,) * len(METHOD_LEVELS),) * len(ROLES),
        fiscal_year_start_month=settings.calendar.fiscal_year_start_month,
    )


def field_of_level(fields: Sequence[Field]) -> Array:
    return np.repeat(np.arange(len(fields)), [len(field.levels) for field in fields]).astype(np.int64)
