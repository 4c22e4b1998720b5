"""Whether what was downloaded is the recording that was asked for, as far as its sound tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from sfwidgets.audio import decode, probe
from sfwidgets.errors import AudioError, UpstreamError
from sfwidgets.models import AudioInfo, SourceTrack

_SHORTEST = 1.0
"""Seconds; shorter recordings are jingles of a site, not music."""

_CUT = 1.0
"""Seconds that may be missing from what the file's header states: a song is not told to be cut by less."""

_QUIET = 10 ** (-60 / 20)
"""A block whose peak is below −60 dBFS is silent: the noise of a codec or a converter is, the end of a fade is not yet."""

_AUDIBLE = 0.1
"""The share of a recording that must not be silent. A muted upload has a click somewhere, so one loud sample is no
proof of music; a song with minutes of silence before a hidden one has far more than this."""


class UnfitError(UpstreamError):
    """What was downloaded is not the recording that was asked for; another candidate may be."""

    code = "unfit_download"


def tolerance(duration: float) -> float:
    """Return by how many seconds a recording may be longer or shorter than the song: 5, or 3 % of a long one."""
    return max(5.0, 0.03 * duration)


def fits(duration: float, track: SourceTrack) -> bool:
    """Return whether a recording of that length (s) may be the track; any may, where its own is not known."""
    return track.duration is None or abs(duration - track.duration) <= tolerance(track.duration)


def check(path: Path, track: SourceTrack, tick: Callable[[], None]) -> AudioInfo:
    """Decode all of a downloaded file, and return what it is, with its true duration in seconds.

    `tick` is called for every second or two of audio, and may raise to stop it.

    Raises `UnfitError` where it can't be decoded, is cut, too short or silent, or where its duration is not the
    track's, within `tolerance`.
    """
    notices: list[str] = []
    frames = audible = 0
    try:
        info = probe(path)
        for block in decode(path, notices=notices):
            tick()
            frames += block.shape[1]
            if np.abs(block).max() > _QUIET:
                audible += block.shape[1]
    except AudioError as error:
        raise UnfitError("What was found is not audio that can be decoded.") from error
    duration = frames / info.sample_rate
    if duration <= _SHORTEST:
        raise UnfitError(f"The recording found is only {duration:.1f} s long.")
    if not fits(duration, track):
        lasts = _minutes(track.duration or 0.0)
        raise UnfitError(f"The recording found is {_minutes(duration)} long, the song is {lasts}.")
    if notices and info.duration - duration > _CUT:
        raise UnfitError(
            f"The recording found is damaged: {_minutes(duration)} of its {_minutes(info.duration)} are there."
        )
    if audible < _AUDIBLE * frames:
        raise UnfitError("The recording found is silent.")
    return info.model_copy(update={"duration": duration})


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
