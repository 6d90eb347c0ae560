"""What is worth counting over the days: webhooks by scope, and tallies such as records healed."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import select

from tajo.sync.ledger.store import Tx, upsert
from tajo.sync.ledger.tables import heard as heard_table
from tajo.sync.ledger.tables import tallies as tallies_table


class Heard(Struct, frozen=True):
    """Webhooks of one scope: how many, when the newest of what they tell happened, when the last came."""

    notices: int
    happened_at: float
    heard_at: float


async def heard(tx: Tx, connector: str) -> dict[str, Heard]:
    """By scope, what was heard."""
    h = heard_table.c
    query = select(h.scope, h.notices, h.happened_at, h.heard_at).where(h.connector == connector)
    return {scope: Heard(*rest) for scope, *rest in await tx.execute(query)}


async def add(tx: Tx, connector: str, name: str, count: int, now: float) -> None:
    """Count so many more of something."""
    t = tallies_table.c
    row = {"connector": connector, "name": name, "count": count, "last": now}
    await upsert(
        tx, tallies_table, [row], merge=lambda new: {"count": t.count + new["count"], "last": new.last}
    )


async def tallies(tx: Tx, connector: str) -> dict[str, int]:
    """What was counted, by name."""
    t = tallies_table.c
    rows = await tx.execute(select(t.name, t.count).where(t.connector == connector))
    return {row[0]: row[1] for row in rows}


async def mark(tx: Tx, connector: str, name: str, count: int, now: float) -> None:
    """Write a number down, in place of the one that stood there."""
    await upsert(tx, tallies_table, [{"connector": connector, "name": name, "count": count, "last": now}])


async def marks(tx: Tx, connector: str) -> dict[str, tuple[int, float]]:
    """What was counted or written down, by name, and when that was."""
    t = tallies_table.c
    rows = await tx.execute(select(t.name, t.count, t.last).where(t.connector == connector))
    return {name: (count, last) for name, count, last in rows}
