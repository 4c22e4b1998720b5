"""What was fetched becomes what is kept: in the format asked for, with the track's tags and cover."""

from __future__ import annotations

import io
import sys

import av
import numpy as np
import pytest
from PIL import Image

from sfwidgets.audio import Encoder, cover, probe
from sfwidgets.errors import AudioError, DiskFullError, JobCancelledError, UnavailableError
from sfwidgets.sources import ffmpeg
from sfwidgets.sources.artwork import Picture

HOSTILE = "a=b;c#d\\e [f] 'g' \"h\" %(title)s $(id) ../é 😀 " + "ü" * 300
TAGS = {"title": HOSTILE, "artist": "#A, B;", "album": "=", "date": "1971-11-08", "isrc": "GBAYE7100001"}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("convert") / "fetched"
    noise = np.random.default_rng(0).standard_normal((2, 2 * 44_100)).astype(np.float32) * 0.1
    with Encoder(
        path, sample_rate=44_100, channels=2, format="ogg", tags={"title": "Not this", "comment": "Nor this"}
    ) as encoder:
        encoder.write(noise)
    return path


def picture(kind):
    """A JPEG of a megabyte, or a small PNG."""
    held = io.BytesIO()
    side = 700 if kind == "JPEG" else 32
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)).save(held, kind, quality=99)
    return Picture(held.getvalue(), f"image/{kind.lower()}", side, side)


def convert(source, folder, format, *, bitrate="auto", tags=TAGS, picture=None, progress=lambda _share: None):
    target = folder / f"made.{format}"
    (folder / source.name).hardlink_to(source)
    ffmpeg.convert(
        folder / source.name, target, format=format, bitrate=bitrate, tags=tags, picture=picture,
        progress=progress, seconds=60,
    )  # fmt: skip
    return target


def all_tags(path):
    with av.open(str(path)) as container:
        return {
            key.lower(): v for key, v in (*container.metadata.items(), *container.streams.audio[0].metadata.items())
        }


@pytest.mark.parametrize(("format", "codec", "kind"), [
    ("opus", "opus", "JPEG"), ("m4a", "aac", "JPEG"), ("mp3", "mp3", "JPEG"), ("ogg", "vorbis", "JPEG"),
    ("flac", "flac", "JPEG"), ("wav", "pcm_s16le", "JPEG"), ("m4a", "aac", "PNG"), ("ogg", "vorbis", "PNG"),
])  # fmt: skip
def test_tags_and_cover_come_through_exactly(source, tmp_path, format, codec, kind):
    held = picture(kind)
    made = convert(source, tmp_path, format, picture=held)
    info = probe(made)
    assert (info.title, info.artist, info.album) == (TAGS["title"], TAGS["artist"], TAGS["album"])
    assert info.codec == codec
    assert info.duration == pytest.approx(2.0, abs=0.05)
    assert cover(made) == (None if format == "wav" else (held.data, held.mime))
    said = all_tags(made)
    assert said["date"] == TAGS["date"]
    assert said.get("isrc", said.get("tsrc")) == (None if format in ("m4a", "wav") else TAGS["isrc"])
    assert "comment" not in said


def test_line_ends_do_not_get_into_the_description(source, tmp_path):
    made = convert(source, tmp_path, "flac", tags={"title": "One\nartist=Two\r\n[STREAM]\0three", "album": ""})
    said = all_tags(made)
    assert said["title"] == "One artist=Two [STREAM] three"
    assert not said.keys() & {"artist", "album"}


@pytest.mark.parametrize(("bitrate", "low", "high"), [("96k", 80_000, 115_000), ("320k", 280_000, 345_000)])
@pytest.mark.parametrize("format", ["opus", "mp3"])
def test_a_bit_rate_asked_for_is_had(source, tmp_path, format, bitrate, low, high):
    made = convert(source, tmp_path, format, bitrate=bitrate)
    assert low < made.stat().st_size * 8 / 2.0 < high


def test_six_channels_at_an_odd_rate_become_a_song(tmp_path):
    """Codecs refuse such sound, or such a bit rate with it."""
    source = tmp_path / "odd"
    with Encoder(source, sample_rate=22_050, channels=6, format="flac", bit_depth=16) as encoder:
        encoder.write(np.full((6, 22_050), 0.1, np.float32))
    for format in ("opus", "ogg", "mp3", "m4a"):
        target = tmp_path / f"made.{format}"
        ffmpeg.convert(
            source,
            target,
            format=format,
            bitrate="320k",
            tags={},
            picture=None,
            progress=lambda _share: None,
            seconds=60,
        )
        assert (probe(target).sample_rate, probe(target).channels) == (48_000, 2)


def test_a_list_of_files_is_no_audio(tmp_path):
    """FFmpeg would read the files that it names."""
    source = tmp_path / "fetched"
    source.write_text("ffconcat version 1.0\nfile '/etc/hostname'\n")
    with pytest.raises(AudioError):
        ffmpeg.convert(
            source, tmp_path / "made.mp3", format="mp3", bitrate="auto", tags={}, picture=None,
            progress=lambda _share: None, seconds=60,
        )  # fmt: skip


def test_a_full_disk_is_not_the_audios_fault(source, tmp_path):
    (tmp_path / "made.wav").symlink_to("/dev/full")
    with pytest.raises(DiskFullError):
        convert(source, tmp_path, "wav")


def test_a_conversion_can_be_cancelled(source, tmp_path):
    def cancelled(_share):
        raise JobCancelledError("It was cancelled.")

    with pytest.raises(JobCancelledError):
        convert(source, tmp_path, "mp3", progress=cancelled)


def test_the_wheels_ffmpeg_is_used_where_the_system_has_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ffmpeg.program().name.startswith("ffmpeg-")
    own = tmp_path / "ffmpeg"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    assert ffmpeg.program() == own


def test_no_ffmpeg_at_all_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UnavailableError, match="pip install imageio-ffmpeg") as raised:
        ffmpeg.program()
    assert raised.value.code == "no_ffmpeg"
