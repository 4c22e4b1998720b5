from __future__ import annotations

import time
import tracemalloc

import mir_eval
import not_songs
import numpy as np
import pytest
from songs import Song, form_song

from sfwidgets.analysis import pitch, roles, structure
from sfwidgets.analysis.energy import Bands
from sfwidgets.analysis.features import Features, extract
from sfwidgets.analysis.timbre import Timbre
from sfwidgets.models import Section

BEAT, FRAME = 0.5, 0.1


def heard(samples: np.ndarray) -> Features:
    return extract([np.asarray(samples, dtype=np.float32)], 44100, lambda _: None)


def form_of(features: Features, beats: list[float], downbeats: list[float]) -> list[Section]:
    treble, bass = pitch.chroma(features.pitch, pitch.tuning(features.pitch))
    return structure.sections(
        treble, bass, features.pitch.frame_rate, features.timbre, features.bands, beats, downbeats, features.duration
    )


def as_arrays(form: list[Section], duration: float) -> tuple[np.ndarray, list[str]]:
    return np.array([[0.0 if i == 0 else s.start, s.end] for i, s in enumerate(form)]), [s.label for s in form]


def figures(song: Song, form: list[Section]) -> tuple[float, float]:
    truth = np.array([section[:2] for section in song.sections]), [section[2] for section in song.sections]
    answer = as_arrays(form, song.duration)
    boundary = mir_eval.segment.detection(truth[0], answer[0], window=3.0)[2]
    return boundary, mir_eval.segment.pairwise(*truth, *answer)[2]


@pytest.fixture(scope="module")
def songs() -> list[tuple[Song, Features]]:
    made = [form_song(seed) for seed in (1, 3, 4, 5, 6, 15)]
    return [(song, heard(song.samples)) for song in made]


@pytest.mark.parametrize("known", ["downbeats", "beats", "half of the beats", "nothing"])
def test_the_form_of_songs_is_found(songs: list[tuple[Song, Features]], known: str) -> None:
    found = []
    for song, features in songs:
        beats = [] if known == "nothing" else list(song.beats[:: 2 if known.startswith("half") else 1])
        found.append(figures(song, form_of(features, beats, list(song.downbeats) if known == "downbeats" else [])))
    boundary, label = np.mean(found, axis=0)
    assert boundary >= 0.85 and label >= 0.8, found


def test_sections_follow_one_another_from_the_beginning_to_the_end_on_downbeats(
    songs: list[tuple[Song, Features]],
) -> None:
    for song, features in songs:
        form = form_of(features, list(song.beats), list(song.downbeats))
        assert form[0].start == 0.0 and form[-1].end == pytest.approx(song.duration, abs=1e-3)
        assert [section.end for section in form[:-1]] == [section.start for section in form[1:]]
        assert list(dict.fromkeys(section.label for section in form)) == sorted({section.label for section in form})
        if "no gaps" in song.tags:
            distances = [np.abs(song.downbeats - section.start).min() for section in form[1:]]
            assert max(distances, default=0.0) < 0.001
        assert all(0 <= section.confidence <= 1 for section in form)


def test_a_piece_of_one_part_is_one_section(songs: list[tuple[Song, Features]]) -> None:
    song, features = next((song, features) for song, features in songs if "A" in song.tags)
    assert [section.label for section in form_of(features, list(song.beats), list(song.downbeats))] == ["A"]
    assert len(form_of(features, [], [])) == 1


def test_a_form_that_never_repeats_has_as_many_labels_as_sections(songs: list[tuple[Song, Features]]) -> None:
    song, features = next((song, features) for song, features in songs if "ABCDE" in song.tags)
    form = form_of(features, list(song.beats), list(song.downbeats))
    assert "".join(section.label for section in form) == "ABCDE"


@pytest.mark.parametrize(
    "sound",
    [
        not_songs.silence(),
        not_songs.click(),
        not_songs.noise(),
        not_songs.noise(colour="pink"),
        not_songs.speech(),
        np.zeros((2, 0)),
        np.full((1, 50), 0.3),
    ],
    ids=["silence", "click", "noise", "pink noise", "speech", "nothing", "50 samples"],
)
def test_what_is_no_music_has_no_sections(sound: np.ndarray) -> None:
    assert form_of(heard(sound), [], []) == []


def test_a_tone_and_a_short_piece_are_one_section() -> None:
    assert len(form_of(heard(not_songs.tone(30)), [], [])) == 1
    assert len(form_of(heard(not_songs.tone(4)), [0.5 * k for k in range(8)], [])) == 1


def test_what_sounds_for_a_moment_now_and_then_is_one_section() -> None:
    blips = np.zeros((1, 30 * 44100))
    for at in (0.0, 10.0, 20.0, 29.5):  # each is over before the middle of its step of half a second
        start = round(at * 44100)
        blips[:, start : start + 4410] = not_songs.tone(30)[:1, :4410]
    (only,) = form_of(heard(blips), [], [])
    assert (only.start, only.end) == (0.0, 30.0)


def played(parts: list[tuple[str, int]], *, seed: int = 0) -> tuple[np.ndarray, Timbre, Bands, list[float], float]:
    """Features of a piece of (letter, bars); each letter has four chords of its own, "-" is silence, lower case is quiet."""
    rng = np.random.default_rng(seed)
    letters = sorted({name.upper() for name, _ in parts} - {"-"})
    # Three semitones apart, no two triads of different letters share more than one pitch class.
    chords = {letter: (3 * rng.permutation(4) + number) % 12 for number, letter in enumerate(letters)} | {"-": [0] * 4}
    chroma, mfcc, power = [], [], []
    frames = round(4 * BEAT / FRAME)
    for name, bars in parts:
        for bar in range(bars):
            root = chords[name.upper()][bar % 4]
            pitches = 0.05 * rng.random((12, frames))
            pitches[[root, (root + 4) % 12, (root + 7) % 12]] += 1
            silent = name == "-"
            chroma.append(0 * pitches if silent else pitches)
            level = -80.0 if silent else -20.0 - 8 * name.islower()
            mfcc.append(np.column_stack([np.full(frames, 11.3 * level), 5 * rng.standard_normal((frames, 19))]))
            power.append(np.full((frames, 5), 10 ** (level / 10)))
    together = np.concatenate(power).astype(np.float32)
    timbre = Timbre(1 / FRAME, np.concatenate(mfcc).astype(np.float32), [])
    duration = len(together) * FRAME
    beats = list(np.arange(0, duration, BEAT))
    return np.hstack(chroma), timbre, Bands(1 / FRAME, together, 0 * together), beats, duration


def form_of_played(parts: list[tuple[str, int]]) -> list[Section]:
    chroma, timbre, bands, beats, duration = played(parts)
    return structure.sections(chroma, 0 * chroma, 1 / FRAME, timbre, bands, beats, beats[::4], duration)


def test_harmony_alone_tells_sections_apart() -> None:
    form = form_of_played([("A", 8), ("B", 8), ("A", 8), ("C", 12), ("B", 8)])
    assert [(section.label, section.start) for section in form] == [
        ("A", 0.0), ("B", 16.0), ("A", 32.0), ("C", 48.0), ("B", 72.0),
    ]  # fmt: skip


def test_the_same_twice_in_a_row_is_two_sections_where_it_stands_alone_elsewhere() -> None:
    form = form_of_played([("A", 8), ("A", 8), ("B", 8), ("A", 8)])
    assert [(section.label, section.start) for section in form] == [("A", 0.0), ("A", 16.0), ("B", 32.0), ("A", 48.0)]


def test_a_silence_ends_a_section_and_belongs_to_it() -> None:
    form = form_of_played([("A", 8), ("-", 1), ("A", 8)])
    assert [(section.label, section.start, section.end) for section in form] == [("A", 0.0, 18.0), ("A", 18.0, 34.0)]


def test_music_after_a_long_silence_begins_where_it_sounds() -> None:
    form = form_of_played([("-", 3), ("A", 16)])
    assert [section.start for section in form] == [pytest.approx(6.0, abs=0.2)]


def with_roles(parts: list[tuple[str, float, float]]) -> list[str | None]:
    """The roles of a form of (label, seconds, level in dB)."""
    ends = np.cumsum([seconds for _, seconds, _ in parts])
    starts = ends - [seconds for _, seconds, _ in parts]
    form = [Section(start=a, end=b, label=part[0]) for a, b, part in zip(starts, ends, parts, strict=True)]
    power = np.concatenate([np.full((round(10 * seconds), 5), 10 ** (level / 10)) for _, seconds, level in parts])
    found = roles.roles(form, Bands(10.0, power.astype(np.float32), 0 * power.astype(np.float32)))
    assert all(section.role is None or 0 < section.confidence < 1 for section in found)
    assert [(section.start, section.end, section.label) for section in found] == [
        (section.start, section.end, section.label) for section in form
    ]
    return [section.role for section in found]


def test_roles_are_given_where_there_is_evidence() -> None:
    song = [
        ("A", 8, -26),
        ("B", 16, -20),
        ("C", 16, -16),
        ("B", 16, -20),
        ("C", 16, -16),
        ("D", 16, -18),
        ("C", 16, -16),
    ]
    expected = ["intro", "verse", "chorus", "verse", "chorus", "bridge", "chorus"]
    assert with_roles([*song, ("E", 8, -28)]) == [*expected, "outro"]
    assert with_roles([("A", 20, -15), ("B", 20, -15), ("C", 12, -24), ("A", 20, -15)]) == [None, None, "break", None]


@pytest.mark.parametrize(
    "parts",
    [
        [("A", 16, -20), ("B", 16, -20), ("A", 16, -20), ("B", 16, -20)],
        [("A", 16, -20), ("B", 16, -19), ("A", 16, -20), ("B", 16, -19)],
        [("A", 16, -20), ("B", 16, -12), ("C", 16, -20), ("D", 16, -18)],
        [("A", 16, -26), ("A", 16, -20), ("A", 16, -20), ("A", 16, -26)],
    ],
    ids=["equally loud", "hardly louder", "nothing returns", "nothing but one part"],
)
def test_no_roles_are_given_without_evidence(parts: list[tuple[str, float, float]]) -> None:
    assert set(with_roles(parts)) == {None}


def test_an_hour_takes_seconds_and_little_memory() -> None:
    rng = np.random.default_rng(3)
    parts = [(letter, 8) for letter in rng.choice(list("ABCDEF"), 225)]
    chroma, timbre, bands, beats, duration = played(parts)
    assert duration == pytest.approx(3600)
    tracemalloc.start()
    begun = time.process_time()
    form = structure.sections(chroma, 0 * chroma, 1 / FRAME, timbre, bands, beats, beats[::4], duration)
    assert time.process_time() - begun < 10
    assert tracemalloc.get_traced_memory()[1] < 500e6
    tracemalloc.stop()
    assert len(form) > 50
