"""The processing service: separation, and the models that do it."""

from __future__ import annotations

from typing import Any

from server_ext.handlers.asking import Asking, following, newest_of_track, shown
from server_ext.handlers.base import Handler
from server_ext.operation import operation
from server_ext.schemas import (
    Accepted,
    ModelRequest,
    ProcessDocument,
    SeparateOptions,
    SeparateRequest,
    StemFile,
    stem_files,
)
from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.jobs import JobHandle
from sfwidgets.models import ModelInfo
from sfwidgets.workbench import Workbench


class Separate(Asking):
    """`/api/process/separate`."""

    @operation(
        "Split a track into stems",
        body=SeparateRequest,
        answer=Accepted,
        status=202,
        errors=(404, 413, 503),
        note="What a request with `autoProcess` or `autoAnalyze` asks for is remembered where it answers 404: it "
        "follows the track's next download.",
    )
    async def post(self, given: SeparateRequest) -> None:
        """Ask for the separation."""
        options = given.options or SeparateOptions()
        await self.ask(lambda wb: _separate(wb, given.track_id, options), given.track_id)


class ProcessedTrack(Handler):
    """`/api/process/track/{trackId}`."""

    @operation("Show a track's newest separation and its stems", answer=ProcessDocument, errors=(404,))
    async def get(self, track_id: str) -> ProcessDocument:
        """Return the newest job, and the stems of the newest set."""

        def read(wb: Workbench) -> ProcessDocument:
            document = shown(newest_of_track(wb, track_id, "processing"))
            return ProcessDocument(**document.model_dump(), stems=_stems(wb, track_id, self.base_url))

        return await self.call(read)


class Models(Handler):
    """`/api/models`, `/api/process/models`."""

    @operation("List the separation models, installed ones first", answer=list[ModelInfo])
    async def get(self) -> list[ModelInfo]:
        """Return the catalogue."""
        return await self.call(lambda wb: wb.models())


class FetchModel(Asking):
    """`/api/process/models/download`."""

    @operation("Fetch a model's weights", body=ModelRequest, answer=Accepted, status=202, errors=(413, 503))
    async def post(self, given: ModelRequest) -> None:
        """Ask for the weights."""
        await self.ask(lambda wb: wb.fetch_model(given.model_name), None)


def _separate(wb: Workbench, track_id: str, asked: SeparateOptions) -> JobHandle:
    model = asked.model or "auto"
    options: dict[str, Any] = {"overlap": asked.overlap, "shifts": asked.shifts, "two_stems": _two_stems(asked)}
    if options["two_stems"] is None:
        options["stems"] = _stems_asked_for(wb, model, asked)
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return wb.separate(track_id, model, analyze=bool(asked.auto_analyze), **given)
    except NotFoundError:
        if then := following(separate=asked.auto_process, analyze=asked.auto_analyze):
            wb.after_download(track_id, then, model=model, **given)
        raise


def _extracted(asked: SeparateOptions) -> dict[str, bool | None]:
    return {
        "vocals": asked.extract_vocals,
        "drums": asked.extract_drums,
        "bass": asked.extract_bass,
        "other": asked.extract_other,
    }


def _two_stems(asked: SeparateOptions) -> str | None:
    """Return the stem that is split from the rest; `true` is the only stem that is to be extracted, else the vocals."""
    if isinstance(asked.two_stems, str):
        return asked.two_stems
    if not asked.two_stems:
        return None
    wanted = [name for name, said in _extracted(asked).items() if said]
    return wanted[0] if len(wanted) == 1 else "vocals"


def _stems_asked_for(wb: Workbench, model: str, asked: SeparateOptions) -> tuple[str, ...] | None:
    """Return the stems to write: those said yes to, else all of the model's but those said no to; None for all."""
    said = _extracted(asked)
    wanted = tuple(name for name, yes in said.items() if yes)
    if wanted:
        return None if len(wanted) == len(said) else wanted
    if not any(no is False for no in said.values()):
        return None
    wb.check_separation(model)
    known = next(info for info in wb.models() if info.id == model or (model == "auto" and info.is_default))
    left = tuple(name for name in known.sources if said.get(name) is not False)
    if not left:
        raise InvalidInputError("Nothing is left to extract: ask for at least one stem.", code="bad_option")
    return left


def _stems(wb: Workbench, track_id: str, base_url: str) -> list[StemFile] | None:
    try:
        return stem_files(wb.stems(track_id), track_id, base_url)
    except NotFoundError:
        return None
