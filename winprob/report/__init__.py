"""What do we show? One self-contained HTML page for a sales leader who has never seen it."""

from winprob.report.page import render_page

__all__ = ["render_page"]
