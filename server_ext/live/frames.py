"""What is sent to clients: events in both families, the long one and the short one, as the HTTP contract has them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from server_ext.schemas import job_document
from sfwidgets.errors import SoundForgeError
from sfwidgets.jobs.events import event_of
from sfwidgets.models import Job


@dataclass(frozen=True)
class Frame:
    """One event as a client gets it."""

    name: str
    data: dict[str, Any]

    @cached_property
    def text(self) -> str:
        """The event as the plain WebSocket carries it."""
        return json.dumps({"event": self.name, "data": self.data}, allow_nan=False, separators=(",", ":"))


@dataclass(frozen=True)
class News:
    """A job's new state, and what is said of it; shared by all clients who are told."""

    job: Job
    stems: tuple[str, ...] | None = None
    """The file names of the stems that the job made."""

    @cached_property
    def long(self) -> Frame:
        """The event of the long family."""
        return Frame(event_of(self.job).name, job_document(self.job) | {"seq": self.job.seq})

    def short(self, what: str) -> Frame:
        """Return the event of the short family; `what` is `started`, `update`, `completed` or `error`."""
        job = self.job
        data: dict[str, Any] = {
            "trackId": job.track_id, "jobId": job.id, "status": job.status, "progress": job.progress,
        }  # fmt: skip
        error = "Cancelled." if job.status == "cancelled" else job.error
        if error is not None:
            data["error"] = error
        if self.stems is not None:
            data["stems"] = list(self.stems)
        return Frame(f"{job.kind}:{what}", data)


def refusal(error: SoundForgeError) -> Frame:
    """Return the event that tells a client what was wrong with what it sent."""
    return Frame("error", {"error": error.message, "code": error.code})
