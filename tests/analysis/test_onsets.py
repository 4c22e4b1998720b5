import mir_eval
import numpy as np
import pytest
from not_songs import click, noise, silence, tone
from synthesis import RATE

from sfwidgets.analysis.framing import PowerSpectra
from sfwidgets.analysis.onsets import BANDS, OnsetReader, Onsets, pick


def read(signal: np.ndarray, rate: int = RATE, length: int = 2048, size: int = 65536) -> Onsets:
    spectra = PowerSpectra(len(signal), length, length // 4)
    reader = OnsetReader(rate, length // 2 + 1)
    for start in range(0, signal.shape[1], size):
        reader.push(spectra.push(signal[:, start : start + size].astype(np.float32)))
    reader.push(spectra.finish())
    return reader.finish()


def pattern(seed: int, gap: float, seconds: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
    """Drum hits at random multiples of `gap` seconds, and their times."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(0.2 * RATE)) / RATE
    mixture, times = np.zeros(round(seconds * RATE)), []
    for at in np.arange(0.3, seconds - 0.4, gap):
        hiss = rng.standard_normal(len(t))
        drums = (
            np.sin(2 * np.pi * 55 * t) * np.exp(-18 * t),
            0.5 * hiss * np.exp(-25 * t) + 0.4 * np.sin(2 * np.pi * 190 * t) * np.exp(-30 * t),
            0.3 * np.diff(hiss, prepend=0) * np.exp(-80 * t),
        )
        if rng.random() < 0.7:
            start = round(at * RATE)
            mixture[start : start + len(t)] += rng.uniform(0.5, 1) * drums[rng.integers(3)]
            times.append(start / RATE)
    return np.tile(0.5 * mixture, (2, 1)), np.array(times)


def notes(gap: float = 0.25, count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """A line of plucked notes, each a second long, so that they overlap."""
    rng = np.random.default_rng(1)
    t = np.arange(RATE) / RATE
    mixture, times = np.zeros(round((count * gap + 2) * RATE)), 0.5 + gap * np.arange(count)
    for at in times:
        frequency = 440 * 2 ** (rng.integers(-15, 12) / 12)
        voice = sum(np.sin(2 * np.pi * k * frequency * t) / k for k in range(1, 7)) * np.exp(-4 * t)
        start = round(at * RATE)
        mixture[start : start + len(t)] += 0.1 * voice * np.minimum(1, t / 0.003)
    return mixture[None], times


@pytest.mark.parametrize("gap", [0.075, 0.11, 0.125, 0.25])
def test_drum_hits_are_found_to_10_ms(gap: float) -> None:
    signal, times = pattern(1, gap)
    found = np.array(pick(read(signal)))
    assert mir_eval.onset.f_measure(times, found, window=0.05)[0] > 0.9
    nearest = found[np.abs(found[:, None] - times).argmin(axis=0)]
    assert np.median(np.abs(nearest - times)) < 0.01
    assert abs(np.median(nearest - times)) < 0.007


def test_overlapping_notes_are_found() -> None:
    signal, times = notes()
    assert mir_eval.onset.f_measure(times, np.array(pick(read(signal))), window=0.05)[0] > 0.95


def test_the_onsets_do_not_depend_on_the_level() -> None:
    signal, _ = pattern(2, 0.125)
    assert pick(read(signal * 0.01)) == pytest.approx(pick(read(signal)), abs=1e-3)


def test_the_onsets_do_not_depend_on_the_blocks() -> None:
    signal, _ = pattern(3, 0.125, 6)
    np.testing.assert_allclose(read(signal, size=777).bands, read(signal).bands, atol=1e-6)


@pytest.mark.parametrize(
    "signal", [silence(5), np.zeros((1, 0)), np.ones((1, 10))], ids=["silence", "nothing", "short"]
)
def test_where_nothing_begins_there_is_no_onset(signal: np.ndarray) -> None:
    assert pick(read(signal)) == []


def test_a_click_is_one_onset() -> None:
    assert pick(read(click())) == pytest.approx([7.3], abs=0.01)


@pytest.mark.parametrize("signal", [tone(), noise(), noise(colour="pink")], ids=["tone", "white", "pink"])
def test_what_only_sounds_on_has_next_to_no_onsets(signal: np.ndarray) -> None:
    assert len(pick(read(signal))) <= 3


def test_vibrato_is_not_new_notes() -> None:
    t = np.arange(8 * RATE) / RATE
    phase = 2 * np.pi * 440 * t + 3.5 * np.sin(2 * np.pi * 5.5 * t)  # ±75 cents
    voice = sum(np.sin(k * phase) / k for k in range(1, 8))
    assert len(pick(read(0.1 * voice[None]))) <= 3


def test_the_bands_tell_the_drums_apart() -> None:
    t = np.arange(RATE) / RATE
    hits = {"bass": np.sin(2 * np.pi * 55 * t) * np.exp(-12 * t), "air": np.random.default_rng(0).standard_normal(RATE)}
    hits["air"] = np.diff(np.diff(hits["air"] * np.exp(-80 * t), prepend=0), prepend=0)
    for name, hit in hits.items():
        heard = read(np.concatenate([np.zeros(RATE), hit])[None])
        assert BANDS[int(heard.bands.sum(axis=0).argmax())] == name
        assert heard.envelope == pytest.approx(heard.bands.sum(axis=1), rel=1e-5)


@pytest.mark.parametrize(("rate", "length"), [(8000, 512), (22050, 1024), (96000, 4096)])
def test_any_sample_rate_will_do(rate: int, length: int) -> None:
    t = np.arange(4 * rate) / rate
    signal = np.sin(2 * np.pi * 700 * t) * np.exp(-12 * (t % 0.5)) * (t >= 0.5)
    found = pick(read(0.5 * signal[None], rate, length))
    assert found == pytest.approx(np.arange(0.5, 4, 0.5), abs=0.015)
