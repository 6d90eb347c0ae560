"""Carts that somebody told us of, and how they were when we last looked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct
from sqlalchemy import delete, select, update

from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Row, Tx, upsert
from tajo.sync.ledger.tables import cart_lines, carts
from tajo.sync.model import Cart

OPEN, ABANDONED, VANISHED, BOUGHT, GONE = "open", "abandoned", "vanished", "bought", "gone"

#: It had been left behind before it was touched again, or vanished.
RETURNED, MISSING = "returned", "missing"

#: What was left behind once: if it is bought, it is recovered.
LEFT = frozenset({ABANDONED, RETURNED, MISSING})

#: What nobody need look at any more.
ENDED = frozenset({BOUGHT, GONE})


class CartFacts(Struct, frozen=True):
    """What is remembered of a cart. `sealed`: the cart as it was last seen, if it was somebody's."""

    uuid: str
    person: bytes
    state: str
    amount: int
    updated_at: float | None
    read_at: float
    sealed: bytes | None


async def recall(tx: Tx, connector: str, ids: Collection[int]) -> dict[int, CartFacts]:
    """What is known of these carts; those that nobody named are missing."""
    c = carts.c
    rows = await tx.execute(
        select(c.id, c.uuid, c.person, c.state, c.amount, c.updated_at, c.read_at, c.sealed).where(
            c.connector == connector, c.id.in_(list(ids))
        )
    )
    return {row[0]: CartFacts(*row[1:]) for row in rows}


def as_seen(secret: Secret, cart: int, sealed: bytes) -> Cart:
    """A cart as it was last seen. Raises `Mend` if the secret is not the one that sealed it."""
    return secret.unseal(sealed, name_of(cart), Cart)


def name_of(cart: int) -> bytes:
    """Under which a cart is sealed."""
    return b"cart:%d" % cart


async def remember(tx: Tx, connector: str, rows: Iterable[Row]) -> None:
    """Note carts: full rows of the table without its connector."""
    await upsert(tx, carts, [{"connector": connector, **row} for row in rows])


async def named(tx: Tx, connector: str, uuids: Mapping[int, str]) -> None:
    """Somebody named these carts: id to UUID. What is known of them stays."""
    blank = {"person": b"", "state": OPEN, "amount": 0, "updated_at": None, "read_at": 0.0, "sealed": None}
    rows = [{"connector": connector, "id": id_, "uuid": uuid, **blank} for id_, uuid in uuids.items()]
    await upsert(tx, carts, rows, overwrite=())


async def bought(tx: Tx, connector: str, ids: Collection[int]) -> dict[int, CartFacts]:
    """These carts became orders. Returns as what they were known, but for those bought already."""
    before = await recall(tx, connector, ids)
    fresh = {id_: facts for id_, facts in before.items() if facts.state != BOUGHT}
    c = carts.c
    await tx.execute(
        update(carts).where(c.connector == connector, c.id.in_(list(fresh))).values(state=BOUGHT, sealed=None)
    )
    line = cart_lines.c
    await tx.execute(delete(cart_lines).where(line.connector == connector, line.cart.in_(list(fresh))))
    return fresh
