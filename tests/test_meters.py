"""What the server counts and how it stands: true, bounded, and without anybody's data."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tajo.access import Doorkeeper
from tajo.alarms import Alarms
from tajo.bigcommerce.limits import StoreLimits
from tajo.brevo.limits import AccountLimits
from tajo.errors import Later
from tajo.http import Client, Patience
from tajo.lookout import Lookout
from tajo.meters import Meters, Reading, group_of, outcome_of
from tajo.series import KEPT, MINUTE, SAMPLES, Ring, Series, quantile
from tajo.server import Counted
from tajo.sync.connector import Connector
from tajo.sync.ledger import counts, queue, runs
from tajo.sync.ledger.depths import Depth, sounding
from tajo.sync.ledger.outgoing import CONTACTS, Waiting, put
from tajo.sync.ledger.runs import RunRecord
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger, upsert
from tajo.sync.ledger.tables import heard
from tajo.sync.model import Key, Resource, Verdict
from tajo.sync.weigh import Policy
from tajo.web import open_faces
from tajo.worker import Standing
from tests.memory import MemoryPlatform, MemoryStore, Ticking, customer, order
from tests.virtual_clock import VirtualClock

ROOT = Path(__file__).parents[1]
R = Resource


class Moment:
    """A clock that stands until it is put forward."""

    def __init__(self, now: float = 1_000_000_020.0) -> None:
        self.seconds = now

    def __call__(self) -> float:
        return self.seconds


def samples(meters: Meters) -> dict[str, float]:
    """What Prometheus reads, by name and labels in their order."""
    lines = [line for line in meters.exposition().decode().splitlines() if not line.startswith("#")]
    pairs = (line.rpartition(" ") for line in lines)
    return {name: float(value) for name, _, value in pairs if "_created" not in name}


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    opened = await open_ledger(database_url, Secret(b"s" * 32))
    yield opened
    await opened.close()


# --- calls


@pytest.mark.parametrize(
    ("route", "group"),
    [
        ("GET /v3/customers/attribute-values", "customers"),
        ("GET /v2/orders/{id}/products", "orders"),
        ("POST /contacts/import", "contacts"),
        ("POST /events", "events"),
        ("GET /", "other"),
    ],
)
def test_calls_are_grouped_by_what_they_are_about(route: str, group: str) -> None:
    assert group_of(route) == group


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "ok"), (204, "ok"), (404, "refused"), (429, "limited"), (503, "failed"), (0, "lost")],
)
def test_a_call_is_counted_by_what_came_of_it(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome


async def test_each_attempt_is_heard_with_its_answer_and_what_it_waited_for() -> None:
    clock = VirtualClock()
    meters = Meters(clock.now)
    replies = iter([httpx.Response(503), httpx.ConnectError("no"), httpx.Response(200, content=b"{}")])

    def server(_request: httpx.Request) -> httpx.Response:
        reply = next(replies)
        clock.time += 0.2
        if isinstance(reply, Exception):
            raise reply
        return reply

    class Slow:
        async def admit(self, route: str) -> None:
            await clock.sleep(1.5)

        def learn(self, *_: Any) -> None:
            return None

    client = Client(
        "https://api.example.com",
        {},
        Slow(),  # type: ignore[arg-type]
        clock=clock,
        transport=httpx.MockTransport(server),
        heard=meters.ears("shop").brevo,
    )
    await client.request("POST", "/contacts/ann@example.com", route="POST /contacts/{id}")
    await client.close()
    told = samples(meters)
    for outcome in ("failed", "lost", "ok"):
        labels = f'connector="shop",group="contacts",outcome="{outcome}",side="brevo"'
        assert told[f"tajo_calls_total{{{labels}}}"] == 1
    assert told['tajo_call_seconds_count{group="contacts",side="brevo"}'] == 2, "a lost answer took no time"
    assert told['tajo_call_seconds_sum{group="contacts",side="brevo"}'] == pytest.approx(0.4)
    assert told['tajo_limit_wait_seconds_total{connector="shop",side="brevo"}'] == pytest.approx(4.5)
    assert "ann" not in meters.exposition().decode()


async def test_a_side_that_does_not_answer_is_known_since_its_first_silence_and_until_it_answers() -> None:
    clock = VirtualClock()
    meters, down = Meters(clock.now), True

    def server(_request: httpx.Request) -> httpx.Response:
        if down:
            raise httpx.ConnectTimeout("no")
        return httpx.Response(404)

    limits = AccountLimits(clock=clock)
    client = Client(
        "https://api.example.com",
        {},
        limits,
        clock=clock,
        patience=Patience(attempts=3),
        transport=httpx.MockTransport(server),
        heard=meters.ears("shop").store,
    )
    began = clock.time
    with pytest.raises(Later):
        await client.request("GET", "/v3/customers", route="GET /v3/customers")
    assert clock.time > began
    assert meters.answering("shop", "bigcommerce").silent_since == pytest.approx(began, abs=0.1)
    assert meters.answering("shop", "brevo").silent_since == 0
    down = False
    await client.request("GET", "/v3/customers", route="GET /v3/customers")
    await client.close()
    there = meters.answering("shop", "bigcommerce")
    assert (there.silent_since, there.answered) == (0, clock.time), "a refusal is an answer, too"


def test_the_share_of_a_limit_in_use_is_what_its_answers_say() -> None:
    clock = VirtualClock()
    store, brevo = StoreLimits(clock), AccountLimits(clock=clock)
    assert store.used == 0
    said = {
        "x-rate-limit-requests-quota": "400",
        "x-rate-limit-requests-left": "100",
        "x-rate-limit-time-reset-ms": "5000",
    }
    store.learn("GET /v3/customers", 200, said)
    assert store.used == 0.75
    clock.time += 6
    assert store.used == 0
    limited = {
        "x-sib-ratelimit-limit": "100",
        "x-sib-ratelimit-remaining": "40",
        "x-sib-ratelimit-reset": "60",
    }
    brevo.learn("GET /account", 200, limited)
    assert brevo.used["other"] == pytest.approx(0.6)
    assert brevo.used["contacts"] == 0
    brevo.learn("POST /events", 429, {"x-sib-ratelimit-reset": "9"})
    assert brevo.used["events"] == 1


# --- records and lag


@pytest.fixture
def shop(ledger: Ledger) -> SimpleNamespace:
    clock = Ticking()
    meters = Meters(lambda: clock.seconds)
    store, platform = MemoryStore(now=clock), MemoryPlatform()
    policy = Policy(
        resources=frozenset(R) - {R.VARIANTS, R.CARTS, R.EVENTS},
        counted=frozenset({10}),
        placed=frozenset({10}),
        rules="r",
        overlap=0.0,
    )
    connector = Connector("shop", store, platform, ledger, policy, clock, told=meters.ears("shop").told)
    return SimpleNamespace(clock=clock, meters=meters, store=store, platform=platform, connector=connector)


async def test_records_are_counted_as_they_are_told_and_a_sweep_has_no_lag(shop: SimpleNamespace) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "a@x.test"), customer(2, "b@x.test"))
    shop.store.put(R.ORDERS, order(1, "c@x.test"))
    async with shop.connector.attended():
        await shop.connector.sync()
    told = samples(shop.meters)
    for resource, count in (("customers", 2), ("orders", 1), ("guests", 1)):
        labels = f'connector="shop",outcome="delivered",resource="{resource}"'
        assert told[f"tajo_records_told_total{{{labels}}}"] == count
    assert not any(name.startswith("tajo_lag") for name in told)


async def test_the_lag_goes_from_the_webhook_to_the_answer_for_all_that_comes_of_it(
    shop: SimpleNamespace, ledger: Ledger
) -> None:
    async with shop.connector.attended():
        await shop.connector.sync()
        shop.clock.seconds += 100
        shop.store.put(R.ORDERS, order(5, "guest@x.test", modified=shop.clock.moment))
        shop.store.put(R.CUSTOMERS, customer(7, "seven@x.test", modified=shop.clock.moment))
        came = shop.clock.seconds
        async with ledger.begin() as tx:
            await queue.enqueue(tx, "shop", [Key(R.ORDERS, 5), Key(R.CUSTOMERS, 7)], now=came)
        shop.clock.seconds += 40
        await shop.connector.follow()
        await shop.connector._shipping.finish()
    told = samples(shop.meters)
    answered = sum(value for name, value in told.items() if name.startswith("tajo_records_told"))
    assert answered >= 3, "the order, its guest, the account"
    assert told['tajo_lag_seconds_count{connector="shop"}'] == answered
    assert told['tajo_lag_seconds_bucket{connector="shop",le="30.0"}'] == 0
    assert told['tajo_lag_seconds_bucket{connector="shop",le="60.0"}'] == answered
    [(_, median)] = shop.meters.minutes("lag_p50", "shop", 0)
    assert 40 <= median < 60


async def test_what_waits_for_brevo_goes_back_to_its_webhook_after_a_restart_too(
    shop: SimpleNamespace, ledger: Ledger
) -> None:
    async with shop.connector.attended():
        await shop.connector.sync()
        shop.store.put(R.CUSTOMERS, customer(7, "seven@x.test", modified=shop.clock.moment))
        async with ledger.begin() as tx:
            await queue.enqueue(tx, "shop", [Key(R.CUSTOMERS, 7)], now=shop.clock())
        shop.platform.answer = lambda _: "later"
        await shop.connector.follow()
        await shop.connector._shipping.finish()
    shop.platform.answer = lambda _: ""
    shop.clock.seconds += 500
    again = Meters(lambda: shop.clock.seconds)
    policy = shop.connector._policy
    connector = Connector(
        "shop", shop.store, shop.platform, ledger, policy, shop.clock, told=again.ears("shop").told
    )
    async with connector.attended():
        await connector._shipping.finish()
    told = samples(again)
    assert told['tajo_lag_seconds_count{connector="shop"}'] == 1
    assert told['tajo_lag_seconds_sum{connector="shop"}'] > 500


def test_what_is_refused_or_put_off_is_no_lag() -> None:
    now = Moment()
    meters = Meters(now)
    for verdict in Verdict:
        meters.ears("shop").told(R.ORDERS, verdict, now() - 3)
    told = samples(meters)
    assert told['tajo_lag_seconds_count{connector="shop"}'] == 2
    assert told['tajo_records_told_total{connector="shop",outcome="refused",resource="orders"}'] == 1
    assert told['tajo_records_told_total{connector="shop",outcome="put_off",resource="orders"}'] == 1


# --- minutes


def test_what_is_counted_is_nought_in_a_quiet_minute_and_what_is_measured_is_missing() -> None:
    now = Moment()
    series, began = Series(now), 1_000_000_020
    series.count("told", "shop")
    series.count("told", "shop")
    series.peak("limit_brevo", "shop", 0.5)
    series.peak("limit_brevo", "shop", 0.2)
    now.seconds += 3 * MINUTE
    series.count("told", "shop")
    first = began // MINUTE * MINUTE
    assert series.minutes("told", "shop", 0) == [
        (first, 2),
        (first + 60, 0),
        (first + 120, 0),
        (first + 180, 1),
    ]
    assert series.minutes("limit_brevo", "shop", 0) == [(first, 0.5)]
    assert series.minutes("told", "shop", first + 130) == [(first + 120, 0), (first + 180, 1)]
    assert series.minutes("told", "other", first + 170) == [(first + 120, 0), (first + 180, 0)]


def test_the_lag_of_a_minute_is_known_while_it_runs_and_afterwards() -> None:
    now = Moment()
    series = Series(now)
    for seconds in range(1, 101):
        series.lag("shop", float(seconds))
    first = int(now() // MINUTE * MINUTE)
    assert series.minutes("lag_p50", "shop", 0) == [(first, 50)]
    assert series.minutes("lag_p95", "shop", 0) == [(first, 95)]
    now.seconds += MINUTE
    series.lag("shop", 7.0)
    assert series.minutes("lag_p95", "shop", 0) == [(first, 95), (first + MINUTE, 7)]


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 9)), max_size=60))
def test_a_ring_holds_the_last_day_and_no_other(written: list[tuple[int, int]]) -> None:
    ring, known = Ring(), dict[int, float]()
    for minute, value in sorted(written):
        ring.put(minute + 5000, value)
        known[minute + 5000] = value
    newest = max(known, default=0)
    for minute in range(4990, 8010):
        wanted = known.get(minute) if minute > newest - KEPT else None
        assert (ring[minute] if ring[minute] == ring[minute] else None) == wanted


def test_however_much_happens_memory_is_bounded() -> None:
    now = Moment()
    series = Series(now)
    for _ in range(5 * SAMPLES):
        series.lag("shop", 1.0)
    assert len(series._lags["shop"].seconds) == SAMPLES
    for _ in range(3 * KEPT):
        series.count("told", "shop")
        now.seconds += MINUTE
    assert len(series.minutes("told", "shop", 0)) == KEPT


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_a_value_that_so_many_do_not_exceed(values: list[float], share: float) -> None:
    found = quantile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


# --- how it stands


async def test_what_waits_is_counted_for_all_connectors_at_once(ledger: Ledger) -> None:
    run = RunRecord(id="1", mode="full", scope="", rules="", state="done", started_at=5, finished_at=7)
    later = RunRecord(
        id="2", mode="incremental", scope="", rules="", state="done", started_at=8, finished_at=9
    )
    waiting = Waiting(name=b"p", lane=None, size=3, fingerprint=b"f", sealed=b"x")
    scope = {"connector": "b", "scope": "store/order/created", "notices": 3, "happened_at": 1, "heard_at": 4}
    async with ledger.begin() as tx:
        await queue.enqueue(tx, "a", [Key(R.ORDERS, 1), Key(R.ORDERS, 2)], now=3, at=12)
        await queue.enqueue(tx, "a", [Key(R.CUSTOMERS, 1)], now=3)
        await queue.park(tx, "b", [(Key(R.ORDERS, id_), "no", None) for id_ in (8, 9)], now=1)
        await queue.dismiss(tx, "b", [Key(R.ORDERS, 8)], 2)
        await put(tx, "b", CONTACTS, [waiting])
        await runs.save_run(tx, "a", run)
        await runs.save_run(tx, "a", later)
        await upsert(tx, heard, [scope])
    with sounding(ledger) as soundings:
        found = await asyncio.to_thread(soundings.take)
    assert found == {
        "a": Depth(due=3, oldest=3, synced=9, looked=7),
        "b": Depth(outgoing=1, parked=1, heard=4),
    }


def test_gauges_are_what_was_seen_last_and_end_with_their_connector() -> None:
    meters = Meters(Moment())
    standing = Standing(
        working=True,
        stuck=True,
        silent=True,
        seen=30,
        expected=120,
        limits={("bigcommerce", "store"): 0.4, ("brevo", "contacts"): 0.1, ("brevo", "other"): 0.9},
    )
    depth = Depth(due=5, oldest=940, outgoing=6, sequences=7, parked=8, synced=900)
    meters.show({"shop": Reading(1000, standing, depth), "new": Reading(1000, Standing(), Depth())})
    told = samples(meters)
    wanted = {
        "tajo_failures_parked": 8,
        "tajo_queue_depth": 5,
        "tajo_queue_oldest_seconds": 60,
        "tajo_outgoing_depth": 6,
        "tajo_sequences_waiting": 7,
        "tajo_last_sync_timestamp_seconds": 900,
        "tajo_sync_progress_ratio": 0.25,
        "tajo_hooks_silent": 1,
        "tajo_needs_human": 1,
        "tajo_working": 1,
    }
    assert {name: told[f'{name}{{connector="shop"}}'] for name in wanted} == wanted
    assert told['tajo_limit_used_ratio{connector="shop",limit="other",side="brevo"}'] == 0.9
    assert 'tajo_last_sync_timestamp_seconds{connector="new"}' not in told, "it was never synced"
    [(_, peak)] = meters.minutes("limit_brevo", "shop", 0)
    assert peak == 0.9
    meters.show({"new": Reading(1001, Standing(), Depth())})
    assert not any('connector="shop"' in name for name in samples(meters))


async def test_the_lookout_looks_again_and_again_whatever_happens(ledger: Ledger) -> None:
    clock = VirtualClock()
    meters, said, looks = Meters(clock.now), [], 0
    told: list[Any] = []

    class Fleet:
        def standing(self) -> dict[str, Standing]:
            nonlocal looks
            looks += 1
            if looks == 2:
                raise ValueError("ann@example.com")
            return {"shop": Standing(working=True, stuck=looks > 3, trouble="the token was withdrawn")}

    rung = asyncio.Event()

    async def tell(alarms: Any) -> None:
        told.extend(alarms)
        rung.set()

    alarms = Alarms(ledger, tell, clock.now)
    lookout = Lookout(Fleet(), meters, alarms, clock, said.append)  # type: ignore[arg-type]
    async with lookout.kept(ledger):
        async with asyncio.timeout(20):
            await rung.wait()
    assert looks >= 4
    assert meters.readings["shop"].standing.stuck
    assert said == ["how much waits cannot be counted now: ValueError"]
    assert [alarm.kind for alarm in told] == ["stopped"]


async def test_counting_that_takes_long_takes_a_tenth_of_the_time(ledger: Ledger) -> None:
    clock, again = VirtualClock(), asyncio.Event()

    class Fleet:
        def standing(self) -> dict[str, Standing]:
            if clock.slept:
                again.set()
            clock.time += 60
            return {}

    lookout = Lookout(Fleet(), Meters(clock.now), None, clock, print)  # type: ignore[arg-type]
    async with lookout.kept(ledger):
        await again.wait()
    assert clock.slept[0] == 600


async def test_the_lookout_counts_with_a_connection_of_its_own(ledger: Ledger) -> None:
    meters = Meters(Moment())
    fleet: Any = SimpleNamespace(standing=lambda: {"shop": Standing()})
    lookout = Lookout(fleet, meters, None, VirtualClock(), print)
    async with ledger.begin() as tx:  # SQLite's only connection is taken
        await counts.heard(tx, "shop")
        with sounding(ledger) as soundings, ThreadPoolExecutor(1) as thread:
            await lookout.look(soundings, thread)
    assert "shop" in meters.readings


# --- webhooks


@pytest.mark.parametrize(
    ("path", "status", "noticed"),
    [
        ("/webhooks/bigcommerce/shop", 200, ("bigcommerce", "shop", "kept")),
        ("/webhooks/bigcommerce/shop/exceptions", 401, ("bigcommerce", "shop", "forged")),
        ("/webhooks/bigcommerce/ann@example.com", 404, ("bigcommerce", "", "refused")),
        ("/webhooks/bigcommerce", 503, ("bigcommerce", "", "put_off")),
        ("/webhooks/brevo", 429, ("brevo", "", "put_off")),
        ("/webhooks/zoo", 404, None),
        ("/healthz", 200, None),
    ],
)
async def test_webhooks_are_counted_by_what_came_of_them(path: str, status: int, noticed: Any) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    found: list[Any] = []
    counted = Counted(app, {"shop"}, lambda *what: found.append(what))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(counted), base_url="http://t") as client:
        assert (await client.post(path)).status_code == status
    assert found == ([noticed] if noticed else [])


# --- who may ask


async def test_metrics_are_for_whoever_shows_a_key_that_may_read(ledger: Ledger) -> None:
    meters = Meters(Moment())
    meters.noticed("bigcommerce", "shop", "kept")
    keeper = Doorkeeper(ledger, Moment(), master="m" * 40)
    tajo: Any = SimpleNamespace()
    async with open_faces(tajo, keeper, meters=meters) as app:
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            assert (await client.get("/metrics")).status_code == 401
            wrong = {"authorization": "Bearer wrong"}
            assert (await client.get("/metrics", headers=wrong)).status_code == 401
            answer = await client.get("/metrics", headers={"authorization": "Bearer " + "m" * 40})
    assert answer.status_code == 200
    assert re.fullmatch(r"text/plain; version=[\d.]+; charset=utf-8", answer.headers["content-type"])
    assert 'tajo_notices_total{connector="shop",outcome="kept",side="bigcommerce"} 1.0' in answer.text


async def test_where_nothing_is_measured_there_are_no_metrics(ledger: Ledger) -> None:
    keeper = Doorkeeper(ledger, Moment(), master="m" * 40)
    tajo: Any = SimpleNamespace()
    async with open_faces(tajo, keeper) as app:
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            headers = {"authorization": "Bearer " + "m" * 40}
            assert (await client.get("/metrics", headers=headers)).status_code == 404


# --- what is written about them


def known_names() -> set[str]:
    """Every name that a query may use."""
    found = set()
    for line in Meters(Moment()).exposition().decode().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            found |= (
                {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
            )
    return found


def queries(tree: Any) -> Iterator[str]:
    """Every `expr` in a tree, and every query of a variable."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in {"expr", "query"} and isinstance(value, str) and value != "prometheus":
                yield value
            yield from queries(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from queries(value)


def names_of(query: str) -> set[str]:
    return set(re.findall(r"\b(?:tajo|process)_\w+", query))


def test_the_dashboard_asks_for_metrics_that_there_are_and_shows_them_all() -> None:
    board = json.loads((ROOT / "deploy" / "grafana.json").read_text(encoding="utf-8"))
    asked = set().union(*map(names_of, queries(board)))
    assert asked <= known_names()
    ours = {name for name in known_names() if name.startswith("tajo_")}
    stems = {
        name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in ours - asked
    }
    assert stems <= {name.removesuffix("_bucket") for name in asked}


def test_the_page_explains_every_metric_and_its_rules_ask_for_such() -> None:
    page = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    written = set(re.findall(r"^\| `(tajo_\w+)", page, re.M))
    kinds = re.findall(r"# TYPE (tajo_\w+) \w+", Meters(Moment()).exposition().decode())
    assert written == {name for name in kinds if not name.endswith("_created")}
    [rules] = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(groups:.+?)```", page, re.S)]
    assert set().union(*map(names_of, queries(rules))) <= known_names()


# --- spans


@pytest.fixture
def spans() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    with recorded() as found:
        yield found


@contextmanager
def recorded() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Spans by name, with their attributes, as an SDK would meet them."""
    from opentelemetry import trace

    found: list[tuple[str, dict[str, Any]]] = []

    class Span(trace.NonRecordingSpan):
        def __init__(self, attributes: dict[str, Any]) -> None:
            super().__init__(trace.INVALID_SPAN_CONTEXT)
            self.attributes = attributes

        def set_attribute(self, key: str, value: Any) -> None:
            self.attributes[key] = value

        def set_attributes(self, attributes: Any) -> None:
            self.attributes.update(attributes)

    class Tracer(trace.NoOpTracer):
        @contextmanager
        def start_as_current_span(self, name: str, **how: Any) -> Iterator[Span]:  # type: ignore[override]
            assert (how["record_exception"], how["set_status_on_exception"]) == (False, False)
            found.append((name, dict(how["attributes"])))
            yield Span(found[-1][1])

    import tajo.http
    import tajo.sync.spans

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tajo.http, "_tracer", Tracer())
        patch.setattr(tajo.sync.spans, "_tracer", Tracer())
        yield found


async def test_syncs_looks_and_deliveries_are_spans_without_anybodys_data(
    shop: SimpleNamespace, ledger: Ledger, spans: list[tuple[str, dict[str, Any]]]
) -> None:
    shop.store.put(R.CUSTOMERS, customer(1, "ann@x.test"))
    async with shop.connector.attended():
        await shop.connector.sync()
        shop.store.put(R.CUSTOMERS, customer(1, "ann@x.test", first_name="Ann", modified=shop.clock.moment))
        async with ledger.begin() as tx:
            await queue.enqueue(tx, "shop", [Key(R.CUSTOMERS, 1)], now=shop.clock())
        await shop.connector.follow()
        await shop.connector._shipping.finish()
    assert {name for name, _ in spans} >= {"sync", "follow", "tell contacts"}
    [run] = [attributes for name, attributes in spans if name == "sync"]
    assert run == {"tajo.connector": "shop", "tajo.run": run["tajo.run"], "tajo.mode": "full"}
    assert ("follow", {"tajo.connector": "shop", "tajo.records": 1}) in spans
    assert "ann" not in repr(spans).lower()


async def test_a_call_is_a_span_of_its_route_and_not_of_its_path(spans: list[tuple[str, Any]]) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=b"{}"))
    client = Client("https://api.example.com/v3", {}, AccountLimits(), transport=transport)
    await client.request(
        "GET", "/contacts/ann@x.test", route="GET /contacts/{id}", params={"e": "ann@x.test"}
    )
    await client.close()
    assert spans == [
        (
            "GET /contacts/{id}",
            {
                "http.request.method": "GET",
                "server.address": "api.example.com",
                "http.response.status_code": 200,
            },
        )
    ]
