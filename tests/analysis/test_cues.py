from __future__ import annotations

import not_songs
import numpy as np
import pytest

from sfwidgets.analysis import cues, energy, framing
from sfwidgets.models import Section

RATE = 44100
BEAT = 0.5


def bands_of(samples: np.ndarray) -> energy.Bands:
    spectra, reader = framing.PowerSpectra(len(samples), 2048, 512), energy.BandReader(RATE, 1025)
    for start in range(0, samples.shape[1], 50000):
        reader.push(spectra.push(samples[:, start : start + 50000]))
    reader.push(spectra.finish())
    return reader.finish()


def club_track(parts: list[tuple[str, int]]) -> tuple[np.ndarray, list[float]]:
    """Of (kind, bars): a pad throughout, with kick, bass and hats where `full`; where `build`, hats that grow; `none`."""
    bars = sum(count for _, count in parts)
    samples = np.zeros(round(bars * 4 * BEAT * RATE))
    t = np.arange(round(0.25 * RATE)) / RATE
    kick = 0.8 * np.sin(2 * np.pi * 55 * t) * np.exp(-10 * t)
    hat = 0.2 * np.random.default_rng(0).standard_normal(len(t)) * np.exp(-60 * t)
    bar = 0
    for kind, count in parts:
        for beat in range(4 * bar, 4 * (bar + count)):
            at = round(beat * BEAT * RATE)
            span = np.arange(round(BEAT * RATE)) / RATE
            if kind != "none":
                samples[at : at + len(span)] += 0.1 * sum(np.sin(2 * np.pi * f * span) for f in (262, 330, 392))
            if kind == "full":
                samples[at : at + len(t)] += kick
                samples[at : at + len(span)] += 0.2 * np.sin(2 * np.pi * 65 * span)
            if kind in ("full", "build"):
                gain = 1.0 if kind == "full" else 0.4 * (beat - 4 * bar) / (4 * count)
                samples[at : at + len(t)] += gain * hat
        bar += count
    return np.tile(samples, (2, 1)).astype(np.float32), list(np.arange(4 * bars) * BEAT)


def test_energy_follows_the_music_and_is_one_where_it_is_loudest() -> None:
    samples, _ = club_track([("pad", 8), ("full", 8), ("none", 4), ("full", 4)])
    curve = energy.energy(bands_of(samples), samples.shape[1] / RATE)
    values = np.array(curve.values)
    assert curve.interval == 0.5 and len(values) == 2 * 48
    assert values.max() == 1.0 and values.min() >= 0.0
    pad, full, silence = values[4:28].mean(), values[36:60].mean(), values[68:76].mean()
    assert silence < 0.02 and pad < 0.75 * full and full > 0.95


def test_a_tone_is_as_energetic_throughout_and_silence_is_not() -> None:
    values = np.array(energy.energy(bands_of(not_songs.tone(20).astype(np.float32)), 20.0).values)
    assert values.min() > 0.8
    assert set(energy.energy(bands_of(not_songs.silence().astype(np.float32)), 20.0).values) == {0.0}
    assert energy.energy(bands_of(np.zeros((2, 0), np.float32)), 0.0).values == []


def test_energy_does_not_depend_on_how_loud_a_recording_is() -> None:
    samples, _ = club_track([("pad", 4), ("full", 4)])
    loud, quiet = (energy.energy(bands_of(gain * samples), 16.0).values for gain in (np.float32(1), np.float32(0.05)))
    assert quiet == pytest.approx(loud, abs=0.02)


@pytest.mark.parametrize("known", ["downbeats", "beats"])
def test_drops_and_breaks_are_found_on_the_downbeat(known: str) -> None:
    samples, beats = club_track([("build", 8), ("full", 8), ("pad", 4), ("build", 4), ("full", 8)])
    bands = bands_of(samples)
    curve = energy.energy(bands, samples.shape[1] / RATE)
    drops, breaks = energy.drops_and_breaks(bands, curve, beats, beats[::4] if known == "downbeats" else [])
    assert drops == [16.0, 48.0] and breaks == [32.0]


@pytest.mark.parametrize(
    "parts", [[("full", 24)], [("pad", 24)], [("full", 8), ("none", 4), ("full", 8)], [("full", 16), ("pad", 4)],
              [("full", 8), ("pad", 1), ("full", 8)]],
    ids=["even", "without bass", "a silence", "an ending", "one bar"],
)  # fmt: skip
def test_no_drop_or_break_is_invented(parts: list[tuple[str, int]]) -> None:
    samples, beats = club_track(parts)
    bands = bands_of(samples)
    assert energy.drops_and_breaks(bands, energy.energy(bands, 40.0), beats, beats[::4]) == ([], [])
    assert energy.drops_and_breaks(bands, energy.energy(bands, 40.0), [], []) == ([], [])


def test_it_sounds_but_for_silences_of_a_second() -> None:
    samples, _ = club_track([("full", 4), ("none", 1), ("pad", 4)])
    samples[:, round(4.0 * RATE) : round(4.5 * RATE)] = 0  # half a second
    assert energy.sounding(bands_of(samples)) == pytest.approx(np.array([[0.0, 8.0], [10.0, 18.0]]), abs=0.15)
    assert len(energy.sounding(bands_of(not_songs.silence().astype(np.float32)))) == 0


FORM = [
    Section(start=0, end=16, label="A", role="intro"),
    Section(start=16, end=32, label="B"),
    Section(start=32, end=48, label="C", role="chorus"),
    Section(start=48, end=64, label="B"),
]
BEATS = [0.2 + BEAT * k for k in range(127)]


def test_cue_points_mark_start_sections_drops_breaks_and_end_in_order_of_time() -> None:
    found = cues.cue_points(FORM, [32.1], [52.2], BEATS, BEATS[::4], (0.05, 63.0), 64.0)
    assert [(cue.time, cue.label, cue.type) for cue in found] == [
        (0.2, "Start", "start"), (16.0, "B", "section"), (32.1, "Drop, C (chorus?)", "drop"), (48.0, "B", "section"),
        (52.2, "Break", "break"), (63.0, "End", "end"),
    ]  # fmt: skip


def test_a_track_without_beats_starts_with_its_first_sound() -> None:
    found = cues.cue_points(FORM[:1], [], [], [], [], (1.25, 15.5), 16.0)
    assert [(cue.time, cue.type) for cue in found] == [(1.25, "start"), (15.5, "end")]


def test_no_two_cue_points_are_within_a_beat() -> None:
    found = cues.cue_points(FORM, [0.4, 16.3, 32.0], [16.2, 62.9], BEATS, BEATS[::4], (0.05, 63.0), 64.0)
    assert np.diff([cue.time for cue in found]).min() >= BEAT


def test_there_are_no_cue_points_without_music() -> None:
    assert cues.cue_points([], [], [], [], [], None, 20.0) == []
    assert cues.cue_points([], [], [], BEATS, BEATS[::4], (0.0, 20.0), 20.0) == []
