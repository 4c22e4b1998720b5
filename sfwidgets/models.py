"""The typed values that cross every boundary: tracks, jobs, stems, analyses, events and model descriptions.

In Python their fields are snake_case; on the wire (`model_dump(by_alias=True)`) they are camelCase, as in the HTTP contract.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

from sfwidgets.errors import InvalidInputError

JobKind = Literal["download", "processing", "analysis", "model", "batch"]
JobStatus = Literal["queued", "processing", "completed", "error", "cancelled"]
TERMINAL: frozenset[str] = frozenset({"completed", "error", "cancelled"})
StemFormat = Literal["flac", "wav", "mp3", "ogg"]

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_id(value: str, what: str = "track id") -> str:
    """Return `value` where it is a well-formed id, else raise `InvalidInputError`.

    Ids are chosen by clients and become part of file names: 1 to 64 of `A-Z a-z 0-9 _ -`, and nothing else.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise InvalidInputError(f"A {what} is 1 to 64 characters of A-Z, a-z, 0-9, '_' and '-'.", code="invalid_id")
    return value


def check_format(value: str) -> StemFormat:
    """Return `value` where it is a format that stems can be written in, else raise `InvalidInputError`."""
    formats = get_args(StemFormat)
    if value not in formats:
        raise InvalidInputError(
            f"Stems are written as one of {', '.join(formats)}; not as {value!r}.", code="bad_format"
        )
    return cast("StemFormat", value)


def utc_now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _aware(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_aware), PlainSerializer(_iso, when_used="json")]
"""A moment in UTC; ISO 8601 with milliseconds and `Z` in JSON."""


class Value(BaseModel):
    """Base of the values: immutable, camelCase on the wire, no field that was not declared."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")

    def to_json(self) -> dict[str, Any]:
        """Return the value as JSON-ready objects, with the HTTP contract's field names."""
        return self.model_dump(mode="json", by_alias=True)


class AudioInfo(Value):
    """What `sfwidgets.audio.probe` found out about a file without decoding all of it."""

    duration: float
    """Seconds, as the container states it; the truth is known once the audio has been decoded."""
    sample_rate: int
    channels: int
    codec: str
    container: str
    bit_rate: int | None = None
    title: str | None = None
    artist: str | None = None
    album: str | None = None


class Track(Value):
    """A piece of music in the library, keyed by (owner, id)."""

    id: str
    owner: str
    title: str
    artist: str = ""
    album: str = ""
    artwork_url: str | None = None
    source: str = "file"
    """Where it came from: `file`, or a service's name."""
    content_hash: str | None = None
    """SHA-256 of the audio file's bytes; None while there is no audio yet."""
    duration: float | None = None
    sample_rate: int | None = None
    channels: int | None = None
    created_at: Moment
    updated_at: Moment
    has_stems: bool = False
    has_analysis: bool = False

    def __str__(self) -> str:
        name = f"{self.artist} – {self.title}" if self.artist else self.title
        length = "" if self.duration is None else f" ({int(self.duration) // 60}:{int(self.duration) % 60:02d})"
        return f"{name}{length} [{self.id}]"

    def _repr_html_(self) -> str:
        from html import escape

        badges = "".join(
            f" <small>· {name}</small>"
            for name, there in (("stems", self.has_stems), ("analysis", self.has_analysis))
            if there
        )
        return f"<div><strong>{escape(str(self))}</strong>{badges}</div>"


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


class ModelInfo(Value):
    """A separation model, as the catalogue describes it."""

    id: str
    name: str
    description: str
    version: str
    url: str | None = None
    is_default: bool = False
    internal: bool = False
    """True for a model that comes with the program and needs no download."""
    installed: bool = False
    sources: tuple[str, ...]
    size: int | None = None
    """Bytes of the weights, as far as known."""
    weights_license: str = "unknown"
    """The licence terms of the weights, as far as known."""
    preview: bool = False


class CuePoint(Value):
    """A place in a track worth jumping to."""

    time: float
    label: str
    type: str


class Analysis(Value):
    """What a track was measured to be; the HTTP contract's fields. None means that no honest answer could be given."""

    track_id: str
    analyzed_at: Moment
    duration: float
    bpm: int | None = None
    tempo: float | None = None
    tempo_confidence: float = 0.0
    key: str | None = None
    key_strength: float = 0.0
    loudness: float | None = None
    spectral_centroid: float | None = None
    spectral_contrast: list[float] = Field(default_factory=list)
    waveform_envelope: list[float] = Field(default_factory=list)
    frequency_spectrum: list[float] = Field(default_factory=list)
    cue_points: list[CuePoint] = Field(default_factory=list)
    notices: list[str] = Field(default_factory=list)
    """What a person should know about how it was measured: that the file ends early, for one."""

    def _repr_html_(self) -> str:
        facts = {
            "Duration": f"{self.duration:.1f} s",
            "Tempo": "–" if self.tempo is None else f"{self.tempo:.1f} BPM",
            "Key": "–" if self.key is None else f"{self.key} (strength {self.key_strength:.2f})",
            "Loudness": "–" if self.loudness is None else f"{self.loudness:.1f} LUFS",
        }
        rows = "".join(f"<tr><th>{k}</th><td>{v}</td></tr>" for k, v in facts.items())
        return f"<table>{rows}</table>"


class Job(Value):
    """A piece of work as the table has it at one moment. `jobs.JobHandle` is the live one."""

    id: str
    owner: str
    kind: JobKind
    track_id: str | None
    status: JobStatus
    progress: int = Field(ge=0, le=100)
    stage: str = ""
    """What it is doing, in a word or two."""
    options: dict[str, Any] = Field(default_factory=dict)
    then: tuple[JobKind, ...] = ()
    """What follows by itself once it has completed."""
    attempt: int = 0
    seq: int = 0
    """Raised with every change of the row; an event with a lower one is old news."""
    error: str | None = None
    code: str | None = None
    output_path: str | None = None
    result: dict[str, Any] | None = None
    created_at: Moment
    started_at: Moment | None = None
    completed_at: Moment | None = None

    @property
    def done(self) -> bool:
        """Whether the job has ended, one way or another."""
        return self.status in TERMINAL


class Event(Value):
    """One thing that happened to a job; `name` is the HTTP contract's (`processing:job:updated`)."""

    name: str
    job: Job

    @property
    def seq(self) -> int:
        """The job's `seq`: what tells new from old."""
        return self.job.seq


class Usage(Value):
    """Bytes on disk that one track takes."""

    audio: int = 0
    stems: int = 0
    analysis: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.audio + self.stems + self.analysis


StemSet.model_rebuild()
