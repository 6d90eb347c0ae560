"""How far each sweep has come, and the account of each run: what makes a killed sync go on."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import select, update

from tajo.sync.ledger.store import Tx, upsert
from tajo.sync.ledger.tables import connectors, cursors, runs


class Connection(Struct, frozen=True):
    """A connector's own row. `live_since`: what happened before starts no automation."""

    live_since: float
    rules: str


class Outlook(Struct, frozen=True):
    """What a sync must read. `mode`: `full` (`why`: the reason, but for the first time) or `incremental`.

    `since`: from when each resource must be read; those that are missing are read whole.
    """

    mode: str
    since: dict[str, float]
    why: str = ""


class Position(Struct, frozen=True):
    """Where a sweep stands. `since` None: everything is read. `started_at`: when it began."""

    since: float | None
    started_at: float
    cursor: str = ""
    done: bool = False


class RunRecord(Struct, frozen=True, kw_only=True):
    """One run. `state`: running, done or abandoned; `scope`: its resources; `rules`: what it maps by."""

    id: str
    mode: str
    scope: str
    rules: str
    state: str = "running"
    started_at: float
    finished_at: float | None = None
    account: dict[str, Any] = {}


async def connection(tx: Tx, connector: str, now: float) -> Connection:
    """The connector's row, made at the first look: from that second on it is live, as dates have no finer."""
    blank = {"connector": connector, "live_since": float(int(now)), "rules": ""}
    await upsert(tx, connectors, [blank], overwrite=())
    c = connectors.c
    row = (await tx.execute(select(c.live_since, c.rules).where(c.connector == connector))).one()
    return Connection(row.live_since, row.rules)


async def outlook(tx: Tx, connector: str, *, full: bool, scope: str, rules: str) -> Outlook:
    """Decide what must be read: everything, or what changed since the last sweep of each resource."""
    since = await swept_since(tx, connector)
    c = connectors.c
    written = await tx.scalar(select(c.rules).where(c.connector == connector))
    if not since:
        return Outlook("full", {})
    if full:
        why = "as asked"
    elif await was_cut_off(tx, connector, mode="full", scope=scope, rules=rules):
        why = "to go on with a sync that was cut off"
    elif since and written != rules:
        # Other rules make other payloads: which ones changed, only a look at everything can tell.
        why = "because the mapping, the lists or the consent rule changed"
    else:
        return Outlook("incremental", since)
    return Outlook("full", {}, why)


async def written_by(tx: Tx, connector: str, rules: str) -> None:
    """Everything in the destination now follows these rules."""
    await tx.execute(update(connectors).where(connectors.c.connector == connector).values(rules=rules))


async def begin_run(tx: Tx, connector: str, *, mode: str, scope: str, rules: str, now: float) -> RunRecord:
    """Go on with the run of this kind that was cut off, or begin one; what else was cut off is abandoned."""
    r = runs.c
    running = (r.connector == connector, r.state == "running")
    same = (r.mode == mode, r.scope == scope, r.rules == rules)
    query = select(runs).where(*running, *same).order_by(r.started_at.desc()).limit(1)
    row = (await tx.execute(query)).first()
    if row is not None:
        return _record(row)
    await tx.execute(update(runs).where(*running, r.scope == scope).values(state="abandoned"))
    record = RunRecord(id=secrets.token_hex(6), mode=mode, scope=scope, rules=rules, started_at=now)
    await save_run(tx, connector, record)
    return record


async def save_run(tx: Tx, connector: str, record: RunRecord) -> None:
    """Write the run's account down."""
    row = {name: getattr(record, name) for name in record.__struct_fields__}
    row |= {"connector": connector, "account": msgspec.json.encode(record.account).decode()}
    await upsert(tx, runs, [row])


async def was_cut_off(tx: Tx, connector: str, *, mode: str, scope: str, rules: str) -> bool:
    """Does a run of this kind wait to be finished?"""
    r = runs.c
    query = select(r.id).where(
        r.connector == connector, r.state == "running", r.mode == mode, r.scope == scope, r.rules == rules
    )
    return (await tx.execute(query.limit(1))).first() is not None


async def last_run(
    tx: Tx, connector: str, state: str | None = None, mode: str | None = None
) -> RunRecord | None:
    """The newest run, or the newest in this state and of this mode."""
    query = select(runs).where(runs.c.connector == connector)
    if state is not None:
        query = query.where(runs.c.state == state)
    if mode is not None:
        query = query.where(runs.c.mode == mode)
    row = (await tx.execute(query.order_by(runs.c.started_at.desc()).limit(1))).first()
    return None if row is None else _record(row)


async def newest(
    tx: Tx, connectors: Collection[str], *, before: float | None = None, limit: int
) -> list[tuple[str, RunRecord]]:
    """Runs of these connectors, each with its connector, the newest first: those begun `before` a moment."""
    r = runs.c
    query = select(runs).where(r.connector.in_(list(connectors)))
    if before is not None:
        query = query.where(r.started_at < before)
    rows = await tx.execute(query.order_by(r.started_at.desc(), r.id).limit(limit))
    return [(row.connector, _record(row)) for row in rows]


async def find(tx: Tx, id_: str) -> tuple[str, RunRecord] | None:
    """The run of this id with its connector; None if there is none."""
    row = (await tx.execute(select(runs).where(runs.c.id == id_))).first()
    return None if row is None else (row.connector, _record(row))


async def begin_sweep(
    tx: Tx, connector: str, resource: str, run: str, *, since: float | None, now: float
) -> Position:
    """Where to go on: at the position of this run, or at the start with this `since`."""
    c = cursors.c
    query = select(c.run, c.since, c.started_at, c.position, c.done).where(
        c.connector == connector, c.resource == resource
    )
    row = (await tx.execute(query)).first()
    if row is not None and row.run == run:
        return Position(since, row.started_at, row.position, row.done)
    values = {"run": run, "started_at": now, "position": "", "done": False}
    await upsert(
        tx,
        cursors,
        [{"connector": connector, "resource": resource, "since": None, **values}],
        overwrite=values,
    )
    return Position(since, now)


async def move_cursor(tx: Tx, connector: str, resource: str, position: str) -> None:
    """All before this position has been settled."""
    await tx.execute(_cursor(connector, resource).values(position=position))


async def end_sweep(tx: Tx, connector: str, resource: str, since: float) -> None:
    """The sweep met everything; the next incremental one need not look before `since`."""
    await tx.execute(_cursor(connector, resource).values(since=since, done=True, position=""))


def _cursor(connector: str, resource: str) -> Any:
    return update(cursors).where(cursors.c.connector == connector, cursors.c.resource == resource)


async def swept_since(tx: Tx, connector: str) -> dict[str, float]:
    """From when each resource must be read again; those never swept to the end are missing."""
    c = cursors.c
    rows = await tx.execute(select(c.resource, c.since).where(c.connector == connector, c.since.is_not(None)))
    return dict(rows.all())


def _record(row: Any) -> RunRecord:
    values = {name: getattr(row, name) for name in RunRecord.__struct_fields__}
    return RunRecord(**{**values, "account": msgspec.json.decode(row.account)})
