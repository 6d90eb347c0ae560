"""What people are told by themselves: stock, prices, welcomes, orders, silence. On a wound clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
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
    made = Town(tmp_path, SKILLS)
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


class TestBackInStock:
    async def stock(self, town: Town, product: int, level: int) -> None:
        fields = {"inventory_tracking": "product", "inventory_level": level}
        assert await panel(town, "PUT", f"/v3/catalog/products/{product}", fields)
        await town.pass_by(20 * MINUTE)

    async def wish(self, town: Town, product: int, email: str = EMAIL) -> int:
        """A shopper fills in the form on the product's page."""
        ledger = await open_ledger(f"sqlite:///{town.folder}/tajo.db", SECRET)
        async with open_wishes(ledger, lambda _: None, now=town.clock.now) as box:
            app = Starlette(routes=back_in_stock.routes({NAME: {SHOP}}, box, town.clock.now))
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tajo") as form:
                answer = await form.post(
                    "/v1/back-in-stock",
                    json={"product_id": product, "email": email},
                    headers={"origin": SHOP},
                )
        await ledger.close()
        return answer.status_code

    async def test_whoever_waits_is_told_once_when_it_is_back(self, town: Town) -> None:
        product = a_product(town)["id"]
        await self.stock(town, product, 0)
        assert await self.wish(town, product) == 202
        await town.pass_by(2 * HOUR)
        assert await templates(town) == []
        await self.stock(town, product, 5)
        assert await templates(town) == [201]
        await self.stock(town, product, 0)
        await self.stock(town, product, 7)
        assert await templates(town) == [201]

    async def test_of_another_product_nobody_is_told(self, town: Town) -> None:
        product = a_product(town)["id"]
        other = a_product(town, lambda p: p["id"] != product)["id"]
        await self.stock(town, product, 0)
        await self.stock(town, other, 0)
        await self.wish(town, other)
        await self.stock(town, product, 5)
        assert await templates(town) == []


async def test_a_price_that_falls_is_told_to_whoever_has_it_in_a_cart_once(town: Town) -> None:
    product = a_product(town)
    await town.fill_cart(EMAIL, product=product["id"])
    await town.pass_by(20 * MINUTE)
    for _ in range(2):
        assert await panel(town, "PUT", f"/v3/catalog/products/{product['id']}", {"price": 1.5})
        await town.pass_by(20 * MINUTE)
    drops = [event for event in town.told() if event["name"] == "price_dropped"]
    assert [(drop["email"], drop["properties"]["price"]) for drop in drops] == [(EMAIL, 1.5)]


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
