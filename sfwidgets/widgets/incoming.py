"""A file on its way from the page, and what a person asked to have made of it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sfwidgets.errors import ConflictError, InvalidInputError
from sfwidgets.models import Track

if TYPE_CHECKING:
    from sfwidgets.library import Upload

AHEAD = 16 << 20
"""Chunks that overtook others are kept up to this many bytes beyond what has been written."""


@dataclass(frozen=True)
class Asked:
    """What shall be made of a file."""

    separate: bool
    analyze: bool
    model: str
    options: dict[str, Any]


def read_settings(settings: dict[str, Any]) -> Asked:
    """Return what a page's settings ask for; raises `InvalidInputError`."""
    wrong = InvalidInputError("These settings can't be read. Reload the page.", code="bad_option")
    if not isinstance(settings, dict):
        raise wrong
    separate, analyze = settings.get("separate", True), settings.get("analyze", True)
    model, stems, two_stems = settings.get("model", "auto"), settings.get("stems"), settings.get("twoStems")
    if not (isinstance(separate, bool) and isinstance(analyze, bool) and isinstance(model, str)):
        raise wrong
    if two_stems is not None and not isinstance(two_stems, str):
        raise wrong
    if stems is not None and not (isinstance(stems, list) and all(isinstance(stem, str) for stem in stems)):
        raise wrong
    options: dict[str, Any] = {}
    if two_stems is not None:
        options["two_stems"] = two_stems
    elif stems is not None:
        if not stems:
            raise InvalidInputError("No stem is chosen. Choose one or more, or all of them.", code="bad_option")
        options["stems"] = stems
    return Asked(separate, analyze, model, options)


@dataclass(eq=False)
class Incoming:
    """A file that is being uploaded: its chunks are written in order, in whatever order they come."""

    upload: Upload
    name: str
    size: int
    asked: Asked
    number: int
    received: int = 0
    touched: float = field(default_factory=time.monotonic)
    early: dict[int, bytes] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, offset: int, data: bytes) -> int:
        """Write a chunk, or keep it until those before it have come; returns how many bytes are written."""
        with self.lock:
            self.touched = time.monotonic()
            end = offset + len(data)
            if end > self.size or offset < self.received < end or offset > self.received + AHEAD:
                raise InvalidInputError("This chunk does not fit into the file. Choose the file again.")
            if offset >= self.received:
                self.early[offset] = data
            while self.received in self.early:
                next_one = self.early[self.received]
                self.upload.write(self.received, next_one)
                del self.early[self.received]
                self.received += len(next_one)
            return self.received

    def finish(self) -> Track:
        """Add the file to the library."""
        with self.lock:
            if self.received != self.size:
                raise ConflictError("The file has not arrived whole. Choose it again.", code="incomplete")
            return self.upload.finish()

    def abort(self) -> None:
        """Forget what came."""
        with self.lock:
            self.upload.abort()
