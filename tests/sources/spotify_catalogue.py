"""A catalogue in Spotify's documented JSON, for the stand-in to serve; its objects may be changed in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

LOCAL: Json = {
    "id": None, "name": "My demo", "type": "track", "is_local": True, "uri": "spotify:local:Me:Demos:My+demo:183",
    "duration_ms": 183000, "artists": [{"name": "Me", "id": None}], "album": {"name": "Demos", "images": []},
    "external_ids": {}, "explicit": False, "popularity": 0, "preview_url": None, "track": True, "episode": False,
}  # fmt: skip
"""A file of somebody's own in a playlist."""
EPISODE: Json = {
    "id": "5Xt5DXGzch68nYYamXrNxZ", "name": "An episode", "type": "episode", "is_local": False, "duration_ms": 3600000,
    "uri": "spotify:episode:5Xt5DXGzch68nYYamXrNxZ", "track": False, "episode": True, "explicit": False, "images": [],
}  # fmt: skip
REMOVED = None


class Catalogue:
    """Tracks, albums, playlists and artists by id."""

    def __init__(self) -> None:
        self.tracks: dict[str, Json] = {}
        self.albums: dict[str, Json] = {}
        self.artists: dict[str, Json] = {}
        self.playlists: dict[str, Json] = {}
        self.playlist_entries: dict[str, list[Json | None]] = {}
        self.top_tracks: dict[str, list[Json]] = {}
        self._album_tracks: dict[str, list[Json]] = {}

    def add_artist(self, name: str = "Ember Tide", top: int = 0) -> Json:
        """Add an artist, and this many top tracks."""
        key = _id("A", len(self.artists))
        self.artists[key] = {
            **_reference("artist", key, name), "followers": {"href": None, "total": 4711}, "genres": ["rock"],
            "images": _images(key), "popularity": 61,
        }  # fmt: skip
        self.top_tracks[key] = [self.add_track(artist=self.artists[key]) for _ in range(top)]
        return self.artists[key]

    def add_track(
        self, name: str | None = None, *, artist: Json | None = None, album: Json | None = None, **changed: Any
    ) -> Json:
        """Add a track, on a single of its own where no album is given; `changed` are fields that are to differ."""
        number = len(self.tracks) + 1
        key = _id("T", number)
        artist = artist or next(iter(self.artists.values()), None) or self.add_artist()
        name = name or f"Song {number:04d}"
        self.tracks[key] = {
            "album": album or _album_object(_id("S", number), name, artist, 1),
            "artists": [_reference("artist", artist["id"], artist["name"])], "available_markets": ["DE", "GB", "US"],
            "disc_number": 1, "duration_ms": 120_000 + number, "explicit": number % 2 == 0,
            "external_ids": {"isrc": f"GBAYE71{number:05d}"}, **_reference("track", key, name), "is_local": False,
            "popularity": number % 101, "preview_url": None, "track_number": 1, "track": True, "episode": False,
        } | changed  # fmt: skip
        return self.tracks[key]

    def add_album(self, count: int, name: str = "Meddling") -> Json:
        """Add an album with new tracks."""
        artist = next(iter(self.artists.values()), None) or self.add_artist()
        key = _id("L", len(self.albums))
        about = _album_object(key, name, artist, count)
        self._album_tracks[key] = [self.add_track(album=about, track_number=n + 1) for n in range(count)]
        self.albums[key] = {
            **about, "copyrights": [], "external_ids": {"upc": "5099902894256"}, "genres": [], "label": "Harvest",
            "popularity": 70,
        }  # fmt: skip
        return self.albums[key]

    def add_playlist(
        self, entries: int | Sequence[Json | None], name: str = "Long drive", description: str | None = "For the road"
    ) -> Json:
        """Add a playlist of so many new tracks, or of these."""
        key = _id("P", len(self.playlists))
        held = [self.add_track() for _ in range(entries)] if isinstance(entries, int) else list(entries)
        self.playlist_entries[key] = list(held)
        self.playlists[key] = {
            "collaborative": False, "description": description, "followers": {"href": None, "total": 3},
            "images": [{"url": f"https://mosaic.scdn.co/640/{key}", "height": None, "width": None}],
            "owner": {"display_name": "Someone", "id": "someone", "type": "user"}, "primary_color": None,
            "public": True, "snapshot_id": "AAAAB", **_reference("playlist", key, name),
        }  # fmt: skip
        return self.playlists[key]

    def album_tracks(self, key: str) -> list[Json]:
        """Return an album's tracks as simplified objects: without album, ISRC and popularity."""
        left_out = {"album", "external_ids", "popularity", "track", "episode"}
        return [{k: v for k, v in track.items() if k not in left_out} for track in self._album_tracks[key]]

    def found(self, query: str) -> list[Json]:
        """Return the tracks with every word of `query` in their titles, or all by the artist of `artist:"…"`."""
        if query.startswith('artist:"'):
            name = query.split('"')[1]
            return [track for track in self.tracks.values() if track["artists"][0]["name"] == name]
        words = query.lower().split()
        return [track for track in self.tracks.values() if all(word in track["name"].lower() for word in words)]


def _id(kind: str, number: int) -> str:
    return f"{kind}{number:021d}"


def _reference(kind: str, key: str, name: str) -> Json:
    return {
        "external_urls": {"spotify": f"https://open.spotify.com/{kind}/{key}"}, "id": key, "name": name, "type": kind,
        "href": f"https://api.spotify.com/v1/{kind}s/{key}", "uri": f"spotify:{kind}:{key}",
    }  # fmt: skip


def _images(key: str) -> list[Json]:
    return [{"url": f"https://i.scdn.co/image/{size}/{key}", "height": size, "width": size} for size in (300, 640, 64)]


def _album_object(key: str, name: str, artist: Json, count: int) -> Json:
    return {
        "album_type": "album" if count > 1 else "single", "artists": [_reference("artist", artist["id"], artist["name"])],
        "available_markets": ["DE", "GB", "US"], "images": _images(key), **_reference("album", key, name),
        "release_date": "1971-11-08", "release_date_precision": "day", "total_tracks": count,
    }  # fmt: skip
