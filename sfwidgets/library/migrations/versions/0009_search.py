"""Searching a large library does not read all of it."""

from alembic import op
import sqlalchemy as sa

revision = '0009'
down_revision = '0008'

LIVE = sa.text('trashed_at IS NULL')
TRASHED = sa.text('trashed_at IS NOT NULL')


def upgrade() -> None:
    op.drop_index('ix_tracks_trashed', 'tracks')
    op.create_index('ix_tracks_trashed', 'tracks', ['owner', 'trashed_at'], unique=False,
                    sqlite_where=TRASHED, postgresql_where=TRASHED)
    if op.get_bind().dialect.name == 'sqlite':
        op.create_index('ix_tracks_words', 'tracks', ['owner', 'words', 'id'], unique=False, sqlite_where=LIVE)
        return
    op.create_index('ix_tracks_live', 'tracks', ['owner', 'id'], unique=False, postgresql_where=LIVE)
    if _trigrams():
        op.execute('CREATE INDEX ix_tracks_trigrams ON tracks USING gin (words gin_trgm_ops) WHERE trashed_at IS NULL')


def _trigrams() -> bool:
    """Have PostgreSQL's own extension for searching text; where that may not be had, a search reads all names."""
    connection = op.get_bind()
    try:
        with connection.begin_nested():
            connection.execute(sa.text('CREATE EXTENSION IF NOT EXISTS pg_trgm'))
    except sa.exc.DBAPIError:
        return False
    return True
