"""What weighing works with, and what it comes to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TypeVar

from msgspec import Struct, field

from tajo.sync.ledger import known
from tajo.sync.ledger.queue import Refusal
from tajo.sync.ledger.secret import Secret
from tajo.sync.model import (
    ZERO,
    Batch,
    Category,
    Customer,
    Event,
    Farewell,
    Key,
    Order,
    Product,
    Refund,
    Resource,
    Subscriber,
    Write,
)
from tajo.sync.ports import Destination

#: Amounts are remembered in whole ten-thousandths, the finest that a store writes.
SCALE = 10_000

K = TypeVar("K", Key, int)
R = TypeVar("R", Category, Product, Refund, Order, Subscriber, Customer)

#: An address that could exist: an order with another one is dropped from its batch without a word.
_LABEL = r"[^\W_](?:(?:[^\W_]|-){0,61}[^\W_])?"
_EMAIL = re.compile(rf"[^\s@,;:<>()\[\]\"\\]{{1,64}}@(?:{_LABEL}\.)+(?!\d+$)(?=..){_LABEL}")

NO_EMAIL = "no e-mail address, by which alone a contact is known"
BAD_EMAIL = "the e-mail address cannot exist"
FOREIGN_EMAIL = "the e-mail address has other letters than ASCII: a batch of orders may drop it unsaid"


class Policy(Struct, frozen=True, kw_only=True):
    """What the merchant wants of the machine. `rules`: the fingerprint of all that shapes payloads.

    `counted`, `placed`: order statuses that count in metrics, and that mean that an order was placed.
    `unfinished`: those of a checkout that may go on, which is not told; `unsold`: those in which an order
    leaves its cart where it is.
    `overlap`: how many seconds an incremental sweep looks back beyond the beginning of the last one, for
    clocks that disagree and rows that commit late. `stock`: changes of stock are events. A cart of at
    least `abandoned_value` counts as left behind after `abandoned_after` seconds; `abandoned_listed`: whose
    it is stands on a list. `farewell`: how people leave whose account was deleted.
    """

    resources: frozenset[Resource]
    counted: frozenset[int]
    placed: frozenset[int] = frozenset()
    unfinished: frozenset[int] = frozenset()
    unsold: frozenset[int] = frozenset()
    rules: str = ""
    overlap: float = 600.0
    stock: bool = False
    abandoned_after: float = 3600.0
    abandoned_value: Decimal = ZERO
    abandoned_listed: bool = False
    farewell: Farewell = Farewell.SOFT


class Desk(Struct, frozen=True, kw_only=True):
    """What weighing needs besides the records.

    `touch`: stale contacts are to be looked at again, because no full sweep will meet them anyway.
    `accounts_known`: all accounts have been met, so that an unknown one is one that is gone.
    `occurred`: what was found to have happened, for automations.
    """

    connector: str
    destination: Destination
    policy: Policy
    secret: Secret
    live_since: float
    now: float
    touch: bool
    accounts_known: bool
    occurred: list[Event] = field(default_factory=list)

    def happened(self, events: Iterable[Event]) -> list[Write]:
        """Note events; returns those that the merchant wants told, ready to be."""
        found = list(events)
        self.occurred.extend(found)
        return [write for event in found for write in self.destination.event_writes(event)]


class Ticket(Struct, frozen=True, kw_only=True, eq=False, gc=False, omit_defaults=True):
    """A write with what must be remembered once it is delivered.

    `about`: the key to look at again; `parent`: a variant's product; `blocked`: whether the contact is
    blocklisted by us from then on, `was_blocked`: and may be until then; `was_granted`: the
    destination may believe until then that they agreed. `left_at`: since when it was known that they had
    left there. `abandoned`, `was_abandoned`: on the list of carts left behind, from then on and maybe until
    then. `left_behind`: the person whose contact was renamed.
    `named_at`: since when somebody waits for it (0: nobody does, a sweep met it).
    """

    write: Write
    about: Key
    parent: int | None = None
    blocked: bool = False
    was_blocked: bool = False
    was_granted: bool = False
    left_at: float | None = None
    abandoned: bool = False
    was_abandoned: bool = False
    left_behind: bytes = b""
    named_at: float = 0.0


class Weighed(Struct):
    """What a batch comes to. `settled`: keys that need nothing more; `again`: keys to look at once more.

    `later`: keys to look at once more, each not before a moment. `events`: what was found to have
    happened, ready to be told. `still_parked`, `dismissed`: writes that are failures already, and those that
    a human wants left as they are.
    """

    seen: int = 0
    unchanged: int = 0
    skipped: int = 0
    still_parked: int = 0
    dismissed: int = 0
    tickets: list[Ticket] = field(default_factory=list)
    settled: list[Key] = field(default_factory=list)
    parked: list[tuple[Key, str]] = field(default_factory=list)
    again: set[Key] = field(default_factory=set)
    later: dict[Key, float] = field(default_factory=dict)
    events: list[Write] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def offer(self, ticket: Ticket, told: bytes | None, refused: Mapping[Key, Refusal]) -> bool:
        """Take a write unless its fingerprint says nothing new; returns whether it was taken."""
        write, before = ticket.write, refused.get(ticket.write.key)
        if told == write.fingerprint:
            return False
        if before and before.fingerprint == write.fingerprint:
            self.dismissed += before.dismissed
            self.still_parked += not before.dismissed
            return False
        self.tickets.append(ticket)
        return True


def told(memory: Mapping[K, known.Known], key: K) -> bytes | None:
    """The fingerprint that the destination was told last."""
    entry = memory.get(key)
    return entry.fingerprint if entry else None


def plausible(email: str) -> bool:
    """Whether it could be somebody's address."""
    return bool(_EMAIL.fullmatch(email.strip()))


def no_address(email: str) -> str:
    """Why nobody can be told under this address."""
    return BAD_EMAIL if email else NO_EMAIL


def readable(batch: Batch, kind: type[R]) -> tuple[list[R], list[int], Weighed]:
    """The records of a batch and the ids of what is gone; what cannot be understood is parked."""
    weighed = Weighed(seen=len(batch.changes))
    found, gone = [], []
    for change in batch.changes:
        if isinstance(change.record, kind):
            found.append(change.record)
        elif change.flaw:
            weighed.parked.append((change.key, change.flaw))
        else:
            gone.append(change.key.id)
            weighed.settled.append(change.key)
            weighed.skipped += 1
    return found, gone, weighed
