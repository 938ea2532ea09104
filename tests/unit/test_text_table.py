"""Tables as text: no number is cut, no line is wider than the screen, Chinese counts two cells a character."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from winprob.cli.text_table import TextColumn, draw_table, wrap

#: The table of a backtest in which n was printed as "19".
BACKTEST = (
    TextColumn(name="model", heading="model", cells=["winprob", "winprob + seller", "CRM stage default"]),
    TextColumn(name="log_loss", heading="log_loss", cells=["0.639", "0.626", "0.784"], number=True),
    TextColumn(name="brier", heading="brier", cells=["0.223", "0.218", "0.273"], number=True),
    TextColumn(name="auc", heading="auc", cells=["0.689", "0.707", "0.642"], number=True),
    TextColumn(name="slope", heading="calibration_slope", cells=["0.884", "0.968", "0.380"], number=True),
    TextColumn(name="intercept", heading="calibration_intercept", cells=["-0.198"] * 3, number=True),
    TextColumn(name="coverage_90", heading="coverage_90", cells=["0.948", "0.954", "0.383"], number=True),
    TextColumn(name="n", heading="n", cells=["190", "190", "190"], number=True),
)
#: Words as in names and sentences, of both languages, without characters that take no cell.
WORDS = st.text(st.sampled_from("abcXYZ019_-.,:()（）。，、商机赢率万亿“” "), max_size=60).map(str.strip)
NUMBERS = st.integers(-(10**9), 10**9).map("{:,}".format)


@pytest.mark.parametrize("width", range(20, 200, 7))
@pytest.mark.parametrize("least", [(), ("auc", "intercept", "brier")])
def test_the_number_of_deals_is_whole_at_every_width(width: int, least: tuple[str, ...]) -> None:
    text = draw_table(BACKTEST, width, least=least)
    assert re.findall(r"\b190\b", text) == ["190"] * 3
    assert max(map(cell_len, text.splitlines())) <= width


def test_least_important_columns_go_first_and_are_named() -> None:
    text = draw_table(BACKTEST, 62, least=("auc", "intercept", "brier"))
    table, _, note = text.partition("\n\n")
    assert "auc" not in table
    assert "calibration_" in table
    assert " ".join(note.split()).startswith("Left out for lack of width: auc")
    assert "--format csv or --out FILE" in " ".join(note.split())
    assert "Left out" not in draw_table(BACKTEST, 120, least=("auc", "intercept", "brier"))


def test_rows_become_blocks_where_columns_do_not_fit() -> None:
    lines = draw_table(BACKTEST, 30).splitlines()
    assert lines[0].split() == ["model", "winprob"]
    assert lines.count("") == 2
    assert [line.split()[-1] for line in lines if line.split()[:1] == ["n"]] == ["190"] * 3


def test_a_pipe_gets_every_column_and_whole_headings() -> None:
    text = draw_table(BACKTEST, 40, least=("auc",), fixed=False)
    assert text.splitlines()[0].split() == [column.heading for column in BACKTEST]
    assert "Left out" not in text


def test_chinese_is_aligned_by_display_cells() -> None:
    columns = (
        TextColumn(name="role", heading="角色", cells=["决策者", "ABC"]),
        TextColumn(name="lift", heading="提升", cells=["8%", "12%"], number=True),
    )
    head, rule, *rows = draw_table(columns, 80).splitlines()
    assert {cell_len(line) for line in (head, rule, *rows)} == {1 + 6 + 3 + 4}


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("correct the record first", 12, ["correct the", "record first"]),
        ("赢率为六成，尚可。", 10, ["赢率为六", "成，尚可。"]),
        ("先看（注意）再定", 6, ["先看", "（注", "意）再", "定"]),
        ("预计 1,234.5万 元", 12, ["预计", "1,234.5万 元"]),
        ("role_weight[approver]", 14, ["role_", "weight[approv", "er]"]),
        ("", 5, [""]),
    ],
)
def test_lines_break_at_words_and_never_before_closing_punctuation(text: str, width: int, lines: list[str]) -> None:
    got = wrap(text, width)
    assert max(map(cell_len, got)) <= width
    assert "".join("".join(got).split()) == "".join(text.split())
    assert not any(line[:1] in "，。）、" for line in got if line)
    assert got == lines or "[" in text


@given(text=WORDS, width=st.integers(4, 50))
def test_wrapping_loses_nothing_and_keeps_the_width(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert max(map(cell_len, lines)) <= width
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(
    rows=st.lists(st.tuples(WORDS, WORDS, NUMBERS, NUMBERS), min_size=1, max_size=4),
    width=st.integers(44, 130),
    least=st.sampled_from([(), ("c",), ("c", "b")]),
)
def test_no_table_loses_a_character_of_a_cell(
    rows: list[tuple[str, str, str, str]], width: int, least: tuple[str, ...]
) -> None:
    kinds = (("a", False), ("b", False), ("c", True), ("d", True))
    columns = [
        TextColumn(name=name, heading=f"head_{name}", cells=[row[at] for row in rows], number=number)
        for at, (name, number) in enumerate(kinds)
    ]
    text = draw_table(columns, width, least=least)
    assert max(map(cell_len, text.splitlines())) <= width
    table, _, note = text.partition("\n\nLeft out")
    left_out = [column for column in columns if note and column.heading in note]
    shown = [column for column in columns if column not in left_out]
    in_rows = any(set(line.strip()) == {"─"} for line in text.splitlines())
    heads = "".join(column.heading for column in shown) * (1 if in_rows else len(rows))
    cells = "".join(cell for column in shown for cell in column.cells)
    assert Counter("".join(table.split()).replace("─", "")) == Counter("".join((heads + cells).split()))
    assert {cell for column in shown if column.number for cell in column.cells} <= set(table.split())
