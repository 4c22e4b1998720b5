"""The download service."""

from __future__ import annotations

from server_ext.handlers.asking import Asking, following, newest_job, shown
from server_ext.handlers.base import Handler
from server_ext.operation import operation
from server_ext.schemas import Accepted, JobDocument
from server_ext.source_schemas import DownloadOptions, DownloadRequest, source_track
from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.models import SourceTrack
from sfwidgets.sources import parse_link
from sfwidgets.workbench import Workbench


class Download(Asking):
    """`/api/download/track`."""

    @operation(
        "Download a track",
        body=DownloadRequest,
        answer=Accepted,
        status=202,
        errors=(413, 503),
        note="Only download what you have the right to. "
        "A track whose audio is there already is not downloaded again. Audio is in the library only once it is "
        "whole, and was found to be what was asked for.",
    )
    async def post(self, given: DownloadRequest) -> None:
        """Ask for the download."""
        what = _what(given)
        options = given.options or DownloadOptions()
        then = following(
            separate=given.auto_process or options.auto_process, analyze=given.auto_analyze or options.auto_analyze
        )
        chosen = options.model_dump(include={"format", "bitrate"}, exclude_none=True)
        await self.ask(lambda wb: wb.download(what, id=given.track_id, then=then, **chosen), given.track_id)


class DownloadedTrack(Handler):
    """`/api/download/track/{trackId}`."""

    @operation("Show a track's newest download", answer=JobDocument, errors=(404,))
    async def get(self, track_id: str) -> JobDocument:
        """Return the newest download, as an error where its file has gone since."""
        return await self.call(lambda wb: _newest(wb, track_id))


def _what(given: DownloadRequest) -> str | SourceTrack:
    link = None if given.spotify_url is None else parse_link(given.spotify_url)
    if link is not None and link.kind != "track":
        raise InvalidInputError("Invalid Spotify URL: a download takes one track's", code="invalid_url")
    if given.track_info is not None:
        return source_track(given.track_id, given.track_info, link)
    if link is None:
        raise InvalidInputError("spotifyUrl or trackInfo is required", code="url_required")
    return link.url


def _newest(wb: Workbench, track_id: str) -> JobDocument:
    document = shown(newest_job(wb, track_id, "download"))
    if document.status != "completed":
        return document
    try:
        wb.check_audio(track_id)
    except NotFoundError as gone:
        return document.model_copy(update={"status": "error", "error": gone.message, "code": gone.code})
    return document
