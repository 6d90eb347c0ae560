"""Webhooks by the thousand: a server of its own process, and 64 connections that do nothing but send.

`python -m benchmarks.ingestion` measures it alone.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import random
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tajo.bigcommerce.callbacks import SECRET_HEADER, Trust
from tajo.server import Door, make_app, serve
from tajo.sync.ledger.inbox import open_inbox
from tajo.sync.ledger.queue import count_due
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import open_ledger

Row = tuple[str, str, str, str]

CONNECTIONS, WARM, REQUESTS = 64, 2_000, 30_000
TRUST = Trust(producer="stores/bench", secret="s" * 43, client_secret="c" * 64, strict=True)
SCOPES = ("customer/updated", "order/created", "order/updated", "product/updated", "category/updated")
KEY = Secret(b"a secret for benchmarks, and for nothing else")


def ingestion() -> Iterator[Row]:
    """3,000 signed webhooks a second are believed, on disk and thanked for, 99 % of them within 100 ms."""
    with tempfile.TemporaryDirectory(prefix="tajo-bench-") as folder, _served(folder) as (server, port):
        requests, distinct = _requests(WARM + REQUESTS)
        asyncio.run(send(port, requests[:WARM]))
        load = asyncio.run(send(port, requests[WARM:]))
        server.kill()  # without a warning: what was thanked for must be there all the same
        server.wait()
        kept = asyncio.run(_kept(folder))
    rate = REQUESTS / load.seconds
    p50, p99 = (sorted(load.took)[int(len(load.took) * part)] * 1000 for part in (0.5, 0.99))
    failed = REQUESTS - load.statuses[200]
    yield f"requests/s over {CONNECTIONS} connections", f"{rate:,.0f}", "3,000", f"{rate / 3000:.2f}"
    yield "milliseconds to the answer, median", f"{p50:.1f}", "", ""
    yield "milliseconds to the answer, 99 % within", f"{p99:.1f}", "100", f"{p99 / 100:.2f}"
    yield "answers other than 200", f"{failed:,}", "0", f"{failed / REQUESTS:.3f}"
    yield "keys due after kill -9", f"{kept:,}", f"{distinct:,}", f"{kept / distinct:.3f}"


def _requests(count: int) -> tuple[list[bytes], int]:
    """Signed callbacks as they go over the wire, and how many different keys they name.

    A third names something new, a third something of the last thousand, a third is sent word for word again.
    """
    dice = random.Random(1)
    made: list[bytes] = []
    named: list[tuple[str, int]] = []
    for number in range(count):
        kind = dice.choice(("new", "again", "twice")) if number > 1000 else "new"
        if kind == "twice":
            made.append(dice.choice(made[-1000:]))
            continue
        named.append((dice.choice(SCOPES), number + 1) if kind == "new" else dice.choice(named[-1000:]))
        made.append(request(TRUST, "shop", *named[-1], number))
    return made, len({(scope.partition("/")[0], id_) for scope, id_ in named})


def request(trust: Trust, connector: str, scope: str, id_: int, number: int) -> bytes:
    """One POST as BigCommerce sends it (webhook callbacks; Standard Webhooks)."""
    at = int(time.time())
    said = {
        "scope": f"store/{scope}",
        "store_id": "1025646",
        "data": {"type": scope.partition("/")[0], "id": id_},
        "hash": f"{number:040x}",
        "created_at": at,
        "producer": trust.producer,
    }
    body = json.dumps(said).encode()
    assert trust.client_secret is not None
    proof = hmac.digest(trust.client_secret.encode(), f"msg_{number}.{at}.".encode() + body, "sha256")
    head = (
        f"POST /webhooks/bigcommerce/{connector} HTTP/1.1\r\nhost: tajo.example\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        "user-agent: BigCommerce\r\naccept: */*\r\n"
        f"{SECRET_HEADER}: {trust.secret}\r\nwebhook-id: msg_{number}\r\nwebhook-timestamp: {at}\r\n"
        f"webhook-signature: v1,{b64encode(proof).decode()}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Load:
    """Requests on their way. `took`: seconds per answer."""

    waiting: Iterator[bytes]
    took: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0


class _Connection(asyncio.Protocol):
    """Sends one request after the other, each as soon as the last is answered."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._sent = 0.0
        self._came = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, end, body = self._came.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if end and len(body) >= length:
            self._came = b""
            self._load.took.append(time.perf_counter() - self._sent)
            self._load.statuses[int(head[9:12])] += 1
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _next(self) -> None:
        request = next(self._load.waiting, None)
        if request is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)


async def send(port: int, requests: list[bytes]) -> Load:
    """All of them over so many connections; five minutes at the most."""
    load = Load(iter(requests))
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    async with asyncio.timeout(300):
        ends = [
            (await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port))[1].done
            for _ in range(CONNECTIONS)
        ]
        await asyncio.gather(*ends)
    load.seconds = time.perf_counter() - begun
    return load


async def _kept(folder: str) -> int:
    ledger = await open_ledger(_database(folder), KEY)
    async with ledger.begin() as tx:
        kept = await count_due(tx, "shop")
    await ledger.close()
    return kept


@contextmanager
def _served(folder: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "benchmarks.ingestion", folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline().rpartition(":")[2])
        finally:
            process.kill()


async def _serve(folder: str) -> None:
    ledger = await open_ledger(_database(folder), KEY)
    async with open_inbox(ledger, lambda _connector: None) as inbox:
        app = make_app({"shop": Door(TRUST)}, None, inbox, _ready)
        stop = asyncio.Event()
        await serve(app, "127.0.0.1", 0, stop=stop, listening=lambda url: print(url, flush=True))


async def _ready() -> bool:
    return True


def _database(folder: str) -> str:
    return f"sqlite:///{Path(folder) / 'bench.db'}"


if __name__ == "__main__":
    if sys.argv[1:]:
        asyncio.run(_serve(sys.argv[1]))
    else:
        for line in ingestion():
            print(*line, sep="\t")
