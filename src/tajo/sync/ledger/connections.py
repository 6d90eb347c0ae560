"""Stores that were connected at run time, and their credentials, sealed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select

from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Tx, upsert
from tajo.sync.ledger.tables import connections


async def put(tx: Tx, secret: Secret, connector: str, credentials: dict[str, Any], now: float) -> None:
    """Keep the credentials of a connector, instead of those that are kept."""
    sealed = secret.seal(credentials, name_of(connector))
    await upsert(tx, connections, [{"connector": connector, "sealed": sealed, "at": now}])


async def all_of(tx: Tx, secret: Secret) -> dict[str, dict[str, Any]]:
    """The credentials of each connector. Raises `Mend` if the secret is not the one that sealed them."""
    rows = await tx.execute(select(connections.c.connector, connections.c.sealed))
    return {name: secret.unseal(sealed, name_of(name), dict[str, Any]) for name, sealed in rows}


async def remove(tx: Tx, connector: str) -> None:
    """Forget the credentials of a connector."""
    await tx.execute(delete(connections).where(connections.c.connector == connector))


def name_of(connector: str) -> bytes:
    """Under which name they are sealed."""
    return b"connection:" + connector.encode()
