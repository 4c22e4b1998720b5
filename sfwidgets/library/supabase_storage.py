"""Supabase Storage: one private bucket of objects, sent and got in parts, so that a broken connection costs little.

What is asked of the bucket goes through the `supabase` package. Large objects do not: it has no resumable uploads, and
holds a download in memory. So they are sent by the TUS protocol, and got by ranges.
"""

from __future__ import annotations

import logging
import os
import shutil
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from sfwidgets.errors import DiskFullError, NotFoundError, UnavailableError

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

log = logging.getLogger(__name__)

PART = 6 * 2**20
"""Bytes of a part of a large object: what Supabase takes, neither more nor less."""
BLOCK = 256 * 2**10
"""Bytes that are held at a time of what is got."""
TRIES = 8
"""How often a request is made that gets nowhere; what moves a large object on begins the count anew."""
FIRST_WAIT, LONGEST_WAIT = 0.25, 8.0
"""Seconds: the longest pause after the first failure, which doubles, and after any."""
LISTED = 1000
"""How many objects are listed, or removed, by one request."""
SPARE_BYTES = 64 * 2**20
"""What a download leaves free on the disk."""

MEDIA_TYPES = {
    ".flac": "audio/flac", ".wav": "audio/wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".opus": "audio/ogg",
    ".m4a": "audio/mp4", ".mp4": "audio/mp4", ".aac": "audio/aac", ".aif": "audio/aiff", ".aiff": "audio/aiff",
    ".webm": "audio/webm",
}  # fmt: skip
"""What players are told of an object that they get by a signed URL; others are bytes."""

T = TypeVar("T")


@dataclass(frozen=True)
class StoredObject:
    """An object of the bucket."""

    name: str
    size: int
    """Bytes."""
    changed: float
    """When it was written, in seconds since the epoch."""


class RefusedError(Exception):
    """Storage answered with an error; its text is Storage's own."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status, self.text = status, text


class ChangedError(Exception):
    """An object was replaced while it was got."""


class SupabaseStorage:
    """A private bucket of a Supabase project, which is made when something is first put into it.

    Every method may be called from any thread. Raises `UnavailableError` (`storage_unavailable`, or `storage_refused`
    where asking again would not help) for what Storage can't do, however often it is asked.
    """

    def __init__(self, url: str, key: str, bucket: str) -> None:
        import httpx
        from supabase import ClientOptions, create_client

        self.bucket = bucket
        identity = {"apikey": key, "Authorization": f"Bearer {key}"}
        # No redirect is followed: it would take the key along to another host.
        self._http = httpx.Client(timeout=httpx.Timeout(30.0, connect=10.0), follow_redirects=False, headers=identity)
        options = ClientOptions(httpx_client=self._http, auto_refresh_token=False, persist_session=False)
        self._storage = create_client(url, key, options).storage
        self._objects = self._storage.from_(bucket)
        self._address = f"{url.rstrip('/')}/storage/v1"
        self._ensured = False

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def ensure(self) -> None:
        """Make the bucket where it is missing; raises `UnavailableError` for one that is public."""
        if self._ensured:
            return
        try:
            public = bool(self._again(lambda: self._storage.get_bucket(self.bucket)).public)
        except NotFoundError:
            public = False
            try:
                self._again(lambda: self._storage.create_bucket(self.bucket, options={"public": False}))
            except UnavailableError:
                self._again(lambda: self._storage.get_bucket(self.bucket))  # another process was faster
        if public:
            raise UnavailableError(
                f"The bucket {self.bucket} of Supabase Storage is public: whoever guesses a name hears the song. Make it "
                "private, or set SOUNDFORGE_STORAGE_BUCKET to another.",
                code="storage_refused",
            )
        self._ensured = True

    def upload(self, file: Path, name: str) -> None:
        """Send a file, which becomes the object of that name once all of it is there; one of that name is replaced."""
        self.ensure()
        size = file.stat().st_size
        if size <= PART:
            options: Any = {"content-type": _media_type(name), "upsert": "true", "cache-control": "31536000"}
            self._again(lambda: self._objects.upload(name, file, options))
        elif self.size(name) != size:  # a name never stands for other bytes: what is there whole is not sent again
            self._upload_in_parts(file, name, size)

    def download(self, name: str, target: Path) -> None:
        """Write an object to a file, whole and durably, or raise; the file's time is the object's.

        Raises `NotFoundError`, `DiskFullError`.
        """
        from sfwidgets.audio import full_disk_is_told

        with full_disk_is_told(target), target.open("wb") as file:
            got = _Got()
            while not got.whole:
                self._again(lambda: self._receive(name, file, got))
            file.flush()
            os.fsync(file.fileno())
        os.utime(target, (got.changed, got.changed))

    def size(self, name: str) -> int | None:
        """Return the bytes of an object; None where there is none."""
        try:
            return int(self._again(lambda: self._objects.info(name))["size"])
        except NotFoundError:
            return None

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects whose names begin so, in order."""
        options: Any = {"prefix": prefix, "limit": LISTED}
        while True:
            try:
                page = self._again(partial(self._objects.list_v2, options))
            except NotFoundError:  # the bucket is not there yet
                return
            for found in page.objects:
                size = int((found.metadata or {}).get("size", 0))
                yield StoredObject(found.key or found.name, size, found.updated_at.timestamp())
            if not page.hasNext or page.nextCursor is None:
                return
            options = {**options, "cursor": page.nextCursor}

    def remove(self, names: list[str]) -> None:
        """Remove objects; those that are not there do no harm."""
        for first in range(0, len(names), LISTED):
            self._again(partial(self._objects.remove, names[first : first + LISTED]))

    def signed_url(self, name: str, seconds: int, *, called: str | None = None) -> str:
        """Return an address from which anybody can get an object for so long; raises `NotFoundError`.

        With `called`, browsers keep it as a file of that name.
        """
        options: Any = {} if called is None else {"download": called}
        return str(self._again(lambda: self._objects.create_signed_url(name, seconds, options))["signedURL"])

    def _upload_in_parts(self, file: Path, name: str, size: int) -> None:
        for _ in range(2):
            place = self._again(lambda: self._begin(name, size))
            try:
                with file.open("rb") as source:
                    offset = 0
                    while offset < size:
                        offset = self._again(partial(self._send, place, source, offset))
            except NotFoundError:
                # An upload is forgotten once it is complete, which the answer to its last part may not have told, or
                # when it has lain for a day.
                log.info("Storage forgot the upload of %s.", name)
            if self.size(name) == size:
                return
        raise UnavailableError(
            "Supabase Storage did not keep what was sent to it. Try again later.", code="storage_unavailable"
        )

    def _begin(self, name: str, size: int) -> str:
        """Announce an upload; returns the address that takes its parts."""
        said = {
            "bucketName": self.bucket, "objectName": name, "contentType": _media_type(name), "cacheControl": "31536000",
        }  # fmt: skip
        metadata = ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in said.items())
        endpoint = f"{self._address}/upload/resumable"
        headers = {"Upload-Length": str(size), "Upload-Metadata": metadata, "x-upsert": "true"}
        answer = self._tus("POST", endpoint, headers)
        # Only the id is taken from the answer: behind a proxy its host may be another, which must not see the key.
        return f"{endpoint}/{answer.headers['Location'].rstrip('/').rpartition('/')[2]}"

    def _send(self, place: str, source: IO[bytes], offset: int) -> int:
        """Send the part that begins at `offset`; returns how much is there then, which may be less than all of it."""
        import httpx

        left = min(PART, os.fstat(source.fileno()).st_size - offset)
        headers = {
            "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream", "Content-Length": str(left),
        }  # fmt: skip
        try:
            return int(self._tus("PATCH", place, headers, _blocks(source, offset, left)).headers["Upload-Offset"])
        except (httpx.TransportError, RefusedError) as error:
            if isinstance(error, RefusedError) and not _passes(error):
                raise
            there = int(self._again(lambda: self._tus("HEAD", place, {})).headers["Upload-Offset"])
            if there <= offset:
                raise
            log.info("The connection to Storage broke; the upload goes on at %d bytes.", there)
            return there

    def _tus(
        self, method: str, url: str, headers: dict[str, str], content: Iterator[bytes] | None = None
    ) -> httpx.Response:
        answer = self._http.request(method, url, headers={"Tus-Resumable": "1.0.0", **headers}, content=content)
        try:
            _check(answer)
        except RefusedError as error:
            if error.status == 409:  # the request whose connection broke still holds the upload, or has moved it on
                raise RefusedError(423, error.text) from None
            raise
        return answer

    def _receive(self, name: str, file: IO[bytes], got: _Got) -> None:
        """Get what is missing of an object, or some of it; raises where nothing came."""
        import httpx

        offset = file.tell() if got.etag else file.seek(0)
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers |= {"Range": f"bytes={offset}-", "If-Range": got.etag}
        url = f"{self._address}/object/authenticated/{self.bucket}/{quote(name)}"
        try:
            with self._http.stream("GET", url, headers=headers) as answer:
                if not answer.is_success:
                    answer.read()
                _check(answer)
                got.begin(answer, offset)
                if offset and answer.status_code != 206:
                    offset = file.seek(0)
                    file.truncate()
                if shutil.disk_usage(Path(file.name).parent).free < got.size - offset + SPARE_BYTES:
                    raise DiskFullError(
                        "There is no room here for a file of the library: free some space, then try again."
                    )
                for block in answer.iter_raw(BLOCK):
                    file.write(block)
        except httpx.TransportError as error:
            if file.tell() <= offset:
                raise
            log.info("The connection to Storage broke (%s); the download goes on.", type(error).__name__)
        except ChangedError:
            file.seek(0)
            file.truncate()
            got.etag = ""
            raise
        got.whole = file.tell() == got.size

    def _again(self, ask: Callable[[], T]) -> T:
        """Ask until there is an answer that will not change; raises what a person can be told."""
        import httpx
        from storage3.exceptions import StorageApiError
        from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

        def once() -> T:
            try:
                return ask()
            except StorageApiError as error:
                raise RefusedError(int(error.status), error.message) from None

        retrying = Retrying(
            stop=stop_after_attempt(TRIES), wait=wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT),
            retry=retry_if_exception(_passes), before_sleep=_told, reraise=True,
        )  # fmt: skip
        try:
            return retrying(once)
        except RefusedError as error:
            raise _refusal(error, self.bucket) from None
        except (httpx.HTTPError, ChangedError) as error:
            raise UnavailableError(
                f"Supabase Storage can't be reached ({type(error).__name__}). Try again; if it goes on, look at "
                "SUPABASE_URL, and at the project's status.",
                code="storage_unavailable",
            ) from None


class _Got:
    """How far a download is."""

    def __init__(self) -> None:
        self.etag, self.size, self.changed, self.whole = "", 0, 0.0, False

    def begin(self, answer: httpx.Response, offset: int) -> None:
        """Take what an answer says of the object; raises `ChangedError` where it is another than before."""
        etag, partial = answer.headers.get("ETag", ""), answer.status_code == 206
        span = answer.headers.get("Content-Range", "") if partial else ""
        if partial and (etag != self.etag or not span.startswith(f"bytes {offset}-")):
            raise ChangedError
        self.etag = etag
        self.size = int(span.rpartition("/")[2] if partial else answer.headers["Content-Length"])
        self.changed = parsedate_to_datetime(answer.headers["Last-Modified"]).timestamp()


def _check(answer: httpx.Response) -> None:
    """Raise `RefusedError` for an answer that is an error; Storage puts many a status into the body alone."""
    if answer.is_success:
        return
    try:
        said = answer.json()
        status, text = int(said["statusCode"]), str(said["message"])
    except (KeyError, TypeError, ValueError):
        status, text = answer.status_code, answer.text
    raise RefusedError(status, text[:200])


def _passes(error: BaseException) -> bool:
    """Return whether an error may go away by itself."""
    import httpx

    if isinstance(error, RefusedError):
        return error.status in (408, 423, 425, 429) or error.status >= 500
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        return False
    return isinstance(error, httpx.TransportError | ChangedError)


def _told(state: RetryCallState) -> None:
    error = None if state.outcome is None else state.outcome.exception()
    why = error if isinstance(error, RefusedError) else type(error).__name__
    log.warning("Supabase Storage: %s; it is asked again (%d of %d).", why, state.attempt_number, TRIES)


def _refusal(error: RefusedError, bucket: str) -> UnavailableError | NotFoundError:
    """Return what a person is told of an answer that is an error."""
    if error.status in (404, 410):
        return NotFoundError("Supabase Storage has no such file.", code="not_in_storage")
    log.error("Supabase Storage refuses: %s", error)
    if _passes(error):
        said = f"Supabase Storage has trouble (status {error.status}). Try again later."
        return UnavailableError(said, code="storage_unavailable")
    if error.status in (401, 403):
        said = (
            "Supabase Storage does not take SUPABASE_SERVICE_KEY. Set it to this project's secret (service_role) key."
        )
    elif error.status == 413:
        said = f"This file is larger than Supabase Storage takes. Raise the limit of the bucket {bucket} or of the project."
    elif error.status in (402, 507):
        said = "The Supabase project has no room left. Raise its quota, or delete tracks."
    else:
        said = f"Supabase Storage refused this (status {error.status}: {error.text})."
    return UnavailableError(said, code="storage_refused")


def _blocks(source: IO[bytes], offset: int, count: int) -> Iterator[bytes]:
    source.seek(offset)
    while count > 0 and (block := source.read(min(BLOCK, count))):
        yield block
        count -= len(block)


def _media_type(name: str) -> str:
    return MEDIA_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")
