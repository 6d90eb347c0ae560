"""The generated store: repeatable, consistent with itself, and as dirty as promised."""

from __future__ import annotations

from collections import Counter

import pytest

from tajo.sandbox.bigcommerce.dates import parse
from tajo.sandbox.generate import END, START, GeneratedStore

SHOP = GeneratedStore(seed=1, customers=5000, orders=8000, products=400)


@pytest.fixture(scope="module")
def customers():
    return [SHOP.customer(i) for i in range(SHOP.customers)]


@pytest.fixture(scope="module")
def orders():
    return [SHOP.order(i) for i in range(SHOP.orders)]


def test_a_record_depends_on_seed_and_index_only():
    again = GeneratedStore(seed=1, customers=5000, orders=8000, products=400)
    for make in ("customer", "order", "product", "subscriber", "refund"):
        assert getattr(SHOP, make)(123) == getattr(again, make)(123)
    assert GeneratedStore(seed=2).customer(3) != GeneratedStore(seed=1).customer(3)


def test_a_million_customers_need_nothing_at_start():
    shop = GeneratedStore(seed=1, customers=1_000_000, orders=3_000_000, products=5000)
    assert shop.customer(999_999)["id"] == 1_000_000
    assert shop.order(2_999_999)["id"] == 3_000_099


def test_ids_are_contiguous(customers, orders):
    assert [c["id"] for c in customers] == list(range(1, 5001))
    assert [o["id"] for o in orders] == list(range(100, 8100))


def test_dates_lie_in_two_years_and_rise_with_the_ids(orders):
    created = [parse(o["date_created"]) for o in orders]
    assert created == sorted(created)
    assert created[0] >= START and created[-1] < END
    assert all(parse(o["date_created"]) <= parse(o["date_modified"]) <= END for o in orders)


def test_emails_are_dirty(customers):
    emails = [c["email"] for c in customers]
    assert any(e.isupper() for e in emails)
    assert "" in emails and "not-an-email" in emails
    shared = {e for e, n in Counter(e.lower() for e in emails if "@" in e).items() if n == 2}
    twins = [c for c in customers if c["email"].lower() in shared and c["channel_ids"]]
    assert {tuple(c["channel_ids"]) for c in twins} == {(1,), (1002,)}
    assert len({c["email"] for c in twins}) == len(twins)  # never in the same letters


def test_customers_are_uneven(customers):
    assert max(len(c["addresses"]) for c in customers) > 10
    assert max(len(c["attributes"]) for c in customers) > 10
    assert any(not c["addresses"] for c in customers)
    assert {f["name"] for c in customers for f in c["form_fields"]} == {"Birthday", "Interests", "VAT number"}
    phones = Counter(c["phone"] for c in customers)
    assert phones[""] > 500
    assert any(n == 2 for number, n in phones.items() if number.startswith("+"))


def test_counts_are_those_of_the_records(customers):
    for index, customer in enumerate(customers):
        assert SHOP.address_count(index) == len(customer["addresses"])
        assert SHOP.attribute_count(index) == len(customer["attributes"])


def test_a_quarter_of_the_orders_is_of_guests_who_come_back(orders, customers):
    guests = [o["billing_address"]["email"].lower() for o in orders if o["customer_id"] == 0]
    assert 0.22 < len(guests) / len(orders) < 0.28
    assert max(Counter(guests).values()) > 2
    accounts = {c["email"].lower() for c in customers}
    assert any(email in accounts for email in guests)


def test_buyers_have_registered_before(orders, customers):
    made = {c["id"]: parse(c["date_created"]) for c in customers}
    assert all(made[o["customer_id"]] <= parse(o["date_created"]) for o in orders if o["customer_id"])


def test_orders_add_up(orders):
    for order in orders:
        lines = order["line_items"]
        assert sum(line["quantity"] for line in lines) == order["items_total"]
        paid = sum(float(line["discounted_total_inc_tax"]) for line in lines)
        assert round(paid + float(order["shipping_cost_inc_tax"]), 2) == float(order["total_inc_tax"])
        assert {line["order_id"] for line in lines} == {order["id"]}
        assert len({line["id"] for line in lines}) == len(lines)


def test_orders_are_of_every_kind(orders):
    assert {o["status_id"] for o in orders} == set(range(15))
    assert max(len(o["line_items"]) for o in orders) > 50
    assert any(o["order_coupons"] for o in orders)
    assert {o["default_currency_code"] for o in orders} == {"USD", "EUR"}
    assert {o["external_source"] for o in orders} == {None, "M-MIG"}
    assert {o["channel_id"] for o in orders} == {1, 1002}
    assert any("variant_id" not in line for o in orders for line in o["line_items"])
    assert any(line["is_bundled_product"] for o in orders for line in o["line_items"])


def test_lines_are_of_products_that_exist(orders):
    products = {p["id"]: p for p in map(SHOP.product, range(SHOP.products))}
    for order in orders[:500]:
        for line in order["line_items"]:
            if "variant_id" in line:
                product = products[line["product_id"]]
                variant = next(v for v in product["variants"] if v["id"] == line["variant_id"])
                assert (variant["sku"], product["name"]) == (line["sku"], line["name"])


def test_refunds_agree_with_their_orders(orders):
    refunds = [SHOP.refund(i) for i in range(SHOP.refunds)]
    by_id = {o["id"]: o for o in orders}
    for refund in refunds:
        order = by_id[refund["order_id"]]
        declined = all(p["is_declined"] for p in refund["payments"])
        full = refund["total_amount"] == float(order["total_inc_tax"])
        assert order["status_id"] == (10 if declined else 4 if full else 14)
        assert sum(p["amount"] for p in refund["payments"]) == refund["total_amount"]
    assert {o["id"] for o in orders if o["status_id"] in {4, 14}} <= {r["order_id"] for r in refunds}
    assert {i["item_type"] for r in refunds for i in r["items"]} == {"PRODUCT", "SHIPPING", "ORDER"}


def test_subscribers_with_and_without_consent():
    subscribers = [SHOP.subscriber(i) for i in range(SHOP.subscribers)]
    assert {tuple(s["consents"]) for s in subscribers} == {
        (),
        ("marketing_newsletter",),
        ("abandoned_cart",),
        ("marketing_newsletter", "abandoned_cart"),
    }
    assert {s["source"] for s in subscribers} == {"storefront", "order", "custom"}
    assert any(s["email"].startswith("news") for s in subscribers)


def test_products_are_of_every_kind():
    products = [SHOP.product(i) for i in range(SHOP.products)]
    counts = {len(p["variants"]) for p in products}
    assert 1 in counts and 60 in counts
    assert {p["availability"] for p in products} == {"available", "disabled", "preorder"}
    assert {p["is_visible"] for p in products} == {True, False}
    assert {tuple(p["channels"]) for p in products} == {(), (1,), (1002,), (1, 1002)}
    assert {p["inventory_tracking"] for p in products} == {"none", "product", "variant"}
    known = {c["category_id"] for c in SHOP.categories()}
    assert all(set(p["categories"]) <= known for p in products)
    assert {p["brand_id"] for p in products} <= {0, *(b["id"] for b in SHOP.brands())}


def test_categories_form_a_tree_for_each_channel():
    rows = SHOP.categories()
    assert {c["tree_id"] for c in rows} == {1, 2}
    by_id = {c["category_id"]: c for c in rows}
    assert all(by_id[c["parent_id"]]["tree_id"] == c["tree_id"] for c in rows if c["parent_id"])
