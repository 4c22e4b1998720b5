"""The tables. Every row has an owner, but for what services tell everybody; times are seconds since the epoch, in UTC."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)

from sfwidgets.library.names import KEY_LENGTH, track_keys

SEARCH_INDEXES = ("ix_tracks_words", "ix_tracks_live", "ix_tracks_trigrams")
"""Each database has its own; migration 0009 makes them."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _key(name: str) -> Any:
    """Return what makes a key of a track's names where a row is inserted without it."""

    def made(context: Any) -> str:
        row = context.get_current_parameters()
        return track_keys(row["title"], row["artist"], row["album"])[name]

    return made


SORT_KEY = String(KEY_LENGTH).with_variant(String(KEY_LENGTH, collation="C"), "postgresql")

audio = Table(
    "audio",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("hash", String(64), primary_key=True),
    Column("path", String(255), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("duration", Float, nullable=False),
    Column("sample_rate", Integer, nullable=False),
    Column("channels", Integer, nullable=False),
    Column("codec", String(64), nullable=False),
    Column("container", String(64), nullable=False),
    Column("artwork", Boolean),
    Column("created_at", Float, nullable=False),
    Index(None, "owner", "duration", "size"),
)

tracks = Table(
    "tracks",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("title", String(1000), nullable=False),
    Column("artist", String(1000), nullable=False),
    Column("album", String(1000), nullable=False),
    Column("artwork_url", String(2000)),
    Column("source", String(64), nullable=False),
    Column("isrc", String(32)),
    Column("release_date", String(10)),
    Column("explicit", Boolean),
    Column("popularity", Integer),
    Column("hash", String(64)),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("trashed_at", Float),
    Column("title_key", SORT_KEY, nullable=False, default=_key("title_key")),
    Column("artist_key", SORT_KEY, nullable=False, default=_key("artist_key")),
    Column(
        "words",
        Text().with_variant(Text(collation="C"), "postgresql"),
        nullable=False,
        default=_key("words"),
    ),
    ForeignKeyConstraint(["owner", "hash"], ["audio.owner", "audio.hash"]),
    Index(None, "owner", "created_at"),
    Index(None, "owner", "hash"),
    Index("ix_tracks_title", "owner", "title_key", "id"),
    Index("ix_tracks_artist", "owner", "artist_key", "id"),
    Index(
        "ix_tracks_isrc",
        "owner",
        "isrc",
        sqlite_where=text("isrc IS NOT NULL"),
        postgresql_where=text("isrc IS NOT NULL"),
    ),
    Index(
        "ix_tracks_trashed",
        "owner",
        "trashed_at",
        sqlite_where=text("trashed_at IS NOT NULL"),
        postgresql_where=text("trashed_at IS NOT NULL"),
    ),
)

stem_sets = Table(
    "stem_sets",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("key", String(64), nullable=False),
    Column("folder", String(255), nullable=False),
    Column("model", String(255), nullable=False),
    Column("precision", String(16), nullable=False),
    Column("preview", Boolean, nullable=False),
    Column("options", JSON, nullable=False),
    Column("stems", JSON, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("notices", JSON, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    ForeignKeyConstraint(["owner", "hash"], ["audio.owner", "audio.hash"]),
    Index(None, "owner", "hash", "key", unique=True),
    Index(None, "owner", "size"),
)

track_stems = Table(
    "track_stems",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("track_id", String(64), primary_key=True),
    Column("set_id", String(64), primary_key=True),
    Column("created_at", Float, nullable=False),
    ForeignKeyConstraint(["owner", "track_id"], ["tracks.owner", "tracks.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["set_id"], ["stem_sets.id"], ondelete="CASCADE"),
    Index(None, "set_id"),
)

analyses = Table(
    "analyses",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("track_id", String(64), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("document", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    ForeignKeyConstraint(["owner", "track_id"], ["tracks.owner", "tracks.id"], ondelete="CASCADE"),
)

stem_analyses = Table(
    "stem_analyses",
    metadata,
    Column("set_id", String(64), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("document", JSON, nullable=False),
    ForeignKeyConstraint(["set_id"], ["stem_sets.id"], ondelete="CASCADE"),
)

corrections = Table(
    "corrections",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("track_id", String(64), primary_key=True),
    Column("document", JSON, nullable=False),
    Column("updated_at", Float, nullable=False),
    ForeignKeyConstraint(["owner", "track_id"], ["tracks.owner", "tracks.id"], ondelete="CASCADE"),
)

mixes = Table(
    "mixes",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("track_id", String(64), primary_key=True),
    Column("document", JSON, nullable=False),
    Column("updated_at", Float, nullable=False),
    ForeignKeyConstraint(["owner", "track_id"], ["tracks.owner", "tracks.id"], ondelete="CASCADE"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("track_id", String(64)),
    Column("parent", String(64)),
    Column("status", String(16), nullable=False),
    Column("progress", Integer, nullable=False),
    Column("stage", String(255), nullable=False),
    Column("options", JSON, nullable=False),
    Column("settings", JSON, nullable=False),
    Column("then", JSON, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("lease_until", Float, nullable=False),
    Column("holder", String(255)),
    Column("task", String(128)),
    Column("cancel_requested", Boolean, nullable=False),
    Column("error", String(2000)),
    Column("code", String(64)),
    Column("output_path", String(255)),
    Column("result", JSON),
    Column("waits", Integer, nullable=False, server_default="0"),
    Column("not_before", Float),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("turn", Integer, nullable=False, server_default="0"),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("completed_at", Float),
    Index(None, "owner", "kind", "track_id", "created_at"),
    Index(None, "status", "created_at"),
    Index(None, "owner", "status", "kind"),
    Index(None, "owner", "completed_at"),
    Index(None, "completed_at"),
    Index(None, "parent", "status"),
    Index(
        "ix_jobs_turns",
        "owner",
        "kind",
        "parent",
        "turn",
        sqlite_where=text("status IN ('queued', 'processing')"),
        postgresql_where=text("status IN ('queued', 'processing')"),
    ),
    Index(
        "uq_jobs_running",
        "owner",
        "fingerprint",
        unique=True,
        sqlite_where=text("status IN ('queued', 'processing')"),
        postgresql_where=text("status IN ('queued', 'processing')"),
    ),
)

wishes = Table(
    "wishes",
    metadata,
    Column("owner", String(64), primary_key=True),
    Column("track_id", String(64), primary_key=True),
    Column("then", JSON, nullable=False),
    Column("options", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
)

metadata_cache = Table(
    "metadata_cache",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("document", JSON, nullable=False),
    Column("expires_at", Float, nullable=False),
    Index(None, "expires_at"),
)
