"""What browsers are told with every answer, and under which names this server may be reached."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)

CAREFUL = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


async def careful(message: Message, _scope: Scope) -> None:
    """Add the headers to an answer, whatever it is; one that has its own keeps it.

    Forms of a page with `no-referrer` would be sent with `Origin: null`, as if they were somebody else's.
    """
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        if headers.get("content-type", "").startswith("text/html"):
            headers.setdefault("referrer-policy", "same-origin")
        for name, value in CAREFUL.items():
            headers.setdefault(name, value)


class Hosts:
    """ASGI middleware: 400 for other hosts, as a name of somebody else's that points here is not ours.

    Programs show a key, which no page of somebody else's has: they may call us as they like.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on what is meant for us. `state.hosts`: our names, without ports; `*`: any."""
        connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope)
        hosts = connection.app.state.hosts
        name = host_of(connection.headers.get("host", ""))
        if not ("*" in hosts or name in hosts or "authorization" in connection.headers):
            raise HTTPException(
                "this server has another name; `server.public_url` in its configuration says which",
                status_code=400,
            )
        await self._app(scope, receive, send)


def host_of(header: str) -> str:
    """The host that a `Host` header names, without its port: `[::1]:8000` is `::1`."""
    name = header.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].removesuffix(".")
