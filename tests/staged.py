"""Both simulators in this process, with Tajo between them, on a clock that moves only when one sleeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tajo import config
from tajo.bigcommerce import Api as StoreApi
from tajo.brevo import Api as BrevoApi
from tajo.http import Clock, Patience
from tajo.sandbox.bigcommerce import TOKEN, generate
from tajo.sandbox.brevo import ManualClock
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.wiring import DEAF, Ears, Wiring
from tests.sandbox_shop import Shop
from tests.test_sandbox_brevo import Brevo

NAME = "bigcommerce"
CONFIG = """
brevo: {api_key: of-the-sandbox}
connectors: {bigcommerce: {store_hash: sandbox1, access_token: of-the-sandbox}}
"""


class Together(Clock):
    """One time for all three: whoever sleeps moves the simulators' clocks, too."""

    def __init__(self, shop: Shop, brevo: ManualClock) -> None:
        self.shop, self.brevo = shop, brevo

    def now(self) -> float:
        return self.shop.now

    async def sleep(self, seconds: float) -> None:
        self.shop.now += seconds
        await self.brevo.advance(seconds)


class Staged(Wiring):
    """Tajo whose calls go to the simulators in this process.

    `asked`: how many calls the store got; `calls`: those that Brevo got, by route.
    """

    def __init__(
        self, settings: config.Settings, ledger: Ledger, clock: Together, shop: Shop, brevo: Brevo
    ) -> None:
        super().__init__(settings, ledger, clock)
        self.shop, self.brevo = shop, brevo
        self.asked = 0
        self.calls: list[str] = []

    @asynccontextmanager
    async def accounts(
        self,
        name: str,
        *,
        clock: Clock | None = None,
        patience: Patience | None = None,
        left_to_others: float = 0.0,
        ears: Ears = DEAF,
    ) -> AsyncIterator[tuple[StoreApi, BrevoApi]]:
        clock = clock or self._clock
        store = StoreApi(
            self.shop.store.hash,
            TOKEN,
            api_url="http://sandbox",
            clock=clock,
            transport=httpx.ASGITransport(self.shop.app),
            left_to_others=left_to_others,
        )
        brevo = BrevoApi(
            self.brevo.app.state.account.api_key,
            api_url="http://brevo.test/v3",
            clock=clock,
            transport=httpx.ASGITransport(self.brevo.app),
        )
        try:
            yield store, brevo
        finally:
            self.asked += store.calls
            self.calls.extend(route for route, count in brevo.calls.items() for _ in range(count))
            await store.close()
            await brevo.close()

    async def change(self, path: str, **fields: Any) -> None:
        """Change one thing in the store, a little later."""
        await self._clock.sleep(5000)
        body: Any = fields if path.startswith("/v3/catalog") or path.startswith("/v2") else [fields]
        answer = await self.shop.send("PUT", path, body)
        assert answer.status_code == 200, answer.text


@asynccontextmanager
async def staged(
    folder: Path, text: str = "", *, ecommerce: bool = True, database_url: str = "", **size: int
) -> AsyncIterator[Staged]:
    """A generated store, an empty account, and Tajo with an empty ledger; `text`: more of tajo.yaml."""
    file = folder / "tajo.yaml"
    file.write_text(CONFIG + text)
    ledger = await open_ledger(database_url or f"sqlite:///{folder}/tajo.db", Secret(b"for tests"))
    store = generate(**{"customers": 60, "orders": 90, "products": 12, **size})
    shop = Shop(store, plan="standard")
    clock = ManualClock(shop.now)
    brevo = Brevo(tier="general", clock=clock, commerce_active=ecommerce)
    try:
        async with shop:
            yield Staged(config.load(file, {}), ledger, Together(shop, clock), shop, brevo)
    finally:
        await brevo.client.aclose()
        await brevo.app.state.account.agenda.close()
        await ledger.close()
