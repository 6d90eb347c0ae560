"""What is asked about one person by somebody who looks; the machine itself asks nothing of this."""

from __future__ import annotations

from sqlalchemy import func, select

from tajo.sync.ledger.carts import ABANDONED, OPEN, RETURNED
from tajo.sync.ledger.sequences import DONE
from tajo.sync.ledger.store import Tx
from tajo.sync.ledger.tables import carts, deeds, orders


async def sent_at(tx: Tx, person: bytes, since: float) -> list[float]:
    """When marketing messages went to somebody since then, of all connectors."""
    d = deeds.c
    query = select(d.at).where(d.person == person, d.at > since, d.marketing, d.state == DONE)
    return list(await tx.scalars(query.order_by(d.at)))


async def newest_cart(tx: Tx, connector: str, person: bytes) -> str:
    """The UUID of the cart that somebody touched last, of those that are there; empty if none is known."""
    c = carts.c
    query = (
        select(c.uuid)
        .where(c.connector == connector, c.person == person, c.state.in_((OPEN, ABANDONED, RETURNED)))
        .order_by(c.updated_at.desc())
        .limit(1)
    )
    return (await tx.scalar(query)) or ""


async def newest_order(tx: Tx, connector: str, person: bytes) -> int:
    """The newest order that was billed to somebody; 0 if none is known."""
    o = orders.c
    query = select(func.max(o.id)).where(o.connector == connector, o.person == person)
    return (await tx.scalar(query)) or 0
