"""Demucs' weights are found wherever they lie, fetched in bounded time, checked, and loaded."""

from __future__ import annotations

import functools
import http.server
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import RATE, SOURCES, music, save_safetensors, save_th, small_network

from sfwidgets import separation
from sfwidgets.errors import InvalidInputError, ModelUnavailableError
from sfwidgets.models import SeparationOptions
from sfwidgets.separation.demucs import load_demucs
from sfwidgets.separation.weights import hub_repository, locate
from sfwidgets.settings import Settings


def offline(folder: Path | None) -> Settings:
    return Settings(_env_file=None, models_dir=folder, offline=True)


def vocals(separator: separation.Separator) -> np.ndarray:
    audio = music(3 * RATE)
    options = SeparationOptions(stems=("vocals",))
    blocks = separation.separate(separator, lambda: iter([audio]), options, lambda share: None)
    return np.concatenate([block["vocals"] for block in blocks], axis=1)


@pytest.mark.parametrize("folder", [".", "tiny", "HTDemucs-x"])
def test_a_model_in_the_hubs_layout_loads_from_a_local_folder(tmp_path: Path, models_dir: Path, folder: str) -> None:
    name = "htdemucs_x" if folder == "HTDemucs-x" else "tiny"
    (tmp_path / folder).mkdir(exist_ok=True)
    save_safetensors(small_network("htdemucs", 0), tmp_path / folder, "abc")
    (tmp_path / folder / f"{name}.yaml").write_text("models: ['abc']\n")
    same = load_demucs("tiny_htdemucs", offline(models_dir), "cpu", "float32")
    got = load_demucs(name, offline(tmp_path), "cpu", "float32")
    assert got.sources == tuple(SOURCES)
    assert np.array_equal(vocals(got), vocals(same))


def test_a_file_that_does_not_match_its_checksum_is_refused(tmp_path: Path) -> None:
    path = save_th(small_network("demucs"), tmp_path, "abc")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ModelUnavailableError, match="checksum") as caught:
        load_demucs("abc", offline(tmp_path), "cpu", "float32")
    assert caught.value.code == "model_broken"


@pytest.mark.parametrize("name", ["abc.safetensors", "abc.th"])
def test_a_file_that_holds_no_model_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"<html>Not found</html>" * 10)
    with pytest.raises(ModelUnavailableError, match="can't be loaded") as caught:
        load_demucs("abc", offline(tmp_path), "cpu", "float32")
    assert caught.value.code == "model_broken"


def test_a_weights_file_may_not_run_code(tmp_path: Path) -> None:
    class Mischief:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"klass": Mischief()}, tmp_path / "abc.th")
    with pytest.raises(ModelUnavailableError):
        load_demucs("abc", offline(tmp_path), "cpu", "float32")
    assert not (tmp_path / "ran").exists()


def test_a_bag_that_lacks_a_network_says_so(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("models: ['abc']\n")
    with pytest.raises(ModelUnavailableError, match=r"mine.*incomplete"):
        load_demucs("mine", Settings(_env_file=None, models_dir=tmp_path, offline=False), "cpu", "float32")


def test_offline_says_how_to_get_the_weights() -> None:
    with pytest.raises(ModelUnavailableError, match=r"MODELS_DIR.*htdemucs\.yaml"):
        load_demucs("htdemucs", offline(None), "cpu", "float32")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_an_error(models_dir: Path) -> None:
    with pytest.raises(InvalidInputError, match="no GPU"):
        load_demucs("tiny_demucs", offline(models_dir), "cuda", "auto")


class Hub(http.server.SimpleHTTPRequestHandler):
    """As much of a model hub as a download asks for: files under `<repository>/resolve/main/`, with their ETag."""

    def translate_path(self, path: str) -> str:
        repository, _, name = path.removeprefix("/").partition("/resolve/main/")
        return str(Path(self.directory) / repository / name)

    def end_headers(self) -> None:
        self.send_header("ETag", '"' + Path(self.translate_path(self.path)).name.replace(".", "-") + '"')
        self.send_header("X-Repo-Commit", "0" * 40)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a folder as the model hub, at the address that the hub's client is set to."""
    from huggingface_hub import constants

    root = tmp_path / "served"
    root.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Hub, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr("sfwidgets.separation.weights.OLD_HOST", address + "/old/")
    yield root
    server.shutdown()
    server.server_close()


def test_weights_come_from_the_hub_once_and_then_from_its_cache(hub: Path) -> None:
    repository = hub / "adefossez" / hub_repository("htdemucs")
    repository.mkdir(parents=True)
    save_safetensors(small_network("htdemucs", 0), repository, "955717e8")
    (repository / "htdemucs.yaml").write_text("models: ['955717e8']\n")
    settings = Settings(_env_file=None, offline=False)
    shares: list[float] = []
    separation.fetch("htdemucs", settings, shares.append)
    assert shares[-1] == 1.0
    shutil.rmtree(repository)
    assert load_demucs("htdemucs", Settings(_env_file=None, offline=True), "cpu", "float32").sources == tuple(SOURCES)


def test_what_the_hub_lacks_comes_from_the_older_host(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = save_th(small_network("demucs", 1), tmp_path, "955717e8")
    (hub / "old" / "resolve" / "main").mkdir(parents=True)
    monkeypatch.setattr(
        "sfwidgets.separation.weights._published_urls",
        lambda: {"955717e8": (hub / "old" / file.name).as_uri()},
    )
    shutil.copy(file, hub / "old" / file.name)
    separation.fetch("htdemucs", Settings(_env_file=None, offline=False))
    bag = locate("htdemucs", Settings(_env_file=None, offline=False))
    assert bag is not None
    assert bag.files[0].read_bytes() == file.read_bytes()


def test_a_download_that_arrives_damaged_leaves_nothing(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = hub / "955717e8-00000000.th"
    damaged.write_bytes(b"half a file")
    monkeypatch.setattr("sfwidgets.separation.weights._published_urls", lambda: {"955717e8": damaged.as_uri()})
    with pytest.raises(ModelUnavailableError, match="damaged"):
        separation.fetch("htdemucs", Settings(_env_file=None, offline=False))
    assert not list((tmp_path / "torch").rglob("*.th"))


def test_a_host_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        monkeypatch.setattr("sfwidgets.separation.weights.TIMEOUT", 0.2)
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr("sfwidgets.separation.weights._published_urls", lambda: {"955717e8": address + "/x.th"})
        with pytest.raises(ModelUnavailableError, match="timed out"):
            separation.fetch("htdemucs", Settings(_env_file=None, offline=False))


def test_two_stems_add_up_to_the_mixture(models_dir: Path) -> None:
    audio = music(5 * RATE + 3)
    separator = separation.load("tiny_bag", offline(models_dir), "cpu", "float32")
    blocks = list(
        separation.separate(
            separator,
            lambda: iter([audio[:, :7000], audio[:, 7000:]]),
            SeparationOptions(two_stems="vocals"),
            lambda share: None,
        )
    )
    assert list(blocks[0]) == ["vocals", "no_vocals"]
    both = np.concatenate([block["vocals"] + block["no_vocals"] for block in blocks], axis=1)
    assert np.abs(both - audio).max() < 1e-6


@pytest.mark.parametrize("options", [{"stems": ("vocals", "kazoo")}, {"two_stems": "kazoo"}])
def test_a_stem_the_model_lacks_is_named_with_those_it_has(models_dir: Path, options: dict[str, object]) -> None:
    separator = separation.load("tiny_demucs", offline(models_dir), "cpu", "float32")
    with pytest.raises(InvalidInputError, match=r"kazoo.*drums, bass, other, vocals") as caught:
        separation.separate(separator, lambda: iter(()), SeparationOptions(**options), lambda share: None)
    assert caught.value.code == "unknown_stem"


def test_the_two_models_used_last_stay_warm(models_dir: Path) -> None:
    settings = offline(models_dir)
    first = separation.load("tiny_demucs", settings, "cpu", "float32")
    second = separation.load("tiny_hdemucs", settings, "cpu", "float32")
    assert separation.load("tiny_demucs", settings, "cpu", "float32") is first
    separation.load("tiny_htdemucs", settings, "cpu", "float32")
    assert separation.load("tiny_demucs", settings, "cpu", "float32") is first
    assert separation.load("tiny_hdemucs", settings, "cpu", "float32") is not second
