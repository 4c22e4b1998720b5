"""What the API takes and gives, as types: handlers use them, and `/openapi.json` is made from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from server_ext.operation import ID_PATTERN, Query, Request
from sfwidgets.models import Job, JobKind, JobStatus, Moment, SeparationOptions, StemSet, Value, one_line

TrackId = Annotated[str, Field(pattern=ID_PATTERN)]


def _absent(value: Any) -> bool:
    return value is None


def _whole(value: Any) -> Any:
    """Return an integer as one, also where JSON has it as `1.0`, which is the same number there."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# -- what clients send ---------------------------------------------------------------------------------------------------


def _link(kinds: str) -> dict[str, Any]:
    """Return what the description says of a link to Spotify; the sources say what is one."""
    what = f"({kinds})"
    page = rf"(https?://)?((open|play|www)\.)?spotify\.com/(intl-[a-z]{{2,3}}/)?{what}/[A-Za-z0-9]{{1,64}}/?([?#]\S*)?"
    return {"pattern": f"^(spotify:{what}:[A-Za-z0-9]{{1,64}}|{page})$"}


class FetchRequest(Request):
    """A link to a track, an album or a playlist on Spotify."""

    url: str = Field(max_length=2000, json_schema_extra=_link("track|album|playlist"))


class TrackInfo(Request):
    """A track as `POST /api/spotify/fetch` gave it; only what is kept of it is named here."""

    id: str | None = None
    title: str = Field(min_length=1, max_length=1000)
    artist: str = Field(default="", max_length=1000)
    album_name: str | None = Field(default=None, max_length=1000)
    album_art: str | None = Field(default=None, max_length=2000)


class DownloadRequest(Request):
    """A track to be downloaded: `spotifyUrl` or `trackInfo` is needed."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["spotifyUrl"], "properties": {"spotifyUrl": {"type": "string"}}},
                {"required": ["trackInfo"], "properties": {"trackInfo": {"type": "object"}}},
            ]
        }
    )

    track_id: TrackId
    spotify_url: Annotated[str, Field(max_length=2000, json_schema_extra=_link("track"))] | None = None
    track_info: TrackInfo | None = None
    auto_process: bool = False
    auto_analyze: bool = False
    options: dict[str, Any] | None = None


class SeparateOptions(Request):
    """How to separate; unknown options are ignored."""

    model: str | None = Field(default=None, max_length=255)
    two_stems: bool | str | None = None
    """A stem's name, or true for vocals: that stem and its complement, `no_vocals`."""
    extract_vocals: bool | None = None
    extract_drums: bool | None = None
    extract_bass: bool | None = None
    extract_other: bool | None = None
    auto_analyze: bool | None = None
    """An analysis follows."""
    overlap: float | None = Field(default=None, ge=0, lt=1)
    shifts: Annotated[int, Field(ge=0, le=20), BeforeValidator(_whole)] | None = None


class SeparateRequest(Request):
    """A track to be separated."""

    track_id: TrackId
    options: SeparateOptions | None = None


class AnalyzeRequest(Request):
    """A track to be analysed."""

    track_id: TrackId


class TrackRequest(Request):
    """What a track is to be called; what is left out stays as it is."""

    title: str | None = Field(default=None, min_length=1, max_length=1000)
    artist: str | None = Field(default=None, max_length=1000)
    album: str | None = Field(default=None, max_length=1000)


class ModelRequest(Request):
    """A model whose weights are to be fetched."""

    model_name: str = Field(max_length=255)


class TracksQuery(Query):
    """Which tracks, in which order."""

    search: Annotated[str, AfterValidator(one_line)] = Field(default="", max_length=200)
    sort: Literal["created", "-created", "title", "-title", "artist", "-artist", "duration", "-duration"] = "-created"
    limit: int = Field(default=50, ge=1, le=1000)
    offset: int = Field(default=0, ge=0, le=10**9)


class JobsQuery(Query):
    """Which jobs; the newest first."""

    track_id: TrackId | None = None
    kind: JobKind | None = None
    limit: int = Field(default=50, ge=1, le=1000)


# -- what the server sends -----------------------------------------------------------------------------------------------


class Failure(Value):
    """An error."""

    error: str
    """A sentence for a person."""
    code: str
    """A stable identifier for a program."""
    details: dict[str, Any] | None = Field(default=None, exclude_if=_absent)


class Accepted(Value):
    """A job that was asked for."""

    job_id: str
    track_id: str | None
    status: JobStatus
    message: str

    @classmethod
    def of(cls, job: Job, what: str) -> Accepted:
        """Return the answer for a job that does `what`."""
        waiting = job.status == "queued"
        message = f"{what} is queued." if waiting else f"{what} is running already."
        return cls(job_id=job.id, track_id=job.track_id, status=job.status, message=message)


class JobDocument(Value):
    """A job as the API shows it."""

    id: str
    track_id: str | None
    kind: JobKind
    status: JobStatus
    progress: int = Field(ge=0, le=100)
    stage: str
    created_at: Moment
    started_at: Moment | None = Field(default=None, exclude_if=_absent)
    completed_at: Moment | None = Field(default=None, exclude_if=_absent)
    output_path: str | None
    error: str | None
    code: str | None = Field(default=None, exclude_if=_absent)
    options: dict[str, Any] | None = Field(default=None, exclude_if=_absent)
    result: dict[str, Any] | None = Field(default=None, exclude_if=_absent)


class StemFile(Value):
    """One stem of a track."""

    name: str
    type: str
    path: str
    """Relative to the library."""
    size: int
    last_modified: Moment
    url: str
    """Where the stem can be had, from the server's root."""


class ProcessDocument(JobDocument):
    """A track's newest separation, and the stems that the track has."""

    stems: list[StemFile] | None = Field(default=None, exclude_if=_absent)


class PendingAnalysis(Value):
    """Where an analysis is that does not exist yet."""

    status: JobStatus
    progress: int
    message: str
    job_id: str
    error: str | None = Field(default=None, exclude_if=_absent)


class TrackDocument(Value):
    """A track of the library."""

    id: str
    title: str
    artist: str
    album: str
    artwork_url: str | None
    source: str
    duration: float | None
    """Seconds."""
    sample_rate: int | None
    channels: int | None
    created_at: Moment
    updated_at: Moment
    has_stems: bool
    has_analysis: bool


class TrackPage(Value):
    """Some of the tracks, and how many there are in all."""

    tracks: list[TrackDocument]
    total: int


class JobList(Value):
    """Jobs, the newest first."""

    jobs: list[JobDocument]


class PublicConfig(Value):
    """What a front end needs in order to sign its users in; nothing secret."""

    supabase_url: str | None
    supabase_anon_key: str | None


class FetchedTrack(Value):
    """A track on Spotify."""

    id: str
    title: str
    artist: str
    album_art: str | None
    duration: str
    """Like `3:05`."""
    album_name: str | None
    release_date: str | None
    preview_url: str | None


class Fetched(Value):
    """A track, an album or a playlist on Spotify, with all of its tracks."""

    type: Literal["playlist", "album", "track"]
    id: str
    name: str
    description: str
    tracks: list[FetchedTrack]


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
    if job.kind != "processing":
        return None
    asked = SeparationOptions.model_validate(job.options)
    chosen = asked.stems
    extracted = {
        f"extract{name.capitalize()}": chosen is None or name in chosen for name in ("vocals", "drums", "bass", "other")
    }
    return asked.to_json() | extracted | {"autoAnalyze": "analysis" in job.then}
