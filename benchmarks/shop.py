"""Simulators as processes, one sync as a process, and what both say of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import httpx

PAGE, ORDER_BATCH, BATCH = 250, 1000, 100

IMPORT = 8_000_000
"""Bytes of one import."""

FULL = IMPORT - 5_000
"""From here on no further contact need fit in."""

#: The lists that are read page by page, by their route in the simulator.
LISTS = {
    "customers": "GET /v3/customers",
    "subscribers": "GET /v3/customers/subscribers",
    "orders": "GET /v2/orders",
    "refunds": "GET /v3/orders/payment_actions/refunds",
    "products": "GET /v3/catalog/products",
    "categories": "GET /v3/catalog/trees/categories",
    "brands": "GET /v3/catalog/brands",
    "attributes": "GET /v3/customers/attributes",
}
#: Once per sync: the store, its channels, sites, groups and category trees.
SETTING = 5


@dataclass(frozen=True)
class Sync:
    """One run of `tajo sync --json`. `cpu`: seconds of user and system time; `peak`: MiB of memory."""

    account: dict[str, Any]
    cpu: float
    peak: float
    wall: float


@dataclass(frozen=True)
class Shop:
    """Both simulators and a ledger, until the block ends."""

    env: dict[str, str]
    store: str
    account: str

    def sync(self, *words: str) -> Sync:
        """Run it as a process of its own; the operating system counts its time and memory.

        Memory is `VmHWM`, not `ru_maxrss`: across fork and exec Linux hands the peak of this process down
        to the next, and ours holds the bodies of a whole sync when it counts them.
        """
        done = subprocess.run(
            [sys.executable, "-c", _COUNTED, "sync", "--json", *words],
            env=os.environ | self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        account, used = done.stdout.strip().splitlines()
        cpu, peak, wall = (float(word) for word in used.split())
        return Sync(json.loads(account), cpu, peak, wall)

    def counts(self, side: str) -> Counter[str]:
        """Calls per route since the simulator began."""
        url = self.store if side == "store" else self.account
        return Counter(httpx.get(f"{url}/_sandbox/counts", timeout=60).json()["routes"])

    def least_imports(self) -> int:
        """In how few imports the contacts could have gone: the full ones, and one for what is left of a lane.

        The simulator remembers the last bodies only; of those before, the full ones count.
        """
        requests = httpx.get(f"{self.account}/_sandbox/outbox", timeout=60).json()["requests"]
        sizes = [entry["bytes"] for entry in requests if entry["path"].endswith("/contacts/import")]
        bodies = httpx.get(f"{self.account}/_sandbox/bodies", params={"last": 1000}, timeout=120).json()
        lanes = [
            (tuple(entry["body"]["listIds"]), entry["body"].get("emailBlacklist"))
            for entry in bodies["bodies"]
            if entry["path"].endswith("/contacts/import")
        ]
        rest: Counter[tuple[Any, Any]] = Counter()
        for size, lane in zip(reversed(sizes), reversed(lanes), strict=False):
            rest[lane] += size if size < FULL else 0
        full: int = sum(size >= FULL for size in sizes)
        return full + sum(ceil(size / IMPORT) for size in rest.values())

    def call(self, method: str, path: str, body: Any) -> httpx.Response:
        """Change the store, as its own staff would."""
        url = f"{self.store}/stores/{self.env['BC_STORE_HASH']}{path}"
        headers = {"X-Auth-Token": self.env["BC_ACCESS_TOKEN"]}
        return httpx.request(method, url, json=body, headers=headers, timeout=60).raise_for_status()


_COUNTED = """
import re, resource, sys, time
began = time.monotonic()
from tajo.cli import run
code = run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]
print(used.ru_utime + used.ru_stime, int(peak) / 1024, time.monotonic() - began)
sys.exit(0 if code < 2 else code)
"""


@contextmanager
def open_shop(*flags: Any, plan: str = "unlimited", tier: str = "unlimited") -> Iterator[Shop]:
    """A generated store and an empty account."""
    with (
        tempfile.TemporaryDirectory(prefix="tajo-bench-") as folder,
        _served("bigcommerce", *flags, "--plan", plan) as shop,
        _served("brevo", "--tier", tier) as brevo,
    ):
        env = {
            "BC_STORE_HASH": shop["store_hash"],
            "BC_ACCESS_TOKEN": shop["access_token"],
            "BC_CLIENT_SECRET": shop["client_secret"],
            "TAJO_BIGCOMMERCE_API_URL": shop["url"],
            "BREVO_API_KEY": brevo["api_key"],
            "TAJO_BREVO_API_URL": brevo["url"],
            "TAJO_DATABASE_URL": f"sqlite:///{Path(folder) / 'bench.db'}",
        }
        yield Shop(env, shop["url"], brevo["url"].removesuffix("/v3"))


@contextmanager
def _served(kind: str, *flags: Any) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "tajo.sandbox", kind, *map(str, flags)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def least_reads(rows: dict[str, int], calls: Counter[str]) -> int:
    """What paging allows: full pages, plus what no page holds (long orders, long address books, lookups)."""
    listed = sum(max(1, ceil(count / PAGE)) for count in rows.values())
    apart = {
        "GET /v2/orders/{id}/products",
        "GET /v3/customers/addresses",
        "GET /v3/customers/attribute-values",
    }
    return listed + SETTING + sum(calls[route] for route in apart)
