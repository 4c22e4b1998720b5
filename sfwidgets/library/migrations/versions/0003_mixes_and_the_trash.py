"""How a track is heard, and tracks that were deleted and can still be had back."""

from alembic import op
import sqlalchemy as sa

revision = '0003'
down_revision = '0002'


def upgrade() -> None:
    op.create_table('mixes',
    sa.Column('owner', sa.String(length=64), nullable=False),
    sa.Column('track_id', sa.String(length=64), nullable=False),
    sa.Column('document', sa.JSON(), nullable=False),
    sa.Column('updated_at', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['owner', 'track_id'], ['tracks.owner', 'tracks.id'], name=op.f('fk_mixes_tracks'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('owner', 'track_id', name=op.f('pk_mixes'))
    )
    op.add_column('tracks', sa.Column('trashed_at', sa.Float(), nullable=True))
