"""Features: the one reading of the audio, which keeps only what the musical questions are asked of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sfwidgets.analysis import framing, spectrum
from sfwidgets.analysis.energy import BandReader, Bands
from sfwidgets.analysis.levels import LevelReader, Levels
from sfwidgets.analysis.loudness import LoudnessMeter
from sfwidgets.analysis.onsets import OnsetReader, Onsets
from sfwidgets.analysis.pitch import Pitch, PitchReader
from sfwidgets.analysis.spectrum import Spectrum, SpectrumReader
from sfwidgets.analysis.timbre import Timbre, TimbreReader

_BLOCK = 65536
_PEAK_STEP = 256
_FRAME = 0.046
"""Seconds of a short frame; 2048 samples at 44.1 kHz."""


@dataclass(frozen=True)
class Features:
    """What is kept of a recording; about 1 MB a minute."""

    duration: float
    """Seconds."""
    peaks: NDArray[np.float32]
    """Largest magnitudes of 256 samples each, shape (n,)."""
    levels: Levels
    loudness: LoudnessMeter
    spectrum: Spectrum
    timbre: Timbre
    onsets: Onsets
    bands: Bands
    pitch: Pitch


def extract(
    blocks: Iterable[framing.Samples],
    sample_rate: int,
    seconds_read: Callable[[float], None],
    beside: Iterable[Callable[[framing.Samples], None]] = (),
) -> Features:
    """Read the audio once, as blocks of shape (channels, frames), and return its features.

    `seconds_read` is told how far the reading is; what it raises ends the reading. `beside` are told every block too.
    Raises `AudioError` where a sample is not a finite number.
    """
    readers: _Readers | None = None
    frames = 0
    listeners = tuple(beside)
    with ThreadPoolExecutor(1) as beside_me:
        for block in framing.fixed_blocks(blocks, _BLOCK):
            readers = readers or _Readers(sample_rate, block.shape[0])
            waveform = beside_me.submit(readers.push_waveform, block)
            readers.push_spectra(block)
            for listener in listeners:
                listener(block)
            waveform.result()
            frames += block.shape[1]
            seconds_read(frames / sample_rate)
    readers = readers or _Readers(sample_rate, channels=1)
    return readers.finish(frames / sample_rate)


class _Readers:
    """Everything that listens to the stream."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        length = framing.frame_length(sample_rate, _FRAME)
        bins = length // 2 + 1
        self._spectra = framing.PowerSpectra(channels, length, length // 4)
        self._peaks = [np.zeros(0, dtype=np.float32)]
        self._levels = LevelReader(channels)
        self._loudness = LoudnessMeter(sample_rate, channels)
        self._pitch = PitchReader(sample_rate, channels)
        self._spectrum = SpectrumReader(sample_rate, bins)
        self._timbre = TimbreReader(sample_rate, bins)
        self._onsets = OnsetReader(sample_rate, bins)
        self._bands = BandReader(sample_rate, bins)

    def push_waveform(self, block: framing.Samples) -> None:
        """Take a block, in a thread beside `push_spectra`: nothing is shared, and NumPy lets both run at once."""
        self._peaks.append(spectrum.peaks(block, _PEAK_STEP))
        self._levels.push(block)
        self._loudness.push(block)
        self._pitch.push(block)

    def push_spectra(self, block: framing.Samples) -> None:
        """Take a block, as `push_waveform` does."""
        self._push(self._spectra.push(block))

    def _push(self, short: NDArray[np.float32]) -> None:
        self._spectrum.push(short)
        self._timbre.push(short)
        self._onsets.push(short)
        self._bands.push(short)

    def finish(self, duration: float) -> Features:
        self._push(self._spectra.finish())
        return Features(
            duration=duration,
            peaks=np.concatenate(self._peaks),
            levels=self._levels.finish(),
            loudness=self._loudness,
            spectrum=self._spectrum.finish(),
            timbre=self._timbre.finish(),
            onsets=self._onsets.finish(),
            bands=self._bands.finish(),
            pitch=self._pitch.finish(),
        )
