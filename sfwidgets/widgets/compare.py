"""Two separations of one track, switched between at the playhead."""

from __future__ import annotations

import math
from collections import OrderedDict
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from traitlets import Int, Unicode

from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.models import Job, Scores, StemSet
from sfwidgets.widgets.following import FollowingView
from sfwidgets.widgets.served import address, of_stems
from sfwidgets.workbench import TrackLike, Workbench

if TYPE_CHECKING:
    from sfwidgets.audio import Reader

ORIGINAL = "original"
"""Chosen in a stem set's place: the mixture as it was before any separation."""
ALL = ""
"""Chosen in a stem's place: all of a set's stems together."""
COLUMNS = 600
"""Into so many columns a track is drawn."""

_MIXTURE = "mixture"
_READERS = 32
"""Files held open at most."""
_AT_ONCE = 10
"""Seconds of audio in one answer, at most."""
_MEASURED_AT_ONCE = 60
"""Seconds of audio that are compared for one answer, about."""


class CompareView(FollowingView):
    """Two models, or two settings, on one track: hear one or the other, see where they differ, and how good each is.

    `a` and `b` are stem sets of the track; without them, its two newest, or its newest and the original.

    >>> CompareView(wb, track, *wb.stem_sets(track)[:2])
    """

    BUNDLE = "compare"

    track_id = Unicode().tag(sync=True)
    """The track's id."""
    a = Unicode().tag(sync=True)
    """The id of the stem set on side A, or `original`."""
    b = Unicode().tag(sync=True)
    """The id of the stem set on side B, or `original`."""
    revision = Int().tag(sync=True)
    """Raised whenever there is something new to choose from."""

    def __init__(self, wb: Workbench, track: TrackLike, a: StemSet | None = None, b: StemSet | None = None) -> None:
        self._wb = wb
        self._readers: OrderedDict[tuple[str, str], Reader] = OrderedDict()
        self._scores: dict[str, Scores] = {}
        self._lock = Lock()
        super().__init__()
        self.load(track, a, b)

    def load(self, track: TrackLike, a: StemSet | None = None, b: StemSet | None = None) -> None:
        """Compare others; raises `NotFoundError` where there is no such track."""
        whole = self._wb.track(track)
        newest = [found.id for found in self._wb.stem_sets(whole)[:2]]
        others = [*newest, ORIGINAL, ORIGINAL]
        first = a.id if a is not None else next(other for other in others if b is None or other != b.id)
        second = b.id if b is not None else next((other for other in others if other != first), ORIGINAL)
        self._forget()
        with self.hold_sync():
            self.track_id, self.a, self.b = whole.id, first, second
            self.revision += 1
        running = [job for job in self._wb.jobs(whole, kind="processing", limit=1) if not job.value.done]
        self.follow(running[0] if running else None, self._separated)

    def close(self) -> None:
        """Take the view down."""
        super().close()
        self._forget()

    def answer_comparison(self) -> dict[str, Any]:
        """Return what there is to choose from, what is chosen, and the lanes of audio of both sides."""
        track = self._wb.track(self.track_id)
        sets = self._wb.stem_sets(track)
        choices = [_choice(found) for found in sets]
        choices.append({"id": ORIGINAL, "label": "The original", "stems": []})
        known = {choice["id"]: choice for choice in choices}
        for side in (self.a, self.b):
            if side not in known:
                raise NotFoundError("These stems are gone. Choose others.", code="no_stems")
        mixture = self._reader(ORIGINAL, _MIXTURE)
        lanes = [
            self._lane(side, chosen, stem)
            for side, chosen in (("A", self.a), ("B", self.b))
            for stem in known[chosen]["stems"] or [_MIXTURE]
        ]
        rates = {self._reader(*_parts(lane["name"])).sample_rate for lane in lanes}
        if len(rates | {mixture.sample_rate}) > 1:
            raise InvalidInputError("These two have different sample rates and can't play side by side. Choose others.")
        return {
            "title": " – ".join(filter(None, (track.artist, track.title))),
            "sampleRate": mixture.sample_rate,
            "frames": mixture.frames,
            "choices": choices,
            "a": self.a,
            "b": self.b,
            "lanes": [*lanes, self._lane(_MIXTURE, ORIGINAL, _MIXTURE)],
            "columns": COLUMNS,
        }

    def answer_models(self) -> list[dict[str, Any]]:
        """Return the models that another set can be made with."""
        return [{"id": model.id, "name": model.name, "installed": model.installed} for model in self._wb.models()]

    def answer_audio(self, lane: str, start: int, count: int) -> tuple[dict[str, int], list[bytes]]:
        """Return `count` frames of a lane from `start` on, as interleaved 16-bit stereo."""
        reader = self._reader(*_parts(lane))
        if not (_whole(start) and _whole(count) and count <= _AT_ONCE * reader.sample_rate):
            raise InvalidInputError(f"Audio is read {_AT_ONCE} s at a time, at most. Reload the page.")
        samples = reader.read(start, count)
        return {"count": len(samples)}, [samples.tobytes()]

    def answer_compared(self, a: str, b: str, stem: str, column: int) -> tuple[dict[str, int], list[bytes]]:
        """Return what is drawn and measured of a stem on both sides, from one of the `COLUMNS` on.

        The buffer holds, as 32-bit floats, six numbers a column: lowest and highest sample of A, the same of B (-1 to
        1), and the energy of A and of A - B. A page asks again, from the column after the last that it got.
        """
        if not (_whole(column) and column < COLUMNS):
            raise InvalidInputError("There is no such column. Reload the page.")
        sides = [self._lanes(chosen, stem) for chosen in (a, b)]
        first = self._reader(ORIGINAL, _MIXTURE)
        edges = np.linspace(0, first.frames, COLUMNS + 1).astype(int)
        work = _MEASURED_AT_ONCE * first.sample_rate / max(1, sum(len(side) for side in sides))
        last = int(np.searchsorted(edges, edges[column] + work, side="right")) - 1
        last = min(COLUMNS, max(column + 1, last))
        begin, end = int(edges[column]), int(edges[last])
        one, other = (_sum(side, begin, end - begin) for side in sides)
        rows = [
            _column(one[low - begin : high - begin], other[low - begin : high - begin])
            for low, high in zip(edges[column:last], edges[column + 1 : last + 1], strict=True)
        ]
        return {"column": column, "count": len(rows)}, [np.asarray(rows, dtype=np.float32).tobytes()]

    def answer_scores(self) -> dict[str, Any]:
        """Return the SDR of every stem on both sides, in dB, where the truth is known; else `known` is false."""
        found = {side: self._score(side) for side in (self.a, self.b) if side != ORIGINAL}
        known = next((scores for scores in found.values() if scores.stems), None)
        if known is None:
            return {"known": False}
        sides = {"a": self.a, "b": self.b}
        return {
            "known": True,
            "stems": list(dict.fromkeys(stem for scores in found.values() for stem in scores.stems)),
            **{
                side: _finite(found[chosen].stems if chosen in found else _unprocessed(found))
                for side, chosen in sides.items()
            },
            "mixture": _finite(_unprocessed(found)),
        }

    def answer_separate(self, model: str, overlap: float = 0.25, shifts: int = 0) -> None:
        """Make another set of stems, and show how far it is; it then is side B."""
        handle = self._wb.separate(self.track_id, str(model), overlap=overlap, shifts=shifts)
        self.follow(handle, self._separated)

    def answer_retry(self) -> None:
        """Ask for work that failed again."""
        if self._handle is not None:
            self.follow(self._handle.retry(), self._separated)

    def _lane(self, group: str, chosen: str, stem: str) -> dict[str, str]:
        """Return how the page finds a lane's audio: by its name from us, or from a server with our library."""
        original = chosen == ORIGINAL
        return {
            "name": f"{group}:{chosen}:{stem}",
            "group": group,
            "stem": stem,
            "url": address(self.track_id, self._beside() if original else chosen, None if original else stem),
            "etag": self._reader(chosen, stem).etag,
        }

    def _separated(self, _job: Job) -> None:
        newest = next(iter(self._wb.stem_sets(self.track_id)), None)
        with self.hold_sync():
            if newest is not None and newest.id != self.a:
                self.b = newest.id
            self.revision += 1

    def _score(self, chosen: str) -> Scores:
        if chosen not in self._scores:
            self._scores[chosen] = self._wb.score(self.track_id, self._set(chosen))
        return self._scores[chosen]

    def _lanes(self, chosen: str, stem: str) -> list[Reader]:
        """Return what is heard of a choice: one stem where it has it, all where all are asked for, else nothing."""
        if chosen == ORIGINAL:
            return [self._reader(ORIGINAL, _MIXTURE)]
        names = _names(self._set(chosen))
        return [self._reader(chosen, name) for name in names if stem in (ALL, name)]

    def _reader(self, chosen: str, stem: str) -> Reader:
        beside = self._beside() if chosen == ORIGINAL else chosen
        key = (beside, stem)
        with self._lock:
            reader = self._readers.get(key)
            if reader is not None:
                self._readers.move_to_end(key)
                return reader
        if chosen == ORIGINAL and stem != _MIXTURE:
            raise NotFoundError("The original is not in stems. Choose others.", code="no_stems")
        with nullcontext() if chosen == ORIGINAL else of_stems():
            made = self._wb.reader(self.track_id, stem, self._set(beside))
        with self._lock:
            self._readers[key] = made
            while len(self._readers) > _READERS:
                self._readers.popitem(last=False)
        return made

    def _beside(self) -> str:
        """Return the set that the original is brought into line with, "" where there is none."""
        return next((side for side in (self.a, self.b) if side != ORIGINAL), "")

    def _set(self, chosen: str) -> StemSet | None:
        if not chosen:
            return None
        for found in self._wb.stem_sets(self.track_id):
            if found.id == chosen:
                return found
        raise NotFoundError("These stems are gone. Choose others.", code="no_stems")

    def _forget(self) -> None:
        with self._lock:
            self._readers.clear()
        self._scores = {}


def _choice(found: StemSet) -> dict[str, Any]:
    return {"id": found.id, "label": label(found), "stems": _names(found)}


def label(found: StemSet) -> str:
    """Return how a set of stems was made, in a line: model, precision, settings and when."""
    options = found.options
    settings = [f"overlap {options.overlap:g}"]
    settings += [f"{options.shifts} shifts"] if options.shifts else []
    settings += [f"only {options.two_stems} and the rest"] if options.two_stems else []
    made: datetime = found.created_at.astimezone()
    return " · ".join([found.model, found.precision, *settings, f"{made:%d %b %Y, %H:%M}"])


def _names(found: StemSet | None) -> list[str]:
    return [] if found is None else [Path(stem.name).stem for stem in found.stems]


def _parts(lane: str) -> tuple[str, str]:
    parts = str(lane).split(":")
    if len(parts) != 3:
        raise InvalidInputError("There is no such lane. Reload the page.")
    return parts[1], parts[2]


def _whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0


def _sum(readers: list[Reader], start: int, count: int) -> NDArray[np.float32]:
    """Return frames of all readers together, of shape (count, 2), full scale at 1; silence behind the end of one."""
    total = np.zeros((count, 2), dtype=np.float32)
    for reader in readers:
        samples = reader.read(start, count)
        total[: len(samples)] += samples
    total /= 32768
    return total


def _column(one: NDArray[np.float32], other: NDArray[np.float32]) -> list[float]:
    if len(one) == 0:
        return [0.0] * 6
    difference = one - other
    energies = [float(np.vdot(x, x)) for x in (one, difference)]
    return [float(one.min()), float(one.max()), float(other.min()), float(other.max()), *energies]


def _unprocessed(found: dict[str, Scores]) -> dict[str, float]:
    return {stem: value for scores in found.values() for stem, value in scores.mixture.items()}


def _finite(scores: dict[str, float]) -> dict[str, float | None]:
    return {stem: round(value, 2) if math.isfinite(value) else None for stem, value in scores.items()}
