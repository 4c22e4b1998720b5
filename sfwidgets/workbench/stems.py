"""Stems: asked for, found, exported and scored; and the models that make them."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfwidgets import separation
from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.jobs import JobHandle
from sfwidgets.models import JobKind, ModelInfo, Scores, SeparationOptions, StemFormat, StemSet
from sfwidgets.workbench.base import TrackLike, first_fault, track_id
from sfwidgets.workbench.tracks import WithTracks

if TYPE_CHECKING:
    from sfwidgets.audio import Peaks

STEM_FILE = ("drums", "bass", "other", "vocals")
"""The order of the true stems behind the mixture in a stem file (`.stem.mp4`)."""


class WithStems(WithTracks):
    """The stems of tracks."""

    def separate(self, track: TrackLike, model: str = "auto", *, analyze: bool = False, **options: Any) -> JobHandle:
        """Ask for a track's stems; returns the job at once.

        `options` are the fields of `SeparationOptions`: stems, two_stems, overlap, shifts, seed, device, precision. The
        same audio, model and options give the stems that are there already. With `analyze`, an analysis follows.
        Raises `InvalidInputError` for an option or a model that does not exist, `NotFoundError` for a track without audio.
        """
        asked = self._separation_options({"model": model, **options})
        self._library.check_audio(track_id(track))
        following: tuple[JobKind, ...] = ("analysis",) if analyze else ()
        return self._submit("processing", track_id(track), asked.model_dump(mode="json"), following)

    def check_separation(self, model: str = "auto", **options: Any) -> None:
        """Raise `InvalidInputError` where `separate` would, without a track."""
        self._separation_options({"model": model, **options})

    def models(self) -> list[ModelInfo]:
        """Return the separation models there are, installed ones first."""
        return separation.catalogue(self.settings)

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

    def delete_stems(self, track: TrackLike) -> None:
        """Delete a track's stems, and keep its audio and analysis; raises `ConflictError` while a job works on it."""
        self._library.delete_stems(track_id(track))

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

    def peaks(self, track: TrackLike, stem_set: StemSet | None = None) -> dict[str, Peaks]:
        """Return the precomputed peaks of a track's mixture and of its stems, by name; without `stem_set`, the newest."""
        from sfwidgets import audio

        whole = self.track(track)
        found = {}
        if whole.content_hash is not None:
            found["mixture"] = self._library.store.peaks_name(self.owner, whole.content_hash)
        for chosen in [stem_set] if stem_set is not None else self.stem_sets(track)[:1]:
            found |= {Path(stem.name).stem: stem.peaks for stem in chosen.stems}
        read = {}
        for name, peaks in found.items():
            with suppress(NotFoundError):
                read[name] = audio.read_peaks(self._library.store.fetch(peaks))
        return read

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

    def _separation_options(self, values: dict[str, Any]) -> SeparationOptions:
        from pydantic import ValidationError

        for name, default in (("device", self.settings.device), ("precision", self.settings.precision)):
            if values.get(name, "auto") == "auto":
                values[name] = default
        try:
            options = SeparationOptions.model_validate(values)
        except ValidationError as error:
            raise InvalidInputError(first_fault("option", error), code="bad_option") from None
        separation.check(options, self.settings)
        return options
