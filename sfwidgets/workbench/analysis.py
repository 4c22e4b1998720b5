"""Analyses: asked for, read, corrected, drawn and exported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.jobs import JobHandle
from sfwidgets.models import Analysis, Corrections, Track
from sfwidgets.workbench.base import TrackLike, first_fault, track_id
from sfwidgets.workbench.stems import WithStems

if TYPE_CHECKING:
    import numpy as np
    import pandas
    from numpy.typing import NDArray

    from sfwidgets.analysis.plot import Picture
    from sfwidgets.analysis.spectrogram import Spectrogram

_BY_SUFFIX = {".json": "json", ".csv": "csv", ".jams": "jams", ".txt": "audacity", ".xml": "rekordbox", ".png": "png"}


class WithAnalyses(WithStems):
    """What tracks were measured to be, and what a person said instead."""

    COLLECTIONS = frozenset({"csv", "rekordbox"})
    """The formats of `export_analysis` that hold several tracks in a file."""

    def analyze(self, track: TrackLike) -> JobHandle:
        """Ask for a track's analysis; returns the job at once. Raises `NotFoundError` for a track without audio."""
        self._library.check_audio(track_id(track))
        return self._submit("analysis", track_id(track), {})

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
            raise InvalidInputError(first_fault("correction", error), code="bad_correction") from None
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

    def _chosen(self, tracks: TrackLike | Iterable[TrackLike] | None) -> list[Track]:
        if tracks is None:
            return list(self._analysed())
        return [self.track(track) for track in ([tracks] if isinstance(tracks, Track | str) else tracks)]

    def _analysed(self) -> Iterator[Track]:
        offset, total = 0, 1
        while offset < total:
            page = self.tracks(sort="created", limit=1000, offset=offset)
            yield from (track for track in page if track.has_analysis)
            offset, total = offset + 1000, page.total

    def _decode(self, track: Track, rate: int) -> Iterator[NDArray[np.float32]]:
        from sfwidgets import audio

        return audio.decode(self.path(track), sample_rate=rate, channels=track.channels or 2)
