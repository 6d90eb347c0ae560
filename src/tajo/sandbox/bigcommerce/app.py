"""The application: every request's way through gate, quota, faults and handler, and back as bytes.

The gate, in the order of the real one: the store and its token (401), the path (403 for a trailing slash,
404, 405), the quota (429), a suspended store (503), the scope (403), the body (400, 415).
"""

from __future__ import annotations

import asyncio
import re
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount

from . import (
    carts,
    catalog,
    catalog_parts,
    categories,
    checkouts,
    control,
    coupons,
    customer_parts,
    customers,
    hooks,
    info,
    inventory,
    locations,
    order_writes,
    orders,
    promotions,
    refunds,
    scripts,
    storefront,
    subscribers,
)
from .deliveries import Account, Deliveries
from .faults import Dropped, Faults, Stream
from .limits import Quota
from .wire import Answer, Call, Problem, Route, not_found
from .world import FAMILIES, World

if TYPE_CHECKING:
    import httpx
    from starlette.types import Receive, Scope, Send

    from .store import Store

MODULES: Final = (
    *(customers, customer_parts, subscribers, orders, order_writes, refunds, catalog, catalog_parts),
    *(categories, inventory, locations, carts, checkouts, coupons, promotions, scripts, hooks, info),
)
ROUTES: Final = tuple(route for module in MODULES for route in module.ROUTES)
STORE_PATH: Final = re.compile(r"/stores/([^/]+)(/(v2|v3)/.*)")
PANEL: Final = "/_sandbox/panel"
PAYING: Final = Route("POST", "/checkout/{id}", control.checkout, "")
NOBODY: Final = Account("", "", frozenset())
TOKEN, CLIENT_ID, CLIENT_SECRET = "sandbox-access-token", "sandbox-client-id", "sandbox-client-secret"
UNAUTHORIZED = (
    "Unauthorized - the v3 Auth client ID or token in the request are not a valid combination for this store."
)
FORBIDDEN = "Unauthorized Access. You do not have permission to make this request."
GZIP_FROM = 1024  # bytes
encode = msgspec.json.Encoder().encode


class Router:
    """Finds the route of a path: literal templates by lookup, the others in the order of the table."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._literal: dict[str, dict[str, Route]] = {}
        self._patterns: dict[str, tuple[re.Pattern[str], dict[str, Route]]] = {}
        for route in routes:
            if "{" in route.template:
                known = self._patterns.setdefault(route.template, (route.pattern, {}))
                known[1][route.method] = route
            else:
                self._literal.setdefault(route.template, {})[route.method] = route

    def find(self, path: str) -> tuple[dict[str, Route], dict[str, str]] | None:
        """The methods of a path and its parameters; None when nothing is there."""
        if path in self._literal:
            return self._literal[path], {}
        for pattern, methods in self._patterns.values():
            match = pattern.fullmatch(path)
            if match:
                return methods, match.groupdict()
        return None


def create_app(
    store: Store,
    *,
    plan: str = "standard",
    faults: Faults | None = None,
    scopes: Iterable[str] | None = None,
    other_apps: int = 0,
    time_scale: float = 1.0,
    access_token: str = TOKEN,
    client_id: str = CLIENT_ID,
    client_secret: str = CLIENT_SECRET,
    clock: Callable[[], float] = time.time,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Starlette:
    """The simulated BigCommerce of one store.

    `scopes` are those of the token (all, unless given); `other_apps` requests of each 30 seconds are used
    up by others; `time_scale` makes retries and abandonment so many times faster; `clock` gives epoch
    seconds; `transport` carries the webhooks (tests). `app.state.world` is the `World`.
    """
    stream = Stream(faults)
    deliveries = Deliveries(
        store_id=str(store.info["store_id"]),
        store_hash=store.hash,
        clock=clock,
        time_scale=time_scale,
        faults=stream,
        transport=transport,
    )
    world = World(
        store=store,
        accounts={
            access_token: Account(client_id, client_secret, frozenset(FAMILIES if scopes is None else scopes))
        },
        clock=clock,
        time_scale=time_scale,
        quota=Quota(plan, clock, other_apps),
        faults=stream,
        deliveries=deliveries,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await deliveries.close()

    app = Starlette(routes=[Mount("/", app=Gateway(world))], lifespan=lifespan)
    app.state.world = world
    return app


@dataclass
class Reply:
    """An answer as bytes, and the name under which it is counted."""

    status: int
    body: bytes
    headers: dict[str, str]
    route: str


class Gateway:
    """The ASGI application behind `create_app`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stores, self._control = Router(ROUTES), Router(control.ROUTES)
        self._pages = Router((*storefront.ROUTES, PAYING))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        raw = await request.body()
        if request.url.path.startswith("/stores/"):
            await self._serve(request, raw, send)
        elif request.url.path.startswith(f"{PANEL}/"):
            await _send(send, self._panel_reply(request, raw), request)
        elif request.url.path.startswith("/_sandbox/"):
            await _send(send, self._control_reply(request, raw), request)
        else:
            await _send(send, self._page_reply(request, raw), request)

    def _control_reply(self, request: Request, raw: bytes) -> Reply:
        found = self._control.find(request.url.path)
        if found is None or request.method not in found[0]:
            return Reply(404, b"", {}, "")
        try:
            call = self._call(request, "v3", found[1], control.body_of(raw), NOBODY)
            return _reply(self._answer(found[0][request.method], call), request.url.path)
        except Problem as problem:
            return _reply(Answer(problem.status, problem.body("v3")), request.url.path)

    def _page_reply(self, request: Request, raw: bytes) -> Reply:
        """A shopper's browser: pages of the storefront, and the form that pays."""
        form = dict(parse_qsl(raw.decode(errors="replace")))
        product = ({"GET": storefront.PRODUCT}, {"path": request.url.path.removeprefix("/")})
        methods, names = self._pages.find(request.url.path) or product
        call = self._call(request, "v3", names, form, NOBODY)
        try:
            if request.method not in methods:
                raise Problem(405, "Method Not Allowed")
            if methods[request.method] is PAYING:
                paid = control.checkout(storefront.paying(call))
                return _reply(storefront.bought(call, paid.body), request.url.path)
            return _reply(self._answer(methods[request.method], call), request.url.path)
        except Problem as problem:
            return _reply(storefront.problem(call, problem), request.url.path)

    def _panel_reply(self, request: Request, raw: bytes) -> Reply:
        """Staff in the control panel: the API's own answer without quota, scopes, faults or record."""
        match = STORE_PATH.fullmatch(request.url.path.removeprefix(PANEL))
        account = self._account(request, match)
        if match is None or account is None:
            return _reply(Answer(401, Problem(401, UNAUTHORIZED).body("v3")), PANEL)
        version = match[3]
        try:
            target, names = self._target(request.method, match[2], version)
            body = _parsed(request, raw, version)
            answer = self._answer(target, self._call(request, version, names, body, account))
        except Problem as problem:
            answer = Answer(problem.status, problem.body(version))
        self._world.suspicions.clear()
        return _reply(answer, PANEL)

    async def _serve(self, request: Request, raw: bytes, send: Send) -> None:
        """A request of the API, with whatever befalls it on the way."""
        world, started = self._world, time.perf_counter()
        fault = world.faults.next_request()
        if fault == "slow":
            await asyncio.sleep(world.faults.faults.slow_seconds * world.faults.fraction())
        reply = self._hurt(fault) or self._reply(request, raw)
        entry = {
            "method": request.method,
            "path": request.url.path,
            "query": request.url.query,
            "status": 0 if fault in {"dropped", "unanswered"} else reply.status,
            "ms": round((time.perf_counter() - started) * 1000, 3),
            "body": _seen(raw),
            "fault": fault,
        }
        world.record(reply.route, entry)
        if fault in {"dropped", "unanswered"}:
            # headers that promise more than comes: a socket's client sees the connection end
            headers = [(b"content-type", b"application/json"), (b"content-length", b"1000000")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"{", "more_body": True})
            raise Dropped("the connection was closed")
        if fault == "truncated" and reply.body:
            reply.body = reply.body[: int(len(reply.body) * world.faults.fraction())]
        await _send(send, reply, request)

    def _hurt(self, fault: str) -> Reply | None:
        """The answer of a fault that keeps the request from being applied."""
        match fault:
            case "throttled":
                headers = {**self._world.quota.headers(), "X-Rate-Limit-Requests-Left": "0"}
                return Reply(429, b"", headers, "fault")
            case "overloaded":
                return Reply(429, b"", {}, "fault")
            case "broken":
                status, body = self._world.faults.broken()
                kind = "application/json" if body[:1] in {b"{", b"["} else "text/html"
                return Reply(status, body, {"Content-Type": kind}, "fault")
            case "dropped":
                return Reply(0, b"", {}, "fault")
            case _:
                return None

    def _reply(self, request: Request, raw: bytes) -> Reply:
        """The store's own answer."""
        world = self._world
        match = STORE_PATH.fullmatch(request.url.path)
        account = self._account(request, match)
        if match is None or account is None:
            return _reply(Answer(401, Problem(401, UNAUTHORIZED).body("v3")), "unauthorized")
        path, version = match[2], match[3]
        if not world.quota.take():
            headers = world.quota.headers()
            headers["X-Retry-After"] = str(int(headers["X-Rate-Limit-Time-Reset-Ms"]) // 1000 + 1)
            title = "You have exceeded your API rate limit."
            body = (
                None if version == "v2" else Problem(429, title).body("v3")
            )  # V2: bigcommerce-api-python#116
            return _reply(Answer(429, body), "throttled", headers)
        route = "unknown"
        try:
            target, names = self._target(request.method, path, version)
            route = f"{target.method} {target.template}"
            self._check(request, target, account)
            call = self._call(request, version, names, _parsed(request, raw, version), account)
            for name in call.query.keys() - target.params:
                world.suspect(f"unknown parameter: {name}")
            answer = self._answer(target, call)
        except Problem as problem:
            answer = Answer(problem.status, problem.body(version))
        return _reply(answer, route, world.quota.headers())

    def _account(self, request: Request, match: re.Match[str] | None) -> Account | None:
        """The API account of a request to this store; None for another store or an unknown token."""
        if match is None or match[1] != self._world.store.hash:
            return None
        return self._world.accounts.get(request.headers.get("x-auth-token", ""))

    def _target(self, method: str, path: str, version: str) -> tuple[Route, dict[str, str]]:
        """The endpoint of a path, if the store is open and there is one."""
        if self._world.suspended:
            raise Problem(503, "The store is suspended.")
        if path.endswith("/"):
            raise Problem(403, "Authentication Required")  # bigcommerce/api#95
        found = self._stores.find(path)
        if found is None:
            raise not_found(version)
        if method not in found[0]:
            raise Problem(405, "Method Not Allowed")
        return found[0][method], found[1]

    def _answer(self, route: Route, call: Call) -> Answer:
        """What the handler says; a body that it stumbles over is the client's mistake."""
        try:
            return route.handler(call)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            if call.body is None:
                raise
            self._world.suspect(f"malformed body: {error!r}")
            raise Problem(400 if call.version == "v2" else 422, "JSON data is missing or invalid.") from error

    def _check(self, request: Request, route: Route, account: Account) -> None:
        """The token's scopes: a plain name may write, `_read_only` may read; any family of the route will."""
        needed = {family for family in route.scope.split() if family != "default"}
        if request.method == "GET":
            needed |= {f"{family}_read_only" for family in needed}
        if needed and not needed & account.scopes:
            raise Problem(403, FORBIDDEN)
        if "application/json" not in request.headers.get("accept", ""):
            self._world.suspect("no Accept: application/json (V2 content is negotiated)")

    def _call(
        self, request: Request, version: str, path: dict[str, str], body: Any, account: Account
    ) -> Call:
        query = dict(parse_qsl(request.url.query, keep_blank_values=True))
        root = f"{request.url.scheme}://{request.url.netloc}"
        return Call(self._world, request.method, version, path, query, body, root, account)


def _seen(raw: bytes) -> Any:
    """A request's body as the outbox keeps it."""
    try:
        return control.body_of(raw)
    except ValueError:
        return raw.decode(errors="replace")


def _parsed(request: Request, raw: bytes, version: str) -> Any:
    if not raw:
        return None
    if "json" not in request.headers.get("content-type", ""):
        raise Problem(415, "Unsupported Media Type")
    try:
        return control.body_of(raw)
    except ValueError:
        raise Problem(400 if version == "v2" else 422, "The request body is not valid JSON.") from None


def _reply(answer: Answer, route: str, headers: dict[str, str] | None = None) -> Reply:
    body = answer.body
    if not isinstance(body, bytes):
        body = b"" if body is None else encode(body)
    return Reply(answer.status, body, {**(headers or {}), **answer.headers}, route)


async def _send(send: Send, reply: Reply, request: Request) -> None:
    headers = dict(reply.headers)
    body = reply.body
    if body:
        headers.setdefault("Content-Type", "application/json")
    if len(body) >= GZIP_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        body = packer.compress(body) + packer.flush()
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    if reply.status != 204:
        headers["Content-Length"] = str(len(body))
    packed = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": packed})
    await send({"type": "http.response.body", "body": body})
