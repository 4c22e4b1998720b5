"""Which models there are, which of them are on this machine, and which one a name means. No torch in here."""

from __future__ import annotations

import importlib.util
import json
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfwidgets.errors import ModelUnavailableError, SoundForgeError, UnknownModelError
from sfwidgets.models import ModelInfo
from sfwidgets.separation import weights
from sfwidgets.settings import Settings

EMBEDDED = "embedded"
PREFERRED = "htdemucs"
"""What `auto` means, wherever its weights can be had."""

RETRY_SECONDS = 600.0
"""How long a failed fetch is remembered, so that not every track of a batch waits for the same silence."""

_FOUR = ("drums", "bass", "other", "vocals")
_SIX = (*_FOUR, "guitar", "piano")
_LICENSE = "not published by its authors"


@dataclass(frozen=True)
class _Known:
    name: str
    description: str
    version: str
    sources: tuple[str, ...] = _FOUR
    size: int | None = None
    quantised: bool = False


_DEMUCS = {
    "htdemucs": _Known(
        "HT Demucs", "Hybrid Transformer Demucs: four stems, the best balance of quality and time.", "4"
    ),
    "htdemucs_ft": _Known(
        "HT Demucs, fine-tuned",
        "One network fine-tuned for each of four stems: somewhat better, four times as slow for all of them.",
        "4",
    ),
    "htdemucs_6s": _Known(
        "HT Demucs, six stems", "Adds guitar and piano to the four stems; piano is of modest quality.", "4", _SIX
    ),
    "hdemucs_mmi": _Known("Hybrid Demucs", "Hybrid Demucs v3 retrained on more songs: four stems.", "3"),
    "mdx": _Known("MDX", "The bag that won track A of the MDX challenge 2021, trained on MUSDB18-HQ only.", "3"),
    "mdx_extra": _Known("MDX extra", "The MDX bag trained with extra songs: four stems, slow.", "3"),
    "mdx_q": _Known(
        "MDX, quantised", "The MDX bag in a smaller download; needs the package diffq.", "3", quantised=True
    ),
    "mdx_extra_q": _Known(
        "MDX extra, quantised", "The MDX extra bag in a smaller download; needs the package diffq.", "3", quantised=True
    ),
}

_failures: dict[tuple[str, Path | None], tuple[float, ModelUnavailableError]] = {}
_failures_lock = threading.Lock()


def catalogue(settings: Settings) -> list[ModelInfo]:
    """Return the models that can be used here, those on this machine first; asks no network.

    Quantised models are listed only where the package `diffq` is there to read them. The default is what `auto` will
    mean: htdemucs where it is installed or may be fetched, and could be lately, else the embedded preview.
    """
    names = [name for name, known in _DEMUCS.items() if not known.quantised or _has_diffq()]
    models = [
        _describe(name, settings) for name in [*names, *(n for n in weights.own_names(settings) if n not in _DEMUCS)]
    ]
    preferred_here = any(model.id == PREFERRED and model.installed for model in models)
    out_of_reach = settings.offline or _failed_lately(PREFERRED, settings)
    default = EMBEDDED if out_of_reach and not preferred_here else PREFERRED
    models.insert(0, _embedded())
    models = [model.model_copy(update={"is_default": model.id == default}) for model in models]
    return sorted(models, key=lambda model: (not model.installed, not model.is_default))


def describe(name: str, settings: Settings) -> ModelInfo:
    """Return what the catalogue says of one model, or of what `auto` means.

    Raises
    ------
    UnknownModelError
    ModelUnavailableError
        Where the model is quantised and the package that reads such weights is not installed.
    """
    models = catalogue(settings)
    for model in models:
        if name == model.id or (name == "auto" and model.is_default):
            return model
    if name in _DEMUCS:
        raise ModelUnavailableError(
            f"{name} is quantised and needs the package diffq, which is not installed; use {name.removesuffix('_q')}."
        )
    raise UnknownModelError(f"There is no model '{name}'; there are auto, {', '.join(model.id for model in models)}.")


def fingerprint(name: str, settings: Settings) -> str:
    """Return what tells a model's weights on this disk from others of the same name."""
    bag = None if name == EMBEDDED else weights.locate(name, settings)
    if bag is None:
        return name
    return " ".join(f"{file.name}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for file in bag.files)


def resolve(name: str, settings: Settings) -> tuple[str, list[str]]:
    """Return the id of the model that a name means, and notices that belong with what it makes.

    `auto` is htdemucs, fetched where need be; where it can't be had, it is the embedded preview, and a notice says so.
    Any other name is itself.

    Raises
    ------
    UnknownModelError
        Where no model has that name; the sentence names those there are.
    """
    if name == "auto":
        try:
            obtain(PREFERRED, settings)
        except ModelUnavailableError as error:
            return EMBEDDED, [
                f"{PREFERRED} could not be fetched, so the embedded preview model was used: {error.message}"
            ]
        return PREFERRED, []
    return describe(name, settings).id, []


def obtain(name: str, settings: Settings, progress: Callable[[float], None] = lambda _: None) -> None:
    """Have a model's weights on disk when this returns, fetching them where need be.

    A failure is remembered for ten minutes in this process and raised again without another try.

    Raises
    ------
    ModelUnavailableError
        Where the weights can't be had; the sentence says what to do.
    """
    if name == EMBEDDED:
        return
    if weights.locate(name, settings) is not None:
        return
    if not settings.offline:
        _raise_remembered(name, settings)
    try:
        weights.fetch(name, settings, progress)
    except ModelUnavailableError as error:
        if settings.offline:
            raise
        with _failures_lock:
            _failures[name, settings.models_dir] = (time.monotonic(), error)
        with suppress(OSError):
            _mark(name, settings).touch()
        raise


def _mark(name: str, settings: Settings) -> Path:
    """Return the file whose age tells other processes of the library how long ago a fetch failed."""
    return settings.library / "run" / f"{name}.unfetched"


def _failed_lately(name: str, settings: Settings) -> bool:
    try:
        return time.time() - _mark(name, settings).stat().st_mtime < RETRY_SECONDS
    except OSError:
        return False


def forget_failures() -> None:
    """Try again what could not be fetched, when it is next asked for."""
    with _failures_lock:
        _failures.clear()


def _raise_remembered(name: str, settings: Settings) -> None:
    with _failures_lock:
        moment, error = _failures.get((name, settings.models_dir), (0.0, None))
    if error is not None and time.monotonic() - moment < RETRY_SECONDS:
        raise ModelUnavailableError(error.message, code=error.code)


def _has_diffq() -> bool:
    return importlib.util.find_spec("diffq") is not None


def _embedded() -> ModelInfo:
    return ModelInfo(
        id=EMBEDDED,
        name="Embedded preview",
        description="Spleeter's two-stem network splits off the vocals; harmonic/percussive separation and a low-pass "
        "split the rest. A quick preview that needs no download.",
        version="1",
        url="https://github.com/deezer/spleeter",
        internal=True,
        installed=True,
        sources=_FOUR,
        weights_license="MIT",
        preview=True,
    )


def _describe(name: str, settings: Settings) -> ModelInfo:
    try:
        bag = weights.locate(name, settings)
    except SoundForgeError:
        bag = None
    known = _DEMUCS.get(name)
    if known is None:
        return ModelInfo(
            id=name,
            name=name,
            description="A model from MODELS_DIR.",
            version="",
            installed=bag is not None,
            sources=() if bag is None else _sources(bag.files[0]),
            size=None if bag is None else bag.size,
        )
    return ModelInfo(
        id=name,
        name=known.name,
        description=known.description,
        version=known.version,
        url=f"https://huggingface.co/{weights.HUB_NAMESPACE}/{weights.hub_repository(name)}",
        installed=bag is not None,
        sources=known.sources,
        size=known.size if bag is None else bag.size,
        weights_license=_LICENSE,
    )


def _sources(path: Path) -> tuple[str, ...]:
    """Return the sources that a safetensors header names; none for other files, which only loading would tell."""
    if path.suffix != ".safetensors":
        return ()
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            metadata: dict[str, Any] = json.loads(file.read(min(length, 1 << 24)))["__metadata__"]
        arguments = [json.loads(metadata["kwargs"]).get("sources"), *json.loads(metadata["args"])[:1]]
        return tuple(str(source) for source in next(a for a in arguments if a))
    except (OSError, ValueError, KeyError, struct.error, StopIteration, TypeError):
        return ()
