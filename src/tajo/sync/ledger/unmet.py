"""What is known, and what of it a full listing did not show."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, func, null, select

from tajo.sync.ledger.store import Tx
from tajo.sync.ledger.tables import customers, known, orders, subscribers
from tajo.sync.model import Resource


async def unmet(
    tx: Tx, connector: str, resource: Resource, since: float
) -> tuple[dict[int, bytes | None], int]:
    """What is known but was not read since then, as `recall` tells it, and how many are known.

    Archived orders need not show in lists, and are known to be.
    """
    table, *where = _known(resource)
    if table is None:
        return {}, 0
    all_of_them = [table.c.connector == connector, *where]
    total = await tx.scalar(select(func.count()).select_from(table).where(*all_of_them)) or 0
    rows = await tx.execute(_told(table).where(*all_of_them, table.c.read_at < since).order_by(table.c.id))
    return {row[0]: row[1] for row in rows}, total


async def recall(tx: Tx, connector: str, resource: Resource, ids: Collection[int]) -> dict[int, bytes | None]:
    """Those of these ids that are known; of what cannot be listed, none.

    With the fingerprint that was told last of a thing that is told by itself, None of all else.
    """
    table, *where = _known(resource)
    if table is None:
        return {}
    rows = await tx.execute(
        _told(table).where(table.c.connector == connector, *where, table.c.id.in_(list(ids)))
    )
    return {row[0]: row[1] for row in rows}


def _told(table: Any) -> Any:
    return select(table.c.id, table.c.fingerprint if table is known else null())


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
