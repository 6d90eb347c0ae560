"""Notices, kept before anybody is thanked for them, in shared commits."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Engine, Insert, Table, case, select
from sqlalchemy.dialects import postgresql, sqlite

from tajo.errors import Refused
from tajo.sync.ledger.group_commit import GroupCommit
from tajo.sync.ledger.store import Ledger
from tajo.sync.ledger.tables import carts, due, heard
from tajo.sync.model import Key, Notice, cart_key

FULL = 20_000  # notices that may wait for a commit: some seconds of a disk that stands still
SCOPES = 400  # scopes counted by their name, per connector; BigCommerce has 177, and some per channel
OTHER = "other"  # the scope under which all further ones are counted


class Inbox:
    """Takes notices for all connectors. Made by `open_inbox`.

    `wake` is called with a connector's name after each commit that holds something for it.
    """

    def __init__(
        self,
        engine: Engine,
        thread: Executor,
        wake: Callable[[str], None],
        now: Callable[[], float],
        patience: float,
    ) -> None:
        self._wake = wake
        self._now = now
        self._commits = GroupCommit(engine, thread, self._keep, self._kept, full=FULL, patience=patience)
        self._scopes: dict[str, set[str]] = {}

    async def take(self, connector: str, notice: Notice) -> None:
        """Return when the notice is on disk. Who is cancelled while waiting has left it with us.

        Raises `Later` when the ledger cannot take it now, and `Refused` for ids that no ledger can hold.
        """
        _check(notice)
        await self._commits.take((connector, notice))

    async def close(self) -> None:
        """Wait until all that was taken is on disk."""
        await self._commits.close()

    def _kept(self, notices: Sequence[tuple[str, Notice]]) -> None:
        for connector in {connector for connector, _ in notices}:
            self._wake(connector)

    def _keep(self, tx: Connection, notices: Sequence[tuple[str, Notice]]) -> None:
        """Write what the notices come to. Rows go in the order of their keys, or PostgreSQL deadlocks."""
        statements, now = _statements(tx.dialect.name), self._now()
        wishes = {(connector, key) for connector, notice in notices for key in notice.keys}
        uuids = {(connector, uuid) for connector, notice in notices for uuid in notice.carts}
        if wishes:
            tx.execute(statements.due, [_wish(*wish, now) for wish in sorted(wishes)])
        if uuids:
            tx.execute(statements.carts, _new_carts(uuids))
        tx.execute(statements.heard, self._tallies(tx, notices, now))

    def _tallies(
        self, tx: Connection, notices: Sequence[tuple[str, Notice]], now: float
    ) -> list[dict[str, Any]]:
        """How many came of each scope. The future of other clocks is now."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for connector, notice in notices:
            scope = self._counted_as(tx, connector, notice.scope)
            row = found.setdefault(
                (connector, scope),
                {
                    "connector": connector,
                    "scope": scope,
                    "notices": 0,
                    "happened_at": 0.0,
                    "heard_at": now,
                },
            )
            row["notices"] += 1
            row["happened_at"] = max(row["happened_at"], min(notice.created, now))
        return [found[name] for name in sorted(found)]

    def _counted_as(self, tx: Connection, connector: str, scope: str) -> str:
        """The name under which a scope is counted: its own, unless it is one too many or is no name."""
        named = self._scopes.get(connector)
        if named is None:
            rows = tx.scalars(select(heard.c.scope).where(heard.c.connector == connector))
            named = self._scopes[connector] = set(rows)
        name = scope[:128]
        if name in named:
            return name
        if len(named) >= SCOPES or not (name.isascii() and name.isprintable()):
            return OTHER
        named.add(name)
        return name


@asynccontextmanager
async def open_inbox(
    ledger: Ledger,
    wake: Callable[[str], None],
    *,
    now: Callable[[], float] = time.time,
    patience: float = 5.0,
) -> AsyncIterator[Inbox]:
    """An inbox with a thread and a connection of its own. Leaving it waits until all that was taken is kept.

    `patience`: seconds for which a locked or absent database is tried again.
    """
    with ledger.beside() as engine, ThreadPoolExecutor(1, "tajo-inbox") as thread:
        inbox = Inbox(engine, thread, wake, now, patience)
        try:
            yield inbox
        finally:
            await inbox.close()


class _Statements(Struct, frozen=True):
    """What a commit executes."""

    due: Insert
    carts: Insert
    heard: Insert


@cache
def _statements(dialect: str) -> _Statements:
    """Made once, because making them costs more than executing them."""
    insert: Any = (postgresql if dialect == "postgresql" else sqlite).insert
    wish, tally = insert(due), insert(heard)
    return _Statements(
        # a notice never puts off what was wished for earlier, and no wish becomes older than it is
        due=wish.on_conflict_do_update(
            index_elements=_key_of(due),
            set_={
                "queued_at": _later(due.c.queued_at, wish.excluded.queued_at),
                "at": _sooner(due.c.at, wish.excluded.at),
            },
        ),
        carts=insert(carts).on_conflict_do_nothing(index_elements=_key_of(carts)),
        heard=tally.on_conflict_do_update(
            index_elements=_key_of(heard),
            set_={
                "notices": heard.c.notices + tally.excluded.notices,
                "happened_at": _later(heard.c.happened_at, tally.excluded.happened_at),
                "heard_at": _later(heard.c.heard_at, tally.excluded.heard_at),
            },
        ),
    )


def _key_of(table: Table) -> list[str]:
    return [column.name for column in table.primary_key]


def _later(one: ColumnElement[float], other: ColumnElement[float]) -> ColumnElement[float]:
    return case((one > other, one), else_=other)


def _sooner(one: ColumnElement[float], other: ColumnElement[float]) -> ColumnElement[float]:
    return case((one < other, one), else_=other)


def _check(notice: Notice) -> None:
    """One notice that cannot be written must not take its whole group with it. Raises `Refused`."""
    try:
        fit = all(0 <= key.id < 2**63 for key in notice.keys) and all(map(UUID, notice.carts))
    except ValueError:
        fit = False
    if not fit:
        raise Refused("a notice names an id that is none")


def _wish(connector: str, key: Key, now: float) -> dict[str, Any]:
    return {"connector": connector, "resource": key.resource, "id": key.id, "queued_at": now, "at": now}


def _new_carts(uuids: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """Carts of which nothing is known yet; the look that is due tells more."""
    rows = {(connector, cart_key(uuid).id): str(UUID(uuid)) for connector, uuid in uuids}
    return [
        {
            "connector": connector,
            "id": id_,
            "uuid": uuid,
            "person": b"",
            "state": "open",
            "amount": 0,
            "updated_at": None,
            "read_at": 0.0,
        }
        for (connector, id_), uuid in sorted(rows.items())
    ]
