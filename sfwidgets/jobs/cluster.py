"""The library's Dask cluster: found by the address file in the library, started by whoever needs it first.

The cluster is a process of its own (`sfwidgets.jobs.daemon`), so that no kernel, server or command takes the work down
with it. Its address and its TLS keys lie in `run/cluster.json`, readable by the library's owner alone: who can read that
file owns the library anyway. With `DASK_SCHEDULER` set, nothing is started.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from sfwidgets.errors import UnavailableError
from sfwidgets.settings import Settings

if TYPE_CHECKING:
    from distributed import Client, Security

log = logging.getLogger(__name__)

HEAVY = "separation"
GPU = "gpu"
"""Beside `separation`, where the worker separates on a GPU."""
LIGHT = "light"
DOWNLOAD = "download"
START_SECONDS = 60.0
STOP_SECONDS = 30.0

DASK_CONFIG: dict[str, Any] = {
    # Dask blames a dying worker's tasks for its death; only the table of jobs counts attempts.
    "distributed.scheduler.allowed-failures": 1_000_000,
    # An idle cluster costs 4 % of a core with these, 14 % without (measured).
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.admin.low-level-log-length": 1000,
    "distributed.comm.timeouts.connect": "10s",
    # By default Dask gives each worker one thread of OpenMP, and an allocator that trims at every turn.
    "distributed.nanny.pre-spawn-environ": {},
    "logging": {"distributed": "warning", "distributed.client": "critical"},
    # No dashboard, and no unauthenticated HTTP route of any other kind.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


def run_folder(settings: Settings) -> Path:
    """Return the folder of the cluster's address, locks and log."""
    folder = settings.library / "run"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def address_file(settings: Settings) -> Path:
    """Return the file that says where the library's cluster is."""
    return run_folder(settings) / "cluster.json"


def security(pem: dict[str, str]) -> Security:
    """Return Dask's security of a cluster whose one key pair is `pem`."""
    from distributed import Security

    return Security(
        require_encryption=True,
        tls_ca_file=pem["certificate"],
        **{
            f"tls_{role}_{part}": pem[name]
            for role in ("client", "scheduler", "worker")
            for part, name in (("cert", "certificate"), ("key", "key"))
        },
    )


def connect(settings: Settings) -> Client:
    """Return a client of the cluster that does this library's work, which is started if it is not there.

    Raises `UnavailableError` where it can't be reached, or its workers can't do this library's work.
    """
    import dask

    dask.config.set(DASK_CONFIG)
    if settings.dask_scheduler is not None:
        from sfwidgets.jobs.remote import connect_remote

        return connect_remote(settings)
    client = _connect_known(settings)
    if client is not None:
        return client
    with FileLock(run_folder(settings) / "start.lock", timeout=2 * START_SECONDS):
        client = _connect_known(settings)
        return client if client is not None else _start(settings)


def open_client(address: str, *, security: Security | None = None, timeout: float = 10.0) -> Client:
    """Return a client of the scheduler at an address; raises `OSError` or `TimeoutError` where none answers."""
    from distributed import Client

    return Client(
        address, security=security, timeout=timeout, set_as_default=False, name="soundforge", heartbeat_interval="5s"
    )


def _connect_known(settings: Settings) -> Client | None:
    try:
        known = json.loads(address_file(settings).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if not _alive(known):
        return None
    try:
        return open_client(known["address"], security=security(known["tls"]))
    except (OSError, TimeoutError) as error:
        log.info("The library's cluster at %s did not answer: %s", known["address"], error)
        return None


def _alive(known: dict[str, Any]) -> bool:
    import psutil

    try:
        process = psutil.Process(known["pid"])
        return process.create_time() == known["started"] and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _start(settings: Settings) -> Client:
    folder = run_folder(settings)
    environment = {**os.environ, "AUDIO_DATA_PATH": str(settings.library), **WORKER_ENVIRONMENT}
    if settings.database_url is not None:
        environment["DATABASE_URL"] = settings.database_url.get_secret_value()
    if settings.redis_url is not None:
        environment["REDIS_URL"] = settings.redis_url.get_secret_value()
    environment["SOUNDFORGE_IDLE_MINUTES"] = str(settings.idle_minutes)
    log_file = folder / "cluster.log"
    with log_file.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sfwidgets.jobs.daemon"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True,
            cwd=settings.library,
        )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        client = _connect_known(settings)
        if client is not None:
            return client
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise UnavailableError(f"The library's workers could not be started; {log_file} says why.", code="no_cluster")


WORKER_ENVIRONMENT = {
    # A segment of Demucs allocates and frees hundreds of MB in large pieces. By default glibc gives each back to the
    # system at once, and 18 million page faults later a third of the time has gone (measured).
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(4 << 30),
    "MALLOC_TOP_PAD_": str(512 << 20),
    # What goes into run/cluster.log: our own lines, and what is wrong with Dask. It reads this when it is imported, in
    # each process anew; `DASK_CONFIG` comes too late for these.
    "DASK_LOGGING__SFWIDGETS": "info",
    "DASK_LOGGING__DISTRIBUTED": "warning",
}


@functools.cache
def machine_id() -> str:
    """Return what tells this machine, since its last start, from others.

    Two containers are two machines: the number of a process means nothing in the other.
    """
    import socket

    boot, processes = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    started = boot.read_text().strip() if boot.exists() else ""
    container = processes.readlink().name.strip("pid:[]") if processes.is_symlink() else ""
    return f"{socket.gethostname()}-{started}-{container}"


def stop_cluster(settings: Settings) -> bool:
    """Stop the library's own cluster, as at a shutdown of the machine; returns whether there was one."""
    import psutil

    if not settings.library.exists():
        return False
    try:
        known = json.loads(address_file(settings).read_text())
        if not _alive(known):
            return False
        process = psutil.Process(known["pid"])
        process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while _alive(known):  # whoever started it may live on, and never ask for its end: a zombie is gone, too
            if time.monotonic() > deadline:
                process.kill()
                break
            time.sleep(0.05)
    except (FileNotFoundError, json.JSONDecodeError, psutil.NoSuchProcess):
        return False
    return True
