"""Uploads by clients who mean harm, or just go away: the server stays small, says no, and keeps nothing."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import soundfile
from simple_song import write_song
from uploading import BOUNDARY, Client, arrived, eventually, form, heard, part

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from servers import Server, start_lab

SLOW = 2.0
MB = 2**20


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "library"


@pytest.fixture(scope="module")
def server(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pace = f"--ServerApp.tornado_settings={{'soundforge_upload_pace': ({SLOW}, 1000)}}"
    with start_lab(tmp_path_factory.mktemp("root"), library, options=(pace,)) as server:
        yield server
        assert "Traceback" not in server.said()


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    found = Client(server.url, server.token)
    found.ask("GET", "/api/tracks")  # the library is open
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_song(tmp_path_factory.mktemp("song") / "song.wav", 1).read_bytes()


@pytest.fixture
def memory(server: Server, client: Client) -> Iterator[None]:
    """Sees to it that the server takes no more than 60 MB meanwhile."""
    del client
    status = Path(f"/proc/{server.process.pid}/status")

    def peak() -> int:
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM:"))

    before = peak()
    yield
    assert peak() - before < 60_000, "kB"


def kept(library: Path) -> list[str]:
    """Return all files of audio in the library, and all that are on their way into it."""
    return sorted(str(file) for area in ("audio", "tmp") for file in (library / area).rglob("*") if file.is_file())


# -- slow ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"x"])
def test_a_form_that_comes_too_slowly_is_given_up(client: Client, library: Path, sent: bytes) -> None:
    with client.form_by_hand(10**9) as end:
        end.sendall(part("file", b"RIFF" * 5000, "a.wav")[:-2])
        eventually(lambda: arrived(library))
        end.settimeout(0.1)
        began = time.monotonic()
        while time.monotonic() < began + 20:
            end.sendall(sent)
            with contextlib.suppress(TimeoutError):
                end.recv(1, socket.MSG_PEEK)
                break
        end.settimeout(20)
        answer = heard(end)
    assert answer.code == (408, "too_slow")
    assert answer.headers["Connection"] == "close"
    eventually(lambda: arrived(library) == [])


def test_a_slow_part_is_given_up_too_and_what_came_is_kept(client: Client, library: Path, data: bytes) -> None:
    path = client.begin(len(data))
    with client.patch_by_hand(path, 0, len(data)) as end:
        end.sendall(data[:50_000])
        assert heard(end).code == (408, "too_slow")
    assert client.offset(path) == 50_000
    assert client.patch(path, 50_000, data[50_000:]).headers["Track-Id"]


# -- files that are not what they seem -----------------------------------------------------------------------------------


def atom(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def syncsafe(number: int) -> bytes:
    return bytes([number >> shift & 127 for shift in (21, 14, 7, 0)])


def squeezed(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(MB)) for _ in range(megabytes)) + packer.flush()


def bomb_zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("song.wav", "w") as entry:
        for _ in range(500):
            entry.write(bytes(MB))
    return packed.getvalue()


def bomb_quicktime() -> bytes:
    """A header that becomes half a gigabyte when it is unpacked."""
    packed = atom(b"dcom", b"zlib") + atom(b"cmvd", struct.pack(">I", 500 * MB) + squeezed(500))
    return atom(b"ftyp", b"qt  \0\0\0\0qt  ") + atom(b"moov", atom(b"cmov", packed)) + atom(b"mdat", bytes(1000))


def bomb_id3(mp3: bytes) -> bytes:
    """A tag that becomes a quarter of a gigabyte when it is unpacked."""
    frame = syncsafe(250 * MB) + squeezed(250)
    tag = b"TIT2" + syncsafe(len(frame)) + b"\x00\x09" + frame
    return b"ID3\x04\0\0" + syncsafe(len(tag)) + tag + mp3


def bomb_cover(flac: bytes) -> bytes:
    """A cover that becomes a gigabyte when it is drawn."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    size = struct.pack(">IIBBBBB", 16000, 16000, 8, 6, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", squeezed(977)) + chunk(b"IEND", b"")
    picture = struct.pack(">II9sIIIIII", 3, 9, b"image/png", 0, 1, 1, 32, 0, len(png)) + png
    return b"fLaC\0" + flac[5:42] + b"\x86" + struct.pack(">I", len(picture))[1:] + picture


@pytest.fixture(scope="module")
def encoded(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder, (heard_, rate) = tmp_path_factory.mktemp("encoded"), soundfile.read(io.BytesIO(data))
    for kind in ("mp3", "flac"):
        soundfile.write(folder / f"a.{kind}", heard_, rate)
    return {kind: (folder / f"a.{kind}").read_bytes() for kind in ("mp3", "flac")}


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("which", ["zip", "zip as mp3", "quicktime", "id3", "huge tag", "huge block"])
def test_a_bomb_is_refused_and_does_no_harm(
    client: Client, library: Path, encoded: dict[str, bytes], which: str
) -> None:
    content, name = {
        "zip": lambda: (bomb_zip(), "42.zip"),
        "zip as mp3": lambda: (bomb_zip(), "song.mp3"),
        "quicktime": lambda: (bomb_quicktime(), "song.mov"),
        "id3": lambda: (bomb_id3(encoded["mp3"]), "song.mp3"),
        "huge tag": lambda: (b"ID3\x04\0\0" + b"\x7f" * 4 + encoded["mp3"], "song.mp3"),
        "huge block": lambda: (b"fLaC\x84\xff\xff\xff" + b"\xff" * 4 + encoded["flac"][42:], "song.flac"),
    }[which]()
    before = kept(library)
    answer = client.send_file(content, name)
    assert answer.code == (422, "audio_undecodable")
    assert name in answer.json["error"]
    assert kept(library) == before


@pytest.mark.usefixtures("memory")
def test_a_cover_that_is_a_bomb_is_never_drawn(client: Client, encoded: dict[str, bytes]) -> None:
    answer = client.send_file(bomb_cover(encoded["flac"]) + b"\x81\0\0\0" + encoded["flac"][42:], "song.flac")
    assert answer.status == 201


@pytest.mark.usefixtures("memory")
def test_a_body_that_is_packed_is_not_unpacked(client: Client, library: Path) -> None:
    for encoding in ("gzip", "deflate", "br", "gzip, gzip"):
        assert client.send(squeezed(100), Content_Encoding=encoding).code == (415, "wrong_encoding")
    assert arrived(library) == []


# -- names ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("../../../../outside.wav", "outside"),
        ("/tmp/outside.wav", "outside"),
        ("..\\..\\outside.wav", "outside"),
        ("a\0b.wav", "a b"),
        ("🎸🔥.wav", "🎸🔥"),
        ("..", ".."),
        ("x" * 4000, "x" * 200),
        ("file:///etc/passwd", "passwd"),
        ("con.wav:stream", "con"),
        ("%2e%2e%2fx.wav", "%2e%2e%2fx"),
    ],
)
def test_a_name_names_no_place(client: Client, library: Path, tmp_path: Path, name: str, title: str) -> None:
    song = write_song(tmp_path / "song.wav", 1, seed=zlib.crc32(name.encode()) & 0xFFFF).read_bytes()
    around = set(library.parent.iterdir())
    answer = client.send_file(song, name)
    assert (answer.status, answer.json["title"]) == (201, title)
    assert set(library.parent.iterdir()) == around
    assert not list(Path("/tmp").glob("outside*"))


def test_a_name_without_end_is_refused(client: Client, data: bytes) -> None:
    assert client.send_file(data, "x" * 10_000).code == (400, "bad_form")


# -- lengths that are lies, and clients who leave ------------------------------------------------------------------------


def test_a_length_that_is_too_small_cuts_the_form(client: Client, library: Path, data: bytes) -> None:
    body = form(part("file", data, "a.wav"))
    before = kept(library)
    with client.form_by_hand(len(body) - 100) as end:
        end.sendall(body)
        assert heard(end).code == (400, "bad_form")
    assert kept(library) == before


@pytest.mark.parametrize("length", ["5, 6", "-5", "5\r\nContent-Length: 6", "0x10", "9" * 30])
def test_a_length_that_is_none_is_refused(client: Client, library: Path, length: str) -> None:
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    with client.by_hand("POST", "/api/tracks", 0, Content_Length=length, Content_Type=kind) as end:
        assert heard(end).status in (400, 413)
    assert arrived(library) == []


def test_a_hundred_uploads_that_break_off_leave_nothing(
    client: Client, library: Path, server: Server, data: bytes
) -> None:
    body = form(part("file", data, "a.wav"))
    before = kept(library)

    def break_off(number: int) -> None:
        reset = number % 2
        with client.form_by_hand(len(body)) as end:
            end.sendall(body[: len(body) * (number + 1) // 101])
            if reset:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with ThreadPoolExecutor(25) as pool:
        list(pool.map(break_off, range(100)))
    eventually(lambda: not list((library / "tmp").iterdir()))
    assert kept(library) == before
    process = psutil.Process(server.process.pid)
    eventually(lambda: process.num_fds() < 100)
    assert client.send_file(data, "a.wav").status == 201


@pytest.mark.soak
def test_a_large_file_needs_no_more_memory_than_a_small_one(client: Client, server: Server, data: bytes) -> None:
    def pieces() -> Iterator[bytes]:
        yield part("file", data, "long.wav")[:-2]
        for _ in range(300):
            yield os.urandom(MB)
        yield b"\r\n" + form()

    process = psutil.Process(server.process.pid)
    client.send_file(data, "a.wav")
    before = process.memory_info().rss
    status = Path(f"/proc/{process.pid}/status")
    assert client.send(pieces()).status == 201
    peak = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM:")) * 1024
    print(f"before {before / 1e6:.0f} MB, peak {peak / 1e6:.0f} MB")
    assert peak - before < 30e6
