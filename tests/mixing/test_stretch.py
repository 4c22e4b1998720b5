"""Speed without pitch, and pitch without speed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sfwidgets.mixing import stretch

RATE = 44100
Samples = NDArray[np.float32]


def run(audio: Samples, *, speed: float = 1.0, pitch: float = 0.0, piece: float = 20.0, block: int = 10_007) -> Samples:
    blocks = [audio[:, start : start + block] for start in range(0, audio.shape[1], block)]
    return np.concatenate(list(stretch(blocks, RATE, speed=speed, pitch=pitch, piece=piece)), axis=1)


def clicks(seconds: float) -> tuple[Samples, list[int]]:
    audio = np.zeros((2, round(seconds * RATE)), dtype=np.float32)
    times = list(range(RATE // 3, audio.shape[1] - RATE // 4, RATE // 2 + 1371))
    for time in times:
        audio[:, time : time + 30] = 0.5
    return audio, times


def tone(hertz: float, seconds: float) -> Samples:
    return np.tile(0.4 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE), (2, 1)).astype(np.float32)


def loudest(audio: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(audio[0] * np.hanning(audio.shape[1])))
    return float(np.argmax(spectrum) * RATE / audio.shape[1])


def test_nothing_asked_for_is_nothing_done() -> None:
    audio = np.random.default_rng(0).standard_normal((2, 50_000)).astype(np.float32)
    np.testing.assert_array_equal(run(audio), audio)


@pytest.mark.parametrize("frames", [1, 100, 5000, 3 * RATE, 3 * RATE + 1, 4 * RATE, 4 * RATE + 7, 10 * RATE])
@pytest.mark.parametrize("speed", [0.25, 0.9, 1.37, 2.0])
def test_the_length_is_the_old_one_over_the_speed(frames: int, speed: float) -> None:
    audio = np.full((2, frames), 0.1, dtype=np.float32)
    assert run(audio, speed=speed, piece=3).shape == (2, round(frames / speed))


@pytest.mark.parametrize(
    ("speed", "pitch"), [(0.5, 0), (0.77, 0), (1.0, 5), (1.0, -12), (1.3, 0), (2.0, 0), (0.8, 7), (1.5, -3)]
)
@pytest.mark.parametrize("piece", [2.0, 20.0])
def test_a_click_is_heard_at_its_time_over_the_speed(speed: float, pitch: float, piece: float) -> None:
    audio, times = clicks(9)
    out = np.abs(run(audio, speed=speed, pitch=pitch, piece=piece)).max(axis=0)
    for time in times:
        expected = round(time / speed)
        around = slice(max(0, expected - 6000), expected + 6000)
        found = around.start + int(np.argmax(out[around]))
        assert abs(found - expected) / RATE < 0.010


@pytest.mark.parametrize(("speed", "pitch"), [(0.6, 0.0), (1.7, 0.0), (1.0, 12.0), (1.0, -5.0), (0.8, 3.0)])
def test_speed_leaves_the_pitch_alone_and_pitch_moves_it_by_semitones(speed: float, pitch: float) -> None:
    out = run(tone(440, 6), speed=speed, pitch=pitch, piece=2)
    assert loudest(out) == pytest.approx(440 * 2 ** (pitch / 12), rel=0.003)


def test_pieces_are_joined_without_a_gap_or_a_bump() -> None:
    out = run(tone(440, 10) + tone(550, 10) + 0.5 * tone(1234, 10), speed=0.8, piece=2)
    window = round(0.05 * RATE)
    power = np.convolve(out[0].astype(np.float64) ** 2, np.full(window, 1 / window), mode="valid")[RATE:-RATE]
    level = 10 * np.log10(power / np.median(power))
    assert level.min() > -1.5
    assert level.max() < 1.5


def test_both_sides_stay_in_step() -> None:
    mono = np.random.default_rng(3).standard_normal((1, 5 * RATE)).astype(np.float32) * 0.1
    out = run(np.concatenate([mono, mono]), speed=0.9, piece=2)
    np.testing.assert_allclose(out[0], out[1], atol=1e-5)
