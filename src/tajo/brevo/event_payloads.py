"""What Brevo is told of an event: the body of `POST /events`. Pure.

Properties are flat, as Brevo's templates address them (`{{ params.total }}`), lines stand in `items`.
Ids are those under which Brevo knows the thing. Amounts are numbers in the `currency` beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from tajo.brevo.commerce_payloads import CommercePayloads
from tajo.brevo.rules import CartLayout, Rules
from tajo.brevo.tracing import assemble, digest, encode, money, stamp
from tajo.sync.model import (
    Cart,
    CartLine,
    Customer,
    Event,
    EventKind,
    Key,
    Line,
    Order,
    Product,
    Resource,
    Store,
    Write,
    cart_key,
)

MAX_BYTES = 50_000
"""Of the properties of one event (SDK, `create_event`: 50 KB)."""

BREVO_NAMES = {
    EventKind.CART_CREATED: "cart_updated",
    EventKind.CART_UPDATED: "cart_updated",
    EventKind.CART_DELETED: "cart_deleted",
    EventKind.ORDER_PLACED: "order_completed",
}
"""What Brevo's own automations for carts listen to (help 360021501460)."""

ONCE = frozenset(
    {
        EventKind.CUSTOMER_CREATED,
        EventKind.ORDER_PLACED,
        EventKind.CART_CREATED,
        EventKind.CART_RECOVERED,
        EventKind.CART_DELETED,
    }
)
"""What can happen to a thing but once, so that nothing else is needed to name it."""


class EventPayloads:
    """Renders events by the rules, for one store."""

    def __init__(self, rules: Rules, store: Store, *, link: Callable[[Key], str] = lambda _cart: "") -> None:
        self._names = rules.events
        self._contacts = rules.event_contacts
        self._prefix = rules.id_prefix
        self._currency = store.currency
        self._commerce = CommercePayloads(rules, store)
        self._layout = rules.cart_layout
        self._link = link

    def writes(self, event: Event) -> list[Write]:
        """The writes that tell this event; none where its kind is not told, or there is nobody to tell it of.

        The fingerprint names the event, whatever its payload looks like: the same difference found again
        has the same one.
        """
        email = event.email or self._contacts.get(event.kind)
        own, name = self._names.get(event.kind), BREVO_NAMES.get(event.kind, "")
        if not email or not own:
            return []
        properties = self._properties(event)
        for_brevo = _nested(event, properties) if self._layout is CartLayout.NESTED else properties
        if name == own:
            return [self._write(event, email, own, for_brevo, _occasion(event))]
        writes = [self._write(event, email, own, properties, _occasion(event))]
        if name and self._layout is not CartLayout.NONE:
            writes.append(self._write(event, email, name, for_brevo, (*_occasion(event), name)))
        return writes

    def _write(
        self, event: Event, email: str, name: str, properties: dict[str, Any], occasion: tuple[Any, ...]
    ) -> Write:
        """One event. `occasion`: what makes it this one and no other."""
        body = {
            "event_name": name,
            "event_date": stamp(event.at),
            "identifiers": {"email_id": email.lower()},
            "event_properties": properties,
        }
        return Write(key=event.key, body=encode(body), fingerprint=digest(encode(occasion)), what=name)

    def _properties(self, event: Event) -> dict[str, Any]:
        match event.record:
            case Order():
                order = event.record
                lines = (self._line(line, order.storefront) for line in order.lines)
                return _fitted(self._order(event, order), lines)
            case Cart():
                return _fitted(self._cart(event.record), map(self._cart_line, event.record.lines))
            case Product():
                return self._stock(event, event.record)
            case Customer():
                return self._customer(event.record)

    def _order(self, event: Event, order: Order) -> dict[str, Any]:
        before = event.status_before
        return _known(
            order_id=f"{self._prefix}{order.id}",
            cart_id=order.cart_id,
            status=self._commerce.status(order.status_id, order.status),
            status_before=None if before is None else self._commerce.status(before),
            total=money(order.total),
            currency=self._currency,
            refunded=money(event.refunded) if event.refunded else None,
            refunded_total=money(order.refunded) if order.refunded else None,
            storefront=self._commerce.storefront(order.storefront),
            coupons=list(order.coupons),
            recovered_by="recovery_link" if event.by_link else "",
        )

    def _line(self, line: Line, storefront: int) -> dict[str, Any]:
        return _known(
            product_id=self._product(line.product_id),
            variant_id=self._variant(line.product_id, line.variant_id),
            name=line.name,
            sku=line.sku,
            quantity=line.quantity,
            price=money(line.price),
            total=money(line.total),
            url=self._commerce.url(line.path, (storefront,)) if line.path else "",
            image=line.image,
        )

    def _cart(self, cart: Cart) -> dict[str, Any]:
        """The layout of Brevo's own cart events, made flat (odiseoteam/sylius-brevo-plugin)."""
        return _known(
            cart_id=cart.uuid,
            total=money(cart.total),
            currency=cart.currency,
            storefront=self._commerce.storefront(cart.storefront),
            coupons=list(cart.coupons),
            items_count=sum(line.quantity for line in cart.lines),
            url=self._link(Key(Resource.CARTS, cart.id)),
        )

    def _cart_line(self, line: CartLine) -> dict[str, Any]:
        return _known(
            product_id=self._product(line.product_id),
            variant_id=self._variant(line.product_id, line.variant_id),
            name=line.name,
            variant_name=line.options,
            sku=line.sku,
            quantity=line.quantity,
            price=money(line.price),
            total=money(line.total),
            url=line.url,
            image=line.image,
        )

    def _stock(self, event: Event, product: Product) -> dict[str, Any]:
        """Named, priced and linked as the product, or the variant, is in Brevo."""
        variant = next((one for one in product.variants if one.id == event.variant_id), None)
        commerce = self._commerce
        told = assemble(
            commerce.traced_variant(product, variant) if variant else commerce.traced_product(product)
        )
        return _known(
            product_id=self._product(product.id),
            variant_id=self._variant(product.id, event.variant_id),
            name=told.get("name"),
            sku=told.get("sku"),
            price=told.get("price"),
            url=told.get("url"),
            image=told.get("imageUrl"),
            stock_before=event.stock_before,
            stock=event.stock,
            **self._drop(event),
        )

    def _drop(self, event: Event) -> dict[str, Any]:
        """Of a price that fell: what it was, and the cart in which the product lies."""
        if event.price_before is None:
            return {}
        return {
            "price_before": money(event.price_before),
            "currency": self._currency,
            "cart_id": event.cart_id,
            "cart_url": self._link(cart_key(event.cart_id)) if event.cart_id else "",
        }

    def _customer(self, customer: Customer) -> dict[str, Any]:
        return _known(
            customer_id=str(customer.id),
            storefront=self._commerce.storefront(customer.storefront),
            group=customer.group,
            created=_when(customer.created),
        )

    def _product(self, product: int) -> str:
        return f"{self._prefix}{product}" if product else ""

    def _variant(self, product: int, variant: int) -> str:
        return f"{self._prefix}{product}-{variant}" if product and variant else ""


def _known(**properties: Any) -> dict[str, Any]:
    """What is known of these."""
    return {name: value for name, value in properties.items() if value not in (None, "", [])}


def _fitted(properties: dict[str, Any], lines: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The properties with as many lines as Brevo takes; how many there are more stands in `items_left_out`.

    All else is bounded by what a store takes for a name or a code.
    """
    items: list[dict[str, Any]] = []
    left_out = 0
    room = MAX_BYTES - len(encode(properties | {"items": [], "items_left_out": 2**31}))
    for line in lines:
        room -= len(encode(line)) + 1
        if room < 0:
            left_out += 1
        else:
            items.append(line)
    return properties | {"items": items} | ({"items_left_out": left_out} if left_out else {})


def _nested(event: Event, properties: dict[str, Any]) -> dict[str, Any]:
    """As Brevo's tracker sends it: `{"id": "cart:1234", "data": {...}}` (docs/track-custom-events-js)."""
    record = event.record
    name = (
        f"cart:{record.uuid}" if isinstance(record, Cart) else properties.get("order_id", str(event.key.id))
    )
    return {"id": name, "data": properties}


def _occasion(event: Event) -> tuple[Any, ...]:
    """What makes it this event and no other of its kind."""
    named = (event.kind, event.key)
    if event.kind in ONCE:
        return named
    match event.record:
        case Order() as order:
            amounts = money(event.refunded), money(order.refunded), money(order.total)
            return (*named, event.status_before, order.status_id, *amounts, _when(order.modified))
        case Cart() as cart:
            return (*named, money(cart.total), _when(cart.updated))
        case Product() as product:
            if event.price_before is None or event.price is None:
                levels = (event.stock_before, event.stock)
                return (*named, event.variant_id, *levels, _when(product.modified))
            drop = money(event.price_before), money(event.price)
            return (*named, event.variant_id, *drop, event.cart_id, _when(product.modified))
        case Customer() as customer:
            return (*named, _when(customer.modified))


def _when(moment: datetime | None) -> str:
    return stamp(moment) if moment else ""
