"""Jobs that were asked for, followed from anywhere."""

from __future__ import annotations

from collections.abc import Callable

from sfwidgets.jobs import JobHandle
from sfwidgets.models import Event, Job, JobKind, check_id
from sfwidgets.workbench.base import Base, TrackLike, track_id


class WithJobs(Base):
    """The jobs of a library."""

    def job(self, job_id: str) -> JobHandle:
        """Return a job by its id; raises `NotFoundError`."""
        return self._handle(self._jobs.table.get(self.owner, job_id))

    def jobs(
        self,
        track: TrackLike | None = None,
        *,
        kind: JobKind | None = None,
        parent: str | None = None,
        children: bool = True,
        limit: int = 50,
    ) -> list[JobHandle]:
        """Return jobs, the newest first: all, or those of a track, of a kind, of the batch `parent`.

        Without `children`, the parts of batches are left out.
        """
        found = self._jobs.table.newest(
            self.owner, kind=kind, track_id=None if track is None else track_id(track), parent=parent, parts=children,
            limit=limit,
        )  # fmt: skip
        return [self._handle(job) for job in found]

    def recent_jobs(self, track_id: str) -> list[Job]:
        """Return the jobs of a track that run, and those that ended in the last two minutes; the oldest first."""
        return self._jobs.table.recent(self.owner, [check_id(track_id)])

    def watch_track(self, track_id: str, watcher: Callable[[Event], None]) -> Callable[[], None]:
        """Call `watcher` with every event of a track's jobs from now on; returns what ends that.

        It is called on a thread of the library's, with each job's events in order and each once. The track need not exist.
        Raises `InvalidInputError` for what is no track's id.
        """
        return self._jobs.watch_track(self.owner, check_id(track_id), watcher)
