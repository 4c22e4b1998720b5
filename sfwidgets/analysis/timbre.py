"""Timbre: what does the sound's colour look like, apart from its pitch, and how does it change?

Mel-frequency cepstral coefficients (Davis and Mermelstein, "Comparison of parametric representations for monosyllabic
word recognition", IEEE TASSP, 1980) in the conventions of `librosa.feature.mfcc`: 128 of Slaney's mel bands from 0 Hz to
half the sample rate, in decibels, no band further than 80 dB below the loudest, and an orthonormal cosine transform.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Array = NDArray[np.float32]

BANDS = 128
COEFFICIENTS = 20

_GROUP = 9
"""Short frames in a frame of timbre: 0.1 s. Odd, so that it is centred on one of them."""
_RANGE = 80.0
"""dB."""
_LEAST_POWER = 1e-10
_SILENCE = 1e-7
"""Mean-square amplitude (-70 dB) below which a frame has no timbre of its own."""
_HANN_NOISE_BANDWIDTH = 1.5


@dataclass(frozen=True)
class Timbre:
    """The colour of a recording over time."""

    frame_rate: float
    """Frames a second, about 10; frame i is centred at i / frame_rate seconds."""
    mfcc: Array
    """Mel-frequency cepstral coefficients, shape (frames, 20); the first is about the level."""
    mean: list[float]
    """The 20 coefficients' means over the frames that are not silent (-70 dBFS); none where all are."""


class TimbreReader:
    """Takes power spectra as they come and keeps their mel spectra, averaged in decibels over 0.1 s."""

    def __init__(self, sample_rate: int, bins: int) -> None:
        """`bins` are evenly spaced from 0 Hz to half of `sample_rate`; the frames overlap by three quarters."""
        self._filters = mel_filters(sample_rate, bins) * np.float32(((bins - 1) / 2) ** 2)  # to librosa's scale
        self._frame_rate = sample_rate / ((bins - 1) / 2) / _GROUP
        self._loudest = -np.inf
        self._begun = False
        self._held = np.zeros((0, BANDS + 1), dtype=np.float32)
        self._groups = [np.zeros((0, BANDS + 1), dtype=np.float32)]

    def push(self, short: Array) -> None:
        """Take the next power spectra, of shape (frames, bins), a sine of amplitude 1 having power 1 in its bin."""
        if len(short) == 0:
            return
        mel = 10 * np.log10(np.maximum(short @ self._filters, np.float32(_LEAST_POWER)))
        # How loud it gets is only known at the end; until then what was loudest so far sets the floor.
        self._loudest = max(self._loudest, float(mel.max()))
        heard = short.sum(axis=1, keepdims=True) > _SILENCE * 2 * _HANN_NOISE_BANDWIDTH
        frames = np.concatenate([np.maximum(mel, np.float32(self._loudest - _RANGE)), heard], axis=1)
        if not self._begun:  # the first group is centred on the first frame, and what would be before it is not heard
            self._begun = True
            self._held = np.repeat(frames[:1], _GROUP // 2, axis=0)
            self._held[:, BANDS] = 0
        frames = np.concatenate([self._held, frames])
        whole = len(frames) - len(frames) % _GROUP
        self._groups.append(_averaged(frames[:whole].reshape(-1, _GROUP, BANDS + 1)))
        self._held = frames[whole:]

    def finish(self) -> Timbre:
        """Return the timbre of everything taken; silence has no mean."""
        if len(self._held) > _GROUP // 2:  # a last group that reaches to its centre
            self._groups.append(_averaged(self._held[None]))
        groups = np.concatenate(self._groups)
        mel, heard = np.maximum(groups[:, :BANDS], np.float32(self._loudest - _RANGE)), groups[:, BANDS]
        mfcc = np.asarray(fft.dct(mel, axis=1, norm="ortho")[:, :COEFFICIENTS], dtype=np.float32)
        mean = np.average(mfcc, axis=0, weights=heard.astype(np.float64)).tolist() if heard.any() else []
        return Timbre(self._frame_rate, mfcc, mean)


def _averaged(groups: Array) -> Array:
    """Return each group's mean over its frames that are heard, over all of a silent one, and how many are heard.

    `groups` has shape (groups, frames, 129): 128 mel bands in dB, and 1 or 0 for heard or not. The result has shape
    (groups, 129).
    """
    heard = groups[:, :, BANDS:]
    count = heard.sum(axis=1)
    weights = np.where(count[:, None] == 0, np.float32(1), heard)
    mean = (groups[:, :, :BANDS] * weights).sum(axis=1) / weights.sum(axis=1)
    return np.concatenate([mean, count], axis=1)


def mel_filters(sample_rate: int, bins: int) -> Array:
    """Return Slaney's mel filters, shape (bins, 128): triangles of equal area from 0 Hz to half the sample rate.

    `bins` are evenly spaced over that range. The scale is linear up to 1000 Hz (15 mel) and logarithmic above, 27 mel
    to a factor of 6.4. Slaney, "Auditory Toolbox", Interval Research, 1998.
    """
    linear, log_step = 200 / 3, np.log(6.4) / 27
    half = sample_rate / 2
    top = half / linear if half < 1000 else 15 + np.log(half / 1000) / log_step
    mels = np.linspace(0, top, BANDS + 2)
    edges = np.where(mels < 15, mels * linear, 1000 * np.exp(log_step * (mels - 15)))
    frequency = np.linspace(0, half, bins)[:, None]
    rising = (frequency - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequency) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])
    return np.asarray(triangles, dtype=np.float32)
