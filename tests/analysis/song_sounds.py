"""Instruments, drums and a room for the first style of songs: wavetables, plucked strings, FM, noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import butter, oaconvolve, sosfilt

RATE = 44100
Array = np.ndarray
Rng = np.random.Generator
Instrument = Callable[[float], Array]
"""From a MIDI note number to the longest note it can play, with a root mean square of about 0.2."""

LONGEST = 5.0
_TIME = np.arange(int(LONGEST * RATE)) / RATE
_TABLE = 8192
_PARTIALS = np.arange(1, 33)
_SINES = np.sin(2 * np.pi * np.outer(_PARTIALS, np.arange(_TABLE) / _TABLE))


def _wave(midi: float, harmonics: Array, vibrato: float = 0.0) -> Array:
    """A periodic wave without what would alias; `vibrato` in semitones, coming in after a while."""
    frequency = 440 * 2 ** ((midi - 69) / 12)
    k = _PARTIALS[: len(harmonics)]
    table = np.where(k * frequency < 16000, harmonics, 0) @ _SINES[: len(k)]
    turns = frequency * _TIME
    if vibrato:
        depth = vibrato * np.log(2) / 12 * np.clip(4 * _TIME - 0.8, 0, 1)
        turns = turns - frequency * depth * np.cos(2 * np.pi * 5.5 * _TIME) / (2 * np.pi * 5.5)
    return table[(turns * _TABLE).astype(np.int64) % _TABLE]


def _level(tone: Array, attack: float = 0.004) -> Array:
    tone = tone * np.minimum(1, _TIME / attack)
    return (0.2 * tone / np.sqrt(np.mean(tone[: RATE // 2] ** 2))).astype(np.float32)


def organ(rng: Rng) -> Instrument:
    drawbars = np.array([1, 0.8, 0.5, 0.4, 0.05, 0.2, 0.05, 0.15]) * rng.uniform(0.2, 1, 8)
    return lambda midi: _level(_wave(midi, drawbars), 0.012)


def strings(rng: Rng) -> Instrument:
    slope, attack, width = rng.uniform(1.1, 1.7), rng.uniform(0.06, 0.3), rng.uniform(0.04, 0.1)
    return lambda midi: _level(sum(_wave(midi + d, _PARTIALS**-slope, 0.08) for d in (-width, 0, width)), attack)


def pluck(rng: Rng) -> Instrument:
    """A string after Karplus and Strong (1983): a burst of noise that goes round and round a delay line."""
    seed, loss = int(rng.integers(1 << 30)), rng.uniform(0.990, 0.997)

    def play(midi: float) -> Array:
        frequency = 440 * 2 ** ((midi - 69) / 12)
        size = round(RATE / frequency)
        line = np.random.default_rng((seed, int(midi))).uniform(-1, 1, size)
        line -= line.mean()
        periods = [line]
        for _ in range(int(LONGEST * RATE / size) + 2):
            line = loss ** (110 / frequency) * (0.5 * line + 0.25 * (np.roll(line, 1) + np.roll(line, -1)))
            periods.append(line)
        string = np.concatenate(periods)
        at = np.arange(len(_TIME)) * size * frequency / RATE  # in tune between whole numbers of samples
        return _level(np.interp(at, np.arange(len(string)), string), 0.001)

    return play


def electric_piano(rng: Rng) -> Instrument:
    index, decay = rng.uniform(0.8, 2.0), rng.uniform(1.0, 2.0)

    def play(midi: float) -> Array:
        phase = 2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * _TIME
        tine = 0.15 * np.sin(14 * phase) * np.exp(-25 * _TIME) * (midi < 85)
        return _level((np.sin(phase + index * np.exp(-3 * _TIME) * np.sin(phase)) + tine) * np.exp(-decay * _TIME))

    return play


def piano(rng: Rng) -> Instrument:
    stiffness, bright = 4e-4 * rng.uniform(0.5, 1.5), rng.uniform(1.0, 1.6)

    def play(midi: float) -> Array:
        frequency = 440 * 2 ** ((midi - 69) / 12)
        tone = np.zeros_like(_TIME)
        for k in range(1, 11):
            partial = k * frequency * np.sqrt((1 + stiffness * k**2) / (1 + stiffness))
            if partial < 12000:
                fade = np.exp(-(0.5 + 0.35 * k) * 2 ** ((midi - 60) / 24) * _TIME)
                tone += k**-bright * fade * np.sin(2 * np.pi * partial * _TIME + k)
        return _level(tone, 0.002)

    return play


def guitar(rng: Rng) -> Instrument:
    """Strings through an overdriven amplifier."""
    string, drive = pluck(rng), rng.uniform(5, 15)
    cabinet = butter(2, (90, 4500), "bandpass", fs=RATE, output="sos")
    return lambda midi: _level(sosfilt(cabinet, np.tanh(drive * string(midi))) * np.exp(-0.4 * _TIME), 0.002)


def lead(rng: Rng) -> Instrument:
    kinds = (_PARTIALS**-1.3, _PARTIALS**-1.0 * (_PARTIALS % 2), np.array([1, 0.3, 0.12, 0.05]), _PARTIALS**-2.0)
    harmonics, vibrato, attack = kinds[rng.integers(4)], rng.choice([0, 0.25, 0.4]), rng.uniform(0.01, 0.05)
    return lambda midi: _level(_wave(midi, harmonics, vibrato), attack)


def bass(rng: Rng) -> Instrument:
    kind, decay = rng.integers(3), rng.uniform(0.8, 2.0)

    def play(midi: float) -> Array:
        if kind == 0:
            return _level(_wave(midi, np.array([1, 0.25, 0.06])) * np.exp(-0.5 * decay * _TIME), 0.008)
        if kind == 1:
            bright = _wave(midi, 1 / _PARTIALS) * np.exp(-8 * _TIME)
            return _level((bright + _wave(midi, _PARTIALS**-2.0)) * np.exp(-decay * _TIME))
        phase = 2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * _TIME
        return _level(np.sin(phase + 1.8 * np.exp(-5 * _TIME) * np.sin(2 * phase)) * np.exp(-decay * _TIME))

    return play


COMPING = {
    "organ": organ,
    "strings": strings,
    "pluck": pluck,
    "epiano": electric_piano,
    "piano": piano,
    "guitar": guitar,
}


def kit(rng: Rng) -> dict[str, Array]:
    """Drums of one set, peaks in proportion; every song has a set of its own."""
    t = _TIME[: int(1.6 * RATE)]
    hiss = rng.standard_normal(len(t))
    air = sosfilt(butter(2, rng.uniform(5000, 9000), "highpass", fs=RATE, output="sos"), hiss)
    body = sosfilt(butter(2, (rng.uniform(600, 1200), 7000), "bandpass", fs=RATE, output="sos"), hiss)
    low, sweep, kick_decay = rng.uniform(42, 62), rng.uniform(60, 200), rng.uniform(7, 16)
    kick = np.sin(2 * np.pi * (low * t + sweep / 35 * (1 - np.exp(-35 * t)))) * np.exp(-kick_decay * t)
    tone = np.sin(2 * np.pi * rng.uniform(160, 230) * t) * np.exp(-28 * t)
    snare = rng.uniform(0.3, 0.8) * tone + body * np.exp(-rng.uniform(12, 25) * t)
    clap = body * (np.exp(-22 * t) + sum(np.exp(-400 * np.abs(t - d)) for d in (0.0, 0.011, 0.022)))
    pitches = rng.uniform(2500, 9000, 7)
    metal = np.sign(np.sin(2 * np.pi * np.outer(pitches, t))).sum(0) / 3 + air
    sounds = {
        "kick": (0.9, kick + rng.uniform(0, 0.3) * hiss * np.exp(-500 * t)),
        "snare": (0.6, snare if rng.random() < 0.75 else clap),
        "rim": (0.4, np.sin(2 * np.pi * 1700 * t) * np.exp(-90 * t) + 0.3 * body * np.exp(-120 * t)),
        "hat": (0.2, air * np.exp(-rng.uniform(40, 90) * t)),
        "open": (0.2, air * np.exp(-rng.uniform(8, 14) * t)),
        "ride": (0.18, metal * (np.exp(-30 * t) + 0.4 * np.exp(-4 * t))),
        "shaker": (0.18, air * np.minimum(1, t / 0.02) * np.exp(-35 * np.maximum(0, t - 0.02))),
        "crash": (0.3, (air + 0.2 * metal) * np.exp(-3 * t)),
        "tom": (0.6, np.sin(2 * np.pi * (95 * t + 1.5 * (1 - np.exp(-20 * t)))) * np.exp(-9 * t)),
    }
    return {name: (gain * sound / np.abs(sound).max()).astype(np.float32) for name, (gain, sound) in sounds.items()}


class Stage:
    """Where sounds are put in time and space; positions are beats."""

    def __init__(self, rng: Rng, times: Array, tail: float = 2.5) -> None:
        self._rng, self._times = rng, times
        self._mix = np.zeros((2, int((times[-1] + tail) * RATE)), np.float32)
        self._sounds: dict[tuple[int, float], Array] = {}
        self._human = rng.uniform(0.001, 0.006)

    def seconds(self, beat: float) -> float:
        return float(np.interp(beat, np.arange(len(self._times)), self._times))

    def put(self, sound: Array, beat: float, gain: float, pan: float = 0.0) -> None:
        late = self._human * float(np.clip(self._rng.standard_normal(), -2, 2))
        start = max(0, round((self.seconds(beat) + late) * RATE))
        part = sound[: self._mix.shape[1] - start] * np.float32(gain * self._rng.uniform(0.85, 1.15))
        self._mix[0, start : start + len(part)] += np.float32(1 - max(0, pan)) * part
        self._mix[1, start : start + len(part)] += np.float32(1 + min(0, pan)) * part

    def note(self, play: Instrument, midi: float, beat: float, beats: float, gain: float, pan: float = 0.0) -> None:
        key = (id(play), midi)
        if key not in self._sounds:
            self._sounds[key] = play(midi)
        size = int((self.seconds(beat + beats) - self.seconds(beat)) * RATE)
        sound = self._sounds[key][: max(size, 2000)].copy()
        sound[-1500:] *= np.linspace(1, 0, 1500, dtype=np.float32)
        self.put(sound, beat, gain, pan)

    def mixed(self) -> Array:
        """Room, a little compression and noise, and a level."""
        rng, mix = self._rng, self._mix
        if rng.random() < 0.6:
            t = _TIME[: int(rng.uniform(0.5, 1.3) * RATE)]
            room = (rng.standard_normal((2, len(t))) * np.exp(-6 * t / t[-1])).astype(np.float32)
            room *= np.float32(rng.uniform(0.1, 0.35) / np.sqrt((room**2).sum() / 2))
            mix = mix + oaconvolve(mix, room, axes=1)[:, : mix.shape[1]]
        mix = mix / np.float32(np.quantile(np.abs(mix[:, ::7]), 0.999))
        mix = np.tanh(np.float32(rng.uniform(0.6, 1.3)) * mix)
        mix = mix * np.float32(rng.uniform(0.4, 0.95) / np.abs(mix).max())
        if rng.random() < 0.3:
            mix = mix + np.float32(10 ** (rng.uniform(-65, -50) / 20)) * rng.standard_normal(mix.shape, np.float32)
        return mix
