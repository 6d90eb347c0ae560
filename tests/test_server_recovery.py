"""Somebody follows a recovery link: where they are sent, what they are told, and what it costs the store."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from hashlib import sha256
from html.parser import HTMLParser

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from tajo.errors import Later, Mend
from tajo.server import recovery as door
from tajo.server.recovery import ROUTE, Recovery
from tajo.sync.ledger import carts, recoveries
from tajo.sync.ledger.carts import BOUGHT, GONE, OPEN, VANISHED
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.model import Cart, CartLine, cart_key
from tajo.sync.recovery import LASTING, LeftOut, Restored, Why, link

SECRET = Secret(b"s" * 32)
OLD = "09346904-4175-44fd-be53-f7e598531b6c"
NOW = 1_700_000_000.0
CART = Cart(
    id=cart_key(OLD).id,
    uuid=OLD,
    email="ann@x.test",
    lines=(CartLine(product_id=1, name="Shirt", price=Decimal(5)),),
)


class Till:
    """A store that makes carts: `restored` says how, `trouble` is raised instead."""

    def __init__(self, restored: Restored | None = None) -> None:
        self.restored = restored or Restored(uuid="?")
        self.trouble: Exception | None = None
        self.ready = asyncio.Event()
        self.ready.set()
        self.carts: list[str] = []
        self.gone: set[str] = set()
        self.entrances = 0

    async def recreate(self, cart: Cart, made: Callable[[str], Awaitable[None]]) -> Restored:
        assert cart == CART
        await self.ready.wait()
        if self.trouble:
            raise self.trouble
        if not self.restored.uuid:
            return self.restored
        uuid = f"{len(self.carts) + 1:08}-4175-44fd-be53-f7e598531b6c"
        self.carts.append(uuid)
        await made(uuid)
        return Restored(uuid=uuid, left_out=self.restored.left_out, coupons=self.restored.coupons)

    async def entrance(self, uuid: str) -> str | None:
        self.entrances += 1
        return None if uuid in self.gone else f"https://shop.example/cart?id={uuid}&n={self.entrances}"


class Browser:
    """Follows links, at a time that can be moved."""

    def __init__(self, till: Till, ledger: Ledger) -> None:
        self.till = till
        self.ledger = ledger
        self.now = NOW
        endpoint = Recovery({"shop": till}, ledger, lambda: self.now)
        app = Starlette(routes=[Route(ROUTE, endpoint, methods=["GET"])])
        transport = httpx.ASGITransport(app=app)
        self.http = httpx.AsyncClient(transport=transport, base_url="https://tajo.example")
        self.link = link(SECRET, "https://tajo.example", "shop", CART.id, NOW)

    async def click(self, url: str = "", **headers: str) -> httpx.Response:
        renamed = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.get(url or self.link, headers=renamed)

    async def clicks(self) -> dict[int, float]:
        async with self.ledger.begin() as tx:
            return await recoveries.clicks(tx, "shop", [CART.id])

    async def remember(self, state: str, *, sealed: bool = True) -> None:
        row = {"id": CART.id, "uuid": OLD, "person": b"p" * 16, "state": state, "amount": 50000}
        kept = SECRET.seal(CART, b"cart:%d" % CART.id) if sealed else None
        async with self.ledger.begin() as tx:
            await carts.remember(tx, "shop", [row | {"updated_at": NOW, "read_at": NOW, "sealed": kept}])


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    opened = await open_ledger(database_url, SECRET)
    yield opened
    await opened.close()


@asynccontextmanager
async def opened(ledger: Ledger, till: Till | None = None, state: str = OPEN) -> AsyncIterator[Browser]:
    browser = Browser(till or Till(), ledger)
    async with browser.http:
        await browser.remember(state)
        yield browser


@pytest.fixture
async def browser(ledger: Ledger) -> AsyncIterator[Browser]:
    async with opened(ledger) as made:
        yield made


class Page(HTMLParser):
    """What a browser would load, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.items: list[str] = []
        self.style = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "li":
            self.items += [data] if data.strip() else []
        if self.tags and self.tags[-1] == "style":
            self.style = self.style or data


# -- the way to the checkout


async def test_a_click_makes_the_cart_anew_and_leads_to_its_checkout(browser: Browser) -> None:
    answer = await browser.click()
    (uuid,) = browser.till.carts
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"https://shop.example/cart?id={uuid}&n=1",
    )
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    async with browser.ledger.begin() as tx:
        assert await recoveries.origin_of(tx, "shop", [cart_key(uuid).id]) == {cart_key(uuid).id: CART.id}
    assert await browser.clicks() == {CART.id: NOW}


async def test_it_works_again_later_and_on_another_device_each_time_with_a_cart_of_its_own(
    browser: Browser,
) -> None:
    for _ in range(3):
        assert (await browser.click()).status_code == 303
        browser.now += 3600
    assert len(browser.till.carts) == 3
    assert await browser.clicks() == {CART.id: NOW + 7200}


async def test_clicks_within_a_minute_share_a_cart_and_each_has_an_entrance_of_its_own(
    browser: Browser,
) -> None:
    browser.till.ready.clear()
    clicks = [asyncio.create_task(browser.click()) for _ in range(5)]
    await asyncio.sleep(0)
    browser.till.ready.set()
    places = {answer.headers["location"] for answer in await asyncio.gather(*clicks)}
    browser.now += 59
    places.add((await browser.click()).headers["location"])
    assert (len(browser.till.carts), len(places)) == (1, 6)


async def test_a_cart_that_was_emptied_meanwhile_is_not_shared(browser: Browser) -> None:
    await browser.click()
    browser.till.gone.update(browser.till.carts)
    answer = await browser.click()
    assert answer.status_code == 303
    assert browser.till.carts[1] in answer.headers["location"]


async def test_a_store_that_loses_every_cart_is_asked_twice_and_no_more(browser: Browser) -> None:
    browser.till.gone = {f"{number:08}-4175-44fd-be53-f7e598531b6c" for number in range(9)}
    assert (await browser.click()).status_code == 503
    assert len(browser.till.carts) == 2


async def test_a_cart_that_vanished_from_the_store_still_comes_back(ledger: Ledger) -> None:
    async with opened(ledger, state=VANISHED) as browser:
        assert (await browser.click()).status_code == 303


async def test_what_is_left_out_is_said_before_the_way_goes_on(ledger: Ledger) -> None:
    left_out = (LeftOut("Shirt <b>", Why.SOLD_OUT), LeftOut("Hat", Why.FEWER, 2))
    async with opened(ledger, Till(Restored(uuid="?", left_out=left_out, coupons=("TEN",)))) as browser:
        answer = await browser.click()
    page = Page(answer.text)
    assert answer.status_code == 200
    assert page.items == ["Shirt <b> is sold out", "Hat: only 2 left", "The coupon TEN is not taken any more"]
    assert page.links == [f"https://shop.example/cart?id={browser.till.carts[0]}&n=1"]


async def test_where_the_store_makes_the_cart_the_click_is_noted_all_the_same(ledger: Ledger) -> None:
    shortcut = "https://shop.example/checkout/?products=1:1"
    async with opened(ledger, Till(Restored(url=shortcut))) as browser:
        answer = await browser.click()
        assert (answer.status_code, answer.headers["location"]) == (303, shortcut)
        assert await browser.clicks() == {CART.id: NOW}


async def test_nothing_left_to_buy_is_said(ledger: Ledger) -> None:
    gone = LeftOut("Shirt", Why.NO_LONGER_SOLD)
    async with opened(ledger, Till(Restored(left_out=(gone,)))) as browser:
        answer = await browser.click()
        assert (answer.status_code, Page(answer.text).items) == (410, ["Shirt is no longer sold"])
        assert (Page(answer.text).links, await browser.clicks()) == ([], {})


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil.example/", "data:text/html,x"])
async def test_an_address_that_is_none_of_the_web_leads_nowhere(ledger: Ledger, url: str) -> None:
    async with opened(ledger, Till(Restored(url=url))) as browser:
        answer = await browser.click()
        assert (answer.status_code, url in answer.text) == (503, False)


# -- what costs the store nothing


async def test_looking_at_a_link_makes_nothing(browser: Browser) -> None:
    head = await browser.http.head(browser.link)
    assert (head.status_code, head.text) == (200, "")
    assert (await browser.click(sec_purpose="prefetch;prerender")).status_code == 503
    assert (await browser.click(purpose="prefetch")).status_code == 503
    assert (browser.till.carts, await browser.clicks()) == ([], {})


async def test_a_link_that_is_hammered_is_left_alone_for_a_while(browser: Browser) -> None:
    answers = [await browser.click() for _ in range(12)]
    assert [answer.status_code for answer in answers] == [303] * 10 + [429] * 2
    assert answers[-1].headers["retry-after"] == "60"
    another = link(SECRET, "https://tajo.example", "shop", CART.id, NOW + 1)
    assert (await browser.click(another)).status_code == 429
    browser.now += 60
    assert (await browser.click()).status_code == 303


# -- what does not lead anywhere


@pytest.mark.parametrize(
    ("state", "words"), [(BOUGHT, "was bought"), (GONE, "not there any more"), ("", "not there any more")]
)
async def test_a_cart_that_is_not_there_says_why(browser: Browser, state: str, words: str) -> None:
    if state:
        await browser.remember(state, sealed=False)
    else:
        browser.link = link(SECRET, "https://tajo.example", "shop", 7, NOW)
    answer = await browser.click()
    assert (answer.status_code, words in answer.text) == (410, True)
    assert browser.till.carts == []


async def test_a_link_expires(browser: Browser) -> None:
    browser.now = NOW + LASTING - 1
    assert (await browser.click()).status_code == 303
    browser.now += 1
    answer = await browser.click()
    assert (answer.status_code, "has expired" in answer.text) == (410, True)
    assert (await browser.http.head(browser.link)).status_code == 410


async def test_links_that_are_not_ours_or_of_no_store_of_ours_all_look_the_same(browser: Browser) -> None:
    elsewhere = link(SECRET, "https://tajo.example", "another", CART.id, NOW)
    forged = link(Secret(b"t" * 32), "https://tajo.example", "shop", CART.id, NOW)
    answers = [
        await browser.click(url)
        for url in (
            elsewhere,
            forged,
            browser.link[:-4],
            browser.link + "A",
            "/r/x",
            "/r/%00",
            "/r/" + "A" * 9000,
        )
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1


@pytest.mark.parametrize(
    "trouble", [Later("GET /v3/x failed 2 times"), Mend("no scope"), RuntimeError("ann@x.test")]
)
async def test_a_store_that_cannot_be_reached_is_tried_again_by_whoever_wants(
    browser: Browser, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    browser.till.trouble = trouble
    with caplog.at_level(logging.ERROR):
        answer = await browser.click()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert Page(answer.text).links == [""]
    assert "cannot be brought back" in caplog.text
    assert "ann@x.test" not in caplog.text
    browser.till.trouble = None
    assert (await browser.click()).status_code == 303


async def test_a_shopper_is_not_kept_waiting_and_what_was_begun_is_there_when_they_come_back(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "PATIENCE", 0.01)
    browser.till.ready.clear()
    assert (await browser.click()).status_code == 503
    monkeypatch.undo()
    browser.till.ready.set()
    assert (await browser.click()).status_code == 303
    assert len(browser.till.carts) == 1


# -- the pages themselves


async def test_pages_load_nothing_and_are_kept_by_nobody(ledger: Ledger) -> None:
    async with opened(ledger, Till(Restored(uuid="?", coupons=("TEN",)))) as browser:
        answers = [await browser.click(url) for url in ("", "/r/x")]
        browser.now = NOW + LASTING
        answers.append(await browser.click())
    for answer in answers:
        page = Page(answer.text)
        assert not {"script", "img", "link", "iframe", "form"} & set(page.tags)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert b64encode(sha256(page.style.encode()).digest()).decode() in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"].startswith("noindex")
        assert 'name="viewport"' in answer.text
        assert "color-scheme: light dark" in page.style
        assert "ann@x.test" not in answer.text
        assert browser.link.rpartition("/")[2] not in answer.text
