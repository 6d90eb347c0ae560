"""A skill tried out on paper: the real decisions on a clock that runs ahead, with nobody to hear of it. Pure.

`play` decides; it does not know whether what it looks at is a sample or somebody who exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from tajo.skills.conditions import Facts, first_failing
from tajo.skills.model import Skill
from tajo.skills.params import Shop
from tajo.skills.playbook import Manners, Playbook
from tajo.sync.automation import (
    Act,
    Automation,
    Begin,
    Decision,
    Running,
    Situation,
    Standing,
    Stop,
    Subject,
    Wait,
)
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
)
from tajo.sync.moments import moment

DAY = 86400.0


class Moment(Struct, frozen=True):
    """What is decided at `at` about step number `step`, from 0."""

    at: float
    step: int
    decision: Decision


class Trial(Struct, frozen=True, kw_only=True):
    """What a skill would do if nothing else changes, when `event` (empty: its clock strikes) comes at `at`.

    `why`: why nothing begins; empty if something does. `waits`: the sequence that runs already; then nothing
    need happen, and `moments` are the rest of it.
    """

    at: float
    event: str = ""
    why: str = ""
    waits: Running | None = None
    moments: tuple[Moment, ...] = ()


class Sample(Struct, frozen=True, kw_only=True):
    """Somebody to whom something happens at `now`. `event`: empty for the clock of a schedule.

    `total`: what the cart, the order or the product is worth. `orders`, `spent`: in all, with this one.
    """

    now: float
    event: str = ""
    email: str = "sample@shop.example"
    total: Decimal = Decimal(75)
    status: str = "Awaiting Fulfillment"
    guest: bool = False
    orders: int = 0
    spent: Decimal = Decimal(0)
    consent: bool = True
    unsubscribed: bool = False


def try_out(skill: Skill, manners: Manners, sample: Sample) -> Trial:
    """Everything that would be decided for a sample."""
    playbook = Playbook([replace(skill, enabled=True)], manners, Shop(urls={1: "https://shop.example"}))
    customer = Customer(
        id=int(not sample.guest), email=sample.email, first_name="Sample", last_name="Customer"
    )
    subject = _subject(sample, customer)
    silence = next(iter(playbook.candidates(skill.name, sample.now - DAY, sample.now)), None)
    # A second earlier: just so long ago is a hair less once days have been counted.
    last = silence.until - 1.0 if silence and not sample.event else None
    metrics = Metrics(
        orders_count=max(sample.orders, int(last is not None)),
        total_spent=sample.spent,
        last_order_date=None if last is None else moment(last),
    )
    if sample.event:
        event = Event(
            kind=EventKind(sample.event),
            key=Key(Resource.CUSTOMERS, 1),
            at=moment(sample.now),
            email=sample.email,
            record=subject,
        )
        begin = next(iter(playbook.begins(event, metrics, sample.now)), None)
    else:
        begin = playbook.begins_now(skill.name, Key(Resource.CUSTOMERS, 1), customer, metrics, sample.now)
    if begin is None:
        facts = Facts(now=sample.now, event=sample.event, subject=subject, metrics=metrics)
        return Trial(at=sample.now, event=sample.event, why=unmet(skill, facts))
    situation = Situation(
        now=sample.now,
        subject=subject,
        standing=Standing(exists=True, email_blocked=sample.unsubscribed, attributes={"FIRSTNAME": "Sample"}),
        consent=Consent.GRANTED if sample.consent else Consent.WITHHELD,
        metrics=metrics,
        bought_at=last,
        link="https://tajo.example/r/sample" if isinstance(subject, Cart) else "",
        code="SAMPLECODE",
    )
    running = begun(begin, sample.event, sample.now, origin=begin.email.lower())
    moments = tuple(play(playbook, running, lambda _: situation))
    return Trial(at=sample.now, event=sample.event, moments=moments)


def unmet(skill: Skill, facts: Facts) -> str:
    """Why this event (or the clock, if it is empty) begins nothing: conditions as they are written."""
    if not skill.steps:
        return "it has no steps"
    if facts.event in skill.stop_on:
        return f"`{facts.event}` ends it"
    guest = isinstance(facts.subject, Cart | Order) and facts.subject.customer_id == 0
    if guest and facts.event and not skill.guests:
        return "guests are left out (`detection.exclude_logged_out`)"
    triggers = [one for one in skill.triggers if one.event == facts.event]
    failing = [one for trigger in triggers if (one := first_failing(trigger.conditions, facts))]
    return f"not so: {'; nor: '.join(dict.fromkeys(one.written for one in failing))}"


def begun(begin: Begin, event: str, began: float, *, origin: str) -> Running:
    """A sequence at its begin."""
    return Running(
        skill=begin.skill,
        subject=begin.subject,
        email=begin.email,
        step=0,
        began=began,
        due=begin.due,
        event=event,
        origin=origin,
    )


def play(playbook: Automation, running: Running, look: Callable[[float], Situation]) -> Iterator[Moment]:
    """Every decision about a sequence from where it stands to its end. `look`: how things are at a moment.

    What is sent on the way counts towards the daily cap.
    """
    sent: list[float] = []
    while True:
        now = running.due
        recent = [at for at in sent if at > now - DAY]
        seen = look(now)
        first = min([*recent, *([] if seen.first_sent is None else [seen.first_sent])], default=None)
        seen = replace(seen, now=now, sent_today=seen.sent_today + len(recent), first_sent=first)
        decision = playbook.decide(running, seen)
        yield Moment(now, running.step, decision)
        if isinstance(decision, Wait):
            running = replace(running, due=decision.until)
            continue
        if isinstance(decision, Stop) or decision.then is None:
            return
        if isinstance(decision, Act) and decision.marketing:
            sent.append(now)
        running = replace(running, step=running.step + 1, due=decision.then)


ABOUT = {"customer": Resource.CUSTOMERS, "order": Resource.ORDERS, "cart": Resource.CARTS}


def about(event: str) -> Resource:
    """What such an event is about: what its first word says, else a product."""
    return ABOUT.get(event.partition("_")[0], Resource.PRODUCTS)


def _subject(sample: Sample, customer: Customer) -> Subject:
    """What such an event is about."""
    at, total = moment(sample.now), sample.total
    match about(sample.event) if sample.event else Resource.CUSTOMERS:
        case Resource.CARTS:
            line = CartLine(product_id=1, name="Sample product", price=total, total=total)
            return Cart(
                id=1,
                uuid="00000000-0000-0000-0000-000000000001",
                customer_id=customer.id,
                email=sample.email,
                total=total,
                lines=(line,),
                created=at,
                updated=at,
            )
        case Resource.ORDERS:
            sold = Line(product_id=1, name="Sample product", quantity=1, price=total, total=total)
            return Order(
                id=1,
                customer_id=customer.id,
                email=sample.email,
                status_id=11,
                status=sample.status,
                created=at,
                total=total,
                lines=(sold,),
            )
        case Resource.PRODUCTS:
            return Product(id=1, name="Sample product", price=total, stock=10, path="/sample-product/")
        case _:
            return customer
