"""How long is kept what nobody may need any more."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from tajo.sync.ledger.store import Tx
from tajo.sync.ledger.tables import cart_lines, carts, deeds, doings, recoveries, sessions

DAY = 86400.0

CARTS = 30 * DAY
"""Seconds for which an untouched cart is remembered as it was, and so can be brought back by a link."""

DEEDS = 90 * DAY
"""Seconds for which it is remembered what skills did. The limits that count deeds look back one day."""

DOINGS = 400 * DAY
"""Seconds for which the audit log goes back."""

SESSIONS = 8 * DAY
"""Seconds after which a session is over, whatever happens."""


async def tidy(tx: Tx, connector: str, now: float) -> None:
    """Forget what is older than that. A cart keeps its row, so that its order is known again."""
    c, line, again, deed = carts.c, cart_lines.c, recoveries.c, deeds.c
    old = (c.connector == connector, c.updated_at < now - CARTS)
    await tx.execute(
        delete(cart_lines).where(line.connector == connector, line.cart.in_(select(c.id).where(*old)))
    )
    await tx.execute(update(carts).where(*old, c.sealed.is_not(None)).values(sealed=None))
    await tx.execute(
        delete(recoveries).where(again.connector == connector, again.clicked_at < now - 2 * CARTS)
    )
    await tx.execute(delete(deeds).where(deed.connector == connector, deed.at < now - DEEDS))
    await tx.execute(delete(doings).where(doings.c.at < now - DOINGS))
    await tx.execute(delete(sessions).where(sessions.c.began_at < now - SESSIONS))
