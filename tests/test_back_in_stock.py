"""Shoppers ask to be told: who may ask, what they are answered, and where their wish goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from tajo.bigcommerce import Api as StoreApi
from tajo.bigcommerce.scripts import NAME, Scripts
from tajo.brevo import Api as BrevoApi
from tajo.brevo.alerts import Alerts
from tajo.errors import Later, Mend
from tajo.http import Patience
from tajo.server import back_in_stock as door
from tajo.server.back_in_stock import origins_of
from tajo.server.problems import problem
from tajo.sync.back_in_stock import hand_on
from tajo.sync.ledger import erasure, wishes
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.ledger.wishes import Wish, WishBox, open_wishes, wish
from tajo.throttle import STRANGERS, Throttle
from tests.virtual_clock import VirtualClock

NOW = 1_700_000_000.0
SHOP = "https://shop.example"
ASKED = {"product_id": 7, "email": "ann@x.test"}
SCRIPT = Path(door.__file__).parent / "storefront.js"


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    opened = await open_ledger(database_url, Secret(b"s" * 32))
    yield opened
    await opened.close()


@pytest.fixture
async def box(ledger: Ledger) -> AsyncIterator[WishBox]:
    async with open_wishes(ledger, lambda _: None, now=lambda: NOW) as opened:
        yield opened


class Full(WishBox):
    """A box whose disk is full."""

    def __init__(self) -> None:
        self.secret = Secret(b"s" * 32)

    async def take(self, connector: str, wish: Wish) -> None:
        raise Later("the ledger cannot take it")


@asynccontextmanager
async def shopper(
    box: WishBox, origins: dict[str, frozenset[str]] | None = None, host: str = "192.0.2.1"
) -> AsyncIterator[httpx.AsyncClient]:
    routes = door.routes(origins or {"shop": frozenset({SHOP})}, box, lambda: NOW)
    app = Starlette(routes=routes, exception_handlers={HTTPException: problem})
    transport = httpx.ASGITransport(app=app, client=(host, 1))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://tajo.example", headers={"origin": SHOP}
    ) as client:
        yield client


async def ask(client: httpx.AsyncClient, said: Any = None, **headers: str) -> httpx.Response:
    body = said if isinstance(said, bytes) else json.dumps(ASKED if said is None else said).encode()
    return await client.post(
        "/v1/back-in-stock", content=body, headers={"content-type": "application/json", **headers}
    )


async def kept(ledger: Ledger, connector: str = "shop") -> list[tuple[str, int, int]]:
    async with ledger.begin() as tx:
        found = await wishes.to_hand_on(tx, connector, 999)
    return sorted((one.email(ledger.secret), one.product, one.variant) for one in found)


async def test_a_wish_is_on_disk_when_it_is_accepted(ledger: Ledger, box: WishBox) -> None:
    async with shopper(box) as client:
        answer = await ask(client, {"product_id": "7", "variant_id": 70, "email": " ann@x.test "})
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert await kept(ledger) == [("ann@x.test", 7, 70)]


async def test_everybody_gets_the_same_answer(ledger: Ledger, box: WishBox) -> None:
    async with ledger.begin() as tx:
        person = ledger.secret.person("gone@x.test")
        await erasure.remember_wish(tx, ["shop"], person, NOW)
    robot = {**ASKED, "website": "https://spam.example"}
    async with shopper(box) as client:
        answers = [
            await ask(client),
            await ask(client),
            await ask(client, {"product_id": 999, "email": "nobody@x.test"}),
            await ask(client, {"product_id": 7, "email": "gone@x.test"}),
            await ask(client, robot),
        ]
    assert len({(one.status_code, one.content, str(one.headers)) for one in answers}) == 1


async def test_who_fills_the_field_that_no_human_sees_leaves_nothing(ledger: Ledger, box: WishBox) -> None:
    async with shopper(box) as client:
        await ask(client, {**ASKED, "website": "x"})
    assert await kept(ledger) == []


async def test_a_browser_may_ask_before_it_sends(box: WishBox) -> None:
    async with shopper(box) as client:
        answer = await client.options("/v1/back-in-stock")
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert answer.headers["access-control-allow-methods"] == "POST"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "https://shop.example.evil.example"])
async def test_pages_of_others_may_not_ask(ledger: Ledger, box: WishBox, origin: str) -> None:
    async with shopper(box) as client:
        answers = [await ask(client, origin=origin), await client.options("/", headers={"origin": origin})]
    assert answers[0].status_code == 403
    assert not any("access-control-allow-origin" in one.headers for one in answers)
    assert await kept(ledger) == []


async def test_the_page_tells_whose_shop_it_is(ledger: Ledger, box: WishBox) -> None:
    shops = {"one": frozenset({"https://one.example"}), "two": frozenset({SHOP})}
    async with shopper(box, shops) as client:
        assert (await ask(client)).status_code == 202
        assert (await ask(client, {**ASKED, "connector": "one"})).status_code == 403
    assert await kept(ledger, "one") == []
    assert len(await kept(ledger, "two")) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        {"product_id": 7},
        {"email": "ann@x.test"},
        {**ASKED, "product_id": 0},
        {**ASKED, "product_id": 2**63},
        {**ASKED, "variant_id": -1},
        {**ASKED, "email": "ann"},
        {**ASKED, "email": "a@" + "x" * 300 + ".test"},
    ],
)
async def test_what_is_no_wish_is_refused_without_quoting_it(
    ledger: Ledger, box: WishBox, wrong: Any
) -> None:
    async with shopper(box) as client:
        answer = await ask(client, wrong)
    assert answer.status_code == 400
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert "ann" not in answer.text
    assert await kept(ledger) == []


async def test_a_body_that_is_too_large_is_not_read(box: WishBox) -> None:
    async with shopper(box) as client:
        answer = await ask(client, {**ASKED, "more": "x" * 3000})
    assert answer.status_code == 413
    assert answer.headers["access-control-allow-origin"] == SHOP


async def test_one_caller_may_not_ask_again_and_again(box: WishBox) -> None:
    async with shopper(box) as client:
        answers = [await ask(client) for _ in range(11)]
    assert [one.status_code for one in answers] == [*[202] * 10, 429]
    assert answers[-1].headers["retry-after"] == "60"


async def test_a_ledger_that_cannot_take_it_is_said() -> None:
    async with shopper(Full()) as client:
        answer = await ask(client)
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


async def test_many_at_once_share_commits_and_all_are_kept(ledger: Ledger) -> None:
    woken: list[str] = []
    async with open_wishes(ledger, woken.append, now=lambda: NOW) as box:
        people = [wish(ledger.secret, f"p{number}@x.test", 7, 0) for number in range(200)]
        await asyncio.gather(*(box.take("shop", one) for one in people))
    assert len(await kept(ledger)) == 200
    assert 1 <= len(woken) < 20


class TestThrottle:
    def test_lets_a_burst_through_and_then_one_after_the_other(self) -> None:
        throttle = Throttle(3, 10.0)
        assert [throttle.admits("a", 0.0) for _ in range(4)] == [True, True, True, False]
        assert throttle.admits("b", 0.0)
        assert [throttle.admits("a", 10.0), throttle.admits("a", 10.0)] == [True, False]

    def test_remembers_only_so_many(self) -> None:
        throttle = Throttle(1, 10.0)
        assert all(throttle.admits(number, 0.0) for number in range(25_000))
        assert len(throttle._paid) <= STRANGERS

    async def test_a_household_is_one_caller(self, box: WishBox) -> None:
        async with shopper(box, host="2001:db8::1") as client:
            (route, _) = client._transport.app.routes  # type: ignore[attr-defined]
            answers = [await ask(client) for _ in range(10)]
            client._transport.client = ("2001:db8::2", 1)  # type: ignore[attr-defined]
            answers.append(await ask(client))
        assert route.path == "/v1/back-in-stock"
        assert answers[-1].status_code == 429


def test_an_origin_is_what_a_browser_calls_it() -> None:
    urls = ["https://Shop.example/", "https://b.example:443/x", "http://localhost:8080", ""]
    assert origins_of(urls) == {"https://shop.example", "https://b.example", "http://localhost:8080"}


# -- Brevo's list


class Brevo:
    """An account that answers every alert with `status`. It notes what it was asked."""

    def __init__(self, status: int = 204) -> None:
        self.status = status
        self.asked: list[tuple[str, Any]] = []
        self.api = BrevoApi(
            "xkeysib-1",
            clock=VirtualClock(),
            patience=Patience(attempts=1),
            transport=httpx.MockTransport(self.answer),
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.url.path.removeprefix("/v3"), json.loads(request.content)))
        left = {"limit": "100", "remaining": str(100 - len(self.asked)), "reset": "3600"}
        return httpx.Response(self.status, headers={f"x-sib-ratelimit-{k}": v for k, v in left.items()})


@pytest.mark.parametrize(("status", "listed"), [(204, True), (403, False), (404, False), (400, False)])
async def test_a_wish_is_put_on_brevos_list_if_it_keeps_one(status: int, listed: bool) -> None:
    brevo = Brevo(status)
    alerts = Alerts(brevo.api, "eu-")
    assert await alerts.wish(7, 70, "ann@x.test") is listed
    assert await alerts.wish(7, 0, "ann@x.test") is listed
    assert brevo.asked == [
        (f"/products/{name}/alerts/back_in_stock", {"contactIdentifiers": {"email": "ann@x.test"}})
        for name in ("eu-7-70", "eu-7")
    ]


async def test_half_of_the_shared_calls_are_left_to_others() -> None:
    brevo = Brevo()
    alerts = Alerts(brevo.api, "")
    while alerts.headroom:
        await alerts.wish(7, 0, "ann@x.test")
    assert len(brevo.asked) == 50


class List:
    """A destination's list with so much room; who is `lost` gets no answer."""

    def __init__(self, headroom: int = 99, lost: str = "", *, keeps: bool = True) -> None:
        self.room = headroom
        self.lost = lost
        self.keeps = keeps
        self.names: list[str] = []

    @property
    def headroom(self) -> int:
        return self.room - len(self.names)

    async def wish(self, product: int, variant: int, email: str) -> bool:
        if email == self.lost:
            raise Later("no answer")
        self.names.append(email)
        return self.keeps


async def waiting(ledger: Ledger, *emails: str) -> None:
    at = iter(range(1, 99))
    async with open_wishes(ledger, lambda _: None, now=lambda: NOW + next(at)) as box:
        for email in emails:
            await box.take("shop", wish(ledger.secret, email, 7, 0))


async def test_each_wish_is_handed_on_once_the_oldest_first(ledger: Ledger) -> None:
    await waiting(ledger, "b@x.test", "a@x.test")
    there, said = List(), list[str]()
    await hand_on(ledger, "shop", there, said.append, NOW)
    await hand_on(ledger, "shop", there, said.append, NOW)
    assert there.names == ["b@x.test", "a@x.test"]
    assert said == ["2 more wait for what is sold out, 2 of them on the destination's list"]


async def test_a_list_that_is_full_is_gone_on_with_later(ledger: Ledger) -> None:
    await waiting(ledger, "a@x.test", "b@x.test", "c@x.test")
    there = List(2)
    await hand_on(ledger, "shop", there, lambda _: None, NOW)
    assert there.names == ["a@x.test", "b@x.test"]
    there.room = 9
    await hand_on(ledger, "shop", there, lambda _: None, NOW)
    assert there.names == ["a@x.test", "b@x.test", "c@x.test"]


async def test_who_got_no_answer_is_handed_on_again(ledger: Ledger) -> None:
    await waiting(ledger, "a@x.test", "b@x.test")
    there = List(lost="b@x.test")
    with pytest.raises(Later):
        await hand_on(ledger, "shop", there, lambda _: None, NOW)
    there.lost = ""
    await hand_on(ledger, "shop", there, lambda _: None, NOW)
    assert there.names == ["a@x.test", "b@x.test"]


async def test_who_asked_to_be_forgotten_is_not_handed_on(ledger: Ledger) -> None:
    await waiting(ledger, "a@x.test")
    async with ledger.begin() as tx:
        await erasure.remember_wish(tx, ["shop"], ledger.secret.person("a@x.test"), NOW)
    there = List()
    await hand_on(ledger, "shop", there, lambda _: None, NOW)
    assert there.names == []


async def test_a_destination_without_a_list_is_asked_once(ledger: Ledger) -> None:
    await waiting(ledger, "a@x.test")
    there = List(keeps=False)
    await hand_on(ledger, "shop", there, lambda _: None, NOW)
    await hand_on(ledger, "shop", there, lambda _: None, NOW)
    assert there.names == ["a@x.test"]


# -- the script


class Pages:
    """A store with scripts, which only their maker sees."""

    def __init__(self, *scripts: dict[str, Any], status: int = 0) -> None:
        self.scripts = {script["uuid"]: script for script in scripts}
        self.status = status
        self.api = StoreApi(
            "abc123",
            "t0ken",
            clock=VirtualClock(),
            patience=Patience(attempts=1),
            transport=httpx.MockTransport(self.answer),
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        uuid = request.url.path.removeprefix("/stores/abc123/v3/content/scripts").lstrip("/")
        if self.status:
            return httpx.Response(self.status)
        match request.method:
            case "GET":
                pagination = {"total": len(self.scripts), "per_page": 250, "total_pages": 1}
                rows = list(self.scripts.values())
                return httpx.Response(200, json={"data": rows, "meta": {"pagination": pagination}})
            case "POST":
                uuid = f"new-{len(self.scripts)}"
            case "DELETE":
                del self.scripts[uuid]
                return httpx.Response(204)
        self.scripts[uuid] = {"uuid": uuid, **json.loads(request.content)}
        return httpx.Response(200, json={"data": self.scripts[uuid]})


THEIRS = {"uuid": "their", "name": "Chat", "channel_id": 1}
SRC = "https://tajo.example/storefront.js"


async def test_the_script_is_put_on_each_storefront_once() -> None:
    pages = Pages(THEIRS)
    assert (await Scripts(pages.api).install(SRC, [1, 2])).made == (1, 2)
    assert (await Scripts(pages.api).install(SRC, [1, 2])).mended == (1, 2)
    ours = [one for one in pages.scripts.values() if one["name"] == NAME]
    assert sorted(one["channel_id"] for one in ours) == [1, 2]
    assert ours[0] | {"uuid": "", "description": ""} == {
        "uuid": "",
        "description": "",
        "name": NAME,
        "kind": "src",
        "src": SRC,
        "load_method": "defer",
        "location": "footer",
        "visibility": "storefront",
        "consent_category": "functional",
        "auto_uninstall": True,
        "enabled": True,
        "channel_id": 1,
    }


async def test_a_double_and_one_on_a_channel_that_is_closed_are_taken_away() -> None:
    old = [{"uuid": f"u{n}", "name": NAME, "channel_id": channel} for n, channel in enumerate((1, 1, 9))]
    pages = Pages(THEIRS, *old)
    done = await Scripts(pages.api).install(SRC, [1])
    assert (done.mended, done.removed) == ((1,), (1, 9))
    assert sorted(pages.scripts) == ["their", "u0"]


async def test_removing_leaves_what_others_put_there() -> None:
    pages = Pages(THEIRS, {"uuid": "ours", "name": NAME, "channel_id": 1})
    assert (await Scripts(pages.api).remove()).removed == (1,)
    assert list(pages.scripts) == ["their"]


async def test_a_token_that_may_not_is_told_the_scope() -> None:
    with pytest.raises(Mend, match="store_v2_content"):
        await Scripts(Pages(status=403).api).install(SRC, [1])


async def test_the_script_is_served_to_any_page_and_is_small(box: WishBox) -> None:
    async with shopper(box) as client:
        answer = await client.get("/storefront.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.content == SCRIPT.read_bytes()
    assert len(answer.content) < 6144
    assert answer.content.isascii()
