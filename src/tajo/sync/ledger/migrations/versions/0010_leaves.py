"""Who left at the destination is freed by a consent that was given since the store knew of it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody's leave was noted so far, nor when the store had held no consent."""
    op.add_column("contacts", sa.Column("left_at", sa.Double(), nullable=True))
    op.add_column("subscribers", sa.Column("withheld_at", sa.Double(), nullable=True))
