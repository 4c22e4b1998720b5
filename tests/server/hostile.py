"""What the tests of hostile requests send, and a client that sends bytes as they are."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from browser.servers import Server

MB = 1_000_000
JSON_PATHS = {
    "/api/analyze/analyze": {"trackId": "nothing"},
    "/api/process/separate": {"trackId": "nothing"},
    "/api/download/track": {"trackId": "nothing", "trackInfo": {"title": "Song"}},
    "/api/spotify/fetch": {"url": "https://evil.org/"},
    "/api/process/models/download": {"modelName": "nonesuch"},
}
"""What takes JSON, and something to send there that starts nothing."""

BAD_IN_PATHS = [
    "", ".", "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%2Fetc%2Fpasswd", "..%5c..%5cwindows", "%00", "song%00",
    "song%0a",
    "song%0d%0aSet-Cookie:%20a=b", "x" * 65, "x" * 10_000, "%20song", "song.wav", "%C3%A9", "%F0%9F%8E%B5", "%ED%A0%80",
    "%FF",
    "%", "%zz", "%u0041", "song;ls", "$(id)", "`id`", "'%20OR%20'1'='1", "*", "~", "song%23", "%E2%80%AEgnos",
    "%252e%252e",
]  # fmt: skip

ID = "11dFghVXANMlKmJXsNCbNl"
LINKS = [
    "", " ", "http://", "https://open.spotify.com", "https://open.spotify.com/",
    f"https://open.spotify.com/artist/{ID}",
    f"https://open.spotify.com.evil.org/track/{ID}", f"https://evil.org/open.spotify.com/track/{ID}",
    f"https://evil.org/?https://open.spotify.com/track/{ID}", f"https://evil.org#open.spotify.com/track/{ID}",
    f"https://open.spotify.com@evil.org/track/{ID}", f"https://user:pass@open.spotify.com/track/{ID}",
    f"https://open.spotify.com:22/track/{ID}", f"https://evilspotify.com/track/{ID}",
    f"https://open-spotify.com/track/{ID}",
    f"https://open.spotify.com\\@evil.org/track/{ID}", f"https://open.spotify.com/track/{ID}/../../evil",
    f"//evil.org/track/{ID}",
    f"https://open.spotify.com/track/{ID};id", f"https://open.spotify.com/track/{ID}$(id)",
    "https://open.spotify.com/track/`id`",
    f"https://open.spotify.com/track/{ID} --output /etc/passwd",
    f"--config=/etc/passwd https://open.spotify.com/track/{ID}",
    f"https://open.spotify.com/track/{ID}\nhttps://evil.org", f"https://open.spotify.com/track/{ID}\r\nHost: evil.org",
    f"https://open.spotify.com/track/{ID}\0", f"https://open.spotify.com/track/{ID}'",
    f'https://open.spotify.com/track/{ID}"',
    f"https://open.spotify.com/track/{ID}|id", f"https://open.spotify.com/track/{ID}&&id",
    "https://open.spotify.com/track/",
    "https://open.spotify.com/track/..", "https://open.spotify.com/track/%2e%2e",
    f"https://open.spotify.com/track/{'x' * 65}",
    "file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "gopher://127.0.0.1:6379/_",
    f"ftp://open.spotify.com/track/{ID}",
    "http://127.0.0.1/", "http://localhost:8888/api/kernels", "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/",
    "http://10.0.0.1/", "http://0x7f000001/", "/etc/passwd", "spotify:track:", "spotify:track:../..",
    f"spotify:user:x:playlist:{ID}",
    f"spotify:track:{ID}\n--output=/tmp/x", f"https://open.spоtify.com/track/{ID}",
    f"https://open。spotify。com/track/{ID}",
    f"https://open.spotify.com/trаck/{ID}", "x" * 2001, f"https://open.spotify.com/track/{ID}?" + "x" * 5000,
]  # fmt: skip

DEEP = 100_000
NO_JSON = {
    "empty": b"", "blank": b"  \n ", "cut off": b'{"trackId": "noth', "two": b"{}{}",
    "comma": b'{"trackId": "nothing",}',
    "single quotes": b"{'trackId': 'nothing'}", "comment": b'{"trackId": "nothing"} // x', "form": b"trackId=nothing",
    "html": b"<html>",
    "array": b"[]", "text": b'"nothing"', "number": b"1", "null": b"null", "true": b"true", "NaN": b"NaN",
    "byte order mark": b'\xef\xbb\xbf{"trackId": "nothing"}', "UTF-16": '{"trackId": "nothing"}'.encode("utf-16"),
    "UTF-32": '{"trackId": "nothing"}'.encode("utf-32-le"),
    "Latin-1": '{"trackId": "nothing", "é": "é"}'.encode("latin-1"),
    "NUL": b'{"trackId": "nothing"}\0', "random": bytes(range(256)), "gzip": gzip.compress(b'{"trackId": "nothing"}'),
    "control character": b'{"trackId": "nothing", "x": "\x01"}', "surrogate": b'{"trackId": "nothing", "x": "\\ud800"}',
    "surrogate key": b'{"trackId": "nothing", "\\udfff": 1}',
    "bare surrogate": b'{"trackId": "nothing", "x": "\xed\xa0\x80"}',
    "arrays": b"[" * DEEP, "objects": b'{"a":' * DEEP,
    "whole arrays": b'{"trackId": "nothing", "x": %s}' % (b"[" * DEEP + b"]" * DEEP),
    "whole objects": b'{"trackId": "nothing", "x": %s}' % (b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "NaN within": b'{"trackId": "nothing", "x": NaN}', "infinity within": b'{"trackId": "nothing", "x": [-Infinity]}',
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def refused(self, *statuses: int) -> None:
        """Check that this is one of the statuses, in the contract's form."""
        assert self.status in statuses, (self.status, self.body[:500])
        assert self.headers["Content-Type"].lower() == "application/json; charset=utf-8"
        said = json.loads(self.body)
        assert {"error", "code"} <= set(said) <= {"error", "code", "details"}
        assert re.fullmatch(r"[a-z_]+", said["code"])
        assert "\n" not in said["error"]
        assert not re.search(r"Traceback|\.py\b|Error\b|object at 0x|<html", said["error"]), said
        assert len(self.body) < 5000


class Client:
    """Sends bytes as they are."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.address = (urlsplit(server.url).hostname, urlsplit(server.url).port)

    def head(self, method: str, target: str, *headers: bytes) -> bytes:
        """Return the beginning of a request, up to its body."""
        lines = [
            f"{method} {target} HTTP/1.1".encode(),
            b"Host: %s:%d" % (str(self.address[0]).encode(), self.address[1]),
        ]
        lines += [f"Authorization: token {self.server.token}".encode(), *headers]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def __call__(self, method: str, target: str, body: Any = None, *headers: bytes) -> Answer:
        """Return the answer to a request; a body that is not bytes is sent as JSON."""
        sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        own = () if body is None else (b"Content-Type: application/json", b"Content-Length: %d" % len(sent))
        with self.opened() as link:
            link.sendall(self.head(method, target, *own, *headers) + sent)
            return self.read(link, method)

    @contextlib.contextmanager
    def opened(self) -> Iterator[socket.socket]:
        """Open a connection."""
        with socket.create_connection(self.address, timeout=30) as link:
            yield link

    def read(self, link: socket.socket, method: str = "GET") -> Answer:
        """Read one answer."""
        answer = http.client.HTTPResponse(link, method=method)
        answer.begin()
        return Answer(answer.status, answer.headers, answer.read())
