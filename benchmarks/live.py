"""`tajo serve` as a process between both simulators: how soon is a change told, and what does a burst cost?

`python -m benchmarks.live` measures it alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from math import ceil
from pathlib import Path
from typing import Any

import httpx

from benchmarks.ingestion import Row, request, send
from benchmarks.shop import BATCH, Shop, open_shop
from tajo import config, webhooks
from tajo.bigcommerce.callbacks import Trust
from tajo.demo.wires import Exchange, latencies, share, stretched
from tajo.wiring import open_wiring
from tajo.worker import MOST_GATHERED

NAME = "bigcommerce"
CHANGES, PACE = 240, 3.0
NOTICES, PRODUCTS = 10_000, 500


def live() -> Iterator[Row]:
    """A single change is told at once, and a burst costs no more calls than one look and one telling."""
    with open_shop("--customers", 1000, "--orders", 1000, "--products", PRODUCTS) as shop:
        shop.sync()
        yield from asyncio.run(_singly(shop))
    with open_shop("--customers", 1, "--orders", 0, "--products", PRODUCTS) as shop:
        shop.sync()
        yield from asyncio.run(_bursts(shop))


async def _singly(shop: Shop) -> list[Row]:
    """Orders, products and customers in turn, each changed once, at a gentle pace."""
    brevo = int(httpx.URL(shop.account).port or 0)
    async with stretched() as (hooks, hooks_url), stretched(brevo) as (calls, calls_url):
        env = shop.env | {"TAJO_BREVO_API_URL": f"{calls_url}/v3"}
        async with _serving(env, f"server: {{public_url: {hooks_url}}}") as url:
            hooks.to = int(httpx.URL(url).port or 0)
            await _settled(shop)
            async with httpx.AsyncClient(timeout=60) as panel:
                for path, body in _changes(shop):
                    await _change(panel, shop, path, body)
                    await asyncio.sleep(1 / PACE)
            await _settled(shop)
    goods = latencies(hooks.exchanges, calls.exchanges)
    people = _of_customers(hooks.exchanges, calls.exchanges)
    both = sorted([*goods, *people])
    return [
        (
            "single changes told, of those made",
            f"{len(both):,}",
            f"{CHANGES:,}",
            f"{len(both) / CHANGES:.3f}",
        ),
        _within("seconds from webhook to acceptance, half within", both, 0.5, 1),
        _within("seconds from webhook to acceptance, 95 % within", both, 0.95, 3),
        _within("  orders and products, 95 % within", goods, 0.95, 3),
        _within("  contacts, 95 % within", people, 0.95, 3),
    ]


async def _bursts(shop: Shop) -> list[Row]:
    """A description is told of the product alone, a price of its variants, too, but those with their own."""
    products = _held(shop.store, "products")
    alone = {str(product["id"]) for product in products}
    variants = {
        f"{product['id']}-{variant['id']}"
        for product in products
        for variant in product["variants"]
        if variant["option_values"] and not variant["price"]
    }
    async with _serving(shop.env, "sync_mode: batch") as url:  # no webhooks but those that are sent here
        port = int(httpx.URL(url).port or 0)
        text = {"description": "Changed"}
        rows = await _burst(shop, port, text, alone, text, most_writes=12)
        price, shown = {"price": 4321, "sale_price": 0}, {"price": 4321}
        floor = ceil(len(alone | variants) / BATCH)
        rows += await _burst(shop, port, price, alone | variants, shown, most_writes=floor)
    return rows


async def _burst(
    shop: Shop, port: int, change: dict[str, Any], ids: set[str], shown: dict[str, Any], *, most_writes: int
) -> list[Row]:
    """All products change and nobody says so; then the notices of it come all at once, and many times.

    In the end Brevo must hold `shown` of all `ids`, which are its own.
    """
    await _settled(shop)
    products = [row["id"] for row in _held(shop.store, "products")]
    async with httpx.AsyncClient(timeout=60) as panel:
        for id_ in products:
            await _change(panel, shop, f"/v3/catalog/products/{id_}", change)
    reads, writes = shop.counts("store"), shop.counts("account")
    trust = await _trust(shop)
    dice = random.Random(1)
    named = [*products, *dice.choices(products, k=NOTICES - len(products))]
    dice.shuffle(named)
    requests = [request(trust, NAME, "product/updated", id_, number) for number, id_ in enumerate(named)]
    load = await send(port, requests)
    await _told(shop, ids, shown)
    await _settled(shop)
    reads, writes = shop.counts("store") - reads, shop.counts("account") - writes
    took = f"  {NOTICES:,} notices: another {next(iter(change))} of {len(products):,} products"
    return [
        (took, f"{load.seconds:.1f} s", "", ""),
        ("  thanked for", f"{load.statuses[200]:,}", f"{NOTICES:,}", f"{load.statuses[200] / NOTICES:.3f}"),
        ("reads that they cost", f"{reads.total():,}", "6", f"{reads.total() / 6:.2f}"),
        (
            f"writes that they cost, of {len(ids):,} products and variants",
            f"{writes.total():,}",
            f"{most_writes}",
            f"{writes.total() / most_writes:.2f}",
        ),
    ]


async def _told(shop: Shop, ids: set[str], shown: dict[str, Any]) -> None:
    """Wait until Brevo holds this of all of them. Raises `RuntimeError` after a minute."""
    until = time.monotonic() + 60
    while left := ids - {
        row["id"] for row in _held(shop.account, "products") if shown.items() <= row.items()
    }:
        if time.monotonic() > until:
            raise RuntimeError(f"Brevo was not told of {len(left):,} of {len(ids):,} products and variants")
        await asyncio.sleep(0.5)


def _within(what: str, seconds: list[float], part: float, most: int) -> Row:
    measured = share(seconds, part)
    return what, f"{measured:.2f}", f"{most}", f"{measured / most:.2f}"


def _changes(shop: Shop) -> Iterator[tuple[str, Any]]:
    """What staff do: a price, a status and a company's name in turn, each of something that Brevo holds."""
    told = {order["id"] for order in _held(shop.account, "orders")}
    known = {contact["email"] for contact in _held(shop.account, "contacts")}
    products = (row["id"] for row in _held(shop.store, "products"))
    orders = (
        row["id"]
        for row in _held(shop.store, "orders")
        if row["status_id"] in {2, 10, 11} and str(row["id"]) in told
    )
    customers = (row["id"] for row in _held(shop.store, "customers") if row["email"].lower() in known)
    for number in range(CHANGES // 3):
        yield f"/v3/catalog/products/{next(products)}", {"price": 1000 + number}
        yield f"/v2/orders/{next(orders)}", {"status_id": 3}
        id_ = next(customers)
        yield "/v3/customers", [{"id": id_, "company": _company(id_)}]


def _company(id_: int) -> str:
    return f"Company number {id_}"


def _of_customers(webhooks: Iterable[Exchange], calls: Iterable[Exchange]) -> list[float]:
    """Seconds from the webhook about a customer until Brevo had accepted the contact, sorted."""
    told = [(call.request, call.answered) for call in calls if call.status < 300]
    found = []
    for hook in webhooks:
        said = hook.body
        if isinstance(said, dict) and said.get("scope") == "store/customer/updated":
            company = f'"{_company(said["data"]["id"])}"'.encode()
            found += [answered - hook.asked for body, answered in told if company in body][:1]
    return sorted(found)


def _held(side: str, kind: str) -> list[dict[str, Any]]:
    """What a simulator holds of a kind."""
    lines = httpx.get(f"{side}/_sandbox/{kind}", timeout=60).text.splitlines()
    return [json.loads(line) for line in lines]


async def _change(panel: httpx.AsyncClient, shop: Shop, path: str, body: Any) -> None:
    """As staff would, in the control panel: it costs no call of the API."""
    url = f"{shop.store}/_sandbox/panel/stores/{shop.env['BC_STORE_HASH']}{path}"
    headers = {"X-Auth-Token": shop.env["BC_ACCESS_TOKEN"], "Accept": "application/json"}
    (await panel.put(url, json=body, headers=headers)).raise_for_status()


async def _trust(shop: Shop) -> Trust:
    """With what callbacks of this store are signed."""
    async with open_wiring(config.load(None, shop.env), shop.env) as wiring:
        return webhooks.trust(wiring, NAME)


async def _settled(shop: Shop) -> None:
    """Wait until neither side has been called for as long as a burst may gather; five minutes at the most."""
    before, since = None, time.monotonic()
    async with asyncio.timeout(300):
        while time.monotonic() < since + MOST_GATHERED + 1:
            await asyncio.sleep(0.2)
            now = shop.counts("store"), shop.counts("account")
            if now != before:
                before, since = now, time.monotonic()


@asynccontextmanager
async def _serving(env: dict[str, str], settings: str) -> AsyncIterator[str]:
    """`tajo serve` as a process with these settings; its URL."""
    with tempfile.TemporaryDirectory(prefix="tajo-bench-") as folder:
        file = Path(folder) / "tajo.yaml"
        file.write_text(settings, "utf-8")
        program = "import sys; from tajo.cli import run; sys.exit(run(sys.argv[1:]))"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, "serve", "--port", "0", "--config", str(file)),
            env=os.environ | env,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            while "listening on " not in (line := (await process.stderr.readline()).decode()):
                assert line, "tajo serve has ended"
            heard = asyncio.create_task(process.stderr.read())
            yield line.rpartition(" ")[2].strip()
        finally:
            process.terminate()
            await process.wait()
        await heard


if __name__ == "__main__":
    for row in live():
        print(*row, sep="\t")
