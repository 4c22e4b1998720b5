"""Uploads that clients may go on with after their connection broke: the server's open ones, and what is said of each."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from server_ext.refusal import RequestError
from sfwidgets.errors import ConflictError, InvalidInputError, NotFoundError, SoundForgeError
from sfwidgets.library import Upload, track_fields
from sfwidgets.models import check_id

SETTING = "soundforge_uploads"
"""The server's setting that holds the open uploads."""
MAX_FINISHED = 100
"""Finished uploads of one owner that can still be asked about, by clients who missed the answer."""
IDLE_SECONDS = 3600.0
"""What nobody adds to for so long is forgotten; the store's sweep removes its folder after the same time."""
MAX_METADATA = 8192


@dataclass(frozen=True)
class Metadata:
    """What a client says of a file when it begins to send it."""

    raw: str
    """As it was sent."""
    file_name: str
    fields: dict[str, str]
    """What `Upload.finish` takes."""

    @classmethod
    def parse(cls, header: str) -> Metadata:
        """Read a header like `filename c29uZy53YXY=,title U29uZw==`; unknown keys are ignored.

        Raises `InvalidInputError`.
        """
        if len(header) > MAX_METADATA:
            raise InvalidInputError("Upload-Metadata is too long.")
        found: dict[str, str] = {}
        for pair in header.split(",") if header.strip() else []:
            key, _, value = pair.strip().partition(" ")
            try:
                found[key] = base64.b64decode(value, validate=True).decode()
            except ValueError:
                raise InvalidInputError("Upload-Metadata has to be pairs of a key and Base64 of UTF-8.") from None
        fields = track_fields(found.get("title") or None, found.get("artist"), found.get("album"))
        if "trackId" in found:
            fields["track_id"] = check_id(found["trackId"])
        return cls(header, found.get("filename") or found.get("name", ""), fields)


@dataclass(eq=False)
class OpenUpload:
    """A file of which some has come."""

    owner: str
    metadata: Metadata
    length: int
    upload: Upload
    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    touched: float = field(default_factory=time.time)
    track_id: str | None = None
    """The track that became of it, once it is whole."""
    writer: object = None
    """The request that may add to it: the last one that asked."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def offset(self) -> int:
        """How many bytes are there."""
        return self.upload.received

    def check_fits(self, more: int) -> None:
        """Raise `InvalidInputError` for more bytes than are missing."""
        missing = self.length - self.offset
        if more > missing:
            raise InvalidInputError(
                f"{missing} bytes of this upload are missing; these are more.", code="upload_broken"
            )

    @property
    def expires(self) -> float:
        """When it will be forgotten, in seconds since the epoch."""
        return self.touched + IDLE_SECONDS


class OpenUploads:
    """The uploads of all owners. Its methods touch the disk, so call them in a thread."""

    def __init__(self, most: int) -> None:
        """`most` is how many unfinished uploads each owner may have."""
        self._most = most
        self._uploads: dict[str, OpenUpload] = {}
        self._lock = threading.Lock()

    def begin(
        self, owner: str, length: int, metadata: Metadata, start: Callable[[str, int], Upload], writer: object
    ) -> OpenUpload:
        """Open an upload for an owner; raises `RequestError` 429 where too many are open, and what `start` raises."""
        self._expire()
        with self._lock:
            if len(self._of(owner, finished=False)) >= self._most:
                raise RequestError(
                    429,
                    f"{self._most} uploads are unfinished. Let one of them finish, or delete one, then try again.",
                    code="too_many_uploads",
                    headers={"Retry-After": "60"},
                )
            upload = start(metadata.file_name, length)
            opened = OpenUpload(owner, metadata, length, upload, writer=writer)
            self._uploads[opened.id] = opened
        return opened

    def find(self, owner: str, upload_id: str) -> OpenUpload:
        """Return an owner's upload; raises `NotFoundError` for another's, and one that has ended."""
        self._expire()
        with self._lock:
            found = self._uploads.get(upload_id)
        if found is None or found.owner != owner:
            raise _gone()
        with found.lock:  # one that is being finished is not told of before it is known what became of it
            if found.id not in self._uploads:
                raise _gone()
        return found

    def settle(self, upload: OpenUpload) -> None:
        """Let no request write any longer: one may still read what a client sent who has gone."""
        with upload.lock:
            upload.writer = None

    def claim(self, upload: OpenUpload, writer: object, offset: int) -> None:
        """Let a request write from `offset` on, in place of any other; raises `ConflictError` for a wrong offset."""
        with upload.lock:
            if offset != upload.offset:
                raise ConflictError(
                    f"{upload.offset} bytes of this upload are here. Go on from there.", code="wrong_offset"
                )
            upload.writer = writer

    def write(self, upload: OpenUpload, writer: object, data: bytes) -> None:
        """Add the next bytes; the last ones make a track of it.

        Raises `ConflictError` where another request writes by now, `InvalidInputError` for too many bytes, `NotFoundError`
        where the upload has ended, and what is wrong with a whole file; then the upload has ended.
        """
        with upload.lock:
            if upload.writer is not writer:
                raise ConflictError("Another request goes on with this upload.", code="upload_elsewhere")
            upload.check_fits(len(data))
            try:
                upload.upload.write(upload.offset, data)
            except ConflictError:
                self._forget(upload)
                raise _gone() from None
            upload.touched = time.time()
            if upload.offset == upload.length:
                self._finish(upload)

    def end(self, upload: OpenUpload) -> None:
        """Forget an upload and what came of it; a track that it became stays."""
        self._forget(upload)
        upload.upload.abort()

    def close(self) -> None:
        """Forget all uploads, as the server ends."""
        for upload in list(self._uploads.values()):
            self.end(upload)

    def _finish(self, upload: OpenUpload) -> None:
        try:
            upload.track_id = upload.upload.finish(**upload.metadata.fields).id
        except ConflictError as error:  # clients of the protocol take a 409 as a reason to send it all again
            self._forget(upload)
            raise RequestError(422, error.message, code=error.code) from error
        except SoundForgeError:
            self._forget(upload)
            raise
        with self._lock:
            for old in self._of(upload.owner, finished=True)[:-MAX_FINISHED]:
                del self._uploads[old.id]

    def _of(self, owner: str, *, finished: bool) -> list[OpenUpload]:
        return [
            each for each in self._uploads.values() if each.owner == owner and (each.track_id is not None) == finished
        ]

    def _forget(self, upload: OpenUpload) -> None:
        with self._lock:
            self._uploads.pop(upload.id, None)

    def _expire(self) -> None:
        now = time.time()
        for upload in [each for each in list(self._uploads.values()) if each.expires < now]:
            self.end(upload)


def _gone() -> NotFoundError:
    return NotFoundError("There is no such upload, or it has ended. Upload the file again.", code="upload_not_found")
