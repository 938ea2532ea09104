"""The findings of a file's blocks as those of the whole file: rows and money added up, the first deal of the first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from winprob.arrays import Array
from winprob.data.schema import Finding, Mask
from winprob.data.tables.pieces import NotInBlocksError
from winprob.i18n import Recorded

_ADDED, _OF_FIRST = ("rows", "money"), ("row", "deal", "got")


@dataclass(slots=True, kw_only=True)
class _Joined:
    """A finding as far as it was met; ``form`` is its sentence without the values."""

    finding: Finding
    form: str
    fields: dict[str, Any]
    blocks: int = 1

    def add(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if name in _ADDED:
                self.fields[name] = self.fields[name] + value
            elif name not in _OF_FIRST and value != self.fields[name]:
                raise NotInBlocksError("a finding on the whole file")
        self.blocks += 1


@dataclass(slots=True)
class Warnings:
    """The warnings on the blocks met so far, in the order in which those of the whole file are made."""

    joined: list[_Joined] = field(default_factory=list)
    blocks: int = 0

    def add(self, findings: Iterable[Finding], sentences: Recorded) -> None:
        """Add the findings of a block.

        Raises
        ------
        NotInBlocksError
            One is an error, or has values that do not add up.
        """
        self.blocks += 1
        after = 0
        for finding in findings:
            if finding.severity == "error":
                raise NotInBlocksError("a row is refused")
            if finding.severity == "note":
                continue
            if finding.message not in sentences:
                raise NotInBlocksError("a finding of several sentences")
            form, values = sentences[finding.message]
            key = (finding.column, form, values.get("column"), values.get("what"))
            place = next((at for at, each in enumerate(self.joined) if _key(each) == key), None)
            if place is None:
                self.joined.insert(after, _Joined(finding=finding, form=form, fields=dict(values)))
                place = after
            else:
                self.joined[place].add(values)
            after = place + 1

    def of_whole(self) -> list[Finding]:
        """The warnings of the whole file.

        Raises
        ------
        NotInBlocksError
            Only some blocks have amounts of an unnamed currency.
        """
        if any("sign" in each.fields and each.blocks < self.blocks for each in self.joined):
            raise NotInBlocksError("amounts of an unnamed currency, and others")
        return [
            replace(each.finding, rows=each.fields.get("rows", 0), message=each.form.format(**each.fields))
            for each in self.joined
        ]


def _key(joined: _Joined) -> tuple[object, ...]:
    return joined.finding.column, joined.form, joined.fields.get("column"), joined.fields.get("what")


@dataclass(slots=True)
class Seen:
    """The rows met so far, by hash: in order, for a repeated one to be found."""

    hashes: Array = field(default_factory=lambda: np.empty(0, dtype=np.uint64))

    def add(self, rows: pd.DataFrame) -> Mask:
        """(row,) whether a row was met before, in another block or above."""
        new: Array = pd.util.hash_pandas_object(rows, index=False).to_numpy()
        found = np.searchsorted(self.hashes, new)
        known = found < len(self.hashes)
        known[known] = self.hashes[found[known]] == new[known]
        self.hashes = np.concatenate([self.hashes, new[~known]])
        self.hashes.sort(kind="stable")
        repeated: Mask = known | pd.Series(new).duplicated().to_numpy()
        return repeated
