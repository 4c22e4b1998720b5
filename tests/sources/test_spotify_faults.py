"""Spotify in trouble: limits, faults on the way, tokens and credentials that end, answers that lie."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from spotify_server import ACCOUNTS, API, Request, Response, SpotifyServer

from sfwidgets.errors import (
    JobCancelledError,
    SlowDownError,
    SoundForgeError,
    UnavailableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from sfwidgets.models import SourceList
from sfwidgets.settings import Settings
from sfwidgets.sources import spotify as source
from sfwidgets.sources import spotify_client
from sfwidgets.sources.links import SpotifyLink, parse_link

FOR_EVER = 1000


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spotify_client, "BACKOFF", 0.01)
    monkeypatch.setattr(spotify_client, "UNSAID_WAIT", 0.01)
    monkeypatch.setattr(spotify_client, "TICK", 0.02)


class Reader:
    """Reads one playlist of the stand-in's, and remembers what it was told meanwhile."""

    def __init__(self, spotify: SpotifyServer, count: int = 51) -> None:
        self.link: SpotifyLink = parse_link(spotify.add_playlist(count)["uri"])
        self.spotify, self.told, self.count = spotify, list[str](), count

    def settings(self, secret: str | None = None) -> Settings:
        secret = secret or self.spotify.client_secret
        return Settings(spotify_client_id=self.spotify.client_id, spotify_client_secret=secret)

    def read(self, waiting: Callable[[str], None] | None = None) -> SourceList:
        found = source.fetch(self.link, self.settings(), waiting or self.told.append)
        assert [track.title for track in found.tracks] == [f"Song {n + 1:04d}" for n in range(self.count)]
        return found


@pytest.fixture
def reader(spotify: SpotifyServer) -> Reader:
    return Reader(spotify)


def test_a_token_that_expires_in_mid_list_is_renewed(spotify: SpotifyServer) -> None:
    spotify.uses_a_token = 4
    Reader(spotify, 501).read()
    assert spotify.asked(ACCOUNTS) == ["/api/token"] * 3  # 12 questions


def test_a_second_list_needs_no_second_token(reader: Reader, spotify: SpotifyServer) -> None:
    reader.read()
    reader.read()
    assert spotify.asked(ACCOUNTS) == ["/api/token"]


def test_a_token_that_is_never_good_ends_it(reader: Reader, spotify: SpotifyServer) -> None:
    spotify.fault(401, times=FOR_EVER)
    with pytest.raises(UpstreamError) as refused:
        reader.read()
    assert (refused.value.code, refused.value.status) == ("spotify_refused", 502)
    assert len(spotify.asked()) == 2


@pytest.mark.parametrize(
    ("status", "code", "ours"),
    [(403, "spotify_refused", 502), (404, "not_on_spotify", 404), (400, "not_on_spotify", 404)],
)
def test_a_refusal_is_final(reader: Reader, spotify: SpotifyServer, status: int, code: str, ours: int) -> None:
    spotify.fault(status, after=2)
    with pytest.raises(SoundForgeError) as refused:
        reader.read()
    assert (refused.value.code, refused.value.status) == (code, ours)
    assert len(spotify.asked()) == 3


def test_a_refusal_repeats_what_spotify_says(reader: Reader, spotify: SpotifyServer) -> None:
    said = b'{"error": {"status": 403, "message": "Active premium subscription\\n required"}}'
    spotify.hosts[API] = lambda _: Response(said, 403)
    with pytest.raises(UpstreamError, match=r"Active premium subscription  ?required.*SPOTIFY_API_MODE"):
        reader.read()


@pytest.mark.parametrize("body", [b"", b"Too many requests", b'{"error": "text"}', b'{"error": null}', b"[]", b"\xff"])
def test_a_refusal_may_say_anything(reader: Reader, spotify: SpotifyServer, body: bytes) -> None:
    spotify.hosts[API] = lambda _: Response(body, 403)
    with pytest.raises(UpstreamError) as refused:
        reader.read()
    assert refused.value.code == "spotify_refused"


def test_a_rate_limit_is_waited_out_and_said(reader: Reader, spotify: SpotifyServer) -> None:
    spotify.fault(429, after=1, headers={"Retry-After": "1"})
    reader.read()
    assert set(reader.told) == {"Spotify asks to wait 1 s"}


@pytest.mark.parametrize(
    ("retry_after", "host"),
    [("0", API), ("Wed, 21 Oct 2015 07:28:00 GMT", API), ("soon", API), ("-1", API), (None, API), ("0", ACCOUNTS)],
)
def test_a_rate_limit_may_say_how_long_in_any_form(
    reader: Reader, spotify: SpotifyServer, retry_after: str | None, host: str
) -> None:
    spotify.fault(429, times=2, host=host, headers={} if retry_after is None else {"Retry-After": retry_after})
    reader.read()
    assert reader.told


@pytest.mark.parametrize("seconds", [61, 86_400])
@pytest.mark.parametrize("as_date", [False, True])
def test_a_rate_limit_that_is_too_long_is_passed_on_at_once(
    reader: Reader, spotify: SpotifyServer, seconds: int, as_date: bool
) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds + 1), usegmt=True)
    spotify.fault(429, headers={"Retry-After": moment if as_date else str(seconds)})
    with pytest.raises(SlowDownError) as slow:
        reader.read()
    assert slow.value.status == 429
    assert slow.value.retry_after == pytest.approx(seconds, abs=30 if as_date else 0)
    assert (len(spotify.asked()), reader.told) == (1, [])


def test_the_waits_of_one_list_are_bounded_in_all(
    reader: Reader, spotify: SpotifyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spotify_client, "PATIENCE", 0.05)
    for _ in range(3):
        spotify.fault(429, after=1)
        spotify.fault(429)
    with pytest.raises(SlowDownError):
        reader.read()
    assert len(spotify.asked()) == 6  # waits of 10, 20, 10 and then 20 ms, which is too much


def test_a_rate_limit_without_end_is_not_asked_without_end(reader: Reader, spotify: SpotifyServer) -> None:
    spotify.fault(429, times=FOR_EVER, headers={"Retry-After": "0"})
    with pytest.raises(SlowDownError) as slow:
        reader.read()
    assert len(spotify.asked()) == spotify_client.MOST_LIMITS + 1
    assert slow.value.retry_after == 1


def test_who_waits_can_be_called_off(reader: Reader, spotify: SpotifyServer) -> None:
    def cancelled(sentence: str) -> None:
        reader.told.append(sentence)
        if len(reader.told) == 3:
            raise JobCancelledError("The job was cancelled.")

    spotify.fault(429, headers={"Retry-After": "50"})
    with pytest.raises(JobCancelledError):
        reader.read(cancelled)
    assert len(spotify.asked()) == 1


@pytest.mark.parametrize("host", [API, ACCOUNTS])
def test_faults_that_pass_are_asked_again(reader: Reader, spotify: SpotifyServer, host: str) -> None:
    for status in (500, 502, 503):
        spotify.fault(status, host=host)
    reader.read()
    assert {told[:26] for told in reader.told} == {"Spotify failed to answer. "}


@pytest.mark.parametrize("host", [API, ACCOUNTS])
def test_a_fault_that_stays_is_said(reader: Reader, spotify: SpotifyServer, host: str) -> None:
    spotify.fault(500, times=FOR_EVER, host=host)
    with pytest.raises(UpstreamError, match="status 500") as failed:
        reader.read()
    assert (failed.value.status, failed.value.code) == (502, "upstream_failed")
    assert len(spotify.asked(host)) == 4


@pytest.mark.parametrize("after", [0, 2])
def test_a_truncated_answer_is_asked_for_again(reader: Reader, spotify: SpotifyServer, after: int) -> None:
    spotify.fault(after=after, broken=True)
    reader.read()


def test_answers_that_are_always_truncated_are_a_fault(reader: Reader, spotify: SpotifyServer) -> None:
    spotify.fault(times=FOR_EVER, broken=True)
    with pytest.raises(UpstreamError, match="connection"):
        reader.read()


def test_a_slow_answer_is_asked_for_again(
    reader: Reader, spotify: SpotifyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spotify_client, "TIMEOUT", 0.5)
    spotify.fault(silent=30)
    reader.read()


def test_no_answer_at_all_is_a_timeout(reader: Reader, spotify: SpotifyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spotify_client, "TIMEOUT", 0.1)
    spotify.fault(times=FOR_EVER, silent=30)
    with pytest.raises(UpstreamTimeoutError) as late:
        reader.read()
    assert (late.value.status, late.value.retry_after) == (504, 60)


def test_a_network_that_is_not_there_is_said(reader: Reader, spotify: SpotifyServer) -> None:
    del spotify.hosts[ACCOUNTS]
    with pytest.raises(UpstreamError, match="reaches the internet") as failed:
        reader.read()
    assert failed.value.code == "spotify_unreachable"


@pytest.mark.parametrize("body", [b"<html>Please sign in</html>", b"", b"[]", b"null", b'"text"', b'{"items": '])
def test_what_is_no_json_object_is_a_fault(reader: Reader, spotify: SpotifyServer, body: bytes) -> None:
    spotify.hosts[API] = lambda _: Response(body)
    with pytest.raises(UpstreamError, match="broken"):
        reader.read()


def test_a_playlist_without_its_items_is_refused_and_not_empty(reader: Reader, spotify: SpotifyServer) -> None:
    spotify.hosts[API] = lambda _: Response(b'{"name": "A list", "total": 7}')
    with pytest.raises(UpstreamError) as refused:
        reader.read()
    assert refused.value.code == "spotify_refused"


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/v1/x", "https://api.spotify.com@evil.example/v1/", "http://evil.example/v1", "itself", 7],
)
def test_the_token_goes_to_spotify_alone(reader: Reader, spotify: SpotifyServer, address: object) -> None:
    def astray(request: Request) -> Response:
        following = f'"https://{API}{request.path}"' if address == "itself" else f'"{address}"'
        return Response(b'{"items": [], "next": %s}' % following.encode())

    spotify.hosts |= {API: astray, "evil.example": lambda _: Response(b'{"items": []}')}
    with pytest.raises(UpstreamError, match="astray"):
        reader.read()
    assert not spotify.asked("evil.example")
    assert len(spotify.asked()) <= 3


def test_dead_credentials_are_said(reader: Reader, spotify: SpotifyServer) -> None:
    spotify.dead_credentials = True
    with pytest.raises(UnavailableError, match="SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET") as dead:
        reader.read()
    assert (dead.value.code, dead.value.status) == ("spotify_credentials", 503)
    assert spotify.asked() == []
    assert len(spotify.requests) == 1


@pytest.mark.parametrize("secret", ["wrong", "sécret"])
def test_wrong_credentials_are_said(reader: Reader, secret: str) -> None:
    with pytest.raises(UnavailableError) as dead:
        source.fetch(reader.link, reader.settings(secret), reader.told.append)
    assert dead.value.code == "spotify_credentials"
    assert secret not in str(dead.value)


def test_no_credentials_are_said(reader: Reader, spotify: SpotifyServer) -> None:
    with pytest.raises(UnavailableError) as missing:
        source.fetch(reader.link, Settings(spotify_client_id="an id"), reader.told.append)
    assert (missing.value.code, spotify.requests) == ("no_spotify_credentials", [])


def test_no_secret_reaches_the_log_or_the_disk(
    reader: Reader,
    spotify: SpotifyServer,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)
    spotify.fault(403, after=2)
    with pytest.raises(UpstreamError):
        reader.read()
    sent = {request.headers["authorization"].split()[1] for request in spotify.requests}
    assert len(sent) == 2  # the credentials, and the token
    assert not [secret for secret in {*sent, spotify.client_secret} if secret in caplog.text]
    assert list(tmp_path.iterdir()) == []
