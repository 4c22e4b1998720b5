"""One audio file into another format."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from sfwidgets.audio.decode import decode
from sfwidgets.audio.disk import sync_folder
from sfwidgets.audio.encode import Encoder
from sfwidgets.audio.probe import probe
from sfwidgets.models import StemFormat

_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


def transcode(
    source: Path,
    target: Path,
    *,
    format: StemFormat,
    sample_rate: int | None = None,
    bit_depth: int = 24,
    notices: list[str] | None = None,
) -> None:
    """Write the source's first audio stream to `target`, which appears whole or not at all.

    `sample_rate` (Hz) is the source's by default. MP3 has rates up to 48 kHz and two channels: what has more is
    resampled to the highest rate below its own, and mixed down.

    Raises what `decode` and `Encoder` raise; `notices` are `decode`'s.
    """
    info = probe(source)
    rate = sample_rate or info.sample_rate
    channels = info.channels
    if format == "mp3":
        channels = min(channels, 2)
        if sample_rate is None:
            rate = max((known for known in _MP3_RATES if known <= rate), default=_MP3_RATES[0])
    partial = target.with_name(f".{target.name}.{uuid4().hex}.part")
    try:
        with Encoder(partial, sample_rate=rate, channels=channels, format=format, bit_depth=bit_depth) as encoder:
            for block in decode(source, sample_rate=rate, channels=channels, notices=notices):
                encoder.write(block)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(target.parent)
