"""Roads: how events get from whoever changed a job to every process that watches."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from sfwidgets.models import Job

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

TOPIC = "soundforge-events"

OnJob = Callable[[Job], None]


class Road(Protocol):
    """What carries events. It is for speed: what it loses, the table of jobs tells."""

    over_cluster: bool
    """Whether nothing arrives without a client of the cluster."""

    @property
    def open(self) -> bool:
        """Whether what is published now can be expected to arrive here."""

    def join(self, client: Client) -> None:
        """Take note of a client of the cluster that has just connected."""

    def listen(self, on_job: OnJob) -> None:
        """Call `on_job`, which must be quick, with the job of every event from now on."""

    def publish(self, member: Any, job: Job) -> None:
        """Tell all who listen of a job's new state; `member` is this process's client or worker of the cluster."""

    def close(self) -> None:
        """Listen no more."""


class DaskRoad:
    """One topic of the library's Dask cluster."""

    over_cluster = True

    def __init__(self) -> None:
        self._client: Client | None = None
        self._on_job: OnJob | None = None

    @property
    def open(self) -> bool:
        """Whether there is a connection to the cluster."""
        return self._client is not None and self._client.status == "running"

    def join(self, client: Client) -> None:
        """Listen on a client's cluster."""
        client.subscribe_topic(TOPIC, self._on_topic)
        self._client = client

    def listen(self, on_job: OnJob) -> None:
        """Call `on_job` with the job of every event."""
        self._on_job = on_job

    def publish(self, member: Any, job: Job) -> None:
        """Tell all who listen on the cluster."""
        member.log_event(TOPIC, pack(job))

    def close(self) -> None:
        """Listen no more."""
        self._on_job = None

    def _on_topic(self, event: tuple[float, dict[str, Any]]) -> None:
        if self._on_job is not None:
            hand_over(event[1], self._on_job)


def pack(job: Job) -> dict[str, Any]:
    """Return a job as it travels, its owner included: other keys are added beside it."""
    return {"job": job.model_dump(mode="json")}


def hand_over(packed: Any, on_job: OnJob) -> None:
    """Call `on_job` with the job that was packed; what is none is left out."""
    try:
        job = Job.model_validate(packed["job"])
    except (KeyError, TypeError, ValueError):
        log.warning("An event was not a job and was left out.")
        return
    on_job(job)
