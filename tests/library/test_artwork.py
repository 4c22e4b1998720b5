"""The cover that a track's file carries."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import soundfile
from PIL import Image

from sfwidgets import Workbench

Song = Callable[..., Path]


def test_a_track_shows_its_file_s_cover(wb: Workbench, song: Song, tmp_path: Path) -> None:
    samples, rate = soundfile.read(song(1))
    soundfile.write(tmp_path / "a.flac", samples, rate)
    held = io.BytesIO()
    Image.new("RGB", (16, 16), (10, 120, 200)).save(held, "PNG")
    picture, mime = held.getvalue(), b"image/png"
    body = struct.pack(">II", 3, len(mime)) + mime + struct.pack(">6I", 0, 16, 16, 24, 0, len(picture)) + picture
    plain = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(plain[:42] + struct.pack(">I", 6 << 24 | len(body)) + body + plain[42:])
    assert wb.artwork(wb.add(tmp_path / "a.flac")) == (picture, "image/png")
    assert wb.artwork(wb.add(tmp_path / "song.wav")) is None
