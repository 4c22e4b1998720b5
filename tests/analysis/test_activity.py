from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from sfwidgets.analysis.activity import RATE, ActivityReader, active
from sfwidgets.models import Span

SAMPLES = 44100
SECONDS = 40.0
PHRASES = [(2.0, 5.5), (7.1, 7.6), (10.0, 16.25), (18.0, 18.9), (25.0, 38.0)]


def levels(samples: np.ndarray, rate: int = SAMPLES, block: int = 65536) -> np.ndarray:
    reader = ActivityReader(rate, len(samples))
    for start in range(0, samples.shape[1], block):
        reader.push(samples[:, start : start + block].astype(np.float32))
    return reader.finish()


def voice(phrases: list[tuple[float, float]], level: float = -18.0, seed: int = 0) -> np.ndarray:
    """Syllables of 0.1 to 0.4 s with breaths between them of up to 0.3 s, some 12 dB quieter than others; dBFS, RMS."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(SECONDS * SAMPLES)) / SAMPLES
    gain = np.zeros(len(t))
    for start, end in phrases:
        at = start
        while at < end:
            stop = min(end, at + rng.uniform(0.1, 0.4))
            stop = end if end - stop < 0.5 else stop
            inside = (t >= at) & (t < stop)
            fades = np.minimum(1, np.minimum(t[inside] - at, stop - t[inside]) / 0.015)
            gain[inside] = fades * 10 ** (-rng.uniform(0, 12) / 20)
            at = stop + rng.uniform(0, 0.3)
    tone = sum(np.sin(2 * np.pi * k * 220 * t + np.sin(30 * t)) / k for k in range(1, 8))
    return np.tile(10 ** (level / 20) * gain * tone / np.std(tone), (2, 1))


def band(seed: int = 1) -> np.ndarray:
    """Drums and chords throughout, at some -12 dBFS."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(SECONDS * SAMPLES)) / SAMPLES
    hits = rng.standard_normal(len(t)) * np.exp(-12 * (t % 0.5))
    return np.tile(0.6 * hits + 0.12 * np.sin(2 * np.pi * 196 * t) + 0.12 * np.sin(2 * np.pi * 247 * t), (2, 1))


def frames(spans: list[tuple[float, float]]) -> np.ndarray:
    t = (np.arange(round(SECONDS * 100)) + 0.5) / 100
    return np.array([any(a <= at < b for a, b in spans) for at in t])


def f_measure(found: list[Span], truth: list[tuple[float, float]]) -> float:
    answer, true = frames([(span.start, span.end) for span in found]), frames(truth)
    return float(2 * (answer & true).sum() / (answer.sum() + true.sum()))


@pytest.mark.parametrize("bleed", [-30.0, -35.0, -40.0])
@pytest.mark.parametrize("level", [-10.0, -14.0, -18.0])
def test_phrases_are_found_beside_what_leaks_in(bleed: float, level: float) -> None:
    sung, others = voice(PHRASES, level), band()
    stem = sung + 10 ** (bleed / 20) * others
    found = active(levels(stem), levels(sung + others))
    assert len(found) == len(PHRASES)
    for span, (start, end) in zip(found, PHRASES, strict=True):
        assert span.start == pytest.approx(start, abs=0.1) and span.end == pytest.approx(end, abs=0.1)
    assert f_measure(found, PHRASES) >= 0.95


def test_phrases_are_found_without_the_mixture_too_where_little_leaks_in() -> None:
    found = active(levels(voice(PHRASES) + 10 ** (-45 / 20) * band()))
    assert f_measure(found, PHRASES) >= 0.95


@pytest.mark.parametrize("bleed", [-30.0, -40.0])
def test_a_stem_that_holds_only_what_leaked_in_is_silent(bleed: float) -> None:
    others = band()
    assert active(levels(10 ** (bleed / 20) * others), levels(others)) == []


def test_silence_has_no_activity_and_a_held_tone_has_one() -> None:
    silent = np.zeros((2, SAMPLES * 3))
    assert active(levels(silent)) == [] and active(levels(silent), levels(silent)) == []
    assert active(np.zeros(0, np.float32)) == [] and active(np.zeros(0, np.float32), np.zeros(0, np.float32)) == []
    tone = np.tile(0.2 * np.sin(np.arange(SAMPLES * 3) / 10), (1, 1))
    assert active(levels(tone)) == [Span(start=0, end=3)]
    assert active(levels(tone), levels(tone)) == [Span(start=0, end=3)]


def test_breaths_are_part_of_a_phrase_and_blips_are_none() -> None:
    power = np.full(20 * RATE, 1e-9, dtype=np.float32)
    for start, end in ((2.0, 3.0), (3.5, 4.0), (4.7, 6.0), (10.0, 10.1)):
        power[round(start * RATE) : round(end * RATE)] = 0.01
    assert [(span.start, span.end) for span in active(power)] == [(2.0, 4.0), (4.7, 6.0)]


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 96000])
def test_levels_are_mean_squares_of_25_ms_however_the_stream_is_cut(rate: int) -> None:
    samples = np.random.default_rng(0).standard_normal((2, 3 * rate + 7)).astype(np.float32)
    whole = levels(samples, rate, block=samples.shape[1])
    assert len(whole) == 3 * RATE + 1
    edges = np.rint(np.arange(3 * RATE + 1) * rate / RATE).astype(int)
    expected = [np.mean(samples[:, a:b].astype(np.float64) ** 2) for a, b in pairwise(edges)]
    assert whole[:-1] == pytest.approx(expected, rel=1e-4)
    assert levels(samples, rate, block=777) == pytest.approx(whole, rel=1e-4)
