import mir_eval
import numpy as np
import pytest
from synthesis import RATE, noise, sine

from sfwidgets.analysis.bassline import BassReader, notes
from sfwidgets.models.analysis import Note

Truth = list[tuple[float, float, float]]
"""Start and end in seconds, and pitch in MIDI notes."""

TIMBRES = {
    "sine": lambda k, t: (k == 1) + 0 * t,
    "saw": lambda k, t: 1 / k + 0 * t,
    "square": lambda k, t: k % 2 / k + 0 * t,
    "plucked": lambda k, t: np.exp(-(1 + 0.8 * k) * t) / k**1.2,
    "weak fundamental": lambda k, t: np.exp(-1.5 * t) * (0.1 if k == 1 else 1 / (k - 1)),
}


def heard(signal: np.ndarray, rate: int = RATE, size: int = 65536) -> list[Note]:
    reader = BassReader(rate, signal.shape[0])
    for start in range(0, signal.shape[1], size):
        reader.push(signal[:, start : start + size])
    return notes(reader.finish(), reader.rate)


def _line(timbre: str, seed: int, cents: float = 0.0, slides: bool = False) -> tuple[np.ndarray, Truth]:
    """Some twenty seconds of notes of a quaver to a minim, with rests, repeated notes, leaps of an octave and slides."""
    rng = np.random.default_rng(seed)
    beat, at, pitch, truth = 60 / rng.uniform(80, 130), 0.4, 33, []
    signal = np.zeros(25 * RATE)
    while at < 20:
        length = float(rng.choice([0.5, 0.5, 1, 1, 2])) * beat
        what = rng.choice(["rest", "again", "octave", "step", "step", "step"])
        if what == "rest":
            at += length
            continue
        if what != "again":
            pitch = int(np.clip(pitch + (rng.choice([-12, 12]) if what == "octave" else rng.integers(-5, 6)), 28, 55))
        seconds = length * rng.choice([0.7, 0.95])
        t = np.arange(round(seconds * RATE)) / RATE
        bend = np.minimum(0, t / 0.05 - 1) * (2 if slides and truth and rng.random() < 0.3 else 0)
        phase = 2 * np.pi * np.cumsum(440 * 2 ** ((pitch + cents / 100 + bend - 69) / 12)) / RATE
        tone = sum(TIMBRES[timbre](k, t) * np.sin(k * phase) for k in range(1, 16))
        tone *= np.minimum(1, t / 0.005) * np.minimum(1, (seconds - t) / 0.015) * rng.uniform(0.6, 1)
        signal[round(at * RATE) :][: len(tone)] += tone
        truth.append((at, at + seconds, pitch + cents / 100))
        at += length
    signal *= 0.5 / np.abs(signal).max()
    signal += 0.002 * rng.standard_normal(len(signal))  # what a separation leaves of the others
    return np.stack([signal, 0.8 * signal]).astype(np.float32), truth


def _score(truth: Truth, found: list[Note]) -> float:
    def hz(pitches: list[float]) -> np.ndarray:
        return 440 * 2 ** ((np.array(pitches) - 69) / 12)

    return float(
        mir_eval.transcription.precision_recall_f1_overlap(
            np.array([[start, end] for start, end, _ in truth]),
            hz([pitch for *_, pitch in truth]),
            np.array([[note.start, note.end] for note in found]),
            hz([note.pitch + note.cents / 100 for note in found]),
            offset_ratio=None,
        )[2]
    )


@pytest.mark.parametrize("slides", [False, True], ids=["", "slides"])
@pytest.mark.parametrize("timbre", TIMBRES)
def test_the_notes_of_a_bass_line_are_found(timbre: str, slides: bool) -> None:
    scores = [_score(truth, heard(signal)) for signal, truth in (_line(timbre, seed, 0.0, slides) for seed in (1, 2))]
    assert np.mean(scores) >= 0.9


def test_a_note_has_a_name_and_cents() -> None:
    (note,) = heard(sine(41.203 * 2 ** (30 / 1200), 1.0))
    assert (note.pitch, note.name) == (28, "E1")
    assert note.cents == pytest.approx(30, abs=4)
    assert note.start == pytest.approx(0, abs=0.03) and note.end == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("frequency", [30.87, 41.2, 98.0, 196.0, 349.2])
@pytest.mark.parametrize("timbre", ["sine", "saw", "weak fundamental"])
def test_the_octave_is_the_right_one(frequency: float, timbre: str) -> None:
    t = np.arange(RATE) / RATE
    tone = sum(TIMBRES[timbre](k, t) * np.sin(2 * np.pi * k * frequency * t) for k in range(1, 16))
    found = heard((0.2 * tone / np.abs(tone).max())[None].astype(np.float32))
    assert [note.pitch for note in found] == [round(69 + 12 * np.log2(frequency / 440))]


def test_repeated_notes_are_notes_of_their_own() -> None:
    t = np.arange(RATE // 4) / RATE
    pluck = np.sin(2 * np.pi * 55 * t) * np.exp(-6 * t) * np.minimum(1, t / 0.004)
    found = heard(np.tile(pluck, 8)[None].astype(np.float32))
    assert [note.name for note in found] == ["A1"] * 8
    assert np.allclose([note.start for note in found], np.arange(8) / 4, atol=0.03)


def test_bleed_is_not_played_by_the_bass() -> None:
    signal = np.concatenate([sine(55, 2), sine(220, 2, -32), sine(65.41, 2)], axis=1)
    assert [note.name for note in heard(signal)] == ["A1", "C2"]


@pytest.mark.parametrize(
    "signal",
    [noise(5), np.zeros((2, 5 * RATE), np.float32), sine(55, 2, -80), np.eye(1, RATE, 999, dtype=np.float32),
     np.zeros((2, 0), np.float32), noise(0.001)],
    ids=["noise", "silence", "too quiet", "click", "empty", "1 ms"],
)  # fmt: skip
def test_where_no_bass_plays_there_are_no_notes(signal: np.ndarray) -> None:
    assert heard(signal) == []


def test_channels_in_opposite_phase_do_not_cancel() -> None:
    assert [note.name for note in heard(sine(55, 1) * np.array([[1], [-1]], dtype=np.float32))] == ["A1"]


@pytest.mark.parametrize("rate", [8000, 22050, 48000, 96000])
def test_any_sample_rate_will_do(rate: int) -> None:
    assert [(note.name, round(note.start, 1)) for note in heard(sine(73.42, 1.0, rate=rate), rate)] == [("D2", 0.0)]


def test_it_does_not_matter_how_the_stream_is_cut() -> None:
    signal, _ = _line("saw", 3)
    assert heard(signal[:, : 5 * RATE]) == heard(signal[:, : 5 * RATE], size=777)
