"""yt-dlp, the second way to audio: what YouTube's search finds for a track, and the download of one of its hits.

It is a library of ours, run as a process: so a cancellation, a time limit or a crash ends nothing but the download.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from sfwidgets.audio import full_disk_is_told
from sfwidgets.errors import (
    AudioError,
    SoundForgeError,
    UpstreamError,
    UpstreamTimeoutError,
)
from sfwidgets.models import Bitrate, DownloadFormat, SourceTrack, one_line
from sfwidgets.sources import ffmpeg, process
from sfwidgets.sources.artwork import fetch_picture
from sfwidgets.sources.check import UnfitError
from sfwidgets.sources.matching import Candidate, likeliest_first
from sfwidgets.sources.process import Turn
from sfwidgets.sources.trouble import known_trouble, last_fault

__all__ = ["Candidate", "candidates", "download"]

log = logging.getLogger(__name__)

Progress = Callable[[float, str], None]
"""Told the share done, 0 to 1, and what is being done, several times a second; may raise to stop it."""

_LARGEST = 2**30
"""Bytes: ten hours of what YouTube sends as audio are half of it."""

_SEARCH_SECONDS = 90.0
_FETCHED = 0.9
"""The share of a download's work that is done when the file is here."""

_HIT, _PROGRESS = "hit:", "progress:"
_HIT_TEMPLATE = _HIT + "%(.{url,title,channel,uploader,duration})j"
_PROGRESS_TEMPLATE = "download:" + _PROGRESS + "%(progress.{downloaded_bytes,total_bytes,total_bytes_estimate})j"

_COMMON = [
    "--ignore-config",
    "--no-plugin-dirs",
    "--no-cache-dir",
    "--no-cookies",
    "--color", "no_color",
    "--js-runtimes", "node",
    "--socket-timeout", "20",
    "--extractor-retries", "3",
    "--retry-sleep", "exp=0.5:8",
]  # fmt: skip
"""Nothing is read from the folders of whoever runs us. YouTube hides some of its audio from programs that can't run its
JavaScript: deno is used where there is one, node as well."""

_HOSTS = frozenset({"www.youtube.com", "youtube.com", "m.youtube.com", "music.youtube.com", "youtu.be"})
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
_QUERY_LENGTH = 200

_REFUSED = re.compile("larger than max-filesize|does not pass filter")
_OUTDATED = re.compile(
    "Requested format is not available|HTTP Error 403|Unable to extract|nsig extraction"
    "|Failed to extract any player response"
)


def candidates(track: SourceTrack, *, progress: Progress) -> list[Candidate]:
    """Return the videos that may be the track, the likeliest first, from a search by ISRC and one by artist and title.

    Raises `UpstreamError` (`no_match` where there are none, `no_network`, `download_failed`), `SlowDownError` with
    `retry_after`, `UpstreamTimeoutError`, and what `progress` raises.
    """
    stage = "Searching YouTube"
    found: list[Candidate] = []

    def on_line(line: str) -> None:
        hit = _candidate(line)
        if hit is not None:
            found.append(hit)

    ended = _run(search_arguments(track), Path("/"), on_line, lambda: progress(0.0, stage), _SEARCH_SECONDS)
    fit = likeliest_first(found, track)
    if not fit and ended.returncode != 0:
        raise _error(ended.tail, "YouTube could not be searched")
    if not fit:
        raise UpstreamError(
            f"YouTube has no recording of {str(track)[:200]} in its length. Add the song as a file.", code="no_match"
        )
    return fit


def download(
    candidate: Candidate,
    track: SourceTrack,
    folder: Path,
    *,
    format: DownloadFormat,
    bitrate: Bitrate,
    progress: Progress,
    seconds: float,
    turn: Turn = nullcontext,
) -> Path:
    """Fetch a video's audio into `folder`, with the track's tags and cover, and return the file.

    `candidate` is one that `candidates` gave: its address is followed as it is. A connection that breaks is taken up
    where it broke. `turn` makes what is held while it is fetched, and not while it is converted. Whatever ends this early,
    nothing is left in the folder.

    Raises `SlowDownError` with `retry_after`, `UnfitError` where no audio is sent, `UpstreamError` (`no_network`,
    `download_failed`), `UpstreamTimeoutError` after `seconds`, `DiskFullError`, `UnavailableError` (`no_ffmpeg`), and
    what `progress` raises.
    """
    deadline = time.monotonic() + seconds
    with full_disk_is_told(folder / f"audio.{format}"), TemporaryDirectory(dir=folder, prefix="yt-dlp-") as work:
        with turn():
            fetched = _fetch(candidate, Path(work), format, bitrate, progress, seconds)
        progress(_FETCHED, stage := "Converting")
        made = Path(work) / f"audio.{format}"
        try:
            ffmpeg.convert(
                fetched, made, format=format, bitrate=bitrate, tags=_tags(track),
                picture=None if format == "wav" else fetch_picture(track.artwork_url),
                progress=lambda share: progress(_FETCHED + (1 - _FETCHED) * share, stage),
                seconds=max(deadline - time.monotonic(), 1.0),
            )  # fmt: skip
        except AudioError as error:
            raise UnfitError("What YouTube sent is not audio.") from error
        return made.replace(folder / made.name)


def search_arguments(track: SourceTrack) -> list[str]:
    """Return yt-dlp's arguments that have it print what YouTube's search finds for a track."""
    searches = []
    if track.isrc is not None and _ISRC.fullmatch(track.isrc.upper()):
        searches.append(f'ytsearch5:"{track.isrc.upper()}"')
    text = one_line(" - ".join(filter(None, (track.artist, track.title))))
    searches.append(f"ytsearch10:{text[:_QUERY_LENGTH]}")
    return [
        *_COMMON,
        "--use-extractors", "youtube:search",
        "--flat-playlist",
        "--print", _HIT_TEMPLATE,
        "--", *searches,
    ]  # fmt: skip


def download_arguments(url: str, target: str, *, format: DownloadFormat, bitrate: Bitrate) -> list[str]:
    """Return yt-dlp's arguments that have it fetch a video's audio, as it is offered, into the file `target`."""
    codec = {"opus": "opus", "m4a": "mp4a"}.get(format) if bitrate == "auto" else None
    offered = f"bestaudio[acodec^={codec}]/bestaudio/best" if codec else "bestaudio/best"
    return [
        *_COMMON,
        "--use-extractors", "youtube,generic",
        "--no-playlist",
        "--match-filters", "!is_live",
        "--format", offered,
        "--output", target,
        "--continue",
        "--retries", "5",
        "--fragment-retries", "5",
        "--max-filesize", str(_LARGEST),
        "--no-mtime",
        "--fixup", "never",
        "--ffmpeg-location", str(ffmpeg.program()),
        "--newline",
        "--progress-delta", "0.2",
        "--progress-template", _PROGRESS_TEMPLATE,
        "--", url,
    ]  # fmt: skip


def _fetch(
    candidate: Candidate, work: Path, format: DownloadFormat, bitrate: Bitrate, progress: Progress, seconds: float
) -> Path:
    share = 0.0

    def on_line(line: str) -> None:
        nonlocal share
        told = _json_after(line, _PROGRESS)
        done, total = (_number(told.get(name)) for name in ("downloaded_bytes", "total_bytes"))
        total = total or _number(told.get("total_bytes_estimate"))
        if done is not None and done > _LARGEST:
            raise UpstreamError("The recording found is too large for a song.", code="download_failed")
        if done is not None and total:
            share = min(max(share, done / total), 1.0)

    target = work / "fetched"
    ended = _run(
        download_arguments(candidate.url, target.name, format=format, bitrate=bitrate), work, on_line,
        lambda: progress(_FETCHED * share, "Downloading from YouTube"), seconds,
    )  # fmt: skip
    if ended.returncode != 0 or not target.is_file():
        raise _error(ended.tail, f"{candidate.title[:200]} could not be downloaded from YouTube")
    return target


def _run(
    arguments: list[str], folder: Path, on_line: Callable[[str], None], tick: Callable[[], None], seconds: float
) -> process.Ended:
    argv = [sys.executable, "-P", "-m", "yt_dlp", *arguments]
    try:
        return process.run(argv, folder=folder, on_line=on_line, tick=tick, seconds=seconds)
    except UpstreamTimeoutError as error:
        raise UpstreamTimeoutError(
            f"YouTube did not get done within {seconds / 60:.3g} minutes. Try again later.", code="download_timeout"
        ) from error


def _candidate(line: str) -> Candidate | None:
    """Return the hit of a line, None where there is none, or not one on YouTube."""
    hit = _json_after(line, _HIT)
    url, title = hit.get("url"), hit.get("title")
    if not isinstance(url, str) or not isinstance(title, str) or not _is_on_youtube(url):
        return None
    channel = hit.get("channel") or hit.get("uploader")
    return Candidate(url, title, channel if isinstance(channel, str) else "", _number(hit.get("duration")))


def _is_on_youtube(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and parts.netloc in _HOSTS


def _json_after(line: str, kind: str) -> dict[str, Any]:
    if not line.startswith(kind):
        return {}
    try:
        told = json.loads(line.removeprefix(kind))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _number(value: object) -> float | None:
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15 else None
    )


def _tags(track: SourceTrack) -> dict[str, str]:
    return {
        "title": track.title,
        "artist": track.artist,
        "album": track.album,
        "date": track.release_date or "",
        "isrc": track.isrc or "",
    }


def _error(tail: str, what: str) -> SoundForgeError:
    """Return the error for what yt-dlp said last; `what` begins its sentence."""
    known = known_trouble(tail, asked="YouTube")
    if known is not None:
        return known
    if _REFUSED.search(tail):
        return UpstreamError(f"{what}: it is too large for a song, or a live stream.", code="download_failed")
    log.warning("yt-dlp failed: %s", tail)
    said = last_fault(tail)
    if said is None:
        return UpstreamError(f"{what}: it ended without a word. The log has more.", code="download_failed")
    hint = " A newer yt-dlp may know better: `pip install -U yt-dlp`." if _OUTDATED.search(tail) else ""
    return UpstreamError(f"{what}: {said}.{hint}", code="download_failed")
