"""What a fit will cost, before it begins: rows, parameters and a rough time at a measured rate."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from winprob.i18n import gettext
from winprob.model.inference.training_data import read_training
from winprob.model.win.blocks import TERMS
from winprob.settings import Settings

#: From this number of rows on, a fit takes half a minute and more, and the command reports it first.
LARGE = 10_000
#: Rows, and the seconds of a thousand steps of the sampler on two cores: half the CPU seconds of whole fits
#: (``benchmarks/growth.py``, decision 039).
_MEASURED = ((300, 1.5), (3_000, 4.3), (10_000, 10.4), (30_000, 37.0))


def cost_sentences(deals: pd.DataFrame, settings: Settings, *, one_outcome: bool = False) -> Iterator[str]:
    """A sentence on what `fit` will cost, for a large training table; none for a small one.

    Raises
    ------
    DealTableError
        The table cannot train a model.
    """
    if len(deals) < LARGE:
        return
    training = read_training(deals, settings, one_outcome=one_outcome)
    rows = len(training.closed)
    if rows < LARGE:
        return
    layout = training.scaling.layout
    yield gettext(
        "A large training table: {rows} rows and {parameters} parameters, about {minutes} minutes of sampling at the "
        "rate measured on two cores. To take less, lower sampler.most_deals with --settings.",
        rows=rows,
        parameters=sum(block.length(layout) for term in TERMS for block in term.blocks),
        minutes=max(round(rough_seconds(rows, settings) / 60), 1),
    )


def rough_seconds(rows: int, settings: Settings) -> float:
    """Seconds of sampling: interpolated between the measured sizes, and beyond them by the last slope; log-log."""
    sizes, seconds = np.log(np.array(_MEASURED)).T
    at = np.log(rows)
    slope = (seconds[-1] - seconds[-2]) / (sizes[-1] - sizes[-2])
    beyond = max(at - sizes[-1], 0.0) * slope
    sampler = settings.sampler
    steps = sampler.chains * (sampler.tune + sampler.draws)
    return float(np.exp(np.interp(at, sizes, seconds) + beyond) * steps / 1000)
