"""The whole workbench on one page: import, library and jobs at the side, the open track in the middle."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from traitlets import Dict, Unicode

from sfwidgets.errors import InvalidInputError, SoundForgeError
from sfwidgets.jobs import JobHandle
from sfwidgets.models import Event, Track
from sfwidgets.widgets.analysis import AnalysisView
from sfwidgets.widgets.base import View
from sfwidgets.widgets.browser import LibraryBrowser
from sfwidgets.widgets.compare import CompareView
from sfwidgets.widgets.importing import ImportPanel
from sfwidgets.widgets.jobs import JobProgress, JobQueue
from sfwidgets.widgets.player import StemPlayer
from sfwidgets.workbench import Workbench

P = ParamSpec("P")
T = TypeVar("T")


def _one_at_a_time(method: Callable[Concatenate[Studio, P], T]) -> Callable[Concatenate[Studio, P], T]:
    """Keep the threads of answers and of events from changing the page at the same time."""

    @wraps(method)
    def locked(self: Studio, /, *given: P.args, **named: P.kwargs) -> T:
        with self._lock:
            return method(self, *given, **named)

    return locked


def _references(parts: dict[str, View], _studio: object) -> dict[str, str]:
    """Return widgets as anywidget's host finds them on the page."""
    return {name: f"anywidget:{part.model_id}" for name, part in parts.items()}


class Studio(View):
    """Everything at once: drop songs in, watch them be taken apart, play, look at and compare what came out.

    >>> Studio(Workbench())
    """

    BUNDLE = "studio"

    parts = Dict().tag(sync=True, to_json=_references)
    """The widgets on the page, by place: importing, library, jobs; of the open track job, player, analysis, compare."""
    track: Any = Dict(allow_none=True, default_value=None).tag(sync=True)
    """What the page shows of the open track: id, title, artist, hasStems, hasAnalysis; None where none is open."""
    library = Unicode().tag(sync=True)
    """The library's name, for whoever works with several."""

    def __init__(self, wb: Workbench, track: Track | str | None = None) -> None:
        self._wb = wb
        self._importing = ImportPanel(wb)
        self._browser = LibraryBrowser(wb)
        self._unwatch: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._closed_by_deleting = ""
        super().__init__(
            library=wb.settings.library.name,
            parts={"importing": self._importing, "library": self._browser, "jobs": JobQueue(wb)},
        )
        self._importing.on_added(self._added)
        self._importing.on_jobs(self._asked)
        self._importing.on_open(self.load)
        self._browser.on_open(self.load)
        self._browser.on_remove(self._removed)
        self._browser.on_restore(self._restored)
        if track is not None:
            self.load(track)

    @_one_at_a_time
    def load(self, track: Track | str) -> None:
        """Show a track in the middle of the page; raises `NotFoundError`."""
        found = self._wb.track(track)
        held = dict(self.parts)
        if "player" in held:
            held["player"].load(found)
        else:
            held["player"] = StemPlayer(self._wb, found)
        for name in ("analysis", "compare", "job"):
            old = held.pop(name, None)
            if old is not None:
                old.close()
        running = [handle for handle in self._wb.jobs(found, limit=5) if not handle.value.done]
        if running:
            held["job"] = JobProgress(running[0])
            self.follow(running[0])
        self.parts = held
        self._show(found)

    def follow(self, handle: JobHandle) -> None:
        """Keep the page true to what a job makes: once it has ended, its track is shown anew."""
        if handle.id in self._unwatch:
            return
        self.parts["jobs"].refresh()

        def told(event: Event) -> None:
            if event.job.done:
                self._unwatch.pop(event.job.id, lambda: None)()
                self._ended(event.job.track_id)

        self._unwatch[handle.id] = handle.watch(told)

    def close(self) -> None:
        """Take the page's widgets down; jobs go on."""
        for unwatch in list(self._unwatch.values()):
            unwatch()
        for part in self.parts.values():
            part.close()
        super().close()

    @_one_at_a_time
    def answer_show(self, view: str) -> None:
        """Make a view of the open track when its tab is first looked at."""
        if view not in ("analysis", "compare"):
            raise InvalidInputError("There is no such tab. Reload the page.")
        track_id = self._open_id()
        if view in self.parts:
            return
        player = self.parts["player"]
        if view == "analysis":
            made: View = AnalysisView(self._wb, track_id, player=player)
            made.on_change(lambda _track_id: player.refresh())
        else:
            made = CompareView(self._wb, track_id)
        self.parts = {**self.parts, view: made}

    def answer_load(self, track: str) -> bool:
        """Open the track that the page showed before it was loaded anew; False where it has gone."""
        try:
            self.load(str(track))
        except SoundForgeError:
            return False
        return True

    def answer_models(self) -> list[dict[str, Any]]:
        """Return the models that the track can be separated with."""
        return [model.to_json() for model in self._wb.models()]

    def answer_separate(self, model: str) -> None:
        """Ask for the open track's stems, and show how far they are."""
        self._watch_here(self._wb.separate(self._open_id(), model, analyze=True))

    def answer_analyze(self) -> None:
        """Ask for the open track's analysis, and show how far it is."""
        self._watch_here(self._wb.analyze(self._open_id()))

    def answer_close_track(self) -> None:
        """Show no track any more."""
        self._forget()

    def still(self) -> str:
        """Return the open track's picture, or the list of tracks."""
        player = self.parts.get("player")
        return str(player.still() if player is not None else self._browser.still())

    @_one_at_a_time
    def _watch_here(self, handle: JobHandle) -> None:
        old = self.parts.get("job")
        self.parts = {**self.parts, "job": JobProgress(handle)}
        if old is not None:
            old.close()
        self.follow(handle)

    @_one_at_a_time
    def _ended(self, track_id: str | None) -> None:
        self._browser.refresh()
        for handle in self._wb.jobs(track_id, limit=5) if track_id else ():
            if not handle.value.done:
                self.follow(handle)
        if self.track is not None and track_id == self.track["id"]:
            with contextlib.suppress(SoundForgeError):  # deleted meanwhile: the browser says so
                found = self._wb.track(self._open_id())
                self.parts["player"].load(found)
                self.parts["player"].refresh()
                if "analysis" in self.parts:
                    self.parts["analysis"].load(found)
                self._show(found)

    @_one_at_a_time
    def _added(self, track_id: str) -> None:
        """Open what was just brought in, unless somebody is busy with another track."""
        self._browser.refresh()
        if self.track is None:
            self.load(track_id)

    @_one_at_a_time
    def _asked(self, handle: JobHandle) -> None:
        """Show a job that was asked for elsewhere on the page, where its track is the open one."""
        if self.track is not None and handle.value.track_id == self.track["id"] and not handle.value.done:
            self._watch_here(handle)
        else:
            self.follow(handle)

    @_one_at_a_time
    def _removed(self, track_id: str) -> None:
        if self.track is not None and self.track["id"] == track_id:
            self._forget()
            self._closed_by_deleting = track_id

    @_one_at_a_time
    def _restored(self, track_id: str) -> None:
        if self.track is None and track_id == self._closed_by_deleting:
            self.load(track_id)

    @_one_at_a_time
    def _forget(self) -> None:
        self.track = None
        kept = {name: part for name, part in self.parts.items() if name in ("importing", "library", "jobs")}
        gone = [part for name, part in self.parts.items() if name not in kept]
        self.parts = kept
        for part in gone:
            part.close()

    def _open_id(self) -> str:
        if self.track is None:
            raise InvalidInputError("No track is open. Open one from the library.")
        return str(self.track["id"])

    def _show(self, track: Track) -> None:
        wire = track.to_json()
        names = ("id", "title", "artist", "album", "hasStems", "hasAnalysis")
        self.track = {name: wire[name] for name in names}
