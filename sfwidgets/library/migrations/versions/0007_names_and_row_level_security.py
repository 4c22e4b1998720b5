"""How names are found and sorted, the same on all databases; and, on PostgreSQL, nobody reads another's rows."""

from alembic import op
import sqlalchemy as sa

from sfwidgets.library.names import track_keys

revision = '0007'
down_revision = '0006'

OWNED = (
    'audio', 'tracks', 'stem_sets', 'track_stems', 'analyses', 'stem_analyses', 'corrections', 'mixes', 'jobs', 'wishes',
)
GUARDED = (*OWNED, 'metadata_cache', 'alembic_version')
MINE = "owner = (SELECT nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub')"

BATCH = 1000


def upgrade() -> None:
    _keys()
    if op.get_bind().dialect.name == 'postgresql':
        _guard()


def _keys() -> None:
    for name in ('title_key', 'artist_key'):
        key = sa.String(100).with_variant(sa.String(100, collation='C'), 'postgresql')
        op.add_column('tracks', sa.Column(name, key, nullable=False, server_default=''))
    words = sa.Text().with_variant(sa.Text(collation='C'), 'postgresql')
    op.add_column('tracks', sa.Column('words', words, nullable=False, server_default=''))
    tracks = sa.table('tracks', *map(sa.column, ('owner', 'id', 'title', 'artist', 'album', 'title_key', 'artist_key', 'words')))
    connection = op.get_bind()
    rows = connection.execute(sa.select(tracks.c.owner, tracks.c.id, tracks.c.title, tracks.c.artist, tracks.c.album)).all()
    change = tracks.update().where(tracks.c.owner == sa.bindparam('of'), tracks.c.id == sa.bindparam('track')).values(
        {name: sa.bindparam(f'new_{name}') for name in ('title_key', 'artist_key', 'words')}
    )
    for start in range(0, len(rows), BATCH):
        connection.execute(change, [
            {'of': row.owner, 'track': row.id, **{f'new_{name}': key for name, key in track_keys(row.title, row.artist, row.album).items()}}
            for row in rows[start:start + BATCH]
        ])
    op.create_index('ix_tracks_title', 'tracks', ['owner', 'title_key', 'id'], unique=False)
    op.create_index('ix_tracks_artist', 'tracks', ['owner', 'artist_key', 'id'], unique=False)


def _guard() -> None:
    """Let a signed-in user who reaches the database by himself, as through Supabase, read his own rows and no more.

    The service made the tables, and is not bound by this. Users write through the service alone, which believes what
    the rows say: where a file is, how to work on it. Supabase grants its users everything on every new table, and row-level
    security stops neither TRUNCATE nor a trigger, which would run as the service.
    """
    roles = op.get_bind().scalars(sa.text("SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated')"))
    users = ', '.join(['PUBLIC', *roles])
    for table in GUARDED:
        op.execute(f'ALTER TABLE {table} ENABLE ROW LEVEL SECURITY')
        op.execute(f'REVOKE INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON {table} FROM {users}')
    for table in OWNED:
        op.execute(f'CREATE POLICY owner_reads ON {table} FOR SELECT USING ({MINE})')
