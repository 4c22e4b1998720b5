import librosa
import numpy as np
import pytest
from synthesis import RATE, analysed, noise, sine, song

from sfwidgets.analysis.framing import PowerSpectra, fixed_blocks
from sfwidgets.analysis.spectrum import Spectrum, SpectrumReader, frame_powers


def spectrum(signal: np.ndarray, rate: int = RATE) -> Spectrum:
    spectra, reader = PowerSpectra(signal.shape[0], 2048, 512), SpectrumReader(rate, 1025)
    for block in fixed_blocks([signal.astype(np.float32)], 65536):
        reader.push(spectra.push(block))
    reader.push(spectra.finish())
    return reader.finish()


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
    heard = frame_powers((np.abs(librosa.stft(mono[0])).T / 512) ** 2) > 1e-7
    expected = librosa.feature.spectral_contrast(y=mono[0], sr=RATE)[:, heard].mean(axis=1)
    np.testing.assert_allclose(analysed(mono).spectral_contrast, expected, atol=0.2)


def librosas(signal: np.ndarray) -> dict[str, float]:
    """Librosa's values, averaged with the power of the frames that are not silent as weights."""
    magnitudes = np.abs(librosa.stft(signal))
    power = frame_powers((magnitudes.T / 512) ** 2)
    heard = power > 1e-7
    kept = {
        "centroid": librosa.feature.spectral_centroid(S=magnitudes, sr=RATE),
        "bandwidth": librosa.feature.spectral_bandwidth(S=magnitudes, sr=RATE),
        "rolloff": librosa.feature.spectral_rolloff(S=magnitudes, sr=RATE),
        "flatness": librosa.feature.spectral_flatness(S=magnitudes),
    }
    return {name: np.average(values[0][heard], weights=power[heard]) for name, values in kept.items()}


@pytest.mark.parametrize("name", ["centroid", "bandwidth", "rolloff", "flatness"])
@pytest.mark.parametrize(
    "signal",
    [song(110, 8, timbre="saw"), noise(4), noise(2, 1e-3), sine(440, 4, -6) + noise(4, 1e-4)],
    ids=["song", "noise", "soft noise", "tone and hiss"],
)
def test_the_shape_of_the_spectrum_is_librosas(signal: np.ndarray, name: str) -> None:
    mono = np.tile(signal[0], (2, 1))
    assert getattr(spectrum(mono), name) == pytest.approx(librosas(mono[0])[name], rel=2e-3)


def test_the_spectrum_of_white_noise_is_wide_and_flat() -> None:
    hiss = spectrum(noise(5)[:1])
    assert hiss.rolloff == pytest.approx(0.85 * RATE / 2, rel=0.02)
    assert hiss.bandwidth == pytest.approx(RATE / 2 / np.sqrt(12), rel=0.02)
    assert hiss.flatness == pytest.approx(np.exp(-np.euler_gamma), abs=0.02)


def test_the_spectrum_of_a_tone_is_narrow_and_not_flat() -> None:
    tone = spectrum(sine(3000, 5, -6))
    assert tone.rolloff == pytest.approx(3000, abs=50)
    assert tone.bandwidth is not None
    assert tone.bandwidth < 300
    assert tone.flatness == pytest.approx(0, abs=1e-4)


def test_silence_changes_nothing_of_the_shape_or_the_contrast() -> None:
    signal = song(100, 4)
    hiss = noise(8, 1e-6)
    alone, between = spectrum(signal), spectrum(np.concatenate([hiss, signal, hiss], axis=1))
    np.testing.assert_allclose(between.contrast, alone.contrast, atol=0.5)
    for name in ("centroid", "bandwidth", "rolloff", "flatness"):
        assert getattr(between, name) == pytest.approx(getattr(alone, name), rel=0.01)


@pytest.mark.parametrize("signal", [np.zeros((2, 0)), np.zeros((2, RATE)), noise(1, 1e-6)], ids=["", "0", "dither"])
def test_silence_has_no_shape(signal: np.ndarray) -> None:
    silence = spectrum(signal)
    assert (silence.centroid, silence.bandwidth, silence.rolloff, silence.flatness) == (None, None, None, None)
    assert silence.contrast == [0.0] * 7
    assert len(silence.points) == 100


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
