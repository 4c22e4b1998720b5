"""What each kind of job does, once it has been claimed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from sfwidgets import analysis, audio, separation
from sfwidgets.analysis import activity
from sfwidgets.errors import AudioError, ConflictError, SoundForgeError
from sfwidgets.jobs.download import download
from sfwidgets.jobs.worker import Attempt
from sfwidgets.library import StemsExistError
from sfwidgets.models import JobKind, SeparationOptions, Stem, StemAnalysis, StemSet, Track, utc_now

ANALYSIS_RATE = 44100
_SAMPLE_BYTES = 3
"""What a sample of a stem takes at most: FLAC of 24 bits."""


def separate(attempt: Attempt) -> None:
    """Split a track into stems: read blocks, separate, write, then make all of it true at once."""
    track, source = _track(attempt)
    with _called_by_its_title(track, source):
        _separate(attempt, track, source)


def _separate(attempt: Attempt, track: Track, source: Path) -> None:
    asked = SeparationOptions.model_validate(attempt.job.options)
    attempt.stage("Looking for the model")
    model, notices = separation.resolve(asked.model, attempt.settings)
    substituted = bool(notices)
    options = asked.model_copy(update={"model": model})
    described = separation.describe(model, attempt.settings)
    if described.preview:
        notices.append(f"These stems are a preview: {described.description}")
    key = stems_key(options, separation.fingerprint(model, attempt.settings), substituted=substituted)
    content_hash = _hash(track)
    known = attempt.library.results.find_stems(content_hash, key)
    if known is not None and all(attempt.library.store.exists(stem.path) for stem in known.stems):
        _finish(attempt, track, known, str(known.stems[0].path.parent))
        return
    if known is not None:
        attempt.library.results.forget_stems(known.id)

    attempt.stage(f"Loading {model}")
    separator = separation.load(model, attempt.settings, options.device, options.precision)
    names = separation.stem_plan(separator.sources, options).names
    stem_bytes = int((track.duration or 0) * separator.sample_rate * separator.channels * _SAMPLE_BYTES)
    attempt.library.store.check_room(len(names) * stem_bytes)
    began = time.monotonic()
    mixture = _with_peaks(attempt, source, separator.sample_rate, separator.channels, notices)
    attempt.stage("Separating")
    with attempt.workspace() as folder, ExitStack() as files:
        writers = {
            name: files.enter_context(_StemWriter(folder, name, separator.sample_rate, separator.channels))
            for name in names
        }
        for block in separation.separate(separator, mixture, options, attempt.progress):
            for name, samples in block.items():
                writers[name].write(samples)
        for writer in writers.values():
            writer.close()
        published = attempt.library.store.stems_name(track.owner, content_hash, attempt.name)
        stems = [writer.describe(published) for writer in writers.values()]
        stem_set = StemSet(
            id=attempt.name, model=model, precision=separator.precision, options=options,
            seconds=round(time.monotonic() - began, 3), stems=stems, preview=described.preview,
            notices=_told(track, source, notices + _clip_notices(stems)), created_at=utc_now(),
        )  # fmt: skip
        attempt.progress(0.99)
        attempt.library.store.remove_here(published)  # an attempt that was given back at its end may have left it
        attempt.library.store.publish(folder, published)

        def record(connection: Connection) -> None:
            attempt.library.results.add_stems(
                connection, stem_set, content_hash=content_hash, key=key, folder=str(published)
            )

        try:
            _finish(attempt, track, stem_set, str(published), record)
        except BaseException as error:
            # A database that was lost at the end of the transaction may have recorded the set all the same.
            recorded = attempt.library.results.find_stems(content_hash, key)
            if recorded is None or recorded.id != stem_set.id:
                attempt.library.store.remove(published)
            if recorded is None or not isinstance(error, StemsExistError):
                raise
            _finish(attempt, track, recorded, str(recorded.stems[0].path.parent))


def analyse(attempt: Attempt) -> None:
    """Measure a track and its newest stems, and keep what was measured; what is known already is not measured again."""
    track, source = _track(attempt)
    with _called_by_its_title(track, source):
        _analyse(attempt, track, source)


def _analyse(attempt: Attempt, track: Track, source: Path) -> None:
    content_hash = _hash(track)
    results = attempt.library.results
    found = results.find_analysis(content_hash, analysis.VERSION)
    stem_set = _stems_on_disk(attempt, track)
    stems = None if stem_set is None else results.stem_analyses(stem_set.id, analysis.VERSION)
    missing = stem_set.stems if stem_set is not None and stems is None else []
    parts = _Parts(attempt, (found is None) + len(missing))
    if found is None:
        attempt.stage("Analysing")
        notices: list[str] = []
        channels = track.channels or 2
        found = analysis.analyse(
            _with_peaks(attempt, source, ANALYSIS_RATE, channels, notices),
            sample_rate=ANALYSIS_RATE, track_id=track.id, progress=parts.next(), duration=track.duration,
        )  # fmt: skip
        found = found.model_copy(update={"notices": _told(track, source, notices)})
    measured = _analyse_stems(attempt, missing, source, parts) if missing else {}
    named = found.model_copy(update={"track_id": track.id})

    def record(connection: Connection) -> None:
        results.put_analysis(connection, named, content_hash=content_hash, version=analysis.VERSION)
        if stem_set is not None and measured:
            results.put_stem_analyses(connection, stem_set.id, measured, version=analysis.VERSION)

    attempt.complete(record, result=named.brief())


def _analyse_stems(attempt: Attempt, stems: list[Stem], source: Path, parts: _Parts) -> dict[str, StemAnalysis]:
    def decode(path: Path) -> Iterator[separation.Block]:
        return audio.decode(path, sample_rate=ANALYSIS_RATE, channels=min(stems[0].channels, 2))

    attempt.stage("Analysing the stems")
    mixture = activity.power(decode(source), ANALYSIS_RATE)
    measured = {}
    for stem in stems:
        name = Path(stem.name).stem
        attempt.stage(f"Analysing {name}")
        measured[name] = analysis.analyse_stem(
            partial(decode, attempt.library.store.fetch(stem.path)), stem=name, kind=stem.type, mixture=mixture,
            sample_rate=ANALYSIS_RATE, progress=parts.next(), duration=stem.frames / stem.sample_rate,
        )  # fmt: skip
    return measured


def _stems_on_disk(attempt: Attempt, track: Track) -> StemSet | None:
    for newest in attempt.library.results.stem_sets(track.id)[:1]:
        if all(attempt.library.store.exists(stem.path) for stem in newest.stems):
            return newest
    return None


class _Parts:
    """Splits a job's progress evenly over parts that come one after another."""

    def __init__(self, attempt: Attempt, count: int) -> None:
        self._attempt, self._count, self._begun = attempt, max(1, count), 0

    def next(self) -> Callable[[float], None]:
        """Return what the next part tells its own progress to, 0 to 1."""
        before = self._begun
        self._begun += 1
        return lambda share: self._attempt.progress((before + share) / self._count)


def fetch_model(attempt: Attempt) -> None:
    """Get a model's weights onto the disk."""
    attempt.stage("Fetching")
    separation.fetch(attempt.job.options["model"], attempt.settings, attempt.progress)
    attempt.complete(lambda _connection: None, result={"model": attempt.job.options["model"]})


KINDS: dict[JobKind, Callable[[Attempt], None]] = {
    "download": download, "processing": separate, "analysis": analyse, "model": fetch_model,
}  # fmt: skip


def stems_key(options: SeparationOptions, weights: str, *, substituted: bool) -> str:
    """Return what tells one way of separating from another: options that change the samples, and the weights.

    Stems by a model that `auto` had to fall back on are kept apart from those by the same model when it was asked for,
    because theirs say so.
    """
    said = options.model_dump(mode="json", exclude={"device"} | ({"seed"} if options.shifts == 0 else set()))
    return hashlib.sha256(json.dumps([said, weights, substituted], sort_keys=True).encode()).hexdigest()


def _finish(
    attempt: Attempt,
    track: Track,
    stem_set: StemSet,
    output_path: str,
    record: Callable[[Connection], None] = lambda _connection: None,
) -> None:
    def link(connection: Connection) -> None:
        record(connection)
        if not attempt.library.results.link_stems(connection, track.id, stem_set.id):
            raise ConflictError("The track was deleted while it was being separated.", code="track_deleted")

    result = {"stemSet": stem_set.id, "model": stem_set.model, "precision": stem_set.precision}
    attempt.complete(link, output_path=output_path, result=result)


def _track(attempt: Attempt) -> tuple[Track, Path]:
    track = attempt.library.tracks.get(str(attempt.job.track_id))
    return track, attempt.library.audio_path(track.id)


@contextmanager
def _called_by_its_title(track: Track, source: Path) -> Iterator[None]:
    """Put the track's title where an error names the library's own file, which means nothing to a person."""
    try:
        yield
    except SoundForgeError as error:
        error.message = _by_title(track, source, error.message)
        raise


def _hash(track: Track) -> str:
    if track.content_hash is None:
        raise AudioError(f"Track {track.id} has no audio yet.", code="audio_missing")
    return track.content_hash


def _with_peaks(
    attempt: Attempt, source: Path, sample_rate: int, channels: int, notices: list[str]
) -> separation.OpenMixture:
    """Open the mixture; where its peaks are not in the library yet, the first whole pass leaves them there."""
    store = attempt.library.store
    name = store.peaks_name(attempt.job.owner, source.stem)

    def decode() -> Iterator[separation.Block]:
        return audio.decode(source, sample_rate=sample_rate, channels=channels, notices=notices)

    def decode_and_draw() -> Iterator[separation.Block]:
        temporary = store.temporary / f"{attempt.name}.dat"
        try:
            with audio.PeakWriter(temporary, sample_rate=sample_rate) as peaks:
                for block in decode():
                    peaks.write(block)
                    yield block
            store.publish(temporary, name)
        finally:
            temporary.unlink(missing_ok=True)

    return lambda: decode() if store.exists(name) else decode_and_draw()


class _StemWriter:
    """A stem's FLAC file and its peaks, written side by side."""

    def __init__(self, folder: Path, name: str, sample_rate: int, channels: int) -> None:
        self._name = name
        self._files = ExitStack()
        self._sample_rate, self._channels = sample_rate, channels
        self._audio_path = folder / f"{name}.flac"
        self._audio = self._files.enter_context(
            audio.Encoder(self._audio_path, sample_rate=sample_rate, channels=channels)
        )
        self._peaks = self._files.enter_context(audio.PeakWriter(folder / f"{name}.dat", sample_rate=sample_rate))

    def __enter__(self) -> _StemWriter:
        return self

    def __exit__(self, *exception: Any) -> None:
        self._files.__exit__(*exception)

    def write(self, samples: separation.Block) -> None:
        self._audio.write(samples)
        self._peaks.write(samples)

    def close(self) -> None:
        self._files.close()

    def describe(self, folder: Path) -> Stem:
        return Stem(
            name=self._audio_path.name, type="other" if self._name.startswith("no_") else self._name,
            path=folder / self._audio_path.name, peaks=folder / f"{self._name}.dat",
            size=self._audio_path.stat().st_size, sample_rate=self._sample_rate, channels=self._channels,
            frames=self._audio.frames, clipped=self._audio.clipped, created_at=utc_now(),
        )  # fmt: skip


def _clip_notices(stems: list[Stem]) -> list[str]:
    return [
        f"{stem.clipped} samples of {stem.name} were beyond full scale and were limited."
        for stem in stems
        if stem.clipped
    ]


def _told(track: Track, source: Path, notices: list[str]) -> list[str]:
    """Return the notices as a person is told them: each once, and by the track's title."""
    return list(dict.fromkeys(_by_title(track, source, notice) for notice in notices))


def _by_title(track: Track, source: Path, sentence: str) -> str:
    return sentence.replace(source.name, track.title)
