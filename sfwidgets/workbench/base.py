"""What every part of the façade stands on: the settings, the library, the jobs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfwidgets.errors import ConflictError, InvalidInputError
from sfwidgets.jobs import JobHandle, Jobs
from sfwidgets.library import Shared
from sfwidgets.models import Job, JobKind, Track
from sfwidgets.settings import LOCAL_OWNER, Settings

if TYPE_CHECKING:
    from pydantic import ValidationError

TrackLike = Track | str


class Base:
    """An open library."""

    def __init__(
        self, library: str | Path | None = None, *, settings: Settings | None = None, owner: str = LOCAL_OWNER
    ) -> None:
        self.settings = settings or Settings()
        if library is not None:
            self.settings = self.settings.model_copy(update={"library": Path(library).expanduser().absolute()})
        self._shared = Shared(self.settings)
        self._library = self._shared.of(owner)
        self._jobs = Jobs(self._shared, self.settings)
        self._jobs.resume()

    @property
    def owner(self) -> str:
        """Whose tracks these are."""
        return self._library.owner

    def close(self) -> None:
        """Leave the cluster and the database; jobs that were asked for go on."""
        self._jobs.close()
        self._shared.close()

    def _submit(
        self, kind: JobKind, track_id: str | None, options: dict[str, Any], then: tuple[JobKind, ...] = ()
    ) -> JobHandle:
        return self._handle(self._jobs.submit(self.owner, kind, track_id, options, then))

    def _handle(self, job: Job) -> JobHandle:
        return JobHandle(self._jobs, job, self._again)

    def _again(self, old: Job) -> JobHandle:
        """Ask for a job again; of a batch, for the parts that have not completed."""
        if old.kind != "batch":
            return self._submit(old.kind, old.track_id, old.options, old.then)
        parts = self._jobs.table.parts(self.owner, old.id)
        missing = {str(part.track_id): part.options for part in parts if part.status != "completed"}
        if not missing:
            raise ConflictError("All of this has completed: there is nothing to try again.", code="nothing_to_retry")
        return self._handle(self._jobs.submit_batch(self.owner, parts[0].kind, missing, old.options, old.then))


def track_id(track: TrackLike) -> str:
    """Return the id of a track, or of what names one; raises `InvalidInputError` for anything else."""
    if isinstance(track, Track):
        return track.id
    if not isinstance(track, str):
        raise InvalidInputError(f"{track!r} is neither a track nor a track's id. Add a file with wb.add first.")
    return track


def first_fault(what: str, error: ValidationError) -> str:
    """Return a sentence on the first thing that is not right with a `what`."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"The {what} {where!r} is not right: {first['msg'].removeprefix('Value error, ')}."
