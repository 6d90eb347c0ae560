"""The mapping language: from a path such as `addresses[0].city` to a value of a contact.

Paths are the names of BigCommerce's V3 customer, plus the metrics that Tajo computes. The mapping
says nothing of how a destination writes a value; that follows the attribute's type there.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from tajo.sync.model import Address, Contact

Value = str | int | float | bool | Decimal | datetime | list[str]
Reader = Callable[[Contact], Value | None]


class Rule(Struct, frozen=True):
    """`read(contact)` gives the value for the destination's `attribute`; None where there is none.

    `kind`: `text`, `number`, `date` or `phone`, the type that a missing attribute is created with.
    A `phone` is read as the shop wrote it.
    """

    path: str
    attribute: str
    kind: str
    read: Reader


def rule(path: str, attribute: str) -> Rule:
    """Compile one line of `customer_mapping`. Raises `ValueError` that names the nearest valid path."""
    kind, read = _reader(path)
    if attribute in PHONES:
        if kind != "text":
            raise ValueError(f"`{path}` is no phone number; map it to another attribute than `{attribute}`")
        kind = "phone"
    return Rule(path, attribute, kind, read)


def _group(contact: Contact) -> str | None:
    customer = contact.customer
    return customer.group or (str(customer.group_id) if customer.group_id else None)


PHONES = frozenset({"SMS", "WHATSAPP", "LANDLINE_NUMBER"})

PLAIN: dict[str, tuple[str, Reader]] = {
    "email": ("text", lambda contact: contact.customer.email or None),
    "first_name": ("text", lambda contact: contact.customer.first_name or None),
    "last_name": ("text", lambda contact: contact.customer.last_name or None),
    "phone": ("text", lambda contact: contact.customer.phone or None),
    "company": ("text", lambda contact: contact.customer.company or None),
    "notes": ("text", lambda contact: contact.customer.notes or None),
    "customer_group_id": ("text", _group),
    "date_created": ("date", lambda contact: contact.customer.created),
    "date_modified": ("date", lambda contact: contact.customer.modified),
    "store_credit": ("number", lambda contact: contact.customer.store_credit),
    "origin_channel_id": ("number", lambda contact: contact.customer.storefront),
    "orders_count": ("number", lambda contact: contact.metrics.orders_count),
    "total_spent": ("number", lambda contact: contact.metrics.total_spent),
    "first_order_date": ("date", lambda contact: contact.metrics.first_order_date),
    "last_order_date": ("date", lambda contact: contact.metrics.last_order_date),
    "average_order_value": ("number", lambda contact: contact.metrics.average_order_value),
}

# The names of an address, and the two spellings that come from BigCommerce's V2.
ADDRESS = {name: name for name in Address.__struct_fields__} | {
    "state": "state_or_province",
    "zip": "postal_code",
}

# The merchant's own fields: BigCommerce has two kinds and people a third name; all are told apart by name.
NAMED = ("form_fields.", "attributes.", "custom_fields.")

_ADDRESS = re.compile(r"addresses\[([0-9]{1,4})\]\.(\w+)")


def _reader(path: str) -> tuple[str, Reader]:
    if path in PLAIN:
        return PLAIN[path]
    address = _ADDRESS.fullmatch(path)
    if address and address[2] in ADDRESS:
        return "text", _address(int(address[1]), ADDRESS[address[2]])
    prefix, dot, name = path.partition(".")
    if prefix + dot in NAMED and name.strip():
        return "text", _field(name.strip())
    near = _nearest(path)
    raise ValueError(f"unknown path `{path}`" + (f"; did you mean `{near}`?" if near else ""))


def _address(index: int, field: str) -> Reader:
    def read(contact: Contact) -> Value | None:
        addresses = contact.customer.addresses
        return getattr(addresses[index], field) or None if index < len(addresses) else None

    return read


def _field(name: str) -> Reader:
    wanted = name.casefold()

    def read(contact: Contact) -> Value | None:
        fields = contact.customer.fields
        value = fields.get(name)
        if value is None:
            value = next((fields[key] for key in fields if key.casefold() == wanted), None)
        return None if value in ("", []) else value

    return read


def _nearest(path: str) -> str:
    """The valid path that looks most like this one; empty if none does."""
    index = re.search(r"[0-9]{1,4}", path)
    name = path.partition(".")[2]
    valid = [
        *PLAIN,
        *(f"addresses[{index[0] if index else 0}].{field}" for field in ADDRESS),
        *(prefix + name for prefix in NAMED if name.strip()),
    ]
    return next(iter(difflib.get_close_matches(path, valid, n=1)), "")
