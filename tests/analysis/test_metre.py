import numpy as np
import pytest
from listening import heard
from songs import tempo_song
from synthesis import RATE, analysed, song

from sfwidgets.analysis import metre, pulse

RATE_OF_FRAMES = 86.1328125


def pattern(bpm: float, hits: dict[str, tuple[float, ...]], beats: int, seconds: float = 40.0) -> np.ndarray:
    """Drums at places in a bar of so many beats, over and over."""
    rng = np.random.default_rng(0)
    t = np.arange(round(0.2 * RATE)) / RATE
    hiss = rng.standard_normal(len(t))
    kit = {
        "kick": np.sin(2 * np.pi * 55 * t) * np.exp(-18 * t),
        "snare": 0.6 * hiss * np.exp(-25 * t),
        "hat": 0.25 * np.diff(hiss, prepend=0) * np.exp(-80 * t),
    }
    mixture = np.zeros(round(seconds * RATE))
    for bar in range(int(seconds * bpm / 60 / beats)):
        for drum, places in hits.items():
            for place in places:
                start = round((0.2 + (bar * beats + place) * 60 / bpm) * RATE)
                sound = kit[drum][: max(0, len(mixture) - start)]
                mixture[start : start + len(sound)] += sound
    return np.tile(0.4 * mixture, (2, 1)).astype(np.float32)


def best(signal: np.ndarray) -> metre.Metre:
    return metre.metres(metre.evidence(*heard(signal)))[0]


@pytest.mark.parametrize("bpm", [84, 118])
def test_a_rock_beat_is_in_four(bpm: float) -> None:
    found = best(pattern(bpm, {"kick": (0, 2.5), "snare": (1, 3), "hat": tuple(np.arange(0, 4, 0.5))}, 4))
    assert (found.time_signature, found.bar) == ("4/4", 4)
    assert found.tempo == pytest.approx(bpm, rel=0.02)
    downbeats = (found.beats[found.first :: 4] - 0.2) * bpm / 240
    assert np.median(np.abs(downbeats - np.rint(downbeats))) < 0.05


@pytest.mark.parametrize("bpm", [90, 130])
def test_a_waltz_is_in_three(bpm: float) -> None:
    found = best(pattern(bpm, {"kick": (0,), "snare": (1, 2), "hat": (0, 1, 2)}, 3))
    assert found.time_signature == "3/4"
    assert found.tempo == pytest.approx(bpm, rel=0.02)


def test_two_beats_in_three_are_six_eight() -> None:
    found = best(pattern(64, {"kick": (0,), "snare": (1,), "hat": tuple(np.arange(6) / 3)}, 2))
    assert found.time_signature == "6/8"
    assert found.tempo == pytest.approx(64, rel=0.02)


def test_offbeat_hats_do_not_move_the_beat() -> None:
    found = best(pattern(124, {"kick": (0, 1, 2, 3), "snare": (1, 3), "hat": (0.5, 1.5, 2.5, 3.5)}, 4))
    assert found.tempo == pytest.approx(124, rel=0.02)
    place = (found.beats - 0.2) * 124 / 60
    assert np.median(np.abs(place - np.rint(place))) < 0.1


def test_probabilities_fall_and_sum_to_one() -> None:
    metres = metre.metres(metre.evidence(*heard(tempo_song(3, 30).samples)))
    probabilities = [found.probability for found in metres]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1)
    assert len({(found.tempo, found.beats[0]) for found in metres}) == len(metres)


def test_the_evidence_is_what_the_network_was_fitted_to() -> None:
    found = metre.evidence(*heard(song(100, 12)))
    network = metre._network()
    _, evidence = next(metre.heard(found))
    assert list(evidence) == network.names
    assert network.units.shape == (len(network.names), len(network.out))
    assert np.isfinite(network.scores(np.array([list(evidence.values())]))).all()


def test_silence_has_evidence_for_nothing_in_particular() -> None:
    found = metre.evidence(*heard(np.zeros((1, 5 * RATE), dtype=np.float32)))
    assert np.isfinite(found.channels).all()
    for _, evidence in metre.heard(found):
        assert np.isfinite(list(evidence.values())).all()


@pytest.mark.parametrize("bpm", [72.0, 140.0])
def test_the_tempograms_path_is_the_period_of_pulses(bpm: float) -> None:
    envelope = np.zeros(round(40 * RATE_OF_FRAMES))
    envelope[np.rint(np.arange(0, 39, 60 / bpm) * RATE_OF_FRAMES).astype(int)] = 1
    table = pulse.tempogram(envelope, RATE_OF_FRAMES)
    periods = table.periods[table.path()]
    assert 60 / np.median(periods) == pytest.approx(bpm, rel=0.01)
    assert np.ptp(periods[10:-10]) < 0.02


def test_tracked_beats_are_the_pulses() -> None:
    frames = np.rint(np.arange(20, 3000, 43.3)).astype(int)
    envelope = np.zeros(3010)
    envelope[frames] = 1
    envelope[frames[::2] + 20] = 0.6
    tracked = pulse.track(envelope, np.full(3010, 43.3))
    np.testing.assert_array_equal(tracked[tracked >= 20][: len(frames)], frames)


def test_no_frames_have_no_beats() -> None:
    assert pulse.track(np.zeros(0), np.zeros(0)).size == 0


def test_equal_clicks_have_a_beat_and_no_bar() -> None:
    clicks = pattern(120, {"hat": (0, 1, 2, 3)}, 4)
    found = analysed(np.atleast_2d(clicks).astype(np.float32))
    assert found.tempo == pytest.approx(120, rel=0.01)
    assert (found.time_signature, found.downbeats) == (None, [])
