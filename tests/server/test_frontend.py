"""A React front end, written against the old microservices and served from another origin, in a real Chromium."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import soundfile
from node_client import check_order as check_events
from node_client import events_of, follow
from old_front_end import install, node, serve_folder
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, expect
from stand_ins import REMOVED, StandIns, stand_ins

from sfwidgets import Workbench
from sfwidgets.jobs import stop_cluster

sys.path += [str(Path(__file__).parents[1] / name) for name in ("analysis", "browser")]
from servers import Server, start_serve
from synthesis import RATE, song

SECONDS = 8.0
PATIENCE = 60_000
"""Milliseconds that work may take, the first of all with its workers' start."""
STEMS = ["drums", "bass", "other", "vocals"]
NOT_YET = {(404, "/api/process/track/"), (404, "/api/analyze/track/")}
"""What a page asks about a track with which nothing was done, and how that is answered."""
NO_LIST = {(404, "/api/spotify/fetch")}


@dataclass
class Seen:
    """What went wrong in a page, and what it asked for."""

    answers: set[tuple[int, str]] = field(default_factory=set)
    """Error statuses, and the paths up to a track's id."""
    failed: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    polls: int = 0

    def watch(self, page: Page) -> None:
        page.on("response", self._answered)
        page.on("requestfailed", self._failed)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def _answered(self, response: Response) -> None:
        path = urlsplit(response.url).path
        self.polls += path.startswith("/socket.io/") and response.status == 200
        if response.status >= 400:
            about_track = path.startswith(("/api/process/track/", "/api/analyze/track/"))
            self.answers.add((response.status, path.rpartition("/")[0] + "/" if about_track else path))

    def _failed(self, request: Request) -> None:
        self.failed.append(f"{request.method} {request.url}: {request.failure}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "the server responded with a status of" not in message.text:
            self.said.append(message.text)


@dataclass(frozen=True)
class FrontEnd:
    """The front end's own servers: pages of the first two may call the API, pages of the third may not."""

    localhost: str
    address: str
    stranger: str


def write_song(path: Path, **music: Any) -> Path:
    """Write a song of 120 BPM."""
    soundfile.write(path, song(120, SECONDS, **music).T, RATE)
    return path


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIns]:
    folder = tmp_path_factory.mktemp("elsewhere")
    with stand_ins(folder, write_song(folder / "found.wav", tonic=9, mode="minor")) as found:
        songs = [found.spotify.add_track(title, duration_ms=1000 * length) for title, length in
                 (("Song", SECONDS), ("Another", 75))]  # fmt: skip
        found.spotify.add_playlist([songs[0], REMOVED, songs[1]], "Evening")
        yield found


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("frontend")
    with Workbench(folder / "library") as wb:
        wb.add(write_song(folder / "song.wav", tonic=2), id="song", title="Song")
        yield wb.settings.library
    stop_cluster(wb.settings)


@pytest.fixture(scope="module")
def front_end(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FrontEnd, Path]]:
    """The front end's servers, which serve nothing yet: what they serve is built when the API's address is known."""
    install()
    folder = tmp_path_factory.mktemp("pages")
    with ExitStack() as stack:
        first, second, third = (stack.enter_context(serve_folder(folder)) for _ in range(3))
        yield FrontEnd(f"http://localhost:{first}", f"http://127.0.0.1:{second}", f"http://localhost:{third}"), folder


@pytest.fixture(scope="module")
def server(front_end: tuple[FrontEnd, Path], library: Path, elsewhere: StandIns) -> Iterator[Server]:
    """`soundforge serve --no-sign-in`, pages of two origins let in; the front end is built for its address."""
    origins, folder = front_end
    listed = (origins.localhost, origins.address)
    options = [option for origin in listed for option in ("--allow-origin", origin)]
    with start_serve(library, "--no-sign-in", *options, environment=elsewhere.environment) as running:
        at = f"localhost:{urlsplit(running.url).port}"
        node("build.mjs", str(folder), f"http://{at}", f"ws://{at}")
        yield running


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def seen(page: Page) -> Seen:
    found = Seen()
    found.watch(page)
    return found


def separate(page: Page) -> list[dict[str, Any]]:
    """Ask for a separation, and return the job's events when it is over and polled to its end."""
    with page.expect_response("**/api/process/separate", timeout=PATIENCE) as answer:
        page.get_by_role("button", name="Separate").click()
    job = answer.value.json()["jobId"]
    last = page.locator(f"li[data-job='{job}']").get_by_text("processing:completed")
    expect(last).to_have_count(1, timeout=PATIENCE)
    expect(page.get_by_label("Stems").get_by_role("listitem")).to_have_count(4)
    expect(page.locator("#polled")).to_have_text("completed 100")
    return [event for event in events(page) if event["job"] == job]


def events(page: Page) -> list[dict[str, Any]]:
    """Return the events that the page got, in order: their names, and what is known of each."""
    shown = page.get_by_label("Events").locator("li")
    found: list[dict[str, Any]] = shown.evaluate_all(
        "all => all.map((li) => ({ name: li.textContent, ...li.dataset }))"
    )
    return found


def check_order(got: list[dict[str, Any]], kind: str) -> None:
    """Check the events of one job: each once, in order, from the first to the last."""
    assert len({event["job"] for event in got}) == 1
    long = [event for event in got if event["name"].startswith(f"{kind}:job:")]
    assert long[0]["name"] == f"{kind}:job:created"
    assert [event["name"] for event in long].count(f"{kind}:job:completed") == 1
    assert [event["name"] for event in got][-2:] == [f"{kind}:job:completed", f"{kind}:completed"]
    numbers = [int(event["seq"]) for event in long]
    assert numbers == sorted(set(numbers))
    progress = [int(event["progress"]) for event in got]
    assert progress == sorted(progress)
    assert progress[-1] == 100


def play(page: Page, stem: str) -> None:
    """Play a stem in its <audio> element for a moment, and decode it as wavesurfer.js does."""
    audio = page.locator(f"audio[data-name^={stem}]")
    page.get_by_label("Stems").click()  # a page plays nothing before somebody has touched it
    audio.evaluate("audio => audio.play()")
    page.wait_for_function("audio => audio.currentTime > 0.3", arg=audio.element_handle())
    assert audio.evaluate("audio => audio.duration") == pytest.approx(SECONDS, abs=0.05)
    audio.evaluate("audio => audio.pause()")
    peak, seconds = audio.evaluate(
        """async (audio) => {
          const bytes = await (await fetch(audio.src)).arrayBuffer();
          const decoded = await new OfflineAudioContext(2, 1, 44100).decodeAudioData(bytes);
          const peak = decoded.getChannelData(0).reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
          return [peak, decoded.duration];
        }"""
    )
    assert seconds == pytest.approx(SECONDS, abs=0.05)
    assert peak > 0.01


def test_the_old_front_end_does_all_its_work_without_a_token(
    server: Server, front_end: tuple[FrontEnd, Path], page: Page, seen: Seen, elsewhere: StandIns
) -> None:
    page.goto(front_end[0].localhost)
    expect(page.locator("#health")).to_have_text("ok up")
    expect(page.locator("#config")).to_have_text('{"supabaseUrl":null,"supabaseAnonKey":null}')
    expect(page.locator("li[data-default=true]")).to_have_count(1)
    expect(page.locator("li[data-installed=true]").first).to_be_visible()
    expect(page.locator("#transport")).to_have_text("websocket")  # it began by polling
    assert seen.polls > 0

    page.get_by_label("Link").fill("https://open.spotify.com/playlist/0000000000000000000000")
    page.get_by_role("button", name="Fetch").click()
    expect(page.get_by_label("Messages").get_by_role("listitem")).to_have_text(re.compile(r"Spotify.*\.$"))
    (listed,) = elsewhere.spotify.playlists.values()
    page.get_by_label("Link").fill(listed["external_urls"]["spotify"] + "?si=0123456789abcdef")
    page.get_by_role("button", name="Fetch").click()
    expect(page.get_by_role("heading", name="playlist Evening")).to_be_visible()
    expect(page.get_by_label("Playlist").get_by_role("listitem")).to_contain_text(
        ["Song by Ember Tide, 0:08", "Another by Ember Tide, 1:15"]
    )
    page.get_by_role("button", name="Download Song").click()
    expect(page.locator("#downloaded")).to_have_text("completed 100", timeout=PATIENCE)
    expect(page.get_by_label("Events").get_by_text("download:job:completed").first).to_be_visible()
    assert len(elsewhere.downloaded) == 1

    got = separate(page)
    check_order(got, "processing")
    assert "processing:started" in [event["name"] for event in got]
    assert [text.strip() for text in page.get_by_label("Stems").get_by_role("listitem").all_text_contents()] == STEMS
    expect(page.get_by_label("Messages")).to_contain_text("Separated into 4 stems.")
    play(page, "other")

    page.get_by_role("button", name="Analyze").click()
    expect(page.locator("#bpm")).to_have_text("120", timeout=PATIENCE)
    expect(page.locator("#key")).to_have_text("A minor")
    expect(page.locator("#cues")).not_to_have_text("")
    check_order([event for event in events(page) if event["name"].startswith("analysis:")], "analysis")

    assert seen.answers == NOT_YET | NO_LIST
    assert seen.failed == []
    assert seen.said == []


def test_the_same_by_websocket_alone_from_another_site_with_an_uploaded_file(
    server: Server, front_end: tuple[FrontEnd, Path], page: Page, seen: Seen, tmp_path: Path
) -> None:
    page.goto(f"{front_end[0].address}/?transports=websocket")
    expect(page.locator("#transport")).to_have_text("websocket")
    page.get_by_label("Upload").set_input_files(write_song(tmp_path / "mine.wav"))
    check_order(separate(page), "processing")
    play(page, "drums")
    assert seen.polls == 0
    assert seen.answers == NOT_YET
    assert seen.failed == []
    assert seen.said == []


def test_what_was_done_is_there_again_after_a_reload_and_done_again_at_once(
    server: Server, front_end: tuple[FrontEnd, Path], page: Page, seen: Seen, elsewhere: StandIns
) -> None:
    page.goto(front_end[0].localhost)
    page.get_by_label("Track", exact=True).fill(next(iter(elsewhere.spotify.tracks)))
    expect(page.get_by_label("Stems").get_by_role("listitem")).to_have_count(4)
    expect(page.locator("#bpm")).to_have_text("120")
    check_order(separate(page), "processing")
    assert (seen.answers, seen.failed, seen.said) == (set(), [], [])


def test_the_same_page_of_an_origin_that_is_not_listed_gets_nothing(
    server: Server, front_end: tuple[FrontEnd, Path], page: Page, seen: Seen
) -> None:
    page.goto(front_end[0].stranger)
    expect(page.get_by_label("Messages").get_by_role("listitem").first).to_have_text("Network Error")
    page.get_by_label("Track", exact=True).fill("song")
    page.get_by_role("button", name="Separate").click()
    expect(page.get_by_label("Messages").get_by_role("listitem")).to_have_count(7)
    for what in ("#health", "#config", "#transport"):
        expect(page.locator(what)).to_be_empty()
    expect(page.get_by_label("Events").locator("li")).to_have_count(0)
    assert "blocked by CORS policy" in "".join(seen.said)


def test_a_program_without_a_token_may_do_the_same(server: Server) -> None:
    said = follow(server, "song", door="socket.io", token=None)
    assert said["transport"] == "websocket"
    for number in range(2):
        check_events(events_of(said, number))
