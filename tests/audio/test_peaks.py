from __future__ import annotations

import struct
import subprocess
import sys

import numpy as np
import pytest

from sfwidgets.audio import PeakWriter, read_peaks
from sfwidgets.errors import AudioError, InvalidInputError


def _write(path, blocks, **options):
    with PeakWriter(path, **{"sample_rate": 44100} | options) as writer:
        for block in blocks:
            writer.write(block)
    return path


def test_the_file_is_audiowaveforms_version_2(tmp_path):
    """Field by field, after DataFormat.md of bbc/audiowaveform."""
    block = np.array([[0.5, -0.25, 0, 0, 1.0], [0, 0.75, -1.0, 0, 0]], dtype=np.float32)
    data = _write(tmp_path / "a.dat", [block], samples_per_pixel=2).read_bytes()
    assert data == struct.pack("<iIiiIi", 2, 0, 44100, 2, 3, 1) + struct.pack("<6h", -8192, 24576, -32768, 0, 0, 32767)


@pytest.mark.parametrize("frames", [100_000, 4096, 333, 1])
def test_peaks_are_each_pixels_extremes_however_the_audio_was_cut(tmp_path, noise, cut, frames):
    signal = noise(5000 if frames == 1 else 100_000)
    peaks = read_peaks(_write(tmp_path / "a.dat", cut(signal, frames)))
    pixels = [signal[:, n : n + 256] for n in range(0, signal.shape[1], 256)]
    assert (peaks.sample_rate, peaks.samples_per_pixel) == (44100, 256)
    assert peaks.minima == pytest.approx(np.array([p.min() for p in pixels]), abs=2**-15)
    assert peaks.maxima == pytest.approx(np.array([p.max() for p in pixels]), abs=2**-15)


def test_what_is_beyond_full_scale_is_drawn_at_full_scale(tmp_path):
    peaks = read_peaks(_write(tmp_path / "a.dat", [np.array([[3.0, -3.0]], dtype=np.float32)]))
    assert (peaks.minima[0], peaks.maxima[0]) == (-1.0, 32767 / 32768)


def test_a_zoomed_outline_is_that_of_larger_pixels(tmp_path, noise):
    fine = read_peaks(_write(tmp_path / "a.dat", [noise(10_000)], samples_per_pixel=64))
    coarse = read_peaks(_write(tmp_path / "b.dat", [noise(10_000)], samples_per_pixel=640))
    zoomed = fine.zoom(10)
    assert zoomed.samples_per_pixel == 640
    assert np.array_equal(zoomed.minima, coarse.minima)
    assert np.array_equal(zoomed.maxima, coarse.maxima)


def test_no_audio_has_no_pixels(tmp_path):
    peaks = read_peaks(_write(tmp_path / "a.dat", []))
    assert len(peaks.minima) == len(peaks.zoom(4).maxima) == 0


def test_an_exception_leaves_no_file(tmp_path, noise):
    def broken():
        yield noise(1000)
        raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        _write(tmp_path / "a.dat", broken())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_and_leaves_no_file(tmp_path):
    script = """
import resource, sys
from pathlib import Path
import numpy as np
from sfwidgets.audio import PeakWriter
from sfwidgets.errors import DiskFullError
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    with PeakWriter(Path(sys.argv[1]), sample_rate=44100) as writer:
        writer.write(np.zeros((2, int(sys.argv[2])), dtype=np.float32))
except DiskFullError as error:
    print(error.code)
"""
    for frames in (300_000, 6_000_000):
        done = subprocess.run(
            [sys.executable, "-c", script, tmp_path / "a.dat", str(frames)], capture_output=True, text=True
        )
        assert (done.stdout, done.stderr) == ("disk_full\n", "")
        assert list(tmp_path.iterdir()) == []


def test_what_is_not_a_whole_peaks_file_is_refused(tmp_path, noise):
    path = _write(tmp_path / "a.dat", [noise(10_000)])
    whole = path.read_bytes()
    for broken in (b"", whole[:20], whole[:-4], struct.pack("<i", 1) + whole[4:], b"RIFF" + whole[4:]):
        path.write_bytes(broken)
        with pytest.raises(AudioError) as caught:
            read_peaks(path)
        assert caught.value.code == "peaks_unreadable"
    with pytest.raises(InvalidInputError):
        read_peaks(tmp_path / "nowhere.dat")
