"""The shoppers and staff at work: deeds become requests to a simulated store and a simulated Brevo."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx

from .choice import WEIGHTS, Action, decide
from .deed import Deed
from .town import Record, Town

FIRST: Final = {"limit": 250}  # how many of each kind the crowd knows when it arrives: the latest


class Shoppers:
    """Makes a simulated store live, one deed at a time; what follows what is settled by `seed`.

    `store_url` is where the simulated BigCommerce listens, without a path, `brevo_url` the simulated Brevo's
    with its `/v3`. A `store` and a `brevo` client may be passed instead of real connections (tests); they
    stay open.
    """

    def __init__(
        self,
        store_url: str,
        store_hash: str,
        access_token: str,
        brevo_url: str,
        brevo_key: str,
        seed: int,
        *,
        weights: Mapping[Action, int] = WEIGHTS,
        store: httpx.AsyncClient | None = None,
        brevo: httpx.AsyncClient | None = None,
    ) -> None:
        self._store = store or httpx.AsyncClient(timeout=30)
        self._brevo = brevo or httpx.AsyncClient(timeout=30)
        self._lent = {store, brevo}
        self._shop = f"{store_url.rstrip('/')}/_sandbox"
        self._panel = f"{self._shop}/panel/stores/{store_hash}"
        self._api = brevo_url.rstrip("/")
        self._token = {"X-Auth-Token": access_token, "Accept": "application/json"}
        self._key = {"api-key": brevo_key}
        self._dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._weights = weights
        self._town: Town | None = None

    async def step(self) -> str:
        """One deed; a sentence about it, without personal data."""
        return await self._do(decide(await self._arrived(), self._dice, self._weights))

    async def act(self, action: Action) -> str:
        """One deed of this kind. LookupError when the store has nothing to do it with."""
        return await self._do(decide(await self._arrived(), self._dice, {action: 1}))

    async def live(
        self, seconds: float, pace: float, tell: Callable[[str], object] = lambda _told: None
    ) -> int:
        """So many deeds a second for so many seconds, each one told; how many they were."""
        clock = asyncio.get_running_loop().time
        start, done = clock(), 0
        while clock() < start + seconds:
            tell(await self.step())
            done += 1
            await asyncio.sleep(max(0.0, start + done / pace - clock()))
        return done

    async def close(self) -> None:
        """Close the connections that it opened itself."""
        for client in {self._store, self._brevo} - self._lent:
            await client.aclose()

    async def _arrived(self) -> Town:
        """The town, after a first look around the store."""
        if self._town is None:
            town = Town()
            for row in await self._rows("/v3/catalog/products", include="variants"):
                town.meet_product(row)
            town.categories = [row["category_id"] for row in await self._rows("/v3/catalog/trees/categories")]
            for row in await self._rows("/v3/customers", include="addresses", sort="date_created:desc"):
                town.meet_customer(row)
            for row in await self._rows("/v3/customers/subscribers"):
                town.meet_subscriber(row)
            shape = {"include": "consignments.line_items", "consignment_structure": "object"}
            for row in await self._rows("/v2/orders", sort="id:desc", **shape):
                parts = [*row["consignments"]["shipping"], *row["consignments"]["downloads"]]
                town.meet_order(row["id"], row, [line for part in parts for line in part["line_items"]])
            self._town = town
        return self._town

    async def _rows(self, path: str, **query: str) -> list[Record]:
        answer = await self._store.get(f"{self._panel}{path}", params={**FIRST, **query}, headers=self._token)
        answer.raise_for_status()
        found: Any = answer.json() if answer.content else []
        rows: list[Record] = found["data"] if isinstance(found, dict) else found
        return rows

    async def _do(self, deed: Deed) -> str:
        """Make the request, remember what came of it, tell it."""
        match deed.place:
            case "brevo":
                return await self._unsubscribe(deed)
            case "shop":
                answer = await self._store.request(deed.method, self._shop + deed.path, json=deed.body)
            case "panel":
                answer = await self._store.request(
                    deed.method, self._panel + deed.path, json=deed.body, headers=self._token
                )
        gone = answer.status_code in {404, 422} or (answer.is_success and deed.ends)
        if gone and deed.of:
            things, key = deed.of
            things.pop(key, None)
        if not answer.is_success:
            return f"{deed.told}, but the store says {answer.status_code}."
        deed.then(answer.json() if answer.content else None)
        return f"{deed.told}."

    async def _unsubscribe(self, deed: Deed) -> str:
        """Click the link in a newsletter; only those get one whom Brevo knows and may write to."""
        path = f"{self._api}/contacts/{quote(deed.body['email'], safe='')}"
        known = await self._brevo.get(path, params={"identifierType": "email_id"}, headers=self._key)
        if known.is_success and known.json()["emailBlacklisted"]:
            return f"{deed.told}, but had done so before."
        answer = await self._brevo.post(
            f"{self._api.removesuffix('/v3')}/_sandbox{deed.path}", json=deed.body
        )
        return f"{deed.told}." if answer.is_success else f"{deed.told}, but Brevo does not know who."
