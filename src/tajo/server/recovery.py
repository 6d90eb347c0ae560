"""`GET /r/{token}`: a shopper follows a recovery link, and stands in checkout with their cart.

Each link can be followed many times and on any device. Whoever only looks at links (a scanner of mails, a
browser that loads ahead) makes no cart, or shares one; addresses of the checkout work once, so each click
gets its own. A browser is only sent where the store's API said, or where its storefronts are.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from msgspec import Struct
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from tajo.errors import Later, TajoError
from tajo.server.pages import PRIVATE, page
from tajo.sync.ledger import carts, recoveries
from tajo.sync.ledger.carts import BOUGHT
from tajo.sync.ledger.store import Ledger
from tajo.sync.model import Cart, cart_key
from tajo.sync.recovery import Claim, LeftOut, Restored, Till, Why, read
from tajo.throttle import Throttle

ROUTE = "/r/{token}"
SHARED = 60.0  # seconds for which clicks on the links of one cart share what was made
PATIENCE = 20.0  # seconds that a shopper waits

_log = logging.getLogger(__name__)


class _Made(Struct, frozen=True):
    """What is being made since that moment, or was."""

    at: float
    work: asyncio.Task[Restored]

    @property
    def failed(self) -> bool:
        """It ended without a result."""
        return self.work.done() and (self.work.cancelled() or self.work.exception() is not None)


class Recovery:
    """The ASGI application; `{token}` in its path says which cart is wanted. `tills`: by connector."""

    def __init__(self, tills: Mapping[str, Till], ledger: Ledger, now: Callable[[], float]) -> None:
        self._tills = tills
        self._ledger = ledger
        self._now = now
        self._throttle = Throttle(10, 6.0)
        self._made: dict[tuple[str, int], _Made] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer whoever follows a link: 303 to the checkout, or a page that says why not, or not quite."""
        answer = await self._answer(scope)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        claim = read(self._ledger.secret, scope["path_params"]["token"])
        if claim is None or claim.connector not in self._tills:
            return _UNKNOWN
        now = self._now()
        if claim.until <= now:
            return _EXPIRED
        if scope["method"] == "HEAD":
            return _THERE
        return _NOT_NOW if _ahead(Headers(scope=scope)) else await self._followed(claim, now)

    async def _followed(self, claim: Claim, now: float) -> Response:
        if not self._throttle.admits((claim.connector, claim.cart), now):
            return _TOO_OFTEN
        try:
            async with asyncio.timeout(PATIENCE):
                seen = await self._seen(claim)
                return seen if isinstance(seen, Response) else await self._brought_back(claim, seen)
        except Exception as error:  # whatever it was, a shopper must see a page
            words = str(error) if isinstance(error, TajoError) else type(error).__name__
            _log.error("a cart of %s cannot be brought back now: %s", claim.connector, words)
            return _NOT_NOW

    async def _seen(self, claim: Claim) -> Cart | Response:
        """The cart as it was last seen, or the page that says why there is none."""
        async with self._ledger.begin() as tx:
            facts = (await carts.recall(tx, claim.connector, [claim.cart])).get(claim.cart)
        if facts is not None and facts.state == BOUGHT:
            return _BOUGHT
        if facts is None or facts.sealed is None:
            return _GONE
        return carts.as_seen(self._ledger.secret, claim.cart, facts.sealed)

    async def _brought_back(self, claim: Claim, cart: Cart) -> Response:
        name = (claim.connector, claim.cart)
        for _ in range(2):
            made = self._shared(claim, cart)
            restored = await asyncio.shield(made.work)
            if not restored.uuid:
                return _way_on(restored, restored.url)
            if url := await self._tills[claim.connector].entrance(restored.uuid):
                return _way_on(restored, url)
            if self._made.get(name) is made:  # somebody bought or emptied what was shared
                del self._made[name]
        return _NOT_NOW

    def _shared(self, claim: Claim, cart: Cart) -> _Made:
        """What is made for this click, or was made for another one a moment ago."""
        now, name = self._now(), (claim.connector, claim.cart)
        self._made = {
            one: made
            for one, made in self._made.items()
            if not made.failed and (made.at + SHARED > now or not made.work.done())
        }
        if name not in self._made:
            work = asyncio.create_task(self._recreate(claim, cart, now))
            # nobody may wait for it any more
            work.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._made[name] = _Made(now, work)
        return self._made[name]

    async def _recreate(self, claim: Claim, cart: Cart, now: float) -> Restored:
        async def note(made: int) -> None:
            async with self._ledger.begin() as tx:
                await recoveries.note(tx, claim.connector, made, claim.cart, now)

        restored = await self._tills[claim.connector].recreate(cart, lambda uuid: note(cart_key(uuid).id))
        if restored.url:
            await note(claim.cart)
        return restored


def _ahead(headers: Headers) -> bool:
    """A browser loads what nobody has clicked on yet; a refusal makes it ask again when they do."""
    return "prefetch" in headers.get("sec-purpose", headers.get("purpose", ""))


def _way_on(restored: Restored, url: str) -> Response:
    """To the checkout, by way of a page if not everything is there."""
    if url and urlsplit(url).scheme not in ("https", "http"):
        raise Later("the store named an address that is none of the web")
    missing = [_said(one) for one in restored.left_out]
    missing += [f"The coupon {code} is not taken any more" for code in restored.coupons]
    if not url:
        text = "Nothing of what was in your cart can be bought at the moment:"
        return page("Your cart is empty", text, status=410, items=missing)
    if missing:
        text = "Everything else is in your cart. These things are different now:"
        return page("Almost as you left it", text, items=missing, button=("Continue to checkout", url))
    return RedirectResponse(url, 303, PRIVATE)


def _said(one: LeftOut) -> str:
    return f"{one.name}: only {one.left} left" if one.why is Why.FEWER else f"{one.name} {one.why}"


_AGAIN = ("Try again", "")

_THERE = Response(None, headers=PRIVATE)
_UNKNOWN = page(
    "This link does not work", "Perhaps it was cut off. Open it from your mail once more.", status=404
)
_EXPIRED = page("This link has expired", "It brought your cart back for 30 days.", status=410)
_BOUGHT = page("This cart was bought", "Your order is placed; there is nothing left to do.", status=410)
_GONE = page("This cart is not there any more", "It was emptied, or put aside too long ago.", status=410)
_TOO_OFTEN = page(
    "One moment, please",
    "This link was opened many times just now. Please try again in a minute.",
    status=429,
    button=_AGAIN,
    headers={"retry-after": "60"},
)
_NOT_NOW = page(
    "The shop cannot be reached",
    "Your cart is kept. Please try again in a minute.",
    status=503,
    button=_AGAIN,
    headers={"retry-after": "60"},
)
