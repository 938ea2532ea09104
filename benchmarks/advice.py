"""Advice: how many deals of the sample get a first step of their own, and which lever is first how often.

Counted over the open deals of the embedded sample with a model trained on its closed deals: the first steps on the
visit sheets that differ, also without names and days; the first levers; and whom to ask the best question.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import _timing as timing
import pandas as pd

import winprob
from winprob.actions.questions import name_sources
from winprob.data.tables import read_people_table

DATA = Path(__file__).parents[1] / "data"
#: Names of the sample and days.
NAMES = re.compile(r"P\d+|\d{4}-\d\d-\d\d")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="a trained model; by default one is trained")
    parser.add_argument("--deals", type=int, default=25, help="open deals whose sheets are read")
    asked = parser.parse_args()
    people = DATA / "people.csv"
    deals = winprob.read_deals(DATA / "open.csv", people=people)
    posterior = trained(people) if asked.model is None else winprob.Posterior.load(asked.model)
    steps = first_steps(posterior, deals, people, asked.deals)
    levers = winprob.rank_levers(posterior, deals).query("rank == 1")["role"].value_counts()
    questions = winprob.rank_unknowns(posterior, deals).query("rank == 1")
    sources = name_sources(questions, deals, read_people_table(people))["ask"]
    rows = [
        ("first steps that differ", f"{len(set(steps))} of {len(steps)}"),
        ("without names and days", f"{len({NAMES.sub('', step) for step in steps})} of {len(steps)}"),
        ("first levers", ", ".join(f"{name} {count}" for name, count in levers.items())),
        ("whom to ask the best question, different answers", f"{sources.nunique()} of {len(sources)}"),
    ]
    print(timing.markdown(("what", "figure"), rows))
    timing.save("advice", [], rows=dict(rows))


def trained(people: Path) -> winprob.Posterior:
    """A model of the sample's closed deals."""
    return winprob.fit(winprob.read_deals(DATA / "closed.csv", people=people), seed=1)


def first_steps(posterior: winprob.Posterior, deals: pd.DataFrame, people: Path, count: int) -> list[str]:
    """The first steps on the sheets of the first deals."""
    sheets = [winprob.render_brief(posterior, deals, deal, people=people) for deal in deals["deal_id"].head(count)]
    return [next(line for line in sheet.splitlines() if line.startswith("- **First:**")) for sheet in sheets]


if __name__ == "__main__":
    main()
