"""The routes of Brevo's API v3 that Tajo uses, and what their refusals mean.

Every method may raise `Mend` (nothing will pass until a human acts), `Later` (patience ended) or
`Rejected` (this request will never pass). No message holds an e-mail address or a phone number.
Sources: the official specifications (OpenAPI of 2025-08, Python SDK 5.1.0); where they are silent
the method says who observed what.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Struct

from tajo.brevo.limits import AccountLimits
from tajo.errors import Later, Mend, Refused
from tajo.http import Answer, Body, Client, Clock, Heard, Lost, Patience

PAGE = 1000
LIST_PAGE = 50

PROCESS = "GET /processes/{id}"
PRODUCT = "GET /products/{id}"
EVENTS = "POST /events/batch"

SOON = 30.0
"""Seconds for which a deed may be held back by a limit; one that must wait longer is put off."""

COLLECTIONS_PAGE = 100

GOODS_PAGE = {"orders": 100, "products": 1000, "categories": 100}
"""The most that one call lists (OpenAPI of 2025-08: getOrders, getProducts, getCategories)."""

SAID_NO = frozenset({500, 503})
"""Brevo's own word that it did not do it. Any other 5xx comes of a gateway, which cannot know."""

DUPLICATE = frozenset({"duplicate_parameter", "duplicate_request"})
"""How Brevo refuses what it has already: a coupon code, an e-mail (OpenAPI of 2025-08: errorModel)."""

VANISHED_LIST = re.compile(r"\blists?\b.*(does not|doesn't|do not) exist", re.IGNORECASE)
"""How Brevo says that a list is gone (seen for contacts; the words are not documented)."""


class Rejected(Refused):
    """Brevo will not take this request. `duplicates`: identifiers that another contact holds, lower case.

    The body's `code` is no guide to duplicates, it changed in 2026; `metadata` is
    (pass-culture/pass-culture-main#22628). `faults`: what is wrong with which row of a batch of events, by
    its place from 0.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        code: str = "",
        duplicates: frozenset[str] = frozenset(),
        faults: Mapping[int, str] | None = None,
    ) -> None:
        super().__init__(reason, code)
        self.status = status
        self.duplicates = duplicates
        self.faults = faults or {}


class SwitchedOff(Mend):
    """A 403 (or 402): the account lacks a feature, a right or credits."""


class Row(Struct, frozen=True):
    """A contact of `GET /contacts`, as far as anybody here reads it."""

    class Identifiers(Struct, frozen=True):
        """The attribute that must be unique in the account."""

        SMS: str | int | None = None

    id: int
    email: str | None = None
    emailBlacklisted: bool = False  # noqa: N815 - Brevo's name
    attributes: Identifiers = Identifiers()


class _Rows(Struct, frozen=True):
    contacts: list[Row] = []
    count: int = 0


class WholeRow(Struct, frozen=True):
    """A contact of `GET /contacts` with all that it may have been told. `attributes` by upper-case name."""

    id: int
    email: str | None = None
    emailBlacklisted: bool = False  # noqa: N815 - Brevo's name
    listIds: list[int] = []  # noqa: N815 - Brevo's name
    attributes: dict[str, Any] = {}


class _WholeRows(Struct, frozen=True):
    contacts: list[WholeRow] = []
    count: int = 0


_read_rows = msgspec.json.Decoder(_Rows, strict=False).decode
_read_whole_rows = msgspec.json.Decoder(_WholeRows, strict=False).decode
_read_row = msgspec.json.Decoder(Row, strict=False).decode


def _unread(_: bytes) -> None:
    """A body that tells nothing: empty, JSON or HTML."""


class Api:
    """One Brevo account. `tier` is where the limits start: `general`, `advanced` or `extended`.

    `ecommerce_pending`: set once we switched eCommerce on, which takes Brevo some minutes. `heard` hears of
    each call.
    """

    def __init__(
        self,
        api_key: str,
        *,
        api_url: str = "https://api.brevo.com/v3",
        tier: str = "general",
        clock: Clock | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        patience: Patience | None = None,
        heard: Heard = lambda _: None,
    ) -> None:
        self.limits = AccountLimits(tier, clock=clock)
        self.ecommerce_pending = False
        self._client = Client(
            api_url,
            {"api-key": api_key},
            self.limits,
            clock=clock,
            patience=patience,
            transport=transport,
            heard=heard,
        )
        # Reports lie on another host, which must never see the key.
        self._elsewhere = httpx.AsyncClient(transport=transport, timeout=60.0)

    @property
    def calls(self) -> Mapping[str, int]:
        """Calls made so far by route, failed ones included."""
        return self._client.calls

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.close()
        await self._elsewhere.aclose()

    async def send(
        self,
        method: str,
        path: str,
        *,
        route: str = "",
        params: Mapping[str, Any] | None = None,
        body: Body | None = None,
        decode: Any = msgspec.json.decode,
        final: frozenset[int] = frozenset(),
        once: bool = False,
    ) -> Answer:
        """One call; an answer that is no success is raised. `route` defaults to method and path."""
        route = route or f"{method} {path}"
        try:
            answer = await self._client.request(
                method, path, route=route, params=params, body=body, decode=decode, final=final, once=once
            )
        except msgspec.ValidationError as error:
            raise Mend(
                f"Brevo answered {route} in a shape that Tajo does not know: {mask(str(error))}",
                "update Tajo; if that does not help, report this line",
            ) from None
        if not answer.ok:
            raise self._refusal(route, answer)
        return answer

    def _refusal(self, route: str, answer: Answer) -> Exception:  # noqa: PLR0911 - a table of answers
        """The error that an answer stands for."""
        reason, code, duplicates = _words(answer)
        told = f"{route}: HTTP {answer.status}" + (f", {reason}" if reason else "")
        if answer.status == 401:
            return Mend(
                f"Brevo does not accept the API key ({told})",
                "check `brevo.api_key` (Brevo > Settings > SMTP & API > API keys, it starts with xkeysib-). "
                "If the key is right, this machine's IP address is not authorised: add it under "
                "Settings > Security > Authorised IPs (Brevo blocks unknown addresses after 30 days)",
            )
        if answer.status == 402 or code == "not_enough_credits":
            return SwitchedOff(f"The Brevo account has no credits for this ({told})", "add credits in Brevo")
        if answer.status == 403:
            return SwitchedOff(f"Brevo has this switched off ({told})", self._how_to_switch_on(route))
        if answer.status == 425 or code == "account_in_process":
            return Later(f"Brevo is still working on the account ({told})", seconds=60.0)
        if answer.status == 404 and route == "GET /account":
            return Mend(
                f"there is no Brevo API at `brevo.api_url` ({told})",
                "write it as https://api.brevo.com/v3, with the version at its end",
            )
        if route.partition(" ")[2].startswith("/contacts") and VANISHED_LIST.search(reason):
            # Said of one record, but true of all: parked, each would wait for a human.
            return Mend(
                f"a list of Brevo vanished while contacts were written to it ({told})",
                "run `tajo sync` again: a list that is configured by name is made anew, one by number "
                "must be corrected in tajo.yaml",
            )
        return Rejected(answer.status, told, code, duplicates, _faults(answer))

    def _how_to_switch_on(self, route: str) -> str:
        ecommerce = ("/ecommerce", "/orders", "/products", "/categories")
        if not route.partition(" ")[2].startswith(ecommerce):
            return "give the API key's account the right, or the plan, for this feature"
        if self.ecommerce_pending:
            return "eCommerce was activated just now, which takes Brevo some minutes; try again in 5 minutes"
        return "activate eCommerce in Brevo (or run `tajo sync` again, which does it), then wait 5 minutes"

    # --- the account

    async def account(self) -> dict[str, Any]:
        """`GET /account`: plans, company; out of the 100 calls an hour."""
        return _dict((await self.send("GET", "/account")).value)

    async def display_currency(self) -> str:
        """The one currency in which Brevo shows amounts. Raises `SwitchedOff` without eCommerce."""
        return str(_dict((await self.send("GET", "/ecommerce/config/displayCurrency")).value).get("code", ""))

    async def activate_ecommerce(self) -> None:
        """Switch eCommerce on; it takes Brevo about five minutes."""
        await self.send("POST", "/ecommerce/activate", decode=_unread)
        self.ecommerce_pending = True

    # --- attributes, lists

    async def attributes(self) -> list[dict[str, Any]]:
        """All contact attributes: `name`, `category`, `type`, `enumeration`, `multiCategoryOptions`."""
        return _dicts(await self.send("GET", "/contacts/attributes"), "attributes")

    async def create_attribute(self, name: str, kind: str) -> None:
        """A normal attribute of type `text`, `date`, `float` or `boolean`."""
        await self.send(
            "POST",
            f"/contacts/attributes/normal/{quote(name, safe='')}",
            route="POST /contacts/attributes/normal/{name}",
            body=msgspec.json.encode({"type": kind}),
            decode=_unread,
        )

    async def lists(self, offset: int) -> list[dict[str, Any]]:
        """Up to `LIST_PAGE` lists (`id`, `name`, `folderId`) from `offset`."""
        return _dicts(await self.send("GET", "/contacts/lists", params=_page(offset)), "lists")

    async def create_list(self, name: str, folder: int) -> int:
        """The id of a new list. Raises `Lost`: names need not be unique, so it is not said twice."""
        body = msgspec.json.encode({"name": name, "folderId": folder})
        return _number(await self.send("POST", "/contacts/lists", body=body, once=True), "id")

    async def folders(self, offset: int) -> list[dict[str, Any]]:
        """Up to `LIST_PAGE` folders (`id`, `name`) from `offset`."""
        return _dicts(await self.send("GET", "/contacts/folders", params=_page(offset)), "folders")

    async def create_folder(self, name: str) -> int:
        """The id of a new folder. Raises `Lost`, as a list does."""
        body = msgspec.json.encode({"name": name})
        return _number(await self.send("POST", "/contacts/folders", body=body, once=True), "id")

    # --- contacts

    async def contacts(
        self,
        offset: int,
        *,
        since: datetime | None = None,
        created_since: datetime | None = None,
        sort: str = "asc",
    ) -> tuple[list[Row], int]:
        """Up to `PAGE` contacts from `offset` by their creation, and how many there are in all.

        `since`: of those that were modified since.
        """
        params: dict[str, Any] = {"limit": PAGE, "offset": offset, "sort": sort}
        for name, moment in (("modifiedSince", since), ("createdSince", created_since)):
            if moment is not None:
                params[name] = moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        rows = (await self.send("GET", "/contacts", params=params, decode=_read_rows)).value or _Rows()
        return rows.contacts, rows.count

    async def whole_contacts(self, offset: int) -> tuple[list[WholeRow], int]:
        """As `contacts`, with their attributes and lists."""
        params = {"limit": PAGE, "offset": offset, "sort": "asc"}
        answer = await self.send("GET", "/contacts", params=params, decode=_read_whole_rows)
        rows = answer.value or _WholeRows()
        return rows.contacts, rows.count

    async def count_contacts(self) -> int:
        """How many contacts there are."""
        params = {"limit": 1, "offset": 0}
        rows = (await self.send("GET", "/contacts", params=params, decode=_read_rows)).value or _Rows()
        return int(rows.count)

    async def contact_details(self, identifier: str | int) -> dict[str, Any]:
        """All that Brevo holds of one contact, by e-mail or id; empty where there is none."""
        kind = "contact_id" if isinstance(identifier, int) else "email_id"
        return await self._details(
            f"/contacts/{quote(str(identifier), safe='')}", "GET /contacts/{id}", {"identifierType": kind}
        )

    async def product_details(self, product: str) -> dict[str, Any]:
        """All that Brevo holds of one product; empty where there is none. Out of the 100 calls an hour."""
        return await self._details(f"/products/{quote(product, safe='')}", PRODUCT)

    async def _details(
        self, path: str, route: str, params: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            return _dict((await self.send("GET", path, route=route, params=params)).value)
        except Rejected as error:
            if error.status != 404:
                raise
            return {}

    async def contact(self, contact_id: int) -> Row:
        """One contact. Raises `Rejected` with status 404 if it is gone."""
        answer = await self.send(
            "GET",
            f"/contacts/{contact_id}",
            route="GET /contacts/{id}",
            params={"identifierType": "contact_id"},
            decode=_read_row,
        )
        if not isinstance(answer.value, Row):
            raise Later("Brevo answered GET /contacts/{id} without a contact")
        return answer.value

    async def upsert_contact(self, body: bytes) -> int | None:
        """`POST /contacts`; the new contact's id, None where one was updated (204, no body)."""
        value = (await self.send("POST", "/contacts", body=body, final=frozenset({425}))).value
        number = _dict(value).get("id")
        return number if isinstance(number, int) else None

    async def update_contact(self, who: str | int, body: bytes) -> None:
        """`PUT /contacts/{e-mail or id}`, the only route that can change an e-mail address."""
        kind = "contact_id" if isinstance(who, int) else "email_id"
        await self.send(
            "PUT",
            f"/contacts/{quote(str(who), safe='')}",
            route="PUT /contacts/{id}",
            params={"identifierType": kind},
            body=body,
            decode=_unread,
            final=frozenset({425}),
        )

    async def leave_list(self, list_id: int, email: str) -> None:
        """`POST /contacts/lists/{id}/contacts/remove`. Who is not on it is refused (400): no harm."""
        with suppress(Rejected):
            await self.send(
                "POST",
                f"/contacts/lists/{list_id}/contacts/remove",
                route="POST /contacts/lists/{id}/contacts/remove",
                body=msgspec.json.encode({"emails": [email]}),
                decode=_unread,
            )

    async def import_contacts(self, body: Body) -> int:
        """`POST /contacts/import`; the id of the process that works on it. Sending it twice is harmless."""
        return _number(await self.send("POST", "/contacts/import", body=body), "processId")

    async def process(self, process_id: int) -> dict[str, Any]:
        """`status`, and once completed `info.import` with the reports; out of the 100 calls an hour."""
        return _dict((await self.send("GET", f"/processes/{process_id}", route=PROCESS)).value)

    async def report(self, url: str) -> str:
        """The text of a report that a process names; empty if it cannot be had."""
        try:
            reply = await self._elsewhere.get(url, follow_redirects=True)
        except (httpx.HTTPError, httpx.InvalidURL):
            return ""
        return reply.text if reply.is_success else ""

    async def delete_contact(self, who: str | int) -> bool:
        """`DELETE /contacts/{e-mail or id}`, for good. False: there was none."""
        kind = "contact_id" if isinstance(who, int) else "email_id"
        path = f"/contacts/{quote(str(who), safe='')}"
        return await self._delete(path, "DELETE /contacts/{id}", {"identifierType": kind})

    async def _delete(self, path: str, route: str, params: Mapping[str, Any] | None = None) -> bool:
        try:
            await self.send("DELETE", path, route=route, params=params, decode=_unread)
        except Rejected as error:
            if error.status != 404:
                raise
            return False
        return True

    # --- events

    async def event(self, body: bytes) -> None:
        """`POST /events`. Raises `Lost`: said twice, it has happened twice."""
        await self.send("POST", "/events", body=body, decode=_unread, once=True)

    async def events(self, body: bytes) -> Mapping[int, str]:
        """`POST /events/batch`: what is wrong with those that were not taken, by their place from 0.

        Out of the 100 calls an hour. None was taken where it raises `Rejected`, whose `faults` name some of
        them. Raises `Lost`, as for a single event; and where a 207 does not name anything that failed
        (OpenAPI of 2026-08: batchEventsResponse).
        """
        answer = await self.send("POST", "/events/batch", body=body, decode=_unread, once=True)
        faults = _faults(answer)
        if answer.status == 207 and not faults:
            raise Lost(f"{EVENTS}: some events were refused, and it is not told which")
        return faults

    # --- deeds of automations

    def soon(self, route: str) -> None:
        """Raises `Later` if the limits would hold a call to this route back for more than `SOON` seconds."""
        seconds = self.limits.wait(route)
        if seconds > SOON:
            raise Later(f"Brevo takes no more {route} for now", seconds)

    async def send_email(self, body: bytes) -> None:
        """`POST /smtp/email`; it goes twice only if its body lacks an `idempotencyKey`.

        Brevo refuses a key that it has seen within half an hour, as a `DUPLICATE`, and does nothing.
        """
        await self.send("POST", "/smtp/email", body=body, decode=_unread)

    async def do_once(self, path: str, body: bytes) -> None:
        """`POST` of what would be done twice if it were said twice: an SMS, a WhatsApp message, an event.

        Raises `Lost`; and `Rejected` with status 500 or 503 where Brevo says that it did not do it now.
        """
        await self.send("POST", path, body=body, decode=_unread, final=SAID_NO, once=True)

    async def coupon_collections(self, offset: int) -> list[dict[str, Any]]:
        """Up to `COLLECTIONS_PAGE` coupon collections (`id`, `name`) from `offset`.

        This and the next two come out of the 100 calls an hour (OpenAPI of 2025-08: couponCollections).
        """
        params = {"limit": COLLECTIONS_PAGE, "offset": offset}
        return _dicts(await self.send("GET", "/couponCollections", params=params), "collections")

    async def create_coupon_collection(self, name: str, default: str) -> str:
        """The id of a new collection; templates show `default` when its codes are used up. Raises `Lost`."""
        body = msgspec.json.encode({"name": name, "defaultCoupon": default})
        value = _dict((await self.send("POST", "/couponCollections", body=body, once=True)).value)
        if not value.get("id"):
            raise Later("Brevo said yes without telling the `id` of a coupon collection")
        return str(value["id"])

    async def add_coupons(self, collection: str, codes: Sequence[str]) -> None:
        """`POST /coupons`: up to 10,000 codes for a collection, which get there some time later."""
        body = msgspec.json.encode({"collectionId": collection, "coupons": codes})
        await self.send("POST", "/coupons", body=body, decode=_unread)

    # --- webhooks

    async def webhooks(self) -> list[dict[str, Any]]:
        """The account's marketing webhooks: `id`, `url`, `description`, `events`, `batched`, `auth`.

        Brevo lists the transactional ones unless it is told the type (OpenAPI of 2025-08). This and the
        next three come out of the 100 calls an hour.
        """
        return _dicts(await self.send("GET", "/webhooks", params={"type": "marketing"}), "webhooks")

    async def create_webhook(self, body: bytes) -> int:
        """The id of a new webhook. Raises `Lost`: said twice, it would make two."""
        return _number(await self.send("POST", "/webhooks", body=body, once=True), "id")

    async def update_webhook(self, webhook: int, body: bytes) -> None:
        """`PUT /webhooks/{id}`. Raises `Rejected` with status 404 if it is gone."""
        await self.send("PUT", f"/webhooks/{webhook}", route="PUT /webhooks/{id}", body=body, decode=_unread)

    async def delete_webhook(self, webhook: int) -> bool:
        """`DELETE /webhooks/{id}`. False: there was none."""
        return await self._delete(f"/webhooks/{webhook}", "DELETE /webhooks/{id}")

    # --- eCommerce

    async def goods(
        self, kind: str, offset: int, *, since: datetime | None = None
    ) -> tuple[list[dict[str, Any]], int]:
        """Up to `GOODS_PAGE[kind]` orders, products or categories from `offset` by their creation, and how
        many there are in all; `since`: those that were modified since. Out of the 100 calls an hour.
        """
        params: dict[str, Any] = {"limit": GOODS_PAGE[kind], "offset": offset, "sort": "asc"}
        if since is not None:
            params["modifiedSince"] = since.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        answer = await self.send("GET", f"/{kind}", params=params)
        count = _dict(answer.value).get("count")
        return _dicts(answer, kind), count if isinstance(count, int) else 0

    async def post(self, path: str, body: bytes) -> None:
        """Orders, products and categories, single or batch; what these answer tells nothing."""
        await self.send("POST", path, body=body, decode=_unread)


def _page(offset: int) -> dict[str, int]:
    return {"limit": LIST_PAGE, "offset": offset}


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(answer: Answer, name: str) -> int:
    number = _dict(answer.value).get(name)
    if not isinstance(number, int):
        raise Later(f"Brevo said yes without telling the `{name}` of what it made")
    return number


def _dicts(answer: Answer, name: str) -> list[dict[str, Any]]:
    found: Sequence[Any] = _dict(answer.value).get(name) or ()
    return [item for item in found if isinstance(item, dict)]


def _words(answer: Answer) -> tuple[str, str, frozenset[str]]:
    """Message, code and duplicate identifiers of an error body, which may be empty or HTML."""
    body = _object(answer)
    duplicates = _dict(body.get("metadata")).get("duplicate_identifiers")
    names = duplicates if isinstance(duplicates, list) else []
    return (
        mask(str(body.get("message") or "")),
        str(body.get("code") or ""),
        frozenset(str(name).lower() for name in names),
    )


def _faults(answer: Answer) -> dict[int, str]:
    """What is wrong with which row: `errors[{eventIndex: [0, ...], message}]` of a batch of events."""
    errors = _object(answer).get("errors")
    return {
        place: mask(str(error.get("message") or f"HTTP {answer.status}"))
        for error in (errors if isinstance(errors, list) else ())
        if isinstance(error, dict) and isinstance(error.get("eventIndex"), list)
        for place in error["eventIndex"]
        if isinstance(place, int)
    }


def _object(answer: Answer) -> dict[str, Any]:
    """The body as an object; an empty one for anything else."""
    try:
        return _dict(msgspec.json.decode(answer.body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


_EMAIL = re.compile(r"[^\s@\"'<>()\[\]{},;:]+@[^\s@\"'<>()\[\]{},;:]+")
_PHONE = re.compile(r"\+?\d(?:[\s().-]*\d){6,}")


def mask(text: str) -> str:
    """Brevo's words without e-mail addresses and phone numbers, at most 200 characters."""
    return _PHONE.sub("<number>", _EMAIL.sub("<e-mail>", text))[:200]
