"""Tracks from elsewhere: what a link leads to, and its download."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sfwidgets import sources
from sfwidgets.errors import InvalidInputError
from sfwidgets.jobs import JobHandle
from sfwidgets.models import JobKind, check_id
from sfwidgets.workbench.base import Base


class WithSources(Base):
    """Where tracks come from beside files."""

    def fetch(self, url: str) -> Any:
        """Read what a Spotify link leads to; raises `InvalidInputError` for what is none.

        This version can't follow one: raises `UnavailableError`.
        """
        sources.parse_link(url)
        sources.missing()

    def download(
        self,
        track_id: str,
        url: str | None = None,
        *,
        info: dict[str, Any] | None = None,
        then: Sequence[JobKind] = (),
    ) -> JobHandle:
        """Ask for a track's audio to be downloaded, by its link or by what `fetch` said of it (`info`).

        Raises `InvalidInputError` where both are missing, or the link is none. This version can't download:
        raises `UnavailableError`.
        """
        del then
        check_id(track_id)
        if url is None and info is None:
            raise InvalidInputError("spotifyUrl or trackInfo is required", code="url_required")
        if url is not None and sources.parse_link(url).kind != "track":
            raise InvalidInputError("Invalid Spotify URL: a download takes one track's", code="invalid_url")
        sources.missing()
