"""A PostgreSQL server for tests: Debian's programs, on a Unix socket of its own in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

#: A password with the characters that a URL must quote.
ADMIN, PASSWORD = "postgres", "s3cr/t:p@ss%word"
MISSING = "PostgreSQL is not installed (apt-get install postgresql): nothing was tested on a server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server; ``socket`` is its folder."""

    socket: Path

    def url(self, name: str = "postgres", user: str = ADMIN) -> str:
        """The URL of a database, without a password."""
        return f"postgresql+psycopg://{user}@/{name}?host={self.socket}"

    def connect(self, name: str = "postgres") -> Any:
        import psycopg

        return psycopg.connect(host=str(self.socket), user=ADMIN, password=PASSWORD, dbname=name, autocommit=True)


def programs() -> Path | None:
    """The folder of the newest PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    elsewhere = shutil.which("initdb")
    return Path(elsewhere).resolve().parent if elsewhere else None


@contextmanager
def running_server() -> Iterator[Server]:
    """A server with passwords in force; skips the test where PostgreSQL is missing."""
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip(MISSING)
    # Paths of sockets are short, and the server does not run as root.
    with tempfile.TemporaryDirectory(prefix="wp_pg_", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        how: dict[str, Any] = {
            "check": True,
            "capture_output": True,
            "cwd": folder,
            "env": {**os.environ, "LC_ALL": "C"},
        }
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres" if _exists("postgres") else "nobody")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            how |= {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        subprocess.run(
            [bin_folder / "initdb", "-D", folder / "data", "-U", ADMIN, "-A", "scram-sha-256", "-E", "UTF8",
             "--locale=C.UTF-8", "--no-sync", f"--pwfile={folder / 'password'}"], **how,
        )  # fmt: skip
        # Nothing has to outlive a crash; compiling a small query costs more than running it.
        quick = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c jit=off -c autovacuum=off"
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} {quick}"
        control = [bin_folder / "pg_ctl", "-D", folder / "data", "-w"]
        # The server inherits no pipe of ours, or reading it would wait for the server's end.
        quiet = how | {"capture_output": False, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([*control, "-l", folder / "log", "-o", options, "start"], **quiet)
        try:
            yield Server(socket=folder)
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **quiet)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
