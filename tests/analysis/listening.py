"""What the questions about rhythm are asked of, without the rest of an analysis."""

from __future__ import annotations

import numpy as np

from sfwidgets.analysis import framing, pitch
from sfwidgets.analysis.onsets import OnsetReader, Onsets


def heard(signal: np.ndarray, rate: int = 44100) -> tuple[Onsets, np.ndarray, np.ndarray, float]:
    """Onsets, chroma, bass chroma and the chromas' frame rate of a signal of shape (channels, frames)."""
    length = framing.frame_length(rate, 0.046)
    spectra = framing.PowerSpectra(len(signal), length, length // 4)
    onsets, pitches = OnsetReader(rate, length // 2 + 1), pitch.PitchReader(rate, len(signal))
    for start in range(0, signal.shape[1], 65536):
        block = signal[:, start : start + 65536].astype(np.float32)
        onsets.push(spectra.push(block))
        pitches.push(block)
    onsets.push(spectra.finish())
    found = pitches.finish()
    return onsets.finish(), *pitch.chroma(found, pitch.tuning(found)), found.frame_rate
