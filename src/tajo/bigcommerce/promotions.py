"""Discount codes that the store's checkout takes: coupon promotions, and codes in them.

One promotion gives so many percent off a cart, in every currency, until the end of a day (UTC). All codes
that promise just that lie in it, each for one purchase. It is known by its name: a second run, or another
process, finds it again, and one that was deleted is made anew. A discount that lasts for so many days has so
many promotions that are active, and one more; BigCommerce recommends to stay below a hundred in all (docs:
store-operations/promotions). How many codes one may have is limited nowhere (promotions.v3).
"""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from tajo.bigcommerce import wire
from tajo.bigcommerce.api import NEW_ACCOUNT, Api, Declined, scope
from tajo.bigcommerce.resources import every
from tajo.bigcommerce.values import Unreadable, moment
from tajo.errors import Later, Mend
from tajo.http import Clock

PROMOTIONS, CODES = "/v3/promotions", "/v3/promotions/{promotion_id}/codes"
ANY_CODE = "/v3/promotions/codes"

DAY = 86400
LOOK_AGAIN = 3600.0  # seconds for which a promotion counts as being as it was seen
FORBIDDEN, GONE = 403, 404
REFUSALS = frozenset({400, 409, 422})  # of a code; which of them says that it exists is not documented


class Promotion(Struct, frozen=True, gc=False):
    """promotions.v3: SavedCouponPromotion. `end_date` null: it has none."""

    id: int = 0
    name: str | None = None
    status: str | None = None
    end_date: str | None = None


class Code(Struct, frozen=True, gc=False):
    """promotions.v3: CouponCode."""

    id: int = 0
    code: str | None = None


_promotions, _promotion = wire.pages_of(Promotion), wire.enclosed(Promotion)
_codes = wire.pages_of(Code)


class Offer(Struct, frozen=True):
    """So many percent off. `end`: its last second since 1970, which ends a day in UTC; 0: without end."""

    percent: int
    end: int = 0

    @property
    def name(self) -> str:
        """What its promotion is called: `Tajo 10 % until 2026-03-31`, or `Tajo 10 %`."""
        return f"Tajo {self.percent} %" + (f" until {self._last:%Y-%m-%d}" if self.end else "")

    @property
    def body(self) -> dict[str, Any]:
        """The promotion as it is made (promotions.v3: DraftCouponPromotion).

        One that could not be used with others would be refused in carts that have another discount.
        """
        discount = {"percentage_amount": str(self.percent)}
        found: dict[str, Any] = {
            "name": self.name,
            "display_name": f"{self.percent} %",
            "redemption_type": "COUPON",
            "coupon_type": "BULK",
            "currency_code": "*",
            "can_be_used_with_other_promotions": True,
            "status": "ENABLED",
            "rules": [{"action": {"cart_value": {"discount": discount}}}],
        }
        return found | ({"end_date": self._last.isoformat()} if self.end else {})

    @property
    def _last(self) -> datetime:
        return datetime.fromtimestamp(self.end, UTC)


def offer(percent: int, seconds: float, now: float) -> Offer:
    """What makes a promise hold that is given `now`: it ends no earlier, and less than a day later."""
    return Offer(percent, math.ceil((now + seconds + 1) / DAY) * DAY - 1 if seconds else 0)


class Promotions:
    """The coupon promotions of one store that are ours. A code takes one call, if its promotion is known."""

    def __init__(self, api: Api, clock: Clock | None = None) -> None:
        self._api = api
        self._clock = clock or api.clock
        self._seen: dict[Offer, tuple[int, float]] = {}  # its promotion, and when it was looked at
        self._turn = asyncio.Lock()

    async def add(self, percent: int, seconds: float, code: str) -> None:
        """Let this code take so many percent off, as `Source.discount` says. Raises `Later` and `Mend`."""
        wanted = offer(percent, seconds, self._clock.now())
        try:
            for _ in range(2):
                if await self._put(wanted, code):
                    return
                self._seen.pop(wanted, None)  # somebody deleted it
        except Declined as no:
            raise (_forbidden() if no.status == FORBIDDEN else no) from None
        raise Later(f"the promotion {wanted.name} is deleted as often as it is made")

    async def _put(self, wanted: Offer, code: str) -> bool:
        """Put the code into its promotion; False if that is gone.

        An earlier attempt may have put it there, or into one that ends before the code may now.
        """
        path = CODES.replace("{promotion_id}", str(await self._id(wanted)))
        body = {"code": code, "max_uses": 1}
        try:
            await self._api.send("POST", path, body, route=CODES)
        except Declined as no:
            if no.status == GONE:
                return False
            if no.status not in REFUSALS:
                raise
            found = await self._api.get(path, _codes, params={"code": code}, route=CODES)
            if found is None:
                return False
            if not any(isinstance(row, Code) and row.code == code for row in found.rows):
                await self._api.send("DELETE", ANY_CODE, params={"code": code})
                await self._api.send("POST", path, body, route=CODES)
        return True

    async def _id(self, wanted: Offer) -> int:
        """The promotion of this offer, which is made if it is missing."""
        async with self._turn:
            number, at = self._seen.get(wanted, (0, 0.0))
            now = self._clock.now()
            if not number or now - at > LOOK_AGAIN:
                number = await self._found(wanted) or await self._made(wanted)
                self._seen[wanted] = number, now
            return number

    async def _found(self, wanted: Offer) -> int:
        """The promotion of this name, of several the first that holds; 0 if there is none.

        Whether the filter takes parts of names, too, is not documented.
        """
        filters = {"name": wanted.name, "redemption_type": "coupon"}
        rows = await every(self._api, PROMOTIONS, _promotions, filters)
        ours = [row for row in rows if isinstance(row, Promotion) and row.name == wanted.name and row.id]
        holding = [row.id for row in ours if _holds(row, wanted)]
        if ours and not holding:
            raise Mend(
                f"The store's promotion {wanted.name} is not enabled, or was made to end earlier, so its "
                "codes would be refused",
                "enable it (control panel: Marketing > Promotions), or delete it, for it is made anew; "
                "or leave discounts out",
            )
        return min(holding, default=0)

    async def _made(self, wanted: Offer) -> int:
        made = await self._api.post(PROMOTIONS, wanted.body, _promotion)
        if not isinstance(made, Promotion) or not made.id:
            raise Later(f"POST {PROMOTIONS} was answered without the id of a promotion")
        return made.id


def _holds(row: Promotion, wanted: Offer) -> bool:
    """Does the checkout take its codes for as long as they are promised?"""
    try:
        end = moment(row.end_date, "end_date")
    except Unreadable:
        return False
    return row.status == "ENABLED" and (end is None or 0 < wanted.end <= end.timestamp())


def _forbidden() -> Declined:
    needed = scope(PROMOTIONS).replace("_read_only", "")
    return Declined(
        FORBIDDEN,
        f"BigCommerce does not let this access token make discount codes (403): it needs the scope {needed}, "
        "to modify",
        f"leave discounts out, or give it that scope: {NEW_ACCOUNT}",
    )
