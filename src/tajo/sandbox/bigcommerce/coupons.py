"""Coupons: the V2 ones and the codes of V3 promotions, and what a code takes off a cart.

Sources: marketing.v2; promotions.v3 as far as a code takes a percentage or an amount off a cart or its items.
A cart has one code at a time. What is refused, and in which words, follows messages seen in the open
(bigcommerce/checkout-sdk-js#386 and #1303); the status, 400, is that of the storefront's API.
"""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from . import dates
from .descriptions import COUPON
from .wire import Answer, Call, Listing, Problem, Route, equal, lower, not_found, one, v3_page

if TYPE_CHECKING:
    from .carts import Cart
    from .shapes import Record

SCOPE: Final = "store_v2_marketing"
TYPES: Final = (
    *("per_item_discount", "percentage_discount", "per_total_discount"),
    *("shipping_discount", "free_shipping", "promotion"),
)
NEEDED: Final = ("name", "type", "amount", "code", "applies_to")
CODE: Final = re.compile(r"[a-zA-Z0-9_ -]{1,50}")
BATCH = 250
PROMOTION: Final[Record] = {
    "id": 0,
    "redemption_type": "COUPON",
    "name": "",
    "display_name": "",
    "channels": [],
    "customer": {"group_ids": []},
    "rules": [],
    "current_uses": 0,
    "max_uses": None,
    "status": "ENABLED",
    "start_date": "",
    "end_date": None,
    "stop": False,
    "can_be_used_with_other_promotions": True,
    "coupon_overrides_other_promotions": False,
    "currency_code": "*",
    "notifications": [],
    "created_from": "react_ui",
    "coupon_type": "SINGLE",
}
PROMOTIONS: Final = Listing(
    {
        **equal("id"),
        **equal("name", lower),
        **equal("currency_code", str),
        **equal("status", str.upper),
        **equal("redemption_type", str.upper),
    },
    ceiling="refuse",
)


@dataclass(frozen=True)
class Offer:
    """What a code gives: `kind` is its V2 number; `owners` are the records whose uses it counts in.

    `percent` or `amount` is taken off each piece (`kind` 0) or all that `products` and `categories` cover
    (None: everything); kinds 3 and 4 concern the shipping, which a cart does not have.
    """

    id: int
    code: str
    name: str
    kind: int
    percent: float
    amount: float
    least: float
    products: frozenset[int] | None
    categories: frozenset[int] | None
    channels: frozenset[int]
    per_customer: int
    owners: tuple[tuple[Record, str, str], ...]  # record, the keys of its uses and of its maximum


# -- which code is valid, and what it takes off


def apply(call: Call, cart: Cart, code: str) -> None:
    """Give a cart a code; 400 when it is invalid or not for this cart."""
    offer = _find(call, code)
    if offer is None:
        raise Problem(400, f"Coupon code '{code}' is invalid.")
    if cart.record["currency"]["code"] != call.store.info["currency"]:
        raise Problem(400, "Coupons only apply to default currency.")
    if not _fits(call, cart, offer):
        raise Problem(400, f"Coupon code '{code}' is not eligible for this checkout.")
    cart.offer = offer


def deducted(call: Call, cart: Cart, worth: float) -> Record:
    """The amounts and `coupons` of a cart that is worth so much; a code that no longer fits is dropped."""
    if cart.offer and not _fits(call, cart, cart.offer):
        cart.offer = None
    off = _taken(call, cart, cart.offer) if cart.offer else {}
    for item in cart.items:
        taken = off.get(item["id"], 0)
        item["coupon_amount"] = taken
        item["discounts"] = [{"id": "coupon", "discounted_amount": taken}] if taken else []
    total = round(sum(off.values()), 2)
    shown = [_applied(cart.offer, total)] if cart.offer else []
    return {"coupons": shown, "cart_amount": round(worth - total, 2)}


def redeemed(call: Call, cart: Cart) -> None:
    """Count the use of a cart's code, which was bought now."""
    if cart.offer:
        for record, uses, _ in cart.offer.owners:
            record[uses] += 1
        call.world.redemptions[cart.offer.code.lower(), _who(cart)] += 1


def _applied(offer: Offer, total: float) -> Record:
    return {
        "id": str(offer.id),
        "code": offer.code,
        "coupon_type": str(offer.kind),
        "discounted_amount": total,
        "display_name": offer.name,
    }


def _who(cart: Cart) -> str:
    return str(cart.record["customer_id"] or cart.record["email"].lower())


def _find(call: Call, code: str) -> Offer | None:
    """The offer of a code that is enabled, has begun and has not ended; codes are compared without case."""
    wanted, now = code.strip().lower(), call.world.now()
    for coupon in call.store.coupons:
        ended = coupon["expires"] and dates.or_zero(coupon["expires"]) < now
        if coupon["code"].lower() == wanted and coupon["enabled"] and not ended:
            return _of_coupon(coupon)
    for promotion in call.store.promotions:
        begun = dates.or_zero(promotion["start_date"]) <= now
        ended = promotion["end_date"] and dates.or_zero(promotion["end_date"]) < now
        for row in promotion["codes"]:
            if row["code"].lower() == wanted and promotion["status"] == "ENABLED" and begun and not ended:
                return _of_promotion(promotion, row)
    return None


def _of_coupon(coupon: Record) -> Offer:
    amount, covered = float(coupon["amount"]), frozenset(coupon["applies_to"].get("ids") or ())
    percentage = coupon["type"] == "percentage_discount"
    by_product = coupon["applies_to"].get("entity") == "products"
    return Offer(
        id=coupon["id"],
        code=coupon["code"],
        name=coupon["name"],
        kind=TYPES.index(coupon["type"]),
        percent=amount if percentage else 0,
        amount=0 if percentage else amount,
        least=float(coupon["min_purchase"] or 0),
        products=covered if by_product else None,
        categories=None if by_product or 0 in covered else covered,
        channels=frozenset(),
        per_customer=coupon["max_uses_per_customer"],
        owners=((coupon, "num_uses", "max_uses"),),
    )


def _of_promotion(promotion: Record, code: Record) -> Offer:
    """The first rule counts; its items are matched by products or categories, if at all."""
    rule = promotion["rules"][0] if promotion["rules"] else {}
    action = rule.get("action") or {}
    part = action.get("cart_value") or action.get("cart_items") or {}
    discount, items = part.get("discount") or {}, part.get("items") or {}
    condition = (rule.get("condition") or {}).get("cart") or {}
    products, categories = items.get("products"), items.get("categories")
    return Offer(
        id=promotion["id"],
        code=code["code"],
        name=promotion["display_name"] or promotion["name"],
        kind=5,
        percent=float(discount.get("percentage_amount") or 0),
        amount=float(discount.get("fixed_amount") or 0),
        least=float(condition.get("minimum_spend") or 0),
        products=None if products is None else frozenset(products),
        categories=None if categories is None else frozenset(categories),
        channels=frozenset(channel["id"] for channel in promotion["channels"]),
        per_customer=code["max_uses_per_customer"],
        owners=((code, "current_uses", "max_uses"), (promotion, "current_uses", "max_uses")),
    )


def _fits(call: Call, cart: Cart, offer: Offer) -> bool:
    """Whether this cart may use it: uses left, its storefront, enough in the cart, something covered."""
    if any(record[most] and record[uses] >= record[most] for record, uses, most in offer.owners):
        return False
    used = call.world.redemptions[offer.code.lower(), _who(cart)]
    if offer.per_customer and used >= offer.per_customer:
        return False
    if offer.channels and cart.record["channel_id"] not in offer.channels:
        return False
    worth = sum(item["extended_sale_price"] for item in cart.items)
    return worth >= offer.least and bool(_covered(call, cart, offer))


def _covered(call: Call, cart: Cart, offer: Offer) -> list[Record]:
    def covers(item: Record) -> bool:
        product = call.store.products.get(item["product_id"]) or {"categories": []}
        inside = offer.categories is None or not offer.categories.isdisjoint(product["categories"])
        return inside and (offer.products is None or item["product_id"] in offer.products)

    return [item for item in cart.items if covers(item)]


def _taken(call: Call, cart: Cart, offer: Offer) -> dict[str, float]:
    """What is taken off each line, by its id; of an amount off the whole the last line gets the rest."""
    lines = _covered(call, cart, offer)
    if offer.percent:
        return {i["id"]: round(i["extended_sale_price"] * offer.percent / 100, 2) for i in lines}
    if offer.kind in {3, 4}:
        return {}
    if offer.kind == 0:
        return {i["id"]: round(min(offer.amount * i["quantity"], i["extended_sale_price"]), 2) for i in lines}
    worth = sum(item["extended_sale_price"] for item in lines)
    left = total = min(offer.amount, worth)
    off: dict[str, float] = {}
    for item in lines[:-1]:
        off[item["id"]] = round(total * item["extended_sale_price"] / worth, 2) if worth else 0.0
        left -= off[item["id"]]
    return off | {item["id"]: round(left, 2) for item in lines[-1:]}


# -- /v2/coupons


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


# -- /v3/promotions


def promotions(call: Call) -> Answer:
    """GET /v3/promotions."""
    conditions = PROMOTIONS.conditions(call)

    def value(row: Record, name: str) -> Any:
        return row[name].lower() if name == "name" else row[name]

    rows = [r for r in call.store.promotions if all(c.holds(value(r, c.field)) for c in conditions)]
    return v3_page(call, rows, _promotion, ceiling="refuse")


def _promotion(record: Record) -> Record:
    """A promotion as the API shows it: its codes are elsewhere."""
    return {k: v for k, v in record.items() if k != "codes"}


def promotion(call: Call) -> Answer:
    """GET /v3/promotions/{id}."""
    return one(_promotion(_found(call)))


def create_promotion(call: Call) -> Answer:
    """POST /v3/promotions: a name, and at least one rule with an action."""
    fields = call.fields()
    rules = fields.get("rules")
    if not isinstance(rules, list) or not rules or not all(rule.get("action") for rule in rules):
        raise Problem(422, "Invalid promotion.", {"rules": "at least one rule with an action is required"})
    if not fields.get("name"):
        raise Problem(422, "Invalid promotion.", {"name": "name is required"})
    known = {k: v for k, v in fields.items() if k in PROMOTION and k not in {"id", "current_uses"}}
    record = {"start_date": call.world.today(dates.offset), **known}
    record = {**PROMOTION, **record, "id": next(call.store.serial) % 10**12 + 1, "codes": []}
    call.store.promotions.append(record)
    return one(_promotion(record), 201)


def update_promotion(call: Call) -> Answer:
    """PUT /v3/promotions/{id}."""
    record, fields = _found(call), call.fields()
    fixed = {"id", "current_uses", "redemption_type", "created_from"}
    record.update({k: v for k, v in fields.items() if k in PROMOTION and k not in fixed})
    return one(_promotion(record))


def delete_promotion(call: Call) -> Answer:
    """DELETE /v3/promotions/{id}: and its codes."""
    call.store.promotions.remove(_found(call))
    return Answer(204)


def codes(call: Call) -> Answer:
    """GET /v3/promotions/{id}/codes."""
    rows = _found(call)["codes"]
    if "code" in call.query:
        rows = [row for row in rows if row["code"] == call.query["code"]]
    return v3_page(call, rows, ceiling="refuse")


def create_code(call: Call) -> Answer:
    """POST /v3/promotions/{id}/codes: one code, of one's own choice."""
    return one(_new_code(call, _coupon_promotion(call), call.fields()), 201)


def generate_codes(call: Call) -> Answer:
    """POST /v3/promotions/{id}/codegen: up to 250 random ones for a promotion of BULK codes."""
    record, fields = _coupon_promotion(call), call.fields()
    size, length = fields.get("batch_size"), fields.get("code_length", 16)
    if record["coupon_type"] != "BULK":
        raise Problem(405, "Bulk code generation is only supported for promotions with coupon_type BULK.")
    if not isinstance(size, int) or not 1 <= size <= BATCH:
        raise Problem(422, "Invalid codes.", {"batch_size": f"must be an integer from 1 to {BATCH}"})
    letters = set(string.ascii_uppercase + string.digits) - set(fields.get("exclude_characters") or ())
    mark = fields.get("delimiter", "")
    limits = {name: fields.get(name, 1) for name in ("max_uses", "max_uses_per_customer")}
    made = []
    for _ in range(size):
        middle = "".join(secrets.choice(sorted(letters)) for _ in range(length))
        parts = (fields.get("prefix"), middle, fields.get("suffix"))
        made.append(_new_code(call, record, {**limits, "code": mark.join(p for p in parts if p)}))
    shown = {**limits, "batch_size": size, "codes": [{"code": row["code"]} for row in made]}
    return one({**shown, "created": call.world.today(dates.offset)}, 201)


def _new_code(call: Call, record: Record, fields: Record) -> Record:
    code = fields.get("code")
    if not isinstance(code, str) or not CODE.fullmatch(code):
        raise Problem(422, "Invalid code.", {"code": "1 to 50 letters, digits, blanks, hyphens, underscores"})
    taken = [row["code"] for each in call.store.promotions for row in each["codes"]]
    if code.lower() in {name.lower() for name in (*taken, *(c["code"] for c in call.store.coupons))}:
        raise Problem(422, "Invalid code.", {"code": "The code is in use already."})
    row = {
        "id": next(call.store.serial) % 10**12 + 1,
        "code": code,
        "current_uses": 0,
        "max_uses": fields.get("max_uses", 0),
        "max_uses_per_customer": fields.get("max_uses_per_customer", 0),
        "created": call.world.today(),
    }
    record["codes"].append(row)
    return row


def _coupon_promotion(call: Call) -> Record:
    record = _found(call)
    if record["redemption_type"] != "COUPON":
        raise Problem(422, "The promotion is automatic: it has no codes.")
    return record


def _found(call: Call) -> Record:
    found = next((row for row in call.store.promotions if row["id"] == call.key()), None)
    if found is None:
        raise not_found("v3")
    return found


PATH: Final = "/v3/promotions"
ROUTES = (
    Route("POST", "/v2/coupons", create, SCOPE),
    Route("PUT", "/v2/coupons/{id}", update, SCOPE),
    Route("DELETE", "/v2/coupons/{id}", delete, SCOPE),
    Route("GET", PATH, promotions, SCOPE, PROMOTIONS.params),
    Route("POST", PATH, create_promotion, SCOPE),
    Route("GET", f"{PATH}/{{id}}", promotion, SCOPE),
    Route("PUT", f"{PATH}/{{id}}", update_promotion, SCOPE),
    Route("DELETE", f"{PATH}/{{id}}", delete_promotion, SCOPE),
    Route("GET", f"{PATH}/{{id}}/codes", codes, SCOPE, frozenset({"code", "page", "limit"})),
    Route("POST", f"{PATH}/{{id}}/codes", create_code, SCOPE),
    Route("POST", f"{PATH}/{{id}}/codegen", generate_codes, SCOPE),
)
