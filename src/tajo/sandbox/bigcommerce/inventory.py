"""Stock: /v3/inventory, and how a changed level is told (inventory.v3; facts, sections 6 and 7).

The catalogue shows, and the storefront sells, what is available at the default location; other locations
have shelves of their own, kept by variant. What is available is what is on hand without the safety stock. A
write is seen at once (the real one takes a moment).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from . import dates
from .store import Parts
from .wire import Answer, Call, Listing, Problem, Route, ids, not_found, v3_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .shapes import Record
    from .store import Condition

SCOPE: Final = "store_inventory"
DEFAULT: Final = 1
TOLD: Final = "store/channel/*/inventory/product"  # the asterisk is literal (facts, section 7)
SHELF: Final[Record] = {"onhand": 0, "safety_stock": 0, "is_in_stock": True, "bin_picking_number": ""}
SETTINGS: Final = ("safety_stock", "is_in_stock", "warning_level", "bin_picking_number")
MOST_ITEMS = 2000
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
    """GET /v3/inventory/items: a thousand a page; each item with the locations that have a shelf for it."""
    conditions = LISTING.conditions(call)
    wanted = [
        place
        for place in call.store.locations
        if all(c.holds(place[c.field.removeprefix("location_")]) for c in conditions if "location" in c.field)
    ]
    rows = _variants(call, [c for c in conditions if "location" not in c.field], wanted)

    def item(variant: Record) -> Record:
        shown = [
            {
                "location_id": place["id"],
                "location_code": place["code"],
                "location_name": place["label"],
                "location_enabled": place["enabled"],
                **at(call, variant, place["id"]),
            }
            for place in wanted
            if _kept(call, variant, place)
        ]
        return {"identity": _identity(variant), "locations": shown}

    return v3_page(call, rows, item, most=1000)


def at_location(call: Call) -> Answer:
    """GET /v3/inventory/locations/{id}/items: the items that one location has a shelf for."""
    place = location(call)
    rows = _variants(call, LISTING.conditions(call), [place])

    def item(variant: Record) -> Record:
        identity = {name: value for name, value in _identity(variant).items() if name != "sku_id"}
        return {"identity": identity, **at(call, variant, place["id"])}

    return v3_page(call, rows, item, most=1000)


def location(call: Call) -> Record:
    """The location of the path."""
    found = next((place for place in call.store.locations if place["id"] == call.key()), None)
    if found is None:
        raise not_found("v3")
    return found


def _variants(call: Call, conditions: Sequence[Condition], places: Sequence[Record]) -> Sequence[Record]:
    """The variants that meet the conditions and lie on a shelf of one of the locations."""
    products = call.store.products
    rows: Any = products.remember("variants", lambda: Parts(products, "variants", products.ids))
    if conditions:
        rows = [
            v
            for v in rows
            if all(c.holds(v["id" if c.field == "variant_id" else c.field]) for c in conditions)
        ]
    if not any(place["id"] == DEFAULT for place in places):
        rows = [v for v in rows if any(_kept(call, v, place) for place in places)]
    found: Sequence[Record] = rows
    return found


def _kept(call: Call, variant: Record, place: Record) -> bool:
    return place["id"] == DEFAULT or (variant["id"], place["id"]) in call.store.shelves


def _identity(variant: Record) -> Record:
    names = {"sku": "sku", "variant_id": "id", "product_id": "product_id", "sku_id": "sku_id"}
    return {name: variant[key] for name, key in names.items()}


def at(call: Call, variant: Record, place: int) -> Record:
    """What a location has of a variant: available, on hand, and the settings."""
    shelf = {**SHELF, **call.store.shelves.get((variant["id"], place), {})}
    if place == DEFAULT:
        level = variant["inventory_level"]
        shelf |= {
            "onhand": level + shelf["safety_stock"],
            "warning_level": variant["inventory_warning_level"],
        }
        shelf |= {"is_in_stock": level > 0, "bin_picking_number": variant["bin_picking_number"]}
    settings = {name: shelf.get(name, 0) for name in SETTINGS}
    available = max(0, shelf["onhand"] - shelf["safety_stock"])
    return {"available_to_sell": available, "total_inventory_onhand": shelf["onhand"], "settings": settings}


def set_settings(call: Call) -> Answer:
    """PUT /v3/inventory/locations/{id}/items: safety stock, warning level and the like; `settings_changed`.

    More safety stock at the default location leaves less to sell, which is a change of stock as well.
    """
    place, rows = location(call)["id"], call.fields().get("settings")
    if not isinstance(rows, list) or not rows or len(rows) > MOST_ITEMS:
        raise Problem(422, "Payload contains invalid fields", {"settings": "1 to 2000 items are required"})
    found = []
    for n, row in enumerate(rows):
        given = {name: row[name] for name in SETTINGS if name in row}
        product, variant = _target(call, row.get("identity") or {})
        if product is None or not given:
            which = "At least one setting must be specified: warning_level, is_in_stock or safety_stock"
            raise Problem(422, "Payload contains invalid fields", {f"setting.{n}.settings": which})
        found.append((product["id"], (variant or product["variants"][0])["id"], given))
    for key, variant_id, given in found:
        _set(call, key, variant_id, place, given)
        _tell(call, "settings_changed", key, variant_id, place)
    return _done(call)


def _set(call: Call, key: int, variant_id: int, place: int, given: Record) -> None:
    old = call.store.shelves.get((variant_id, place), SHELF)
    call.store.shelves[variant_id, place] = {**old, **given}
    if place != DEFAULT:
        return
    product = call.store.products[key]
    names = {"warning_level": "inventory_warning_level", "bin_picking_number": "bin_picking_number"}
    same = {names[name]: value for name, value in given.items() if name in names}
    rows = [{**v, **same} if v["id"] == variant_id else v for v in product["variants"]]
    whole = same if len(rows) == 1 else {}
    call.store.products.put(key, {**product, **whole, "variants": rows})
    less = given.get("safety_stock", old["safety_stock"]) - old["safety_stock"]
    if less:
        change(call, key, variant_id, -less, relative=True)


def absolute(call: Call) -> Answer:
    """PUT /v3/inventory/adjustments/absolute: `quantity` is the new level."""
    return _adjust(call, relative=False)


def relative(call: Call) -> Answer:
    """POST /v3/inventory/adjustments/relative: `quantity` is added."""
    return _adjust(call, relative=True)


def _adjust(call: Call, *, relative: bool) -> Answer:
    items = call.fields().get("items", [])
    if not isinstance(items, list) or not items or len(items) > MOST_ITEMS:
        raise Problem(422, "Payload contains invalid fields", {"items": "1 to 2000 items are required"})
    places = {place["id"] for place in call.store.locations}
    found = []
    for n, item in enumerate(items):
        product, variant = _target(call, item)
        place, quantity = item.get("location_id"), item.get("quantity")
        if product is None or place not in places or not isinstance(quantity, int):
            raise Problem(
                422, "Incorrect entity.", {f"items.{n}": "unknown item or location, or no quantity"}
            )
        if variant and product["inventory_tracking"] == "product" and len(product["variants"]) > 1:
            which = f"Item with variant_id {variant['id']} is tracked by product"
            raise Problem(422, f"[{which}, please update stock by product id]")
        owner = (variant or product["variants"][0])["id"]
        if relative and place != DEFAULT and (owner, place) not in call.store.shelves:
            named = f"[product_id {product['id']}]"
            raise Problem(422, f"Items with identity: {named} requires absolute adjustment before relative")
        found.append((product["id"], variant["id"] if variant else None, owner, place, quantity))
    for key, variant_id, owner, place, quantity in found:
        shelf = call.store.shelves.get((owner, place), SHELF)
        if place == DEFAULT:
            level = quantity if relative else max(0, quantity - shelf["safety_stock"])
            change(call, key, variant_id, level, relative=relative)
        else:
            onhand = max(0, shelf["onhand"] + quantity if relative else quantity)
            call.store.shelves[owner, place] = {**shelf, "onhand": onhand}
            _tell(call, "stock_changed", key, owner, place)
    return _done(call)


def _done(call: Call) -> Answer:
    return Answer(200, {"transaction_id": str(UUID(int=next(call.store.serial)))})


def _tell(call: Call, what: str, key: int, variant_id: int, place: int = DEFAULT) -> None:
    """The events of locations, which have no `type` and no `id`."""
    told = {"variant_id": variant_id, "product_id": key, "location_id": place}
    call.world.deliveries.emit(f"{TOLD}/{what}", told)


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
    its level in both places. The location's event comes in any case; that an order has used up a stock, or
    brought it to its warning level, is told only of orders.
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
    _tell_location(call, product, record, variant_id if by_variant else None, order=order)
    if by_variant and product["inventory_tracking"] == "variant":
        sku = {"product_id": key, "variant_id": variant_id, **told}
        call.world.emit(f"store/sku/{path}", "sku", variant_id, inventory=sku)
    elif simple or product["inventory_tracking"] == "product":
        call.world.emit(f"store/product/{path}", "product", key, inventory={"product_id": key, **told})
    call.world.emit("store/product/updated", "product", key)


def _tell_location(call: Call, old: Record, new: Record, variant_id: int | None, *, order: bool) -> None:
    """`stock_changed`, and through an order `low_stock_reached` and `out_of_stock_reached`."""

    def owner(product: Record) -> Record:
        if variant_id is None:
            return product
        found: Record = next(v for v in product["variants"] if v["id"] == variant_id)
        return found

    before, after = owner(old)["inventory_level"], owner(new)["inventory_level"]
    whose = (new["id"], variant_id or new["base_variant_id"] or new["variants"][0]["id"])
    _tell(call, "stock_changed", *whose)
    if order and after <= owner(new)["inventory_warning_level"] < before:
        _tell(call, "low_stock_reached", *whose)
    if order and after <= 0 < before:
        _tell(call, "out_of_stock_reached", *whose)


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


AT_LOCATION: Final = "/v3/inventory/locations/{id}/items"
ROUTES = (
    Route("GET", "/v3/inventory/items", listing, SCOPE, LISTING.params),
    Route("GET", AT_LOCATION, at_location, SCOPE, LISTING.params),
    Route("PUT", AT_LOCATION, set_settings, SCOPE),
    Route("PUT", "/v3/inventory/adjustments/absolute", absolute, SCOPE),
    Route("POST", "/v3/inventory/adjustments/relative", relative, SCOPE),
)
