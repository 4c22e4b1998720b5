"""Demucs' models as a `Separator`: weights from disk into networks, networks into the streaming engine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sfwidgets.errors import ModelUnavailableError, SoundForgeError, UnavailableError
from sfwidgets.separation.engine import Network, separate_stream
from sfwidgets.separation.precision import autocast, choose_device, choose_precision, tune
from sfwidgets.separation.protocol import OpenMixture, Progress, StemBlock
from sfwidgets.separation.weights import Bag, fetch, published_file, verify
from sfwidgets.settings import Settings

logger = logging.getLogger(__name__)

CUDA_BATCH = 8
"""Segments to a forward on a GPU. On CPUs one at a time is the fastest."""


def load_demucs(name: str, settings: Settings, device: str = "auto", precision: str = "auto") -> DemucsSeparator:
    """Load a Demucs model, fetching its weights where they are not on disk and `settings` allows it.

    Raises
    ------
    InvalidInputError
        Where the device is `cuda` and there is none.
    ModelUnavailableError
        Where the weights can't be had, or (code `model_broken`) are damaged or no Demucs model.
    """
    device = choose_device(device)
    bag = fetch(name, settings, lambda _: None)
    return DemucsSeparator(bag, device, choose_precision(precision, device))


class DemucsSeparator:
    """A bag of Demucs networks, loaded and warm; see `protocol.Separator`.

    Where an operator fails in a lower precision, or overflows it, the model is loaded again in float32, a warning is
    logged, and `precision` says so from then on.
    """

    def __init__(self, bag: Bag, device: str, precision: str, batch: int | None = None) -> None:
        self.name = bag.name
        self._bag = bag
        self._device = device
        self._batch = batch or (CUDA_BATCH if device == "cuda" else 1)
        self._load(precision)

    def _load(self, precision: str) -> None:
        model = load_bag(self._bag)
        self.sources: tuple[str, ...] = tuple(model.sources)
        self.sample_rate = int(model.samplerate)
        self.channels = int(model.audio_channels)
        self.precision = precision
        self._weights = [tuple(float(w) for w in row) for row in model.weights]
        self._models = list(model.models)
        for network in dict.fromkeys(self._models):
            network.to(self._device).eval()
            tune(network, self._device, precision)

    def separate(
        self,
        mixture: OpenMixture,
        *,
        sources: tuple[str, ...],
        overlap: float,
        shifts: int,
        seed: int,
        progress: Progress,
    ) -> Iterator[StemBlock]:
        """Separate a stream, yielding blocks of shape (sources, channels, frames), in the order of `sources`.

        In float32 the result is that of `demucs.apply.apply_model` to within 1e-6 of full scale.
        """
        return separate_stream(
            [self._network(index) for index in range(len(self._models))],
            mixture,
            sources=[self.sources.index(source) for source in sources],
            channels=self.channels,
            sample_rate=self.sample_rate,
            overlap=overlap,
            shifts=shifts,
            seed=seed,
            progress=progress,
            batch=self._batch,
        )

    def _network(self, index: int) -> Network:
        model = self._models[index]
        transformer = getattr(model, "crosstransformer", None)
        return Network(
            forward=lambda segments: self._forward(index, segments),
            segment=int(model.samplerate * model.segment),
            input_length=getattr(model, "valid_length", lambda length: length),
            weights=self._weights[index],
            draws_per_forward=transformer is not None and transformer.emb == "sin",
        )

    def _forward(self, index: int, segments: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            with torch.inference_mode(), autocast(self._device, self.precision):
                out = self._models[index](torch.from_numpy(segments).to(self._device)).float()
                if self.precision == "float32" or bool(out.isfinite().all()):
                    stems: NDArray[np.float32] = out.cpu().numpy()
                    return stems
            reason = "the result is beyond its range"
        except torch.OutOfMemoryError as error:
            raise UnavailableError(
                "The GPU has too little free memory for this model; close what else uses it, or choose the device "
                "'cpu'.",
                code="gpu_memory",
            ) from error
        except (RuntimeError, NotImplementedError) as error:
            if self.precision == "float32":
                raise
            reason = str(error).splitlines()[0]
        logger.warning("%s can't compute in %s here (%s); going on in float32.", self.name, self.precision, reason)
        self._load("float32")
        return self._forward(index, segments)


def load_bag(bag: Bag) -> Any:
    """Return the `demucs.apply.BagOfModels` of a model's files, on the CPU and in float32.

    Raises
    ------
    ModelUnavailableError
        With the code `model_broken`, where a file is damaged or holds no Demucs model.
    """
    from demucs.apply import BagOfModels

    loaded: dict[Path, Any] = {}
    try:
        for path in bag.files:
            if path not in loaded:
                loaded[path] = _load_network(path)
        weights = None if bag.weights is None else [list(row) for row in bag.weights]
        return BagOfModels([loaded[path] for path in bag.files], weights, bag.segment)
    except SoundForgeError:
        raise
    except Exception as error:
        # A damaged file shows itself as whatever its reader happens to trip over.
        raise ModelUnavailableError(
            f"The weights of {bag.name} in {bag.files[0].parent} can't be loaded ({type(error).__name__}: "
            f"{(str(error).splitlines() or [''])[0][:200]}); delete them and fetch them again.",
            code="model_broken",
        ) from error


def _load_network(path: Path) -> Any:
    """Load one network, without running code from its file unless that is one that Demucs' authors published."""
    from demucs.demucs import Demucs
    from demucs.hdemucs import HDemucs
    from demucs.hf import load_safetensors_model
    from demucs.htdemucs import HTDemucs
    from demucs.states import load_model

    if path.suffix == ".safetensors":
        return load_safetensors_model(path)
    if not verify(path):
        raise ModelUnavailableError(
            f"{path} is damaged: its contents don't match the checksum in its name; delete it and fetch it again.",
            code="model_broken",
        )
    with torch.serialization.safe_globals([HTDemucs, HDemucs, Demucs, Fraction]):
        return load_model(torch.load(path, map_location="cpu", weights_only=not published_file(path)))
