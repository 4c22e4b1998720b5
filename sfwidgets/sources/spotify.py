"""What Spotify says about tracks, albums, playlists and artists, through its Web API and with an app's credentials."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from html import unescape
from typing import Any

from sfwidgets.errors import InvalidInputError, NotFoundError, UpstreamError
from sfwidgets.models import SourceList, SourceTrack
from sfwidgets.settings import Settings
from sfwidgets.sources import spotify_objects as objects
from sfwidgets.sources.links import SpotifyLink
from sfwidgets.sources.spotify_client import SpotifyClient, Waiting, has_credentials

__all__ = ["fetch", "has_credentials", "search"]

MOST_FOUND = 50
LONGEST_SEARCH = 250
"""Characters."""

_MARKET = "US"
_TOP = 10
_SEARCH_PAGE = 10
"""The most that Spotify gives an app in development mode."""
_TRACKS_AT_ONCE = 50

log = logging.getLogger(__name__)


def fetch(link: SpotifyLink, settings: Settings, waiting: Waiting) -> SourceList:
    """Return what a link leads to, complete and in order; of an artist, the top tracks.

    `waiting` is told a sentence several times a second while Spotify asks to wait, and may raise.

    Raises
    ------
    NotFoundError
        With the code `not_on_spotify`.
    UnavailableError
        With the code `no_spotify_credentials` or `spotify_credentials`.
    SlowDownError, UpstreamError, UpstreamTimeoutError
        Where Spotify refuses (`spotify_refused`), fails, or wants fewer questions.
    """
    read = {"track": _track, "album": _album, "playlist": _playlist, "artist": _artist}[link.kind]
    with SpotifyClient(settings, waiting) as client:
        return read(client, link)


def search(text: str, settings: Settings, waiting: Waiting, limit: int) -> SourceList:
    """Return the tracks that Spotify's search finds, best first; raises what `fetch` raises."""
    asked = objects.text(text)
    if not 0 < len(asked) <= LONGEST_SEARCH:
        raise InvalidInputError(f"A search takes 1 to {LONGEST_SEARCH} characters.", code="bad_search")
    if not 0 < limit <= MOST_FOUND:
        raise InvalidInputError(f"A search takes a limit of 1 to {MOST_FOUND}.", code="bad_search")
    with SpotifyClient(settings, waiting) as client:
        return _list("search", asked, asked, _found(client, asked, limit))


def _track(client: SpotifyClient, link: SpotifyLink) -> SourceList:
    about = client.ask(client.api.track, link.id)
    track = objects.track(about)
    if track is None:
        raise NotFoundError("Spotify has no music at this link any more.", code="not_on_spotify")
    return _list(link.kind, link.id, track.title, [track], artwork_url=track.artwork_url)


def _album(client: SpotifyClient, link: SpotifyLink) -> SourceList:
    about = client.ask(client.api.album, link.id)
    simple = list(map(objects.table, client.items(objects.table(about.get("tracks")))))
    full = _full_tracks(client, [raw["id"] for raw in simple if objects.well_formed(raw.get("id"))])
    return _list(
        link.kind,
        link.id,
        objects.text(about.get("name")),
        [objects.track({**full.get(raw.get("id"), {}), **raw}, about) for raw in simple],
        description=", ".join(objects.artists(about)),
        artwork_url=objects.artwork(about),
    )


def _full_tracks(client: SpotifyClient, ids: list[str]) -> dict[Any, dict[str, Any]]:
    """Return the full objects of an album's tracks by id: an album itself names no ISRC and no popularity.

    Empty where Spotify keeps them from this app, as it does from most since 2026.
    """
    full: dict[Any, dict[str, Any]] = {}
    for start in range(0, len(ids), _TRACKS_AT_ONCE):
        try:
            answer = client.ask(client.api.tracks, ids[start : start + _TRACKS_AT_ONCE])
        except (NotFoundError, UpstreamError) as error:
            if error.code not in {"not_on_spotify", "spotify_refused"}:
                raise
            log.info("The album's tracks come without ISRCs. %s", error)
            return full
        full |= {raw["id"]: raw for raw in map(objects.table, objects.entries(answer.get("tracks"))) if "id" in raw}
    return full


def _playlist(client: SpotifyClient, link: SpotifyLink) -> SourceList:
    about = client.ask(client.api.playlist, link.id, fields="name,description,images")
    page = client.ask(client.api.playlist_items, link.id)
    return _list(
        link.kind,
        link.id,
        objects.text(about.get("name")),
        map(objects.playlist_track, client.items(page)),
        description=unescape(objects.text(about.get("description"))),
        artwork_url=objects.artwork(about),
    )


def _artist(client: SpotifyClient, link: SpotifyLink) -> SourceList:
    about = client.ask(client.api.artist, link.id)
    name, description = objects.text(about.get("name")), ""
    try:
        answer = client.ask(client.api.artist_top_tracks, link.id, country=_MARKET)
        tracks = list(map(objects.track, objects.entries(answer.get("tracks"))))
    except (NotFoundError, UpstreamError) as error:
        if error.code not in {"not_on_spotify", "spotify_refused"}:
            raise
        # Spotify took the top tracks from most apps in 2026, and left them the search.
        description = "What Spotify's search finds first: its list of top tracks is closed to this app."
        log.info("%s %s", description, error)
        tracks = _found(client, f'artist:"{name.replace(chr(34), "")}"', _TOP, by=link.id)
    return _list(link.kind, link.id, name, tracks, description=description, artwork_url=objects.artwork(about))


def _found(client: SpotifyClient, asked: str, limit: int, by: str | None = None) -> list[SourceTrack | None]:
    """Return what a search finds, each track once; only that of the artist `by`, where one is given."""
    found: dict[str, SourceTrack | None] = {}
    for offset in range(0, limit, _SEARCH_PAGE):
        size = min(_SEARCH_PAGE, limit - offset)
        answer = client.ask(client.api.search, asked, limit=size, offset=offset, type="track", market=_MARKET)
        page = objects.table(answer.get("tracks"))
        for raw in map(objects.table, objects.entries(page.get("items"))):
            artists = {objects.table(artist).get("id") for artist in objects.entries(raw.get("artists"))}
            if by is None or by in artists:
                track = objects.track(raw)
                found.setdefault(track.id if track else f"left out {len(found)}", track)
        if not page.get("next"):
            break
    return list(found.values())


def _list(kind: Any, key: str, name: str, tracks: Iterable[SourceTrack | None], **about: Any) -> SourceList:
    """Return a list of those tracks that can be had; it says how many can't."""
    given = list(tracks)
    there = tuple(track for track in given if track is not None)
    url = None if kind == "search" else SpotifyLink(kind, key).url
    return SourceList(
        type=kind, id=key, name=name or key, tracks=there, left_out=len(given) - len(there), url=url, **about
    )
