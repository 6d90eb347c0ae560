"""Who unsubscribes at the destination loses their consent in the store, too.

Nobody is freed again by that: only a block that we set ourselves is ever lifted, and one that somebody
else set is not ours. What the destination tells of our own blocks is an echo, and is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from tajo.errors import Later, Mend
from tajo.sync.ledger import counts, outgoing, people
from tajo.sync.ledger.outgoing import Waiting
from tajo.sync.ledger.store import Ledger
from tajo.sync.ports import Source

UNSUBSCRIBES = "unsubscribes"
AGAIN = 300.0
"""Seconds after which the store is told again of somebody for whom a human must act."""

_AT_ONCE = 50

_WORDS = {
    True: "the store took their consent",
    False: "the store knew of no consent",
    None: "the store's token may not take their consent",
}


class _Leaving(Struct, frozen=True):
    email: str


async def note(ledger: Ledger, connectors: Iterable[str], emails: Iterable[str]) -> None:
    """Keep these, sealed, until the stores have been told."""
    rows = []
    for email in emails:
        person = ledger.secret.person(email)
        sealed = ledger.secret.seal(_Leaving(email), person)
        rows.append(Waiting(person, None, len(email), person, sealed))
    async with ledger.begin() as tx:
        for connector in connectors:
            await outgoing.put(tx, connector, UNSUBSCRIBES, rows)


async def write_back(
    ledger: Ledger, connector: str, source: Source, journal: Callable[[str], None], now: float
) -> None:
    """Tell the store of everybody who waits. Raises `Later`; whoever was told is not told again.

    Where telling fails, that one waits for longer and all others for the next time: what the store holds
    against one of them must not keep it from hearing of the rest.
    """
    while True:
        async with ledger.begin() as tx:
            rows = await outgoing.next_of(
                tx, connector, UNSUBSCRIBES, None, after=b"", now=now, limit=_AT_ONCE
            )
            facts = await people.facts(tx, connector, [row.name for row in rows])
        if not rows:
            return
        for row in rows:
            words = "an echo of our own block"
            if not facts[row.name].told.blocked_by_us:
                email = ledger.secret.unseal(row.sealed, row.name, _Leaving).email
                try:
                    words = _WORDS[await source.unsubscribe(email)]
                except (Later, Mend) as error:
                    seconds = error.seconds if isinstance(error, Later) else AGAIN
                    async with ledger.begin() as tx:
                        await outgoing.put_off(tx, connector, UNSUBSCRIBES, {row.name: now + seconds})
                    raise Later(f"an unsubscribe waits: {error}", seconds) from error
                journal(f"somebody unsubscribed: {words}")
            async with ledger.begin() as tx:
                await outgoing.drop(tx, connector, UNSUBSCRIBES, [row.name])
                await counts.add(tx, connector, f"unsubscribed: {words}"[:64], 1, now)
