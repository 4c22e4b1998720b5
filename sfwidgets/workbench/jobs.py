"""Jobs that were asked for, followed from anywhere."""

from __future__ import annotations

from sfwidgets.jobs import JobHandle
from sfwidgets.models import JobKind
from sfwidgets.workbench.base import Base, TrackLike, track_id


class WithJobs(Base):
    """The jobs of a library."""

    def job(self, job_id: str) -> JobHandle:
        """Return a job by its id; raises `NotFoundError`."""
        return self._handle(self._jobs.table.get(self.owner, job_id))

    def jobs(self, track: TrackLike | None = None, *, kind: JobKind | None = None, limit: int = 50) -> list[JobHandle]:
        """Return jobs, the newest first."""
        of_track = None if track is None else track_id(track)
        return [
            self._handle(job) for job in self._jobs.table.newest(self.owner, kind=kind, track_id=of_track, limit=limit)
        ]
