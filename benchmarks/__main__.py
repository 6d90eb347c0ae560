"""`make bench`: every claim on speed and size, each a ratio measured within one run.

`python -m benchmarks [--million]`; with `--million` memory is measured at a million customers and a
million orders (about half an hour), without it at a tenth of that.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from math import ceil

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.ingestion import ingestion
from benchmarks.live import live
from benchmarks.pages import pages
from benchmarks.shop import BATCH, LISTS, ORDER_BATCH, SETTING, Shop, Sync, least_reads, open_shop
from benchmarks.waiting import waiting

Row = tuple[str, str, str, str]


def main() -> None:
    """Measure one claim after the other, and print each as it is known."""
    console = Console(width=120)
    for claim in (calls, throughput, memory, limits, ingestion, live, waiting, pages):
        table = Table(title=f"{claim.__name__}: {claim.__doc__}", title_justify="left", box=None)
        for heading in ("what", "measured", "floor or size", "ratio"):
            table.add_column(heading, justify="left" if heading == "what" else "right")
        for row in claim():
            table.add_row(*row)
        console.print(table, "")


def calls() -> Iterator[Row]:
    """No more calls than paging and batch sizes allow."""
    customers, orders, products = 8200, 4500, 620
    with open_shop("--customers", customers, "--orders", orders, "--products", products) as shop:
        first = shop.sync()
        reads, writes = shop.counts("store"), shop.counts("account")
        rows = {name: _total(shop, name) for name in LISTS}
        yield _ratio("first sync, reads", sum(reads.values()), least_reads(rows, reads))
        yield _ratio("first sync, writes", _writes(writes), _least(shop, first))
        singly = sum(writes[route] for route in _SINGLY)
        yield "  beside them, single contacts: rows that Brevo dropped from imports", f"{singly:,}", "", ""
        other = sum(writes.values()) - _writes(writes) - singly
        yield "  beside them, calls to Brevo that look, prepare or verify", f"{other:,}", "", ""

        before = shop.counts("store")
        again = shop.sync("--full")
        yield _ratio("second sync (full), reads", _since(shop, "store", before), least_reads(rows, reads))
        yield "second sync (full), records written", f"{_written(again.account):,}", "0", ""
        before = shop.counts("store")
        quick = shop.sync()
        yield _ratio(
            "third sync (incremental), reads", _since(shop, "store", before), len(rows) - 2 + SETTING
        )
        yield "third sync, records written", f"{_written(quick.account):,}", "0", ""

        changed = customers // 100
        ids = range(1, customers, 100)
        for start in range(0, len(ids), 10):
            part = [{"id": id_, "company": "Changed Ltd"} for id_ in ids[start : start + 10]]
            shop.call("PUT", "/v3/customers", part)
        told = shop.counts("account")
        little = shop.sync()
        yield _ratio(
            "after changing 1 % of the customers, records written", _written(little.account), changed
        )
        made = shop.counts("account") - told
        yield "  in so many calls", f"{_writes(made) + sum(made[route] for route in _SINGLY):,}", "", ""


def throughput() -> Iterator[Row]:
    """Records per second of our own CPU time, no limits on either side."""
    for name, flags, aim in (
        ("customers/s", ("--customers", 50_000, "--orders", 0, "--products", 1), 5000),
        ("orders/s", ("--customers", 1, "--orders", 30_000, "--products", 100), 2000),
    ):
        with open_shop(*flags) as shop:
            start = shop.sync("--plan").cpu
            run = shop.sync()
            records = sum(tally["seen"] for tally in run.account["resources"].values() if tally["seen"])
            wanted = run.account["resources"][name.removesuffix("/s")]["seen"]
            rate = wanted / (run.cpu - start)
            yield name, f"{rate:,.0f}", f"{aim:,}", f"{rate / aim:.2f}"
            yield f"  {records:,} records in all, {run.cpu:.1f} s CPU, {run.wall:.1f} s wall", "", "", ""


def memory() -> Iterator[Row]:
    """Peak memory does not grow with the store."""
    large = 1_000_000 if "--million" in sys.argv else 100_000
    peaks = []
    for size in (10_000, large):
        with open_shop("--customers", size, "--orders", size, "--products", 200) as shop:
            run = shop.sync()
            peaks.append(run.peak)
            what = f"{size:,} customers + {size:,} orders"
            yield f"peak MiB, {what} ({run.wall:,.0f} s)", f"{run.peak:.0f}", "", ""
            yield _ratio(
                "  writes in imports and batches", _writes(shop.counts("account")), _least(shop, run)
            )
    yield "growth", f"{peaks[1]:.0f} MiB", f"{peaks[0]:.0f} MiB", f"{peaks[1] / peaks[0]:.2f}"


def limits() -> Iterator[Row]:
    """Under the Standard plan's and the General tier's limits, the limits are what takes the time."""
    sizes = ("--customers", 40_000, "--orders", 40_000, "--products", 500)
    with open_shop(*sizes, plan="standard", tier="general") as shop:
        run = shop.sync()
        reads = sum(shop.counts("store").values())
        floor = max((reads - 1) // 150 * 30.0, run.account["floor_seconds"])
        yield (
            f"seconds for {reads:,} reads, 150 per 30 s",
            f"{run.wall:.1f}",
            f"{floor:.1f}",
            f"{run.wall / floor:.3f}",
        )


def _least(shop: Shop, first: Sync) -> int:
    """The fewest imports and batches for what the first sync wrote."""
    orders: float = first.account["resources"]["orders"]["written"] / ORDER_BATCH
    goods = _held(shop, "products") / BATCH, _held(shop, "categories") / BATCH
    return shop.least_imports() + sum(map(ceil, (orders, *goods)))


def _ratio(what: str, measured: int, floor: int) -> Row:
    return what, f"{measured:,}", f"{floor:,}", f"{measured / floor:.3f}" if floor else ""


def _writes(counts: Counter[str]) -> int:
    return sum(n for route, n in counts.items() if route in _DATA)


_DATA = {
    "POST /v3/contacts/import",
    "POST /v3/orders/status/batch",
    "POST /v3/orders/status",
    "POST /v3/products/batch",
    "POST /v3/products",
    "POST /v3/categories/batch",
    "POST /v3/categories",
}


_SINGLY = ("POST /v3/contacts", "PUT /v3/contacts/{identifier}")


def _since(shop: Shop, side: str, before: Counter[str]) -> int:
    return sum((shop.counts(side) - before).values())


def _written(account: dict[str, dict[str, dict[str, int]]]) -> int:
    return sum(tally["written"] for tally in account["resources"].values())


def _held(shop: Shop, kind: str) -> int:
    return len(httpx.get(f"{shop.account}/_sandbox/{kind}", timeout=60).text.splitlines())


def _total(shop: Shop, name: str) -> int:
    """How many rows the store says that a list has."""
    path = LISTS[name].removeprefix("GET ")
    if name == "orders":
        return int(shop.call("GET", "/v2/orders/count", None).json()["count"])
    return int(shop.call("GET", f"{path}?limit=1", None).json()["meta"]["pagination"]["total"])


main()
