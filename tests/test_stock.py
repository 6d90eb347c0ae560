"""Stock by location, prices that fall, and people who are told that something is back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tajo.bigcommerce import Api, BigCommerceSource, wire
from tajo.bigcommerce.callbacks import from_parts
from tajo.bigcommerce.inventory import Locations, available
from tajo.brevo import Rules
from tajo.brevo.event_payloads import EventPayloads
from tajo.config.values import stock as read_stock
from tajo.errors import Mend
from tajo.http import Patience
from tajo.sync import events
from tajo.sync.connector import Connector
from tajo.sync.ledger import carts, erasure, prices, queue, wishes
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.ledger.wishes import open_wishes, wish
from tajo.sync.model import Cart, CartLine, EventKind, Key, Product, Resource, Store, Variant, cart_key
from tajo.sync.weigh import Policy
from tests.memory import DAY_ONE, MemoryPlatform, MemoryStore, Ticking, order
from tests.virtual_clock import VirtualClock

R = Resource
UUID = "b20deef4-4a2c-4b5a-9d1e-3a9f8f2c1d00"
OTHER = "c30deef4-4a2c-4b5a-9d1e-3a9f8f2c1d00"


# -- which stock counts


def place(
    number: int, code: str, amount: int, *, enabled: bool = True, sold: bool = True
) -> wire.ItemAtLocation:
    return wire.ItemAtLocation(
        location_id=number,
        location_code=code,
        location_enabled=enabled,
        available_to_sell=amount,
        settings=wire.ItemSettings(is_in_stock=sold),
    )


def item(*places: wire.ItemAtLocation) -> wire.Item:
    return wire.Item(wire.ItemIdentity(product_id=7, variant_id=70), list(places))


@given(st.lists(st.integers(0, 9), max_size=5))
def test_without_names_all_that_can_be_sold_counts(amounts: list[int]) -> None:
    places = [place(number, f"L-{number}", amount) for number, amount in enumerate(amounts)]
    shut = place(90, "L-90", 50, enabled=False)
    held = place(91, "L-91", 50, sold=False)
    assert available(item(*places, shut, held), Locations()) == sum(amounts)


def test_a_location_is_named_by_its_code_or_its_id() -> None:
    one = item(place(1, "SHOP", 1), place(2, "DEPOT", 10), place(3, "FAIR", 100))
    assert available(one, Locations(frozenset({"SHOP", "3"}))) == 101


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("default_location", "default_location"),
        ("all_locations", "all_locations"),
        (["SHOP", 2], ("SHOP", "2")),
    ],
)
def test_the_configuration_names_locations(written: Any, meant: Any) -> None:
    assert read_stock(written) == meant


@pytest.mark.parametrize("wrong", ["everywhere", [], [""], {"a": 1}, 3])
def test_what_names_no_location_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="locations"):
        read_stock(wrong)


class Shelf:
    """A store with products and an inventory. It notes what the inventory was asked."""

    def __init__(self, products: list[dict[str, Any]], items: list[dict[str, Any]]) -> None:
        self.products = products
        self.items = items
        self.asked: list[dict[str, str]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        path, params = request.url.path.removeprefix("/stores/abc123"), dict(request.url.params)
        rows: list[dict[str, Any]] = []
        if path == "/v2/store":
            return httpx.Response(200, json={"name": "Shop", "currency": "EUR"})
        if path == "/v2/customer_groups":
            return httpx.Response(204)
        if path == "/v3/inventory/items":
            self.asked.append(params)
            wanted = set(map(int, params["product_id:in"].split(",")))
            rows = [row for row in self.items if row["identity"]["product_id"] in wanted]
        elif path == "/v3/catalog/products":
            after = int(params.get("id:greater", 0))
            rows = [row for row in self.products if row["id"] > after][: int(params["limit"])]
        pagination = {"total": len(rows), "per_page": int(params.get("limit", 250)), "total_pages": 1}
        return httpx.Response(200, json={"data": rows, "meta": {"pagination": pagination}})

    async def read(self, locations: Locations | None) -> list[Product]:
        api = Api(
            "abc123",
            "t0ken",
            clock=VirtualClock(),
            patience=Patience(attempts=1),
            transport=httpx.MockTransport(self.answer),
        )
        source = BigCommerceSource(api, locations=locations)
        found = [
            change.record
            async for batch in source.pages(R.PRODUCTS, since=None, cursor="")
            for change in batch.changes
            if isinstance(change.record, Product)
        ]
        await api.close()
        return found


def product_row(number: int, tracking: str, level: int, *variants: tuple[int, int]) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"P{number}",
        "inventory_tracking": tracking,
        "inventory_level": level,
        "base_variant_id": None if variants else number * 10,
        "variants": [
            {"id": id_, "inventory_level": stock, "option_values": [{"label": str(id_)}]}
            for id_, stock in variants
        ],
    }


def item_row(product: int, variant: int, **amounts: int) -> dict[str, Any]:
    return {
        "identity": {"product_id": product, "variant_id": variant},
        "locations": [
            {
                "location_id": number,
                "location_code": code,
                "available_to_sell": amount,
                "location_enabled": True,
            }
            for number, (code, amount) in enumerate(amounts.items(), 1)
        ],
    }


async def test_the_stock_of_named_locations_takes_the_place_of_the_catalogues() -> None:
    shelf = Shelf(
        [
            product_row(1, "product", 99),
            product_row(2, "variant", 99, (21, 50), (22, 50)),
            product_row(3, "none", 99),
            product_row(4, "product", 4),
        ],
        [item_row(1, 10, A=1, B=5), item_row(2, 21, A=2, B=5), item_row(2, 22, A=0, B=5)],
    )
    one, two, three, four = await shelf.read(Locations(frozenset({"A"})))
    assert one.stock == 1
    assert (two.stock, [variant.stock for variant in two.variants]) == (2, [2, 0])
    assert three.stock is None  # it is not tracked, and was not asked for
    assert four.stock == 4  # the inventory does not know it
    assert [asked["product_id:in"] for asked in shelf.asked] == ["1,2,4"]
    assert shelf.asked[0]["limit"] == "1000"


async def test_a_page_of_products_takes_one_call_for_a_hundred_of_them() -> None:
    rows = [product_row(number, "product", 9) for number in range(1, 251)]
    shelf = Shelf(rows, [item_row(number, number * 10, A=number) for number in range(1, 251)])
    found = await shelf.read(Locations())
    assert [product.stock for product in found] == list(range(1, 251))
    assert len(shelf.asked) == 3


async def test_without_locations_the_inventory_is_not_asked() -> None:
    shelf = Shelf([product_row(1, "product", 99)], [item_row(1, 10, A=1)])
    assert [product.stock for product in await shelf.read(None)] == [99]
    assert shelf.asked == []


async def test_locations_that_do_not_exist_are_told_before_anything_is_out_of_stock() -> None:
    shelf = Shelf([product_row(1, "product", 99)], [item_row(1, 10, SHOP=1, DEPOT=2)])
    with pytest.raises(Mend, match="DEPOT, SHOP"):
        await shelf.read(Locations(frozenset({"SHOPP"})))


async def test_the_level_at_which_the_merchant_wants_a_warning_is_read() -> None:
    row = product_row(1, "product", 3) | {"inventory_warning_level": 5}
    assert [product.low_stock for product in await Shelf([row], []).read(None)] == [5]


@pytest.mark.parametrize(
    ("scope", "data"),
    [
        ("store/product/inventory/updated", {"id": 7, "inventory": {"product_id": 7}}),
        ("store/product/inventory/order/updated", {"id": 7, "inventory": {"product_id": 7}}),
        ("store/sku/inventory/updated", {"id": 9, "inventory": {"product_id": 7, "variant_id": 9}}),
        ("store/sku/inventory/order/updated", {"id": 9, "inventory": {"product_id": 7, "variant_id": 9}}),
        (
            "store/channel/*/inventory/product/stock_changed",
            {"product_id": 7, "variant_id": 9, "location_id": 1},
        ),
    ],
)
def test_every_scope_about_stock_leads_to_the_product(scope: str, data: dict[str, Any]) -> None:
    assert from_parts(scope, {"data": data}).keys == (Key(R.PRODUCTS, 7),)


# -- differences


SHIRT = Product(
    id=7,
    name="Shirt",
    price=Decimal(9),
    variants=(Variant(id=71, price=Decimal(9)), Variant(id=72, price=Decimal(11))),
)


def test_variants_that_share_the_stock_of_their_product_have_none_of_their_own() -> None:
    assert events.stocks_of(replace(SHIRT, stock=4)) == {Key(R.PRODUCTS, 7): 4}


def test_a_price_falls_for_the_form_that_costs_less() -> None:
    before = {Key(R.VARIANTS, 71): Decimal(9), Key(R.VARIANTS, 72): Decimal(12)}
    (event,) = events.of_price(SHIRT, before, DAY_ONE)
    assert (event.kind, event.variant_id) == (EventKind.PRICE_DROPPED, 72)
    assert (event.price_before, event.price) == (Decimal(12), Decimal(11))


@given(st.decimals(0, 100, places=2), st.decimals(0, 100, places=2))
def test_a_price_that_is_new_or_does_not_fall_is_no_news(was: Decimal, now: Decimal) -> None:
    cup = Product(id=1, name="Cup", price=now)
    assert not list(events.of_price(cup, {}, DAY_ONE))
    found = list(events.of_price(cup, {Key(R.PRODUCTS, 1): was}, DAY_ONE))
    assert bool(found) == (now < was)


def test_what_nobody_can_see_has_no_price() -> None:
    hidden = Product(id=1, name="Cup", price=Decimal(1), visible=False)
    assert not list(events.of_price(hidden, {Key(R.PRODUCTS, 1): Decimal(2)}, DAY_ONE))


def test_a_drop_is_told_with_both_prices_and_the_cart() -> None:
    before = {Key(R.VARIANTS, 71): Decimal("9.50")}
    (event,) = events.of_price(SHIRT, before, DAY_ONE)
    rules = Rules(mapping=(), events={EventKind.PRICE_DROPPED: "price_dropped"})
    payloads = EventPayloads(
        rules, Store(name="S", currency="EUR"), link=lambda cart: f"https://x.test/{cart.id}"
    )
    (write,) = payloads.writes(replace(event, email="A@x.test", cart_id=UUID))
    told = msgspec.json.decode(write.body)
    assert told["identifiers"] == {"email_id": "a@x.test"}
    properties = told["event_properties"]
    assert (properties["price_before"], properties["price"], properties["currency"]) == (9.5, 9, "EUR")
    assert (properties["product_id"], properties["variant_id"]) == ("7", "7-71")
    assert (properties["cart_id"], properties["cart_url"]) == (UUID, f"https://x.test/{cart_key(UUID).id}")
    (other,) = payloads.writes(replace(event, email="b@x.test", cart_id=OTHER))
    assert other.fingerprint != write.fingerprint


# -- a store that is followed


@dataclass
class Shop:
    """A store that is followed, with people who have carts and wishes."""

    ledger: Ledger
    clock: Ticking = field(default_factory=Ticking)
    platform: MemoryPlatform = field(default_factory=MemoryPlatform)

    def __post_init__(self) -> None:
        self.store = MemoryStore(now=self.clock)

    async def follow(self, *keys: Key, uuids: Sequence[str] = ()) -> list[tuple[str, str]]:
        """Somebody names these; kind and person of each event that was told."""
        async with self.ledger.begin() as tx:
            await carts.named(tx, "shop", {cart_key(uuid).id: uuid for uuid in uuids})
            named = [*keys, *map(cart_key, uuids)]
            await queue.enqueue(tx, "shop", named, now=self.clock())
        self.platform.events.clear()
        policy = Policy(
            resources=frozenset(Resource) - {R.VARIANTS, R.EVENTS},
            counted=frozenset({11}),
            placed=frozenset({11}),
            rules="r",
            stock=True,
        )
        connector = Connector("shop", self.store, self.platform, self.ledger, policy, self.clock)
        async with connector.attended():
            await connector.follow()
            await connector._shipping.finish()
        return sorted((str(event["event"]), str(event["email"])) for event in self.platform.events)

    async def product(self, **what: Any) -> list[tuple[str, str]]:
        """The cup is like this from now on, and is looked at."""
        values: dict[str, Any] = {"id": 1, "name": "Cup", "price": Decimal(10), "stock": 5} | what
        self.store.put(R.PRODUCTS, Product(**values))
        return await self.follow(Key(R.PRODUCTS, values["id"]))

    async def cart(
        self, email: str, uuid: str = UUID, *, product: int = 1, variant: int = 0
    ) -> list[tuple[str, str]]:
        """Somebody puts it into their cart."""
        now = self.clock.moment
        line = CartLine(product_id=product, variant_id=variant, name="x", price=Decimal(10))
        cart = Cart(id=cart_key(uuid).id, uuid=uuid, email=email, lines=(line,), created=now, updated=now)
        self.store.put(R.CARTS, cart)
        return await self.follow(uuids=[uuid])

    async def wish(self, email: str, product: int = 1, variant: int = 0) -> None:
        """Somebody wishes to be told."""
        async with open_wishes(self.ledger, lambda _: None, now=self.clock) as box:
            await box.take("shop", wish(self.ledger.secret, email, product, variant))

    async def waiting(self) -> int:
        async with self.ledger.begin() as tx:
            return len(await wishes.to_hand_on(tx, "shop", 99))

    async def held(self) -> list[str]:
        async with self.ledger.begin() as tx:
            return [one.sealed.hex() for one in await prices.holders(tx, "shop", [1])]


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    ledger = await open_ledger(database_url, Secret(b"s" * 32))
    yield Shop(ledger)
    await ledger.close()


class TestPriceDrops:
    async def test_whoever_has_it_in_a_cart_hears_of_each_drop_once(self, shop: Shop) -> None:
        await shop.product()
        await shop.cart("a@x.test")
        assert await shop.product(price=Decimal(8)) == [("price_dropped", "a@x.test")]
        assert await shop.product(price=Decimal(8)) == []
        assert await shop.product(price=Decimal(9)) == []
        assert await shop.product(price=Decimal(7)) == [("price_dropped", "a@x.test")]

    async def test_a_person_with_two_carts_hears_of_it_once(self, shop: Shop) -> None:
        await shop.product()
        await shop.cart("a@x.test")
        await shop.cart("A@x.test", OTHER)
        assert [kind for kind, _ in await shop.product(price=Decimal(8))] == ["price_dropped"]

    async def test_only_the_variant_in_the_cart_counts(self, shop: Shop) -> None:
        def forms(one: int, two: int) -> tuple[Variant, ...]:
            return Variant(id=11, price=Decimal(one)), Variant(id=12, price=Decimal(two))

        await shop.product(variants=forms(10, 10))
        await shop.cart("a@x.test", variant=11)
        assert await shop.product(variants=forms(10, 8)) == []
        assert await shop.product(variants=forms(9, 8)) == [("price_dropped", "a@x.test")]

    async def test_a_cart_that_was_bought_or_is_gone_holds_nothing(self, shop: Shop) -> None:
        await shop.product()
        await shop.cart("a@x.test")
        await shop.cart("b@x.test", OTHER)
        assert len(await shop.held()) == 2
        now = shop.clock.moment
        shop.store.put(R.ORDERS, order(1, "a@x.test", status_id=11, cart_id=UUID, created=now, modified=now))
        await shop.follow(Key(R.ORDERS, 1))
        del shop.store.records[R.CARTS][cart_key(OTHER).id]
        await shop.follow(uuids=[OTHER])
        assert await shop.held() == []
        assert await shop.product(price=Decimal(8)) == []

    async def test_nobodys_cart_and_what_was_taken_out_of_one_are_not_told_of(self, shop: Shop) -> None:
        await shop.product()
        await shop.cart("")
        await shop.cart("b@x.test", OTHER)
        await shop.cart("b@x.test", OTHER, product=2)
        assert await shop.product(price=Decimal(8)) == []


class TestWishes:
    async def test_whoever_waits_is_told_once_when_it_is_back(self, shop: Shop) -> None:
        await shop.product(stock=0)
        await shop.wish("a@x.test")
        await shop.wish("b@x.test")
        told = await shop.product(stock=3)
        assert [one for one in told if one[0] == "back_in_stock"] == [
            ("back_in_stock", ""),
            ("back_in_stock", "a@x.test"),
            ("back_in_stock", "b@x.test"),
        ]
        await shop.product(stock=0)
        assert [email for kind, email in await shop.product(stock=3) if kind == "back_in_stock"] == [""]

    async def test_who_wished_twice_is_told_once(self, shop: Shop) -> None:
        await shop.product(stock=0)
        await shop.wish("a@x.test")
        await shop.wish("A@x.test ")
        told = await shop.product(stock=3)
        assert [email for kind, email in told if kind == "back_in_stock" and email] == ["A@x.test"]

    async def test_who_waits_for_one_variant_goes_on_waiting_when_another_is_back(self, shop: Shop) -> None:
        def forms(one: int, two: int) -> tuple[Variant, ...]:
            ten = Decimal(10)
            return Variant(id=11, price=ten, stock=one), Variant(id=12, price=ten, stock=two)

        await shop.product(variants=forms(0, 0))
        await shop.wish("any@x.test")
        await shop.wish("one@x.test", variant=11)
        told = await shop.product(variants=forms(0, 5))
        assert [email for kind, email in told if kind == "back_in_stock" and email] == ["any@x.test"]
        told = await shop.product(variants=forms(5, 5))
        assert [email for kind, email in told if kind == "back_in_stock" and email] == ["one@x.test"]

    async def test_what_cannot_be_bought_yet_is_not_back_for_anybody(self, shop: Shop) -> None:
        await shop.product(stock=0)
        await shop.wish("a@x.test")
        assert ("back_in_stock", "a@x.test") not in await shop.product(stock=3, visible=False)
        assert await shop.waiting() == 1

    async def test_who_asked_to_be_forgotten_meanwhile_is_not_told(self, shop: Shop) -> None:
        await shop.product(stock=0)
        await shop.wish("a@x.test")
        async with shop.ledger.begin() as tx:
            person = shop.ledger.secret.person("a@x.test")
            await erasure.remember_wish(tx, ["shop"], person, shop.clock())
        assert ("back_in_stock", "a@x.test") not in await shop.product(stock=3)
        assert await shop.waiting() == 0

    async def test_the_ledger_holds_no_address_in_clear(self, shop: Shop) -> None:
        await shop.wish("ann@x.test")
        async with shop.ledger.begin() as tx:
            (one,) = await wishes.to_hand_on(tx, "shop", 9)
        assert b"ann" not in msgspec.msgpack.encode(one)
        assert one.email(shop.ledger.secret) == "ann@x.test"

    async def test_a_wish_stands_for_half_a_year(self, shop: Shop) -> None:
        await shop.wish("a@x.test")
        made = shop.clock.seconds
        async with shop.ledger.begin() as tx:
            await wishes.expire(tx, "shop", made - 1)
        assert await shop.waiting() == 1
        async with shop.ledger.begin() as tx:
            await wishes.expire(tx, "shop", made + 1)
        assert await shop.waiting() == 0
