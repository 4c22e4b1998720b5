"""The leases of all that a process works on, renewed by one thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sfwidgets.library import JobTable, LeaseLostError
from sfwidgets.models import Job

log = logging.getLogger(__name__)

RENEW_SECONDS = 4.0


class Leases:
    """Renews leases for as long as they are kept."""

    def __init__(self, table: JobTable) -> None:
        self._table = table
        self._held: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def kept(self, job: Job) -> Iterator[None]:
        """Renew the lease of an attempt within the block; an attempt that lost it hears of that from the table."""
        with self._lock:
            self._held[job.id] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew, name="soundforge-leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(job.id, None)

    def _renew(self) -> None:
        while True:
            time.sleep(RENEW_SECONDS)
            with self._lock:
                held = list(self._held.values())
            for job in held:
                try:
                    with suppress(LeaseLostError):
                        self._table.renew(job)
                except Exception as error:
                    log.warning("The lease of job %s could not be renewed; it is tried again: %s", job.id, error)
