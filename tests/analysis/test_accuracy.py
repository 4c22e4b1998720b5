"""The analysis as a whole on songs of which everything is known; `accuracy.py` prints the same figures with the failures."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import not_songs
import numpy as np
import pytest
import songs
import songs_held_out
from accuracy import POP909, PURPOSE, Result, Task, evaluate, figures, means, pop909_numbers, report
from songs import Song
from synthesis import analysed

from sfwidgets.models import Analysis, Chord, Section, utc_now

LEAST = {
    "tempo": {"tempo": 0.90, "octave": 0.98, "beat": 0.90, "downbeat": 0.75},
    "key": {"key": 0.90, "chords": 0.80, "cents": 0.90},
    "form": {"boundary": 0.70, "label": 0.65},
    "pop909": {"tempo": 0.80, "octave": 0.98, "beat": 0.88, "key": 0.90, "chords": 0.70},
}
"""What the means over many songs reach at least."""
FIRST = 1000
"""The first of the songs tested here; the analysis was tuned on lower numbers of the first style."""


def songs_of(
    population: str, count: int, seconds: float | None, styles: tuple[bool, ...] = (False, True)
) -> list[Result]:
    """Analyse `count` songs of each style."""
    indices = range(FIRST, FIRST + count)
    return evaluate([Task(population, index, style, seconds) for style in styles for index in indices], processes=2)


def check(population: str, results: list[Result], *, sample: bool = False) -> None:
    """Of a sample one song more than of many may be wrong, that being luck."""
    found = means(results)
    short = []
    for name, least in LEAST[population].items():
        count = sum(name in result.figures for result in results)
        if found[name] < least - (1 / count if sample else 0) - 1e-9:
            short.append(f"{name}: {found[name]:.3f} over {count} songs instead of {least}")
    assert not short, "\n".join([*short, "", report(results)])


@pytest.mark.parametrize(("population", "count", "seconds"), [("tempo", 12, 40.0), ("key", 8, 30.0), ("form", 3, None)])
def test_a_sample_of_songs_is_understood(population: str, count: int, seconds: float | None) -> None:
    check(population, songs_of(population, count, seconds), sample=True)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("held_out", [False, True], ids=["first style", "held out"])
@pytest.mark.parametrize(("population", "count"), [("tempo", 120), ("key", 96), ("form", 40)])
def test_many_songs_are_understood(population: str, count: int, held_out: bool) -> None:
    check(population, songs_of(population, count, None, (held_out,)))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_real_pop_songs_are_understood(tmp_path: Path) -> None:
    numbers = pop909_numbers()
    if not numbers:
        pytest.skip(f"the songs of POP909 are not at {POP909}")
    if shutil.which("fluidsynth") is None:
        pytest.skip("fluidsynth, which plays the songs of POP909, is not installed")
    results = evaluate([Task("pop909", index, cache=tmp_path) for index in range(len(numbers))], processes=2)
    check("pop909", results, sample=True)


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("silence", not_songs.silence()),
        ("a click", not_songs.click()),
        ("white noise", not_songs.noise()),
        ("pink noise", not_songs.noise(colour="pink")),
        ("a tone", not_songs.tone()),
        ("speech", not_songs.speech()),
    ],
)
def test_what_is_no_music_has_no_tempo_key_chords_or_parts(name: str, sound: np.ndarray) -> None:
    analysis = analysed(sound)
    assert analysis.tempo is None
    assert analysis.beats == analysis.downbeats == []
    assert analysis.time_signature is None
    assert analysis.key is None
    assert {chord.label for chord in analysis.chords} <= {"N"}
    assert len(analysis.sections) <= 1


# The measures and the songs themselves --------------------------------------------------------------------------------


def told(song: Song, **changes: object) -> Analysis:
    """The analysis that says what is true of a song, but for `changes`."""
    truth: dict[str, object] = {
        "tempo": song.bpm, "beats": list(song.beats), "downbeats": list(song.downbeats), "key": song.key,
        "time_signature": song.time_signature, "tuning": song.cents,
        "chords": [Chord(start=a, end=b, label=label, confidence=1) for a, b, label in song.chords],
        "sections": [Section(start=a, end=b, label=label) for a, b, label in song.sections],
    }  # fmt: skip
    return Analysis(track_id="song", analyzed_at=utc_now(), duration=song.duration, **{**truth, **changes})


@pytest.fixture(scope="module")
def form() -> Song:
    return songs.form_song(FIRST)


def test_the_truth_has_full_marks(form: Song) -> None:
    found = figures(form, told(form))
    assert found.pop("three_two") == 0
    assert set(found) == {name for names in PURPOSE.values() for name in names} - {"three_two", "cents"}
    assert all(value == pytest.approx(1, abs=1e-6) for value in found.values()), found


def test_saying_nothing_has_no_marks(form: Song) -> None:
    nothing = Analysis(track_id="song", analyzed_at=utc_now(), duration=form.duration)
    found = figures(form, nothing)
    assert all(value <= 0.05 for value in found.values()), found  # chords: there is a moment before the first


@pytest.mark.parametrize(
    ("factor", "tempo", "octave", "three_two"),
    [(1.03, 1, 1, 0), (0.95, 0, 0, 0), (2, 0, 1, 0), (1 / 3, 0, 1, 0), (1.5, 0, 0, 1), (2 / 3, 0, 0, 1)],
)
def test_a_wrong_tempo_is_told_by_its_kind(form: Song, factor: float, tempo: int, octave: int, three_two: int) -> None:
    found = figures(form, told(form, tempo=form.bpm * factor))
    assert (found["tempo"], found["octave"], found["three_two"]) == (tempo, octave, three_two)


def test_other_names_for_the_same_parts_are_as_good(form: Song) -> None:
    renamed = [Section(start=a, end=b, label=f"part {label}") for a, b, label in form.sections]
    assert figures(form, told(form, sections=renamed))["label"] == pytest.approx(1)


@pytest.mark.parametrize("style", [songs, songs_held_out], ids=["first style", "held out"])
@pytest.mark.parametrize("population", ["tempo", "key", "form"])
def test_a_song_is_what_it_says(style: object, population: str) -> None:
    make = getattr(style, f"{population}_song")
    song: Song = make(FIRST + 1)
    assert np.array_equal(song.samples, make(FIRST + 1).samples)
    assert song.samples.dtype == np.float32 and 0.3 < np.abs(song.samples).max() < 1
    for spans in filter(None, (song.chords, song.sections)):
        assert spans[0][0] == 0 and spans[-1][1] == pytest.approx(song.duration)
        assert all(a[1] == b[0] and a[1] > a[0] for a, b in itertools.pairwise(spans))
    assert 60 / np.diff(song.beats).mean() == pytest.approx(song.bpm)
    assert set(song.downbeats) <= set(song.beats)
    # The sound rises at the beats more than it does elsewhere.
    loud = np.log10(
        1e-6 + np.abs(np.diff(song.samples.mean(axis=0)))[: len(song.samples[0]) // 441 * 441].reshape(-1, 441).mean(1)
    )
    rise = np.maximum(0, np.diff(loud))

    def risen(times: np.ndarray) -> float:
        frames = np.round(times * 100).astype(int)
        return float(np.mean([rise[max(0, frame - 4) : frame + 4].max(initial=0) for frame in frames]))

    anywhere = np.random.default_rng(0).uniform(song.beats[0], song.beats[-1], 500)
    assert risen(song.beats) > 1.1 * risen(anywhere)


@pytest.mark.parametrize("style", [songs, songs_held_out], ids=["first style", "held out"])
@pytest.mark.parametrize("index", [0, 5])
def test_a_songs_chords_sound_as_they_are_written(style: object, index: int) -> None:
    """The triad that has most of the sound is the one written, by a plain Fourier transform."""
    song: Song = getattr(style, "key_song")(index, 20.0)  # noqa: B009
    heard = []
    for start, end, label in song.chords:
        if label == "N":
            continue
        part = song.samples.sum(axis=0)[round(start * 44100) : round(end * 44100)]
        power = np.abs(np.fft.rfft(part * np.hanning(len(part))))
        frequencies = np.fft.rfftfreq(len(part), 1 / 44100)
        band = (frequencies > 60) & (frequencies < 1500)
        pitches = np.round(69 + 12 * np.log2(frequencies[band] / 440) - song.cents / 100).astype(int) % 12
        chroma = np.bincount(pitches, power[band], minlength=12)
        triads = {
            (root, third): chroma[[root, (root + third) % 12, (root + 7) % 12]].sum()
            for root in range(12)
            for third in (3, 4)
        }
        root, third = max(triads, key=lambda triad: triads[triad])
        heard.append(f"{songs.NAMES[root]}:{'maj' if third == 4 else 'min'}" == label.replace(":7", ":maj"))
    assert len(heard) >= 4 and np.mean(heard) > 0.75
