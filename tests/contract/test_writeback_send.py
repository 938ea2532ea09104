"""``winprob writeback --send`` against a stand-in for Salesforce: the protocol, failed rows, failed jobs, secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import requests
from click.testing import CliRunner, Result

from tests.salesforce import JOBS, PASSWORD, SESSION, TOKEN, Org, make_certificate, serving
from winprob.cli import main
from winprob.model.posterior import Posterior
from winprob.report import statements
from winprob.routine.writeback import rows, salesforce
from winprob.routine.writeback.targets import read_target

FIELDS = read_target("salesforce").fields
SECRETS = (SESSION, PASSWORD, TOKEN)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def org(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Org]:
    """An organisation with winprob's fields, and a session at it in the environment."""
    for name in (*salesforce._LOGIN, *salesforce._SESSION, "SALESFORCE_DOMAIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(salesforce, "_FIRST", 0.01)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(Org(fields=set(FIELDS.values())), certificate) as org:
        monkeypatch.setenv("SALESFORCE_SESSION_ID", SESSION)
        monkeypatch.setenv("SALESFORCE_INSTANCE_URL", org.url)
        yield org


@pytest.fixture
def deals(tmp_path: Path, believed: Posterior, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of five open deals in a folder with a model; the statements on them are the same in every test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(statements, "deal_statements", plain_statements)
    few = {name: values[:, :50] for name, values in believed.draws.items()}
    replace(believed, draws=few).save(tmp_path / "model.nc")
    ids = [f"0065g00000Ab{at:03d}" for at in range(5)]
    Path("open.csv").write_text("deal_id,as_of,outcome\n" + "".join(f"{deal},2026-09-30,open\n" for deal in ids))
    return ids


def plain_statements(_: object, deals: pd.DataFrame, *__: object, **___: object) -> pd.DataFrame:
    plain = {"chance": 0.4, "lower": 0.2, "upper": 0.7, "won_by": float("nan"), "band": "undecided"}
    return deals[["deal_id"]].assign(**plain, flag="none found", next_step="Ask, then listen")


def send(*words: str) -> Result:
    common = ["--model", "model.nc", "--target", "salesforce", "--out", "wb", "--send"]
    return CliRunner().invoke(main, ["writeback", "open.csv", *common, *words])


def receipts() -> list[dict[str, object]]:
    return [json.loads(path.read_text("utf-8")) for path in sorted(Path("wb").glob("salesforce-*/receipt.json"))]


def test_rows_arrive_by_the_documented_steps(org: Org, deals: list[str]) -> None:
    done = send()
    assert done.exit_code == 0, done.output
    job = next(iter(org.jobs))
    steps = [("POST", JOBS), ("PUT", f"{JOBS}/{job}/batches"), ("PATCH", f"{JOBS}/{job}")]
    assert org.asked[:3] == steps
    assert org.asked[-3:] == [
        ("GET", f"{JOBS}/{job}/{name}") for name in ("successfulResults", "failedResults", "unprocessedrecords")
    ]
    assert set(org.asked[3:-3]) == {("GET", f"{JOBS}/{job}")}
    asked = org.jobs[job]
    assert (asked["object"], asked["operation"], asked["lineEnding"]) == ("Opportunity", "update", "LF")
    assert sorted(org.records) == deals
    assert {key for values in org.records.values() for key in values} <= {"Id", *FIELDS.values()}
    assert [sorted(receipt["values"]) for receipt in receipts()] == [deals]
    assert "Salesforce took 5 rows." in done.stderr
    # A second run has nothing to send.
    asked_before = len(org.asked)
    again = send()
    assert "Nothing has changed" in again.stderr
    assert len(org.asked) == asked_before
    assert len(receipts()) == 1


def test_a_refused_row_is_named_and_sent_again(org: Org, deals: list[str]) -> None:
    org.refused = {deals[1]: "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access:--"}
    first = send()
    assert first.exit_code == 1
    assert f"UNABLE_TO_LOCK_ROW:unable to obtain exclusive access:--: {deals[1]}" in first.stderr
    assert "took 4 rows; not taken, or without an answer: 1" in first.stderr
    assert sorted(receipts()[0]["values"]) == sorted(set(deals) - {deals[1]})
    org.refused = {}
    assert send().exit_code == 0
    assert sorted(receipts()[1]["values"]) == [deals[1]]
    assert sorted(org.records) == deals


def test_what_was_only_written_as_files_is_sent(org: Org, deals: list[str]) -> None:
    words = ["writeback", "open.csv", "--model", "model.nc", "--target", "salesforce", "--out", "wb"]
    assert CliRunner().invoke(main, words).exit_code == 0
    assert send().exit_code == 0
    assert sorted(org.records) == deals
    assert [receipt["sent"] for receipt in receipts()] == [False, True]


def test_a_job_that_fails_as_a_whole_names_the_reason(org: Org, deals: list[str]) -> None:
    org.fields.discard(FIELDS["flag"])
    done = send()
    assert done.exit_code == 1
    assert "took 0 rows; not taken, or without an answer: 5" in done.stderr
    assert f"InvalidBatch : Field name not found : {FIELDS['flag']}: {', '.join(deals)}" in done.stderr
    assert receipts() == []
    org.fields.add(FIELDS["flag"])
    assert send().exit_code == 0


def test_rows_that_a_failed_job_took_are_not_sent_again(org: Org, deals: list[str]) -> None:
    org.fails, org.left = "InternalServerError : retries are used up", set(deals[2:])
    done = send()
    assert done.exit_code == 1
    assert f"{org.fails}: {', '.join(deals[2:])}" in done.stderr
    assert sorted(receipts()[0]["values"]) == deals[:2]


def test_after_a_failed_job_no_further_file_is_sent(
    org: Org, deals: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rows._WRITERS, "salesforce", two_files)
    org.fails, org.left = "ClientInputError : no", {deals[0]}
    done = send()
    assert done.exit_code == 1
    assert len(org.jobs) == 1
    # The row left by the job, and the rows of the file that was not sent.
    assert f"ClientInputError : no: {', '.join(deals)}" in done.stderr


def two_files(target: object, changes: rows.Changes) -> Iterator[tuple[str, bytes]]:
    whole = b"".join(data for _, data in rows._csv_files("opportunity")(target, changes))
    header, first, *others = whole.splitlines(keepends=True)
    yield "one.csv", header + first
    yield "two.csv", header + b"".join(others)


def test_a_session_that_is_over(org: Org, deals: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALESFORCE_SESSION_ID", "an-old-session")
    done = send()
    assert done.exit_code == 1
    assert "renew SALESFORCE_SESSION_ID" in done.stderr
    assert "an-old-session" not in done.output
    assert receipts() == []


@pytest.mark.parametrize("codes", [[503, 0], [503] * 5])
def test_a_busy_server_is_asked_again_and_given_up_in_the_end(org: Org, deals: list[str], codes: list[int]) -> None:
    org.answers[("GET", "0")] = list(codes)
    done = send()
    if len(codes) == 2:
        assert done.exit_code == 0, done.output
    else:
        assert done.exit_code == 1
        assert "answer 503" in done.stderr
        assert receipts() == []


@pytest.mark.parametrize("step", [("POST", JOBS), ("PUT", "/batches")])
def test_no_secret_is_in_an_error_or_a_file(org: Org, deals: list[str], step: tuple[str, str]) -> None:
    """The stand-in echoes the credentials in its error."""
    org.answers[step] = [500]
    done = send()
    assert done.exit_code == 1
    assert "SERVER_UNAVAILABLE" in done.stderr
    assert "***" in done.stderr
    assert org.jobs == {} or [job["state"] for job in org.jobs.values()] == ["Aborted"]
    send()
    texts = [done.output, *(path.read_text("utf-8") for path in Path("wb").rglob("*") if path.is_file())]
    assert len(texts) > 2
    assert [secret for secret in SECRETS for text in texts if secret in text] == []


def test_an_external_id_is_an_upsert_by_it(org: Org, deals: list[str]) -> None:
    assert send("--external-id", "Deal_Number__c").exit_code == 0
    job = next(iter(org.jobs.values()))
    assert (job["operation"], job["externalIdFieldName"]) == ("upsert", "Deal_Number__c")
    assert job["data"].startswith(b"Deal_Number__c,")


def test_a_dry_run_sends_nothing(org: Org, deals: list[str]) -> None:
    done = send("--dry-run")
    assert done.exit_code == 0, done.output
    assert org.asked == []
    assert not Path("wb").exists()


def test_missing_credentials_are_named(org: Org, deals: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SALESFORCE_SESSION_ID")
    monkeypatch.setenv("SALESFORCE_USERNAME", "a@b.example")
    done = send()
    assert done.exit_code == 1
    assert "SALESFORCE_PASSWORD, SALESFORCE_SECURITY_TOKEN are not set" in done.stderr


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_login_by_name(org: Org, deals: list[str], monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    """The login address is fixed in simple-salesforce: requests to it go to the stand-in."""
    monkeypatch.delenv("SALESFORCE_SESSION_ID")
    for name, value in zip(salesforce._LOGIN, ("a@b.example", password, TOKEN), strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SALESFORCE_DOMAIN", "test")
    request = requests.Session.request
    monkeypatch.setattr(
        requests.Session,
        "request",
        lambda self, method, url, **how: request(
            self, method, url.replace("https://test.salesforce.com", org.url), **how
        ),
    )
    done = send()
    if password == PASSWORD:
        assert done.exit_code == 0, done.output
        assert sorted(org.records) == deals
    else:
        assert done.exit_code == 1
        assert "cannot log in to Salesforce" in done.stderr
        assert "INVALID_LOGIN" in done.stderr
    assert not any(secret in done.output for secret in (PASSWORD, TOKEN))


def test_the_extra_is_named_where_it_is_missing(org: Org, deals: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "simple_salesforce", None)
    done = send()
    assert done.exit_code == 1
    assert "pip install 'winprob[salesforce]'" in done.stderr


def test_other_crms_take_files_only() -> None:
    words = ["writeback", "open.csv", "--model", "m.nc", "--target", "hubspot", "--out", "wb", "--send"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "--send is for Salesforce" in done.stderr
