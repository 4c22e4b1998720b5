"""One recording, got: the ways are tried in their order, and what each brings is looked at before it counts."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sfwidgets.errors import SlowDownError, UpstreamError
from sfwidgets.models import AudioInfo, Bitrate, DownloadFormat, SourceTrack
from sfwidgets.settings import Settings
from sfwidgets.sources import spotdl, ytdlp
from sfwidgets.sources.check import UnfitError, check
from sfwidgets.sources.metadata import check_online
from sfwidgets.sources.process import Turn

Progress = Callable[[float, str], None]
"""Told the share done, 0 to 1, and the stage; what it raises ends the work."""

PROVIDERS = ("youtube-music", "youtube")
"""Where spotDL looks, in this order."""
NO_NETWORK = "no_network"
"""The code of errors for which no other way is worth trying."""
ADVICE = "Add the song as a file."
MOST_CANDIDATES = 3
"""How many of what yt-dlp finds are tried."""


@dataclass(frozen=True)
class Downloaded:
    """A recording that is on the disk, whole and the one that was wanted."""

    path: Path
    info: AudioInfo
    by: str
    """Who got it: `spotdl` or `yt-dlp`."""


Way = Callable[..., Path]


def download(
    track: SourceTrack,
    folder: Path,
    settings: Settings,
    *,
    format: DownloadFormat,
    bitrate: Bitrate,
    progress: Progress,
    turn: Turn = nullcontext,
) -> Downloaded:
    """Get a recording into a folder. What does not fit is followed by the next candidate.

    `turn` makes what is held while somebody is asked, and not while what came is looked at.

    Raises `SlowDownError` where a service turns us away for a while, `UpstreamError` with what became of each way where
    none had it, `UnavailableError` where the settings forbid to ask, `DiskFullError`, and whatever `progress` raises.
    """
    check_online(settings)
    deadline = time.monotonic() + settings.download_minutes * 60
    failed: list[tuple[str, UpstreamError]] = []
    for by, way in _ways(track, settings, format, bitrate, progress, turn, failed):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        place = folder / f"way-{len(failed)}"
        place.mkdir()
        try:
            path = way(place, seconds=left)
            progress(0.98, "Checking")
            return Downloaded(path, check(path, track, lambda: progress(0.98, "Checking")), by)
        except UpstreamError as error:
            if isinstance(error, SlowDownError):
                raise
            failed.append((by, error))
            if error.code == NO_NETWORK:
                break
            shutil.rmtree(place, ignore_errors=True)
    raise _nothing(failed)


def _ways(
    track: SourceTrack,
    settings: Settings,
    format: DownloadFormat,
    bitrate: Bitrate,
    progress: Progress,
    turn: Turn,
    failed: list[tuple[str, UpstreamError]],
) -> Iterator[tuple[str, Way]]:
    if track.url is not None and spotdl.program(settings) is not None:
        for provider in PROVIDERS:
            yield "spotdl", partial(
                spotdl.download, track.url, settings=settings, format=format, bitrate=bitrate, audio=provider,
                progress=progress, track=track, turn=turn,
            )  # fmt: skip
    try:
        with turn():
            found = ytdlp.candidates(track, progress=progress)
    except UpstreamError as error:
        if isinstance(error, SlowDownError):
            raise
        failed.append(("yt-dlp", error))
        return
    for candidate in found[:MOST_CANDIDATES]:
        yield (
            "yt-dlp",
            partial(ytdlp.download, candidate, track, format=format, bitrate=bitrate, progress=progress, turn=turn),
        )


def _nothing(failed: list[tuple[str, UpstreamError]]) -> UpstreamError:
    """Return the error of a recording that no way had: what each said, once, and what to do."""
    if len(failed) == 1:
        return failed[0][1]
    said = dict.fromkeys(error.message.removesuffix(ADVICE).rstrip() for _, error in failed)
    codes = [error.code for _, error in failed]
    code = next((code for code in codes if code == UnfitError.code), codes[0])
    return UpstreamError(f"It could not be had. {' '.join(said)} {ADVICE}", code=code)
