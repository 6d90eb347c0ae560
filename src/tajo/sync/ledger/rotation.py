"""Sealing everything anew, after the secret was changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Table, literal, select, tuple_, update

from tajo.sync.ledger import connections
from tajo.sync.ledger.carts import name_of
from tajo.sync.ledger.store import Ledger
from tajo.sync.ledger.tables import carts, guests, outgoing, sequences, wishes
from tajo.sync.ledger.tables import connections as stores

AT_ONCE = 1000
"""Rows of one transaction."""

SEALED: tuple[tuple[Table, Callable[[Any], bytes]], ...] = (
    (guests, lambda row: row.person),
    (outgoing, lambda row: row.name),
    (carts, lambda row: name_of(row.id)),
    (wishes, lambda row: row.person),
    (sequences, lambda row: row.person),
    (stores, lambda row: connections.name_of(row.connector)),
)
"""Every table with something sealed, and under which name it is."""


async def rotate(ledger: Ledger) -> int:
    """Seal everything by the newest secret; returns how much was not yet. Again goes on where it ended.

    Raises `Mend` if something was sealed by none of the secrets.
    """
    return sum([await _one(ledger, table, name) for table, name in SEALED])


async def _one(ledger: Ledger, table: Table, name: Callable[[Any], bytes]) -> int:
    count, key, sealed = 0, list(table.primary_key), table.c.sealed
    last: list[Any] | None = None
    while True:
        async with ledger.begin() as tx:
            query = select(*key, sealed).where(sealed.is_not(None)).order_by(*key).limit(AT_ONCE)
            if last is not None:
                query = query.where(tuple_(*key) > tuple_(*_bound(table, last)))
            rows = (await tx.execute(query)).all()
            for row in rows:
                anew = ledger.secret.resealed(row.sealed, name(row))
                if anew is not None:
                    # as it was read: what was replaced since then is not put back
                    this = [column == getattr(row, column.name) for column in (*key, sealed)]
                    done = await tx.execute(update(table).where(*this).values(sealed=anew))
                    count += done.rowcount
        if len(rows) < AT_ONCE:
            return count
        last = [getattr(rows[-1], column.name) for column in key]


def _bound(table: Table, values: list[Any]) -> Iterator[Any]:
    """Values that know the types of the columns that they are compared with."""
    return (literal(value, column.type) for column, value in zip(table.primary_key, values, strict=True))
