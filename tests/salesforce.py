"""A stand-in for Salesforce on loopback: ingest jobs of the Bulk API 2.0 as documented, over TLS."""

from __future__ import annotations

import csv
import datetime as dt
import io
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SESSION = "00D-session-secret"
JOBS = "/services/data/v59.0/jobs/ingest"
LOGIN = "/services/Soap/u/59.0"
PASSWORD, TOKEN = "pass&word", "security-token"


@dataclass(kw_only=True)
class Org:
    """An organisation: its custom fields and records, how it misbehaves, and what it was asked.

    Attributes
    ----------
    records : values of each opportunity, by the id
    refused : the message for a row, by its id
    left : ids of rows that are left unprocessed when a job fails
    fails : the message with which each job fails as a whole
    answers : status codes to answer with in place of the right answer, by method and the end of the path, in order
    looks : how often a job is in progress before it is over
    """

    fields: set[str] = field(default_factory=set)
    records: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    fails: str = ""
    answers: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    looks: int = 1
    url: str = ""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def create(self, given: dict[str, Any]) -> dict[str, Any]:
        assert {"object", "operation", "contentType", "lineEnding"} <= given.keys()
        assert given["object"] == "Opportunity"
        job = f"7505{len(self.jobs):014d}"
        self.jobs[job] = {**given, "id": job, "state": "Open", "looks": self.looks, "results": {}}
        return {**given, "id": job, "state": "Open", "contentUrl": f"{JOBS[1:]}/{job}/batches"}

    def run(self, job: dict[str, Any]) -> None:
        """What Salesforce does once the upload is complete."""
        key = job.get("externalIdFieldName", "Id")
        rows = list(csv.DictReader(io.StringIO(job["data"].decode("utf-8"))))
        results: dict[str, list[dict[str, str]]] = {"successful": [], "failed": [], "unprocessed": []}
        unknown = set(rows[0]) - self.fields - {key} if rows else set()
        job["state"], job["errorMessage"] = "JobComplete", None
        if unknown or self.fails:
            job["state"] = "Failed"
            job["errorMessage"] = self.fails or f"InvalidBatch : Field name not found : {min(unknown)}"
        for row in rows:
            if unknown or row[key] in self.left:
                results["unprocessed"].append(row)
            elif row[key] in self.refused:
                results["failed"].append({"sf__Id": "", "sf__Error": self.refused[row[key]], **row})
            else:
                kept = self.records.setdefault(row[key], {})
                for name, value in row.items():
                    if value:
                        kept[name] = "" if value == "#N/A" else value
                results["successful"].append({"sf__Id": row[key], "sf__Created": "false", **row})
        job["results"] = results


class _Handler(BaseHTTPRequestHandler):
    org: Org

    def log_message(self, *_: Any) -> None: ...

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        self.org.asked.append((self.command, path))
        codes = next(
            (codes for (how, end), codes in self.org.answers.items() if how == self.command and path.endswith(end)), []
        )
        if codes and (code := codes.pop(0)):
            echoed = f"{self.headers.get('Authorization')} {body[:200].decode('utf-8', 'replace')}"
            name = "INVALID_SESSION_ID" if code == 401 else "SERVER_UNAVAILABLE"
            self._send(code, json.dumps([{"errorCode": name, "message": f"not now: {echoed}"}]))
        elif path == LOGIN:
            self._login(body.decode("utf-8"))
        elif self.headers.get("Authorization") != f"Bearer {SESSION}":
            self._send(401, json.dumps([{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]))
        else:
            self._job(path.removeprefix(JOBS).strip("/").split("/"), body)

    do_GET = do_POST = do_PUT = do_PATCH = _answer  # noqa: N815

    def _login(self, body: str) -> None:
        if f"<n1:password>pass&amp;word{TOKEN}</n1:password>" in body:
            found = f"<sessionId>{SESSION}</sessionId><serverUrl>{self.org.url}/services/Soap/u/59.0</serverUrl>"
            self._send(200, f"<result>{found}</result>", "text/xml")
        else:
            fault = "<sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode><sf:exceptionMessage>wrong</sf:exceptionMessage>"
            self._send(500, f'<f xmlns:sf="urn:fault">{fault}</f>', "text/xml")

    def _job(self, place: list[str], body: bytes) -> None:
        name, *rest = place
        if self.command == "POST" and not name:
            return self._send(200, json.dumps(self.org.create(json.loads(body))))
        job = self.org.jobs[name]
        if self.command == "PUT" and rest == ["batches"] and job["state"] == "Open" and "data" not in job:
            assert self.headers["Content-Type"].startswith("text/csv")
            assert len(body) <= 100_000_000
            job["data"] = body
            return self._send(201, "")
        if self.command == "PATCH":
            job["state"] = json.loads(body)["state"]
            assert job["state"] in ("UploadComplete", "Aborted")
        elif rest:
            kinds = {"successfulResults": "successful", "failedResults": "failed", "unprocessedrecords": "unprocessed"}
            return self._send(200, _csv(job["results"][kinds[rest[0]]]), "text/csv")
        elif job["state"] in ("UploadComplete", "InProgress"):
            job["state"], job["looks"] = "InProgress", job["looks"] - 1
            if job["looks"] < 0:
                self.org.run(job)
        known = {key: value for key, value in job.items() if key not in ("data", "results", "looks")}
        return self._send(200, json.dumps(known))

    def _send(self, code: int, text: str, kind: str = "application/json") -> None:
        data = text.encode("utf-8")
        self.send_response(code)
        self.send_header("Content-Type", f"{kind}; charset=UTF-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _csv(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def make_certificate(folder: Path) -> Path:
    """A certificate for loopback with its key, good for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    path = folder / "loopback.pem"
    path.write_bytes(
        builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@contextmanager
def serving(org: Org, certificate: Path) -> Iterator[Org]:
    """The organisation at ``org.url`` until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"org": org}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    org.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield org
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
