"""The Spotify service: what a link leads to."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from server_ext.handlers.base import Handler
from server_ext.operation import operation
from server_ext.source_schemas import Fetched, FetchRequest, fetched
from sfwidgets.errors import InvalidInputError
from sfwidgets.sources import parse_link
from sfwidgets.workbench import Workbench

PATIENCE = 25.0
"""Seconds in which there is an answer: old clients give up after 30."""

_THREADS = ThreadPoolExecutor(max_workers=32, thread_name_prefix="soundforge-spotify")
"""Who waits for Spotify waits here, and keeps no other request waiting."""


class Fetch(Handler):
    """`/api/spotify/fetch`."""

    @operation(
        "Read what a Spotify link leads to",
        body=FetchRequest,
        answer=Fetched,
        errors=(404, 413, 429, 502, 503, 504),
        note="What takes longer than 25 seconds answers 429 or 504, and goes on: ask again after `Retry-After`.",
    )
    async def post(self, given: FetchRequest) -> Fetched:
        """Ask Spotify."""
        _check(given.url)
        until = time.monotonic() + PATIENCE

        def fetch(wb: Workbench) -> Fetched:
            return fetched(wb.fetch(given.url, patience=max(0.0, until - time.monotonic())))

        workbench = await self.workbench()
        return await asyncio.get_running_loop().run_in_executor(_THREADS, fetch, workbench)


def _check(url: str) -> None:
    """Raise `InvalidInputError`, in the words of the old API, for what is no link of its three types."""
    try:
        kind = parse_link(url).kind
    except InvalidInputError as error:
        if error.code != "invalid_url":
            raise
        kind = "artist"
    if kind == "artist":
        raise InvalidInputError("Invalid Spotify URL", code="invalid_url")
