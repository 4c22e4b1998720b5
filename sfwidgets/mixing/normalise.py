"""By how much a whole mix is made louder or quieter."""

from __future__ import annotations

import numpy as np

from sfwidgets.audio.blocks import Block

CEILING = -1.0
"""dBFS, or dBTP: what streaming services ask for, so that encoders don't overshoot."""
TARGET_LOUDNESS = -14.0
"""LUFS: the level to which the large streaming services bring music."""


class ToPeak:
    """Brings the highest sample to -1 dBFS."""

    def __init__(self, sample_rate: int) -> None:
        self._peak = 0.0

    def push(self, block: Block) -> None:
        """Hear the next block, of shape (2, frames)."""
        self._peak = max(self._peak, float(np.abs(block).max(initial=0.0)))

    def gain(self) -> float:
        """Return the factor; 1 for silence."""
        return 1.0 if self._peak == 0 else _factor(CEILING) / self._peak


class ToLoudness:
    """Brings the integrated loudness to -14 LUFS, or as near to it as a true peak of -1 dBTP allows."""

    def __init__(self, sample_rate: int) -> None:
        from sfwidgets.analysis.levels import LevelReader
        from sfwidgets.analysis.loudness import LoudnessMeter

        self._loudness = LoudnessMeter(sample_rate, 2)
        self._levels = LevelReader(2)

    def push(self, block: Block) -> None:
        """Hear the next block, of shape (2, frames)."""
        self._loudness.push(block)
        self._levels.push(block)

    def gain(self) -> float:
        """Return the factor; 1 for silence, and for what is too short or too quiet to have a loudness."""
        loudness, true_peak = self._loudness.integrated(), self._levels.finish().true_peak
        if loudness is None or true_peak is None:
            return 1.0
        return _factor(min(TARGET_LOUDNESS - loudness, CEILING - true_peak))


NORMALISERS: dict[str, type[ToPeak] | type[ToLoudness]] = {"peak": ToPeak, "loudness": ToLoudness}


def _factor(decibels: float) -> float:
    return float(10 ** (decibels / 20))
