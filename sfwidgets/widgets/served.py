"""Where a page finds the audio of a lane, and what it is told where that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from sfwidgets.errors import NotFoundError
from sfwidgets.widgets.base import in_dashboard


def address(track_id: str, set_id: str | None, stem: str | None) -> str:
    """Return the address, relative to the server's base, of a stem, or of the mixture beside a set where `stem` is None.

    It is "" on a dashboard, whose server has no such routes.
    """
    if in_dashboard():
        return ""
    if stem is None or set_id is None:
        return f"api/tracks/{track_id}/mixture.wav" + (f"?set={set_id}" if set_id else "")
    return f"api/tracks/{track_id}/stems/{set_id}/{quote(stem, safe='')}.wav"


@contextmanager
def of_stems() -> Iterator[None]:
    """Where a stem's file is gone from the disk, say so, and what to do."""
    try:
        yield
    except NotFoundError as error:
        if error.code != "audio_missing":
            raise
        raise NotFoundError("The stems' files are gone. Separate the track again.", code=error.code) from error
