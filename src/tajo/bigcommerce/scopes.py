"""Which event a scope of BigCommerce's webhooks stands for: how `webhooks:` in tajo.yaml is read."""

from __future__ import annotations

from collections.abc import Mapping

from tajo.bigcommerce.callbacks import ALIASES
from tajo.sync.model import EventKind

EVENTS: Mapping[str, EventKind] = {
    "store/customer/created": EventKind.CUSTOMER_CREATED,
    "store/customer/updated": EventKind.CUSTOMER_UPDATED,
    "store/order/created": EventKind.ORDER_PLACED,
    "store/order/updated": EventKind.ORDER_UPDATED,
    "store/order/statusUpdated": EventKind.ORDER_STATUS_CHANGED,
    "store/order/refund/created": EventKind.ORDER_REFUNDED,
    "store/cart/created": EventKind.CART_CREATED,
    "store/cart/updated": EventKind.CART_UPDATED,
    "store/cart/abandoned": EventKind.CART_ABANDONED,
    "store/cart/converted": EventKind.CART_RECOVERED,
    "store/cart/deleted": EventKind.CART_DELETED,
    "store/channel/*/inventory/product/low_stock_reached": EventKind.LOW_STOCK,
    **{
        scope: EventKind.INVENTORY_CHANGED
        for alias in ("store/inventory/updated",)
        for scope in (alias, *ALIASES[alias])
    },
}
"""Tajo finds events by comparing, so a scope is a name here, and not what raises the event."""

STOCK = (EventKind.INVENTORY_CHANGED, EventKind.LOW_STOCK, EventKind.BACK_IN_STOCK)
"""What is about no person, unless somebody waits for it."""

UNSCOPED = frozenset({EventKind.BACK_IN_STOCK, EventKind.PRICE_DROPPED})
"""What no scope stands for: always told, under its own name."""
