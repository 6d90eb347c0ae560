"""Hand batches over and settle what comes of them, so that a crash repeats work and never skips any."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence

from tajo.sync.account import Account
from tajo.sync.ledger import known, people, queue, runs
from tajo.sync.ledger.store import Ledger, Tx
from tajo.sync.model import Key, Outcome, Resource, Verdict, Write
from tajo.sync.ports import Outbox
from tajo.sync.weigh import Page, Ticket, Weighed

#: So many outcomes are settled in one transaction: an import answers for tens of thousands at once.
SETTLED_AT_ONCE = 1000


Settled = tuple[Ticket, Outcome]


class _Nowhere:
    """The outbox of what is only remembered."""

    async def put(self, write: Write) -> None:
        raise TypeError(f"{write.key} is a fact, not a thing to tell")

    async def flush(self) -> None:
        pass


NOWHERE: Outbox = _Nowhere()


class Delivery:
    """Writes under way: from the weighing of a batch to its outcome in the ledger.

    The cursor moves to a page's end only when that page and all before it are settled; `cursor` is the
    name under which it stands in the ledger, None where nothing is swept. `kept`: the resources that
    are kept in agreement at all; nothing else is ever queued.
    """

    def __init__(
        self,
        ledger: Ledger,
        connector: str,
        account: Account,
        now: Callable[[], float],
        *,
        cursor: Resource | None = None,
        kept: frozenset[Resource],
    ) -> None:
        self._ledger = ledger
        self._connector = connector
        self._account = account
        self._now = now
        self._cursor = cursor
        self._kept = kept
        self._pages: deque[Page] = deque()
        self._pending: dict[int, Ticket] = {}  # by the identity of the write
        self._open: dict[Key, int] = {}  # writes under way, for records that have several

    async def take(
        self,
        resource: Resource,
        outbox: Outbox,
        weigh: Callable[[Tx], Awaitable[Weighed]],
        *,
        read_at: float,
        cursor: str = "",
        again: bool = False,
    ) -> None:
        """Weigh a batch, note what is settled already, and put the rest into the outbox.

        `again`: the sweep has counted these already; only what comes of them is new.
        """
        page = Page(cursor, read_at)
        async with self._ledger.begin() as tx:
            weighed = await weigh(tx)
            seen = [*weighed.settled, *(key for key, _ in weighed.parked)]
            await queue.looked_at(tx, self._connector, seen, read_at)
            await queue.unpark(tx, self._connector, await self._stale_parkings(tx, weighed))
            flawed = [(key, reason, None) for key, reason in weighed.parked]
            await queue.park(tx, self._connector, flawed, now=read_at)
            stale = [key for key in weighed.again if key.resource in self._kept]
            await queue.enqueue(tx, self._connector, stale, now=read_at)
            page.open = len(weighed.tickets)
            self._pages.append(page)
            await self._advance(tx)
        tally = self._account.tally(resource)
        if not again:
            tally.seen += weighed.seen
            tally.unchanged += weighed.unchanged
            tally.skipped += weighed.skipped
            tally.parked += weighed.still_parked + len(weighed.parked)
        self._account.notes.update(weighed.notes)
        several = Counter(ticket.about for ticket in weighed.tickets)
        self._open |= {about: count for about, count in several.items() if count > 1}
        for ticket in weighed.tickets:
            ticket.page = page
            self._pending[id(ticket.write)] = ticket
            await outbox.put(ticket.write)

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Remember what was delivered, park what was refused, queue what must be tried again."""
        for start in range(0, len(outcomes), SETTLED_AT_ONCE):
            part = outcomes[start : start + SETTLED_AT_ONCE]
            settled = [(self._pending[id(outcome.write)], outcome) for outcome in part]
            async with self._ledger.begin() as tx:
                await self._note(tx, settled)
                for ticket, _ in settled:
                    if ticket.page:
                        ticket.page.open -= 1
                await self._advance(tx)
            for ticket, outcome in settled:
                del self._pending[id(ticket.write)]
                self._count(ticket, outcome)

    async def _note(self, tx: Tx, settled: Sequence[Settled]) -> None:
        def of(verdict: Verdict) -> list[Settled]:
            return [(ticket, outcome) for ticket, outcome in settled if outcome.verdict == verdict]

        done, refused, retry = of(Verdict.DELIVERED), of(Verdict.REFUSED), of(Verdict.RETRY)
        await self._remember(tx, [ticket for ticket, _ in done if not ticket.write.person])
        await self._remember_people(tx, [(ticket, o) for ticket, o in done if ticket.write.person])
        await queue.unpark(tx, self._connector, [ticket.write.key for ticket, _ in done])
        refusals = [(ticket.write.key, o.reason, ticket.write.fingerprint) for ticket, o in refused]
        await queue.park(tx, self._connector, refusals, now=self._now())
        over = [ticket for ticket, _ in done + refused]
        await self._looked_at(tx, over)
        waiting = {ticket.write.person for ticket in over if ticket.about.resource in _WAITING}
        await people.drop_guests(tx, self._connector, waiting)
        for ticket, outcome in retry:
            if ticket.about.resource not in _WAITING:  # those wait sealed, and are met by every sync
                at = self._now() + outcome.seconds
                await queue.enqueue(tx, self._connector, [ticket.about], now=self._now(), at=at)

    def _count(self, ticket: Ticket, outcome: Outcome) -> None:
        """A product with many variants is one record: it counts when its last write is settled."""
        left = self._open.pop(ticket.about, 1) - 1
        if left:
            self._open[ticket.about] = left
        resource = ticket.about.resource
        tally = self._account.tally(Resource.GUESTS if resource in _WAITING else resource)
        if outcome.verdict == Verdict.REFUSED:
            tally.parked += 1
        elif outcome.verdict == Verdict.RETRY:
            tally.failed += 1
        elif outcome.verdict == Verdict.DELIVERED and not left:
            tally.written += 1
        if outcome.left_out:
            self._account.notes[f"{outcome.left_out} left out: it was refused"] += 1

    async def _remember(self, tx: Tx, tickets: Sequence[Ticket]) -> None:
        rows = [
            {
                "resource": ticket.write.key.resource,
                "id": ticket.write.key.id,
                "fingerprint": ticket.write.fingerprint,
                "read_at": ticket.page.read_at if ticket.page else 0.0,
                "parent": ticket.parent,
            }
            for ticket in tickets
        ]
        await known.remember(tx, self._connector, rows)

    async def _remember_people(self, tx: Tx, done: Sequence[Settled]) -> None:
        rows = [
            {
                "person": ticket.write.person,
                "contact_id": outcome.contact_id,
                "fingerprint": ticket.write.fingerprint,
                "told": ticket.write.consent,
                "blocked_by_us": ticket.blocked,
                "met_at": self._now(),
            }
            for ticket, outcome in done
        ]
        await people.remember_contacts(tx, self._connector, rows)
        left = [ticket.left_behind for ticket, _ in done if ticket.write.rename is not None]
        await people.forget_contact(tx, self._connector, left)

    async def _looked_at(self, tx: Tx, tickets: Sequence[Ticket]) -> None:
        by_page: dict[float, set[Key]] = {}
        for ticket in tickets:
            if ticket.page:
                by_page.setdefault(ticket.page.read_at, set()).add(ticket.about)
        for read_at, keys in by_page.items():
            await queue.looked_at(tx, self._connector, keys, read_at)

    async def _stale_parkings(self, tx: Tx, weighed: Weighed) -> list[Key]:
        """Settled keys that are parked for a payload which is not what they would say today."""
        refused = await queue.refused_before(tx, self._connector, weighed.settled)
        return [key for key, fingerprint in refused.items() if fingerprint is None]

    async def _advance(self, tx: Tx) -> None:
        """Move the cursor over the pages that are settled from the front."""
        cursor = None
        while self._pages and not self._pages[0].open:
            cursor = self._pages.popleft().cursor
        if cursor and self._cursor is not None:
            await runs.move_cursor(tx, self._connector, self._cursor, cursor)


#: Contacts that wait sealed in the ledger: nothing of theirs can be looked at again by their own key.
_WAITING = frozenset({Resource.GUESTS, Resource.SUBSCRIBERS})
