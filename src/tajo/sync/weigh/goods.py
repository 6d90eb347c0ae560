"""Weigh categories and products: each is its own payload, nothing more."""

from __future__ import annotations

from collections.abc import Sequence

from tajo.sync import events
from tajo.sync.ledger import known, queue
from tajo.sync.ledger.store import Tx
from tajo.sync.model import Batch, Category, Key, Product, Write
from tajo.sync.moments import moment
from tajo.sync.weigh.desk import Desk, Ticket, Weighed, readable, told

Telling = tuple[Key, Sequence[Write]]


async def categories(tx: Tx, desk: Desk, batch: Batch) -> Weighed:
    """A category is its own payload; of one that is gone the destination is told if it knows it."""
    found, gone, weighed = readable(batch, Category)
    telling: list[Telling] = [(Key(batch.resource, c.id), [desk.destination.category(c)]) for c in found]
    for id_ in await known.recall(tx, desk.connector, batch.resource, gone):
        telling.append((Key(batch.resource, id_), [desk.destination.gone_category(id_)]))
    await _tell(tx, desk, batch, weighed, telling)
    return weighed


async def products(tx: Tx, desk: Desk, batch: Batch) -> Weighed:
    """A product and each of its variants are told by themselves: a stock change of one writes one."""
    found, gone, weighed = readable(batch, Product)
    telling = [
        (Key(batch.resource, product.id), list(desk.destination.product(product))) for product in found
    ]
    before = await known.variants_of(tx, desk.connector, [*gone, *(product.id for product in found)])
    for product, (_, writes) in zip(found, telling, strict=True):
        lost = before.get(product.id, set()) - {variant.id for variant in product.variants}
        writes.extend(desk.destination.withdrawn_variants(product, sorted(lost)))
    for id_ in await known.recall(tx, desk.connector, batch.resource, gone):
        writes = list(desk.destination.gone_product(id_, sorted(before.get(id_, ()))))
        telling.append((Key(batch.resource, id_), writes))
    await _tell(tx, desk, batch, weighed, telling)
    await known.remember_goods(tx, desk.connector, {p.id: (p.path, p.image) for p in found})
    if desk.policy.stock:
        await _stock(tx, desk, batch, weighed, found)
    return weighed


async def _stock(tx: Tx, desk: Desk, batch: Batch, weighed: Weighed, found: Sequence[Product]) -> None:
    """Changes of stock since the last look at each product."""
    now = {product.id: events.stocks_of(product) for product in found}
    before = await known.recall_stocks(tx, desk.connector, [key for seen in now.values() for key in seen])
    for product in found:
        happened = events.of_stock(product, before, product.modified or moment(batch.read_at))
        weighed.events += desk.happened(happened)
    changed = {
        key: stock
        for seen in now.values()
        for key, stock in seen.items()
        if key not in before or before[key] != stock
    }
    await known.remember_stocks(tx, desk.connector, changed, batch.read_at)


async def _tell(tx: Tx, desk: Desk, batch: Batch, weighed: Weighed, telling: Sequence[Telling]) -> None:
    """Offer the writes of each record; a record none of whose writes was taken is unchanged."""
    keys = [write.key for _, writes in telling for write in writes]
    memory = {
        Key(resource, id_): entry
        for resource in {key.resource for key in keys}
        for id_, entry in (
            await known.recall(
                tx, desk.connector, resource, [key.id for key in keys if key.resource == resource]
            )
        ).items()
    }
    refused = await queue.refused_before(tx, desk.connector, keys)
    for about, writes in telling:
        entry = memory.get(about)
        taken = False
        if entry is None or entry.read_at <= batch.read_at:
            for write in writes:
                ticket = Ticket(write=write, about=about, parent=about.id if write.key != about else None)
                taken |= weighed.offer(ticket, told(memory, write.key), refused)
        if not taken:
            weighed.settled.append(about)
            weighed.unchanged += not any(write.key in refused for write in writes)
    unchanged = [key.id for key in weighed.settled if key.resource == batch.resource]
    await known.met(tx, desk.connector, batch.resource, unchanged, batch.read_at)
