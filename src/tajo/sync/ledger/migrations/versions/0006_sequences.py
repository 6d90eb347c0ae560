"""Sequences of skills, and what was done in them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "sequences",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("skill", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=16), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("began", sa.Double(), nullable=False),
        sa.Column("due", sa.Double(), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "skill", "resource", "id", "person"),
        sqlite_with_rowid=False,
    )
    op.create_index("sequences_due", "sequences", ["connector", "due"], unique=False)
    op.create_index("sequences_by_person", "sequences", ["connector", "person"], unique=False)
    op.create_table(
        "rounds",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("skill", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "skill"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "deeds",
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("skill", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=16), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("verb", sa.String(length=32), nullable=False),
        sa.Column("variant", sa.String(length=64), nullable=False),
        sa.Column("marketing", sa.Boolean(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )
    op.add_column("contacts", sa.Column("abandoned", sa.Boolean(), nullable=True))
    op.add_column("outgoing", sa.Column("abandoned", sa.Boolean(), nullable=True))
    op.create_index("deeds_by_person", "deeds", ["person", "at"], unique=False)
