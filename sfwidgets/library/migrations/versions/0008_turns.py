"""Whose turn it is, among the jobs of several owners."""

from alembic import op
import sqlalchemy as sa

revision = '0008'
down_revision = '0007'


def upgrade() -> None:
    op.add_column('jobs', sa.Column('turn', sa.Integer(), nullable=False, server_default='0'))
    unfinished = sa.text("status IN ('queued', 'processing')")
    op.create_index('ix_jobs_turns', 'jobs', ['owner', 'kind', 'parent', 'turn'], unique=False,
                    sqlite_where=unfinished, postgresql_where=unfinished)
