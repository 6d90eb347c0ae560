"""A browser, an invented shop and Tajo's public doors, on ports of their own: strangers to the browser."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, async_playwright
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from tajo.server import back_in_stock
from tajo.server.problems import problem
from tajo.server.serve import serve
from tajo.sync.ledger import wishes
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tests.browser.shop import Look, Product, Shop

NOW = 1_700_000_000.0

ABSENT = (
    "Chromium is not here, and these tests drive it. Install Debian's package `chromium` "
    "(`apt-get install chromium`), or leave them out: pytest --ignore tests/browser"
)

#: Names of hosts lead nowhere: no test leaves this machine.
FLAGS = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One for all tests of a process. Fails, rather than skips, where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        pytest.fail(ABSENT, pytrace=False)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        await started.close()


class Visit:
    """A shopper before a page of the shop. `complaints`: errors of scripts, breaches of the page's policy."""

    def __init__(self, page: Page, shop: Shop, url: str, ledger: Ledger, tajo: AsyncExitStack) -> None:
        self.page = page
        self.shop = shop
        self.form = page.locator("form.tajo-back-in-stock")
        self.email = self.form.locator("input[type=email]")
        self.send = self.form.get_by_role("button")
        self.said = self.form.get_by_role("status")
        self.cart_button = page.locator("#form-action-addToCart")
        self.complaints: list[str] = []
        self._url = url
        self._ledger = ledger
        self._tajo = tajo
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)

    async def see(self, product: Product, **look: Any) -> None:
        """Open the page of a product, made as `Look` says, and wait until its scripts have run."""
        self.shop.look = Look(**look)
        await self.page.goto(f"{self._url}/product/{product.id}")

    async def choose(self, variant: str) -> None:
        """Choose a variant, and wait until the shop has told the page of it."""
        async with self.page.expect_response("**/remote/v1/product-attributes/*"):
            await self.page.get_by_label(variant).check()

    async def ask(self, email: str) -> None:
        """Fill in the form and send it."""
        await self.email.fill(email)
        await self.send.click()

    @asynccontextmanager
    async def held(self, address: str) -> AsyncIterator[list[Route]]:
        """Requests to this address get no answer before the block ends; those that came, then and later."""
        came: list[Route] = []
        free = asyncio.Event()

        async def hold(route: Route) -> None:
            came.append(route)
            await free.wait()
            await route.continue_()

        await self.page.route(address, hold)
        try:
            yield came
        finally:
            free.set()

    async def wishes(self) -> list[tuple[str, int, int]]:
        """Who waits for which product and variant."""
        async with self._ledger.begin() as tx:
            found = await wishes.to_hand_on(tx, "shop", 999)
        return sorted((one.email(self._ledger.secret), one.product, one.variant) for one in found)

    async def tajo_goes_down(self) -> None:
        """Nobody listens there any more."""
        await self._tajo.aclose()

    def _heard(self, message: Any) -> None:
        if "Content Security Policy" in message.text:
            self.complaints.append(message.text)


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[str]:
    """Serve it on a port of its own; its URL."""
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    task = asyncio.create_task(serve(app, "127.0.0.1", 0, stop=stop, listening=url.set_result))
    try:
        yield await url
    finally:
        stop.set()
        await task


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, tmp_path: Path) -> AsyncIterator[Visit]:
    """A shopper, a shop and Tajo; in the end no script has complained."""
    origins: dict[str, frozenset[str]] = {}
    async with AsyncExitStack() as stack:
        ledger = await open_ledger(f"sqlite:///{tmp_path}/t.db", Secret(b"s" * 32))
        stack.push_async_callback(ledger.close)
        box = await stack.enter_async_context(wishes.open_wishes(ledger, lambda _: None, now=lambda: NOW))
        doors = back_in_stock.routes(origins, box, lambda: NOW)
        tajo = await stack.enter_async_context(AsyncExitStack())
        shop = Shop(
            await tajo.enter_async_context(
                listening(Starlette(routes=doors, exception_handlers={HTTPException: problem}))
            )
        )
        url = await stack.enter_async_context(listening(shop.app))
        origins["shop"] = back_in_stock.origins_of([url])
        page = await browser.new_page(viewport={"width": 1100, "height": 900})
        stack.push_async_callback(page.close)
        visit = Visit(page, shop, url, ledger, tajo)
        yield visit
    assert visit.complaints == []
