"""/v2/orders and what hangs on them (orders.v2; facts, section 3): reading.

An order is stored with two keys of ours, `line_items` and `order_coupons`, which the API shows as
sub-resources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from . import dates
from .shapes import cents
from .statuses import STATUSES
from .wire import Answer, Call, Filter, Listing, Route, equal, lower, not_found, v2_page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .shapes import Record

SCOPE: Final = "store_v2_orders"
EMBEDDED = 50  # embedded lines of a consignment stop here (bigcommerce/docs#960)
HOLLOW = 997  # every order whose id it divides has no embedded lines at all (dev-docs#2052)
INCLUDES: Final = ("consignments", "consignments.line_items", "fees")
CUT: Final = {"message": "The number of line items is limited to 50. Use /orders/{id}/products to read all."}
OWN: Final = ("line_items", "order_coupons")
READS: Final[dict[str, Callable[[Record], Any]]] = {
    "date_created": lambda order: dates.or_zero(order["date_created"]),
    "date_modified": lambda order: dates.or_zero(order["date_modified"]),
    "email": lambda order: order["billing_address"]["email"].lower(),
    "total": lambda order: cents(order["total_inc_tax"]),
    "external_id": lambda order: order["external_id"] or "",
}


def _price(text: str) -> int:
    return round(float(text) * 100)


FILTERS: Final = {
    "min_id": Filter("id", "min", int),
    "max_id": Filter("id", "max", int),
    "min_total": Filter("total", "min", _price),
    "max_total": Filter("total", "max", _price),
    "min_date_created": Filter("date_created", "min", dates.parse),
    "max_date_created": Filter("date_created", "max", dates.parse),
    "min_date_modified": Filter("date_modified", "min", dates.parse),
    "max_date_modified": Filter("date_modified", "max", dates.parse),
    **equal("customer_id"),
    **equal("status_id"),
    **equal("channel_id"),
    **equal("email", lower),
    **equal("cart_id", str),
    **equal("payment_method", str),
    **equal("external_order_id", str),
}
SORTS: Final = frozenset(
    {"id", "customer_id", "date_created", "date_modified", "status_id", "channel_id", "external_id"}
)
STRUCTURE: Final = frozenset({"include", "consignment_structure"})
LISTING: Final = Listing(FILTERS, SORTS, STRUCTURE)
COUNTING: Final = Listing(FILTERS)


def listing(call: Call) -> Answer:
    """GET /v2/orders: archived orders are not in it."""
    words, rows = call.includes(INCLUDES), call.store.orders
    return v2_page(call, LISTING.select(call, rows), lambda key: shown(call, rows[key], words))


def read(call: Call) -> Answer:
    """GET /v2/orders/{id}: archived orders too."""
    return Answer(200, shown(call, find(call), call.includes(INCLUDES)))


def count(call: Call) -> Answer:
    """GET /v2/orders/count: in all, and by status."""
    rows = call.store.orders
    by_status: dict[int, int] = dict(rows.tally("status_id"))
    if COUNTING.conditions(call):
        by_status = {}
        for key in COUNTING.select(call, rows):
            status = rows.value(key, "status_id")
            by_status[status] = by_status.get(status, 0) + 1
    found = [{**_status(n), "count": by_status.get(n, 0), "sort_order": n} for n in range(len(STATUSES))]
    return Answer(200, {"statuses": found, "count": sum(by_status.values())})


def statuses(call: Call) -> Answer:
    """GET /v2/order_statuses: one of them renamed by the merchant, so map by id."""
    return Answer(200, [_status(n) for n in range(len(STATUSES))])


def status(call: Call) -> Answer:
    """GET /v2/order_statuses/{id}."""
    if call.key() >= len(STATUSES):
        raise not_found("v2")
    return Answer(200, _status(call.key()))


def _status(key: int) -> Record:
    name, description = STATUSES[key]
    custom = "Dispatched" if key == 2 else name
    return {
        "id": key,
        "name": name,
        "system_label": name,
        "custom_label": custom,
        "system_description": description,
    }


def find(call: Call, name: str = "id") -> Record:
    """The order of the path, archived or not."""
    key = call.key(name)
    record = call.store.orders.get(key) or call.store.archived.get(key)
    if record is None:
        raise not_found(call.version)
    return record


def shown(call: Call, record: Record, words: frozenset[str]) -> Record:
    """An order with links in place of its sub-resources, or with what was included."""
    out = dict(record)
    for name in OWN:
        del out[name]
    key = record["id"]
    for field, path in (
        ("products", "products"),
        ("shipping_addresses", "shippingaddresses"),
        ("coupons", "coupons"),
        ("consignments", "consignments"),
        ("fees", "fees"),
    ):
        out[field] = _link(call, f"/orders/{key}/{path}")
    if "fees" in words:
        out["fees"] = []
    if words & {"consignments", "consignments.line_items"}:
        found = consignments(call, record, lines="consignments.line_items" in words)
        if call.query.get("consignment_structure") != "object":
            call.world.suspect("consignments without consignment_structure=object come as an array")
        out["consignments"] = found if call.query.get("consignment_structure") == "object" else [found]
    return out


def _link(call: Call, resource: str) -> Record:
    path = resource.replace("shippingaddresses", "shipping_addresses")
    return {"url": f"https://api.bigcommerce.com/stores/{call.store.hash}/v2{path}", "resource": resource}


def consignments(call: Call, order: Record, *, lines: bool) -> Record:
    """`shipping`, `pickups`, `downloads`, `email`: the four places where an order's lines are."""

    def part(kinds: set[str]) -> tuple[list[Record], Record]:
        found = [line for line in order["line_items"] if line["type"] in kinds]
        if not lines:
            return [_link(call, f"/orders/{order['id']}/products")] if found else [], {}
        if order["id"] % HOLLOW == 0:
            return [], {}
        return found[:EMBEDDED], {"__warning__": CUT} if len(found) > EMBEDDED else {}

    kinds = {line["type"] for line in order["line_items"]}
    email = order["billing_address"]["email"]
    out: Record = {"shipping": [], "pickups": [], "downloads": [], "email": {"gift_certificates": []}}
    if "physical" in kinds:
        found, warning = part({"physical"})
        costs = {k: float(v) for k, v in _costs(order).items()}
        shipping = {**_address(order), **costs, "line_items": found, **warning}
        resource = f"/orders/{order['id']}/consignments/shipping/{order['id']}/shipping_quotes"
        out["shipping"].append({**shipping, "shipping_quotes": _link(call, resource)})
    if "digital" in kinds:
        found, warning = part({"digital"})
        out["downloads"].append({"recipient_email": email, "line_items": found, **warning})
    if "giftcertificate" in kinds:
        found, warning = part({"giftcertificate"})
        out["email"]["gift_certificates"].append({"recipient_email": email, "line_items": found, **warning})
    return out


def _address(order: Record) -> Record:
    physical = [line for line in order["line_items"] if line["type"] == "physical"]
    to = {k: v for k, v in order["billing_address"].items() if k != "form_fields"}
    return {
        "id": order["id"],
        **to,
        "form_fields": [],
        "items_total": sum(line["quantity"] for line in physical),
        "items_shipped": sum(line["quantity_shipped"] for line in physical),
        "shipping_method": "Flat Rate",
        "cost_tax_class_id": 2,
        "handling_cost_tax_class_id": 2,
        "shipping_zone_id": 1,
        "shipping_zone_name": to["country"],
    }


def _costs(order: Record) -> dict[str, str]:
    return {
        "base_cost": order["base_shipping_cost"],
        "cost_ex_tax": order["shipping_cost_ex_tax"],
        "cost_inc_tax": order["shipping_cost_inc_tax"],
        "cost_tax": order["shipping_cost_tax"],
        "base_handling_cost": order["base_handling_cost"],
        "handling_cost_ex_tax": order["handling_cost_ex_tax"],
        "handling_cost_inc_tax": order["handling_cost_inc_tax"],
        "handling_cost_tax": order["handling_cost_tax"],
    }


# -- sub-resources


def products(order: Record) -> Sequence[Record]:
    """GET /v2/orders/{id}/products: every line, in pages."""
    rows: list[Record] = order["line_items"]
    return rows


def coupons(order: Record) -> Sequence[Record]:
    """GET /v2/orders/{id}/coupons."""
    rows: list[Record] = order["order_coupons"]
    return rows


def shipping_addresses(order: Record) -> Sequence[Record]:
    """GET /v2/orders/{id}/shipping_addresses: here the costs are strings."""
    if order["order_is_digital"]:
        return []
    return [{**_address(order), "order_id": order["id"], **_costs(order)}]


def shipments(order: Record) -> Sequence[Record]:
    """GET /v2/orders/{id}/shipments: one, when something was shipped."""
    items = [
        {"order_product_id": x["id"], "product_id": x["product_id"], "quantity": x["quantity_shipped"]}
        for x in order["line_items"]
        if x["quantity_shipped"]
    ]
    if not items:
        return []
    to = {k: v for k, v in order["billing_address"].items() if k != "form_fields"}
    return [
        {
            "id": order["id"],
            "order_id": order["id"],
            "customer_id": order["customer_id"],
            "order_address_id": order["id"],
            "date_created": order["date_shipped"],
            "tracking_number": f"TRACK{order['id']}",
            "merchant_shipping_cost": "0.0000",
            "shipping_method": "Flat Rate",
            "comments": "",
            "shipping_provider": "",
            "tracking_carrier": "",
            "tracking_link": "",
            "shipping_provider_display_name": "",
            "generated_tracking_link": "",
            "billing_address": to,
            "shipping_address": to,
            "items": items,
        }
    ]


def nothing(order: Record) -> Sequence[Record]:
    """Sub-resources that these orders do not have."""
    return []


def _sub(rows: Callable[[Record], Sequence[Record]]) -> Callable[[Call], Answer]:
    def handler(call: Call) -> Answer:
        return v2_page(call, rows(find(call)))

    handler.__doc__ = rows.__doc__
    return handler


def read_consignments(call: Call) -> Answer:
    """GET /v2/orders/{id}/consignments."""
    lines = "line_items" in call.includes({"shipping.shipping_quotes", "line_items"})
    return Answer(200, consignments(call, find(call), lines=lines))


ONE = "/v2/orders/{id}"
PAGES: Final = frozenset({"page", "limit"})
SUBS: Final = {
    "products": products,
    "coupons": coupons,
    "shipping_addresses": shipping_addresses,
    "shippingaddresses": shipping_addresses,
    "shipments": shipments,
    "taxes": nothing,
    "messages": nothing,
    "fees": nothing,
}
ROUTES = (
    Route("GET", "/v2/orders", listing, SCOPE, LISTING.params),
    Route("GET", "/v2/orders/count", count, SCOPE, frozenset(FILTERS)),
    Route("GET", "/v2/order_statuses", statuses, SCOPE),
    Route("GET", "/v2/order_statuses/{id}", status, SCOPE),
    Route("GET", ONE, read, SCOPE, STRUCTURE),
    Route("GET", f"{ONE}/consignments", read_consignments, SCOPE, frozenset({"include"})),
    *(Route("GET", f"{ONE}/{name}", _sub(rows), SCOPE, PAGES) for name, rows in SUBS.items()),
)
