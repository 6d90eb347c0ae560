"""What is on its way, or may still take effect."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make room for it."""
    op.add_column("known", sa.Column("unsettled_at", sa.Double(), nullable=True))
    op.add_column("outgoing", sa.Column("blocked", sa.Boolean(), nullable=True))
    op.add_column("outgoing", sa.Column("granted", sa.Boolean(), nullable=True))
    op.add_column("outgoing", sa.Column("leaves", sa.LargeBinary(), nullable=True))
    few = sa.text("leaves IS NOT NULL")
    op.create_index(
        "outgoing_leaving",
        "outgoing",
        ["connector", "leaves"],
        unique=False,
        sqlite_where=few,
        postgresql_where=few,
    )
