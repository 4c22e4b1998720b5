"""The import panel: files and links from the page into the library, and what is made of them by itself."""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from traitlets import Bool, Dict, List

from sfwidgets.errors import ConflictError, InvalidInputError, NotFoundError, SoundForgeError
from sfwidgets.jobs import JobHandle
from sfwidgets.models import one_line
from sfwidgets.widgets.base import View
from sfwidgets.widgets.incoming import Asked, Incoming, read_settings
from sfwidgets.widgets.items import DownloadItem, FileItem, Item
from sfwidgets.widgets.jobs import Following, failures
from sfwidgets.widgets.looked_up import LookedUp
from sfwidgets.workbench import Workbench

log = logging.getLogger(__name__)

OPEN_UPLOADS = 8
"""So many uploads may be open at once, from all pages of a panel together."""
IDLE_SECONDS = 900.0
"""An upload that nothing came for in this time is forgotten when another begins."""
LARGEST_CHUNK = 4 << 20
KEPT_ITEMS = 100
HELD_SECONDS = 5.0
"""What shall be made of a file is asked for this much later, at most, so that files added before it come first."""


class ImportPanel(View):
    """Takes files and links from the page, brings them into the library, and has them separated and analysed.

    >>> panel = ImportPanel(wb)
    >>> panel.on_done(lambda track_id: print(wb.track(track_id)))
    """

    BUNDLE = "importing"

    items: List[Any] = List(Dict()).tag(sync=True)
    """What was asked for, in order: key, trackId, title, state (running, done, failed), error, jobs."""
    can_open = Bool(False).tag(sync=True)
    """Whether somebody listens for a track that a person wants to open."""

    def __init__(self, wb: Workbench) -> None:
        self._wb = wb
        self._looked_up = LookedUp(wb)
        self._uploads: dict[str, Incoming] = {}
        self._items: dict[str, Item] = {}
        self._followings: set[Following] = set()
        self._numbers = itertools.count()
        self._lock = threading.RLock()
        self._moved = threading.Condition(self._lock)
        self._unasked: list[Item] = []
        self._asker: threading.Thread | None = None
        self._callbacks: dict[str, list[Callable[..., object]]] = {"added": [], "done": [], "jobs": [], "open": []}
        super().__init__()

    def on_added(self, callback: Callable[[str], object]) -> None:
        """Call `callback` with the id of every track that comes into the library here; on a thread of its own."""
        self._callbacks["added"].append(callback)

    def on_done(self, callback: Callable[[str], object]) -> None:
        """Call `callback` with a track's id once all that was asked for it has been made; on a thread of its own."""
        self._callbacks["done"].append(callback)

    def on_jobs(self, callback: Callable[[JobHandle], object]) -> None:
        """Call `callback` with every job that is asked for here; on a thread of its own."""
        self._callbacks["jobs"].append(callback)

    def on_open(self, callback: Callable[[str], object]) -> None:
        """Call `callback` with a track's id when a person presses its "Open"."""
        self._callbacks["open"].append(callback)
        self.can_open = True

    def close(self) -> None:
        """Take the widget down: uploads end, jobs go on, downloads too."""
        for upload in list(self._uploads):
            self.answer_abort(upload)
        for item in list(self._items.values()):
            if item.following is not None:
                item.following.stop()
        for following in list(self._followings):
            following.stop()
        super().close()

    def answer_models(self) -> dict[str, Any]:
        """Return the models to choose from, whether missing ones may be fetched, and how audio files are called."""
        from sfwidgets.audio.folder import SUFFIXES

        names = ("id", "name", "description", "isDefault", "installed", "preview", "size", "sources")
        models = [{name: wire[name] for name in names} for wire in (model.to_json() for model in self._wb.models())]
        return {"models": models, "offline": self._wb.settings.offline, "suffixes": SUFFIXES}

    def answer_begin(self, name: str, size: int, settings: dict[str, Any]) -> dict[str, str]:
        """Begin an upload; refuses settings that could not be met before anything is sent."""
        number = next(self._numbers)
        asked = read_settings(settings)
        self._check(asked)
        shown = one_line(PurePath(str(name).replace("\\", "/")).name)[:200]
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise InvalidInputError("A file's size is a number of bytes. Reload the page.")
        if size == 0:
            raise InvalidInputError(f"{shown or 'This file'} is empty. Choose another file.")
        with self._lock:
            self._forget_idle()
            if len(self._uploads) >= OPEN_UPLOADS:
                raise ConflictError("Many files are being uploaded already. Try again when one of them is done.")
            key = secrets.token_hex(8)
            self._uploads[key] = Incoming(self._wb.upload(shown, size), shown, size, asked, number)
        return {"upload": key}

    def answer_chunk(self, upload: str, offset: int, buffers: list[memoryview] | None = None) -> dict[str, int]:
        """Take one chunk of a file; chunks may overtake one another, and one that came already is no fault."""
        if not buffers or not isinstance(offset, int) or isinstance(offset, bool) or offset < 0:
            raise InvalidInputError("A chunk has bytes, and says where they begin. Reload the page.")
        data = bytes(buffers[0])
        if not 0 < len(data) <= LARGEST_CHUNK:
            raise InvalidInputError(f"A chunk has 1 to {LARGEST_CHUNK} bytes. Reload the page.")
        return {"received": self._incoming(upload).take(offset, data)}

    def answer_abort(self, upload: str) -> None:
        """End an upload and forget what came of it."""
        with self._moved:
            incoming = self._uploads.pop(str(upload), None)
            self._moved.notify_all()
        if incoming is not None:
            incoming.abort()

    def answer_finish(self, upload: str) -> dict[str, Any]:
        """Add an uploaded file to the library, and ask for what shall be made of it."""
        incoming = self._incoming(upload)
        try:
            track = incoming.finish()
            return self._begin_file(
                FileItem(key=str(upload), track=track, asked=incoming.asked, number=incoming.number)
            )
        except BaseException:
            incoming.abort()
            raise
        finally:
            with self._moved:
                self._uploads.pop(str(upload), None)
                self._moved.notify_all()

    def answer_fetch(self, link: str) -> dict[str, Any]:
        """Look up what a link leads to; where that takes long, the error says when to ask again."""
        return self._looked_up.take(one_line(str(link))[:500])

    def answer_download(self, key: str, without: list[int], settings: dict[str, Any]) -> dict[str, Any]:
        """Have a list that was looked up downloaded, without the tracks at those places."""
        asked = read_settings(settings)
        self._check(asked)
        found = self._looked_up.chosen(key, without)
        item = DownloadItem(key=secrets.token_hex(8), found=found, asked=asked, number=next(self._numbers))
        self._enter(item)
        self._ask_soon(item)
        return item.wire()

    def answer_failed(self, item: str, job: str) -> list[dict[str, Any]]:
        """Return which parts of an item's batch failed, and why."""
        return failures(self._following(item).handle(job))

    def answer_state(self) -> list[dict[str, Any]]:
        """Return what has been uploaded, the jobs as the table has them now."""
        for item in list(self._items.values()):
            if item.following is not None:
                item.following.read()
        self._show()
        return [item.wire() for item in list(self._items.values())]

    def answer_cancel(self, item: str, job: str) -> None:
        """Ask that an item's job be cancelled."""
        self._following(item).handle(job).cancel()
        self._following(item).read()

    def answer_retry(self, item: str, job: str) -> None:
        """Ask again for what went wrong with an item."""
        found = self._item(item)
        if found.following is None:
            self._ask_soon(found)
        else:
            again = found.following.handle(job).retry()
            found.following.stop()
            self._follow(found, again)
        self._show()

    def answer_open(self, track: str) -> None:
        """Tell whoever listens that a person wants to open a track."""
        found = self._wb.track(str(track))
        for callback in self._callbacks["open"]:
            callback(found.id)

    def answer_forget(self, item: str) -> None:
        """Take an item off the list; its track and its job stay."""
        with self._lock:
            found = self._items.pop(str(item), None)
        if found is not None and found.following is not None:
            found.following.stop()
        self._show()

    def answer_forget_done(self) -> None:
        """Take all items off the list that are done; those that failed stay."""
        with self._lock:
            self._items = {key: item for key, item in self._items.items() if item.state != "done"}
        self._show()

    def _begin_file(self, item: FileItem) -> dict[str, Any]:
        self._enter(item)
        self._tell("added", item.track.id)
        if item.asked.separate or item.asked.analyze:
            self._ask_soon(item)
        else:
            self._show()
            self._tell("done", item.track.id)
        return item.wire()

    def _enter(self, item: Item) -> None:
        with self._lock:
            self._items[item.key] = item
            self._items = dict(sorted(self._items.items(), key=lambda pair: pair[1].number))
            for old in [k for k, other in self._items.items() if other.state != "running"][:-KEPT_ITEMS]:
                del self._items[old]

    def _ask_soon(self, item: Item) -> None:
        """Ask for the work in the background: the library's workers may have to be started first."""
        with self._moved:
            if item.asking:
                return
            item.asking, item.error, item.since = True, None, time.monotonic()
            self._unasked.append(item)
            self._moved.notify_all()
            if self._asker is None:
                self._asker = threading.Thread(target=self._ask_in_order, name="sfwidgets-import", daemon=True)
                self._asker.start()
        self._show()

    def _ask_in_order(self) -> None:
        """Ask for one item's work after the other's, in the order in which a person added them."""
        while True:
            with self._moved:
                if not self._unasked:
                    self._asker = None
                    return
                item = min(self._unasked, key=lambda one: one.number)
                left = item.since + HELD_SECONDS - time.monotonic()
                if left > 0 and any(upload.number < item.number for upload in self._uploads.values()):
                    self._moved.wait(left)
                    continue
                self._unasked.remove(item)
            self._ask_for(item)

    def _ask_for(self, item: Item) -> None:
        try:
            self._follow(item, item.ask(self._wb))
        except SoundForgeError as error:
            item.error = error.message
        except Exception:
            log.exception("The work on item %s could not be asked for.", item.key)
            item.error = "Something went wrong inside Sound Forge; its log says what. Try again."
        item.asking = False
        self._show()

    def _follow(self, item: Item, job: JobHandle) -> None:
        following = item.following = Following(job, lambda following: self._on_news(item, following))
        following.start()
        self._tell("jobs", job)
        self._on_news(item, following)

    def _on_news(self, item: Item, following: Following) -> None:
        if item.following is not following:
            return
        if isinstance(item, DownloadItem):
            for download in item.arrivals():
                self._tell("added", str(download.last.track_id))
                self._follow_further(download)
        elif isinstance(item, FileItem) and following.done and following.completed:
            with self._lock:
                told, item.told = item.told, True
            if not told:
                self._tell("done", item.track.id)
        self._show()

    def _follow_further(self, download: JobHandle) -> None:
        """Tell of a track once all that follows its download has been made."""
        track_id, further = str(download.last.track_id), download.following()

        def on_news(following: Following) -> None:
            with self._lock:
                over = following.done and following in self._followings
                self._followings -= {following} if over else set()
            if over and following.completed:
                self._tell("done", track_id)

        if further is None:
            self._tell("done", track_id)
        elif self._callbacks["done"]:
            following = Following(further, on_news)
            self._followings.add(following)
            following.start()
            on_news(following)

    def _show(self) -> None:
        with self._lock:
            self.items = [item.wire() for item in self._items.values()]

    def _tell(self, event: str, value: Any) -> None:
        def call() -> None:
            for callback in self._callbacks[event]:
                try:
                    callback(value)
                except Exception:
                    log.exception("What was to be done after an import failed.")

        if self._callbacks[event]:
            threading.Thread(target=call, name="sfwidgets-import", daemon=True).start()

    def _check(self, asked: Asked) -> None:
        if asked.separate:
            self._wb.check_separation(asked.model, **asked.options)

    def _incoming(self, upload: str) -> Incoming:
        with self._lock:
            incoming = self._uploads.get(str(upload))
        if incoming is None:
            raise NotFoundError("This upload has ended. Choose the file again.", code="no_upload")
        return incoming

    def _item(self, key: str) -> Item:
        with self._lock:
            item = self._items.get(str(key))
        if item is None:
            raise NotFoundError("This import is not on the list any more. Reload the page.")
        return item

    def _following(self, key: str) -> Following:
        following = self._item(key).following
        if following is None:
            raise NotFoundError("Nothing is being made of this file. Press Retry to ask for it.")
        return following

    def _forget_idle(self) -> None:
        now = time.monotonic()
        for key in [k for k, incoming in self._uploads.items() if now - incoming.touched > IDLE_SECONDS]:
            self._uploads.pop(key).abort()
