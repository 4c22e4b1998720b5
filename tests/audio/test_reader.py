"""Any part of a file at once."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import soundfile

from sfwidgets.audio import Reader, readable_directly
from sfwidgets.errors import AudioError, NotFoundError

RATE = 44100


@pytest.fixture
def written(tmp_path, noise):
    def _write(name="a.flac", *, channels=2, subtype="PCM_24", frames=3 * RATE):
        path = tmp_path / name
        soundfile.write(path, noise(frames, channels).T, RATE, subtype=subtype)
        return path, soundfile.read(path, dtype="float64", always_2d=True)[0]

    return _write


def sixteen_bits(samples):
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)


@pytest.mark.parametrize(("name", "subtype"), [("a.flac", "PCM_24"), ("a.wav", "PCM_16"), ("a.wav", "FLOAT")])
def test_any_part_is_the_file_s_own_frames(written, name, subtype):
    path, truth = written(name, subtype=subtype)
    reader = Reader(path, etag="e")
    assert (reader.sample_rate, reader.channels, reader.frames, reader.etag) == (RATE, 2, len(truth), "e")
    for start, count in [(0, 10), (100_000, 30_000), (7, 1), (50, 0), (1, 65536)]:
        part = reader.read(start, count)
        assert part.dtype == np.int16
        np.testing.assert_array_equal(part, sixteen_bits(truth[start : start + count]))
    np.testing.assert_allclose(reader.block(1000, 5000).T, truth[1000:5000], atol=1e-7)


def test_what_lies_beyond_the_end_is_left_out(written):
    path, truth = written()
    reader = Reader(path, etag="")
    assert len(reader.read(len(truth) - 5, 100)) == 5
    assert reader.read(len(truth) + 5, 100).shape == (0, 2)
    assert reader.read(0, 10**9).shape == (len(truth), 2)


def test_one_channel_is_heard_on_both_sides(written):
    path, truth = written(channels=1)
    part = Reader(path, etag="").read(10, 100)
    np.testing.assert_array_equal(part, sixteen_bits(np.repeat(truth[10:110], 2, axis=1)))


def test_a_wished_length_cuts_or_adds_silence(written):
    path, truth = written(frames=1000)
    assert Reader(path, etag="", frames=900).read(0, 5000).shape == (900, 2)
    longer = Reader(path, etag="", frames=1100).read(950, 500)
    np.testing.assert_array_equal(longer[:50], sixteen_bits(truth[950:]))
    assert len(longer) == 150
    assert not longer[50:].any()


def test_samples_beyond_full_scale_are_limited(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([[2.0, -2.0]]), RATE, subtype="FLOAT")
    assert Reader(tmp_path / "a.wav", etag="").read(0, 1).tolist() == [[32767, -32768]]


def test_several_threads_may_read_at_once(written):
    path, truth = written()
    reader, wrong = Reader(path, etag=""), []

    def read(seed):
        random = np.random.default_rng(seed)
        for _ in range(60):
            start = int(random.integers(0, len(truth) - 2000))
            if not np.array_equal(reader.read(start, 2000), sixteen_bits(truth[start : start + 2000])):
                wrong.append(start)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_deleted_file_is_told(written):
    path, _ = written()
    reader = Reader(path, etag="")
    path.unlink()
    with pytest.raises(NotFoundError, match="deleted"):
        reader.read(0, 10)
    with pytest.raises(NotFoundError, match="deleted"):
        Reader(path, etag="")


def test_a_file_that_is_not_audio_is_told(tmp_path):
    (tmp_path / "a.flac").write_bytes(b"no music")
    with pytest.raises(AudioError, match="damaged"):
        Reader(tmp_path / "a.flac", etag="")


def test_only_plain_files_of_the_right_rate_and_length_are_read_directly(written, tmp_path, noise):
    path, truth = written()
    assert readable_directly(path, sample_rate=RATE, frames=None)
    assert readable_directly(path, sample_rate=RATE, frames=len(truth))
    assert not readable_directly(path, sample_rate=48000, frames=None)
    assert not readable_directly(path, sample_rate=RATE, frames=len(truth) - 1)
    wide, _ = written("wide.wav", channels=3)
    lossy, _ = written("a.ogg", subtype="VORBIS")
    telephone, _ = written("t.wav", subtype="ULAW")
    (tmp_path / "b.wav").write_bytes(b"no music")
    for other in (wide, lossy, telephone, tmp_path / "b.wav"):
        assert not readable_directly(other, sample_rate=RATE, frames=None)
