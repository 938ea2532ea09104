"""``winprob retrain`` killed at 50 moments from reading to promotion, and two at once; nothing is fitted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from winprob import Registry
from winprob.simulation import simulate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]
ROOT = Path(__file__).parents[2]

#: A process that forks retrains: everything is imported once, and a fit gives the prior.
HEAD = """
import json, os, random, shutil, signal, sys, time
from dataclasses import replace
from winprob.report import card, retraining as pages
from winprob import Registry, fit_prior
from winprob.cli import main
from winprob.model import inference
from winprob.retrain import candidate
from winprob.settings import settings_from
place = sys.argv[1]
prior = fit_prior(seed=1, settings=settings_from({"sampler": {"chains": 2, "draws": 50, "thin": 1}}))
inference.fit = lambda deals, *, seed, settings, **more: replace(prior, settings=settings)
# Pages have tests of their own, and take seconds.
card.render_card = lambda *_, **__: "<html></html>"
pages.render_retraining = lambda _: "<html></html>"
# Of the same deals every run judges alike: computed once, in this process.
computed, judged = {}, candidate.run_retraining
def remembered(deals, current, **how):
    if (len(deals), current is None) not in computed:
        computed[len(deals), current is None] = judged(deals, current, **how)
    return computed[len(deals), current is None]
candidate.run_retraining = remembered
CALLS = ("mkdir", "fsync", "rename", "replace", "open", "rmdir", "unlink")
def retrain(deals, registry, deadly=0, counted=None):
    child = os.fork()
    if child:
        return child
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    left = [deadly]
    def wrap(name, real):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)
        setattr(os, name, call)
    for name in CALLS:
        wrap(name, getattr(os, name))
    code = 1
    try:
        main(["retrain", f"{place}/{deals}.csv", "--registry", registry, "--promote", "auto"])
    except SystemExit as end:
        code = end.code or 0
    if counted:
        open(counted, "w").write(str(-left[0]))
    os._exit(code)
def wait(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
def fresh(name):
    shutil.copytree(f"{place}/registry", f"{place}/{name}")
    return f"{place}/{name}"
# In this process, so that its children need not import anything.
for deals, registry in (("before", "registry"), ("before", "spent"), ("now", "spent")):
    try:
        main(["retrain", f"{place}/{deals}.csv", "--registry", f"{place}/{registry}", "--promote", "auto"])
    except SystemExit as end:
        assert end.code in (0, None, 3), end.code
"""
KILLS = """
random.seed(20261128)
start = time.monotonic()
assert wait(retrain("now", fresh("whole"), counted=f"{place}/calls")) == 0
whole, calls = time.monotonic() - start, int(open(f"{place}/calls").read())
states = {"killed": 0, "unfinished": 0, "added": 0, "promoted": 0}
for kill in range(50):
    folder = fresh(f"kill{kill}")
    # Two in five just before a call to the disk, most of which write to the registry.
    if kill % 5 < 2:
        child = retrain("now", folder, deadly=calls - int(random.random() ** 2 * calls))
    else:
        child = retrain("now", folder)
        time.sleep(random.random() * whole)
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            pass
    states["killed"] += wait(child) == -signal.SIGKILL
    registry = Registry(folder)
    assert registry.current().read("model.nc")
    assert all(entry.read("model.nc") for entry in registry.entries())
    faults = registry.verify()
    assert all("left unfinished by a killed run" in fault for fault in faults), faults
    states["unfinished"] += bool(faults)
    states["added"] += len(registry.entries()) == 2
    states["promoted"] += registry.current().number == 2
    if kill % 10 == 9:
        assert wait(retrain("now", folder)) == 0
    else:
        registry.promote(registry.add({"model.nc": b"next"}).number)
    assert registry.verify() == [], registry.verify()
    assert not [name for name in os.listdir(folder) if name.startswith(".winprob")]
print(json.dumps(states))
"""
TWO = """
folder = fresh("two")
children = [retrain("now", folder) for _ in range(2)]
print(json.dumps([wait(child) for child in children]))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An export, and the same a quarter earlier."""
    place = tmp_path
    team = simulate(150, 5, seed=12)
    deals = pd.concat([team.closed, team.open], ignore_index=True)
    deals.to_csv(place / "now.csv", index=False)
    day = team.closed["closed_on"].sort_values().iloc[-61]
    before = deals[~(deals["as_of"] > day)]
    later = before["closed_on"] > day
    before = before.assign(outcome=before["outcome"].mask(later, "open"), closed_on=before["closed_on"].mask(later))
    before.to_csv(place / "before.csv", index=False)
    return place


def run(program: str, place: Path) -> object:
    command = [sys.executable, "-c", HEAD + program, str(place)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_retrain_killed_at_fifty_moments_leaves_a_valid_current_model_and_the_next_run_works(place):
    states = run(KILLS, place)
    assert states["killed"] > 30
    assert states["unfinished"] > 0
    assert 0 < states["promoted"] <= states["added"] < 50


def test_of_two_retrains_at_once_one_promotes_and_the_other_is_refused(place):
    assert sorted(run(TWO, place)) in ([0, 1], [0, 3])
    registry = Registry(place / "two")
    assert registry.verify() == []
    assert [line.verb for line in registry.log()].count("promote") == 2
    assert registry.current().number in (2, 3)
