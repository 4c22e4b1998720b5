"""A file's samples, as a stream of blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfwidgets.audio.blocks import Block, rechunk
from sfwidgets.audio.channels import mix, mixing_matrix
from sfwidgets.audio.container import check_file, open_audio, undecodable
from sfwidgets.audio.probe import stated_duration
from sfwidgets.audio.resample import resample
from sfwidgets.errors import AudioError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

_FULL_SCALE = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63}
"""What an integer sample is divided by; floating-point samples are taken as they are."""

_EARLY = 0.1
"""Seconds by which a stream may fall short of the length that its header states before it is called truncated."""

_GAP = 0.01
"""Seconds that may be missing between a stream's packets, by their time stamps, before it is called damaged."""

_WITHOUT_LENGTH = frozenset({"aac", "ac3", "amr", "eac3", "mpeg", "mpegts"})
"""Containers that state no length: FFmpeg's is a guess from size and bit rate."""


def decode(
    path: Path,
    *,
    sample_rate: int | None = None,
    channels: int | None = None,
    stream: int = 0,
    block_frames: int = 65536,
    notices: list[str] | None = None,
) -> Iterator[Block]:
    """Decode a file's `stream`-th audio stream, from its first audible sample, in blocks.

    Encoder delay and padding are left out where the file states them. Audio in 8 to 24 bits comes out exactly, unless
    `sample_rate` (Hz) or `channels` (1 or 2; see `channels.mixing_matrix`) ask for something else than the file has.

    Yields arrays of shape (channels, `block_frames`), float32, full scale at ±1 (lossy formats may exceed it); the last
    one may be shorter. Memory does not grow with the file.

    What is left of a truncated file is decoded, and damaged packets are left out; each adds one sentence to `notices`.

    Raises, besides what `container.open_audio` does, `AudioError` where nothing can be decoded (`audio_undecodable`),
    there is nothing to decode (`audio_empty`), or a sample is NaN or infinite (`audio_not_finite`); and
    `InvalidInputError` (`unsupported_channels`). A missing file is told at once, the rest with the first block.
    """
    check_file(path)
    return _decode(
        path,
        sample_rate=sample_rate,
        channels=channels,
        stream=stream,
        block_frames=block_frames,
        notices=[] if notices is None else notices,
    )


def _decode(
    path: Path, *, sample_rate: int | None, channels: int | None, stream: int, block_frames: int, notices: list[str]
) -> Iterator[Block]:
    with open_audio(path, stream) as (container, chosen):
        file_rate = chosen.codec_context.sample_rate
        blocks: Iterable[Block] = _mixed_frames(path, container, chosen, channels, notices)
        blocks = rechunk(blocks, block_frames)
        if sample_rate is not None and sample_rate != file_rate:
            blocks = rechunk(resample(blocks, file_rate, sample_rate), block_frames)
        for block in blocks:
            if not np.isfinite(block).all():
                raise AudioError(
                    f"{path.name} holds samples that are not numbers (NaN or infinite): export it again.",
                    code="audio_not_finite",
                )
            yield block


def _mixed_frames(
    path: Path, container: InputContainer, stream: AudioStream, channels: int | None, notices: list[str]
) -> Iterator[Block]:
    rate = stream.codec_context.sample_rate
    matrix = mixing_matrix([channel.name for channel in stream.codec_context.layout.channels], channels)
    frames = 0
    first: AudioFrame | None = None
    last: AudioFrame | None = None
    for frame in _frames(path, container, stream):
        frames += frame.samples
        first, last = first or frame, frame
        yield mix(_samples(frame), matrix)
    if first is None or last is None:
        raise AudioError(f"{path.name} holds no audio: its length is 0.", code="audio_empty")
    seconds = frames / rate
    reached = _reached(first, last, seconds)
    if reached - seconds > _GAP:
        notices.append(f"{path.name} is damaged: the parts of it that are missing or can't be decoded were left out.")
    stated = _stated_by_header(container, stream)
    if stated is not None and stated - reached > _EARLY:
        notices.append(f"The file ends early: {path.name} should last {stated:.1f} s, and {reached:.1f} s are there.")


def _reached(first: AudioFrame, last: AudioFrame, seconds: float) -> float:
    """Return how far into the stream its last frame reaches by time stamps; `seconds` where there are none."""
    if first.pts is None or last.pts is None or last.time_base is None:
        return seconds
    return float((last.pts - first.pts) * last.time_base) + last.samples / last.sample_rate


def _frames(path: Path, container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """Yield what can be decoded; packets that fail, or give another rate or channels than the header, are left out."""
    from av import FFmpegError

    rate, channels = stream.codec_context.sample_rate, stream.codec_context.channels
    packets = container.demux(stream)
    any_good = any_bad = False
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:
            any_bad = True
            break
        if packet is None:
            break
        try:
            frames = packet.decode()
        except FFmpegError:
            any_bad = True
            continue
        for frame in frames:
            if frame.sample_rate == rate and frame.layout.nb_channels == channels:
                any_good = True
                yield frame
            else:
                any_bad = True
    if any_bad and not any_good:
        raise undecodable(path)


def _samples(frame: AudioFrame) -> Block:
    """Return the frame as (channels, frames) at full scale ±1, whatever its sample format."""
    array = frame.to_ndarray()
    if not frame.format.is_planar:
        array = array.reshape(-1, frame.layout.nb_channels).T
    scale = _FULL_SCALE.get(frame.format.packed.name)
    samples: Block = array.astype(np.float32)
    if scale is not None:
        if frame.format.packed.name == "u8":
            samples -= np.float32(scale)
        samples *= np.float32(1 / scale)
    return samples


def _stated_by_header(container: InputContainer, stream: AudioStream) -> float | None:
    """Return the length in seconds that a header states, None where there is none to be held to.

    A film's length is not its sound's. An MP3 without a Xing header has a length by its size and bit rate only: then
    the two agree, while a truncated file with a Xing header is smaller than they say.
    """
    name = container.format.name
    if name in _WITHOUT_LENGTH or (stream.duration is None and len(container.streams) > 1):
        return None
    stated = stated_duration(container, stream)
    if name == "mp3" and stated is not None and stated * (stream.bit_rate or 0) / 8 <= container.size:
        return None
    return stated
