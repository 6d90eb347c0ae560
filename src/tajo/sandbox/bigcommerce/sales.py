"""Invented sales: the orders and refunds of the generated store.

An order's facts (`Sale`) are drawn first and cheaply, so that filters can scan them; the record is built
from the facts. Amounts are whole cents of the transactional currency until they are printed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from . import goods, people
from .dates import DAY, rfc2822, zulu
from .shapes import LINE, ORDER, REFUND, Record, money
from .statuses import STATUSES

if TYPE_CHECKING:
    from ..generate import GeneratedStore

FIRST_ORDER: Final = 100
PER_REFUND: Final = 14  # one order in fourteen has a refund
COUPONS: Final = (("WELCOME10", 1), ("SUMMER-5", 2), ("Vip2026", 0), ("ÜBER20", 1))  # code, V2 coupon type
REFUND_LAG: Final = 6 * DAY
EURO: Final = 92  # per 100 dollars
METHODS: Final = ("Credit Card", "PayPal", "Bank Deposit", "Cash on Delivery", "Klarna")
# status id by dice: mostly completed, and some of everything; refunds decide 4 and 14
DICE: Final = (
    (10,) * 56 + (11,) * 10 + (2,) * 9 + (0,) * 7 + (5,) * 5 + (7, 7, 9, 9, 3, 3, 1, 1, 6, 8, 12, 13, 13)
)
PAID: Final = frozenset({2, 3, 8, 9, 10, 11, 12, 13})
SHIPPED: Final = frozenset({2, 10})


class Sale(NamedTuple):
    """Who, when, what became of it; `person` is the customer's or the guest's index, `refund` -1 for none."""

    h: int
    created: int
    guest: bool
    person: int
    status_id: int
    refund: int
    channel_id: int


def buyer(shop: GeneratedStore, index: int) -> tuple[int, bool, int]:
    """(the order's hash, guest?, person). One in four is a guest; customers buy after they registered."""
    h = shop.hash("order", index)
    guest = h & 3 == 0 or shop.customers == 0
    return (
        h,
        guest,
        (h >> 4) % (shop.guests if guest else max(1, shop.customers * (index + 1) // shop.orders)),
    )


def sale(shop: GeneratedStore, index: int) -> Sale:
    """The facts of an order."""
    h, guest, person = buyer(shop, index)
    refund = index // PER_REFUND
    if refund >= shop.refunds or shop.hash("refund", refund) % PER_REFUND != index % PER_REFUND:
        refund = -1
    status_id = DICE[(h >> 24) % len(DICE)]
    if refund >= 0:
        status_id = 10 if _declined(refund) else (4, 14, 14)[_extent(refund, line_count(h, index))]
    channel_id = 1002 if (person % 5 == 3 or person % 211 == 210) else 1
    return Sale(h, shop.moment(index, shop.orders), guest, person, status_id, refund, channel_id)


def _extent(refund: int, lines: int) -> int:
    """What a refund gives back: 0 everything, 1 one unit of the first of several lines, 2 an amount."""
    return 2 if refund % 3 == 1 and lines == 1 else refund % 3


def _declined(refund: int) -> bool:
    """Whether the refund's payment was declined, which leaves the order as it was."""
    return refund % 10 == 7


def modified(shop: GeneratedStore, facts: Sale) -> int:
    """Epoch seconds of an order's last change: its refund, or its shipping some days after."""
    if facts.refund >= 0:
        return min(shop.end, facts.created + REFUND_LAG)
    return min(shop.end, facts.created + (facts.h >> 9) % (4 * DAY))


def email(shop: GeneratedStore, h: int, guest: bool, person: int) -> str:
    """The billing e-mail: the guest's, the account's, or (one in 32) another of the account's owner."""
    if guest:
        return shop.guest_email(person)
    return f"work.{person}@shop.example.org" if h >> 13 & 31 == 1 else shop.email(person)


def order(shop: GeneratedStore, index: int) -> Record:
    """The whole V2 order, with its `line_items` and `order_coupons`."""
    facts = sale(shop, index)
    h, key = facts.h, index + FIRST_ORDER
    euro = h >> 17 & 15 == 3
    coupon = COUPONS[(h >> 21) % len(COUPONS)] if h >> 30 & 15 == 2 else None
    lines = _lines(shop, index, facts, euro, coupon)
    net = sum(line["cents"] for line in lines)
    off = sum(line.pop("off") for line in lines)
    tax = sum(line.pop("tax") for line in lines)
    for line in lines:
        del line["cents"]
    physical = any(line["type"] == "physical" for line in lines)
    shipping = 500 if physical and net < 10000 else 0
    total = net - off + shipping
    items = sum(line["quantity"] for line in lines)
    shipped = facts.status_id in SHIPPED
    changed = modified(shop, facts)
    salt = "guest" if facts.guest else "customer"
    who = shop.person(salt, facts.person)
    number = people.phone(who[2], h) if facts.guest else shop.phone(facts.person)
    status = STATUSES[facts.status_id][0]
    migrated = index * 20 < shop.orders
    subtotal, total_text, ship = money(net), money(total), money(shipping)
    return {
        **ORDER,
        "id": key,
        "customer_id": 0 if facts.guest else facts.person + 1,
        "date_created": rfc2822(facts.created),
        "date_modified": rfc2822(changed),
        "date_shipped": rfc2822(min(changed, facts.created + DAY)) if shipped else "",
        "status_id": facts.status_id,
        "status": status,
        "custom_status": "Dispatched" if facts.status_id == 2 else status,
        "subtotal_ex_tax": subtotal,
        "subtotal_inc_tax": money(net + tax),
        "subtotal_tax": money(tax),
        "base_shipping_cost": ship,
        "shipping_cost_ex_tax": ship,
        "shipping_cost_inc_tax": ship,
        "total_ex_tax": total_text,
        "total_inc_tax": money(total + tax),
        "total_tax": money(tax),
        "items_total": items,
        "items_shipped": items if shipped else 0,
        "payment_method": METHODS[h % len(METHODS)],
        "payment_status": _payment_status(facts.status_id),
        "order_is_digital": not physical,
        "ip_address": f"198.51.100.{h % 254 + 1}",
        "geoip_country": who[2].country,
        "geoip_country_iso2": who[2].iso2,
        "currency_id": 2 if euro else 1,
        "currency_code": "EUR" if euro else "USD",
        "default_currency_id": 2 if euro else 1,
        "default_currency_code": "EUR" if euro else "USD",
        "store_default_to_transactional_exchange_rate": f"0.{EURO}00000000" if euro else "1.0000000000",
        "customer_message": "Bitte klingeln! 🔔" if h >> 33 & 31 == 4 else "",
        "discount_amount": money(off),
        "coupon_discount": money(off),
        "shipping_address_count": 1 if physical else 0,
        "cart_id": None if migrated else f"{h & 0xFFFFFFFF:08x}-0000-4000-8000-{key:012x}",
        "is_email_opt_in": h >> 38 & 3 == 1,
        "channel_id": facts.channel_id,
        "external_source": "M-MIG" if migrated else None,
        "external_id": f"OLD-{key}" if migrated else None,
        "customer_locale": who[2].locale,
        "billing_address": people.billing(who, h >> 5, email(shop, h, facts.guest, facts.person), number),
        "line_items": lines,
        "order_coupons": [_coupon(key, coupon, off)] if coupon else [],
    }


def _payment_status(status_id: int) -> str:
    if status_id in {4, 14}:
        return "refunded" if status_id == 4 else "partially refunded"
    return "captured" if status_id in PAID else "declined" if status_id == 6 else ""


def line_count(h: int, index: int) -> int:
    """One to five lines; 60 to 129 for one order in 400."""
    return 60 + h % 70 if index % 401 == 200 else (1, 1, 2, 2, 3, 3, 4, 5)[h >> 40 & 7]


def _lines(
    shop: GeneratedStore, index: int, facts: Sale, euro: bool, coupon: tuple[str, int] | None
) -> list[Record]:
    """The lines, each with its working amounts `cents` (net), `off` and `tax`; the order takes them out."""
    key = index + FIRST_ORDER
    refund = facts.refund if facts.status_id in {4, 14} else -1
    total_lines = line_count(facts.h, index)
    extent = _extent(refund, total_lines) if refund >= 0 else 2
    lines = []
    for n in range(total_lines):
        h = shop.hash("line", index * 131 + n)
        item = shop.item(h % shop.products)
        h >>= 20
        number, quantity = h % item.variants, (1, 1, 1, 2, 3, 1, 1, 6)[h >> 8 & 7]
        child = n > 0 and h >> 14 & 127 == 9 and extent != 1  # a part of the first line's bundle: free
        unit = 0 if child else (item.cents + (100 if number % 4 == 3 else 0)) * (EURO if euro else 100) // 100
        net = unit * quantity
        off = net // 10 if coupon else 0
        tax = net // 10 if facts.channel_id == 1002 else 0
        back = (quantity, 1 if n == 0 else 0, 0)[extent]
        price, total, with_tax = money(unit), money(net), money(net + tax)
        line = {
            **LINE,
            "id": key * 1000 + n,
            "order_id": key,
            "product_id": item.id,
            "variant_id": item.id * 100 + number,
            "order_address_id": 0 if item.digital else key,
            "name": item.name,
            "name_customer": item.name,
            "name_merchant": item.name,
            "sku": goods.variant_sku(item, number),
            "type": "digital" if item.digital else "physical",
            "base_price": price,
            "price_ex_tax": price,
            "price_inc_tax": money(unit + (tax // quantity)),
            "price_tax": money(tax // quantity),
            "base_total": total,
            "total_ex_tax": total,
            "total_inc_tax": with_tax,
            "total_tax": money(tax),
            "quantity": quantity,
            "is_refunded": back == quantity,
            "quantity_refunded": back,
            "refund_amount": money((net - off) * back // quantity),
            "quantity_shipped": quantity if facts.status_id in SHIPPED else 0,
            "brand": item.brand,
            "parent_order_product_id": key * 1000 if child else None,
            "is_bundled_product": child,
            "discounted_total_inc_tax": money(net + tax - off),
            "cents": net,
            "off": off,
            "tax": tax,
        }
        if coupon:
            line["applied_discounts"] = [
                {
                    "id": "coupon",
                    "amount": money(off),
                    "name": coupon[0],
                    "code": coupon[0],
                    "target": "order",
                }
            ]
        if item.variants > 1:
            line["product_options"] = [_option(line["id"], v) for v in goods.option_values(item, number)]
        if h >> 24 & 255 == 77:  # a line that the merchant typed in: no catalogue product
            line |= {"product_id": 0, "sku": "", "name": "Gift wrapping by hand"}
            del line["variant_id"]
        lines.append(line)
    return lines


def _option(line_id: int, value: Record) -> Record:
    name, label = value["option_display_name"], value["label"]
    return {
        "id": value["id"],
        "option_id": value["option_id"],
        "order_product_id": line_id,
        "product_option_id": value["option_id"],
        "display_name": name,
        "display_name_customer": name,
        "display_name_merchant": name,
        "display_value": label,
        "display_value_customer": label,
        "display_value_merchant": label,
        "value": str(value["id"]),
        "type": "Multiple choice",
        "name": name,
        "display_style": "Rectangle",
    }


def _coupon(key: int, coupon: tuple[str, int], off: int) -> Record:
    number = COUPONS.index(coupon) + 1
    return {
        "id": key,
        "coupon_id": number,
        "order_id": key,
        "code": coupon[0],
        "amount": "10.0000",
        "type": coupon[1],
        "discount": off / 100,
    }


def refunded_order(shop: GeneratedStore, index: int) -> int:
    """The id of the order that refund number `index` belongs to."""
    return FIRST_ORDER + index * PER_REFUND + shop.hash("refund", index) % PER_REFUND


def refund_created(shop: GeneratedStore, index: int) -> int:
    """Epoch seconds of a refund: six days after its order. Rises with the index."""
    return min(shop.end, shop.moment(refunded_order(shop, index) - FIRST_ORDER, shop.orders) + REFUND_LAG)


def refund(shop: GeneratedStore, index: int) -> Record:
    """Refund number `index`: of all, of one unit of the first line, or of an amount; one in ten declined."""
    where = refunded_order(shop, index) - FIRST_ORDER
    record = order(shop, where)
    total, tax = float(record["total_inc_tax"]), float(record["total_tax"])
    first = record["line_items"][0]
    match _extent(index, len(record["line_items"])):
        case 0:
            items = [
                _item("PRODUCT", x["id"], x["quantity"], float(x["discounted_total_inc_tax"]))
                for x in record["line_items"]
            ]
            if float(record["shipping_cost_inc_tax"]):
                items.append(_item("SHIPPING", record["id"], 1, float(record["shipping_cost_inc_tax"])))
        case 1:
            total = round(float(first["discounted_total_inc_tax"]) / first["quantity"], 2)
            tax = round(tax * total / (float(record["total_inc_tax"]) or 1), 2)
            items = [_item("PRODUCT", first["id"], 1, total)]
        case _:
            total, tax = round(total / 4, 2), 0.0
            items = [_item("ORDER", record["id"], 1, total)]
    return {
        **REFUND,
        "id": index + 1,
        "order_id": record["id"],
        "created": zulu(refund_created(shop, index)),
        "reason": ("", "Wrong size.", "Arrived broken")[index % 3],
        "total_amount": total,
        "total_tax": tax,
        "items": items,
        "payments": [payment(index + 1, total, declined=_declined(index))],
    }


def _item(kind: str, key: int, quantity: int, amount: float) -> Record:
    return {
        "item_type": kind,
        "item_id": key,
        "reason": "",
        "quantity": quantity,
        "adjustments": [],
        "requested_amount": amount,
    }


def payment(key: int, amount: float, *, declined: bool) -> Record:
    """One way in which a refund was paid back, or was not."""
    return {
        "id": key,
        "provider_id": "testgateway",
        "amount": amount,
        "offline": False,
        "is_declined": declined,
        "declined_message": "The card was closed." if declined else "",
        "transaction_id": f"txn_{key}",
    }
