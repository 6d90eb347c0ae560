"""Discount codes: the checkout takes each for as long as it was promised, whatever happened on the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo.bigcommerce import Api, BigCommerceSource
from tajo.bigcommerce.promotions import offer
from tajo.errors import Later, Mend
from tajo.http import Patience
from tests.virtual_clock import VirtualClock

HOUR, DAY = 3600, 86400
MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp()
NAME = "Tajo 10 % until 2026-03-03"  # of 10 %, promised for 24 hours in the morning


class Killed(BaseException):
    """What a kill -9 looks like from inside."""


@dataclass
class Store:
    """Promotions as their specification has them; a code exists once in the whole store.

    `refusal`: the status for a code that exists, or that it `refuses` in any case. `heeds`: how the filter of
    names works. `fate`: what becomes of a call; it may die before or after. `may`: the token may do so.
    """

    clock: VirtualClock = field(default_factory=lambda: VirtualClock(MORNING))
    promotions: dict[int, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refusal: int = 409
    refuses: str = ""
    heeds: Callable[[str, str], bool] = lambda asked, name: asked == name
    fate: Callable[[str], None] = lambda _moment: None
    may: bool = True
    made: int = 0

    def __post_init__(self) -> None:
        self.source = self.process()

    def process(self) -> BigCommerceSource:
        """One that has just started, and remembers nothing."""
        transport, patience = httpx.MockTransport(self.answer), Patience(attempts=1)
        return BigCommerceSource(
            Api("abc123", "t0ken", clock=self.clock, patience=patience, transport=transport)
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/stores/abc123/v3")
        self.asked.append(f"{request.method} {path}")
        self.fate("before")
        body = json.loads(request.content) if request.content else {}
        found = self._done(request.method, path.split("/")[1:], body, request.url.params)
        self.fate("after")
        return found

    def _done(self, method: str, path: list[str], body: dict[str, Any], query: Any) -> httpx.Response:
        if not self.may:
            return httpx.Response(403, json={"status": 403, "title": "You don't have a required scope"})
        match method, path:
            case "GET", ["promotions"]:
                rows = [one for one in self.promotions.values() if self.heeds(query["name"], one["name"])]
                return _page(rows, int(query.get("page", 1)))
            case "POST", ["promotions"]:
                self.made += 1  # no id comes twice
                self.promotions[self.made] = {"end_date": None, **body, "id": self.made}
                return httpx.Response(201, json={"data": self.promotions[self.made], "meta": {}})
            case "DELETE", ["promotions", "codes"]:
                self.codes.pop(query["code"], None)
                return httpx.Response(204)
            case "POST", ["promotions", number, "codes"] if int(number) in self.promotions:
                if body["code"] in (self.refuses, *self.codes):
                    return httpx.Response(self.refusal, json={"errors": [{"status": 422, "title": "taken"}]})
                self.codes[body["code"]] = int(number), body
                return httpx.Response(201, json={"data": {"id": 1, **body}, "meta": {}})
            case "GET", ["promotions", number, "codes"] if int(number) in self.promotions:
                there = self.codes.get(query["code"], (0, {}))
                return _page([{"id": 1, **there[1]}] if there[0] == int(number) else [])
        return httpx.Response(404)

    def delete(self) -> None:
        """Somebody deletes all promotions, and their codes with them."""
        self.promotions.clear()
        self.codes.clear()

    def gives(self, code: str) -> tuple[int, float]:
        """The percent of a code, and the moment until which the checkout takes it; 0: without end."""
        promotion = self.promotions[self.codes[code][0]]
        [rule] = promotion["rules"]
        assert promotion["status"] == "ENABLED"
        percent = int(rule["action"]["cart_value"]["discount"]["percentage_amount"])
        end = promotion["end_date"]
        return percent, datetime.fromisoformat(end).timestamp() if end else 0


def _page(rows: list[Any], number: int = 1, size: int = 2) -> httpx.Response:
    pagination = {"total": len(rows), "total_pages": -(-len(rows) // size)}
    found = rows[(number - 1) * size : number * size]
    return httpx.Response(200, json={"data": found, "meta": {"pagination": pagination}})


async def test_a_code_takes_its_percent_off_the_whole_cart_once_and_in_every_currency() -> None:
    store = Store()
    await store.source.discount(10, DAY, "A1")
    [promotion] = store.promotions.values()
    assert promotion == {
        "id": 1,
        "name": NAME,
        "display_name": "10 %",
        "redemption_type": "COUPON",
        "coupon_type": "BULK",
        "currency_code": "*",
        "can_be_used_with_other_promotions": True,
        "status": "ENABLED",
        "rules": [{"action": {"cart_value": {"discount": {"percentage_amount": "10"}}}}],
        "end_date": "2026-03-03T23:59:59+00:00",
    }
    assert store.codes == {"A1": (1, {"code": "A1", "max_uses": 1})}


async def test_a_discount_without_expiry_has_no_end() -> None:
    store = Store()
    await store.source.discount(15, 0, "A1")
    assert (store.promotions[1]["name"], store.gives("A1")) == ("Tajo 15 %", (15, 0))


async def test_codes_that_promise_the_same_share_a_promotion_and_take_a_call_each() -> None:
    store = Store()
    await asyncio.gather(*(store.source.discount(10, DAY, f"C{number}") for number in range(20)))
    assert [one["name"] for one in store.promotions.values()] == [NAME]
    assert len(store.codes) == 20
    assert len(store.asked) == 22


async def test_another_process_uses_the_promotion_that_is_there() -> None:
    store = Store()
    await store.source.discount(10, DAY, "A1")
    await store.process().discount(10, DAY, "B2")
    assert len(store.promotions) == 1
    assert set(store.codes) == {"A1", "B2"}


@pytest.mark.parametrize("heeds", [str.__eq__, lambda asked, name: asked in name, lambda *_: True])
async def test_a_promotion_is_found_among_others_however_names_are_searched(
    heeds: Callable[[str, str], bool],
) -> None:
    store = Store(heeds=heeds)
    for percent, seconds in ((10, DAY), (10, 9 * DAY), (15, DAY), (10, 0), (10, 3 * DAY)):
        await store.source.discount(percent, seconds, f"A{percent}-{seconds}")
    before = dict(store.promotions)
    await store.process().discount(10, 0, "B2")
    assert store.promotions == before
    assert store.gives("B2") == (10, 0)


async def test_a_promotion_that_was_deleted_is_made_anew_at_once() -> None:
    store = Store()
    await store.source.discount(10, DAY, "A1")
    store.delete()
    await store.source.discount(10, DAY, "B2")
    assert [one["name"] for one in store.promotions.values()] == [NAME]
    assert set(store.codes) == {"B2"}


@pytest.mark.parametrize("refusal", [400, 409, 422])
async def test_a_code_that_is_there_already_stays_as_it_is(refusal: int) -> None:
    store = Store(refusal=refusal)
    await store.source.discount(10, DAY, "A1")
    await store.source.discount(10, DAY, "A1")
    assert store.codes == {"A1": (1, {"code": "A1", "max_uses": 1})}


async def test_a_code_that_is_promised_again_on_the_next_day_lasts_a_day_longer() -> None:
    store = Store()
    await store.source.discount(10, DAY, "A1")
    store.clock.time += DAY
    await store.source.discount(10, DAY, "A1")
    percent, end = store.gives("A1")
    assert (percent, end >= store.clock.now() + DAY) == (10, True)


async def test_a_code_that_the_store_never_takes_is_for_a_human() -> None:
    store = Store(refuses="B2")
    await store.source.discount(10, DAY, "A1")
    with pytest.raises(Mend) as said:
        await store.source.discount(10, DAY, "B2")
    assert "POST /v3/promotions/{promotion_id}/codes (409)" in said.value.problem
    assert set(store.codes) == {"A1"}


@pytest.mark.parametrize(
    "change",
    [
        {"status": "DISABLED"},
        {"status": "INVALID"},
        {"end_date": "2026-03-03T08:00:00+00:00"},
        {"end_date": "soon"},
    ],
)
async def test_a_promotion_that_somebody_ended_is_for_a_human(change: dict[str, str]) -> None:
    store = Store()
    await store.source.discount(10, DAY, "A1")
    store.promotions[1] |= change
    with pytest.raises(Mend) as said:
        await store.process().discount(10, DAY, "B2")
    assert NAME in said.value.problem
    assert "Marketing > Promotions" in said.value.mend
    assert (len(store.promotions), set(store.codes)) == (1, {"A1"})


async def test_it_is_seen_within_the_hour_that_somebody_ended_a_promotion() -> None:
    store = Store()
    await store.source.discount(10, 0, "A1")
    store.promotions[1]["status"] = "DISABLED"
    store.clock.time += HOUR + 1
    with pytest.raises(Mend):
        await store.source.discount(10, 0, "B2")


async def test_a_token_without_the_scope_is_told_which_one_to_modify() -> None:
    store = Store(may=False)
    with pytest.raises(Mend) as said:
        await store.source.discount(10, DAY, "A1")
    assert "the scope store_v2_marketing (Marketing), to modify" in said.value.problem
    assert "Store-level API accounts" in said.value.mend
    assert "leave discounts out" in said.value.mend


async def test_a_store_that_is_away_is_asked_later() -> None:
    store = Store()

    def away(_moment: str) -> None:
        raise httpx.ConnectError("refused")

    store.fate = away
    with pytest.raises(Later):
        await store.source.discount(10, DAY, "A1")


@given(st.integers(1, 100), st.integers(0, 100 * DAY), st.integers(1, 2_000_000_000))
def test_a_promotion_ends_no_earlier_than_promised_and_less_than_a_day_later(
    percent: int, seconds: int, now: int
) -> None:
    found = offer(percent, seconds, now)
    assert found.percent == percent
    assert found.end == 0 if not seconds else now + seconds <= found.end < now + seconds + DAY


PROMISES = {"A1": (10, DAY), "B2": (10, DAY), "C3": (10, 0), "D4": (15, 7 * DAY), "E5": (10, HOUR)}
HAPPENS = st.one_of(
    st.tuples(st.just("promise"), st.sampled_from(sorted(PROMISES)), st.integers(0, 6), st.booleans()),
    st.tuples(st.sampled_from(["start", "delete"])),
    st.tuples(st.just("wait"), st.integers(1, 2 * DAY)),
)


class World:
    """A store to which anything happens, and in which each promise that was kept is looked at."""

    def __init__(self, heeds: Callable[[str, str], bool], refusal: int) -> None:
        self.store = Store(heeds=heeds, refusal=refusal)

    async def happen(self, what: str, *how: Any) -> None:
        match what:
            case "promise":
                await self.promise(*how)
            case "start":
                self.store.source = self.store.process()
            case "delete":
                self.store.delete()
            case "wait":
                self.store.clock.time += how[0]

    async def promise(self, code: str, fuse: int = 0, killed: bool = False) -> None:
        """`fuse`: the moment of its calls in which it goes wrong; 0: never."""
        left = fuse

        def fate(_moment: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed if killed else httpx.ReadError("cut off")

        self.store.fate = fate
        try:
            await self.store.source.discount(*PROMISES[code], code)
        except Killed:
            self.store.source = self.store.process()
        except Later:
            self.store.clock.time += 60  # as a step is put off
        else:
            self.kept(code)

    def kept(self, code: str) -> None:
        percent, seconds = PROMISES[code]
        found, end = self.store.gives(code)
        until = self.store.clock.now() + seconds
        assert found == percent
        assert end == 0 if not seconds else until <= end < until + DAY


@given(
    st.lists(HAPPENS, max_size=25),
    st.sampled_from([str.__eq__, lambda asked, name: asked in name, lambda *_: True]),
    st.sampled_from([400, 409, 422]),
)
async def test_every_code_lasts_as_promised_in_one_promotion_whatever_happened(
    history: list[tuple[Any, ...]], heeds: Callable[[str, str], bool], refusal: int
) -> None:
    world = World(heeds, refusal)
    for what, *how in history:
        await world.happen(what, *how)
    for code in PROMISES:
        await world.promise(code)
    for code in PROMISES:
        world.kept(code)
    names = [one["name"] for one in world.store.promotions.values()]
    assert len(names) == len(set(names))
