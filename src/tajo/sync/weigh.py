"""Weigh what was read against what is remembered: what must be told, and what need not?

One function per resource, each within the transaction that it is given: recall, drop what is older
than that, note the facts, map, drop what is unchanged. None of them talks to the destination.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from tajo.sync.ledger import known, outgoing, people, queue
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Tx
from tajo.sync.model import (
    Batch,
    Category,
    Consent,
    Contact,
    Customer,
    Key,
    Metrics,
    Order,
    Product,
    Refund,
    Resource,
    Subscriber,
    Write,
)
from tajo.sync.moments import moment, seconds
from tajo.sync.ports import Destination

#: Payment was reached but not made: a checkout that may go on, not yet a sale.
INCOMPLETE = 0

#: Amounts are remembered in whole ten-thousandths, the finest that a store writes.
SCALE = 10_000

K = TypeVar("K", Key, int)
R = TypeVar("R", Category, Product, Refund, Order, Subscriber, Customer)

#: A change of these facts of an order makes its buyer's contact stale.
_TELLING = ("status_id", "counted", "amount", "refunded", "person", "customer_id")

#: An address that could exist: an order with another one is dropped from its batch without a word.
_LABEL = r"[^\W_](?:(?:[^\W_]|-){0,61}[^\W_])?"
_EMAIL = re.compile(rf"[^\s@,;:<>()\[\]\"\\]{{1,64}}@(?:{_LABEL}\.)+(?!\d+$)(?=..){_LABEL}")

NO_EMAIL = "no e-mail address, by which alone a contact is known"
BAD_EMAIL = "the e-mail address cannot exist"
FOREIGN_EMAIL = "the e-mail address has other letters than ASCII: a batch of orders may drop it unsaid"


class Policy(Struct, frozen=True, kw_only=True):
    """What the merchant wants of the machine. `rules`: the fingerprint of all that shapes payloads.

    `counted`: order statuses that count in metrics. `overlap`: how many seconds an incremental sweep
    looks back beyond the beginning of the last one, for clocks that disagree and rows that commit late.
    """

    resources: frozenset[Resource]
    counted: frozenset[int]
    rules: str = ""
    overlap: float = 600.0


class Desk(Struct, frozen=True, kw_only=True):
    """What weighing needs besides the records.

    `touch`: stale contacts are to be looked at again, because no full sweep will meet them anyway.
    `accounts_known`: all accounts have been met, so that an unknown one is one that is gone.
    """

    connector: str
    destination: Destination
    policy: Policy
    secret: Secret
    live_since: float
    now: float
    touch: bool
    accounts_known: bool


class Ticket(Struct, frozen=True, kw_only=True, eq=False, gc=False, omit_defaults=True):
    """A write with what must be remembered once it is delivered.

    `about`: the key to look at again; `parent`: a variant's product; `blocked`: whether the contact is
    blocklisted by us from then on; `left_behind`: the person whose contact was renamed.
    """

    write: Write
    about: Key
    parent: int | None = None
    blocked: bool = False
    left_behind: bytes = b""


class Weighed(Struct):
    """What a batch comes to. `settled`: keys that need nothing more; `again`: keys to look at once more.

    `events`: what was found to have happened, ready to be told.
    """

    seen: int = 0
    unchanged: int = 0
    skipped: int = 0
    still_parked: int = 0
    tickets: list[Ticket] = field(default_factory=list)
    settled: list[Key] = field(default_factory=list)
    parked: list[tuple[Key, str]] = field(default_factory=list)
    again: set[Key] = field(default_factory=set)
    events: list[Write] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def offer(self, ticket: Ticket, told: bytes | None, refused: dict[Key, bytes | None]) -> bool:
        """Take a write unless its fingerprint says nothing new; returns whether it was taken."""
        write = ticket.write
        if told == write.fingerprint:
            return False
        if refused.get(write.key) == write.fingerprint:
            self.still_parked += 1
            return False
        self.tickets.append(ticket)
        return True


async def categories(tx: Tx, desk: Desk, batch: Batch) -> Weighed:
    """A category is its own payload, nothing more."""
    found, weighed = _readable(batch, Category)
    await _tell(
        tx, desk, batch, weighed, [(Key(batch.resource, c.id), [desk.destination.category(c)]) for c in found]
    )
    return weighed


async def products(tx: Tx, desk: Desk, batch: Batch) -> Weighed:
    """A product and each of its variants are told by themselves: a stock change of one writes one."""
    found, weighed = _readable(batch, Product)
    told = [(Key(batch.resource, product.id), list(desk.destination.product(product))) for product in found]
    before = await known.variants_of(tx, desk.connector, [product.id for product in found])
    for product, (_, writes) in zip(found, told, strict=True):
        lost = before.get(product.id, set()) - {variant.id for variant in product.variants}
        writes.extend(desk.destination.withdrawn_variants(product, sorted(lost)))
    await _tell(tx, desk, batch, weighed, told)
    return weighed


async def _tell(
    tx: Tx, desk: Desk, batch: Batch, weighed: Weighed, told: Sequence[tuple[Key, Sequence[Write]]]
) -> None:
    """Offer the writes of each record; a record none of whose writes was taken is unchanged."""
    keys = [write.key for _, writes in told for write in writes]
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
    for about, writes in told:
        entry = memory.get(about)
        taken = False
        if entry is None or entry.read_at <= batch.read_at:
            for write in writes:
                ticket = Ticket(write=write, about=about, parent=about.id if write.key != about else None)
                taken |= weighed.offer(ticket, _told(memory, write.key), refused)
        if not taken:
            weighed.settled.append(about)
            weighed.unchanged += not any(write.key in refused for write in writes)


async def refunds(tx: Tx, desk: Desk, batch: Batch) -> Weighed:
    """A refund is a fact of its order, which must be looked at again."""
    found, weighed = _readable(batch, Refund)
    rows = [{"id": r.id, "order_id": r.order_id, "amount": int(r.amount * SCALE)} for r in found]
    changed = await known.remember_refunds(tx, desk.connector, rows)
    if desk.touch:
        weighed.again |= {Key(Resource.ORDERS, id_) for id_ in changed}
    weighed.unchanged = len(found)
    return weighed


async def orders(tx: Tx, desk: Desk, batch: Batch) -> Weighed:
    """An order is told, counts for its buyer, and makes the buyer's contact stale."""
    found, weighed = _readable(batch, Order)
    ids = [order.id for order in found]
    before = await known.recall_orders(tx, desk.connector, ids)
    told = await known.recall(tx, desk.connector, Resource.ORDERS, ids)
    refunded = await known.refunded(tx, desk.connector, ids)
    refused = await queue.refused_before(tx, desk.connector, [Key(Resource.ORDERS, id_) for id_ in ids])
    accounts = await people.customers_read(tx, desk.connector, {order.customer_id for order in found})
    rows, guests = [], []
    strangers: set[bytes] = set()
    for order in found:
        key = Key(Resource.ORDERS, order.id)
        old = before.get(order.id)
        if old is not None and old.read_at > batch.read_at:
            weighed.unchanged += 1
            continue
        back = Decimal(refunded.get(order.id, 0)) / SCALE / order.rate
        order = replace(order, refunded=back.quantize(Decimal("0.0001")))  # noqa: PLW2901 - the same order, completed
        person = desk.secret.person(order.email) if order.email else b""
        row = {
            "id": order.id,
            "customer_id": order.customer_id,
            "person": person,
            "storefront": order.storefront,
            "status_id": order.status_id,
            "counted": order.status_id in desk.policy.counted and not order.archived,
            "amount": int(order.total * SCALE),
            "refunded": int(order.refunded * SCALE),
            "placed_at": seconds(order.created),
            "read_at": batch.read_at,
        }
        rows.append(row)
        changed = old is None or any(row[name] != getattr(old, name) for name in _TELLING)
        if order.customer_id in accounts or (order.customer_id and not desk.accounts_known):
            if changed and desk.touch:
                weighed.again.add(Key(Resource.CUSTOMERS, order.customer_id))
        elif _plausible(order.email) and Resource.GUESTS in desk.policy.resources:
            guests.append(_guest(desk, person, key, _buyer(order), batch.read_at))
            if changed:
                strangers |= {person} if old is None else {person, old.person}
        if order.status_id == INCOMPLETE:
            weighed.skipped += 1
            weighed.settled.append(key)
        elif not _plausible(order.email):
            weighed.parked.append((key, BAD_EMAIL if order.email else NO_EMAIL))
        elif not order.email.isascii():
            weighed.parked.append((key, FOREIGN_EMAIL))
        else:
            live = seconds(order.created) >= desk.live_since or (
                old is not None and changed and seconds(order.modified or order.created) >= desk.live_since
            )
            write = desk.destination.order(order, historical=order.migrated or not live)
            ticket = Ticket(write=write, about=key)
            if not weighed.offer(ticket, _told(told, order.id), refused):
                weighed.settled.append(key)
                weighed.unchanged += key not in refused
    await known.remember_orders(tx, desk.connector, rows)
    await people.seal_guests(tx, desk.connector, guests)
    if desk.touch:  # somebody with an account may buy as a guest, too
        owners = await people.accounts_of(tx, desk.connector, strangers)
        weighed.again |= {Key(Resource.CUSTOMERS, id_) for ids in owners.values() for id_ in ids}
    return weighed


async def subscribers(tx: Tx, desk: Desk, batch: Batch) -> Weighed:
    """A newsletter record is a fact of a person; of somebody otherwise unknown it is the only one."""
    found, weighed = _readable(batch, Subscriber)
    by_person = {desk.secret.person(s.email): s for s in found if _plausible(s.email)}
    rows = [
        {
            "id": s.id,
            "person": person,
            "storefront": s.storefront,
            "granted": "marketing_newsletter" in s.consents,
            "read_at": batch.read_at,
        }
        for person, s in ((desk.secret.person(s.email), s) for s in found if _plausible(s.email))
    ]
    weighed.parked += [
        (Key(batch.resource, s.id), BAD_EMAIL if s.email else NO_EMAIL)
        for s in found
        if not _plausible(s.email)
    ]
    changed = await people.remember_subscribers(tx, desk.connector, rows)
    if desk.touch:
        weighed.again |= await _others(tx, desk, changed)
        accounts = await people.accounts_of(tx, desk.connector, by_person.keys())
        buyers = await people.last_orders(tx, desk.connector, by_person.keys())
        alone = {p: s for p, s in by_person.items() if p not in accounts and p not in buyers}
    else:
        alone = by_person
    waiting = [
        _guest(desk, person, Key(batch.resource, s.id), _reader(s), batch.read_at)
        for person, s in alone.items()
    ]
    await people.seal_guests(tx, desk.connector, waiting)
    weighed.settled += [Key(batch.resource, s.id) for s in found if _plausible(s.email)]
    weighed.unchanged = len(rows)
    return weighed


async def customers(tx: Tx, desk: Desk, batch: Batch) -> Weighed:
    """An account is one face of a person; the face that was changed last speaks for them."""
    found, weighed = _readable(batch, Customer)
    read = await people.customers_read(tx, desk.connector, [customer.id for customer in found])
    fresh = [c for c in found if read.get(c.id, 0.0) <= batch.read_at]
    weighed.unchanged += len(found) - len(fresh)
    weighed.parked += [
        (Key(batch.resource, c.id), BAD_EMAIL if c.email else NO_EMAIL)
        for c in fresh
        if not _plausible(c.email)
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
    before = await people.remember_customers(tx, desk.connector, rows)
    fresh = [c for c in fresh if _plausible(c.email)]
    left = {before[id_]: id_ for id_, person in persons.items() if before.get(id_, person) != person}
    facts = await people.facts(tx, desk.connector, {*persons.values(), *left})
    # An account that is new to us takes its orders from those to whom they were billed.
    new = [id_ for id_ in persons if id_ not in before]
    stale = {*left, *await people.billed_elsewhere(tx, desk.connector, new)}
    weighed.again |= await _others(tx, desk, stale)
    bereft = [person for person in left if not facts[person].accounts]
    readers = await people.subscriptions_of(tx, desk.connector, bereft)
    weighed.again |= {Key(Resource.SUBSCRIBERS, id_) for id_ in readers}
    moved = {
        id_: person
        for person, id_ in left.items()
        if not facts[person].storefronts and facts[person].told.contact_id is not None
    }
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
        old = moved.get(customer.id)
        if old is not None and not facts[person].told.present:
            contact = replace(contact, rename=facts[old].told.contact_id)
        drafts.append((contact, moved.get(customer.id, b"")))
    await _tell_people(tx, desk, weighed, facts, drafts)
    await people.drop_guests(tx, desk.connector, persons.values())
    return weighed


async def guests(tx: Tx, desk: Desk, waiting: Sequence[people.Guest]) -> Weighed:
    """People without an account, from the record that told most of them."""
    weighed = Weighed(seen=len(waiting))
    facts = await people.facts(tx, desk.connector, [guest.person for guest in waiting])
    drafts: list[tuple[Contact, bytes]] = []
    for guest in waiting:
        about = facts[guest.person]
        if about.accounts:
            weighed.unchanged += 1
            continue
        resource = Resource.GUESTS if guest.resource == Resource.ORDERS else guest.resource
        customer = desk.secret.unseal(guest.sealed, guest.person, Customer)
        drafts.append((compose(guest.person, Key(resource, guest.id), customer, about), b""))
    await _tell_people(tx, desk, weighed, facts, drafts)
    await people.drop_guests(tx, desk.connector, {guest.person for guest in waiting})
    return weighed


async def _others(tx: Tx, desk: Desk, persons: Collection[bytes]) -> set[Key]:
    """The records that speak for these people: their accounts, else their newest order."""
    if not persons:
        return set()
    accounts = await people.accounts_of(tx, desk.connector, persons)
    orders = await people.last_orders(tx, desk.connector, set(persons) - accounts.keys())
    return {Key(Resource.CUSTOMERS, id_) for ids in accounts.values() for id_ in ids} | {
        Key(Resource.ORDERS, id_) for id_ in orders.values()
    }


def compose(person: bytes, key: Key, customer: Customer, facts: people.Facts) -> Contact:
    """Join a record with all that is known of the person."""
    bought = facts.purchases
    return Contact(
        person=person,
        key=key,
        customer=customer,
        metrics=Metrics(
            orders_count=bought.count,
            total_spent=(Decimal(bought.spent) / SCALE).quantize(Decimal("0.01")),
            first_order_date=None if bought.first is None else moment(bought.first),
            last_order_date=None if bought.last is None else moment(bought.last),
        ),
        consent=Consent.GRANTED if facts.granted else Consent.WITHHELD,
        storefronts=frozenset(facts.storefronts or {customer.storefront}),
        exists=facts.told.present,
        blocked_by_us=facts.told.blocked_by_us,
        told=facts.told.told,
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
    waiting = await outgoing.fingerprints(
        tx, desk.connector, outgoing.CONTACTS, [contact.person for contact, _, _ in numbered]
    )
    untold: list[bytes] = []
    for contact, number, left in numbered:
        about = facts[contact.person]
        if number and holders[desk.secret.phone(number)] != contact.person:
            weighed.notes.append("phone left out: another contact has the same number")
        elif number:
            contact = replace(contact, phone=number)  # noqa: PLW2901 - the same contact, completed
        write = desk.destination.contact(contact)
        if write is None:
            untold.append(contact.person)
            weighed.skipped += 1
            weighed.settled.append(contact.key)
            continue
        blocked = write.blocks or (about.told.blocked_by_us and write.consent != Consent.GRANTED)
        ticket = Ticket(write=write, about=contact.key, blocked=blocked, left_behind=left)
        if not weighed.offer(ticket, waiting.get(contact.person, about.told.fingerprint), refused):
            weighed.settled.append(contact.key)
            weighed.unchanged += contact.key not in refused
    await outgoing.drop(tx, desk.connector, outgoing.CONTACTS, untold)


def _guest(desk: Desk, person: bytes, key: Key, customer: Customer, read_at: float) -> people.Guest:
    return people.Guest(person, key.resource, key.id, desk.secret.seal(customer, person), read_at)


def _buyer(order: Order) -> Customer:
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


def _reader(subscriber: Subscriber) -> Customer:
    """What a newsletter record tells of somebody without account and orders."""
    return Customer(
        email=subscriber.email,
        first_name=subscriber.first_name,
        last_name=subscriber.last_name,
        storefront=subscriber.storefront,
    )


def _told(memory: Mapping[K, known.Known], key: K) -> bytes | None:
    entry = memory.get(key)
    return entry.fingerprint if entry else None


def _plausible(email: str) -> bool:
    return bool(_EMAIL.fullmatch(email.strip()))


def _readable(batch: Batch, kind: type[R]) -> tuple[list[R], Weighed]:
    """The records of a batch; what cannot be understood is parked, what is gone needs nothing here."""
    weighed = Weighed(seen=len(batch.changes))
    found = []
    for change in batch.changes:
        if isinstance(change.record, kind):
            found.append(change.record)
        elif change.flaw:
            weighed.parked.append((change.key, change.flaw))
        else:
            weighed.settled.append(change.key)
            weighed.skipped += 1
    return found, weighed
