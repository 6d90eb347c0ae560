"""What is rendered waits in the ledger, sealed, and goes when a call is full or somebody is in a hurry.

So nothing is held in memory, a kill loses nothing that was weighed, and a newer payload of a person
simply takes the place of one that has not gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from math import inf
from types import MappingProxyType, TracebackType
from typing import Self

from msgspec import Struct, field, structs

from tajo.errors import Later
from tajo.sync.account import Account
from tajo.sync.flight import Flight
from tajo.sync.ledger import erasure, outgoing, people, queue
from tajo.sync.ledger.outgoing import CONTACTS, EVENTS, PARKED, Waiting
from tajo.sync.ledger.store import Ledger, Tx
from tajo.sync.model import Consent, Farewell, Key, Outcome, Resource, Verdict, Write
from tajo.sync.moments import moment
from tajo.sync.ports import Destination, Told
from tajo.sync.spans import span
from tajo.sync.weigh import Ticket

#: So many outcomes are settled in one transaction: an import answers for tens of thousands at once.
SETTLED_AT_ONCE = 1000

#: So many writes that go alone are taken in hand at once.
ALONE_AT_ONCE = 200

#: Seconds that events which are on their way are given when the work ends.
GRACE = 5.0

#: So many contacts for whom somebody waits go by themselves: a call that takes many answers much later.
FEW = 50

#: Contacts of people without an account: they count as guests, whatever told of them.
GUESTLY = frozenset({Resource.GUESTS, Resource.SUBSCRIBERS, Resource.CARTS, Resource.EVENTS})

#: Seconds by which the destination's list of contacts, and its clock, may be behind.
LAG = 900.0

Tell = Callable[[Sequence[Write]], Awaitable[Sequence[Outcome]]]


class Arrivals(Struct):
    """What one transaction adds to what waits: bytes of contacts by lane (None: alone), and events."""

    contacts: dict[str | None, int] = field(default_factory=dict)
    events: bool = False


class Shipping:
    """Sends what waits, in the background, as an async context that ends with it.

    Contacts go in the largest calls that the destination takes, those that must go alone beside them,
    and events beside both. `finish` raises what only a human can heal. `told` hears of each answer.
    `met_at`: when all contacts there were met last; None: never. `just_met`: by the sync that goes on.
    """

    def __init__(
        self,
        ledger: Ledger,
        connector: str,
        destination: Destination,
        account: Callable[[], Account],
        now: Callable[[], float],
        told: Told = lambda *_: None,
    ) -> None:
        self.met_at: float | None = None
        self.just_met = False
        self._told = told
        self._ledger = ledger
        self._connector = connector
        self._destination = destination
        self._account = account
        self._now = now
        self._waiting: dict[str | None, int] = {}
        self._events = False
        self._hurry: set[str] = set()
        self._flying: set[bytes] = set()
        self._flight = Flight()
        self._busy = 0
        self._held_back = 0
        self._sending_alone = False
        self._telling_events = False
        self._ending = asyncio.Event()
        self._moved = asyncio.Event()
        self._error: BaseException | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.look()
        for work in (self._send_lanes, self._send_alone, self._send_events):
            self._tasks.append(asyncio.create_task(self._guard(work)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._telling_events:  # an event that is told twice has happened twice
            self._ending.set()
            await asyncio.wait([self._tasks[-1]], timeout=GRACE)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def look(self) -> None:
        """See what waits: left by a killed process, or put off until about now."""
        async with self._ledger.begin() as tx:
            sizes = await outgoing.sizes(tx, self._connector, CONTACTS, now=self._now())
            events = await outgoing.sizes(tx, self._connector, EVENTS, now=self._now())
        self._waiting, self._events = dict(sizes), bool(events)
        self._moved.set()

    async def keep(
        self,
        tx: Tx,
        tickets: Iterable[Ticket],
        events: Iterable[Write],
        *,
        soon: bool,
        named: Mapping[Key, float] = MappingProxyType({}),
    ) -> Arrivals:
        """Let contacts and events wait. `soon`: few contacts do not wait for others to share a call with.

        `named`: since when somebody waits for what they are about. Raises `Mend` if sending ended with one.
        """
        if self._error:
            raise self._error
        contacts = [(ticket.write.person, _since(ticket, named)) for ticket in tickets]
        apart = soon and len(contacts) <= FEW
        rows = [
            self._row(name, ticket, None if apart or ticket.write.alone else ticket.write.lane)
            for name, ticket in contacts
        ]
        told = [
            self._row(
                self._event_name(place, write), _since(Ticket(write=write, about=write.key), named), None
            )
            for place, write in enumerate(events)
        ]
        await outgoing.put(tx, self._connector, CONTACTS, rows)
        await outgoing.put(tx, self._connector, EVENTS, told)
        arrivals = Arrivals(events=bool(told))
        for row in rows:
            arrivals.contacts[row.lane] = arrivals.contacts.get(row.lane, 0) + row.size
        return arrivals

    def arrived(self, arrivals: Arrivals, *, soon: bool = False) -> None:
        """What was kept is committed: send it when it is time."""
        for lane, size in arrivals.contacts.items():
            self._waiting[lane] = self._waiting.get(lane, 0) + size
            if soon and lane is not None:
                self._hurry.add(lane)
        self._events |= arrivals.events
        self._moved.set()

    def hold_events(self) -> None:
        """Keep events back, because the contacts that they are about come first."""
        self._held_back += 1

    def release_events(self) -> None:
        """Let events go."""
        self._held_back -= 1
        self._moved.set()

    async def finish(self) -> None:
        """Send all that may go now, and return when it has been answered. Raises `Mend`."""
        self._hurry.update(lane for lane in self._waiting if lane is not None)
        self._moved.set()
        await self._until(lambda: not (self._busy or self._waiting or (self._events and not self._held_back)))

    def _event_name(self, place: int, write: Write) -> bytes:
        """Events go in the order in which they were found."""
        return int(self._now() * 1e6).to_bytes(8) + place.to_bytes(3) + write.fingerprint[:8]

    def _row(self, name: bytes, ticket: Ticket, lane: str | None) -> Waiting:
        write = ticket.write
        sealed = self._ledger.secret.seal(ticket, name)
        return Waiting(
            name=name,
            lane=lane,
            size=len(write.body) + 1,
            fingerprint=write.fingerprint,
            sealed=sealed,
            blocked=write.blocks or ticket.was_blocked,
            granted=write.consent is Consent.GRANTED or ticket.was_granted,
            leaves=ticket.left_behind or None,
            abandoned=ticket.abandoned or ticket.was_abandoned,
        )

    async def _until(self, ready: Callable[[], object]) -> None:
        while True:
            if self._error:
                raise self._error
            if ready():
                return
            self._moved.clear()
            await self._moved.wait()

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._error = self._error or error
            self._moved.set()

    # --- in the background

    async def _send_lanes(self) -> None:
        """One full lane after the other, the fullest first; less than a call only if it hurries."""
        full = self._destination.full_call

        def ripe() -> list[str]:
            return [
                lane
                for lane, size in self._waiting.items()
                if lane is not None and (size >= full or lane in self._hurry)
            ]

        while True:
            await self._until(ripe)
            lane = max(ripe(), key=lambda one: self._waiting[one])
            await self._send_lane(lane)

    async def _send_alone(self) -> None:
        while True:
            self._sending_alone = False
            self._moved.set()
            await self._until(lambda: None in self._waiting)
            self._sending_alone = True
            await self._send(CONTACTS, self._destination.tell)

    async def _send_events(self) -> None:
        """Events after the contacts that they are about, as far as those are at hand."""
        while not self._ending.is_set():
            await self._until(lambda: self._events and not (self._held_back or self._people_first()))
            self._telling_events = True
            await self._send(EVENTS, self._destination.tell_events)
            self._telling_events = False

    def _people_first(self) -> bool:
        """Contacts for whom somebody waits are still to go."""
        return None in self._waiting or self._sending_alone

    async def _send(self, kind: str, tell: Tell) -> None:
        """One portion of what goes alone, from the ledger to its outcome."""
        self._busy += 1
        tickets: dict[bytes, Ticket] = {}
        try:
            async for name, ticket in self._but_newcomers(self._collect(kind, None)):
                self._flying.add(name)
                tickets[name] = ticket
            if tickets:
                with span(f"tell {kind}", self._connector, records=len(tickets)):
                    outcomes = await tell([ticket.write for ticket in tickets.values()])
                if kind == EVENTS:
                    await self._settle_events(tickets, outcomes)
                else:
                    await self._settle(tickets.values(), outcomes)
        finally:
            self._flying -= tickets.keys()
            self._busy -= 1
            self._moved.set()

    async def _send_lane(self, lane: str) -> None:
        """One call of many, from the ledger to their outcomes; those that it leaves open are told alone."""
        self._busy += 1
        self._flight = flight = Flight()
        try:
            async for _, ticket in self._but_newcomers(self._collect(CONTACTS, lane)):
                flight.board(ticket)
            if flight:
                with span("tell contacts", self._connector, records=len(flight)):
                    await self._land(flight)
        finally:
            self._flight = Flight()
            self._busy -= 1
            self._moved.set()

    async def _land(self, flight: Flight) -> None:
        """Tell all in one call, and settle what it answers; each part may be told anew from then on."""
        try:
            ids = await self._destination.tell_many(flight)
        except Later as error:
            for part in flight.parts(range(len(flight)), SETTLED_AT_ONCE):
                await self._settle(part.values(), [_late(ticket.write, error) for ticket in part.values()])
            return
        there = (place for place, id_ in enumerate(ids) if id_)
        for part in flight.parts(there, SETTLED_AT_ONCE):
            told = [_delivered(ticket.write, ids[place]) for place, ticket in part.items()]
            await self._settle(part.values(), told)
            flight.land(part)
        left = (place for place, id_ in enumerate(ids) if not id_)
        for part in flight.parts(left, SETTLED_AT_ONCE):
            outcomes = await self._destination.tell([ticket.write for ticket in part.values()])
            await self._settle(part.values(), outcomes)
            flight.land(part)

    async def _collect(self, kind: str, lane: str | None) -> AsyncIterator[tuple[bytes, Ticket]]:
        """What fills a call of a lane, or some of what goes alone, by name, without what is on its way."""
        most = inf if lane is None else self._destination.full_call
        size, taken, after, rest = 0, 0, b"", True
        while rest and size < most and (lane is not None or taken < ALONE_AT_ONCE):
            async with self._ledger.begin() as tx:
                rows = await outgoing.next_of(
                    tx, self._connector, kind, lane, after=after, now=self._now(), limit=ALONE_AT_ONCE
                )
                wished = await self._forgotten(tx, kind, rows)
            rest = len(rows) == ALONE_AT_ONCE
            for row in rows:
                if size + row.size > most and taken:
                    size, rest = int(most), True
                    break
                after = row.name
                # A flight boards in the order of names, so it meets nobody of its own twice.
                if row.name in self._flying or (lane is None and row.name in self._flight):
                    continue
                ticket = self._ledger.secret.unseal(row.sealed, row.name, Ticket)
                if row.name in wished and not ticket.write.farewell:
                    continue
                yield row.name, ticket
                taken += 1
                size += row.size
        if kind == EVENTS:
            self._events = rest
        elif rest:
            self._waiting[lane] = max(1, self._waiting.get(lane, 0) - size)
        else:
            self._waiting.pop(lane, None)
            self._hurry.discard(lane or "")

    async def _but_newcomers(
        self, tickets: AsyncIterator[tuple[bytes, Ticket]]
    ) -> AsyncIterator[tuple[bytes, Ticket]]:
        """All but those who would be blocklisted as new, and have come there by another way since they were
        composed: they are looked at once more, now that it is known.
        """
        looked, there, later = False, [], {}
        async for name, ticket in tickets:
            new = ticket.write.blocks and not ticket.was_granted and not ticket.write.farewell
            if new and (ticket.named_at or not self.just_met) and self.met_at is not None:
                try:
                    if not looked:
                        await self._meet_newcomers(self.met_at)
                        looked = True
                except Later as error:  # who is new is not known now, and all others go on
                    later[name] = self._now() + error.seconds
                    continue
                async with self._ledger.begin() as tx:
                    if await people.is_there(tx, self._connector, name):
                        there.append(ticket)
                        continue
            yield name, ticket
        if there or later:
            async with self._ledger.begin(turn=self._connector) as tx:
                await queue.enqueue(tx, self._connector, [one.about for one in there], now=self._now())
                await outgoing.drop(tx, self._connector, CONTACTS, [one.write.person for one in there])
                await outgoing.put_off(tx, self._connector, CONTACTS, later)

    async def _meet_newcomers(self, since: float) -> None:
        """Note who has come since, and may be written to. Whoever is blocklisted there already may have been
        written by us, before we were stopped: what we have to say is no news to them.
        """
        began = self._now()
        async for met in self._destination.people(created_since=moment(since - LAG)):
            secret = self._ledger.secret
            free = [(secret.person(one.email), one.id) for one in met if one.email and not one.blocked]
            async with self._ledger.begin(turn=self._connector) as tx:
                await people.meet_contacts(tx, self._connector, free, self._now())
        self.met_at = began

    async def _forgotten(self, tx: Tx, kind: str, rows: Sequence[Waiting]) -> set[bytes]:
        """Who asked to be forgotten while their contact waited."""
        if kind != CONTACTS:
            return set()
        return await erasure.forgotten(tx, self._connector, {row.name for row in rows})

    # --- settling

    async def _settle(self, tickets: Iterable[Ticket], outcomes: Sequence[Outcome]) -> None:
        persons = {ticket.write.person: ticket for ticket in tickets}
        settled = [(persons[outcome.write.person], outcome) for outcome in outcomes]
        async with self._ledger.begin(turn=self._connector) as tx:
            await self._note_contacts(tx, settled)
        for ticket, outcome in settled:
            self._count(ticket, outcome)

    async def _settle_events(self, tickets: dict[bytes, Ticket], outcomes: Sequence[Outcome]) -> None:
        names = {id(ticket.write): name for name, ticket in tickets.items()}
        async with self._ledger.begin(turn=self._connector) as tx:
            await self._note_events(tx, {names[id(outcome.write)]: outcome for outcome in outcomes})
        for outcome in outcomes:
            since = tickets[names[id(outcome.write)]].named_at
            self._told(Resource.EVENTS, outcome.verdict, since)

    async def _note_contacts(self, tx: Tx, settled: Sequence[tuple[Ticket, Outcome]]) -> None:
        """Remember what was delivered, park what was refused, put off what must be tried again.

        Whoever was composed anew while this was on its way was composed without its answer: they are
        looked at once more.
        """
        connector, now = self._connector, self._now()
        over = [ticket for ticket, outcome in settled if outcome.verdict != Verdict.RETRY]
        done = [(ticket, outcome) for ticket, outcome in settled if outcome.verdict == Verdict.DELIVERED]
        refused = [(ticket, outcome) for ticket, outcome in settled if outcome.verdict == Verdict.REFUSED]
        persons = {ticket.write.person: ticket for ticket in over}
        waiting = await outgoing.fingerprints(tx, connector, CONTACTS, persons)
        newer = {p for p, ticket in persons.items() if waiting.get(p) != ticket.write.fingerprint}
        # Who took their leave and is back is told whole, which needs no second look.
        back = {person for person in newer if persons[person].write.farewell}
        await queue.enqueue(tx, connector, [persons[p].about for p in newer - back], now=now)
        await outgoing.drop(tx, connector, CONTACTS, persons.keys() - back)
        left = [ticket for ticket, _ in done if ticket.write.farewell]
        done = [(ticket, outcome) for ticket, outcome in done if not ticket.write.farewell]
        await people.release(
            tx, connector, [t.write.person for t in left if t.write.farewell == Farewell.SOFT]
        )
        hard = [ticket.write.person for ticket in left if ticket.write.farewell == Farewell.HARD]
        await people.forget_contact(tx, connector, hard)
        rows = [
            {
                "person": ticket.write.person,
                "contact_id": outcome.contact_id,
                "fingerprint": ticket.write.fingerprint,
                "told": ticket.write.consent,
                "blocked_by_us": ticket.blocked,
                "abandoned": ticket.abandoned,
                "met_at": now,
                "left_at": ticket.left_at,
            }
            for ticket, outcome in done
        ]
        await people.remember_contacts(tx, connector, rows)
        agreed = [ticket for ticket, _ in done if ticket.write.consent is Consent.GRANTED]
        ended = {ticket.write.person: ticket.left_at for ticket in agreed if ticket.left_at is not None}
        await people.end_leaves(tx, connector, ended)
        renamed = [ticket.left_behind for ticket, _ in done if ticket.write.rename is not None]
        await people.forget_contact(tx, connector, renamed)
        await queue.unpark(tx, connector, [ticket.write.key for ticket, _ in done])
        reasons = [(ticket.write.key, o.reason, ticket.write.fingerprint) for ticket, o in refused]
        await queue.park(tx, connector, reasons, now=now)
        retry = {t.write.person: now + o.seconds for t, o in settled if o.verdict == Verdict.RETRY}
        await outgoing.put_off(tx, connector, CONTACTS, retry)

    async def _note_events(self, tx: Tx, names: dict[bytes, Outcome]) -> None:
        """An event that was refused stays, parked: no look at the store would bring it back."""
        connector, now = self._connector, self._now()
        done = [name for name, outcome in names.items() if outcome.verdict == Verdict.DELIVERED]
        await outgoing.drop(tx, connector, EVENTS, done)
        await queue.unpark(tx, connector, [event_key(name) for name in done])
        refused = {name: o for name, o in names.items() if o.verdict == Verdict.REFUSED}
        reasons = [(event_key(name), outcome.reason, None) for name, outcome in refused.items()]
        await queue.park(tx, connector, reasons, now=now)
        later = {name: now + o.seconds for name, o in names.items() if o.verdict == Verdict.RETRY}
        await outgoing.put_off(tx, connector, EVENTS, later | dict.fromkeys(refused, PARKED))

    def _count(self, ticket: Ticket, outcome: Outcome) -> None:
        account = self._account()
        resource = Resource.GUESTS if ticket.about.resource in GUESTLY else ticket.about.resource
        self._told(resource, outcome.verdict, ticket.named_at)
        tally = account.tally(resource)
        match outcome.verdict:
            case Verdict.DELIVERED:
                tally.written += 1
            case Verdict.REFUSED:
                tally.parked += 1
            case Verdict.RETRY:
                tally.failed += 1
        if outcome.left_out:
            account.notes[f"{outcome.left_out} left out: it was refused"] += 1


def _since(ticket: Ticket, named: Mapping[Key, float]) -> Ticket:
    at = named.get(ticket.about)
    return ticket if at is None else structs.replace(ticket, named_at=at)


def _delivered(write: Write, contact_id: int) -> Outcome:
    return Outcome(write=write, verdict=Verdict.DELIVERED, contact_id=contact_id)


def _late(write: Write, error: Later) -> Outcome:
    return Outcome(write=write, verdict=Verdict.RETRY, reason=str(error), seconds=error.seconds)


def event_key(name: bytes) -> Key:
    """The key under which an event is parked."""
    return Key(Resource.EVENTS, int.from_bytes(name[-8:]) >> 1)
