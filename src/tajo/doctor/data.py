"""A look at the store's data before it goes to Brevo: counts only, never an address or a number.

At most `PAGES` pages of customers and as many of orders are read, which is told as the sample that it is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from tajo.bigcommerce import records, wire
from tajo.bigcommerce.paging import ByCursor
from tajo.bigcommerce.resources import FULL, read
from tajo.bigcommerce.statuses import UNFINISHED
from tajo.bigcommerce.values import Unreadable
from tajo.brevo.attributes import Attributes
from tajo.brevo.contact_payload import ContactPayload
from tajo.doctor.report import Finding, fine, many, note
from tajo.doctor.scopes import CUSTOMER_PARAMS, CUSTOMERS
from tajo.doctor.visit import Visit, sound
from tajo.sync.model import Contact, Customer, Key, Resource, Store
from tajo.sync.weigh.desk import plausible

SUBSCRIBERS = wire.pages_of(wire.Subscriber)
ORDERS = wire.lists_of(wire.Order)

PAGES = 4
_NOWHERE = Store(name="", currency="")


async def customers(visit: Visit) -> Sequence[Finding]:
    """E-mails and phones of the first pages of customers; the very first has been read already."""
    rows, cursor = list(visit.customers), visit.more_customers
    for _ in range(PAGES - 1):
        if not cursor:
            break
        paging = ByCursor()
        page = await read(visit.store, "/v3/customers", CUSTOMERS, CUSTOMER_PARAMS | paging.ask(cursor))
        rows, cursor = [*rows, *page.rows], paging.after(cursor, page, FULL)
    visit.customers = rows
    known = sound(rows)
    findings = [
        *_unreadable(len(rows) - len(known)),
        *_emails([row.email or "" for row in known]),
        *_phones([_phone(row, visit) for row in known]),
    ]
    return _sample(findings, len(rows), "customer")


async def orders(visit: Visit) -> Sequence[Finding]:
    """Guests, unfinished orders and foreign currencies among the newest orders."""
    rows: list[wire.Order | wire.Flaw] = []
    for number in range(1, PAGES + 1):
        params = {"limit": FULL, "page": number, "sort": "id:desc"}
        page = await read(visit.store, "/v2/orders", ORDERS, params)
        rows += page.rows
        if len(page.rows) < FULL:
            break
    known = sound(rows)
    accounts = {_folded(row.email) for row in sound(visit.customers)}
    findings = [
        *_unreadable(len(rows) - len(known)),
        *_guests([row for row in known if not row.customer_id], accounts),
        *_currencies(known, visit.shop.currency or ""),
    ]
    return [*_incomplete(visit.statuses), *_sample(findings, len(rows), "newest order")]


async def subscribers(visit: Visit) -> Sequence[Finding]:
    """How many newsletter records there are; consent is in each, so their number says nothing of it."""
    page = await read(visit.store, "/v3/customers/subscribers", SUBSCRIBERS, {"limit": 1})
    return [fine(f"{many(page.pagination.total or len(page.rows), 'newsletter record')} can be read.")]


def _sample(findings: list[Finding], seen: int, what: str) -> list[Finding]:
    """The findings, each told as what was found among so many."""
    if not findings:
        return [fine(f"Nothing unusual among {many(seen, what)} looked at.")]
    return [note(f"Among {many(seen, what)} looked at: {one.words}", one.mend) for one in findings]


def _unreadable(rows: int) -> Iterable[Finding]:
    if rows:
        yield note(
            f"{rows:,} that cannot be understood.", "a sync parks them with the reason: tajo failures list"
        )


def _emails(emails: Sequence[str]) -> Iterable[Finding]:
    """None at all, impossible ones, and those that several accounts share."""
    missing = sum(1 for email in emails if not email.strip())
    impossible = sum(1 for email in emails if email.strip() and not plausible(email))
    if missing or impossible:
        yield note(
            f"{missing:,} without an e-mail address, {impossible:,} with an impossible one.",
            "correct them in the store; until then they are parked: tajo failures list",
        )
    spellings: dict[str, list[str]] = defaultdict(list)
    for email in emails:
        if email.strip():
            spellings[_folded(email)].append(email.strip())
    shared = [written for written in spellings.values() if len(written) > 1]
    if shared:
        cased = sum(1 for written in shared if len(set(written)) > 1)
        yield note(
            f"{sum(map(len, shared)):,} with an e-mail address that others have, too "
            f"(shared addresses: {len(shared):,}, of which {cased:,} differ in upper and lower case).",
            "nothing: each address becomes one contact, with the orders of all its accounts",
        )


def _phone(row: wire.Customer, visit: Visit) -> tuple[str, str, bool]:
    """Whose it is, the phone as Brevo would get it, and whether there was any to begin with."""
    try:
        customer: Customer = records.customer(row, _NOWHERE, {})
    except Unreadable:
        return "", "", False
    contact = Contact(person=b"", key=Key(Resource.CUSTOMERS, row.id), customer=customer)
    written = any(rule.read(contact) for rule in visit.rules.mapping if rule.kind == "phone")
    return _folded(row.email), ContactPayload(visit.rules, Attributes(), {}).phone(contact), written


def _phones(phones: Sequence[tuple[str, str, bool]]) -> Iterable[Finding]:
    """Phones that Brevo would not take, and those of several people, which it takes only once."""
    owners: dict[str, set[str]] = defaultdict(set)
    for person, phone, _ in phones:
        if phone:
            owners[phone].add(person)
    unusable = sum(1 for _, phone, written in phones if written and not phone)
    if unusable:
        yield note(
            f"{unusable:,} with a phone that is no valid number of their country.",
            "nothing, if that does no harm: such a phone is left out, the contact is written without it",
        )
    shared = [people for people in owners.values() if len(people) > 1]
    if shared:
        yield note(
            f"{sum(map(len, shared)):,} with a phone that others have, too (shared phones: {len(shared):,}).",
            "nothing, if that does no harm: Brevo takes a number once, so only one of them gets it",
        )


def _guests(rows: Sequence[wire.Order], accounts: set[str]) -> Iterable[Finding]:
    """Orders without an account, and whose they are."""
    emails = [_folded(_billing(row).email) for row in rows]
    people = set(filter(None, emails))
    if people:
        yield note(
            f"{len(emails):,} by guests (e-mail addresses: {len(people):,}, "
            f"of which {len(people & accounts):,} also belong to one of the customers looked at).",
            "nothing: guests become contacts, too, one for each e-mail address",
        )
    if nameless := emails.count(""):
        yield note(
            f"{nameless:,} with neither an account nor an e-mail address.",
            "nothing: they cannot become contacts; point-of-sale orders often are so",
        )


def _incomplete(statuses: dict[int, int]) -> Iterable[Finding]:
    if count := sum(statuses.get(status, 0) for status in UNFINISHED):
        yield note(
            f"Incomplete orders, which were never paid: {count:,} of {sum(statuses.values()):,}.",
            "nothing: they do not count in the metrics, unless `order_statuses.counted` names 0",
        )


def _currencies(rows: Sequence[wire.Order], own: str) -> Iterable[Finding]:
    """Amounts are told in the store's own currency."""
    paid = Counter(row.default_currency_code or own for row in rows)
    foreign = {code: count for code, count in paid.most_common() if code != own}
    if own and foreign:
        yield note(
            f"{sum(foreign.values()):,} paid in another currency than {own} "
            f"({', '.join(f'{count:,} in {code}' for code, count in foreign.items())}).",
            "nothing: they are converted at the rate that each order carries",
        )


def _billing(row: wire.Order) -> wire.BillingAddress:
    return (
        row.billing_address if isinstance(row.billing_address, wire.BillingAddress) else wire.BillingAddress()
    )


def _folded(email: str | None) -> str:
    return (email or "").strip().lower()
