"""A machine that works for a cluster elsewhere, as `soundforge worker` runs it.

It looks at its own side first, waits for the scheduler, makes sure that it sees the same library as the workers that are
there, and then keeps worker processes alive until it is told to stop. Where the scheduler is lost, it begins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import signal
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sfwidgets.errors import UnavailableError
from sfwidgets.jobs.cluster import DASK_CONFIG, DOWNLOAD, GPU, HEAVY, LIGHT
from sfwidgets.jobs.daemon import DOWNLOADS_AHEAD
from sfwidgets.jobs.memory import watched_nanny
from sfwidgets.jobs.remote import connect_remote, scheduler_address, tls
from sfwidgets.jobs.service import Jobs
from sfwidgets.library import Shared
from sfwidgets.library.landmark import lacks_its_songs
from sfwidgets.logs import use_configured_format
from sfwidgets.settings import Settings

log = logging.getLogger(__name__)

AGAIN_SECONDS = 2.0
"""How often a scheduler that is not there is looked for."""
TOLD_SECONDS = 60.0
"""How often it is said that the scheduler is still not there."""
RECOVER_SECONDS = 2.0
"""How often jobs are looked after, by all machines of the cluster together."""
MOST_SECONDS = 30.0
"""How often one machine looks after jobs at least."""
LEAVE_SECONDS = 25.0
"""How long a worker that is told to stop has to give its jobs back."""


@dataclass(frozen=True)
class Offer:
    """What a machine offers to a cluster."""

    heavy: bool = True
    light: bool = True
    gpus: tuple[str, ...] = ()
    """The GPUs, as CUDA_VISIBLE_DEVICES names them; none means that the CPU separates."""
    nthreads: int = 0
    """How many light tasks run at once, downloads aside; 0 means one a core."""
    memory: int = 0
    """Bytes that all worker processes may use together; 0 means no limit."""


def run_worker(settings: Settings, offer: Offer) -> None:
    """Work for the cluster at DASK_SCHEDULER until SIGTERM.

    Raises `UnavailableError` and `InvalidInputError` where this machine can't: its database or its library is not usable,
    or is not the one that the cluster's other workers use.
    """
    asyncio.run(_Member(settings, offer).run())


class _Member:
    def __init__(self, settings: Settings, offer: Offer) -> None:
        self._settings = settings
        self._offer = offer
        self._stop = asyncio.Event()
        self._shared = Shared(settings)
        self._name = f"{socket.gethostname()}-{os.getpid()}"

    async def run(self) -> None:
        import dask
        import distributed  # noqa: F401  # before the configuration: it fills what is empty there with its defaults

        dask.config.set({**DASK_CONFIG, **MEMORY_CONFIG})
        use_configured_format(self._settings)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        try:
            await asyncio.to_thread(self._check_files)
            await asyncio.to_thread(self._shared.sweep)
            while await self._scheduler_answers():
                try:
                    await self._work()
                except (OSError, TimeoutError, RuntimeError) as error:
                    log.warning("The workers could not start (%s); they are started again.", error)
                    await self._pause(AGAIN_SECONDS)
        finally:
            self._shared.close()
        log.info("The workers are down.")

    def _check_files(self) -> None:
        """Refuse a folder that is not the library's, as where a shared file system is not mounted."""
        if not self._settings.in_supabase and lacks_its_songs(self._shared):
            raise UnavailableError(
                f"{self._settings.library} has none of the songs that are in the database. Is the shared folder mounted, "
                "and are AUDIO_DATA_PATH and DATABASE_URL those of the servers?",
                code="no_shared_store",
            )

    async def _scheduler_answers(self) -> bool:
        """Wait until a scheduler whose cluster fits answers; returns False where this process is to stop."""
        told = -TOLD_SECONDS
        while not self._stop.is_set():
            try:
                client = await asyncio.to_thread(connect_remote, self._settings, joining=True)
                await asyncio.to_thread(client.close, 1)
                return not self._stop.is_set()
            except UnavailableError as error:
                if error.code != "no_cluster":
                    raise
                now = asyncio.get_running_loop().time()
                if now - told >= TOLD_SECONDS:
                    told = now
                    log.warning("%s It is looked for until it is there.", error.message)
                await self._pause(AGAIN_SECONDS)
        return False

    async def _work(self) -> None:
        """Keep workers in the cluster until they are lost with the scheduler, or this process is to stop."""
        async with contextlib.AsyncExitStack() as stack:
            nannies = []
            for arguments in self._workers():
                nanny = watched_nanny(self._shared.jobs, **arguments)
                stack.push_async_callback(nanny.close, timeout=LEAVE_SECONDS)
                nannies.append(await nanny)
            log.info("%s works for %s: %s.", self._name, nannies[0].scheduler_addr, ", ".join(n.name for n in nannies))
            caring = asyncio.create_task(self._look_after_jobs())
            stack.push_async_callback(_ended, caring)
            while not self._stop.is_set():
                lost = [nanny.name for nanny in nannies if nanny.status.name in ("closing", "closed", "failed")]
                if lost:
                    log.warning("The scheduler, or the worker %s, was lost; all begin anew.", ", ".join(lost))
                    return
                await self._pause(0.5)
            log.info("The workers stop; what they have not finished goes back to the queue.")

    def _workers(self) -> Iterator[dict[str, Any]]:
        """Yield what each worker process is made with."""
        offer, cores = self._offer, os.cpu_count() or 1
        folder = tempfile.gettempdir()
        processes = (max(1, len(offer.gpus)) if offer.heavy else 0) + offer.light
        common = {
            "scheduler_ip": scheduler_address(self._settings), "security": tls(self._settings),
            "protocol": scheduler_address(self._settings).partition(":")[0], "preload": ["sfwidgets.jobs.preload"],
            "dashboard": False, "dashboard_address": None, "local_directory": folder,
            "memory_limit": offer.memory // processes,
        }  # fmt: skip
        if offer.heavy and not offer.gpus:
            yield {**common, "name": f"{self._name}-{HEAVY}", "nthreads": 1, "resources": {HEAVY: 1}}
        for gpu in offer.gpus if offer.heavy else ():
            yield {
                **common, "name": f"{self._name}-gpu-{gpu}", "nthreads": 1, "resources": {HEAVY: 1, GPU: 1},
                "env": {"CUDA_VISIBLE_DEVICES": gpu},
            }  # fmt: skip
        if offer.light:
            downloads = self._settings.downloads + DOWNLOADS_AHEAD
            lights = offer.nthreads or cores
            yield {
                **common, "name": f"{self._name}-{LIGHT}", "nthreads": lights + downloads,
                "resources": {LIGHT: lights, DOWNLOAD: downloads},
            }  # fmt: skip

    async def _look_after_jobs(self) -> None:
        """Now and then send again what was lost; a cluster of many machines does it no more often than one of few."""
        jobs = Jobs(self._shared, self._settings)
        machines = 1
        try:
            while True:
                await asyncio.sleep(min(RECOVER_SECONDS * machines, MOST_SECONDS) * random.uniform(0.5, 1.5))  # noqa: S311
                machines = await asyncio.to_thread(_care, jobs)
        finally:
            jobs.close()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


MEMORY_CONFIG = {
    # Jobs keep nothing in Dask's memory that could be spilled, and a warm model would pause its worker for ever.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
}


def _care(jobs: Jobs) -> int:
    """Look after jobs whose worker died; returns how many workers the cluster has."""
    try:
        jobs.recover()
        return len(jobs.client().nthreads()) or 1
    except Exception as error:
        log.warning("Jobs that have not ended could not be looked after just now: %s", error)
        return 1


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
