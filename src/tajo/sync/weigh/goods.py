"""Weigh categories and products: each is its own payload. What changed of stock and prices is news."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec.structs import replace

from tajo.sync import events
from tajo.sync.ledger import carts, erasure, known, prices, queue, wishes
from tajo.sync.ledger.store import Tx
from tajo.sync.model import Batch, Category, Event, EventKind, Key, Product, Resource, Write
from tajo.sync.moments import moment
from tajo.sync.ports import Destination
from tajo.sync.weigh.desk import SCALE, Desk, Ticket, Weighed, readable, told

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
    overtaken = await _tell(tx, desk, batch, weighed, telling)
    await known.remember_goods(tx, desk.connector, {p.id: (p.path, p.image) for p in found})
    fresh = [product for product in found if Key(batch.resource, product.id) not in overtaken]
    if desk.policy.stock:
        await _stock(tx, desk, batch, weighed, fresh)
    if Resource.CARTS in desk.policy.resources:
        await _prices(tx, desk, batch, weighed, fresh)
    return weighed


def told_as_there(
    destination: Destination, resource: Resource, told: Mapping[int, bytes | None]
) -> frozenset[int]:
    """Of these those that the destination takes for existing: what is gone already cannot be lost again.

    `told`: by id the fingerprint that was told last, empty if that is uncertain, and None of what is not
    told by itself.
    """

    def gone(id_: int) -> bytes:
        if resource is Resource.PRODUCTS:
            return destination.gone_product(id_, [])[0].fingerprint
        return destination.gone_category(id_).fingerprint

    return frozenset(id_ for id_, last in told.items() if last is None or (last and last != gone(id_)))


async def _stock(tx: Tx, desk: Desk, batch: Batch, weighed: Weighed, found: Sequence[Product]) -> None:
    """Changes of stock since the last look at each product."""
    now = {product.id: events.stocks_of(product) for product in found}
    before = await known.recall_stocks(tx, desk.connector, [key for seen in now.values() for key in seen])
    for product in found:
        happened = list(events.of_stock(product, before, product.modified or moment(batch.read_at)))
        weighed.events += desk.happened(happened)
        for event in happened:
            if event.kind is EventKind.BACK_IN_STOCK and _sold(product, event.variant_id):
                weighed.events += desk.happened(await _wished(tx, desk, event))
    changed = {
        key: stock
        for seen in now.values()
        for key, stock in seen.items()
        if key not in before or before[key] != stock
    }
    await known.remember_stocks(tx, desk.connector, changed, batch.read_at)


def _sold(product: Product, variant_id: int) -> bool:
    """Whether a shopper can buy it, in this form (0: in any)."""
    forms = [variant for variant in product.variants if variant_id in (0, variant.id)]
    return product.visible and (not forms or any(variant.purchasable for variant in forms))


async def _wished(tx: Tx, desk: Desk, event: Event) -> list[Event]:
    """The event once for each person who waited for it. From here on they do not wait any more."""
    fulfilled = await wishes.fulfil(tx, desk.connector, event.key.id, event.variant_id)
    waited = {one.person: one for one in fulfilled}
    left = await erasure.forgotten(tx, desk.connector, waited)
    return [
        replace(event, email=one.email(desk.secret)) for person, one in waited.items() if person not in left
    ]


async def _prices(tx: Tx, desk: Desk, batch: Batch, weighed: Weighed, found: Sequence[Product]) -> None:
    """What lies in somebody's cart and costs less than at the last look is told to each of them."""
    now = {key: int(price * SCALE) for product in found for key, price in events.prices_of(product).items()}
    known_ones = await prices.recall(tx, desk.connector, now)
    before = {key: Decimal(price) / SCALE for key, price in known_ones.items()}
    drops = [
        event
        for product in found
        for event in events.of_price(product, before, product.modified or moment(batch.read_at))
    ]
    if drops:
        weighed.events += desk.happened(await _held(tx, desk, drops))
    changed = {key: price for key, price in now.items() if known_ones.get(key) != price}
    await prices.remember(tx, desk.connector, changed, batch.read_at)


async def _held(tx: Tx, desk: Desk, drops: Sequence[Event]) -> list[Event]:
    """Each of these events once for every person who has the thing in a cart, about the newest such cart."""
    holders = await prices.holders(tx, desk.connector, {event.key.id for event in drops})
    found = []
    for event in drops:
        newest = {
            holder.person: holder
            for holder in reversed(holders)
            if holder.product == event.key.id and event.variant_id in (0, holder.variant)
        }
        for holder in newest.values():
            cart = carts.as_seen(desk.secret, holder.cart, holder.sealed)
            found.append(replace(event, email=cart.email, cart_id=cart.uuid))
    return found


async def _tell(tx: Tx, desk: Desk, batch: Batch, weighed: Weighed, telling: Sequence[Telling]) -> set[Key]:
    """Offer the writes of each record; a record none of whose writes was taken is unchanged.

    Returns those of which something read later is known.
    """
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
    overtaken = {about for about, _ in telling if about in memory and memory[about].read_at > batch.read_at}
    for about, writes in telling:
        taken = False
        if about not in overtaken:
            for write in writes:
                ticket = Ticket(write=write, about=about, parent=about.id if write.key != about else None)
                taken |= weighed.offer(ticket, told(memory, write.key), refused)
        if not taken:
            weighed.settled.append(about)
            weighed.unchanged += not any(write.key in refused for write in writes)
    unchanged = [key.id for key in weighed.settled if key.resource == batch.resource]
    await known.met(tx, desk.connector, batch.resource, unchanged, batch.read_at)
    return overtaken
