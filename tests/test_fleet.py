"""The workers of one server: each connector that is enabled has one, and they all go home together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path

import pytest

from tajo import config
from tajo.fleet import Fleet
from tajo.http import Clock
from tajo.journal import Journal
from tajo.sync.ledger import connections
from tajo.wiring import open_wiring
from tajo.worker import Worker

STORES = "".join(
    f"  {name}: {{type: bigcommerce, store_hash: {name}, access_token: t, enabled: {enabled}}}\n"
    for name, enabled in (("one", "true"), ("two", "true"), ("three", "true"), ("closed", "false"))
)


@asynccontextmanager
async def fleet_in(folder: Path) -> AsyncIterator[Fleet]:
    file = folder / "tajo.yaml"
    file.write_text(
        f"brevo: {{api_key: k}}\ndatabase_url: 'sqlite:///{folder}/tajo.db'\nconnectors:\n{STORES}"
    )
    async with open_wiring(config.load(file, {}), {}) as wiring:
        yield Fleet(wiring, Journal(lambda _: None, wiring.now), Clock())


async def test_when_it_ends_the_workers_go_home_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, leaving = [], asyncio.Barrier(3)

    async def run(worker: Worker) -> None:
        began.append(worker.name)
        try:
            await asyncio.Event().wait()
        finally:  # nobody is through until everybody is on the way out
            await leaving.wait()

    monkeypatch.setattr(Worker, "run", run)
    async with fleet_in(tmp_path) as fleet:
        async with fleet.at_work():
            assert fleet.names == ["one", "two", "three"]
            await asyncio.sleep(0)
            assert began == fleet.names
        assert fleet.names == []
        assert fleet.doors == {}


async def test_a_store_whose_connector_is_not_enabled_may_call_all_the_same(tmp_path: Path) -> None:
    async with fleet_in(tmp_path) as fleet, fleet.at_work():
        assert fleet.doors.keys() == {"one", "two", "three", "closed"}
        fleet.wake("closed")  # what it heard waits until somebody follows it
        assert "closed" not in fleet


async def test_a_store_that_another_process_connects_is_followed_until_it_is_disconnected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "run", lambda _: asyncio.sleep(inf))
    file = tmp_path / "tajo.yaml"
    async with fleet_in(tmp_path) as fleet, fleet.at_work(), open_wiring(config.load(file, {}), {}) as other:
        kept = {"store_hash": "fourth", "access_token": "t"}
        async with other.ledger.begin() as tx:
            await connections.put(tx, other.ledger.secret, "four", kept, 0.0)
            await connections.put(tx, other.ledger.secret, "one", kept, 0.0)  # the configuration's stays so
        for _ in range(2):
            await fleet.meet_connections()
            assert fleet.names == ["one", "two", "three", "four"]
            assert fleet.doors["one"].trust.producer == "stores/one"
            assert fleet.doors["four"].trust.producer == "stores/fourth"
        async with other.ledger.begin() as tx:
            await connections.remove(tx, "four")
        await fleet.meet_connections()
        assert fleet.names == ["one", "two", "three"]
        assert "four" not in fleet.doors
