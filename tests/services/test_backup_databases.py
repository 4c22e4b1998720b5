"""A backup of one database is restored into another, and one of an older schema is brought up to the newest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from services.backups import files, named, rows
from sqlalchemy import MetaData, insert, select, text

from sfwidgets import Workbench
from sfwidgets.errors import InvalidInputError
from sfwidgets.library import Shared
from sfwidgets.library.archive import Writer
from sfwidgets.library.backup import back_up
from sfwidgets.library.database import HEAD, MIGRATIONS, Database
from sfwidgets.library.restore import restore
from sfwidgets.library.schema import analyses, audio, jobs, tracks
from sfwidgets.settings import Settings

Song = Callable[..., Path]
HASH = "ab" * 32


@contextmanager
def opened(folder: Path, url: str | None = None) -> Iterator[Shared]:
    shared = Shared(Settings(library=folder, database_url=url))
    try:
        yield shared
    finally:
        shared.close()


def fill(shared: Shared, song: Song) -> None:
    """Add tracks of two owners, an analysis that never was, and jobs, one of which runs."""
    for owner in ("local", "other"):
        shared.of(owner).add(
            song(0.3), track_id="één-ä".encode("ascii", "ignore").decode(), fields={"title": "Ähm, 歌"}
        )
    with shared.database.write() as connection:
        connection.execute(
            insert(analyses).values(
                owner="other", track_id="n-", hash=HASH, version=1, document={"a": [1.5, None, "歌"]}, created_at=1.25
            )
        )
    for number in range(3):
        shared.jobs.submit("local", "analysis", "n-", {"n": number}, settings={})
    assert shared.jobs.claim(shared.jobs.newest("local")[0].id, "elsewhere 1 2 task") is not None


@pytest.mark.parametrize("way", ["from PostgreSQL to SQLite", "from SQLite to PostgreSQL"])
def test_a_backup_goes_from_one_kind_of_database_to_the_other(
    database_url: str, song: Song, tmp_path: Path, way: str
) -> None:
    urls = [database_url, None] if way.startswith("from P") else [None, database_url]
    with opened(tmp_path / "one", urls[0]) as one, opened(tmp_path / "two", urls[1]) as two:
        fill(one, song)
        back_up(one.database, one.store, tmp_path / "a.tar")
        done = restore(two.database, two.store, tmp_path / "a.tar")
        assert (done.tracks, done.jobs) == (2, 3)
        before, after = rows(one), rows(two)
        assert [row["status"] for row in after.pop("jobs")] == ["queued"] * 3
        before.pop("jobs")
        assert after == before
        assert named(two) == files(two).keys() == files(one).keys()
        with two.database.read() as connection:
            assert connection.scalar(select(jobs.c.id).where(jobs.c.result.is_not(None))) is None


def older(folder: Path, revision: str) -> Path:
    """Return a backup as it was made when the schema was that old."""
    database = Database(Settings(library=folder / "older"), upgrade=False)
    with database.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        schema = MetaData()
        schema.reflect(connection)
    name = f"audio/local/ab/{HASH}.wav"
    sound = {
        "owner": "local", "hash": HASH, "path": name, "size": 3, "duration": 1.5, "sample_rate": 44100, "channels": 2,
        "codec": "pcm_s16le", "container": "wav", "created_at": 1.0,
    }  # fmt: skip
    track = {
        "owner": "local", "id": "one", "title": "Älter", "artist": "a", "album": "", "artwork_url": None, "source": "file",
        "hash": HASH, "created_at": 1.0, "updated_at": 2.0,
    }  # fmt: skip
    database.close()
    parts = {
        "backup.json": json.dumps({"format": 1, "schema": revision, "version": "0.0.1"}),
        f"files/{name}": "abc",
        **{f"rows/{table}.jsonl": "" for table in schema.tables if table != "alembic_version"},
        "rows/audio.jsonl": json.dumps(sound),
        "rows/tracks.jsonl": json.dumps(track),
    }
    with Writer(folder / "older.tar", folder / "sums") as writer:
        for part, content in parts.items():
            (folder / "part").write_text(content)
            writer.add(part, folder / "part")
        writer.finish()
    return folder / "older.tar"


@pytest.mark.parametrize("kind", ["SQLite", "PostgreSQL"])
def test_a_backup_of_the_first_schema_is_brought_up_to_the_newest(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    url = request.getfixturevalue("database_url") if kind == "PostgreSQL" else None
    source = older(tmp_path, "0001")
    with opened(tmp_path / "new", url) as shared:
        if url is not None:
            with shared.database.write() as connection:
                connection.execute(text("CREATE TABLE somebody_elses (a integer)"))
        assert restore(shared.database, shared.store, source).tracks == 1
        assert shared.database.revision() == HEAD
        found = shared.of("local").tracks.get("one")
        assert (found.title, found.content_hash, found.isrc) == ("Älter", HASH, None)
        assert shared.of("local").audio_path("one").read_text() == "abc"
        if url is not None:
            with shared.database.read() as connection:
                assert connection.scalar(text("SELECT count(*) FROM somebody_elses")) == 0
    with Workbench(settings=Settings(library=tmp_path / "new", database_url=url)) as wb:
        assert [one.title for one in wb.tracks("älter").items] == ["Älter"]


@pytest.mark.parametrize("kind", ["SQLite", "PostgreSQL"])
def test_a_backup_whose_rows_break_a_rule_changes_nothing(
    request: pytest.FixtureRequest, song: Song, tmp_path: Path, kind: str
) -> None:
    url = request.getfixturevalue("database_url") if kind == "PostgreSQL" else None
    broken = json.loads('{"owner": "local", "hash": "x", "path": "audio/local/x/x", "colour": 1}')
    source = older(tmp_path, "0001")
    import tarfile

    with tarfile.open(source) as tar, Writer(tmp_path / "b.tar", tmp_path / "sums") as writer:
        for member in tar:
            if member.name != "SHA256SUMS":
                content = tar.extractfile(member).read()
                (tmp_path / "part").write_bytes(
                    json.dumps(broken).encode() if "audio.jsonl" in member.name else content
                )
                writer.add(member.name, tmp_path / "part")
        writer.finish()
    with opened(tmp_path / "new", url) as shared:
        with pytest.raises(InvalidInputError, match="can't be restored"):
            restore(shared.database, shared.store, tmp_path / "b.tar")
        assert shared.database.revision() == HEAD
        assert not any(rows(shared).values())
        assert audio.name in rows(shared) and tracks.name in rows(shared)
        assert not files(shared)
