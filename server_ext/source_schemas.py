"""What the API takes and gives of links and downloads, and what the façade has for it."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from server_ext.operation import ID_PATTERN, Request
from server_ext.schemas import TrackId, whole
from sfwidgets.models import Bitrate, DownloadFormat, SourceList, SourceTrack, Value, one_line
from sfwidgets.sources import SpotifyLink

_SPOTIFY_ID = re.compile("[A-Za-z0-9]{22}")
_MINUTES = re.compile("([0-9]{1,5}):([0-5][0-9])")
_ADDRESS = re.compile(r"https?://[^\s/]\S*", re.IGNORECASE)

Text = Annotated[str, Field(max_length=1000), AfterValidator(one_line)]
Address = Annotated[str, Field(max_length=2000)]


def _link(kinds: str) -> dict[str, Any]:
    """Return what the description says of a link to Spotify; the sources say what is one."""
    what = f"({kinds})"
    page = (
        rf"(https?://)?((open|play|www)\.)?spotify\.com/(intl-[a-z]{{2,3}}/)?{what}/[A-Za-z0-9]{{1,64}}/?"
        r"([?#][A-Za-z0-9_.~%&=+:/,@!?#-]{0,1000})?"
    )
    return {"pattern": f"^(spotify:{what}:[A-Za-z0-9]{{1,64}}|{page})$"}


# -- what clients send ---------------------------------------------------------------------------------------------------


class FetchRequest(Request):
    """A link to a track, an album or a playlist on Spotify."""

    url: str = Field(max_length=2000, json_schema_extra=_link("track|album|playlist"))
    """With or without the scheme, or as a URI like `spotify:track:…`."""


class TrackInfo(Request):
    """A track as `POST /api/spotify/fetch` gave it. All but the title may be left out."""

    id: Annotated[str, Field(max_length=200)] | None = None
    """Its id on Spotify."""
    title: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(one_line)]
    artist: Text = ""
    """All of them, with commas between."""
    artists: Annotated[list[Text], Field(max_length=100)] | None = None
    """The same, each for itself: a search for the track goes by the first."""
    album_name: Text | None = None
    album_art: Address | None = None
    """The picture's address."""
    duration: Annotated[str, Field(max_length=20)] | None = None
    """Like `3:05`: what is downloaded must be about as long. `0:00`, or what is no such time, says nothing."""
    release_date: Text | None = None
    preview_url: Address | None = None
    """Where an excerpt can be heard."""
    isrc: Text | None = None
    """What the recording is known by; a search for it goes by this first."""
    explicit: bool | None = None
    popularity: Annotated[int, Field(ge=0, le=100), BeforeValidator(whole)] | None = None


class DownloadOptions(Request):
    """How to download, and what follows; unknown options are ignored."""

    auto_process: bool | None = None
    """A separation follows by itself."""
    auto_analyze: bool | None = None
    """An analysis follows by itself."""
    format: DownloadFormat | None = None
    """`opus` where nothing is said."""
    bitrate: Bitrate | None = None
    """`auto` where nothing is said: what is offered, unconverted where the format allows it."""


class DownloadRequest(Request):
    """A track to be downloaded: `spotifyUrl` or `trackInfo` is needed."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["spotifyUrl"], "properties": {"spotifyUrl": {"type": "string"}}},
                {"required": ["trackInfo"], "properties": {"trackInfo": {"type": "object"}}},
            ]
        }
    )

    track_id: TrackId
    """What the track is to be called by; you choose it, and its id on Spotify is a good one."""
    spotify_url: Annotated[str, Field(max_length=2000, json_schema_extra=_link("track"))] | None = None
    """A link to one track."""
    track_info: TrackInfo | None = None
    """Kept as what is known of the track; without it, Spotify is asked."""
    auto_process: bool = False
    """A separation follows by itself."""
    auto_analyze: bool = False
    """An analysis follows by itself."""
    options: DownloadOptions | None = None


# -- what the server sends -----------------------------------------------------------------------------------------------


class FetchedTrack(Value):
    """A track on Spotify."""

    id: str
    title: str
    artist: str
    """All of them, with commas between."""
    artists: tuple[str, ...]
    """The same, each for itself."""
    album_art: str | None
    """The picture's address."""
    duration: str
    """Minutes and seconds, like `3:05` or `75:03`; `0:00` where it is not known."""
    album_name: str | None
    release_date: str | None
    """A year, a month or a day, like `1971-11-08`."""
    preview_url: str | None
    """Where an excerpt can be heard."""
    isrc: str | None
    """International Standard Recording Code: the same on every album that the recording is on."""
    explicit: bool | None
    popularity: int | None
    """0 to 100, as Spotify counts it."""


class Fetched(Value):
    """A track, an album or a playlist on Spotify, with all of its tracks."""

    type: Literal["playlist", "album", "track"]
    id: str
    name: str
    description: str
    tracks: list[FetchedTrack]
    """All of them, however long the list is, in its order."""
    left_out: int
    """How many items are not among them because they can't be had: removed ones, local files, podcast episodes."""


# -- from the one to the other -------------------------------------------------------------------------------------------


def fetched(found: SourceList) -> Fetched:
    """Return what a link leads to as the API shows it."""
    return Fetched(
        type=cast("Literal['playlist', 'album', 'track']", found.type), id=found.id, name=found.name,
        description=found.description, tracks=[_fetched_track(track) for track in found.tracks], left_out=found.left_out,
    )  # fmt: skip


def source_track(track_id: str, info: TrackInfo, link: SpotifyLink | None) -> SourceTrack:
    """Return what a client says of a track; a link to it says better than `info` which one it is."""
    said = info.id if info.id and re.fullmatch(ID_PATTERN, info.id) else track_id
    source_id = said if link is None else link.id
    return SourceTrack(
        id=source_id,
        title=info.title or track_id,
        artists=tuple(filter(None, info.artists or (info.artist,))),
        album=info.album_name or "",
        duration=_seconds(info.duration or ""),
        isrc=info.isrc or None,
        release_date=info.release_date or None,
        explicit=info.explicit,
        popularity=info.popularity,
        artwork_url=_address(info.album_art),
        preview_url=_address(info.preview_url),
        url=SpotifyLink("track", source_id).url if link or _SPOTIFY_ID.fullmatch(source_id) else None,
    )


def _fetched_track(track: SourceTrack) -> FetchedTrack:
    return FetchedTrack(
        id=track.id, title=track.title, artist=track.artist, artists=track.artists, album_art=track.artwork_url,
        duration=_minutes(track.duration or 0.0), album_name=track.album or None, release_date=track.release_date,
        preview_url=track.preview_url, isrc=track.isrc, explicit=track.explicit, popularity=track.popularity,
    )  # fmt: skip


def _minutes(seconds: float) -> str:
    """Return a duration like `3:05`, rounded to the second as JavaScript rounds."""
    rounded = math.floor(seconds + 0.5)
    return f"{rounded // 60}:{rounded % 60:02d}"


def _seconds(text: str) -> float | None:
    """Return the seconds in a text like `3:05`; None where it says none."""
    found = _MINUTES.fullmatch(text)
    return None if found is None else float(int(found[1]) * 60 + int(found[2])) or None


def _address(text: str | None) -> str | None:
    """Return a web address; None for whatever else is said in its place."""
    return text if text and _ADDRESS.fullmatch(text) else None
