"""One polite HTTP client: it keeps to the other side's pace, retries what may heal, and names the rest.

It knows neither vendor. A vendor's `limits` says when a call may go and learns from each answer;
a vendor's `api` turns an `Answer` that is not a success into an error of `tajo.errors`.
Nothing here logs a header, a body or a query.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import httpx
import msgspec
from msgspec import Struct
from opentelemetry import trace

from tajo.errors import Later

USER_AGENT = "Tajo/0.1 (+https://tajo.io)"


class Clock:
    """The time, as one thing that tests can replace. Seconds throughout."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Limits(Protocol):
    """When may a call go? One per account, shared by all calls to it."""

    async def admit(self, route: str) -> None:
        """Return as soon as the limits allow a call to this route, and count it."""
        ...

    def learn(self, route: str, status: int, headers: Mapping[str, str]) -> float | None:
        """Note what an answer says of the limits; on a 429, the seconds to wait (None: unknown)."""
        ...


class Call(NamedTuple):
    """One call that was made. `status`: 0 if no answer came; `waited`: seconds before it, for the limits."""

    route: str
    status: int
    seconds: float
    waited: float


Heard = Callable[[Call], None]
"""Hears of each call to an account."""


class Stream(Struct, frozen=True):
    """JSON that is never whole in memory. `size`: its bytes; `pieces`: makes them, anew for each attempt."""

    size: int
    pieces: Callable[[], Iterable[bytes]]


Body = bytes | Stream
"""JSON in one piece, or in many."""

PIECE = 65_536
"""Bytes that are handed to the connection at a time."""


class Answer(Struct, frozen=True):
    """What came back. `value`: the decoded body of a success, None without one."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    value: Any = None

    @property
    def ok(self) -> bool:
        """A 2xx."""
        return 200 <= self.status < 300


class Patience(Struct, frozen=True):
    """How often and how long to try again: doubling from `first` to `longest` seconds, with jitter."""

    attempts: int = 8
    first: float = 0.5
    longest: float = 60.0

    def pause(self, attempt: int) -> float:
        """Seconds to wait after the given attempt (1, 2, ...)."""
        step = min(self.first * 2.0 ** (attempt - 1), self.longest)
        return step * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret


class Lost(Later):
    """Nobody can say whether a call that must not be made twice was taken: its answer got lost."""


TRANSIENT = frozenset({408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524})
UNTOUCHED = frozenset({408, 425})  # of these, what certainly changed nothing


_tracer = trace.get_tracer("tajo")


class Client:
    """Calls to one account on one host, counted by route in `calls`; `heard` hears of each.

    For OpenTelemetry each is a span that names its route, never its path or query.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        limits: Limits,
        *,
        clock: Clock | None = None,
        patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = 60.0,
        heard: Heard = lambda _: None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=base_url.rstrip("/"),
            headers={"accept": "application/json", "user-agent": USER_AGENT, **headers},
            timeout=timeout,
            transport=transport,
        )
        self._limits = limits
        self._clock = clock or Clock()
        self._patience = patience or Patience()
        self._heard = heard
        self.calls: Counter[str] = Counter()

    async def request(
        self,
        method: str,
        path: str,
        *,
        route: str,
        params: Mapping[str, Any] | None = None,
        body: Body | None = None,
        decode: Callable[[bytes], Any] = msgspec.json.decode,
        final: frozenset[int] = frozenset(),
        once: bool = False,
    ) -> Answer:
        """Send, patiently. Any status but 429 and the transient ones is returned, not raised.

        `once`: said twice it would do its work twice, so it is only tried again where it certainly was
        not taken; else it raises `Lost`.
        `route` is the template that the limits know, e.g. `GET /v3/customers`; `final` statuses are
        never retried. `decode` reads the body of a success: a `msgspec.DecodeError` means that it was
        cut off on the way, so it is asked for again; a `msgspec.ValidationError` passes through.
        Raises `Later` when patience ends.
        """
        for attempt in range(1, self._patience.attempts + 1):
            asked = self._clock.now()
            await self._limits.admit(route)
            self.calls[route] += 1
            wait: float | None = None
            value: Any = None
            lost = True
            try:
                with self._following(route, asked) as answered:
                    reply = await self._http.request(
                        method, path, params=params, content=_content(body), headers=_headers(body)
                    )
                    answered(reply.status_code)
                # Its stream holds the reply that holds it: a page would stay until a garbage collection.
                reply.stream = httpx.ByteStream(b"")
                if reply.is_success and reply.content:
                    value = decode(reply.content)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                lost = False
                trouble = f"{type(error).__name__}, nobody answers at {self._http.base_url.netloc.decode()}"
            except httpx.TransportError as error:
                trouble = type(error).__name__
            except msgspec.ValidationError:
                raise
            except msgspec.DecodeError:
                trouble = "a body that breaks off"
            else:
                wait = self._limits.learn(route, reply.status_code, reply.headers)
                again = reply.status_code == 429 or reply.status_code in TRANSIENT - final
                if not again:
                    return Answer(reply.status_code, reply.headers, reply.content, value)
                lost = reply.status_code not in UNTOUCHED | {429}
                trouble = f"HTTP {reply.status_code}"
            if once and lost:
                raise Lost(f"{route}: its answer got lost ({trouble})")
            if attempt < self._patience.attempts:
                await self._clock.sleep(self._patience.pause(attempt) if wait is None else wait)
        raise Later(f"{route} failed {self._patience.attempts} times, lastly: {trouble}", seconds=300)

    @contextmanager
    def _following(self, route: str, asked: float) -> Iterator[Callable[[int], None]]:
        """A call goes now, wished for at that moment; to be told the status of its answer."""
        sent = self._clock.now()

        def answered(status: int) -> None:
            span.set_attribute("http.response.status_code", status)
            self._heard(Call(route, status, self._clock.now() - sent, sent - asked))

        method, host = route.partition(" ")[0], self._http.base_url.host
        with _tracer.start_as_current_span(
            route,
            kind=trace.SpanKind.CLIENT,
            attributes={"http.request.method": method, "server.address": host},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield answered
            except httpx.TransportError:
                answered(0)
                raise

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()


def _content(body: Body | None) -> bytes | AsyncIterator[bytes] | None:
    return body if body is None or isinstance(body, bytes) else _pieces(body.pieces())


async def _pieces(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    piece = bytearray()
    for part in parts:
        piece += part
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def _headers(body: Body | None) -> dict[str, str]:
    if body is None:
        return {}
    size = {} if isinstance(body, bytes) else {"content-length": str(body.size)}
    return {"content-type": "application/json", **size}
