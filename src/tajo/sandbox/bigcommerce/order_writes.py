"""Writing orders: POST, PUT, DELETE of /v2/orders, and the checkout (orders.v2; facts, sections 3, 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from . import dates, inventory
from .orders import INCLUDES, ONE, SCOPE, STRUCTURE, find, shown
from .shapes import BILLING, LINE, ORDER, cents, money
from .statuses import STATUSES, status
from .wire import Answer, Call, Problem, Route

if TYPE_CHECKING:
    from .shapes import Record

SHIPPED: Final = frozenset({2, 10})
INCOMPLETE: Final = 0
UNSOLD: Final = frozenset({INCOMPLETE, 5, 6})  # incomplete, cancelled, declined: no stock was taken
WRITABLE: Final = frozenset(ORDER) - {
    *(
        "id",
        "date_modified",
        "status",
        "items_total",
        "refunded_amount",
        "is_deleted",
        "billing_address",
        "cart_id",
    ),
    *("subtotal_tax", "total_tax", "coupon_discount", "custom_status", "shipping_address_count"),
}


def create(call: Call) -> Answer:
    """POST /v2/orders: products of the catalogue by id, or custom ones with name and prices."""
    fields = call.fields()
    rows = fields.get("products")
    if not isinstance(rows, list) or not rows:
        raise Problem(400, "The field 'products' is required.", field="products")
    if not isinstance(fields.get("billing_address"), dict):
        raise Problem(400, "The field 'billing_address' is required.", field="billing_address")
    record = place(call, [_line(call, row) for row in rows], fields)
    return Answer(200, shown(call, record, call.includes(INCLUDES)))  # 200, says the official file


def place(call: Call, lines: list[Record], fields: Record, cart_id: str | None = None) -> Record:
    """A new order of these lines: its totals, its events, and the stock that it takes."""
    now, key = call.world.now(), call.store.orders.new_id()
    currency = call.store.info["currency"]
    record = {
        **ORDER,
        **of_lines(key, lines),
        "currency_code": currency,
        "default_currency_code": currency,
        "store_default_currency_code": currency,
        "order_source": "external" if cart_id is None else "www",
        **{k: v for k, v in fields.items() if k in WRITABLE},
        **status(_status_id(fields.get("status_id", 1))),
        "id": key,
        "cart_id": cart_id,
        "date_created": dates.rfc2822(dates.or_zero(fields.get("date_created")) or now),
        "date_modified": dates.rfc2822(now),
        "billing_address": {**BILLING, **fields["billing_address"]},
        "order_coupons": [],
    }
    call.store.orders.put(key, _shipped(record, now))
    call.world.emit("store/order/created", "order", key)
    if record["status_id"] != INCOMPLETE:
        inventory.sell(call, record["line_items"])
    return call.store.orders[key]


def of_lines(key: int, lines: list[Record]) -> Record:
    """What an order has from its lines: themselves, with ids, and their sums."""
    net = sum(cents(line["total_ex_tax"]) for line in lines)
    gross = sum(cents(line["total_inc_tax"]) for line in lines)
    physical = any(line["type"] == "physical" for line in lines)
    return {
        "subtotal_ex_tax": money(net),
        "subtotal_inc_tax": money(gross),
        "subtotal_tax": money(gross - net),
        "total_ex_tax": money(net),
        "total_inc_tax": money(gross),
        "total_tax": money(gross - net),
        "items_total": sum(line["quantity"] for line in lines),
        "order_is_digital": not physical,
        "shipping_address_count": 1 if physical else 0,
        "line_items": [{**line, "id": key * 1000 + n, "order_id": key} for n, line in enumerate(lines)],
    }


def less_coupons(order: Record, coupons: list[Record]) -> Record:
    """What changes in an order's sums when its cart had coupons (the discounts are one: facts, section 3)."""
    off = sum(cents(coupon["discounted_amount"]) for coupon in coupons)
    names = ("total_ex_tax", "total_inc_tax")
    rows = [
        {
            "id": order["id"],
            "coupon_id": int(coupon["id"]),
            "order_id": order["id"],
            "code": coupon["code"],
            "amount": money(cents(coupon["discounted_amount"])),
            "type": int(coupon["coupon_type"]),
            "discount": coupon["discounted_amount"],
        }
        for coupon in coupons
    ]
    return {
        **{name: money(cents(order[name]) - off) for name in names},
        "discount_amount": money(off),
        "coupon_discount": money(off),
        "order_coupons": rows,
    }


def update(call: Call) -> Answer:
    """PUT /v2/orders/{id}: `order/updated` always, `order/statusUpdated` when the status is another."""
    old, fields = find(call), call.fields()
    known = {k: v for k, v in fields.items() if k in WRITABLE}
    record = {**old, **known}
    if "billing_address" in fields:
        record["billing_address"] = {**old["billing_address"], **fields["billing_address"]}
    save(call, old, record, _status_id(fields.get("status_id", old["status_id"])))
    return Answer(200, shown(call, find(call), call.includes(INCLUDES)))


def save(call: Call, old: Record, record: Record, status_id: int) -> None:
    """Write a changed order with its new status and date, and tell the hooks; a paid one takes its stock."""
    key, now = record["id"], call.world.now()
    if status_id != old["status_id"]:
        record = _shipped({**record, **status(status_id)}, now)
    record = {**record, "date_modified": dates.rfc2822(now)}
    if key in call.store.archived:
        call.store.archived[key] = record
    else:
        call.store.orders.put(key, record)
    if status_id != old["status_id"]:
        change = {"previous_status_id": old["status_id"], "new_status_id": status_id}
        call.world.emit("store/order/statusUpdated", "order", key, status=change)
    call.world.emit("store/order/updated", "order", key)
    if old["status_id"] == INCOMPLETE and status_id not in UNSOLD:
        inventory.sell(call, record["line_items"])


def archive(call: Call) -> Answer:
    """DELETE /v2/orders/{id}: archives; the order can still be read by its id, but is in no list."""
    record = find(call)
    if record["id"] in call.store.orders:
        call.store.orders.remove(record["id"])
        today = call.world.today(dates.rfc2822)
        call.store.archived[record["id"]] = {**record, "is_deleted": True, "date_modified": today}
        call.world.emit("store/order/archived", "order", record["id"])
    return Answer(204)


def _status_id(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < len(STATUSES):
        raise Problem(400, "The field 'status_id' is invalid.", invalid_reason="The status is not known.")
    return value


def _shipped(record: Record, now: int) -> Record:
    if record["status_id"] not in SHIPPED or record["items_shipped"]:
        return record
    lines = [{**line, "quantity_shipped": line["quantity"]} for line in record["line_items"]]
    shipped = {"line_items": lines, "items_shipped": record["items_total"]}
    return {**record, **shipped, "date_shipped": dates.rfc2822(now)}


def _line(call: Call, row: Record) -> Record:
    """A line of a posted order: its own prices, or those of the catalogue."""
    product = call.store.products.get(row.get("product_id", 0))
    quantity = int(row.get("quantity", 1))
    if product is None and not (row.get("name") and "price_ex_tax" in row and "price_inc_tax" in row):
        raise Problem(
            400, "The field 'products' is invalid.", invalid_reason="Unknown product, or no name and price."
        )
    if product is None:
        custom = {"name": row["name"], "sku": row.get("sku", ""), "product_id": 0}
        line = {k: v for k, v in {**LINE, **custom}.items() if k != "variant_id"}
        price = 0
    else:
        wanted = row.get("variant_id")
        variants = product["variants"]
        variant = next((v for v in variants if v["id"] == wanted), variants[0] if variants else None)
        if variant is None or (wanted is not None and variant["id"] != wanted):
            raise Problem(400, "The field 'products' is invalid.", invalid_reason="Unknown variant.")
        line, price = line_of(product, variant), cents(variant["calculated_price"])
    return priced(
        line,
        quantity,
        cents(row.get("price_ex_tax", price / 100)),
        cents(row.get("price_inc_tax", price / 100)),
    )


def line_of(product: Record, variant: Record) -> Record:
    """An order line of a variant, without its price."""
    return {
        **LINE,
        "product_id": product["id"],
        "variant_id": variant["id"],
        "name": product["name"],
        "name_customer": product["name"],
        "name_merchant": product["name"],
        "sku": variant["sku"],
        "type": product["type"],
    }


def priced(line: Record, quantity: int, net: int, gross: int) -> Record:
    """A line with its quantity and its unit prices in cents."""
    return {
        **line,
        "quantity": quantity,
        "base_price": money(net),
        "price_ex_tax": money(net),
        "price_inc_tax": money(gross),
        "price_tax": money(gross - net),
        "base_total": money(net * quantity),
        "total_ex_tax": money(net * quantity),
        "total_inc_tax": money(gross * quantity),
        "total_tax": money((gross - net) * quantity),
        "discounted_total_inc_tax": money(gross * quantity),
    }


ROUTES = (
    Route("POST", "/v2/orders", create, SCOPE, STRUCTURE),
    Route("PUT", ONE, update, SCOPE, STRUCTURE),
    Route("DELETE", ONE, archive, SCOPE),
)
