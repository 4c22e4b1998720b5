"""Downloads as a person meets them: one song, a playlist, what fails, what is cut off, what is there already."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from sqlalchemy import update
from stand_in_spotdl import StandInSpotdl, songs

from sfwidgets import Workbench
from sfwidgets.errors import ConflictError, InvalidInputError, JobCancelledError, JobFailedError, UnavailableError
from sfwidgets.jobs import JobHandle, stop_cluster
from sfwidgets.jobs.cluster import LIGHT, connect
from sfwidgets.jobs.daemon import DOWNLOADS_AHEAD
from sfwidgets.library.schema import jobs
from sfwidgets.models import SourceList, SourceTrack
from sfwidgets.settings import Settings


def track(name: str, **fields: object) -> SourceTrack:
    return SourceTrack.model_validate(songs(name, **fields)[0])


def playlist(*names: str, title: str = "Mix") -> SourceList:
    return SourceList(type="playlist", id=title, name=title, tracks=tuple(track(name) for name in names))


def eventually(true: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def settled(handle: JobHandle) -> JobHandle:
    """Wait until a job has ended, whatever its end."""
    eventually(lambda: handle.value.done, 120)
    return handle


def leftovers(wb: Workbench) -> list[str]:
    return [str(path) for path in (wb.settings.library / "tmp").iterdir()]


@pytest.fixture(scope="module")
def spotdl(tmp_path_factory: pytest.TempPathFactory) -> StandInSpotdl:
    return StandInSpotdl(tmp_path_factory.mktemp("spotdl"))


@pytest.fixture(scope="module")
def wb(tmp_path_factory: pytest.TempPathFactory, spotdl: StandInSpotdl) -> Iterator[Workbench]:
    """A workbench whose workers ask the stand-in, and nobody on the internet."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "SOUNDFORGE_SPOTDL": str(spotdl.path), "SOUNDFORGE_OFFLINE": "false", "SOUNDFORGE_DOWNLOADS": "3",
            "HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9",
        }.items():  # fmt: skip
            patch.setenv(name, value)
        with Workbench(tmp_path_factory.mktemp("downloads") / "library") as workbench:
            yield workbench
        stop_cluster(workbench.settings)


def test_a_song_is_in_the_library_once_it_is_whole_and_checked(wb: Workbench) -> None:
    wanted = track(
        "ok1", album="Album", isrc="DEXX00000001", releaseDate="1971-11-08", explicit=True, popularity=7,
        artworkUrl="https://i.scdn.co/image/x",
    )  # fmt: skip
    job = wb.download(wanted, then=["analyze"]).wait(60)
    found = wb.track("ok1")
    assert (found.title, found.artist, found.album, found.source) == ("Song ok1", "Ada, Bo", "Album", "spotify")
    assert (found.isrc, found.release_date, found.explicit, found.popularity) == ("DEXX00000001", "1971-11-08", True, 7)
    assert found.artwork_url == "https://i.scdn.co/image/x"
    assert found.duration == pytest.approx(2.0, abs=0.05)
    assert job.value.output_path == str(wb.path("ok1").relative_to(wb.settings.library))
    assert (job.title, job.result) == ("Song ok1", {"by": "spotdl"})
    following = job.following()
    assert following is not None
    following.wait(60)
    assert wb.analysis("ok1").duration == pytest.approx(2.0, abs=0.05)
    eventually(lambda: not leftovers(wb))  # the end is told before the folder goes


def test_what_is_there_is_not_downloaded_again_under_any_name(wb: Workbench, spotdl: StandInSpotdl) -> None:
    first = track("ok2", isrc="DEXX00000002")
    wb.download(first).wait(60)
    assert wb.download(first).wait(60).result == {"by": "library"}
    same = track("ok3", isrc="DEXX00000002", album="Best of")
    assert wb.download(same, id="mine").wait(60).result == {"by": "library"}
    assert wb.track("mine").album == "Best of"
    assert wb.path("mine") == wb.path("ok2")
    wb.trash("ok2")
    wb.download(first).wait(60)
    assert wb.track("ok2").title == "Song ok2"
    assert spotdl.asked.count("ok2") == 1
    assert "ok3" not in spotdl.asked


def test_a_code_that_is_none_makes_no_two_songs_one(wb: Workbench, spotdl: StandInSpotdl) -> None:
    wb.download(track("code1", isrc="N/A")).wait(60)
    wb.download(track("code2", isrc="N/A")).wait(60)
    assert (wb.track("code1").isrc, spotdl.asked.count("code2")) == (None, 1)
    wb.download(track("code3", isrc="DE-XX0-00-00003")).wait(60)
    with pytest.raises(JobFailedError, match="long, the song is 3:00"):
        wb.download(track("code4", isrc="DEXX00000003", duration=180.0)).wait(60)


def test_a_song_whose_file_has_gone_is_had_again(wb: Workbench, spotdl: StandInSpotdl) -> None:
    wb.download(track("ok4", duration=None)).wait(60)
    wb.edit("ok4", title="Mine")
    wb.path("ok4").unlink()
    wb.download(track("ok4")).wait(60)
    assert wb.path("ok4").exists()
    assert wb.track("ok4").title == "Mine"
    assert spotdl.asked.count("ok4") == 2


def test_of_a_playlist_one_that_fails_does_not_stop_the_others(wb: Workbench, spotdl: StandInSpotdl) -> None:
    batch = settled(wb.download(playlist("a1", "silent1", "a2", "full1", "a3")))
    assert (batch.status, batch.progress, batch.title) == ("completed", 100, "Mix")
    assert batch.result == {"total": 5, "completed": 3, "failed": 2, "cancelled": 0}
    children = batch.children()
    assert [child.value.track_id for child in children] == ["a1", "silent1", "a2", "full1", "a3"]
    assert [child.status for child in children] == ["completed", "error", "completed", "error", "completed"]
    assert [child.value.code for child in children if child.status == "error"] == ["unfit_download", "disk_full"]
    assert "silent" in str(children[1].error)
    assert children[1].title == "Song silent1"
    again = settled(batch.retry())
    assert [child.value.track_id for child in again.children()] == ["silent1", "full1"]
    once = settled(wb.download(playlist("a1", "a2", "a3", title="Other")))
    assert once.result == {"total": 3, "completed": 3, "failed": 0, "cancelled": 0}
    assert [spotdl.asked.count(name) for name in ("a1", "a2", "a3")] == [1, 1, 1]
    with pytest.raises(ConflictError, match="nothing to try again"):
        once.retry()
    eventually(lambda: not leftovers(wb))  # the end is told before the folder goes
    assert [job.id for job in wb.jobs(children=False, kind="batch")][:2] == [once.id, again.id]
    assert {job.id for job in wb.jobs(parent=batch.id)} == {child.id for child in children}


def test_nothing_anywhere_is_said_with_what_was_tried_and_what_to_do(wb: Workbench) -> None:
    with pytest.raises(JobFailedError) as caught:
        wb.download(track("none1")).wait(60)
    assert "spotDL found no match" in caught.value.message
    assert "Add the song as a file" in caught.value.message


def test_the_same_recording_in_two_playlists_at_once_is_downloaded_once(wb: Workbench, spotdl: StandInSpotdl) -> None:
    names = [f"both{number}" for number in range(6)]
    first = wb.download(playlist(*names, title="One"))
    second = wb.download(playlist(*reversed(names), title="Two"))
    for batch in (first, second):
        assert settled(batch).result == {"total": 6, "completed": 6, "failed": 0, "cancelled": 0}
    assert sorted(name for name in spotdl.asked if name.startswith("both")) == names


def test_a_rate_limit_pauses_the_queue_and_says_until_when(wb: Workbench, spotdl: StandInSpotdl) -> None:
    batch = wb.download(playlist(*(f"limit{number}" for number in range(12))))
    eventually(lambda: batch.value.not_before)
    assert batch.value.stage.startswith("Paused until ")
    other = wb.download(track("limit99"))
    try:
        assert other.value.not_before is not None  # those that had begun may have been turned away a moment later
        assert abs((other.value.not_before - batch.value.not_before).total_seconds()) < 20
        time.sleep(1)
        begun = [name for name in spotdl.asked if name.startswith("limit")]
        assert len(begun) <= 3 + DOWNLOADS_AHEAD
    finally:
        (spotdl.folder / "calm").touch()
        _let_them_go_on(wb)
    assert settled(batch).result == {"total": 12, "completed": 12, "failed": 0, "cancelled": 0}
    assert settled(other).status == "completed"


def _let_them_go_on(wb: Workbench) -> None:
    """Make the pause end now: a clock that jumps, as one does that was asleep."""
    with wb._shared.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.not_before.is_not(None)).values(not_before=1.0))


def test_a_cancelled_playlist_ends_at_once_with_every_process(wb: Workbench, spotdl: StandInSpotdl) -> None:
    names = [f"wait{number}" for number in range(5)]
    batch = wb.download(playlist(*names, title="Long"))
    eventually(lambda: sum(bool(spotdl.pids(name)) for name in names) == 3)
    running = [pid for name in names for pid in spotdl.pids(name)]
    batch.cancel()
    with pytest.raises(JobCancelledError):
        batch.wait(60)
    assert {child.status for child in batch.children()} == {"cancelled"}
    eventually(lambda: not any(map(_lives, running)))
    eventually(lambda: not leftovers(wb))  # the end is told before the folder goes


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_worker_that_is_killed_in_the_middle_leaves_no_half_file_and_the_job_goes_on(
    wb: Workbench, spotdl: StandInSpotdl
) -> None:
    job = wb.download(track("wait9"))
    eventually(lambda: spotdl.pids("wait9"))
    before = spotdl.pids("wait9")
    client = connect(wb.settings)
    workers = client.scheduler_info(n_workers=-1)["workers"]
    (light,) = [address for address, worker in workers.items() if LIGHT in worker["resources"]]
    (pid,) = client.run(os.getpid, workers=[light]).values()
    client.close()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(map(_lives, before)))
    assert not wb.tracks(search="wait9").items
    eventually(lambda: spotdl.pids("wait9") not in ([], before))
    (spotdl.folder / "go").touch()
    job.wait(60)
    assert job.value.attempt == 2
    assert wb.track("wait9").duration == pytest.approx(2.0, abs=0.05)
    eventually(lambda: not leftovers(wb))  # the end is told before the folder goes


def test_what_was_asked_for_before_the_download_follows_it(wb: Workbench) -> None:
    wb.after_download("wish1", ["separate", "analyze"], model="embedded", stems=["vocals"])
    wb.download(track("wish1")).wait(60)
    separation, *_ = wb.jobs("wish1", kind="processing")
    assert (separation.value.options["model"], separation.value.options["stems"]) == ("embedded", ["vocals"])
    separation.wait(60)
    eventually(lambda: wb.jobs("wish1", kind="analysis") and wb.jobs("wish1", kind="analysis")[0].status == "completed")
    assert [stem.type for stem in wb.stems("wish1").stems] == ["vocals"]


@pytest.mark.parametrize(
    ("what", "named"),
    [
        ("https://example.com/track/1", {}),
        ("file:///etc/passwd", {}),
        ("https://open.spotify.com/track/x; rm -rf /", {}),
        (playlist("a", "b"), {"id": "one"}),
        (playlist(), {}),
        (track("ok"), {"id": "../up"}),
        (track("ok").model_copy(update={"id": "../up"}), {}),
        (track("ok"), {"then": ["sing"]}),
        (track("ok"), {"format": "aiff"}),
        (track("ok"), {"bitrate": "9999k"}),
    ],
)
def test_what_can_not_be_is_refused_before_anything_starts(
    wb: Workbench, spotdl: StandInSpotdl, what: object, named: dict[str, object]
) -> None:
    asked, known = spotdl.asked, len(wb.jobs(limit=1000))
    with pytest.raises(InvalidInputError):
        wb.download(what, **named)  # type: ignore[arg-type]
    assert (spotdl.asked, len(wb.jobs(limit=1000))) == (asked, known)


def test_offline_nothing_is_asked_for(wb: Workbench) -> None:
    with (
        Workbench(settings=Settings(library=wb.settings.library, offline=True)) as offline,
        pytest.raises(UnavailableError, match="SOUNDFORGE_OFFLINE"),
    ):
        offline.download(track("ok9"))


@pytest.mark.parametrize("count", [24, pytest.param(500, marks=pytest.mark.soak)])
def test_a_long_list_survives_a_restart_in_the_middle(
    tmp_path: Path, spotdl: StandInSpotdl, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setenv("SOUNDFORGE_SPOTDL", str(spotdl.path))
    monkeypatch.setenv("SOUNDFORGE_OFFLINE", "false")
    names = [f"list{count}x{number}" for number in range(count)]
    with Workbench(tmp_path / "library") as before:
        batch = before.download(playlist(*names))
        eventually(lambda: before.tracks().total >= count // 4)
        daemon = psutil.Process(_daemon(before))
        _kill(daemon)
        done = before.tracks().total
    assert done < count
    with Workbench(tmp_path / "library") as after:
        again = after.job(batch.id)
        eventually(lambda: again.value.done, 300)
        assert again.result == {"total": count, "completed": count, "failed": 0, "cancelled": 0}
        assert after.tracks().total == count
        asked = [name for name in spotdl.asked if name in set(names)]
        assert set(asked) == set(names)
        assert len(asked) - count <= 8  # those that were cut off, and no other, were asked for again
        eventually(lambda: not leftovers(after))
    stop_cluster(after.settings)


@pytest.mark.soak
def test_work_goes_on_after_its_daemon_was_killed_though_nobody_watches(
    tmp_path: Path, spotdl: StandInSpotdl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUNDFORGE_SPOTDL", str(spotdl.path))
    monkeypatch.setenv("SOUNDFORGE_OFFLINE", "false")
    with Workbench(tmp_path / "library") as alone:
        batch = alone.download(playlist(*(f"alone{number}" for number in range(12))))
        daemon = psutil.Process(_daemon(alone))
        _kill(daemon)
        eventually(lambda: alone._jobs.table.get("local", batch.id).done, 120)
        assert batch.result == {"total": 12, "completed": 12, "failed": 0, "cancelled": 0}
    stop_cluster(alone.settings)


def _kill(daemon: psutil.Process) -> None:
    for process in (*daemon.children(recursive=True), daemon):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _daemon(wb: Workbench) -> int:
    import json

    from sfwidgets.jobs.cluster import address_file

    return int(json.loads(address_file(wb.settings).read_text())["pid"])
