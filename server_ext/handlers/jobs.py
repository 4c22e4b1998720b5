"""Jobs: one of a service's, the list of all, cancelling and asking again."""

from __future__ import annotations

from server_ext.handlers.asking import Asking, shown
from server_ext.handlers.base import Handler
from server_ext.operation import operation
from server_ext.schemas import Accepted, JobDocument, JobList, JobsQuery
from sfwidgets.errors import NotFoundError
from sfwidgets.jobs import JobHandle
from sfwidgets.models import JobKind
from sfwidgets.workbench import Workbench


class Jobs(Handler):
    """`/api/jobs`."""

    @operation("List jobs, the newest first", query=JobsQuery, answer=JobList)
    async def get(self, given: JobsQuery) -> JobList:
        """Return the jobs that are asked for."""
        found = await self.call(
            lambda wb: wb.jobs(
                given.track_id, kind=given.kind, limit=given.limit, children=given.children, parent=given.parent
            )
        )
        return JobList(jobs=[shown(job.last) for job in found])


class OfService(Asking):
    """A path under `/api/{service}/job/`: that service's kinds of jobs are there, and no others."""

    def initialize(self, template: str, kinds: frozenset[JobKind]) -> None:  # type: ignore[override]
        """Take what the route says."""
        super().initialize(template)
        self.kinds = kinds

    def find(self, wb: Workbench, job_id: str) -> JobHandle:
        """Return a job of this service; raises `NotFoundError`."""
        found = wb.job(job_id)
        if found.kind not in self.kinds:
            raise NotFoundError(f"There is no job {job_id} here.", code="job_not_found")
        return found


class OneJob(OfService):
    """`/api/{service}/job/{jobId}`."""

    @operation("Show a job", answer=JobDocument, errors=(404,))
    async def get(self, job_id: str) -> JobDocument:
        """Return the job as it is now."""
        return await self.call(lambda wb: shown(self.find(wb, job_id).last))


class CancelJob(OfService):
    """`/api/{service}/job/{jobId}/cancel`."""

    @operation("Cancel a job; one that has ended stays as it is", answer=JobDocument, errors=(404, 413))
    async def post(self, job_id: str) -> JobDocument:
        """Ask that the job be cancelled."""

        def cancel(wb: Workbench) -> JobDocument:
            found = self.find(wb, job_id)
            found.cancel()
            return shown(found.last)

        return await self.call_workers(cancel)


class RetryJob(OfService):
    """`/api/{service}/job/{jobId}/retry`."""

    @operation(
        "Ask for the same work again, as a new job",
        answer=Accepted,
        status=202,
        errors=(404, 409, 413, 503),
        note="Of a batch, what has not completed is asked for.",
    )
    async def post(self, job_id: str) -> None:
        """Ask for the job again."""
        found = await self.call(lambda wb: self.find(wb, job_id))
        await self.ask(lambda wb: again(wb, found), found.last.track_id)


def again(wb: Workbench, job: JobHandle) -> JobHandle:
    """Ask for the same work again; raises `NotFoundError` where the track, or its audio, has gone since."""
    if job.last.track_id is not None and job.kind != "download":
        wb.check_audio(job.last.track_id)
    return job.retry()
