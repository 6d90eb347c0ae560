"""What a few writes would change, field by field: what Brevo holds now beside what it would be told.

The answers hold personal data. They are the merchant's own and may be shown, but never logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import msgspec
from msgspec import Struct

from tajo.brevo.api import PRODUCT, Api, SwitchedOff
from tajo.brevo.attributes import BUILT_IN, EMAIL, TRUTHS
from tajo.brevo.contact_payload import email_of, lane_of
from tajo.sync.model import Resource, Write

SAMPLES = 5
"""Of one resource."""

LOOKED_UP = 3
"""Products and variants that are looked up: each costs one of the hundred calls an hour."""

CATALOGUE = frozenset({Resource.PRODUCTS, Resource.VARIANTS})

PHONES = BUILT_IN | {"PHONE", "PHONE_ID"}
EMAILS = frozenset({EMAIL, "EMAIL_ID"})

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T|$)")


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
    """What a product's, order's or category's write changes, `billing.city` apart from `billing.phone`.

    What is not mentioned stays.
    """
    held = dict(flat(now))
    return list(_real(Change(name, held.get(name), value) for name, value in flat(told)))


def flat(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each field by its name, those of an object by both names."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", one) for inner, one in value.items())
        else:
            yield name, value


def _real(changes: Iterable[Change]) -> Iterator[Change]:
    return (change for change in changes if not same(change.field, change.now, change.then))


def same(field: str, now: Any, then: Any) -> bool:
    """Whether Brevo holds what it was told. It writes some values in its own way.

    Phones without `+`, e-mails in lower case, no for null, moments to the millisecond, numbers as text and
    ids as numbers, a list's items in another order.
    """
    if now is None:
        return then is False or then == []
    match then:
        case bool():
            return TRUTHS.get(str(now).strip().casefold()) is then
        case int() | float():
            return _number(now) == _number(then)
        case list():
            return isinstance(now, list) and sorted(map(_item, now)) == sorted(map(_item, then))
        case _:
            name = field.rpartition(".")[2].upper()
            return _text(name, str(now)) == _text(name, str(then))


def _text(name: str, text: str) -> str:
    text = text.strip()
    if name in PHONES:
        return text.lstrip("+")
    if name in EMAILS:
        return text.casefold()
    return _moment(text) if _MOMENT.match(text) else text


def _number(value: Any) -> float | None:
    """To the cent; None if it is no number."""
    try:
        return round(float(value), 2)
    except (TypeError, ValueError):
        return None


def _item(item: Any) -> tuple[str, ...]:
    """One of a list: a word, or a line of an order; what is bought is a number in one of two fields."""
    if not isinstance(item, Mapping):
        return (str(item).strip().casefold(),)
    quantity = item.get("quantity") or item.get("quantityFloat")
    line = (item.get("productId"), item.get("variantId") or "", _number(quantity), _number(item.get("price")))
    return tuple(map(str, line))


def _moment(text: str) -> str:
    """A day, or a moment in UTC to the second; the text itself if it is neither."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.isoformat(timespec="seconds")


def _entry(write: Write, what: str, known: bool, changes: Sequence[Change]) -> dict[str, Any]:
    number = {0: "no field changes", 1: "1 field changes"}.get(len(changes), f"{len(changes)} fields change")
    return {
        "key": str(write.key),
        "summary": number if known else f"new {what}",
        "fields": [{"field": c.field, "now": c.now, "then": c.then} for c in changes],
    }
