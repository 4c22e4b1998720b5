"""`make supabase-check`: what docs/supabase.md promises, tried on a real project, whose credentials the environment gives.

    SUPABASE_URL, SUPABASE_SERVICE_KEY   Storage: up, down, signed, listed, removed, in a folder of its own; and the keys of
                                         the project's sign-in
    DATABASE_URL                         if it is set: the schema, and that no row is seen without a user's claims

Ends with 0 where all is right, 1 where something is not, 2 where there is nothing to try it on.
"""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from sqlalchemy import inspect, text
from sqlalchemy.exc import SQLAlchemyError

from sfwidgets.errors import NotFoundError, SoundForgeError
from sfwidgets.library import Shared
from sfwidgets.library.supabase_storage import PART, SupabaseStorage
from sfwidgets.settings import Settings

NEEDED = ("SUPABASE_URL", "SUPABASE_SERVICE_KEY")
UNGUARDED = "SELECT relname FROM pg_class WHERE relname = ANY(:tables) AND relkind = 'r' AND NOT relrowsecurity"
Check = tuple[str, Callable[[], str]]


class WrongError(Exception):
    """Something is not as it must be."""


def main() -> int:
    """Try everything, and print what is right and what is not."""
    lacking = [name for name in NEEDED if not os.environ.get(name)]
    if lacking:
        print(
            f"Nothing was tried. Set {' and '.join(lacking)}: a Supabase project shows them under Settings, API keys."
        )
        print("Set DATABASE_URL, too, to try its database. docs/supabase.md says more.")
        return 2
    settings = Settings()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for called, check in [*_storage(settings, Path(folder)), *_signing_in(settings), *_database(settings)]:
            try:
                print(f"✓ {called}: {check()}")
            except (WrongError, SoundForgeError, httpx.HTTPError, SQLAlchemyError) as error:
                wrong += 1
                print(f"✗ {called}: {str(error).splitlines()[0]}")
    print("All is right." if not wrong else f"{wrong} of these are not right.")
    return 1 if wrong else 0


def _storage(settings: Settings, folder: Path) -> Iterator[Check]:
    key = settings.supabase_service_key
    assert settings.supabase_url is not None
    assert key is not None
    storage = SupabaseStorage(settings.supabase_url, key.get_secret_value(), settings.storage_bucket)
    prefix = f"check/{uuid.uuid4().hex}"
    files = {"small.mp3": os.urandom(1000), "large.flac": os.urandom(PART + 12345)}

    def up() -> str:
        for name, content in files.items():
            (folder / name).write_bytes(content)
            storage.upload(folder / name, f"{prefix}/{name}")
        return f"{len(files)} files into the bucket {storage.bucket}, one of them in parts"

    def listed() -> str:
        sizes = {found.name: found.size for found in storage.objects(prefix)}
        _same(sizes, {f"{prefix}/{name}": len(content) for name, content in files.items()})
        return "with their sizes"

    def down() -> str:
        for name, content in files.items():
            storage.download(f"{prefix}/{name}", folder / "got")
            _same((folder / "got").read_bytes() == content, True)
        return "byte for byte"

    def signed() -> str:
        address = storage.signed_url(f"{prefix}/large.flac", 60)
        got = httpx.get(address, headers={"Range": "bytes=1000-1999", "Origin": "https://example.org"})
        _same((got.status_code, got.content), (206, files["large.flac"][1000:2000]))
        _same(got.headers.get("Content-Type"), "audio/flac")
        _same(got.headers.get("Access-Control-Allow-Origin") in ("*", "https://example.org"), True)
        return "a range of it, from another origin, without a key"

    def private() -> str:
        base = f"{str(settings.supabase_url).rstrip('/')}/storage/v1/object"
        for address in (
            f"{base}/public/{storage.bucket}/{prefix}/small.mp3",
            f"{base}/{storage.bucket}/{prefix}/small.mp3",
        ):
            _same(httpx.get(address).status_code >= 400, True)
        return "nobody gets a file without a signed address"

    def removed() -> str:
        storage.remove([f"{prefix}/{name}" for name in files])
        _same([found.name for found in storage.objects(prefix)], [])
        try:
            storage.download(f"{prefix}/small.mp3", folder / "gone")
        except NotFoundError:
            return "and gone"
        raise WrongError("it can still be got")

    steps = {"upload": up, "listing": listed, "download": down, "signed address": signed, "privacy": private}
    yield from steps.items()
    yield "removal", removed


def _signing_in(settings: Settings) -> Iterator[Check]:
    def keys() -> str:
        answer = httpx.get(f"{str(settings.supabase_url).rstrip('/')}/auth/v1/.well-known/jwks.json").raise_for_status()
        found = [key.get("alg", key.get("kty")) for key in answer.json()["keys"]]
        if not found and settings.supabase_jwt_secret is None:
            raise WrongError(
                "the project signs with a secret alone: set SUPABASE_JWT_SECRET, or rotate to signing keys"
            )
        return f"the project signs with {', '.join(found) or 'SUPABASE_JWT_SECRET'}"

    yield "sign-in", keys


def _database(settings: Settings) -> Iterator[Check]:
    if settings.database_url is None:
        return

    def policies() -> str:
        shared = Shared(settings)
        try:
            if shared.database.engine.dialect.name != "postgresql":
                raise WrongError("DATABASE_URL is no PostgreSQL")
            with shared.database.write() as connection:
                tables = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
                open_ones = connection.scalars(text(UNGUARDED), {"tables": tables}).all()
                _same((open_ones, "tracks" in tables), ([], True))
                connection.execute(text("SET LOCAL ROLE authenticated"))
                claims = {"claims": f'{{"sub": "{uuid.uuid4()}", "role": "authenticated"}}'}
                connection.execute(text("SELECT set_config('request.jwt.claims', :claims, true)"), claims)
                for table in tables:
                    if connection.scalar(text("SELECT has_table_privilege(:name, 'SELECT')"), {"name": table}):
                        _same((table, connection.scalar(text(f"SELECT count(*) FROM {table}"))), (table, 0))
            return f"the schema is the newest, with {len(tables)} tables; a stranger sees no row"
        finally:
            shared.close()

    yield "database", policies


def _same(found: object, expected: object) -> None:
    if found != expected:
        raise WrongError(f"found {str(found)[:100]}, not {str(expected)[:100]}")


if __name__ == "__main__":
    sys.exit(main())
