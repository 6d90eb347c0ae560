"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "connectors",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("live_since", sa.Double(), nullable=False),
        sa.Column("rules", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("connector"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "contacts",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("told", sa.String(length=16), nullable=True),
        sa.Column("blocked_by_us", sa.Boolean(), nullable=False),
        sa.Column("present", sa.Boolean(), nullable=False),
        sa.Column("met_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("connector", "person"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cursors",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=16), nullable=False),
        sa.Column("since", sa.Double(), nullable=True),
        sa.Column("run", sa.String(length=32), nullable=True),
        sa.Column("started_at", sa.Double(), nullable=True),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "resource"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "customers",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("storefront", sa.Integer(), nullable=False),
        sa.Column("modified_at", sa.Double(), nullable=False),
        sa.Column("read_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("customers_by_person", "customers", ["connector", "person"], unique=False)
    op.create_table(
        "due",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=16), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("queued_at", sa.Double(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "resource", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "guests",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("resource", sa.String(length=16), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("read_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "person"),
        sqlite_with_rowid=False,
    )
    op.create_index("guests_by_key", "guests", ["connector", "resource", "id"], unique=False)
    op.create_table(
        "known",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=16), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("read_at", sa.Double(), nullable=False),
        sa.Column("parent", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("connector", "resource", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "orders",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("storefront", sa.Integer(), nullable=False),
        sa.Column("status_id", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("placed_at", sa.Double(), nullable=False),
        sa.Column("read_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("orders_by_customer_id", "orders", ["connector", "customer_id"], unique=False)
    op.create_index("orders_by_person", "orders", ["connector", "person"], unique=False)
    op.create_table(
        "parked",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=16), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("last", sa.Double(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "resource", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "phones",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("phone", sa.LargeBinary(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "phone"),
        sqlite_with_rowid=False,
    )
    op.create_index("phones_by_person", "phones", ["connector", "person"], unique=False)
    op.create_table(
        "refunds",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("refunds_by_order_id", "refunds", ["connector", "order_id"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("rules", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_index("runs_by_connector", "runs", ["connector", "started_at"], unique=False)
    op.create_table(
        "subscribers",
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=False),
        sa.Column("storefront", sa.Integer(), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("read_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("subscribers_by_person", "subscribers", ["connector", "person"], unique=False)
