"""Onsets: when does something begin to sound?

The spectral flux of a recording is how much louder each part of the spectrum has become within two frames. It is taken
with the previous frame's neighbouring bands as what is known already, so that vibrato is not taken for new notes
(SuperFlux: Böck and Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

Array = NDArray[np.float32]
Times = NDArray[np.float64]

BANDS = ("bass", "low", "middle", "high", "air")
_EDGES = (140.0, 400.0, 1600.0, 5000.0)
"""Hz between the bands: kick drum and bass; chords; melody and snare; overtones; cymbals."""
_LOWEST, _HIGHEST = 30.0, 16500.0
_STEPS = 12
"""Filters in an octave; below 400 Hz the bins of a frame are farther apart than that."""
_EXPONENT = 0.2
"""Power to this exponent is nearly as even as its logarithm, yet what is proportionally louder stays so, at any level."""
_LAG = 2
LATENCY = 0.004
"""Seconds by which the flux peaks after a note's beginning: from 2 ms before it for a drum to 12 ms after for a piano."""

_SURROUNDINGS = (0.15, 0.05)
"""Seconds before and after a peak, whose mean it has to stand out of."""
_REFRACTORY = 0.03
"""Seconds within which only one onset is heard."""
_CONTRAST = 1.2
"""How many times the mean of its surroundings a peak has to be."""
_BACKGROUND, _ABOVE = 1.0, 3.2
"""How many times the median of so many seconds it has to be; the flux of noise does not get there."""
_LEAST_PEAK = 0.06
"""Of the highest peak, some 60 dB below it; what stands out less is taken for a tone's own unrest."""


_EDGE = 0.1
"""Seconds by which it may sound before and after the spans in which it does."""


@dataclass(frozen=True)
class Onsets:
    """How much begins to sound when; about 0.1 MB a minute. Frame i is centred at i / frame_rate seconds."""

    frame_rate: float
    """Frames a second."""
    envelope: Array
    """Spectral flux, shape (frames,); proportional to a power of the audio's amplitude."""
    bands: Array
    """The same by band, shape (frames, 5); their sum is the envelope."""


class OnsetReader:
    """Listens to a stream of short power spectra, each a quarter of its length after the one before, for what begins."""

    def __init__(self, sample_rate: int, bins: int) -> None:
        self._frame_rate = sample_rate / ((bins - 1) // 2)
        self._filters, centres = _filters(sample_rate, bins)
        self._band = np.searchsorted(_EDGES, centres)
        self._before = np.zeros((0, len(centres)), dtype=np.float32)
        self._flux: list[Array] = []

    def push(self, power: Array) -> None:
        """Listen to power spectra of shape (frames, bins), in order of time."""
        if len(power) == 0:
            return
        levels = np.asarray(self._filters @ power.T, dtype=np.float32).T ** np.float32(_EXPONENT)
        if len(self._before) == 0:
            self._before = np.repeat(levels[:1], _LAG, axis=0)  # what sounds from the start does not begin
        levels = np.concatenate([self._before, levels])
        known = ndimage.maximum_filter1d(levels[:-_LAG], 3, axis=1)
        growth = np.maximum(0, levels[_LAG:] - known)
        self._flux.append(
            np.stack([growth[:, self._band == band].sum(axis=1) for band in range(len(BANDS))], axis=1).astype(
                np.float32
            )
        )
        self._before = levels[-_LAG:]

    def finish(self) -> Onsets:
        """Return what was heard."""
        bands = np.concatenate([np.zeros((0, len(BANDS)), np.float32), *self._flux])
        return Onsets(self._frame_rate, bands.sum(axis=1), bands)


def _filters(sample_rate: int, bins: int) -> tuple[sparse.csr_matrix, NDArray[np.float64]]:
    """Return triangular filters of shape (filters, bins), a semitone or at least one bin apart, and their centres in Hz."""
    bin_width = sample_rate / (2 * (bins - 1))
    highest = min(_HIGHEST, sample_rate / 2)
    frequencies = _LOWEST * 2 ** (np.arange(np.log2(highest / _LOWEST) * _STEPS) / _STEPS)
    edges = np.unique(np.rint(frequencies / bin_width))
    edges = edges[edges >= 1]
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bin_number = np.arange(bins)
    weights = np.maximum(0, np.minimum((bin_number - low) / (centre - low), (high - bin_number) / (high - centre)))
    weights /= weights.sum(axis=1, keepdims=True)
    return sparse.csr_matrix(weights.astype(np.float32)), centre[:, 0] * bin_width


def audible(onsets: Onsets, spans: Times) -> Onsets:
    """Return the onsets less those outside of `spans` (seconds, (start, end) by row): what nobody hears has no rhythm."""
    times = np.arange(len(onsets.envelope)) / onsets.frame_rate
    inside = np.zeros(len(times), dtype=np.float32)
    for start, end in spans:
        inside[(times >= start - _EDGE) & (times <= end + _EDGE)] = 1
    return Onsets(onsets.frame_rate, onsets.envelope * inside, onsets.bands * inside[:, None])


def pick(onsets: Onsets) -> list[float]:
    """Return the times in seconds at which notes or drum hits begin, in order; [] where nothing does.

    A peak counts that is the highest within 30 ms and stands out of its surroundings (the thresholds of Böck, Krebs
    and Schedl, "Evaluating the online capabilities of onset detection methods", ISMIR 2012). Its time is that of the
    top of a parabola through it, less the flux's mean latency.
    """
    envelope = np.asarray(onsets.envelope, dtype=np.float64)
    peaks = _peaks(envelope, onsets.frame_rate)
    if len(peaks) == 0:
        return []
    before, at, after = envelope[peaks - 1], envelope[peaks], envelope[peaks + 1]
    times = (peaks + 0.5 * (before - after) / (before - 2 * at + after)) / onsets.frame_rate - LATENCY
    return [round(float(time), 4) for time in np.maximum(0, times)]


def _peaks(envelope: NDArray[np.float64], frame_rate: float) -> NDArray[np.intp]:
    if len(envelope) < 3:
        return np.zeros(0, dtype=np.intp)
    reach = max(1, round(_REFRACTORY * frame_rate))
    highest = ndimage.maximum_filter1d(envelope, 2 * reach + 1)
    past, future = (round(seconds * frame_rate) for seconds in _SURROUNDINGS)
    length = past + future + 1
    mean = ndimage.uniform_filter1d(envelope, length, origin=(past - future) // 2)
    inner = np.zeros(len(envelope), dtype=bool)
    inner[1:-1] = (envelope[1:-1] > envelope[:-2]) & (envelope[1:-1] >= envelope[2:])
    candidates = np.flatnonzero(inner & (envelope >= highest))
    background = ndimage.median_filter(envelope, 2 * round(_BACKGROUND * frame_rate / 2) + 1, mode="nearest")
    least = np.maximum(_CONTRAST * mean + _LEAST_PEAK * envelope.max(), _ABOVE * background)
    return np.asarray(candidates[envelope[candidates] > least[candidates]], dtype=np.intp)
