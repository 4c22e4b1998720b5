"""A stand-in for Supabase Storage: its documented REST over a socket, and faults on request.

As the real one (github.com/supabase/storage): most refusals have status 400 and put their own into the body; a resumable
upload takes parts of 6 MiB, keeps what came of one whose connection broke, and is forgotten once it is complete.
"""

from __future__ import annotations

import base64
import contextlib
import email.parser
import email.utils
import hashlib
import json
import os
import re
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

KEY = "sb_secret_of_the_stand_in"
PART = 6 * 2**20
BLOCK = 64 * 2**10
_ROOT = "/storage/v1"


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error, self.message = status, error, message


@dataclass
class Upload:
    """A resumable upload that is not complete."""

    name: str
    media_type: str
    length: int
    path: Path
    lock: threading.Lock = field(default_factory=threading.Lock)


class StorageServer:
    """A server of its own at 127.0.0.1, with its objects as files in `folder`."""

    def __init__(self, folder: Path, key: str = KEY) -> None:
        self.folder, self.key = folder, key
        self.buckets: dict[str, dict[str, Any]] = {}
        self.media_types: dict[str, str] = {}
        self.uploads: dict[str, Upload] = {}
        self.tokens: dict[str, tuple[str, float]] = {}
        self.requests: list[str] = []
        """What was asked, like `GET object/info/soundforge/audio/…`."""
        self.answers: deque[int] = deque()
        """Statuses that the next requests get instead of what they ask for."""
        self.cut_bytes: int | None = None
        """After so many bytes of objects, up or down, the connection that carries them breaks."""
        self.bytes_per_second: float | None = None
        self.after_cut: Callable[[], object] = lambda: None
        """Called when bytes of an object broke a connection, before the client knows."""
        self.cuts = 0
        """How many connections were broken."""
        self._moved = 0
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._over = threading.Event()
        (folder / "objects").mkdir(parents=True)
        (folder / "uploads").mkdir()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"storage": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        """The address as SUPABASE_URL wants it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        """Take no connection more, and break those that there are."""
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self.cut_all()

    def cut_every(self, seconds: float) -> None:
        """Break all connections every so many seconds from now on."""

        def cut() -> None:
            while not self._over.wait(seconds):
                self.cut_all()

        threading.Thread(target=cut, daemon=True).start()

    def cut_all(self) -> None:
        """Break all connections."""
        with self._lock:
            open_now = list(self._sockets)
        for one in open_now:
            self.cuts += 1
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def path(self, name: str) -> Path:
        """Return the file of an object, named with its bucket."""
        return self.folder / "objects" / quote(name, safe="")

    def names(self, bucket: str = "soundforge") -> list[str]:
        """Return the names of a bucket's objects, in order."""
        all_names = sorted(unquote(file.name) for file in (self.folder / "objects").iterdir())
        return [name.removeprefix(f"{bucket}/") for name in all_names if name.startswith(f"{bucket}/")]

    def put(self, name: str, content: bytes, *, changed: float | None = None, bucket: str = "soundforge") -> None:
        """Put an object there by hand, written at that time."""
        made = self.folder / "uploads" / uuid.uuid4().hex
        made.write_bytes(content)
        made.replace(self.path(f"{bucket}/{name}"))
        if changed is not None:
            os.utime(self.path(f"{bucket}/{name}"), (changed, changed))

    def moved(self, count: int, connection: socket.socket) -> None:
        """Count bytes of objects; breaks the connection where it is time for that."""
        if self.bytes_per_second is not None:
            time.sleep(count / self.bytes_per_second)
        with self._lock:
            self._moved = 0 if self.cut_bytes is None else self._moved + count
            due = self.cut_bytes is not None and self._moved >= self.cut_bytes
            if due:
                self._moved = 0
                self.cuts += 1
        if due:
            self.after_cut()
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError

    def opened(self, connection: socket.socket, *, now_open: bool) -> None:
        """Know of a connection."""
        with self._lock:
            (self._sockets.add if now_open else self._sockets.discard)(connection)


class _Handler(BaseHTTPRequestHandler):
    storage: StorageServer
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.storage.opened(self.connection, now_open=True)

    def finish(self) -> None:
        self.storage.opened(self.connection, now_open=False)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, format: str, *given: Any) -> None:
        pass

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError, ValueError):
            super().handle()

    def _answer(self) -> None:
        url = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        self.place = unquote(url.path).removeprefix(f"{_ROOT}/")
        self.storage.requests.append(f"{self.command} {self.place}")
        self.length = int(self.headers.get("Content-Length", 0))
        try:
            if self.storage.answers:
                self._drain()
                raise Refused(self.storage.answers.popleft(), "Trouble", "As the test asked for")
            self._route()
        except Refused as error:
            self._drain()
            said = {"statusCode": str(error.status), "error": error.error, "message": error.message}
            self._json(said, error.status if error.status >= 429 else 400)

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = _answer

    def _route(self) -> None:
        if self.place == "/auth/v1/.well-known/jwks.json":
            self._json({"keys": [{"kty": "EC", "alg": "ES256"}]})
            return
        signed = self.command == "GET" and self.place.startswith("object/sign/")
        free = self.command == "HEAD" and self.place.startswith("upload/")
        mine = (self.headers.get("apikey"), self.headers.get("Authorization"))
        if not signed and not free and mine != (self.storage.key, f"Bearer {self.storage.key}"):
            raise Refused(403, "Unauthorized", "Invalid Compact JWS")
        for pattern, method in (
            ("POST bucket", self._make_bucket), ("GET bucket/(.+)", self._bucket),
            ("POST upload/resumable", self._begin_upload), ("HEAD upload/resumable/(.+)", self._upload_state),
            ("PATCH upload/resumable/(.+)", self._upload_part), ("POST object/list-v2/(.+)", self._list),
            ("POST object/sign/(.+)", self._sign), ("GET object/sign/(.+)", self._get_signed),
            ("GET object/info/(.+)", self._info), ("GET object/authenticated/(.+)", self._send),
            ("POST object/(.+)", self._put), ("DELETE object/([^/]+)", self._delete),
        ):  # fmt: skip
            found = re.fullmatch(pattern, f"{self.command} {self.place}")
            if found is not None:
                method(*found.groups())
                return
        raise Refused(404, "not_found", f"Route {self.command} {self.place} not found")

    def _body(self) -> bytes:
        found, self.length = self.rfile.read(self.length), 0
        return found

    def _drain(self) -> None:
        self._body()

    def _said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._body() or b"{}")
        return found

    def _json(self, document: Any, status: int = 200) -> None:
        body = json.dumps(document).encode()
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(body))})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Access-Control-Allow-Origin": "*", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _make_bucket(self) -> None:
        said = self._said()
        if said["id"] in self.storage.buckets:
            raise Refused(409, "Duplicate", "The resource already exists")
        self.storage.buckets[said["id"]] = {
            "id": said["id"], "name": said["name"], "owner": "", "public": bool(said.get("public")),
            "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z", "file_size_limit": None,
            "allowed_mime_types": None,
        }  # fmt: skip
        self._json({"name": said["name"]})

    def _bucket(self, name: str) -> None:
        if name not in self.storage.buckets:
            raise Refused(404, "Bucket not found", "Bucket not found")
        self._json(self.storage.buckets[name])

    def _file(self, name: str) -> Path:
        if name.partition("/")[0] not in self.storage.buckets:
            raise Refused(404, "Bucket not found", "Bucket not found")
        path = self.storage.path(name)
        if not path.exists():
            raise Refused(404, "not_found", "Object not found")
        return path

    def _appear(self, name: str, made: Path, media_type: str) -> None:
        bucket = name.partition("/")[0]
        limit = self.storage.buckets.get(bucket, {}).get("file_size_limit")
        if bucket not in self.storage.buckets:
            raise Refused(404, "Bucket not found", "Bucket not found")
        if limit is not None and made.stat().st_size > limit:
            raise Refused(413, "Payload too large", "The object exceeded the maximum allowed size")
        if self.storage.path(name).exists() and self.headers.get("x-upsert") != "true":
            raise Refused(409, "Duplicate", "The resource already exists")
        self.storage.media_types[name] = media_type
        made.replace(self.storage.path(name))

    def _put(self, name: str) -> None:
        kind = self.headers["Content-Type"].encode()
        form = email.parser.BytesParser().parsebytes(b"Content-Type: " + kind + b"\r\n\r\n" + self._body())
        parts = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}  # type: ignore[union-attr]
        made = self.storage.folder / "uploads" / uuid.uuid4().hex
        made.write_bytes(parts["file"].get_payload(decode=True))  # type: ignore[arg-type, union-attr]
        self._appear(name, made, parts["file"].get_content_type())  # type: ignore[union-attr]
        self._json({"Key": name, "Id": uuid.uuid4().hex})

    def _info(self, name: str) -> None:
        found = self._file(name).stat()
        self._json({"id": uuid.uuid4().hex, "name": name.partition("/")[2], "size": found.st_size, "metadata": {}})

    def _list(self, bucket: str) -> None:
        said = self._said()
        names = [name for name in self.storage.names(bucket) if name.startswith(said.get("prefix", ""))]
        after = [name for name in names if name > said.get("cursor", "")]
        shown = after[: min(said.get("limit", 1000), 1000)]
        objects = []
        for name in shown:
            found = self.storage.path(f"{bucket}/{name}").stat()
            moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(found.st_mtime))
            objects.append(
                {
                    "id": uuid.uuid4().hex, "name": name, "updated_at": moment, "created_at": moment,
                    "metadata": {"size": found.st_size},
                }
            )  # fmt: skip
        more = len(after) > len(shown)
        cursor = {"nextCursor": shown[-1]} if more else {}
        self._json({"hasNext": more, "folders": [], "objects": objects, **cursor})

    def _delete(self, bucket: str) -> None:
        gone = [name for name in self._said()["prefixes"] if self.storage.path(f"{bucket}/{name}").exists()]
        for name in gone:
            self.storage.path(f"{bucket}/{name}").unlink()
        self._json([{"name": name} for name in gone])

    def _sign(self, name: str) -> None:
        said = self._said()
        self._file(name)
        token = uuid.uuid4().hex
        self.storage.tokens[token] = (name, time.time() + float(said["expiresIn"]))
        self._json({"signedURL": f"/object/sign/{quote(name)}?token={token}"})

    def _get_signed(self, name: str) -> None:
        known, until = self.storage.tokens.get(self.query.get("token", ""), ("", 0.0))
        if known != name or until < time.time():
            raise Refused(400, "InvalidJWT", '"exp" claim timestamp check failed')
        self._send(name)

    def _send(self, name: str) -> None:
        path = self._file(name)
        found = path.stat()
        first, last = 0, found.st_size - 1
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is not None:
            first, last = int(asked[1]), min(last, int(asked[2] or last))
        headers = {
            "Content-Type": self.storage.media_types.get(name, "application/octet-stream"), "Accept-Ranges": "bytes",
            "ETag": f'"{hashlib.md5(f"{found.st_ino}{found.st_mtime_ns}".encode()).hexdigest()}"',
            "Last-Modified": email.utils.formatdate(found.st_mtime, usegmt=True),
            "Content-Length": str(last + 1 - first),
        }  # fmt: skip
        if asked is not None:
            headers["Content-Range"] = f"bytes {first}-{last}/{found.st_size}"
        if "download" in self.query:
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(self.query['download'])};"
        self._head(200 if asked is None else 206, headers)
        with path.open("rb") as file:
            file.seek(first)
            while first <= last and (block := file.read(min(BLOCK, last + 1 - first))):
                self.wfile.write(block)
                first += len(block)
                self.storage.moved(len(block), self.connection)

    def _begin_upload(self) -> None:
        self._speaks_tus()
        pairs = (pair.split(" ") for pair in self.headers["Upload-Metadata"].split(","))
        said = {key: base64.b64decode(value).decode() for key, value in pairs}
        upload_id = base64.urlsafe_b64encode(
            f"{said['bucketName']}/{said['objectName']}/{uuid.uuid4()}".encode()
        ).decode()
        made = self.storage.folder / "uploads" / uuid.uuid4().hex
        made.touch()
        name = f"{said['bucketName']}/{said['objectName']}"
        self.storage.uploads[upload_id] = Upload(name, said["contentType"], int(self.headers["Upload-Length"]), made)
        # As behind a proxy that does not say what it is called: the host is one that nobody reaches.
        location = f"http://storage.internal{_ROOT}/upload/resumable/{upload_id}"
        self._head(201, {"Tus-Resumable": "1.0.0", "Location": location, "Content-Length": "0"})

    def _upload(self, upload_id: str) -> Upload:
        self._speaks_tus()
        if upload_id not in self.storage.uploads:
            raise Refused(404, "not_found", "The file for this url was not found")
        return self.storage.uploads[upload_id]

    def _upload_state(self, upload_id: str) -> None:
        try:
            upload = self._upload(upload_id)
            with upload.lock:  # whoever asks waits for the request that has the upload
                pass
            self._upload(upload_id)
        except Refused:
            self._head(404, {"Content-Length": "0"})
            return
        headers = {"Upload-Offset": str(upload.path.stat().st_size), "Upload-Length": str(upload.length)}
        self._head(200, {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store", "Content-Length": "0", **headers})

    def _upload_part(self, upload_id: str) -> None:
        upload = self._upload(upload_id)
        if not upload.lock.acquire(blocking=False):
            raise Refused(423, "Locked", "The upload is in use")
        try:
            offset = upload.path.stat().st_size
            if int(self.headers["Upload-Offset"]) != offset:
                raise Refused(409, "Conflict", "Upload-Offset conflict")
            if self.length != min(PART, upload.length - offset):
                raise Refused(400, "InvalidPart", "Every part but the last has 6 MiB")
            with upload.path.open("ab", buffering=0) as file:
                while self.length > 0:
                    block = self.rfile.read1(min(BLOCK, self.length))  # type: ignore[attr-defined]
                    if not block:
                        raise ConnectionResetError
                    file.write(block)
                    self.length -= len(block)
                    self.storage.moved(len(block), self.connection)
        finally:  # also where the connection broke
            offset = upload.path.stat().st_size
            if offset == upload.length:
                del self.storage.uploads[upload_id]
                self._appear(upload.name, upload.path, upload.media_type)
            upload.lock.release()
        self._head(204, {"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset)})

    def _speaks_tus(self) -> None:
        if self.headers.get("Tus-Resumable") != "1.0.0":
            raise Refused(412, "Precondition Failed", "Tus-Resumable is missing")
