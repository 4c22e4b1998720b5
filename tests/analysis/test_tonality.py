import functools

import numpy as np
import pytest
from mir_eval.key import weighted_score
from not_songs import speech
from songs import key_song
from synthesis import HARMONICS, NAMES, RATE, noise, sine, song

from sfwidgets.analysis.keys import KEYS, Key, key, key_changes
from sfwidgets.analysis.pitch import Pitch, PitchReader, chroma, tuning


def heard(signal: np.ndarray, rate: int = RATE, size: int = 65536) -> Pitch:
    reader = PitchReader(rate, signal.shape[0])
    for start in range(0, signal.shape[1], size):
        reader.push(signal[:, start : start + size])
    return reader.finish()


@functools.cache
def _song(tonic: int, mode: str, cents: float = 0.0) -> Pitch:
    return heard(song(120, 12, tonic=tonic, mode=mode, timbre=("organ", "saw")[tonic % 2], cents=cents))


def key_of(pitch: Pitch) -> Key:
    return key(chroma(pitch, tuning(pitch))[0], pitch.frame_rate)


def _held(midi: tuple[float, ...], seconds: float = 12, timbre: str = "saw") -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    partials = ((k * 440 * 2 ** ((m - 69) / 12), a) for m in midi for k, a in enumerate(HARMONICS[timbre], 1))
    return np.tile(0.1 * sum(a * np.sin(2 * np.pi * f * t) for f, a in partials), (2, 1)).astype(np.float32)


@pytest.mark.parametrize("cents", [-42, -20, 0, 17, 45])
def test_the_tuning_is_found_to_a_few_cents(cents: float) -> None:
    assert tuning(heard(sine(440 * 2 ** (cents / 1200), 3))) == pytest.approx(cents, abs=3)


@pytest.mark.parametrize("cents", [-37, 0, 24])
def test_the_tuning_of_a_song_with_drums_is_found(cents: float) -> None:
    assert tuning(_song(4, "minor", cents)) == pytest.approx(cents, abs=5)


@pytest.mark.parametrize(("frequency", "pitch_class"), [(261.63, "C"), (440.0, "A"), (196.0, "G"), (622.25, "D#")])
def test_a_tone_sounds_in_its_own_pitch_class(frequency: float, pitch_class: str) -> None:
    mean = chroma(heard(sine(frequency, 3)), 0.0)[0].mean(axis=1)
    assert NAMES[int(np.argmax(mean))] == pitch_class
    assert np.sort(mean)[-2] < 0.05 * mean.max()


def test_the_bass_has_a_chroma_of_its_own() -> None:
    treble, bass = chroma(heard(sine(55.0, 3) + sine(659.26, 3)), 0.0)
    assert NAMES[int(treble.mean(axis=1).argmax())] == "E"
    assert NAMES[int(bass.mean(axis=1).argmax())] == "A"
    assert bass[4].mean() < 0.05 * bass[9].mean()


def test_a_tone_is_heard_when_it_sounds() -> None:
    pitch = heard(np.concatenate([np.zeros((2, 2 * RATE), np.float32), sine(440, 2)], axis=1))
    sounding = chroma(pitch, 0.0)[0][9] > 0.5
    assert np.flatnonzero(sounding)[0] / pitch.frame_rate == pytest.approx(2.0, abs=0.15)
    assert pitch.frames / pitch.frame_rate == pytest.approx(4.0, abs=0.15)


def test_channels_in_opposite_phase_do_not_cancel() -> None:
    tone = sine(440, 2) * np.array([[1], [-1]], dtype=np.float32)
    assert np.array_equal(chroma(heard(tone), 0.0)[0], chroma(heard(sine(440, 2)), 0.0)[0])


def test_it_does_not_matter_how_the_stream_is_cut() -> None:
    signal = song(120, 4)
    one, other = heard(signal, size=RATE), heard(signal, size=4321)
    assert one.frames == other.frames
    assert np.allclose(one.pitch, other.pitch, atol=1e-4)


@pytest.mark.parametrize("rate", [8000, 22050, 48000, 96000])
def test_any_sample_rate_will_do(rate: int) -> None:
    t = np.arange(3 * rate) / rate
    pitch = heard(np.sin(2 * np.pi * 440 * 2 ** (10 / 1200) * t)[None].astype(np.float32), rate)
    assert tuning(pitch) == pytest.approx(10, abs=3)
    assert pitch.frame_rate == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("name", KEYS)
def test_each_of_the_24_keys_is_found(name: str) -> None:
    tonic, mode = name.split()
    found = key_of(_song(NAMES.index(tonic), mode))
    assert found.key == name
    assert found.strength > 0.7
    assert found.alternative not in (None, name)
    assert found.alternative_strength < found.strength


@pytest.mark.parametrize("cents", [-40, 40])
@pytest.mark.parametrize("name", KEYS[::7])
def test_the_key_of_a_song_out_of_tune_is_found(name: str, cents: float) -> None:
    tonic, mode = name.split()
    assert key_of(_song(NAMES.index(tonic), mode, cents)).key == name


def test_the_keys_of_songs_of_four_styles_are_found() -> None:
    songs = [key_song(index, 30.0) for index in range(3, 96, 11)]
    scores = [weighted_score(song.key, key_of(heard(song.samples)).key or "X") for song in songs]
    assert np.mean(scores) >= 0.9


@pytest.mark.parametrize(
    "signal",
    [
        noise(0.05), noise(20), sine(440, 10), _held((45,)), _held((60,), timbre="organ"), _held((60, 64, 67)),
        speech(20.0), song(120, 4) * 0, song(120, 4)[:, 1000:3205], np.zeros((2, 0), np.float32),
    ],
    ids=["noise 50 ms", "noise 20 s", "sine", "saw", "organ", "chord", "speech", "silence", "song 50 ms", "empty"],
)  # fmt: skip
def test_what_has_no_key_is_given_none(signal: np.ndarray) -> None:
    pitch = heard(signal)
    found = key_of(pitch)
    assert found.key is None and found.alternative is None
    assert found.strength < 0.5
    assert key_changes(chroma(pitch, tuning(pitch))[0], pitch.frame_rate, signal.shape[1] / RATE) == []


@pytest.mark.parametrize("signal", [noise(5), speech(20.0)], ids=["noise", "speech"])
def test_what_has_no_semitones_has_no_tuning(signal: np.ndarray) -> None:
    assert tuning(heard(signal)) is None
    assert not chroma(heard(signal), None)[0].any()


@pytest.mark.parametrize("up", [1, 2])
def test_a_last_chorus_in_a_higher_key_is_a_change_of_key(up: int) -> None:
    signal = np.concatenate([song(120, 48, tonic=7), song(120, 24, tonic=7 + up)], axis=1)
    pitch = heard(signal)
    treble = chroma(pitch, tuning(pitch))[0]
    first, second = key_changes(treble, pitch.frame_rate, 72.0)
    assert (first.key, second.key) == ("G major", f"{NAMES[7 + up]} major")
    assert (first.start, second.end) == (0.0, 72.0)
    assert first.end == second.start == pytest.approx(48, abs=3)
    assert key(treble, pitch.frame_rate).key == "G major"


def test_a_song_that_borrows_chords_keeps_its_key() -> None:
    borrowed = "0 4 7|5 8 0|0 4 7|10 2 5|9 1 4|2 6 9|7 11 2|0 4 7"  # C Fm C Bb A D G C
    chords = [[int(note) for note in chord.split()] for chord in borrowed.split("|")] * 3
    signal = np.concatenate([_held((36 + c[0], *(60 + note for note in c)), 2.0, "organ") for c in chords], axis=1)
    pitch = heard(signal)
    spans = key_changes(chroma(pitch, tuning(pitch))[0], pitch.frame_rate, 48.0)
    assert [span.key for span in spans] == ["C major"]
    assert (spans[0].start, spans[0].end) == (0.0, 48.0)
