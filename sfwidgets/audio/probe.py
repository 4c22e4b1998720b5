"""What a file says it is, found without decoding it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sfwidgets.audio.container import open_audio
from sfwidgets.errors import AudioError
from sfwidgets.models import AudioInfo

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer


def probe(path: Path) -> AudioInfo:
    """Return the length, format and tags of the file's first audio stream, as its headers state them.

    Where no header states a length, the packets are counted, still without decoding.

    Raises `InvalidInputError` (`file_missing`, `is_a_folder`, …) and `AudioError` (`audio_empty`,
    `audio_undecodable`, `no_audio_stream`), as `container.open_audio` does.
    """
    with open_audio(path) as (container, stream):
        context = stream.codec_context
        tags = {key.lower(): value for key, value in (*stream.metadata.items(), *container.metadata.items())}
        bit_rate = stream.bit_rate or (container.bit_rate if len(container.streams) == 1 else None)
        duration = stated_duration(container, stream) or _counted_duration(container, stream)
        if duration <= 0:
            raise AudioError(f"{path.name} holds no audio: its length is 0.", code="audio_empty")
        return AudioInfo(
            duration=duration,
            sample_rate=context.sample_rate,
            channels=context.channels,
            codec=context.codec.canonical_name,
            container=_container_name(container, path),
            bit_rate=bit_rate or None,
            title=tags.get("title") or None,
            artist=tags.get("artist") or None,
            album=tags.get("album") or None,
        )


def stated_duration(container: InputContainer, stream: AudioStream) -> float | None:
    """Return the stream's length in seconds, as the container states or estimates it; None where it does neither."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return float(container.duration / 1_000_000)
    return None


def _counted_duration(container: InputContainer, stream: AudioStream) -> float:
    return float(sum(packet.duration * packet.time_base for packet in container.demux(stream) if packet.duration))


def _container_name(container: InputContainer, path: Path) -> str:
    """FFmpeg names one demuxer by all its containers (`mov,mp4,m4a,…`): take the one that the file is named by."""
    names: list[str] = container.format.name.split(",")
    suffix = path.suffix.lower().removeprefix(".")
    return suffix if suffix in names else names[0]


def stream_count(path: Path) -> int:
    """Return how many audio streams a file has: a stem file has the mixture and, behind it, its stems.

    Raises as `probe` does.
    """
    with open_audio(path) as (container, _stream):
        return len(container.streams.audio)
