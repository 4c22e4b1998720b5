"""Chaos has a PostgreSQL server of its own, which it kills."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from services.postgres import Postgres

sys.path.append(str(Path(__file__).parents[1] / "jobs"))


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that rounds may kill; it runs again after each."""
    # Not in pytest's own folder: any other run of pytest closes that to the account that the server runs as.
    with tempfile.TemporaryDirectory(prefix="sf-postgres-", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder) / "data")
        yield server
        server.stop()
