"""The library browser: thousands of tracks to search, sort, open, rename and delete."""

from __future__ import annotations

import io
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from html import escape
from typing import Any

from traitlets import Bool, Int, Unicode

from sfwidgets.errors import InvalidInputError, NotFoundError, SoundForgeError
from sfwidgets.models import Track
from sfwidgets.widgets.base import View
from sfwidgets.widgets.jobs import WHAT
from sfwidgets.workbench import Workbench

log = logging.getLogger(__name__)

AT_ONCE = 100
"""So many tracks are asked for at once, at most."""
COVER_SIDE = 96
"""Pixels of a cover's side, as it is sent to the page."""
COVER_PIXELS = 60_000_000
"""A picture of more pixels than this is not opened at all."""
KEPT_FACTS = 5000
WATCHED_JOBS = 50
STILL_TRACKS = 10


class LibraryBrowser(View):
    """The tracks of a library. The page asks for those that are in sight, and draws no others.

    >>> browser = LibraryBrowser(wb)
    >>> browser.on_open(lambda track_id: player.load(track_id))
    """

    BUNDLE = "browser"

    selected = Unicode("").tag(sync=True)
    """The id of the track that is chosen; "" for none."""
    version = Int(0).tag(sync=True)
    """Raised by `refresh`."""
    can_open = Bool(False).tag(sync=True)
    """Whether somebody listens for a track that a person wants to open."""

    def __init__(self, wb: Workbench) -> None:
        self._wb = wb
        self._facts: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._open_callbacks: list[Callable[[str], object]] = []
        self._remove_callbacks: list[Callable[[str], object]] = []
        self._restore_callbacks: list[Callable[[str], object]] = []
        super().__init__()

    def on_open(self, callback: Callable[[str], object]) -> None:
        """Call `callback` with the id of a track that a person opens; on a thread of the widgets'."""
        self._open_callbacks.append(callback)
        self.can_open = True

    def on_remove(self, callback: Callable[[str], object]) -> None:
        """Call `callback` with the id of a track that a person deletes; on a thread of the widgets'."""
        self._remove_callbacks.append(callback)

    def on_restore(self, callback: Callable[[str], object]) -> None:
        """Call `callback` with the id of a deleted track that a person has back; on a thread of the widgets'."""
        self._restore_callbacks.append(callback)

    def refresh(self) -> None:
        """Have the page ask for its tracks anew."""
        with self._lock:
            self._facts.clear()
            self.version += 1

    def answer_tracks(
        self, search: str = "", sort: str = "-created", offset: int = 0, limit: int = 50
    ) -> dict[str, Any]:
        """Return some of the tracks, and how many there are in all."""
        if not isinstance(search, str) or not isinstance(sort, str) or not _whole(offset) or not _whole(limit):
            raise InvalidInputError("This search can't be read. Reload the page.")
        page = self._wb.tracks(search[:200], sort=sort, offset=offset, limit=max(1, min(limit, AT_ONCE)))
        self._unselect_gone()
        return {"total": page.total, "rows": [_row(track) for track in page]}

    def answer_pulse(self) -> dict[str, Any]:
        """Return the jobs that run, by track, and a stamp that changes when there is something new to show."""
        jobs = [handle.value for handle in self._wb.jobs(limit=WATCHED_JOBS)]
        newest = self._wb.tracks(limit=1)
        running = {
            job.track_id: {
                "what": WHAT.get(job.kind, job.kind),
                "progress": job.progress,
                "waiting": job.status == "queued",
            }
            for job in reversed(jobs)
            if job.track_id is not None and not job.done
        }
        ended = [job.id for job in jobs if job.status == "completed"]
        stamp = f"{newest.total} {newest[0].id if newest.items else ''} {hash(tuple(ended)):x}"
        return {"stamp": stamp, "running": running}

    def answer_facts(self, tracks: list[str], fresh: bool = False) -> dict[str, dict[str, Any]]:
        """Return tempo and key of tracks that have an analysis; `fresh` reads them anew."""
        found = {}
        for track_id in _ids(tracks):
            with self._lock:
                known = None if fresh else self._facts.get(track_id)
            if known is None:
                known = self._read_facts(track_id)
                with self._lock:
                    self._facts[track_id] = known
                    while len(self._facts) > KEPT_FACTS:
                        self._facts.popitem(last=False)
            found[track_id] = known
        return found

    def answer_artwork(self, tracks: list[str]) -> tuple[list[str], list[bytes]]:
        """Return small covers: the ids of those tracks that have one, and beside them as many JPEG pictures."""
        having, pictures = [], []
        for track_id in _ids(tracks):
            picture = self._cover(track_id)
            if picture is not None:
                having.append(track_id)
                pictures.append(picture)
        return having, pictures

    def answer_open(self, track: str) -> None:
        """Tell whoever listens that a person wants to open a track."""
        found = self._wb.track(str(track))
        self.selected = found.id
        for callback in self._open_callbacks:
            callback(found.id)

    def answer_edit(self, track: str, title: str, artist: str, album: str) -> dict[str, Any]:
        """Set a track's title, artist and album."""
        if not all(isinstance(value, str) for value in (title, artist, album)):
            raise InvalidInputError("A title, an artist and an album are text. Reload the page.")
        return _row(self._wb.edit(str(track), title=title, artist=artist, album=album))

    def answer_trash(self, track: str) -> dict[str, str]:
        """Hide a track, so that it can still be had back."""
        found = self._wb.track(str(track))
        self._wb.trash(found)
        if self.selected == found.id:
            self.selected = ""
        for callback in self._remove_callbacks:
            callback(found.id)
        return {"id": found.id, "title": found.title}

    def answer_restore(self, tracks: list[str]) -> None:
        """Have hidden tracks back."""
        for track_id in _ids(tracks):
            found = self._wb.restore(track_id)
            for callback in self._restore_callbacks:
                callback(found.id)

    def still(self) -> str:
        """Return the first few tracks as a table."""
        page = self._wb.tracks(limit=STILL_TRACKS)
        if not page.items:
            return "<p>No tracks yet.</p>"
        lines = "".join(
            f"<tr><td>{escape(track.title)}</td><td>{escape(track.artist)}</td><td>{_clock(track.duration)}</td>"
            f"<td>{', '.join(_badges(track))}</td></tr>"
            for track in page
        )
        return (
            f"<table><tr><th>Title</th><th>Artist</th><th>Length</th><th></th></tr>{lines}</table>"
            f"<p>{len(page)} of {page.total} tracks</p>"
        )

    def _unselect_gone(self) -> None:
        """Choose nothing where the chosen track is in the library no more, whoever deleted it."""
        chosen = self.selected
        try:
            if chosen:
                self._wb.track(chosen)
        except NotFoundError:
            if self.selected == chosen:
                self.selected = ""

    def _read_facts(self, track_id: str) -> dict[str, Any]:
        try:
            analysis = self._wb.analysis(track_id, corrected=True)
        except SoundForgeError:
            return {"tempo": None, "key": None}
        return {"tempo": analysis.tempo, "key": analysis.key}

    def _cover(self, track_id: str) -> bytes | None:
        from PIL import Image

        try:
            found = self._wb.artwork(track_id)
            if found is None:
                return None
            with Image.open(io.BytesIO(found[0])) as picture:
                if picture.width * picture.height > COVER_PIXELS:
                    return None
                picture.draft("RGB", (COVER_SIDE * 2, COVER_SIDE * 2))
                small = picture.convert("RGB")
        except (SoundForgeError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            log.info("The cover of %s can't be shown: %s", track_id, error)
            return None
        side = min(small.size)
        left, top = (small.width - side) // 2, (small.height - side) // 2
        small = small.resize((COVER_SIDE, COVER_SIDE), box=(left, top, left + side, top + side))
        out = io.BytesIO()
        small.save(out, "JPEG", quality=80)
        return out.getvalue()


def _row(track: Track) -> dict[str, Any]:
    return {
        "id": track.id,
        "title": track.title,
        "artist": track.artist,
        "album": track.album,
        "duration": track.duration,
        "created": track.created_at.timestamp() * 1000,
        "hasStems": track.has_stems,
        "hasAnalysis": track.has_analysis,
    }


def _badges(track: Track) -> list[str]:
    return [name for name, there in (("stems", track.has_stems), ("analysis", track.has_analysis)) if there]


def _clock(seconds: float | None) -> str:
    return "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _ids(tracks: object) -> list[str]:
    if not isinstance(tracks, list) or len(tracks) > AT_ONCE or not all(isinstance(one, str) for one in tracks):
        raise InvalidInputError(f"At most {AT_ONCE} tracks are asked for at once, by their ids. Reload the page.")
    return tracks


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
