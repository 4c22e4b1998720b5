"""Pitch: which pitches sound when, and how are they tuned?

Music with pitches shows as spectral peaks that stand out of their surroundings and lie on a grid of semitones. Where
that grid lies is the tuning; folded at it into twelve pitch classes, the peaks are a chroma, one of the middle voices
and one of the bass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sfwidgets.analysis import framing

Chroma = NDArray[np.float64]
"""Shape (12, frames), C first; square roots of amplitudes, not normalised, so that silence is 0."""

_FRAME = 0.37
"""Seconds; 2.7 Hz from bin to bin, enough to tell semitones apart from 130 Hz upwards."""
_RATE = 10
_LOWEST, _HIGHEST = 27.0, 4300.0
"""Hz, the range of a piano."""
_DEPTH = np.log(1e4)
"""A peak counts down to 40 dB below the loudest of its frame."""
_QUIET = np.log(1e-9)
"""A peak counts down to 90 dB below a full-scale sine."""
_SURROUNDINGS = 31
"""Bins, some 80 Hz, whose mean level a peak has to stand out of."""
_PROMINENCE = 3.0
"""Nepers of power, 13 dB. Of the peaks of noise one in a thousand gets there, of those of notes nearly all."""
_LEAST_CLARITY = 0.4
"""Songs have 0.6 and more, played to a grid or not; drums, noise and speech 0.3 at most."""
_TREBLE = ((45, 0.0), (54, 1.0), (82, 1.0), (100, 0.0))
_BASS = ((26, 0.0), (30, 1.0), (48, 1.0), (60, 0.0))
"""How much a MIDI pitch counts, straight lines between: full from 185 to 930 Hz, and from 46 to 130 Hz."""


@dataclass(frozen=True)
class Pitch:
    """The spectral peaks of a recording; about 0.5 MB a minute."""

    frame_rate: float
    """Frames a second; frame i is centred at i / frame_rate seconds."""
    frames: int
    frame: NDArray[np.int32]
    """Shape (peaks,), as the next two: which frame each peak is in, in order of time."""
    pitch: NDArray[np.float32]
    """In MIDI notes, with fractions; 69 is A4 = 440 Hz."""
    level: NDArray[np.float32]
    """Natural logarithm of the power; a full-scale sine has 0."""


class PitchReader:
    """Listens to a stream for pitches, some ten times a second."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._rate = sample_rate
        length = framing.frame_length(sample_rate, _FRAME)
        self._spectra = framing.PowerSpectra(channels, length, round(sample_rate / _RATE))
        self._frames = 0
        self._peaks: list[tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]] = []

    def push(self, block: framing.Samples) -> None:
        """Listen to a block of shape (channels, frames), of any length."""
        self._keep(self._spectra.push(block))

    def finish(self) -> Pitch:
        """Return what was heard."""
        self._keep(self._spectra.finish())
        frame, pitch, level = (np.concatenate(kept) for kept in zip(*self._peaks, strict=True))
        return Pitch(self._rate / self._spectra.hop, self._frames, frame, pitch, level)

    def _keep(self, power: NDArray[np.float32]) -> None:
        frame, frequency, level = _peaks(power, self._rate / self._spectra.length)
        pitch = 69 + 12 * np.log2(frequency / 440.0)
        self._peaks.append(((frame + self._frames).astype(np.int32), pitch.astype(np.float32), level))
        self._frames += len(power)


def _peaks(
    power: NDArray[np.float32], bin_width: float
) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.float32]]:
    """Return frame, frequency in Hz and log power of each peak in spectra of shape (frames, bins).

    Frequency and level are those of the top of a parabola through the three highest bins.
    """
    first = int(np.ceil(_LOWEST / bin_width))
    end = min(int(_HIGHEST / bin_width), power.shape[1] - 1)
    levels = np.log(np.maximum(power[:, first - 1 : end + 1], 1e-14))
    around = ndimage.uniform_filter1d(levels, _SURROUNDINGS, axis=1, mode="nearest")[:, 1:-1]
    left, level, right = levels[:, :-2], levels[:, 1:-1], levels[:, 2:]
    least = np.maximum(level.max(axis=1, keepdims=True) - _DEPTH, _QUIET)
    frames, bins = np.nonzero((level > left) & (level >= right) & (level > least) & (level > around + _PROMINENCE))
    before, at, after = left[frames, bins], level[frames, bins], right[frames, bins]
    offset = 0.5 * (before - after) / (before - 2 * at + after)
    return frames, (first + bins + offset) * np.float32(bin_width), at - 0.25 * (before - after) * offset


def tuning(pitch: Pitch) -> float | None:
    """Return how many cents, from -50 to 50, the semitones lie off A4 = 440 Hz; None where there are no semitones.

    It is the circular mean of the peaks' distances from the semitones of A4 = 440 Hz, and the length of the mean
    vector tells how clearly there is a grid at all, beyond what a few peaks seem to lie on by chance.
    """
    middle = (pitch.pitch > 45) & (pitch.pitch < 97)
    weights = np.exp(0.25 * pitch.level[middle].astype(np.float64))
    if weights.sum() == 0:
        return None
    mean = (weights * np.exp(2j * np.pi * pitch.pitch[middle])).sum() / weights.sum()
    by_chance = np.sqrt((weights**2).sum()) / weights.sum()
    return None if np.abs(mean) < _LEAST_CLARITY + by_chance else float(np.angle(mean) / (2 * np.pi) * 100)


def chroma(pitch: Pitch, cents: float | None) -> tuple[Chroma, Chroma]:
    """Return the chroma of the middle voices and that of the bass, each of shape (12, frames).

    `cents` is the tuning; both are 0 where that is None. What lies half-way between two semitones counts for neither.
    The square root keeps a loud voice from drowning the chords.
    """
    if cents is None:
        return np.zeros((12, pitch.frames)), np.zeros((12, pitch.frames))
    steps = pitch.pitch - cents / 100
    semitone = np.rint(steps).astype(int)
    amplitude = np.exp(0.5 * pitch.level.astype(np.float64)) * (1 - 2 * np.abs(steps - semitone))
    count = int(semitone.max(initial=0)) + 1
    sounding = np.bincount(semitone * pitch.frames + pitch.frame, weights=amplitude, minlength=count * pitch.frames)
    sounding = np.sqrt(sounding.reshape(count, pitch.frames))
    notes = np.arange(count)
    classes = (notes % 12 == np.arange(12)[:, None]).astype(np.float64)
    treble, bass = (classes * _weights(notes, corners) @ sounding for corners in (_TREBLE, _BASS))
    return treble, bass


def _weights(notes: NDArray[np.intp], corners: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
    pitches, weights = np.array(corners).T
    return np.asarray(np.interp(notes, pitches, weights), dtype=np.float64)


def mean_chroma(middle: Chroma) -> list[float]:
    """Return how much each pitch class sounds on the whole, C first, the largest 1; [] where nothing tonal sounds.

    `middle` has shape (12, frames).
    """
    mean = middle.mean(axis=1) if middle.size else np.zeros(12)
    return [round(float(share), 4) for share in mean / mean.max()] if mean.any() else []
