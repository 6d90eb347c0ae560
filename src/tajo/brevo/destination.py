"""Brevo as a `Destination` of the machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from tajo.brevo.account import plan_words, ready_attributes, ready_ecommerce, ready_lists
from tajo.brevo.actions import Actions
from tajo.brevo.api import PAGE, Api, WholeRow
from tajo.brevo.attributes import Attributes
from tajo.brevo.batch_outbox import WAYS, BatchOutbox
from tajo.brevo.commerce_payloads import CommercePayloads
from tajo.brevo.contact_payload import ContactPayload
from tajo.brevo.contacts import IMPORT_BYTES, Contacts
from tajo.brevo.crew import Crew
from tajo.brevo.differences import differences
from tajo.brevo.event_payloads import EventPayloads
from tajo.brevo.events import Events
from tajo.brevo.holdings import existing
from tajo.brevo.requests import request
from tajo.brevo.rules import Rules
from tajo.brevo.tracing import Traced
from tajo.http import Clock
from tajo.sync.automation import Standing
from tajo.sync.model import (
    Category,
    Contact,
    Event,
    Existing,
    Farewell,
    Key,
    Order,
    Outcome,
    Product,
    Resource,
    Store,
    Write,
)
from tajo.sync.ports import Outbox, Settle, Writes


class BrevoDestination:
    """One Brevo account that is told about one store, by the merchant's rules.

    Rendering (`contact`, `order`, `product`, `category`, `traced`) is pure, but knows the account's
    attribute types and list ids only once it is open. After `open`: `plan`, the account's plans, and
    `notes`, sentences for people about what was created or should be known. `actions`: who carries out what
    automations decide. `link` makes the address that brings a cart back.
    """

    def __init__(
        self,
        api: Api,
        rules: Rules,
        *,
        clock: Clock | None = None,
        link: Callable[[Key], str] = lambda _cart: "",
    ) -> None:
        self._api = api
        self._rules = rules
        self._clock = clock or Clock()
        self._contacts = ContactPayload(rules, Attributes(), {})
        self._commerce = CommercePayloads(rules, Store(name="", currency=""))
        self._link = link
        self._happenings = EventPayloads(rules, Store(name="", currency=""), link=link)
        self._people = Contacts(api, self._clock)
        self._attributes = Attributes()
        self.actions = Actions(api)
        self._events = Events(api)
        self.plan = ""
        self.notes: list[str] = []

    async def open(self, store: Store, *, create: bool = True) -> None:
        """Check the key, see that attributes, lists and eCommerce are there (`create` False: only look).

        Two of the hundred calls an hour. Raises `Mend` for a wrong key, a list id that does not
        exist, an attribute that cannot be created.
        """
        self.plan = await plan_words(self._api)
        attributes, made = await ready_attributes(self._api, self._rules, create=create)
        lists, filed = await ready_lists(self._api, self._rules, create=create)
        self.notes = [*made, *filed, *await ready_ecommerce(self._api, store.currency, create=create)]
        self._attributes = attributes
        self._contacts = ContactPayload(self._rules, attributes, lists)
        self._commerce = CommercePayloads(self._rules, store)
        self._happenings = EventPayloads(self._rules, store, link=self._link)

    async def people(self, *, created_since: datetime | None = None) -> AsyncIterator[Sequence[Existing]]:
        """All contacts, or those of late, a thousand at a time; one without an e-mail has "" for it."""
        offset = 0
        while True:
            rows, _ = await self._api.contacts(offset, created_since=created_since)
            yield [
                existing(row.id, row.email, row.attributes.SMS, blocked=row.emailBlacklisted) for row in rows
            ]
            offset += PAGE
            if len(rows) < PAGE:
                return

    async def standing(self, email: str) -> Standing:
        """How this contact stands at Brevo now. Raises `Later` and `Mend`."""
        return await self.actions.standing(email)

    # --- rendering

    def contact(self, contact: Contact) -> Write | None:
        """The write that tells this person; None where the consent rule says not to."""
        return self._contacts.write(contact)

    def order(self, order: Order, *, historical: bool) -> Write:
        """The write that tells this order; historical ones start no automation."""
        return self._commerce.order(order, historical=historical)

    def product(self, product: Product) -> Sequence[Write]:
        """The writes that tell this product and each of its variants, the product first."""
        return self._commerce.product(product)

    def withdrawn_variants(self, product: Product, variants: Sequence[int]) -> Sequence[Write]:
        """The writes that tell that these variants of the product are gone."""
        return self._commerce.withdrawn_variants(product, variants)

    def gone_product(self, product: int, variants: Sequence[int]) -> Sequence[Write]:
        """The writes that tell that a product and these variants of it are gone, the product first."""
        return self._commerce.gone_product(product, variants)

    def gone_category(self, category: int) -> Write:
        """The write that tells that a category is gone."""
        return self._commerce.gone_category(category)

    def farewell(self, person: bytes, contact_id: int, how: Farewell, *, withdrawn: bool) -> Write:
        """The write that lets a person go: from our lists, or for good."""
        return self._contacts.farewell(person, contact_id, how, withdrawn=withdrawn)

    def category(self, category: Category) -> Write:
        """The write that tells this category."""
        return self._commerce.category(category)

    def event_writes(self, event: Event) -> Sequence[Write]:
        """The writes that tell this event; none where the merchant does not want it told."""
        return self._happenings.writes(event)

    def phone(self, contact: Contact) -> str:
        """The phone that the mapping names, E.164, or empty."""
        return self._contacts.phone(contact)

    def traced(self, record: Contact | Order | Product | Category) -> list[list[Traced]]:
        """For each payload that tells this record, every field with its value and where that came from."""
        match record:
            case Contact():
                return [self._contacts.traced(record)]
            case Order():
                return [self._commerce.traced_order(record)]
            case Category():
                return [self._commerce.traced_category(record)]
            case Product():
                variants = [self._commerce.traced_variant(record, variant) for variant in record.variants]
                return [self._commerce.traced_product(record), *variants]

    def request(self, write: Write) -> tuple[str, bytes]:
        """The request that tells this write alone: `POST /v3/contacts`, and its exact body."""
        return request(write)

    def in_our_words(self, row: WholeRow) -> WholeRow:
        """A contact with no attributes but those that the rules name, and their options as they are told."""
        names = {self._attributes.of(rule).name for rule in self._rules.mapping}
        kept = {
            name: self._attributes.option(name, row.attributes[name])
            for name in names & row.attributes.keys()
        }
        return replace(row, attributes=kept)

    async def differences(self, samples: Mapping[Resource, Sequence[Write]]) -> list[dict[str, Any]]:
        """What a few of these writes would change, field by field (see `tajo.brevo.differences`)."""
        return await differences(self._api, samples)

    # --- sending

    @property
    def full_call(self) -> int:
        """So many bytes of contacts' bodies fill an import."""
        return IMPORT_BYTES

    async def tell_many(self, writes: Writes) -> Sequence[int]:
        """Tell contacts that share a lane, by import; their ids by place, 0 for those to be told alone."""
        return await self._people.tell_many(writes)

    async def tell(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Tell contacts singly; returns when each has been answered."""
        return await self._people.tell(writes)

    async def tell_events(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """Tell events; returns when each has been answered."""
        return await self._events.tell(writes)

    @asynccontextmanager
    async def outbox(self, resource: Resource, settle: Settle) -> AsyncIterator[Outbox]:
        """An outbox for orders, products or categories.

        Leaving it flushes it; leaving it by an exception drops what has not been sent.
        """
        async with Crew(settle) as crew:
            outbox = BatchOutbox(self._api, WAYS[resource], crew, self._clock)
            yield outbox
            await outbox.flush()

    @property
    def calls(self) -> Mapping[str, int]:
        """Calls made so far by route, failed ones included."""
        return self._api.calls

    @property
    def waited(self) -> float:
        """Seconds for which the account's limits have held us back so far."""
        return self._api.limits.waited

    def floor_seconds(self, calls: Mapping[str, int]) -> float:
        """The least time in which the limits allow that many calls, given by route."""
        return self._api.limits.floor_seconds(calls)
