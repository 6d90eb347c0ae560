"""Orders: `/orders/status`, `/orders/status/batch`, `/orders` (brevo.md section 3.1).

Shape (missing fields, wrong JSON types) is checked before anything else and refuses the whole request. Sense
(an identifier, real dates, quantity xor quantityFloat) refuses a single order with 400, while a batch drops
the senseless ones without a word: no status endpoint for a batch exists. An order creates no contact in the
simulator (undocumented); it is kept, and shows the `contact_id` of whoever holds its identifiers when it is
read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from .phones import phone_number
from .wire import Answer, Refusal, email_address, instant, invalid, iso, missing, page_of

if TYPE_CHECKING:
    from .account import Account
    from .book import Contact
    from .wire import Call

MOST_ORDERS = 1_000
LARGEST_BATCH = 5 * 1024 * 1024
"""1,000 orders or 5 MB (developers.brevo.com/docs/import-your-orders)."""

_APPLY_SECONDS = 0.2


class Identifiers(msgspec.Struct, omit_defaults=True):
    """Who bought: at least one is required by the guide, although the schema marks it optional."""

    email_id: str | None = None
    ext_id: str | None = None
    phone_id: str | None = None
    loyalty_subscription_id: str | None = None


class Billing(msgspec.Struct, omit_defaults=True):
    """Billing details; every field is optional."""

    address: str | None = None
    city: str | None = None
    country: str | None = None
    countryCode: str | None = None  # noqa: N815 - names as on the wire
    paymentMethod: str | None = None  # noqa: N815
    phone: str | None = None
    postCode: str | None = None  # noqa: N815
    region: str | None = None


class Line(msgspec.Struct, omit_defaults=True):
    """One product of an order; `price` is the unit price in the account's currency."""

    productId: str  # noqa: N815
    price: float
    quantity: int | None = None
    quantityFloat: float | None = None  # noqa: N815
    variantId: str | None = None  # noqa: N815


class Order(msgspec.Struct, omit_defaults=True):
    """An order as it is sent and kept; `amount` includes shipping and tax, dates are UTC date-times."""

    id: str
    createdAt: str  # noqa: N815
    updatedAt: str  # noqa: N815
    status: str
    amount: float
    products: list[Line]
    storeId: str | None = None  # noqa: N815
    identifiers: Identifiers | None = None
    coupons: list[str] | None = None
    billing: Billing | None = None
    metaInfo: dict[str, str | int | bool] | None = None  # noqa: N815

    def check(self) -> None:
        """Refuse an order that makes no sense."""
        if not self.id or not self.status:
            raise missing("id and status are required")
        instant(self.createdAt, "createdAt")
        instant(self.updatedAt, "updatedAt")
        who = self.identifiers
        if who is None or not (who.email_id or who.ext_id or who.phone_id or who.loyalty_subscription_id):
            raise missing("At least one identifier is required")
        if who.email_id and email_address(who.email_id) is None:
            raise invalid("identifiers.email_id is not a valid email")
        if who.phone_id and phone_number(who.phone_id) is None:
            raise invalid("identifiers.phone_id is not a valid phone number")
        for line in self.products:
            if (line.quantity is None) == (line.quantityFloat is None):
                raise invalid("Either quantity or quantityFloat is required for each product, not both")


class OrderBatch(msgspec.Struct):
    """The body of a batch; `historical` orders start no automation, and that is the default."""

    orders: list[Order]
    historical: bool = True
    notifyUrl: str | None = None  # noqa: N815


class Orders:
    """All orders by id, in order of their first arrival."""

    def __init__(self) -> None:
        self.items: dict[str, Order] = {}
        self.batches = 0


def save(account: Account, call: Call) -> Answer:
    """POST /orders/status: create or update by id, 204."""
    account.require_commerce()
    order = call.read(Order)
    order.check()
    _keep(account, order, "live")
    return Answer(204)


def save_batch(account: Account, call: Call) -> Answer:
    """POST /orders/status/batch: 202 at once, applied a moment later."""
    account.require_commerce()
    if len(call.body) > LARGEST_BATCH:
        raise Refusal(400, "out_of_range", "Maximum allowed body size is 5MB")
    batch = call.read(OrderBatch)
    if not 1 <= len(batch.orders) <= MOST_ORDERS:
        raise Refusal(400, "out_of_range", f"orders should hold between 1 and {MOST_ORDERS} orders")
    account.orders.batches += 1
    number = account.orders.batches

    async def apply() -> None:
        for order in batch.orders:
            try:
                order.check()
            except Refusal:
                continue
            _keep(account, order, "historical" if batch.historical else "live")
        if batch.notifyUrl:
            account.deliveries.call_back(batch.notifyUrl, {"batchId": number})

    account.agenda.after(_APPLY_SECONDS + account.weather.dawdles(), apply)
    return Answer(202, {"batchId": number, "count": len(batch.orders)})


def index(account: Account, call: Call) -> Answer:
    """GET /orders: at most 100 a page (OAS25); the filters look at the orders' own dates."""
    account.require_commerce()
    limit, offset = call.page(default=50, most=100)
    modified, created = call.since("modifiedSince"), call.since("createdSince")
    found = [
        order
        for order in account.orders.items.values()
        if (modified is None or instant(order.updatedAt, "updatedAt") > modified)
        and (created is None or instant(order.createdAt, "createdAt") > created)
    ]
    page = page_of(found, limit, offset, ascending=call.ascending())
    return Answer(200, {"orders": [_shown(account, order) for order in page], "count": len(found)})


def _keep(account: Account, order: Order, manner: Literal["live", "historical"]) -> None:
    account.orders.items[order.id] = order
    account.journal.orders[manner] += 1


def _shown(account: Account, order: Order) -> dict[str, Any]:
    """Give an order as WM shows it: `contact_id` and `email` when the contact is known, dates normalised."""
    item: dict[str, Any] = msgspec.to_builtins(order)
    item["createdAt"] = iso(instant(order.createdAt, "createdAt"))
    item["updatedAt"] = iso(instant(order.updatedAt, "updatedAt"))
    if contact := _buyer(account, order):
        item["contact_id"] = contact.id
        item["email"] = contact.email or ""
    return item


def _buyer(account: Account, order: Order) -> Contact | None:
    who = order.identifiers or Identifiers()
    if who.ext_id and (contact := account.book.find("ext_id", who.ext_id)):
        return contact
    if who.email_id and (contact := account.book.find("email", who.email_id.lower())):
        return contact
    number = phone_number(who.phone_id)
    return account.book.find("sms", number) if number else None
