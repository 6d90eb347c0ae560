"""Applying the rows of an import, which is where Brevo is least forgiving.

A row finds its contact by contact id, then EXT_ID, e-mail, SMS, WhatsApp, landline (help.brevo.com
32331116133522). Other contacts that hold its identifiers are fused into that one: their attributes, lists,
flags and history are lost. Every loser, and every contact re-addressed because only a phone number matched,
gets a line in the `duplicate_*` CSV of the identifier that tied it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import UNSET

from .attributes import IDENTIFYING
from .book import PRIORITY
from .changes import identifier_value
from .phones import phone_number
from .wire import Refusal, email_address

if TYPE_CHECKING:
    from .account import Account
    from .attributes import Attribute, Value
    from .book import Contact, Identifier
    from .imports import ImportOrder, Row
    from .processes import Process, Report

HEADER: Final = "CONTACT_ID;EMAIL;EXT_ID;SMS;WHATSAPP;LANDLINE_NUMBER"
"""Columns of the CSV reports (their real layout is not documented)."""

_REPORT: Final[dict[Identifier, Report]] = {
    "ext_id": "duplicate_ext_id",
    "email": "duplicate_email_id",
    "sms": "duplicate_phone_id",
    "whatsapp": "duplicate_whatsapp_id",
    "landline": "duplicate_landline_number_id",
}


class Merger:
    """One import being applied to the book, row by row."""

    def __init__(self, account: Account, process: Process, order: ImportOrder, *, as_json: bool) -> None:
        self._account = account
        self._book = account.book
        self._process = process
        self._order = order
        self._as_json = as_json
        self._attributes = account.attributes.settable()
        self._lost_row = account.weather.faults.lost_row
        self.now = account.now()
        """The time of the rows to come, in milliseconds since 1970."""

    def apply(self, row: Row) -> None:
        """Apply one row, or drop it: loudly for a bad e-mail, silently for a bad phone or date."""
        if self._lost_row and self._account.weather.strikes(self._lost_row):
            return
        cells: dict[str, Any] = row.get("attributes") or {}
        address = row.get("email") or cells.get("EMAIL")
        identifiers: dict[Identifier, str] = {}
        if address:
            email = email_address(address)
            if email is None:
                self._process.report("invalid_emails", f";{address};;;;")
                return
            identifiers["email"] = email
        try:
            self._read_identifiers(row, cells, identifiers)
            attributes = self._read_attributes(cells)
        except Refusal:
            return
        contact = self._contact(row.get("id"), identifiers)
        if contact is None:
            return
        self._write(contact, attributes)

    def _read_identifiers(self, row: Row, cells: dict[str, Any], found: dict[Identifier, str]) -> None:
        if ext_id := row.get("ext_id") or cells.get("EXT_ID"):
            found["ext_id"] = identifier_value("ext_id", ext_id)
        for name in ("SMS", "WHATSAPP", "LANDLINE_NUMBER"):
            if value := cells.get(name):
                kind = cast("Identifier", IDENTIFYING[name])
                number = phone_number(value)
                found[kind] = number if number is not None else identifier_value(kind, value)

    def _read_attributes(self, cells: dict[str, Any]) -> dict[str, Value | None]:
        known = self._attributes
        values: dict[str, Value | None] = {}
        for name, value in cells.items():
            attribute = known.get(name)
            if attribute is None:
                continue
            if value is None or value == "":
                if self._order.erase_empty:
                    values[attribute.name] = None
            elif attribute.type == "text" and type(value) is str:
                values[attribute.name] = self._book.share(value)
            elif (reading := self._reading(attribute, value)) is not UNSET:
                values[attribute.name] = reading
        return values

    def _reading(self, attribute: Attribute, value: Any) -> Any:
        if not self._as_json:
            return attribute.read_cell(value)
        return UNSET if attribute.type == "boolean" else attribute.read(value)

    def _contact(self, number: object, identifiers: dict[Identifier, str]) -> Contact | None:
        """Find, fuse or create the contact of a row; None when the row leaves everything as it is."""
        book, order = self._book, self._order
        winner = book.by_id(number) if isinstance(number, int) else None
        matched: Identifier | None = None
        losers: dict[int, tuple[Contact, Identifier]] = {}
        for kind in PRIORITY:
            value = identifiers.get(kind)
            holder = book.find(kind, value) if value is not None else None
            if holder is None or holder is winner:
                continue
            if winner is None:
                winner, matched = holder, kind
            else:
                losers.setdefault(holder.id, (holder, kind))
        if winner is None:
            if not identifiers:
                self._process.report("invalid_emails", ";;;;;")
                return None
            winner = book.add(self.now)
        elif not order.update_existing:
            book.join(winner, order.lists)
            return None
        elif matched in {"sms", "whatsapp", "landline"} and winner.email and "email" in identifiers:
            self._report(winner, cast("Identifier", matched))
        for loser, kind in losers.values():
            self._report(loser, kind)
            book.remove(loser)
        for kind, value in identifiers.items():
            book.identify(winner, kind, value)
        return winner

    def _write(self, contact: Contact, attributes: dict[str, Value | None]) -> None:
        order, book = self._order, self._book
        kept = contact.attributes
        for name, value in attributes.items():
            if value is None:
                kept.pop(name, None)
            else:
                kept[name] = value
        contact.email_blocked |= order.email_blocked
        contact.sms_blocked |= order.sms_blocked
        book.join(contact, order.lists)
        book.touch(contact, self.now)

    def _report(self, contact: Contact, kind: Identifier) -> None:
        cells = (contact.id, contact.email, contact.ext_id, contact.sms, contact.whatsapp, contact.landline)
        self._process.report(_REPORT[kind], ";".join("" if cell is None else str(cell) for cell in cells))
