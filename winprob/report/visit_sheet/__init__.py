"""The visit sheet: one page for one visit."""

from winprob.report.visit_sheet.page import render_brief

__all__ = ["render_brief"]
