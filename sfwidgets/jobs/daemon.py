"""The process that owns the library's cluster: a scheduler, one heavy worker, and one for light work.

Started by `sfwidgets.jobs.cluster`; gone after ten idle minutes, or when told to stop. One a library: it holds a lock
for as long as it lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sfwidgets.errors import SoundForgeError
from sfwidgets.jobs.cluster import DASK_CONFIG, DOWNLOAD, GPU, HEAVY, LIGHT, address_file, run_folder, security
from sfwidgets.logs import use_configured_format
from sfwidgets.settings import Settings

log = logging.getLogger("sfwidgets.daemon")

CHECK_SECONDS = 2.0
DOWNLOADS_AHEAD = 2
"""How many more downloads are begun, or recorded, while as many as may be are on the network."""


def main() -> int:
    """Run the cluster until it is idle for long enough, or until SIGTERM."""
    # As Dask writes for the workers, which write to the same file.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(name)s - %(levelname)s - %(message)s")
    settings = Settings()
    lock = FileLock(run_folder(settings) / "daemon.lock")
    try:
        lock.acquire(timeout=20)
    except Timeout:
        log.error("Another cluster holds this library and does not answer. Stop it: `soundforge stop`.")
        return 1
    with lock:
        asyncio.run(_serve(settings))
    return 0


async def _serve(settings: Settings) -> None:
    import dask
    from distributed import Nanny, Scheduler

    dask.config.set(DASK_CONFIG)  # after the import, which would fill what is empty here with its defaults
    use_configured_format(settings)
    pem = _key_pair()
    common = {
        "security": security(pem), "protocol": "tls", "host": "127.0.0.1", "dashboard": False,
        "dashboard_address": "127.0.0.1:0",
    }  # fmt: skip
    worker = {
        **common, "memory_limit": 0, "preload": ["sfwidgets.jobs.preload"],
        "local_directory": str(run_folder(settings) / "dask"),
    }  # fmt: skip
    cores = os.cpu_count() or 1
    downloads = settings.downloads + DOWNLOADS_AHEAD
    offered = {LIGHT: cores, DOWNLOAD: downloads}
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Not a SpecCluster: that closes for good a nanny whose worker is found dead twice within 15 seconds.
    async with (
        Scheduler(port=0, **common) as scheduler,
        Nanny(scheduler.address, name=HEAVY, nthreads=1, resources={HEAVY: 1, GPU: 1}, **worker) as heavy,
        Nanny(scheduler.address, name=LIGHT, nthreads=cores + downloads, resources=offered, **worker) as light,
    ):
        _announce(settings, scheduler.address, pem)
        log.info("The cluster is up at %s.", scheduler.address)
        try:
            await _until_idle(settings, scheduler, [heavy, light], stop)
        finally:
            address_file(settings).unlink(missing_ok=True)
    log.info("The cluster is down.")


async def _until_idle(settings: Settings, scheduler: Any, nannies: list[Any], stop: asyncio.Event) -> None:
    from sfwidgets.jobs.service import Jobs
    from sfwidgets.library import Shared

    shared = await asyncio.to_thread(Shared, settings)
    jobs = Jobs(shared, settings)
    await asyncio.to_thread(_sweep, shared)
    busy_until = time.monotonic()
    try:
        while not stop.is_set():
            lost = [nanny.name for nanny in nannies if nanny.status.name in ("closing", "closed", "failed")]
            if lost:
                log.error(
                    "The worker %s could not be kept alive; the cluster ends, and is started anew when needed.", lost
                )
                return
            if await asyncio.to_thread(_care, jobs, scheduler.tasks):
                busy_until = time.monotonic()
            if time.monotonic() - busy_until > settings.idle_minutes * 60:
                log.info("Idle for %g minutes.", settings.idle_minutes)
                await asyncio.to_thread(_sweep, shared)
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), CHECK_SECONDS)
    finally:
        await asyncio.to_thread(jobs.close)
        shared.close()


def _care(jobs: Any, tasks: dict[str, Any]) -> bool:
    """Look after jobs whose worker died; returns whether there is anything to do."""
    try:
        return jobs.recover() or bool(tasks)
    except Exception:
        log.exception("Recovery failed; it is tried again.")
        return True


def _sweep(shared: Any) -> None:
    """Clean up, if the database is there; the next time is soon enough."""
    try:
        shared.sweep()
    except SoundForgeError as error:
        log.warning("What died half made could not be removed just now: %s", error)


def _announce(settings: Settings, address: str, pem: dict[str, str]) -> None:
    import psutil

    facts = {
        "address": address, "pid": os.getpid(), "started": psutil.Process().create_time(), "tls": pem,
        "python": sys.version.split()[0],
    }  # fmt: skip
    target = address_file(settings)
    temporary = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(facts, file)
    Path(temporary).replace(target)


def _key_pair() -> dict[str, str]:
    from distributed import Security

    temporary = Security.temporary()
    return {"certificate": temporary.tls_client_cert, "key": temporary.tls_client_key}


if __name__ == "__main__":
    sys.exit(main())
