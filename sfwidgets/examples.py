"""What the demo and the teaching notebooks work on: music that is here already, and a library that is nobody's."""

from __future__ import annotations

import json
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sfwidgets.errors import InvalidInputError

if TYPE_CHECKING:
    import psutil

    from sfwidgets.workbench import Workbench

RATE = 44100
TEMPO = 100
"""Beats a minute of `song`."""
KEY = "A minor"
"""The key of `song`."""
FORM = {"A": ("A:min", "F:maj", "C:maj", "G:maj"), "B": ("D:min", "A:min", "E:maj", "A:min")}
"""The chords of `song`, one a bar, in each of its parts."""
ORDER = "ABAB"
"""The parts of `song`, eight bars each."""

_BARS = 8
_PITCH = {"C": 48, "D": 50, "E": 52, "F": 53, "G": 55, "A": 57}
_TUNES = {"A": (0, None, 2, 1, 0, None, 1, None), "B": (2, 2, 1, 2, 3, 2, 1, 0)}

Sound = NDArray[np.float64]


def excerpt() -> Path:
    """Return the six seconds of music, with their four true stems, that the package `stempeg` carries."""
    spec = find_spec("stempeg")  # it is not imported: that would need an ffmpeg program
    if spec is None or spec.origin is None:
        raise InvalidInputError("The demo's music is in the package stempeg: pip install stempeg, or give --audio.")
    return next((Path(spec.origin).parent / "data").glob("*.stem.mp4"))


def library() -> Path:
    """Return a folder for a library to learn with, away from the user's own: what is in it may be deleted at any time."""
    folder = Path(tempfile.gettempdir()) / "soundforge-learning"
    folder.mkdir(exist_ok=True)
    return folder


def song(folder: Path) -> Path:
    """Write a piece of 77 seconds whose tempo, key, chords and form are known, as a FLAC file; returns its path."""
    import soundfile

    beat = 60 / TEMPO
    random = np.random.default_rng(0)
    music = np.zeros((int((len(ORDER) * _BARS * 4 + 1) * beat * RATE), 2))
    for part, letter in enumerate(ORDER):
        for bar in range(_BARS):
            start = (part * _BARS + bar) * 4 * beat
            _band(music, start, beat, letter, FORM[letter][bar % 4], random)
    file = folder / "A song of known truth.flac"
    soundfile.write(file, 0.8 * music / np.abs(music).max(), RATE, subtype="PCM_16")
    return file


def peak_memory(wb: Workbench) -> float:
    """Return the most memory, in MB, that any worker of this library's own cluster has had in use since it started."""
    import psutil

    known = json.loads((wb.settings.library / "run" / "cluster.json").read_text())
    return max(_peak(process) for process in psutil.Process(known["pid"]).children(recursive=True))


def _peak(process: psutil.Process) -> float:
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1000
    memory = process.memory_info()
    return float(getattr(memory, "peak_wset", memory.rss)) / 1e6


def _band(music: Sound, start: float, beat: float, part: str, chord: str, random: np.random.Generator) -> None:
    """Play one bar: drums, a bass on the root, a pad of the chord, and a tune."""
    root, kind = chord.split(":")
    pitches = [_PITCH[root], _PITCH[root] + (3 if kind == "min" else 4), _PITCH[root] + 7]
    loud = 1.4 if part == "B" else 1.0
    for eighth in range(8):
        when = start + eighth * beat / 2
        _play(music, when, 0.05 * loud * _noise(random, 0.05, 90), 0.2)
        _play(music, when, 0.25 * _tone(pitches[0] - 24, 0.45 * beat, harmonics=6), 0.0)
        degree = _TUNES[part][eighth]
        if degree is not None:
            _play(
                music,
                when,
                0.14 * loud * _tone([*pitches, pitches[0] + 12][degree] + 24, 0.5 * beat, vibrato=True),
                0.1,
            )
    for number in range(4):
        when = start + number * beat
        _play(music, when, (0.7 if number % 2 == 0 else 0.25) * _kick(), 0.0)
        if number % 2:
            _play(music, when, 0.3 * loud * _noise(random, 0.18, 22), -0.1)
    for place, pitch in zip((-0.5, 0.0, 0.5), pitches, strict=True):
        _play(music, start, 0.07 * loud * _tone(pitch + 12, 4 * beat, harmonics=4), place)


def _play(music: Sound, start: float, sound: Sound, place: float) -> None:
    first = int(start * RATE)
    part = music[first : first + len(sound)]
    part += sound[: len(part), None] * np.array([1 - place, 1 + place])


def _tone(pitch: float, seconds: float, *, harmonics: int = 3, vibrato: bool = False) -> Sound:
    time = np.arange(int(seconds * RATE)) / RATE
    wave = 440 * 2 ** ((pitch - 69) / 12) * (time + (0.0004 * np.sin(2 * np.pi * 5.5 * time) if vibrato else 0))
    sound = sum(np.sin(2 * np.pi * n * wave) / n**1.5 for n in range(1, harmonics + 1))
    return np.asarray(sound * np.minimum(1, np.minimum(time / 0.01, (seconds - time) / 0.04)))


def _noise(random: np.random.Generator, seconds: float, decay: float) -> Sound:
    time = np.arange(int(seconds * RATE)) / RATE
    return np.asarray(random.standard_normal(len(time)) * np.exp(-decay * time))


def _kick() -> Sound:
    time = np.arange(int(0.25 * RATE)) / RATE
    return np.asarray(np.sin(2 * np.pi * (50 * time - 4 * np.exp(-25 * time))) * np.exp(-14 * time))
