"""Bodies that do not come: whoever sends one byte a minute would hold a connection for ever."""

from __future__ import annotations

import asyncio

from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, HTTPReceiveMessage, Receive, Scope, Send, WebSocketReceiveMessage

SECONDS = 10.0
"""Within which a body must have come."""


class Patience:
    """ASGI middleware: 408 for a body that takes longer. What comes after it may take as long as it likes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on what comes, as long as it comes."""
        until = asyncio.get_running_loop().time() + SECONDS
        more = True

        async def hurried() -> HTTPReceiveMessage | WebSocketReceiveMessage:
            nonlocal more
            try:
                async with asyncio.timeout_at(until if more else None):
                    message = await receive()
            except TimeoutError:
                words = f"the body did not come within {SECONDS:g} seconds"
                raise HTTPException(words, status_code=408) from None
            more = message["type"] == "http.request" and message.get("more_body", False)
            return message

        await self._app(scope, hurried, send)
