"""The front door of `/v3`: key, route, rate limit, weather, handler; the journal notes every request."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import httpx

from .journal import Body
from .routes import Match, Routes
from .wire import Answer, Call, Refusal

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from .account import Account

_CUT = 0
"""The status the journal gives to a request whose connection was cut."""

Sent = tuple[int, bytes, str]


class Gateway:
    """An ASGI application that answers everything under `/v3`."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._routes = Routes()
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        path = _raw_path(scope)
        body = Body(
            scope["method"], f"/v3{path}", scope["query_string"].decode("latin-1"), await _read(receive)
        )
        match = self._routes.match(body.method, path)
        headers: dict[str, str] = {}
        sent = await self._answer(scope, body, match, headers)
        status = _CUT if sent is None else sent[0]
        route = f"{body.method} /v3{match.template}" if match else f"{body.method} (unknown)"
        milliseconds = (time.perf_counter() - started) * 1000
        self._account.journal.note(body, route=route, status=status, ms=milliseconds)
        if sent is None:
            await _cut(scope)
            return
        self._requests += 1
        headers["sib-request-id"] = f"{self._requests:032x}"
        await _send(send, sent, headers)

    async def _answer(
        self, scope: Scope, body: Body, match: Match | None, headers: dict[str, str]
    ) -> Sent | None:
        """Give what is sent, or None when the connection is to be cut."""
        try:
            self._check_key(scope)
            if match is None:
                raise Refusal(404, "not_found", "Invalid route/method passed")
            self._admit(body.method, match, headers)
            early = await self._bad_weather(body.method, match)
            if early is not None:
                return early
            call = Call(body.method, body.path, body.query, body.body, _origin(scope), match.params)
            answer = match.handler(self._account, call)
        except Refusal as refusal:
            answer = refusal.answer()
        return self._late_weather(body.method, answer)

    def _check_key(self, scope: Scope) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        key = headers.get(b"api-key") or headers.get(b"authorization", "").removeprefix("Bearer ")
        if not key:
            raise Refusal(401, "unauthorized", "authentication not found in headers")
        if key != self._account.api_key or not self._account.key_valid:
            raise Refusal(401, "unauthorized", "Key not found")

    def _admit(self, method: str, match: Match, headers: dict[str, str]) -> None:
        verdict = self._account.limits.admit(method, match.template, self._account.clock.now())
        headers.update(verdict.headers)
        storm = self._account.weather.storm()
        if storm and headers:
            headers["x-sib-ratelimit-remaining"] = "0"
        if storm or not verdict.allowed:
            raise Refusal(429, "too_many_requests", "You have reached the maximum number of requests")

    async def _bad_weather(self, method: str, match: Match) -> Sent | None:
        """Fail before anything is applied."""
        weather, faults = self._account.weather, self._account.weather.faults
        if weather.strikes(faults.slow):
            await self._account.clock.sleep(faults.slow_seconds)
        if weather.strikes(faults.server_error):
            return weather.odd_error()
        writes_contact = match.template in {"/contacts", "/contacts/{identifier}"} and method in {
            "POST",
            "PUT",
        }
        if writes_contact and weather.strikes(faults.too_early):
            raise Refusal(425, "account_in_process", "The contact is being processed, please retry later")
        return None

    def _late_weather(self, method: str, answer: Answer) -> Sent | None:
        """Fail after a write was applied: only the caller does not know."""
        weather, faults = self._account.weather, self._account.weather.faults
        if method != "GET" and answer.status < 300:
            if weather.strikes(faults.dropped):
                return None
            if weather.strikes(faults.late_error):
                return weather.odd_error()
        return answer.status, answer.encoded(), "application/json"


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _send(send: Send, sent: Sent, headers: dict[str, str]) -> None:
    status, body, kind = sent
    if body:
        headers["content-type"] = kind
    if status != 204:
        headers["content-length"] = str(len(body))
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def _cut(scope: Scope) -> None:
    """Close the connection without an answer; without a server in between, raise what a client would see."""
    state: dict[str, Any] = scope.get("state") or {}
    if "cut" not in state:
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
    state["cut"]()
    await asyncio.sleep(0.01)


def _raw_path(scope: Scope) -> str:
    """Give the path after `/v3`, still percent-encoded."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1").removeprefix("/v3")


def _origin(scope: Scope) -> str:
    """Give scheme and host as the caller addressed us."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "localhost")
    return f"{scope['scheme']}://{host}"
