"""`tajo sync --plan`: what a sync will take, told beforehand and without touching anything."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tajo.brevo import AccountLimits, forecast
from tajo.plan import Part, Plan, duration, make_plan
from tajo.sync.model import Resource
from tests.staged import NAME, Staged, staged

R = Resource
NOTHING: Counter[str] = Counter()


def told(records: dict[Resource, int], tier: str = "general") -> dict[Resource, Counter[str]]:
    return forecast.tell(records, NOTHING, AccountLimits(tier))


# -- how many calls it takes to tell


def test_ten_thousand_contacts_fit_into_one_import() -> None:
    calls = told({R.CUSTOMERS: 8_200})[R.CUSTOMERS]
    assert calls == {"POST /contacts/import": 1, "GET /processes/{id}": 3, "GET /contacts": 9}
    assert forecast.writes(calls) == {"import": 1}
    assert forecast.writes(told({R.CUSTOMERS: 100_000})[R.CUSTOMERS]) == {"import": 5}


def test_a_few_contacts_go_singly() -> None:
    assert forecast.writes(told({R.CUSTOMERS: 12})[R.CUSTOMERS]) == {"single": 12}


def test_nothing_costs_nothing() -> None:
    assert not any(told(dict.fromkeys(R, 0)).values())


def test_orders_products_and_categories_go_in_batches() -> None:
    calls = told({R.ORDERS: 4_500, R.PRODUCTS: 620, R.CATEGORIES: 101, R.REFUNDS: 9, R.SUBSCRIBERS: 9})
    assert {resource: dict(forecast.writes(of)) for resource, of in calls.items()} == {
        R.ORDERS: {"batch": 5},
        R.PRODUCTS: {"batch": 7},
        R.CATEGORIES: {"batch": 2},
        R.REFUNDS: {},
        R.SUBSCRIBERS: {},
    }


def test_products_beyond_the_hundred_calls_of_an_hour_go_singly_meanwhile() -> None:
    calls = told({R.ORDERS: 40_000, R.PRODUCTS: 8_000})
    batches, singles = calls[R.PRODUCTS]["POST /products/batch"], calls[R.PRODUCTS]["POST /products"]
    assert (batches, singles) == (60, 2_000)
    assert AccountLimits("general").floor_seconds(sum(calls.values(), NOTHING)) == pytest.approx(999)


def test_meeting_everybody_takes_a_call_for_each_thousand() -> None:
    assert forecast.census(0) == {"GET /contacts": 1}
    assert forecast.census(12_345) == {"GET /contacts": 13}


# -- how it is said


def test_the_sentences() -> None:
    plan = Plan(
        mode="full",
        scope="everything is read, for the first time",
        parts={
            R.PRODUCTS: Part(620, 3, {"batch": 7}),
            R.ORDERS: Part(4_500, 18, {"batch": 5}),
            R.CUSTOMERS: Part(8_200, 33, {"import": 1}),
        },
        census=2_000,
        calls={"BigCommerce": 1_058, "Brevo": 31},
        seconds=130.0,
        pace="BigCommerce: 150 requests per 30 s; Brevo: general",
    )
    assert plan.sentences() == [
        "everything is read, for the first time:",
        "620 products: 3 reads; 7 batches",
        "4,500 orders: 18 reads; 5 batches",
        "8,200 customers: 33 reads; 1 import",
        "one more read for each order whose lines come cut short (more than 50)",
        "contacts of guests, subscribers and buyers come on top; only reading tells how many",
        "2,000 contacts are in Brevo already: 3 reads",
        "calls in all: BigCommerce 1,058, Brevo 31",
        "about 2 min on your plan (BigCommerce: 150 requests per 30 s; Brevo: general)",
    ]
    assert plan.summary() == {
        "mode": "full",
        "resources": {
            "products": {"records": 620, "reads": 3, "writes": 7},
            "orders": {"records": 4_500, "reads": 18, "writes": 5},
            "customers": {"records": 8_200, "reads": 33, "writes": 1},
        },
        "calls": {"bigcommerce": 1_058, "brevo": 31},
        "seconds": 130.0,
    }


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "1 s"), (59.4, "59 s"), (60, "1 min"), (3600, "60 min"), (5400, "1.5 h")]
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


# -- what a plan looks at


async def planned(tajo: Staged, *, full: bool = False, only: set[Resource] | None = None) -> Plan:
    return await make_plan(tajo, NAME, full=full, resources=None if only is None else frozenset(only))


def records(plan: Plan) -> dict[Resource, int]:
    return {resource: part.records for resource, part in plan.parts.items()}


async def test_the_first_sync_reads_as_many_records_in_as_many_calls_as_planned(tmp_path: Path) -> None:
    async with staged(tmp_path, orders=40) as tajo:
        plan = await planned(tajo)
        assert (plan.mode, plan.scope) == ("full", "everything is read, for the first time")
        account = await tajo.sync(NAME)
        seen = {resource: tally.seen for resource, tally in account.resources.items()}
        assert records(plan) == {resource: seen[resource] for resource in plan.parts}
        asked = sum(part.reads for part in plan.parts.values())
        assert plan.calls["BigCommerce"] == asked + 4  # store, channels, sites and groups
        assert 0 <= account.source_calls - plan.calls["BigCommerce"] <= 4  # trees, brands, attribute names


async def test_a_plan_writes_nothing_anywhere(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        before = await tajo.status(NAME)
        await planned(tajo)
        assert {route.partition(" ")[0] for route in tajo.calls} == {"GET"}
        assert await tajo.status(NAME) == before
        assert not before["connected"]


async def test_it_needs_one_call_to_count_a_resource(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        await planned(tajo, only={R.CUSTOMERS, R.ORDERS})
        assert tajo.asked == 4 + 2  # store, channels, sites and groups come first
        assert Counter(tajo.calls)["GET /contacts"] == 1


async def test_later_only_what_changed_is_read(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        await tajo.sync(NAME)
        await tajo.change("/v3/customers", id=7, first_name="Else")
        plan = await planned(tajo)
        changed = {resource for resource, count in records(plan).items() if count}
        assert changed == {R.CATEGORIES, R.CUSTOMERS}  # categories have no date to ask for
        assert plan.parts[R.CUSTOMERS] == Part(1, 1, {"single": 1})
        assert plan.mode == "incremental"
        assert plan.census is None
        assert plan.scope.startswith("what changed since 20")


async def test_everything_is_read_again_when_asked_for(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        first = await planned(tajo)
        await tajo.sync(NAME)
        plan = await planned(tajo, full=True)
        assert records(plan) == records(first)
        assert plan.scope == "everything is read, as asked; what stays the same is not written"
        assert plan.census is not None
        assert plan.census > 60


async def test_everything_is_read_again_when_the_rules_changed(tmp_path: Path) -> None:
    async with staged(tmp_path) as tajo:
        await tajo.sync(NAME)
        connector = tajo.settings.connectors[NAME].model_copy(update={"consent": "ignore"})
        tajo.settings = tajo.settings.model_copy(update={"connectors": {NAME: connector}})
        plan = await planned(tajo)
        assert plan.mode == "full"
        assert "because the mapping, the lists or the consent rule changed" in plan.scope


async def test_only_what_is_wanted_is_counted(tmp_path: Path) -> None:
    async with staged(tmp_path, "sync: {orders: false}\n") as tajo:
        assert set((await planned(tajo)).parts) == {R.CATEGORIES, R.PRODUCTS, R.SUBSCRIBERS, R.CUSTOMERS}
        plan = await planned(tajo, only={R.PRODUCTS, R.ORDERS})
        assert set(plan.parts) == {R.PRODUCTS}
        assert plan.census is None
