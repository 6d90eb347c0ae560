"""Products and categories: `/products`, `/categories` and their batches (brevo.md sections 3.2 and 3.3).

`updateEnabled` false refuses known ids, true upserts; a batch is all or nothing and refuses an id that comes
twice. There is no DELETE: `isDeleted` marks. Null leaves a field alone (undocumented).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from .wire import Answer, Refusal, instant, invalid, iso, missing, not_found, page_of, shape_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from .account import Account
    from .wire import Call

MOST_ITEMS: Final = 100
"""Per batch; 1,000 only where Brevo raised the account's limit (SDK)."""

_MOST_META_KEYS = 20
_MOST_META_CHARACTERS = 20_000
_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "lte": lambda price, bound: price <= bound,
    "gte": lambda price, bound: price >= bound,
    "lt": lambda price, bound: price < bound,
    "gt": lambda price, bound: price > bound,
    "eq": lambda price, bound: price == bound,
    "ne": lambda price, bound: price != bound,
}


class Category(msgspec.Struct):
    """A category; there is no parent field. `created` and `modified` in milliseconds since 1970."""

    id: str
    name: str | None = None
    url: str | None = None
    isDeleted: bool | None = None  # noqa: N815 - names as on the wire
    deletedAt: str | None = None  # noqa: N815
    created: int = 0
    modified: int = 0

    def check(self) -> None:
        """Refuse what the schema can not express."""
        if not self.id:
            raise missing("id is missing")
        if self.deletedAt is not None:
            instant(self.deletedAt, "deletedAt")

    def content(self) -> dict[str, Any]:
        """Give the fields that came from the caller and are set."""
        own = {"created", "modified"}
        return {
            name: value
            for name in self.__struct_fields__
            if name not in own and (value := getattr(self, name)) is not None
        }

    def shown(self) -> dict[str, Any]:
        """Give the item of GET."""
        content = self.content()
        content.pop("deletedAt", None)
        dates = {"createdAt": iso(self.created), "modifiedAt": iso(self.modified)}
        return {**content, "isDeleted": bool(self.isDeleted), **dates}


class Product(Category):
    """A product, or a variant with a `parentId`; prices in the account's currency, `stock` in pieces."""

    brand: str | None = None
    description: str | None = None
    categories: list[str] | None = None
    imageUrl: str | None = None  # noqa: N815
    sku: str | None = None
    price: float | None = None
    alternativePrice: float | None = None  # noqa: N815
    parentId: str | None = None  # noqa: N815
    stock: float | None = None
    metaInfo: dict[str, str | int] | None = None  # noqa: N815

    def check(self) -> None:
        """Refuse bad dates and URLs and too much metaInfo: 20 keys, 20,000 characters in total (SDK)."""
        super().check()
        for name in ("imageUrl", "url"):
            address = getattr(self, name)
            if address and not address.startswith(("http://", "https://")):
                raise invalid(f"{name} should be an absolute url")
        if self.metaInfo is not None:
            if len(self.metaInfo) > _MOST_META_KEYS:
                raise invalid(f"metaInfo can not have more than {_MOST_META_KEYS} keys")
            if (
                sum(len(key) + len(str(value)) for key, value in self.metaInfo.items())
                > _MOST_META_CHARACTERS
            ):
                raise invalid(f"metaInfo can not exceed {_MOST_META_CHARACTERS} characters")

    def shown(self) -> dict[str, Any]:
        """Give the item of GET; images are not really re-hosted, the s3 fields repeat the imageUrl."""
        image = self.imageUrl or ""
        return {**super().shown(), "s3Original": image, "s3ThumbAnalytics": image, "s3ThumbEditor": image}


C = TypeVar("C", bound=Category)
Change = tuple[C, C | None]


def save_product(account: Account, call: Call) -> Answer:
    """POST /products: 201 with the id of a new one, 204 for an update."""
    account.require_commerce()
    return _save_one(account, call, account.products, Product)


def save_products(account: Account, call: Call) -> Answer:
    """POST /products/batch."""
    account.require_commerce()
    return _save_many(account, call, account.products, Product, "products")


def save_category(account: Account, call: Call) -> Answer:
    """POST /categories: as products."""
    account.require_commerce()
    return _save_one(account, call, account.categories, Category)


def save_categories(account: Account, call: Call) -> Answer:
    """POST /categories/batch."""
    account.require_commerce()
    return _save_many(account, call, account.categories, Category, "categories")


def product(account: Account, call: Call) -> Answer:
    """GET /products/{id}."""
    account.require_commerce()
    found = account.products.get(call.params["id"])
    if found is None:
        raise not_found("Product not found")
    return Answer(200, found.shown())


def category(account: Account, call: Call) -> Answer:
    """GET /categories/{id}."""
    account.require_commerce()
    found = account.categories.get(call.params["id"])
    if found is None:
        raise not_found("Category not found")
    return Answer(200, found.shown())


def products(account: Account, call: Call) -> Answer:
    """GET /products: at most 1000 a page; filters of SDK 5.1.0 except by `search` priority."""
    account.require_commerce()
    limit, offset = call.page(default=50, most=1000)
    found = _filtered(call, account.products, shortest_name=3)
    if wanted := set(call.many("categories")):
        found = [item for item in found if wanted & set(item.categories or ())]
    if text := (call.one("search") or "").lower():
        found = [item for item in found if text in f"{item.sku} {item.name} {item.id}".lower()]
    for field in ("price", "alternativePrice"):
        for name, compare in _COMPARISONS.items():
            if (bound := call.one(f"{field}[{name}]")) is not None:
                found = [item for item in found if _compares(getattr(item, field), bound, compare)]
    if (key := call.one("sortByField") or "created_at") not in {"created_at", "name", "price", "id"}:
        raise invalid("sortByField is not valid")
    if key != "created_at":
        found.sort(key=lambda item: (getattr(item, key) is not None, getattr(item, key)))
    page = page_of(found, limit, offset, ascending=call.ascending())
    return Answer(200, {"products": [item.shown() for item in page], "count": len(found)})


def categories(account: Account, call: Call) -> Answer:
    """GET /categories: at most 100 a page."""
    account.require_commerce()
    limit, offset = call.page(default=50, most=100)
    found = _filtered(call, account.categories)
    page = page_of(found, limit, offset, ascending=call.ascending())
    return Answer(200, {"categories": [item.shown() for item in page], "count": len(found)})


def _save_one(account: Account, call: Call, store: dict[str, C], shape: type[C]) -> Answer:
    body = call.json()
    change = _checked(body, store, shape, update=_update_enabled(body))
    new = change[1] is None
    _apply(account, store, change)
    return Answer(201, {"id": change[0].id}) if new else Answer(204)


def _save_many(account: Account, call: Call, store: dict[str, C], shape: type[C], field: str) -> Answer:
    body = call.json()
    items, update = body.get(field), _update_enabled(body)
    if not isinstance(items, list) or not items:
        raise missing(f"{field} is missing")
    if len(items) > MOST_ITEMS:
        raise Refusal(400, "out_of_range", f"{field} can not hold more than {MOST_ITEMS} items")
    changes = [_checked(item, store, shape, update=update) for item in items]
    if len({item.id for item, _ in changes}) < len(changes):
        raise Refusal(400, "duplicate_parameter", f"Duplicate ids in {field}")
    created = sum(known is None for _, known in changes)
    for change in changes:
        _apply(account, store, change)
    return Answer(201, {"createdCount": created, "updatedCount": len(changes) - created})


def _update_enabled(body: dict[str, Any]) -> bool:
    value = body.get("updateEnabled", False)
    if not isinstance(value, bool):
        raise invalid("updateEnabled should be a boolean")
    return value


def _checked(item: Any, store: dict[str, C], shape: type[C], *, update: bool) -> Change[C]:
    """Read one item and find the one it updates, if any; refuses without touching the store."""
    try:
        read = msgspec.convert(item, shape)
    except msgspec.ValidationError as error:
        raise shape_refusal(error) from None
    read.check()
    known = store.get(read.id)
    if known is not None and not update:
        raise Refusal(400, "duplicate_parameter", f"{shape.__name__} with id {read.id} already exists")
    if known is None and not read.name:
        raise missing("name is missing")
    return read, known


def _apply(account: Account, store: dict[str, C], change: Change[C]) -> None:
    item, known = change
    now = account.now()
    if known is None:
        item.created = item.modified = now
        store[item.id] = item
        return
    was_out = _out_of_stock(known)
    for name, value in item.content().items():
        setattr(known, name, value)
    known.modified = now
    if was_out and not _out_of_stock(known):
        account.alerts.ring(account, known.id)


def _out_of_stock(item: Category) -> bool:
    return isinstance(item, Product) and item.stock is not None and item.stock <= 0


def _filtered(call: Call, store: dict[str, C], *, shortest_name: int = 0) -> list[C]:
    ids, name = set(call.many("ids")), call.one("name")
    modified, created = call.since("modifiedSince"), call.since("createdSince")
    if name is not None and len(name) < shortest_name:
        raise invalid(f"name should have at least {shortest_name} characters")
    deleted = call.one("isDeleted")
    if deleted not in {None, "true", "false"}:
        raise invalid("isDeleted should be true or false")
    return [
        item
        for item in store.values()
        if (not ids or item.id in ids)
        and (name is None or name.lower() in (item.name or "").lower())
        and (modified is None or item.modified > modified)
        and (created is None or item.created > created)
        and (deleted is None or bool(item.isDeleted) == (deleted == "true"))
    ]


def _compares(price: float | None, bound: str, compare: Callable[[float, float], bool]) -> bool:
    try:
        return price is not None and compare(price, float(bound))
    except ValueError:
        raise invalid("A price filter should be a number") from None
