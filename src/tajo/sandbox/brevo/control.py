"""`/_sandbox`: the back door for tests and people. No key, no limits, no faults.

The dumps are JSON lines in a fixed order and without ids or clock times of our own making, so that two runs
can be compared byte by byte; only messages say when they were sent.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from .changes import holders, make, read_change
from .faults import Faults, Weather
from .merging import HEADER
from .wire import Refusal, email_address, invalid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from starlette.requests import Request

    from .account import Account

    Endpoint = Callable[[Request], Awaitable[Response]]

_LINES_A_CHUNK = 500
_MOST_BODIES = 1_000


class Control:
    """The endpoints of the back door."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def routes(self) -> list[Route]:
        """Give the routes, to be mounted under `/_sandbox`."""
        gets: dict[str, Endpoint] = {
            "/outbox": self.outbox,
            "/counts": self.counts,
            "/bodies": self.bodies,
            "/contacts": self.contacts,
            "/orders": self.orders,
            "/products": self.products,
            "/categories": self.categories,
            "/events": self.events,
            "/messages": self.messages,
            "/messages/{n:int}.html": self.message,
            "/deliveries": self.deliveries,
            "/exports/{process:int}-{report}.csv": self.export,
        }
        posts: dict[str, Endpoint] = {
            "/unsubscribe": self.unsubscribe,
            "/contacts": self.put_contacts,
            "/faults": self.faults,
            "/key": self.key,
        }
        return [
            *(Route(path, _guarded(endpoint), methods=["GET"]) for path, endpoint in gets.items()),
            *(Route(path, _guarded(endpoint), methods=["POST"]) for path, endpoint in posts.items()),
        ]

    async def outbox(self, request: Request) -> Response:
        """GET outbox?since=n: requests received after number n, of the last 10,000."""
        since = int(request.query_params.get("since", "0"))
        return _json({"requests": [asdict(entry) for entry in self._account.journal.since(since)]})

    async def counts(self, _request: Request) -> Response:
        """GET counts: requests by route and status, rows by import, orders by manner, what is stored."""
        account = self._account
        stores = {
            "contacts": len(account.book),
            "orders": len(account.orders.items),
            "products": len(account.products),
            "categories": len(account.categories),
            "events": len(account.events),
            "messages": len(account.messages.items),
        }
        return _json({**account.journal.counts(), "stored": stores})

    async def bodies(self, request: Request) -> Response:
        """GET bodies?last=n: the last request bodies with their request lines, decoded where JSON."""
        last = int(request.query_params.get("last", "100"))
        if not 0 <= last <= _MOST_BODIES:
            raise ValueError(f"last should be between 0 and {_MOST_BODIES}")
        return _json(
            {
                "bodies": [
                    {
                        "method": item.method,
                        "path": item.path,
                        "query": item.query,
                        "body": _decoded(item.body),
                    }
                    for item in self._account.journal.bodies(last)
                ]
            }
        )

    async def contacts(self, _request: Request) -> Response:
        """GET contacts: every contact, sorted by e-mail (then ext_id, then SMS)."""
        contacts = sorted(
            self._account.book,
            key=lambda contact: (contact.email or "", contact.ext_id or "", contact.sms or ""),
        )
        return _lines(
            {
                "email": contact.email,
                "ext_id": contact.ext_id,
                "attributes": dict(sorted(contact.all_attributes().items())),
                "listIds": contact.lists,
                "emailBlacklisted": contact.email_blocked,
                "smsBlacklisted": contact.sms_blocked,
            }
            for contact in contacts
        )

    async def orders(self, _request: Request) -> Response:
        """GET orders: every order as it was sent, sorted by id."""
        return _lines(order for _, order in sorted(self._account.orders.items.items()))

    async def products(self, _request: Request) -> Response:
        """GET products: every product as it was sent, sorted by id."""
        return _lines(product.content() for _, product in sorted(self._account.products.items()))

    async def categories(self, _request: Request) -> Response:
        """GET categories: every category as it was sent, sorted by id."""
        return _lines(category.content() for _, category in sorted(self._account.categories.items()))

    async def events(self, _request: Request) -> Response:
        """GET events: every event in order of arrival; `unknown_contact` marks those of nobody we know."""
        return _lines(
            {**event.content(), **({} if event.contact_id is not None else {"unknown_contact": True})}
            for event in self._account.events
        )

    async def messages(self, request: Request) -> Response:
        """GET messages: e-mails, SMS and the like, in order, as they read; `?to=` those of one address."""
        to = request.query_params.get("to")
        kept = self._account.messages.items
        return _lines(message.shown() for message in kept if to is None or to.lower() in message.to)

    async def message(self, request: Request) -> Response:
        """GET messages/{n}.html: one message as its reader sees it."""
        kept = self._account.messages.items
        number = request.path_params["n"]
        if not 0 < number <= len(kept):
            return PlainTextResponse("no such message", 404)
        return HTMLResponse(kept[number - 1].html)

    async def deliveries(self, _request: Request) -> Response:
        """GET deliveries: the webhook requests sent, in order, the last 100,000."""
        return _lines(list(self._account.deliveries.attempts))

    async def export(self, request: Request) -> Response:
        """GET exports/{process}-{report}.csv: a CSV named by a process."""
        process = self._account.processes.items.get(request.path_params["process"])
        lines = process.reports.get(request.path_params["report"]) if process else None
        if lines is None:
            return PlainTextResponse("no such export", 404)
        return PlainTextResponse("\n".join([HEADER, *lines]) + "\n", media_type="text/csv")

    async def unsubscribe(self, request: Request) -> Response:
        """POST unsubscribe {"email"}: a person clicks the link; blocklisted, and webhooks fire.

        With `"transactional": true` it is the link of a transactional e-mail, which blocks those only.
        """
        body = await request.json()
        email = email_address(body.get("email"))
        if email and body.get("transactional"):
            self._account.messages.blocked.setdefault(email, self._account.now())
            return Response(status_code=204)
        contact = self._account.book.find("email", email) if email else None
        if contact is None:
            return _json({"error": "no such contact"}, 404)
        contact.email_blocked = True
        self._account.book.touch(contact, self._account.now())
        self._account.hooks.unsubscribed(contact)
        return Response(status_code=204)

    async def put_contacts(self, request: Request) -> Response:
        """POST contacts [{email, attributes, listIds, emailBlacklisted}]: as if always there."""
        items = await request.json()
        for item in items:
            change = read_change(self._account, item)
            if (email := email_address(item.get("email"))) is None:
                raise invalid(f"Invalid email address {item.get('email')!r}")
            change.identifiers["email"] = email
            contact = self._account.book.find("email", email)
            if any(holder is not contact for holder in holders(self._account, change).values()):
                raise invalid(f"{email} shares an identifier with another contact")
            contact = contact or self._account.book.add(self._account.now())
            make(self._account, contact, change)
        return _json({"count": len(items)})

    async def faults(self, request: Request) -> Response:
        """POST faults {"name": value}: change some of the rates of `Faults`; {} leaves only fair weather."""
        given = await request.json()
        current = self._account.weather.faults
        if unknown := given.keys() - Faults.__dataclass_fields__.keys():
            raise ValueError(f"no such faults: {', '.join(sorted(unknown))}")
        changed = replace(current, **given) if given else Faults(seed=current.seed)
        self._account.weather = Weather(changed)
        return _json(asdict(changed))

    async def key(self, request: Request) -> Response:
        """POST key {"valid": false}: every key is refused from now on (and true: works again)."""
        self._account.key_valid = bool((await request.json()).get("valid"))
        return Response(status_code=204)


def _guarded(endpoint: Endpoint) -> Endpoint:
    """Answer 400 with a reason where the caller asked for nonsense."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (Refusal, ValueError, TypeError) as error:
            return _json({"error": str(error)}, 400)

    return guarded


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body) if body else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode("utf-8", "replace")


def _lines(items: Iterable[Any]) -> Response:
    def chunks() -> Iterator[bytes]:
        encoder = msgspec.json.Encoder()
        lines: list[bytes] = []
        for item in items:
            lines.append(encoder.encode(item))
            if len(lines) == _LINES_A_CHUNK:
                yield b"\n".join(lines) + b"\n"
                lines.clear()
        if lines:
            yield b"\n".join(lines) + b"\n"

    return StreamingResponse(chunks(), media_type="application/x-ndjson")
