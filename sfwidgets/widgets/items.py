"""What is on the list of an import panel: a file that has become a track, or recordings that are to be downloaded."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from sfwidgets.jobs import JobHandle
from sfwidgets.models import SourceList, Track
from sfwidgets.widgets.incoming import Asked
from sfwidgets.widgets.jobs import Following
from sfwidgets.workbench import Workbench
from sfwidgets.workbench.sources import Then

LOOK_SECONDS = 1.0
"""There is at least so much time between two looks at the parts of a batch that runs."""


@dataclass(eq=False, kw_only=True)
class Item(ABC):
    """One entry of the list, and what is being made of it."""

    key: str
    asked: Asked
    number: int
    """What was added later has a higher one."""
    since: float = 0.0
    """When its work was wanted, on the monotonic clock."""
    following: Following | None = None
    asking: bool = False
    error: str | None = None

    @property
    @abstractmethod
    def title(self) -> str:
        """What a person knows it by."""

    @property
    @abstractmethod
    def track_id(self) -> str | None:
        """The track in the library, where it is one and is there."""

    @abstractmethod
    def ask(self, wb: Workbench) -> JobHandle:
        """Ask for the work."""

    @property
    def state(self) -> str:
        """`running`, `done` or `failed`."""
        if self.asking:
            return "running"
        if self.error is not None:
            return "failed"
        if self.following is None:
            return "done"
        if not self.following.done:
            return "running"
        return "done" if self.following.completed else "failed"

    def wire(self) -> dict[str, Any]:
        """Return what the page shows of it."""
        return {
            "key": self.key,
            "trackId": self.track_id,
            "title": self.title,
            "state": self.state,
            "error": self.error,
            "jobs": [] if self.following is None else self.following.rows(),
        }


@dataclass(eq=False, kw_only=True)
class FileItem(Item):
    """A file that has become a track."""

    track: Track
    told: bool = False

    @property
    def title(self) -> str:
        """The track's."""
        return self.track.title

    @property
    def track_id(self) -> str | None:
        """The track's."""
        return self.track.id

    def ask(self, wb: Workbench) -> JobHandle:
        """Ask for the track's stems, or for its analysis."""
        if self.asked.separate:
            return wb.separate(self.track, self.asked.model, analyze=self.asked.analyze, **self.asked.options)
        return wb.analyze(self.track)


@dataclass(eq=False, kw_only=True)
class DownloadItem(Item):
    """One recording, or a list of them, on the way from where a link leads."""

    found: SourceList
    _arrived: set[str] = field(default_factory=set)
    _looked: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def title(self) -> str:
        """The recording's, or the list's."""
        return str(self.found[0]) if self.found.type == "track" else self.found.name

    @property
    def track_id(self) -> str | None:
        """The track's, once it is there; a list is none."""
        first = None if self.following is None else self.following.first
        return first.track_id if first is not None and first.status == "completed" else None

    @property
    def then(self) -> list[Then]:
        """What shall follow each download."""
        wanted: dict[Then, bool] = {"separate": self.asked.separate, "analyze": self.asked.analyze}
        return [name for name, asked in wanted.items() if asked]

    def ask(self, wb: Workbench) -> JobHandle:
        """Ask for the downloads, and for what shall follow each."""
        if self.asked.separate and (self.asked.model != "auto" or self.asked.options):
            for track in self.found.tracks:
                wb.after_download(track.id, self.then, model=self.asked.model, **self.asked.options)
        return wb.download(self.found, then=self.then)

    def arrivals(self) -> list[JobHandle]:
        """Return the downloads that have completed since this was last asked, with a batch that runs at times only."""
        if self.following is None:
            return []
        with self._lock:
            now = time.monotonic()
            if not self.following.first.done and now - self._looked < LOOK_SECONDS:
                return []
            self._looked = now
            there = [part for part in self.following.parts() if part.last.status == "completed"]
            new = [part for part in there if part.id not in self._arrived]
            self._arrived |= {part.id for part in new}
        return new
