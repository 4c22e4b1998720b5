"""How tracks are heard, as rows."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import exists, select

from sfwidgets.errors import NotFoundError
from sfwidgets.library.database import Database, put_row
from sfwidgets.library.postgres import hold_owner
from sfwidgets.library.schema import mixes, tracks
from sfwidgets.models import Mix


class Mixes:
    """The mixes of one owner's tracks."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner

    def get(self, track_id: str) -> Mix:
        """Return what was kept for a track, the default where nothing was."""
        with self._database.read() as connection:
            document = connection.scalar(select(mixes.c.document).where(*self._of(track_id)))
        return Mix() if document is None else Mix.model_validate(document)

    def put(self, track_id: str, mix: Mix) -> None:
        """Keep a mix for a track, in place of what was kept; raises `NotFoundError`."""
        with self._database.write() as connection:
            hold_owner(connection, self._owner)
            there = exists().where(tracks.c.owner == self._owner, tracks.c.id == track_id)
            if not connection.scalar(select(there)):
                raise NotFoundError(f"There is no track {track_id} in the library.", code="track_not_found")
            values = {"document": mix.to_json(), "updated_at": time.time()}
            put_row(connection, mixes, {"owner": self._owner, "track_id": track_id}, values)

    def _of(self, track_id: str) -> tuple[Any, Any]:
        return mixes.c.owner == self._owner, mixes.c.track_id == track_id
