"""A tiny Brevo for the tests of `tajo.brevo`: an account behind `httpx.MockTransport`, on a virtual clock.

It is written from `facts/brevo.md` and knows just what these tests need: who holds which contact,
imports that finish later, the hundred calls an hour, duplicate phones. It remembers every call.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import Any

import httpx

from tajo.http import Clock


class FastClock(Clock):
    """Time jumps to the earliest sleeper when nobody else has anything to do; sleepers may be cancelled."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        self._beds: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = 0
        self._ticker: asyncio.Task[None] | None = None

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self._number += 1
        bed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._beds, (self.time + seconds, self._number, bed))
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.create_task(self._tick())
        await bed

    async def _tick(self) -> None:
        while self._beds:
            for _ in range(15):
                await asyncio.sleep(0)
            hour, _, bed = heappop(self._beds)
            if not bed.done():
                self.time = max(self.time, hour)
                bed.set_result(None)


class Meter:
    """At most `limit` calls in any `seconds`: the strictest reading of a limit."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit, self.seconds = limit, seconds
        self.calls: deque[float] = deque()

    def take(self, now: float) -> dict[str, str] | None:
        """The headers of an answer, None if the call is one too many."""
        while self.calls and self.calls[0] <= now - self.seconds:
            self.calls.popleft()
        if len(self.calls) >= self.limit:
            return None
        self.calls.append(now)
        return self.headers(now)

    def headers(self, now: float) -> dict[str, str]:
        left = self.limit - len(self.calls)
        reset = self.calls[0] + self.seconds - now if self.calls else self.seconds
        return {
            "x-sib-ratelimit-limit": str(self.limit),
            "x-sib-ratelimit-remaining": str(left),
            "x-sib-ratelimit-reset": str(int(reset) + 1),
        }


GENERAL = {"contacts": (10, 1.0), "orders": (5, 1.0), "products": (2, 1.0), "other": (100, 3600.0)}

Reply = tuple[int, Any]
Fault = Callable[[str, Any], Reply | None]


class Account:
    """What Brevo holds, and how it answers. `fault(route, body)` may answer in its stead."""

    def __init__(self, clock: FastClock, *, limited: bool = True, latency: float = 0.05) -> None:
        self.clock = clock
        self.latency = latency
        self.fault: Fault = lambda route, body: None
        self.calls: list[tuple[float, str, Any]] = []
        self.refused = 0
        self.meters = {row: Meter(*limit) for row, limit in GENERAL.items()} if limited else {}
        self.contacts: dict[int, dict[str, Any]] = {}
        self.attributes: dict[str, dict[str, Any]] = {}
        self.lists: dict[int, str] = {}
        self.folders: dict[int, str] = {}
        self.things: dict[str, dict[str, Any]] = {"orders": {}, "products": {}, "categories": {}}
        self.historical: dict[str, bool | None] = {}
        self.processes: dict[int, tuple[float, dict[str, Any]]] = {}
        self.reports: dict[str, str] = {}
        self.drops: Callable[[str], bool] = lambda email: False
        self.import_seconds = 3.0
        self.import_ends = "completed"
        self.ecommerce = True

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def count(self) -> Counter[str]:
        """How often each route was called."""
        return Counter(route for _, route, _ in self.calls)

    def bodies(self, route: str) -> list[Any]:
        """What a route was sent, in order."""
        return [body for _, called, body in self.calls if called == route]

    def by_email(self, email: str) -> dict[str, Any]:
        return next(c for c in self.contacts.values() if c["email"] == email)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        await self.clock.sleep(self.latency / 2)
        reply = self._reply(request)
        await self.clock.sleep(self.latency / 2)
        return reply

    def _reply(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "reports.test":
            assert "api-key" not in request.headers, "the key was shown to another host"
            return httpx.Response(200, text=self.reports.get(request.url.path, ""))
        assert request.headers["api-key"] == "xkeysib-1"
        path = request.url.path.removeprefix("/v3")
        template = re.sub(r"(?<=/)(\d+|[^/]+@[^/]+)", "{id}", path)
        route = f"{request.method} {template}"
        body = json.loads(request.content) if request.content else dict(request.url.params)
        headers = {}
        if self.meters:
            row = {"POST /orders/status": "orders", "POST /products": "products"}.get(route, "other")
            meter = self.meters["contacts" if path.startswith("/contacts") else row]
            told = meter.take(self.clock.now())
            if told is None:
                self.refused += 1
                return httpx.Response(429, headers=meter.headers(self.clock.now()), json={"message": "slow"})
            headers = told
        self.calls.append((self.clock.now(), route, body))
        status, value = self.fault(route, body) or self._serve(route, path, body)
        return (
            httpx.Response(status, headers=headers, json=value)
            if value is not None
            else (httpx.Response(status, headers=headers))
        )

    def _serve(self, route: str, path: str, body: Any) -> Reply:
        number = next(map(int, re.findall(r"/(\d+)", path)), 0)
        match route.split():
            case ["GET", "/account"]:
                return 200, {"plan": [{"type": "free"}, {"type": "sms"}]}
            case ["GET", "/ecommerce/config/displayCurrency"]:
                return (200, {"code": "EUR"}) if self.ecommerce else (403, {"message": "eCommerce is off"})
            case ["POST", "/ecommerce/activate"]:
                return 200, None
            case ["GET", "/contacts/attributes"]:
                return 200, {"attributes": list(self.attributes.values())}
            case ["POST", attribute] if attribute.startswith("/contacts/attributes/normal/"):
                name = attribute.rpartition("/")[2]
                self.attributes[name] = {"name": name, "category": "normal", **body}
                return 201, None
            case ["GET", "/contacts/lists"] | ["GET", "/contacts/folders"]:
                name = path.rpartition("/")[2]
                held = sorted((self.lists if name == "lists" else self.folders).items())
                start = int(body["offset"])
                return 200, {
                    name: [{"id": i, "name": n} for i, n in held[start : start + int(body["limit"])]]
                }
            case ["POST", "/contacts/lists"]:
                assert body["folderId"] in self.folders
                self.lists[100 + len(self.lists)] = body["name"]
                return 201, {"id": 99 + len(self.lists)}
            case ["POST", "/contacts/folders"]:
                self.folders[7] = body["name"]
                return 201, {"id": 7}
            case ["GET", "/contacts"]:
                return self._page(body)
            case ["POST", "/contacts"]:
                return self._upsert(body)
            case ["GET", "/contacts/{id}"]:
                email = path.rpartition("/")[2]
                found = next(
                    (c for i, c in self.contacts.items() if i == number or c["email"] == email), None
                )
                return (200, found) if found else (404, {"code": "document_not_found"})
            case ["PUT", "/contacts/{id}"]:
                return self._update(number, body)
            case ["POST", "/contacts/import"]:
                return self._import(body)
            case ["GET", "/processes/{id}"]:
                ready, told = self.processes[number]
                status = self.import_ends if self.clock.now() >= ready else "processing"
                return 200, {"status": status, "info": {"import": told}}
            case ["POST", "/orders/status"]:
                self.things["orders"][body["id"]] = body
                self.historical[body["id"]] = None
                return 204, None
            case ["POST", "/orders/status/batch"]:
                assert len(body["orders"]) <= 1000
                for order in body["orders"]:
                    self.things["orders"][order["id"]] = order
                    self.historical[order["id"]] = body.get("historical", True)
                return 202, {"batchId": 1, "count": len(body["orders"])}
            case ["POST", "/products"]:
                self.things["products"][body["id"]] = body
                return 204, None
            case ["POST", "/products/batch"] | ["POST", "/categories/batch"]:
                name = path.split("/")[1]
                ids = [item["id"] for item in body[name]]
                assert len(ids) == len(set(ids)) <= 100
                assert body["updateEnabled"] is True
                self.things[name].update((item["id"], item) for item in body[name])
                return 201, {"createdCount": len(ids)}
            case _:
                return 404, {"code": "not_found", "message": "Invalid route/method passed"}

    def _page(self, params: dict[str, str]) -> Reply:
        rows = [c for _, c in sorted(self.contacts.items(), reverse=params["sort"] == "desc")]
        for when in ("modified", "created"):
            if since := params.get(f"{when}Since"):
                least = datetime.strptime(since, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
                rows = [c for c in rows if c[when] > least.timestamp()]
        start, limit = int(params["offset"]), int(params["limit"])
        assert limit <= 1000
        return 200, {"contacts": rows[start : start + limit], "count": len(rows)}

    def _find(self, email: str) -> dict[str, Any] | None:
        return next((c for c in self.contacts.values() if c["email"] == email), None)

    def _duplicate(self, me: int, attributes: dict[str, Any]) -> str:
        for contact in self.contacts.values():
            if contact["id"] != me:
                if attributes.get("SMS") and contact["attributes"].get("SMS") == attributes["SMS"]:
                    return "SMS"
                if attributes.get("EMAIL") == contact["email"]:
                    return "email"
        return ""

    def _store(self, contact: dict[str, Any], body: dict[str, Any], blocked: bool | None) -> None:
        attributes = dict(body.get("attributes", {}))
        if (email := attributes.pop("EMAIL", None)) and email != contact["email"]:
            contact["email"] = email
            contact["emailBlacklisted"] = False
        contact["attributes"].update(attributes)
        contact["listIds"] = sorted({*contact["listIds"], *body.get("listIds", ())})
        contact["modified"] = self.clock.now()
        if blocked is not None:
            contact["emailBlacklisted"] = blocked

    def add(self, email: str, **attributes: Any) -> dict[str, Any]:
        number = 1000 + len(self.contacts)
        contact = {"id": number, "email": email, "emailBlacklisted": False, "listIds": []}
        now = self.clock.now()
        self.contacts[number] = contact | {"attributes": attributes, "created": now, "modified": now}
        return self.contacts[number]

    def _upsert(self, body: dict[str, Any]) -> Reply:
        known = self._find(body["email"])
        if field := self._duplicate(known["id"] if known else 0, body["attributes"]):
            return 400, {
                "code": "invalid_parameter",
                "message": f"Unable, {body['email']} clashes",
                "metadata": {"duplicate_identifiers": [field]},
            }
        contact = known or self.add(body["email"])
        self._store(contact, body, body.get("emailBlacklisted"))
        return (204, None) if known else (201, {"id": contact["id"]})

    def _update(self, number: int, body: dict[str, Any]) -> Reply:
        if number not in self.contacts:
            return 404, {"code": "document_not_found", "message": "Contact does not exist"}
        if field := self._duplicate(number, body.get("attributes", {})):
            return 400, {"code": "duplicate_parameter", "metadata": {"duplicate_identifiers": [field]}}
        self._store(self.contacts[number], body, body.get("emailBlacklisted"))
        return 204, None

    def _import(self, body: dict[str, Any]) -> Reply:
        running = [p for p, (ready, _) in self.processes.items() if ready > self.clock.now()]
        assert not running, "two imports at once"
        assert body["listIds"] and body["disableNotification"] and not body["emptyContactsAttributes"]
        number = len(self.processes) + 1
        self.processes[number] = (self.clock.now() + self.import_seconds, {})
        if self.import_ends == "completed":
            for row in body["jsonBody"]:
                if not self.drops(row["email"]):
                    shared = {"listIds": body["listIds"], "attributes": row["attributes"]}
                    contact = self._find(row["email"]) or self.add(row["email"])
                    self._store(contact, shared, True if body.get("emailBlacklist") else None)
        return 202, {"processId": number}
