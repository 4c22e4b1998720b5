"""The catalogue says which models there are and what `auto` means, without torch and without a network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from small_models import SOURCES, save_safetensors, small_network

from sfwidgets.errors import ModelUnavailableError, UnknownModelError
from sfwidgets.separation import catalogue, fetch, resolve
from sfwidgets.settings import Settings

BLACK_HOLE = "sfwidgets.separation.weights._fetch_from_hub", "sfwidgets.separation.weights._fetch_from_old_host"


def settings(folder: Path | None = None, *, offline: bool = True) -> Settings:
    return Settings(_env_file=None, library=Path("/nowhere"), models_dir=folder, offline=offline)


def test_it_is_cheap_to_ask() -> None:
    code = (
        "import sys; from sfwidgets.separation import catalogue; from sfwidgets.settings import Settings;"
        "catalogue(Settings(_env_file=None)); print([m for m in ('torch', 'librosa', 'scipy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_it_lists_demucs_models_and_the_embedded_preview() -> None:
    models = {model.id: model for model in catalogue(settings())}
    assert {"embedded", "htdemucs", "htdemucs_ft", "htdemucs_6s", "hdemucs_mmi", "mdx", "mdx_extra"} <= set(models)
    assert models["htdemucs_6s"].sources == ("drums", "bass", "other", "vocals", "guitar", "piano")
    assert models["embedded"].preview and models["embedded"].internal and models["embedded"].installed
    assert not models["htdemucs"].installed


@pytest.mark.parametrize(("offline", "default"), [(True, "embedded"), (False, "htdemucs")])
def test_exactly_one_model_is_the_default(offline: bool, default: str) -> None:
    assert [model.id for model in catalogue(settings(offline=offline)) if model.is_default] == [default]


def test_models_in_the_folder_come_first_with_their_sources_and_size(tmp_path: Path) -> None:
    path = save_safetensors(small_network("htdemucs"), tmp_path, "abc")
    (tmp_path / "mine.yaml").write_text("models: ['abc']\n")
    models = catalogue(settings(tmp_path))
    assert [model.id for model in models if model.installed] == [model.id for model in models[:2]]
    (mine,) = [model for model in models if model.id == "mine"]
    assert mine.sources == tuple(SOURCES)
    assert mine.size == path.stat().st_size
    assert "abc" not in {model.id for model in models}


def test_a_broken_description_in_the_folder_does_not_hide_the_other_models(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("models: 3: [")
    models = {model.id: model for model in catalogue(settings(tmp_path))}
    assert not models["broken"].installed
    assert "htdemucs" in models


def test_auto_is_htdemucs_where_it_is_installed(tmp_path: Path) -> None:
    save_safetensors(small_network("htdemucs"), tmp_path, "955717e8")
    assert resolve("auto", settings(tmp_path)) == ("htdemucs", [])


def test_auto_is_the_embedded_model_with_a_notice_where_htdemucs_cannot_be_had() -> None:
    model, notices = resolve("auto", settings())
    assert model == "embedded"
    assert len(notices) == 1 and "htdemucs could not be fetched" in notices[0] and "MODELS_DIR" in notices[0]


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownModelError, match=r"nope.*htdemucs_ft"):
        resolve("nope", settings())


def test_a_quantised_model_without_diffq_says_what_is_missing() -> None:
    with pytest.raises(ModelUnavailableError, match="diffq"):
        fetch("mdx_q", settings())


def test_a_failed_fetch_is_not_tried_again_for_every_track(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    def unreachable(name: str, progress: object) -> None:
        tries.append(name)
        raise OSError("no route to host")

    for function in BLACK_HOLE:
        monkeypatch.setattr(function, unreachable)
    for _ in range(5):
        assert resolve("auto", settings(offline=False))[0] == "embedded"
    assert tries == ["htdemucs", "htdemucs"]


def test_being_offline_once_does_not_keep_from_fetching_later(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    resolve("auto", settings(offline=True))
    monkeypatch.setattr(BLACK_HOLE[0], lambda name, progress: asked.append(name))
    monkeypatch.setattr(BLACK_HOLE[1], lambda name, progress: asked.append(name))
    resolve("auto", settings(offline=False))
    assert asked[0] == "htdemucs"


def test_what_auto_means_is_the_preview_after_a_failed_fetch_for_every_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unreachable(*_: object) -> None:
        raise ModelUnavailableError("The hub does not answer.")

    for name in BLACK_HOLE:
        monkeypatch.setattr(name, unreachable)
    (tmp_path / "run").mkdir()
    here = settings(offline=False).model_copy(update={"library": tmp_path})
    assert [model.id for model in catalogue(here) if model.is_default] == ["htdemucs"]
    assert resolve("auto", here)[0] == "embedded"
    asked = "from sfwidgets.separation import catalogue; from sfwidgets.settings import Settings; " \
        "print([model.id for model in catalogue(Settings(offline=False)) if model.is_default])"  # fmt: skip
    elsewhere = subprocess.run(
        [sys.executable, "-c", asked],
        env={"AUDIO_DATA_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert elsewhere.stdout.strip() == "['embedded']"
