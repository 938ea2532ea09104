"""``monotone`` of a numeric covariate in a mapping: its effect never turns, in the model's curve and in its trees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from winprob import effects, fit, predict, read_deals
from winprob.data.schema import validate_deals
from winprob.data.tables.mapping import read_mapping
from winprob.errors import MappingError
from winprob.model.features import describe, learn_scaling, numeric_values
from winprob.model.inference.training_data import training_from
from winprob.model.posterior import Posterior
from winprob.settings import GateSettings, SamplerSettings, Settings

DEALS = 900
SETTINGS = Settings(
    sampler=SamplerSettings(draws=200, tune=200, chains=2, retry_draws=1500, thin=1, prior_draws=100),
    gates=GateSettings(r_hat=1.05, bulk_ess=60, tail_ess=60, divergent_share=0.02),
)


def mapping(monotone: str | None = "increasing") -> dict[str, Any]:
    number = {"column": "Age", **({"monotone": monotone} if monotone else {})}
    columns = {"deal_id": "Id", "outcome": "Status"}
    return {"columns": columns, "covariates": {"varying": ["Kind", "Land"], "numeric": [number, "Size"]}}


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Deals that are won at middle ages, the more so the larger; categories matter together, and Size goes with Age."""
    rng = np.random.default_rng(3)
    age, kind, land = rng.uniform(0, 100, DEALS), rng.integers(0, 3, DEALS), rng.integers(0, 3, DEALS)
    size = age / 50 + rng.normal(0, 0.5, DEALS)
    log_odds = 2 - ((age - 60) / 25) ** 2 + np.where((kind + land) % 2, 1.5, -1.5) + 0.8 * size
    won = rng.random(DEALS) < 1 / (1 + np.exp(-log_odds))
    frame = pd.DataFrame(
        {
            "Id": [f"D{at}" for at in range(DEALS)],
            "Status": np.where(won, "won", "lost"),
            "Age": np.where(rng.random(DEALS) < 0.1, np.nan, age),
            "Size": size,
            "Kind": np.array(list("abc"))[kind],
            "Land": np.array(list("xyz"))[land],
        }
    )
    path = tmp_path_factory.mktemp("monotone") / "export.csv"
    frame.to_csv(path, index=False)
    return path


def curve(posterior: Posterior) -> np.ndarray:
    """The mean effect of Age by bin, in order, without its blank."""
    table = effects(posterior)
    bins = table[(table["term"] == "Age") & table[["from", "to"]].notna().any(axis=1)]
    return bins["mean"].to_numpy()


def test_a_mapping_hands_it_to_the_model(export):
    deals = read_deals(export, mapping("decreasing"))
    assert deals.attrs["covariates"]["numeric"] == [
        {"column": "Age", "transform": None, "monotone": "decreasing"},
        {"column": "Size", "transform": None},
    ]
    numeric = learn_scaling(validate_deals(deals), Settings()).numeric
    assert {column.name: column.bins.direction for column in numeric if column.bins} == {"Age": -1, "Size": 0}


def test_no_is_the_default(export):
    plain, no = (read_deals(export, mapping(word)).attrs["covariates"] for word in (None, "no"))
    assert plain == no
    assert "monotone" not in plain["numeric"][0]


def test_an_unknown_word_is_refused_with_the_accepted_ones(export):
    with pytest.raises(MappingError, match=r"monotone' is 'up'; accepted: no, increasing, decreasing"):
        read_deals(export, mapping("up"))
    with pytest.raises(MappingError, match=r"monotone' is 'rising'; did you mean 'increasing'\?"):
        read_deals(export, mapping("rising"))
    assert read_mapping(mapping())[1] == []


@pytest.mark.parametrize(("word", "direction"), [("increasing", 1), ("decreasing", -1)])
def test_the_trees_never_turn_either(export, word, direction):
    deals = validate_deals(read_deals(export, mapping(word)))
    scaling = training_from(deals, Settings(), seed=1, waiting_odds=None).scaling
    companion = scaling.companion
    assert companion is not None
    grid = deals.iloc[:20].loc[np.repeat(deals.index[:20], 60)].assign(Age=np.tile(np.linspace(-5, 105, 60), 20))
    features, numbers = describe(grid, scaling), numeric_values(grid, scaling.numeric)
    log_odds = companion.log_odds(companion.inputs(features.level, numbers)).reshape(20, 60, -1)
    assert (direction * np.diff(log_odds, axis=1) >= 0).all()
    assert np.ptp(log_odds, axis=1).max() > 0.1
    place = [column.name for column in scaling.curves].index("Age")
    own = scaling.layout.curves.column_of_bin == place
    additive = companion.additive[len(companion.category) :][own][:-1]
    assert (direction * np.diff(additive) >= 0).all()
    # What the model adds up is the trees' log-odds, however they are divided.
    whole = features.companion + companion.single(features.level, features.bin)[:, None]
    np.testing.assert_allclose(whole, companion.log_odds(companion.inputs(features.level, numbers)), atol=1e-5)


@pytest.fixture(scope="module")
def increasing(export: Path) -> Posterior:
    return fit(read_deals(export, mapping("increasing")), seed=1, settings=SETTINGS)


@pytest.mark.slow
def test_an_increasing_effect_never_falls_where_the_free_one_does(export, increasing):
    assert increasing.scaling.companion is not None
    assert (np.diff(curve(increasing)) >= 0).all()
    assert np.ptp(curve(increasing)) > 0.5
    free = fit(read_deals(export, mapping(None)), seed=1, settings=SETTINGS)
    assert np.diff(curve(free)).min() < -0.2


@pytest.mark.slow
def test_a_prediction_never_falls_with_the_number(export, increasing):
    deals = read_deals(export, mapping("increasing")).head(10)
    ages = np.linspace(0, 100, 40)
    grid = deals.loc[np.repeat(deals.index, 40)].assign(Age=np.tile(ages, 10), outcome="open")
    grid = grid.assign(deal_id=[f"G{at}" for at in range(len(grid))])
    grid.attrs = deals.attrs
    chances = predict(increasing, grid)["mean"].to_numpy().reshape(10, 40)
    assert (np.diff(chances, axis=1) >= -1e-6).all()
