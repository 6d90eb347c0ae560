"""Hand batches over and settle what comes of them, so that a crash repeats work and never skips any."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct, field

from tajo.sync.account import Account
from tajo.sync.ledger import known, queue, runs
from tajo.sync.ledger.store import Ledger, Tx
from tajo.sync.model import Key, Outcome, Resource, Verdict
from tajo.sync.ports import Outbox, Told
from tajo.sync.shipping import SETTLED_AT_ONCE, Shipping
from tajo.sync.weigh import Ticket, Weighed

#: Seconds within which a write takes effect that was accepted, or that nobody heard of any more.
LANDING = 600.0

DISMISSED = "left as it is: a failure that was dismissed; see `tajo failures list --dismissed`"


class Page(Struct, eq=False):
    """A batch on its way. `cursor`: where to go on once it and all before it are settled.

    `read_at`: when it was read; `open`: how many of its writes are still under way. `doubtful`: what of
    it was told before, in a write that may still take effect, and then last.
    """

    cursor: str
    read_at: float
    open: int = 0
    doubtful: set[Key] = field(default_factory=set)


def named(key: Key) -> str:
    """A key in words: `order 17`."""
    resource = str(key.resource)
    singular = "category" if resource == "categories" else resource.removesuffix("s")
    return f"{singular} {key.id}"


class Delivery:
    """Writes under way: from the weighing of a batch to its outcome in the ledger.

    Contacts and events are handed to the shipping, and need no more care from then on. All else goes
    into an outbox (None: nothing of this resource is told by itself), and the cursor moves to a page's
    end only when that page and all before it are settled. `cursor` is the name under which it stands in
    the ledger, None where nothing is swept. `kept`: the resources that are kept in agreement at all;
    nothing else is ever queued. `soon`: somebody waits for it, and `named` says of which keys since when.
    `journal` is told what became of each, and `told` what the destination's answer was.
    """

    def __init__(
        self,
        ledger: Ledger,
        connector: str,
        account: Account,
        now: Callable[[], float],
        shipping: Shipping,
        *,
        cursor: Resource | None = None,
        kept: frozenset[Resource],
        soon: bool = False,
        named: Mapping[Key, float] = MappingProxyType({}),
        journal: Callable[[str], None] | None = None,
        told: Told = lambda *_: None,
    ) -> None:
        self._ledger = ledger
        self._connector = connector
        self._account = account
        self._now = now
        self._shipping = shipping
        self._cursor = cursor
        self._kept = kept
        self._soon = soon
        self._named = named
        self._told = told
        self._journal = journal
        self.outbox: Outbox | None = None
        self._pages: deque[Page] = deque()
        self._pending: dict[int, tuple[Ticket, Page]] = {}  # by the identity of the write
        self._open: dict[Key, int] = {}  # writes under way, for records that have several

    async def take(
        self,
        resource: Resource,
        weigh: Callable[[Tx], Awaitable[Weighed]],
        *,
        read_at: float,
        cursor: str = "",
        again: bool = False,
    ) -> int:
        """Weigh a batch, note what is settled already, and let the rest go on its way.

        `again`: the sweep has counted these already; only what comes of them is new. Returns how many
        writes there are.
        """
        page = Page(cursor, read_at)
        async with self._ledger.begin(turn=self._connector) as tx:
            weighed = await weigh(tx)
            changed = {ticket.about for ticket in weighed.tickets} if self._cursor is not None else set()
            changed -= await queue.awaited(tx, self._connector, changed) if changed else set()
            contacts = [ticket for ticket in weighed.tickets if ticket.write.person]
            goods = [ticket for ticket in weighed.tickets if not ticket.write.person]
            arrivals = await self._shipping.keep(
                tx, contacts, weighed.events, soon=self._soon, named=self._named
            )
            seen = [*weighed.settled, *(key for key, _ in weighed.parked), *(t.about for t in contacts)]
            await queue.looked_at(tx, self._connector, seen, read_at)
            await queue.unpark(tx, self._connector, await self._stale_parkings(tx, weighed))
            flawed = [(key, reason, None) for key, reason in weighed.parked]
            dismissed = await queue.park(tx, self._connector, flawed, now=read_at)
            weighed.parked = [(key, reason) for key, reason in weighed.parked if key not in dismissed]
            weighed.dismissed += len(dismissed)
            stale = [key for key in weighed.again if key.resource in self._kept]
            await queue.enqueue(tx, self._connector, stale, now=read_at)
            for key, at in weighed.later.items():
                await queue.enqueue(tx, self._connector, [key], now=read_at, at=at)
            page.open = len(goods)
            page.doubtful = await self._send_off(tx, goods, read_at)
            self._pages.append(page)
            await self._advance(tx)
        self._shipping.arrived(arrivals, soon=self._soon)
        tally = self._account.tally(resource)
        if not again:
            tally.seen += weighed.seen
            tally.unchanged += weighed.unchanged
            tally.skipped += weighed.skipped + weighed.dismissed
            if weighed.dismissed:
                self._account.notes[DISMISSED] += weighed.dismissed
            tally.parked += weighed.still_parked + len(weighed.parked)
        self._account.unannounced += len(
            changed - {ticket.about for ticket in goods if ticket.write.key in page.doubtful}
        )
        self._account.notes.update(weighed.notes)
        several = Counter(ticket.about for ticket in goods)
        self._open |= {about: count for about, count in several.items() if count > 1}
        for ticket in goods:
            if self.outbox is None:
                raise TypeError(f"{ticket.write.key} is a fact, not a thing to tell")
            self._pending[id(ticket.write)] = (ticket, page)
            await self.outbox.put(ticket.write)
        if self._journal:
            self._tell(self._journal, weighed)
        return len(weighed.tickets)

    async def _send_off(self, tx: Tx, goods: Sequence[Ticket], read_at: float) -> set[Key]:
        rows = [
            {
                "resource": ticket.write.key.resource,
                "id": ticket.write.key.id,
                "read_at": read_at,
                "parent": ticket.parent,
            }
            for ticket in goods
        ]
        now = self._now()
        return await known.send_off(tx, self._connector, rows, now=now, since=now - LANDING)

    def _tell(self, journal: Callable[[str], None], weighed: Weighed) -> None:
        """One line for each record in which there was something to tell."""
        told = Counter(ticket.about for ticket in weighed.tickets)
        for write in weighed.events:
            told.setdefault(write.key, 0)
        for key, writes in told.items():
            events = ", ".join(write.what for write in weighed.events if write.key == key)
            parts = f" in {writes} parts" if writes > 1 else ""
            change = f"new or changed, on its way{parts}" if writes else ""
            journal(f"{named(key)}: {', '.join(filter(None, (change, events)))}")
        for key, reason in weighed.parked:
            journal(f"{named(key)}: kept among the failures: {reason}")

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Remember what was delivered, park what was refused, queue what must be tried again."""
        for start in range(0, len(outcomes), SETTLED_AT_ONCE):
            part = outcomes[start : start + SETTLED_AT_ONCE]
            settled = [(*self._pending[id(outcome.write)], outcome) for outcome in part]
            async with self._ledger.begin(turn=self._connector) as tx:
                await self._note(tx, settled)
                for _, page, _ in settled:
                    page.open -= 1
                await self._advance(tx)
            for ticket, _, outcome in settled:
                del self._pending[id(ticket.write)]
                self._count(ticket, outcome)

    async def _note(self, tx: Tx, settled: Sequence[tuple[Ticket, Page, Outcome]]) -> None:
        done = [one for one in settled if one[2].verdict in (Verdict.DELIVERED, Verdict.ACCEPTED)]
        refused = [(ticket, o) for ticket, _, o in settled if o.verdict == Verdict.REFUSED]
        await self._remember(tx, done)
        await queue.unpark(tx, self._connector, [ticket.write.key for ticket, _, _ in done])
        refusals = [(ticket.write.key, o.reason, ticket.write.fingerprint) for ticket, o in refused]
        await queue.park(tx, self._connector, refusals, now=self._now())
        for page in {id(page): page for _, page, _ in settled}.values():
            over = {t.about for t, p, o in settled if p is page and o.verdict != Verdict.RETRY}
            await queue.looked_at(tx, self._connector, over, page.read_at)
        for ticket, _, outcome in settled:
            if outcome.verdict == Verdict.RETRY:
                at = self._now() + outcome.seconds
                await queue.enqueue(tx, self._connector, [ticket.about], now=self._now(), at=at)
        doubtful = [ticket.about for ticket, page, _ in done if ticket.write.key in page.doubtful]
        await queue.enqueue(tx, self._connector, doubtful, now=self._now(), at=self._now() + LANDING)

    def _count(self, ticket: Ticket, outcome: Outcome) -> None:
        """A product with many variants is one record: it counts when its last write is settled."""
        left = self._open.pop(ticket.about, 1) - 1
        if left:
            self._open[ticket.about] = left
        tally = self._account.tally(ticket.about.resource)
        if outcome.verdict == Verdict.REFUSED:
            tally.parked += 1
        elif outcome.verdict == Verdict.RETRY:
            tally.failed += 1
        elif not left:
            tally.written += 1
        else:
            return
        self._told(ticket.about.resource, outcome.verdict, self._named.get(ticket.about, 0.0))

    async def _remember(self, tx: Tx, done: Sequence[tuple[Ticket, Page, Outcome]]) -> None:
        """Note what was told. What was read before something that is told already landed last, or may have:
        it is looked at once more. What is doubtful is told again when nothing can land any more."""
        rows = []
        for ticket, page, outcome in done:
            doubtful = ticket.write.key in page.doubtful
            rows.append(
                {
                    "resource": ticket.write.key.resource,
                    "id": ticket.write.key.id,
                    "fingerprint": b"" if doubtful else ticket.write.fingerprint,
                    "read_at": page.read_at,
                    "parent": ticket.parent,
                    "unsettled_at": self._now() if doubtful or outcome.verdict == Verdict.ACCEPTED else None,
                }
            )
        overtaken = await known.remember(tx, self._connector, rows)
        stale = [ticket.about for ticket, _, _ in done if ticket.write.key in overtaken]
        await queue.enqueue(tx, self._connector, stale, now=self._now())

    async def _stale_parkings(self, tx: Tx, weighed: Weighed) -> list[Key]:
        """Settled keys that are parked for a flaw which they do not have any more."""
        flawed = {key for key, _ in weighed.parked}
        refused = await queue.refused_before(tx, self._connector, weighed.settled)
        return [key for key, one in refused.items() if one.fingerprint is None and key not in flawed]

    async def _advance(self, tx: Tx) -> None:
        """Move the cursor over the pages that are settled from the front."""
        cursor = None
        while self._pages and not self._pages[0].open:
            cursor = self._pages.popleft().cursor
        if cursor and self._cursor is not None:
            await runs.move_cursor(tx, self._connector, self._cursor, cursor)
