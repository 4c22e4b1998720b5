"""The sound of a page: each lane as short segments of Ogg Vorbis, which a browser decodes when it needs them.

Segments are coded with a margin of music on both sides, silence beyond the ends, so that they overlap. Two codings of the
same music differ by their coding noise; the seam is put where they agree best, so that nothing clicks. The player leaves
out the rest: no gap, no overlap, and every lane on the same frame.
"""

from __future__ import annotations

import json
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfwidgets import audio
from sfwidgets.audio.blocks import Block

if TYPE_CHECKING:
    from sfwidgets.audio import Reader

SECONDS = 10.0
"""The length of a segment without its margins, roughly: seams are moved a little."""
MARGIN = 4096
"""Frames before and after: two of Vorbis' long blocks."""
REACH = 2048
"""Frames by which a seam is moved at most: so far from the ends of a coding, its windows have settled."""
BIT_RATE = 96_000

_THREADS = 2


@dataclass(frozen=True)
class _Coded:
    start: int
    """The first frame that is this segment's, if seams were not moved."""
    end: int
    data: bytes
    head: Block
    """Decoded again: the frames within `REACH` of the start."""
    tail: Block


def lane(reader: Reader) -> Iterator[str]:
    """Yield, piece by piece, the JSON array of a lane's segments, in order.

    A segment is `{"start", "lead", "frames", "data"}`: `data` is an Ogg Vorbis file in base64, and its `frames` frames
    from `lead` on are the lane's from `start` on. Memory holds one lane's segments at most.
    """
    length = int(SECONDS * reader.sample_rate)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(_THREADS) as threads:
        coded = threads.map(partial(_coded, reader, length, Path(folder)), range(0, reader.frames, length))
        yield "["
        this, first, separator = next(coded, None), 0, ""
        while this is not None:
            following = next(coded, None)
            last = this.end if following is None else this.end + _seam(this.tail, following.head)
            segment = {
                "start": first, "lead": MARGIN + first - this.start, "frames": last - first,
                "data": b64encode(this.data).decode(),
            }  # fmt: skip
            yield separator + json.dumps(segment, separators=(",", ":"))
            this, first, separator = following, last, ","
        yield "]"


def _seam(tail: Block, head: Block) -> int:
    """Return how many frames from the middle two codings of the same music agree best, over two frames and both sides."""
    apart = np.abs(tail - head).max(axis=0)
    return int(np.argmin(apart[:-1] + apart[1:])) + 1 - REACH


def _coded(reader: Reader, length: int, folder: Path, start: int) -> _Coded:
    import soundfile

    end = min(start + length, reader.frames)
    first, last = max(0, start - MARGIN), min(reader.frames, end + MARGIN)
    heard = reader.read(first, last - first).T / np.float32(32768)
    beyond = (first - (start - MARGIN), end + MARGIN - last)
    file = folder / f"{start}.ogg"
    with audio.Encoder(file, sample_rate=reader.sample_rate, channels=2, format="ogg", bit_rate=BIT_RATE) as encoder:
        encoder.write(np.pad(heard, ((0, 0), beyond)))
    again = soundfile.read(file, dtype="float32", always_2d=True)[0].T
    data = file.read_bytes()
    file.unlink()
    middles = (MARGIN, MARGIN + end - start)
    head, tail = (again[:, middle - REACH : middle + REACH].copy() for middle in middles)
    return _Coded(start, end, data, head, tail)
