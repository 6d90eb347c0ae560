"""What a full listing did not show, and what is known to exist."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, func, null, select

from tajo.sync.ledger.store import Tx
from tajo.sync.ledger.tables import customers, known, orders, subscribers
from tajo.sync.model import Resource


async def unmet(
    tx: Tx, connector: str, resource: Resource, since: float
) -> tuple[dict[int, bytes | None], int]:
    """What is known but was not read since then, and how many are known.

    By id the fingerprint that was told last of a thing that is told by itself, None of all else. Archived
    orders need not show in lists, and are known to be.
    """
    table, *where = _known(resource)
    if table is None:
        return {}, 0
    all_of_them = [table.c.connector == connector, *where]
    total = await tx.scalar(select(func.count()).select_from(table).where(*all_of_them)) or 0
    told = table.c.fingerprint if table is known else null()
    rows = await tx.execute(
        select(table.c.id, told).where(*all_of_them, table.c.read_at < since).order_by(table.c.id)
    )
    return {row[0]: row[1] for row in rows}, total


def _known(resource: Resource) -> tuple[Any, *tuple[ColumnElement[bool], ...]]:
    match resource:
        case Resource.CUSTOMERS:
            return (customers,)
        case Resource.SUBSCRIBERS:
            return (subscribers,)
        case Resource.ORDERS:
            return orders, orders.c.archived.is_not(True)
        case Resource.PRODUCTS | Resource.CATEGORIES:
            return known, known.c.resource == resource
        case _:
            return (None,)
