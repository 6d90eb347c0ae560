"""How a connector stands, resource by resource, and who waits in which skill: what people look at."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, case, func, select

from tajo.sync.ledger.outgoing import PARKED
from tajo.sync.ledger.store import Tx
from tajo.sync.ledger.tables import cursors, due, outgoing, parked, sequences
from tajo.sync.model import Key, Resource


class Part(Struct, frozen=True):
    """What waits of one resource. Moments are seconds since 1970, 0: never.

    `due`: records that are to be looked at by now, `oldest`: since when the first of them is; `outgoing`:
    what is ready and waits to be told; `parked`: failures that were not dismissed. `swept`: when the last
    sweep began that met all.
    """

    due: int = 0
    oldest: float = 0.0
    outgoing: int = 0
    parked: int = 0
    swept: float = 0.0


class Waiting(Struct, frozen=True):
    """Sequences of one skill: how many wait, when the next step is due, how many a refusal has stopped."""

    count: int
    next: float | None
    stopped: int


class Upcoming(Struct, frozen=True):
    """A sequence that waits: what it is about, its next step (from 0), when it began, when it goes on."""

    subject: Key
    step: int
    began: float
    due: float


async def parts(tx: Tx, connector: str, now: float) -> dict[str, Part]:
    """By resource; those of which nothing is known are missing."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for names, query in _parts(connector, now):
        for resource, *values in await tx.execute(query):
            found[resource] |= {name: value or 0 for name, value in zip(names, values, strict=True)}
    return {resource: Part(**values) for resource, values in found.items()}


def _parts(connector: str, now: float) -> tuple[tuple[tuple[str, ...], Select[Any]], ...]:
    d, o, p, c = due.c, outgoing.c, parked.c, cursors.c
    return (
        (
            ("due", "oldest"),
            select(d.resource, func.count(), func.min(d.at))
            .where(d.connector == connector, d.at <= now)
            .group_by(d.resource),
        ),
        (
            ("outgoing",),
            select(o.resource, func.count())
            .where(o.connector == connector, o.at < PARKED)
            .group_by(o.resource),
        ),
        (
            ("parked",),
            select(p.resource, func.count())
            .where(p.connector == connector, p.dismissed_at.is_(None))
            .group_by(p.resource),
        ),
        (("swept",), select(c.resource, c.started_at).where(c.connector == connector, c.done)),
    )


async def waiting(tx: Tx, connector: str) -> dict[str, Waiting]:
    """By skill, how many wait, and when the first of them goes on."""
    s = sequences.c
    moves = case((s.due < PARKED, s.due))
    query = select(s.skill, func.count(), func.min(moves), func.count() - func.count(moves))
    rows = await tx.execute(query.where(s.connector == connector).group_by(s.skill))
    return {skill: Waiting(*rest) for skill, *rest in rows}


async def steps(tx: Tx, connector: str) -> dict[str, dict[int, int]]:
    """By skill and next step (from 0), how many wait; those that a refusal has stopped included."""
    s = sequences.c
    query = select(s.skill, s.step, func.count()).where(s.connector == connector)
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for skill, step, count in await tx.execute(query.group_by(s.skill, s.step).order_by(s.skill, s.step)):
        found[skill][step] = count
    return found


async def upcoming(tx: Tx, connector: str, skill: str, *, limit: int) -> list[Upcoming]:
    """Sequences of a skill, in the order in which they go on."""
    s = sequences.c
    rows = await tx.execute(
        select(s.resource, s.id, s.step, s.began, s.due)
        .where(s.connector == connector, s.skill == skill, s.due < PARKED)
        .order_by(s.due, s.id)
        .limit(limit)
    )
    return [Upcoming(Key(Resource(resource), id_), *rest) for resource, id_, *rest in rows]
