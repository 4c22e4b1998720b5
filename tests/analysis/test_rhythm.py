import time
import tracemalloc

import mir_eval
import numpy as np
import pytest
from listening import heard
from not_songs import click, noise, silence, speech, tone
from songs import tempo_song
from synthesis import RATE, analysed, song

from sfwidgets.analysis.onsets import Onsets
from sfwidgets.analysis.rhythm import Rhythm, rhythm


def rhythm_of(signal: np.ndarray, rate: int = RATE) -> Rhythm:
    return rhythm(*heard(signal, rate))


def clicks(times: np.ndarray, seconds: float) -> np.ndarray:
    signal = np.zeros((1, round(seconds * RATE)), dtype=np.float32)
    for at in times:
        signal[0, round(at * RATE) : round(at * RATE) + 40] = 0.8
    return signal


def f_measure(truth: np.ndarray, found: list[float]) -> float:
    return float(mir_eval.beat.f_measure(np.asarray(truth), np.asarray(found)))


@pytest.mark.parametrize("timbre", ["organ", "saw"])
@pytest.mark.parametrize("bpm", [60, 74.5, 90, 105, 120, 138.2, 150, 165, 180])
def test_the_tempo_of_a_song_is_found_to_two_thousandths(bpm: float, timbre: str) -> None:
    found = rhythm_of(song(bpm, 16, timbre=timbre))
    assert found.tempo == pytest.approx(bpm, rel=0.002)
    assert found.confidence > 0.4


@pytest.mark.parametrize("bpm", [66.6, 97, 131.3, 172])
def test_the_tempo_of_a_longer_song_is_exact(bpm: float) -> None:
    assert rhythm_of(song(bpm, 60)).tempo == pytest.approx(bpm, rel=0.0003)


@pytest.mark.parametrize("seed", range(12))
def test_the_rhythm_of_songs_of_many_kinds(seed: int) -> None:
    """A few may be taken at half or double tempo; `test_most_songs_tempo_metre_and_downbeats_are_right` counts them."""
    truth = tempo_song(seed, 40)
    found = rhythm_of(truth.samples)
    assert found.tempo is not None
    octave = truth.bpm / found.tempo
    assert min(abs(octave / ratio - 1) for ratio in (1, 2, 1 / 2, 3, 1 / 3)) < 0.04
    if abs(octave - 1) < 0.04:
        assert f_measure(truth.beats, found.beats) > 0.9
        nearest = np.abs(np.array(found.beats)[:, None] - truth.beats).min(axis=0)
        assert np.median(nearest) < 0.015


def test_most_songs_tempo_metre_and_downbeats_are_right() -> None:
    tempo, downbeat, signature = [], [], []
    for seed in range(20, 36):
        truth = tempo_song(seed, 40)
        found = rhythm_of(truth.samples)
        tempo.append(abs((found.tempo or 0) / truth.bpm - 1) < 0.04)
        downbeat.append(f_measure(truth.downbeats, found.downbeats))
        signature.append(found.time_signature == truth.time_signature)
    assert np.mean(tempo) >= 0.9
    assert np.mean(downbeat) >= 0.75
    assert np.mean(signature) >= 0.8


def test_a_songs_rhythm_does_not_depend_on_its_level() -> None:
    loud = song(96, 20)
    assert rhythm_of(loud * 0.01).tempo == pytest.approx(96, rel=0.002)


def test_downbeats_are_beats_and_both_lie_within_the_music() -> None:
    music = song(100, 24)
    padded = np.concatenate([silence(4), music, silence(6)], axis=1)
    found = rhythm_of(padded)
    assert set(found.downbeats) < set(found.beats)
    assert found.beats == sorted(found.beats)
    assert found.beats[0] == pytest.approx(4.0, abs=0.03)
    assert found.downbeats[0] == found.beats[0]
    assert 27 < found.beats[-1] < 28.3
    assert found.time_signature == "4/4"


def test_equal_clicks_beat_at_their_own_rate() -> None:
    truth = np.arange(0.5, 29, 60 / 127.3)
    found = rhythm_of(clicks(truth, 30))
    assert found.tempo == pytest.approx(127.3, rel=0.0005)
    np.testing.assert_allclose(found.beats, truth, atol=0.02)


def test_a_drifting_tempo_is_followed() -> None:
    beats = [0.5]
    while beats[-1] < 58:
        beats.append(beats[-1] + 60 / (100 + 20 * beats[-1] / 60))
    truth = np.array(beats)
    found = rhythm_of(clicks(truth, 60))
    assert f_measure(truth, found.beats) > 0.97
    assert found.tempo == pytest.approx(60 / np.median(np.diff(truth)), rel=0.01)
    for point in found.tempo_curve:
        assert point.bpm == pytest.approx(100 + 20 * point.time / 60, rel=0.02)
    assert [point.time for point in found.tempo_curve] == found.beats[::4]


def test_the_alternative_is_half_or_double_or_so() -> None:
    ratios = []
    for seed in range(8):
        found = rhythm_of(tempo_song(seed, 30).samples)
        if found.alternative is not None and found.tempo is not None:
            ratios.append(found.alternative / found.tempo)
    assert ratios
    for ratio in ratios:
        assert min(abs(ratio / simple - 1) for simple in (2, 1 / 2, 3, 1 / 3, 3 / 2, 2 / 3)) < 1e-6


BEATLESS = {
    "silence": silence(),
    "click": click(),
    "noise": noise(),
    "short noise": noise(2),
    "pink noise": noise(colour="pink"),
    "tone": tone(),
    "speech": speech(),
    "more speech": speech(60, 3),
    "nothing": np.zeros((2, 0)),
    "a sample": np.ones((1, 1)),
    "1 click": clicks(np.array([1.0]), 5),
    "2 clicks": clicks(np.array([1.0, 1.5]), 5),
    "3 clicks": clicks(np.array([1.0, 1.5, 2.0]), 5),
}


@pytest.mark.parametrize("signal", BEATLESS.values(), ids=BEATLESS.keys())
def test_where_there_is_no_beat_nothing_is_said(signal: np.ndarray) -> None:
    found = rhythm_of(signal)
    assert (found.tempo, found.alternative, found.time_signature) == (None, None, None)
    assert (found.beats, found.downbeats, found.tempo_curve) == ([], [], [])
    assert found.confidence < 0.2


@pytest.mark.parametrize("seed", range(4))
def test_clicks_at_random_times_have_no_tempo(seed: int) -> None:
    found = rhythm_of(clicks(np.random.default_rng(seed).uniform(0, 29, 70), 30))
    assert found.tempo is None
    assert found.confidence < 0.2


def test_drums_without_any_pitch_have_a_rhythm() -> None:
    drums = song(112, 20) * 0
    drums += noise(20) * np.exp(-20 * (np.arange(drums.shape[1]) / RATE % (60 / 112)))
    assert rhythm_of(drums.astype(np.float32)).tempo == pytest.approx(112, rel=0.002)


def test_an_analysis_tells_the_rhythm() -> None:
    analysis = analysed(song(120, 16))
    assert (analysis.bpm, analysis.time_signature) == (120, "4/4")
    assert analysis.beats[:3] == pytest.approx([0, 0.5, 1.0], abs=0.02)


def test_an_hour_takes_seconds_and_little_memory() -> None:
    minute = heard(song(120, 60))[0]
    chroma = np.tile(np.eye(12), (1, 3000))

    def of_minutes(count: int) -> Rhythm:
        onsets = Onsets(minute.frame_rate, np.tile(minute.envelope, count), np.tile(minute.bands, (count, 1)))
        return rhythm(onsets, chroma[:, : 600 * count], chroma[:, : 600 * count], 10.0)

    started = time.process_time()
    assert of_minutes(60).tempo == pytest.approx(120, rel=0.01)
    assert time.process_time() - started < 10  # 2 s on an idle core
    tracemalloc.start()
    of_minutes(15)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
