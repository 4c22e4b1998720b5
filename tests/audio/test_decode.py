from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from sfwidgets.audio import Encoder, decode

RATE = 44100


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff"])
@pytest.mark.parametrize("bits", [16, 24])
def test_pcm_comes_out_bit_for_bit(tmp_path, read, suffix, bits):
    steps = np.random.default_rng(1).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (2, 30_001), dtype=np.int32)
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, (steps << (32 - bits)).T, RATE, subtype=f"PCM_{bits}")
    assert np.array_equal(read(path), steps / 2.0 ** (bits - 1))


@pytest.mark.parametrize(("subtype", "step"), [("PCM_U8", 2**-7), ("PCM_32", 2**-24), ("FLOAT", 0), ("DOUBLE", 2**-24)])
def test_every_kind_of_wav_sample_is_scaled_to_one(tmp_path, read, noise, subtype, step):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(5000).T, RATE, subtype=subtype)
    assert np.abs(read(path) - noise(5000)).max() <= step


def _music(channels: int = 2) -> np.ndarray:
    """Five seconds of a soft tone with one click, half a second in."""
    time = np.arange(5 * RATE + 321) / RATE
    signal = 0.2 * np.sin(2 * np.pi * 440 * time)
    signal[RATE // 2] = 0.95
    return np.tile(signal, (channels, 1)).astype(np.float32)


FILES = [
    ("a.mp3", "libmp3lame", RATE),
    ("a.m4a", "aac", RATE),
    ("a.mp4", "aac", RATE),
    ("a.ogg", "libsndfile", RATE),
    ("snd.mp3", "libsndfile", RATE),
    ("a.opus", "libopus", 48000),
    ("a.webm", "libopus", 48000),
]


@pytest.mark.parametrize(("name", "codec", "rate"), FILES)
def test_a_click_in_a_lossy_file_is_where_it_was_and_the_tone_is_the_same(
    tmp_path, read, ffmpeg_file, name, codec, rate
):
    signal, path, notices = _music(), tmp_path / name, []
    if codec == "libsndfile":
        soundfile.write(path, signal.T, rate)
    else:
        ffmpeg_file(path, signal, codec=codec, rate=rate, bit_rate=256_000)
    got = read(path, notices=notices)
    assert abs(int(np.argmax(got[0])) - RATE // 2) <= rate // 1000
    assert 0 <= got.shape[1] - signal.shape[1] < 1024, "no more than AAC's last frame is longer than the original"
    quiet = slice(RATE // 8, RATE * 3 // 8)
    error = got[0, quiet] - signal[0, quiet]
    assert 10 * np.log10(np.mean(signal[0, quiet] ** 2) / np.mean(error**2)) > 30
    assert notices == []


def test_an_mp3_is_as_long_and_the_same_as_libsndfile_decodes_it(tmp_path, read):
    path = tmp_path / "a.mp3"
    soundfile.write(path, _music().T, RATE)
    reference, _ = soundfile.read(path, always_2d=True)
    got = read(path)
    assert got.shape == reference.T.shape == _music().shape
    assert np.abs(got - reference.T).max() < 1e-5


def test_blocks_have_the_length_asked_for_and_only_the_last_is_shorter(tmp_path, noise):
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(10_500).T, RATE, subtype="PCM_24")
    blocks = list(decode(path, block_frames=1000))
    assert [b.shape for b in blocks] == [(2, 1000)] * 10 + [(2, 500)]
    assert {b.dtype for b in blocks} == {np.dtype("float32")}


def test_each_stream_of_a_file_of_stems_can_be_chosen(tmp_path, read, ffmpeg_file, sine):
    tones = [sine(1, RATE, hertz=hertz, channels=2) for hertz in (200, 500, 1100)]
    path = ffmpeg_file(tmp_path / "a.mp4", *tones, codec="aac", rate=RATE)
    for index, hertz in enumerate((200, 500, 1100)):
        spectrum = np.abs(np.fft.rfft(read(path, stream=index)[0, :RATE]))
        assert abs(int(np.argmax(spectrum)) - hertz) <= 1


def test_stempegs_mixture_is_the_sum_of_its_stems(read, excerpt):
    mixture, *stems = (read(excerpt, stream=n) for n in range(5))
    assert len(stems) == 4
    error = mixture - sum(stems)
    assert 10 * np.log10(np.mean(mixture**2) / np.mean(error**2)) > 15


def test_mono_becomes_two_equal_channels(tmp_path, read, noise):
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(3000, 1).T, RATE, subtype="PCM_24")
    mono, stereo = read(path), read(path, channels=2)
    assert stereo.shape == (2, 3000)
    assert np.array_equal(stereo[0], mono[0])
    assert np.array_equal(stereo[1], mono[0])


def test_stereo_becomes_the_mean(tmp_path, read, noise):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(3000).T, RATE, subtype="FLOAT")
    assert np.allclose(read(path, channels=1)[0], noise(3000).mean(axis=0), atol=1e-7)


def test_eight_channels_become_two(tmp_path, read, noise):
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(3000, 8).T, RATE)
    assert read(path).shape == (8, 3000)
    assert read(path, channels=2).shape == (2, 3000)


@pytest.mark.parametrize("rate", [8000, 192_000])
def test_unusual_rates_are_decoded_and_resampled(tmp_path, read, sine, rate):
    path = tmp_path / "a.wav"
    soundfile.write(path, sine(1, rate)[0], rate, subtype="FLOAT")
    got = read(path, sample_rate=RATE)
    assert abs(got.shape[1] - RATE) <= 1
    inner = slice(1000, -1000)
    assert np.abs(got[0] - sine(1, RATE)[0, : got.shape[1]])[inner].max() < 1e-3


def test_fifty_milliseconds_and_silence_are_audio_too(tmp_path, read):
    path = tmp_path / "a.mp3"
    soundfile.write(path, np.zeros((2205, 2)), RATE)
    assert read(path).shape == (2, 2205)
    assert np.abs(read(path)).max() < 1e-6


def test_memory_does_not_grow_with_the_length(tmp_path):
    def peak(seconds: int) -> int:
        path = tmp_path / f"{seconds}.flac"
        second = (0.1 * np.random.default_rng(0).standard_normal((2, RATE))).clip(-1, 1).astype(np.float32)
        with Encoder(path, sample_rate=RATE, channels=2, bit_depth=16) as encoder:
            for _ in range(seconds):
                encoder.write(second)
        script = (
            "import resource, sys; from pathlib import Path; from sfwidgets.audio import decode\n"
            "n = sum(b.shape[1] for b in decode(Path(sys.argv[1]), sample_rate=48000))\n"
            "print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
        frames, kilobytes = map(int, done.stdout.split())
        assert frames == seconds * 48000
        return kilobytes

    assert peak(600) - peak(10) < 30_000, "600 s are 211 MB as float32 samples"
