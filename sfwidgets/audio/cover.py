"""The picture that an audio file carries."""

from __future__ import annotations

from pathlib import Path

from sfwidgets.audio.container import open_audio

_KINDS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif", b"RIFF": "image/webp"}
"""What a browser shows, by how it begins."""

_LARGEST = 16 * 2**20
"""Bytes; what is larger is no cover."""


def cover(path: Path) -> tuple[bytes, str] | None:
    """Return a file's embedded picture and its MIME type, None where it has none; raises as `probe` does."""
    from av import FFmpegError
    from av.stream import Disposition

    with open_audio(path) as (container, _stream):
        for stream in container.streams.video:
            if not stream.disposition & Disposition.attached_pic:
                continue
            try:
                picture = bytes(next(container.demux(stream)))
            except (FFmpegError, StopIteration):
                continue
            kind = next((kind for start, kind in _KINDS.items() if picture.startswith(start)), None)
            if kind is not None and len(picture) <= _LARGEST:
                return picture, kind
    return None
