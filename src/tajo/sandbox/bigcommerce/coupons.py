"""/v2/coupons: the legacy coupons of a store (marketing.v2). What a code takes off: `offers`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from . import dates
from .descriptions import COUPON
from .offers import TYPES
from .wire import Answer, Call, Problem, Route, not_found

if TYPE_CHECKING:
    from .shapes import Record

SCOPE: Final = "store_v2_marketing"
NEEDED: Final = ("name", "type", "amount", "code", "applies_to")
CODE: Final = re.compile(r"[a-zA-Z0-9_ -]{1,50}")


def create(call: Call) -> Answer:
    """POST /v2/coupons: 201."""
    fields = call.fields()
    for name in NEEDED:
        if name not in fields:
            raise Problem(400, f"The required field '{name}' was not supplied.", missing_field=name)
    record = _checked(call, {**COUPON, **fields, "num_uses": 0}, None)
    record["id"] = max((row["id"] for row in call.store.coupons), default=0) + 1
    record["date_created"] = call.world.today(dates.rfc2822)
    call.store.coupons.append(record)
    return Answer(201, record)


def update(call: Call) -> Answer:
    """PUT /v2/coupons/{id}."""
    old = _coupon(call)
    fields = {k: v for k, v in call.fields().items() if k not in {"id", "num_uses", "date_created"}}
    old.update(_checked(call, {**old, **fields}, old))
    return Answer(200, old)


def delete(call: Call) -> Answer:
    """DELETE /v2/coupons/{id}."""
    call.store.coupons.remove(_coupon(call))
    return Answer(204)


def _coupon(call: Call) -> Record:
    found = next((row for row in call.store.coupons if row["id"] == call.key()), None)
    if found is None:
        raise not_found("v2")
    return found


def _checked(call: Call, record: Record, itself: Record | None) -> Record:
    """A coupon that may be stored: known type, well-formed code, and neither its name nor its code twice."""
    others = [row for row in call.store.coupons if row is not itself]
    if record["type"] not in TYPES[:-1]:
        raise Problem(400, "The field 'type' is invalid.", field="type")
    if not isinstance(record["code"], str) or not CODE.fullmatch(record["code"]):
        raise Problem(400, "The field 'code' is invalid.", field="code")
    for name in ("name", "code"):
        if any(row[name].lower() == record[name].lower() for row in others):
            raise Problem(409, f"A coupon with this {name} already exists.", conflict_reason="Duplicate")
    return {**record, "amount": f"{float(record['amount']):.4f}"}


ROUTES = (
    Route("POST", "/v2/coupons", create, SCOPE),
    Route("PUT", "/v2/coupons/{id}", update, SCOPE),
    Route("DELETE", "/v2/coupons/{id}", delete, SCOPE),
)
