"""The façade: the only thing that a face needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from sfwidgets import separation
from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.jobs import JobHandle, Jobs
from sfwidgets.library import Page, Shared
from sfwidgets.models import (
    Analysis,
    Corrections,
    Job,
    JobKind,
    ModelInfo,
    Scores,
    SeparationOptions,
    Stem,
    StemFormat,
    StemSet,
    Track,
    Usage,
    one_line,
)
from sfwidgets.settings import LOCAL_OWNER, Settings

if TYPE_CHECKING:
    import numpy as np
    import pandas
    from numpy.typing import NDArray
    from pydantic import ValidationError

    from sfwidgets.analysis.plot import Picture
    from sfwidgets.analysis.spectrogram import Spectrogram
    from sfwidgets.audio import Peaks

TrackLike = Track | str

_BY_SUFFIX = {".json": "json", ".csv": "csv", ".jams": "jams", ".txt": "audacity", ".xml": "rekordbox", ".png": "png"}

STEM_FILE = ("drums", "bass", "other", "vocals")
"""The order of the true stems behind the mixture in a stem file (`.stem.mp4`)."""


class Workbench:
    """A library of tracks, and everything that can be done with them.

    >>> wb = Workbench()
    >>> track = wb.add("song.mp3")
    >>> job = wb.separate(track)
    >>> job.wait()              # in a notebook: await job
    >>> wb.stems(track)
    >>> wb.analyze(track).wait()
    >>> wb.analysis(track)

    `library` is the folder to keep everything in; without it, `AUDIO_DATA_PATH` or the user's data folder. Several
    processes may open one library at once: they share its workers.
    """

    COLLECTIONS = frozenset({"csv", "rekordbox"})
    """The formats of `export_analysis` that hold several tracks in a file."""

    def __init__(
        self, library: str | Path | None = None, *, settings: Settings | None = None, owner: str = LOCAL_OWNER
    ) -> None:
        self.settings = settings or Settings()
        if library is not None:
            self.settings = self.settings.model_copy(update={"library": Path(library).expanduser().absolute()})
        self._shared = Shared(self.settings)
        self._library = self._shared.of(owner)
        self._jobs = Jobs(self._shared, self.settings)
        self._jobs.resume()

    @property
    def owner(self) -> str:
        """Whose tracks these are."""
        return self._library.owner

    def add(
        self,
        source: str | Path,
        *,
        id: str | None = None,
        title: str | None = None,
        artist: str | None = None,
        album: str | None = None,
    ) -> Track:
        """Copy an audio file into the library.

        The track gets an id from its content, or takes the one given (1 to 64 of `A-Z a-z 0-9 _ -`). The same file twice
        is one track. Raises `InvalidInputError` (no such file, a folder, a bad id), `AudioError` (not audio, empty),
        `ConflictError` (the id is taken by other audio).
        """
        return self._library.add(Path(source).expanduser(), track_id=id, fields=_fields(title, artist, album))

    def track(self, track: TrackLike) -> Track:
        """Return a track as it is now; raises `NotFoundError`."""
        return self._library.tracks.get(_id(track))

    def tracks(self, search: str = "", *, sort: str = "-created", limit: int = 50, offset: int = 0) -> Page:
        """Return a page of the tracks whose title, artist, album or id contains `search`.

        `sort`: created, title, artist or duration; with a leading `-`, the other way round.
        """
        return self._library.tracks.page(search=search, sort=sort, limit=limit, offset=offset)

    def edit(
        self, track: TrackLike, *, title: str | None = None, artist: str | None = None, album: str | None = None
    ) -> Track:
        """Set a track's title, artist or album."""
        return self._library.tracks.edit(_id(track), _fields(title, artist, album))

    def delete(self, track: TrackLike) -> None:
        """Delete a track, its stems and its analysis; raises `ConflictError` while a job works on it."""
        self._library.delete(_id(track))

    def delete_stems(self, track: TrackLike) -> None:
        """Delete a track's stems, and keep its audio and analysis; raises `ConflictError` while a job works on it."""
        self._library.delete_stems(_id(track))

    def usage(self, track: TrackLike) -> Usage:
        """Return how many bytes a track takes: its audio, its stems, its analysis."""
        return self._library.usage(_id(track))

    def separate(self, track: TrackLike, model: str = "auto", *, analyze: bool = False, **options: Any) -> JobHandle:
        """Ask for a track's stems; returns the job at once.

        `options` are the fields of `SeparationOptions`: stems, two_stems, overlap, shifts, seed, device, precision. The
        same audio, model and options give the stems that are there already. With `analyze`, an analysis follows.
        Raises `InvalidInputError` for an option or a model that does not exist, `NotFoundError` for a track without audio.
        """
        asked = self._separation_options({"model": model, **options})
        self._library.audio_path(_id(track))
        following: tuple[JobKind, ...] = ("analysis",) if analyze else ()
        return self._submit("processing", _id(track), asked.model_dump(mode="json"), following)

    def analyze(self, track: TrackLike) -> JobHandle:
        """Ask for a track's analysis; returns the job at once. Raises `NotFoundError` for a track without audio."""
        self._library.audio_path(_id(track))
        return self._submit("analysis", _id(track), {})

    def fetch_model(self, model: str) -> JobHandle:
        """Ask for a model's weights to be fetched onto the disk; returns the job at once."""
        separation.describe(model, self.settings)
        return self._submit("model", None, {"model": model})

    def stems(self, track: TrackLike) -> StemSet:
        """Return a track's newest stems; raises `NotFoundError` where it has none."""
        sets = self.stem_sets(track)
        if not sets:
            raise NotFoundError("This track has no stems yet. Separate it first.", code="no_stems")
        return sets[0]

    def stem_sets(self, track: TrackLike) -> list[StemSet]:
        """Return all sets of stems of a track, the newest first."""
        return self._library.results.stem_sets(self.track(track).id)

    def analysis(self, track: TrackLike, *, corrected: bool = False) -> Analysis:
        """Return a track's newest analysis, its newest stems' in it; raises `NotFoundError` where it has none.

        It holds what was measured, and beside it, as `corrections`, what a person said. With `corrected`, what was said
        takes the place of what was measured: beats and bars follow a tempo, a metre and a downbeat, cue points follow
        the sections.
        """
        whole = self.track(track)
        found = self._library.results.analysis(whole.id)
        if found is None:
            raise NotFoundError(f"{whole.title} has no analysis yet. Analyse it first.", code="no_analysis")
        if not corrected:
            return found
        from sfwidgets.analysis.corrected import corrected as apply

        return apply(found)

    def correct(self, track: TrackLike, **said: Any) -> Corrections:
        """Say what a track really is; it is kept beside what was measured, and no new analysis touches it.

        `said` are fields of `Corrections`: tempo, time_signature, downbeat, key, sections, cue_points; what was said
        before of the others stays, and None takes a field back. Returns all that is now said. Raises
        `InvalidInputError` for what can't be so, `NotFoundError`.

        >>> wb.correct(track, tempo=88.0, key="A minor", cue_points=[{"time": 31.2, "label": "Drop", "type": "drop"}])
        """
        from pydantic import ValidationError

        whole = self.track(track)
        try:
            checked = Corrections.model_validate(said)
        except ValidationError as error:
            raise InvalidInputError(_first_fault("correction", error), code="bad_correction") from None
        moments = [checked.downbeat or 0.0, *(cue.time for cue in checked.cue_points or [])]
        latest = max(moments + [section.end for section in checked.sections or []])
        if whole.duration is not None and latest > whole.duration + 0.01:
            raise InvalidInputError(
                f"{latest:g} s lies beyond the end of the track, which is {whole.duration:.1f} s long.",
                code="bad_correction",
            )
        self._library.results.put_corrections(
            whole.id, checked.model_dump(mode="json", include=checked.model_fields_set)
        )
        return self._library.results.corrections(whole.id) or Corrections()

    def table(self, what: str = "tracks", *, tracks: TrackLike | Iterable[TrackLike] | None = None) -> pandas.DataFrame:
        """Return what is known of tracks, all of those with an analysis unless `tracks` says which, as a pandas table.

        `what`: tracks (one row a track, a column for every number), beats, chords, sections, … (see
        `analysis.export.TABLES`). What a person said holds. Units are in the table's `attrs["units"]`.
        """
        from sfwidgets.analysis import export

        chosen = self._chosen(tracks)
        return export.table([self.analysis(track, corrected=True) for track in chosen], what, tracks=chosen)

    def export_analysis(
        self,
        tracks: TrackLike | Iterable[TrackLike] | None,
        file: str | Path,
        *,
        format: str | None = None,
        sources: Mapping[str, Path] | None = None,
    ) -> Path:
        """Write the analysis of a track into a file; what a person said holds. Returns the file's path.

        `tracks` None is every track that has an analysis. `sources` are the files that Rekordbox shall know tracks by,
        by track id; without, these are the library's own copies.

        `format`, which the file's suffix says where none is given: json, csv (the numbers), jams, cues (CSV), audacity
        (labels), rekordbox (XML) or png (the overview picture). csv and rekordbox take several tracks. A file of that
        name is replaced. Raises `InvalidInputError` for another format, `NotFoundError` where there is no analysis.
        """
        from sfwidgets import audio
        from sfwidgets.analysis import export

        target = Path(file).expanduser()
        format = format or _BY_SUFFIX.get(target.suffix.lower(), target.suffix)
        self.check_export([format])
        chosen = self._chosen(tracks)
        if format == "png":
            if len(chosen) != 1:
                raise InvalidInputError("A picture shows one track; write one for each.", code="bad_format")
            content = self.overview(chosen[0])._repr_png_()
        else:
            entries = [
                export.Entry(
                    self.analysis(track, corrected=True), track, (sources or {}).get(track.id, self.path(track))
                )
                for track in chosen
            ]
            content = export.FORMATS[format].write(entries).encode()
        return audio.write_whole(target, content)

    def check_export(self, formats: Iterable[str]) -> dict[str, str]:
        """Return the suffix of each of these formats' files; raises `InvalidInputError` as `export_analysis` would."""
        from sfwidgets.analysis import export

        known = {name: format.suffix for name, format in export.FORMATS.items()} | {"png": ".png"}
        for format in formats:
            if format not in known:
                raise InvalidInputError(
                    f"An analysis is written as one of {', '.join(known)}; not as {format!r}.", code="bad_format"
                )
        return {format: known[format] for format in formats}

    def overview(self, track: TrackLike, *, theme: Literal["light", "dark"] = "light") -> Picture:
        """Return a picture of a track's whole analysis; what a person said holds."""
        from sfwidgets.analysis import plot

        whole = self.track(track)
        return plot.overview(
            self.analysis(whole, corrected=True),
            self.peaks(whole).get("mixture"),
            title=" – ".join(filter(None, (whole.artist, whole.title))),
            theme=theme,
        )

    def spectrogram(self, track: TrackLike) -> Spectrogram:
        """Read a track's audio and return its spectrogram, for `analysis.plot.spectrogram`."""
        from sfwidgets.analysis.spectrogram import spectrogram

        whole = self.track(track)
        rate = whole.sample_rate or 44100
        return spectrogram(self._decode(whole, rate), rate, whole.duration or 0.0)

    def chromagram(self, track: TrackLike) -> NDArray[np.float32]:
        """Read a track's audio and return its chromagram, of 12 rows, C first, for `analysis.plot.chroma`."""
        from sfwidgets.analysis.spectrogram import chromagram

        whole = self.track(track)
        rate = whole.sample_rate or 44100
        return chromagram(self._decode(whole, rate), rate)

    def path(self, thing: TrackLike | Stem) -> Path:
        """Return the absolute path of a track's audio, or of a stem."""
        if isinstance(thing, Stem):
            return self._library.store.path(thing.path)
        return self._library.audio_path(_id(thing))

    def export(
        self, track: TrackLike, folder: str | Path, *, format: StemFormat = "flac", stem_set: StemSet | None = None
    ) -> dict[str, Path]:
        """Write a track's stems into a folder, as `vocals.flac` and so on; returns stem name → file.

        A file of that name is replaced. Raises `NotFoundError` where there are no stems, `DiskFullError`.
        """
        from sfwidgets import audio

        chosen = stem_set or self.stems(track)
        target = audio.writable_folder(folder)
        written = {}
        for stem in chosen.stems:
            name = Path(stem.name).stem
            written[name] = target / f"{name}.{format}"
            if format == "flac":
                audio.copy_whole(self.path(stem), written[name])
            else:
                audio.transcode(self.path(stem), written[name], format=format)
        return written

    def peaks(self, track: TrackLike) -> dict[str, Peaks]:
        """Return the precomputed peaks of a track's mixture and of its newest stems, by name."""
        from sfwidgets import audio

        whole = self.track(track)
        found = {}
        if whole.content_hash is not None:
            found["mixture"] = self._library.store.peaks_name(self.owner, whole.content_hash)
        for newest in self.stem_sets(track)[:1]:
            found |= {Path(stem.name).stem: stem.peaks for stem in newest.stems}
        paths = {name: self._library.store.path(peaks) for name, peaks in found.items()}
        return {name: audio.read_peaks(path) for name, path in paths.items() if path.exists()}

    def score(self, track: TrackLike, stem_set: StemSet | None = None) -> Scores:
        """Return how good a track's stems are, where the truth is known: where its file is a stem file.

        Such a file carries the true drums, bass, other and vocals as audio streams behind the mixture.
        """
        from sfwidgets import audio

        source, chosen = self.path(track), stem_set or self.stems(track)
        if audio.stream_count(source) != 1 + len(STEM_FILE):
            return Scores()
        scored, unprocessed = {}, {}
        for stem in chosen.stems:
            if stem.type in STEM_FILE and stem.name.startswith(stem.type):
                decode = partial(audio.decode, source, sample_rate=stem.sample_rate, channels=stem.channels)
                truth = partial(decode, stream=1 + STEM_FILE.index(stem.type))
                scored[stem.type] = separation.sdr(truth(), audio.decode(self.path(stem)))
                unprocessed[stem.type] = separation.sdr(truth(), decode())
        return Scores(stems=scored, mixture=unprocessed)

    def _chosen(self, tracks: TrackLike | Iterable[TrackLike] | None) -> list[Track]:
        if tracks is None:
            return list(self._analysed())
        return [self.track(track) for track in ([tracks] if isinstance(tracks, Track | str) else tracks)]

    def _decode(self, track: Track, rate: int) -> Iterator[NDArray[np.float32]]:
        from sfwidgets import audio

        return audio.decode(self.path(track), sample_rate=rate, channels=track.channels or 2)

    def _analysed(self) -> Iterator[Track]:
        offset, total = 0, 1
        while offset < total:
            page = self.tracks(sort="created", limit=1000, offset=offset)
            yield from (track for track in page if track.has_analysis)
            offset, total = offset + 1000, page.total

    def models(self) -> list[ModelInfo]:
        """Return the separation models there are, installed ones first."""
        return separation.catalogue(self.settings)

    def job(self, job_id: str) -> JobHandle:
        """Return a job by its id; raises `NotFoundError`."""
        return self._handle(self._jobs.table.get(self.owner, job_id))

    def jobs(self, track: TrackLike | None = None, *, kind: JobKind | None = None, limit: int = 50) -> list[JobHandle]:
        """Return jobs, the newest first."""
        track_id = None if track is None else _id(track)
        return [
            self._handle(job) for job in self._jobs.table.newest(self.owner, kind=kind, track_id=track_id, limit=limit)
        ]

    def close(self) -> None:
        """Leave the cluster and the database; jobs that were asked for go on."""
        self._jobs.close()
        self._shared.close()

    def __enter__(self) -> Workbench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def check_separation(self, model: str = "auto", **options: Any) -> None:
        """Raise `InvalidInputError` where `separate` would, without a track."""
        self._separation_options({"model": model, **options})

    def _separation_options(self, values: dict[str, Any]) -> SeparationOptions:
        from pydantic import ValidationError

        for name, default in (("device", self.settings.device), ("precision", self.settings.precision)):
            if values.get(name, "auto") == "auto":
                values[name] = default
        try:
            options = SeparationOptions.model_validate(values)
        except ValidationError as error:
            raise InvalidInputError(_first_fault("option", error), code="bad_option") from None
        separation.check(options, self.settings)
        return options

    def _submit(
        self, kind: JobKind, track_id: str | None, options: dict[str, Any], then: tuple[JobKind, ...] = ()
    ) -> JobHandle:
        return self._handle(self._jobs.submit(self.owner, kind, track_id, options, then))

    def _handle(self, job: Job) -> JobHandle:
        return JobHandle(self._jobs, job, lambda old: self._submit(old.kind, old.track_id, old.options, old.then))


def _fields(title: str | None, artist: str | None, album: str | None) -> dict[str, str]:
    given = {"title": title, "artist": artist, "album": album}
    fields = {name: one_line(value) for name, value in given.items() if value is not None}
    if fields.get("title") == "":
        raise InvalidInputError("A title can't be empty.")
    if any(len(value) > 1000 for value in fields.values()):
        raise InvalidInputError("A title, an artist and an album have at most 1000 characters each.")
    return fields


def _first_fault(what: str, error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"The {what} {where!r} is not right: {first['msg'].removeprefix('Value error, ')}."


def _id(track: TrackLike) -> str:
    if isinstance(track, Track):
        return track.id
    if not isinstance(track, str):
        raise InvalidInputError(f"{track!r} is neither a track nor a track's id. Add a file with wb.add first.")
    return track
