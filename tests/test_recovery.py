"""The recovery link: what it says, what of a cart comes back, and what is remembered of it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.bigcommerce import Api, Declined, records, wire
from tajo.bigcommerce.cart_recovery import CartRecovery
from tajo.bigcommerce.inventory import Locations
from tajo.errors import Later, Mend
from tajo.http import Patience
from tajo.sync.ledger import recoveries
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.model import Cart, CartLine, Choice, Store, cart_key
from tajo.sync.recovery import LASTING, Claim, LeftOut, Restored, Why, link, read
from tests.virtual_clock import VirtualClock

SECRET = Secret(b"s" * 32)
OLD = "09346904-4175-44fd-be53-f7e598531b6c"
NOW = 1_700_000_000


# -- the link


def token(connector: str = "shop", cart: int = 7, now: float = NOW) -> str:
    return link(SECRET, "https://tajo.example/", connector, cart, now).removeprefix("https://tajo.example/r/")


@given(st.text(max_size=64), st.integers(0, 2**63 - 1), st.integers(0, 2**33))
def test_a_link_says_which_cart_and_that_it_works_for_thirty_days(
    connector: str, cart: int, now: int
) -> None:
    made = token(connector, cart, now)
    assert set(made) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert read(SECRET, made) == Claim(connector, cart, now + LASTING)


def test_no_two_links_are_the_same_and_none_tells_what_it_is_of() -> None:
    assert len({token() for _ in range(50)}) == 50
    assert "shop" not in token()


@given(st.text(max_size=120))
def test_what_we_did_not_make_says_nothing(word: str) -> None:
    assert read(SECRET, word) is None


@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_link_of_which_one_byte_was_changed_says_nothing(where: int, change: int) -> None:
    made = token()
    octets = bytearray(urlsafe_b64decode(made + "=" * (-len(made) % 4)))
    octets[where % len(octets)] ^= change
    assert read(SECRET, urlsafe_b64encode(octets).decode().rstrip("=")) is None


def test_other_secrets_other_purposes_and_long_words_say_nothing() -> None:
    assert read(Secret(b"t" * 32), token()) is None
    other = urlsafe_b64encode(SECRET.seal(Claim("shop", 7, NOW), b"another")).decode().rstrip("=")
    assert read(SECRET, other) is None
    assert read(SECRET, "A" * 1_000_000) is None


# -- what is remembered


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    opened = await open_ledger(database_url, SECRET)
    yield opened
    await opened.close()


async def test_a_cart_that_was_made_anew_leads_back_to_the_first_of_them_all(ledger: Ledger) -> None:
    async with ledger.begin() as tx:
        await recoveries.note(tx, "shop", 2, 1, 10.0)
        await recoveries.note(tx, "shop", 3, 2, 20.0)
        await recoveries.note(tx, "shop", 5, 4, 30.0)
        await recoveries.note(tx, "other", 2, 9, 40.0)
        assert await recoveries.origin_of(tx, "shop", [1, 2, 3, 4, 5, 6]) == {2: 1, 3: 1, 5: 4}
        assert await recoveries.clicks(tx, "shop", [1, 2, 4, 6]) == {1: 20.0, 4: 30.0}


async def test_a_click_whose_cart_the_store_makes_by_itself_counts_too(ledger: Ledger) -> None:
    async with ledger.begin() as tx:
        await recoveries.note(tx, "shop", 1, 1, 10.0)
        await recoveries.note(tx, "shop", 2, 1, 20.0)
        await recoveries.note(tx, "shop", 2, 2, 30.0)
        assert await recoveries.origin_of(tx, "shop", [1, 2]) == {2: 1}
        assert await recoveries.clicks(tx, "shop", [1]) == {1: 30.0}


# -- what comes back


def product(id_: int, **fields: Any) -> dict[str, Any]:
    return {"id": id_, "name": f"P{id_}", "price": 5, "is_visible": True, "channels": [1], **fields}


def variant(id_: int, **fields: Any) -> dict[str, Any]:
    return {"id": id_, "option_values": [{"option_id": 11, "label": "Red"}], **fields}


def line(id_: int, quantity: int = 1, **fields: Any) -> CartLine:
    return CartLine(product_id=id_, name=f"P{id_}", quantity=quantity, price=Decimal(5), **fields)


def cart(*lines: CartLine, **fields: Any) -> Cart:
    return Cart(id=cart_key(OLD).id, uuid=OLD, lines=lines, **fields)


def api_over(answer: Callable[[httpx.Request], httpx.Response], *, attempts: int = 1) -> Api:
    patience, transport = Patience(attempts=attempts), httpx.MockTransport(answer)
    return Api("abc123", "t0ken", clock=VirtualClock(), patience=patience, transport=transport)


class Shop:
    """A store with a catalogue that refuses some products and coupons, and notes what it was asked."""

    def __init__(
        self, *products: dict[str, Any], refuses: Sequence[int] = (), coupons: Sequence[str] = ()
    ) -> None:
        self.products = products
        self.refuses = refuses
        self.coupons = coupons
        self.may_write = self.may_redeem = True
        self.accounts = {0}
        self.carts: dict[str, list[dict[str, Any]]] = {}
        self.heads: list[dict[str, Any]] = []
        self.redeemed: list[str] = []
        self.asked: list[str] = []
        self.noted: list[str] = []
        self.api = api_over(self.answer)

    async def bring_back(self, old: Cart, **options: Any) -> Restored:
        async def made(uuid: str) -> None:
            assert self.asked[-1] == "POST /v3/carts"
            self.noted.append(uuid)

        return await CartRecovery(self.api, **options).recreate(old, made)

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/stores/abc123")
        self.asked.append(f"{request.method} {path}")
        body = json.loads(request.content) if request.content else {}
        match path.split("/")[2:]:
            case ["catalog", "products"]:
                wanted = request.url.params["id:in"].split(",")
                return _data([row for row in self.products if str(row["id"]) in wanted])
            case ["inventory", "items"]:
                return _data(
                    [
                        {
                            "identity": {"product_id": 1, "variant_id": 1},
                            "locations": [{"location_id": 2, "available_to_sell": 3}],
                        }
                    ]
                )
            case ["sites"]:
                return _data([{"id": 1, "channel_id": 1, "url": "https://shop.example/"}])
            case ["carts"]:
                return self._made(body)
            case ["carts", uuid, "items"]:
                return self._filled(uuid, body)
            case ["carts", uuid, "redirect_urls"] if uuid in self.carts:
                number = len(self.asked)
                return _data({"checkout_url": f"https://shop.example/cart.php?id={uuid}&token={number}"})
            case ["checkouts", *_] if not self.may_redeem:
                return httpx.Response(403, json={"title": "You don't have a required scope"})
            case ["checkouts", uuid, "coupons"] if uuid in self.carts and body["coupon_code"] in self.coupons:
                self.redeemed.append(body["coupon_code"])
                return _data({})
            case ["checkouts", *_]:
                return httpx.Response(409, json={"title": "no such coupon"})
        return httpx.Response(404)

    def _made(self, body: dict[str, Any]) -> httpx.Response:
        if not self.may_write:
            return httpx.Response(403, json={"title": "You don't have a required scope"})
        if body["customer_id"] not in self.accounts:
            return httpx.Response(422, json={"title": "no such customer"})
        uuid = f"00000000-0000-4000-8000-00000000000{len(self.carts) + 1}"
        answer = self._filled(uuid, body)
        if answer.status_code == 200:
            self.heads.append({name: value for name, value in body.items() if name != "line_items"})
        return answer

    def _filled(self, uuid: str, body: dict[str, Any]) -> httpx.Response:
        if any(item["product_id"] in self.refuses for item in body["line_items"]):
            return httpx.Response(422, json={"title": "Product is not purchasable"})
        self.carts.setdefault(uuid, []).extend(body["line_items"])
        return _data({"id": uuid})


def _data(found: Any) -> httpx.Response:
    return httpx.Response(200, json={"data": found, "meta": {"pagination": {"total_pages": 1}}})


async def test_a_cart_comes_back_with_its_variants_quantities_and_coupon_on_its_channel() -> None:
    shop = Shop(product(1, variants=[variant(11)]), product(2), coupons=["TEN"])
    shop.accounts.add(12)
    restored = await shop.bring_back(
        cart(
            line(1, 2, variant_id=11, options="Red", choices=(Choice(11, 5),)),
            line(2, 3),
            storefront=1,
            customer_id=12,
            currency="EUR",
            coupons=("TEN",),
        )
    )
    (uuid,) = shop.carts
    assert restored == Restored(uuid=uuid)
    assert shop.carts[uuid] == [
        {"product_id": 1, "quantity": 2, "variant_id": 11},
        {"product_id": 2, "quantity": 3},
    ]
    assert shop.heads == [{"channel_id": 1, "customer_id": 12, "currency": {"code": "EUR"}}]
    assert (shop.noted, shop.redeemed) == ([uuid], ["TEN"])
    assert shop.asked == ["GET /v3/catalog/products", "POST /v3/carts", f"POST /v3/checkouts/{uuid}/coupons"]


async def test_modifiers_come_back_as_they_were_chosen_or_typed() -> None:
    shop = Shop(product(1, variants=[variant(11)]))
    chosen = (Choice(11, 5), Choice(30, "For Ann"))
    await shop.bring_back(cart(line(1, variant_id=11, choices=chosen)))
    (items,) = shop.carts.values()
    assert items == [
        {
            "product_id": 1,
            "quantity": 1,
            "option_selections": [
                {"option_id": 11, "option_value": 5},
                {"option_id": 30, "option_value": "For Ann"},
            ],
        }
    ]


GONE = {
    "deleted": (product(9), Why.NO_LONGER_SOLD),
    "hidden": (product(1, is_visible=False), Why.NO_LONGER_SOLD),
    "disabled": (product(1, availability="disabled"), Why.NO_LONGER_SOLD),
    "on another channel": (product(1, channels=[2]), Why.NO_LONGER_SOLD),
    "variant deleted": (product(1, variants=[variant(12)]), Why.NO_LONGER_SOLD),
    "variant disabled": (
        product(1, variants=[variant(11, purchasing_disabled=True)]),
        Why.NO_LONGER_SOLD,
    ),
    "sold out": (product(1, inventory_tracking="product", inventory_level=0), Why.SOLD_OUT),
    "variant sold out": (
        product(1, inventory_tracking="variant", variants=[variant(11), variant(12, inventory_level=5)]),
        Why.SOLD_OUT,
    ),
}


@pytest.mark.parametrize(("row", "why"), GONE.values(), ids=GONE)
async def test_what_is_not_sold_any_more_is_left_out_and_said(row: dict[str, Any], why: Why) -> None:
    shop = Shop(row, product(2))
    restored = await shop.bring_back(cart(line(1, variant_id=11, options="Red"), line(2)))
    assert restored.left_out == (LeftOut("P1 (Red)", why),)
    assert [item["product_id"] for items in shop.carts.values() for item in items] == [2]
    assert shop.asked == ["GET /v3/catalog/products", "POST /v3/carts"]


async def test_of_what_there_is_less_of_there_is_less() -> None:
    shop = Shop(product(1, inventory_tracking="product", inventory_level=2))
    restored = await shop.bring_back(cart(line(1, 5)))
    assert restored.left_out == (LeftOut("P1", Why.FEWER, 2),)
    assert list(shop.carts.values()) == [[{"product_id": 1, "quantity": 2}]]


async def test_stock_is_that_of_the_locations_that_count() -> None:
    shop = Shop(product(1, inventory_tracking="product", inventory_level=0))
    restored = await shop.bring_back(cart(line(1, 3)), locations=Locations())
    assert restored.left_out == ()


async def test_what_the_store_adds_by_itself_is_not_put_in_and_what_it_cannot_add_is_said() -> None:
    shop = Shop(product(1), product(2))
    gift = CartLine(name="Gift certificate", price=Decimal(20))
    restored = await shop.bring_back(cart(line(1), line(2, added=True), gift))
    assert restored.left_out == (LeftOut("Gift certificate", Why.NOT_REPEATABLE),)
    assert list(shop.carts.values()) == [[{"product_id": 1, "quantity": 1}]]


@given(st.lists(st.booleans(), min_size=1, max_size=12))
async def test_whatever_the_store_refuses_is_left_out_and_all_else_is_in_one_cart(sold: list[bool]) -> None:
    ids = range(1, len(sold) + 1)
    refused = [id_ for id_, ok in zip(ids, sold, strict=True) if not ok]
    shop = Shop(*map(product, ids), refuses=refused)
    restored = await shop.bring_back(cart(*map(line, ids)))
    assert [one.name for one in restored.left_out] == [f"P{id_}" for id_ in refused]
    assert all(one.why is Why.REFUSED for one in restored.left_out)
    assert list(shop.noted) == list(shop.carts) == ([restored.uuid] if restored.uuid else [])
    assert [item["product_id"] for items in shop.carts.values() for item in items] == [
        id_ for id_ in ids if id_ not in refused
    ]
    assert len(shop.asked) <= 1 + 2 * len(sold)


async def test_where_nothing_is_left_there_is_no_cart_and_nobody_is_asked_for_one() -> None:
    shop = Shop()
    assert await shop.bring_back(cart(line(1))) == Restored(left_out=(LeftOut("P1", Why.NO_LONGER_SOLD),))
    assert shop.asked == ["GET /v3/catalog/products"]


async def test_the_cart_of_an_account_that_is_gone_comes_back_as_a_guests() -> None:
    shop = Shop(product(1))
    restored = await shop.bring_back(cart(line(1), customer_id=12))
    assert restored.left_out == ()
    assert shop.heads == [{"channel_id": 1, "customer_id": 0}]


async def test_a_dead_coupon_is_left_out_and_said() -> None:
    shop = Shop(product(1), coupons=["TEN"])
    restored = await shop.bring_back(cart(line(1), coupons=("OLD", "TEN")))
    assert (restored.coupons, shop.redeemed) == (("OLD",), ["TEN"])


async def test_a_token_that_may_not_redeem_coupons_is_told_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop = Shop(product(1), coupons=["TEN"])
    shop.may_redeem = False
    restored = await shop.bring_back(cart(line(1), coupons=("TEN",)))
    assert (len(shop.carts), restored.coupons) == (1, ("TEN",))
    assert "it needs the scope store_checkout (Checkouts)" in caplog.text


async def test_of_a_product_that_cannot_be_understood_the_store_itself_must_say() -> None:
    shop = Shop({"id": 1, "price": "many"})
    assert (await shop.bring_back(cart(line(1)))).left_out == ()


async def test_who_may_not_write_leads_to_where_the_storefront_makes_the_cart() -> None:
    shop = Shop(product(1, variants=[variant(11)]), product(2), product(3))
    shop.may_write = False
    restored = await shop.bring_back(
        cart(
            line(1, 2, variant_id=11, sku="R,1", options="Red", choices=(Choice(11, 5),)),
            line(2),
            line(3, choices=(Choice(30, "For Ann"),)),
            coupons=("10 %", "MORE"),
        )
    )
    assert restored == Restored(
        url="https://shop.example/checkout/?products=R%2C1:2,2:1&coupon=10%20%25",
        left_out=(LeftOut("P3", Why.NOT_REPEATABLE),),
        coupons=("MORE",),
    )
    assert shop.noted == []


@pytest.mark.parametrize("sku", ["", "123"])
async def test_a_variant_that_no_address_can_name_is_left_out(sku: str) -> None:
    shop = Shop(product(1, variants=[variant(11)]))
    shop.may_write = False
    restored = await shop.bring_back(cart(line(1, variant_id=11, sku=sku, options="Red")))
    assert restored == Restored(left_out=(LeftOut("P1 (Red)", Why.NOT_REPEATABLE),))


async def test_a_channel_without_a_site_leaves_nothing_but_the_refusal() -> None:
    shop = Shop(product(1, channels=[1, 2]))
    shop.may_write = False
    with pytest.raises(Declined):
        await shop.bring_back(cart(line(1), storefront=2))


async def test_a_catalogue_that_ignores_what_was_asked_is_not_believed() -> None:
    shop = Shop(product(1))

    def ignoring(request: httpx.Request) -> httpx.Response:
        return _data([product(1), product(7)])

    shop.api = api_over(ignoring)
    with pytest.raises(Mend, match="ignored the filter"):
        await shop.bring_back(cart(line(1)))


async def test_a_cart_has_a_new_entrance_each_time_until_it_is_gone() -> None:
    shop = Shop(product(1))
    restored = await shop.bring_back(cart(line(1)))
    till = CartRecovery(shop.api)
    first, second = await till.entrance(restored.uuid), await till.entrance(restored.uuid)
    assert first and second and first != second
    shop.carts.clear()
    assert await till.entrance(restored.uuid) is None


async def test_an_answer_that_got_lost_does_not_make_a_second_cart() -> None:
    shop = Shop(product(1))

    def broken(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500) if request.method == "POST" else shop.answer(request)

    shop.api = api_over(broken, attempts=3)
    with pytest.raises(Later):
        await shop.bring_back(cart(line(1)))
    assert shop.api.calls == 2


@pytest.mark.parametrize("body", [b"", b"[]", b'{"data": {}}', b'{"data": {"id": 7}}'])
async def test_an_answer_without_a_cart_is_no_cart(body: bytes) -> None:
    shop = Shop(product(1))

    def vague(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body) if request.method == "POST" else shop.answer(request)

    shop.api = api_over(vague)
    with pytest.raises((Later, Mend)):
        await shop.bring_back(cart(line(1)))
    assert shop.noted == []


def test_what_was_chosen_is_read_from_the_cart() -> None:
    row = {
        "id": OLD,
        "line_items": {
            "physical_items": [
                {
                    "product_id": 1,
                    "options": [
                        {"name": "Color", "nameId": 11, "value": "Red", "valueId": 5},
                        {"name": "Engraving", "nameId": 30, "value": "For Ann", "valueId": None},
                        {"name": "Pages", "nameId": 31, "value": 12.5},
                        {"name": "Note", "nameId": 32, "value": None},
                        {"name": "Nameless", "value": "x"},
                    ],
                },
                {"product_id": 2, "parent_id": "6e193ce6-f327-4dcc-b75e-72cf6738525e"},
                {"product_id": 3, "added_by_promotion": True},
            ]
        },
    }
    decoded = msgspec.json.decode(json.dumps(row), type=wire.Cart, strict=False)
    found = records.cart(decoded, Store(name="Shop", currency="EUR"), {})
    assert found.lines[0].choices == (Choice(11, 5), Choice(30, "For Ann"), Choice(31, "12.5"))
    assert [one.added for one in found.lines] == [False, True, True]
