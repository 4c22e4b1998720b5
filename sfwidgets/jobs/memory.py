"""Worker processes that are killed before they take more memory than they may; the job says why."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from sfwidgets.jobs.cluster import machine_id
from sfwidgets.library import JobTable

log = logging.getLogger(__name__)

GONE_SECONDS = 30.0


def watched_nanny(table: JobTable, **arguments: Any) -> Any:
    """Return a nanny, which keeps a worker process alive, and marks the jobs of one that it killed for its memory."""
    from distributed import Nanny

    class WatchedNanny(Nanny):  # type: ignore[misc]
        def log_event(self, topic: Any, msg: Any) -> None:
            super().log_event(topic, msg)
            if topic == "worker-restart-memory":
                self._ongoing_background_tasks.call_soon(self._mark, msg["pid"])

        async def _mark(self, pid: int) -> None:
            await asyncio.to_thread(_mark_jobs, table, pid)

    return WatchedNanny(**arguments)


def _mark_jobs(table: JobTable, pid: int) -> None:
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
        psutil.Process(pid).wait(GONE_SECONDS)
    for lost in table.unfinished():
        if lost.holder is not None and lost.holder.startswith(f"{machine_id()} {pid} "):
            log.warning("%s %s took too much memory in attempt %d.", lost.job.kind, lost.job.id, lost.job.attempt)
            table.out_of_memory(lost)
