"""Another speed at the same pitch, another pitch at the same speed.

The algorithm is Signalsmith Stretch (https://signalsmith-audio.co.uk/writing/2023/stretch-design/), which the player in
the page uses, too. Its Python binding takes a whole signal and gives its whole stretch, without delay: so the stream is
taken in long pieces that overlap, and joined at the quietest moment of each overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from sfwidgets.audio.blocks import Block, rechunk

PIECE_SECONDS = 20.0
"""How much is stretched at once, besides the overlap."""
OVERLAP_SECONDS = 1.0
"""Of the input; both of its ends, where a piece hears silence instead of its neighbour, are left out of the search."""
_EDGE = 0.25
"""The share of an overlap, at each end, that is left out."""
_FADE_SECONDS = 0.03
_TONALITY_HZ = 8000.0
"""Up to here a change of pitch keeps the harmonics' ratios; what is higher is noise, and is moved less. The player's."""


def stretch(
    blocks: Iterable[Block], sample_rate: int, *, speed: float = 1.0, pitch: float = 0.0, piece: float = PIECE_SECONDS
) -> Iterator[Block]:
    """Yield the blocks' audio at `speed` times its speed and `pitch` semitones higher.

    The length is the old one over `speed`, to the nearest frame, and what was heard at `t` seconds is heard at
    `t / speed`. Both at their defaults leave the audio untouched. Memory does not grow with the stream.
    """
    if speed == 1.0 and pitch == 0.0:
        yield from blocks
        return
    stretcher = _Stretcher(sample_rate, speed, pitch)
    step, fade = round(piece * sample_rate), round(_FADE_SECONDS * sample_rate)
    start = 0
    held: Block | None = None  # the last piece's stretch, from where it overlaps with the next
    for whole, last in _pieces(blocks, step, round(OVERLAP_SECONDS * sample_rate)):
        out = stretcher.stretch(whole, start)
        if held is not None:
            shared = held.shape[1]
            out = np.concatenate([_join(held, out[:, :shared], fade), out[:, shared:]], axis=1)
        kept = out.shape[1] if last else stretcher.position(start + step) - stretcher.position(start)
        yield out[:, :kept]
        held = out[:, kept:]
        start += step


class _Stretcher:
    """Stretches pieces of one signal."""

    def __init__(self, sample_rate: int, speed: float, pitch: float) -> None:
        self._sample_rate, self._speed, self._pitch = sample_rate, speed, pitch

    def position(self, frame: int) -> int:
        """Return where a frame of the input is heard in the output."""
        return round(frame / self._speed)

    def stretch(self, whole: Block, start: int) -> Block:
        """Return the stretch of a piece that begins at frame `start` of the input."""
        import python_stretch

        wanted = self.position(start + whole.shape[1]) - self.position(start)
        if wanted == 0:
            return whole[:, :0]
        stretcher = python_stretch.Signalsmith.Stretch()
        stretcher.preset(whole.shape[0], self._sample_rate)
        stretcher.setTransposeSemitones(self._pitch, _TONALITY_HZ / self._sample_rate)
        stretcher.setTimeFactor(whole.shape[1] / wanted)
        out: Block = stretcher.process(np.ascontiguousarray(whole))
        return out


def _pieces(blocks: Iterable[Block], step: int, overlap: int) -> Iterator[tuple[Block, bool]]:
    """Yield a piece of `step + overlap` frames every `step`, and whether it is the last, which has what is left.

    That is more than the overlap, where there is a piece before it.
    """
    held: Block | None = None
    for block in rechunk(blocks, step):
        held = block if held is None else np.concatenate([held, block], axis=1)
        while held.shape[1] > step + overlap:
            yield held[:, : step + overlap], False
            held = held[:, step:]
    if held is not None:
        yield held, True


def _join(before: Block, after: Block, fade: int) -> Block:
    """Cross two versions of the same stretch of audio, from the first to the second, where they are quietest.

    Their phases differ, so that what they have in common says how loud the two are together.
    """
    count = before.shape[1]
    first, last = round(_EDGE * count), round((1 - _EDGE) * count) - fade
    power = (before**2 + after**2).sum(axis=0, dtype=np.float64)
    heard = np.concatenate([[0.0], np.cumsum(power)])
    at = first + int(np.argmin(heard[first + fade : last + fade] - heard[first:last]))
    there = slice(at, at + fade)
    angle = (np.arange(fade) + 0.5) / fade * np.pi / 2
    falling, rising = np.cos(angle), np.sin(angle)
    crossed = before[:, there] * falling + after[:, there] * rising
    crossed /= np.sqrt(1 + 2 * falling * rising * _likeness(before[:, there], after[:, there]))
    return np.concatenate([before[:, :at], crossed.astype(np.float32), after[:, at + fade :]], axis=1)


def _likeness(one: Block, other: Block) -> float:
    """Return the correlation of two blocks, 0 to 1; opposite ones count as unlike."""
    powers = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return 0.0 if powers == 0 else max(0.0, float((one * other).sum()) / powers)
