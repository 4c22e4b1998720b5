"""Rhythm: how fast is the beat?

An onset envelope says how much new sound begins in each frame. Its autocorrelation peaks at every period that the
rhythm has; the beat is the one whose multiples and bars repeat best, with less going on half-way between beats, and
with no difference in strength between odd and even beats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

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
