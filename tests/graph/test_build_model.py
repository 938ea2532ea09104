"""The public PyMC model: the data of a fit, named coords, and the example of the guide."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytensor
import pytest
from pytensor.compile.mode import Mode

import winprob
from winprob.model.inference import read_training
from winprob.model.win.blocks import DIMS, block_slices, coords
from winprob.model.win.graph import STANDARD, model_data
from winprob.settings import Settings

PYTHON = Mode(linker="py", optimizer=None)
GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "extending-the-model.md"


@pytest.fixture(scope="module")
def deals(team) -> pd.DataFrame:
    return team.closed.head(80)


@pytest.fixture(scope="module")
def model(deals):
    return winprob.build_model(deals)


def test_the_public_model_has_the_data_of_a_fit(deals, model):
    training = read_training(deals, Settings())
    wanted = model_data(layout=training.scaling.layout, priors=Settings().priors.with_deals(), **training.evidence())
    for name, values in wanted.items():
        np.testing.assert_array_equal(model[name].get_value(), values, err_msg=name)


def test_stages_tell_more_apart_where_deals_are_read_often(deals):
    again = deals.assign(as_of=deals["as_of"] - pd.Timedelta(days=30))
    priors = Settings().priors
    for table, wanted in ((deals, priors.stage_step), (pd.concat([deals, again]), priors.stage_step_of_readings)):
        steps = block_slices("half_normal", read_training(table, Settings()).scaling.layout)["stage_step"]
        sds = winprob.build_model(table)["half_normal_sd"].get_value()
        np.testing.assert_array_equal(sds[steps], wanted)


def test_the_public_model_labels_its_dims(deals, model):
    labels = coords(read_training(deals, Settings()).scaling)
    for name, dims in DIMS.items():
        assert model.named_vars_to_dims.get(name, ()) == dims
        assert [tuple(map(str, model.coords[dim])) for dim in dims] == [labels[dim] for dim in dims]


def test_an_added_term_moves_the_log_odds_of_its_deals_only(deals, model):
    def first_deal(model, rows):
        return np.where(rows["deal_id"] == deals["deal_id"].iloc[0], 2.0, 0.0)

    logits = []
    for one in (model, winprob.build_model(deals, add=first_deal)):
        evaluate = pytensor.function([one[name] for name in STANDARD], one["logit_win_prob"], mode=PYTHON)
        logits.append(evaluate(*(np.full(one[name].shape.eval(), 0.5) for name in STANDARD)))
    apart = logits[1] - logits[0]
    assert 0 < apart[0] <= 2
    np.testing.assert_array_equal(apart[1:], 0)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_the_example_of_the_guide_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    exec(compile(code, str(GUIDE), "exec"), {})
    curvature, weight = map(float, capsys.readouterr().out.split()[-2:])
    assert abs(curvature) < 1
    assert weight > 0
