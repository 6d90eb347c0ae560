"""Prices, what lies in carts, and who waits for what is sold out."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _table("cart_lines", *(_id(name) for name in ("cart", "product", "variant")))
    op.create_index("cart_lines_by_product", "cart_lines", ["connector", "product"])
    _table(
        "prices",
        sa.Column("resource", sa.String(16), primary_key=True),
        _id("id"),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.Double(), nullable=False),
    )
    _table(
        "wishes",
        sa.Column("person", sa.LargeBinary(), primary_key=True),
        _id("product"),
        _id("variant"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("handed_on", sa.Boolean(), nullable=False),
    )
    for column in ("product", "at", "handed_on"):
        op.create_index(f"wishes_by_{column}", "wishes", ["connector", column])


def _table(name: str, *columns: Any) -> None:
    op.create_table(
        name, sa.Column("connector", sa.String(64), primary_key=True), *columns, sqlite_with_rowid=False
    )


def _id(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger(), primary_key=True, autoincrement=False)
