"""A BigCommerce store as a `Source`: the doors of `sync.ports`, over the table in `resources`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from tajo.bigcommerce import records, wire
from tajo.bigcommerce.api import Api, Declined
from tajo.bigcommerce.inventory import Inventory, Locations
from tajo.bigcommerce.promotions import Promotions
from tajo.bigcommerce.resources import (
    LATEST_FIRST,
    LISTINGS,
    NAMED,
    Desk,
    Listing,
    carts,
    every,
    groups,
    read,
    refunds_of,
)
from tajo.bigcommerce.statuses import REFUNDED
from tajo.bigcommerce.values import Unreadable, moment
from tajo.bigcommerce.walk import walk
from tajo.errors import Mend
from tajo.http import Clock
from tajo.sync.model import Batch, Change, Key, Order, Refund, Resource, Store

STORE = msgspec.json.Decoder(wire.Store, strict=False).decode
COUNT = msgspec.json.Decoder(wire.OrderCount, strict=False).decode
SITES = wire.pages_of(wire.Site)
SUBSCRIBERS = wire.pages_of(wire.Subscriber)
GROUPS = wire.lists_of(wire.Named)
NEWSLETTER = "marketing_newsletter"  # the consent to marketing mail (subscribers.v3: consents)


class BigCommerceSource:
    """Reads one store. Implements `tajo.sync.ports.Source`.

    `locations`: those whose stock counts; None: stock is what the catalogue says.
    """

    def __init__(self, api: Api, *, clock: Clock | None = None, locations: Locations | None = None) -> None:
        self._api = api
        self._clock = clock or api.clock
        self._restock = Inventory(api, locations).restock if locations else None
        self._promotions = Promotions(api, self._clock)
        self._opened: Desk | None = None

    async def open(self) -> Store:
        """Store, channels, their sites and the customer groups, in four calls."""
        self._opened = await self._open()
        return self._opened.store

    async def pages(self, resource: Resource, *, since: datetime | None, cursor: str) -> AsyncIterator[Batch]:
        """See `Source.pages`. A cursor that BigCommerce no longer takes starts over."""
        desk, listing = await self._desk(), LISTINGS[resource]
        if since is None and not cursor:
            desk.forget()
        follow = self._whole if listing.whole else self._stream
        async for batch in follow(desk, resource, _filters(listing, since), cursor):
            yield batch

    async def fetch(self, resource: Resource, ids: Sequence[int]) -> Batch:
        """See `Source.fetch`. An id that is missing beside an unreadable row may be just that row."""
        desk, listing = await self._desk(), LISTINGS[resource]
        wanted = list(dict.fromkeys(ids))
        read_at = self._clock.now()
        changes = await listing.read(desk, await listing.look(desk, listing, wanted)) if wanted else []
        found = {change.key.id: change for change in changes}
        nameless = found[0].flaw if 0 in found else ""
        return Batch(
            resource,
            [found.get(one) or Change(Key(resource, one), None, nameless) for one in wanted],
            read_at,
        )

    async def fetch_carts(self, uuids: Sequence[str]) -> Batch:
        """Look at these carts now. One that is gone has no record: bought, emptied, or 30 days untouched."""
        desk, read_at = await self._desk(), self._clock.now()
        return Batch(Resource.CARTS, await carts(desk, list(dict.fromkeys(uuids))), read_at)

    async def companions(self, batch: Batch) -> Sequence[Batch]:
        """See `Source.companions`: the refunds of orders whose status says that there are any, and those
        beside a refund that was named.
        """
        records = [change.record for change in batch.changes]
        ids = {one.id for one in records if isinstance(one, Order) and one.status_id in REFUNDED}
        ids |= {one.order_id for one in records if isinstance(one, Refund)}
        if not ids:
            return []
        desk, read_at = await self._desk(), self._clock.now()
        return [Batch(Resource.REFUNDS, await refunds_of(desk, sorted(ids)), read_at)]

    async def newest(self, resource: Resource) -> float | None:
        """See `Source.newest`: by the store's own dates, in one call."""
        listing = LISTINGS[resource]
        params = {**LATEST_FIRST[resource], "limit": 1}
        page = await read(self._api, listing.path, listing.decode, params)
        for row in _sound(page.rows)[:1]:
            with suppress(Unreadable):
                when = moment(row.date_modified, "date_modified")
                return when.timestamp() if when else None
        return None

    async def unsubscribe(self, email: str) -> bool | None:
        """Take the consent to marketing mail from everybody with this e-mail; whether anything changed.

        Each storefront may have a newsletter record of its own; other consents stay. Needs the scope to
        modify customers: None without it, which is to read the record but not to be let write it (403).
        """
        changed = False
        path = "/v3/customers/subscribers"
        for row in _sound(await every(self._api, path, SUBSCRIBERS, {"email": email})):
            consents = row.consents or []
            # a filter that is ignored must not unsubscribe everybody
            if (row.email or "").strip().lower() == email.strip().lower() and NEWSLETTER in consents:
                kept = {"consents": [consent for consent in consents if consent != NEWSLETTER]}
                try:
                    changed |= await self._api.send("PUT", f"{path}/{row.id}", kept, route=f"{path}/{{id}}")
                except Declined as no:
                    if no.status != 403:
                        raise
                    return None
        return changed

    async def discount(self, percent: int, seconds: float, code: str) -> None:
        """See `Source.discount`. Needs the scope to modify marketing: without it, `Declined` with 403."""
        await self._promotions.add(percent, seconds, code)

    async def count(self, resource: Resource, *, since: datetime | None) -> int:
        """See `Source.count`."""
        listing = LISTINGS[resource]
        filters = _filters(listing, since)
        if listing.counter:
            return (await read(self._api, listing.counter, COUNT, filters)).count
        return (
            await read(self._api, listing.path, listing.decode, {**filters, "limit": 1})
        ).pagination.total or 0

    def page_size(self, resource: Resource) -> int:
        """See `Source.page_size`."""
        return LISTINGS[resource].size

    @property
    def calls(self) -> int:
        """Calls made so far, failed ones included."""
        return self._api.calls

    @property
    def waited(self) -> float:
        """Seconds for which the store's limits have held us back so far."""
        return self._api.limits.waited

    def floor_seconds(self, calls: int) -> float:
        """See `Source.floor_seconds`; 0 until an answer has told the quota."""
        return self._api.limits.floor_seconds(calls)

    async def _desk(self) -> Desk:
        if self._opened is None:
            self._opened = await self._open()
        return self._opened

    async def _open(self) -> Desk:
        row = await self._api.get("/v2/store", STORE)
        if row is None:
            raise Mend(
                f"BigCommerce knows no store {self._api.store_hash}",
                "the store hash is the word in the API path that is shown with the access token: "
                "https://api.bigcommerce.com/stores/<store hash>/v3/",
            )
        channels = await every(self._api, "/v3/channels", NAMED)
        sites = await every(self._api, "/v3/sites", SITES)
        known = await groups(self._api, GROUPS)
        store = records.store(row, _sound(channels), _sound(sites), _sound(known))
        return Desk(self._api, store, self._restock)

    async def _stream(
        self, desk: Desk, resource: Resource, filters: Mapping[str, str], cursor: str
    ) -> AsyncIterator[Batch]:
        """Page after page, each a batch."""
        listing = LISTINGS[resource]
        async for step in walk(self._api, listing, filters, cursor, self._clock):
            changes = await listing.read(desk, step.rows)
            yield Batch(resource, changes, step.read_at, step.cursor, step.total)

    async def _whole(
        self, desk: Desk, resource: Resource, filters: Mapping[str, str], cursor: str
    ) -> AsyncIterator[Batch]:
        """Everything first, then batch by batch in the order of ids; the cursor is the last id told."""
        listing = LISTINGS[resource]
        read_at = self._clock.now()
        rows = await every(self._api, listing.path, listing.decode, {**listing.params, **filters})
        told = int(cursor) if cursor.isdecimal() else -1
        found = {change.key.id: change for change in await listing.read(desk, rows)}
        rest = [found[one] for one in sorted(found) if one > told]
        for start in range(0, max(len(rest), 1), listing.size):
            end = start + listing.size
            following = str(rest[end - 1].key.id) if end < len(rest) else ""
            yield Batch(resource, rest[start:end], read_at, following, len(rows))


def _filters(listing: Listing, since: datetime | None) -> dict[str, str]:
    """Always a full timestamp with a zone: a bare date gets the present time added (products_catalog.v3)."""
    if since is None or not listing.since:
        return {}
    return {listing.since: since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _sound(rows: Sequence[Any]) -> list[Any]:
    return [row for row in rows if not isinstance(row, wire.Flaw)]
