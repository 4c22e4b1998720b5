"""What clients say of tracks to be downloaded, and how fetched tracks are shown: the contract's formats."""

from __future__ import annotations

from typing import Any

import pytest

from server_ext.source_schemas import TrackInfo, fetched, source_track
from sfwidgets.models import SourceList, SourceTrack
from sfwidgets.sources import parse_link

ID = "4uLU6hMCjMI75M1A2tKUQC"
SONG = SourceTrack(
    id=ID, title="Never Gonna Give You Up", artists=("Rick Astley", "Somebody, Else"), album="Whenever", duration=213.573,
    isrc="GBARL9300135", release_date="1987-11-12", explicit=False, popularity=75,
    artwork_url="https://i.scdn.co/image/ab67", preview_url="https://p.scdn.co/mp3-preview/22bf",
    url=f"https://open.spotify.com/track/{ID}",
)  # fmt: skip


def described(**changed: Any) -> SourceTrack:
    """Return what becomes of a `trackInfo`."""
    return source_track("mine", TrackInfo.model_validate({"title": "T", **changed}), None)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "0:00"), (0.4, "0:00"), (9.4, "0:09"), (59.4, "0:59"), (59.5, "1:00"), (179.999, "3:00"), (180.5, "3:01"),
        (213.573, "3:34"), (3599.7, "60:00"), (4503.0, "75:03"), (86400.0, "1440:00"),
    ],
)  # fmt: skip
def test_a_duration_is_minutes_and_seconds(seconds: float | None, shown: str) -> None:
    track = SONG.model_copy(update={"duration": seconds})
    assert fetched(SourceList(type="track", id=ID, name="N", tracks=(track,))).tracks[0].duration == shown


def test_a_fetched_track_has_the_contracts_fields() -> None:
    shown = fetched(SourceList(type="album", id="a", name="N", description="D", tracks=(SONG,), left_out=3)).to_json()
    (track,) = shown.pop("tracks")
    assert shown == {"type": "album", "id": "a", "name": "N", "description": "D", "leftOut": 3}
    assert track == {
        "id": ID, "title": "Never Gonna Give You Up", "artist": "Rick Astley, Somebody, Else",
        "artists": ["Rick Astley", "Somebody, Else"], "albumArt": "https://i.scdn.co/image/ab67", "duration": "3:34",
        "albumName": "Whenever", "releaseDate": "1987-11-12", "previewUrl": "https://p.scdn.co/mp3-preview/22bf",
        "isrc": "GBARL9300135", "explicit": False, "popularity": 75,
    }  # fmt: skip


def test_what_fetch_gave_comes_back_whole() -> None:
    given = fetched(SourceList(type="track", id=ID, name="N", tracks=(SONG,))).tracks[0].to_json()
    assert source_track("mine", TrackInfo.model_validate(given), None) == SONG.model_copy(update={"duration": 214.0})


def test_a_link_says_better_than_the_info_which_track_it_is() -> None:
    link = parse_link("https://open.spotify.com/intl-de/track/7ouMYWpwJ422jRcDASZB7P?si=x")
    found = source_track("mine", TrackInfo(title="T", id=ID), link)
    assert (found.id, found.url) == ("7ouMYWpwJ422jRcDASZB7P", "https://open.spotify.com/track/7ouMYWpwJ422jRcDASZB7P")


@pytest.mark.parametrize("id", [None, "", "../etc", "a b", "x" * 65])
def test_an_id_that_is_none_is_the_tracks_own(id: str | None) -> None:
    found = described(id=id)
    assert (found.id, found.url) == ("mine", None)


def test_only_an_id_of_spotifys_form_makes_a_link() -> None:
    assert described(id=ID).url == f"https://open.spotify.com/track/{ID}"
    assert described(id="abc").url is None
    assert source_track(ID, TrackInfo(title="T"), None).url == f"https://open.spotify.com/track/{ID}"


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("3:05", 185), ("75:03", 4503), ("0:07", 7), ("0:00", None), (None, None), ("", None), ("3", None), ("3:5", None),
        ("3:60", None), ("-1:00", None), ("1:02:03", None), ("NaN", None), ("٣:٠٥", None), ("999999:00", None),
    ],
)  # fmt: skip
def test_a_duration_is_read_and_an_odd_one_says_nothing(duration: str | None, seconds: float | None) -> None:
    assert described(duration=duration).duration == seconds


def test_what_is_missing_or_odd_is_left_out() -> None:
    assert described() == SourceTrack(id="mine", title="T")
    odd = {
        "artist": "A\nB", "artists": [], "albumName": None, "albumArt": "file:///etc/passwd", "previewUrl": "javascript:x",
        "isrc": "", "releaseDate": " ", "explicit": None, "popularity": None, "more": {"of": "this"},
    }  # fmt: skip
    assert described(**odd) == SourceTrack(id="mine", title="T", artists=("A B",))
    assert described(title="\0").title == "mine"
