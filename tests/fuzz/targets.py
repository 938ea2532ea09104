"""What the fuzzer attacks: for each kind of file its damage, and a reader that must read it right or refuse it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import strategies as st

import winprob
from tests.corpus.verdict import cases, judge
from tests.fuzz import originals, structures
from tests.fuzz.mutations import MARKUP, TOKENS, damage, damage_part, edits
from winprob.methodology import ROLES, worksheet_questions
from winprob.routine.writeback.targets import read_target


class SilentChangeError(AssertionError):
    """A reader claims success and gives something else than the file holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One kind of file. ``run`` reads a case in an empty folder: true if read, a WinprobError if refused."""

    cases: st.SearchStrategy[Any]
    run: Callable[[Any, Path], None]


def attack(target: Target, case: Any, folder: Path) -> str:
    """Whether the case was `read` or `refused`; any other exception is a failure and passes through."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        target.run(case, folder)
    except winprob.WinprobError:
        return "refused"
    return "read"


# ---- tables of deals ------------------------------------------------------------------------------------------------


def _deals(data: bytes, folder: Path, name: str, **options: Any) -> pd.DataFrame:
    """Read and check: the check must not fail, and must find an error exactly where reading refuses."""
    path = folder / name
    path.write_bytes(data)
    findings = winprob.check_file(path, options.get("mapping"), options.get("people"))
    wrong = (findings["severity"] == "error").any()
    try:
        deals = winprob.read_deals(path, options.get("mapping"), options.get("people"))
    except winprob.WinprobError:
        if not wrong:
            raise SilentChangeError("read_deals refuses what check_file finds no error in") from None
        raise
    if wrong:
        raise SilentChangeError("read_deals reads what check_file finds an error in")
    return deals


def _run_csv(original: Callable[[], bytes], encoding: str) -> Callable[[Any, Path], None]:
    def run(acts: Any, folder: Path) -> None:
        data = damage(original(), acts)
        deals = _deals(data, folder, "deals.csv")
        _require_whole_lines(original(), data, deals, encoding)

    return run


def _require_whole_lines(original: bytes, data: bytes, deals: pd.DataFrame, encoding: str) -> None:
    """Every line that the damage left whole is a deal still, and no id is made up."""
    lines = set(data.replace(b"\r\n", b"\n").split(b"\n"))
    header, *rows = original.strip().split(b"\n")
    if header not in lines:
        return
    column = header.decode(encoding).split(",").index(_id_header(header.decode(encoding)))
    kept = {row.decode(encoding).split(",")[column] for row in rows if row in lines}
    read = set(deals["deal_id"])
    if lost := kept - read:
        raise SilentChangeError(f"lines of these deals are whole, yet they were not read: {sorted(lost)[:3]}")
    text = data.decode(encoding, errors="replace")
    made_up = [name for name in read - kept if name not in text and not any(ord(mark) < 32 for mark in text)]
    if made_up and "\ufffd" not in text:
        raise SilentChangeError(f"no cell holds these ids: {made_up[:3]}")


def _id_header(header: str) -> str:
    return "deal_id" if "deal_id" in header.split(",") else "商机编号"


def _run_xlsx(case: tuple[int, Any], folder: Path) -> None:
    part, acts = case
    _deals(damage_part(originals.xlsx(), part, acts), folder, "deals.xlsx")


def _run_parquet(acts: Any, folder: Path) -> None:
    _deals(damage(originals.parquet(), acts), folder, "deals.parquet")


def _run_types(table: structures.Columns, folder: Path) -> None:
    """A Parquet file of any types: its ids are read as they are, or it is refused."""
    deals = _deals(structures.parquet_bytes(table), folder, "deals.parquet")
    wanted = [f"D{at}" for at in range(len(deals))]
    if list(deals["deal_id"]) != wanted:
        raise SilentChangeError(f"ids became {list(deals['deal_id'])[:3]}")


# ---- tables read next to the deals ----------------------------------------------------------------------------------


def _run_people(acts: Any, folder: Path) -> None:
    path = folder / "people.csv"
    path.write_bytes(damage(originals.people(), acts))
    deals = _deals(originals.csv(), folder, "deals.csv", people=path)
    if list(deals["deal_id"]) != list(originals.deals()["deal_id"]):
        raise SilentChangeError("a people table changed the ids of the deals")


def _run_table(data: bytes, read: Callable[[Path], object]) -> Callable[[Any, Path], None]:
    def run(acts: Any, folder: Path) -> None:
        path = folder / "table.csv"
        path.write_bytes(damage(data, acts))
        read(path)

    return run


def _run_answers(data: Callable[[], bytes]) -> Callable[[Any, Path], None]:
    """Answers are typed, dated and about questions that exist, or the file is refused."""

    def run(case: Any, folder: Path) -> None:
        path = folder / "answers"
        path.write_bytes(damage_part(data(), *case) if data().startswith(b"PK") else damage(data(), case))
        answers = winprob.read_answers(path)
        known = {name for role in (None, *ROLES) for name in worksheet_questions(role)}
        if not set(answers["concept"] + "." + answers["item"]) <= known:
            raise SilentChangeError("an answer to a question that does not exist")
        if answers["day"].isna().any() or not answers["value"].map(type).isin([bool, int, type(None)]).all():
            raise SilentChangeError("an answer without a day, or of another type")

    return run


def _read_changes(path: Path) -> object:
    return winprob.read_changes(path, {"preset": "salesforce"})


# ---- TOML -----------------------------------------------------------------------------------------------------------


def _run_mapping(acts: Any, folder: Path) -> None:
    mapping = folder / "mapping.toml"
    mapping.write_bytes(damage(originals.MAPPING, acts))
    _deals(originals.csv(), folder, "deals.csv", mapping=mapping)


def _run_mapping_table(table: Mapping[str, Any], folder: Path) -> None:
    deals = _deals(originals.csv(), folder, "deals.csv", mapping=table)
    columns = table.get("columns")
    plain = not isinstance(columns, Mapping) or columns.get("deal_id") in ("deal_id", None)
    # Words that a mapping declares to mean nothing may be ids, and a preset may respell them.
    if (
        plain
        and not {"null", "preset", "rows"} & set(table)
        and list(deals["deal_id"]) != list(originals.deals()["deal_id"])
    ):
        raise SilentChangeError("a mapping that does not name the ids changed them")


def _run_preset(acts: Any, folder: Path) -> None:
    preset = folder / "preset.toml"
    preset.write_bytes(damage(originals.preset(), acts))
    _deals(originals.csv(), folder, "deals.csv", mapping={"preset": str(preset)})


def _run_toml(data: bytes, read: Callable[[Path], object]) -> Callable[[Any, Path], None]:
    def run(acts: Any, folder: Path) -> None:
        path = folder / "file.toml"
        path.write_bytes(damage(data, acts))
        read(path)

    return run


# ---- models, snapshots, forecast logs: damage is found, or changes nothing ------------------------------------------


def _run_model(acts: Any, folder: Path) -> None:
    path = folder / "model.nc"
    data = damage(originals.model(), acts)
    path.write_bytes(data)
    winprob.Posterior.load(path)
    if data != originals.model():
        raise SilentChangeError("a damaged model was loaded")


def _run_resealed_model(change: structures.ModelChange, folder: Path) -> None:
    """A model that someone changed and sealed again: it is refused, or it predicts finite probabilities."""
    path = folder / "model.nc"
    path.write_bytes(structures.resealed(originals.model(), change))
    chances = winprob.predict(winprob.Posterior.load(path), originals.deals())
    numbers = chances[["mean", "lower", "upper"]]
    if not numbers.apply(lambda values: values.between(0, 1)).all(axis=None):
        raise SilentChangeError("a model that was changed predicts blanks or numbers outside 0..1")


def _run_history(case: tuple[int, Any], folder: Path) -> None:
    files = dict(originals.history())
    name = sorted(files)[case[0] % len(files)]
    files[name] = damage(files[name], case[1])
    originals.unpack(files, folder / "history")
    originals.unpack(originals.history(), folder / "sound")
    winprob.check_history(folder / "history")
    for day in ("2026-10-01", "2026-11-01"):
        read = winprob.read_history(folder / "history", as_of=day)
        sound = winprob.read_history(folder / "sound", as_of=day)
        if not read.equals(sound):
            raise SilentChangeError(f"a damaged {name} was read as other data")


def _run_forecast_log(acts: Any, folder: Path) -> None:
    files = originals.forecast_log()
    originals.unpack({name: damage(data, acts) for name, data in files.items()}, folder / "log")
    originals.unpack(files, folder / "sound")
    if not winprob.read_forecasts(folder / "log").equals(winprob.read_forecasts(folder / "sound")):
        raise SilentChangeError("a damaged forecast was read as other numbers")
    from winprob.quarter.track_record import read_log

    if not read_log(folder / "log")[0].deals.equals(read_log(folder / "sound")[0].deals):
        raise SilentChangeError("a damaged forecast was read with other deals")


# ---- the corpus -----------------------------------------------------------------------------------------------------


def _run_corpus(case: Any, folder: Path) -> None:
    verdict = judge(case, folder)
    if verdict.kind == "refused":
        raise winprob.WinprobError(verdict.reason)
    if verdict.kind != "equal":
        raise SilentChangeError(f"{verdict.kind}: {verdict.reason}")


_parts = st.tuples(st.integers(0, 30), edits((*TOKENS, *MARKUP)))
_markup = edits((*MARKUP, *TOKENS))

TARGETS: Mapping[str, Target] = {
    "csv": Target(cases=edits(), run=_run_csv(originals.csv, "utf-8")),
    "csv in gb18030": Target(cases=edits(), run=_run_csv(originals.gbk, "gb18030")),
    "xlsx": Target(cases=_parts, run=_run_xlsx),
    "parquet": Target(cases=edits(most=1), run=_run_parquet),
    "parquet types": Target(cases=structures.typed_tables(), run=_run_types),
    "people": Target(cases=edits(), run=_run_people),
    "rates": Target(cases=edits(), run=_run_table(originals.RATES, winprob.read_rates)),
    "visits": Target(cases=edits(), run=_run_table(originals.VISITS, winprob.read_visits)),
    "answers": Target(cases=edits(), run=_run_answers(lambda: originals.ANSWERS)),
    "answers of a form": Target(cases=_markup, run=_run_answers(originals.answer_form)),
    "answers in a workbook": Target(cases=_parts, run=_run_answers(originals.answer_workbook)),
    "changes": Target(cases=edits(), run=_run_table(originals.CHANGES, _read_changes)),
    "mapping": Target(cases=_markup, run=_run_mapping),
    "mapping tables": Target(cases=structures.mapping_tables(), run=_run_mapping_table),
    "preset": Target(cases=_markup, run=_run_preset),
    "settings": Target(cases=_markup, run=_run_toml(originals.SETTINGS, winprob.read_settings)),
    "executives": Target(cases=_markup, run=_run_toml(originals.EXECUTIVES, winprob.read_executives)),
    "fields of a CRM": Target(
        cases=_markup, run=_run_toml(originals.FIELDS, lambda path: read_target("salesforce", path))
    ),
    "model": Target(cases=edits(most=1), run=_run_model),
    "model, sealed again": Target(cases=structures.model_changes(), run=_run_resealed_model),
    "history": Target(cases=st.tuples(st.integers(0, 9), edits(most=1)), run=_run_history),
    "forecast log": Target(cases=edits(most=1), run=_run_forecast_log),
    "corpus": Target(cases=cases(), run=_run_corpus),
}
