"""Who asked to be forgotten: every row that leads to them goes, and their keyed hash stays as a tombstone.

What is found through a person's rows goes with them: an order's fingerprint, its refunds, and whatever is
due or parked under a number of theirs. An order of their account that was billed to another e-mail is
another person's, and stays.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, Table, delete, distinct, func, select

from tajo.sync.ledger.store import Tx, upsert
from tajo.sync.ledger.tables import (
    OTHERS,
    cart_lines,
    carts,
    connectors,
    contacts,
    customers,
    deeds,
    departed,
    due,
    guests,
    known,
    orders,
    parked,
    phones,
    recoveries,
    refunds,
    sequences,
    subscribers,
    wishes,
)
from tajo.sync.ledger.tables import forgotten as tombstones
from tajo.sync.model import Resource

#: Whose rows name a person, and under which keys something of them may be told, due or parked.
_KEYS: dict[Resource, Table] = {
    Resource.CUSTOMERS: customers,
    Resource.SUBSCRIBERS: subscribers,
    Resource.ORDERS: orders,
    Resource.GUESTS: orders,
    Resource.CARTS: carts,
}

_PERSONAL = (
    *(customers, subscribers, orders, carts, contacts, phones, guests, departed),
    *(sequences, deeds, wishes),
)


class Erased(Struct, frozen=True, kw_only=True):
    """What was known of a person. `rows`: how many went, by table.

    `told`: their orders that the destination was told of; `elsewhere`: to how many other e-mails orders
    of their accounts were billed.
    """

    rows: dict[str, int]
    told: tuple[int, ...]
    elsewhere: int


async def remember_wish(tx: Tx, names: Collection[str], person: bytes, at: float) -> None:
    """A person asked to be forgotten by these connectors, and by those to come; the first date stands."""
    rows = [{"connector": name, "person": person, "at": at} for name in sorted({*names, OTHERS})]
    await upsert(tx, tombstones, rows, overwrite=())


async def forgotten(tx: Tx, connector: str, persons: Collection[bytes]) -> set[bytes]:
    """Those of these people who asked to be forgotten."""
    t = tombstones.c
    query = select(t.person).where(t.connector.in_((connector, OTHERS)), t.person.in_(list(persons)))
    return set(await tx.scalars(query))


async def holders(tx: Tx) -> list[str]:
    """Every connector that the ledger knows, those included that the settings name no more."""
    return list(await tx.scalars(select(connectors.c.connector).order_by(connectors.c.connector)))


async def erase(tx: Tx, connector: str, person: bytes) -> Erased:
    """Let go of every row that leads to a person, but for their tombstone and what is outgoing."""
    told = await tx.scalars(
        select(known.c.id)
        .where(
            known.c.connector == connector,
            known.c.resource == Resource.ORDERS,
            known.c.id.in_(_ids(orders, connector, person)),
        )
        .order_by(known.c.id)
    )
    erased = Erased(rows={}, told=tuple(told), elsewhere=await _elsewhere(tx, connector, person))

    async def drop(table: Table, *where: ColumnElement[bool]) -> None:
        gone = await tx.execute(delete(table).where(table.c.connector == connector, *where))
        if gone.rowcount:
            erased.rows[table.name] = erased.rows.get(table.name, 0) + gone.rowcount

    await drop(refunds, refunds.c.order_id.in_(_ids(orders, connector, person)))
    await drop(cart_lines, cart_lines.c.cart.in_(_ids(carts, connector, person)))
    await drop(recoveries, recoveries.c.origin.in_(_ids(carts, connector, person)))
    for resource, owner in _KEYS.items():
        for table in (known, due, parked):
            mine = table.c.id.in_(_ids(owner, connector, person))
            await drop(table, table.c.resource == resource, mine)
    for table in _PERSONAL:
        await drop(table, table.c.person == person)
    return erased


def _ids(table: Table, connector: str, person: bytes) -> Select[Any]:
    return select(table.c.id).where(table.c.connector == connector, table.c.person == person)


async def _elsewhere(tx: Tx, connector: str, person: bytes) -> int:
    o = orders.c
    accounts = _ids(customers, connector, person)
    query = select(func.count(distinct(o.person))).where(
        o.connector == connector, o.customer_id.in_(accounts), o.person.not_in((person, b""))
    )
    return await tx.scalar(query) or 0
