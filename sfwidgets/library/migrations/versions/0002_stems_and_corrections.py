"""What is measured of stems, and what a person says instead."""

from alembic import op
import sqlalchemy as sa

revision = '0002'
down_revision = '0001'


def upgrade() -> None:
    op.create_table('corrections',
    sa.Column('owner', sa.String(length=64), nullable=False),
    sa.Column('track_id', sa.String(length=64), nullable=False),
    sa.Column('document', sa.JSON(), nullable=False),
    sa.Column('updated_at', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['owner', 'track_id'], ['tracks.owner', 'tracks.id'], name=op.f('fk_corrections_tracks'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('owner', 'track_id', name=op.f('pk_corrections'))
    )
    op.create_table('stem_analyses',
    sa.Column('set_id', sa.String(length=64), nullable=False),
    sa.Column('owner', sa.String(length=64), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('document', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['set_id'], ['stem_sets.id'], name=op.f('fk_stem_analyses_stem_sets'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('set_id', name=op.f('pk_stem_analyses'))
    )
