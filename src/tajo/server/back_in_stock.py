"""`POST /v1/back-in-stock`: a shopper wishes to be told. Public, so it trusts nobody and tells nothing.

Only pages of the stores themselves may ask. Everybody who asks properly gets the same answer, after the same
work: the wish is on disk, and nobody has looked whose it is. The answers hold nothing that was received.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tajo.errors import Later
from tajo.server.bodies import read_body
from tajo.sync.ledger.wishes import WishBox, wish
from tajo.sync.weigh.desk import plausible
from tajo.throttle import Throttle, household

LARGEST = 2_000  # bytes of a wish
DAY = 86_400

_SCRIPT = (Path(__file__).parent / "storefront.js").read_bytes()
_SCRIPT_HEADERS = {"cache-control": "public, max-age=3600", "cross-origin-resource-policy": "cross-origin"}


class _Asked(Struct, frozen=True):
    """`website`: a field that no human sees; who fills it is none."""

    product_id: Annotated[int, Meta(gt=0, le=2**63 - 1)]
    email: Annotated[str, Meta(max_length=254)]
    variant_id: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    connector: str = ""
    website: str = ""


_read = msgspec.json.Decoder(_Asked, strict=False).decode


class BackInStock:
    """The ASGI application. `origins`: by connector, those of its storefronts; they may become known late."""

    def __init__(
        self, origins: Mapping[str, Collection[str]], wishes: WishBox, now: Callable[[], float]
    ) -> None:
        self._origins = origins
        self._wishes = wishes
        self._now = now
        self._each = Throttle(10, 6.0)
        self._all = Throttle(500, 0.05)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one wish, or answer a browser that asks whether it may send one."""
        headers = Headers(scope=scope)
        origin = headers.get("origin", "")
        connectors = [name for name, known in self._origins.items() if origin in known]
        if not connectors:
            raise HTTPException(403, "only pages of the store may ask")
        allowed = {"access-control-allow-origin": origin, "vary": "origin"}
        if scope["method"] == "OPTIONS":
            allowed |= {
                "access-control-allow-methods": "POST",
                "access-control-allow-headers": "content-type",
                "access-control-max-age": str(DAY),
            }
            await Response(None, 204, allowed)(scope, receive, send)
            return
        try:
            await self._take(scope, headers, receive, connectors)
        except HTTPException as error:  # the page must be able to read why
            raise HTTPException(
                error.status_code, error.detail, {**(error.headers or {}), **allowed}
            ) from None
        answer = Response(b'{"status":"accepted"}', 202, allowed, "application/json")
        await answer(scope, receive, send)

    async def _take(self, scope: Scope, headers: Headers, receive: Receive, connectors: list[str]) -> None:
        now, who = self._now(), household((scope.get("client") or ("",))[0])
        if not (self._each.admits(who, now) and self._all.admits(None, now)):
            raise HTTPException(429, "too many wishes", {"retry-after": "60"})
        body = await read_body(headers, receive, largest=LARGEST)
        try:
            asked = _read(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise HTTPException(400, "a wish has a product_id and an email") from None
        if not plausible(asked.email):
            raise HTTPException(400, "that is no e-mail address")
        if asked.connector and asked.connector not in connectors:
            raise HTTPException(403, "only pages of the store may ask")
        if asked.website:
            return
        one = wish(self._wishes.secret, asked.email, asked.product_id, asked.variant_id or 0)
        try:
            await self._wishes.take(asked.connector or connectors[0], one)
        except Later:
            raise HTTPException(503, "the wish cannot be kept now", {"retry-after": "60"}) from None


def routes(origins: Mapping[str, Collection[str]], wishes: WishBox, now: Callable[[], float]) -> list[Route]:
    """Where wishes come in, and the script with which a page asks for them."""
    return [
        Route("/v1/back-in-stock", BackInStock(origins, wishes, now), methods=["POST", "OPTIONS"]),
        Route("/storefront.js", _script),
    ]


def origins_of(urls: Iterable[str]) -> frozenset[str]:
    """What browsers call the places of these addresses: scheme, host and port if it is not the usual one."""
    parts = [urlsplit(url.lower()) for url in urls if url]
    return frozenset(f"{one.scheme}://{one.netloc}".removesuffix(_PORTS.get(one.scheme, "")) for one in parts)


_PORTS = {"https": ":443", "http": ":80"}


async def _script(_request: Request) -> Response:
    return Response(_SCRIPT, headers=_SCRIPT_HEADERS, media_type="text/javascript")
