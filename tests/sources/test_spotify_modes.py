"""Which way metadata come, by SPOTIFY_API_MODE and by what there is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from spotify_server import SpotifyServer

from sfwidgets.errors import NotFoundError, SoundForgeError, UnavailableError, UpstreamError
from sfwidgets.models import SourceList
from sfwidgets.settings import Settings, SpotifyMode
from sfwidgets.sources import metadata, spotdl
from sfwidgets.sources.links import LinkKind, SpotifyLink, parse_link

FROM_SPOTDL = SourceList(type="playlist", id="x", name="as spotDL says")


@pytest.fixture
def link(spotify: SpotifyServer) -> SpotifyLink:
    return parse_link(spotify.add_playlist(3, name="as Spotify says")["uri"])


@pytest.fixture
def with_spotdl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spotdl, "program", lambda _: Path("/usr/bin/spotdl"))

    def save(link: SpotifyLink, settings: Settings, waiting: Callable[[str], None]) -> SourceList:
        waiting("Reading the list with spotDL")
        return FROM_SPOTDL

    monkeypatch.setattr(spotdl, "save", save)


@pytest.fixture
def without_spotdl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spotdl, "program", lambda _: None)


def settings(spotify: SpotifyServer, mode: SpotifyMode = "default", credentials: bool = True) -> Settings:
    given = {"spotify_client_id": spotify.client_id, "spotify_client_secret": spotify.client_secret}
    return Settings(offline=False, spotify_api_mode=mode, **(given if credentials else {}))


def refused(link: SpotifyLink, chosen: Settings) -> SoundForgeError:
    with pytest.raises(SoundForgeError) as error:
        metadata.fetch(link, chosen)
    return error.value


@pytest.mark.parametrize(
    ("mode", "credentials", "name"),
    [
        ("spotifyapi", True, "as Spotify says"), ("spotdl", True, "as spotDL says"), ("spotdl", False, "as spotDL says"),
        ("default", True, "as Spotify says"), ("default", False, "as spotDL says"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("with_spotdl")
def test_the_mode_chooses_the_way(
    spotify: SpotifyServer, link: SpotifyLink, mode: SpotifyMode, credentials: bool, name: str
) -> None:
    told: list[str] = []
    assert metadata.fetch(link, settings(spotify, mode, credentials), told.append).name == name
    assert bool(told) == (name == "as spotDL says")
    assert bool(spotify.requests) == (name == "as Spotify says")


@pytest.mark.usefixtures("with_spotdl")
def test_dead_credentials_lead_to_spotdl_and_the_log_says_so(
    spotify: SpotifyServer, link: SpotifyLink, caplog: pytest.LogCaptureFixture
) -> None:
    spotify.dead_credentials = True
    assert metadata.fetch(link, settings(spotify)) == FROM_SPOTDL
    assert "SPOTIFY_CLIENT_SECRET" in caplog.text
    assert spotify.client_secret not in caplog.text
    assert refused(link, settings(spotify, "spotifyapi")).code == "spotify_credentials"


@pytest.mark.usefixtures("with_spotdl")
def test_a_playlist_that_spotify_keeps_from_the_app_comes_by_spotdl(spotify: SpotifyServer, link: SpotifyLink) -> None:
    spotify.development_mode = True
    assert metadata.fetch(link, settings(spotify)) == FROM_SPOTDL
    assert refused(link, settings(spotify, "spotifyapi")).code == "spotify_refused"


@pytest.mark.parametrize(("kind", "by_spotdl"), [("playlist", True), ("track", False), ("album", False)])
@pytest.mark.usefixtures("with_spotdl")
def test_a_playlist_that_the_api_hides_may_be_there_for_spotdl(
    spotify: SpotifyServer, kind: LinkKind, by_spotdl: bool
) -> None:
    hidden = SpotifyLink(kind, "37i9dQZEVXbMDoHDwVN2tF")
    if by_spotdl:
        assert metadata.fetch(hidden, settings(spotify)) == FROM_SPOTDL
    else:
        assert isinstance(refused(hidden, settings(spotify)), NotFoundError)


@pytest.mark.usefixtures("with_spotdl")
def test_spotify_in_trouble_is_no_reason_for_the_other_way(spotify: SpotifyServer, link: SpotifyLink) -> None:
    spotify.fault(429, headers={"Retry-After": "3000"})
    assert refused(link, settings(spotify)).code == "spotify_slow_down"


@pytest.mark.usefixtures("without_spotdl")
def test_without_spotdl_the_api_s_own_reason_is_given(spotify: SpotifyServer, link: SpotifyLink) -> None:
    spotify.development_mode = True
    assert isinstance(refused(link, settings(spotify)), UpstreamError)
    spotify.dead_credentials = True
    spotify.client_secret += "changed"
    assert refused(link, settings(spotify)).code == "spotify_credentials"


@pytest.mark.usefixtures("without_spotdl")
def test_where_neither_way_is_there_both_are_named(spotify: SpotifyServer, link: SpotifyLink) -> None:
    error = refused(link, settings(spotify, credentials=False))
    assert (error.code, error.status) == ("no_sources", 503)
    assert "SPOTIFY_CLIENT_ID" in error.message
    assert "spotDL" in error.message


@pytest.mark.usefixtures("with_spotdl")
def test_without_credentials_the_api_alone_is_no_way(spotify: SpotifyServer, link: SpotifyLink) -> None:
    assert refused(link, settings(spotify, "spotifyapi", credentials=False)).code == "no_spotify_credentials"


@pytest.mark.usefixtures("with_spotdl")
def test_offline_nobody_is_asked(spotify: SpotifyServer, link: SpotifyLink) -> None:
    offline = settings(spotify).model_copy(update={"offline": True})
    assert refused(link, offline).code == "offline"
    with pytest.raises(UnavailableError, match="SOUNDFORGE_OFFLINE"):
        metadata.search("song", offline)
    assert spotify.requests == []


@pytest.mark.parametrize("mode", ["default", "spotifyapi", "spotdl"])
@pytest.mark.usefixtures("with_spotdl")
def test_a_search_takes_credentials_whatever_the_mode(
    spotify: SpotifyServer, link: SpotifyLink, mode: SpotifyMode
) -> None:
    assert len(metadata.search("song", settings(spotify, mode), limit=2)) == 2
    with pytest.raises(UnavailableError) as error:
        metadata.search("song", settings(spotify, mode, credentials=False))
    assert error.value.code == "no_spotify_credentials"
