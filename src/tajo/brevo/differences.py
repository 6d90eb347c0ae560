"""What a few writes would change, field by field: what Brevo holds now beside what it would be told.

The answers hold personal data. They are the merchant's own and may be shown, but never logged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
from msgspec import Struct

from tajo.brevo.api import PRODUCT, Api, SwitchedOff
from tajo.brevo.attributes import BUILT_IN, EMAIL
from tajo.brevo.contact_payload import email_of, lane_of
from tajo.sync.model import Resource, Write

SAMPLES = 5
"""Of one resource."""

LOOKED_UP = 3
"""Products and variants that are looked up: each costs one of the hundred calls an hour."""

CATALOGUE = frozenset({Resource.PRODUCTS, Resource.VARIANTS})


class Change(Struct, frozen=True):
    """One field, as Brevo holds it (None: not at all) and as it would be told."""

    field: str
    now: Any
    then: Any


async def differences(api: Api, samples: Mapping[Resource, Sequence[Write]]) -> list[dict[str, Any]]:
    """An entry `{"key", "summary", "fields": [{"field", "now", "then"}]}` for a few writes of each resource.

    Contacts and some products are compared with what Brevo holds. The rest is not: there is no route to
    one order, and more of the others would use up calls that the sync itself needs.
    """
    entries: list[dict[str, Any]] = []
    look_ups = min(LOOKED_UP, api.limits.headroom(PRODUCT))
    for write in chain.from_iterable(writes[:SAMPLES] for writes in samples.values()):
        if write.person:
            now = await api.contact_details(email_of(write) if write.rename is None else write.rename)
            entries.append(_entry(write, "contact", bool(now), contact_changes(write, now)))
        elif write.key.resource in CATALOGUE and look_ups:
            look_ups -= 1
            told = msgspec.json.decode(write.body)
            now = await _product(api, told["id"])
            entries.append(_entry(write, "product", bool(now), product_changes(told, now)))
        else:
            entries.append({"key": str(write.key), "summary": "new or changed", "fields": []})
    return entries


async def _product(api: Api, number: str) -> dict[str, Any]:
    """What Brevo holds of a product: nothing while eCommerce is switched off."""
    try:
        return await api.product_details(number)
    except SwitchedOff:
        return {}


def contact_changes(write: Write, now: Mapping[str, Any]) -> list[Change]:
    """What a contact's write changes. What is not mentioned stays."""
    row = msgspec.json.decode(write.body)
    lane = lane_of(write.lane)
    held = now.get("attributes") or {}
    lists = sorted(now.get("listIds") or ())
    changes = [Change("email", now.get("email"), row["email"])]
    told = row["attributes"]
    changes += [Change(f"attributes.{name}", held.get(name), told[name]) for name in told]
    changes.append(Change("listIds", lists, sorted({*lists, *lane.lists} - {*lane.leaves})))
    if lane.blocked is not None:
        changes.append(Change("emailBlacklisted", now.get("emailBlacklisted"), lane.blocked))
    return list(_real(changes))


def product_changes(told: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """What a product's or variant's write changes; what is not mentioned stays."""
    return list(_real(Change(name, now.get(name), value) for name, value in told.items()))


def _real(changes: Iterable[Change]) -> Iterator[Change]:
    return (change for change in changes if not _same(change))


def _same(change: Change) -> bool:
    """Brevo writes some values in its own way: phones without `+`, e-mails in lower case, no for null."""
    now, then = change.now, change.then
    name = change.field.rpartition(".")[2].upper()
    if now is None:
        return then is False
    if name in BUILT_IN:
        return str(now).lstrip("+") == str(then).lstrip("+")
    if name == EMAIL:
        return str(now).casefold() == str(then).casefold()
    return bool(now == then)


def _entry(write: Write, what: str, known: bool, changes: Sequence[Change]) -> dict[str, Any]:
    number = {0: "no field changes", 1: "1 field changes"}.get(len(changes), f"{len(changes)} fields change")
    return {
        "key": str(write.key),
        "summary": number if known else f"new {what}",
        "fields": [{"field": c.field, "now": c.now, "then": c.then} for c in changes],
    }
