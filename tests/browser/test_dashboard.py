"""The dashboard of a server that runs, between two simulators, as people meet it in a browser."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from tajo import config
from tajo.app import Tajo
from tajo.live import serve
from tajo.sync.ledger import queue
from tajo.sync.model import Key, Resource
from tajo.wiring import open_wiring
from tests.served import PLAIN, both

pytestmark = pytest.mark.asyncio(loop_scope="session")

SMALL = ("--customers", "40", "--orders", "60", "--products", "8", "--plan", "unlimited")
SHOP, NAME, PASSWORD = "bigcommerce", "ada", "violet ladder harbour"
REASON = "the e-mail address cannot exist"
PAGES = [
    "/",
    f"/connectors/{SHOP}",
    "/activity",
    "/runs",
    "/failures",
    "/failures?dismissed=true",
    "/hooks",
    f"/preview?connector={SHOP}&kind=customer&id=7",
    f"/preview?connector={SHOP}&kind=customer&id=999999",
    "/skills",
    "/doctor",
    "/settings",
    "/nowhere",
]


@dataclass
class Server:
    """`tajo serve`. `link`: lets the first person in."""

    env: dict[str, str]
    file: Path
    url: str
    said: list[str] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    session: Any = None

    def say(self, line: str) -> None:
        self.said.append(line)
        if "the history is told" in line:
            self.begun.set()

    @property
    def link(self) -> str:
        return next(found[0] for line in self.said if (found := re.search(r"http\S+/setup\S+", line)))

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[Tajo]:
        """What somebody does who does not use the dashboard."""
        async with open_wiring(config.load(self.file, self.env), self.env) as wiring:
            yield Tajo(wiring)

    async def park(self, *numbers: int) -> None:
        """These orders could not be delivered, once upon a time."""
        async with (
            open_wiring(config.load(self.file, self.env), self.env) as wiring,
            wiring.ledger.begin() as tx,
        ):
            refusals = [(Key(Resource.ORDERS, number), REASON, None) for number in numbers]
            await queue.park(tx, SHOP, refusals, now=wiring.now())

    async def change(self, customer: int, **fields: Any) -> None:
        """Somebody changes a customer in the store."""
        url = f"{self.env['TAJO_BIGCOMMERCE_API_URL']}/stores/{self.env['BC_STORE_HASH']}/v3/customers"
        headers = {"x-auth-token": self.env["BC_ACCESS_TOKEN"]}
        async with httpx.AsyncClient(verify=PLAIN) as client:
            answer = await client.put(url, json=[{"id": customer, **fields}], headers=headers)
            answer.raise_for_status()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """It runs, and has told the history."""
    folder = tmp_path_factory.mktemp("dashboard")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    file = folder / "tajo.yaml"
    file.write_text(f"server: {{public_url: 'http://127.0.0.1:{port}'}}\n")
    stop = asyncio.Event()
    with both(SMALL, (), f"sqlite:///{folder}/t.db") as env:
        server = Server(env, file, f"http://127.0.0.1:{port}")
        async with open_wiring(config.load(file, env), env) as wiring:
            work = serve(wiring, host="127.0.0.1", port=port, stop=stop, say=server.say)
            task = asyncio.create_task(work)
            try:
                async with asyncio.timeout(60):
                    await server.begun.wait()
                yield server
            finally:
                stop.set()
                await task


class Desk:
    """Somebody who is signed in. `complaints`: errors of scripts, breaches of the page's policy."""

    def __init__(self, server: Server, context: BrowserContext, page: Page) -> None:
        self.server = server
        self.context = context
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)

    async def see(self, path: str) -> None:
        await self.page.goto(self.server.url + path)

    async def sign_in(self) -> None:
        await self.page.get_by_label("Name").fill(NAME)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Sign in").click()

    async def told(self, words: str | re.Pattern[str]) -> None:
        """What the page tells of what was just done."""
        await expect(self.page.locator(".flash").first).to_contain_text(words)

    def _heard(self, message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)


@pytest_asyncio.fixture(loop_scope="session")
async def stranger(server: Server, browser: Browser) -> AsyncIterator[Desk]:
    """Somebody who is not signed in."""
    async with AsyncExitStack() as stack:
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        stack.push_async_callback(context.close)
        desk = Desk(server, context, await context.new_page())
        yield desk
    assert desk.complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def desk(stranger: Desk) -> Desk:
    """Somebody who is; the first one comes by the link."""
    server = stranger.server
    if server.session is None:
        await stranger.page.goto(server.link)
        await stranger.page.get_by_label("Name").fill(NAME)
        await stranger.page.get_by_label("Password").fill(PASSWORD)
        await stranger.page.get_by_role("button", name="Begin").click()
        await expect(stranger.page.get_by_role("status").first).to_contain_text(f"Welcome, {NAME}")
        server.session = await stranger.context.cookies()
    await stranger.context.add_cookies(server.session)
    return stranger


async def test_whoever_is_not_signed_in_sees_a_page_after_it(desk: Desk) -> None:
    await desk.context.clear_cookies()
    await desk.see("/failures")
    await expect(desk.page.get_by_role("heading", level=1)).to_have_text("Sign in")
    await desk.sign_in()
    await expect(desk.page).to_have_url(f"{desk.server.url}/failures")
    await desk.page.get_by_role("button", name="Sign out").click()
    await expect(desk.page).to_have_url(f"{desk.server.url}/signin")
    await desk.see("/")
    await expect(desk.page).to_have_url(f"{desk.server.url}/signin")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
async def test_every_page_is_legible_and_whole(desk: Desk, scheme: Any, width: int) -> None:
    await desk.server.park(3, 4, 30)
    async with desk.server.beside() as tajo:
        await tajo.dismiss(SHOP, ["orders/30"])
    await desk.page.emulate_media(color_scheme=scheme)
    await desk.page.set_viewport_size({"width": width, "height": 900})
    for path in PAGES:
        await desk.see(path)
        await expect(desk.page.get_by_role("heading", level=1)).to_have_count(1)
        assert await desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        found = await Axe().run(desk.page)
        wrong = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
        assert [(one["id"], one["nodes"][0]["target"]) for one in wrong] == [], path


FITS = """[...document.querySelectorAll("main table")].every(
    (table) => table.offsetWidth <= table.parentElement.clientWidth
)"""


async def test_every_table_fits_whatever_the_width(desk: Desk) -> None:
    await desk.server.park(3)
    for path in ("/", "/runs", "/failures", "/settings"):
        await desk.see(path)
        for width in (1280, 1180, 1060, 900, 700, 480, 360):
            await desk.page.set_viewport_size({"width": width, "height": 900})
            assert await desk.page.evaluate(FITS), (path, width)


@pytest.mark.parametrize("path", ["/signin", "/setup?token=x"])
async def test_the_door_is_legible_too(stranger: Desk, path: str) -> None:
    await stranger.see(path)
    found = await Axe().run(stranger.page)
    assert [one["id"] for one in found.response["violations"] if one["impact"] != "minor"] == []


async def test_a_failure_is_replayed_by_its_button(desk: Desk) -> None:
    await desk.server.park(5, 6)
    await desk.see("/failures")
    await desk.page.get_by_role("button", name="Replay orders/5").click()
    await desk.told("1 record got through.")
    await expect(desk.page.get_by_label("Select orders/5")).to_have_count(0)
    await expect(desk.page.get_by_label("Select orders/6")).to_have_count(1)


async def test_those_that_were_chosen_are_replayed(desk: Desk) -> None:
    await desk.server.park(7, 8, 9)
    await desk.see("/failures")
    await desk.page.get_by_label("Select orders/7").check()
    await desk.page.get_by_label("Select orders/9").check()
    await desk.page.get_by_role("button", name="Replay selected").click()
    await desk.told("2 records got through.")
    await expect(desk.page.get_by_label("Select orders/8")).to_have_count(1)


async def test_a_failure_is_dismissed_by_its_button_and_comes_back_by_replay(desk: Desk) -> None:
    await desk.server.park(13, 14)
    await desk.see("/failures")
    await desk.page.get_by_role("button", name="Dismiss orders/13", exact=True).click()
    await desk.told("1 record dismissed.")
    await expect(desk.page.get_by_label("Select orders/13", exact=True)).to_have_count(0)
    await expect(desk.page.get_by_label("Select orders/14", exact=True)).to_have_count(1)
    await desk.page.get_by_role("link", name="dismissed").click()
    await expect(desk.page.get_by_role("heading", level=1)).to_have_text("Dismissed failures")
    await expect(desk.page.get_by_label("Select orders/14", exact=True)).to_have_count(0)
    await desk.page.get_by_role("button", name="Replay orders/13", exact=True).click()
    await desk.told("1 record got through.")


async def test_those_that_were_chosen_are_dismissed(desk: Desk) -> None:
    await desk.server.park(15, 16, 17)
    await desk.see("/failures")
    await desk.page.get_by_label("Select orders/15", exact=True).check()
    await desk.page.get_by_label("Select orders/17", exact=True).check()
    await desk.page.get_by_role("button", name="Dismiss selected").click()
    await desk.told("2 records dismissed.")
    await expect(desk.page.get_by_label("Select orders/16", exact=True)).to_have_count(1)


async def test_webhooks_that_are_gone_are_made_again(desk: Desk) -> None:
    async with desk.server.beside() as tajo:
        await tajo.remove_hooks(SHOP)
    await desk.see("/hooks")
    await desk.page.get_by_role("button", name="Repair webhooks").click()
    await desk.told("Made 20 webhooks")
    await expect(desk.page.get_by_text("20 webhooks, all switched on.")).to_be_visible()


async def test_somebody_is_previewed_by_their_email(desk: Desk) -> None:
    async with desk.server.beside() as tajo:
        payload = (await tajo.preview(SHOP, "customer", 7)).payloads[0]
    await desk.see("/preview")
    await desk.page.get_by_label("Number, or somebody's e-mail").fill(payload.body["email"])
    await desk.page.get_by_role("button", name="Preview").click()
    await expect(desk.page).to_have_url(f"{desk.server.url}/preview?connector={SHOP}&kind=customer&id=7")
    row = desk.page.get_by_role("row").filter(has_text="attributes.FIRSTNAME")
    await expect(row).to_contain_text(payload.body["attributes"]["FIRSTNAME"])
    await expect(row).to_contain_text("first_name")
    await desk.page.get_by_text("The exact body").click()
    await expect(desk.page.get_by_role("region", name="Body of")).to_contain_text(payload.body["email"])


async def test_what_changes_in_the_store_appears_by_itself(desk: Desk) -> None:
    await desk.see("/activity")
    await expect(desk.page.get_by_text("It is live.")).to_be_visible()
    await desk.server.change(9, company="Changed Ltd")
    line = desk.page.get_by_role("log").get_by_text("customer 9: new or changed")
    await expect(line.first).to_be_visible(timeout=15_000)


async def test_the_journal_goes_on_after_a_proxy_has_said_that_nobody_is_there(desk: Desk) -> None:
    await desk.page.clock.install()
    await desk.page.route("**/activity/events*", lambda route: route.fulfill(status=502))
    await desk.see("/activity")
    await expect(desk.page.get_by_text("The connection is lost; it is tried again.")).to_be_visible()
    await desk.page.unroute("**/activity/events*")
    await desk.page.clock.fast_forward(5_000)
    await expect(desk.page.get_by_text("It is live.")).to_be_visible()


async def test_a_page_that_cannot_be_taken_anew_says_so(desk: Desk) -> None:
    async def away(route: Route) -> None:
        if route.request.resource_type == "fetch":
            await route.fulfill(status=502, content_type="text/html", body="<h1>Bad gateway</h1>")
        else:
            await route.continue_()

    await desk.page.clock.install()
    await desk.page.route(f"{desk.server.url}/", away)
    await desk.see("/")
    await desk.page.clock.fast_forward(11_000)
    await expect(desk.page.get_by_text("what you see may be old")).to_be_visible()
    await desk.page.unroute(f"{desk.server.url}/")
    await desk.page.clock.fast_forward(11_000)
    await expect(desk.page.get_by_text("what you see may be old")).to_have_count(0)


async def test_a_sync_shows_how_far_it_is_until_it_is_over(desk: Desk) -> None:
    await desk.see(f"/connectors/{SHOP}")
    await desk.page.get_by_text("Everything…").click()
    await desk.page.get_by_role("button", name="Sync everything").click()
    await expect(desk.page).to_have_url(re.compile(r"/runs/\w+$"))
    await expect(desk.page.locator("#run .state")).to_contain_text("done", timeout=30_000)


async def test_the_doctor_says_what_it_found(desk: Desk) -> None:
    await desk.see("/doctor")
    await desk.page.get_by_role("button", name="Examine").click()
    accepts = desk.page.get_by_text("BigCommerce accepts the access token")
    await expect(accepts).to_be_visible(timeout=30_000)


async def test_a_key_is_made_and_revoked(desk: Desk) -> None:
    await desk.see("/settings")
    await desk.page.get_by_label("Name of the program").fill("CI")
    await desk.page.get_by_role("button", name="Make a key").click()
    key = await desk.page.locator("#secret").inner_text()
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=desk.server.url, headers=headers, verify=PLAIN) as program:
        assert (await program.get("/v1/connectors")).status_code == 200
        await desk.page.get_by_text("Revoke").first.click()
        await desk.page.get_by_role("button", name="Revoke").click()
        await desk.told("opens nothing any more")
        assert (await program.get("/v1/connectors")).status_code == 401


async def test_the_overview_says_by_itself_that_a_human_is_needed(desk: Desk) -> None:
    await desk.server.park(11)
    async with desk.server.beside() as tajo:
        count = (await tajo.status(SHOP)).failures_count
    await desk.see("/")
    words = desk.page.get_by_text(re.compile(f"{count} records? could not be delivered")).first
    await expect(words).to_be_visible(timeout=40_000)
    await expect(desk.page.get_by_role("heading", level=1)).to_contain_text("1 connector needs a human")


async def test_whoever_uses_the_keyboard_skips_to_the_content(desk: Desk) -> None:
    await desk.see("/failures")
    await desk.page.keyboard.press("Tab")
    await expect(desk.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await expect(desk.page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    await desk.page.keyboard.press("Enter")
    await expect(desk.page.locator("main")).to_be_focused()


async def test_without_scripts_everything_can_be_done(desk: Desk, browser: Browser) -> None:
    await desk.server.park(12)
    context = await browser.new_context(java_script_enabled=False)
    await context.add_cookies(desk.server.session)
    plain = Desk(desk.server, context, await context.new_page())
    for path in PAGES:
        await plain.see(path)
        await expect(plain.page.get_by_role("heading", level=1)).to_have_count(1)
    await plain.see("/failures")
    await plain.page.get_by_role("button", name="Replay orders/12").click()
    await plain.told("1 record got through.")
    await desk.server.park(18)
    await plain.see("/failures")
    await plain.page.get_by_role("button", name="Dismiss orders/18", exact=True).click()
    await plain.told("1 record dismissed.")
    await context.close()
