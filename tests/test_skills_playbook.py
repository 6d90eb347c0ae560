"""Skills at work: who begins, what ends, and what is sent when, on a clock that is wound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tajo.skills import Manners, Playbook, Shop, settled, shelf, tryout
from tajo.skills.model import CONNECTOR_SKILLS, Skill
from tajo.skills.quiet import is_quiet, quiet_until
from tajo.skills.tryout import Moment, Sample, play, try_out
from tajo.skills.values import Quiet, quiet_hours
from tajo.sync.automation import Act, Begin, Running, Situation, Skip, Standing, Stop, Subject, Wait
from tajo.sync.model import (
    Cart,
    CartLine,
    Consent,
    Customer,
    Event,
    EventKind,
    Key,
    Line,
    Metrics,
    Order,
    Product,
    Resource,
    Variant,
)

HOUR, DAY = 3600.0, 86400.0
T = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
EMAIL = "ada@shop.example"
SHOP = Shop(currency="EUR", urls={1: "https://shop.example"})
SHIPPED = shelf()
STRANGER = Metrics()

LINE = CartLine(
    product_id=7,
    name="Mug",
    quantity=2,
    price=Decimal(30),
    total=Decimal(60),
    url="https://shop.example/mug/",
    image="https://cdn.example/mug.jpg",
)
CART = Cart(id=1, uuid="u-1", customer_id=5, email=EMAIL, currency="EUR", total=Decimal(60), lines=(LINE,))
SOLD = Line(product_id=7, name="Mug", quantity=2, price=Decimal(30), total=Decimal(60), path="/mug/")
ORDER = Order(
    id=17,
    customer_id=5,
    email=EMAIL,
    status_id=11,
    status="Awaiting Fulfillment",
    created=datetime.fromtimestamp(T, UTC),
    total=Decimal(60),
    lines=(SOLD,),
)
CUSTOMER = Customer(id=5, email=EMAIL, first_name="Ada")
PRODUCT = Product(
    id=7,
    name="Mug",
    price=Decimal(30),
    path="/mug/",
    variants=(
        Variant(id=70, options="Red", price=Decimal(30), stock=0),
        Variant(id=71, options="Blue", price=Decimal(31), stock=4),
    ),
)
SHARING = (
    Variant(id=70, options="Red", price=Decimal(30)),
    Variant(id=71, options="Blue", price=Decimal(31)),
)
SUBJECTS: Mapping[str, Subject] = {"cart": CART, "order": ORDER, "customer": CUSTOMER, "back": PRODUCT}


def skill(name: str, **options: Any) -> Skill:
    """A shipped skill, enabled, with templates 1, 2, … and these options."""
    count = len(options.get("sequence", SHIPPED.skills[name].steps))
    given = {"enabled": True, "templates": list(range(1, count + 1))} | options
    found, wrong = settled(SHIPPED, {name: given})
    assert wrong == []
    return found.skills[name]


def playbook(*skills: Skill, **manners: Any) -> Playbook:
    return Playbook(skills, Manners(**manners), SHOP)


def event(kind: str, record: Subject | None = None, *, email: str = EMAIL) -> Event:
    record = record or SUBJECTS[kind.partition("_")[0]]
    resource = {Cart: "carts", Order: "orders", Product: "products", Customer: "customers"}[type(record)]
    key = Key(Resource(resource), record.id)
    return Event(kind=EventKind(kind), key=key, at=datetime.fromtimestamp(T, UTC), email=email, record=record)


def situation(now: float, subject: Subject | None = CART, **more: Any) -> Situation:
    given = {
        "standing": Standing(exists=True, attributes={"FIRSTNAME": "Ada"}),
        "consent": Consent.GRANTED,
        "link": "https://tajo.example/r/x",
        "code": "CODE",
    }
    return Situation(now=now, subject=subject, **(given | more))


def begun(book: Playbook, kind: str, metrics: Metrics = STRANGER) -> Begin:
    (begin,) = book.begins(event(kind), metrics, T)
    return begin


def played(
    book: Playbook, kind: str, look: Callable[[float], Situation] = situation, metrics: Metrics = STRANGER
) -> list[Moment]:
    return list(play(book, first(begun(book, kind, metrics), kind), look))


def first(begin: Begin, kind: str) -> Running:
    return tryout.begun(begin, kind, T, origin=EMAIL)


def hours(moments: Sequence[Moment]) -> list[float]:
    """When something was sent, in hours since the begin."""
    return [(one.at - T) / HOUR for one in moments if isinstance(one.decision, Act)]


def last(moments: list[Moment]) -> str:
    decision = moments[-1].decision
    assert isinstance(decision, Stop | Skip)
    return decision.why


# Beginning and ending


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (name, trigger.event)
        for name, one in SHIPPED.skills.items()
        if name not in CONNECTOR_SKILLS
        for trigger in one.triggers
        if trigger.event and trigger.event not in one.stop_on
    ],
)
def test_every_trigger_of_a_shipped_skill_begins_it(name: str, kind: str) -> None:
    shipped = replace(ORDER, status="Shipped", status_id=2)
    record = shipped if kind == "order_status_changed" else None
    (begin,) = playbook(skill(name)).begins(event(kind, record), Metrics(), T)
    assert (begin.skill, begin.email, begin.restart) == (name, EMAIL, False)
    assert begin.due >= T


def test_what_is_off_and_what_the_connector_does_itself_begins_nothing() -> None:
    book = Playbook(SHIPPED.skills.values(), Manners(), SHOP)
    for kind in ("cart_abandoned", "order_placed", "customer_created", "back_in_stock"):
        assert book.begins(event(kind), Metrics(), T) == []
    assert book.schedules(T) == []


def test_an_event_about_nobody_begins_nothing() -> None:
    assert playbook(skill("back-in-stock")).begins(event("back_in_stock", email=""), Metrics(), T) == ()


def test_conditions_decide_whether_it_begins() -> None:
    triggers = [{"event": "cart_abandoned", "conditions": [{"cart_value": "> 60"}]}]
    book = playbook(skill("abandoned-cart", triggers=triggers))
    assert book.begins(event("cart_abandoned"), Metrics(), T) == []
    dearer = replace(CART, total=Decimal(61))
    assert len(book.begins(event("cart_abandoned", dearer), Metrics(), T)) == 1


def test_guests_can_be_left_out() -> None:
    guest = event("cart_abandoned", replace(CART, customer_id=0))
    assert len(playbook(skill("abandoned-cart")).begins(guest, Metrics(), T)) == 1
    only_accounts = skill("abandoned-cart", detection={"exclude_logged_out": True})
    assert playbook(only_accounts).begins(guest, Metrics(), T) == []


def test_a_debounce_begins_anew_and_waits_until_it_has_been_quiet() -> None:
    triggers = [{"event": "cart_abandoned", "debounce": "5h"}]
    begin = begun(playbook(skill("abandoned-cart", triggers=triggers)), "cart_abandoned")
    assert (begin.due, begin.restart) == (T + 5 * HOUR, True)


@pytest.mark.parametrize(
    ("metrics", "delay"),
    [
        (Metrics(), 2 * HOUR),
        (Metrics(orders_count=1, total_spent=Decimal(500)), HOUR),
        (Metrics(orders_count=1, total_spent=Decimal(501)), HOUR / 2),
    ],
)
def test_the_first_delay_goes_by_the_kind_of_customer(metrics: Metrics, delay: float) -> None:
    assert begun(playbook(skill("abandoned-cart")), "cart_abandoned", metrics).due == T + delay


def test_the_events_of_stop_on_end_it_and_begin_nothing() -> None:
    book = playbook(skill("abandoned-cart"), skill("win-back"), skill("post-purchase"))
    assert book.ends(event("cart_recovered")) == {"abandoned-cart"}
    assert book.ends(event("order_placed")) == {"abandoned-cart", "win-back"}
    assert book.ends(event("order_refunded")) == {"post-purchase"}
    assert book.begins(event("cart_recovered"), Metrics(), T) == []


# Whole sequences


def test_an_abandoned_cart_gets_three_mails_with_growing_discounts() -> None:
    moments = played(playbook(skill("abandoned-cart")), "cart_abandoned")
    assert hours(moments) == [2, 26, 74]
    acts = [one.decision for one in moments if isinstance(one.decision, Act)]
    assert [(act.verb, act.params["templateId"], act.discount, act.discount_seconds) for act in acts] == [
        ("send-email", 1, 0, 0),
        ("send-email", 2, 10, 0),
        ("send-email", 3, 15, DAY),
    ]
    assert acts[-1].then is None
    assert acts[-1].params == {
        "templateId": 3,
        "subject": "Last chance - items selling fast",
        "tags": ["abandoned-cart"],
        "params": {
            "cart_id": "u-1",
            "total": 60.0,
            "currency": "EUR",
            "items_count": 2,
            "items": [
                {
                    "product_id": "7",
                    "name": "Mug",
                    "quantity": 2,
                    "price": 30.0,
                    "total": 60.0,
                    "url": "https://shop.example/mug/",
                    "image": "https://cdn.example/mug.jpg",
                }
            ],
            "recovery_url": "https://tajo.example/r/x",
            "discount_percent": 15,
            "discount_code": "CODE",
            "discount_expires": "2026-03-06",
        },
    }


def test_a_cart_below_the_threshold_gets_no_discount() -> None:
    cheap = replace(CART, total=Decimal(50))
    moments = played(playbook(skill("abandoned-cart")), "cart_abandoned", lambda at: situation(at, cheap))
    acts = [one.decision for one in moments if isinstance(one.decision, Act)]
    assert [act.discount for act in acts] == [0, 0, 0]
    assert not any("discount_code" in act.params["params"] for act in acts)


def test_whoever_buys_between_two_mails_gets_no_more() -> None:
    def look(at: float) -> Situation:
        return situation(at, bought_at=T + 10 * HOUR if at > T + 10 * HOUR else None)

    moments = played(playbook(skill("abandoned-cart")), "cart_abandoned", look)
    assert (hours(moments), last(moments)) == ([2], "they have ordered")


def test_an_order_from_before_stops_nothing() -> None:
    moments = played(
        playbook(skill("abandoned-cart")), "cart_abandoned", lambda at: situation(at, bought_at=T - 1)
    )
    assert len(hours(moments)) == 3


def test_a_cart_that_is_gone_ends_it() -> None:
    moments = played(playbook(skill("abandoned-cart")), "cart_abandoned", lambda at: situation(at, None))
    assert (hours(moments), last(moments)) == ([], "it is gone, or was bought")


def test_whoever_unsubscribes_in_the_middle_gets_no_more() -> None:
    def look(at: float) -> Situation:
        return situation(at, standing=Standing(exists=True, email_blocked=at > T + DAY))

    moments = played(playbook(skill("abandoned-cart")), "cart_abandoned", look)
    assert (hours(moments), last(moments)) == ([2], "they have unsubscribed")


def test_nobody_without_consent_gets_marketing() -> None:
    moments = played(
        playbook(skill("abandoned-cart")),
        "cart_abandoned",
        lambda at: situation(at, consent=Consent.WITHHELD),
    )
    assert (hours(moments), last(moments)) == ([], "they have not agreed to marketing")


@pytest.mark.parametrize(
    ("exists", "consent", "made"),
    [
        (False, Consent.WITHHELD, False),
        (False, Consent.GRANTED, True),
        (True, Consent.WITHHELD, True),  # it is updated, and stays blocklisted if it is
    ],
)
def test_nobody_who_did_not_agree_becomes_a_contact_by_a_step(
    exists: bool, consent: Consent, made: bool
) -> None:
    steps = [{"action": "brevo/create-contact", "attributes": {"FIRSTNAME": "Ada"}}]
    making = skill("abandoned-cart", sequence=steps, actions=["brevo/create-contact"], templates=[])
    moments = played(
        playbook(making),
        "cart_abandoned",
        lambda at: situation(at, standing=Standing(exists=exists), consent=consent),
    )
    assert any(isinstance(one.decision, Act) for one in moments) is made


def test_messages_of_a_purchase_need_no_consent_and_do_not_count() -> None:
    nobody = Standing(exists=True, email_blocked=True)

    def look(at: float) -> Situation:
        return situation(at, ORDER, standing=nobody, consent=Consent.WITHHELD, sent_today=9)

    moments = played(playbook(skill("order-notifications")), "order_placed", look)
    assert hours(moments) == [0]
    (act, *_) = [one.decision for one in moments if isinstance(one.decision, Act)]
    assert (act.marketing, act.params["params"]["status"]) == (False, "Awaiting Fulfillment")
    assert act.params["params"]["items"][0]["url"] == "https://shop.example/mug/"


def test_each_moment_of_an_order_has_its_own_mail() -> None:
    sent = {}
    for status, number in (("Shipped", 2), ("Cancelled", 5)):
        order = replace(ORDER, status=status, status_id=number)
        book = playbook(skill("order-notifications"))
        (begin,) = book.begins(event("order_status_changed", order), Metrics(), T)
        running = first(begin, "order_status_changed")
        moments = play(book, running, lambda at, order=order: situation(at, order))
        acts = [one.decision for one in moments if isinstance(one.decision, Act)]
        sent[status] = [act.params["templateId"] for act in acts]
    assert sent == {"Shipped": [2], "Cancelled": [3]}


def test_a_step_whose_condition_does_not_hold_is_left_out() -> None:
    def look(at: float) -> Situation:
        return situation(at, CUSTOMER, metrics=Metrics(orders_count=int(at > T + 4 * DAY)))

    moments = played(playbook(skill("welcome-series")), "customer_created", look)
    assert (hours(moments), last(moments)) == ([0, 72], "not so: orders_count = 0")


@pytest.mark.parametrize(
    ("product", "variant", "sent"),
    [
        (PRODUCT, None, True),
        (PRODUCT, 71, True),
        (PRODUCT, 70, False),
        (PRODUCT, 72, False),
        (replace(PRODUCT, visible=False), 71, False),
        (replace(PRODUCT, variants=(), stock=None), None, True),
        (replace(PRODUCT, variants=(), stock=0), None, False),
        (replace(PRODUCT, variants=SHARING, stock=1), None, True),
        (replace(PRODUCT, variants=SHARING, stock=0), None, False),
        (replace(PRODUCT, variants=SHARING, stock=None), None, True),
    ],
)
def test_what_is_sold_out_again_is_not_announced(product: Product, variant: int | None, sent: bool) -> None:
    data = {"variant_id": variant} if variant else {}
    running = Running(
        skill="back-in-stock",
        subject=Key(Resource.PRODUCTS, 7),
        email=EMAIL,
        step=0,
        began=T,
        due=T,
        event="back_in_stock",
        data=data,
    )
    decision = playbook(skill("back-in-stock")).decide(running, situation(T, product))
    assert isinstance(decision, Act if sent else Stop)
    if isinstance(decision, Act) and variant:
        told = decision.params["params"]
        assert (told["variant_name"], told["price"], told["url"]) == (
            "Blue",
            31.0,
            "https://shop.example/mug/",
        )


def test_text_messages_and_lists_can_be_steps() -> None:
    steps = [
        {"action": "brevo/send-sms", "content": "Hi {{ contact.FIRSTNAME }}: {{ recovery_url }}"},
        {"action": "brevo/add-to-list", "list": "Lost carts", "delay": "1h"},
        {"action": "brevo/track-event", "event": "lost", "params": {"worth": "{{ cart.total }}"}},
    ]
    book = playbook(skill("abandoned-cart", sequence=steps, templates=[], timing={}), sms_sender="Shop")
    acts = [one.decision for one in played(book, "cart_abandoned") if isinstance(one.decision, Act)]
    assert [(act.verb, act.marketing, act.params) for act in acts] == [
        (
            "send-sms",
            True,
            {
                "sender": "Shop",
                "content": "Hi Ada: https://tajo.example/r/x",
                "type": "marketing",
                "tag": "abandoned-cart",
            },
        ),
        ("add-to-list", False, {"list": "Lost carts"}),
        ("track-event", False, {"event_name": "lost", "event_properties": {"worth": 60.0}}),
    ]
    blocked = Standing(exists=True, sms_blocked=True)
    moments = played(book, "cart_abandoned", lambda at: situation(at, standing=blocked))
    assert isinstance(moments[0].decision, Skip)
    assert len(hours(moments)) == 2


def test_a_skill_or_a_step_that_is_no_more_ends_what_waits_for_it() -> None:
    running = Running(
        skill="abandoned-cart", subject=Key(Resource.CARTS, 1), email=EMAIL, step=3, began=T, due=T
    )
    assert playbook(skill("abandoned-cart")).decide(running, situation(T)) == Stop(
        why="the skill has no such step any more"
    )
    assert playbook().decide(running, situation(T)) == Stop(why="the skill is not enabled any more")


# Not too much, and not at night


def test_the_cap_of_a_day_makes_it_wait() -> None:
    steps = [{"subject": "a"}, {"subject": "b"}, {"subject": "c"}]
    book = playbook(skill("abandoned-cart", sequence=steps, timing={}), daily_cap=1)
    assert hours(played(book, "cart_abandoned")) == [0, 24, 48]
    book = playbook(skill("abandoned-cart", sequence=steps, timing={}), daily_cap=2)
    assert hours(played(book, "cart_abandoned")) == [0, 0, 24]


def test_quiet_hours_are_those_of_whoever_would_get_it() -> None:
    book = playbook(skill("abandoned-cart"), quiet=quiet_hours("21:00-08:00"), timezone="Europe/Berlin")

    def sent_at(zone: str) -> float:
        standing = Standing(exists=True, attributes={"TIMEZONE": zone})
        return hours(played(book, "cart_abandoned", lambda at: situation(at, standing=standing)))[0]

    assert sent_at("") == 2  # 15:00 in Berlin
    assert sent_at("nonsense") == 2
    assert sent_at("Asia/Tokyo") == 11  # 23:00 there; 08:00 is 23:00 UTC
    assert sent_at("America/Los_Angeles") == 4  # 06:00 there; 08:00 is 16:00 UTC


def test_a_skill_has_quiet_hours_of_its_own_and_purchases_heed_no_others() -> None:
    quiet = quiet_hours("00:00-23:00")
    look = lambda at: situation(at, ORDER)  # noqa: E731
    assert hours(played(playbook(skill("order-notifications"), quiet=quiet), "order_placed", look)) == [0]
    own = skill("order-notifications", quiet_hours="11:00-13:00", timezone="UTC")
    assert hours(played(playbook(own, quiet=quiet), "order_placed", look)) == [1]


@pytest.mark.parametrize(
    ("zone", "span", "now", "until"),
    [
        # The night in which the clock goes forward has an hour less, the other one an hour more.
        ("Europe/Berlin", "21:00-08:00", "2026-03-28T20:30+00:00", "2026-03-29T06:00+00:00"),
        ("Europe/Berlin", "21:00-08:00", "2026-10-24T20:30+00:00", "2026-10-25T07:00+00:00"),
        # An end that is left out comes with the change; one that is repeated comes, and goes, twice.
        ("Europe/Berlin", "21:00-02:30", "2026-03-28T23:00+00:00", "2026-03-29T01:00+00:00"),
        ("Europe/Berlin", "21:00-02:30", "2026-10-24T23:00+00:00", "2026-10-25T00:30+00:00"),
        ("Europe/Berlin", "21:00-02:30", "2026-10-25T01:10+00:00", "2026-10-25T01:30+00:00"),
        ("UTC", "12:00-13:00", "2026-01-01T12:59+00:00", "2026-01-01T13:00+00:00"),
        ("UTC", "12:00-13:00", "2026-01-01T13:00+00:00", None),
    ],
)
def test_quiet_hours_end_when_the_wall_says_so(zone: str, span: str, now: str, until: str | None) -> None:
    moment = datetime.fromisoformat(now).timestamp()
    found = quiet_until(quiet_hours(span), moment, ZoneInfo(zone))
    assert found == (None if until is None else datetime.fromisoformat(until).timestamp())


@given(
    start=st.integers(0, 1439),
    length=st.integers(1, 1439),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    now=st.one_of(
        st.integers(1_774_600_000, 1_774_800_000),  # around the last Sunday of March 2026
        st.integers(1_772_900_000, 1_773_100_000),  # America goes forward
        st.integers(1_792_800_000, 1_793_000_000),  # October 2026
    ).map(lambda second: second // 60 * 60),
)
def test_quiet_hours_end_at_the_first_minute_that_is_not_quiet(
    start: int, length: int, zone: str, now: int
) -> None:
    end = (start + length) % 1440
    span = Quiet(time(start // 60, start % 60), time(end // 60, end % 60))
    there = ZoneInfo(zone)
    until = quiet_until(span, now, there)
    expected = next(at for at in range(now, now + 3 * 86400, 60) if not is_quiet(span, at, there))
    assert (now if until is None else until) == expected


# Variants


def variant_of(book: Playbook, person: str) -> str:
    running = Running(
        skill="abandoned-cart",
        subject=Key(Resource.CARTS, 1),
        email=EMAIL,
        step=0,
        began=T,
        due=T,
        event="cart_abandoned",
        origin=person,
    )
    decision = book.decide(running, situation(T))
    assert isinstance(decision, Act)
    expected = {"urgency": "Selling fast", "friendly": "Forgot something, Ada?"}[decision.variant]
    assert decision.params["subject"] == expected
    assert decision.params["tags"] == ["abandoned-cart", f"abandoned-cart:{decision.variant}"]
    return decision.variant


AB = {
    "variants": [
        {"name": "urgency", "subject": "Selling fast", "weight": 30},
        {"name": "friendly", "subject": "Forgot something, {{ contact.FIRSTNAME }}?", "weight": 70},
    ]
}


@given(st.text(min_size=1))
def test_a_contact_always_draws_the_same_variant(person: str) -> None:
    assert variant_of(playbook(skill("abandoned-cart", ab_testing=AB)), person) == variant_of(
        playbook(skill("abandoned-cart", ab_testing=AB), skill("win-back")), person
    )


@given(st.integers(0, 10_000))
def test_variants_are_drawn_as_they_weigh(start: int) -> None:
    book = playbook(skill("abandoned-cart", ab_testing=AB))
    drawn = Counter(variant_of(book, f"{start}-{i}") for i in range(1000))
    assert 200 < drawn["urgency"] < 400


def test_only_the_first_mail_has_the_subject_of_a_variant() -> None:
    acts = [
        one.decision
        for one in played(playbook(skill("abandoned-cart", ab_testing=AB)), "cart_abandoned")
        if isinstance(one.decision, Act)
    ]
    assert len({act.variant for act in acts}) == 1
    assert [act.params["subject"] for act in acts[1:]] == [
        "Your cart is waiting",
        "Last chance - items selling fast",
    ]
    off = skill("abandoned-cart", ab_testing={**AB, "enabled": False})
    assert played(playbook(off), "cart_abandoned")[0].decision.variant == ""  # type: ignore[union-attr]


# By the clock


def test_a_schedule_says_when_it_is_next_and_whom_it_selects() -> None:
    book = playbook(skill("win-back"), timezone="Europe/Berlin")
    (first,) = book.schedules(T)
    assert first.at == datetime(2026, 3, 3, 8, tzinfo=UTC).timestamp()
    (second,) = book.schedules(first.at)
    (silence,) = book.candidates("win-back", first.at, second.at)
    assert (silence.after, silence.until) == (first.at - 90 * DAY, second.at - 90 * DAY)


def test_a_silence_is_met_by_one_round() -> None:
    book = playbook(skill("win-back"))
    rounds = [book.schedules(T)[0].at]
    while len(rounds) < 120:
        rounds.append(book.schedules(rounds[-1])[0].at)
    bought = T - 3 * DAY
    met = [
        now
        for since, now in pairwise(rounds)
        for silence in book.candidates("win-back", since, now)
        if silence.after < bought <= silence.until
    ]
    assert len(met) == 1
    assert 90 * DAY <= met[0] - bought < 91 * DAY


def test_a_candidate_begins_if_all_conditions_hold() -> None:
    book = playbook(skill("win-back"))
    key = Key(Resource.CUSTOMERS, 5)
    long_ago = Metrics(orders_count=1, last_order_date=datetime.fromtimestamp(T, UTC) - timedelta(days=90))
    begin = book.begins_now("win-back", key, CUSTOMER, long_ago, T)
    assert begin == Begin(skill="win-back", subject=key, email=EMAIL, due=T)
    assert book.begins_now("win-back", key, CUSTOMER, long_ago, T - 1) is None
    assert book.begins_now("win-back", key, CUSTOMER, Metrics(), T) is None
    assert book.begins_now("abandoned-cart", key, CUSTOMER, long_ago, T) is None


# Trying out


def test_trying_a_skill_out_goes_the_same_ways() -> None:
    shipped = SHIPPED.skills["abandoned-cart"]
    trial = try_out(shipped, Manners(), Sample(now=T, event="cart_abandoned", guest=True))
    assert (trial.why, hours(trial.moments)) == ("", [2, 26, 74])
    quiet = Manners(quiet=quiet_hours("12:00-18:00"))
    trial = try_out(shipped, quiet, Sample(now=T, event="cart_abandoned"))
    assert isinstance(trial.moments[0].decision, Wait)


@given(st.floats(1_700_000_000, 1_900_000_000))
def test_trying_win_back_out_always_begins(now: float) -> None:
    assert try_out(SHIPPED.skills["win-back"], Manners(), Sample(now=now)).why == ""


@pytest.mark.parametrize(
    ("name", "options", "sample", "why"),
    [
        (
            "order-notifications",
            {},
            Sample(now=T, event="order_status_changed", status="Pending"),
            "not so: status: shipped, cancelled",
        ),
        ("abandoned-cart", {}, Sample(now=T, event="cart_recovered"), "`cart_recovered` ends it"),
        (
            "abandoned-cart",
            {"detection": {"exclude_logged_out": True}},
            Sample(now=T, event="cart_abandoned", guest=True),
            "guests are left out (`detection.exclude_logged_out`)",
        ),
        (
            "abandoned-cart",
            {
                "triggers": [
                    {"event": "cart_abandoned", "conditions": [{"cart_value": "> 80"}]},
                    {"event": "cart_abandoned", "conditions": [{"orders_count": ">= 1"}]},
                ]
            },
            Sample(now=T, event="cart_abandoned"),
            "not so: cart_value > 80; nor: orders_count >= 1",
        ),
        ("abandoned-cart", {"sequence": []}, Sample(now=T, event="cart_abandoned"), "it has no steps"),
    ],
)
def test_what_begins_nothing_says_why(name: str, options: Any, sample: Sample, why: str) -> None:
    trial = try_out(skill(name, **options), Manners(), sample)
    assert (trial.why, trial.moments) == (why, ())
