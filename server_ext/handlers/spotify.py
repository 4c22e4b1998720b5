"""The Spotify service: what a link leads to."""

from __future__ import annotations

from server_ext.handlers.base import Handler
from server_ext.operation import operation
from server_ext.schemas import Fetched, FetchRequest


class Fetch(Handler):
    """`/api/spotify/fetch`."""

    @operation("Read what a Spotify link leads to", body=FetchRequest, answer=Fetched, errors=(413, 429, 502, 503, 504))
    async def post(self, given: FetchRequest) -> Fetched:
        """Ask Spotify."""
        return Fetched.model_validate(await self.call(lambda wb: wb.fetch(given.url)))
