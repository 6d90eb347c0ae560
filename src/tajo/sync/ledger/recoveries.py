"""Carts that were made anew when somebody followed a recovery link, and of which cart the link was."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select

from tajo.sync.ledger.store import Tx, upsert
from tajo.sync.ledger.tables import recoveries


async def note(tx: Tx, connector: str, cart: int, origin: int, at: float) -> None:
    """A link of the cart `origin` was followed at that moment, and the cart `cart` was made.

    `cart` is `origin` where the store itself makes one that we do not know. The link of a cart that was
    made anew leads back to the first of them all.
    """
    first = (await origin_of(tx, connector, [origin])).get(origin, origin)
    row = {
        "connector": connector,
        "id": first if cart == origin else cart,
        "origin": first,
        "clicked_at": at,
    }
    await upsert(tx, recoveries, [row])


async def origin_of(tx: Tx, connector: str, ids: Collection[int]) -> dict[int, int]:
    """Those of these carts that were made anew, with the cart that each of them brings back."""
    r = recoveries.c
    query = select(r.id, r.origin).where(r.connector == connector, r.id.in_(list(ids)), r.id != r.origin)
    return {row[0]: row[1] for row in await tx.execute(query)}


async def clicks(tx: Tx, connector: str, origins: Collection[int]) -> dict[int, float]:
    """When a link of these carts was last followed (seconds since 1970), of those where one ever was."""
    r = recoveries.c
    query = (
        select(r.origin, func.max(r.clicked_at))
        .where(r.connector == connector, r.origin.in_(list(origins)))
        .group_by(r.origin)
    )
    return {row[0]: row[1] for row in await tx.execute(query)}
