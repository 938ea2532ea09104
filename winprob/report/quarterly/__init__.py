"""What does a quarterly review look at? One self-contained page, the number first."""

from winprob.report.quarterly.page import render_review

__all__ = ["render_review"]
