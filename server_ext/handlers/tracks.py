"""The library's tracks: listed, shown, renamed and deleted. Uploads and audio are beside this."""

from __future__ import annotations

from server_ext.handlers.base import Handler
from server_ext.operation import operation
from server_ext.schemas import TrackDocument, TrackPage, TrackRequest, TracksQuery
from sfwidgets.models import Track


class Tracks(Handler):
    """`/api/tracks`, reading."""

    @operation("List tracks", query=TracksQuery, answer=TrackPage)
    async def get(self, given: TracksQuery) -> TrackPage:
        """Return a page of the tracks that are asked for."""
        page = await self.call(
            lambda wb: wb.tracks(given.search, sort=given.sort, limit=given.limit, offset=given.offset)
        )
        return TrackPage(tracks=[document(track, self.base_url) for track in page], total=page.total)


class OneTrack(Handler):
    """`/api/tracks/{trackId}`."""

    @operation("Show a track", answer=TrackDocument, errors=(404,))
    async def get(self, track_id: str) -> TrackDocument:
        """Return the track."""
        return document(await self.call(lambda wb: wb.track(track_id)), self.base_url)

    @operation("Change a track's title, artist or album", body=TrackRequest, answer=TrackDocument, errors=(404, 413))
    async def patch(self, track_id: str, given: TrackRequest) -> TrackDocument:
        """Change what is given."""
        said = given.model_dump(exclude_none=True)
        return document(await self.call(lambda wb: wb.edit(track_id, **said)), self.base_url)

    @operation("Delete a track with its stems and its analysis", answer=None, status=204, errors=(404, 409))
    async def delete(self, track_id: str) -> None:
        """Delete the track; it can't be had back."""
        await self.call(lambda wb: wb.delete(track_id))


def document(track: Track, base_url: str) -> TrackDocument:
    """Return a track as the API shows it; the picture in its file is as good as one from elsewhere."""
    shown = TrackDocument(**track.model_dump(include=set(TrackDocument.model_fields)))
    if shown.artwork_url is None and track.has_artwork:
        return shown.model_copy(update={"artwork_url": f"{base_url}api/tracks/{track.id}/artwork"})
    return shown
