"""The destination of an audit: it renders as the real one, and compares with what Brevo holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec

from tajo.brevo import Api, BrevoDestination, holdings
from tajo.brevo.api import WholeRow
from tajo.brevo.attributes import BUILT_IN
from tajo.brevo.contact_payload import email_of
from tajo.brevo.differences import Change, contact_changes, product_changes
from tajo.sync.ledger import findings, people
from tajo.sync.ledger.findings import (
    AGREED,
    CONTACTS,
    DIFFERENT,
    GONE,
    MISSING,
    Finding,
)
from tajo.sync.ledger.store import Ledger
from tajo.sync.model import Existing, Farewell, Key, Outcome, Product, Resource, Verdict, Write
from tajo.sync.ports import Outbox, Settle
from tajo.sync.rehearsal import Rehearsal

AT_A_TIME = 4
"""Contacts that are asked for at the same time."""


class Examiner(Rehearsal):
    """A destination that renders as the real one, and holds each write against what Brevo holds.

    In the first look that is what its lists showed; `again`: contacts are asked for one by one. `phoneless`:
    how many of those compared lack a phone there.
    """

    def __init__(
        self,
        destination: BrevoDestination,
        api: Api,
        notes: Ledger,
        ledger: Ledger,
        connector: str,
        shown: holdings.Shown,
        *,
        look: int,
        again: bool,
        values: bool,
    ) -> None:
        super().__init__(destination)
        self._brevo = destination
        self._api = api
        self._notes = notes
        self._ledger = ledger
        self._connector = connector
        self._shown = shown
        self._look = look
        self._again = again
        self._values = values
        self._gone: set[Key] = set()
        self.phoneless = 0
        self._turn = asyncio.Semaphore(AT_A_TIME)

    # --- what Brevo holds

    async def people(self, *, created_since: datetime | None = None) -> AsyncIterator[Sequence[Existing]]:
        """The real contacts, of which notes are taken."""
        async for rows in holdings.contacts(self._api):
            await self._hold({self._person(row): row for row in rows})
            yield [
                holdings.existing(row.id, row.email, row.attributes.get("SMS"), blocked=row.emailBlacklisted)
                for row in rows
            ]

    async def read(self, kind: str, *, since: datetime | None = None) -> None:
        """Take notes of all orders, products or categories; `since`: of those modified since."""
        async for rows in holdings.goods(self._api, kind, since=since):
            self._shown.note(kind, rows)
            async with self._notes.begin() as tx:
                await findings.hold(
                    tx, kind, dict(self._sealed((str(row.get("id")).encode(), row) for row in rows))
                )

    async def _hold(self, rows: Mapping[bytes, WholeRow | None]) -> dict[bytes, WholeRow]:
        ours = {person: self._brevo.in_our_words(row) for person, row in rows.items() if row is not None}
        async with self._notes.begin() as tx:
            await findings.hold(tx, CONTACTS, {**dict.fromkeys(rows), **dict(self._sealed(ours.items()))})
        return ours

    def _sealed(self, rows: Iterable[tuple[bytes, Any]]) -> Iterable[tuple[bytes, bytes]]:
        return ((name, self._notes.secret.seal(row, name)) for name, row in rows)

    def _person(self, row: WholeRow) -> bytes:
        return self._notes.secret.person(row.email or f"contact:{row.id}")

    # --- rendering: what is gone says so

    def withdrawn_variants(self, product: Product, variants: Sequence[int]) -> Sequence[Write]:
        """As the real one."""
        return self._noted(super().withdrawn_variants(product, variants))

    def gone_product(self, product: int, variants: Sequence[int]) -> Sequence[Write]:
        """As the real one."""
        return self._noted(super().gone_product(product, variants))

    def gone_category(self, category: int) -> Write:
        """As the real one."""
        return self._noted([super().gone_category(category)])[0]

    def _noted(self, writes: Sequence[Write]) -> Sequence[Write]:
        self._gone |= {write.key for write in writes}
        return writes

    # --- comparing

    async def tell(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Says of all contacts that they were delivered, after it has compared them."""
        held = await (self._asked_contacts(writes) if self._again else self._noted_contacts(writes))
        judged = [await self._contact(write, held.get(write.person)) for write in writes]
        async with self._notes.begin() as tx:
            await findings.judge(tx, CONTACTS, [one for one in judged if one])
        return [_delivered(write) for write in writes]

    async def tell_events(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Says of all that they were delivered: what happened cannot be compared."""
        return [_delivered(write) for write in writes]

    @asynccontextmanager
    async def outbox(self, resource: Resource, settle: Settle) -> AsyncIterator[Outbox]:
        """Compares goods, and says of all that they were delivered."""
        outbox = _Counter(self, settle)
        yield outbox
        await outbox.flush()

    async def compare(self, writes: Sequence[Write]) -> None:
        """Judge goods."""
        told = [(write, msgspec.json.decode(write.body)) for write in writes]
        for kind in {holdings.LISTS[write.key.resource] for write in writes}:
            mine = [(w, body) for w, body in told if holdings.LISTS[w.key.resource] == kind]
            async with self._notes.begin() as tx:
                held = await findings.held(tx, kind, [body["id"].encode() for _, body in mine])
                judged = [self._good(kind, write, body, held) for write, body in mine]
                await findings.judge(tx, kind, [one for one in judged if one])

    def _good(
        self, kind: str, write: Write, told: dict[str, Any], held: Mapping[bytes, bytes]
    ) -> Finding | None:
        name = told["id"].encode()
        gone = write.key in self._gone
        self._gone.discard(write.key)
        if name not in held:
            return None if gone else self._finding(name, write.key, MISSING)
        row = self._notes.secret.unseal(held[name], name, dict[str, Any])
        changes = self._shown.comparable(kind, product_changes(told, row))
        if gone:
            left = any(change.field == "isDeleted" for change in changes)
            return self._finding(name, write.key, GONE) if left else None
        return self._finding(name, write.key, DIFFERENT if changes else AGREED, changes)

    async def _contact(self, write: Write, row: WholeRow | None) -> Finding | None:
        if write.farewell:
            return await self._farewell(write, row)
        if row is None:
            return self._finding(write.person, write.key, MISSING)
        changes = [
            Change(change.field.removeprefix("attributes."), change.now, change.then)
            for change in contact_changes(write, msgspec.to_builtins(row))
        ]
        # Who was told without their phone, because Brevo refused it, is not told apart from who lost it.
        lacking = [change for change in changes if change.field in BUILT_IN and change.now is None]
        self.phoneless += bool(lacking)
        changes = [change for change in changes if change not in lacking]
        return self._finding(write.person, write.key, DIFFERENT if changes else AGREED, changes)

    async def _farewell(self, write: Write, row: WholeRow | None) -> Finding | None:
        """Somebody who is gone in the store: are they still on our lists, or there at all?"""
        told = msgspec.json.decode(write.body)
        there = row is not None and (
            write.farewell is Farewell.HARD
            or not set(told["unlinkListIds"]).isdisjoint(row.listIds)
            or (told.get("emailBlacklisted", False) and not row.emailBlacklisted)
        )
        if not there:
            return None
        async with self._ledger.begin() as tx:  # the copy has forgotten which account it was
            keys = await people.speakers(tx, self._connector, [write.person])
            readers = await people.subscriptions_of(tx, self._connector, [write.person])
        keys |= {Key(Resource.SUBSCRIBERS, id_) for id_ in readers}
        return self._finding(write.person, min(keys, default=write.key), GONE)

    async def _noted_contacts(self, writes: Sequence[Write]) -> dict[bytes, WholeRow]:
        async with self._notes.begin() as tx:
            held = await findings.held(tx, CONTACTS, [write.person for write in writes])
        unseal = self._notes.secret.unseal
        return {person: unseal(sealed, person, WholeRow) for person, sealed in held.items()}

    async def _asked_contacts(self, writes: Sequence[Write]) -> dict[bytes, WholeRow]:
        async def ask(write: Write) -> WholeRow | None:
            who = email_of(write) if write.rename is None or not write.farewell else write.rename
            async with self._turn:
                return await holdings.contact(self._api, who)

        rows = await asyncio.gather(*map(ask, writes))
        return await self._hold(dict(zip((write.person for write in writes), rows, strict=True)))

    def _finding(self, name: bytes, key: Key, state: str, changes: Sequence[Change] = ()) -> Finding:
        sealed = self._notes.secret.seal(changes, name) if self._values and changes else None
        words = tuple(change.field for change in changes)
        return Finding(name=name, key=key, state=state, look=self._look, words=words, sealed=sealed)


class _Counter:
    """Holds goods until there are some to compare."""

    def __init__(self, examiner: Examiner, settle: Settle) -> None:
        self._examiner = examiner
        self._settle = settle
        self._held: list[Write] = []

    async def put(self, write: Write) -> None:
        self._held.append(write)
        if len(self._held) >= findings.AT_ONCE:
            await self.flush()

    async def flush(self) -> None:
        held, self._held = self._held, []
        if held:
            await self._examiner.compare(held)
            await self._settle([_delivered(write) for write in held])


def _delivered(write: Write) -> Outcome:
    return Outcome(write=write, verdict=Verdict.DELIVERED)
