"""Carts that come back in the simulated store: what may lie in them, coupons, and where links lead."""

from __future__ import annotations

import re

import pytest

from tests.sandbox_shop import Shop

GOOD = {"product_id": 103, "quantity": 2}  # no options, no stock tracking, on channel 1


@pytest.fixture
async def shop():
    async with Shop() as shop:
        yield shop


async def opened(shop, *lines, **about):
    answer = await shop.send("POST", "/v3/carts", {"line_items": list(lines or [GOOD]), **about})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]


async def links(shop, cart):
    return (await shop.send("POST", f"/v3/carts/{cart['id']}/redirect_urls")).json()["data"]


def items(cart):
    rows = [*cart["line_items"]["physical_items"], *cart["line_items"]["digital_items"]]
    return {(row["variant_id"], row["quantity"]) for row in rows}


# -- what may lie in a cart


@pytest.mark.parametrize(
    ("change", "line", "status", "title"),
    [
        ({}, {"product_id": 99999, "quantity": 1}, 404, "Product 99999 was not found."),
        ({}, {"product_id": 103, "variant_id": 1, "quantity": 1}, 404, "Variant 1 of .* was not found."),
        ({"is_visible": False}, GOOD, 422, "Blue Bag 103 is not available on this storefront."),
        ({"channels": [1002]}, GOOD, 422, "Blue Bag 103 is not available on this storefront."),
        ({"availability": "disabled"}, GOOD, 422, "Blue Bag 103 cannot be purchased."),
        (
            {"order_quantity_maximum": 1},
            GOOD,
            422,
            "You can only purchase a maximum of 1 of the Blue Bag 103",
        ),
        ({"order_quantity_minimum": 3}, GOOD, 422, "You must purchase at least 3 of the Blue Bag 103"),
        (
            {"inventory_tracking": "product", "inventory_level": 1},
            GOOD,
            422,
            "We don't have enough Blue Bag 103 stock on hand",
        ),
        ({}, {"product_id": 106, "quantity": 1}, 422, "Please choose the options of Blue Lantern 106."),
    ],
)
async def test_what_is_not_for_sale_is_refused_with_a_title_and_nothing_else(
    shop, change, line, status, title
):
    shop.store.products.put(103, {**shop.store.products[103], **change})
    answer = await shop.send("POST", "/v3/carts", {"line_items": [line]})
    assert answer.status_code == status
    assert set(answer.json()) == {"status", "title", "type"}
    assert re.match(title, answer.json()["title"])
    assert shop.world.carts == {}


async def test_stock_of_a_variant_counts_what_the_cart_has_already(shop):
    product = next(p for p in shop.store.products if p["id"] == 113)
    variant = product["variants"][0]
    level = variant["inventory_level"]
    line = {"product_id": 113, "variant_id": variant["id"], "quantity": level}
    cart = await opened(shop, line)
    more = {"line_items": [{**line, "quantity": 1}]}
    path = f"/v3/carts/{cart['id']}/items"
    assert (await shop.send("POST", path, more)).status_code == 422
    item = cart["line_items"]["physical_items"][0]["id"]
    over = {"line_item": {"quantity": level + 1}}
    assert (await shop.send("PUT", f"{path}/{item}", over)).status_code == 422
    less = {"line_item": {"quantity": level - 1}}
    assert (await shop.send("PUT", f"{path}/{item}", less)).status_code == 200
    assert (await shop.send("POST", path, more)).status_code == 201


async def test_a_refused_line_leaves_the_cart_as_it_was(shop):
    cart = await opened(shop)
    body = {"line_items": [GOOD, {"product_id": 99999, "quantity": 1}]}
    assert (await shop.send("POST", f"/v3/carts/{cart['id']}/items", body)).status_code == 404
    now = await shop.data(f"/v3/carts/{cart['id']}")
    assert (items(now), now["version"]) == (items(cart), cart["version"])


async def test_options_choose_the_variant(shop):
    wanted = shop.store.products[106]["variants"][1]
    chosen = [{"option_id": v["option_id"], "option_value": v["id"]} for v in wanted["option_values"]]
    cart = await opened(shop, {"product_id": 106, "quantity": 1, "option_selections": chosen})
    assert items(cart) == {(wanted["id"], 1)}
    wrong = [{"option_id": chosen[0]["option_id"], "option_value": 1}]
    line = {"product_id": 106, "quantity": 1, "option_selections": wrong}
    assert (await shop.send("POST", "/v3/carts", {"line_items": [line]})).status_code == 422


async def test_custom_items_and_certificates_count_and_are_bought(shop):
    person = {"name": "A", "email": "a@example.com"}
    gift = {"name": "G", "theme": "General", "amount": 20, "quantity": 1}
    cart = await opened(
        shop,
        custom_items=[{"name": "Engraving", "sku": "ENG", "quantity": 2, "list_price": 5}],
        gift_certificates=[{**gift, "sender": person, "recipient": person}],
    )
    goods = cart["line_items"]["physical_items"] + cart["line_items"]["digital_items"]
    assert cart["cart_amount"] == round(goods[0]["extended_sale_price"] + 10 + 20, 2)
    paid = await shop.control("POST", f"carts/{cart['id']}/checkout", {"billing_address": person})
    assert {(line["name"], line["quantity"]) for line in paid["line_items"]} >= {("Engraving", 2)}


async def test_a_cart_has_a_transactional_currency(shop):
    cart = await opened(shop, currency={"code": "eur"}, locale="de-DE")
    assert (cart["currency"], cart["locale"]) == ({"code": "EUR"}, "de-DE")
    answer = await shop.send("POST", "/v3/carts", {"line_items": [GOOD], "currency": {"code": "JPY"}})
    assert answer.status_code == 400


async def test_a_shoppers_cart_may_hold_what_is_no_longer_sold(shop):
    shop.store.products.put(103, {**shop.store.products[103], "is_visible": False})
    cart = await shop.control("POST", "carts", {"line_items": [GOOD]})
    more = await shop.control("POST", f"carts/{cart['id']}/items", {"line_items": [{**GOOD, "quantity": 1}]})
    assert items(more) == {(10300, 2), (10300, 1)}


async def test_the_api_cannot_say_whose_cart_it_is_but_by_the_customer(shop):
    cart = await opened(shop, email="s@example.com", customer_id=7)
    assert (cart["email"], cart["customer_id"]) == ("", 7)
    (asked,) = (await shop.control("GET", "outbox"))["requests"]
    assert asked["suspicious"] == ["email is not a field of a new cart"]


async def test_a_stale_version_is_a_conflict_in_every_write(shop):
    cart = await opened(shop)
    (item,) = cart["line_items"]["physical_items"] + cart["line_items"]["digital_items"]
    path, stale = f"/v3/carts/{cart['id']}", {"version": 7}
    more, coupon = {"line_items": [GOOD]}, {"coupon_code": "WELCOME10"}
    for method, where, body in (
        ("PUT", path, {"customer_id": 7}),
        ("POST", f"{path}/items", more),
        ("DELETE", f"{path}/items/{item['id']}", {}),
        ("POST", f"/v3/checkouts/{cart['id']}/coupons", coupon),
    ):
        assert (await shop.send(method, where, body | stale)).status_code == 409


async def test_settings_of_the_native_series_are_checked(shop):
    path = "/v3/abandoned-carts/settings"
    for wrong in ({"enable_notification": "yes"}, {"merchant_abandoned_cart_digest_email_frequency": 1}):
        assert (await shop.send("PUT", path, wrong)).status_code == 422
    assert (await shop.send("PUT", path, {"enable_notification": None})).status_code == 422
    await shop.send("PUT", path, {"enable_notification": True})
    assert (await shop.data(path))["enable_notification"] is True


# -- coupons


async def test_a_code_takes_its_share_off_cart_checkout_and_order(shop):
    await shop.listen("store/cart/couponApplied", "store/cart/updated")
    cart = await opened(shop)
    await shop.heard()
    answer = await shop.send("POST", f"/v3/checkouts/{cart['id']}/coupons", {"coupon_code": "welcome10"})
    assert answer.status_code == 200, answer.text
    assert await shop.heard() == {"store/cart/couponApplied": 1, "store/cart/updated": 1}
    off = round(cart["cart_amount"] / 10, 2)
    checkout = answer.json()["data"]
    assert checkout["coupons"][0]["coupon_type"] == "percentage_discount"
    assert checkout["grand_total"] == round(cart["cart_amount"] - off, 2)
    now = await shop.data(f"/v3/carts/{cart['id']}")
    (coupon,) = now["coupons"]
    assert (coupon["code"], coupon["coupon_type"], coupon["discounted_amount"]) == ("WELCOME10", "1", off)
    assert (now["base_amount"], now["cart_amount"]) == (cart["cart_amount"], checkout["grand_total"])
    billing = {"billing_address": {"email": "s@example.com"}}
    paid = await shop.control("POST", f"carts/{cart['id']}/checkout", billing)
    order = await shop.data(f"/v2/orders/{paid['order_id']}")
    assert float(order["total_inc_tax"]) == checkout["grand_total"]
    assert float(order["coupon_discount"]) == float(order["discount_amount"]) == off
    (used,) = await shop.data(f"/v2/orders/{paid['order_id']}/coupons")
    assert used["code"] == "WELCOME10"
    (known,) = await shop.data("/v2/coupons", code="WELCOME10")
    assert known["num_uses"] == 1


async def test_a_code_can_be_taken_off_again(shop):
    cart = await opened(shop)
    path = f"/v3/checkouts/{cart['id']}/coupons"
    await shop.send("POST", path, {"coupon_code": "WELCOME10"})
    back = await shop.send("DELETE", f"{path}/WELCOME10")
    assert back.json()["data"]["grand_total"] == cart["cart_amount"]
    assert (await shop.send("DELETE", f"{path}/WELCOME10")).status_code == 404


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"enabled": False}, "Coupon code 'WELCOME10' is invalid."),
        ({"expires": "Thu, 01 Jan 2026 00:00:00 +0000"}, "Coupon code 'WELCOME10' is invalid."),
        ({"min_purchase": "99999"}, "Coupon code 'WELCOME10' is not eligible for this checkout."),
        ({"num_uses": 3, "max_uses": 3}, "Coupon code 'WELCOME10' is not eligible for this checkout."),
        (
            {"applies_to": {"entity": "products", "ids": [104]}},
            "Coupon code 'WELCOME10' is not eligible for this checkout.",
        ),
    ],
)
async def test_a_code_that_is_not_valid_is_refused(shop, change, title):
    shop.store.coupons[0].update(change)
    cart = await opened(shop)
    answer = await shop.send("POST", f"/v3/checkouts/{cart['id']}/coupons", {"coupon_code": "WELCOME10"})
    assert (answer.status_code, answer.json()["title"]) == (400, title)


async def test_coupons_of_v2_know_only_the_stores_own_currency(shop):
    cart = await opened(shop, currency={"code": "EUR"})
    answer = await shop.send("POST", f"/v3/checkouts/{cart['id']}/coupons", {"coupon_code": "WELCOME10"})
    assert answer.json()["title"] == "Coupons only apply to default currency."


async def test_an_amount_off_the_whole_is_spread_over_the_lines_to_the_cent(shop):
    shop.store.coupons[0].update(type="per_total_discount", amount="10.00")
    cart = await opened(shop, GOOD, {"product_id": 106, "variant_id": 10600, "quantity": 1})
    await shop.send("POST", f"/v3/checkouts/{cart['id']}/coupons", {"coupon_code": "WELCOME10"})
    now = await shop.data(f"/v3/carts/{cart['id']}")
    rows = [*now["line_items"]["physical_items"], *now["line_items"]["digital_items"]]
    assert round(sum(row["coupon_amount"] for row in rows), 2) == 10
    assert now["cart_amount"] == round(cart["cart_amount"] - 10, 2)


async def test_a_code_that_no_longer_fits_leaves_the_cart(shop):
    shop.store.coupons[0]["min_purchase"] = str((await opened(shop))["cart_amount"])
    cart = await opened(shop)
    await shop.send("POST", f"/v3/checkouts/{cart['id']}/coupons", {"coupon_code": "WELCOME10"})
    (item,) = cart["line_items"]["physical_items"] + cart["line_items"]["digital_items"]
    path = f"/v3/carts/{cart['id']}/items/{item['id']}"
    less = (await shop.send("PUT", path, {"line_item": {"quantity": 1}})).json()["data"]
    assert (less["coupons"], less["cart_amount"]) == ([], less["base_amount"])


async def test_codes_of_a_promotion_are_valid_once_each(shop):
    rule = {"action": {"cart_value": {"discount": {"fixed_amount": "2.50"}}}}
    promotion = {"name": "Come back", "rules": [rule], "redemption_type": "COUPON", "coupon_type": "BULK"}
    key = (await shop.send("POST", "/v3/promotions", promotion)).json()["data"]["id"]
    asked = {"batch_size": 2, "prefix": "BACK", "delimiter": "-"}
    await shop.send("POST", f"/v3/promotions/{key}/codegen", asked)
    first, second = [row["code"] for row in await shop.data(f"/v3/promotions/{key}/codes")]
    assert first.startswith("BACK-")
    for code, status in ((first, 200), (first, 400), (second, 200)):
        cart = await opened(shop)
        answer = await shop.send("POST", f"/v3/checkouts/{cart['id']}/coupons", {"coupon_code": code})
        assert answer.status_code == status
        if status == 200:
            assert answer.json()["data"]["grand_total"] == round(cart["cart_amount"] - 2.5, 2)
            billing = {"billing_address": {"email": "s@example.com"}}
            await shop.control("POST", f"carts/{cart['id']}/checkout", billing)
    assert (await shop.data(f"/v3/promotions/{key}"))["current_uses"] == 2


async def test_coupons_can_be_made_and_taken_away(shop):
    coupon = {"name": "New", "code": "NEW-1", "type": "per_item_discount", "amount": 3}
    refused = await shop.send("POST", "/v2/coupons", coupon)
    assert (refused.status_code, refused.json()[0]["status"]) == (400, 400)
    coupon["applies_to"] = {"entity": "categories", "ids": [0]}
    made = (await shop.send("POST", "/v2/coupons", coupon)).json()
    assert (await shop.send("POST", "/v2/coupons", coupon)).status_code == 409
    off = await shop.send("PUT", f"/v2/coupons/{made['id']}", {"enabled": False})
    assert off.json()["enabled"] is False
    assert (await shop.send("DELETE", f"/v2/coupons/{made['id']}")).status_code == 204
    assert (await shop.get("/v2/coupons", code="NEW-1")).status_code == 204


# -- where links lead


async def test_a_redirect_url_shows_the_cart_once(shop):
    cart = await opened(shop, {"product_id": 106, "variant_id": 10601, "quantity": 2})
    url = (await links(shop, cart))["checkout_url"]
    page = await shop.http.get(url)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert 'data-variant="10601" data-quantity="2"' in page.text
    assert f'data-total="{cart["cart_amount"]:.2f}"' in page.text
    assert 'data-channel="1"' in page.text
    again = await shop.http.get(url)
    assert (again.status_code, "used up" in again.text) == (404, True)


async def test_the_three_urls_share_one_use_and_end_after_thirty_days(shop):
    cart = await opened(shop)
    urls = await links(shop, cart)
    assert (await shop.http.get(urls["cart_url"])).status_code == 200
    assert (await shop.http.get(urls["checkout_url"])).status_code == 404
    late = (await links(shop, cart))["checkout_url"]
    shop.now += 29 * 86400
    await shop.send("PUT", f"/v3/carts/{cart['id']}", {"customer_id": 7})  # the cart lives on
    shop.now += 2 * 86400
    assert (await shop.http.get(late)).status_code == 404
    fresh = (await links(shop, cart))["checkout_url"]
    assert (await shop.http.get(fresh)).status_code == 200


async def test_query_params_go_along(shop):
    cart = await opened(shop)
    path = f"/v3/carts/{cart['id']}/redirect_urls"
    as_map = (await shop.send("POST", path, {"query_params": {"utm_source": "brevo"}})).json()["data"]
    as_list = {"query_params": [{"key": "utm_source", "value": "brevo"}]}
    as_list = (await shop.send("POST", path, as_list)).json()["data"]
    assert "utm_source=brevo" in as_map["checkout_url"]
    assert "utm_source=brevo" in as_list["checkout_url"]


async def test_the_form_of_the_page_pays(shop):
    await shop.listen("store/cart/converted")
    cart = await opened(shop)
    await shop.http.get((await links(shop, cart))["checkout_url"])
    form = {"email": "back@example.com", "is_email_opt_in": "on"}
    paid = await shop.http.post(f"http://sandbox/checkout/{cart['id']}", data=form)
    assert (paid.status_code, "Your order number is" in paid.text) == (200, True)
    assert await shop.heard() == {"store/cart/converted": 1}
    (order,) = await shop.data("/v2/orders", cart_id=cart["id"])
    assert order["billing_address"]["email"] == "back@example.com"
    gone = await shop.http.post(f"http://sandbox/checkout/{cart['id']}", data=form)
    assert gone.status_code == 404


async def test_a_checkout_url_makes_a_fresh_cart_at_each_visit(shop):
    url = "http://sandbox/checkout/?products=103:2,123:1&coupon=WELCOME10&action=buy"
    for _ in range(2):
        page = await shop.http.get(url)
        assert page.status_code == 200
        assert 'data-product="103" data-variant="10300" data-quantity="2"' in page.text
        assert 'data-code="WELCOME10"' in page.text
    assert len(shop.world.carts) == 2
    sku = shop.store.products[123]["variants"][0]["sku"]
    assert 'data-product="123"' in (await shop.http.get(f"http://sandbox/checkout/?products={sku}:1")).text
    shop.store.products.put(103, {**shop.store.products[103], "is_visible": False})
    assert (await shop.http.get(url)).status_code == 422
    assert (await shop.http.get("http://sandbox/checkout/")).status_code == 404


async def test_names_are_escaped_on_pages(shop):
    shop.store.products.put(103, {**shop.store.products[103], "name": "<b>Bag</b>"})
    cart = await opened(shop)
    page = await shop.http.get((await links(shop, cart))["checkout_url"])
    assert "&lt;b&gt;Bag&lt;/b&gt;" in page.text
    assert "<b>Bag" not in page.text


async def test_carts_of_the_api_tell_their_events_too():
    async with Shop(time_scale=3600) as shop:
        await shop.listen("store/cart/created", "store/cart/updated", "store/cart/abandoned")
        await opened(shop)
        await shop.world.deliveries.drained()
        assert await shop.heard() == {
            "store/cart/created": 1,
            "store/cart/updated": 1,
            "store/cart/abandoned": 1,
        }
