"""How a page is drawn, and how something is done from one: noted in the audit log, and told on the next."""

from __future__ import annotations

from collections.abc import Awaitable
from importlib.metadata import version
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.response import Redirect, Response

from tajo.access import Caller
from tajo.app import DONE, FAILED
from tajo.web.callers import COOKIE
from tajo.web.dashboard import words
from tajo.web.dashboard.errands import sentences, told
from tajo.web.dashboard.house import Flash, House

HTML = "text/html"

Asked = Request[Any, Any, Any]
Page = Response[str]

NAV = (
    ("/", "Overview"),
    ("/activity", "Activity"),
    ("/runs", "Runs"),
    ("/failures", "Failures"),
    ("/hooks", "Webhooks"),
    ("/preview", "Preview"),
    ("/skills", "Skills"),
    ("/doctor", "Doctor"),
    ("/settings", "Settings"),
)

_ENVIRONMENT = Environment(
    loader=PackageLoader("tajo.web.dashboard"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_ENVIRONMENT.filters |= {
    "number": words.number,
    "span": words.span,
    "clock": words.clock,
    "listed": words.listed,
    "prose": words.prose,
    "stopped": words.stopped,
    "json": words.json,
    "plain": words.plain,
}
_ENVIRONMENT.globals |= {"when": words.when, "many": words.many, "version": version("tajo"), "nav": NAV}


def people_only(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """A guard: pages are for somebody who is signed in; programs have `/v1`."""
    caller: Caller | None = connection.scope.get("user")  # nobody asks who sends OPTIONS
    if caller is None or not caller.user:
        raise NotAuthorizedException("sign in first")


def drawn(template: str, **context: Any) -> str:
    """A page as text."""
    return _ENVIRONMENT.get_template(template).render(context)


def page(request: Asked, house: House, template: str, *, status: int = 200, **context: Any) -> Page:
    """A page for whoever is signed in, with what they are to be told.

    A page that a script fetches is shown to nobody, so nothing that is told once is told on it.
    """
    shown = request.headers.get("sec-fetch-dest") != "empty"
    text = drawn(
        template,
        path=request.url.path,
        user=request.user.user,
        flash=house.flashes.take(session_of(request)) if shown else None,
        now=house.now,
        names=house.names,
        humans=house.humans(),
        **context,
    )
    return Response(text, status_code=status, media_type=HTML)


async def act(
    request: Asked, house: House, work: Awaitable[Flash | str], *, verb: str, about: str, to: str
) -> Redirect:
    """Do something, note it, and tell on the page `to` what came of it: whatever that was."""
    try:
        flash = await work
        flash = Flash(flash) if isinstance(flash, str) else flash
    except Exception as error:
        problem, mend = told(error)
        flash = Flash(sentences("not done", problem, mend), bad=True)
    await house.tajo.note(request.user.who, verb, about, FAILED if flash.bad else DONE)
    if about in house.wiring.settings.connectors:
        await house.snapshot.soon(about)
    house.flashes.put(session_of(request), flash)
    return Redirect(flash.to or to, status_code=303)


def session_of(request: Asked) -> str:
    """The text of the session; empty without one."""
    return request.cookies.get(COOKIE, "")
