"""BigCommerce's JSON as it comes: only the fields that we use, and no trust in the rest.

The specs declare neither what is required nor what may be null, so every field has a default and every
field but an id may be null; numbers may come as strings; PHP writes an empty object as `[]`.
Field names and shapes: customers.v3, subscribers.v3, orders.v2, orders.v3, products_catalog.v3,
category-trees_catalog.v3, brands_catalog.v3, channels.v3, sites.v3, store_information.v2, customers.v2,
carts.v3, webhooks.v3, inventory.v3, scripts.v3.

`gc=False`: nothing here can refer back to itself, so the garbage collector need not look at it; with a
large heap around, orders are read in two thirds of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct, field

T = TypeVar("T")

Amount = str | int | float | None  # V2: "(Float, Float-As-String, Integer)"
Nothing = list[Any] | None  # an empty object, or null


class Address(Struct, frozen=True, gc=False):
    """customers.v3: address_Full."""

    id: int = 0
    customer_id: int = 0
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    state_or_province: str | None = None
    postal_code: str | None = None
    country: str | None = None
    country_code: str | None = None
    phone: str | None = None


class AttributeValue(Struct, frozen=True, gc=False):
    """customers.v3: attribute_Full. On a customer only `attribute_id` and `attribute_value` are sure."""

    id: int = 0
    attribute_id: int = 0
    customer_id: int = 0
    attribute_value: str | None = None


class FormField(Struct, frozen=True, gc=False):
    """customers.v3: formFieldValue. A checkbox list has an array of strings."""

    name: str | None = None
    value: str | int | float | bool | list[str] | None = None


class Credit(Struct, frozen=True, gc=False):
    """customers.v3: store_credit_amounts."""

    amount: Amount = None


class Customer(Struct, frozen=True, gc=False):
    """customers.v3: customer_Full. `channel_ids` null: may sign in everywhere."""

    id: int = 0
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    phone: str | None = None
    notes: str | None = None
    customer_group_id: int | None = None
    date_created: str | None = None
    date_modified: str | None = None
    origin_channel_id: int | None = None
    channel_ids: list[int] | None = None
    address_count: int | None = None
    attribute_count: int | None = None
    store_credit_amounts: list[Credit] | None = None
    addresses: list[Address] | None = None
    attributes: list[AttributeValue] | None = None
    form_fields: list[FormField] | None = None


class Subscriber(Struct, frozen=True, gc=False):
    """subscribers.v3: subscriber_Full. The MSF guide calls `channel_id` `origin_channel_id`."""

    id: int = 0
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    channel_id: int | None = None
    origin_channel_id: int | None = None
    consents: list[str] | None = None
    date_created: str | None = None
    date_modified: str | None = None


class Discount(Struct, frozen=True, gc=False):
    """orders.v2: orderProductAppliedDiscounts. `code` null: no coupon."""

    code: str | None = None


class Line(Struct, frozen=True, gc=False):
    """orders.v2: orderProducts. Not embedded, it is a link `{url, resource}` without an id."""

    id: int = 0
    product_id: int | None = None
    variant_id: int | None = None
    name: str | None = None
    sku: str | None = None
    quantity: int | None = None
    price_inc_tax: Amount = None
    total_inc_tax: Amount = None
    discounted_total_inc_tax: Amount = None
    parent_order_product_id: int | str | None = None
    applied_discounts: list[Discount] | None = None


class Consignment(Struct, frozen=True, gc=False):
    """orders.v2: orderConsignment_Get, each of its four kinds. `warning`: its lines were cut at 50."""

    line_items: list[Line] | Line | None = None
    warning: Any = field(name="__warning__", default=None)


class EmailConsignments(Struct, frozen=True, gc=False):
    """orders.v2: orderConsignment_Get.email."""

    gift_certificates: list[Consignment] | None = None


class Consignments(Struct, frozen=True, gc=False):
    """orders.v2: orderConsignment_Get (`consignment_structure=object`)."""

    shipping: list[Consignment] | None = None
    pickups: list[Consignment] | None = None
    downloads: list[Consignment] | None = None
    email: EmailConsignments | Nothing = None


class BillingAddress(Struct, frozen=True, gc=False):
    """orders.v2: billingAddress_Resp. Its `email` is the buyer's."""

    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    street_1: str | None = None
    street_2: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    country: str | None = None
    country_iso2: str | None = None
    phone: str | None = None
    email: str | None = None


class Order(Struct, frozen=True, gc=False):
    """orders.v2: order_Resp. `default_currency_code`: what was paid in, whatever its name says."""

    id: int = 0
    customer_id: int | None = None
    status_id: int | None = None
    status: str | None = None
    date_created: str | None = None
    date_modified: str | None = None
    total_inc_tax: Amount = None
    items_total: int | None = None
    default_currency_code: str | None = None
    store_default_currency_code: str | None = None
    store_default_to_transactional_exchange_rate: Amount = None
    channel_id: int | None = None
    payment_method: str | None = None
    cart_id: str | None = None
    external_source: str | None = None
    is_deleted: bool | None = None
    billing_address: BillingAddress | Nothing = None
    consignments: Consignments | Nothing = None


class Payment(Struct, frozen=True, gc=False):
    """orders.v3: RefundPayment."""

    amount: Amount = None
    is_declined: bool | None = None


class Refund(Struct, frozen=True, gc=False):
    """orders.v3: Refund. In the currency of the order's payment."""

    id: int = 0
    order_id: int = 0
    total_amount: Amount = None
    created: str | None = None
    payments: list[Payment] | None = None


class Choice(Struct, frozen=True, gc=False):
    """carts.v3: an item's option, with `include=line_items.*.options`. What is typed has no `valueId`."""

    value: str | int | float | None = None
    option_id: int | None = field(name="nameId", default=None)
    value_id: int | str | None = field(name="valueId", default=None)


class CartItem(Struct, frozen=True, gc=False):
    """carts.v3: ItemPhysicalGet, ItemDigitalGet, ItemCustomGet, ItemGiftCertificateGet, all in one.

    A custom item has no sale price, a gift certificate only a name and an amount.
    """

    product_id: int | None = None
    variant_id: int | None = None
    name: str | None = None
    sku: str | None = None
    quantity: int | None = None
    list_price: Decimal | None = None
    sale_price: Decimal | None = None
    extended_list_price: Decimal | None = None
    extended_sale_price: Decimal | None = None
    amount: Decimal | None = None
    url: str | None = None
    image_url: str | None = None
    options: list[Choice] | None = None
    parent_id: str | None = None
    added_by_promotion: bool | None = None


class CartItems(Struct, frozen=True, gc=False):
    """carts.v3: LineItemsGet."""

    physical_items: list[CartItem] | None = None
    digital_items: list[CartItem] | None = None
    custom_items: list[CartItem] | None = None
    gift_certificates: list[CartItem] | None = None


class Currency(Struct, frozen=True, gc=False):
    """carts.v3: the currency of a cart."""

    code: str | None = None


class Cart(Struct, frozen=True, gc=False):
    """carts.v3: Cart_Full. `id` is a UUID; amounts are numbers, read from their text."""

    id: str = ""
    customer_id: int | None = None
    channel_id: int | None = None
    email: str | None = None
    currency: Currency | Nothing = None
    cart_amount: Decimal | None = None
    coupons: list[Discount] | None = None
    line_items: CartItems | Nothing = None
    created_time: str | None = None
    updated_time: str | None = None


class MadeCart(Struct, frozen=True, gc=False):
    """carts.v3: Cart_Full, of one that was just made."""

    id: str


class RedirectUrls(Struct, frozen=True, gc=False):
    """carts.v3: CartRedirectResponse. Each of them works once."""

    checkout_url: str


class Hook(Struct, frozen=True, gc=False):
    """webhooks.v3: webhook_Full, and `status` of GET /hooks/admin (inactive, active, deactivated)."""

    id: int = 0
    scope: str | None = None
    destination: str | None = None
    headers: dict[str, str | None] | Nothing = None
    is_active: bool | None = None
    status: str | None = None


class Blocked(Struct, frozen=True, gc=False):
    """webhooks.v3: one of the blocked_domains of GET /hooks/admin. `time_left` in seconds."""

    destination: str | None = None
    time_left: int | None = None


class HooksAdmin(Struct, frozen=True, gc=False):
    """webhooks.v3: GET /hooks/admin."""

    hooks_list: list[Hook] | None = None
    blocked_domains: list[Blocked] | None = None


class Path(Struct, frozen=True, gc=False):
    """category-trees_catalog.v3: url of a category."""

    path: str | None = None


class Category(Struct, frozen=True, gc=False):
    """category-trees_catalog.v3: Category."""

    id: int = field(name="category_id", default=0)
    parent_id: int | None = None
    tree_id: int | None = None
    name: str | None = None
    is_visible: bool | None = None
    url: Path | Nothing = None


class Tree(Struct, frozen=True, gc=False):
    """category-trees_catalog.v3: Tree. It belongs to one channel at the most."""

    id: int = 0
    channels: list[int] | None = None


class OptionValue(Struct, frozen=True, gc=False):
    """product-variants_catalog.v3: productVariantOptionValue_Full."""

    label: str | None = None
    option_id: int | None = None


class Variant(Struct, frozen=True, gc=False):
    """product-variants_catalog.v3: productVariant_Full. Null or empty: inherited from the product."""

    id: int = 0
    sku: str | None = None
    price: Amount = None
    sale_price: Amount = None
    calculated_price: Amount = None
    inventory_level: int | None = None
    inventory_warning_level: int | None = None
    image_url: str | None = None
    purchasing_disabled: bool | None = None
    option_values: list[OptionValue] | None = None


class Image(Struct, frozen=True, gc=False):
    """products_catalog.v3: primaryImage_Full."""

    url_standard: str | None = None


class CustomField(Struct, frozen=True, gc=False):
    """products_catalog.v3: productCustomField_Base."""

    name: str | None = None
    value: str | None = None


class CustomUrl(Struct, frozen=True, gc=False):
    """products_catalog.v3: customUrl_Full. `url` is a path."""

    url: str | None = None


class Product(Struct, frozen=True, gc=False):
    """products_catalog.v3: product_Full, and `channels` with that include."""

    id: int = 0
    name: str | None = None
    sku: str | None = None
    description: str | None = None
    brand_id: int | None = None
    categories: list[int] | None = None
    price: Amount = None
    sale_price: Amount = None
    calculated_price: Amount = None
    inventory_tracking: str | None = None
    inventory_level: int | None = None
    inventory_warning_level: int | None = None
    is_visible: bool | None = None
    availability: str | None = None
    date_modified: str | None = None
    base_variant_id: int | None = None
    custom_url: CustomUrl | Nothing = None
    primary_image: Image | Nothing = None
    variants: list[Variant] | None = None
    custom_fields: list[CustomField] | None = None
    channels: list[int] | None = None


class ItemIdentity(Struct, frozen=True, gc=False):
    """inventory.v3: ItemResponse.identity."""

    product_id: int = 0
    variant_id: int = 0


class ItemSettings(Struct, frozen=True, gc=False):
    """inventory.v3: ItemResponse.locations.settings. `is_in_stock` false: not to be sold, however many."""

    is_in_stock: bool | None = None


class ItemAtLocation(Struct, frozen=True, gc=False):
    """inventory.v3: ItemResponse.locations."""

    location_id: int = 0
    location_code: str | None = None
    location_enabled: bool | None = None
    available_to_sell: int | None = None
    settings: ItemSettings | Nothing = None


class Item(Struct, frozen=True, gc=False):
    """inventory.v3: ItemResponse."""

    identity: ItemIdentity
    locations: list[ItemAtLocation] | None = None


class Script(Struct, frozen=True, gc=False):
    """scripts.v3: script_Full."""

    uuid: str
    name: str | None = None
    src: str | None = None
    channel_id: int | None = None


class Named(Struct, frozen=True, gc=False):
    """Anything of which we want the name: customer attributes, brands, channels, customer groups."""

    id: int = 0
    name: str | None = None


class Site(Struct, frozen=True, gc=False):
    """sites.v3: _site."""

    id: int = 0
    channel_id: int | None = None
    url: str | None = None


class Timezone(Struct, frozen=True, gc=False):
    """store_information.v2: Timezone."""

    name: str | None = None


class Store(Struct, frozen=True, gc=False):
    """store_information.v2: StoreInformation."""

    name: str | None = None
    currency: str | None = None
    secure_url: str | None = None
    plan_level: str | None = None
    default_channel_id: int | None = None
    timezone: Timezone | Nothing = None


class OrderCount(Struct, frozen=True, gc=False):
    """orders.v2: ordersCount_Full."""

    count: int


class Pagination(Struct, frozen=True, gc=False):
    """customers.v3: Pagination."""

    total: int | None = None
    per_page: int | None = None
    total_pages: int | None = None


class CursorPagination(Struct, frozen=True, gc=False):
    """customers.v3: CursorPagination."""

    per_page: int | None = None
    end_cursor: str | None = None


class Meta(Struct, frozen=True, gc=False):
    """customers.v3: _metaCollectionWithCursorPagination."""

    pagination: Pagination | Nothing = None
    cursor_pagination: CursorPagination | Nothing = None


class Flaw(Struct, frozen=True, gc=False):
    """A row that cannot be understood, and why; `id` 0 where not even that is readable."""

    id: int
    why: str


class Page(Struct, Generic[T]):
    """The rows that one call returned, with what V3 says of the pages around them."""

    rows: list[T | Flaw] = []
    pagination: Pagination = Pagination()
    cursor: CursorPagination = CursorPagination()


class _Envelope(Struct, Generic[T]):
    """V3's list: `{"data": [...], "meta": {...}}`. Without `data` it is no list."""

    data: list[T]
    meta: Meta | Nothing = None


class _Enclosed(Struct):
    """V3's single: `{"data": {...}}`."""

    data: Raw


class _Identity(Struct):
    id: int = 0
    category_id: int = 0


def pages_of(row: type[T]) -> Callable[[bytes], Page[T]]:
    """A decoder of V3 lists of `row`. Raises `msgspec.ValidationError` for what is no list."""
    whole = msgspec.json.Decoder(_Envelope[row], strict=False)  # type: ignore[valid-type]
    pieces = msgspec.json.Decoder(_Envelope[Raw], strict=False)
    single = msgspec.json.Decoder(row, strict=False)

    def decode(body: bytes) -> Page[T]:
        if not body:
            return Page()
        try:
            envelope: _Envelope[T] = whole.decode(body)
            return _page(list(envelope.data), envelope.meta)
        except msgspec.ValidationError:
            parts = pieces.decode(body)
            return _page(_each(single, parts.data), parts.meta)

    return decode


def lists_of(row: type[T]) -> Callable[[bytes], Page[T]]:
    """A decoder of V2 lists of `row`, bare arrays; an empty body is an empty list (204)."""
    whole = msgspec.json.Decoder(list[row], strict=False)  # type: ignore[valid-type]
    pieces = msgspec.json.Decoder(list[Raw])
    single = msgspec.json.Decoder(row, strict=False)

    def decode(body: bytes) -> Page[T]:
        if not body:
            return Page()
        try:
            return Page(whole.decode(body))
        except msgspec.ValidationError:
            return Page(_each(single, pieces.decode(body)))

    return decode


def single_of(row: type[T]) -> Callable[[bytes], T | Flaw | None]:
    """A decoder of a V2 single, a bare object; None for an empty body."""
    single = msgspec.json.Decoder(row, strict=False)
    return lambda body: _each(single, [Raw(body)])[0] if body else None


def enclosed(row: type[T]) -> Callable[[bytes], T | Flaw]:
    """A decoder of a V3 single of `row`. Raises `msgspec.ValidationError` for what is none."""
    envelope = msgspec.json.Decoder(_Enclosed)
    single = msgspec.json.Decoder(row, strict=False)
    return lambda body: _each(single, [envelope.decode(body).data])[0]


def _page(rows: list[T | Flaw], meta: Meta | Nothing) -> Page[T]:
    if not isinstance(meta, Meta):
        return Page(rows)
    numbered, cursor = meta.pagination, meta.cursor_pagination
    return Page(
        rows,
        numbered if isinstance(numbered, Pagination) else Pagination(),
        cursor if isinstance(cursor, CursorPagination) else CursorPagination(),
    )


def _each(single: msgspec.json.Decoder[T], parts: list[Raw]) -> list[T | Flaw]:
    """Row by row, so that a broken one costs none of its neighbours.

    msgspec's message tells the path and the types, never the value.
    """
    rows: list[T | Flaw] = []
    for part in parts:
        try:
            rows.append(single.decode(part))
        except msgspec.ValidationError as error:
            rows.append(Flaw(identity(part), str(error)))
    return rows


def identity(part: Raw) -> int:
    """The id of a row; 0 where it cannot be read."""
    try:
        found = msgspec.json.decode(part, type=_Identity, strict=False)
    except msgspec.ValidationError:
        return 0
    return found.id or found.category_id
