"""Prices as they were last seen, and which carts hold what."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct
from sqlalchemy import delete, select

from tajo.sync.ledger.carts import ABANDONED, OPEN, RETURNED
from tajo.sync.ledger.store import Tx, upsert
from tajo.sync.ledger.tables import cart_lines, carts, prices
from tajo.sync.model import Key

#: Carts that may still be bought.
BUYABLE = (OPEN, ABANDONED, RETURNED)


class Holder(Struct, frozen=True):
    """A cart of somebody's that holds a product. `sealed`: the cart as it was last seen."""

    product: int
    variant: int
    cart: int
    person: bytes
    sealed: bytes


async def recall(tx: Tx, connector: str, keys: Collection[Key]) -> dict[Key, int]:
    """The prices of these as they were last seen, in ten-thousandths; those never seen are missing."""
    found: dict[Key, int] = {}
    p = prices.c
    for resource in {key.resource for key in keys}:
        ids = [key.id for key in keys if key.resource == resource]
        rows = await tx.execute(
            select(p.id, p.price).where(p.connector == connector, p.resource == resource, p.id.in_(ids))
        )
        found |= {Key(resource, id_): price for id_, price in rows}
    return found


async def remember(tx: Tx, connector: str, seen: Mapping[Key, int], read_at: float) -> None:
    """Note prices, in ten-thousandths."""
    rows = [
        {"connector": connector, "resource": key.resource, "id": key.id, "price": price, "read_at": read_at}
        for key, price in seen.items()
    ]
    await upsert(tx, prices, rows)


async def holders(tx: Tx, connector: str, products: Collection[int]) -> list[Holder]:
    """Somebody's carts that hold these products and may still be bought, the one touched last first."""
    c, line = carts.c, cart_lines.c
    query = (
        select(line.product, line.variant, c.id, c.person, c.sealed)
        .join(carts, (c.connector == line.connector) & (c.id == line.cart))
        .where(
            line.connector == connector,
            line.product.in_(list(products)),
            c.state.in_(BUYABLE),
            c.sealed.is_not(None),
        )
        .order_by(c.updated_at.desc(), c.id)
    )
    return [Holder(*row) for row in await tx.execute(query)]


async def hold(tx: Tx, connector: str, held: Mapping[int, Collection[tuple[int, int]]]) -> None:
    """What these carts hold now: product and variant, nothing if they have ended."""
    if not held:
        return
    line = cart_lines.c
    await tx.execute(delete(cart_lines).where(line.connector == connector, line.cart.in_(list(held))))
    rows = [
        {"connector": connector, "cart": cart, "product": product, "variant": variant}
        for cart, lines in held.items()
        for product, variant in lines
    ]
    await upsert(tx, cart_lines, rows, overwrite=())
