"""The spectrogram shows tones where they are, in time and in frequency, whatever the length of the song."""

from __future__ import annotations

import numpy as np
import pytest
from synthesis import RATE, blocks, sine

from sfwidgets.analysis.spectrogram import chromagram, spectrogram


@pytest.mark.parametrize("columns", [50, 1200])
def test_two_tones_after_one_another_are_seen_where_they_sound(columns: int) -> None:
    signal = np.concatenate([sine(1000, 4.0), sine(5000, 4.0, level=-20)], axis=1)
    picture = spectrogram(blocks(signal, 30000)(), RATE, 8.0, columns)
    assert len(picture.times) <= columns and picture.times[-1] == pytest.approx(8.0, abs=0.2)
    for moment, frequency, level in ((2.0, 1000, 0), (6.0, 5000, -20)):
        column = picture.levels[:, np.argmin(np.abs(picture.times - moment))]
        assert picture.frequencies[column.argmax()] == pytest.approx(frequency, abs=15)
        assert column.max() == pytest.approx(level, abs=1.5)


def test_nothing_has_an_empty_picture() -> None:
    assert spectrogram(iter(()), RATE, 0.0).levels.shape[1] == 0


@pytest.mark.parametrize("columns", [20, 1200])
def test_two_notes_after_one_another_are_seen_in_their_pitch_classes(columns: int) -> None:
    signal = np.concatenate([sine(440.0, 4.0), sine(523.25, 4.0)], axis=1)
    picture = chromagram(blocks(signal, 30000)(), RATE, columns)
    assert picture.shape[0] == 12 and picture.shape[1] <= columns and picture.max() == 1
    quarter = picture.shape[1] // 4
    assert picture[:, :quarter].mean(axis=1).argmax() == 9  # A
    assert picture[:, -quarter:].mean(axis=1).argmax() == 0  # C


def test_noise_and_nothing_have_no_pitch_classes() -> None:
    assert chromagram(iter(()), RATE).shape == (12, 0)
    assert not chromagram(blocks(np.zeros((2, RATE), dtype=np.float32), RATE)(), RATE).any()
