import librosa
import numpy as np
import pytest
from synthesis import RATE, analysed, noise, sine, song


@pytest.mark.parametrize("frequency", [250, 1000, 5000])
def test_the_centroid_of_a_tone_is_its_frequency(frequency: float) -> None:
    assert analysed(sine(frequency, 5)).spectral_centroid == pytest.approx(frequency, rel=0.02)


def test_the_centroid_of_white_noise_is_half_way_up() -> None:
    assert analysed(noise(5)).spectral_centroid == pytest.approx(RATE / 4, rel=0.02)


def test_silence_does_not_change_the_centroid() -> None:
    signal = np.concatenate([sine(1000, 3), np.zeros((2, 5 * RATE), dtype=np.float32)], axis=1)
    assert analysed(signal).spectral_centroid == pytest.approx(1000, rel=0.02)


def test_channels_in_opposite_phase_do_not_cancel() -> None:
    tone = sine(1000, 3, -10)
    tone[1] *= -1
    assert analysed(tone).spectral_centroid == pytest.approx(1000, rel=0.02)


@pytest.mark.parametrize("signal", [song(110, 8, timbre="saw"), noise(4)], ids=["song", "noise"])
def test_the_contrast_is_librosas(signal: np.ndarray) -> None:
    mono = np.tile(signal[0], (2, 1))
    expected = librosa.feature.spectral_contrast(y=mono[0], sr=RATE).mean(axis=1)
    np.testing.assert_allclose(analysed(mono).spectral_contrast, expected, atol=0.2)


def test_the_spectrum_shows_a_tone_where_it_lies_and_how_strong_it_is() -> None:
    spectrum = analysed(sine(3000, 10, -6)).frequency_spectrum
    assert len(spectrum) == 100
    assert int(np.argmax(spectrum)) == int(3000 / (RATE / 2) * 100)
    assert max(spectrum) == pytest.approx(10 ** (-6 / 20), rel=0.02)


def test_the_envelope_shows_the_peaks_where_they_are() -> None:
    signal = np.zeros((2, 60 * RATE), dtype=np.float32)
    signal[1, 15 * RATE] = -0.8
    signal[0, 45 * RATE] = 1.7
    envelope = np.array(analysed(signal).waveform_envelope)
    assert len(envelope) == 1000
    np.testing.assert_allclose(np.flatnonzero(envelope), [250, 750], atol=1)
    assert envelope.max() == 1.0
    assert np.sort(envelope)[-2] == pytest.approx(0.8)
