"""Send rows to Salesforce by its Bulk API 2.0, with the user's own credentials from the environment."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from winprob.errors import OutputError
from winprob.extras import require
from winprob.i18n import gettext
from winprob.routine.writeback.receipts import Delivery, Send
from winprob.routine.writeback.rows import read_csv
from winprob.routine.writeback.targets import Target, listed

SECRETS = ("SALESFORCE_PASSWORD", "SALESFORCE_SECURITY_TOKEN", "SALESFORCE_SESSION_ID")
#: The two ways to log in: by a user's name, or with a session that another program has opened.
_LOGIN = ("SALESFORCE_USERNAME", "SALESFORCE_PASSWORD", "SALESFORCE_SECURITY_TOKEN")
_SESSION = ("SALESFORCE_SESSION_ID", "SALESFORCE_INSTANCE_URL")
#: Seconds: of one request; between two looks at a job, the first and the longest; until a job is given up.
_TIMEOUT, _FIRST, _LONGEST, _GIVEN_UP = 120.0, 1.0, 15.0, 1800.0
#: Looks at a job that may fail in a row: a server that is busy, or a connection that broke.
_FAILED_LOOKS = 5
_OVER = ("JobComplete", "Failed", "Aborted")
#: Deals that a message names.
_NAMED = 20


def connect() -> Any:
    """A session at Salesforce, with the credentials of the environment.

    Raises
    ------
    MissingExtraError
        The extra is not installed.
    OutputError
        A variable is missing, or Salesforce refuses the credentials.
    """
    library = _library()
    given = {name: os.environ.get(name, "") for name in (*_LOGIN, *_SESSION)}
    session, instance = (given[name] for name in _SESSION)
    if session and instance.startswith("https://"):
        return library.Salesforce(session_id=session, instance_url=instance)
    if missing := [name for name in _LOGIN if not given[name]]:
        raise OutputError(
            gettext(
                "--send needs credentials in the environment: {missing} are not set. Set {login}, or {session} (a "
                "session and the https:// address of the instance).",
                missing=", ".join(missing),
                login=", ".join(_LOGIN),
                session=", ".join(_SESSION),
            )
        )
    username, password, token = (given[name] for name in _LOGIN)
    domain = os.environ.get("SALESFORCE_DOMAIN") or "login"
    try:
        return library.Salesforce(username=username, password=password, security_token=token, domain=domain)
    except (library.exceptions.SalesforceError, library.login.ExpatError, OSError) as fault:
        reason = without_secrets(str(fault))
    raise OutputError(gettext("cannot log in to Salesforce: {reason}", reason=reason))


def _library() -> Any:
    return require("simple_salesforce", "salesforce")


def without_secrets(text: str) -> str:
    """``text`` without the passwords and tokens of the environment, should a server have echoed one."""
    for secret in filter(None, map(os.environ.get, SECRETS)):
        text = text.replace(secret, "***")
    return text


def sender(client: Any, follow: Callable[[str, float], None]) -> Send:
    """What ``write_back`` calls to send files: a job for each, until one fails as a whole."""

    def send(target: Target, files: list[tuple[str, bytes]]) -> Delivery:
        taken: set[str] = set()
        refused: dict[str, str] = {}
        stopped = ""
        for at, (name, data) in enumerate(files):
            follow(gettext("sending {file}", file=name), at / len(files))
            answers: dict[str, str] = {}
            if not stopped:
                answers, stopped = _send_file(client, target, data)
            for deal in (row[target.key] for row in read_csv(data)):
                message = answers.get(deal, stopped or gettext("Salesforce gave no answer"))
                if message:
                    refused[deal] = message
                else:
                    taken.add(deal)
        return Delivery(taken=frozenset(taken), refused=refused)

    return send


def _send_file(client: Any, target: Target, data: bytes) -> tuple[dict[str, str], str]:
    """The answer for each row that has one, and why no further file is sent, empty where it may be."""
    faults, job = (_library().exceptions.SalesforceError, OSError, ValueError, KeyError), ""
    try:
        job = _create(client, target)
        _call(client, "PUT", f"{job}/batches", data=data, kind="text/csv; charset=UTF-8")
        _call(client, "PATCH", job, json={"state": "UploadComplete"})
        reason = _failure(_wait(client, job), job)
        return _answers(client, target, job, reason), reason
    except faults as fault:
        if job:
            with suppress(*faults):
                _call(client, "PATCH", job, json={"state": "Aborted"})
        return {}, _reason(fault, job)


def _failure(state: Mapping[str, Any], job: str) -> str:
    """Why a job failed as a whole; empty where it did not."""
    if state["state"] == "JobComplete":
        return ""
    reason = state.get("errorMessage") or gettext("the job ended as {state}", state=state["state"])
    return without_secrets(gettext("job {job}: {reason}", job=job, reason=reason))


def _create(client: Any, target: Target) -> str:
    """The id of a new job."""
    job = {"object": "Opportunity", "contentType": "CSV", "lineEnding": "LF", "columnDelimiter": "COMMA"}
    how = {"operation": "upsert", "externalIdFieldName": target.key} if target.external else {"operation": "update"}
    return str(_call(client, "POST", "", json={**job, **how}).json()["id"])


def _call(client: Any, method: str, path: str, *, kind: str = "application/json", **body: Any) -> Any:
    """One request on ingest jobs; raises the errors of simple-salesforce, and those of the connection."""
    url = f"{client.bulk2_url}ingest/{path}".rstrip("/")
    headers = {**client.headers, "Content-Type": kind}
    return _library().util.call_salesforce(url, method, client.session, headers, timeout=_TIMEOUT, **body)


def _wait(client: Any, job: str) -> Mapping[str, Any]:
    """The job once it is over.

    Raises
    ------
    TimeoutError
        It is not over after half an hour.
    """
    pause, failed, until = _FIRST, 0, time.monotonic() + _GIVEN_UP
    while time.monotonic() < until:
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST)
        try:
            state: Mapping[str, Any] = _call(client, "GET", job).json()
        except (_library().exceptions.SalesforceError, OSError) as fault:
            failed += 1
            if failed == _FAILED_LOOKS or getattr(fault, "status", 500) < 500:
                raise
            continue
        failed = 0
        if state["state"] in _OVER:
            return state
    raise TimeoutError(gettext("it is not over after {minutes} minutes", minutes=round(_GIVEN_UP / 60)))


def _answers(client: Any, target: Target, job: str, reason: str) -> dict[str, str]:
    """The answer for each row that has one, by the deal's id: empty where it was taken, else Salesforce's message.

    Rows that were not processed have the ``reason`` why the job failed.
    """
    taken, failed, left = (
        read_csv(_call(client, "GET", f"{job}/{name}").content)
        for name in ("successfulResults", "failedResults", "unprocessedrecords")
    )
    unprocessed = reason or gettext("not processed")
    return {
        **{_deal(target, row): unprocessed for row in left},
        **{_deal(target, row): without_secrets(row["sf__Error"]) for row in failed},
        **{_deal(target, row): "" for row in taken},
    }


def _deal(target: Target, row: Mapping[str, str]) -> str:
    """The id of a row of results; where the fields of the upload come back blank, Salesforce's own."""
    return row.get(target.key) or row.get("sf__Id", "")


def _reason(fault: Exception, job: str) -> str:
    """A fault in words: what Salesforce answered, or what became of the connection."""
    content, status = getattr(fault, "content", None), getattr(fault, "status", None)
    text = str(fault)
    if isinstance(content, list) and content and isinstance(content[0], dict):
        text = "; ".join(f"{each.get('errorCode')}: {each.get('message')}" for each in content)
    if status == 401:
        text = gettext("{reason} (the session is over: log in again, or renew SALESFORCE_SESSION_ID)", reason=text)
    elif status is not None:
        text = gettext("{reason} (answer {status})", reason=text, status=status)
    return without_secrets(gettext("job {job}: {reason}", job=job, reason=text) if job else text)


def delivery_error(delivery: Delivery) -> OutputError:
    """The error that names the deals that were refused, by Salesforce's message."""
    by_message: dict[str, list[str]] = {}
    for deal, message in delivery.refused.items():
        by_message.setdefault(message, []).append(deal)
    lines = [f"  - {message}: {listed(deals, _NAMED)}" for message, deals in by_message.items()]
    return OutputError(
        gettext(
            "Salesforce took {taken} rows; not taken, or without an answer: {refused}\n{lines}\n"
            "The next run sends these again.",
            taken=len(delivery.taken),
            refused=len(delivery.refused),
            lines="\n".join(lines),
        )
    )
