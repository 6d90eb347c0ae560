"""`/signin`, `/setup` and `/signout`: who comes in, and who leaves."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.exceptions import PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromQuery, URLEncodedBody
from litestar.response import Redirect, Response
from msgspec import Struct

from tajo.access import LONGEST, Caller, Scope
from tajo.app import REFUSED
from tajo.errors import Later, TajoError, Usage
from tajo.throttle import household
from tajo.web.callers import COOKIE, from_ourselves
from tajo.web.dashboard.errands import sentences, told
from tajo.web.dashboard.frame import HTML, Asked, drawn, session_of
from tajo.web.dashboard.house import Flash, House, InHouse
from tajo.web.dashboard.words import span

STRANGER = Caller("a stranger", Scope.READ)
"""Who failed to sign in, in the audit log: what was typed as a name may have been a password."""


class SignIn(Struct, frozen=True, forbid_unknown_fields=True):
    """The form. `next`: the page that somebody wanted to see."""

    name: str
    password: str
    next: str = "/"

    def __repr__(self) -> str:
        return "SignIn()"


class SetUp(Struct, frozen=True, forbid_unknown_fields=True):
    """The form of the first start."""

    token: str
    name: str
    password: str

    def __repr__(self) -> str:
        return "SetUp()"


def ours_alone(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """A guard: no page of somebody else's signs anybody in, not even as itself."""
    if not from_ourselves(connection):
        raise PermissionDeniedException("this page may not do that")


@get("/signin")
async def signin(request: Asked, next: FromQuery[str] = "/") -> Response[Any]:  # noqa: A002
    """The form; whoever is signed in goes on."""
    if request.user is not None and request.user.user:
        return Redirect(own_path(next), status_code=303)
    return _door("signin.html", next=own_path(next), name="", problem="", mend="")


@post("/signin", guards=[ours_alone])
async def come_in(request: Asked, house: InHouse, data: URLEncodedBody[SignIn]) -> Response[Any]:
    """Let somebody in who knows their password."""
    address = household(request.client.host if request.client else "")
    problem, status = "This name and this password do not belong together.", 401
    try:
        session = await house.keeper.sign_in(data.name.strip(), data.password, address)
    except Later as error:
        session, problem, status = None, f"{sentences(str(error))} It takes {span(error.seconds)}.", 429
    if session is None:
        if status == 401 and request.app.state.limits.slip(STRANGER, "sign in"):
            await house.keeper.note(STRANGER.who, "sign in", outcome=REFUSED)
        return _door(
            "signin.html", status=status, next=own_path(data.next), name="", problem=problem, mend=""
        )
    await house.keeper.note(f"user {data.name.strip()}", "sign in")
    return _in(request, house, session, own_path(data.next))


@get("/setup")
async def setup(house: InHouse, token: FromQuery[str] = "") -> Response[Any]:
    """The form of the first start."""
    return await _first(house, token)


@post("/setup", guards=[ours_alone])
async def set_up(request: Asked, house: InHouse, data: URLEncodedBody[SetUp]) -> Response[Any]:
    """Let the first person in."""
    try:
        session = await house.keeper.set_up(data.token, data.name.strip(), data.password)
    except TajoError as error:
        return await _first(house, data.token, data.name[:64], error)
    await house.keeper.note(f"user {data.name.strip()}", "set up")
    house.flashes.put(session, Flash(f"Welcome, {data.name.strip()}. From now on you sign in by this name."))
    return _in(request, house, session, "/")


@post("/signout", guards=[ours_alone])
async def sign_out(request: Asked, house: InHouse) -> Response[Any]:
    """This session is over."""
    session = session_of(request)
    if session:
        await house.keeper.sign_out(session)
    if request.user is not None:
        await house.keeper.note(request.user.who, "sign out")
    answer: Response[Any] = Redirect("/signin", status_code=303)
    answer.delete_cookie(COOKIE, path="/")
    return answer


HANDLERS = [signin, come_in, setup, set_up, sign_out]


def own_path(text: str) -> str:
    """A path of ours to go on to: `/` for whatever leads elsewhere, or might in some browser."""
    plain = text.isascii() and text.isprintable() and "\\" not in text and len(text) <= 2000
    return text if plain and text.startswith("/") and not text.startswith("//") else "/"


async def _first(house: House, token: str, name: str = "", wrong: TajoError | None = None) -> Response[Any]:
    """The form of the first start, with what was wrong with it; none, if the link lets nobody in."""
    opens = True
    try:
        await house.keeper.link(token)
    except Usage as error:
        opens, wrong = False, error
    problem, mend = told(wrong) if wrong else ("", "")
    status = 422 if wrong else 200
    return _door("setup.html", status=status, opens=opens, token=token, name=name, problem=problem, mend=mend)


def _door(template: str, *, status: int = 200, **context: Any) -> Response[Any]:
    return Response(drawn(template, **context), status_code=status, media_type=HTML)


def _in(request: Asked, house: House, session: str, to: str) -> Response[Any]:
    public = house.wiring.settings.server.public_url or ""
    cookie = Cookie(
        key=COOKIE,
        value=session,
        path="/",
        httponly=True,
        samesite="strict",
        secure=public.startswith("https:") or request.url.scheme == "https",
        max_age=int(LONGEST),
    )
    return Redirect(to, status_code=303, cookies=[cookie])
