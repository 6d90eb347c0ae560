"""Stock in the simulated store: several locations, safety stock, and who hears of what."""

from __future__ import annotations

import pytest

from tests.sandbox_shop import Shop

ITEMS, SET = "/v3/inventory/items", "/v3/inventory/adjustments/absolute"
ADD = "/v3/inventory/adjustments/relative"
PLACE = "store/channel/*/inventory/product"
NORTH = {"code": "NORTH", "label": "North", "type_id": "VIRTUAL"}


@pytest.fixture
async def shop():
    async with Shop() as shop:
        yield shop


async def opened(shop, *codes):
    """Open one more location for each code; the ids rise from 2."""
    answer = await shop.send("POST", "/v3/inventory/locations", [{**NORTH, "code": code} for code in codes])
    assert answer.status_code == 200, answer.text


async def put(shop, path, location, variant, quantity):
    body = {"items": [{"location_id": location, "variant_id": variant, "quantity": quantity}]}
    return await shop.send("POST" if path == ADD else "PUT", path, body)


async def places(shop, variant, **query):
    found = await shop.data(ITEMS, variant_id__in=variant, **query)
    return {p["location_id"]: p["available_to_sell"] for item in found for p in item["locations"]}


async def bought(shop, product, variant, quantity):
    line = {"product_id": product, "variant_id": variant, "quantity": quantity}
    cart = await shop.control("POST", "carts", {"line_items": [line], "email": "s@example.com"})
    await shop.control("POST", f"carts/{cart['id']}/checkout", {})


# -- locations


async def test_a_location_has_what_was_put_there_and_only_that(shop):
    await opened(shop, "NORTH", "SOUTH")
    before = shop.store.products[125]["inventory_level"]
    assert await places(shop, 12500) == {1: before}
    await put(shop, SET, 2, 12500, 7)
    assert await places(shop, 12500) == {1: before, 2: 7}
    assert await places(shop, 12500, location_id__in=2) == {2: 7}
    assert await places(shop, 12500, location_code__in="NORTH") == {2: 7}
    assert [i["identity"]["variant_id"] for i in await shop.data(ITEMS, location_id__in=2)] == [12500]
    assert await shop.data(ITEMS, location_id__in=3) == []
    assert [i["identity"]["variant_id"] for i in await shop.data("/v3/inventory/locations/2/items")] == [
        12500
    ]
    assert (await shop.data("/v3/catalog/products/125"))["inventory_level"] == before


async def test_other_locations_tell_only_that_their_stock_changed(shop):
    await opened(shop, "NORTH")
    await shop.listen(f"{PLACE}/stock_changed", "store/product/*")
    await put(shop, SET, 2, 12500, 7)
    await shop.world.deliveries.settled()
    (event,) = shop.receiver.events
    assert event["scope"] == f"{PLACE}/stock_changed"
    assert event["data"] == {"variant_id": 12500, "product_id": 125, "location_id": 2}


async def test_the_default_location_is_the_catalogues_stock(shop):
    await shop.listen(f"{PLACE}/stock_changed", "store/product/inventory/updated")
    await put(shop, SET, 1, 12500, 4)
    assert (await shop.data("/v3/catalog/products/125"))["inventory_level"] == 4
    assert await shop.heard() == {f"{PLACE}/stock_changed": 1, "store/product/inventory/updated": 1}
    await put(shop, ADD, 1, 12500, 3)
    assert await places(shop, 12500) == {1: 7}


async def test_a_relative_change_needs_an_absolute_one_before(shop):
    await opened(shop, "NORTH")
    refused = await put(shop, ADD, 2, 12500, 1)
    assert refused.status_code == 422
    assert "[product_id 125] requires absolute adjustment before relative" in refused.json()["title"]
    await put(shop, SET, 2, 12500, 1)
    assert (await put(shop, ADD, 2, 12500, 2)).status_code == 200
    assert (await places(shop, 12500))[2] == 3


async def test_what_is_tracked_by_product_is_adjusted_by_product(shop):
    refused = await put(shop, SET, 1, 10200, 5)
    assert "is tracked by product, please update stock by product id" in refused.json()["title"]
    body = {"items": [{"location_id": 1, "product_id": 102, "quantity": 5}]}
    assert (await shop.send("PUT", SET, body)).status_code == 200
    assert (await shop.data("/v3/catalog/products/102"))["inventory_level"] == 5


async def test_safety_stock_is_not_for_sale(shop):
    await put(shop, SET, 1, 12500, 10)
    await shop.listen(f"{PLACE}/settings_changed", f"{PLACE}/stock_changed")
    settings = {"settings": [{"identity": {"variant_id": 12500}, "safety_stock": 4}]}
    await shop.send("PUT", "/v3/inventory/locations/1/items", settings)
    assert await shop.heard() == {f"{PLACE}/settings_changed": 1, f"{PLACE}/stock_changed": 1}
    (item,) = await shop.data(ITEMS, variant_id__in=12500)
    place = item["locations"][0]
    assert (place["available_to_sell"], place["total_inventory_onhand"]) == (6, 10)
    assert (await shop.data("/v3/catalog/products/125"))["inventory_level"] == 6
    await put(shop, SET, 1, 12500, 3)
    assert await places(shop, 12500) == {1: 0}


async def test_a_deleted_location_takes_its_stock_with_it(shop):
    await shop.listen("store/inventory/location/created", "store/inventory/location/updated")
    await opened(shop, "NORTH", "SOUTH")
    await put(shop, SET, 2, 12500, 7)
    await shop.send("PUT", "/v3/inventory/locations", [{"id": 3, "enabled": False}])
    assert await shop.heard() == {
        "store/inventory/location/created": 2,
        "store/inventory/location/updated": 1,
    }
    active = await shop.data("/v3/inventory/locations", is_active="true")
    assert [place["id"] for place in active] == [1, 2]
    gone = await shop.send("DELETE", "/v3/inventory/locations", location_id__in=2)
    assert gone.status_code == 200
    assert list(await places(shop, 12500)) == [1]
    assert (await shop.send("DELETE", "/v3/inventory/locations", location_id__in=1)).status_code == 422
    assert (await shop.send("DELETE", "/v3/inventory/locations", location_id__in=9)).status_code == 404
    assert [place["id"] for place in await shop.data("/v3/inventory/locations", is_default="true")] == [1]


async def test_a_physical_location_needs_its_address(shop):
    place = {**NORTH, "type_id": "PHYSICAL"}
    answer = await shop.send("POST", "/v3/inventory/locations", [place])
    assert answer.status_code == 422
    assert "location.0.address.city" in answer.json()["errors"]


async def test_staff_change_stock_in_the_control_panel(shop):
    panel = f"http://sandbox/_sandbox/panel/stores/{shop.store.hash}"
    body = {"items": [{"location_id": 1, "variant_id": 12500, "quantity": 2}]}
    assert (await shop.http.put(f"{panel}{SET}", json=body)).status_code == 200
    assert await places(shop, 12500) == {1: 2}


# -- orders


@pytest.mark.parametrize(
    ("quantity", "told"),
    [
        (1, set()),
        (3, {"low_stock_reached"}),
        (5, {"low_stock_reached", "out_of_stock_reached"}),
    ],
)
async def test_an_order_tells_that_stock_runs_low_or_out(shop, quantity, told):
    product = shop.store.products[125]
    shop.store.products.put(125, {**product, "inventory_warning_level": 2})
    await put(shop, SET, 1, 12500, 5)
    await shop.listen(*(f"{PLACE}/{what}" for what in ("stock_changed", "low_stock_reached")))
    await shop.listen(f"{PLACE}/out_of_stock_reached")
    await bought(shop, 125, 12500, quantity)
    heard = await shop.heard()
    assert heard == dict.fromkeys((f"{PLACE}/{what}" for what in ("stock_changed", *told)), 1)


async def test_a_variants_own_warning_level_counts(shop):
    (variant, *_) = shop.store.products[113]["variants"]
    settings = {"settings": [{"identity": {"variant_id": variant["id"]}, "warning_level": 5}]}
    await shop.send("PUT", "/v3/inventory/locations/1/items", settings)
    await put(shop, SET, 1, variant["id"], 6)
    await shop.listen(f"{PLACE}/low_stock_reached")
    await bought(shop, 113, variant["id"], 1)
    await shop.world.deliveries.settled()
    assert [event["data"]["variant_id"] for event in shop.receiver.events] == [variant["id"]]


async def test_staff_who_count_nothing_left_tell_no_low_stock(shop):
    await shop.listen(f"{PLACE}/low_stock_reached", f"{PLACE}/out_of_stock_reached")
    await put(shop, SET, 1, 12500, 0)
    assert await shop.heard() == {}


async def test_a_price_change_is_told_and_shown(shop):
    await shop.listen("store/product/updated")
    before = shop.store.products[103]["calculated_price"]
    answer = await shop.send("PUT", "/v3/catalog/products/103", {"sale_price": before - 1})
    assert answer.json()["data"]["calculated_price"] == before - 1
    (variant,) = await shop.data("/v3/catalog/products/103/variants")
    assert variant["calculated_price"] == before - 1
    assert await shop.heard() == {"store/product/updated": 1}
