"""What each kind of record is to a sync."""

from __future__ import annotations

from tajo.sync.model import Resource

#: What can be read at the same time; within a lane one after the other. Contacts need all of it first.
LANES: tuple[tuple[Resource, ...], ...] = (
    (Resource.CATEGORIES, Resource.PRODUCTS),
    (Resource.REFUNDS, Resource.ORDERS),
    (Resource.SUBSCRIBERS,),
)

#: What comes of people; it is written last.
PEOPLE = frozenset({Resource.CUSTOMERS, Resource.GUESTS})

#: What no contact is composed of: trouble with it keeps nobody's contact waiting.
BESIDE = frozenset({Resource.CATEGORIES, Resource.PRODUCTS})

#: What can be read as a list.
LISTED = frozenset({Resource.CUSTOMERS}).union(*LANES)

#: What is told through an outbox. All else is remembered as a part of something, or shipped.
GOODS = frozenset({Resource.CATEGORIES, Resource.PRODUCTS, Resource.ORDERS})

#: What nobody can look at again: events, and steps of sequences.
UNSEEN = frozenset({Resource.EVENTS, Resource.SEQUENCES})

#: What a queued key leads to: a guest is seen through an order.
LOOK_AT = {Resource.GUESTS: Resource.ORDERS}

#: Which resources a word of the configuration or command line stands for.
PARTS: dict[str, frozenset[Resource]] = {
    "customers": frozenset({Resource.SUBSCRIBERS, Resource.CUSTOMERS, Resource.GUESTS}),
    "orders": frozenset({Resource.REFUNDS, Resource.ORDERS}),
    "products": frozenset({Resource.CATEGORIES, Resource.PRODUCTS}),
    "carts": frozenset({Resource.CARTS}),
}

#: What shows a guest, who is named by it.
SHOWS = frozenset(LOOK_AT.values())

#: What a store can be asked for the newest change of.
DATED = frozenset({Resource.CUSTOMERS, Resource.ORDERS, Resource.PRODUCTS})
