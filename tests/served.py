"""Simulators as processes of their own, and the environment in which Tajo finds them."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing here is encrypted, and reading the machine's certificates takes 20 ms each time."""

ONLINE_RETAIL = Path(__file__).parents[2] / "shared/data/online-retail-2011h1"


@contextmanager
def served(kind: str, *flags: str) -> Iterator[dict[str, Any]]:
    """Start `tajo simulate <kind>`; what it announces, until the block ends."""
    command = [sys.executable, "-m", f"tajo.sandbox.{kind}", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def both(store: tuple[str, ...], account: tuple[str, ...], database_url: str) -> Iterator[dict[str, str]]:
    """Both simulators; yields the environment for `tajo`."""
    with served("bigcommerce", *store) as shop, served("brevo", *account) as brevo:
        yield environment(shop, brevo, database_url)


def environment(shop: dict[str, Any], brevo: dict[str, Any], database_url: str) -> dict[str, str]:
    """What `tajo` reads instead of a file."""
    return {
        "BC_STORE_HASH": shop["store_hash"],
        "BC_ACCESS_TOKEN": shop["access_token"],
        "BC_CLIENT_ID": shop["client_id"],
        "TAJO_BIGCOMMERCE_API_URL": shop["url"],
        "BREVO_API_KEY": brevo["api_key"],
        "TAJO_BREVO_API_URL": brevo["url"],
        "TAJO_DATABASE_URL": database_url,
        "TAJO_SECRET_KEY": "a secret for tests, and for nothing else",
    }


def control(env: dict[str, str], side: str, path: str, body: Any = None) -> httpx.Response:
    """Ask a simulator's control surface, e.g. `control(env, "brevo", "contacts")`; a `body` is posted."""
    url = httpx.URL(env[f"TAJO_{side.upper()}_API_URL"]).copy_with(raw_path=f"/_sandbox/{path}".encode())
    method = "GET" if body is None else "POST"
    return httpx.request(method, url, json=body, timeout=60, verify=PLAIN).raise_for_status()


def holdings(env: dict[str, str]) -> dict[str, list[str]]:
    """All that the simulated Brevo holds, in an order that two runs share."""
    kinds = ("contacts", "orders", "products", "categories")
    return {kind: control(env, "brevo", kind).text.splitlines() for kind in kinds}
