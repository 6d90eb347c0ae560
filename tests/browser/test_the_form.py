"""The form that asks who wishes to be told, as shoppers meet it on the pages of a shop."""

from __future__ import annotations

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.shop import KETTLE, LAMP, ROPE, SCARF, VASE

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASKS = "E-mail me when it is back in stock"
THANKS = "Thank you. We will write to you."
WRONG = "Please check the address."
FAILED = "That did not work. Please try again later."
SERIF = '"DejaVu Serif", serif'


# -- where it is shown


@pytest.mark.parametrize("theme", ["stencil", "bare"])
async def test_nothing_is_asked_where_a_product_is_in_stock(visit: Visit, theme: str) -> None:
    await visit.see(KETTLE, theme=theme)
    await expect(visit.form).to_have_count(0)


async def test_the_page_of_a_product_that_is_sold_out_asks(visit: Visit) -> None:
    await visit.see(LAMP)
    await expect(visit.form).to_be_visible()
    await expect(visit.page.get_by_text(ASKS)).to_be_visible()


async def test_a_product_in_stock_that_only_members_may_buy_is_not_called_sold_out(visit: Visit) -> None:
    await visit.see(VASE)
    await expect(visit.cart_button).to_be_hidden()
    await expect(visit.form).to_have_count(0)


async def test_it_comes_and_goes_with_the_variant_that_is_chosen(visit: Visit) -> None:
    await visit.see(SCARF)
    await expect(visit.form).to_have_count(0)
    await visit.choose("Blue")
    await expect(visit.form).to_be_visible()
    await visit.choose("Red")
    await expect(visit.form).to_have_count(0)


async def test_it_goes_when_a_variant_of_a_product_that_was_sold_out_can_be_bought(visit: Visit) -> None:
    await visit.see(ROPE)
    await expect(visit.form).to_be_visible()
    await visit.choose("Thick")
    await expect(visit.cart_button).to_be_visible()
    await expect(visit.form).to_have_count(0)


async def test_it_does_not_flash_up_while_something_is_put_into_the_cart(visit: Visit) -> None:
    await visit.see(KETTLE)
    async with visit.held("**/cart/add"):
        await visit.cart_button.click()
        await expect(visit.cart_button).to_be_disabled()
        await expect(visit.form).to_have_count(0)
    await expect(visit.page.locator(".cart-count")).to_have_text("1")
    await expect(visit.form).to_have_count(0)


async def test_it_stands_where_the_theme_wants_it_and_says_what_it_says(visit: Visit) -> None:
    await visit.see(LAMP, place="outside")
    place = visit.page.locator("[data-tajo-back-in-stock]")
    await expect(place.get_by_role("textbox", name="Sagt mir, wenn es wieder da ist")).to_be_visible()
    await expect(visit.send).to_have_text("Bitte")
    await visit.ask("ann@shop")
    await expect(visit.said).to_have_text("Stimmt das?")
    await visit.ask("ann@x.test")
    await expect(visit.said).to_have_text("Danke.")
    await visit.tajo_goes_down()
    await visit.ask("ann@x.test")
    await expect(visit.said).to_have_text("Leider nein.")


async def test_it_comes_when_the_cookie_banner_lets_the_script_in(visit: Visit) -> None:
    await visit.see(LAMP, script="consented")
    await visit.ask("ann@x.test")
    await expect(visit.said).to_have_text(THANKS)


# -- asking


async def test_who_asks_is_thanked_and_their_wish_is_kept(visit: Visit) -> None:
    await visit.see(LAMP)
    await visit.ask("ann@x.test")
    await expect(visit.said).to_have_text(THANKS)
    await expect(visit.email).to_have_value("")
    assert await visit.wishes() == [("ann@x.test", 18, 0)]


async def test_who_chose_a_variant_waits_for_that_one(visit: Visit) -> None:
    await visit.see(SCARF)
    await visit.choose("Blue")
    await visit.ask("ann@x.test")
    await expect(visit.said).to_have_text(THANKS)
    await visit.choose("Grey")
    await expect(visit.said).to_be_empty()
    await visit.ask("ann@x.test")
    await expect(visit.said).to_have_text(THANKS)
    assert await visit.wishes() == [("ann@x.test", 19, 192), ("ann@x.test", 19, 193)]


async def test_where_the_shop_does_not_say_which_variant_it_is_any_will_do(visit: Visit) -> None:
    await visit.see(SCARF)
    await visit.choose("Blue")
    visit.shop.broken = True
    await visit.ask("ann@x.test")
    await expect(visit.said).to_have_text(THANKS)
    assert await visit.wishes() == [("ann@x.test", 19, 0)]


async def test_what_is_no_address_is_not_sent(visit: Visit) -> None:
    await visit.see(LAMP)
    async with visit.held("**/v1/back-in-stock") as sent:
        await visit.ask("ann")
        assert await visit.email.evaluate("field => field.matches(':invalid:focus')")
    assert sent == []


async def test_an_address_that_cannot_exist_is_to_be_mended(visit: Visit) -> None:
    await visit.see(LAMP)
    await visit.ask("ann@shop")
    await expect(visit.said).to_have_text(WRONG)
    await expect(visit.email).to_be_focused()
    await expect(visit.email).to_have_value("ann@shop")
    await expect(visit.email).to_have_attribute("aria-invalid", "true")
    await visit.ask("ann@shop.test")
    await expect(visit.said).to_have_text(THANKS)
    await expect(visit.email).to_have_attribute("aria-invalid", "false")


async def test_when_tajo_is_down_the_address_stays_for_another_try(visit: Visit) -> None:
    await visit.see(LAMP)
    await visit.tajo_goes_down()
    await visit.ask("ann@x.test")
    await expect(visit.said).to_have_text(FAILED)
    await expect(visit.email).to_have_value("ann@x.test")


async def test_who_asks_too_often_is_told_to_come_later(visit: Visit) -> None:
    await visit.see(LAMP)
    origin = {"origin": await visit.page.evaluate("location.origin")}
    async with httpx.AsyncClient() as client:
        for _ in range(10):
            await client.post(f"{visit.shop.tajo}/v1/back-in-stock", json={}, headers=origin)
    async with visit.page.expect_response("**/v1/back-in-stock") as answer:
        await visit.ask("ann@x.test")
    assert (await answer.value).status == 429
    await expect(visit.said).to_have_text(FAILED)
    assert await visit.wishes() == []


async def test_asking_twice_in_one_breath_asks_once(visit: Visit) -> None:
    await visit.see(LAMP)
    async with visit.held("**/v1/back-in-stock") as sent:
        await visit.email.fill("ann@x.test")
        await visit.send.dblclick()
        await visit.email.press("Enter")
        await expect(visit.send).to_have_attribute("aria-disabled", "true")
    await expect(visit.said).to_have_text(THANKS)
    await expect(visit.send).not_to_have_attribute("aria-disabled", "true")
    assert len(sent) == 1


# -- without a mouse, and without eyes


async def test_the_keyboard_is_enough(visit: Visit) -> None:
    await visit.see(SCARF)
    await visit.page.get_by_label("Blue").press("Space")
    await expect(visit.form).to_be_visible()
    await visit.page.keyboard.press("Tab")
    await visit.page.keyboard.press("Tab")
    await expect(visit.email).to_be_focused()
    assert await visit.email.evaluate("field => getComputedStyle(field).outlineStyle") == "solid"
    await visit.page.keyboard.type("ann@x.test")
    await visit.page.keyboard.press("Tab")
    await expect(visit.send).to_be_focused()
    await visit.page.keyboard.press("Space")
    await expect(visit.said).to_have_text(THANKS)
    await expect(visit.send).to_be_focused()
    await visit.page.keyboard.press("Shift+Tab")
    await visit.page.keyboard.type("ben@x.test")
    await visit.page.keyboard.press("Enter")
    await expect(visit.email).to_have_value("")
    assert [email for email, *_ in await visit.wishes()] == ["ann@x.test", "ben@x.test"]


async def test_a_screen_reader_hears_what_is_asked_and_what_came_of_it(visit: Visit) -> None:
    await visit.see(LAMP)
    await expect(visit.form.get_by_role("textbox")).to_have_accessible_name(ASKS)
    await expect(visit.send).to_have_accessible_name("Tell me")
    await visit.ask("ann@shop")
    await expect(visit.said).to_have_text(WRONG)
    await expect(visit.email).to_have_accessible_description(WRONG)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("theme", ["stencil", "bare"])
async def test_nothing_in_it_shuts_anybody_out(visit: Visit, theme: str, scheme: str) -> None:
    await visit.page.emulate_media(color_scheme=scheme)
    await visit.see(LAMP, theme=theme)
    assert await barriers(visit.page) == []
    await visit.ask("ann@shop")
    await expect(visit.said).to_have_text(WRONG)
    assert await barriers(visit.page) == []
    await visit.ask("ann@x.test")
    await expect(visit.said).to_have_text(THANKS)
    assert await barriers(visit.page) == []


async def barriers(page: Page) -> list[str]:
    """What axe finds in the form."""
    found = await Axe().run(page, context=[".tajo-back-in-stock"])
    return [f"{one['id']} ({one['impact']})" for one in found.response["violations"]]


# -- its looks


async def test_it_wears_what_the_theme_wears(visit: Visit) -> None:
    for scheme, ink, brand in (
        ("light", "rgb(43, 29, 58)", "rgb(107, 45, 140)"),
        ("dark", "rgb(239, 230, 247)", "rgb(211, 164, 240)"),
    ):
        await visit.page.emulate_media(color_scheme=scheme)
        await visit.see(LAMP)
        for part in (visit.form, visit.email, visit.send, visit.said):
            await expect(part).to_have_css("font-family", SERIF)
        for part in (visit.form, visit.email, visit.said):
            await expect(part).to_have_css("color", ink)
        await expect(visit.send).to_have_css("background-color", brand)


async def test_a_theme_that_knows_nothing_of_it_still_gets_a_field_and_a_button(visit: Visit) -> None:
    await visit.see(LAMP, theme="bare")
    for part in (visit.email, visit.send):
        await expect(part).to_have_css("border-top-width", "1px")
        await expect(part).to_have_css("color", "rgb(233, 245, 239)")
        await expect(part).to_have_css("font-family", '"DejaVu Sans", sans-serif')
        assert await part.evaluate("part => parseFloat(getComputedStyle(part).paddingLeft)") > 8


async def test_a_browser_that_cannot_take_its_style_still_asks(visit: Visit) -> None:
    await visit.page.add_init_script("delete CSSStyleSheet.prototype.replaceSync")
    await visit.see(LAMP)
    await expect(visit.form.locator("input:visible")).to_have_count(1)
    await visit.ask("ann@x.test")
    await expect(visit.said).to_have_text(THANKS)


@pytest.mark.parametrize("theme", ["stencil", "bare"])
async def test_it_fits_the_narrowest_telephone(visit: Visit, theme: str) -> None:
    await visit.page.set_viewport_size({"width": 360, "height": 740})
    await visit.see(LAMP, theme=theme)
    await visit.ask("ann@shop")
    await expect(visit.said).to_have_text(WRONG)
    assert await visit.page.evaluate("document.documentElement.scrollWidth") <= 360
    for part in (visit.email, visit.send):
        box = await part.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert box["height"] >= 24  # WCAG 2.2: 2.5.8


# -- what it leaves alone


async def test_a_page_without_it_is_as_if_the_script_were_not_there(visit: Visit) -> None:
    await visit.see(KETTLE, script="no")
    without = await visit.page.evaluate(BODY)
    await visit.see(KETTLE)
    assert await visit.page.evaluate(BODY) == without
    assert await visit.page.evaluate("document.adoptedStyleSheets.length") == 0
    assert await visit.page.evaluate(SHIFTS) == 0


BODY = "document.body.innerHTML.replace(/<script src[^]*?<.script>/, '').trim()"
SHIFTS = """() => new Promise((answer) => {
    const shifts = [];
    new PerformanceObserver((list) => shifts.push(...list.getEntries())).observe(
        {type: 'layout-shift', buffered: true});
    requestAnimationFrame(() => requestAnimationFrame(() => answer(shifts.length)));
})"""


async def test_no_global_name_is_left_behind(visit: Visit) -> None:
    names = "Object.getOwnPropertyNames(window).sort()"
    await visit.see(LAMP, script="no")
    without = await visit.page.evaluate(names)
    await visit.see(LAMP)
    await visit.ask("ann@x.test")
    await expect(visit.said).to_have_text(THANKS)
    assert await visit.page.evaluate(names) == without


async def test_within_the_form_for_the_cart_it_puts_nothing_into_the_cart(visit: Visit) -> None:
    await visit.see(SCARF, place="inside")
    await visit.choose("Blue")
    await visit.ask("ann@x.test")
    await expect(visit.said).to_have_text("Danke.")
    await expect(visit.form).to_be_visible()
    assert visit.shop.added == []
    assert await visit.wishes() == [("ann@x.test", 19, 192)]
    await visit.choose("Red")
    await expect(visit.form).to_have_count(0)
    await visit.cart_button.click()
    await expect(visit.page.locator(".cart-count")).to_have_text("1")
    assert visit.shop.added[0].keys() == {"action", "product_id", "attribute[5]", "qty[]"}


async def test_the_strictest_policy_of_a_page_is_kept(visit: Visit) -> None:
    await visit.see(LAMP, strict=True)
    await expect(visit.form.locator("input:visible")).to_have_count(1)
    await expect(visit.form.locator("div")).to_have_css("display", "flex")
    await visit.ask("ann@x.test")
    await expect(visit.said).to_have_text(THANKS)
    assert await visit.wishes() == [("ann@x.test", 18, 0)]
