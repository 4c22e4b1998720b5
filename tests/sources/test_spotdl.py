"""spotDL: its own words understood, its flags right, its failures ours; and nothing of it left behind."""

from __future__ import annotations

import functools
import http.server
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from spotdl_stand_in import DONE, TRANSCRIPTS, URL

from sfwidgets.audio import probe
from sfwidgets.errors import (
    DiskFullError,
    InvalidInputError,
    JobCancelledError,
    NotFoundError,
    SlowDownError,
    SoundForgeError,
    UnavailableError,
    UpstreamError,
    UpstreamTimeoutError,
)  # fmt: skip
from sfwidgets.models import SourceList, SourceTrack
from sfwidgets.settings import Settings
from sfwidgets.sources import ffmpeg, process, spotdl
from sfwidgets.sources.links import SpotifyLink, parse_link
from sfwidgets.sources.spotdl_output import Output

ROOT = Path(__file__).parents[2]
TRACK = SourceTrack(
    id="4uLU6hMCjMI75M1A2tKUQC", title="$(touch bad); `x` \"'\n🎵 --format", artists=("A", "B"), album="Al", duration=6.0,
    release_date="1999-03-01", isrc="USRC17607839", artwork_url="https://i.scdn.co/image/abc",
)  # fmt: skip
PLAYLIST = SpotifyLink("playlist", "37i9dQZF1DXcBWIGoYBM5M")


class StandIn:
    """The stand-in as an installed program."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.program = folder / "spotdl"
        script = Path(__file__).with_name("spotdl_stand_in.py")
        self.program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{script}" "$@"\n')
        self.program.chmod(0o755)
        self.settings = Settings(spotdl=self.program, spotify_client_id="our-id", spotify_client_secret="our-secret")
        self.folder = folder / "music"
        self.folder.mkdir()
        self._said = folder / "said.json"
        self._set = monkeypatch.setenv
        self._set("STAND_IN_SAID", str(self._said))

    def plays(self, case: str, songs: Any = ()) -> None:
        self._set("STAND_IN", case)
        self._set("STAND_IN_SONGS", json.dumps(songs))

    @property
    def arguments(self) -> list[str]:
        return json.loads(self._said.read_text())[0]

    @property
    def child(self) -> int:
        return int(self._said.with_suffix(".child").read_text())

    @property
    def home(self) -> Path:
        return Path(json.loads(self._said.read_text())[1])

    def download(self, progress: Callable[[float, str], None] = lambda *_: None, **options: Any) -> Path:
        given: dict[str, Any] = {"format": "mp3", "bitrate": "192k", "audio": "youtube-music", "seconds": 60, **options}
        return spotdl.download(URL, self.folder, self.settings, progress=progress, **given)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return StandIn(tmp_path, monkeypatch)


def error_of(transcript: list[str]) -> SoundForgeError:
    output = Output()
    try:
        for line in transcript:
            output.read(line)
    except SlowDownError as error:
        return error
    assert not output.downloaded
    return output.error(audio="youtube-music")


@pytest.mark.parametrize(
    ("case", "kind", "code", "sentence"),
    [
        ("no match", UpstreamError, "no_match", "no match for the song on YouTube Music."),
        ("blocked", UpstreamError, "no_match", "which may have blocked this machine"),
        ("gone", UpstreamError, "download_failed", "failed: Video unavailable. This video is private."),
        ("no name service", UpstreamError, "no_network", "Check the connection"),
        ("no network", UpstreamError, "no_network", "Check the connection"),
        ("disk full", DiskFullError, "disk_full", "no room left"),
        ("not converted", UpstreamError, "download_failed", "can't be converted"),
        ("not tagged", UpstreamError, "download_failed", "tags could not be written"),
        ("crash", UpstreamError, "download_failed", "stumbled over an answer .* \\(KeyError: 'trackUnion'\\)"),
        ("silent", UpstreamError, "download_failed", "without a word"),
    ],
)
def test_what_it_complains_of_is_our_error(case: str, kind: type, code: str, sentence: str) -> None:
    error = error_of(TRANSCRIPTS[case])
    assert (type(error), error.code) == (kind, code)
    assert re.search(sentence, error.message)


@pytest.mark.parametrize(
    ("case", "seconds"), [("too many requests", 60), ("robot", 300), ("limited", 3600), ("wait long", 3600)]
)
def test_who_wants_a_pause_gets_one(case: str, seconds: float) -> None:
    error = error_of(TRANSCRIPTS[case])
    assert isinstance(error, SlowDownError)
    assert error.retry_after == seconds


def test_progress_is_read_whatever_the_song_is_called() -> None:
    output = Output()
    seen = []
    for line in DONE:
        output.read(line)
        if (output.share, output.stage) not in seen:
            seen.append((output.share, output.stage))
    shares, stages = zip(*seen, strict=True)
    assert list(dict.fromkeys(stages)) == ["Looking for the song", "Downloading", "Tagging"]
    assert list(shares) == sorted(shares)
    assert output.downloaded


def test_a_download_leaves_the_file_and_nothing_else(stand_in: StandIn) -> None:
    told: list[tuple[float, str]] = []
    stand_in.plays("wait")
    path = stand_in.download(lambda *state: told.append(state), format="opus", bitrate="auto", track=TRACK)
    assert path == stand_in.folder / "audio.opus"
    assert list(stand_in.folder.iterdir()) == [path]
    assert not stand_in.home.exists()
    assert stand_in.folder in stand_in.home.parents
    assert told[0] == (0.0, "Looking for the song")
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert not any("our-" in argument for argument in stand_in.arguments)


def test_what_is_known_of_a_track_is_told_and_titles_name_no_files(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Any] = []
    run = process.run

    def looking(argv: Any, **options: Any) -> process.Ended:
        written.append(json.loads((options["folder"] / "song.spotdl").read_text()))
        return run(argv, **options)

    monkeypatch.setattr(process, "run", looking)
    stand_in.plays("done")
    stand_in.download(track=TRACK)
    ((song,),) = written
    assert (song["name"], song["artists"], song["isrc"]) == (TRACK.title, ["A", "B"], "USRC17607839")
    assert (song["duration"], song["date"], song["cover_url"]) == (6, "1999-03-01", TRACK.artwork_url)
    assert stand_in.arguments[:2] == ["download", "song.spotdl"]
    inner = TRACK.model_copy(update={"artwork_url": "http://169.254.169.254/latest/meta-data"})
    stand_in.download(track=inner)
    assert written[1][0]["cover_url"] is None


@pytest.mark.parametrize("track", [None, TRACK.model_copy(update={"duration": None})])
def test_where_little_is_known_it_is_given_the_link(stand_in: StandIn, track: SourceTrack | None) -> None:
    stand_in.plays("done")
    stand_in.download(track=track)
    assert stand_in.arguments[:2] == ["download", URL]


@pytest.mark.parametrize("case", ["not tagged", "killed", "no match", "crash", "disk full in ffmpeg"])
def test_what_is_not_finished_is_no_result(stand_in: StandIn, case: str) -> None:
    stand_in.plays(case)
    with pytest.raises(DiskFullError if "disk" in case else UpstreamError):
        stand_in.download()
    assert not list(stand_in.folder.iterdir())


@pytest.mark.parametrize("cancelled", [True, False])
def test_one_that_hangs_is_ended_with_its_children(stand_in: StandIn, cancelled: bool) -> None:
    told: list[tuple[float, str]] = []

    def progress(*state: Any) -> None:
        told.append(state)
        if cancelled and state[0] > 0.5:
            raise JobCancelledError("Cancelled.")

    stand_in.plays("hang")
    with pytest.raises(JobCancelledError if cancelled else UpstreamTimeoutError):
        stand_in.download(progress, track=TRACK, seconds=60 if cancelled else 1.0)
    # Half of the six seconds that the track has: 51 kB of about 102.
    assert max(told) == (pytest.approx(0.55), "Downloading")
    deadline = time.monotonic() + 30
    while psutil.pid_exists(stand_in.child) and psutil.Process(stand_in.child).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not list(stand_in.folder.iterdir())


@pytest.mark.parametrize(
    "url",
    [
        f"{URL};touch bad", "$(touch bad)", "--config", "https://evil.example/track/4uLU6hMCjMI75M1A2tKUQC", "a.spotdl",
        "file:///etc/passwd", "http://127.0.0.1/track/1", f"{URL}\n--config", "saved", "",
        "https://open.spotify.com/playlist/37i9dQZF1DXcBWIGoYBM5M",
    ],
)  # fmt: skip
def test_what_is_no_link_to_a_track_starts_nothing(stand_in: StandIn, url: str) -> None:
    with pytest.raises(InvalidInputError):
        spotdl.download(
            url, stand_in.folder, stand_in.settings, format="mp3", bitrate="auto", audio="youtube",
            progress=lambda *_: None, seconds=60,
        )  # fmt: skip
    assert not (stand_in.folder.parent / "said.json").exists()


def saved_song(number: int, **changes: Any) -> dict[str, Any]:
    """Return a song as spotDL saves it (types/song.py, 31), from SpotipyFree: no ISRC, an invented popularity."""
    return {
        "name": f"Song {number}", "artists": ["A", "B"], "artist": "A", "album_name": "Al", "duration": 180 + number,
        "date": "1999-03-01", "song_id": f"{number:022}", "explicit": number % 2 == 0, "isrc": "", "popularity": 10,
        "cover_url": "https://i.scdn.co/image/abc", "list_name": "Mix (1)", "list_position": number, "list_length": 4,
        "disc_number": 1, "track_number": number, **changes,
    }  # fmt: skip


def shuffled(songs: list[Any]) -> list[Any]:
    return random.Random(5).sample(songs, len(songs))


def test_a_playlist_comes_in_its_order_and_what_is_missing_is_counted(stand_in: StandIn) -> None:
    stand_in.plays("saved", shuffled([saved_song(1), saved_song(2), saved_song(4), {"name": "no id"}]))
    told: list[str] = []
    found = spotdl.save(PLAYLIST, stand_in.settings, told.append)
    assert (found.type, found.id, found.name) == ("playlist", PLAYLIST.id, "Mix (1)")
    assert [track.title for track in found.tracks] == ["Song 1", "Song 2", "Song 4"]
    assert found.left_out == 2
    assert found.tracks[1] == SourceTrack(
        id=f"{2:022}", title="Song 2", artists=("A", "B"), album="Al", duration=182.0, release_date="1999-03-01",
        explicit=True, artwork_url="https://i.scdn.co/image/abc", url=f"https://open.spotify.com/track/{2:022}",
    )  # fmt: skip
    assert stand_in.arguments[:2] == ["save", PLAYLIST.url]
    assert not stand_in.home.exists()
    assert told[0] == "Reading the list with spotDL"


def test_an_album_comes_by_disc_and_number_and_a_track_is_called_by_its_title(stand_in: StandIn) -> None:
    songs = [saved_song(n, list_position=None, disc_number=n // 4 + 1, track_number=n % 4) for n in range(1, 8)]
    stand_in.plays("saved", shuffled(songs))
    found = spotdl.save(SpotifyLink("album", "a" * 22), stand_in.settings)
    assert [track.title for track in found.tracks] == [f"Song {n}" for n in range(1, 8)]
    assert found.artwork_url == "https://i.scdn.co/image/abc"
    stand_in.plays("saved", [saved_song(3, list_name=None, list_position=None)])
    assert spotdl.save(parse_link(URL), stand_in.settings).name == "Song 3"


@pytest.mark.parametrize(
    ("case", "kind", "code"),
    [
        ("private", NotFoundError, "not_on_spotify"),
        ("crash", UpstreamError, "upstream_failed"),
        ("no network", UpstreamError, "no_network"),
        ("saved in part", UpstreamError, "upstream_failed"),
        ("wait long", SlowDownError, "slow_down"),
    ],
)
def test_a_list_that_is_not_all_there_is_an_error(
    stand_in: StandIn, case: str, kind: type[SoundForgeError], code: str
) -> None:
    stand_in.plays(case, [saved_song(1)])
    with pytest.raises(kind) as raised:
        spotdl.save(PLAYLIST, stand_in.settings)
    assert raised.value.code == code


def test_reading_a_list_can_be_ended(stand_in: StandIn) -> None:
    def waiting(_: str) -> None:
        raise JobCancelledError("Cancelled.")

    stand_in.plays("saved", [saved_song(1)])
    with pytest.raises(JobCancelledError):
        spotdl.save(PLAYLIST, stand_in.settings, waiting)


def test_which_program_it_is(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert spotdl.program(stand_in.settings) == stand_in.program
    assert spotdl.version(stand_in.settings) == "4.5.2"
    stand_in.plays("broken")
    with pytest.raises(UnavailableError, match="does not start"):
        spotdl.version(stand_in.settings)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "nowhere"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert spotdl.program(Settings()) == stand_in.program
    monkeypatch.setenv("PATH", "/bin")
    assert spotdl.program(Settings()) is None
    for settings in (Settings(), Settings(spotdl=tmp_path)):
        with pytest.raises(UnavailableError, match="make setup installs it") as raised:
            spotdl.version(settings)
        assert raised.value.code == "no_spotdl"


class Real:
    """What the real program of the locked version did, with no network to be had: its starts cost seconds of CPU."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(spotdl=Path(sys.prefix, "spotdl", "bin", "spotdl"))
        with ThreadPoolExecutor(4) as pool:
            self.version = pool.submit(spotdl.version, settings)
            self.help: Future[process.Ended] = pool.submit(
                process.run, [str(settings.spotdl), "--help"], folder=folder, on_line=self._listen, tick=lambda: None,
                seconds=120, environment={"HOME": str(folder)},
            )  # fmt: skip
            self.flags: set[str] = set()
            self.download: Future[Path] = pool.submit(
                spotdl.download, URL, folder, settings, format="opus", bitrate="auto", audio="youtube-music",
                progress=lambda *_: None, seconds=120, track=TRACK,
            )  # fmt: skip
            self.save: Future[SourceList] = pool.submit(spotdl.save, PLAYLIST, settings)

    def _listen(self, line: str) -> None:
        self.flags |= set(re.findall(r"--[a-z-]+", line))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
        yield Real(tmp_path_factory.mktemp("real"))


needs_spotdl = pytest.mark.skipif(
    not Path(sys.prefix, "spotdl", "bin", "spotdl").exists(), reason="there is no spotDL here: `make setup` installs it"
)


@needs_spotdl
def test_the_real_program_is_of_the_locked_version_and_takes_every_flag(real: Real, stand_in: StandIn) -> None:
    assert f"spotdl=={real.version.result()}\n" in (ROOT / "requirements-spotdl.lock").read_text()
    assert real.help.result().returncode == 0
    stand_in.plays("done")
    stand_in.download()
    flags = {argument for argument in stand_in.arguments if argument.startswith("--")}
    stand_in.plays("saved", [])
    spotdl.save(PLAYLIST, stand_in.settings)
    flags |= {argument for argument in stand_in.arguments if argument.startswith("--")}
    assert len(flags) > 10
    assert flags <= real.flags


@needs_spotdl
def test_the_real_program_without_a_network_is_our_sentence(real: Real) -> None:
    for failed in (real.download, real.save):
        error = failed.exception()
        assert isinstance(error, UpstreamError), error
        assert error.code == "no_network", error
        assert "Check the connection" in error.message


@needs_spotdl
def test_a_program_for_youtubes_javascript_is_beside_python() -> None:
    assert os.access(Path(sys.executable).with_name("deno"), os.X_OK)


SEARCHED = """
import sys
import spotdl.console.entry_point as entry_point
from spotdl.providers.audio import YouTubeMusic

address, sys.argv[1:] = sys.argv[1], sys.argv[2:]
entry_point.check_ytmusic_connection = lambda: True
YouTubeMusic.search = lambda *_: address
entry_point.console_entry_point()
"""
"""The real program with nothing but its search answered here, in a network without YouTube."""


@pytest.mark.soak
@pytest.mark.parametrize("format", ["mp3", "opus", "m4a", "flac", "ogg", "wav"])
def test_the_real_program_fetches_converts_and_tags(stand_in: StandIn, tmp_path: Path, format: str) -> None:
    (tmp_path / "searched.py").write_text(SEARCHED)
    served = tmp_path / "served"
    served.mkdir()
    tone = [str(ffmpeg.program()), "-loglevel", "error", "-f", "lavfi", "-i", "sine=440:duration=6", "-c:a", "libopus"]
    subprocess.run([*tone, str(served / "tone.webm")], check=True)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=served)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        python = Path(sys.prefix, "spotdl", "bin", "python")
        address = f"http://127.0.0.1:{server.server_port}/tone.webm"
        stand_in.program.write_text(f'#!/bin/sh\nexec "{python}" "{tmp_path}/searched.py" "{address}" "$@"\n')
        path = stand_in.download(
            format=format, bitrate="auto", track=TRACK.model_copy(update={"title": "[b] 429: Done"})
        )
        server.shutdown()
    info = probe(path)
    assert info.duration == pytest.approx(6.0, abs=0.1)
    assert (info.title, info.album) == ("[b] 429: Done", "Al")
    assert (info.artist or "").startswith("A")
