"""Blocks of audio into a file.

libsndfile writes all four formats, MP3 with its LAME and Ogg Vorbis with its libvorbis: everything in it is LGPL or
BSD, and it stores the encoder delay, so that players and `decode` give back exactly the frames that went in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sfwidgets.audio.blocks import Block
from sfwidgets.audio.disk import full_disk_is_told
from sfwidgets.audio.id3 import id3_tag
from sfwidgets.errors import AudioError, InvalidInputError
from sfwidgets.models import StemFormat, one_line

_FORMATS: dict[StemFormat, str] = {"flac": "FLAC", "wav": "WAV", "mp3": "MP3", "ogg": "OGG"}

_FLAC_LEVEL = 4 / 8
"""On real music in 24 bits level 4 writes 640 times real time at 70.3 % of the size, level 5 (the usual) 580 at 70.2 %,
level 8 90 at 67.5 %."""

_VORBIS_BIT_RATES = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 500)
"""Nominal kbit/s of Vorbis' qualities 0 to 10, in stereo at 44.1 kHz (libvorbis' own table)."""

_DEFAULT_BIT_RATES = {"mp3": 256_000, "ogg": 224_000}

_WAV_LIMIT = 2**32 - 4096
"""Bytes: a WAV file states its length in 32 bits; some are kept for its headers."""

_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)

TAGS = ("title", "artist", "album", "comment")
"""What a file may say of itself, in all four formats."""

_WRITE_FRAMES = 65536
"""libsndfile's Vorbis encoder puts a whole write on the stack."""


class Encoder:
    """Writes blocks of shape (channels, frames), full scale at ±1, to a new file.

    A context manager: leaving it closes the file, leaving it with an exception removes what was written.

    `format` is `flac` (16 or 24 bits), `wav` (16, 24, or 32 for floating point), `mp3` or `ogg` (Vorbis). In 16 and 24
    bits samples are rounded to the nearest step, without dither, so that audio which came from such a file goes back
    exactly. `bit_rate` (bit/s) is for the last two: MP3 takes the nearest that the format has, Vorbis a quality of that
    nominal rate; 256 and 224 kbit/s by default. LAME lowers the level of MP3 by up to 5 % below 256 kbit/s or 32 kHz,
    against overshoots. `tags` are any of `TAGS`; empty ones are left out.

    Raises `InvalidInputError` for what the format can't hold (`unsupported_format`) and for other tags (`bad_tag`);
    `AudioError` for a NaN or infinite sample (`audio_not_finite`) and for more than 4 GiB of WAV (`too_long_for_wav`);
    `DiskFullError` where there is no room.
    """

    def __init__(
        self,
        path: Path,
        *,
        sample_rate: int,
        channels: int,
        format: StemFormat = "flac",
        bit_depth: int = 24,
        bit_rate: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        import soundfile

        self.frames = 0
        """How many frames were written."""
        self.clipped = 0
        """How many samples were beyond full scale and were limited to it."""
        self._path = path
        self._format = format
        self._bytes_per_frame = bit_depth // 8 * channels
        self._integer_bits = bit_depth if format in ("flac", "wav") and bit_depth < 32 else None
        self._limited = not (format == "wav" and bit_depth == 32)
        parameters = _parameters(format, sample_rate, channels, bit_depth, bit_rate)
        said = _checked_tags(tags or {})
        with full_disk_is_told(path):
            self._sink = _Sink(path, id3_tag(said) if format == "mp3" else b"")
        try:
            with self._told():
                self._file = soundfile.SoundFile(self._sink, "w", sample_rate, channels, **parameters)
                for name, value in said.items() if format != "mp3" else ():
                    setattr(self._file, name, value)
        except soundfile.LibsndfileError as error:
            self._discard()
            raise InvalidInputError(
                f"A {format} file can't hold {channels} channels at {sample_rate} Hz: choose another format or rate.",
                code="unsupported_format",
            ) from error
        except BaseException:
            self._discard()
            raise

    def write(self, block: Block) -> None:
        """Add a block of shape (channels, frames)."""
        if block.shape[1] == 0:
            return
        peak = max(float(block.max()), -float(block.min()))
        if not np.isfinite(peak):
            raise AudioError(
                f"The audio for {self._path.name} holds samples that are not numbers (NaN or infinite), so it can't be "
                "written: make it again in float32.",
                code="audio_not_finite",
            )
        if self._format == "wav" and (self.frames + block.shape[1]) * self._bytes_per_frame > _WAV_LIMIT:
            raise AudioError(
                f"{self._path.name} would be larger than the 4 GiB that a wav file can hold: choose flac.",
                code="too_long_for_wav",
            )
        if self._limited and peak > 1.0:
            self.clipped += int(np.count_nonzero(np.abs(block) > 1.0))
            block = np.clip(block, -1.0, 1.0)
        samples = np.ascontiguousarray(self._stored(block).T)
        with self._told():
            for start in range(0, len(samples), _WRITE_FRAMES):
                self._file.write(samples[start : start + _WRITE_FRAMES])
        self.frames += block.shape[1]

    def close(self) -> None:
        """Finish the file and see it onto the disk, so that a rename after this is durable. Twice does no harm."""
        if self._sink.closed:
            return
        try:
            with self._told():
                self._file.close()
            with full_disk_is_told(self._path):
                self._sink.sync()
        finally:
            self._sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._abandon()
            return
        try:
            self.close()
        except BaseException:
            self._discard()
            raise

    def _stored(self, block: Block) -> NDArray[Any]:
        """Return the samples as integers for PCM, as libsndfile would scale floats by 2^(bits-1) - 1."""
        if self._integer_bits is None:
            return block.astype(np.float32, copy=False)
        scale = 2.0 ** (self._integer_bits - 1)
        steps: Block = np.clip(np.rint(block * np.float32(scale)), -scale, scale - 1)
        if self._integer_bits == 16:
            return steps.astype(np.int16)
        return steps.astype(np.int32) << 8

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Raise what the disk said rather than what libsndfile makes of it, which may be nothing."""
        with full_disk_is_told(self._path):
            try:
                yield
            except (RuntimeError, AssertionError):
                if self._sink.error is None:
                    raise
            if self._sink.error is not None:
                raise self._sink.error

    def _abandon(self) -> None:
        self._sink.refuse()
        with suppress(RuntimeError):
            self._file.close()
        self._discard()

    def _discard(self) -> None:
        self._sink.close()
        self._path.unlink(missing_ok=True)


class _Sink:
    """The file that libsndfile writes to through callbacks, which may not raise: it keeps the first error.

    It begins with `head`, of which libsndfile knows nothing.
    """

    def __init__(self, path: Path, head: bytes) -> None:
        self._file = path.open("w+b", buffering=0)
        self._file.write(head)
        self._head = len(head)
        self.error: OSError | None = None
        self._refusing = False
        self.readinto = self._file.readinto

    @property
    def closed(self) -> bool:
        return self._file.closed

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset + (self._head if whence == os.SEEK_SET else 0), whence) - self._head

    def tell(self) -> int:
        return self._file.tell() - self._head

    def write(self, data: bytes) -> int:
        """Write all of it, or nothing more once a write has failed."""
        done = 0
        try:
            while done < len(data) and self.error is None and not self._refusing:
                done += self._file.write(data[done:])
        except OSError as error:
            self.error = error
        return done

    def refuse(self) -> None:
        self._refusing = True

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def nearest_rate(format: StemFormat, sample_rate: int) -> int:
    """Return the highest sample rate that the format has up to this one: MP3 has no other than its own, up to 48 kHz."""
    if format != "mp3":
        return sample_rate
    return max((known for known in _MP3_RATES if known <= sample_rate), default=_MP3_RATES[0])


def _checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    said = {name: one_line(value) for name, value in tags.items() if isinstance(value, str)}
    if len(said) < len(tags) or not set(said) <= set(TAGS) or any(len(value) > 1000 for value in said.values()):
        raise InvalidInputError(
            f"A file's tags are {', '.join(TAGS)}, each a text of at most 1000 characters.", code="bad_tag"
        )
    return {name: value for name, value in said.items() if value}


def _parameters(
    format: StemFormat, sample_rate: int, channels: int, bit_depth: int, bit_rate: int | None
) -> dict[str, Any]:
    if format not in _FORMATS:
        raise InvalidInputError(
            f"{format!r} is not a format to write: choose {', '.join(_FORMATS)}.", code="unsupported_format"
        )
    parameters: dict[str, Any] = {"format": _FORMATS[format]}
    if format in ("flac", "wav"):
        depths = (16, 24) if format == "flac" else (16, 24, 32)
        if bit_depth not in depths:
            raise InvalidInputError(
                f"A {format} file is written in {' or '.join(map(str, depths))} bits, not {bit_depth}.",
                code="unsupported_format",
            )
        parameters["subtype"] = "FLOAT" if bit_depth == 32 else f"PCM_{bit_depth}"
        if format == "flac":
            parameters["compression_level"] = _FLAC_LEVEL
        return parameters
    wanted = _DEFAULT_BIT_RATES[format] if bit_rate is None else bit_rate
    if format == "mp3":
        parameters |= {"subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT"}
        parameters["compression_level"] = _mp3_level(sample_rate, wanted)
    else:
        per_stereo = wanted / 1000 * 2 / channels
        quality = float(np.interp(per_stereo, _VORBIS_BIT_RATES, np.arange(len(_VORBIS_BIT_RATES)))) / 10
        parameters |= {"subtype": "VORBIS", "compression_level": 1 - quality}
    return parameters


def _mp3_level(sample_rate: int, bit_rate: int) -> float:
    """Return libsndfile's "compression level" of a bit rate: 0 is the highest that MPEG-1, -2 or -2.5 has."""
    lowest, highest = (32, 320) if sample_rate >= 32_000 else (8, 160) if sample_rate >= 16_000 else (8, 64)
    level = (highest - bit_rate / 1000) / (highest - lowest)
    return min(max(level, 0.0), 0.99)
