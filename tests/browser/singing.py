"""A voice for the songs of the pictures: a buzz through the resonances of vowels, which a separator takes for singing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

RATE = 44100
VOWELS = ((730, 1090, 2440, 3400), (270, 2290, 3010, 3500), (570, 840, 2410, 3300), (530, 1840, 2480, 3500))
"""Formants of a, i, o and e in Hz (Peterson and Barney, 1952, rounded)."""
WIDTHS = (80, 90, 120, 160)
SCALE = (0, 2, 4, 7, 9, 12)
"""Semitones over the lowest note: a pentatonic scale."""

Sound = NDArray[np.float64]


def sing(frames: int, spans: list[tuple[float, float]], *, beat: float, lowest: float, seed: int = 3) -> Sound:
    """Return phrases of two bars with a breath between them, in those spans of seconds; full scale at ±1."""
    random = np.random.default_rng(seed)
    out = np.zeros(frames)
    for start, end in spans:
        at, degree, count = start, 2, 0
        while at + 2 * beat < end:
            length = beat * random.choice((0.5, 0.5, 1.0, 1.5))
            degree = int(np.clip(degree + random.integers(-2, 3), 0, len(SCALE) - 1))
            note = _syllable(lowest * 2 ** (SCALE[degree] / 12), length, random)
            first = int(at * RATE)
            out[first : first + len(note)] += note[: frames - first]
            count += 1
            at += length + (beat if count % 7 == 0 else 0)
    return out / max(1e-9, np.abs(out).max())


def _syllable(pitch: float, seconds: float, random: np.random.Generator) -> Sound:
    time = np.arange(int(0.96 * seconds * RATE)) / RATE
    vibrato = 0.012 * np.minimum(1, time / 0.3) * np.sin(2 * np.pi * 5.6 * time)
    wander = np.cumsum(random.standard_normal(len(time))) * 2e-6
    glide = -0.04 * np.exp(-time / 0.04)
    phase = np.cumsum(pitch * (1 + vibrato + wander + glide)) / RATE
    buzz = lfilter([1], [1, -0.96], np.diff(np.floor(phase), prepend=0)) + 0.01 * random.standard_normal(len(time))
    voiced = np.zeros(len(time))
    for centre, width in zip(VOWELS[random.integers(len(VOWELS))], WIDTHS, strict=True):
        radius = np.exp(-np.pi * width / RATE)
        voiced += lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * centre / RATE), radius**2], buzz)
    loud = np.minimum(1, np.minimum(time / 0.03, (time[-1] - time) / 0.06)) * random.uniform(0.6, 1.0)
    return np.asarray(voiced * loud)
