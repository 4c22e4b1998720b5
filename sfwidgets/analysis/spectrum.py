"""Spectrum: where in frequency does the sound lie, how wide does it spread, and how far do its tones stand out?

Everything here works on short-time power spectra as `framing.PowerSpectra` makes them: shape (frames, bins), bins evenly
spaced from 0 Hz to half the sample rate, a sine of amplitude 1 has power 1 in its bin.

A recording's centroid, bandwidth, roll-off and flatness are the means of its frames' values, each frame weighted by its
power, and frames below -70 dBFS left out: what is loud is what is heard.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Spectra = NDArray[np.float32]

SPECTRUM_POINTS = 100
ENVELOPE_POINTS = 1000
CONTRAST_BANDS = 7
ROLLOFF = 0.85

_HANN_NOISE_BANDWIDTH = 1.5
"""Bins over which a Hann window spreads the power of a sine."""
_SILENCE = 1e-7
"""Mean-square amplitude (-70 dB) below which a frame says nothing about a sound's spectrum."""


@dataclass(frozen=True)
class Spectrum:
    """What the spectrum of a recording is like; None for silence."""

    centroid: float | None
    """Hz."""
    bandwidth: float | None
    """Hz."""
    rolloff: float | None
    """Hz."""
    flatness: float | None
    """0 to 1."""
    contrast: list[float]
    """dB in each of 7 octave bands."""
    points: list[float]
    """At most 100, as `mean_spectrum` has them."""


class SpectrumReader:
    """Takes power spectra as they come and keeps sums of them, and 14 numbers a frame for the contrast."""

    def __init__(self, sample_rate: int, bins: int) -> None:
        self._rate = sample_rate
        self._bins = np.zeros(bins)
        self._frames = 0
        self._weight = 0.0
        self._shape = np.zeros(4)
        self._extremes = [np.zeros((0, 2, CONTRAST_BANDS), dtype=np.float32)]

    def push(self, short: Spectra) -> None:
        """Take the next spectra, of shape (frames, bins)."""
        self._bins += short.sum(axis=0, dtype=np.float64)
        self._frames += len(short)
        power = frame_powers(short)
        heard = power > _SILENCE
        if not heard.all():
            short, power = short[heard], power[heard]
        self._weight += float(power.sum(dtype=np.float64))
        self._shape += power.astype(np.float64) @ shapes(short, self._rate)
        self._extremes.append(contrast_extremes(short, self._rate))

    def finish(self) -> Spectrum:
        """Return what the spectra were like."""
        shape: list[float] | list[None] = [None] * 4
        if self._weight > 0:
            shape = (self._shape / self._weight).tolist()
        centroid, bandwidth, rolloff, flatness = shape
        return Spectrum(
            centroid=centroid,
            bandwidth=bandwidth,
            rolloff=rolloff,
            flatness=flatness,
            contrast=contrast(np.concatenate(self._extremes)),
            points=mean_spectrum(self._bins / max(1, self._frames)),
        )


def frame_powers(spectra: Spectra) -> NDArray[np.float32]:
    """Return the mean-square amplitude of each frame, shape (frames,)."""
    return np.asarray(spectra.sum(axis=1) / (2 * _HANN_NOISE_BANDWIDTH), dtype=np.float32)


def shapes(spectra: Spectra, sample_rate: int) -> NDArray[np.float64]:
    """Return each frame's centroid (Hz), bandwidth (Hz), roll-off (Hz) and flatness (0 to 1), shape (frames, 4).

    In the conventions of `librosa.feature`: the centroid is the mean of frequency weighted by magnitude, the bandwidth
    the standard deviation about it, the roll-off the lowest bin up to which 85 % of the magnitudes lie, and the flatness
    the geometric over the arithmetic mean of the bins' powers. A single frame of white noise has a flatness of about
    0.56, not 1, since its bins scatter about their mean. No frame may be all zeros.
    """
    bins = spectra.shape[1]
    frequencies = np.linspace(0, sample_rate / 2, bins)
    magnitudes = np.sqrt(spectra)
    # In double precision, as the variance is a small difference of large moments.
    moments = magnitudes.astype(np.float64) @ np.stack([frequencies**0, frequencies, frequencies**2], axis=1)
    centroid, square = moments[:, 1] / moments[:, 0], moments[:, 2] / moments[:, 0]
    bandwidth = np.sqrt(np.maximum(0, square - centroid**2))
    sums = np.cumsum(magnitudes, axis=1)
    rolloff = frequencies[(sums < ROLLOFF * sums[:, -1:]).sum(axis=1)]
    floor = np.float32(1e-10 / ((bins - 1) / 2) ** 2)  # librosa's 1e-10, on its scale of powers
    powers = np.maximum(spectra, floor)
    flatness = np.exp(np.log(powers).mean(axis=1)) / powers.mean(axis=1)
    return np.stack([centroid, bandwidth, rolloff, flatness], axis=1)


def contrast_extremes(spectra: Spectra, sample_rate: int) -> NDArray[np.float32]:
    """Return the peak and the valley of each octave band of each frame, shape (frames, 2, 7), as magnitudes.

    The bands begin at 0, 200, 400, … 6400 Hz; peak and valley are the means of the band's loudest and quietest 2 % of
    bins. Jiang et al., "Music type classification by spectral contrast feature", ICME 2002, in the conventions of
    `librosa.feature.spectral_contrast`. Bands above half the sample rate are 0.
    """
    bins = spectra.shape[1]
    magnitudes = np.sqrt(spectra) * np.float32((bins - 1) / 2)
    frequencies = np.linspace(0, sample_rate / 2, bins)
    edges = [0.0, *(200.0 * 2**k for k in range(CONTRAST_BANDS))]
    extremes = np.zeros((len(spectra), 2, CONTRAST_BANDS), dtype=np.float32)
    for band in range(CONTRAST_BANDS):
        inside = np.flatnonzero((frequencies >= edges[band]) & (frequencies <= edges[band + 1]))
        if len(inside) == 0:
            break
        last = band == CONTRAST_BANDS - 1
        first, end = max(0, inside[0] - 1), bins if last else inside[-1] + 1
        count = max(1, round(0.02 * (end - first)))
        levels = np.sort(magnitudes[:, first : end if last else end - 1], axis=1)
        extremes[:, 0, band] = levels[:, -count:].mean(axis=1)
        extremes[:, 1, band] = levels[:, :count].mean(axis=1)
    return extremes


def contrast(extremes: NDArray[np.float32]) -> list[float]:
    """Return the mean contrast of each of the 7 octave bands in dB, peak over valley, from `contrast_extremes`.

    It is 0 where there are no frames.
    """
    if len(extremes) == 0:
        return [0.0] * CONTRAST_BANDS
    decibels = 10 * np.log10(np.maximum(extremes, 1e-10))
    floors = decibels.max(axis=(0, 2), keepdims=True) - 80
    peaks, valleys = np.moveaxis(np.maximum(decibels, floors), 1, 0)
    return [float(value) for value in (peaks - valleys).mean(axis=0)]


def mean_spectrum(bin_powers: NDArray[np.float64]) -> list[float]:
    """Return 100 points, evenly spaced from 0 Hz to half the sample rate, from the mean power of each bin, shape (bins,).

    A point is the amplitude, with full scale at 1, of the sine that has the mean power of that stretch of the spectrum.
    """
    edges = np.linspace(0, len(bin_powers), min(SPECTRUM_POINTS, len(bin_powers)) + 1).astype(int)
    return [float(value) for value in np.sqrt(np.add.reduceat(bin_powers, edges[:-1]) / _HANN_NOISE_BANDWIDTH)]


def peaks(block: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Return the largest magnitude in any channel of each `step` frames of a block of shape (channels, frames)."""
    magnitudes = np.abs(block).max(axis=0)
    return np.asarray(np.maximum.reduceat(magnitudes, np.arange(0, len(magnitudes), step)), dtype=np.float32)


def envelope(peak: NDArray[np.float32]) -> list[float]:
    """Return the waveform's envelope, at most 1000 points from 0 to 1 (full scale), from `peaks` of shape (n,)."""
    if len(peak) == 0:
        return []
    edges = np.linspace(0, len(peak), min(ENVELOPE_POINTS, len(peak)) + 1).astype(int)
    return [min(1.0, float(value)) for value in np.maximum.reduceat(peak, edges[:-1])]
