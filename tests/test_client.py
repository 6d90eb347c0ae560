"""The SDK within a program: what it asks ends in the same verbs, and says what is wrong in the same words."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tajo.client import AsyncTajoClient, TajoClient
from tajo.errors import Later, Mend, Unknown, Usage

CONFIG = """
brevo: {api_key: xkeysib-1}
connectors:
  bigcommerce: {store_hash: abc123, access_token: t}
database_url: sqlite:///DATABASE
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tajo.yaml"
    path.write_text(CONFIG.replace("DATABASE", str(tmp_path / "t.db")))
    return path


@pytest.fixture
def client(file: Path) -> Iterator[TajoClient]:
    with TajoClient(config_file=file) as client:
        yield client


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
    assert client.connectors.status("bigcommerce").queued_count == 1


def test_what_is_none_is_told(client: TajoClient, tmp_path: Path) -> None:
    with pytest.raises(Unknown, match="no connector `shop`"):
        client.connectors.handle_webhook("shop", topic="store/order/created", payload={"id": 1})
    with pytest.raises(Usage, match="no webhook of BigCommerce"):
        client.connectors.handle_webhook("bigcommerce", topic="store/order/created", payload={"data": 7})
    assert due(tmp_path) == []


def park(tmp_path: Path, *orders: int) -> None:
    with sqlite3.connect(tmp_path / "t.db") as database:
        database.executemany(
            "INSERT INTO parked (connector, resource, id, reason, since, last, attempts) "
            "VALUES ('bigcommerce', 'orders', ?, 'no e-mail', 1, 1, 1)",
            [(number,) for number in orders],
        )


def test_a_failure_that_was_dismissed_is_listed_beside_those_that_wait(
    client: TajoClient, tmp_path: Path
) -> None:
    assert client.connectors.failures("bigcommerce").failures == []
    park(tmp_path, 1, 2, 3)
    left = client.connectors.dismiss("bigcommerce", ["orders/1", "orders/3"])
    assert (left.failures_count, left.dismissed_count) == (1, 2)
    listed = client.connectors.failures("bigcommerce")
    assert ([one.key for one in listed.failures], listed.dismissed_count) == (["orders/2"], 2)
    assert listed.failures[0].dismissed_at is None
    seen = client.connectors.failures("bigcommerce", dismissed=True).failures
    assert [one.key for one in seen] == ["orders/1", "orders/3"]
    assert all(one.dismissed_at for one in seen)
    with pytest.raises(Unknown, match="not among the failures: orders/4"):
        client.connectors.dismiss("bigcommerce", ["orders/4"])
    with pytest.raises(Usage, match="no failure is named"):
        client.connectors.dismiss("bigcommerce", [])


async def test_dismissing_can_be_awaited(file: Path, tmp_path: Path) -> None:
    async with AsyncTajoClient(config_file=file) as client:
        await client.connectors.list()
        park(tmp_path, 1)
        assert (await client.connectors.dismiss("bigcommerce", ["orders/1"])).dismissed_count == 1


async def test_the_same_can_be_awaited(file: Path) -> None:
    async with AsyncTajoClient(config_file=file) as client:
        (one,) = (await client.connectors.list()).connectors
    assert (one.connector, one.connected, one.last_sync) == ("bigcommerce", False, None)


def test_it_goes_on_after_it_was_closed_and_opened_again(file: Path) -> None:
    for _ in range(2):
        with TajoClient(config_file=file) as client:
            assert client.runs().runs == []
        client.close()


def test_a_wrong_configuration_is_told_when_something_is_asked(tmp_path: Path) -> None:
    (tmp_path / "tajo.yaml").write_text("brevo: {}\nnonsense: 1\n")
    with TajoClient(config_file=tmp_path / "tajo.yaml") as client, pytest.raises(Usage, match="nonsense"):
        client.connectors.list()


def test_a_server_that_is_not_there_is_worth_another_try() -> None:
    client = TajoClient(api_key="k", base_url="http://127.0.0.1:9")
    with client, pytest.raises(Later, match="cannot be reached"):
        client.connectors.list()


def test_a_store_that_cannot_be_seen_is_not_connected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAJO_BIGCOMMERCE_API_URL", "http://127.0.0.1:9")
    with TajoClient(brevo_api_key="xkeysib-1") as client:
        with pytest.raises(Usage, match="store_hash"):
            client.connectors.connect("bigcommerce", store_hash="a b", access_token="t")
        with pytest.raises(Mend, match="cannot be reached"):
            client.connectors.connect("bigcommerce", store_hash="abc123", access_token="t")
        assert client.connectors.list().connectors == []
