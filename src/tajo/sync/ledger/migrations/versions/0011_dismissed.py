"""A failure that cannot be mended can be dismissed."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing was dismissed so far."""
    op.add_column("parked", sa.Column("dismissed_at", sa.Double(), nullable=True))
