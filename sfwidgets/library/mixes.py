"""How tracks are heard, as rows."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import delete, insert, select

from sfwidgets.library.database import Database
from sfwidgets.library.schema import mixes
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
        """Keep a mix for a track, in place of what was kept."""
        with self._database.write() as connection:
            connection.execute(delete(mixes).where(*self._of(track_id)))
            connection.execute(
                insert(mixes).values(
                    owner=self._owner, track_id=track_id, document=mix.to_json(), updated_at=time.time()
                )
            )

    def _of(self, track_id: str) -> tuple[Any, Any]:
        return mixes.c.owner == self._owner, mixes.c.track_id == track_id
