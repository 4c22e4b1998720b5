"""Covers come from Spotify's hosts of pictures, or not at all."""

from __future__ import annotations

import pytest
from audio_server import audio_server
from PIL import Image

from sfwidgets.sources import artwork
from sfwidgets.sources.artwork import fetch_picture, is_fetched_from


@pytest.mark.parametrize("url", [
    "https://i.scdn.co/image/ab67616d0000b273", "https://mosaic.scdn.co/640/ab", "https://image-cdn-ak.spotifycdn.com/image/ab",
])  # fmt: skip
def test_spotifys_pictures_are_fetched(url):
    assert is_fetched_from(url)


@pytest.mark.parametrize("url", [
    "http://i.scdn.co/image/a", "https://i.scdn.co.evil.org/a", "https://evil.org/i.scdn.co", "https://i.scdn.co@evil.org/a",
    "https://i.scdn.co:8443/a", "https://u:p@i.scdn.co/a", "https://spotifycdn.com.evil.org/a", "https://evilspotifycdn.com/a",
    "file:///etc/passwd", "https://127.0.0.1/a", "https://169.254.169.254/latest", "https://[::1]/a", "https://[", "",
    "https://i.scdn.co\\@evil.org/a", "https://evil.org#.spotifycdn.com", "https://evil.org?.spotifycdn.com",
])  # fmt: skip
def test_no_other_address_is(url):
    assert not is_fetched_from(url)
    assert fetch_picture(url) is None


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host of pictures on this machine, taken for Spotify's."""
    Image.effect_noise((64, 32), 80).convert("RGB").save(tmp_path / "cover.jpg")
    Image.new("RGB", (8, 8)).save(tmp_path / "moving.gif")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cover.jpg").read_bytes()[:-500])
    (tmp_path / "huge.jpg").write_bytes((tmp_path / "cover.jpg").read_bytes() + bytes(6 * 2**20))
    monkeypatch.setattr(artwork, "is_fetched_from", lambda _url: True)
    with audio_server(tmp_path) as served:
        yield served


def test_a_picture_is_had_byte_for_byte(host):
    found = fetch_picture(f"{host.url}/plain/cover.jpg")
    assert found is not None
    assert (found.mime, found.width, found.height) == ("image/jpeg", 64, 32)
    assert found.data == (host.folder / "cover.jpg").read_bytes()


@pytest.mark.parametrize("how", [
    "404/cover.jpg", "redirect/cover.jpg", "html/cover.jpg", "plain/moving.gif", "plain/huge.jpg", "plain/cut.jpg",
    "cut/cover.jpg",
])  # fmt: skip
def test_what_is_no_picture_is_no_cover_and_no_failure(host, how):
    assert fetch_picture(f"{host.url}/{how}") is None
    assert [path for path, _ in host.ranges] == [f"/{how}"]


def test_a_host_that_is_gone_is_no_failure(host):
    host.url = "http://127.0.0.1:9"
    assert fetch_picture(f"{host.url}/plain/cover.jpg") is None
    assert fetch_picture(None) is None
