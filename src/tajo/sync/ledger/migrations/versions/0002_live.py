"""What waits to be told, and what following a store live needs to remember."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.add_column("orders", sa.Column("modified_at", sa.Double(), nullable=True))
    op.add_column("orders", sa.Column("placed", sa.Boolean(), nullable=True))
    op.add_column("orders", sa.Column("archived", sa.Boolean(), nullable=True))
    op.create_table(
        "outgoing",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=16), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "resource", "name"),
        sqlite_with_rowid=False,
    )
    op.create_index("outgoing_by_lane", "outgoing", ["connector", "resource", "lane"], unique=False)
    op.create_table(
        "stocks",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=16), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stock", sa.Integer(), nullable=True),
        sa.Column("read_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "resource", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "goods",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("image", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "carts",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=True),
        sa.Column("read_at", sa.Double(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("connector", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("carts_by_person", "carts", ["connector", "person"], unique=False)
    op.create_table(
        "heard",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=128), nullable=False),
        sa.Column("notices", sa.BigInteger(), nullable=False),
        sa.Column("happened_at", sa.Double(), nullable=False),
        sa.Column("heard_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "scope"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "forgotten",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "person"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "departed",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "person"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tallies",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "name"),
        sqlite_with_rowid=False,
    )
