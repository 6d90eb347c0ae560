"""Storms: the store changes, everything dies at any moment, and after a calm all is as it must be."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tajo.sync.connector import Connector
from tajo.sync.delivery import LANDING
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import open_ledger
from tajo.sync.model import Customer, Order, Outcome, Resource, Subscriber, Write
from tajo.sync.weigh import Policy
from tests.memory import MemoryPlatform, MemoryStore, Ticking, customer, order, refund, subscriber

R = Resource
COUNTED = frozenset({2, 10, 14})
EMAILS = [f"{name}@example.com" for name in ("ann", "bob", "cid", "dee", "eve", "fay")]
PHONES = ["", "+31600000001", "+31600000002", "+31600000003"]


class Killed(BaseException):
    """What a kill -9 looks like from inside: nothing after it runs, nothing catches it."""


@dataclass
class Fuse:
    """Kills at the n-th dangerous moment; burnt out, it lets everything pass."""

    left: int

    def burn(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


class FragileStore(MemoryStore):
    fuse = Fuse(0)

    async def open(self) -> Any:
        self.fuse.burn()
        return await super().open()

    async def pages(self, *args: Any, **more: Any) -> Any:
        async for batch in super().pages(*args, **more):
            self.fuse.burn()
            yield batch

    async def fetch(self, *args: Any) -> Any:
        self.fuse.burn()
        return await super().fetch(*args)


class FragilePlatform(MemoryPlatform):
    fuse = Fuse(0)

    def apply(self, write: Write) -> Outcome:
        self.fuse.burn()  # between the answers of one batch
        outcome = super().apply(write)
        self.fuse.burn()  # applied, but the answer is lost
        return outcome


def shopping(random: Random, store: MemoryStore, clock: Ticking) -> None:
    """Something happens in the store."""
    now = clock.moment
    email = random.choice([str.lower, str.upper, str.title])(random.choice(EMAILS))
    match random.randrange(6):
        case 0 | 1:
            id_ = random.randrange(1, 9)
            store.put(R.CUSTOMERS, customer(id_, email, phone=random.choice(PHONES), modified=now))
        case 2 | 3:
            id_ = random.randrange(1, 20)
            old = store.records[R.ORDERS].get(id_)
            made = old.created if isinstance(old, Order) else now
            status, buyer = random.choice([0, 2, 5, 10, 14]), random.choice([0, 0, 1, 2, 3, 50])
            if isinstance(old, Order):
                email, buyer = old.email, old.customer_id
            store.put(
                R.ORDERS,
                order(
                    id_,
                    email,
                    str(random.choice([id_, id_ + 0.5])),
                    created=made,
                    modified=now,
                    status_id=status,
                    customer_id=buyer,
                ),
            )
        case 4:
            id_ = random.randrange(1, 9)
            old_record = store.records[R.SUBSCRIBERS].get(id_)
            email = old_record.email if isinstance(old_record, Subscriber) else email
            store.put(R.SUBSCRIBERS, subscriber(id_, email, granted=random.random() < 0.5, modified=now))
        case _:
            if store.records[R.ORDERS]:
                order_id = random.choice(list(store.records[R.ORDERS]))
                new = len(store.records[R.REFUNDS]) + 1
                store.put(R.REFUNDS, refund(new, order_id, "0.25", created=now))


def expected_metrics(store: MemoryStore) -> dict[str, tuple[int, Decimal]]:
    """An oracle that shares nothing with the machine: orders and money by e-mail, told by plain loops."""
    accounts = {c.id: c.email.lower() for c in store.records[R.CUSTOMERS].values() if isinstance(c, Customer)}
    metrics = {email: (0, Decimal(0)) for email in accounts.values()}
    for subscribed in store.records[R.SUBSCRIBERS].values():
        assert isinstance(subscribed, Subscriber)
        metrics.setdefault(subscribed.email.lower(), (0, Decimal(0)))
    for sale in store.records[R.ORDERS].values():
        assert isinstance(sale, Order)
        email = accounts.get(sale.customer_id, sale.email.lower())
        count, spent = metrics.setdefault(email, (0, Decimal(0)))
        if sale.status_id in COUNTED:
            back = sum(
                (r.amount for r in store.records[R.REFUNDS].values() if r.order_id == sale.id),  # type: ignore[union-attr]
                Decimal(0),
            )
            metrics[email] = (count + 1, spent + sale.total - back)
    return metrics


async def storm(seed: int, fuses: Sequence[int], *, full_at_the_end: bool) -> None:
    random, clock = Random(seed), Ticking()
    store, platform = FragileStore(now=clock, page=random.choice([1, 2, 5])), FragilePlatform()
    platform.batch = random.choice([1, 3, 8])
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/ledger.db"

        async def sync(*, full: bool = False) -> None:
            ledger = await open_ledger(url, Secret(b"k" * 32))
            policy = Policy(
                resources=frozenset(R) - {R.VARIANTS, R.CARTS, R.EVENTS},
                counted=COUNTED,
                unfinished=frozenset({0}),
                rules="r",
                overlap=0.0,
            )
            try:
                connector = Connector("shop", store, platform, ledger, policy, clock)
                await connector.open()
                async with connector.attended():
                    await connector.sync(full=full)
            finally:
                await ledger.close()

        for length in fuses:
            for _ in range(random.randrange(6)):
                shopping(random, store, clock)
            store.fuse = platform.fuse = Fuse(length)
            try:
                await sync(full=random.random() < 0.3)
            except BaseException as error:
                if not _only_killed(error):
                    raise
        store.fuse = platform.fuse = Fuse(0)
        await sync()
        if full_at_the_end:
            await sync(full=True)
        found = {
            email: (contact["orders"], Decimal(str(contact["spent"])))
            for email, contact in platform.contacts.items()
        }
        wanted = expected_metrics(store)
        # Who changed their e-mail leaves the old contact behind only if somebody else still has it.
        assert {email: found.get(email) for email in wanted} == wanted
        sales = {
            f"orders/{o.id}": o.status_id
            for o in store.records[R.ORDERS].values()
            if isinstance(o, Order) and o.status_id
        }
        assert {key: platform.others[key]["status"] for key in sales} == sales  # type: ignore[index]
        phones = [str(c["phone"]) for c in platform.contacts.values() if c["phone"]]
        assert len(phones) == len(set(phones))
        # A phone that somebody gave up is free for the others at their next look, and what had been on its
        # way when everything died is told again when it cannot land any more.
        clock.seconds += LANDING
        await sync(full=True)
        platform.told.clear()
        await sync()
        await sync(full=True)
        assert platform.told == []


def _only_killed(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_only_killed(inner) for inner in error.exceptions)
    return isinstance(error, Killed | asyncio.CancelledError)


@settings(
    max_examples=int(os.environ.get("TAJO_STORMS", "10")),
    derandomize="TAJO_STORMS" not in os.environ,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    seed=st.integers(0, 10**9),
    fuses=st.lists(st.integers(1, 80), min_size=1, max_size=8),
    full_at_the_end=st.booleans(),
)
def test_whatever_dies_the_calm_finds_everything_told(
    seed: int, fuses: list[int], full_at_the_end: bool
) -> None:
    asyncio.run(storm(seed, fuses, full_at_the_end=full_at_the_end))
