"""Framing: how a stream of audio blocks becomes frames, and frames become spectra.

Blocks have shape (channels, frames) and any length; whatever follows works on blocks of one length, so that no result
depends on how the audio happened to be cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from sfwidgets.errors import AudioError

Samples = NDArray[np.float32]

_BEYOND = 1e6
"""No audio has samples this large, not even 16-bit values written as floats; squares of them still fit float32."""


def fixed_blocks(blocks: Iterable[Samples], size: int) -> Iterator[Samples]:
    """Cut a stream into blocks of `size` frames; the last one may be shorter, none is empty.

    Raises `AudioError` where a sample is not a finite number or is far beyond full scale.
    """
    held: list[Samples] = []
    count = 0
    for block in blocks:
        if block.size and not np.abs(block).max() < _BEYOND:
            raise AudioError(
                "The audio holds samples that are not numbers or are far beyond full scale; export it again and retry."
            )
        held.append(block)
        count += block.shape[1]
        if count >= size:
            joined = np.concatenate(held, axis=1)
            whole = count - count % size
            for start in range(0, whole, size):
                yield joined[:, start : start + size]
            held, count = [joined[:, whole:]], count - whole
    if count:
        yield np.concatenate(held, axis=1)


def frame_length(sample_rate: int, seconds: float) -> int:
    """Return the power of two that comes nearest to `seconds` at `sample_rate`."""
    return 1 << max(4, round(float(np.log2(sample_rate * seconds))))


class PowerSpectra:
    """The short-time power spectra of a stream, Hann-windowed, frames centred as in `librosa.stft`.

    Power is averaged over the channels after the transform, so that channels in opposite phase do not cancel. A sine
    of amplitude 1 has power 1 in its bin.
    """

    def __init__(self, channels: int, length: int, hop: int) -> None:
        self.length = length
        self.hop = hop
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
        self._window = (window * (2 / window.sum())).astype(np.float32)
        self._held = np.zeros((channels, length // 2), dtype=np.float32)

    def push(self, block: Samples) -> NDArray[np.float32]:
        """Return the spectra of the frames that `block` completes, of shape (frames, length // 2 + 1)."""
        self._held = np.concatenate([self._held, block], axis=1)
        count = max(0, (self._held.shape[1] - self.length) // self.hop + 1)
        if count == 0:
            return np.zeros((0, self.length // 2 + 1), dtype=np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(self._held, self.length, axis=1)[:, :: self.hop][:, :count]
        power = np.zeros((count, self.length // 2 + 1), dtype=np.float32)
        for channel in frames:
            spectra = fft.rfft(channel * self._window, axis=1)
            power += spectra.real**2 + spectra.imag**2
        self._held = self._held[:, count * self.hop :]
        return power / np.float32(len(frames))

    def finish(self) -> NDArray[np.float32]:
        """Return the spectra of the last frames, which reach half a frame into silence."""
        return self.push(np.zeros((self._held.shape[0], self.length // 2), dtype=np.float32))
