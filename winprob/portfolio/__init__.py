"""What will the quarter bring?"""

from winprob.portfolio.results import LINES, STEPS, Bridge, Forecast

__all__ = ["LINES", "STEPS", "Bridge", "Forecast"]
