"""Files that clients send, in one request."""

from __future__ import annotations

from typing import Any

from jupyter_server.utils import url_path_join

from server_ext.handlers.base import in_slow_thread, in_thread
from server_ext.handlers.receiving import Receiving
from server_ext.handlers.tracks import Tracks, document
from server_ext.multipart import FILE_FIELD, Form
from server_ext.operation import ID_PATTERN, operation
from server_ext.schemas import TrackDocument
from sfwidgets.errors import InvalidInputError
from sfwidgets.library import Upload
from sfwidgets.library.limits import limits_of
from sfwidgets.library.uploads import check_size
from sfwidgets.models import one_line

FORM_BYTES = 2**20
"""What a form may have beside its file."""

_TEXT = {"type": "string", "maxLength": 1000, "description": "Without it, as the file's tags have it."}
FORM: dict[str, Any] = {
    "type": "object",
    "required": [FILE_FIELD],
    "properties": {
        FILE_FIELD: {
            "type": "string", "format": "binary",
            "description": "An audio file, or a film with sound, with its file name; at most 4 GiB.",
        },
        "trackId": {
            "type": "string", "pattern": ID_PATTERN,
            "description": "What the track is to be called by. Without it, an id is made from the file's content.",
        },
        "title": _TEXT | {"description": "Without it, as the file's tags have it, or its name."},
        "artist": _TEXT,
        "album": _TEXT,
    },
}  # fmt: skip


class NewTrack(Receiving, Tracks):
    """`/api/tracks`: what it lists, it takes as well."""

    received_by = ("POST",)
    _upload: Upload | None = None

    async def begin(self) -> None:
        """Read what the form is like."""
        self._came = 0
        self._form = Form(self.request.headers.get("Content-Type", ""), ("trackId", "title", "artist", "album"))
        self._check_size(self.announced or 0)

    async def take(self, piece: bytes) -> None:
        """Write what of a piece belongs to the file."""
        self._came += len(piece)
        self._check_size(self._came)
        data = self._form.feed(piece)
        name = self._form.file_name
        if self._upload is None and name is not None:
            self._upload = await self.call(lambda wb: wb.upload(name))
        if self._upload is not None and data:
            await in_thread(self._upload.write, self._upload.received, data)

    async def leave(self) -> None:
        """Remove what came."""
        if self._upload is not None:
            await in_thread(self._upload.abort)

    @operation(
        "Upload a track: the same file twice is one track",
        media="multipart/form-data", form=FORM, answer=TrackDocument, status=201, errors=(408, 409, 413, 415, 422, 503),
        gives=("Location",),
    )  # fmt: skip
    async def post(self) -> TrackDocument:
        """Make a track of the file."""
        try:
            self._form.end()
            if self._upload is None:
                raise InvalidInputError(f"{FILE_FIELD} is required: an audio file.", code="no_file")
            given = {("track_id" if name == "trackId" else name): text for name, text in self._form.fields.items()}
            if not one_line(given.get("title", "")):
                given.pop("title", None)  # a field of a page's form that was left empty
            track = await in_slow_thread(self._upload.finish, **given)
        finally:
            await self.leave()
        self.set_header("Location", url_path_join(self.base_url, "api/tracks", track.id))
        return document(track, self.base_url)

    def _check_size(self, size: int) -> None:
        check_size("This file", size - FORM_BYTES, limits_of(self.opened.settings))
