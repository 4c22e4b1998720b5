"""A worker that was given work of another library: it can't do it, says so, and leaves."""

from __future__ import annotations

import logging

from sfwidgets.library import Shared

log = logging.getLogger(__name__)


def leave_if_stranger(shared: Shared, job_id: str) -> None:
    """Take this worker out of its cluster where the table has never had a job that it was given.

    Else Dask would bring it that job, and others, again and again. `soundforge worker` then looks anew whom it works for.
    """
    if shared.jobs.many([job_id]):
        return
    from distributed import get_worker

    log.error(
        "Job %s is not in this worker's database, so the two are of different libraries. The worker leaves the cluster. "
        "Give it the DATABASE_URL and AUDIO_DATA_PATH of those who ask for jobs.", job_id,
    )  # fmt: skip
    worker = get_worker()
    worker.loop.add_callback(worker.close, reason="it serves another library")
