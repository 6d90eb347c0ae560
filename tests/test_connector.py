"""The one path: what the store holds is told once, completely, and never out of order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tajo.errors import Busy, Later, Mend
from tajo.sync.account import Account
from tajo.sync.connector import Connector
from tajo.sync.delivery import DISMISSED
from tajo.sync.ledger import glance, queue, runs
from tajo.sync.ledger.depths import sounding
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.model import Batch, Category, Key, Product, Resource, Variant
from tajo.sync.parts import PARTS
from tajo.sync.weigh import Policy
from tests.memory import DAY_ONE, MemoryPlatform, MemoryStore, Ticking, customer, order, refund, subscriber

R = Resource
COUNTED = frozenset({2, 3, 7, 8, 9, 10, 11, 12, 13, 14})
ALL = frozenset(Resource) - {R.VARIANTS, R.CARTS, R.EVENTS}


@dataclass
class Shop:
    """A store, a platform and the ledger between them."""

    store: MemoryStore
    platform: MemoryPlatform
    ledger: Ledger
    clock: Ticking
    url: str

    async def sync(
        self,
        *,
        full: bool = False,
        rules: str = "r1",
        resources: frozenset[Resource] | None = None,
        believe_losses: bool = False,
    ) -> Account:
        policy = Policy(resources=ALL, counted=COUNTED, unfinished=frozenset({0}), rules=rules, overlap=0.0)
        connector = Connector("shop", self.store, self.platform, self.ledger, policy, self.clock)
        await connector.open()
        async with connector.attended():
            return await connector.sync(full=full, resources=resources, believe_losses=believe_losses)

    async def replay(self, *keys: Key) -> Account:
        policy = Policy(resources=ALL, counted=COUNTED, unfinished=frozenset({0}), rules="r1")
        connector = Connector("shop", self.store, self.platform, self.ledger, policy, self.clock)
        async with connector.attended():
            return await connector.replay(keys)

    async def dismiss(self, *keys: Key) -> None:
        async with self.ledger.begin() as tx:
            await queue.dismiss(tx, "shop", keys, self.clock())

    async def failures(self, *, dismissed: bool = False) -> list[str]:
        """What stands in the list, or was dismissed."""
        async with self.ledger.begin() as tx:
            found = await queue.parked_after(tx, "shop", None, limit=100, dismissed=dismissed)
            assert len(found) == await queue.count_parked(tx, "shop", dismissed=dismissed)
        return [str(entry.key) for entry in found]

    def told(self) -> list[str]:
        """What was told since the last look."""
        keys = [str(write.key) for write in self.platform.told]
        self.platform.told.clear()
        return keys


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    clock = Ticking()
    ledger = await open_ledger(database_url, Secret(b"s" * 32))
    yield Shop(MemoryStore(now=clock), MemoryPlatform(), ledger, clock, database_url)
    await ledger.close()


async def test_a_contact_carries_the_metrics_of_all_its_orders(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "Ann@Example.com"))
    shop.store.put(
        R.ORDERS,
        order(1, "ann@example.com", "10.00", customer_id=1),
        order(2, "other@example.com", "5.50", customer_id=1),
        order(3, "ANN@example.com", "4.50"),  # as a guest
        order(4, "ann@example.com", "99", customer_id=1, status_id=5),  # cancelled
        order(5, "ann@example.com", "99", customer_id=1, status_id=0),  # incomplete
    )
    shop.store.put(R.REFUNDS, refund(1, 2, "1.50"))
    account = await shop.sync()
    assert shop.platform.contacts["ann@example.com"]["orders"] == 3
    assert shop.platform.contacts["ann@example.com"]["spent"] == "18.50"
    assert list(shop.platform.contacts) == ["ann@example.com"]
    assert account.clean
    assert account.tally(R.ORDERS).written == 4
    assert account.tally(R.ORDERS).skipped == 1


async def test_a_guest_is_a_contact_made_of_the_newest_order(shop: Shop) -> None:
    for id_ in range(1, 9):
        shop.store.put(R.ORDERS, order(id_, "guest@example.com", "2"))
    await shop.sync()
    assert shop.platform.contacts["guest@example.com"]["orders"] == 8
    assert [key for key in shop.told() if key.startswith("guests")] == ["guests/8"]


async def test_amounts_in_another_currency_are_told_in_the_stores_own(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "a@example.com"))
    shop.store.put(R.ORDERS, order(1, "a@example.com", "100", customer_id=1, rate=Decimal("1.25")))
    shop.store.put(R.REFUNDS, refund(1, 1, "25"))
    await shop.sync()
    assert shop.platform.contacts["a@example.com"]["spent"] == "80.00"


async def test_a_second_sync_of_an_unchanged_store_tells_nothing(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, *(customer(n, f"c{n}@example.com") for n in range(1, 8)))
    shop.store.put(
        R.ORDERS, *(order(n, f"c{n}@example.com", customer_id=n) for n in range(1, 5)), order(9, "g@x.de")
    )
    shop.store.put(
        R.SUBSCRIBERS, subscriber(1, "c1@example.com", granted=True), subscriber(2, "only@x.de", granted=True)
    )
    shop.store.put(R.CATEGORIES, Category(id=1, name="A"))
    shop.store.put(
        R.PRODUCTS,
        Product(id=1, name="P", price=Decimal(1), variants=(Variant(id=11, sku="s", price=Decimal(1)),)),
    )
    await shop.sync()
    assert shop.told()
    for full in (False, True):
        account = await shop.sync(full=full)
        assert shop.told() == []
        assert account.clean
        assert account.tally(R.CUSTOMERS).written == 0


async def test_new_rules_resend_exactly_the_payloads_that_changed(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "a@example.com"))
    shop.store.put(R.ORDERS, order(1, "a@example.com", customer_id=1), order(2, "guest@example.com"))
    shop.store.put(R.SUBSCRIBERS, subscriber(1, "reader@example.com", granted=True))
    await shop.sync()
    shop.told()
    shop.platform.rules = "!"
    await shop.sync(rules="r2")
    assert sorted(shop.told()) == ["customers/1", "guests/2", "subscribers/1"]


async def test_a_new_order_rewrites_its_buyer_and_nobody_else(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, *(customer(n, f"c{n}@example.com") for n in range(1, 6)))
    await shop.sync()
    shop.told()
    shop.store.put(R.ORDERS, order(7, "c3@example.com", "7", customer_id=3, modified=shop.clock.moment))
    await shop.sync()
    assert shop.told() == ["orders/7", "customers/3"]
    assert shop.platform.contacts["c3@example.com"]["spent"] == "7.00"


async def test_history_is_historical_and_what_happens_later_is_not(shop: Shop) -> None:
    shop.store.put(R.ORDERS, order(1, "a@example.com", modified=DAY_ONE), order(2, "b@example.com"))
    await shop.sync()
    assert {write.key.id: write.lane for write in shop.platform.told if write.key.resource == R.ORDERS} == {
        1: "historical",
        2: "historical",
    }
    shop.told()
    now = shop.clock.moment
    shop.store.put(
        R.ORDERS,
        order(1, "a@example.com", status_id=2, modified=now),
        order(3, "c@example.com", created=now, modified=now),
        order(4, "d@example.com", created=now, modified=now, migrated=True),
    )
    await shop.sync()
    lanes = {write.key.id: write.lane for write in shop.platform.told if write.key.resource == R.ORDERS}
    assert lanes == {1: "live", 3: "live", 4: "historical"}


async def test_who_did_not_agree_is_blocklisted_at_creation_and_freed_by_a_later_consent(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "no@example.com"), customer(2, "yes@example.com"))
    shop.store.put(R.SUBSCRIBERS, subscriber(2, "yes@example.com", granted=True))
    await shop.sync()
    assert shop.platform.contacts["no@example.com"]["blocked"] is True
    assert shop.platform.contacts["yes@example.com"]["blocked"] is False
    now = shop.clock.moment
    shop.store.put(
        R.SUBSCRIBERS,
        subscriber(1, "no@example.com", granted=True, modified=now),
        subscriber(2, "yes@example.com", granted=False, modified=now),
    )
    await shop.sync()
    assert shop.platform.contacts["no@example.com"]["blocked"] is False
    assert shop.platform.contacts["yes@example.com"]["blocked"] is True


async def test_whoever_was_in_brevo_before_keeps_their_own_choice(shop: Shop) -> None:
    shop.platform.contacts = {"left@example.com": {"blocked": True}, "stayed@example.com": {"blocked": False}}
    shop.store.put(R.CUSTOMERS, customer(1, "left@example.com"), customer(2, "stayed@example.com"))
    shop.store.put(R.SUBSCRIBERS, subscriber(1, "left@example.com", granted=True))
    await shop.sync()
    assert shop.platform.contacts["left@example.com"]["blocked"] is True
    assert shop.platform.contacts["stayed@example.com"]["blocked"] is False


async def test_two_accounts_with_one_email_are_one_contact_that_the_newest_speaks_for(shop: Shop) -> None:
    newer = DAY_ONE + timedelta(days=1)
    shop.store.put(
        R.CUSTOMERS,
        customer(1, "a@example.com"),
        customer(2, "A@example.com", modified=newer),
        customer(9, "a@example.com"),
    )
    shop.store.put(
        R.ORDERS, order(1, "a@example.com", "1", customer_id=1), order(2, "a@example.com", "2", customer_id=9)
    )
    await shop.sync()
    assert shop.platform.contacts["a@example.com"]["name"] == "C2"
    assert shop.platform.contacts["a@example.com"]["spent"] == "3.00"
    shop.told()
    await shop.sync(full=True)
    assert shop.told() == []


async def test_a_phone_stands_on_one_contact_only(shop: Shop) -> None:
    shop.platform.contacts = {"before@example.com": {"phone": "+31600000009"}}
    shop.store.put(
        R.CUSTOMERS,
        customer(1, "a@example.com", phone="+31600000001"),
        customer(2, "b@example.com", phone="+31600000001"),
        customer(3, "c@example.com", phone="+31600000009"),
    )
    account = await shop.sync()
    phones = {email: contact.get("phone") for email, contact in shop.platform.contacts.items()}
    assert phones == {
        "before@example.com": "+31600000009",
        "a@example.com": "+31600000001",
        "b@example.com": "",
        "c@example.com": "",
    }
    assert sum(account.notes.values()) == 2


async def test_a_new_email_moves_the_contact_instead_of_making_a_second(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "old@example.com"), customer(2, "b@example.com"))
    shop.store.put(R.ORDERS, order(1, "old@example.com", "5", customer_id=1))
    await shop.sync()
    shop.store.put(R.CUSTOMERS, customer(1, "new@example.com", modified=shop.clock.moment))
    await shop.sync()
    assert sorted(shop.platform.contacts) == ["b@example.com", "new@example.com"]
    assert shop.platform.contacts["new@example.com"]["spent"] == "5.00"


async def test_the_buyer_whose_account_is_gone_becomes_a_guest(shop: Shop) -> None:
    shop.store.put(R.ORDERS, order(1, "gone@example.com", "5", customer_id=77))
    await shop.sync()
    assert shop.platform.contacts["gone@example.com"]["spent"] == "5.00"


async def test_a_refused_record_is_parked_with_its_reason_and_not_tried_again_until_it_changes(
    shop: Shop,
) -> None:
    shop.store.put(R.ORDERS, *(order(n, f"g{n}@example.com") for n in range(1, 6)))
    shop.platform.answer = lambda write: "no such thing" if str(write.key) == "orders/3" else ""
    account = await shop.sync()
    assert not account.clean
    assert account.tally(R.ORDERS).parked == 1
    assert account.tally(R.ORDERS).written == 4
    async with shop.ledger.begin() as tx:
        [parked] = await queue.all_parked(tx, "shop")
    assert (str(parked.key), parked.reason) == ("orders/3", "no such thing")
    shop.platform.answer = lambda _: ""
    account = await shop.sync(full=True)
    assert "orders/3" not in shop.platform.others
    assert account.tally(R.ORDERS).parked == 1
    account = await shop.replay(Key(R.ORDERS, 3))
    assert account.clean
    assert "orders/3" in shop.platform.others
    async with shop.ledger.begin() as tx:
        assert await queue.all_parked(tx, "shop") == []


async def test_what_could_not_be_taken_now_is_taken_by_the_next_sync(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, *(customer(n, f"c{n}@example.com") for n in range(1, 6)))
    shop.store.put(R.ORDERS, order(1, "guest@example.com"))
    shop.platform.answer = lambda write: "later" if write.key.id in (1, 4) else ""
    account = await shop.sync()
    assert account.tally(R.CUSTOMERS).failed >= 2
    shop.platform.answer = lambda _: ""
    account = await shop.sync()
    assert account.clean
    assert len(shop.platform.contacts) == 6


async def test_people_without_a_usable_email_are_parked(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, ""), customer(2, "no-at-sign"), customer(3, "ok@example.com"))
    account = await shop.sync()
    assert account.tally(R.CUSTOMERS).parked == 2
    assert list(shop.platform.contacts) == ["ok@example.com"]
    shop.store.put(R.CUSTOMERS, customer(1, "mended@example.com", modified=shop.clock.moment))
    await shop.sync()
    async with shop.ledger.begin() as tx:
        assert [str(entry.key) for entry in await queue.all_parked(tx, "shop")] == ["customers/2"]


async def test_a_stock_change_of_one_variant_writes_that_variant(shop: Shop) -> None:
    variants = tuple(Variant(id=n, sku=f"s{n}", price=Decimal(1)) for n in range(11, 15))
    product = Product(id=1, name="P", price=Decimal(1), variants=variants, modified=DAY_ONE)
    shop.store.put(R.PRODUCTS, product)
    account = await shop.sync()
    assert account.tally(R.PRODUCTS).written == 1
    shop.told()
    changed = (*variants[1:3], replace(variants[3], sku="new"))
    shop.store.put(R.PRODUCTS, replace(product, variants=changed, modified=shop.clock.moment))
    await shop.sync()
    assert shop.told() == ["variants/14", "variants/11"]
    assert shop.platform.others["variants/11"] == {"gone": True}


async def test_a_contact_that_vanished_from_brevo_is_written_again_by_a_full_sync(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "a@example.com"), customer(2, "b@example.com"))
    await shop.sync()
    del shop.platform.contacts["a@example.com"]
    shop.told()
    await shop.sync(full=True)
    assert shop.told() == ["customers/1"]


async def test_an_emptied_account_is_filled_again_by_a_full_sync(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "a@example.com"))
    shop.store.put(R.ORDERS, order(1, "a@example.com", customer_id=1))
    shop.store.put(R.CATEGORIES, Category(id=1, name="A"))
    await shop.sync()
    shop.platform.contacts.clear()
    shop.platform.others.clear()
    await shop.sync(full=True)
    assert sorted(shop.platform.others) == ["categories/1", "orders/1"]
    assert list(shop.platform.contacts) == ["a@example.com"]


async def test_an_edited_or_archived_order_changes_its_buyer(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "a@example.com"))
    shop.store.put(R.ORDERS, *(order(n, "a@example.com", "10", customer_id=1) for n in (1, 2)))
    await shop.sync()
    now = shop.clock.moment
    shop.store.put(
        R.ORDERS,
        order(1, "a@example.com", "25", customer_id=1, modified=now),
        order(2, "a@example.com", "10", customer_id=1, modified=now, archived=True),
    )
    await shop.sync()
    contact = shop.platform.contacts["a@example.com"]
    assert (contact["orders"], contact["spent"]) == (1, "25.00")


async def test_customers_alone_bring_the_orders_without_which_they_would_be_wrong(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "a@example.com"))
    shop.store.put(R.ORDERS, order(1, "a@example.com", "10", customer_id=1))
    shop.store.put(R.PRODUCTS, Product(id=1, name="P", price=Decimal(1)))
    account = await shop.sync(resources=PARTS["customers"])
    assert shop.platform.contacts["a@example.com"]["spent"] == "10.00"
    assert R.PRODUCTS not in account.resources


async def test_what_was_read_earlier_never_overwrites_what_was_read_later(shop: Shop) -> None:
    """A page in flight while the same records are read anew: the older reading comes to nothing."""
    shop.store.put(R.CUSTOMERS, customer(1, "a@example.com"))
    shop.store.put(R.ORDERS, order(1, "a@example.com", customer_id=1))
    shop.store.put(R.CATEGORIES, Category(id=1, name="A"))
    await shop.sync()
    shop.told()
    shop.store.put(R.CUSTOMERS, customer(1, "a@example.com", first_name="Stale"))
    shop.store.put(R.ORDERS, order(1, "a@example.com", customer_id=1, status_id=5))
    shop.store.put(R.CATEGORIES, Category(id=1, name="Stale"))
    shop.clock.seconds -= 1_000_000
    await shop.sync(full=True)
    assert shop.told() == []


async def test_two_at_once_are_refused(shop: Shop) -> None:
    async with shop.ledger.alone("shop"):
        other = await open_ledger(shop.url, Secret(b"s" * 32))
        shop.ledger, mine = other, shop.ledger
        with pytest.raises(Mend, match="another process is working"):
            await shop.sync()
        await other.close()
        shop.ledger = mine
    assert (await shop.sync()).clean


async def test_one_process_may_work_on_very_many_connectors(shop: Shop) -> None:
    names = [f"shop{number}" for number in range(60)]
    other = await open_ledger(shop.url, Secret(b"s" * 32))
    async with AsyncExitStack() as stack:
        for name in names:
            await stack.enter_async_context(shop.ledger.alone(name))
        for ledger in (shop.ledger, other):
            with pytest.raises(Busy):
                await stack.enter_async_context(ledger.alone(names[0]))
    async with other.alone(names[0]):  # given back
        pass
    await other.close()


async def test_replay_brings_a_parked_guest_and_a_parked_reader(shop: Shop) -> None:
    shop.store.put(R.ORDERS, order(5, "guest@example.com"))
    shop.store.put(R.SUBSCRIBERS, subscriber(3, "reader@example.com", granted=True))
    shop.platform.answer = lambda write: "no" if write.person else ""
    assert not (await shop.sync()).clean
    shop.platform.answer = lambda _: ""
    assert (await shop.sync(full=True)).tally(R.GUESTS).parked == 2
    assert (await shop.replay(Key(R.GUESTS, 5), Key(R.SUBSCRIBERS, 3))).clean
    assert sorted(shop.platform.contacts) == ["guest@example.com", "reader@example.com"]


async def test_what_fails_again_is_known_since_the_first_time(shop: Shop) -> None:
    shop.store.put(R.ORDERS, order(5, "guest@example.com"))
    shop.platform.answer = lambda write: "no" if write.person else ""
    await shop.sync()
    seen = []
    for _ in range(3):
        async with shop.ledger.begin() as tx:
            (parked,) = await queue.all_parked(tx, "shop")
        seen.append((parked.since, parked.attempts))
        await shop.replay(parked.key)
    (since, tries), *later = seen
    assert later == [(since, tries + 1), (since, tries + 2)]


async def test_what_was_dismissed_is_no_failure_and_is_left_as_it_is(shop: Shop) -> None:
    shop.store.put(R.ORDERS, order(3, "guest@example.com"), order(4, "other@example.com"))
    shop.platform.answer = lambda write: "no such thing" if write.key.resource == R.ORDERS else ""
    await shop.sync()
    await shop.dismiss(Key(R.ORDERS, 3))
    assert await shop.failures() == ["orders/4"]
    assert await shop.failures(dismissed=True) == ["orders/3"]
    shop.platform.answer = lambda _: ""
    await shop.replay(Key(R.ORDERS, 4))
    account = await shop.sync(full=True)
    assert account.clean
    assert account.tally(R.ORDERS).parked == 0
    assert account.tally(R.ORDERS).skipped == 1
    assert account.notes[DISMISSED] == 1
    assert "orders/3" not in shop.platform.others
    assert await shop.failures(dismissed=True) == ["orders/3"]


async def test_what_was_dismissed_waits_for_nobody_whoever_counts(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, ""), customer(2, ""))
    await shop.sync()
    await shop.dismiss(Key(R.CUSTOMERS, 1))
    async with shop.ledger.begin() as tx:
        parts = await glance.parts(tx, "shop", shop.clock())
    with sounding(shop.ledger) as soundings:
        depth = soundings.take()["shop"]
    assert parts["customers"].parked == depth.parked == 1


async def test_another_payload_that_is_refused_is_news_even_if_the_one_before_was_dismissed(
    shop: Shop,
) -> None:
    shop.store.put(R.ORDERS, order(3, "guest@example.com", "10"))
    shop.platform.answer = lambda write: "no such thing" if write.key.resource == R.ORDERS else ""
    await shop.sync()
    await shop.dismiss(Key(R.ORDERS, 3))
    shop.store.put(R.ORDERS, order(3, "guest@example.com", "11", modified=shop.clock.moment))
    account = await shop.sync()
    assert account.tally(R.ORDERS).parked == 1
    assert await shop.failures() == ["orders/3"]
    assert await shop.failures(dismissed=True) == []


async def test_a_record_that_cannot_be_told_stays_dismissed_until_that_has_another_reason(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, ""))
    await shop.sync()
    await shop.dismiss(Key(R.CUSTOMERS, 1))
    shop.store.put(R.CUSTOMERS, customer(1, "", phone="+31600000009", modified=shop.clock.moment))
    account = await shop.sync()
    assert (account.clean, account.tally(R.CUSTOMERS).skipped) == (True, 1)
    assert await shop.failures() == []
    shop.store.put(R.CUSTOMERS, customer(1, "no-at-sign", modified=shop.clock.moment))
    assert (await shop.sync()).tally(R.CUSTOMERS).parked == 1
    assert await shop.failures() == ["customers/1"]


async def test_what_was_dismissed_and_is_mended_in_the_store_is_told_and_forgotten(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, ""))
    await shop.sync()
    await shop.dismiss(Key(R.CUSTOMERS, 1))
    shop.store.put(R.CUSTOMERS, customer(1, "mended@example.com", modified=shop.clock.moment))
    assert (await shop.sync()).clean
    assert list(shop.platform.contacts) == ["mended@example.com"]
    assert await shop.failures(dismissed=True) == []


@pytest.mark.parametrize(
    ("reason", "fingerprint", "news"),
    [("no", b"one", False), ("no", b"two", True), ("never", b"one", True), ("no", None, True)],
)
async def test_only_the_same_payload_refused_for_the_same_reason_stays_dismissed(
    shop: Shop, reason: str, fingerprint: bytes | None, news: bool
) -> None:
    key = Key(R.ORDERS, 3)
    async with shop.ledger.begin() as tx:
        await queue.park(tx, "shop", [(key, "no", b"one")], now=1.0)
        await queue.dismiss(tx, "shop", [key], 2.0)
        stays = await queue.park(tx, "shop", [(key, reason, fingerprint)], now=3.0)
        [entry] = await queue.parked_of(tx, "shop", [key])
    assert stays == (set() if news else {key})
    assert entry.dismissed_at == (None if news else 2.0)
    assert (entry.since, entry.last, entry.attempts) == (1.0, 3.0, 2)


async def test_dismissing_twice_is_dismissing_once(shop: Shop) -> None:
    keys = [Key(R.ORDERS, 3), Key(R.CUSTOMERS, 3)]
    async with shop.ledger.begin() as tx:
        await queue.park(tx, "shop", [(key, "no", None) for key in keys], now=1.0)
        await queue.dismiss(tx, "shop", keys[:1], 2.0)
        await queue.dismiss(tx, "shop", keys, 3.0)
        entries = await queue.parked_of(tx, "shop", keys)
    assert {entry.key: entry.dismissed_at for entry in entries} == dict(zip(keys, (2.0, 3.0), strict=True))


async def test_what_was_dismissed_is_brought_back_by_replay(shop: Shop) -> None:
    shop.store.put(R.ORDERS, order(3, "guest@example.com"))
    shop.platform.answer = lambda write: "no such thing" if write.key.resource == R.ORDERS else ""
    await shop.sync()
    await shop.dismiss(Key(R.ORDERS, 3))
    assert not (await shop.replay(Key(R.ORDERS, 3))).clean
    assert await shop.failures() == ["orders/3"]
    async with shop.ledger.begin() as tx:
        [entry] = await queue.all_parked(tx, "shop")
    assert entry.attempts == 2
    await shop.dismiss(Key(R.ORDERS, 3))
    shop.platform.answer = lambda _: ""
    assert (await shop.replay(Key(R.ORDERS, 3))).clean
    assert "orders/3" in shop.platform.others
    assert await shop.failures(dismissed=True) == []


async def test_an_account_tells_of_its_own_calls_alone(shop: Shop) -> None:
    shop.store.put(R.CUSTOMERS, *(customer(n, f"{n}@example.com") for n in range(1, 9)))
    policy = Policy(resources=ALL, counted=COUNTED, unfinished=frozenset({0}), rules="r1", overlap=0.0)
    connector = Connector("shop", shop.store, shop.platform, shop.ledger, policy, shop.clock)
    await connector.open()
    async with connector.attended():
        first = await connector.sync(full=True)
        assert first.destination_calls == shop.platform.calls.total() > 0
        assert first.source_calls == shop.store.calls
        again = await connector.sync(full=True)
    assert again.destination_calls == 0
    assert again.source_calls == shop.store.calls - first.source_calls


class TestDisbelief:
    """A list that lost much is not believed; that is a matter of this list alone."""

    LOST = range(1, 16)

    @pytest.fixture(autouse=True)
    async def synced(self, shop: Shop) -> None:
        shop.store.put(R.PRODUCTS, *(Product(id=n, name="P", price=Decimal(1)) for n in range(1, 41)))
        shop.store.put(R.CATEGORIES, *(Category(id=n, name="C") for n in range(1, 41)))
        shop.store.put(R.CUSTOMERS, *(customer(n, f"c{n}@x.test") for n in range(1, 41)))
        shop.store.put(R.ORDERS, *(order(n, f"c{n}@x.test", customer_id=n) for n in range(1, 41)))
        shop.store.put(R.SUBSCRIBERS, *(subscriber(n, f"c{n}@x.test", granted=True) for n in range(1, 41)))
        await shop.sync()
        shop.told()

    def lose(self, shop: Shop, resource: Resource) -> None:
        for number in self.LOST:
            del shop.store.records[resource][number]

    async def last_run(self, shop: Shop) -> runs.RunRecord:
        async with shop.ledger.begin() as tx:
            found = await runs.last_run(tx, "shop")
        assert found is not None
        return found

    @pytest.mark.parametrize(
        "resource", [R.CATEGORIES, R.PRODUCTS, R.ORDERS, R.SUBSCRIBERS, R.CUSTOMERS], ids=str
    )
    async def test_whatever_list_it_is_the_sync_ends_deletes_nothing_and_heals_contacts(
        self, shop: Shop, resource: Resource
    ) -> None:
        self.lose(shop, resource)
        shop.store.put(R.CUSTOMERS, replace(customer(30, "c30@x.test"), first_name="Healed"))
        shop.store.put(R.ORDERS, order(31, "c31@x.test", "77", customer_id=31))
        account = await shop.sync(full=True)
        assert account.troubles == [
            f"{resource}: 15 of 40 are missing in the store's list, so nothing is deleted. "
            "If they are gone, run `tajo sync --full --believe-losses`"
        ]
        assert sorted(shop.told()) == ["customers/30", "customers/31", "orders/31"]
        run = await self.last_run(shop)
        assert (run.state, run.mode, run.account["troubles"]) == ("done", "full", account.troubles)

    async def test_later_syncs_read_what_changed_and_are_clean_until_the_next_full_one(
        self, shop: Shop
    ) -> None:
        self.lose(shop, R.PRODUCTS)
        await shop.sync(full=True)
        shop.told()
        for number in (20, 21):
            changed = customer(number, f"c{number}@x.test", first_name="New", modified=shop.clock.moment)
            shop.store.put(R.CUSTOMERS, changed)
            account = await shop.sync()
            assert (account.mode, account.troubles) == ("incremental", [])
            assert shop.told() == [f"customers/{number}"]
        assert "15 of 40" in (await shop.sync(full=True)).troubles[0]

    async def test_what_a_disbelieved_list_did_not_show_and_later_tells_is_told(self, shop: Shop) -> None:
        shown = shop.clock.moment
        kept = dict(shop.store.records[R.PRODUCTS])
        self.lose(shop, R.PRODUCTS)
        await shop.sync(full=True)
        shop.told()
        shop.store.records[R.PRODUCTS] = kept  # the fault is over
        shop.store.put(R.PRODUCTS, Product(id=3, name="Changed", price=Decimal(1), modified=shown))
        account = await shop.sync()
        assert (account.mode, account.troubles) == ("incremental", [])
        assert shop.told() == ["products/3"]

    async def test_a_humans_word_ends_it_for_good(self, shop: Shop) -> None:
        self.lose(shop, R.PRODUCTS)
        await shop.sync(full=True)
        shop.told()
        assert (await shop.sync(full=True, believe_losses=True)).clean
        assert sorted(shop.told()) == sorted(f"products/{number}" for number in self.LOST)
        assert (await shop.sync(full=True)).clean  # what was told as gone is no loss any more
        assert shop.told() == []

    async def test_a_list_that_could_not_be_read_keeps_the_sync_open(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.lose(shop, R.PRODUCTS)

        async def unread(*_: object, **__: object) -> AsyncIterator[Batch]:
            raise Later("the store does not answer", 1.0)
            yield

        pages = shop.store.pages
        monkeypatch.setattr(
            shop.store, "pages", lambda r, **how: (unread if r is R.CATEGORIES else pages)(r, **how)
        )
        cut = await shop.sync(full=True)
        assert [trouble.partition(":")[0] for trouble in cut.troubles] == ["categories"]
        assert cut.tally(R.CUSTOMERS).done  # contacts are not composed of categories
        assert (await self.last_run(shop)).state == "running"
        monkeypatch.undo()
        gone_on = await shop.sync()
        assert "15 of 40" in gone_on.troubles[0]
        assert (await self.last_run(shop)).state == "done"
