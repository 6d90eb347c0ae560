"""`tajo audit`: both sides are read, and each difference is shown, or there is none.

The store is read as a full sync reads it, on a copy of the ledger of which nothing counts as told. So
whatever Brevo should hold is rendered by the sync's own way, from the ledger's own facts. It is not sent, but
compared with what Brevo's lists show. What differs is looked at once more, on both sides, before it is called
a difference: neither of them stands still meanwhile.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec

from tajo.answers import Audit, Changed, Example, Part
from tajo.bigcommerce import BigCommerceSource
from tajo.brevo import Api, BrevoDestination, holdings
from tajo.brevo.api import WholeRow
from tajo.brevo.attributes import BUILT_IN
from tajo.brevo.contact_payload import email_of
from tajo.brevo.differences import Change, contact_changes, product_changes
from tajo.errors import Usage
from tajo.sync.connector import Connector
from tajo.sync.delivery import LANDING
from tajo.sync.ledger import findings, known, people, queue, runs
from tajo.sync.ledger.findings import (
    AGREED,
    CONTACTS,
    DIFFERENT,
    FAILURES,
    GONE,
    MISSING,
    OPEN,
    PARKED,
    WAITING,
    Finding,
)
from tajo.sync.ledger.store import Ledger, Tx, copy_ledger, open_ledger
from tajo.sync.model import Existing, Farewell, Key, Outcome, Product, Resource, Verdict, Write
from tajo.sync.moments import moment
from tajo.sync.ports import Outbox, Settle
from tajo.sync.rehearsal import Rehearsal
from tajo.sync.sequences import Sequences
from tajo.wiring import Line, Watch, Wiring

EXAMPLES = 20
"""Of each resource and state."""

LOOKED_AGAIN = 1000
"""So many differences are looked at once more, one by one. If there are more, that is no matter of timing."""

FEW_PAGES = 10
"""A list of so many pages is read again as a whole, a longer one from where it changed."""

LAG = 900.0
"""Seconds by which Brevo's lists, and its clock, may be behind."""

SOON = 10.0
"""Seconds after which what was just told and does not show is looked for again."""

AT_A_TIME = 4
"""Contacts that are asked for at the same time."""

GOODS = tuple(dict.fromkeys(holdings.LISTS.values()))
KINDS = (CONTACTS, *GOODS)

UNSPOKEN = (
    "contacts: {:,} that Brevo was told of, and of whom nothing in the store's lists tells now (known by a "
    "cart, a deleted order or an earlier address alone), or only what cannot be told"
)
DELETED = (
    "orders: {:,} that Brevo was told of, and that were deleted in the store, whose lists do not show them"
)
PHONELESS = "contacts: {:,} that lack their phone in Brevo, which refuses some numbers (a sync says how many)"


async def audit(
    wiring: Wiring, name: str, *, repair: bool = False, values: bool = False, watch: Watch | None = None
) -> Audit:
    """Compare all that Brevo should hold with what it holds.

    `repair`: what differs is told anew, by the way that every change takes, and looked at again. `values`:
    the examples hold what the fields are, which is personal data. Raises `Usage` before the first sync has
    ended, `Mend` where a human must act, `Busy` where somebody else works on the connector (in a repair).
    """
    async with wiring.ledger.begin() as tx:
        swept = await runs.swept_since(tx, name)
    if not swept:
        raise Usage(f"{name} was never synced to the end, so Brevo cannot agree with it", "run `tajo sync`.")
    with tempfile.TemporaryDirectory(prefix="tajo-") as folder:
        notes = await open_ledger(f"sqlite:///{folder}/findings.db", wiring.ledger.secret)
        try:
            async with notes.begin() as tx:
                await findings.make(tx)
            auditor = Auditor(wiring, name, notes, folder, watch, values=values)
            await auditor.look()
            if repair:
                await auditor.repair()
            return await auditor.account()
        finally:
            await notes.close()


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

    async def people(self, *, modified_since: datetime | None = None) -> AsyncIterator[Sequence[Existing]]:
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


class Auditor:
    """Looks at both sides, more than once if need be. Its notes lie in a scratch database of their own."""

    def __init__(
        self, wiring: Wiring, name: str, notes: Ledger, folder: str, watch: Watch | None, *, values: bool
    ) -> None:
        self._wiring = wiring
        self._name = name
        self._notes = notes
        self._folder = folder
        self._watch = watch or (lambda _: None)
        self._values = values
        self._began = wiring.now()
        self._since = self._began
        self._looks = 0
        self._mended = False
        self._repaired = 0
        self._phoneless = 0
        self._troubles: list[str] = []
        self._shown = holdings.Shown()
        self._calls: Counter[str] = Counter()

    async def look(self) -> None:
        """Look at everything, and once more at what differs."""
        await self._examine(again=False)
        if 0 < await self._differing() <= LOOKED_AGAIN:
            await self._examine(again=True)

    async def repair(self) -> None:
        """Forget that what differs was told, let it be told, and look at it again."""
        before = await self._differing()
        if not before:
            return
        async with self._wiring.attend(self._name, lambda _: None) as line:
            self._watch(line)
            await self._doubt(self._wiring.ledger)
            account = await line.connector.replay([])
            self._troubles += account.troubles
            self._count(line.source.calls, line.destination.calls)
        self._since, self._mended = self._wiring.now(), True
        if before > LOOKED_AGAIN:
            async with self._notes.begin() as tx:
                await findings.forget_judgements(tx)
            await self.look()
        else:
            await self._examine(again=True)
            if await self._differing():
                await self._examine(again=True, pause=SOON)
        self._repaired = before - await self._differing()

    # --- looking

    async def _examine(self, *, again: bool, pause: float = 0.0) -> None:
        """One look, on a fresh copy of the ledger: at everything, or `again` at what differs."""
        self._looks += 1
        wiring, name = self._wiring, self._name
        async with self._copy() as copy, wiring.accounts(name) as (store, brevo):
            await store.clock.sleep(pause)
            source = BigCommerceSource(store, locations=wiring.locations(name))
            destination = BrevoDestination(brevo, wiring.rules(name), clock=store.clock)
            examiner = Examiner(
                destination,
                brevo,
                self._notes,
                wiring.ledger,
                name,
                self._shown,
                look=self._looks,
                again=again,
                values=self._values,
            )
            connector = Connector(name, source, examiner, copy, wiring.policy(name), wiring.now)
            self._watch(self._line(source, destination, connector, (store, brevo), copy))
            await connector.open(create=False)
            in_part = await (self._read_again(examiner) if again else self._read(examiner))
            await (self._doubt(copy) if again else self._doubt_all(copy))
            async with connector.attended():
                account = await (connector.replay([]) if again else connector.sync(full=True))
            await self._park(copy)
            async with self._notes.begin() as tx:
                if again and not account.troubles:
                    await findings.settle(tx, self._looks)
            await self._put_off(copy)
            if self._mended and not account.troubles:
                await self._put_off_unseen(in_part)
            self._troubles += account.troubles
            if not again:
                self._phoneless = examiner.phoneless
            self._count(source.calls, destination.calls)

    @asynccontextmanager
    async def _copy(self) -> AsyncIterator[Ledger]:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            copy = await open_ledger(f"sqlite:///{folder}/copy.db", self._wiring.ledger.secret)
            try:
                await copy_ledger(self._wiring.ledger, copy, self._name)
                async with copy.begin() as tx:
                    await findings.clear_the_desk(tx, self._name)
                yield copy
            finally:
                await copy.close()

    def _line(
        self,
        source: BigCommerceSource,
        destination: BrevoDestination,
        connector: Connector,
        apis: Any,
        copy: Ledger,
    ) -> Line:
        sequences = Sequences(
            self._name,
            source,
            destination.actions,
            copy,
            lambda: connector.automation,
            self._wiring.now,
            link=lambda _: "",
            journal=lambda _: None,
        )
        return Line(self._name, source, destination, connector, sequences, apis)

    async def _read(self, examiner: Examiner) -> set[str]:
        resources = self._wiring.policy(self._name).resources
        for kind in GOODS:
            if Resource(kind) in resources:
                await examiner.read(kind)
        return set()

    async def _read_again(self, examiner: Examiner) -> set[str]:
        """The lists of those goods of which some differ; returns those that were not read as a whole."""
        async with self._notes.begin() as tx:
            differing = {
                holdings.LISTS[resource]
                for resource, state in await findings.counts(tx)
                if state in OPEN and resource in holdings.LISTS
            }
            counts = {kind: await findings.count_held(tx, kind) for kind in differing}
            whole = {kind for kind, count in counts.items() if holdings.pages(kind, count) <= FEW_PAGES}
            for kind in whole:
                await findings.let_go(tx, kind)
        for kind in sorted(differing):
            await examiner.read(kind, since=None if kind in whole else moment(self._began - LAG))
        return differing - whole

    async def _doubt_all(self, copy: Ledger) -> None:
        async with copy.begin() as tx:
            await findings.blank(tx, self._name)

    async def _doubt(self, ledger: Ledger) -> None:
        """What differs counts as not told any more in this ledger, and is queued.

        A contact is known as it was met, as if a sync had: one that is there must not be taken for a new one.
        """
        async for kind, part in findings.all_of(self._notes, KINDS, OPEN):
            async with ledger.begin(turn=self._name) as tx:
                if kind == CONTACTS:
                    await self._doubt_contacts(tx, part)
                else:
                    await findings.forget_goods(tx, self._name, [one.key for one in part])
                products = await findings.products_of(
                    tx, self._name, [one.key.id for one in part if one.key.resource is Resource.VARIANTS]
                )
                keys = {
                    Key(Resource.PRODUCTS, products[one.key.id]) if one.key.id in products else one.key
                    for one in part
                    if one.key.resource is not Resource.EVENTS
                }
                await queue.enqueue(tx, self._name, keys, now=self._wiring.now())

    async def _doubt_contacts(self, tx: Tx, part: Sequence[Finding]) -> None:
        unseal = self._notes.secret.unseal
        missing = [one.name for one in part if one.state == MISSING]
        there = {
            one.name: unseal(one.held, one.name, WholeRow)
            for one in part
            if one.state == DIFFERENT and one.held
        }
        await people.forget_contact(tx, self._name, missing)
        met = [(person, row.id) for person, row in there.items()]
        await people.meet_contacts(tx, self._name, met, self._wiring.now())
        free = [person for person, row in there.items() if not row.emailBlacklisted]
        await people.lift_blocks(tx, self._name, free)
        await people.release(tx, self._name, list(there))

    async def _park(self, copy: Ledger) -> None:
        """Note what a sync would leave among the failures."""
        last = None
        while True:
            async with copy.begin() as tx:
                parked = await queue.parked_after(tx, self._name, last, limit=findings.AT_ONCE)
            if not parked:
                return
            failures = [
                Finding(
                    name=str(one.key).encode(),
                    key=one.key,
                    state=PARKED,
                    look=self._looks,
                    words=(one.reason,),
                )
                for one in parked
            ]
            async with self._notes.begin() as tx:
                await findings.judge(tx, FAILURES, failures)
            last = parked[-1]

    async def _put_off(self, copy: Ledger) -> None:
        """What is queued, rendered or on its way, or was told meanwhile, does not differ yet."""
        real, name = self._wiring.ledger, self._name
        async for keys in findings.queued(real, name):
            async with copy.begin() as tx:
                persons = await findings.touched(tx, name, keys)
                products = [key.id for key in keys if key.resource is Resource.PRODUCTS]
                variants = await known.variants_of(tx, name, products)
            forms = [Key(Resource.VARIANTS, id_) for ids in variants.values() for id_ in ids]
            async with self._notes.begin() as tx:
                await findings.put_off(tx, CONTACTS, persons)
                await findings.put_off_keys(tx, [*keys, *forms])
        async for persons_waiting in findings.on_their_way(real, name):
            async with self._notes.begin() as tx:
                await findings.put_off(tx, CONTACTS, persons_waiting)
        async for kind, part in findings.all_of(self._notes, KINDS, OPEN):
            async with real.begin() as tx:
                if kind == CONTACTS:
                    told = await findings.told_since(tx, name, [one.name for one in part], self._since)
                else:
                    keys = [one.key for one in part]
                    landing = await findings.unsettled(tx, name, keys, self._wiring.now() - LANDING)
                    told = {one.name for one in part if one.key in landing}
            async with self._notes.begin() as tx:
                await findings.put_off(tx, kind, told)

    async def _put_off_unseen(self, kinds: set[str]) -> None:
        """What was told anew and need not show in a list that was not read as a whole.

        Brevo may take the order's own date for the one at which it was modified.
        """
        async for kind, part in findings.all_of(self._notes, sorted(kinds), OPEN):
            async with self._notes.begin() as tx:
                await findings.put_off(tx, kind, [one.name for one in part])

    async def _differing(self) -> int:
        async with self._notes.begin() as tx:
            counts = await findings.counts(tx)
        return sum(count for (_, state), count in counts.items() if state in OPEN)

    def _count(self, store: int, brevo: int) -> None:
        self._calls.update(bigcommerce=store, brevo=brevo)

    # --- the report

    async def account(self) -> Audit:
        """What was found."""
        async with self._notes.begin() as tx:
            counts = await findings.counts(tx)
        fields = await self._fields()
        met = {resource for resource, _ in counts}
        resources = {
            str(resource): await self._part(resource, counts, fields.get(resource, Counter()))
            for resource in Resource
            if resource in met
        }
        differences = sum(part.missing + part.different + part.gone for part in resources.values())
        return Audit(
            connector=self._name,
            agrees=not differences and not self._troubles,
            differences=differences,
            resources=resources,
            not_compared=(*self._unseen(), *[words async for words in self._unspoken()]),
            troubles=tuple(dict.fromkeys(self._troubles)),
            repaired=self._repaired,
            calls=dict(self._calls),
            seconds=round(self._wiring.now() - self._began, 3),
        )

    async def _part(
        self, resource: Resource, counts: Mapping[tuple[Resource, str], int], fields: Counter[str]
    ) -> Part:
        shown = (MISSING, DIFFERENT, GONE, WAITING, PARKED)
        tallies = {state: counts.get((resource, state), 0) for state in (AGREED, *shown)}
        examples = []
        async with self._notes.begin() as tx:
            for state in shown:
                if tallies[state]:
                    found = await findings.examples(tx, resource, [state], EXAMPLES)
                    examples += [self._example(one) for one in found]
        return Part(
            checked=sum(tallies.values()),
            fields=dict(fields.most_common()),
            examples=tuple(examples),
            **tallies,
        )

    def _example(self, one: Finding) -> Example:
        if one.state == PARKED:
            return Example(key=str(one.key), state=one.state, reason=one.words[0])
        unseal = self._notes.secret.unseal
        values = unseal(one.sealed, one.name, tuple[Changed, ...]) if one.sealed else ()
        return Example(key=str(one.key), state=one.state, fields=one.words, values=values)

    async def _fields(self) -> dict[Resource, Counter[str]]:
        found: dict[Resource, Counter[str]] = {}
        async for _, part in findings.all_of(self._notes, KINDS, [DIFFERENT]):
            for one in part:
                found.setdefault(one.key.resource, Counter()).update(one.words)
        return found

    def _unseen(self) -> list[str]:
        phones = [PHONELESS.format(self._phoneless)] if self._phoneless else []
        return phones + [
            f"{kind}: Brevo's list does not show {', '.join(sorted(names))}"
            for kind, names in sorted(self._shown.hidden.items())
        ]

    async def _unspoken(self) -> AsyncIterator[str]:
        """What was told, and is in no list of the store."""
        resources = self._wiring.policy(self._name).resources
        if Resource.CUSTOMERS in resources:
            count = 0
            async for persons in findings.told_people(self._wiring.ledger, self._name):
                async with self._notes.begin() as tx:
                    count += len(await findings.unjudged(tx, CONTACTS, persons))
            if count:
                yield UNSPOKEN.format(count)
        if Resource.ORDERS in resources:
            count = 0
            async for ids in findings.told_orders(self._wiring.ledger, self._name):
                async with self._notes.begin() as tx:
                    count += len(await findings.unjudged_ids(tx, Resource.ORDERS, ids))
            if count:
                yield DELETED.format(count)


def _delivered(write: Write) -> Outcome:
    return Outcome(write=write, verdict=Verdict.DELIVERED)
