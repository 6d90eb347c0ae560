"""What a webhook of BigCommerce says, and whether to believe it. Pure.

A callback names things and never tells their state (webhooks.v3: webhook_callback_base):
`{"scope", "store_id", "data", "hash", "created_at", "producer"}`. `store_id` is not the store hash, `hash`
is no proof of anything. Two things are: a header of our own that BigCommerce sends back, and a signature by
Standard Webhooks with the API account's client secret (facts, section 7).
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from tajo.errors import TajoError
from tajo.sync.model import Key, Notice, Resource, cart_key

DOOR, FAILED = "/webhooks/bigcommerce", "/exceptions"
"""Where a store calls us, the connector's name behind it; and what is behind that for failed deliveries."""

SECRET_HEADER = "x-tajo-secret"  # noqa: S105 - the header's name
OLDEST = 3 * 86400.0  # seconds: retries go on for 48 hours, and may bear their first timestamp
AHEAD = 600.0  # seconds by which a clock may be fast

#: Scopes that people write and BigCommerce does not have, with what they mean (facts, section 11).
ALIASES: Mapping[str, tuple[str, ...]] = {
    "store/inventory/updated": (
        "store/product/inventory/updated",
        "store/product/inventory/order/updated",
        "store/sku/inventory/updated",
        "store/sku/inventory/order/updated",
        "store/channel/*/inventory/product/stock_changed",
    ),
}


class Forged(TajoError):
    """A callback that did not come from our store: answer 401."""


class Malformed(TajoError):
    """A callback that is no callback of BigCommerce: answer 400."""


class _Callback(Struct, frozen=True):
    scope: str
    data: dict[str, Any] | list[Any]
    producer: str
    created_at: Any = None


_decode = msgspec.json.Decoder(_Callback).decode


class Trust(Struct, frozen=True):
    """What must be true of a callback before anybody looks at what it says.

    `producer`: `stores/{hash}`. `secret`: the value of our own header. `client_secret`: the API account's;
    without it no signature can be checked. `strict`: a signature must be there, and hold.
    """

    producer: str
    secret: str
    client_secret: str | None = None
    strict: bool = False

    def __repr__(self) -> str:
        return f"Trust({self.producer})"

    def believe(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Return if the callback is our store's. `now`: seconds since 1970.

        Raises `Forged`; and `Malformed`, after all proofs, where the body names no store. The age of a
        callback without a signature is not judged: `created_at` is not proven, and not well defined
        (webhooks.v3 calls it the creation of the webhook).
        """
        said = {name.lower(): text for name, text in headers.items()}
        if not self.secret or not _same(said.get(SECRET_HEADER, ""), self.secret):
            raise Forged(f"the header {SECRET_HEADER} is missing or wrong")
        if self.client_secret and "webhook-signature" in said:
            _verify(self.client_secret, said, body, now)
        elif self.strict:
            raise Forged("there is no signature that could be checked")
        if _callback(body).producer != self.producer:
            raise Forged("the callback is of another store")


def read(body: bytes) -> Notice:
    """What to look at. Raises `Malformed` where the body is no callback."""
    said = _callback(body)
    return _notice(said.scope, said.data, said.created_at)


def from_parts(topic: str, payload: Mapping[str, Any]) -> Notice:
    """The same for who receives webhooks in an application of their own.

    `topic` is the scope, `payload` the whole callback or only its `data`. Raises `Malformed`.
    """
    data = payload.get("data", payload)
    if not _SCOPE.fullmatch(topic):
        raise Malformed("a scope is written such as store/order/updated")
    if not isinstance(data, Mapping | list):
        raise Malformed("`data` of a callback must be an object or a list")
    return _notice(topic, data, payload.get("created_at"))


def _callback(body: bytes) -> _Callback:
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        raise Malformed(f"a callback has scope, data and producer: {error}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Malformed("the body is no JSON") from None


# -- the proofs


def _verify(client_secret: str, said: Mapping[str, str], body: bytes, now: float) -> None:
    """Standard Webhooks: `{id}.{timestamp}.{body}` by HMAC-SHA-256, in one of several signatures.

    The key is the client secret as it is: the docs encode it for a library that decodes it again.
    That library allows five minutes of age, which would turn away BigCommerce's own retries.
    """
    name, timestamp = said.get("webhook-id", ""), said.get("webhook-timestamp", "")
    signed = f"{name}.{timestamp}.".encode() + body
    right = b64encode(hmac.digest(client_secret.encode(), signed, "sha256")).decode()
    signatures = [part.removeprefix("v1,") for part in said["webhook-signature"].split() if part[:3] == "v1,"]
    if not any(_same(signature, right) for signature in signatures):
        raise Forged("the signature does not hold")
    if not re.fullmatch("[0-9]{1,12}", timestamp):
        raise Forged("the signature has no time")
    if not now - OLDEST <= int(timestamp) <= now + AHEAD:
        raise Forged("the signature is older than three days, or of the future")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


# -- the scopes

Names = tuple[tuple[Resource, str], ...]  # what is named, and where in `data` its id stands

CUSTOMER, SUBSCRIBER = Resource.CUSTOMERS, Resource.SUBSCRIBERS
ORDER, REFUND, CART = Resource.ORDERS, Resource.REFUNDS, Resource.CARTS
PRODUCT, CATEGORY = Resource.PRODUCTS, Resource.CATEGORIES

#: Every scope but its leading `store/`, as a pattern; the first that fits decides. Events of a channel
#: repeat those of the store with other words (webhook callbacks; channels and inventory events).
NAMING: tuple[tuple[str, Names], ...] = (
    (r"(.+/)?metafield/\w+", ()),
    (r"customer/(created|updated|deleted)", ((CUSTOMER, "id"),)),
    # `id` is the address's, whatever `type` says; one example of BigCommerce's ends in `update`
    (r"customer/address/(created|updated?|deleted)", ((CUSTOMER, "address.customer_id"),)),
    (r"customer/channel/login/access/updated", ((CUSTOMER, "customer_id"),)),
    (r"customer/payment/instrument/default/updated", ()),
    (r"subscriber/(created|updated|deleted)", ((SUBSCRIBER, "id"),)),
    (r"order/(created|updated|archived|statusUpdated)", ((ORDER, "id"),)),
    (r"order/refund/created", ((REFUND, "refund.refund_id"), (ORDER, "id"))),
    (r"order/transaction/(created|updated)", ((ORDER, "order_id"),)),
    (r"order/message/created", ()),
    (r"shipment/(created|updated|deleted)", ((ORDER, "orderId"),)),
    (r"cart/(created|updated|deleted|couponApplied|abandoned)", ((CART, "id"),)),
    (r"cart/converted", ((CART, "id"), (ORDER, "orderId"))),
    (r"cart/lineItem/(created|updated|deleted)", ((CART, "cartId"),)),
    (r"product/(created|updated|deleted)", ((PRODUCT, "id"),)),
    (r"sku/(created|updated|deleted)", ((PRODUCT, "sku.product_id"),)),
    (r"(product|sku)/inventory/(order/)?updated", ((PRODUCT, "inventory.product_id"),)),
    # no scope of BigCommerce's: people write it for all those above, see ALIASES
    (r"inventory/updated", ((PRODUCT, "inventory.product_id"), (PRODUCT, "product_id"))),
    (r"category/(created|updated|deleted)", ((CATEGORY, "id"),)),
    (r"channel/[\d*]+/order/message/created", ()),
    (r"channel/[\d*]+/order/(refund/)?\w+", ((ORDER, "order_id"),)),
    (r"channel/[\d*]+/cart/(lineItem/)?\w+", ((CART, "cart_id"),)),
    (r"channel/[\d*]+/category/(created|updated|deleted)", ((CATEGORY, "category_id"),)),
    (r"channel/[\d*]+/(category/)?product/(un)?assigned", ((PRODUCT, "product_id"),)),
    (r"channel/[\d*]+/inventory/product/\w+", ((PRODUCT, "product_id"),)),
    (
        r"channel/[\d*]+/(categoryTree|email|notifications|page|script|settings|socialMediaLinks|theme)/.+",
        (),
    ),
    (r"channel/(created|updated)", ()),
    (r"priceLists?/.+", ()),
    (r"(option|modifier)/updated", ()),  # overrides for a channel and locale, which REST does not show
    (r"(information|redirects|inventory/location)/\w+", ()),
    (r"app/uninstalled|hook/deliveryException", ()),
)
_NAMING = [(re.compile(f"store/(?:{pattern})", re.ASCII), names) for pattern, names in NAMING]
_SCOPE = re.compile(r"store/[\w/*]+", re.ASCII)
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def _notice(scope: str, data: Any, created_at: Any) -> Notice:
    """A scope that we know, with a `data` in which nothing is found, is not understood either."""
    names = next((names for pattern, names in _NAMING if pattern.fullmatch(scope)), None)
    keys = dict(found for resource, path in names or () if (found := _key(resource, _at(data, path))))
    return Notice(
        scope=scope,
        keys=tuple(keys),
        carts=tuple(uuid for uuid in keys.values() if uuid),
        created=float(_number(created_at)),
        known=names is not None and bool(keys or not names),
    )


def _at(data: Any, path: str) -> Any:
    for step in path.split("."):
        data = data.get(step) if isinstance(data, Mapping) else None
    return data


def _key(resource: Resource, value: Any) -> tuple[Key, str] | None:
    """The key that an id makes, with its UUID if it is a cart's; None for what is no id."""
    if resource is CART:
        return (cart_key(value), value) if isinstance(value, str) and _UUID.fullmatch(value) else None
    number = _number(value)
    return (Key(resource, number), "") if number else None


def _number(value: Any) -> int:
    """A whole number that a ledger can hold, also where it comes as text; 0 for anything else."""
    if isinstance(value, str) and re.fullmatch("[0-9]{1,19}", value):
        value = int(value)
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63
    return value if fits else 0
