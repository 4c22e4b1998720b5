"""Sending what is too large for memory: block by block, as fast as the client takes it, whole or the part it asks for."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import quote

from tornado import web
from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError
from zipstream import ZipStream

from server_ext import ranges
from server_ext.handlers.base import Handler, in_thread
from sfwidgets.errors import NotFoundError
from sfwidgets.models import fit_for_file_names

BLOCK = 256 * 1024
"""Bytes that are held for a client at a time."""
PATIENCE = 120.0
"""Seconds in which a client has to take a block; one that does not is left."""

RANGES = ("Range", "If-Range", "If-None-Match")
"""The request headers that matter here, for an operation's declaration."""
PARTIAL = (206, 304)
"""Further statuses of an answer that is sent from here, for an operation's declaration."""


class Body(Protocol):
    """What is sent. Its methods touch the disk, so they are called in threads."""

    size: int
    etag: str
    """What tells it from any other that the same path may give."""
    media_type: str

    def blocks(self, part: ranges.Part) -> Iterator[bytes]:
        """Yield the bytes of a part."""

    def close(self) -> None:
        """Give the files back."""


class StoredFile:
    """A file of the library, which never changes: it is replaced by another, or goes, while who reads it reads on."""

    def __init__(self, path: Path, media_type: str) -> None:
        with _still_there():
            self._file = path.open("rb", buffering=0)
        found = os.fstat(self._file.fileno())
        self.size = found.st_size
        self.etag = f"{found.st_size:x}-{found.st_mtime_ns:x}"
        self.media_type = media_type

    def blocks(self, part: ranges.Part) -> Iterator[bytes]:
        """Yield the bytes of a part."""
        self._file.seek(part.first)
        left = part.last + 1 - part.first
        while left > 0 and (block := self._file.read(min(BLOCK, left))):
            yield block
            left -= len(block)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


class StoredZip:
    """An archive of files of the library, put together while it is sent: they are stored in it as they are."""

    media_type = "application/zip"

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._archive = ZipStream(sized=True)
        known = hashlib.sha256()
        with _still_there():
            for name, path in files.items():
                self._archive.add_path(path, name)
                found = path.stat()
                known.update(f"{name}/{found.st_size}/{found.st_mtime_ns}/".encode())
        self.size = len(self._archive)
        self.etag = known.hexdigest()[:32]

    def blocks(self, part: ranges.Part) -> Iterator[bytes]:
        """Yield the bytes of the whole; an archive is sent once, and not in parts."""
        del part
        with _still_there():
            yield from self._archive

    def close(self) -> None:
        """Do nothing: each file is closed once it has been sent."""


class SendingHandler(Handler):
    """Sends bodies as RFC 9110 has it: with tags, under conditions, and in parts where one is asked for."""

    _etag: str | None = None

    def compute_etag(self) -> str | None:
        """Return the tag of what is sent."""
        return self._etag

    async def send(self, body: Body, *, in_parts: bool = True) -> None:
        """Answer GET or HEAD, and close the body; without `in_parts` it is sent whole, whatever is asked for."""
        try:
            await self._send(body, in_parts)
        finally:
            await in_thread(body.close)

    def name_file(self, name: str, *, attachment: bool) -> None:
        """Say what a file is called where it is kept, and whether it is to be kept rather than shown (RFC 6266).

        What no file system takes is left out of the name.
        """
        name = fit_for_file_names(name)
        plain = re.sub("[^ -~]|%", "_", name)
        kind = "attachment" if attachment else "inline"
        self.set_header("Content-Disposition", f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}")

    async def _send(self, body: Body, in_parts: bool) -> None:
        self._etag = f'"{body.etag}"'
        self.set_header("Accept-Ranges", "bytes" if in_parts else "none")
        self.set_header("Cache-Control", "private, no-cache")
        self.set_etag_header()
        if self.check_etag_header():
            self.set_status(304)
            return
        try:
            part = self._asked(body.size) if in_parts else None
        except ranges.UnsatisfiableError:
            self.set_status(416)
            self.clear_header("Content-Disposition")
            self.set_header("Content-Range", f"bytes */{body.size}")
            self.finish({"error": "This range lies beyond the end of the audio.", "code": "bad_range"})
            return
        if part is not None:
            self.set_status(206)
            self.set_header("Content-Range", f"bytes {part.first}-{part.last}/{body.size}")
        sent = part or ranges.Part(0, body.size - 1)
        self.set_header("Content-Type", body.media_type)
        self.set_header("Content-Length", sent.last - sent.first + 1)
        if self.request.method == "GET":
            await stream(self, body.blocks(sent))

    def _asked(self, size: int) -> ranges.Part | None:
        """Return the part that is asked for; RFC 9110: only GET has ranges, and only of what the client knows already."""
        if self.request.method != "GET" or self.request.headers.get("If-Range", self._etag) != self._etag:
            return None
        return ranges.parse(self.request.headers.get("Range"), size)


async def stream(handler: web.RequestHandler, blocks: Iterator[bytes], patience: float = PATIENCE) -> None:
    """Write blocks, each once the one before is on its way, so that a slow client holds one of them.

    The connection is closed where a client takes nothing for `patience` seconds: it would keep files open for ever.
    """
    while (block := await in_thread(next, blocks, None)) is not None:
        handler.write(block)
        try:
            async with asyncio.timeout(patience):
                await handler.flush()
        except StreamClosedError:
            return  # the client has gone, as listeners do in mid-audio
        except TimeoutError:
            cast("HTTP1Connection", handler.request.connection).close()
            return


@contextmanager
def _still_there() -> Iterator[None]:
    """Say it where a file was deleted since it was found."""
    try:
        yield
    except FileNotFoundError:
        raise NotFoundError(
            "This audio has been deleted. Open the track again, or add it again.", code="audio_missing"
        ) from None
