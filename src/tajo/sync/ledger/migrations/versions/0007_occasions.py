"""One sequence for each occasion, and who agreed to mails about carts."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COLUMNS = "connector, skill, resource, id, person, step, began, due, event, sealed"


def upgrade() -> None:
    """The key of a table cannot be changed everywhere, so the sequences move into another one."""
    op.add_column("subscribers", sa.Column("carts_granted", sa.Boolean(), nullable=True))
    op.drop_index("sequences_due", "sequences")
    op.drop_index("sequences_by_person", "sequences")
    op.rename_table("sequences", "sequences_before")
    op.create_table(
        "sequences",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("skill", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=16), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("occasion", sa.String(length=64), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("began", sa.Double(), nullable=False),
        sa.Column("due", sa.Double(), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "skill", "resource", "id", "person", "occasion"),
        sqlite_with_rowid=False,
    )
    op.execute(
        f"INSERT INTO sequences ({COLUMNS}, occasion) "  # noqa: S608 - nothing in it comes from outside
        f"SELECT {COLUMNS}, CASE WHEN resource IN ('orders', 'products') THEN event ELSE '' END "
        "FROM sequences_before"
    )
    op.drop_table("sequences_before")
    op.create_index("sequences_due", "sequences", ["connector", "due"], unique=False)
    op.create_index("sequences_by_person", "sequences", ["connector", "person"], unique=False)
