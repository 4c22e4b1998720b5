"""Jobs as a person meets them: asked for, followed, awaited, cancelled, asked for again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sfwidgets import Workbench
from sfwidgets.errors import (
    ConflictError,
    InvalidInputError,
    JobCancelledError,
    JobFailedError,
    NotFoundError,
    UnknownModelError,
)
from sfwidgets.jobs import JobHandle
from sfwidgets.models import Event

Song = Callable[..., Path]


def leftovers(wb: Workbench) -> list[Path]:
    return list((wb.settings.library / "tmp").iterdir())


def stem_folders(wb: Workbench) -> list[Path]:
    return list((wb.settings.library / "stems").glob("*/*/*/*"))


def test_a_song_goes_in_and_stems_come_out_that_add_up_to_it(shared_wb: Workbench, song: Song) -> None:
    path = song(6, name="in.wav")
    track = shared_wb.add(path)
    job = shared_wb.separate(track, "embedded", precision="float32").wait(60)
    assert (job.status, job.progress) == ("completed", 100)
    stems = shared_wb.stems(track)
    assert (stems.model, stems.precision, stems.preview) == ("embedded", "float32", True)
    assert any("preview" in notice for notice in stems.notices)
    assert {s.type for s in stems.stems} == {"vocals", "drums", "bass", "other"}
    mixture, _ = soundfile.read(path)
    total = sum(soundfile.read(shared_wb.path(s))[0] for s in stems.stems)
    assert np.abs(total - mixture).max() < 1e-3
    assert not leftovers(shared_wb)
    assert set(shared_wb.peaks(track)) == {"mixture", "vocals", "drums", "bass", "other"}
    assert shared_wb.usage(track).stems == sum(shared_wb.path(s).stat().st_size for s in stems.stems)


def test_events_come_in_order_each_once_and_the_last_is_terminal(shared_wb: Workbench, song: Song) -> None:
    track = shared_wb.add(song(40, seed=2))
    events: list[Event] = []
    job = shared_wb.separate(track, "embedded")
    unwatch = job.watch(events.append)
    job.wait(120)
    time.sleep(0.3)
    unwatch()
    assert [e.seq for e in events] == sorted({e.seq for e in events})
    assert {e.name for e in events[:-1]} <= {"processing:job:created", "processing:job:updated"}
    assert events[-1].name == "processing:job:completed"
    progress = [e.job.progress for e in events]
    assert progress == sorted(progress)


def test_a_job_can_be_awaited_while_other_things_go_on(shared_wb: Workbench, song: Song) -> None:
    track = shared_wb.add(song(6, seed=3))

    async def both() -> int:
        ticks = 0
        job = asyncio.ensure_future(_await(shared_wb.separate(track, "embedded")))
        while not job.done():
            await asyncio.sleep(0.05)
            ticks += 1
        await job
        return ticks

    async def _await(handle: object) -> None:
        await handle  # type: ignore[misc]

    assert asyncio.run(both()) >= 1
    assert shared_wb.track(track).has_stems


def test_the_same_request_again_gives_the_stems_that_are_there(shared_wb: Workbench, song: Song) -> None:
    path = song(6, seed=4)
    track = shared_wb.add(path)
    shared_wb.separate(track, "embedded").wait(60)
    first = shared_wb.stems(track)
    again = shared_wb.separate(track, "embedded").wait(60)
    assert shared_wb.stems(track).id == first.id
    assert again.status == "completed"
    twin = shared_wb.add(path, id="twin")
    shared_wb.separate(twin, "embedded").wait(60)
    assert shared_wb.stems(twin).id == first.id
    shared_wb.delete(track)
    assert all(shared_wb.path(s).exists() for s in shared_wb.stems(twin).stems)
    shared_wb.delete_stems(twin)
    assert not any((shared_wb.settings.library / s.path).exists() for s in first.stems)
    with pytest.raises(NotFoundError, match="Separate it first"):
        shared_wb.stems(twin)


def test_only_the_chosen_stems_are_written(shared_wb: Workbench, song: Song) -> None:
    track = shared_wb.add(song(3, seed=5))
    shared_wb.separate(track, "embedded", stems="vocals, drums").wait(60)
    assert {s.name for s in shared_wb.stems(track).stems} == {"vocals.flac", "drums.flac"}
    shared_wb.separate(track, "embedded", two_stems="vocals").wait(60)
    newest = shared_wb.stems(track)
    assert {(s.name, s.type) for s in newest.stems} == {("vocals.flac", "vocals"), ("no_vocals.flac", "other")}
    assert len(shared_wb.stem_sets(track)) == 2


def test_an_analysis_follows_a_separation_where_asked(shared_wb: Workbench, song: Song) -> None:
    track = shared_wb.add(song(6, seed=6))
    shared_wb.separate(track, "embedded", analyze=True).wait(60)
    (following,) = shared_wb.jobs(track, kind="analysis")
    following.wait(60)
    assert shared_wb.analysis(track).duration == pytest.approx(6.0, abs=0.01)


@pytest.mark.parametrize(
    ("options", "kind", "code"),
    [
        ({"model": "no-such-model"}, UnknownModelError, "unknown_model"),
        ({"model": "embedded", "stems": "vocals,kazoo"}, InvalidInputError, "unknown_stem"),
        ({"model": "embedded", "overlap": 1.5}, InvalidInputError, "bad_option"),
        ({"model": "embedded", "colour": "red"}, InvalidInputError, "bad_option"),
        ({"model": "embedded", "shifts": -1}, InvalidInputError, "bad_option"),
    ],
)
def test_what_no_job_could_do_is_turned_away_at_the_door(
    shared_wb: Workbench, song: Song, options: dict[str, object], kind: type[Exception], code: str
) -> None:
    track = shared_wb.add(song(1, seed=7))
    with pytest.raises(kind) as caught:
        shared_wb.separate(track, **options)  # type: ignore[arg-type]
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert shared_wb.jobs(track) == []


def test_a_model_that_cannot_be_fetched_is_an_error_never_a_substitute(shared_wb: Workbench, song: Song) -> None:
    track = shared_wb.add(song(1, seed=8))
    job = shared_wb.separate(track, "htdemucs_ft")
    with pytest.raises(JobFailedError, match="MODELS_DIR") as caught:
        job.wait(60)
    assert caught.value.code == "model_unavailable"
    with pytest.raises(NotFoundError):
        shared_wb.stems(track)


def test_auto_without_weights_uses_the_preview_and_says_so(shared_wb: Workbench, song: Song) -> None:
    track = shared_wb.add(song(2, seed=9))
    shared_wb.separate(track).wait(60)
    stems = shared_wb.stems(track)
    assert stems.model == "embedded"
    assert any("htdemucs could not be fetched" in notice for notice in stems.notices)


@pytest.mark.parametrize(
    ("samples", "code"),
    [(np.full((44100, 2), np.nan), "audio_not_finite"), (np.zeros((0, 2)), "audio_empty")],
    ids=["nan", "no-frames"],
)
def test_audio_that_is_broken_inside_ends_in_its_own_sentence(
    shared_wb: Workbench, tmp_path: Path, samples: np.ndarray, code: str
) -> None:
    soundfile.write(tmp_path / "broken.wav", samples, 44100, subtype="FLOAT")
    with pytest.raises(Exception) as caught:
        shared_wb.separate(shared_wb.add(tmp_path / "broken.wav"), "embedded").wait(60)
    assert caught.value.code == code
    assert not leftovers(shared_wb)


@pytest.mark.parametrize("seconds", [1 / 44100, 0.05, 1.0])
def test_silence_and_scraps_are_separated_and_analysed(shared_wb: Workbench, tmp_path: Path, seconds: float) -> None:
    frames = max(1, int(seconds * 44100))
    soundfile.write(tmp_path / "silence.wav", np.zeros((frames, 1)), 44100)
    track = shared_wb.add(tmp_path / "silence.wav")
    shared_wb.separate(track, "embedded").wait(60)
    assert {s.frames for s in shared_wb.stems(track).stems} == {frames}
    shared_wb.analyze(track).wait(60)
    analysis = shared_wb.analysis(track)
    assert (analysis.bpm, analysis.key, analysis.loudness) == (None, None, None)


def test_a_cancelled_separation_ends_soon_and_leaves_no_files(shared_wb: Workbench, song: Song) -> None:
    track = shared_wb.add(song(400, seed=10))
    before = stem_folders(shared_wb)
    job = shared_wb.separate(track, "embedded")
    while job.progress < 5:
        time.sleep(0.05)
    with pytest.raises(ConflictError, match="Cancel"):
        shared_wb.delete(track)
    job.cancel()
    with pytest.raises(JobCancelledError):
        job.wait(30)
    assert job.progress < 100
    assert not leftovers(shared_wb)
    assert stem_folders(shared_wb) == before
    again = job.retry()
    assert again.id != job.id
    again.cancel()
    with pytest.raises(JobCancelledError):
        again.wait(30)


def test_a_full_disk_ends_the_job_with_a_sentence_and_harms_nothing(shared_wb: Workbench, song: Song) -> None:
    small, large = shared_wb.add(song(3, seed=11)), shared_wb.add(song(120, seed=12, name="large.wav"))
    shared_wb.separate(small, "embedded").wait(60)
    client = shared_wb._jobs.client()

    def limit(megabytes: int) -> None:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (megabytes << 20 if megabytes else hard, hard))

    client.run(limit, 8)  # the system itself refuses to let a file of the workers grow beyond 8 MB
    try:
        job = shared_wb.separate(large, "embedded")
        with pytest.raises(JobFailedError, match="room") as caught:
            job.wait(60)
    finally:
        client.run(limit, 0)
    assert caught.value.code == "disk_full"
    assert not leftovers(shared_wb)
    assert all(shared_wb.path(s).exists() for s in shared_wb.stems(small).stems)
    job.retry().wait(60)
    assert shared_wb.track(large).has_stems


def test_a_track_whose_file_has_gone_is_turned_away(shared_wb: Workbench, song: Song) -> None:
    track = shared_wb.add(song(1, seed=13))
    shared_wb.path(track).unlink()
    with pytest.raises(NotFoundError, match="Download the track first"):
        shared_wb.separate(track, "embedded")


def test_stems_are_exported_in_the_format_asked_for(shared_wb: Workbench, song: Song, tmp_path: Path) -> None:
    track = shared_wb.add(song(3, seed=14))
    shared_wb.separate(track, "embedded").wait(60)
    original = soundfile.read(shared_wb.path(shared_wb.stems(track)["bass"]))[0]
    for format in ("flac", "wav", "mp3", "ogg"):
        files = shared_wb.export(track, tmp_path / format, format=format)  # type: ignore[arg-type]
        assert sorted(p.name for p in (tmp_path / format).iterdir()) == sorted(f"{n}.{format}" for n in files)
        exported = soundfile.read(files["bass"])[0]
        assert len(exported) == len(original)
        assert np.abs(exported - original).max() < (1e-6 if format in ("flac", "wav") else 0.1)


def test_the_truth_in_a_stem_file_scores_the_stems(shared_wb: Workbench, excerpt: Path) -> None:
    track = shared_wb.add(excerpt)
    shared_wb.separate(track, "embedded").wait(60)
    scores = shared_wb.score(track)
    assert scores.mixture == pytest.approx({"vocals": -7.1, "drums": -4.1, "bass": -3.0, "other": -5.4}, abs=0.1)
    assert all(scores.stems[name] >= least for name, least in
               {"vocals": 4.5, "drums": 3.3, "bass": 1.8, "other": 1.7}.items())  # fmt: skip


def test_a_job_that_was_watched_to_its_end_can_still_be_waited_for(shared_wb: Workbench, song: Song) -> None:
    events: list[Event] = []
    job = shared_wb.separate(shared_wb.add(song(3, seed=15)), "embedded")
    job.watch(events.append)
    while not (events and events[-1].job.done):
        time.sleep(0.05)
    assert job.wait(10).status == "completed"
    assert asyncio.run(_awaited(job)) == "completed"
    assert len([e for e in events if e.job.done]) == 1


async def _awaited(job: JobHandle) -> str:
    return (await job).status


def test_a_job_can_be_waited_for_after_its_workbench_was_closed(shared_wb: Workbench, song: Song) -> None:
    with Workbench(shared_wb.settings.library) as other:
        job = other.separate(other.add(song(3, seed=16)), "embedded")
    assert job.wait(60).status == "completed"
    job._jobs.close()


def test_stems_that_somebody_deleted_by_hand_are_made_again(shared_wb: Workbench, song: Song) -> None:
    track = shared_wb.add(song(3, seed=17))
    shared_wb.separate(track, "embedded").wait(60)
    shared_wb.path(shared_wb.stems(track)["bass"]).unlink()
    shared_wb.separate(track, "embedded").wait(60)
    assert all(shared_wb.path(s).exists() for s in shared_wb.stems(track).stems)


def test_a_file_that_ends_early_is_analysed_with_a_notice_that_names_the_song(
    shared_wb: Workbench, song: Song, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(song(4, seed=18))
    soundfile.write(tmp_path / "whole.flac", samples, rate)
    whole = (tmp_path / "whole.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) // 2])
    track = shared_wb.add(tmp_path / "cut.flac", title="Half a song")
    shared_wb.analyze(track).wait(60)
    assert any("ends early" in n and "Half a song" in n for n in shared_wb.analysis(track).notices)


def test_a_model_that_can_not_be_had_does_not_take_the_analysis_with_it(wb: Workbench, song: Song) -> None:
    track = wb.add(song(4))
    job = wb.separate(track, "htdemucs", analyze=True)
    with pytest.raises(JobFailedError, match="htdemucs"):
        job.wait(60)
    following = job.following()
    assert following is not None
    following.wait(60)
    assert wb.analysis(track).duration == pytest.approx(4, abs=0.1)
