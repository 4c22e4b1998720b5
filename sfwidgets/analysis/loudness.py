"""Loudness: how loud does a programme sound, as a whole and from moment to moment, and how far does that vary?

Integrated loudness after ITU-R BS.1770-4: K-weighting, 400 ms blocks that overlap by 75 %, an absolute gate at
-70 LUFS and a relative gate 10 LU below what passes it. Momentary and short-term loudness after EBU Tech 3341,
loudness range after EBU Tech 3342. Channels come in the order L R C (LFE) Ls Rs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from sfwidgets.models import LoudnessCurve

INTERVAL = 0.1
"""Seconds between two values of the curves: the 10 Hz at which Tech 3341 has meters show them."""
ABSOLUTE_GATE = -70.0
"""LUFS; what is quieter counts as silence."""

_OFFSET = -0.691
_MOMENTARY, _SHORT_TERM = 4, 30
"""Windows in intervals: 400 ms and 3 s."""
_CHANNEL_WEIGHTS = {5: (1.0, 1.0, 1.0, 1.41, 1.41), 6: (1.0, 1.0, 1.0, 0.0, 1.41, 1.41)}


def k_weighting(sample_rate: int) -> NDArray[np.float64]:
    """Return the K-weighting filter as second-order sections, of shape (2, 6).

    BS.1770 tabulates it for 48 kHz only. These are the analogue prototypes behind that table (a high shelf, then a
    high-pass), brought to any rate by the bilinear transform; at 48 kHz they give the table's values.
    Mansbridge, Finn and Reiss, "Implementation and evaluation of autonomous multi-track fader control", AES 132, 2012.
    """
    frequency, gain, q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
    k = np.tan(np.pi * frequency / sample_rate)
    high = 10 ** (gain / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = [
        (high + band * k / q + k * k) / a0,
        2 * (k * k - high) / a0,
        (high - band * k / q + k * k) / a0,
        1.0,
        2 * (k * k - 1) / a0,
        (1 - k / q + k * k) / a0,
    ]
    frequency, q = 38.13547087602444, 0.5003270373238773
    k = np.tan(np.pi * frequency / sample_rate)
    a0 = 1 + k / q + k * k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0]
    return np.array([shelf, high_pass])


class LoudnessMeter:
    """Takes a stream block by block and keeps ten numbers a second of it."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._filter = k_weighting(sample_rate)
        self._state = np.zeros((2, channels, 2))
        self._weights = np.array(_CHANNEL_WEIGHTS.get(channels, (1.0,) * channels))
        self._step = round(sample_rate * INTERVAL)
        self._held = np.zeros(0)
        self._powers: list[NDArray[np.float64]] = []

    def push(self, block: NDArray[np.float32]) -> None:
        """Take the next frames, of shape (channels, frames)."""
        weighted, self._state = signal.sosfilt(self._filter, block, axis=1, zi=self._state)
        power = np.concatenate([self._held, self._weights @ weighted**2])
        whole = len(power) - len(power) % self._step
        self._powers.append(power[:whole].reshape(-1, self._step).mean(axis=1))
        self._held = power[whole:]

    def integrated(self) -> float | None:
        """Return the integrated loudness in LUFS; None where nothing passes the gate or 400 ms have not been heard."""
        return gated_loudness(self._whole_windows(_MOMENTARY))

    def range(self) -> float | None:
        """Return the loudness range (LRA) in LU; None where nothing passes the gate or 3 s have not been heard."""
        ends = loudness_range(self._whole_windows(_SHORT_TERM))
        return None if ends is None else ends[1] - ends[0]

    def curve(self) -> LoudnessCurve | None:
        """Return momentary and short-term loudness every 0.1 s, to 0.01 LU; None where 0.1 s has not been heard.

        As on a meter that is switched on at 0, what came before counts as silence: the curves rise over their first
        400 ms and 3 s. A value at or below -70 LUFS, the absolute gate, is None.
        """
        powers = self._interval_powers()
        if len(powers) == 0:
            return None
        return LoudnessCurve(
            interval=INTERVAL,
            momentary=_shown(np.convolve(powers, np.full(_MOMENTARY, 1 / _MOMENTARY))[: len(powers)]),
            short_term=_shown(np.convolve(powers, np.full(_SHORT_TERM, 1 / _SHORT_TERM))[: len(powers)]),
        )

    def _interval_powers(self) -> NDArray[np.float64]:
        return np.concatenate([np.zeros(0), *self._powers])

    def _whole_windows(self, length: int) -> NDArray[np.float64]:
        """Return the mean power of every window of `length` intervals that has been heard whole, one an interval."""
        powers = self._interval_powers()
        if len(powers) < length:
            return np.zeros(0)
        return np.convolve(powers, np.full(length, 1 / length), mode="valid")


def gated_loudness(powers: NDArray[np.float64]) -> float | None:
    """Return the loudness in LUFS of K-weighted block powers of shape (blocks,), gated twice; None for silence."""
    heard = _gated(powers, relative_gate=-10.0)
    return None if len(heard) == 0 else _loudness(float(heard.mean()))


def loudness_range(powers: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the ends of the loudness range in LUFS of K-weighted short-term powers, shape (windows,); None for silence.

    They are the 10th and the 95th percentile of what passes the absolute gate and a relative one at -20 LU.
    """
    heard = _gated(powers, relative_gate=-20.0)
    if len(heard) == 0:
        return None
    low, high = np.percentile(heard, (10, 95), method="nearest")
    return _loudness(float(low)), _loudness(float(high))


def curve_range(curve: LoudnessCurve) -> tuple[float, float] | None:
    """Return the ends of the loudness range in LUFS from a curve; None for silence and for less than 3 s."""
    whole = [-np.inf if value is None else value for value in curve.short_term[_SHORT_TERM:]]
    return loudness_range(10 ** ((np.array(whole) - _OFFSET) / 10))


def _gated(powers: NDArray[np.float64], relative_gate: float) -> NDArray[np.float64]:
    """Return the powers above the absolute gate and above `relative_gate` in LU from the mean of those."""
    heard = powers[powers > _power(ABSOLUTE_GATE)]
    if len(heard) == 0:
        return heard
    return heard[heard > _power(_loudness(float(heard.mean())) + relative_gate)]


def _shown(powers: NDArray[np.float64]) -> list[float | None]:
    """Return the loudness at 0, where nothing has been heard, and after each interval."""
    loudness = _OFFSET + 10 * np.log10(np.maximum(powers, _power(ABSOLUTE_GATE)))
    return [None, *(round(value, 2) if value > ABSOLUTE_GATE else None for value in loudness.tolist())]


def _power(loudness: float) -> float:
    return float(10 ** ((loudness - _OFFSET) / 10))


def _loudness(power: float) -> float:
    return float(_OFFSET + 10 * np.log10(power))
