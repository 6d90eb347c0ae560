"""What is overheard on a wire, and what it says of how long things took."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing, suppress
from typing import Any

import pytest

from tajo.demo.wires import HOST, Exchange, latencies, share, stretched


def said(path: str, body: Any, asked: float, *, took: float = 0.0, status: int = 200) -> Exchange:
    request = f"POST {path} HTTP/1.1\r\nhost: x\r\n\r\n{json.dumps(body)}".encode()
    return Exchange(asked, asked + took, request, status)


def webhook(scope: str, id_: int, at: float, status: int = 200) -> Exchange:
    body = {"scope": f"store/{scope}", "data": {"type": scope.partition("/")[0], "id": id_}}
    return said("/webhooks/bigcommerce/shop", body, at, status=status)


def order(id_: int, at: float, status: int = 202) -> Exchange:
    return said("/v3/orders/status", {"id": str(id_)}, at, took=0.5, status=status)


def test_a_latency_runs_from_the_first_webhook_to_the_acceptance() -> None:
    webhooks = [webhook("order/statusUpdated", 1, 10.0), webhook("order/refund/created", 1, 10.5)]
    assert latencies(webhooks, [order(1, 11.0)]) == [1.5]


def test_each_change_is_measured_by_its_own_webhook() -> None:
    webhooks = [webhook("order/statusUpdated", 1, at) for at in (10.0, 20.0)]
    assert latencies(webhooks, [order(1, 10.25), order(1, 21.5)]) == [0.75, 2.0]


def test_rows_of_a_batch_count_each() -> None:
    webhooks = [webhook("product/updated", id_, 1.0) for id_ in (1, 2)]
    batch = said("/v3/products/batch", {"products": [{"id": "1"}, {"id": "2"}]}, 2.0, took=1.0, status=201)
    assert latencies(webhooks, [batch]) == [2.0, 2.0]


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        (webhook("order/statusUpdated", 1, 1.0, status=503), order(1, 2.0)),
        (webhook("order/statusUpdated", 1, 1.0), order(1, 2.0, status=429)),
        (webhook("order/statusUpdated", 1, 1.0), order(2, 2.0)),
        (webhook("order/statusUpdated", 1, 3.0), order(1, 2.0)),
        (webhook("customer/updated", 1, 1.0), order(1, 2.0)),
    ],
    ids=["not thanked for", "not accepted", "something else", "told before", "no order"],
)
def test_what_does_not_belong_together_is_no_latency(heard: Exchange, told: Exchange) -> None:
    assert latencies([heard], [told]) == []


def test_a_share_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [share(values, part) for part in (0.5, 0.95, 1.0)] == [51.0, 96.0, 100.0]


async def test_a_wire_carries_both_ways_and_notes_requests_with_their_answers() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"}"):
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                await writer.drain()

    async with (
        await asyncio.start_server(answer, HOST, 0) as server,
        stretched(server.sockets[0].getsockname()[1]) as (wire, url),
    ):
        reader, writer = await asyncio.open_connection(HOST, int(url.rpartition(":")[2]))
        for number in (1, 2):
            writer.write(b'POST /v3/events HTTP/1.1\r\n\r\n{"n":%d}' % number)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
        writer.close()
        await writer.wait_closed()
    assert [(one.path, one.body, one.status) for one in wire.exchanges] == [
        ("/v3/events", {"n": 1}, 204),
        ("/v3/events", {"n": 2}, 204),
    ]
    assert all(one.asked <= one.answered for one in wire.exchanges)
