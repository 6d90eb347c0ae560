"""What an audit finds, in a scratch database of its own; and what it asks and changes in a ledger for that.

A row is one thing in Brevo: a contact under its person, goods under their number there. First it is noted as
Brevo holds it, sealed; then judged, when the store says what it should be.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    and_,
    delete,
    exists,
    func,
    select,
    tuple_,
    update,
)

from tajo.sync.ledger.store import Ledger, Tx, upsert
from tajo.sync.ledger.tables import (
    Octets,
    carts,
    contacts,
    customers,
    due,
    known,
    orders,
    outgoing,
    refunds,
    runs,
    subscribers,
)
from tajo.sync.model import Key, Resource

AGREED, MISSING, DIFFERENT, GONE = "agreed", "missing", "different", "gone"
WAITING, PARKED = "waiting", "parked"

OPEN = (MISSING, DIFFERENT, GONE)
"""What is a difference."""

CONTACTS, FAILURES = "contacts", "failures"
"""Kinds of rows, beside those of goods: what is parked stands under its key."""

AT_ONCE = 500

_scratch = MetaData()

#: `held`: as Brevo holds it, sealed; null: it is not there. `state` null: nobody said what it should be.
#: `look`: the number of the look that judged it; `words`: the fields that differ, or the reason of a failure;
#: `sealed`: these fields with both their values.
_findings = Table(
    "findings",
    _scratch,
    Column("kind", String(16), primary_key=True),
    Column("name", Octets, primary_key=True),
    Column("held", Octets),
    Column("resource", String(16)),
    Column("id", BigInteger),
    Column("state", String(16)),
    Column("look", Integer),
    Column("words", Text),
    Column("sealed", Octets),
    sqlite_with_rowid=False,
)


class Finding(Struct, frozen=True, gc=False, kw_only=True):
    """A judgement, made in one of several looks. `words`: the fields that differ, or why it is a failure."""

    name: bytes
    key: Key
    state: str
    look: int
    words: tuple[str, ...] = ()
    sealed: bytes | None = None
    held: bytes | None = None


# --- the scratch database


async def make(tx: Tx) -> None:
    """Make the table."""
    await tx.run_sync(_scratch.create_all)


async def hold(tx: Tx, kind: str, rows: Mapping[bytes, bytes | None]) -> None:
    """Note how Brevo holds these, sealed; None: it does not."""
    told = [{"kind": kind, "name": name, "held": held} for name, held in rows.items()]
    await upsert(tx, _findings, told)


async def held(tx: Tx, kind: str, names: Collection[bytes]) -> dict[bytes, bytes]:
    """How Brevo holds these; what it does not hold is missing."""
    f = _findings.c
    query = select(f.name, f.held).where(f.kind == kind, f.name.in_(list(names)), f.held.is_not(None))
    return dict((await tx.execute(query)).all())


async def count_held(tx: Tx, kind: str) -> int:
    """How many of a kind Brevo holds."""
    f = _findings.c
    query = select(func.count()).select_from(_findings).where(f.kind == kind, f.held.is_not(None))
    return await tx.scalar(query) or 0


async def let_go(tx: Tx, kind: str) -> None:
    """All of this kind is read anew."""
    await tx.execute(update(_findings).where(_findings.c.kind == kind).values(held=None))


async def judge(tx: Tx, kind: str, findings: Iterable[Finding]) -> None:
    """Note judgements; the last of each thing counts."""
    rows = [
        {
            "kind": kind,
            "name": one.name,
            "resource": one.key.resource,
            "id": one.key.id,
            "state": one.state,
            "look": one.look,
            "words": msgspec.json.encode(one.words).decode(),
            "sealed": one.sealed,
        }
        for one in findings
    ]
    await upsert(tx, _findings, rows)


async def forget_judgements(tx: Tx) -> None:
    """Everything is looked at anew."""
    await tx.execute(delete(_findings))


async def all_of(
    notes: Ledger, kinds: Sequence[str], states: Collection[str]
) -> AsyncIterator[tuple[str, list[Finding]]]:
    """What is in one of these states, kind by kind, a few hundred at a time."""
    f = _findings.c
    for kind in kinds:
        after = b""
        while True:
            query = select(_findings).where(f.kind == kind, f.name > after, f.state.in_(list(states)))
            async with notes.begin() as tx:
                rows = (await tx.execute(query.order_by(f.name).limit(AT_ONCE))).all()
            if not rows:
                break
            yield kind, [_finding(row) for row in rows]
            after = rows[-1].name


async def examples(tx: Tx, resource: Resource, states: Collection[str], limit: int) -> list[Finding]:
    """The first findings of a resource, by id."""
    f = _findings.c
    query = select(_findings).where(f.resource == resource, f.state.in_(list(states)))
    rows = await tx.execute(query.order_by(f.id, f.name).limit(limit))
    return [_finding(row) for row in rows]


async def counts(tx: Tx) -> dict[tuple[Resource, str], int]:
    """How many there are, by resource and state."""
    f = _findings.c
    query = (
        select(f.resource, f.state, func.count()).where(f.state.is_not(None)).group_by(f.resource, f.state)
    )
    return {(Resource(resource), state): count for resource, state, count in await tx.execute(query)}


async def settle(tx: Tx, look: int) -> None:
    """What differed before this look, and of which it found nothing to say, is parked or as it should be."""
    f, p = _findings.c, _findings.alias().c
    before = and_(f.state.in_(OPEN), f.look < look, f.kind != FAILURES)
    failed = exists().where(p.kind == FAILURES, p.resource == f.resource, p.id == f.id)
    await tx.execute(update(_findings).where(before, failed).values(state=None))
    await tx.execute(update(_findings).where(before).values(state=AGREED))


async def put_off(tx: Tx, kind: str, names: Collection[bytes]) -> None:
    """These are still to be told: they do not differ yet."""
    f = _findings.c
    await tx.execute(
        update(_findings)
        .where(f.kind == kind, f.name.in_(list(names)), f.state.in_(OPEN))
        .values(state=WAITING)
    )


async def put_off_keys(tx: Tx, keys: Collection[Key]) -> None:
    """These goods are still to be told."""
    f = _findings.c
    for resource in {key.resource for key in keys}:
        ids = [key.id for key in keys if key.resource == resource]
        await tx.execute(
            update(_findings)
            .where(f.resource == resource, f.id.in_(ids), f.state.in_(OPEN), f.kind != CONTACTS)
            .values(state=WAITING)
        )


async def unjudged(tx: Tx, kind: str, names: Collection[bytes]) -> set[bytes]:
    """Those of these of which nobody said what they should be."""
    f = _findings.c
    query = select(f.name).where(f.kind == kind, f.name.in_(list(names)), f.state.is_not(None))
    return set(names) - set(await tx.scalars(query))


async def unjudged_ids(tx: Tx, resource: Resource, ids: Collection[int]) -> set[int]:
    """Those of these ids of which nobody said what they should be."""
    f = _findings.c
    query = select(f.id).where(f.resource == resource, f.id.in_(list(ids)), f.state.is_not(None))
    return set(ids) - set(await tx.scalars(query))


# --- a ledger


async def clear_the_desk(tx: Tx, connector: str) -> None:
    """In a copy of the ledger: nothing is begun, nothing waits."""
    running = (runs.c.connector == connector, runs.c.state == "running")
    await tx.execute(update(runs).where(*running).values(state="abandoned"))
    for table in (due, outgoing):
        await tx.execute(delete(table).where(table.c.connector == connector))


async def blank(tx: Tx, connector: str) -> None:
    """In a copy of the ledger: nobody knows any more what was told, so that all of it is told again.

    An empty fingerprint is one that nothing has; whoever was told nothing stays as they are.
    """
    c, k = contacts.c, known.c
    told = (c.connector == connector, c.fingerprint.is_not(None))
    await tx.execute(update(contacts).where(*told).values(fingerprint=b""))
    await tx.execute(update(known).where(k.connector == connector).values(fingerprint=b"", unsettled_at=None))


async def forget_goods(tx: Tx, connector: str, keys: Collection[Key]) -> None:
    """Nobody knows any more what was told of these."""
    k = known.c
    for resource in {key.resource for key in keys}:
        ids = [key.id for key in keys if key.resource == resource]
        mine = (k.connector == connector, k.resource == resource, k.id.in_(ids))
        await tx.execute(update(known).where(*mine).values(fingerprint=b""))


async def queued(ledger: Ledger, connector: str) -> AsyncIterator[list[Key]]:
    """All that is to be looked at, now or later, a few hundred at a time."""
    d, after = due.c, ("", 0)
    while True:
        query = select(d.resource, d.id).where(d.connector == connector, tuple_(d.resource, d.id) > after)
        async with ledger.begin() as tx:
            rows = (await tx.execute(query.order_by(d.resource, d.id).limit(AT_ONCE))).all()
        if not rows:
            return
        yield [Key(Resource(resource), id_) for resource, id_ in rows]
        after = tuple(rows[-1])


async def on_their_way(ledger: Ledger, connector: str) -> AsyncIterator[list[bytes]]:
    """Everybody whose contact waits to be told, a few hundred at a time."""
    async for names in _walk(ledger, outgoing.c.name, outgoing.c.connector == connector, _CONTACTS_WAIT):
        yield names


async def told_people(ledger: Ledger, connector: str) -> AsyncIterator[list[bytes]]:
    """Everybody of whom the destination holds what it was told, a few hundred at a time."""
    c = contacts.c
    told = and_(c.present, c.fingerprint.is_not(None))
    async for persons in _walk(ledger, c.person, c.connector == connector, told):
        yield persons


async def told_orders(ledger: Ledger, connector: str) -> AsyncIterator[list[int]]:
    """All orders that the destination was told of, a few hundred at a time."""
    k = known.c
    mine = and_(k.connector == connector, k.resource == Resource.ORDERS)
    async for ids in _walk(ledger, k.id, mine, k.fingerprint != b""):
        yield ids


async def touched(tx: Tx, connector: str, keys: Collection[Key]) -> set[bytes]:
    """Whose contacts may change when these are looked at."""
    ids = {resource: [key.id for key in keys if key.resource == resource] for resource in Resource}
    sales = [*ids[Resource.ORDERS], *ids[Resource.GUESTS]]
    r, o, c = refunds.c, orders.c, customers.c
    refunded = select(r.order_id).where(r.connector == connector, r.id.in_(ids[Resource.REFUNDS]))
    sales += await tx.scalars(refunded)
    buyers = select(c.person).where(
        c.connector == connector,
        c.id.in_(select(o.customer_id).where(o.connector == connector, o.id.in_(sales))),
    )
    persons = set(await tx.scalars(buyers))
    rows = {orders: sales} | {
        table: ids[resource]
        for resource, table in (
            (Resource.CUSTOMERS, customers),
            (Resource.SUBSCRIBERS, subscribers),
            (Resource.CARTS, carts),
        )
    }
    for table, wanted in rows.items():
        query = select(table.c.person).where(table.c.connector == connector, table.c.id.in_(wanted))
        persons |= set(await tx.scalars(query))
    return persons


async def told_since(tx: Tx, connector: str, persons: Collection[bytes], since: float) -> set[bytes]:
    """Those of these people who were told, or met in the destination, since a moment."""
    c = contacts.c
    query = select(c.person).where(c.connector == connector, c.person.in_(list(persons)), c.met_at >= since)
    return set(await tx.scalars(query))


async def unsettled(tx: Tx, connector: str, keys: Collection[Key], since: float) -> set[Key]:
    """Those of these goods of which a write that left since then may still take effect."""
    k, found = known.c, set()
    for resource in {key.resource for key in keys}:
        ids = [key.id for key in keys if key.resource == resource]
        mine = (k.connector == connector, k.resource == resource, k.id.in_(ids), k.unsettled_at > since)
        found |= {Key(resource, id_) for id_ in await tx.scalars(select(k.id).where(*mine))}
    return found


async def products_of(tx: Tx, connector: str, variants: Collection[int]) -> dict[int, int]:
    """The products of these variants."""
    k = known.c
    mine = (k.connector == connector, k.resource == Resource.VARIANTS, k.id.in_(list(variants)))
    rows = await tx.execute(select(k.id, k.parent).where(*mine, k.parent.is_not(None)))
    return dict(rows.all())


_CONTACTS_WAIT = outgoing.c.resource == CONTACTS


async def _walk(ledger: Ledger, column: Any, *where: Any) -> AsyncIterator[list[Any]]:
    """All values of a column of the primary key, in their order."""
    after: Any = None
    while True:
        query = select(column).where(*where).order_by(column).limit(AT_ONCE)
        async with ledger.begin() as tx:
            values = list(await tx.scalars(query if after is None else query.where(column > after)))
        if not values:
            return
        yield values
        after = values[-1]


def _finding(row: Any) -> Finding:
    words = msgspec.json.decode(row.words or "[]", type=tuple[str, ...])
    key = Key(Resource(row.resource), row.id)
    return Finding(
        name=row.name, key=key, state=row.state, look=row.look, words=words, sealed=row.sealed, held=row.held
    )
