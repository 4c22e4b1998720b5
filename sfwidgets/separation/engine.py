"""Streaming separation: overlapping segments in, weighted overlap-add out, in memory independent of the length.

The result is that of `demucs.apply.apply_model` on the whole track (Défossez et al., "Hybrid Spectrogram and Waveform
Source Separation", 2021), with the normalisation of `demucs.api.Separator.separate_tensor` around it. The whole track
is never held: a first pass over the mixture takes its statistics, a second one separates it.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from sfwidgets.errors import AudioError
from sfwidgets.separation.protocol import Block, OpenMixture, Progress, StemBlock

MAX_SHIFT_SECONDS = 0.5


@dataclass(frozen=True)
class Network:
    """One network of a bag, as the engine needs to know it."""

    forward: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    """Segments (batch, channels, frames) to stems (batch, sources, channels, frames), all sources of the model."""
    segment: int
    """Frames of one segment."""
    input_length: Callable[[int], int]
    """How many frames, the segment's neighbourhood included, the network wants for so many frames of segment."""
    weights: tuple[float, ...]
    """This network's share of each source in the bag's weighted mean."""
    draws_per_forward: bool = False
    """HTDemucs draws one random position a forward, from the generator that upstream draws the shifts from."""


@dataclass(frozen=True)
class Statistics:
    """What Demucs normalises a mixture by: mean and deviation of the mean of its channels."""

    frames: int
    mean: float
    std: float


@dataclass(frozen=True, order=True)
class _Segment:
    position: int
    """Its first frame in the mixture; negative where a shift begins before the mixture does."""
    index: int
    length: int = field(compare=False)


class _Mixture:
    """The part of the normalised mixture that is still needed, read on as it is asked for."""

    def __init__(self, blocks: Iterator[Block], channels: int, statistics: Statistics) -> None:
        self._blocks = blocks
        self._statistics = statistics
        self._held: NDArray[np.float32] = np.zeros((channels, 0), dtype=np.float32)
        self._start = 0

    def window(self, start: int, length: int) -> NDArray[np.float32]:
        """Return the frames from `start`, with zeros before the mixture begins and after it ends."""
        self._read_to(min(start + length, self._statistics.frames))
        out = np.zeros((self._held.shape[0], length), dtype=np.float32)
        first = max(start, 0)
        last = min(start + length, self._statistics.frames)
        if last > first:
            out[:, first - start : last - start] = self._held[:, first - self._start : last - self._start]
        return out

    def forget(self, before: int) -> None:
        if before > self._start:
            self._held = self._held[:, before - self._start :].copy()
            self._start = before

    def _read_to(self, frame: int) -> None:
        have = self._start + self._held.shape[1]
        fresh: list[NDArray[np.float32]] = []
        while have < frame:
            block = next(self._blocks, None)
            if block is None:
                raise AudioError("The audio became shorter while it was being separated; separate it again.")
            fresh.append((block - np.float32(self._statistics.mean)) / np.float32(self._statistics.std))
            have += block.shape[1]
        if fresh:
            self._held = np.concatenate([self._held, *fresh], axis=1)


def measure(mixture: OpenMixture, progress: Progress) -> Statistics:
    """Count the frames of a mixture and take the statistics that it is normalised by, in float64.

    The deviation is the unbiased one, plus 1e-8 as upstream has it, so that silence divides by no zero. Means and
    squared deviations of the blocks are merged pairwise (Chan, Golub and LeVeque, 1983).
    """
    frames, mean, squares = 0, 0.0, 0.0
    for block in mixture():
        progress(0.0)
        count = block.shape[1]
        if not count:
            continue
        mono = block.mean(axis=0, dtype=np.float64)
        block_mean = float(mono.mean())
        delta = block_mean - mean
        squares += float(np.square(mono - block_mean).sum()) + delta * delta * frames * count / (frames + count)
        mean += delta * count / (frames + count)
        frames += count
    std = (squares / (frames - 1)) ** 0.5 if frames > 1 else 0.0
    return Statistics(frames, mean, std + 1e-8)


def separate_stream(
    networks: Sequence[Network],
    mixture: OpenMixture,
    *,
    sources: Sequence[int],
    channels: int,
    sample_rate: int,
    overlap: float,
    shifts: int,
    seed: int,
    progress: Progress,
    batch: int = 1,
) -> Iterator[StemBlock]:
    """Separate a mixture with a bag of networks, yielding blocks of the sources at the indices `sources`.

    Every network and every shift has a schedule of segments of its own; they advance together along the track, and
    what no segment can reach any more is emitted. Networks with no weight in `sources` are not run.

    Parameters
    ----------
    overlap : share of a segment that the next one overlaps, in [0, 1)
    shifts : number of random shifts to average over; 0 separates the mixture once, as it lies
    seed : the shifts are those that upstream makes after `random.seed(seed)`
    batch : segments to a forward

    Raises
    ------
    AudioError
        Where the second pass over the mixture is shorter than the first.
    """
    statistics = measure(mixture, progress)
    frames = statistics.frames
    if not frames:
        return
    chosen = list(sources)
    schedules = _schedules(
        networks, frames, int(MAX_SHIFT_SECONDS * sample_rate), overlap=overlap, shifts=shifts, seed=seed
    )
    totals = np.array([sum(n.weights[s] for n in networks) for s in chosen], dtype=np.float64)
    running = [
        _Run(network, schedule, np.array([network.weights[s] for s in chosen]) / totals / max(shifts, 1), overlap)
        for network, schedule in zip(networks, schedules, strict=True)
        if any(network.weights[s] for s in chosen)
    ]
    reach = max(run.network.input_length(run.network.segment) for run in running)
    total = sum(len(run.segments) for run in running)
    signal = _Mixture(mixture(), channels, statistics)
    mixed = np.zeros((len(chosen), channels, 0), dtype=np.float32)
    emitted = done = 0
    while emitted < frames:
        run = min(running, key=lambda r: r.position(frames))
        group = run.take(batch)
        stems = run.network.forward(np.stack([signal.window(*run.input(segment)) for segment in group]))
        for segment, stem in zip(group, stems, strict=True):
            first = max(segment.position, 0)
            last = segment.position + segment.length
            if last <= first:
                continue
            if last - emitted > mixed.shape[2]:
                mixed = np.pad(mixed, ((0, 0), (0, 0), (0, last - emitted - mixed.shape[2])))
            mixed[:, :, first - emitted : last - emitted] += run.weigh(segment, stem[chosen])[:, :, first - last :]
        done += len(group)
        progress(done / total)
        front = max(min(r.position(frames) for r in running), emitted)
        if front > emitted:
            yield mixed[:, :, : front - emitted] * np.float32(statistics.std) + np.float32(statistics.mean)
            mixed = mixed[:, :, front - emitted :].copy()
            emitted = front
            signal.forget(max(front - reach, 0))


class _Run:
    """One network on its way through its segments."""

    def __init__(self, network: Network, segments: list[_Segment], gains: NDArray[np.float64], overlap: float) -> None:
        self.network = network
        self.segments = segments
        self._next = 0
        self._gains = gains.astype(np.float32)[:, None, None]
        self._stride = stride(network.segment, overlap)
        rising = np.arange(1, network.segment // 2 + 1)
        falling = np.arange(network.segment - network.segment // 2, 0, -1)
        triangle = np.concatenate([rising, falling]).astype(np.float32)
        self._triangle = triangle / triangle.max()
        self._steady: NDArray[np.float32] | None = None

    def position(self, end: int) -> int:
        """Return where the next segment begins; `end` where there is none."""
        return self.segments[self._next].position if self._next < len(self.segments) else end

    def take(self, count: int) -> list[_Segment]:
        """Return the next segments, as many as want inputs of the same length, up to `count`."""
        rest = self.segments[self._next : self._next + count]
        length = self.input(rest[0])[1]
        group = list(takewhile(lambda segment: self.input(segment)[1] == length, rest))
        self._next += len(group)
        return group

    def input(self, segment: _Segment) -> tuple[int, int]:
        """Return the first frame and the length of what the network hears: the segment amid its neighbourhood."""
        length = self.network.input_length(segment.length)
        return segment.position - (length - segment.length) // 2, length

    def weigh(self, segment: _Segment, stems: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the segment itself, cut out of its neighbourhood and weighted for the overlap-add."""
        left = (stems.shape[2] - segment.length) // 2
        window = self._window(segment.index)[: segment.length]
        weighted: NDArray[np.float32] = stems[:, :, left : left + segment.length] * window * self._gains
        return weighted

    def _window(self, index: int) -> NDArray[np.float32]:
        """Return the triangle over the sum of all triangles there, which depends on how many came before."""
        size, step = self.network.segment, self._stride
        reach = (size - 1) // step
        steady = index >= reach
        if steady and self._steady is not None:
            return self._steady
        total = np.zeros(size, dtype=np.float32)
        for neighbour in range(-min(index, reach), reach + 1):
            lag = neighbour * step
            if lag <= 0:
                total[: size + lag] += self._triangle[-lag:]
            else:
                total[lag:] += self._triangle[: size - lag]
        window: NDArray[np.float32] = self._triangle / total
        if steady:
            self._steady = window
        return window


def stride(segment: int, overlap: float) -> int:
    """Return the frames from one segment's beginning to the next one's; never less than one."""
    return max(1, int((1 - overlap) * segment))


def _schedules(
    networks: Sequence[Network], frames: int, max_shift: int, *, overlap: float, shifts: int, seed: int
) -> list[list[_Segment]]:
    """Return each network's segments in order of position, drawing what upstream draws in the order it draws it."""
    draw = random.Random(seed)  # noqa: S311 - shifts, not secrets
    schedules = []
    for network in networks:
        passes = []
        for _ in range(max(shifts, 1)):
            start = draw.randint(0, max_shift) - max_shift if shifts else 0
            positions = range(start, frames, stride(network.segment, overlap))
            passes.append([_Segment(p, index, min(network.segment, frames - p)) for index, p in enumerate(positions)])
            if network.draws_per_forward:
                for _ in positions:
                    draw.randrange(1)
        schedules.append(list(heapq.merge(*passes)))
    return schedules
