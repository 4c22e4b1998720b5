import functools
from itertools import pairwise

import mir_eval
import numpy as np
import pytest
from not_songs import speech
from songs import Song, key_song
from synthesis import HARMONICS, RATE, noise, sine, song

from sfwidgets.analysis.chords import LABELS, chords
from sfwidgets.analysis.pitch import PitchReader, chroma, tuning
from sfwidgets.models.analysis import Chord

SEQUENCE = ("C:maj", "A:min", "D:min", "G:7", "E:min", "F:maj", "D#:maj", "G:7")
INTERVALS = {"maj": (0, 4, 7), "min": (0, 3, 7), "7": (0, 4, 7, 10)}


def chords_of(signal: np.ndarray, beats: list[float], rate: int = RATE) -> list[Chord]:
    reader = PitchReader(rate, signal.shape[0])
    for start in range(0, signal.shape[1], 65536):
        reader.push(signal[:, start : start + 65536])
    pitch = reader.finish()
    treble, bass = chroma(pitch, tuning(pitch))
    return chords(treble, bass, pitch.frame_rate, beats, signal.shape[1] / rate)


def _played(label: str, seconds: float, timbre: str = "organ") -> np.ndarray:
    name, quality = label.split(":")
    root = LABELS.index(f"{name}:maj")
    t = np.arange(round(seconds * RATE)) / RATE
    midi = [36 + root, *(60 + (root + interval) % 12 for interval in INTERVALS[quality])]
    partials = [(k * 440 * 2 ** ((m - 69) / 12), a) for m in midi for k, a in enumerate(HARMONICS[timbre], 1)]
    return np.tile(0.1 * sum(a * np.sin(2 * np.pi * f * t) for f, a in partials), (2, 1)).astype(np.float32)


@pytest.mark.parametrize("timbre", ["organ", "saw"])
@pytest.mark.parametrize("beats", [[0.5 * n for n in range(32)], []], ids=["with beats", "without"])
def test_a_sequence_of_chords_is_found(timbre: str, beats: list[float]) -> None:
    found = chords_of(np.concatenate([_played(label, 2.0, timbre) for label in SEQUENCE], axis=1), beats)
    assert tuple(chord.label for chord in found) == SEQUENCE
    assert np.allclose([chord.start for chord in found], np.arange(0, 16, 2), atol=0.01 if beats else 0.15)
    assert all(0.5 < chord.confidence <= 1 for chord in found)


def test_the_chords_cover_the_piece_without_gaps() -> None:
    found = chords_of(song(97, 21.3), [60 / 97 * n for n in range(30)])
    assert (found[0].start, found[-1].end) == (0.0, pytest.approx(21.3))
    assert all(one.end == other.start and one.label != other.label for one, other in pairwise(found))
    assert all(one.start < one.end for one in found)


def test_chords_change_on_the_beats() -> None:
    beats = [0.31 + 60 / 110 * n for n in range(40)]
    found = chords_of(np.concatenate([np.zeros((2, round(0.31 * RATE)), np.float32), song(110, 20)], axis=1), beats)
    assert len(found) > 5
    assert all(min(abs(chord.start - beat) for beat in beats) < 1e-6 for chord in found[1:])


@functools.cache
def _songs() -> list[Song]:
    return [key_song(index, 30.0) for index in range(5, 96, 15)]


def _accuracy(song: Song, beats: list[float]) -> float:
    found = chords_of(song.samples, beats)
    truth = np.round([[start, end] for start, end, _ in song.chords], 4)
    scores = mir_eval.chord.evaluate(
        truth, [c for *_, c in song.chords], np.array([[c.start, c.end] for c in found]), [c.label for c in found]
    )
    return float(scores["majmin"])


@pytest.mark.parametrize("counted", ["right", "not", "half", "off the beat"])
def test_the_chords_of_songs_are_found_however_the_beats_were_counted(counted: str) -> None:
    beats = {
        "right": lambda true: true,
        "not": lambda true: [],
        "half": lambda true: true[::2],
        "off the beat": lambda true: list(np.add(true[:-1], true[1:]) / 2),
    }[counted]
    assert np.mean([_accuracy(song, beats(list(song.beats))) for song in _songs()]) >= 0.8


@pytest.mark.parametrize(
    "signal",
    [noise(5), np.zeros((2, 5 * RATE), np.float32), sine(440, 5), speech(10.0), noise(0.01)],
    ids=["noise", "silence", "tone", "speech", "10 ms"],
)
def test_what_has_no_chords_is_given_none(signal: np.ndarray) -> None:
    found = chords_of(signal, [])
    assert [chord.label for chord in found] == ["N"]
    assert found[0].end == pytest.approx(signal.shape[1] / RATE)


def test_a_pause_is_no_chord() -> None:
    pause = np.zeros((2, 2 * RATE), np.float32)
    found = chords_of(np.concatenate([_played("C:maj", 4.0), pause, _played("C:maj", 4.0)], axis=1), [])
    assert [chord.label for chord in found] == ["C:maj", "N", "C:maj"]
    assert found[1].start == pytest.approx(4, abs=0.3) and found[1].end == pytest.approx(6, abs=0.3)


def test_nothing_has_no_chords() -> None:
    assert chords_of(np.zeros((2, 0), np.float32), []) == []
