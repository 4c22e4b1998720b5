"""The HTTP contract, row by row, over a real socket against a real Jupyter Server."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from browser.servers import Server, start_lab
from contract import Ask, asking, poll, put_job
from serving import ask as said
from serving import until
from simple_song import write_song
from stand_ins import EPISODE, LOCAL, REMOVED, StandIns, stand_ins

from sfwidgets import Workbench
from sfwidgets.jobs import stop_cluster
from tests.server.live_clients import Listener, listening

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
SENTENCE_404 = "Track file not found. Download the track first."


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIns]:
    folder = tmp_path_factory.mktemp("elsewhere")
    with stand_ins(folder, write_song(folder / "song.wav", 2, seed=3)) as found:
        found.spotify.add_album(3)
        found.spotify.add_playlist(101)
        yield found


SIGNING_SECRET = "what the project signs its access tokens with"


@pytest.fixture(scope="module")
def library(elsewhere: StandIns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("contract")
    with elsewhere.led_to(), Workbench(folder / "library") as wb:
        song = wb.add(write_song(folder / "song.wav", 8, seed=1), id="song", title="Song", artist="Singer")
        wb.add(write_song(folder / "bare.wav", 2, seed=2), id="bare", title="Bare")
        wb.separate(song, "embedded", analyze=True).wait()
        following = wb.jobs(song, kind="analysis", limit=1)[0]
        following.wait()
        yield wb
    stop_cluster(wb.settings)


@pytest.fixture(scope="module")
def server(library: Workbench, elsewhere: StandIns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    public = {"SUPABASE_URL": "https://project.supabase.co", "SUPABASE_KEY": "sb_publishable_abc"}
    secret = {**elsewhere.environment, "DATABASE_URL": "", "SUPABASE_JWT_SECRET": SIGNING_SECRET}
    root = tmp_path_factory.mktemp("root")
    with start_lab(root, library.settings.library, environment={**public, **secret}) as running:
        yield running


@pytest.fixture(scope="module")
def ask(server: Server) -> Ask:
    return asking(server)


@pytest.fixture
def ended(ask: Ask) -> Callable[[str, str], Any]:
    """Return what waits, as old clients do, until a service's job has ended."""
    return lambda service, job_id: poll(ask, f"/api/{service}/job/{job_id}")


# -- errors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/process/separate", {}, 400),
        ("POST", "/api/process/separate", [], 400),
        ("POST", "/api/process/separate", {"trackId": 7}, 400),
        ("POST", "/api/process/separate", {"trackId": "a b"}, 400),
        ("POST", "/api/process/separate", {"trackId": "../x"}, 400),
        ("POST", "/api/process/separate", {"trackId": "x" * 65}, 400),
        ("POST", "/api/process/separate", {"trackId": ""}, 400),
        ("POST", "/api/process/separate", {"trackId": "song", "options": {"model": "nonesuch"}}, 400),
        ("POST", "/api/process/separate", {"trackId": "song", "options": {"twoStems": "kazoo"}}, 400),
        ("POST", "/api/process/separate", {"trackId": "song", "options": {"extractVocals": "yes"}}, 400),
        ("POST", "/api/process/separate", {"trackId": "song", "options": "embedded"}, 400),
        ("POST", "/api/process/models/download", {"modelName": "nonesuch"}, 400),
        ("POST", "/api/process/models/download", {}, 400),
        ("POST", "/api/analyze/analyze", {}, 400),
        ("GET", "/api/process/job/a%2Fb", None, 400),
        ("GET", "/api/analyze/track/%00", None, 400),
        ("GET", "/api/download/job/nothing", None, 404),
        ("GET", "/api/process/job/nothing", None, 404),
        ("GET", "/api/analyze/job/nothing", None, 404),
        ("GET", "/api/tracks/nothing", None, 404),
        ("DELETE", "/api/tracks/nothing", None, 404),
        ("GET", "/api/process/what", None, 404),
        ("PUT", "/api/tracks/song", None, 405),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_with_a_code(
    ask: Ask, method: str, path: str, body: Any, status: int
) -> None:
    answer = ask(method, path, body)
    assert answer.status == status, answer.body
    assert set(answer.json) <= {"error", "code", "details"}
    assert answer.json["error"]
    assert re.fullmatch(r"[a-z_]+", answer.json["code"])


def test_a_body_of_more_than_a_megabyte_is_refused(ask: Ask) -> None:
    padded = json.dumps({"trackId": "song", "padding": "x" * 1_000_000}).encode()
    assert ask("POST", "/api/analyze/analyze", raw=padded).status == 413


def test_a_track_that_a_job_works_on_is_not_deleted(ask: Ask, library: Workbench, tmp_path: Path) -> None:
    library.add(write_song(tmp_path / "busy.wav", 1, seed=5), id="busy")
    put_job(library, "analysis", "busy", "running")
    answer = ask("DELETE", "/api/tracks/busy")
    assert (answer.status, answer.json["code"]) == (409, "in_use")
    library.add(write_song(tmp_path / "idle.wav", 1, seed=6), id="idle")
    assert ask("DELETE", "/api/tracks/idle").status == 204
    assert ask("GET", "/api/tracks/idle").status == 404


# -- gateway -------------------------------------------------------------------------------------------------------------


def test_health_needs_no_sign_in(ask: Ask) -> None:
    answer = ask("GET", "/health", token=False)
    assert answer.status == 200
    assert answer.json["status"] in ("ok", "degraded")
    services = answer.json["services"]
    assert services["apiGateway"] == "up"
    assert services["database"] == "up"
    assert {"redis", "supabase", "workers"} < set(services)
    assert set(services.values()) <= {"up", "down", "off"}


def test_config_says_what_is_public_and_no_secret(ask: Ask, elsewhere: StandIns) -> None:
    answer = ask("GET", "/api/config", token=False)
    assert answer.json == {"supabaseUrl": "https://project.supabase.co", "supabaseAnonKey": "sb_publishable_abc"}
    assert elsewhere.spotify.client_secret.encode() not in answer.body


def test_a_supabase_user_has_tracks_of_their_own_and_is_a_stranger_to_jupyter(server: Server) -> None:
    user = str(uuid.uuid4())
    claims = {"sub": user, "aud": "authenticated", "role": "authenticated", "exp": int(time.time()) + 600}
    token = jwt.encode(claims, SIGNING_SECRET, "HS256")
    shown = {"Authorization": f"Bearer {token}"}
    assert said(f"{server.url}api/tracks", **shown).body == {"tracks": [], "total": 0}
    assert said(f"{server.url}api/tracks/song", **shown).status == 404
    for path in ("api/kernels", "api/contents", "api/terminals", "lab", "metrics", "files/song.wav"):
        assert said(server.url + path, **shown).status == said(server.url + path).status in (302, 403), path
    assert said(f"{server.url}ws?access_token={token}").status == 400  # signed in, but no WebSocket
    until(lambda: "400 GET /ws?access_token=[secret]" in server.said())
    assert token not in server.said()


# -- Spotify -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "URL is required"),
        ({"url": ""}, "URL is required"),
        ({"url": "   "}, "URL is required"),
        ({"url": "https://example.org/track/4uLU6hMCjMI75M1A2tKUQC"}, "Invalid Spotify URL"),
        ({"url": "https://open.spotify.com/artist/4uLU6hMCjMI75M1A2tKUQC"}, "Invalid Spotify URL"),
        ({"url": "https://open.spotify.com.example.org/track/4uLU6hMCjMI75M1A2tKUQC"}, "Invalid Spotify URL"),
        ({"url": "https://open.spotify.com/track/"}, "Invalid Spotify URL"),
        ({"url": "spotify:show:4uLU6hMCjMI75M1A2tKUQC"}, "Invalid Spotify URL"),
        ({"url": "file:///etc/passwd"}, "Invalid Spotify URL"),
        ({"url": "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC\n;ls"}, "Invalid Spotify URL"),
    ],
)
def test_what_is_no_link_is_refused(ask: Ask, body: Any, error: str) -> None:
    answer = ask("POST", "/api/spotify/fetch", body)
    assert (answer.status, answer.json["error"]) == (400, error)


@pytest.mark.parametrize(
    "form",
    [
        "https://open.spotify.com/{kind}/{id}", "http://open.spotify.com/{kind}/{id}?si=abc", "open.spotify.com/{kind}/{id}",
        "https://play.spotify.com/{kind}/{id}", "spotify.com/{kind}/{id}", "spotify:{kind}:{id}",
        "https://open.spotify.com/intl-de/{kind}/{id}?si=x",
    ],
)  # fmt: skip
@pytest.mark.parametrize(("kind", "count"), [("track", 1), ("album", 3), ("playlist", 101)])
def test_a_link_of_any_form_is_fetched(ask: Ask, elsewhere: StandIns, form: str, kind: str, count: int) -> None:
    held: dict[str, Any] = getattr(elsewhere.spotify, f"{kind}s")
    id, about = next(iter(held.items()))
    answer = ask("POST", "/api/spotify/fetch", {"url": form.format(kind=kind, id=id)})
    assert answer.status == 200, answer.body
    found = answer.json
    assert {"type", "id", "name", "description", "tracks"} <= set(found)
    assert (found["type"], found["id"], found["name"]) == (kind, id, about["name"])
    assert len(found["tracks"]) == count


def test_a_playlist_is_fetched_whole_in_order_and_without_what_is_no_track(ask: Ask, elsewhere: StandIns) -> None:
    spotify = elsewhere.spotify
    both = [spotify.add_artist(name) for name in ("One", "Two")]
    first = spotify.add_track("First", artist=both[0], duration_ms=59_500, artists=both)
    second = spotify.add_track("Second", duration_ms=4_503_400, preview_url="https://p.scdn.co/mp3-preview/x")
    listed = spotify.add_playlist([first, REMOVED, LOCAL, second, EPISODE], "Mixed", "Of all sorts")
    found = ask("POST", "/api/spotify/fetch", {"url": listed["external_urls"]["spotify"]}).json
    assert (found["name"], found["description"], found["leftOut"]) == ("Mixed", "Of all sorts", 3)
    one, two = found["tracks"]
    assert {name: one[name] for name in ("id", "title", "artist", "duration", "previewUrl")} == {
        "id": first["id"], "title": "First", "artist": "One, Two", "duration": "1:00", "previewUrl": None,
    }  # fmt: skip
    assert (one["albumName"], one["releaseDate"]) == ("First", "1971-11-08")
    assert one["albumArt"].startswith("https://i.scdn.co/image/640/")
    assert (two["duration"], two["previewUrl"]) == ("75:03", "https://p.scdn.co/mp3-preview/x")


def test_what_was_fetched_is_kept(ask: Ask, elsewhere: StandIns) -> None:
    url = elsewhere.spotify.add_album(2)["external_urls"]["spotify"]
    first = ask("POST", "/api/spotify/fetch", {"url": url}).json
    asked = len(elsewhere.spotify.requests)
    assert ask("POST", "/api/spotify/fetch", {"url": url}).json == first
    assert len(elsewhere.spotify.requests) == asked


def test_who_is_to_slow_down_is_told_for_how_long(ask: Ask, elsewhere: StandIns) -> None:
    elsewhere.spotify.fault(429, 1, headers={"Retry-After": "3600"})
    url = elsewhere.spotify.add_playlist(1)["external_urls"]["spotify"]
    answer = ask("POST", "/api/spotify/fetch", {"url": url})
    assert (answer.status, answer.json["code"]) == (429, "spotify_slow_down")
    assert 3590 <= int(answer.headers["Retry-After"]) <= 3600
    assert ask("POST", "/api/spotify/fetch", {"url": url}).status in (200, 429)


@pytest.mark.soak
def test_who_waits_for_spotify_is_answered_in_time_and_nobody_else_waits(ask: Ask, elsewhere: StandIns) -> None:
    elsewhere.spotify.fault(429, 1, headers={"Retry-After": "40"})
    url = elsewhere.spotify.add_playlist(1)["external_urls"]["spotify"]
    began = time.monotonic()
    with ThreadPoolExecutor(12) as threads:
        waiting = [threads.submit(ask, "POST", "/api/spotify/fetch", {"url": url}) for _ in range(12)]
        assert ask("GET", "/api/tracks").status == 200
        assert time.monotonic() - began < 10
        answers = [each.result() for each in waiting]
    assert 24 < time.monotonic() - began < 30
    assert {each.status for each in answers} <= {429, 504}
    assert all(int(each.headers["Retry-After"]) >= 1 for each in answers)
    time.sleep(20)
    assert ask("POST", "/api/spotify/fetch", {"url": url}).status == 200


def test_what_spotify_does_not_have_or_can_not_say_is_told(ask: Ask, elsewhere: StandIns) -> None:
    answer = ask("POST", "/api/spotify/fetch", {"url": "spotify:track:0000000000000000000000"})
    assert (answer.status, answer.json["code"]) == (404, "not_on_spotify")
    elsewhere.spotify.fault(403)
    url = elsewhere.spotify.add_album(1)["external_urls"]["spotify"]
    refused = ask("POST", "/api/spotify/fetch", {"url": url})
    assert refused.status == 502
    assert refused.json["error"].endswith(".")


# -- download ------------------------------------------------------------------------------------------------------------


def test_a_download_needs_a_link_to_a_track_or_what_fetch_said(ask: Ask, elsewhere: StandIns) -> None:
    for given in (
        {"trackId": "abc"}, {"spotifyUrl": "spotify:track:abc"}, {"trackId": "abc", "spotifyUrl": "nonsense"},
        {"trackId": "abc", "spotifyUrl": "spotify:album:abc"}, {"trackId": "abc", "trackInfo": {"artist": "A"}},
        {"trackId": "abc", "trackInfo": {"title": "T"}, "spotifyUrl": "spotify:playlist:abc"},
        {"trackId": "abc", "trackInfo": {"title": "T"}, "options": {"format": "exe"}},
    ):  # fmt: skip
        assert ask("POST", "/api/download/track", given).status == 400, given
    assert ask("GET", "/api/download/track/abc").status == 404


def test_what_was_fetched_is_downloaded_separated_and_analysed(
    ask: Ask, library: Workbench, elsewhere: StandIns, ended: Callable[[str, str], Any]
) -> None:
    song = elsewhere.spotify.add_track("Two seconds", duration_ms=2000, explicit=True)
    url = song["external_urls"]["spotify"]
    (info,) = ask("POST", "/api/spotify/fetch", {"url": url}).json["tracks"]
    body = {
        "trackId": "mine",
        "spotifyUrl": url,
        "trackInfo": info,
        "autoAnalyze": True,
        "options": {"autoProcess": True},
    }
    answer = ask("POST", "/api/download/track", body)
    assert answer.status == 202, answer.body
    assert set(answer.json) == {"jobId", "trackId", "status", "message"}
    assert answer.json["trackId"] == "mine"
    job = ended("download", answer.json["jobId"])
    assert (job["status"], job["progress"], job["error"]) == ("completed", 100, None), job
    assert ask("GET", "/api/download/track/mine").json == job
    assert not job["outputPath"].startswith("/")
    assert elsewhere.downloaded.count(url) == 1
    track = ask("GET", "/api/tracks/mine").json
    known = ("title", "artist", "album", "source", "isrc", "releaseDate", "explicit", "popularity", "artworkUrl")
    assert [track[name] for name in known] == [
        "Two seconds", "Ember Tide", "Two seconds", "spotify", song["external_ids"]["isrc"], "1971-11-08", True,
        song["popularity"], info["albumArt"],
    ]  # fmt: skip
    assert track["duration"] == pytest.approx(2, abs=0.1)
    until(lambda: ask("GET", "/api/process/track/mine").status == 200)
    assert ended("process", ask("GET", "/api/process/track/mine").json["id"])["status"] == "completed"
    until(lambda: "analyzedAt" in ask("GET", "/api/analyze/track/mine").json)

    again = ask("POST", "/api/download/track", body)
    assert again.status == 202
    assert ended("download", again.json["jobId"])["status"] == "completed"
    assert elsewhere.downloaded.count(url) == 1


def test_a_link_alone_is_downloaded_and_what_was_asked_before_it_was_there_follows(
    ask: Ask, elsewhere: StandIns, ended: Callable[[str, str], Any]
) -> None:
    options = {"model": "embedded", "twoStems": "drums", "autoProcess": True}
    early = ask("POST", "/api/process/separate", {"trackId": "early", "options": options})
    assert (early.status, early.json["error"]) == (404, SENTENCE_404)
    song = elsewhere.spotify.add_track("Asked early", duration_ms=2000)
    answer = ask("POST", "/api/download/track", {"trackId": "early", "spotifyUrl": song["uri"]})
    job = ended("download", answer.json["jobId"])
    assert job["status"] == "completed", job
    assert ask("GET", "/api/tracks/early").json["title"] == "Asked early"
    until(lambda: ask("GET", "/api/process/track/early").status == 200)
    separated = ended("process", ask("GET", "/api/process/track/early").json["id"])
    assert (separated["status"], separated["options"]["twoStems"]) == ("completed", "drums")


def test_who_follows_a_track_is_told_of_its_download_and_of_what_comes_then(
    server: Server, ask: Ask, elsewhere: StandIns
) -> None:
    url = elsewhere.spotify.add_track("Followed", duration_ms=2000)["uri"]
    body = {"trackId": "followed", "spotifyUrl": url, "autoAnalyze": True}

    async def scenario() -> Listener:
        async with listening(server, "plain", "followed") as listener:
            await listener.settled()
            assert (await asyncio.to_thread(ask, "POST", "/api/download/track", body)).status == 202
            await listener.until(lambda: listener.got and listener.got[-1][0] == "analysis:completed", 60)
            return listener

    told = asyncio.run(scenario()).long()
    assert {data["trackId"] for _, data in told} == {"followed"}
    for kind in ("download", "analysis"):
        first, *between, last = [name for name, _ in told if name.startswith(kind)]
        assert (first, set(between), last) == (f"{kind}:job:created", {f"{kind}:job:updated"}, f"{kind}:job:completed")


def test_a_batch_is_shown_with_its_parts_and_asked_for_again(
    ask: Ask, library: Workbench, elsewhere: StandIns, ended: Callable[[str, str], Any]
) -> None:
    listed = elsewhere.spotify.add_playlist(
        [elsewhere.spotify.add_track(f"Part {number}", duration_ms=2000) for number in range(3)], "Parts"
    )
    asked = library.download(listed["external_urls"]["spotify"])
    batch = ended("download", asked.id)
    assert (batch["kind"], batch["trackId"], batch["status"], batch["progress"]) == ("batch", None, "completed", 100)
    assert (batch["options"]["name"], batch["options"]["type"]) == ("Parts", "playlist")
    assert batch["result"] == {"total": 3, "completed": 3, "failed": 0, "cancelled": 0}
    parts = ask("GET", f"/api/jobs?parent={asked.id}").json["jobs"]
    assert [(part["kind"], part["parent"], part["status"]) for part in parts] == [
        ("download", asked.id, "completed")
    ] * 3
    alone = {job["id"] for job in ask("GET", "/api/jobs?children=false&limit=1000").json["jobs"]}
    assert asked.id in alone
    assert not alone & {part["id"] for part in parts}
    assert ask("GET", "/api/jobs?children=2").status == 400
    again = ask("POST", f"/api/download/job/{asked.id}/retry")
    assert (again.status, again.json["code"]) == (409, "nothing_to_retry")
    assert ask("POST", f"/api/download/job/{asked.id}/cancel").json["status"] == "completed"


def test_downloads_are_shown_as_old_clients_read_them(ask: Ask, library: Workbench) -> None:
    done = put_job(library, "download", "bare", "completed")
    job = ask("GET", f"/api/download/job/{done}").json
    assert (job["id"], job["trackId"], job["status"], job["progress"]) == (done, "bare", "completed", 100)
    assert job["error"] is None
    assert "code" not in job
    assert job["outputPath"] == "audio/local/ab/abc.mp3"
    for name in ("createdAt", "startedAt", "completedAt"):
        assert MOMENT.fullmatch(job[name])
    assert ask("GET", "/api/download/track/bare").json["id"] == done
    assert ask("GET", f"/api/process/job/{done}").status == 404

    failed = put_job(library, "download", "bare", "error", {"again": 1})
    shown = ask("GET", "/api/download/track/bare").json
    assert (shown["id"], shown["status"], shown["error"]) == (failed, "error", "Nothing was found.")

    cancelled = put_job(library, "download", "bare", "cancelled", {"again": 2})
    shown = ask("GET", f"/api/download/job/{cancelled}").json
    assert (shown["status"], shown["code"]) == ("error", "cancelled")
    assert shown["error"]


def test_a_download_whose_file_has_gone_is_an_error(ask: Ask, library: Workbench) -> None:
    put_job(library, "download", "gone", "completed")
    shown = ask("GET", "/api/download/track/gone").json
    assert shown["status"] == "error"
    assert shown["error"] == SENTENCE_404
    assert ask("GET", "/api/download/track/never").status == 404


# -- processing ----------------------------------------------------------------------------------------------------------


def test_a_track_without_a_file_can_not_be_worked_on(ask: Ask) -> None:
    for path in ("/api/process/separate", "/api/analyze/analyze"):
        answer = ask("POST", path, {"trackId": "nothing"})
        assert (answer.status, answer.json["error"]) == (404, SENTENCE_404)


def test_a_track_is_separated_and_shows_its_stems(ask: Ask, ended: Callable[[str, str], Any]) -> None:
    options = {
        "model": "embedded", "twoStems": True, "extractVocals": True, "extractDrums": True, "autoProcess": True,
        "somethingElse": {"of": "old"},
    }  # fmt: skip
    answer = ask("POST", "/api/process/separate", {"trackId": "bare", "options": options})
    assert answer.status == 202
    assert set(answer.json) == {"jobId", "trackId", "status", "message"}
    assert answer.json["trackId"] == "bare"
    assert answer.json["status"] in ("queued", "processing")
    job = ended("process", answer.json["jobId"])
    assert job["status"] == "completed", job
    assert job["options"]["model"] == "embedded"
    assert job["options"]["twoStems"] == "vocals"

    track = ask("GET", "/api/process/track/bare").json
    assert track["id"] == job["id"]
    assert {stem["name"]: stem["type"] for stem in track["stems"]} == {
        "vocals.flac": "vocals",
        "no_vocals.flac": "other",
    }
    for stem in track["stems"]:
        assert set(stem) == {"name", "type", "path", "size", "lastModified", "url"}
        assert MOMENT.fullmatch(stem["lastModified"])
        assert not stem["path"].startswith("/")
        heard = ask("GET", stem["url"])
        assert (heard.status, len(heard.body)) == (200, stem["size"])
        assert heard.body.startswith(b"fLaC")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"extractVocals": True, "extractDrums": False, "extractBass": False, "extractOther": False}, {"vocals"}),
        ({"extractVocals": True, "extractBass": True}, {"vocals", "bass"}),
        ({"extractDrums": False}, {"vocals", "bass", "other"}),
        ({"twoStems": "drums"}, {"drums", "no_drums"}),
        ({"twoStems": True, "extractBass": True, "extractVocals": False}, {"bass", "no_bass"}),
        ({"twoStems": False}, {"vocals", "drums", "bass", "other"}),
    ],
)
def test_the_old_options_say_which_stems(
    ask: Ask, ended: Callable[[str, str], Any], options: dict[str, Any], names: set[str]
) -> None:
    asked = ask("POST", "/api/process/separate", {"trackId": "bare", "options": {"model": "embedded", **options}})
    assert ended("process", asked.json["jobId"])["status"] == "completed"
    stems = ask("GET", "/api/process/track/bare").json["stems"]
    assert {stem["name"].removesuffix(".flac") for stem in stems} == names


def test_nothing_to_extract_is_refused(ask: Ask) -> None:
    nothing = {f"extract{name}": False for name in ("Vocals", "Drums", "Bass", "Other")}
    answer = ask("POST", "/api/process/separate", {"trackId": "bare", "options": {"model": "embedded", **nothing}})
    assert (answer.status, answer.json["code"]) == (400, "bad_option")


def test_an_identical_request_gives_the_same_job(ask: Ask, library: Workbench) -> None:
    options = library._separation_options({"model": "embedded", "shifts": 3}).model_dump(mode="json")
    running = put_job(library, "processing", "song", "running", options)
    body = {"trackId": "song", "options": {"model": "embedded", "shifts": 3}}
    for _ in range(2):
        answer = ask("POST", "/api/process/separate", body)
        assert (answer.status, answer.json["jobId"]) == (202, running)
    shown = ask("GET", "/api/process/track/song").json
    assert (shown["id"], shown["status"]) == (running, "processing")
    assert len(shown["stems"]) == 4
    assert ask("POST", f"/api/process/job/{running}/cancel").status == 200


def test_a_model_that_is_not_installed_is_accepted_and_ends_in_a_sentence(
    ask: Ask, ended: Callable[[str, str], Any]
) -> None:
    answer = ask("POST", "/api/process/separate", {"trackId": "song", "options": {"model": "htdemucs_ft"}})
    assert answer.status == 202
    job = ended("process", answer.json["jobId"])
    assert (job["status"], job["code"]) == ("error", "model_unavailable")
    assert "htdemucs_ft" in job["error"]


def test_the_models_are_listed_on_both_paths(ask: Ask) -> None:
    models = ask("GET", "/api/models").json
    assert models == ask("GET", "/api/process/models").json
    assert sum(model["isDefault"] for model in models) == 1
    installed = [model["installed"] for model in models]
    assert installed == sorted(installed, reverse=True)
    for model in models:
        assert {"id", "name", "description", "version", "url", "isDefault", "internal", "installed", "sources"} <= set(
            model
        )


def test_a_model_is_fetched_by_a_job_without_a_track(ask: Ask, ended: Callable[[str, str], Any]) -> None:
    answer = ask("POST", "/api/process/models/download", {"modelName": "htdemucs"})
    assert answer.status == 202
    assert answer.json["trackId"] is None
    job = ended("process", answer.json["jobId"])
    assert (job["kind"], job["trackId"], job["status"]) == ("model", None, "error")


# -- analysis ------------------------------------------------------------------------------------------------------------


def test_a_track_is_analysed(ask: Ask, ended: Callable[[str, str], Any]) -> None:
    answer = ask("POST", "/api/analyze/analyze", {"trackId": "song"})
    assert answer.status == 202
    job = ended("analyze", answer.json["jobId"])
    assert job["status"] == "completed"
    assert job["result"]["trackId"] == "song"
    analysis = ask("GET", "/api/analyze/track/song").json
    assert analysis["trackId"] == "song"
    assert MOMENT.fullmatch(analysis["analyzedAt"])
    assert analysis["duration"] == pytest.approx(8, abs=0.1)
    assert analysis["bpm"] is None or analysis["bpm"] == round(analysis["tempo"])
    assert 0 <= analysis["keyStrength"] <= 1
    assert analysis["loudness"] == round(analysis["loudness"], 2)
    assert len(analysis["spectralContrast"]) == 7
    assert 0 < len(analysis["waveformEnvelope"]) <= 1000
    assert 0 < len(analysis["frequencySpectrum"]) <= 100
    assert isinstance(analysis["cuePoints"], list)
    assert {"beats", "chords", "sections"} <= set(analysis)
    assert job["result"] == {name: analysis[name] for name in job["result"]}


def test_before_there_is_an_analysis_its_job_is_shown(ask: Ask, library: Workbench, tmp_path: Path) -> None:
    library.add(write_song(tmp_path / "late.wav", 1, seed=9), id="late")
    assert ask("GET", "/api/analyze/track/late").status == 404
    job = put_job(library, "analysis", "late", "running")
    pending = ask("GET", "/api/analyze/track/late").json
    assert (pending["status"], pending["progress"], pending["jobId"]) == ("processing", 0, job)
    assert pending["message"]
    put_job(library, "analysis", "late", "error", {"again": 1})
    failed = ask("GET", "/api/analyze/track/late").json
    assert (failed["status"], failed["error"]) == ("error", "Nothing was found.")


def test_the_newest_analysis_is_shown_while_another_runs(ask: Ask, library: Workbench) -> None:
    job = put_job(library, "analysis", "song", "running", {"again": 1})
    assert "analyzedAt" in ask("GET", "/api/analyze/track/song").json
    assert ask("POST", f"/api/analyze/job/{job}/cancel").json["status"] in ("processing", "cancelled")


def test_what_was_made_of_a_deleted_track_is_not_that_of_the_next_of_its_id(
    ask: Ask, library: Workbench, tmp_path: Path
) -> None:
    library.add(write_song(tmp_path / "first.wav", 1, seed=12), id="again")
    put_job(library, "analysis", "again", "completed")
    put_job(library, "processing", "again", "completed")
    assert ask("DELETE", "/api/tracks/again").status == 204
    assert ask("GET", "/api/analyze/track/again").status == 404
    assert ask("GET", "/api/process/track/again").status == 404
    library.add(write_song(tmp_path / "second.wav", 1, seed=13), id="again")
    assert ask("GET", "/api/analyze/track/again").status == 404
    assert ask("GET", "/api/process/track/again").status == 404


# -- beyond the contract -------------------------------------------------------------------------------------------------


def test_tracks_are_searched_sorted_and_paged(ask: Ask) -> None:
    found = ask("GET", "/api/tracks?search=sing").json
    assert [track["id"] for track in found["tracks"]] == ["song"]
    assert found["tracks"][0]["hasStems"]
    assert "owner" not in found["tracks"][0]
    first = ask("GET", "/api/tracks?sort=title&limit=1").json
    second = ask("GET", "/api/tracks?sort=title&limit=1&offset=1").json
    assert first["total"] == second["total"] >= 2
    assert first["tracks"][0]["title"].lower() < second["tracks"][0]["title"].lower()
    for wrong in ("sort=colour", "limit=0", "limit=x", "offset=-1", "limit=1001"):
        assert ask("GET", f"/api/tracks?{wrong}").status == 400


def test_a_track_is_renamed(ask: Ask, library: Workbench, tmp_path: Path) -> None:
    library.add(write_song(tmp_path / "named.wav", 1, seed=11), id="named", title="Before", artist="Somebody")
    changed = ask("PATCH", "/api/tracks/named", {"title": "After"})
    assert (changed.status, changed.json["title"], changed.json["artist"]) == (200, "After", "Somebody")
    assert library.track("named").title == "After"
    assert ask("PATCH", "/api/tracks/named", {"title": ""}).status == 400
    assert ask("PATCH", "/api/tracks/nothing", {"title": "After"}).status == 404


def test_a_job_is_cancelled_listed_and_asked_for_again(ask: Ask, library: Workbench) -> None:
    job, _ = library._shared.jobs.submit(
        "local", "analysis", "song", {"once": 1}, settings={"models_dir": None, "offline": True}
    )
    assert ask("POST", f"/api/download/job/{job.id}/cancel").status == 404
    assert ask("POST", f"/api/analyze/job/{job.id}/cancel").json["status"] == "cancelled"
    assert ask("POST", f"/api/analyze/job/{job.id}/cancel").json["status"] == "cancelled"
    listed = ask("GET", "/api/jobs?trackId=song&kind=analysis&limit=1000").json["jobs"]
    assert job.id in [each["id"] for each in listed]
    assert all((each["trackId"], each["kind"]) == ("song", "analysis") for each in listed)
    again = ask("POST", f"/api/analyze/job/{job.id}/retry")
    assert again.status == 202
    assert again.json["jobId"] != job.id
    gone = put_job(library, "processing", "nothing", "error")
    assert ask("POST", f"/api/process/job/{gone}/retry").status == 404


def test_what_is_somebody_elses_is_not_there(ask: Ask, library: Workbench, tmp_path: Path) -> None:
    with Workbench(library.settings.library, owner="other") as other:
        other.add(write_song(tmp_path / "theirs.wav", 1, seed=7), id="theirs")
        other.add(write_song(tmp_path / "theirs.wav", 1, seed=8), id="song", title="Theirs")
        job = put_job(other, "analysis", "theirs", "completed")
    for path in (
        "/api/tracks/theirs", "/api/tracks/theirs/audio", "/api/process/track/theirs", "/api/analyze/track/theirs",
        "/api/download/track/theirs", f"/api/analyze/job/{job}", "/api/tracks/theirs/stems.zip",
    ):  # fmt: skip
        assert ask("GET", path).status == 404, path
    assert ask("POST", f"/api/analyze/job/{job}/retry").status == 404
    assert ask("POST", f"/api/analyze/job/{job}/cancel").status == 404
    assert ask("DELETE", "/api/tracks/theirs").status == 404
    assert ask("POST", "/api/analyze/analyze", {"trackId": "theirs"}).status == 404
    assert ask("GET", "/api/tracks/song").json["title"] == "Song"
    assert job not in [each["id"] for each in ask("GET", "/api/jobs?limit=1000").json["jobs"]]


def test_the_api_describes_itself(ask: Ask) -> None:
    document = ask("GET", "/openapi.json").json
    assert document["openapi"].startswith("3.1")
    assert "/api/process/separate" in document["paths"]
    page = ask("GET", "/api/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "http" not in re.sub(r"http://localhost:8888", "", page.body.decode())
    assert "<script" not in page.body.decode()
