"""Checks of the scopes: one cheap call each, which also tells how much there is to read."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from tajo.bigcommerce import Declined, wire
from tajo.bigcommerce.api import ACCOUNTS, scope
from tajo.bigcommerce.paging import ByCursor
from tajo.bigcommerce.resources import FULL, NAMED, every, read
from tajo.doctor.report import Finding, fine, many, note
from tajo.doctor.visit import Channel, Look, Visit, sound


class Status(Struct, frozen=True):
    """orders.v2: orderStatusCount."""

    id: int = 0
    count: int = 0


class OrderCounts(Struct, frozen=True):
    """orders.v2: ordersCount_Full."""

    count: int = 0
    statuses: list[Status] | None = None


STORE = msgspec.json.Decoder(wire.Store, strict=False).decode
ORDER_COUNTS = msgspec.json.Decoder(OrderCounts, strict=False).decode
CUSTOMERS = wire.pages_of(wire.Customer)
CHANNELS = wire.pages_of(Channel)
SITES = wire.pages_of(wire.Site)

CUSTOMER_PARAMS = {"include": "addresses,formfields", "limit": FULL}
NO_CART = "/v3/carts/00000000-0000-0000-0000-000000000000"
NEW_SCOPE = (
    f"a token's scopes cannot be changed: in the store's control panel, {ACCOUNTS}, create a new account "
    "with this scope too, and put its token, client id and client secret into the configuration. If the "
    "account has the scope, see whether the store's owner or plan has lapsed"
)


def allowed(path: str, lost: str, look: Look) -> Look:
    """`look`, which reads `path`: a 403 is told as the scope that is missing, and what is `lost` by that."""

    async def asked(visit: Visit) -> Sequence[Finding]:
        try:
            return await look(visit)
        except Declined as no:
            if no.status != 403:
                raise
            problem = f"The access token lacks the scope {scope(path)}: {lost}."
            raise Declined(403, problem, NEW_SCOPE) from None

    return asked


async def information(visit: Visit) -> Sequence[Finding]:
    """Store information: plan, currency."""
    visit.shop = await read(visit.store, "/v2/store", STORE, {})
    plan = f", plan {visit.shop.plan_level}" if visit.shop.plan_level else ""
    return [fine(f"The store's information can be read: amounts in {visit.shop.currency or '?'}{plan}.")]


async def customers(visit: Visit) -> Sequence[Finding]:
    """Customers: the first page is kept for the look at the data."""
    page = await read(visit.store, "/v3/customers", CUSTOMERS, CUSTOMER_PARAMS)
    visit.customers, visit.more_customers = page.rows, ByCursor().after("", page, FULL)
    return [fine(f"{many(page.pagination.total or len(page.rows), 'customer')} can be read.")]


async def orders(visit: Visit) -> Sequence[Finding]:
    """Orders, by their count."""
    found = await read(visit.store, "/v2/orders/count", ORDER_COUNTS, {})
    visit.statuses = {status.id: status.count for status in found.statuses or ()}
    return [fine(f"{many(found.count, 'order')} can be read.")]


async def products(visit: Visit) -> Sequence[Finding]:
    """Products, by their count."""
    params = {"limit": 1, "include_fields": "name"}
    page = await read(visit.store, "/v3/catalog/products", NAMED, params)
    return [fine(f"{many(page.pagination.total or len(page.rows), 'product')} can be read.")]


async def channels(visit: Visit) -> Sequence[Finding]:
    """The channels, through which the store sells."""
    rows = await every(visit.store, "/v3/channels", CHANNELS)
    visit.channels = sound(rows)
    return [fine(f"{many(len(visit.channels), 'sales channel')} can be read.")]


async def sites(visit: Visit) -> Sequence[Finding]:
    """The sites of the channels."""
    rows = await every(visit.store, "/v3/sites", SITES)
    visit.sites = sound(rows)
    return [fine(f"{many(len(visit.sites), 'site')} of the sales channels can be read.")]


async def carts(visit: Visit) -> Sequence[Finding]:
    """Carts cannot be listed, so we ask for one that cannot be: whoever may not read them is told so."""
    try:
        await visit.store.get(NO_CART, bytes, route="/v3/carts/{id}")
    except Declined as no:
        if no.status == 403:
            words = f"The access token lacks the scope {scope(NO_CART)}: carts cannot be followed."
            return [note(words, f"if they shall be, {NEW_SCOPE}; if not, write `carts: false` under `sync:`")]
        if no.status == 401:
            raise
    return [fine("Carts can be read.")]
