"""Uploads through a real server: forms, and the tus protocol."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from simple_song import write_song
from uploading import BOUNDARY, PATCHED, Client, arrived, eventually, form, heard, metadata, part

from server_ext import uploads
from server_ext.uploads import Metadata, OpenUploads
from sfwidgets import Workbench
from sfwidgets.errors import NotFoundError

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from servers import start_lab

FORM = {"Content_Type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads") / "library"


@pytest.fixture(scope="module")
def client(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with start_lab(tmp_path_factory.mktemp("root"), library) as server:
        yield Client(server.url, server.token)
        assert "Traceback" not in server.said()


@pytest.fixture
def data(request: pytest.FixtureRequest, tmp_path: Path) -> bytes:
    """A song of a second, another for each test."""
    seed = int.from_bytes(hashlib.sha256(request.node.name.encode()).digest()[:3])
    return write_song(tmp_path / "song.wav", 1, seed=seed).read_bytes()


@pytest.fixture(autouse=True)
def _nothing_is_left(library: Path) -> Iterator[None]:
    yield
    eventually(lambda: arrived(library) == [])


def stored(library: Path, data: bytes) -> Path:
    digest = hashlib.sha256(data).hexdigest()
    return library / "audio" / "local" / digest[:2] / f"{digest}.wav"


def total(client: Client) -> int:
    return int(client.ask("GET", "/api/tracks").json["total"])


# -- forms ---------------------------------------------------------------------------------------------------------------


def test_a_form_makes_a_track(client: Client, library: Path, data: bytes) -> None:
    answer = client.send(
        form(
            part("artist", "Die Ärzte"),
            part("file", data, "song.wav"),
            part("title", "Lied"),
            part("other", "x" * 99999),
        )
    )
    assert answer.status == 201, answer.body
    track = answer.json
    assert (track["title"], track["artist"], track["album"]) == ("Lied", "Die Ärzte", "")
    assert (track["duration"], track["sampleRate"], track["channels"]) == (1.0, 44100, 2)
    assert track["id"] == hashlib.sha256(data).hexdigest()[:16]
    assert answer.headers["Location"] == f"/api/tracks/{track['id']}"
    assert client.ask("GET", answer.headers["Location"]).json == track
    assert stored(library, data).read_bytes() == data


def test_the_same_file_twice_is_one_track(client: Client, data: bytes) -> None:
    first, before = client.send_file(data, "a.wav"), total(client)
    again = client.send_file(data, "b.wav", title="")
    assert (again.status, again.json) == (201, first.json)
    assert total(client) == before


def test_an_id_may_be_given_and_is_taken_once(client: Client, data: bytes, tmp_path: Path) -> None:
    assert client.send_file(data, "a.wav", trackId="mine_1").json["id"] == "mine_1"
    other = write_song(tmp_path / "other.wav", 1, seed=1).read_bytes()
    assert client.send_file(other, "b.wav", trackId="mine_1").code == (409, "track_exists")


def test_a_body_may_come_in_chunks_cut_anywhere(client: Client, data: bytes) -> None:
    body = form(part("title", "Chunks"), part("file", data, "a.wav"))
    cuts = [0, 1, 30, 70, 120, 121, 40_000, len(body) - len(BOUNDARY), len(body) - 3, len(body)]
    answer = client.send((body[start:end] for start, end in pairwise(cuts)))
    assert (answer.status, answer.json["title"]) == (201, "Chunks")


SONG = part("file", b"RIFF", "a.wav")


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (form(part("title", "x")), FORM, 400, "no_file"),
        (form(), FORM, 400, "no_file"),
        (b"", FORM, 400, "bad_form"),
        (form(part("file", b"", "")), FORM, 400, "no_file"),
        (form(part("file", b"RIFF")), FORM, 400, "no_file"),
        (form(SONG, SONG), FORM, 400, "two_files"),
        (form(SONG, part("title", "a"), part("title", "b")), FORM, 400, "bad_form"),
        (form(SONG, part("title", "x" * 8193)), FORM, 400, "bad_form"),
        (form(SONG, part("title", "x" * 1001)), FORM, 400, "invalid_input"),
        (form(SONG, part("title", b"\xff")), FORM, 400, "bad_form"),
        (form(SONG, part("trackId", "a b")), FORM, 400, "invalid_id"),
        (form(SONG, part("trackId", "")), FORM, 400, "invalid_id"),
        (form(SONG)[:-8], FORM, 400, "bad_form"),
        (form(part("file", b"RIFF", "a.wav", extra="X: " + "y" * 9999 + "\r\n")), FORM, 400, "bad_form"),
        (form(part("file", b"RIFF", "a.wav", extra="X: y\r\n" * 20)), FORM, 400, "bad_form"),
        (form(*[part("x", "y")] * 101, SONG), FORM, 400, "bad_form"),
        (form(SONG).replace(b"form-data;", b"attachment;"), FORM, 400, "bad_form"),
        (b"nonsense" * 1000, FORM, 400, "bad_form"),
        (form(SONG), {"Content_Type": "multipart/form-data"}, 400, "bad_form"),
        (form(SONG), {"Content_Type": "multipart/form-data; boundary=" + "x" * 300}, 400, "bad_form"),
        (form(SONG), {"Content_Type": "application/json"}, 415, "wrong_type"),
        (form(SONG), {**FORM, "Content_Encoding": "gzip"}, 415, "wrong_encoding"),
        (form(part("file", b"not music " * 99, "Mine.mp3")), FORM, 422, "audio_undecodable"),
        (form(part("file", b"", "Mine.mp3")), FORM, 422, "audio_empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_leaves_nothing(
    client: Client, library: Path, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    before = total(client)
    answer = client.send(body, **headers)
    assert answer.code == (status, code)
    assert status != 422 or "Mine.mp3" in answer.json["error"]
    assert arrived(library) == []
    assert total(client) == before


def test_too_much_is_refused_before_it_is_sent(client: Client) -> None:
    with client.form_by_hand(5 * 2**30) as end:
        assert heard(end).code == (413, "upload_too_large")


def test_whoever_may_not_come_in_hears_so_however_much_is_being_sent(client: Client, library: Path) -> None:
    body = form(part("file", bytes(60_000_000), "a.wav"))
    assert client.send(body, token="wrong").code == (401, "not_signed_in")
    assert client.send(body, Origin="https://example.org").code == (403, "refused")
    assert client.send(body, Content_Encoding="br").code == (415, "wrong_encoding")
    assert client.send((SONG, SONG, *[bytes(10_000_000)] * 6)).code == (400, "two_files")
    assert client.send(body, token="wrong").headers["Connection"] == "close"


# -- tus -----------------------------------------------------------------------------------------------------------------


def test_the_protocol_from_beginning_to_end(client: Client, library: Path, data: bytes) -> None:
    spoken = client.ask("OPTIONS", "/api/uploads", token="").headers
    assert (spoken["Tus-Version"], spoken["Tus-Resumable"], spoken["Tus-Max-Size"]) == (
        "1.0.0",
        "1.0.0",
        str(4 * 2**30),
    )
    assert "termination" in spoken["Tus-Extension"].split(",")
    path = client.begin(len(data), filename="Lied ä.wav", artist="Ä", filetype="audio/wav", relativePath="null")
    begun = client.tus("HEAD", path).headers
    assert (begun["Upload-Offset"], begun["Upload-Length"], begun["Cache-Control"]) == ("0", str(len(data)), "no-store")
    assert metadata(artist="Ä") in begun["Upload-Metadata"]
    part_way = client.patch(path, 0, data[:70_000])
    assert (part_way.status, part_way.headers["Upload-Offset"], part_way.headers["Track-Id"]) == (204, "70000", None)
    assert part_way.headers["Upload-Expires"].endswith("GMT")
    assert client.patch(path, 0, data).code == (409, "wrong_offset")
    done = client.patch(path, 70_000, data[70_000:])
    assert (done.status, done.headers["Upload-Offset"]) == (204, str(len(data)))
    track = client.ask("GET", f"/api/tracks/{done.headers['Track-Id']}").json
    assert (track["title"], track["artist"]) == ("Lied ä", "Ä")
    assert stored(library, data).read_bytes() == data
    missed = client.tus("HEAD", path).headers
    assert (missed["Upload-Offset"], missed["Track-Id"]) == (str(len(data)), track["id"])
    assert client.patch(path, len(data), b"").headers["Track-Id"] == track["id"]


def test_what_came_before_a_connection_broke_is_kept(client: Client, library: Path, data: bytes) -> None:
    path = client.begin(len(data), filename="a.wav")
    with client.patch_by_hand(path, 0, len(data)) as end:
        end.sendall(data[:100_001])
        eventually(lambda: arrived(library) == [100_001])
    assert client.offset(path) == 100_001
    assert client.patch(path, 100_001, data[100_001:]).headers["Track-Id"]
    assert stored(library, data).read_bytes() == data


def test_the_last_request_to_ask_is_the_one_that_writes(client: Client, library: Path, data: bytes) -> None:
    path = client.begin(len(data), filename="a.wav")
    with client.patch_by_hand(path, 0, len(data)) as old:
        old.sendall(data[:5000])
        eventually(lambda: arrived(library) == [5000])
        offset = client.offset(path)
        old.sendall(b"x" * 1000)
        assert heard(old).code == (409, "upload_elsewhere")
    assert client.patch(path, offset, data[offset:]).headers["Track-Id"]
    assert stored(library, data).read_bytes() == data


def test_an_upload_may_begin_with_its_bytes_and_use_post_for_all(client: Client, data: bytes) -> None:
    given = {"Upload_Length": str(len(data)), "Content_Type": PATCHED}
    whole = client.tus("POST", body=data, Upload_Metadata=metadata(title="Whole"), **given)
    assert (whole.status, whole.headers["Upload-Offset"]) == (201, str(len(data)))
    assert client.ask("GET", f"/api/tracks/{whole.headers['Track-Id']}").json["title"] == "Whole"
    begun = client.tus("POST", body=data[:999], **given)
    assert (begun.status, begun.headers["Upload-Offset"], begun.headers["Track-Id"]) == (201, "999", None)
    path, override = begun.headers["Location"], {"X_HTTP_Method_Override": "PATCH"}
    done = client.tus("POST", path, data[999:], Upload_Offset="999", Content_Type=PATCHED, **override)
    assert (done.status, done.headers["Track-Id"]) == (204, whole.headers["Track-Id"])


def test_an_upload_can_be_ended(client: Client, library: Path, data: bytes) -> None:
    path = client.begin(len(data))
    client.patch(path, 0, data[:1000])
    assert client.tus("DELETE", path).status == 204
    assert arrived(library) == []
    assert client.tus("HEAD", path).status == 404
    assert client.patch(path, 1000, data[1000:]).code == (404, "upload_not_found")
    assert client.tus("DELETE", path).code == (404, "upload_not_found")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"Upload_Length": "-1"}, 400),
        ({"Upload_Length": "1e3"}, 400),
        ({"Upload_Length": "9" * 5000}, 400),
        ({"Upload_Length": "0"}, 400),
        ({"Upload_Defer_Length": "1"}, 400),
        ({"Upload_Length": str(4 * 2**30 + 1)}, 413),
        ({"Upload_Length": "10", "Upload_Metadata": "filename ???"}, 400),
        ({"Upload_Length": "10", "Upload_Metadata": "title /w=="}, 400),
        ({"Upload_Length": "10", "Upload_Metadata": metadata(trackId="../x")}, 400),
        ({"Upload_Length": "10", "Upload_Metadata": metadata(title="x" * 1001)}, 400),
        ({"Upload_Length": "10", "Upload_Metadata": metadata(title="x" * 9000)}, 400),
        ({"Upload_Length": "10", "Tus_Resumable": "0.2.2"}, 412),
        ({"Upload_Length": "10", "Tus_Resumable": ""}, 412),
    ],
)  # fmt: skip
def test_an_upload_that_can_not_be_is_refused(
    client: Client, library: Path, headers: dict[str, str], status: int
) -> None:
    answer = client.tus("POST", **headers)
    assert answer.code[0] == status
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert status != 412 or answer.headers["Tus-Version"] == "1.0.0"
    assert arrived(library) == []


def test_a_part_that_can_not_be_is_refused_and_the_upload_stays(client: Client, data: bytes) -> None:
    path, given = client.begin(len(data)), {"Upload_Offset": "0", "Content_Type": PATCHED}
    assert client.tus("PATCH", path, b"x", **{**given, "Content_Type": "audio/wav"}).code == (415, "wrong_type")
    assert client.tus("PATCH", path, b"x", **given, Content_Encoding="gzip").code == (415, "wrong_encoding")
    assert client.tus("PATCH", path, b"x", Content_Type=PATCHED).code[0] == 400
    assert client.tus("PATCH", path, b"x", **{**given, "Upload_Offset": "1"}).code == (409, "wrong_offset")
    assert client.patch(path, 0, data + b"x").code == (400, "upload_broken")
    assert client.tus("PATCH", path, b"x", **given, Tus_Resumable="2.0.0").code == (412, "wrong_version")
    assert client.offset(path) == 0
    assert client.patch(path, 0, data).headers["Track-Id"]
    path = client.begin(len(data))
    assert client.tus("PATCH", path, iter([data[:5], b"x" * len(data)]), **given).code == (400, "upload_broken")
    assert client.tus("DELETE", path).status == 204


def test_what_is_no_audio_is_gone_and_so_is_what_has_a_taken_id(client: Client, data: bytes) -> None:
    path = client.begin(100, filename="Notes.txt")
    answer = client.patch(path, 0, b"x" * 100)
    assert answer.code == (422, "audio_undecodable")
    assert "Notes.txt" in answer.json["error"]
    assert client.tus("HEAD", path).status == 404
    client.send_file(data, "a.wav", trackId="taken")
    song = data + bytes(4)
    path = client.begin(len(song), trackId="taken")
    assert client.patch(path, 0, song).code == (422, "track_exists"), "409 would make clients send it all again"


def test_there_are_only_so_many_open_uploads(client: Client) -> None:
    paths = [client.begin(10) for _ in range(20)]
    refused = client.tus("POST", Upload_Length="10")
    assert refused.code == (429, "too_many_uploads")
    assert int(refused.headers["Retry-After"]) > 0
    client.tus("DELETE", paths.pop())
    paths.append(client.begin(10))
    for path in paths:
        assert client.tus("DELETE", path).status == 204


def test_uploads_are_for_their_owner_and_not_for_ever(
    wb: Workbench, song: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, here = OpenUploads(20), wb.settings.library
    idle = opened.begin("ann", 10, Metadata.parse(""), wb.upload, None)
    assert opened.find("ann", idle.id) is idle
    with pytest.raises(NotFoundError):
        opened.find("bob", idle.id)
    opened.write(idle, None, b"x" * 4)
    content = song(1).read_bytes()
    monkeypatch.setattr(uploads, "MAX_FINISHED", 2)
    done = [opened.begin("ann", len(content), Metadata.parse(""), wb.upload, None) for _ in range(3)]
    for each in done:
        opened.write(each, None, content)
    with pytest.raises(NotFoundError):
        opened.find("ann", done[0].id)
    assert opened.find("ann", done[2].id).track_id == hashlib.sha256(content).hexdigest()[:16]
    later = time.time() + uploads.IDLE_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(NotFoundError):
        opened.find("ann", idle.id)
    assert arrived(here) == []
    opened.begin("ann", 10, Metadata.parse(""), wb.upload, None)
    opened.close()
    assert arrived(here) == []
