import librosa
import numpy as np
import pytest
from synthesis import RATE, noise, sine, song

from sfwidgets.analysis.framing import PowerSpectra, fixed_blocks
from sfwidgets.analysis.spectrum import frame_powers
from sfwidgets.analysis.timbre import Timbre, TimbreReader, mel_filters


def timbre(signal: np.ndarray, size: int = 65536) -> Timbre:
    spectra, reader = PowerSpectra(signal.shape[0], 2048, 512), TimbreReader(RATE, 1025)
    for block in fixed_blocks([signal.astype(np.float32)], size):
        reader.push(spectra.push(block))
    reader.push(spectra.finish())
    return reader.finish()


@pytest.mark.parametrize(("rate", "length"), [(44100, 2048), (22050, 1024), (48000, 2048)])
def test_the_mel_filters_are_librosas(rate: int, length: int) -> None:
    expected = librosa.filters.mel(sr=rate, n_fft=length, n_mels=128)
    np.testing.assert_allclose(mel_filters(rate, length // 2 + 1), expected.T, atol=1e-6)


def librosas(signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Librosa's coefficients, shape (frames, 20), and which of the frames are not silent."""
    magnitudes = np.abs(librosa.stft(signal))
    heard = frame_powers((magnitudes.T / 512) ** 2) > 1e-7
    return librosa.feature.mfcc(y=signal, sr=RATE, n_mfcc=20).T, heard


@pytest.mark.parametrize(
    "signal", [song(110, 8, timbre="saw"), noise(4), sine(1000, 4, -6)], ids=["song", "noise", "tone"]
)
def test_the_mean_mfcc_are_librosas(signal: np.ndarray) -> None:
    expected, heard = librosas(signal[0])
    mono = np.tile(signal[0], (2, 1))
    np.testing.assert_allclose(timbre(mono).mean, expected[heard].mean(axis=0), atol=0.5)  # they reach 400 and more


def test_the_mfcc_over_time_are_librosas_averaged_over_a_tenth_of_a_second() -> None:
    signal = song(110, 8, timbre="saw")
    measured = timbre(signal)
    expected, heard = librosas(signal[0])
    assert measured.frame_rate == pytest.approx(RATE / 512 / 9)
    assert measured.mfcc.shape == (round(8 * measured.frame_rate), 20)
    compared = 0
    for i in range(1, len(measured.mfcc) - 1):
        group = slice(9 * i - 4, 9 * i + 5)
        if heard[group].any():
            mean = expected[group][heard[group]].mean(axis=0)
            np.testing.assert_allclose(measured.mfcc[i], mean, atol=3)
            compared += 1
    assert compared > 50


def test_a_change_of_timbre_is_seen_when_it_comes() -> None:
    measured = timbre(np.concatenate([sine(400, 3, -20), noise(3, 0.1)], axis=1))
    steps = np.linalg.norm(np.diff(measured.mfcc[:, 1:], axis=0), axis=1)
    assert (np.argmax(steps) + 0.5) / measured.frame_rate == pytest.approx(3, abs=0.1)


def test_how_loud_it_is_only_changes_the_first_coefficient() -> None:
    loud, soft = timbre(noise(3, 0.3)).mean, timbre(noise(3, 0.03)).mean
    np.testing.assert_allclose(soft[1:], loud[1:], atol=0.01)
    assert loud[0] - soft[0] == pytest.approx(20 * np.sqrt(128), rel=1e-3)


def test_silence_does_not_change_the_mean() -> None:
    signal = noise(3)
    quiet = np.zeros((2, 5 * RATE), dtype=np.float32)
    np.testing.assert_allclose(timbre(np.concatenate([signal, quiet], axis=1)).mean, timbre(signal).mean, atol=8)


def test_channels_in_opposite_phase_do_not_cancel() -> None:
    signal = noise(2)
    signal[1] = signal[0]
    np.testing.assert_allclose(timbre(signal * [[1], [-1]]).mean, timbre(signal).mean, atol=1e-3)


def test_the_blocks_do_not_matter() -> None:
    signal = song(100, 5)
    np.testing.assert_allclose(timbre(signal, 44100).mfcc, timbre(signal, 777).mfcc, atol=1.5)


def test_silence_has_no_mean_and_nothing_no_frames() -> None:
    silence = timbre(np.zeros((2, RATE)))
    assert silence.mean == []
    assert len(silence.mfcc) == 10
    nothing = TimbreReader(RATE, 1025).finish()
    assert (nothing.mean, nothing.mfcc.shape) == ([], (0, 20))
    assert np.isfinite(timbre(noise(0.001)).mfcc).all()
