"""Loudness: how loud does a programme sound as a whole, in LUFS?

Integrated loudness after ITU-R BS.1770-4: K-weighting, 400 ms blocks that overlap by 75 %, an absolute gate at
-70 LUFS and a relative gate 10 LU below what passes it. Channels come in the order L R C (LFE) Ls Rs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

ABSOLUTE_GATE = -70.0
"""LUFS; what is quieter counts as silence."""

_OFFSET = -0.691
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
        self._step = round(sample_rate / 10)
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
        powers = np.concatenate([np.zeros(0), *self._powers])
        if len(powers) < 4:
            return None
        return gated_loudness(np.convolve(powers, np.full(4, 0.25), mode="valid"))


def gated_loudness(powers: NDArray[np.float64]) -> float | None:
    """Return the loudness in LUFS of K-weighted block powers of shape (blocks,), gated twice; None for silence."""
    heard = powers[powers > _power(ABSOLUTE_GATE)]
    if len(heard) == 0:
        return None
    relative_gate = _loudness(float(heard.mean())) - 10
    return _loudness(float(heard[heard > _power(relative_gate)].mean()))


def _power(loudness: float) -> float:
    return float(10 ** ((loudness - _OFFSET) / 10))


def _loudness(power: float) -> float:
    return float(_OFFSET + 10 * np.log10(power))
