"""Signals with a known truth, and files made of them by libsndfile and by FFmpeg."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from sfwidgets.audio import decode

Samples = NDArray[np.float32]


@pytest.fixture
def read() -> Callable[..., Samples]:
    """The whole of a short file as one array of shape (channels, frames)."""

    def _read(path: Path, **options: object) -> Samples:
        return np.concatenate(list(decode(path, **options)), axis=1)

    return _read


@pytest.fixture
def sine() -> Callable[..., Samples]:
    def _sine(seconds: float, rate: int, *, hertz: float = 440.0, channels: int = 1, level: float = 0.5) -> Samples:
        time = np.arange(round(seconds * rate)) / rate
        return np.tile(level * np.sin(2 * np.pi * hertz * time), (channels, 1)).astype(np.float32)

    return _sine


@pytest.fixture
def noise() -> Callable[..., Samples]:
    def _noise(frames: int, channels: int = 2, level: float = 0.9) -> Samples:
        return np.random.default_rng(7).uniform(-level, level, (channels, frames)).astype(np.float32)

    return _noise


@pytest.fixture
def cut() -> Callable[[Samples, int], Iterator[Samples]]:
    """A signal as blocks of a given length."""

    def _cut(samples: Samples, frames: int) -> Iterator[Samples]:
        for start in range(0, samples.shape[1], frames):
            yield samples[:, start : start + frames]

    return _cut


@pytest.fixture
def ffmpeg_file() -> Callable[..., Path]:
    """Encode one or more streams with FFmpeg."""

    def _write(
        path: Path,
        *streams: Samples,
        codec: str,
        rate: int,
        bit_rate: int | None = None,
        tags: dict[str, str] | None = None,
        **options: str,
    ) -> Path:
        with av.open(str(path), "w", options=options) as container:
            container.metadata.update(tags or {})
            layouts = ["mono" if samples.shape[0] == 1 else "stereo" for samples in streams]
            made = [container.add_stream(codec, rate=rate, layout=layout) for layout in layouts]
            for stream, samples, layout in zip(made, streams, layouts, strict=True):
                if bit_rate is not None:
                    stream.bit_rate = bit_rate
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
                frame.sample_rate = rate
                frame.pts = 0
                resampler = av.AudioResampler(format=stream.codec_context.format.name, layout=layout, rate=rate)
                for part in resampler.resample(frame):
                    container.mux(stream.encode(part))
                container.mux(stream.encode(None))
        return path

    return _write


@pytest.fixture
def silent_film(tmp_path: Path) -> Path:
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    return path
