"""Following a store live: what is due is looked at, what happened is told once, what is gone leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import count
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tajo.bigcommerce import Declined
from tajo.brevo import callbacks
from tajo.errors import Later, Mend, TajoError
from tajo.sync import census, unsubscribes, weigh
from tajo.sync.account import Account
from tajo.sync.automation import Standing
from tajo.sync.barred import MENDED
from tajo.sync.connector import Connector
from tajo.sync.delivery import LANDING
from tajo.sync.ledger import carts, counts, outgoing, queue, recoveries, runs
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.model import (
    Batch,
    Cart,
    CartLine,
    Category,
    Change,
    Event,
    Farewell,
    Key,
    Line,
    Outcome,
    Product,
    Resource,
    Verdict,
    Write,
    cart_key,
)
from tajo.sync.parts import LISTED
from tajo.sync.weigh import Policy
from tests.memory import DAY_ONE, MemoryPlatform, MemoryStore, Ticking, customer, order, refund, subscriber

R = Resource
UUID = "b20deef4-4a2c-4b5a-9d1e-3a9f8f2c1d00"
ANEW = "c31eeef4-4a2c-4b5a-9d1e-3a9f8f2c1d00"
CART = cart_key(UUID)


@dataclass
class Shop:
    """A store that was synced once, and somebody who names things in it."""

    store: MemoryStore
    platform: MemoryPlatform
    ledger: Ledger
    clock: Ticking
    farewell: Farewell = Farewell.SOFT
    said: list[str] = field(default_factory=list)

    def connector(self) -> Connector:
        policy = Policy(
            resources=frozenset(Resource) - {R.VARIANTS, R.EVENTS},
            counted=frozenset({2, 10, 11, 14}),
            placed=frozenset({2, 10, 11}),
            unfinished=frozenset({0}),
            unsold=frozenset({0, 1, 6}),
            rules="r",
            overlap=0.0,
            stock=True,
            abandoned_listed=True,
            farewell=self.farewell,
        )
        return Connector(
            "shop", self.store, self.platform, self.ledger, policy, self.clock, journal=self.said.append
        )

    async def sync(self, *, full: bool = False, **how: Any) -> Account:
        connector = self.connector()
        async with connector.attended():
            return await connector.sync(full=full, **how)

    async def follow(self, *keys: Key, uuid: str = "") -> list[str]:
        """Somebody names these; the events that were told."""
        async with self.ledger.begin() as tx:
            if uuid:
                await carts.named(tx, "shop", {cart_key(uuid).id: uuid})
            await queue.enqueue(tx, "shop", keys, now=self.clock())
        self.platform.events.clear()
        connector = self.connector()
        async with connector.attended():
            await connector.follow()
            await connector._shipping.finish()
        return [str(event["event"]) for event in self.platform.events]


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    clock = Ticking()
    ledger = await open_ledger(database_url, Secret(b"s" * 32))
    yield Shop(MemoryStore(now=clock), MemoryPlatform(), ledger, clock)
    await ledger.close()


class TestEvents:
    async def test_an_order_is_told_with_its_event_and_its_buyer(self, shop: Shop) -> None:
        await shop.sync()
        now = shop.clock.moment
        shop.store.put(R.ORDERS, order(1, "g@x.test", "9", status_id=11, created=now, modified=now))
        assert await shop.follow(Key(R.ORDERS, 1)) == ["order_placed"]
        assert shop.platform.contacts["g@x.test"]["orders"] == 1
        assert await shop.follow(Key(R.ORDERS, 1)) == []

    async def test_a_refund_that_nobody_announced_is_found_with_its_order(self, shop: Shop) -> None:
        await shop.sync()
        now = shop.clock.moment
        shop.store.put(R.ORDERS, order(1, "g@x.test", "9", status_id=11, created=now, modified=now))
        await shop.sync()
        shop.store.put(
            R.ORDERS, order(1, "g@x.test", "9", status_id=14, created=now, modified=shop.clock.moment)
        )
        shop.store.put(R.REFUNDS, refund(1, 1, "4"))
        told = await shop.follow(Key(R.ORDERS, 1))
        assert sorted(told) == ["order_refunded", "order_status_changed", "order_updated"]
        assert shop.platform.contacts["g@x.test"]["spent"] == "5.00"

    async def test_a_sweep_that_finds_it_first_tells_it_and_the_webhook_after_it_nothing(
        self, shop: Shop
    ) -> None:
        await shop.sync()
        now = shop.clock.moment
        shop.store.put(R.CUSTOMERS, customer(1, "a@x.test", created=now, modified=now))
        await shop.sync()
        assert [event["event"] for event in shop.platform.events] == ["customer_created"]
        assert await shop.follow(Key(R.CUSTOMERS, 1)) == []

    async def test_stock_that_comes_back_is_an_event_and_a_write(self, shop: Shop) -> None:
        shop.store.put(R.PRODUCTS, Product(id=7, name="P", price=Decimal(1), stock=0))
        await shop.sync()
        shop.store.put(R.PRODUCTS, Product(id=7, name="P", price=Decimal(1), stock=4))
        assert await shop.follow(Key(R.PRODUCTS, 7)) == ["inventory_changed", "back_in_stock"]

    async def test_an_event_that_is_refused_is_kept_and_can_be_replayed(self, shop: Shop) -> None:
        await shop.sync()
        now = shop.clock.moment
        original = shop.platform.tell_events

        async def refuse(writes: Any) -> list[Outcome]:
            return [Outcome(write=write, verdict=Verdict.REFUSED, reason="no") for write in writes]

        shop.platform.tell_events = refuse  # type: ignore[method-assign]
        shop.store.put(R.CUSTOMERS, customer(1, "a@x.test", created=now, modified=now))
        assert await shop.follow(Key(R.CUSTOMERS, 1)) == []
        async with shop.ledger.begin() as tx:
            [parked] = await queue.all_parked(tx, "shop")
        assert parked.key.resource == R.EVENTS
        shop.platform.tell_events = original  # type: ignore[method-assign]
        connector = shop.connector()
        async with connector.attended():
            await connector.replay([parked.key])
        assert [event["event"] for event in shop.platform.events] == ["customer_created"]
        async with shop.ledger.begin() as tx:
            assert await queue.all_parked(tx, "shop") == []

    async def test_an_event_that_was_dismissed_stays_untold_until_it_is_replayed(self, shop: Shop) -> None:
        await shop.sync()
        now = shop.clock.moment
        original = shop.platform.tell_events

        async def refuse(writes: Any) -> list[Outcome]:
            return [Outcome(write=write, verdict=Verdict.REFUSED, reason="no") for write in writes]

        shop.platform.tell_events = refuse  # type: ignore[method-assign]
        for id_ in (1, 2):
            shop.store.put(R.CUSTOMERS, customer(id_, f"{id_}@x.test", created=now, modified=now))
            await shop.follow(Key(R.CUSTOMERS, id_))
        async with shop.ledger.begin() as tx:
            parked, other = await queue.all_parked(tx, "shop")
            await queue.dismiss(tx, "shop", [parked.key], shop.clock())
        shop.platform.tell_events = original  # type: ignore[method-assign]
        connector = shop.connector()
        async with connector.attended():
            await connector.replay([other.key])
            assert [event["about"] for event in shop.platform.events] == ["customers/2"]
            await connector.replay([parked.key])
        assert [event["about"] for event in shop.platform.events] == ["customers/2", "customers/1"]


class TestLanding:
    """What was accepted lands later, and what nobody heard of may have landed."""

    def put(self, shop: Shop, status_id: int) -> None:
        now = shop.clock.moment
        shop.store.put(R.ORDERS, order(1, "g@x.test", "9", status_id=status_id, created=now, modified=now))

    def status(self, shop: Shop) -> object:
        return shop.platform.others["orders/1"]["status"]  # type: ignore[index]

    async def test_an_order_that_an_older_batch_overwrites_is_told_once_more(self, shop: Shop) -> None:
        await shop.sync()
        self.put(shop, 11)
        shop.platform.taken = Verdict.ACCEPTED
        await shop.follow(Key(R.ORDERS, 1))
        shop.platform.taken = Verdict.DELIVERED
        self.put(shop, 2)
        await shop.follow(Key(R.ORDERS, 1))
        shop.platform.land()
        assert self.status(shop) == 11
        shop.clock.seconds += LANDING
        await shop.follow()
        assert self.status(shop) == 2
        assert await shop.connector().next_due() is None

    async def test_an_order_that_went_singly_is_not(self, shop: Shop) -> None:
        await shop.sync()
        for status_id in (11, 2):
            self.put(shop, status_id)
            await shop.follow(Key(R.ORDERS, 1))
        assert await shop.connector().next_due() is None

    async def test_what_returns_to_what_was_told_before_a_lost_answer_is_told(self, shop: Shop) -> None:
        self.put(shop, 11)
        await shop.sync()
        shop.platform.answer = lambda write: "later" if write.key.resource is R.ORDERS else ""
        self.put(shop, 2)
        await shop.sync()
        shop.platform.others["orders/1"] = {"status": 2}  # it had arrived
        shop.platform.answer = lambda _: ""
        self.put(shop, 11)
        await shop.sync()
        assert self.status(shop) == 11

    async def test_a_sync_tells_what_is_doubtful_only_once(self, shop: Shop) -> None:
        self.put(shop, 11)
        shop.platform.taken = Verdict.ACCEPTED
        await shop.sync()
        self.put(shop, 2)
        shop.platform.told.clear()
        await shop.sync()
        assert [write.key for write in shop.platform.told if not write.person] == [Key(R.ORDERS, 1)]


class TestCarts:
    def cart(self, shop: Shop, email: str = "a@x.test", **more: Any) -> Cart:
        line = CartLine(product_id=1, name="P", price=Decimal(5), total=Decimal(5))
        values = {"total": Decimal(5), "created": shop.clock.moment, "updated": shop.clock.moment}
        found = Cart(id=CART.id, uuid=UUID, email=email, lines=(line,), **{**values, **more})
        shop.store.put(R.CARTS, found)
        return found

    async def test_a_cart_is_told_of_once_somebody_is_known_whose_it_is(self, shop: Shop) -> None:
        await shop.sync()
        self.cart(shop, "")
        assert await shop.follow(CART, uuid=UUID) == []
        self.cart(shop)
        assert await shop.follow(CART) == ["cart_created"]
        assert await shop.follow(CART) == []
        self.cart(shop, total=Decimal(9))
        assert await shop.follow(CART) == ["cart_updated"]

    async def test_a_cart_that_cannot_be_understood_stays_dismissed(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def flawed(uuids: Sequence[str]) -> Batch:
            changes = [Change(cart_key(uuid), None, "id: expected a number") for uuid in uuids]
            return Batch(R.CARTS, changes, shop.clock())

        await shop.sync()
        monkeypatch.setattr(shop.store, "fetch_carts", flawed)
        await shop.follow(CART, uuid=UUID)
        assert len(shop.said) == 1
        async with shop.ledger.begin() as tx:
            await queue.dismiss(tx, "shop", [CART], shop.clock())
        await shop.follow(CART, uuid=UUID)
        async with shop.ledger.begin() as tx:
            assert await queue.all_parked(tx, "shop") == []
            [entry] = await queue.parked_of(tx, "shop", [CART])
        assert entry.attempts == 2
        assert len(shop.said) == 1, "nobody is told of it again"

    async def test_a_cart_left_alone_is_abandoned_and_bought_later_it_is_recovered(self, shop: Shop) -> None:
        await shop.sync()
        self.cart(shop)
        await shop.follow(CART, uuid=UUID)
        assert await shop.follow() == []
        shop.clock.seconds += 3600
        assert await shop.follow() == ["cart_abandoned"]  # by itself, on time
        now = shop.clock.moment
        del shop.store.records[R.CARTS][CART.id]
        sale = order(1, "a@x.test", "5", status_id=11, created=now, modified=now, cart_id=UUID)
        shop.store.put(R.ORDERS, sale)
        assert await shop.follow(CART, Key(R.ORDERS, 1)) == ["order_placed", "cart_recovered"]
        shop.clock.seconds += 3600
        assert await shop.follow() == []

    async def test_a_cart_that_vanishes_without_an_order_was_deleted(self, shop: Shop) -> None:
        await shop.sync()
        self.cart(shop)
        await shop.follow(CART, uuid=UUID)
        del shop.store.records[R.CARTS][CART.id]
        assert await shop.follow(CART) == []  # the order may still show up
        shop.clock.seconds += 601
        assert await shop.follow() == []  # its webhook may be lost, so a sweep must have looked for it
        await shop.sync()
        assert [event["event"] for event in shop.platform.events] == ["cart_deleted"]
        assert await shop.follow(CART) == []

    async def test_who_leaves_a_cart_behind_joins_the_list_and_leaves_it_with_the_cart(
        self, shop: Shop
    ) -> None:
        await shop.sync()
        self.cart(shop)
        await shop.follow(CART, uuid=UUID)
        assert "a@x.test" not in shop.platform.contacts
        shop.clock.seconds += 3601
        await shop.follow()
        assert shop.platform.contacts["a@x.test"]["abandoned"] is True
        del shop.store.records[R.CARTS][CART.id]
        await shop.follow(CART)
        assert shop.platform.contacts["a@x.test"]["abandoned"] is False

    async def test_whoever_buys_what_they_left_behind_leaves_the_list(self, shop: Shop) -> None:
        await shop.sync()
        self.cart(shop)
        await shop.follow(CART, uuid=UUID)
        shop.clock.seconds += 3601
        await shop.follow()
        del shop.store.records[R.CARTS][CART.id]
        now = shop.clock.moment
        sale = order(1, "a@x.test", "5", status_id=11, created=now, modified=now, cart_id=UUID)
        shop.store.put(R.ORDERS, sale)
        await shop.follow(Key(R.ORDERS, 1))
        assert shop.platform.contacts["a@x.test"]["abandoned"] is False

    async def test_a_cart_that_a_link_made_anew_is_told_of_as_the_one_that_it_brings_back(
        self, shop: Shop
    ) -> None:
        await shop.sync()
        self.cart(shop)
        await shop.follow(CART, uuid=UUID)
        shop.clock.seconds += 3601
        assert await shop.follow() == ["cart_abandoned"]
        anew = cart_key(ANEW)
        async with shop.ledger.begin() as tx:
            await recoveries.note(tx, "shop", anew.id, CART.id, shop.clock())
        made = replace(shop.store.records[R.CARTS][CART.id], id=anew.id, uuid=ANEW, updated=shop.clock.moment)
        shop.store.put(R.CARTS, made)
        assert await shop.follow(anew, uuid=ANEW) == []
        shop.clock.seconds += 3601
        assert await shop.follow(anew) == []
        now = shop.clock.moment
        sale = order(1, "a@x.test", "5", status_id=11, created=now, modified=now, cart_id=ANEW)
        shop.store.put(R.ORDERS, sale)
        assert await shop.follow(Key(R.ORDERS, 1)) == ["order_placed", "cart_recovered"]

    async def test_a_cart_that_was_bought_is_not_deleted(self, shop: Shop) -> None:
        await shop.sync()
        self.cart(shop)
        await shop.follow(CART, uuid=UUID)
        del shop.store.records[R.CARTS][CART.id]
        assert await shop.follow(CART) == []
        now = shop.clock.moment
        sale = order(1, "a@x.test", "5", status_id=11, created=now, modified=now, cart_id=UUID)
        shop.store.put(R.ORDERS, sale)
        assert await shop.follow(Key(R.ORDERS, 1)) == ["order_placed"]
        shop.clock.seconds += 3600
        assert await shop.follow() == []


class TestDeletion:
    async def test_a_deleted_customer_leaves_the_lists(self, shop: Shop) -> None:
        shop.store.put(R.CUSTOMERS, customer(1, "a@x.test"), customer(2, "b@x.test"))
        await shop.sync()
        del shop.store.records[R.CUSTOMERS][1]
        await shop.follow(Key(R.CUSTOMERS, 1))
        assert shop.platform.contacts["a@x.test"]["left"] is True
        assert "left" not in shop.platform.contacts["b@x.test"]

    async def test_or_leaves_brevo_itself(self, shop: Shop) -> None:
        shop.farewell = Farewell.HARD
        shop.store.put(R.CUSTOMERS, customer(1, "a@x.test"), customer(2, "b@x.test"))
        await shop.sync()
        del shop.store.records[R.CUSTOMERS][1]
        await shop.follow(Key(R.CUSTOMERS, 1))
        assert list(shop.platform.contacts) == ["b@x.test"]
        await shop.sync(full=True)
        assert list(shop.platform.contacts) == ["b@x.test"]

    async def test_their_old_orders_do_not_bring_them_back_but_a_new_one_does(self, shop: Shop) -> None:
        shop.farewell = Farewell.HARD
        shop.store.put(R.CUSTOMERS, customer(1, "a@x.test"))
        shop.store.put(R.ORDERS, order(1, "a@x.test", customer_id=1))
        await shop.sync()
        del shop.store.records[R.CUSTOMERS][1]
        await shop.follow(Key(R.CUSTOMERS, 1))
        await shop.sync(full=True)
        assert shop.platform.contacts == {}
        now = shop.clock.moment
        shop.store.put(R.ORDERS, order(2, "a@x.test", status_id=11, created=now, modified=now))
        await shop.follow(Key(R.ORDERS, 2))
        assert shop.platform.contacts["a@x.test"]["orders"] == 2

    async def test_who_has_another_account_stays(self, shop: Shop) -> None:
        later = DAY_ONE + timedelta(days=1)
        shop.store.put(R.CUSTOMERS, customer(1, "a@x.test", modified=later), customer(2, "a@x.test"))
        await shop.sync()
        del shop.store.records[R.CUSTOMERS][1]
        await shop.follow(Key(R.CUSTOMERS, 1))
        contact = shop.platform.contacts["a@x.test"]
        assert "left" not in contact
        assert contact["name"] == "C2"

    async def test_a_newsletter_record_that_is_deleted_was_the_consent(self, shop: Shop) -> None:
        shop.store.put(R.CUSTOMERS, customer(1, "a@x.test"))
        shop.store.put(
            R.SUBSCRIBERS, subscriber(1, "a@x.test", granted=True), subscriber(2, "r@x.test", granted=True)
        )
        await shop.sync()
        assert shop.platform.contacts["a@x.test"]["consent"] == "granted"
        shop.store.records[R.SUBSCRIBERS].clear()
        await shop.follow(Key(R.SUBSCRIBERS, 1), Key(R.SUBSCRIBERS, 2))
        assert shop.platform.contacts["a@x.test"]["blocked"] is True
        assert (
            shop.platform.contacts["r@x.test"] | {"left": True, "blocked": True}
            == shop.platform.contacts["r@x.test"]
        )

    async def test_products_and_categories_are_marked_as_gone(self, shop: Shop) -> None:
        shop.store.put(R.PRODUCTS, Product(id=7, name="P", price=Decimal(1)))
        shop.store.put(R.CATEGORIES, Category(id=3, name="C"))
        await shop.sync()
        shop.store.records[R.PRODUCTS].clear()
        shop.store.records[R.CATEGORIES].clear()
        await shop.follow(Key(R.PRODUCTS, 7), Key(R.CATEGORIES, 3), Key(R.PRODUCTS, 99))
        assert shop.platform.others["products/7"] == {"gone": True}
        assert shop.platform.others["categories/3"] == {"gone": True}
        assert "products/99" not in shop.platform.others

    async def test_what_a_full_sweep_does_not_meet_is_looked_at(self, shop: Shop) -> None:
        shop.store.put(R.CUSTOMERS, *(customer(n, f"c{n}@x.test") for n in range(1, 30)))
        shop.store.put(R.PRODUCTS, *(Product(id=n, name="P", price=Decimal(1)) for n in range(1, 30)))
        await shop.sync()
        del shop.store.records[R.CUSTOMERS][7], shop.store.records[R.PRODUCTS][9]
        await shop.sync()
        assert "left" not in shop.platform.contacts["c7@x.test"]  # no date tells of it
        account = await shop.sync(full=True)
        assert shop.platform.contacts["c7@x.test"]["left"] is True
        assert shop.platform.others["products/9"] == {"gone": True}
        assert account.clean

    async def test_a_list_that_lost_much_deletes_nothing_until_somebody_says_so(self, shop: Shop) -> None:
        shop.store.put(R.CUSTOMERS, *(customer(n, f"c{n}@x.test") for n in range(1, 30)))
        await shop.sync()
        shop.store.records[R.CUSTOMERS].clear()
        account = await shop.sync(full=True)
        assert "29 of 29 are missing" in account.troubles[0]
        assert not any("left" in contact for contact in shop.platform.contacts.values())
        assert (await shop.sync(full=True, believe_losses=True)).clean
        assert all(contact["left"] for contact in shop.platform.contacts.values())


class TestUnsubscribes:
    async def back(self, shop: Shop) -> None:
        await unsubscribes.write_back(
            shop.ledger, "shop", shop.store, shop.platform, shop.said.append, shop.clock
        )

    async def agreed(self, shop: Shop) -> None:
        shop.store.put(R.CUSTOMERS, customer(1, "a@x.test"))
        self.wish(shop, granted=True)
        await shop.sync()

    def wish(self, shop: Shop, *, granted: bool) -> None:
        shop.store.put(R.SUBSCRIBERS, subscriber(1, "a@x.test", granted=granted, modified=shop.clock.moment))

    def consent(self, shop: Shop) -> bool:
        return bool(shop.store.records[R.SUBSCRIBERS][1].consents)  # type: ignore[union-attr]

    def blocked(self, shop: Shop) -> bool:
        return bool(shop.platform.contacts["a@x.test"]["blocked"])

    async def test_the_store_takes_the_consent_and_nobody_is_freed_again(self, shop: Shop) -> None:
        shop.store.put(R.CUSTOMERS, customer(1, "a@x.test"))
        shop.store.put(R.SUBSCRIBERS, subscriber(1, "a@x.test", granted=True))
        await shop.sync()
        shop.platform.contacts["a@x.test"]["blocked"] = True  # a click in a mail
        await unsubscribes.note(shop.ledger, ["shop"], {"A@x.test": 0.0})
        await self.back(shop)
        assert shop.store.records[R.SUBSCRIBERS][1].consents == frozenset()  # type: ignore[union-attr]
        await shop.follow(Key(R.SUBSCRIBERS, 1))
        await shop.sync(full=True)
        assert shop.platform.contacts["a@x.test"]["blocked"] is True
        assert "@" not in " ".join(shop.said)

    async def left(self, shop: Shop, at: float | None = None) -> None:
        """They click in a mail, and Brevo calls."""
        shop.platform.contacts["a@x.test"]["blocked"] = True
        await unsubscribes.note(shop.ledger, ["shop"], {"a@x.test": shop.clock() if at is None else at})

    @pytest.mark.parametrize("looked", [True, False])
    async def test_a_consent_that_is_given_after_that_frees_them_though_nobody_looked_in_between(
        self, shop: Shop, looked: bool
    ) -> None:
        await self.agreed(shop)
        await self.left(shop)
        await self.back(shop)
        if looked:
            await shop.follow()
        self.wish(shop, granted=True)
        await shop.follow(Key(R.SUBSCRIBERS, 1))
        assert (self.consent(shop), self.blocked(shop)) == (True, False)
        await self.left(shop)
        await self.back(shop)
        self.wish(shop, granted=True)
        await shop.follow(Key(R.SUBSCRIBERS, 1))
        assert (self.consent(shop), self.blocked(shop)) == (True, False)
        before = shop.platform.calls["contacts"]
        await shop.sync(full=True)
        await shop.sync(full=True)
        assert shop.platform.calls["contacts"] <= before + 1
        assert not self.blocked(shop)

    async def test_what_was_told_before_they_left_and_answered_after_it_does_not_hinder_that(
        self, shop: Shop
    ) -> None:
        await self.agreed(shop)
        shop.store.put(R.CUSTOMERS, customer(1, "a@x.test", first_name="New"))
        connector, arrived, heard = shop.connector(), asyncio.Event(), asyncio.Event()
        tell = shop.platform.tell

        async def slow(writes: Sequence[Write]) -> list[Outcome]:
            outcomes = await tell(writes)
            arrived.set()
            await heard.wait()
            return outcomes

        shop.platform.tell = slow  # type: ignore[method-assign]
        async with connector.attended():
            sync = asyncio.create_task(connector.sync(full=True))
            await arrived.wait()
            await self.left(shop)
            await self.back(shop)
            self.wish(shop, granted=True)
            heard.set()
            await sync
        await shop.follow(Key(R.SUBSCRIBERS, 1))
        assert (self.consent(shop), self.blocked(shop)) == (True, False)

    async def test_what_was_read_before_the_store_was_told_frees_nobody(self, shop: Shop) -> None:
        await self.agreed(shop)
        before = shop.clock()
        await self.left(shop)
        await self.back(shop)
        stale = subscriber(1, "a@x.test", granted=True)
        async with shop.ledger.begin() as tx:
            batch = Batch(R.SUBSCRIBERS, [Change(Key(R.SUBSCRIBERS, 1), stale)], before)
            await weigh.subscribers(tx, shop.connector()._desk(live=True), batch)
        await shop.follow(Key(R.CUSTOMERS, 1))
        assert self.blocked(shop)

    async def test_the_same_call_once_more_takes_no_consent_that_was_given_since(self, shop: Shop) -> None:
        await self.agreed(shop)
        clicked = float(int(shop.clock()))
        await self.left(shop, clicked)
        for _ in range(3):
            await self.back(shop)
            self.wish(shop, granted=True)
            await shop.follow(Key(R.SUBSCRIBERS, 1))
            shop.clock.seconds += 5
            await unsubscribes.note(shop.ledger, ["shop"], {"a@x.test": clicked})
        await self.back(shop)
        assert (self.consent(shop), self.blocked(shop)) == (True, False)
        assert len([line for line in shop.said if "took" in line]) == 1

    async def test_but_a_later_one_does(self, shop: Shop) -> None:
        await self.agreed(shop)
        for _ in range(2):
            self.wish(shop, granted=True)
            await self.left(shop)
            await self.back(shop)
            assert not self.consent(shop)
            shop.clock.seconds += 1

    async def test_of_two_words_that_wait_the_later_one_counts(self, shop: Shop) -> None:
        await self.agreed(shop)
        self.wish(shop, granted=False)
        await shop.follow(Key(R.SUBSCRIBERS, 1))
        seen = shop.clock()
        self.wish(shop, granted=True)
        await shop.follow(Key(R.SUBSCRIBERS, 1))
        for at in (seen + 300, seen - 300):  # they clicked again since, and the older call comes last
            await unsubscribes.note(shop.ledger, ["shop"], {"a@x.test": at})
        await self.back(shop)
        assert not self.consent(shop)

    async def test_who_took_it_back_in_the_shop_and_agreed_anew_said_the_last_word_there(
        self, shop: Shop
    ) -> None:
        await self.agreed(shop)
        clicked = shop.clock()
        shop.clock.seconds += 600
        for granted in (False, True):
            self.wish(shop, granted=granted)
            await shop.follow(Key(R.SUBSCRIBERS, 1))
        await unsubscribes.note(shop.ledger, ["shop"], {"a@x.test": clicked})  # the call was late
        await self.back(shop)
        assert (self.consent(shop), self.blocked(shop)) == (True, False)

    async def test_our_own_block_comes_back_as_an_echo_and_changes_nothing(self, shop: Shop) -> None:
        shop.store.put(R.CUSTOMERS, customer(1, "a@x.test"))
        await shop.sync()
        await unsubscribes.note(shop.ledger, ["shop"], {}, ["a@x.test"])
        await self.back(shop)
        shop.store.put(R.SUBSCRIBERS, subscriber(1, "a@x.test", granted=True))
        await shop.follow(Key(R.SUBSCRIBERS, 1))
        assert shop.platform.contacts["a@x.test"]["blocked"] is False  # a later consent still frees them

    async def test_a_late_echo_of_our_own_block_does_not_take_a_consent_that_was_given_since(
        self, shop: Shop
    ) -> None:
        await self.agreed(shop)
        for granted in (False, True):
            self.wish(shop, granted=granted)
            await shop.follow(Key(R.SUBSCRIBERS, 1))
        await unsubscribes.note(shop.ledger, ["shop"], {}, ["a@x.test"])
        await self.back(shop)
        assert self.consent(shop)
        assert not self.blocked(shop)

    async def test_a_block_by_hand_takes_the_consent(self, shop: Shop) -> None:
        await self.agreed(shop)
        shop.platform.contacts["a@x.test"]["blocked"] = True
        await unsubscribes.note(shop.ledger, ["shop"], {}, ["a@x.test"])
        await self.back(shop)
        assert not self.consent(shop)

    async def test_a_block_of_ours_whose_answer_was_lost_is_an_echo_too(self, shop: Shop) -> None:
        await self.agreed(shop)
        shop.platform.answer = lambda write: "later" if write.person else ""
        self.wish(shop, granted=False)
        await shop.follow(Key(R.SUBSCRIBERS, 1))
        shop.platform.contacts["a@x.test"]["blocked"] = True  # it had arrived
        self.wish(shop, granted=True)
        await unsubscribes.note(shop.ledger, ["shop"], {}, ["a@x.test"])
        await self.back(shop)
        assert self.consent(shop)
        shop.platform.answer = lambda _: ""
        await shop.follow(Key(R.SUBSCRIBERS, 1))
        assert not self.blocked(shop)

    async def test_a_block_that_we_set_while_the_destination_is_asked_is_an_echo_too(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await self.agreed(shop)
        original = shop.platform.standing

        async def slow(email: str) -> Standing:
            self.wish(shop, granted=False)
            await shop.follow(Key(R.SUBSCRIBERS, 1))
            self.wish(shop, granted=True)
            return await original(email)

        monkeypatch.setattr(shop.platform, "standing", slow)
        await unsubscribes.note(shop.ledger, ["shop"], {}, ["a@x.test"])
        await self.back(shop)
        assert self.consent(shop)

    async def test_a_block_of_one_store_is_an_echo_for_every_other_too(self, shop: Shop) -> None:
        await self.agreed(shop)
        async with shop.ledger.begin() as tx:
            await runs.connection(tx, "other", shop.clock())
        other = MemoryStore(now=shop.clock)
        other.put(R.SUBSCRIBERS, subscriber(1, "a@x.test", granted=True))
        self.wish(shop, granted=False)
        await shop.follow(Key(R.SUBSCRIBERS, 1))
        await unsubscribes.note(shop.ledger, ["shop", "other"], {}, ["a@x.test"])
        await unsubscribes.write_back(
            shop.ledger, "other", other, shop.platform, shop.said.append, shop.clock
        )
        assert other.records[R.SUBSCRIBERS][1].consents  # type: ignore[union-attr]

    async def test_a_block_that_comes_while_an_older_one_is_looked_at_is_looked_at_as_well(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await self.agreed(shop)
        original = shop.platform.standing

        async def just_before(email: str) -> Standing:
            monkeypatch.setattr(shop.platform, "standing", original)
            free = await original(email)
            shop.platform.contacts[email]["blocked"] = True
            await unsubscribes.note(shop.ledger, ["shop"], {}, [email])
            return free

        monkeypatch.setattr(shop.platform, "standing", just_before)
        await unsubscribes.note(shop.ledger, ["shop"], {}, ["a@x.test"])
        await self.back(shop)
        assert not self.consent(shop)

    async def test_what_somebody_said_themselves_counts_though_the_block_was_ours(self, shop: Shop) -> None:
        await self.agreed(shop)
        self.wish(shop, granted=False)
        await shop.follow(Key(R.SUBSCRIBERS, 1))
        self.wish(shop, granted=True)  # and, before anybody looked, a click in an old mail
        await unsubscribes.note(shop.ledger, ["shop"], {"a@x.test": 0.0}, ["a@x.test"])
        await self.back(shop)
        await shop.follow(Key(R.SUBSCRIBERS, 1))
        assert self.blocked(shop)
        assert not self.consent(shop)

    async def test_while_the_destination_cannot_be_asked_the_block_waits_and_a_persons_word_does_not(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await self.agreed(shop)
        shop.store.put(R.SUBSCRIBERS, subscriber(2, "b@x.test", granted=True))
        shop.platform.contacts["a@x.test"]["blocked"] = True

        async def deaf(_: str) -> Standing:
            raise Mend("the key was revoked")

        with monkeypatch.context() as patch:
            patch.setattr(shop.platform, "standing", deaf)
            await unsubscribes.note(shop.ledger, ["shop"], {"b@x.test": 0.0}, ["a@x.test"])
            with pytest.raises(Later):
                await self.back(shop)
        assert not shop.store.records[R.SUBSCRIBERS][2].consents  # type: ignore[union-attr]
        assert self.consent(shop)
        shop.clock.seconds += MENDED
        await self.back(shop)
        assert not self.consent(shop)

    async def test_a_token_that_may_not_write_is_told_once(self, shop: Shop) -> None:
        async def forbidden(_: str) -> bool | None:
            return None

        shop.store.unsubscribe = forbidden  # type: ignore[method-assign]
        await unsubscribes.note(shop.ledger, ["shop"], {"z@x.test": 0.0})
        await self.back(shop)
        await self.back(shop)
        async with shop.ledger.begin() as tx:
            told = await counts.tallies(tx, "shop")
        assert list(told.values()) == [1]

    @pytest.mark.parametrize(
        "trouble",
        [
            Declined(401, "the token was revoked"),
            Declined(422, "no such channel"),
            Mend("the store is suspended"),
            Later("HTTP 500", seconds=MENDED),
        ],
    )
    async def test_whatever_fails_the_unsubscribe_waits_until_the_store_has_been_told(
        self, shop: Shop, trouble: TajoError
    ) -> None:
        shop.store.put(R.SUBSCRIBERS, subscriber(1, "a@x.test", granted=True))
        original = shop.store.unsubscribe

        async def failing(_: str) -> bool | None:
            raise trouble

        await unsubscribes.note(shop.ledger, ["shop"], {"a@x.test": 0.0})
        shop.store.unsubscribe = failing  # type: ignore[method-assign]
        for _ in range(3):
            with pytest.raises(Later):
                await self.back(shop)
            shop.clock.seconds += MENDED
        shop.store.unsubscribe = original  # type: ignore[method-assign]
        await self.back(shop)
        assert shop.store.records[R.SUBSCRIBERS][1].consents == frozenset()  # type: ignore[union-attr]

    async def test_one_whom_the_store_does_not_take_keeps_nobody_else_waiting(self, shop: Shop) -> None:
        everybody = [f"p{n}@x.test" for n in range(5)]
        for n, email in enumerate(everybody):
            shop.store.put(R.SUBSCRIBERS, subscriber(n, email, granted=True))
        original = shop.store.unsubscribe

        async def picky(email: str) -> bool | None:
            if email in everybody[:2]:
                raise Declined(422, "an odd record")
            return await original(email)

        shop.store.unsubscribe = picky  # type: ignore[method-assign]
        await unsubscribes.note(shop.ledger, ["shop"], dict.fromkeys(everybody, 0.0))
        for _ in range(2):
            with pytest.raises(Later, match="odd record"):
                await self.back(shop)
        await self.back(shop)
        left = {s.email for s in shop.store.records[R.SUBSCRIBERS].values() if s.consents}  # type: ignore[union-attr]
        assert left == set(everybody[:2])


class Somebody:
    """One person in a store and at a platform that tells of every change of a block, late and in any order.

    `chose`: what they chose last in the shop; `left`: since then, or (`ever_left`) ever, they unsubscribed,
    or somebody blocklisted them by hand.
    """

    email = "a@x.test"

    def __init__(self, shop: Shop, dice: Random) -> None:
        self.shop, self.dice = shop, dice
        self.chose, self.left, self.ever_left = True, False, False
        self.post: list[dict[str, Any]] = []
        original = shop.platform.apply

        def telling(write: Write) -> Outcome:
            before = self.blocked
            outcome = original(write)
            if self.blocked != before:
                self.tell_of_the_block()
            return outcome

        shop.platform.apply = telling  # type: ignore[method-assign]
        shop.store.put(R.CUSTOMERS, customer(1, self.email))
        self.wish(granted=True)

    @property
    def blocked(self) -> bool:
        return bool(self.shop.platform.contacts.get(self.email, {}).get("blocked"))

    @property
    def consent(self) -> bool:
        return bool(self.shop.store.records[R.SUBSCRIBERS][1].consents)  # type: ignore[union-attr]

    def wish(self, *, granted: bool) -> None:
        modified = self.shop.clock.moment
        self.shop.store.put(R.SUBSCRIBERS, subscriber(1, self.email, granted=granted, modified=modified))

    def tell_of_the_block(self) -> None:
        entry = {"email": self.email, "emailBlacklist": self.blocked}
        self.post.append({"event": "contact_updated", "content": [entry], "ts": int(self.shop.clock())})

    async def on(self) -> None:
        self.left &= self.consent  # who has a consent says nothing new
        self.chose = True
        self.wish(granted=True)

    async def off(self) -> None:
        self.chose = False
        self.wish(granted=False)

    async def click(self) -> None:
        self.left = self.ever_left = True
        self.post.append({"event": "unsubscribe", "email": self.email, "ts_event": int(self.shop.clock())})
        self.shop.platform.contacts[self.email]["blocked"] = True
        self.tell_of_the_block()

    async def by_hand(self) -> None:
        if not self.blocked:
            self.left = self.ever_left = True
            self.shop.platform.contacts[self.email]["blocked"] = True
            self.tell_of_the_block()

    async def follow(self) -> None:
        await self.shop.follow(Key(R.SUBSCRIBERS, 1))

    async def hear(self) -> None:
        """A batch: what the post holds, some of it now and some later, and some twice."""
        batch = [event for event in self.post if self.dice.random() < 0.6]
        self.post = [event for event in self.post if event not in batch or self.dice.random() < 0.2]
        people = callbacks.read(json.dumps(batch).encode())
        said = {p.email: p.at for p in people if p.sure}
        blocked = [p.email for p in people if not p.sure]
        await unsubscribes.note(self.shop.ledger, ["shop"], said, blocked)

    async def back(self) -> None:
        shop = self.shop
        args = (shop.ledger, "shop", shop.store, shop.platform, shop.said.append)
        await unsubscribes.write_back(*args, shop.clock)

    async def killed(self) -> None:
        """The store, or the platform, is told or asked, and nobody lives to note what it said."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(outgoing, "drop_as_read", _die)
            with suppress(Killed):
                await self.back()

    async def calm(self) -> None:
        while self.post:
            await self.hear()
        for _ in range(2):
            await self.back()
            await self.follow()


class Killed(BaseException):
    """A kill -9, from inside."""


async def _die(*_: object) -> None:
    raise Killed


STEPS = ("on", "off", "click", "by_hand", "follow", "hear", "back", "killed")


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.sampled_from(STEPS), max_size=14), seed=st.integers(0, 2**16))
@example(steps=["off", "follow", "on", "follow", "hear", "back"], seed=1)
@example(steps=["off", "follow", "on", "hear", "back", "follow"], seed=1)
@example(steps=["off", "follow", "on", "click", "hear", "hear", "hear", "back", "follow"], seed=1)
def test_in_whatever_order_blocks_and_unsubscribes_are_heard_the_last_word_of_the_person_stands(
    steps: list[str], seed: int
) -> None:
    async def run() -> None:
        clock = Ticking()
        with TemporaryDirectory() as folder:
            ledger = await open_ledger(f"sqlite:///{folder}/t.db", Secret(b"s" * 32))
            who = Somebody(Shop(MemoryStore(now=clock), MemoryPlatform(), ledger, clock), Random(seed))
            await who.shop.sync()
            for step in steps:
                clock.seconds += 20
                await getattr(who, step)()
            await who.calm()
            await ledger.close()
        if who.left or not who.chose:
            assert (who.consent, who.blocked) == (False, True)
        elif not who.ever_left:
            assert (who.consent, who.blocked) == (True, False)
        assert who.consent or who.blocked

    asyncio.run(run())


async def test_a_wish_that_came_after_the_look_stands(shop: Shop) -> None:
    async with shop.ledger.begin() as tx:
        await queue.enqueue(tx, "shop", [CART], now=200.0)
        await queue.enqueue(tx, "shop", [CART], now=100.0, at=9000.0)  # an older look puts it off
        assert await queue.next_due(tx, "shop", [CART.resource]) == 200.0
        await queue.looked_at(tx, "shop", [CART], 150.0)
        assert await queue.count_due(tx, "shop") == 1
        await queue.looked_at(tx, "shop", [CART], 200.0)
        assert await queue.count_due(tx, "shop") == 0


class TestWhoCameToThePlatformByAnotherWay:
    """Somebody filled in a form of Brevo's since all contacts were met last, and then buys as a guest."""

    async def buys(self, shop: Shop, email: str) -> None:
        now = shop.clock.moment
        shop.store.put(R.ORDERS, order(1, email, status_id=11, created=now, modified=now))

    @pytest.mark.parametrize("live", [True, False])
    async def test_they_are_not_blocklisted_as_if_they_were_new(self, shop: Shop, live: bool) -> None:
        await shop.sync()
        shop.platform.contacts["ann@x.test"] = {"blocked": False}
        await self.buys(shop, "ann@x.test")
        await (shop.follow(Key(R.ORDERS, 1)) if live else shop.sync())
        await shop.follow()
        ann = shop.platform.contacts["ann@x.test"]
        assert (ann["orders"], ann["blocked"]) == (1, False)

    async def test_somebody_who_is_new_is(self, shop: Shop) -> None:
        await shop.sync()
        await self.buys(shop, "bob@x.test")
        await shop.follow(Key(R.ORDERS, 1))
        assert shop.platform.contacts["bob@x.test"]["blocked"] is True

    async def test_who_is_blocklisted_there_stays_so(self, shop: Shop) -> None:
        await shop.sync()
        shop.platform.contacts["eve@x.test"] = {"blocked": True}
        await self.buys(shop, "eve@x.test")
        await shop.follow(Key(R.ORDERS, 1))
        assert shop.platform.contacts["eve@x.test"]["blocked"] is True

    async def test_whom_we_may_have_written_before_a_kill_is_free_once_they_agree(self, shop: Shop) -> None:
        await shop.sync()
        shop.platform.answer = lambda write: "later" if write.person else ""
        await self.buys(shop, "bob@x.test")
        await shop.follow(Key(R.ORDERS, 1))
        shop.platform.contacts["bob@x.test"] = {"blocked": True}  # it had arrived
        async with shop.ledger.begin() as tx:
            run = await runs.begin_run(tx, "shop", mode="full", scope="", rules="r", now=shop.clock())
        await census.take(shop.ledger, "shop", shop.platform, run.id, shop.clock(), shop.clock)  # and a kill
        shop.platform.answer = lambda _: ""
        await shop.follow()
        shop.store.put(R.SUBSCRIBERS, subscriber(1, "bob@x.test", granted=True))
        await shop.follow(Key(R.SUBSCRIBERS, 1))
        assert shop.platform.contacts["bob@x.test"]["blocked"] is False

    async def test_while_brevo_cannot_be_asked_they_wait_and_all_else_goes_on(self, shop: Shop) -> None:
        await shop.sync()
        shop.platform.contacts["ann@x.test"] = {"blocked": False}
        asked = shop.platform.people

        async def away(**_: Any) -> AsyncIterator[Any]:
            raise Later("Brevo is away", seconds=5.0)
            yield

        shop.platform.people = away  # type: ignore[method-assign]
        await self.buys(shop, "ann@x.test")
        await shop.follow(Key(R.ORDERS, 1))
        assert "orders/1" in shop.platform.others
        assert shop.platform.contacts["ann@x.test"] == {"blocked": False}
        shop.platform.people = asked  # type: ignore[method-assign]
        shop.clock.seconds += 10
        await shop.follow()
        await shop.follow()
        ann = shop.platform.contacts["ann@x.test"]
        assert (ann["orders"], ann["blocked"]) == (1, False)

    async def test_nobody_is_asked_for_while_nobody_would_be_blocklisted(self, shop: Shop) -> None:
        await shop.sync()
        asked = shop.platform.people
        shop.platform.people = None  # type: ignore[assignment,method-assign]
        shop.store.put(R.PRODUCTS, Product(id=7, name="P", price=Decimal(1)))
        await shop.follow(Key(R.PRODUCTS, 7))
        shop.platform.people = asked  # type: ignore[method-assign]
        assert "products/7" in shop.platform.others


async def test_what_a_webhook_announced_is_not_healed_by_the_sweep_that_comes_first(shop: Shop) -> None:
    await shop.sync()
    now = shop.clock.moment
    for number in (1, 2):
        placed = order(number, f"{number}@x.test", status_id=11, created=now, modified=now)
        shop.store.put(R.ORDERS, placed)
    async with shop.ledger.begin() as tx:
        await queue.enqueue(tx, "shop", [Key(R.ORDERS, 1)], now=shop.clock())
    account = await shop.sync()
    assert (account.tally(R.ORDERS).written, account.unannounced) == (2, 1)
    assert (await shop.sync()).unannounced == 0


async def test_a_look_that_is_put_off_makes_no_burst(shop: Shop) -> None:
    now = shop.clock()
    async with shop.ledger.begin() as tx:
        carts_ = [Key(R.CARTS, number) for number in range(1, 26)]
        await queue.enqueue(tx, "shop", carts_, now=now, at=now + 3600)
        await queue.enqueue(tx, "shop", [Key(R.ORDERS, 1)], now=now)
        assert await queue.count_due(tx, "shop") == 26
    assert await shop.connector().count_due() == 1


async def test_the_lines_of_an_events_order_show_where_the_products_are(shop: Shop) -> None:
    shown = Product(id=7, name="P", price=Decimal(1), path="/p/", image="https://cdn.test/p.jpg")
    shop.store.put(R.PRODUCTS, shown)
    await shop.sync()
    seen: list[Any] = []
    original = shop.platform.event_writes

    def watched(event: Event) -> Sequence[Write]:
        seen.append(event.record)
        return original(event)

    shop.platform.event_writes = watched  # type: ignore[method-assign]
    now = shop.clock.moment
    lines = (
        Line(product_id=7, name="P", quantity=1, price=Decimal(1)),
        Line(product_id=0, name="Gift", quantity=1, price=Decimal(1)),
    )
    shop.store.put(R.ORDERS, order(1, "a@x.test", status_id=11, created=now, modified=now, lines=lines))
    assert await shop.follow(Key(R.ORDERS, 1)) == ["order_placed"]
    assert [(line.path, line.image) for line in seen[0].lines] == [(shown.path, shown.image), ("", "")]


async def test_the_log_says_in_words_what_changed_and_names_nobody(shop: Shop) -> None:
    await shop.sync()
    now = shop.clock.moment
    shop.store.put(R.ORDERS, order(1, "ann@x.test", status_id=11, created=now, modified=now))
    await shop.follow(Key(R.ORDERS, 1))
    assert shop.said == [
        "order 1: new or changed, on its way, order_placed",
        "guest 1: new or changed, on its way",
    ]


class TestDenial:
    """A look that misses much of what is known is not believed before a second one, minutes later."""

    LATER = 301.0

    MADE: ClassVar[dict[Resource, Callable[[int], Any]]] = {
        R.CATEGORIES: lambda n: Category(id=n, name="C"),
        R.PRODUCTS: lambda n: Product(id=n, name="P", price=Decimal(1)),
        R.ORDERS: lambda n: order(n, f"c{n}@x.test", customer_id=n),
        R.SUBSCRIBERS: lambda n: subscriber(n, f"r{n}@x.test", granted=True),
        R.CUSTOMERS: lambda n: customer(n, f"c{n}@x.test"),
    }

    async def stocked(self, shop: Shop, resource: Resource, count: int) -> list[Key]:
        """A store that was synced with so many of these."""
        for made in {resource, R.CUSTOMERS} if resource is R.ORDERS else {resource}:
            shop.store.put(made, *map(self.MADE[made], range(1, count + 1)))
        await shop.sync()
        shop.platform.told.clear()
        return [Key(resource, number) for number in range(1, count + 1)]

    def deleted(self, shop: Shop) -> int:
        """Of how many Brevo was told that they are gone, or have left."""
        gone = sum(other == {"gone": True} for other in shop.platform.others.values())
        return gone + sum(bool(contact.get("left")) for contact in shop.platform.contacts.values())

    async def waiting(self, shop: Shop) -> int:
        async with shop.ledger.begin() as tx:
            return await queue.count_due(tx, "shop")

    @pytest.mark.parametrize("resource", MADE, ids=str)
    async def test_one_empty_answer_deletes_nothing_and_is_forgotten(
        self, shop: Shop, resource: Resource
    ) -> None:
        shop.farewell = Farewell.HARD
        keys = await self.stocked(shop, resource, 60)
        kept, shop.store.records[resource] = shop.store.records[resource], {}
        await shop.follow(*keys)
        at = shop.clock.moment + timedelta(seconds=300)
        assert [line[:-3] for line in shop.said if "missing" in line] == [
            f"60 of 60 {resource} are missing in the store's answer: looked at again at {at:%H:%M:%S} UTC"[
                :-3
            ]
        ]
        shop.store.records[resource] = kept
        shop.clock.seconds += self.LATER
        await shop.follow()
        assert (shop.platform.told, await self.waiting(shop)) == ([], 0)

    @pytest.mark.parametrize("resource", MADE, ids=str)
    async def test_what_is_really_gone_goes_when_a_second_look_agrees(
        self, shop: Shop, resource: Resource
    ) -> None:
        keys = await self.stocked(shop, resource, 60)
        shop.store.records[resource].clear()
        await shop.follow(*keys)
        assert (self.deleted(shop), await self.waiting(shop)) == (0, 60)
        shop.clock.seconds += self.LATER
        await shop.follow()
        assert f"60 {resource} are missing at the second look, too: they are gone" in shop.said
        assert await self.waiting(shop) == 0
        if resource is R.ORDERS:  # Brevo deletes no orders: they stop counting
            assert {contact["orders"] for contact in shop.platform.contacts.values()} == {0}
        else:
            assert self.deleted(shop) == 60

    @settings(max_examples=10, suppress_health_check=list(HealthCheck), deadline=None, derandomize=True)
    @given(known=st.integers(1, 150), lost=st.integers(0, 150))
    async def test_few_are_believed_at_once_and_many_are_not(self, known: int, lost: int) -> None:
        clock = Ticking()
        with TemporaryDirectory() as folder:
            ledger = await open_ledger(f"sqlite:///{folder}/t.db", Secret(b"s" * 32))
            shop = Shop(MemoryStore(now=clock, page=150), MemoryPlatform(), ledger, clock)
            keys, lost = await self.stocked(shop, R.PRODUCTS, known), min(known, lost)
            for number in range(1, lost + 1):
                del shop.store.records[R.PRODUCTS][number]
            await shop.follow(*keys)
            assert self.deleted(shop) == (0 if lost > max(10, known / 10) else lost)
            shop.clock.seconds += self.LATER
            await shop.follow()
            assert (self.deleted(shop), await self.waiting(shop)) == (lost, 0)
            await ledger.close()

    async def test_what_was_gone_already_or_was_never_known_makes_no_loss_great(self, shop: Shop) -> None:
        keys = await self.stocked(shop, R.PRODUCTS, 60)
        for number in range(1, 31):
            del shop.store.records[R.PRODUCTS][number]
        await shop.follow(*keys[:10])
        await shop.follow(*keys[10:20])
        await shop.follow(*keys[:25], *(Key(R.PRODUCTS, number) for number in range(100, 160)))
        assert (self.deleted(shop), await self.waiting(shop)) == (25, 0)

    async def test_what_the_second_look_finds_stays_and_only_the_rest_goes(self, shop: Shop) -> None:
        keys = await self.stocked(shop, R.CUSTOMERS, 60)
        kept = dict(shop.store.records[R.CUSTOMERS])
        shop.store.records[R.CUSTOMERS].clear()
        await shop.follow(*keys)
        shop.store.records[R.CUSTOMERS] |= {number: kept[number] for number in range(1, 46)}
        shop.clock.seconds += self.LATER
        await shop.follow()
        left = {email for email, contact in shop.platform.contacts.items() if contact.get("left")}
        assert left == {f"c{number}@x.test" for number in range(46, 61)}

    async def test_whoever_was_found_meanwhile_is_denied_anew(self, shop: Shop) -> None:
        keys = await self.stocked(shop, R.CUSTOMERS, 60)
        kept = shop.store.records[R.CUSTOMERS]
        for answer in ({}, kept, {}):
            shop.store.records[R.CUSTOMERS] = answer
            shop.clock.seconds += self.LATER
            await shop.follow(*keys)
        assert (self.deleted(shop), await self.waiting(shop)) == (0, 60)

    async def test_naming_them_again_brings_the_second_look_neither_sooner_nor_later(
        self, shop: Shop
    ) -> None:
        keys = await self.stocked(shop, R.CUSTOMERS, 60)
        shop.store.records[R.CUSTOMERS].clear()
        await shop.follow(*keys)
        for _ in range(3):
            shop.clock.seconds += 90
            await shop.follow(*keys[:5])  # so few would be believed if they had not been denied with many
            assert self.deleted(shop) == 0
        shop.clock.seconds += 31
        await shop.follow()
        assert self.deleted(shop) == 60

    async def test_a_sync_is_no_second_look_before_its_time_but_is_one_after_it(self, shop: Shop) -> None:
        keys = await self.stocked(shop, R.CUSTOMERS, 60)
        shop.store.records[R.CUSTOMERS].clear()
        await shop.follow(*keys)
        calls = shop.store.calls
        await shop.sync()
        assert (self.deleted(shop), await self.waiting(shop)) == (0, 60)
        assert shop.store.calls - calls <= len(LISTED)  # one look at each list and none at these
        shop.clock.seconds += self.LATER
        await shop.sync()
        assert self.deleted(shop) == 60

    async def test_a_loss_that_a_list_may_have_is_looked_at_twice_unless_a_human_has_said_so(
        self, shop: Shop
    ) -> None:
        shop.store.page = 200
        await self.stocked(shop, R.PRODUCTS, 150)
        for number in range(1, 16):
            del shop.store.records[R.PRODUCTS][number]
        account = await shop.sync(full=True)
        assert (account.clean, self.deleted(shop)) == (True, 0)
        assert any("15 of 15 products are missing in the store's answer" in note for note in account.notes)
        assert (await shop.sync(full=True, believe_losses=True)).clean
        assert self.deleted(shop) == 15

    @pytest.mark.parametrize("step", range(1, 12))
    async def test_a_kill_anywhere_in_between_deletes_nothing_and_forgets_nobody(
        self, shop: Shop, step: int
    ) -> None:
        keys = await self.stocked(shop, R.CUSTOMERS, 60)
        kept = dict(shop.store.records[R.CUSTOMERS])
        shop.store.records[R.CUSTOMERS].clear()
        shop.store.put(R.CUSTOMERS, customer(1, "c1@x.test", first_name="New", modified=shop.clock.moment))
        begin, steps, process = shop.ledger.begin, count(1), asyncio.current_task()

        def deadly(**how: Any) -> Any:
            # not before they are named
            if asyncio.current_task() is process and next(steps) == step + 1:
                raise asyncio.CancelledError
            return begin(**how)

        with pytest.MonkeyPatch.context() as patch, suppress(asyncio.CancelledError):
            patch.setattr(shop.ledger, "begin", deadly)
            await shop.follow(*keys)
        assert self.deleted(shop) == 0
        await shop.follow()
        assert shop.platform.contacts["c1@x.test"]["name"] == "New"
        assert (self.deleted(shop), await self.waiting(shop)) == (0, 59)
        shop.store.records[R.CUSTOMERS] |= {number: kept[number] for number in range(2, 31)}
        shop.clock.seconds += self.LATER
        await shop.follow()
        assert (self.deleted(shop), await self.waiting(shop)) == (30, 0)


async def test_the_only_order_of_a_guest_is_not_looked_at_for_ever_once_it_is_gone(shop: Shop) -> None:
    shop.store.put(R.ORDERS, order(1, "g@x.test"))
    await shop.sync()
    shop.store.records[R.ORDERS].clear()
    await shop.follow(Key(R.ORDERS, 1))
    assert await shop.connector().next_due() is None
