"""Sound files for the fuzzer to damage, each made once in a process."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

import winprob
from tests.conftest import hand_made
from tests.worksheets import fill
from winprob.simulation import simulate


@cache
def deals() -> pd.DataFrame:
    """Twelve open deals with every column."""
    return simulate(40, 12, seed=3).open


@cache
def csv() -> bytes:
    return _text(deals())


@cache
def gbk() -> bytes:
    from winprob.methodology import column_label

    return _text(deals().rename(columns=lambda name: column_label(name, "zh"))).decode("utf-8").encode("gb18030")


@cache
def xlsx() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, "deals.xlsx")
        winprob.write_table(deals(), path)
        return path.read_bytes()


@cache
def parquet() -> bytes:
    out = io.BytesIO()
    deals().to_parquet(out)
    return out.getvalue()


@cache
def people() -> bytes:
    return _text(simulate(40, 12, seed=3).people)


RATES = b"currency,rate,from,to\nEUR,7.85,2026-01-01,2026-06-30\nEUR,7.90,2026-07-01,\nUSD,7.10,2026-01-01,\n"
VISITS = (
    b"deal_id,role,executive,date,tier_before,tier_after\n"
    b"D1,approver,Li,2026-03-01,2,3\nD2,evaluator,Wang,2026-03-04,1,1\n"
)
CHANGES = (
    b"OpportunityId,Field,OldValue,NewValue,CreatedDate\n"
    b"006Qx000004KxyzIAC,StageName,Prospecting,Qualification,2026-01-05T08:00:00.000+0000\n"
    b"006Qx000004KxyzIAC,Amount,1000,2500.50,2026-02-05T08:00:00.000+0000\n"
    b"006Qx000004KaaaIAC,created,,,2026-02-06T08:00:00.000+0000\n"
)
MAPPING = b"""
zone = "Asia/Shanghai"
day_first = true
null = ["tbd"]

[columns]
deal_id = "deal_id"
amount = "amount"
currency = "currency"
outcome = { column = "outcome", values = { won = ["W"], lost = ["L"] }, other = "open" }
stage = { column = "stage", other = "unknown" }
expected_close_on = "expected_close_on"

[covariates]
varying = ["region"]
numeric = [{ column = "amount", transform = "log1p" }]
"""
EXECUTIVES = b"""
[[executives]]
name = "Li"
slots = 3
roles = ["approver", "decision_maker"]
regions = ["North"]

[[executives]]
name = "Wang"
slots = 1
level = 2
"""
SETTINGS = b"""
[sampler]
draws = 500

[priors]
intercept = [0.0, 1.5]

[calendar]
first_month = 4
"""


#: Answers of worksheets, as a table.
ANSWERS = (
    "deal_id,role,person,concept,item,value,day,note\n"
    "D1,,,signs,decision.says.terms,yes,2026-10-01,他说：“再等等”\n"
    "D1,approver,王总,support,trust,3,2026-10-01,\n"
    "D2,evaluator,,relationship,step,2,2026/10/2,=1+1\n"
).encode()


FIELDS = b"""[salesforce]
chance = "Our_Chance__c"
flag = ""

[hubspot]
next_step = "our_next_step"
"""


@cache
def answer_form() -> bytes:
    """The same answers as the form of a worksheet saves them."""
    from winprob.methodology import worksheet_version

    rows = pd.read_csv(io.BytesIO(ANSWERS), dtype="str").fillna("")
    rows["question"] = rows["concept"] + "." + rows["item"]
    content = {"worksheet": worksheet_version(), "answers": rows.to_dict("records")}
    return json.dumps(content, ensure_ascii=False).encode()


@cache
def answer_workbook() -> bytes:
    """The worksheets of two deals, two questions answered."""
    with TemporaryDirectory() as folder:
        blank, filled = Path(folder, "blank.xlsx"), Path(folder, "filled.xlsx")
        winprob.write_worksheets(pd.DataFrame({"deal_id": ["D1", "D2"]}), blank)
        sign = ("D1", "", "", "signs.decision.says.terms")
        cells = {(*sign, "value"): "yes", (*sign, "note"): "note", ("D1", "", "", "day", "value"): "2026-10-01"}
        return fill(blank, filled, {**cells, ("D1", "approver", "", "support.trust", "value"): 3.0}).read_bytes()


@cache
def preset() -> bytes:
    from winprob.data.tables import preset_text

    return preset_text("salesforce").encode()


@cache
def model() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.nc")
        winprob.fit_prior(seed=1).save(path)
        return path.read_bytes()


@cache
def history() -> dict[str, bytes]:
    """The files of a history of two snapshots, by path."""
    with TemporaryDirectory() as folder:
        place = Path(folder, "history")
        for day in ("2026-10-01", "2026-11-01"):
            known = deals().drop(columns="as_of").assign(amount=deals()["amount"] + int(day[5:7]))
            winprob.write_snapshot(known.assign(expected_close_on=pd.Timestamp("2027-03-01")), day, place)
        return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


@cache
def forecast_log() -> dict[str, bytes]:
    """The files of a log of one forecast, by path."""
    chances = pd.DataFrame({"mean": 0.4, "lower": 0.2, "upper": 0.6}, index=deals().index)
    forecast, _ = hand_made(deals(), chances)
    with TemporaryDirectory() as folder:
        path = winprob.append_forecast(Path(folder, "log"), forecast)
        return {path.name: path.read_bytes()}


def unpack(files: dict[str, bytes], folder: Path) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _text(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False, date_format="%Y-%m-%d").encode()
