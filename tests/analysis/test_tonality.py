import numpy as np
import pytest
from synthesis import NAMES, RATE, analysed, noise, sine, song

from sfwidgets.analysis.framing import PowerSpectra
from sfwidgets.analysis.tonality import chroma, pitch_profiles, tuning

KEYS = [(tonic, mode) for mode in ("major", "minor") for tonic in range(12)]


@pytest.mark.parametrize(("tonic", "mode"), KEYS, ids=[f"{NAMES[t]}-{m}" for t, m in KEYS])
def test_each_of_the_24_keys_is_found(tonic: int, mode: str) -> None:
    analysis = analysed(song(120, 16, tonic=tonic, mode=mode, timbre=("organ", "saw")[tonic % 2]))
    assert analysis.key == f"{NAMES[tonic]} {mode}"
    assert analysis.key_strength > 0.7


@pytest.mark.parametrize("cents", [-30, 30])
@pytest.mark.parametrize(("tonic", "mode"), KEYS[::5])
def test_the_key_of_a_song_out_of_tune_is_found(tonic: int, mode: str, cents: float) -> None:
    assert analysed(song(120, 16, tonic=tonic, mode=mode, cents=cents)).key == f"{NAMES[tonic]} {mode}"


def _profile(frequency: float) -> np.ndarray:
    spectra = PowerSpectra(2, 16384, 8192)
    return pitch_profiles(spectra.push(sine(frequency, 3)), RATE)


@pytest.mark.parametrize("cents", [-42, -20, 0, 17, 45])
def test_the_tuning_is_found_to_a_few_cents(cents: float) -> None:
    assert tuning(_profile(440 * 2 ** (cents / 1200))) == pytest.approx(cents, abs=5)


@pytest.mark.parametrize(("frequency", "pitch_class"), [(261.63, "C"), (440.0, "A"), (110.0, "A"), (1244.51, "D#")])
def test_a_tone_sounds_in_its_own_pitch_class(frequency: float, pitch_class: str) -> None:
    mean = chroma(_profile(frequency)).mean(axis=1)
    assert NAMES[int(np.argmax(mean))] == pitch_class
    assert np.sort(mean)[-2] < 0.05 * mean.max()


@pytest.mark.parametrize(
    "signal",
    [noise(0.05), noise(2), noise(20), sine(440, 0.05), sine(440, 10), song(120, 4)[:, 1000:3205]],
    ids=["noise 50 ms", "noise 2 s", "noise 20 s", "tone 50 ms", "tone 10 s", "song 50 ms"],
)
def test_what_has_no_key_is_given_none(signal: np.ndarray) -> None:
    analysis = analysed(signal)
    assert analysis.key is None
    assert analysis.key_strength < 0.45
