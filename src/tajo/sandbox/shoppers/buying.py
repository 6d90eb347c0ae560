"""From a cart to an order, its shipping and its refunds (facts, sections 3, 5 and 7)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tajo.sandbox.bigcommerce import people

from .deed import Deed, Doing, new_email, pick, someone
from .town import (
    AWAITING_PAYMENT,
    CANCELLED,
    COMPLETED,
    PAID,
    PARTIALLY_REFUNDED,
    PARTIALLY_SHIPPED,
    SHIPPED,
    Record,
    Town,
)

if TYPE_CHECKING:
    from random import Random

REFUNDABLE = (SHIPPED, PARTIALLY_SHIPPED, COMPLETED, PAID, PARTIALLY_REFUNDED)


def _item(town: Town, dice: Random) -> Record | None:
    key = pick(dice, [key for key, goods in town.goods.items() if goods.visible])
    if key is None:
        return None
    variant, quantity = dice.choice(town.goods[key].variants), dice.randint(1, 3)
    return {"product_id": key, "variant_id": variant, "quantity": quantity}


# -- carts


def fill_cart(town: Town, dice: Random) -> Deed | None:
    """Half of the carts are anonymous, a third belong to customers, the rest to guests with an e-mail."""
    item = _item(town, dice)
    if item is None:
        return None
    body: Record = {"line_items": [item]}
    customers = [key for key, person in town.people.items() if person.email]
    who, customer, guest = dice.random(), pick(dice, customers), new_email(dice)
    if who < 1 / 3 and customer is not None:
        body["customer_id"] = customer
    elif who < 1 / 2:
        body["email"] = guest
    told = f"Somebody fills a cart with product {item['product_id']}"
    return Deed(told, "shop", "POST", "/carts", body, then=town.meet_cart)


def add_item(town: Town, dice: Random) -> Deed | None:
    """One more line in a cart."""
    key, item = pick(dice, list(town.baskets)), _item(town, dice)
    if key is None or item is None:
        return None

    told, body = f"Somebody adds product {item['product_id']} to a cart", {"line_items": [item]}
    path = f"/carts/{key}/items"
    return Deed(told, "shop", "POST", path, body, (town.baskets, key), then=town.meet_cart)


def remove_item(town: Town, dice: Random) -> Deed | None:
    """One line less; the last one takes the cart with it."""
    key = pick(dice, [key for key, basket in town.baskets.items() if basket.items])
    if key is None:
        return None
    basket = town.baskets[key]
    last = len(basket.items) == 1

    def then(answer: Any) -> None:
        if not last:
            town.meet_cart(answer["data"])

    told = "Somebody empties a cart" if last else "Somebody takes an item out of a cart"
    path = f"/v3/carts/{key}/items/{dice.choice(basket.items)}"
    return Deed(told, "panel", "DELETE", path, None, (town.baskets, key), last, then)


def type_email(town: Town, dice: Random) -> Deed | None:
    """An anonymous shopper types an e-mail at the checkout."""
    key = pick(dice, [key for key, basket in town.baskets.items() if not town.knows(basket)])
    if key is None:
        return None
    told, body = "Somebody types an e-mail at the checkout", {"email": new_email(dice)}
    return Deed(told, "shop", "PUT", f"/carts/{key}", body, (town.baskets, key), then=town.meet_cart)


def check_out(told: str, status_id: int) -> Doing:
    """To the payment page: an order of status 0 leaves the cart alive, any other takes it."""

    def doing(town: Town, dice: Random) -> Deed | None:
        key = pick(dice, [key for key, b in town.baskets.items() if b.items and town.knows(b)])
        if key is None:
            return None
        who, h = someone(dice), dice.getrandbits(40)
        billing = people.billing(who, h, "", people.phone(who[2], h))
        del billing["email"]  # the cart knows it
        body = {
            "status_id": status_id,
            "billing_address": billing,
            "is_email_opt_in": dice.random() < 1 / 4,
            "payment_method": "Bank Deposit" if status_id == AWAITING_PAYMENT else "Credit Card",
        }

        def then(answer: Record) -> None:
            town.meet_subscriber(answer["subscriber"])
            town.meet_order(answer["order_id"], answer, answer["line_items"])

        ends = status_id != 0
        return Deed(told, "shop", "POST", f"/carts/{key}/checkout", body, (town.baskets, key), ends, then)

    return doing


# -- orders


def _sale(town: Town, dice: Random, *statuses: int) -> int | None:
    return pick(dice, [key for key, sale in town.sales.items() if sale.status in statuses])


def _to_status(town: Town, key: int, status_id: int, told: str, **more: str) -> Deed:
    def then(_answer: Any) -> None:
        town.sales[key].status = status_id

    body, path = {"status_id": status_id, **more}, f"/v2/orders/{key}"
    return Deed(f"{told} order {key}", "panel", "PUT", path, body, (town.sales, key), then=then)


def settle(town: Town, dice: Random) -> Deed | None:
    """The money of an order arrives."""
    key = _sale(town, dice, AWAITING_PAYMENT)
    return _to_status(town, key, PAID, "The bank pays", payment_status="captured") if key else None


def ship(town: Town, dice: Random) -> Deed | None:
    """A part of an order, or all of it; in the end it is completed."""
    key, part = _sale(town, dice, PAID, PARTIALLY_SHIPPED, SHIPPED), dice.random() < 1 / 5
    if key is None:
        return None
    status = town.sales[key].status
    if status == SHIPPED:
        return _to_status(town, key, COMPLETED, "The customer receives")
    if status == PAID and part:
        return _to_status(town, key, PARTIALLY_SHIPPED, "Staff ship a part of")
    return _to_status(town, key, SHIPPED, "Staff ship")


def cancel(town: Town, dice: Random) -> Deed | None:
    """Before it is shipped."""
    key = _sale(town, dice, AWAITING_PAYMENT, PAID)
    return _to_status(town, key, CANCELLED, "Staff cancel") if key else None


def refund_part(town: Town, dice: Random) -> Deed | None:
    """One piece of one line comes back."""
    found = [
        (key, line_id)
        for key, sale in town.sales.items()
        if sale.status in REFUNDABLE
        for line_id, line in sale.lines.items()
        if line.left and 0 < line.each < sale.total - sale.refunded
    ]
    chosen = pick(dice, found)
    if chosen is None:
        return None
    key, line_id = chosen
    sale = town.sales[key]
    line = sale.lines[line_id]

    def then(_answer: Any) -> None:
        line.left -= 1
        sale.refunded += line.each
        sale.status = PARTIALLY_REFUNDED

    item = {"item_type": "PRODUCT", "item_id": line_id, "quantity": 1}
    return replace(_refund(town, key, f"Staff refund a piece of order {key}", item, line.each), then=then)


def refund_all(town: Town, dice: Random) -> Deed | None:
    """Whatever is left of what was paid."""
    key = pick(dice, [k for k, s in town.sales.items() if s.status in REFUNDABLE and s.refunded < s.total])
    if key is None:
        return None
    rest = town.sales[key].total - town.sales[key].refunded
    item = {"item_type": "ORDER", "item_id": key, "amount": rest / 100}
    return replace(_refund(town, key, f"Staff refund order {key}", item, rest), ends=True)


def _refund(town: Town, key: int, told: str, item: Record, amount: int) -> Deed:
    payment = {"provider_id": "custom", "offline": True, "amount": amount / 100}
    path, body = f"/v3/orders/{key}/payment_actions/refunds", {"items": [item], "payments": [payment]}
    return Deed(told, "panel", "POST", path, body, (town.sales, key))


def annotate(town: Town, dice: Random) -> Deed | None:
    """An edit that changes nothing for anybody outside."""
    key, body = pick(dice, list(town.sales)), {"staff_notes": f"Called {dice.getrandbits(16)} times"}
    if key is None:
        return None
    told = f"Staff write a note on order {key}"
    return Deed(told, "panel", "PUT", f"/v2/orders/{key}", body, (town.sales, key))


def archive(town: Town, dice: Random) -> Deed | None:
    """What the control panel calls deleting an order."""
    key = pick(dice, list(town.sales))
    if key is None:
        return None
    told, path = f"Staff archive order {key}", f"/v2/orders/{key}"
    return Deed(told, "panel", "DELETE", path, None, (town.sales, key), ends=True)
