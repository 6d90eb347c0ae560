"""When a call to Brevo may go: the table, what the headers teach, and both limits filled to the brim."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.brevo.limits import UNLIMITED, AccountLimits

from .brevo_account import FastClock, Meter

BATCH, ORDER, PRODUCT, CONTACT = (
    "POST /orders/status/batch",
    "POST /orders/status",
    "POST /products",
    "POST /contacts",
)


def headers(limit: int, remaining: int, reset: int) -> dict[str, str]:
    return {
        "x-sib-ratelimit-limit": str(limit),
        "x-sib-ratelimit-remaining": str(remaining),
        "x-sib-ratelimit-reset": str(reset),
    }


def fresh(tier: str = "general") -> tuple[AccountLimits, FastClock]:
    clock = FastClock()
    return AccountLimits(tier, clock=clock), clock


async def go(limits: AccountLimits, route: str, times: int) -> None:
    for _ in range(times):
        await limits.admit(route)


@pytest.mark.parametrize(
    ("route", "burst"),
    [
        (CONTACT, 10),
        ("POST /contacts/import", 10),
        ("GET /contacts/attributes", 10),
        ("POST /events", 10),
        (ORDER, 5),
        (PRODUCT, 2),
        (BATCH, 100),
        ("POST /products/batch", 100),
        ("GET /processes/{id}", 100),
        ("GET /account", 100),
    ],
)
def test_before_any_answer_the_table_of_the_general_plan_holds(route: str, burst: int) -> None:
    limits, _ = fresh()
    assert limits.headroom(route) == burst
    assert limits.wait(route) == 0


async def test_unlisted_routes_share_one_bucket_of_a_hundred_an_hour() -> None:
    limits, clock = fresh()
    await go(limits, BATCH, 60)
    await go(limits, "GET /account", 40)
    assert limits.headroom("POST /products/batch") == 0
    started = clock.now()
    await limits.admit("POST /products/batch")
    assert 3600 <= clock.now() - started <= 3602


@pytest.mark.parametrize(("route", "rps"), [(CONTACT, 10), (ORDER, 5), (PRODUCT, 2)])
async def test_a_row_goes_at_its_rate_and_no_window_of_a_second_holds_more(route: str, rps: int) -> None:
    limits, clock = fresh()
    started, times = clock.now(), []
    for _ in range(rps * 20 + 1):
        await limits.admit(route)
        times.append(clock.now())
    assert all(later - earlier >= 1.0 for earlier, later in zip(times, times[rps:], strict=False))
    floor = limits.floor_seconds({route: len(times)})
    assert floor == 20
    assert floor <= times[-1] - started <= floor * 1.05


async def test_an_hour_at_full_speed_is_kept_in_few_grains() -> None:
    limits, _ = fresh("extended")
    await go(limits, PRODUCT, 21_600)
    assert limits.headroom(PRODUCT) == 0
    assert limits.wait(PRODUCT) > 3599


async def test_waiters_are_served_in_their_order_and_the_wait_is_told() -> None:
    limits, _ = fresh()
    served: list[int] = []

    async def one(number: int) -> None:
        await limits.admit(PRODUCT)
        served.append(number)

    await asyncio.gather(*(one(n) for n in range(6)))
    assert served == list(range(6))
    assert 2.0 <= limits.waited <= 2.2


async def test_an_account_without_limit_headers_is_not_slowed_down() -> None:
    limits, clock = fresh()
    started = clock.now()
    for route in (PRODUCT, BATCH):
        for _ in range(500):
            await limits.admit(route)
            limits.learn(route, 201, {})
    assert clock.now() == started
    assert limits.headroom(BATCH) == UNLIMITED
    assert limits.floor_seconds({PRODUCT: 500, BATCH: 500}) == 0


async def test_a_huge_learned_limit_does_not_slow_down_either() -> None:
    limits, clock = fresh()
    started = clock.now()
    for n in range(1000):
        await limits.admit(CONTACT)
        limits.learn(CONTACT, 204, headers(10_000_000, 10_000_000 - n, 3600))
    assert clock.now() == started


async def test_a_429_without_any_header_brings_the_table_back() -> None:
    limits, _ = fresh()
    await limits.admit(PRODUCT)
    limits.learn(PRODUCT, 204, {})
    assert limits.learn(PRODUCT, 429, {}) is None
    assert limits.headroom(PRODUCT) <= 2


async def test_a_failure_without_headers_frees_nothing() -> None:
    limits, _ = fresh()
    await limits.admit(BATCH)
    limits.learn(BATCH, 502, {})
    assert limits.headroom(BATCH) == 99


@pytest.mark.parametrize(
    ("told", "seconds"), [(1, 1), (1800, 1800), (3600, 3600), (90_000, 90), (10_000_000, 3600)]
)
async def test_a_429_closes_the_bucket_until_the_reset(told: int, seconds: int) -> None:
    """Seconds as documented; what is more than an hour can only be milliseconds."""
    limits, clock = fresh()
    await limits.admit(BATCH)
    assert limits.learn(BATCH, 429, headers(100, 0, told)) == seconds
    assert limits.headroom("GET /account") == 0
    assert limits.wait("GET /account") >= seconds
    started = clock.now()
    await limits.admit("GET /account")
    assert seconds <= clock.now() - started <= seconds + 1.1


async def test_a_second_is_over_after_a_second_whatever_the_reset_says() -> None:
    limits, _ = fresh()
    await limits.admit(CONTACT)
    assert limits.learn(CONTACT, 429, headers(10, 0, 900)) == 1


async def test_the_plan_shows_in_the_first_answer() -> None:
    limits, _ = fresh()
    await limits.admit(BATCH)
    limits.learn(BATCH, 202, headers(600, 599, 3600))
    assert limits.headroom(BATCH) == 599
    await limits.admit(CONTACT)
    limits.learn(CONTACT, 204, headers(20, 19, 1))
    assert limits.headroom(CONTACT) == 19
    assert limits.floor_seconds({CONTACT: 41}) == 2


async def test_a_limit_that_no_plan_knows_replaces_the_table() -> None:
    limits, _ = fresh()
    await limits.admit(ORDER)
    limits.learn(ORDER, 204, headers(50, 49, 1))
    assert limits.headroom(ORDER) == 49


async def test_a_route_that_turns_out_to_count_by_the_second_leaves_the_shared_hundred() -> None:
    limits, _ = fresh()
    await limits.admit(BATCH)
    limits.learn(BATCH, 202, headers(10, 9, 1))
    assert limits.wait(BATCH) == 0
    assert limits.floor_seconds({BATCH: 101}) == 10
    assert limits.headroom("GET /account") == 99


async def test_calls_of_other_programs_are_believed_and_given_back_at_the_reset() -> None:
    limits, clock = fresh()
    await limits.admit(BATCH)
    limits.learn(BATCH, 202, headers(100, 10, 600))
    assert limits.headroom(BATCH) == 10
    await clock.sleep(602)
    assert limits.headroom(BATCH) == 100


async def test_when_the_headers_say_that_more_is_left_more_goes() -> None:
    limits, _ = fresh()
    await go(limits, BATCH, 50)
    for _ in range(49):
        limits.learn(BATCH, 202, {})
    limits.learn(BATCH, 202, headers(100, 99, 3600))
    assert limits.headroom(BATCH) == 99


@given(
    answers=st.lists(
        st.tuples(
            st.sampled_from([200, 204, 400, 429, 502]),
            st.sampled_from(["", "0", "2", "10", "100", "7200", "36000", "1000000", "many"]),
            st.sampled_from(["", "0", "3", "99", "2000000"]),
            st.sampled_from(["", "0", "1", "60", "3600", "90000", "-5", "1.5"]),
        ),
        max_size=20,
    ),
    route=st.sampled_from([CONTACT, ORDER, PRODUCT, BATCH]),
)
def test_whatever_the_headers_say_the_next_call_goes_within_an_hour(
    answers: list[tuple[int, str, str, str]], route: str
) -> None:
    async def storm() -> None:
        limits, clock = fresh()
        for status, limit, remaining, reset in answers:
            started = clock.now()
            await limits.admit(route)
            assert clock.now() - started <= 3602
            told = {"limit": limit, "remaining": remaining, "reset": reset}
            limits.learn(route, status, {f"x-sib-ratelimit-{k}": v for k, v in told.items() if v})
            assert (limits.headroom(route) > 0) == (limits.wait(route) == 0)

    asyncio.run(storm())


@given(
    rate=st.sampled_from([(2, 1.0, PRODUCT), (5, 1.0, ORDER), (10, 1.0, CONTACT), (100, 3600.0, BATCH)]),
    gaps=st.lists(st.floats(0, 0.6), min_size=1, max_size=120),
    talks=st.booleans(),
    foreign=st.integers(0, 3),
)
def test_no_storm_of_calls_ever_meets_a_429(
    rate: tuple[int, float, str], gaps: list[float], talks: bool, foreign: int
) -> None:
    """Against the strictest meter, whether it tells its limits or not, and with others on the account."""
    limit, seconds, route = rate

    async def storm() -> None:
        limits, clock = fresh()
        meter = Meter(limit, seconds)
        if seconds > 1 and talks:
            for _ in range(foreign):
                meter.take(clock.now())
        for gap in gaps:
            await clock.sleep(gap)
            await limits.admit(route)
            told = meter.take(clock.now())
            assert told is not None
            limits.learn(route, 200, told if talks else {"x-sib-ratelimit-limit": str(limit)})

    asyncio.run(storm())
