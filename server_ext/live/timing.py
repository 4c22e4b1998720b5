"""When events may go out: not before the 202 of their job was written, and the last one a moment after it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sfwidgets.models import Job

TERMINAL_SECONDS = 0.5
"""The least time from a job's 202 to its last event: old clients subscribe when they have read the 202."""


class Hold:
    """A request for a job that has not been answered yet."""

    def __init__(self, accepted: Callable[[str], None]) -> None:
        self._accepted = accepted

    def accepted(self, job_id: str) -> None:
        """Say that the 202 of this job has just been written."""
        self._accepted(job_id)


class Timing:
    """Knows of the requests that are being answered, and of the 202s of the last half second."""

    def __init__(self, released: Callable[[], None]) -> None:
        self._released = released
        self._held: Counter[tuple[str, str]] = Counter()
        self._accepted: dict[str, float] = {}

    @contextmanager
    def hold(self, owner: str, track_id: str | None) -> Iterator[Hold]:
        """Let the events of a track wait within the block."""
        track = None if track_id is None else (owner, track_id)
        if track is not None:
            self._held[track] += 1
        try:
            yield Hold(self._accept)
        finally:
            if track is not None:
                self._held[track] -= 1
                if not self._held[track]:
                    del self._held[track]
                    self._released()

    def wait(self, job: Job) -> float | None:
        """Return for how many seconds a job's state may not be told yet; None where nobody knows."""
        if job.track_id is not None and (job.owner, job.track_id) in self._held:
            return None
        if not job.done:
            return 0.0
        asked_for = job.created_at.timestamp() + TERMINAL_SECONDS - time.time()
        accepted = self._accepted.get(job.id)
        answered = 0.0 if accepted is None else accepted + TERMINAL_SECONDS - asyncio.get_running_loop().time()
        return max(0.0, min(asked_for, TERMINAL_SECONDS), answered)

    def _accept(self, job_id: str) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._accepted[job_id] = now

        def forget() -> None:
            if self._accepted.get(job_id) == now:
                del self._accepted[job_id]

        loop.call_later(2 * TERMINAL_SECONDS, forget)
