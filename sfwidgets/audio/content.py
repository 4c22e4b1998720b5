"""What a file's content is known by."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path

from sfwidgets.audio.container import check_file
from sfwidgets.audio.disk import full_disk_is_told


def content_hash(path: Path) -> str:
    """Return the SHA-256 of the file's bytes as 64 hexadecimal digits, read in blocks.

    Raises `InvalidInputError` (`file_missing`, `is_a_folder`) where there is no such file.
    """
    check_file(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_hashed(source: Path, target: Path) -> str:
    """Copy a file, durably, and return the SHA-256 of what was copied, as 64 hexadecimal digits.

    Raises `InvalidInputError` (`file_missing`, `is_a_folder`), and `DiskFullError` where there is no room.
    """
    check_file(source)
    digest = hashlib.sha256()
    with full_disk_is_told(target), source.open("rb") as reader, target.open("xb") as writer:
        while block := reader.read(1 << 20):
            digest.update(block)
            writer.write(block)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest()


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file so that `target` is there whole or not at all; what was there is replaced.

    Raises as `copy_hashed` does.
    """
    partial = target.with_name(f".{target.stem[:100]}.{uuid.uuid4().hex}.part")
    try:
        copy_hashed(source, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
