"""Audio: tracks and stems as files, as WAV that a page reads piece by piece, as an archive, and as their outlines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel

from server_ext.handlers.base import Handler, in_slow_thread, in_thread
from server_ext.handlers.sending import PARTIAL, RANGES, SendingHandler, StoredFile, StoredZip
from server_ext.making import made
from server_ext.operation import ID_PATTERN, Query, operation
from server_ext.virtual_wav import VirtualWav
from sfwidgets.audio import Peaks, Reader
from sfwidgets.errors import NotFoundError
from sfwidgets.models import MIXTURE, StemFormat, StemSet, Track, check_format, check_id
from sfwidgets.workbench import Workbench

FORMATS = {"flac": "audio/flac", "wav": "audio/wav", "mp3": "audio/mpeg", "ogg": "audio/ogg"}
"""The media types of the formats that audio can be had in."""

CONTAINERS = FORMATS | {
    "aac": "audio/aac", "ac3": "audio/ac3", "aiff": "audio/aiff", "amr": "audio/amr", "caf": "audio/x-caf",
    "m4a": "audio/mp4", "mov": "audio/mp4", "mp4": "audio/mp4", "webm": "audio/webm", "wv": "audio/x-wavpack",
}  # fmt: skip
"""The media types of tracks' own files by their containers; others are sent as bytes."""

PICTURES = ("image/jpeg", "image/png", "image/webp", "image/gif")

SetId = Annotated[str, Field(pattern=ID_PATTERN), BeforeValidator(lambda value: check_id(value, "stem set's id"))]
Format = Annotated[StemFormat, BeforeValidator(check_format)]


class SetQuery(Query):
    """Which set of stems: the newest, unless `set` says another."""

    set_id: SetId | None = Field(default=None, alias="set")
    """A set's id: `result.stemSet` of the completed separation; without it, the newest set."""


class FileQuery(Query):
    """In which format, as it is kept where none is named; and whether to be kept (true) or played (false)."""

    format: Format | None = None
    """Without it, the audio as it is kept."""
    download: bool = False
    """True for a file to be kept (Content-Disposition: attachment), false for one to be played."""


class StemQuery(FileQuery, SetQuery):
    """A stem as a file."""


class ZipQuery(SetQuery):
    """A set's stems as an archive."""

    format: Format | None = None
    """Without it, the stems as they are kept."""


class PeaksQuery(SetQuery):
    """How fine the outlines are: at most so many pixels."""

    pixels: int = Field(default=2000, ge=10, le=20_000)
    """At most so many pixels in each outline."""


class Waveform(BaseModel):
    """An outline as BBC audiowaveform's JSON has it, which peaks.js and waveform-data.js read."""

    model_config = ConfigDict(use_attribute_docstrings=True, json_schema_serialization_defaults_required=True)

    version: int = 2
    """Of the format."""
    channels: int = 1
    """One outline over all channels."""
    sample_rate: int
    """Hz."""
    samples_per_pixel: int
    """How many samples of a channel a pixel stands for; the last may stand for fewer."""
    bits: int = 16
    """How large `data`'s numbers can be: full scale is 32768."""
    length: int
    """How many pixels there are."""
    data: list[int]
    """The lowest and the highest sample of each pixel, by turns, -32768 to 32768."""


class Waveforms(RootModel[dict[str, Waveform]]):
    """The outlines of a track and its stems, by name: `mixture`, `vocals`, …"""


class FileHandler(SendingHandler):
    """Sends files of the library, which are made first where they are not kept."""

    async def ready(self, key: tuple[str | None, ...], find: Callable[[Workbench, bool], Path]) -> Path:
        """Return the file that `find` gives; what has to be made first takes no thread from those who listen."""
        workbench = await self.workbench()
        try:
            return await in_thread(find, workbench, False)
        except NotFoundError as error:
            if error.code != "not_made":
                raise
        return await made((workbench.owner, *key), lambda: find(workbench, True))

    async def sent_elsewhere(self, find: Callable[[Workbench], str | None]) -> bool:
        """Send a player on to where a file is kept, which `find` gives if that is not here; returns whether it was.

        Players seek by ranges there as they do here. HEAD is answered here: a signed address is one for GET.
        """
        workbench = await self.workbench()
        if self.request.method != "GET" or not workbench.settings.in_supabase:
            return False
        address = await in_thread(find, workbench)
        if address is None:
            return False
        self.set_header("Cache-Control", "no-store")
        self.redirect(address, status=307)
        return True

    async def ready_stem(self, track: str, stem: str, stem_set: StemSet, format: StemFormat | None) -> Path:
        """Return the file of a stem in a format."""
        return await self.ready(
            (stem_set.id, stem, format),
            lambda wb, make: wb.stem_file(track, stem, format=format, stem_set=stem_set, make=make),
        )


class TrackAudio(FileHandler):
    """`/api/tracks/{trackId}/audio`: the track's own file, or its audio in another format."""

    @operation(
        "Get a track's audio",
        note="The file as it was added, or its audio in another format, which is made first and may take a while.",
        query=FileQuery,
        answer=(*dict.fromkeys(CONTAINERS.values()), "application/octet-stream"),
        errors=(404, 416, 422, 503),
        headers=RANGES,
        also=(*PARTIAL, 307),
    )
    async def get(self, track_id: str, given: FileQuery) -> None:
        """Send the file."""
        track = await self.call(lambda wb: wb.track(track_id))
        called = _called(track) if given.download else None
        if given.format is None and await self.sent_elsewhere(lambda wb: wb.signed_url(track, called=called)):
            return
        path = await self.ready(
            (track.content_hash, given.format),
            lambda wb, make: wb.audio_file(track, format=given.format, make=make),
        )
        kind = given.format or (await self.call(lambda wb: wb.audio_info(track))).container
        suffix = f".{kind}" if kind in CONTAINERS else path.suffix
        self.name_file(_called(track) + suffix, attachment=given.download)
        await self.send(await in_thread(StoredFile, path, CONTAINERS.get(kind, "application/octet-stream")))

    head = get


class StemFile(FileHandler):
    """`/api/tracks/{trackId}/stems/{name}`: a stem, by its name with or without suffix."""

    @operation(
        "Get a stem",
        note="By its name with or without suffix: `vocals`, `vocals.flac`.",
        query=StemQuery,
        answer=tuple(FORMATS.values()),
        errors=(404, 416, 422, 503),
        headers=RANGES,
        also=(*PARTIAL, 307),
    )
    async def get(self, track_id: str, name: str, given: StemQuery) -> None:
        """Send the file."""
        track, stem_set = await self.call(lambda wb: _track_and_set(wb, track_id, given.set_id))
        kept = (await self.workbench()).stem(stem_set, name)
        stem = Path(kept.name).stem
        called = f"{_called(track)} ({stem})" if given.download else None
        as_kept = given.format in (None, kept.path.suffix.removeprefix("."))
        if as_kept and await self.sent_elsewhere(lambda wb: wb.signed_url(kept, called=called)):
            return
        path = await self.ready_stem(track_id, name, stem_set, given.format)
        self.name_file(f"{_called(track)} ({stem}){path.suffix}", attachment=given.download)
        await self.send(await in_thread(StoredFile, path, FORMATS[path.suffix.removeprefix(".")]))

    head = get


class StemsZip(FileHandler):
    """`/api/tracks/{trackId}/stems.zip`: a set's stems in one archive."""

    @operation(
        "Get all stems of a track", query=ZipQuery, answer=StoredZip.media_type, errors=(404, 422, 503),
        headers=("If-None-Match",), also=(304,),
    )  # fmt: skip
    async def get(self, track_id: str, given: ZipQuery) -> None:
        """Send the archive."""
        track, stem_set = await self.call(lambda wb: _track_and_set(wb, track_id, given.set_id))
        names = [Path(stem.name).stem for stem in stem_set.stems]
        paths = await asyncio.gather(*(self.ready_stem(track_id, name, stem_set, given.format) for name in names))
        files = {f"{name}{path.suffix}": path for name, path in zip(names, paths, strict=True)}
        self.name_file(f"{_called(track)}.zip", attachment=True)
        await self.send(await in_thread(StoredZip, files), in_parts=False)

    head = get


class TrackPeaks(FileHandler):
    """`/api/tracks/{trackId}/peaks`: outlines to draw waveforms from."""

    @operation("Get the waveforms of a track", query=PeaksQuery, answer=Waveforms, errors=(404, 422, 503))
    async def get(self, track_id: str, given: PeaksQuery) -> Waveforms:
        """Return the mixture's outline, which is drawn where it is not there yet, and the stems'."""
        await self.ready(("outline", track_id), lambda wb, make: wb.outline_file(track_id, make=make))
        return await self.call(lambda wb: _waveforms(wb, track_id, given))


class TrackArtwork(Handler):
    """`/api/tracks/{trackId}/artwork`: the picture that a track's file carries."""

    @operation("Get a track's picture", answer=PICTURES, errors=(404, 422), headers=("If-None-Match",), also=(304,))
    async def get(self, track_id: str) -> None:
        """Send the picture."""
        found = await self.call(lambda wb: wb.artwork(track_id))
        if found is None or found[1] not in PICTURES:
            raise NotFoundError("This track's file carries no picture.", code="no_artwork")
        self.set_header("Content-Type", found[1])
        self.set_header("Cache-Control", "private, no-cache")
        await self.finish(found[0])

    head = get


class WavHandler(SendingHandler):
    """Sends a lane of a track as a WAV file that is made while it is sent."""

    async def send_wav(self, find: Callable[[Workbench], Reader]) -> None:
        """Answer with what a reader reads."""
        await self.send(VirtualWav(await in_slow_thread(find, await self.workbench())))


class StemAudio(WavHandler):
    """`/api/tracks/{trackId}/stems/{setId}/{name}.wav`: a stem in 16 bits and two channels, for players."""

    @operation(
        "Play a stem",
        note="In 16 bits and two channels, for players that seek by ranges. `mixture.wav?set=…` is the track beside it, "
        "sample for sample.",
        answer=VirtualWav.media_type,
        errors=(404, 416, 422),
        headers=RANGES,
        also=PARTIAL,
    )
    async def get(self, track_id: str, set_id: str, name: str) -> None:
        """Send the stem."""
        await self.send_wav(lambda wb: wb.reader(track_id, name, wb.stem_set(track_id, set_id)))

    head = get


class MixtureAudio(WavHandler):
    """`/api/tracks/{trackId}/mixture.wav`: the mixture beside a set of stems, in 16 bits and two channels, for players."""

    @operation(
        "Play a track",
        note="The track in 16 bits and two channels; with `set`, beside the stems of that set.",
        query=SetQuery,
        answer=VirtualWav.media_type,
        errors=(404, 416, 422, 503),
        headers=RANGES,
        also=PARTIAL,
    )
    async def get(self, track_id: str, given: SetQuery) -> None:
        """Send the mixture."""
        await self.send_wav(lambda wb: wb.reader(track_id, MIXTURE, _set_of(wb, track_id, given)))

    head = get


def _track_and_set(wb: Workbench, track_id: str, set_id: str | None) -> tuple[Track, StemSet]:
    track = wb.track(track_id)
    return track, wb.stem_set(track, set_id)


def _set_of(wb: Workbench, track_id: str, given: SetQuery) -> StemSet | None:
    return None if given.set_id is None else wb.stem_set(track_id, given.set_id)


def _called(track: Track) -> str:
    """Return what a person calls a track: `Artist – Title`."""
    return " – ".join(part[:80] for part in (track.artist, track.title) if part)


def _waveforms(wb: Workbench, track_id: str, given: PeaksQuery) -> Waveforms:
    found = wb.peaks(track_id, _set_of(wb, track_id, given))
    return Waveforms({name: _waveform(peaks, given.pixels) for name, peaks in found.items()})


def _waveform(peaks: Peaks, pixels: int) -> Waveform:
    import numpy as np

    outline = peaks.zoom(max(1, -(-len(peaks.minima) // pixels)))
    pairs: Any = np.rint(np.stack((outline.minima, outline.maxima), axis=1) * 32768)
    return Waveform(
        sample_rate=outline.sample_rate,
        samples_per_pixel=outline.samples_per_pixel,
        length=len(pairs),
        data=pairs.astype(int).ravel().tolist(),
    )
