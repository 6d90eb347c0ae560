"""Webhooks are counted by what came of them, whoever sent them."""

from __future__ import annotations

from collections.abc import Callable, Container

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DOORS = "/webhooks/"

OUTCOMES = {200: "kept", 401: "forged", 429: "put_off", 503: "put_off"}
"""By the status that was answered; all others: refused."""

Noticed = Callable[[str, str, str], None]
"""Hears of each webhook: its side, its connector (empty where its address names none), what came of it."""


class Counted:
    """The application, with `noticed` told of each callback. `connectors`: the names that there are."""

    def __init__(self, app: ASGIApp, connectors: Container[str], noticed: Noticed) -> None:
        self._app = app
        self._connectors = connectors
        self._noticed = noticed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, and look at the status of the answer."""
        path: str = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(DOORS):
            await self._app(scope, receive, send)
            return
        side, _, rest = path.removeprefix(DOORS).partition("/")
        name = rest.partition("/")[0]
        connector = name if name in self._connectors else ""

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and side in SIDES:
                self._noticed(side, connector, OUTCOMES.get(message["status"], "refused"))
            await send(message)

        await self._app(scope, receive, watched)


SIDES = ("bigcommerce", "brevo")
