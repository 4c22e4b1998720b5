"""Which way a link's metadata come: from Spotify's Web API, or from spotDL."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sfwidgets.errors import SlowDownError, SoundForgeError, UnavailableError, UpstreamError
from sfwidgets.models import SourceList
from sfwidgets.settings import Settings
from sfwidgets.sources import spotdl, spotify
from sfwidgets.sources.links import SpotifyLink
from sfwidgets.sources.spotify_client import Waiting

log = logging.getLogger(__name__)


def _ignored(_: str) -> None:
    pass


def fetch(link: SpotifyLink, settings: Settings, waiting: Waiting = _ignored) -> SourceList:
    """Return what a link leads to; it may take minutes.

    `SPOTIFY_API_MODE` chooses the way. `default` is Spotify's Web API where there are credentials, and spotDL where
    there are none or Spotify keeps that list from them. `waiting` is told a sentence several times a second while
    Spotify asks to wait or spotDL works; what it raises ends that.

    Raises
    ------
    UnavailableError
        Where there is no way (`no_sources`), or it is forbidden (`offline`).
    NotFoundError, SlowDownError, UpstreamError, UpstreamTimeoutError
        What the way that was taken raises: see `spotify.fetch` and `spotdl.save`.
    """
    check_online(settings)
    mode = settings.spotify_api_mode
    if mode == "spotdl":
        return spotdl.save(link, settings, waiting)
    if mode == "spotifyapi":
        return spotify.fetch(link, settings, waiting)
    with_spotdl = spotdl.program(settings) is not None
    if spotify.has_credentials(settings):
        try:
            return spotify.fetch(link, settings, waiting)
        except SoundForgeError as error:
            if not (with_spotdl and _may_know_more(link, error)):
                raise
            log.warning("Asking spotDL instead. %s", error)
            return _second(error, lambda: spotdl.save(link, settings, waiting))
    elif not with_spotdl:
        raise UnavailableError(
            "There is no way to read Spotify links: set SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET, of an app made at "
            "developer.spotify.com/dashboard, or install spotDL (make setup does).",
            code="no_sources",
        )
    return spotdl.save(link, settings, waiting)


def search(text: str, settings: Settings, waiting: Waiting = _ignored, *, limit: int = 20) -> SourceList:
    """Return the tracks that Spotify's search finds, best first, 50 at most.

    Raises
    ------
    InvalidInputError
        With the code `bad_search`.
    UnavailableError
        Where there are no credentials, which spotDL can't replace here (`no_spotify_credentials`); and what `fetch`
        raises.
    """
    check_online(settings)
    return spotify.search(text, settings, waiting, limit)


def _second(first: SoundForgeError, read: Callable[[], SourceList]) -> SourceList:
    """Return what the second way reads; where that fails, too, it is the first error that is raised, with both sentences."""
    try:
        return read()
    except UpstreamError as error:
        if isinstance(error, SlowDownError):
            raise
        message = f"{first.message} spotDL was asked, too: {error.message}"
        raise type(first)(message, code=first.code, details=first.details) from error


def _may_know_more(link: SpotifyLink, error: SoundForgeError) -> bool:
    """Return whether spotDL may read what Spotify's Web API refuses.

    The playlists of Spotify's own editors are not found there, as if they didn't exist.
    """
    hidden = error.code == "not_on_spotify" and link.kind == "playlist"
    return hidden or error.code in {"spotify_credentials", "spotify_refused"}


def check_online(settings: Settings) -> None:
    """Raise `UnavailableError` where the settings forbid to ask anybody."""
    if settings.offline:
        raise UnavailableError(
            "SOUNDFORGE_OFFLINE forbids asking Spotify. Unset it, or add the song as a file.", code="offline"
        )
