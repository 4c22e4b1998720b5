"""The artifact store where artifacts are kept in Supabase Storage, and the library's folder is a cache of them.

What is published is in Storage before anybody hears of it: a row is written after that. What somebody reads and is not
here is got whole first, under a temporary name. What was not used for longest goes where the cache has grown too large,
if it is in Storage: nothing that is kept here alone is ever removed for room.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from sfwidgets.errors import NotFoundError, SoundForgeError
from sfwidgets.library.store import AREAS, ArtifactStore, Kept
from sfwidgets.library.supabase_storage import SupabaseStorage

log = logging.getLogger(__name__)

SIGNED_SECONDS = 3600
"""How long somebody can get a file by a signed URL."""
IN_USE_SECONDS = 3600.0
"""What was used so recently stays here, however large the cache is: somebody may be about to open it again."""
TRIM_SECONDS = 60.0
"""How often a process looks how large the cache is, at most."""


class RemoteStore(ArtifactStore):
    """Files in Storage, and under `root` those of them that were needed here; `cache_bytes` is what those may take."""

    def __init__(self, root: Path, storage: SupabaseStorage, *, cache_bytes: float, spare: int = 0) -> None:
        super().__init__(root, spare=spare)
        self.storage = storage
        self._cache_bytes = cache_bytes
        self._next_trim = 0.0

    def close(self) -> None:
        """Give the connections to Storage back."""
        self.storage.close()

    def fetch(self, name: Path | str) -> Path:
        """Return the absolute path of a stored file, got from Storage where it is not here.

        Raises `NotFoundError` where it is nowhere, `UnavailableError` where Storage can't be asked, `DiskFullError`.
        """
        path = self.path(name)
        if _use(path):
            return path
        with self._getting(name):
            if not _use(path):
                self._get(name, path)
        self._trim()
        return path

    def exists(self, name: Path | str) -> bool:
        """Return whether a file is kept under that name, here or in Storage."""
        return self.path(name).exists() or self.storage.size(str(name)) is not None

    def signed_url(self, name: Path | str, *, called: str | None = None) -> str | None:
        """Return an address in Storage where anybody can get a file for an hour; None where it is here, or nowhere."""
        if self.path(name).exists():
            return None
        try:
            return self.storage.signed_url(str(name), SIGNED_SECONDS, called=called)
        except NotFoundError:
            return None

    def files(self) -> Iterator[Kept]:
        """Yield all that is kept in Storage."""
        for area in AREAS:
            yield from (Kept(found.name, found.size, found.changed) for found in self.storage.objects(f"{area}/"))

    def publish(self, temporary: Path, name: Path) -> None:
        """Put a finished file or folder into Storage, and move it to its name here; where that fails, nothing is left."""
        files = sorted(file for file in temporary.rglob("*") if file.is_file()) if temporary.is_dir() else [temporary]
        try:
            for file in files:
                self.storage.upload(file, str(name / file.relative_to(temporary)))
            super().publish(temporary, name)
        except BaseException:
            if temporary.is_dir():  # a file alone may be one that was published before
                self.remove(name)
            raise
        self._trim()

    def remove(self, name: Path | str) -> None:
        """Remove a file or a folder, here and in Storage. Where Storage can't be asked, its part is left for the sweep."""
        self.remove_here(name)
        self._remove_objects(str(name), lambda found: found == str(name) or found.startswith(f"{name}/"))

    def audio_names(self, owner: str, content_hash: str) -> list[Path]:
        """Return the names of an audio file, and of all that is kept beside it."""
        return [Path(found.name) for found in self.storage.objects(self._beside(owner, content_hash))]

    def audio_size(self, owner: str, content_hash: str) -> int:
        """Return the bytes that an audio file takes, with all that is kept beside it."""
        return sum(found.size for found in self.storage.objects(self._beside(owner, content_hash)))

    def remove_audio(self, owner: str, content_hash: str) -> list[str]:
        """Remove an audio file, and all that is kept beside it, as `remove` does; returns their names."""
        here = [str(name) for name in super().audio_names(owner, content_hash)]
        for name in here:
            self.remove_here(name)
        return sorted({*here, *self._remove_objects(self._beside(owner, content_hash))})

    def size(self, name: Path | str) -> int:
        """Return the bytes that a file takes, 0 where it is not there."""
        return super().size(name) or self.storage.size(str(name)) or 0

    def _beside(self, owner: str, content_hash: str) -> str:
        return str(self._folder("audio", owner, content_hash) / content_hash)

    def _remove_objects(self, prefix: str, chosen: Callable[[str], bool] = lambda name: True) -> list[str]:
        try:
            names = [found.name for found in self.storage.objects(prefix) if chosen(found.name)]
            self.storage.remove(names)
        except SoundForgeError as error:
            log.warning("What is called %s stays in Storage until the next sweep: %s", prefix, error.message)
            return []
        return names

    def _getting(self, name: Path | str) -> FileLock:
        """Return a lock for whoever gets a file, which others may do while they hold other locks."""
        return self.lock(str(name), among="fetch")

    def _get(self, name: Path | str, path: Path) -> None:
        temporary = self.temporary / f"fetch-{uuid.uuid4().hex}"
        try:
            self.storage.download(str(name), temporary)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(path)
        except NotFoundError:
            raise NotFoundError("This file has gone from the library. Make it again.", code="audio_missing") from None
        finally:
            temporary.unlink(missing_ok=True)

    def _trim(self) -> None:
        """Remove from here what was not used for longest, where the cache has grown too large."""
        if time.monotonic() < self._next_trim:
            return
        self._next_trim = time.monotonic() + TRIM_SECONDS
        (self.root / "locks").mkdir(exist_ok=True)
        try:
            with FileLock(self.root / "locks" / "cache.lock", timeout=0):
                self._forget_unused()
        except Timeout:
            pass  # another process is at it
        except SoundForgeError as error:
            log.warning("The cache could not be trimmed just now: %s", error.message)

    def _forget_unused(self) -> None:
        cached = sorted(
            ((self.path(found.name).stat().st_atime, found) for found in super().files()), key=lambda one: one[0]
        )
        total = sum(found.size for _used, found in cached)
        for used, found in cached:
            if total <= self._cache_bytes or used > time.time() - IN_USE_SECONDS:
                return
            if self.storage.size(found.name) != found.size:
                log.warning("%s is kept on this machine alone, and stays here.", found.name)
                continue
            self.path(found.name).unlink(missing_ok=True)
            total -= found.size


def _use(path: Path) -> bool:
    """Return whether a file is here; it counts as used then."""
    try:
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
    except FileNotFoundError:
        return False
    return True
