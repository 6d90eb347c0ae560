"""Stock: /v3/inventory, and how a changed level is told (inventory.v3; facts, sections 6 and 7).

One location. The catalogue shows what is available there, and a write is seen at once (the real one takes a
moment).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from . import dates
from .store import Parts
from .wire import Answer, Call, Listing, Problem, Route, ids, v3_page

if TYPE_CHECKING:
    from .shapes import Record

SCOPE: Final = "store_inventory"
LOCATION: Final = {"location_id": 1, "location_code": "BC-LOCATION-1", "location_name": "Default location"}
LISTING: Final = Listing(
    {
        **ids("sku", str),
        **ids("variant_id"),
        **ids("product_id"),
        **ids("location_id"),
        **ids("location_code", str),
    },
    most=1000,
)


def listing(call: Call) -> Answer:
    """GET /v3/inventory/items: a thousand a page."""
    products = call.store.products
    rows: Any = products.remember("variants", lambda: Parts(products, "variants", products.ids))
    conditions = [c for c in LISTING.conditions(call) if not c.field.startswith("location")]
    if conditions:
        rows = [
            v
            for v in rows
            if all(c.holds(v["id" if c.field == "variant_id" else c.field]) for c in conditions)
        ]
    elsewhere = [
        c for c in LISTING.conditions(call) if c.field in LOCATION and not c.holds(LOCATION[c.field])
    ]
    return v3_page(call, [] if elsewhere else rows, _item, most=1000)


def _item(variant: Record) -> Record:
    level = variant["inventory_level"]
    return {
        "identity": {
            k: variant["id" if k == "variant_id" else k]
            for k in ("sku", "variant_id", "product_id", "sku_id")
        },
        "locations": [
            {
                **LOCATION,
                "location_enabled": True,
                "available_to_sell": level,
                "total_inventory_onhand": level,
                "settings": {
                    "safety_stock": 0,
                    "is_in_stock": level > 0,
                    "warning_level": variant["inventory_warning_level"],
                    "bin_picking_number": variant["bin_picking_number"],
                },
            }
        ],
    }


def absolute(call: Call) -> Answer:
    """PUT /v3/inventory/adjustments/absolute: `quantity` is the new level."""
    return _adjust(call, relative=False)


def relative(call: Call) -> Answer:
    """POST /v3/inventory/adjustments/relative: `quantity` is added."""
    return _adjust(call, relative=True)


def _adjust(call: Call, *, relative: bool) -> Answer:
    found = []
    for n, item in enumerate(call.fields().get("items", [])):
        product, variant = _target(call, item)
        if product is None or item.get("location_id") != 1 or not isinstance(item.get("quantity"), int):
            raise Problem(
                422, "Incorrect entity.", {f"items.{n}": "unknown item or location, or no quantity"}
            )
        found.append((product["id"], variant["id"] if variant else None, item["quantity"]))
    for key, variant_id, quantity in found:
        change(call, key, variant_id, quantity, relative=relative)
    return Answer(200, {"transaction_id": str(UUID(int=next(call.store.serial)))})


def _target(call: Call, item: Record) -> tuple[Record | None, Record | None]:
    """The product and variant that an adjustment names by product_id, variant_id or sku."""
    if "product_id" in item:
        return call.store.products.get(item["product_id"]), None
    name = "id" if "variant_id" in item else "sku"
    wanted = item.get("variant_id") if name == "id" else item.get("sku")
    variant = variant_index(call)[name].get(wanted) if wanted else None
    return (call.store.products[variant["product_id"]], variant) if variant else (None, None)


def variant_index(call: Call) -> dict[str, dict[Any, Record]]:
    """Every variant, by `id` and by `sku`."""
    products = call.store.products

    def build() -> dict[str, dict[Any, Record]]:
        rows = list(Parts(products, "variants", products.ids))
        return {"id": {v["id"]: v for v in rows}, "sku": {v["sku"]: v for v in rows if v["sku"]}}

    index: dict[str, dict[Any, Record]] = products.remember("variant index", build)
    return index


def change(
    call: Call, key: int, variant_id: int | None, quantity: int, *, relative: bool, order: bool = False
) -> None:
    """Set or add to a level and tell it.

    The product event comes for products without options always, and for others when they are tracked by
    product; the sku event only for variants that are tracked by variant. A product without options keeps
    its level in both places.
    """
    product = call.store.products[key]
    simple = product["base_variant_id"] is not None or len(product["variants"]) <= 1
    by_variant = not simple and (variant_id is not None)
    path = "inventory/order/updated" if order else "inventory/updated"
    told = {"method": "relative" if relative else "absolute", "value": quantity}
    record = {**product, "date_modified": call.world.today(dates.offset)}

    def level(old: int) -> int:
        return max(0, old + quantity) if relative else quantity

    if by_variant:
        record["variants"] = [
            {**v, "inventory_level": level(v["inventory_level"])} if v["id"] == variant_id else v
            for v in product["variants"]
        ]
        if product["inventory_tracking"] == "variant":
            record["inventory_level"] = sum(v["inventory_level"] for v in record["variants"])
    else:
        record["inventory_level"] = level(product["inventory_level"])
        if simple:
            record["variants"] = [
                {**v, "inventory_level": record["inventory_level"]} for v in product["variants"]
            ]
    call.store.products.put(key, record)
    if by_variant and product["inventory_tracking"] == "variant":
        sku = {"product_id": key, "variant_id": variant_id, **told}
        call.world.emit(f"store/sku/{path}", "sku", variant_id, inventory=sku)
    elif simple or product["inventory_tracking"] == "product":
        call.world.emit(f"store/product/{path}", "product", key, inventory={"product_id": key, **told})
    call.world.emit("store/product/updated", "product", key)


def sell(call: Call, lines: list[Record]) -> None:
    """A sale takes its lines out of the stock of tracked products, and counts in `total_sold`.

    Both raise `product/updated` (facts, section 7): one event here, as stock and count change together.
    """
    for line in lines:
        product = call.store.products.get(line["product_id"])
        if product is None:
            continue
        key, sold = product["id"], product["total_sold"] + line["quantity"]
        today = call.world.today(dates.offset)
        call.store.products.put(key, {**product, "total_sold": sold, "date_modified": today})
        if product["inventory_tracking"] == "none":
            call.world.emit("store/product/updated", "product", key)
        else:
            by_variant = product["inventory_tracking"] == "variant"
            variant = line["variant_id"] if by_variant else None
            change(call, key, variant, -line["quantity"], relative=True, order=True)


ROUTES = (
    Route("GET", "/v3/inventory/items", listing, SCOPE, LISTING.params),
    Route("PUT", "/v3/inventory/adjustments/absolute", absolute, SCOPE),
    Route("POST", "/v3/inventory/adjustments/relative", relative, SCOPE),
)
