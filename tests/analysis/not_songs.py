"""Sounds that are no music, and of which an honest analysis says so: silence, a click, noise, a tone, speech.

All are of shape (2, frames), float32, at 44100 Hz, both channels alike but for noise.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, iirpeak, lfilter, sosfilt

RATE = 44100
_VOWELS = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
    (660, 1720, 2410),
)
"""The first three formants in Hz of six vowels, by Peterson and Barney (1952)."""


def silence(seconds: float = 20.0) -> np.ndarray:
    return np.zeros((2, round(seconds * RATE)), np.float32)


def click(seconds: float = 20.0, at: float = 7.3) -> np.ndarray:
    """One click of a millisecond in silence."""
    samples = silence(seconds)
    start = round(at * RATE)
    samples[:, start : start + 44] = 0.8
    return samples


def noise(seconds: float = 20.0, seed: int = 0, colour: str = "white") -> np.ndarray:
    """White noise, or pink, whose power falls by 3 dB an octave."""
    hiss = np.random.default_rng(seed).standard_normal((2, round(seconds * RATE)))
    if colour == "pink":
        spectrum = np.fft.rfft(hiss)
        spectrum[:, 1:] /= np.sqrt(np.arange(1, spectrum.shape[1]))
        hiss = np.fft.irfft(spectrum, hiss.shape[1])
    return (0.15 * hiss / hiss.std()).astype(np.float32)


def tone(seconds: float = 20.0, frequency: float = 440.0) -> np.ndarray:
    wave = 0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)
    return np.stack([wave, wave]).astype(np.float32)


def speech(seconds: float = 30.0, seed: int = 0) -> np.ndarray:
    """What a voice does when it speaks: syllables of irregular length, a gliding pitch, hisses, pauses for breath."""
    rng = np.random.default_rng(seed)
    samples = 1e-3 * rng.standard_normal(round(seconds * RATE))
    voice, hiss = rng.uniform(95, 210), butter(2, (3500, 9000), "bandpass", fs=RATE, output="sos")
    at = rng.uniform(0.1, 0.6)
    while at < seconds - 4:
        syllables = int(rng.integers(4, 14))
        for number in range(syllables):
            if rng.random() < 0.5:
                length = rng.uniform(0.04, 0.13)
                burst = sosfilt(hiss, rng.standard_normal(round(length * RATE))) * np.hanning(round(length * RATE))
                _add(samples, rng.uniform(0.05, 0.2) * burst, at)
                at += 0.8 * length
            length = rng.uniform(0.08, 0.32)
            t = np.arange(round(length * RATE)) / RATE
            high = voice * (1.25 - 0.45 * number / syllables) * rng.uniform(0.85, 1.2)  # a sentence falls
            turns = np.cumsum(high * (1 + rng.uniform(-0.2, 0.2) * t / length + 0.01 * rng.standard_normal())) / RATE
            sound = np.diff(np.floor(turns), prepend=0.0)  # one pulse a period
            for formant in _VOWELS[rng.integers(len(_VOWELS))]:
                b, a = iirpeak(formant * rng.uniform(0.95, 1.05), formant / 110, fs=RATE)
                sound = sound + 6 * lfilter(b, a, sound)
            sound = lfilter([1], [1, -0.95], sound) * np.minimum(1, np.minimum(t, length - t) / 0.025)
            _add(samples, rng.uniform(0.5, 1.0) * 0.3 * sound / np.abs(sound).max(), at)
            at += length + rng.exponential(0.04)
        at += rng.uniform(0.3, 1.1)
    return np.stack([samples, samples]).astype(np.float32)


def _add(samples: np.ndarray, sound: np.ndarray, at: float) -> None:
    start = round(at * RATE)
    samples[start : start + len(sound)] += sound[: len(samples) - start]
