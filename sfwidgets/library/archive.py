"""What a backup is: one tar file that any tar reads, and that can be checked without this program.

    backup.json                  what this is, the schema's revision, and the version that made it
    files/audio/… files/stems/…  the artifacts, under their names in the library
    rows/<table>.jsonl           a table's rows, each a JSON object: the same from every database
    SHA256SUMS                   the SHA-256 of all before it, in their order (`sha256sum --check SHA256SUMS`)

The sums come last, so that a file without them is known not to be whole.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from sfwidgets.errors import InvalidInputError

FORMAT = 1
HEADER = "backup.json"
FILES = "files"
ROWS = "rows"
SUMS = "SHA256SUMS"

CHUNK = 1 << 20
MOST_PARTS = 8
LONGEST_PART = 255


class Summed:
    """A file that is read, and the SHA-256 of what was read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def digest(self) -> str:
        """Return the sum of what was read, in hexadecimal."""
        return self._hash.hexdigest()


class Writer:
    """Writes the members of a backup one after another; what it takes of memory does not grow with them."""

    def __init__(self, path: Path, sums: Path) -> None:
        self._sums_path = sums
        self._sums = sums.open("w", encoding="utf-8")
        # All users' songs are in it: readable by whoever makes it alone, wherever it is put.
        self._file = open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_error: object) -> None:
        self._sums.close()
        self._file.close()

    def add(self, name: str, file: Path) -> str:
        """Add a file under that name; returns its SHA-256. Raises `FileNotFoundError` where it has gone."""
        with file.open("rb") as source:
            summed = Summed(source)
            self._add(name, summed, file.stat().st_size)
        self._sums.write(_line(summed.digest(), name))
        return summed.digest()

    def finish(self) -> None:
        """Add the sums, and end the archive."""
        self._sums.close()
        with self._sums_path.open("rb") as source:
            self._add(SUMS, Summed(source), self._sums_path.stat().st_size)
        self._tar.close()

    def _add(self, name: str, source: Summed, size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size = size
        self._tar.addfile(member, source)
        _forget(self._tar)


def unpack(path: Path, folder: Path) -> Iterator[int]:
    """Unpack a backup into an empty folder, and check every sum; yields the bytes of each file as it comes.

    Raises `InvalidInputError` where this is no backup, or not all of one, or where anything in it is not as it was
    written. Nothing is ever written outside of `folder`.
    """
    found, said = folder / "found", folder / SUMS
    try:
        with tarfile.open(path, "r:") as tar, found.open("w", encoding="utf-8") as sums:
            while (member := tar.next()) is not None and not said.exists():
                _forget(tar)
                _check(path, member, folder)
                target = folder / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                digest = _write(tar, member, target)
                if target != said:
                    sums.write(_line(digest, member.name))
                yield member.size
            if member is not None:
                raise _broken(path, f"{member.name[:100]} comes after its end")
    except (tarfile.TarError, FileExistsError, NotADirectoryError) as error:
        raise _broken(path, str(error)) from None
    if not said.exists():
        raise _broken(path, "its end is missing")
    _compare(path, said, found)
    os.sync()  # once for all: one by one, each small file would take as long as a large one


def artifact(name: str, owner: str, *, parts: int) -> str:
    """Return the name of an artifact where it is one of that owner's, else raise `ValueError`.

    `parts` says what it is: a file of audio has 4, the folder of a set of stems 5, and a file in that 6.
    """
    found = PurePosixPath(name)
    area = "audio" if parts == 4 else "stems"
    plain = str(found) == name and ".." not in found.parts and name.isprintable() and "\\" not in name
    if not plain or len(found.parts) != parts or found.parts[:2] != (area, owner):
        raise ValueError(f"{name[:200]!r} is no artifact of {owner[:64]!r}")
    return name


def artifacts(table: str, row: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the artifacts that a row of `audio` or `stem_sets` needs, and those it can do without: their peaks.

    Raises `ValueError` where one lies elsewhere than where artifacts of the row's owner do.
    """
    owner = str(row["owner"])
    if table == "audio":
        name = artifact(row["path"], owner, parts=4)
        return [name], [str(PurePosixPath(name).with_name(f"{row['hash']}.peaks.dat"))]
    folder = PurePosixPath(artifact(row["folder"], owner, parts=5))
    needed, peaks = ([artifact(stem[what], owner, parts=6) for stem in row["stems"]] for what in ("path", "peaks"))
    if any(PurePosixPath(name).parent != folder for name in (*needed, *peaks)):
        raise ValueError(f"the stems of {folder} lie elsewhere")
    return needed, peaks


def _check(path: Path, member: tarfile.TarInfo, folder: Path) -> None:
    """Turn away what no backup holds: links, devices, sparse files, and whatever would land elsewhere."""
    try:
        tarfile.data_filter(member, str(folder))
    except tarfile.FilterError as error:
        raise _broken(path, str(error)) from None
    plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and member.sparse is None
    parts = PurePosixPath(member.name).parts
    known = member.name in (HEADER, SUMS) or parts[:1] in ((FILES,), (ROWS,))
    named = member.name.isprintable() and len(parts) <= MOST_PARTS and max(map(len, parts), default=0) <= LONGEST_PART
    if not plain or not known or not named or (folder / member.name).exists():
        raise _broken(path, f"{member.name[:100]!r} does not belong there")


def _forget(tar: tarfile.TarFile) -> None:
    """Let go of the members so far, which take a kilobyte each."""
    tar.members.clear()  # type: ignore[attr-defined]


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> str:
    from sfwidgets.audio import full_disk_is_told

    summed = Summed(cast("IO[bytes]", tar.extractfile(member)))
    with full_disk_is_told(target), target.open("xb") as file:
        while data := summed.read(CHUNK):
            file.write(data)
    return summed.digest()


def _compare(path: Path, said: Path, found: Path) -> None:
    with said.open(encoding="utf-8", errors="replace") as one, found.open(encoding="utf-8") as other:
        while True:
            line, right = one.readline(1 << 14), other.readline()
            if line != right:
                raise _broken(path, f"{(right or line).rstrip()[66:166]!r} is not what was backed up")
            if not line:
                return


def _line(digest: str, name: str) -> str:
    return f"{digest}  {name}\n"


def _broken(path: Path, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"{path.name} is not a whole backup: {why}. Nothing was restored; take another backup.", code="bad_backup"
    )
