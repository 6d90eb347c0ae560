"""A town on a wound clock: a simulated store, a simulated Brevo and Tajo, started anew for each look."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Route

from tajo import config
from tajo.bigcommerce.cart_recovery import CartRecovery
from tajo.server.recovery import ROUTE, Recovery
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.wiring import Line
from tests.storms.live_world import NAME, Fuse, Street, Wired

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
CONFIG = """
brevo: {api_key: of-the-sandbox}
server: {public_url: https://tajo.example}
connectors:
  bigcommerce:
    store_hash: sandbox1
    access_token: of-the-sandbox
    sync: {inventory: true}
    lists: {all_customers: Everybody, subscribers: Newsletter, abandoned_cart: Left behind}
"""


class Town(Street):
    """Nothing is lost or late here. `options`: more of `tajo.yaml`."""

    def __init__(self, folder: Path, options: str = "") -> None:
        super().__init__(7, folder)
        self.tidy = False
        self._options = options

    async def begin(self) -> None:
        """Open for business: the history is told, whatever comes is live."""
        file = self.folder / "tajo.yaml"
        file.write_text(CONFIG + self._options)
        self._settings = config.load(file, {})
        await self.process(Fuse(), self._first)

    async def _first(self, line: Line, _: Ledger) -> None:
        await line.connector.sync()

    def _mail(self, sender: str, body: bytes) -> None:
        self._sent += 1
        self._post.append((self.shop.now, self._sent, sender, body))

    async def pass_by(self, seconds: float, step: float = 10 * MINUTE) -> None:
        """Time goes by, and Tajo looks every ten minutes, each time as a new process."""
        until = self.clock.now() + seconds
        while self.clock.now() < until:
            await self.clock.sleep(min(step, until - self.clock.now()))
            await self.process(Fuse(), partial(self._look))

    async def _look(self, line: Line, ledger: Ledger) -> None:
        self.look()
        await self.deliver(ledger)
        await self.follow(line, ledger)
        await line.sequences.lead()

    # --- people

    async def agree(self, email: str, *consents: str) -> None:
        """Somebody agrees to these kinds of mail: to the newsletter, where none is named."""
        wish = {"email": email, "channel_id": 1, "consents": list(consents or ["marketing_newsletter"])}
        panel = f"/_sandbox/panel/stores/{self.shop.store.hash}/v3"
        assert await self._ask("POST", f"{panel}/customers/subscribers", wish)

    async def fill_cart(self, email: str, quantity: int = 2, product: int | None = None) -> str:
        """A guest puts something into a cart, and gives an address (or none); the cart's UUID."""
        one = next(p for p in self.shop.store.products if product in (None, p["id"]) and self._sold(p))
        item = {"product_id": one["id"], "variant_id": one["variants"][0]["id"], "quantity": quantity}
        made = await self._ask("POST", "/_sandbox/carts", {"line_items": [item], "email": email})
        self.look()
        return str(made["id"])

    @staticmethod
    def _sold(product: dict[str, Any]) -> bool:
        return bool(product["is_visible"] and product["availability"] == "available" and product["variants"])

    async def buy(self, uuid: str) -> None:
        """Whoever has the cart pays."""
        assert await self._ask("POST", f"/_sandbox/carts/{uuid}/checkout", {"status_id": 11})
        self.look()

    async def mails(self, email: str) -> list[dict[str, Any]]:
        """The messages that somebody got, oldest first."""
        answer = await self.brevo.client.get("http://brevo.test/_sandbox/messages", params={"to": email})
        return [json.loads(line) for line in answer.text.splitlines()]

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[httpx.AsyncClient]:
        """A browser that knows where our server is."""
        ledger = await open_ledger(f"sqlite:///{self.folder}/tajo.db", Secret(b"of a storm"))
        assert self._settings is not None
        async with Wired(self._settings, ledger, self, Fuse()).accounts(NAME) as (store, _):
            links = Recovery({NAME: CartRecovery(store)}, ledger, self.clock.now)
            server = Starlette(routes=[Route(ROUTE, links)])
            mounts = {"https://tajo.example": httpx.ASGITransport(server)}
            elsewhere = httpx.ASGITransport(self.shop.app)
            async with httpx.AsyncClient(mounts=mounts, transport=elsewhere) as client:
                yield client
        await ledger.close()
