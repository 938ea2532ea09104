"""One Chinese word for one thing, on the screen, on pages and on sheets, and Chinese punctuation between Chinese words.

The words on the left are those that a thing was once called by; each pattern names its exceptions.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po

import winprob

SOURCE = Path(winprob.__file__).parent
#: What must not be read, and what it is called. Lookarounds are exceptions: 季度评审 and 评审日 are right, 评审 is not.
FORBIDDEN = {
    "杠杆|抓手": "发力点",
    "最好情况": "最佳情况",
    "管道|储备": "在途（未承诺）",
    "尚未创建|尚未建立": "本季新增（尚未录入）",
    "已关闭": "已结束",
    # 升级, 级别, 上级, 层级, 分级, 高级, 等级, 级联 are other words.
    "一级|最高级|[234]级": "档",
    "回顾": "季度评审",
    "(?<!输单)复盘": "输单复盘",
    "(?<!季度)评审(?!日)": "季度评审",
    "提醒": "警告",
    "你们|贵方|贵司|您": "贵团队",
    "共有的疑问|共有对": "共同的不确定性",
    "判读|读数|评估日|读取日": "记录（日期）",
    "(?:让|给|由|请|帮|摸清)其(?!中|他|余)|其真实": "他",
    "成立的条件|可能的偏差": "靠什么达成，什么会让它落空",
    "自身的运气": "单个商机的输赢",
    "此时的不同|赢率同时偏离": "这种情形多半是：整体赢率偏低/偏高",
    "对高层的请求": "请我方高层出面",
    "选择有多稳|较稳|稳固": "把握；较有把握",
    "失分": "丢分",
    "若已覆盖到位": "若做到位",
    "无可提高|无法再提高": "已到最高档",
    "隐藏的共同原因": "除非有某个未记录的原因",
    "倘若": "如果情况完全摸清",
    "rolling": "按季度滚动回测",
    "单线联系": "单点接触",
    "从任何": "尚未学习任何已结束商机",
    "无可评分": "暂不能评分",
}
#: Quotations of customers.
QUOTED = ("“你们和别家有什么不同？”",)
HAN = r"[\u4e00-\u9fff]"
#: ASCII punctuation with Chinese on both sides, quotation marks and braces of fields aside.
ASCII_PUNCTUATION = re.compile(rf"{HAN}[”’）》}}]?\s*[,;:?!]\s*[“‘（《{{]?{HAN}|{HAN}\s*\({HAN}|{HAN}\)\s*{HAN}")


def catalog() -> Iterator[tuple[str, str]]:
    with (SOURCE / "locale" / "zh.po").open("rb") as file:
        for message in read_po(file, locale="zh"):
            if message.id:
                yield str(message.id), str(message.string)


def methodology() -> Iterator[tuple[str, str]]:
    for path in sorted((SOURCE / "methodology").rglob("*.toml")):
        for text in chinese_of(tomllib.loads(path.read_text(encoding="utf-8"))):
            yield path.name, text


def chinese_of(value: Any, key: str = "") -> Iterator[str]:
    """The texts under ``zh``; not the aliases, which are the words of exports."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from chinese_of(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from chinese_of(inner, key)
    elif isinstance(value, str) and key == "zh":
        yield value


TEXTS = [*catalog(), *methodology()]


def test_the_texts_are_found() -> None:
    assert sum(1 for _ in catalog()) > 1000
    assert sum(1 for _ in methodology()) > 500


@pytest.mark.parametrize(("word", "better"), FORBIDDEN.items())
def test_one_word_for_one_thing(word: str, better: str) -> None:
    found = [(where, text) for where, text in TEXTS if text not in QUOTED and re.search(word, text)]
    assert found == [], f"write {better}"


@pytest.mark.parametrize(
    "word", sorted({part for better in FORBIDDEN.values() for part in re.split("[；：，/]", better)})
)
def test_a_better_word_is_not_itself_forbidden(word: str) -> None:
    assert not [pattern for pattern in FORBIDDEN if re.search(pattern, word)]


def test_no_person_is_an_it_in_the_method() -> None:
    """其 is kept for 其中, 其他, 其余, 尤其 and 极其."""
    ours = re.compile("其中|其他|其余|尤其|极其")
    assert [(where, text) for where, text in methodology() if "其" in ours.sub("", text)] == []


def test_no_ascii_punctuation_between_chinese_words() -> None:
    assert [(where, text) for where, text in TEXTS if ASCII_PUNCTUATION.search(text)] == []


@pytest.mark.parametrize("text", ["赢率,金额", "注意: 金额", "甲;乙", "真的?是", "列（甲）:乙", "金额(元)合计"])
def test_the_rule_of_punctuation_finds_what_it_forbids(text: str) -> None:
    assert ASCII_PUNCTUATION.search(text)


@pytest.mark.parametrize("text", ["赢率，金额", "P50：2.4万", "见 winprob check:列", "{a}, {b}", "1,234 万", "10:30"])
def test_the_rule_of_punctuation_leaves_code_and_numbers(text: str) -> None:
    assert not ASCII_PUNCTUATION.search(text)
