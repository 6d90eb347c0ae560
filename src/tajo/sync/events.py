"""What happened? Differences between what was known of a thing and what was found. Pure.

Nobody sends us an event: an order was placed when it is met in a status that means so and was not before.
A difference is found once, because what is known changes in the same transaction. History raises none:
what happened before the connector went live is only remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from tajo.sync.model import (
    Cart,
    Customer,
    Event,
    EventKind,
    Key,
    Order,
    Product,
    Resource,
)
from tajo.sync.moments import moment, seconds


class OrderBefore(Struct, frozen=True, kw_only=True):
    """What was known of an order: `refunded` as amounts are told, `placed` whether it ever was."""

    status_id: int
    placed: bool
    refunded: Decimal
    modified_at: float | None


def placed_before(status_id: int, placed: bool | None, statuses: Collection[int]) -> bool:
    """Whether an order had been placed; by its status where nobody noted it."""
    return status_id in statuses if placed is None else placed


def of_order(
    order: Order, before: OrderBefore | None, *, placed: Collection[int], live_since: float
) -> Iterator[Event]:
    """An order that is met for the first time was placed if it was made since we are live.

    One that was known may do anything at any age, as long as it does it now.
    """
    if order.migrated or not order.email:
        return
    at = order.modified or order.created
    happened = order.created if before is None else at
    if seconds(happened) < live_since:
        return

    def event(kind: EventKind, **more: object) -> Event:
        key = Key(Resource.ORDERS, order.id)
        return Event(kind=kind, key=key, at=at, email=order.email, record=order, **more)  # type: ignore[arg-type]

    if order.status_id in placed and not (before and before.placed):
        yield event(EventKind.ORDER_PLACED)
    back = order.refunded - (before.refunded if before else Decimal(0))
    if back > 0:
        yield event(EventKind.ORDER_REFUNDED, refunded=back)
    if before is None:
        return
    if order.status_id != before.status_id:
        yield event(EventKind.ORDER_STATUS_CHANGED, status_before=before.status_id)
    if before.modified_at is not None and seconds(at) > before.modified_at:
        yield event(EventKind.ORDER_UPDATED, status_before=before.status_id)


def of_customer(customer: Customer, modified_before: float | None, *, live_since: float) -> Iterator[Event]:
    """An account that is new, or has a later date of change. `modified_before` None: it was not known."""
    modified = customer.modified or customer.created
    happened = customer.created if modified_before is None else modified
    if modified is None or happened is None or seconds(happened) < live_since:
        return
    new = modified_before is None
    if new or seconds(modified) > (modified_before or 0.0):
        yield Event(
            kind=EventKind.CUSTOMER_CREATED if new else EventKind.CUSTOMER_UPDATED,
            key=Key(Resource.CUSTOMERS, customer.id),
            at=modified,
            email=customer.email,
            record=customer,
        )


Stocks = Mapping[Key, int | None]
"""The stock of products and variants; None: it is not tracked."""


def stocks_of(product: Product) -> dict[Key, int | None]:
    """The stock of each thing that has one: of the variants, unless they share that of the product."""
    if all(variant.stock is None for variant in product.variants):
        return {Key(Resource.PRODUCTS, product.id): product.stock}
    return {Key(Resource.VARIANTS, variant.id): variant.stock for variant in product.variants}


def of_stock(product: Product, before: Stocks, at: datetime) -> Iterator[Event]:
    """Stock that is another than it was, for what was known; more of it where there was none is news."""
    warnings = {Key(Resource.PRODUCTS, product.id): product.low_stock} | {
        Key(Resource.VARIANTS, variant.id): variant.low_stock for variant in product.variants
    }
    for key, now in stocks_of(product).items():
        if key not in before or before[key] == now:
            continue
        was = before[key]
        kinds = [EventKind.INVENTORY_CHANGED]
        if was is not None and was <= 0 and (now is None or now > 0):
            kinds.append(EventKind.BACK_IN_STOCK)
        level = warnings[key]
        if level and now is not None and now <= level and (was is None or was > level):
            kinds.append(EventKind.LOW_STOCK)
        for kind in kinds:
            yield Event(
                kind=kind,
                key=Key(Resource.PRODUCTS, product.id),
                at=at,
                record=product,
                variant_id=key.id if key.resource == Resource.VARIANTS else 0,
                stock_before=was,
                stock=now,
            )


Prices = Mapping[Key, Decimal]
"""The price of products and variants."""


def prices_of(product: Product) -> dict[Key, Decimal]:
    """The price of each thing that a shopper can put into a cart."""
    if not product.variants:
        return {Key(Resource.PRODUCTS, product.id): product.price}
    return {Key(Resource.VARIANTS, variant.id): variant.price for variant in product.variants}


def of_price(product: Product, before: Prices, at: datetime) -> Iterator[Event]:
    """What can be had for less than before. Whom it concerns is for others to say."""
    if not product.visible:
        return
    for key, now in prices_of(product).items():
        was = before.get(key)
        if was is not None and now < was:
            yield Event(
                kind=EventKind.PRICE_DROPPED,
                key=Key(Resource.PRODUCTS, product.id),
                at=at,
                record=product,
                variant_id=key.id if key.resource == Resource.VARIANTS else 0,
                price_before=was,
                price=now,
            )


class CartBefore(Struct, frozen=True, kw_only=True):
    """What was known of a cart. `named`: whose it is was known, so that it has been told of."""

    state: str
    named: bool
    updated_at: float | None
    amount: int


def of_cart(
    cart: Cart, before: CartBefore, *, amount: int, abandoned_at: float, now: float
) -> Iterator[Event]:
    """A cart is told of once somebody is known whose it is.

    `abandoned_at`: the moment from which on it counts as left behind, infinite where it never does.
    """
    if not cart.email:
        return
    updated = cart.updated or cart.created
    moved = updated is not None and (before.updated_at is None or seconds(updated) > before.updated_at)
    kinds = []
    if not before.named:
        kinds.append(EventKind.CART_CREATED)
    elif moved or amount != before.amount:
        kinds.append(EventKind.CART_UPDATED)
    if now >= abandoned_at and (before.state != "abandoned" or moved):
        kinds.append(EventKind.CART_ABANDONED)
    for kind in kinds:
        yield Event(
            kind=kind,
            key=Key(Resource.CARTS, cart.id),
            at=moment(now) if kind == EventKind.CART_ABANDONED else updated or moment(now),
            email=cart.email,
            record=cart,
        )
