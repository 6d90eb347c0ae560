"""Sequences: begun by what happened, decided on what is, each deed done once whatever dies in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf

import pytest

from tajo.errors import Later, Mend
from tajo.sync.automation import (
    Act,
    Begin,
    Decision,
    Deed,
    Done,
    Round,
    Running,
    Silence,
    Situation,
    Skip,
    Standing,
    Stop,
    Wait,
)
from tajo.sync.connector import Connector
from tajo.sync.ledger import carts, erasure, keeping, people, queue
from tajo.sync.ledger import sequences as ledger_of
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.store import Ledger, open_ledger
from tajo.sync.model import (
    Cart,
    Consent,
    Customer,
    Event,
    EventKind,
    Key,
    Metrics,
    Product,
    Resource,
    Verdict,
    cart_key,
)
from tajo.sync.sequences import Sequences, hear
from tajo.sync.weigh import Policy
from tests.memory import MemoryPlatform, MemoryStore, Ticking, order, refund

R = Resource
HOUR, DAY = 3600.0, 86400.0
UUID = "bc218c65-7a32-4ab7-8082-68730c074d02"
CART = Cart(id=cart_key(UUID).id, uuid=UUID, email="a@x.test", total=Decimal(9))


class Killed(BaseException):
    """What a kill -9 looks like from inside."""


@dataclass
class Series:
    """An automation: after an order a message every hour, three in all. `rule` may decide otherwise."""

    verb: str = "send-email"
    steps: int = 3
    marketing: bool = True
    daily: bool = False
    kinds: tuple[EventKind, ...] = (EventKind.ORDER_PLACED,)
    rule: Callable[[Running, Situation], Decision | None] = lambda _running, _now: None
    seen: list[Situation] = field(default_factory=list)

    def begins(self, event: Event, metrics: Metrics, now: float) -> Sequence[Begin]:
        if event.kind not in self.kinds:
            return ()
        return [Begin(skill="series", subject=event.key, email=event.email, due=now + HOUR)]

    def ends(self, event: Event) -> frozenset[str]:
        return frozenset({"series"}) if event.kind is EventKind.ORDER_REFUNDED else frozenset()

    def schedules(self, now: float) -> Sequence[Round]:
        return [Round("series", (now // DAY + 1) * DAY)] if self.daily else ()

    def candidates(self, skill: str, since: float, now: float) -> Sequence[Silence]:
        return [Silence(since - 30 * DAY, now - 30 * DAY)]

    def begins_now(
        self, skill: str, subject: Key, customer: Customer, metrics: Metrics, now: float
    ) -> Begin | None:
        return Begin(skill=skill, subject=subject, email=customer.email, due=now)

    def decide(self, running: Running, situation: Situation) -> Decision:
        self.seen.append(situation)
        then = situation.now + HOUR if running.step + 1 < self.steps else None
        return self.rule(running, situation) or Act(
            verb=self.verb, params={"step": running.step}, then=then, marketing=self.marketing
        )


@dataclass
class Mailbox:
    """Who carries deeds out: it does them, then answers by `answer`, which may also die."""

    deeds: list[Deed] = field(default_factory=list)
    coupons: list[tuple[int, str]] = field(default_factory=list)
    answer: Callable[[Deed], Done] = lambda _deed: Done(verdict=Verdict.DELIVERED)
    blocked: bool = False

    async def standing(self, email: str) -> Standing:
        return Standing(exists=True, email_blocked=self.blocked)

    async def coupon(self, percent: int, seconds: float, code: str) -> None:
        self.coupons.append((percent, code))

    async def act(self, deed: Deed) -> Done:
        self.deeds.append(deed)
        return self.answer(deed)

    @property
    def steps(self) -> list[object]:
        return [deed.params["step"] for deed in self.deeds]


@dataclass
class Shop:
    """A store that was synced once, an automation, and hours that pass."""

    ledger: Ledger
    clock: Ticking
    store: MemoryStore
    series: Series = field(default_factory=Series)
    mailbox: Mailbox = field(default_factory=Mailbox)
    said: list[str] = field(default_factory=list)

    def connector(self) -> Connector:
        policy = Policy(
            resources=frozenset(R) - {R.VARIANTS, R.EVENTS, R.SEQUENCES},
            counted=frozenset({10, 11}),
            placed=frozenset({10, 11}),
            rules="r",
            overlap=0.0,
        )
        return Connector(
            "shop",
            self.store,
            MemoryPlatform(),
            self.ledger,
            policy,
            self.clock,
            automation=lambda _: self.series,
        )

    @property
    def sequences(self) -> Sequences:
        return Sequences(
            *("shop", self.store, self.mailbox, self.ledger, lambda: self.series, self.clock),
            link=lambda cart: f"https://tajo.example/r/{cart.id}",
            journal=self.said.append,
        )

    async def sync(self) -> None:
        connector = self.connector()
        await connector.open()
        async with connector.attended():
            await connector.sync()

    async def buy(self, id_: int = 1, email: str = "a@x.test", status_id: int = 11) -> None:
        now = self.clock.moment
        self.store.put(R.ORDERS, order(id_, email, "9", status_id=status_id, created=now, modified=now))
        await self.sync()

    async def leave_cart(self) -> None:
        self.store.put(R.CARTS, CART)
        async with self.ledger.begin() as tx:
            await carts.named(tx, "shop", {CART.id: CART.uuid})

    def event(self, kind: EventKind, record: Product | Cart, *, variant_id: int = 0) -> Event:
        key = Key(R.CARTS if isinstance(record, Cart) else R.PRODUCTS, record.id)
        return Event(
            kind=kind, key=key, at=self.clock.moment, email="a@x.test", record=record, variant_id=variant_id
        )

    async def hear(self, *events: Event) -> None:
        async with self.ledger.begin() as tx:
            await hear(tx, "shop", self.series, self.ledger.secret, events, now=self.clock())

    async def lead(self, hours: float = 0.0) -> None:
        self.clock.seconds += hours * HOUR
        await self.sequences.lead()


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    clock = Ticking()
    ledger = await open_ledger(database_url, Secret(b"s" * 32))
    made = Shop(ledger, clock, MemoryStore(now=clock))
    await made.sync()
    yield made
    await ledger.close()


async def test_a_sequence_goes_from_step_to_step_at_its_times(shop: Shop) -> None:
    await shop.buy()
    await shop.lead()
    assert shop.mailbox.steps == []
    for done in ([0], [0, 1], [0, 1, 2], [0, 1, 2]):
        await shop.lead(hours=1.01)
        assert shop.mailbox.steps == done
    assert await shop.sequences.next_due() is None


async def test_the_same_event_begins_it_once(shop: Shop) -> None:
    await shop.buy()
    await shop.sync()
    await shop.lead(hours=1.01)
    assert shop.mailbox.steps == [0]


async def test_what_happens_to_an_order_while_a_message_of_it_waits_is_news_of_its_own(
    shop: Shop,
) -> None:
    shop.series = Series(steps=1, kinds=(EventKind.ORDER_PLACED, EventKind.ORDER_STATUS_CHANGED))
    await shop.buy()
    await shop.buy(status_id=10)
    await shop.lead(hours=1.01)
    assert shop.mailbox.steps == [0, 0]
    assert len({deed.name for deed in shop.mailbox.deeds}) == 2


async def test_two_variants_that_are_back_at_once_are_told_both(shop: Shop) -> None:
    shop.series = Series(steps=1, kinds=(EventKind.BACK_IN_STOCK,))
    cap = Product(id=1, name="Cap", price=Decimal(9))
    shop.store.put(R.PRODUCTS, cap)
    await shop.hear(*(shop.event(EventKind.BACK_IN_STOCK, cap, variant_id=one) for one in (7, 8, 8)))
    await shop.lead(hours=1.01)
    assert shop.mailbox.steps == [0, 0]


async def test_a_cart_is_met_once_however_many_of_its_events_begin_the_skill(shop: Shop) -> None:
    shop.series = Series(steps=1, kinds=(EventKind.CART_CREATED, EventKind.CART_UPDATED))
    await shop.leave_cart()
    await shop.hear(*(shop.event(kind, CART) for kind in shop.series.kinds))
    await shop.lead(hours=1.01)
    assert shop.mailbox.steps == [0]


async def test_an_event_ends_it(shop: Shop) -> None:
    await shop.buy()
    await shop.lead(hours=1.01)
    shop.store.put(R.REFUNDS, refund(1, 1, "4", created=shop.clock.moment))
    await shop.buy(status_id=10)
    await shop.lead(hours=1.01)
    assert shop.mailbox.steps == [0]


async def test_a_decision_ends_it(shop: Shop) -> None:
    await shop.buy()
    shop.series.rule = lambda _running, _now: Stop(why="enough")
    await shop.lead(hours=1.01)
    assert shop.mailbox.steps == []
    assert await shop.sequences.next_due() is None
    assert shop.said == ["series for order 1: over: enough"]


async def test_it_is_decided_on_what_is_now(shop: Shop) -> None:
    await shop.buy()
    await shop.buy(2)
    await shop.lead(hours=1.01)
    situation = shop.series.seen[0]
    assert situation.subject == shop.store.records[R.ORDERS][1]
    assert situation.metrics.orders_count == 2


async def test_what_must_wait_waits(shop: Shop) -> None:
    await shop.buy()
    until = shop.clock() + 5 * HOUR
    shop.series.rule = lambda _running, now: None if now.now >= until else Wait(until=until, why="night")
    await shop.lead(hours=1.01)
    assert shop.mailbox.steps == []
    assert await shop.sequences.next_due() == until
    await shop.lead(hours=5)
    assert shop.mailbox.steps == [0]


async def test_a_step_that_does_not_apply_is_left_out(shop: Shop) -> None:
    await shop.buy()
    shop.series.rule = lambda running, now: None if running.step else Skip(then=now.now, why="too small")
    await shop.lead(hours=1.01)
    assert shop.mailbox.steps == [1]


async def test_the_messages_of_a_day_are_counted_over_all_sequences(shop: Shop) -> None:
    await shop.buy(1)
    await shop.buy(2)
    await shop.lead(hours=1.01)
    assert [situation.sent_today for situation in shop.series.seen] == [0, 1]


class TestDying:
    """The process dies between a deed and its note."""

    @staticmethod
    def dies(_deed: Deed) -> Done:
        raise Killed

    async def die(self, shop: Shop) -> None:
        await shop.buy()
        shop.mailbox.answer = self.dies
        with pytest.raises(BaseExceptionGroup):
            await shop.lead(hours=1.01)
        shop.mailbox.answer = Mailbox().answer

    async def test_an_email_is_repeated_under_the_same_name(self, shop: Shop) -> None:
        await self.die(shop)
        await shop.lead()
        first, again = shop.mailbox.deeds
        assert first == again

    async def test_after_half_an_hour_it_counts_as_sent(self, shop: Shop) -> None:
        await self.die(shop)
        await shop.lead(hours=0.5)
        assert shop.mailbox.steps == [0]
        await shop.lead(hours=1.01)
        assert shop.mailbox.steps == [0, 1]

    @pytest.mark.parametrize("verb", ["send-sms", "send-whatsapp", "track-event"])
    async def test_what_nobody_would_know_again_is_not_repeated(self, shop: Shop, verb: str) -> None:
        shop.series.verb = verb
        await self.die(shop)
        await shop.lead()
        assert shop.mailbox.steps == [0]

    async def test_a_deed_that_was_begun_does_not_count_against_itself(self, shop: Shop) -> None:
        await self.die(shop)
        await shop.lead()
        assert [situation.sent_today for situation in shop.series.seen] == [0, 0]

    async def test_what_may_be_repeated_is(self, shop: Shop) -> None:
        shop.series.verb = "add-to-list"
        await self.die(shop)
        await shop.lead(hours=5)
        assert shop.mailbox.steps[:2] == [0, 0]


async def test_what_cannot_be_had_now_is_tried_later(shop: Shop) -> None:
    await shop.buy()

    def not_now(_deed: Deed) -> Done:
        raise Later("Brevo is away", seconds=60)

    shop.mailbox.answer = not_now
    with pytest.raises(ExceptionGroup):
        await shop.lead(hours=1.01)
    shop.mailbox.answer = Mailbox().answer
    await shop.lead(hours=0.02)
    assert shop.mailbox.steps == [0, 0]


async def test_what_is_refused_is_kept_with_its_reason_and_can_be_replayed(shop: Shop) -> None:
    await shop.buy()
    shop.mailbox.answer = lambda _deed: Done(verdict=Verdict.REFUSED, reason="no such template")
    await shop.lead(hours=1.01)
    async with shop.ledger.begin() as tx:
        (parked,) = await queue.all_parked(tx, "shop")
    assert parked.reason == "no such template"
    await shop.lead(hours=9)
    assert shop.mailbox.steps == [0]
    shop.mailbox.answer = Mailbox().answer
    connector = shop.connector()
    async with connector.attended():
        await connector.replay([parked.key])
    await shop.lead()
    assert shop.mailbox.steps == [0, 0]
    async with shop.ledger.begin() as tx:
        assert await queue.all_parked(tx, "shop") == []


async def test_a_step_that_was_dismissed_is_not_done_because_another_is_replayed(shop: Shop) -> None:
    await shop.buy(1, "a@x.test")
    await shop.buy(2, "b@x.test")
    shop.mailbox.answer = lambda _deed: Done(verdict=Verdict.REFUSED, reason="no such template")
    await shop.lead(hours=1.01)
    async with shop.ledger.begin() as tx:
        dismissed, other = [entry.key for entry in await queue.all_parked(tx, "shop")]
        await queue.dismiss(tx, "shop", [dismissed], shop.clock())
    shop.mailbox.answer = Mailbox().answer
    shop.mailbox.deeds.clear()
    connector = shop.connector()
    for key in (other, dismissed):
        async with connector.attended():
            await connector.replay([key])
        await shop.lead()
        async with shop.ledger.begin() as tx:
            assert len(await queue.parked_of(tx, "shop", [dismissed])) == (key == other)
    assert {deed.email for deed in shop.mailbox.deeds} == {"a@x.test", "b@x.test"}
    assert len(shop.mailbox.deeds) == 2


async def test_a_discount_has_a_code_of_its_own_that_is_the_same_at_every_attempt(shop: Shop) -> None:
    await shop.buy()
    shop.series.rule = lambda _running, now: Act(
        verb="send-email", params={"step": now.code}, then=None, discount=10
    )
    await TestDying().die(shop)
    await shop.lead()
    (percent, code), again = shop.mailbox.coupons
    assert (percent, code) == again == (10, shop.mailbox.steps[0])
    assert shop.store.codes == {code: (10, inf)}


async def test_nobody_hears_of_a_code_that_the_store_does_not_take(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forbidden(percent: int, seconds: float, code: str) -> None:
        raise Mend("the token lacks a scope", "give it that")

    await shop.buy()
    shop.series.rule = lambda _running, now: Act(
        verb="send-email", params={"step": now.code}, then=None, discount=10, discount_seconds=DAY
    )
    with monkeypatch.context() as patch:
        patch.setattr(shop.store, "discount", forbidden)
        await shop.lead(hours=1.01)
    assert (shop.mailbox.coupons, shop.mailbox.deeds) == ([], [])
    assert "waits: the token lacks a scope" in shop.said[-1]
    await shop.lead(hours=0.1)
    ((code, (percent, until)),) = shop.store.codes.items()
    assert (percent, [code]) == (10, shop.mailbox.steps)
    assert DAY - 1 < until - shop.clock.seconds < DAY


class TestByTheClock:
    """A skill that selects those who have not ordered for thirty days, every midnight."""

    async def days(self, shop: Shop, count: int) -> None:
        for _ in range(count):
            await shop.lead(hours=24)

    async def test_whoever_has_been_silent_long_enough_is_selected_once(self, shop: Shop) -> None:
        shop.series = Series(daily=True, steps=1)
        await shop.lead()
        await shop.buy(1)
        await shop.buy(2, "b@x.test")
        shop.mailbox.deeds.clear()
        await self.days(shop, 29)
        await shop.buy(3, "b@x.test")
        late = [deed.email for deed in shop.mailbox.deeds]
        await self.days(shop, 3)
        silent = [deed.email for deed in shop.mailbox.deeds[len(late) :]]
        assert silent.count("a@x.test") == 1
        await self.days(shop, 20)
        assert [deed.email for deed in shop.mailbox.deeds].count("a@x.test") == 2  # its order's own, and this

    async def test_nobody_is_selected_for_the_time_before_the_skill(self, shop: Shop) -> None:
        await shop.buy(1)
        shop.series.rule = lambda _running, _now: Stop(why="not this")
        await self.days(shop, 40)
        shop.series = Series(daily=True, steps=1)
        await self.days(shop, 3)
        assert shop.mailbox.deeds == []

    async def test_nobody_is_selected_for_the_time_in_which_it_was_off(self, shop: Shop) -> None:
        shop.series = Series(daily=True, steps=1)
        await shop.lead()
        await shop.buy(1)
        await shop.lead(hours=2)
        shop.mailbox.deeds.clear()  # of the order itself
        shop.series.daily = False
        await self.days(shop, 40)
        shop.series.daily = True
        await self.days(shop, 3)
        assert shop.mailbox.deeds == []

    async def test_it_wakes_for_its_rounds(self, shop: Shop) -> None:
        shop.series = Series(daily=True)
        assert await shop.sequences.next_due() == (shop.clock.seconds // DAY + 1) * DAY


class TestConsent:
    """Two kinds of it: to the newsletter, and to mails about carts."""

    async def stands(
        self, shop: Shop, *, blocked_by_us: bool, about: Product | Cart, left: bool = False
    ) -> tuple[Consent, bool]:
        """Whether somebody agreed, and has unsubscribed, who agreed to mails about carts alone. `left`: the
        store was told that they had left, and their block was told of again.
        """
        person = shop.ledger.secret.person("a@x.test")
        async with shop.ledger.begin() as tx:
            row = {"id": 1, "person": person, "storefront": 1, "granted": False, "carts_granted": True}
            await people.remember_subscribers(tx, "shop", [row | {"read_at": 0.0}])
            told = {"person": person, "contact_id": 1, "fingerprint": b"f", "told": Consent.WITHHELD}
            await people.remember_contacts(
                *(tx, "shop"),
                [told | {"blocked_by_us": blocked_by_us, "abandoned": False, "met_at": 0.0, "left_at": None}],
            )
            if left:
                await people.note_leave(tx, "shop", person, 1.0, said=0.0, taken=True)
        shop.mailbox.blocked = True
        shop.series = Series(kinds=(EventKind.CART_ABANDONED, EventKind.BACK_IN_STOCK))
        await shop.leave_cart()
        shop.store.put(R.PRODUCTS, Product(id=1, name="Cap", price=Decimal(9)))
        kind = EventKind.CART_ABANDONED if isinstance(about, Cart) else EventKind.BACK_IN_STOCK
        await shop.hear(shop.event(kind, about))
        await shop.lead(hours=1.01)
        (situation,) = shop.series.seen
        return situation.consent, situation.standing.email_blocked

    async def test_to_mails_about_carts_is_enough_for_those(self, shop: Shop) -> None:
        stands = await self.stands(shop, blocked_by_us=True, about=CART)
        assert stands == (Consent.GRANTED, False)

    async def test_who_unsubscribed_has_unsubscribed_from_those_too(self, shop: Shop) -> None:
        stands = await self.stands(shop, blocked_by_us=False, about=CART)
        assert stands == (Consent.GRANTED, True)

    async def test_also_when_the_store_was_told_and_we_blocklisted_them_for_that(self, shop: Shop) -> None:
        stands = await self.stands(shop, blocked_by_us=True, about=CART, left=True)
        assert stands == (Consent.GRANTED, True)

    async def test_to_mails_about_carts_is_none_to_others(self, shop: Shop) -> None:
        cap = Product(id=1, name="Cap", price=Decimal(9))
        stands = await self.stands(shop, blocked_by_us=True, about=cap)
        assert stands == (Consent.WITHHELD, True)


async def test_what_nobody_needs_any_more_is_forgotten(shop: Shop) -> None:
    await shop.buy()
    await shop.lead(hours=1.01)
    person = shop.ledger.secret.person("a@x.test")
    for days, kept in ((89, 1), (2, 0)):
        shop.clock.seconds += days * DAY
        async with shop.ledger.begin() as tx:
            await keeping.tidy(tx, "shop", shop.clock())
            assert (await ledger_of.sent(tx, person, 0.0, but=b"")).count == kept


async def test_a_cart_is_kept_as_long_as_its_link_brings_it_back(shop: Shop) -> None:
    row = {"id": 1, "uuid": UUID, "person": b"p", "state": carts.ABANDONED, "amount": 1}
    async with shop.ledger.begin() as tx:
        await carts.remember(tx, "shop", [row | {"updated_at": 0.0, "read_at": 0.0, "sealed": b"s"}])
        for days, sealed in ((29, b"s"), (31, None)):
            await keeping.tidy(tx, "shop", days * DAY)
            assert (await carts.recall(tx, "shop", [1]))[1].sealed == sealed


async def test_who_asked_to_be_forgotten_begins_nothing(shop: Shop) -> None:
    async with shop.ledger.begin() as tx:
        await erasure.remember_wish(tx, ["shop"], shop.ledger.secret.person("a@x.test"), shop.clock())
    await shop.buy()
    await shop.lead(hours=1.01)
    assert shop.mailbox.steps == []


async def test_forgetting_somebody_ends_their_sequences_and_leaves_no_deed(shop: Shop) -> None:
    await shop.buy()
    await shop.lead(hours=1.01)
    person = shop.ledger.secret.person("a@x.test")
    async with shop.ledger.begin() as tx:
        erased = await erasure.erase(tx, "shop", person)
    assert (erased.rows["sequences"], erased.rows["deeds"]) == (1, 1)
    assert await shop.sequences.next_due() is None


def test_a_parked_step_has_a_key_of_its_own() -> None:
    assert Key(R.SEQUENCES, 1) != Key(R.EVENTS, 1)
