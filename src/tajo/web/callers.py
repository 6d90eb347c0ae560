"""Who calls, and what they may do: programs by their key, people by the cookie of their session."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException, TooManyRequestsException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp, Receive, Send
from litestar.types import Scope as Connected

from tajo.access import Caller, Scope
from tajo.throttle import Throttle, household

COOKIE = "tajo_session"

CHALLENGE = {"www-authenticate": 'Bearer realm="tajo"'}
SOON = {"retry-after": "1"}

WATCHED = 10
"""What a caller may watch at once: each takes a connection for as long as it lasts."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

Connection = ASGIConnection[Any, Any, Any, Any]


class Gate(Protocol):
    """Knows callers by what they show."""

    async def by_key(self, text: str) -> Caller | None:
        """Whose key this is."""
        ...

    async def by_session(self, text: str) -> Caller | None:
        """Whose session this is."""
        ...


class Limits:
    """How often callers may come: a known one 50 times a second, one with keys that nobody has seldom."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._calls = Throttle(200, 0.02)
        self._guesses = Throttle(20, 3.0)
        self._slips = Throttle(20, 60.0)
        self._watching: Counter[str] = Counter()

    def call(self, caller: Caller) -> None:
        """Raises 429 for whoever comes too often."""
        if not self._calls.admits(caller.who, self._now()):
            raise TooManyRequestsException("this key asks more than 50 times a second", headers=SOON)

    def slip(self, caller: Caller, verb: str) -> bool:
        """Whether it is worth noting that somebody may not, or failed: twenty times, then once a minute."""
        return self._slips.admits((caller.who, verb), self._now())

    @contextmanager
    def watch(self, caller: Caller) -> Iterator[None]:
        """They watch something until this ends. Raises 429 for whoever watches too many things already."""
        if self._watching[caller.who] >= WATCHED:
            raise TooManyRequestsException(f"this key watches {WATCHED} things already", headers=SOON)
        self._watching[caller.who] += 1
        try:
            yield
        finally:
            self._watching[caller.who] -= 1
            self._watching += Counter()  # whoever watches nothing is not remembered

    def guess(self, address: str) -> None:
        """Raises 429 for an address from which too many keys came that are not known."""
        if not self._guesses.admits(address, self._now()):
            raise TooManyRequestsException("too many keys that are not known", headers=SOON)


class Callers(AbstractAuthenticationMiddleware):
    """Puts the caller into `request.user`: None for whoever shows nothing."""

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        """A key that nobody has is refused at once; a session that is over is none."""
        gate: Gate = connection.app.state.gate
        limits: Limits = connection.app.state.limits
        scheme, _, key = connection.headers.get("authorization", "").partition(" ")
        if scheme:
            caller = await gate.by_key(key.strip()) if scheme.lower() == "bearer" else None
            if caller is None:
                limits.guess(household(connection.client.host if connection.client else ""))
                raise NotAuthorizedException("this key is not known here", headers=CHALLENGE)
            limits.call(caller)
            return AuthenticationResult(user=caller, auth="key")
        session = connection.cookies.get(COOKIE)
        caller = await gate.by_session(session) if session else None
        if caller is not None and not from_ourselves(connection):
            raise PermissionDeniedException("this page may not do that in your name")
        return AuthenticationResult(user=caller, auth="session" if caller else None)


class Watched:
    """ASGI middleware: routes that say so, `@get(…, watched=True)`, go on until whoever asked goes away."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Connected, receive: Receive, send: Send) -> None:
        """Count it, from the question to the last word of the answer."""
        caller = scope.get("user")
        if caller is None or not scope["route_handler"].opt.get("watched"):
            await self._app(scope, receive, send)
            return
        limits: Limits = scope["litestar_app"].state.limits
        with limits.watch(caller):
            await self._app(scope, receive, send)


def may(scope: Scope) -> Callable[[Connection, BaseRouteHandler], None]:
    """A guard that lets callers with this scope pass."""

    def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        caller: Caller | None = connection.user
        if caller is None:
            raise NotAuthorizedException("show an API key: `Authorization: Bearer …`", headers=CHALLENGE)
        if not caller.scope.allows(scope):
            raise PermissionDeniedException(f"this needs the scope `{scope}`")

    return guard


def from_ourselves(connection: Connection) -> bool:
    """Whether a page of ours asks for a change: browsers add cookies to the requests of other pages, too."""
    if connection.scope.get("method") in SAFE:
        return True
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = connection.headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == connection.headers.get("host")
