"""Brevo as a destination: an account made ready, and every write that is put settled exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tajo.brevo import Api, BrevoDestination, Lists, Rejected, Rules, StorefrontRules
from tajo.brevo.contact_payload import Lane, email_of, lane_of
from tajo.errors import Later, Mend
from tajo.http import Patience
from tajo.sync.mapping import rule
from tajo.sync.model import (
    Category,
    Consent,
    Contact,
    Customer,
    Key,
    Line,
    Metrics,
    Order,
    Outcome,
    Product,
    Resource,
    Store,
    Storefront,
    Variant,
    Verdict,
    Write,
)

from .brevo_account import Account, FastClock, Reply

STORE = Store(name="Shop", currency="EUR", storefronts={1: Storefront(1, "Shop", "https://shop.test")})
MAPPING = tuple(
    rule(path, attribute)
    for path, attribute in [
        ("email", "email"),
        ("first_name", "FIRSTNAME"),
        ("phone", "SMS"),
        ("orders_count", "ORDER_COUNT"),
        ("date_created", "SIGNUP_DATE"),
    ]
)
DAY = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


class World:
    """An open destination, the account behind it, and what was settled."""

    def __init__(self, *, rules: Rules | None = None, limited: bool = True, **more: Any) -> None:
        self.clock = FastClock()
        self.account = Account(self.clock, limited=limited, **more)
        self.api = Api(
            "xkeysib-1", transport=self.account.transport, clock=self.clock, patience=Patience(attempts=3)
        )
        self.destination = BrevoDestination(self.api, rules or Rules(mapping=MAPPING), clock=self.clock)
        self.outcomes: list[Outcome] = []

    async def open(self, **how: bool) -> World:
        await self.destination.open(STORE, **how)
        return self

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        await asyncio.sleep(0)
        self.outcomes.extend(outcomes)

    async def send(self, resource: Resource, writes: Sequence[Write]) -> list[Outcome]:
        """Tell or put all, and check that each was settled exactly once."""
        before = len(self.outcomes)
        if resource is Resource.CUSTOMERS:
            lanes: dict[str | None, list[Write]] = {}
            for write in writes:
                lanes.setdefault(None if write.alone else write.lane, []).append(write)
            for lane, some in lanes.items():
                tell = self.destination.tell if lane is None else self.tell_many
                self.outcomes.extend(await tell(some))
        else:
            async with self.destination.outbox(resource, self.settle) as outbox:
                for write in writes:
                    await outbox.put(write)
        settled = self.outcomes[before:]
        assert Counter(id(o.write) for o in settled) == Counter(map(id, writes))
        return settled

    async def tell_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """In one call, and alone whom that leaves open."""
        try:
            ids = await self.destination.tell_many(writes)
        except Later as error:
            return [Outcome(write=w, verdict=Verdict.RETRY, seconds=error.seconds) for w in writes]
        fates = list(zip(writes, ids, strict=True))
        told = [Outcome(write=w, verdict=Verdict.DELIVERED, contact_id=id_) for w, id_ in fates if id_]
        return [*told, *await self.destination.tell([write for write, id_ in fates if not id_])]

    async def spend(self, calls: int) -> None:
        """Use up so many of the hundred calls an hour, two of which `open` took."""
        for _ in range(calls):
            await self.api.account()

    def verdicts(self) -> Counter[Verdict]:
        return Counter(outcome.verdict for outcome in self.outcomes)

    async def __aenter__(self) -> World:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.api.close()


@asynccontextmanager
async def world(**how: Any) -> AsyncIterator[World]:
    async with World(**how) as opened:
        yield opened


def contact(number: int, **more: Any) -> Contact:
    values: dict[str, Any] = {
        "person": str(number).encode(),
        "key": Key(Resource.CUSTOMERS, number),
        "customer": Customer(
            id=number, email=f"Shopper{number}@x.test", first_name=f"Ann{number}", created=DAY
        ),
        "consent": Consent.GRANTED,
    }
    return Contact(**(values | more))


def order(number: int, **more: Any) -> Order:
    values: dict[str, Any] = {
        "id": number,
        "email": f"shopper{number}@x.test",
        "status_id": 10,
        "created": DAY,
        "total": Decimal("10.00"),
        "lines": (Line(product_id=7, name="Cup", quantity=1, price=Decimal(10)),),
    }
    return Order(**(values | more))


def product(number: int, variants: int = 0) -> Product:
    return Product(
        id=number,
        name=f"Cup {number}",
        price=Decimal(5),
        path=f"/cup-{number}/",
        storefronts=(1,),
        variants=tuple(
            Variant(id=number * 100 + n, options="Red", price=Decimal(5)) for n in range(1, variants + 1)
        ),
    )


def contacts(w: World, numbers: Sequence[int], **more: Any) -> list[Write]:
    return [write for n in numbers if (write := w.destination.contact(contact(n, **more)))]


def orders(w: World, count: int, *, historical: bool) -> list[Write]:
    return [w.destination.order(order(n), historical=historical) for n in range(1, count + 1)]


def products(w: World, count: int, variants: int = 0) -> list[Write]:
    return [write for n in range(1, count + 1) for write in w.destination.product(product(n, variants))]


class TestOpen:
    async def test_creates_what_is_missing_with_two_of_the_hundred_calls(self) -> None:
        async with world() as w:
            kinds = {name: a["type"] for name, a in w.account.attributes.items()}
            assert kinds == {"FIRSTNAME": "text", "ORDER_COUNT": "float", "SIGNUP_DATE": "date"}
            assert sorted(w.account.lists.values()) == ["Buyers", "Customers"]
            assert list(w.account.folders.values()) == ["Tajo"]
            assert w.destination.plan == "free, sms"
            assert len(w.account.meters["other"].calls) == 2
            assert len(w.destination.notes) == 2

    async def test_finds_what_is_there_whatever_its_case(self) -> None:
        w = World()
        w.account.lists = {n: f"List {n}" for n in range(1, 80)} | {
            90: "customers",
            91: "Buyers",
        }
        w.account.attributes = {
            n: {"name": n, "category": "normal", "type": "text"}
            for n in ("FirstName", "ORDER_COUNT", "signup_date")
        }
        async with w:
            assert w.destination.notes == []
            write = w.destination.contact(contact(1, metrics=Metrics(orders_count=2)))
            assert write is not None
            assert lane_of(write.lane) == Lane(lists=(90, 91))
            assert b'"FirstName":"Ann1"' in write.body
            assert b'"ORDER_COUNT":"2"' in write.body

    @pytest.mark.parametrize("taken", [True, False])
    async def test_a_lost_answer_makes_nothing_twice_and_stops_nothing(self, taken: bool) -> None:
        """The first answer to each creation is a 502; whether it was taken, the caller cannot know."""
        w = World()
        serve, met = w.account._serve, set[str]()

        def fault(route: str, body: Any) -> Reply | None:
            if route.startswith("GET") or (name := f"{route} {body.get('name')}") in met:
                return None
            met.add(name)
            if taken:
                serve(route, route.partition(" ")[2], body)
            return 502, None

        w.account.fault = fault
        async with w:
            assert sorted(w.account.attributes) == ["FIRSTNAME", "ORDER_COUNT", "SIGNUP_DATE"]
            assert sorted(w.account.lists.values()) == ["Buyers", "Customers"]
            assert list(w.account.folders.values()) == ["Tajo"]
            assert len(met) == 6

    async def test_only_looks_when_told_so(self) -> None:
        w = await World().open(create=False)
        assert not w.account.attributes
        assert not w.account.lists
        assert {route.split()[0] for route in w.account.count()} == {"GET"}
        assert len(w.destination.notes) == 2
        await w.api.close()

    async def test_an_unknown_list_id_is_named_with_the_mend(self) -> None:
        w = World(rules=Rules(lists=Lists(all_customers=40), storefronts={1: StorefrontRules(lists=(41,))}))
        w.account.lists = {40: "All", 3: "News"}
        with pytest.raises(Mend, match=r"id 41.*3 News(.|\n)*use a name"):
            await w.open()
        await w.api.close()

    async def test_ecommerce_is_activated_and_a_refusal_soon_after_says_to_wait(self) -> None:
        w = World()
        w.account.ecommerce = False
        w.account.fault = lambda route, _: (403, {"message": "off"}) if "/orders" in route else None
        async with w:
            assert any("activated eCommerce" in note for note in w.destination.notes)
            with pytest.raises(Mend, match="try again in 5 minutes"):
                await w.send(Resource.ORDERS, orders(w, 50, historical=True))
            assert not w.outcomes

    async def test_another_currency_is_told(self) -> None:
        w = World()
        await w.destination.open(replace(STORE, currency="USD"))
        assert any("EUR" in note and "USD" in note for note in w.destination.notes)
        await w.api.close()

    async def test_a_wrong_key_says_both_mends(self) -> None:
        w = World()
        w.account.fault = lambda *_: (401, {"message": "Key not found", "code": "unauthorized"})
        with pytest.raises(Mend, match=r"(?s)api_key.*IP"):
            await w.open()
        await w.api.close()


class TestPeople:
    async def test_pages_through_all_in_a_thousand_each(self) -> None:
        async with world() as w:
            for n in range(2001):
                w.account.add(f"P{n}@x.test", **({"SMS": "33612345678"} if n == 5 else {}))
            pages = [page async for page in w.destination.people()]
            assert [len(page) for page in pages] == [1000, 1000, 1]
            assert pages[0][5].email == "p5@x.test"
            assert pages[0][5].phone == "+33612345678"

    async def test_only_those_created_since(self) -> None:
        async with world() as w:
            w.account.add("old@x.test")
            await w.clock.sleep(1000)
            w.account.add("new@x.test")
            since = datetime.fromtimestamp(w.clock.now(), UTC) - timedelta(seconds=60)
            pages = [page async for page in w.destination.people(created_since=since)]
            assert [person.email for page in pages for person in page] == ["new@x.test"]


class TestContacts:
    async def test_many_go_by_one_import_and_are_read_back_with_their_ids(self) -> None:
        async with world() as w:
            settled = await w.send(Resource.CUSTOMERS, contacts(w, range(2500)))
            assert w.verdicts() == {Verdict.DELIVERED: 2500}
            assert all(w.account.contacts[o.contact_id]["email"] == email_of(o.write) for o in settled)
            calls = w.account.count()
            assert calls["POST /contacts/import"] == 1
            assert calls["POST /contacts"] == 0
            assert calls["GET /processes/{id}"] <= 4
            assert calls["GET /contacts"] == 3
            assert w.account.by_email("shopper7@x.test")["listIds"]

    async def test_few_go_singly(self) -> None:
        async with world() as w:
            settled = await w.send(Resource.CUSTOMERS, contacts(w, range(20)))
            assert w.verdicts() == {Verdict.DELIVERED: 20}
            assert all(o.contact_id for o in settled)
            assert w.account.count()["POST /contacts/import"] == 0

    async def test_lanes_are_imported_one_after_the_other_and_only_one_blocks(self) -> None:
        async with world() as w:
            await w.send(
                Resource.CUSTOMERS,
                contacts(w, range(100)) + contacts(w, range(100, 200), consent=Consent.WITHHELD),
            )
            assert w.verdicts() == {Verdict.DELIVERED: 200}
            flags = [body.get("emailBlacklist") for body in w.account.bodies("POST /contacts/import")]
            assert sorted(flags, key=str) == [None, True]
            assert w.account.by_email("shopper150@x.test")["emailBlacklisted"]
            assert not w.account.by_email("shopper50@x.test")["emailBlacklisted"]

    async def test_rows_that_the_import_dropped_or_complained_of_are_told_singly(self) -> None:
        w = World()
        w.account.drops = lambda email: email in {"shopper3@x.test", "shopper4@x.test"}
        w.account.reports["/invalid.csv"] = '"Shopper4@x.test";invalid\n shopper9@x.test\n'

        def fault(route: str, body: Any) -> Reply | None:
            if route == "GET /processes/{id}":
                reports = {"invalid_emails": "https://reports.test/invalid.csv", "duplicate_phone_id": 3}
                return 200, {"status": "completed", "info": {"import": reports | {"duplicate_ext_id": None}}}
            if route == "POST /contacts" and body["email"] == "shopper4@x.test":
                return 400, {"code": "invalid_parameter", "message": "Invalid email shopper4@x.test"}
            return None

        w.account.fault = fault
        async with w:
            await w.send(Resource.CUSTOMERS, contacts(w, range(50)))
            assert w.verdicts() == {Verdict.DELIVERED: 49, Verdict.REFUSED: 1}
            refused = next(o for o in w.outcomes if o.verdict is Verdict.REFUSED)
            assert email_of(refused.write) == "shopper4@x.test"
            assert "Invalid email <e-mail>" in refused.reason
            singly = {body["email"] for body in w.account.bodies("POST /contacts")}
            assert singly == {f"shopper{n}@x.test" for n in (3, 4, 9)}

    @pytest.mark.parametrize("end", ["failed", "cancelled"])
    async def test_a_failed_import_is_tried_again_later(self, end: str) -> None:
        w = World()
        w.account.import_ends = end
        async with w:
            await w.send(Resource.CUSTOMERS, contacts(w, range(30)))
            assert w.verdicts() == {Verdict.RETRY: 30}
            assert all(o.seconds > 0 for o in w.outcomes)

    async def test_without_a_call_left_to_ask_the_import_is_watched_by_reading_back(self) -> None:
        async with world() as w:
            await w.spend(98)
            started = w.clock.now()
            await w.send(Resource.CUSTOMERS, contacts(w, range(100)))
            assert w.verdicts() == {Verdict.DELIVERED: 100}
            assert w.clock.now() - started < 60

    async def test_a_listing_that_lags_behind_is_read_once_more(self) -> None:
        def fault(route: str, params: Any) -> Reply | None:
            late = w.clock.now() < done + 10
            return (200, {"contacts": [], "count": 0}) if route == "GET /contacts" and late else None

        async with world() as w:
            done = w.clock.now() + w.account.import_seconds
            w.account.fault = fault
            await w.send(Resource.CUSTOMERS, contacts(w, range(500)))
            assert w.verdicts() == {Verdict.DELIVERED: 500}
            assert w.account.count()["POST /contacts"] == 0

    async def test_rows_of_different_lanes_never_share_an_import(self) -> None:
        async with world() as w:
            writes = [*contacts(w, range(30)), *contacts(w, range(30, 60), consent=Consent.WITHHELD)]
            assert len({write.lane for write in writes}) == 2
            outcomes = await w.destination.tell(writes)
            assert len(outcomes) == 60
            assert w.account.count()["POST /contacts/import"] == 0
            assert w.account.by_email("shopper45@x.test")["emailBlacklisted"] is True
            assert w.account.by_email("shopper5@x.test")["emailBlacklisted"] is False

    async def test_a_phone_that_another_contact_has_is_left_out(self) -> None:
        async with world() as w:
            w.account.add("other@x.test", SMS="+33612345678")
            [outcome] = await w.send(Resource.CUSTOMERS, contacts(w, [1], phone="+33612345678"))
            assert outcome.verdict is Verdict.DELIVERED
            assert outcome.left_out == "SMS"
            assert "SMS" not in w.account.by_email("shopper1@x.test")["attributes"]

    async def test_a_refusal_that_is_not_about_the_phone_is_final(self) -> None:
        async with world() as w:
            w.account.fault = lambda route, _: (
                (400, {"message": "no", "metadata": {"duplicate_identifiers": ["ext_id"]}})
                if route == "POST /contacts"
                else None
            )
            await w.send(Resource.CUSTOMERS, contacts(w, [1], phone="+33612345678"))
            assert w.verdicts() == {Verdict.REFUSED: 1}
            assert w.account.count()["POST /contacts"] == 1

    async def test_too_early_is_tried_again_later(self) -> None:
        async with world() as w:
            w.account.fault = lambda route, _: (
                (425, {"code": "account_in_process"}) if route == "POST /contacts" else None
            )
            [outcome] = await w.send(Resource.CUSTOMERS, contacts(w, [1]))
            assert outcome.verdict is Verdict.RETRY
            assert outcome.seconds == 60

    async def test_an_address_that_changed_moves_the_contact_and_keeps_it_blocked(self) -> None:
        async with world() as w:
            old = w.account.add("old@x.test", FIRSTNAME="Ann")
            old["emailBlacklisted"] = True
            [outcome] = await w.send(Resource.CUSTOMERS, contacts(w, [1], rename=old["id"], exists=True))
            assert outcome.contact_id == old["id"]
            assert old["email"] == "shopper1@x.test"
            assert old["emailBlacklisted"]
            assert old["listIds"]

    async def test_a_new_address_that_somebody_has_becomes_a_plain_upsert(self) -> None:
        async with world() as w:
            old, new = w.account.add("old@x.test"), w.account.add("shopper1@x.test")
            await w.send(Resource.CUSTOMERS, contacts(w, [1], rename=old["id"]))
            assert w.verdicts() == {Verdict.DELIVERED: 1}
            assert old["email"] == "old@x.test"
            assert new["attributes"]["FIRSTNAME"] == "Ann1"

    async def test_a_contact_to_rename_that_is_gone_is_made_anew(self) -> None:
        async with world() as w:
            await w.send(Resource.CUSTOMERS, contacts(w, [1], rename=4711))
            assert w.verdicts() == {Verdict.DELIVERED: 1}
            assert w.account.by_email("shopper1@x.test")

    @pytest.mark.parametrize(("known", "asked"), [(False, 1), (True, 0)])
    async def test_whoever_was_thought_to_be_new_and_is_not_is_asked_for_their_id(
        self, known: bool, asked: int
    ) -> None:
        async with world() as w:  # made by a write whose answer was lost, or by a form
            there = w.account.add("shopper1@x.test")
            [outcome] = await w.send(Resource.CUSTOMERS, contacts(w, [1], exists=known))
            assert outcome.contact_id == (None if known else there["id"])
            assert w.account.count()["GET /contacts/{id}"] == asked

    async def test_a_block_of_ours_is_lifted_singly(self) -> None:
        async with world() as w:
            w.account.add("shopper1@x.test")["emailBlacklisted"] = True
            await w.send(Resource.CUSTOMERS, contacts(w, [1], blocked_by_us=True, exists=True))
            assert not w.account.by_email("shopper1@x.test")["emailBlacklisted"]

    async def test_an_import_that_is_refused_is_halved_until_the_row_shows(self) -> None:
        def fault(route: str, body: Any) -> Reply | None:
            emails = [row["email"] for row in body["jsonBody"]] if route.endswith("/import") else []
            if "shopper33@x.test" in emails or (
                route == "POST /contacts" and body["email"] == "shopper33@x.test"
            ):
                return 400, {"message": "bad"}
            return None

        async with world() as w:
            w.account.fault = fault
            await w.send(Resource.CUSTOMERS, contacts(w, range(200)))
            assert w.verdicts() == {Verdict.DELIVERED: 199, Verdict.REFUSED: 1}

    async def test_singles_fill_the_limit(self) -> None:
        async with world(latency=0.2) as w:
            await w.clock.sleep(5)
            started = w.clock.now()
            writes = [replace(write, alone=True) for write in contacts(w, range(301))]
            await w.send(Resource.CUSTOMERS, writes)
            assert w.clock.now() - started <= 30 * 1.05
            assert w.account.refused == 0


class TestOrders:
    async def test_history_goes_by_the_thousand_and_starts_nothing(self) -> None:
        async with world() as w:
            await w.send(Resource.ORDERS, orders(w, 2503, historical=True))
            assert w.verdicts() == {Verdict.ACCEPTED: 2503}
            sizes = [len(body["orders"]) for body in w.account.bodies("POST /orders/status/batch")]
            assert sizes == [1000, 1000, 503]
            assert set(w.account.historical.values()) == {True}
            assert w.account.count()["POST /orders/status"] == 0

    async def test_even_one_order_of_the_past_goes_by_batch(self) -> None:
        """`POST /orders/status` cannot say `historical`: it would start automations."""
        async with world() as w:
            await w.send(Resource.ORDERS, orders(w, 1, historical=True))
            assert w.account.historical == {"1": True}

    async def test_live_orders_start_automations_and_a_few_go_singly(self) -> None:
        async with world() as w:
            await w.send(Resource.ORDERS, orders(w, 5, historical=False))
            assert w.account.count()["POST /orders/status"] == 5
            await w.send(Resource.ORDERS, orders(w, 6, historical=False))
            assert w.account.count()["POST /orders/status"] == 5
            assert set(w.account.historical.values()) == {False}

    async def test_batches_stay_below_five_megabytes(self) -> None:
        async with world() as w:
            heavy = [
                replace(write, body=write.body[:-1] + b',"metaInfo":{"note":"' + b"x" * 90_000 + b'"}}')
                for write in orders(w, 120, historical=True)
            ]
            await w.send(Resource.ORDERS, heavy)
            sizes = [len(str(body)) for body in w.account.bodies("POST /orders/status/batch")]
            assert max(sizes) <= 5_000_000
            assert len(sizes) == 3

    @pytest.mark.parametrize("historical", [True, False])
    async def test_the_one_bad_order_of_a_batch_is_found(self, *, historical: bool) -> None:
        def fault(route: str, body: Any) -> Reply | None:
            if "/orders/status" not in route:
                return None
            ids = {item["id"] for item in body.get("orders", [body])}
            return (400, {"code": "invalid_parameter", "message": "amount is bad"}) if "77" in ids else None

        async with world() as w:
            w.account.fault = fault
            await w.send(Resource.ORDERS, orders(w, 250, historical=historical))
            refused = [o for o in w.outcomes if o.verdict is Verdict.REFUSED]
            assert [o.write.key.id for o in refused] == [77]
            assert "amount is bad" in refused[0].reason
            assert w.verdicts()[Verdict.DELIVERED] + w.verdicts()[Verdict.ACCEPTED] == 249
            if historical:
                assert w.account.count()["POST /orders/status"] == 0

    async def test_an_order_of_nobody_is_refused_without_a_call(self) -> None:
        async with world() as w:
            before = len(w.account.calls)
            nobody = w.destination.order(order(1, email=""), historical=True)
            [outcome] = await w.send(Resource.ORDERS, [nobody])
            assert outcome.verdict is Verdict.REFUSED
            assert len(w.account.calls) == before

    async def test_the_newer_state_of_an_order_goes_after_the_older_one(self) -> None:
        async with world() as w:
            older = w.destination.order(order(1, status_id=1), historical=False)
            newer = w.destination.order(order(1, status_id=2), historical=False)
            await w.send(Resource.ORDERS, [older, newer])
            assert w.account.things["orders"]["1"]["status"] == "shipped"

    async def test_both_limits_are_filled_by_live_orders(self) -> None:
        """Batches of 1,000 at once, then 18,000 an hour singly until a batch may go again."""
        async with world(latency=0.05) as w:
            await w.spend(96)
            started = w.clock.now()
            count = 2_000 + 3_000  # two batches are left, then ten minutes of singles
            await w.send(Resource.ORDERS, orders(w, count, historical=False))
            assert w.account.count()["POST /orders/status/batch"] == 2
            assert w.clock.now() - started <= 600 * 1.05
            assert w.account.refused == 0

    async def test_singles_go_on_when_another_program_has_used_the_hundred_up(self) -> None:
        async with world() as w:
            while w.account.meters["other"].take(w.clock.now()):
                pass
            started = w.clock.now()
            await w.send(Resource.ORDERS, orders(w, 3000, historical=False))
            assert w.account.count()["POST /orders/status"] >= 2000
            assert w.clock.now() - started <= 3610


class TestProducts:
    async def test_a_hundred_each_parents_before_variants_no_id_twice(self) -> None:
        async with world() as w:
            await w.send(Resource.PRODUCTS, products(w, 60, variants=3))
            sizes = [len(body["products"]) for body in w.account.bodies("POST /products/batch")]
            assert sizes == [100, 100, 40]
            told = [item for body in w.account.bodies("POST /products/batch") for item in body["products"]]
            seen: set[str] = set()
            for item in told:
                assert item.get("parentId", item["id"]) in seen | {item["id"]}
                seen.add(item["id"])

    async def test_both_limits_are_filled(self) -> None:
        """While no batch may go, singles do, and the batch goes on as soon as it may."""
        async with world(latency=0.05) as w:
            await w.spend(97)
            started = w.clock.now()
            # One batch, an hour of singles, a batch again for each call that the hour gives back.
            count = 100 + 7_200 + 5_000
            await w.send(Resource.PRODUCTS, products(w, count))
            assert w.verdicts() == {Verdict.DELIVERED: count}
            assert w.account.count()["POST /products/batch"] >= 50
            assert w.clock.now() - started <= 3600 * 1.05
            assert w.account.refused == 0

    @pytest.mark.parametrize("batches", [0, 1, 2])
    async def test_no_variant_overtakes_its_parent_however_both_travel(self, batches: int) -> None:
        async with world(latency=0.4) as w:
            await w.spend(98 - batches)
            await w.send(Resource.PRODUCTS, products(w, 90, variants=2))
            told = [b.get("products", [b]) for _, r, b in w.account.calls if "/products" in r]
            assert len(told) > 50
            order = [item["id"] for items in told for item in items]
            for n in range(1, 91):
                assert order.index(str(n)) < min(order.index(f"{n}-{n * 100 + v}") for v in (1, 2))

    async def test_a_bad_product_is_found_singly(self) -> None:
        def fault(route: str, body: Any) -> Reply | None:
            items = body.get("products", [body]) if route.startswith("POST /products") else []
            return (400, {"message": "bad"}) if any(item["id"] == "9" for item in items) else None

        async with world() as w:
            w.account.fault = fault
            await w.send(Resource.PRODUCTS, products(w, 30))
            refused = [o.write.key.id for o in w.outcomes if o.verdict is Verdict.REFUSED]
            assert refused == [9]
            assert w.account.count()["POST /products/batch"] == 1


async def test_categories_go_by_a_hundred_and_are_halved_on_a_refusal() -> None:
    def fault(route: str, body: Any) -> Reply | None:
        bad = route.startswith("POST /categories") and any(item["id"] == "9" for item in body["categories"])
        return (413, None) if bad else None

    async with world() as w:
        w.account.fault = fault
        writes = [w.destination.category(Category(id=n, name=f"C{n}")) for n in range(1, 151)]
        await w.send(Resource.CATEGORIES, writes)
        assert w.verdicts() == {Verdict.DELIVERED: 149, Verdict.REFUSED: 1}
        assert w.account.count()["POST /categories"] == 0


async def test_an_account_without_limits_is_told_at_full_speed() -> None:
    async with world(limited=False, latency=0.01) as w:
        started = w.clock.now()
        await w.send(Resource.PRODUCTS, products(w, 3000))
        assert w.clock.now() - started < 1
        assert w.destination.floor_seconds(w.destination.calls) == 0


@pytest.mark.parametrize("resource", [Resource.CUSTOMERS, Resource.ORDERS, Resource.PRODUCTS])
async def test_a_mend_surfaces_whoever_works_in_the_background(resource: Resource) -> None:
    async with world() as w:
        w.account.fault = lambda *_: (401, {"message": "Key not found"})
        writes = {
            Resource.CUSTOMERS: contacts(w, range(30)),
            Resource.ORDERS: orders(w, 2000, historical=True),
            Resource.PRODUCTS: products(w, 300),
        }[resource]
        with pytest.raises(Mend, match="API key"):
            await w.send(resource, writes)
        assert not w.outcomes


async def test_an_error_of_settling_surfaces_as_it_is() -> None:
    async def settle(_: Sequence[Outcome]) -> None:
        raise Later("the ledger is locked")

    async with world() as w:
        with pytest.raises(Later, match="locked"):
            async with w.destination.outbox(Resource.ORDERS, settle) as outbox:
                await outbox.put(orders(w, 1, historical=False)[0])


async def test_an_error_of_the_caller_leaves_the_outbox_as_it_is_and_sends_nothing_more() -> None:
    async with world() as w:
        with pytest.raises(ZeroDivisionError):
            async with w.destination.outbox(Resource.ORDERS, w.settle) as outbox:
                await outbox.put(orders(w, 1, historical=False)[0])
                raise ZeroDivisionError
        assert w.account.count()["POST /orders/status"] == 0


async def test_calls_and_the_floor_are_counted() -> None:
    async with world() as w:
        await w.send(Resource.ORDERS, orders(w, 1, historical=True))
        assert sum(w.destination.calls.values()) == len(w.account.calls)
        assert w.destination.floor_seconds(w.destination.calls) == 0
        await w.spend(98)
        assert sum(w.destination.calls.values()) == len(w.account.calls)
        assert w.destination.floor_seconds(w.destination.calls) == 3600


async def test_a_body_that_is_no_json_is_no_obstacle() -> None:
    def transport(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200 if request.method == "GET" else 400, html="<h1>Bad gateway a@x.test</h1>")

    api = Api("k", transport=httpx.MockTransport(transport), clock=FastClock(), patience=Patience(attempts=2))
    with pytest.raises(Rejected, match=r"POST /products: HTTP 400$"):
        await api.post("/products", b"{}")
    with pytest.raises(Later):
        await api.account()
    await api.close()


async def test_an_answer_of_an_unknown_shape_is_a_mend_that_shows_no_data() -> None:
    answer = {"contacts": [{"id": "ann@x.test"}], "count": 1}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    api = Api("k", transport=transport, clock=FastClock())
    with pytest.raises(Mend, match="GET /contacts") as caught:
        await api.contacts(0)
    assert "ann" not in str(caught.value)
    await api.close()


async def test_attribute_names_are_percent_encoded() -> None:
    paths: list[bytes] = []

    def transport(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return httpx.Response(201)

    api = Api("k", transport=httpx.MockTransport(transport), clock=FastClock())
    await api.create_attribute("A/B?C#D%20", "text")
    assert paths == [b"/v3/contacts/attributes/normal/A%2FB%3FC%23D%2520"]
    await api.close()


STATUSES = [200, 200, 200, 200, 400, 404, 413, 422, 425, 429, 500, 503, 524]


def any_writes(w: World, kind: Resource, n: int) -> Sequence[Write]:
    """Writes of every sort: in several lanes, alone, renaming, with variants."""
    match kind:
        case Resource.CUSTOMERS:
            more: dict[str, Any] = {
                "phone": "+33612345678" if n % 3 else "",
                "rename": 7 if n % 11 == 1 else None,
            }
            return contacts(w, [n], consent=Consent.GRANTED if n % 2 else Consent.WITHHELD, **more)
        case Resource.ORDERS:
            email = f"shopper{n}@x.test" if n % 7 else ""
            return [w.destination.order(order(n, email=email), historical=n % 2 == 0)]
        case Resource.PRODUCTS:
            return w.destination.product(product(n, n % 3))
        case _:
            return [w.destination.category(Category(id=n, name="C"))]


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    kind=st.sampled_from([Resource.CUSTOMERS, Resource.ORDERS, Resource.PRODUCTS, Resource.CATEGORIES]),
    count=st.integers(0, 130),
    limited=st.booleans(),
)
def test_whatever_brevo_answers_every_write_is_settled_exactly_once(
    data: st.DataObject, kind: Resource, count: int, limited: bool
) -> None:
    """`World.send` holds the assertion; 425, 429, 5xx, cut imports, refusals come in any order."""

    async def storm() -> None:
        w = World(limited=limited)
        async with w:
            answers = data.draw(st.lists(st.sampled_from(STATUSES), max_size=30))
            drops = data.draw(st.sets(st.integers(0, 130), max_size=9))
            w.account.drops = lambda email: int(email[7:].partition("@")[0]) in drops

            def fault(route: str, _: Any) -> Reply | None:
                status = answers.pop() if answers else 200
                return None if status == 200 else (status, {"message": "no", "code": "x"})

            w.account.fault = fault
            ids = data.draw(st.lists(st.integers(0, 130), max_size=5)) + list(range(count))
            if kind is Resource.CUSTOMERS:  # what waits has one payload a person
                ids = list(dict.fromkeys(ids))
            await w.send(kind, [write for n in ids for write in any_writes(w, kind, n)])

    asyncio.run(storm())
