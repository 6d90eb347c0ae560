"""A store and a platform that live in memory: the smallest honest ends for the machine's two doors."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from math import inf

import msgspec
from msgspec.structs import replace

from tajo.errors import Later, Mend
from tajo.sync.automation import Standing
from tajo.sync.model import (
    Address,
    Batch,
    Category,
    Change,
    Consent,
    Contact,
    Customer,
    Event,
    Existing,
    Farewell,
    Key,
    Order,
    Outcome,
    Product,
    Record,
    Refund,
    Resource,
    Store,
    Storefront,
    Subscriber,
    Verdict,
    Write,
    cart_key,
)
from tajo.sync.ports import Writes

DAY_ONE = datetime(2026, 1, 1, tzinfo=UTC)


class Ticking:
    """A clock that moves on a millisecond at every look."""

    def __init__(self) -> None:
        self.seconds = DAY_ONE.timestamp() + 1_000_000

    def __call__(self) -> float:
        self.seconds += 0.001
        return self.seconds

    @property
    def moment(self) -> datetime:
        return datetime.fromtimestamp(self(), UTC)


def order(id_: int, email: str, total: str = "10", **more: object) -> Order:
    values: dict[str, object] = {
        "status_id": 10,
        "created": DAY_ONE + timedelta(hours=id_),
        "modified": DAY_ONE + timedelta(hours=id_),
        "billing": Address(first_name="G", last_name=str(id_)),
    }
    return Order(id=id_, email=email, total=Decimal(total), **{**values, **more})  # type: ignore[arg-type]


@dataclass
class MemoryStore:
    """A Source over dictionaries. `page`: records per call.

    `forbidden`: what may not be read; `closed`: nothing may; `away`: nothing can be, for now.
    """

    page: int = 3
    records: dict[Resource, dict[int, Record]] = field(
        default_factory=lambda: {resource: {} for resource in Resource}
    )
    now: Callable[[], float] = field(default_factory=Ticking)
    calls: int = 0
    codes: dict[str, tuple[int, float]] = field(default_factory=dict)  # percent, until when
    forbidden: set[Resource] = field(default_factory=set)
    closed: bool = False
    away: bool = False

    def put(self, resource: Resource, *records: Record) -> None:
        for record in records:
            self.records[resource][record.id] = record

    def _admit(self, resource: Resource | None = None) -> None:
        if self.away:
            raise Later("the store is away")
        if self.closed:
            raise Mend("the token was withdrawn", "make another")
        if resource in self.forbidden:
            raise Mend(f"the token may not read {resource}", "give it the scope")

    async def open(self) -> Store:
        self._admit()
        return Store(name="S", currency="EUR", storefronts={1: Storefront(1, "Main")})

    async def pages(self, resource: Resource, *, since: datetime | None, cursor: str) -> AsyncIterator[Batch]:
        after = int(cursor or 0)
        while True:
            read_at = self.now()
            self.calls += 1
            self._admit(resource)
            rows = [
                r for id_, r in sorted(self.records[resource].items()) if id_ > after and _since(r, since)
            ]
            rows, rest = rows[: self.page], rows[self.page :]
            after = rows[-1].id if rows else after
            changes = [Change(Key(resource, record.id), record) for record in rows]
            yield Batch(resource, changes, read_at, str(after) if rest else "")
            if not rest:
                return

    async def fetch(self, resource: Resource, ids: Sequence[int]) -> Batch:
        self.calls += 1
        self._admit(resource)
        read_at = self.now()
        found = self.records[resource]
        return Batch(resource, [Change(Key(resource, id_), found.get(id_)) for id_ in ids], read_at)

    async def count(self, resource: Resource, *, since: datetime | None) -> int:
        return sum(_since(record, since) for record in self.records[resource].values())

    async def fetch_carts(self, uuids: Sequence[str]) -> Batch:
        self.calls += 1
        self._admit(Resource.CARTS)
        found = {cart.uuid: cart for cart in self.records[Resource.CARTS].values()}
        changes = [Change(cart_key(uuid), found.get(uuid)) for uuid in uuids]
        return Batch(Resource.CARTS, changes, self.now())

    async def companions(self, batch: Batch) -> Sequence[Batch]:
        ids = {change.key.id for change in batch.changes if change.key.resource == Resource.ORDERS}
        ids |= {change.record.order_id for change in batch.changes if isinstance(change.record, Refund)}
        refunds = [r for r in self.records[Resource.REFUNDS].values() if r.order_id in ids]
        changes = [Change(Key(Resource.REFUNDS, refund.id), refund) for refund in refunds]
        return [Batch(Resource.REFUNDS, changes, self.now())] if changes else []

    async def newest(self, resource: Resource) -> float | None:
        self.calls += 1
        self._admit(resource)
        moments = [getattr(record, "modified", None) for record in self.records[resource].values()]
        return max((moment.timestamp() for moment in moments if moment), default=None)

    async def unsubscribe(self, email: str) -> bool | None:
        people = self.records[Resource.SUBSCRIBERS]
        mine = [s for s in people.values() if s.email.lower() == email.lower() and s.consents]
        people |= {
            s.id: replace(s, consents=frozenset(), modified=datetime.fromtimestamp(self.now(), UTC))
            for s in mine
        }
        return bool(mine)

    async def discount(self, percent: int, seconds: float, code: str) -> None:
        self.codes[code] = percent, self.now() + seconds if seconds else inf

    def page_size(self, resource: Resource) -> int:
        return self.page

    def floor_seconds(self, calls: int) -> float:
        return 0.0


def _since(record: Record, since: datetime | None) -> bool:
    moment = getattr(record, "modified", None) or getattr(record, "created", None)
    return since is None or moment is None or moment >= since


@dataclass
class MemoryPlatform:
    """A Destination over dictionaries. `answer` decides the fate of each write: '' delivers it.

    `taken`: what goods come to then; accepted, they only land when `land` is called.
    """

    contacts: dict[str, dict[str, object]] = field(default_factory=dict)
    others: dict[str, object] = field(default_factory=dict)
    told: list[Write] = field(default_factory=list)
    events: list[dict[str, object]] = field(default_factory=list)
    answer: Callable[[Write], str] = lambda _write: ""
    taken: Verdict = Verdict.DELIVERED
    in_the_air: list[Write] = field(default_factory=list)
    batch: int = 4
    calls: Counter[str] = field(default_factory=Counter)
    rules: str = ""
    full_call: int = 1000

    async def open(self, store: Store, *, create: bool = True) -> None:
        pass

    async def standing(self, email: str) -> Standing:
        contact = self.contacts.get(email.lower())
        return Standing(exists=contact is not None, email_blocked=bool(contact and contact.get("blocked")))

    async def people(self, *, created_since: datetime | None = None) -> AsyncIterator[Sequence[Existing]]:
        yield [
            Existing(id=n, email=email, phone=str(c.get("phone") or ""), blocked=bool(c.get("blocked")))
            for n, (email, c) in enumerate(self.contacts.items(), 1)
        ]

    def contact(self, contact: Contact) -> Write | None:
        metrics = contact.metrics
        value = {
            "email": contact.customer.email.lower(),
            "abandoned": contact.abandoned,
            "name": contact.customer.first_name + self.rules,
            "phone": contact.phone,
            "orders": metrics.orders_count,
            "spent": str(metrics.total_spent),
            "consent": contact.consent,
        }
        new = contact.consent == Consent.WITHHELD and not contact.exists
        lift = contact.consent == Consent.GRANTED and (contact.blocked_by_us or contact.left_at)
        withdrawn = contact.told == Consent.GRANTED and contact.consent == Consent.WITHHELD
        blocks = True if new or withdrawn else False if lift else None
        write = self._write(contact.key, {"value": value, "blocks": blocks})
        seen = [value, lift and contact.left_at]
        return replace(
            write,
            fingerprint=blake2b(msgspec.json.encode(seen), digest_size=16).digest(),
            person=contact.person,
            consent=contact.consent,
            blocks=blocks is True,
            rename=contact.rename,
        )

    def order(self, order: Order, *, historical: bool) -> Write:
        return self._write(
            Key(Resource.ORDERS, order.id),
            {"status": order.status_id, "total": str(order.total), "refunded": str(order.refunded)},
            lane="historical" if historical else "live",
        )

    def product(self, product: Product) -> Sequence[Write]:
        return [
            self._write(Key(Resource.PRODUCTS, product.id), {"name": product.name}),
            *(self._write(Key(Resource.VARIANTS, v.id), {"sku": v.sku}) for v in product.variants),
        ]

    def withdrawn_variants(self, product: Product, variants: Sequence[int]) -> Sequence[Write]:
        return [self._write(Key(Resource.VARIANTS, id_), {"gone": True}) for id_ in variants]

    def category(self, category: Category) -> Write:
        return self._write(Key(Resource.CATEGORIES, category.id), {"name": category.name})

    def gone_product(self, product: int, variants: Sequence[int]) -> Sequence[Write]:
        gone = self._write(Key(Resource.PRODUCTS, product), {"gone": True})
        return [gone, *(self._write(Key(Resource.VARIANTS, id_), {"gone": True}) for id_ in variants)]

    def gone_category(self, category: int) -> Write:
        return self._write(Key(Resource.CATEGORIES, category), {"gone": True})

    def farewell(self, person: bytes, contact_id: int, how: Farewell, *, withdrawn: bool) -> Write:
        write = self._write(Key(Resource.EVENTS, contact_id), {"how": how, "withdrawn": withdrawn})
        return replace(write, person=person, rename=contact_id, farewell=how, blocks=withdrawn, alone=True)

    def phone(self, contact: Contact) -> str:
        return contact.customer.phone

    @staticmethod
    def _write(key: Key, value: object, lane: str = "") -> Write:
        body = msgspec.json.encode(value)
        return Write(key=key, body=body, fingerprint=blake2b(body, digest_size=16).digest(), lane=lane)

    def event_writes(self, event: Event) -> Sequence[Write]:
        value = {"event": event.kind, "about": str(event.key), "email": event.email}
        return [replace(self._write(event.key, value), what=str(event.kind))]

    async def tell_many(self, writes: Writes) -> list[int]:
        """What is refused or comes too early is left to be told alone, which says why."""
        outcomes = await self.tell([writes[place] for place in range(len(writes))])
        return [outcome.contact_id or 0 for outcome in outcomes]

    async def tell(self, writes: Sequence[Write]) -> list[Outcome]:
        self.calls["contacts"] += 1
        return [self.apply(write) for write in writes]

    async def tell_events(self, writes: Sequence[Write]) -> list[Outcome]:
        self.calls["events"] += 1
        self.events += [msgspec.json.decode(write.body) for write in writes]
        return [Outcome(write=write, verdict=Verdict.DELIVERED) for write in writes]

    @asynccontextmanager
    async def outbox(self, resource: Resource, settle: object) -> AsyncIterator[MemoryOutbox]:
        outbox = MemoryOutbox(self, settle)
        yield outbox
        await outbox.flush()

    def floor_seconds(self, calls: Mapping[str, int]) -> float:
        return 0.0

    def apply(self, write: Write) -> Outcome:
        why = self.answer(write)
        if why:
            verdict = Verdict.RETRY if why == "later" else Verdict.REFUSED
            return Outcome(write=write, verdict=verdict, reason=why, seconds=0.0)
        self.told.append(write)
        if write.farewell:
            email = list(self.contacts)[(write.rename or 0) - 1]
            if write.farewell is Farewell.HARD:
                del self.contacts[email]
            else:
                self.contacts[email] |= {"left": True} | ({"blocked": True} if write.blocks else {})
            return Outcome(write=write, verdict=Verdict.DELIVERED, contact_id=write.rename)
        value = msgspec.json.decode(write.body)
        if not write.person and self.taken is Verdict.ACCEPTED:
            self.in_the_air.append(write)
            return Outcome(write=write, verdict=self.taken)
        if not write.person:
            self.others[str(write.key)] = value
            return Outcome(write=write, verdict=Verdict.DELIVERED)
        contact, blocks = value["value"], value["blocks"]
        if write.rename is not None:
            old = list(self.contacts)[write.rename - 1]
            self.contacts = {contact["email"] if k == old else k: v for k, v in self.contacts.items()}
        before = self.contacts.get(contact["email"], {})
        blocked = before.get("blocked", False) if blocks is None else blocks
        self.contacts[contact["email"]] = {**contact, "blocked": blocked}
        id_ = list(self.contacts).index(contact["email"]) + 1
        return Outcome(write=write, verdict=Verdict.DELIVERED, contact_id=id_)

    def land(self) -> None:
        """Apply what was accepted, oldest first."""
        while self.in_the_air:
            write = self.in_the_air.pop(0)
            self.others[str(write.key)] = msgspec.json.decode(write.body)


class MemoryOutbox:
    def __init__(self, platform: MemoryPlatform, settle: object) -> None:
        self._platform = platform
        self._settle = settle
        self._held: list[Write] = []

    async def put(self, write: Write) -> None:
        self._held.append(write)
        if len(self._held) >= self._platform.batch:
            await self.flush()

    async def flush(self) -> None:
        held, self._held = self._held, []
        if held:
            self._platform.calls["batches"] += 1
            await self._settle([self._platform.apply(write) for write in held])  # type: ignore[operator]


def customer(id_: int, email: str, **more: object) -> Customer:
    values: dict[str, object] = {"first_name": f"C{id_}", "created": DAY_ONE, "modified": DAY_ONE}
    return Customer(id=id_, email=email, **{**values, **more})  # type: ignore[arg-type]


def subscriber(id_: int, email: str, *, granted: bool, **more: object) -> Subscriber:
    consents = frozenset({"marketing_newsletter"} if granted else set())
    values: dict[str, object] = {"first_name": f"S{id_}", "modified": DAY_ONE}
    return Subscriber(id=id_, email=email, consents=consents, **{**values, **more})  # type: ignore[arg-type]


def refund(id_: int, order_id: int, amount: str, **more: object) -> Refund:
    return Refund(id=id_, order_id=order_id, amount=Decimal(amount), **{"created": DAY_ONE, **more})  # type: ignore[arg-type]
