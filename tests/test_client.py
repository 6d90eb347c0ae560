"""Webhooks that somebody receives in an application of their own end in the same notices."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tajo.client import TajoClient
from tajo.errors import Usage

CONFIG = """
brevo: {api_key: xkeysib-1}
connectors:
  bigcommerce: {store_hash: abc123, access_token: t}
database_url: sqlite:///DATABASE
"""


@pytest.fixture
def client(tmp_path: Path) -> TajoClient:
    path = tmp_path / "tajo.yaml"
    path.write_text(CONFIG.replace("DATABASE", str(tmp_path / "t.db")))
    return TajoClient(config_file=path)


def due(tmp_path: Path) -> list[tuple[str, int]]:
    with sqlite3.connect(tmp_path / "t.db") as database:
        return database.execute("SELECT resource, id FROM due ORDER BY id").fetchall()


@pytest.mark.parametrize("whole", [True, False])
def test_a_webhook_handed_over_is_noted(client: TajoClient, tmp_path: Path, whole: bool) -> None:
    data = {"type": "order", "id": 250}
    body: dict[str, Any] = {"scope": "store/order/created", "producer": "stores/abc123", "data": data}
    payload = json.loads(json.dumps(body)) if whole else data
    client.connectors.handle_webhook("bigcommerce", topic="store/order/created", payload=payload)
    client.connectors.handle_webhook("bigcommerce", topic="store/order/created", payload=payload)
    assert due(tmp_path) == [("orders", 250)]
    assert client.connectors.status("bigcommerce")["queued_count"] == 1


def test_what_is_none_is_told(client: TajoClient, tmp_path: Path) -> None:
    with pytest.raises(Usage, match="no connector `shop`"):
        client.connectors.handle_webhook("shop", topic="store/order/created", payload={"id": 1})
    assert due(tmp_path) == []
