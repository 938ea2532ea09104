"""Read the first sheet of an XLSX workbook that holds cells."""

import io
import zipfile

import numpy as np
import pandas as pd

from winprob.data.schema import cell_text
from winprob.data.tables.sheet import Sheet, build_sheet, empty_file, refuse_wide
from winprob.errors import InputError
from winprob.i18n import gettext

_MAX_UNPACKED = 2 * 1024**3


def parse_xlsx(data: bytes, name: str) -> Sheet:
    # Imported here: only reading a workbook needs it.
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            unpacked = sum(item.file_size for item in packed.infolist())
        if unpacked > _MAX_UNPACKED:
            raise InputError(
                gettext(
                    "{name} unpacks to more than 2 GB, too large for a deal table. Export fewer columns or rows.",
                    name=name,
                )
            )
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        pages = [book.get_sheet_by_name(page) for page in book.sheet_names]
        page = next((page for page in pages if page.total_height > 0), None)
        grid = page.to_python(skip_empty_area=True) if page else []
        top = page.start[0] if page and page.start else 0
    except (CalamineError, zipfile.BadZipFile, NotImplementedError, KeyError, EOFError) as fault:
        raise InputError(
            gettext(
                "{name} cannot be read as an XLSX workbook: damaged or cut short ({fault}). Save it again.",
                name=name,
                fault=fault,
            )
        ) from None
    if not grid:
        raise empty_file(name)
    refuse_wide(len(grid[0]), name)
    headers = [cell_text(header) for header in grid[0]]
    columns = {str(index): [cell_text(row[index]) for row in grid[1:]] for index in range(len(headers))}
    cells = pd.DataFrame(columns, dtype="str")
    return build_sheet(name, headers, cells, np.arange(top + 2, top + 2 + len(cells)), kind="xlsx")
