"""Supabase Storage as one bucket: whole objects over connections that break, and refusals that a person understands."""

from __future__ import annotations

import hashlib
import logging
import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from services import supabase_check
from services.storage_server import KEY, StorageServer

from sfwidgets.errors import DiskFullError, InvalidInputError, NotFoundError, UnavailableError
from sfwidgets.library import Shared, supabase_storage
from sfwidgets.library.supabase_storage import PART, SupabaseStorage
from sfwidgets.settings import Settings

MB = 2**20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StorageServer]:
    found = StorageServer(tmp_path / "storage")
    yield found
    found.stop()


@pytest.fixture
def storage(server: StorageServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SupabaseStorage]:
    monkeypatch.setattr(supabase_storage, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(supabase_storage, "LONGEST_WAIT", 0.05)
    found = SupabaseStorage(server.url, KEY, "soundforge")
    yield found
    found.close()


@pytest.fixture
def random_file(tmp_path: Path) -> Callable[..., Path]:
    def write(size: int, name: str = "given") -> Path:
        with (tmp_path / name).open("wb") as file:
            for first in range(0, size, 16 * MB):
                file.write(os.urandom(min(16 * MB, size - first)))
        return tmp_path / name

    return write


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.parametrize("size", [0, 1, PART, PART + 1, 2 * PART, 3 * PART + 12345])
def test_what_goes_up_comes_down(
    server: StorageServer, storage: SupabaseStorage, random_file: Callable[..., Path], tmp_path: Path, size: int
) -> None:
    file = random_file(size)
    name = "audio/local/ab/abc def’s.flac"
    storage.upload(file, name)
    assert server.buckets["soundforge"]["public"] is False
    assert server.media_types[f"soundforge/{name}"] == "audio/flac"
    assert storage.size(name) == size
    storage.download(name, tmp_path / "got")
    assert digest(tmp_path / "got") == digest(file)


def test_a_connection_that_breaks_every_few_megabytes(
    server: StorageServer, storage: SupabaseStorage, random_file: Callable[..., Path], tmp_path: Path
) -> None:
    file = random_file(40 * MB)
    storage.ensure()
    server.cut_bytes = 4 * MB  # less than a part: each is broken at least once
    storage.upload(file, "stems/local/ab/one.flac")
    assert digest(server.path("soundforge/stems/local/ab/one.flac")) == digest(file)
    storage.download("stems/local/ab/one.flac", tmp_path / "got")
    assert digest(tmp_path / "got") == digest(file)
    assert server.cuts >= 16
    assert sum(asked.startswith("POST upload") for asked in server.requests) == 1, "an upload was begun anew"


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_gigabyte_over_a_connection_that_breaks_every_ten_seconds(
    server: StorageServer, storage: SupabaseStorage, random_file: Callable[..., Path], tmp_path: Path
) -> None:
    file = random_file(1024 * MB)
    storage.ensure()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    server.bytes_per_second = 24 * MB
    server.cut_every(10)
    storage.upload(file, "audio/local/ab/long.flac")
    up = server.cuts
    storage.download("audio/local/ab/long.flac", tmp_path / "got")
    assert digest(tmp_path / "got") == digest(file)
    assert min(up, server.cuts - up) >= 3
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{server.cuts} cuts, {grown:.0f} MB more memory at the highest")
    assert grown < 40


@pytest.mark.parametrize("answer", [500, 503, 429])
def test_trouble_that_passes_is_sat_out(
    server: StorageServer, storage: SupabaseStorage, random_file: Callable[..., Path], tmp_path: Path, answer: int
) -> None:
    file = random_file(2 * PART)
    server.answers.extend([answer] * 3)
    storage.upload(file, "a.flac")
    server.answers.extend([answer] * 3)
    storage.download("a.flac", tmp_path / "got")
    server.answers.append(answer)
    assert [(found.name, found.size) for found in storage.objects("a")] == [("a.flac", 2 * PART)]
    assert digest(tmp_path / "got") == digest(file)


def test_an_upload_whose_last_answer_was_lost_is_complete(
    server: StorageServer, storage: SupabaseStorage, random_file: Callable[..., Path]
) -> None:
    storage.ensure()
    file = random_file(2 * PART)
    server.cut_bytes = 2 * PART  # the very last byte arrives, the answer does not
    storage.upload(file, "a.flac")
    assert server.cuts == 1
    assert digest(server.path("soundforge/a.flac")) == digest(file)


def test_an_upload_that_storage_forgot_begins_anew(
    server: StorageServer, storage: SupabaseStorage, random_file: Callable[..., Path]
) -> None:
    file = random_file(3 * PART)
    forgotten = []
    moved = server.moved

    def forget_once(count: int, connection: object) -> None:
        moved(count, connection)  # type: ignore[arg-type]
        if not forgotten:
            forgotten.append(server.uploads.popitem())
            raise ConnectionResetError

    server.moved = forget_once  # type: ignore[method-assign]
    storage.upload(file, "a.flac")
    assert digest(server.path("soundforge/a.flac")) == digest(file)
    assert sum(asked.startswith("POST upload") for asked in server.requests) == 2


def test_an_object_that_is_replaced_meanwhile_is_not_mixed(
    server: StorageServer, storage: SupabaseStorage, random_file: Callable[..., Path], tmp_path: Path
) -> None:
    old, new = random_file(8 * MB, "old"), random_file(9 * MB, "new")
    storage.upload(old, "a.flac")
    server.cut_bytes = 3 * MB
    server.after_cut = lambda: server.put("a.flac", new.read_bytes()) if server.cuts == 1 else None
    storage.download("a.flac", tmp_path / "got")
    assert server.cuts >= 3
    assert digest(tmp_path / "got") == digest(new)


def test_what_asking_again_would_not_change_is_said_at_once(
    server: StorageServer, storage: SupabaseStorage, random_file: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError):
        storage.download("nothing.flac", tmp_path / "got")
    assert storage.size("nothing.flac") is None
    assert list(storage.objects("audio/")) == []
    storage.ensure()
    server.buckets["soundforge"]["file_size_limit"] = 10
    with pytest.raises(UnavailableError, match="larger than Supabase Storage takes") as refused:
        storage.upload(random_file(11), "a.flac")
    assert refused.value.code == "storage_refused"
    assert len([asked for asked in server.requests if asked.startswith("POST object/soundforge")]) == 1


def test_a_public_bucket_is_refused(
    server: StorageServer, storage: SupabaseStorage, random_file: Callable[..., Path]
) -> None:
    httpx.post(
        f"{server.url}/storage/v1/bucket", json={"id": "soundforge", "name": "soundforge", "public": True},
        headers={"apikey": KEY, "Authorization": f"Bearer {KEY}"},
    ).raise_for_status()  # fmt: skip
    with pytest.raises(UnavailableError, match="is public"):
        storage.upload(random_file(10), "a.flac")


def test_no_error_and_no_log_has_the_key(
    server: StorageServer,
    random_file: Callable[..., Path],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supabase_storage, "FIRST_WAIT", 0.001)
    caplog.set_level(logging.DEBUG)
    wrong = SupabaseStorage(server.url, "sb_secret_wrong", "soundforge")
    with pytest.raises(UnavailableError, match="does not take SUPABASE_SERVICE_KEY") as refused:
        wrong.upload(random_file(10), "a.flac")
    server.stop()
    with pytest.raises(UnavailableError, match="can't be reached") as lost:
        wrong.size("a.flac")
    assert (refused.value.code, lost.value.code) == ("storage_refused", "storage_unavailable")
    told = caplog.text + str(refused.value.to_dict()) + str(lost.value.to_dict())
    assert "asked again" in told
    assert "sb_secret_wrong" not in told
    with pytest.raises(InvalidInputError, match="copy it again") as bad:
        Settings(supabase_service_key="sb_secret_wrong\n")
    assert "sb_secret_wrong" not in str(bad.value)
    assert "sb_secret" not in repr(Settings(supabase_service_key="sb_secret_wrong"))


def test_a_signed_address_needs_no_key_and_ends(storage: SupabaseStorage, random_file: Callable[..., Path]) -> None:
    file = random_file(1000)
    storage.upload(file, "a.mp3")
    address = storage.signed_url("a.mp3", 60, called="My – song.mp3")
    got = httpx.get(address, headers={"Range": "bytes=10-19"})
    assert (got.status_code, got.content) == (206, file.read_bytes()[10:20])
    assert got.headers["Content-Type"] == "audio/mpeg"
    assert "My%20%E2%80%93%20song.mp3" in got.headers["Content-Disposition"]
    assert httpx.get(storage.signed_url("a.mp3", 0)).status_code == 400
    with pytest.raises(NotFoundError):
        storage.signed_url("b.mp3", 60)


def test_objects_are_listed_and_removed_page_by_page(
    server: StorageServer, storage: SupabaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supabase_storage, "LISTED", 3)
    storage.ensure()
    written = time.time() - 5000
    for number in range(8):
        server.put(f"audio/local/{number}", b"x" * number, changed=written)
    found = list(storage.objects("audio/"))
    assert [one.name for one in found] == [f"audio/local/{number}" for number in range(8)]
    assert [one.size for one in found] == list(range(8))
    assert all(abs(one.changed - written) < 1 for one in found)
    storage.remove([one.name for one in found[1:]])
    assert server.names() == ["audio/local/0"]


def test_a_full_disk_is_told_and_nothing_is_written(
    storage: SupabaseStorage, random_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.upload(random_file(1000), "a.mp3")
    usage = supabase_storage.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(supabase_storage.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(DiskFullError):
        storage.download("a.mp3", tmp_path / "got")
    assert (tmp_path / "got").stat().st_size == 0


def test_the_check_of_a_real_project_tries_everything(
    server: StorageServer, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("SUPABASE_URL", "SUPABASE_SERVICE_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert supabase_check.main() == 2
    assert "Set SUPABASE_URL and SUPABASE_SERVICE_KEY" in capsys.readouterr().out
    monkeypatch.setenv("SUPABASE_URL", server.url)
    monkeypatch.setenv("SUPABASE_SERVICE_KEY", KEY)
    monkeypatch.setenv("DATABASE_URL", database_url)
    Shared(Settings()).close()
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("DO $$ BEGIN CREATE ROLE authenticated; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO authenticated")
    assert supabase_check.main() == 0
    right = ["upload", "listing", "download", "signed address", "privacy", "removal", "sign-in", "database"]
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()[:-1]] == [f"✓ {name}" for name in right]
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("ALTER TABLE tracks DISABLE ROW LEVEL SECURITY")
    server.buckets["soundforge"]["public"] = True
    assert supabase_check.main() == 1
    said = capsys.readouterr().out
    assert "✗ upload: The bucket soundforge" in said
    assert "✗ database: found (['tracks']" in said
