"""Which CRM an export comes from, by its headers."""

from pathlib import Path

from winprob.data.schema import COLUMNS, ID
from winprob.data.tables.presets.preset_files import PRESETS, Preset, read_preset
from winprob.data.tables.presets.spellings import find_header, known_header
from winprob.data.tables.sheets.files import parse_sheet, read_bytes
from winprob.methodology import canonical_column


def detect_preset(path: str | Path, *, encoding: str | None = None) -> str | None:
    """The preset that knows most headers of an export; None where the canonical names and their aliases know as many.

    A preset that finds no id does not count.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    presets = {name: read_preset(name) for name in PRESETS}
    known = {name: known_header(preset) for name, preset in presets.items()}

    def is_known(header: str) -> bool:
        return _is_canonical(header) or any(knows(header) for knows in known.values())

    sheet = parse_sheet(read_bytes(path), str(path), encoding=encoding, known=is_known)
    headers = list(map(str, sheet.cells.columns))
    # Of two presets that find as many columns, the one that knows more of the headers.
    scores = {
        name: (_columns_found(preset, headers), sum(map(known[name], headers)))
        for name, preset in presets.items()
        if find_header(preset.columns[ID]["column"], headers) is not None
    }
    own = len({canonical_column(header) for header in headers if _is_canonical(header)})
    best = max(scores, key=lambda name: scores[name], default=None)
    if best is None or scores[best][0] <= own:
        return None
    return best


def _columns_found(preset: Preset, headers: list[str]) -> int:
    return sum(find_header(given["column"], headers) is not None for given in preset.columns.values())


def _is_canonical(header: str) -> bool:
    return canonical_column(header) in COLUMNS
