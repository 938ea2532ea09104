"""Usage errors: Click's messages follow ``--lang``, and the exit code is 2 in either language."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from winprob.cli import main
from winprob.i18n import language

MISTAKES = {
    "missing argument": (["predict"], "Missing argument 'DEALS'", "缺少参数 'DEALS'"),
    "missing option": (["predict", "x.csv"], "Missing option '--model'", "缺少选项 '--model'"),
    "unknown option": (["check", "x.csv", "--modle", "m"], "No such option '--modle'", "没有选项 '--modle'"),
    "near option": (["predict", "x.csv", "--modl", "m"], "Did you mean '--model'?", "是否想用 '--model'？"),
    "unknown command": (["chek"], "No such command 'chek'", "没有命令 'chek'"),
    "extra argument": (["check", "a", "b"], "Got unexpected extra argument (b)", "多出一个参数（b）"),
    "not a number": (["check", "a", "--seed", "x"], "Invalid value for '--seed'", "'--seed' 的值无效"),
    "not a choice": (["check", "a", "--format", "xml"], "'xml' is not one of", "'xml' 不在可选值"),
    "not a date": (["train", "a", "--model", "m", "--as-of", "2024"], "does not match the format", "不符合格式"),
    "no value": (["check", "a", "--mapping"], "Option '--mapping' requires an argument", "选项 '--mapping' 需要一个值"),
}


def refused(*words: str) -> Result:
    done = CliRunner().invoke(main, list(words), catch_exceptions=False)
    assert done.exit_code == 2
    return done


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_usage_error_is_in_the_language_asked_for(mistake: str) -> None:
    words, english, chinese = MISTAKES[mistake]
    assert english in refused(*words).stderr
    for asked in (["--lang", "zh"], ["--lang=zh"]):
        given = refused(words[0], *asked, *words[1:]).stderr
        assert chinese in given
        assert english not in given
        assert "错误：" in given
        assert "Usage" not in given
        assert "Error" not in given
    assert language() == "en"


def test_an_unknown_language_is_refused_in_english() -> None:
    assert "'fr' is not one of" in refused("check", "x.csv", "--lang", "fr").stderr


def test_help_stays_in_english() -> None:
    assert "Show this message and exit." in CliRunner().invoke(main, ["check", "--help"]).stdout
