"""Wires with an ear: when did a webhook come, and when had Brevo taken what it was about?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from msgspec import Struct

HOST = "127.0.0.1"

#: The webhooks after which Brevo must be told something. Others repeat them, or are about stock.
TELLING = frozenset({"store/order/statusUpdated", "store/order/refund/created", "store/product/updated"})


class Exchange(Struct, frozen=True):
    """A request and its answer. `asked`, `answered`: seconds of a clock that only goes forward."""

    asked: float
    answered: float
    request: bytes
    status: int

    @property
    def path(self) -> str:
        """The path of the request, without its host."""
        return self.request.split(b" ", 2)[1].decode()

    @property
    def body(self) -> Any:
        """The JSON of the request; None without one."""
        content = self.request.partition(b"\r\n\r\n")[2]
        return msgspec.json.decode(content) if content else None


class Wire:
    """A port of this machine from which all goes on to another one. `to`: that port, once it is known."""

    def __init__(self) -> None:
        self.to = 0
        self.exchanges: list[Exchange] = []
        self._meetings: set[asyncio.Task[None]] = set()

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side closes it."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine of asyncio runs in one
        self._meetings.add(task)
        task.add_done_callback(self._meetings.discard)
        beyond: asyncio.StreamWriter | None = None
        try:
            answers, beyond = await asyncio.open_connection(HOST, self.to)
            await self._carry(reader, writer, answers, beyond)
        except (OSError, asyncio.CancelledError):
            return
        finally:
            for end in filter(None, (writer, beyond)):
                end.close()

    async def _carry(
        self,
        requests: asyncio.StreamReader,
        back: asyncio.StreamWriter,
        answers: asyncio.StreamReader,
        on: asyncio.StreamWriter,
    ) -> None:
        """Both directions. On a connection of HTTP/1.1 the answer to one request comes before the next."""
        said, asked = bytearray(), 0.0

        async def there() -> None:
            nonlocal asked
            while data := await requests.read(65_536):
                asked = asked if said else time.monotonic()
                said.extend(data)
                on.write(data)
                await on.drain()
            on.close()

        async def here() -> None:
            while data := await answers.read(65_536):
                if said:
                    status = int(data[9:12])
                    self.exchanges.append(Exchange(asked, time.monotonic(), bytes(said), status))
                    said.clear()
                back.write(data)
                await back.drain()
            back.close()

        await asyncio.gather(there(), here())

    async def close(self) -> None:
        """End all connections."""
        for task in self._meetings:
            task.cancel()
        await asyncio.gather(*self._meetings)


@asynccontextmanager
async def stretched(to: int = 0) -> AsyncIterator[tuple[Wire, str]]:
    """A wire to a port, and the URL of its own end."""
    wire = Wire()
    wire.to = to
    async with await asyncio.start_server(wire.meet, HOST, 0) as server:
        try:
            yield wire, f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            await wire.close()


def latencies(webhooks: Iterable[Exchange], calls: Iterable[Exchange]) -> list[float]:
    """Seconds from the first webhook about an order or product until Brevo had accepted it, sorted."""
    heard: dict[str, list[float]] = {}
    for one in webhooks:
        body = one.body if one.status == 200 else None
        if isinstance(body, dict) and body.get("scope") in TELLING:
            heard.setdefault(f"{body['data']['type']} {body['data']['id']}", []).append(one.asked)
    found = []
    for call in sorted(calls, key=lambda call: call.answered):
        for thing in _told(call):
            before = [at for at in heard.get(thing, ()) if at < call.asked]
            if before:
                found.append(call.answered - before[0])
                heard[thing] = [at for at in heard[thing] if at >= call.asked]
    return sorted(found)


def share(values: list[float], part: float) -> float:
    """The value that so large a part of these sorted ones does not exceed."""
    return values[min(len(values) - 1, int(len(values) * part))]


def _told(call: Exchange) -> Iterator[str]:
    """The orders and products that a call to Brevo tells, if it was accepted."""
    kind = {"orders": "order", "products": "product"}.get(call.path.removeprefix("/v3").split("/")[1])
    if kind is None or not 200 <= call.status < 300 or not call.request.startswith(b"POST"):
        return
    body = call.body
    for row in body.get(f"{kind}s", [body]) if "id" not in body else [body]:
        yield f"{kind} {row['id']}"
