"""What is to be looked at again, and what is parked until a human or a change lets it go.

What is parked stands in the list of failures, unless a human has dismissed it. Then it stays, and is known;
but it is no failure any more, until it is refused for something else.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence, Set
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, and_, case, delete, func, literal, or_, select, tuple_, update

from tajo.sync.ledger.store import Tx, upsert
from tajo.sync.ledger.tables import due, parked
from tajo.sync.model import Key, Resource

_PARKED = select(*(column for column in parked.c if column.name != "connector"))


class Parked(Struct, frozen=True):
    """A record that could not be delivered. Moments are seconds since 1970.

    `fingerprint`: the payload that was refused, None where it came to none. `dismissed_at`: when it left the
    list of failures.
    """

    key: Key
    reason: str
    since: float
    last: float = 0.0
    attempts: int = 0
    fingerprint: bytes | None = None
    dismissed_at: float | None = None


class Refusal(Struct, frozen=True):
    """The payload of a parked key that was refused, and whether a human has dismissed that."""

    fingerprint: bytes | None
    dismissed: bool


async def enqueue(
    tx: Tx, connector: str, keys: Iterable[Key], *, now: float, at: float | None = None
) -> None:
    """Look at these again, `at` a moment (None: now). Asking twice is asking once.

    A wish that was made later than `now` stands: it is not put off, and not taken for fulfilled by a look
    from before it.
    """
    rows = [
        {
            "connector": connector,
            "resource": key.resource,
            "id": key.id,
            "queued_at": now,
            "at": now if at is None else at,
        }
        for key in keys
    ]

    def merged(new: Any) -> dict[str, Any]:
        newer = due.c.queued_at > new.queued_at
        sooner = case((due.c.at < new.at, due.c.at), else_=new.at)
        return {
            "queued_at": case((newer, due.c.queued_at), else_=new.queued_at),
            "at": case((newer, sooner), else_=new.at),
        }

    await upsert(tx, due, rows, merge=merged)


async def due_keys(
    tx: Tx,
    connector: str,
    resources: Collection[Resource],
    *,
    now: float,
    limit: int,
    early: float = 0.0,
    queued_before: float = 0.0,
) -> dict[Key, float]:
    """What of these resources is to be looked at by now, and since when, one resource after the other.

    Of each the oldest first. `early`: so many seconds before its time. What was queued before a moment need
    not be due yet. A second look at what was denied is never early.
    """
    hurried = or_(due.c.at <= now + early, due.c.queued_at < queued_before)
    rows = await tx.execute(
        select(due.c.resource, due.c.id, due.c.at)
        .where(
            due.c.connector == connector,
            due.c.resource.in_(resources),
            or_(due.c.at <= now, and_(hurried, due.c.denied_at.is_(None))),
        )
        .order_by(due.c.resource, due.c.at, due.c.id)
        .limit(limit)
    )
    return {Key(Resource(row.resource), row.id): row.at for row in rows}


async def looked_at(tx: Tx, connector: str, keys: Collection[Key], read_at: float) -> None:
    """These were read at that moment: wishes from before are fulfilled."""
    for resource in {key.resource for key in keys}:
        await tx.execute(
            delete(due).where(
                due.c.connector == connector,
                due.c.resource == resource,
                due.c.id.in_([key.id for key in keys if key.resource == resource]),
                due.c.queued_at <= read_at,
            )
        )


async def deny(tx: Tx, connector: str, keys: Set[Key], read_at: float, *, again_after: float) -> None:
    """A look did not find these and is not believed: they are looked at again, so many seconds after the
    first such look."""
    before = await denied(tx, connector, keys)
    first = {key: before.get(key, read_at) for key in keys}
    for moment in set(first.values()):
        some = [key for key in keys if first[key] == moment]
        await enqueue(tx, connector, some, now=read_at, at=moment + again_after)
    for resource, ids in _by_resource(keys - before.keys()):
        await tx.execute(update(due).where(*_these(connector, resource, ids)).values(denied_at=read_at))


async def denied(tx: Tx, connector: str, keys: Collection[Key]) -> dict[Key, float]:
    """Of these keys those that a look did not find that was not believed, and when the first of them was."""
    found: dict[Key, float] = {}
    for resource, ids in _by_resource(keys):
        rows = await tx.execute(
            select(due.c.id, due.c.denied_at).where(
                *_these(connector, resource, ids), due.c.denied_at.is_not(None)
            )
        )
        found |= {Key(Resource(resource), row.id): row.denied_at for row in rows}
    return found


async def found(tx: Tx, connector: str, keys: Collection[Key]) -> None:
    """These are there after all."""
    for resource, ids in _by_resource(keys):
        await tx.execute(update(due).where(*_these(connector, resource, ids)).values(denied_at=None))


def _by_resource(keys: Collection[Key]) -> Iterable[tuple[str, list[int]]]:
    for resource in {key.resource for key in keys}:
        yield resource, [key.id for key in keys if key.resource == resource]


def _these(connector: str, resource: str, ids: Collection[int]) -> tuple[ColumnElement[bool], ...]:
    return due.c.connector == connector, due.c.resource == resource, due.c.id.in_(ids)


async def next_due(tx: Tx, connector: str, resources: Collection[Resource]) -> float | None:
    """When the next thing of these resources is to be looked at; None if nothing is."""
    query = select(func.min(due.c.at)).where(
        due.c.connector == connector, due.c.resource.in_(list(resources))
    )
    at: float | None = await tx.scalar(query)
    return at


async def awaited(tx: Tx, connector: str, keys: Collection[Key]) -> set[Key]:
    """Which of these keys are queued: somebody has said that there is something to look at."""
    rows = await tx.execute(
        select(due.c.resource, due.c.id).where(
            due.c.connector == connector,
            due.c.resource.in_({key.resource for key in keys}),
            due.c.id.in_({key.id for key in keys}),
        )
    )
    return {Key(Resource(resource), id_) for resource, id_ in rows}.intersection(keys)


async def count_due(tx: Tx, connector: str, *, by: float = math.inf) -> int:
    """How many keys wait to be looked at until a moment; left out: now or later."""
    query = select(func.count()).select_from(due).where(due.c.connector == connector)
    return await tx.scalar(query if by == math.inf else query.where(due.c.at <= by)) or 0


async def park(
    tx: Tx, connector: str, refusals: Iterable[tuple[Key, str, bytes | None]], *, now: float
) -> set[Key]:
    """Keep (key, reason, fingerprint of the refused payload) until it changes or is replayed.

    Returns those that are no news: a human has dismissed the same payload, refused for the same reason. Where
    there is no payload the reason alone says that it is the same.
    """
    wanted = {key: (reason, fingerprint) for key, reason, fingerprint in refusals}
    before = {entry.key: entry for entry in await parked_of(tx, connector, list(wanted))}
    rows, dismissed = [], set()
    for key, (reason, fingerprint) in wanted.items():
        old = before.get(key)
        if old and old.dismissed_at is not None and (old.reason, old.fingerprint) == (reason, fingerprint):
            dismissed.add(key)
        rows.append(
            {
                "connector": connector,
                "resource": key.resource,
                "id": key.id,
                "reason": reason,
                "fingerprint": fingerprint,
                "since": old.since if old else now,
                "last": now,
                "attempts": old.attempts + 1 if old else 1,
                "dismissed_at": old.dismissed_at if old and key in dismissed else None,
            }
        )
    await upsert(tx, parked, rows)
    return dismissed


async def dismiss(tx: Tx, connector: str, keys: Collection[Key], at: float) -> None:
    """A human has seen these and leaves them as they are: they are failures no more."""
    for resource, ids in _by_resource(keys):
        await tx.execute(
            update(parked)
            .where(
                parked.c.connector == connector,
                parked.c.resource == resource,
                parked.c.id.in_(ids),
                parked.c.dismissed_at.is_(None),
            )
            .values(dismissed_at=at)
        )


async def parked_again(tx: Tx, connector: str, before: Sequence[Parked]) -> None:
    """Of those that are parked once more after another try: since when, and how many tries that makes.

    What had been dismissed stands in the list again: who tries it again wants to know.
    """
    there = {entry.key for entry in await parked_of(tx, connector, [entry.key for entry in before])}
    for old in before:
        if old.key in there:
            await tx.execute(
                update(parked)
                .where(
                    parked.c.connector == connector,
                    parked.c.resource == old.key.resource,
                    parked.c.id == old.key.id,
                )
                .values(since=old.since, attempts=parked.c.attempts + old.attempts, dismissed_at=None)
            )


async def unpark(tx: Tx, connector: str, keys: Collection[Key]) -> None:
    """These got through, or are gone."""
    for resource, ids in _by_resource(keys):
        await tx.execute(
            delete(parked).where(
                parked.c.connector == connector, parked.c.resource == resource, parked.c.id.in_(ids)
            )
        )


async def parked_of(tx: Tx, connector: str, keys: Sequence[Key]) -> list[Parked]:
    """Those of these keys that are parked, dismissed or not."""
    if not keys:
        return []
    p = parked.c
    by_resource = [and_(p.resource == resource, p.id.in_(ids)) for resource, ids in _by_resource(keys)]
    query = _PARKED.where(p.connector == connector, or_(*by_resource))
    rows = await tx.execute(query.order_by(p.since, p.resource, p.id))
    return [_as_parked(row) for row in rows]


async def refused_before(tx: Tx, connector: str, keys: Collection[Key]) -> dict[Key, Refusal]:
    """Of these keys, the parked ones and what was refused."""
    found: dict[Key, Refusal] = {}
    for resource, ids in _by_resource(keys):
        rows = await tx.execute(
            select(parked.c.id, parked.c.fingerprint, parked.c.dismissed_at.is_not(None)).where(
                parked.c.connector == connector, parked.c.resource == resource, parked.c.id.in_(ids)
            )
        )
        found |= {
            Key(Resource(resource), id_): Refusal(refused, bool(dismissed))
            for id_, refused, dismissed in rows
        }
    return found


async def all_parked(tx: Tx, connector: str) -> list[Parked]:
    """Everything that stands in the list, oldest first."""
    p = parked.c
    query = _PARKED.where(*_whose(connector, dismissed=False))
    rows = await tx.execute(query.order_by(p.since, p.resource, p.id))
    return [_as_parked(row) for row in rows]


async def parked_after(
    tx: Tx, connector: str, last: Parked | None, *, limit: int, dismissed: bool | None = False
) -> list[Parked]:
    """What stands in the list, or was `dismissed` (None: both), oldest first, behind `last`."""
    p = parked.c
    query = _PARKED.where(*_whose(connector, dismissed))
    if last is not None:
        behind = tuple_(p.since, p.resource, p.id)
        query = query.where(behind > tuple_(*map(literal, (last.since, str(last.key.resource), last.key.id))))
    rows = await tx.execute(query.order_by(p.since, p.resource, p.id).limit(limit))
    return [_as_parked(row) for row in rows]


async def count_parked(tx: Tx, connector: str, *, dismissed: bool = False) -> int:
    """How much stands in the list, or was `dismissed`."""
    query = select(func.count()).select_from(parked).where(*_whose(connector, dismissed))
    return await tx.scalar(query) or 0


def _whose(connector: str, dismissed: bool | None) -> Iterable[ColumnElement[bool]]:
    yield parked.c.connector == connector
    if dismissed is not None:
        yield parked.c.dismissed_at.is_not(None) if dismissed else parked.c.dismissed_at.is_(None)


def _as_parked(row: Any) -> Parked:
    return Parked(
        key=Key(Resource(row.resource), row.id),
        reason=row.reason,
        since=row.since,
        last=row.last,
        attempts=row.attempts,
        fingerprint=row.fingerprint,
        dismissed_at=row.dismissed_at,
    )
