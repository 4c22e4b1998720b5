from __future__ import annotations

import numpy as np
import pytest
import soxr

from sfwidgets.audio import resample

RATES = [(44100, 48000), (48000, 44100), (8000, 44100), (192_000, 44100), (44100, 22050)]


@pytest.mark.parametrize(("old", "new"), RATES)
def test_a_sine_stays_a_sine(sine, cut, old, new):
    got = np.concatenate(list(resample(cut(sine(2, old, hertz=1000), 4096), old, new)), axis=1)
    truth = sine(2, new, hertz=1000)
    assert abs(got.shape[1] - truth.shape[1]) <= 1
    inner = slice(new // 10, -new // 10)
    length = min(got.shape[1], truth.shape[1])
    error = (got[:, :length] - truth[:, :length])[0, inner]
    assert 10 * np.log10(np.mean(truth[0, inner] ** 2) / np.mean(error**2)) > 100


def test_the_borders_of_blocks_leave_no_trace(noise, cut):
    signal = noise(50_000)
    whole = soxr.resample(signal.T, 44100, 48000, quality="HQ").T
    for frames in (50_000, 8192, 777, 1):
        got = np.concatenate(list(resample(cut(signal[:, :3000] if frames == 1 else signal, frames), 44100, 48000)), 1)
        inner = 2000 if frames == 1 else whole.shape[1]
        assert np.abs(got[:, :inner] - whole[:, :inner]).max() < 1e-5


def test_what_is_above_the_new_band_is_gone_and_not_folded_back(sine, cut):
    got = np.concatenate(list(resample(cut(sine(1, 48000, hertz=15_000), 4096), 48000, 22050)), axis=1)
    assert np.sqrt(np.mean(got[0, 2000:-2000] ** 2)) < 1e-5


@pytest.mark.parametrize("frames", [1, 5, 100])
def test_very_short_audio_keeps_its_length(noise, frames):
    got = list(resample([noise(frames)], 44100, 88200))
    assert abs(sum(b.shape[1] for b in got) - 2 * frames) <= 1


def test_the_same_rate_changes_nothing(noise):
    blocks = [noise(100), noise(50)]
    assert all(a is b for a, b in zip(resample(blocks, 44100, 44100), blocks, strict=True))


def test_no_audio_is_no_audio():
    assert list(resample([], 44100, 48000)) == []
