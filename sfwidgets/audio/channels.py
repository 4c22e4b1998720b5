"""How many channels become fewer, or one becomes two.

Sources: ITU-R BS.775-3, annex 4 (the downmix to two channels); the gains for further positions, and leaving out the
low-frequency channel, are those of FFmpeg's swresample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sfwidgets.audio.blocks import Block
from sfwidgets.errors import InvalidInputError

_HALF_POWER = math.sqrt(0.5)

_GAINS: dict[str, tuple[float, float]] = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FC": (_HALF_POWER, _HALF_POWER),
    "LFE": (0.0, 0.0),
    "LFE2": (0.0, 0.0),
    "BL": (_HALF_POWER, 0.0),
    "BR": (0.0, _HALF_POWER),
    "SL": (_HALF_POWER, 0.0),
    "SR": (0.0, _HALF_POWER),
    "BC": (0.5, 0.5),
    "FLC": (1.0, 0.0),
    "FRC": (0.0, 1.0),
}
"""A position's share of the left and of the right channel."""

_UNPLACED = (_HALF_POWER, _HALF_POWER)
"""A channel whose position is not known, or not in the table, is heard in the middle."""

_USUAL = {
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
"""What six and eight channels are where the file does not say: 5.1 and 7.1."""


def mixing_matrix(positions: Sequence[str], channels: int | None) -> NDArray[np.float32] | None:
    """Return the matrix of shape (channels, len(positions)) that mixes the positions down, or None for "as it is".

    One channel becomes two equal ones; two become one by their mean; more become two by the standard's downmix, scaled
    so that nothing that was within full scale leaves it; and those two become one by their mean.

    Raises `InvalidInputError` (`unsupported_channels`) for any other wish.
    """
    count = len(positions)
    if channels is None or channels == count:
        return None
    if channels not in (1, 2):
        raise InvalidInputError(
            f"{count} channels can be mixed to one or two, not to {channels}: ask for one of those.",
            code="unsupported_channels",
        )
    if count == 1:
        return np.ones((2, 1), dtype=np.float32)
    if count == 2:
        return np.full((1, 2), 0.5, dtype=np.float32)
    if set(positions) == {"NONE"}:
        positions = _USUAL.get(count, positions)
    stereo = np.array([_GAINS.get(position, _UNPLACED) for position in positions]).T
    stereo /= stereo.sum(axis=1).max()
    matrix = stereo if channels == 2 else stereo.mean(axis=0, keepdims=True)
    return matrix.astype(np.float32)


def mix(block: Block, matrix: NDArray[np.float32] | None) -> Block:
    """Return the block mixed by the matrix; None leaves it alone."""
    return block if matrix is None else matrix @ block
