"""Sequences of automations: begun and ended by events, and led step by step as the store is by then.

An event is heard in the transaction that found it, so a sequence begins once. Before each step everything it
depends on is looked at, the automation decides, and the deed is noted before it is done: after a kill a
deed of which nobody knows the end is repeated only where the destination knows it again by its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b
from itertools import groupby
from typing import Any

from msgspec import Struct, structs

from tajo.errors import Later, Mend
from tajo.sync.automation import (
    Act,
    Automation,
    Begin,
    Deed,
    Performer,
    Running,
    Silence,
    Situation,
    Skip,
    Standing,
    Stop,
    Subject,
    Wait,
)
from tajo.sync.barred import MENDED
from tajo.sync.ledger import carts, erasure, people, queue
from tajo.sync.ledger import sequences as ledger
from tajo.sync.ledger.outgoing import PARKED
from tajo.sync.ledger.secret import Secret
from tajo.sync.ledger.sequences import Kept
from tajo.sync.ledger.store import Ledger, Tx
from tajo.sync.model import Cart, Consent, Customer, Event, Key, Order, Product, Resource, Verdict, cart_key
from tajo.sync.ports import Source
from tajo.sync.weigh.contacts import buyer, metrics
from tajo.sync.weigh.desk import plausible

AT_ONCE = 100
"""Sequences that are looked at together; as many ids as one call of the store takes."""

PEOPLE_AT_ONCE = 8

DAY = 86400.0

KNOWN_AGAIN = 14 * 60.0
"""Seconds within which Brevo knows a repeated e-mail by its name: 15 minutes by one page, 30 by others."""

REPEATABLE = frozenset(
    {"create-contact", "update-contact", "delete-contact", "add-to-list", "remove-from-list"}
)
"""Verbs that do the same when they are repeated at any time."""


class Whose(Struct, frozen=True, omit_defaults=True):
    """What is sealed of a sequence: the person's e-mail, and what the event told."""

    email: str
    data: Mapping[str, Any] = {}


async def hear(
    tx: Tx,
    connector: str,
    automation: Automation,
    secret: Secret,
    events: Sequence[Event],
    *,
    now: float,
) -> None:
    """Let events end sequences, and begin others. To be called in the transaction that found them."""
    personal = [event for event in events if plausible(event.email)]
    persons = {event.email: secret.person(event.email) for event in personal}
    facts = await people.facts(tx, connector, set(persons.values()))
    silent = await erasure.forgotten(tx, connector, set(persons.values()))
    for event in personal:
        person = persons[event.email]
        if over := automation.ends(event):
            await ledger.end(tx, connector, over, person=person, subject=event.key)
        if person in silent:
            continue
        for one in automation.begins(event, metrics(facts[person].purchases), now):
            kept = _kept(one, secret, person, now, event=event)
            await ledger.begin(tx, connector, [kept], restart=one.restart)


class Sequences:
    """Leads the sequences of one connector. `link` makes a page that brings a cart back."""

    def __init__(
        self,
        connector: str,
        source: Source,
        performer: Performer,
        ledger_: Ledger,
        automation: Callable[[], Automation],
        now: Callable[[], float],
        *,
        link: Callable[[Key], str],
        journal: Callable[[str], None],
    ) -> None:
        self._connector = connector
        self._source = source
        self._performer = performer
        self._ledger = ledger_
        self._automation = automation
        self._now = now
        self._link = link
        self._journal = journal

    async def next_due(self) -> float | None:
        """When the next step of any is due, or the next round of a skill that goes by the clock."""
        async with self._ledger.begin() as tx:
            due = await ledger.next_due(tx, self._connector)
        moments = [round_.at for round_ in self._automation().schedules(self._now())[:1]]
        return min([*moments, *([] if due is None else [due])], default=None)

    async def lead(self) -> int:
        """Decide all steps that are due, and do what is to be done; returns how many.

        Raises `Later` and `Mend`; what was done until then stays done.
        """
        await self._go_round()
        count = 0
        while True:
            async with self._ledger.begin() as tx:
                due = await ledger.due(tx, self._connector, now=self._now(), limit=AT_ONCE)
            if not due:
                return count
            subjects = await self._subjects({kept.subject for kept in due})
            mine: dict[bytes, list[Kept]] = {}
            for kept in due:
                mine.setdefault(kept.person, []).append(kept)
            gate = asyncio.Semaphore(PEOPLE_AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for steps in mine.values():
                    group.create_task(self._lead_one(steps, subjects, gate))
            count += len(due)

    async def _lead_one(
        self, due: Sequence[Kept], subjects: Mapping[Key, Subject], gate: asyncio.Semaphore
    ) -> None:
        """One person's steps, one after the other: each counts what the one before has sent."""
        async with gate:
            for kept in due:
                await self._step(kept, subjects.get(kept.subject))

    async def _go_round(self) -> None:
        """Begin what the clock begins. A skill that was not there before selects nobody for the past."""
        automation, now = self._automation(), self._now()
        async with self._ledger.begin() as tx:
            last = await ledger.last_rounds(tx, self._connector)
        skills = [round_.skill for round_ in automation.schedules(now)]
        if last.keys() - set(skills):  # one that comes back selects nobody for the time between
            async with self._ledger.begin() as tx:
                await ledger.end_rounds(tx, self._connector, but=skills)
        for skill in skills:
            since = last.get(skill, now)
            due = [round_.at for round_ in automation.schedules(since) if round_.skill == skill]
            if skill in last and not (due and due[0] <= now):
                continue
            for silence in automation.candidates(skill, since, now) if skill in last else ():
                await self._select(skill, silence)
            async with self._ledger.begin() as tx:
                await ledger.note_round(tx, self._connector, skill, now)

    async def _select(self, skill: str, silence: Silence) -> None:
        """Let a skill begin for everybody whose last order was in that span."""
        beyond = 0
        while True:
            async with self._ledger.begin() as tx:
                rows = await ledger.silent(
                    tx, self._connector, silence.after, silence.until, beyond=beyond, limit=AT_ONCE
                )
            if not rows:
                return
            beyond = rows[-1][0]
            keys = {Key(Resource.CUSTOMERS, account) for _, account in rows if account}
            keys |= {Key(Resource.ORDERS, order) for order, account in rows if not account}
            for subject, record in (await self._subjects(keys)).items():
                if isinstance(record, Customer | Order) and plausible(record.email):
                    await self._begin_now(skill, silence, subject, record)

    async def _begin_now(self, skill: str, silence: Silence, subject: Key, record: Customer | Order) -> None:
        """One candidate, if no later order has broken the silence."""
        secret, now = self._ledger.secret, self._now()
        person = secret.person(record.email)
        customer = record if isinstance(record, Customer) else buyer(record)
        async with self._ledger.begin(turn=self._connector) as tx:
            bought = (await people.facts(tx, self._connector, [person]))[person].purchases
            if bought.last is None or bought.last > silence.until:
                return
            if await erasure.forgotten(tx, self._connector, {person}):
                return
            one = self._automation().begins_now(skill, subject, customer, metrics(bought), now)
            if one:
                kept = _kept(one, secret, person, now)
                await ledger.begin(tx, self._connector, [kept], restart=one.restart)

    async def _subjects(self, keys: set[Key]) -> dict[Key, Subject]:
        """The records as they are now; what is gone, or was bought, is missing."""
        found: dict[Key, Subject] = {}
        for resource, group in groupby(sorted(keys), key=lambda key: key.resource):
            ids = [key.id for key in group]
            if resource is Resource.CARTS:
                async with self._ledger.begin() as tx:
                    known = await carts.recall(tx, self._connector, ids)
                open_ = [facts.uuid for facts in known.values() if facts.state not in carts.ENDED]
                batch = await self._source.fetch_carts(open_)
            else:
                batch = await self._source.fetch(resource, ids)
            found |= {
                change.key: change.record
                for change in batch.changes
                if isinstance(change.record, Cart | Order | Product | Customer)
            }
        return found

    async def _step(self, kept: Kept, subject: Subject | None) -> None:
        whose = self._ledger.secret.unseal(kept.sealed, kept.person, Whose)
        standing = await self._performer.standing(whose.email)
        situation = await self.situation(kept, whose.data, subject, standing)
        match self._automation().decide(running(kept, whose), situation):
            case Wait() as wait:
                await self._move(kept, kept.step, max(wait.until, self._now() + 1.0))
            case Skip() as skip:
                self._say(kept, f"step {kept.step + 1} left out: {skip.why}")
                await self._go_on(kept, skip.then)
            case Stop() as stop:
                self._say(kept, f"over: {stop.why}")
                await self._go_on(kept, None)
            case Act() as act:
                await self._do(kept, whose.email, act, situation.code)

    async def situation(
        self, kept: Kept, data: Mapping[str, Any], subject: Subject | None, standing: Standing
    ) -> Situation:
        """All that the next step of a sequence depends on, but for what was looked at already."""
        now, person, cart = self._now(), kept.person, _cart(kept.subject, data)
        async with self._ledger.begin() as tx:
            facts = (await people.facts(tx, self._connector, [person]))[person]
            # A deed that was begun and never heard of again must not stand in its own way.
            sent = await ledger.sent(tx, person, now - DAY, but=_name(self._connector, kept))
        agreed = facts.granted
        if kept.subject.resource is Resource.CARTS and facts.carts_granted:
            agreed = True  # whom we blocklisted for want of the other consent has not unsubscribed
            ours = facts.told.blocked_by_us and facts.told.left_at is None
            blocked = standing.email_blocked and not ours
            standing = structs.replace(standing, email_blocked=blocked)
        return Situation(
            now=now,
            subject=subject,
            standing=standing,
            consent=Consent.GRANTED if agreed else Consent.WITHHELD,
            metrics=metrics(facts.purchases),
            bought_at=facts.purchases.last,
            sent_today=sent.count,
            first_sent=sent.first,
            link=self._link(cart) if cart else "",
            code=self._ledger.secret.token(f"coupon:{_name(self._connector, kept).hex()}")[:10].upper(),
        )

    async def _do(self, kept: Kept, email: str, act: Act, code: str) -> None:
        """Note the deed, do it, note that it is done and go on."""
        name, now = _name(self._connector, kept), self._now()
        async with self._ledger.begin(turn=self._connector) as tx:
            if not await ledger.still(tx, self._connector, kept):  # ended while everything was looked at
                return
            begun = await ledger.begun_at(tx, name)
            if begun is None:
                await ledger.note_deed(tx, self._deed_row(name, kept, act, now))
        if begun is not None and not _may_repeat(act.verb, now - begun):
            self._say(kept, f"step {kept.step + 1}: nobody heard how {act.verb} ended, so it counts as done")
            await self._done(kept, name, act.then)
            return
        try:
            if act.discount:  # the store must take the code before anybody hears of it
                await self._source.discount(act.discount, act.discount_seconds, code)
                await self._performer.coupon(act.discount, act.discount_seconds, code)
            deed = Deed(name=name.hex(), verb=act.verb, email=email, params=act.params)
            done = await self._performer.act(deed)
        except Later as error:
            await self._put_off(kept, name, error.seconds)
            raise
        except Mend as error:  # which concerns this kind of message, and no other
            await self._put_off(kept, name, MENDED)
            self._say(kept, f"step {kept.step + 1} waits: {error}")
            return
        match done.verdict:
            case Verdict.DELIVERED | Verdict.ACCEPTED:
                self._say(kept, f"step {kept.step + 1}: {act.verb}")
                await self._done(kept, name, act.then)
            case Verdict.RETRY:
                await self._put_off(kept, name, done.seconds)
            case Verdict.REFUSED:
                await self._park(kept, name, done.reason)

    def _deed_row(self, name: bytes, kept: Kept, act: Act, now: float) -> dict[str, Any]:
        return {
            "name": name,
            "connector": self._connector,
            "skill": kept.skill,
            "resource": kept.subject.resource,
            "id": kept.subject.id,
            "person": kept.person,
            "step": kept.step,
            "verb": act.verb,
            "variant": act.variant,
            "marketing": act.marketing and act.verb.startswith("send-"),
            "at": now,
            "state": ledger.BEGUN,
        }

    # --- settling

    async def _done(self, kept: Kept, name: bytes, then: float | None) -> None:
        async with self._ledger.begin(turn=self._connector) as tx:
            await ledger.settle_deed(tx, name)
            await queue.unpark(tx, self._connector, [parked_key(name)])
            await self._next(tx, kept, then)

    async def _go_on(self, kept: Kept, then: float | None) -> None:
        async with self._ledger.begin(turn=self._connector) as tx:
            await self._next(tx, kept, then)

    async def _next(self, tx: Tx, kept: Kept, then: float | None) -> None:
        if then is None:
            await ledger.finish(tx, self._connector, kept)
        else:
            await ledger.move(tx, self._connector, kept, step=kept.step + 1, due=then)

    async def _move(self, kept: Kept, step: int, due: float) -> None:
        async with self._ledger.begin(turn=self._connector) as tx:
            await ledger.move(tx, self._connector, kept, step=step, due=due)

    async def _put_off(self, kept: Kept, name: bytes, seconds: float) -> None:
        async with self._ledger.begin(turn=self._connector) as tx:
            await ledger.forget_deed(tx, name)
            await ledger.move(tx, self._connector, kept, step=kept.step, due=self._now() + seconds)

    async def _park(self, kept: Kept, name: bytes, reason: str) -> None:
        """What was refused stays, with its reason, until somebody replays it."""
        async with self._ledger.begin(turn=self._connector) as tx:
            await ledger.forget_deed(tx, name)
            await ledger.move(tx, self._connector, kept, step=kept.step, due=PARKED)
            await queue.park(tx, self._connector, [(parked_key(name), reason, None)], now=self._now())
        self._say(kept, f"step {kept.step + 1} kept among the failures: {reason}")

    def _say(self, kept: Kept, what: str) -> None:
        self._journal(f"{kept.skill} for {kept.subject.resource.removesuffix('s')} {kept.subject.id}: {what}")


def running(kept: Kept, whose: Whose) -> Running:
    """A sequence that is kept, as an automation sees it."""
    return Running(
        skill=kept.skill,
        subject=kept.subject,
        email=whose.email,
        step=kept.step,
        began=kept.began,
        due=kept.due,
        event=kept.event,
        data=whose.data,
        origin=kept.person.hex(),
    )


def _kept(one: Begin, secret: Secret, person: bytes, now: float, *, event: Event | None = None) -> Kept:
    """A sequence that begins now, as it is kept. `event`: None if the clock began it."""
    data = _told(event) if event else {}
    return Kept(
        skill=one.skill,
        subject=one.subject,
        person=person,
        occasion=_occasion(event) if event else "",
        step=0,
        began=now,
        due=one.due,
        event=str(event.kind) if event else "",
        sealed=secret.seal(Whose(email=one.email.lower(), data=data), person),
    )


def _cart(subject: Key, data: Mapping[str, Any]) -> Key | None:
    """The cart that a sequence is about, or in which that lies which it is about."""
    if subject.resource is Resource.CARTS:
        return subject
    return cart_key(data["cart_id"]) if data.get("cart_id") else None


def _occasion(event: Event) -> str:
    """What happens to an order, or to a variant of a product, is news each time; a cart and a person are met
    once, however many of their events begin the same skill.
    """
    if event.key.resource not in (Resource.ORDERS, Resource.PRODUCTS):
        return ""
    return f"{event.kind}/{event.variant_id}" if event.variant_id else str(event.kind)


def _name(connector: str, kept: Kept) -> bytes:
    """The name of a step of this sequence: another one if it begins anew."""
    whose = (connector, kept.skill, str(kept.subject), kept.person.hex(), kept.occasion)
    parts = (*whose, repr(kept.began), str(kept.step))
    return blake2b("\n".join(parts).encode(), digest_size=16).digest()


def parked_key(name: bytes) -> Key:
    """The key under which a deed is parked."""
    return Key(Resource.SEQUENCES, int.from_bytes(name[-8:]) >> 1)


async def release(tx: Tx, connector: str, now: float) -> None:
    """What a refusal has stopped may be tried again, but for what is parked still: it may be dismissed."""
    stopped = {parked_key(_name(connector, kept)): kept for kept in await ledger.stopped(tx, connector)}
    parked = {entry.key for entry in await queue.parked_of(tx, connector, list(stopped))}
    for key in stopped.keys() - parked:
        await ledger.move(tx, connector, stopped[key], step=stopped[key].step, due=now)


def _may_repeat(verb: str, seconds: float) -> bool:
    """Whether a deed that was begun so long ago, and may have been done, does no harm if it is done again."""
    return verb in REPEATABLE or (verb == "send-email" and seconds < KNOWN_AGAIN)


def _told(event: Event) -> dict[str, Any]:
    """What only the event knows, and no later look would tell."""
    facts = {
        "status_before": event.status_before,
        "refunded": _money(event.refunded) if event.refunded else None,
        "variant_id": event.variant_id or None,
        "stock_before": event.stock_before,
        "price_before": None if event.price_before is None else _money(event.price_before),
        "cart_id": event.cart_id or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _money(amount: Decimal) -> float:
    return float(round(amount, 2))
