"""How the tables came to be, one file per step; applied by Alembic whenever a ledger is opened."""
