"""The HTTP contract, row by row, over a real socket against a real Jupyter Server."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from browser.servers import Server, start_lab
from simple_song import write_song

from sfwidgets import Workbench
from sfwidgets.jobs import stop_cluster
from sfwidgets.models import JobKind

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
SENTENCE_404 = "Track file not found. Download the track first."


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"].startswith("application/json"), self.body[:200]
        return json.loads(self.body, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("contract")
    with Workbench(folder / "library") as wb:
        song = wb.add(write_song(folder / "song.wav", 8, seed=1), id="song", title="Song", artist="Singer")
        wb.add(write_song(folder / "bare.wav", 2, seed=2), id="bare", title="Bare")
        wb.separate(song, "embedded", analyze=True).wait()
        following = wb.jobs(song, kind="analysis", limit=1)[0]
        following.wait()
        yield wb
    stop_cluster(wb.settings)


@pytest.fixture(scope="module")
def server(library: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    public = {"SUPABASE_URL": "https://project.supabase.co", "SUPABASE_KEY": "sb_publishable_abc"}
    secret = {"SPOTIFY_CLIENT_SECRET": "hush", "DATABASE_URL": ""}
    root = tmp_path_factory.mktemp("root")
    with start_lab(root, library.settings.library, environment={**public, **secret}) as running:
        yield running


@pytest.fixture(scope="module")
def ask(server: Server) -> Ask:
    def asked(method: str, path: str, body: Any = None, *, raw: bytes | None = None, token: bool = True) -> Answer:
        headers = {"Authorization": f"token {server.token}"} if token else {}
        if body is not None:
            raw, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        connection.request(method, path, body=raw, headers=headers)
        answer = connection.getresponse()
        found = Answer(answer.status, answer.headers, answer.read())
        connection.close()
        return found

    return asked


@pytest.fixture
def ended(ask: Ask) -> Callable[[str, str], Any]:
    """Return what waits, as old clients do, until a service's job has ended."""

    def wait(service: str, job_id: str) -> Any:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            job = ask("GET", f"/api/{service}/job/{job_id}").json
            if job["status"] in ("completed", "error", "cancelled"):
                return job
            time.sleep(0.1)
        raise AssertionError("the job does not end")

    return wait


def put_job(wb: Workbench, kind: JobKind, track: str, end: str, options: dict[str, Any] | None = None) -> str:
    """Write a job into the table as a worker would, which holds it or has ended it."""
    table = wb._shared.jobs
    job, _ = table.submit(wb.owner, kind, track, options or {}, settings={"models_dir": None, "offline": True})
    claim = table.claim(job.id, f"elsewhere 1 1.0 {job.id}")
    assert claim is not None
    if end == "completed":
        with wb._shared.database.write() as connection:
            table.complete(connection, claim.job, output_path="audio/local/ab/abc.mp3", result={})
    elif end == "error":
        table.fail(claim.job, "Nothing was found.", "no_match")
    elif end == "cancelled":
        table.cancelled(claim.job)
    return job.id


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


def test_config_says_what_is_public_and_no_secret(ask: Ask) -> None:
    answer = ask("GET", "/api/config", token=False)
    assert answer.json == {"supabaseUrl": "https://project.supabase.co", "supabaseAnonKey": "sb_publishable_abc"}
    assert b"hush" not in answer.body


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
    "url",
    [
        "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC",
        "http://open.spotify.com/album/4uLU6hMCjMI75M1A2tKUQC?si=abc",
        "open.spotify.com/playlist/4uLU6hMCjMI75M1A2tKUQC",
        "https://play.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC",
        "spotify.com/track/4uLU6hMCjMI75M1A2tKUQC",
        "https://open.spotify.com/intl-de/track/4uLU6hMCjMI75M1A2tKUQC?si=x",
        "spotify:track:4uLU6hMCjMI75M1A2tKUQC",
        "spotify:album:4uLU6hMCjMI75M1A2tKUQC",
        "spotify:playlist:4uLU6hMCjMI75M1A2tKUQC",
    ],
)
def test_a_link_is_understood_and_what_is_missing_is_said(ask: Ask, url: str) -> None:
    answer = ask("POST", "/api/spotify/fetch", {"url": url})
    assert (answer.status, answer.json["code"]) == (503, "no_sources")
    assert "Add the song as a file" in answer.json["error"]


# -- download ------------------------------------------------------------------------------------------------------------


def test_a_download_needs_a_link_or_what_fetch_said(ask: Ask) -> None:
    assert ask("POST", "/api/download/track", {"trackId": "abc"}).status == 400
    assert ask("POST", "/api/download/track", {"spotifyUrl": "spotify:track:abc"}).status == 400
    assert ask("POST", "/api/download/track", {"trackId": "abc", "spotifyUrl": "nonsense"}).status == 400
    info = {"id": "abc", "title": "T", "artist": "A", "albumArt": None, "duration": "3:00", "previewUrl": None}
    for given in ({"spotifyUrl": "spotify:track:abc"}, {"trackInfo": info, "autoProcess": True}):
        answer = ask("POST", "/api/download/track", {"trackId": "abc", **given})
        assert (answer.status, answer.json["code"]) == (503, "no_sources")


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
