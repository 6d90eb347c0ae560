"""Who unsubscribes at the destination loses their consent in the store, too.

Nobody is freed again by that. Only a block that we set ourselves is ever lifted, and that of whoever has
agreed anew: once the store is known to hold no consent of theirs, one that it holds later was given since.
What a person said is passed on as it is. That a contact is blocklisted may be an echo of our own writing, and
an old one: it is a reason to look, and what is found then is what counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from tajo.errors import Later, Mend
from tajo.sync.automation import Standing
from tajo.sync.barred import MENDED
from tajo.sync.ledger import counts, outgoing, people, queue
from tajo.sync.ledger.outgoing import Waiting
from tajo.sync.ledger.store import Ledger, Tx
from tajo.sync.model import Key, Resource
from tajo.sync.ports import Source

UNSUBSCRIBES, BLOCKS = "unsubscribes", "blocks"
"""What people said, and what is to be looked at."""

SKEW = 60.0
"""Seconds by which the destination's clock, which says whole seconds, may differ from ours."""

_AT_ONCE = 50


class Answer(StrEnum):
    """What came of it."""

    TAKEN = "the store took their consent"
    UNKNOWN = "the store knew of no consent"
    FORBIDDEN = "the store's token may not take their consent"
    ECHO = "an echo of our own block"
    SETTLED = "the store has held no consent since"


_ANSWERS = {True: Answer.TAKEN, False: Answer.UNKNOWN, None: Answer.FORBIDDEN}


class Contacts(Protocol):
    """The contacts of the destination."""

    async def standing(self, email: str) -> Standing:
        """How this contact stands now. Raises `Later` and `Mend`."""
        ...


class _Leaving(Struct, frozen=True):
    """`at`: when, by the destination's clock; 0 where it did not say."""

    email: str
    at: float = 0.0


async def note(
    ledger: Ledger, connectors: Iterable[str], said: Mapping[str, float], blocked: Iterable[str] = ()
) -> None:
    """Keep these, sealed, until the stores have been told: `said` unsubscribed, `blocked` may have been.

    By e-mail; when it was said, in seconds since 1970, 0 where that is not known. Of what waits for one
    person the last word counts.
    """
    kinds = {UNSUBSCRIBES: dict(said), BLOCKS: dict.fromkeys(blocked, 0.0)}
    async with ledger.begin() as tx:
        for connector in connectors:
            for kind, moments in kinds.items():
                await outgoing.put(tx, connector, kind, await _rows(tx, ledger, connector, kind, moments))


async def write_back(
    ledger: Ledger,
    connector: str,
    source: Source,
    contacts: Contacts,
    journal: Callable[[str], None],
    now: Callable[[], float],
) -> None:
    """Tell the store of everybody who waits. Raises `Later`; whoever was told is not told again.

    Where telling fails, that one waits for longer and all others for the next time: what the store holds
    against one of them must not keep it from hearing of the rest.
    """
    for kind in (UNSUBSCRIBES, BLOCKS):
        while rows := await _waiting(ledger, connector, kind, now()):
            for row in rows:
                who = ledger.secret.unseal(row.sealed, row.name, _Leaving)
                try:
                    if kind == BLOCKS and await _echo(ledger, contacts, row.name, who.email):
                        answer = Answer.ECHO
                    elif who.at and await _settled(ledger, connector, row.name, who.at):
                        answer = Answer.SETTLED
                    else:
                        answer = _ANSWERS[await source.unsubscribe(who.email)]
                except (Later, Mend) as error:
                    seconds = error.seconds if isinstance(error, Later) else MENDED
                    async with ledger.begin() as tx:
                        await outgoing.put_off(tx, connector, kind, {row.name: now() + seconds})
                    raise Later(f"an unsubscribe waits: {error}", seconds) from error
                if answer not in (Answer.ECHO, Answer.SETTLED):
                    journal(f"somebody unsubscribed: {answer}")
                async with ledger.begin(turn=connector) as tx:
                    if answer in (Answer.TAKEN, Answer.UNKNOWN):
                        await _note_leave(
                            tx, connector, row.name, now(), who.at, taken=answer == Answer.TAKEN
                        )
                    await outgoing.drop_as_read(tx, connector, kind, row)
                    await counts.add(tx, connector, f"unsubscribed: {answer}"[:64], 1, now())


async def _note_leave(tx: Tx, connector: str, person: bytes, at: float, said: float, *, taken: bool) -> None:
    """The store holds no consent of theirs now; whatever it holds at the next look was given since."""
    await people.note_leave(tx, connector, person, at, said=said + SKEW, taken=taken)
    records = await people.subscriptions_of(tx, connector, [person])
    keys = {Key(Resource.SUBSCRIBERS, id_) for id_ in records} | await people.speakers(
        tx, connector, [person]
    )
    await queue.enqueue(tx, connector, keys, now=at)


async def _settled(ledger: Ledger, connector: str, person: bytes, said: float) -> bool:
    """Whether the store held no consent at some moment since: it was told, maybe of this very word, or they
    took it back there themselves. Whatever it holds now was given later.
    """
    async with ledger.begin() as tx:
        withheld = await people.withheld_at(tx, connector, person)
    return withheld is not None and withheld >= said + SKEW


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


async def _rows(
    tx: Tx, ledger: Ledger, connector: str, kind: str, said: Mapping[str, float]
) -> list[Waiting]:
    """By each person; an unknown moment may be later than any."""
    last = {ledger.secret.person(email): _Leaving(email, at) for email, at in said.items()}
    for person, sealed in (await outgoing.sealed(tx, connector, kind, last)).items():
        before, now = ledger.secret.unseal(sealed, person, _Leaving), last[person]
        last[person] = replace(now, at=max(before.at, now.at) if before.at and now.at else 0.0)
    return [
        Waiting(person, None, len(who.email), person, ledger.secret.seal(who, person))
        for person, who in last.items()
    ]
