"""The schema: upgraded whole or not at all, guarded row by row on PostgreSQL, and moved there from SQLite."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from pydantic import SecretStr
from services.postgres import Postgres
from sqlalchemy import Connection, MetaData, create_engine, inspect, select, text, update

from sfwidgets import Workbench, cli
from sfwidgets.errors import ConflictError, UnavailableError
from sfwidgets.library import Shared, database
from sfwidgets.library.database import HEAD, MIGRATIONS, Database
from sfwidgets.library.moving import move, status
from sfwidgets.library.schema import SEARCH_INDEXES, audio, jobs, metadata, tracks
from sfwidgets.settings import Settings

HASH = "a" * 64
ANALYSIS = {"trackId": "old", "bpm": 120}
FIRST: dict[str, dict[str, Any]] = {
    "audio": {"owner": "local", "hash": HASH, "path": f"audio/local/aa/{HASH}.wav", "size": 9, "duration": 1.5,
              "sample_rate": 44100, "channels": 2, "codec": "pcm_s16le", "container": "wav", "created_at": 1.0},
    "jobs": {"id": "j1", "owner": "local", "kind": "processing", "track_id": "old", "status": "completed", "progress": 100,
             "stage": "", "options": {"model": "auto"}, "settings": {"models_dir": None, "offline": True}, "then": [],
             "fingerprint": "f", "seq": 4, "attempt": 1, "lease_until": 0.0, "cancel_requested": False, "created_at": 1.0,
             "started_at": 2.0, "completed_at": 3.0, "result": {"stemSet": "j1-1"}, "output_path": "stems/x"},
    "stem_sets": {"id": "j1-1", "owner": "local", "hash": HASH, "key": "k", "folder": "stems/x", "model": "embedded",
                  "precision": "float32", "preview": True, "options": {"model": "embedded"}, "stems": [], "size": 5,
                  "notices": ["A notice: é"], "seconds": 1.0, "created_at": 3.0},
    "tracks": {"owner": "local", "id": "old", "title": "Ünïcode", "artist": "Björk", "album": "", "source": "file",
               "hash": HASH, "created_at": 1.0, "updated_at": 1.0},
    "analyses": {"owner": "local", "track_id": "old", "hash": HASH, "version": 1, "document": ANALYSIS, "created_at": 2.0},
    "track_stems": {"owner": "local", "track_id": "old", "set_id": "j1-1", "created_at": 3.0},
}  # fmt: skip
"""A row for each table of the first release."""


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = None if request.param == "sqlite" else SecretStr(request.getfixturevalue("database_url"))
    return Settings(_env_file=None, library=tmp_path / "library", database_url=url)


@pytest.fixture
def on_postgres(database_url: str, tmp_path: Path) -> Settings:
    return Settings(_env_file=None, library=tmp_path / "library", database_url=SecretStr(database_url))


def first_release(settings: Settings) -> None:
    """Write what the first release wrote: its schema, and a row in every table."""
    settings.library.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(settings.sqlalchemy_url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        known = MetaData()
        known.reflect(connection)
        for name, row in FIRST.items():
            connection.execute(known.tables[name].insert(), [row])
    engine.dispose()


def rows_of(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    known = MetaData()
    known.reflect(connection)
    return {
        name: [dict(row._mapping) for row in connection.execute(select(table))] for name, table in known.tables.items()
    }


def test_what_the_first_release_wrote_is_all_there_after_the_upgrade(settings: Settings) -> None:
    first_release(settings)
    before = Database(settings, upgrade=False)
    assert before.revision() == "0001"
    assert before.upgrade() == "0001"
    assert before.upgrade() == HEAD
    before.close()
    shared = Shared(settings)
    with shared.database.read() as connection:
        kept = rows_of(connection)
    for name, row in FIRST.items():
        assert len(kept[name]) == 1
        assert {column: kept[name][0][column] for column in row} == row
    library = shared.of("local")
    assert (library.tracks.get("old").duration, library.tracks.get("old").has_stems) == (1.5, True)
    assert [track.id for track in library.tracks.page(search="unicode")] == ["old"]
    assert [track.id for track in library.tracks.page(search="BJORK", sort="artist")] == ["old"]
    assert library.results.stem_sets("old")[0].notices == ["A notice: é"]
    assert shared.jobs.get("local", "j1").result == {"stemSet": "j1-1"}
    shared.close()


def but_for_search(name: str | None, kind: str, _of: Any) -> bool:
    return kind != "index" or name not in SEARCH_INDEXES


def test_the_migrations_make_the_schema_that_the_code_speaks_on_postgresql_too(on_postgres: Settings) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    shared = Database(on_postgres)
    with shared.read() as connection:
        assert (
            compare_metadata(MigrationContext.configure(connection, opts={"include_name": but_for_search}), metadata)
            == []
        )
    shared.close()


def test_an_upgrade_that_fails_in_its_middle_leaves_everything_as_it_was(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_release(settings)
    opened = Database(settings, upgrade=False)
    with opened.read() as connection:
        before = rows_of(connection)
    broken = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, broken)
    (broken / "versions" / "9999_broken.py").write_text(
        f"from alembic import op\nrevision, down_revision = '9999', '{HEAD}'\n"
        "def upgrade():\n    op.execute('DELETE FROM jobs')\n    op.execute('CREATE TABLE half (made INTEGER)')\n"
        "    raise RuntimeError('broken')\n"
    )
    monkeypatch.setattr(database, "MIGRATIONS", broken)
    with pytest.raises(RuntimeError, match="broken"):
        opened.upgrade()
    assert opened.revision() == "0001"
    with opened.read() as connection:
        assert rows_of(connection) == before
        assert not inspect(connection).has_table("wishes")
        assert not inspect(connection).has_table("half")
    monkeypatch.undo()
    assert opened.upgrade() == "0001"
    opened.close()


def test_a_schema_of_a_newer_program_is_refused(settings: Settings) -> None:
    opened = Database(settings)
    with opened.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UnavailableError, match="newer version") as caught:
        Workbench(settings=settings)
    assert caught.value.code == "database_newer"
    assert opened.revision() == "9999"
    opened.close()


def test_many_machines_that_open_an_old_database_at_once_upgrade_it_once(on_postgres: Settings, tmp_path: Path) -> None:
    """Each has a folder of its own, so that no lock file keeps them apart."""
    first_release(on_postgres)
    machines = [on_postgres.model_copy(update={"library": tmp_path / str(number)}) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(Database, machines))
    assert {each.revision() for each in opened} == {HEAD}
    for each in opened:
        each.close()


@pytest.fixture
def two_users(on_postgres: Settings, database_url: str, postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    """A connection as the role of signed-in users, as Supabase's own API makes it, with rows of two owners."""
    shared = Shared(on_postgres)
    role = f"authenticated_{database_url[-8:]}"
    with shared.database.write() as connection:
        for owner in ("ann", "bob"):
            connection.execute(audio.insert(), [{**FIRST["audio"], "owner": owner}])
            connection.execute(tracks.insert(), [{**FIRST["tracks"], "owner": owner}])
            for name in ("jobs", "stem_sets"):
                row = {**FIRST[name], "owner": owner, "id": f"{owner}-1"}
                connection.execute(metadata.tables[name].insert(), [row])
            connection.execute(
                metadata.tables["track_stems"].insert(),
                [{**FIRST["track_stems"], "owner": owner, "set_id": f"{owner}-1"}],
            )
            connection.execute(metadata.tables["analyses"].insert(), [{**FIRST["analyses"], "owner": owner}])
            shared.of(owner).wishes.take(connection, "old")
        connection.execute(text(f"CREATE ROLE {role} NOLOGIN"))
        connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"))
    shared.metadata.put("key", {})
    shared.close()
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as user:
        user.execute(f"SET ROLE {role}")  # type: ignore[call-overload]
        yield user
        user.execute("RESET ROLE")
        user.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")  # type: ignore[call-overload]


def told(user: psycopg.Connection[Any], sub: str | None, query: str) -> list[Any]:
    """Return what a user is told, whose token's claims are set as PostgREST sets them: for the transaction alone."""
    with user.transaction():
        if sub is not None:
            user.execute("SELECT set_config('request.jwt.claims', %s, true)", [json.dumps({"sub": sub, "role": "x"})])
        return user.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]


def test_a_user_reads_his_own_rows_by_sql_and_nobody_elses(two_users: psycopg.Connection[Any]) -> None:
    for name, table in metadata.tables.items():
        if "owner" in table.c:
            assert {row[0] for row in told(two_users, "ann", f"SELECT owner FROM {name}")} <= {"ann"}, name
    for name in ("audio", "tracks", "jobs", "stem_sets", "track_stems", "analyses"):
        assert told(two_users, "ann", f"SELECT owner FROM {name}") == [("ann",)]
        assert told(two_users, "bob", f"SELECT owner FROM {name}") == [("bob",)]
        for nobody in (None, "", "local"):
            assert told(two_users, nobody, f"SELECT owner FROM {name}") == []
    for name in ("metadata_cache", "alembic_version"):
        assert told(two_users, "ann", f"SELECT * FROM {name}") == []


def test_a_user_writes_nothing_by_sql_for_the_service_believes_what_the_rows_say(
    two_users: psycopg.Connection[Any],
) -> None:
    wish = "INSERT INTO wishes VALUES ('{}', 't', '[]', '{{}}', 1) RETURNING 1"
    for owner in ("bob", "ann"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            told(two_users, "ann", wish.format(owner))
        assert (
            told(two_users, "ann", f"UPDATE audio SET path = '/etc/passwd' WHERE owner = '{owner}' RETURNING 1") == []
        )
        assert told(two_users, "ann", f"DELETE FROM jobs WHERE owner = '{owner}' RETURNING 1") == []
    assert told(two_users, "bob", "SELECT path FROM audio") == [(FIRST["audio"]["path"],)]


def test_every_table_is_guarded(on_postgres: Settings) -> None:
    opened = Database(on_postgres)
    with opened.read() as connection:
        open_ = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND NOT rowsecurity"
        assert list(connection.scalars(text(open_))) == []
        policies = set(connection.scalars(text("SELECT tablename FROM pg_policies")))
    assert policies == {name for name, table in metadata.tables.items() if "owner" in table.c}
    opened.close()


def test_what_row_level_security_does_not_stop_is_not_granted_to_supabases_users(on_postgres: Settings) -> None:
    with psycopg.connect(on_postgres.sqlalchemy_url.replace("+psycopg", ""), autocommit=True) as project:
        project.execute("DO $$ BEGIN CREATE ROLE authenticated; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        # As every project of Supabase has it from its beginning.
        project.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO authenticated")
        Database(on_postgres).close()
        held = "SELECT has_table_privilege('authenticated', tablename, %s) FROM pg_tables WHERE schemaname = 'public'"
        for privilege, granted in {"SELECT": True, "INSERT": False, "TRUNCATE": False, "TRIGGER": False}.items():
            assert {row[0] for row in project.execute(held, [privilege])} == {granted}, privilege


def test_a_service_whose_role_sees_nothing_is_refused(on_postgres: Settings, postgres: Postgres) -> None:
    Database(on_postgres).close()
    url = on_postgres.sqlalchemy_url
    role = f"guest_{url[-8:]}"
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {role} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")  # type: ignore[call-overload]
        try:
            guest = on_postgres.model_copy(update={"database_url": SecretStr(url.replace("postgres@", f"{role}@"))})
            with pytest.raises(UnavailableError) as caught:
                Database(guest)
            assert caught.value.code == "database_role"
        finally:
            owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")  # type: ignore[call-overload]


def test_a_library_moves_from_sqlite_to_postgresql_with_every_row(on_postgres: Settings) -> None:
    here = on_postgres.model_copy(update={"database_url": None})
    first_release(here)
    shared = Shared(here)
    with shared.database.write() as connection:
        more = [{**FIRST["tracks"], "id": f"t{number}", "title": f"Title {number}"} for number in range(2500)]
        connection.execute(tracks.insert(), more)
    unfinished, _ = shared.jobs.submit("local", "model", None, {"model": "x"}, settings={})
    with pytest.raises(ConflictError, match="1 jobs have not ended"):
        move(here, on_postgres)
    shared.jobs.cancel("local", unfinished.id)
    with shared.database.read() as connection:
        before = rows_of(connection)
    shared.close()

    moved = move(here, on_postgres)
    assert (moved.revision, moved.rows["tracks"], moved.rows["jobs"]) == (HEAD, 2501, 2)
    there = Database(on_postgres)
    with there.read() as connection:
        after = rows_of(connection)
        assert connection.execute(select(jobs.c.id).where(jobs.c.result.is_(text("NULL")))).all()
    assert after.keys() == before.keys()
    for name, rows in before.items():
        assert sorted(map(repr, _same(rows))) == sorted(map(repr, _same(after[name])))
    there.close()
    with pytest.raises(ConflictError, match="rows already"):
        move(here, on_postgres)
    with pytest.raises(ConflictError, match="SQLite to SQLite"):
        move(here, here)


def _same(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [dict(sorted(row.items())) for row in rows]


def test_a_move_that_fails_leaves_the_target_empty(on_postgres: Settings) -> None:
    here = on_postgres.model_copy(update={"database_url": None})
    first_release(here)
    shared = Shared(here)
    with shared.database.write() as connection:  # which SQLite lets pass
        connection.execute(update(tracks).values(isrc="x" * 33))
    shared.close()
    with pytest.raises(Exception, match="too long"):
        move(here, on_postgres)
    assert set(status(on_postgres).rows.values()) == {0}


def test_the_commands_look_upgrade_and_move(
    on_postgres: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = on_postgres.model_copy(update={"database_url": None})
    secret = on_postgres.sqlalchemy_url.replace("postgres@", "postgres:hunter2@")

    def say(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["soundforge", *arguments, "--library", str(here.library)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert end.value.code in (0, None)
        said = capsys.readouterr()
        assert "hunter2" not in said.out + said.err
        return said.out

    assert "none yet" in say("db", "status")
    first_release(here)
    assert "0001 (this program" in say("db", "status")
    assert f"0001, it is {HEAD}" in say("db", "upgrade")
    assert "already" in say("db", "upgrade")
    monkeypatch.setenv("DATABASE_URL", secret)
    assert f"{HEAD} (up to date)" in say("db", "move")
    found = json.loads(say("db", "status", "--json"))
    assert (found["rows"]["tracks"], found["unfinishedJobs"]) == (1, 0)
    assert found["size"] > 1e6
