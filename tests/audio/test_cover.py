"""The picture in an audio file, put there by hand after the formats' own documents."""

from __future__ import annotations

import io
import struct

import pytest
import soundfile
from PIL import Image

from sfwidgets.audio import cover
from sfwidgets.errors import AudioError

RATE = 44100


def picture(kind):
    held = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 40, 40)).save(held, kind)
    return held.getvalue()


def flac_picture(data, mime):
    """RFC 9639, section 8.8: type 3 is the front cover."""
    body = struct.pack(">II", 3, len(mime)) + mime + struct.pack(">IIIIII", 0, 32, 32, 24, 0, len(data)) + data
    return struct.pack(">I", 6 << 24 | len(body)) + body


def id3_picture(data, mime):
    """ID3v2.3: a tag of one APIC frame."""
    body = b"\0" + mime + b"\0\x03\0" + data
    frame = b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frame


@pytest.mark.parametrize(("kind", "mime"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
@pytest.mark.parametrize("format", ["flac", "mp3"])
def test_the_embedded_picture_comes_out_byte_for_byte(tmp_path, sine, format, kind, mime):
    path, data = tmp_path / f"a.{format}", picture(kind)
    soundfile.write(path, sine(1, RATE, channels=2).T, RATE)
    plain = path.read_bytes()
    if format == "flac":
        path.write_bytes(plain[:42] + flac_picture(data, mime.encode()) + plain[42:])
    else:
        path.write_bytes(id3_picture(data, mime.encode()) + plain)
    assert cover(path) == (data, mime)


def test_a_file_without_a_picture_has_none(tmp_path, sine):
    soundfile.write(tmp_path / "a.wav", sine(1, RATE).T, RATE)
    assert cover(tmp_path / "a.wav") is None


def test_a_picture_that_browsers_do_not_show_is_none(tmp_path, sine):
    path = tmp_path / "a.flac"
    soundfile.write(path, sine(1, RATE).T, RATE)
    plain = path.read_bytes()
    path.write_bytes(plain[:42] + flac_picture(picture("TIFF"), b"image/tiff") + plain[42:])
    assert cover(path) is None


def test_what_is_not_audio_is_an_error(tmp_path):
    (tmp_path / "a.mp3").write_bytes(picture("JPEG"))
    with pytest.raises(AudioError):
        cover(tmp_path / "a.mp3")
