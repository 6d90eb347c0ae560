"""The simulated BigCommerce: webhooks, carts and faults."""

from __future__ import annotations

import json

import pytest

from tajo.sandbox.bigcommerce import Faults, generate, signature
from tests.sandbox_shop import HOOK_URL, Shop, signed

FAST = 1e9  # so many times faster than the real service


@pytest.fixture
async def shop():
    async with Shop() as shop:
        yield shop


# -- managing hooks


async def test_a_hook_is_made_changed_and_removed(shop):
    body = {"scope": "store/order/*", "destination": HOOK_URL, "headers": {"X-Secret": "s"}}
    made = await shop.send("POST", "/v3/hooks", body)
    assert made.status_code == 200
    hook = made.json()["data"]
    assert (hook["is_active"], hook["store_hash"]) == (True, shop.store.hash)
    path = f"/v3/hooks/{hook['id']}"
    assert (await shop.send("PUT", path, {"is_active": False})).json()["data"]["is_active"] is False
    assert (await shop.send("PUT", path, {})).status_code == 422
    assert await shop.data("/v3/hooks", is_active="true") == []
    assert len(await shop.data("/v3/hooks", scope="store/order/*")) == 1
    assert (await shop.send("DELETE", path)).status_code == 200
    assert (await shop.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("destination", "status"),
    [
        ("https://example.com/hooks", 200),
        ("https://example.com:443/hooks", 200),
        ("https://example.com:8443/hooks", 422),
        ("http://example.com/hooks", 422),
        ("http://127.0.0.1:8080/hooks", 200),  # our one leniency
        ("ftp://127.0.0.1/hooks", 422),
    ],
)
async def test_destinations(shop, destination, status):
    made = await shop.send("POST", "/v3/hooks", {"scope": "store/order/created", "destination": destination})
    assert made.status_code == status


async def test_scopes_must_exist(shop):
    for scope, status in (
        ("store/inventory/updated", 422),
        ("store/channel/1/order/*", 200),
        ("orders", 422),
    ):
        made = await shop.send("POST", "/v3/hooks", {"scope": scope, "destination": HOOK_URL})
        assert made.status_code == status


async def test_ten_hooks_a_scope_and_no_twins(shop):
    for n in range(10):
        await shop.listen("store/order/created", url=f"{HOOK_URL}/{n}")
    eleventh = {"scope": "store/order/created", "destination": f"{HOOK_URL}/11"}
    assert (await shop.send("POST", "/v3/hooks", eleventh)).status_code == 422
    await shop.listen("store/order/updated", url=f"{HOOK_URL}/1")
    twin = {"scope": "store/order/updated", "destination": f"{HOOK_URL}/1"}
    assert (await shop.send("POST", "/v3/hooks", twin)).status_code == 422


async def test_admin(shop):
    assert (await shop.send("PUT", "/v3/hooks/admin", {"emails": ["ops@example.com"]})).status_code == 204
    await shop.listen("store/order/created")
    admin = await shop.data("/v3/hooks/admin")
    assert admin["emails"] == ["ops@example.com"]
    assert [hook["status"] for hook in admin["hooks_list"]] == ["active"]
    shop.now += 91 * 86400  # nothing happened for 90 days
    assert [h["status"] for h in (await shop.data("/v3/hooks/admin"))["hooks_list"]] == ["deactivated"]


# -- deliveries


async def test_the_signature_of_our_test_vector():
    secret, body = (
        "3f1c0example_client_secret",
        (
            b'{"scope":"store/order/created","store_id":"1025646","data":{"type":"order","id":250},'
            b'"hash":"dd70c0976e06b67aaf671e73f49dcb79230ebf9d","created_at":1561479335,"producer":"stores/abc123"}'
        ),
    )
    expected = "v1,T/SWIQNX+IB/gEZuYnfHzvtzHUVnOeiki8+Fw1FyjUI="
    assert signature(secret, "msg_test_1", 1700000000, body) == expected


async def test_an_event_arrives_in_its_envelope(shop):
    body = {"scope": "store/order/updated", "destination": HOOK_URL, "headers": {"X-Secret": "s"}}
    await shop.send("POST", "/v3/hooks", body)
    await shop.send("PUT", "/v2/orders/105", {"staff_notes": "x"})
    await shop.world.deliveries.settled()
    (request,) = shop.receiver.received
    event = json.loads(request.content)
    assert len(event.pop("hash")) == 40
    assert event == {
        "scope": "store/order/updated",
        "store_id": "1025646",
        "data": {"type": "order", "id": 105},
        "created_at": int(shop.now),
        "producer": f"stores/{shop.store.hash}",
    }
    assert request.headers["X-Secret"] == "s"
    assert signed(request)


async def test_wildcards_do_not_cover_addresses(shop):
    await shop.listen("store/customer/*")
    row = {
        "first_name": "A",
        "last_name": "B",
        "address1": "1",
        "city": "X",
        "country_code": "US",
        "customer_id": 7,
    }
    await shop.send("POST", "/v3/customers/addresses", [row])
    await shop.send("PUT", "/v3/customers", [{"id": 7, "notes": "x"}])
    assert await shop.heard() == {"store/customer/updated": 1}


async def test_a_failing_receiver_is_tried_twelve_times_then_left():
    async with Shop(time_scale=FAST) as shop:
        shop.receiver.status = 500
        await shop.listen("store/order/updated")
        await shop.send("PUT", "/v2/orders/105", {"staff_notes": "x"})
        await shop.world.deliveries.drained()
        assert len(shop.receiver.received) == 12
        assert len({r.headers["webhook-id"] for r in shop.receiver.received}) == 1
        assert all(map(signed, shop.receiver.received))
        (hook,) = (await shop.data("/v3/hooks/admin"))["hooks_list"]
        assert (hook["status"], hook["is_active"]) == ("deactivated", False)
        await shop.send("PUT", f"/v3/hooks/{hook['id']}", {"is_active": True})
        assert (await shop.data("/v3/hooks"))[0]["is_active"] is True


async def test_a_receiver_that_recovers_gets_it_on_a_retry():
    async with Shop(time_scale=FAST) as shop:
        shop.receiver.status = 503
        await shop.listen("store/order/updated")
        await shop.send("PUT", "/v2/orders/105", {"staff_notes": "x"})
        await shop.world.deliveries.settled()
        shop.receiver.status = 204
        await shop.world.deliveries.drained()
        assert 2 <= len(shop.receiver.received) <= 12
        assert (await shop.data("/v3/hooks"))[0]["is_active"] is True


async def test_a_domain_that_fails_too_often_is_blocked_for_three_minutes(shop):
    await shop.listen("store/order/updated")
    for n in range(120):
        shop.receiver.status = 200 if n < 85 else 500
        await shop.send("PUT", "/v2/orders/105", {"staff_notes": str(n)})
        await shop.world.deliveries.settled()
    assert len(shop.receiver.received) == 100  # after the hundredth, 85 % successful, nothing is sent
    (blocked,) = (await shop.data("/v3/hooks/admin"))["blocked_domains"]
    assert (blocked["destination"], blocked["time_left"]) == ("receiver.example.com", 180)
    assert blocked["reasons"][0]["count"] == 15
    shop.now += 181
    shop.receiver.status = 200
    await shop.send("PUT", "/v2/orders/105", {"staff_notes": "x"})
    await shop.world.deliveries.settled()
    assert len(shop.receiver.received) == 101


async def test_delivery_exceptions_have_their_own_hook(shop):
    await shop.listen("store/hook/deliveryException", url="https://other.example.com/alarm")
    await shop.listen("store/order/updated")
    shop.receiver.status = 500
    await shop.send("PUT", "/v2/orders/105", {"staff_notes": "x"})
    await shop.world.deliveries.settled()
    told = [e["data"] for e in shop.receiver.events if e["scope"] == "store/hook/deliveryException"]
    assert [(d["type"], d["error_code"]) for d in told] == [("webhook", 90001)]


async def test_faulty_deliveries():
    faults = Faults(seed=3, throttled=0, overloaded=0, broken=0, truncated=0, dropped=0, unanswered=0, slow=0)
    async with Shop(faults=faults, time_scale=FAST) as shop:
        await shop.listen("store/order/updated")
        for n in range(400):
            await shop.send("PUT", f"/v2/orders/{100 + n}", {"staff_notes": "x"})
        await shop.world.deliveries.drained()
        keys = [e["data"]["id"] for e in shop.receiver.events]
        assert 20 < 400 - len(set(keys)) < 70  # lost
        assert 20 < len(keys) - len(set(keys)) < 70  # doubled, under one webhook-id
        assert len({r.headers["webhook-id"] for r in shop.receiver.received}) == len(set(keys))
        assert keys != sorted(keys)  # reordered


# -- carts


CART = {"line_items": [{"product_id": 103, "quantity": 2}]}


async def test_a_cart_lives_and_counts_its_changes(shop):
    await shop.listen("store/cart/created", "store/cart/updated", "store/cart/deleted")
    cart = (await shop.send("POST", "/v3/carts", CART)).json()["data"]
    item = cart["line_items"]["physical_items"][0]
    assert (cart["version"], cart["cart_amount"]) == (1, round(item["sale_price"] * 2, 2))
    assert await shop.heard() == {"store/cart/created": 1, "store/cart/updated": 1}
    path = f"/v3/carts/{cart['id']}"
    changed = await shop.send(
        "PUT", f"{path}/items/{item['id']}", {"line_item": {"quantity": 5}, "version": 1}
    )
    assert changed.json()["data"]["version"] == 2
    stale = await shop.send("PUT", f"{path}/items/{item['id']}", {"line_item": {"quantity": 6}, "version": 1})
    assert stale.status_code == 409
    assert (await shop.send("PUT", path, {"customer_id": 7})).json()["data"]["customer_id"] == 7
    await shop.heard()
    assert (await shop.send("DELETE", f"{path}/items/{item['id']}")).status_code == 204
    assert await shop.heard() == {"store/cart/updated": 1, "store/cart/deleted": 1}
    assert (await shop.get(path)).status_code == 404


async def test_options_come_only_when_included(shop):
    body = {"line_items": [{"product_id": 106, "variant_id": 10600, "quantity": 1}]}
    cart = (await shop.send("POST", "/v3/carts", body)).json()["data"]
    assert "options" not in cart["line_items"]["physical_items"][0]
    word = "line_items.physical_items.options"
    full = await shop.data(f"/v3/carts/{cart['id']}", include=word)
    assert full["line_items"]["physical_items"][0]["options"][0]["name"] == "Color"


async def test_a_cart_is_abandoned_after_an_hour_without_change():
    async with Shop(time_scale=FAST) as shop:
        await shop.listen("store/cart/abandoned")
        cart = (await shop.send("POST", "/v3/carts", CART)).json()["data"]
        await shop.world.deliveries.drained()
        (event,) = shop.receiver.events
        assert (event["data"]["type"], event["data"]["id"]) == ("cart", cart["id"])
        token = event["data"]["token"]
        assert await shop.data(f"/v3/abandoned-carts/{token}") == {"cart_id": cart["id"]}
    async with Shop() as shop:
        await shop.listen("store/cart/abandoned")
        await shop.send("POST", "/v3/carts", CART)
        assert await shop.heard() == {}


async def test_redirect_urls_work_once_and_only_for_carts_of_this_api(shop):
    cart = (await shop.send("POST", "/v3/carts", CART)).json()["data"]
    urls = (await shop.send("POST", f"/v3/carts/{cart['id']}/redirect_urls")).json()["data"]
    assert set(urls) == {"cart_url", "checkout_url", "embedded_checkout_url"}
    assert (await shop.http.get(urls["cart_url"])).status_code == 200
    assert (await shop.http.get(urls["cart_url"])).status_code == 404
    bought = await shop.control("POST", "carts", {**CART, "email": "s@example.com"})
    assert (await shop.send("POST", f"/v3/carts/{bought['id']}/redirect_urls")).status_code == 422


async def test_a_shopper_types_an_email_and_buys(shop):
    await shop.listen("store/cart/updated", "store/cart/converted", "store/order/created")
    cart = await shop.control("POST", "carts", CART)
    await shop.heard()
    await shop.control("PUT", f"carts/{cart['id']}", {"email": "s@example.com"})
    assert (await shop.data(f"/v3/carts/{cart['id']}"))["email"] == "s@example.com"
    assert await shop.heard() == {"store/cart/updated": 1}
    order = await shop.control("POST", f"carts/{cart['id']}/checkout", {})
    assert await shop.heard() == {"store/cart/converted": 1, "store/order/created": 1}
    assert (await shop.get(f"/v3/carts/{cart['id']}")).status_code == 404
    (found,) = await shop.data("/v2/orders", cart_id=cart["id"])
    assert (found["id"], found["billing_address"]["email"]) == (order["order_id"], "s@example.com")


async def test_abandoned_cart_settings(shop):
    assert (await shop.data("/v3/abandoned-carts/settings"))["enable_notification"] is False
    own = "/v3/abandoned-carts/settings/channels/1002"
    assert (await shop.data(own))["enable_notification"] is None
    await shop.send("PUT", own, {"enable_notification": True})
    assert (await shop.data(own))["enable_notification"] is True


async def test_a_cart_ends_after_thirty_days(shop):
    cart = (await shop.send("POST", "/v3/carts", CART)).json()["data"]
    shop.now += 30 * 86400 + 1
    assert (await shop.get(f"/v3/carts/{cart['id']}")).status_code == 404


# -- faults of requests


async def test_a_patient_client_gets_everything_and_writes_happen_once_or_not_at_all():
    async with Shop(generate(customers=60, orders=60, products=10), faults=Faults(seed=5, slow=0)) as shop:
        statuses, lost = set(), 0
        for _ in range(600):
            try:
                answer = await shop.get("/v3/customers", limit=2)
            except shop.http_error:
                lost += 1
                continue
            statuses.add(answer.status_code)
        assert {200, 429} < statuses
        assert statuses & {500, 502, 503, 504}
        assert 0 < lost < 30
        await shop.control("POST", "faults", {"on": False})
        assert {(await shop.get("/v3/customers")).status_code for _ in range(100)} == {200}


async def test_the_same_seed_gives_the_same_faults():
    async def story():
        async with Shop(generate(customers=5, orders=5, products=5), faults=Faults(seed=9, slow=0)) as shop:
            for _ in range(300):
                try:
                    await shop.get("/v2/time")
                except shop.http_error:
                    continue
            return [(e["status"], e["fault"]) for e in (await shop.control("GET", "outbox"))["requests"]]

    assert await story() == await story()
