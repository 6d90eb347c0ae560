"""What storms over a live connector have found, each in its smallest form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest

from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import open_ledger
from tajo.sync.model import Cart, CartLine, Key, Resource
from tests.memory import MemoryPlatform, MemoryStore, Ticking, customer, order, refund, subscriber
from tests.test_following import CART, UUID, Shop

R = Resource
HOUR, GRACE = 3600.0, 601.0


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    clock = Ticking()
    ledger = await open_ledger(database_url, Secret(b"s" * 32))
    made = Shop(MemoryStore(now=clock), MemoryPlatform(), ledger, clock)
    await made.sync()
    yield made
    await ledger.close()


def fill_cart(shop: Shop, total: int = 5) -> None:
    line = CartLine(product_id=1, name="P", price=Decimal(total), total=Decimal(total))
    now = shop.clock.moment
    whose = {"id": CART.id, "uuid": UUID, "email": "a@x.test"}
    shop.store.put(R.CARTS, Cart(**whose, total=Decimal(total), lines=(line,), created=now, updated=now))  # type: ignore[arg-type]


def buy_cart(shop: Shop, status_id: int = 11) -> None:
    now = shop.clock.moment
    del shop.store.records[R.CARTS][CART.id]
    sale = order(1, "a@x.test", status_id=status_id, created=now, modified=now, cart_id=UUID)
    shop.store.put(R.ORDERS, sale)


async def leave_cart(shop: Shop) -> None:
    fill_cart(shop)
    await shop.follow(CART, uuid=UUID)
    shop.clock.seconds += HOUR
    assert await shop.follow() == ["cart_abandoned"]


async def test_a_refund_that_was_named_is_looked_at_and_then_nothing_is_due(shop: Shop) -> None:
    shop.store.put(R.ORDERS, order(1, "g@x.test", "9", status_id=14))
    shop.store.put(R.REFUNDS, refund(1, 1, "4"))
    await shop.follow(Key(R.REFUNDS, 1), Key(R.ORDERS, 1))
    assert await shop.connector().next_due() is None


async def test_of_two_refunds_the_one_that_is_named_first_is_not_all_that_was_given_back(shop: Shop) -> None:
    made = shop.clock.moment
    shop.store.put(R.ORDERS, order(1, "g@x.test", "9", status_id=11, created=made, modified=made))
    await shop.sync()
    shop.store.put(
        R.ORDERS, order(1, "g@x.test", "9", status_id=14, created=made, modified=shop.clock.moment)
    )
    shop.store.put(R.REFUNDS, refund(1, 1, "4"))
    shop.store.put(R.REFUNDS, refund(2, 1, "2"))
    told = await shop.follow(Key(R.REFUNDS, 2), Key(R.ORDERS, 1))
    assert told.count("order_refunded") == 1
    assert "order_refunded" not in await shop.follow(Key(R.REFUNDS, 1), Key(R.ORDERS, 1))


async def test_the_orders_of_an_account_that_is_gone_count_for_those_to_whom_they_were_billed(
    shop: Shop,
) -> None:
    now = shop.clock.moment
    shop.store.put(R.CUSTOMERS, customer(1, "new@x.test", modified=now))
    shop.store.put(R.CUSTOMERS, customer(2, "old@x.test", modified=now))
    shop.store.put(R.ORDERS, order(1, "old@x.test", "10", customer_id=1, created=now, modified=now))
    await shop.sync()
    assert shop.platform.contacts["old@x.test"]["orders"] == 0
    del shop.store.records[R.CUSTOMERS][1]
    await shop.follow(Key(R.CUSTOMERS, 1))
    assert shop.platform.contacts["old@x.test"]["orders"] == 1


async def test_a_reader_whose_orders_turn_out_to_be_an_accounts_has_none_left(shop: Shop) -> None:
    now = shop.clock.moment
    shop.store.put(R.SUBSCRIBERS, subscriber(1, "reader@x.test", granted=True, modified=now))
    shop.store.put(R.ORDERS, order(1, "reader@x.test", "10", customer_id=1, created=now, modified=now))
    await shop.sync()
    assert shop.platform.contacts["reader@x.test"]["orders"] == 1
    shop.store.put(R.CUSTOMERS, customer(1, "account@x.test", modified=shop.clock.moment))
    await shop.follow(Key(R.CUSTOMERS, 1))
    assert shop.platform.contacts["reader@x.test"]["orders"] == 0


async def test_an_old_address_takes_its_leave_when_the_new_one_has_a_contact_already(shop: Shop) -> None:
    now = shop.clock.moment
    shop.store.put(R.CUSTOMERS, customer(1, "old@x.test", modified=now))
    shop.store.put(R.ORDERS, order(1, "new@x.test", "10", created=now, modified=now))
    await shop.sync()
    shop.store.put(R.CUSTOMERS, customer(1, "new@x.test", modified=shop.clock.moment))
    await shop.follow(Key(R.CUSTOMERS, 1))
    assert shop.platform.contacts["old@x.test"]["left"] is True
    assert "left" not in shop.platform.contacts["new@x.test"]


async def test_a_farewell_does_not_wait_for_events_that_wait_for_it(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "a@x.test", modified=shop.clock.moment))
    await shop.sync()
    del shop.store.records[R.CUSTOMERS][1]
    now = shop.clock.moment
    shop.store.put(R.ORDERS, order(1, "g@x.test", status_id=11, created=now, modified=now))
    async with asyncio.timeout(20):
        told = await shop.follow(Key(R.CUSTOMERS, 1), Key(R.ORDERS, 1))
    assert told == ["order_placed"]
    assert shop.platform.contacts["a@x.test"]["left"] is True


async def test_who_has_a_newsletter_record_stays_even_if_it_is_met_after_the_farewell(shop: Shop) -> None:
    now = shop.clock.moment
    shop.store.put(R.CUSTOMERS, customer(1, "a@x.test", modified=now))
    shop.store.put(R.ORDERS, order(1, "a@x.test", "10", customer_id=1, created=now, modified=now))
    await shop.sync()
    del shop.store.records[R.CUSTOMERS][1]
    shop.store.put(R.SUBSCRIBERS, subscriber(1, "a@x.test", granted=False, modified=now))
    await shop.follow(Key(R.CUSTOMERS, 1))
    assert shop.platform.contacts["a@x.test"]["left"] is True
    await shop.follow(Key(R.SUBSCRIBERS, 1))
    assert "left" not in shop.platform.contacts["a@x.test"]


async def test_a_new_email_that_agreed_takes_our_own_block_off_the_contact_that_moves(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "old@x.test", modified=shop.clock.moment))
    await shop.sync()
    assert shop.platform.contacts["old@x.test"]["blocked"] is True
    now = shop.clock.moment
    shop.store.put(R.SUBSCRIBERS, subscriber(1, "new@x.test", granted=True, modified=now))
    shop.store.put(R.CUSTOMERS, customer(1, "new@x.test", modified=now + timedelta(seconds=1)))
    await shop.follow(Key(R.SUBSCRIBERS, 1), Key(R.CUSTOMERS, 1))
    await shop.sync(full=True)
    assert shop.platform.contacts["new@x.test"]["blocked"] is False


async def test_a_cart_that_vanished_is_deleted_only_after_a_sweep_of_the_orders(shop: Shop) -> None:
    fill_cart(shop)
    await shop.follow(CART, uuid=UUID)
    del shop.store.records[R.CARTS][CART.id]
    assert await shop.follow(CART) == []
    shop.clock.seconds += GRACE
    assert await shop.follow() == []  # the order's webhook may be lost
    await shop.sync()
    assert [event["event"] for event in shop.platform.events] == ["cart_deleted"]


@pytest.mark.parametrize("status_id", [11, 14, 5])
async def test_a_cart_whose_order_only_a_sweep_finds_was_not_deleted(shop: Shop, status_id: int) -> None:
    fill_cart(shop)
    await shop.follow(CART, uuid=UUID)
    buy_cart(shop, status_id)
    assert await shop.follow(CART) == []
    shop.clock.seconds += GRACE
    assert await shop.follow() == []
    await shop.sync()
    shop.platform.events.clear()
    shop.clock.seconds += HOUR
    assert await shop.follow(CART) == []


async def test_a_cart_that_came_back_and_changed_before_it_was_bought_is_recovered(shop: Shop) -> None:
    await leave_cart(shop)
    fill_cart(shop, 9)
    assert await shop.follow(CART) == ["cart_updated"]
    buy_cart(shop)
    assert await shop.follow(Key(R.ORDERS, 1)) == ["order_placed", "cart_recovered"]


async def test_a_cart_that_is_gone_before_its_order_is_seen_is_recovered(shop: Shop) -> None:
    await leave_cart(shop)
    buy_cart(shop)
    assert await shop.follow(CART) == []
    assert await shop.follow(Key(R.ORDERS, 1)) == ["order_placed", "cart_recovered"]


async def test_the_newest_order_speaks_for_a_guest_whichever_changes(shop: Shop) -> None:
    now = shop.clock.moment
    old, new = ({"created": now + timedelta(seconds=n), "modified": now} for n in (0, 1))
    shop.store.put(R.ORDERS, order(1, "g@x.test", "4", **old), order(2, "g@x.test", "5", **new))
    await shop.sync()
    assert shop.platform.contacts["g@x.test"]["spent"] == "9.00"
    newest = shop.platform.contacts["g@x.test"]["name"]
    shop.store.put(R.ORDERS, order(1, "g@x.test", "4", status_id=5, **old | {"modified": shop.clock.moment}))
    await shop.follow(Key(R.ORDERS, 1))
    contact = shop.platform.contacts["g@x.test"]
    assert (contact["name"], contact["spent"]) == (newest, "5.00")
    shop.platform.told.clear()
    await shop.sync(full=True)
    assert not any(write.person for write in shop.platform.told)


async def test_a_deleted_account_whose_newsletter_record_stays_is_told_as_a_reader(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "a@x.test", first_name="Account"))
    shop.store.put(R.SUBSCRIBERS, subscriber(1, "a@x.test", granted=True, first_name="Reader"))
    await shop.sync(full=True)
    del shop.store.records[R.CUSTOMERS][1]
    await shop.follow(Key(R.CUSTOMERS, 1))
    assert shop.platform.contacts["a@x.test"]["name"] == "Reader"
