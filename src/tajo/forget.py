"""`tajo forget`: a person goes from Brevo and the ledger, no sync brings them back, and a record says so.

The wish is noted first, so whatever happens after it, nothing new is told of the person; the ledger is
erased last, so what was left undone is found again by asking once more. Running syncs and servers need
not stop for it.
"""

from __future__ import annotations

import os
from math import inf
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from tajo.errors import Mend, Refused, Usage
from tajo.sync.ledger import erasure, outgoing, queue
from tajo.sync.ledger.erasure import Erased
from tajo.sync.ledger.outgoing import CONTACTS, EVENTS
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Tx
from tajo.sync.moments import moment
from tajo.sync.shipping import event_key
from tajo.sync.unsubscribes import BLOCKS, UNSUBSCRIBES
from tajo.sync.weigh import Ticket
from tajo.sync.weigh.desk import plausible
from tajo.wiring import Wiring

RECORDS = "forgotten.jsonl"
"""All records, one JSON object a line (mode 600); beside the SQLite file, or in the current folder."""

ORDERS = "Brevo's API deletes no orders: ask Brevo's support to delete those of this e-mail address"
STORE = "the store itself keeps what it knows of the person, until it is deleted there"
UNDER_WAY = (
    "what was on its way just then may still reach Brevo: ask again when a sync that runs now has ended"
)
ELSEWHERE = (
    "orders of the person's account were billed to other e-mail addresses: forget those, too, if theirs"
)

_AT_ONCE = 500


class Record(Struct, frozen=True, kw_only=True):
    """What was done. It holds no e-mail: `person` is its keyed hash in hex, `date` UTC in ISO 8601.

    `contact_deleted`: False if Brevo had no such contact. `erased`: by connector, how many rows of which
    table went. `orders`: Brevo's ids of the orders that it was told of. `remains`: what is left to do by
    others, in sentences.
    """

    date: str
    person: str
    contact_deleted: bool
    erased: dict[str, dict[str, int]]
    orders: list[str]
    remains: list[str]

    def sentences(self) -> list[str]:
        """For people; what remains comes last."""
        rows = sum(sum(tables.values()) for tables in self.erased.values())
        return [
            "Brevo: the contact is deleted" if self.contact_deleted else "Brevo: there was no such contact",
            f"Ledger: {rows:,} rows erased; a keyed hash stays, so that no sync brings the person back",
            *([f"Orders that Brevo was told of: {', '.join(self.orders)}"] if self.orders else []),
            *(f"Remains: {sentence}" for sentence in self.remains),
        ]


class _Told(Struct, frozen=True):
    """As much of an event as says whom it is about."""

    class Identifiers(Struct, frozen=True):
        email_id: str = ""

    identifiers: Identifiers = Identifiers()


_read_event = msgspec.json.Decoder(_Told).decode


async def forget(wiring: Wiring, email: str) -> Record:
    """Delete a person's contact, erase them from the ledger, and write down that it was done.

    That is for all connectors, since they share one account. Doing it twice is harmless. Raises `Usage`
    for what is no e-mail address, `Mend` and `Later` where Brevo does not delete the contact now: then
    nothing is erased yet, but no sync tells of the person any more.
    """
    email = email.strip().lower()
    if not plausible(email):
        raise Usage("that is no e-mail address", "write it as the store has it, such as name@example.com.")
    person = wiring.ledger.secret.person(email)
    any_name = next(iter(wiring.settings.connectors), None) or wiring.names()[0]
    with _open_records(wiring.folder) as file:
        async with wiring.accounts(any_name) as (store, brevo):
            now = store.clock.now()
            waited = await _note_wish(wiring, person, now)
            try:
                deleted = await brevo.delete_contact(email)
            except Refused as error:
                raise Mend(
                    f"Brevo did not delete the contact: {error}",
                    "delete it in Brevo by hand, then run the same command again to erase the rest. "
                    "No sync tells Brevo of this person any more.",
                ) from None
        async with wiring.ledger.begin() as tx:
            for name in waited:  # what was weighed before the wish was known may wait by now
                waited[name] += await _withdraw(tx, name, wiring.ledger.secret, person)
            erased = {name: await erasure.erase(tx, name, person) for name in waited}
            elsewhere = any(one.elsewhere for one in erased.values())
            record = Record(
                date=moment(now).isoformat(timespec="seconds").replace("+00:00", "Z"),
                person=person.hex(),
                contact_deleted=deleted,
                erased={name: _rows(erased[name], waited[name]) for name in waited},
                orders=[f"{_prefix(wiring, name)}{id_}" for name, one in erased.items() for id_ in one.told],
                remains=[ORDERS, STORE, UNDER_WAY, *([ELSEWHERE] if elsewhere else [])],
            )
            # Before it is done for good: whoever is stopped has a record too many, and not one too few.
            file.write(msgspec.json.encode(record) + b"\n")
            file.flush()
    return record


async def _note_wish(wiring: Wiring, person: bytes, now: float) -> dict[str, int]:
    """From here on nothing new is told of a person; returns how much had waited to be, by connector."""
    async with wiring.ledger.begin() as tx:
        names = dict.fromkeys([*wiring.settings.connectors, *await erasure.holders(tx)])
        await erasure.remember_wish(tx, names, person, now)
        return {name: await _withdraw(tx, name, wiring.ledger.secret, person) for name in names}


async def _withdraw(tx: Tx, name: str, secret: Secret, person: bytes) -> int:
    """Nothing that waits is told of a person any more; returns how much that was."""
    events: list[bytes] = []
    after = b""
    while rows := await outgoing.next_of(tx, name, EVENTS, None, after=after, now=inf, limit=_AT_ONCE):
        after = rows[-1].name
        events += [row.name for row in rows if _about(row, secret) == person]
    await outgoing.drop(tx, name, EVENTS, events)
    await queue.unpark(tx, name, [event_key(event) for event in events])
    waiting = await outgoing.fingerprints(tx, name, CONTACTS, [person])
    await outgoing.drop(tx, name, CONTACTS, waiting)
    for kind in (UNSUBSCRIBES, BLOCKS):
        await outgoing.drop(tx, name, kind, [person])
    return len(events) + len(waiting)


def _about(row: outgoing.Waiting, secret: Secret) -> bytes:
    """The person whom an event is told of."""
    write = secret.unseal(row.sealed, row.name, Ticket).write
    return secret.person(_read_event(write.body).identifiers.email_id)


def _rows(erased: Erased, waited: int) -> dict[str, int]:
    return erased.rows | ({"outgoing": waited} if waited else {})


def _prefix(wiring: Wiring, name: str) -> str:
    """What stands before the ids of a connector's orders in Brevo; of one that is gone its name tells."""
    if name in wiring.settings.connectors:
        return wiring.rules(name).id_prefix
    return f"{name}-"


def _open_records(folder: Path) -> BinaryIO:
    """The file of records, ready for one more. What cannot be recorded is not begun."""
    path = folder / RECORDS
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
    except OSError as error:
        raise Mend(
            f"cannot write down in {path} what is forgotten: {error.strerror}",
            "let Tajo write there. Nothing was done yet.",
        ) from None
