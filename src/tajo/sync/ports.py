"""The two doors of the machine: where records come from, and where they go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from datetime import datetime
from typing import Protocol

from tajo.sync.model import (
    Batch,
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

urgent: ContextVar[bool] = ContextVar("urgent", default=False)
"""Somebody waits for what is read now: it goes before what only a sweep wants."""

Settle = Callable[[Sequence[Outcome]], Awaitable[None]]

Told = Callable[[Resource, Verdict, float], None]
"""Hears of each record that was answered for: what it is, what became of it, and since when somebody waited.

That is the moment at which it was named, or fell due; 0: nobody waited, a sweep met it.
"""


class Source(Protocol):
    """A store that can be read. Every method may raise `Mend` or `Later`, never anything of HTTP."""

    async def open(self) -> Store:
        """Read what is true of the whole store; the first call, and a test of the credentials."""
        ...

    def pages(self, resource: Resource, *, since: datetime | None, cursor: str) -> AsyncIterator[Batch]:
        """All records (`since` None) or those modified since, going on after `cursor` (empty: the start).

        A record is met at least once, however the store changes meanwhile. The last batch has an
        empty cursor; a store without records yields one empty batch.
        """
        ...

    async def fetch(self, resource: Resource, ids: Sequence[int]) -> Batch:
        """Look at these ids now, in as few calls as the source allows; what is gone has no record."""
        ...

    async def fetch_carts(self, uuids: Sequence[str]) -> Batch:
        """Look at these carts now; one that was bought, emptied or given up has no record."""
        ...

    async def companions(self, batch: Batch) -> Sequence[Batch]:
        """What else must be known to weigh these records, and may not have been announced by itself."""
        ...

    async def newest(self, resource: Resource) -> float | None:
        """When the latest change of all customers, orders or products happened, in seconds since 1970.

        None where there are none, or where nobody can say.
        """
        ...

    async def unsubscribe(self, email: str) -> bool | None:
        """Take the consent to marketing mail from everybody with this e-mail; whether anything changed.

        None: we may only read, and this store will not be told. Twice is once.
        """
        ...

    async def discount(self, percent: int, seconds: float, code: str) -> None:
        """Let the checkout take this code, once: so many percent off a cart, for so long (0: without end).

        It may last a day longer. Twice is once. Raises `Mend` where we may not.
        """
        ...

    async def count(self, resource: Resource, *, since: datetime | None) -> int:
        """How many records `pages` would meet, in one call."""
        ...

    def page_size(self, resource: Resource) -> int:
        """How many records one call returns at the most."""
        ...

    @property
    def calls(self) -> int:
        """Calls made so far, failed ones included."""
        ...

    def floor_seconds(self, calls: int) -> float:
        """The least time in which the store's limits allow that many calls."""
        ...


class Outbox(Protocol):
    """Takes writes of one resource, sends them in the largest batches that the limits reward."""

    async def put(self, write: Write) -> None:
        """Take a write; waits while the outbox is full. It never overtakes an older one of the same thing."""
        ...

    async def flush(self) -> None:
        """Send all that is held and wait until every write has been settled."""
        ...


class Writes(Protocol):
    """Many writes, of which a few are in memory at a time: to be read in their order, and not kept."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> Write: ...


class Destination(Protocol):
    """A marketing platform that can be told. Rendering is pure; only `open`, `people` and outboxes talk."""

    async def open(self, store: Store, *, create: bool = True) -> None:
        """Check the credentials; make sure that attributes and lists exist (`create` False: only look)."""
        ...

    def people(self, *, created_since: datetime | None = None) -> AsyncIterator[Sequence[Existing]]:
        """All contacts that are there, or that came since a moment, page by page."""
        ...

    def contact(self, contact: Contact) -> Write | None:
        """The write that tells this person; None where the consent rule says not to."""
        ...

    def order(self, order: Order, *, historical: bool) -> Write:
        """The write that tells this order."""
        ...

    def product(self, product: Product) -> Sequence[Write]:
        """The writes that tell this product and each of its variants."""
        ...

    def withdrawn_variants(self, product: Product, variants: Sequence[int]) -> Sequence[Write]:
        """The writes that tell that these variants of the product are gone."""
        ...

    def category(self, category: Category) -> Write:
        """The write that tells this category."""
        ...

    def gone_product(self, product: int, variants: Sequence[int]) -> Sequence[Write]:
        """The writes that tell that a product and these variants of it are gone."""
        ...

    def gone_category(self, category: int) -> Write:
        """The write that tells that a category is gone."""
        ...

    def farewell(self, person: bytes, contact_id: int, how: Farewell, *, withdrawn: bool) -> Write:
        """The write that lets a person go: from our lists, or for good.

        `withdrawn`: they had agreed to marketing mail, and do not any more.
        """
        ...

    def phone(self, contact: Contact) -> str:
        """The contact's phone as the destination would get it (E.164), or empty."""
        ...

    def event_writes(self, event: Event) -> Sequence[Write]:
        """The writes that tell this event; none where the merchant does not want it told."""
        ...

    def outbox(self, resource: Resource, settle: Settle) -> AbstractAsyncContextManager[Outbox]:
        """An outbox for goods, whose outcomes go to `settle` as they become known; leaving it flushes it."""
        ...

    @property
    def full_call(self) -> int:
        """So many bytes of contacts' bodies fill one call."""
        ...

    async def tell_many(self, writes: Writes) -> Sequence[int]:
        """Tell contacts of one lane in one call, one of each person; the destination's ids of them, by place.

        0: this one must be told alone to learn what became of it. Returns when the call has been answered.
        Raises `Later` if nothing is known of any of them.
        """
        ...

    async def tell(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Tell contacts alone, one of each person; returns when each has been answered."""
        ...

    async def tell_events(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Tell events; returns when each has been answered."""
        ...

    @property
    def calls(self) -> Mapping[str, int]:
        """Calls made so far by route, failed ones included."""
        ...

    def floor_seconds(self, calls: Mapping[str, int]) -> float:
        """The least time in which the limits allow that many calls, given by route."""
        ...
