"""Weigh orders and what was given back for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tajo.sync import events
from tajo.sync.ledger import carts, erasure, known, people, queue, recoveries
from tajo.sync.ledger.known import OrderFacts
from tajo.sync.ledger.store import Tx
from tajo.sync.model import Batch, Event, EventKind, Key, Order, Refund, Resource, cart_key
from tajo.sync.moments import seconds
from tajo.sync.weigh.contacts import buyer, guest
from tajo.sync.weigh.desk import (
    FOREIGN_EMAIL,
    SCALE,
    Desk,
    Ticket,
    Weighed,
    no_address,
    plausible,
    readable,
    told,
)

#: A change of these facts of an order makes its buyer's contact stale.
_TELLING = ("status_id", "counted", "amount", "refunded", "person", "customer_id")


async def refunds(tx: Tx, desk: Desk, batch: Batch) -> Weighed:
    """A refund is a fact of its order, which must be looked at again."""
    found, _, weighed = readable(batch, Refund)
    rows = [{"id": r.id, "order_id": r.order_id, "amount": int(r.amount * SCALE)} for r in found]
    changed = await known.remember_refunds(tx, desk.connector, rows)
    if desk.touch:
        weighed.again |= {Key(Resource.ORDERS, id_) for id_ in changed}
    weighed.settled += [Key(batch.resource, r.id) for r in found]
    weighed.unchanged = len(found)
    return weighed


class _Met(Struct, frozen=True):
    """An order, complete, with what was known of it and what is to be remembered."""

    order: Order
    old: OrderFacts | None
    row: dict[str, Any]

    @property
    def key(self) -> Key:
        return Key(Resource.ORDERS, self.order.id)

    @property
    def changed(self) -> bool:
        """In what its buyer's contact tells."""
        return self.old is None or any(self.row[name] != getattr(self.old, name) for name in _TELLING)


async def orders(tx: Tx, desk: Desk, batch: Batch) -> Weighed:
    """An order is told, counts for its buyer, and makes the buyer's contact stale."""
    found, gone, weighed = readable(batch, Order)
    forgotten = await _forgotten(tx, desk, weighed, found)
    met = await _compare(tx, desk, batch, weighed, [order for order in found if order.id not in forgotten])
    happened = [event for one in met for event in _happened(desk, one)]
    weighed.events += desk.happened(await _illustrated(tx, desk, happened))
    await known.remember_orders(tx, desk.connector, [one.row for one in met])
    strangers = await _discount(tx, desk, batch, weighed, gone)
    strangers |= await _touch_buyers(tx, desk, batch, weighed, met)
    await _recovered(tx, desk, weighed, met)
    await _offer(tx, desk, weighed, met)
    if desk.touch:  # somebody with an account may buy as a guest, too
        owners = await people.accounts_of(tx, desk.connector, strangers)
        weighed.again |= {Key(Resource.CUSTOMERS, id_) for ids in owners.values() for id_ in ids}
    return weighed


async def _compare(tx: Tx, desk: Desk, batch: Batch, weighed: Weighed, found: Sequence[Order]) -> list[_Met]:
    """Complete the orders with their refunds; what was read before something that is known is dropped."""
    ids = [order.id for order in found]
    before = await known.recall_orders(tx, desk.connector, ids)
    refunded = await known.refunded(tx, desk.connector, ids)
    met = []
    for order in found:
        old = before.get(order.id)
        if old is not None and old.read_at > batch.read_at:
            weighed.unchanged += 1
            continue
        back = Decimal(refunded.get(order.id, 0)) / SCALE / order.rate
        complete = replace(order, refunded=back.quantize(Decimal("0.0001")))
        row = {
            "id": order.id,
            "customer_id": order.customer_id,
            "person": desk.secret.person(order.email) if order.email else b"",
            "storefront": order.storefront,
            "status_id": order.status_id,
            "counted": order.status_id in desk.policy.counted and not order.archived,
            "amount": int(order.total * SCALE),
            "refunded": int(complete.refunded * SCALE),
            "placed_at": seconds(order.created),
            "read_at": batch.read_at,
            "modified_at": seconds(order.modified or order.created),
            "placed": _was_placed(desk, old) or order.status_id in desk.policy.placed,
            "archived": order.archived,
        }
        met.append(_Met(complete, old, row))
    return met


def _was_placed(desk: Desk, old: OrderFacts | None) -> bool:
    return old is not None and events.placed_before(old.status_id, old.placed, desk.policy.placed)


def _happened(desk: Desk, one: _Met) -> Iterable[Event]:
    """What happened to the order since the last look, if there is somebody to tell it of."""
    if not plausible(one.order.email):
        return ()
    before, old = None, one.old
    if old is not None:
        before = events.OrderBefore(
            status_id=old.status_id,
            placed=_was_placed(desk, old),
            refunded=Decimal(old.refunded) / SCALE,
            modified_at=old.modified_at,
        )
    return events.of_order(one.order, before, placed=desk.policy.placed, live_since=desk.live_since)


async def _illustrated(tx: Tx, desk: Desk, happened: Sequence[Event]) -> list[Event]:
    """The events, with each line's page and picture as far as the product was met."""
    orders = [event.record for event in happened if isinstance(event.record, Order)]
    shown = await known.recall_goods(
        tx, desk.connector, {line.product_id for order in orders for line in order.lines}
    )

    def complete(order: Order) -> Order:
        lines = [(line, *shown.get(line.product_id, ("", ""))) for line in order.lines]
        return replace(
            order, lines=tuple(replace(line, path=path, image=image) for line, path, image in lines)
        )

    return [replace(event, record=complete(order)) for event, order in zip(happened, orders, strict=True)]


async def _touch_buyers(
    tx: Tx, desk: Desk, batch: Batch, weighed: Weighed, met: Sequence[_Met]
) -> set[bytes]:
    """The accounts of buyers are looked at again, guests wait sealed; returns the guests who changed.

    The newest order speaks for a guest, so an older one that changed makes that one stale.
    """
    accounts = await people.customers_read(tx, desk.connector, {one.order.customer_id for one in met})
    newest = await people.last_orders(tx, desk.connector, {one.row["person"] for one in met})
    guests: list[people.Guest] = []
    strangers: set[bytes] = set()
    for one in met:
        order = one.order
        if order.customer_id in accounts or (order.customer_id and not desk.accounts_known):
            if one.changed and desk.touch:
                weighed.again.add(Key(Resource.CUSTOMERS, order.customer_id))
        elif plausible(order.email) and Resource.GUESTS in desk.policy.resources:
            speaks = newest.get(one.row["person"], order.id)
            if speaks <= order.id:
                guests.append(guest(desk, one.row["person"], one.key, buyer(order), batch.read_at))
            elif one.changed and desk.touch:
                weighed.again.add(Key(Resource.ORDERS, speaks))
            if one.changed:
                strangers |= {one.row["person"]} if one.old is None else {one.row["person"], one.old.person}
    await people.seal_guests(tx, desk.connector, guests)
    return strangers


async def _offer(tx: Tx, desk: Desk, weighed: Weighed, met: Sequence[_Met]) -> None:
    """Tell those that are sales, and have somebody to tell them of."""
    memory = await known.recall(tx, desk.connector, Resource.ORDERS, [one.order.id for one in met])
    refused = await queue.refused_before(tx, desk.connector, [one.key for one in met])
    for one in met:
        order, email = one.order, one.order.email
        if order.status_id in desk.policy.unfinished:
            weighed.skipped += 1
            weighed.settled.append(one.key)
        elif not plausible(email):
            weighed.parked.append((one.key, no_address(email)))
        elif not email.isascii():
            weighed.parked.append((one.key, FOREIGN_EMAIL))
        else:
            since = desk.live_since
            again = one.old is not None and one.changed and one.row["modified_at"] >= since
            live = one.row["placed_at"] >= since or again
            write = desk.destination.order(order, historical=order.migrated or not live)
            if not weighed.offer(Ticket(write=write, about=one.key), told(memory, order.id), refused):
                weighed.settled.append(one.key)
                weighed.unchanged += one.key not in refused


async def _forgotten(tx: Tx, desk: Desk, weighed: Weighed, found: Sequence[Order]) -> set[int]:
    """Orders of people who asked to be forgotten: nothing of them is told or remembered."""
    persons = {order.id: desk.secret.person(order.email) for order in found if order.email}
    wished = await erasure.forgotten(tx, desk.connector, set(persons.values()))
    ids = {id_ for id_, person in persons.items() if person in wished}
    weighed.skipped += len(ids)
    weighed.settled += [Key(Resource.ORDERS, id_) for id_ in ids]
    return ids


async def _discount(tx: Tx, desk: Desk, batch: Batch, weighed: Weighed, gone: Sequence[int]) -> set[bytes]:
    """An order that does not exist any more counts for nobody; returns the guests who had bought it."""
    before = await known.recall_orders(tx, desk.connector, gone)
    await known.discount_orders(tx, desk.connector, before, batch.read_at)
    weighed.again |= {Key(Resource.CUSTOMERS, old.customer_id) for old in before.values() if old.customer_id}
    strangers = {old.person for old in before.values() if not old.customer_id}
    # An order that is gone speaks for nobody: it would be looked at for ever.
    weighed.again |= await people.speakers(tx, desk.connector, strangers) - {
        Key(batch.resource, id_) for id_ in gone
    }
    return strangers


async def _recovered(tx: Tx, desk: Desk, weighed: Weighed, met: Sequence[_Met]) -> None:
    """Carts that became orders; of those that had been left behind, and are paid or will be, it is news.

    A cart that a recovery link made anew is bought as the one that it brought back.
    """
    sold = {
        key.id: one
        for one in met
        if (one.row["placed"] or one.order.status_id not in desk.policy.unsold)
        and one.order.cart_id
        and (key := cart_of(one.order))
    }
    brought_back = await recoveries.origin_of(tx, desk.connector, sold)
    sold |= {origin: sold[id_] for id_, origin in brought_back.items()}
    clicked = await recoveries.clicks(tx, desk.connector, sold)
    happened = [
        Event(
            kind=EventKind.CART_RECOVERED,
            key=Key(Resource.CARTS, id_),
            at=sold[id_].order.created,
            email=sold[id_].order.email,
            record=sold[id_].order,
            by_link=id_ in clicked,
        )
        for id_, facts in (await carts.bought(tx, desk.connector, sold)).items()
        if facts.state in carts.LEFT and sold[id_].row["placed"] and plausible(sold[id_].order.email)
    ]
    weighed.events += desk.happened(await _illustrated(tx, desk, happened))


def cart_of(order: Order) -> Key | None:
    """The cart that became this order, if the order says so in a way that can be understood."""
    try:
        return cart_key(order.cart_id)
    except ValueError:
        return None
