"""Coupon codes as Brevo keeps them: each discount has a collection, each code is put into it.

Brevo only keeps codes; what one takes off is a matter of the store, which has it before Brevo does. By itself
Brevo hands a code out only in a template that names the collection, so no template should name one of these:
each code here has gone to somebody already.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from tajo.brevo.api import COLLECTIONS_PAGE, DUPLICATE, Api, Rejected, SwitchedOff
from tajo.errors import Later, Mend

COUPONS = "POST /coupons"


def collection_name(percent: int, seconds: float) -> str:
    """`Tajo 10 % 24 h`, by which the collection of a discount is known; without a time if it has no end."""
    if not seconds:
        return f"Tajo {percent} %"
    minutes = math.ceil(seconds / 60)
    return f"Tajo {percent} % " + (f"{minutes} min" if minutes % 60 else f"{minutes // 60} h")


class Coupons:
    """The collections of one account.

    Each call is one of the hundred an hour, so codes that are added while one is under way share the next.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._ids: dict[str, str] = {}
        self._gathering: dict[tuple[int, float], _Batch] = {}
        self._turn = asyncio.Lock()

    async def add(self, percent: int, seconds: float, code: str) -> None:
        """Put a code into the collection of its discount, which is made if it is missing. Twice is once.

        Brevo takes it at once and has it some time later. Raises `Later` and `Mend`.
        """
        discount = percent, seconds
        batch = self._gathering.setdefault(discount, _Batch())
        batch.codes.append(code)
        async with self._turn:
            if self._gathering.get(discount) is batch:
                del self._gathering[discount]
                batch.trouble = await self._trouble(collection_name(percent, seconds), batch.codes)
        if batch.trouble:
            raise batch.trouble

    async def _trouble(self, name: str, codes: Sequence[str]) -> Later | Mend | None:
        """Put codes into a collection; what kept us from it."""
        try:
            self._api.soon(COUPONS)
            await self._put(name, codes)
        except SwitchedOff as error:
            return SwitchedOff(
                f"Brevo keeps no coupon codes for this account, and a discount needs one: {error.problem}",
                f"{error.mend}; or leave discounts out",
            )
        except (Later, Mend) as error:
            return error
        except Rejected as error:
            if error.status == 404:
                self._ids.pop(name, None)
                return Later(f"somebody deleted the coupon collection {name} ({error})", seconds=1.0)
            return Mend(
                f"Brevo does not take coupon codes for its collection {name} ({error})",
                "delete that collection in Brevo, for it is made anew, or send no discounts",
            )
        return None

    async def _put(self, name: str, codes: Sequence[str]) -> None:
        collection = await self._collection(name)
        try:
            await self._api.add_coupons(collection, codes)
        except Rejected as error:
            if error.code not in DUPLICATE:
                raise
            if len(codes) > 1:  # it is not told which of them, nor whether the others were taken
                for code in codes:
                    await self._put(name, [code])

    async def _collection(self, name: str) -> str:
        if name not in self._ids:
            default = "TAJO" + "".join(filter(str.isalnum, name.removeprefix("Tajo"))).upper()
            self._ids[name] = await self._found(name) or await self._api.create_coupon_collection(
                name, default
            )
        return self._ids[name]

    async def _found(self, name: str) -> str:
        """The id of the collection with this name; names need not be unique, the newest is listed first."""
        offset = 0
        while page := await self._api.coupon_collections(offset):
            for item in page:
                if item.get("name") == name and item.get("id"):
                    return str(item["id"])
            if len(page) < COLLECTIONS_PAGE:
                break
            offset += COLLECTIONS_PAGE
        return ""


class _Batch:
    """Codes that go in one call. `trouble`: why they did not; so it begins, lest a broken call look done."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.trouble: Later | Mend | None = Later(
            "a call that carried coupon codes was broken off", seconds=1.0
        )
