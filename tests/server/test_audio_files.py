"""Tracks and stems as files over HTTP: whole, in parts, in other formats, in an archive, and as outlines."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import json
import re
import socket
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import soundfile
from PIL import Image
from tornado import httpserver, netutil, web

from server_ext.handlers.sending import stream
from sfwidgets import Workbench, audio
from sfwidgets.jobs import stop_cluster

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from servers import Server, start_lab
from serving import until

TYPES = {"flac": "audio/flac", "wav": "audio/wav", "mp3": "audio/mpeg", "ogg": "audio/ogg"}
STEMS = ["vocals", "drums", "bass", "other"]
TITLE = 'Ärger: "50 %" / \\ 東京'


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def said(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.body)
        return found


Ask = Callable[..., Answer]


def noise(path: Path, seconds: float, **options: str) -> Path:
    samples = 0.2 * np.random.default_rng(int(seconds)).standard_normal((int(seconds * 44100), 2))
    soundfile.write(path, samples.astype(np.float32), 44100, **options)
    return path


def with_cover(path: Path, cover: bytes) -> Path:
    """Put a picture into a FLAC file, as RFC 9639 (section 8.8) has it."""
    body = struct.pack(">II", 3, 9) + b"image/png" + struct.pack(">6I", 0, 16, 16, 24, 0, len(cover)) + cover
    plain = path.read_bytes()
    path.write_bytes(plain[:42] + struct.pack(">I", 6 << 24 | len(body)) + body + plain[42:])
    return path


def picture() -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (16, 16), (10, 120, 200)).save(held, "PNG")
    return held.getvalue()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("files")
    with Workbench(folder / "library") as wb:
        track = wb.add(noise(folder / "song.wav", 3), id="song", title=TITLE, artist="Ann")
        wb.add(with_cover(noise(folder / "bare.flac", 1), picture()), id="bare", title="Bare")
        wb.add(noise(folder / "odd.html", 2, format="MP3"), id="odd", title="Odd")
        wb.separate(track, "embedded").wait()
        with Workbench(wb.settings.library, owner="other") as others:
            others.add(noise(folder / "theirs.wav", 4), id="theirs")
        yield wb
    stop_cluster(wb.settings)


@pytest.fixture(scope="module")
def lab(library: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start_lab(tmp_path_factory.mktemp("root"), library.settings.library) as server:
        yield server


@pytest.fixture(scope="module")
def ask(lab: Server) -> Ask:
    def asked(path: str, method: str = "GET", *, token: str | None = lab.token, **headers: str) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            given["Authorization"] = f"token {token}"
        connection = http.client.HTTPConnection(urlsplit(lab.url).netloc, timeout=120)
        connection.request(method, "/api/tracks/" + path, headers=given)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    return asked


def heard(content: bytes | Path, folder: Path) -> np.ndarray:
    path = content if isinstance(content, Path) else folder / "heard"
    if isinstance(content, bytes):
        path.write_bytes(content)
    return np.concatenate(list(audio.decode(path)), axis=1)


def file_name(answer: Answer) -> str:
    found = re.search(r"filename\*=UTF-8''(\S+)$", answer.headers["content-disposition"])
    assert found
    return unquote(found[1])


@pytest.mark.parametrize(
    ("path", "track", "kind"),
    [("song/audio", "song", "audio/wav"), ("bare/audio", "bare", "audio/flac"), ("odd/audio", "odd", "audio/mpeg")],
)
def test_a_track_is_its_own_file(ask: Ask, library: Workbench, path: str, track: str, kind: str) -> None:
    answer = ask(path)
    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    assert answer.body == library.path(track).read_bytes()
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "private" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path", ["song/audio", "song/stems/vocals", "song/stems/drums.flac", "song/stems/bass?format=mp3"]
)
def test_any_part_can_be_had(ask: Ask, path: str) -> None:
    whole = ask(path)
    size, tag = len(whole.body), whole.headers["etag"]
    for asked, part in (
        ("bytes=0-0", slice(0, 1)),
        ("bytes=100-5099", slice(100, 5100)),
        (f"bytes={size - 7}-", slice(-7, None)),
        ("bytes=-9", slice(-9, None)),
        (f"bytes=3-{size * 2}", slice(3, None)),
    ):
        answer = ask(path, Range=asked, If_Range=tag)
        assert (answer.status, answer.body) == (206, whole.body[part])
        first, last, _ = part.indices(size)
        assert answer.headers["content-range"] == f"bytes {first}-{last - 1}/{size}"
        assert int(answer.headers["content-length"]) == len(answer.body)
    beyond = ask(path, Range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert beyond.said["code"] == "bad_range"
    assert ask(path, Range="bytes=0-1,4-5").body == ask(path, Range="bytes=9-3").body == whole.body
    assert ask(path, Range="bytes=0-9", If_Range='"another"').body == whole.body


@pytest.mark.parametrize("path", ["song/audio", "song/stems/vocals", "song/stems.zip", "bare/artwork"])
def test_what_is_known_is_not_sent_again_and_head_sends_nothing(ask: Ask, path: str) -> None:
    whole = ask(path)
    tag = whole.headers["etag"]
    for method in ("GET", "HEAD"):
        known = ask(path, method, If_None_Match=tag)
        assert (known.status, known.body, known.headers["etag"]) == (304, b"", tag)
    told = ask(path, "HEAD", Range="bytes=0-9")
    assert (told.status, told.body, told.headers["etag"]) == (200, b"", tag)
    assert int(told.headers["content-length"]) == len(whole.body)
    assert told.headers["content-type"] == whole.headers["content-type"]


def test_a_file_is_called_by_its_title(ask: Ask) -> None:
    shown = ask("song/audio", "HEAD").headers["content-disposition"]
    assert shown.startswith('inline; filename="Ann _ _rger_ _50 __ _ _ __.wav"; filename*=')
    assert file_name(ask("song/audio", "HEAD")) == "Ann – Ärger_ _50 %_ _ _ 東京.wav"
    assert file_name(ask("song/stems/vocals?format=ogg", "HEAD")) == "Ann – Ärger_ _50 %_ _ _ 東京 (vocals).ogg"
    assert file_name(ask("odd/audio", "HEAD")) == "Odd.mp3"
    for path in ("song/audio?download=true", "song/stems/vocals?download=true", "song/stems.zip"):
        assert ask(path, "HEAD").headers["content-disposition"].startswith("attachment;")


def test_a_stem_is_its_file_with_or_without_suffix(ask: Ask, library: Workbench) -> None:
    newest = library.stems("song")
    for name in STEMS:
        kept = library.path(newest[name]).read_bytes()
        for path in (f"song/stems/{name}", f"song/stems/{name}.flac", f"song/stems/{name}?set={newest.id}"):
            answer = ask(path)
            assert (answer.status, answer.headers["content-type"]) == (200, "audio/flac")
            assert answer.body == kept


def test_an_older_set_is_had_by_its_id(ask: Ask, library: Workbench) -> None:
    older = library.stems("song")
    library.separate("song", "embedded", two_stems="vocals").wait()
    newer = library.stems("song")
    assert newer.id != older.id
    assert ask("song/stems/no_vocals").body == library.path(newer["no_vocals"]).read_bytes()
    assert ask("song/stems/drums").status == 404
    assert ask(f"song/stems/drums?set={older.id}").body == library.path(older["drums"]).read_bytes()
    assert ask(f"song/stems.zip?set={older.id}").body != ask("song/stems.zip").body
    assert set(ask("song/peaks").said) == {"mixture", "vocals", "no_vocals"}
    assert set(ask(f"song/peaks?set={older.id}").said) == {"mixture", *STEMS}
    library.separate("song", "embedded").wait()
    assert library.stems("song").id == older.id, "the rest of this module goes on with the four"


@pytest.mark.parametrize("format", ["flac", "wav", "mp3", "ogg"])
@pytest.mark.parametrize("path", ["song/audio", "song/stems/other", "odd/audio"])
def test_the_format_can_be_chosen(ask: Ask, library: Workbench, tmp_path: Path, path: str, format: str) -> None:
    track, _, stem = path.replace("/audio", "").partition("/stems/")
    true = heard(library.stem_file(track, stem) if stem else library.path(track), tmp_path)
    answer = ask(f"{path}?format={format}")
    assert (answer.status, answer.headers["content-type"]) == (200, TYPES[format])
    assert soundfile.info(io.BytesIO(answer.body)).format == format.upper()
    found = heard(answer.body, tmp_path)
    assert found.shape == true.shape
    if format in ("flac", "wav") and track == "song":
        assert np.array_equal(found, true)
    else:
        assert np.corrcoef(found.ravel(), true.ravel())[0, 1] > 0.9
    again = ask(f"{path}?format={format}")
    assert (again.body, again.headers["etag"]) == (answer.body, answer.headers["etag"])


def test_many_who_ask_for_a_format_at_once_get_the_same(ask: Ask) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: ask("song/stems/drums?format=ogg"), range(6)))
    assert {answer.status for answer in answers} == {200}
    assert len({(answer.headers["etag"], answer.body) for answer in answers}) == 1


def test_what_takes_long_to_make_keeps_no_listener_waiting(
    ask: Ask, library: Workbench, lab: Server, tmp_path: Path
) -> None:
    library.add(noise(tmp_path / "long.wav", 30), id="long")
    assert ask("song/stems/drums?format=ogg").status == 200
    left = http.client.HTTPConnection(urlsplit(lab.url).netloc, timeout=60)
    left.request("GET", "/api/tracks/long/audio?format=mp3", headers={"Authorization": f"token {lab.token}"})
    left.close()
    with ThreadPoolExecutor(12) as pool:
        slow = [pool.submit(ask, f"long/audio?format={format}") for format in ("mp3", "ogg", "flac", *["mp3"] * 9)]
        until(lambda: list((library.settings.library / "tmp").glob("rendition-*")))
        quick = [ask("song/audio"), ask("song/stems/drums?format=ogg"), ask("song/stems.zip", "HEAD")]
        assert not slow[0].done()
        assert [answer.status for answer in quick] == [200, 200, 200]
        assert [future.result().status for future in slow] == [200] * 12
    assert "Traceback" not in lab.said()
    held = library.path("long")
    assert len(list(held.parent.glob(f"{held.stem}*"))) == 4
    library.delete("long")
    assert list(held.parent.glob(f"{held.stem}*")) == []
    assert ask("long/audio?format=mp3").status == 404


@pytest.mark.parametrize("format", [None, "mp3"])
def test_all_stems_come_in_an_archive(ask: Ask, library: Workbench, format: str | None) -> None:
    answer = ask("song/stems.zip" + (f"?format={format}" if format else ""))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/zip")
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert file_name(answer) == "Ann – Ärger_ _50 %_ _ _ 東京.zip"
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        assert [entry.filename for entry in archive.infolist()] == [
            Path(stem.name).stem + f".{format or 'flac'}" for stem in library.stems("song").stems
        ]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        for name in STEMS:
            assert (
                archive.read(f"{name}.{format or 'flac'}")
                == ask(f"song/stems/{name}" + (f"?format={format}" if format else "")).body
            )


@pytest.mark.parametrize("pixels", [None, 10, 100, 20_000])
def test_outlines_are_those_of_the_library(ask: Ask, library: Workbench, pixels: int | None) -> None:
    said = ask("song/peaks" + (f"?pixels={pixels}" if pixels else "")).said
    kept = library.peaks("song")
    assert set(said) == set(kept) == {"mixture", *STEMS}
    for name, peaks in kept.items():
        lane = said[name]
        assert isinstance(lane, dict)
        assert (lane["version"], lane["channels"], lane["bits"]) == (2, 1, 16)
        assert lane["sample_rate"] == peaks.sample_rate
        length = len(lane["data"]) // 2
        assert lane["length"] == length <= (pixels or 2000)
        factor = lane["samples_per_pixel"] // peaks.samples_per_pixel
        assert length == -(-len(peaks.minima) // factor)
        zoomed = peaks.zoom(factor)
        np.testing.assert_array_equal(np.array(lane["data"][0::2]) / 32768, zoomed.minima)
        np.testing.assert_array_equal(np.array(lane["data"][1::2]) / 32768, zoomed.maxima)


def test_a_lane_without_outline_is_left_out(ask: Ask, library: Workbench) -> None:
    drums = library.settings.library / library.stems("song")["drums"].peaks
    kept = drums.read_bytes()
    drums.unlink()
    try:
        assert set(ask("song/peaks").said) == {"mixture", *STEMS} - {"drums"}
    finally:
        drums.write_bytes(kept)


def test_a_waveform_is_drawn_of_a_track_that_nothing_was_made_of(ask: Ask, library: Workbench) -> None:
    assert library.peaks("bare") == {}
    (lane,) = ask("bare/peaks").said.values()
    samples, rate = soundfile.read(library.path("bare"), always_2d=True)
    assert (lane["sample_rate"], lane["length"]) == (rate, -(-len(samples) // lane["samples_per_pixel"]))
    lowest = np.array([block.min() for block in np.split(samples, range(256, len(samples), 256))])
    assert np.abs(np.array(lane["data"][::2]) / 32768 - lowest).max() < 2e-4
    assert set(library.peaks("bare")) == {"mixture"}


def test_a_picture_is_shown_as_what_it_is(ask: Ask) -> None:
    answer = ask("bare/artwork")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "image/png", picture())
    assert ask("bare").said["artworkUrl"] == "/api/tracks/bare/artwork"
    assert ask("song").said["artworkUrl"] is None


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("nobody/audio", 404, "track_not_found"),
        ("theirs/audio", 404, "track_not_found"),
        ("theirs/audio?format=mp3", 404, "track_not_found"),
        ("theirs/stems/vocals", 404, "track_not_found"),
        ("theirs/stems.zip", 404, "track_not_found"),
        ("theirs/peaks", 404, "track_not_found"),
        ("theirs/artwork", 404, "audio_missing"),
        ("song/artwork", 404, "no_artwork"),
        ("bare/stems.zip", 404, "no_stems"),
        ("bare/stems/vocals", 404, "no_stems"),
        ("song/stems/kazoo", 404, "no_stems"),
        ("song/stems/vocals.mp3", 404, "no_stems"),
        ("song/stems/..%2F..%2Fvocals", 404, "no_stems"),
        ("song/stems/%2Fetc%2Fpasswd", 404, "no_stems"),
        ("song/stems/", 404, "no_stems"),
        ("song/stems/vocals?set=nothing", 404, "no_stems"),
        ("song/peaks?set=nothing", 404, "no_stems"),
        ("song/stems.zip?set=nothing", 404, "no_stems"),
        ("song/audio?format=aiff", 400, "bad_format"),
        ("song/audio?format=", 400, "bad_format"),
        ("song/audio?format=..%2Fmp3", 400, "bad_format"),
        ("song/stems/vocals?format=MP3", 400, "bad_format"),
        ("song/stems.zip?format=rar", 400, "bad_format"),
        ("song/stems/vocals?set=..%2F..", 400, "invalid_id"),
        ("song/stems.zip?set=%00", 400, "invalid_id"),
        ("song/peaks?set=" + "a" * 65, 400, "invalid_id"),
        ("song/audio?download=perhaps", 400, "invalid_input"),
        ("song/peaks?pixels=9", 400, "invalid_input"),
        ("song/peaks?pixels=20001", 400, "invalid_input"),
        ("song/peaks?pixels=nan", 400, "invalid_input"),
        ("song/peaks?pixels=" + "9" * 5000, 400, "invalid_input"),
        ("song/audio?format=%FF", 400, None),
        ("..%2Fsong/audio", 400, "invalid_id"),
        ("s%C3%B6ng/peaks", 400, "invalid_id"),
        ("/artwork", 400, "invalid_id"),
    ],
)
def test_what_is_not_there_and_what_can_not_be_is_said(ask: Ask, path: str, status: int, code: str | None) -> None:
    answer = ask(path)
    assert answer.status == status, answer.body
    assert answer.said["error"]
    assert code in (None, answer.said["code"])
    assert "Traceback" not in answer.body.decode()
    if "/peaks" not in path:
        assert ask(path, "HEAD").status == status


def test_a_file_that_has_gone_is_told(ask: Ask, library: Workbench, lab: Server) -> None:
    for path, route in (
        (library.path("odd"), "odd/audio"),
        (library.path(library.stems("song")["bass"]), "song/stems/bass"),
        (library.path(library.stems("song")["bass"]), "song/stems.zip"),
    ):
        aside = path.with_name("aside")
        path.rename(aside)
        try:
            answer = ask(route)
            assert (answer.status, answer.said["code"]) == (404, "audio_missing")
        finally:
            aside.rename(path)
    assert "Traceback" not in lab.said()


@pytest.mark.parametrize("path", ["song/audio", "song/stems/vocals", "song/stems.zip", "song/peaks", "bare/artwork"])
def test_nobody_hears_anything_without_signing_in(ask: Ask, path: str) -> None:
    for method in ("GET", "HEAD"):
        assert ask(path, method, token=None).status == 401
    assert ask(path, "POST").status == 405


def test_who_leaves_in_the_middle_harms_nobody(ask: Ask, lab: Server) -> None:
    for path in ("audio", "stems/vocals", "stems.zip") * 5:
        connection = http.client.HTTPConnection(urlsplit(lab.url).netloc, timeout=60)
        connection.request("GET", f"/api/tracks/song/{path}", headers={"Authorization": f"token {lab.token}"})
        connection.getresponse().read(10)
        connection.close()
    assert ask("song/audio").status == 200
    assert "Traceback" not in lab.said()


class _Endless(web.RequestHandler):
    """Sends for ever, a quarter of a megabyte at a time, and counts."""

    read = 0
    ended = False

    async def get(self) -> None:
        self.set_header("Content-Length", 1 << 40)
        await stream(self, self.blocks(), patience=1.5)
        type(self).ended = True

    def blocks(self) -> Iterator[bytes]:
        while True:
            type(self).read += 1
            yield bytes(1 << 18)


def test_who_takes_nothing_is_left_and_costs_one_block_meanwhile(caplog: pytest.LogCaptureFixture) -> None:
    async def stall() -> None:
        listening = netutil.bind_sockets(0, "127.0.0.1")
        server = httpserver.HTTPServer(web.Application([("/", _Endless)]))
        server.add_sockets(listening)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            client.connect(listening[0].getsockname())
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(30):
                for _ in range(20):  # a client who takes something now and then is kept
                    await asyncio.sleep(0.1)
                    for _ in range(64):
                        assert await loop.sock_recv(client, 1 << 16)
                assert not _Endless.ended
                read = _Endless.read
                while not _Endless.ended:
                    await asyncio.sleep(0.05)
            assert _Endless.read - read < 64, "the sockets' buffers took these"
            with contextlib.suppress(ConnectionError):
                while await loop.sock_recv(client, 1 << 20):
                    pass
        server.stop()

    asyncio.run(stall())
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
