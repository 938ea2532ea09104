"""No command overwrites what it reads, and what it writes is whole, with the right mode and without leftovers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from winprob import Posterior
from winprob.cli import main
from winprob.data.tables import replacing, require_writable
from winprob.simulation import write_simulation

DEALS = "deal_id,outcome,amount,opened_on\nD1,open,100,2026-01-05\nD2,open,200,2026-02-05\n"
FORECAST = ("forecast", "deals.csv", "--model", "model.nc", "--quarter", "2026Q4")


@pytest.fixture
def place(believed: Posterior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("deals.csv").write_text(DEALS)
    believed.save("model.nc")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def refused(result: Result, words: str) -> None:
    assert result.exit_code == 1, result.output
    assert words in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("spelling", ["deals.csv", "../{here}/deals.csv", "{full}/deals.csv", "soft.csv", "hard.csv"])
def test_an_output_that_is_the_input_is_refused_by_any_spelling(place: Path, spelling: str) -> None:
    Path("soft.csv").symlink_to("deals.csv")
    os.link("deals.csv", "hard.csv")
    out = spelling.format(here=place.name, full=place)
    refused(run("predict", "deals.csv", "--model", "model.nc", "--out", out), "it is the input DEALS")
    assert Path("deals.csv").read_text() == DEALS
    if spelling != "soft.csv":
        refused(run("predict", "soft.csv", "--model", "model.nc", "--out", out), "it is the input DEALS")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "deals.csv", "--model", "deals.csv"), "--model deals.csv: it is the input DEALS"),
        (("train", "deals.csv", "--model", "x.csv", "--out", "x.csv"), "--model writes to the same place"),
        (("train", "deals.csv", "--model", "x.nc", "--settings", "x.nc"), "it is the input --settings"),
        (("predict", "deals.csv", "--model", "model.nc", "--people", "p.csv", "--out", "p.csv"), "the input --people"),
        (("brief", "deals.csv", "--deal", "D1", "--model", "model.nc", "--out", "model.nc"), "the input --model"),
        (("brief", "deals.csv", "--deal", "D1", "--model", "m", "--preset", "a.toml", "--out", "a.toml"), "--preset"),
        (("preset", "my.toml", "--out", "./my.toml"), "it is the input NAME"),
        (("card", "model.nc", "--record", "r.json", "--out", "r.json"), "the input --record"),
        (("backtest", "deals.csv", "--page", "x.html", "--record", "x.html"), "writes to the same place"),
        (("report", "deals.csv", "--model", "model.nc", "--out", "x.pdf", "--pdf", "./x.pdf"), "same place"),
        (
            (*FORECAST, "--out", "x.csv", "--deals-out", "x.csv"),
            "writes to the same place",
        ),
        (
            (*FORECAST, "--log", "log", "--deals-out", "log/x.csv"),
            "writes to the same place",
        ),
    ],
)
def test_outputs_are_compared_with_every_input_and_with_each_other(
    place: Path, arguments: tuple[str, ...], words: str
) -> None:
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    refused(run(*arguments), words)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


def test_a_history_takes_no_other_file(place: Path) -> None:
    assert run("snapshot", "deals.csv", "--as-of", "2026-03-31", "--history", "h").exit_code == 0
    kept = Path("h/as_of=2026-03-31/snapshot.parquet")
    content = kept.read_bytes()
    for out in (str(kept), "h/x.parquet", "h/as_of=2026-03-31/deeper/x.csv"):
        refused(run("predict", "deals.csv", "--model", "model.nc", "--out", out), "which only winprob changes")
    refused(run("predict", "h", "--model", "model.nc", "--out", "h/x.csv"), "in the folder that DEALS reads")
    refused(run("demo", "--out", "h"), "which only winprob changes")
    assert kept.read_bytes() == content
    assert run("snapshot", "deals.csv", "--as-of", "2026-04-01", "--history", "h").exit_code == 0


def test_devices_may_be_named_twice_and_names_that_differ_in_case_are_two_files(place: Path) -> None:
    assert run("predict", "deals.csv", "--model", "model.nc", "--format", "csv", "--out", "/dev/null").exit_code == 0
    folds = (place / "DEALS.CSV").exists()
    assert run("predict", "deals.csv", "--model", "model.nc", "--out", "DEALS.csv").exit_code == int(folds)


def test_the_refusal_is_in_the_language_of_the_command(place: Path) -> None:
    result = run("predict", "deals.csv", "--model", "model.nc", "--out", "deals.csv", "--lang", "zh")
    assert "另选一个文件" in result.stderr


@pytest.mark.parametrize("name", ["x" * 300 + ".csv", "nowhere/" * 3 + "x.csv", "deals.csv/x.csv"])
def test_a_path_that_cannot_be_is_one_message(place: Path, name: str) -> None:
    for arguments in (("predict", "deals.csv", "--model", "model.nc", "--out", name), ("check", name)):
        result = run(*arguments)
        assert result.exit_code == 1
        assert len(result.stderr.strip().splitlines()) == 1
        assert isinstance(result.exception, SystemExit)


def test_a_long_name_that_the_file_system_takes_is_written(place: Path) -> None:
    name = "x" * 250 + ".csv"
    assert run("predict", "deals.csv", "--model", "model.nc", "--out", name).exit_code == 0
    assert Path(name).stat().st_size


def test_an_output_keeps_the_mode_of_the_file_it_replaces(place: Path) -> None:
    Path("kept.csv").touch()
    Path("kept.csv").chmod(0o640)
    before = os.umask(0o027)
    try:
        for name in ("kept.csv", "new.csv"):
            assert run("predict", "deals.csv", "--model", "model.nc", "--out", name).exit_code == 0
    finally:
        os.umask(before)
    assert [Path(name).stat().st_mode & 0o777 for name in ("kept.csv", "new.csv")] == [0o640, 0o640]


WRITER = """
import os, signal, sys
from winprob.data.tables import replacing
with replacing(sys.argv[1]) as scratch:
    scratch.write_text("half")
    print("writing", flush=True)
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.readline()
"""


def start(path: Path, fate: str) -> subprocess.Popen[str]:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), fate], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    return writer


@pytest.mark.skipif(os.name != "posix", reason="needs locks")
def test_the_next_run_removes_what_a_killed_one_left_and_nothing_of_a_running_one(tmp_path: Path) -> None:
    killed = start(tmp_path / "a.csv", "killed")
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    running = start(tmp_path / "b.csv", "running")
    assert len(list(tmp_path.iterdir())) == 1
    (tmp_path / ".winprob_notes.tmp").touch()
    with replacing(tmp_path / "c.csv") as scratch:
        scratch.write_text("whole")
    require_writable(tmp_path / "d.csv")
    assert running.communicate("\n", timeout=60)[0] == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == [".winprob_notes.tmp", "b.csv", "c.csv"]
    assert (tmp_path / "b.csv").read_text() == "half"


def test_what_a_killed_simulation_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / ".winprob_0123456789ab"
    left.mkdir()
    (left / "closed.csv").touch()
    write_simulation(tmp_path, 5, 5, seed=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["closed.csv", "open.csv", "people.csv", "truth.nc"]


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
@pytest.mark.parametrize("redirection", [">&-", "| head -n 1"])
@pytest.mark.parametrize("form", ["table", "csv"])
def test_a_closed_stdout_is_quiet(place: Path, redirection: str, form: str) -> None:
    program = "from winprob.cli import main; main()"
    command = f'"{sys.executable}" -c "{program}" predict deals.csv --model model.nc --format {form} {redirection}'
    root = Path(__file__).parents[2]
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(root)}, check=False
    )
    assert done.returncode == 0
    assert done.stderr.strip() == "This model has seen no deal: every figure here is prior." or not done.stderr


def _all_of(reader: int) -> str:
    blocks = []
    # The end of a pseudo-terminal is an error on Linux.
    with suppress(OSError):
        while block := os.read(reader, 4096):
            blocks.append(block)
    return b"".join(blocks).decode()


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_an_id_cannot_steer_the_terminal_and_a_file_keeps_it(place: Path, form: str) -> None:
    import pty

    steering = "a\x1b]0;owned\x07b\x9bc\u202ed\u2028e"
    plain = "".join(f"D{at},open\n" for at in range(40))
    Path("deals.csv").write_text(f'deal_id,outcome\n"{steering}",open\n{plain}', encoding="utf-8")
    program = "from winprob.cli import main; main()"
    command = [sys.executable, "-c", program, "predict", "deals.csv", "--model", "model.nc", "--format", form]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "120"}
    reader, terminal = pty.openpty()
    with subprocess.Popen(command, stdout=terminal, stderr=subprocess.DEVNULL, env=environment) as shower:
        os.close(terminal)
        shown = _all_of(reader)
    assert shower.returncode == 0
    os.close(reader)
    assert not set("\x1b\x07\x9b\u202e\u2028") & set(shown)
    assert "owned" in shown
    piped = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=True, timeout=60)
    assert ("\x1b" in piped.stdout or "\\u001b" in piped.stdout) == (form != "table")


def test_a_page_shows_no_control_or_direction_characters(believed: Posterior) -> None:
    from winprob.report.sheet import Sheet, to_html

    page = to_html(Sheet(title="a\x1b[2Jb\x9bc\u202ed", lead=("e\u2066f",), sections=()))
    assert not set("\x1b\x9b\u202e\u2066") & set(page)
    assert "a\ufffd[2Jb\ufffdc\ufffdd" in page
