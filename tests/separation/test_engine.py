"""The streaming engine gives what `demucs.apply.apply_model` gives on the whole track."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import RATE, SOURCES, music

from sfwidgets.errors import AudioError
from sfwidgets.separation.demucs import DemucsSeparator
from sfwidgets.separation.engine import Network, measure, separate_stream
from sfwidgets.separation.weights import locate
from sfwidgets.settings import Settings


def load(models_dir: Path, name: str, batch: int = 1) -> DemucsSeparator:
    bag = locate(name, Settings(_env_file=None, models_dir=models_dir))
    assert bag is not None
    return DemucsSeparator(bag, "cpu", "float32", batch=batch)


def upstream(models_dir: Path, name: str, audio: np.ndarray, *, shifts: int, overlap: float, seed: int) -> np.ndarray:
    from demucs.api import Separator

    separator = Separator(name, repo=models_dir, device="cpu", shifts=shifts, overlap=overlap)
    random.seed(seed)
    with torch.no_grad():
        _, stems = separator.separate_tensor(torch.from_numpy(audio))
    return np.stack([stems[source].numpy() for source in SOURCES])


def ours(
    separator: DemucsSeparator,
    audio: np.ndarray,
    *,
    sources: tuple[str, ...] = tuple(SOURCES),
    shifts: int = 0,
    overlap: float = 0.25,
    seed: int = 0,
    block: int = 5000,
) -> np.ndarray:
    blocks = separator.separate(
        lambda: in_blocks(audio, block),
        sources=sources,
        overlap=overlap,
        shifts=shifts,
        seed=seed,
        progress=lambda share: None,
    )
    return np.concatenate(list(blocks), axis=2)


def in_blocks(audio: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (audio[:, start : start + size] for start in range(0, audio.shape[1], size))


@pytest.mark.parametrize("name", ["tiny_htdemucs", "tiny_hdemucs", "tiny_demucs", "tiny_bag"])
@pytest.mark.parametrize(
    ("frames", "shifts", "overlap"),
    [(20 * RATE + 1, 0, 0.25), (20 * RATE + 1, 2, 0.25), (7 * RATE, 1, 0.6), (3 * RATE + 7, 0, 0.0), (1001, 2, 0.25)],
)
def test_streaming_equals_demucs_on_the_whole_track(
    models_dir: Path, name: str, frames: int, shifts: int, overlap: float
) -> None:
    audio = music(frames)
    expected = upstream(models_dir, name, audio, shifts=shifts, overlap=overlap, seed=7)
    got = ours(load(models_dir, name), audio, shifts=shifts, overlap=overlap, seed=7)
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 1e-6


def test_a_part_of_the_stems_equals_the_same_part_of_all(models_dir: Path) -> None:
    audio = music(9 * RATE)
    expected = upstream(models_dir, "tiny_bag", audio, shifts=2, overlap=0.25, seed=3)
    got = ours(load(models_dir, "tiny_bag"), audio, sources=("vocals", "other"), shifts=2, seed=3)
    assert np.abs(got - expected[[3, 2]]).max() < 1e-6


def test_networks_without_weight_in_the_chosen_stems_are_not_run() -> None:
    ran: list[str] = []

    def network(name: str, weights: tuple[float, ...]) -> Network:
        def forward(segments: np.ndarray) -> np.ndarray:
            ran.append(name)
            return np.repeat(segments[:, None], 2, axis=1)

        return Network(forward, 100, lambda length: length, weights)

    list(
        separate_stream(
            [network("drums", (1, 0)), network("vocals", (0, 1))],
            lambda: in_blocks(music(1000), 300),
            sources=[1],
            channels=2,
            sample_rate=RATE,
            overlap=0.25,
            shifts=0,
            seed=0,
            progress=lambda share: None,
        )
    )
    assert set(ran) == {"vocals"}


def test_batches_of_segments_equal_one_at_a_time(models_dir: Path) -> None:
    audio = music(15 * RATE + 11)
    one = ours(load(models_dir, "tiny_bag"), audio, shifts=2, seed=1)
    four = ours(load(models_dir, "tiny_bag", batch=4), audio, shifts=2, seed=1)
    assert np.abs(one - four).max() < 1e-6


def test_the_size_of_the_blocks_that_come_in_does_not_matter(models_dir: Path) -> None:
    audio = music(6 * RATE + 3)
    separator = load(models_dir, "tiny_htdemucs")
    assert np.array_equal(ours(separator, audio, block=313), ours(separator, audio, block=10**6))


@pytest.mark.parametrize("name", ["tiny_htdemucs", "tiny_hdemucs", "tiny_demucs"])
def test_silence_stays_finite_and_silent(models_dir: Path, name: str) -> None:
    got = ours(load(models_dir, name), np.zeros((2, 5 * RATE), dtype=np.float32))
    assert got.shape == (4, 2, 5 * RATE)
    assert np.abs(got).max() < 1e-6


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_audio_comes_out_as_long_as_it_went_in(models_dir: Path, frames: int) -> None:
    got = ours(load(models_dir, "tiny_htdemucs"), music(frames), shifts=1)
    assert got.shape == (4, 2, frames)
    assert np.isfinite(got).all()


def test_no_audio_gives_no_blocks(models_dir: Path) -> None:
    separator = load(models_dir, "tiny_htdemucs")
    blocks = separator.separate(
        lambda: iter(()), sources=("vocals",), overlap=0.25, shifts=1, seed=0, progress=lambda share: None
    )
    assert list(blocks) == []


def test_the_statistics_are_exact_however_far_the_offset() -> None:
    audio = np.random.default_rng(0).standard_normal((2, 100_000)).astype(np.float32) * 1e-3 + 0.5
    mono = audio.mean(axis=0, dtype=np.float64)
    statistics = measure(lambda: in_blocks(audio, 777), lambda share: None)
    assert statistics.frames == 100_000
    assert statistics.mean == pytest.approx(mono.mean(), rel=1e-12)
    assert statistics.std == pytest.approx(mono.std(ddof=1) + 1e-8, rel=1e-9)


def test_memory_does_not_grow_with_the_length() -> None:
    def peak(seconds: int) -> int:
        def mixture() -> Iterator[np.ndarray]:
            return (np.full((2, RATE), 0.1, dtype=np.float32) for _ in range(seconds))

        network = Network(
            lambda segments: np.repeat(segments[:, None], 4, axis=1), 2 * RATE, lambda length: length, (1,) * 4
        )
        tracemalloc.start()
        for _ in separate_stream(
            [network],
            mixture,
            sources=[0, 1, 2, 3],
            channels=2,
            sample_rate=RATE,
            overlap=0.25,
            shifts=2,
            seed=0,
            progress=lambda share: None,
        ):
            pass
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    assert peak(600) < 1.5 * peak(30)


def test_progress_rises_to_one_at_least_once_a_segment(models_dir: Path) -> None:
    shares: list[float] = []
    separator = load(models_dir, "tiny_htdemucs")
    audio = music(12 * RATE)
    list(
        separator.separate(
            lambda: in_blocks(audio, 4000), sources=("bass",), overlap=0.25, shifts=0, seed=0, progress=shares.append
        )
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(set(shares)) >= 12 / (2 * 0.75)


def test_cancelling_stops_before_another_segment_is_separated() -> None:
    class CancelledError(Exception):
        pass

    forwards = 0

    def forward(segments: np.ndarray) -> np.ndarray:
        nonlocal forwards
        forwards += 1
        return np.repeat(segments[:, None], 1, axis=1)

    def progress(share: float) -> None:
        if share > 0.3:
            raise CancelledError

    blocks = separate_stream(
        [Network(forward, 100, lambda length: length, (1.0,))],
        lambda: in_blocks(music(1000), 250),
        sources=[0],
        channels=2,
        sample_rate=RATE,
        overlap=0.0,
        shifts=0,
        seed=0,
        progress=progress,
    )
    with pytest.raises(CancelledError):
        list(blocks)
    assert forwards == 4


def test_audio_that_shrinks_between_the_passes_is_an_error(models_dir: Path) -> None:
    opened = iter([music(6 * RATE), music(2 * RATE)])
    blocks = load(models_dir, "tiny_htdemucs").separate(
        lambda: in_blocks(next(opened), 4000),
        sources=("vocals",),
        overlap=0.25,
        shifts=0,
        seed=0,
        progress=lambda share: None,
    )
    with pytest.raises(AudioError, match="shorter"):
        list(blocks)
