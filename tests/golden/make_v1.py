"""How the golden files in ``v1/`` were made, once, with version 0.1.0.

They are what a user of 0.1.0 has on disk, and what 0.1.0 answered: a sampled model (file format 3), a history of
snapshots, a log of forecasts, an export with its mapping and people, settings, executives, visits and exchange rates.
``test_older_files.py`` requires later versions to read them and to give the same answers. Do not run this again to make
a failing test pass: it would replace the files of 0.1.0 by those of a later version.

The TOML files, ``visits.csv``, ``rates.csv`` and ``salesforce.csv`` were written by hand. The rest is reproducible to
the byte on one machine: ``python tests/golden/make_v1.py``, from the root of the repository, with the metadata of
version 0.1.0 installed (the model file holds the version).
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from click.testing import CliRunner

import winprob
from winprob.cli import main
from winprob.simulation import Pace, simulate_pipeline

V1 = Path(__file__).parent / "v1"
DAYS = ("2026-01-01", "2026-04-01", "2026-05-04", "2026-07-01")
ROLES = ("approver", "decision_maker", "evaluator", "influencer", "procurement")
HEADERS = {
    "deal_id": "Opportunity",
    "as_of": "Exported",
    "opened_on": "Created",
    "expected_close_on": "Close date",
    "closed_on": "Closed",
    "outcome": "Status",
    "amount": "Value",
    "currency": "Currency",
    "account": "Customer",
    "segment": "Industry",
    "region": "Area",
    "seller": "Owner",
    "product": "Line",
    "competitor": "Rival",
    "rep_probability": "Win %",
    "rep_category": "Category",
    "stage": "Phase",
    "decision_method": "Tender",
    "coach": "Coach",
    "approver_support": "Boss",
    "decision_maker_support": "Decider",
    "evaluator_support": "Evaluator",
    "influencer_support": "Influencer",
    "procurement_support": "Buyer",
    "approver_coverage": "Boss met",
    "decision_maker_coverage": "Decider met",
    "evaluator_coverage": "Evaluator met",
    "influencer_coverage": "Influencer met",
    "procurement_coverage": "Buyer met",
}
VALUES = {
    "outcome": {"won": "签约", "lost": "Gone", "no_decision": "Dropped", "open": "Running"},
    "rep_category": {"commit": "Sure", "best_case": "Maybe"},
    "stage": {"exploration": "Exploring", "evaluation": "Evaluating"},
    "decision_method": {"scoring": "Marks"},
    "approver_support": {1: "--", 2: "0", 3: "+", 4: "++"},
}
#: Of ``settings.toml``; the model file then holds what it learned of sellers who overrate.
AT_DEFAULT = (".covariates.report_bias",)
MODEL = ("--model", "model.nc")
EXPORT = ("deals.csv", "--mapping", "mapping.toml", "--people", "people.csv")
#: Commands whose table is kept, run inside ``v1/``.
COMMANDS: dict[str, tuple[str, ...]] = {
    "check_history": ("check", "history"),
    "check_export": ("check", *EXPORT),
    "check_preset": ("check", "salesforce.csv", "--mapping", "preset_mapping.toml"),
    "priors": ("priors", "--settings", "settings.toml"),
    "predict": ("predict", "history", *MODEL),
    "predict_by": ("predict", "history", *MODEL, "--by", "2026-09-30"),
    "explain": ("explain", "history", *MODEL, "--deal", "D00161"),
    "levers": ("levers", "history", *MODEL, "--evidence", "--settings", "settings.toml"),
    "levers_by_segment": ("levers", "history", *MODEL, "--by", "segment"),
    "whatif": (
        "whatif",
        "history",
        *MODEL,
        "--deal",
        "D00161",
        "--set",
        "approver_support=3",
        "--set",
        "coach=validated",
    ),
    "postmortem": ("postmortem", *EXPORT, *MODEL, "--deal", "D00162"),
    "intel": ("intel", "history", *MODEL, "--deal", "D00135", "--more"),
    "intel_top": ("intel", "history", *MODEL, "--top", "3", "--more"),
    "allocate": (
        *("allocate", "history", *MODEL, "--executives", "executives.toml"),
        *("--visits", "visits.csv", "--settings", "settings.toml", "--goal", "wins"),
    ),
    "forecast": ("forecast", "history", *MODEL, "--quarter", "P26-3", "--target", "2e7", "--rates", "rates.csv"),
    "forecast_by_segment": (
        *("forecast", "history", *MODEL, "--quarter", "P26-3", "--rates", "rates.csv"),
        *("--by", "segment", "--settings", "settings.toml"),
    ),
    "track": ("track", "forecasts", "history", "--rates", "rates.csv"),
}


def run(*words: str) -> str:
    done = CliRunner().invoke(main, list(words), catch_exceptions=False)
    print("winprob", *words, "\n" + done.stderr)
    if done.exit_code != 0:
        raise SystemExit(done.exit_code)
    return done.stdout


def exports() -> dict[str, pd.DataFrame]:
    """The CRM's export of each day: a simulated team with four columns of its own and some deals in euros."""
    pipeline = simulate_pipeline(seed=1, quarters=4, pace=Pace(per_quarter=29))
    known = {day: pipeline.known_on(dt.date.fromisoformat(day)) for day in DAYS}
    last, rng = known[DAYS[-1]], np.random.default_rng(20260701)
    rows = len(last)
    own = pd.DataFrame(
        {
            "Channel": rng.choice(["direct", "partner", "online"], rows),
            "Lead source": rng.choice(["event", "referral", "cold call", "渠道"], rows),
            "Employees": rng.integers(20, 20_000, rows),
            "Meetings": rng.integers(0, 12, rows),
        },
        index=last["deal_id"],
    )
    euros = set(last["deal_id"][::9])
    return {day: _in_words_of_the_crm(table, own, euros) for day, table in known.items()}


def _in_words_of_the_crm(table: pd.DataFrame, own: pd.DataFrame, euros: set[str]) -> pd.DataFrame:
    crm = table.copy()
    in_euros = crm["deal_id"].isin(euros)
    crm["amount"] = crm["amount"].where(~in_euros, crm["amount"] / 10)
    crm["currency"] = crm["currency"].mask(in_euros, "EUR")
    crm["rep_probability"] = (100 * crm["rep_probability"]).round()
    for column, words in VALUES.items():
        crm[column] = crm[column].astype("object").map(lambda value, words=words: words.get(value, value))
    for column in ("as_of", "opened_on", "expected_close_on", "closed_on"):
        crm[column] = crm[column].dt.strftime("%d/%m/%Y")
    return crm.rename(columns=HEADERS).join(own, on="Opportunity")


def people(export: pd.DataFrame) -> pd.DataFrame:
    """People of the last day's open deals: one for each role with a known support, a second one, one by the rubric."""
    tiers = {word: tier for tier, word in VALUES["approver_support"].items()}
    rows: list[dict[str, Any]] = []
    for _, deal in export[export["Status"] == "Running"].iterrows():
        for number, role in enumerate(ROLES):
            support = deal[HEADERS[f"{role}_support"]]
            if pd.isna(support):
                continue
            who = {"deal_id": deal["Opportunity"], "as_of": "2026-07-01", "role": role}
            coverage = deal[HEADERS[f"{role}_coverage"]]
            person = f"{deal['Opportunity']}-{number}"
            rows.append(
                {
                    **who,
                    "person": person,
                    "support": int(tiers.get(support, support)),
                    "influence": 3,
                    "coverage": coverage,
                }
            )
            if number == 2:
                rows.append({**who, "person": f"{person}b", "support": 2, "coverage": "contacted"})
            if number == 3:
                rubric = {"support_given": 3, "cooperation": 4, "contact_frequency": 2, "trust": 3, "needs_met": 3}
                rows.append({**who, "person": f"{person}c", "influence": 1, "coverage": "engaged", **rubric})
    table = pd.DataFrame(rows)
    whole = {name: "Int64" for name in table if table[name].dtype.kind == "f"}
    return table.astype(whole)


def write_history(tables: dict[str, pd.DataFrame], crowd: pd.DataFrame) -> None:
    crowd.to_csv("people.csv", index=False, lineterminator="\n")
    for day, table in tables.items():
        table.to_csv("deals.csv", index=False, sep=";", encoding="gbk", lineterminator="\n")
        with_people = ("--people", "people.csv") if day == DAYS[-1] else ()
        run("snapshot", "deals.csv", "--mapping", "mapping.toml", *with_people, "--as-of", day, "--history", "history")


def write_forecasts() -> None:
    """One forecast of a quarter that is over by the last snapshot, one of the quarter that begins with it."""
    for quarter, day in (("P26-2", "2026-05-04"), ("P26-3", "2026-07-01")):
        asked = ("--quarter", quarter, "--as-of", day, "--target", "2e7", "--rates", "rates.csv", "--seed", "5")
        run("forecast", "history", *MODEL, *asked, "--log", "forecasts")


def answers_in_python() -> dict[str, pd.DataFrame]:
    posterior = winprob.Posterior.load("model.nc")
    history = winprob.read_history("history")
    now, then = winprob.review_table("history"), winprob.review_table("history", as_of="2026-05-04")
    rates = winprob.read_rates("rates.csv")
    in_yuan = now[(now["outcome"] == "open") & (now["currency"] == "CNY")]
    bridge = winprob.bridge_forecasts(posterior, now, then, "P26-3", rates=rates)
    return {
        "summary": winprob.summarise_posterior(posterior),
        # Also what ``deal_ends`` gives for the history: the export is its last snapshot.
        "read_deals": winprob.read_deals("deals.csv", "mapping.toml", "people.csv"),
        "read_preset": winprob.read_deals("salesforce.csv", "preset_mapping.toml"),
        "training_rows": winprob.training_rows(history),
        "read_forecasts": winprob.read_forecasts("forecasts"),
        "bridge": bridge.steps,
        "allocate_bookings": winprob.allocate(
            posterior, in_yuan, "executives.toml", visits=winprob.read_visits("visits.csv")
        ),
        "slip_prob": winprob.slip_prob(posterior, in_yuan).to_frame("slip_prob"),
    }


def public_names() -> dict[str, Any]:
    commands = {
        name: {
            "options": sorted(opt for param in command.params if isinstance(param, click.Option) for opt in param.opts),
            "arguments": [param.name for param in command.params if isinstance(param, click.Argument)],
        }
        for name, command in main.commands.items()
    }
    return {"names": sorted(winprob.__all__), "commands": commands}


def settings_values() -> dict[str, Any]:
    """Content of ``settings.toml``, which must name every setting; its default only where ``AT_DEFAULT`` allows."""
    read, default = asdict(winprob.read_settings("settings.toml")), asdict(winprob.Settings())
    with open("settings.toml", "rb") as file:
        _require_every_key(tomllib.load(file), default, read, "")
    return read


def _require_every_key(written: Any, default: Any, read: Any, where: str) -> None:
    if not isinstance(default, dict):
        if read == default and where not in AT_DEFAULT:
            raise SystemExit(f"{where} is at its default")
        return
    if set(written) != set(default):
        raise SystemExit(f"{where}: {set(written) ^ set(default)}")
    for name, value in written.items():
        _require_every_key(value, default[name], read[name], f"{where}.{name}")


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def make() -> None:
    os.chdir(V1)
    for folder in ("history", "forecasts", "answers"):
        shutil.rmtree(folder, ignore_errors=True)
    answers = Path("answers")
    answers.mkdir()
    write_json(Path("settings.json"), settings_values())
    tables = exports()
    write_history(tables, people(tables[DAYS[-1]]))
    run("train", "history", *MODEL, "--settings", "settings.toml", "--seed", "7")
    write_forecasts()
    write_json(Path("commands.json"), COMMANDS)
    write_json(Path("public_names.json"), public_names())
    for name, words in COMMANDS.items():
        (answers / f"{name}.csv").write_text(run(*words, "--format", "csv"), encoding="utf-8")
    for name, table in answers_in_python().items():
        table.to_csv(answers / f"{name}.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    make()
