"""What happened is a difference between two looks, found once, and never for history."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.sync import events
from tajo.sync.events import CartBefore, OrderBefore
from tajo.sync.model import Cart, Customer, Event, EventKind, Key, Order, Product, Resource, Variant, cart_key
from tests.memory import DAY_ONE, customer, order

K = EventKind
LIVE = DAY_ONE + timedelta(days=10)
NOW = LIVE + timedelta(days=1)
PLACED = frozenset({2, 7, 10, 11})
UUID = "b20deef4-4a2c-4b5a-9d1e-3a9f8f2c1d00"


def kinds(found: object) -> list[EventKind]:
    return [event.kind for event in found]  # type: ignore[attr-defined]


def sale(status: int = 11, **more: object) -> Order:
    return order(1, "a@x.test", "10", status_id=status, **{"created": NOW, "modified": NOW, **more})


def met(found: Order, before: OrderBefore | None = None) -> list[Event]:
    return list(events.of_order(found, before, placed=PLACED, live_since=LIVE.timestamp()))


def known(
    status: int = 11, *, placed: bool = True, refunded: str = "0", modified: float = 0.0
) -> OrderBefore:
    return OrderBefore(status_id=status, placed=placed, refunded=Decimal(refunded), modified_at=modified)


class TestOrders:
    def test_a_new_order_in_a_placed_status_was_placed(self) -> None:
        assert kinds(met(sale())) == [K.ORDER_PLACED]

    def test_an_incomplete_one_was_not_until_it_is_paid(self) -> None:
        assert met(sale(0)) == []
        paid = met(sale(11), known(0, placed=False, modified=NOW.timestamp()))
        assert kinds(paid) == [K.ORDER_PLACED, K.ORDER_STATUS_CHANGED]

    def test_one_that_was_placed_is_never_placed_again(self) -> None:
        assert K.ORDER_PLACED not in kinds(met(sale(11), known(5, placed=True)))

    def test_history_raises_nothing(self) -> None:
        old = LIVE - timedelta(seconds=1)
        assert met(sale(created=old, modified=NOW)) == []
        assert met(sale(created=old, modified=old), known(7)) == []
        assert met(sale(migrated=True)) == []

    def test_an_old_order_that_was_known_may_still_change(self) -> None:
        found = met(sale(2, created=DAY_ONE), known(11))
        assert kinds(found) == [K.ORDER_STATUS_CHANGED, K.ORDER_UPDATED]
        assert found[0].status_before == 11

    def test_of_a_refund_only_what_is_new_of_it_is_told(self) -> None:
        [refund, *_] = met(sale(14, refunded=Decimal(7)), known(14, refunded="5"))
        assert (refund.kind, refund.refunded) == (K.ORDER_REFUNDED, Decimal(2))

    def test_nothing_new_is_no_event(self) -> None:
        assert met(sale(), known(modified=NOW.timestamp())) == []

    @given(
        status=st.integers(0, 14),
        before=st.none() | st.builds(known, st.integers(0, 14), placed=st.booleans()),
        refunded=st.integers(0, 9),
    )
    def test_whatever_was_found_looking_again_finds_nothing(
        self, status: int, before: OrderBefore | None, refunded: int
    ) -> None:
        found = sale(status, refunded=Decimal(refunded))
        ever = status in PLACED or (before is not None and before.placed)
        after = OrderBefore(
            status_id=status, placed=ever, refunded=found.refunded, modified_at=NOW.timestamp()
        )
        assert len(met(found, before)) <= 4
        assert met(found, after) == []


class TestCustomers:
    def test_a_new_account_and_a_changed_one(self) -> None:
        def of(found: Customer, before: float | None) -> list[EventKind]:
            return kinds(events.of_customer(found, before, live_since=LIVE.timestamp()))

        fresh = customer(1, "a@x.test", created=NOW, modified=NOW)
        assert of(fresh, None) == [K.CUSTOMER_CREATED]
        assert of(fresh, NOW.timestamp()) == []
        assert of(fresh, DAY_ONE.timestamp()) == [K.CUSTOMER_UPDATED]
        assert of(customer(1, "a@x.test", created=DAY_ONE, modified=NOW), None) == []  # history


class TestStock:
    PRODUCT = Product(id=7, name="P", price=Decimal(1), stock=3)
    KEY = Key(Resource.PRODUCTS, 7)

    @pytest.mark.parametrize(
        ("before", "expected"),
        [
            ({}, []),
            ({KEY: 3}, []),
            ({KEY: 5}, [K.INVENTORY_CHANGED]),
            ({KEY: 0}, [K.INVENTORY_CHANGED, K.BACK_IN_STOCK]),
            ({KEY: -2}, [K.INVENTORY_CHANGED, K.BACK_IN_STOCK]),
            ({KEY: None}, [K.INVENTORY_CHANGED]),
        ],
    )
    def test_only_what_was_known_can_change(
        self, before: dict[Key, int | None], expected: list[EventKind]
    ) -> None:
        assert kinds(events.of_stock(self.PRODUCT, before, NOW)) == expected

    def test_low_stock_is_told_once_on_its_way_down(self) -> None:
        low = Product(id=7, name="P", price=Decimal(1), stock=2, low_stock=2)
        assert K.LOW_STOCK in kinds(events.of_stock(low, {self.KEY: 3}, NOW))
        assert K.LOW_STOCK not in kinds(events.of_stock(low, {self.KEY: 1}, NOW))

    def test_of_a_product_with_variants_the_variants_are_told(self) -> None:
        shirt = Product(
            id=7,
            name="P",
            price=Decimal(1),
            stock=3,
            variants=(Variant(id=71, price=Decimal(1), stock=3), Variant(id=72, price=Decimal(1), stock=0)),
        )
        before = {Key(Resource.VARIANTS, 71): 0, Key(Resource.VARIANTS, 72): 0, self.KEY: 0}
        found = list(events.of_stock(shirt, before, NOW))
        assert [(event.kind, event.variant_id) for event in found] == [
            (K.INVENTORY_CHANGED, 71),
            (K.BACK_IN_STOCK, 71),
        ]


class TestCarts:
    CART = Cart(id=cart_key(UUID).id, uuid=UUID, email="a@x.test", total=Decimal(5), updated=NOW)

    def of(
        self, cart: Cart, *, state: str = "open", named: bool, updated: float | None, later: float
    ) -> list[EventKind]:
        before = CartBefore(state=state, named=named, updated_at=updated, amount=50_000)
        now = NOW.timestamp() + later
        at = NOW.timestamp() + 3600
        return kinds(events.of_cart(cart, before, amount=50_000, abandoned_at=at, now=now))

    def test_is_created_when_it_is_known_whose_it_is(self) -> None:
        assert self.of(self.CART, named=False, updated=None, later=0) == [K.CART_CREATED]

    def test_nobodys_cart_is_no_event(self) -> None:
        nobody = Cart(id=1, uuid=UUID, updated=NOW)
        assert self.of(nobody, named=False, updated=None, later=9999) == []

    def test_is_updated_when_it_moved(self) -> None:
        assert self.of(self.CART, named=True, updated=NOW.timestamp() - 1, later=0) == [K.CART_UPDATED]
        assert self.of(self.CART, named=True, updated=NOW.timestamp(), later=0) == []

    def test_is_abandoned_once_when_it_was_left_alone_long_enough(self) -> None:
        assert self.of(self.CART, named=True, updated=NOW.timestamp(), later=3600) == [K.CART_ABANDONED]
        assert self.of(self.CART, state="abandoned", named=True, updated=NOW.timestamp(), later=9999) == []
