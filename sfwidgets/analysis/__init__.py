"""Analysis: tempo, key, loudness and spectrum of a recording, one module a musical question."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sfwidgets.models import Analysis, utc_now

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["VERSION", "analyse"]

VERSION = 1
"""Raised with every change of what is measured: an analysis by an older version is made anew when asked for."""

_READING = 0.95
"""The share of the work that reading the audio is."""
_UNKNOWN_LENGTH = 60.0
"""Where the length is unknown, this many seconds more are always taken to follow."""


def analyse(
    mixture: Callable[[], Iterator[NDArray[np.float32]]],
    *,
    sample_rate: int,
    track_id: str,
    progress: Callable[[float], None],
    duration: float | None = None,
) -> Analysis:
    """Measure a recording and return what can honestly be said of it; None where nothing can.

    `mixture` opens the audio from its start as blocks of shape (channels, frames), full scale at ±1, at `sample_rate`.
    It is read once, block by block. `progress` is told the share done, 0 to 1, about every second and a half of audio;
    it may raise, to stop the work there. `duration` is the length in seconds as far as known; only progress uses it,
    and without it progress is told by how much has been read, never quite reaching the end until it is there.

    Raises `AudioError` where the audio holds samples that are not finite numbers.
    """
    from sfwidgets.analysis import rhythm, spectrum, tonality
    from sfwidgets.analysis.features import extract

    def seconds_read(seconds: float) -> None:
        progress(_READING * min(1.0, seconds / (duration or seconds + _UNKNOWN_LENGTH)))

    progress(0.0)
    features = extract(mixture(), sample_rate, seconds_read)
    bpm, confidence = rhythm.tempo(features.onsets, features.frame_rate)
    key, strength = tonality.key(tonality.chroma(features.pitch, tonality.tuning(features.pitch)))
    progress(1.0)
    return Analysis(
        track_id=track_id,
        analyzed_at=utc_now(),
        duration=features.duration,
        bpm=None if bpm is None else round(bpm),
        tempo=bpm,
        tempo_confidence=confidence,
        key=key,
        key_strength=strength,
        loudness=None if features.loudness is None else round(features.loudness, 2),
        spectral_centroid=features.centroid,
        spectral_contrast=features.contrast,
        waveform_envelope=spectrum.envelope(features.peaks),
        frequency_spectrum=spectrum.mean_spectrum(features.bin_powers),
        cue_points=[],
    )
