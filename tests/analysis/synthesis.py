"""Music made from numbers, so that its tempo and key are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from sfwidgets.analysis import analyse
from sfwidgets.models import Analysis

RATE = 44100
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
CHORDS = {
    "major": ((0, (0, 4, 7)), (7, (0, 4, 7)), (9, (0, 3, 7)), (5, (0, 4, 7))),
    "minor": ((0, (0, 3, 7)), (8, (0, 4, 7)), (5, (0, 3, 7)), (7, (0, 4, 7))),
}
HARMONICS = {"organ": (1.0, 0.6, 0.4, 0.3), "saw": tuple(1 / k for k in range(1, 12))}


def sine(frequency: float, seconds: float, level: float = 0.0, rate: int = RATE) -> np.ndarray:
    """A sine in both channels of a stereo signal, `level` in dBFS (peak), shape (2, frames)."""
    tone = 10 ** (level / 20) * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)
    return np.stack([tone, tone]).astype(np.float32)


def noise(seconds: float, amplitude: float = 0.2, seed: int = 0) -> np.ndarray:
    return (amplitude * np.random.default_rng(seed).standard_normal((2, round(seconds * RATE)))).astype(np.float32)


def _note(midi: float, seconds: float, timbre: str) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    frequency = 440 * 2 ** ((midi - 69) / 12)
    tone = sum(a * np.sin(2 * np.pi * k * frequency * t) for k, a in enumerate(HARMONICS[timbre], 1))
    return tone * np.minimum(1, t / 0.01) * np.minimum(1, (seconds - t) / 0.02)


def _drums(rng: np.random.Generator) -> dict[str, np.ndarray]:
    t = np.arange(round(0.15 * RATE)) / RATE
    hiss = rng.standard_normal(len(t))
    return {
        "kick": 0.9 * np.sin(2 * np.pi * 55 * t) * np.exp(-18 * t),
        "snare": 0.5 * hiss * np.exp(-25 * t) + 0.3 * np.sin(2 * np.pi * 190 * t) * np.exp(-30 * t),
        "hat": 0.25 * np.diff(hiss, prepend=0) * np.exp(-80 * t),
    }


def song(
    bpm: float, seconds: float, *, tonic: int = 0, mode: str = "major", timbre: str = "organ", cents: float = 0.0,
    drums: float = 1.0,
) -> np.ndarray:  # fmt: skip
    """Four-four: kick on 1 and 3, snare on 2 and 4, hi-hat on eighths, a bass note a beat, a chord a bar."""
    kit = _drums(np.random.default_rng(0))
    mixture = np.zeros(round(seconds * RATE))
    beat = 60 / bpm

    def add(sound: np.ndarray, at: float, gain: float) -> None:
        start = round(at * RATE)
        sound = sound[: max(0, len(mixture) - start)]
        mixture[start : start + len(sound)] += gain * sound

    for eighth in range(int(seconds / beat * 2)):
        at, number = eighth * beat / 2, eighth // 2
        root, chord = CHORDS[mode][(number // 4) % 4]
        add(kit["hat"], at, drums)
        if eighth % 2 == 0:
            add(kit["snare" if number % 2 else "kick"], at, drums)
            add(_note(36 + (tonic + root) % 12 + cents / 100, 0.9 * beat, timbre), at, 0.25)
        if eighth % 8 == 0:
            for interval in chord:
                add(_note(48 + (tonic + root) % 12 + interval + cents / 100, 3.9 * beat, timbre), at, 0.15)
    return np.tile(0.7 * mixture / np.abs(mixture).max(), (2, 1)).astype(np.float32)


def blocks(signal: np.ndarray, size: int) -> Callable[[], Iterator[np.ndarray]]:
    return lambda: (signal[:, start : start + size] for start in range(0, signal.shape[1], size))


def analysed(signal: np.ndarray, rate: int = RATE, size: int = 44100) -> Analysis:
    return analyse(blocks(signal, size), sample_rate=rate, track_id="song", progress=lambda _: None)
