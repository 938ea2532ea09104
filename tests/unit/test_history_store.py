"""A history keeps what it was given: whole, once, and for good, whatever happens to the writer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from winprob.data.history import folder as history_folder
from winprob.data.history import is_history, read_history, write_snapshot
from winprob.data.tables import read_deals
from winprob.errors import DealTableError, HistoryError, InputError, OutputError

ROOT = Path(__file__).parents[2]


def export(deals: int = 4, **columns: object) -> pd.DataFrame:
    plain = {
        "deal_id": [f"D{number}" for number in range(deals)],
        "opened_on": "2026-01-05",
        "outcome": "open",
        "amount": np.arange(deals) * 1000.0,
        "stage": ["evaluation", None] * (deals // 2),
        "seller": "王伟",
    }
    return pd.DataFrame({**plain, **columns})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_known_reads_back_by_day(tmp_path: Path) -> None:
    first, second = export(), export(6, stage="decision")
    assert write_snapshot(first, "2026-03-31", tmp_path / "h").added
    write_snapshot(second, pd.Timestamp(2026, 6, 30), tmp_path / "h")
    back = read_history(tmp_path / "h", as_of="2026-03-31")
    assert back["deal_id"].tolist() == first["deal_id"].tolist()
    assert back["stage"].isna().tolist() == [False, True, False, True]
    assert (back["as_of"] == pd.Timestamp(2026, 3, 31)).all()
    assert back["opened_on"].dtype == "datetime64[us]"
    both = read_history(tmp_path / "h")
    assert both.groupby("as_of").size().tolist() == [4, 6]
    assert len(read_history(tmp_path / "h", since="2026-04-01")) == 6
    assert len(read_history(tmp_path / "h", until="2026-04-01")) == 4


def test_the_folder_is_a_parquet_data_set_for_other_readers(tmp_path: Path) -> None:
    for day in ("2026-03-31", "2026-06-30"):
        write_snapshot(export(), day, tmp_path)
    table = pd.read_parquet(tmp_path)
    assert sorted(table["as_of"].astype(str).unique()) == ["2026-03-31", "2026-06-30"]
    assert len(table) == 8


def test_the_same_export_in_another_order_is_one_snapshot(tmp_path: Path) -> None:
    given = export()
    before = given.copy(deep=True)
    write_snapshot(given, "2026-03-31", tmp_path)
    stored = (tmp_path / "as_of=2026-03-31" / "snapshot.parquet").read_bytes()
    again = write_snapshot(given.iloc[::-1].assign(region=None), "2026-03-31", tmp_path)
    assert not again.added
    assert (tmp_path / "as_of=2026-03-31" / "snapshot.parquet").read_bytes() == stored
    pd.testing.assert_frame_equal(given, before)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (export(amount=[0.0, 1000.0, 5.0, 3000.0]), "1 deals differ, first deal 'D2': 'amount' was 2000 and is 5 now"),
        (export(stage=["evaluation"] * 4), "2 deals differ, first deal 'D1': 'stage' was blank and is 'evaluation'"),
        (export().iloc[:3], "1 deals differ, first deal 'D3': it is missing now"),
        (export(6), "2 deals differ, first deal 'D4': it was missing before"),
    ],
)
def test_another_export_for_a_day_is_refused(tmp_path: Path, other: pd.DataFrame, words: str) -> None:
    write_snapshot(export(), "2026-03-31", tmp_path)
    with pytest.raises(HistoryError, match="overlapping snapshots that disagree") as refused:
        write_snapshot(other, "2026-03-31", tmp_path)
    assert words in str(refused.value)
    assert "never rewritten" in str(refused.value)
    assert len(read_history(tmp_path)) == 4


def test_the_last_reading_counts_and_gets_the_snapshots_day(tmp_path: Path) -> None:
    twice = pd.concat([export(as_of="2026-02-01", coach="none"), export(as_of="2026-03-01", coach="validated")])
    assert write_snapshot(twice, "2026-03-31", tmp_path).deals == 4
    back = read_history(tmp_path)
    assert back["coach"].unique().tolist() == ["validated"]
    assert back["as_of"].unique().tolist() == [pd.Timestamp(2026, 3, 31)]


def test_covariates_are_kept_and_other_columns_are_named(tmp_path: Path) -> None:
    deals = export(Industry=["a", "b", None, "c"], Age=[1, 2, None, 4], Note="x")
    deals.attrs["covariates"] = {"varying": ["Industry"], "numeric": [{"column": "Age", "transform": "log1p"}]}
    kept = write_snapshot(deals, "2026-03-31", tmp_path)
    assert kept.left_out == ("Note",)
    write_snapshot(export(), "2026-06-30", tmp_path)
    back = read_history(tmp_path)
    assert back.attrs["covariates"] == deals.attrs["covariates"]
    assert back["Age"].isna().tolist() == [False, False, True, False, True, True, True, True]
    assert "Industry" not in read_history(tmp_path, as_of="2026-06-30")


def test_a_covariate_that_changed_its_kind_reads_as_text(tmp_path: Path) -> None:
    for day, values in (("2026-03-31", [1.0, 2.0, 3.0, 4.0]), ("2026-06-30", ["1", "b", "c", "d"])):
        deals = export(Grade=values)
        deals.attrs["covariates"] = {"varying": ["Grade"], "numeric": []}
        write_snapshot(deals, day, tmp_path)
    assert read_history(tmp_path)["Grade"].tolist() == ["1", "2", "3", "4", "1", "b", "c", "d"]


def test_exports_in_other_encodings_and_headers_are_one_history(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("商机编号,阶段,金额\nD1,评估产品,100万\nD2,,5\n".encode("gb18030"))
    (tmp_path / "b.csv").write_bytes("\ufeffdeal_id,stage,amount,coach\nD1,decision,1200000,validated\n".encode())
    for day, name in (("2026-03-31", "a.csv"), ("2026-06-30", "b.csv")):
        write_snapshot(read_deals(tmp_path / name), day, tmp_path / "h")
    back = read_history(tmp_path / "h")
    assert back["stage"].fillna("?").tolist() == ["evaluation", "?", "decision"]
    assert back["amount"].tolist() == [1e6, 5.0, 1.2e6]
    assert back["coach"].fillna("?").tolist() == ["?", "?", "validated"]


def test_one_day_does_not_read_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in ("2026-03-31", "2026-06-30"):
        write_snapshot(export(), day, tmp_path)
    (tmp_path / "as_of=2026-06-30" / "snapshot.parquet").write_bytes(b"PAR1 damaged")
    read: list[str] = []
    whole = history_folder.read_content
    monkeypatch.setattr(history_folder, "read_content", lambda place: read.append(place.name) or whole(place))
    assert len(read_history(tmp_path, as_of="2026-03-31")) == 4
    assert read == ["as_of=2026-03-31"]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"as_of": "2026-05-01"}, "'as_of' is after the snapshot's day 2026-03-31 in 4 rows"),
        ({"closed_on": "2026-05-01", "outcome": "won"}, "map it to 'expected_close_on'"),
        ({"amount": float("inf")}, "'amount' infinite in 4 rows"),
    ],
)
def test_what_could_not_be_known_is_refused_and_nothing_is_made(
    tmp_path: Path, columns: dict[str, object], words: str
) -> None:
    with pytest.raises(DealTableError, match=words):
        write_snapshot(export(**columns), "2026-03-31", tmp_path / "h")
    assert not (tmp_path / "h").exists()


def test_a_clock_in_another_zone_may_be_a_day_ahead(tmp_path: Path) -> None:
    kept = write_snapshot(export(closed_on="2026-04-01", outcome="won"), "2026-03-31", tmp_path)
    assert (kept.added, kept.next_day) == (True, 4)


def test_an_export_without_deals_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DealTableError, match="no deal"):
        write_snapshot(export().iloc[:0], "2026-03-31", tmp_path)


@pytest.mark.parametrize("day", ["31.03.2026", "2026-02-30", "", "heute", 7])
def test_a_day_that_is_none(tmp_path: Path, day: str) -> None:
    with pytest.raises(HistoryError, match="wanted YYYY-MM-DD"):
        write_snapshot(export(), day, tmp_path)


def test_an_unknown_day_says_which_there_are(tmp_path: Path) -> None:
    for month in range(1, 13):
        write_snapshot(export(opened_on=None), f"2026-{month:02d}-01", tmp_path)
    with pytest.raises(HistoryError, match=r"no snapshot of 2026-01-02; it has 12: 2026-01-01, .*…, .*, 2026-12-01"):
        read_history(tmp_path, as_of="2026-01-02")
    with pytest.raises(HistoryError, match="no snapshot from 2027-01-01"):
        read_history(tmp_path, since="2027-01-01")


def test_folders_and_files_that_are_no_history(tmp_path: Path) -> None:
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "beach.jpg").write_bytes(b"x")
    for act in (lambda: read_history(foreign), lambda: write_snapshot(export(), "2026-03-31", foreign)):
        with pytest.raises(HistoryError, match=r"not a winprob history: .*beach\.jpg"):
            act()
    assert names(foreign) == ["beach.jpg"]
    with pytest.raises(HistoryError, match="does not exist"):
        read_history(tmp_path / "nowhere")
    for act in (
        lambda: read_history(foreign / "beach.jpg"),
        lambda: write_snapshot(export(), "2026-03-31", foreign / "beach.jpg"),
        lambda: write_snapshot(export(), "2026-03-31", foreign / "beach.jpg" / "below"),
    ):
        with pytest.raises(HistoryError, match="a history is a folder"):
            act()


def test_manifests_that_say_something_else(tmp_path: Path) -> None:
    write_snapshot(export(), "2026-03-31", tmp_path)
    manifest = tmp_path / "_winprob_history.json"
    assert json.loads(manifest.read_text()) == {"kind": "winprob history", "format": 1}
    for text, words in (
        ('{"kind": "winprob history", "format": 2}', "format 2; this winprob reads format 1"),
        ('{"kind": "diary"}', "not a winprob history"),
        ("{", "cannot be read"),
    ):
        manifest.write_text(text)
        with pytest.raises(HistoryError, match=words):
            read_history(tmp_path)


def test_damaged_and_stray_snapshots(tmp_path: Path) -> None:
    write_snapshot(export(), "2026-03-31", tmp_path)
    (tmp_path / "as_of=2026-03-31" / "snapshot.parquet").write_bytes(b"PAR1 cut short")
    with pytest.raises(InputError, match=r"as_of=2026-03-31.*damaged"):
        read_history(tmp_path)
    (tmp_path / "as_of=Easter").mkdir()
    with pytest.raises(HistoryError, match="whose names are not days: as_of=Easter"):
        read_history(tmp_path)


def test_an_empty_history_says_so(tmp_path: Path) -> None:
    write_snapshot(export(), "2026-03-31", tmp_path)
    shutil.rmtree(tmp_path / "as_of=2026-03-31")
    with pytest.raises(HistoryError, match="no snapshot yet"):
        read_history(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="permission denied"):
        write_snapshot(export(), "2026-03-31", tmp_path / "h")


@pytest.mark.parametrize("call", ["fsync", "rename", "replace"])
@pytest.mark.parametrize("fails_at", [1, 2, 3, 4, 5])
def test_a_disk_that_fails_leaves_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, fails_at: int
) -> None:
    calls = 0
    real = getattr(os, call)

    def failing(*args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise OSError(28, "No space left on device")
        return real(*args)

    monkeypatch.setattr(os, call, failing)
    told = ""
    try:
        write_snapshot(export(), "2026-03-31", tmp_path)
    except OutputError as error:
        told = str(error)
    assert ("No space left" in told) == (calls >= fails_at)
    monkeypatch.undo()
    sound_after_all(tmp_path)


def sound_after_all(folder: Path) -> None:
    """The snapshot is whole or not there; the next run works, adds what is missing and clears up."""
    partial = [path for path in folder.glob("as_of=*") if len(read_history(folder, as_of=path.name[6:])) != 4]
    assert partial == []
    write_snapshot(export(), "2026-03-31", folder)
    write_snapshot(export(6), "2026-06-30", folder)
    assert read_history(folder).groupby("as_of").size().tolist() == [4, 6]
    assert names(folder) == ["_winprob_history.json", "as_of=2026-03-31", "as_of=2026-06-30"]


#: Kills a writer with SIGKILL just before its n-th call to the disk, for every n; each in a folder of its own.
KILLED = """
import os, signal, sys
import pandas as pd
from winprob.data.history import write_snapshot
deals = pd.DataFrame({"deal_id": ["D0", "D1", "D2", "D3"], "opened_on": "2026-01-05", "outcome": "open",
    "amount": [0.0, 1000.0, 2000.0, 3000.0], "stage": ["evaluation", None] * 2, "seller": "王伟"})
def deadly(name, left):
    real = getattr(os, name)
    def call(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    setattr(os, name, call)
for number in range(1, 30):
    child = os.fork()
    if child == 0:
        left = [number]
        for name in ("mkdir", "fsync", "rename", "replace", "open", "rmdir"):
            deadly(name, left)
        write_snapshot(deals, "2026-03-31", os.path.join(sys.argv[1], str(number)))
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(number)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_writer_killed_at_any_moment_leaves_all_or_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    moments = int(done.stdout)
    assert moments > 8
    leftovers = 0
    for number in range(1, moments + 1):
        folder = tmp_path / str(number)
        leftovers += len(list(folder.glob(".winprob-*"))) if folder.exists() else 0
        folder.mkdir(exist_ok=True)
        assert is_history(folder) or list(folder.glob("as_of=*")) == []
        sound_after_all(folder)
    assert leftovers > 2


WRITER = """
import sys
import pandas as pd
from winprob.errors import HistoryError
from winprob.data.history import write_snapshot
folder, day, first, count = sys.argv[1:]
deals = pd.DataFrame({"deal_id": [f"D{number}" for number in range(2000)], "amount": float(first)})
sys.stdin.readline()
for step in range(int(count)):
    when = pd.Timestamp(day) + pd.Timedelta(days=2 * step)
    try:
        print("added" if write_snapshot(deals, when, folder).added else "there")
    except HistoryError as error:
        print("refused" if "disagree" in str(error) else error)
"""


def two_writers(folder: Path, days: tuple[str, str], amounts: tuple[int, int], count: int) -> list[list[str]]:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, folder, day, str(amount), str(count)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for day, amount in zip(days, amounts, strict=True)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    return [writer.communicate(timeout=120)[0].split() for writer in writers]


def test_two_writers_of_different_days_are_both_kept(tmp_path: Path) -> None:
    said = two_writers(tmp_path / "h", ("2026-01-01", "2026-01-02"), (1, 2), 6)
    assert said == [["added"] * 6] * 2
    back = read_history(tmp_path / "h")
    assert back.groupby("as_of")["amount"].agg(["size", "nunique"]).to_numpy().tolist() == [[2000, 1]] * 12


def test_of_two_writers_of_one_day_one_is_refused(tmp_path: Path) -> None:
    said = two_writers(tmp_path / "h", ("2026-01-01", "2026-01-01"), (1, 2), 6)
    assert sorted(zip(*said, strict=True)) == sorted(
        ("added", "refused") if one == "added" else ("refused", "added") for one in said[0]
    )
    back = read_history(tmp_path / "h")
    assert back.groupby("as_of")["amount"].agg(["size", "nunique"]).to_numpy().tolist() == [[2000, 1]] * 6


def test_without_locks_the_name_still_keeps_two_writers_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def refuses(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuses)
    write_snapshot(export(), "2026-03-31", tmp_path)
    real = Path.exists
    # As if the other writer came between the look and the rename.
    looks = iter([False])
    monkeypatch.setattr(
        Path, "exists", lambda path: next(looks, real(path)) if path.name.startswith("as_of=") else real(path)
    )
    with pytest.raises(HistoryError, match="disagree"):
        write_snapshot(export(6), "2026-03-31", tmp_path)
    assert len(read_history(tmp_path)) == 4
