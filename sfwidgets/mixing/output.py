"""What a mix's file is to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from sfwidgets.errors import InvalidInputError
from sfwidgets.mixing.normalise import NORMALISERS
from sfwidgets.models import StemFormat

_MIN_RATE, _MAX_RATE = 8_000, 192_000


@dataclass(frozen=True)
class Output:
    """A file of a mix, as it was asked for; raises `InvalidInputError` for what can't be had."""

    format: StemFormat
    sample_rate: int | None = None
    """Hz; None is the mix's own, where the format has it."""
    bit_depth: int = 24
    normalise: str | None = None
    """A key of `NORMALISERS`."""
    tags: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        rate, way = self.sample_rate, self.normalise
        if rate is not None and not (isinstance(rate, int) and _MIN_RATE <= rate <= _MAX_RATE):
            raise InvalidInputError(
                f"A sample rate is a number from {_MIN_RATE} to {_MAX_RATE} Hz, not {rate!r}.", code="bad_rate"
            )
        if way is not None and way not in NORMALISERS:
            raise InvalidInputError(
                f"A mix is normalised by {' or '.join(NORMALISERS)}, not by {way!r}.", code="bad_normalize"
            )


def format_of(file: Path, format: str | None) -> StemFormat:
    """Return the format asked for, or the one that the file's suffix says; raises `InvalidInputError` for another."""
    name, formats = format or file.suffix.removeprefix(".").lower(), get_args(StemFormat)
    if name not in formats:
        raise InvalidInputError(
            f"A mix is written as one of {', '.join(formats)}, not as {name!r}. Name the file like mix.wav.",
            code="bad_format",
        )
    return cast("StemFormat", name)
