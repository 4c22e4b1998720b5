"""Instruments, drums and a mixing desk for the held-out songs: sums of partials, filtered saws, struck membranes, echoes."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

RATE = 44100
Array = np.ndarray
Rng = np.random.Generator


def _clock(seconds: float) -> Array:
    return np.arange(max(1, round(seconds * RATE))) / RATE


def _swell(t: Array, attack: float, release: float) -> Array:
    return np.minimum(1, t / attack) * np.minimum(1, (t[-1] - t) / release)


def _saw(frequency: float, t: Array, start: float = 0.0) -> Array:
    """A saw whose jumps are rounded so that they hardly alias (PolyBLEP)."""
    step = frequency / RATE
    phase = (frequency * t + start) % 1
    before, after = np.minimum(phase / step, 1), np.minimum((1 - phase) / step, 1)
    return 2 * phase - 1 + (1 - before) ** 2 - (1 - after) ** 2


def _dark(sound: Array, cutoff: float) -> Array:
    return sosfilt(butter(2, min(cutoff, 18000), "lowpass", fs=RATE, output="sos"), sound)


def _partials(t: Array, frequency: float, ratios: Array, levels: Array, fades: Array) -> Array:
    tone = np.zeros_like(t)
    for ratio, level, fade in zip(ratios, levels, fades, strict=True):
        if ratio * frequency < 15000:
            tone += level * np.exp(-fade * t) * np.sin(2 * np.pi * ratio * frequency * t)
    return tone


class Palette:
    """The instruments of one song: their colours are drawn once."""

    def __init__(self, rng: Rng) -> None:
        self._bright, self._pick, self._life = rng.uniform(0.6, 1.4), rng.uniform(0.1, 0.4), rng.uniform(0.7, 1.4)
        self._stops = rng.uniform(0.1, 1, 9)
        self._detune, self._vibrato = rng.uniform(0.02, 0.12), rng.choice([0.0, 0.15, 0.35])
        self._rng = rng
        self._made: dict[tuple[str, float, int], Array] = {}

    def note(self, name: str, midi: float, seconds: float) -> Array:
        """Its loudest tenth of a second has a root mean square of 0.2."""
        hundredths = max(6, round(100 * min(seconds, 6.0)))
        key = (name, round(midi, 2), hundredths)
        if key not in self._made:
            t = _clock(hundredths / 100)
            sound = getattr(self, f"_{name}")(440 * 2 ** ((midi - 69) / 12), t)
            power = np.convolve(sound[::20] ** 2, np.ones(220) / 220, "same").max()
            self._made[key] = (0.2 * sound / np.sqrt(power)).astype(np.float32)
        return self._made[key]

    def _organ(self, f: float, t: Array) -> Array:
        ratios = np.array([0.5, 1, 1.5, 2, 3, 4, 5, 6, 8])
        levels = self._stops * np.array([0.3, 1.2, 0.2, 1, 0.7, 0.5, 0.2, 0.2, 0.2])
        return _partials(t, f, ratios, levels, np.zeros(9)) * _swell(t, 0.006, 0.03)

    def _keys(self, f: float, t: Array) -> Array:
        ratios, levels = np.array([1, 2, 3, 4, 7.01]), np.array([1, 0.5, 0.15, 0.12, 0.1 * self._bright])
        return _partials(t, f, ratios, levels, self._life * np.array([1.2, 2, 3, 4, 15])) * _swell(t, 0.003, 0.05)

    def _guitar(self, f: float, t: Array) -> Array:
        k = np.arange(1, 21)
        levels = np.abs(np.sin(np.pi * k * self._pick)) / k**self._bright
        return _partials(t, f, k * np.sqrt(1 + 6e-5 * k**2), levels, 0.8 * self._life + 0.25 * k) * _swell(
            t, 0.002, 0.06
        )

    def _banjo(self, f: float, t: Array) -> Array:
        k = np.arange(1, 25)
        levels = np.abs(np.sin(np.pi * k * 0.12)) / np.sqrt(k)
        return _partials(t, f, k * np.sqrt(1 + 1e-4 * k**2), levels, 5 + 0.4 * k) * _swell(t, 0.001, 0.04)

    def _synth(self, f: float, t: Array) -> Array:
        saws = _saw(f * 2 ** (self._detune / 12), t) + _saw(f * 2 ** (-self._detune / 12), t, 0.4)
        return _dark(saws, 3000 * self._bright) * _swell(t, 0.01, 0.06)

    def _brass(self, f: float, t: Array) -> Array:
        saw, opening = _saw(f, t), np.minimum(1, t / 0.08)
        return ((1 - opening) * _dark(saw, 2 * f) + opening * _dark(saw, 6 * f * self._bright)) * _swell(t, 0.03, 0.07)

    def _square(self, f: float, t: Array) -> Array:
        return (_saw(f, t) - _saw(f, t, self._pick + 0.1)) * _swell(t, 0.002, 0.02)

    def _choir(self, f: float, t: Array) -> Array:
        k = np.arange(1, 1 + int(4000 / f))
        vowel = sum(np.exp(-0.5 * ((k * f - c) / w) ** 2) for c, w in ((650, 250), (1080, 200), (2700, 350))) + 0.15 / k
        voices = np.zeros_like(t)
        for detune in (-0.07, 0.0, 0.06):
            wobble = 0.1 * np.sin(2 * np.pi * self._rng.uniform(4, 6) * t + self._rng.uniform(0, 6))
            turns = np.cumsum(f * 2 ** ((detune + wobble) / 12)) / RATE
            voices += vowel @ np.sin(2 * np.pi * np.outer(k, turns))
        return voices * _swell(t, min(0.12, t[-1] / 3), min(0.15, t[-1] / 3))

    def _flute(self, f: float, t: Array) -> Array:
        turns = f * t + self._vibrato * f * 0.0577 / (2 * np.pi * 5) * np.sin(2 * np.pi * 5 * t) * np.minimum(1, 2 * t)
        air = 0.04 * self._rng.standard_normal(len(t))
        tone = np.sin(2 * np.pi * turns) + 0.3 * np.sin(4 * np.pi * turns) + 0.1 * np.sin(6 * np.pi * turns)
        return (tone + air) * _swell(t, 0.04, 0.05)

    def _marimba(self, f: float, t: Array) -> Array:
        return _partials(t, f, np.array([1, 4, 9.8]), np.array([1, 0.3, 0.1]), np.array([4, 12, 30])) * _swell(
            t, 0.001, 0.03
        )

    def _upright(self, f: float, t: Array) -> Array:
        k = np.arange(1, 9)
        return _partials(t, f, k, 1 / k**1.6, self._life * (1.5 + 1.2 * k)) * _swell(t, 0.006, 0.04)

    def _sub(self, f: float, t: Array) -> Array:
        return np.tanh(1.6 * np.sin(2 * np.pi * f * t)) * _swell(t, 0.008, 0.04)

    def _reese(self, f: float, t: Array) -> Array:
        saws = _saw(f * 1.004, t) + _saw(f * 0.996, t, 0.3)
        sweep = np.exp(-7 * t)
        return (sweep * _dark(saws, 10 * f * self._bright) + (1 - sweep) * _dark(saws, 3 * f)) * _swell(t, 0.004, 0.03)


def _modes(t: Array, f: float, fade: float, bend: float = 0.0) -> Array:
    """The first modes of a round membrane, the higher ones dying sooner."""
    turns = f * (t + bend * (1 - np.exp(-40 * t)) / 40)
    ratios, levels = (1, 1.59, 2.14, 2.65), (1, 0.35, 0.2, 0.1)
    return sum(a * np.sin(2 * np.pi * r * turns) * np.exp(-fade * r * t) for r, a in zip(ratios, levels, strict=True))


def drum_set(rng: Rng, kind: str) -> dict[str, Array]:
    """Drums by name, kind "acoustic", "machine" or "brushes"; peaks in proportion."""
    t = _clock(1.2)
    white = rng.standard_normal(len(t))
    bright = white - _dark(white, rng.uniform(4000, 7000))
    ring = np.prod([np.sign(np.sin(2 * np.pi * f * t)) for f in rng.uniform(300, 5500, 3)], axis=0)
    ring = ring - _dark(ring, 6000)
    soft = 0.5 if kind == "brushes" else 1.0
    if kind == "machine":
        kick = np.sin(2 * np.pi * (rng.uniform(44, 58) * t - 4 * np.exp(-28 * t))) * np.exp(-rng.uniform(4, 9) * t)
        snare = 0.6 * np.sin(2 * np.pi * 185 * t) * np.exp(-20 * t) + 0.5 * (white - _dark(white, 1500)) * np.exp(
            -14 * t
        )
    else:
        kick = _modes(t, rng.uniform(50, 70), 12, bend=2.0) + 0.1 * _dark(white, 3000) * np.exp(-150 * t)
        snare = 0.5 * _modes(t, rng.uniform(170, 240), 22) + 0.7 * _dark(white, 9000) * np.exp(-rng.uniform(13, 22) * t)
    if kind == "brushes":
        snare = _dark(white, 7000) * np.minimum(1, t / 0.015) * np.exp(-20 * t)
    sounds = {
        "kick": (0.8 * soft, kick),
        "snare": (0.55 * soft, snare),
        "rim": (0.35, _modes(t, 800, 70) + 0.2 * bright * np.exp(-200 * t)),
        "clap": (0.5, (white - _dark(white, 900)) * sum(np.exp(-90 * np.abs(t - d)) for d in (0.002, 0.012, 0.02))),
        "hat": (0.16, (0.5 * ring + 0.3 * bright) * np.exp(-70 * t)),
        "open": (0.16, (0.5 * ring + 0.3 * bright) * np.exp(-9 * t)),
        "ride": (0.15, (ring + 0.1 * bright) * (np.exp(-40 * t) + 0.3 * np.exp(-3 * t))),
        "shaker": (0.15, bright * np.sin(np.pi * np.minimum(1, t / 0.07)) ** 2),
        "conga": (0.4, _modes(t, rng.uniform(190, 260), 14)),
        "bell": (0.2, (np.sign(np.sin(2 * np.pi * 560 * t)) + np.sign(np.sin(2 * np.pi * 845 * t))) * np.exp(-18 * t)),
        "crash": (0.25, (ring + bright) * np.exp(-2.5 * t)),
        "tom": (0.5, _modes(t, rng.uniform(90, 130), 8, bend=1.0)),
    }
    return {name: (level * sound / np.abs(sound).max()).astype(np.float32) for name, (level, sound) in sounds.items()}


def master(rng: Rng, dry: Array, pumping: list[float], *, room: bool = True) -> Array:
    """Duck under each of the times in `pumping`, add echoes and hiss, and limit; (2, frames) float32."""
    mix = dry
    if pumping:
        duck = np.ones(mix.shape[1], np.float32)
        dip = (1 - 0.5 * np.exp(-_clock(0.25) / 0.08)).astype(np.float32)
        for at in pumping:
            start = max(0, round(at * RATE))
            duck[start : start + len(dip)] = dip[: len(duck) - start]
        mix = mix * duck
    if room:
        wet = mix.copy()
        for delay, loud in zip(rng.uniform(0.011, 0.09, 7), rng.uniform(-0.25, 0.25, 7), strict=True):
            shift = round(delay * RATE)
            wet[:, shift:] += np.float32(loud) * mix[::-1, : mix.shape[1] - shift]
        mix = wet
    mix = mix - mix.mean(axis=1, keepdims=True)
    mix = mix * np.float32(
        rng.uniform(1.0, 2.2) / np.sqrt(np.mean(np.sort(np.abs(mix[0, ::50]))[-len(mix[0, ::50]) // 20 :] ** 2))
    )
    mix = mix / np.sqrt(1 + mix**2)
    if rng.random() < 0.4:
        mix = mix + np.float32(10 ** (rng.uniform(-62, -48) / 20)) * rng.standard_normal(mix.shape, np.float32)
    return (mix * (rng.uniform(0.35, 0.97) / np.abs(mix).max())).astype(np.float32)
