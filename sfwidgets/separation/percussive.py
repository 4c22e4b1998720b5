"""Harmonic/percussive separation of a spectrogram that comes in pieces.

Median filtering as in FitzGerald, "Harmonic/percussive separation using median filtering", DAFx 2010: along time it
keeps what is held (harmonic), along frequency what is short and broad (percussive). Kernels, edges and soft masks are
those of `librosa.decompose.hpss` with `kernel_size=(31, 17)`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

Magnitude = NDArray[np.float32]
"""A magnitude spectrogram, or a mask of one, of shape (frames, bins)."""

HARMONIC_FRAMES = 31
PERCUSSIVE_BINS = 17
CONTEXT = HARMONIC_FRAMES // 2
"""The frames on either side that a frame's mask depends on."""

_EPSILON = np.float32(1e-10)


class PercussiveMask:
    """The percussive soft mask of one spectrogram, made while the spectrogram comes in.

    Masks come out `CONTEXT` frames late, and `last` brings out the rest. The spectrogram is mirrored at its four
    edges. How it is cut into pieces makes no difference to the masks.
    """

    def __init__(self, bins: int) -> None:
        self._frames: Magnitude = np.zeros((0, bins), np.float32)
        self._begun = False

    def push(self, magnitude: Magnitude, *, last: bool = False) -> Magnitude:
        """Take the next frames, (frames, bins), and return the masks of those that have their context by now.

        A mask is 0 to 1; the harmonic mask is what it leaves of 1.
        """
        frames = np.concatenate([self._frames, magnitude])
        if not self._begun and (last or len(frames) >= CONTEXT):
            frames = np.pad(frames, ((CONTEXT, 0), (0, 0)), "symmetric")
            self._begun = True
        if last:
            frames = np.pad(frames, ((0, CONTEXT), (0, 0)), "symmetric")
        ready = len(frames) - 2 * CONTEXT
        if not self._begun or ready <= 0:
            self._frames = frames
            return frames[:0]
        self._frames = frames[ready:]
        harmonic = _median(frames.T, HARMONIC_FRAMES).T
        edge = PERCUSSIVE_BINS // 2
        centre = frames[CONTEXT : CONTEXT + ready]
        percussive = _median(np.pad(centre, ((0, 0), (edge, edge)), "symmetric"), PERCUSSIVE_BINS)
        return (percussive**2 + _EPSILON / 2) / (harmonic**2 + percussive**2 + _EPSILON)


def _median(rows: Magnitude, size: int) -> Magnitude:
    """Return the running median of each row, (rows, n), where `size` values are there: (rows, n - size + 1)."""
    # SciPy has a fast running median for one dimension only: the rows are laid end to end, and the medians that
    # reach into a neighbouring row are those dropped here.
    medians: Magnitude = median_filter(rows.ravel(), size).reshape(rows.shape)
    return medians[:, size // 2 : rows.shape[1] - size // 2]
