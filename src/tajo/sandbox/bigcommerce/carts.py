"""/v3/carts and /v3/abandoned-carts (carts.v3, abandoned_carts.v3; facts, section 5).

There is no list of carts and none of abandoned ones. Carts are kept in memory only, as the real ones are
for 30 days. What the API puts into a cart must be for sale; a shopper's cart may hold what no longer is.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode
from uuid import uuid4

from . import cart_items, offers
from .wire import Answer, Call, Problem, Route, not_found, one

if TYPE_CHECKING:
    from asyncio import Task

    from .offers import Offer
    from .shapes import Record

SCOPE: Final = "store_cart"
ABANDONED_AFTER, LIFE = 3600, 30 * 86400
URL_LIFE: Final = 30 * 86400
DIGEST: Final = "merchant_abandoned_cart_digest_email_frequency"
INCLUDES: Final = (
    *(
        "redirect_urls",
        "line_items.physical_items.options",
        "line_items.digital_items.options",
        "promotions.banners",
    ),
)
CONFLICT: Final = (
    "The request cannot be processed due to a possible conflict. Please review the changes and try again."
)


@dataclass
class Cart:
    """A cart: `rest` when this API made it, not the storefront; `offer` is the coupon that it has.

    `tokens` are redirects that were not used yet, with the time of their making.

    `order` is the Incomplete order that the payment page made of it; `vigil` waits for it to be abandoned.
    """

    record: Record
    rest: bool
    touched: float
    order: int = 0
    vigil: Task[None] | None = None
    abandoned_token: str = ""
    offer: Offer | None = None
    tokens: dict[str, float] = field(default_factory=dict)

    @property
    def items(self) -> list[Record]:
        """Its catalogue items, physical and digital."""
        lines = self.record["line_items"]
        return [*lines["physical_items"], *lines["digital_items"]]


def create(call: Call) -> Answer:
    """POST /v3/carts."""
    return _shown(call, open_cart(call, call.fields(), rest=True, strict=True), 201)


def open_cart(call: Call, fields: Record, *, rest: bool, strict: bool) -> Cart:
    """A new cart: `created`, its line items, and the `updated` that always comes along.

    `strict` lets nothing in that is not for sale. The API cannot set the e-mail: that is the shopper's.
    """
    if rest and "email" in fields:
        call.world.suspect("email is not a field of a new cart")
    key, now = str(uuid4()), call.world.today()
    channel = fields.get("channel_id", 1)
    if call.store.channel(channel) is None:
        raise Problem(422, "Invalid cart.", {"channel_id": "unknown channel"})
    customer = fields.get("customer_id", 0)
    if customer and customer not in call.store.customers:
        raise Problem(422, "Invalid cart.", {"customer_id": "unknown customer"})
    record = {
        "id": key,
        "customer_id": customer,
        "channel_id": channel,
        "email": "" if rest else fields.get("email", ""),
        "currency": {"code": _currency(call, fields)},
        "tax_included": False,
        "base_amount": 0,
        "discount_amount": 0,
        "manual_discount_amount": 0,
        "cart_amount": 0,
        "coupons": [],
        "discounts": [],
        "line_items": {
            "physical_items": [],
            "digital_items": [],
            "gift_certificates": [],
            "custom_items": [],
        },
        "created_time": now,
        "updated_time": now,
        "locale": fields.get("locale", "en-US"),
        "version": 0,
    }
    cart = Cart(record, rest, call.world.clock())
    added = cart_items.add(call, cart, fields, strict=strict)
    call.world.carts[key] = cart
    call.world.emit("store/cart/created", "cart", key)
    changed(call, cart, "created", added)
    return cart


def changed(call: Call, cart: Cart, what: str = "", items: list[Record] | None = None) -> None:
    """Count the change, add up, tell it, and start the hour after which the cart counts as abandoned."""
    record = cart.record
    amount = cart_items.worth(cart)
    cart.record = {**record, "version": record["version"] + 1, "base_amount": amount}
    cart.record |= offers.deducted(call, cart, amount)
    cart.record["updated_time"] = call.world.today()
    cart.touched = call.world.clock()
    for item in items or ():
        call.world.emit(f"store/cart/lineItem/{what}", "cart_line_item", item["id"], cartId=record["id"])
    call.world.emit("store/cart/updated", "cart", record["id"])
    if cart.vigil:
        cart.vigil.cancel()
    cart.vigil = call.world.deliveries.start(_abandon(call, cart.record["id"], cart.record["version"]))


async def _abandon(call: Call, key: str, version: int) -> None:
    """`abandoned`, after at least one hour without change; carts without an e-mail too."""
    await call.world.deliveries.rest(ABANDONED_AFTER / call.world.time_scale)
    cart = call.world.carts.get(key)
    if cart and cart.record["version"] == version:
        cart.abandoned_token = secrets.token_hex(16)
        call.world.emit("store/cart/abandoned", "cart", key, token=cart.abandoned_token)


def find(call: Call, key: str) -> Cart:
    """A cart that still lives: 404 when it was converted, emptied, deleted, or untouched for 30 days."""
    cart = call.world.carts.get(key)
    if cart and call.world.clock() - cart.touched > LIFE / call.world.time_scale:
        del call.world.carts[key]
        cart = None
    if cart is None:
        raise not_found("v3")
    return cart


def read(call: Call) -> Answer:
    """GET /v3/carts/{id}."""
    return _shown(call, find(call, call.path["id"]))


def update(call: Call) -> Answer:
    """PUT /v3/carts/{id}: only the customer; 201, says the official file."""
    cart, fields = find(call, call.path["id"]), _versioned(call)
    if fields.get("customer_id") and fields["customer_id"] not in call.store.customers:
        raise Problem(422, "Invalid cart.", {"customer_id": "unknown customer"})
    cart.record["customer_id"] = fields.get("customer_id", cart.record["customer_id"])
    changed(call, cart)
    return _shown(call, cart, 201)


def delete(call: Call) -> Answer:
    """DELETE /v3/carts/{id}."""
    cart = find(call, call.path["id"])
    del call.world.carts[cart.record["id"]]
    call.world.emit("store/cart/deleted", "cart", cart.record["id"])
    return Answer(204)


def add_items(call: Call) -> Answer:
    """POST /v3/carts/{id}/items."""
    cart, fields = find(call, call.path["id"]), _versioned(call)
    changed(call, cart, "created", cart_items.add(call, cart, fields, strict=True))
    return _shown(call, cart, 201)


def update_item(call: Call) -> Answer:
    """PUT /v3/carts/{id}/items/{item}: quantity and list_price."""
    cart, fields = find(call, call.path["id"]), _versioned(call)
    item, wanted = _item(call, cart), fields.get("line_item") or {}
    merged = {**item, **({"sale_price": wanted["list_price"]} if "list_price" in wanted else {}), **wanted}
    if "product_id" in item:
        cart_items.check_quantity(call, cart, item, merged["quantity"])
    item.update(cart_items.amounts(merged["quantity"], merged["list_price"], merged["sale_price"]))
    changed(call, cart, "updated", [item])
    return _shown(call, cart)


def delete_item(call: Call) -> Answer:
    """DELETE /v3/carts/{id}/items/{item}: the last one takes the cart (204, `updated` and `deleted`)."""
    cart = find(call, call.path["id"])
    if call.body is not None:
        _versioned(call)
    item = _item(call, cart)
    for rows in cart.record["line_items"].values():
        rows[:] = [row for row in rows if row is not item]
    changed(call, cart, "deleted", [item])
    if any(cart.record["line_items"].values()):
        return _shown(call, cart)
    return delete(call)


def redirect_urls(call: Call) -> Answer:
    """POST /v3/carts/{id}/redirect_urls: only for carts that were made through REST."""
    cart = find(call, call.path["id"])
    if not cart.rest:
        raise Problem(
            422, "The cart must be recreated.", {"id": "the cart was not created through the REST API"}
        )
    return one(_urls(call, cart, (call.body or {}).get("query_params", {})), 201)


def _urls(call: Call, cart: Cart, extra: Record | list[Record]) -> Record:
    """URLs with one token; `query_params` is a map in the official example, a list of pairs elsewhere."""
    token = secrets.token_hex(32)
    cart.tokens[token] = call.world.clock()
    more = extra if isinstance(extra, dict) else {p["key"]: p["value"] for p in extra}

    def url(**words: str) -> str:
        return f"{call.root}/cart.php?" + urlencode(
            {**words, "id": cart.record["id"], "token": token, **more}
        )

    return {
        "cart_url": url(action="load"),
        "checkout_url": url(action="loadInCheckout"),
        "embedded_checkout_url": url(embedded="1", action="loadInCheckout"),
    }


def abandoned(call: Call) -> Answer:
    """GET /v3/abandoned-carts/{token}: the cart's id, and nothing else."""
    token = call.path["token"]
    found = next((key for key, cart in call.world.carts.items() if cart.abandoned_token == token), None)
    if found is None:
        raise not_found("v3")
    return one({"cart_id": found})


def settings(call: Call) -> Answer:
    """GET and PUT /v3/abandoned-carts/settings."""
    if call.method == "PUT":
        call.world.cart_settings |= _checked_settings(call)
    return one(call.world.cart_settings)


def channel_settings(call: Call) -> Answer:
    """GET and PUT of a channel's overrides: null inherits."""
    key = call.key("channel")
    if call.store.channel(key) is None:
        raise not_found("v3")
    own = call.world.channel_cart_settings.setdefault(key, dict.fromkeys(call.world.cart_settings))
    if call.method == "PUT":
        own |= _checked_settings(call, nulls=True)
    return one(own)


def _checked_settings(call: Call, *, nulls: bool = False) -> Record:
    """The known settings of a body; 422 for values of the wrong kind or out of range."""
    known = {k: v for k, v in call.fields().items() if k in call.world.cart_settings}
    for name, value in known.items():
        wanted = type(call.world.cart_settings[name])
        if type(value) is not wanted and not (nulls and value is None):
            raise Problem(422, "Invalid settings.", {name: f"must be {wanted.__name__}"})
    every = known.get(DIGEST)
    if every is not None and not 2 <= every <= 1000:
        raise Problem(422, "Invalid settings.", {DIGEST: "must be from 2 to 1000"})
    return known


def _versioned(call: Call) -> Record:
    """The body; 409 when it names a version that is not the cart's (optimistic concurrency)."""
    fields = call.fields()
    version = call.world.carts[call.path["id"]].record["version"]
    if fields.get("version", version) != version:
        raise Problem(409, CONFLICT)
    return fields


def _item(call: Call, cart: Cart) -> Record:
    rows = [row for rows in cart.record["line_items"].values() for row in rows]
    found: Record | None = next((row for row in rows if row["id"] == call.path["item"]), None)
    if found is None:
        raise not_found("v3")
    return found


def _shown(call: Call, cart: Cart, status: int = 200) -> Answer:
    """A cart: options of its items only when they are included."""
    words = call.includes(INCLUDES)
    lines: dict[str, list[Any]] = dict(cart.record["line_items"])
    for kind in cart_items.KINDS.values():
        if f"line_items.{kind}.options" not in words:
            lines[kind] = [{k: v for k, v in item.items() if k != "options"} for item in lines[kind]]
    out = {**cart.record, "line_items": lines}
    if "redirect_urls" in words and cart.rest:
        out["redirect_urls"] = _urls(call, cart, {})
    return one(out, status)


def redeem(call: Call, key: str, token: str) -> Cart:
    """The cart of a redirect URL at its first visit within 30 days; 404 for any other."""
    cart = call.world.carts.get(key)
    made = cart.tokens.pop(token, None) if cart else None
    if made is None or call.world.clock() - made > URL_LIFE / call.world.time_scale:
        raise Problem(404, "The link has been used up or has expired.")
    return find(call, key)


def _currency(call: Call, fields: Record) -> str:
    """The transactional currency of a cart; 400 for one that is only displayed, or unknown (carts.v3)."""
    code = str((fields.get("currency") or {}).get("code", call.store.info["currency"])).upper()
    if code not in {c["currency_code"] for c in call.store.currencies if c["is_transactional"]}:
        raise Problem(400, f"The currency {code} is not a transactional currency of this store.")
    return code


CART, SETTINGS, INFO = "/v3/carts/{id}", "/v3/abandoned-carts/settings", "store_v2_information"
SHAPE: Final = frozenset({"include"})
ROUTES = (
    Route("POST", "/v3/carts", create, SCOPE, SHAPE),
    Route("GET", CART, read, SCOPE, SHAPE),
    Route("PUT", CART, update, SCOPE, SHAPE),
    Route("DELETE", CART, delete, SCOPE),
    Route("POST", f"{CART}/items", add_items, SCOPE, SHAPE),
    Route("PUT", f"{CART}/items/{{item}}", update_item, SCOPE, SHAPE),
    Route("DELETE", f"{CART}/items/{{item}}", delete_item, SCOPE, SHAPE),
    Route("POST", f"{CART}/redirect_urls", redirect_urls, SCOPE),
    *(Route(method, SETTINGS, settings, INFO) for method in ("GET", "PUT")),
    *(Route(method, f"{SETTINGS}/channels/{{channel}}", channel_settings, INFO) for method in ("GET", "PUT")),
    Route("GET", "/v3/abandoned-carts/{token}", abandoned, INFO),
)
