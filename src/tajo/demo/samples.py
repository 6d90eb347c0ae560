"""Three people, before in the store and after in Brevo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx
import msgspec
from rich.console import Console
from rich.table import Table


async def show_samples(console: Console, shop: Mapping[str, Any], brevo: Mapping[str, Any]) -> None:
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
