"""Rhythm: how fast is the beat, when does it fall, and where do the bars begin?

The pulse is followed through the recording (`pulse`), the metre decided upon for the whole of it (`metre`), and the
beats are those of the metre; the tempo is read off them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sfwidgets.analysis import metre
from sfwidgets.analysis.onsets import LATENCY, Onsets
from sfwidgets.models.analysis import TempoPoint

Array = NDArray[np.float64]

_LEAST_SECONDS = 3.0
_FEWEST_BEATS = 6
_SPAN = 8
"""Beats over which a local tempo is measured; a beat is only found to a frame, 12 ms, or as its player plays it."""
_CURVE_STEP = 4
"""Beats between two points of the tempo curve."""
_STEADY = 0.03
"""Seconds, root mean square, that beats may lie off an even grid and the tempo still be that of the grid."""
_ALTERNATIVES = (2.0, 1 / 2, 3.0, 1 / 3, 3 / 2, 2 / 3)
_LEAST_CHANCE = 0.005
"""Of an alternative, below which it isn't worth telling."""
_IRREGULAR, _LEAST_REGULARITY, _REGULAR = 0.25, 0.35, 0.6
"""How alike the beats' rhythms are, less what chance makes of few beats: 0.25 at most for speech, noise and clicks at
random; 0.4 and more for music, and mostly 0.7 and more."""
_LEAST_BAR = 0.4
"""Probability of a bar, below which it is a guess, and there is none; of equal clicks the best has 0.28."""
_AUDIBLE = 0.3
"""Height of the onsets that music begins and ends with, by the root mean square of the envelope."""


@dataclass(frozen=True)
class Rhythm:
    """What was found; without a tempo there is nothing else either."""

    tempo: float | None = None
    """Beats per minute."""
    confidence: float = 0.0
    """0 to 1."""
    alternative: float | None = None
    """The tempo that a listener might count instead."""
    beats: list[float] = field(default_factory=list)
    """Seconds, as the downbeats."""
    downbeats: list[float] = field(default_factory=list)
    time_signature: str | None = None
    time_signature_confidence: float = 0.0
    """0 to 1."""
    tempo_curve: list[TempoPoint] = field(default_factory=list)


def rhythm(onsets: Onsets, chroma: Array, bass_chroma: Array, chroma_rate: float) -> Rhythm:
    """Return the rhythm of a recording, given its onsets and chromas of shape (12, frames), `chroma_rate` a second.

    Chroma frame i is centred at i / chroma_rate seconds. Where there is no beat, as in silence, noise or speech, the
    tempo is None and the confidence low.
    """
    if len(onsets.envelope) < _LEAST_SECONDS * onsets.frame_rate or not onsets.envelope.any():
        return Rhythm()
    found = metre.evidence(onsets, chroma, bass_chroma, chroma_rate)
    metres = metre.metres(found)
    heard = np.flatnonzero(found.envelope > _AUDIBLE) / onsets.frame_rate
    if not metres or len(heard) == 0:
        return Rhythm()
    best, slack = metres[0], 15 / metres[0].tempo
    inside = (best.beats > heard[0] - slack) & (best.beats < heard[-1] + slack)
    beats = np.maximum(0, best.beats[inside] - LATENCY)
    if min(len(beats), found.density * len(onsets.envelope) / onsets.frame_rate) < _FEWEST_BEATS:
        return Rhythm()
    regularity = best.regularity - len(beats) ** -0.5
    confidence = best.probability * float(np.clip((regularity - _IRREGULAR) / (_REGULAR - _IRREGULAR), 0, 1))
    if regularity < _LEAST_REGULARITY:
        return Rhythm(confidence=confidence)
    tempo = _tempo(beats)
    barred = best.bar_probability >= _LEAST_BAR
    first = (best.first - int(np.argmax(inside))) % best.bar
    return Rhythm(
        tempo=tempo,
        confidence=confidence,
        alternative=_alternative(metres, tempo),
        beats=[round(float(beat), 4) for beat in beats],
        downbeats=[round(float(beat), 4) for beat in beats[first :: best.bar]] if barred else [],
        time_signature=best.time_signature if barred else None,
        time_signature_confidence=confidence * best.bar_probability,
        tempo_curve=_curve(beats),
    )


def _tempo(beats: Array) -> float:
    """Return the tempo of beats: of the even grid they lie on, or, if they drift, the median of the local tempi."""
    numbers = np.arange(len(beats))
    slope, start = np.polyfit(numbers, beats, 1)
    if np.sqrt(np.mean((start + slope * numbers - beats) ** 2)) < _STEADY:
        return float(60 / slope)
    return float(np.median(_local_tempi(beats)))


def _local_tempi(beats: Array) -> Array:
    """Return the tempo around each beat, that of the eight beats about it, or as many as there are."""
    numbers = np.arange(len(beats))
    start, end = np.maximum(0, numbers - _SPAN // 2), np.minimum(len(beats) - 1, numbers + _SPAN // 2)
    return np.asarray(60 * (end - start) / (beats[end] - beats[start]), dtype=np.float64)


def _curve(beats: Array) -> list[TempoPoint]:
    points = zip(beats[::_CURVE_STEP], _local_tempi(beats)[::_CURVE_STEP], strict=True)
    return [TempoPoint(time=round(float(time), 4), bpm=round(float(bpm), 2)) for time, bpm in points]


def _alternative(metres: list[metre.Metre], tempo: float) -> float | None:
    """Return the most probable tempo that is a simple multiple or fraction of `tempo`, if any is worth telling."""
    for ratio in [other.tempo / metres[0].tempo for other in metres[1:] if other.probability > _LEAST_CHANCE]:
        for simple in _ALTERNATIVES:
            if abs(ratio / simple - 1) < 0.03:
                return tempo * simple
    return None
