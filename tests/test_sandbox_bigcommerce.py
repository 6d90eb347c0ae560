"""The simulated BigCommerce, reading: pages, filters, includes, traps, and everything that can be refused."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tajo.sandbox.bigcommerce import create_app, generate, load
from tests.sandbox_shop import Shop


@pytest.fixture
async def shop():
    async with Shop() as shop:
        yield shop


# -- pages


async def test_v3_pages_end_with_an_empty_list(shop):
    answer = (await shop.get("/v3/customers/subscribers", limit=100, page=2)).json()
    assert answer["data"][0]["id"] == 101
    pagination = answer["meta"]["pagination"]
    assert (pagination["total"], pagination["count"], pagination["total_pages"]) == (251, 100, 3)
    assert pagination["links"]["next"] == "?limit=100&page=3"
    beyond = await shop.get("/v3/customers/subscribers", limit=100, page=4)
    assert (beyond.status_code, beyond.json()["data"]) == (200, [])


async def test_v2_pages_end_with_204_and_no_body(shop):
    assert len(await shop.data("/v2/orders", limit=250, page=2)) == 250
    beyond = await shop.get("/v2/orders", limit=250, page=3)
    assert (beyond.status_code, beyond.content) == (204, b"")
    assert (await shop.get("/v2/orders/100/messages")).status_code == 204


async def test_limits_above_the_maximum(shop):
    v2 = await shop.get("/v2/orders", limit=251)
    assert v2.status_code == 413
    assert v2.json()[0]["details"] == {"max_limit": 250}
    lowered = (await shop.get("/v3/customers", limit=1000)).json()["meta"]["pagination"]
    assert (lowered["per_page"], lowered["count"]) == (250, 250)
    assert (await shop.get("/v3/catalog/products", limit=251)).status_code == 422
    assert (await shop.get("/v3/inventory/items", limit=1000)).json()["meta"]["pagination"][
        "per_page"
    ] == 1000


async def test_products_with_options_come_ten_a_page(shop):
    answer = (await shop.get("/v3/catalog/products", limit=250, include="options,variants")).json()
    assert len(answer["data"]) == answer["meta"]["pagination"]["per_page"] == 10


async def test_cursors_walk_through_all_customers(shop):
    first = (await shop.get("/v3/customers", limit=120)).json()
    assert {"pagination", "cursor_pagination"} <= set(first["meta"])
    seen, meta = [c["id"] for c in first["data"]], first["meta"]
    while "next" in meta["cursor_pagination"]["links"]:
        page = (
            await shop.get("/v3/customers", limit=120, after=meta["cursor_pagination"]["end_cursor"])
        ).json()
        assert "pagination" not in page["meta"]
        seen, meta = seen + [c["id"] for c in page["data"]], page["meta"]
    assert seen == list(range(1, 301))
    back = (await shop.get("/v3/customers", limit=5, before=meta["cursor_pagination"]["start_cursor"])).json()
    assert [c["id"] for c in back["data"]] == [236, 237, 238, 239, 240]


async def test_numbered_pages_beyond_the_first_have_no_cursor(shop):
    assert set((await shop.get("/v3/customers", limit=10, page=2)).json()["meta"]) == {"pagination"}


async def test_keyset_paging(shop):
    products = await shop.data("/v3/catalog/products", limit=50, sort="id", direction="asc", id__greater=150)
    assert [p["id"] for p in products] == list(range(151, 161))
    orders = await shop.data("/v2/orders", min_id=590, limit=250)
    assert [o["id"] for o in orders] == list(range(590, 600))


# -- filters and sorting


async def test_date_filters_and_sorting(shop):
    everyone = [c async for c in _customers(shop)]
    middle = sorted(c["date_modified"] for c in everyone)[150]
    found = await shop.data("/v3/customers", date_modified__min=middle, sort="date_modified:asc", limit=250)
    assert Counter(c["id"] for c in found) == Counter(
        c["id"] for c in everyone if c["date_modified"] >= middle
    )
    assert [c["date_modified"] for c in found] == sorted(c["date_modified"] for c in found)
    exactly = await shop.data("/v3/customers", date_modified=middle)
    assert {c["date_modified"] for c in exactly} == {middle}


async def _customers(shop):
    for page in (1, 2):
        for customer in await shop.data("/v3/customers", limit=250, page=page):
            yield customer


async def test_order_dates_can_be_asked_for_in_both_spellings(shop):
    iso = await shop.data("/v2/orders", min_date_modified="2026-06-01T00:00:00Z", sort="date_modified:desc")
    rfc = await shop.data(
        "/v2/orders", min_date_modified="Mon, 01 Jun 2026 00:00:00 +0000", sort="date_modified:desc"
    )
    assert [o["id"] for o in iso] == [o["id"] for o in rfc]
    assert iso


async def test_orders_by_buyer(shop):
    order = next(o for o in shop.store.orders if o["customer_id"] == 0)
    email = order["billing_address"]["email"]
    found = await shop.data("/v2/orders", email=email.upper())
    assert {o["billing_address"]["email"].lower() for o in found} == {email.lower()}
    assert all(o["customer_id"] == 0 for o in await shop.data("/v2/orders", customer_id=0))


async def test_in_filters(shop):
    assert [c["id"] for c in await shop.data("/v3/customers", id__in="7,3,999")] == [3, 7]
    email = shop.store.customers[5]["email"]
    assert [c["id"] for c in await shop.data("/v3/customers", email__in=email.swapcase())] == [5]
    refund = shop.store.refunds[2]
    found = await shop.data("/v3/orders/payment_actions/refunds", order_id__in=refund["order_id"])
    assert found == [refund]


async def test_categories_in_means_all_of_them(shop):
    one = await shop.data("/v3/catalog/products", categories__in="20")
    both = await shop.data("/v3/catalog/products", categories__in="20,30")
    assert {p["id"] for p in both} <= {p["id"] for p in one}
    assert all({20, 30} <= set(p["categories"]) for p in both)


async def test_a_bare_date_gets_the_time_of_day_of_the_request(shop):
    product = shop.store.products[101]
    day = product["date_modified"][:10]
    shop.now = shop.now - shop.now % 86400  # midnight
    assert 101 in [p["id"] for p in await shop.data("/v3/catalog/products", date_modified__min=day)]
    shop.now += 86399  # one second before the next
    assert 101 not in [p["id"] for p in await shop.data("/v3/catalog/products", date_modified__min=day)]


async def test_a_wrong_filter_returns_everything_and_is_noted(shop):
    assert len(await shop.data("/v2/orders", limit=250, min_date_modfied="2030-01-01")) == 250
    assert len(await shop.data("/v2/orders", limit=250, min_date_modified="yesterday")) == 250
    assert (await shop.get("/v3/customers", date_modified__min="yesterday")).status_code == 422
    noted = [entry["suspicious"] for entry in (await shop.control("GET", "outbox"))["requests"]]
    assert noted[0] == ["unknown parameter: min_date_modfied"]
    assert noted[1] == ["malformed value ignored: min_date_modified=yesterday"]


# -- customers


async def test_customers_come_bare_unless_parts_are_included(shop):
    bare = (await shop.data("/v3/customers", limit=1))[0]
    assert {"addresses", "attributes", "form_fields", "store_credit_amounts"}.isdisjoint(bare)
    assert (await shop.get("/v3/customers", include="orders")).status_code == 422
    full = (await shop.data("/v3/customers", limit=1, include="addresses,attributes,formfields,storecredit"))[
        0
    ]
    assert {"addresses", "attributes", "form_fields", "store_credit_amounts"} <= set(full)


async def test_included_addresses_stop_at_ten():
    store = generate(customers=3000, orders=10, products=5)
    many = next(c for c in store.customers if len(c["addresses"]) > 10)
    async with Shop(store) as shop:
        shown = (await shop.data("/v3/customers", id__in=many["id"], include="addresses,attributes"))[0]
        assert (len(shown["addresses"]), shown["address_count"]) == (10, len(many["addresses"]))
        rows = await shop.data("/v3/customers/addresses", customer_id__in=many["id"], limit=250)
        assert rows == many["addresses"]
        by_id = await shop.data("/v3/customers/addresses", id__in=rows[-1]["id"])
        assert by_id == [rows[-1]]


async def test_all_addresses_in_pages(shop):
    expected = [a for c in shop.store.customers for a in c["addresses"]]
    rows = []
    for page in range(1, 4):
        rows += await shop.data("/v3/customers/addresses", limit=250, page=page)
    assert rows == expected


# -- orders


async def test_orders_link_to_what_is_not_included(shop):
    order = (await shop.data("/v2/orders", limit=1))[0]
    assert order["products"]["resource"] == f"/orders/{order['id']}/products"
    assert order["shipping_addresses"]["resource"].endswith("/shippingaddresses")
    assert order["refunded_amount"] == "0.0000"
    assert {"line_items", "order_coupons"}.isdisjoint(order)


async def test_embedded_lines_stop_at_fifty_with_a_warning(shop):
    key = next(o["id"] for o in shop.store.orders if len(o["line_items"]) > 50)
    query = {"include": "consignments.line_items", "consignment_structure": "object"}
    order = await shop.data(f"/v2/orders/{key}", **query)
    shipping = order["consignments"]["shipping"][0]
    assert len(shipping["line_items"]) == 50
    assert "message" in shipping["__warning__"]
    lines = await shop.data(f"/v2/orders/{key}/products", limit=250)
    assert sum(line["quantity"] for line in lines) == order["items_total"]
    assert len(await shop.data(f"/v2/orders/{key}/products")) == 50


async def test_a_few_orders_have_hollow_consignments():
    async with Shop(generate(customers=10, orders=1000, products=9)) as shop:
        query = {"include": "consignments.line_items", "consignment_structure": "object"}
        order = await shop.data("/v2/orders/997", **query)
        embedded = [
            c["line_items"] for kind in ("shipping", "downloads") for c in order["consignments"][kind]
        ]
        assert set(map(len, embedded)) == {0}
        assert await shop.data("/v2/orders/997/products")


async def test_lines_tell_their_coupon_and_what_was_paid(shop):
    order = next(o for o in shop.store.orders if o["order_coupons"])
    coupon = (await shop.data(f"/v2/orders/{order['id']}/coupons"))[0]
    lines = await shop.data(f"/v2/orders/{order['id']}/products")
    assert {d["code"] for line in lines for d in line["applied_discounts"]} == {coupon["code"]}
    off = sum(float(d["amount"]) for line in lines for d in line["applied_discounts"])
    assert (
        round(off, 2)
        == coupon["discount"]
        == float(order["coupon_discount"])
        == float(order["discount_amount"])
    )


async def test_counts_agree_with_the_list(shop):
    answer = await shop.data("/v2/orders/count")
    assert answer["count"] == 500
    by_status = Counter(o["status_id"] for o in shop.store.orders)
    assert {s["id"]: s["count"] for s in answer["statuses"] if s["count"]} == by_status
    assert (await shop.data("/v2/orders/count", status_id=10))["count"] == by_status[10]


async def test_transactions_are_204_when_there_are_none(shop):
    unpaid = next(o["id"] for o in shop.store.orders if o["status_id"] == 0)
    assert (await shop.get(f"/v3/orders/{unpaid}/transactions")).status_code == 204
    paid = next(o["id"] for o in shop.store.orders if o["status_id"] == 10)
    assert (await shop.data(f"/v3/orders/{paid}/transactions"))[0]["order_id"] == str(paid)


# -- what does not exist, and what is refused


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v3/carts", 405),
        ("/v3/abandoned-carts", 404),
        ("/v3/catalog/products/", 403),
        ("/v2/orders/", 403),
        ("/v2/orders/99", 404),
        ("/v3/orders/99/payment_actions/refunds", 404),
        ("/v3/nothing", 404),
    ],
)
async def test_what_is_not_there(shop, path, status):
    assert (await shop.get(path)).status_code == status


async def test_errors_in_both_dialects(shop):
    assert (await shop.get("/v2/orders/99")).json()[0]["status"] == 404
    v3 = (await shop.get("/v3/catalog/products/99")).json()
    assert {"status", "title", "type"} <= set(v3)


async def test_strangers_get_401(shop):
    assert (await shop.http.get("/v2/store", headers={"X-Auth-Token": "wrong"})).status_code == 401
    other = await shop.http.get("http://sandbox/stores/another/v2/store")
    assert other.status_code == 401
    assert "not a valid combination" in other.json()["title"]


async def test_scopes():
    async with Shop(scopes={"store_v2_orders_read_only", "store_v2_customers"}) as shop:
        assert (await shop.get("/v2/orders")).status_code == 200
        refused = await shop.send("PUT", "/v2/orders/100", {"status_id": 5})
        assert refused.status_code == 403
        assert refused.json()[0]["message"].startswith("Unauthorized Access")
        assert (await shop.get("/v3/catalog/products")).status_code == 403
        assert (await shop.get("/v3/orders/payment_actions/refunds")).status_code == 200
        assert (await shop.get("/v3/hooks")).status_code == 200


async def test_bodies_must_be_json(shop):
    plain = await shop.http.post("/v3/hooks", content=b"scope=x", headers={"Content-Type": "text/plain"})
    assert plain.status_code == 415
    broken = await shop.http.post("/v3/hooks", content=b"{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 422
    assert (await shop.send("PUT", "/v3/customers", [{"id": "one"}])).status_code == 422


# -- quota


async def test_the_quota_is_told_and_kept():
    async with Shop(plan="standard") as shop:
        shop.now = 30.0 * 60_000_000
        first = await shop.get("/v2/time")
        assert first.headers["X-Rate-Limit-Requests-Quota"] == "150"
        assert first.headers["X-Rate-Limit-Requests-Left"] == "149"
        for _ in range(149):
            await shop.get("/v2/time")
        shop.now += 10
        refused = await shop.get("/v3/channels")
        assert refused.status_code == 429
        assert refused.headers["X-Rate-Limit-Time-Reset-Ms"] == "20000"
        assert refused.headers["X-Retry-After"] == "21"
        assert (await shop.get("/v2/time")).content == b""
        assert (await shop.control("GET", "counts"))["statuses"] == {"200": 150, "429": 2}
        shop.now += 20
        assert (await shop.get("/v2/time")).status_code == 200


async def test_other_apps_use_the_quota_too():
    async with Shop(plan="standard", other_apps=120) as shop:
        shop.now = 30.0 * 60_000_000 + 15
        assert (await shop.get("/v2/time")).headers["X-Rate-Limit-Requests-Left"] == "89"


async def test_a_suspended_store_answers_503(shop):
    await shop.control("POST", "suspend", {"on": True})
    assert (await shop.get("/v2/store")).status_code == 503
    await shop.control("POST", "suspend", {"on": False})
    assert (await shop.get("/v2/store")).status_code == 200


async def test_gzip_when_asked(shop):
    answer = await shop.http.get("/v2/orders", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.json()) == 50
    assert (
        "Content-Encoding"
        not in (await shop.http.get("/v2/orders", headers={"Accept-Encoding": "identity"})).headers
    )


# -- loaded stores


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A small export: two customers, an order of each, a refunded one among them, one product."""
    address = {"first_name": "A", "last_name": "B", "email": "a@example.com", "country": "Poland"}
    line = {
        "id": 9,
        "order_id": 1,
        "product_id": 5,
        "variant_id": 6,
        "name": "Mug",
        "sku": "M",
        "type": "physical",
    }
    prices = {"quantity": 2, "price_inc_tax": "5.0000", "total_ex_tax": "10.0000", "total_inc_tax": "10.0000"}
    dates = {"date_created": "2026-01-01T00:00:00Z", "date_modified": "2026-01-02T00:00:00Z"}
    rows = {
        "customers": [
            {"id": 4, "email": "A@example.com", "first_name": "A", "last_name": "B", "company": "", **dates},
            {"id": 8, "email": "c@example.com", "first_name": "C", "last_name": "", "company": "", **dates}
            | {"addresses": [{"id": 31, "customer_id": 8, "city": "Cork"}]},
        ],
        "orders": [
            {
                "id": 1,
                "customer_id": 4,
                "status_id": 4,
                "date_created": "Thu, 01 Jan 2026 00:00:00 +0000",
                "date_modified": "Fri, 02 Jan 2026 00:00:00 +0000",
                "total_inc_tax": "10.0000",
                "billing_address": address,
                "line_items": [{**line, **prices}],
            }
        ],
        "products": [
            {"id": 5, "name": "Mug", "sku": "M", "price": 5, "calculated_price": 5, "base_variant_id": 6}
            | {
                "variants": [{"id": 6, "product_id": 5, "sku": "M", "calculated_price": 5}],
                "date_modified": "",
            }
        ],
        "subscribers": [{"id": 2, "email": "a@example.com", "consents": ["marketing_newsletter"], **dates}],
        "categories": [{"category_id": 20, "name": "Mugs", "tree_id": 1}],
    }
    for name, records in rows.items():
        lines = b"\n".join(msgspec.json.encode(record) for record in records)
        (tmp_path / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines))
    description = {
        "store": {"id": "small", "store_id": "77", "currency": "PLN", "timezone": {"name": "Europe/Warsaw"}},
        "channels": [{"id": 1, "name": "Shop", "site_url": "https://small.example.com"}],
    }
    (tmp_path / "store.json").write_bytes(msgspec.json.encode(description))
    return tmp_path


async def test_a_loaded_store(export):
    async with Shop(load(export)) as shop:
        assert (await shop.data("/v2/store"))["store_id"] == 77
        assert [c["id"] for c in await shop.data("/v3/customers", email__in="a@example.com")] == [4]
        assert (await shop.data("/v3/customers/addresses", id__in="31"))[0]["customer_id"] == 8
        line = (await shop.data("/v2/orders/1/products"))[0]
        assert (line["quantity"], line["discounted_total_inc_tax"]) == (2, "10.0000")
        assert await shop.data("/v3/orders/payment_actions/refunds") == []  # never invented
        assert await shop.data("/v3/catalog/trees") == [
            {"id": 1, "name": "Shop catalog tree", "channels": [1]}
        ]
        assert await shop.data("/v3/catalog/brands") == []


async def test_a_loaded_store_can_be_written_to(export):
    async with Shop(load(export)) as shop:
        made = await shop.send(
            "POST", "/v3/customers", [{"email": "n@e.com", "first_name": "N", "last_name": "E"}]
        )
        assert made.json()["data"][0]["id"] == 9
        assert [c["id"] for c in await shop.data("/v3/customers")] == [4, 8, 9]


async def test_an_unknown_plan_is_an_error():
    with pytest.raises(ValueError, match="standard, plus, pro, unlimited"):
        create_app(generate(), plan="gold")
