"""The control surface for tests and people, outside /stores: it costs no quota and meets no faults.

GET /_sandbox/outbox, GET /_sandbox/counts, POST /_sandbox/faults and /_sandbox/suspend (`{"on": true}`),
and the shopper, whom no API can stand in for: POST /_sandbox/carts (a storefront cart), PUT
/_sandbox/carts/{id} (types an e-mail, adds items), POST /_sandbox/carts/{id}/checkout (pays). GET /cart.php
is where redirect URLs lead: once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from . import carts, order_writes
from .shapes import cents
from .wire import Answer, Call, Problem, Route

if TYPE_CHECKING:
    from .shapes import Record


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


def faults(call: Call) -> Answer:
    """POST /_sandbox/faults: switch them on or off."""
    call.world.faults.on = bool(call.fields().get("on")) and call.world.faults.faults is not None
    return Answer(200, {"on": call.world.faults.on})


def suspend(call: Call) -> Answer:
    """POST /_sandbox/suspend: the store answers 503, as one whose bill was not paid."""
    call.world.suspended = bool(call.fields().get("on"))
    return Answer(200, {"on": call.world.suspended})


def shop(call: Call) -> Answer:
    """POST /_sandbox/carts: a shopper fills a cart (the body of POST /v3/carts, and `email`)."""
    cart = carts.open_cart(call, call.fields(), rest=False)
    return Answer(201, cart.record)


def shop_on(call: Call) -> Answer:
    """PUT /_sandbox/carts/{id}: the shopper types an e-mail at the checkout."""
    cart = carts.find(call, call.path["id"])
    cart.record["email"] = call.fields().get("email", "")
    carts.changed(call, cart)
    return Answer(200, cart.record)


def checkout(call: Call) -> Answer:
    """POST /_sandbox/carts/{id}/checkout: an order (`status_id`, `billing_address`), and no cart any more."""
    cart, fields = carts.find(call, call.path["id"]), call.fields()
    products = call.store.products
    lines = []
    for item in cart.items:
        product = products[item["product_id"]]
        variant = next(v for v in product["variants"] if v["id"] == item["variant_id"])
        price = cents(item["sale_price"])
        lines.append(
            order_writes.priced(order_writes.line_of(product, variant), item["quantity"], price, price)
        )
    about: Record = {
        "status_id": 11,
        "customer_id": cart.record["customer_id"],
        "channel_id": cart.record["channel_id"],
        "payment_status": "captured",
        **fields,
        "billing_address": {"email": cart.record["email"], **fields.get("billing_address", {})},
    }
    order = order_writes.place(call, lines, about, cart.record["id"])
    del call.world.carts[cart.record["id"]]
    call.world.emit("store/cart/converted", "cart", cart.record["id"], orderId=order["id"])
    return Answer(201, {"order_id": order["id"]})


def redirected(call: Call) -> Answer:
    """GET /cart.php: a redirect URL's first visit leads to the shop's cart, every other one to nothing."""
    cart = call.world.carts.get(call.query.get("id", ""))
    token = call.query.get("token", "")
    if cart is None or token not in cart.tokens:
        raise Problem(404, "The link was used or has expired.")
    cart.tokens.remove(token)
    return Answer(302, None, {"Location": f"{call.store.info['secure_url']}/cart.php"})


def body_of(raw: bytes) -> Any:
    """The JSON of a request; None when it has no body; ValueError when it is not JSON."""
    return msgspec.json.decode(raw) if raw else None


ROUTES = (
    Route("GET", "/_sandbox/outbox", outbox, ""),
    Route("GET", "/_sandbox/counts", counts, ""),
    Route("POST", "/_sandbox/faults", faults, ""),
    Route("POST", "/_sandbox/suspend", suspend, ""),
    Route("POST", "/_sandbox/carts", shop, ""),
    Route("PUT", "/_sandbox/carts/{id}", shop_on, ""),
    Route("POST", "/_sandbox/carts/{id}/checkout", checkout, ""),
    Route("GET", "/cart.php", redirected, ""),
)
