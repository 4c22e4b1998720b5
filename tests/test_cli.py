"""The command, from a real shell: what it prints, where files end up, and its exit codes."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sfwidgets.jobs import stop_cluster
from sfwidgets.settings import Settings

Song = Callable[..., Path]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cli") / "library"
    yield folder
    stop_cluster(Settings(library=folder))


@pytest.fixture
def soundforge(library: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sfwidgets.cli", *map(str, arguments)],
            capture_output=True, text=True, timeout=120, cwd=tmp_path, stdin=subprocess.DEVNULL,
            env={**os.environ, "AUDIO_DATA_PATH": str(library), **environment},
        )  # fmt: skip

    return run


def pictures(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text())["cells"]
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    return ["".join(data["image/png"]) for data in outputs if "image/png" in data]


def test_one_song_gives_one_json_object_and_nothing_else(soundforge: Any, song: Song, tmp_path: Path) -> None:
    done = soundforge("separate", song(4), "--model", "embedded", "--out", "out", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer) == {"trackId", "jobId", "model", "precision", "seconds", "stems"}
    assert answer["model"] == "embedded"
    assert sorted(s["type"] for s in answer["stems"]) == ["bass", "drums", "other", "vocals"]
    assert all((tmp_path / s["path"]).is_file() for s in answer["stems"])
    assert sorted(p.name for p in (tmp_path / "out" / "song").iterdir()) == [
        "bass.flac", "drums.flac", "other.flac", "vocals.flac",
    ]  # fmt: skip


def test_several_songs_give_an_array_in_order_with_the_failed_one_in_its_place(
    soundforge: Any, song: Song, tmp_path: Path
) -> None:
    first, second = song(2, seed=1, name="one.wav"), song(2, seed=2, name="two.wav")
    done = soundforge(
        "separate", first, tmp_path / "nowhere.mp3", second, "--model", "embedded", "--two-stems", "vocals",
        "--format", "wav", "--out", "out", "--json",
    )  # fmt: skip
    assert done.returncode == 2
    one, lost, two = json.loads(done.stdout)
    assert set(lost) == {"input", "error", "code"}
    assert lost["code"] == "file_missing"
    for answer, path in ((one, first), (two, second)):
        parts = {s["type"]: soundfile.read(tmp_path / s["path"])[0] for s in answer["stems"]}
        assert set(parts) == {"vocals", "other"}
        assert np.abs(sum(parts.values()) - soundfile.read(path)[0]).max() < 1e-4


def test_two_files_of_one_name_get_folders_of_their_own(soundforge: Any, song: Song, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    songs = song(1, seed=3), song(1, seed=4, name="a/song.wav")
    assert soundforge("separate", *songs, "--model", "embedded", "--out", "out").returncode == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["song", "song-2"]


def test_a_failed_job_exits_with_1_and_is_a_line_in_the_log(soundforge: Any, song: Song, library: Path) -> None:
    done = soundforge("separate", song(1, name="Secret Song.wav"), "--model", "htdemucs_ft", "--out", "out", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["code"] == "model_unavailable"
    log = (library / "run" / "cluster.log").read_text()
    assert re.search(r"INFO - processing [0-9a-f]{32} error after \d+\.\d s: .*htdemucs_ft", log)
    assert "Secret Song" not in log
    assert " - distributed." not in log


@pytest.mark.parametrize(
    "arguments",
    [
        ("separate",),
        ("separate", "SONG", "--model", "nonesuch"),
        ("separate", "SONG", "--stems", "kazoo", "--model", "embedded"),
        ("separate", "SONG", "--overlap", "2"),
        ("separate", "SONG", "--format", "aiff"),
        ("separate", "SONG", "--shifts", "many"),
        ("analyze", "nowhere.mp3"),
        ("frobnicate",),
    ],
    ids=" ".join,
)
def test_wrong_usage_or_input_exits_with_2_and_a_sentence(soundforge: Any, song: Song, arguments: list[str]) -> None:
    path = song(1)
    done = soundforge(*(str(path) if a == "SONG" else a for a in arguments))
    assert done.returncode == 2
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_a_bad_setting_is_named(soundforge: Any, song: Song) -> None:
    done = soundforge("separate", song(1), SOUNDFORGE_DEVICE="toaster")
    assert done.returncode == 2
    assert "SOUNDFORGE_DEVICE" in done.stderr
    assert "Traceback" not in done.stderr


def test_analyze_prints_the_analysis_of_the_contract(soundforge: Any, song: Song) -> None:
    done = soundforge("analyze", song(8, seed=5), "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert {
        "trackId", "analyzedAt", "duration", "bpm", "tempo", "key", "keyStrength", "loudness", "spectralCentroid",
        "spectralContrast", "waveformEnvelope", "frequencySpectrum", "cuePoints",
    } <= set(answer)  # fmt: skip
    assert answer["duration"] == pytest.approx(8.0, abs=0.01)
    assert len(answer["spectralContrast"]) == 7
    assert len(answer["waveformEnvelope"]) <= 1000
    assert len(answer["frequencySpectrum"]) <= 100


def test_analyze_writes_files_in_the_formats_asked_for(soundforge: Any, song: Song, tmp_path: Path) -> None:
    files = [song(4, seed=21, name="a.wav"), song(4, seed=22, name="b.wav")]
    done = soundforge("analyze", *files, "--out", tmp_path / "out", "--format", "jams,audacity,rekordbox")
    assert done.returncode == 0, done.stderr
    written = {str(f.relative_to(tmp_path / "out")) for f in (tmp_path / "out").rglob("*") if f.is_file()}
    assert written == {"a/analysis.jams", "a/analysis.txt", "b/analysis.jams", "b/analysis.txt", "analyses.xml"}
    refused = soundforge("analyze", files[0], "--format", "docx")
    assert refused.returncode == 2 and "json, csv, jams" in refused.stderr


def test_models_and_doctor_say_what_there_is(soundforge: Any, tmp_path: Path) -> None:
    models = {m["id"]: m for m in json.loads(soundforge("models", "--json").stdout)}
    assert models["embedded"]["installed"]
    assert not models["htdemucs"]["installed"]
    assert sum(m["isDefault"] for m in models.values()) == 1
    findings = {f["part"]: f for f in json.loads(soundforge("doctor", "--json").stdout)}
    assert {"models", "gpu", "ffmpeg", "database", "redis", "spotify", "spotdl", "downloads"} <= set(findings)
    assert findings["database"]["state"] == "ok"
    elsewhere = json.loads(
        soundforge("doctor", "--json", "--library", tmp_path / "elsewhere", SOUNDFORGE_SPOTDL="/none").stdout
    )
    assert next(f for f in elsewhere if f["part"] == "library")["sentence"].startswith(str(tmp_path / "elsewhere"))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.soak
def test_a_batch_leaves_a_notebook_and_a_report_a_song_and_resumes(soundforge: Any, song: Song, tmp_path: Path) -> None:
    files = [song(4, seed=6, name="a.wav"), tmp_path / "broken.mp3", song(4, seed=7, name="b.wav")]
    files[1].write_text("not music")
    command = ("batch", *files, "--model", "embedded", "--out", "album")
    done = soundforge(*command)
    assert done.returncode == 1
    rows = list(csv.DictReader((tmp_path / "album" / "summary.csv").open()))
    assert [(Path(r["input"]).name, r["ok"]) for r in rows] == [
        ("a.wav", "True"),
        ("broken.mp3", "False"),
        ("b.wav", "True"),
    ]
    assert "can't be decoded" in rows[1]["error"]
    for row in (rows[0], rows[2]):
        folder = tmp_path / "album" / row["folder"]
        assert {p.name for p in folder.iterdir()} == {
            "stems", "analysis.json", "notebook.ipynb", "report.html", "result.json",
        }  # fmt: skip
        assert len(list((folder / "stems").iterdir())) == 4
        _stems, overview = pictures(folder / "notebook.ipynb")
        report = (folder / "report.html").read_text()
        assert overview.replace("\n", "") in report
        assert (folder / "notebook.ipynb").stat().st_size < 1_000_000
    index = (tmp_path / "album" / "index.html").read_text()
    assert index.count('<span class="badge">done</span>') == 2 and index.count('<span class="badge">failed</span>') == 1
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "album").rglob("notebook.ipynb")}
    (tmp_path / "album" / rows[2]["folder"] / "result.json").unlink()
    again = soundforge(*command)
    assert "finished before" in again.stderr
    after = {p: p.stat().st_mtime_ns for p in before}
    assert [p.parent.name for p in before if after[p] != before[p]] == [rows[2]["folder"]]


@pytest.mark.parametrize("name", ["...wav", "..wav", "'; echo $(id)\n.wav", "-dash.wav", "ä🎵.wav", "x" * 240 + ".wav"])
def test_no_file_name_leads_out_of_the_folder_asked_for(soundforge: Any, song: Song, tmp_path: Path, name: str) -> None:
    song(1, seed=8).rename(tmp_path / name)
    done = soundforge("separate", "--model", "embedded", "--out", "deep/out", "--", name)
    assert done.returncode == 0, done.stderr
    written = set(tmp_path.rglob("*.flac"))
    assert len(written) == 4
    assert all(p.parent.parent == tmp_path / "deep" / "out" for p in written)


def test_an_out_that_is_a_file_is_refused_before_any_work(soundforge: Any, song: Song, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in ("file", "file/sub"):
        done = soundforge("separate", song(1), "--out", out, "--json")
        assert done.returncode == 2
        assert json.loads(done.stdout)["code"] == "bad_folder"
        assert "Traceback" not in done.stderr
