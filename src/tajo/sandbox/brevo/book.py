"""The contact book: a million contacts kept compactly, with every identifier unique.

A contact costs about 1 KB with ten attributes: the structs are invisible to the garbage collector, attribute
names and list tuples are shared. Instants are milliseconds since 1970.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from .attributes import IDENTIFYING
from .wire import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .attributes import Value

Identifier = Literal["ext_id", "email", "sms", "whatsapp", "landline"]
PRIORITY: Final[tuple[Identifier, ...]] = ("ext_id", "email", "sms", "whatsapp", "landline")
"""Identifiers in the order an import trusts them, after the contact id (help.brevo.com 32331116133522)."""

NAMES: Final[dict[Identifier, str]] = {
    "ext_id": "ext_id",
    "email": "email",
    "sms": "SMS",
    "whatsapp": "WHATSAPP",
    "landline": "LANDLINE_NUMBER",
}
"""How `metadata.duplicate_identifiers` names them; only `email` was ever seen, the others are presumed."""


_SHARED_TEXTS = 50_000


class Contact(msgspec.Struct, gc=False):
    """One person. `lists` is sorted; phone numbers are digits without a plus."""

    id: int
    created: int
    modified: int
    email: str | None = None
    ext_id: str | None = None
    sms: str | None = None
    whatsapp: str | None = None
    landline: str | None = None
    email_blocked: bool = False
    sms_blocked: bool = False
    lists: tuple[int, ...] = ()
    attributes: dict[str, Value] = {}

    def identifiers(self) -> dict[Identifier, str]:
        """Give the identifiers the contact has."""
        return {kind: value for kind in PRIORITY if (value := getattr(self, kind)) is not None}

    def all_attributes(self) -> dict[str, Value]:
        """Give the attributes as Brevo shows them: phone numbers and EXT_ID are among them."""
        shown = dict(self.attributes)
        for name, kind in IDENTIFYING.items():
            if name != "EMAIL" and (value := getattr(self, kind)) is not None:
                shown[name] = value
        return shown

    def shown(self) -> dict[str, Any]:
        """Give the contact as the API does (SDK `GetContactDetails`); `email` is absent when it has none."""
        return {
            **({"email": self.email} if self.email else {}),
            "id": self.id,
            "emailBlacklisted": self.email_blocked,
            "smsBlacklisted": self.sms_blocked,
            "whatsappBlacklisted": False,
            "createdAt": iso(self.created),
            "modifiedAt": iso(self.modified),
            "listIds": list(self.lists),
            "attributes": self.all_attributes(),
        }


class Book:
    """All contacts, found by id and by any identifier; `version` moves with every change."""

    def __init__(self) -> None:
        self._by_id: dict[int, Contact] = {}
        self._index: dict[Identifier, dict[str, Contact]] = {kind: {} for kind in PRIORITY}
        self._next_id = 1
        self._joined: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[int, ...]] = {}
        self._selection: tuple[object, int, list[Contact]] = (None, -1, [])
        self._shared: dict[str, str] = {}
        self.version = 0
        self.sizes: Counter[int] = Counter()
        """Contacts in each list, by list id."""

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Contact]:
        return iter(self._by_id.values())

    def by_id(self, number: int) -> Contact | None:
        """Find a contact by Brevo's own id."""
        return self._by_id.get(number)

    def find(self, kind: Identifier, value: str) -> Contact | None:
        """Find a contact by an identifier in its stored form (e-mail in lower case, phone as digits)."""
        return self._index[kind].get(value)

    def add(self, now: int) -> Contact:
        """Open a page for a new contact that has no identifier yet."""
        contact = Contact(self._next_id, now, now, attributes={})
        self._by_id[contact.id] = contact
        self._next_id += 1
        self.version += 1
        return contact

    def identify(self, contact: Contact, kind: Identifier, value: str | None) -> None:
        """Give the contact an identifier that nobody else holds, or take it away."""
        old = getattr(contact, kind)
        if old == value:
            return
        if old is not None:
            del self._index[kind][old]
        if value is not None:
            self._index[kind][value] = contact
        setattr(contact, kind, value)

    def join(self, contact: Contact, lists: tuple[int, ...]) -> tuple[int, ...]:
        """Put the contact on lists; gives those it was not on before."""
        before = contact.lists
        after = self._joined.get((before, lists))
        if after is None:
            after = self._joined[before, lists] = tuple(sorted({*before, *lists}))
        if len(after) == len(before):
            return ()
        contact.lists = after
        new = tuple(number for number in after if number not in before)
        for number in new:
            self.sizes[number] += 1
        self.version += 1
        return new

    def leave(self, contact: Contact, lists: Iterable[int]) -> None:
        """Take the contact off lists."""
        gone = set(lists).intersection(contact.lists)
        contact.lists = tuple(number for number in contact.lists if number not in gone)
        self.sizes.subtract(gone)
        self.version += 1

    def share(self, text: str) -> str:
        """Give one string for all equal ones (cities, countries, first names), as far as the pool reaches."""
        if len(self._shared) < _SHARED_TEXTS:
            return self._shared.setdefault(text, text)
        return self._shared.get(text, text)

    def touch(self, contact: Contact, now: int) -> None:
        """Mark the contact as modified."""
        contact.modified = now
        self.version += 1

    def remove(self, contact: Contact) -> None:
        """Forget the contact and free its identifiers."""
        for kind, value in contact.identifiers().items():
            del self._index[kind][value]
        self.sizes.subtract(contact.lists)
        del self._by_id[contact.id]
        self.version += 1

    def select(self, key: object, keep: Callable[[Contact], bool] | None) -> list[Contact]:
        """Give the contacts a filter keeps, in order of creation; the last selection is reused by its key."""
        if self._selection[:2] != (key, self.version):
            contacts = list(self) if keep is None else [contact for contact in self if keep(contact)]
            self._selection = (key, self.version, contacts)
        return self._selection[2]
