"""Orders, products and categories on their way to Brevo: in batches, and singly where that is faster.

The batch routes share about a hundred calls an hour with everything that has no limit of its own;
single orders and single products have one each. So while no batch may go, singles are drained from
the same pool, and both limits are filled at once. Only `POST /orders/status/batch` can say
`historical`, so an order of the past never goes singly: it would start the merchant's automations.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial

from msgspec import Struct

from tajo.brevo.api import Api, Rejected
from tajo.brevo.commerce_payloads import HISTORY, NOBODY, upsert
from tajo.brevo.crew import Crew
from tajo.brevo.limits import NAP
from tajo.brevo.tracing import encode
from tajo.errors import Later
from tajo.http import Clock
from tajo.sync.model import Key, Outcome, Resource, Verdict, Write

MAX_BYTES = 5_000_000
"""Of one body: Brevo's limit for orders (docs/import-your-orders); none is told for the others."""

ENVELOPE = 200
"""Bytes kept free for what surrounds the rows of a body."""

FEW = 5
"""So many writes, left over at a flush, are not worth one of the hundred calls."""

SINGLES = 4
"""How many single calls may be under way at once."""


class Way(Struct, frozen=True):
    """How one resource travels. `settings(lane)`: what a batch says once for all its rows.

    `single(lane)`: the path of the route for one, empty where there is none or it is unsafe.
    `answer`: what a batch that was taken has come to.
    """

    path: str
    field: str
    rows: int
    settings: Callable[[str], dict[str, bool]]
    single: Callable[[str], str]
    single_body: Callable[[bytes], bytes]
    answer: Verdict = Verdict.DELIVERED

    def batch_body(self, lane: str, rows: Iterable[bytes]) -> bytes:
        """The body of a batch: rows spliced as they are."""
        settings = encode(self.settings(lane))
        return settings[:-1] + f',"{self.field}":['.encode() + b",".join(rows) + b"]}"


WAYS = {
    Resource.ORDERS: Way(
        path="/orders/status/batch",
        field="orders",
        rows=1000,
        settings=lambda lane: {"historical": lane == HISTORY},
        single=lambda lane: "" if lane == HISTORY else "/orders/status",
        single_body=bytes,
        answer=Verdict.ACCEPTED,  # 202, worked off at a moment that is not told
    ),
    Resource.PRODUCTS: Way(
        path="/products/batch",
        field="products",
        rows=100,
        settings=lambda _: {"updateEnabled": True},
        single=lambda _: "/products",
        single_body=upsert,
    ),
    # A single category comes out of the same hundred calls as a batch.
    Resource.CATEGORIES: Way(
        path="/categories/batch",
        field="categories",
        rows=100,
        settings=lambda _: {"updateEnabled": True},
        single=lambda _: "",
        single_body=upsert,
    ),
}


class Pool:
    """The writes of one lane, in the order in which they came."""

    def __init__(self, lane: str, way: Way) -> None:
        self.lane = lane
        self.rows: deque[tuple[Write, Key | None]] = deque()
        self.bytes = 0
        self.single = way.single(lane)
        self._most = way.rows

    @property
    def full(self) -> bool:
        """Enough for a batch."""
        return len(self.rows) >= self._most or self.bytes >= MAX_BYTES - ENVELOPE

    def add(self, write: Write, parent: Key | None) -> None:
        """Put a write last."""
        self.rows.append((write, parent))
        self.bytes += len(write.body) + 1

    def take_one(self) -> Write:
        """The first write."""
        write, _ = self.rows.popleft()
        self.bytes -= len(write.body) + 1
        return write

    def take_batch(self) -> tuple[list[Write], set[Key]]:
        """The first writes that fit into one batch, and the parents that must have arrived before."""
        batch: list[Write] = []
        parents: set[Key] = set()
        room = MAX_BYTES - ENVELOPE
        while self.rows and len(batch) < self._most:
            write, parent = self.rows[0]
            room -= len(write.body) + 1
            if batch and room < 0:
                break
            batch.append(self.take_one())
            if parent:
                parents.add(parent)
        return batch, parents - {write.key for write in batch}


class BatchOutbox:
    """An `Outbox` for orders, products or categories. It holds two batches at the most."""

    def __init__(self, api: Api, way: Way, crew: Crew, clock: Clock) -> None:
        self._api = api
        self._way = way
        self._crew = crew
        self._clock = clock
        self._route = f"POST {way.path}"
        self._pools: dict[str, Pool] = {}
        self._parent: Key | None = None
        self._under_way: set[Key] = set()
        self._hurry = 0  # how many callers wait for everything to go now

    async def put(self, write: Write) -> None:
        """Take a write; waits while two batches are held, or an older write of the same thing."""
        crew = self._crew
        if crew.holds(write):
            await self._hurry_until(lambda: not crew.holds(write))
        await crew.until(
            lambda: not crew.count or (crew.count < 2 * self._way.rows and crew.bytes < 2 * MAX_BYTES)
        )
        crew.take(write)
        if write.lane == NOBODY:
            reason = "the order has neither e-mail nor phone, so Brevo cannot tell whose it is"
            crew.answer([Outcome(write=write, verdict=Verdict.REFUSED, reason=reason)])
            return
        if write.key.resource is Resource.PRODUCTS:
            self._parent = write.key
        pool = self._pool(write.lane)
        pool.add(write, self._parent if write.key.resource is Resource.VARIANTS else None)
        if pool.full or self._no_batch_may_go():
            crew.moved()

    async def flush(self) -> None:
        """Send all that is held; returns when every write has been settled."""
        await self._hurry_until(lambda: not self._crew.count)

    async def _hurry_until(self, ready: Callable[[], object]) -> None:
        self._hurry += 1
        self._crew.moved()
        try:
            await self._crew.until(ready)
        finally:
            self._hurry -= 1

    def _pool(self, lane: str) -> Pool:
        pool = self._pools.get(lane)
        if pool is None:
            pool = self._pools[lane] = Pool(lane, self._way)
            self._crew.start(partial(self._send_batches, pool))
            if pool.single:
                self._crew.start(partial(self._look_again, pool))
                for _ in range(SINGLES):
                    self._crew.start(partial(self._send_singles, pool))
        return pool

    # --- in the background

    async def _send_batches(self, pool: Pool) -> None:
        while True:
            await self._crew.until(lambda: self._worth_a_batch(pool))
            seconds = self._api.limits.wait(self._route)
            if seconds > 0:
                await self._clock.sleep(min(seconds, NAP))
            else:
                await self._send(pool, *pool.take_batch())

    async def _send_singles(self, pool: Pool) -> None:
        while True:
            await self._crew.until(lambda: self._may_go_singly(pool))
            await self._send_one(pool, pool.take_one())

    async def _look_again(self, pool: Pool) -> None:
        """A batch that met a 429 makes it the singles' turn, and nobody tells us."""
        while True:
            await self._crew.until(lambda: pool.rows)
            await self._clock.sleep(1.0)
            self._crew.moved()

    def _worth_a_batch(self, pool: Pool) -> bool:
        return pool.full or bool(self._hurry and pool.rows and not self._few(pool))

    def _may_go_singly(self, pool: Pool) -> bool:
        if not pool.rows or not (self._no_batch_may_go() or (self._hurry and self._few(pool))):
            return False
        return pool.rows[0][1] not in self._under_way

    def _no_batch_may_go(self) -> bool:
        return not self._api.limits.headroom(self._route)

    def _few(self, pool: Pool) -> bool:
        return bool(pool.single) and len(pool.rows) <= FEW

    async def _send(self, pool: Pool, batch: Sequence[Write], parents: Collection[Key] = ()) -> None:
        """One batch, once its `parents` are there; as a refusal names no row, halves find out which."""
        keys = {write.key for write in batch}
        self._under_way |= keys
        await self._crew.until(lambda: self._under_way.isdisjoint(parents))
        body = self._way.batch_body(pool.lane, (write.body for write in batch))
        try:
            await self._api.post(self._way.path, body)
        except Rejected as error:
            if len(batch) == 1:
                self._crew.answer([_refused(batch[0], error)])
            elif pool.single and len(batch) <= 100:  # cheaper than seven halvings out of the hundred calls
                for write in batch:
                    await self._send_one(pool, write)
            else:
                middle = len(batch) // 2
                await self._send(pool, batch[:middle])
                await self._send(pool, batch[middle:])
        except Later as error:
            self._crew.answer([_retry(write, error) for write in batch])
        else:
            self._crew.answer([Outcome(write=write, verdict=self._way.answer) for write in batch])
        finally:
            self._under_way -= keys
            self._crew.moved()

    async def _send_one(self, pool: Pool, write: Write) -> None:
        self._under_way.add(write.key)
        try:
            await self._api.post(pool.single, self._way.single_body(write.body))
        except Rejected as error:
            self._crew.answer([_refused(write, error)])
        except Later as error:
            self._crew.answer([_retry(write, error)])
        else:
            self._crew.answer([Outcome(write=write, verdict=Verdict.DELIVERED)])
        finally:
            self._under_way.discard(write.key)
            self._crew.moved()


def _refused(write: Write, error: Rejected) -> Outcome:
    return Outcome(write=write, verdict=Verdict.REFUSED, reason=str(error))


def _retry(write: Write, error: Later) -> Outcome:
    return Outcome(write=write, verdict=Verdict.RETRY, reason=str(error), seconds=error.seconds)
