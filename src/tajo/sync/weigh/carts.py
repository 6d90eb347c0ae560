"""Weigh carts, which live only as long as they are neither bought nor emptied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from tajo.sync import events
from tajo.sync.ledger import carts as ledger
from tajo.sync.ledger import erasure, people, prices, recoveries, runs
from tajo.sync.ledger.carts import ABANDONED, BOUGHT, GONE, LEFT, MISSING, OPEN, RETURNED, VANISHED, CartFacts
from tajo.sync.ledger.store import Tx
from tajo.sync.model import Batch, Cart, Customer, Event, EventKind, Key, Resource
from tajo.sync.moments import moment, seconds
from tajo.sync.weigh.contacts import guest
from tajo.sync.weigh.desk import SCALE, Desk, Weighed, plausible

#: A cart that vanished was bought or emptied; so many seconds are given to the order to show up.
GRACE = 600.0

_NEW = CartFacts("", b"", OPEN, 0, None, 0.0, None)


async def carts(tx: Tx, desk: Desk, batch: Batch) -> Weighed:
    """What happens to a cart is told under its e-mail; until one is known it is only remembered."""
    weighed = Weighed(seen=len(batch.changes))
    before = await ledger.recall(tx, desk.connector, [change.key.id for change in batch.changes])
    swept = (await runs.swept_since(tx, desk.connector)).get(Resource.ORDERS, 0.0)
    again = await recoveries.origin_of(tx, desk.connector, before)
    rows = []
    for change in batch.changes:
        known = before.get(change.key.id, _NEW)
        weighed.settled.append(change.key)
        if change.flaw:
            weighed.parked.append((change.key, change.flaw))
        elif known.read_at > batch.read_at or known.state in (BOUGHT, GONE):
            weighed.unchanged += 1
        elif isinstance(change.record, Cart):
            anew = change.key.id in again
            rows.append(await _met(tx, desk, batch, weighed, change.record, known, anew=anew))
        else:
            rows.append(_missed(desk, batch, weighed, change.key, known, swept))
    await ledger.remember(tx, desk.connector, rows)
    await _tell_whose(tx, desk, batch, weighed, before, rows)
    await prices.hold(tx, desk.connector, _held(batch, rows))
    return weighed


async def _met(
    tx: Tx, desk: Desk, batch: Batch, weighed: Weighed, cart: Cart, known: CartFacts, *, anew: bool
) -> dict[str, Any]:
    """A cart that is there. Its next look is when it will count as left behind.

    `anew`: it was made by a recovery link, and is told of as the cart that it brings back, or not at all.
    """
    person = desk.secret.person(cart.email) if plausible(cart.email) else b""
    secret = bool(await erasure.forgotten(tx, desk.connector, {person})) if person else False
    updated = seconds(cart.updated or cart.created)
    amount = int(cart.total * SCALE)
    told = bool(person) and not secret and not anew
    worth = told and cart.total >= desk.policy.abandoned_value
    abandoned_at = updated + desk.policy.abandoned_after if worth and updated else inf
    if told:
        was = events.CartBefore(
            state=known.state, named=bool(known.person), updated_at=known.updated_at, amount=known.amount
        )
        happened = events.of_cart(cart, was, amount=amount, abandoned_at=abandoned_at, now=batch.read_at)
        weighed.events += desk.happened(event for event in happened if seconds(event.at) >= desk.live_since)
    abandoned = batch.read_at >= abandoned_at
    if not abandoned and abandoned_at < inf:
        weighed.later[Key(batch.resource, cart.id)] = abandoned_at
    weighed.unchanged += known.updated_at == updated
    return {
        "id": cart.id,
        "uuid": cart.uuid,
        "person": b"" if secret else person,
        "state": ABANDONED if abandoned else RETURNED if known.state in LEFT else OPEN,
        "amount": amount,
        "updated_at": updated,
        "read_at": batch.read_at,
        "sealed": desk.secret.seal(cart, ledger.name_of(cart.id)) if person and not secret else None,
    }


async def _tell_whose(
    tx: Tx,
    desk: Desk,
    batch: Batch,
    weighed: Weighed,
    before: Mapping[int, CartFacts],
    rows: Sequence[dict[str, Any]],
) -> None:
    """Who has left a cart behind, or has none left behind any more, is another contact by that.

    Of somebody otherwise unknown the cart is all that tells.
    """
    left = {row["id"]: row["person"] for row in rows if row["state"] == ABANDONED and row["person"]}
    was = {id_: facts.person for id_, facts in before.items() if facts.state == ABANDONED and facts.person}
    persons = {left.get(id_) or was[id_] for id_ in left.keys() ^ was.keys()}
    if not persons or not desk.policy.abandoned_listed:
        return
    weighed.again |= await people.speakers(tx, desk.connector, persons)
    readers = await people.subscriptions_of(tx, desk.connector, persons)
    weighed.again |= {Key(Resource.SUBSCRIBERS, id_) for id_ in readers}
    known = await people.spoken_for(tx, desk.connector, persons)
    met = {change.key.id: change.record for change in batch.changes if isinstance(change.record, Cart)}
    strangers = []
    for id_, person in (was | left).items():
        if person in persons - known:
            sealed = before[id_].sealed if id_ in before else None
            cart = met.get(id_) or (ledger.as_seen(desk.secret, id_, sealed) if sealed else None)
            if cart is not None and plausible(cart.email):
                whose = Customer(email=cart.email, storefront=cart.storefront)
                strangers.append(guest(desk, person, Key(batch.resource, id_), whose, batch.read_at))
    await people.seal_guests(tx, desk.connector, strangers)


def _missed(
    desk: Desk, batch: Batch, weighed: Weighed, key: Key, known: CartFacts, swept: float
) -> dict[str, Any]:
    """A cart that is gone. It was deleted if no order shows up that it became: not by itself, and not in a
    sweep either, because its webhook may be lost. `swept`: the orders of up to then were met by one.
    """
    weighed.skipped += 1
    vanished = known.state in (VANISHED, MISSING)
    since = known.read_at if vanished else batch.read_at
    deleted = vanished and batch.read_at >= since + GRACE and swept >= since
    if deleted and known.sealed:
        cart = ledger.as_seen(desk.secret, key.id, known.sealed)
        event = Event(
            kind=EventKind.CART_DELETED, key=key, at=moment(batch.read_at), email=cart.email, record=cart
        )
        weighed.events += desk.happened([event])
    elif not deleted and known.uuid:
        # The longer no sweep comes, the more seldom it is looked at.
        weighed.later[key] = batch.read_at + max(GRACE, batch.read_at - since)
    return {
        "id": key.id,
        "uuid": known.uuid,
        "person": known.person,
        "state": GONE if deleted else MISSING if known.state in LEFT else VANISHED,
        "amount": known.amount,
        "updated_at": known.updated_at,
        "read_at": batch.read_at if deleted else since,
        "sealed": None if deleted else known.sealed,
    }


def _held(batch: Batch, rows: Sequence[dict[str, Any]]) -> dict[int, set[tuple[int, int]]]:
    """Product and variant of each line of these carts; of nobody's cart, or one that is gone, none."""
    met = {change.key.id: change.record for change in batch.changes if isinstance(change.record, Cart)}
    return {
        row["id"]: {
            (line.product_id, line.variant_id)
            for line in (met[row["id"]].lines if row["id"] in met and row["person"] else ())
            if line.product_id
        }
        for row in rows
    }
