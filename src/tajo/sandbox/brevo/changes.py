"""What a request wants to change about one contact, and the change being made.

Rules: unknown attribute names and values of the wrong type are ignored (SDK), an invalid phone or date
refuses the whole request, an empty string clears (undocumented, common practice), null changes nothing. Flags
have three states: absent or null leaves them alone, `false` un-blocklists. Changing the e-mail address of a
blocklisted contact removes the blocklisting unless the same request sets the flag (SDK `update_contact`
note).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from msgspec import UNSET

from .attributes import IDENTIFYING
from .book import NAMES, PRIORITY
from .phones import phone_number
from .wire import Refusal, email_address, invalid

if TYPE_CHECKING:
    from .account import Account
    from .attributes import Value
    from .book import Contact, Identifier


@dataclass(slots=True)
class Change:
    """New content for a contact; None as an identifier or attribute value takes it away."""

    identifiers: dict[Identifier, str | None] = field(default_factory=dict)
    attributes: dict[str, Value | None] = field(default_factory=dict)
    join: tuple[int, ...] = ()
    leave: tuple[int, ...] = ()
    email_blocked: bool | None = None
    sms_blocked: bool | None = None

    def given(self) -> dict[Identifier, str]:
        """Give the identifiers that are set to something."""
        return {kind: value for kind, value in self.identifiers.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was really done to a contact, as its webhooks tell it."""

    contact: Contact
    attributes: dict[str, Value | None]
    joined: tuple[int, ...]
    left: tuple[int, ...]
    email_blocked: bool | None


def read_change(account: Account, body: dict[str, Any]) -> Change:
    """Read the body of a contact request; raises the 400s of its fields."""
    attributes = body.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise invalid("attributes should be an object")
    change = Change(
        join=list_ids(account, body, "listIds"),
        leave=list_ids(account, body, "unlinkListIds"),
        email_blocked=flag(body, "emailBlacklisted"),
        sms_blocked=flag(body, "smsBlacklisted"),
    )
    for name, value in attributes.items():
        if name in IDENTIFYING:
            if value is not None:
                kind = cast("Identifier", IDENTIFYING[name])
                change.identifiers[kind] = identifier_value(kind, value) if value != "" else None
            continue
        attribute = account.attributes.get(name)
        if attribute is None or attribute.type == "calculated":
            continue
        reading = None if value == "" else attribute.read(value)
        if reading is not UNSET:
            change.attributes[name] = reading
    if (ext_id := body.get("ext_id")) is not None:
        change.identifiers["ext_id"] = identifier_value("ext_id", ext_id) if ext_id != "" else None
    return change


def read_attributes(account: Account, values: dict[str, Any]) -> Change:
    """Read only attributes, as `contact_properties` of an event brings them."""
    return read_change(account, {"attributes": values})


def identifier_value(kind: Identifier, value: object) -> str:
    """Give an identifier in its stored form, or refuse it."""
    if kind == "ext_id":
        if not isinstance(value, str) or not value:
            raise invalid("ext_id should be a string")
        return value
    stored = email_address(value) if kind == "email" else phone_number(value)
    if stored is None:
        raise invalid("Invalid email address" if kind == "email" else "Invalid phone number")
    return stored


def list_ids(account: Account, body: dict[str, Any], name: str) -> tuple[int, ...]:
    """Read a list of ids of lists that must exist."""
    numbers = body.get(name) or []
    if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
        raise invalid(f"{name} should be a list of integers")
    for number in numbers:
        if number not in account.lists.lists:
            raise invalid(f"List with id {number} does not exist")
    return tuple(sorted(set(numbers)))


def flag(body: dict[str, Any], name: str) -> bool | None:
    """Read an optional boolean; anything else than true, false or null is a 400."""
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise invalid(f"{name} should be a boolean")


def holders(account: Account, change: Change) -> dict[Identifier, Contact]:
    """Give the contacts that already hold the change's identifiers."""
    found = {kind: account.book.find(kind, value) for kind, value in change.given().items()}
    return {kind: contact for kind, contact in found.items() if contact is not None}


def duplicate(verb: str, kinds: list[Identifier]) -> Refusal:
    """Refuse identifiers that belong to somebody else.

    The code is `invalid_parameter` since May 2026 (GH:pass-culture/pass-culture-main#22628), was
    `duplicate_parameter` before: only `metadata.duplicate_identifiers` is dependable.
    """
    names = [NAMES[kind] for kind in kinds]
    message = f"Unable to {verb} contact, {', '.join(names)} is already associated with another Contact"
    return Refusal(400, "invalid_parameter", message, {"duplicate_identifiers": names})


def make(account: Account, contact: Contact, change: Change) -> Outcome:
    """Apply a change whose identifiers are free."""
    book = account.book
    if not any(({**contact.identifiers(), **change.identifiers}).values()):
        raise invalid("A contact needs at least one identifier")
    readdressed = contact.email and change.identifiers.get("email") not in {None, contact.email}
    for kind, value in change.identifiers.items():
        book.identify(contact, kind, value)
    for name, attribute in change.attributes.items():
        if attribute is None:
            contact.attributes.pop(name, None)
        else:
            contact.attributes[name] = attribute
    if readdressed:
        contact.email_blocked = False
    if change.email_blocked is not None:
        contact.email_blocked = change.email_blocked
    if change.sms_blocked is not None:
        contact.sms_blocked = change.sms_blocked
    joined = book.join(contact, change.join) if change.join else ()
    if change.leave:
        book.leave(contact, change.leave)
    book.touch(contact, account.now())
    return Outcome(contact, dict(change.attributes), joined, change.leave, change.email_blocked)


def merge(account: Account, contacts: list[Contact]) -> Contact:
    """Fuse contacts as forceMerge does: the most recently modified survives, the others are deleted.

    The survivor gains what it lacks and stays blocklisted if any of them was; the rest of the merge is not
    documented.
    """
    survivor, *losers = sorted(contacts, key=lambda contact: (contact.modified, contact.id), reverse=True)
    for loser in losers:
        identifiers = loser.identifiers()
        account.book.remove(loser)
        for kind in PRIORITY:
            if kind in identifiers and getattr(survivor, kind) is None:
                account.book.identify(survivor, kind, identifiers[kind])
        survivor.attributes = {**loser.attributes, **survivor.attributes}
        survivor.email_blocked |= loser.email_blocked
        survivor.sms_blocked |= loser.sms_blocked
        account.book.join(survivor, loser.lists)
        account.hooks.contact_deleted(loser)
    return survivor
