"""The download service."""

from __future__ import annotations

from server_ext.handlers.asking import Asking, newest_job, shown
from server_ext.handlers.base import Handler
from server_ext.operation import operation
from server_ext.schemas import Accepted, DownloadRequest, JobDocument
from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.models import JobKind
from sfwidgets.workbench import Workbench


class Download(Asking):
    """`/api/download/track`."""

    @operation(
        "Download a track",
        body=DownloadRequest,
        answer=Accepted,
        status=202,
        errors=(413, 429, 502, 503, 504),
    )
    async def post(self, given: DownloadRequest) -> None:
        """Ask for the download."""
        if given.spotify_url is None and given.track_info is None:
            raise InvalidInputError("spotifyUrl or trackInfo is required", code="url_required")
        info = None if given.track_info is None else given.track_info.model_dump()
        then: list[JobKind] = []
        if given.auto_process:
            then.append("processing")
        if given.auto_analyze:
            then.append("analysis")
        await self.ask(lambda wb: wb.download(given.track_id, given.spotify_url, info=info, then=then), given.track_id)


class DownloadedTrack(Handler):
    """`/api/download/track/{trackId}`."""

    @operation("Show a track's newest download", answer=JobDocument, errors=(404,))
    async def get(self, track_id: str) -> JobDocument:
        """Return the newest download, as an error where its file has gone since."""
        return await self.call(lambda wb: _newest(wb, track_id))


def _newest(wb: Workbench, track_id: str) -> JobDocument:
    document = shown(newest_job(wb, track_id, "download"))
    if document.status != "completed":
        return document
    try:
        wb.path(track_id)
    except NotFoundError as gone:
        return document.model_copy(update={"status": "error", "error": gone.message, "code": gone.code})
    return document
