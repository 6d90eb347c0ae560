"""Callbacks come in: believed, read, kept, and only then thanked for. Nothing of them is logged.

Who cannot name our secret is turned away before a byte of the body is read. The thanks are 200 with an
empty body. When the ledger cannot take a notice now, BigCommerce hears 503 and tries again for 48 hours
(facts, section 7). Brevo hears 429: anything else would end the delivery for good (facts, section 6).
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
from msgspec import Struct
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tajo.bigcommerce import callbacks as store
from tajo.brevo import callbacks as marketing
from tajo.errors import Later, Refused
from tajo.server.bodies import read_body
from tajo.sync.ledger.inbox import Inbox

ONE = 256_000  # bytes of one callback; they carry ids, no data
BATCH = 2_000_000  # bytes of Brevo's batches: up to 500 events (facts, section 6)
SOON = {"retry-after": "60"}

_log = logging.getLogger(__name__)


class Door(Struct, frozen=True):
    """Where a connector's store calls. One that is not enabled keeps what it hears until it is."""

    trust: store.Trust


class BrevoDoor(Struct, frozen=True):
    """Where Brevo calls. `unsubscribed` returns when these are on disk; whatever it raises is tried again."""

    trust: marketing.Trust
    unsubscribed: Callable[[list[marketing.Unsubscribe]], Awaitable[None]]


class FromBigCommerce:
    """The ASGI application for callbacks of stores; `{connector}` in its path says whose, else `producer`."""

    def __init__(self, doors: Mapping[str, Door], inbox: Inbox, now: Callable[[], float]) -> None:
        self._doors = doors
        self._inbox = inbox
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one callback. Raises `HTTPException` for whatever is not thanked for."""
        headers = Headers(scope=scope)
        names = self._who_may_call(scope["path_params"].get("connector"), headers)
        body = await read_body(headers, receive, largest=ONE)
        name = names[0] if len(names) == 1 else self._of_producer(names, body)
        door = self._doors[name]
        try:
            door.trust.believe(headers, body, self._now())
            await self._inbox.take(name, store.read(body))
        except store.Forged:
            raise _forged() from None
        except (store.Malformed, Refused):
            raise HTTPException(400, "this is no callback of BigCommerce") from None
        except Later:
            raise _not_now(503) from None
        except Exception as error:
            _log.error("a callback of %s cannot be kept now: %s", name, type(error).__name__)
            raise _not_now(503) from None
        await THANKS(scope, receive, send)

    def _who_may_call(self, name: str | None, headers: Headers) -> Sequence[str]:
        """The connectors whose secret was told; `name`: it can only be this one."""
        if name is not None and name not in self._doors:
            raise HTTPException(404, "there is no such connector")
        told = headers.get(store.SECRET_HEADER, "").encode()
        candidates = self._doors if name is None else [name]
        # a list, so that all are compared: how long it takes tells nothing
        found = [
            one for one in candidates if hmac.compare_digest(told, self._doors[one].trust.secret.encode())
        ]
        if not (told and found):
            raise _forged()
        return found

    def _of_producer(self, names: Sequence[str], body: bytes) -> str:
        """The one of these connectors whose store the callback claims to be of."""
        try:
            producer = _producer(body).producer
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise HTTPException(400, "this is no callback of BigCommerce") from None
        for name in names:
            if self._doors[name].trust.producer == producer:
                return name
        raise _forged()


class FromBrevo:
    """The ASGI application for callbacks of Brevo."""

    def __init__(self, door: BrevoDoor) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one callback, or a batch. Raises `HTTPException` for whatever is not thanked for."""
        headers = Headers(scope=scope)
        try:
            self._door.trust.believe(headers)
            body = await read_body(headers, receive, largest=BATCH)
            people = marketing.read(body)
        except marketing.Forged:
            raise _forged() from None
        except marketing.Malformed:
            raise HTTPException(400, "this is no callback of Brevo") from None
        except HTTPException as error:
            if error.status_code == 408:
                raise HTTPException(429, error.detail, SOON) from None
            raise
        try:
            if people:
                await self._door.unsubscribed(people)
        except Exception as error:
            _log.error("an unsubscribe cannot be kept now: %s", type(error).__name__)
            raise _not_now(429) from None
        await THANKS(scope, receive, send)


class _Producer(Struct):
    producer: str


_producer = msgspec.json.Decoder(_Producer).decode

THANKS = Response()


def _forged() -> HTTPException:
    return HTTPException(401, "the callback cannot be believed")


def _not_now(status: int) -> HTTPException:
    return HTTPException(status, "the callback cannot be kept now", SOON)
