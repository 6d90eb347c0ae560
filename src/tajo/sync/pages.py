"""Pages on their way from a source: a few at a time, and one ahead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tajo.sync.model import Batch

#: Records that are weighed together at the least, if there are so many.
GATHERED = 500


async def gathered(pages: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
    """A few pages as one batch: what is asked of the ledger costs the same for a page as for four."""
    held: list[Batch] = []
    async for page in pages:
        held.append(page)
        if not page.cursor or sum(len(one.changes) for one in held) >= GATHERED:
            changes = [change for one in held for change in one.changes]
            yield Batch(page.resource, changes, held[0].read_at, page.cursor, held[0].total)
            held = []


async def ahead(pages: AsyncIterator[Batch]) -> AsyncIterator[Batch]:
    """Read the next page while this one is delivered."""

    async def read() -> Batch | None:
        return await anext(pages, None)

    upcoming = asyncio.create_task(read())
    try:
        while (batch := await upcoming) is not None:
            upcoming = asyncio.create_task(read())
            yield batch
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)
