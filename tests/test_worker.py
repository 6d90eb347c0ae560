"""The clock of a connector: when it sweeps, and how it notices that the webhooks are silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.errors import Busy, Later, Mend
from tajo.http import Clock
from tajo.sync.model import Resource
from tajo.worker import QUIET, Worker, last_at, unheard

R = Resource
ORDERS = "store/order/updated"


class TestSilence:
    def test_a_change_that_a_webhook_told_is_no_silence(self) -> None:
        assert unheard({R.ORDERS: 1000.0}, {ORDERS: 1000.0}, {}, 9999.0) == []

    def test_a_newer_change_that_none_told_is(self) -> None:
        assert unheard({R.ORDERS: 2000.0}, {ORDERS: 1000.0}, {}, 9999.0) == [R.ORDERS]

    def test_but_not_before_its_webhook_has_had_time_to_come(self) -> None:
        assert unheard({R.ORDERS: 2000.0}, {ORDERS: 1000.0}, {}, 2000.0 + QUIET) == []

    def test_what_a_sweep_has_found_needs_no_webhook_any_more(self) -> None:
        assert unheard({R.ORDERS: 2000.0}, {ORDERS: 1000.0}, {R.ORDERS: 2000.0}, 9999.0) == []

    def test_a_webhook_about_something_else_proves_nothing(self) -> None:
        assert unheard({R.ORDERS: 2000.0}, {"store/customer/created": 2000.0}, {}, 9999.0) == [R.ORDERS]


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.times())
def test_the_last_moment_at_a_time_of_day_is_within_a_day(now: datetime, wanted: time) -> None:
    now, wanted = now.replace(tzinfo=UTC), wanted.replace(tzinfo=None)
    last = last_at(now, wanted)
    assert last.time() == wanted
    assert 0 <= (now - last).total_seconds() < 86400


class Watch(Clock):
    """Notes how long it is slept, and ends the third sleep."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == 3:
            raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("error", "seconds", "words"),
    [
        (Mend("the token was withdrawn", "make another."), 300.0, "token was withdrawn"),
        (Busy("another process is working", "wait."), 10.0, "another process"),
        (Later("BigCommerce is away", seconds=42.0), 42.0, "BigCommerce is away"),
        (ValueError("ann@example.com"), 30.0, "ValueError"),
        (ExceptionGroup("", [Later("no"), ExceptionGroup("", [Mend("yes")])]), 300.0, "yes"),
    ],
)
async def test_whatever_stops_a_connector_is_said_and_tried_again(
    error: Exception, seconds: float, words: str
) -> None:
    class Broken:
        settings = type("S", (), {"connectors": {"shop": None}})

        @asynccontextmanager
        async def attend(self, *_: Any) -> AsyncIterator[None]:
            raise error
            yield

    said: list[str] = []

    def say(words: str, *, level: str = "info") -> None:
        said.append(f"{level}: {words}")

    clock = Watch()
    with pytest.raises(asyncio.CancelledError):
        await Worker(Broken(), "shop", clock, say).run()  # type: ignore[arg-type]
    assert clock.slept == [seconds] * 3
    assert all(words in line and "example.com" not in line for line in said)


async def test_whoever_asks_for_a_sync_while_one_is_under_way_is_told_so_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = asyncio.Event()

    class Slow:
        async def sync(self, **_: Any) -> str:
            await over.wait()
            return "all of it"

    class Open:
        settings = type("S", (), {"connectors": {"shop": None}})

        @asynccontextmanager
        async def attend(self, *_: Any) -> AsyncIterator[Any]:
            yield SimpleNamespace(connector=Slow())

    async def at_work(_self: Worker, _line: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Worker, "_work", at_work)
    worker = Worker(Open(), "shop", Clock(), lambda *_, **__: None)  # type: ignore[arg-type]
    wish: dict[str, Any] = {"full": True, "resources": None, "believe_losses": False, "watch": None}
    async with asyncio.TaskGroup() as group:
        running = group.create_task(worker.run())
        await asyncio.sleep(0)
        first = group.create_task(worker.sync(**wish))
        await asyncio.sleep(0)
        with pytest.raises(Busy, match="under way"):
            await worker.sync(**wish)
        with pytest.raises(Busy, match="under way"):
            await worker.replay([], watch=None)
        over.set()
        assert await first == "all of it"  # type: ignore[comparison-overlap]
        assert await worker.sync(**wish) == "all of it"  # type: ignore[comparison-overlap]
        running.cancel()


async def test_what_keeps_a_connector_from_telling_is_known_while_it_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Away:
        async def send_due(self) -> None:
            raise Later("nobody answers at the store", seconds=42.0)

    class Open:
        settings = type("S", (), {"connectors": {"shop": None}})

        @asynccontextmanager
        async def attend(self, *_: Any) -> AsyncIterator[Any]:
            yield SimpleNamespace(connector=Away(), account=SimpleNamespace(resources={}), apis=(None, None))

    said: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr(Worker, "_work", Worker._follow)
    worker = Worker(Open(), "shop", Clock(), lambda words, **_: said.put_nowait(words))  # type: ignore[arg-type]
    running = asyncio.create_task(worker.run())
    assert "not now" in await said.get()
    assert worker.standing.hindered == "nobody answers at the store"
    running.cancel()
