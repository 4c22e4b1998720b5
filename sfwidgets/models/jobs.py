"""Jobs, and the events that tell of them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sfwidgets.models.base import Moment, Value

JobKind = Literal["download", "processing", "analysis", "model", "batch"]
JobStatus = Literal["queued", "processing", "completed", "error", "cancelled"]
TERMINAL: frozenset[str] = frozenset({"completed", "error", "cancelled"})


class Job(Value):
    """A piece of work as the table has it at one moment. `jobs.JobHandle` is the live one."""

    id: str
    owner: str
    kind: JobKind
    track_id: str | None
    parent: str | None = None
    """The id of the batch that it is a part of."""
    status: JobStatus
    progress: int = Field(ge=0, le=100)
    stage: str = ""
    """What it is doing, in a word or two."""
    options: dict[str, Any] = Field(default_factory=dict)
    then: tuple[JobKind, ...] = ()
    """What follows by itself once it has completed."""
    attempt: int = 0
    seq: int = 0
    """Raised with every change of the row; an event with a lower one is old news."""
    turn: int = 0
    """When it is begun among the jobs that wait for the same workers: lower numbers go first."""
    error: str | None = None
    code: str | None = None
    output_path: str | None = None
    result: dict[str, Any] | None = None
    not_before: Moment | None = None
    """Until when it waits, where somebody else's service asks for that; of a batch, until when its queue waits."""
    created_at: Moment
    started_at: Moment | None = None
    completed_at: Moment | None = None

    @property
    def done(self) -> bool:
        """Whether the job has ended, one way or another."""
        return self.status in TERMINAL


class Event(Value):
    """One thing that happened to a job; `name` is the HTTP contract's (`processing:job:updated`)."""

    name: str
    job: Job

    @property
    def seq(self) -> int:
        """The job's `seq`: what tells new from old."""
        return self.job.seq
