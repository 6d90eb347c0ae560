"""Sequences that wait for their next step, and the deeds that were done in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import and_, delete, func, or_, select, update

from tajo.sync.ledger.outgoing import PARKED
from tajo.sync.ledger.store import Row, Tx, upsert
from tajo.sync.ledger.tables import deeds, orders, rounds, sequences
from tajo.sync.model import Key, Resource

BEGUN, DONE = "begun", "done"


class Kept(Struct, frozen=True, kw_only=True):
    """A sequence as it is kept. `sealed`: who and about what; `step`: the next one, from 0.

    `occasion`: another sequence of the same skill, for the same person and about the same subject, runs
    beside it if it has another. `began`, `due`: seconds since 1970.
    """

    skill: str
    subject: Key
    person: bytes
    occasion: str
    step: int
    began: float
    due: float
    event: str
    sealed: bytes


class Sent(Struct, frozen=True):
    """Marketing messages of the last day to one person: how many, and when the first of them went."""

    count: int = 0
    first: float | None = None


async def begin(tx: Tx, connector: str, kept: Iterable[Kept], *, restart: bool) -> None:
    """Keep these; one that runs already is left alone, or with `restart` begins anew."""
    rows = [
        {
            "connector": connector,
            "skill": one.skill,
            "resource": one.subject.resource,
            "id": one.subject.id,
            "person": one.person,
            "occasion": one.occasion,
            "step": one.step,
            "began": one.began,
            "due": one.due,
            "event": one.event,
            "sealed": one.sealed,
        }
        for one in kept
    ]
    await upsert(tx, sequences, rows, overwrite=None if restart else ())


async def end(tx: Tx, connector: str, skills: Collection[str], *, person: bytes, subject: Key) -> int:
    """These skills are over for this person, and about this subject; returns how many sequences ended."""
    s = sequences.c
    about = and_(s.resource == subject.resource, s.id == subject.id)
    gone = await tx.execute(
        delete(sequences).where(
            s.connector == connector, s.skill.in_(list(skills)), or_(s.person == person, about)
        )
    )
    return gone.rowcount


async def due(tx: Tx, connector: str, *, now: float, limit: int) -> list[Kept]:
    """Whose next step is due, longest first."""
    s = sequences.c
    rows = await tx.execute(
        select(sequences).where(s.connector == connector, s.due <= now).order_by(s.due).limit(limit)
    )
    return [_kept(row) for row in rows]


async def waiting(
    tx: Tx, connector: str, skill: str, *, person: bytes | None, subject: Key | None
) -> list[Kept]:
    """Sequences of a skill for this person and about this subject (None: any), the first due first."""
    s = sequences.c
    query = select(sequences).where(s.connector == connector, s.skill == skill).order_by(s.due)
    if person is not None:
        query = query.where(s.person == person)
    if subject is not None:
        query = query.where(s.resource == subject.resource, s.id == subject.id)
    return [_kept(row) for row in await tx.execute(query)]


def _kept(row: Any) -> Kept:
    return Kept(
        skill=row.skill,
        subject=Key(Resource(row.resource), row.id),
        person=row.person,
        occasion=row.occasion,
        step=row.step,
        began=row.began,
        due=row.due,
        event=row.event,
        sealed=row.sealed,
    )


async def next_due(tx: Tx, connector: str) -> float | None:
    """When the next step of any sequence is due; None if none waits."""
    s = sequences.c
    query = select(func.min(s.due)).where(s.connector == connector, s.due < PARKED)
    at: float | None = await tx.scalar(query)
    return at


async def move(tx: Tx, connector: str, kept: Kept, *, step: int, due: float) -> None:
    """It goes on with this step at that moment, unless it has begun anew meanwhile."""
    await tx.execute(_this(update(sequences), connector, kept).values(step=step, due=due))


async def finish(tx: Tx, connector: str, kept: Kept) -> None:
    """It is over, unless it has begun anew meanwhile."""
    await tx.execute(_this(delete(sequences), connector, kept))


def _this(statement: Any, connector: str, kept: Kept) -> Any:
    s = sequences.c
    return statement.where(
        s.connector == connector,
        s.skill == kept.skill,
        s.resource == kept.subject.resource,
        s.id == kept.subject.id,
        s.person == kept.person,
        s.occasion == kept.occasion,
        s.began == kept.began,
        s.step == kept.step,
    )


async def still(tx: Tx, connector: str, kept: Kept) -> bool:
    """It is still there, at the same step."""
    s = sequences.c
    return (await tx.execute(_this(select(s.step), connector, kept))).first() is not None


async def stopped(tx: Tx, connector: str) -> list[Kept]:
    """Those that a refusal has stopped."""
    s = sequences.c
    rows = await tx.execute(select(sequences).where(s.connector == connector, s.due >= PARKED))
    return [_kept(row) for row in rows]


async def counts(tx: Tx, connector: str) -> dict[str, int]:
    """How many sequences wait, by skill."""
    s = sequences.c
    query = select(s.skill, func.count()).where(s.connector == connector).group_by(s.skill)
    return dict((await tx.execute(query)).all())


# --- rounds


async def last_rounds(tx: Tx, connector: str) -> dict[str, float]:
    """When each skill that goes by the clock last selected people, or was first seen."""
    r = rounds.c
    return dict((await tx.execute(select(r.skill, r.at).where(r.connector == connector))).all())


async def note_round(tx: Tx, connector: str, skill: str, at: float) -> None:
    """It selected people at that moment."""
    await upsert(tx, rounds, [{"connector": connector, "skill": skill, "at": at}])


async def end_rounds(tx: Tx, connector: str, *, but: Collection[str]) -> None:
    """No skill but these goes by the clock any more: one that comes back begins like a new one."""
    r = rounds.c
    await tx.execute(delete(rounds).where(r.connector == connector, r.skill.not_in(list(but))))


async def silent(
    tx: Tx, connector: str, after: float, until: float, *, beyond: int, limit: int
) -> list[tuple[int, int]]:
    """Counted orders that were placed after `after` and not after `until`, with their account (0: a guest's).

    In the order of their ids, from the one after `beyond` on.
    """
    o = orders.c
    rows = await tx.execute(
        select(o.id, o.customer_id)
        .where(o.connector == connector, o.id > beyond, o.counted, o.placed_at > after, o.placed_at <= until)
        .order_by(o.id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in rows]


# --- deeds


async def begun_at(tx: Tx, name: bytes) -> float | None:
    """When this deed was begun, if nobody heard how it ended."""
    d = deeds.c
    at: float | None = await tx.scalar(select(d.at).where(d.name == name, d.state == BEGUN))
    return at


async def note_deed(tx: Tx, row: Row) -> None:
    """Note a deed: a full row of the table."""
    await upsert(tx, deeds, [row])


async def forget_deed(tx: Tx, name: bytes) -> None:
    """It was not done after all."""
    await tx.execute(delete(deeds).where(deeds.c.name == name))


async def settle_deed(tx: Tx, name: bytes) -> None:
    """It is done."""
    await tx.execute(update(deeds).where(deeds.c.name == name).values(state=DONE))


async def sent(tx: Tx, person: bytes, since: float, *, but: bytes) -> Sent:
    """Marketing messages to somebody since then, of all connectors, `but` for the deed of this name."""
    d = deeds.c
    query = select(func.count(), func.min(d.at)).where(
        d.person == person, d.at > since, d.marketing, d.name != but
    )
    return Sent(*(await tx.execute(query)).one())


async def done(tx: Tx, connector: str, since: float = 0.0) -> dict[str, int]:
    """How many deeds were done since then, by skill."""
    d = deeds.c
    query = select(d.skill, func.count()).where(d.connector == connector, d.state == DONE, d.at > since)
    return dict((await tx.execute(query.group_by(d.skill))).all())
