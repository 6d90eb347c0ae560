"""What a full listing did not show."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, func, select

from tajo.sync.ledger.store import Tx
from tajo.sync.ledger.tables import customers, known, orders, subscribers
from tajo.sync.model import Resource


async def unmet(tx: Tx, connector: str, resource: Resource, since: float) -> tuple[list[int], int]:
    """The ids that are known but were not read since then, and how many are known.

    Archived orders need not show in lists, and are known to be.
    """
    table, *where = _known(resource)
    if table is None:
        return [], 0
    all_of_them = [table.c.connector == connector, *where]
    total = await tx.scalar(select(func.count()).select_from(table).where(*all_of_them)) or 0
    ids = await tx.scalars(
        select(table.c.id).where(*all_of_them, table.c.read_at < since).order_by(table.c.id)
    )
    return list(ids), total


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
