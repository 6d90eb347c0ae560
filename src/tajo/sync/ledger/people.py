"""Who is who: accounts, newsletter records, guests and orders, joined by the person's keyed hash."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field, structs
from sqlalchemy import Select, and_, case, delete, exists, func, or_, select, true, tuple_, update

from tajo.sync.ledger.carts import ABANDONED
from tajo.sync.ledger.outgoing import CONTACTS
from tajo.sync.ledger.store import Row, Tx, upsert
from tajo.sync.ledger.tables import (
    carts,
    connectors,
    contacts,
    customers,
    departed,
    guests,
    orders,
    outgoing,
    phones,
    subscribers,
)
from tajo.sync.model import Consent, Key, Resource


class Told(Struct, frozen=True, kw_only=True):
    """What the destination was told of a person, and what it said of them.

    `left_at`: when the store was known to hold no consent of theirs, after they had left there.
    """

    contact_id: int | None = None
    fingerprint: bytes | None = None
    told: Consent | None = None
    blocked_by_us: bool = False
    present: bool = False
    abandoned: bool = False
    left_at: float | None = None


class Purchases(Struct):
    """What a person bought, from counted orders. Amounts in ten-thousandths, moments since 1970."""

    count: int = 0
    spent: int = 0
    first: float | None = None
    last: float | None = None

    def add(self, count: int, spent: int, first: float | None, last: float | None) -> None:
        """Join with the purchases of another account of the same person."""
        self.count += count
        self.spent += spent
        if first is not None and last is not None:
            self.first = first if self.first is None else min(self.first, first)
            self.last = last if self.last is None else max(self.last, last)


class Facts(Struct):
    """All that the ledger knows of one person. `primary`: the account that speaks for them.

    `granted`: they agreed to marketing mail; `carts_granted`: to mails about carts that they left behind.
    """

    accounts: set[int] = field(default_factory=set)
    primary: int = 0
    primary_rank: tuple[float, int] = (0.0, 0)
    purchases: Purchases = field(default_factory=Purchases)
    granted: bool = False
    carts_granted: bool = False
    storefronts: set[int] = field(default_factory=set)
    told: Told = Told()
    abandoned: bool = False


class Guest(Struct, frozen=True):
    """A sealed person who waits to be written; `resource` and `id` say which record they came from."""

    person: bytes
    resource: Resource
    id: int
    sealed: bytes
    read_at: float


async def facts(tx: Tx, connector: str, people: Collection[bytes]) -> dict[bytes, Facts]:
    """Everything about these people, in six queries however many they are.

    A consent counts if it was read since the store was known to hold none of theirs.
    """
    known = {person: Facts() for person in people}
    query = select(contacts).where(contacts.c.connector == connector, contacts.c.person.in_(people))
    for row in await tx.execute(query):
        known[row.person].told = _told(row)
    owner: dict[int, bytes] = {}
    c = customers.c
    for id_, person, storefront, modified in await tx.execute(
        select(c.id, c.person, c.storefront, c.modified_at).where(
            c.connector == connector, c.person.in_(people)
        )
    ):
        who, rank = known[person], (modified, id_)
        owner[id_] = person
        who.accounts.add(id_)
        who.storefronts.add(storefront)
        if rank > who.primary_rank:
            who.primary, who.primary_rank = id_, rank
    if owner:
        query = _purchases(orders.c.customer_id).where(
            orders.c.connector == connector, orders.c.customer_id.in_(list(owner))
        )
        for id_, *bought in await tx.execute(query.group_by(orders.c.customer_id, orders.c.storefront)):
            _note(known[owner[id_]], *bought)
    query = (
        _purchases(orders.c.person)
        .where(orders.c.connector == connector, orders.c.person.in_(people), _without_account())
        .group_by(orders.c.person, orders.c.storefront)
    )
    for person, *bought in await tx.execute(query):
        _note(known[person], *bought)
    s = subscribers.c
    for person, storefront, granted, carts_granted, read_at in await tx.execute(
        select(s.person, s.storefront, s.granted, s.carts_granted, s.read_at).where(
            s.connector == connector, s.person.in_(people)
        )
    ):
        known[person].granted |= granted and read_at >= (known[person].told.left_at or 0.0)
        known[person].carts_granted |= bool(carts_granted)
        known[person].storefronts.add(storefront)
    for person in await tx.scalars(
        select(carts.c.person).where(
            carts.c.connector == connector, carts.c.person.in_(people), carts.c.state == ABANDONED
        )
    ):
        known[person].abandoned = True
    return known


def _told(row: Any) -> Told:
    return Told(
        contact_id=row.contact_id,
        fingerprint=row.fingerprint,
        told=Consent(row.told) if row.told else None,
        blocked_by_us=row.blocked_by_us,
        present=row.present,
        abandoned=bool(row.abandoned),
        left_at=row.left_at,
    )


def _purchases(owner: Any) -> Select[Any]:
    """Per owner and storefront: count, amount, first and last of the counted orders."""
    o = orders.c

    def counted(value: Any) -> Any:
        return case((o.counted, value))

    return select(
        owner,
        o.storefront,
        func.count(counted(1)),
        func.coalesce(func.sum(counted(o.amount - o.refunded)), 0),
        func.min(counted(o.placed_at)),
        func.max(counted(o.placed_at)),
    )


def _note(
    who: Facts, storefront: int, count: int, spent: int, first: float | None, last: float | None
) -> None:
    who.storefronts.add(storefront)
    who.purchases.add(count, int(spent), first, last)


def _without_account() -> Any:
    """Orders of guests, and of accounts that are gone."""
    return or_(
        orders.c.customer_id == 0,
        ~exists().where(customers.c.connector == orders.c.connector, customers.c.id == orders.c.customer_id),
    )


async def remember_customers(tx: Tx, connector: str, rows: Sequence[Row]) -> dict[int, tuple[bytes, float]]:
    """Note accounts (rows of `customers` without connector).

    Returns of the known ones who they were before, and their date of change.
    """
    before = await _accounts(tx, connector, [row["id"] for row in rows])
    await upsert(tx, customers, [{"connector": connector, **row} for row in rows])
    return before


async def _accounts(tx: Tx, connector: str, ids: Collection[int]) -> dict[int, tuple[bytes, float]]:
    c = customers.c
    query = select(c.id, c.person, c.modified_at).where(c.connector == connector, c.id.in_(list(ids)))
    return {id_: (person, modified) for id_, person, modified in await tx.execute(query)}


async def remove_customers(tx: Tx, connector: str, ids: Collection[int]) -> set[bytes]:
    """These accounts are gone; returns whose they were."""
    before = await _accounts(tx, connector, ids)
    c = customers.c
    await tx.execute(delete(customers).where(c.connector == connector, c.id.in_(list(ids))))
    return {person for person, _ in before.values()}


async def remove_subscribers(tx: Tx, connector: str, ids: Collection[int]) -> set[bytes]:
    """These newsletter records are gone; returns whose they were."""
    s = subscribers.c
    where = (s.connector == connector, s.id.in_(list(ids)))
    persons = set(await tx.scalars(select(s.person).where(*where)))
    await tx.execute(delete(subscribers).where(*where))
    return persons


async def readers_among(tx: Tx, connector: str, persons: Collection[bytes]) -> set[bytes]:
    """Those of these people who have a newsletter record."""
    s = subscribers.c
    query = select(s.person).where(s.connector == connector, s.person.in_(list(persons)))
    return set(await tx.scalars(query))


async def depart(tx: Tx, connector: str, persons: Collection[bytes], at: float) -> None:
    """Note people whose account was deleted, those apart who have another one."""
    staying = await accounts_of(tx, connector, persons)
    rows = [{"connector": connector, "person": p, "at": at} for p in persons if p not in staying]
    await upsert(tx, departed, rows)


async def departed_at(tx: Tx, connector: str, persons: Collection[bytes]) -> dict[bytes, float]:
    """When these people's accounts were deleted; all others are missing."""
    d = departed.c
    query = select(d.person, d.at).where(d.connector == connector, d.person.in_(list(persons)))
    return dict((await tx.execute(query)).all())


async def rejoin(tx: Tx, connector: str, persons: Collection[bytes]) -> None:
    """These people are in the store again."""
    d = departed.c
    await tx.execute(delete(departed).where(d.connector == connector, d.person.in_(list(persons))))


async def leaving(tx: Tx, connector: str, limit: int) -> dict[bytes, Told]:
    """People who departed, and whom the destination, which knows them, has not been told to let go."""
    d, c = departed.c, contacts.c
    query = (
        select(contacts)
        .join(departed, and_(d.connector == c.connector, d.person == c.person))
        .where(
            c.connector == connector,
            c.present,
            c.fingerprint.is_not(None),
            c.contact_id.is_not(None),
        )
        .order_by(c.person)
        .limit(limit)
    )
    return {row.person: _told(row) for row in await tx.execute(query)}


async def release(tx: Tx, connector: str, persons: Collection[bytes]) -> None:
    """These people have left our lists: whatever they were told before is told anew if they come back."""
    c = contacts.c
    await tx.execute(
        update(contacts).where(c.connector == connector, c.person.in_(list(persons))).values(fingerprint=None)
    )


async def customers_read(tx: Tx, connector: str, ids: Iterable[int]) -> dict[int, float]:
    """When these accounts were last read."""
    c = customers.c
    rows = await tx.execute(select(c.id, c.read_at).where(c.connector == connector, c.id.in_(list(ids))))
    return dict(rows.all())


async def accounts_of(tx: Tx, connector: str, people: Collection[bytes]) -> dict[bytes, list[int]]:
    """The accounts of these people; those without one are missing."""
    found: dict[bytes, list[int]] = {}
    c = customers.c
    for person, id_ in await tx.execute(
        select(c.person, c.id).where(c.connector == connector, c.person.in_(people))
    ):
        found.setdefault(person, []).append(id_)
    return found


async def last_orders(tx: Tx, connector: str, people: Collection[bytes]) -> dict[bytes, int]:
    """The newest order of each of these people that no account claims."""
    rows = await tx.execute(
        select(orders.c.person, func.max(orders.c.id))
        .where(orders.c.connector == connector, orders.c.person.in_(people), _without_account())
        .group_by(orders.c.person)
    )
    return dict(rows.all())


async def subscriptions_of(tx: Tx, connector: str, persons: Collection[bytes]) -> list[int]:
    """The newsletter records of these people."""
    s = subscribers.c
    return list(await tx.scalars(select(s.id).where(s.connector == connector, s.person.in_(persons))))


async def speakers(tx: Tx, connector: str, persons: Collection[bytes]) -> set[Key]:
    """The records that speak for these people: their accounts, else their newest order."""
    if not persons:
        return set()
    accounts = await accounts_of(tx, connector, persons)
    orders = await last_orders(tx, connector, set(persons) - accounts.keys())
    return {Key(Resource.CUSTOMERS, id_) for ids in accounts.values() for id_ in ids} | {
        Key(Resource.ORDERS, id_) for id_ in orders.values()
    }


async def readers_alone(tx: Tx, connector: str, persons: Collection[bytes]) -> set[Key]:
    """The newsletter records of those of these people of whom nothing else tells."""
    alone = set(persons) - (await accounts_of(tx, connector, persons)).keys()
    alone -= (await last_orders(tx, connector, alone)).keys()
    return {Key(Resource.SUBSCRIBERS, id_) for id_ in await subscriptions_of(tx, connector, alone)}


async def spoken_for(tx: Tx, connector: str, persons: Collection[bytes]) -> set[bytes]:
    """Those of these people who have an account, an order that no account claims, or a newsletter record."""
    found = {*await accounts_of(tx, connector, persons), *await last_orders(tx, connector, persons)}
    return found | await readers_among(tx, connector, persons)


async def billed_elsewhere(tx: Tx, connector: str, accounts: Collection[int]) -> set[bytes]:
    """Whose e-mail stands on orders of these accounts without being the account's own."""
    c, o = customers.c, orders.c
    query = select(o.person).where(
        o.connector == connector,
        o.customer_id.in_(accounts),
        c.connector == connector,
        c.id == o.customer_id,
        c.person != o.person,
    )
    # Not DISTINCT in SQL: SQLite would walk the index of all persons to have them in order.
    return set(await tx.scalars(query))


async def remember_subscribers(tx: Tx, connector: str, rows: Sequence[Row]) -> set[bytes]:
    """Note newsletter records (rows of `subscribers`); returns whose wish is new or changed.

    What was read before something newer was known of the record is no news. Without a consent, it is also
    noted that there was none by then.
    """
    s = subscribers.c
    found = await tx.execute(
        select(s.id, s.person, s.granted, s.read_at, s.withheld_at).where(
            s.connector == connector, s.id.in_([row["id"] for row in rows])
        )
    )
    before, full = {row.id: row for row in found}, []
    rows = [row for row in rows if row["id"] not in before or before[row["id"]].read_at <= row["read_at"]]
    for row in rows:
        old = before.get(row["id"])
        withheld = old.withheld_at if old and old.person == row["person"] else None
        if not row["granted"]:
            withheld = max(withheld or 0.0, row["read_at"])
        full.append({"connector": connector, **row, "withheld_at": withheld})
    await upsert(tx, subscribers, full)
    wishes = {id_: (old.person, old.granted) for id_, old in before.items()}
    changed = {row["person"] for row in rows if wishes.get(row["id"]) != (row["person"], row["granted"])}
    moved = {before[row["id"]].person for row in rows if row["id"] in before}
    return changed | (moved - {row["person"] for row in rows})


async def remember_contacts(tx: Tx, connector: str, rows: Sequence[Row]) -> None:
    """Note what was told of people: full rows of `contacts` without connector and `present`.

    A `contact_id` of None leaves the one that is known. `left_at` is for those who are new here.
    """
    full = [{"connector": connector, "present": True, **row} for row in rows]
    kept = ("connector", "person", "contact_id", "left_at")
    told = [column.name for column in contacts.c if column.name not in kept]
    known = [row for row in full if row["contact_id"] is not None]
    await upsert(tx, contacts, [row for row in full if row["contact_id"] is None], overwrite=told)
    await upsert(tx, contacts, known, overwrite=[*told, "contact_id"])


async def forget_contact(tx: Tx, connector: str, people: Collection[bytes]) -> None:
    """These people are not in the destination under this e-mail any more."""
    for table in (contacts, phones):
        await tx.execute(delete(table).where(table.c.connector == connector, table.c.person.in_(people)))


async def meet_contacts(tx: Tx, connector: str, met: Iterable[tuple[bytes, int]], at: float) -> None:
    """Note that the destination holds these people: (person, contact_id)."""
    blank = {"fingerprint": None, "told": None, "blocked_by_us": False, "present": True, "abandoned": False}
    rows = [
        {"connector": connector, "person": person, "contact_id": id_, "met_at": at, **blank}
        for person, id_ in met
    ]
    await upsert(tx, contacts, rows, overwrite=("present", "contact_id", "met_at"))


async def is_there(tx: Tx, connector: str, person: bytes) -> bool:
    """Whether the destination is known to hold this person."""
    c = contacts.c
    return bool(await tx.scalar(select(c.present).where(c.connector == connector, c.person == person)))


async def lift_blocks(tx: Tx, connector: str, people: Collection[bytes]) -> None:
    """These people are not blocklisted, whatever was so: somebody lifted it there."""
    c = contacts.c
    await tx.execute(
        update(contacts)
        .where(c.connector == connector, c.person.in_(people), or_(c.blocked_by_us, c.left_at.is_not(None)))
        .values(blocked_by_us=False, left_at=None)
    )


async def note_leave(tx: Tx, connector: str, person: bytes, at: float, *, said: float, taken: bool) -> None:
    """The store holds no consent of theirs any more, for they left at the destination.

    `said`: the moment for which this settles it. `taken`: it held a consent until now; else it may have, if
    one was told of.
    """
    s, c = subscribers.c, contacts.c
    await tx.execute(
        update(subscribers)
        .where(s.connector == connector, s.person == person)
        .values(granted=False, read_at=at, withheld_at=max(at, said))
    )
    had = true() if taken else c.told == Consent.GRANTED
    await tx.execute(
        update(contacts).where(c.connector == connector, c.person == person, had).values(left_at=at)
    )


async def withheld_at(tx: Tx, connector: str, person: bytes) -> float | None:
    """The last moment at which the store is known to have held no consent of theirs; None: of none."""
    s = subscribers.c
    query = select(func.min(func.coalesce(s.withheld_at, 0.0)))
    return await tx.scalar(query.where(s.connector == connector, s.person == person)) or None


async def end_leaves(tx: Tx, connector: str, left: Mapping[bytes, float]) -> None:
    """These people may be written to again: who, and which leave this ends. A later one stands."""
    c = contacts.c
    for person, at in left.items():
        await tx.execute(
            update(contacts)
            .where(c.connector == connector, c.person == person, c.left_at == at)
            .values(left_at=None)
        )


async def own_blocks(tx: Tx, connector: str, people: Collection[bytes]) -> None:
    """These people are blocklisted: by us, if what waits for them, or waited before it, may have done so."""
    c, o = contacts.c, outgoing.c
    waits = exists().where(
        o.connector == c.connector, o.resource == CONTACTS, o.name == c.person, o.blocked.is_(True)
    )
    await tx.execute(
        update(contacts)
        .where(c.connector == connector, c.person.in_(people), waits)
        .values(blocked_by_us=True)
    )


async def blocked_by_us(tx: Tx, person: bytes) -> bool:
    """Whether we blocklisted this contact, for any of the stores, or may have, by what waits to be told.

    All stores share the destination's account.
    """
    c, o = contacts.c, outgoing.c
    stores = select(connectors.c.connector)
    told = exists().where(c.connector.in_(stores), c.person == person, c.blocked_by_us)
    waits = exists().where(
        o.connector.in_(stores), o.resource == CONTACTS, o.name == person, o.blocked.is_(True)
    )
    return bool(await tx.scalar(select(or_(told, waits))))


async def miss_contacts(tx: Tx, connector: str, before: float) -> int:
    """All contacts were looked at since `before`: those that were not met are gone, and will be told anew."""
    gone = (
        update(contacts)
        .where(
            contacts.c.connector == connector,
            contacts.c.present,
            or_(contacts.c.met_at.is_(None), contacts.c.met_at < before),
        )
        .values(
            present=False,
            fingerprint=None,
            contact_id=None,
            told=None,
            blocked_by_us=False,
            abandoned=False,
            left_at=None,
        )
    )
    return (await tx.execute(gone)).rowcount


async def claim_phones(tx: Tx, connector: str, claims: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Claim a phone for each person, first come, first served; returns who holds each phone.

    `claims`: person to phone (empty: has none). A phone that a person does not have any more is free again.
    """
    p = phones.c
    held = await tx.execute(
        select(p.phone, p.person).where(p.connector == connector, p.person.in_(list(claims)))
    )
    left = [phone for phone, person in held if claims[person] != phone]
    if left:
        await tx.execute(delete(phones).where(p.connector == connector, p.phone.in_(left)))
    wanted: dict[bytes, bytes] = {}
    for person, phone in claims.items():
        if phone:
            wanted.setdefault(phone, person)
    rows = [{"connector": connector, "phone": phone, "person": who} for phone, who in wanted.items()]
    await upsert(tx, phones, rows, overwrite=())
    owners = await tx.execute(
        select(p.phone, p.person).where(p.connector == connector, p.phone.in_(list(wanted)))
    )
    return dict(owners.all())


async def seal_guests(tx: Tx, connector: str, found: Sequence[Guest]) -> None:
    """Keep people who wait. An order tells more of them than a newsletter record, a newer one still more."""
    rows = [{"connector": connector, **structs.asdict(guest)} for guest in found]
    await upsert(
        tx,
        guests,
        rows,
        when=lambda new: or_(
            guests.c.resource == Resource.SUBSCRIBERS,
            and_(new.resource == Resource.ORDERS, new.id >= guests.c.id),
        ),
    )


async def sealed_guests(tx: Tx, connector: str, after: tuple[str, int], limit: int) -> list[Guest]:
    """The next people who wait, in the order of their records: a stable order, whatever the hashes are."""
    g = guests.c
    rows = await tx.execute(
        select(g.person, g.resource, g.id, g.sealed, g.read_at)
        .where(g.connector == connector, tuple_(g.resource, g.id) > after)
        .order_by(g.resource, g.id)
        .limit(limit)
    )
    return [Guest(person, Resource(resource), id_, sealed, at) for person, resource, id_, sealed, at in rows]


async def drop_guests(tx: Tx, connector: str, people: Collection[bytes]) -> None:
    """These people need not wait any more."""
    await tx.execute(delete(guests).where(guests.c.connector == connector, guests.c.person.in_(people)))


async def count_guests(tx: Tx, connector: str) -> int:
    """How many people wait."""
    query = select(func.count()).select_from(guests).where(guests.c.connector == connector)
    return await tx.scalar(query) or 0


async def orphans(tx: Tx, connector: str) -> list[int]:
    """The newest order of everybody whose account is gone and whose contact was never written."""
    o = orders.c
    query = (
        select(func.max(o.id))
        .where(
            o.connector == connector,
            o.customer_id != 0,
            ~exists().where(customers.c.connector == connector, customers.c.id == o.customer_id),
            ~exists().where(
                contacts.c.connector == connector,
                contacts.c.person == o.person,
                contacts.c.fingerprint.is_not(None),
            ),
            ~exists().where(departed.c.connector == connector, departed.c.person == o.person),
        )
        .group_by(o.person)
    )
    return list(await tx.scalars(query))


async def counts(tx: Tx, connector: str) -> dict[str, int]:
    """How many customers, orders and contacts are known."""
    found = {}
    for name, table in (("customers", customers), ("orders", orders)):
        query = select(func.count()).select_from(table).where(table.c.connector == connector)
        found[name] = await tx.scalar(query) or 0
    query = select(func.count()).select_from(contacts)
    told = query.where(contacts.c.connector == connector, contacts.c.fingerprint.is_not(None))
    found["contacts"] = await tx.scalar(told) or 0
    return found
