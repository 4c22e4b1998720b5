"""PostgreSQL: what its address may look like, a server that goes and comes back, and many who write at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr
from services.postgres import Postgres
from sqlalchemy import func, insert, select, text, update

from sfwidgets.errors import ConflictError, InvalidInputError, NotFoundError, SoundForgeError, UnavailableError
from sfwidgets.library import Shared, StoredAudio, Wish
from sfwidgets.library.batches import settle
from sfwidgets.library.postgres import FRESH_SECONDS
from sfwidgets.library.results import StemsExistError
from sfwidgets.library.schema import audio, jobs, stem_sets, track_stems, tracks
from sfwidgets.models import AudioInfo, Job, Mix, SeparationOptions, Stem, StemSet, utc_now
from sfwidgets.settings import Settings

INFO = AudioInfo(duration=1.0, sample_rate=44100, channels=2, codec="pcm_s16le", container="wav")
STORED = StoredAudio("a" * 64, f"audio/local/aa/{'a' * 64}.wav", 10, INFO, False)
FOUND = {"title": "t", "artist": "", "album": "", "source": "file"}


def settings_of(url: str, library: Path, **more: Any) -> Settings:
    return Settings(_env_file=None, library=library, database_url=SecretStr(url), **more)


@pytest.fixture
def shared(database_url: str, tmp_path: Path) -> Iterator[Shared]:
    opened = Shared(settings_of(database_url, tmp_path / "library", database_pool=20))
    yield opened
    opened.close()


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Return what `work` gives, or raises of ours, for each of some threads that begin at the same moment."""
    gate = Barrier(count)

    def begin(number: int) -> Any:
        gate.wait()
        try:
            return work(number)
        except SoundForgeError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def put(shared: Shared, track_id: str, stored: StoredAudio = STORED, **title: str) -> None:
    with shared.database.write() as connection:
        shared.of("local").tracks.put(connection, track_id, stored, found=FOUND, given=title)


def submit(shared: Shared, track_id: str = "t") -> tuple[Job, bool]:
    return shared.jobs.submit("local", "processing", track_id, {}, settings={"models_dir": None, "offline": True})


def batch(shared: Shared, count: int, name: str = "") -> tuple[Job, list[Job]]:
    parts: dict[str, dict[str, Any]] = {f"{name}t{number}": {} for number in range(count)}
    return shared.jobs.submit_batch("local", "download", parts, options={"name": name}, settings={})


def stem_set(name: str) -> StemSet:
    stem = Stem(
        name="vocals.flac", type="vocals", path=Path(f"stems/{name}/vocals.flac"), peaks=Path(f"stems/{name}/vocals.dat"),
        size=5, sample_rate=44100, channels=2, frames=44100, clipped=0, created_at=utc_now(),
    )  # fmt: skip
    return StemSet(
        id=name, model="embedded", precision="float32", preview=True, options=SeparationOptions(), seconds=1.0,
        stems=[stem], notices=[], created_at=utc_now(),
    )  # fmt: skip


def counted(shared: Shared, table: Any) -> int:
    with shared.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def test_an_address_may_be_written_in_three_ways(database_url: str, tmp_path: Path) -> None:
    for name in ("postgres://", "postgresql://", "postgresql+psycopg://"):
        shared = Shared(settings_of(database_url.replace("postgresql+psycopg://", name), tmp_path / "library"))
        assert shared.database.revision() is not None
        shared.close()


def test_another_kind_of_database_is_refused_and_no_password_is_told(tmp_path: Path, postgres: Postgres) -> None:
    with pytest.raises(InvalidInputError, match="postgresql://") as caught:
        Shared(settings_of("mysql://me:hunter2@host/name", tmp_path / "library"))
    assert "hunter2" not in str(caught.value)
    nowhere = f"postgresql://me:hunter2@127.0.0.1:{postgres.port}/nowhere"
    with pytest.raises(UnavailableError, match="me:\\*\\*\\*@127") as unreachable:
        Shared(settings_of(nowhere, tmp_path / "library"))
    assert unreachable.value.code == "database_unavailable"
    assert "hunter2" not in str(unreachable.value)


def test_a_connection_that_was_lost_is_made_again(shared: Shared, postgres: Postgres, database_url: str) -> None:
    put(shared, "kept")
    name = database_url.rpartition("/")[2]
    with psycopg.connect(postgres.url().replace("+psycopg", ""), autocommit=True) as other:

        def cut_off() -> None:
            other.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])

        cut_off()
        time.sleep(FRESH_SECONDS)
        assert shared.of("local").tracks.get("kept").id == "kept"
        with pytest.raises(UnavailableError) as caught, shared.database.write() as connection:
            connection.execute(update(tracks).values(title="lost"))
            cut_off()
            connection.execute(text("SELECT 1"))
        assert (caught.value.code, caught.value.status) == ("database_unavailable", 503)
        assert shared.of("local").tracks.get("kept").title == "t"


@pytest.mark.soak
def test_a_server_that_comes_back_is_used_again(own_postgres: Postgres, tmp_path: Path) -> None:
    shared = Shared(settings_of(own_postgres.create(), tmp_path / "library"))
    put(shared, "kept")
    own_postgres.kill()
    for _ in range(2):
        with pytest.raises(UnavailableError) as caught:
            shared.of("local").tracks.get("kept")
        assert caught.value.code == "database_unavailable"
    own_postgres.start()
    assert shared.of("local").tracks.get("kept").id == "kept"
    put(shared, "new")
    shared.close()


def test_transactions_leave_nothing_in_their_session_for_a_pooler_gives_it_to_others(shared: Shared) -> None:
    for number in range(8):
        put(shared, f"t{number}")
        shared.of("local").tracks.get(f"t{number}")
    with shared.database.read() as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "1min"
        assert connection.scalar(text("SHOW transaction_read_only")) == "on"
        raw: Any = connection.connection.driver_connection
        connection.rollback()
        assert raw.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
        assert raw.execute("SHOW statement_timeout").fetchone() == ("0",)
        assert raw.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)


def test_who_waits_too_long_for_another_is_told_that_the_database_is_busy(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfwidgets.library.postgres.LIMITS", "SET LOCAL lock_timeout = '50ms'")
    job, _ = submit(shared)
    change = update(jobs).where(jobs.c.id == job.id).values(stage="mine")
    with shared.database.write() as first:
        first.execute(change)
        with pytest.raises(UnavailableError) as caught, shared.database.write() as second:
            second.execute(change)
    assert caught.value.code == "database_busy"


def test_where_all_connections_are_in_use_the_database_is_busy(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfwidgets.library.postgres.POOL_SECONDS", 0.05)
    shared = Shared(settings_of(database_url, tmp_path / "library", database_pool=1))
    with shared.database.read(), shared.database.read(), pytest.raises(UnavailableError) as caught:
        shared.jobs.get("local", "x")
    assert caught.value.code == "database_busy"
    shared.close()


def test_many_who_ask_for_the_same_get_one_job(shared: Shared) -> None:
    asked = at_once(12, lambda _: submit(shared))
    assert len({job.id for job, _ in asked}) == 1
    assert [created for _, created in asked].count(True) == 1
    batches = at_once(6, lambda _: batch(shared, 5))
    assert len({parent.id for parent, _ in batches}) == 1
    assert sorted(len(parts) for _, parts in batches) == [0, 0, 0, 0, 0, 5]
    assert counted(shared, jobs) == 1 + 6


def test_one_who_asks_while_the_same_job_ends_gets_a_job(shared: Shared) -> None:
    """The insert meets the running job, which has ended by the time it is looked for."""
    for _ in range(10):
        job, _created = submit(shared)
        claim = shared.jobs.claim(job.id, "w")
        assert claim is not None
        ended, again = at_once(
            2, lambda n, held=claim: shared.jobs.fail(held.job, "broken", "broken") if n == 0 else submit(shared)
        )
        assert ended.status == "error"
        assert again[0].id == job.id or again[1]
        shared.jobs.cancel("local", again[0].id)


def test_a_batch_counts_every_part_however_many_workers_end_them_at_once(shared: Shared) -> None:
    parent, parts = batch(shared, 16)

    def work(number: int) -> Job:
        claim = shared.jobs.claim(parts[number].id, f"w{number}")
        assert claim is not None
        with shared.database.write() as connection:
            done = shared.jobs.complete(connection, claim.job, output_path=None, result={})
        shared.jobs.settle(parent.id)
        return done

    assert {job.status for job in at_once(16, work)} == {"completed"}
    ended = shared.jobs.get("local", parent.id)
    assert (ended.status, ended.result) == ("completed", {"total": 16, "completed": 16, "failed": 0, "cancelled": 0})


def test_nobody_waits_for_ever_where_a_batch_is_cancelled_paused_sent_and_worked_on_at_once(shared: Shared) -> None:
    for round_ in range(4):
        parent, parts = batch(shared, 40, f"{round_}-")
        claims = [shared.jobs.claim(part.id, "w") for part in parts[:8]]

        def work(number: int, parent: Job = parent, parts: list[Job] = parts, claims: Any = claims) -> Any:
            held = claims[number % 8].job
            try:
                match number % 4:
                    case 0:
                        return shared.jobs.pause_downloads(held, 0.01, why="slow")
                    case 1:
                        return shared.jobs.sent({part.id: "key" for part in reversed(parts)})
                    case 2:
                        return shared.jobs.cancel("local", parent.id if number == 2 else parts[-number].id)
                    case _:
                        shared.jobs.fail(held, "broken", "broken")
                        return shared.jobs.settle(parent.id)
            except Exception as error:
                assert type(error).__name__ == "LeaseLostError", error
                return None

        assert not [said for said in at_once(8, work) if isinstance(said, SoundForgeError)]
        with shared.database.write() as connection:
            settle(connection, parent.id)


def test_a_song_that_many_add_at_once_is_one_track(shared: Shared) -> None:
    assert at_once(10, lambda _: put(shared, "same")) == [None] * 10
    assert at_once(10, lambda number: put(shared, f"t{number}")) == [None] * 10
    assert (counted(shared, audio), counted(shared, tracks)) == (1, 11)
    others = [StoredAudio(digit * 64, f"audio/{digit}", 1, INFO, False) for digit in "bcdefg"]
    said = at_once(6, lambda number: put(shared, "contested", others[number]))
    assert said.count(None) == 1
    assert all(isinstance(error, ConflictError) for error in said if error is not None)


def test_tracks_that_share_audio_come_and_go_at_once(shared: Shared) -> None:
    library = shared.of("local")
    for _ in range(5):
        put(shared, "first")

        def work(number: int) -> Any:
            if number == 0:
                return library.tracks.delete("first")
            return put(shared, f"t{number}") if number < 6 else library.tracks.delete(f"t{number - 5}")

        assert not [said for said in at_once(11, work) if isinstance(said, Exception) and said.status != 404]
        with shared.database.read() as connection:
            lost = select(tracks.c.id).outerjoin(audio, tracks.c.hash == audio.c.hash).where(audio.c.hash.is_(None))
            assert not connection.execute(lost).all()
        for track in library.tracks.page():
            library.tracks.delete(track.id)
        assert counted(shared, audio) == 0


def test_two_jobs_that_make_the_same_stems_leave_one_set(shared: Shared) -> None:
    put(shared, "one")
    results = shared.of("local").results

    def finish(number: int) -> bool:
        with shared.database.write() as connection:
            results.add_stems(
                connection, stem_set(f"set{number}"), content_hash=STORED.hash, key="k", folder=f"f{number}"
            )
            return results.link_stems(connection, "one", f"set{number}")

    said = at_once(6, finish)
    assert said.count(True) == 1
    assert all(isinstance(error, StemsExistError) for error in said if error is not True)
    assert (counted(shared, stem_sets), counted(shared, track_stems)) == (1, 1)


def test_stems_of_a_track_that_is_deleted_meanwhile_are_not_linked(shared: Shared) -> None:
    library = shared.of("local")
    for round_ in range(5):
        put(shared, "one")

        def finish(name: str = f"set{round_}") -> Any:
            with shared.database.write() as connection:
                library.results.add_stems(connection, stem_set(name), content_hash=STORED.hash, key="k", folder=name)
                if not library.results.link_stems(connection, "one", name):
                    raise ConflictError("gone")

        at_once(2, lambda n: library.tracks.delete("one") if n == 0 else finish())
        assert (counted(shared, tracks), counted(shared, track_stems)) == (0, 0)
        with shared.database.write() as connection:
            connection.execute(stem_sets.delete())
            connection.execute(audio.delete())


def test_what_is_kept_of_a_track_is_what_was_said_last_and_nothing_said_at_once_is_lost(shared: Shared) -> None:
    put(shared, "one")
    library = shared.of("local")
    said: list[dict[str, Any]] = [{"tempo": 120.0}, {"key": "C minor"}, {"downbeat": 0.5}]
    assert at_once(3, lambda number: library.results.put_corrections("one", said[number])) == [None] * 3
    kept = library.results.corrections("one")
    assert kept is not None
    assert (kept.tempo, kept.key, kept.downbeat) == (120.0, "C minor", 0.5)
    assert at_once(8, lambda number: library.mixes.put("one", Mix())) == [None] * 8
    assert at_once(8, lambda number: library.wishes.put("one", Wish(("analysis",)))) == [None] * 8
    assert at_once(8, lambda number: shared.metadata.put("key", {"n": number})) == [None] * 8
    names = [{"title": "New"}, {"artist": "Somebody"}, {"album": "Of all"}]
    at_once(3, lambda number: library.tracks.edit("one", names[number]))
    assert library.tracks.page(search="of ALL").total == library.tracks.page(search="somebody").total == 1
    with pytest.raises(NotFoundError):
        library.mixes.put("two", Mix())
    with pytest.raises(NotFoundError):
        library.results.put_corrections("two", {"tempo": 90.0})


NAMES = [
    "Zoë",
    "Émile",
    "eagle",
    "Apple",
    "ánfora",
    "_under",
    "Ünïcode",
    "über alles",
    "ÉCLAIR",
    "Straße",
    "100%",
    "öl\\",
]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_names_are_found_and_sorted_alike_whatever_the_database(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    url = None if kind == "sqlite" else SecretStr(request.getfixturevalue("database_url"))
    shared = Shared(Settings(_env_file=None, library=tmp_path / "library", database_url=url))
    listed = shared.of("local").tracks
    rows = [
        {"owner": "local", "id": f"{letter}{number}", "title": name, "artist": name, "album": "", "source": "file",
         "created_at": 0.0, "updated_at": 0.0}
        for number, name in enumerate(NAMES) for letter in "aB"
    ]  # fmt: skip
    with shared.database.write() as connection:
        connection.execute(insert(tracks), rows)
    ordered = [
        "100%",
        "_under",
        "ánfora",
        "Apple",
        "eagle",
        "ÉCLAIR",
        "Émile",
        "öl\\",
        "Straße",
        "über alles",
        "Ünïcode",
        "Zoë",
    ]
    for sort in ("title", "artist"):
        assert [track.title for track in listed.page(sort=sort)][::2] == ordered
        assert [track.title for track in listed.page(sort=f"-{sort}")][::2] == ordered[::-1]
    assert [track.id for track in listed.page(sort="title", limit=2)] == ["B10", "a10"]
    assert len(listed.page(sort="duration")) == 24
    searches = {
        "ünï": ["Ünïcode"], "UNICODE": ["Ünïcode"], "strasse": ["Straße"], "%": ["100%"], "_": ["_under"], "\\": ["öl\\"],
        "EA": ["eagle"], "a10": ["100%"], "é": [name for name in ordered if set("eëéÉ") & set(name)], "nobody": [],
    }  # fmt: skip
    for search, found in searches.items():
        assert list(dict.fromkeys(track.title for track in listed.page(search=search, sort="title"))) == found
    if kind == "postgresql":
        with shared.database.read() as connection:
            rules = text(
                "SELECT DISTINCT collation_name FROM information_schema.columns WHERE column_name = ANY(:keys)"
            )
            assert list(connection.scalars(rules, {"keys": ["title_key", "artist_key", "words"]})) == ["C"]
    shared.close()
