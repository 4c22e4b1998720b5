"""The spectrogram shows tones where they are, in time and in frequency, whatever the length of the song."""

from __future__ import annotations

import numpy as np
import pytest
from synthesis import RATE, blocks, sine

from sfwidgets.analysis.spectrogram import spectrogram


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
