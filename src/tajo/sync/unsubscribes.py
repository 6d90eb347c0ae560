"""Who unsubscribes at the destination loses their consent in the store, too.

Nobody is freed again by that: only a block that we set ourselves is ever lifted, and one that somebody
else set is not ours. What a person said is passed on as it is. That a contact is blocklisted may be an echo
of our own writing, and an old one: it is a reason to look, and what is found then is what counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from tajo.errors import Later, Mend
from tajo.sync.automation import Standing
from tajo.sync.ledger import counts, outgoing, people
from tajo.sync.ledger.outgoing import Waiting
from tajo.sync.ledger.store import Ledger
from tajo.sync.ports import Source

UNSUBSCRIBES, BLOCKS = "unsubscribes", "blocks"
"""What people said, and what is to be looked at."""

AGAIN = 300.0
"""Seconds after which the store is told again of somebody for whom a human must act."""

ECHO = "an echo of our own block"

_AT_ONCE = 50

_WORDS = {
    True: "the store took their consent",
    False: "the store knew of no consent",
    None: "the store's token may not take their consent",
}


class Contacts(Protocol):
    """The contacts of the destination."""

    async def standing(self, email: str) -> Standing:
        """How this contact stands now. Raises `Later` and `Mend`."""
        ...


class _Leaving(Struct, frozen=True):
    email: str


async def note(
    ledger: Ledger, connectors: Iterable[str], emails: Iterable[str], blocked: Iterable[str] = ()
) -> None:
    """Keep these, sealed, until the stores have been told: `emails` unsubscribed, `blocked` may have been."""
    kinds = {UNSUBSCRIBES: _rows(ledger, emails), BLOCKS: _rows(ledger, blocked)}
    async with ledger.begin() as tx:
        for connector in connectors:
            for kind, rows in kinds.items():
                await outgoing.put(tx, connector, kind, rows)


async def write_back(
    ledger: Ledger,
    connector: str,
    source: Source,
    contacts: Contacts,
    journal: Callable[[str], None],
    now: float,
) -> None:
    """Tell the store of everybody who waits. Raises `Later`; whoever was told is not told again.

    Where telling fails, that one waits for longer and all others for the next time: what the store holds
    against one of them must not keep it from hearing of the rest.
    """
    for kind in (UNSUBSCRIBES, BLOCKS):
        while rows := await _waiting(ledger, connector, kind, now):
            for row in rows:
                email = ledger.secret.unseal(row.sealed, row.name, _Leaving).email
                try:
                    if kind == BLOCKS and await _echo(ledger, contacts, row.name, email):
                        words = ECHO
                    else:
                        words = _WORDS[await source.unsubscribe(email)]
                except (Later, Mend) as error:
                    seconds = error.seconds if isinstance(error, Later) else AGAIN
                    async with ledger.begin() as tx:
                        await outgoing.put_off(tx, connector, kind, {row.name: now + seconds})
                    raise Later(f"an unsubscribe waits: {error}", seconds) from error
                if words != ECHO:
                    journal(f"somebody unsubscribed: {words}")
                async with ledger.begin() as tx:
                    await outgoing.drop_as_read(tx, connector, kind, row)
                    await counts.add(tx, connector, f"unsubscribed: {words}"[:64], 1, now)


async def _echo(ledger: Ledger, contacts: Contacts, person: bytes, email: str) -> bool:
    """Whether a contact that was said to be blocklisted is not, or by nobody but us.

    A block of ours may begin or end while the destination is asked, so we look at ours before and after.
    """
    if await _blocked_by_us(ledger, person) or not (await contacts.standing(email)).email_blocked:
        return True
    return await _blocked_by_us(ledger, person)


async def _blocked_by_us(ledger: Ledger, person: bytes) -> bool:
    async with ledger.begin() as tx:
        return await people.blocked_by_us(tx, person)


async def _waiting(ledger: Ledger, connector: str, kind: str, now: float) -> list[Waiting]:
    async with ledger.begin() as tx:
        return await outgoing.next_of(tx, connector, kind, None, after=b"", now=now, limit=_AT_ONCE)


def _rows(ledger: Ledger, emails: Iterable[str]) -> list[Waiting]:
    rows = []
    for email in emails:
        person = ledger.secret.person(email)
        sealed = ledger.secret.seal(_Leaving(email), person)
        rows.append(Waiting(person, None, len(email), person, sealed))
    return rows
