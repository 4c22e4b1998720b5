"""Where a Demucs model's weights are: found on disk, or fetched, with every wait bounded. No torch in here.

A model is a bag: a YAML file that names one or more networks by signature, and one file of weights a network. Both of
Demucs' layouts are read: its repository (`<signature>-<checksum>.th`) and its hub's (`<signature>.safetensors`).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from sfwidgets.errors import ModelUnavailableError
from sfwidgets.settings import Settings

TIMEOUT = 10.0
"""Seconds to wait for a host to answer, or to go on sending."""

HUB_NAMESPACE = "adefossez"
OLD_HOST = "https://dl.fbaipublicfiles.com/demucs/"

Report = Callable[[float], None]


@dataclass(frozen=True)
class Bag:
    """A model's weights on disk: the file of each network, and how the networks are mixed."""

    name: str
    files: tuple[Path, ...]
    weights: tuple[tuple[float, ...], ...] | None
    segment: float | None

    @property
    def size(self) -> int:
        """Bytes of all the files."""
        return sum(path.stat().st_size for path in set(self.files))


@dataclass(frozen=True)
class _Definition:
    signatures: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...] | None = None
    segment: float | None = None


def locate(name: str, settings: Settings) -> Bag | None:
    """Return the model's weights as they lie on disk, or None where they don't.

    Looked for in `settings.models_dir` (flat, or in a folder of the model's name or of its hub repository's), then in
    the hub's cache, then in torch's.

    Raises
    ------
    ModelUnavailableError
        With the code `model_broken`, where the model's YAML file can't be read.
    """
    for folder in _folders(name, settings):
        definition = _read(folder / f"{name}.yaml") or _published().get(name) or _Definition((name,))
        found = [_network_file(folder, signature) for signature in definition.signatures]
        paths = tuple(path for path in found if path is not None)
        if len(paths) == len(found):
            return Bag(name, paths, definition.weights, definition.segment)
    return None


def own_names(settings: Settings) -> list[str]:
    """Return the names of the models that lie in `settings.models_dir`, whoever made them.

    A file of weights that belongs to a bag is no model of its own.
    """
    root = settings.models_dir
    if root is None or not root.is_dir():
        return []
    bags = {path.stem: path for path in root.glob("*.yaml")}
    nested = {p.stem for p in root.glob("*/*.yaml") if p.parent.name in {p.stem, hub_repository(p.stem)}}
    taken = {s for definition in _published().values() for s in definition.signatures}
    for path in bags.values():
        with suppress(ModelUnavailableError):
            definition = _read(path)
            taken.update(definition.signatures if definition else ())
    lying = sorted([*root.glob("*.safetensors"), *root.glob("*.th")])
    single = {path.stem.rsplit("-", 1)[0] if path.suffix == ".th" else path.stem for path in lying}
    return sorted({*bags, *nested} | (single - taken))


def published_file(path: Path) -> bool:
    """Return whether a file bears the name and the checksum of one that Demucs' authors publish."""
    return path.name in {url.rsplit("/", 1)[-1] for url in _published_urls().values()} and verify(path)


def verify(path: Path) -> bool:
    """Return whether a file's SHA-256 begins with the checksum in its name, as demucs writes and checks it.

    A name without a checksum is taken as it is.
    """
    if path.suffix != ".th" or "-" not in path.stem:
        return True
    expected = path.stem.rsplit("-", 1)[1]
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(expected)


def fetch(name: str, settings: Settings, progress: Report) -> Bag:
    """Fetch a published model's weights, unless they are on disk already: from the hub, else from the older host.

    `progress` is told the share that is there and may raise, which stops the download.

    Raises
    ------
    ModelUnavailableError
        Where they can't be had; the sentence says how to get them.
    """
    here = locate(name, settings)
    if here is not None:
        return here
    if name not in _published():
        raise ModelUnavailableError(
            f"The weights of {name} are incomplete in MODELS_DIR: its .yaml names a network whose file is not there."
        )
    if settings.offline:
        raise ModelUnavailableError(
            f"The weights of {name} are not on this machine, and SOUNDFORGE_OFFLINE forbids fetching them. Choose the "
            f"model embedded, a preview that needs none; or {_how_to_get(name)}."
        )
    reasons = []
    for host, fetch_from in (("the model hub", _fetch_from_hub), ("the older host", _fetch_from_old_host)):
        try:
            fetch_from(name, progress)
        except (OSError, _transport_error()) as error:
            reasons.append(f"{host}: {_short(error)}")
        else:
            bag = locate(name, settings)
            if bag is not None:
                progress(1.0)
                return bag
    raise ModelUnavailableError(
        f"The weights of {name} could not be fetched. Connect to the internet and try again, or choose the model "
        f"embedded, a preview that needs none; or {_how_to_get(name)}. ({'; '.join(reasons)})"
    )


def hub_repository(name: str) -> str:
    """Return the name of the hub repository that Demucs' authors publish a model in."""
    if name == "htdemucs":
        return "HTDemucs"
    return f"HTDemucs-{name.removeprefix('htdemucs_')}" if name.startswith("htdemucs_") else f"Demucs-{name}"


def _how_to_get(name: str) -> str:
    return (
        f"set MODELS_DIR to a folder that holds {name}.yaml and the .safetensors or .th files it names, "
        f"from https://huggingface.co/{HUB_NAMESPACE}/{hub_repository(name)}"
    )


def _short(error: BaseException) -> str:
    cause = error.__cause__ or error
    return (str(cause).splitlines() or [type(cause).__name__])[0].rstrip(".")[:120]


def _folders(name: str, settings: Settings) -> Iterator[Path]:
    if settings.models_dir is not None:
        yield from (settings.models_dir / part for part in (name, hub_repository(name), "."))
    yield from _hub_cache(name)
    torch_home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    yield Path(torch_home).expanduser() / "hub" / "checkpoints"


def _hub_cache(name: str) -> Iterator[Path]:
    from huggingface_hub import constants

    root = Path(constants.HF_HUB_CACHE) / f"models--{HUB_NAMESPACE}--{hub_repository(name)}"
    try:
        yield root / "snapshots" / (root / "refs" / "main").read_text().strip()
    except OSError:
        return


def _network_file(folder: Path, signature: str) -> Path | None:
    exact = [folder / f"{signature}.safetensors", folder / f"{signature}.th"]
    candidates = [*exact, *sorted(folder.glob(f"{signature}-*.th"))]
    return next((path for path in candidates if path.is_file()), None)


def _read(path: Path) -> _Definition | None:
    """Return what a bag's YAML file says; None where there is none."""
    import yaml

    try:
        raw: Any = yaml.safe_load(path.read_text())
        weights = raw.get("weights")
        return _Definition(
            tuple(str(signature) for signature in raw["models"]),
            None if weights is None else tuple(tuple(float(w) for w in row) for row in weights),
            raw.get("segment"),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, KeyError, TypeError, yaml.YAMLError) as error:
        raise ModelUnavailableError(
            f"{path} does not describe a Demucs model ({_short(error)}); replace it or remove it.", code="model_broken"
        ) from error


def _remote_folder() -> Path:
    return Path(str(files("demucs"))) / "remote"


@cache
def _published() -> dict[str, _Definition]:
    bags = ((path.stem, _read(path)) for path in sorted(_remote_folder().glob("*.yaml")))
    return {name: definition for name, definition in bags if definition is not None}


@cache
def _published_urls() -> dict[str, str]:
    """Return the address on the older host of each published signature, from demucs' own list."""
    urls, root = {}, ""
    for line in (_remote_folder() / "files.txt").read_text().splitlines():
        if line.startswith("root:"):
            root = line.removeprefix("root:").strip()
        elif line.strip() and not line.startswith("#"):
            urls[line.split("-", 1)[0]] = OLD_HOST + root + line.strip()
    return urls


def _transport_error() -> type[Exception]:
    from huggingface_hub.errors import HTTPError

    return cast(type[Exception], HTTPError)


def _fetch_from_hub(name: str, progress: Report) -> None:
    """Download into the hub's cache.

    Its download retries for minutes where nobody answers, so one bounded question is put first.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    repository = f"{HUB_NAMESPACE}/{hub_repository(name)}"
    get_hf_file_metadata(hf_hub_url(repository, f"{name}.yaml"), timeout=TIMEOUT)
    definition = _read(Path(hf_hub_download(repository, f"{name}.yaml", etag_timeout=TIMEOUT)))
    signatures = (definition or _published()[name]).signatures
    for index, signature in enumerate(signatures):
        progress(index / len(signatures))
        hf_hub_download(repository, f"{signature}.safetensors", etag_timeout=TIMEOUT)


def _fetch_from_old_host(name: str, progress: Report) -> None:
    """Download into torch's cache, where demucs itself would put the same files."""
    *_, folder = _folders(name, Settings(models_dir=None))
    folder.mkdir(parents=True, exist_ok=True)
    signatures = _published()[name].signatures
    for index, signature in enumerate(signatures):
        url = _published_urls()[signature]
        target = folder / url.rsplit("/", 1)[-1]
        if target.is_file() and verify(target):
            continue

        def report(share: float, index: int = index) -> None:
            progress((index + share) / len(signatures))

        _download(url, target, report)


def _download(url: str, target: Path, report: Report) -> None:
    """Write what `url` holds to `target`, whole and with the right checksum, or not at all."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as folder:
        part = Path(folder) / target.name
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, part.open("wb") as file:  # noqa: S310 - https
            size = int(answer.headers.get("Content-Length") or 0)
            while data := answer.read(1 << 20):
                file.write(data)
                report(min(file.tell() / size, 1.0) if size else 0.0)
        if not verify(part):
            raise OSError(f"{target.name} arrived damaged")
        part.replace(target)
