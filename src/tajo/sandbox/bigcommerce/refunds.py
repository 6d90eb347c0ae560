"""V3 refunds and transactions of orders (orders.v3; facts, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import dates
from .order_writes import save
from .orders import find
from .sales import payment
from .shapes import REFUND, cents, money
from .store import Condition
from .wire import Answer, Call, Filter, Listing, Problem, Route, ids, not_found, one, v3_page

if TYPE_CHECKING:
    from .shapes import Record

SCOPE: Final = "store_v2_orders store_v2_transactions"  # either
LISTING: Final = Listing(
    {
        **ids("id"),
        **ids("order_id"),
        "created:min": Filter("created", "min", dates.parse),
        "created:max": Filter("created", "max", dates.parse),
    },
    other=frozenset({"transaction_id"}),
)
READS: Final = {"created": lambda refund: dates.or_zero(refund["created"])}
UNPAID: Final = frozenset({0, 5, 6})


def listing(call: Call) -> Answer:
    """GET /v3/orders/payment_actions/refunds: by id, ascending."""
    rows = call.store.refunds
    found = LISTING.select(call, rows)
    if "transaction_id" in call.query:
        found = [key for key in found if _has_transaction(rows[key], call.query["transaction_id"])]
    return v3_page(call, found, rows.__getitem__)


def read(call: Call) -> Answer:
    """GET /v3/orders/payment_actions/refunds/{id}: less than the list has, and the amounts as strings."""
    record = call.store.refunds.get(call.key())
    if record is None:
        raise not_found("v3")
    items = [{k: v for k, v in i.items() if k != "adjustments"} for i in record["items"]]
    items = [{**item, "requested_amount": f"{item['requested_amount']:.2f}"} for item in items]
    payments = [{k: v for k, v in p.items() if k != "transaction_id"} for p in record["payments"]]
    return one({**record, "items": items, "payments": payments})


def of_order(call: Call) -> Answer:
    """GET /v3/orders/{order}/payment_actions/refunds: all of them, without paging."""
    found = _of(call, find(call, "order"))
    if "transaction_id" in call.query:
        found = [r for r in found if _has_transaction(r, call.query["transaction_id"])]
    return one(found)


def create(call: Call) -> Answer:
    """POST /v3/orders/{order}/payment_actions/refunds: items or amounts, and payments that add up to them.

    The order becomes Refunded (4) or Partially Refunded (14); three events: refund/created, statusUpdated,
    updated.
    """
    order, fields = find(call, "order"), call.fields()
    if order["status_id"] in UNPAID:
        raise Problem(422, "The order cannot be refunded.", {"order_id": "The order is not paid."})
    items = [_item(order, n, item) for n, item in enumerate(fields.get("items", []))]
    adjustment = fields.get("tax_adjustment_amount", 0)
    if not items and not adjustment:
        raise Problem(422, "Invalid refund.", {"items": "items or tax_adjustment_amount is required"})
    override = fields.get("merchant_calculated_override")
    total = round(sum(item["requested_amount"] for item in items) + adjustment, 2)
    if override:
        total = override["total_amount"]
    payments = fields.get("payments", [])
    if round(sum(p.get("amount", 0) for p in payments), 2) != round(total, 2):
        raise Problem(422, "Invalid refund.", {"payments": f"The payments must add up to {total:.2f}"})
    paid = cents(order["total_inc_tax"])
    before = sum(cents(r["total_amount"]) for r in _of(call, order) if not _declined(r))
    if before + cents(total) > paid:
        raise Problem(422, "Invalid refund.", {"total_amount": "The refund exceeds what was paid."})
    key = call.store.refunds.new_id()
    record = {
        **REFUND,
        "id": key,
        "order_id": order["id"],
        "created": call.world.today(),
        "reason": fields.get("reason", ""),
        "total_amount": total,
        "total_tax": override["total_tax"] if override else adjustment,
        "uses_merchant_override_values": bool(override),
        "items": items,
        "payments": [
            {
                **payment(key * 10 + n, p.get("amount", 0), declined=False),
                "provider_id": p.get("provider_id", "custom"),
                "offline": bool(p.get("offline", False)),
            }
            for n, p in enumerate(payments)
        ],
    }
    call.store.refunds.put(key, record)
    call.world.emit("store/order/refund/created", "order", order["id"], refund={"refund_id": key})
    whole = before + cents(total) >= paid
    changed = {**order, "line_items": [_refunded(line, items) for line in order["line_items"]]}
    changed["payment_status"] = "refunded" if whole else "partially refunded"
    save(call, order, changed, 4 if whole else 14)
    return one(record, 201)


def _of(call: Call, order: Record) -> list[Record]:
    same = Condition("order_id", "in", frozenset({order["id"]}))
    return [call.store.refunds[key] for key in call.store.refunds.select([same])]


def _declined(refund: Record) -> bool:
    return bool(refund["payments"]) and all(p["is_declined"] for p in refund["payments"])


def _has_transaction(refund: Record, wanted: str) -> bool:
    return any(p["transaction_id"] == wanted for p in refund["payments"])


def _item(order: Record, number: int, item: Record) -> Record:
    """One refunded item: of a product line by quantity, of anything else by amount."""
    kind = item.get("item_type")
    adjustments = item.get("adjustments", [])
    if kind in {"PRODUCT", "GIFT_WRAPPING"}:
        line = next((x for x in order["line_items"] if x["id"] == item.get("item_id")), None)
        quantity = item.get("quantity", 0)
        if line is None or not 0 < quantity <= line["quantity"] - line["quantity_refunded"]:
            raise Problem(
                422, "Invalid refund.", {f"items.{number}": "no such line, or not so many left to refund"}
            )
        amount = cents(line["discounted_total_inc_tax"]) * quantity / line["quantity"] / 100
        amount = round(amount + sum(a.get("amount", 0) for a in adjustments), 2)
    elif kind in {"ORDER", "SHIPPING", "HANDLING", "FEE", "TAX"} and item.get("amount", 0) > 0:
        amount, quantity = item["amount"], 1
    else:
        raise Problem(
            422, "Invalid refund.", {f"items.{number}": "item_type with quantity or amount is required"}
        )
    return {
        "item_type": kind,
        "item_id": item.get("item_id", order["id"]),
        "reason": item.get("reason", ""),
        "quantity": quantity,
        "adjustments": adjustments,
        "requested_amount": amount,
    }


def _refunded(line: Record, items: list[Record]) -> Record:
    mine = [i for i in items if i["item_type"] == "PRODUCT" and i["item_id"] == line["id"]]
    quantity = line["quantity_refunded"] + sum(i["quantity"] for i in mine)
    amount = cents(line["refund_amount"]) + sum(cents(i["requested_amount"]) for i in mine)
    whole = quantity >= line["quantity"]
    return (
        {**line, "quantity_refunded": quantity, "refund_amount": money(amount), "is_refunded": whole}
        if mine
        else line
    )


def transactions(call: Call) -> Answer:
    """GET /v3/orders/{order}/transactions: the payment; 204 when none was made."""
    order = find(call, "order")
    if order["status_id"] in UNPAID or not order["payment_status"]:
        return Answer(204)
    row = {
        "id": order["id"],
        "order_id": str(order["id"]),
        "date_created": dates.zulu(dates.or_zero(order["date_created"])),
        "event": "purchase",
        "method": "credit_card",
        "amount": cents(order["total_inc_tax"]) / 100,
        "currency": order["default_currency_code"],
        "gateway": "testgateway",
        "gateway_transaction_id": f"txn_{order['id']}",
        "test": True,
        "status": "ok",
        "fraud_review": False,
        "reference_transaction_id": None,
    }
    return v3_page(call, [row])


ALL, MINE = "/v3/orders/payment_actions/refunds", "/v3/orders/{order}/payment_actions/refunds"
ROUTES = (
    Route("GET", ALL, listing, SCOPE, LISTING.params),
    Route("GET", f"{ALL}/{{id}}", read, SCOPE),
    Route("GET", MINE, of_order, SCOPE, frozenset({"transaction_id"})),
    Route("POST", MINE, create, SCOPE),
    Route("GET", "/v3/orders/{order}/transactions", transactions, "store_v2_transactions"),
)
