"""The routes; each module here is one documented service."""

from __future__ import annotations

from typing import Any

from server_ext.handlers import (
    analyze,
    audio,
    base,
    docs,
    download,
    gateway,
    jobs,
    process,
    resumable,
    spotify,
    tracks,
    uploads,
)
from server_ext.handlers.base import Handler
from server_ext.operation import pattern

Route = tuple[str, type[Handler]] | tuple[str, type[Handler], dict[str, Any]]

_SERVICES = {"download": {"download", "batch"}, "process": {"processing", "model"}, "analyze": {"analysis"}}

ROUTES: list[Route] = [
    ("/health", gateway.HealthCheck),
    ("/api/config", gateway.Config),
    ("/api/stats", gateway.Statistics),
    ("/api/spotify/fetch", spotify.Fetch),
    ("/api/download/track", download.Download),
    ("/api/download/track/{trackId}", download.DownloadedTrack),
    ("/api/process/separate", process.Separate),
    ("/api/process/track/{trackId}", process.ProcessedTrack),
    ("/api/models", process.Models),
    ("/api/process/models", process.Models),
    ("/api/process/models/download", process.FetchModel),
    ("/api/analyze/analyze", analyze.Analyze),
    ("/api/analyze/track/{trackId}", analyze.AnalyzedTrack),
    *(
        (f"/api/{service}/job/{{jobId}}{rest}", handler, {"kinds": frozenset(kinds)})
        for service, kinds in _SERVICES.items()
        for rest, handler in (("", jobs.OneJob), ("/cancel", jobs.CancelJob), ("/retry", jobs.RetryJob))
    ),
    ("/api/jobs", jobs.Jobs),
    ("/api/tracks", uploads.NewTrack),
    ("/api/tracks/{trackId}", tracks.OneTrack),
    ("/api/tracks/{trackId}/audio", audio.TrackAudio),
    ("/api/tracks/{trackId}/stems/{name}", audio.StemFile),
    ("/api/tracks/{trackId}/stems.zip", audio.StemsZip),
    ("/api/tracks/{trackId}/peaks", audio.TrackPeaks),
    ("/api/tracks/{trackId}/artwork", audio.TrackArtwork),
    ("/api/tracks/{trackId}/stems/{setId}/{name}.wav", audio.StemAudio),
    ("/api/tracks/{trackId}/mixture.wav", audio.MixtureAudio),
    ("/api/uploads", resumable.NewUpload),
    ("/api/uploads/{uploadId}", resumable.OneUpload),
    ("/openapi.json", docs.Document),
    ("/api/docs", docs.Page),
]

_OURS = "spotify|download|process|analyze|models|stats|tracks|uploads|jobs|docs"
"""First parts of paths under `/api/` that nobody else serves."""


def handlers() -> list[tuple[str, type[Handler], dict[str, Any]]]:
    """Return the routes as tornado takes them; what is not there under our paths is said in JSON, too."""
    found = [
        (pattern(template), handler, {"template": template, **(given[0] if given else {})})
        for template, handler, *given in ROUTES
    ]
    return [*found, (rf"/api/(?:{_OURS})(?:/.*)?", base.Nothing, {"template": ""})]
