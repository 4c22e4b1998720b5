"""What the API takes and gives, as types: handlers use them, and `/openapi.json` is made from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from server_ext.codes import CODES
from server_ext.operation import ID_PATTERN, Query, Request
from sfwidgets.models import Job, JobKind, JobStatus, Moment, SeparationOptions, StemSet, Value, one_line

TrackId = Annotated[str, Field(pattern=ID_PATTERN)]


def _absent(value: Any) -> bool:
    return value is None


def whole(value: Any) -> Any:
    """Return an integer as one, also where JSON has it as `1.0`, which is the same number there."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _yes_or_no(value: Any) -> Any:
    """Return what `true` and `false` in a query say; pydantic would take `yes`, `on` and `1`, too."""
    return {"true": True, "false": False}.get(value)


# -- what clients send ---------------------------------------------------------------------------------------------------


class SeparateOptions(Request):
    """How to separate; unknown options are ignored."""

    model: str | None = Field(default=None, max_length=255)
    """A model's `id`; without one, or with `auto`, the default. One that is not installed is fetched first."""
    two_stems: bool | str | None = None
    """A stem's name, or true for vocals: that stem and its complement, `no_vocals`."""
    extract_vocals: bool | None = None
    """Which stems are written: those with true, or all but those with false; all where nothing is said."""
    extract_drums: bool | None = None
    """As `extractVocals`."""
    extract_bass: bool | None = None
    """As `extractVocals`."""
    extract_other: bool | None = None
    """As `extractVocals`."""
    auto_process: bool | None = None
    """As long as the audio is missing: this separation follows by itself once the track has been downloaded."""
    auto_analyze: bool | None = None
    """An analysis follows by itself, also after the download of a track whose audio is missing."""
    overlap: float | None = Field(default=None, ge=0, lt=1)
    """How much of each segment overlaps the next, as a share of the segment; 0.25 where nothing is said."""
    shifts: Annotated[int, Field(ge=0, le=20), BeforeValidator(whole)] | None = None
    """Average over so many random shifts; each takes as long as the whole, and 0, the default, makes none."""


class SeparateRequest(Request):
    """A track to be separated."""

    track_id: TrackId
    """Its audio has to be there."""
    options: SeparateOptions | None = None


class AnalyzeRequest(Request):
    """A track to be analysed."""

    track_id: TrackId
    """Its audio has to be there."""


class TrackRequest(Request):
    """What a track is to be called; what is left out stays as it is."""

    title: str | None = Field(default=None, min_length=1, max_length=1000)
    artist: str | None = Field(default=None, max_length=1000)
    album: str | None = Field(default=None, max_length=1000)


class ModelRequest(Request):
    """A model whose weights are to be fetched."""

    model_name: str = Field(max_length=255)
    """The model's `id`."""


class TracksQuery(Query):
    """Which tracks, in which order."""

    search: Annotated[str, AfterValidator(one_line)] = Field(default="", max_length=200)
    """What is in the title, the artist or the album."""
    sort: Literal["created", "-created", "title", "-title", "artist", "-artist", "duration", "-duration"] = "-created"
    """With `-` the largest, last or newest first."""
    limit: int = Field(default=50, ge=1, le=1000)
    """At most so many."""
    offset: int = Field(default=0, ge=0, le=10**9)
    """How many to skip."""


class JobsQuery(Query):
    """Which jobs; the newest first."""

    track_id: TrackId | None = None
    """Only this track's."""
    kind: JobKind | None = None
    """Only of this kind."""
    parent: TrackId | None = None
    """Only the parts of this batch, by its id."""
    children: Annotated[bool, BeforeValidator(_yes_or_no)] = True
    """Whether the parts of batches are listed, too."""
    limit: int = Field(default=50, ge=1, le=1000)
    """At most so many."""


# -- what the server sends -----------------------------------------------------------------------------------------------


class Failure(Value):
    """An error."""

    error: str
    """A sentence for a person."""
    code: str = Field(examples=[code for group in CODES.values() for code in group])
    """A stable identifier for a program."""
    details: dict[str, Any] | None = Field(default=None, exclude_if=_absent)
    """Facts for a program."""


class Accepted(Value):
    """A job that was asked for."""

    job_id: str
    """The id of a new job, or of one that does the same already."""
    track_id: str | None
    """None for the fetch of a model."""
    status: JobStatus
    """`queued`, or `processing` where the same work is running already."""
    message: str
    """For people."""

    @classmethod
    def of(cls, job: Job, what: str) -> Accepted:
        """Return the answer for a job that does `what`."""
        where = {"queued": "is queued", "processing": "is running already"}.get(job.status, "has been done already")
        message = f"{what} {where}."
        return cls(job_id=job.id, track_id=job.track_id, status=job.status, message=message)


class JobDocument(Value):
    """A job as the API shows it."""

    id: str
    track_id: str | None
    """None for the fetch of a model, and for a batch."""
    parent: str | None = Field(default=None, exclude_if=_absent)
    """The id of the batch that it is a part of."""
    kind: JobKind
    status: JobStatus
    """It ends as `completed`, `error` or `cancelled`, and stays so; over HTTP a cancelled download reads `error`. A
    download that was asked to slow down goes back from `processing` to `queued`."""
    progress: int = Field(ge=0, le=100)
    """Percent."""
    stage: str
    """What it is doing, in a few words for people, like `Separating`; empty before it begins."""
    created_at: Moment
    """When it was asked for."""
    not_before: Moment | None = Field(default=None, exclude_if=_absent)
    """Until when it waits, because somebody else's service asks for that."""
    started_at: Moment | None = Field(default=None, exclude_if=_absent)
    """When it was begun."""
    completed_at: Moment | None = Field(default=None, exclude_if=_absent)
    """When it ended, however it ended."""
    output_path: str | None
    """What it made, relative to the library."""
    error: str | None
    """Why it failed: a sentence for a person."""
    code: str | None = Field(default=None, exclude_if=_absent)
    """Why it failed, for a program."""
    options: dict[str, Any] | None = Field(default=None, exclude_if=_absent)
    """How it was asked for. A separation: as `SeparateOptions`, and `stems`, `seed`, `device` and `precision` beside it.
    A download: `url`, `track` (what is known of it), `format`, `bitrate`, `autoProcess` and `autoAnalyze`. A batch:
    `name`, `type`, `url`, `leftOut`."""
    result: dict[str, Any] | None = Field(default=None, exclude_if=_absent)
    """What a completed job made. Of a separation `stemSet` (the set's id, for `set` and `setId`), `model` and
    `precision`; of an analysis its main figures; of a model's fetch `model`. Of a batch, also while it runs, how many
    of its parts `completed`, `failed` or were `cancelled`, and how many there are (`total`)."""


class JobEvent(JobDocument):
    """What a live event like `processing:job:updated` brings: the job as it is then."""

    seq: int = Field(ge=0)
    """Raised with every change of the job: what does not have a higher one than you know is no news."""


class ShortEvent(Value):
    """What a short live event like `processing:update` brings."""

    track_id: str | None
    job_id: str
    status: JobStatus
    progress: int = Field(ge=0, le=100)
    """Percent."""
    error: str | None = Field(default=None, exclude_if=_absent)
    """Why it failed, for people; `Cancelled.` where it was cancelled."""
    stems: list[str] | None = Field(default=None, exclude_if=_absent)
    """Of a completed separation: the names of the stems that it made, like `vocals.flac`."""


class StemFile(Value):
    """One stem of a track."""

    name: str
    """Unique among the track's stems, like `vocals.flac`."""
    type: str
    """`vocals`, `drums`, `bass`, `guitar`, `piano` or `other`, or what else the model makes; `no_vocals` is `other`."""
    path: str
    """Relative to the library."""
    size: int
    """Bytes."""
    last_modified: Moment
    url: str
    """Where the stem can be had, from the server's root. It is the newest set's, and follows a new separation."""


class ProcessDocument(JobDocument):
    """A track's newest separation, and the stems that the track has."""

    stems: list[StemFile] | None = Field(default=None, exclude_if=_absent)
    """Those of the newest set, also while another separation runs; absent as long as there are none."""


class PendingAnalysis(Value):
    """Where an analysis is that does not exist yet."""

    status: JobStatus
    progress: int
    """Percent."""
    message: str
    """For people."""
    job_id: str
    error: str | None = Field(default=None, exclude_if=_absent)
    """Why it failed, for people."""


class TrackDocument(Value):
    """A track of the library."""

    id: str
    title: str
    artist: str
    """Empty where it is not known."""
    album: str
    """Empty where it is not known."""
    artwork_url: str | None
    """A picture elsewhere, as Spotify names it; the picture in the track's own file is at `…/artwork`."""
    source: str
    """Where it came from: `file`, or a service's name."""
    duration: float | None
    """Seconds; this and the next two are None while there is no audio."""
    sample_rate: int | None
    """Hz."""
    channels: int | None
    isrc: str | None
    """The recording's International Standard Recording Code; this and the next three as Spotify has them, where known."""
    release_date: str | None
    """A year, a month or a day, like `1971-11-08`."""
    explicit: bool | None
    popularity: int | None
    """0 to 100, as Spotify counted it when the track was downloaded."""
    created_at: Moment
    """When it was added."""
    updated_at: Moment
    """When it was changed last."""
    has_stems: bool
    has_analysis: bool


class TrackPage(Value):
    """Some of the tracks, and how many there are in all."""

    tracks: list[TrackDocument]
    total: int
    """How many match `search`, on all pages."""


class JobList(Value):
    """Jobs, the newest first."""

    jobs: list[JobDocument]


class PublicConfig(Value):
    """What a front end needs in order to sign its users in; nothing secret."""

    supabase_url: str | None
    """None where users don't sign in through Supabase."""
    supabase_anon_key: str | None


def job_of(job: Job) -> JobDocument:
    """Return a job as the API shows it."""
    return JobDocument(
        **job.model_dump(include=set(JobDocument.model_fields) - {"options"}),
        options=_options(job),
    )


def job_document(job: Job) -> dict[str, Any]:
    """Return a job as JSON-ready objects."""
    return job_of(job).to_json()


def old_download(job: JobDocument) -> JobDocument:
    """Return a download as clients of the old API read it over HTTP: they poll until `completed` or `error`."""
    if job.status != "cancelled":
        return job
    return job.model_copy(update={"status": "error", "code": "cancelled", "error": "Cancelled."})


def stem_files(stem_set: StemSet, track_id: str, base_url: str) -> list[StemFile]:
    """Return a set's stems as the API shows them."""
    return [
        StemFile(
            name=stem.name, type=stem.type, path=str(stem.path), size=stem.size, last_modified=stem.created_at,
            url=f"{base_url}api/tracks/{track_id}/stems/{stem.name}",
        )
        for stem in stem_set.stems
    ]  # fmt: skip


def _options(job: Job) -> dict[str, Any] | None:
    if job.kind == "batch":
        return job.options
    if job.kind == "download":
        return job.options | {"autoProcess": "processing" in job.then, "autoAnalyze": "analysis" in job.then}
    if job.kind != "processing":
        return None
    asked = SeparationOptions.model_validate(job.options)
    chosen = asked.stems
    extracted = {
        f"extract{name.capitalize()}": chosen is None or name in chosen for name in ("vocals", "drums", "bass", "other")
    }
    return asked.to_json() | extracted | {"autoAnalyze": "analysis" in job.then}
