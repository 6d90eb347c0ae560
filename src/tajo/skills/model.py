"""What a skill is, once it has been read. Spans are seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any

from msgspec import Struct

from tajo.skills.conditions import Condition
from tajo.skills.cron import Cron
from tajo.skills.values import Quiet

CONNECTOR_SKILLS = frozenset({"customer-sync", "order-sync", "product-sync", "event-tracking"})
"""What a connector does by itself, whenever it runs: these have no sequences."""

MESSAGES = frozenset({"send-email", "send-sms", "send-whatsapp"})
"""The verbs that somebody gets to see."""

UNSUBSCRIBE = "unsubscribe"
"""Among `stop_on`: no event, but a flag of the contact, looked at before every step."""


class Kind(StrEnum):
    """What sort of customer somebody is, by what they bought."""

    VIP = "vip_customers"
    NEW = "new_customers"
    REPEAT = "repeat_customers"


class Trigger(Struct, frozen=True, kw_only=True):
    """What begins a sequence: an event, or a time of day. Exactly one of `event` and `schedule` is there.

    `debounce`: it must have been quiet for so long; each new event begins the sequence anew.
    """

    event: str = ""
    schedule: Cron | None = None
    timezone: str = ""
    conditions: tuple[Condition, ...] = ()
    debounce: float = 0.0


class Step(Struct, frozen=True, kw_only=True):
    """One step. `delay`: after the step before it. `params`: as written, with templates in them."""

    verb: str
    delay: float = 0.0
    params: Mapping[str, Any] = {}
    conditions: tuple[Condition, ...] = ()
    discount: int = 0
    discount_seconds: float = 0.0


class Timing(Struct, frozen=True, kw_only=True):
    """How one kind of customer is treated. `first`: the delay of the first step, None: as the step says.

    `threshold`: a discount only for what is worth more; 0: always.
    """

    first: float | None = None
    threshold: Decimal = Decimal(0)


class Variant(Struct, frozen=True, kw_only=True):
    """One of several subjects of the first e-mail, drawn by weight."""

    name: str
    subject: str = ""
    template_id: int = 0
    weight: int


class Skill(Struct, frozen=True, kw_only=True):
    """A skill: its page in the catalogue, and what it does."""

    name: str
    version: str
    description: str
    category: str
    status: str = "stable"
    endpoints: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    featured: bool = False
    enabled: bool = False
    marketing: bool = True
    triggers: tuple[Trigger, ...]
    actions: tuple[str, ...]
    steps: tuple[Step, ...] = ()
    stop_on: frozenset[str] = frozenset()
    timing: Mapping[Kind, Timing] = {}
    vip: tuple[Condition, ...] = ()
    variants: tuple[Variant, ...] = ()
    guests: bool = True
    quiet: Quiet | None = None
    timezone: str = ""
    body: str = ""


def templated(steps: Sequence[Step]) -> list[Step]:
    """The steps that send a template of Brevo's."""
    return [step for step in steps if step.verb in ("send-email", "send-whatsapp")]
