"""Weigh people: accounts, newsletter records and guests, joined into contacts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from msgspec.structs import replace

from tajo.sync import events
from tajo.sync.ledger import erasure, outgoing, people, queue
from tajo.sync.ledger.store import Tx
from tajo.sync.model import (
    Batch,
    Consent,
    Contact,
    Customer,
    Key,
    Metrics,
    Order,
    Resource,
    Subscriber,
)
from tajo.sync.moments import moment, seconds
from tajo.sync.weigh.desk import SCALE, Desk, Ticket, Weighed, no_address, plausible, readable

P = TypeVar("P", Customer, Subscriber)

#: Seconds after which somebody is looked at again whose e-mail still belongs to a contact that moves.
MOVING = 30.0


async def subscribers(tx: Tx, desk: Desk, batch: Batch) -> Weighed:
    """A newsletter record is a fact of a person; of somebody otherwise unknown it is the only one."""
    found, gone, weighed = readable(batch, Subscriber)
    found = await _remembered(tx, desk, weighed, found)
    left = await people.remove_subscribers(tx, desk.connector, gone)
    by_person = {desk.secret.person(s.email): s for s in found if plausible(s.email)}
    rows = [
        {
            "id": s.id,
            "person": person,
            "storefront": s.storefront,
            "granted": "marketing_newsletter" in s.consents,
            "carts_granted": "abandoned_cart" in s.consents,
            "read_at": batch.read_at,
        }
        for person, s in ((desk.secret.person(s.email), s) for s in found if plausible(s.email))
    ]
    weighed.parked += [
        (Key(batch.resource, s.id), no_address(s.email)) for s in found if not plausible(s.email)
    ]
    changed = await people.remember_subscribers(tx, desk.connector, rows) | left
    await _depart(tx, desk, left, batch.read_at)
    # Whoever has a newsletter record has not left, however late it is met.
    await people.rejoin(tx, desk.connector, by_person.keys())
    if desk.touch:
        weighed.again |= await people.speakers(tx, desk.connector, changed)
        accounts = await people.accounts_of(tx, desk.connector, by_person.keys())
        buyers = await people.last_orders(tx, desk.connector, by_person.keys())
        alone = {p: s for p, s in by_person.items() if p not in accounts and p not in buyers}
    else:
        alone = by_person
    waiting = [
        guest(desk, person, Key(batch.resource, s.id), reader(s), batch.read_at)
        for person, s in alone.items()
    ]
    await people.seal_guests(tx, desk.connector, waiting)
    weighed.settled += [Key(batch.resource, s.id) for s in found if plausible(s.email)]
    weighed.unchanged = len(rows)
    return weighed


async def customers(tx: Tx, desk: Desk, batch: Batch) -> Weighed:
    """An account is one face of a person; the face that was changed last speaks for them."""
    found, gone, weighed = readable(batch, Customer)
    found = await _remembered(tx, desk, weighed, found)
    await _remove(tx, desk, batch, weighed, gone)
    read = await people.customers_read(tx, desk.connector, [customer.id for customer in found])
    fresh = [c for c in found if read.get(c.id, 0.0) <= batch.read_at]
    weighed.unchanged += len(found) - len(fresh)
    weighed.parked += [
        (Key(batch.resource, c.id), no_address(c.email)) for c in fresh if not plausible(c.email)
    ]
    persons = {c.id: desk.secret.person(c.email) for c in fresh}
    rows = [
        {
            "id": c.id,
            "person": persons[c.id],
            "storefront": c.storefront,
            "modified_at": seconds(c.modified or c.created),
            "read_at": batch.read_at,
        }
        for c in fresh
    ]
    known = await people.remember_customers(tx, desk.connector, rows)
    before = {id_: person for id_, (person, _) in known.items()}
    fresh = [c for c in fresh if plausible(c.email)]
    await people.rejoin(tx, desk.connector, [persons[c.id] for c in fresh])
    for customer in fresh:
        _, modified = known.get(customer.id, (b"", None))
        happened = events.of_customer(customer, modified, live_since=desk.live_since)
        weighed.events += desk.happened(happened)
    left = {before[id_]: id_ for id_, person in persons.items() if before.get(id_, person) != person}
    facts = await people.facts(tx, desk.connector, {*persons.values(), *left})
    # An account that is new to us takes its orders from those to whom they were billed.
    new = [id_ for id_ in persons if id_ not in before]
    stale = {*left, *await people.billed_elsewhere(tx, desk.connector, new)}
    weighed.again |= await people.speakers(tx, desk.connector, stale)
    weighed.again |= await people.readers_alone(tx, desk.connector, stale)
    moved = await _moved(tx, desk, weighed, facts, left)
    drafts = []
    for customer in fresh:
        person = persons[customer.id]
        key = Key(batch.resource, customer.id)
        if facts[person].primary != customer.id:
            weighed.unchanged += 1
            weighed.settled.append(key)
            if desk.touch or before.get(customer.id) != person:
                weighed.again.add(Key(Resource.CUSTOMERS, facts[person].primary))
            continue
        contact = compose(person, key, customer, facts[person])
        old = moved.get(customer.id, b"")
        if old and facts[person].told.present:  # there is a contact with the new address: the old one stays
            await _depart(tx, desk, [old], batch.read_at)
            old = b""
        elif old:
            told = facts[old].told
            contact = replace(
                contact,
                rename=told.contact_id,
                blocked_by_us=told.blocked_by_us,
                left_at=told.left_at,
            )
        drafts.append((contact, old))
    await _tell_people(tx, desk, weighed, facts, drafts)
    await people.drop_guests(tx, desk.connector, persons.values())
    return weighed


async def _remove(tx: Tx, desk: Desk, batch: Batch, weighed: Weighed, gone: Sequence[int]) -> None:
    """These accounts are gone. Their people leave, unless something else of theirs stays.

    The accounts' orders count for those to whom they were billed.
    """
    billed = await people.billed_elsewhere(tx, desk.connector, gone)
    removed = await people.remove_customers(tx, desk.connector, gone)
    await _depart(tx, desk, removed, batch.read_at)
    staying = await people.accounts_of(tx, desk.connector, removed)
    weighed.again |= {Key(Resource.CUSTOMERS, id_) for ids in staying.values() for id_ in ids}
    reading = await people.subscriptions_of(tx, desk.connector, removed - staying.keys())
    weighed.again |= {Key(Resource.SUBSCRIBERS, id_) for id_ in reading}
    weighed.again |= await people.speakers(tx, desk.connector, billed)
    weighed.again |= await people.readers_alone(tx, desk.connector, billed)


async def _moved(
    tx: Tx, desk: Desk, weighed: Weighed, facts: Mapping[bytes, people.Facts], left: Mapping[bytes, int]
) -> dict[int, bytes]:
    """Of the accounts that left an e-mail those whose contact nobody else needs: id to the person left."""
    bereft = [person for person in left if not facts[person].accounts]
    readers = await people.subscriptions_of(tx, desk.connector, bereft)
    weighed.again |= {Key(Resource.SUBSCRIBERS, id_) for id_ in readers}
    return {
        id_: person
        for person, id_ in left.items()
        if not facts[person].storefronts and facts[person].told.contact_id is not None
    }


async def guests(tx: Tx, desk: Desk, waiting: Sequence[people.Guest]) -> Weighed:
    """People without an account, from the record that told most of them."""
    weighed = Weighed(seen=len(waiting))
    facts = await people.facts(tx, desk.connector, [guest.person for guest in waiting])
    left = await people.departed_at(tx, desk.connector, facts)
    wished = await erasure.forgotten(tx, desk.connector, facts)
    drafts: list[tuple[Contact, bytes]] = []
    for guest in waiting:
        about = facts[guest.person]
        if about.accounts:
            weighed.unchanged += 1
            continue
        if guest.person in wished or (guest.person in left and not _back(about, left[guest.person])):
            weighed.skipped += 1
            continue
        resource = Resource.GUESTS if guest.resource == Resource.ORDERS else guest.resource
        customer = desk.secret.unseal(guest.sealed, guest.person, Customer)
        drafts.append((compose(guest.person, Key(resource, guest.id), customer, about), b""))
    await people.rejoin(tx, desk.connector, [contact.person for contact, _ in drafts])
    await _tell_people(tx, desk, weighed, facts, drafts)
    await people.drop_guests(tx, desk.connector, {guest.person for guest in waiting})
    return weighed


def _back(about: people.Facts, left_at: float) -> bool:
    """Whether somebody whose account was deleted has bought, or subscribed, since."""
    bought = about.purchases.last
    return about.granted or (bought is not None and bought > left_at)


async def farewells(tx: Tx, desk: Desk, limit: int) -> Weighed:
    """People whose account was deleted in the store take their leave, unless they have another one."""
    weighed, tickets = Weighed(), []
    for person, told in (await people.leaving(tx, desk.connector, limit)).items():
        withdrawn = told.told is Consent.GRANTED
        write = desk.destination.farewell(
            person, told.contact_id or 0, desk.policy.farewell, withdrawn=withdrawn
        )
        tickets.append(Ticket(write=write, about=write.key, blocked=told.blocked_by_us or withdrawn))
    refused = await queue.refused_before(tx, desk.connector, [ticket.about for ticket in tickets])
    for ticket in tickets:
        weighed.offer(ticket, None, refused)
    return weighed


async def _depart(tx: Tx, desk: Desk, persons: Collection[bytes], at: float) -> None:
    """These records are gone; whoever has no account and no newsletter record any more takes their leave."""
    readers = await people.readers_among(tx, desk.connector, persons)
    await people.depart(tx, desk.connector, set(persons) - readers, at)


async def _remembered(tx: Tx, desk: Desk, weighed: Weighed, found: Sequence[P]) -> list[P]:
    """The records of those who did not ask to be forgotten."""
    persons = {record.id: desk.secret.person(record.email) for record in found if record.email}
    wished = await erasure.forgotten(tx, desk.connector, set(persons.values()))
    if not wished:
        return list(found)
    kept = [record for record in found if persons.get(record.id) not in wished]
    resource = Resource.SUBSCRIBERS if isinstance(found[0], Subscriber) else Resource.CUSTOMERS
    gone = {record.id for record in found} - {record.id for record in kept}
    weighed.skipped += len(gone)
    weighed.settled += [Key(resource, id_) for id_ in sorted(gone)]
    return kept


def compose(person: bytes, key: Key, customer: Customer, facts: people.Facts) -> Contact:
    """Join a record with all that is known of the person."""
    return Contact(
        person=person,
        key=key,
        customer=customer,
        metrics=metrics(facts.purchases),
        consent=Consent.GRANTED if facts.granted else Consent.WITHHELD,
        storefronts=frozenset(facts.storefronts or {customer.storefront}),
        exists=facts.told.present,
        blocked_by_us=facts.told.blocked_by_us,
        left_at=facts.told.left_at,
        told=facts.told.told,
        abandoned=facts.abandoned,
        told_abandoned=facts.told.abandoned,
    )


def metrics(bought: people.Purchases) -> Metrics:
    """What a person bought, in amounts and moments."""
    return Metrics(
        orders_count=bought.count,
        total_spent=(Decimal(bought.spent) / SCALE).quantize(Decimal("0.01")),
        first_order_date=None if bought.first is None else moment(bought.first),
        last_order_date=None if bought.last is None else moment(bought.last),
    )


async def _tell_people(
    tx: Tx,
    desk: Desk,
    weighed: Weighed,
    facts: dict[bytes, people.Facts],
    drafts: Iterable[tuple[Contact, bytes]],
) -> None:
    """Give each contact its phone, unless somebody else has it, and offer the write."""
    numbered = [(contact, desk.destination.phone(contact), left) for contact, left in drafts]
    holders = await people.claim_phones(
        tx,
        desk.connector,
        {c.person: desk.secret.phone(number) if number else b"" for c, number, _ in numbered},
    )
    refused = await queue.refused_before(tx, desk.connector, [contact.key for contact, _, _ in numbered])
    persons = [contact.person for contact, _, _ in numbered]
    waiting = await outgoing.fingerprints(tx, desk.connector, outgoing.CONTACTS, persons)
    maybe = await outgoing.maybe_told(tx, desk.connector, waiting)
    moving = await outgoing.left(tx, desk.connector, persons) | {left for _, _, left in numbered if left}
    untold: list[bytes] = []
    for contact, number, left in numbered:
        about = facts[contact.person]
        if number and holders[desk.secret.phone(number)] != contact.person:
            weighed.notes.append("phone left out: another contact has the same number")
        elif number:
            contact = replace(contact, phone=number)  # noqa: PLW2901 - the same contact, completed
        if contact.person in moving:
            weighed.later[contact.key] = desk.now + MOVING
            weighed.settled.append(contact.key)
            continue
        contact = _unsure(contact, maybe.get(contact.person, outgoing.Maybe()))  # noqa: PLW2901
        write = desk.destination.contact(contact)
        if write is None:
            untold.append(contact.person)
            weighed.skipped += 1
            weighed.settled.append(contact.key)
            continue
        blocked = write.blocks or (contact.blocked_by_us and write.consent != Consent.GRANTED)
        ticket = Ticket(
            write=write,
            about=contact.key,
            blocked=blocked,
            was_blocked=contact.blocked_by_us,
            was_granted=contact.told is Consent.GRANTED,
            left_at=contact.left_at,
            abandoned=contact.abandoned,
            was_abandoned=contact.told_abandoned,
            left_behind=left,
        )
        if not weighed.offer(ticket, waiting.get(contact.person, about.told.fingerprint), refused):
            weighed.settled.append(contact.key)
            weighed.unchanged += contact.key not in refused
    await outgoing.drop(tx, desk.connector, outgoing.CONTACTS, untold)


def _unsure(contact: Contact, maybe: outgoing.Maybe) -> Contact:
    """The contact as it is if what waits for it has been told, and only the answer was lost."""
    return replace(
        contact,
        blocked_by_us=contact.blocked_by_us or maybe.blocked,
        told=Consent.GRANTED if maybe.granted else contact.told,
        told_abandoned=contact.told_abandoned or maybe.abandoned,
    )


def guest(desk: Desk, person: bytes, key: Key, customer: Customer, read_at: float) -> people.Guest:
    """Somebody without an account, sealed until it is known that there is none."""
    return people.Guest(person, key.resource, key.id, desk.secret.seal(customer, person), read_at)


def buyer(order: Order) -> Customer:
    """What an order tells of somebody without an account."""
    billing = order.billing
    return Customer(
        email=order.email,
        first_name=billing.first_name,
        last_name=billing.last_name,
        company=billing.company,
        phone=billing.phone,
        created=None,
        storefront=order.storefront,
        addresses=(billing,),
    )


def reader(subscriber: Subscriber) -> Customer:
    """What a newsletter record tells of somebody without account and orders."""
    return Customer(
        email=subscriber.email,
        first_name=subscriber.first_name,
        last_name=subscriber.last_name,
        storefront=subscriber.storefront,
    )
