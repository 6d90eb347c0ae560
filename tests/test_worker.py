"""The clock of a connector: when it sweeps, and how it notices that the webhooks are silent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tajo import config, webhooks
from tajo.bigcommerce.hooks import EXCEPTIONS, Health, Report
from tajo.errors import Busy, Later, Mend
from tajo.http import Clock
from tajo.sync.barred import MENDED
from tajo.sync.connector import Connector
from tajo.sync.ledger.inbox import open_inbox
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.model import Batch, Cart, CartLine, Key, Notice, Resource, cart_key
from tajo.sync.parts import PARTS
from tajo.sync.weigh import Policy
from tajo.wiring import Line
from tajo.worker import CANARY, FEW, GATHERED, HOURLY, POLLING, QUIET, Worker, last_at, unheard
from tests.memory import DAY_ONE, MemoryPlatform, MemoryStore, order

R = Resource
ORDERS, CARTS = "store/order/updated", "store/cart/updated"
UUID = "b20deef4-4a2c-4b5a-9d1e-3a9f8f2c1d00"
MINUTE = 60.0


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
        barred: Mapping[R, Mend] = MappingProxyType({})

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


class Hours(Clock):
    """Time that passes only when a test lets it, and then only while everybody sleeps."""

    def __init__(self) -> None:
        self.time = DAY_ONE.timestamp() + 12 * HOURLY
        self.sleepers = 1
        self._beds: dict[asyncio.Future[None], float] = {}

    def now(self) -> float:
        self.time += 1e-6
        return self.time

    async def sleep(self, seconds: float) -> None:
        bed = asyncio.get_running_loop().create_future()
        self._beds[bed] = self.now() + seconds
        try:
            await bed
        finally:
            del self._beds[bed]

    async def pass_by(self, seconds: float) -> None:
        """Let so much time pass; then everybody sleeps."""
        end = self.time + seconds
        while True:
            await self.night()
            bed = min(self._beds, key=self._beds.__getitem__)
            if self._beds[bed] > end:
                break
            self.time = max(self.time, self._beds[bed])
            bed.set_result(None)
        self.time = max(self.time, end)

    async def night(self) -> None:
        """Wait until all have done what there is to do by now."""
        still = 0
        while still < 30:
            await asyncio.sleep(0)
            still = still + 1 if len(self._beds) == self.sleepers else 0


class Watched(MemoryStore):
    """A store in memory. `sweeps`: how often all was looked through; `looks`: at how much at once."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(now=clock.now)
        self.sweeps = 0
        self.looks: list[int] = []
        self.asked: Counter[Resource] = Counter()

    async def pages(self, resource: Resource, *, since: datetime | None, cursor: str) -> AsyncIterator[Batch]:
        self.sweeps += resource is R.CATEGORIES
        async for batch in super().pages(resource, since=since, cursor=cursor):
            yield batch

    async def fetch(self, resource: Resource, ids: Sequence[int]) -> Batch:
        self.looks.append(len(ids))
        return await super().fetch(resource, ids)

    async def newest(self, resource: Resource) -> float | None:
        self.asked[resource] += 1
        return await super().newest(resource)


@dataclass
class House:
    """A worker, and all that is around it, in memory but for its ledger.

    `refusal`: why no webhooks can be registered, `brevos`: at Brevo; `broken`: what the next look
    at them mends, or removes; `ill`: why nobody knows how they fare. `heard_brevo`: how often Brevo
    was seen to.
    """

    ledger: Ledger
    clock: Hours = field(default_factory=Hours)
    platform: MemoryPlatform = field(default_factory=MemoryPlatform)
    said: list[str] = field(default_factory=list)
    kept: tuple[str, ...] = ("customers", "orders", "products", "carts")
    mode: str = "realtime"
    refusal: str = ""
    brevos: str = ""
    ill: str = ""
    heard_brevo: int = 0
    broken: tuple[str, ...] = (ORDERS, CARTS)

    def __post_init__(self) -> None:
        self.store = Watched(self.clock)

    @property
    def settings(self) -> config.Settings:
        shop = {"store_hash": "abc123", "access_token": "t", "sync_mode": self.mode}
        return config.Settings.model_validate(
            {
                "brevo": {"api_key": "k"},
                "connectors": {"shop": shop},
                "server": {"public_url": "https://tajo.example.com"},
            }
        )

    @asynccontextmanager
    async def attend(self, name: str, journal: Any, _: Any) -> AsyncIterator[Line]:
        policy = Policy(
            resources=frozenset().union(*(PARTS[part] for part in self.kept)),
            counted=frozenset({2, 10, 11}),
            placed=frozenset({2, 10, 11}),
        )
        connector = Connector(
            name, self.store, self.platform, self.ledger, policy, self.clock.now, journal=journal
        )
        account = SimpleNamespace(limits=SimpleNamespace(used=0.0))
        brevo = SimpleNamespace(limits=SimpleNamespace(used={}))
        await connector.open()
        async with connector.attended():
            line = Line(name, self.store, self.platform, connector, Nobody(), (account, brevo))  # type: ignore[arg-type]
            # who follows, leads, sweeps and hears Brevo; who registers and listens
            self.clock.sleepers = 4 if self.mode == "batch" else 6
            try:
                yield line
            finally:
                self.clock.sleepers = 1

    async def register(self, *_: Any) -> Report:
        if self.refusal:
            raise Mend(self.refusal)
        mended, self.broken = self.broken, ()
        return Report(mended=mended)

    async def register_at_brevo(self, *_: Any) -> None:
        self.heard_brevo += 1
        if self.brevos:
            raise Mend(self.brevos)

    async def remove(self, *_: Any) -> Report:
        removed, self.broken = self.broken, ()
        return Report(removed=removed)

    async def health(self, *_: Any) -> Health:
        if self.ill:
            raise Mend(self.ill)
        return Health()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Somebody works here, and has told the history."""

        def say(words: str, *, level: str = "info") -> None:
            self.said.append(f"{level}: {words}")

        self.worker = Worker(self, "shop", self.clock, say)  # type: ignore[arg-type]
        running = asyncio.create_task(self.worker.run())
        try:
            await self.clock.pass_by(POLLING)
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def change(self, id_: int) -> Key:
        """A buyer's order is changed in the store."""
        now = datetime.fromtimestamp(self.clock.now(), UTC)
        self.store.put(R.ORDERS, order(id_, f"g{id_}@x.test", created=now, modified=now))
        return Key(R.ORDERS, id_)

    async def hear(self, scope: str, *keys: Key, carts: tuple[str, ...] = ()) -> None:
        """A webhook comes."""
        notice = Notice(scope=scope, keys=keys, carts=carts, created=self.clock.now())
        async with open_inbox(self.ledger, lambda _: self.worker.wake(), now=self.clock.now) as inbox:
            await inbox.take("shop", notice)

    def told(self, id_: int) -> bool:
        return str(Key(R.ORDERS, id_)) in self.platform.others

    def count(self, words: str) -> int:
        return sum(words in line for line in self.said)


class Nobody:
    """There are no automations."""

    async def lead(self) -> None:
        pass

    async def next_due(self) -> None:
        return None


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    ledger = await open_ledger(f"sqlite:///{tmp_path}/t.db", Secret(b"s" * 32))
    made = House(ledger)
    monkeypatch.setattr(webhooks, "register_at_store", made.register)
    monkeypatch.setattr(webhooks, "register_at_brevo", made.register_at_brevo)
    monkeypatch.setattr(webhooks, "remove_at_store", made.remove)
    monkeypatch.setattr(webhooks, "health", made.health)
    yield made
    await ledger.close()


class TestWebhooks:
    async def test_while_they_are_well_nothing_is_swept_before_the_night(self, house: House) -> None:
        async with house.at_work():
            await house.clock.pass_by(3 * HOURLY)
            assert house.store.sweeps == 1  # the history
            assert not house.worker.standing.silent

    async def test_while_none_can_be_registered_the_store_is_looked_at_by_the_minute(
        self, house: House
    ) -> None:
        house.refusal = "ten webhooks of others leave no room"
        async with house.at_work():
            await house.clock.pass_by(30 * MINUTE)
            assert 28 <= house.store.sweeps <= 32
            assert house.worker.standing.silent
            house.refusal = ""
            await house.clock.pass_by(40 * MINUTE)
            assert not house.worker.standing.silent
            swept = house.store.sweeps
            await house.clock.pass_by(HOURLY)
            assert house.store.sweeps == swept

    async def test_a_later_look_at_them_that_fails_is_not_taken_for_silence_that_ends(
        self, house: House
    ) -> None:
        async with house.at_work():
            house.refusal = "ten webhooks of others leave no room"
            await house.clock.pass_by(HOURLY)
            house.change(1)
            await house.clock.pass_by(3 * CANARY)
            assert house.worker.standing.silent
            assert not house.count("webhooks are silent")
            assert not house.count("speak again")

    async def test_while_they_are_silent_the_store_is_looked_at_until_they_speak(self, house: House) -> None:
        async with house.at_work():
            await house.clock.pass_by(CANARY)
            house.change(1)
            await house.clock.pass_by(CANARY + POLLING)
            assert house.count("webhooks are silent (orders)") == 1
            assert house.worker.standing.silent
            assert house.told(1)
            await house.hear(ORDERS, house.change(2))
            await house.clock.pass_by(CANARY)
            assert house.count("webhooks speak again") == 1
            assert not house.worker.standing.silent

    async def test_that_sweeps_find_what_they_should_have_told_is_no_sign_of_life(self, house: House) -> None:
        async with house.at_work():
            await house.clock.pass_by(CANARY)
            for number in range(1, 3):
                house.change(number)
                await house.clock.pass_by(3 * CANARY)
                assert house.told(number)
                assert house.worker.standing.silent
            assert house.count("webhooks are silent") == 1
            assert not house.count("speak again")

    async def test_that_brevo_takes_no_webhook_says_nothing_of_the_stores(self, house: House) -> None:
        house.brevos = "there are forty already"
        async with house.at_work():
            await house.clock.pass_by(2 * CANARY)
            assert house.count("Brevo does not tell who unsubscribes: there are forty already") == 1
            assert not house.worker.standing.silent
            house.change(1)
            await house.clock.pass_by(2 * CANARY)
            assert house.count("webhooks are silent (orders)") == 1

    async def test_in_mode_batch_those_of_another_mode_are_removed(self, house: House) -> None:
        house.mode = "batch"
        async with house.at_work():
            await house.clock.pass_by(CANARY)
            assert house.count("webhooks removed: ") == 1
            assert house.broken == ()

    async def test_and_brevo_tells_who_unsubscribes_all_the_same(self, house: House) -> None:
        house.mode = "batch"
        async with house.at_work():
            await house.clock.pass_by(HOURLY)
            assert house.heard_brevo == 2

    async def test_that_nobody_tells_how_they_fare_hinders_none_of_them(self, house: House) -> None:
        house.ill = "another shape"
        async with house.at_work():
            await house.clock.pass_by(2 * CANARY)
            assert house.count("the store does not tell how the webhooks fare: another shape") == 1
            assert house.count("webhooks mended") == 1
            assert not house.count("no webhooks")
            house.change(1)
            await house.clock.pass_by(2 * CANARY)
            assert house.count("webhooks are silent (orders)") == 1

    async def test_what_one_could_not_deliver_is_looked_for_at_the_next_look_of_the_canary(
        self, house: House
    ) -> None:
        async with house.at_work():
            await house.clock.pass_by(CANARY / 2)
            house.change(1)
            await house.hear(EXCEPTIONS)
            await house.clock.pass_by(CANARY)
            assert house.told(1)
            assert house.store.sweeps == 2

    async def test_what_one_that_had_to_be_mended_did_not_tell_is_looked_for_at_once(
        self, house: House
    ) -> None:
        async with house.at_work():
            house.broken = (ORDERS,)
            await house.clock.pass_by(HOURLY - 2 * POLLING)
            house.change(1)
            await house.clock.pass_by(2 * POLLING)
            assert house.told(1)
            assert house.store.sweeps == 2

    async def test_a_look_for_what_was_missed_that_fails_is_owed(self, house: House) -> None:
        async with house.at_work():
            house.broken = (ORDERS,)
            await house.clock.pass_by(HOURLY - 2 * POLLING)
            house.change(1)
            await house.hear(ORDERS)  # of another order: they are not silent
            house.store.away = True
            await house.clock.pass_by(2 * POLLING)
            assert house.count("the sweep ends early") == 1
            house.store.away = False
            await house.clock.pass_by(HOURLY / 2)
            assert house.told(1)

    async def test_what_is_not_kept_is_not_missed(self, house: House) -> None:
        house.kept = ("customers", "products")
        async with house.at_work():
            await house.clock.pass_by(CANARY)
            house.change(1)
            await house.clock.pass_by(HOURLY)
            assert set(house.store.asked) == {R.CUSTOMERS, R.PRODUCTS}
            assert not house.worker.standing.silent


class TestScopes:
    @pytest.fixture(autouse=True)
    def cart(self, house: House) -> None:
        now = datetime.fromtimestamp(house.clock.now(), UTC)
        line = CartLine(product_id=1, name="P", price=Decimal(5), total=Decimal(5))
        house.store.put(
            R.CARTS,
            Cart(
                id=cart_key(UUID).id,
                uuid=UUID,
                email="a@x.test",
                lines=(line,),
                total=Decimal(5),
                created=now,
                updated=now,
            ),
        )

    async def test_what_may_not_be_read_is_left_out_and_all_else_is_followed(self, house: House) -> None:
        house.store.forbidden = {R.CARTS}
        async with house.at_work():
            await house.hear(CARTS, cart_key(UUID), carts=(UUID,))
            await house.clock.pass_by(1)
            await house.hear(ORDERS, house.change(1))
            await house.clock.pass_by(1)
            assert house.told(1)
            standing = house.worker.standing
            assert standing.working
            assert standing.stuck
            assert standing.trouble.startswith("carts are left out: the token may not read carts\n  Mend: ")
            await house.clock.pass_by(HOURLY)
            assert house.count("carts are left out") == 1
            assert not house.count("stopped")

    async def test_it_is_tried_again_and_what_was_announced_is_told_then(self, house: House) -> None:
        house.store.forbidden = {R.CARTS}
        async with house.at_work():
            await house.hear(CARTS, cart_key(UUID), carts=(UUID,))
            await house.clock.pass_by(1)
            house.store.forbidden = set()
            await house.clock.pass_by(MENDED + 2 * MINUTE)
            assert "cart_created" in {event["event"] for event in house.platform.events}
            assert house.count("carts are followed again") == 1
            assert not house.worker.standing.stuck

    async def test_a_sweep_does_without_it_too(self, house: House) -> None:
        house.mode = "hybrid"
        house.store.forbidden = {R.CARTS}
        async with house.at_work():
            await house.hear(CARTS, cart_key(UUID), carts=(UUID,))
            await house.clock.pass_by(2 * HOURLY)
            assert house.store.sweeps > 5
            assert not house.count("stopped")

    async def test_a_list_that_may_not_be_read_stops_no_other(self, house: House) -> None:
        house.mode = "hybrid"
        house.store.forbidden = {R.PRODUCTS}
        async with house.at_work():
            house.change(1)
            await house.clock.pass_by(2 * HOURLY)
            assert house.told(1)
            assert "g1@x.test" in house.platform.contacts
            assert house.worker.standing.stuck
            assert house.count("products are left out") == 1
            assert not house.count("stopped")

    async def test_the_canary_does_without_it_too(self, house: House) -> None:
        async with house.at_work():
            house.store.forbidden = {R.ORDERS}
            house.change(1)
            await house.clock.pass_by(HOURLY)
            assert house.count("orders are left out") == 1
            assert not house.count("stopped")
            assert not house.count("silent")

    async def test_a_token_that_was_withdrawn_stops_everything(self, house: House) -> None:
        async with house.at_work():
            house.store.closed = True
            await house.hear(ORDERS, house.change(1))
            await house.clock.pass_by(1)
            assert house.count("error: stopped, and will try again in 300 s: the token was withdrawn") == 1
            assert house.worker.standing.stuck
            house.store.closed = False
            await house.clock.pass_by(MENDED + MINUTE)
            assert house.told(1)
            assert not house.worker.standing.stuck


class TestGathering:
    async def test_few_things_do_not_wait(self, house: House) -> None:
        async with house.at_work():
            await house.hear(ORDERS, house.change(1))
            await house.clock.pass_by(2 * GATHERED)
            assert house.told(1)

    async def test_a_burst_becomes_one_look(self, house: House) -> None:
        async with house.at_work():
            house.store.looks.clear()
            await house.hear(ORDERS, *map(house.change, range(FEW + 1)))
            for id_ in range(FEW + 1, 40):
                await house.clock.pass_by(GATHERED / 5)
                await house.hear(ORDERS, house.change(id_))
            await house.clock.pass_by(2 * GATHERED)
            assert house.store.looks == [40]

    async def test_a_burst_without_end_is_looked_at_all_the_same(self, house: House) -> None:
        async with house.at_work():
            await house.hear(ORDERS, *map(house.change, range(FEW + 1)))
            for id_ in range(FEW + 1, 50):
                await house.hear(ORDERS, house.change(id_))
                await house.clock.pass_by(GATHERED)
            assert house.told(1)
