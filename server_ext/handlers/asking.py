"""Asking for jobs over HTTP: the events of a job wait until its 202 has been written."""

from __future__ import annotations

from collections.abc import Callable

from server_ext.handlers.base import Handler
from server_ext.schemas import Accepted, JobDocument, job_of, old_download
from sfwidgets.errors import NotFoundError
from sfwidgets.jobs import JobHandle
from sfwidgets.models import Job, JobKind
from sfwidgets.workbench import Workbench
from sfwidgets.workbench.sources import Then

WORK = {
    "download": "The download", "processing": "The separation", "analysis": "The analysis", "model": "The model's fetch",
    "batch": "The batch of downloads",
}  # fmt: skip
"""What each kind of job is called, as the beginning of a sentence."""


class Asking(Handler):
    """A handler that asks for jobs."""

    async def ask(self, submit: Callable[[Workbench], JobHandle], track_id: str | None) -> None:
        """Ask for a job, and answer 202 before any event of it is sent."""
        with self.live.hold(self.owner, track_id) as hold:
            job = (await self.call_workers(submit)).last
            await self.answer(Accepted.of(job, WORK[job.kind]), 202)
            hold.accepted(job.id)


def following(*, separate: bool | None, analyze: bool | None) -> list[Then]:
    """Return what follows a download, as the façade names it."""
    asked: dict[Then, bool | None] = {"separate": separate, "analyze": analyze}
    return [step for step, wanted in asked.items() if wanted]


def newest_job(wb: Workbench, track_id: str, kind: JobKind) -> Job:
    """Return a track's newest job of a kind; raises `NotFoundError` where there is none."""
    found = wb.jobs(track_id, kind=kind, limit=1)
    if not found:
        raise NotFoundError(f"{WORK[kind]} of track {track_id} was not asked for.", code="job_not_found")
    return found[0].last


def newest_of_track(wb: Workbench, track_id: str, kind: JobKind) -> Job:
    """Do as `newest_job` does for a track that is there; what ended before it was added was another of that id."""
    track, job = wb.track(track_id), newest_job(wb, track_id, kind)
    if job.completed_at is not None and job.completed_at < track.created_at:
        raise NotFoundError(f"{WORK[kind]} of track {track_id} was not asked for.", code="job_not_found")
    return job


def shown(job: Job) -> JobDocument:
    """Return a job as clients of the old API read it over HTTP."""
    document = job_of(job)
    return old_download(document) if job.kind == "download" else document
