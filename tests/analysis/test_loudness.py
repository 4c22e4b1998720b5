import numpy as np
import pytest
from synthesis import noise, sine

from sfwidgets.analysis.framing import fixed_blocks
from sfwidgets.analysis.loudness import LoudnessMeter, k_weighting


def integrated(signal: np.ndarray, rate: int = 48000) -> float | None:
    meter = LoudnessMeter(rate, signal.shape[0])
    for block in fixed_blocks([signal], 65536):
        meter.push(block)
    return meter.integrated()


def programme(*parts: tuple[float, float]) -> np.ndarray:
    """1 kHz in stereo, as EBU Tech 3341 has it: (level in dBFS, seconds) one after the other."""
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
