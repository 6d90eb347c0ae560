"""`tajo demo`: an invented store goes into an invented account, on this machine alone.

The only product code that knows the simulators: it starts them as processes of their own and then does
what a merchant would do, over HTTP.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from rich.console import Console
from rich.table import Table

from tajo import config
from tajo.app import open_tajo
from tajo.cli import tell
from tajo.cli.progress import watching
from tajo.errors import Mend

CUSTOMERS, ORDERS, PRODUCTS = 3000, 5000, 150


async def play(seed: int) -> int:
    """Sync, then show what came of it; returns the exit code."""
    console = Console()
    store = ["--customers", CUSTOMERS, "--orders", ORDERS, "--products", PRODUCTS, "--seed", seed]
    with tempfile.TemporaryDirectory(prefix="tajo-demo-") as folder:
        async with _served("bigcommerce", store) as shop, _served("brevo", []) as brevo:
            console.print(
                "An invented store with two storefronts, guests, refunds and consents, in a simulated\n"
                "BigCommerce (Standard plan), goes into an empty simulated Brevo account (General limits).\n"
            )
            env = _environment(shop, brevo, Path(folder))
            async with open_tajo(config.load(None, env), env) as tajo:
                with watching(quiet=False) as watch:
                    account = await tajo.sync("bigcommerce", watch=watch)
                tell.account("What was read and written", account, [], dry_run=False)
                parked = await tajo.failures("bigcommerce")
            reasons = sorted({entry.reason for entry in parked})
            if reasons:
                console.print("Dirt in the store, kept with its reason: " + "; ".join(reasons))
            await _show_samples(console, shop, brevo)
    console.print("\nYour own store, in three steps: README.md")
    return 0


@asynccontextmanager
async def _served(kind: str, flags: list[Any]) -> AsyncIterator[dict[str, Any]]:
    """One simulator as a process; what it announces."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tajo.sandbox", kind, *map(str, flags), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        line = await process.stdout.readline()
        if not line:
            raise Mend(f"the simulated {kind} did not start", "see what it said above.")
        yield msgspec.json.decode(line)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _environment(shop: Mapping[str, Any], brevo: Mapping[str, Any], folder: Path) -> dict[str, str]:
    return {
        "BC_STORE_HASH": shop["store_hash"],
        "BC_ACCESS_TOKEN": shop["access_token"],
        "BC_CLIENT_ID": shop["client_id"],
        "TAJO_BIGCOMMERCE_API_URL": shop["url"],
        "BREVO_API_KEY": brevo["api_key"],
        "TAJO_BREVO_API_URL": brevo["url"],
        "TAJO_DATABASE_URL": f"sqlite:///{folder}/demo.db",
    }


async def _show_samples(console: Console, shop: Mapping[str, Any], brevo: Mapping[str, Any]) -> None:
    """Three people, before in the store and after in Brevo."""
    async with httpx.AsyncClient(timeout=30) as client:
        held = (await client.get(brevo["url"].removesuffix("/v3") + "/_sandbox/contacts")).text
        contacts = [msgspec.json.decode(line) for line in held.splitlines()]
        for title, contact in _samples(contacts).items():
            before = await _in_the_store(client, shop, contact["email"])
            console.print(f"\n[bold]{title}[/bold]")
            table = Table(box=None, padding=(0, 3))
            table.add_column("in BigCommerce", style="dim")
            table.add_column("in Brevo")
            table.add_row(before, _in_brevo(contact))
            console.print(table)


def _samples(contacts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Somebody who agreed and buys often, a guest, somebody who did not agree; whom the store has."""
    fits: dict[str, Callable[[int, bool, bool], bool]] = {
        "A customer who agreed to the newsletter": lambda orders, account, blocked: (
            orders > 2 and account and not blocked
        ),
        "A guest: in no customer list of BigCommerce, found in the orders": lambda orders, account, _: (
            orders > 1 and not account
        ),
        "A customer who did not agree: in Brevo, but blocklisted for e-mail": lambda _, account, blocked: (
            account and blocked
        ),
    }
    found: dict[str, dict[str, Any]] = {}
    for title, fit in fits.items():
        for contact in contacts:
            attributes = contact["attributes"]
            orders, account = attributes.get("ORDER_COUNT", 0), "SIGNUP_DATE" in attributes
            if fit(orders, account, contact["emailBlacklisted"]):
                found[title] = contact
                break
    return found


async def _in_the_store(client: httpx.AsyncClient, shop: Mapping[str, Any], email: str) -> str:
    """What the store says of somebody: the account, and the orders."""
    base, headers = f"{shop['url']}/stores/{shop['store_hash']}", {"X-Auth-Token": shop["access_token"]}
    found = await client.get(f"{base}/v3/customers", params={"email:in": email}, headers=headers)
    lines = [
        f"account {row['id']}: {row['first_name']} {row['last_name']}, phone {row['phone'] or '-'}"
        for row in found.json()["data"]
    ]
    answer = await client.get(f"{base}/v2/orders", params={"email": email, "limit": 50}, headers=headers)
    orders = answer.json() if answer.content else []
    lines += [
        f"order {row['id']}: {row['total_inc_tax']} {row['default_currency_code']}, {row['status']}"
        for row in orders[:6]
    ]
    return "\n".join([email, *lines, *(["..."] if len(orders) > 6 else [])])


def _in_brevo(contact: dict[str, Any]) -> str:
    attributes = [f"{name}: {value}" for name, value in contact["attributes"].items()]
    blocked = "e-mail blocklisted" if contact["emailBlacklisted"] else "may be mailed"
    return "\n".join([contact["email"], *attributes, f"lists {contact['listIds']}, {blocked}"])
