"""A backup is taken while the library is in use, and restored as it was; what is no whole backup changes nothing."""

from __future__ import annotations

import hashlib
import io
import json
import resource
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from services.backups import files, is_empty, named, rows
from typer.testing import CliRunner

from sfwidgets import Workbench
from sfwidgets.cli import app
from sfwidgets.errors import ConflictError, DiskFullError, InvalidInputError, NotFoundError, SoundForgeError
from sfwidgets.jobs import stop_cluster
from sfwidgets.library import Shared
from sfwidgets.library.archive import Writer
from sfwidgets.library.backup import Backup, back_up
from sfwidgets.library.restore import Restored, restore
from sfwidgets.settings import Settings

Song = Callable[..., Path]
JOB_SETTINGS = {"models_dir": None, "offline": True}


def backed_up(wb: Workbench, target: Path) -> Backup:
    return back_up(wb._shared.database, wb._shared.store, target)


@contextmanager
def opened(folder: Path) -> Iterator[Shared]:
    shared = Shared(Settings(library=folder))
    try:
        yield shared
    finally:
        shared.close()


def restored(source: Path, folder: Path) -> Restored:
    with opened(folder) as shared:
        return restore(shared.database, shared.store, source)


def test_a_library_that_is_in_use_is_backed_up_and_comes_back(wb: Workbench, song: Song, tmp_path: Path) -> None:
    kept = wb.add(song(1, name="kept.wav"))
    wb.correct(kept, tempo=90.0)
    wb.save_mix(kept, {"speed": 0.5})
    wb.trash(wb.add(song(1, seed=1000, name="trashed.wav")))
    wb._shared.of("other").add(song(1, seed=1001, name="other.wav"), track_id="c", fields={})
    separation = wb.separate(kept, "embedded", analyze=True)
    over = threading.Event()

    def come_and_go() -> None:
        number = 0
        while not over.wait(0.05):
            number += 1
            track = wb.add(song(0.2, seed=number, name=f"{number}.wav"))
            if number % 3:
                wb.delete(track)

    coming = threading.Thread(target=come_and_go)
    coming.start()
    taken: list[Path] = []
    try:
        while len(taken) < 3 or not separation.value.done:
            if len(taken) < 3:
                taken.append(tmp_path / f"{len(taken)}.tar")
                assert not backed_up(wb, taken[-1]).missing
            over.wait(0.2)
        separation.following().wait(90)
    finally:
        over.set()
        coming.join()
    for number in range(3):
        restored(taken[number], tmp_path / f"elsewhere-{number}")
        with opened(tmp_path / f"elsewhere-{number}") as shared:
            found = files(shared)
            assert named(shared) <= found.keys()
            assert all(Path(name).stem == found[name] for name in found if name.endswith(".wav"))
            unfinished = [row for row in rows(shared)["jobs"] if row["status"] in ("queued", "processing")]
            assert all((row["status"], row["attempt"], row["holder"]) == ("queued", 0, None) for row in unfinished)
    told = backed_up(wb, tmp_path / "last.tar")
    done = restored(tmp_path / "last.tar", tmp_path / "last")
    assert (told.deleted, told.missing, told.damaged, done.jobs, done.missing) == (0, [], [], 0, 0)
    assert (done.tracks, done.files) == (told.tracks, told.files)
    with opened(tmp_path / "last") as shared:
        assert rows(shared) == rows(wb._shared)
        assert files(shared).items() <= files(wb._shared).items()
        assert named(shared) <= files(shared).keys()
        assert shared.of(wb.owner).results.analysis(kept.id) == wb.analysis(kept)
    with tarfile.open(tmp_path / "last.tar") as tar:
        tar.extractall(tmp_path / "plain", filter="data")
    for line in (tmp_path / "plain" / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / "plain" / name).read_bytes()).hexdigest() == digest


def test_jobs_that_had_not_ended_run_in_the_restored_library(wb: Workbench, song: Song, tmp_path: Path) -> None:
    track = wb.add(song(1))
    table = wb._shared.jobs
    begun, _ = table.submit(wb.owner, "analysis", track.id, {}, settings=JOB_SETTINGS)
    assert table.claim(begun.id, "elsewhere 1 2 task") is not None
    waiting, _ = table.submit(wb.owner, "analysis", track.id, {"more": True}, settings=JOB_SETTINGS)
    backed_up(wb, tmp_path / "a.tar")
    assert restored(tmp_path / "a.tar", tmp_path / "elsewhere").jobs == 2
    with Workbench(tmp_path / "elsewhere") as again:
        try:
            assert again.job(begun.id).wait(90).value.attempt == 1
            assert again.job(waiting.id).wait(90).value.status == "completed"
            assert again.analysis(track) is not None
        finally:
            stop_cluster(again.settings)


def test_what_is_deleted_while_its_backup_is_made_is_left_out(wb: Workbench, song: Song, tmp_path: Path) -> None:
    kept, gone = wb.add(song(1)), wb.add(song(1, seed=1, name="b.wav"))

    def delete(_done: int, _total: int) -> None:
        if wb.tracks().total == 2:
            wb.delete(gone)

    told = back_up(wb._shared.database, wb._shared.store, tmp_path / "a.tar", delete)
    assert told.tracks + told.deleted == 2
    restored(tmp_path / "a.tar", tmp_path / "elsewhere")
    with opened(tmp_path / "elsewhere") as shared:
        assert named(shared) == files(shared).keys()
        assert kept.id in {row["id"] for row in rows(shared)["tracks"]}


def test_what_the_library_has_lost_is_told_and_its_rows_are_kept(wb: Workbench, song: Song, tmp_path: Path) -> None:
    lost, changed = wb.add(song(1)), wb.add(song(1, seed=1, name="b.wav"))
    names = [str(wb.path(track).relative_to(wb.settings.library)) for track in (lost, changed)]
    wb.path(lost).unlink()
    wb.path(changed).write_bytes(b"x")
    told = backed_up(wb, tmp_path / "a.tar")
    assert ([*told.missing, *told.damaged], told.tracks) == (names, 2)
    assert restored(tmp_path / "a.tar", tmp_path / "elsewhere").missing == 1


def test_a_backup_takes_the_place_of_nothing_and_a_library_of_none(wb: Workbench, song: Song, tmp_path: Path) -> None:
    wb.add(song(1))
    backed_up(wb, tmp_path / "a.tar")
    with pytest.raises(ConflictError, match="already"):
        backed_up(wb, tmp_path / "a.tar")
    before = rows(wb._shared), files(wb._shared)
    with pytest.raises(ConflictError, match="not empty"):
        restore(wb._shared.database, wb._shared.store, tmp_path / "a.tar")
    assert (rows(wb._shared), files(wb._shared)) == before
    with pytest.raises(NotFoundError):
        restored(tmp_path / "b.tar", tmp_path / "elsewhere")


def test_a_full_disk_leaves_no_file_that_looks_like_a_backup(wb: Workbench, song: Song, tmp_path: Path) -> None:
    wb.add(song(3))
    target = tmp_path / "backups" / "a.tar"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(DiskFullError):
            backed_up(wb, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(target.parent.iterdir()) == []


def test_a_backup_is_for_nobody_else_on_the_machine(wb: Workbench, tmp_path: Path) -> None:
    backed_up(wb, tmp_path / "a.tar")
    assert (tmp_path / "a.tar").stat().st_mode & 0o777 == 0o600


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A whole backup of one track."""
    from simple_song import write_song

    folder = tmp_path_factory.mktemp("good")
    with Workbench(folder / "library") as wb:
        wb.add(write_song(folder / "song.wav", 0.2), id="one")
        backed_up(wb, folder / "a.tar")
    return (folder / "a.tar").read_bytes()


def refused(source: Path, folder: Path, why: str) -> SoundForgeError:
    with pytest.raises(InvalidInputError, match=why) as caught:
        restored(source, folder)
    assert is_empty(folder)
    with opened(folder) as shared:
        assert not any(rows(shared).values())
    return caught.value


@pytest.mark.parametrize("part", ["backup.json", "files/audio", "rows/jobs.jsonl", "SHA256SUMS"])
def test_a_backup_that_was_cut_off_changes_nothing(good: bytes, tmp_path: Path, part: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(good)) as tar:
        member = next(member for member in tar if member.name.startswith(part))
    for end in (member.offset, member.offset_data + member.size // 2):
        (tmp_path / "a.tar").write_bytes(good[:end])
        refused(tmp_path / "a.tar", tmp_path / "elsewhere", "not a whole backup")


@pytest.mark.parametrize("part", ["files/audio", "rows/tracks.jsonl", "backup.json", "SHA256SUMS"])
def test_a_changed_byte_changes_nothing(good: bytes, tmp_path: Path, part: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(good)) as tar:
        at = next(member.offset_data for member in tar if member.name.startswith(part))
    changed = bytearray(good)
    changed[at + 10] ^= 1
    (tmp_path / "a.tar").write_bytes(changed)
    refused(tmp_path / "a.tar", tmp_path / "elsewhere", "not a whole backup")


def hostile(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


@pytest.mark.parametrize(
    "member",
    [
        hostile("../escaped"),
        hostile("files/../../escaped"),
        hostile("/tmp/escaped"),
        hostile("files/link", tarfile.SYMTYPE, "/etc"),
        hostile("files/link", tarfile.LNKTYPE, "backup.json"),
        hostile("files/pipe", tarfile.FIFOTYPE),
        hostile("files/disk", tarfile.BLKTYPE),
        hostile("files/folder", tarfile.DIRTYPE),
        hostile("found"),
        hostile("files/new\nline"),
        hostile("files/" + "x" * 300),
        hostile("files"),
        hostile("backup.json"),
    ],
    ids=lambda member: repr(member.name[:20]) + member.type.decode(),
)
def test_a_hostile_member_lands_nowhere(good: bytes, tmp_path: Path, member: tarfile.TarInfo) -> None:
    source = tmp_path / "in" / "a.tar"
    source.parent.mkdir()
    with tarfile.open(fileobj=io.BytesIO(good)) as tar, tarfile.open(source, "w") as out:
        for index, one in enumerate(tar):
            out.addfile(one, tar.extractfile(one))
            if index == 0:
                out.addfile(member)
    refused(source, tmp_path / "in" / "elsewhere", "not a whole backup")
    assert not list(tmp_path.rglob("*escaped*"))


def rewritten(good: bytes, folder: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Return a backup with other contents, and sums that are right."""
    with tarfile.open(fileobj=io.BytesIO(good)) as tar:
        parts = {member.name: tar.extractfile(member).read() for member in tar if member.name != "SHA256SUMS"}
    change(parts)
    with Writer(folder / "a.tar", folder / "sums") as writer:
        for name, content in parts.items():
            (folder / "part").write_bytes(content)
            writer.add(name, folder / "part")
        writer.finish()
    return folder / "a.tar"


def with_row(table: str, **values: Any) -> Callable[[dict[str, bytes]], None]:
    def change(parts: dict[str, bytes]) -> None:
        name = f"rows/{table}.jsonl"
        parts[name] = json.dumps(json.loads(parts[name]) | values).encode()

    return change


def with_part(name: str, content: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda parts: parts.update({name: content})


@pytest.mark.parametrize(
    "change",
    [
        with_row("audio", path="audio/local/../../../etc/passwd"),
        with_row("audio", path="/etc/passwd"),
        with_row("audio", path="audio/other/ab/file.wav"),
        with_row("audio", path="locks/local/ab/file.wav"),
        with_row("audio", path=7),
        with_row("audio", colour="red"),
        with_row("audio", owner="other", path="audio/other/ab/file.wav"),
        with_row("tracks", id=None),
        with_part("rows/tracks.jsonl", b"{no json"),
        with_part("rows/tracks.jsonl", b"\xff\n"),
        with_part("rows/tracks.jsonl", b"[1]\n"),
        with_part("rows/audio.jsonl", b'"text"\n'),
        with_part("rows/tracks.jsonl", b"[" * 200_000),
        with_part("rows/secrets.jsonl", b"{}"),
        with_part("backup.json", b"[]"),
        with_part("backup.json", b"[" * 200_000),
        lambda parts: parts.pop("backup.json"),
    ],
)
def test_rows_that_no_library_has_written_change_nothing(
    good: bytes, tmp_path: Path, change: Callable[[dict[str, bytes]], None]
) -> None:
    refused(rewritten(good, tmp_path, change), tmp_path / "elsewhere", "can't be restored")


def test_a_backup_of_a_newer_version_is_refused(good: bytes, tmp_path: Path) -> None:
    header = {"format": 1, "schema": "9999", "version": "9.0"}
    source = rewritten(good, tmp_path, with_part("backup.json", json.dumps(header).encode()))
    assert refused(source, tmp_path / "elsewhere", "Update this program").code == "backup_too_new"


def test_a_restore_that_died_does_not_stand_in_the_way_of_the_next(
    good: bytes, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "a.tar").write_bytes(good)
    with opened(tmp_path / "elsewhere") as shared:
        with monkeypatch.context() as patch:
            patch.setattr(shared.database, "write", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
            patch.setattr(shared.store, "remove", lambda name: None)  # as if there had been no time to
            with pytest.raises(KeyboardInterrupt):
                restore(shared.database, shared.store, tmp_path / "a.tar")
        assert files(shared) != {}
        assert not any(rows(shared).values())
        assert restore(shared.database, shared.store, tmp_path / "a.tar").tracks == 1
        assert named(shared) <= files(shared).keys()


def test_the_commands(wb: Workbench, song: Song, tmp_path: Path) -> None:
    wb.add(song(1))
    run = CliRunner().invoke
    made = run(app, ["backup", str(tmp_path / "a.tar"), "--library", str(wb.settings.library), "--json"])
    assert (made.exit_code, json.loads(made.stdout)["tracks"]) == (0, 1)
    done = run(app, ["restore", str(tmp_path / "a.tar"), "--library", str(tmp_path / "elsewhere")])
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'elsewhere'}: 1 tracks, 1 files.\n")


@pytest.mark.embedded
def test_a_library_that_is_not_there_is_not_backed_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    asked = CliRunner().invoke(app, ["backup", str(tmp_path / "a.tar"), "--library", str(tmp_path / "typo")])
    assert isinstance(asked.exception, NotFoundError)
    assert list(tmp_path.iterdir()) == []
