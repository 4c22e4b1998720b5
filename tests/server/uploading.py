"""A client of the upload routes: whole requests, forms, and requests that are sent by hand, byte by byte."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

BOUNDARY = "----a-boundary"
PATCHED = "application/offset+octet-stream"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> tuple[int, str]:
        """The status, and the error's code; there is a sentence, too."""
        assert self.json["error"].endswith((".", "Choose another file.")), self.json
        return self.status, self.json["code"]


def part(name: str, content: bytes | str, file_name: str | None = None, *, extra: str = "") -> bytes:
    called = "" if file_name is None else f'; filename="{file_name}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{called}\r\n{extra}\r\n'
    return head.encode() + (content.encode() if isinstance(content, str) else content) + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def metadata(**given: str) -> str:
    return ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in given.items())


@dataclass(frozen=True)
class Client:
    url: str
    token: str

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 80)

    def ask(self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str) -> Answer:
        """Send a request and return the answer; `Upload_Offset="0"` is the header Upload-Offset."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        token = self.token if token is None else token
        if token:
            given["Authorization"] = f"token {token}"
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        connection.request(method, path, body=body, headers=given)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def send(self, body: Any, **headers: str) -> Answer:
        """Send a form to `POST /api/tracks`."""
        kind = {"Content_Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return self.ask("POST", "/api/tracks", body, **{**kind, **headers})

    def send_file(self, content: bytes, name: str, **fields: str) -> Answer:
        return self.send(form(*(part(field, text) for field, text in fields.items()), part("file", content, name)))

    def tus(self, method: str, path: str = "/api/uploads", body: Any = None, **headers: str) -> Answer:
        return self.ask(method, path, body, **{"Tus_Resumable": "1.0.0", **headers})

    def begin(self, length: int, **given: str) -> str:
        """Begin a resumable upload; returns its path."""
        answer = self.tus("POST", Upload_Length=str(length), Upload_Metadata=metadata(**given))
        assert answer.status == 201, answer.body
        return str(answer.headers["Location"])

    def patch(self, path: str, offset: int, body: bytes) -> Answer:
        return self.tus("PATCH", path, body, Upload_Offset=str(offset), Content_Type=PATCHED)

    def offset(self, path: str) -> int:
        return int(self.tus("HEAD", path).headers["Upload-Offset"])

    def by_hand(self, method: str, path: str, length: int, **headers: str) -> socket.socket:
        """Send a request's head only; the caller sends the body, or does not."""
        given = {
            "Host": urlsplit(self.url).netloc,
            "Authorization": f"token {self.token}",
            "Content-Length": str(length),
        }
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        end = socket.create_connection(self.address, timeout=60)
        end.sendall(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())
        return end

    def form_by_hand(self, length: int) -> socket.socket:
        return self.by_hand("POST", "/api/tracks", length, Content_Type=f"multipart/form-data; boundary={BOUNDARY}")

    def patch_by_hand(self, path: str, offset: int, length: int) -> socket.socket:
        return self.by_hand(
            "PATCH", path, length, Tus_Resumable="1.0.0", Upload_Offset=str(offset), Content_Type=PATCHED
        )


def heard(end: socket.socket) -> Answer:
    """Return the answer to a request that was sent by hand."""
    answer = http.client.HTTPResponse(end)
    answer.begin()
    return Answer(answer.status, answer.headers, answer.read())


def eventually(true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def arrived(library: Path) -> list[int]:
    """Return the sizes of the files that are on their way into the library; any may be gone at any moment."""
    sizes = []
    for folder in (library / "tmp").glob("upload-*"):
        with contextlib.suppress(FileNotFoundError):
            sizes += [file.stat().st_size for file in folder.iterdir()]
    return sizes
