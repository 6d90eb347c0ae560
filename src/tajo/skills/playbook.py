"""All enabled skills as one automation: who begins a sequence, what ends it, what its next step is. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

from msgspec import Struct

from tajo.skills.conditions import DAY, Condition, Facts, first_failing
from tajo.skills.model import MESSAGES, UNSUBSCRIBE, Kind, Skill, Step, Timing, Trigger, Variant
from tajo.skills.params import Shop, rendered
from tajo.skills.quiet import quiet_until
from tajo.skills.values import Quiet, zone_of
from tajo.sync.automation import (
    Act,
    Begin,
    Decision,
    Round,
    Running,
    Silence,
    Situation,
    Skip,
    Stop,
    Wait,
    worth,
)
from tajo.sync.model import Cart, Consent, Customer, Event, Key, Metrics, Order, Product

UTC = ZoneInfo("UTC")


class Manners(Struct, frozen=True, kw_only=True):
    """How the merchant wants to behave, whatever the skill. `timezone`: the store's, if nothing else is said.

    `daily_cap`: marketing messages to one person in 24 hours, of all skills together.
    """

    daily_cap: int = 3
    quiet: Quiet | None = None
    timezone: str = "UTC"
    sms_sender: str = ""
    whatsapp_sender: str = ""


class Playbook:
    """The automation of these skills; those that are off, or that the connector does itself, do nothing."""

    def __init__(self, skills: Iterable[Skill], manners: Manners, shop: Shop) -> None:
        self._skills = {skill.name: skill for skill in skills if skill.enabled and skill.steps}
        self._manners = manners
        self._shop = shop

    def begins(self, event: Event, metrics: Metrics, now: float) -> Sequence[Begin]:
        """The sequences that this event begins, one at the most for each skill; none about nobody."""
        if not event.email:
            return ()
        facts = Facts(now=now, event=event.kind, subject=event.record, metrics=metrics)
        return [
            self._begin(skill, trigger, event.key, event.email, facts)
            for skill in self._skills.values()
            if event.kind not in skill.stop_on and (skill.guests or not _guest(event))
            for trigger in [_met(skill.triggers, facts)]
            if trigger
        ]

    def ends(self, event: Event) -> frozenset[str]:
        """The skills that stop on this event."""
        return frozenset(name for name, skill in self._skills.items() if event.kind in skill.stop_on)

    def schedules(self, now: float) -> Sequence[Round]:
        """The next time after `now` of every skill that goes by the clock, the earliest first."""
        rounds = [
            Round(name, trigger.schedule.after(now, self._zone(trigger.timezone, skill.timezone)))
            for name, skill in self._skills.items()
            for trigger in skill.triggers
            if trigger.schedule
        ]
        return sorted(rounds, key=lambda one: one.at)

    def candidates(self, skill: str, since: float, now: float) -> Sequence[Silence]:
        """Whose silence has grown long enough between two rounds of a skill, `since` and `now`.

        Each silence is met by one round, so that nobody begins twice for it, however often it is asked.
        """
        found = self._skills.get(skill)
        spans = [
            _days(trigger.conditions) * DAY
            for trigger in (found.triggers if found else ())
            if trigger.schedule
        ]
        return [Silence(since - span, now - span) for span in spans]

    def begins_now(
        self, skill: str, subject: Key, customer: Customer, metrics: Metrics, now: float
    ) -> Begin | None:
        """The sequence of a skill that goes by the clock, for one of its candidates; None if it is none."""
        found = self._skills.get(skill)
        facts = Facts(now=now, subject=customer, metrics=metrics)
        trigger = _met(found.triggers, facts, scheduled=True) if found else None
        return self._begin(found, trigger, subject, customer.email, facts) if found and trigger else None

    def decide(self, running: Running, situation: Situation) -> Decision:
        """What is to be done about a sequence whose next step is due, as things are now."""
        skill = self._skills.get(running.skill)
        if skill is None:
            return Stop(why="the skill is not enabled any more")
        if running.step >= len(skill.steps):
            return Stop(why="the skill has no such step any more")
        over = _over(skill, running, situation)
        if over:
            return Stop(why=over)
        step = skill.steps[running.step]
        then = _then(skill, running.step, situation.now)
        why = _hindrance(skill, step, running, situation)
        if why:
            return Skip(then=then, why=why)
        if step.verb in MESSAGES:
            wait = self._wait(skill, situation)
            if wait:
                return wait
        return self._act(skill, step, running, situation, then)

    def _begin(self, skill: Skill, trigger: Trigger, subject: Key, email: str, facts: Facts) -> Begin:
        timing = skill.timing.get(kind_of(skill, facts), Timing())
        first = skill.steps[0].delay if timing.first is None else timing.first
        return Begin(
            skill=skill.name,
            subject=subject,
            email=email,
            due=facts.now + max(first, trigger.debounce),
            restart=trigger.debounce > 0,
        )

    def _wait(self, skill: Skill, situation: Situation) -> Wait | None:
        """Until somebody may be written to again; None: now."""
        now, manners = situation.now, self._manners
        if skill.marketing and situation.sent_today >= manners.daily_cap:
            again = max((situation.first_sent or now) + DAY, now + 1)
            return Wait(until=again, why=f"{situation.sent_today} messages in 24 hours are enough")
        hours = skill.quiet or (manners.quiet if skill.marketing else None)
        zone = self._zone(str(situation.standing.attributes.get("TIMEZONE") or ""), skill.timezone)
        until = quiet_until(hours, now, zone) if hours else None
        return None if until is None else Wait(until=until, why=f"quiet hours, {hours} in {zone.key}")

    def _act(
        self, skill: Skill, step: Step, running: Running, situation: Situation, then: float | None
    ) -> Act:
        variant = _drawn(skill, running)
        first_email = next((one for one in skill.steps if one.verb == "send-email"), None)
        discount = step.discount if _deserves(skill, running, situation) else 0
        params = rendered(
            step,
            skill,
            running,
            situation,
            self._shop,
            discount=discount,
            variant=variant if step is first_email else None,
        )
        senders = {
            "send-sms": ("sender", self._manners.sms_sender),
            "send-whatsapp": ("senderNumber", self._manners.whatsapp_sender),
        }
        if step.verb in senders:
            key, sender = senders[step.verb]
            params = ({key: sender} if sender else {}) | params
        return Act(
            verb=step.verb,
            params=params,
            then=then,
            marketing=skill.marketing and step.verb in MESSAGES,
            discount=discount,
            discount_seconds=step.discount_seconds if discount else 0.0,
            variant=variant.name if variant else "",
        )

    def _zone(self, *names: str) -> ZoneInfo:
        """The first zone that there is, of these and the merchant's."""
        return next(
            (zone for name in (*names, self._manners.timezone) if name and (zone := zone_of(name))), UTC
        )


def kind_of(skill: Skill, facts: Facts) -> Kind:
    """What sort of customer somebody is, in the eyes of a skill."""
    if skill.vip and first_failing(skill.vip, facts) is None:
        return Kind.VIP
    return Kind.REPEAT if facts.metrics.orders_count else Kind.NEW


def _met(triggers: Sequence[Trigger], facts: Facts, *, scheduled: bool = False) -> Trigger | None:
    return next(
        (
            one
            for one in triggers
            if (one.schedule is not None if scheduled else one.event == facts.event)
            and first_failing(one.conditions, facts) is None
        ),
        None,
    )


def _guest(event: Event) -> bool:
    return isinstance(event.record, Cart | Order) and event.record.customer_id == 0


def _days(conditions: Sequence[Condition]) -> float:
    """The least number of days since the last order that these ask for."""
    asked = [
        one.values[0] for one in conditions if one.field == "days_since_order" and one.way in (">", ">=")
    ]
    return float(max((days for days in asked if isinstance(days, Decimal)), default=Decimal(0)))


def _facts(running: Running, situation: Situation) -> Facts:
    return Facts(
        now=situation.now,
        event=running.event,
        subject=situation.subject,
        metrics=situation.metrics,
        bought_at=situation.bought_at,
    )


def _over(skill: Skill, running: Running, situation: Situation) -> str:
    """Why the sequence is over; empty if it is not."""
    if situation.subject is None:
        return "it is gone, or was bought"
    if "order_placed" in skill.stop_on and (situation.bought_at or 0.0) > running.began:
        return "they have ordered"
    if UNSUBSCRIBE in skill.stop_on and situation.standing.email_blocked:
        return "they have unsubscribed"
    if running.event == "back_in_stock" and isinstance(situation.subject, Product):
        return _sold_out(situation.subject, running)
    return ""


def _sold_out(product: Product, running: Running) -> str:
    """Told of a variant, only its own stock counts; a product with variants has what they have.

    Variants of which none has a stock of its own share the product's.
    """
    if not product.visible:
        return "it is not sold any more"
    wanted = running.data.get("variant_id")
    variants = [one for one in product.variants if one.purchasable and wanted in (None, one.id)]
    if wanted or product.variants:
        shared = all(one.stock is None for one in product.variants)
        stocks = [product.stock if shared else one.stock for one in variants]
    else:
        stocks = [product.stock]
    return "" if any(stock is None or stock > 0 for stock in stocks) else "it is sold out again"


def _hindrance(skill: Skill, step: Step, running: Running, situation: Situation) -> str:
    """Why this step does not apply; empty if it does."""
    failing = first_failing(step.conditions, _facts(running, situation))
    if failing:
        return f"not so: {failing.written}"
    standing = situation.standing
    if step.verb == "create-contact" and not standing.exists and situation.consent is not Consent.GRANTED:
        return "they have not agreed to marketing, and a contact made here would look as if they had"
    if step.verb not in MESSAGES:
        return ""
    reasons = {
        "they take no text messages": step.verb == "send-sms" and standing.sms_blocked,
        "they take no messages on WhatsApp": step.verb == "send-whatsapp" and standing.whatsapp_blocked,
        "they have unsubscribed": skill.marketing and standing.email_blocked,
        "they have not agreed to marketing": skill.marketing and situation.consent is not Consent.GRANTED,
    }
    return next((why for why, is_so in reasons.items() if is_so), "")


def _then(skill: Skill, step: int, now: float) -> float | None:
    return now + skill.steps[step + 1].delay if step + 1 < len(skill.steps) else None


def _deserves(skill: Skill, running: Running, situation: Situation) -> bool:
    """Whether the subject is worth a discount, to this kind of customer."""
    threshold = skill.timing.get(kind_of(skill, _facts(running, situation)), Timing()).threshold
    return threshold == 0 or bool(worth(situation.subject) > threshold)


def _drawn(skill: Skill, running: Running) -> Variant | None:
    """The variant of this contact: the same one whenever it is drawn, and another in another skill."""
    total = sum(variant.weight for variant in skill.variants)
    word = f"{skill.name}\n{running.origin}"
    place = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8]) % total if total else 0
    for variant in skill.variants:
        place -= variant.weight
        if place < 0:
            return variant
    return None
