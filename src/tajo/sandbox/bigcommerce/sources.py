"""Where a store's data comes from: `generate` computes it, `load` reads an export folder.

The layout of an export (data/README.md): store.json, and as gzipped JSON lines customers, subscribers,
orders (each with its `line_items`), products, categories; refunds and brands if there are any. Loaded
records stay compressed to their JSON until they are looked at, and are completed with the fields that an
export leaves out.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from .. import generate as generator  # the module: it imports this package's word lists in turn
from . import catalog, categories, dates, orders, refunds, sales
from .descriptions import CHANNEL, GROUP, INFO, coupon, currency
from .shapes import (
    ADDRESS,
    BILLING,
    BRAND,
    CATEGORY,
    CUSTOMER,
    IMAGE,
    LINE,
    ORDER,
    PRODUCT,
    REFUND,
    SUBSCRIBER,
    VARIANT,
    Record,
    cents,
    money,
)
from .store import Base, Collection, Computed, Store

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE: Final[dict[str, Callable[[Record], Any]]] = {
    "email": lambda row: row["email"].lower(),
    "company": lambda row: row["company"].lower(),
    "name": lambda row: f"{row['first_name']} {row['last_name']}".strip().lower(),
    "date_created": lambda row: dates.or_zero(row["date_created"]),
    "date_modified": lambda row: dates.or_zero(row["date_modified"]),
    "addresses_count": lambda row: len(row["addresses"]),
    "attributes_count": lambda row: len(row["attributes"]),
    "form_fields_count": lambda row: len(row["form_fields"]),
}
READS: Final[dict[str, Mapping[str, Callable[[Record], Any]]]] = {
    "customers": PEOPLE,
    "subscribers": PEOPLE,
    "orders": orders.READS,
    "refunds": refunds.READS,
    "products": catalog.READS,
    "categories": categories.READS,
    "brands": categories.READS,
}


def _store(info: Record, bases: Mapping[str, Base], **more: Any) -> Store:
    rows: dict[str, Any] = {name: Collection(base, READS[name]) for name, base in bases.items()}
    return Store(info=info, **rows, **more)


# -- computed


def generate(*, customers: int = 200, orders: int = 400, products: int = 60, seed: int = 1) -> Store:
    """A generated store of any size: nothing is built until it is asked for."""
    shop = generator.GeneratedStore(seed, customers, orders, products)

    def of(function: Callable[[int], Any], first: int = 1) -> Callable[[int], Any]:
        return lambda key: function(key - first)

    def facts(read: Callable[[sales.Sale], Any]) -> Callable[[int], Any]:
        return lambda key: read(sales.sale(shop, key - sales.FIRST_ORDER))

    def customer_id(index: int) -> int:
        _, guest, person = sales.buyer(shop, index)
        return 0 if guest else person + 1

    def listed(rows: list[Record], name: str) -> Base:
        by_id = {row[name]: row for row in rows}
        return Computed(sorted(by_id), by_id.__getitem__)

    first = generator.FIRST_PRODUCT
    bases = {
        "customers": Computed(
            range(1, customers + 1),
            of(shop.customer),
            {
                "email": of(lambda i: shop.email(i).lower()),
                "date_created": of(shop.customer_created),
                "date_modified": of(shop.customer_modified),
                "addresses_count": of(shop.address_count),
                "attributes_count": of(shop.attribute_count),
                "form_fields_count": of(lambda i: len(shop.form_fields(i))),
            },
            {"date_created": ("date_created", 0)},
        ),
        "subscribers": Computed(
            range(1, shop.subscribers + 1),
            of(shop.subscriber),
            {
                "email": of(lambda i: shop.subscribed(i)[0].lower()),
                "date_created": of(shop.subscriber_created),
                "date_modified": of(shop.subscriber_modified),
            },
            {"date_created": ("date_created", 0), "date_modified": ("date_created", 90 * dates.DAY)},
        ),
        "orders": Computed(
            range(sales.FIRST_ORDER, sales.FIRST_ORDER + orders),
            of(shop.order, sales.FIRST_ORDER),
            {
                "customer_id": of(customer_id, sales.FIRST_ORDER),
                "email": of(lambda i: sales.email(shop, *sales.buyer(shop, i)).lower(), sales.FIRST_ORDER),
                "date_created": facts(lambda s: s.created),
                "date_modified": facts(lambda s: sales.modified(shop, s)),
                "status_id": facts(lambda s: s.status_id),
                "channel_id": facts(lambda s: s.channel_id),
            },
            {"date_created": ("date_created", 0), "date_modified": ("date_created", sales.REFUND_LAG)},
        ),
        "refunds": Computed(
            range(1, shop.refunds + 1),
            of(shop.refund),
            {
                "order_id": of(lambda i: sales.refunded_order(shop, i)),
                "created": of(lambda i: sales.refund_created(shop, i)),
            },
            {"created": ("created", 0)},
        ),
        "products": Computed(range(first, first + products), of(shop.product, first)),
        "categories": listed(shop.categories(), "category_id"),
        "brands": listed(shop.brands(), "id"),
    }
    names = {1: ("Shop", "https://shop.example.com"), 1002: ("Trade", "https://trade.example.com")}
    return _store(
        INFO,
        bases,
        channels=[
            {**CHANNEL, "id": key, "name": name, "site_url": url} for key, (name, url) in names.items()
        ],
        groups=[{**GROUP, "id": n, "name": name} for n, name in enumerate(generator.GROUPS, start=1)],
        attributes=[
            {
                "id": n,
                "name": name,
                "type": kind,
                "date_created": "2024-01-01T00:00:00Z",
                "date_modified": "2024-01-01T00:00:00Z",
            }
            for n, (name, kind) in enumerate(generator.ATTRIBUTES, start=1)
        ],
        coupons=[coupon(n, code, kind) for n, (code, kind) in enumerate(sales.COUPONS, start=1)],
        currencies=[currency(1, "USD", "1.0000000000"), currency(2, "EUR", f"0.{sales.EURO}00000000")],
        address_owner=lambda key: key // 100,
    )


# -- loaded


def load(folder: Path) -> Store:
    """The store of an export folder."""
    description = msgspec.json.decode((folder / "store.json").read_bytes())
    info = {**INFO, **description["store"]}
    info["store_id"] = int(info["store_id"])
    info["timezone"] = {**INFO["timezone"], **info["timezone"]}
    owners: dict[int, int] = {}
    bases: dict[str, Base] = {}
    for name, complete in COMPLETE.items():
        lines = dict(_lines(folder / f"{name}.jsonl.gz", "category_id" if name == "categories" else "id"))
        bases[name] = Computed(sorted(lines), _reader(lines, complete))
        if name == "customers":
            parsed = (msgspec.json.decode(line) for line in lines.values())
            owners = {a["id"]: c["id"] for c in parsed for a in c.get("addresses", [])}
    return _store(
        info,
        bases,
        channels=[{**CHANNEL, **channel} for channel in description["channels"]],
        groups=[{**GROUP, **group} for group in description.get("customer_groups", [])],
        attributes=description.get("attributes", []),
        currencies=[currency(1, info["currency"], "1.0000000000")],
        address_owner=lambda key: owners.get(key, 0),
    )


def _lines(path: Path, key: str) -> Iterator[tuple[int, bytes]]:
    if path.exists():
        with gzip.open(path) as file:
            for line in file:
                yield msgspec.json.decode(line)[key], line


def _reader(lines: Mapping[int, bytes], complete: Callable[[Record], Record]) -> Callable[[int], Record]:
    return lambda key: complete(msgspec.json.decode(lines[key]))


def _customer(row: Record) -> Record:
    known = {k: v for k, v in row.items() if not k.endswith("_count")}
    key = row["id"]
    return {
        **CUSTOMER,
        **known,
        "addresses": [{**ADDRESS, **a} for a in row.get("addresses", [])],
        "attributes": [
            {
                "id": key * 100 + n,
                "customer_id": key,
                "date_created": row["date_created"],
                "date_modified": row["date_modified"],
                **a,
            }
            for n, a in enumerate(row.get("attributes", []))
        ],
        "form_fields": [{"customer_id": key, **f} for f in row.get("form_fields", [])],
    }


def _order(row: Record) -> Record:
    known = {k: v for k, v in row.items() if k in ORDER}
    shipped = row.get("status_id") in {2, 10}
    lines = [_line(row, line, shipped=shipped) for line in row.get("line_items", [])]
    listed = row.get("coupons")
    return {
        **ORDER,
        "base_shipping_cost": row.get("shipping_cost_inc_tax", "0.0000"),
        "shipping_cost_ex_tax": row.get("shipping_cost_inc_tax", "0.0000"),
        "geoip_country": row["billing_address"].get("country", ""),
        "geoip_country_iso2": row["billing_address"].get("country_iso2", ""),
        "order_is_digital": all(line["type"] == "digital" for line in lines) and bool(lines),
        **known,
        "refunded_amount": "0.0000",
        "billing_address": {**BILLING, **row["billing_address"]},
        "line_items": lines,
        "order_coupons": listed if isinstance(listed, list) else [],
    }


def _line(order: Record, line: Record, *, shipped: bool) -> Record:
    off = sum(cents(d.get("amount")) for d in line.get("applied_discounts", []))
    custom = "variant_id" not in line
    out = {
        **LINE,
        "order_address_id": order["id"],
        "name_customer": line["name"],
        "name_merchant": line["name"],
        "base_total": line.get("total_ex_tax", "0.0000"),
        "quantity_shipped": line["quantity"] if shipped else 0,
        "discounted_total_inc_tax": money(cents(line.get("total_inc_tax")) - off),
        **line,
    }
    return {k: v for k, v in out.items() if k != "variant_id"} if custom else out


def _product(row: Record) -> Record:
    variants = [{**VARIANT, "sku_id": v["id"], **v} for v in row.get("variants", [])]
    images = [{**IMAGE, **image} for image in row.get("images", [])]
    return {
        **PRODUCT,
        **{k: v for k, v in row.items() if k in PRODUCT},
        "variants": variants,
        "images": images,
    }


def _over(template: Record) -> Callable[[Record], Record]:
    return lambda row: {**template, **row}


COMPLETE: Final[dict[str, Callable[[Record], Record]]] = {
    "customers": _customer,
    "subscribers": _over(SUBSCRIBER),
    "orders": _order,
    "refunds": _over(REFUND),
    "products": _product,
    "categories": _over(CATEGORY),
    "brands": _over(BRAND),
}
