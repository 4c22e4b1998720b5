"""Rhythm: how fast is the beat, when does it fall, and where do the bars begin?

The pulse is followed through the recording (`pulse`), the metre decided upon for the whole of it (`metre`), and the
beats are those of the metre; the tempo is read off them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

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
    first = (best.first - int(np.argmax(inside))) % best.bar
    return Rhythm(
        tempo=tempo,
        confidence=confidence,
        alternative=_alternative(metres, tempo),
        beats=[round(float(beat), 4) for beat in beats],
        downbeats=[round(float(beat), 4) for beat in beats[first :: best.bar]],
        time_signature=best.time_signature,
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
    return [TempoPoint(time=round(float(time), 3), bpm=round(float(bpm), 2)) for time, bpm in points]


def _alternative(metres: list[metre.Metre], tempo: float) -> float | None:
    """Return the most probable tempo that is a simple multiple or fraction of `tempo`, if any is worth telling."""
    for ratio in [other.tempo / metres[0].tempo for other in metres[1:] if other.probability > _LEAST_CHANCE]:
        for simple in _ALTERNATIVES:
            if abs(ratio / simple - 1) < 0.03:
                return tempo * simple
    return None


Envelope = NDArray[np.float32]

MEL_BANDS = 40

_SLOWEST, _FASTEST = 45.0, 215.0
"""Beats per minute; a little more than the 50 to 200 that most music keeps to."""
_COMMON = 115.0
_SPREAD = 1.5
"""Centre in beats per minute, and width in octaves, of the log-normal prior of tempos. It is wide: how the accents
fall says more than what is common."""
_WINDOW = 16.0
"""Seconds over which the tempo is taken as steady: enough for eight beats at the slowest."""
_LEAST_CONFIDENCE = 0.2
_LEAST_BEATS = 6


def mel_filters(sample_rate: int, bins: int) -> NDArray[np.float32]:
    """Return triangular filters of shape (bins, 40), evenly spaced in mel from 30 Hz to 11 kHz.

    `bins` are evenly spaced from 0 Hz to half the sample rate; the mel scale is O'Shaughnessy's,
    2595 log10(1 + f / 700).
    """
    low, high = (2595 * np.log10(1 + f / 700) for f in (30.0, min(11000.0, sample_rate / 2)))
    edges = 700 * (10 ** (np.linspace(low, high, MEL_BANDS + 2) / 2595) - 1)
    frequency = np.linspace(0, sample_rate / 2, bins)[:, None]
    rising = (frequency - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequency) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def onset_envelope(mel: NDArray[np.float32]) -> Envelope:
    """Return the onset envelope, shape (frames,), of mel power spectra of shape (frames, bands).

    It is the spectral flux: the sum over the bands of how much the amplitude has grown since the frame before.
    """
    growth = np.maximum(0, np.diff(np.sqrt(mel), axis=0)).sum(axis=1)
    return np.concatenate([np.zeros(min(1, len(mel)), dtype=np.float32), growth])


def tempo(onsets: Envelope, frame_rate: float) -> tuple[float | None, float]:
    """Return the tempo in beats per minute, and a confidence from 0 to 1, of an onset envelope of shape (frames,).

    The confidence is the mean autocorrelation at the first eight multiples of the beat. The tempo is None where that
    is too low, where it is best at the edge of what is looked for, which is no peak, or where fewer than six beats
    would fit: a click, noise, a held tone have no tempo.
    """
    similarity = _autocorrelation(onsets, frame_rate)
    candidates = 60 * frame_rate / np.geomspace(_SLOWEST, _FASTEST, 700)
    candidates = candidates[candidates * _LEAST_BEATS <= len(onsets)]
    if len(candidates) == 0 or similarity[0] == 0:
        return None, 0.0
    period, confidence = _beat_period(similarity, candidates, 60 * frame_rate / _COMMON)
    if confidence < _LEAST_CONFIDENCE or period in (candidates[0], candidates[-1]):
        return None, confidence
    return 60 * frame_rate / _refined(similarity, period), confidence


def _autocorrelation(onsets: Envelope, frame_rate: float) -> NDArray[np.float64]:
    """Return the autocorrelation by lag in frames, 1 at lag 0, as the mean over windows; all 0 where nothing happens."""
    smooth = ndimage.gaussian_filter1d(onsets.astype(np.float64), 1.5)
    length = min(len(smooth), int(_WINDOW * frame_rate))
    total = np.zeros(length)
    for start in range(0, len(smooth) - length + 1, max(1, length // 2)):
        window = smooth[start : start + length]
        spectrum = fft.rfft(window - window.mean(), 2 * length)
        total += fft.irfft(np.abs(spectrum) ** 2)[:length]
    if length == 0 or total[0] <= 1e-12:
        return np.zeros(max(1, length))
    overlap = np.maximum(0.2, 1 - np.arange(length) / length)
    return np.asarray(np.maximum(0, total / total[0] / overlap), dtype=np.float64)


def _beat_period(similarity: NDArray[np.float64], periods: NDArray[np.float64], common: float) -> tuple[float, float]:
    """Return the one of `periods` (frames) that is most likely the beat, and its confidence."""
    lags = np.arange(len(similarity))

    def at(multiple: float) -> NDArray[np.float64]:
        return np.asarray(np.interp(multiple * periods, lags, similarity, right=0), dtype=np.float64)

    odd = np.mean([at(k) for k in (1, 3, 5, 7)], axis=0)
    even = np.mean([at(k) for k in (2, 4, 6, 8)], axis=0)
    repeats = (odd + even) / 2
    between = np.mean([at(k - 0.5) for k in range(1, 9)], axis=0)
    contrast = 1 - np.divide(between, repeats, out=np.ones_like(repeats), where=repeats > 0)
    evenness = np.divide(odd, even, out=np.zeros_like(even), where=even > 0)
    bars = np.maximum(np.sqrt(at(4) * at(8)), np.sqrt(at(3) * at(6)))
    prior = np.exp(-0.5 * (np.log2(periods / common) / _SPREAD) ** 2)
    score = (
        repeats * np.maximum(bars, 0.02) ** 2 * np.clip(contrast, 0.02, 1) ** 0.3 * np.clip(evenness, 0, 1) ** 2 * prior
    )
    best = int(np.argmax(score))
    return float(periods[best]), float(min(1.0, repeats[best]))


def _refined(similarity: NDArray[np.float64], period: float) -> float:
    """Return `period` made exact by the peaks at its multiples, each of which tells it finer than the one before."""
    reach = 3
    for multiple in (1, 2, 4, 8):
        centre = round(period * multiple)
        if centre + reach + 1 >= len(similarity):
            break
        peak = centre - reach + int(np.argmax(similarity[centre - reach : centre + reach + 1]))
        before, at, after = similarity[peak - 1 : peak + 2]
        if at <= before or at <= after:
            break
        period = (peak + 0.5 * (before - after) / (before - 2 * at + after)) / multiple
    return period
