"""`/settings`: keys of programs, your password and sessions, connected stores, and who did what."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.params import QueryParameter, URLEncodedBody
from litestar.response import Redirect
from msgspec import Struct

from tajo.access import Scope
from tajo.errors import Usage
from tajo.web.dashboard.frame import Asked, Page, act, page, session_of
from tajo.web.dashboard.house import Flash, InHouse

SHOWN = 25
"""Lines of the audit log on a page."""

Before = Annotated[int | None, QueryParameter(ge=1, le=2**63 - 1)]
"""The line before which a page of it begins, by its number."""


class NewKey(Struct, frozen=True, forbid_unknown_fields=True):
    """The form that makes a key."""

    name: str
    scope: Scope


class OldKey(Struct, frozen=True, forbid_unknown_fields=True):
    """The form that revokes one."""

    id: str


class Elsewhere(Struct, frozen=True, forbid_unknown_fields=True):
    """The form that ends a session; without its id, all but this one."""

    id: str = ""


class Password(Struct, frozen=True, forbid_unknown_fields=True):
    """The form that changes a password."""

    old: str
    new: str

    def __repr__(self) -> str:
        return "Password()"


@get("/settings")
async def settings(request: Asked, house: InHouse, before: Before = None) -> Page:
    """What is safe to change here, and what is not, with where it is written."""
    doings = await house.keeper.doings(before, SHOWN + 1)
    return page(
        request,
        house,
        "settings.html",
        keys=await house.keeper.keys(),
        scopes=list(Scope),
        sessions=await house.keeper.sessions(request.user.user, session_of(request)),
        doings=doings[:SHOWN],
        older=doings[SHOWN - 1].id if len(doings) > SHOWN else None,
        before=before,
        connectors=[
            (name, one, name in house.wiring.written)
            for name, one in sorted(house.wiring.settings.connectors.items())
        ],
        server=house.wiring.settings.server,
    )


@post("/settings/keys", status_code=303)
async def make(request: Asked, house: InHouse, data: URLEncodedBody[NewKey]) -> Redirect:
    """Make a key; it is shown once."""

    async def work() -> Flash:
        key, text = await house.keeper.make_key(data.name, data.scope)
        return Flash(f"The key {key.id} is made. Copy it now: nobody can see it again.", secret=text)

    about = f"scope {data.scope}"
    return await act(request, house, work(), verb="create key", about=about, to="/settings#keys")


@post("/settings/keys/revoke", status_code=303)
async def revoke(request: Asked, house: InHouse, data: URLEncodedBody[OldKey]) -> Redirect:
    """A key opens nothing any more."""

    async def work() -> str:
        await house.keeper.revoke(data.id)
        return f"The key {data.id} opens nothing any more."

    about = data.id if data.id.isalnum() and len(data.id) <= 16 else ""
    return await act(request, house, work(), verb="revoke key", about=about, to="/settings#keys")


@post("/settings/password", status_code=303)
async def password(request: Asked, house: InHouse, data: URLEncodedBody[Password]) -> Redirect:
    """Another password; all other sessions are over."""

    async def work() -> str:
        if data.old == data.new:
            raise Usage("that is the password you have", "choose another one.")
        await house.keeper.change_password(request.user.user, data.old, data.new, session_of(request))
        return "Your password is changed, and you are signed out everywhere else."

    return await act(request, house, work(), verb="change password", about="", to="/settings#sign-in")


@post("/settings/sessions/end", status_code=303)
async def sign_out_elsewhere(request: Asked, house: InHouse, data: URLEncodedBody[Elsewhere]) -> Redirect:
    """End one session of yours, or all but this one."""

    async def work() -> str:
        count = await house.keeper.sign_out_elsewhere(request.user.user, session_of(request), data.id)
        if data.id:
            return "You are signed out there." if count else "That session was over already."
        return "You are signed out everywhere else." if count else "You are signed in nowhere else."

    return await act(request, house, work(), verb="sign out elsewhere", about="", to="/settings#sign-in")


HANDLERS = [settings, make, revoke, password, sign_out_elsewhere]
