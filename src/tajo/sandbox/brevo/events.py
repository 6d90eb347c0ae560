"""Custom events: `/events`, `/events/batch` (brevo.md sections 4.1 and 4.2).

204 means accepted, and a repeated event is a second event. Whether Brevo creates an unknown contact is not
stated: the simulator does not, it keeps the event and marks it `unknown_contact: true` in `/_sandbox/events`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from .changes import holders, identifier_value, make, read_attributes
from .contacts import KINDS
from .wire import Answer, Refusal, instant, invalid, iso, missing

if TYPE_CHECKING:
    from .account import Account
    from .book import Contact
    from .wire import Call

LARGEST_PROPERTIES: Final = 50 * 1024
"""50 KB of event_properties (SDK), measured as compact JSON."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_SIX_MONTHS = 183 * 86_400_000
_DAY = 86_400_000


class Event(msgspec.Struct, gc=False):
    """One event; `at` in milliseconds since 1970, the properties as compact JSON."""

    name: str
    at: int
    identifiers: dict[str, str | int]
    contact_id: int | None
    properties: msgspec.Raw
    contact_properties: msgspec.Raw
    object_type: str | None

    def content(self) -> dict[str, Any]:
        """Give what the caller sent, without ids or defaulted times."""
        return {
            "event_name": self.name,
            "identifiers": self.identifiers,
            "event_properties": self.properties,
            "contact_properties": self.contact_properties,
        }

    def shown(self) -> dict[str, Any]:
        """Give the item of GET /events."""
        item = {**self.content(), "event_date": iso(self.at), "source": "api"}
        del item["identifiers"]
        if self.contact_id is not None:
            item["contact_id"] = self.contact_id
        if self.object_type is not None:
            item["object_type"] = self.object_type
        return item


def create(account: Account, call: Call) -> Answer:
    """POST /events: 204."""
    _take(account, call.json())
    return Answer(204)


def create_batch(account: Account, call: Call) -> Answer:
    """POST /events/batch: 202 when all pass, 207 when some do, 400 with the same body when none does."""
    items = call.json().get("events")
    if not isinstance(items, list) or not items:
        raise missing("events is missing")
    errors: dict[str, list[int]] = {}
    for position, item in enumerate(items):
        try:
            _take(account, item if isinstance(item, dict) else {})
        except Refusal as refusal:
            errors.setdefault(refusal.message, []).append(position)
    failed = sum(len(positions) for positions in errors.values())
    if not failed:
        message = "Batch accepted. Valid events have been added to the processing queue."
        return Answer(202, {"message": message, "count": len(items)})
    return Answer(
        400 if failed == len(items) else 207,
        {
            "status": "failed" if failed == len(items) else "partial",
            "total_events": len(items),
            "successful_events": len(items) - failed,
            "failed_events": failed,
            "errors": [{"eventIndex": where, "message": message} for message, where in errors.items()],
        },
    )


def index(account: Account, call: Call) -> Answer:
    """GET /events: the last six months by default, at most 10,000 a page, newest first."""
    limit, offset = call.page(default=100, most=10_000)
    start, end = call.one("startDate"), call.one("endDate")
    if (start is None) != (end is None):
        raise missing("startDate and endDate are mandatory together")
    since = account.now() - _SIX_MONTHS if start is None else _day(start, "startDate")
    until = (
        account.now() + _DAY if end is None else _day(end, "endDate") + (_DAY - 1 if len(end) == 10 else 0)
    )
    contacts, names = set(call.integers("contact_id")), set(call.many("event_name"))
    types = set(call.many("object_type"))
    found = [
        event
        for event in account.events
        if since <= event.at <= until
        and (not contacts or event.contact_id in contacts)
        and (not names or event.name in names)
        and (not types or event.object_type in types)
    ]
    page = found[::-1][offset : offset + limit]
    return Answer(200, {"events": [event.shown() for event in page], "count": len(found)})


def _take(account: Account, body: dict[str, Any]) -> None:
    """Check one event and keep it."""
    name = body.get("event_name")
    if name is None:
        raise missing("event_name is missing")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise invalid("event_name should have at most 255 alphanumerical characters, - or _")
    date = body.get("event_date")
    at = account.now() if date is None else instant(date, "event_date")
    identifiers = _identifiers(body.get("identifiers"))
    properties = body.get("event_properties") or {}
    _check_properties(properties)
    raw = msgspec.json.encode(properties)
    if len(raw) > LARGEST_PROPERTIES:
        raise invalid("event_properties can not exceed 50KB")
    updates = body.get("contact_properties") or {}
    if not isinstance(updates, dict) or not all(isinstance(value, str | int) for value in updates.values()):
        raise invalid("contact_properties should be strings, integers or booleans")
    contact = _contact(account, identifiers)
    change = read_attributes(account, updates)
    if contact is not None and updates:
        for kind, holder in holders(account, change).items():
            if holder is not contact:
                del change.identifiers[kind]
        account.hooks.contact_updated(make(account, contact, change))
    target = body.get("object")
    event = Event(
        name=name,
        at=at,
        identifiers=identifiers,
        contact_id=contact.id if contact else None,
        properties=msgspec.Raw(raw),
        contact_properties=msgspec.Raw(msgspec.json.encode(updates)),
        object_type=str(target["type"]) if isinstance(target, dict) and target.get("type") else None,
    )
    account.events.append(event)


def _identifiers(given: object) -> dict[str, str | int]:
    if not isinstance(given, dict) or not given:
        raise missing("identifiers is missing")
    known: dict[str, str | int] = {}
    for name, value in given.items():
        if value is None or (name not in KINDS and name != "contact_id"):
            continue
        if name == "contact_id":
            if type(value) is not int:
                raise invalid("contact_id should be an integer")
            known[name] = value
        else:
            known[name] = identifier_value(KINDS[name], value)
    if not known:
        raise missing("At least one identifier is required")
    return known


def _contact(account: Account, identifiers: dict[str, str | int]) -> Contact | None:
    """Find whose event it is; contact_id takes priority (SDK)."""
    number = identifiers.get("contact_id")
    if isinstance(number, int):
        return account.book.by_id(number)
    for name, value in identifiers.items():
        if contact := account.book.find(KINDS[name], str(value)):
            return contact
    return None


def _check_properties(value: object, *, nested: bool = False) -> None:
    """Check keys at every depth; a top-level value other than an object is refused."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not _NAME.fullmatch(key):
                raise invalid("Keys of event_properties should be alphanumerical, - or _")
            _check_properties(inner, nested=True)
    elif isinstance(value, list) and nested:
        for inner in value:
            _check_properties(inner, nested=True)
    elif not nested:
        raise invalid("event_properties should be an object")


def _day(text: str, name: str) -> int:
    return instant(f"{text}T00:00:00Z" if len(text) == 10 else text.replace(" ", "+"), name)
