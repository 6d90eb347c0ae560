"""The nouns: what a store holds, in words that belong to no vendor.

Records are frozen and hold only what somebody downstream uses; they cannot form circles, so the garbage
collector need not look at them (`gc=False`). Money is `Decimal` in the
store's default currency, unless a name says otherwise; moments are aware `datetime`s in UTC.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

ZERO = Decimal(0)


class Resource(StrEnum):
    """What a store is made of, in the order in which a sweep must meet it.

    Contacts come last, because a contact's metrics and consent are facts of orders and subscribers.
    `VARIANTS` and `GUESTS` are never read by themselves: the former are part of products, the
    latter of orders and subscribers. `CARTS` cannot be listed: they are looked at when somebody names
    them. `EVENTS` are what was found to have happened, and `SEQUENCES` what was to be done about it: nobody
    can look at them again.
    """

    CATEGORIES = "categories"
    PRODUCTS = "products"
    VARIANTS = "variants"
    REFUNDS = "refunds"
    ORDERS = "orders"
    SUBSCRIBERS = "subscribers"
    CUSTOMERS = "customers"
    GUESTS = "guests"
    CARTS = "carts"
    EVENTS = "events"
    SEQUENCES = "sequences"


class Key(Struct, frozen=True, gc=False, order=True):
    """The name of one thing in the store. `id` is the store's own number, never an e-mail.

    A cart has a UUID instead of a number; `cart_key` makes one of it.
    """

    resource: Resource
    id: int

    def __str__(self) -> str:
        return f"{self.resource}/{self.id}"


class Storefront(Struct, frozen=True):
    """One sales channel: `url` without a trailing slash, empty where the channel has no site."""

    id: int
    name: str
    url: str = ""


class Store(Struct, frozen=True, kw_only=True):
    """What is true of the whole store. `groups`: customer group names by id."""

    name: str
    currency: str
    timezone: str = "UTC"
    plan: str = ""
    default_storefront: int = 1
    storefronts: dict[int, Storefront] = {}
    groups: dict[int, str] = {}


class Address(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A postal address, with BigCommerce's V3 names. `country_code` is ISO 3166 alpha-2, upper case."""

    first_name: str = ""
    last_name: str = ""
    company: str = ""
    address1: str = ""
    address2: str = ""
    city: str = ""
    state_or_province: str = ""
    postal_code: str = ""
    country: str = ""
    country_code: str = ""
    phone: str = ""


FieldValue = str | int | float | bool | list[str]


class Customer(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A person as one account sees it. A guest or a mere subscriber is a customer with id 0.

    `fields`: the merchant's own form fields and customer attributes, by their name.
    `storefront`: where the account was made; `storefronts`: where it may sign in (None: everywhere).
    """

    id: int = 0
    email: str
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    phone: str = ""
    notes: str = ""
    group_id: int = 0
    group: str = ""
    created: datetime | None = None
    modified: datetime | None = None
    storefront: int = 1
    storefronts: tuple[int, ...] | None = None
    store_credit: Decimal = ZERO
    addresses: tuple[Address, ...] = ()
    fields: dict[str, FieldValue] = {}


class Subscriber(Struct, frozen=True, gc=False, kw_only=True):
    """A newsletter record. It is no consent: `consents` is (`marketing_newsletter`, `abandoned_cart`)."""

    id: int
    email: str
    first_name: str = ""
    last_name: str = ""
    consents: frozenset[str] = frozenset()
    storefront: int = 1
    created: datetime | None = None
    modified: datetime | None = None


class Line(Struct, frozen=True, gc=False, kw_only=True):
    """One line of an order. `price` and `total` include tax, in the store's default currency.

    `product_id` 0: something that is not in the catalogue. `variant_id` 0: none. `path` and `image`: where
    the product is shown; no order tells, so they are filled in.
    """

    product_id: int
    variant_id: int = 0
    name: str
    sku: str = ""
    quantity: int
    price: Decimal
    total: Decimal = ZERO
    path: str = ""
    image: str = ""


class Order(Struct, frozen=True, gc=False, kw_only=True):
    """An order. `total` includes tax and shipping, in the store's default currency.

    `rate`: how much of the currency that was paid one unit of the default currency is (1 if the same).
    `customer_id` 0: a guest. `billing` with `email` is the buyer; `refunded` is filled in from refunds.
    `archived`: deleted in the store. `migrated` sales (imported from elsewhere) start nothing.
    """

    id: int
    customer_id: int = 0
    email: str = ""
    status_id: int
    status: str = ""
    created: datetime
    modified: datetime | None = None
    total: Decimal
    refunded: Decimal = ZERO
    currency: str = ""
    rate: Decimal = Decimal(1)
    storefront: int = 1
    payment_method: str = ""
    coupons: tuple[str, ...] = ()
    billing: Address = Address()
    lines: tuple[Line, ...] = ()
    cart_id: str = ""
    archived: bool = False
    migrated: bool = False


class Refund(Struct, frozen=True, gc=False, kw_only=True):
    """Money given back. `amount` is in the currency in which the order was paid."""

    id: int
    order_id: int
    amount: Decimal
    created: datetime | None = None


class Category(Struct, frozen=True, gc=False, kw_only=True):
    """A category. `name` is its path from the root, joined by ` > `; `path` its URL path."""

    id: int
    name: str
    path: str = ""
    storefront: int | None = None
    visible: bool = True


class Variant(Struct, frozen=True, gc=False, kw_only=True):
    """One buyable form of a product. `stock` None: not tracked; `low_stock`: warn from here on; 0: never.

    `options`: `Red / XL`.
    """

    id: int
    sku: str = ""
    options: str = ""
    price: Decimal
    stock: int | None = None
    low_stock: int = 0
    image: str = ""
    purchasable: bool = True


class Product(Struct, frozen=True, gc=False, kw_only=True):
    """A product. `price` is what the storefront shows, `was` the higher price it replaces (or None).

    `path` is its URL path; `storefronts` the channels on which it is sold; `variants` is empty for a
    product without options. `visible`: a shopper can see and buy (or pre-order) it.
    """

    id: int
    name: str
    sku: str = ""
    brand: str = ""
    description: str = ""
    categories: tuple[int, ...] = ()
    price: Decimal
    was: Decimal | None = None
    stock: int | None = None
    low_stock: int = 0
    image: str = ""
    path: str = ""
    storefronts: tuple[int, ...] = ()
    visible: bool = True
    custom_fields: dict[str, str] = {}
    variants: tuple[Variant, ...] = ()
    modified: datetime | None = None


class Choice(Struct, frozen=True, gc=False):
    """What a shopper chose for an option of a product: the id of a value, or what they typed."""

    option: int
    value: int | str


class CartLine(Struct, frozen=True, gc=False, kw_only=True):
    """One line of a cart. `price` of one piece and `total` of all, in the cart's currency; `url` absolute.

    `product_id` 0: something that is not in the catalogue. `options`: `Red / XL`, `choices` the same by
    their ids. `added`: not by the shopper, but by the store, for a promotion or with another line.
    """

    product_id: int = 0
    variant_id: int = 0
    name: str
    sku: str = ""
    options: str = ""
    quantity: int = 1
    price: Decimal
    total: Decimal = ZERO
    url: str = ""
    image: str = ""
    choices: tuple[Choice, ...] = ()
    added: bool = False


class Cart(Struct, frozen=True, gc=False, kw_only=True):
    """A cart that exists now: one that was bought or emptied is gone from the store.

    `id` is `cart_key(uuid).id`. `email`: what was typed at checkout, else that of the account
    `customer_id` (0: a guest), else empty. `total` after discounts, in `currency` (ISO 4217).
    """

    id: int
    uuid: str
    customer_id: int = 0
    email: str = ""
    storefront: int = 1
    currency: str = ""
    total: Decimal = ZERO
    lines: tuple[CartLine, ...] = ()
    coupons: tuple[str, ...] = ()
    created: datetime | None = None
    updated: datetime | None = None


def cart_key(uuid: str) -> Key:
    """The key of a cart: the first 63 bits of its UUID. Raises `ValueError` if it is none."""
    return Key(Resource.CARTS, UUID(uuid).int >> 65)


Record = Customer | Subscriber | Order | Refund | Category | Product | Cart


class Notice(Struct, frozen=True, kw_only=True):
    """What somebody told us to look at. `scope`: the sender's name of what happened.

    `keys` is empty where nothing of ours is concerned, and `known` says whether the scope is understood.
    `carts`: the UUIDs of the carts among the keys. `created`: when it happened, seconds since 1970.
    """

    scope: str
    keys: tuple[Key, ...] = ()
    carts: tuple[str, ...] = ()
    created: float = 0.0
    known: bool = True


class EventKind(StrEnum):
    """What can happen, in Tajo's words. Each is a difference between what was known and what was found."""

    CUSTOMER_CREATED = "customer_created"
    CUSTOMER_UPDATED = "customer_updated"
    ORDER_PLACED = "order_placed"
    ORDER_UPDATED = "order_updated"
    ORDER_STATUS_CHANGED = "order_status_changed"
    ORDER_REFUNDED = "order_refunded"
    CART_CREATED = "cart_created"
    CART_UPDATED = "cart_updated"
    CART_ABANDONED = "cart_abandoned"
    CART_RECOVERED = "cart_recovered"
    CART_DELETED = "cart_deleted"
    INVENTORY_CHANGED = "inventory_changed"
    LOW_STOCK = "low_stock"
    BACK_IN_STOCK = "back_in_stock"
    PRICE_DROPPED = "price_dropped"


class Event(Struct, frozen=True, gc=False, kw_only=True):
    """Something that happened to `record`, found once, at the moment `at` at the latest.

    `email`: the person it is about; empty where it is about none (stock that nobody waits for).
    `status_before`: the order's status as it was known. `refunded`: what was given back with it.
    `variant_id` (0: the product itself), `stock_before` and `stock` (None: not tracked) belong to stock,
    `price` and `price_before` to prices. `cart_id`: the UUID of the cart in which the product lies.
    `by_link`: a recovery link of the cart had been followed.
    """

    kind: EventKind
    key: Key
    at: datetime
    email: str = ""
    record: Customer | Order | Product | Cart
    status_before: int | None = None
    refunded: Decimal = ZERO
    variant_id: int = 0
    stock_before: int | None = None
    stock: int | None = None
    price_before: Decimal | None = None
    price: Decimal | None = None
    cart_id: str = ""
    by_link: bool = False


class Change(Struct, frozen=True, gc=False):
    """What a look at `key` found: a record; None: it is gone; or `flaw`: why it cannot be understood."""

    key: Key
    record: Record | None
    flaw: str = ""


class Batch(Struct, frozen=True):
    """What one call returned. `read_at`: seconds since 1970 when we *asked*, the order of all truth.

    `cursor`: where to go on after this batch, an opaque word of the source; empty after the last.
    `total`: how many records there are in all, where the call said so.
    """

    resource: Resource
    changes: list[Change]
    read_at: float
    cursor: str = ""
    total: int | None = None


class Metrics(Struct, frozen=True, gc=False, kw_only=True):
    """What a person bought: counted orders only, refunds subtracted."""

    orders_count: int = 0
    total_spent: Decimal = ZERO
    first_order_date: datetime | None = None
    last_order_date: datetime | None = None

    @property
    def average_order_value(self) -> Decimal | None:
        """`total_spent / orders_count` to the cent; None without orders."""
        return (self.total_spent / self.orders_count).quantize(Decimal("0.01")) if self.orders_count else None


class Consent(StrEnum):
    """What the shop knows of a person's wish to get marketing mail."""

    GRANTED = "granted"
    WITHHELD = "withheld"


class Contact(Struct, frozen=True, gc=False, kw_only=True):
    """A person as the destination shall see them: a projection of everything with one e-mail.

    `person` is the keyed hash of the lower-case e-mail. `storefronts`: where the person is known.
    `phone`: E.164 or empty, already free of clashes. `exists`: the destination had them before us.
    `blocked_by_us`: we, not the person, blocklisted them. `left_at`: when the store was known to hold no
    consent of theirs, for they had left there: one that it holds now was given since. `told`: the consent
    that was last told, if any.
    `abandoned`: a cart of theirs is left behind; `told_abandoned`: that was told last.
    `rename`: the destination's own id of the contact that must get this e-mail instead of its old one.
    """

    person: bytes
    key: Key
    customer: Customer
    metrics: Metrics = Metrics()
    consent: Consent = Consent.WITHHELD
    storefronts: frozenset[int] = frozenset()
    phone: str = ""
    exists: bool = False
    blocked_by_us: bool = False
    left_at: float | None = None
    told: Consent | None = None
    abandoned: bool = False
    told_abandoned: bool = False
    rename: int | None = None


class Farewell(StrEnum):
    """How somebody leaves whose account was deleted in the store: only our lists, or the destination."""

    SOFT = "soft"
    HARD = "hard"


class Write(Struct, frozen=True, gc=False, kw_only=True):
    """One mapped payload, ready to go. `fingerprint` covers everything that the destination would see.

    `lane`: writes that may travel in one call share it (an opaque word of the destination).
    `alone`: must not travel with others. `person`: for contacts.
    `consent`: what this write tells about it. `blocks`: it blocklists the contact. `new`: it may make it.
    `rename`: the destination's id of the contact that must get this e-mail, or that takes its leave.
    `farewell`: it takes its leave. `what`: for people, the name of an event.
    """

    key: Key
    body: bytes
    fingerprint: bytes
    lane: str = ""
    alone: bool = False
    person: bytes = b""
    consent: Consent | None = None
    blocks: bool = False
    new: bool = False
    rename: int | None = None
    farewell: Farewell | None = None
    what: str = ""


class Verdict(StrEnum):
    """How the destination answered a write. Accepted: it takes effect at some later moment, unsaid."""

    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    RETRY = "retry"


class Outcome(Struct, frozen=True, gc=False, kw_only=True):
    """The answer to one write. `reason`: for people. `contact_id`: the destination's own id, if told.

    `left_out`: what was dropped to make it pass, e.g. `SMS`. `seconds`: when to retry.
    """

    write: Write
    verdict: Verdict
    reason: str = ""
    contact_id: int | None = None
    left_out: str = ""
    seconds: float = 0.0


class Existing(Struct, frozen=True, gc=False, kw_only=True):
    """A contact that the destination already holds. `phone`: E.164 or empty."""

    id: int
    email: str
    phone: str = ""
    blocked: bool = False
