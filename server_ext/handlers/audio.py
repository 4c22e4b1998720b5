"""Audio: a track's lanes as WAV files that a page reads piece by piece."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.iostream import StreamClosedError

from server_ext import ranges
from server_ext.handlers.base import Handler, in_thread
from server_ext.virtual_wav import VirtualWav
from sfwidgets.audio import Reader
from sfwidgets.errors import NotFoundError
from sfwidgets.models import MIXTURE, StemSet, check_id
from sfwidgets.workbench import Workbench


class WavHandler(Handler):
    """Sends a reader's audio, or the part that a Range header asks for; a thread reads, block by block."""

    _etag: str | None = None

    def compute_etag(self) -> str | None:
        """Return what tells this audio from any other."""
        return self._etag

    async def send(self, find: Callable[[Workbench], Reader]) -> None:
        """Answer GET and HEAD."""
        workbench = await self.workbench()
        reader = await in_thread(find, workbench)
        try:
            await self._send(reader)
        finally:
            await in_thread(reader.close)

    async def _send(self, reader: Reader) -> None:
        wav = VirtualWav(reader)
        self._etag = f'"{reader.etag}"'
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("Cache-Control", "private, no-cache")
        self.set_etag_header()
        if self.check_etag_header():
            self.set_status(304)
            return
        try:
            part = self._asked(wav.size)
        except ranges.UnsatisfiableError:
            self.set_status(416)
            self.set_header("Content-Range", f"bytes */{wav.size}")
            self.finish({"error": "This range lies beyond the end of the audio.", "code": "bad_range"})
            return
        if part is not None:
            self.set_status(206)
            self.set_header("Content-Range", f"bytes {part.first}-{part.last}/{wav.size}")
        sent = part or ranges.Part(0, wav.size - 1)
        self.set_header("Content-Type", "audio/wav")
        self.set_header("Content-Length", sent.last - sent.first + 1)
        if self.request.method == "GET":
            await self._stream(wav, sent)

    def _asked(self, size: int) -> ranges.Part | None:
        """Return the part that is asked for; RFC 9110: only GET has ranges, and only of what the client knows already."""
        if self.request.method != "GET" or self.request.headers.get("If-Range", self._etag) != self._etag:
            return None
        return ranges.parse(self.request.headers.get("Range"), size)

    async def _stream(self, wav: VirtualWav, part: ranges.Part) -> None:
        blocks = wav.blocks(part)
        try:
            while (block := await in_thread(next, blocks, None)) is not None:
                self.write(block)
                await self.flush()
        except StreamClosedError:
            self.log.debug("A listener left in mid-audio.")


class StemAudio(WavHandler):
    """`/api/tracks/<id>/stems/<set id>/<name>.wav`."""

    @web.authenticated
    @authorized
    async def get(self, track: str, stem_set: str, name: str) -> None:
        """Send a stem."""
        check_id(track)
        check_id(stem_set, "stem set's id")
        await self.send(lambda wb: wb.reader(track, name, _stem_set(wb, track, stem_set)))

    head = get


class MixtureAudio(WavHandler):
    """`/api/tracks/<id>/mixture.wav?set=<set id>`: the mixture, beside those stems; without `set`, beside the newest."""

    @web.authenticated
    @authorized
    async def get(self, track: str) -> None:
        """Send the mixture."""
        check_id(track)
        asked = self.get_query_argument("set", None)
        if asked is not None:
            check_id(asked, "stem set's id")
        await self.send(lambda wb: wb.reader(track, MIXTURE, None if asked is None else _stem_set(wb, track, asked)))

    head = get


def _stem_set(wb: Workbench, track: str, set_id: str) -> StemSet:
    for found in wb.stem_sets(track):
        if found.id == set_id:
            return found
    raise NotFoundError("This track has no such set of stems. Open the track again.", code="no_stems")
