"""The artifact store: audio, stems and peaks as files under the library's root, by relative names.

    audio/<owner>/<2 of hash>/<hash>.<suffix>        what was added, byte for byte; beside it its peaks (.peaks.dat),
                                                     and what players read where it can't be read itself (.44100.flac)
    stems/<owner>/<2 of hash>/<hash>/<set id>/       one separation's stems, and their peaks
    locks/                                           who makes what just now
    tmp/<name>/                                      what is being made; it becomes real by one rename

Nothing here is ever changed in place: files appear whole, by one rename, or not at all.

Where artifacts are kept elsewhere (`remote_store`), the folder is a cache of them: whoever reads a file asks `fetch` for
its path, and writes it by `publish`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from sfwidgets.audio import sync_folder
from sfwidgets.errors import DiskFullError, NotFoundError
from sfwidgets.models import check_id

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


AREAS = ("audio", "stems")
"""The folders of what is kept."""


@dataclass(frozen=True)
class Kept:
    """A file of the store."""

    name: str
    size: int
    """Bytes."""
    changed: float
    """When it was written, in seconds since the epoch."""


class ArtifactStore:
    """Files under `root`. All names that come in and go out are relative to it.

    `spare` is what new jobs leave free on the disk, in bytes.
    """

    def __init__(self, root: Path, *, spare: int = 0) -> None:
        self.root = root
        self.spare = spare
        self.temporary.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        """Give back what is open; on a disk, nothing is."""

    @property
    def temporary(self) -> Path:
        """The folder of unfinished work, on the same file system as the finished."""
        return self.root / "tmp"

    def path(self, name: Path | str) -> Path:
        """Return the absolute path of a stored name, whether the file is there or not; to read it, `fetch` it."""
        return self.root / name

    def fetch(self, name: Path | str) -> Path:
        """Return the absolute path of a stored file, which is there; raises `NotFoundError` where it is not."""
        path = self.path(name)
        if not path.exists():
            raise NotFoundError("This file has gone from the library. Make it again.", code="audio_missing")
        return path

    def exists(self, name: Path | str) -> bool:
        """Return whether a file is kept under that name."""
        return self.path(name).exists()

    def signed_url(self, name: Path | str, *, called: str | None = None) -> str | None:
        """Return an address where anybody can get a file for an hour; None where it is best read by `fetch`.

        With `called`, browsers keep it as a file of that name.
        """
        del name, called
        return None

    def files(self) -> Iterator[Kept]:
        """Yield all that is kept."""
        for area in AREAS:
            for file in (self.root / area).rglob("*"):
                if file.is_file():
                    found = file.stat()
                    yield Kept(str(file.relative_to(self.root)), found.st_size, found.st_mtime)

    def check_room(self, needed: int = 0) -> None:
        """Raise `DiskFullError` where so many bytes more would not leave the disk what is to be left free."""
        free = shutil.disk_usage(self.root).free
        if free < needed + self.spare:
            raise DiskFullError(
                f"The disk of the library is almost full: {free / 1e9:.1f} GB are free, and new work may need "
                f"{(needed + self.spare) / 1e9:.1f} GB. Make room, then try again; nothing that is finished was touched."
            )

    def audio_name(self, owner: str, content_hash: str, suffix: str) -> Path:
        """Return the name of an audio file; a suffix that is not plain is left out."""
        kept = suffix.lower() if _SUFFIX.fullmatch(suffix) else ""
        return self._folder("audio", owner, content_hash) / f"{content_hash}{kept}"

    def peaks_name(self, owner: str, content_hash: str) -> Path:
        """Return the name of the peaks of an audio file."""
        return self._folder("audio", owner, content_hash) / f"{content_hash}.peaks.dat"

    def rendition_name(self, owner: str, content_hash: str, sample_rate: int) -> Path:
        """Return the name of an audio file's rendition at a sample rate."""
        return self._folder("audio", owner, content_hash) / f"{content_hash}.{sample_rate}.flac"

    def audio_names(self, owner: str, content_hash: str) -> list[Path]:
        """Return the names of an audio file, and of all that is kept beside it."""
        folder = self.path(self._folder("audio", owner, content_hash))
        return [file.relative_to(self.root) for file in folder.glob(f"{content_hash}*")]

    def audio_size(self, owner: str, content_hash: str) -> int:
        """Return the bytes that an audio file takes, with all that is kept beside it."""
        return sum(self.size(name) for name in self.audio_names(owner, content_hash))

    def remove_audio(self, owner: str, content_hash: str) -> list[str]:
        """Remove an audio file, and all that is kept beside it; returns their names."""
        names = [str(name) for name in self.audio_names(owner, content_hash)]
        for name in names:
            self.remove(name)
        return names

    def stems_name(self, owner: str, content_hash: str, set_id: str) -> Path:
        """Return the name of the folder of one set of stems."""
        return self._folder("stems", owner, content_hash) / content_hash / check_id(set_id, "stem set id")

    def workspace(self, name: str) -> Path:
        """Make and return an empty temporary folder of that name; what an earlier run left in it goes."""
        folder = self.temporary / check_id(name, "workspace")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def discard_workspace(self, name: str) -> None:
        """Remove a temporary folder, if it is there."""
        shutil.rmtree(self.temporary / check_id(name, "workspace"), ignore_errors=True)

    def lock(self, name: str, among: str = "") -> FileLock:
        """Return a lock that one process at a time holds for `name`; now and then it is also that of another name.

        Never that of a name `among` others, though: whoever holds one of those may wait for this.
        """
        folder = self.root / "locks" / among
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{hashlib.sha256(name.encode()).hexdigest()[:2]}.lock")

    def publish(self, temporary: Path, name: Path) -> None:
        """Move a finished file or folder to its name: one rename, durable once this returns."""
        target = self.path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(target)
        sync_folder(target.parent)

    def remove(self, name: Path | str) -> None:
        """Remove a file or a folder; nothing happens where it is not there."""
        self.remove_here(name)

    def remove_here(self, name: Path | str) -> None:
        """Remove a file or a folder from this machine; what is kept elsewhere stays."""
        target = self.path(name)
        if target.is_dir():
            shutil.rmtree(target, ignore_errors=True)
        else:
            target.unlink(missing_ok=True)

    def size(self, name: Path | str) -> int:
        """Return the bytes that a file takes, 0 where it is not there."""
        target = self.path(name)
        return target.stat().st_size if target.is_file() else 0

    def _folder(self, area: str, owner: str, content_hash: str) -> Path:
        return Path(area) / check_id(owner, "owner") / content_hash[:2]
