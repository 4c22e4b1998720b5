"""Tonality: what key is the music in, and how is it tuned?

A pitch profile holds how much sounds at each of 120 steps of 10 cents in the octave, from C upwards. Its tuning says
where the semitones lie in it; folded at these, it is a chroma of 12 pitch classes, which key profiles are held against.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
STEPS = 120
"""Steps of 10 cents in an octave."""

_LOWEST, _HIGHEST = 55.0, 2100.0
"""Hz; below, semitones can't be told apart, above, there are more overtones than notes."""
_DEPTH = np.log(1e4)
"""A peak counts down to 40 dB below the loudest of its frame."""
_QUIET = np.log(1e-8)
"""A peak counts down to 80 dB below a full-scale sine."""
_RELIEF = 0.35
"""Standard deviation over mean of the chroma, from which on it is taken as fully tonal."""
_LEAST_STRENGTH = 0.45
_FIFTH = 0.25
"""How strong a third harmonic is taken to be; 0.2 to 0.4 find as many keys of songs rendered from MIDI."""
_ENOUGH_FRAMES = 16
"""Sounding frames, about three seconds, from which on a key can be believed in full."""
_MAJOR = (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081)
_MINOR = (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052)
"""Shares of the pitch classes, from the tonic up, in a corpus: Albrecht and Shanahan, "The use of large corpora to
train a new type of key-finding algorithm", Music Perception 31(1), 2013."""


def pitch_profiles(spectra: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Return the pitch profile of each frame, shape (frames, 120), from power spectra of shape (frames, bins).

    Only local peaks count, at the frequency that a parabola through the peak's level in dB gives. The square root of
    their summed magnitudes keeps a loud bass from drowning the chords.
    """
    length = 2 * (spectra.shape[1] - 1)
    first = int(np.ceil(_LOWEST * length / sample_rate))
    end = min(int(_HIGHEST * length / sample_rate), spectra.shape[1] - 1)
    levels = np.log(np.maximum(spectra[:, first - 1 : end + 1], 1e-14))
    left, level, right = levels[:, :-2], levels[:, 1:-1], levels[:, 2:]
    frames, bins = np.nonzero(
        (level > left) & (level >= right) & (level > level.max(axis=1, keepdims=True) - _DEPTH) & (level > _QUIET)
    )
    before, at, after = left[frames, bins], level[frames, bins], right[frames, bins]
    offset = 0.5 * (before - after) / (before - 2 * at + after)
    frequency = (first + bins + offset) * sample_rate / length
    step = np.rint(STEPS * np.log2(frequency / 440.0) + 9 * STEPS / 12).astype(int) % STEPS
    weights = np.exp(0.5 * at)
    profile = np.bincount(frames * STEPS + step, weights=weights, minlength=len(spectra) * STEPS)
    return np.sqrt(profile).reshape(len(spectra), STEPS).astype(np.float32)


def tuning(profile: NDArray[np.float32]) -> float:
    """Return how many cents, from -50 to 50, the semitones lie off A4 = 440 Hz, from profiles of shape (frames, 120)."""
    residual = profile.sum(axis=0, dtype=np.float64).reshape(12, 10).sum(axis=0)
    mean = (residual * np.exp(2j * np.pi * np.arange(10) / 10)).sum()
    return float(np.angle(mean) / (2 * np.pi) * 100)


def chroma(profile: NDArray[np.float32], cents: float = 0.0) -> NDArray[np.float64]:
    """Return the chroma of shape (12, frames), each frame's maximum 1 or all 0, from profiles of shape (frames, 120).

    `cents` is the tuning. What lies half-way between two semitones counts for neither. A quarter of each pitch class is
    taken off its fifth, which its third harmonic sounds in.
    """
    steps = (np.arange(STEPS) * 10 - cents) / 100
    semitone = np.rint(steps).astype(int)
    weights = np.zeros((STEPS, 12))
    weights[np.arange(STEPS), semitone % 12] = 1 - 2 * np.abs(steps - semitone)
    folded = weights.T @ profile.T.astype(np.float64)
    folded = np.maximum(0, folded - _FIFTH * np.roll(folded, 7, axis=0))
    largest = folded.max(axis=0, keepdims=True)
    return np.asarray(np.divide(folded, largest, out=np.zeros_like(folded), where=largest > 0), dtype=np.float64)


def key(pitch_classes: NDArray[np.float64]) -> tuple[str | None, float]:
    """Return the key, like "C# minor", and a strength from 0 to 1, of a chroma of shape (12, frames).

    The strength is the correlation of the mean chroma with the key's profile, less where the chroma is flat (noise) or
    few pitch classes or few frames sound. The key is None where the strength is below 0.45.
    """
    sounding = int(np.count_nonzero(pitch_classes.any(axis=0)))
    if sounding == 0:
        return None, 0.0
    mean = pitch_classes.mean(axis=1)
    profiles = np.array([np.roll(mode, tonic) for mode in (_MAJOR, _MINOR) for tonic in range(12)])
    correlations = np.corrcoef(mean, profiles)[0, 1:] if np.ptp(mean) > 0 else np.zeros(24)
    best = int(np.argmax(correlations))
    relief = min(1.0, float(mean.std() / mean.mean()) / _RELIEF)
    variety = min(1.0, (np.count_nonzero(mean > 0.1 * mean.max()) - 1) / 2)
    enough = min(1.0, sounding / _ENOUGH_FRAMES)
    strength = max(0.0, float(correlations[best])) * relief * variety * enough
    if strength < _LEAST_STRENGTH:
        return None, strength
    return f"{PITCH_CLASSES[best % 12]} {'major' if best < 12 else 'minor'}", strength
