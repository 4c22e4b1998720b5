"""What jobs made of tracks, as rows: sets of stems, and analyses."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, func, insert, select

from sfwidgets.analysis import VERSION
from sfwidgets.errors import ConflictError, NotFoundError
from sfwidgets.library.database import Database, put_row
from sfwidgets.library.limits import check_storage
from sfwidgets.library.postgres import hold_owner
from sfwidgets.library.schema import analyses, audio, corrections, stem_analyses, stem_sets, track_stems, tracks
from sfwidgets.library.tracks import moment
from sfwidgets.models import Analysis, Corrections, Limits, SeparationOptions, Stem, StemAnalysis, StemSet


class StemsExistError(ConflictError):
    """Two jobs made the same stems at the same time; those of the first are kept."""

    code = "stems_exist"


class Results:
    """The stems and analyses of one owner's tracks."""

    def __init__(self, database: Database, owner: str, limits: Limits) -> None:
        self._database = database
        self._owner = owner
        self._limits = limits

    def stem_sets(self, track_id: str) -> list[StemSet]:
        """Return the sets of stems of a track, the newest first."""
        query = (
            select(stem_sets)
            .join(track_stems, track_stems.c.set_id == stem_sets.c.id)
            .where(track_stems.c.owner == self._owner, track_stems.c.track_id == track_id)
            .order_by(track_stems.c.created_at.desc())
        )
        with self._database.read() as connection:
            return [_stem_set(row) for row in connection.execute(query)]

    def find_stems(self, content_hash: str, key: str) -> StemSet | None:
        """Return the set of stems that was made of the same audio in the same way, if there is one."""
        query = select(stem_sets).where(
            stem_sets.c.owner == self._owner, stem_sets.c.hash == content_hash, stem_sets.c.key == key
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _stem_set(row)

    def forget_stems(self, set_id: str) -> None:
        """Delete the row of a set of stems whose files have gone."""
        with self._database.write() as connection:
            hold_owner(connection, self._owner)
            connection.execute(delete(stem_sets).where(stem_sets.c.id == set_id, stem_sets.c.owner == self._owner))

    def add_stems(self, connection: Connection, stem_set: StemSet, *, content_hash: str, key: str, folder: str) -> None:
        """Insert a set of stems, within the transaction that completes its job.

        Raises `QuotaError`, `StemsExistError` where another job has made the same of the same audio meanwhile, and
        `ConflictError` where that audio has gone.
        """
        hold_owner(connection, self._owner)
        same = exists().where(
            stem_sets.c.owner == self._owner, stem_sets.c.hash == content_hash, stem_sets.c.key == key
        )
        if connection.scalar(select(same)):
            raise StemsExistError("These stems have just been made by another job.")
        there = exists().where(audio.c.owner == self._owner, audio.c.hash == content_hash)
        if not connection.scalar(select(there)):
            raise ConflictError("The track was deleted while it was being separated.", code="track_deleted")
        size = sum(stem.size for stem in stem_set.stems)
        check_storage(connection, self._limits, self._owner, size)
        values = stem_set.model_dump(mode="json")
        connection.execute(
            insert(stem_sets).values(
                id=stem_set.id,
                owner=self._owner,
                hash=content_hash,
                key=key,
                folder=folder,
                model=stem_set.model,
                precision=stem_set.precision,
                preview=stem_set.preview,
                options=values["options"],
                stems=values["stems"],
                size=size,
                notices=stem_set.notices,
                seconds=stem_set.seconds,
                created_at=stem_set.created_at.timestamp(),
            )
        )

    def link_stems(self, connection: Connection, track_id: str, set_id: str) -> bool:
        """Make a set of stems the newest of a track; False where the set, or the track, has gone since."""
        hold_owner(connection, self._owner)
        there = select(
            exists().where(stem_sets.c.id == set_id, stem_sets.c.owner == self._owner)
            & exists().where(tracks.c.owner == self._owner, tracks.c.id == track_id)
        )
        if not connection.scalar(there):
            return False
        held = {"owner": self._owner, "track_id": track_id, "set_id": set_id}
        put_row(connection, track_stems, held, {"created_at": time.time()})
        return True

    def analysis(self, track_id: str) -> Analysis | None:
        """Return the newest analysis of a track, with its newest stems' and what a person said; None without one."""
        found = self._analysis_row(analyses.c.track_id == track_id)
        if found is None:
            return None
        newest = self.stem_sets(track_id)[:1]
        stems = self.stem_analyses(newest[0].id) if newest else None
        measured = Analysis.model_validate(found.document)
        told = [] if found.version >= VERSION else ["An earlier version measured less than this one. Analyse it again."]
        return measured.model_copy(
            update={
                "stems": stems or {},
                "corrections": self.corrections(track_id),
                "notices": measured.notices + told,
            }
        )

    def find_analysis(self, content_hash: str, version: int) -> Analysis | None:
        """Return an analysis that was made of the same audio by the same version, if there is one."""
        found = self._analysis_row((analyses.c.hash == content_hash) & (analyses.c.version == version))
        return None if found is None else Analysis.model_validate(found.document)

    def put_analysis(self, connection: Connection, analysis: Analysis, *, content_hash: str, version: int) -> None:
        """Make an analysis its track's newest, within the transaction that completes its job.

        Raises `ConflictError` where the track has gone since.
        """
        hold_owner(connection, self._owner)
        there = exists().where(tracks.c.owner == self._owner, tracks.c.id == analysis.track_id)
        if not connection.scalar(select(there)):
            raise ConflictError("The track was deleted while it was being analysed.", code="track_deleted")
        values = {
            "hash": content_hash, "version": version, "document": analysis.to_json(),
            "created_at": analysis.analyzed_at.timestamp(),
        }  # fmt: skip
        put_row(connection, analyses, {"owner": self._owner, "track_id": analysis.track_id}, values)

    def stem_analyses(self, set_id: str, version: int | None = None) -> dict[str, StemAnalysis] | None:
        """Return what was measured of a set's stems, by name; None where nothing was, or not by that version."""
        mine = (stem_analyses.c.set_id == set_id) & (stem_analyses.c.owner == self._owner)
        if version is not None:
            mine &= stem_analyses.c.version == version
        with self._database.read() as connection:
            document = connection.scalar(select(stem_analyses.c.document).where(mine))
        return None if document is None else {k: StemAnalysis.model_validate(v) for k, v in document.items()}

    def put_stem_analyses(
        self, connection: Connection, set_id: str, stems: dict[str, StemAnalysis], *, version: int
    ) -> None:
        """Keep what was measured of a set's stems, within the transaction that completes its job.

        Where the set has gone since, nothing is kept.
        """
        hold_owner(connection, self._owner)
        mine = (stem_sets.c.id == set_id) & (stem_sets.c.owner == self._owner)
        if not connection.scalar(select(exists().where(mine))):
            return
        document = {name: stem.to_json() for name, stem in stems.items()}
        values = {"owner": self._owner, "version": version, "document": document}
        put_row(connection, stem_analyses, {"set_id": set_id}, values)

    def corrections(self, track_id: str) -> Corrections | None:
        """Return what a person said of a track instead of what was measured; None where nothing was said."""
        with self._database.read() as connection:
            document = connection.scalar(select(corrections.c.document).where(*self._said_of(track_id)))
        return None if document is None else Corrections.model_validate(document)

    def put_corrections(self, track_id: str, said: dict[str, Any]) -> None:
        """Change what a person says of a track, field by field; a field that is None is said no more.

        Raises `NotFoundError` where the track has gone.
        """
        with self._database.write() as connection:
            hold_owner(connection, self._owner)
            held = connection.scalar(select(corrections.c.document).where(*self._said_of(track_id))) or {}
            document = {name: value for name, value in {**held, **said}.items() if value is not None}
            if not document:
                connection.execute(delete(corrections).where(*self._said_of(track_id)))
                return
            there = exists().where(tracks.c.owner == self._owner, tracks.c.id == track_id)
            if not connection.scalar(select(there)):
                raise NotFoundError(f"There is no track {track_id} in the library.", code="track_not_found")
            values = {"document": document, "updated_at": time.time()}
            put_row(connection, corrections, {"owner": self._owner, "track_id": track_id}, values)

    def _said_of(self, track_id: str) -> tuple[Any, Any]:
        return corrections.c.owner == self._owner, corrections.c.track_id == track_id

    def sizes(self, track_id: str) -> tuple[int, int]:
        """Return the bytes of a track's stems on disk and of its analysis in the database."""
        held = (track_stems.c.owner == self._owner) & (track_stems.c.track_id == track_id)
        stems = (
            select(func.coalesce(func.sum(stem_sets.c.size), 0))
            .join(track_stems, track_stems.c.set_id == stem_sets.c.id)
            .where(held)
        )
        with self._database.read() as connection:
            stem_bytes = int(connection.scalar(stems) or 0)
        analysis = self.analysis(track_id)
        return stem_bytes, 0 if analysis is None else len(analysis.model_dump_json())

    def _analysis_row(self, where: Any) -> Row[Any] | None:
        query = select(analyses).where(analyses.c.owner == self._owner, where).order_by(analyses.c.created_at.desc())
        with self._database.read() as connection:
            return connection.execute(query.limit(1)).first()


def _stem_set(row: Row[Any]) -> StemSet:
    return StemSet(
        id=row.id,
        model=row.model,
        precision=row.precision,
        preview=row.preview,
        notices=row.notices,
        options=SeparationOptions.model_validate(row.options),
        seconds=row.seconds,
        stems=[Stem.model_validate({**stem, "path": Path(stem["path"])}) for stem in row.stems],
        created_at=moment(row.created_at),
    )
