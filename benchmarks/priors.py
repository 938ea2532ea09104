"""Do the priors adapt? One strong number among many of noise, and win rates of a few per cent, at 300 closed deals.

- *noise*: one column of thirty-one decides (1.2 log-odds per standard deviation). Log loss on 1,000 new deals above
  that of the true probabilities, next to a lasso whose penalty is chosen by cross-validation.
- *low rate*: the mean prediction for 300 new deals over the win rate in training, and over their true probabilities.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping

import _timing as timing
import numpy as np
import pandas as pd
from _scores import log_losses
from scipy.special import expit
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import winprob
from winprob.simulation import Truth, simulate

OLD, FRESH = 300, 1000
COLUMNS, SLOPE, LEVEL = 31, 1.2, -0.3
#: Intercept of the simulated teams: 4.7 to 9.3 % of the closed deals of the first eight are won.
LOW = -3.6
EXCESS_AIM, RATIO_AIM = 0.010, 1.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=8, help="of noise, and teams of a low rate")
    parser.add_argument("--quick", action="store_true", help="one of each, to try it out")
    asked = parser.parse_args()
    count = 1 if asked.quick else asked.sets
    noise = pd.DataFrame([of_noise(seed) for seed in range(count)])
    low = pd.DataFrame([of_low_rate(100 + seed) for seed in range(count)])
    print(timing.markdown(("noise", "winprob", "lasso"), [_row(seed, row) for seed, row in noise.iterrows()]))
    print()
    print(timing.markdown(("team", *low.columns), [_row(seed, row) for seed, row in low.iterrows()]))
    ratio, excess = low["predicted"].mean() / low["training rate"].mean(), noise["winprob"].mean()
    figures = [
        timing.Figure(quantity="noise: log loss above the true probabilities'", got=excess, aim=EXCESS_AIM),
        timing.Figure(quantity="the lasso's", got=noise["lasso"].mean(), aim=None),
        timing.Figure(quantity="low rate: predicted over the training rate", got=ratio, aim=RATIO_AIM),
        timing.Figure(quantity="over the truth", got=low["predicted"].mean() / low["true"].mean(), aim=None),
    ]
    print()
    print(timing.figures_table(figures))
    timing.save("priors", figures, sets=count)


def _row(seed: object, row: pd.Series) -> tuple[str, ...]:
    return str(seed), *(f"{value:.4f}" for value in row)


def of_noise(seed: int) -> Mapping[str, float]:
    """Log loss of winprob and of a lasso above that of the truth."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(OLD + FRESH, COLUMNS))
    truth = expit(LEVEL + SLOPE * numbers[:, 0])
    won = rng.random(len(truth)) < truth
    deals = pd.DataFrame(numbers, columns=[f"number {at}" for at in range(COLUMNS)])
    deals.insert(0, "deal_id", [f"D{at}" for at in range(len(deals))])
    deals["outcome"] = np.where(won, "won", "lost")
    named = [{"column": name, "transform": None} for name in deals.columns[1:-1]]
    deals.attrs["covariates"] = {"varying": [], "numeric": named}
    posterior = winprob.fit(deals.iloc[:OLD], seed=1)
    ours = winprob.predict(posterior, deals.iloc[OLD:])["mean"].to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = LogisticRegressionCV(Cs=20, penalty="l1", solver="liblinear", scoring="neg_log_loss", cv=5)
        lasso = make_pipeline(StandardScaler(), search).fit(numbers[:OLD], won[:OLD])
    theirs = lasso.predict_proba(numbers[OLD:])[:, 1]
    least = log_losses(won[OLD:], truth[OLD:]).mean()
    return {
        name: log_losses(won[OLD:], chance).mean() - least for name, chance in (("winprob", ours), ("lasso", theirs))
    }


def of_low_rate(seed: int) -> Mapping[str, float]:
    """Mean prediction for new deals of a team that seldom wins, the rate it was trained on, and the truth."""
    team = simulate(OLD, OLD, seed=seed, truth=Truth(intercept=LOW))
    posterior = winprob.fit(team.closed, seed=1)
    return {
        "training rate": float((team.closed["outcome"] == "won").mean()),
        "predicted": float(winprob.predict(posterior, team.open)["mean"].mean()),
        "true": float(expit(team.latent_open.logit_win_prob).mean()),
    }


if __name__ == "__main__":
    main()
