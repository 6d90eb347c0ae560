"""What is rendered waits in the ledger until it is answered: not lost, not doubled, not out of order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from tajo.errors import Later, Mend
from tajo.sync.account import Account
from tajo.sync.connector import Connector
from tajo.sync.ledger import outgoing, queue, runs
from tajo.sync.ledger.outgoing import CONTACTS
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.model import Outcome, Resource, Write
from tajo.sync.weigh import Policy
from tests.memory import MemoryPlatform, MemoryStore, Ticking, customer, order, subscriber

R = Resource


@dataclass
class Slow(MemoryPlatform):
    """A platform that answers contacts when it is told to, and counts what travels together."""

    gate: asyncio.Event | None = None
    calls_of: list[int] | None = None
    arrived: asyncio.Event | None = None

    async def tell(self, writes: Sequence[Write]) -> list[Outcome]:
        if self.calls_of is not None:
            self.calls_of.append(sum(len(write.body) + 1 for write in writes))
        if self.arrived:
            self.arrived.set()
        if self.gate:
            await self.gate.wait()
        return await super().tell(writes)


@dataclass
class Shop:
    store: MemoryStore
    platform: Slow
    ledger: Ledger
    clock: Ticking

    def connector(self) -> Connector:
        policy = Policy(
            resources=frozenset(Resource) - {R.VARIANTS, R.CARTS, R.EVENTS},
            counted=frozenset({10}),
            rules="r",
            overlap=0.0,
        )
        return Connector("shop", self.store, self.platform, self.ledger, policy, self.clock)

    async def sync(self) -> Account:
        connector = self.connector()
        async with connector.attended():
            return await connector.sync()

    async def waiting(self) -> int:
        async with self.ledger.begin() as tx:
            return await outgoing.count(tx, "shop")


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    clock = Ticking()
    ledger = await open_ledger(database_url, Secret(b"s" * 32))
    yield Shop(MemoryStore(now=clock), Slow(), ledger, clock)
    await ledger.close()


async def test_what_was_weighed_when_the_process_died_is_told_by_the_next(shop: Shop) -> None:
    shop.platform.gate, shop.platform.arrived = asyncio.Event(), asyncio.Event()
    shop.store.put(R.CUSTOMERS, *(customer(n, f"c{n}@x.test") for n in range(1, 30)))
    dying = asyncio.create_task(shop.sync())
    await shop.platform.arrived.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert not shop.platform.contacts
    assert await shop.waiting() == 29
    shop.platform.gate = None
    account = await shop.sync()
    assert len(shop.platform.contacts) == 29
    assert await shop.waiting() == 0
    assert account.clean


async def test_a_lane_goes_in_calls_as_full_as_the_platform_takes_them(shop: Shop) -> None:
    shop.platform.calls_of, shop.platform.full_call = [], 2000
    shop.store.put(R.CUSTOMERS, *(customer(n, f"c{n}@x.test") for n in range(100, 300)))
    await shop.sync()
    assert len(shop.platform.contacts) == 200
    *full, _ = shop.platform.calls_of
    assert all(1700 < size <= 2000 for size in full)


async def test_whoever_changes_while_their_contact_is_on_its_way_ends_as_the_store_has_them(
    shop: Shop,
) -> None:
    shop.platform.gate, shop.platform.arrived = asyncio.Event(), asyncio.Event()
    shop.store.put(R.CUSTOMERS, customer(1, "a@x.test", first_name="Old"))
    syncing = asyncio.create_task(shop.sync())
    await shop.platform.arrived.wait()
    shop.store.put(R.CUSTOMERS, customer(1, "a@x.test", first_name="New", modified=shop.clock.moment))
    shop.store.put(R.SUBSCRIBERS, subscriber(1, "a@x.test", granted=True, modified=shop.clock.moment))
    shop.platform.gate.set()
    await syncing
    await shop.sync()
    contact = shop.platform.contacts["a@x.test"]
    assert contact["name"] == "New" + shop.platform.rules
    assert contact["blocked"] is False  # created without consent, freed by the consent


async def test_what_is_composed_anew_while_older_is_on_its_way_is_looked_at_once_more(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "a@x.test"))
    await shop.sync()
    shop.store.put(R.CUSTOMERS, customer(1, "a@x.test", first_name="B", modified=shop.clock.moment))
    original = shop.platform.tell

    async def meddled(writes: Sequence[Write]) -> list[Outcome]:
        """Somebody composes the person anew meanwhile."""
        async with shop.ledger.begin() as tx:
            rows = await outgoing.next_of(tx, "shop", CONTACTS, None, after=b"", now=9e9, limit=9)
            rows += await outgoing.next_of(tx, "shop", CONTACTS, "", after=b"", now=9e9, limit=9)
            newer = [outgoing.Waiting(r.name, r.lane, r.size, b"another fingerpr", r.sealed) for r in rows]
            await outgoing.put(tx, "shop", CONTACTS, newer)
        shop.platform.tell = original  # type: ignore[method-assign]
        return await original(writes)

    shop.platform.tell = meddled  # type: ignore[method-assign, assignment]
    await shop.sync()
    assert await shop.waiting() == 0
    assert shop.platform.contacts["a@x.test"]["name"] == "B"
    async with shop.ledger.begin() as tx:
        assert await queue.count_due(tx, "shop") == 0


async def test_what_the_platform_cannot_take_now_waits_and_goes_with_the_next_sync(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "a@x.test"))
    shop.store.put(R.ORDERS, order(1, "guest@x.test"))
    shop.platform.answer = lambda write: "later" if write.person else ""
    account = await shop.sync()
    assert account.tally(R.CUSTOMERS).failed == 1
    assert account.tally(R.GUESTS).failed == 1
    assert await shop.waiting() == 2
    shop.platform.answer = lambda _: ""
    assert (await shop.sync()).clean
    assert set(shop.platform.contacts) == {"a@x.test", "guest@x.test"}


async def test_the_cursor_moves_past_people_who_only_wait(shop: Shop) -> None:
    shop.platform.gate, shop.platform.arrived = asyncio.Event(), asyncio.Event()
    shop.store.put(R.CUSTOMERS, *(customer(n, f"c{n}@x.test") for n in range(1, 600)))
    shop.store.page = 250
    dying = asyncio.create_task(shop.sync())
    await shop.platform.arrived.wait()
    while await shop.waiting() < 599:  # noqa: ASYNC110 - a table has no event
        await asyncio.sleep(0)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    async with shop.ledger.begin() as tx:
        run = await runs.last_run(tx, "shop")
        assert run is not None
        position = await runs.begin_sweep(tx, "shop", R.CUSTOMERS, run.id, since=None, now=0.0)
    assert position.done or position.cursor


async def test_a_call_of_which_nothing_is_known_goes_once_more_as_a_whole(shop: Shop) -> None:
    shop.platform.full_call = 10_000
    shop.store.put(R.CUSTOMERS, *(customer(n, f"c{n}@x.test") for n in range(1, 30)))
    original = shop.platform.tell

    async def lost(writes: Sequence[Write]) -> list[Outcome]:
        shop.platform.tell = original  # type: ignore[method-assign]
        raise Later("it ended as failed", seconds=0.0)

    shop.platform.tell = lost  # type: ignore[method-assign, assignment]
    account = await shop.sync()
    assert account.tally(R.CUSTOMERS).failed == 29
    assert await shop.waiting() == 29
    assert (await shop.sync()).clean
    assert len(shop.platform.contacts) == 29


async def test_whom_a_call_leaves_open_is_told_alone_while_the_others_are_settled(shop: Shop) -> None:
    shop.platform.full_call = 10_000
    shop.store.put(R.CUSTOMERS, *(customer(n, f"c{n}@x.test") for n in range(1, 30)))
    shop.platform.answer = lambda write: "busy" if b"c7@x.test" in write.body else ""
    original, left = shop.platform.tell, list[Write]()

    async def watched(writes: Sequence[Write]) -> list[Outcome]:
        if len(writes) == 1:
            left.extend(writes)
            shop.platform.answer = lambda _: ""
            assert await shop.waiting() == 1
        return await original(writes)

    shop.platform.tell = watched  # type: ignore[method-assign]
    assert (await shop.sync()).clean
    assert [write.key.id for write in left] == [7]
    assert len(shop.platform.contacts) == 29
    assert await shop.waiting() == 0


async def test_what_only_a_human_can_mend_ends_the_sync(shop: Shop) -> None:
    async def broken(_: Sequence[Write]) -> list[Outcome]:
        raise Mend("the key was withdrawn", "make another one.")

    shop.platform.tell = broken  # type: ignore[method-assign, assignment]
    shop.store.put(R.CUSTOMERS, customer(1, "a@x.test"))
    with pytest.raises(Mend, match="withdrawn"):
        await shop.sync()
    assert await shop.waiting() == 1


async def test_nothing_that_waits_can_be_read_without_the_secret(shop: Shop) -> None:
    shop.platform.answer = lambda write: "later" if write.person else ""
    shop.store.put(R.CUSTOMERS, customer(1, "ann@x.test", first_name="Ann"))
    await shop.sync()
    async with shop.ledger.begin() as tx:
        [row] = await outgoing.next_of(tx, "shop", CONTACTS, "", after=b"", now=9e9, limit=9)
    assert b"Ann" not in row.sealed
    assert b"ann@x" not in row.sealed


async def test_events_on_their_way_when_the_work_ends_are_told_once(shop: Shop) -> None:
    await shop.sync()
    now = shop.clock.moment
    shop.store.put(R.CUSTOMERS, customer(1, "a@x.test", created=now, modified=now))
    begun, original = asyncio.Event(), shop.platform.tell_events

    async def slow(writes: Sequence[Write]) -> list[Outcome]:
        begun.set()
        await asyncio.sleep(0)
        return await original(writes)

    shop.platform.tell_events = slow  # type: ignore[method-assign]
    ending = asyncio.create_task(shop.sync())
    await begun.wait()
    ending.cancel()
    await asyncio.gather(ending, return_exceptions=True)
    await shop.sync()
    assert [event["event"] for event in shop.platform.events] == ["customer_created"]
