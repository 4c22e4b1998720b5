"""The mixture lies beside its stems, frame by frame, whatever file it came from."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sfwidgets import Workbench
from sfwidgets.audio import Encoder, decode
from sfwidgets.errors import NotFoundError
from sfwidgets.library import Shared
from sfwidgets.models import Track

Make = Callable[..., Track]
Decoded = Callable[[Track], dict[str, NDArray[np.float64]]]


def kept(wb: Workbench, track: Track) -> set[str]:
    return {path.name.removeprefix(str(track.content_hash)) for path in wb.path(track).parent.iterdir()}


def lossy(path: Path, seconds: float = 3) -> Path:
    with Encoder(path, sample_rate=44100, channels=2, format="mp3") as encoder:
        encoder.write(np.random.default_rng(2).uniform(-0.3, 0.3, (2, round(seconds * 44100))).astype(np.float32))
    return path


@pytest.mark.parametrize(
    ("format", "rate", "rendition"), [("wav", 44100, False), ("mp3", 44100, True), ("ogg", 48000, True)]
)
def test_the_mixture_less_its_stems_is_nothing(
    shared_wb: Workbench, make_track: Make, decoded: Decoded, format: str, rate: int, rendition: bool
) -> None:
    track = make_track(format, rate=rate)
    stems = decoded(track)
    reader = shared_wb.reader(track, "mixture")
    assert (reader.sample_rate, reader.frames) == (44100, stems["vocals"].shape[1])
    assert reader.etag == f"{track.content_hash}-44100-{reader.frames}"
    mixture = reader.block(0, reader.frames)
    rest = mixture - sum(stems.values())
    assert 10 * np.log10(np.mean(mixture**2) / np.mean(rest**2)) > 60
    assert (".44100.flac" in kept(shared_wb, track)) == rendition


def test_a_stem_s_reader_gives_its_own_frames(shared_wb: Workbench, make_track: Make, decoded: Decoded) -> None:
    track = make_track()
    chosen = shared_wb.stems(track)
    reader = shared_wb.reader(track, "drums")
    assert reader.etag == f"{chosen.id}-drums"
    expected = decoded(track)["drums"][:, 1000:3000].T
    np.testing.assert_allclose(reader.read(1000, 2000) / 32768, expected, atol=0.51 / 32768)
    assert shared_wb.reader(track, "drums", chosen).etag == reader.etag
    with pytest.raises(NotFoundError, match="vocals"):
        shared_wb.reader(track, "piano")


def test_without_stems_the_mixture_has_its_own_rate(shared_wb: Workbench, make_track: Make) -> None:
    track = make_track(rate=96000, stems=False)
    reader = shared_wb.reader(track, "mixture")
    assert (reader.sample_rate, reader.frames) == (96000, 5 * 96000)
    with pytest.raises(NotFoundError, match="no stems yet"):
        shared_wb.reader(track, "vocals")


def test_a_rendition_is_made_once_counted_kept_by_the_sweep_and_deleted_with_its_track(
    wb: Workbench, tmp_path: Path
) -> None:
    track = wb.add(lossy(tmp_path / "a.mp3"))
    before = wb.usage(track).audio
    reader = wb.reader(track, "mixture")
    expected = np.concatenate(list(decode(wb.path(track))), axis=1)
    np.testing.assert_allclose(reader.block(0, reader.frames), expected, atol=1e-6)
    rendition = wb.path(track).with_suffix(".44100.flac")
    made = rendition.stat().st_mtime_ns
    assert wb.usage(track).audio == before + rendition.stat().st_size
    assert wb.reader(track, "mixture").frames == reader.frames
    shared = Shared(wb.settings)
    assert shared.sweep() == []
    shared.close()
    assert rendition.stat().st_mtime_ns == made
    wb.delete(track)
    assert [file for file in (wb.settings.library / "audio").rglob("*") if file.is_file()] == []
    with pytest.raises(NotFoundError, match="deleted"):
        reader.read(0, 10)


def test_two_processes_may_ask_for_it_at_once(wb: Workbench, tmp_path: Path) -> None:
    track = wb.add(lossy(tmp_path / "a.mp3", seconds=40))
    program = (
        "import sys, zlib; from sfwidgets import Workbench; r = Workbench(sys.argv[1]).reader(sys.argv[2], 'mixture');"
        "print(r.etag, zlib.crc32(r.read(0, r.frames).tobytes()))"
    )
    command = [sys.executable, "-c", program, str(wb.settings.library), track.id]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {process.communicate(timeout=60)[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(said) == 1
    assert kept(wb, track) == {".mp3", ".44100.flac"}
    assert [path for path in (wb.settings.library / "tmp").iterdir() if path.is_dir()] == []
