"""Send rows to Salesforce by its Bulk API 2.0, with the user's own credentials from the environment."""

import csv
import io
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from html import escape
from typing import Any, NoReturn

from winprob.errors import OutputError
from winprob.i18n import gettext
from winprob.routine.writeback.receipts import Delivery
from winprob.routine.writeback.rows import Changes
from winprob.routine.writeback.targets import Target, listed

SECRETS = ("SALESFORCE_PASSWORD", "SALESFORCE_SECURITY_TOKEN", "SALESFORCE_SESSION_ID")
#: The two ways to log in: a user's name, or a session that another program has opened.
_LOGIN = ("SALESFORCE_USERNAME", "SALESFORCE_PASSWORD", "SALESFORCE_SECURITY_TOKEN")
_SESSION = ("SALESFORCE_SESSION_ID", "SALESFORCE_INSTANCE_URL")
#: Seconds: of one request; between two looks at a job, the first and the longest; until a job is given up.
_TIMEOUT, _FIRST, _LONGEST, _GIVEN_UP = 120.0, 1.0, 15.0, 1800.0
#: Looks at a job that may fail in a row: a server that is busy, or a connection that broke.
_FAILED_LOOKS = 5
_OVER = ("JobComplete", "Failed", "Aborted")
#: Deals that a message names.
_NAMED = 20


class _JobError(Exception):
    """A job ended without an answer for its rows. Its text is the reason."""


def connect() -> Any:
    """A session at Salesforce, with the credentials of the environment.

    Raises
    ------
    OutputError
        The extra is not installed, a variable is missing, or Salesforce refuses the credentials.
    """
    try:
        from simple_salesforce.api import Salesforce
        from simple_salesforce.exceptions import SalesforceError
    except ImportError as error:
        raise OutputError(
            gettext(
                "--send needs the extra salesforce, which is not installed ({reason}). Install it with: pip install "
                "'winprob[salesforce]', or import the files by hand.",
                reason=error,
            )
        ) from error
    given = {name: os.environ.get(name, "") for name in (*_LOGIN, *_SESSION)}
    if all(given[name] for name in _SESSION):
        return Salesforce(session_id=given[_SESSION[0]], instance_url=given[_SESSION[1]])
    if missing := [name for name in _LOGIN if not given[name]]:
        raise OutputError(
            gettext(
                "--send needs credentials in the environment: {missing} are not set. Set {login}, or {session}.",
                missing=", ".join(missing),
                login=", ".join(_LOGIN),
                session=", ".join(_SESSION),
            )
        )
    username, password, token = (given[name] for name in _LOGIN)
    domain = os.environ.get("SALESFORCE_DOMAIN") or "login"
    try:
        return Salesforce(username=username, password=password, security_token=token, domain=domain)
    except (SalesforceError, OSError) as fault:
        _refuse_login(fault)


def _refuse_login(fault: Exception) -> NoReturn:
    raise OutputError(gettext("Salesforce refuses the login: {reason}", reason=without_secrets(str(fault)))) from None


def without_secrets(text: str) -> str:
    """``text`` without the passwords and tokens of the environment, should a server have echoed one."""
    for secret in filter(None, map(os.environ.get, SECRETS)):
        text = text.replace(secret, "***").replace(escape(secret), "***")
    return text


def sender(client: Any, follow: Callable[[str, float], None]) -> Callable[..., Delivery]:
    """What ``write_back`` calls to send files: a job for each."""

    def send(target: Target, files: list[tuple[str, bytes]], _: Changes) -> Delivery:
        taken: set[str] = set()
        refused: dict[str, str] = {}
        stopped = ""
        for at, (name, data) in enumerate(files):
            follow(gettext("sending {file}", file=name), at / len(files))
            deals = [row[target.key] for row in _table(data.decode())]
            own, stopped = ({}, stopped) if stopped else _send_file(client, target, data)
            taken |= {deal for deal in deals if deal in own and not own[deal]}
            refused |= {deal: own.get(deal, stopped) for deal in deals if own.get(deal, stopped)}
            refused |= dict.fromkeys(set(deals) - taken - set(refused), gettext("Salesforce gave no answer"))
        return Delivery(taken=frozenset(taken), refused=refused)

    return send


def _send_file(client: Any, target: Target, data: bytes) -> tuple[dict[str, str], str]:
    """The answer for each row, empty where it was taken; and why no further file is sent, empty where it may be."""
    from simple_salesforce.exceptions import SalesforceError

    job = ""
    try:
        job = str(_create(client, target)["id"])
        _call(client, "PUT", f"{job}/batches", data, "text/csv; charset=UTF-8")
        _call(client, "PATCH", job, {"state": "UploadComplete"})
        state = _wait(client, job)
        own = _answers(client, target, job)
    except (SalesforceError, OSError, ValueError, KeyError, _JobError) as fault:
        if job:
            with suppress(SalesforceError, OSError):
                _call(client, "PATCH", job, {"state": "Aborted"})
        return {}, _reason(fault, job)
    if state["state"] == "JobComplete":
        return own, ""
    message = state.get("errorMessage") or gettext("the job ended as {state}", state=state["state"])
    return own, without_secrets(gettext("job {job}: {reason}", job=job, reason=message))


def _create(client: Any, target: Target) -> Mapping[str, Any]:
    job = {"object": "Opportunity", "contentType": "CSV", "lineEnding": "LF", "columnDelimiter": "COMMA"}
    how = {"operation": "upsert", "externalIdFieldName": target.key} if target.external else {"operation": "update"}
    created: Mapping[str, Any] = _call(client, "POST", "", {**job, **how}).json()
    return created


def _call(client: Any, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
    """One request on ingest jobs; raises the errors of simple-salesforce, and those of the connection."""
    from simple_salesforce.util import call_salesforce

    data = body if body is None or isinstance(body, bytes) else json.dumps(body)
    url = f"{client.bulk2_url}ingest/{path}".rstrip("/")
    headers = {**client.headers, "Content-Type": kind}
    return call_salesforce(url, method, client.session, headers, data=data, timeout=_TIMEOUT)


def _wait(client: Any, job: str) -> Mapping[str, Any]:
    """The job once it is over."""
    from simple_salesforce.exceptions import SalesforceError

    pause, failed, until = _FIRST, 0, time.monotonic() + _GIVEN_UP
    while time.monotonic() < until:
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST)
        try:
            state: Mapping[str, Any] = _call(client, "GET", job).json()
        except (SalesforceError, OSError) as fault:
            failed += 1
            if failed == _FAILED_LOOKS or getattr(fault, "status", 500) < 500:
                raise
            continue
        failed = 0
        if state["state"] in _OVER:
            return state
    raise _JobError(gettext("it is not over after {minutes} minutes", minutes=round(_GIVEN_UP / 60)))


def _answers(client: Any, target: Target, job: str) -> dict[str, str]:
    """The answer for each row that has one, by the deal's id: empty where it was taken, else Salesforce's message."""
    taken, failed, left = (
        _table(_call(client, "GET", f"{job}/{name}").content.decode())
        for name in ("successfulResults", "failedResults", "unprocessedrecords")
    )
    unprocessed = gettext("not processed")
    return {
        **{row[target.key]: unprocessed for row in left},
        **{row[target.key]: without_secrets(row["sf__Error"]) for row in failed},
        **{row[target.key]: "" for row in taken},
    }


def _table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def _reason(fault: Exception, job: str) -> str:
    """A fault in words: what Salesforce answered, or what became of the connection."""
    content = getattr(fault, "content", None)
    if isinstance(content, list) and content and isinstance(content[0], dict):
        text = "; ".join(f"{each.get('errorCode')}: {each.get('message')}" for each in content)
    else:
        text = str(fault)
    status = getattr(fault, "status", None)
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
            "Salesforce took {taken} rows and did not take {refused}:\n{lines}\nThe next run sends these again.",
            taken=len(delivery.taken),
            refused=len(delivery.refused),
            lines="\n".join(lines),
        )
    )
