"""Fixtures of the separation tests: a folder of small models, and no cache but the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_models import save_th, small_network

from sfwidgets.separation.catalogue import forget_failures


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four models in Demucs' repository layout: three of one network each, and a weighted bag of all three."""
    folder = tmp_path_factory.mktemp("models")
    for seed, kind in enumerate(("htdemucs", "hdemucs", "demucs")):
        save_th(small_network(kind, seed), folder, f"sig{seed}")
        (folder / f"tiny_{kind}.yaml").write_text(f"models: ['sig{seed}']\n")
    (folder / "tiny_bag.yaml").write_text(
        "models: ['sig0', 'sig1', 'sig2']\nweights: [[1, 0.5, 0, 2], [0, 1, 0, 1], [1, 1, 1, 0]]\n"
    )
    return folder


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute on one thread: for networks this small, more of them only wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _nothing_cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the hub's and torch's caches of this machine out of the tests, and what was remembered before."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    forget_failures()
