"""The real yt-dlp: against a host of files on this machine, and on what YouTube's search answers."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import av
import numpy as np
import psutil
import pytest
import yt_dlp
from audio_server import audio_server
from yt_dlp.networking import Response
from yt_dlp.networking.exceptions import TransportError

from sfwidgets.audio import Encoder, probe
from sfwidgets.errors import (
    DiskFullError,
    JobCancelledError,
    SlowDownError,
    UpstreamError,
    UpstreamTimeoutError,
)
from sfwidgets.models import SourceTrack
from sfwidgets.sources import ffmpeg, process, ytdlp
from sfwidgets.sources.check import UnfitError
from sfwidgets.sources.ytdlp import Candidate

TRACK = SourceTrack(
    id="4uLU6hMCjMI75M1A2tKUQC", title='Don\'t; "Stop" = #1 \\ $(rm -rf /) ../é😀', artists=("AC/DC", "Björk"),
    album="Vol. 4", duration=6.0, isrc="GBAYE7100001", release_date="1971-11-08",
)  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    noise = np.random.default_rng(0).standard_normal((2, 6 * 48_000)).astype(np.float32) * 0.1
    with Encoder(folder / "song.mp3", sample_rate=48_000, channels=2, format="mp3", bit_rate=320_000) as encoder:
        encoder.write(noise)
    argv = [ffmpeg.program(), "-loglevel", "error", "-i", folder / "song.mp3", "-metadata", "title=Not this"]
    subprocess.run([*argv, "-c:a", "libopus", folder / "song.webm"], check=True)
    with audio_server(folder) as server:
        yield server
    assert not running(server.url)


def running(url):
    return [p for p in psutil.process_iter(["cmdline"]) if any(url in part for part in p.info["cmdline"] or ())]


def download(served, how, folder, *, format="mp3", progress=lambda _share, _stage: None, seconds=60):
    candidate = Candidate(f"{served.url}/{how}", "A video", "A channel", 6.0)
    return ytdlp.download(candidate, TRACK, folder, format=format, bitrate="auto", progress=progress, seconds=seconds)


def packets(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def test_audio_in_the_format_wanted_is_kept_as_it_was_sent_and_tagged(served, tmp_path):
    told = []
    path = download(
        served, "plain/song.webm", tmp_path, format="opus", progress=lambda *told_now: told.append(told_now)
    )
    assert list(tmp_path.iterdir()) == [path]
    info = probe(path)
    assert (info.codec, info.container, info.title) == ("opus", "ogg", TRACK.title)
    assert packets(path) == packets(served.folder / "song.webm")
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1
    assert list(dict.fromkeys(stage for _, stage in told)) == ["Downloading from YouTube", "Converting"]


def test_a_transfer_that_breaks_is_taken_up_where_it_broke(served, tmp_path):
    served.ranges.clear()
    path = download(served, "cut/song.mp3", tmp_path)
    size = (served.folder / "song.mp3").stat().st_size
    asked = served.ranges[-1][1]
    assert asked is not None
    assert 0 < int(asked.removeprefix("bytes=").removesuffix("-")) <= size // 2
    assert packets(path) == packets(served.folder / "song.mp3")


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ("html/song.mp3", UnfitError, "not audio"),
        ("404/song.mp3", UpstreamError, "A video could not be downloaded from YouTube: .*404"),
        ("large/song.mp3", UpstreamError, "too large"),
    ],
)
def test_what_is_no_song_is_refused_and_leaves_nothing(served, tmp_path, how, error, says):
    with pytest.raises(error, match=says) as raised:
        download(served, how, tmp_path)
    assert type(raised.value) is error
    assert raised.value.code == ("unfit_download" if error is UnfitError else "download_failed")
    assert not list(tmp_path.iterdir())


def test_a_rate_limit_says_when_to_ask_again(served, tmp_path):
    with pytest.raises(SlowDownError) as raised:
        download(served, "429/song.mp3", tmp_path)
    assert raised.value.retry_after == 60


def test_a_cancelled_download_leaves_no_process_and_no_file(served, tmp_path):
    def cancelled(share, stage):
        if share > 0 and stage.startswith("Downloading"):
            raise JobCancelledError("It was cancelled.")

    with pytest.raises(JobCancelledError):
        download(served, "endless/song.mp3", tmp_path, progress=cancelled)
    assert not running(served.url)
    assert not list(tmp_path.iterdir())


def test_a_download_ends_at_its_time_limit(served, tmp_path):
    with pytest.raises(UpstreamTimeoutError, match="YouTube") as raised:
        download(served, "endless/song.mp3", tmp_path, seconds=0.5)
    assert raised.value.code == "download_timeout"
    assert not running(served.url)


def test_a_full_disk_is_told_as_such(served, tmp_path):
    """The largest size of a file stands for the end of a disk; a process of its own, as the limit is inherited."""
    script = """
import resource, sys
from pathlib import Path
from sfwidgets.models import SourceTrack
from sfwidgets.sources.ytdlp import Candidate, download
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    download(Candidate(sys.argv[1], "A video", "", 6.0), SourceTrack(id="x", title="x"), Path(sys.argv[2]),
             format="mp3", bitrate="auto", progress=lambda share, stage: None, seconds=60)
except Exception as error:
    print(type(error).__name__)
"""
    argv = [sys.executable, "-c", script, f"{served.url}/plain/song.mp3", str(tmp_path)]
    assert subprocess.run(argv, capture_output=True, text=True).stdout.strip() == DiskFullError.__name__
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["--exec=touch x", "-U", "--config-locations=/etc"])
def test_an_address_is_never_an_option(url):
    parsed = yt_dlp.parse_options(ytdlp.download_arguments(url, "fetched", format="opus", bitrate="auto"))
    assert parsed.urls == [url]


def test_yt_dlp_takes_every_flag_and_runs_nothing_of_its_user():
    parsed = yt_dlp.parse_options(ytdlp.download_arguments("https://a", "fetched", format="m4a", bitrate="auto"))
    options = parsed.ydl_opts
    assert parsed.urls == ["https://a"]
    assert parsed.options.ignoreconfig
    assert parsed.options.plugin_dirs == []
    assert not options["enable_file_urls"]
    assert "Exec" not in {step["key"] for step in options["postprocessors"]}
    assert not any(options[name] for name in ("cookiefile", "cookiesfrombrowser", "usenetrc", "cachedir"))
    assert (options["retries"], options["continuedl"], options["noplaylist"]) == (5, True, True)
    assert options["format"] == "bestaudio[acodec^=mp4a]/bestaudio/best"


@pytest.mark.parametrize(
    ("said", "error", "retry_after", "sentence"),
    [
        # As yt_dlp/extractor/youtube/_video.py of the locked version writes them.
        ("Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies for the authentication.",
         SlowDownError, 300, "robot"),
        ("This content isn't available, try again later. The current session has been rate-limited by YouTube for up "
         "to an hour. It is recommended to use `-t sleep`", SlowDownError, 3600, "hour"),
        ("Private video. Sign in if you've been granted access to this video. Use --cookies-from-browser or --cookies "
         "for the authentication. See  https://github.com/yt-dlp/yt-dlp/wiki/FAQ for how", UpstreamError, None,
         r"YouTube: Private video\. Sign in if you've been granted access to this video\.$"),
        ("Video unavailable. This video is no longer available due to a copyright claim", UpstreamError, None,
         "copyright claim.$"),
        ("Sign in to confirm your age. This video may be inappropriate for some users. Use --cookies", UpstreamError,
         None, "confirm your age"),
        ("The uploader has not made this video available in your country\nYou might want to use a VPN", UpstreamError,
         None, "available in your country.$"),
        ("unable to download video data: HTTP Error 403: Forbidden", UpstreamError, None, "pip install -U yt-dlp"),
    ],
)  # fmt: skip
def test_what_youtube_says_becomes_a_sentence(monkeypatch, tmp_path, said, error, retry_after, sentence):
    tail = f"[youtube] Extracting URL: x\nERROR: [youtube] dQw4w9WgXcQ: {said}\n"
    monkeypatch.setattr(process, "run", lambda _argv, **_how: process.Ended(1, tail))
    with pytest.raises(error, match=sentence) as raised:
        ytdlp.download(
            Candidate("https://youtu.be/x", "A video", "", None), TRACK, tmp_path,
            format="opus", bitrate="auto", progress=lambda _share, _stage: None, seconds=9,
        )  # fmt: skip
    assert type(raised.value) is error
    assert raised.value.retry_after == retry_after


def video(id, title, length, channel="Björk - Topic"):
    """A hit, with those fields of InnerTube's videoRenderer that yt_dlp/extractor/youtube/_tab.py reads."""
    length = {"lengthText": {"simpleText": length}} if length else {"badges": [{"style": "BADGE_STYLE_TYPE_LIVE_NOW"}]}
    named = {"title": {"runs": [{"text": title}]}, "ownerText": {"runs": [{"text": channel}]}}
    return {"videoRenderer": {"videoId": id, **named, **length}}


@pytest.fixture
def youtube(monkeypatch):
    """YouTube's search as yt-dlp meets it, in this process: youtube(hits of the first search, of the second, …)."""

    def answering(*searches):
        queries = []

        def urlopen(_self, request):
            if "/youtubei/v1/search" not in request.url:
                raise TransportError("no such page")
            queries.append(json.loads(request.data)["query"])
            section = {"itemSectionRenderer": {"contents": searches[len(queries) - 1]}}
            answer = {"contents": {"twoColumnSearchResultsRenderer": {"primaryContents": {
                "sectionListRenderer": {"contents": [section]}}}}}  # fmt: skip
            return Response(io.BytesIO(json.dumps(answer).encode()), request.url, {"Content-Type": "application/json"})

        def run(argv, *, on_line, tick, **_how):
            assert argv[:4] == [sys.executable, "-P", "-m", "yt_dlp"]
            tick()
            parsed = yt_dlp.parse_options(argv[4:])
            with yt_dlp.YoutubeDL(parsed.ydl_opts) as downloader:
                downloader.to_stdout = lambda line, *_more, **_how: on_line(line)
                return process.Ended(downloader.download(parsed.urls), "")

        monkeypatch.setattr(yt_dlp.YoutubeDL, "urlopen", urlopen)
        monkeypatch.setattr(process, "run", run)
        return queries

    return answering


def test_a_search_finds_what_may_be_the_track_the_closest_first(youtube):
    track = SourceTrack(
        id="x", title="Jóga 😀 (2022 Remaster)", artists=("Björk",), duration=305.0, isrc="gbayk9700044"
    )
    hyper = video("bbbbbbbbbbb", 'Jóga; \\ "$(id)" 😀', "5:04")
    queries = youtube(
        [video("aaaaaaaaaaa", "Joga", "5:02"), hyper, {"adSlotRenderer": {}}],
        [
            video("ccccccccccc", "Jóga (Live at Shepherd's Bush)", "5:05"),
            hyper,
            video("ddddddddddd", "Björk : Joga (HD)", "4:40"),
            video("eeeeeeeeeee", "Björk radio Jóga", None),
        ],
    )
    found = ytdlp.candidates(track, progress=lambda _share, _stage: None)
    assert [(hit.url, hit.channel, hit.duration) for hit in found] == [
        ("https://www.youtube.com/watch?v=bbbbbbbbbbb", "Björk - Topic", 304.0),
        ("https://www.youtube.com/watch?v=aaaaaaaaaaa", "Björk - Topic", 302.0),
    ]
    assert found[0].title == 'Jóga; \\ "$(id)" 😀'
    assert queries == ['"GBAYK9700044"', "Björk - Jóga 😀 (2022 Remaster)"]


def test_no_hit_that_fits_is_no_match(youtube):
    youtube([video("aaaaaaaaaaa", "Don't Stop", "9:59")], [])
    with pytest.raises(UpstreamError, match="Add the song as a file") as raised:
        ytdlp.candidates(TRACK, progress=lambda _share, _stage: None)
    assert raised.value.code == "no_match"


def test_a_search_without_a_network_says_so(monkeypatch):
    """A proxy that nobody listens at stands for a network that is down, and keeps the test off a real one."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(UpstreamError, match="YouTube can't be reached") as raised:
        ytdlp.candidates(TRACK, progress=lambda _share, _stage: None)
    assert raised.value.code == "no_network"


@pytest.mark.parametrize("url", [
    "http://www.youtube.com/watch?v=a", "https://www.youtube.com.evil.org/a", "https://www.youtube.com@evil.org/a",
    "https://127.0.0.1/a", "file:///etc/passwd", "https://www.youtube.com:8080/a", "https://[", 5, None,
])  # fmt: skip
def test_hits_elsewhere_and_nonsense_are_no_candidates(monkeypatch, url):
    lines = [
        "hit:" + json.dumps({"url": url, "title": "Don't Stop", "duration": 6}),
        "hit:[]",
        "hit:{",
        "WARNING: hit:",
    ]

    def run(_argv, *, on_line, **_how):
        for line in lines:
            on_line(line)
        return process.Ended(0, "")

    monkeypatch.setattr(process, "run", run)
    with pytest.raises(UpstreamError) as raised:
        ytdlp.candidates(TRACK, progress=lambda _share, _stage: None)
    assert raised.value.code == "no_match"


def test_an_isrc_that_is_none_is_not_searched_for():
    arguments = ytdlp.search_arguments(TRACK.model_copy(update={"isrc": '" OR 1', "title": "-x\n--exec y" * 300}))
    searched = arguments[arguments.index("--") + 1 :]
    assert len(searched) == 1
    assert searched[0].startswith("ytsearch10:AC/DC, Björk - -x --exec y")
    assert len(searched[0]) < 250
