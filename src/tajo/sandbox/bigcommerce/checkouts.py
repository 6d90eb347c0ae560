"""/v3/checkouts/{id}: a cart on its way to payment, and its coupon (checkouts.v3 of BigCommerce's docs).

The checkout's id is the cart's. The body of a coupon is `{"coupon_code": ...}` (bigcommerce/docs#679). What
the API answers to a code that is not valid is not written down; see `offers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from . import carts, offers
from .wire import Answer, Call, Problem, Route, not_found, one

if TYPE_CHECKING:
    from .carts import Cart
    from .shapes import Record

SCOPE: Final = "store_checkouts"
LONGEST = 50
ZEROS: Final = (
    *("shipping_cost_total_inc_tax", "shipping_cost_total_ex_tax", "handling_cost_total_inc_tax"),
    *("handling_cost_total_ex_tax", "tax_total"),
)
CART: Final = (
    *("id", "customer_id", "channel_id", "email", "currency", "base_amount", "discount_amount"),
    *("discounts", "created_time", "updated_time"),
)


def read(call: Call) -> Answer:
    """GET /v3/checkouts/{id}."""
    return one(_shown(carts.find(call, call.path["id"])))


def add_coupon(call: Call) -> Answer:
    """POST /v3/checkouts/{id}/coupons: a code takes the place of the one before; `cart/couponApplied`."""
    cart, fields = carts.find(call, call.path["id"]), call.fields()
    code = fields.get("coupon_code")
    if not isinstance(code, str) or not 0 < len(code) <= LONGEST:
        raise Problem(422, "Invalid coupon.", {"coupon_code": f"a code of at most {LONGEST} characters"})
    if fields.get("version", cart.record["version"]) != cart.record["version"]:
        raise Problem(409, carts.CONFLICT)
    offers.apply(call, cart, code)
    carts.changed(call, cart)
    (applied,) = cart.record["coupons"]
    call.world.emit("store/cart/couponApplied", "cart", cart.record["id"], couponId=int(applied["id"]))
    return one(_shown(cart))


def remove_coupon(call: Call) -> Answer:
    """DELETE /v3/checkouts/{id}/coupons/{code}."""
    cart = carts.find(call, call.path["id"])
    if cart.offer is None or cart.offer.code.lower() != call.path["code"].lower():
        raise not_found("v3")
    cart.offer = None
    carts.changed(call, cart)
    return one(_shown(cart))


def _shown(cart: Cart) -> Record:
    record = cart.record
    amount = record["cart_amount"]
    used = [{**row, "coupon_type": offers.TYPES[int(row["coupon_type"])]} for row in record["coupons"]]
    lines: dict[str, Any] = dict(record["line_items"])
    for kind in ("physical_items", "digital_items"):
        lines[kind] = [_item(row) for row in lines[kind]]
    both = {"cart_amount_inc_tax": amount, "cart_amount_ex_tax": amount, "coupons": used, "line_items": lines}
    return {
        "id": record["id"],
        "cart": {**{name: record[name] for name in CART}, **both},
        "billing_address": {"email": record["email"]} if record["email"] else {},
        "consignments": [],
        "taxes": [{"name": "Tax", "amount": 0}],
        "coupons": used,
        **dict.fromkeys(ZEROS, 0),
        "subtotal_inc_tax": record["base_amount"],
        "subtotal_ex_tax": record["base_amount"],
        "grand_total": amount,
        "created_time": record["created_time"],
        "updated_time": record["updated_time"],
        "customer_message": "",
        "version": record["version"],
    }


def _item(row: Record) -> Record:
    """A line as checkouts have it: the tax has another name, and coupons are one sum."""
    kept = {k: v for k, v in row.items() if k not in {"taxable", "coupons", "options", "added_by_promotion"}}
    return {**kept, "is_taxable": row["taxable"], "coupons": row["coupon_amount"]}


PATH: Final = "/v3/checkouts/{id}"
ROUTES = (
    Route("GET", PATH, read, SCOPE, frozenset({"include"})),
    Route("POST", f"{PATH}/coupons", add_coupon, SCOPE, frozenset({"include"})),
    Route("DELETE", f"{PATH}/coupons/{{code}}", remove_coupon, SCOPE, frozenset({"include"})),
)
