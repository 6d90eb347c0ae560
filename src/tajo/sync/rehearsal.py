"""A rehearsal: the whole path runs, on a copy of the ledger, and nothing is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

from tajo.sync.model import (
    Category,
    Contact,
    Event,
    Existing,
    Farewell,
    Order,
    Outcome,
    Product,
    Resource,
    Store,
    Verdict,
    Write,
)
from tajo.sync.ports import Destination, Outbox, Settle, Writes

SAMPLES = 5


class Rehearsal:
    """A destination that renders as the real one does, and keeps a few writes instead of sending them."""

    def __init__(self, destination: Destination) -> None:
        self._real = destination
        self.samples: dict[Resource, list[Write]] = {}

    async def open(self, store: Store, *, create: bool = True) -> None:
        """Look only: nothing is created, whatever `create` says."""
        await self._real.open(store, create=False)

    def people(self, *, created_since: datetime | None = None) -> AsyncIterator[Sequence[Existing]]:
        """The real contacts."""
        return self._real.people(created_since=created_since)

    def contact(self, contact: Contact) -> Write | None:
        """As the real one."""
        return self._real.contact(contact)

    def order(self, order: Order, *, historical: bool) -> Write:
        """As the real one."""
        return self._real.order(order, historical=historical)

    def product(self, product: Product) -> Sequence[Write]:
        """As the real one."""
        return self._real.product(product)

    def withdrawn_variants(self, product: Product, variants: Sequence[int]) -> Sequence[Write]:
        """As the real one."""
        return self._real.withdrawn_variants(product, variants)

    def category(self, category: Category) -> Write:
        """As the real one."""
        return self._real.category(category)

    def gone_product(self, product: int, variants: Sequence[int]) -> Sequence[Write]:
        """As the real one."""
        return self._real.gone_product(product, variants)

    def gone_category(self, category: int) -> Write:
        """As the real one."""
        return self._real.gone_category(category)

    def farewell(self, person: bytes, contact_id: int, how: Farewell, *, withdrawn: bool) -> Write:
        """As the real one."""
        return self._real.farewell(person, contact_id, how, withdrawn=withdrawn)

    def phone(self, contact: Contact) -> str:
        """As the real one."""
        return self._real.phone(contact)

    def event_writes(self, event: Event) -> Sequence[Write]:
        """As the real one."""
        return self._real.event_writes(event)

    @property
    def full_call(self) -> int:
        """As the real one."""
        return self._real.full_call

    async def tell_many(self, writes: Writes) -> Sequence[int]:
        """Leaves all to be told alone."""
        return [0] * len(writes)

    async def tell(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Says of all that they were delivered."""
        return [_kept(self.samples, write) for write in writes]

    async def tell_events(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Says of all that they were delivered."""
        return await self.tell(writes)

    def outbox(self, resource: Resource, settle: Settle) -> AbstractAsyncContextManager[Outbox]:
        """Keeps a few writes of each resource, and says of all that they were delivered."""
        return _pretend(self.samples, settle)

    @property
    def calls(self) -> Mapping[str, int]:
        """The calls that looking took, by route."""
        return self._real.calls

    def floor_seconds(self, calls: Mapping[str, int]) -> float:
        """Of the calls that looking took."""
        return self._real.floor_seconds(calls)


@asynccontextmanager
async def _pretend(samples: dict[Resource, list[Write]], settle: Settle) -> AsyncIterator[Outbox]:
    outbox = _Pretence(samples, settle)
    yield outbox
    await outbox.flush()


class _Pretence:
    def __init__(self, samples: dict[Resource, list[Write]], settle: Settle) -> None:
        self._samples = samples
        self._settle = settle
        self._held: list[Outcome] = []

    async def put(self, write: Write) -> None:
        self._held.append(_kept(self._samples, write))
        if len(self._held) >= 500:
            await self.flush()

    async def flush(self) -> None:
        outcomes, self._held = self._held, []
        if outcomes:
            await self._settle(outcomes)


def _kept(samples: dict[Resource, list[Write]], write: Write) -> Outcome:
    """As if it had been delivered; of each resource those with the lowest ids are kept."""
    kept = samples.setdefault(write.key.resource, [])
    if len(kept) < SAMPLES or write.key < kept[-1].key:
        kept.append(write)
        kept.sort(key=lambda sample: sample.key)
        del kept[SAMPLES:]
    return Outcome(write=write, verdict=Verdict.DELIVERED)
