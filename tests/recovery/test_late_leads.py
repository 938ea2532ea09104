"""Late leads: of the newest deals those that end quickly have closed, the rest are open. Is their win rate still right?

On teams whose won deals take long and whose lost ones do not, the closed deals of the newest cohort look far worse than
the cohort is. Real sampling; the truth is the simulator's.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from winprob.data.history import training_rows
from winprob.model.inference import fit
from winprob.model.prediction import predict
from winprob.settings import Settings
from winprob.simulation import Pace, simulate_pipeline

SLOW_WINS = Pace(per_quarter=120, won_days=1.6, lost_days=0.6, no_decision_days=0.9)
TEAMS = range(1, 7)


def newest_cohort(seed: int) -> dict[str, float]:
    """Of the deals first read in the last 200 days: the true share won, the predicted one, and what closed ones say."""
    pipeline = simulate_pipeline(seed=seed, quarters=6, pace=SLOW_WINS)
    days = sorted({*pd.date_range(pipeline.first_day, pipeline.last_day, freq="MS").date, pipeline.last_day})
    history = pd.concat([pipeline.known_on(day) for day in days], ignore_index=True)
    rows = training_rows(history, reviews=days)
    posterior = fit(rows, seed=seed, settings=Settings().for_refits())
    first = rows.drop_duplicates("deal_id")
    newest = first[first["as_of"] >= pd.Timestamp(pipeline.last_day) - pd.Timedelta(days=200)]
    won = pipeline.deals.set_index("deal_id")["won"].loc[newest["deal_id"]]
    closed = newest["outcome"] != "open"
    return {
        "truth": won.mean(),
        "predicted": float(predict(posterior, newest)["mean"].mean()),
        "closed": (newest.loc[closed, "outcome"] == "won").mean(),
        "deals": len(newest),
    }


@pytest.mark.slow
@pytest.mark.long
def test_the_win_rate_of_the_newest_cohort_is_not_underestimated():
    cohorts = pd.DataFrame([newest_cohort(seed) for seed in TEAMS])
    error = cohorts["predicted"] - cohorts["truth"]
    luck = np.sqrt((cohorts["truth"] * (1 - cohorts["truth"]) / cohorts["deals"]).sum()) / len(cohorts)
    assert (cohorts["truth"] - cohorts["closed"]).mean() > 0.1, "the closed deals alone would have done"
    assert error.mean() > -2 * luck
    assert error.mean() < 0.08
