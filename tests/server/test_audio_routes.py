"""The audio routes of the server extension, in a real JupyterLab that loaded it by itself."""

from __future__ import annotations

import http.client
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile

from sfwidgets import Workbench
from sfwidgets.jobs import stop_cluster

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from servers import Server, start_lab


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


Ask = Callable[..., Answer]


def write_noise(path: Path, seconds: int) -> Path:
    noise = 0.2 * np.random.default_rng(seconds).standard_normal((seconds * 44100, 2))
    soundfile.write(path, noise.astype(np.float32), 44100)
    return path


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    folder = tmp_path_factory.mktemp("routes")
    with Workbench(folder / "library") as wb:
        track = wb.add(write_noise(folder / "song.wav", 3), id="song", title="Song")
        wb.add(write_noise(folder / "bare.wav", 1), id="bare", title="Bare")
        wb.separate(track, "embedded").wait()
        yield wb
    stop_cluster(wb.settings)


@pytest.fixture(scope="module")
def lab(library: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with start_lab(tmp_path_factory.mktemp("root"), library.settings.library) as server:
        yield server


@pytest.fixture
def ask(lab: Server) -> Ask:
    def asked(path: str, method: str = "GET", *, token: str | None = lab.token, **headers: str) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            given["Authorization"] = f"token {token}"
        connection = http.client.HTTPConnection(urlsplit(lab.url).netloc, timeout=60)
        connection.request(method, path, headers=given)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    return asked


@pytest.fixture(scope="module")
def vocals(library: Workbench) -> str:
    return f"/api/tracks/song/stems/{library.stems('song').id}/vocals.wav"


def test_a_stem_is_a_wav_file_of_its_frames(ask: Ask, vocals: str, library: Workbench) -> None:
    answer = ask(vocals)
    assert answer.status == 200
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"].startswith("private")
    heard, rate = soundfile.read(io.BytesIO(answer.body), dtype="int16")
    reader = library.reader("song", "vocals")
    assert (rate, heard.shape) == (reader.sample_rate, (reader.frames, 2))
    assert np.array_equal(heard, reader.read(0, reader.frames))
    assert np.abs(heard).max() > 0


def test_the_mixture_lies_beside_the_stems(ask: Ask, vocals: str, library: Workbench) -> None:
    mixture = ask("/api/tracks/song/mixture.wav")
    assert mixture.status == 200
    assert mixture.body == ask(f"/api/tracks/song/mixture.wav?set={library.stems('song').id}").body
    assert len(mixture.body) == len(ask(vocals).body)
    assert mixture.headers["etag"] != ask(vocals).headers["etag"]
    assert soundfile.info(io.BytesIO(ask("/api/tracks/bare/mixture.wav").body)).frames == 44100


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=0-99", slice(0, 100)),
        ("bytes=40-49", slice(40, 50)),
        ("bytes=101-300000", slice(101, 300001)),
        ("bytes=300003-", slice(300003, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=-99999999999", slice(None)),
        ("bytes=100-99999999999", slice(100, None)),
        ("BYTES = 4 - 7", slice(4, 8)),
    ],
)
def test_a_range_gives_just_that_part(ask: Ask, vocals: str, asked: str, part: slice) -> None:
    whole = ask(vocals).body
    answer = ask(vocals, Range=asked)
    assert answer.status == 206
    assert answer.body == whole[part]
    first, last, _ = part.indices(len(whole))
    assert answer.headers["content-range"] == f"bytes {first}-{last - 1}/{len(whole)}"
    assert int(answer.headers["content-length"]) == len(answer.body)


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=99999999-999999999", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused_with_the_size(ask: Ask, vocals: str, asked: str) -> None:
    size = int(ask(vocals, "HEAD").headers["content-length"])
    answer = ask(vocals, Range=asked)
    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{size}"
    assert json.loads(answer.body)["code"] == "bad_range"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,5-6", "bytes=9-3", "bytes=-", "bytes=", "bytes", "frames=0-3", "bytes=a-b", "bytes=0x1-0x2", "bytes=1--2",
        "bytes=-1-2", "=", "bytes=٣-٤".encode().decode("latin-1"), "bytes=" + "9" * 5000 + "-", "bytes=" + "0-1," * 1000,
    ],
)  # fmt: skip
def test_nonsense_for_a_range_gives_the_whole(ask: Ask, vocals: str, asked: str) -> None:
    answer = ask(vocals, Range=asked)
    assert answer.status == 200
    assert answer.body == ask(vocals).body


def test_if_range_gives_the_part_only_of_what_is_known(ask: Ask, vocals: str) -> None:
    tag = ask(vocals, "HEAD").headers["etag"]
    assert tag.startswith('"')
    assert ask(vocals, Range="bytes=0-9", If_Range=tag).status == 206
    assert ask(vocals, Range="bytes=0-9", If_Range='"another"').status == 200
    assert ask(vocals, Range="bytes=0-9", If_Range=f"W/{tag}").status == 200
    assert ask(vocals, Range="bytes=0-9", If_Range="Sun, 22 Nov 2026 00:00:00 GMT").status == 200


def test_head_says_all_but_the_bytes(ask: Ask, vocals: str) -> None:
    answer = ask(vocals, "HEAD", Range="bytes=0-9")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) == len(ask(vocals).body)


def test_what_is_known_is_not_sent_again(ask: Ask, vocals: str) -> None:
    tag = ask(vocals, "HEAD").headers["etag"]
    for method in ("GET", "HEAD"):
        for known in (tag, f'"other", W/{tag}', "*"):
            answer = ask(vocals, method, If_None_Match=known, Range="bytes=0-9")
            assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
    assert ask(vocals, If_None_Match='"other"').status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/tracks/nobody/mixture.wav", 404),
        ("/api/tracks/bare/stems/{set}/vocals.wav", 404),
        ("/api/tracks/song/stems/{set}/kazoo.wav", 404),
        ("/api/tracks/song/stems/{set}/..%2F..%2Fvocals.wav", 404),
        ("/api/tracks/song/stems/nothing/vocals.wav", 404),
        ("/api/tracks/song/mixture.wav?set=nothing", 404),
        ("/api/tracks/so%00ng/mixture.wav", 400),
        ("/api/tracks/..%2Fsong/mixture.wav", 400),
        ("/api/tracks//mixture.wav", 400),
        ("/api/tracks/" + "a" * 65 + "/mixture.wav", 400),
        ("/api/tracks/s%C3%B6ng/mixture.wav", 400),
        ("/api/tracks/song/stems/..%2F../vocals.wav", 400),
        ("/api/tracks/song/mixture.wav?set=..%2F..", 400),
        ("/api/tracks/%FF/mixture.wav", 400),
    ],
)
def test_what_is_not_there_and_what_can_not_be_is_said_in_json(
    ask: Ask, library: Workbench, path: str, status: int
) -> None:
    answer = ask(path.format(set=library.stems("song").id))
    assert answer.status == status, answer.body
    said = json.loads(answer.body)
    assert said["error"]
    assert said["code"]
    assert "Traceback" not in answer.body.decode()


def test_without_signing_in_there_is_nothing_to_hear(ask: Ask, vocals: str) -> None:
    for method in ("GET", "HEAD"):
        assert ask(vocals, method, token=None).status == 401
        assert ask(vocals, method, token="wrong").status == 401
    assert json.loads(ask(vocals, token=None).body)["code"] == "not_signed_in"


def test_another_site_and_another_method_are_refused(ask: Ask, lab: Server, vocals: str) -> None:
    signed_in = ask(f"/lab?token={lab.token}", token=None).headers
    cookie = next(each for each in signed_in.get_all("set-cookie") if "username" in each).partition(";")[0]
    assert ask(vocals, token=None, Cookie=cookie).status == 200
    refused = ask(vocals, token=None, Cookie=cookie, Origin="https://example.org")
    assert (refused.status, json.loads(refused.body)["code"]) == (403, "refused")
    assert ask(vocals, Host="example.org").status == 403
    posted = ask(vocals, "POST")
    assert (posted.status, json.loads(posted.body)["code"]) == (405, "method_not_allowed")


def test_a_listener_who_leaves_harms_nobody(lab: Server, ask: Ask, vocals: str) -> None:
    for _ in range(20):
        connection = http.client.HTTPConnection(urlsplit(lab.url).netloc, timeout=60)
        connection.request("GET", vocals, headers={"Authorization": f"token {lab.token}"})
        connection.getresponse().read(10)
        connection.close()
    assert ask(vocals).status == 200
    assert "Traceback" not in lab.said()
