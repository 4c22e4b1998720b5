"""What links lead to, as an import panel shows it before anything is downloaded."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Any
from urllib.parse import urlsplit

from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.models import SourceList
from sfwidgets.workbench import Workbench

KEPT = 8
"""So many lists are kept for a page to choose from."""
SHOWN = 200
"""So many tracks of a list are shown; the others are told of as a number."""
PATIENCE = 15.0
"""Seconds after which a page is told that a list takes longer; it asks again then."""
PICTURE_HOST = "i.scdn.co"
PICTURE_HOSTS = ".spotifycdn.com"


class LookedUp:
    """The lists that were looked up last."""

    def __init__(self, wb: Workbench) -> None:
        self._wb = wb
        self._lists: OrderedDict[str, SourceList] = OrderedDict()

    def take(self, link: str) -> dict[str, Any]:
        """Look a link up, and return what a page shows of it; raises as `Workbench.fetch` does."""
        found = self._wb.fetch(link, patience=PATIENCE)
        key = secrets.token_hex(8)
        self._lists[key] = found
        while len(self._lists) > KEPT:
            self._lists.popitem(last=False)
        return {
            "key": key,
            "type": found.type,
            "name": found.name,
            "artwork": picture(found),
            "total": len(found),
            "leftOut": found.left_out,
            "there": [at for at, track in enumerate(found.tracks) if self._is_there(track.id)],
            "tracks": [
                {"title": track.title, "artist": track.artist, "duration": track.duration}
                for track in found.tracks[:SHOWN]
            ],
        }

    def chosen(self, key: str, without: list[int]) -> SourceList:
        """Return a list without the tracks at those places; raises `InvalidInputError`, `NotFoundError`."""
        found = self._lists.get(str(key))
        if found is None:
            raise NotFoundError("This list is not kept any more. Look the link up again.", code="no_list")
        if not isinstance(without, list) or not all(isinstance(at, int) for at in without):
            raise InvalidInputError("Which tracks are left out is told by their places. Reload the page.")
        left_out = set(without)
        tracks = tuple(track for at, track in enumerate(found.tracks) if at not in left_out)
        if not tracks:
            raise InvalidInputError("No track is chosen. Tick one or more.", code="nothing_to_download")
        return found.model_copy(update={"tracks": tracks})

    def _is_there(self, track_id: str) -> bool:
        try:
            return self._wb.track(track_id).content_hash is not None
        except NotFoundError:
            return False


def picture(found: SourceList) -> str | None:
    """Return the address of a list's picture, or of its first track's; only where Spotify itself serves it."""
    first = found[0].artwork_url if len(found) else None
    url = urlsplit(found.artwork_url or first or "")
    host = url.hostname or ""
    return url.geturl() if url.scheme == "https" and (host == PICTURE_HOST or host.endswith(PICTURE_HOSTS)) else None
