"""What programs do over HTTP stands in the audit log, beside what people do on the dashboard."""

from __future__ import annotations

from typing import cast

from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from tajo.app import DONE, FAILED, REFUSED, Tajo
from tajo.web.callers import Limits


class Noted:
    """ASGI middleware: notes what was done by routes that say so: `@post(…, noted="sync")`; and by its
    operation id whatever else a key was refused.

    It is about the connector or key that the path names; a route that makes a name itself puts it into
    `request.state.about`. One that turns out to change nothing says so: `request.state.noted = False`.
    Whoever is refused, or fails, again and again is noted once a minute.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it be done, and see what came of it."""
        status = 500

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            await _note(scope, status)


async def _note(scope: Scope, status: int) -> None:
    caller, handler = scope.get("user"), cast(HTTPRouteHandler, scope["route_handler"])
    verb = handler.opt.get("noted") or (handler.operation_id if status == 403 else None)
    if caller is None or verb is None or not scope["state"].get("noted", True):
        return
    outcome = DONE if status < 400 else REFUSED if status == 403 else FAILED
    state = scope["litestar_app"].state
    limits: Limits = state.limits
    if outcome != DONE and not limits.slip(caller, str(verb)):
        return
    names = scope["path_params"]
    about = scope["state"].get("about") or names.get("name") or names.get("key") or ""
    tajo: Tajo = state.tajo
    await tajo.note(caller.who, str(verb), str(about), outcome)
