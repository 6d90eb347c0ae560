"""/v3/catalog/products: reading and writing (products_catalog.v3; facts, sections 2, 6 and 7)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from . import dates, inventory
from .shapes import PRODUCT, VARIANT
from .wire import (
    Answer,
    Call,
    Filter,
    Listing,
    Problem,
    Route,
    between,
    dated,
    equal,
    ids,
    listed,
    lower,
    not_found,
    one,
    truth,
    v3_page,
)

if TYPE_CHECKING:
    from .shapes import Record

SCOPE: Final = "store_v2_products"
STORED: Final = ("variants", "images", "custom_fields", "channels")
EMPTY: Final = ("bulk_pricing_rules", "modifiers", "parent_relations", "reviews", "videos")
INCLUDES: Final = (*STORED, *EMPTY, "options", "primary_image")
FEW: Final = frozenset({"options", "modifiers"})  # with these, ten a page
SHAPE: Final = frozenset({"include", "include_fields", "exclude_fields"})
LISTING: Final = Listing(
    {
        **equal("id"),
        **ids("id", negated=True),
        **between("id"),
        **ids("inventory_level", negated=True),
        **equal("inventory_level"),
        **between("inventory_level"),
        **equal("name", lower),
        **equal("sku", lower),
        **ids("sku", lower),
        **equal("mpn", str),
        **equal("upc", str),
        **equal("price", float),
        **equal("weight", float),
        **equal("brand_id"),
        **equal("total_sold"),
        **equal("is_visible", truth),
        **equal("is_featured", truth),
        **equal("is_free_shipping", truth),
        **equal("type", str),
        **equal("availability", str),
        **equal("condition", lambda text: text.capitalize()),
        **dated("date_modified"),
        "date_last_imported:min": Filter("date_last_imported", "min", dates.parse),
        "date_last_imported:max": Filter("date_last_imported", "max", dates.parse),
        "channel_id:in": Filter("channels", "any", listed(int)),
        "categories": Filter("categories", "any", listed(int)),
        "categories:in": Filter("categories", "all", listed(int)),  # AND, not OR
        "keyword": Filter("keyword", "like", listed(lower)),
    },
    sorts=frozenset(
        {"id", "name", "sku", "price", "date_modified", "date_last_imported", "inventory_level"}
        | {"is_visible", "total_sold", "calculated_price"}
    ),
    other=SHAPE | {"keyword_context"},
    ceiling="refuse",
)
READS: Final[dict[str, Callable[[Record], Any]]] = {
    "name": lambda product: product["name"].lower(),
    "sku": lambda product: product["sku"].lower(),
    "keyword": lambda product: f"{product['name']} {product['sku']}",
    "date_modified": lambda product: dates.or_zero(product["date_modified"]),
    "date_last_imported": lambda product: dates.or_zero(product["date_last_imported"]),
    "variants_count": lambda product: len(product["variants"]),
}
NEEDED: Final = ("name", "type", "weight", "price")
WRITABLE: Final = frozenset(PRODUCT) - {
    *("id", "date_created", "date_modified", "calculated_price", "base_variant_id"),
    *("variants", "images", "custom_fields", "channels", "inventory_level"),
}
SILENT: Final = frozenset(
    {"mpn", "gtin", "inventory_level"}
)  # no product/updated of their own (facts, section 7)


def listing(call: Call) -> Answer:
    """GET /v3/catalog/products: 250 a page at most (422 above), ten with options or modifiers."""
    words, rows = call.includes(INCLUDES), call.store.products
    found = LISTING.select(_timed(call), rows)
    most = 10 if words & FEW else 250
    ceiling = "lower" if words & FEW else LISTING.ceiling
    return v3_page(call, found, lambda key: shown(call, rows[key], words), most, ceiling)


def _timed(call: Call) -> Call:
    """A bare date in a date filter gets the time of day of the request (products_catalog.v3)."""

    def timed(name: str, text: str) -> str:
        bare = name.startswith("date_") and re.fullmatch(r"\d{4}-\d\d-\d\d", text)
        return text + call.world.today()[10:] if bare else text

    return replace(call, query={name: timed(name, text) for name, text in call.query.items()})


def read(call: Call) -> Answer:
    """GET /v3/catalog/products/{id}."""
    return one(shown(call, find(call), call.includes(INCLUDES)))


def shown(call: Call, record: Record, words: frozenset[str]) -> Record:
    """A product with what was included, cut to the fields that were asked for."""
    out = {k: v for k, v in record.items() if k not in STORED}
    keep = {w for w in call.query.get("include_fields", "").split(",") if w}
    drop = {w for w in call.query.get("exclude_fields", "").split(",") if w}
    if keep or drop:
        out = {k: v for k, v in out.items() if k == "id" or ((not keep or k in keep) and k not in drop)}
    out |= {name: record[name] for name in STORED if name in words}
    out |= {name: [] for name in EMPTY if name in words}
    if "options" in words:
        out["options"] = options(record)
    if "primary_image" in words:
        out["primary_image"] = next((i for i in record["images"] if i["is_thumbnail"]), None)
    return out


def options(product: Record) -> list[Record]:
    """The options that a product's variants are made of."""
    found: dict[int, Record] = {}
    for variant in product["variants"]:
        for value in variant["option_values"]:
            option = found.setdefault(
                value["option_id"],
                {
                    "id": value["option_id"],
                    "product_id": product["id"],
                    "display_name": value["option_display_name"],
                    "type": "dropdown",
                    "config": {},
                    "sort_order": len(found),
                    "option_values": [],
                },
            )
            labels = [v["label"] for v in option["option_values"]]
            if value["label"] not in labels:
                entry = {
                    "id": value["id"],
                    "label": value["label"],
                    "sort_order": len(labels),
                    "is_default": False,
                }
                option["option_values"].append({**entry, "value_data": None})
    return list(found.values())


def find(call: Call) -> Record:
    """The product of the path."""
    record = call.store.products.get(call.key())
    if record is None:
        raise not_found("v3")
    return record


# -- writes


def create(call: Call) -> Answer:
    """POST /v3/catalog/products, with variants if given; otherwise it gets its base variant."""
    fields = call.fields()
    missing = {name: f"{name} is required" for name in NEEDED if name not in fields}
    if missing:
        raise Problem(422, "JSON data is missing or invalid", missing)
    products, key = call.store.products, call.store.products.new_id()
    if any(p["name"] == fields["name"] for p in products):
        raise Problem(409, "The product name is a duplicate", {"name": "The product name is a duplicate"})
    today = call.world.today(dates.offset)
    known = {k: v for k, v in fields.items() if k in WRITABLE}
    record = {**PRODUCT, **known, "id": key, "date_created": today, "date_modified": today}
    record["inventory_level"] = fields.get("inventory_level", 0)
    record["calculated_price"] = record["sale_price"] or record["price"]
    if not record["custom_url"]["url"]:
        record["custom_url"] = {
            "url": f"/{fields['name'].lower().replace(' ', '-')}/",
            "is_customized": False,
        }
    given = fields.get("variants") or [{"sku": record["sku"], "inventory_level": record["inventory_level"]}]
    record["variants"] = [_variant(call, record, v, key * 100 + n) for n, v in enumerate(given)]
    record["base_variant_id"] = None if fields.get("variants") else key * 100
    products.put(key, record)
    call.world.emit("store/product/created", "product", key)
    for variant in record["variants"] if fields.get("variants") else ():
        call.world.emit(
            "store/sku/created", "sku", variant["id"], sku={"product_id": key, "variant_id": variant["id"]}
        )
    return one(shown(call, record, frozenset({"variants", "images", "custom_fields"})))


def _variant(call: Call, product: Record, fields: Record, key: int) -> Record:
    named = [
        {
            **value,
            "id": value.get("id") or next(call.store.serial),
            "option_id": value.get("option_id") or key,
        }
        for value in fields.get("option_values", [])
    ]
    known = {k: v for k, v in fields.items() if k in VARIANT}
    price = fields.get("price") or product["calculated_price"]
    ours = {
        "id": key,
        "product_id": product["id"],
        "sku_id": key,
        "calculated_price": price,
        "option_values": named,
    }
    return {**VARIANT, **known, **ours}


def update(call: Call) -> Answer:
    """PUT /v3/catalog/products/{id}."""
    return one(shown(call, _write(call, find(call), call.fields()), call.includes(INCLUDES)))


def update_batch(call: Call) -> Answer:
    """PUT /v3/catalog/products: at most ten."""
    rows = [(call.store.products.get(fields.get("id", 0)), fields) for fields in call.items()]
    missing = {f"{n}.id": "product not found" for n, (old, _) in enumerate(rows) if old is None}
    if missing:
        raise Problem(422, "Update products failed.", missing)
    return one([shown(call, _write(call, old, fields), frozenset()) for old, fields in rows if old])


def _write(call: Call, old: Record, fields: Record) -> Record:
    known = {k: v for k, v in fields.items() if k in WRITABLE}
    record = {**old, **known, "date_modified": call.world.today(dates.offset)}
    record["calculated_price"] = record["sale_price"] or record["price"]
    record["variants"] = [
        v if v["price"] else {**v, "calculated_price": record["calculated_price"]} for v in old["variants"]
    ]
    call.store.products.put(old["id"], record)
    if "inventory_level" in fields and fields["inventory_level"] != old["inventory_level"]:
        inventory.change(call, old["id"], None, fields["inventory_level"], relative=False)
    if set(known) - SILENT:
        call.world.emit("store/product/updated", "product", old["id"])
    return call.store.products[old["id"]]


def delete(call: Call) -> Answer:
    """DELETE /v3/catalog/products/{id}."""
    _remove(call, find(call)["id"])
    return Answer(204)


def delete_batch(call: Call) -> Answer:
    """DELETE /v3/catalog/products: only with a filter."""
    if not LISTING.conditions(call):
        raise Problem(422, "A filter is required.", {"": "to delete all products is not allowed"})
    for key in list(LISTING.select(_timed(call), call.store.products)):
        _remove(call, key)
    return Answer(204)


def _remove(call: Call, key: int) -> None:
    call.store.products.remove(key)
    call.world.emit("store/product/deleted", "product", key)


PATH = "/v3/catalog/products"
ROUTES = (
    Route("GET", PATH, listing, SCOPE, LISTING.params),
    Route("POST", PATH, create, SCOPE, SHAPE),
    Route("PUT", PATH, update_batch, SCOPE, SHAPE),
    Route("DELETE", PATH, delete_batch, SCOPE, frozenset(LISTING.filters)),
    Route("GET", f"{PATH}/{{id}}", read, SCOPE, SHAPE),
    Route("PUT", f"{PATH}/{{id}}", update, SCOPE, SHAPE),
    Route("DELETE", f"{PATH}/{{id}}", delete, SCOPE),
)
