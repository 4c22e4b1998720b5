from __future__ import annotations

import struct

import numpy as np
import pytest
import soundfile

from sfwidgets.audio import content_hash, decode, probe
from sfwidgets.errors import AudioError, InvalidInputError

RATE = 44100


def _refused(call, path, error, code):
    with pytest.raises(error) as caught:
        result = call(path)
        list(result if call is decode else [])
    assert caught.value.code == code
    assert path.name in caught.value.message
    return caught.value


both = pytest.mark.parametrize("call", [probe, decode])


@pytest.mark.parametrize("call", [probe, decode, content_hash])
def test_a_missing_file(tmp_path, call):
    _refused(call, tmp_path / "nowhere.mp3", InvalidInputError, "file_missing")


def test_a_missing_file_is_told_before_the_first_block(tmp_path):
    with pytest.raises(InvalidInputError):
        decode(tmp_path / "nowhere.mp3")


@pytest.mark.parametrize("call", [probe, decode, content_hash])
def test_a_folder(tmp_path, call):
    _refused(call, tmp_path, InvalidInputError, "is_a_folder")


@both
def test_an_empty_file(tmp_path, call):
    path = tmp_path / "a.wav"
    path.touch()
    _refused(call, path, AudioError, "audio_empty")


@both
@pytest.mark.parametrize("name", ["a.mp3", "a.txt", "a.wav", "a.flac"])
def test_a_text_by_whatever_name(tmp_path, call, name):
    path = tmp_path / name
    path.write_text("Never was there a song in here.\n" * 200)
    _refused(call, path, AudioError, "audio_undecodable")


@both
@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.flac", "a.ogg"])
def test_random_bytes(tmp_path, call, name):
    path = tmp_path / name
    path.write_bytes(np.random.default_rng(3).bytes(50_000))
    _refused(call, path, AudioError, "audio_undecodable")


@both
def test_a_playlist_can_not_make_another_file_be_read(tmp_path, call):
    soundfile.write(tmp_path / "secret.wav", np.zeros(RATE), RATE)
    concat = tmp_path / "a.mp3"
    concat.write_text("ffconcat version 1.0\nfile secret.wav\n")
    _refused(call, concat, AudioError, "audio_undecodable")
    hls = tmp_path / "a.m3u8"
    hls.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.wav\n#EXT-X-ENDLIST\n")
    _refused(call, hls, AudioError, "audio_undecodable")


@both
def test_a_film_without_sound(silent_film, call):
    _refused(call, silent_film, AudioError, "no_audio_stream")


@both
def test_a_file_of_no_frames(tmp_path, call):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((0, 2)), RATE)
    _refused(call, path, AudioError, "audio_empty")


def test_a_stream_that_is_not_there(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(RATE), RATE)
    _refused(lambda p: list(decode(p, stream=1)), path, InvalidInputError, "no_such_stream")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers(tmp_path, value):
    samples = np.zeros(RATE, dtype=np.float32)
    samples[30_000] = value
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    _refused(decode, path, AudioError, "audio_not_finite")


def _wav(path, *, channels=2, rate=RATE, length=None, frames=20_000):
    """A 16-bit WAV file with whatever header one likes."""
    data = np.arange(frames * min(channels, 100) or frames, dtype="<i2").tobytes()
    size = len(data) if length is None else length
    block = channels * 2
    fmt = struct.pack("<HHIIHH", 1, channels, rate, min(rate * block, 2**32 - 1), block, 16)
    head = b"RIFF" + struct.pack("<I", min(size + 36, 2**32 - 1)) + b"WAVEfmt " + struct.pack("<I", 16) + fmt
    path.write_bytes(head + b"data" + struct.pack("<I", size) + data)
    return path


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0x7FFFFFFF, 10_000_000])
def test_a_wav_that_lies_about_its_length_gives_the_real_data(tmp_path, read, length):
    path = _wav(tmp_path / "a.wav", length=length)
    expected = np.arange(40_000, dtype=np.int16).reshape(-1, 2).T / 32768
    assert np.array_equal(read(path), expected)
    assert probe(path).duration == pytest.approx(20_000 / RATE)


@both
@pytest.mark.parametrize("header", [{"channels": 0}, {"rate": 0}, {"channels": 65}, {"rate": 768_001}, {"rate": 2**31}])
def test_a_header_that_no_audio_has(tmp_path, call, header):
    _refused(call, _wav(tmp_path / "a.wav", **header), AudioError, "audio_undecodable")


def _tone(sine):
    return sine(4, RATE, channels=2) * np.linspace(0.2, 1, 4 * RATE, dtype=np.float32)


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.m4a"])
def test_a_truncated_file_gives_what_is_there_and_says_so(tmp_path, read, ffmpeg_file, sine, name):
    path, signal = tmp_path / name, _tone(sine)
    if name == "a.m4a":
        ffmpeg_file(path, signal, codec="aac", rate=RATE, movflags="faststart")
    else:
        soundfile.write(path, signal.T, RATE)
    whole = read(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    notices: list[str] = []
    half = read(path, notices=notices)
    assert 1.5 * RATE < half.shape[1] < 2.8 * RATE
    kept = half.shape[1] - 2400
    assert np.abs(half[:, :kept] - whole[:, :kept]).max() < 1e-5
    assert len(notices) == 1
    assert notices[0].startswith("The file ends early:")
    assert "4.0 s" in notices[0]


def test_an_mp3_without_a_length_in_its_header_is_not_called_truncated(tmp_path, read, ffmpeg_file, noise):
    path, notices = tmp_path / "a.mp3", []
    quiet_then_loud = np.concatenate([noise(RATE * 3, level=1e-5), noise(RATE * 3)], axis=1)
    ffmpeg_file(path, quiet_then_loud, codec="libmp3lame", rate=RATE, write_xing="0")
    read(path, notices=notices)
    assert notices == []


@pytest.mark.parametrize("name", ["a.mp3", "a.flac", "a.ogg"])
def test_damage_in_the_middle_is_left_out_and_told(tmp_path, read, noise, name):
    path, notices = tmp_path / name, []
    soundfile.write(path, noise(6 * RATE, level=0.5).T, RATE)
    whole = read(path)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 6000] = np.random.default_rng(5).bytes(6000)
    path.write_bytes(data)
    got = read(path, notices=notices)
    assert 5 * RATE < got.shape[1] <= whole.shape[1] + 1152
    assert np.abs(got[:, : 2 * RATE] - whole[:, : 2 * RATE]).max() < 1e-5
    end = whole[:, -RATE // 2 : -RATE // 4]
    starts = range(got.shape[1] - RATE // 2 - 2304, got.shape[1] - RATE // 2 + 1)
    assert any(np.abs(got[:, n : n + end.shape[1]] - end).max() < 1e-5 for n in starts), "the end is there again"
    assert [n for n in notices if "is damaged" in n] == notices != []
