"""the first schema."""

from alembic import op
import sqlalchemy as sa

revision = '0001'
down_revision = None


def upgrade() -> None:
    op.create_table('audio',
    sa.Column('owner', sa.String(length=64), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('path', sa.String(length=255), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('duration', sa.Float(), nullable=False),
    sa.Column('sample_rate', sa.Integer(), nullable=False),
    sa.Column('channels', sa.Integer(), nullable=False),
    sa.Column('codec', sa.String(length=64), nullable=False),
    sa.Column('container', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('owner', 'hash', name=op.f('pk_audio'))
    )
    op.create_table('jobs',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('owner', sa.String(length=64), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('track_id', sa.String(length=64), nullable=True),
    sa.Column('status', sa.String(length=16), nullable=False),
    sa.Column('progress', sa.Integer(), nullable=False),
    sa.Column('stage', sa.String(length=255), nullable=False),
    sa.Column('options', sa.JSON(), nullable=False),
    sa.Column('settings', sa.JSON(), nullable=False),
    sa.Column('then', sa.JSON(), nullable=False),
    sa.Column('fingerprint', sa.String(length=64), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('lease_until', sa.Float(), nullable=False),
    sa.Column('holder', sa.String(length=255), nullable=True),
    sa.Column('task', sa.String(length=128), nullable=True),
    sa.Column('cancel_requested', sa.Boolean(), nullable=False),
    sa.Column('error', sa.String(length=2000), nullable=True),
    sa.Column('code', sa.String(length=64), nullable=True),
    sa.Column('output_path', sa.String(length=255), nullable=True),
    sa.Column('result', sa.JSON(), nullable=True),
    sa.Column('created_at', sa.Float(), nullable=False),
    sa.Column('started_at', sa.Float(), nullable=True),
    sa.Column('completed_at', sa.Float(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_jobs'))
    )
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_jobs_owner_kind_track_id_created_at'), ['owner', 'kind', 'track_id', 'created_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_jobs_status_created_at'), ['status', 'created_at'], unique=False)
        batch_op.create_index('uq_jobs_running', ['owner', 'fingerprint'], unique=True, sqlite_where=sa.text("status IN ('queued', 'processing')"), postgresql_where=sa.text("status IN ('queued', 'processing')"))

    op.create_table('stem_sets',
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('owner', sa.String(length=64), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('folder', sa.String(length=255), nullable=False),
    sa.Column('model', sa.String(length=255), nullable=False),
    sa.Column('precision', sa.String(length=16), nullable=False),
    sa.Column('preview', sa.Boolean(), nullable=False),
    sa.Column('options', sa.JSON(), nullable=False),
    sa.Column('stems', sa.JSON(), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('notices', sa.JSON(), nullable=False),
    sa.Column('seconds', sa.Float(), nullable=False),
    sa.Column('created_at', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['owner', 'hash'], ['audio.owner', 'audio.hash'], name=op.f('fk_stem_sets_audio')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stem_sets'))
    )
    with op.batch_alter_table('stem_sets', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_stem_sets_owner_hash_key'), ['owner', 'hash', 'key'], unique=True)

    op.create_table('tracks',
    sa.Column('owner', sa.String(length=64), nullable=False),
    sa.Column('id', sa.String(length=64), nullable=False),
    sa.Column('title', sa.String(length=1000), nullable=False),
    sa.Column('artist', sa.String(length=1000), nullable=False),
    sa.Column('album', sa.String(length=1000), nullable=False),
    sa.Column('artwork_url', sa.String(length=2000), nullable=True),
    sa.Column('source', sa.String(length=64), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=True),
    sa.Column('created_at', sa.Float(), nullable=False),
    sa.Column('updated_at', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['owner', 'hash'], ['audio.owner', 'audio.hash'], name=op.f('fk_tracks_audio')),
    sa.PrimaryKeyConstraint('owner', 'id', name=op.f('pk_tracks'))
    )
    with op.batch_alter_table('tracks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_tracks_owner_created_at'), ['owner', 'created_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_tracks_owner_hash'), ['owner', 'hash'], unique=False)

    op.create_table('analyses',
    sa.Column('owner', sa.String(length=64), nullable=False),
    sa.Column('track_id', sa.String(length=64), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('document', sa.JSON(), nullable=False),
    sa.Column('created_at', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['owner', 'track_id'], ['tracks.owner', 'tracks.id'], name=op.f('fk_analyses_tracks'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('owner', 'track_id', name=op.f('pk_analyses'))
    )
    op.create_table('track_stems',
    sa.Column('owner', sa.String(length=64), nullable=False),
    sa.Column('track_id', sa.String(length=64), nullable=False),
    sa.Column('set_id', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['owner', 'track_id'], ['tracks.owner', 'tracks.id'], name=op.f('fk_track_stems_tracks'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['set_id'], ['stem_sets.id'], name=op.f('fk_track_stems_stem_sets'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('owner', 'track_id', 'set_id', name=op.f('pk_track_stems'))
    )
    with op.batch_alter_table('track_stems', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_track_stems_set_id'), ['set_id'], unique=False)


