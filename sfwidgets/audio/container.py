"""How a media file is opened: which kinds are let in, and what is said about a file that is not audio.

FFmpeg (through PyAV) opens everything, because it alone reads all the formats, gives what is left of a truncated file,
and sees through WAV headers that lie about their length; libsndfile gives up on the last two.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sfwidgets.errors import AudioError, InvalidInputError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

MAX_CHANNELS = 64
MAX_SAMPLE_RATE = 768_000

_FORMATS = "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,matroska,webm,mov,mp4,mp3,mpeg,mpegts,ogg,tta,w64,wav,wv"
"""FFmpeg's demuxers for audio and for films with sound. Its playlist formats (hls, concat, …) are left out: they make
one file read others, or the network, at the wish of whoever uploaded it."""


@cache
def _audio_decoders() -> str:
    """Return FFmpeg's decoders of sound. Opening a file would decode its cover picture too, whatever its size."""
    from av.codec import Codec, codecs_available

    found = []
    for name in sorted(codecs_available):
        with suppress(ValueError):  # it only encodes
            if Codec(name, "r").type == "audio":
                found.append(name)
    return ",".join(found)


def check_file(path: Path) -> None:
    """Raise `InvalidInputError` (`file_missing`, `is_a_folder`, `not_a_file`) unless `path` is a file."""
    if path.is_file():
        return
    if path.is_dir():
        raise InvalidInputError(f"{path} is a folder: choose an audio file in it.", code="is_a_folder")
    if path.exists():
        raise InvalidInputError(f"{path} is not a regular file: choose an audio file.", code="not_a_file")
    raise InvalidInputError(f"There is no file {path}: check the name and the folder.", code="file_missing")


@contextmanager
def open_audio(path: Path, stream: int = 0) -> Iterator[tuple[InputContainer, AudioStream]]:
    """Open the file and choose its `stream`-th audio stream.

    Raises `InvalidInputError` for what `check_file` turns away, a file that may not be read (`file_unreadable`) and a
    stream that is not there (`no_such_stream`); `AudioError` for an empty file (`audio_empty`), one that is not audio
    (`audio_undecodable`), a film without sound (`no_audio_stream`), and a header that states 0 channels or 0 Hz, more
    than 64 channels, or more than 768 kHz (`audio_undecodable`).
    """
    import av

    check_file(path)
    if path.stat().st_size == 0:
        raise AudioError(f"{path.name} is empty: choose another file, or copy it again.", code="audio_empty")
    try:
        container = av.open(
            str(path.absolute()),
            options={"format_whitelist": _FORMATS, "protocol_whitelist": "file", "codec_whitelist": _audio_decoders()},
            metadata_errors="replace",
        )
    except PermissionError as error:
        raise InvalidInputError(
            f"{path} may not be read: ask its owner for permission to read it.", code="file_unreadable"
        ) from error
    except av.FFmpegError as error:
        raise undecodable(path) from error
    with container:
        streams = container.streams.audio
        if not streams:
            if container.streams.video:
                raise AudioError(f"{path.name} is a film without sound: choose one with sound.", code="no_audio_stream")
            raise undecodable(path)
        if not 0 <= stream < len(streams):
            raise InvalidInputError(
                f"{path.name} has {len(streams)} audio streams, counted from 0: there is no stream {stream}.",
                code="no_such_stream",
            )
        _check_header(path, streams[stream])
        yield container, streams[stream]


def undecodable(path: Path) -> AudioError:
    """Return the error for a file in which no audio can be found."""
    return AudioError(
        f"{path.name} can't be decoded: it is damaged, or not audio. Try to play it, or get it again.",
        code="audio_undecodable",
    )


def _check_header(path: Path, stream: AudioStream) -> None:
    channels, rate = stream.codec_context.channels, stream.codec_context.sample_rate
    if channels == 0 or rate == 0:
        raise undecodable(path)
    if channels > MAX_CHANNELS:
        raise AudioError(
            f"{path.name} states {channels} channels, more than the {MAX_CHANNELS} that are read: the header is "
            "damaged, or the file must be mixed down first."
        )
    if rate > MAX_SAMPLE_RATE:
        raise AudioError(
            f"{path.name} states a sample rate of {rate} Hz, above the {MAX_SAMPLE_RATE} that are read: the header is "
            "damaged, or the file must be resampled first."
        )
