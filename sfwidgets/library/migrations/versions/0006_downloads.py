"""What Spotify says of tracks, downloads and batches of them, and what shall follow a download."""

from alembic import op
import sqlalchemy as sa

revision = '0006'
down_revision = '0005'


def upgrade() -> None:
    op.add_column('tracks', sa.Column('isrc', sa.String(length=32)))
    op.add_column('tracks', sa.Column('release_date', sa.String(length=10)))
    op.add_column('tracks', sa.Column('explicit', sa.Boolean()))
    op.add_column('tracks', sa.Column('popularity', sa.Integer()))
    op.create_index('ix_tracks_isrc', 'tracks', ['owner', 'isrc'], unique=False,
                    sqlite_where=sa.text('isrc IS NOT NULL'), postgresql_where=sa.text('isrc IS NOT NULL'))
    op.add_column('jobs', sa.Column('parent', sa.String(length=64)))
    op.add_column('jobs', sa.Column('waits', sa.Integer(), nullable=False, server_default='0'))
    op.add_column('jobs', sa.Column('not_before', sa.Float()))
    op.add_column('jobs', sa.Column('paused', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(op.f('ix_jobs_parent_status'), 'jobs', ['parent', 'status'], unique=False)
    op.create_table(
        'wishes',
        sa.Column('owner', sa.String(length=64), nullable=False),
        sa.Column('track_id', sa.String(length=64), nullable=False),
        sa.Column('then', sa.JSON(), nullable=False),
        sa.Column('options', sa.JSON(), nullable=False),
        sa.Column('created_at', sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint('owner', 'track_id', name=op.f('pk_wishes')),
    )
    op.create_table(
        'metadata_cache',
        sa.Column('key', sa.String(length=255), nullable=False),
        sa.Column('document', sa.JSON(), nullable=False),
        sa.Column('expires_at', sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint('key', name=op.f('pk_metadata_cache')),
    )
    op.create_index(op.f('ix_metadata_cache_expires_at'), 'metadata_cache', ['expires_at'], unique=False)
