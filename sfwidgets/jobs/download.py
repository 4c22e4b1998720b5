"""What a download does, once it has been claimed: get the recording, look whether it is the one, make it the track's."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from sfwidgets import audio, sources
from sfwidgets.errors import NotFoundError, UpstreamError
from sfwidgets.jobs.worker import Attempt, LaterError
from sfwidgets.library import StoredAudio
from sfwidgets.models import AudioInfo, SourceList, SourceTrack, one_line
from sfwidgets.settings import Settings

TWIN_SECONDS = 1.0
SLOT_SECONDS = 0.2


def download(attempt: Attempt) -> None:
    """Bring a track's audio into the library. What is there already is not got again, under whatever id it is there."""
    track_id = str(attempt.job.track_id)
    if attempt.twin():
        raise LaterError(TWIN_SECONDS)
    if _share(attempt, track_id, _there(attempt, track_id=track_id)):
        return
    wanted = _wanted(attempt)
    same = None if wanted.isrc is None else _there(attempt, isrc=wanted.isrc)
    if same is not None and sources.fits(same.info.duration, wanted) and _share(attempt, track_id, same, wanted):
        return
    with attempt.workspace() as folder:
        got = sources.download(
            wanted, folder, attempt.settings,
            format=attempt.job.options["format"], bitrate=attempt.job.options["bitrate"], progress=attempt.report,
            turn=lambda: _turn(attempt),
        )  # fmt: skip
        _admit(attempt, track_id, wanted, got)


@contextmanager
def _turn(attempt: Attempt) -> Iterator[None]:
    """Wait until one more download may be on the network; raises `LaterError` where all are to wait by then."""
    slots = _slots()
    waited = not slots.acquire(blocking=False)
    while waited and not slots.acquire(timeout=SLOT_SECONDS):
        attempt.report(0.0, "Waiting for its turn")
    try:
        paused = attempt.paused() if waited else 0.0
        if paused:
            raise LaterError(paused)
        yield
    finally:
        slots.release()


def _there(attempt: Attempt, **which: str) -> StoredAudio | None:
    """Return audio that is in the library, file and all."""
    stored = attempt.library.tracks.stored(**which)
    return stored if stored is not None and attempt.library.store.exists(stored.path) else None


def _share(attempt: Attempt, track_id: str, stored: StoredAudio | None, wanted: SourceTrack | None = None) -> bool:
    """End the job with audio that is in the library already, where there is some."""
    if stored is None:
        return False
    found = {} if wanted is None else _said(wanted, stored.info)
    try:
        _record(attempt, track_id, stored, found, by="library", known=True)
    except NotFoundError:
        return False
    return True


def _admit(attempt: Attempt, track_id: str, wanted: SourceTrack, got: sources.Downloaded) -> None:
    audio.sync_file(got.path)
    digest = audio.content_hash(got.path)
    with attempt.library.placed(got.path, digest, got.info, got.path.suffix) as stored:
        _record(attempt, track_id, stored, _said(wanted, got.info), by=got.by)


def _record(
    attempt: Attempt, track_id: str, stored: StoredAudio, found: dict[str, Any], *, by: str, known: bool = False
) -> None:
    def record(connection: Connection) -> None:
        tracks = attempt.library.tracks
        tracks.put(connection, track_id, stored, found=found, given={}, replace=True, known=known)

    attempt.complete(record, output_path=stored.path, result={"by": by})


def _said(wanted: SourceTrack, info: AudioInfo) -> dict[str, Any]:
    """Return what is kept of what a service says of a recording; what its file says fills the gaps."""
    date = wanted.release_date
    return {
        "title": wanted.title or one_line(info.title or "") or "Untitled",
        "artist": one_line(wanted.artist or info.artist or "")[:1000],
        "album": one_line(wanted.album or info.album or "")[:1000],
        "artwork_url": wanted.artwork_url, "source": "spotify", "isrc": wanted.isrc,
        "release_date": None if date is None else date[:10], "explicit": wanted.explicit, "popularity": wanted.popularity,
    }  # fmt: skip


def _wanted(attempt: Attempt) -> SourceTrack:
    """Return the recording that the job is to get; a link alone is looked up."""
    options = attempt.job.options
    if options["track"] is not None:
        return SourceTrack.model_validate(options["track"])
    attempt.stage("Looking it up")
    link = sources.parse_link(options["url"])
    found = attempt.metadata(
        sources.cache_key(link), lambda: sources.fetch(link, attempt.settings, attempt.stage).to_json()
    )
    tracks = SourceList.model_validate(found).tracks
    if not tracks:
        raise UpstreamError("Spotify says nothing of this track. Add the song as a file.", code="not_on_spotify")
    return tracks[0]


@functools.cache
def _slots() -> threading.BoundedSemaphore:
    """Return what this worker's downloads take turns by."""
    return threading.BoundedSemaphore(Settings().downloads)
