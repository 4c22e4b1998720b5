"""What Spotify says becomes our lists, complete and in order: real spotipy against the stand-in, over real sockets."""

from __future__ import annotations

import copy
import json
from itertools import pairwise
from typing import Any

import pytest
from spotify_catalogue import EPISODE, LOCAL, REMOVED, Json
from spotify_server import SpotifyServer

from sfwidgets.errors import InvalidInputError, SoundForgeError
from sfwidgets.models import SourceList
from sfwidgets.settings import Settings
from sfwidgets.sources import spotify as source
from sfwidgets.sources import spotify_objects
from sfwidgets.sources.links import parse_link


def fetch(spotify: SpotifyServer, about: Json) -> SourceList:
    settings = Settings(spotify_client_id=spotify.client_id, spotify_client_secret=spotify.client_secret)
    return source.fetch(parse_link(about["uri"]), settings, lambda _: None)


def search(spotify: SpotifyServer, text: str, limit: int = 20) -> SourceList:
    settings = Settings(spotify_client_id=spotify.client_id, spotify_client_secret=spotify.client_secret)
    return source.search(text, settings, lambda _: None, limit)


@pytest.mark.parametrize("count", [0, 1, 100, 101, 2345])
def test_a_playlist_of_any_length_comes_complete_and_in_order(spotify: SpotifyServer, count: int) -> None:
    spotify.add_track("Not in the list")
    tracks = [spotify.add_track() for _ in range(count)][::-1]
    about = spotify.add_playlist(tracks)

    found = fetch(spotify, about)

    assert [(track.id, track.title) for track in found.tracks] == [(track["id"], track["name"]) for track in tracks]
    assert (found.type, found.id, found.left_out) == ("playlist", about["id"], 0)


@pytest.mark.parametrize("key", ["track", "item"])
def test_what_is_no_track_is_left_out_and_counted(spotify: SpotifyServer, key: str) -> None:
    spotify.item_key = key
    first, last = spotify.add_track(), spotify.add_track()
    nameless, strange = spotify.add_track(name="\u2028\n"), spotify.add_track(id="../../etc/passwd")
    local = spotify.add_track(is_local=True)
    entries = [REMOVED, first, LOCAL, local, EPISODE, nameless, strange, REMOVED, last]

    found = fetch(spotify, spotify.add_playlist(entries))

    assert [track.id for track in found.tracks] == [first["id"], last["id"]]
    assert found.left_out == 7


def test_a_list_says_what_it_is(spotify: SpotifyServer) -> None:
    about = spotify.add_playlist(1, name="Rock &\nRoll", description="Tom &amp; Jerry&#x27;s <a href=x>best</a>")
    found = fetch(spotify, about)
    assert found.name == "Rock & Roll"
    assert found.description == "Tom & Jerry's <a href=x>best</a>"
    assert found.artwork_url == f"https://mosaic.scdn.co/640/{about['id']}"
    assert found.url == f"https://open.spotify.com/playlist/{about['id']}"


def test_a_track_keeps_all_that_spotify_says_of_it(spotify: SpotifyServer) -> None:
    one, other = spotify.add_artist("Ember Tide"), spotify.add_artist("Nina, the Second")
    raw = spotify.add_track(
        "Night\tDrive",
        artists=[one, other], duration_ms=215_430, explicit=True, popularity=73, external_ids={"isrc": "gb-aye-71-00042"},
        preview_url="https://p.scdn.co/mp3-preview/abc",
    )  # fmt: skip

    found = fetch(spotify, raw)

    [track] = found.tracks
    assert track.model_dump() == {
        "id": raw["id"], "title": "Night Drive", "artists": ("Ember Tide", "Nina, the Second"), "album": "Night\tDrive"
        .replace("\t", " "), "duration": 215.43, "isrc": "GBAYE7100042", "release_date": "1971-11-08", "explicit": True,
        "popularity": 73, "artwork_url": raw["album"]["images"][1]["url"], "url": parse_link(raw["uri"]).url,
        "preview_url": "https://p.scdn.co/mp3-preview/abc",
    }  # fmt: skip
    assert "/640/" in str(track.artwork_url)
    assert (found.type, found.name, found.artwork_url) == ("track", "Night Drive", track.artwork_url)


@pytest.mark.parametrize("count", [1, 50, 51, 120])
def test_an_albums_tracks_have_its_name_picture_and_date_and_isrcs_of_their_own(
    spotify: SpotifyServer, count: int
) -> None:
    about = spotify.add_album(count, name="Meddling")
    raw = list(spotify.tracks.values())

    found = fetch(spotify, about)

    assert [track.id for track in found.tracks] == [track["id"] for track in raw]
    assert [track.isrc for track in found.tracks] == [track["external_ids"]["isrc"] for track in raw]
    assert [track.popularity for track in found.tracks] == [track["popularity"] for track in raw]
    expected = {("Meddling", "1971-11-08", about["images"][1]["url"])}
    assert {(track.album, track.release_date, track.artwork_url) for track in found.tracks} == expected
    assert (found.name, found.description) == ("Meddling", "Ember Tide")


def test_an_album_comes_without_isrcs_where_spotify_keeps_them(spotify: SpotifyServer) -> None:
    spotify.development_mode = True
    found = fetch(spotify, spotify.add_album(3))
    assert [(track.isrc, track.popularity, track.album) for track in found.tracks] == [(None, None, "Meddling")] * 3


@pytest.mark.filterwarnings("ignore:You're using `artist_top_tracks")
def test_an_artists_top_tracks(spotify: SpotifyServer) -> None:
    about = spotify.add_artist("Ember Tide", top=10)
    found = fetch(spotify, about)
    assert [track.id for track in found.tracks] == [track["id"] for track in spotify.top_tracks[about["id"]]]
    assert (found.type, found.name, found.description) == ("artist", "Ember Tide", "")


@pytest.mark.filterwarnings("ignore:You're using `artist_top_tracks")
def test_an_artists_tracks_are_searched_for_and_it_says_so_where_the_top_tracks_are_closed(
    spotify: SpotifyServer,
) -> None:
    spotify.development_mode = True
    about, namesake = spotify.add_artist("Ember Tide"), spotify.add_artist("Ember Tide")
    mine = {spotify.add_track(artist=artist)["id"]: artist for artist in [about, namesake] * 8}

    found = fetch(spotify, about)

    assert 0 < len(found.tracks) <= 10
    assert [mine[track.id] for track in found.tracks] == [about] * len(found.tracks)
    assert "closed to this app" in found.description


@pytest.mark.parametrize("development_mode", [False, True])
@pytest.mark.parametrize(("limit", "expected"), [(1, 1), (10, 10), (20, 20), (50, 34)])
def test_a_search_reads_as_many_pages_as_it_takes(
    spotify: SpotifyServer, limit: int, expected: int, development_mode: bool
) -> None:
    spotify.development_mode = development_mode
    spotify.add_track("Another")
    tracks = [spotify.add_track(f"Echo {n}") for n in range(34)]

    found = search(spotify, "echo", limit)

    assert [track.id for track in found.tracks] == [track["id"] for track in tracks[:expected]]
    assert (found.type, found.name, found.url) == ("search", "echo", None)


@pytest.mark.parametrize(("text", "limit"), [("", 5), (" \n ", 5), ("x" * 251, 5), ("x", 0), ("x", 51)])
def test_a_search_for_nothing_is_refused_before_spotify_is_asked(spotify: SpotifyServer, text: str, limit: int) -> None:
    with pytest.raises(InvalidInputError):
        search(spotify, text, limit)
    assert not spotify.requests


@pytest.mark.parametrize(
    "strange", [None, "missing", "", 0, -1, True, [], {}, [None], {"a": 1}, 1e300, float("nan")], ids=str
)
def test_any_field_may_be_missing_null_or_strange(spotify: SpotifyServer, strange: Any) -> None:
    whole = spotify.add_track()
    for path in [(name,) for name in whole] + [("album", name) for name in whole["album"]] + [("artists", 0)]:
        raw = copy.deepcopy(whole)
        holder: Any = raw
        for step in path[:-1]:
            holder = holder[step]
        if strange == "missing":
            del holder[path[-1]]
        else:
            holder[path[-1]] = strange
        track = spotify_objects.track(raw)
        assert track is None or json.loads(track.model_dump_json())["id"]


@pytest.mark.parametrize("strange", [None, [], "text", 7])
def test_an_entry_of_a_playlist_may_be_anything(spotify: SpotifyServer, strange: Any) -> None:
    assert spotify_objects.playlist_track(strange) is None
    assert spotify_objects.playlist_track({"track": strange, "item": strange}) is None


def test_pages_are_asked_for_one_after_the_other_with_one_token(spotify: SpotifyServer) -> None:
    fetch(spotify, spotify.add_playlist(230))
    offsets = [int(r.query["offset"]) for r in spotify.requests if r.path.endswith("/items")]
    assert offsets[0] == 0
    assert len(offsets) >= 3
    assert all(before < after for before, after in pairwise(offsets))
    assert spotify.asked("accounts.spotify.com") == ["/api/token"]


def test_a_track_that_is_gone_is_not_on_spotify(spotify: SpotifyServer) -> None:
    with pytest.raises(SoundForgeError) as gone:
        fetch(spotify, {"uri": "spotify:track:0000000000000000000000"})
    assert (gone.value.status, gone.value.code) == (404, "not_on_spotify")
