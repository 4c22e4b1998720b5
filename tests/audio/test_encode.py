from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from sfwidgets.audio import Encoder, decode
from sfwidgets.errors import AudioError, InvalidInputError

RATE = 44100
FORMATS = ["flac", "wav", "mp3", "ogg"]


def _encode(path, blocks, **options):
    options = {"sample_rate": RATE, "channels": 2, "format": path.suffix[1:]} | options
    with Encoder(path, **options) as encoder:
        for block in blocks:
            encoder.write(block)
    return encoder


@pytest.mark.parametrize("suffix", ["flac", "wav"])
@pytest.mark.parametrize("bits", [16, 24])
def test_what_came_from_integers_goes_back_exactly(tmp_path, cut, suffix, bits):
    steps = np.random.default_rng(1).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (2, 70_001), dtype=np.int32)
    steps[0, :2] = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    path = tmp_path / f"a.{suffix}"
    encoder = _encode(path, cut((steps / 2.0 ** (bits - 1)).astype(np.float32), 4096), bit_depth=bits)
    stored, rate = soundfile.read(path, dtype="int32")
    assert rate == RATE
    assert soundfile.info(path).subtype == f"PCM_{bits}"
    assert np.array_equal(stored.T >> (32 - bits), steps)
    assert (encoder.frames, encoder.clipped) == (70_001, 0)


def test_24_bits_are_the_default_and_within_half_a_step(tmp_path, noise):
    _encode(tmp_path / "a.flac", [noise(20_000)])
    stored, _ = soundfile.read(tmp_path / "a.flac", dtype="float64")
    assert np.abs(stored.T - noise(20_000)).max() <= 2.0**-24


def test_samples_beyond_full_scale_are_limited_and_counted(tmp_path, read):
    block = np.array([[0.5, 1.0, 1.5, -1.0], [-2.0, 0.0, 0.25, 7.0]], dtype=np.float32)
    encoder = _encode(tmp_path / "a.flac", [block, block])
    assert encoder.clipped == 6
    top = 1 - 2.0**-23
    assert np.array_equal(read(tmp_path / "a.flac")[:, :4], np.clip(block, -1, top).astype(np.float32))


@pytest.mark.parametrize("suffix", ["mp3", "ogg"])
def test_lossy_formats_count_what_they_limit_too(tmp_path, sine, suffix):
    loud = sine(1, RATE, channels=2, level=1.2)
    assert _encode(tmp_path / f"a.{suffix}", [loud]).clipped == np.count_nonzero(np.abs(loud) > 1)


def test_a_wav_in_floating_point_limits_nothing(tmp_path, read, noise):
    encoder = _encode(tmp_path / "a.wav", [noise(1000, level=3)], bit_depth=32)
    assert encoder.clipped == 0
    assert np.array_equal(read(tmp_path / "a.wav"), noise(1000, level=3))


@pytest.mark.parametrize("suffix", ["mp3", "ogg"])
@pytest.mark.parametrize("rate", [44100, 48000])
def test_a_lossy_file_has_the_same_length_the_same_tone_and_the_click_in_its_place(tmp_path, read, sine, suffix, rate):
    signal = sine(2, rate, channels=2, level=0.2)
    signal[:, rate] = 0.95
    _encode(tmp_path / f"a.{suffix}", [signal], sample_rate=rate)
    got = read(tmp_path / f"a.{suffix}")
    assert got.shape == signal.shape
    assert abs(int(np.argmax(got[0])) - rate) <= rate // 1000
    quiet = slice(rate // 4, rate * 3 // 4)
    error = got[0, quiet] - signal[0, quiet]
    assert 10 * np.log10(np.mean(signal[0, quiet] ** 2) / np.mean(error**2)) > 30


@pytest.mark.parametrize(("rate", "bit_rate"), [(44100, 320_000), (44100, 128_000), (48000, 192_000), (22050, 64_000)])
def test_an_mp3_has_the_bit_rate_asked_for(tmp_path, noise, rate, bit_rate):
    path = tmp_path / "a.mp3"
    _encode(path, [noise(5 * rate)], sample_rate=rate, bit_rate=bit_rate)
    assert path.stat().st_size * 8 / 5 == pytest.approx(bit_rate, rel=0.03)


def test_a_higher_bit_rate_makes_a_larger_ogg(tmp_path, noise):
    sizes = []
    for bit_rate in (64_000, 192_000, 320_000):
        _encode(tmp_path / "a.ogg", [noise(3 * RATE)], bit_rate=bit_rate)
        sizes.append((tmp_path / "a.ogg").stat().st_size)
    assert sizes[0] * 1.5 < sizes[1] < sizes[2] / 1.2


def test_one_very_long_block_can_be_written_as_vorbis(tmp_path, noise):
    encoder = _encode(tmp_path / "a.ogg", [noise(1_500_000, level=0.1)])
    assert encoder.frames == sum(b.shape[1] for b in decode(tmp_path / "a.ogg")) == 1_500_000


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_of_nothing_can_be_written(tmp_path, suffix):
    assert _encode(tmp_path / f"a.{suffix}", []).frames == 0


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_exception_leaves_no_file(tmp_path, noise, suffix):
    def broken():
        yield noise(100_000)
        raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        _encode(tmp_path / f"a.{suffix}", broken())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_not_written(tmp_path, noise, value):
    block = noise(1000)
    block[1, 7] = value
    with pytest.raises(AudioError) as caught:
        _encode(tmp_path / "a.flac", [block])
    assert caught.value.code == "audio_not_finite"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        {"format": "flac", "channels": 9},
        {"format": "flac", "bit_depth": 32},
        {"format": "wav", "bit_depth": 20},
        {"format": "mp3", "channels": 6},
        {"format": "mp3", "sample_rate": 96_000},
        {"format": "aac"},
    ],
)
def test_what_a_format_can_not_hold_is_refused_and_leaves_no_file(tmp_path, options):
    with pytest.raises(InvalidInputError) as caught:
        Encoder(tmp_path / "a", **{"sample_rate": RATE, "channels": 2} | options)
    assert caught.value.code == "unsupported_format"
    assert options["format"] in caught.value.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("seconds", [0.5, 20])
def test_a_full_disk_is_told_in_a_sentence_and_leaves_no_file(tmp_path, suffix, seconds):
    """A limit on file sizes stands for the disk: 4 KiB is reached in `write`, or first in `close`."""
    script = """
import resource, sys
from pathlib import Path
import numpy as np
from sfwidgets.audio import Encoder
from sfwidgets.errors import DiskFullError
path, seconds = Path(sys.argv[1]), float(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
noise = np.random.default_rng(0).uniform(-1, 1, (2, int(44100 * seconds))).astype(np.float32)
try:
    with Encoder(path, sample_rate=44100, channels=2, format=path.suffix[1:]) as encoder:
        encoder.write(noise)
except DiskFullError as error:
    print(error.code, error.message)
"""
    path = tmp_path / f"a.{suffix}"
    done = subprocess.run([sys.executable, "-c", script, path, str(seconds)], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.startswith(f"disk_full There is no room left to write a.{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_more_than_a_wav_can_hold_is_refused(tmp_path, monkeypatch, noise):
    monkeypatch.setattr("sfwidgets.audio.encode._WAV_LIMIT", 6000)
    with pytest.raises(AudioError) as caught:
        _encode(tmp_path / "a.wav", [noise(1000), noise(1)])
    assert caught.value.code == "too_long_for_wav"


def test_closing_sees_the_file_onto_the_disk_once(tmp_path, monkeypatch, noise):
    synced = []
    monkeypatch.setattr("os.fsync", synced.append)
    encoder = Encoder(tmp_path / "a.flac", sample_rate=RATE, channels=2)
    encoder.write(noise(1000))
    encoder.close()
    encoder.close()
    assert len(synced) == 1
    assert soundfile.info(tmp_path / "a.flac").frames == 1000
