"""Several lanes as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from sfwidgets.audio import Reader
from sfwidgets.audio.blocks import Block
from sfwidgets.mixing.gains import Gains

BLOCK_FRAMES = 65536


def mixed(lanes: Mapping[str, Reader], gains: Gains, start: int, end: int) -> Iterator[Block]:
    """Yield the sum of the lanes' frames `start` to `end`, each by its gains, in blocks of shape (2, frames).

    A lane without gains is not heard.
    """
    factors = [(lanes[name], np.array(pair, dtype=np.float32)[:, None]) for name, pair in gains.items()]
    for first in range(start, end, BLOCK_FRAMES):
        last = min(first + BLOCK_FRAMES, end)
        total = np.zeros((2, last - first), dtype=np.float32)
        for lane, factor in factors:
            total += lane.block(first, last) * factor
        yield total
