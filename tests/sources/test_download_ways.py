"""The ways to a recording, in their order: spotDL at both of its places, then yt-dlp, until one is what was wanted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from audio_server import AudioServer, audio_server

from sfwidgets.audio import Encoder, cover, probe
from sfwidgets.errors import DiskFullError, SlowDownError, UnavailableError, UpstreamError
from sfwidgets.models import SourceTrack
from sfwidgets.settings import Settings
from sfwidgets.sources import Downloaded, download, ytdlp
from sfwidgets.sources.ytdlp import Candidate

TRACK = SourceTrack(
    id="one", title="Song/../../one", artists=("Ada",), duration=4.0, url="https://open.spotify.com/track/one"
)

PROGRAM = """\
#!{python} -IS
import shutil, sys
options = dict(zip(sys.argv, sys.argv[1:]))
place = options["--audio"]
open({log!r}, "a").write(place + "\\n")
answer = {answers!r}.get(place, "none")
if answer == "none":
    print("[12:00:00] ERROR    https://x - LookupError: No results found for song: One  downloader.py:1")
elif answer == "robot":
    print("[12:00:00] DEBUG    ERROR: [youtube] x: Sign in to confirm you are not a bot  progress_handler.py:1")
elif answer == "hang":
    import time; time.sleep(60)
elif answer == "full":
    print("[12:00:00] ERROR    https://x - OSError: [Errno 28] No space left on device  downloader.py:1")
else:
    shutil.copy(answer, options["--output"].replace("{{output-ext}}", options["--format"]))
    print('[12:00:00] INFO     Downloaded "One": https://x  progress_handler.py:1')
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AudioServer]:
    folder = tmp_path_factory.mktemp("host")
    for name, seconds in (("right.mp3", 4), ("long.mp3", 12)):
        noise = np.random.default_rng(0).standard_normal((2, seconds * 44_100)).astype(np.float32) * 0.1
        with Encoder(folder / name, sample_rate=44_100, channels=2, format="mp3", bit_rate=128_000) as encoder:
            encoder.write(noise)
    with audio_server(folder) as server:
        yield server


class Ways:
    """What each way has, and which were asked."""

    def __init__(self, folder: Path, host: AudioServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.program, self.log, self.place = folder / "spotdl", folder / "log", folder / "place"
        self.host, self._patch = host, monkeypatch
        self.place.mkdir()

    def get(self, *found: str, offline: bool = False, minutes: float = 5, **answers: str) -> Downloaded:
        """Download the track where spotDL answers so, and YouTube's search finds files of the host."""
        there = {name.replace("_", "-"): self._answer(answer) for name, answer in answers.items()}
        program = PROGRAM.format(python=sys.executable, log=str(self.log), answers=there)
        self.program.write_text(program)
        self.program.chmod(0o755)
        hits = [Candidate(f"{self.host.url}/plain/{name}", name, "A channel", None) for name in found]
        self._patch.setattr(ytdlp, "candidates", lambda _track, progress: hits if hits else _nothing())
        settings = Settings(spotdl=self.program, offline=offline, download_minutes=minutes)
        return download(
            TRACK, self.place, settings, format="mp3", bitrate="auto", progress=lambda _share, _stage: None
        )  # fmt: skip

    def _answer(self, answer: str) -> str:
        return str(self.host.folder / answer) if answer.endswith(".mp3") else answer

    @property
    def asked(self) -> list[str]:
        return self.log.read_text().split() if self.log.exists() else []


def _nothing() -> list[Candidate]:
    raise UpstreamError("YouTube has no recording of that.", code="no_match")


@pytest.fixture
def ways(tmp_path: Path, host: AudioServer, monkeypatch: pytest.MonkeyPatch) -> Ways:
    return Ways(tmp_path, host, monkeypatch)


def test_the_first_that_has_it_is_the_only_one_asked(ways: Ways) -> None:
    got = ways.get(youtube_music="right.mp3")
    assert (got.by, ways.asked) == ("spotdl", ["youtube-music"])
    assert got.info.duration == pytest.approx(4.0, abs=0.1)
    assert got.path.is_relative_to(ways.place)


def test_what_does_not_fit_is_followed_by_the_next_place(ways: Ways) -> None:
    got = ways.get(youtube_music="long.mp3", youtube="right.mp3")
    assert (got.by, ways.asked) == ("spotdl", ["youtube-music", "youtube"])
    assert probe(got.path).duration == pytest.approx(4.0, abs=0.1)


def test_where_spotdl_has_nothing_yt_dlp_gets_the_first_that_fits(ways: Ways) -> None:
    got = ways.get("long.mp3", "right.mp3")
    assert (got.by, ways.asked) == ("yt-dlp", ["youtube-music", "youtube"])
    assert probe(got.path).title == TRACK.title
    assert cover(got.path) is None
    assert [path for path in ways.place.rglob("*") if path.is_file()] == [got.path]


def test_where_nobody_has_it_each_is_named_once_with_its_reason(ways: Ways) -> None:
    with pytest.raises(UpstreamError) as caught:
        ways.get(youtube="long.mp3")
    assert caught.value.code == "unfit_download"
    for said in ("found no match", "0:12 long, the song is 0:04", "YouTube has no recording", "Add the song as a file"):
        assert caught.value.message.count(said) == 1, said


def test_who_wants_a_pause_gets_it_and_nobody_else_is_asked(ways: Ways) -> None:
    with pytest.raises(SlowDownError) as caught:
        ways.get("right.mp3", youtube_music="robot", youtube="right.mp3")
    assert caught.value.retry_after == 300
    assert ways.asked == ["youtube-music"]


def test_all_that_is_tried_has_one_time_limit(ways: Ways) -> None:
    with pytest.raises(UpstreamError) as caught:
        ways.get("right.mp3", minutes=0.01, youtube_music="hang", youtube="hang")
    assert caught.value.code == "download_timeout"
    assert ways.asked == ["youtube-music"]


def test_a_full_disk_is_no_reason_to_fill_it_with_another(ways: Ways) -> None:
    with pytest.raises(DiskFullError):
        ways.get("right.mp3", youtube_music="full", youtube="right.mp3")
    assert ways.asked == ["youtube-music"]


def test_offline_nobody_is_asked(ways: Ways) -> None:
    with pytest.raises(UnavailableError, match="SOUNDFORGE_OFFLINE"):
        ways.get("right.mp3", youtube_music="right.mp3", offline=True)
    assert ways.asked == []


def test_without_spotdl_yt_dlp_is_the_only_way(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(spotdl=ways.program.with_name("nowhere"), offline=False)
    monkeypatch.setattr(
        ytdlp, "candidates",
        lambda _track, progress: [Candidate(f"{ways.host.url}/plain/right.mp3", "right", "", None)],
    )  # fmt: skip
    got = download(TRACK, ways.place, settings, format="mp3", bitrate="auto", progress=lambda _share, _stage: None)
    assert got.by == "yt-dlp"
