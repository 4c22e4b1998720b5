"""Whether an audio file carries a picture; not known of what was added before."""

from alembic import op
import sqlalchemy as sa

revision = '0005'
down_revision = '0004'


def upgrade() -> None:
    op.add_column('audio', sa.Column('artwork', sa.Boolean()))
