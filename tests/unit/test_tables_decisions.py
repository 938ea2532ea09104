"""Reading decisions.csv: English and Chinese headers, empty lines, wrong days; the file is started once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from winprob.data.tables import DECISION_COLUMNS, read_decisions, start_decisions
from winprob.errors import InputError
from winprob.i18n import use_language


def test_decisions_are_read_and_empty_lines_left_out(tmp_path: Path) -> None:
    path = tmp_path / "decisions.csv"
    path.write_text(
        "What,Who,By when,deal_id\nMeet the approver,CEO,2026-10-20,D1\n,,,\nHire,VP,2026/11/01,\n", encoding="utf-8"
    )
    table = read_decisions(path)
    assert list(table) == list(DECISION_COLUMNS)
    assert table["what"].tolist() == ["Meet the approver", "Hire"]
    assert table["by_when"].tolist() == [pd.Timestamp("2026-10-20"), pd.Timestamp("2026-11-01")]
    assert table["deal_id"].isna().tolist() == [False, True]
    assert table["done_on"].isna().all()


def test_a_chinese_file_as_a_spreadsheet_saves_it(tmp_path: Path) -> None:
    path = tmp_path / "decisions.csv"
    text = "决定日期,商机,做什么,谁,截止日期,完成日期,结果\n2026/10/12,D1,拜访决策审批者,总经理,2026/10/20,,已拜访\n"
    path.write_bytes(text.encode("gb18030"))
    row = read_decisions(path).iloc[0]
    assert (row["what"], row["who"], row["result"]) == ("拜访决策审批者", "总经理", "已拜访")
    assert row["decided_on"] == pd.Timestamp("2026-10-12")


def test_wrong_days_and_missing_columns_are_refused_together(tmp_path: Path) -> None:
    path = tmp_path / "decisions.csv"
    path.write_text("what,who,by_when,done_on\nA,B,soon,2026-10-01\nC,D,2026-10-02,yes\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"row 2: by_when 'soon'.*row 3: done_on 'yes'"):
        read_decisions(path)
    path.write_text("what,deal_id\nA,B\n", encoding="utf-8")
    with pytest.raises(InputError, match="who, by_when"):
        read_decisions(path)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_file_is_started_once_and_read_while_empty(tmp_path: Path, lang: str) -> None:
    path = tmp_path / "decisions.csv"
    with use_language(lang):
        assert start_decisions(path)
    assert read_decisions(path).empty
    path.write_text("mine", encoding="utf-8")
    assert not start_decisions(path)
    assert path.read_text("utf-8") == "mine"
