"""A library whose artifacts are in Supabase Storage: two machines see the same, and no row is ever without its file."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from services.storage_server import KEY, StorageServer
from simple_song import write_song

from sfwidgets import Workbench
from sfwidgets.errors import DiskFullError, NotFoundError, UnavailableError
from sfwidgets.jobs import stop_cluster
from sfwidgets.library import remote_store, supabase_storage
from sfwidgets.library.remote_sweep import sweep_storage
from sfwidgets.models import Track

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from servers import start_serve

DAY = 24 * 3600.0


class Service:
    """A Storage and a database; `machine` opens them with a library folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = StorageServer(folder / "storage")
        self.variables = {
            "SUPABASE_URL": self.server.url, "SUPABASE_SERVICE_KEY": KEY,
            "DATABASE_URL": f"sqlite:///{folder / 'shared.db'}",
        }  # fmt: skip
        self._opened: list[Workbench] = []

    def machine(self, name: str) -> Workbench:
        self._opened.append(Workbench(self.folder / name))
        return self._opened[-1]

    def close(self) -> None:
        for wb in self._opened:
            wb.close()
            stop_cluster(wb.settings)
        self.server.stop()


def service(folder: Path, patch: pytest.MonkeyPatch) -> Service:
    found = Service(folder)
    for name, value in found.variables.items():
        patch.setenv(name, value)
    patch.setattr(supabase_storage, "FIRST_WAIT", 0.001)
    return found


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    found = service(tmp_path, monkeypatch)
    yield found
    found.close()


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Workbench, Track]]:
    """A track that one machine added, separated and analysed."""
    with pytest.MonkeyPatch.context() as patch:
        found = service(tmp_path_factory.mktemp("worked"), patch)
        here = found.machine("here")
        track = here.add(write_song(found.folder / "song.wav", 4), title="Song")
        here.separate(track, "embedded").wait(60)
        here.analyze(track).wait(60)
        yield found, here, track
        found.close()


def samples(path: Path) -> Any:
    return soundfile.read(path, dtype="float64", always_2d=True)[0]


def test_another_machine_sees_and_plays_all_of_it(worked: tuple[Service, Workbench, Track], tmp_path: Path) -> None:
    found, here, track = worked
    there = found.machine("there")
    assert [one.id for one in there.tracks()] == [track.id]
    assert there.path(track).read_bytes() == (found.folder / "song.wav").read_bytes()
    assert there.path(track) != here.path(track)
    stems = there.stems(track)
    assert set(found.server.names()) >= {str(name) for stem in stems.stems for name in (stem.path, stem.peaks)}
    mix = sum(samples(there.path(stem)) for stem in stems.stems)
    np.testing.assert_allclose(mix, samples(found.folder / "song.wav"), atol=1e-3)
    written = there.export(track, tmp_path / "exported", format="mp3")
    assert set(written) == {Path(stem.name).stem for stem in stems.stems}
    assert set(there.peaks(track)) == set(here.peaks(track)) == {"mixture", *written}
    assert there.analysis(track).model_dump() == here.analysis(track).model_dump()
    assert there.usage(track) == here.usage(track)
    assert there.reader(track, "vocals").frames == stems["vocals"].frames


def test_what_one_machine_makes_the_other_has(worked: tuple[Service, Workbench, Track]) -> None:
    found, here, track = worked
    there = found.machine("elsewhere")
    with pytest.raises(NotFoundError) as not_made:
        here.audio_file(track, format="mp3", make=False)
    assert not_made.value.code == "not_made"
    made = there.audio_file(track, format="mp3")
    vocals = there.stem_file(track, "vocals", format="ogg")
    assert here.audio_file(track, format="mp3", make=False).read_bytes() == made.read_bytes()
    assert here.stem_file(track, "vocals", format="ogg", make=False).read_bytes() == vocals.read_bytes()


def test_the_same_separation_is_not_made_again_where_its_files_are_elsewhere(
    worked: tuple[Service, Workbench, Track],
) -> None:
    found, here, track = worked
    before, uploaded = here.stems(track), found.server.names()
    shutil.rmtree(here.settings.library / "stems")
    assert here.separate(track, "embedded").wait(60).status == "completed"
    assert here.stems(track).id == before.id
    assert found.server.names() == uploaded
    assert not (here.settings.library / "stems").exists(), "nothing of it was needed here"


def test_a_player_is_sent_to_a_signed_address_where_the_file_is_not_here(
    worked: tuple[Service, Workbench, Track],
) -> None:
    found, here, track = worked
    truth = here.path(here.stems(track)["vocals"]).read_bytes()
    folder = found.folder / "server"
    with start_serve(folder, environment=found.variables) as server:
        signed_in = {"Authorization": f"token {server.token}"}
        with httpx.Client(base_url=server.url, headers=signed_in, timeout=30) as client:
            stem = f"api/tracks/{track.id}/stems/vocals"
            sent = client.get(stem)
            assert (sent.status_code, sent.headers["Cache-Control"]) == (307, "no-store")
            assert KEY not in sent.headers["Location"]
            part = httpx.get(sent.headers["Location"], headers={"Range": "bytes=100-199"})
            assert (part.status_code, part.content, part.headers["Content-Type"]) == (206, truth[100:200], "audio/flac")
            kept = httpx.get(client.get(stem, params={"download": "true"}).headers["Location"])
            assert "Song%20%28vocals%29.flac" in kept.headers["Content-Disposition"]
            whole = client.get(f"api/tracks/{track.id}/audio", follow_redirects=True)
            assert whole.content == (found.folder / "song.wav").read_bytes()
            head = client.head(stem)
            assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(truth)))
            here_now = client.get(stem, headers={"Range": "bytes=100-199"})
            assert (here_now.status_code, here_now.content) == (206, truth[100:200]), (
                "it is here since HEAD asked for it"
            )
            wav = client.get(f"api/tracks/{track.id}/mixture.wav")
            assert (wav.status_code, wav.content[:4]) == (200, b"RIFF")
            assert client.get(f"api/tracks/{track.id}/stems/piano").status_code == 404


def test_deleting_removes_it_everywhere(own: Service, song: Callable[..., Path]) -> None:
    here, there = own.machine("here"), own.machine("there")
    kept = here.add(song(1, seed=1, name="kept.wav"))
    track = here.add(song(1))
    here.audio_file(track, format="flac")
    here.outline_file(track)
    names = own.server.names()
    assert len(names) == 4
    assert sum(
        own.server.path(f"soundforge/{name}").stat().st_size for name in names if kept.content_hash not in name
    ) == (there.usage(track).audio)
    there.delete(track)
    assert own.server.names() == [str(here.path(kept).relative_to(here.settings.library))]
    with pytest.raises(NotFoundError):
        here.path(track)


def test_nothing_is_recorded_that_storage_does_not_hold(
    own: Service, song: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    wb = own.machine("here")
    own.server.answers.extend([500] * supabase_storage.TRIES)
    with pytest.raises(UnavailableError) as refused:
        wb.add(song(1))
    assert refused.value.code == "storage_unavailable"
    assert wb.tracks().total == 0
    assert not list((wb.settings.library / "audio").rglob("*.wav"))
    monkeypatch.setattr(type(wb._library.tracks), "put", lambda *given, **named: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        wb.add(song(1))
    assert own.server.names() == []


def test_a_set_of_files_is_published_whole_or_not_at_all(own: Service) -> None:
    wb = own.machine("here")
    store = wb._shared.store
    name = store.stems_name("local", "ab" * 32, "job-1")
    folder = store.workspace("job-1")
    for number in range(3):
        (folder / f"{number}.flac").write_bytes(bytes(10 + number))
    store.storage.ensure()
    own.server.buckets["soundforge"]["file_size_limit"] = 11  # the third is too large
    with pytest.raises(UnavailableError, match="larger than"):
        store.publish(folder, name)
    assert own.server.names() == []
    assert not store.path(name).exists()
    own.server.buckets["soundforge"]["file_size_limit"] = None
    store.publish(folder, name)
    assert own.server.names() == [f"{name}/{number}.flac" for number in range(3)]
    store.remove(name)
    assert own.server.names() == []


def test_where_storage_is_down_what_is_here_plays_and_deleting_is_finished_later(
    own: Service, song: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    here, there = own.machine("here"), own.machine("there")
    track = here.add(song(1))
    own.server.stop()
    assert here.path(track).exists()
    with pytest.raises(UnavailableError, match="can't be reached"):
        there.path(track)
    with caplog.at_level(logging.WARNING):
        here.delete(track)
    assert "stays in Storage until the next sweep" in caplog.text
    assert here.tracks().total == 0


def test_many_who_read_a_file_get_it_once(own: Service, song: Callable[..., Path]) -> None:
    track = own.machine("here").add(song(2))
    there = own.machine("there")
    own.server.bytes_per_second = 2**20
    read: list[bytes] = []
    readers = [threading.Thread(target=lambda: read.append(there.path(track).read_bytes())) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(read) == 8
    assert set(read) == {song(2).read_bytes()}
    assert sum(asked.startswith("GET object/authenticated") for asked in own.server.requests) == 1


def test_the_cache_is_bounded_and_loses_nothing(
    own: Service, song: Callable[..., Path], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUNDFORGE_CACHE_GB", str(1e-9))
    monkeypatch.setattr(remote_store, "TRIM_SECONDS", 0.0)
    wb = own.machine("here")
    tracks = [wb.add(song(1, seed=seed, name=f"{seed}.wav")) for seed in range(3)]
    paths = [wb.path(track) for track in tracks]
    assert all(path.exists() for path in paths), "what is in use stays"
    alone = wb._shared.store.path("audio/local/00/never-sent.wav")
    alone.parent.mkdir(parents=True)
    alone.write_bytes(b"only here")
    for age, path in enumerate([alone, *paths[:2]]):
        os.utime(path, (time.time() - 2 * DAY + age, path.stat().st_mtime))
    with paths[0].open("rb") as reading:
        wb.add(song(1, seed=9, name="9.wav"))
        assert [path.exists() for path in paths] == [False, False, True]
        assert reading.read() == song(1, seed=0, name="0.wav").read_bytes()
    assert alone.exists()
    assert "is kept on this machine alone" in caplog.text
    assert wb.path(tracks[0]).read_bytes() == song(1, seed=0, name="0.wav").read_bytes()


def test_the_sweep_removes_old_objects_of_no_row_and_no_others(
    own: Service, song: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    wb = own.machine("here")
    tracks = [wb.add(song(1, seed=seed, name=f"{seed}.wav")) for seed in range(3)]
    kept = own.server.names()
    for name in kept:
        os.utime(own.server.path(f"soundforge/{name}"), (time.time() - 3 * DAY,) * 2)
    died, beginning = f"stems/local/ab/{'ab' * 32}/job-1/vocals.flac", f"audio/local/cd/{'cd' * 32}.wav"
    twin = f"audio/somebody/{tracks[0].content_hash[:2]}/{tracks[0].content_hash}.wav"  # type: ignore[index]
    own.server.put(died, b"x", changed=time.time() - 2 * DAY)
    own.server.put(twin, b"x", changed=time.time() - 2 * DAY)
    own.server.put(beginning, b"x", changed=time.time() - DAY / 2)
    assert sorted(wb._shared.sweep()) == sorted([died, twin])
    assert sorted(own.server.names()) == sorted([*kept, beginning])
    own.server.put(died, b"x", changed=time.time() - 2 * DAY)
    assert wb._shared.sweep() == [], "a machine looks through Storage once a day"
    for number in range(4):
        own.server.put(f"{died}{number}", b"x", changed=time.time() - 2 * DAY)
    assert sweep_storage(wb._shared.database, wb._shared.store) == []
    assert "Is it another library's?" in caplog.text
    assert len(own.server.names()) == 9


def test_a_full_disk_turns_new_jobs_away_and_harms_nothing(
    worked: tuple[Service, Workbench, Track], monkeypatch: pytest.MonkeyPatch
) -> None:
    _found, here, track = worked
    store = here._shared.store
    before = here.stems(track)
    free = 10**8
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": free}))
    for ask in (lambda: here.separate(track, "embedded"), lambda: here.analyze(track)):
        with pytest.raises(DiskFullError, match=r"0\.1 GB are free.*Make room") as full:
            ask()
        assert (full.value.status, full.value.code) == (503, "disk_full")
    assert here.stems(track) == before
    assert all(here.path(stem).exists() for stem in before.stems)
    free = 2 * 10**9
    store.check_room(10**9)
    with pytest.raises(DiskFullError):
        store.check_room(16 * 10**8)
