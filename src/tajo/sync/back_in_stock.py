"""Who waits for what is sold out stands on the destination's own list, too, as far as it keeps one.

That is for its automations and reports. Whoever waits is told by us in any case: the wish stays in the ledger
until the product is back in stock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tajo.sync.ledger import erasure, wishes
from tajo.sync.ledger.store import Ledger

_AT_ONCE = 50


class WaitingList(Protocol):
    """The list that a destination keeps."""

    @property
    def headroom(self) -> int:
        """How many wishes it takes now."""
        ...

    async def wish(self, product: int, variant: int, email: str) -> bool:
        """Put somebody on the list of a product, or of one variant; whether it keeps one. Raises `Later`."""
        ...


async def hand_on(
    ledger: Ledger, connector: str, waiting: WaitingList, journal: Callable[[str], None], now: float
) -> None:
    """Tell the destination of everybody new who waits, each once, and drop wishes that are too old.

    Raises `Later`; whoever was handed on is not handed on again.
    """
    async with ledger.begin() as tx:
        await wishes.expire(tx, connector, now - wishes.LASTING)
    while room := min(waiting.headroom, _AT_ONCE):
        async with ledger.begin() as tx:
            found = await wishes.to_hand_on(tx, connector, room)
            left = await erasure.forgotten(tx, connector, {one.person for one in found})
        if not found:
            return
        kept = 0
        for one in found:
            if one.person not in left:
                kept += await waiting.wish(one.product, one.variant, one.email(ledger.secret))
            async with ledger.begin() as tx:
                await wishes.handed_on(tx, connector, [one])
        journal(f"{len(found)} more wait for what is sold out, {kept} of them on the destination's list")
