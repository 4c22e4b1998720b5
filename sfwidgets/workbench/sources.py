"""Tracks from elsewhere: what a link leads to, and its download."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from typing import Any, Literal, get_args

from sfwidgets import sources
from sfwidgets.errors import InvalidInputError, SlowDownError, UnavailableError, UpstreamTimeoutError
from sfwidgets.jobs import JobHandle
from sfwidgets.library import Wish
from sfwidgets.models import Bitrate, DownloadFormat, JobKind, SourceList, SourceTrack, check_id
from sfwidgets.workbench.stems import WithStems

Then = Literal["separate", "analyze"]
WORK: dict[Then, JobKind] = {"separate": "processing", "analyze": "analysis"}
Wanted = str | SourceTrack | SourceList
"""A link, or what `fetch` says of it."""
ASK_AGAIN_SECONDS = 5.0
MOST_TRACKS = 10_000
"""As many as a playlist on Spotify may have."""
MOST_FETCHES = 64
"""So many lists may be waited for at once."""
FETCHES_AT_ONCE = 4
"""So many of them are read at once; the others wait for their turn."""


class WithSources(WithStems):
    """Where tracks come from beside files."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self._fetching: dict[str, _Fetch] = {}
        self._fetching_lock = threading.Lock()
        self._fetches = threading.BoundedSemaphore(FETCHES_AT_ONCE)
        super().__init__(*given, **named)

    def fetch(self, url: str, *, patience: float | None = None) -> SourceList:
        """Return what a link to Spotify, or a `spotify:` URI, leads to: a track, an album, a playlist, an artist's best.

        What it leads to is remembered for an hour. Blocks until all of a long list is there; with `patience`, so many
        seconds at most: then it raises `SlowDownError` or `UpstreamTimeoutError`, whose `retry_after` says when to ask
        again, and fetching goes on. Raises `InvalidInputError` for what is no such link, `NotFoundError` for what Spotify
        does not have, `UnavailableError` where nobody can be asked, `UpstreamError` where Spotify fails.
        """
        link = sources.parse_link(url)
        key = sources.cache_key(link)
        kept = self._shared.metadata.get(key)
        if kept is not None:
            return SourceList.model_validate(kept)
        with self._fetching_lock:
            running = self._fetching.get(key)
            if running is None and len(self._fetching) >= MOST_FETCHES:
                raise SlowDownError(
                    "Too many lists are being read already. Ask again in a few seconds.",
                    details={"retryAfter": ASK_AGAIN_SECONDS},
                )
            if running is None:
                running = self._fetching[key] = _Fetch(lambda told: sources.fetch(link, self.settings, told))
                threading.Thread(target=self._fetch, args=(key, running), name=f"fetch-{key}", daemon=True).start()
        return running.result(patience)

    def search(self, text: str, *, limit: int = 20) -> SourceList:
        """Return the recordings that Spotify finds for a few words; raises as `fetch` does."""
        return sources.search(text, self.settings, limit=limit)

    def download(
        self,
        what: Wanted | Iterable[Wanted],
        *,
        id: str | None = None,
        then: Sequence[Then] | str = (),
        format: DownloadFormat = "opus",
        bitrate: Bitrate = "auto",
    ) -> JobHandle:
        """Ask for recordings to be downloaded, and for what shall follow; returns the job at once.

        `what` is a link, or what `fetch` returned, or some of its tracks. One track is a job of the kind `download`; more
        are a `batch`, with a part for each (`JobHandle.children`), and no part that fails stops the others. A track is
        called by its id on Spotify, one alone by `id` where that is given. What is in the library already is not
        downloaded again. `format` opus or m4a, at the bit rate auto, keeps what is offered, unconverted.

        Only download what you have the right to. Raises `InvalidInputError`, and as `fetch` does for a link to a list.
        """
        kinds = _kinds(then)
        options = {
            "format": _one_of(format, DownloadFormat, "format"),
            "bitrate": _one_of(bitrate, Bitrate, "bit rate"),
        }
        sources.check_online(self.settings)
        name, parts = self._parts(what)
        if name is None:
            ((track_id, part),) = parts.items()
            return self._submit("download", check_id(id or track_id), {**part, **options}, kinds)
        if id is not None:
            raise InvalidInputError("An id is for one track; these are a list.", code="bad_option")
        if not parts:
            raise InvalidInputError("There is no track to download in this list.", code="nothing_to_download")
        if len(parts) > MOST_TRACKS:
            raise InvalidInputError(f"At most {MOST_TRACKS} tracks can be asked for at once.", code="too_many_tracks")
        given = {track_id: {**part, **options} for track_id, part in parts.items()}
        return self._handle(self._jobs.submit_batch(self.owner, "download", given, name, kinds))

    def after_download(self, track_id: str, then: Sequence[Then], *, model: str = "auto", **options: Any) -> None:
        """Remember what shall follow the next download of a track; `options` are those of `separate`."""
        asked = self._separation_options({"model": model, **options})
        self._library.wishes.put(check_id(track_id), Wish(_kinds(then), asked.model_dump(mode="json")))

    def close(self) -> None:
        """Do as every part does, and keep nobody waiting for a list."""
        with self._fetching_lock:
            for running in self._fetching.values():
                running.future.cancel()
        super().close()

    def _fetch(self, key: str, running: _Fetch) -> None:
        with suppress(InvalidStateError):  # nobody waits any more
            try:
                with self._fetches:
                    found = running.read(running.told)
                self._shared.metadata.put(key, found.to_json())
                running.future.set_result(found)
            except Exception as error:
                running.future.set_exception(error)
        with self._fetching_lock:
            del self._fetching[key]

    def _parts(self, what: Wanted | Iterable[Wanted]) -> tuple[dict[str, Any] | None, dict[str, dict[str, Any]]]:
        """Return what a batch is called, None where it is one track, and what to get: track id → options."""
        if isinstance(what, str):
            link = sources.parse_link(what)
            if link.kind == "track":
                return None, {link.id: {"url": link.url, "track": None}}
            what = self.fetch(what)
        if isinstance(what, SourceTrack):
            return None, _part(what)
        if isinstance(what, SourceList):
            if what.type == "track" and what.tracks:
                return None, _part(what[0])
            name = {"name": what.name, "type": what.type, "url": what.url, "leftOut": what.left_out}
            return name, {track_id: part for track in what.tracks for track_id, part in _part(track).items()}
        if not isinstance(what, Iterable):
            raise InvalidInputError(f"{what!r} can't be downloaded: give a link, or what wb.fetch returned.")
        parts: dict[str, dict[str, Any]] = {}
        names: list[str] = []
        left_out = 0
        for one in what:
            told, found = self._parts(one)
            parts |= found
            names += [] if told is None else [told["name"]]
            left_out += 0 if told is None else told["leftOut"]
        return {"name": _joined(names) or "Tracks", "type": "tracks", "url": None, "leftOut": left_out}, parts


class _Fetch:
    """A list that is being read, for all who wait for it."""

    def __init__(self, read: Callable[[Callable[[str], None]], SourceList]) -> None:
        self.read = read
        self.future: Future[SourceList] = Future()
        self._waiting = ""

    def told(self, sentence: str) -> None:
        """Take what is said while a rate limit is waited for."""
        self._waiting = sentence

    def result(self, patience: float | None) -> SourceList:
        """Return the list; raises what reading it raised, and where it takes longer than that, that it goes on."""
        began = time.monotonic()
        try:
            return self.future.result(patience)
        except CancelledError:
            raise UnavailableError("This is being closed. Ask again.") from None
        except TimeoutError:
            if self.future.done():
                raise
        after = {"retryAfter": ASK_AGAIN_SECONDS}
        if self._waiting:
            raise SlowDownError(f"{self._waiting}. It goes on by itself: ask again in a few seconds.", details=after)
        seconds = time.monotonic() - began
        raise UpstreamTimeoutError(
            f"Spotify has not answered in full after {seconds:.0f} s. It goes on by itself: ask again in a few seconds.",
            details=after,
        )


def _joined(names: list[str]) -> str:
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return (" and " if not more else ", ").join(names[:2]) + more


def _part(track: SourceTrack) -> dict[str, dict[str, Any]]:
    return {check_id(track.id): {"url": track.url, "track": track.to_json()}}


def _kinds(then: Sequence[Then] | str) -> tuple[JobKind, ...]:
    names = [name.strip() for name in then.split(",") if name.strip()] if isinstance(then, str) else then
    for name in names:
        if name not in WORK:
            raise InvalidInputError(f"{name!r} can't follow a download: separate or analyze can.", code="bad_option")
    return tuple(kind for name, kind in WORK.items() if name in names)


def _one_of(value: Any, names: Any, what: str) -> Any:
    if value not in get_args(names):
        known = ", ".join(get_args(names))
        raise InvalidInputError(f"{value!r} is no {what}: choose one of {known}.", code="bad_option")
    return value
