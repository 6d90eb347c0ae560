"""`tajo skills test` for somebody who exists: what a skill would do for them from now on, step by step.

Record, contact, consent and orders are looked at as the machine looks at them before a step, and the
connector's own automation decides. What is seen now is assumed to stay. Nothing is sent, and the ledger is
only read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from tajo.bigcommerce import BigCommerceSource
from tajo.brevo import BrevoDestination
from tajo.errors import Usage
from tajo.skills.conditions import Facts
from tajo.skills.model import Skill
from tajo.skills.tryout import DAY, Trial, about, begun, play, unmet
from tajo.skills.values import zone_of
from tajo.sync.automation import Automation, Begin, Performer, Running, Situation, Subject
from tajo.sync.ledger import asked, carts, erasure, people, runs
from tajo.sync.ledger import sequences as ledger
from tajo.sync.ledger.outgoing import PARKED
from tajo.sync.ledger.sequences import Kept
from tajo.sync.model import Cart, Customer, Event, EventKind, Key, Order, Product, Resource, cart_key
from tajo.sync.moments import moment
from tajo.sync.ports import Source
from tajo.sync.sequences import Sequences, Whose
from tajo.sync.sequences import running as running_of
from tajo.sync.weigh.contacts import buyer, metrics
from tajo.sync.weigh.desk import plausible
from tajo.wiring import Wiring

STOCK = frozenset({EventKind.INVENTORY_CHANGED, EventKind.LOW_STOCK, EventKind.BACK_IN_STOCK})

NEVER = "they have not ordered yet"
EARLIER = (
    "they had not ordered for so long before the last round already, and each silence is met by one round"
)
FORGOTTEN = "they asked to be forgotten, so nothing is done for them"
REFUSED = "Brevo refused this step, so it waits for `tajo failures replay`; see `tajo failures list`"
OPTIONS = {
    Resource.CARTS: "--cart UUID",
    Resource.ORDERS: "--order ID",
    Resource.PRODUCTS: "--product ID",
}
UNREAD = {Resource.ORDERS: "what they bought", Resource.SUBSCRIBERS: "what they agreed to"}


class Question(Struct, frozen=True, kw_only=True):
    """Who or what is asked about: at the most one of `cart` (its UUID), `order` and `product`.

    `event`: which is assumed to happen (empty: the first trigger that fits); `at`: when it happens (None:
    now; a naive one is meant by the clock of the skill, else the store's).
    """

    email: str = ""
    cart: str = ""
    order: int | None = None
    product: int | None = None
    event: str = ""
    at: datetime | None = None


class Answer(Struct, frozen=True, kw_only=True):
    """What would be done about `subject` (None: nothing is there). `cart`: its UUID, if it is a cart.

    `zone`: by which clock times are told. `seen`: how things are (None: nothing begins, so nobody looked).
    `notes`: sentences of what should be known besides.
    """

    connector: str
    subject: Key | None
    cart: str = ""
    zone: ZoneInfo
    trial: Trial
    seen: Situation | None = None
    notes: tuple[str, ...] = ()


async def try_skill(wiring: Wiring, name: str, skill: Skill, question: Question) -> Answer:
    """What a skill would do for somebody, whether it is enabled or not.

    Raises `Usage` for what is not there, what contradicts itself, and what does not say whom it is about.
    """
    on = _with(wiring, skill)
    async with on.accounts(name) as (store_api, brevo):
        source = BigCommerceSource(store_api, locations=on.locations(name))
        store = await source.open()
        zone = _zone(skill, on.settings.connectors[name].messages.timezone, store.timezone)
        at = seconds_of(question.at, zone) if question.at else store_api.clock.now()
        automation = on.automation(name, store)
        actions = BrevoDestination(brevo, on.rules(name)).actions
        machine = Sequences(
            *(name, source, actions, on.ledger, lambda: automation, lambda: at),
            link=partial(on.recovery_link, name),
            journal=lambda _: None,
        )
        stage = _Stage(on, name, skill, zone, at, source, actions, automation, machine)
        return await stage.answer(question)


@dataclass(frozen=True)
class _Stage:
    """Everything that one question needs, and the moment that it is about."""

    wiring: Wiring
    name: str
    skill: Skill
    zone: ZoneInfo
    at: float
    source: Source
    performer: Performer
    automation: Automation
    machine: Sequences

    async def answer(self, question: Question) -> Answer:
        """The sequence that runs already from where it stands, else one that would begin."""
        named = _named(question)
        record = await self._look(named, question.cart) if named else None
        email = _whose(question, record)
        if named is None and not email:
            raise Usage("nobody was named", "say whom it is about: --contact EMAIL.")
        running = await self._running(named, email, question.event)
        if running:
            subject = record if named else await self._look(running[0].subject)
            return await self._goes_on(running, subject)
        if named and record is None:
            raise Usage(
                f"there is no such {_word(named.resource)} in the store",
                "one that was bought, deleted or given up is gone; name another."
                if named.resource is Resource.CARTS
                else "take its number from the control panel.",
            )
        if not email:
            raise Usage(
                f"nobody knows whose {_word(named.resource) if named else 'it'} that is",
                "say for whom to try it: --contact EMAIL.",
            )
        return await self._begins(question, named, record, email)

    async def _look(self, key: Key, uuid: str = "") -> Subject | None:
        """The record as it is now; None if it is gone, or was bought."""
        if key.resource is Resource.CARTS:
            async with self.wiring.ledger.begin() as tx:
                facts = (await carts.recall(tx, self.name, [key.id])).get(key.id)
            if facts and facts.state in carts.ENDED:
                return None
            batch = await self.source.fetch_carts([facts.uuid if facts else uuid])
        else:
            batch = await self.source.fetch(key.resource, [key.id])
        (change,) = batch.changes
        if change.flaw:
            raise Usage(f"that {_word(key.resource)} cannot be understood: {change.flaw}")
        return change.record if isinstance(change.record, Cart | Order | Product | Customer) else None

    # --- a sequence that runs already

    async def _running(self, subject: Key | None, email: str, event: str) -> list[Kept]:
        person = self.wiring.ledger.secret.person(email) if email else None
        async with self.wiring.ledger.begin() as tx:
            found = await ledger.waiting(tx, self.name, self.skill.name, person=person, subject=subject)
        return [kept for kept in found if event in ("", kept.event)]

    async def _goes_on(self, running: Sequence[Kept], subject: Subject | None) -> Answer:
        kept, *others = running
        whose = self.wiring.ledger.secret.unseal(kept.sealed, kept.person, Whose)
        waits = running_of(kept, whose)
        standing = await self.performer.standing(whose.email)
        seen = await self.machine.situation(kept, whose.data, subject, standing)
        from_here = replace(waits, due=self.at if kept.due >= PARKED else max(kept.due, self.at))
        notes = [REFUSED] if kept.due >= PARKED else []
        notes += [f"{len(others)} more sequences of {self.skill.name} wait, due later"] if others else []
        trial = Trial(at=self.at, event=kept.event, waits=waits)
        return await self._played(kept, from_here, seen, trial, notes)

    # --- one that would begin

    async def _begins(
        self, question: Question, named: Key | None, record: Subject | None, email: str
    ) -> Answer:
        event = _event(self.skill, question, named)
        person = self.wiring.ledger.secret.person(email)
        async with self.wiring.ledger.begin() as tx:
            facts = (await people.facts(tx, self.name, [person]))[person]
            silent = bool(await erasure.forgotten(tx, self.name, [person]))
        if silent:
            return self._answer(named, record, Trial(at=self.at, event=event, why=FORGOTTEN))
        standing = await self.performer.standing(email)
        if named is None and not (facts.accounts or facts.storefronts or standing.exists):
            raise Usage(
                "neither Tajo nor Brevo knows that contact",
                "look at the address; `tajo sync` gets to know whom the store knows.",
            )
        if not event and facts.purchases.last is None:
            return self._answer(None, None, Trial(at=self.at, why=NEVER))
        subject = named or await self._subject(event, person, facts)
        record = record or await self._look(subject)
        if record is None:
            raise Usage(
                f"their {_word(subject.resource)} is gone from the store", "`tajo sync` finds it out."
            )
        begin, at, why = await self._begin(event, subject, record, email, facts)
        trial = Trial(at=at, event=event, why=why)
        if why or begin is None:
            return self._answer(subject, record, trial)
        kept = Kept(
            skill=begin.skill,
            subject=subject,
            person=person,
            occasion="",
            step=0,
            began=at,
            due=begin.due,
            event=event,
            sealed=b"",
        )
        seen = await self.machine.situation(kept, {}, record, standing)
        running = begun(begin, event, at, origin=person.hex())
        return await self._played(kept, running, seen, trial, [])

    async def _subject(self, event: str, person: bytes, facts: people.Facts) -> Key:
        """What such an event would be about, of this person: their account, or the newest of theirs."""
        resource = about(event) if event else Resource.CUSTOMERS
        if resource is Resource.CUSTOMERS and facts.primary:
            return Key(resource, facts.primary)
        async with self.wiring.ledger.begin() as tx:
            uuid = await asked.newest_cart(tx, self.name, person)
            order = await asked.newest_order(tx, self.name, person)
        if resource is Resource.CARTS and uuid:
            return cart_key(uuid)
        if order and (resource is Resource.ORDERS or not event):  # to the clock, an order stands for a guest
            return Key(Resource.ORDERS, order)
        raise Usage(
            f"`{event}` is about {_a(resource)}, and none of theirs is known",
            f"name it: {OPTIONS[resource]}." if resource in OPTIONS else "name somebody who has one.",
        )

    async def _begin(
        self, event: str, subject: Key, record: Subject, email: str, facts: people.Facts
    ) -> tuple[Begin | None, float, str]:
        """What begins, when, and if nothing does, why."""
        bought = metrics(facts.purchases)
        if not event and isinstance(record, Customer | Order):
            record = buyer(record) if isinstance(record, Order) else record
            at, why = await self._round(facts.purchases.last or 0.0)
            begin = self.automation.begins_now(self.skill.name, subject, record, bought, at)
        else:
            at, why = self.at, self._unheard(event, record)
            happened = Event(kind=EventKind(event), key=subject, at=moment(at), email=email, record=record)
            found = self.automation.begins(happened, bought, at)
            begin = next((one for one in found if one.skill == self.skill.name), None)
        if begin is None and not why:
            why = unmet(self.skill, Facts(now=at, event=event, subject=record, metrics=bought))
        return begin, at, why

    async def _round(self, last: float) -> tuple[float, str]:
        """The round that finds their silence since `last` long enough; or why there is none."""
        async with self.wiring.ledger.begin() as tx:
            met = (await ledger.last_rounds(tx, self.name)).get(self.skill.name, self.at)
        spans = [met - one.until for one in self.automation.candidates(self.skill.name, met, met)]
        found = [
            round_.at
            for span in spans
            if last + span > met
            for round_ in self.automation.schedules(last + span - 1.0)  # rounds come at whole minutes
            if round_.skill == self.skill.name
        ]
        return (max(min(found), self.at), "") if found else (self.at, EARLIER)

    def _unheard(self, event: str, record: Subject) -> str:
        """Why the machine would not hear of such an event; empty if it would."""
        policy = self.wiring.policy(self.name)
        if about(event) not in policy.resources:
            return f"`sync.{about(event)}` is off"
        if event in STOCK and not policy.stock:
            return "`sync.inventory` is off"
        least = policy.abandoned_value
        if event == EventKind.CART_ABANDONED and isinstance(record, Cart) and record.total < least:
            return f"the cart is worth less than `cart.min_value`, {least}"
        return ""

    # --- the answer

    async def _played(
        self, kept: Kept, running: Running, seen: Situation, trial: Trial, notes: Sequence[str]
    ) -> Answer:
        async with self.wiring.ledger.begin() as tx:
            sent = await asked.sent_at(tx, kept.person, running.due - DAY)
            unread = (self.wiring.policy(self.name).resources & UNREAD.keys()) - (
                await runs.swept_since(tx, self.name)
            ).keys()

        def look(now: float) -> Situation:
            recent = [at for at in sent if now - DAY < at <= now]
            return replace(seen, now=now, sent_today=len(recent), first_sent=min(recent, default=None))

        trial = replace(trial, moments=tuple(play(self.automation, running, look)))
        lacking = [f"{one} were never synced to the end, so {UNREAD[one]} may be missing" for one in unread]
        return self._answer(kept.subject, seen.subject, trial, seen, [*notes, *sorted(lacking)])

    def _answer(
        self,
        subject: Key | None,
        record: Subject | None,
        trial: Trial,
        seen: Situation | None = None,
        notes: Sequence[str] = (),
    ) -> Answer:
        off = [] if self.skill.enabled else [f"{self.skill.name} is off: so it would be if it were on"]
        return Answer(
            connector=self.name,
            subject=subject,
            cart=record.uuid if isinstance(record, Cart) else "",
            zone=self.zone,
            trial=trial,
            seen=seen,
            notes=(*off, *notes),
        )


def _with(wiring: Wiring, skill: Skill) -> Wiring:
    """The same, with this skill switched on."""
    shelf = wiring.settings.skills
    skills = replace(shelf, skills={**shelf.skills, skill.name: replace(skill, enabled=True)})
    return wiring.with_settings(wiring.settings.model_copy(update={"skills": skills}))


def _zone(skill: Skill, *names: str | None) -> ZoneInfo:
    return next((zone for one in (skill.timezone, *names) if one and (zone := zone_of(one))), ZoneInfo("UTC"))


def seconds_of(at: datetime, zone: ZoneInfo) -> float:
    """Seconds since 1970; a naive moment is meant by the clock of this zone."""
    return (at if at.tzinfo else at.replace(tzinfo=zone)).timestamp()


def _word(resource: Resource) -> str:
    return "account" if resource is Resource.CUSTOMERS else resource.removesuffix("s")


def _a(resource: Resource) -> str:
    word = _word(resource)
    return f"an {word}" if word[0] in "ao" else f"a {word}"


def _named(question: Question) -> Key | None:
    """The cart, order or product that was named."""
    numbers = {Resource.ORDERS: question.order, Resource.PRODUCTS: question.product}
    found = [Key(resource, id_) for resource, id_ in numbers.items() if id_ is not None]
    if question.cart:
        try:
            found.append(cart_key(question.cart))
        except ValueError:
            raise Usage("--cart is no UUID", "write it as BigCommerce does, with its hyphens.") from None
    if len(found) > 1:
        raise Usage("one thing at a time", "name one of --cart, --order and --product.")
    return found[0] if found else None


def _whose(question: Question, record: Subject | None) -> str:
    """The e-mail of whoever it is about, in lower case; empty if nobody knows."""
    email = question.email.strip().lower()
    if email and not plausible(email):
        raise Usage("that is no e-mail address", "write it as the store has it, such as name@example.com.")
    own = record.email.strip().lower() if isinstance(record, Cart | Order) else ""
    if email and own and email != own:
        raise Usage("what was named is somebody else's than --contact", "leave one of the two out.")
    return email or (own if plausible(own) else "")


def _event(skill: Skill, question: Question, named: Key | None) -> str:
    """The event that is assumed; empty for the clock."""
    if question.event:
        if named and about(question.event) is not named.resource:
            wrong, right = _word(named.resource), _word(about(question.event))
            raise Usage(f"`{question.event}` happens to no {wrong}", f"name the {right} instead.")
        return question.event
    if named is None:
        return skill.triggers[0].event
    fitting = [one.event for one in skill.triggers if one.event and about(one.event) is named.resource]
    if not fitting:
        raise Usage(
            f"nothing that happens to the {_word(named.resource)} begins {skill.name}",
            "name somebody instead: --contact EMAIL.",
        )
    return fitting[0]
