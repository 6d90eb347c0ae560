"""The recovery link: it brings a cart back, on any device and as often as it is followed.

The link holds all that must be known, sealed: nothing is stored to make one, nobody can guess one, and it
tells nothing to those who see it.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Protocol

import msgspec
from msgspec import Struct

from tajo.errors import Mend
from tajo.sync.ledger.secret import Secret
from tajo.sync.model import Cart

LASTING = 30 * 86400
"""Seconds for which a link works at most: the ledger forgets a cart that nobody touches (`keeping.CARTS`)."""

LONGEST = 400
"""Characters of the longest token that can be one."""

_PURPOSE = b"recovery link"
_SEALING = 28  # bytes that sealing adds: less cannot be a sealed word


class Claim(Struct, frozen=True, array_like=True):
    """What a link says: which cart, and until when it works, in seconds since 1970."""

    connector: str
    cart: int
    until: int


def link(secret: Secret, public_url: str, connector: str, cart: int, now: float) -> str:
    """The address that brings this cart back. `now`: when it is written, seconds since 1970.

    Each call makes another address; all of them work.
    """
    sealed = secret.seal(Claim(connector, cart, int(now) + LASTING), _PURPOSE)
    return f"{public_url.rstrip('/')}/r/{urlsafe_b64encode(sealed).decode().rstrip('=')}"


def read(secret: Secret, token: str) -> Claim | None:
    """What the last part of a link says, expired or not; None if we did not make it."""
    if len(token) > LONGEST:
        return None
    try:
        sealed = b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        return secret.unseal(sealed, _PURPOSE, Claim) if len(sealed) > _SEALING else None
    except (ValueError, Mend, msgspec.MsgspecError):
        return None


class Why(StrEnum):
    """Why something of a cart is not in the one that was made anew, for the shopper."""

    NO_LONGER_SOLD = "is no longer sold"
    SOLD_OUT = "is sold out"
    FEWER = "is there in a smaller number"
    NOT_REPEATABLE = "must be chosen again in the shop"
    REFUSED = "cannot be bought at the moment"


class LeftOut(Struct, frozen=True):
    """A line that is not there as it was. `left`: how many pieces there are, of `FEWER`."""

    name: str
    why: Why
    left: int = 0


class Restored(Struct, frozen=True, kw_only=True):
    """A cart that was made anew. `uuid`: empty if there is none.

    `url`: where the store itself makes it, if we may not. `coupons`: those that are not taken any more.
    """

    uuid: str = ""
    url: str = ""
    left_out: tuple[LeftOut, ...] = ()
    coupons: tuple[str, ...] = ()


class Till(Protocol):
    """Where carts of one store are made. Every method may raise `Mend` or `Later`."""

    async def recreate(self, cart: Cart, made: Callable[[str], Awaitable[None]]) -> Restored:
        """Make a cart anew, as far as it can still be bought.

        `made` gets its UUID as soon as there is one, before anything more is done to it.
        """
        ...

    async def entrance(self, uuid: str) -> str | None:
        """An address that brings a browser to the checkout of this cart, once; None if the cart is gone."""
        ...
