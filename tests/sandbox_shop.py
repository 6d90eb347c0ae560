"""A simulated store in this process: its client, its clock, and a receiver of its webhooks."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from tajo.sandbox.bigcommerce import CLIENT_SECRET, TOKEN, Store, create_app, generate, signature

HOOK_URL = "https://receiver.example.com/hooks"


@dataclass
class Receiver:
    """Takes webhooks: `status` is what it answers, `received` all requests in their order."""

    status: int = 200
    received: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.received.append(request)
        return httpx.Response(self.status)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.received]

    @property
    def scopes(self) -> Counter[str]:
        return Counter(event["scope"] for event in self.events)


class Shop:
    """`async with Shop() as shop`: requests go to `shop.get("/v3/customers")` and the like."""

    http_error = httpx.TransportError

    def __init__(self, store: Store | None = None, *, token: str = TOKEN, **options: Any) -> None:
        self.now = 1_795_000_000.0
        self.receiver = Receiver()
        self.store = store or generate(customers=300, orders=500, products=60)
        options.setdefault("plan", "unlimited")
        options.setdefault("transport", httpx.MockTransport(self.receiver))
        self.app = create_app(self.store, clock=lambda: self.now, **options)
        self.world = self.app.state.world
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url=f"http://sandbox/stores/{self.store.hash}",
            headers={"X-Auth-Token": token, "Accept": "application/json"},
        )

    async def __aenter__(self) -> Shop:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.world.deliveries.close()
        await self.http.aclose()

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.http.get(
            path, params={name.replace("__", ":"): str(v) for name, v in query.items()}
        )

    async def data(self, path: str, **query: Any) -> Any:
        """The rows of a V2 answer, or the `data` of a V3 answer."""
        answer = await self.get(path, **query)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return body["data"] if isinstance(body, dict) and "data" in body else body

    async def send(self, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        params = {name.replace("__", ":"): str(v) for name, v in query.items()}
        return await self.http.request(method, path, json=body, params=params)

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.http.request(method, f"http://sandbox/_sandbox/{path}", json=body)
        return answer.json()

    async def listen(self, *scopes: str, url: str = HOOK_URL) -> None:
        """Register a webhook for each scope."""
        for scope in scopes:
            answer = await self.send("POST", "/v3/hooks", {"scope": scope, "destination": url})
            assert answer.status_code == 200, answer.text

    async def heard(self) -> Counter[str]:
        """The scopes of everything that has been delivered since the last call."""
        await self.world.deliveries.settled()
        scopes = self.receiver.scopes
        self.receiver.received.clear()
        return scopes


def signed(request: httpx.Request) -> bool:
    """Whether a webhook carries the right Standard Webhooks signature."""
    key, stamp = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
    return request.headers["webhook-signature"] == signature(CLIENT_SECRET, key, stamp, request.content)
