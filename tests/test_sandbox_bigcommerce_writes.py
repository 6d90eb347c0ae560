"""The simulated BigCommerce, writing: what changes, whose date changes, and which events it raises."""

from __future__ import annotations

import pytest

from tests.sandbox_shop import Shop


@pytest.fixture
async def shop():
    async with Shop() as shop:
        await shop.listen(
            *("store/customer/*", "store/customer/address/*", "store/subscriber/*", "store/order/*"),
            *("store/product/*", "store/sku/*", "store/category/*"),
        )
        yield shop


PERSON = {"email": "new@example.com", "first_name": "Ada", "last_name": "New"}
STREET = {"first_name": "Ada", "last_name": "New", "address1": "1 Lane", "city": "Cork", "country_code": "IE"}


# -- customers


async def test_a_new_customer(shop):
    body = {**PERSON, "addresses": [STREET], "form_fields": [{"name": "Birthday", "value": "1990-01-01"}]}
    made = (await shop.send("POST", "/v3/customers", [body])).json()["data"][0]
    assert made["id"] == 301
    assert made["addresses"][0]["country"] == "Ireland"
    assert await shop.heard() == {"store/customer/created": 1}
    assert (await shop.data("/v3/customers", email__in="NEW@example.com"))[0]["address_count"] == 1
    assert (await shop.get("/v3/customers", limit=250, page=2)).json()["meta"]["pagination"]["total"] == 301


async def test_batches_are_of_ten(shop):
    assert (await shop.send("POST", "/v3/customers", [PERSON] * 11)).status_code == 413
    assert (await shop.send("PUT", "/v3/customers", [{"id": 1}] * 11)).status_code == 413
    refused = await shop.send("POST", "/v3/customers", [{"email": "x@example.com"}])
    assert refused.status_code == 422
    assert "0.first_name" in refused.json()["errors"]
    twins = await shop.send("POST", "/v3/customers", [PERSON, {**PERSON, "email": "NEW@example.com"}])
    assert twins.status_code == 422
    assert (len(shop.store.customers), await shop.heard()) == (300, {})  # all or none


async def test_emails_are_unique_per_channel(shop):
    assert (await shop.send("POST", "/v3/customers", [{**PERSON, "channel_ids": [1]}])).status_code == 200
    twin = {**PERSON, "email": "NEW@example.com"}
    assert (await shop.send("POST", "/v3/customers", [{**twin, "channel_ids": [1]}])).status_code == 422
    assert (await shop.send("POST", "/v3/customers", [{**twin, "channel_ids": None}])).status_code == 422
    assert (await shop.send("POST", "/v3/customers", [{**twin, "channel_ids": [1002]}])).status_code == 200
    assert len(await shop.data("/v3/customers", email__in="new@example.com")) == 2


async def test_a_changed_customer_has_a_new_date(shop):
    before = (await shop.data("/v3/customers", id__in=7))[0]
    changed = (await shop.send("PUT", "/v3/customers", [{"id": 7, "first_name": "Else"}])).json()["data"][0]
    assert changed["first_name"] == "Else"
    assert changed["date_modified"] > before["date_modified"]
    found = await shop.data("/v3/customers", date_modified__min=changed["date_modified"])
    assert [c["id"] for c in found] == [7]
    assert await shop.heard() == {"store/customer/updated": 1}
    assert (await shop.send("PUT", "/v3/customers", [{"id": 7}, {"id": 999}])).status_code == 422


async def test_edits_of_form_fields_are_silent(shop):
    key = next(c["id"] for c in shop.store.customers if c["form_fields"])
    name = shop.store.customers[key]["form_fields"][0]["name"]
    edit = {"id": key, "form_fields": [{"name": name, "value": "other"}]}
    assert (await shop.send("PUT", "/v3/customers", [edit])).status_code == 200
    assert shop.store.customers[key]["form_fields"][0]["value"] == "other"
    assert await shop.heard() == {}


async def test_deleting_needs_ids(shop):
    assert (await shop.send("DELETE", "/v3/customers")).status_code == 204
    assert len(shop.store.customers) == 300
    assert (await shop.send("DELETE", "/v3/customers", id__in="3,4,999")).status_code == 204
    assert await shop.data("/v3/customers", id__in="3,4") == []
    assert [c["id"] for c in await shop.data("/v3/customers", limit=3)] == [1, 2, 5]
    assert await shop.heard() == {"store/customer/deleted": 2}


async def test_addresses_are_told_but_not_the_customer(shop):
    before = shop.store.customers[7]["date_modified"]
    row = {**STREET, "customer_id": 7, "state_or_province": "Cork", "postal_code": "T12"}
    made = (await shop.send("POST", "/v3/customers/addresses", [row])).json()["data"][0]
    changed = {"id": made["id"], "city": "Galway"}
    assert (await shop.send("PUT", "/v3/customers/addresses", [changed])).json()["data"][0][
        "city"
    ] == "Galway"
    assert made["id"] in [a["id"] for a in await shop.data("/v3/customers/addresses", customer_id__in=7)]
    assert (await shop.send("DELETE", "/v3/customers/addresses", id__in=made["id"])).status_code == 204
    await shop.world.deliveries.settled()
    assert {e["scope"]: e["data"] for e in shop.receiver.events} == {
        f"store/customer/address/{what}": {
            "type": "customer",
            "id": made["id"],
            "address": {"customer_id": 7},
        }
        for what in ("created", "updated", "deleted")
    }
    assert shop.store.customers[7]["date_modified"] == before


async def test_attribute_values_are_silent(shop):
    before = shop.store.customers[7]["date_modified"]
    for value in ("12", "13"):
        row = {"attribute_id": 2, "customer_id": 7, "value": value}
        assert (await shop.send("PUT", "/v3/customers/attribute-values", [row])).status_code == 200
    values = await shop.data("/v3/customers/attribute-values", customer_id__in=7, attribute_id__in=2)
    assert [v["attribute_value"] for v in values] == ["13"]
    assert await shop.heard() == {}
    assert shop.store.customers[7]["date_modified"] == before


# -- subscribers


async def test_subscribers_come_and_go(shop):
    body = {"email": "x@example.com", "channel_id": 1, "consents": ["marketing_newsletter"]}
    made = (await shop.send("POST", "/v3/customers/subscribers", body)).json()["data"]
    assert (await shop.send("POST", "/v3/customers/subscribers", body)).status_code == 409
    path = f"/v3/customers/subscribers/{made['id']}"
    assert (await shop.send("PUT", path, {"consents": []})).json()["data"]["consents"] == []
    assert (await shop.send("PUT", path, {"consents": ["sms"]})).status_code == 422
    assert (await shop.send("DELETE", path)).status_code == 204
    assert (await shop.get(path)).status_code == 404
    told = await shop.heard()
    assert told == {f"store/subscriber/{what}": 1 for what in ("created", "updated", "deleted")}


async def test_deleting_the_collection_deletes_every_subscriber(shop):
    assert (await shop.send("DELETE", "/v3/customers/subscribers")).status_code == 204
    assert len(shop.store.subscribers) == 0


# -- orders


ORDER = {
    "customer_id": 7,
    "status_id": 11,
    "billing_address": {"email": "b@example.com", "first_name": "B", "zip": "1"},
    "products": [{"product_id": 101, "quantity": 2}, {"name": "By hand", "quantity": 1, "price_ex_tax": 5}],
}
ORDER["products"][1]["price_inc_tax"] = 6


async def test_a_new_order(shop):
    made = (await shop.send("POST", "/v2/orders", ORDER)).json()
    lines = await shop.data(f"/v2/orders/{made['id']}/products")
    assert [line["quantity"] for line in lines] == [2, 1]
    assert "variant_id" not in lines[1]
    assert float(made["total_inc_tax"]) == round(sum(float(line["total_inc_tax"]) for line in lines), 2)
    assert made["id"] in [o["id"] for o in await shop.data("/v2/orders", customer_id=7, limit=250)]
    assert (await shop.heard())["store/order/created"] == 1
    assert (await shop.send("POST", "/v2/orders", {**ORDER, "products": []})).status_code == 400


async def test_a_changed_status_is_told_twice(shop):
    key = next(o["id"] for o in shop.store.orders if o["status_id"] == 11)
    changed = (await shop.send("PUT", f"/v2/orders/{key}", {"status_id": 2})).json()
    assert (changed["status"], changed["items_shipped"]) == ("Shipped", changed["items_total"])
    await shop.world.deliveries.settled()
    status = {"previous_status_id": 11, "new_status_id": 2}
    assert [e["data"] for e in shop.receiver.events if e["scope"] == "store/order/statusUpdated"] == [
        {"type": "order", "id": key, "status": status}
    ]
    assert await shop.heard() == {"store/order/statusUpdated": 1, "store/order/updated": 1}
    recent = await shop.data("/v2/orders", min_date_modified="2026-11-01T00:00:00Z")
    assert [o["id"] for o in recent] == [key]
    await shop.send("PUT", f"/v2/orders/{key}", {"staff_notes": "hello"})
    assert await shop.heard() == {"store/order/updated": 1}
    assert (await shop.send("PUT", f"/v2/orders/{key}", {"status_id": 99})).status_code == 400


async def test_deleting_an_order_archives_it(shop):
    assert (await shop.send("DELETE", "/v2/orders/105")).status_code == 204
    assert (await shop.data("/v2/orders/105"))["is_deleted"] is True
    assert 105 not in [o["id"] for o in await shop.data("/v2/orders", min_id=104, max_id=107)]
    assert (await shop.data("/v2/orders/count"))["count"] == 499
    assert await shop.heard() == {"store/order/archived": 1}


# -- refunds


def paid_order(shop, lines=2):
    return next(o for o in shop.store.orders if o["status_id"] == 10 and len(o["line_items"]) >= lines)


async def test_a_part_is_refunded_then_the_rest(shop):
    order = paid_order(shop)
    path, line = f"/v3/orders/{order['id']}/payment_actions/refunds", order["line_items"][0]
    part = round(float(line["discounted_total_inc_tax"]) / line["quantity"], 2)
    item = {"item_type": "PRODUCT", "item_id": line["id"], "quantity": 1}
    body = {"items": [item], "payments": [{"provider_id": "storecredit", "amount": part}]}
    made = await shop.send("POST", path, body)
    assert made.status_code == 201
    assert made.json()["data"]["total_amount"] == part
    shown = await shop.data(f"/v2/orders/{order['id']}")
    assert (shown["status_id"], shown["refunded_amount"]) == (14, "0.0000")
    told = {"store/order/refund/created": 1, "store/order/statusUpdated": 1, "store/order/updated": 1}
    assert await shop.heard() == told

    rest = round(float(order["total_inc_tax"]) - part, 2)
    amount = {"item_type": "ORDER", "item_id": order["id"], "amount": rest}
    body = {"items": [amount], "payments": [{"provider_id": "cash", "amount": rest, "offline": True}]}
    assert (await shop.send("POST", path, body)).status_code == 201
    assert (await shop.data(f"/v2/orders/{order['id']}"))["status_id"] == 4
    assert [r["total_amount"] for r in await shop.data(path)] == [part, rest]
    assert (await shop.send("POST", path, body)).status_code == 422  # nothing is left


async def test_payments_must_add_up(shop):
    order = paid_order(shop)
    amount = {"item_type": "ORDER", "item_id": order["id"], "amount": 1}
    body = {"items": [amount], "payments": [{"provider_id": "cash", "amount": 2}]}
    refused = await shop.send("POST", f"/v3/orders/{order['id']}/payment_actions/refunds", body)
    assert refused.status_code == 422


# -- catalogue


async def test_a_product_comes_and_goes(shop):
    body = {"name": "New mug", "type": "physical", "weight": 1, "price": 9.5, "sku": "NM"}
    made = (await shop.send("POST", "/v3/catalog/products", body)).json()["data"]
    assert made["base_variant_id"] == made["variants"][0]["id"]
    assert (await shop.send("POST", "/v3/catalog/products", body)).status_code == 409
    path = f"/v3/catalog/products/{made['id']}"
    changed = (await shop.send("PUT", path, {"price": 8, "sale_price": 7})).json()["data"]
    assert changed["calculated_price"] == 7
    assert (await shop.send("DELETE", path)).status_code == 204
    assert (await shop.get(path)).status_code == 404
    told = await shop.heard()
    assert told == {f"store/product/{what}": 1 for what in ("created", "updated", "deleted")}


async def test_some_product_edits_are_silent(shop):
    path = "/v3/catalog/products/101"
    await shop.send("PUT", path, {"mpn": "M-1", "gtin": "1"})
    await shop.send("POST", f"{path}/custom-fields", {"name": "Colour", "value": "red"})
    await shop.send("POST", f"{path}/images", {"image_url": "https://cdn.example.com/x.jpg"})
    expected = {} if len(shop.store.products[101]["images"]) > 1 else {"store/product/updated": 1}
    assert await shop.heard() == expected


async def test_deleting_products_needs_a_filter(shop):
    assert (await shop.send("DELETE", "/v3/catalog/products")).status_code == 422
    assert (await shop.send("DELETE", "/v3/catalog/products", id__in="101,102")).status_code == 204
    assert len(shop.store.products) == 58


async def test_channel_assignments(shop):
    await shop.send(
        "PUT", "/v3/catalog/products/channel-assignments", [{"product_id": 101, "channel_id": 1002}]
    )
    rows = await shop.data("/v3/catalog/products/channel-assignments", product_id__in=101)
    assert {"product_id": 101, "channel_id": 1002} in rows
    query = {"product_id__in": 101, "channel_id__in": 1002}
    assert (await shop.send("DELETE", "/v3/catalog/products/channel-assignments", **query)).status_code == 204
    assert (await shop.data("/v3/catalog/products/101", include="channels"))["channels"].count(1002) == 0
    assert (await shop.send("DELETE", "/v3/catalog/products/channel-assignments")).status_code == 422


async def test_categories(shop):
    body = [{"name": "Attic", "tree_id": 1}]
    made = (await shop.send("POST", "/v3/catalog/trees/categories", body)).json()["data"][0]
    below = {"name": "Boxes", "parent_id": made["category_id"]}
    assert (await shop.send("POST", "/v3/catalog/trees/categories", [below])).json()["data"][0][
        "tree_id"
    ] == 1
    change = {"category_id": made["category_id"], "name": "Loft"}
    assert (await shop.send("PUT", "/v3/catalog/trees/categories", [change])).json()["meta"]["success"] == 1
    gone = await shop.send("DELETE", "/v3/catalog/trees/categories", category_id__in=made["category_id"])
    assert (gone.status_code, gone.json()["meta"]["total"]) == (202, 2)
    assert await shop.heard() == {
        "store/category/created": 2,
        "store/category/updated": 1,
        "store/category/deleted": 2,
    }


# -- stock


def product(shop, tracking, *, simple):
    return next(
        p
        for p in shop.store.products
        if p["inventory_tracking"] == tracking and bool(p["base_variant_id"]) == simple
    )


async def test_stock_of_a_product_without_options(shop):
    found = product(shop, "product", simple=True)
    adjust = {"items": [{"location_id": 1, "product_id": found["id"], "quantity": 3}]}
    assert (await shop.send("PUT", "/v3/inventory/adjustments/absolute", adjust)).status_code == 200
    assert (await shop.data(f"/v3/catalog/products/{found['id']}"))["inventory_level"] == 3
    assert await shop.heard() == {"store/product/inventory/updated": 1, "store/product/updated": 1}


async def test_stock_of_a_variant(shop):
    found = product(shop, "variant", simple=False)
    variant = found["variants"][0]
    level = {"id": variant["id"], "inventory_level": variant["inventory_level"] + 5}
    assert (await shop.send("PUT", "/v3/catalog/variants", [level])).status_code == 200
    item = (await shop.data("/v3/inventory/items", variant_id__in=variant["id"]))[0]
    assert item["locations"][0]["available_to_sell"] == variant["inventory_level"] + 5
    after = await shop.data(f"/v3/catalog/products/{found['id']}")
    assert after["inventory_level"] == found["inventory_level"] + 5
    await shop.world.deliveries.settled()
    told = next(e["data"] for e in shop.receiver.events if e["scope"] == "store/sku/inventory/updated")
    assert told["inventory"]["method"] == "absolute"
    assert await shop.heard() == {"store/sku/inventory/updated": 1, "store/product/updated": 1}


async def test_an_order_takes_from_the_stock(shop):
    found = product(shop, "variant", simple=False)
    variant = max(found["variants"], key=lambda v: v["inventory_level"])
    row = {"product_id": found["id"], "variant_id": variant["id"], "quantity": 1}
    await shop.send("POST", "/v2/orders", {**ORDER, "products": [row]})
    told = await shop.heard()
    assert told["store/sku/inventory/order/updated"] == 1
    variants = await shop.data("/v3/catalog/variants", product_id__in=found["id"], limit=250)
    left = next(v["inventory_level"] for v in variants if v["id"] == variant["id"])
    assert left == variant["inventory_level"] - 1
