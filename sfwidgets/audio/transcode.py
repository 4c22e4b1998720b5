"""One audio file into another format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sfwidgets.audio.decode import decode
from sfwidgets.audio.disk import whole_file
from sfwidgets.audio.encode import Encoder, nearest_rate
from sfwidgets.audio.probe import probe
from sfwidgets.models import StemFormat


def transcode(
    source: Path,
    target: Path,
    *,
    format: StemFormat,
    sample_rate: int | None = None,
    bit_depth: int = 24,
    tags: Mapping[str, str] | None = None,
    notices: list[str] | None = None,
) -> None:
    """Write the source's first audio stream to `target`, which appears whole or not at all.

    `sample_rate` (Hz) is the source's by default. MP3 has rates up to 48 kHz and two channels: what has more is
    resampled to the highest rate below its own, and mixed down.

    Raises what `decode` and `Encoder` raise; `notices` are `decode`'s, `tags` are `Encoder`'s.
    """
    info = probe(source)
    rate = sample_rate or nearest_rate(format, info.sample_rate)
    channels = info.channels
    if format == "mp3":
        channels = min(channels, 2)
    with (
        whole_file(target) as partial,
        Encoder(partial, sample_rate=rate, channels=channels, format=format, bit_depth=bit_depth, tags=tags) as encoder,
    ):
        for block in decode(source, sample_rate=rate, channels=channels, notices=notices):
            encoder.write(block)
