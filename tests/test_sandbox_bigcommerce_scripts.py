"""Scripts of the simulated store: who may have which, and the pages that show them."""

from __future__ import annotations

import pytest

from tests.sandbox_shop import Shop

SCRIPTS = "/v3/content/scripts"
SCRIPT = {"name": "Back in stock", "kind": "src", "src": "https://example.com/stock.js"}
PAGE = "http://sandbox/blue-bag-103/"


@pytest.fixture
async def shop():
    async with Shop() as shop:
        yield shop


async def added(shop, **fields):
    answer = await shop.send("POST", SCRIPTS, {**SCRIPT, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_a_product_page_carries_the_scripts_of_its_storefront(shop):
    await shop.listen("store/channel/1/script/created", "store/channel/1/script/updated")
    made = await added(shop, load_method="async", consent_category="functional")
    page = await shop.http.get(PAGE)
    assert '<script src="https://example.com/stock.js" async></script>' in page.text
    assert '<input type="hidden" name="product_id" value="103">' in page.text
    await shop.send("PUT", f"{SCRIPTS}/{made['uuid']}", {"enabled": False})
    assert "stock.js" not in (await shop.http.get(PAGE)).text
    assert await shop.heard() == {"store/channel/1/script/created": 1, "store/channel/1/script/updated": 1}
    assert (await shop.send("DELETE", f"{SCRIPTS}/{made['uuid']}")).status_code == 204
    assert (await shop.get(f"{SCRIPTS}/{made['uuid']}")).status_code == 404


async def test_a_product_page_is_there_only_where_the_product_is_sold(shop):
    await added(shop, channel_id=1002)
    assert (await shop.http.get(f"{PAGE}?channel_id=1002")).status_code == 404
    trade = await shop.http.get("http://sandbox/heavy-apron-104/?channel_id=1002")
    assert (trade.status_code, "stock.js" in trade.text) == (200, True)
    assert (await shop.http.get("http://sandbox/heavy-apron-104/")).status_code == 404
    assert (await shop.http.get("http://sandbox/no-such-thing/")).status_code == 404


async def test_a_product_page_says_what_is_sold_out(shop):
    product = shop.store.products[103]
    assert 'data-in-stock="true"' in (await shop.http.get(PAGE)).text
    shop.store.products.put(103, {**product, "inventory_tracking": "product", "inventory_level": 0})
    assert 'data-in-stock="false"' in (await shop.http.get(PAGE)).text


async def test_visibility_decides_on_which_pages(shop):
    for where in ("storefront", "all_pages", "checkout", "order_confirmation"):
        await added(shop, name=where, src=f"https://example.com/{where}.js", visibility=where)
    checkout = await shop.http.get("http://sandbox/checkout/?products=103:1")
    key = next(iter(shop.world.carts))
    pages = {
        "product": await shop.http.get(PAGE),
        "checkout": checkout,
        "done": await shop.http.post(f"http://sandbox/checkout/{key}", data={"email": "s@example.com"}),
    }
    names = ("storefront", "all_pages", "checkout", "order_confirmation")
    seen = {page: {n for n in names if f"/{n}.js" in answer.text} for page, answer in pages.items()}
    assert seen == {
        "product": {"storefront", "all_pages"},
        "checkout": {"checkout", "all_pages"},
        "done": {"order_confirmation", "all_pages"},
    }


async def test_behind_a_cookie_banner_only_essential_scripts_show(shop):
    await added(shop, src="https://example.com/unknown.js")
    await added(shop, src="https://example.com/essential.js", consent_category="essential")
    await shop.control("POST", "cookie-banner", {"on": True})
    page = (await shop.http.get(PAGE)).text
    assert ("essential.js" in page, "unknown.js" in page) == (True, False)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": ""}, "name"),
        ({"src": ""}, "src"),
        ({"html": "<script></script>"}, "html"),
        ({"kind": "script_tag", "src": None, "html": "<script></script><script></script>"}, "html"),
        ({"kind": "script_tag", "src": None, "html": "<p></p>"}, "html"),
        ({"visibility": "everywhere"}, "visibility"),
        ({"consent_category": "nice"}, "consent_category"),
        ({"channel_id": 7}, "channel_id"),
    ],
)
async def test_a_malformed_script_is_refused(shop, fields, wrong):
    answer = await shop.send("POST", SCRIPTS, {**SCRIPT, **fields})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [wrong])


async def test_a_script_tag_is_shown_as_it_is(shop):
    html = '<script>window.stock = "1";</script>'
    await added(shop, kind="script_tag", src="", html=html, location="head")
    page = (await shop.http.get(PAGE)).text
    assert html in page.partition("</head>")[0]


async def test_an_app_has_ten_scripts_and_sees_no_others(shop):
    for n in range(10):
        await added(shop, name=f"Script {n}", auto_uninstall=n % 2 == 0)
    assert (await shop.send("POST", SCRIPTS, SCRIPT)).status_code == 422
    names = [row["name"] for row in await shop.data(SCRIPTS, sort="name", direction="desc")]
    assert names[0] == "Script 9"
    other = {"client_id": "other", "client_secret": "other-secret", "access_token": "other-token"}
    await shop.control("POST", "accounts", other)
    await shop.http.delete("http://sandbox/_sandbox/accounts/sandbox-client-id")
    assert len(shop.world.scripts) == 5  # those that are not uninstalled by themselves
    shop.http.headers["X-Auth-Token"] = "other-token"
    assert await shop.data(SCRIPTS) == []


async def test_pages_of_the_checkout_need_a_scope_of_their_own():
    async with Shop(scopes=["store_v2_content"]) as shop:
        await added(shop)
        for where in ("checkout", "all_pages"):
            refused = await shop.send("POST", SCRIPTS, {**SCRIPT, "visibility": where})
            assert refused.status_code == 403
