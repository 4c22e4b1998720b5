"""A mix into a file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from sfwidgets import audio
from sfwidgets.audio.blocks import Block
from sfwidgets.mixing.normalise import NORMALISERS
from sfwidgets.mixing.output import Output
from sfwidgets.mixing.stretch import stretch

Progress = Callable[[float], None]
"""Is told the share done, 0 to 1."""

_MEASURING = 0.8
"""The share of the work that measuring a mix is, where it is normalised: all of it is made for that."""
_HELD_BYTES = 8 * 65536


def render(
    blocks: Iterable[Block],
    target: Path,
    output: Output,
    *,
    sample_rate: int,
    frames: int,
    speed: float = 1.0,
    pitch: float = 0.0,
    progress: Progress | None = None,
) -> int:
    """Write a stream of `frames` frames, two channels, to a file; returns how many samples were limited to full scale.

    `sample_rate` is the stream's. The file appears whole or not at all, and replaces one of its name. Memory does not
    grow with the stream. Raises what `audio.Encoder` does.
    """
    rate = output.sample_rate or audio.nearest_rate(output.format, sample_rate)
    heard = audio.resample(stretch(blocks, sample_rate, speed=speed, pitch=pitch), sample_rate, rate)
    expected = max(1, round(frames / speed * rate / sample_rate))
    tell = progress or (lambda share: None)
    with (
        audio.whole_file(target) as partial,
        audio.Encoder(
            partial, sample_rate=rate, channels=2, format=output.format, bit_depth=output.bit_depth, tags=output.tags
        ) as encoder,
    ):
        begun = 0.0
        if output.normalise is not None:
            begun = _MEASURING
            heard = _followed(heard, expected, lambda share: tell(_MEASURING * share))
            heard = _normalised(heard, target, output.normalise, rate)
        for block in _followed(heard, expected, lambda share: tell(begun + (1 - begun) * share)):
            encoder.write(block)
    return encoder.clipped


def _followed(blocks: Iterable[Block], expected: int, tell: Progress) -> Iterator[Block]:
    done = 0
    for block in blocks:
        yield block
        done += block.shape[1]
        tell(min(1.0, done / expected))


def _normalised(blocks: Iterable[Block], target: Path, kind: str, sample_rate: int) -> Iterator[Block]:
    """Hear all of it, keeping it on the disk, then yield it at its new level.

    It is kept because it can't be made again: a stretch to half the speed or less is another one each time.
    """
    normaliser = NORMALISERS[kind](sample_rate)
    with audio.full_disk_is_told(target), tempfile.TemporaryFile(dir=target.parent) as held:
        for block in blocks:
            normaliser.push(block)
            held.write(np.ascontiguousarray(block.T, dtype=np.float32).tobytes())
        gain = np.float32(normaliser.gain())
        held.seek(0)
        while data := held.read(_HELD_BYTES):
            yield np.frombuffer(data, dtype=np.float32).reshape(-1, 2).T * gain
