"""Small Demucs networks with random weights, in the folder layouts that Demucs' own come in."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

SOURCES = ["drums", "bass", "other", "vocals"]
RATE = 8000


def small_network(kind: str, seed: int = 0) -> Any:
    """Return a network of one of Demucs' three architectures, a thousandth of the published size."""
    from demucs.demucs import Demucs
    from demucs.hdemucs import HDemucs
    from demucs.htdemucs import HTDemucs

    torch.manual_seed(seed)
    common = {"sources": SOURCES, "samplerate": RATE, "channels": 8}
    network = {
        "htdemucs": lambda: HTDemucs(
            **common, segment=2, nfft=512, depth=3, t_layers=2, t_heads=2, bottom_channels=16, dconv_init=0.3
        ),
        "hdemucs": lambda: HDemucs(**common, segment=3, nfft=1024, depth=5),
        "demucs": lambda: Demucs(**common, segment=2, depth=3),
    }[kind]()
    return network.eval()


def save_th(network: Any, folder: Path, signature: str) -> Path:
    """Write a network as demucs writes it: `<signature>-<checksum>.th`."""
    args, kwargs = network._init_args_kwargs
    package = {
        "klass": type(network),
        "args": args,
        "kwargs": kwargs,
        "state": network.state_dict(),
        "training_args": {},
    }
    buffer = io.BytesIO()
    torch.save(package, buffer)
    path = folder / f"{signature}-{hashlib.sha256(buffer.getvalue()).hexdigest()[:8]}.th"
    path.write_bytes(buffer.getvalue())
    return path


def save_safetensors(network: Any, folder: Path, signature: str) -> Path:
    """Write a network as Demucs' hub repositories hold it."""
    args, kwargs = network._init_args_kwargs
    metadata = {
        "klass": f"{type(network).__module__}.{type(network).__name__}",
        "args": json.dumps(args),
        "kwargs": json.dumps(kwargs),
    }
    path = folder / f"{signature}.safetensors"
    save_file({k: v.contiguous().clone() for k, v in network.state_dict().items()}, path, metadata)
    return path


def music(frames: int, seed: int = 0) -> np.ndarray:
    """Return stereo noise of shape (2, frames) with an offset and a swell: something to normalise."""
    noise = np.random.default_rng(seed).standard_normal((2, frames)).astype(np.float32)
    return noise * np.linspace(0.02, 0.2, frames, dtype=np.float32) + np.float32(0.01)
