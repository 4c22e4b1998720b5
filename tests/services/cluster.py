"""A real cluster of several machines: `soundforge scheduler` and `soundforge worker`, each a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from distributed import Client, Security
from services.postgres import free_port

SOUNDFORGE = (sys.executable, "-m", "sfwidgets.cli")
START_SECONDS = 90.0


class Member:
    """One process of a cluster, the scheduler or a worker with its own worker processes; its log is `log`."""

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = environment
        self.start()

    def start(self) -> None:
        """Start the process; returns at once."""
        with self.log.open("ab") as output:
            self.popen = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self._environment,
                cwd=self.log.parent,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """The process that was started, which for a worker is its nanny."""
        return self.popen.pid

    def family(self) -> list[psutil.Process]:
        """Return the processes that it has started, worker processes and helpers of Python's."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).children(recursive=True)
        return []

    def kill(self) -> None:
        """Kill the process, and what it started, at once, as when the machine's power fails."""
        for process in [*self.family(), psutil.Process(self.pid)] if self.popen.poll() is None else []:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.popen.wait(30)

    def stop(self, seconds: float = 60.0) -> int:
        """Ask the process to end, and wait; returns its exit status."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(seconds)

    def wait(self, seconds: float = START_SECONDS) -> int:
        """Wait until the process ends by itself; returns its exit status."""
        return self.popen.wait(seconds)


class Cluster:
    """A scheduler and workers for the library that `environment` names, at 127.0.0.1; their logs are in `folder`.

    `environment` holds what both sides need to be told: AUDIO_DATA_PATH, DATABASE_URL, REDIS_URL … With `tls` all of them
    show a certificate that is made for the occasion. `settings` returns what a client's environment needs beside it.
    """

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str],
        *,
        workers: Sequence[Sequence[str]] = ((),),
        tls: bool = False,
        wait: bool = True,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.address = f"{'tls' if tls else 'tcp'}://127.0.0.1:{self.port}"
        self.environment = {**environment, "DASK_SCHEDULER": self.address}
        if tls:
            self.environment |= certificates(folder)
        self.workers: list[Member] = []
        self.scheduler = self._member("scheduler", "scheduler", "--port", str(self.port))
        for options in workers:
            self.add(*options)
        if wait:
            self.wait(sum(2 - bool({"--heavy", "--light"} & set(options)) for options in workers))

    def add(self, *options: str, environment: dict[str, str] | None = None, prefix: Sequence[str] = ()) -> Member:
        """Start another worker with these options; `prefix` comes before its command. Returns at once."""
        name = f"worker-{len(self.workers)}"
        member = self._member(name, "worker", *options, environment=environment or {}, prefix=prefix)
        self.workers.append(member)
        return member

    def client(self) -> Client:
        """Return a plain Dask client of the scheduler."""
        names = ("SOUNDFORGE_TLS_CERT", "SOUNDFORGE_TLS_KEY")
        security = None
        if self.address.startswith("tls"):
            cert, key = (self.environment[name] for name in names)
            security = Security(
                require_encryption=True, tls_ca_file=self.environment["SOUNDFORGE_TLS_CA"], tls_client_cert=cert,
                tls_client_key=key,
            )  # fmt: skip
        return Client(self.address, security=security, set_as_default=False, timeout=START_SECONDS)

    def wait(self, processes: int) -> None:
        """Wait until the cluster has that many worker processes; a plain worker is two: `separation` and `light`."""
        with self.client() as client:
            until(lambda: len(client.nthreads()) == processes, "the workers did not come", self.log)

    def log(self) -> str:
        """Return what all members have said."""
        return "\n".join(f"== {file.stem}\n{file.read_text()}" for file in sorted(self.folder.glob("*.log")))

    def stop(self) -> None:
        """Kill all that still runs."""
        for member in [*self.workers, self.scheduler]:
            member.kill()

    def _member(
        self, name: str, *arguments: str, environment: dict[str, str] | None = None, prefix: Sequence[str] = ()
    ) -> Member:
        given = {**os.environ, "SOUNDFORGE_OFFLINE": "true", **self.environment, **(environment or {})}
        return Member(name, [*prefix, *SOUNDFORGE, *arguments], given, self.folder / f"{name}.log")


def certificates(folder: Path) -> dict[str, str]:
    """Write a key and a certificate, which is also who is trusted; returns the settings that name them."""
    made = Security.temporary()
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_text(made.tls_client_cert)
    key.write_text(made.tls_client_key)
    return {"SOUNDFORGE_TLS_CA": str(cert), "SOUNDFORGE_TLS_CERT": str(cert), "SOUNDFORGE_TLS_KEY": str(key)}


def until(
    condition: Callable[[], object],
    what: str = "it did not happen in time",
    explain: Callable[[], str] = str,
    seconds: float = START_SECONDS,
) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}\n{explain()}"
        time.sleep(0.05)
