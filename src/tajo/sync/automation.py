"""What automations are to the machine: who runs through which, and what is to be done about it next.

An event may start a sequence for a person about a subject (a cart, an order, a product, themselves). The
ledger keeps it until its next step is due; then the machine looks at everything that the step depends on, as
it is *now*, and the automation decides. So a sequence holds nothing that can go stale, and deciding is pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from tajo.sync.model import ZERO, Cart, Consent, Customer, Event, Key, Metrics, Order, Product, Verdict

Subject = Cart | Order | Product | Customer


class Begin(Struct, frozen=True, kw_only=True):
    """A sequence that an event begins. One that already runs for this person and subject is left alone,
    unless `restart`: then it begins anew. `due`: when its first step is to be decided, seconds since 1970.
    """

    skill: str
    subject: Key
    email: str
    due: float
    restart: bool = False


class Round(Struct, frozen=True):
    """A moment at which a skill that goes by the clock selects people."""

    skill: str
    at: float


class Silence(Struct, frozen=True):
    """Whose last counted order lies after `after` and not after `until`, seconds since 1970."""

    after: float
    until: float


class Running(Struct, frozen=True, kw_only=True):
    """A sequence that waits. `step`: the number of the next one, from 0. Moments in seconds since 1970.

    `email`: empty if only the subject tells. `event`: the kind that began it; `data`: its properties, as
    templates see them. `origin`: another word for this sequence, the same for ever, on which draws depend.
    """

    skill: str
    subject: Key
    email: str
    step: int
    began: float
    due: float
    event: str = ""
    data: Mapping[str, Any] = {}
    origin: str = ""


class Standing(Struct, frozen=True, kw_only=True):
    """A contact as the destination has it now. `attributes`: by name, upper case, as they are there."""

    exists: bool = False
    email_blocked: bool = False
    sms_blocked: bool = False
    whatsapp_blocked: bool = False
    attributes: Mapping[str, Any] = {}


class Situation(Struct, frozen=True, kw_only=True):
    """All that a step may depend on, as it is now.

    `subject`: the record; None: it is gone, or was bought. `bought_at`: the person's last counted order.
    `sent_today`: marketing messages of the last 24 hours, of all skills. `first_sent`: the earliest of those.
    `link`: a page that brings the cart back, for carts only. `code`: a coupon code that will be valid if the
    step asks for a discount.
    """

    now: float
    subject: Subject | None
    standing: Standing
    consent: Consent
    metrics: Metrics = Metrics()
    bought_at: float | None = None
    sent_today: int = 0
    first_sent: float | None = None
    link: str = ""
    code: str = ""


class Act(Struct, frozen=True, kw_only=True):
    """Do `verb` and go on at `then` (None: that was the last step).

    Verbs: `send-email`, `send-sms`, `send-whatsapp`, `track-event`, `create-contact`, `update-contact`,
    `delete-contact`, `add-to-list`, `remove-from-list`.

    `params`: rendered, in the words of the destination. `marketing`: counts towards the daily cap.
    `discount`: percent that the situation's `code` shall give, for `discount_seconds` (0: without end).
    """

    verb: str
    params: Mapping[str, Any]
    then: float | None
    marketing: bool = True
    discount: int = 0
    discount_seconds: float = 0.0
    variant: str = ""


class Wait(Struct, frozen=True, kw_only=True):
    """Not now, but at `until`: decide again then. `why`: for people."""

    until: float
    why: str


class Skip(Struct, frozen=True, kw_only=True):
    """This step does not apply: go on with the next at `then` (None: that was the last)."""

    then: float | None
    why: str


class Stop(Struct, frozen=True, kw_only=True):
    """The sequence is over. `why`: for people."""

    why: str


Decision = Act | Wait | Skip | Stop


class Deed(Struct, frozen=True, kw_only=True):
    """An `Act` about somebody, ready for the destination. `name`: the same at every attempt, 32 hexadecimal
    digits. `email` in lower case; `phone` E.164 or empty.
    """

    name: str
    verb: str
    email: str
    phone: str = ""
    params: Mapping[str, Any] = {}


class Done(Struct, frozen=True, kw_only=True):
    """What came of a deed: `reason` for people if it was not done, `seconds` when to try again."""

    verdict: Verdict
    reason: str = ""
    seconds: float = 0.0


class Performer(Protocol):
    """Who carries deeds out. Every method may raise `Mend` or `Later`, never anything of HTTP."""

    async def standing(self, email: str) -> Standing:
        """How this contact stands there now."""
        ...

    async def coupon(self, percent: int, seconds: float, code: str) -> None:
        """Let this code give so many percent for so long (0: without end). Twice is once."""
        ...

    async def act(self, deed: Deed) -> Done:
        """Do what an automation has decided."""
        ...


class Automation(Protocol):
    """What is done without anybody doing it. Pure: it remembers nothing and talks to nobody."""

    def begins(self, event: Event, metrics: Metrics, now: float) -> Sequence[Begin]:
        """The sequences that this event begins. `metrics`: of the person, this event included."""
        ...

    def ends(self, event: Event) -> frozenset[str]:
        """The skills whose sequences for this event's person, or about its subject, are over by it."""
        ...

    def schedules(self, now: float) -> Sequence[Round]:
        """The next time after `now` of every skill that goes by the clock, the earliest first."""
        ...

    def candidates(self, skill: str, since: float, now: float) -> Sequence[Silence]:
        """Whose silence has grown long enough between two rounds of a skill, `since` and `now`."""
        ...

    def begins_now(
        self, skill: str, subject: Key, customer: Customer, metrics: Metrics, now: float
    ) -> Begin | None:
        """The sequence of a skill that goes by the clock, for one of its candidates; None if it is none."""
        ...

    def decide(self, running: Running, situation: Situation) -> Decision:
        """What is to be done about a sequence whose next step is due."""
        ...


class Nothing:
    """An automation of somebody who wants none."""

    def begins(self, event: Event, metrics: Metrics, now: float) -> Sequence[Begin]:
        """None."""
        return ()

    def ends(self, event: Event) -> frozenset[str]:
        """None."""
        return frozenset()

    def schedules(self, now: float) -> Sequence[Round]:
        """None."""
        return ()

    def candidates(self, skill: str, since: float, now: float) -> Sequence[Silence]:
        """Nobody."""
        return ()

    def begins_now(
        self, skill: str, subject: Key, customer: Customer, metrics: Metrics, now: float
    ) -> Begin | None:
        """None."""
        return None

    def decide(self, running: Running, situation: Situation) -> Decision:
        """It is over: the skill is not enabled any more."""
        return Stop(why="the skill is not enabled any more")


def worth(subject: Subject | None) -> Any:
    """What a subject is worth: the total of a cart or an order, the price of a product; 0 for people."""
    match subject:
        case Cart() | Order():
            return subject.total
        case Product():
            return subject.price
        case _:
            return ZERO
