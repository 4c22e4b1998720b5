"""What figures are counted in."""

from alembic import op
import sqlalchemy as sa

revision = '0004'
down_revision = '0003'


def upgrade() -> None:
    op.create_index(op.f('ix_audio_owner_duration_size'), 'audio', ['owner', 'duration', 'size'], unique=False)
    op.create_index(op.f('ix_stem_sets_owner_size'), 'stem_sets', ['owner', 'size'], unique=False)
    op.create_index('ix_tracks_trashed', 'tracks', ['owner', 'id'], unique=False,
                    sqlite_where=sa.text('trashed_at IS NOT NULL'), postgresql_where=sa.text('trashed_at IS NOT NULL'))
    op.create_index(op.f('ix_jobs_owner_status_kind'), 'jobs', ['owner', 'status', 'kind'], unique=False)
    op.create_index(op.f('ix_jobs_owner_completed_at'), 'jobs', ['owner', 'completed_at'], unique=False)
    op.create_index(op.f('ix_jobs_completed_at'), 'jobs', ['completed_at'], unique=False)
