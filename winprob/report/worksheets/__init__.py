"""Worksheets of the method for open deals: a guided workbook and a self-contained form, with what the record knows."""

from winprob.report.worksheets.writing import write_worksheets

__all__ = ["write_worksheets"]
