"""Alembic's entry: it runs within the transaction that `open_ledger` has begun."""

from alembic import context

from tajo.sync.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
