"""What people are told by themselves: stock, prices, welcomes, orders, silence. On a wound clock."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from tajo.server import back_in_stock
from tajo.sync.ledger.store import open_ledger
from tajo.sync.ledger.wishes import open_wishes
from tests.journeys.town import DAY, HOUR, MINUTE, Town
from tests.storms.live_world import NAME, SECRET

EMAIL = "ada@example.com"
SHOP = "https://shop.example"
SKILLS = """
skills:
  back-in-stock: {enabled: true, templates: [201]}
  welcome-series: {enabled: true, templates: [301, 302, 303]}
  post-purchase: {enabled: true, templates: [401, 402]}
  order-notifications: {enabled: true, templates: [501, 502, 503]}
  win-back: {enabled: true, templates: [601, 602]}
"""


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with settled(tmp_path, SKILLS) as made:
        yield made


@asynccontextmanager
async def settled(folder: Path, options: str) -> AsyncIterator[Town]:
    """A town whose history is told."""
    made = Town(folder, options)
    await made.begin()
    await made.clock.sleep(60)
    yield made
    await made.end()


async def templates(town: Town, email: str = EMAIL) -> list[int]:
    return [mail["template"] for mail in await town.mails(email)]


async def panel(town: Town, method: str, path: str, body: Any) -> Any:
    answer = await town._ask(method, f"/_sandbox/panel/stores/{town.shop.store.hash}{path}", body)
    town.look()
    return answer


def a_product(town: Town, fits: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
    return next(product for product in town.shop.store.products if town._sold(product) and fits(product))


async def stock(town: Town, product: int, level: int) -> None:
    fields = {"inventory_tracking": "product", "inventory_level": level, "inventory_warning_level": 3}
    assert await panel(town, "PUT", f"/v3/catalog/products/{product}", fields)
    await town.pass_by(20 * MINUTE)


async def wish(town: Town, product: int, email: str = EMAIL) -> int:
    """A shopper fills in the form on the product's page."""
    ledger = await open_ledger(f"sqlite:///{town.folder}/tajo.db", SECRET)
    async with open_wishes(ledger, lambda _: None, now=town.clock.now) as box:
        app = Starlette(routes=back_in_stock.routes({NAME: {SHOP}}, box, town.clock.now))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tajo") as form:
            answer = await form.post(
                "/v1/back-in-stock", json={"product_id": product, "email": email}, headers={"origin": SHOP}
            )
    await ledger.close()
    return answer.status_code


async def elsewhere(town: Town, product: dict[str, Any], level: int) -> None:
    """The store opens a second location, where so many lie."""
    address = {
        "address1": "1 Road",
        "city": "Leeds",
        "state": "Yorkshire",
        "zip": "LS1",
        "country_code": "GB",
    }
    depot = {"code": "DEPOT", "label": "Depot", "type_id": "PHYSICAL", "enabled": True}
    coordinates = {"latitude": 53.8, "longitude": -1.5}
    where = {**address, "email": "depot@shop.example", "geo_coordinates": coordinates}
    await panel(town, "POST", "/v3/inventory/locations", [{**depot, "address": where}])
    item = {"location_id": 2, "variant_id": product["variants"][0]["id"], "quantity": level}
    assert await panel(town, "PUT", "/v3/inventory/adjustments/absolute", {"items": [item]})
    await town.pass_by(20 * MINUTE)


async def stock_at_brevo(town: Town, product: int) -> int | None:
    answer = await town.brevo.client.get("http://brevo.test/_sandbox/products")
    told = {row["id"]: row for row in map(json.loads, answer.text.splitlines())}
    stock: int | None = told[str(product)]["stock"]
    return stock


def events(town: Town, name: str) -> list[dict[str, Any]]:
    return [event["properties"] | {"email": event["email"]} for event in town.told() if event["name"] == name]


class TestBackInStock:
    async def test_whoever_waits_is_told_once_when_it_is_back(self, town: Town) -> None:
        product = a_product(town)["id"]
        await stock(town, product, 0)
        assert await wish(town, product) == 202
        await town.pass_by(2 * HOUR)
        assert await templates(town) == []
        await stock(town, product, 5)
        assert await templates(town) == [201]
        await stock(town, product, 0)
        await stock(town, product, 7)
        assert await templates(town) == [201]

    async def test_whoever_was_not_told_yet_when_it_is_sold_out_again_is_not_told(
        self, tmp_path: Path
    ) -> None:
        later = "skills:\n  back-in-stock: {enabled: true, sequence: [{delay: 1h, template_id: 201}]}\n"
        async with settled(tmp_path, later) as town:
            product = a_product(town)["id"]
            await stock(town, product, 0)
            await wish(town, product)
            await stock(town, product, 5)
            await stock(town, product, 0)
            await town.pass_by(3 * HOUR)
            assert await templates(town) == []

    async def test_what_lies_at_another_location_counts_where_all_do(self, tmp_path: Path) -> None:
        async with settled(tmp_path, SKILLS + "inventory: all_locations\n") as town:
            product = a_product(town, lambda p: len(p["variants"]) == 1)
            await stock(town, product["id"], 0)
            await wish(town, product["id"])
            await town.pass_by(20 * MINUTE)
            assert await templates(town) == []
            await elsewhere(town, product, 4)
            assert await templates(town) == [201]
            (mail,) = await town.mails(EMAIL)
            assert mail["params"]["stock"] == 4
            assert await stock_at_brevo(town, product["id"]) == 4

    async def test_of_another_product_nobody_is_told(self, town: Town) -> None:
        product = a_product(town)["id"]
        other = a_product(town, lambda p: p["id"] != product)["id"]
        await stock(town, product, 0)
        await stock(town, other, 0)
        await wish(town, other)
        await stock(town, product, 5)
        assert await templates(town) == []


async def test_stock_is_told_to_whoever_keeps_it_when_it_changes_and_when_it_runs_low(tmp_path: Path) -> None:
    keeper = "stock@shop.example"
    low = "store/channel/*/inventory/product/low_stock_reached"
    told = (
        "webhooks:\n"
        f"  - {{scope: store/inventory/updated, destination: inventory_changed, contact: {keeper}}}\n"
        f'  - {{scope: "{low}", destination: low_stock, contact: {keeper}}}\n'
    )
    async with settled(tmp_path, told) as town:
        product = a_product(town, lambda p: len(p["variants"]) == 1)["id"]
        await stock(town, product, 9)
        changed, ran_low = len(events(town, "inventory_changed")), len(events(town, "low_stock"))
        for level in (8, 3, 2):  # 3 is where the merchant wants to be warned
            await stock(town, product, level)
        new = events(town, "inventory_changed")[changed:]
        assert [(one["email"], one["stock_before"], one["stock"]) for one in new] == [
            (keeper, 9, 8),
            (keeper, 8, 3),
            (keeper, 3, 2),
        ]
        assert [one["stock"] for one in events(town, "low_stock")[ran_low:]] == [3]


async def test_a_price_that_falls_is_told_to_whoever_has_it_in_a_cart_once_for_each_fall(town: Town) -> None:
    product = a_product(town)
    other = a_product(town, lambda p: p["id"] != product["id"])
    await town.fill_cart(EMAIL, product=product["id"])
    await town.fill_cart("eve@example.com", product=other["id"])
    await town.fill_cart("", product=product["id"])  # nobody knows whose it is
    await town.pass_by(20 * MINUTE)
    for price in (1.5, 1.5, 1.25, 1.75, 1.5):
        assert await panel(town, "PUT", f"/v3/catalog/products/{product['id']}", {"price": price})
        await town.pass_by(20 * MINUTE)
    drops = [(drop["email"], drop["price"]) for drop in events(town, "price_dropped")]
    assert drops == [(EMAIL, 1.5), (EMAIL, 1.25), (EMAIL, 1.5)]


async def test_a_new_customer_who_agreed_is_welcomed_over_a_week(town: Town) -> None:
    await town.agree(EMAIL)
    await panel(town, "POST", "/v3/customers", [{"email": EMAIL, "first_name": "Ada", "last_name": "L"}])
    await town.pass_by(8 * DAY, step=HOUR)
    assert await templates(town) == [301, 302, 303]


async def test_a_new_customer_who_did_not_agree_is_not(town: Town) -> None:
    await panel(town, "POST", "/v3/customers", [{"email": EMAIL, "first_name": "Ada", "last_name": "L"}])
    await town.pass_by(8 * DAY, step=HOUR)
    assert await templates(town) == []


async def test_a_buyer_hears_of_the_order_without_having_agreed_to_anything(town: Town) -> None:
    await town.buy(await town.fill_cart(EMAIL))
    await town.pass_by(20 * MINUTE)
    assert await templates(town) == [501]
    assert await panel(town, "PUT", "/v2/orders/1", {"status_id": 2})
    await town.pass_by(20 * MINUTE)
    assert await templates(town) == [501, 502]


@pytest.mark.parametrize("status", [2, 10])  # shipped, completed
async def test_an_order_begins_what_follows_it_only_when_it_is_one(tmp_path: Path, status: int) -> None:
    thanks = "skills:\n  post-purchase: {enabled: true, templates: [401, 402]}\n"
    async with settled(tmp_path, thanks) as town:
        await town.agree(EMAIL)
        uuid = await town.fill_cart(EMAIL)
        pending = {"status_id": 1}  # not paid
        assert await town._ask("POST", f"/_sandbox/carts/{uuid}/checkout", pending)
        town.look()
        await town.pass_by(4 * DAY, step=12 * HOUR)
        assert await templates(town) == []
        assert await panel(town, "PUT", "/v2/orders/1", {"status_id": status})
        await town.pass_by(20 * DAY, step=DAY)
        assert await templates(town) == [401, 402]


async def test_two_skills_together_keep_to_the_messages_of_a_day(tmp_path: Path) -> None:
    at_once = (
        "messages: {daily_cap: 1}\nskills:\n"
        "  welcome-series: {enabled: true, sequence: [{template_id: 301}]}\n"
        "  post-purchase: {enabled: true, sequence: [{template_id: 401}]}\n"
        "  order-notifications: {enabled: true, templates: [501, 502, 503]}\n"
    )
    async with settled(tmp_path, at_once) as town:
        await town.agree(EMAIL)
        await panel(town, "POST", "/v3/customers", [{"email": EMAIL, "first_name": "Ada", "last_name": "L"}])
        await town.pass_by(20 * MINUTE)
        await town.buy(await town.fill_cart(EMAIL))
        await town.pass_by(22 * HOUR, step=HOUR)
        assert await templates(town) == [301, 501]
        await town.pass_by(4 * HOUR, step=HOUR)
        assert await templates(town) == [301, 501, 401]


async def test_a_buyer_who_agreed_is_thanked_and_after_three_silent_months_missed(town: Town) -> None:
    await town.agree(EMAIL)
    await town.buy(await town.fill_cart(EMAIL))
    await town.pass_by(20 * DAY, step=12 * HOUR)
    assert await templates(town) == [501, 401, 402]
    await town.pass_by(80 * DAY, step=DAY)
    assert await templates(town) == [501, 401, 402, 601, 602]
    await town.pass_by(30 * DAY, step=DAY)
    assert await templates(town) == [501, 401, 402, 601, 602]


async def test_a_skill_of_ones_own_runs_like_a_shipped_one(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thanks.md").write_text(
        "---\nname: thanks\nversion: 1.0.0\ndescription: Thanks for large orders.\n"
        "category: email-marketing\ntriggers:\n  - event: order_placed\n    conditions:\n"
        '      - order_total: "> 1"\nactions: [brevo/add-to-list, brevo/send-email]\nmarketing: false\n'
        "sequence:\n  - {action: brevo/add-to-list, list: Large orders}\n"
        "  - {delay: 1h, template_id: 701}\nenabled: true\n---\n# Thanks\n"
    )
    options = f"skills_folder: {folder}\nskills:\n  thanks: {{enabled: true}}\n"
    town = Town(tmp_path, options)
    await town.begin()
    await town.clock.sleep(60)
    await town.buy(await town.fill_cart(EMAIL))
    await town.pass_by(2 * HOUR)
    assert await templates(town) == [701]
    lists = {row["name"] for row in (await town.brevo("GET", "/contacts/lists")).json()["lists"]}
    assert "Large orders" in lists
    await town.end()
