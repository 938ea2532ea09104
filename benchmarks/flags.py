"""Red flags: the share of open deals with each, and the win rate of closed deals with and without it.

On the embedded sample, on teams of ``winprob.simulate``, and on teams of the independent world through time. Each
closed deal is judged by its last reading before the close, as of that reading's day, as if it were open. Nothing is
tuned on the result: the rules are the method's.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import _timing as timing
import numpy as np
import pandas as pd

import winprob
from winprob.actions.flags import flags_of
from winprob.actions.flags.answers import AGAINST_ANSWERS
from winprob.data.schema import validate_deals
from winprob.methodology import plays
from winprob.settings import FlagSettings

DATA = Path(__file__).parents[1] / "data"
#: Half the width of a 90 % interval in standard errors.
WIDTH = 1.645
LEAST = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teams", type=int, default=40, help="of winprob.simulate; a tenth as many of the world")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="four teams, to try it out")
    asked = parser.parse_args()
    teams = 4 if asked.quick else asked.teams
    seeds = range(asked.seed, asked.seed + teams)
    worlds = seeds[: max(teams // 10, 2)]
    sources = {
        "the sample": [sample()],
        f"{teams} simulated teams": [simulated(seed) for seed in seeds],
        f"{len(worlds)} teams of the independent world": [of_world(seed) for seed in worlds],
    }
    tables = {}
    for name, parts in sources.items():
        table = pd.DataFrame(list(rates(parts)))
        closed, opened = (sum(len(part[at]) for part in parts) for at in (0, 1))
        won = float(np.mean(np.concatenate([part[0]["won"] for part in parts])))
        print(f"## {name[0].upper()}{name[1:]}\n\n{opened:,} open deals, {closed:,} closed, {won:.0%} of them won.\n")
        print(timing.markdown(tuple(table), [tuple(row) for row in table.itertuples(index=False)]) + "\n")
        tables[name] = table.to_dict("records")
    timing.save("flags", [], tables=tables)


Part = tuple[pd.DataFrame, pd.DataFrame]


def sample() -> Part:
    """The flags of the embedded sample's closed deals, and of its open ones."""
    people = DATA / "people.csv"
    return flagged(*(winprob.read_deals(DATA / name, people=people) for name in ("closed.csv", "open.csv")))


def simulated(seed: int) -> Part:
    team = winprob.simulate(300, 60, seed=seed)
    return flagged(team.closed, team.open)


def of_world(seed: int) -> Part:
    """Deals at the first day of each quarter, and the end that the world knows; the last readings count as open."""
    from _world import simulate_world

    from winprob.data.history import training_rows

    world = simulate_world(seed=seed, features=quick_features())
    days = pd.date_range(world.first_day, world.last_day, freq="MS").date
    rows = training_rows(pd.concat([world.known_on(day) for day in days], ignore_index=True))
    truth = world.deals.set_index("deal_id").loc[rows["deal_id"]]
    rows["outcome"] = truth["outcome"].to_numpy()
    rows = rows.groupby("deal_id", sort=False).tail(1)
    last = rows["as_of"] == rows["as_of"].max()
    return flagged(rows[~last], rows[last])


def quick_features() -> object:
    from quarters import asked_features

    return asked_features("all")


def flagged(closed: pd.DataFrame, opened: pd.DataFrame) -> Part:
    """A column of booleans for each flag, of the closed deals and of the open ones; whether won, stage and category."""
    kind = closed["stage"].fillna("unknown") + " " + closed["rep_category"].fillna("unknown")
    won = (closed["outcome"] == "won").to_numpy()
    return has(closed).assign(won=won, kind=kind.to_numpy()), has(opened)


def has(deals: pd.DataFrame) -> pd.DataFrame:
    """(deal, flag) whether a deal has a flag, judged on the day of its own reading as if it were open."""
    valid = validate_deals(deals.assign(outcome="open", closed_on=pd.NaT)).reset_index(drop=True)
    valid["deal_id"] = valid.index.astype("str")
    found = flags_of(valid, valid["as_of"].to_numpy(), FlagSettings())
    seen = pd.crosstab(found["deal_id"], found["flag"]) > 0
    return seen.reindex(index=valid["deal_id"], columns=flag_ids(), fill_value=False).reset_index(drop=True)


def flag_ids() -> list[str]:
    """The flags of the record; simulated teams fill in no worksheets, so those against answers cannot be raised."""
    return [play.id for play in plays("flags") if play.id not in AGAINST_ANSWERS]


def rates(parts: list[Part]) -> Iterator[dict[str, object]]:
    """A record for each flag, and for any flag: shares and win rates over all teams, differences within teams."""
    closed = pd.concat([part[0].assign(team=team) for team, part in enumerate(parts)], ignore_index=True)
    opened = pd.concat([part[1] for part in parts], ignore_index=True)
    kinds = closed.groupby(["team", "kind"]).ngroup()
    won, ids = closed["won"].to_numpy(), flag_ids()
    for flag in (*ids, "any flag"):
        seen, now = (table[ids].any(axis=1) if flag == "any flag" else table[flag] for table in (closed, opened))
        enough = LEAST <= seen.sum() <= len(seen) - LEAST
        yield {
            "flag": flag,
            "open deals": f"{now.mean():.1%}",
            "closed deals": f"{seen.mean():.1%}",
            "won with it": f"{won[seen].mean():.0%}" if enough else "-",
            "without": f"{won[~seen].mean():.0%}" if enough else "-",
            "difference": difference(seen, won, closed["team"]) if enough else "-",
            "within stage and category": difference(seen, won, kinds) if enough else "-",
        }


def difference(seen: pd.Series, won: np.ndarray, stratum: pd.Series) -> str:
    """Win rate with the flag minus without, in points, within strata (Mantel-Haenszel weights), with its 90 % interval.

    The variance of a rate is that of a binomial with half a win and half a loss added.

    References
    ----------
    Greenland, Robins (1985), Estimation of a common effect parameter from sparse follow-up data, Biometrics 41.
    """
    groups = [stratum.to_numpy(), seen.to_numpy()]
    wins, deals = np.zeros((2, stratum.max() + 1, 2))
    np.add.at(wins, (groups[0], groups[1].astype(int)), won)
    np.add.at(deals, (groups[0], groups[1].astype(int)), 1)
    both = (deals > 0).all(axis=1)
    if not both.any():
        return "-"
    wins, deals = wins[both], deals[both]
    weight = deals.prod(axis=1) / deals.sum(axis=1)
    gap = np.diff(wins / deals, axis=1)[:, 0]
    rate = (wins + 0.5) / (deals + 1)
    error = np.sqrt((weight**2 * (rate * (1 - rate) / deals).sum(axis=1)).sum()) / weight.sum()
    middle = weight @ gap / weight.sum()
    return "{:+.0f} ({:+.0f} to {:+.0f})".format(*(100 * (middle + width * error) for width in (0, -WIDTH, WIDTH)))


if __name__ == "__main__":
    main()
