"""A download counts only where its sound is the song's, as far as length and loudness tell."""

from __future__ import annotations

import numpy as np
import pytest
from audio_server import HTML

from sfwidgets.audio import Encoder
from sfwidgets.errors import JobCancelledError
from sfwidgets.models import SourceTrack
from sfwidgets.sources.check import UnfitError, check, tolerance

RATE = 8_000


def write(path, samples):
    with Encoder(path, sample_rate=RATE, channels=1, format="flac", bit_depth=16) as encoder:
        encoder.write(samples.astype(np.float32)[None])
    return path


def tone(seconds, level=0.5):
    return level * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)


def track(duration):
    return SourceTrack(id="x", title="x", duration=duration)


def looked_at(path, duration):
    return check(path, track(duration), lambda: None)


@pytest.mark.parametrize(("duration", "seconds"), [(60.0, 5.0), (166.0, 5.0), (200.0, 6.0), (3600.0, 108.0)])
def test_five_seconds_or_three_per_cent_may_differ(duration, seconds):
    assert tolerance(duration) == pytest.approx(seconds)


@pytest.mark.parametrize("found", [25.1, 30.0, 34.9])
def test_a_recording_of_the_songs_length_is_fit(tmp_path, found):
    path = write(tmp_path / "song.flac", tone(found))
    assert looked_at(path, 30.0).duration == pytest.approx(found, abs=0.001)


@pytest.mark.parametrize("found", [24.9, 35.1])
def test_one_of_another_length_is_not(tmp_path, found):
    with pytest.raises(UnfitError, match=r"The recording found is 0:(25|35) long, the song is 0:30\.") as raised:
        looked_at(write(tmp_path / "song.flac", tone(found)), 30.0)
    assert (raised.value.code, raised.value.status) == ("unfit_download", 502)


def test_a_song_of_unknown_length_is_any_length(tmp_path):
    assert looked_at(write(tmp_path / "song.flac", tone(3)), None).duration == pytest.approx(3)


@pytest.mark.parametrize("seconds", [0.2, 1.0])
def test_a_second_is_no_song(tmp_path, seconds):
    with pytest.raises(UnfitError, match=f"only {seconds} s long"):
        looked_at(write(tmp_path / "song.flac", tone(seconds)), seconds)


def click(seconds):
    samples = np.zeros(round(seconds * RATE))
    samples[RATE] = 1.0
    return samples


@pytest.mark.parametrize(
    "samples", [np.zeros(60 * RATE), tone(60, 0.0009), click(120)], ids=["zeros", "noise", "click"]
)
def test_silence_is_unfit(tmp_path, samples):
    with pytest.raises(UnfitError, match="silent"):
        looked_at(write(tmp_path / "song.flac", samples), len(samples) / RATE)


@pytest.mark.parametrize("samples", [
    tone(60, 0.002), np.concatenate((tone(60), np.zeros(240 * RATE), tone(20))),
], ids=["very quiet", "hidden song"])  # fmt: skip
def test_quiet_music_is_not_silence(tmp_path, samples):
    assert looked_at(write(tmp_path / "song.flac", samples), len(samples) / RATE)


@pytest.mark.parametrize("length", [None, 60.0])
def test_a_file_that_ends_early_is_unfit(tmp_path, length):
    """By less than what its length may differ, too: it is no other version, but a broken transfer."""
    path = write(tmp_path / "song.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 60 * RATE))
    path.write_bytes(path.read_bytes()[: round(0.95 * path.stat().st_size)])
    with pytest.raises(UnfitError, match=r"damaged: 0:5[67] of its 1:00 are there"):
        looked_at(path, length)


@pytest.mark.parametrize("content", [HTML, b'{"error": 1}', b"", b"ID3\x03\0\0\0\0\0\0" + bytes(5000)])
def test_what_is_not_audio_is_unfit(tmp_path, content):
    path = tmp_path / "song.mp3"
    path.write_bytes(content)
    with pytest.raises(UnfitError, match="not audio"):
        looked_at(path, 30.0)


def test_a_check_can_be_cancelled(tmp_path):
    def cancelled():
        raise JobCancelledError("It was cancelled.")

    with pytest.raises(JobCancelledError):
        check(write(tmp_path / "song.flac", tone(30)), track(30.0), cancelled)
