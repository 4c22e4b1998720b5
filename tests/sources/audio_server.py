"""A host of audio files on this machine, with the faults that hosts have."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>" + b"<p>Not here.</p>" * 500 + b"</body></html>"


@dataclass
class AudioServer:
    """What the first part of a path says is how the file behind it is served.

    `/plain/NAME`; `/cut/NAME` breaks off in the middle unless a range is asked for; `/endless/NAME` sends a first part and
    then nothing until the server stops; `/html/NAME` and `/json/NAME` pretend to be audio; `/429/NAME`, `/404/NAME` and
    so on are refused; `/redirect/NAME` leads to `/plain/NAME`; `/large/NAME` says that it is 2 GiB.
    """

    folder: Path
    url: str = ""
    ranges: list[tuple[str, str | None]] = field(default_factory=list)
    """The path and the Range header of every request."""
    stopped: threading.Event = field(default_factory=threading.Event)


@contextmanager
def audio_server(folder: Path) -> Iterator[AudioServer]:
    """Serve the files of a folder."""
    served = AudioServer(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(self, served)

        def log_message(self, *_args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        served.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield served
        finally:
            served.stopped.set()
            server.shutdown()


def _answer(handler: http.server.BaseHTTPRequestHandler, served: AudioServer) -> None:
    how, name = handler.path.strip("/").split("/")
    asked = handler.headers.get("Range")
    served.ranges.append((handler.path, asked))
    handler.close_connection = True
    if how.isdigit():
        return _send(handler, int(how), b"no", {"Retry-After": "7"})
    if how == "redirect":
        return _send(handler, 302, b"", {"Location": f"/plain/{name}"})
    if how == "html":
        return _send(handler, 200, HTML)
    if how == "json":
        return _send(handler, 200, b'{"error": "no such recording"}')
    content = (served.folder / name).read_bytes()
    if how == "large":
        return _send(handler, 200, content, stated=2**31)
    if asked is not None:
        start = int(asked.removeprefix("bytes=").split("-")[0])
        span = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        return _send(handler, 206, content[start:], span)
    if how == "plain":
        return _send(handler, 200, content)
    _send(handler, 200, content[: len(content) // 2], stated=len(content))
    if how == "endless":
        served.stopped.wait(60)
    return None


def _send(
    handler: http.server.BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    headers: dict[str, str] | None = None,
    *,
    stated: int | None = None,
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "image/jpeg" if handler.path.endswith(".jpg") else "audio/mpeg")
    handler.send_header("Accept-Ranges", "bytes")
    handler.send_header("Content-Length", str(len(body) if stated is None else stated))
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
    handler.wfile.flush()
