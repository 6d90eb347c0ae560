"""Who wishes to be told when something is back in stock: until they are, or for half a year.

A wish comes from a storefront, so it is kept like a notice: on disk before anybody is thanked, and without
a look at who it is, or how long the answer takes would tell whether we know them.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Insert, delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from tajo.sync.ledger.group_commit import GroupCommit
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, Tx
from tajo.sync.ledger.tables import wishes

LASTING = 180 * 86400.0
"""Seconds for which a wish stands."""

FULL = 5_000
"""Wishes that may wait for a commit."""


class Wish(Struct, frozen=True):
    """A person waits for a product, or for one variant of it (0: any). `sealed`: see `email`."""

    person: bytes
    product: int
    variant: int
    sealed: bytes

    def email(self, secret: Secret) -> str:
        """Where to tell them. Raises `Mend` if the secret is not the one that sealed it."""
        return secret.unseal(self.sealed, self.person, str)


def wish(secret: Secret, email: str, product: int, variant: int) -> Wish:
    """What is kept of a wish."""
    person = secret.person(email)
    return Wish(person, product, variant, secret.seal(email.strip(), person))


class WishBox:
    """Takes wishes for all connectors. Made by `open_wishes`."""

    def __init__(self, commits: GroupCommit[tuple[str, Wish]], secret: Secret) -> None:
        self._commits = commits
        self.secret = secret

    async def take(self, connector: str, wish: Wish) -> None:
        """Return when the wish is on disk. Raises `Later` when the ledger cannot take it now."""
        await self._commits.take((connector, wish))


@asynccontextmanager
async def open_wishes(
    ledger: Ledger,
    wake: Callable[[str], None],
    *,
    now: Callable[[], float] = time.time,
    patience: float = 5.0,
) -> AsyncIterator[WishBox]:
    """A box with a thread and a connection of its own. Leaving it waits until all that was taken is kept.

    `wake` is called with a connector's name after each commit that holds something for it.
    """

    def keep(tx: Connection, taken: Sequence[tuple[str, Wish]]) -> None:
        at = now()
        rows = {(connector, one.person, one.product, one.variant): one for connector, one in taken}
        tx.execute(_insert(tx.dialect.name), [_row(name[0], rows[name], at) for name in sorted(rows)])

    def kept(taken: Sequence[tuple[str, Wish]]) -> None:
        for connector in {connector for connector, _ in taken}:
            wake(connector)

    with ledger.beside() as engine, ThreadPoolExecutor(1, "tajo-wishes") as thread:
        commits = GroupCommit(engine, thread, keep, kept, full=FULL, patience=patience)
        try:
            yield WishBox(commits, ledger.secret)
        finally:
            await commits.close()


@cache
def _insert(dialect: str) -> Insert:
    """A wish that is made again stands longer."""
    statement: Any = (postgresql if dialect == "postgresql" else sqlite).insert(wishes)
    new = statement.excluded
    changed: Insert = statement.on_conflict_do_update(
        index_elements=["connector", "person", "product", "variant"],
        set_={"sealed": new.sealed, "at": new.at},
    )
    return changed


def _row(connector: str, wish: Wish, at: float) -> dict[str, Any]:
    return {
        "connector": connector,
        "person": wish.person,
        "product": wish.product,
        "variant": wish.variant,
        "sealed": wish.sealed,
        "at": at,
        "handed_on": False,
    }


async def to_hand_on(tx: Tx, connector: str, limit: int) -> list[Wish]:
    """The oldest wishes of which the destination was not told yet."""
    w = wishes.c
    query = (
        select(w.person, w.product, w.variant, w.sealed)
        .where(w.connector == connector, w.handed_on.is_(False))
        .order_by(w.at)
        .limit(limit)
    )
    return [Wish(*row) for row in await tx.execute(query)]


async def handed_on(tx: Tx, connector: str, done: Sequence[Wish]) -> None:
    """The destination was told of these."""
    w = wishes.c
    names = [(one.person, one.product, one.variant) for one in done]
    await tx.execute(
        update(wishes)
        .where(w.connector == connector, tuple_(w.person, w.product, w.variant).in_(names))
        .values(handed_on=True)
    )


async def fulfil(tx: Tx, connector: str, product: int, variant: int) -> list[Wish]:
    """Take out all wishes for what is back: the product as it is (variant 0), or one variant of it."""
    w = wishes.c
    statement = delete(wishes).where(w.connector == connector, w.product == product)
    if variant:
        statement = statement.where(w.variant.in_((0, variant)))
    rows = await tx.execute(statement.returning(w.person, w.product, w.variant, w.sealed))
    return [Wish(*row) for row in rows]


async def expire(tx: Tx, connector: str, before: float) -> None:
    """Wishes made before that moment do not stand any more."""
    await tx.execute(delete(wishes).where(wishes.c.connector == connector, wishes.c.at < before))
