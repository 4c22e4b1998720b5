"""Where the server behind a page has a lane's audio, if it has our extension and serves the same library."""

from __future__ import annotations

from urllib.parse import quote

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
