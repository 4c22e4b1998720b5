"""Large files, sent in as many requests as it takes: the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload).

Core, creation, creation-with-upload, termination and expiration. The request that brings the last byte makes the track:
its answer names it in `Track-Id`, as HEAD does afterwards, for clients who missed it.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.utils import url_path_join

from server_ext.handlers.base import in_slow_thread, in_thread
from server_ext.handlers.receiving import Receiving
from server_ext.operation import operation
from server_ext.refusal import RequestError
from server_ext.uploads import SETTING, Metadata, OpenUpload, OpenUploads
from sfwidgets.errors import InvalidInputError
from sfwidgets.library.limits import limits_of
from sfwidgets.library.uploads import MAX_BYTES

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,expiration"
MEDIA = "application/offset+octet-stream"
PART: dict[str, Any] = {"type": "string", "format": "binary"}
PROGRESS = ("Tus-Resumable", "Upload-Offset", "Upload-Expires", "Track-Id")
"""Headers that say how far an upload is."""


class Resumable(Receiving):
    """What all requests of the protocol have in common."""

    @property
    def uploads(self) -> OpenUploads:
        """The server's open uploads."""
        found: OpenUploads = self.settings[SETTING]
        return found

    def set_default_headers(self) -> None:
        """Name the protocol's version in every answer."""
        super().set_default_headers()
        self.set_header("Tus-Resumable", VERSION)

    async def expect_body(self) -> None:
        """Turn another version away; take the method that a client asks for who can't send it."""
        if self.request.method != "OPTIONS" and self.request.headers.get("Tus-Resumable") != VERSION:
            raise RequestError(
                412, f"Uploads speak version {VERSION} of the tus protocol here: say so in Tus-Resumable.",
                code="wrong_version", headers={"Tus-Version": VERSION},
            )  # fmt: skip
        asked = self.request.headers.get("X-HTTP-Method-Override", "")
        if self.request.method == "POST" and asked in ("PATCH", "DELETE"):
            self.request.method = asked
        await super().expect_body()

    @allow_unauthenticated
    def options(self, *_path: str) -> None:
        """Say what of the protocol is spoken here."""
        self.set_header("Tus-Version", VERSION)
        self.set_header("Tus-Extension", EXTENSIONS)
        self.set_header("Tus-Max-Size", str(limits_of(self.opened.settings).upload_bytes or MAX_BYTES))
        super().options()

    def compute_etag(self) -> str | None:
        """Return None: what is said of an upload is never the same for long."""
        return None

    def number(self, header: str) -> int:
        """Return the number in a header; raises `InvalidInputError`."""
        stated = self.request.headers.get(header, "")
        if not (stated.isascii() and stated.isdigit() and len(stated) < 20):
            raise InvalidInputError(f"{header} is required: a number of bytes.")
        return int(stated)

    def check_type(self) -> None:
        """Turn away a body of another type."""
        if self.request.headers.get("Content-Type", "").lower() != MEDIA:
            raise RequestError(415, f"Send the bytes as {MEDIA}.", code="wrong_type")

    async def add(self, upload: OpenUpload, piece: bytes) -> None:
        """Add bytes to an upload; with the last ones, the whole file is looked at."""
        last = upload.offset + len(piece) >= upload.length
        await (in_slow_thread if last else in_thread)(self.uploads.write, upload, self, piece)

    def tell(self, upload: OpenUpload) -> None:
        """Say in headers how far an upload is."""
        self.set_header("Upload-Offset", str(upload.offset))
        self.set_header("Upload-Expires", formatdate(upload.expires, usegmt=True))
        if upload.track_id is not None:
            self.set_header("Track-Id", upload.track_id)


class NewUpload(Resumable):
    """`/api/uploads`."""

    received_by = ("POST",)
    _opened: OpenUpload

    async def begin(self) -> None:
        """Open the upload; its first bytes may come with it."""
        length = self.number("Upload-Length")
        metadata = Metadata.parse(self.request.headers.get("Upload-Metadata", ""))
        if self.announced or "Transfer-Encoding" in self.request.headers:
            self.check_type()
        wb = await self.workbench()
        self._opened = await in_thread(self.uploads.begin, self.owner, length, metadata, wb.upload, self)

    async def take(self, piece: bytes) -> None:
        """Write the first bytes."""
        await self.add(self._opened, piece)

    async def leave(self) -> None:
        """Forget an upload of which the client was not told."""
        await in_thread(self.uploads.end, self._opened)

    @operation(
        "Begin a resumable upload (tus 1.0.0)", media=MEDIA, form=PART, answer=None, status=201,
        headers=("Tus-Resumable", "Upload-Length", "Upload-Metadata"), errors=(408, 409, 412, 413, 415, 422, 429, 503),
        gives=("Location", *PROGRESS),
        note="Any tus client does it, such as tus-js-client or Uppy. Send the bytes to Location by PATCH; the first may "
        "come with this request. The request that brings the last byte answers with Track-Id.",
    )  # fmt: skip
    async def post(self) -> None:
        """Say where to go on."""
        self.tell(self._opened)
        self.set_header("Location", url_path_join(self.base_url, "api/uploads", self._opened.id))
        self.set_status(201)
        await self.finish()


class OneUpload(Resumable):
    """`/api/uploads/{uploadId}`."""

    received_by = ("PATCH",)
    _found: OpenUpload

    async def begin(self) -> None:
        """Find the upload, and go on with it in place of any other request."""
        offset = self.number("Upload-Offset")
        self._found = await self._find(self.path_args[0])
        self.check_type()
        await in_thread(self.uploads.claim, self._found, self, offset)
        self._found.check_fits(self.announced or 0)

    async def take(self, piece: bytes) -> None:
        """Write the next bytes; they stay, whatever becomes of the connection."""
        await self.add(self._found, piece)

    @operation(
        "Say how far an upload is", answer=None, headers=("Tus-Resumable",), errors=(404, 412),
        gives=("Upload-Length", "Upload-Metadata", *PROGRESS),
    )  # fmt: skip
    async def head(self, upload_id: str) -> None:
        """Say how far it is, and that holds: a request of a client who has gone adds nothing after this."""
        found = await self._find(upload_id)
        await in_thread(self.uploads.settle, found)
        self.tell(found)
        self.set_header("Upload-Length", str(found.length))
        if found.metadata.raw:
            self.set_header("Upload-Metadata", found.metadata.raw)
        self.set_header("Cache-Control", "no-store")
        self.clear_header("Content-Type")
        await self.finish()

    @operation(
        "Go on with an upload; the last bytes make the track", media=MEDIA, form=PART, answer=None, status=204,
        headers=("Tus-Resumable", "Upload-Offset"), errors=(404, 408, 409, 412, 413, 415, 422, 503), gives=PROGRESS,
        note="By POST with X-HTTP-Method-Override: PATCH, too, where a client can't send PATCH.",
    )  # fmt: skip
    async def patch(self, _upload_id: str) -> None:
        """Say how far it is now."""
        self.tell(self._found)
        self.set_status(204)
        await self.finish()

    @operation(
        "End an upload, and forget what came of it", answer=None, status=204, headers=("Tus-Resumable",),
        errors=(404, 412), gives=("Tus-Resumable",),
    )  # fmt: skip
    async def delete(self, upload_id: str) -> None:
        """End it; a track that it has become stays."""
        await in_thread(self.uploads.end, await self._find(upload_id))
        self.set_status(204)
        await self.finish()

    async def _find(self, upload_id: str) -> OpenUpload:
        return await in_slow_thread(self.uploads.find, self.owner, upload_id)
