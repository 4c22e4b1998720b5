import numpy as np
import pytest
from scipy import signal as dsp
from synthesis import RATE, noise, song

from sfwidgets.analysis.framing import fixed_blocks
from sfwidgets.analysis.levels import LevelReader, Levels


def levels(signal: np.ndarray, size: int = 65536) -> Levels:
    reader = LevelReader(signal.shape[0])
    for block in fixed_blocks([signal.astype(np.float32)], size):
        reader.push(block)
    return reader.finish()


def tone(samples_a_period: float, amplitude: float, degrees: float) -> np.ndarray:
    """A stereo sine that fades in and out over 0.1 s, as the true-peak signals of EBU Tech 3341 do."""
    n = np.arange(RATE)
    fade = np.minimum(1, np.minimum(n, n[::-1]) / (0.1 * RATE))
    return np.tile(fade * amplitude * np.sin(2 * np.pi * n / samples_a_period + np.radians(degrees)), (2, 1))


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        (tone(4, 0.5, 0), -6.0),
        (tone(4, 0.5, 45), -6.0),
        (tone(6, 0.5, 60), -6.0),
        (tone(8, 0.5, 67.5), -6.0),
        (tone(4, 1.41, 45), 3.0),
    ],
    ids=["case 15", "case 16", "case 17", "case 18", "case 19"],
)
def test_ebu_tech_3341_true_peaks(signal: np.ndarray, expected: float) -> None:
    true_peak = levels(signal).true_peak
    assert true_peak is not None
    assert expected - 0.4 <= true_peak <= expected + 0.2


@pytest.mark.parametrize("offset", [0, 1, 2, 3], ids=["case 20", "case 21", "case 22", "case 23"])
def test_ebu_tech_3341_true_peaks_of_a_burst_between_samples(offset: int) -> None:
    # In the manner of the cases: one louder period of fs/4 within fs/6, made at four times the rate, highest point 1,
    # and brought down to the rate so that the peak falls 0, 1, 2 or 3 quarters of a sample beside a sample.
    n = np.arange(-8000, 8000)
    burst = 0.5 * np.cos(2 * np.pi * n / 24) + np.where(np.abs(n) < 8, np.cos(2 * np.pi * n / 16), 0)
    smooth = dsp.filtfilt(dsp.firwin(401, 0.22), 1, burst * dsp.windows.tukey(len(n), 0.2))
    signal = (smooth / np.abs(smooth).max())[offset::4]
    true_peak = levels(np.tile(signal, (2, 1))).true_peak
    assert true_peak is not None
    assert -0.4 <= true_peak <= 0.2
    if offset == 2:
        assert 20 * np.log10(np.abs(signal).max()) < -0.6  # the samples alone do not show it


@pytest.mark.parametrize("frequency", [997, 5000, 11025, 15000, 20000])
def test_the_true_peak_of_a_tone_is_its_amplitude_at_any_phase(frequency: float) -> None:
    for degrees in np.linspace(0, 180, 13):
        assert levels(tone(RATE / frequency, 1, degrees)).true_peak == pytest.approx(0, abs=0.15)


@pytest.mark.parametrize("gain", [1, 5], ids=["as it is", "clipped"])
def test_the_true_peak_of_music_is_that_of_the_continuous_signal(gain: float) -> None:
    clipped = np.clip(gain * song(120, 4, timbre="saw"), -1, 1)
    signal = dsp.lfilter(dsp.firwin(255, 18000, fs=RATE), 1, clipped, axis=1)  # as lossy coding does
    continuous = dsp.resample(signal.astype(float), 32 * signal.shape[1], axis=1)
    expected = 20 * np.log10(np.abs(continuous).max())
    assert levels(signal).true_peak == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("size", [1, 15, 16, 24, 1000])
def test_a_peak_is_seen_across_the_edges_of_blocks(size: int) -> None:
    for start in range(960, 1000):
        signal = np.zeros((1, 2000))
        signal[0, start : start + 2] = 1  # its peak lies between these two
        whole, cut = levels(signal), levels(signal, size)
        assert cut.true_peak == pytest.approx(whole.true_peak, abs=1e-5)
        assert whole.true_peak == pytest.approx(20 * np.log10(4 / np.pi), abs=0.05)


def test_a_peak_after_the_last_sample_is_seen() -> None:
    for length in range(100, 140):
        samples = np.zeros((1, length))
        samples[0, -2:] = [-1, 1]  # beside these, the signal rises on
        later = levels(np.pad(samples, ((0, 0), (0, 100)))).true_peak
        assert levels(samples).true_peak == later > 0.5


def test_the_levels_of_a_square_wave() -> None:
    square = levels(np.tile([0.5, 0.5, -0.5, -0.5], (2, 5000)))
    assert (square.sample_peak, square.rms) == pytest.approx((-6.02, -6.02), abs=0.01)
    assert square.crest_factor == pytest.approx(0, abs=0.01)


def test_the_levels_of_a_sine() -> None:
    sine = levels(np.sin(2 * np.pi * 441 * np.arange(RATE) / RATE)[None])
    assert (sine.sample_peak, sine.rms, sine.crest_factor) == pytest.approx((0, -3.01, 3.01), abs=0.01)


def test_the_highest_sample_of_either_sign_in_any_channel_counts() -> None:
    signal = np.zeros((2, 1000))
    signal[0, 10], signal[1, 500] = 0.5, -0.8
    assert levels(signal).sample_peak == pytest.approx(20 * np.log10(0.8))
    assert levels(signal).rms == pytest.approx(10 * np.log10((0.25 + 0.64) / 2000))


MID, SIDE = noise(2, 0.2, 1)[0], noise(2, 0.2, 2)[0]


@pytest.mark.parametrize(
    ("left", "right", "width", "correlation"),
    [
        (MID, MID, 0, 1),
        (MID, 0.5 * MID, 0.1, 1),
        (MID, -MID, 1, -1),
        (MID, SIDE, 0.5, 0),
        (MID + SIDE, MID - SIDE, 0.5, 0),
        (MID + 0.5 * SIDE, MID - 0.5 * SIDE, 0.2, 0.6),
        (MID, 0 * MID, 0.5, None),
    ],
    ids=["mono", "off centre", "opposite", "unrelated", "equal mid and side", "some side", "one side"],
)
def test_the_stereo_image(left: np.ndarray, right: np.ndarray, width: float, correlation: float | None) -> None:
    measured = levels(np.stack([left, right]))
    assert measured.stereo_width == pytest.approx(width, abs=0.02)
    assert measured.stereo_correlation == (correlation if correlation is None else pytest.approx(correlation, abs=0.02))


def test_hiss_between_the_music_does_not_change_the_stereo_image() -> None:
    signal = np.concatenate([np.tile(MID, (2, 1)), noise(10, 1e-5)], axis=1)
    assert levels(signal).stereo_width == pytest.approx(0, abs=1e-6)


def test_one_channel_has_no_stereo_image() -> None:
    mono = levels(MID[None])
    assert (mono.stereo_width, mono.stereo_correlation) == (None, None)
    assert mono.rms == pytest.approx(20 * np.log10(0.2), abs=0.1)


@pytest.mark.parametrize("signal", [np.zeros((2, 0)), np.zeros((2, RATE)), np.zeros((1, 3))])
def test_digital_silence_has_no_levels(signal: np.ndarray) -> None:
    assert levels(signal) == Levels(None, None, None, None, None, None)


def test_hiss_has_levels_but_no_stereo_image() -> None:
    hiss = levels(noise(1, 1e-5))
    assert hiss.rms == pytest.approx(-100, abs=0.2)
    assert (hiss.stereo_width, hiss.stereo_correlation) == (None, None)
