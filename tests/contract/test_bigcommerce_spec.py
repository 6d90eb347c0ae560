"""Every GET of the simulated BigCommerce against BigCommerce's own OpenAPI files.

The files are not part of this repository (they have no licence): without ../shared/specs the tests are
skipped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tajo.sandbox.bigcommerce import TOKEN, create_app, generate

from . import openapi

SHARED = Path(__file__).resolve().parents[3] / "shared"
SPECS = SHARED / "specs" / "bigcommerce"
needs_specs = pytest.mark.skipif(not SPECS.is_dir(), reason=f"the official OpenAPI files are not at {SPECS}")
pytestmark = needs_specs


class Get(NamedTuple):
    """A GET with the official file that describes it; `{order}` and the like become ids of the store."""

    file: str
    path: str
    query: str = ""


PRODUCTS, VARIANTS = "catalog/products_catalog.v3.yml", "catalog/product-variants_catalog.v3.yml"
TREES, BRANDS = "catalog/category-trees_catalog.v3.yml", "catalog/brands_catalog.v3.yml"
DATES = "date_modified:min=2025-01-01T00:00:00Z&date_modified:max=2026-12-31T00:00:00Z"
GETS = (
    Get("store_information.v2.yml", "/v2/store"),
    Get("store_information.v2.yml", "/v2/time"),
    Get("currencies.v2.yml", "/v2/currencies", "page=1&limit=250"),
    Get("customers.v2.yml", "/v2/customer_groups", "limit=250"),
    Get("customers.v2.yml", "/v2/customer_groups/{group}"),
    Get("marketing.v2.yml", "/v2/coupons", "min_id=1&limit=250"),
    Get("customers.v3.yml", "/v3/customers", "limit=100&include=addresses,storecredit,attributes,formfields"),
    Get("customers.v3.yml", "/v3/customers", f"sort=date_modified:asc&{DATES}"),
    Get("customers.v3.yml", "/v3/customers", "after=aWQ6Nw==&limit=20"),
    Get("customers.v3.yml", "/v3/customers", "id:in=1,2,3&email:in=nobody@example.com"),
    Get("customers.v3.yml", "/v3/customers/addresses", "customer_id:in=1,2,3&limit=250"),
    Get("customers.v3.yml", "/v3/customers/attributes", "limit=50"),
    Get("customers.v3.yml", "/v3/customers/attribute-values", "limit=250"),
    Get("customers.v3.yml", "/v3/customers/form-field-values", "limit=250"),
    Get("subscribers.v3.yml", "/v3/customers/subscribers", f"limit=250&{DATES}"),
    Get("subscribers.v3.yml", "/v3/customers/subscribers/{subscriber}"),
    Get("orders.v2.oas2.yml", "/v2/orders", "limit=50&sort=id&min_id=1"),
    Get("orders.v2.oas2.yml", "/v2/orders", "include=consignments,fees&consignment_structure=object"),
    Get(
        "orders.v2.oas2.yml",
        "/v2/orders",
        "include=consignments.line_items&consignment_structure=object&limit=100&min_id=250",
    ),
    Get("orders.v2.oas2.yml", "/v2/orders", "min_date_modified=2025-01-01T00:00:00Z&status_id=10"),
    Get("orders.v2.oas2.yml", "/v2/orders/count"),
    Get("orders.v2.oas2.yml", "/v2/orders/{order}"),
    Get("orders.v2.oas2.yml", "/v2/orders/{order}/products", "limit=250"),
    Get("orders.v2.oas2.yml", "/v2/orders/{coupon_order}/coupons"),
    Get("orders.v2.oas2.yml", "/v2/orders/{order}/shipping_addresses"),
    Get("orders.v2.oas2.yml", "/v2/orders/{shipped}/shipments"),
    Get("orders.v2.oas2.yml", "/v2/orders/{order}/consignments"),
    Get("orders.v2.oas2.yml", "/v2/order_statuses"),
    Get("orders.v2.oas2.yml", "/v2/order_statuses/10"),
    Get("orders.v3.yml", "/v3/orders/payment_actions/refunds", "limit=250&created:min=2024-01-01T00:00:00Z"),
    Get("orders.v3.yml", "/v3/orders/payment_actions/refunds/{refund}"),
    Get("orders.v3.yml", "/v3/orders/{refunded}/payment_actions/refunds"),
    Get("orders.v3.yml", "/v3/orders/{shipped}/transactions"),
    Get(
        PRODUCTS,
        "/v3/catalog/products",
        "limit=60&include=variants,images,custom_fields,channels,primary_image",
    ),
    Get(PRODUCTS, "/v3/catalog/products", "include=options,modifiers,bulk_pricing_rules,videos,reviews"),
    Get(PRODUCTS, "/v3/catalog/products", "id:greater=110&sort=id&direction=asc&include_fields=name,price"),
    Get(PRODUCTS, "/v3/catalog/products/{product}", "include=variants,images"),
    Get(PRODUCTS, "/v3/catalog/products/{product}/images"),
    Get(PRODUCTS, "/v3/catalog/products/{product}/custom-fields"),
    Get(PRODUCTS, "/v3/catalog/products/channel-assignments", "product_id:in={product}"),
    Get(PRODUCTS, "/v3/catalog/products/category-assignments", "limit=250"),
    Get(VARIANTS, "/v3/catalog/variants", "product_id:in={product}&limit=250"),
    Get(VARIANTS, "/v3/catalog/products/{product}/variants"),
    Get(VARIANTS, "/v3/catalog/products/{product}/variants/{variant}"),
    Get(TREES, "/v3/catalog/trees", "channel_id:in=1,1002"),
    Get(TREES, "/v3/catalog/trees/categories", "tree_id:in=1&limit=250"),
    Get(TREES, "/v3/catalog/trees/1/categories"),
    Get(BRANDS, "/v3/catalog/brands", "limit=250"),
    Get(BRANDS, "/v3/catalog/brands/1"),
    Get("inventory.v3.yml", "/v3/inventory/items", "limit=1000"),
    Get("inventory.v3.yml", "/v3/inventory/items", "variant_id:in={variant}&location_id:in=1"),
    Get("inventory.v3.yml", "/v3/inventory/locations/1/items", "product_id:in={product}&limit=1000"),
    Get("locations.v3.yml", "/v3/inventory/locations", "is_active=true&limit=1000"),
    Get("scripts.v3.yml", "/v3/content/scripts", "channel_id:in=1&sort=name&direction=desc"),
    Get("scripts.v3.yml", "/v3/content/scripts/{script}"),
    Get("promotions.v3.yml", "/v3/promotions", "redemption_type=coupon&limit=250"),
    Get(
        "promotions.v3.yml",
        "/v3/promotions",
        "code=COME-BACK&query=come&status=ENABLED&channels=1,1002&currency_code=USD&name=Come back"
        "&sort=start_date&direction=desc&page=1",
    ),
    Get("promotions.v3.yml", "/v3/promotions", "redemption_type=automatic&sort=priority"),
    Get("promotions.v3.yml", "/v3/promotions/{promotion}"),
    Get("promotions.v3.yml", "/v3/promotions/{automatic}"),
    Get("promotions.v3.yml", "/v3/promotions/{promotion}/codes", "limit=250"),
    Get("promotions.v3.yml", "/v3/promotions/{promotion}/codes", "page=1&code=COME-BACK"),
    Get("promotions.v3.yml", "/v3/promotions/{promotion}/codes", "after=eyJpZCI6IjAifQ==&limit=5"),
    Get("promotions.v3.yml", "/v3/promotions/{promotion}/codes", "before=eyJpZCI6IjAifQ=="),
    Get("promotions.v3.yml", "/v3/promotions/codes", "code=COME-BACK"),
    Get("channels.v3.yml", "/v3/channels", "available=true&type:in=storefront"),
    Get("channels.v3.yml", "/v3/channels", "include=currencies"),
    Get("channels.v3.yml", "/v3/channels/1", "include=currencies"),
    Get("channels.v3.yml", "/v3/channels/1/site"),
    Get("sites.v3.yml", "/v3/sites", "channel_id:in=1"),
    Get("sites.v3.yml", "/v3/sites/1000"),
    Get("webhooks.v3.yml", "/v3/hooks", "is_active=true"),
    Get("webhooks.v3.yml", "/v3/hooks/{hook}"),
    Get("webhooks.v3.yml", "/v3/hooks/admin"),
    Get("carts.v3.yml", "/v3/carts/{cart}", "include=redirect_urls,line_items.physical_items.options"),
    Get("abandoned_carts.v3.yml", "/v3/abandoned-carts/settings"),
    Get("abandoned_carts.v3.yml", "/v3/abandoned-carts/settings/channels/1"),
)
SCRIPT = {
    "name": "Back in stock",
    "kind": "src",
    "src": "https://example.com/stock.js",
    "visibility": "storefront",
    "consent_category": "essential",
    "auto_uninstall": True,
}
PROMOTION = {
    "name": "Come back",
    "redemption_type": "COUPON",
    "coupon_type": "BULK",
    "rules": [
        {
            "action": {"cart_value": {"discount": {"percentage_amount": "10"}}},
            "condition": {"cart": {"minimum_spend": "5"}},
        }
    ],
}
AUTOMATIC = {
    "name": "Two for one",
    "display_name": "Two for one!",
    "redemption_type": "AUTOMATIC",
    "channels": [{"id": 1}],
    "customer": {"group_ids": [1, 2], "minimum_order_count": 1},
    "rules": [
        {
            "action": {
                "cart_items": {
                    "discount": {"percentage_amount": "100"},
                    "maximum_allowed_discount_amount": "20",
                    "as_total": True,
                    "strategy": "LEAST_EXPENSIVE",
                    "quantity": 1,
                    "items": {"and": [{"brands": [1]}, {"not": {"categories": [2]}}]},
                }
            },
            "apply_once": False,
            "stop": True,
            "condition": {"and": [{"cart": {"items": {"products": [103]}, "minimum_quantity": 2}}]},
        }
    ],
    "max_uses": 10,
    "status": "ENABLED",
    "start_date": "2026-01-01T00:00:00+00:00",
    "end_date": "2027-01-01T00:00:00Z",
    "currency_code": "*",
    "notifications": [{"content": "Two!", "type": "UPSELL", "locations": ["CART_PAGE"]}],
    "shipping_address": {"not": {"countries": [{"iso2_country_code": "US"}]}},
    "schedule": {
        "week_frequency": 1,
        "week_days": ["Monday"],
        "daily_start_time": "08:00:00",
        "daily_end_time": "20:00:00",
    },
}
STOREHOUSE = {
    "code": "NORTH",
    "label": "North",
    "type_id": "PHYSICAL",
    "address": {
        "address1": "1 Lane",
        "city": "Cork",
        "state": "Cork",
        "zip": "T12",
        "email": "north@example.com",
        "geo_coordinates": {"latitude": 11, "longitude": 8},
        "country_code": "IE",
    },
}
DEVIATIONS = {  # a part of the path, a part of the finding: why we differ from the file on purpose
    ("/orders", "'custom_status'"): "not in the schema, but in every example of the file and in real answers",
    ("/orders", "'__warning__'"): "the undocumented mark of cut line items (bigcommerce/docs#960)",
    ("/products", "'image_file'"): "not in the schema of images, but in the examples of the file",
    ("/products", "'variants'"): "include=variants is documented, its field was forgotten",
    ("/products", "'reviews'"): "include=reviews is documented, its field was forgotten",
    ("/variants", "'map_price'"): "not in the schema, but in every example of the file",
    ("/channels", "'currencies'"): "include=currencies is documented for the list, its field was forgotten",
    (
        "/carts",
        "'options'",
    ): "include=line_items.physical_items.options is documented, its field was forgotten",
    ("/carts", "'redirect_urls'"): "include=redirect_urls is documented, its field was forgotten",
    (
        "/subscribers",
        "missing parameter 'id'",
    ): "the file calls the filter `id` required and shows calls without",
    (
        "/customers",
        ".last_name: '' should be non-empty",
    ): "dirt: accounts of old stores and imports lack names",
    ("/customers", ".email: '' is too short"): "dirt: a few accounts have no usable e-mail",
}


@pytest.fixture
def sent():
    """The webhooks that were sent."""
    return []


@pytest.fixture
async def shop(sent):
    """A client of a generated store that has a hook and a cart, and the ids that the paths above need."""
    store = generate(customers=300, orders=500, products=60)

    def receive(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    app = create_app(store, plan="unlimited", transport=httpx.MockTransport(receive))
    orders = list(store.orders)
    refund = store.refunds[1]
    ids = {
        "group": 1,
        "subscriber": 1,
        "order": next(o["id"] for o in orders if not o["order_is_digital"]),
        "coupon_order": next(o["id"] for o in orders if o["order_coupons"]),
        "shipped": next(o["id"] for o in orders if o["status_id"] == 10),
        "refund": refund["id"],
        "refunded": refund["order_id"],
        "product": 101,
        "variant": 10100,
    }
    headers = {"X-Auth-Token": TOKEN, "Accept": "application/json"}
    base = f"http://sandbox/stores/{store.hash}"
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=base, headers=headers
    ) as client:
        client.app = app
        hook = {"scope": "store/order/created", "destination": "https://example.com/hooks"}
        ids["hook"] = (await client.post("/v3/hooks", json=hook)).json()["data"]["id"]
        cart = {"line_items": [{"product_id": 103, "quantity": 2}], "custom_items": []}
        ids["cart"] = (await client.post("/v3/carts", json=cart)).json()["data"]["id"]
        ids["script"] = (await client.post("/v3/content/scripts", json=SCRIPT)).json()["data"]["uuid"]
        ids["promotion"] = (await client.post("/v3/promotions", json=PROMOTION)).json()["data"]["id"]
        ids["automatic"] = (await client.post("/v3/promotions", json=AUTOMATIC)).json()["data"]["id"]
        code = await client.post(f"/v3/promotions/{ids['promotion']}/codes", json={"code": "COME-BACK"})
        ids["code"] = code.json()["data"]["id"]
        await client.post("/v3/inventory/locations", json=[STOREHOUSE])
        yield client, ids
    await app.state.world.deliveries.close()


def findings(get: Get, answer: httpx.Response) -> list[str]:
    """What the official file has against an answer, but for the deviations that have a reason."""
    api = openapi.load(SPECS / get.file)
    url = answer.request.url
    body = answer.json() if answer.content else None
    found = openapi.validate(api, "GET", url.path, url.query.decode(), None, answer.status_code, body)
    return [f for f in found if not any(where in get.path and what in f for where, what in DEVIATIONS)]


@pytest.mark.parametrize("get", GETS, ids=lambda get: f"{get.path}?{get.query}")
async def test_answer_is_what_the_official_file_says(shop, get):
    client, ids = shop
    answer = await client.get(get.path.format(**ids), params=get.query.format(**ids))
    assert answer.status_code == 200, answer.text
    assert findings(get, answer) == []


async def test_every_deviation_is_still_one(shop):
    client, ids = shop
    seen = set()
    for get in GETS:
        answer = await client.get(get.path.format(**ids), params=get.query.format(**ids))
        api, url = openapi.load(SPECS / get.file), answer.request.url
        found = openapi.validate(api, "GET", url.path, url.query.decode(), None, 200, answer.json())
        seen |= {(where, what) for where, what in DEVIATIONS if where in get.path for f in found if what in f}
    assert set(DEVIATIONS) - seen == set()


class Write(NamedTuple):
    """A write with the official file that describes it; its body is judged too."""

    file: str
    method: str
    path: str
    body: Any
    status: int


STREET = {"first_name": "A", "last_name": "B", "address1": "1 Lane", "city": "Cork", "country_code": "IE"}
WHERE = {**STREET, "state_or_province": "County Cork", "postal_code": "T12"}
REFUND = {
    "items": [{"item_type": "ORDER", "item_id": 1, "amount": 1.5}],
    "payments": [{"provider_id": "custom", "amount": 1.5, "offline": True}],
}
LINE = {"product_id": 106, "quantity": 1, "option_selections": [{"option_id": 1061, "option_value": 106100}]}
CART_SETTINGS = "/v3/abandoned-carts/settings"
SHELF = {"identity": {"variant_id": 10300}, "safety_stock": 2, "warning_level": 3}
COUPON = {
    "name": "Ten off",
    "code": "TEN-OFF",
    "type": "percentage_discount",
    "amount": "10",
    "applies_to": {"entity": "categories", "ids": [0]},
}
WRITES = (
    Write(
        "customers.v3.yml",
        "POST",
        "/v3/customers",
        [{"email": "n@e.com", "first_name": "N", "last_name": "E"}],
        200,
    ),
    Write("customers.v3.yml", "PUT", "/v3/customers", [{"id": 2, "company": "C"}], 200),
    Write("customers.v3.yml", "PUT", "/v3/customers", [{"id": 999}], 422),
    Write("customers.v3.yml", "DELETE", "/v3/customers?id:in=9", None, 204),
    Write("customers.v3.yml", "POST", "/v3/customers/addresses", [{**WHERE, "customer_id": 2}], 200),
    Write("customers.v3.yml", "POST", "/v3/customers/attributes", [{"name": "New", "type": "string"}], 200),
    Write(
        "customers.v3.yml",
        "PUT",
        "/v3/customers/attribute-values",
        [{"attribute_id": 1, "customer_id": 2, "value": "5"}],
        200,
    ),
    Write(
        "subscribers.v3.yml",
        "POST",
        "/v3/customers/subscribers",
        {"email": "s@example.com", "consents": []},
        200,
    ),
    Write(
        "subscribers.v3.yml",
        "PUT",
        "/v3/customers/subscribers/3",
        {"consents": ["marketing_newsletter"]},
        200,
    ),
    Write("subscribers.v3.yml", "DELETE", "/v3/customers/subscribers/3", None, 204),
    Write("orders.v2.oas2.yml", "PUT", "/v2/orders/{shipped}", {"staff_notes": "x"}, 200),
    Write("orders.v2.oas2.yml", "DELETE", "/v2/orders/{order}", None, 204),
    Write("orders.v3.yml", "POST", "/v3/orders/{shipped}/payment_actions/refunds", REFUND, 201),
    Write(VARIANTS, "PUT", "/v3/catalog/variants", [{"id": 10100, "inventory_level": 5}], 200),
    Write(
        TREES, "POST", "/v3/catalog/trees/categories", [{"name": "Attic", "tree_id": 1, "parent_id": 0}], 201
    ),
    Write(TREES, "DELETE", "/v3/catalog/trees/categories?category_id:in=20", None, 202),
    Write(BRANDS, "POST", "/v3/catalog/brands", {"name": "New"}, 200),
    Write(
        "inventory.v3.yml",
        "PUT",
        "/v3/inventory/adjustments/absolute",
        {"items": [{"location_id": 1, "variant_id": 10100, "quantity": 4}]},
        200,
    ),
    Write(
        "webhooks.v3.yml",
        "POST",
        "/v3/hooks",
        {"scope": "store/order/updated", "destination": "https://example.com/h", "headers": {"a": "b"}},
        200,
    ),
    Write("webhooks.v3.yml", "PUT", "/v3/hooks/{hook}", {"is_active": True}, 200),
    Write("webhooks.v3.yml", "PUT", "/v3/hooks/admin", {"emails": ["a@example.com"]}, 204),
    Write("carts.v3.yml", "POST", "/v3/carts", {"line_items": [{"product_id": 103, "quantity": 1}]}, 201),
    Write(
        "carts.v3.yml",
        "POST",
        "/v3/carts?include=redirect_urls",
        {
            "customer_id": 2,
            "channel_id": 1,
            "locale": "en-US",
            "currency": {"code": "USD"},
            "line_items": [{"product_id": 106, "variant_id": 10601, "quantity": 1}],
            "gift_certificates": [
                {
                    "name": "For you",
                    "theme": "General",
                    "amount": 20,
                    "quantity": 1,
                    "sender": {"name": "A", "email": "a@example.com"},
                    "recipient": {"name": "B", "email": "b@example.com"},
                }
            ],
        },
        201,
    ),
    Write("carts.v3.yml", "POST", "/v3/carts/{cart}/items", {"line_items": [LINE]}, 201),
    Write("carts.v3.yml", "PUT", "/v3/carts/{cart}", {"customer_id": 2}, 201),
    Write("carts.v3.yml", "PUT", "/v3/carts/{cart}", {"customer_id": 2, "version": 99}, 409),
    Write("abandoned_carts.v3.yml", "PUT", f"{CART_SETTINGS}/channels/1", {"enable_notification": True}, 200),
    Write("inventory.v3.yml", "PUT", "/v3/inventory/locations/2/items", {"settings": [SHELF]}, 200),
    Write(
        "inventory.v3.yml",
        "POST",
        "/v3/inventory/adjustments/relative",
        {"items": [{"location_id": 2, "variant_id": 10300, "quantity": 4}]},
        422,
    ),
    Write("locations.v3.yml", "POST", "/v3/inventory/locations", [{**STOREHOUSE, "code": "SOUTH"}], 200),
    Write("locations.v3.yml", "PUT", "/v3/inventory/locations", [{"id": 2, "label": "Far north"}], 200),
    Write("locations.v3.yml", "DELETE", "/v3/inventory/locations?location_id:in=2", None, 200),
    Write("locations.v3.yml", "DELETE", "/v3/inventory/locations?location_id:in=1", None, 422),
    Write("scripts.v3.yml", "POST", "/v3/content/scripts", SCRIPT, 200),
    Write("scripts.v3.yml", "POST", "/v3/content/scripts", {"name": "x", "kind": "src"}, 422),
    Write("scripts.v3.yml", "PUT", "/v3/content/scripts/{script}", {"enabled": False}, 200),
    Write("scripts.v3.yml", "DELETE", "/v3/content/scripts/{script}", None, 204),
    Write("marketing.v2.yml", "POST", "/v2/coupons", COUPON, 201),
    Write("marketing.v2.yml", "PUT", "/v2/coupons/1", {**COUPON, "enabled": False}, 200),
    Write("marketing.v2.yml", "DELETE", "/v2/coupons/1", None, 204),
    Write("promotions.v3.yml", "POST", "/v3/promotions", PROMOTION, 201),
    Write("promotions.v3.yml", "PUT", "/v3/promotions/{promotion}", {**PROMOTION, "status": "DISABLED"}, 200),
    Write("promotions.v3.yml", "PUT", "/v3/promotions/{automatic}", {"max_uses": 5, "stop": True}, 200),
    Write("promotions.v3.yml", "PUT", "/v3/promotions/999", {"status": "DISABLED"}, 404),
    Write("promotions.v3.yml", "POST", "/v3/promotions", AUTOMATIC, 201),
    Write("promotions.v3.yml", "POST", "/v3/promotions", {**PROMOTION, "currency_code": "XXX"}, 422),
    Write("promotions.v3.yml", "POST", "/v3/promotions/{promotion}/codes", {"code": "AGAIN"}, 201),
    Write("promotions.v3.yml", "POST", "/v3/promotions/{promotion}/codegen", {"batch_size": 3}, 201),
    Write("promotions.v3.yml", "POST", "/v3/promotions/{automatic}/codegen", {"batch_size": 3}, 405),
    Write("promotions.v3.yml", "DELETE", "/v3/promotions/{promotion}/codes/{code}", None, 204),
    Write("promotions.v3.yml", "DELETE", "/v3/promotions/{promotion}/codes?id:in={code},9", None, 204),
    Write("promotions.v3.yml", "DELETE", "/v3/promotions/codes?code=COME-BACK", None, 204),
    Write("promotions.v3.yml", "DELETE", "/v3/promotions/{promotion}", None, 204),
    Write("promotions.v3.yml", "DELETE", "/v3/promotions?id:in={automatic}", None, 204),
    Write("promotions.v3.yml", "DELETE", "/v3/promotions?id:in={automatic},{promotion}", None, 422),
    Write("carts.v3.yml", "POST", "/v3/carts/{cart}/redirect_urls", None, 201),
    Write("carts.v3.yml", "DELETE", "/v3/carts/{cart}", None, 204),
)


@pytest.mark.parametrize("write", WRITES, ids=lambda write: f"{write.method} {write.path}")
async def test_writes_are_what_the_official_file_says(shop, write):
    client, ids = shop
    answer = await client.request(write.method, write.path.format(**ids), json=write.body)
    assert answer.status_code == write.status, answer.text
    api, url = openapi.load(SPECS / write.file), answer.request.url
    body = answer.json() if answer.content else None
    found = openapi.validate(api, write.method, url.path, url.query.decode(), write.body, write.status, body)
    assert [
        f for f in found if not any(where in write.path and what in f for where, what in DEVIATIONS)
    ] == []


CALLBACKS = (  # how to make the simulator send each scope
    (
        "store/customer/created",
        "POST",
        "/v3/customers",
        [{"email": "n@e.com", "first_name": "N", "last_name": "E"}],
    ),
    ("store/customer/updated", "PUT", "/v3/customers", [{"id": 2, "company": "C"}]),
    ("store/customer/deleted", "DELETE", "/v3/customers?id:in=9", None),
    ("store/customer/address/created", "POST", "/v3/customers/addresses", [{**WHERE, "customer_id": 2}]),
    ("store/subscriber/created", "POST", "/v3/customers/subscribers", {"email": "s@example.com"}),
    ("store/order/archived", "DELETE", "/v2/orders/{order}", None),
    ("store/order/updated", "PUT", "/v2/orders/{shipped}", {"status_id": 5}),
    ("store/order/statusUpdated", "PUT", "/v2/orders/{shipped}", {"status_id": 5}),
    ("store/order/refund/created", "POST", "/v3/orders/{shipped}/payment_actions/refunds", REFUND),
    ("store/product/updated", "PUT", "/v3/catalog/products/101", {"price": 3}),
    ("store/product/deleted", "DELETE", "/v3/catalog/products/101", None),
    ("store/category/updated", "PUT", "/v3/catalog/trees/categories", [{"category_id": 20, "name": "X"}]),
    ("store/cart/created", "POST", "/v3/carts", {"line_items": [{"product_id": 103, "quantity": 1}]}),
    (
        "store/cart/lineItem/created",
        "POST",
        "/v3/carts",
        {"line_items": [{"product_id": 103, "quantity": 1}]},
    ),
    ("store/cart/couponApplied", "POST", "/v3/checkouts/{cart}/coupons", {"coupon_code": "COME-BACK"}),
    ("store/cart/deleted", "DELETE", "/v3/carts/{cart}", None),
    ("store/product/inventory/updated", "PUT", "/v3/catalog/products/103", {"inventory_level": 9}),
    ("store/sku/inventory/updated", "PUT", "/v3/catalog/variants", [{"id": 11300, "inventory_level": 9}]),
)


@pytest.mark.parametrize(
    ("scope", "method", "path", "body"), CALLBACKS, ids=lambda v: v if isinstance(v, str) else ""
)
async def test_webhooks_look_like_the_official_examples(shop, sent, scope, method, path, body):
    client, ids = shop
    hook = {"scope": scope, "destination": "https://example.com/callbacks"}
    assert (await client.post("/v3/hooks", json=hook)).status_code == 200
    assert (await client.request(method, path.format(**ids), json=body)).is_success
    await client.app.state.world.deliveries.settled()
    (request,) = sent
    example = json.loads(
        (SPECS / "webhook-callbacks" / "data" / f"{scope.replace('/', '_')}.json").read_text()
    )
    assert _shape(json.loads(request.content)) == _shape(example)


def _shape(value: Any) -> Any:
    """The names and types of a JSON value."""
    return {k: _shape(v) for k, v in value.items()} if isinstance(value, dict) else type(value).__name__
