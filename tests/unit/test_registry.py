"""The registry of models: adding, promoting, reverting, what verify finds, and what is refused."""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from winprob import Registry
from winprob.errors import OutputError, RegistryError
from winprob.i18n import use_language
from winprob.retrain import is_registry, models_table, moves_table, verdict_text

FIELDS = ["when", "who", "verb", "from", "to", "reason", "files", "previous", "hash"]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Three models, the second current and the first before it; the files are not models."""
    registry = Registry(tmp_path / "r")
    for content in (b"one", b"two", b"three"):
        registry.add({"model.nc": content, "settings.toml": b"[priors]\n"}, by="wang")
    registry.promote(1, by="wang")
    registry.promote(2, "better", by="li")
    return registry


def names(registry: Registry) -> list[str]:
    return [entry.name for entry in registry.entries()]


def current(registry: Registry) -> str | None:
    entry = registry.current()
    return entry.name if entry else None


def lines(registry: Registry) -> list[bytes]:
    return (registry.path / "log.jsonl").read_bytes().splitlines(keepends=True)


def write_lines(registry: Registry, texts: list[bytes]) -> None:
    (registry.path / "log.jsonl").write_bytes(b"".join(texts))


def is_refused(registry: Registry, words: str) -> None:
    """No reading and no writing of an altered registry goes on."""
    calls: list[Callable[[], object]] = [
        registry.current,
        registry.load,
        lambda: registry.add({"model.nc": b"x"}),
        lambda: registry.promote(3),
        registry.revert,
    ]
    before = {path: path.read_bytes() for path in registry.path.rglob("*") if path.is_file()}
    for call in calls:
        with pytest.raises(RegistryError, match=words):
            call()
    assert {path: path.read_bytes() for path in registry.path.rglob("*") if path.is_file()} == before


# ---- adding, promoting, reverting -----------------------------------------------------------------------------------


def test_a_missing_folder_is_an_empty_registry_and_is_made_by_the_first_model(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models" / "registry")
    assert (registry.entries(), registry.current(), registry.log()) == ([], None, ())
    assert not registry.path.exists()
    entry = registry.add({"model.nc": b"one"})
    assert is_registry(registry.path)
    assert (entry.number, entry.path) == (1, registry.path / entry.name)
    assert registry.entries() == [entry]
    assert registry.current() is None
    assert registry.verify() == []


def test_a_model_is_named_by_its_number_and_the_hash_of_its_content(registry: Registry) -> None:
    entry = registry.entry(3)
    own = {name: sha256((entry.path / name).read_bytes()).hexdigest() for name in ("model.nc", "settings.toml")}
    assert entry.files == own
    text = "".join(f"{own[name]}  {name}\n" for name in sorted(own))
    assert entry.hash == sha256(text.encode()).hexdigest()
    assert entry.name == f"0003-{entry.hash[:6]}"
    assert sorted(path.name for path in entry.path.iterdir()) == sorted(own)


@pytest.mark.parametrize("which", [2, "2", "0002", "name"])
def test_a_model_is_found_by_number_or_name(registry: Registry, which: int | str) -> None:
    assert registry.entry(names(registry)[1] if which == "name" else which) == registry.entries()[1]


@pytest.mark.parametrize("which", [0, 9, -1, "x", "", "0002-000000", "²", "9" * 5000, "../0002"])
def test_another_number_or_name_is_refused_with_those_there_are(registry: Registry, which: int | str) -> None:
    with pytest.raises(RegistryError, match=r"has no model .*; it has: 0001-"):
        registry.entry(which)


def test_every_line_of_the_log_has_the_same_fields_and_the_hash_of_the_line_before(registry: Registry) -> None:
    content = [json.loads(line) for line in lines(registry)]
    assert [list(line) for line in content] == [FIELDS] * 5
    hashes = [sha256(line.rstrip(b"\n")).hexdigest() for line in lines(registry)]
    assert [line["previous"] for line in content] == [None, *hashes[:-1]]
    first, second, third = names(registry)
    assert [(line["verb"], line["from"], line["to"], line["reason"], line["who"]) for line in content] == [
        ("add", None, first, "", "wang"),
        ("add", None, second, "", "wang"),
        ("add", None, third, "", "wang"),
        ("promote", None, first, "", "wang"),
        ("promote", first, second, "better", "li"),
    ]
    assert all(line["when"].endswith("+00:00") for line in content)
    assert (registry.path / "current").read_bytes() == f"{second}\n".encode()


def test_without_a_pseudonym_the_log_has_the_login_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "someone")
    assert Registry(tmp_path / "r").add({"model.nc": b"one"}).by == "someone"


def test_a_user_without_a_name_is_a_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert Registry(tmp_path / "r").add({"model.nc": b"one"}).by == "-"


def test_reverting_goes_back_one_promotion_after_the_other(registry: Registry) -> None:
    first, second, third = names(registry)
    registry.promote(third)
    assert registry.revert("worse on the new deals").name == second
    assert registry.revert().name == first
    with pytest.raises(RegistryError, match="no other model was current before"):
        registry.revert()
    registry.promote(3)
    assert registry.revert().name == first
    assert registry.verify() == []


def test_a_promotion_of_the_current_model_is_refused(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="is the current model already"):
        registry.promote(2)


def test_a_candidate_that_was_compared_with_a_former_model_is_refused(registry: Registry) -> None:
    first, second, third = names(registry)
    with pytest.raises(RegistryError, match=f"compared with {first}, and {second} is current by now"):
        registry.promote(3, compared_with=first)
    assert registry.promote(3, compared_with=second).name == third


@pytest.mark.parametrize(("verb", "gate"), [("add", {"verdict": "held"}), ("add", {"verdict": "?"}), ("hold", {})])
def test_a_model_that_the_gate_held_needs_a_reason(registry: Registry, verb: str, gate: dict[str, str]) -> None:
    entry = registry.add({"model.nc": b"x", "gate.json": json.dumps(gate).encode()}, verb=verb)
    for reason in ("", "  "):
        with pytest.raises(RegistryError, match=f"the gate did not pass {entry.name}.*--reason"):
            registry.promote(entry.number, reason)
    assert registry.promote(entry.number, "the sales process is new").name == entry.name


def test_a_model_that_the_gate_passed_needs_none(registry: Registry) -> None:
    entry = registry.add({"model.nc": b"x", "gate.json": b'{"verdict": "promote"}'})
    assert registry.promote(entry.number).name == entry.name


@pytest.mark.parametrize(
    ("files", "verb", "words"),
    [
        ({"card.html": b""}, "add", "needs the file model.nc"),
        ({"model.nc": b"", "../x": b""}, "add", "not names of files.*'../x'"),
        ({"model.nc": b"", "a/b": b"", ".hidden": b""}, "add", "'a/b', '.hidden'"),
        ({"model.nc": b"", "x\0y": b""}, "add", "not names of files"),
        ({"model.nc": b""}, "promote", "by add, hold, not by 'promote'"),
    ],
)
def test_what_cannot_be_a_model_is_refused_before_anything_is_written(
    tmp_path: Path, files: dict[str, bytes], verb: str, words: str
) -> None:
    with pytest.raises(RegistryError, match=words):
        Registry(tmp_path / "r").add(files, verb=verb)
    assert not list(tmp_path.iterdir())


def test_a_folder_of_something_else_is_not_taken_for_a_registry(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file", tmp_path / "notes.txt" / "deeper"):
        with pytest.raises((RegistryError, OutputError), match=r"is not a registry|there is no folder"):
            Registry(path).add({"model.nc": b"x"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "notes.txt"]
    with pytest.raises(RegistryError, match="nowhere does not exist"):
        Registry(tmp_path / "nowhere").verify()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "winprob history", "format": 1}', "[" * 9999, "\ud800"])
def test_a_damaged_manifest_is_refused(registry: Registry, text: str) -> None:
    (registry.path / "_winprob_registry.json").write_bytes(text.encode(errors="surrogatepass"))
    is_refused(registry, "is not a registry of models")


def test_a_later_format_is_refused(registry: Registry) -> None:
    (registry.path / "_winprob_registry.json").write_text('{"kind": "winprob registry", "format": 2}')
    is_refused(registry, "format 2, this winprob reads format 1")


@pytest.mark.parametrize("name", ["bad\0name", "a" * 300])
def test_a_name_that_cannot_be_a_folders_is_one_message(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        Registry(tmp_path / name).add({"model.nc": b"x"})


def test_a_reason_of_a_megabyte_is_refused_and_leaves_no_trace(registry: Registry) -> None:
    before = lines(registry)
    with pytest.raises(RegistryError, match="too long for the log"):
        registry.promote(3, "x" * 1_000_000)
    with pytest.raises(RegistryError, match="too long for the log"):
        registry.add({"model.nc": b"x"}, reason="x" * 1_000_000)
    assert lines(registry) == before
    assert registry.verify() == []
    registry.promote(3, "two\nlines, 中文, \ud800")
    assert len(lines(registry)) == len(before) + 1
    assert registry.log()[-1].reason == "two\nlines, 中文, ?"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_one_message(registry: Registry) -> None:
    registry.path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="permission denied"):
            registry.promote(3)
        assert registry.verify() == []
    finally:
        registry.path.chmod(0o700)


def test_a_full_disk_leaves_the_registry_as_it_was(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    before, real = lines(registry), os.fsync

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        registry.add({"model.nc": b"x"})
    monkeypatch.setattr(os, "fsync", real)
    assert lines(registry) == before
    assert not list(registry.path.glob(".winprob-*"))
    assert registry.verify() == []


# ---- what verify finds ----------------------------------------------------------------------------------------------


def test_a_whole_registry_has_no_fault(registry: Registry) -> None:
    assert registry.verify() == []
    (registry.path / ".gitignore").touch()
    (registry.path / "notes.txt").touch()
    assert registry.verify() == []


def alter(entry: Path) -> None:
    (entry / "settings.toml").write_bytes(b"[priors]\nintercept = [0, 9]\n")


def swap_for_a_link(entry: Path) -> None:
    (entry / "model.nc").rename(entry.parent / "elsewhere")
    (entry / "model.nc").symlink_to(entry.parent / "elsewhere")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (alter, r"settings.toml was altered: it differs from its hash in the log"),
        (lambda entry: (entry / "model.nc").unlink(), r"model.nc is missing"),
        (swap_for_a_link, r"model.nc is missing"),
        (lambda entry: (entry / "extra.txt").touch(), r"extra.txt was added after the model"),
        (shutil.rmtree, r"is missing: the folder of a model in the log"),
        (lambda entry: entry.rename(entry.with_name("0003-ffffff")), r"0003-ffffff is not in the log"),
    ],
)
def test_a_damaged_model_is_named_and_may_not_become_current(
    registry: Registry, damage: Callable[[Path], object], words: str
) -> None:
    damage(registry.entry(3).path)
    assert any(re.search(words, fault) for fault in registry.verify())
    with pytest.raises(RegistryError, match="cannot become current"):
        registry.promote(3)
    # The others can still be used.
    assert registry.revert().number == 1


def test_a_damaged_former_model_is_not_reverted_to(registry: Registry) -> None:
    (registry.entry(1).path / "model.nc").write_bytes(b"onE")
    with pytest.raises(RegistryError, match=r"0001-.* cannot become current: .*was altered"):
        registry.revert()
    assert current(registry) == names(registry)[1]


def replaced(at: int, old: bytes, new: bytes, *, seal: bool = True) -> Callable[[list[bytes]], list[bytes]]:
    """The line ``at`` with other words; with a valid hash of its own if ``seal``."""

    def change(texts: list[bytes]) -> list[bytes]:
        assert old in texts[at]
        text = texts[at].replace(old, new)
        return [*texts[:at], sealed(text) if seal else text, *texts[at + 1 :]]

    return change


def sealed(text: bytes) -> bytes:
    """A line with the hash of what it holds."""
    body = re.sub(rb', "hash": "[0-9a-f]{64}"}\n$', b"}", text)
    return body[:-1] + f', "hash": "{sha256(body).hexdigest()}"}}\n'.encode()


CHAIN = r"line {}: altered, or lines between it and line {} were removed, added or moved"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (replaced(4, b"better", b"Better", seal=False), "line 5: .*differs from its own hash"),
        (replaced(0, b"wang", b"wong", seal=False), "line 1: .*differs from its own hash"),
        (replaced(0, b"wang", b"wong"), CHAIN.format(1, 2)),
        (replaced(2, b"wang", b"wong"), CHAIN.format(3, 4)),
        (lambda texts: texts[1:], "line 1: the lines before it were removed"),
        (lambda texts: [*texts[:1], *texts[2:]], CHAIN.format(1, 2)),
        (lambda texts: [texts[1], texts[0], *texts[2:]], "line 1: the lines before it were removed"),
        (lambda texts: [*texts[:2], texts[3], texts[2], texts[4]], CHAIN.format(2, 3)),
        (lambda texts: [*texts[:2], texts[1], *texts[2:]], CHAIN.format(2, 3)),
        (lambda texts: [*texts[:3], b"not json\n", *texts[3:]], "line 4: not a line of a registry: not JSON"),
        (lambda texts: [*texts, b"\n"], "line 6: not a line of a registry: not JSON"),
        (lambda texts: [*texts, b'{"when": NaN}\n'], "line 6: .*not JSON"),
        (lambda texts: [*texts, b"[" * 99_999 + b"\n"], "line 6: .*not JSON"),
        (lambda texts: [*texts, b'{"when": ' + b"9" * 9999 + b"}\n"], "line 6: .*not JSON"),
        (lambda texts: [*texts, b'{"when": "' + b"x" * 1_000_001 + b'"}\n'], "line 6: .*longer than 1,000,000 bytes"),
        (lambda texts: [*texts, b"\xff\xfe\n"], "line 6: .*not JSON"),
        (lambda texts: [*texts, b"3\n"], "line 6: .*differs from its own hash"),
        (lambda texts: [*texts, sealed(b"{}\n")], "line 6: .*not JSON"),
        (lambda texts: [*texts, sealed(b'{"when": 3}')], "line 6: .*field 'when'"),
        (replaced(0, b'"verb": "add"', b'"verb": "sub"'), "line 1: .*field 'verb'"),
        (replaced(0, b'"to": "0001', b'"to": "../1'), "line 1: .*field 'to'"),
        (replaced(4, b'"from": "0001', b'"from": "1'), "line 5: .*field 'from'"),
        (replaced(0, b'"model.nc"', b'"../model.nc"'), "line 1: .*field 'files'"),
        (replaced(0, b'"reason": ""', b'"reason": "\\ud800"'), "line 1: .*field 'reason'"),
        (replaced(0, b'"previous": null', b'"previous": 7'), "line 1: .*field 'previous'"),
    ],
)
def test_an_altered_log_is_found_and_nothing_goes_on(
    registry: Registry, change: Callable[[list[bytes]], list[bytes]], words: str
) -> None:
    write_lines(registry, change(lines(registry)))
    faults = registry.verify()
    assert any(re.search(words, fault) for fault in faults), faults
    is_refused(registry, "was altered")


def chained(texts: list[bytes], **fields: Any) -> bytes:
    """A line that a forger chains to the others."""
    line = json.loads(texts[-1]) | {"previous": sha256(texts[-1].rstrip(b"\n")).hexdigest()} | fields
    return sealed(json.dumps(line).encode() + b"\n")


def test_a_chained_line_that_does_not_follow_from_the_others_is_found(registry: Registry) -> None:
    texts, (first, second, third) = lines(registry), names(registry)
    for fields in ({"from": first, "to": third}, {"from": second, "to": "0009-abcdef"}):
        write_lines(registry, [*texts, chained(texts, **fields)])
        assert registry.verify() == ["log.jsonl, line 6: it does not follow from the lines before it"]
    twice = {"verb": "add", "from": None, "to": third, "files": {"model.nc": "0" * 64}}
    write_lines(registry, [*texts, chained(texts, **twice)])
    assert f"log.jsonl, line 6: {third} is added a second time" in registry.verify()
    is_refused(registry, "was altered")


def test_a_log_whose_last_lines_were_cut_off_no_longer_agrees_with_the_folder(registry: Registry) -> None:
    texts, (first, second, third) = lines(registry), names(registry)
    write_lines(registry, texts[:4])
    assert any(f"current names {second}, and by the log {first} is current" in fault for fault in registry.verify())
    is_refused(registry, "by the log")
    write_lines(registry, texts[:2])
    assert any(f"{third} is not in the log" in fault for fault in registry.verify())
    (registry.path / "log.jsonl").unlink()
    assert len([fault for fault in registry.verify() if "is not in the log" in fault]) == 3


@pytest.mark.parametrize(
    "text",
    [
        b"../../etc/passwd\n",
        b"/etc/passwd\n",
        b"",
        b"\n",
        b"0002\n",
        b"0001-aaaaaa\n0002\n",
        b"\xff" * 200,
        b"x" * 99999,
        b"0002-ABCDEF\n",
        " ٠٠٠٢-abcdef\n".encode(),
        b"0002-abcdef/..\n",
        b"0002-abcdef\0\n",
    ],
)
def test_a_current_that_holds_no_name_is_refused(registry: Registry, text: bytes) -> None:
    (registry.path / "current").write_bytes(text)
    assert len(registry.verify()) == 1
    is_refused(registry, "is not the name of a model. Write the name of the current model there")


def test_a_current_that_names_another_model_than_the_log_is_refused(registry: Registry) -> None:
    for name in ("0009-abcdef", names(registry)[2]):
        (registry.path / "current").write_text(f"{name}\n")
        assert any(f"names {name}, and by the log" in fault for fault in registry.verify())
        is_refused(registry, f"names {name}, and by the log {names(registry)[1]} is current")


def test_a_current_without_a_line_end_or_with_that_of_windows_is_read(registry: Registry) -> None:
    second = names(registry)[1]
    for end in ("", "\r\n"):
        (registry.path / "current").write_bytes(f"{second}{end}".encode())
        assert current(registry) == second


# ---- tables ---------------------------------------------------------------------------------------------------------


def test_the_table_of_models_has_their_states_and_verdicts(registry: Registry) -> None:
    gate = {"verdict": "held", "text": {"en": "Not enough to judge.", "zh": "新商机太少，无法判断。"}}
    held = registry.add({"model.nc": b"x", "gate.json": json.dumps(gate).encode()}, verb="hold")
    table = models_table(registry)
    assert list(table) == ["number", "name", "made_on", "deals", "win_rate", "status", "verdict"]
    assert table["number"].tolist() == [1, 2, 3, 4]
    assert table["status"].tolist() == ["was current", "current", "candidate", "held"]
    assert table["verdict"].tolist() == ["", "", "", "Not enough to judge."]
    # These files are not models: what they learned from is unknown, and nothing fails.
    assert table["deals"].isna().all()
    with use_language("zh"):
        assert verdict_text(held) == "新商机太少，无法判断。"


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"[" * 9999, b'{"verdict": 7}', b'{"text": [], "verdict": null}'])
def test_a_gate_file_of_another_form_has_no_verdict(registry: Registry, text: bytes) -> None:
    entry = registry.add({"model.nc": b"x", "gate.json": text})
    assert verdict_text(entry) == ""
    assert len(models_table(registry)) == 4


def test_the_history_of_a_model_is_every_line_that_names_it(registry: Registry) -> None:
    table = moves_table(registry, registry.entry(1))
    assert list(table) == ["when", "who", "verb", "from", "to", "reason"]
    assert table["verb"].tolist() == ["add", "promote", "promote"]
    assert moves_table(registry, registry.entry(3))["verb"].tolist() == ["add"]
