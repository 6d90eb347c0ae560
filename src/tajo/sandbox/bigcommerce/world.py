"""One simulated store at work: its data, clock, limits, webhooks, and the record of what was asked of it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from . import dates

if TYPE_CHECKING:
    from .carts import Cart
    from .deliveries import Account, Deliveries
    from .faults import Stream
    from .limits import Quota
    from .shapes import Record
    from .store import Store

FAMILIES: Final = (
    *(
        "store_v2_customers",
        "store_v2_orders",
        "store_v2_products",
        "store_v2_information",
        "store_v2_marketing",
    ),
    *("store_v2_transactions", "store_v2_content", "store_content_checkout", "store_cart", "store_inventory"),
    *(
        "store_channel_settings",
        "store_channel_listings",
        "store_sites",
        "store_locations",
        "store_checkouts",
    ),
)
OUTBOX = 10_000
CART_SETTINGS: Final = {
    "enable_notification": False,
    "email_customer_until_cart_is_recovered": True,
    "marketing_emails_require_customer_consent": True,
    "email_merchant_when_cart_is_converted": False,
    "email_merchant_when_cart_is_abandoned": False,
    "merchant_email_address": "owner@example.com",
    "merchant_abandoned_cart_email_frequency_type": "digest",
    "merchant_abandoned_cart_digest_email_frequency": 10,
}


@dataclass
class World:
    """All that a handler may need besides its request; `accounts` are found by their access token."""

    store: Store
    accounts: dict[str, Account]
    clock: Callable[[], float]
    time_scale: float
    quota: Quota
    faults: Stream
    deliveries: Deliveries
    emails: list[str] = field(default_factory=list)
    cart_settings: Record = field(default_factory=lambda: dict(CART_SETTINGS))
    channel_cart_settings: dict[int, Record] = field(default_factory=dict)
    suspended: bool = False
    carts: dict[str, Cart] = field(default_factory=dict)
    redemptions: Counter[tuple[str, str]] = field(
        default_factory=Counter
    )  # of a code, by a customer or e-mail
    scripts: dict[str, Record] = field(default_factory=dict)
    cookie_banner: bool = False
    outbox: deque[Record] = field(default_factory=lambda: deque(maxlen=OUTBOX))
    received: int = 0
    routes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    suspicions: list[str] = field(default_factory=list)

    def now(self) -> int:
        """Epoch seconds."""
        return int(self.clock())

    def today(self, spelling: Callable[[int], str] = dates.zulu) -> str:
        """This moment, as a date in one of the API's spellings."""
        return spelling(self.now())

    def emit(self, scope: str, kind: str, key: Any, **more: Any) -> None:
        """Tell every hook that listens: `data` is `{type, id}` and what the scope adds (facts, section 7)."""
        self.deliveries.emit(scope, {"type": kind, "id": key, **more})

    def suspect(self, what: str) -> None:
        """Note something in the present request that the real API lets pass in silence."""
        self.suspicions.append(what)

    def record(self, route: str, entry: Record) -> None:
        """Keep a request for the outbox and the counts."""
        self.received += 1
        self.routes[route] += 1
        self.statuses[entry["status"]] += 1
        self.outbox.append({"n": self.received, **entry, "route": route, "suspicious": self.suspicions})
        self.suspicions = []
