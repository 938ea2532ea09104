"""``winprob effects MODEL``: terms that are asked for, the page, and the words under the table."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

import winprob
from winprob.cli import main
from winprob.model.posterior import Posterior

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, posterior: Posterior) -> Path:
    path = tmp_path_factory.mktemp("effects") / "model.nc"
    posterior.save(path)
    return path


def run(model: Path, *options: object) -> Result:
    return CliRunner().invoke(main, ["effects", str(model), *map(str, options)])


def table(result: Result) -> pd.DataFrame:
    assert result.exit_code == 0, result.output
    return pd.read_csv(io.StringIO(result.stdout), keep_default_na=False, na_values=[""])


def test_the_table_is_the_librarys(model: Path) -> None:
    expected = winprob.effects(Posterior.load(model))
    got = table(run(model, "--format", "csv"))
    assert got["term"].tolist() == expected["term"].tolist()
    assert got["level"].astype(str).str.lstrip("'").tolist() == expected["level"].tolist()
    for column in ("from", "to", "mean", "lower", "upper"):
        assert got[column].tolist() == pytest.approx(expected[column].tolist(), rel=1e-6, nan_ok=True)


def test_only_the_terms_that_are_asked_for_in_the_models_order(model: Path) -> None:
    got = table(run(model, "--format", "csv", "--term", "coach", "--term", "stage"))
    whole = table(run(model, "--format", "csv"))
    assert got["term"].drop_duplicates().tolist() == ["stage", "coach"]
    expected = whole[whole["term"].isin(["stage", "coach"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(got, expected, check_dtype=False)


def test_every_unknown_term_is_named_at_once_with_what_was_meant(model: Path, tmp_path: Path) -> None:
    result = run(model, "--term", "stge", "--term", "coach", "--term", "nope", "--out", tmp_path / "x.csv")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no term 'stge'; did you mean 'stage'?" in result.stderr
    assert "no term 'nope'; accepted: stage, approver_coverage" in result.stderr
    assert "no term 'coach'" not in result.stderr
    assert not list(tmp_path.iterdir())
    assert "模型中没有 'nope' 这一项" in run(model, "--term", "nope", "--lang", "zh").stderr


def test_the_verdict_is_on_stderr_in_the_language_of_the_command(model: Path) -> None:
    english, chinese = run(model), run(model, "--lang", "zh")
    # The table is in the language of the command too; files for programs are the same in both.
    assert english.stdout.split()[:2] == ["term", "level"]
    assert chinese.stdout.split()[:2] == ["项", "取值"]
    assert run(model, "--format", "csv").stdout == run(model, "--format", "csv", "--lang", "zh").stdout
    assert "What moves the odds most over the training deals" in english.stderr
    assert all(CHINESE.search(line) for line in chinese.stderr.splitlines())
    assert not re.search(r"\b[a-z]+ [a-z]+ [a-z]+\b", chinese.stderr)


@pytest.mark.parametrize(("lang", "title"), [("en", "Learned effects"), ("zh", "学到的效应")])
def test_the_page_has_the_charts(model: Path, tmp_path: Path, lang: str, title: str) -> None:
    page = tmp_path / "effects.html"
    result = run(model, "--page", page, "--lang", lang)
    assert result.exit_code == 0, result.output
    text = page.read_text("utf-8")
    assert f"<h1>{title}</h1>" in text
    assert text.count("<figure>") == text.count("<svg") == 4
    assert "<script" not in text
    assert [path.name for path in tmp_path.iterdir()] == ["effects.html"]


def test_a_page_that_cannot_be_written_is_refused_before_the_work(model: Path, tmp_path: Path) -> None:
    result = run(model, "--page", tmp_path / "nowhere" / "x.html")
    assert (result.exit_code, result.stdout) == (1, "")


def test_the_page_and_the_table_are_no_inputs(model: Path) -> None:
    before = model.read_bytes()
    assert "it is the input MODEL" in run(model, "--page", model).stderr
    assert model.read_bytes() == before


def test_a_file_that_is_not_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.nc").write_text("no")
    result = run(tmp_path / "x.nc")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr
