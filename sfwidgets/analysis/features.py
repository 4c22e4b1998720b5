"""Features: the one reading of the audio, which keeps only what the musical questions are asked of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfwidgets.analysis import framing, loudness, rhythm, spectrum, tonality

Array = NDArray[np.float32]

_BLOCK = 65536
_PEAK_STEP = 256
_SHORT, _LONG = 0.046, 0.37
"""Seconds of a frame: short ones tell when, long ones tell which pitch. 2048 and 16384 samples at 44.1 kHz."""


@dataclass(frozen=True)
class Features:
    """What is kept of a recording; about 1 MB a minute."""

    duration: float
    """Seconds."""
    loudness: float | None
    """LUFS."""
    frame_rate: float
    """Frames a second of the onset envelope."""
    onsets: Array
    """Onset envelope, shape (frames,)."""
    centroid: float | None
    """Hz."""
    contrast: list[float]
    """dB in each of 7 octave bands."""
    bin_powers: NDArray[np.float64]
    """Mean power spectrum, shape (bins,)."""
    pitch: Array
    """Pitch profiles, shape (frames, 120)."""
    peaks: Array
    """Largest magnitudes of 256 samples each, shape (n,)."""


def extract(blocks: Iterable[framing.Samples], sample_rate: int, seconds_read: Callable[[float], None]) -> Features:
    """Read the audio once, as blocks of shape (channels, frames), and return its features.

    `seconds_read` is told how far the reading is; what it raises ends the reading. Raises `AudioError` where a sample
    is not a finite number.
    """
    readers: _Readers | None = None
    frames = 0
    for block in framing.fixed_blocks(blocks, _BLOCK):
        if readers is None:
            readers = _Readers(sample_rate, block.shape[0])
        readers.push(block)
        frames += block.shape[1]
        seconds_read(frames / sample_rate)
    readers = readers or _Readers(sample_rate, channels=1)
    return readers.finish(frames / sample_rate)


class _Readers:
    """Everything that listens to the stream."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._rate = sample_rate
        short, long = framing.frame_length(sample_rate, _SHORT), framing.frame_length(sample_rate, _LONG)
        self._short = framing.PowerSpectra(channels, short, short // 4)
        self._long = framing.PowerSpectra(channels, long, long // 2)
        self._mel = rhythm.mel_filters(sample_rate, short // 2 + 1)
        self._meter = loudness.LoudnessMeter(sample_rate, channels)
        self._bins = np.zeros(short // 2 + 1)
        self._kept: dict[str, list[Array]] = {
            name: [] for name in ("mel", "centroid", "power", "extremes", "pitch", "peaks")
        }

    def push(self, block: framing.Samples) -> None:
        self._meter.push(block)
        self._kept["peaks"].append(spectrum.peaks(block, _PEAK_STEP))
        self._keep(self._short.push(block), self._long.push(block))

    def _keep(self, short: Array, long: Array) -> None:
        self._bins += short.sum(axis=0, dtype=np.float64)
        self._kept["mel"].append(short @ self._mel)
        self._kept["centroid"].append(spectrum.centroids(short, self._rate))
        self._kept["power"].append(spectrum.frame_powers(short))
        self._kept["extremes"].append(spectrum.contrast_extremes(short, self._rate))
        self._kept["pitch"].append(tonality.pitch_profiles(long, self._rate))

    def finish(self, duration: float) -> Features:
        self._keep(self._short.finish(), self._long.finish())
        kept = {
            name: np.concatenate(arrays) if arrays else np.zeros(0, np.float32) for name, arrays in self._kept.items()
        }
        return Features(
            duration=duration,
            loudness=self._meter.integrated(),
            frame_rate=self._rate / self._short.hop,
            onsets=rhythm.onset_envelope(kept["mel"]),
            centroid=spectrum.mean_centroid(kept["centroid"], kept["power"]),
            contrast=spectrum.contrast(kept["extremes"]),
            bin_powers=self._bins / max(1, len(kept["mel"])),
            pitch=kept["pitch"],
            peaks=kept["peaks"],
        )
