"""Page after page through one listing, also where a page is too heavy or a cursor too old."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from msgspec import Struct

from tajo.bigcommerce import wire
from tajo.bigcommerce.api import Api, Declined
from tajo.bigcommerce.resources import Listing, read
from tajo.errors import Later, Mend
from tajo.http import Clock

HEAVY = frozenset({500, 502, 504})  # how a page too heavy for the server is answered (facts, section 6)
STALE = frozenset({400, 404, 409, 410, 422})  # how a cursor that has expired may be answered


class Step(Struct, frozen=True):
    """One page. `read_at`: when we asked; `cursor`: where it goes on, empty after the last page.

    `total`: how many rows there are in all, None where that is not told.
    """

    rows: list[Any]
    read_at: float
    cursor: str
    total: int | None


async def walk(
    api: Api, listing: Listing, filters: Mapping[str, str], cursor: str, clock: Clock
) -> AsyncIterator[Step]:
    """All pages from the one at `cursor` on. A cursor that BigCommerce no longer takes starts over."""
    limit, started_over = listing.size, False
    while True:
        read_at = clock.now()
        try:
            asked = listing.paging.ask(cursor)
        except ValueError:  # not a cursor of ours
            cursor = ""
            asked = listing.paging.ask("")
        try:
            found, limit = await _page(api, listing, {**filters, **asked}, limit)
        except Declined as no:
            if not cursor or started_over or no.status not in STALE:
                raise
            cursor, started_over = "", True
            continue
        following = listing.paging.after(cursor, found, limit)
        if following and following == cursor:
            raise Mend(f"BigCommerce's list {listing.path} leads back to the same page")
        # A key set counts only what is still to come, so the first page alone tells the total.
        yield Step(found.rows, read_at, following, None if cursor else found.pagination.total)
        if not following:
            return
        cursor, limit = following, min(limit * 2, listing.size)


async def _page(
    api: Api, listing: Listing, asked: Mapping[str, Any], limit: int
) -> tuple[wire.Page[Any], int]:
    """A page of at most `limit` rows, halved while that is too heavy; and the limit that worked."""
    params = {**listing.params, **asked}
    while limit > listing.smallest:
        try:
            # asking for less is a better second try than asking for the same again
            page = await read(api, listing.path, listing.decode, params | {"limit": limit}, final=HEAVY)
        except (Declined, Later) as no:
            if isinstance(no, Declined) and no.status not in HEAVY:
                raise
            limit = max(limit // 2, listing.smallest)
        else:
            return page, limit
    return await read(api, listing.path, listing.decode, params | {"limit": limit}), limit
