"""Splitting a mixture into stems: the models there are, how one is loaded, and how it is run on a stream.

Importing this loads no torch; `load` does.
"""

from __future__ import annotations

import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sfwidgets.errors import InvalidInputError
from sfwidgets.models import SeparationOptions
from sfwidgets.separation.catalogue import (
    EMBEDDED,
    PREFERRED,
    catalogue,
    describe,
    fingerprint,
    forget_failures,
    obtain,
    resolve,
)
from sfwidgets.separation.evaluation import sdr
from sfwidgets.separation.protocol import Block, OpenMixture, Progress, Separator, StemBlock
from sfwidgets.settings import Settings

__all__ = [
    "EMBEDDED",
    "Block",
    "OpenMixture",
    "Progress",
    "Separator",
    "StemBlock",
    "StemPlan",
    "catalogue",
    "check",
    "describe",
    "fetch",
    "fingerprint",
    "load",
    "resolve",
    "sdr",
    "separate",
    "stem_plan",
]

WARM_MODELS = 2

_warm: OrderedDict[tuple[str, str, str, Path | None], Separator] = OrderedDict()
_warm_lock = threading.Lock()


@dataclass(frozen=True)
class StemPlan:
    """Which sources a model is asked for, and which stems are written."""

    sources: tuple[str, ...]
    """What the model separates."""
    names: tuple[str, ...]
    """The stems' names, in the order they are written."""
    complement: str | None = None
    """The name of the stem that is the mixture less the one source: `no_vocals`."""


def check(options: SeparationOptions, settings: Settings) -> None:
    """Turn away, at the door, what no separation could do; asks no network and loads no model.

    Raises
    ------
    UnknownModelError
    InvalidInputError
        Where the model is known not to have a stem that was asked for.
    """
    if options.device == "cuda" and settings.dask_scheduler is None and shutil.which("nvidia-smi") is None:
        raise InvalidInputError("This machine has no NVIDIA GPU; choose the device 'cpu' or 'auto'.", code="no_gpu")
    sources = describe(options.model, settings).sources
    if sources:
        stem_plan(sources, options)


def fetch(name: str, settings: Settings, progress: Callable[[float], None] | None = None) -> None:
    """Have a model's weights on disk when this returns; `progress` is told the share and may raise to stop.

    Asked for by name, a fetch that failed a moment ago is tried again.

    Raises
    ------
    UnknownModelError, ModelUnavailableError
    """
    wanted = PREFERRED if name == "auto" else resolve(name, settings)[0]
    forget_failures()
    obtain(wanted, settings, progress or (lambda _: None))


def load(name: str, settings: Settings, device: str = "auto", precision: str = "auto") -> Separator:
    """Return a model, loaded and warm; the two used last stay so in this process.

    `name` is a model's id, or `auto` (see `resolve`, which also gives the notices).

    Raises
    ------
    UnknownModelError, ModelUnavailableError
    InvalidInputError
        Where the device is `cuda` and there is none.
    """
    model, _ = resolve(name, settings)
    key = (model, device, precision, settings.models_dir)
    with _warm_lock:
        separator = _warm.get(key)
        if separator is None:
            separator = _load(model, settings, device, precision)
            _warm[key] = separator
        _warm.move_to_end(key)
        while len(_warm) > WARM_MODELS:
            _warm.popitem(last=False)
        return separator


def _load(model: str, settings: Settings, device: str, precision: str) -> Separator:
    if model == EMBEDDED:
        from sfwidgets.separation.embedded import load_embedded
        from sfwidgets.separation.precision import choose_device, choose_precision

        chosen = choose_device(device)
        if precision == "auto" and chosen == "cpu":
            precision = "float32"  # the network is small: bfloat16 gains nothing here (measured)
        return load_embedded(chosen, choose_precision(precision, chosen))
    from sfwidgets.separation.demucs import load_demucs

    obtain(model, settings)
    return load_demucs(model, settings, device, precision)


def stem_plan(sources: tuple[str, ...], options: SeparationOptions) -> StemPlan:
    """Return which of a model's sources to separate and which stems come of it.

    Raises
    ------
    InvalidInputError
        With the code `unknown_stem`, where the model has no such stem, or both `stems` and `two_stems` are asked for.
    """
    if options.stems is not None and options.two_stems is not None:
        raise InvalidInputError("Choose either stems or two_stems, not both.")
    wanted = options.stems or ((options.two_stems,) if options.two_stems else sources)
    unknown = [stem for stem in wanted if stem not in sources]
    if unknown:
        raise InvalidInputError(
            f"This model has no stem {', '.join(repr(stem) for stem in unknown)}; it has {', '.join(sources)}.",
            code="unknown_stem",
        )
    if options.two_stems is None:
        return StemPlan(tuple(wanted), tuple(wanted))
    complement = f"no_{options.two_stems}"
    return StemPlan(tuple(wanted), (options.two_stems, complement), complement)


def separate(
    separator: Separator, mixture: OpenMixture, options: SeparationOptions, progress: Progress
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Separate a mixture, yielding per block the stems by name, each of shape (channels, frames).

    With `two_stems` they are the stem and its complement, which is the mixture less the stem: so both add up to it.

    Raises
    ------
    InvalidInputError
        With the code `unknown_stem`, when this is called, before any audio is read.
    """
    plan = stem_plan(separator.sources, options)
    blocks = separator.separate(
        mixture,
        sources=plan.sources,
        overlap=options.overlap,
        shifts=options.shifts,
        seed=options.seed,
        progress=progress,
    )
    if plan.complement is None:
        return (dict(zip(plan.names, block, strict=True)) for block in blocks)
    return _with_complement(plan, blocks, mixture)


def _with_complement(
    plan: StemPlan, blocks: Iterator[StemBlock], mixture: OpenMixture
) -> Iterator[dict[str, NDArray[np.float32]]]:
    heard = mixture()
    rest: NDArray[np.float32] | None = None
    for (stem,) in blocks:
        parts = [] if rest is None else [rest]
        missing = stem.shape[1] - sum(part.shape[1] for part in parts)
        while missing > 0:
            parts.append(next(heard))
            missing -= parts[-1].shape[1]
        joined = np.concatenate(parts, axis=1)
        rest = joined[:, stem.shape[1] :]
        yield dict(zip(plan.names, (stem, joined[:, : stem.shape[1]] - stem), strict=True))
