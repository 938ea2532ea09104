"""How the cells of a file become deals: by its preset, its mapping or its headers; a whole sheet, or a block of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from winprob.data.tables import presets
from winprob.data.tables.deal_notes import Reading
from winprob.data.tables.deals import located, looked_for, read_sheet
from winprob.data.tables.mapping import DealMapping
from winprob.data.tables.presets import Preset, read_preset
from winprob.data.tables.rows import settle_rows
from winprob.data.tables.sheets.sheet import Sheet
from winprob.data.tables.values.conventions import Convention
from winprob.data.tables.values.spelling import misspelt


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A mapping with its faults, and the preset that it names; ``known`` are the headers that either looks for."""

    mapping: DealMapping
    faults: list[str]
    preset: Preset | None
    known: Callable[[str], bool]

    def locate(self, headers: list[str]) -> Mapping[str, str]:
        """The header of each canonical column: by the mapping, else by the preset."""
        return located(self.mapping, headers) | self._by_preset(headers)

    def fit(self, sheet: Sheet) -> tuple[Sheet, DealMapping]:
        """The sheet and the mapping that `read_sheet` takes, both as the preset prepares them."""
        if self.preset is None:
            return sheet, self.mapping
        fitted = presets.fit_preset(self.preset, sheet, self.mapping.own)
        return fitted.sheet, fitted.mapping

    def read(self, sheet: Sheet, convention: Convention | None = None) -> tuple[Sheet, DealMapping, Reading]:
        """The deals on a sheet, one row each; the user's own mapping takes precedence over the preset.

        Parameters
        ----------
        convention : Convention or None
            That of the whole file, where ``sheet`` is a block of it.
        """
        mapping = self.mapping
        if self.preset is None:
            reading = read_sheet(sheet, mapping, self.faults, convention=convention)
        else:
            fitted = presets.fit_preset(self.preset, sheet, mapping.own)
            reading = read_sheet(fitted.sheet, fitted.mapping, fitted.faults, convention=convention)
            reading.deals = presets.settle(reading.deals, fitted)
            reading.findings += [*fitted.notes, *presets.stage_notes(fitted, reading.deals)]
            reading.findings += misspelt(*presets.left_headers(self.preset, fitted))
            sheet, mapping = fitted.sheet, fitted.mapping
        settle_rows(reading, sheet, mapping.rows)
        return sheet, mapping, reading

    def _by_preset(self, headers: list[str]) -> dict[str, str]:
        """The header of each canonical column by the preset, where the mapping does not name one."""
        if self.preset is None:
            return {}
        own = {source.target for source in self.mapping.sources if source.column or source.row_number}
        found = {
            target: presets.find_header(given["column"], headers)
            for target, given in self.preset.columns.items()
            if target not in own
        }
        return {target: header for target, header in found.items() if header is not None}


def plan_of(mapping: DealMapping, faults: list[str]) -> Plan:
    """How a file with this mapping is read."""
    if mapping.preset is None:
        return Plan(mapping=mapping, faults=faults, preset=None, known=looked_for(mapping))
    preset, named = read_preset(mapping.preset), mapping.columns
    of_preset = presets.known_header(preset)
    return Plan(
        mapping=mapping, faults=faults, preset=preset, known=lambda header: header in named or of_preset(header)
    )
