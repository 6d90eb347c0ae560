"""What is rendered and waits to be told, sealed, until the destination has answered.

Contacts stand under their person, so a newer one takes the place of an older one; events under what
makes them this event, so the same difference found again is still one event.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct, structs
from sqlalchemy import bindparam, delete, func, select, update

from tajo.sync.ledger.store import Tx, upsert
from tajo.sync.ledger.tables import outgoing

CONTACTS, EVENTS = "contacts", "events"

#: The moment that never comes: what was refused waits for it.
PARKED = 1e15


class Waiting(Struct, frozen=True, gc=False):
    """One rendered write. `lane` None: it goes alone; `size`: bytes of its body; `at`: not before.

    `blocked`, `granted`: by this write, or one whose place it took, the contact may be blocklisted by us, or
    told as one who agreed. `leaves`: the person whose contact it renames. `abandoned`: and on the list
    of carts left behind.
    """

    name: bytes
    lane: str | None
    size: int
    fingerprint: bytes
    sealed: bytes
    at: float = 0.0
    blocked: bool = False
    granted: bool = False
    leaves: bytes | None = None
    abandoned: bool = False


async def put(tx: Tx, connector: str, kind: str, rows: Iterable[Waiting]) -> None:
    """Keep these until they are told."""
    full = [{"connector": connector, "resource": kind, **structs.asdict(row)} for row in rows]
    await upsert(tx, outgoing, full)


async def fingerprints(tx: Tx, connector: str, kind: str, names: Collection[bytes]) -> dict[bytes, bytes]:
    """What waits under these names: the fingerprints of the payloads."""
    o = outgoing.c
    rows = await tx.execute(
        select(o.name, o.fingerprint).where(
            o.connector == connector, o.resource == kind, o.name.in_(list(names))
        )
    )
    return dict(rows.all())


async def sealed(tx: Tx, connector: str, kind: str, names: Collection[bytes]) -> dict[bytes, bytes]:
    """What waits under these names."""
    o = outgoing.c
    rows = await tx.execute(
        select(o.name, o.sealed).where(o.connector == connector, o.resource == kind, o.name.in_(list(names)))
    )
    return dict(rows.all())


class Maybe(Struct, frozen=True):
    """What a person may have been told already by what waits."""

    blocked: bool = False
    granted: bool = False
    abandoned: bool = False


async def maybe_told(tx: Tx, connector: str, names: Collection[bytes]) -> dict[bytes, Maybe]:
    """What these people may have been told already; those for whom nothing waits are missing."""
    o = outgoing.c
    query = select(o.name, o.blocked, o.granted, o.abandoned).where(
        o.connector == connector, o.resource == CONTACTS, o.name.in_(list(names))
    )
    return {name: Maybe(*map(bool, told)) for name, *told in await tx.execute(query)}


async def left(tx: Tx, connector: str, names: Collection[bytes]) -> set[bytes]:
    """Those of these people whose contact is to become another's."""
    o = outgoing.c
    query = select(o.leaves).where(
        o.connector == connector, o.resource == CONTACTS, o.leaves.in_(list(names))
    )
    return set(await tx.scalars(query))


async def sizes(tx: Tx, connector: str, kind: str, *, now: float) -> dict[str | None, int]:
    """How many bytes may go by now, by lane."""
    o = outgoing.c
    query = select(o.lane, func.sum(o.size)).where(o.connector == connector, o.resource == kind, o.at <= now)
    return {lane: int(size) for lane, size in await tx.execute(query.group_by(o.lane))}


async def next_of(
    tx: Tx, connector: str, kind: str, lane: str | None, *, after: bytes, now: float, limit: int
) -> list[Waiting]:
    """The next of a lane that may go by now, in the order of their names."""
    o = outgoing.c
    rows = await tx.execute(
        select(o.name, o.lane, o.size, o.fingerprint, o.sealed, o.at)
        .where(
            o.connector == connector,
            o.resource == kind,
            o.lane.is_(None) if lane is None else o.lane == lane,
            o.name > after,
            o.at <= now,
        )
        .order_by(o.name)
        .limit(limit)
    )
    return [Waiting(*row) for row in rows]


async def drop(tx: Tx, connector: str, kind: str, names: Collection[bytes]) -> None:
    """These need not wait any more."""
    o = outgoing.c
    await tx.execute(
        delete(outgoing).where(o.connector == connector, o.resource == kind, o.name.in_(list(names)))
    )


async def drop_as_read(tx: Tx, connector: str, kind: str, row: Waiting) -> None:
    """This need not wait any more, unless it was put anew since then: nothing is sealed alike twice."""
    o = outgoing.c
    await tx.execute(
        delete(outgoing).where(
            o.connector == connector, o.resource == kind, o.name == row.name, o.sealed == row.sealed
        )
    )


async def put_off(tx: Tx, connector: str, kind: str, until: Mapping[bytes, float]) -> None:
    """These may not go before a moment: name to seconds since 1970."""
    if not until:
        return
    o = outgoing.c
    statement = (
        update(outgoing)
        .where(o.connector == connector, o.resource == kind, o.name == bindparam("whose"))
        .values(at=bindparam("moment"))
    )
    await tx.execute(statement, [{"whose": name, "moment": at} for name, at in until.items()])


async def hasten(tx: Tx, connector: str) -> None:
    """Whatever was put off may go now, but for what is parked."""
    o = outgoing.c
    await tx.execute(update(outgoing).where(o.connector == connector, o.at > 0, o.at < PARKED).values(at=0))


async def parked(tx: Tx, connector: str) -> list[bytes]:
    """The names of events that are parked."""
    o = outgoing.c
    query = select(o.name).where(o.connector == connector, o.resource == EVENTS, o.at >= PARKED)
    return list(await tx.scalars(query))


async def next_due(tx: Tx, connector: str) -> float | None:
    """When the next of what was put off may go; None if nothing was."""
    o = outgoing.c
    query = select(func.min(o.at)).where(o.connector == connector, o.at > 0, o.at < PARKED)
    at: float | None = await tx.scalar(query)
    return at


async def count(tx: Tx, connector: str) -> int:
    """How much waits."""
    query = select(func.count()).select_from(outgoing).where(outgoing.c.connector == connector)
    return await tx.scalar(query) or 0
