"""Songs as spotDL writes and reads them: the JSON of its `.spotdl` files (`spotdl/types/song.py`), as our values."""

from __future__ import annotations

from typing import Any

from sfwidgets.models import SourceList, SourceTrack
from sfwidgets.sources import artwork, spotify_objects
from sfwidgets.sources.links import SpotifyLink
from sfwidgets.sources.spotify_objects import entries, table


def source_list(link: SpotifyLink, saved: Any, *, name: str | None, listed: int) -> SourceList:
    """Return what spotDL saved of a link, in the list's order; it saves songs in the order that they were answered.

    `listed` is how many songs the list has.
    """
    songs = sorted((table(song) for song in entries(saved)), key=_place)
    tracks = tuple(filter(None, map(_track, songs)))
    last = max((_number(song.get("list_position")) for song in songs), default=0)
    title = tracks[0].title if link.kind == "track" and tracks else name
    return SourceList(
        type=link.kind,
        id=link.id,
        name=title or link.id,
        tracks=tracks,
        left_out=max(listed, last, len(songs)) - len(tracks),
        artwork_url=tracks[0].artwork_url if link.kind in ("track", "album") and tracks else None,
        url=link.url,
    )


def song(track: SourceTrack) -> dict[str, Any] | None:
    """Return a track as spotDL reads it, so that it asks Spotify nothing; None where too little is known for that.

    Numbers on the album are not known here: 0 is what tags have for that.
    """
    if not track.artists or track.duration is None:
        return None
    cover = track.artwork_url
    return {
        "name": track.title,
        "artists": list(track.artists),
        "artist": track.artists[0],
        "album_name": track.album,
        "album_artist": track.artists[0],
        "album_id": "",
        "duration": round(track.duration),
        "date": track.release_date or "",
        "year": (track.release_date or "")[:4],
        "song_id": track.id,
        "url": f"https://open.spotify.com/track/{track.id}",
        "isrc": track.isrc or "",
        "explicit": bool(track.explicit),
        "popularity": track.popularity,
        "cover_url": cover if cover is not None and artwork.is_fetched_from(cover) else None,
        "genres": [],
        "publisher": "",
        "copyright_text": None,
        "disc_number": 0,
        "disc_count": 0,
        "track_number": 0,
        "tracks_count": 0,
    }


def _track(song: dict[str, Any]) -> SourceTrack | None:
    """Return a song's track; its popularity stays unknown, as spotDL's source for it makes that up."""
    cover, duration = song.get("cover_url"), song.get("duration")
    album = {"name": song.get("album_name"), "release_date": song.get("date"), "images": [{"url": cover}]}
    return spotify_objects.track(
        {
            "id": song.get("song_id"),
            "name": song.get("name"),
            "artists": [{"name": artist} for artist in entries(song.get("artists"))],
            "album": album,
            "duration_ms": duration * 1000 if isinstance(duration, int | float) else None,
            "explicit": song.get("explicit"),
            "external_ids": {"isrc": song.get("isrc")},
        }
    )


def _place(song: dict[str, Any]) -> tuple[int, str, str, int, int]:
    """Return what sorts songs: their place in a playlist, else on their album."""
    disc, number = _number(song.get("disc_number")), _number(song.get("track_number"))
    return _number(song.get("list_position")), str(song.get("date")), str(song.get("album_name")), disc, number


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
