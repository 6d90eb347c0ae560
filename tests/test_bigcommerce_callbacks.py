"""What a callback names, and which callbacks are believed."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.bigcommerce.callbacks import ALIASES, Forged, Malformed, Trust, from_parts, read
from tajo.sync.model import Key, Notice, Resource, cart_key

SPECS = Path(__file__).resolve().parents[2] / "shared" / "specs" / "bigcommerce"
EXAMPLES = sorted((SPECS / "webhook-callbacks" / "data").glob("*.json"))
INDEX = SPECS / "derived" / "webhook_scopes.json"
SCOPES: list[dict[str, Any]] = json.loads(INDEX.read_text())["scopes"] if INDEX.is_file() else []
CART = "09346904-4175-44fd-be53-f7e598531b6c"
NOW = 1_700_000_100.0
BODY = (  # the facts' own test vector, section 7
    b'{"scope":"store/order/created","store_id":"1025646","data":{"type":"order","id":250},'
    b'"hash":"dd70c0976e06b67aaf671e73f49dcb79230ebf9d","created_at":1561479335,"producer":"stores/abc123"}'
)
SIGNED = {
    "Webhook-Id": "msg_test_1",
    "Webhook-Timestamp": "1700000000",
    "Webhook-Signature": "v1,T/SWIQNX+IB/gEZuYnfHzvtzHUVnOeiki8+Fw1FyjUI=",
}
OURS = {"X-Tajo-Secret": "s3cret"}
TRUST = Trust(producer="stores/abc123", secret="s3cret", client_secret="3f1c0example_client_secret")
STRICT = Trust(producer="stores/abc123", secret="s3cret", client_secret=TRUST.client_secret, strict=True)


def callback(scope: str, data: Any, **fields: Any) -> bytes:
    said = {"scope": scope, "data": data, "producer": "stores/abc123", "created_at": 1561479335}
    return json.dumps(said | fields).encode()


def named(scope: str, data: Any) -> list[str]:
    """What a callback names, with carts by their UUID."""
    notice = read(callback(scope, data))
    assert notice.known
    uuids = {cart_key(uuid): uuid for uuid in notice.carts}
    return [f"carts/{uuids[key]}" if key in uuids else str(key) for key in notice.keys]


def signed(body: bytes, at: str) -> dict[str, str]:
    digest = hmac.digest(b"3f1c0example_client_secret", b"msg." + at.encode() + b"." + body, "sha256")
    signature = f"v1,{b64encode(digest).decode()}"
    return OURS | {"webhook-id": "msg", "webhook-timestamp": at, "webhook-signature": signature}


# -- whether to believe it


@pytest.mark.parametrize("trust", [TRUST, STRICT], ids=["auto", "strict"])
def test_our_secret_and_the_stores_signature_are_believed(trust: Trust) -> None:
    trust.believe(OURS | SIGNED, BODY, NOW)


def test_header_names_may_be_written_in_any_case() -> None:
    STRICT.believe({name.upper(): text for name, text in (OURS | SIGNED).items()}, BODY, NOW)


def test_a_store_that_does_not_sign_is_believed_by_our_secret_unless_we_are_strict() -> None:
    TRUST.believe(OURS, BODY, NOW)
    with pytest.raises(Forged, match="no signature"):
        STRICT.believe(OURS, BODY, NOW)


def test_without_the_client_secret_a_signature_proves_nothing() -> None:
    wrong = OURS | SIGNED | {"Webhook-Signature": "v1,AAAA"}
    Trust(producer="stores/abc123", secret="s3cret").believe(wrong, BODY, NOW)
    with pytest.raises(Forged, match="no signature"):
        Trust(producer="stores/abc123", secret="s3cret", strict=True).believe(wrong, BODY, NOW)


@pytest.mark.parametrize(
    "secret", [{}, {"x-tajo-secret": ""}, {"x-tajo-secret": "s3creT"}, {"x-tajo-secret": "é"}]
)
def test_no_signature_replaces_our_secret(secret: dict[str, str]) -> None:
    with pytest.raises(Forged, match="x-tajo-secret"):
        TRUST.believe(SIGNED | secret, BODY, NOW)


def test_where_we_have_no_secret_nobody_knows_it() -> None:
    with pytest.raises(Forged):
        Trust(producer="stores/abc123", secret="").believe({"x-tajo-secret": ""}, BODY, NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"Webhook-Signature": ""},
        {"Webhook-Signature": "T/SWIQNX+IB/gEZuYnfHzvtzHUVnOeiki8+Fw1FyjUI="},
        {"Webhook-Signature": "v2,T/SWIQNX+IB/gEZuYnfHzvtzHUVnOeiki8+Fw1FyjUI="},
        {"Webhook-Signature": "v1,T/SWIQNX+IB/gEZuYnfHzvtzHUVnOeiki8+Fw1FyjUI"},
        {"Webhook-Signature": "v1,é"},
        {"Webhook-Id": "msg_test_2"},
        {"Webhook-Timestamp": "1700000001"},
        {"Webhook-Timestamp": ""},
    ],
)
def test_a_signature_of_something_else_is_forged(change: dict[str, str]) -> None:
    with pytest.raises(Forged, match="does not hold"):
        TRUST.believe(OURS | SIGNED | change, BODY, NOW)


def test_one_good_signature_of_several_is_enough() -> None:
    several = f"v1,AAAA {SIGNED['Webhook-Signature']} v2,BBBB"
    STRICT.believe(OURS | SIGNED | {"Webhook-Signature": several}, BODY, NOW)


@given(st.binary(min_size=1), st.integers(0, len(BODY)))
def test_a_body_that_was_changed_on_the_way_is_forged(extra: bytes, at: int) -> None:
    with pytest.raises(Forged, match="does not hold"):
        TRUST.believe(OURS | SIGNED, BODY[:at] + extra + BODY[at:], NOW)


@pytest.mark.parametrize(
    ("later", "believed"),
    [(0, True), (48.1 * 3600, True), (72 * 3600, True), (72 * 3600 + 1, False), (-600, True), (-601, False)],
)
def test_the_last_retry_is_believed_and_what_is_older_than_three_days_is_not(
    later: float, believed: bool
) -> None:
    if believed:
        TRUST.believe(OURS | SIGNED, BODY, 1_700_000_000 + later)
    else:
        with pytest.raises(Forged, match="older"):
            TRUST.believe(OURS | SIGNED, BODY, 1_700_000_000 + later)


@pytest.mark.parametrize("at", ["soon", "", "-5", "1e9", "9" * 5000, "\u0661\u0667"])
def test_a_time_that_is_none_is_forged_even_if_signed(at: str) -> None:
    with pytest.raises(Forged, match="no time"):
        TRUST.believe(signed(BODY, at), BODY, NOW)


@pytest.mark.parametrize("producer", ["stores/other", "abc123", ""])
def test_a_callback_of_another_store_is_forged(producer: str) -> None:
    body = callback("store/order/created", {"id": 1}, producer=producer)
    with pytest.raises(Forged, match="another store"):
        TRUST.believe(signed(body, "1700000000"), body, NOW)


def test_nothing_is_said_of_a_body_before_it_is_proven() -> None:
    with pytest.raises(Forged):
        TRUST.believe({}, b"no json", NOW)
    with pytest.raises(Malformed):
        TRUST.believe(OURS, b"no json", NOW)


def test_trust_shows_no_secret() -> None:
    assert repr(TRUST) == "Trust(stores/abc123)"


# -- what it says


@pytest.mark.parametrize(
    ("scope", "data", "names"),
    [
        ("store/customer/updated", {"type": "customer", "id": 32}, ["customers/32"]),
        (
            "store/customer/address/created",
            {"type": "customer", "id": 60, "address": {"customer_id": 32}},
            ["customers/32"],
        ),
        (
            "store/customer/channel/login/access/updated",
            {"customer_id": 22, "channel_ids": [1]},
            ["customers/22"],
        ),
        ("store/subscriber/deleted", {"type": "subscriber", "id": 5}, ["subscribers/5"]),
        ("store/order/archived", {"type": "order", "id": 250}, ["orders/250"]),
        (
            "store/order/statusUpdated",
            {"type": "order", "id": 250, "status": {"previous_status_id": 0, "new_status_id": 11}},
            ["orders/250"],
        ),
        (
            "store/order/refund/created",
            {"type": "order", "id": 250, "refund": {"refund_id": 3}},
            ["refunds/3", "orders/250"],
        ),
        ("store/order/transaction/created", {"type": "transaction", "order_id": "250"}, ["orders/250"]),
        ("store/shipment/created", {"type": "shipment", "id": 12, "orderId": 251}, ["orders/251"]),
        ("store/cart/abandoned", {"type": "cart", "id": CART, "token": "1eed"}, [f"carts/{CART}"]),
        (
            "store/cart/converted",
            {"type": "cart", "id": CART, "orderId": 252},
            [f"carts/{CART}", "orders/252"],
        ),
        (
            "store/cart/lineItem/created",
            {"type": "cart_line_item", "id": "743bfd94-d5dd-47c5-9c19-6eec32ca6119", "cartId": CART},
            [f"carts/{CART}"],
        ),
        ("store/product/deleted", {"type": "product", "id": 205}, ["products/205"]),
        (
            "store/product/inventory/order/updated",
            {
                "type": "product",
                "id": 167,
                "inventory": {"product_id": 167, "method": "relative", "value": -1},
            },
            ["products/167"],
        ),
        (
            "store/sku/created",
            {"type": "sku", "id": 461, "sku": {"product_id": 206, "variant_id": 509}},
            ["products/206"],
        ),
        (
            "store/sku/inventory/updated",
            {"type": "sku", "id": 461, "inventory": {"product_id": 206, "variant_id": 509}},
            ["products/206"],
        ),
        ("store/category/deleted", {"type": "category", "id": "42"}, ["categories/42"]),
        ("store/channel/1/order/updated", {"order_id": 127}, ["orders/127"]),
        ("store/channel/1/order/refund/created", {"order_id": 127}, ["orders/127"]),
        ("store/channel/2/cart/lineItem/updated", {"cart_id": CART, "cart_item_id": "x"}, [f"carts/{CART}"]),
        ("store/channel/1/category/updated", {"category_id": 35, "tree_id": 1}, ["categories/35"]),
        ("store/channel/1/category/product/unassigned", {"product_id": 127}, ["products/127"]),
        ("store/channel/1002/product/assigned", {"product_id": 127}, ["products/127"]),
        (
            "store/channel/*/inventory/product/stock_changed",
            {"variant_id": 127, "product_id": 113, "location_id": 2},
            ["products/113"],
        ),
    ],
)
def test_each_scope_names_what_is_to_be_looked_at(scope: str, data: Any, names: list[str]) -> None:
    assert named(scope, data) == names


@pytest.mark.parametrize(
    ("scope", "data"),
    [
        ("store/information/updated", {"type": "store"}),
        ("store/channel/updated", {"type": "channel", "id": 2}),
        ("store/priceList/records/updated", [{"price_list_id": 1, "variant_id": 179, "currency": "USD"}]),
        ("store/order/message/created", {"type": "order", "id": 250, "message": {"order_message_id": 3}}),
        ("store/product/metafield/created", {"metafield_id": 12, "resource_id": "118"}),
        (
            "store/hook/deliveryException",
            {"type": "webhook", "id": 123, "error_code": 90001, "message": "no"},
        ),
    ],
)
def test_what_is_nothing_to_us_is_understood_and_names_nothing(scope: str, data: Any) -> None:
    notice = read(callback(scope, data))
    assert (notice.known, notice.keys, notice.carts) == (True, (), ())


@pytest.mark.parametrize(
    ("scope", "data"),
    [
        ("store/wishlist/updated", {"id": 3}),
        ("order/created", {"id": 3}),
        ("store/order/created/", {"id": 3}),
        ("store/order/created", {}),
        ("store/order/created", [{"id": 3}]),
        ("store/order/created", {"id": 0}),
        ("store/order/created", {"id": -4}),
        ("store/order/created", {"id": True}),
        ("store/order/created", {"id": 2**63}),
        ("store/order/created", {"id": "9" * 30}),
        ("store/order/created", {"id": {"id": 3}}),
        ("store/sku/created", {"id": 461, "sku": 206}),
        ("store/cart/created", {"id": 17}),
        ("store/cart/created", {"id": "../../customers"}),
        ("store/cart/created", {"id": "{09346904417544fdbe53f7e598531b6c}--"}),
    ],
)
def test_what_is_not_understood_says_so(scope: str, data: Any) -> None:
    notice = read(callback(scope, data))
    assert (notice.scope, notice.known, notice.keys, notice.carts) == (scope, False, (), ())


def test_a_notice_says_what_happened_and_when() -> None:
    assert read(BODY) == Notice(
        scope="store/order/created", keys=(Key(Resource.ORDERS, 250),), created=1561479335.0
    )


@pytest.mark.parametrize(
    ("when", "created"), [("1561479335", 1561479335.0), (None, 0.0), ("soon", 0.0), (-1, 0.0)]
)
def test_a_date_that_cannot_be_read_costs_nothing(when: Any, created: float) -> None:
    notice = read(callback("store/order/created", {"id": 250}, created_at=when))
    assert (notice.created, notice.known) == (created, True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"not json",
        b"\xff\xfe",
        b"[" * 5000,
        b'{"scope":"store/order/created","data":{"id":250}}',
        b'{"scope":"store/order/created","producer":"stores/abc123"}',
        b'{"scope":7,"data":{},"producer":"stores/abc123"}',
        b'{"scope":"store/order/created","data":"jane@example.com","producer":"stores/abc123"}',
        b'{"scope":"store/order/created","data":{"id":1e999},"producer":"stores/abc123"}',
    ],
)
def test_what_is_no_callback_is_malformed_and_not_quoted(body: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        read(body)
    assert "jane" not in str(caught.value)


@given(
    st.binary()
    | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)
    .map(json.dumps)
    .map(str.encode)
)
def test_any_body_is_read_or_malformed(body: bytes) -> None:
    with suppress(Malformed):
        read(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "order_id", "orderId", "cartId", "sku", "product_id"]) | st.text(), inner
        )
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(
        [entry["scope"].replace("{channel_id}", "1002") for entry in SCOPES] or ["store/order/created"]
    ),
    st.dictionaries(st.text(), JSON),
)
def test_any_data_names_only_what_a_ledger_can_hold(scope: str, data: dict[str, Any]) -> None:
    notice = from_parts(scope, {"data": data})
    assert all(0 < key.id < 2**63 for key in notice.keys)
    assert notice.known or not notice.keys


# -- the application of somebody else


def test_a_topic_comes_with_the_whole_payload_or_with_its_data() -> None:
    data = {"type": "order", "id": 250}
    whole = from_parts("store/order/created", {"data": data, "created_at": 1561479335, "producer": "x"})
    assert whole == read(BODY)
    assert from_parts("store/order/created", data).keys == whole.keys


def test_a_payload_whose_data_is_no_object_is_malformed() -> None:
    with pytest.raises(Malformed):
        from_parts("store/order/created", {"data": "jane@example.com"})


# -- BigCommerce's own examples (they are not part of this repository)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_of_bigcommerce_names_what_its_data_holds(example: Path) -> None:
    said = json.loads(example.read_bytes())
    notice = read(example.read_bytes())
    assert notice.known
    assert (notice.scope, notice.created) == (said["scope"], said["created_at"])
    kind, data = said["data"]["type"], said["data"]
    first = {
        "cart": lambda: cart_key(data["id"]),
        "cart_line_item": lambda: cart_key(data["cartId"]),
        "category": lambda: Key(Resource.CATEGORIES, data["id"]),
        "customer": lambda: Key(Resource.CUSTOMERS, data.get("address", {}).get("customer_id", data["id"])),
        "order": lambda: Key(Resource.ORDERS, data["id"]),
        "product": lambda: Key(Resource.PRODUCTS, data["id"]),
        "shipment": lambda: Key(Resource.ORDERS, data["orderId"]),
        "sku": lambda: Key(Resource.PRODUCTS, (data.get("sku") or data.get("inventory"))["product_id"]),
        "store": lambda: None,
        "subscriber": lambda: Key(Resource.SUBSCRIBERS, data["id"]),
    }[kind]()
    quiet = {"store/order/message/created", "store/customer/payment/instrument/default/updated"}
    assert first in notice.keys if first and notice.scope not in quiet else not notice.keys


CONCRETE = [entry for entry in SCOPES if not entry["scope"].endswith("/*")]


@pytest.mark.parametrize("entry", CONCRETE, ids=[entry["scope"] for entry in CONCRETE])
def test_every_scope_of_bigcommerce_is_known(entry: dict[str, Any]) -> None:
    scope = entry["scope"].replace("{channel_id}", "1002")
    assert read(callback(scope, entry["data"] or {})).known


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_stands_for_scopes_that_name_something(alias: str) -> None:
    data = {"product_id": 5, "inventory": {"product_id": 5}}
    assert all(named(scope, data) == ["products/5"] for scope in ALIASES[alias])
    for handed_on in (data, {"product_id": 5}, {"scope": alias, "data": {"inventory": {"product_id": 5}}}):
        assert [str(key) for key in from_parts(alias, handed_on).keys] == ["products/5"]


@pytest.mark.parametrize(
    "topic", ["", "order/updated", "store", "store/", "store/order updated", "store/order\n"]
)
def test_what_is_no_scope_is_no_topic(topic: str) -> None:
    with pytest.raises(Malformed):
        from_parts(topic, {"id": 5})
