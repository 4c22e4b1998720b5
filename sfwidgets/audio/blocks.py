"""What a block of audio is, and how a stream of them is cut to another length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]
"""Audio of shape (channels, frames), full scale at ±1."""


def rechunk(blocks: Iterable[Block], frames: int) -> Iterator[Block]:
    """Yield the same audio in blocks of exactly `frames`; only the last may be shorter, and none is empty."""
    held: list[Block] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += block.shape[1]
        if count < frames:
            continue
        joined = np.concatenate(held, axis=1)
        whole = count - count % frames
        for start in range(0, whole, frames):
            yield joined[:, start : start + frames]
        held = [joined[:, whole:].copy()]
        count -= whole
    if count:
        yield np.concatenate(held, axis=1)
