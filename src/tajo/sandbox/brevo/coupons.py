"""Coupons: `/couponCollections`, `/coupons` (brevo.md section 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from .wire import Answer, Refusal, instant, invalid, iso, missing, not_found, page_of

if TYPE_CHECKING:
    from .account import Account
    from .wire import Call

MOST_COUPONS = 10_000
_CREATE_SECONDS = 0.2
_OPTIONAL = ("expirationDate", "remainingCouponsAlert", "remainingDaysAlert")


class Collection(msgspec.Struct):
    """A collection of coupon codes; `created` in milliseconds since 1970."""

    id: str
    name: str
    default: str
    created: int
    options: dict[str, Any] = {}
    codes: set[str] = set()

    def shown(self) -> dict[str, Any]:
        """Give the collection as GET does."""
        return {
            "id": self.id,
            "name": self.name,
            "defaultCoupon": self.default,
            "createdAt": iso(self.created),
            "totalCoupons": len(self.codes),
            "remainingCoupons": len(self.codes),
            **self.options,
        }


def index(account: Account, call: Call) -> Answer:
    """GET /couponCollections: a page in an object; the SDK types one collection, its text says a page."""
    limit, offset = call.page(default=50, most=100)
    page = page_of(list(account.coupons.values()), limit, offset, ascending=call.ascending())
    return Answer(200, {"collections": [item.shown() for item in page], "count": len(account.coupons)})


def create(account: Account, call: Call) -> Answer:
    """POST /couponCollections: 201 with a UUID."""
    body = call.json()
    for name in ("name", "defaultCoupon"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise missing(f"{name} is missing")
    number = str(UUID(int=len(account.coupons) + 1, version=4))
    made = Collection(number, body["name"], body["defaultCoupon"], account.now(), _options(body))
    account.coupons[number] = made
    return Answer(201, {"id": number})


def read(account: Account, call: Call) -> Answer:
    """GET /couponCollections/{id}."""
    return Answer(200, _collection(account, call.params["id"]).shown())


def update(account: Account, call: Call) -> Answer:
    """PATCH /couponCollections/{id}: null removes a date or alert."""
    found, body = _collection(account, call.params["id"]), call.json()
    found.default = str(body.get("defaultCoupon") or found.default)
    found.options.update(_options(body))
    found.options = {name: value for name, value in found.options.items() if value is not None}
    return Answer(200, {"id": found.id, "name": found.name, "defaultCoupon": found.default})


def add(account: Account, call: Call) -> Answer:
    """POST /coupons: 1 to 10,000 unique codes, 204 and asynchronous."""
    body = call.json()
    codes = body.get("coupons")
    if not isinstance(codes, list) or not all(isinstance(code, str) and code for code in codes):
        raise invalid("coupons should be a list of strings")
    if not 1 <= len(codes) <= MOST_COUPONS:
        raise Refusal(400, "out_of_range", f"coupons should hold between 1 and {MOST_COUPONS} codes")
    if len(set(codes)) < len(codes):
        raise Refusal(400, "duplicate_parameter", "coupons should be unique")
    found = _collection(account, str(body.get("collectionId")))

    async def done() -> None:
        found.codes.update(codes)

    account.agenda.after(_CREATE_SECONDS, done)
    return Answer(204)


def _options(body: dict[str, Any]) -> dict[str, Any]:
    options = {name: body[name] for name in _OPTIONAL if name in body}
    if options.get("expirationDate") is not None:
        instant(options["expirationDate"], "expirationDate")
    return options


def _collection(account: Account, number: str) -> Collection:
    if number not in account.coupons:
        raise not_found("Coupon collection not found")
    return account.coupons[number]
