"""A WAV file that lies nowhere: 16 bits, two channels, made from a reader's frames as they are asked for."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from server_ext.ranges import Part
from sfwidgets.audio import Reader

HEADER = 44
FRAME = 4
"""Bytes of a frame: two channels of 16 bits."""
BLOCK_FRAMES = 65536
_LARGEST = 0xFFFFFFFF
"""What a WAV file's 32-bit sizes can say; a longer file says this, which players take as "to the end"."""


class VirtualWav:
    """The bytes of the file, as `handlers.sending.Body`; `blocks` reads audio, so call it in a thread."""

    media_type = "audio/wav"

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.size = HEADER + reader.frames * FRAME
        self.etag = reader.etag

    def blocks(self, part: Part) -> Iterator[bytes]:
        """Yield the bytes of a part, in blocks of at most a quarter of a megabyte."""
        if part.first < HEADER:
            yield self._header()[part.first : part.last + 1]
        start, end = max(0, part.first - HEADER), part.last + 1 - HEADER
        while start < end:
            frame, skipped = divmod(start, FRAME)
            count = min(BLOCK_FRAMES, -(-end // FRAME) - frame)
            block = self._reader.read(frame, count).astype("<i2", copy=False).tobytes()[skipped : end - frame * FRAME]
            if not block:
                return
            yield block
            start += len(block)

    def close(self) -> None:
        """Give the reader's file back."""
        self._reader.close()

    def _header(self) -> bytes:
        rate, data = self._reader.sample_rate, self._reader.frames * FRAME
        return struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            b"RIFF", min(data + HEADER - 8, _LARGEST), b"WAVE", b"fmt ", 16, 1, 2, rate, rate * FRAME, FRAME, 16,
            b"data", min(data, _LARGEST),
        )  # fmt: skip
