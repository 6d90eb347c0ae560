"""What the destination was told of categories, products, variants and orders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct
from sqlalchemy import delete, func, or_, select, update

from tajo.sync.ledger.store import Row, Tx, upsert
from tajo.sync.ledger.tables import goods, known, orders, refunds, stocks
from tajo.sync.model import Key, Resource


class Known(Struct, frozen=True):
    """The payload last told (as a fingerprint), and when its record was read."""

    fingerprint: bytes
    read_at: float


class OrderFacts(Struct, frozen=True):
    """What is remembered of an order: enough to see that something happened to it."""

    status_id: int
    counted: bool
    amount: int
    refunded: int
    person: bytes
    customer_id: int
    read_at: float
    modified_at: float | None
    placed: bool | None


async def recall(tx: Tx, connector: str, resource: Resource, ids: Iterable[int]) -> dict[int, Known]:
    """What was told of these ids; unknown ones are missing."""
    rows = await tx.execute(
        select(known.c.id, known.c.fingerprint, known.c.read_at).where(
            known.c.connector == connector, known.c.resource == resource, known.c.id.in_(list(ids))
        )
    )
    return {row.id: Known(row.fingerprint, row.read_at) for row in rows}


async def send_off(tx: Tx, connector: str, rows: Sequence[Row], *, now: float, since: float) -> set[Key]:
    """These are about to be told: rows of `resource, id, read_at, parent`.

    Until that is settled nobody knows what the destination holds of them. Returns those of which a write
    that left after `since` may still take effect.
    """
    c = known.c
    doubtful = set()
    for resource in {row["resource"] for row in rows}:
        ids = [row["id"] for row in rows if row["resource"] == resource]
        earlier = select(c.id).where(
            c.connector == connector, c.resource == resource, c.id.in_(ids), c.unsettled_at > since
        )
        doubtful |= {Key(resource, id_) for id_ in await tx.scalars(earlier)}
    unknown = {"connector": connector, "fingerprint": b"", "unsettled_at": now}
    await upsert(tx, known, [{**unknown, **row} for row in rows])
    return doubtful


async def remember(tx: Tx, connector: str, rows: Sequence[Row]) -> set[Key]:
    """Note what was told: rows of `resource, id, fingerprint, read_at, parent, unsettled_at`.

    Returns the keys of which something read later had been told already: nobody knows what arrived last.
    """
    overtaken = set()
    for resource in {row["resource"] for row in rows}:
        read = {row["id"]: row["read_at"] for row in rows if row["resource"] == resource}
        told = await recall(tx, connector, resource, read)
        overtaken |= {Key(resource, id_) for id_, entry in told.items() if entry.read_at > read[id_]}
    await upsert(tx, known, [{"connector": connector, **row} for row in rows])
    return overtaken


async def variants_of(tx: Tx, connector: str, products: Sequence[int]) -> dict[int, set[int]]:
    """The variants that were told of these products."""
    rows = await tx.execute(
        select(known.c.parent, known.c.id).where(
            known.c.connector == connector,
            known.c.resource == Resource.VARIANTS,
            known.c.parent.in_(products),
        )
    )
    found: dict[int, set[int]] = {}
    for row in rows:
        found.setdefault(row.parent, set()).add(row.id)
    return found


async def recall_orders(tx: Tx, connector: str, ids: Iterable[int]) -> dict[int, OrderFacts]:
    """The facts of these orders; unknown ones are missing."""
    c = orders.c
    rows = await tx.execute(
        select(
            c.id,
            c.status_id,
            c.counted,
            c.amount,
            c.refunded,
            c.person,
            c.customer_id,
            c.read_at,
            c.modified_at,
            c.placed,
        ).where(c.connector == connector, c.id.in_(list(ids)))
    )
    return {row[0]: OrderFacts(*tuple(row)[1:]) for row in rows}


async def remember_orders(tx: Tx, connector: str, rows: Iterable[Row]) -> None:
    """Note the facts of orders: rows of the table `orders` without its connector."""
    await upsert(tx, orders, [{"connector": connector, **row} for row in rows])


async def discount_orders(tx: Tx, connector: str, ids: Collection[int], read_at: float) -> None:
    """These orders do not exist any more: they count for nobody."""
    c = orders.c
    await tx.execute(
        update(orders)
        .where(c.connector == connector, c.id.in_(list(ids)))
        .values(counted=False, archived=True, read_at=read_at)
    )


async def met(tx: Tx, connector: str, resource: Resource, ids: Collection[int], read_at: float) -> None:
    """These are still there, and unchanged: note when they were read."""
    c = known.c
    await tx.execute(
        update(known)
        .where(c.connector == connector, c.resource == resource, c.id.in_(list(ids)), c.read_at < read_at)
        .values(read_at=read_at)
    )


async def recall_stocks(tx: Tx, connector: str, keys: Collection[Key]) -> dict[Key, int | None]:
    """The stock of these as it was last seen; those never seen are missing."""
    found: dict[Key, int | None] = {}
    c = stocks.c
    for resource in {key.resource for key in keys}:
        ids = [key.id for key in keys if key.resource == resource]
        rows = await tx.execute(
            select(c.id, c.stock).where(c.connector == connector, c.resource == resource, c.id.in_(ids))
        )
        found |= {Key(resource, id_): stock for id_, stock in rows}
    return found


async def remember_stocks(tx: Tx, connector: str, seen: Mapping[Key, int | None], read_at: float) -> None:
    """Note stock."""
    rows = [
        {"connector": connector, "resource": key.resource, "id": key.id, "stock": stock, "read_at": read_at}
        for key, stock in seen.items()
    ]
    await upsert(tx, stocks, rows)


async def remember_goods(tx: Tx, connector: str, shown: Mapping[int, tuple[str, str]]) -> None:
    """Note where products are shown: path and picture by id."""
    g = goods.c
    rows = [
        {"connector": connector, "id": id_, "path": path, "image": image}
        for id_, (path, image) in shown.items()
    ]
    await upsert(tx, goods, rows, when=lambda new: or_(g.path != new.path, g.image != new.image))


async def recall_goods(tx: Tx, connector: str, ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """Path and picture of these products, as far as they were ever met."""
    g = goods.c
    query = select(g.id, g.path, g.image).where(g.connector == connector, g.id.in_(list(ids)))
    return {id_: (path, image) for id_, path, image in await tx.execute(query)}


async def refunded(tx: Tx, connector: str, order_ids: Sequence[int]) -> dict[int, int]:
    """Refunds by order, in ten-thousandths of the currency in which it was paid."""
    rows = await tx.execute(
        select(refunds.c.order_id, func.sum(refunds.c.amount))
        .where(refunds.c.connector == connector, refunds.c.order_id.in_(order_ids))
        .group_by(refunds.c.order_id)
    )
    return {row[0]: int(row[1]) for row in rows}


async def remember_refunds(tx: Tx, connector: str, rows: Sequence[Row]) -> set[int]:
    """Note refunds (`id, order_id, amount`); returns the orders of those that are new or changed."""
    before = {
        row.id: row.amount
        for row in await tx.execute(
            select(refunds.c.id, refunds.c.amount).where(
                refunds.c.connector == connector, refunds.c.id.in_([row["id"] for row in rows])
            )
        )
    }
    await upsert(tx, refunds, [{"connector": connector, **row} for row in rows])
    return {row["order_id"] for row in rows if before.get(row["id"]) != row["amount"]}


async def counts(tx: Tx, connector: str) -> dict[str, int]:
    """How many categories, products, variants and orders are known as told."""
    rows = await tx.execute(
        select(known.c.resource, func.count())
        .where(known.c.connector == connector, known.c.fingerprint != b"")
        .group_by(known.c.resource)
    )
    return {row[0]: row[1] for row in rows}


async def forget_all(tx: Tx, connector: str) -> None:
    """The destination holds nothing of what it was told."""
    await tx.execute(delete(known).where(known.c.connector == connector))
