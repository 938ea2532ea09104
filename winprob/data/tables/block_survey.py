"""What all blocks of a file give away together: its conventions, and the spelling of each level."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import as_text, mask_of
from winprob.data.tables.currencies import amount_form
from winprob.data.tables.deal_cells import evidence_of, percent_signed, read_cells, settle_by
from winprob.data.tables.deals import meant, unified
from winprob.data.tables.mapping import DealMapping, Source
from winprob.data.tables.pieces import NotInBlocksError
from winprob.data.tables.sheets.sheet import Sheet
from winprob.data.tables.values.conventions import Convention, Evidence
from winprob.data.tables.values.spelling import folded, most_frequent

#: Pairs of hashes that are kept before repeated ones are dropped.
_MOST_PAIRS = 1_000_000


@dataclass(slots=True)
class _Levels:
    """The levels of a column, as pairs of hashes: of the folded level, and of the level as it is spelled."""

    pairs: list[Array] = field(default_factory=list)
    length: int = 0

    def add(self, levels: pd.Series) -> None:
        words = levels.to_numpy(dtype=object)
        keys = np.array([folded(word) for word in words], dtype=object)
        self.pairs.append(np.stack([pd.util.hash_array(keys), pd.util.hash_array(words)], axis=1))
        self.length += len(words)
        if self.length > _MOST_PAIRS:
            self.pairs = [np.unique(np.concatenate(self.pairs), axis=0)]
            self.length = len(self.pairs[0])

    def shared(self) -> Array:
        """The hashes of the folded levels that have several spellings."""
        folded_levels = np.unique(np.concatenate(self.pairs), axis=0)[:, 0]
        return np.unique(folded_levels[1:][folded_levels[1:] == folded_levels[:-1]])


@dataclass(slots=True)
class Survey:
    """What the blocks met so far give away."""

    evidence: Evidence = field(default_factory=Evidence)
    mapping: DealMapping | None = None
    levels: dict[str, _Levels] = field(default_factory=dict)
    forms: set[tuple[object, ...]] = field(default_factory=set)
    signs: set[tuple[str, bool]] = field(default_factory=set)

    def add(self, sheet: Sheet, mapping: DealMapping, form: tuple[object, ...]) -> None:
        """Add a block.

        Raises
        ------
        NotInBlocksError
            It is not of the form of the others.
        """
        cells, sources = meant(sheet, mapping)
        self.mapping = mapping
        self.evidence += evidence_of(cells, sources, mapping)
        amounts = next((source.column for source in sources if source.target == "amount"), None)
        currency = amount_form(cells[amounts], list(map(str, cells.columns))) if amounts else ()
        self.forms.add((form, currency))
        for item in mapping.numeric:
            if item.column in cells:
                signed = percent_signed(cells[item.column])
                bare = mask_of(as_text(cells[item.column]).notna()) & ~signed
                self.signs |= {(item.column, kind) for kind, some in ((True, signed), (False, bare)) if some.any()}
        if len(self.forms) > 1 or any((name, not kind) in self.signs for name, kind in self.signs):
            raise NotInBlocksError("its blocks differ in form")
        for name, levels in _levels_in(cells, sources, mapping).items():
            self.levels.setdefault(name, _Levels()).add(pd.Series(levels.dropna().unique(), dtype=object))

    def convention(self, sheets: Iterable[tuple[Sheet, DealMapping]]) -> Convention:
        """The conventions of the file; ``sheets`` are its blocks again, read only where a level has two spellings."""
        if self.mapping is None:
            raise NotInBlocksError("no rows")
        shared = {name: hashes for name, levels in self.levels.items() if len(hashes := levels.shared())}
        counts: dict[str, Counter[str]] = {name: Counter() for name in shared}
        for sheet, mapping in sheets if shared else ():
            found = _levels_in(*meant(sheet, mapping), mapping)
            for name, hashes in shared.items():
                words = found[name].value_counts()
                keys = np.array([folded(str(word)) for word in words.index], dtype=object)
                twins = words[np.isin(pd.util.hash_array(keys), hashes)]
                counts[name].update({str(word): int(count) for word, count in twins.items()})
        chosen = {name: most_frequent(counted) for name, counted in counts.items()}
        return replace(settle_by(self.mapping, self.evidence), spellings=chosen)


def _levels_in(cells: pd.DataFrame, sources: Collection[Source], mapping: DealMapping) -> dict[str, pd.Series]:
    """The columns of text whose levels have one spelling each, before their spelling is settled."""
    names = unified(mapping)
    read = {
        source.target: read_cells(cells[source.column], source, mapping).read
        for source in sources
        if source.target in names
    }
    return {name: as_text(cells[name]) for name in mapping.varying if name in cells} | read
