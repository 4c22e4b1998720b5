"""How much there is, and how fast the work goes."""

from __future__ import annotations

from sfwidgets.models.base import Value
from sfwidgets.models.jobs import JobKind, JobStatus


class Pace(Value):
    """How the jobs of one kind that ended in the last 24 hours went; None where nothing tells."""

    queue_seconds: float | None = None
    """Seconds: the mean time from being asked for to being begun."""
    audio_seconds_per_second: float | None = None
    """Seconds of audio worked in a second of work, over jobs that completed; what was known already is no work."""


class Limits(Value):
    """What an owner may have; None where there is no limit."""

    storage_bytes: int | None = None
    """Of audio and stems: `audioBytes` and `stemBytes` together."""
    upload_bytes: int | None = None
    """Of one upload, which never has more than 4 GiB."""
    unfinished_jobs: int | None = None
    """`jobsWaiting` and `jobsRunning` together, without batches: their parts count."""
    open_uploads: int
    """Resumable ones, at each server."""
    open_sockets: int | None = None
    """Connections for live events, at each server."""
    requests_per_minute: int | None = None
    """At each server."""


class Stats(Value):
    """One owner's figures. What lies in the trash is no track any longer, but its bytes and seconds count till it goes."""

    tracks: int
    """How many there are."""
    tracks_with_stems: int
    tracks_with_analysis: int
    audio_seconds: float
    """Seconds: the length of all audio files, each once."""
    audio_bytes: int
    """The files that were added, without what is kept beside them."""
    stem_bytes: int
    """The stems' files."""
    jobs: dict[JobKind, dict[JobStatus, int]]
    """How many jobs there are, by kind and status; every kind is there, and every status."""
    jobs_waiting: int
    """How many jobs are `queued`."""
    jobs_running: int
    """How many jobs are `processing`."""
    last_day: dict[JobKind, Pace]
    """By kind, of the last 24 hours; every kind is there."""
    limits: Limits
