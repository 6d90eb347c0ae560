"""What Brevo is told of orders, products and categories. Pure.

Orders carry no currency and an account shows one (SDK `types/order.py`), so every amount is in the
store's default currency. Ids are the only key in Brevo, hence the prefix.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tajo.brevo.phones import e164
from tajo.brevo.rules import Rules
from tajo.brevo.tracing import Traced, assemble, digest, encode, money, stamp
from tajo.sync.model import Category, Key, Line, Order, Product, Resource, Store, Variant, Write

STATUSES = (
    "incomplete",
    "pending",
    "shipped",
    "partially_shipped",
    "refunded",
    "cancelled",
    "declined",
    "awaiting_payment",
    "awaiting_pickup",
    "awaiting_shipment",
    "completed",
    "awaiting_fulfillment",
    "manual_verification_required",
    "disputed",
    "partially_refunded",
)
"""Brevo's `status` is a free word; this is BigCommerce's, by status id (merchants rename the labels)."""

HISTORY, LIVE = "historical", "live"
"""The lanes of orders: a batch says once for all of them whether they start automations."""

NOBODY = "nobody"
"""The lane of an order without an e-mail or a phone; Brevo demands one (docs/import-your-orders)."""

META_KEYS, META_CHARACTERS = 20, 20_000
"""Brevo's limits for a product's `metaInfo` (SDK, field text)."""


class CommercePayloads:
    """Renders orders, products and categories by the rules, for one store."""

    def __init__(self, rules: Rules, store: Store) -> None:
        self._prefix = rules.id_prefix
        self._names = {number: storefront.name for number, storefront in store.storefronts.items()}
        own = {number: storefront.url.rstrip("/") for number, storefront in rules.storefronts.items()}
        self._sites = own | {number: s.url for number, s in store.storefronts.items() if s.url}
        self._default = store.default_storefront

    # --- orders

    def traced_order(self, order: Order) -> list[Traced]:
        """Every field of `POST /orders/status`."""
        to = order.billing
        street = ", ".join(filter(None, (to.address1, to.address2)))
        phone = e164(to.phone, to.country_code) if to.phone else ""
        email = order.email.lower()
        return [
            Traced("id", f"{self._prefix}{order.id}", "id"),
            Traced("createdAt", stamp(order.created), "created"),
            Traced("updatedAt", stamp(order.modified or order.created), "modified"),
            Traced("status", self.status(order.status_id, order.status), "status_id"),
            Traced("amount", money(order.total), "total"),
            Traced("storeId", str(order.storefront), "storefront"),
            Traced("identifiers.email_id", email, "email"),
            Traced("identifiers.phone_id", "" if email else phone, "billing.phone"),
            Traced("products", [self._line(line) for line in order.lines], "lines"),
            Traced("coupons", list(order.coupons) or None, "coupons"),
            Traced("billing.address", street, "billing.address1, billing.address2"),
            Traced("billing.city", to.city, "billing.city"),
            Traced("billing.country", to.country, "billing.country"),
            Traced("billing.countryCode", to.country_code, "billing.country_code"),
            Traced("billing.paymentMethod", order.payment_method, "payment_method"),
            Traced("billing.phone", phone, "billing.phone"),
            Traced("billing.postCode", to.postal_code, "billing.postal_code"),
            Traced("billing.region", to.state_or_province, "billing.state_or_province"),
            # Brevo takes texts, integers and booleans here, no fractions.
            Traced(
                "metaInfo.refunded_amount", f"{order.refunded:.2f}" if order.refunded else None, "refunded"
            ),
            Traced("metaInfo.currency", order.currency, "currency"),
            Traced("metaInfo.exchange_rate", None if order.rate == 1 else str(order.rate), "rate"),
            Traced("metaInfo.storefront", self.storefront(order.storefront), "storefront"),
            Traced("metaInfo.archived", order.archived or None, "archived"),
        ]

    def order(self, order: Order, *, historical: bool) -> Write:
        """The write that tells this order; historical ones start no automation."""
        payload = assemble(self.traced_order(order))
        key = Key(Resource.ORDERS, order.id)
        return _write(
            key, payload, lane=(HISTORY if historical else LIVE) if "identifiers" in payload else NOBODY
        )

    def status(self, status_id: int, label: str = "") -> str:
        """The word for a status; an unknown one's is made of the store's `label`."""
        return STATUSES[status_id] if 0 <= status_id < len(STATUSES) else slug(label)

    def storefront(self, number: int) -> str:
        """The name of a storefront; empty if there is none of this number."""
        return self._names.get(number, "")

    def _line(self, line: Line) -> dict[str, Any]:
        if line.product_id:
            product = f"{self._prefix}{line.product_id}"
        else:
            product = f"{self._prefix}custom-{slug(line.sku or line.name, '-')}"
        told = {"productId": product, "quantity": line.quantity, "price": money(line.price)}
        if line.product_id and line.variant_id:
            told["variantId"] = f"{product}-{line.variant_id}"
        return told

    # --- products

    def traced_product(self, product: Product) -> list[Traced]:
        """Every field of `POST /products` for the product itself."""
        sold = product.visible and bool(product.storefronts)
        return [
            Traced("id", f"{self._prefix}{product.id}", "id"),
            Traced("name", product.name, "name"),
            Traced("brand", product.brand, "brand"),
            Traced("description", product.description, "description"),
            Traced("categories", [f"{self._prefix}{number}" for number in product.categories], "categories"),
            Traced("imageUrl", product.image, "image"),
            Traced("url", self.url(product.path, product.storefronts), "storefronts, path"),
            Traced("sku", product.sku, "sku"),
            Traced("price", money(product.price), "price"),
            Traced("alternativePrice", None if product.was is None else money(product.was), "was"),
            Traced("stock", product.stock, "stock"),
            Traced("metaInfo", _meta(product.custom_fields) or None, "custom_fields"),
            Traced("isDeleted", not sold, "visible, storefronts"),
        ]

    def traced_variant(self, product: Product, variant: Variant) -> list[Traced]:
        """Every field of a variant: a product with a `parentId` (docs/import-your-products)."""
        parent = f"{self._prefix}{product.id}"
        name = f"{product.name} \u2013 {variant.options}" if variant.options else product.name
        sold = product.visible and bool(product.storefronts) and variant.purchasable
        return [
            Traced("id", f"{parent}-{variant.id}", "id"),
            Traced("parentId", parent, "product"),
            Traced("name", name, "product.name, options"),
            Traced("brand", product.brand, "product.brand"),
            Traced("categories", [f"{self._prefix}{n}" for n in product.categories], "product.categories"),
            Traced("imageUrl", variant.image or product.image, "image, product.image"),
            Traced("url", self.url(product.path, product.storefronts), "product.storefronts, product.path"),
            Traced("sku", variant.sku, "sku"),
            Traced("price", money(variant.price), "price"),
            Traced("stock", variant.stock, "stock"),
            Traced("isDeleted", not sold, "purchasable, product.visible, product.storefronts"),
        ]

    def product(self, product: Product) -> list[Write]:
        """The writes that tell a product and its variants, the parent first."""
        writes = [_write(Key(Resource.PRODUCTS, product.id), assemble(self.traced_product(product)))]
        writes.extend(
            _write(Key(Resource.VARIANTS, variant.id), assemble(self.traced_variant(product, variant)))
            for variant in product.variants
        )
        return writes

    def withdrawn_variants(self, product: Product, variants: Sequence[int]) -> list[Write]:
        """The writes that tell that these variants are gone (no DELETE route: `isDeleted`)."""
        parent = f"{self._prefix}{product.id}"
        return [
            _write(
                Key(Resource.VARIANTS, id_),
                {"id": f"{parent}-{id_}", "name": product.name, "parentId": parent, "isDeleted": True},
            )
            for id_ in variants
        ]

    def gone_product(self, product: int, variants: Sequence[int]) -> list[Write]:
        """The writes that tell that a product and these variants of it are gone, the product first.

        Without a name, which an update does not need and an order in Brevo shall keep (SDK, endpoint text;
        its typed model demands one all the same). So a product that Brevo never had is refused.
        """
        parent = f"{self._prefix}{product}"
        gone = [(Key(Resource.PRODUCTS, product), {"id": parent})]
        gone += [
            (Key(Resource.VARIANTS, id_), {"id": f"{parent}-{id_}", "parentId": parent}) for id_ in variants
        ]
        return [_write(key, {**named, "isDeleted": True}) for key, named in gone]

    # --- categories

    def traced_category(self, category: Category) -> list[Traced]:
        """Every field of `POST /categories`; Brevo knows no parents, so the name is the path."""
        sites = () if category.storefront is None else (category.storefront,)
        return [
            Traced("id", f"{self._prefix}{category.id}", "id"),
            Traced("name", category.name, "name"),
            Traced("url", self.url(category.path, sites or (self._default,)), "storefront, path"),
            Traced("isDeleted", not category.visible, "visible"),
        ]

    def category(self, category: Category) -> Write:
        """The write that tells a category."""
        return _write(Key(Resource.CATEGORIES, category.id), assemble(self.traced_category(category)))

    def gone_category(self, category: int) -> Write:
        """The write that tells that a category is gone; without a name, as for a product."""
        key = Key(Resource.CATEGORIES, category)
        return _write(key, {"id": f"{self._prefix}{category}", "isDeleted": True})

    def url(self, path: str, storefronts: Sequence[int]) -> str:
        """Where a shopper finds it: on the default storefront if it is sold there, else on the first."""
        if not path or path.startswith(("http://", "https://")):
            return path
        first = (self._default,) if self._default in storefronts else ()
        site = next((url for n in (*first, *storefronts) if (url := self._sites.get(n))), "")
        return f"{site}/{path.lstrip('/')}" if site else ""


def _write(key: Key, payload: dict[str, Any], lane: str = "") -> Write:
    body = encode(payload)
    return Write(key=key, body=body, fingerprint=digest(body), lane=lane)


def _meta(fields: dict[str, str]) -> dict[str, str]:
    """As many custom fields as Brevo takes, in their order."""
    told: dict[str, str] = {}
    room = META_CHARACTERS
    for name, value in fields.items():
        size = len(name) + len(value)
        if len(told) < META_KEYS and size <= room:
            told[name] = value
            room -= size
    return told


def slug(text: str, joint: str = "_") -> str:
    """`Awaiting Payment` as `awaiting_payment`; `unknown` for nothing."""
    return re.sub(r"[^a-z0-9]+", joint, text.lower()).strip(joint) or "unknown"


def upsert(body: bytes) -> bytes:
    """The body of a single `POST /products`: made or updated."""
    return body[:-1] + b',"updateEnabled":true}'
