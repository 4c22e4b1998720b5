"""How good a separation is, where the truth is known."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sfwidgets.separation.protocol import Block


def sdr(reference: Iterable[Block], estimate: Iterable[Block]) -> float:
    """Return the signal-to-distortion ratio in dB of a whole stem, both given as blocks of (channels, frames).

    `10·log10(Σ s² / Σ (s − ŝ)²)` over all channels and frames, as in the Music Demixing Challenge (Mitsufuji et al.
    2022, "Music Demixing Challenge 2021", Frontiers in Signal Processing), which is not BSSEval's SDR. The blocks of the
    two need not be cut at the same places; where one is shorter, it counts as silent from there on. Returns `inf` for a
    perfect estimate and `nan` for a silent reference.
    """
    signal = distortion = 0.0
    for truth, guess in _aligned(iter(reference), iter(estimate)):
        signal += float(np.sum(np.square(truth, dtype=np.float64)))
        distortion += float(np.sum(np.square(truth.astype(np.float64) - guess)))
    if signal == 0.0:
        return float("nan")
    return float("inf") if distortion == 0.0 else 10.0 * float(np.log10(signal / distortion))


def _aligned(left: Iterable[Block], right: Iterable[Block]) -> Iterable[tuple[Block, Block]]:
    sides = [iter(left), iter(right)]
    held: list[Block | None] = [None, None]
    while True:
        for side, stream in enumerate(sides):
            if held[side] is None:
                held[side] = next(stream, None)
        first, second = held
        if first is None and second is None:
            return
        if second is None:
            assert first is not None  # noqa: S101 - tells the type checker what the line above made sure of
            yield first, np.zeros_like(first)
            held[0] = None
        elif first is None:
            yield np.zeros_like(second), second
            held[1] = None
        else:
            count = min(first.shape[-1], second.shape[-1])
            yield first[..., :count], second[..., :count]
            held = [b[..., count:] if b.shape[-1] > count else None for b in (first, second)]
