"""Who makes an audit: looks at both sides, more than once if need be, and has what differs told anew."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tajo.answers import Audit
from tajo.audit.examiner import Examiner
from tajo.audit.report import KINDS, Looked, report
from tajo.bigcommerce import BigCommerceSource
from tajo.brevo import BrevoDestination, holdings
from tajo.brevo.api import WholeRow
from tajo.errors import Usage
from tajo.sync.connector import Connector
from tajo.sync.delivery import LANDING
from tajo.sync.ledger import findings, known, people, queue, runs
from tajo.sync.ledger.findings import (
    CONTACTS,
    DIFFERENT,
    FAILURES,
    MISSING,
    OPEN,
    PARKED,
    Finding,
)
from tajo.sync.ledger.store import Ledger, Tx, copy_ledger, open_ledger
from tajo.sync.model import Key, Resource
from tajo.sync.moments import moment
from tajo.sync.sequences import Sequences
from tajo.sync.shipping import LAG
from tajo.wiring import Line, Watch, Wiring

LOOKED_AGAIN = 1000
"""So many differences are looked at once more, one by one. If there are more, that is no matter of timing."""

FEW_PAGES = 10
"""A list of so many pages is read again as a whole, a longer one from where it changed."""

SOON = 10.0
"""Seconds after which what was just told and does not show is looked for again."""

GOODS = tuple(dict.fromkeys(holdings.LISTS.values()))


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
            return await report(name, wiring.ledger, notes, auditor.looked)
        finally:
            await notes.close()


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
        """Note what a sync would leave among the failures; what was dismissed is known as well."""
        last = None
        while True:
            async with copy.begin() as tx:
                parked = await queue.parked_after(
                    tx, self._name, last, limit=findings.AT_ONCE, dismissed=None
                )
            if not parked:
                return
            failures = [
                Finding(
                    name=str(one.key).encode(),
                    key=one.key,
                    state=PARKED,
                    look=self._looks,
                    words=(one.reason if one.dismissed_at is None else f"{one.reason} (dismissed)",),
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

    def _count(self, store: int, brevo: Mapping[str, int]) -> None:
        self._calls.update(bigcommerce=store, brevo=sum(brevo.values()))

    @property
    def looked(self) -> Looked:
        """What the looks came to, beside their notes."""
        return Looked(
            resources=self._wiring.policy(self._name).resources,
            hidden=self._shown.hidden,
            phoneless=self._phoneless,
            repaired=self._repaired,
            troubles=self._troubles,
            calls=self._calls,
            seconds=self._wiring.now() - self._began,
        )
