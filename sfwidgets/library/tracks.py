"""Tracks and the audio behind them, as rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import Connection, Row, Select, delete, exists, func, insert, or_, select, update

from sfwidgets.errors import ConflictError, InvalidInputError, NotFoundError
from sfwidgets.library.database import Database
from sfwidgets.library.limits import check_storage
from sfwidgets.library.names import name_key, track_keys
from sfwidgets.library.postgres import hold_owner
from sfwidgets.library.schema import analyses, audio, jobs, stem_sets, track_stems, tracks
from sfwidgets.models import AudioInfo, Limits, Track, one_line

SORTS = {
    "created": tracks.c.created_at,
    "title": tracks.c.title_key,
    "artist": tracks.c.artist_key,
    "duration": func.coalesce(audio.c.duration, -1.0),
}

FEW = 500
"""Of so many tracks at most, a search is made once and their ids are kept, rather than made for each thing asked."""


@dataclass(frozen=True)
class Page:
    """Some of the tracks, and how many there are in all."""

    items: list[Track]
    total: int

    def __iter__(self) -> Iterator[Track]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Track:
        return self.items[index]

    def _repr_html_(self) -> str:
        return "".join(t._repr_html_() for t in self.items) + f"<p>{len(self.items)} of {self.total}</p>"


@dataclass(frozen=True)
class StoredAudio:
    """An audio file in the store."""

    hash: str
    """SHA-256 of its bytes."""
    path: str
    """Its stored name."""
    size: int
    info: AudioInfo
    artwork: bool
    """Whether it carries a picture."""

    KEPT: ClassVar = ("duration", "sample_rate", "channels", "codec", "container")
    """What is kept of `info`."""

    def row(self) -> dict[str, Any]:
        """Return the columns that tell of it."""
        row = {"hash": self.hash, "path": self.path, "size": self.size, "artwork": self.artwork}
        return row | self.info.model_dump(include=set(self.KEPT))


class Tracks:
    """The tracks of one owner; another owner's are not there."""

    def __init__(self, database: Database, owner: str, limits: Limits) -> None:
        self._database = database
        self._owner = owner
        self._limits = limits

    def put(
        self,
        connection: Connection,
        track_id: str,
        stored: StoredAudio,
        *,
        found: dict[str, Any],
        given: dict[str, str],
        replace: bool = False,
        known: bool = False,
    ) -> None:
        """Insert a track and its audio, unless they are there, within a transaction that is open.

        `found` is what the file, or a service, says of it, for a new track; `given` is what a person says, which always
        holds. A track that was in the trash is restored. Raises `ConflictError` where the id belongs to a track with
        other audio, unless that is to be replaced; `NotFoundError` where the audio is not `known`, as it should be;
        `QuotaError`.
        """
        hold_owner(connection, self._owner)
        now = time.time()
        row = connection.execute(select(tracks).where(*self._is(track_id, trashed=None))).first()
        if row is not None and row.hash not in (None, stored.hash) and not replace:
            where = "library already" if row.trashed_at is None else "trash"
            raise ConflictError(
                f"Track {track_id} is in the {where}, with other audio. Choose another id, or delete that one for "
                "good first.",
                code="track_exists",
            )
        there = select(audio.c.hash).where(audio.c.owner == self._owner, audio.c.hash == stored.hash)
        if connection.execute(there).first() is None:
            if known:
                raise NotFoundError("That audio has just been deleted.", code="audio_missing")
            check_storage(connection, self._limits, self._owner, stored.size)
            connection.execute(insert(audio), {"owner": self._owner, "created_at": now, **stored.row()})
        if row is None:
            new = {"owner": self._owner, "id": track_id, "hash": stored.hash, "created_at": now, "updated_at": now}
            connection.execute(insert(tracks), {**new, **found, **given})
        elif row.hash != stored.hash or given or row.trashed_at is not None:
            changed = {"hash": stored.hash, "trashed_at": None, "updated_at": now, **_renamed(row, given)}
            connection.execute(update(tracks).where(*self._is(track_id, trashed=None)).values(**changed))

    def get(self, track_id: str) -> Track:
        """Return one track; raises `NotFoundError` where it is not there, in the trash, or not this owner's."""
        with self._database.read() as connection:
            return self._get(connection, track_id)

    def page(self, *, search: str = "", sort: str = "-created", limit: int = 50, offset: int = 0) -> Page:
        """Return a page of tracks whose title, artist or album contains `search`, whatever its case, or whose id it is.

        `sort` is one of created, title, artist, duration; a leading `-` turns it round.
        """
        column = SORTS.get(sort.lstrip("-"))
        if column is None or not 1 <= limit <= 1000 or offset < 0:
            raise InvalidInputError(
                f"Tracks are sorted by one of {', '.join(SORTS)} (with '-' for descending), in pages of 1 to 1000."
            )
        where = [tracks.c.owner == self._owner, tracks.c.trashed_at.is_(None)]
        if search:
            named = tracks.c.words.contains(name_key(search), autoescape=True)
            where.append(or_(tracks.c.id == one_line(search), named))
        order = column.desc() if sort.startswith("-") else column.asc()
        with self._database.read() as connection:
            if search:
                found = list(connection.scalars(select(tracks.c.id).where(*where).limit(FEW + 1)))
                if len(found) <= FEW:
                    where = [*where[:2], tracks.c.id.in_(found)]
            total = connection.scalar(select(func.count()).select_from(tracks).where(*where)) or 0
            query = self._select().where(*where).order_by(order, tracks.c.id).limit(limit).offset(offset)
            return Page([_track(row) for row in connection.execute(query)], total)

    def audio_name(self, content_hash: str) -> str | None:
        """Return the stored name of the audio with that content, None where there is none."""
        mine = (audio.c.owner == self._owner, audio.c.hash == content_hash)
        with self._database.read() as connection:
            name: str | None = connection.scalar(select(audio.c.path).where(*mine))
        return name

    def edit(self, track_id: str, fields: dict[str, str]) -> Track:
        """Set title, artist or album."""
        with self._database.write() as connection:
            hold_owner(connection, self._owner)
            track = self._get(connection, track_id)
            changed = {"updated_at": time.time(), **_renamed(track, fields)}
            connection.execute(update(tracks).where(*self._is(track_id)).values(**changed))
            return self._get(connection, track_id)

    def audio_path(self, track_id: str) -> str:
        """Return the stored name of a track's audio; raises `NotFoundError` where it has none."""
        query = (
            select(audio.c.path)
            .join(tracks, (tracks.c.owner == audio.c.owner) & (tracks.c.hash == audio.c.hash))
            .where(*self._is(track_id))
        )
        with self._database.read() as connection:
            path: str | None = connection.scalar(query)
        if path is None:
            raise NotFoundError("Track file not found. Download the track first.", code="audio_missing")
        return path

    def delete(self, track_id: str) -> tuple[list[str], str | None]:
        """Delete a track, its analysis and its hold on stems and audio.

        Returns the folders of stems and the content hash of the audio that nobody holds any longer. Raises
        `ConflictError` while a job works on the track.
        """
        with self._database.write() as connection:
            hold_owner(connection, self._owner)
            track = self._get(connection, track_id)
            self._check_idle(connection, track_id)
            return self._delete(connection, track_id, track.content_hash)

    def trash(self, track_id: str) -> None:
        """Hide a track, so that it can still be had back; raises `NotFoundError`."""
        with self._database.write() as connection:
            self._get(connection, track_id)
            connection.execute(update(tracks).where(*self._is(track_id)).values(trashed_at=time.time()))

    def stored(self, *, track_id: str | None = None, isrc: str | None = None) -> StoredAudio | None:
        """Return the audio of a track, in the trash or not, or of the oldest track of the recording of that code."""
        wanted = tracks.c.id == track_id if isrc is None else tracks.c.isrc == isrc
        same = (tracks.c.owner == audio.c.owner) & (tracks.c.hash == audio.c.hash)
        query = select(audio).join(tracks, same).where(tracks.c.owner == self._owner, wanted)
        with self._database.read() as connection:
            row = connection.execute(query.order_by(tracks.c.created_at).limit(1)).first()
        if row is None:
            return None
        info = AudioInfo.model_validate({name: getattr(row, name) for name in StoredAudio.KEPT})
        return StoredAudio(row.hash, row.path, row.size, info, bool(row.artwork))

    def restore(self, track_id: str) -> Track:
        """Have a track back from the trash; one that is not in it stays as it is. Raises `NotFoundError`."""
        with self._database.write() as connection:
            connection.execute(update(tracks).where(*self._is(track_id, trashed=True)).values(trashed_at=None))
            return self._get(connection, track_id)

    def trashed(self, content_hash: str) -> str | None:
        """Return the id of the track with that audio that was trashed last; None where one with it is not in the trash."""
        query = (
            select(tracks.c.id, tracks.c.trashed_at)
            .where(tracks.c.owner == self._owner, tracks.c.hash == content_hash)
            .order_by(tracks.c.trashed_at.is_(None).desc(), tracks.c.trashed_at.desc())
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None or row.trashed_at is None else row.id

    def purge(self, before: float) -> list[tuple[list[str], str | None]]:
        """Delete the tracks that were trashed before that moment, but none that a job works on; returns as `delete` does."""
        busy = exists().where(
            jobs.c.owner == tracks.c.owner, jobs.c.track_id == tracks.c.id, jobs.c.status.in_(("queued", "processing"))
        )
        old = (tracks.c.owner == self._owner) & (tracks.c.trashed_at < before) & ~busy
        with self._database.write() as connection:
            hold_owner(connection, self._owner)
            rows = connection.execute(select(tracks.c.id, tracks.c.hash).where(old)).all()
            return [self._delete(connection, row.id, row.hash) for row in rows]

    def delete_stems(self, track_id: str) -> list[str]:
        """Delete a track's stems and keep the rest; returns the folders that nobody holds any longer."""
        with self._database.write() as connection:
            hold_owner(connection, self._owner)
            self._get(connection, track_id)
            self._check_idle(connection, track_id)
            return self._drop_stems(connection, track_id)

    def _drop_stems(self, connection: Connection, track_id: str) -> list[str]:
        held = (track_stems.c.owner == self._owner, track_stems.c.track_id == track_id)
        mine = set(connection.scalars(select(track_stems.c.set_id).where(*held)))
        connection.execute(delete(track_stems).where(*held))
        unheld = stem_sets.c.id.in_(mine) & ~exists().where(track_stems.c.set_id == stem_sets.c.id)
        return list(connection.scalars(delete(stem_sets).where(unheld).returning(stem_sets.c.folder)))

    def _delete(self, connection: Connection, track_id: str, content_hash: str | None) -> tuple[list[str], str | None]:
        folders = self._drop_stems(connection, track_id)
        connection.execute(delete(tracks).where(*self._is(track_id, trashed=None)))
        same = (audio.c.owner == self._owner, audio.c.hash == content_hash)
        held = exists().where(tracks.c.owner == audio.c.owner, tracks.c.hash == audio.c.hash)
        return folders, connection.scalar(delete(audio).where(*same, ~held).returning(audio.c.hash))

    def _check_idle(self, connection: Connection, track_id: str) -> None:
        running = exists().where(
            jobs.c.owner == self._owner, jobs.c.track_id == track_id, jobs.c.status.in_(("queued", "processing"))
        )
        if connection.scalar(select(running)):
            raise ConflictError(
                "A job is working on this track. Cancel it, or wait until it has ended, then delete.", code="in_use"
            )

    def _is(self, track_id: str, *, trashed: bool | None = False) -> tuple[Any, ...]:
        """Return what tells a track's row; `trashed` None takes it wherever it is."""
        row = (tracks.c.owner == self._owner, tracks.c.id == track_id)
        if trashed is None:
            return row
        return *row, tracks.c.trashed_at.is_not(None) if trashed else tracks.c.trashed_at.is_(None)

    def _get(self, connection: Connection, track_id: str) -> Track:
        row = connection.execute(self._select().where(tracks.c.id == track_id)).first()
        if row is None:
            raise NotFoundError(f"There is no track {track_id} in the library.", code="track_not_found")
        return _track(row)

    def _select(self) -> Select[Any]:
        same = (tracks.c.owner == audio.c.owner) & (tracks.c.hash == audio.c.hash)
        has_stems = exists().where(track_stems.c.owner == tracks.c.owner, track_stems.c.track_id == tracks.c.id)
        has_analysis = exists().where(analyses.c.owner == tracks.c.owner, analyses.c.track_id == tracks.c.id)
        return (
            select(
                tracks,
                audio.c.duration,
                audio.c.sample_rate,
                audio.c.channels,
                audio.c.artwork,
                has_stems.label("has_stems"),
                has_analysis.label("has_analysis"),
            )
            .select_from(tracks.outerjoin(audio, same))
            .where(tracks.c.owner == self._owner, tracks.c.trashed_at.is_(None))
        )


def track_fields(title: str | None = None, artist: str | None = None, album: str | None = None) -> dict[str, str]:
    """Return what a person says of a track, each on one line; raises `InvalidInputError` for what can't be kept."""
    given = {"title": title, "artist": artist, "album": album}
    fields = {name: one_line(value) for name, value in given.items() if value is not None}
    if fields.get("title") == "":
        raise InvalidInputError("A title can't be empty.")
    if any(len(value) > 1000 for value in fields.values()):
        raise InvalidInputError("A title, an artist and an album have at most 1000 characters each.")
    return fields


def _renamed(track: Track | Row[Any], fields: dict[str, str]) -> dict[str, str]:
    """Return what changes in the row of a track that is named otherwise."""
    if not fields:
        return {}
    names = {name: fields.get(name, getattr(track, name)) for name in ("title", "artist", "album")}
    return {**fields, **track_keys(**names)}


def owners_of_trash(database: Database) -> list[str]:
    """Return the owners who have tracks in the trash."""
    with database.read() as connection:
        return list(connection.scalars(select(tracks.c.owner).where(tracks.c.trashed_at.is_not(None)).distinct()))


def moment(seconds: float) -> datetime:
    """Return seconds since the epoch as a moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _track(row: Row[Any]) -> Track:
    return Track(
        id=row.id,
        owner=row.owner,
        title=row.title,
        artist=row.artist,
        album=row.album,
        artwork_url=row.artwork_url,
        source=row.source,
        content_hash=row.hash,
        duration=row.duration,
        sample_rate=row.sample_rate,
        channels=row.channels,
        isrc=row.isrc,
        release_date=row.release_date,
        explicit=row.explicit,
        popularity=row.popularity,
        has_artwork=bool(row.artwork),
        created_at=moment(row.created_at),
        updated_at=moment(row.updated_at),
        has_stems=bool(row.has_stems),
        has_analysis=bool(row.has_analysis),
    )
