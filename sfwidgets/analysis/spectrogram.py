"""Spectrogram and chromagram: how do the spectrum and the pitch classes of a recording change over time?

Both are made for pictures, and so of bounded size.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfwidgets.analysis import framing, pitch

COLUMNS = 1200

_BLOCK = 65536
_LENGTH = 0.046
"""Seconds of a frame; 2048 samples at 44.1 kHz."""
_FLOOR = 1e-10
"""Power below which everything is -100 dB."""


@dataclass(frozen=True)
class Spectrogram:
    """Levels over time and frequency."""

    times: NDArray[np.float32]
    """Seconds, shape (columns,): the middle of each column."""
    frequencies: NDArray[np.float32]
    """Hz, shape (bins,), evenly spaced from 0 to half the sample rate."""
    levels: NDArray[np.float32]
    """dB, shape (bins, columns), -100 and up; a full-scale sine is 0 in its bin. The mean power of each column's time."""


def spectrogram(
    blocks: Iterable[framing.Samples], sample_rate: int, duration: float, columns: int = COLUMNS
) -> Spectrogram:
    """Return the spectrogram of a stream of blocks of shape (channels, frames), in about `columns` columns at most.

    `duration` (seconds) decides how long a column is; memory does not grow with it. Raises `AudioError` where a sample
    is not a finite number.
    """
    length = framing.frame_length(sample_rate, _LENGTH)
    hop = length // 4
    frames_a_column = max(1, int(np.ceil(duration * sample_rate / hop / columns)))
    spectra: framing.PowerSpectra | None = None
    held = np.zeros((0, length // 2 + 1), dtype=np.float32)
    found: list[NDArray[np.float32]] = []
    for block in framing.fixed_blocks(blocks, _BLOCK):
        spectra = spectra or framing.PowerSpectra(block.shape[0], length, hop)
        held = np.concatenate([held, spectra.push(block)])
        whole = len(held) - len(held) % frames_a_column
        found.append(held[:whole].reshape(-1, frames_a_column, held.shape[1]).mean(axis=1))
        held = held[whole:]
    if len(held):
        found.append(held.mean(axis=0, keepdims=True))
    powers = np.concatenate([np.zeros((0, length // 2 + 1), dtype=np.float32), *found])
    return Spectrogram(
        times=((np.arange(len(powers)) + 0.5) * frames_a_column * hop / sample_rate).astype(np.float32),
        frequencies=np.linspace(0, sample_rate / 2, length // 2 + 1, dtype=np.float32),
        levels=(10 * np.log10(np.maximum(powers.T, _FLOOR))).astype(np.float32),
    )


def chromagram(blocks: Iterable[framing.Samples], sample_rate: int, columns: int = COLUMNS) -> NDArray[np.float32]:
    """Return how much each pitch class sounds over time, shape (12, at most `columns`), C first, evenly spread in time.

    `blocks` have shape (channels, frames). The largest value is 1; all are 0 where nothing tonal sounds. Raises
    `AudioError` where a sample is not a finite number.
    """
    reader: pitch.PitchReader | None = None
    for block in framing.fixed_blocks(blocks, _BLOCK):
        reader = reader or pitch.PitchReader(sample_rate, block.shape[0])
        reader.push(block)
    if reader is None:
        return np.zeros((12, 0), dtype=np.float32)
    heard = reader.finish()
    chroma, _bass = pitch.chroma(heard, pitch.tuning(heard))
    edges = np.linspace(0, chroma.shape[1], min(columns, chroma.shape[1]) + 1).astype(int)
    means = np.add.reduceat(chroma, edges[:-1], axis=1) / np.diff(edges)
    return np.asarray(means / max(float(means.max(initial=0)), 1e-12), dtype=np.float32)
