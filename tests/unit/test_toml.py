"""The reader of all TOML files: records are strict, places are named, wrong entries can be left out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, asdict, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from winprob.data.tables.mapping import read_mapping
from winprob.errors import MappingError, PlanError, SettingsError
from winprob.i18n import use_language
from winprob.toml import Name, RuleError, Wanted, build, parse_toml, path_of, record, salvage, suggestion, validate


@record
class Part:
    name: Name = "x"
    size: Annotated[float, Field(ge=0, lt=10)] = 1.0
    low: int = 0
    high: int = 9

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise RuleError("low", self.low, "at most high")


@record
class Whole:
    parts: Annotated[tuple[Part, ...], Field(min_length=1)] = (Part(),)
    words: Annotated[tuple[str, ...], Wanted(lambda: "words")] = ()
    by_name: Mapping[str, Part] = field(default_factory=dict)


def faults_of(table: dict[str, Any]) -> list[str]:
    value, faults = validate(Whole, table)
    assert (value is None) == bool(faults)
    return faults


def test_a_record_is_frozen_strict_and_a_dataclass() -> None:
    part = Part(size=3)
    assert asdict(part) == {"name": "x", "size": 3.0, "low": 0, "high": 9}
    with pytest.raises(FrozenInstanceError):
        part.size = 4.0  # type: ignore[misc]
    with pytest.raises(SettingsError, match=r"'size' is '3', wanted a number"):
        Part(size="3")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"'low' is 10, wanted at most high"):
        Part(low=10)


def test_every_offence_has_its_place_what_was_found_and_what_is_wanted() -> None:
    table = {
        "parts": [{"name": "a", "size": 10}, {"siez": 1}, {"name": " "}, {"low": 5, "high": 4}],
        "words": ["a", 3],
        "by_name": {"b": {"size": True}, "c": 7},
        "colour": "red",
    }
    assert faults_of(table) == [
        "[[parts]] 'a' 'size' is 10, wanted >= 0, < 10",
        "[[parts]] 2 'siez' is not known; did you mean 'size'?",
        "[[parts]] 3 'name' is ' ', wanted a text",
        "[[parts]] 4 'low' is 5, wanted at most high",
        "'words' is ['a', 3], wanted words",
        "'by_name.b.size' is True, wanted a number",
        "'by_name.c' is 7, wanted a table",
        "'colour' is not known; accepted: parts, words, by_name",
    ]


def test_an_empty_list_is_named_and_a_list_of_wrong_items_only_once() -> None:
    assert faults_of({"parts": []}) == ["'parts' is [], wanted a list"]
    assert faults_of({"parts": [3]}) == ["'parts.1' is 3, wanted a table"]


def test_wrong_entries_are_left_out_and_the_rest_is_kept() -> None:
    table = {
        "parts": [{"name": "a", "size": 10}, {"siez": 1, "name": "b"}],
        "words": [3],
        "by_name": {"c": 7, "d": {"low": 3}},
    }
    whole, faults = salvage(Whole, table)
    assert whole == Whole(parts=(Part(name="a"), Part(name="b")), by_name={"d": Part(low=3)})
    assert len(faults) == 4


def test_a_date_is_not_a_text() -> None:
    (fault,) = faults_of(parse_toml(b"words = [2026-01-05]", "file", PlanError))
    assert fault == "'words' is [datetime.date(2026, 1, 5)], wanted words"


@pytest.mark.parametrize("value", [dt.date(77, 4, 5), dt.time(1), b"x"])
def test_a_date_in_place_of_a_table_is_one_fault_of_its_key(value: object) -> None:
    _, faults = read_mapping({"columns": {"deal_id": "deal_id", "stage": value}})
    assert faults == [f"'columns.stage' is {value!r}, wanted the name of a source column, or a table"]
    _, faults = read_mapping({"columns": value})
    assert faults[0] == f"'columns' is {value!r}, wanted a table"


def test_a_key_that_is_not_a_text_is_a_fault() -> None:
    assert read_mapping({5.5: 1, dt.date(77, 4, 5): 1})[1] == ["it has a key that is not a text"]  # type: ignore[dict-item]


def test_one_fault_is_one_line_and_several_are_a_list_in_either_language() -> None:
    with pytest.raises(PlanError, match=r"^plan\.toml: 'size' is -1, wanted >= 0, < 10$"):
        build(Part, {"size": -1}, "plan.toml", PlanError)
    with (
        use_language("zh"),
        pytest.raises(PlanError, match=r"^plan\.toml：2 处需改正\n  - rule\n  - 'size' 为 -1，应为 >= 0, < 10$"),
    ):
        build(Part, {"size": -1}, "plan.toml", PlanError, also=["rule"])
    with pytest.raises(PlanError, match=r"^plan\.toml: rule$"):
        build(Part, {}, "plan.toml", PlanError, also=["rule"])


def test_a_place_is_written_as_a_reader_finds_it() -> None:
    table = {"items": [{"id": "a", "how": {"en": "x"}}, {}], "priors": {"pair": [1, 2]}}
    assert path_of(table, ("items", 0, "how", "en")) == "[[items]] 'a' 'how.en'"
    assert path_of(table, ("items", 1, "id")) == "[[items]] 2 'id'"
    assert path_of(table, ("priors", "pair", 1)) == "'priors.pair.2'"


def test_a_suggestion_ignores_case_and_is_short() -> None:
    assert suggestion("STAGE", ("stage", "role")) == "did you mean 'stage'?"
    assert suggestion("zzz", list("abcdef"), most=2) == "accepted: a, b, ..."
    assert suggestion("zzz", ()) == "accepted: -"


@pytest.mark.parametrize(
    "data",
    [b"x = " + b"[" * 5000 + b"]" * 5000, b"x = " + b"9" * 9000, b"x = 'a", "x = '说明'".encode("gbk"), b"x\0"],
    ids=["nested", "digits", "unfinished", "encoding", "NUL"],
)
def test_what_is_not_toml_is_one_short_message(data: bytes) -> None:
    with pytest.raises(MappingError, match=r"^map\.toml is not TOML: ") as caught:
        parse_toml(data, "map.toml", MappingError)
    assert len(str(caught.value)) < 300


def test_a_mapping_nested_beyond_validation_is_a_fault_of_the_mapping() -> None:
    deep: list[Any] = []
    for _ in range(250):
        deep = [deep]
    _, faults = read_mapping({"columns": deep})
    assert faults == ["it is nested too deeply"]


@pytest.mark.parametrize("number", ["9" * 30, "9" * 5000, "0x" + "F" * 9000])
def test_numbers_and_nesting_beyond_the_limits_of_a_file_are_one_message(number: str) -> None:
    with pytest.raises(MappingError, match=r"^map.toml is not TOML: it holds a whole number beyond 64 bits$"):
        parse_toml(f"[columns]\nx = {number}".encode(), "map.toml", MappingError)
    for text in ("x = " + "[" * 90 + "]" * 90, ".".join("a" * 90) + " = 1", "x = " + "{a = " * 90 + "1" + "}" * 90):
        with pytest.raises(MappingError, match=r"^map.toml is not TOML: it is nested too deeply$"):
            parse_toml(text.encode(), "map.toml", MappingError)
    _, faults = read_mapping({"columns": {"deal_id": "Id", "stage": {"column": "S", "other": 10**5000}}})
    assert faults == ["it holds a whole number beyond 64 bits"]


def test_the_faults_of_a_mapping_file_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text("encodng = 'gbk'\n[columns]\ndeal_id = 'ID'\nstgae = 'S'\n", encoding="utf-8")
    mapping, faults = read_mapping(path)
    assert faults == [
        f"{path}: 'columns.stgae' is not known; did you mean 'stage'?",
        f"{path}: 'encodng' is not known; did you mean 'encoding'?",
    ]
    assert [source.column for source in mapping.sources] == ["ID"]


def test_a_value_is_quoted_in_short() -> None:
    (fault,) = faults_of({"words": "w" * 10_000})
    assert len(fault) < 150
