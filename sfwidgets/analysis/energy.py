"""Energy: how energetic is the music from moment to moment, where does it break down, and where does it drop back in?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfwidgets.models import EnergyCurve

Array = NDArray[np.float32]

_EDGES = (25.0, 130.0, 500.0, 2000.0, 6000.0, 16000.0)
"""Hz: kick and bass; their overtones and low voices; voices; brightness; cymbals."""
_GROUP = 9
"""Short frames of 12 ms that are averaged: about 0.1 s."""
_HANN_NOISE_BANDWIDTH = 1.5
INTERVAL = 0.5
"""Seconds between two values of the curve."""
_SMOOTHING = 2.0
"""Seconds that a value of the curve is averaged over."""
_RANGE = 30.0
"""dB below the maximum at which a level counts as nothing."""
_SILENT, _SILENT_BELOW_LOUD = -70.0, 50.0
"""dBFS, and dB below the loud parts; what is quieter than either is silence."""
_GAP = 1.0
"""Seconds of silence that are a gap."""
_DEAF = 50.0
"""dB below the loudest, as the whole, down to which bass and cymbals count."""
_LEAST_FLUX = 0.02
"""Of the amplitude, from one short frame to the next; a tone's own unrest is less."""
_BASS_OUT = 10.0
"""dB by which the bass falls in a break."""
_AUDIBLE = 40.0
"""dB below the usual level down to which a break is one, and not a silence."""
_CHANGE = 0.15
"""Of energy, at a drop or a break."""


@dataclass(frozen=True)
class Bands:
    """How strongly five bands sound, from bass to cymbals; about 25 kB a minute."""

    frame_rate: float
    """Frames a second, about 10; the first stands for what is heard around 0."""
    power: Array
    """Mean-square amplitude, shape (frames, 5)."""
    flux: Array
    """Mean growth of the amplitude from one short frame to the next, shape (frames, 5)."""


class BandReader:
    """Takes power spectra as they come and keeps what is in five bands."""

    def __init__(self, sample_rate: int, bins: int) -> None:
        """`bins` are evenly spaced from 0 Hz to half of `sample_rate`; the frames overlap by three quarters."""
        frequency = np.linspace(0, sample_rate / 2, bins)[:, None]
        inside = (frequency >= _EDGES[:-1]) & (frequency < _EDGES[1:])
        self._bands = inside.astype(np.float32) / np.float32(2 * _HANN_NOISE_BANDWIDTH)
        self._frame_rate = sample_rate / ((bins - 1) / 2) / _GROUP
        self._last = np.zeros((0, len(_EDGES) - 1), dtype=np.float32)
        self._held = np.zeros((0, 2 * (len(_EDGES) - 1)), dtype=np.float32)
        self._groups = [self._held]

    def push(self, short: Array) -> None:
        """Take the next power spectra, of shape (frames, bins), a sine of amplitude 1 having power 1 in its bin."""
        if len(short) == 0:
            return
        power = short @ self._bands
        self._last = self._last if len(self._last) else power[:1]  # what sounds from the start does not begin
        amplitude = np.sqrt(np.concatenate([self._last, power]))
        self._last = power[-1:]
        frames = np.concatenate([self._held, np.hstack([power, np.maximum(0, np.diff(amplitude, axis=0))])])
        whole = len(frames) - len(frames) % _GROUP
        self._groups.append(frames[:whole].reshape(-1, _GROUP, frames.shape[1]).mean(axis=1))
        self._held = frames[whole:]

    def finish(self) -> Bands:
        """Return what was heard."""
        if len(self._held):
            self._groups.append(self._held.mean(axis=0, keepdims=True))
        power, flux = np.hsplit(np.concatenate(self._groups), 2)
        return Bands(self._frame_rate, power, flux)


_FAINT = 1e-6
"""Share of the power below which a band is a neighbour's leakage."""
_STEADY = 0.5
"""dB, standard deviation; a pure tone of 30 Hz has 0.3, as a frame holds few of its periods."""


def sounding(bands: Bands) -> NDArray[np.float64]:
    """Return when it sounds, (start, end) in seconds by row, silences below a second passed over; shape (spans, 2)."""
    power = bands.power.sum(axis=1, dtype=np.float64)
    if not len(power):
        return np.zeros((0, 2))
    level = 10 * np.log10(power + 1e-12)
    heard = level > max(_SILENT, float(np.percentile(level, 95)) - _SILENT_BELOW_LOUD)
    spans = np.flatnonzero(np.diff(np.pad(heard.astype(np.int8), 1))).reshape(-1, 2) / bands.frame_rate
    apart = spans[1:, 0] - spans[:-1, 1] >= _GAP
    starts, ends = spans[np.append(True, apart)[: len(spans)], 0], spans[np.append(apart, True)[: len(spans)], 1]
    return np.stack([starts, ends], axis=1)


def steady(bands: Bands) -> bool:
    """Return whether nothing that can be heard ever changes its level: a held tone, whose slow swing is no rhythm."""
    power = bands.power[1:-1].astype(np.float64)
    if not len(power):
        return True
    strong = power.mean(axis=0) > _FAINT * power.sum(axis=1).mean()
    return bool((10 * np.log10(power[:, strong] + 1e-12).std(axis=0) < _STEADY).all())


def energy(bands: Bands, duration: float) -> EnergyCurve:
    """Return how energetic the music is every half second, 0 to 1, 1 where it is most so; all 0 for silence.

    Half of it is the level over a range of 30 dB, a quarter how much begins (spectral flux), and an eighth each how strong
    the bass and the cymbals are, all relative to their own maxima and averaged over two seconds.
    """
    count = int(np.ceil(duration / INTERVAL))
    power, flux = (
        _every_interval(bands.power, bands.frame_rate, count),
        _every_interval(bands.flux, bands.frame_rate, count),
    )
    if not count or power.sum(axis=1).max() < 10 ** (_SILENT / 10):
        return EnergyCurve(interval=INTERVAL, values=[0.0] * count)
    level = _share(power.sum(axis=1), _RANGE)
    begun, loudest = flux.sum(axis=1), float(np.sqrt(power.sum(axis=1).max()))
    amount = begun / max(float(begun.max()), _LEAST_FLUX * loudest)
    ends = np.maximum(power[:, [0, -1]], power.sum(axis=1).max() * 10 ** (-_DEAF / 10))
    total = 0.5 * level + 0.25 * np.sqrt(amount) + 0.125 * (_share(ends[:, 0], _RANGE) + _share(ends[:, 1], _RANGE))
    return EnergyCurve(interval=INTERVAL, values=[round(float(value), 3) for value in total / total.max()])


def drops_and_breaks(
    bands: Bands, curve: EnergyCurve, beats: list[float], downbeats: list[float]
) -> tuple[list[float], list[float]]:
    """Return the times, in seconds, of drops and of breaks, on downbeats; none without a beat.

    A break is where bass and energy fall away for two bars at least, and later come back; a drop is where both come at
    once after two bars without. Silence is neither: a break still sounds.
    """
    bars = np.asarray(downbeats if len(downbeats) >= 4 else beats[::4], dtype=np.float64)
    if len(bars) < 8 or not curve.values:
        return [], []
    bars = np.append(bars, 2 * bars[-1] - bars[-2])
    bars = bars[bars <= len(bands.power) / bands.frame_rate + 0.1]
    low = 10 * np.log10(_between(bands.power[:, :1], bands.frame_rate, bars)[:, 0] + 1e-12)
    whole = 10 * np.log10(_between(bands.power, bands.frame_rate, bars).sum(axis=1) + 1e-12)
    values = np.asarray(curve.values)[:, None]
    lively = _between(values, 1 / curve.interval, bars)[:, 0]
    full = low >= np.percentile(low, 75) - _BASS_OUT / 2
    broken = low <= np.percentile(low, 75) - _BASS_OUT
    drops, breaks = [], []
    for bar in range(1, len(low) - 1):
        before, after = slice(max(0, bar - 2), bar), slice(bar, bar + 2)
        if min(whole[before].min(), whole[after].min()) < np.percentile(whole, 75) - _AUDIBLE or bar < 2:
            continue
        change = lively[after].mean() - lively[before].mean()
        if full[before].all() and broken[after].all() and full[bar:].any() and change <= -_CHANGE:
            breaks.append(float(bars[bar]))
        if broken[before].all() and full[after].all() and change >= _CHANGE:
            drops.append(float(bars[bar]))
    return drops, breaks


def _every_interval(values: Array, rate: float, count: int) -> NDArray[np.float64]:
    """Return the means over each interval of the curve, two seconds wide, shape (count, d)."""
    centres = (np.arange(count) + 0.5) * INTERVAL
    first, end = (
        np.clip(np.rint((centres + side * _SMOOTHING / 2) * rate), 0, len(values)).astype(int) for side in (-1, 1)
    )
    return _means(values, first, end)


def _between(values: NDArray[np.floating], rate: float, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means between each two of `times`, shape (len(times) - 1, d)."""
    places = np.clip(np.rint(times * rate), 0, len(values)).astype(int)
    return _means(values, places[:-1], places[1:])


def _means(values: NDArray[np.floating], first: NDArray[np.int_], end: NDArray[np.int_]) -> NDArray[np.float64]:
    """Return the means of `values`, shape (frames, d), from each `first` frame to each `end`; 0 where there are none."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)])
    return np.asarray((total[end] - total[first]) / np.maximum(1, end - first)[:, None])


def _share(power: NDArray[np.float64], depth: float) -> NDArray[np.float64]:
    """Return where a power lies between `depth` dB below its maximum, 0, and that, 1."""
    level = 10 * np.log10(power + 1e-12)
    return np.asarray(np.clip(1 + (level - level.max()) / depth, 0, 1))
