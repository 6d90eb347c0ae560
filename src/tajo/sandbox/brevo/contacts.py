"""`/contacts`: create or update one, read, list, update, delete (brevo.md section 2.1 to 2.3).

The upsert finds its contact by e-mail when one is given, else by ext_id, else by SMS; another contact holding
any other identifier is a duplicate, not a second way to find it. `listIds` only ever adds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from .changes import Change, duplicate, flag, holders, identifier_value, make, merge, read_change
from .wire import Answer, Refusal, integer, invalid, missing, not_found, page_of

if TYPE_CHECKING:
    from .account import Account
    from .book import Contact, Identifier
    from .wire import Call

KINDS: Final[dict[str, Identifier]] = {
    "email_id": "email",
    "ext_id": "ext_id",
    "phone_id": "sms",
    "whatsapp_id": "whatsapp",
    "landline_number_id": "landline",
}
"""Values of identifierType (beside `contact_id`) and the identifier each means."""

_FILTER = re.compile(r'equals\(\s*([A-Za-z0-9_-]+)\s*,\s*"([^"]*)"\s*\)')
_MOST_IDS = 20


def create(account: Account, call: Call) -> Answer:
    """POST /contacts: 201 with the id of a new contact, 204 for an existing one (201 and id with getId)."""
    body = call.json()
    change = _creation(account, body)
    found = holders(account, change)
    key = next(kind for kind in ("email", "ext_id", "sms", "whatsapp", "landline") if kind in change.given())
    contact = found.get(key)
    rivals = [kind for kind, holder in found.items() if holder is not contact]
    if flag(body, "forceMerge") and found:
        contact = merge(account, list({holder.id: holder for holder in found.values()}.values()))
    elif contact is not None and not flag(body, "updateEnabled"):
        raise duplicate("create", list(found))
    elif rivals:
        raise duplicate("create" if contact is None else "update", rivals)
    if contact is None:
        contact = account.book.add(account.now())
        account.hooks.contact_created(make(account, contact, change))
        return Answer(201, {"id": contact.id})
    account.hooks.contact_updated(make(account, contact, change))
    return Answer(201, {"id": contact.id}) if flag(body, "getId") else Answer(204)


def read(account: Account, call: Call) -> Answer:
    """GET /contacts/{identifier}: the contact with (empty) campaign statistics."""
    contact = _find(account, call, by_phone=True)
    return Answer(200, {**contact.shown(), "statistics": {}})


def update(account: Account, call: Call) -> Answer:
    """PUT /contacts/{identifier}: 204; `EMAIL` among the attributes changes the address."""
    contact, body = _find(account, call), call.json()
    change = read_change(account, body)
    rivals = {kind: holder for kind, holder in holders(account, change).items() if holder is not contact}
    if rivals and not flag(body, "forceMerge"):
        raise duplicate("update", list(rivals))
    if rivals:
        everyone = {holder.id: holder for holder in (contact, *rivals.values())}
        contact = merge(account, list(everyone.values()))
    account.hooks.contact_updated(make(account, contact, change))
    return Answer(204)


def delete(account: Account, call: Call) -> Answer:
    """DELETE /contacts/{identifier}: 204, and it is gone for good."""
    contact = _find(account, call)
    account.book.remove(contact)
    account.hooks.contact_deleted(contact)
    return Answer(204)


def index(account: Account, call: Call) -> Answer:
    """GET /contacts: at most 1000 a page, newest first by default."""
    limit, offset = call.page(default=50, most=1000)
    if call.one("segmentId"):
        if call.one("listIds"):
            raise invalid("Either listIds or segmentId can be passed")
        raise invalid("Segment does not exist")
    lists = frozenset(call.integers("listIds"))
    if unknown := lists.difference(account.lists.lists):
        raise invalid(f"List with id {min(unknown)} does not exist")
    ids = frozenset(call.integers("ids"))
    if len(ids) > _MOST_IDS:
        raise Refusal(400, "out_of_range", f"You can pass a maximum of {_MOST_IDS} ids")
    return contacts_page(account, call, limit, offset, lists=lists, ids=ids)


def contacts_page(
    account: Account,
    call: Call,
    limit: int,
    offset: int,
    *,
    lists: frozenset[int] = frozenset(),
    ids: frozenset[int] = frozenset(),
) -> Answer:
    """Give one page of the contacts that pass the filters, and the count of all that do."""
    modified, created = call.since("modifiedSince"), call.since("createdSince")
    wanted = _wanted(account, call.one("filter"))

    def keep(contact: Contact) -> bool:
        return (
            (not lists or not lists.isdisjoint(contact.lists))
            and (not ids or contact.id in ids)
            and (modified is None or contact.modified > modified)
            and (created is None or contact.created > created)
            and (wanted is None or _matches(contact, *wanted))
        )

    key = (lists, ids, modified, created, call.one("filter"))
    everybody = key == (frozenset(), frozenset(), None, None, None)
    selected = account.book.select(key, None if everybody else keep)
    page = page_of(selected, limit, offset, ascending=call.ascending())
    return Answer(200, {"contacts": [contact.shown() for contact in page], "count": len(selected)})


def batch(_account: Account, _call: Call) -> Answer:
    """POST /contacts/batch: withdrawn on 30 October 2026 (changelog 2026/5/12); the status is our guess."""
    raise Refusal(410, "gone", "This endpoint is no longer available, please use POST /contacts/import")


def segments(_account: Account, call: Call) -> Answer:
    """GET /contacts/segments: the simulator has none."""
    call.page(default=10, most=50)
    return Answer(200, {"segments": [], "count": 0})


def confirm_opt_in(account: Account, call: Call) -> Answer:
    """POST /contacts/doubleOptinConfirmation: 201 and an e-mail at once; the contact comes with its click."""
    body = call.json()
    for name in ("email", "includeListIds", "templateId", "redirectionUrl"):
        if body.get(name) in (None, "", []):
            raise missing(f"{name} is missing")
    change = read_change(account, {**body, "listIds": body["includeListIds"]})
    email = identifier_value("email", body["email"])
    asked = {"lists": list(change.join), "templateId": body["templateId"]}
    account.messages.add(account, "double_opt_in", [email], asked)
    return Answer(201)


def _creation(account: Account, body: dict[str, Any]) -> Change:
    if account.attributes.lacks_transactional_key():
        raise invalid("Transactional attribute as primary Key is missing")
    if "smtpBlacklistSender" in body and not flag(body, "updateEnabled"):
        raise invalid("smtpBlacklistSender is only available if updateEnabled is true")
    change = read_change(account, body)
    if body.get("email") is not None:
        change.identifiers["email"] = identifier_value("email", body["email"])
    if not {"email", "ext_id", "sms"} & change.given().keys():
        raise missing("Either email, ext_id or SMS is required to create a contact")
    change.leave = ()
    return change


def _find(account: Account, call: Call, *, by_phone: bool = False) -> Contact:
    identifier, kind = call.params["identifier"], call.one("identifierType")
    if kind is not None:
        contact = _find_by(account, identifier, kind)
    elif "@" in identifier:
        contact = _find_by(account, identifier, "email_id")
    elif identifier.isdigit():
        contact = account.book.by_id(int(identifier))
        if contact is None and by_phone:
            contact = _find_by(account, identifier, "phone_id")
    elif by_phone and identifier.startswith("+"):
        contact = _find_by(account, identifier, "phone_id")
    else:
        raise invalid("Invalid identifier: pass identifierType for anything but an e-mail or an id")
    if contact is None:
        raise not_found("Contact does not exist")
    return contact


def _find_by(account: Account, identifier: str, kind: str) -> Contact | None:
    if kind == "contact_id":
        return account.book.by_id(integer(identifier, "contact_id"))
    if kind not in KINDS:
        raise invalid("identifierType is not valid")
    return account.book.find(KINDS[kind], identifier_value(KINDS[kind], identifier))


def _wanted(account: Account, text: str | None) -> tuple[str, list[str]] | None:
    """Read `equals(ATTR,"v")`; a multiple-choice attribute takes several options, all required."""
    if text is None:
        return None
    match = _FILTER.fullmatch(text)
    if match is None or account.attributes.get(match[1].upper()) is None:
        raise invalid('Invalid filter, only equals(ATTRIBUTE,"value") is allowed')
    return match[1].upper(), [part.strip() for part in match[2].split(",")]


def _matches(contact: Contact, name: str, wanted: list[str]) -> bool:
    value = contact.all_attributes().get(name)
    if isinstance(value, list):
        return set(wanted) <= set(value)
    if isinstance(value, bool):
        return str(value).lower() == ",".join(wanted).lower()
    return value is not None and str(value) == ",".join(wanted)
