"""Category trees and brands (category-trees_catalog.v3, brands_catalog.v3; facts, section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from .shapes import BRAND, CATEGORY
from .wire import (
    Answer,
    Call,
    Filter,
    Listing,
    Problem,
    Route,
    between,
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
SHAPE: Final = frozenset({"include_fields", "exclude_fields"})
CATEGORIES: Final = Listing(
    {
        **ids("category_uuid", str, negated=True),
        **ids("category_id", negated=True),
        **ids("tree_id", negated=True),
        **ids("parent_id", negated=True),
        **equal("name", lower),
        **equal("page_title", str),
        **equal("is_visible", truth),
        "name:like": Filter("name", "like", listed(lower)),
        "page_title:like": Filter("page_title", "like", listed(lower)),
        "keyword": Filter("name", "like", listed(lower)),
    },
    other=SHAPE,
    ceiling="refuse",
)
BRANDS: Final = Listing(
    {
        **equal("id"),
        **ids("id", negated=True),
        **between("id"),
        **equal("name", lower),
        **equal("page_title", str),
        "name:like": Filter("name", "like", listed(lower)),
    },
    sorts=frozenset({"name"}),
    other=SHAPE,
)
READS: Final = {"name": lambda row: row["name"].lower()}
DELETING: Final = frozenset({"category_id:in", "category_uuid:in", "tree_id:in", "parent_id:in"})
WRITABLE: Final = frozenset(CATEGORY) - {"category_id", "category_uuid", "views"}
BATCH = 50


def trees(call: Call) -> Answer:
    """GET /v3/catalog/trees: one tree for each channel, as far as there are trees."""
    found = _trees(call)
    for name, field in (("id:in", "id"), ("channel_id:in", "channels")):
        if name in call.query:
            wanted = set(call.numbers(name))
            found = [t for t in found if wanted & set(t[field] if isinstance(t[field], list) else [t[field]])]
    return v3_page(call, found)


def _trees(call: Call) -> list[Record]:
    keys = sorted({c["tree_id"] for c in call.store.categories})
    channels = [c for c in call.store.channels if c["type"] == "storefront"]
    return [
        {
            "id": key,
            "name": f"{channels[n]['name']} catalog tree" if n < len(channels) else f"Tree {key}",
            "channels": [channels[n]["id"]] if n < len(channels) else [],
        }
        for n, key in enumerate(keys)
    ]


def categories(call: Call) -> Answer:
    """GET /v3/catalog/trees/categories, of all trees unless tree_id:in says which."""
    rows = call.store.categories
    return v3_page(call, CATEGORIES.select(call, rows), rows.__getitem__, ceiling=CATEGORIES.ceiling)


def nested(call: Call) -> Answer:
    """GET /v3/catalog/trees/{id}/categories: the tree as a tree."""
    key = call.key()
    rows = [c for c in call.store.categories if c["tree_id"] == key]
    if not rows:
        raise not_found("v3")

    def children(parent: int, above: list[int]) -> list[Record]:
        return [
            {
                "id": c["category_id"],
                "parent_id": parent,
                "depth": len(above),
                "path": above,
                "name": c["name"],
                "is_visible": c["is_visible"],
                "url": c["url"]["path"],
                "children": children(c["category_id"], [*above, c["category_id"]]),
            }
            for c in rows
            if c["parent_id"] == parent
        ]

    return one(children(0, []))


def create(call: Call) -> Answer:
    """POST /v3/catalog/trees/categories."""
    made = []
    for n, fields in enumerate(call.items(BATCH)):
        parent = call.store.categories.get(fields.get("parent_id") or 0)
        if not fields.get("name") or not (fields.get("tree_id") or parent):
            raise Problem(
                422,
                "The category was not valid.",
                {f"{n}.name": "name and tree_id or parent_id are required"},
            )
        key = call.store.categories.new_id()
        record = {**CATEGORY, **{k: v for k, v in fields.items() if k in WRITABLE}, "category_id": key}
        record |= {
            "category_uuid": str(UUID(int=key)),
            "tree_id": fields.get("tree_id") or (parent or {})["tree_id"],
        }
        if not record["url"]["path"]:
            record["url"] = {"path": f"/{fields['name'].lower().replace(' ', '-')}/", "is_customized": False}
        made.append(call.store.categories.put(key, record))
        call.world.emit("store/category/created", "category", key)
    return Answer(201, {"data": made, "meta": _meta(len(made))})


def update(call: Call) -> Answer:
    """PUT /v3/catalog/trees/categories."""
    rows = [(call.store.categories.get(f.get("category_id", 0)), f) for f in call.items(BATCH)]
    missing = {f"{n}.category_id": "unknown category" for n, (old, _) in enumerate(rows) if old is None}
    if missing:
        raise Problem(422, "The category was not valid.", missing)
    for old, fields in rows:
        if old:
            key = old["category_id"]
            call.store.categories.put(key, {**old, **{k: v for k, v in fields.items() if k in WRITABLE}})
            call.world.emit("store/category/updated", "category", key)
    return Answer(200, {"data": [], "meta": _meta(len(rows))})


def delete(call: Call) -> Answer:
    """DELETE /v3/catalog/trees/categories: only with a filter; takes the sub-categories with it."""
    if not DELETING & set(call.query):
        raise Problem(422, "A filter is required.", {"": "a filter must be supplied"})
    gone = set(CATEGORIES.select(call, call.store.categories))
    below = gone
    while below:
        below = {c["category_id"] for c in call.store.categories if c["parent_id"] in below} - gone
        gone |= below
    for key in sorted(gone):
        call.store.categories.remove(key)
        call.world.emit("store/category/deleted", "category", key)
    return Answer(202, {"meta": _meta(len(gone))})


def _meta(total: int) -> Record:
    return {"total": total, "success": total, "failed": 0}


# -- brands


def brands(call: Call) -> Answer:
    """GET /v3/catalog/brands."""
    rows = call.store.brands
    return v3_page(call, BRANDS.select(call, rows), rows.__getitem__)


def brand(call: Call) -> Answer:
    """GET /v3/catalog/brands/{id}."""
    return one(_brand(call))


def create_brand(call: Call) -> Answer:
    """POST /v3/catalog/brands."""
    fields = call.fields()
    if not fields.get("name"):
        raise Problem(422, "Invalid brand.", {"name": "name is required"})
    if any(b["name"].lower() == fields["name"].lower() for b in call.store.brands):
        raise Problem(409, "Duplicate brand.", {"name": "the name is taken"})
    key = call.store.brands.new_id()
    record = {**BRAND, **{k: v for k, v in fields.items() if k in BRAND}, "id": key}
    return one(call.store.brands.put(key, record))


def update_brand(call: Call) -> Answer:
    """PUT /v3/catalog/brands/{id}."""
    old = _brand(call)
    fields = {k: v for k, v in call.fields().items() if k in BRAND and k != "id"}
    return one(call.store.brands.put(old["id"], {**old, **fields}))


def delete_brand(call: Call) -> Answer:
    """DELETE /v3/catalog/brands/{id}."""
    call.store.brands.remove(_brand(call)["id"])
    return Answer(204)


def _brand(call: Call) -> Record:
    record = call.store.brands.get(call.key())
    if record is None:
        raise not_found("v3")
    return record


LIST, BRAND_LIST = "/v3/catalog/trees/categories", "/v3/catalog/brands"
ROUTES = (
    Route("GET", "/v3/catalog/trees", trees, SCOPE, frozenset({"id:in", "channel_id:in"})),
    Route("GET", LIST, categories, SCOPE, CATEGORIES.params),
    Route("POST", LIST, create, SCOPE),
    Route("PUT", LIST, update, SCOPE),
    Route("DELETE", LIST, delete, SCOPE, DELETING),
    Route("GET", "/v3/catalog/trees/{id}/categories", nested, SCOPE, frozenset({"depth"})),
    Route("GET", BRAND_LIST, brands, SCOPE, BRANDS.params),
    Route("POST", BRAND_LIST, create_brand, SCOPE),
    Route("GET", f"{BRAND_LIST}/{{id}}", brand, SCOPE, SHAPE),
    Route("PUT", f"{BRAND_LIST}/{{id}}", update_brand, SCOPE),
    Route("DELETE", f"{BRAND_LIST}/{{id}}", delete_brand, SCOPE),
)
