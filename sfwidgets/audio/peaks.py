"""The waveform as one minimum and one maximum a pixel, for drawing.

Format: BBC audiowaveform's binary data, version 2 (https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md),
16 bits, one channel, which peaks.js and waveform-data.js read: six little-endian 32-bit integers (version, flags,
sample rate, samples a pixel, pixels, channels), then a pair of 16-bit integers a pixel.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sfwidgets.audio.blocks import Block
from sfwidgets.audio.container import check_file
from sfwidgets.audio.disk import full_disk_is_told
from sfwidgets.errors import AudioError

_HEADER = struct.Struct("<iIiiIi")
_VERSION = 2
_SIXTEEN_BITS = 0
_FULL_SCALE = 32768


@dataclass(frozen=True)
class Peaks:
    """A waveform's outline over all its channels."""

    sample_rate: int
    samples_per_pixel: int
    minima: NDArray[np.float32]
    """The lowest sample of each pixel, -1 to 1."""
    maxima: NDArray[np.float32]
    """The highest sample of each pixel, -1 to 1."""

    def zoom(self, factor: int) -> Peaks:
        """Return the outline with `factor` of these pixels in one; the last may stand for fewer."""
        starts = np.arange(0, len(self.minima), factor)
        return Peaks(
            self.sample_rate,
            self.samples_per_pixel * factor,
            np.minimum.reduceat(self.minima, starts) if len(starts) else self.minima,
            np.maximum.reduceat(self.maxima, starts) if len(starts) else self.maxima,
        )


class PeakWriter:
    """Writes a stream's peaks while the stream goes by.

    A context manager: leaving it closes the file, leaving it with an exception removes it. `DiskFullError` is raised
    where there is no room.
    """

    def __init__(self, path: Path, *, sample_rate: int, samples_per_pixel: int = 256) -> None:
        self._path = path
        self._sample_rate = sample_rate
        self._samples_per_pixel = samples_per_pixel
        self._pixels = 0
        self._lowest = np.empty(0, dtype=np.float32)
        self._highest = np.empty(0, dtype=np.float32)
        with full_disk_is_told(path):
            self._file = path.open("wb")
            self._file.write(self._header())

    def write(self, block: Block) -> None:
        """Add a block of shape (channels, frames)."""
        self._lowest = np.concatenate((self._lowest, block.min(axis=0)))
        self._highest = np.concatenate((self._highest, block.max(axis=0)))
        self._write_pixels(len(self._lowest) // self._samples_per_pixel * self._samples_per_pixel)

    def close(self) -> None:
        """Write what is left as a last pixel, and the number of pixels into the header; a second call does nothing."""
        if self._file.closed:
            return
        self._write_pixels(len(self._lowest))
        with full_disk_is_told(self._path), self._file as file:
            file.seek(0)
            file.write(self._header())
            file.flush()
            os.fsync(file.fileno())

    def _header(self) -> bytes:
        return _HEADER.pack(_VERSION, _SIXTEEN_BITS, self._sample_rate, self._samples_per_pixel, self._pixels, 1)

    def _write_pixels(self, frames: int) -> None:
        if frames == 0:
            return
        starts = np.arange(0, frames, self._samples_per_pixel)
        pairs = np.stack(
            (
                np.minimum.reduceat(self._lowest[:frames], starts),
                np.maximum.reduceat(self._highest[:frames], starts),
            ),
            axis=1,
        )
        pairs = np.clip(np.rint(pairs * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
        with full_disk_is_told(self._path):
            self._file.write(pairs.astype("<i2").tobytes())
        self._pixels += len(starts)
        self._lowest, self._highest = self._lowest[frames:], self._highest[frames:]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self.close()
        except BaseException:
            self._discard()
            raise

    def _discard(self) -> None:
        with suppress(OSError):
            self._file.close()
        self._path.unlink(missing_ok=True)


def read_peaks(path: Path) -> Peaks:
    """Read what `PeakWriter` wrote.

    Raises `InvalidInputError` (`file_missing`, `is_a_folder`), and `AudioError` (`peaks_unreadable`) for a file in
    another format or one that ends early.
    """
    check_file(path)
    data = path.read_bytes()
    if len(data) >= _HEADER.size:
        version, flags, sample_rate, samples_per_pixel, pixels, channels = _HEADER.unpack_from(data)
        body = data[_HEADER.size :]
        if (version, flags, channels) == (_VERSION, _SIXTEEN_BITS, 1) and len(body) == 4 * pixels:
            pairs = np.frombuffer(body, dtype="<i2").reshape(-1, 2).astype(np.float32) / np.float32(_FULL_SCALE)
            return Peaks(sample_rate, samples_per_pixel, pairs[:, 0], pairs[:, 1])
    raise AudioError(f"{path.name} is not a whole file of waveform peaks: make it again.", code="peaks_unreadable")
