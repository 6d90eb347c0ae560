"""What is denied by too many to be believed at once is looked at a second time."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What waits was not denied so far."""
    op.add_column("due", sa.Column("denied_at", sa.Double(), nullable=True))
