"""`tajo serve` between a store that lives and Brevo: what happens in one is soon true in the other."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tajo import config
from tajo.live import serve
from tajo.wiring import open_wiring
from tests.served import PLAIN, environment, served

EMAIL = "ada@example.com"
Rows = list[dict[str, Any]]


@dataclass
class World:
    """Both simulators, each in a process of its own; `url` is where `tajo serve` listens when it does."""

    env: dict[str, str]
    folder: Path
    url: str
    client: httpx.AsyncClient
    said: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self, reconcile_every: str = "1h") -> AsyncIterator[None]:
        """`tajo serve`, once the history is told and everybody calls us."""
        file = self.folder / "tajo.yaml"
        file.write_text(f"server: {{public_url: {self.url}}}\nreconcile_every: {reconcile_every}\n")
        self.said.clear()
        stop = asyncio.Event()
        port = int(self.url.rpartition(":")[2])
        async with open_wiring(config.load(file, self.env), self.env) as wiring:
            work = serve(wiring, host="127.0.0.1", port=port, stop=stop, say=self.said.append)
            task = asyncio.create_task(work)
            try:
                await self.until(self._at_work)
                await self.until(_next_second(time.time()))
                yield
            finally:
                stop.set()
                await task

    async def _at_work(self) -> None:
        hooks, status = await self.store("hooks"), await self.brevo_hooks()
        assert len(hooks) == 20
        assert status
        async with open_wiring(config.load(None, self.env), self.env) as wiring:
            told = await wiring.status("bigcommerce")
        assert told["last_sync"]
        assert not told["syncing"]

    async def until(self, check: Callable[[], Awaitable[None]], seconds: float = 30.0) -> None:
        """Wait until the check holds; what it says last is what failed."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            try:
                await check()
            except (AssertionError, ValueError, LookupError):
                if loop.time() > end:
                    raise
                await asyncio.sleep(0.05)
            else:
                return

    # --- the store

    async def store(self, kind: str) -> Rows:
        return await self._dump(self.env["TAJO_BIGCOMMERCE_API_URL"], kind)

    async def subscriber(self, email: str) -> dict[str, Any]:
        [found] = [one for one in await self.store("subscribers") if one["email"].lower() == email]
        return found

    async def staff(self, method: str, path: str, body: Any = None) -> Any:
        """In the control panel of the store."""
        hash_, token = self.env["BC_STORE_HASH"], self.env["BC_ACCESS_TOKEN"]
        url = f"{self.env['TAJO_BIGCOMMERCE_API_URL']}/_sandbox/panel/stores/{hash_}{path}"
        answer = await self.client.request(method, url, json=body, headers={"X-Auth-Token": token})
        return answer.raise_for_status().json() if answer.content else None

    async def shopper(self, path: str, body: Any) -> Any:
        """In the storefront."""
        url = f"{self.env['TAJO_BIGCOMMERCE_API_URL']}/_sandbox/{path}"
        return (await self.client.post(url, json=body)).raise_for_status().json()

    async def buy(self, email: str) -> dict[str, Any]:
        product = (await self.store("products"))[0]
        item = {"product_id": product["id"], "variant_id": product["variants"][0]["id"], "quantity": 2}
        cart = await self.shopper("carts", {"line_items": [item], "email": email})
        billing = {"first_name": "Ada", "last_name": "Byron", "city": "London", "country_iso2": "GB"}
        told: dict[str, Any] = await self.shopper(
            f"carts/{cart['id']}/checkout", {"billing_address": billing}
        )
        return told

    # --- Brevo

    async def brevo(self, kind: str) -> Rows:
        return await self._dump(self.env["TAJO_BREVO_API_URL"].removesuffix("/v3"), kind)

    async def brevo_hooks(self) -> Rows:
        headers = {"api-key": self.env["BREVO_API_KEY"]}
        answer = await self.client.get(f"{self.env['TAJO_BREVO_API_URL']}/webhooks", headers=headers)
        found: Rows = answer.raise_for_status().json()["webhooks"]
        return found

    async def contact(self, email: str) -> dict[str, Any]:
        [found] = [one for one in await self.brevo("contacts") if one["email"] == email]
        return found

    async def status_of(self, order: int) -> str:
        [found] = [one for one in await self.brevo("orders") if one["id"] == str(order)]
        status: str = found["status"]
        return status

    async def events_of(self, email: str) -> list[str]:
        rows = await self.brevo("events")
        return [row["event_name"] for row in rows if row["identifiers"].get("email_id") == email]

    async def unsubscribe(self, email: str) -> None:
        url = f"{self.env['TAJO_BREVO_API_URL'].removesuffix('/v3')}/_sandbox/unsubscribe"
        (await self.client.post(url, json={"email": email})).raise_for_status()

    async def _dump(self, base: str, kind: str) -> Rows:
        answer = (await self.client.get(f"{base}/_sandbox/{kind}")).raise_for_status()
        return [json.loads(line) for line in answer.text.splitlines()]


def _next_second(began: float) -> Callable[[], Awaitable[None]]:
    """The store's dates are whole seconds: what happens in the second of our start looks like history."""

    async def check() -> None:
        assert int(time.time()) > int(began)

    return check


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    store = ("--customers", "5", "--orders", "5", "--products", "3", "--plan", "unlimited")
    account = ("--tier", "unlimited", "--time-scale", "0.003")  # a batch of its webhooks waits 5 minutes
    with served("bigcommerce", *store) as shop, served("brevo", *account) as brevo:
        env = environment(shop, brevo, database_url) | {"BC_CLIENT_SECRET": shop["client_secret"]}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
        async with httpx.AsyncClient(
            timeout=30, verify=PLAIN, headers={"accept": "application/json"}
        ) as client:
            yield World(env, tmp_path, url, client)


async def test_a_guest_who_buys_returns_signs_up_and_unsubscribes_is_followed(world: World) -> None:
    async with world.serving():
        order = await world.buy("Ada@Example.com")
        id_, total = order["order_id"], Decimal(order["total_inc_tax"])

        async def bought() -> None:
            ada = await world.contact(EMAIL)
            assert ada["attributes"]["ORDER_COUNT"] == 1
            assert Decimal(str(ada["attributes"]["TOTAL_SPENT"])) == total.quantize(Decimal("0.01"))
            assert ada["attributes"]["FIRSTNAME"] == "Ada"
            assert ada["emailBlacklisted"], "nobody asked her"
            assert await world.status_of(id_) == "awaiting_fulfillment"
            assert "order_placed" in await world.events_of(EMAIL)

        await world.until(bought)

        await world.staff("PUT", f"/v2/orders/{id_}", {"status_id": 2})

        async def shipped() -> None:
            assert await world.status_of(id_) == "shipped"
            assert "order_status_changed" in await world.events_of(EMAIL)

        await world.until(shipped)

    # while nobody listens, the store goes on
    item = {"item_type": "ORDER", "item_id": id_, "amount": 1.0}
    payment = {"provider_id": "custom", "offline": True, "amount": 1.0}
    refund = {"items": [item], "payments": [payment]}
    await world.staff("POST", f"/v3/orders/{id_}/payment_actions/refunds", refund)

    async with world.serving():

        async def refunded() -> None:
            ada = await world.contact(EMAIL)
            assert Decimal(str(ada["attributes"]["TOTAL_SPENT"])) == total.quantize(Decimal("0.01")) - 1
            assert await world.status_of(id_) == "partially_refunded"
            assert "order_refunded" in await world.events_of(EMAIL)

        await world.until(refunded)

        account = {"email": EMAIL, "first_name": "Ada", "last_name": "Lovelace"}
        await world.staff("POST", "/v3/customers", [account])
        record = (await world.subscriber(EMAIL))["id"]
        consent = {"consents": ["marketing_newsletter"]}
        await world.staff("PUT", f"/v3/customers/subscribers/{record}", consent)

        async def signed_up() -> None:
            ada = await world.contact(EMAIL)
            assert ada["attributes"]["LASTNAME"] == "Lovelace"
            assert ada["attributes"]["ORDER_COUNT"] == 1, "what she bought as a guest is hers"
            assert not ada["emailBlacklisted"], "she agreed"

        await world.until(signed_up)

        await world.unsubscribe(EMAIL)

        async def left() -> None:
            assert (await world.subscriber(EMAIL))["consents"] == []

        await world.until(left)
        assert (await world.contact(EMAIL))["emailBlacklisted"]
        assert (await world.events_of(EMAIL)).count("order_placed") == 1
        assert not [words for words in world.said if "@" in words]


async def test_without_webhooks_a_reconciliation_tells_what_changed(world: World) -> None:
    async with world.serving(reconcile_every="1s"):
        for hook in await world.store("hooks"):
            await world.staff("DELETE", f"/v3/hooks/{hook['id']}")
        assert await world.store("hooks") == []
        await world.buy(EMAIL)

        async def healed() -> None:
            assert (await world.contact(EMAIL))["attributes"]["ORDER_COUNT"] == 1

        await world.until(healed)


async def test_a_forged_webhook_is_turned_away_and_changes_nothing(world: World) -> None:
    async with world.serving():
        before = await world.brevo("contacts"), await world.brevo("orders")
        forged = {
            "scope": "store/order/created",
            "data": {"type": "order", "id": 1},
            "producer": f"stores/{world.env['BC_STORE_HASH']}",
        }
        for headers in ({}, {"x-tajo-secret": "guessed"}):
            url = f"{world.url}/webhooks/bigcommerce/bigcommerce"
            answer = await world.client.post(url, json=forged, headers=headers)
            assert answer.status_code == 401
        async with open_wiring(config.load(None, world.env), world.env) as wiring:
            assert (await wiring.status("bigcommerce"))["queued_count"] == 0
        assert (await world.brevo("contacts"), await world.brevo("orders")) == before
