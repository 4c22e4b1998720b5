"""The analysis service."""

from __future__ import annotations

from typing import Any

from server_ext.handlers.asking import WORK, Asking, newest_of_track
from server_ext.handlers.base import Handler
from server_ext.operation import operation
from server_ext.schemas import Accepted, AnalyzeRequest, PendingAnalysis
from sfwidgets.errors import NotFoundError
from sfwidgets.models import Analysis
from sfwidgets.workbench import Workbench


class Analyze(Asking):
    """`/api/analyze/analyze`."""

    @operation("Analyse a track", body=AnalyzeRequest, answer=Accepted, status=202, errors=(404, 413, 503))
    async def post(self, given: AnalyzeRequest) -> None:
        """Ask for the analysis."""
        await self.ask(lambda wb: wb.analyze(given.track_id), given.track_id)


class AnalyzedTrack(Handler):
    """`/api/analyze/track/{trackId}`."""

    @operation("Show a track's newest analysis", answer=Analysis | PendingAnalysis, errors=(404,))
    async def get(self, track_id: str) -> Any:
        """Return the analysis; before there is one, where it is."""
        return await self.call(lambda wb: _newest(wb, track_id))


def _newest(wb: Workbench, track_id: str) -> Analysis | PendingAnalysis:
    try:
        return wb.analysis(track_id)
    except NotFoundError:
        job = newest_of_track(wb, track_id, "analysis")
    return PendingAnalysis(
        status=job.status, progress=job.progress, message=job.error or f"{WORK['analysis']} is {job.status}.",
        job_id=job.id, error=job.error,
    )  # fmt: skip
