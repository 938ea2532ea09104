"""Interactions of two facts: a low-rank pairwise ANOVA kernel.

Two facts together may be more informative than each alone. All products of two centred level indicators of different
fields are far too many to learn freely; their leading principal directions over the training deals carry most of what
can be learned, and one scale, which goes to zero where the data show nothing, is learned for all of them. This is a
Gaussian process with a pairwise ANOVA kernel, cut to its leading components.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from winprob.arrays import Array, add_rows

#: A level rarer than this takes part in no interaction.
_RARE = 5
_COLUMNS = 200
_ROWS = 1500


@dataclass(frozen=True, kw_only=True)
class InteractionBasis:
    """The leading directions in which combinations of two levels vary; averages only, no deal's row.

    Attributes
    ----------
    level : (column,) code of each level that takes part
    field : (column,) the field it belongs to
    mean : (column,) its share of the training deals
    loading : (column, column, component) symmetric, zero within a field
    """

    level: Array
    field: Array
    mean: Array
    loading: Array

    @cached_property
    def fields(self) -> Array:
        """(part,) the fields that take part."""
        return np.unique(self.field)

    @cached_property
    def of_two(self) -> Array:
        """(place and other place, component) coordinates of two levels, each less its field's average.

        The places are the columns, then one for each part: a level of it that has no column. Sums and differences
        alone, so that every process has the same table to the last bit.
        """
        parts = [np.flatnonzero(self.field == field) for field in self.fields]
        part = np.concatenate([np.searchsorted(self.fields, self.field), np.arange(len(parts))])
        share, none = self.mean[:, None], np.zeros((len(parts), *self.loading.shape[1:]))
        average = np.stack([(share[of][:, :, None] * self.loading[of]).sum(axis=0) for of in parts])
        first = np.concatenate([self.loading, none]) - average[part]
        average = np.stack([(share[of] * first[:, of]).sum(axis=1) for of in parts], axis=1)
        both = np.concatenate([first, np.zeros_like(average)], axis=1) - average[:, part]
        return np.asarray(both.reshape(len(part) ** 2, -1), dtype=np.float32)

    def places(self, level: Array) -> Array:
        """(deal, part) the places of ``of_two`` of a deal's levels (deal, field)."""
        order, codes = np.argsort(self.level), level[:, self.fields]
        at = order[np.minimum(np.searchsorted(self.level, codes, sorter=order), len(order) - 1)]
        return np.where(self.level[at] == codes, at, len(order) + np.arange(len(self.fields)))


def learn_interactions(level: Array, field_of_level: Array, fields: Sequence[int], components: int) -> InteractionBasis:
    """The ``components`` leading directions over these deals, fewer where there are fewer.

    Parameters
    ----------
    level : (deal, field) codes into all levels end to end
    field_of_level : (level,) the field of each
    fields : the fields that take part
    """
    counts = np.bincount(level[:, list(fields)].ravel(), minlength=len(field_of_level))
    common = np.flatnonzero(counts >= _RARE)
    columns = np.sort(common[np.argsort(-counts[common], kind="stable")[:_COLUMNS]])
    field = field_of_level[columns]
    shown = _shown(level, columns, field)
    mean = shown.mean(axis=0)
    rows = np.unique(np.linspace(0, len(level) - 1, min(_ROWS, len(level))).astype(int))
    return InteractionBasis(
        level=columns,
        field=field,
        mean=mean,
        loading=_loading(shown[rows] - mean, field, components).astype(np.float32),
    )


def interaction_features(basis: InteractionBasis, level: Array, seen: Array) -> Array:
    """(deal, component) coordinates of each deal.

    Parameters
    ----------
    level : (deal, field) codes
    seen : (deal, field) whether training knew the level; an unseen one takes no part in any combination
    """
    one, other = np.triu_indices(len(basis.fields), 1)
    if not len(one):
        return np.zeros((len(level), basis.loading.shape[2]), dtype=np.float32)
    place, known = basis.places(level), seen[:, basis.fields].astype(np.float32)
    rows = place[:, one] * (len(basis.level) + len(basis.fields)) + place[:, other]
    return add_rows(basis.of_two, known[:, one] * known[:, other], rows)


def _shown(level: Array, columns: Array, field: Array) -> Array:
    """(deal, column) 1 where the deal has that level."""
    return np.asarray(level[:, field] == columns, dtype=float)


def _loading(centred: Array, field: Array, components: int) -> Array:
    """Principal directions of the products of columns of different fields, found through the deals' Gram matrix."""
    own = field[:, None] == field
    gram = (centred @ centred.T) ** 2
    for one in np.unique(field):
        within = centred[:, field == one]
        gram -= (within @ within.T) ** 2
    size, direction = np.linalg.eigh(gram / 2)
    lead = np.argsort(-size)[:components]
    lead = lead[size[lead] > 1e-8 * max(size.max(initial=0.0), 1e-8)]
    loading = np.empty((len(field), len(field), len(lead)))
    for at, component in enumerate(lead):
        loading[:, :, at] = (centred.T * direction[:, component]) @ centred / np.sqrt(size[component])
    loading[own] = 0
    return loading
