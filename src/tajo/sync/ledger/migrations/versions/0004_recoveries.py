"""Carts that came back through a recovery link."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "recoveries",
        sa.Column("connector", sa.String(64), primary_key=True),
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("origin", sa.BigInteger(), nullable=False),
        sa.Column("clicked_at", sa.Double(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("recoveries_by_origin", "recoveries", ["connector", "origin"])
