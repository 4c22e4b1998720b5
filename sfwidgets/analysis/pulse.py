"""Pulse: at what rate does the music throb at each moment, and where do the beats of a given rate fall?

The tempogram says how periodic the onsets are around each moment, for each period. One path through it, which may only
drift, is the pulse: the most prominent of the metrical levels, of which the others are simple multiples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Array = NDArray[np.float64]
Envelope = NDArray[np.float32]

_WINDOW, _STEP = 8.0, 0.5
"""Seconds of a tempogram's windows, and between them."""
_TREND = 0.6
"""Seconds over which the mean is taken off, so that only what recurs faster is periodic."""
_SLOWEST, _FASTEST, _PERIODS = 30.0, 480.0, 400
"""The periods looked at, in pulses per minute; 400 are 0.7 % apart."""
_REACH, _DRIFT_COST = 4, 0.12
"""How many periods up or down a step may lead (5.7 % a second), and what each costs: a doubling of tempo as much as 12
windows of perfect periodicity are worth, so that it is not done for a passage of running notes."""
_TIGHTNESS = 120.0
"""How much the beats keep to the pulse rather than to the onsets, as in Ellis."""
_BATCH = 256


@dataclass(frozen=True)
class Tempogram:
    """How periodic the onsets are. Window i is centred at i * interval seconds."""

    interval: float
    """Seconds between two windows."""
    periods: Array
    """Seconds, rising evenly in logarithm, shape (periods,)."""
    autocorrelation: Envelope
    """Shape (windows, periods), 0 to 1, as the next two; high at multiples of a period."""
    spectrum: Envelope
    """High at fractions of a period."""
    product: Envelope
    """Of the two; high at the period itself."""

    def path(self) -> NDArray[np.intp]:
        """Return the index of the pulse's period in each window, shape (windows,), by the Viterbi algorithm."""
        windows, periods = self.product.shape
        cost = _DRIFT_COST * np.abs(np.arange(-_REACH, _REACH + 1))[:, None]
        every = np.arange(periods)
        score = np.full(periods + 2 * _REACH, -np.inf)
        score[_REACH:-_REACH] = self.product[0]
        reachable = np.lib.stride_tricks.sliding_window_view(score, periods)
        steps = np.zeros((windows, periods), dtype=np.int8)
        for window in range(1, windows):
            options = reachable - cost
            best = options.argmax(axis=0)
            steps[window] = best - _REACH
            score[_REACH:-_REACH] = options[best, every] + self.product[window]
        path = np.zeros(windows, dtype=np.intp)
        path[-1] = int(np.argmax(score[_REACH:-_REACH]))
        for window in range(windows - 1, 0, -1):
            path[window - 1] = path[window] + steps[window, path[window]]
        return path

    def salience(self, table: Envelope, path: NDArray[np.intp], ratio: float) -> float:
        """Return the mean over time of `table` at `ratio` times the path's periods; 0 where that is out of range."""
        index = path + round(np.log(ratio) / np.log(self.periods[1] / self.periods[0]))
        if not 1 <= np.median(index) <= len(self.periods) - 2:
            return 0.0
        index = np.clip(index, 1, len(self.periods) - 2)
        windows = np.arange(len(path))
        return float(np.max([table[windows, index + near] for near in (-1, 0, 1)], axis=0).mean())


def tempogram(envelope: Array, frame_rate: float) -> Tempogram:
    """Return the tempogram of an onset envelope of shape (frames,).

    It is the product of the autocorrelation and the magnitude spectrum of windows of 8 s (Peeters, "Template-based
    estimation of time-varying tempo", EURASIP J. 2007): the first has peaks at the multiples of a period and the second
    at its fractions, and only the period itself is in both.
    """
    length, step = round(_WINDOW * frame_rate), round(_STEP * frame_rate)
    detrended = envelope - ndimage.uniform_filter1d(envelope, round(_TREND * frame_rate))
    padded = np.pad(detrended, (length // 2, length // 2 + step)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(padded, length)[::step]
    taper = np.hanning(length).astype(np.float32)
    overlap = fft.irfft(np.abs(fft.rfft(taper, 2 * length)) ** 2)[:length]
    overlap = np.maximum(0.1, overlap / overlap[0]).astype(np.float32)
    periods = np.geomspace(60 / _FASTEST, 60 / _SLOWEST, _PERIODS)
    both: list[tuple[Envelope, Envelope]] = []
    for start in range(0, len(windows), _BATCH):
        batch = windows[start : start + _BATCH] * taper
        power = np.abs(fft.rfft(batch, 2 * length, axis=1)) ** 2
        repeats = fft.irfft(power, axis=1)[:, :length]
        repeats = np.maximum(0, repeats / np.maximum(repeats[:, :1], 1e-9) / overlap)
        spectrum = np.abs(fft.rfft(batch, 4 * length, axis=1))
        spectrum /= spectrum.max(axis=1, keepdims=True) + 1e-9
        both.append((between(repeats, periods * frame_rate), between(spectrum, 4 * length / (frame_rate * periods))))
    autocorrelation, magnitude = (np.concatenate(tables).astype(np.float32) for tables in zip(*both, strict=True))
    return Tempogram(step / frame_rate, periods, autocorrelation, magnitude, autocorrelation * magnitude)


def between(table: NDArray[np.floating], index: Array) -> Envelope:
    """Return the columns of `table` (rows, columns) at fractional `index`, by straight lines, 0 beyond the last."""
    whole = np.floor(index).astype(np.intp)
    inside = (index >= 0) & (whole < table.shape[1] - 1)
    whole = np.where(inside, whole, 0)
    share = np.where(inside, index - whole, 0).astype(np.float32)
    values = table[:, whole] * (1 - share) + table[:, whole + 1] * share
    return np.asarray(values * inside, dtype=np.float32)


def track(envelope: Array, periods: Array, tightness: float = _TIGHTNESS) -> NDArray[np.intp]:
    """Return the frames of the beats, in order, of an onset envelope and local periods in frames, both (frames,).

    Dynamic programming finds the beats that fall on the most onsets and are the most nearly a period apart (Ellis,
    "Beat tracking by dynamic programming", J. New Music Research 36(1), 2007). As a beat's predecessor lies at least
    two thirds of a period back, as many frames are worked out at once.
    """
    frames = len(envelope)
    if frames == 0 or periods.min() < 3:
        return np.zeros(0, dtype=np.intp)
    score = np.array(envelope, dtype=np.float64)
    previous = np.full(frames, -1, dtype=np.intp)
    step = int(0.66 * periods.min())
    for start in range(0, frames, step):
        end = min(frames, start + step)
        period = periods[(start + end) // 2]
        lags = np.arange(max(step, int(0.66 * period)), int(1.5 * period) + 2)
        before = np.arange(start, end)[:, None] - lags
        options = np.where(before >= 0, score[np.maximum(before, 0)], 0) - tightness * np.log(lags / period) ** 2
        best = options.argmax(axis=1)
        rows = np.arange(end - start)
        score[start:end] += options[rows, best]
        previous[start:end] = np.maximum(before[rows, best], -1)
    last = max(0, frames - int(periods[-1]))
    beats = [last + int(np.argmax(score[last:]))]
    while previous[beats[-1]] >= 0:
        beats.append(int(previous[beats[-1]]))
    return np.array(beats[::-1], dtype=np.intp)
