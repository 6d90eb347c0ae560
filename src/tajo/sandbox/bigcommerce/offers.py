"""Offers: which code is valid for a cart, what it takes off, and the uses that an order counts.

Codes are those of V2 coupons and of V3 promotions. Of a promotion the first rule counts: a percentage or an
amount off the cart or its items, with its conditions on the cart, the currency, the channels and the
customer's group. The other actions (gifts, sets, shipping) take nothing off a cart here, and no promotion is
automatic. A cart has one code at a time. What is refused, and in which words, follows messages seen in the
open (bigcommerce/checkout-sdk-js#386 and #1303); the status, 400, is that of the storefront's API.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from . import dates
from .wire import Call, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .carts import Cart
    from .shapes import Record

TYPES: Final = (
    *("per_item_discount", "percentage_discount", "per_total_discount"),
    *("shipping_discount", "free_shipping", "promotion"),
)


@dataclass(frozen=True)
class Offer:
    """What a code gives: `kind` is its V2 number; `owners` are the records whose uses it counts in.

    `percent` or `amount` is taken off all `items`, or off `each` piece of them, and `most` in all (0: no
    matter). `items` and `conditions` are in the words of V3: an ItemMatcher ({} is everything), and what the
    cart must have.
    """

    id: int
    code: str
    name: str
    kind: int
    percent: float
    amount: float
    each: bool
    most: float
    items: Record
    conditions: tuple[Record, ...]
    currency: str
    channels: frozenset[int]
    groups: frozenset[int]
    excluded: frozenset[int]
    per_customer: int
    owners: tuple[tuple[Record, str, str], ...]  # record, the keys of its uses and of its maximum


def apply(call: Call, cart: Cart, code: str) -> None:
    """Give a cart a code; 400 when it is invalid or not for this cart."""
    offer, currency = _find(call, code), call.store.info["currency"]
    if offer is None:
        raise Problem(400, f"Coupon code '{code}' is invalid.")
    if offer.currency == currency != cart.record["currency"]["code"]:
        raise Problem(400, "Coupons only apply to default currency.")
    if not _fits(call, cart, offer):
        raise Problem(400, f"Coupon code '{code}' is not eligible for this checkout.")
    cart.offer = offer


def deducted(call: Call, cart: Cart, worth: float) -> Record:
    """The amounts and `coupons` of a cart that is worth so much.

    A code that no longer fits is dropped, and one that was disabled, used up or deleted since, or has ended.
    """
    offer = _find(call, cart.offer.code) if cart.offer else None
    cart.offer = offer if offer and _fits(call, cart, offer) else None
    off = _taken(call, cart, cart.offer) if cart.offer else {}
    for item in cart.items:
        taken = off.get(item["id"], 0)
        item["coupon_amount"] = taken
        item["discounts"] = [{"id": "coupon", "discounted_amount": taken}] if taken else []
    total = round(sum(off.values()), 2)
    shown = [_applied(cart.offer, total)] if cart.offer else []
    return {"coupons": shown, "cart_amount": round(worth - total, 2)}


def redeemed(call: Call, cart: Cart) -> None:
    """Count the use of a cart's code, which was bought now; a promotion that is used up becomes DISABLED."""
    if cart.offer:
        for record, uses, most in cart.offer.owners:
            record[uses] += 1
            if "status" in record and record[most] and record[uses] >= record[most]:
                record["status"] = "DISABLED"
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
            return _of_coupon(coupon, call.store.info["currency"])
    for promotion in call.store.promotions:
        begun = dates.or_zero(promotion["start_date"]) <= now
        ended = promotion["end_date"] and dates.or_zero(promotion["end_date"]) < now
        row = promotion["codes"].get(wanted)
        if row and promotion["status"] == "ENABLED" and begun and not ended:
            return _of_promotion(promotion, row)
    return None


def _of_coupon(coupon: Record, currency: str) -> Offer:
    amount, covered = float(coupon["amount"]), coupon["applies_to"].get("ids") or []
    percentage = coupon["type"] == "percentage_discount"
    entity = coupon["applies_to"].get("entity", "categories")
    everything = entity == "categories" and 0 in covered
    return Offer(
        id=coupon["id"],
        code=coupon["code"],
        name=coupon["name"],
        kind=TYPES.index(coupon["type"]),
        percent=amount if percentage else 0,
        amount=amount if coupon["type"] in {"per_item_discount", "per_total_discount"} else 0,
        each=coupon["type"] == "per_item_discount",
        most=0,
        items={} if everything else {entity: covered},
        conditions=({"minimum_spend": coupon["min_purchase"] or 0},),
        currency=currency,
        channels=frozenset(),
        groups=frozenset(),
        excluded=frozenset(),
        per_customer=coupon["max_uses_per_customer"],
        owners=((coupon, "num_uses", "max_uses"),),
    )


def _of_promotion(promotion: Record, code: Record) -> Offer:
    rule, customer = promotion["rules"][0], promotion["customer"]
    by_item = rule["action"].get("cart_items")
    part = by_item or rule["action"].get("cart_value") or {"discount": {}}
    condition = rule.get("condition") or {}
    return Offer(
        id=promotion["id"],
        code=code["code"],
        name=promotion["display_name"] or promotion["name"],
        kind=TYPES.index("promotion"),
        percent=float(part["discount"].get("percentage_amount", 0)),
        amount=float(part["discount"].get("fixed_amount", 0)),
        each=by_item is not None and not by_item["as_total"],
        most=float(part.get("maximum_allowed_discount_amount") or 0),
        items=part.get("items", {}),
        conditions=tuple(c["cart"] for c in (condition.get("and") or [condition]) if "cart" in c),
        currency=promotion["currency_code"],
        channels=frozenset(channel["id"] for channel in promotion["channels"]),
        groups=frozenset(customer["group_ids"]),
        excluded=frozenset(customer["excluded_group_ids"]),
        per_customer=code["max_uses_per_customer"],
        owners=((code, "current_uses", "max_uses"), (promotion, "current_uses", "max_uses")),
    )


def _fits(call: Call, cart: Cart, offer: Offer) -> bool:
    """Whether this cart may use it: uses left, its money, storefront and customer, and enough in the cart."""
    if any(record[most] and record[uses] >= record[most] for record, uses, most in offer.owners):
        return False
    used = call.world.redemptions[offer.code.lower(), _who(cart)]
    if offer.per_customer and used >= offer.per_customer:
        return False
    if offer.currency not in {"*", cart.record["currency"]["code"]}:
        return False
    if offer.channels and cart.record["channel_id"] not in offer.channels:
        return False
    customer = call.store.customers.get(cart.record["customer_id"]) or {"customer_group_id": 0}
    if (offer.groups and customer["customer_group_id"] not in offer.groups) or (
        customer["customer_group_id"] in offer.excluded
    ):
        return False
    enough = all(_enough(call, cart, condition) for condition in offer.conditions)
    return enough and bool(_covered(call, cart, offer.items))


def _enough(call: Call, cart: Cart, condition: Record) -> bool:
    """Whether a cart is worth enough, and, where items are named, has enough of them."""
    items = _covered(call, cart, condition.get("items", {}))
    worth = sum(item["extended_sale_price"] for item in items)
    least = condition.get("minimum_quantity", 0) if "items" in condition else 0
    pieces = sum(item["quantity"] for item in items)
    return bool(worth >= float(condition.get("minimum_spend", 0)) and pieces >= least)


def _covered(call: Call, cart: Cart, matcher: Record) -> list[Record]:
    return [item for item in cart.items if _matches(call, item, matcher)]


def _matches(call: Call, item: Record, matcher: Record) -> bool:
    """Whether an ItemMatcher means this line of a cart; {} means all."""
    product = call.store.products.get(item["product_id"]) or {}
    means: dict[str, Callable[[Any], bool]] = {
        "brands": lambda brands: product.get("brand_id") in brands,
        "categories": lambda categories: not set(categories).isdisjoint(product.get("categories", ())),
        "products": lambda products: item["product_id"] in products,
        "variants": lambda variants: item["variant_id"] in variants,
        "product_option": lambda option: _named(item["options"], option),
        "product_custom_field": lambda field: _named(product.get("custom_fields", ()), field),
        "and": lambda matchers: all(_matches(call, item, inner) for inner in matchers),
        "or": lambda matchers: any(_matches(call, item, inner) for inner in matchers),
        "not": lambda inner: not _matches(call, item, inner),
    }
    return all(means[kind](wanted) for kind, wanted in matcher.items())


def _named(rows: Iterable[Any], wanted: Record) -> bool:
    return any(row["name"] == wanted["name"] and row["value"] in wanted["values"] for row in rows)


def _taken(call: Call, cart: Cart, offer: Offer) -> dict[str, float]:
    """What is taken off each line, by its id."""
    lines = _covered(call, cart, offer.items)
    worth = {item["id"]: item["extended_sale_price"] for item in lines}
    if offer.percent:
        off = {key: round(price * offer.percent / 100, 2) for key, price in worth.items()}
    elif offer.each:
        pieces = {item["id"]: item["quantity"] for item in lines}
        off = {key: round(min(offer.amount * pieces[key], price), 2) for key, price in worth.items()}
    else:
        off = _spread(min(offer.amount, sum(worth.values())), worth)
    if offer.most and sum(off.values()) > offer.most:
        return _spread(offer.most, off)
    return off


def _spread(total: float, weights: dict[str, float]) -> dict[str, float]:
    """A sum over lines by their weight; the last one gets the rest, so that it adds up to the cent."""
    whole, left = sum(weights.values()), total
    off: dict[str, float] = {}
    for key in list(weights)[:-1]:
        off[key] = round(total * weights[key] / whole, 2) if whole else 0.0
        left -= off[key]
    return off | {key: round(left, 2) for key in list(weights)[-1:]}
