from __future__ import annotations

import hashlib

import numpy as np
import pytest
import soundfile

from sfwidgets.audio import content_hash, probe, transcode
from sfwidgets.errors import AudioError, InvalidInputError

RATE = 44100


@pytest.fixture
def source(tmp_path, sine):
    path = tmp_path / "source.flac"
    soundfile.write(path, sine(2, RATE, channels=2).T, RATE, subtype="PCM_24")
    return path


@pytest.mark.parametrize(
    ("format", "codec"), [("flac", "flac"), ("wav", "pcm_s24le"), ("mp3", "mp3"), ("ogg", "vorbis")]
)
def test_the_target_is_the_same_audio_in_the_other_format(tmp_path, read, source, format, codec):
    target = tmp_path / "target.bin"
    transcode(source, target, format=format)
    assert probe(target).codec == codec
    assert read(target).shape == (2, 2 * RATE)
    inner = slice(2000, -2000)
    assert np.abs(read(target) - read(source))[:, inner].max() < (0.02 if format in ("mp3", "ogg") else 1e-9)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source.flac", "target.bin"]


def test_the_rate_and_the_bits_can_be_chosen(tmp_path, source):
    transcode(source, tmp_path / "a.wav", format="wav", sample_rate=8000, bit_depth=16)
    info = soundfile.info(tmp_path / "a.wav")
    assert (info.samplerate, info.subtype, info.frames) == (8000, "PCM_16", 16_000)


@pytest.mark.parametrize(("rate", "expected"), [(96_000, 48_000), (47_999, 44_100), (4000, 8000)])
def test_an_mp3_gets_a_rate_and_channels_that_it_can_have(tmp_path, sine, rate, expected):
    soundfile.write(tmp_path / "a.wav", sine(1, rate, channels=6).T, rate)
    transcode(tmp_path / "a.wav", tmp_path / "a.mp3", format="mp3")
    info = probe(tmp_path / "a.mp3")
    assert (info.sample_rate, info.channels) == (expected, 2)
    assert info.duration == pytest.approx(1.0, abs=1e-3)


def test_a_target_in_use_is_replaced_whole_or_kept(tmp_path, source):
    target = tmp_path / "target.flac"
    target.write_bytes(b"what was there before")
    broken = tmp_path / "broken.wav"
    soundfile.write(broken, np.r_[np.zeros(200_000), np.nan], RATE, subtype="FLOAT")
    with pytest.raises(AudioError):
        transcode(broken, target, format="flac")
    assert target.read_bytes() == b"what was there before"
    assert len(list(tmp_path.iterdir())) == 3
    transcode(source, target, format="flac")
    assert soundfile.info(target).frames == 2 * RATE


def test_a_truncated_source_is_told(tmp_path, source):
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    notices: list[str] = []
    transcode(source, tmp_path / "a.mp3", format="mp3", notices=notices)
    assert [n.startswith("The file ends early") for n in notices] == [True]


def test_a_missing_source_leaves_nothing(tmp_path):
    with pytest.raises(InvalidInputError):
        transcode(tmp_path / "nowhere.wav", tmp_path / "a.flac", format="flac")
    assert list(tmp_path.iterdir()) == []


def test_a_files_hash_is_the_sha256_of_its_bytes(tmp_path):
    data = bytes(range(256)) * 9001
    (tmp_path / "a").write_bytes(data)
    assert content_hash(tmp_path / "a") == hashlib.sha256(data).hexdigest()
