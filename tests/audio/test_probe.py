from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from sfwidgets.audio import probe


@pytest.mark.parametrize(
    ("suffix", "subtype", "codec", "container"),
    [
        ("wav", "PCM_24", "pcm_s24le", "wav"),
        ("flac", "PCM_16", "flac", "flac"),
        ("mp3", "MPEG_LAYER_III", "mp3", "mp3"),
        ("ogg", "VORBIS", "vorbis", "ogg"),
        ("aiff", "PCM_16", "pcm_s16be", "aiff"),
    ],
)
def test_probe_tells_what_a_file_is(tmp_path, noise, suffix, subtype, codec, container):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(66150, level=0.1).T, 44100, subtype=subtype)
    info = probe(path)
    assert info.duration == pytest.approx(1.5, abs=1e-3)
    assert (info.sample_rate, info.channels, info.codec, info.container) == (44100, 2, codec, container)


@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.mp3", "libmp3lame"), ("a.flac", "flac")])
def test_probe_reads_the_tags(tmp_path, ffmpeg_file, sine, name, codec):
    tags = {"title": "Für Elise", "artist": "Ludwig", "album": "Bagatelles"}
    path = ffmpeg_file(tmp_path / name, sine(1, 44100, channels=2), codec=codec, rate=44100, tags=tags)
    info = probe(path)
    assert (info.title, info.artist, info.album) == ("Für Elise", "Ludwig", "Bagatelles")


def test_tags_that_ogg_keeps_with_the_stream_are_found_and_absent_ones_are_none(tmp_path, sine):
    path = tmp_path / "a.ogg"
    with soundfile.SoundFile(path, "w", 44100, 1, "VORBIS") as file:
        file.title = "Bourrée"
        file.write(sine(1, 44100)[0])
    assert (probe(path).title, probe(path).artist) == ("Bourrée", None)


def test_a_bit_rate_is_that_of_the_stream(tmp_path, ffmpeg_file, sine):
    path = ffmpeg_file(tmp_path / "a.mp3", sine(2, 44100, channels=2), codec="libmp3lame", rate=44100, bit_rate=192_000)
    assert probe(path).bit_rate == 192_000


def test_a_recording_that_states_no_length_is_counted(tmp_path, ffmpeg_file, sine):
    path = ffmpeg_file(tmp_path / "a.webm", sine(3, 48000), codec="libopus", rate=48000, live="1")
    import av

    with av.open(str(path)) as container:
        assert container.duration is None
    assert probe(path).duration == pytest.approx(3.0, abs=0.05)


def test_probing_does_not_decode(tmp_path, monkeypatch):
    import av

    path = tmp_path / "long.flac"
    soundfile.write(path, np.zeros((480_000, 1)), 8000)
    monkeypatch.setattr(av.container.InputContainer, "decode", None, raising=False)
    monkeypatch.setattr(av.container.InputContainer, "demux", None, raising=False)
    assert probe(path).duration == 60.0


def test_importing_audio_loads_no_codec_library():
    script = "import sys, sfwidgets.audio; print([m for m in ('av', 'soundfile', 'soxr', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
