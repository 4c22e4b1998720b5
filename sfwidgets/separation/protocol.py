"""What every separator is: sources, a sample rate, and blocks of audio in, blocks of stems out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]
"""Audio of shape (channels, frames), full scale at ±1."""

StemBlock = NDArray[np.float32]
"""Stems of shape (sources, channels, frames), full scale at ±1."""

OpenMixture = Callable[[], Iterator[Block]]
"""Opens the mixture from its start, at the separator's sample rate and channels; called once a pass."""

Progress = Callable[[float], None]
"""Told the share done, 0 to 1, at least once a segment. It may raise, to stop the work there: that is how a job is
cancelled."""


class Separator(Protocol):
    """A model that is loaded and warm."""

    name: str
    sources: tuple[str, ...]
    sample_rate: int
    channels: int
    precision: str
    """What it really computes in: `float32`, `bfloat16` or `float16`."""

    def separate(
        self,
        mixture: OpenMixture,
        *,
        sources: tuple[str, ...],
        overlap: float,
        shifts: int,
        seed: int,
        progress: Progress,
    ) -> Iterator[StemBlock]:
        """Separate a stream, yielding blocks of the chosen `sources`, in that order.

        The blocks that come out add up to exactly as many frames as went in. Memory does not grow with the length.
        """
        ...
