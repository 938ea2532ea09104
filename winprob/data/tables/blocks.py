"""Read a large deal table block by block, in bounded memory, with the same deals and warnings as `read_deals`.

How a cell reads may depend on the whole file: 03/04 is in April where another row has 13/04. So a first pass adds up
what the blocks give away about the conventions of the file, and a second one reads each block by these. Where a block
would still be read otherwise than in the whole, or any row is refused, `NotInBlocksError` sends the caller to the
reading in memory, whose messages count the rows of the whole file.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from winprob.data.schema import ID, Finding, check_deals, validate_deals
from winprob.data.tables.block_findings import Seen, Warnings
from winprob.data.tables.block_sheets import block_of
from winprob.data.tables.block_survey import Survey
from winprob.data.tables.databases.queries import table_file
from winprob.data.tables.mapping import read_mapping
from winprob.data.tables.pieces import NotInBlocksError, is_parquet, pieces
from winprob.data.tables.plan import Plan, plan_of
from winprob.data.tables.reading import log_warning
from winprob.data.tables.sheets.files import MappingSource
from winprob.data.tables.sheets.sheet import Sheet
from winprob.data.tables.values.conventions import Convention
from winprob.errors import WinprobError
from winprob.i18n import recorded

__all__ = ["NotInBlocksError", "deal_blocks", "is_large"]

#: Files above these sizes are worth two passes.
_LARGE_TEXT, _LARGE_PARQUET = 16 * 1024**2, 2 * 1024**2


def is_large(path: str | Path) -> bool:
    """Whether a path is a plain file of CSV or Parquet that is too large to be read at once without need."""
    path = table_file(path)
    try:
        return path.is_file() and path.stat().st_size > (_LARGE_PARQUET if is_parquet(path) else _LARGE_TEXT)
    except OSError:
        return False


def deal_blocks(
    path: str | Path,
    mapping: MappingSource | None = None,
    *,
    encoding: str | None = None,
    rows: int = 8_192,
    size: int = 2 * 1024**2,
    quiet: bool = False,
) -> Iterator[pd.DataFrame]:
    """The deals of `read_deals` in order, ``rows`` at a time; its warnings are logged after the last.

    Parameters
    ----------
    rows : deals of each frame but the last
    size : characters of a CSV file, or rows / 256 of a Parquet file, that are read at a time
    quiet : log no warnings, for a pass before the one whose deals are used

    Raises
    ------
    NotInBlocksError
        The file must be read in memory: something in it is wrong, or depends on all rows together. Raised at any time.
    """
    try:
        understood, faults = read_mapping(mapping)
        if faults:
            raise NotInBlocksError("the mapping is wrong in itself")
        file = _File(path=table_file(path), plan=plan_of(understood, faults), encoding=encoding, size=size)
        yield from _even(_read_blocks(file, quiet=quiet), rows)
    except (WinprobError, OSError, ValueError, LookupError, pa.ArrowException, csv.Error) as fault:
        raise NotInBlocksError(str(fault)) from fault


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file and how it is read."""

    path: Path
    plan: Plan
    encoding: str | None
    size: int

    def sheets(self) -> Iterator[tuple[Sheet, tuple[object, ...]]]:
        """The records of the file, block by block, and the form of each block."""
        start = 0
        for piece in pieces(self.path, self.plan, self.encoding, self.size):
            block = block_of(piece, self.plan, str(self.path), start)
            start += len(block.sheet.cells)
            # Below the last record a worksheet may have any number of blank rows.
            if len(block.sheet.cells):
                yield block.sheet, block.form

    def convention(self) -> Convention:
        survey = Survey()
        for sheet, form in self.sheets():
            survey.add(*self.plan.fit(sheet), form)
        return survey.convention(self.plan.fit(sheet) for sheet, _ in self.sheets())


def _read_blocks(file: _File, *, quiet: bool) -> Iterator[pd.DataFrame]:
    convention = file.convention()
    warnings, ids = Warnings(), Seen()
    left_out: list[Finding] = []
    for sheet, _ in file.sheets():
        with recorded() as sentences:
            _, _, reading = file.plan.read(sheet, convention)
            findings = [*reading.findings, *check_deals(reading.deals, remarks=False)]
        warnings.add(findings, sentences)
        left_out += [finding for finding in sheet.notes if finding.rows]
        deals = validate_deals(reading.deals)
        if ids.add(deals[[name for name in (ID, "as_of") if name in deals]]).any():
            raise NotInBlocksError("an id may be repeated")
        yield deals
    if len(left_out) > 1 and any(finding.severity == "warning" for finding in left_out):
        raise NotInBlocksError("amounts are left out, and rows elsewhere")
    lost = [finding for finding in left_out if finding.severity == "warning"]
    for finding in () if quiet else (*lost, *warnings.of_whole()):
        log_warning(finding.column, finding.message)


# ---- frames of one size --------------------------------------------------------------------------------------------


def _even(frames: Iterator[pd.DataFrame], rows: int) -> Iterator[pd.DataFrame]:
    """The same deals in frames of ``rows`` rows; the last may be shorter."""
    waiting: list[pd.DataFrame] = []
    for frame in frames:
        waiting.append(frame)
        while sum(map(len, waiting)) >= rows:
            together = _joined(waiting)
            yield _renumbered(together.iloc[:rows], frame)
            waiting = [_renumbered(together.iloc[rows:], frame)]
    rest = _joined(waiting)
    if len(rest):
        yield rest


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    if len(frames) == 1:
        return frames[0]
    filled = [frame for frame in frames if len(frame)]
    return _renumbered(pd.concat(filled, ignore_index=True), filled[0])


def _renumbered(frame: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    frame = frame.reset_index(drop=True)
    frame.attrs = like.attrs
    return frame
