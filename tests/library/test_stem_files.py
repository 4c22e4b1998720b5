"""Tracks and stems as files in the format that somebody asks for: made once, kept, and gone with what they were made of."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sfwidgets import Workbench, audio
from sfwidgets.errors import AudioError, DiskFullError, InvalidInputError, NotFoundError
from sfwidgets.library import Shared
from sfwidgets.models import StemFormat, Track

Song = Callable[..., Path]


def files(wb: Workbench) -> set[str]:
    """Return the names of all that a library keeps."""
    root = wb.settings.library
    areas = ("audio", "stems", "tmp")
    found = (file for area in areas for file in (root / area).rglob("*"))
    return {str(file.relative_to(root)) for file in found if file.is_file() or file.parent == root / "tmp"}


def heard(path: Path) -> np.ndarray:
    return np.concatenate(list(audio.decode(path)), axis=1)


@pytest.fixture(scope="module")
def separated(shared_wb: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Track:
    noise = 0.2 * np.random.default_rng(3).standard_normal((2 * 44100, 2))
    file = tmp_path_factory.mktemp("files") / "noise.wav"
    soundfile.write(file, noise, 44100, subtype="PCM_16")
    track = shared_wb.add(file, title="Noise")
    shared_wb.separate(track, "embedded").wait()
    return track


def alike(made: np.ndarray, true: np.ndarray) -> float:
    """Return how well one signal is the other, as their correlation."""
    return float(np.corrcoef(made.ravel(), true.ravel())[0, 1])


@pytest.mark.parametrize("format", ["wav", "mp3", "ogg"])
def test_a_stem_in_another_format_sounds_the_same(shared_wb: Workbench, separated: Track, format: StemFormat) -> None:
    kept = shared_wb.stem_file(separated, "vocals")
    assert (kept.name, kept) == ("vocals.flac", shared_wb.path(shared_wb.stems(separated)["vocals"]))
    made = shared_wb.stem_file(separated, "vocals.flac", format=format)
    assert audio.probe(made).container == format
    assert made.parent == kept.parent
    true, found = heard(kept), heard(made)
    assert found.shape == true.shape
    if format == "wav":
        assert np.array_equal(found, true)
    else:
        assert alike(found, true) > 0.9
        assert alike(heard(shared_wb.stem_file(separated, "drums")), true) < 0.9, "another stem would not do"


def test_the_format_that_is_kept_is_not_made(shared_wb: Workbench, separated: Track) -> None:
    before = files(shared_wb)
    assert shared_wb.stem_file(separated, "drums", format="flac") == shared_wb.stem_file(separated, "drums")
    assert shared_wb.audio_file(separated, format="wav") == shared_wb.audio_file(separated) == shared_wb.path(separated)
    assert files(shared_wb) == before


@pytest.mark.parametrize(("format", "subtype"), [("flac", "PCM_16"), ("ogg", "VORBIS"), ("mp3", "MPEG_LAYER_III")])
def test_a_file_is_known_by_what_is_in_it_and_not_by_its_name(
    shared_wb: Workbench, tmp_path: Path, format: StemFormat, subtype: str
) -> None:
    path = tmp_path / "misnamed.wav"
    noise = 0.1 * np.random.default_rng(5).standard_normal((44100, 2))
    soundfile.write(path, noise, 44100, format=format.upper(), subtype=subtype)
    track = shared_wb.add(path)
    own = shared_wb.path(track)
    assert shared_wb.audio_info(track).container == format
    assert shared_wb.audio_file(track, format=format) == own
    wav = shared_wb.audio_file(track, format="wav")
    assert wav != own
    assert np.array_equal(heard(wav), np.clip(heard(own), -1, 1)) or alike(heard(wav), heard(own)) > 0.9999
    assert own.read_bytes() == path.read_bytes()


def test_many_who_ask_at_once_get_one_file_made_once(
    shared_wb: Workbench, separated: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    begun = threading.Barrier(4, timeout=30)
    transcode = audio.transcode

    def counted(source: Path, target: Path, **options: object) -> None:
        made.append(target)
        transcode(source, target, **options)

    def ask(_: int) -> tuple[Path, int]:
        begun.wait()
        path = shared_wb.stem_file(separated, "bass", format="ogg")
        return path, path.stat().st_ino

    monkeypatch.setattr(audio, "transcode", counted)
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(4)))) == 1
    assert len(made) == 1


def test_what_is_not_there_is_told_without_being_made(shared_wb: Workbench, separated: Track) -> None:
    before = files(shared_wb)
    with pytest.raises(NotFoundError) as told:
        shared_wb.stem_file(separated, "other", format="mp3", make=False)
    assert told.value.code == "not_made"
    assert files(shared_wb) == before
    made = shared_wb.stem_file(separated, "other", format="mp3")
    assert shared_wb.stem_file(separated, "other", format="mp3", make=False) == made


def test_a_set_is_chosen_by_its_id_and_a_stem_by_its_name(shared_wb: Workbench, separated: Track, song: Song) -> None:
    newest = shared_wb.stems(separated)
    assert shared_wb.stem_set(separated) == shared_wb.stem_set(separated, newest.id) == newest
    bare = shared_wb.add(song(1, seed=11))
    for ask in (
        lambda: shared_wb.stem_set(bare),
        lambda: shared_wb.stem_set(bare, newest.id),
        lambda: shared_wb.stem_set(separated, "another"),
        lambda: shared_wb.stem_file(bare, "vocals"),
        lambda: shared_wb.stem_file(separated, "kazoo"),
        lambda: shared_wb.stem_file(separated, "../vocals"),
        lambda: shared_wb.stem_file(separated, "vocals.mp3"),
        lambda: shared_wb.audio_file("nobody", format="mp3"),
    ):
        with pytest.raises(NotFoundError):
            ask()


def test_what_was_made_is_kept_by_the_sweep_and_goes_with_its_track(shared_wb: Workbench, song: Song) -> None:
    before = files(shared_wb)
    track = shared_wb.add(song(1, seed=21))
    shared_wb.separate(track, "embedded").wait()
    stem = shared_wb.stem_file(track, "vocals", format="mp3")
    held = shared_wb.usage(track).audio
    mp3 = shared_wb.audio_file(track, format="mp3")
    assert shared_wb.usage(track).audio == held + mp3.stat().st_size
    shared = Shared(shared_wb.settings)
    shared.sweep()
    shared.close()
    assert stem.exists()
    assert mp3.exists()
    shared_wb.delete_stems(track)
    assert {name.split("/")[0] for name in files(shared_wb) - before} == {"audio"}
    assert mp3.exists()
    shared_wb.delete(track)
    assert files(shared_wb) <= before  # the sweep may have found something of another test's


@pytest.mark.parametrize("stem", [False, True])
def test_nothing_is_left_of_what_is_deleted_while_it_is_made(
    shared_wb: Workbench, song: Song, monkeypatch: pytest.MonkeyPatch, stem: bool
) -> None:
    before = files(shared_wb)
    track = shared_wb.add(song(1, seed=22))
    if stem:
        shared_wb.separate(track, "embedded").wait()
    transcode = audio.transcode

    def deleted_meanwhile(source: Path, target: Path, **options: object) -> None:
        transcode(source, target, **options)
        shared_wb.delete(track)

    monkeypatch.setattr(audio, "transcode", deleted_meanwhile)
    with pytest.raises(NotFoundError, match="deleted"):
        shared_wb.stem_file(track, "vocals", format="mp3") if stem else shared_wb.audio_file(track, format="mp3")
    assert files(shared_wb) == before


def test_a_full_disk_is_told_and_nothing_is_left(
    shared_wb: Workbench, separated: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(shared_wb)
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", _no_room)
        with pytest.raises(DiskFullError) as told:
            shared_wb.audio_file(separated, format="ogg")
    assert str(shared_wb.settings.library) not in told.value.message
    assert files(shared_wb) == before
    assert shared_wb.audio_file(separated, format="ogg").exists()


def test_a_format_that_can_not_hold_the_audio_is_told_by_the_track_s_title(
    shared_wb: Workbench, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "many.wav", np.zeros((1000, 12)), 44100)
    track = shared_wb.add(tmp_path / "many.wav", title="Many")
    before = files(shared_wb)
    with pytest.raises(InvalidInputError) as told:
        shared_wb.audio_file(track, format="flac")
    assert told.value.code == "unsupported_format"
    assert files(shared_wb) == before
    damaged = shared_wb.path(track)
    damaged.write_bytes(damaged.read_bytes()[:44])
    with pytest.raises(AudioError) as told_of:
        shared_wb.audio_file(track, format="mp3")
    assert told_of.value.message.startswith("Many holds no audio")
    shared_wb.delete(track)


def _no_room(_descriptor: int) -> None:
    raise OSError(28, "No space left on device")
