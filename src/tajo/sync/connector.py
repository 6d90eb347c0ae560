"""The one path that every change takes, and the sweeps that decide when to look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any

from msgspec.structs import replace

from tajo.errors import Later, Mend, gravest
from tajo.sync import census, losses, sequences, weigh
from tajo.sync.account import Account
from tajo.sync.automation import Automation, Nothing
from tajo.sync.barred import MENDED, Barred, Bars
from tajo.sync.delivery import Delivery
from tajo.sync.ledger import carts, keeping, outgoing, people, queue, runs
from tajo.sync.ledger.store import Ledger, Tx
from tajo.sync.model import Batch, Key, Refund, Resource, Store
from tajo.sync.moments import moment
from tajo.sync.pages import ahead, gathered
from tajo.sync.parts import BESIDE, DATED, GOODS, LANES, LISTED, LOOK_AT, PARTS, PEOPLE, SHOWS, UNSEEN
from tajo.sync.ports import Destination, Source, Told, urgent
from tajo.sync.shipping import Shipping, event_key
from tajo.sync.spans import span
from tajo.sync.weigh import Desk, Policy, Weighed

#: How each resource is weighed. A new resource is a line here, one in the source, one in the destination.
WEIGH: dict[Resource, Callable[..., Awaitable[Weighed]]] = {
    Resource.CATEGORIES: weigh.categories,
    Resource.PRODUCTS: weigh.products,
    Resource.REFUNDS: weigh.refunds,
    Resource.ORDERS: weigh.orders,
    Resource.SUBSCRIBERS: weigh.subscribers,
    Resource.CUSTOMERS: weigh.customers,
    Resource.CARTS: weigh.carts,
}

_GUESTS_AT_ONCE = 500
_DRAIN_AT_ONCE = 2000
_PUT_OFF = 300.0
_STOCK = 2000
_PROGRESS_EVERY = 5.0
_FAREWELLS_AT_ONCE = 200


class Connector:
    """One store and one account, kept in agreement: by sweeps, and by following what is due.

    Both may go on at once, while it is `attended`. `account` tells at any moment how far the sweep has
    come; `store` is what is true of all of it, and `automation` what is done by itself, once it is open.
    `journal` is told of every change that was followed, in words without personal data; `told` hears of each
    record that the destination answered for.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        destination: Destination,
        ledger: Ledger,
        policy: Policy,
        now: Callable[[], float],
        *,
        automation: Callable[[Store], Automation] = lambda _: Nothing(),
        journal: Callable[[str], None] = lambda _: None,
        told: Told = lambda *_: None,
    ) -> None:
        self.name = name
        self.automation: Automation = Nothing()
        self._make_automation = automation
        self._journal = journal
        self._told = told
        self._named: dict[Key, float] = {}  # what is followed now, and since when somebody waits for it
        self.account = Account()
        self.store = Store(name="", currency="")
        self._source = source
        self._destination = destination
        self._ledger = ledger
        self._policy = policy
        self._now = now
        self._started = now()
        self._opening = True  # no sync yet whose account would tell what opening took
        self._called: tuple[int, Mapping[str, int]] = (0, {})
        self._round_began = self._started
        self._live_since = self._started
        self._met_everybody = False  # every account was met at least once
        self._believe_losses = False
        self._cut_short: set[str] = set()  # what of this sync came to no end, and is to be gone on with
        self._left_out: set[str] = set()  # what it may not read: a later one reads it from where it stands
        self._run: runs.RunRecord | None = None
        self._noted = 0.0
        self._everybody_ahead = False
        self._sweeping: dict[Resource, runs.Position] = {}
        self._bars = Bars(now)
        self._shipping = Shipping(ledger, name, destination, lambda: self.account, now, told)

    async def open(self, *, create: bool = True) -> Store:
        """Check both credentials, learn the store, prepare the account. Raises `Mend`."""
        self.store = await self._source.open()
        self.automation = self._make_automation(self.store)
        await self._destination.open(self.store, create=create)
        return self.store

    @asynccontextmanager
    async def attended(self) -> AsyncIterator[None]:
        """Be the only one who works on this connector; while this lasts, what waits is sent.

        What an earlier process had put off goes at once. Raises `Mend` if somebody else is at work.
        """
        async with self._ledger.alone(self.name):
            async with self._ledger.begin() as tx:
                await outgoing.hasten(tx, self.name)
                self._live_since = (await runs.connection(tx, self.name, self._now())).live_since
                swept = await runs.swept_since(tx, self.name)
                self._met_everybody = Resource.CUSTOMERS in swept
                self._shipping.met_at = swept.get(census.CENSUS)
            async with self._shipping:
                yield

    async def sync(
        self,
        *,
        full: bool = False,
        resources: frozenset[Resource] | None = None,
        believe_losses: bool = False,
    ) -> Account:
        """Bring the destination up to date with the store; `full` looks at everything again.

        To be called while it is `attended`. A sync that was cut off is gone on with. `believe_losses`:
        a list that lost much is right; one that is not believed is a trouble, and read whole again by the
        next full sync. Raises `Mend` when a human must act; what was done until then
        stays done.
        """
        self._begin_account()
        self._believe_losses = believe_losses
        self._cut_short, self._left_out = set(), set()
        wanted = self._policy.resources & (resources or self._policy.resources)
        if Resource.CUSTOMERS in wanted:  # a contact without its orders would be a wrong one
            wanted |= PARTS["orders"] & self._policy.resources
        with span("sync", self.name) as here:
            if await self._round(wanted, full=full) and not self._cut_short:
                # What changed after the killed run had passed it is met now.
                await self._round(wanted, full=False)
            here.set_attributes({"tajo.run": self.account.run, "tajo.mode": self.account.mode})
        self._measure()
        return self.account

    async def _round(self, wanted: frozenset[Resource], *, full: bool) -> bool:
        """One run to its end; returns whether it was one that had been cut off before."""
        self._shipping.just_met = False
        run = self._run = await self._begin(full, wanted)
        everything = all(position.since is None for position in self._sweeping.values())
        self.account.run, self.account.mode = run.id, "full" if everything else run.mode
        if Resource.CUSTOMERS in wanted:
            await self._patiently("contacts", self._census(run))
        await self._patiently("sync", self._lanes(wanted))
        await self._drain(wanted - PEOPLE)
        # A contact written without its orders and wishes would be a wrong one. What a list is not believed
        # to have lost is remembered, so that contacts are composed of it.
        if Resource.CUSTOMERS in wanted and self._cut_short | self._left_out <= BESIDE:
            await self._patiently("customers", self._people())
        await self._shipping.finish()
        self._shipping.just_met = False
        await self._end(run, whole=wanted == self._policy.resources)
        return run.started_at < self._round_began

    async def replay(self, keys: Sequence[Key]) -> Account:
        """Look again at what is parked, whatever its payload."""
        self._begin_account()
        self._believe_losses = False
        async with self._ledger.begin() as tx:
            before = await queue.parked_of(tx, self.name, keys)
            await queue.unpark(tx, self.name, keys)
            await queue.enqueue(tx, self.name, [k for k in keys if k.resource not in UNSEEN], now=self._now())
            if any(key.resource is Resource.SEQUENCES for key in keys):
                await sequences.release(tx, self.name, self._now())
            names = await outgoing.parked(tx, self.name)
            again = [name for name in names if event_key(name) in keys]
            await outgoing.put_off(tx, self.name, outgoing.EVENTS, dict.fromkeys(again, 0.0))
        await self._shipping.look()
        await self._drain(self._policy.resources - PEOPLE)
        await self._patiently("customers", self._people(sweep=False))
        async with self._ledger.begin() as tx:
            await queue.parked_again(tx, self.name, before)
        self._measure()
        return self.account

    @property
    def barred(self) -> Mapping[Resource, Mend]:
        """What of the store may not be read, and why. A human must act; all else goes on meanwhile."""
        return self._bars.why

    async def follow(self) -> int:
        """Look at all that is due by now, as somebody waits for it; returns how many keys that were.

        To be called while it is `attended`. What may not be read is `barred`, and waits. Raises `Later`, and
        `Mend` where that is about everything.
        """
        self._opening = False
        met: set[Key] = set()
        self._named = {}
        self._shipping.hold_events()
        hurry = urgent.set(True)
        try:
            while True:
                async with self._ledger.begin() as tx:
                    keys = await queue.due_keys(
                        tx, self.name, self._followed(), now=self._now(), limit=_DRAIN_AT_ONCE
                    )
                fresh = [key for key in keys if key not in met]
                if not fresh:
                    break
                met |= set(fresh)
                guests = {
                    Key(Resource.GUESTS, key.id): at for key, at in keys.items() if key.resource in SHOWS
                }
                self._named |= guests | keys
                with span("follow", self.name, records=len(fresh)):
                    await self._look_at(fresh, live=True)
            if self._met_everybody and met:
                await self._write_guests(live=True)
                await self._say_farewell()
        finally:
            urgent.reset(hurry)
            self._shipping.release_events()
        return len(met)

    async def newest(self) -> dict[Resource, float]:
        """When the latest change of what is kept happened, in seconds since 1970; one call for each resource.

        What may not be read is `barred`, and left out. Raises `Later`, and `Mend` where that is everything.
        """
        found: dict[Resource, float] = {}
        for resource in sorted(self._readable(self._policy.resources & DATED)):
            try:
                changed = await self._source.newest(resource)
            except Mend as why:
                await self._bar(resource, why)
                continue
            self._bars.lift(resource)
            if changed is not None:
                found[resource] = changed
        return found

    def _followed(self) -> frozenset[Resource]:
        """What can be followed now: a guest's contact would lack the orders that are not read yet."""
        early = frozenset({Resource.GUESTS, Resource.SUBSCRIBERS})
        resources = self._policy.resources
        return self._readable(resources if self._met_everybody else resources - early)

    def _readable(self, resources: frozenset[Resource]) -> frozenset[Resource]:
        """Of these, what it is worth trying to read now."""
        return frozenset(one for one in resources if not self._bars.rests(LOOK_AT.get(one, one)))

    async def _bar(self, resource: Resource, why: Mend) -> None:
        """Do without this for a while. Raises `Mend` where nothing at all may be read: then all must stop.

        A refusal does not say which of the two it is, so the store itself is asked.
        """
        await self._source.open()
        self._bars.shut(resource, why)

    async def count_due(self) -> int:
        """How many keys are to be looked at by now: a cart's next look may be an hour away."""
        async with self._ledger.begin() as tx:
            return await queue.count_due(tx, self.name, by=self._now())

    async def next_due(self) -> float | None:
        """When something is to be looked at again, or sent; None if nothing waits."""
        async with self._ledger.begin() as tx:
            moments = [
                await queue.next_due(tx, self.name, self._followed()),
                await outgoing.next_due(tx, self.name),
            ]
        return min((at for at in moments if at is not None), default=None)

    async def send_due(self) -> None:
        """Send what was put off until about now."""
        await self._shipping.look()

    async def _begin(self, full: bool, wanted: frozenset[Resource]) -> runs.RunRecord:
        """Decide what must be read: everything, or what changed since the last sweep of each resource."""
        scope = ",".join(sorted(wanted))
        self._round_began = now = self._now()
        async with self._ledger.begin() as tx:
            await outgoing.hasten(tx, self.name)
            kind = {"scope": scope, "rules": self._policy.rules}
            outlook = await runs.outlook(tx, self.name, full=full, **kind)
            run = await runs.begin_run(tx, self.name, mode=outlook.mode, now=now, **kind)
            for resource in sorted(wanted & LISTED):
                self._sweeping[resource] = await runs.begin_sweep(
                    tx, self.name, resource, run.id, since=outlook.since.get(resource), now=now
                )
        customers = self._sweeping.get(Resource.CUSTOMERS)
        # A full sweep of the customers that is still to come meets everybody anyway.
        self._everybody_ahead = customers is not None and customers.since is None and not customers.done
        return run

    async def _end(self, run: runs.RunRecord, *, whole: bool) -> None:
        self._measure()
        if self._cut_short:  # it stays open, and the next sync goes on with it
            return
        async with self._ledger.begin() as tx:
            if whole and not self._left_out:
                await runs.written_by(tx, self.name, self._policy.rules)
            finished = replace(run, state="done", finished_at=self._now(), account=self.account.summary())
            await runs.save_run(tx, self.name, finished)
            if self.account.mode == "full":
                await keeping.tidy(tx, self.name, self._now())

    def _begin_account(self) -> None:
        """From now on it tells of something else. Opening counts for what comes first after it."""
        self.account, self._started = Account(), self._now()
        if not self._opening:
            self._called = self._source.calls, dict(self._destination.calls)
        self._opening = False

    def _measure(self) -> None:
        account = self.account
        read, told = self._called
        calls = {route: count - told.get(route, 0) for route, count in self._destination.calls.items()}
        account.source_calls, account.destination_calls = self._source.calls - read, sum(calls.values())
        account.seconds = self._now() - self._started
        account.floor_seconds = max(
            self._source.floor_seconds(account.source_calls), self._destination.floor_seconds(calls)
        )

    async def _census(self, run: runs.RunRecord) -> None:
        """Before a full sync, meet everybody whom the destination already holds."""
        if self._sweeping[Resource.CUSTOMERS].since is not None:
            return
        taken, emptied = await census.take(
            self._ledger, self.name, self._destination, run.id, self._round_began, self._now
        )
        if emptied:
            self.account.notes[
                "the account holds none of our contacts any more: everything is told anew"
            ] += 1
        if taken:
            self._shipping.met_at, self._shipping.just_met = self._round_began, True

    async def _lanes(self, wanted: frozenset[Resource]) -> None:
        async with asyncio.TaskGroup() as lanes:
            for lane in LANES:
                lanes.create_task(self._lane([resource for resource in lane if resource in wanted]))

    async def _lane(self, resources: Sequence[Resource]) -> None:
        """Sweep one resource after the other; each needs the one before."""
        for resource in resources:
            if not await self._patiently(resource, self._sweep(resource)):
                return

    async def _patiently(self, what: str, work: Coroutine[Any, Any, None]) -> bool:
        """Do it, and say whether it was done; what cannot be had now is told, and stops nothing else."""
        try:
            await work
        except (Later, Mend, ExceptionGroup) as error:
            worst = gravest(error)
            if not isinstance(worst, Later):
                raise worst from None
            self.account.troubles.append(f"{what}: {worst}")
            (self._left_out if isinstance(worst, Barred) else self._cut_short).add(what)
            return False
        return True

    async def _sweep(self, resource: Resource) -> None:
        """Read all that changed of one resource, and tell it."""
        if not self._sweeping[resource].done:
            async with self._delivery(resource, cursor=resource) as delivery:
                await self._read(resource, delivery)
            await self._swept(resource)
        self.account.tally(resource).done = True

    async def _people(self, *, sweep: bool = True) -> None:
        """Write the contacts: accounts that changed, those whose orders or wishes did, and guests."""
        resource = Resource.CUSTOMERS
        sweep = sweep and not self._sweeping[resource].done
        if sweep:
            async with self._delivery(resource, cursor=resource) as delivery:
                await self._read(resource, delivery)
            self._everybody_ahead, self._met_everybody = False, True
            if self._sweeping[resource].since is None:
                await self._adopt_orphans()
            await self._swept(resource)
        await self._drain(self._policy.resources)
        await self._write_guests()
        await self._say_farewell()
        await self._shipping.finish()
        # Whoever was composed anew while an older payload was on its way is looked at once more, and so is
        # whoever had come to the destination by another way.
        await self._drain(self._policy.resources)
        await self._write_guests()
        await self._shipping.finish()
        self.account.tally(resource).done = self.account.tally(Resource.GUESTS).done = True

    async def _read(self, resource: Resource, delivery: Delivery) -> None:
        """Page by page, one ahead of the writing."""
        position = self._sweeping[resource]
        tally = self.account.tally(resource)
        since = None if position.since is None else moment(position.since)
        pages = self._pages(resource, since=since, cursor=position.cursor)
        stock = _STOCK
        async for batch in ahead(gathered(pages)):
            if tally.total is None:
                unknown = batch.total is None and batch.cursor
                tally.total = await self._source.count(resource, since=since) if unknown else batch.total
            await self._deliver(delivery, batch)
            await self._note_progress()
            if tally.seen >= stock:  # the tables have grown beyond what the database knows of them
                await self._ledger.take_stock()
                stock *= 4

    async def _pages(
        self, resource: Resource, *, since: datetime | None, cursor: str
    ) -> AsyncIterator[Batch]:
        """What the store lists. What may not be read is barred, and comes later: all else goes on."""
        try:
            async for batch in self._source.pages(resource, since=since, cursor=cursor):
                yield batch
        except Mend as why:
            await self._bar(resource, why)
            raise Barred(str(why), seconds=MENDED) from None

    async def _note_progress(self) -> None:
        """Write down how far the sweep is, for whoever asks from another process."""
        now = self._now()
        if self._run is None or now < self._noted + _PROGRESS_EVERY:
            return
        self._noted = now
        self._measure()
        async with self._ledger.begin() as tx:
            await runs.save_run(tx, self.name, replace(self._run, account=self.account.progress()))

    async def _swept(self, resource: Resource) -> None:
        """The sweep is over, and what it should have met and did not is looked at."""
        self._bars.lift(resource)
        if not await self._look_for_missing(resource):
            return  # the next one looks as far back as this one would have
        started_at = self._sweeping[resource].started_at
        async with self._ledger.begin() as tx:
            await runs.end_sweep(tx, self.name, resource, started_at - self._policy.overlap)

    async def _look_for_missing(self, resource: Resource) -> bool:
        """Look at what a full listing did not show; returns whether that is believed."""
        position = self._sweeping[resource]
        if position.since is not None:
            return True
        async with self._ledger.begin() as tx:
            missing, doubt = await losses.of_list(
                tx, self.name, self._destination, resource, position.started_at
            )
            if doubt and not self._believe_losses:
                self.account.troubles.append(doubt)
                return False
            await queue.enqueue(tx, self.name, missing, now=self._now())
        return True

    async def _say_farewell(self) -> None:
        """Let those go whose account was deleted."""
        delivery = self._new_delivery(live=True)
        while True:
            desk = self._desk()
            weighing = partial(weigh.farewells, desk=desk, limit=_FAREWELLS_AT_ONCE)
            if not await delivery.take(Resource.GUESTS, weighing, read_at=desk.now, again=True):
                return
            await self._shipping.finish()

    async def _deliver(
        self, delivery: Delivery, batch: Batch, *, again: bool = False, live: bool = False
    ) -> None:
        """One batch, whoever asked for it."""
        desk = self._desk(live=live)

        async def weighing(tx: Tx) -> Weighed:
            weighed = await WEIGH[batch.resource](tx, desk=desk, batch=batch)
            await sequences.hear(
                tx, self.name, self.automation, self._ledger.secret, desk.occurred, now=self._now()
            )
            return weighed

        await delivery.take(batch.resource, weighing, read_at=batch.read_at, cursor=batch.cursor, again=again)

    def _desk(self, *, live: bool = False) -> Desk:
        return Desk(
            connector=self.name,
            destination=self._destination,
            policy=self._policy,
            secret=self._ledger.secret,
            live_since=self._live_since,
            now=self._now(),
            touch=self._met_everybody if live else not self._everybody_ahead,
            accounts_known=self._met_everybody,
        )

    @asynccontextmanager
    async def _delivery(
        self, resource: Resource, *, cursor: Resource | None = None, live: bool = False
    ) -> AsyncIterator[Delivery]:
        """A delivery, with an outbox where there are goods; leaving it sends and settles those."""
        delivery = self._new_delivery(cursor, live=live)
        if resource not in GOODS:
            yield delivery
            return
        async with self._destination.outbox(resource, delivery.settle) as delivery.outbox:
            yield delivery

    def _new_delivery(self, cursor: Resource | None = None, *, live: bool = False) -> Delivery:
        return Delivery(
            self._ledger,
            self.name,
            Account() if live else self.account,
            self._now,
            self._shipping,
            cursor=cursor,
            kept=self._policy.resources,
            soon=live,
            named=self._named if live else {},
            journal=self._journal if live else None,
            told=self._told,
        )

    async def _drain(self, resources: frozenset[Resource]) -> None:
        """Look at all that is queued and due; what comes of it may queue more."""
        met: set[Key] = set()
        while True:
            async with self._ledger.begin() as tx:
                # Somebody asked for a sync: what was put off before, or now by an error, is tried as well.
                keys = await queue.due_keys(
                    tx,
                    self.name,
                    self._readable(resources),
                    now=self._now(),
                    early=_PUT_OFF,
                    queued_before=self._started,
                    limit=_DRAIN_AT_ONCE,
                )
            if not set(keys) - met:
                return
            met |= set(keys)
            with span("drain", self.name, records=len(keys)):
                if not await self._patiently("queue", self._look_at(list(keys))):
                    return

    async def _look_at(self, keys: Sequence[Key], *, live: bool = False) -> None:
        wanted: dict[Resource, list[Key]] = {}
        for key in keys:
            wanted.setdefault(LOOK_AT.get(key.resource, key.resource), []).append(key)
        refunded: set[int] = set()
        for resource in sorted(wanted, key=list(Resource).index):
            try:
                batch = await self._fetch(resource, sorted({key.id for key in wanted[resource]}))
                batch = await self._believed(batch, live=live)
                beside = await self._companions(batch, refunded, live=live)
            except Mend as why:
                await self._bar(resource, why)
                if not live:
                    self.account.notes[f"{resource} are left out: {why.problem}"] += 1
                continue
            self._bars.lift(resource)
            swept = self._sweeping.get(resource)
            again = not live and swept is not None and swept.since is None
            for one in (*beside, batch):
                async with self._delivery(one.resource, live=live) as delivery:
                    await self._deliver(delivery, one, again=again, live=live)
            refunded |= {c.record.order_id for c in batch.changes if isinstance(c.record, Refund)}
            aliases = [key for key in wanted[resource] if key.resource != resource]
            async with self._ledger.begin() as tx:
                await queue.looked_at(tx, self.name, aliases, batch.read_at)

    async def _believed(self, batch: Batch, *, live: bool) -> Batch:
        """The batch without what is missing in it and not believed to be gone."""
        believe = self._believe_losses and not live
        async with self._ledger.begin() as tx:
            batch, words = await losses.of_look(tx, self.name, self._destination, batch, believe=believe)
        for said in words:
            self._note(said, live=live)
        return batch

    def _note(self, words: str, *, live: bool) -> None:
        """Somebody should know: whoever reads the log, or the account of the sync."""
        self._journal(words)
        if not live:
            self.account.notes[words] += 1

    async def _companions(self, batch: Batch, refunded: Collection[int], *, live: bool) -> Sequence[Batch]:
        """What else must be read. A sweep has read it before, and what was `refunded` just now is known."""
        rest = [c for c in batch.changes if c.key.resource != Resource.ORDERS or c.key.id not in refunded]
        return await self._source.companions(replace(batch, changes=rest)) if live and rest else ()

    async def _fetch(self, resource: Resource, ids: Sequence[int]) -> Batch:
        if resource is not Resource.CARTS:
            return await self._source.fetch(resource, ids)
        async with self._ledger.begin() as tx:
            known_ones = await carts.recall(tx, self.name, ids)
        return await self._source.fetch_carts([facts.uuid for facts in known_ones.values()])

    async def _write_guests(self, *, live: bool = False) -> None:
        """Write the people who wait sealed: those who turned out to have no account."""
        after = ("", 0)
        delivery = self._new_delivery(live=live)
        async with self._ledger.begin() as tx:
            self.account.tally(Resource.GUESTS).total = await people.count_guests(tx, self.name)
        while waiting := await self._next_guests(after):
            after = (waiting[-1].resource, waiting[-1].id)
            desk = self._desk()
            weighing = partial(weigh.guests, desk=desk, waiting=waiting)
            await delivery.take(Resource.GUESTS, weighing, read_at=desk.now)

    async def _next_guests(self, after: tuple[str, int]) -> list[people.Guest]:
        async with self._ledger.begin() as tx:
            return await people.sealed_guests(tx, self.name, after, _GUESTS_AT_ONCE)

    async def _adopt_orphans(self) -> None:
        """Buyers whose account is gone from the store are guests: look at their last order as such."""
        async with self._ledger.begin() as tx:
            ids = await people.orphans(tx, self.name)
            await queue.enqueue(tx, self.name, [Key(Resource.ORDERS, id_) for id_ in ids], now=self._now())
