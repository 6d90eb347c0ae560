"""The control surface for tests and people, outside /stores: it costs no quota and meets no faults.

What was asked and what happened: GET /_sandbox/outbox and /counts; as JSON lines /customers, /subscribers,
/orders (archived ones too, at the end), /refunds, /products, /categories, /carts, /hooks, /events (whatever
webhooks were raised) and /deliveries (whatever was sent). Made for stores of a test's size.

What may go wrong: POST /_sandbox/faults (`{"on": true}`, or shares of `Faults` like `{"hook_lost": 0.1}`),
/suspend (`{"on": true}`), /accounts (another API account), DELETE /accounts/{client_id} (with its hooks and
scripts).

The shopper, whom no API can stand in for: POST /_sandbox/carts (a storefront cart), POST /carts/{id}/items
(one thing more; neither asks whether the goods are still for sale), PUT /carts/{id} (types an e-mail), POST
/carts/{id}/checkout (the payment page, and the payment; of any cart). What a browser sees: `storefront`.

The staff: /_sandbox/panel/stores/{hash}/v3/... is the API as the control panel has it, with any account's
token, and without quota, scopes, faults or record: stock per location is adjusted there, too. POST
/_sandbox/cookie-banner (`{"on": true}`) asks shoppers for consent before scripts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

import msgspec

from . import cart_items, carts, offers, order_writes, subscribers
from .deliveries import Account
from .faults import Faults
from .shapes import LINE, cents, money
from .wire import Answer, Call, Problem, Route
from .world import FAMILIES

if TYPE_CHECKING:
    from .carts import Cart
    from .shapes import Record
    from .world import World

INCOMPLETE, AWAITING_PAYMENT, PAID = 0, 7, 11
RATES: Final = frozenset(f.name for f in fields(Faults))
DUMPS: Final[dict[str, Callable[[World], Iterable[Any]]]] = {
    "customers": lambda world: world.store.customers,
    "subscribers": lambda world: world.store.subscribers,
    "orders": lambda world: [*world.store.orders, *world.store.archived.values()],
    "refunds": lambda world: world.store.refunds,
    "products": lambda world: world.store.products,
    "categories": lambda world: world.store.categories,
    "carts": lambda world: [cart.record for cart in world.carts.values()],
    "hooks": lambda world: [
        {"id": h.id, "client_id": h.account.client_id, "scope": h.scope}
        | {"destination": h.destination, "state": h.state}
        for h in world.deliveries.hooks.values()
    ],
    "events": lambda world: world.deliveries.events,
    "deliveries": lambda world: world.deliveries.attempts,
}


def outbox(call: Call) -> Answer:
    """GET /_sandbox/outbox?since=n: the requests received after number n, of the last 10,000."""
    since = int(call.query.get("since", 0))
    return Answer(200, {"requests": [entry for entry in call.world.outbox if entry["n"] > since]})


def counts(call: Call) -> Answer:
    """GET /_sandbox/counts: requests by route template and by status since the start."""
    world = call.world
    statuses = {str(status): n for status, n in sorted(world.statuses.items())}
    return Answer(
        200, {"total": world.received, "routes": dict(sorted(world.routes.items())), "statuses": statuses}
    )


def _dump(rows: Callable[[World], Iterable[Any]]) -> Callable[[Call], Answer]:
    def handler(call: Call) -> Answer:
        lines = msgspec.json.Encoder().encode_lines(list(rows(call.world)))
        return Answer(200, lines, {"Content-Type": "application/x-ndjson"})

    return handler


def faults(call: Call) -> Answer:
    """POST /_sandbox/faults: switch them on or off, or change some shares (which switches them on)."""
    given = dict(call.fields())
    on = bool(given.pop("on", True))
    unknown = given.keys() - RATES
    if unknown:
        raise Problem(422, f"No such faults: {', '.join(sorted(unknown))}.")
    stream = call.world.faults
    stream.change(given)
    stream.on = on
    return Answer(200, {"on": stream.on, **{name: getattr(stream.faults, name) for name in sorted(RATES)}})


def suspend(call: Call) -> Answer:
    """POST /_sandbox/suspend: the store answers 503, as one whose bill was not paid."""
    call.world.suspended = bool(call.fields().get("on"))
    return Answer(200, {"on": call.world.suspended})


def add_account(call: Call) -> Answer:
    """POST /_sandbox/accounts {client_id, client_secret, access_token}: one more, that may do everything."""
    about = call.fields()
    account = Account(about["client_id"], about["client_secret"], frozenset(FAMILIES))
    call.world.accounts[about["access_token"]] = account
    return Answer(201, {"client_id": account.client_id})


def delete_account(call: Call) -> Answer:
    """DELETE /_sandbox/accounts/{client_id}: its token and its webhooks are no more (facts, section 7)."""
    gone, world = call.path["client_id"], call.world
    world.accounts = {token: a for token, a in world.accounts.items() if a.client_id != gone}
    for hook in [h for h in world.deliveries.hooks.values() if h.account.client_id == gone]:
        del world.deliveries.hooks[hook.id]
    for script in [s for s in world.scripts.values() if s["api_client_id"] == gone and s["auto_uninstall"]]:
        del world.scripts[script["uuid"]]
    return Answer(204)


def cookie_banner(call: Call) -> Answer:
    """POST /_sandbox/cookie-banner: shoppers are asked for consent, and scripts of unknown category hide."""
    call.world.cookie_banner = bool(call.fields().get("on"))
    return Answer(200, {"on": call.world.cookie_banner})


def shop(call: Call) -> Answer:
    """POST /_sandbox/carts: a shopper fills a cart (the body of POST /v3/carts, and `email`)."""
    cart = carts.open_cart(call, call.fields(), rest=False, strict=False)
    return Answer(201, cart.record)


def shop_more(call: Call) -> Answer:
    """POST /_sandbox/carts/{id}/items: the shopper adds to a cart (the body of POST /v3/carts/{id}/items)."""
    cart = carts.find(call, call.path["id"])
    carts.changed(call, cart, "created", cart_items.add(call, cart, call.fields(), strict=False))
    return Answer(201, cart.record)


def shop_on(call: Call) -> Answer:
    """PUT /_sandbox/carts/{id}: the shopper types an e-mail at the checkout."""
    cart = carts.find(call, call.path["id"])
    cart.record["email"] = call.fields().get("email", "")
    carts.changed(call, cart)
    return Answer(200, cart.record)


def checkout(call: Call) -> Answer:
    """POST /_sandbox/carts/{id}/checkout: the payment page makes an Incomplete order, the payment a real one.

    With `"status_id": 0` the shopper leaves at the payment page: order/created, and the cart lives on; the
    next checkout is of the same order. Otherwise (11 unless given) the order gets its status and the cart is
    converted. Takes `billing_address` and other writable fields of an order.
    """
    cart, about = carts.find(call, call.path["id"]), dict(call.fields())
    status_id = about.pop("status_id", PAID)
    billing = {**_account_of(call, cart), **about.pop("billing_address", {})}
    if not billing["email"]:
        raise Problem(422, "The checkout needs an e-mail.", {"billing_address": "email is required"})
    if billing["email"] != cart.record["email"]:
        cart.record["email"] = billing["email"]
        carts.changed(call, cart)
    cart.record |= offers.deducted(call, cart, cart_items.worth(cart))  # a code may have ended since
    lines = [_line(call, item) for item in cart.items]
    lines += [_custom_line(item) for item in cart.record["line_items"]["custom_items"]]
    order = call.store.orders.get(cart.order)
    first = order is None or order["status_id"] != INCOMPLETE
    if order is None or first:
        whose = {name: cart.record[name] for name in ("customer_id", "channel_id")}
        born = {**whose, **about, "status_id": INCOMPLETE, "billing_address": billing}
        order = order_writes.place(call, lines, born, cart.record["id"])
        cart.order = order["id"]
    known = {k: v for k, v in about.items() if k in order_writes.WRITABLE}
    new = {**order, **order_writes.of_lines(cart.order, lines), **known}
    new |= order_writes.less_coupons(new, cart.record["coupons"])
    new["billing_address"] = {**order["billing_address"], **billing}
    subscriber = subscribers.of_checkout(call, new)
    if status_id == INCOMPLETE and first:
        call.store.orders.put(cart.order, new)
    elif status_id == INCOMPLETE:
        order_writes.save(call, order, new, INCOMPLETE)
    if status_id != INCOMPLETE:
        new["payment_status"] = "" if status_id == AWAITING_PAYMENT else "captured"
        order_writes.save(call, order, new, status_id)
        offers.redeemed(call, cart)
        del call.world.carts[cart.record["id"]]
        call.world.emit("store/cart/converted", "cart", cart.record["id"], orderId=cart.order)
    order = call.store.orders[cart.order]
    shown = {name: order[name] for name in ("status_id", "total_inc_tax", "line_items")}
    return Answer(201, {"order_id": cart.order, **shown, "subscriber": subscriber})


def _account_of(call: Call, cart: Cart) -> Record:
    """What the checkout knows of the shopper before anything is typed: the cart's e-mail, the account."""
    customer = call.store.customers.get(cart.record["customer_id"]) or {}
    names = {name: customer.get(name, "") for name in ("first_name", "last_name")}
    return {**names, "email": cart.record["email"] or customer.get("email", "")}


def _line(call: Call, item: Record) -> Record:
    """The order line of a cart's item; a product that was deleted since is sold all the same."""
    product = call.store.products.get(item["product_id"])
    variants = product["variants"] if product else []
    variant = next((v for v in variants if v["id"] == item["variant_id"]), None)
    price = cents(item["sale_price"])
    sold = {"id": item["product_id"], "name": item["name"], "type": "physical"}
    of = order_writes.line_of(product or sold, variant or {"id": item["variant_id"], "sku": item["sku"]})
    line = order_writes.priced(of, item["quantity"], price, price)
    off = cents(item["coupon_amount"])
    if not off:
        return line
    discount = {"id": "coupon", "amount": money(off), "name": "Coupon", "code": "", "target": "order"}
    paid = money(cents(line["total_inc_tax"]) - off)
    return {**line, "applied_discounts": [discount], "discounted_total_inc_tax": paid}


def _custom_line(item: Record) -> Record:
    """The order line of something that is not in the catalogue: it has no variant."""
    price = cents(item["list_price"])
    named = {"name": item["name"], "name_customer": item["name"], "name_merchant": item["name"]}
    line = {**LINE, **named, "sku": item["sku"], "product_id": 0, "type": "physical"}
    del line["variant_id"]
    return order_writes.priced(line, item["quantity"], price, price)


def body_of(raw: bytes) -> Any:
    """The JSON of a request; None when it has no body; ValueError when it is not JSON."""
    return msgspec.json.decode(raw) if raw else None


ROUTES = (
    Route("GET", "/_sandbox/outbox", outbox, ""),
    Route("GET", "/_sandbox/counts", counts, ""),
    Route("POST", "/_sandbox/faults", faults, ""),
    Route("POST", "/_sandbox/suspend", suspend, ""),
    Route("POST", "/_sandbox/accounts", add_account, ""),
    Route("DELETE", "/_sandbox/accounts/{client_id}", delete_account, ""),
    Route("POST", "/_sandbox/carts", shop, ""),
    Route("PUT", "/_sandbox/carts/{id}", shop_on, ""),
    Route("POST", "/_sandbox/carts/{id}/checkout", checkout, ""),
    Route("POST", "/_sandbox/carts/{id}/items", shop_more, ""),
    Route("POST", "/_sandbox/cookie-banner", cookie_banner, ""),
    *(Route("GET", f"/_sandbox/{name}", _dump(rows), "") for name, rows in DUMPS.items()),
)
