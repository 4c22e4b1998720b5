"""A lower precision is used where the hardware has it, costs little, and gives way to float32 where it can't be."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import RATE, SOURCES, music, save_safetensors

from sfwidgets.separation import precision
from sfwidgets.separation.demucs import DemucsSeparator
from sfwidgets.separation.weights import locate
from sfwidgets.settings import Settings


def load(folder: Path, name: str, chosen: str) -> DemucsSeparator:
    bag = locate(name, Settings(_env_file=None, models_dir=folder))
    assert bag is not None
    return DemucsSeparator(bag, "cpu", chosen)


def stems(separator: DemucsSeparator, audio: np.ndarray) -> np.ndarray:
    blocks = separator.separate(
        lambda: iter([audio]), sources=tuple(SOURCES), overlap=0.25, shifts=0, seed=0, progress=lambda share: None
    )
    return np.concatenate(list(blocks), axis=2)


def snr(reference: np.ndarray, estimate: np.ndarray) -> float:
    return float(10 * np.log10(np.square(reference).sum() / np.square(reference - estimate).sum()))


@pytest.mark.parametrize(("fast", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_bfloat16_only_where_the_cpu_has_it(monkeypatch: pytest.MonkeyPatch, fast: bool, expected: str) -> None:
    monkeypatch.setattr(precision, "fast_bfloat16", lambda: fast)
    assert precision.choose_precision("auto", "cpu") == expected
    assert precision.choose_precision("float32", "cpu") == "float32"


def test_a_precision_the_cpu_lacks_becomes_float32_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert precision.choose_precision("float16", "cpu") == "float32"
    assert "float16" in caplog.text


def test_attention_over_blocks_of_queries_equals_pytorchs() -> None:
    torch.manual_seed(0)
    reference = torch.nn.MultiheadAttention(32, 4, batch_first=True).eval()
    ours = precision.Attention(reference, torch.float32)
    query, other = torch.randn(2, 300, 32), torch.randn(2, 170, 32)
    with torch.inference_mode():
        for key in (query, other):
            expected = reference(query, key, key, need_weights=False)[0]
            assert torch.allclose(ours(query, key, key)[0], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["tiny_htdemucs", "tiny_hdemucs", "tiny_demucs"])
def test_every_architecture_computes_in_bfloat16(models_dir: Path, name: str) -> None:
    audio = music(5 * RATE)
    lowered = load(models_dir, name, "bfloat16")
    got = stems(lowered, audio)
    assert lowered.precision == "bfloat16"
    assert snr(stems(load(models_dir, name, "float32"), audio), got) > 30


@pytest.mark.skipif(not precision.fast_bfloat16(), reason="bfloat16 is emulated on this CPU: minutes")
def test_full_size_htdemucs_in_bfloat16_is_within_45_db_of_float32(tmp_path: Path) -> None:
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(0)
    network = HTDemucs(SOURCES, bottom_channels=512, segment=7.8).eval()
    save_safetensors(network, tmp_path, "full")
    audio = music(5 * 44100)
    reference = torch.from_numpy(audio)
    mono = reference.mean(0)
    with torch.inference_mode():
        normal = (reference - mono.mean()) / (mono.std() + 1e-8)
        padded = torch.nn.functional.pad(normal, (61740, 61740 + 1))[None][..., :343980]
        expected = network(padded)[0, ..., 61740 : 61740 + audio.shape[1]] * mono.std() + mono.mean()
    assert snr(expected.numpy(), stems(load(tmp_path, "full", "bfloat16"), audio)) > 45


def test_what_overflows_or_is_not_implemented_is_computed_in_float32(
    models_dir: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = music(2 * RATE)
    expected = stems(load(models_dir, "tiny_demucs", "float32"), audio)
    for failure in (lambda x: x.new_full((1, 4, 2, x.shape[-1]), float("inf")), not_implemented):
        separator = load(models_dir, "tiny_demucs", "bfloat16")
        monkeypatch.setattr(separator._models[0], "forward", failure)
        with caplog.at_level(logging.WARNING):
            got = stems(separator, audio)
        assert separator.precision == "float32"
        assert "float32" in caplog.text
        assert np.array_equal(got, expected)


def not_implemented(_: torch.Tensor) -> torch.Tensor:
    raise NotImplementedError("no kernel for BFloat16")
