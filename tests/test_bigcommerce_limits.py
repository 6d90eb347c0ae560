"""The pace of a store: all of the quota, none of the 429s, learned from the answers alone."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tajo.bigcommerce.limits import StoreLimits
from tests.virtual_clock import VirtualClock

ROUTE = "GET /v3/customers"


def said(left: int, reset_ms: int, quota: int = 150, window_ms: int = 30_000) -> dict[str, str]:
    return {
        "X-Rate-Limit-Requests-Left": str(left),
        "X-Rate-Limit-Requests-Quota": str(quota),
        "X-Rate-Limit-Time-Reset-Ms": str(reset_ms),
        "X-Rate-Limit-Time-Window-Ms": str(window_ms),
    }


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def limits(clock: VirtualClock) -> StoreLimits:
    return StoreLimits(clock)


async def test_it_goes_freely_while_something_is_left(limits: StoreLimits, clock: VirtualClock) -> None:
    for left in range(149, 0, -1):
        await limits.admit(ROUTE)
        limits.learn(ROUTE, 200, said(left, 20_000))
    assert clock.slept == []
    assert limits.waited == 0


async def test_when_nothing_is_left_it_waits_for_the_refill_and_goes_on(
    limits: StoreLimits, clock: VirtualClock
) -> None:
    start = clock.now()
    await limits.admit(ROUTE)
    limits.learn(ROUTE, 200, said(0, 12_500))
    await limits.admit(ROUTE)
    assert clock.now() - start == pytest.approx(12.5)
    assert limits.waited == pytest.approx(12.5)
    for _ in range(149):  # the new window is whole, even before an answer says so
        await limits.admit(ROUTE)
        limits.learn(ROUTE, 200, {})
    assert len(clock.slept) == 1


async def test_calls_in_flight_are_already_spent(limits: StoreLimits, clock: VirtualClock) -> None:
    await limits.admit(ROUTE)
    limits.learn(ROUTE, 200, said(2, 10_000))
    await limits.admit(ROUTE)
    await limits.admit(ROUTE)
    assert clock.slept == []
    await limits.admit(ROUTE)
    assert clock.slept == [pytest.approx(10)]


async def test_before_the_first_answer_three_calls_may_be_in_flight(
    limits: StoreLimits, clock: VirtualClock
) -> None:
    for _ in range(3):
        await limits.admit(ROUTE)
    assert clock.slept == []
    fourth = asyncio.ensure_future(limits.admit(ROUTE))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not fourth.done()
    limits.learn(ROUTE, 200, said(140, 30_000))
    await fourth


async def test_calls_that_are_never_answered_are_forgotten(limits: StoreLimits, clock: VirtualClock) -> None:
    start = clock.now()
    for _ in range(3):
        await limits.admit(ROUTE)
    await limits.admit(ROUTE)
    assert clock.now() - start == pytest.approx(30, abs=0.1)


async def test_header_names_may_be_written_in_any_case(limits: StoreLimits, clock: VirtualClock) -> None:
    await limits.admit(ROUTE)
    limits.learn(ROUTE, 200, {name.lower(): text for name, text in said(0, 4_000).items()})
    await limits.admit(ROUTE)
    assert clock.slept == [pytest.approx(4)]


async def test_headers_without_sense_are_no_headers(limits: StoreLimits, clock: VirtualClock) -> None:
    await limits.admit(ROUTE)
    assert (
        limits.learn(ROUTE, 200, {"X-Rate-Limit-Requests-Left": "plenty", "X-Rate-Limit-Requests-Quota": ""})
        is None
    )
    await limits.admit(ROUTE)
    assert limits.floor_seconds(1000) == 0


async def test_answers_that_overtake_each_other_never_raise_the_rest(
    limits: StoreLimits, clock: VirtualClock
) -> None:
    await limits.admit(ROUTE)
    await limits.admit(ROUTE)
    limits.learn(ROUTE, 200, said(0, 5_000))
    limits.learn(ROUTE, 200, said(1, 5_010))
    await limits.admit(ROUTE)
    assert clock.slept == [pytest.approx(5)]


async def test_a_429_with_a_time_holds_everyone_until_then(limits: StoreLimits, clock: VirtualClock) -> None:
    await limits.admit(ROUTE)
    limits.learn(ROUTE, 200, said(100, 30_000))
    await limits.admit(ROUTE)
    assert limits.learn(ROUTE, 429, said(0, 7_250)) == pytest.approx(7.25)
    await limits.admit(ROUTE)
    assert clock.slept == [pytest.approx(7.25)]


async def test_a_429_may_tell_its_time_in_seconds(limits: StoreLimits) -> None:
    await limits.admit(ROUTE)
    assert limits.learn(ROUTE, 429, {"X-Retry-After": "9"}) == 9


async def test_a_429_without_a_time_leaves_the_backing_off_to_the_client(
    limits: StoreLimits, clock: VirtualClock
) -> None:
    await limits.admit(ROUTE)
    assert limits.learn(ROUTE, 429, {}) is None
    await limits.admit(ROUTE)
    assert clock.slept == []


@pytest.mark.parametrize(
    ("calls", "seconds"), [(0, 0), (1, 0), (150, 0), (151, 30), (300, 30), (301, 60), (1501, 300)]
)
async def test_the_floor_counts_full_windows(limits: StoreLimits, calls: int, seconds: float) -> None:
    limits.learn(ROUTE, 200, said(149, 30_000))
    assert limits.floor_seconds(calls) == seconds


def test_the_floor_of_an_unknown_quota_is_zero(limits: StoreLimits) -> None:
    assert limits.floor_seconds(10_000) == 0


class Store:
    """A store with fixed windows, counting on its own; another app takes `others` of each 10 calls."""

    def __init__(self, clock: VirtualClock, quota: int, phase: float, others: int = 0) -> None:
        self.clock, self.quota, self.others = clock, quota, others
        self.ends = clock.now() + phase
        self.used = 0
        self.served = 0
        self.refused = 0

    async def call(self, travel: float) -> tuple[int, dict[str, str]]:
        await self.clock.sleep(travel)
        while self.clock.now() >= self.ends:
            self.ends, self.used = self.ends + 30, 0
        self.used += 1 + (self.served % 10 < self.others)
        ok = self.used <= self.quota
        self.served += ok
        self.refused += not ok
        headers = said(
            max(self.quota - self.used, 0), int((self.ends - self.clock.now()) * 1000) + 1, self.quota
        )
        await self.clock.sleep(travel)
        return (200 if ok else 429), headers


async def read_on(limits: StoreLimits, store: Store, clock: VirtualClock, calls: int, travel: float) -> None:
    for _ in range(calls):
        while True:
            await limits.admit(ROUTE)
            status, headers = await store.call(travel)
            wait = limits.learn(ROUTE, status, headers)
            if status == 200:
                break
            await clock.sleep(wait or 1)


@settings(max_examples=25, deadline=None)
@given(
    quota=st.integers(5, 40),
    phase=st.floats(0.5, 30),
    travel=st.floats(0.01, 0.4),
    calls=st.integers(1, 50),
    workers=st.integers(1, 3),
)
def test_alone_on_a_store_it_is_never_refused_and_takes_the_least_time(
    quota: int, phase: float, travel: float, calls: int, workers: int
) -> None:
    async def run() -> None:
        clock = VirtualClock()
        limits, store, start = StoreLimits(clock), Store(clock, quota, phase), clock.now()
        await asyncio.gather(*(read_on(limits, store, clock, calls, travel) for _ in range(workers)))
        assert store.refused == 0
        assert store.served == calls * workers
        # a window that had begun before us, each call's own way, and the floor of the rest
        windows = limits.floor_seconds(store.served) + 30
        assert clock.now() - start <= windows + 2 * travel * (calls + 2) + 1

    asyncio.run(run())


@settings(max_examples=15, deadline=None)
@given(quota=st.integers(10, 30), phase=st.floats(0.5, 30), others=st.integers(1, 9))
def test_beside_other_apps_hardly_a_call_is_refused(quota: int, phase: float, others: int) -> None:
    async def run() -> None:
        clock = VirtualClock()
        limits, store = StoreLimits(clock), Store(clock, quota, phase, others)
        await asyncio.gather(*(read_on(limits, store, clock, 30, 0.1) for _ in range(3)))
        assert store.served == 90
        windows = (store.ends - 1_000_000) / 30 + 1
        assert store.refused <= 3 * windows

    asyncio.run(run())
