"""Meeting everybody whom the destination already holds, before anything is written.

It tells who is new, who has unsubscribed there, and whose phone numbers are taken. Once per run, or what a
killed run wrote itself would look as if it had been there before.
"""

from __future__ import annotations

from collections.abc import Callable

from tajo.sync.ledger import known, people, runs
from tajo.sync.ledger.store import Ledger
from tajo.sync.ports import Destination

#: Under this name it is remembered among the sweeps.
CENSUS = "contacts"


async def take(
    ledger: Ledger, connector: str, destination: Destination, run: str, began: float, now: Callable[[], float]
) -> tuple[bool, bool]:
    """Whether this run takes one, which it did not before; and whether the destination holds nobody any more
    of whom we know: then everything that it was told is forgotten. Raises `Later` and `Mend`.
    """
    async with ledger.begin() as tx:
        position = await runs.begin_sweep(tx, connector, CENSUS, run, since=None, now=began)
    if position.done:
        return False, False
    secret, anybody = ledger.secret, False
    async for met in destination.people():
        anybody |= bool(met)
        at = now()
        async with ledger.begin() as tx:
            named = [(secret.person(who.email or f"contact:{who.id}"), who) for who in met]
            await people.meet_contacts(tx, connector, [(p, who.id) for p, who in named], at)
            await people.lift_blocks(tx, connector, [p for p, who in named if not who.blocked])
            await people.own_blocks(tx, connector, [p for p, who in named if who.blocked])
            phones = {p: secret.phone(who.phone) if who.phone else b"" for p, who in named}
            await people.claim_phones(tx, connector, phones)
    async with ledger.begin() as tx:
        missed = await people.miss_contacts(tx, connector, before=position.started_at)
        emptied = bool(missed) and not anybody  # or it is another account
        if emptied:
            await known.forget_all(tx, connector)
        await runs.end_sweep(tx, connector, CENSUS, began)
    return True, emptied
