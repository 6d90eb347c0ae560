"""Shoppers who leave carts behind: what they are told, when it stops, and how the cart comes back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.town import DAY, HOUR, MINUTE, Town

EMAIL = "ada@example.com"
SKILLS = """
skills:
  abandoned-cart:
    enabled: true
    templates: [101, 102, 103]
    timing: {}
"""
HREF = re.compile(r'href="([^"]+)"')


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    made = Town(tmp_path, SKILLS)
    await made.begin()
    await made.clock.sleep(60)
    await made.agree(EMAIL)
    yield made
    await made.end()


async def templates(town: Town, email: str = EMAIL) -> list[int]:
    return [mail["template"] for mail in await town.mails(email)]


async def lists_of(town: Town, email: str = EMAIL) -> list[str]:
    named = {row["id"]: row["name"] for row in (await town.brevo("GET", "/contacts/lists")).json()["lists"]}
    return [named[id_] for id_ in (await town.brevo.contact(email))["listIds"]]


async def test_a_cart_that_is_left_behind_is_written_about_three_times(town: Town) -> None:
    await town.fill_cart(EMAIL)
    await town.pass_by(50 * MINUTE)
    assert await templates(town) == []
    await town.pass_by(90 * MINUTE)  # an hour until it counts as left behind, another to the first mail
    assert await templates(town) == [101]
    await town.pass_by(24 * HOUR)
    await town.pass_by(49 * HOUR, step=HOUR)
    assert await templates(town) == [101, 102, 103]
    await town.pass_by(7 * DAY, step=12 * HOUR)
    assert await templates(town) == [101, 102, 103]


async def test_the_mail_shows_what_is_in_the_cart_and_the_way_back(town: Town) -> None:
    await town.fill_cart(EMAIL, quantity=3)
    await town.pass_by(3 * HOUR)
    (mail,) = await town.mails(EMAIL)
    told = mail["params"]
    (item,) = told["items"]
    assert item["quantity"] == 3
    assert told["recovery_url"].startswith("https://tajo.example/r/")
    assert EMAIL not in told["recovery_url"]


async def test_the_code_in_the_second_mail_takes_its_percents_off_once(town: Town) -> None:
    uuid = await town.fill_cart(EMAIL)
    other = await town.fill_cart("eve@example.com")
    await town.pass_by(3 * HOUR)
    await town.pass_by(24 * HOUR, step=HOUR)
    code = (await town.mails(EMAIL))[1]["params"]["discount_code"]
    panel = f"/_sandbox/panel/stores/{town.shop.store.hash}/v3"

    async def total(cart: str) -> float:
        return float((await town._ask("GET", f"{panel}/carts/{cart}", None))["data"]["cart_amount"])

    whole = await total(uuid)
    for cart in (uuid, other):
        assert await town._ask("POST", f"{panel}/checkouts/{cart}/coupons", {"coupon_code": code})
    assert await total(uuid) == pytest.approx(whole * 0.9, abs=0.01)
    await town.buy(uuid)
    assert not await town._ask("POST", f"{panel}/checkouts/{other}/coupons", {"coupon_code": code})


async def test_who_gives_the_address_late_is_written_to_from_then_on(town: Town) -> None:
    uuid = await town.fill_cart("")
    await town.pass_by(3 * HOUR)
    assert await templates(town) == []
    assert await town._ask("PUT", f"/_sandbox/carts/{uuid}", {"email": EMAIL})
    await town.pass_by(3 * HOUR)
    assert await templates(town) == [101]


async def test_who_buys_between_two_mails_gets_no_second_one(town: Town) -> None:
    uuid = await town.fill_cart(EMAIL)
    await town.pass_by(3 * HOUR)
    await town.buy(uuid)
    await town.pass_by(4 * DAY, step=HOUR)
    assert await templates(town) == [101]


async def test_who_did_not_agree_is_not_written_to(town: Town) -> None:
    await town.fill_cart("eve@example.com")
    await town.pass_by(4 * DAY, step=HOUR)
    assert await templates(town, "eve@example.com") == []


async def test_who_agreed_to_mails_about_carts_alone_gets_those_and_no_others(town: Town) -> None:
    eve = "eve@example.com"
    await town.agree(eve, "abandoned_cart")
    await town.pass_by(20 * MINUTE)
    assert (await town.brevo.contact(eve))["emailBlacklisted"]  # for campaigns
    await town.fill_cart(eve)
    await town.pass_by(3 * HOUR)
    assert await templates(town, eve) == [101]


async def test_who_unsubscribes_in_the_middle_gets_nothing_more(town: Town) -> None:
    await town.fill_cart(EMAIL)
    await town.pass_by(3 * HOUR)
    blocked = await town.brevo("PUT", f"/contacts/{EMAIL.replace('@', '%40')}", {"emailBlacklisted": True})
    assert blocked.status_code == 204
    await town.pass_by(4 * DAY, step=HOUR)
    assert await templates(town) == [101]


async def test_the_night_in_which_clocks_change_ends_at_eight_by_the_new_time(tmp_path: Path) -> None:
    quiet = 'messages: {quiet_hours: "21:00-08:00", timezone: Europe/Berlin}\n'
    town = Town(tmp_path, SKILLS + quiet)
    await town.begin()
    await town.agree(EMAIL)
    evening = datetime(
        2027, 3, 27, 19, 30, tzinfo=UTC
    ).timestamp()  # 20:30 in Berlin, an hour before the night
    await town.clock.sleep(evening - town.clock.now())
    await town.fill_cart(EMAIL)  # it is left behind at 21:30, and would be written about at 22:30
    await town.pass_by(10.4 * HOUR)
    assert await templates(town) == []  # 7:54 by the new time
    await town.pass_by(0.2 * HOUR)
    assert await templates(town) == [101]  # 8:06, which yesterday was 7:06
    await town.end()


async def test_it_is_on_the_list_of_carts_left_behind_until_it_is_bought(town: Town) -> None:
    uuid = await town.fill_cart(EMAIL)
    await town.pass_by(90 * MINUTE)
    assert "Left behind" in await lists_of(town)
    await town.buy(uuid)
    await town.pass_by(20 * MINUTE)
    assert "Left behind" not in await lists_of(town)


class TestTheLink:
    async def link(self, town: Town, **cart: Any) -> tuple[str, str]:
        """A cart that was left behind, and the link in the mail about it."""
        uuid = await town.fill_cart(EMAIL, **cart)
        await town.pass_by(3 * HOUR)
        return uuid, (await town.mails(EMAIL))[-1]["params"]["recovery_url"]

    async def test_it_leads_to_checkout_with_the_same_things(self, town: Town) -> None:
        _, link = await self.link(town, quantity=3)
        async with town.browser() as browser:
            answer = await browser.get(link)
            assert answer.status_code == 303
            page = await browser.get(answer.headers["location"])
        assert 'data-quantity="3"' in page.text

    async def test_it_works_more_than_once_and_elsewhere(self, town: Town) -> None:
        _, link = await self.link(town)
        for _ in range(2):
            async with town.browser() as browser:
                answer = await browser.get(link)
                page = await browser.get(answer.headers["location"])
                assert page.status_code == 200
            await town.clock.sleep(DAY)

    async def test_what_is_bought_through_it_was_recovered_by_it_and_stops_the_mails(
        self, town: Town
    ) -> None:
        _, link = await self.link(town)
        async with town.browser() as browser:
            page = await browser.get((await browser.get(link)).headers["location"])
        anew = re.findall(r'data-cart="([^"]+)"', page.text)[0]
        assert await town._ask(
            "POST",
            f"/_sandbox/carts/{anew}/checkout",
            {"status_id": 11, "billing_address": {"email": EMAIL}},
        )
        await town.pass_by(4 * DAY, step=HOUR)
        assert await templates(town) == [101]
        (recovered,) = [event for event in town.told() if event["name"] == "cart_recovered"]
        assert recovered["properties"]["recovered_by"] == "recovery_link"
        told = [event["name"] for event in town.told()]
        assert (told.count("cart_created"), told.count("cart_abandoned")) == (1, 1)

    async def test_what_is_not_sold_any_more_is_said(self, town: Town) -> None:
        _, link = await self.link(town)
        (cart,) = [cart for cart in town.shop.world.carts.values() if cart.record["email"] == EMAIL]
        product = cart.record["line_items"]["physical_items"][0]["product_id"]
        panel = f"/_sandbox/panel/stores/{town.shop.store.hash}/v3"
        assert await town._ask(
            "PUT", f"{panel}/catalog/products/{product}", {"availability": "disabled", "is_visible": False}
        )
        async with town.browser() as browser:
            answer = await browser.get(link)
        assert answer.status_code == 410
        assert "is no longer sold" in answer.text

    async def test_a_link_to_a_cart_that_was_bought_says_so(self, town: Town) -> None:
        uuid, link = await self.link(town)
        await town.buy(uuid)
        await town.pass_by(20 * MINUTE)
        async with town.browser() as browser:
            answer = await browser.get(link)
        assert (answer.status_code, "was bought" in answer.text) == (410, True)
