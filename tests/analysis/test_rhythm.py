import numpy as np
import pytest
from synthesis import RATE, analysed, noise, song

from sfwidgets.analysis.rhythm import tempo


@pytest.mark.parametrize("timbre", ["organ", "saw"])
@pytest.mark.parametrize("bpm", [60, 74.5, 90, 105, 120, 138.2, 150, 165, 180])
def test_the_tempo_of_a_song_is_found_to_a_thousandth(bpm: float, timbre: str) -> None:
    analysis = analysed(song(bpm, 16, timbre=timbre))
    assert analysis.tempo == pytest.approx(bpm, rel=0.001)
    assert analysis.bpm == round(analysis.tempo)
    assert analysis.tempo_confidence > 0.5


def test_a_songs_tempo_does_not_depend_on_its_level() -> None:
    loud = song(96, 20)
    assert analysed(loud * 0.01).tempo == pytest.approx(96, rel=0.001)


def test_clicks_at_random_times_have_no_tempo() -> None:
    clicks = np.zeros((1, 20 * RATE), dtype=np.float32)
    clicks[0, np.random.default_rng(0).integers(0, clicks.shape[1], 40)] = 1
    analysis = analysed(clicks)
    assert analysis.tempo is None
    assert analysis.tempo_confidence < 0.2


@pytest.mark.parametrize("clicks", [[1.0], [1.0, 1.5], [1.0, 1.5, 2.0]])
def test_a_few_clicks_have_no_tempo(clicks: list[float]) -> None:
    signal = np.zeros((2, 5 * RATE), dtype=np.float32)
    signal[:, [int(at * RATE) for at in clicks]] = 1
    assert analysed(signal).tempo is None


@pytest.mark.parametrize("seconds", [2, 20])
def test_noise_has_no_tempo(seconds: float) -> None:
    assert analysed(noise(seconds)).tempo is None


def test_pulses_of_equal_strength_beat_at_their_own_rate() -> None:
    frame_rate = 86.1328125
    onsets = np.zeros(round(30 * frame_rate), dtype=np.float32)
    onsets[np.rint(np.arange(0, 29, 60 / 127.3) * frame_rate).astype(int)] = 1
    bpm, confidence = tempo(onsets, frame_rate)
    assert bpm == pytest.approx(127.3, rel=0.0005)
    assert 0.8 < confidence <= 1
