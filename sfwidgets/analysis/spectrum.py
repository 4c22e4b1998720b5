"""Spectrum: where in frequency does the sound lie, and how far do its tones stand out?

Everything here works on short-time power spectra as `framing.PowerSpectra` makes them: shape (frames, bins), bins evenly
spaced from 0 Hz to half the sample rate, a sine of amplitude 1 has power 1 in its bin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Spectra = NDArray[np.float32]

SPECTRUM_POINTS = 100
ENVELOPE_POINTS = 1000
CONTRAST_BANDS = 7

_HANN_NOISE_BANDWIDTH = 1.5
"""Bins over which a Hann window spreads the power of a sine."""
_SILENCE = 1e-7
"""Mean-square amplitude (-70 dB) below which a frame says nothing about a sound's spectrum."""


def frame_powers(spectra: Spectra) -> NDArray[np.float32]:
    """Return the mean-square amplitude of each frame, shape (frames,)."""
    return np.asarray(spectra.sum(axis=1) / (2 * _HANN_NOISE_BANDWIDTH), dtype=np.float32)


def centroids(spectra: Spectra, sample_rate: int) -> NDArray[np.float32]:
    """Return each frame's centroid in Hz, the mean of frequency weighted by magnitude; 0 for digital silence."""
    magnitudes = np.sqrt(spectra)
    frequencies = np.linspace(0, sample_rate / 2, spectra.shape[1], dtype=np.float32)
    total = magnitudes.sum(axis=1)
    mean = np.divide(magnitudes @ frequencies, total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(mean, dtype=np.float32)


def mean_centroid(centroid: NDArray[np.float32], power: NDArray[np.float32]) -> float | None:
    """Return the mean of the frames' centroids in Hz, weighted by their power; None where all frames are silent."""
    heard = power > _SILENCE
    if not heard.any():
        return None
    return float(np.average(centroid[heard], weights=power[heard].astype(np.float64)))


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
    """Return the mean contrast of each of the 7 octave bands in dB, peak over valley, from `contrast_extremes`."""
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
