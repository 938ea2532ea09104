"""``winprob models``, and a registry in place of a model's file: its current model, checked on loading."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

import winprob
from winprob import Posterior, Registry
from winprob.cli import main
from winprob.simulation import write_simulation

CHINESE = re.compile(r"[\u4e00-\u9fff]")
SETTINGS = (b"[priors]\nmethod_lean = [1.5, 0.2]\n[sampler]\ndraws = 500\n", b"[sampler]\ndraws = 500\nchains = 2\n")
DEFINITIONS = ({"stage": {"evaluation": "Evaluation"}}, {"stage": {"evaluation": "PoC"}, "x": 1})
GATE = {"verdict": "held", "text": {"en": "Not better beyond chance.", "zh": "未见明显改善。"}}


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, posterior: Posterior, believed: Posterior) -> Path:
    """Deals and two model files."""
    place = tmp_path_factory.mktemp("models")
    gates = {"r_hat": 1.0, "bulk_ess": 900.0, "tail_ess": 900.0, "divergent_share": 0.0, "bfmi": 1.0}
    replace(posterior, provenance=replace(posterior.provenance, gates=gates)).save(place / "trained.nc")
    believed.save(place / "prior.nc")
    write_simulation(place, 40, 12, seed=4)
    return place


@pytest.fixture
def registry(place: Path, tmp_path: Path) -> Registry:
    """Two models, the first current, the second held by its gate."""
    registry = Registry(tmp_path / "registry")
    for at, name in enumerate(("prior.nc", "trained.nc")):
        files = {"model.nc": (place / name).read_bytes(), "settings.toml": SETTINGS[at]}
        files["definitions.json"] = json.dumps(DEFINITIONS[at]).encode()
        if at:
            files |= {"gate.json": json.dumps(GATE).encode(), "mapping.toml": b'[columns]\namount = "Betrag"\n'}
        registry.add(files, by="wang", reason="Q2")
    registry.promote(1, by="wang")
    return registry


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def models(verb: str, registry: Registry, *words: object) -> Result:
    return run("models", verb, *words, "--registry", registry.path)


def good(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


def refused(result: Result, words: str) -> None:
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert re.search(words, result.stderr), result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def table(result: Result) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(good(result).stdout), keep_default_na=False)


# ---- the commands ---------------------------------------------------------------------------------------------------


def test_list_shows_every_model_with_its_data_state_and_verdict(registry: Registry, posterior: Posterior) -> None:
    records = json.loads(good(models("list", registry, "--format", "json")).stdout)
    first, second = registry.entries()
    source = posterior.provenance
    today = first.added_on[:10]
    assert records == [
        {"number": 1, "name": first.name, "made_on": today, "deals": 0, "win_rate": None}
        | {"status": "current", "verdict": ""},
        {"number": 2, "name": second.name, "made_on": today, "deals": source.deals}
        | {"win_rate": pytest.approx(source.won / source.counted), "status": "held", "verdict": GATE["text"]["en"]},  # type: ignore[index]
    ]
    chinese = good(models("list", registry, "--lang", "zh"))
    assert "未见明显改善。" in chinese.stdout
    assert f"{source.won / source.counted:.0%}" in chinese.stdout


@pytest.mark.parametrize("which", ["2", "0002", "name"])
def test_show_has_what_happened_to_a_model_what_it_learned_and_the_verdict(registry: Registry, which: str) -> None:
    entry = registry.entry(2)
    shown = models("show", registry, entry.name if which == "name" else which, "--format", "csv")
    assert list(table(shown)) == ["when", "who", "verb", "from", "to", "reason"]
    assert table(shown)[["who", "verb", "to", "reason"]].to_numpy().tolist() == [["wang", "add", entry.name, "Q2"]]
    assert "closed deals" in shown.stderr
    assert "Verdict of the gate: Not better beyond chance." in shown.stderr
    chinese = models("show", registry, 2, "--lang", "zh").stderr
    assert all(CHINESE.search(line) for line in chinese.splitlines())


def test_compare_has_keys_that_differ_counts_and_weights(registry: Registry, posterior: Posterior) -> None:
    result = models("compare", registry, 1, 2, "--format", "csv")
    got = table(result)
    assert list(got) == ["part", "key", "first", "second"]
    rows = {(row.part, row.key): (row.first, row.second) for row in got.itertuples()}
    assert [key for key in rows if key[0] in ("settings", "mapping", "definitions")] == [
        ("settings", "priors.method_lean"),
        ("settings", "sampler.chains"),
        ("mapping", "columns.amount"),
        ("definitions", "stage.evaluation"),
        ("definitions", "x"),
    ]
    assert rows["settings", "priors.method_lean"] == ("[1.5, 0.2]", "")
    assert rows["settings", "sampler.chains"] == ("", "2")
    assert rows["definitions", "stage.evaluation"] == ('"Evaluation"', '"PoC"')
    assert rows["data", "deals"] == ("0", str(posterior.provenance.deals))
    effects = winprob.effects(posterior)
    own = effects[(effects["term"] == "approver_support") & (effects["level"] == "weight")].iloc[0]
    assert rows["role_weight", "approver"][1] == f"{own['mean']:.2f} ({own['lower']:.2f}..{own['upper']:.2f})"
    assert len([key for key in rows if key[0] == "role_weight"]) == 5
    assert f"first is {registry.entries()[0].name}" in result.stderr
    assert "5 settings and definitions differ" in result.stderr
    same = table(models("compare", registry, 2, 2, "--format", "csv"))
    assert set(same["part"]) == {"data", "role_weight"}
    assert (same["first"] == same["second"]).all()


@pytest.mark.parametrize("suffix", [".csv", ".json", ".xlsx", ".parquet", ".txt"])
@pytest.mark.parametrize("words", [("list",), ("show", 2), ("compare", 1, 2), ("verify",)])
def test_tables_go_to_a_file_of_any_format(
    registry: Registry, tmp_path: Path, suffix: str, words: tuple[object, ...]
) -> None:
    out = tmp_path / f"table{suffix}"
    assert good(models(str(words[0]), registry, *words[1:], "--out", out)).stdout == ""
    assert out.stat().st_size


def test_promote_needs_a_reason_for_a_held_model_and_logs_it(registry: Registry) -> None:
    refused(models("promote", registry, 2), "the gate did not pass 0002-.*give a reason: --reason")
    result = good(models("promote", registry, 2, "--reason", "new market", "--by", "s17"))
    assert f"{registry.entry(2).name} is the current model of" in result.stderr
    line = registry.log()[-1]
    assert (line.verb, line.who, line.reason) == ("promote", "s17", "new market")
    refused(models("promote", registry, 2, "--reason", "again"), "is the current model already")
    refused(models("promote", registry, 7), "has no model '7'; it has: 0001-.*, 0002-")
    good(models("revert", registry, "--reason", "worse", "--by", "s17"))
    assert registry.current() == registry.entry(1)
    refused(models("revert", registry), "no other model was current before")


def test_revert_restores_the_same_bytes_of_every_prediction(registry: Registry, place: Path) -> None:
    command = ("predict", place / "open.csv", "--model", registry.path, "--format", "csv")
    before = good(run(*command)).stdout_bytes
    good(models("promote", registry, 2, "--reason", "try"))
    during = good(run(*command)).stdout_bytes
    good(models("revert", registry))
    assert good(run(*command)).stdout_bytes == before
    assert during != before


def test_verify_lists_every_fault_and_exits_with_1(registry: Registry) -> None:
    whole = good(models("verify", registry, "--format", "csv"))
    assert whole.stdout.splitlines() == ["fault"]
    assert "is whole: 2 models, 3 lines of the log" in whole.stderr
    (registry.entry(1).path / "settings.toml").write_text("")
    (registry.entry(2).path / "extra").touch()
    damaged = models("verify", registry, "--format", "csv")
    assert damaged.exit_code == 1
    faults = pd.read_csv(io.StringIO(damaged.stdout))["fault"].tolist()
    assert ["altered" in faults[0], "added after" in faults[1], len(faults)] == [True, True, 2]
    assert "2 faults in" in damaged.stderr
    chinese = models("verify", registry, "--lang", "zh", "--format", "csv")
    assert all(CHINESE.search(line) for line in [*chinese.stdout.splitlines()[1:], *chinese.stderr.splitlines()])


def test_a_table_can_still_be_listed_where_a_models_file_is_damaged(registry: Registry) -> None:
    (registry.entry(2).path / "model.nc").write_bytes(b"")
    (registry.entry(2).path / "gate.json").unlink()
    got = table(models("list", registry, "--format", "csv"))
    assert got["deals"].tolist() == ["0", ""]
    assert got["verdict"].tolist() == ["", "altered"]


@pytest.mark.parametrize("verb", ["list", "show", "promote", "revert", "compare", "verify"])
def test_every_command_explains_itself_and_refuses_what_is_no_registry(verb: str, place: Path, tmp_path: Path) -> None:
    words = {"show": ["1"], "promote": ["1"], "compare": ["1", "2"]}.get(verb, [])
    help_text = good(run("models", verb, "--help")).stdout
    assert "--registry" in help_text
    assert "--lang [en|zh]" in help_text
    refused(run("models", verb, *words, "--registry", place), "is not a registry of models")
    refused(run("models", verb, *words, "--registry", tmp_path / "nowhere"), "nowhere does not exist")
    assert list(tmp_path.iterdir()) == []
    missing = run("models", verb, *words, "--lang", "zh")
    assert missing.exit_code == 2
    assert "缺少选项 '--registry'" in missing.stderr


def test_the_group_lists_its_commands_in_the_order_of_use() -> None:
    listed = re.findall(r"^  ([a-z]+)  ", good(run("models", "--help")).stdout, re.MULTILINE)
    assert listed == ["list", "show", "promote", "revert", "compare", "verify"]
    assert run("models", "lst").exit_code == 2


# ---- a registry in place of a model's file --------------------------------------------------------------------------

FORECAST = ("--quarter", "2026Q4", "--format", "csv")
WITH_MODEL: dict[str, Callable[[Path, object], tuple[object, ...]]] = {
    "predict": lambda at, model: ("predict", at / "open.csv", "--model", model, "--format", "csv"),
    "explain": lambda at, model: ("explain", at / "open.csv", "--deal", first_deal(at), "--model", model),
    "levers": lambda at, model: ("levers", at / "open.csv", "--model", model, "--format", "csv"),
    "intel": lambda at, model: ("intel", at / "open.csv", "--model", model, "--format", "csv"),
    "whatif": lambda at, model: (
        *("whatif", at / "open.csv", "--deal", first_deal(at), "--model", model),
        *("--set", "approver_support=4"),
    ),
    "brief": lambda at, model: ("brief", at / "open.csv", "--deal", first_deal(at), "--model", model),
    "forecast": lambda at, model: ("forecast", at / "open.csv", "--model", model, *FORECAST),
    "before": lambda at, model: (
        *("forecast", at / "open.csv", "--model", at / "trained.nc", *FORECAST),
        *("--before", at / "open.csv", "--before-model", model),
    ),
    "effects": lambda at, model: ("effects", model, "--format", "csv"),
    "card": lambda at, model: ("card", model),
}


def first_deal(place: Path) -> str:
    return str(pd.read_csv(place / "open.csv")["deal_id"].iloc[0])


@pytest.mark.parametrize("command", WITH_MODEL)
def test_a_registry_is_its_current_model(command: str, registry: Registry, place: Path) -> None:
    good(models("promote", registry, 2, "--reason", "test"))
    words = WITH_MODEL[command]
    result = good(run(*words(place, registry.path)))
    assert result.stdout == good(run(*words(place, place / "trained.nc"))).stdout
    assert result.stdout


def test_a_registry_without_a_current_model_is_refused_with_what_to_do(registry: Registry, place: Path) -> None:
    empty = Registry(registry.path.parent / "other")
    empty.add({"model.nc": (place / "prior.nc").read_bytes()})
    words = (
        f"registry {re.escape(str(empty.path))} has no current model. Choose one: winprob models promote N --registry"
    )
    refused(run("predict", place / "open.csv", "--model", empty.path), words)
    chinese = run("predict", place / "open.csv", "--model", empty.path, "--lang", "zh")
    assert "没有当前模型" in chinese.stderr


def test_an_altered_model_is_refused_with_what_to_do(registry: Registry, place: Path) -> None:
    # A whole model, but not the one of the log: only its hash gives it away.
    (registry.entry(1).path / "model.nc").write_bytes((place / "trained.nc").read_bytes())
    words = r"model\.nc was altered: it differs from its hash in the log\. Restore .* or .*winprob models revert"
    refused(run("predict", place / "open.csv", "--model", registry.path), words)


@pytest.mark.parametrize("name", ["../../prior", "..", "/etc/passwd", "0001-zzzzzz", ""])
def test_a_name_in_current_that_leads_elsewhere_is_refused(registry: Registry, place: Path, name: str) -> None:
    (registry.path / "current").write_text(f"{name}\n")
    refused(run("predict", place / "open.csv", "--model", registry.path), "is not the name of a model")


def test_a_folder_that_is_no_registry_is_refused(place: Path) -> None:
    refused(run("predict", place / "open.csv", "--model", place), "is not a registry of models: .*the file of a model")


def test_no_output_goes_into_a_registry(registry: Registry, place: Path) -> None:
    for out in (registry.path / "x.csv", registry.path / "current", registry.entry(1).path / "model.nc"):
        refused(run("predict", place / "open.csv", "--model", place / "prior.nc", "--out", out), "only winprob changes")
        result = models("list", registry, "--out", out)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "in the folder that --registry reads" in result.stderr
    refused(run("train", "--prior-only", "--model", registry.path), "it is a folder|only winprob changes")
    assert registry.verify() == []


def test_the_public_name_is_the_registry_of_the_wing() -> None:
    import winprob.retrain

    assert winprob.Registry is winprob.retrain.Registry
