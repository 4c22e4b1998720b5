"""The track that a player has open: its lanes, their outlines and their audio."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from sfwidgets.audio import Peaks, Reader
from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.models import MIXTURE, CuePoint, Mix, StemSet, stem_rank
from sfwidgets.widgets.served import address, of_stems
from sfwidgets.workbench import TrackLike, Workbench

MOST_FRAMES = 1 << 20
"""Of one answer: a page asks for about a second at a time."""


class OpenTrack:
    """One track and one set of its stems, the newest where none is given; raises `NotFoundError`.

    Several threads may ask at once.
    """

    def __init__(self, wb: Workbench, track: TrackLike, stem_set: StemSet | None = None) -> None:
        self.track = wb.track(track)
        if self.track.content_hash is None:
            raise NotFoundError("Track file not found. Download the track first.", code="audio_missing")
        self.stem_set = stem_set or next(iter(wb.stem_sets(self.track)), None)
        found = [] if self.stem_set is None else [(Path(stem.name).stem, stem.type) for stem in self.stem_set.stems]
        self.types = dict(sorted(found, key=lambda stem: stem_rank(stem[1])))
        """The stems' types by name, the voice first."""
        self.stems = list(self.types)
        self._wb = wb
        self._lock = Lock()
        self._readers: dict[str, Reader] = {}
        self._peaks: dict[str, Peaks] | None = None

    def same(self, other: OpenTrack) -> bool:
        """Return whether both play the same audio."""
        sets = [None if opened.stem_set is None else opened.stem_set.id for opened in (self, other)]
        return (self.track.id, self.track.content_hash) == (other.track.id, other.track.content_hash) and len(
            set(sets)
        ) == 1

    def wire(self) -> dict[str, Any]:
        """Return what a page shows of it: title, lanes, notices, and how long it is."""
        rate, frames = self.track.sample_rate or 44100, 0
        lanes = []
        if self.stem_set is not None:
            rate, frames = self.stem_set.stems[0].sample_rate, self.stem_set.stems[0].frames
            lanes = [{"name": name, "type": type, "group": "stems"} for name, type in self.types.items()]
        frames = frames or round((self.track.duration or 0.0) * rate)
        return {
            "id": self.track.id,
            "title": self.track.title,
            "artist": self.track.artist,
            "album": self.track.album,
            "duration": frames / rate,
            "sampleRate": rate,
            "frames": frames,
            "lanes": [*lanes, {"name": MIXTURE, "type": MIXTURE, "group": MIXTURE}],
            "preview": self.stem_set.model if self.stem_set is not None and self.stem_set.preview else "",
            "notices": [] if self.stem_set is None else list(self.stem_set.notices),
        }

    def sound(self) -> dict[str, Any]:
        """Return how the lanes' audio is had over HTTP, and how much there is of it.

        The first time, and where a track was added as MP3 or the like, this takes as long as decoding it.
        """
        readers = {name: self._reader(name) for name in [*self.stems, MIXTURE]}
        mixture = readers[MIXTURE]
        beside = None if self.stem_set is None else self.stem_set.id
        return {
            "sampleRate": mixture.sample_rate,
            "frames": mixture.frames,
            "lanes": [
                {
                    "name": name,
                    "etag": reader.etag,
                    "url": address(self.track.id, beside, None if name == MIXTURE else name),
                }
                for name, reader in readers.items()
            ],
        }

    def audio(self, lane: str, start: int, count: int) -> bytes:
        """Return frames of a lane as interleaved 16-bit stereo; raises `InvalidInputError`."""
        for number, most in ((start, 1 << 40), (count, MOST_FRAMES)):
            if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= most:
                raise InvalidInputError(f"Audio is asked for by frames, at most {MOST_FRAMES} at a time.")
        with nullcontext() if lane == MIXTURE else of_stems():
            return self._reader(lane).read(start, count).astype("<i2").tobytes()

    def outline(self, lane: str) -> tuple[dict[str, int] | None, list[bytes]]:
        """Return a lane's peaks as pairs of 8 bits, or None where there are none; raises `NotFoundError` with the audio."""
        self._check(lane)
        found = self.peaks().get(lane)
        if found is None:
            self._reader(lane)
            return None, []
        pairs = np.rint(np.stack((found.minima, found.maxima), axis=1) * 127).clip(-127, 127).astype(np.int8)
        return {"sampleRate": found.sample_rate, "samplesPerPixel": found.samples_per_pixel}, [pairs.tobytes()]

    def peaks(self) -> dict[str, Peaks]:
        """Return the precomputed peaks of all lanes."""
        with self._lock:
            if self._peaks is None or not self._peaks.keys() >= set(self.stems):
                self._peaks = self._wb.peaks(self.track, self.stem_set)
            return self._peaks

    def mix(self) -> Mix:
        """Return the mix that was saved with the track, of the lanes that there are."""
        saved = self._wb.mix(self.track)
        return saved.model_copy(update={"lanes": {k: v for k, v in saved.lanes.items() if k in self.stems}})

    def analysis(self) -> dict[str, Any] | None:
        """Return what a page draws of the analysis, with what a person said in it; None where there is none."""
        try:
            found = self._wb.analysis(self.track, corrected=True)
        except NotFoundError as error:
            if error.code != "no_analysis":
                raise
            return None
        wire = found.to_json()
        names = ("beats", "downbeats", "sections", "chords", "key", "tempo", "timeSignature")
        return {name: wire[name] for name in names}

    def cues(self) -> list[dict[str, Any]]:
        """Return the cue points: those that a person set, else those of the analysis."""
        try:
            found: list[CuePoint] | None = self._wb.analysis(self.track, corrected=True).cue_points
        except NotFoundError as error:
            if error.code != "no_analysis":
                raise
            found = self._wb.correct(self.track).cue_points
        return [cue.to_json() for cue in found or []]

    def close(self) -> None:
        """Give the files back."""
        with self._lock:
            readers, self._readers = self._readers, {}
        for reader in readers.values():
            reader.close()

    def _reader(self, lane: str) -> Reader:
        self._check(lane)
        with self._lock:
            found = self._readers.get(lane)
        if found is None:
            with nullcontext() if lane == MIXTURE else of_stems():
                made = self._wb.reader(self.track, lane, self.stem_set)
            with self._lock:
                found = self._readers.setdefault(lane, made)
            if found is not made:
                made.close()
        return found

    def _check(self, lane: str) -> None:
        if lane not in (*self.stems, MIXTURE):
            raise InvalidInputError(f"There is no lane {str(lane)[:40]!r} in this player. Reload the page.")
