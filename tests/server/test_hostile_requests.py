"""What only an attacker, or a broken client, sends: refused in JSON with the right status, and nothing comes of it."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
from browser.servers import Server, start_lab
from hostile import BAD_IN_PATHS, JSON_PATHS, LINKS, MB, NO_JSON, Client
from simple_song import write_song

from sfwidgets import Workbench


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for name in ("root", "tmp"):
        (folder / name).mkdir()
    with Workbench(folder / "library") as wb:
        wb.add(write_song(folder / "song.wav", 0.5), id="song", title="Song")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    own = {"TMPDIR": str(folder / "tmp"), "SOUNDFORGE_OFFLINE": "true"}
    with start_lab(folder / "root", folder / "library", environment=own) as server:
        client = Client(server)
        assert client("GET", "/api/tracks").status == 200
        before, children = _listing(folder), _children(server)
        yield server
        assert client("GET", "/api/jobs").body == b'{"jobs":[]}'
        assert _listing(folder) == before
        assert _children(server) <= children
        assert "Traceback" not in server.said()
        assert " 500 " not in server.said()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    client = Client(server)
    yield client
    assert client("GET", "/api/tracks/song").status == 200


def _listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.name.startswith("soundforge.db")}


def _children(server: Server) -> int:
    return len(psutil.Process(server.process.pid).children(recursive=True))


# -- ids -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", BAD_IN_PATHS, ids=lambda bad: bad[:20] or "empty")
def test_a_path_with_a_malformed_id_is_refused_by_every_operation(client: Client, bad: str) -> None:
    tus = (b"Tus-Resumable: 1.0.0", b"Upload-Offset: 0", b"Content-Type: application/offset+octet-stream")
    paths = json.loads(client("GET", "/openapi.json").body)["paths"]
    for path, methods in paths.items():
        for name in re.findall(r"\{(\w+Id)\}", path):
            target = path.replace(f"{{{name}}}", bad)
            for method in methods:
                asked = re.sub(r"\{\w+\}", "song", target)
                answer = client(method.upper(), asked, None, *tus)
                expected = (400, 404) if "uploads" in path or bad == "" else (400,)
                assert answer.status in expected, (method, asked[:100], answer.status, answer.body)
                if method != "head":
                    answer.refused(*expected)


@pytest.mark.parametrize("path", ["/api/analyze/analyze", "/api/process/separate", "/api/download/track"])
def test_a_body_with_a_malformed_track_id_is_refused(client: Client, path: str) -> None:
    bad = [
        "", ".", "..", "../song", "a/b", "a\\b", "song\0", "song\n", "song\r\n", " song", "é", "🎵", "x" * 65,
        "x" * 10_000,
        "\ud800", "song;ls", "$(id)", 7, 1.5, 10**5000 // 3 ** 9000, True, False, None, [], ["song"], {}, {"$ne": None},
    ]  # fmt: skip
    for track in bad:
        client("POST", path, {**JSON_PATHS[path], "trackId": track}).refused(400)


# -- links ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", LINKS, ids=lambda link: ascii(link[:40]))
def test_what_is_no_link_to_spotify_is_refused_before_anything_starts(client: Client, link: str) -> None:
    started = time.monotonic()
    client("POST", "/api/spotify/fetch", {"url": link}).refused(400)
    client("POST", "/api/download/track", {"trackId": "new", "spotifyUrl": link}).refused(400)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("link", [None, 7, True, [], ["x"], {}, {"href": "x"}])
def test_a_link_is_text(client: Client, link: Any) -> None:
    client("POST", "/api/spotify/fetch", {"url": link}).refused(400)
    client("POST", "/api/download/track", {"trackId": "new", "spotifyUrl": link}).refused(400)


# -- JSON ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", JSON_PATHS)
def test_what_is_no_json_object_is_refused(client: Client, path: str) -> None:
    for body in NO_JSON.values():
        client("POST", path, body.replace(b"trackId", b"url") if "fetch" in path else body).refused(400)


@pytest.mark.parametrize(
    "body",
    [
        b'{"trackId": "../..", "trackId": "nothing"}', b'{"trackId": "nothing", "__proto__": {"trackId": "song"}}',
        b'{"trackId": "nothing", "constructor": {"prototype": {}}}',
        b'{"trackId": "nothing", "path": "/etc/passwd", "file": "/etc/passwd", "owner": "other"}',
        b'{"trackId": "nothing", "x": 1e400}', b'{"trackId": "nothing", "x": 1e-5000}',
        b'{"trackId": "nothing", "": ""}',
        b'{"trackId": "nothing", "options": null}', b'{"trackId": "nothing", "x": "\\u0000"}',
        b'\t\r\n {"trackId": "nothing"} ',
    ],
    ids=lambda body: body[:50].decode(),
)  # fmt: skip
def test_what_json_allows_is_read_and_what_is_not_known_is_ignored(client: Client, body: bytes) -> None:
    client("POST", "/api/analyze/analyze", body).refused(404)
    client("POST", "/api/process/separate", body).refused(404)


@pytest.mark.parametrize(
    "options",
    [
        b'{"overlap": 1}', b'{"overlap": -0.1}', b'{"overlap": NaN}', b'{"overlap": 1e400}', b'{"overlap": "0.5"}',
        b'{"shifts": 1.5}',
        b'{"shifts": %s}' % (b"9" * 5000), b'{"shifts": true}', b'{"model": "%s"}' % (b"x" * 300),
        b'{"model": "../../x"}',
        b'{"model": "a\\u0000b"}', b'{"model": ["auto"]}', b'{"twoStems": "../vocals"}', b'{"twoStems": 1}',
        b'{"twoStems": {}}',
        b'{"extractVocals": "true"}', b'{"extractVocals": 1}', b"[]", b'""', b"0", b"true",
    ],
    ids=lambda options: options[:40].decode(),
)  # fmt: skip
def test_options_out_of_range_or_of_another_type_are_refused(client: Client, options: bytes) -> None:
    client("POST", "/api/process/separate", b'{"trackId": "song", "options": %s}' % options).refused(400)


def test_a_track_that_fetch_described_is_text_and_not_too_long(client: Client) -> None:
    for info in [
        {}, {"title": ""}, {"title": None}, {"title": 7}, {"title": "x" * 1001}, {"title": ["x"]},
        {"title": "x", "artist": {}},
        {"title": "x", "albumArt": "x" * 2001}, [], "x", 7, True, None,
    ]:  # fmt: skip
        client("POST", "/api/download/track", {"trackId": "new", "trackInfo": info}).refused(400)


def test_json_that_is_packed_is_refused(client: Client) -> None:
    packed = gzip.compress(json.dumps({"trackId": "nothing"}).encode())
    client("POST", "/api/analyze/analyze", packed, b"Content-Encoding: gzip").refused(400, 415)


# -- sizes ---------------------------------------------------------------------------------------------------------------


def test_a_body_may_have_a_megabyte_and_no_byte_more(client: Client) -> None:
    body = json.dumps({"trackId": "nothing", "x": ""}).encode()
    for size, status in ((MB, 404), (MB + 1, 413)):
        padded = body[:-2] + b"x" * (size - len(body)) + body[-2:]
        assert len(padded) == size
        client("POST", "/api/analyze/analyze", padded).refused(status)


@pytest.mark.parametrize("path", JSON_PATHS)
@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "in chunks"])
def test_a_body_of_a_hundred_megabytes_is_refused_and_never_held(client: Client, path: str, chunked: bool) -> None:
    peak = _new_peak(client.server)
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % (100 * MB)
    piece = b"x" * MB
    with client.opened() as link:
        link.sendall(client.head("POST", path, framing))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(100):
                link.sendall(b"%x\r\n%s\r\n" % (MB, piece) if chunked else piece)
            link.sendall(b"0\r\n\r\n" if chunked else b"")
        client.read(link).refused(413)
    assert _new_peak(client.server) - peak < 20 * MB


def test_a_large_body_is_refused_before_it_comes(client: Client) -> None:
    with client.opened() as link:
        link.sendall(client.head("POST", "/api/analyze/analyze", b"Content-Length: %d" % (100 * MB)))
        client.read(link).refused(413)


@pytest.mark.parametrize(
    "path", ["/api/process/job/nothing/cancel", "/api/tracks/nothing", "/api/tracks/a/b/c", "/api/jobs"]
)
def test_a_body_where_none_belongs_is_bounded_as_well(client: Client, path: str) -> None:
    with client.opened() as link:
        link.sendall(client.head("DELETE" if "tracks" in path else "POST", path, b"Content-Length: %d" % (100 * MB)))
        client.read(link).refused(404, 405, 413)


@pytest.mark.soak
def test_a_body_that_does_not_come_is_not_waited_for_for_ever(client: Client) -> None:
    with client.opened() as link:
        link.sendall(client.head("POST", "/api/analyze/analyze", b"Content-Length: 100") + b"{")
        link.settimeout(60)
        client.read(link).refused(408)


def _new_peak(server: Server) -> int:
    """Return the most memory that the server has held since this was last asked."""
    process = Path("/proc") / str(server.process.pid)
    peak = re.search(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())
    assert peak is not None
    (process / "clear_refs").write_text("5")
    return int(peak[1]) * 1024


# -- queries, headers, methods -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=-1", "limit=1001", "limit=many", "limit=", "limit=1.5", "limit=1e2", "limit=" + "9" * 5000,
        "limit=NaN",
        "limit=%D9%A3x", "limit=1%00", "limit[]=1&limit=x", "trackId=..", "trackId=%00", "trackId=", "trackId=a%2Fb",
        "trackId=" + "x" * 65,
        "kind=evil", "kind=", "kind=processing%27", "kind=%FF",
    ],
    ids=lambda query: query[:30],
)  # fmt: skip
def test_a_query_that_makes_no_sense_is_refused(client: Client, query: str) -> None:
    client("GET", f"/api/jobs?{query}").refused(400)


@pytest.mark.parametrize(
    "query",
    [
        "offset=-1", "offset=x", "offset=" + "9" * 30, "sort=evil", "sort=title;drop", "sort=", "search=" + "x" * 201,
        "search=%FF",
        "search=%ED%A0%80",
    ],
    ids=lambda query: query[:30],
)  # fmt: skip
def test_a_list_that_can_not_be_had_is_refused(client: Client, query: str) -> None:
    client("GET", f"/api/tracks?{query}").refused(400)


@pytest.mark.parametrize(
    "search",
    ["%", "_", "'", '"; drop table tracks; --', "\\", "a\0", "\0a", "*", "NEAR(", "a" * 200, "🎵", "\u202e", "%%%"],
)
def test_what_is_searched_for_is_only_text(client: Client, search: str) -> None:
    answer = client("GET", f"/api/tracks?search={quote(search)}")
    assert answer.status == 200
    assert json.loads(answer.body) == {"tracks": [], "total": 0}


def test_queries_that_nobody_knows_are_ignored(client: Client) -> None:
    assert client("GET", "/api/tracks?a=b&c[]=d&&&=&__proto__=1&;;").status == 200
    assert client("GET", "/api/tracks?" + "&".join(f"x{n}=1" for n in range(500))).status in (200, 400)


@pytest.mark.parametrize("method", ["TRACE", "FOO", "PROPFIND", "CONNECT", "get", "PUT", "X" * 1000])
def test_a_method_that_is_not_there_is_refused_with_those_that_are(client: Client, method: str) -> None:
    answer = client(method, "/api/tracks/song")
    answer.refused(405)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "PATCH", "DELETE", "OPTIONS"}


def test_head_has_no_body(client: Client) -> None:
    for path in ("/health", "/api/jobs", "/api/tracks/song", "/api/tracks/a/b/c"):
        assert client("HEAD", path).body == b""


@pytest.mark.parametrize(
    "injected",
    [
        b"X-A: b\r\n Set-Cookie: evil=1", b"X-A: b\rSet-Cookie: evil=1", b"X-A: b\nSet-Cookie: evil=1", b"X-A: b\x00c",
        b"X-A: \x01",
        b"X-A: \xff\xfe", b"X-A: " + "🎵".encode(), b"X-A: " + b"b" * 20_000,
        b"Access-Control-Request-Headers: x\r\n evil",
        b"Access-Control-Request-Headers: x\x01", b"Access-Control-Request-Headers: \xff",
        b"Access-Control-Request-Headers: x\x0bSet-Cookie: evil=1",
        b"Origin: http://evil.org\x0b", b"Range: \xff", b"Content-Type: \xff", b"X-Forwarded-Host: evil.org",
        b"Host: evil.org",
    ],
)  # fmt: skip
def test_headers_do_not_get_into_the_answer_where_they_do_not_belong(client: Client, injected: bytes) -> None:
    for method, path in (("OPTIONS", "/api/tracks/song"), ("GET", "/api/tracks/song"), ("GET", "/api/tracks/a/b/c")):
        with client.opened() as link:
            link.sendall(client.head(method, path, injected))
            try:
                answer = client.read(link, method)
            except (http.client.BadStatusLine, ConnectionResetError):
                continue  # the request is no HTTP, and the connection was closed
        assert answer.status < 500
        assert "evil" not in str(answer.headers.get("Set-Cookie"))
        assert b"evil" not in answer.body


def test_more_headers_than_anybody_needs_do_no_harm(client: Client) -> None:
    for many in ([b"X-%d: y" % n for n in range(900)], [b"X-A: " + b"y" * 200_000], [b"Cookie: " + b"a=b; " * 5000]):
        with client.opened() as link:
            link.sendall(client.head("GET", "/api/jobs", *many))
            with contextlib.suppress(http.client.BadStatusLine, ConnectionResetError):  # more than the server reads
                assert client.read(link).status in (200, 400, 431)


# -- framing -------------------------------------------------------------------------------------------------------------


def test_requests_in_a_row_are_answered_in_order(client: Client) -> None:
    body = b'{"trackId": "nothing"}'
    post = client.head("POST", "/api/analyze/analyze", b"Content-Length: %d" % len(body)) + body
    with client.opened() as link:
        link.sendall(client.head("GET", "/api/tracks/song") + post * 3 + client.head("GET", "/api/jobs"))
        stream = link.makefile("rb")
        said = [_next(stream) for _ in range(5)]
    assert [status for status, _ in said] == [200, 404, 404, 404, 200]
    assert json.loads(said[-1][1]) == {"jobs": []}


@pytest.mark.parametrize(
    "framing",
    [
        (b"Content-Length: 5", b"Content-Length: 6"), (b"Content-Length: -1",), (b"Content-Length: +22",),
        (b"Content-Length: 2_2",),
        (b"Content-Length: 0x16",), (b"Content-Length: 22, 23",), (b"Content-Length: " + b"9" * 5000,),
        (b"Content-Length: 22", b"Transfer-Encoding: chunked"), (b"Transfer-Encoding: xchunked",),
        (b"Transfer-Encoding: gzip, chunked",),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"), (b"Transfer-Encoding : chunked",),
    ],
)  # fmt: skip
def test_a_body_whose_end_is_not_clear_is_refused_and_nothing_after_it_is_read(
    client: Client, framing: tuple[bytes, ...]
) -> None:
    smuggled = client.head("GET", "/api/tracks/song")
    with client.opened() as link:
        link.sendall(client.head("POST", "/api/analyze/analyze", *framing) + b'{"trackId": "nothing"}' + smuggled)
        received = _all(link)
    assert received == b"" or received.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413"))
    assert received.count(b"HTTP/1.1 ") <= 1


def test_chunks_that_are_none_end_the_connection(client: Client) -> None:
    for chunks in (
        b"zz\r\nxx\r\n",
        b"-5\r\nxx\r\n",
        b"ffffffffffffffffff\r\nx\r\n",
        b"5;" + b"x" * 100_000 + b"\r\n",
        b"\r\n\r\n",
    ):
        with client.opened() as link:
            link.sendall(client.head("POST", "/api/analyze/analyze", b"Transfer-Encoding: chunked") + chunks)
            received = _all(link)
        assert received == b"" or received.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413"))


@pytest.mark.parametrize(
    "begun",
    [
        b"GET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"\r\n\r\n",
        b"GET /api/jobs\r\n\r\n",
        b"x" * 100_000,
    ],
)
def test_what_is_no_http_is_left(client: Client, begun: bytes) -> None:
    with client.opened() as link, contextlib.suppress(OSError):
        link.sendall(begun)
        link.shutdown(socket.SHUT_WR)
        link.settimeout(10)
        assert b" 200 " not in link.recv(65536)


def test_those_who_leave_in_the_middle_leave_nothing(client: Client) -> None:
    for _ in range(100):
        with client.opened() as link:
            link.sendall(client.head("POST", "/api/analyze/analyze", b"Content-Length: 1000") + b'{"trackId"')
    process = psutil.Process(client.server.process.pid)
    deadline = time.monotonic() + 10
    while any(link.status == psutil.CONN_CLOSE_WAIT for link in process.net_connections("tcp")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _all(link: socket.socket) -> bytes:
    """Return all that the server says until it closes; once it has begun to answer, it hears no more."""
    link.settimeout(10)
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := link.recv(65536):
            received += part
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_WR)
    return received


def _next(stream: Any) -> tuple[int, bytes]:
    """Return the status and the body of the next answer on a connection."""
    status = int(stream.readline().split()[1])
    headers = http.client.parse_headers(stream)
    return status, stream.read(int(headers["Content-Length"]))
