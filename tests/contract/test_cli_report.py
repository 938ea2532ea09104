"""``winprob report``: one page, its options, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from winprob.cli import main
from winprob.errors import OutputError
from winprob.model.posterior import Posterior
from winprob.report.pdf import require_pdf
from winprob.simulation import Simulation


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, posterior: Posterior, team: Simulation) -> Path:
    folder = tmp_path_factory.mktemp("report")
    posterior.save(folder / "model.nc")
    pd.concat([team.closed.tail(60), team.open]).to_csv(folder / "deals.csv", index=False)
    pd.concat([team.closed.tail(9), team.open.head(6)]).to_csv(folder / "few.csv", index=False)
    then = team.open.iloc[3:].assign(as_of=team.open["as_of"] - pd.Timedelta(days=28))
    then.to_csv(folder / "then.csv", index=False)
    (folder / "executives.toml").write_text('[[executives]]\nname = "E1"\nslots = 2\n')
    (folder / "settings.toml").write_text("[review]\ndeals = 3\n")
    return folder


def report(work: Path, *options: str, deals: str = "deals.csv") -> Result:
    given = ["report", str(work / deals), "--model", str(work / "model.nc")]
    return CliRunner().invoke(main, [*given, "--settings", str(work / "settings.toml"), *options])


def test_one_page_with_everything(work: Path, tmp_path: Path) -> None:
    out = tmp_path / "review.html"
    options = ["--before", str(work / "then.csv"), "--executives", str(work / "executives.toml"), "--target", "5e7"]
    result = report(work, "--out", str(out), *options)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    page = out.read_text("utf-8")
    assert "2026Q4" in page
    for given in ("--before", "--executives", "--target"):
        assert given not in page
    assert [path.name for path in tmp_path.iterdir()] == ["review.html"]


def test_a_pdf_without_the_extra_says_what_to_install(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    result = report(work, "--out", str(tmp_path / "review.pdf"))
    assert result.exit_code == 1
    assert "winprob[pdf]" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_pdf_is_made_with_the_extra(work: Path, tmp_path: Path) -> None:
    try:
        require_pdf()
    except OutputError as missing:
        pytest.skip(str(missing))
    result = report(work, "--out", str(tmp_path / "review.pdf"), "--lang", "zh", deals="few.csv")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "review.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--people-before", "p.csv"], 2, "--before"),
        (["--quarter", "2020Q1"], 1, "2020Q1"),
        (["--target", "0"], 1, "target"),
        (["--out", "nowhere/review.html"], 1, "nowhere"),
    ],
)
def test_what_cannot_be_is_refused(work: Path, options: list[str], code: int, words: str) -> None:
    out = [] if "--out" in options else ["--out", str(work / "x.html")]
    result = report(work, *out, *options)
    assert result.exit_code == code
    assert words in result.stderr
    assert not (work / "x.html").exists()
