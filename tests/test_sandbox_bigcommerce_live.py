"""The simulated BigCommerce, live: whose hooks are whose, what a checkout does, what tests can see."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import httpx
import pytest

from tests.sandbox_shop import HOOK_URL, Shop

CART = {"line_items": [{"product_id": 101, "quantity": 2}], "email": "s@example.com"}
OTHER = {"client_id": "other", "client_secret": "other-secret", "access_token": "other-token"}


@pytest.fixture
async def shop():
    async with Shop() as shop:
        yield shop


async def lines(shop, name):
    answer = await shop.http.get(f"http://sandbox/_sandbox/{name}")
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


# -- API accounts and their hooks


async def test_an_account_sees_and_reaches_only_its_own_hooks(shop):
    await shop.listen("store/order/updated")
    (mine,) = await shop.data("/v3/hooks")
    await shop.control("POST", "accounts", OTHER)
    shop.http.headers["X-Auth-Token"] = "other-token"
    assert await shop.data("/v3/hooks") == []
    assert (await shop.data("/v3/hooks/admin"))["hooks_list"] == []
    assert (await shop.get(f"/v3/hooks/{mine['id']}")).status_code == 404
    assert (await shop.send("DELETE", f"/v3/hooks/{mine['id']}")).status_code == 404
    await shop.listen("store/order/updated")  # the limits are by client id: no twin
    (theirs,) = await shop.data("/v3/hooks")
    assert (theirs["client_id"], mine["client_id"]) == ("other", "sandbox-client-id")


async def test_each_account_signs_with_its_own_secret(shop):
    await shop.control("POST", "accounts", OTHER)
    await shop.listen("store/order/updated")
    shop.http.headers["X-Auth-Token"] = "other-token"
    await shop.listen("store/order/updated")
    await shop.send("PUT", "/v2/orders/105", {"staff_notes": "x"})
    await shop.world.deliveries.settled()
    one, two = shop.receiver.received
    assert one.content == two.content
    assert one.headers["webhook-signature"] != two.headers["webhook-signature"]


async def test_a_deleted_account_takes_its_token_and_its_hooks(shop):
    await shop.listen("store/order/updated")
    await shop.control("POST", "accounts", OTHER)
    gone = await shop.http.delete("http://sandbox/_sandbox/accounts/sandbox-client-id")
    assert gone.status_code == 204
    assert (await shop.get("/v3/hooks")).status_code == 401
    shop.http.headers["X-Auth-Token"] = "other-token"
    await shop.send("PUT", "/v2/orders/105", {"staff_notes": "x"})
    assert await shop.heard() == {}
    assert await lines(shop, "hooks") == []


async def test_the_hook_of_failed_deliveries_is_one_and_lives_elsewhere(shop):
    alarm, url = "store/hook/deliveryException", "https://other.example.com/alarm"
    await shop.listen("store/order/updated")
    shared = await shop.send("POST", "/v3/hooks", {"scope": alarm, "destination": HOOK_URL})
    assert shared.status_code == 422
    await shop.listen(alarm, url=url)
    second = await shop.send("POST", "/v3/hooks", {"scope": alarm, "destination": f"{url}/2"})
    assert second.status_code == 422
    beside = await shop.send("POST", "/v3/hooks", {"scope": "store/order/created", "destination": url})
    assert beside.status_code == 422


async def test_a_failed_delivery_is_repeated_at_the_documented_delays_and_not_earlier():
    delays = [60, 180, 300, 600, 900, 1800, 3600, 7200, 21600, 50400, 86400]
    sent: list[float] = []

    def refuse(_request: httpx.Request) -> httpx.Response:
        sent.append(time.monotonic())
        return httpx.Response(503)

    async with Shop(time_scale=1e6, transport=httpx.MockTransport(refuse)) as shop:
        await shop.listen("store/order/updated")
        await shop.send("PUT", "/v2/orders/105", {"staff_notes": "x"})
        await shop.world.deliveries.drained()
    waited = [(after - before) * 1e6 for before, after in pairwise(sent)]
    assert len(waited) == len(delays)
    assert all(wait > delay * 0.99 for wait, delay in zip(waited, delays, strict=True))


# -- checkout


async def test_who_leaves_at_the_payment_page_has_an_incomplete_order_and_a_cart(shop):
    await shop.listen("store/order/*", "store/cart/converted", "store/product/inventory/order/updated")
    cart = await shop.control("POST", "carts", CART)
    left = await shop.control("POST", f"carts/{cart['id']}/checkout", {"status_id": 0})
    assert await shop.heard() == {"store/order/created": 1}
    order = await shop.data(f"/v2/orders/{left['order_id']}")
    assert (order["status_id"], order["cart_id"], order["payment_status"]) == (0, cart["id"], "")
    assert (await shop.get(f"/v3/carts/{cart['id']}")).status_code == 200


async def test_the_payment_completes_the_same_order_with_what_the_cart_holds_now(shop):
    cart = await shop.control("POST", "carts", CART)
    left = await shop.control("POST", f"carts/{cart['id']}/checkout", {"status_id": 0})
    more = {"line_items": [{"product_id": 103, "quantity": 1}]}
    await shop.send("POST", f"/v3/carts/{cart['id']}/items", more)
    await shop.listen("store/order/*", "store/cart/converted")
    paid = await shop.control("POST", f"carts/{cart['id']}/checkout", {})
    assert paid["order_id"] == left["order_id"]
    assert (paid["status_id"], len(paid["line_items"])) == (11, 2)
    assert float(paid["total_inc_tax"]) > float(left["total_inc_tax"])
    await shop.world.deliveries.settled()
    told = {event["scope"]: event["data"] for event in shop.receiver.events}
    assert told["store/order/statusUpdated"]["status"] == {"previous_status_id": 0, "new_status_id": 11}
    assert told["store/cart/converted"] == {"type": "cart", "id": cart["id"], "orderId": paid["order_id"]}
    assert set(told) == {"store/order/statusUpdated", "store/order/updated", "store/cart/converted"}
    assert (await shop.get(f"/v3/carts/{cart['id']}")).status_code == 404


async def test_stock_is_taken_once_and_only_when_it_is_sold(shop):
    key = next(
        p["id"]
        for p in shop.store.products
        if p["inventory_tracking"] == "product" and p["inventory_level"] > 3
    )
    before = shop.store.products[key]
    cart = await shop.control("POST", "carts", {**CART, "line_items": [{"product_id": key, "quantity": 2}]})
    await shop.control("POST", f"carts/{cart['id']}/checkout", {"status_id": 0})
    assert shop.store.products[key] == before
    await shop.control("POST", f"carts/{cart['id']}/checkout", {})
    after = shop.store.products[key]
    assert after["inventory_level"] == before["inventory_level"] - 2
    assert after["total_sold"] == before["total_sold"] + 2


async def test_a_sale_of_untracked_goods_updates_the_product_too(shop):
    key = next(p["id"] for p in shop.store.products if p["inventory_tracking"] == "none")
    await shop.listen("store/product/*")
    cart = await shop.control("POST", "carts", {**CART, "line_items": [{"product_id": key, "quantity": 1}]})
    await shop.control("POST", f"carts/{cart['id']}/checkout", {})
    assert await shop.heard() == {"store/product/updated": 1}


async def test_a_checkout_needs_an_email_and_writes_it_into_the_cart(shop):
    await shop.listen("store/cart/updated")
    cart = await shop.control("POST", "carts", {"line_items": CART["line_items"]})
    await shop.heard()
    refused = await shop.control("POST", f"carts/{cart['id']}/checkout", {"status_id": 0})
    assert refused["status"] == 422
    billing = {"billing_address": {"email": "late@example.com"}, "status_id": 0}
    await shop.control("POST", f"carts/{cart['id']}/checkout", billing)
    assert (await shop.data(f"/v3/carts/{cart['id']}"))["email"] == "late@example.com"
    assert await shop.heard() == {"store/cart/updated": 1}


async def test_a_customers_checkout_uses_the_account(shop):
    body = {"line_items": CART["line_items"], "customer_id": 7}
    cart = await shop.control("POST", "carts", body)
    paid = await shop.control("POST", f"carts/{cart['id']}/checkout", {})
    order = await shop.data(f"/v2/orders/{paid['order_id']}")
    assert order["customer_id"] == 7
    assert order["billing_address"]["email"] == shop.store.customers[7]["email"]


async def test_a_checkout_leaves_a_subscriber_and_only_a_tick_is_consent(shop):
    await shop.listen("store/subscriber/*")
    seen = []
    for opted in (False, True, False):
        cart = await shop.control("POST", "carts", {**CART, "email": "new@example.com"})
        await shop.control("POST", f"carts/{cart['id']}/checkout", {"is_email_opt_in": opted})
        (row,) = await shop.data("/v3/customers/subscribers", email="new@example.com")
        seen.append(row["consents"])
        assert row["source"] == "order"
    assert seen == [[], ["marketing_newsletter"], ["marketing_newsletter"]]
    assert await shop.heard() == {"store/subscriber/created": 1, "store/subscriber/updated": 1}


async def test_only_the_last_change_of_a_cart_is_waited_for():
    async with Shop(time_scale=1e9) as shop:
        await shop.listen("store/cart/abandoned")
        cart = await shop.control("POST", "carts", CART)
        await shop.control("PUT", f"carts/{cart['id']}", {"email": "t@example.com"})
        await shop.world.deliveries.drained()
        assert shop.receiver.scopes == {"store/cart/abandoned": 1}


# -- reads that follow an event


async def test_the_latest_comes_first_and_alone(shop):
    await shop.send("PUT", "/v3/customers", [{"id": 9, "notes": "x"}])
    await shop.send("PUT", "/v2/orders/123", {"staff_notes": "x"})
    await shop.send("PUT", "/v3/catalog/products/110", {"price": 3})
    (customer,) = await shop.data("/v3/customers", sort="date_modified:desc", limit=1)
    (order,) = await shop.data("/v2/orders", sort="date_modified:desc", limit=1)
    (product,) = await shop.data("/v3/catalog/products", sort="date_modified", direction="desc", limit=1)
    assert (customer["id"], order["id"], product["id"]) == (9, 123, 110)
    (last,) = await shop.data("/v2/orders", sort="id:desc", limit=1)
    assert last["id"] == max(shop.store.orders.ids)


async def test_customers_cannot_be_sorted_by_id(shop):
    assert (await shop.get("/v3/customers", sort="id:desc")).status_code == 422


async def test_refunds_of_several_orders(shop):
    first, second, *_ = [shop.store.refunds[key] for key in (1, 2, 3)]
    wanted = f"{first['order_id']},{second['order_id']}"
    found = await shop.data("/v3/orders/payment_actions/refunds", order_id__in=wanted)
    assert [refund["id"] for refund in found] == [1, 2]


async def test_a_category_goes_with_everything_below_it(shop):
    await shop.listen("store/category/deleted")
    made = []
    for name in ("Attic", "Boxes", "Small boxes"):
        place = {"parent_id": made[-1]} if made else {"tree_id": 1}
        answer = await shop.send("POST", "/v3/catalog/trees/categories", [{"name": name, **place}])
        made.append(answer.json()["data"][0]["category_id"])
    await shop.send("DELETE", "/v3/catalog/trees/categories", category_id__in=made[0])
    assert await shop.heard() == {"store/category/deleted": 3}


# -- the control surface


async def test_faults_of_webhooks_are_set_by_rate(shop):
    await shop.listen("store/order/updated")
    set_to = await shop.control("POST", "faults", {"hook_lost": 1.0})
    assert (set_to["on"], set_to["hook_lost"], set_to["broken"]) == (True, 1.0, 0)
    await shop.send("PUT", "/v2/orders/105", {"staff_notes": "lost"})
    assert await shop.heard() == {}
    await shop.control("POST", "faults", {"hook_lost": 0.0, "hook_doubled": 1.0})
    await shop.send("PUT", "/v2/orders/105", {"staff_notes": "twice"})
    assert await shop.heard() == {"store/order/updated": 2}
    await shop.control("POST", "faults", {"on": False})
    await shop.send("PUT", "/v2/orders/105", {"staff_notes": "once"})
    assert await shop.heard() == {"store/order/updated": 1}
    assert (await shop.control("POST", "faults", {"frogs": 1}))["status"] == 422


async def test_what_happened_and_what_was_sent_can_be_read(shop):
    await shop.listen("store/order/updated")
    shop.receiver.status = 202
    await shop.send("PUT", "/v2/orders/105", {"status_id": 5})
    await shop.world.deliveries.settled()
    (hook,) = await lines(shop, "hooks")
    assert [(e["scope"], e["hooks"]) for e in await lines(shop, "events")] == [
        ("store/order/statusUpdated", []),
        ("store/order/updated", [hook["id"]]),
    ]
    (sent,) = await lines(shop, "deliveries")
    assert (sent["hook"], sent["scope"], sent["status"]) == (hook["id"], "store/order/updated", 202)


@pytest.mark.parametrize(
    ("name", "count"),
    [("customers", 300), ("orders", 500), ("products", 60), ("carts", 1), ("refunds", None)],
)
async def test_everything_can_be_read_as_lines(shop, name, count):
    await shop.control("POST", "carts", CART)
    await shop.send("DELETE", "/v2/orders/105")
    found = await lines(shop, name)
    assert len(found) == (len(shop.store.refunds) if count is None else count)
    if name == "orders":
        assert (found[-1]["id"], found[-1]["is_deleted"]) == (105, True)


async def test_the_control_panel_is_the_api_without_quota_scopes_faults_or_record():
    async with Shop(plan="standard", scopes=["store_v2_orders_read_only"]) as shop:
        await shop.control("POST", "faults", {"broken": 1.0})
        panel = f"http://sandbox/_sandbox/panel/stores/{shop.store.hash}"
        for _ in range(200):
            answer = await shop.http.put(f"{panel}/v3/customers", json=[{"id": 7, "notes": "x"}])
            assert answer.status_code == 200
        assert (await shop.control("GET", "counts"))["total"] == 0
        assert (await shop.http.get(f"{panel}/v2/orders", params={"page": 99})).status_code == 204
        stranger = await shop.http.get(f"{panel}/v3/customers", headers={"X-Auth-Token": "x"})
        assert stranger.status_code == 401
