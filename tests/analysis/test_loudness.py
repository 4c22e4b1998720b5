from fractions import Fraction

import av
import numpy as np
import pytest
from synthesis import RATE, noise, sine, song

from sfwidgets.analysis.framing import fixed_blocks
from sfwidgets.analysis.loudness import LoudnessMeter, k_weighting

SILENCE = -200.0


def measured(signal: np.ndarray, rate: int = 48000, size: int = 65536) -> LoudnessMeter:
    meter = LoudnessMeter(rate, signal.shape[0])
    for block in fixed_blocks([signal], size):
        meter.push(block)
    return meter


def integrated(signal: np.ndarray, rate: int = 48000) -> float | None:
    return measured(signal, rate).integrated()


def curves(signal: np.ndarray, rate: int = 48000) -> tuple[np.ndarray, np.ndarray]:
    """Momentary and short-term loudness, every 0.1 s, with `SILENCE` for None."""
    curve = measured(signal, rate).curve()
    assert curve is not None
    assert curve.interval == 0.1
    momentary, short_term = (
        np.array([SILENCE if value is None else value for value in values])
        for values in (curve.momentary, curve.short_term)
    )
    return momentary, short_term


def programme(*parts: tuple[float, float]) -> np.ndarray:
    """1 kHz in stereo, as EBU Tech 3341 and 3342 have it: (level in dBFS, seconds) one after the other."""
    return np.concatenate([sine(1000, seconds, level, 48000) for level, seconds in parts], axis=1)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-23, 20)], -23.0),
        ([(-33, 20)], -33.0),
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
    ],
    ids=["case 1", "case 2", "case 3", "case 4", "case 5"],
)
def test_ebu_tech_3341_minimum_requirements(parts: list[tuple[float, float]], expected: float) -> None:
    assert integrated(programme(*parts)) == pytest.approx(expected, abs=0.1)


def test_ebu_tech_3341_case_6_weighs_the_surround_channels() -> None:
    tone = sine(1000, 20, 0, 48000)[0]
    levels = np.array([-28, -28, -24, -30, -30])
    assert integrated((10 ** (levels[:, None] / 20) * tone).astype(np.float32)) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("rate", [22050, 32000, 44100, 96000])
def test_the_sample_rate_does_not_matter(rate: int) -> None:
    assert integrated(sine(1000, 5, -23, rate), rate) == pytest.approx(-23.0, abs=0.1)


def test_the_filter_is_the_one_that_bs_1770_tabulates_for_48_khz() -> None:
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585]
    high_pass = [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621]
    np.testing.assert_allclose(k_weighting(48000), [shelf, high_pass], atol=1e-7)


@pytest.mark.parametrize(
    "signal", [np.zeros((2, 48000)), noise(5, 1e-5), sine(1000, 0.39, -10, 48000)], ids=["silence", "dither", "390 ms"]
)
def test_what_no_gate_lets_through_has_no_loudness(signal: np.ndarray) -> None:
    assert integrated(signal.astype(np.float32)) is None


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-20, 20), (-30, 20)], 10),
        ([(-20, 20), (-15, 20)], 5),
        ([(-40, 20), (-20, 20)], 20),
        ([(-50, 20), (-35, 20), (-20, 20), (-35, 20), (-50, 20)], 15),
    ],
    ids=["case 1", "case 2", "case 3", "case 4"],
)
def test_ebu_tech_3342_minimum_requirements(parts: list[tuple[float, float]], expected: float) -> None:
    assert measured(programme(*parts)).range() == pytest.approx(expected, abs=1)


def test_ebu_tech_3341_case_9_the_short_term_loudness_of_a_fast_alternation_is_constant() -> None:
    short_term = curves(programme(*[(-20, 1.34), (-30, 1.66)] * 5))[1]
    np.testing.assert_allclose(short_term[31:], -23.0, atol=0.1)


def test_ebu_tech_3341_case_10_the_highest_short_term_loudness_is_found_wherever_it_is() -> None:
    for step in range(20):
        signal = programme((SILENCE, step * 0.15), (-23, 3), (SILENCE, 1))
        assert curves(signal)[1].max() == pytest.approx(-23.0, abs=0.1)


def test_ebu_tech_3341_case_11_short_term_loudness_follows() -> None:
    parts = [programme((SILENCE, i * 0.15), (-38 + i, 3), (SILENCE, 3 - i * 0.15)) for i in range(20)]
    short_term = curves(np.concatenate(parts, axis=1))[1]
    np.testing.assert_allclose(short_term[:1200].reshape(20, 60).max(axis=1), np.arange(-38, -18), atol=0.1)


def test_ebu_tech_3341_case_12_the_momentary_loudness_of_a_fast_alternation_is_constant() -> None:
    momentary = curves(programme(*[(-20, 0.18), (-30, 0.22)] * 25))[0]
    np.testing.assert_allclose(momentary[10:], -23.0, atol=0.1)


def test_ebu_tech_3341_cases_13_and_14_momentary_loudness_follows() -> None:
    # The cases move in steps of 20 ms; a curve with a value every 100 ms can only show those that fall on it.
    parts = [programme((SILENCE, i * 0.02), (-38 + i, 0.4), (SILENCE, 0.4 - i * 0.02)) for i in range(0, 20, 5)]
    momentary = curves(np.concatenate(parts, axis=1))[0]
    np.testing.assert_allclose(momentary[1:33].reshape(4, 8).max(axis=1), np.arange(-38, -18, 5), atol=0.1)


def test_a_value_of_the_curves_stands_for_what_was_heard_up_to_its_time() -> None:
    momentary, short_term = curves(programme((SILENCE, 5), (-20, 5), (SILENCE, 5)))
    assert len(momentary) == len(short_term) == 151
    heard = np.flatnonzero(momentary > SILENCE)
    assert heard[0] == 51
    assert 103 <= heard[-1] <= 104  # the filter rings on
    np.testing.assert_allclose(momentary[54:101], -20.0, atol=0.1)
    heard = np.flatnonzero(short_term > SILENCE)
    assert heard[0] == 51
    assert 129 <= heard[-1] <= 130
    np.testing.assert_allclose(short_term[80:101], -20.0, atol=0.1)


def test_ffmpegs_meter_says_the_same_of_music() -> None:
    levels = np.interp(np.arange(40 * RATE) / RATE, [0, 10, 12, 25, 26, 40], [-25, -20, 0, -3, -30, -12])
    signal = (song(117, 40, timbre="saw") * 10 ** (levels / 20)).astype(np.float32)
    signal[1] *= 0.5
    said = ffmpeg_meter(signal)
    meter = measured(signal, RATE)
    assert meter.integrated() == pytest.approx(float(said[-1]["I"]), abs=0.1)
    assert meter.range() == pytest.approx(float(said[-1]["LRA"]), abs=0.1)
    momentary, short_term = curves(signal, RATE)
    np.testing.assert_allclose(momentary[4:401], [float(one["M"]) for one in said[3:400]], atol=0.1)
    np.testing.assert_allclose(short_term[30:401], [float(one["S"]) for one in said[29:400]], atol=0.1)


def ffmpeg_meter(signal: np.ndarray) -> list[dict[str, str]]:
    """What FFmpeg's `ebur128` filter, an implementation of its own, says after each 100 ms."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=RATE, format="flt", layout="stereo", time_base=Fraction(1, RATE))
    meter = graph.add("ebur128", "metadata=1")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    said = []
    step = RATE // 10
    for start in range(0, signal.shape[1], step):
        samples = np.ascontiguousarray(signal[:, start : start + step].T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="stereo")
        frame.sample_rate, frame.pts = RATE, start
        graph.push(frame)
        try:
            said.append({name.rpartition(".")[2]: value for name, value in graph.pull().metadata.items()})
        except BlockingIOError:
            continue
    return said


def test_the_blocks_do_not_matter() -> None:
    signal = song(100, 6)
    meters = [measured(signal, RATE, size) for size in (777, 65536)]
    assert meters[0].curve() == meters[1].curve()
    assert meters[0].integrated() == pytest.approx(meters[1].integrated(), abs=1e-9)


def test_what_is_too_short_or_silent_has_no_loudness_range() -> None:
    assert measured(sine(1000, 2.9, -20, 48000)).range() is None
    assert measured(sine(1000, 3.1, -20, 48000)).range() == pytest.approx(0, abs=0.1)
    assert measured(np.zeros((2, 5 * 48000), np.float32)).range() is None


def test_silence_is_none_on_the_curves_and_nothing_has_none() -> None:
    curve = measured(np.zeros((2, 48000), np.float32)).curve()
    assert curve is not None
    assert curve.momentary == curve.short_term == [None] * 11
    assert measured(np.zeros((2, 100), np.float32)).curve() is None
