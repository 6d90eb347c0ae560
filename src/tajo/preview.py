"""`tajo preview`: the exact payload of one record as a sync would send it, and where each value came from.

The record takes the sync's own way: it is fetched and weighed against the ledger, in a transaction that is
taken back. So what is shown cannot differ from what would be sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from tajo.bigcommerce import BigCommerceSource
from tajo.brevo import BrevoDestination, Traced
from tajo.errors import Unknown
from tajo.sync.connector import WEIGH
from tajo.sync.ledger import people, runs
from tajo.sync.ledger.store import Tx
from tajo.sync.model import Batch, Contact, Customer, Order, Product, Resource, Write
from tajo.sync.rehearsal import Rehearsal
from tajo.sync.weigh import Desk, Policy, Weighed
from tajo.wiring import Wiring

KINDS = ("customer", "order", "product")

RESOURCES = dict(zip(KINDS, (Resource.CUSTOMERS, Resource.ORDERS, Resource.PRODUCTS), strict=True))

#: What is known of a record only from others, which must have been read.
FACTS = {
    Resource.CUSTOMERS: {
        Resource.CUSTOMERS: "that Brevo holds the person already",
        Resource.ORDERS: "what the person bought",
        Resource.SUBSCRIBERS: "what the person consented to",
    },
    Resource.ORDERS: {Resource.REFUNDS: "refunds of the order"},
}

NO_CONSENT = "nothing would be sent: no consent to marketing, and `consent: skip` leaves such people out"
INCOMPLETE = "nothing would be sent: payment was reached but not made, so this is no sale yet"


class Heard(Struct, frozen=True):
    """A record as it was given to the destination, complete, and the writes that this gave."""

    record: Contact | Order | Product
    writes: Sequence[Write]


class Witness(Rehearsal):
    """A destination that renders as the real one, and remembers what of."""

    def __init__(self, destination: BrevoDestination) -> None:
        super().__init__(destination)
        self.heard: list[Heard] = []

    def contact(self, contact: Contact) -> Write | None:
        """As the real one."""
        write = super().contact(contact)
        self.heard.append(Heard(contact, [write] if write else []))
        return write

    def order(self, order: Order, *, historical: bool) -> Write:
        """As the real one."""
        write = super().order(order, historical=historical)
        self.heard.append(Heard(order, [write]))
        return write

    def product(self, product: Product) -> Sequence[Write]:
        """As the real one."""
        writes = super().product(product)
        self.heard.append(Heard(product, writes))
        return writes


async def preview(wiring: Wiring, name: str, kind: str, number: int) -> dict[str, Any]:
    """`{"kind", "id", "payloads": [{"request", "body", "values": [{"field", "value", "origin"}]}], "notes"}`.

    `notes`: sentences, such as why nothing would be sent. Raises `Usage` for what is not in the store.
    """
    policy, resource = wiring.policy(name), RESOURCES[kind]
    async with wiring.accounts(name) as (store, brevo):
        source, destination = BigCommerceSource(store), BrevoDestination(brevo, wiring.rules(name))
        await destination.open(await source.open(), create=False)
        batch = await source.fetch(resource, [number])
        change = batch.changes[0]
        if change.record is None and not change.flaw:
            raise Unknown(
                f"there is no {kind} {number} in the store",
                f"use the number that the address of the {kind}'s page in the control panel ends with.",
            )
        witness = Witness(destination)
        async with wiring.ledger.begin() as tx:
            desk = await _desk(tx, wiring, name, witness, policy, store.clock.now())
            weighed = await WEIGH[resource](tx, desk=desk, batch=batch)
            notes = [*(destination.notes if resource is Resource.CUSTOMERS else ()), *weighed.notes]
            notes += await _gaps(tx, name, policy, resource)
            notes += await _silence(tx, desk, batch, weighed, witness.heard)
            await tx.rollback()
    payloads = [payload for heard in witness.heard for payload in _payloads(destination, heard)]
    return {"kind": kind, "id": number, "payloads": payloads, "notes": notes}


async def _desk(tx: Tx, wiring: Wiring, name: str, witness: Witness, policy: Policy, now: float) -> Desk:
    return Desk(
        connector=name,
        destination=witness,
        policy=policy,
        secret=wiring.ledger.secret,
        live_since=(await runs.connection(tx, name, now)).live_since,
        now=now,
        touch=False,
        accounts_known=Resource.CUSTOMERS in await runs.swept_since(tx, name),
    )


async def _gaps(tx: Tx, name: str, policy: Policy, resource: Resource) -> list[str]:
    """What a sync would do otherwise, because it reads more or less than this record."""
    if resource not in policy.resources:
        return [f"a sync would not send this: `sync.{resource}` is off"]
    unread = policy.resources - (await runs.swept_since(tx, name)).keys()
    lost = {str(fact): what for fact, what in FACTS.get(resource, {}).items() if fact in unread}
    if not lost:
        return []
    return [f"never synced to the end yet: {', '.join(lost)}; so this may lack {' and '.join(lost.values())}"]


async def _silence(tx: Tx, desk: Desk, batch: Batch, weighed: Weighed, heard: Sequence[Heard]) -> list[str]:
    """Why there is no payload, if there is none."""
    record = batch.changes[0].record
    if weighed.parked:
        return [
            f"nothing would be sent, it would be kept among the failures: {reason}"
            for _, reason in weighed.parked
        ]
    if any(one.writes for one in heard):
        return []
    if heard:
        return [NO_CONSENT]
    if isinstance(record, Customer):
        person = desk.secret.person(record.email)
        speaker = (await people.facts(tx, desk.connector, [person]))[person].primary
        return [
            f"nothing would be sent for this account: customer {speaker} has the same e-mail address, was "
            f"changed later and speaks for the person; see `tajo preview customer {speaker}`"
        ]
    return [INCOMPLETE]


def _payloads(destination: BrevoDestination, heard: Heard) -> list[dict[str, Any]]:
    """Each write as its request, beside the origins of its values."""
    if not heard.writes:
        return []
    origins = destination.traced(heard.record)
    return [
        _payload(*destination.request(write), traced)
        for write, traced in zip(heard.writes, origins, strict=True)
    ]


def _payload(request: str, body: bytes, traced: Sequence[Traced]) -> dict[str, Any]:
    return {
        "request": request,
        "body": msgspec.json.decode(body),
        "values": [{"field": one.field, "value": one.value, "origin": one.source} for one in traced],
    }
