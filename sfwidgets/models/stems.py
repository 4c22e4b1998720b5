"""Stems, how they were asked for, and the models that make them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from sfwidgets.errors import InvalidInputError
from sfwidgets.models.base import Moment, Value

StemFormat = Literal["flac", "wav", "mp3", "ogg"]


def check_format(value: str) -> StemFormat:
    """Return `value` where it is a format that stems can be written in, else raise `InvalidInputError`."""
    formats = get_args(StemFormat)
    if value not in formats:
        raise InvalidInputError(
            f"Stems are written as one of {', '.join(formats)}; not as {value!r}.", code="bad_format"
        )
    return cast("StemFormat", value)


STEM_ORDER = ("vocals", "drums", "bass", "guitar", "piano", "other")
"""The order in which stems are shown everywhere."""


def stem_rank(name: str) -> int:
    """Return where a stem of that name or type is shown; what is not in `STEM_ORDER` comes last."""
    return STEM_ORDER.index(name) if name in STEM_ORDER else len(STEM_ORDER)


class Stem(Value):
    """One separated source of a track, as a file in the library."""

    name: str
    """The file's name, unique among a track's stems: `vocals.flac`."""
    type: str
    """What it is: `vocals`, `drums`, `bass`, `other`, `guitar`, `piano`, …; a complement's type is `other`."""
    path: Path
    """Relative to the library's root."""
    peaks: Path
    """Its precomputed peaks, relative to the library's root."""
    size: int
    sample_rate: int
    channels: int
    frames: int
    clipped: int = 0
    """How many samples were beyond full scale and were limited to it on writing."""
    created_at: Moment


def _no_duplicates(value: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if not value else tuple(dict.fromkeys(value))


def _split_stems(value: object) -> object:
    return tuple(s.strip() for s in value.split(",") if s.strip()) if isinstance(value, str) else value


class SeparationOptions(Value):
    """How a track is to be separated. The same audio and the same options give the same stems."""

    model: str = "auto"
    stems: Annotated[tuple[str, ...] | None, BeforeValidator(_split_stems), AfterValidator(_no_duplicates)] = None
    """Only these stems are written; None writes all that the model has."""
    two_stems: str | None = None
    """A stem's name: write that stem and its complement (`no_vocals`), which is the mixture less the stem."""
    overlap: float = Field(default=0.25, ge=0.0, lt=1.0)
    """How much of each segment overlaps the next, as a share of the segment."""
    shifts: int = Field(default=0, ge=0, le=20)
    """Average over this many random shifts of up to half a second; 0 makes none."""
    seed: int = 0
    """Seeds the random shifts."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"


class StemSet(Value):
    """The stems that one separation made, and how it made them."""

    id: str
    model: str
    """The model that was really used, never `auto`."""
    precision: str
    options: SeparationOptions
    seconds: float
    """How long the separation took, without waiting in the queue."""
    stems: list[Stem]
    preview: bool = False
    """True where the model is a preview rather than a full-quality separation."""
    notices: list[str] = Field(default_factory=list)
    created_at: Moment

    def __getitem__(self, stem: str) -> Stem:
        for candidate in self.stems:
            if stem in (Path(candidate.name).stem, candidate.name):
                return candidate
        raise KeyError(stem)

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(Path(s.name).stem)}</td><td>{s.frames / s.sample_rate:.1f} s</td>"
            f"<td>{s.size / 1e6:.1f} MB</td></tr>"
            for s in self.stems
        )
        notes = "".join(f"<p><small>{escape(n)}</small></p>" for n in self.notices)
        return (
            f"<table><caption>Stems by {escape(self.model)} ({escape(self.precision)}, {self.seconds:.1f} s)</caption>"
            f"<tr><th>Stem</th><th>Length</th><th>Size</th></tr>{rows}</table>{notes}"
        )


class ModelInfo(Value):
    """A separation model, as the catalogue describes it."""

    id: str
    """What `model` in a separation's options, and `modelName`, name it by."""
    name: str
    """For people."""
    description: str
    """One sentence for people."""
    version: str
    url: str | None = None
    """Where it is described."""
    is_default: bool = False
    """True for exactly one: what `auto` means here."""
    internal: bool = False
    """True for a model that comes with the program and needs no download."""
    installed: bool = False
    """Whether its weights are here; another model is fetched by the first separation that wants it."""
    sources: tuple[str, ...]
    """The stems that it makes."""
    size: int | None = None
    """Bytes of the weights, as far as known."""
    weights_license: str = "unknown"
    """The licence terms of the weights, as far as known."""
    preview: bool = False
    """True for a model that gives a preview rather than a full-quality separation."""


class Scores(Value):
    """Signal-to-distortion ratios in dB, by stem; empty where the truth is not known."""

    stems: dict[str, float] = Field(default_factory=dict)
    mixture: dict[str, float] = Field(default_factory=dict)
    """What the mixture itself would score as that stem."""

    def _repr_html_(self) -> str:
        if not self.stems:
            return "<p>The truth is not known for this track.</p>"
        rows = "".join(
            f"<tr><th>{name}</th><td>{value:.1f} dB ({self.mixture[name]:.1f})</td></tr>"
            for name, value in self.stems.items()
        )
        return f"<table><caption>SDR</caption>{rows}</table>"
