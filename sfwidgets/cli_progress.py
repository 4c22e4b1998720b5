"""Downloads as a shell shows them while they run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import typer

from sfwidgets.errors import JobCancelledError, JobFailedError

if TYPE_CHECKING:
    from sfwidgets.jobs import JobHandle
    from sfwidgets.models import Job

SHORTEST = 0.5
"""Seconds between two looks at the jobs."""
SHARE = 10
"""A look that takes long is followed by a rest of so many times as long."""

State = Literal["done", "was there", "failed", "cancelled"]
WORDS: dict[str, State] = {"completed": "done", "error": "failed", "cancelled": "cancelled"}


@dataclass
class Part:
    """What became of one track: its download, and what was to be made of it."""

    track_id: str
    title: str
    state: State
    error: str = ""
    code: str = ""
    path: str | None = None
    """Its audio in the library; None where it is not there."""
    copy: str | None = None
    """The copy of it that was asked for."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-ready objects."""
        values = asdict(self)
        return {"trackId": values.pop("track_id"), **values}


class _Shown(Protocol):
    def show(self, whole: Job, handles: Sequence[JobHandle]) -> None: ...

    def say(self, line: str) -> None: ...


def follow(handle: JobHandle, path_of: Callable[[str], Path]) -> list[Part]:
    """Show how a download, or a batch of them, goes on, until it and all that follows have ended; on standard error.

    Returns what became of each track, in order. `path_of` says where the library keeps a track's audio.
    """
    with _lines_or_bars() as shown:
        handles = _until_ended(handle, shown)
        parts = []
        for one in handles:
            job = one.last
            part = Part(job.track_id or "", one.title, _state(job), job.error or "", job.code or "")
            if job.status == "completed":
                part.path = str(path_of(part.track_id))
                _follow_further(one, part, shown)
            parts.append(part)
    return parts


def _state(job: Job) -> State:
    return "was there" if (job.result or {}).get("by") == "library" else WORDS[job.status]


def _until_ended(handle: JobHandle, shown: _Shown) -> list[JobHandle]:
    while True:
        begun = time.monotonic()
        whole = handle.value
        handles = handle.children() if handle.kind == "batch" else [handle]
        shown.show(whole, handles)
        if whole.done:
            return handles
        time.sleep(max(SHORTEST, SHARE * (time.monotonic() - begun)))


def _follow_further(handle: JobHandle, part: Part, shown: _Shown) -> None:
    """Wait for what follows a download; what goes wrong with it is the track's fate."""
    following = handle.following()
    while following is not None:
        shown.say(f"{'Separating' if following.kind == 'processing' else 'Analysing'} {part.title}")
        try:
            following.wait(progress=False)
        except (JobFailedError, JobCancelledError) as error:
            part.state = "cancelled" if isinstance(error, JobCancelledError) else "failed"
            part.error, part.code = error.message, error.code
            return
        following = following.following()


@contextmanager
def _lines_or_bars() -> Iterator[_Shown]:
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[count]}")
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
        yield _Bars(progress)


class _Lines:
    """A line whenever a track has ended, or the queue pauses."""

    def __init__(self) -> None:
        self._ended: set[str] = set()
        self._paused = ""

    def show(self, whole: Job, handles: Sequence[JobHandle]) -> None:
        """Tell what is new."""
        for handle in handles:
            job = handle.last
            if job.done and job.id not in self._ended:
                self._ended.add(job.id)
                self.say(f"{len(self._ended)} of {len(handles)}: {handle.title} {_state(job)}")
        if whole.not_before is not None and whole.stage != self._paused:
            self._paused = whole.stage
            self.say(self._paused)

    def say(self, line: str) -> None:
        """Print a line."""
        typer.echo(line, err=True)


class _Bars:
    """A bar for all, and below it one for each track that runs."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._whole = progress.add_task("Downloading", total=100, count="")
        self._running: dict[str, Any] = {}

    def show(self, whole: Job, handles: Sequence[JobHandle]) -> None:
        """Bring the bars up to date."""
        ended = sum(handle.last.done for handle in handles)
        paused = whole.stage if whole.not_before is not None else "Downloading"
        share = sum(handle.last.progress if not handle.last.done else 100 for handle in handles) / max(1, len(handles))
        self._progress.update(self._whole, description=paused, completed=share, count=f"{ended} of {len(handles)}")
        running = {handle.id: handle for handle in handles if handle.last.status == "processing"}
        for job_id in self._running.keys() - running.keys():
            self._progress.remove_task(self._running.pop(job_id))
        for job_id, handle in running.items():
            if job_id not in self._running:
                self._running[job_id] = self._progress.add_task("", total=100, count="")
            name = f"  {handle.title[:40]}"
            self._progress.update(
                self._running[job_id], description=name, completed=handle.last.progress, count=handle.last.stage
            )

    def say(self, line: str) -> None:
        """Say on the upper bar what is being waited for."""
        self._progress.update(self._whole, description=line[:60])
