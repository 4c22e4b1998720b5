"""The tag before an MP3's audio. libsndfile writes one itself, but spoils all letters that are not English ones.

Format: ID3v2.3 (https://id3.org/id3v2.3.0), the version that every player reads, with its text in UTF-16.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_FRAMES = {"title": b"TIT2", "artist": b"TPE1", "album": b"TALB", "comment": b"COMM"}
_UTF_16 = b"\x01"
_NO_LANGUAGE, _NO_DESCRIPTION = b"XXX", b"\xff\xfe\x00\x00"


def id3_tag(tags: Mapping[str, str]) -> bytes:
    """Return the tag with these texts (title, artist, album, comment), empty where there are none."""
    frames = b"".join(_frame(name, text) for name, text in tags.items())
    if not frames:
        return b""
    size = bytes(len(frames) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + size + frames


def _frame(name: str, text: str) -> bytes:
    before = _NO_LANGUAGE + _NO_DESCRIPTION if name == "comment" else b""
    body = _UTF_16 + before + text.encode("utf-16")
    return _FRAMES[name] + struct.pack(">IH", len(body), 0) + body
