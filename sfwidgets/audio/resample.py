"""Audio at another sample rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from sfwidgets.audio.blocks import Block


def resample(blocks: Iterable[Block], from_rate: int, to_rate: int) -> Iterator[Block]:
    """Yield the blocks' audio at `to_rate`, as one continuous signal without delay.

    The band-limited resampler is libsoxr's "HQ" (linear phase, 20 bits, pass band to 0.91 of the lower Nyquist). The
    length is the old one times `to_rate / from_rate`, to the nearest frame. Blocks come out in whatever lengths the
    resampler gives; none is empty.
    """
    if from_rate == to_rate:
        yield from blocks
        return
    import soxr

    stream = None
    for block in blocks:
        if stream is None:
            channels = block.shape[0]
            stream = soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32", quality="HQ")
        out = stream.resample_chunk(np.ascontiguousarray(block.T))
        if len(out):
            yield out.T
    if stream is not None:
        out = stream.resample_chunk(np.empty((0, channels), dtype=np.float32), last=True)
        if len(out):
            yield out.T
