"""What the merchant wants to see in Brevo, as frozen data that the wiring layer fills from `tajo.yaml`."""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b

import msgspec
from msgspec import Struct

from tajo.sync.mapping import Rule
from tajo.sync.model import EventKind

ListName = int | str
"""A Brevo list: an int is the id of a list that exists, a str the name of one that is made if missing."""


class ConsentMode(StrEnum):
    """What to do with people who gave no consent to marketing mail.

    `BLOCKLIST`: tell them to Brevo, e-mail-blocklisted from their creation. `SKIP`: do not tell them
    at all. `IGNORE`: say nothing about consent. A withdrawal is told in every mode but `IGNORE`.
    """

    BLOCKLIST = "blocklist"
    SKIP = "skip"
    IGNORE = "ignore"


class CartLayout(StrEnum):
    """How the events look that Brevo's own cart automations listen to, beside ours: not at all, flat as
    plugins send them to `POST /events`, or nested as its tracker does.
    """

    NONE = "none"
    FLAT = "flat"
    NESTED = "nested"


class Lists(Struct, frozen=True, kw_only=True):
    """The lists that contacts join: everybody, those with a counted order, those who gave consent."""

    all_customers: ListName = "Customers"
    buyers: ListName | None = "Buyers"
    subscribers: ListName | None = None
    abandoned_cart: ListName | None = None


class StorefrontRules(Struct, frozen=True, kw_only=True):
    """What differs for one storefront: more `lists`, and its `url` where the channel tells none."""

    lists: tuple[ListName, ...] = ()
    url: str = ""


class Rules(Struct, frozen=True, kw_only=True):
    """Everything that decides what a payload looks like.

    `id_prefix` keeps the orders, products and categories of several stores apart in one account,
    because ids are the only key there. `events`: which kinds are told, and under which name (at most 255
    characters of `A-Za-z0-9_-`). `event_contacts`: the e-mail of the contact that an event is told of when
    it is about no person, as one of stock; without one such an event is not told.
    """

    mapping: tuple[Rule, ...] = ()
    lists: Lists = Lists()
    storefronts: dict[int, StorefrontRules] = {}
    consent: ConsentMode = ConsentMode.BLOCKLIST
    id_prefix: str = ""
    events: dict[EventKind, str] = {}
    event_contacts: dict[EventKind, str] = {}
    cart_layout: CartLayout = CartLayout.NONE

    def every_list(self) -> tuple[ListName, ...]:
        """All lists that are named anywhere, each once."""
        lists = self.lists
        named = [lists.all_customers, lists.buyers, lists.subscribers, lists.abandoned_cart]
        for storefront in self.storefronts.values():
            named.extend(storefront.lists)
        return tuple(dict.fromkeys(name for name in named if name is not None))

    def fingerprint(self) -> str:
        """A hash that changes whenever a payload of a record might: then all must be told anew.

        What events are called is no part of it: what has happened is not told twice.
        """
        words = (
            [(rule.path, rule.attribute, rule.kind) for rule in self.mapping],
            self.lists,
            sorted(self.storefronts.items()),
            self.consent,
            self.id_prefix,
        )
        return blake2b(msgspec.json.encode(words), digest_size=16).hexdigest()
