"""A file that arrives in parts."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import uuid
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING

from sfwidgets.errors import ConflictError, DiskFullError, InvalidInputError, SoundForgeError
from sfwidgets.library.tracks import track_fields
from sfwidgets.models import Limits, Track, check_id, one_line

if TYPE_CHECKING:
    from sfwidgets.library import Library

MAX_BYTES = 4 * 2**30
SPARE_BYTES = 64 * 2**20
"""What an upload leaves free on the disk."""


class TooLargeError(InvalidInputError):
    """The file has more bytes than one may have."""

    code = "upload_too_large"
    status = 413


def check_size(name: str, size: int, limits: Limits) -> None:
    """Raise `TooLargeError` for more bytes than an upload may have; `name` is what the sentence calls it."""
    if size > MAX_BYTES:
        raise TooLargeError(f"{name} is larger than 4 GiB. Split it, or convert it to FLAC.")
    if limits.upload_bytes is not None and size > limits.upload_bytes:
        raise TooLargeError(
            f"{name} is larger than the {limits.upload_bytes / 1e6:g} MB that an upload may have here. Split it, or "
            "convert it to FLAC or MP3."
        )


class Upload:
    """Takes the parts of a file one after another, and makes a track of it.

    The file's name gives the track's title and a plain suffix, never a place on the disk. Without a size, the file ends
    where `finish` is called. What nobody adds to for an hour is swept away.
    """

    def __init__(self, library: Library, name: str, size: int | None = None) -> None:
        if not isinstance(name, str) or not (size is None or isinstance(size, int)):
            raise InvalidInputError("An upload begins with a file's name, and its size in bytes.", code="bad_upload")
        called = PureWindowsPath(one_line(name))  # which knows the separators of all systems
        self.name = (called.stem[:200] or "upload") + called.suffix[:9]
        self.size = size
        self.received = 0
        """How many bytes are there: the offset of the next part."""
        self._library = library
        self._lock = threading.Lock()
        self._hash = hashlib.sha256()
        if size is not None and size <= 0:
            raise InvalidInputError(f"{self.name} is empty. Choose another file.", code="audio_empty")
        self._check_room(size or 0)
        library.check_room(size or 1)
        self._folder = library.store.workspace(f"upload-{uuid.uuid4().hex}")
        self._path = self._folder / library.store.audio_name(library.owner, "upload", called.suffix).name
        self._path.touch()

    def write(self, offset: int, data: bytes | memoryview) -> int:
        """Add the next part, which begins at `offset`; returns the offset of the one after it.

        Raises `InvalidInputError` for a part that does not follow the last one, or is one too many, `TooLargeError` for
        more than 4 GiB, `DiskFullError`, `ConflictError` once the upload has ended.
        """
        from sfwidgets.audio import full_disk_is_told

        part = memoryview(data).cast("B")
        with self._lock:
            self._check_open()
            end = self.received + len(part)
            if offset != self.received or (self.size is not None and end > self.size):
                raise InvalidInputError(
                    f"A part of {self.name} arrived out of order. Upload the file again.", code="upload_broken"
                )
            self._check_room(len(part))
            try:
                with full_disk_is_told(self._path), self._path.open("ab") as file:
                    file.truncate(offset)  # what a part that failed for want of room left behind
                    file.write(part)
            except DiskFullError as error:
                raise self._no_room() from error
            os.utime(self._folder)  # by which the sweep knows that somebody is at it
            self._hash.update(part)
            self.received = end
            return self.received

    def finish(
        self,
        title: str | None = None,
        *,
        track_id: str | None = None,
        artist: str | None = None,
        album: str | None = None,
    ) -> Track:
        """Make a track of what arrived, and return it; what is not audio is removed.

        The track gets an id from its content, or takes the one given. Raises `InvalidInputError` where a part is
        missing, or the id or a field is not right; `AudioError` for what is not audio; `ConflictError` where the id is
        taken by other audio (the upload is removed), and once the upload has ended.
        """
        from sfwidgets import audio
        from sfwidgets.audio.trial import try_out

        fields = track_fields(title, artist, album)
        if track_id is not None:
            check_id(track_id)
        with self._lock:
            self._check_open()
            if self.size is not None and self.received != self.size:
                raise InvalidInputError(
                    f"Only {self.received} of the {self.size} bytes of {self.name} arrived. Upload the file again.",
                    code="upload_broken",
                )
            try:
                audio.sync_file(self._path)
                info, digest = try_out(self._path), self._hash.hexdigest()
                return self._library.admit(self._path, digest, info, name=self.name, track_id=track_id, fields=fields)
            except SoundForgeError as error:
                told = error.message.replace(self._path.name, self.name)
                raise type(error)(told, code=error.code, details=error.details) from error
            finally:
                self._discard()

    def abort(self) -> None:
        """Remove what arrived; twice does no harm."""
        with self._lock:
            self._discard()

    def _check_room(self, more: int) -> None:
        check_size(self.name, self.received + more, self._library.shared.limits)
        if shutil.disk_usage(self._library.store.root).free < more + SPARE_BYTES:
            raise self._no_room()

    def _no_room(self) -> DiskFullError:
        return DiskFullError(f"There is no room for {self.name} where the library lives. Make room, then try again.")

    def _check_open(self) -> None:
        if not self._path.exists():
            raise ConflictError(f"The upload of {self.name} has ended. Upload the file again.", code="upload_ended")

    def _discard(self) -> None:
        self._library.store.discard_workspace(self._folder.name)
