"""What hangs on products: variants, images, custom fields, and their assignment to channels and categories.

Sources: product-variants_catalog.v3, products_catalog.v3; which edits are silent: facts, section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from . import dates, inventory
from .catalog import PATH, SCOPE, find
from .shapes import IMAGE, VARIANT
from .store import Parts
from .wire import Answer, Call, Listing, Problem, Route, equal, ids, not_found, one, v3_page

if TYPE_CHECKING:
    from .shapes import Record

SHAPE: Final = frozenset({"include_fields", "exclude_fields"})
PAGES: Final = frozenset({"page", "limit"}) | SHAPE
VARIANTS: Final = Listing(
    {**equal("id"), **equal("sku", str), **equal("upc", str), **ids("product_id")}, other=SHAPE
)
BATCH = 50
WRITABLE: Final = frozenset(VARIANT) - {"id", "product_id", "sku_id", "calculated_price", "inventory_level"}


def variants(call: Call) -> Answer:
    """GET /v3/catalog/variants: of all products or of product_id:in; there is no date filter."""
    products = call.store.products
    if "product_id:in" in call.query:
        wanted = [key for key in sorted(set(call.numbers("product_id:in"))) if key in products]
        rows: Sequence[Any] = Parts(products, "variants", wanted)
    else:
        rows = products.remember("variants", lambda: Parts(products, "variants", products.ids))
    conditions = [c for c in VARIANTS.conditions(call) if c.field != "product_id"]
    if conditions:
        rows = [row for row in rows if all(c.holds(row[c.field]) for c in conditions)]
    return v3_page(call, rows, lambda row: _cut(call, row))


def _cut(call: Call, row: Record) -> Record:
    keep = {w for w in call.query.get("include_fields", "").split(",") if w}
    drop = {w for w in call.query.get("exclude_fields", "").split(",") if w}
    return {k: v for k, v in row.items() if k == "id" or ((not keep or k in keep) and k not in drop)}


def update_variants(call: Call) -> Answer:
    """PUT /v3/catalog/variants: at most fifty."""
    index = inventory.variant_index(call)["id"]
    rows = call.items(BATCH)
    missing = {
        f"{n}.id": "variant not found" for n, fields in enumerate(rows) if fields.get("id") not in index
    }
    if missing:
        raise Problem(422, "Update variants failed.", missing)
    owners = [(index[fields["id"]]["product_id"], fields) for fields in rows]
    return one([_write(call, owner, fields["id"], fields) for owner, fields in owners])


def _write(call: Call, owner: int, key: int, fields: Record) -> Record:
    """Change a variant: `sku/updated` for what is not stock, the stock's own events for its level."""
    product = call.store.products[owner]
    known = {k: v for k, v in fields.items() if k in WRITABLE}
    old = _variant(product, key)
    if known:
        new = {**old, **known}
        new["calculated_price"] = new["sale_price"] or new["price"] or product["calculated_price"]
        rows = [new if v["id"] == key else v for v in product["variants"]]
        call.store.products.put(
            owner, {**product, "variants": rows, "date_modified": call.world.today(dates.offset)}
        )
        told = {"product_id": owner, "variant_id": key}
        call.world.emit("store/sku/updated", "sku", key, sku=told)
    if "inventory_level" in fields and fields["inventory_level"] != old["inventory_level"]:
        inventory.change(call, owner, key, fields["inventory_level"], relative=False)
    return _variant(call.store.products[owner], key)


def _variant(product: Record, key: int) -> Record:
    found: Record | None = next((v for v in product["variants"] if v["id"] == key), None)
    if found is None:
        raise not_found("v3")
    return found


def read_variant(call: Call) -> Answer:
    """GET /v3/catalog/products/{id}/variants/{part}."""
    return one(_variant(find(call), call.key("part")))


def update_variant(call: Call) -> Answer:
    """PUT /v3/catalog/products/{id}/variants/{part}."""
    return one(_write(call, find(call)["id"], call.key("part"), call.fields()))


# -- lists inside a product


def _rows(name: str) -> Callable[[Call], Answer]:
    def handler(call: Call) -> Answer:
        return v3_page(call, find(call)[name], lambda row: _cut(call, row), ceiling="refuse")

    handler.__doc__ = f"GET /v3/catalog/products/{{id}}: its {name}."
    return handler


def create_image(call: Call) -> Answer:
    """POST images by `image_url`; only the first thumbnail raises `product/updated`."""
    product, fields = find(call), call.fields()
    url = fields.get("image_url")
    if not isinstance(url, str) or not url.startswith("http"):
        raise Problem(422, "Invalid image.", {"image_url": "image_url is required"})
    first = not product["images"]
    image = {
        **IMAGE,
        "id": next(call.store.serial),
        "product_id": product["id"],
        "is_thumbnail": first or bool(fields.get("is_thumbnail", False)),
        "sort_order": fields.get("sort_order", len(product["images"])),
        "description": fields.get("description", ""),
        **dict.fromkeys(("url_zoom", "url_standard", "url_thumbnail", "url_tiny"), url),
        "date_modified": call.world.today(dates.offset),
    }
    call.store.products.put(product["id"], {**product, "images": [*product["images"], image]})
    if first:
        call.world.emit("store/product/updated", "product", product["id"])
    return one(image)


def create_field(call: Call) -> Answer:
    """POST custom-fields: silent."""
    product, fields = find(call), call.fields()
    row = {"id": next(call.store.serial), "name": fields.get("name"), "value": fields.get("value")}
    if not row["name"] or not row["value"]:
        raise Problem(422, "Invalid custom field.", {"name": "name and value are required"})
    return _put_fields(call, product, [*product["custom_fields"], row], row)


def update_field(call: Call) -> Answer:
    """PUT custom-fields/{part}: silent."""
    product = find(call)
    row = {**_field(call, product), **{k: v for k, v in call.fields().items() if k in {"name", "value"}}}
    rows = [row if f["id"] == row["id"] else f for f in product["custom_fields"]]
    return _put_fields(call, product, rows, row)


def delete_field(call: Call) -> Answer:
    """DELETE custom-fields/{part}: silent."""
    product = find(call)
    gone = _field(call, product)
    _put_fields(call, product, [f for f in product["custom_fields"] if f is not gone], gone)
    return Answer(204)


def _field(call: Call, product: Record) -> Record:
    found: Record | None = next((f for f in product["custom_fields"] if f["id"] == call.key("part")), None)
    if found is None:
        raise not_found("v3")
    return found


def _put_fields(call: Call, product: Record, rows: list[Record], row: Record) -> Answer:
    call.store.products.put(product["id"], {**product, "custom_fields": rows})
    return one(row)


# -- assignments


def _assigned(call: Call, field: str, name: str) -> list[tuple[int, int]]:
    """(product, channel or category) pairs that the request's filters leave."""
    products = call.store.products

    def build() -> list[tuple[int, int]]:
        return [(p["id"], key) for p in products for key in p[field]]

    pairs: list[tuple[int, int]] = products.remember(f"assigned {field}", build)
    for at, wanted in enumerate(("product_id:in", f"{name}:in")):
        if wanted in call.query:
            keys = set(call.numbers(wanted))
            pairs = [pair for pair in pairs if pair[at] in keys]
    return pairs


def _assignments(field: str, name: str) -> Callable[[Call], Answer]:
    def handler(call: Call) -> Answer:
        found = _assigned(call, field, name)
        return v3_page(call, found, lambda pair: {"product_id": pair[0], name: pair[1]}, ceiling="refuse")

    handler.__doc__ = f"GET the assignments of products by {name}."
    return handler


def _assign(field: str, name: str) -> Callable[[Call], Answer]:
    def handler(call: Call) -> Answer:
        rows = call.items(BATCH)
        wrong = [
            n
            for n, r in enumerate(rows)
            if r.get("product_id", 0) not in call.store.products or name not in r
        ]
        if wrong:
            raise Problem(422, "Invalid assignment.", {f"{wrong[0]}.product_id": "unknown product"})
        for row in rows:
            product = call.store.products[row["product_id"]]
            if row[name] not in product[field]:
                _put(call, product, field, [*product[field], row[name]])
        return Answer(204)

    handler.__doc__ = f"PUT assignments of products by {name}."
    return handler


def _unassign(field: str, name: str) -> Callable[[Call], Answer]:
    def handler(call: Call) -> Answer:
        if not {"product_id:in", f"{name}:in"} & set(call.query):
            raise Problem(422, "A filter is required.", {"": "a filter must be supplied"})
        for key, gone in list(_assigned(call, field, name)):
            product = call.store.products[key]
            _put(call, product, field, [k for k in product[field] if k != gone])
        return Answer(204)

    handler.__doc__ = f"DELETE assignments of products by {name}: only with a filter."
    return handler


def _put(call: Call, product: Record, field: str, keys: list[int]) -> None:
    today = call.world.today(dates.offset)
    call.store.products.put(product["id"], {**product, field: sorted(keys), "date_modified": today})
    call.world.emit("store/product/updated", "product", product["id"])


ASSIGNED: Final = {"channel": ("channels", "channel_id"), "category": ("categories", "category_id")}
ROUTES = (
    Route("GET", "/v3/catalog/variants", variants, SCOPE, VARIANTS.params),
    Route("PUT", "/v3/catalog/variants", update_variants, SCOPE),
    *(
        route
        for word, (field, name) in ASSIGNED.items()
        for route in (
            Route(
                "GET",
                f"{PATH}/{word}-assignments",
                _assignments(field, name),
                SCOPE,
                frozenset({"page", "limit", "product_id:in", f"{name}:in"}),
            ),
            Route("PUT", f"{PATH}/{word}-assignments", _assign(field, name), SCOPE),
            Route(
                "DELETE",
                f"{PATH}/{word}-assignments",
                _unassign(field, name),
                SCOPE,
                frozenset({"product_id:in", f"{name}:in"}),
            ),
        )
    ),
    Route("GET", f"{PATH}/{{id}}/variants", _rows("variants"), SCOPE, PAGES),
    Route("GET", f"{PATH}/{{id}}/variants/{{part}}", read_variant, SCOPE, SHAPE),
    Route("PUT", f"{PATH}/{{id}}/variants/{{part}}", update_variant, SCOPE, SHAPE),
    Route("GET", f"{PATH}/{{id}}/images", _rows("images"), SCOPE, PAGES),
    Route("POST", f"{PATH}/{{id}}/images", create_image, SCOPE),
    Route("GET", f"{PATH}/{{id}}/custom-fields", _rows("custom_fields"), SCOPE, PAGES),
    Route("POST", f"{PATH}/{{id}}/custom-fields", create_field, SCOPE),
    Route("PUT", f"{PATH}/{{id}}/custom-fields/{{part}}", update_field, SCOPE),
    Route("DELETE", f"{PATH}/{{id}}/custom-fields/{{part}}", delete_field, SCOPE),
)
